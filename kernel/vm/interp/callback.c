/* Callbacks: a primitive sends a message and waits for the answer.
 *
 * The C function stays where it is on the C stack, and the loop runs once more above it. The
 * message is sent by a method made for it, the starter, in a context without a sender: what happens
 * in a callback cannot return, unwind or look for handlers beyond it, since no C function may be
 * left but by its own return. When the starter returns the loop is left, and the process goes
 * on where it called out. Processes switch as ever meanwhile; so a callback may return while one
 * that began later still runs. Its process then waits until it is the innermost.
 */
#include "kernel/vm/interp/callback.h"

#include "kernel/vm/interp/interp_int.h"
#include "kernel/vm/roots.h"

enum {
    CALLBACKS_MAX = 200, /* the loop needs room on the C stack each time */
    ARGUMENTS_MAX = 7,   /* as temporaries 0 .. 7 with the receiver, one byte each */
    STARTER_LITERALS = 3,
    /* Bytecodes of the two sets. */
    V3_PUSH_TEMP = 16, V3_SEND = 131, V3_RETURN_TOP = 124,
    SISTA_PUSH_TEMP = 64, SISTA_SEND = 234, SISTA_RETURN_TOP = 92,
};

/* In the bytecode set of the method that calls out: pushes its temporaries, sends, returns. */
static unsigned starter_code(bool sista, unsigned count, uint8_t *code)
{
    unsigned size = 0;
    for (unsigned i = 0; i <= count; i++)
        code[size++] = (uint8_t)((sista ? SISTA_PUSH_TEMP : V3_PUSH_TEMP) + i);
    code[size++] = sista ? SISTA_SEND : V3_SEND;
    code[size++] = (uint8_t)(sista ? count : count << 5); /* literal 0 */
    code[size++] = sista ? SISTA_RETURN_TOP : V3_RETURN_TOP;
    return size;
}

static Oop make_starter(Vm *vm, Oop selector, unsigned count)
{
    uint8_t code[ARGUMENTS_MAX + 4];
    Oop caller = vm->new_method;
    SWord caller_header = method_header(&vm->heap, caller);
    Word caller_literals = method_header_literals(caller_header);
    bool sista = method_header_is_sista(caller_header);
    unsigned size = starter_code(sista, count, code);
    Word start = (1 + STARTER_LITERALS) * WORD_BYTES;
    SWord fields = (SWord)(STARTER_LITERALS | (count + 1) << 18);
    Oop method = heap_new_bits(&vm->heap, slots_for_bytes(start + size),
                               format_for_bytes(start + size) - FORMAT_BYTES + FORMAT_CODE,
                               object_class_index(caller));
    if (!method)
        return NO_OOP;
    /* NOBARRIER: a SmallInteger */
    heap_store_unchecked(method, 0, small_integer_oop(sista ? SMALL_INTEGER_MIN + fields : fields));
    object_fill(method, 1, 1 + STARTER_LITERALS, vm->heap.nil);
    heap_store(&vm->heap, method, 1, selector);
    heap_store(&vm->heap, method, 2, selector);
    if (caller_literals) /* the class the method belongs to */
        heap_store(&vm->heap, method, STARTER_LITERALS, object_slot(caller, caller_literals));
    memcpy(object_bytes(method) + start, code, size);
    return method;
}

static Oop make_context(Vm *vm, Oop method, Oop receiver, const Oop *arguments, unsigned count)
{
    Heap *heap = &vm->heap;
    Oop context =
        memory_new_pointers(vm, CONTEXT_SMALL_SLOTS, FORMAT_INDEXABLE_FIXED, CLASS_CONTEXT);
    if (!context)
        return NO_OOP;
    Word first_ip = method + HEADER_BYTES + (1 + STARTER_LITERALS) * WORD_BYTES;
    /* NOBARRIER: SmallIntegers; what is none, goes through heap_store. */
    heap_store_unchecked(context, CONTEXT_PC, frame_pc_oop(method, first_ip));
    heap_store_unchecked(context, CONTEXT_STACKP, small_integer_oop((SWord)count + 1));
    heap_store(heap, context, CONTEXT_METHOD, method);
    heap_store(heap, context, CONTEXT_FIXED, receiver);
    for (unsigned i = 0; i < count; i++)
        heap_store(heap, context, CONTEXT_FIXED + 1 + i, arguments[i]);
    return context;
}

/* ---- Running ---- */

static void leave_loop(Vm *vm)
{
    interp_of(vm)->callback_over = true;
    vm->quitting = true;
}

/* What the loop and machine code keep in the Vm for whoever is below on the C stack. */
typedef struct {
    Word c_sp, leaf_pc;
    unsigned send_args;
} Below;

/* False: the program ends. */
static bool run_above(Vm *vm)
{
    Interp *interp = interp_of(vm);
    Below below = {vm->jit.c_sp, vm->jit.leaf_pc, interp->send_args};
    interp->activated = false;
    interpret(vm);
    bool over = interp->callback_over;
    if (over)
        vm->quitting = interp->callback_over = false;
    interp->activated = false;
    interp->send_args = below.send_args;
    vm->jit.c_sp = below.c_sp;
    vm->jit.leaf_pc = below.leaf_pc;
    return over;
}

/* The process that called out goes on as the running one. */
static void resume_caller(Vm *vm, const Callback *callback)
{
    if (vm->fp)
        stack_sync(vm);
    heap_store(&vm->heap, process_scheduler(vm), SCHEDULER_ACTIVE, callback->process);
    bool resumed = stack_resume(vm, callback->caller);
    REQUIRE(resumed, "the activation that called out of Smalltalk cannot go on");
}

int callback_perform(Vm *vm, Oop receiver, Oop selector, const Oop *arguments, unsigned count,
                     Oop *answer)
{
    Callback callback;
    if (count > ARGUMENTS_MAX || is_immediate(selector))
        return PRIM_BAD_ARGUMENT;
    if (callback_count(vm) >= CALLBACKS_MAX)
        return PRIM_LIMIT_EXCEEDED;
    Oop caller = stack_active_context(vm);
    Oop starter = caller ? make_starter(vm, selector, count) : NO_OOP;
    Oop context = starter ? make_context(vm, starter, receiver, arguments, count) : NO_OOP;
    if (!context)
        return PRIM_NO_MEMORY;
    callback_begin(vm, &callback, process_active(vm));
    callback.caller = caller;
    callback.starter = context;
    vm->ip = jit_ip(vm, vm->ip); /* with operands still to go, it waits as the interpreter's */
    stack_sync(vm);
    bool runs = stack_resume(vm, context);
    REQUIRE(runs, "the method that begins a callback is refused");
    bool over = run_above(vm);
    resume_caller(vm, &callback);
    *answer = callback.answer;
    bool innermost = callback_end(vm, &callback);
    REQUIRE(innermost, "a callback ends below one that began later");
    vm_request_poll(vm); /* one below may have waited for this; or the program ends */
    return over ? PRIM_OK : PRIM_CALLBACK_ERROR;
}

/* ---- Returning ---- */

static Callback *callback_of(Vm *vm, Oop starter)
{
    Callback *callback = vm->roots->callbacks;
    while (callback && (callback->returned || callback->starter != starter))
        callback = callback->below;
    return callback;
}

bool callback_return(Vm *vm, Oop value)
{
    const Word *frame = frame_at(vm->fp);
    bool is_base = !frame[FRAME_SAVED_FP] && frame[FRAME_CONTEXT];
    Callback *callback = is_base ? callback_of(vm, frame[FRAME_CONTEXT]) : NULL;
    if (!callback)
        return false;
    callback->returned = true;
    callback->answer = value;
    callback->process = process_active(vm);
    stack_kill_context(vm, callback->starter);
    stack_free_page(vm, interp_of(vm)->page);
    vm->fp = 0;
    if (callback == vm->roots->callbacks)
        leave_loop(vm);
    else
        process_run_next(vm);
    return true;
}

void callback_at_poll(Vm *vm)
{
    const Callback *callback = vm->roots->callbacks;
    if (!callback || !callback->returned || vm->quitting)
        return;
    process_give_way(vm);
    leave_loop(vm);
}
