/* The shim of modules of primitives: lets honest functions pass, and names module, function and the rule
 * that was broken (plugins/prims-shim/shim.h). */
// LINK: t/support/confession.c t/support/image_host.c t/support/mock_prims.c plugins/prims-shim/*.c
#include <string.h>

#include "support/confession.h"
#include "support/image_host.h"
#include "support/mock_prims.h"
#include "tap.h"

extern const OsvmPlugin osvm_plugin;

/* ---- Honest functions ---- */

static int answer_sum(const OsvmPrimApi *vm, OsvmCall *call)
{
    int64_t a, b;
    if (vm->arg_count(call) != 1)
        return OSVM_BAD_ARG_COUNT;
    if (!vm->int64(call, vm->arg(call, OSVM_RECEIVER), &a) || !vm->int64(call, vm->arg(call, 0), &b))
        return OSVM_BAD_ARGUMENT;
    return vm->result(call, vm->from_int64(call, a + b));
}

static int fill_bytes(const OsvmPrimApi *vm, OsvmCall *call)
{
    OsvmElements elements;
    if (!vm->elements(call, vm->arg(call, 0), &elements) || elements.read_only)
        return OSVM_NO_MODIFICATION;
    memset(elements.data, 7, elements.count);
    return vm->result_receiver(call);
}

static int keep_over_callback(const OsvmPrimApi *vm, OsvmCall *call)
{
    uint32_t ticket = vm->keep(call, vm->arg(call, 0));
    OsvmValue answer, selector = vm->arg(call, 0);
    int failure = vm->perform(call, vm->arg(call, OSVM_RECEIVER), selector, NULL, 0, &answer);
    OsvmValue kept = vm->kept(call, ticket);
    vm->drop(call, ticket);
    return failure ? failure : vm->result(call, kept);
}

static int own_state(const OsvmPrimApi *vm, OsvmCall *call)
{
    return vm->result(call, vm->from_int64(call, ++*(int64_t *)vm->module_state(call)));
}

/* ---- Functions that break a rule ---- */

static int no_result(const OsvmPrimApi *vm, OsvmCall *call)
{
    return OSVM_SUCCESS;
}

static int two_results(const OsvmPrimApi *vm, OsvmCall *call)
{
    vm->result_receiver(call);
    return vm->result(call, vm->nil(call));
}

static int result_and_failure(const OsvmPrimApi *vm, OsvmCall *call)
{
    vm->result_receiver(call);
    return OSVM_BAD_ARGUMENT;
}

static int strange_code(const OsvmPrimApi *vm, OsvmCall *call)
{
    return 999;
}

static int silent_os_error(const OsvmPrimApi *vm, OsvmCall *call)
{
    return OSVM_OS_ERROR;
}

static int fail_late(const OsvmPrimApi *vm, OsvmCall *call)
{
    OsvmElements elements;
    if (vm->elements(call, vm->arg(call, 0), &elements))
        memset(elements.data, 7, elements.count);
    return OSVM_BAD_ARGUMENT;
}

static int fail_late_below(const OsvmPrimApi *vm, OsvmCall *call)
{
    vm->put_slot(call, vm->arg(call, 0), 1, vm->arg(call, OSVM_RECEIVER));
    return OSVM_FAILED;
}

static int write_read_only(const OsvmPrimApi *vm, OsvmCall *call)
{
    OsvmElements elements;
    if (vm->elements(call, vm->arg(call, 0), &elements))
        memset(elements.data, 7, elements.count);
    return vm->result_receiver(call);
}

static int allocate(const OsvmPrimApi *vm, OsvmCall *call)
{
    return vm->result(call, vm->new_array(call, 3));
}

static int make_large(const OsvmPrimApi *vm, OsvmCall *call)
{
    return vm->result(call, vm->from_uint64(call, UINT64_MAX));
}

static int touch_world(const OsvmPrimApi *vm, OsvmCall *call)
{
    return vm->world(call) ? vm->result_receiver(call) : OSVM_FAILED;
}

static int use_stale(const OsvmPrimApi *vm, OsvmCall *call)
{
    OsvmValue answer, old = vm->arg(call, 0);
    vm->perform(call, vm->arg(call, OSVM_RECEIVER), old, NULL, 0, &answer);
    return vm->result(call, old);
}

static int invent_value(const OsvmPrimApi *vm, OsvmCall *call)
{
    return vm->result(call, (OsvmValue){vm->arg(call, 0).bits + 64});
}

static int use_none(const OsvmPrimApi *vm, OsvmCall *call)
{
    return vm->kind(call, (OsvmValue){0}) == OSVM_NIL ? OSVM_FAILED : vm->result_receiver(call);
}

static int drop_foreign(const OsvmPrimApi *vm, OsvmCall *call)
{
    vm->drop(call, 17);
    return vm->result_receiver(call);
}

static int drop_twice(const OsvmPrimApi *vm, OsvmCall *call)
{
    uint32_t ticket = vm->keep(call, vm->arg(call, 0));
    vm->drop(call, ticket);
    vm->drop(call, ticket);
    return vm->result_receiver(call);
}

enum { ALL = OSVM_MAY_ALLOCATE | OSVM_MAY_CALL_BACK | OSVM_TOUCHES_WORLD };

#define FUNCTION(function, flags) {#function, function, 0, flags}
static const OsvmPrim functions[] = {
    FUNCTION(answer_sum, OSVM_MAY_ALLOCATE), FUNCTION(fill_bytes, 0),
    FUNCTION(keep_over_callback, OSVM_MAY_CALL_BACK), FUNCTION(own_state, 0),
    FUNCTION(no_result, ALL), FUNCTION(two_results, ALL), FUNCTION(result_and_failure, ALL),
    FUNCTION(strange_code, ALL), FUNCTION(silent_os_error, ALL), FUNCTION(fail_late, ALL),
    FUNCTION(fail_late_below, ALL), FUNCTION(write_read_only, ALL), FUNCTION(allocate, 0),
    FUNCTION(make_large, 0), FUNCTION(touch_world, 0),
    FUNCTION(use_stale, ALL), FUNCTION(invent_value, ALL), FUNCTION(use_none, ALL),
    FUNCTION(drop_foreign, ALL),
    FUNCTION(drop_twice, ALL), {NULL, NULL, 0, 0},
};
static const OsvmPrim twice[] = {FUNCTION(no_result, 0), FUNCTION(no_result, 0), {NULL, NULL, 0, 0}};
static const OsvmPrim flagged[] = {FUNCTION(no_result, 64), {NULL, NULL, 0, 0}};

/* ---- The rig ---- */

typedef struct {
    ImageHost real;
    OsvmHost module_host, shim_host;
    OsvmPlugin plugin;
    OsvmPrims prims;
    OsvmInstance module;
    const OsvmPrims *shim;
    void *shim_state;
    int64_t module_state;
    MockVm vm;
    OsvmCall call;
} Rig;

static void open_rig(Rig *rig, const OsvmPrim *table)
{
    OsvmError error = {0};
    image_host_start(&rig->real);
    rig->module_host = rig->shim_host = rig->real.host;
    rig->plugin = (OsvmPlugin){OSVM_PLUGIN_HEAD(OSVM_PRIMS, 0), .name = "crimes"};
    rig->prims = (OsvmPrims){.size = OSVM_PRIMS_MODULE_SIZE, .module = "CrimesPlugin", .functions = table};
    rig->module = (OsvmInstance){.plugin = &rig->plugin, .vtable = &rig->prims,
                                 .state = &rig->module_state, .host = &rig->module_host};
    rig->shim_host.inner = &rig->module;
    rig->shim = osvm_plugin.vtable;
    rig->shim_state = calloc(1, osvm_plugin.state_size);
    osvm_plugin.init(rig->shim_state, &rig->shim_host, &error);
    mock_vm_open(&rig->vm, 64, rig->real.live);
    rig->shim->start(rig->shim_state, &mock_prims_api, &rig->vm);
}

static void close_rig(Rig *rig)
{
    rig->shim->stop(rig->shim_state);
    free(rig->shim_state);
    mock_vm_close(&rig->vm);
    image_host_stop(&rig->real);
}

static int call_function(Rig *rig, const char *name, OsvmValue receiver, OsvmValue argument)
{
    const OsvmPrim *prim = rig->prims.functions;
    while (strcmp(prim->name, name) != 0)
        prim++;
    rig->call = (OsvmCall){.vm = &rig->vm, .operands = {receiver, argument}, .arg_count = 1};
    return rig->shim->call(rig->shim_state, prim, &mock_prims_api, &rig->call);
}

typedef struct {
    const char *name;
    OsvmValueKind argument; /* bytes, pointers */
    bool read_only;
} Crime;

static void commit(void *context)
{
    Rig rig = {0};
    const Crime *crime = context;
    open_rig(&rig, functions);
    OsvmValue argument = mock_bits(&rig.vm, OSVM_BYTES, 1, "12345", 5);
    if (crime->argument == OSVM_POINTERS) {
        OsvmValue inner = argument;
        argument = mock_pointers(&rig.vm, 2, true);
        mock_put(argument, 0, inner);
    }
    if (crime->read_only)
        mock_freeze(argument);
    call_function(&rig, crime->name, mock_integer(&rig.vm, 1), argument);
}

static void caught(const char *name, OsvmValueKind argument, bool read_only, const char *sentence)
{
    Crime crime = {name, argument, read_only};
    char expected[256];
    snprintf(expected, sizeof expected, "%s of CrimesPlugin %s", name, sentence);
    has_text(confession(commit, &crime), expected, "%s", name);
}

static void open_table(void *table)
{
    Rig rig = {0};
    open_rig(&rig, table);
}

static void call_stopped(void *unused)
{
    Rig rig = {0};
    open_rig(&rig, functions);
    rig.shim->stop(rig.shim_state);
    call_function(&rig, "own_state", mock_integer(&rig.vm, 1), mock_integer(&rig.vm, 1));
}

static void honest_work_passes(void)
{
    Rig rig = {0};
    open_rig(&rig, functions);
    OsvmValue one = mock_integer(&rig.vm, 1), bytes = mock_bits(&rig.vm, OSVM_BYTES, 1, "123", 3);
    OsvmValue frozen = mock_bits(&rig.vm, OSVM_BYTES, 1, "123", 3);
    mock_freeze(frozen);
    is_int(call_function(&rig, "answer_sum", one, mock_integer(&rig.vm, 41)), OSVM_SUCCESS, "a sum");
    ok(rig.call.result.bits == mock_integer(&rig.vm, 42).bits, "... is the VM's result");
    is_int(call_function(&rig, "answer_sum", one, bytes), OSVM_BAD_ARGUMENT, "a failure");
    is_int(call_function(&rig, "fill_bytes", one, bytes), OSVM_SUCCESS, "a change");
    is_int(call_function(&rig, "fill_bytes", one, frozen), OSVM_NO_MODIFICATION, "a refused change");
    is_int(call_function(&rig, "keep_over_callback", one, bytes), OSVM_SUCCESS, "a callback");
    ok(rig.call.result.bits == bytes.bits, "... after which what was kept is known");
    is_int(mock_tickets(&rig.vm), 0, "... and given back");
    is_int(call_function(&rig, "own_state", one, one), OSVM_SUCCESS, "the module's state");
    is_int(rig.module_state, 1, "... is its own");
    close_rig(&rig);
    is_int(rig.real.blocks, 0, "the shim gives its memory back");
}

int main(void)
{
    honest_work_passes();
    caught("no_result", OSVM_BYTES, false, "succeeded without a result (P1)");
    caught("two_results", OSVM_BYTES, false, "set 2 results (P1)");
    caught("result_and_failure", OSVM_BYTES, false, "set a result and fails with 3 (P1)");
    caught("strange_code", OSVM_BYTES, false, "fails with 999, which is no failure code (P2)");
    caught("silent_os_error", OSVM_BYTES, false, "fails with OSVM_OS_ERROR and says nothing");
    caught("fail_late", OSVM_BYTES, false, "fails with 3 and has changed its receiver or arguments (P3)");
    caught("fail_late_below", OSVM_POINTERS, false, "fails with 1 and has changed");
    caught("write_read_only", OSVM_BYTES, true, "has changed a read-only object (P4)");
    caught("allocate", OSVM_BYTES, false, "makes an array without having said so in its flags (P5)");
    caught("make_large", OSVM_BYTES, false, "allocates a large integer without");
    caught("touch_world", OSVM_BYTES, false, "touches the world without having said so");
    caught("use_stale", OSVM_BYTES, false, "gives result a value that it was not given in this call, or "
           "that is void since it called back (P6)");
    caught("invent_value", OSVM_BYTES, false, "gives result a value that it was not given");
    caught("use_none", OSVM_BYTES, false, "gives kind a none value (P6)");
    caught("drop_foreign", OSVM_BYTES, false, "gives drop the ticket 17, which it does not have (P7)");
    caught("drop_twice", OSVM_BYTES, false, "gives drop the ticket 1, which it does not have (P7)");
    has_text(confession(open_table, (void *)twice), "no_result of CrimesPlugin is there twice (P8)",
             "a name that is there twice");
    has_text(confession(open_table, (void *)flagged), "accessor depth 0, flags 64 (P8)", "unknown flags");
    has_text(confession(call_stopped, NULL), "is called before start or after stop (P8)", "too late");
    return done_testing();
}
