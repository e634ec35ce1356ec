/* A module of primitives by a third party: functions that send messages and wait for answers. */
#include <pthread.h>

#include "osvm/prims.h"

/* call: receiver with: selector arguments: anArray */
static int call(const OsvmPrimApi *vm, OsvmCall *call)
{
    OsvmValue arguments[10], answer, array = vm->arg(call, 2);
    unsigned count = (unsigned)vm->slot_count(call, array);
    if (!vm->is_array(call, array) || count > 10)
        return OSVM_BAD_ARGUMENT;
    for (unsigned i = 0; i < count; i++)
        arguments[i] = vm->slot(call, array, i);
    int failure =
        vm->perform(call, vm->arg(call, 0), vm->arg(call, 1), arguments, count, &answer);
    return failure ? failure : vm->result(call, answer);
}

/* from: low to: high collect: block with: #value: -- an array of the answers */
static int collect(const OsvmPrimApi *vm, OsvmCall *call)
{
    int64_t low, high;
    int failure = OSVM_SUCCESS;
    if (!vm->int64(call, vm->arg(call, 0), &low) || !vm->int64(call, vm->arg(call, 1), &high))
        return OSVM_BAD_ARGUMENT;
    OsvmValue array = vm->new_array(call, (size_t)(high - low + 1));
    uint32_t kept = osvm_is_none(array) ? 0 : vm->keep(call, array);
    if (!kept)
        return OSVM_NO_MEMORY;
    for (int64_t i = low; i <= high && !failure; i++) {
        OsvmValue argument = vm->from_int64(call, i), answer;
        failure = vm->perform(call, vm->arg(call, 2), vm->arg(call, 3), &argument, 1, &answer);
        if (!failure && !vm->put_slot(call, vm->kept(call, kept), (size_t)(i - low), answer))
            failure = OSVM_NO_MODIFICATION;
    }
    array = vm->kept(call, kept);
    vm->drop(call, kept);
    return failure ? failure : vm->result(call, array);
}

/* sort: array by: block with: #value:value: -- in place, by insertion */
static int sort(const OsvmPrimApi *vm, OsvmCall *call)
{
    size_t count = vm->slot_count(call, vm->arg(call, 0));
    for (size_t i = 1; i < count; i++)
        for (size_t j = i; j > 0; j--) {
            bool inOrder;
            OsvmValue array = vm->arg(call, 0), answer;
            OsvmValue pair[2] = {vm->slot(call, array, j - 1), vm->slot(call, array, j)};
            int failure = vm->perform(call, vm->arg(call, 1), vm->arg(call, 2), pair, 2, &answer);
            if (failure)
                return failure;
            if (!vm->boolean(call, answer, &inOrder))
                return OSVM_BAD_ARGUMENT;
            if (inOrder)
                break;
            array = vm->arg(call, 0);
            OsvmValue upper = vm->slot(call, array, j);
            vm->put_slot(call, array, j, vm->slot(call, array, j - 1));
            vm->put_slot(call, array, j - 1, upper);
        }
    return vm->result_receiver(call);
}

typedef struct {
    const OsvmPrimApi *vm;
    OsvmCall *call;
    int failure;
} Elsewhere;

static void *call_elsewhere(void *argument)
{
    Elsewhere *it = argument;
    OsvmValue answer;
    it->failure = it->vm->perform(it->call, it->vm->arg(it->call, 0), it->vm->arg(it->call, 1), NULL,
                                  0, &answer);
    return NULL;
}

/* onThread: block with: #value -- the failure code */
static int on_thread(const OsvmPrimApi *vm, OsvmCall *call)
{
    pthread_t thread;
    Elsewhere it = {vm, call, 0};
    if (pthread_create(&thread, NULL, call_elsewhere, &it))
        return OSVM_OPERATION_FAILED;
    pthread_join(thread, NULL);
    return vm->result(call, vm->from_int64(call, it.failure));
}

static const OsvmPrim functions[] = {
    {"primitiveCall", call, 0, OSVM_MAY_ALLOCATE | OSVM_MAY_CALL_BACK},
    {"primitiveCollect", collect, 0, OSVM_MAY_ALLOCATE | OSVM_MAY_CALL_BACK},
    {"primitiveSort", sort, 0, OSVM_MAY_ALLOCATE | OSVM_MAY_CALL_BACK},
    {"primitiveOnThread", on_thread, 0, OSVM_MAY_ALLOCATE | OSVM_MAY_CALL_BACK},
    {"primitiveCallUndeclared", call, 0, OSVM_MAY_ALLOCATE},
    {NULL, NULL, 0, 0},
};

static const OsvmPrims prims = {
    .size = sizeof(OsvmPrims),
    .module = "CallingPlugin",
    .functions = functions,
};

OSVM_DEFINE_PLUGIN = {
    OSVM_PLUGIN_HEAD(OSVM_PRIMS, 0),
    .name = "calling",
    .version = "1.0",
    .summary = "sends messages",
    .licence = "MIT",
    .vtable_abi = OSVM_PRIMS_ABI,
    .vtable = &prims,
    .vtable_size = sizeof prims,
};
