/* C routines that machine code calls through stubs.
 *
 * Switching ones find the running frame in vm->fp, vm->sp and vm->ip (the pc behind the call) and
 * may change them at will. They answer 0 to go on in machine code at vm->ip, or 1 to leave it for
 * the interpreter. Leaf ones answer a value, and may change vm->sp.
 */
#include <unistd.h>

#include "kernel/jit/jit_int.h"
#include "kernel/vm/interp/control_prims.h"
#include "kernel/vm/interp/fast.h"
#include "kernel/vm/numbers.h"
#include "kernel/vm/objects.h"
#include "kernel/vm/primitives/primitives.h"

enum { RESUME = 0, LEAVE = 1 };

/* Without the C library's formatting, which wants an aligned stack. */
static _Noreturn void report_misaligned(void)
{
    static const char text[] = "osvm: rule broken: C is called with a stack that is not aligned\n";
    ssize_t written = write(STDERR_FILENO, text, sizeof text - 1);
    (void)written;
    abort();
}

/* Every routine begins with this. */
static inline __attribute__((always_inline)) Vm *vm_at(uintptr_t address)
{
    Vm *vm = (Vm *)address;
    if (CHECKED && (uintptr_t)__builtin_frame_address(0) % jit_of(vm)->stack_alignment != 0)
        report_misaligned();
    return vm;
}

static Oop pop(Vm *vm)
{
    Oop value = *vm_top(vm);
    vm->sp += WORD_BYTES;
    return value;
}

/* On with the running frame, whichever tier it is in. */
static Word go_on(Vm *vm)
{
    Interp *interp = interp_of(vm);
    if (vm->quitting)
        return LEAVE;
    if (interp->activated && jit_enter_frame(vm))
        interp->activated = false;
    bool stays = jit_of(vm)->wanted == jit_of(vm)->cpu; /* else jit_run enters it on the other */
    return !interp->activated && stays && jit_is_pc(vm, vm->ip) ? RESUME : LEAVE;
}

/* ---- Sends ---- */

/* What an entry does, done from C or by machine code. `site`: may be linked, NULL: may not. */
static Word perform(Vm *vm, LookupEntry *entry, unsigned args, Word site_pc)
{
    Piece *target = jit_code_for(vm, entry);
    if (!target) {
        activate_entry(vm, entry, args);
        return go_on(vm);
    }
    const PcFacts *from = site_pc ? jit_pc_facts(jit_of(vm), vm->ip) : NULL;
    uint64_t reclaims = jit_of(vm)->reclaims;
    Oop method = entry->method;
    if (from)
        link_site(vm, from->piece, from->site, heap_class_index(vm_stack(vm, args)), target);
    if (reclaims != jit_of(vm)->reclaims)
        target = jit_piece_of(vm, method); /* it was moved or thrown out for a cache */
    if (target)
        jit_call(vm, target);
    else
        activate_entry(vm, lookup_method(vm, method, vm_stack(vm, args)), args);
    return go_on(vm);
}

/* A send that a helper asks for. */
static Word send(Vm *vm, Oop selector)
{
    unsigned args = interp_of(vm)->send_args;
    if (vm->quitting)
        return LEAVE;
    LookupEntry *entry = lookup_send(vm, selector, &args);
    return entry ? perform(vm, entry, args, 0) : LEAVE;
}

static uintptr_t routine_send(uintptr_t v, uintptr_t a, uintptr_t b, uintptr_t c)
{
    Vm *vm = vm_at(v);
    (void)a, (void)b, (void)c;
    const PcFacts *from = jit_pc_facts(jit_of(vm), vm->ip);
    const JitSend *site = from ? from->site : NULL;
    verify_running(vm, site ? site->args : 0);
    REQUIRE(site, "machine code sends from %" PRIxWORD ", which is no send site", vm->ip);
    unsigned args = site->args, given = args;
    Oop selector = link_selector(vm, from->piece, site);
    LookupEntry *entry;
    if (site->is_super) {
        Oop class = fast_method_class(vm, jit_piece_method(from->piece));
        if (!fast_has_slot(class, CLASS_SUPERCLASS)) { /* broken: the interpreter says so */
            vm->ip = jit_bytecode_ip(vm, vm->ip);
            Oop instead = return_unknown_bytecode(vm);
            return instead ? send(vm, instead) : go_on(vm);
        }
        entry = lookup_send_in(vm, selector, object_slot(class, CLASS_SUPERCLASS), &args);
    } else
        entry = lookup_send(vm, selector, &args);
    if (!entry)
        return LEAVE;
    bool linkable = args == given && entry != &interp_of(vm)->odd;
    return perform(vm, entry, args, linkable ? vm->ip : 0);
}

/* ---- Leaving, polls, returns ---- */

static uintptr_t routine_exit(uintptr_t v, uintptr_t a, uintptr_t b, uintptr_t c)
{
    Vm *vm = vm_at(v);
    (void)a, (void)b, (void)c;
    verify_running(vm, 0);
    vm->ip = jit_bytecode_ip(vm, vm->ip);
    return LEAVE;
}

static Word polled(Vm *vm)
{
    if (vm->stack_limit == STACK_LIMIT_POLL || vm->poll_budget < 0)
        poll(vm, true);
    return go_on(vm);
}

static uintptr_t routine_poll_entry(uintptr_t v, uintptr_t polls, uintptr_t b, uintptr_t c)
{
    Vm *vm = vm_at(v);
    (void)b, (void)c;
    verify_running(vm, 0);
    if (vm->sp < interp_of(vm)->page->limit)
        stack_overflow(vm);
    return polls ? polled(vm) : go_on(vm);
}

static uintptr_t routine_poll_loop(uintptr_t v, uintptr_t a, uintptr_t b, uintptr_t c)
{
    (void)a, (void)b, (void)c;
    verify_running(vm_at(v), 0);
    return polled(vm_at(v));
}

/* The running frame, which may be married or at the base of its page, returns the value. */
static uintptr_t routine_return(uintptr_t v, uintptr_t value, uintptr_t b, uintptr_t c)
{
    Vm *vm = vm_at(v);
    Word *frame = frame_at(vm->fp);
    (void)b, (void)c;
    if (!frame[FRAME_SAVED_FP]) {
        vm->ip = jit_bytecode_ip(vm, vm->ip);
        if (stack_return_from_base(vm, (Oop)value))
            return go_on(vm);
        Oop selector = return_impossible(vm, (Oop)value);
        return selector ? send(vm, selector) : go_on(vm);
    }
    if (frame[FRAME_CONTEXT])
        stack_kill_context(vm, frame[FRAME_CONTEXT]);
    vm->sp = pointer_word(frame_top(frame));
    *vm_top(vm) = (Oop)value;
    vm->ip = frame[FRAME_RETURN];
    vm->fp = frame[FRAME_SAVED_FP];
    return go_on(vm);
}

static uintptr_t routine_non_local(uintptr_t v, uintptr_t value, uintptr_t b, uintptr_t c)
{
    Vm *vm = vm_at(v);
    (void)b, (void)c;
    vm->ip = jit_bytecode_ip(vm, vm->ip);
    Oop selector = return_non_local(vm, (Oop)value);
    return selector ? send(vm, selector) : go_on(vm);
}

static uintptr_t routine_wrong_depth(uintptr_t v, uintptr_t words, uintptr_t b, uintptr_t c)
{
    Vm *vm = vm_at(v);
    (void)b, (void)c;
    REQUIRE(false,
            "C1: at machine pc %" PRIxWORD " there are %" PRIdWORD " words below fp, not %" PRIdWORD,
            vm->ip, (SWord)(vm->fp - vm->sp) / (SWord)WORD_BYTES, (SWord)words);
}

/* ---- Primitives ---- */

static Word finish_primitive(Vm *vm, PrimFailure failure, unsigned args)
{
    if (failure != PRIM_OK)
        failure = activate_retry(vm, args, failure);
    if (failure != PRIM_OK) {
        activate_failed(vm, args, failure);
        interp_of(vm)->activated = true;
    }
    return go_on(vm);
}

/* Has the primitive built the frame of a block, whose beginning is no poll point? */
static bool starts_quietly(unsigned number)
{
    return number == 209 || number == 221 || number == 222;
}

static uintptr_t routine_primitive(uintptr_t v, uintptr_t method, uintptr_t number, uintptr_t args)
{
    Vm *vm = vm_at(v);
    vm->new_method = (Word)method;
    PrimFailure failure = prim_table[number].function(vm, (unsigned)args);
    if (failure == PRIM_OK && starts_quietly((unsigned)number))
        jit_enter_at(vm, frame_at(vm->fp), &vm->ip, 1u << MAP_POLL, true);
    return finish_primitive(vm, failure, (unsigned)args);
}

static uintptr_t routine_failed(uintptr_t v, uintptr_t method, uintptr_t b, uintptr_t args)
{
    Vm *vm = vm_at(v);
    (void)b;
    vm->new_method = (Word)method;
    return finish_primitive(vm, (PrimFailure)vm->jit.failure, (unsigned)args);
}

static uintptr_t routine_simple_primitive(uintptr_t v, uintptr_t method, uintptr_t number,
                                          uintptr_t args)
{
    Vm *vm = vm_at(v);
    vm->new_method = (Word)method;
    PrimFailure failure = prim_table[number].function(vm, (unsigned)args);
    if (failure != PRIM_OK && failure != PRIM_NO_MEMORY)
        failure = activate_retry(vm, (unsigned)args, failure);
    vm->jit.failure = (SWord)failure;
    return failure == PRIM_OK ? pop(vm) : 0;
}

/* ---- Arithmetic ---- */

static uintptr_t routine_float(uintptr_t v, uintptr_t a, uintptr_t b, uintptr_t operation)
{
    return fast_float_operation(vm_at(v), (Oop)a, (Oop)b, (FloatOperation)operation);
}

static bool holds(JitCondition c, Comparison order)
{
    switch (c) {
    case JIT_LESS: return order == COMPARE_LESS;
    case JIT_GREATER: return order == COMPARE_GREATER;
    case JIT_LESS_EQUAL: return order == COMPARE_LESS || order == COMPARE_EQUAL;
    case JIT_GREATER_EQUAL: return order == COMPARE_GREATER || order == COMPARE_EQUAL;
    case JIT_EQUAL: return order == COMPARE_EQUAL;
    default: return order != COMPARE_EQUAL;
    }
}

static Oop boolean(Vm *vm, bool value)
{
    return value ? vm->heap.true_object : vm->heap.false_object;
}

static uintptr_t routine_float_compare(uintptr_t v, uintptr_t a, uintptr_t b, uintptr_t condition)
{
    Vm *vm = vm_at(v);
    Comparison order;
    if (!fast_compare_floats(vm, (Oop)a, (Oop)b, &order))
        return 0;
    return boolean(vm, holds((JitCondition)condition, order));
}

static uintptr_t routine_shift(uintptr_t v, uintptr_t a, uintptr_t by, uintptr_t c)
{
    (void)v, (void)c;
    return fast_shift((Oop)a, (Oop)by);
}

static uintptr_t routine_point(uintptr_t v, uintptr_t x, uintptr_t y, uintptr_t c)
{
    (void)c;
    return fast_point(vm_at(v), (Oop)x, (Oop)y);
}

static uintptr_t routine_identical(uintptr_t v, uintptr_t a, uintptr_t b, uintptr_t wanted)
{
    return boolean(vm_at(v), (follow((Oop)a) == follow((Oop)b)) == (wanted != 0));
}

static uintptr_t routine_class(uintptr_t v, uintptr_t a, uintptr_t b, uintptr_t c)
{
    (void)b, (void)c;
    return follow(heap_class_of(&vm_at(v)->heap, follow((Oop)a)));
}

/* ---- Objects ---- */

static uintptr_t routine_barrier(uintptr_t v, uintptr_t object, uintptr_t value, uintptr_t c)
{
    Heap *heap = &vm_at(v)->heap;
    (void)c;
    if (heap_is_young(heap, (Oop)value)) {
        if (!(header_of((Oop)object) & HEADER_REMEMBERED))
            heap_remember(heap, (Oop)object);
    } else if (heap->marking != 0)
        heap_marking_barrier(heap, (Oop)object, (Oop)value);
    return 0;
}

static uintptr_t routine_vector(uintptr_t v, uintptr_t temp, uintptr_t slot, uintptr_t c)
{
    Oop *variable = frame_temp(frame_at(vm_at(v)->fp), (unsigned)temp);
    (void)c;
    *variable = follow(*variable);
    return fast_has_slot(*variable, (Word)slot) ? *variable : 0;
}

static uintptr_t routine_new_array(uintptr_t v, uintptr_t count, uintptr_t fill, uintptr_t c)
{
    Vm *vm = vm_at(v);
    Oop array = heap_new_pointers(&vm->heap, (Word)count, FORMAT_INDEXABLE, CLASS_ARRAY);
    (void)c;
    for (unsigned i = 0; array && fill && i < count; i++)
        heap_store(&vm->heap, array, count - 1 - i, vm_stack(vm, i));
    if (array && fill)
        vm->sp += (Word)count * WORD_BYTES;
    return array;
}

static uintptr_t routine_closure(uintptr_t v, uintptr_t args, uintptr_t copied, uintptr_t start)
{
    Vm *vm = vm_at(v);
    Oop method = frame_at(vm->fp)[FRAME_METHOD];
    Oop closure = fast_push_closure(vm, (unsigned)args, (unsigned)copied, method + (Word)start);
    return closure ? pop(vm) : 0;
}

static uintptr_t routine_full_closure(uintptr_t v, uintptr_t code, uintptr_t operand, uintptr_t c)
{
    Vm *vm = vm_at(v);
    (void)c;
    Oop closure = fast_push_full_closure(vm, (Oop)code, (unsigned)operand);
    return closure ? pop(vm) : 0;
}

static uintptr_t routine_context(uintptr_t v, uintptr_t a, uintptr_t b, uintptr_t c)
{
    (void)a, (void)b, (void)c;
    return stack_active_context(vm_at(v));
}

static uintptr_t routine_process(uintptr_t v, uintptr_t a, uintptr_t b, uintptr_t c)
{
    (void)a, (void)b, (void)c;
    return process_active(vm_at(v));
}

static uintptr_t routine_field(uintptr_t v, uintptr_t index, uintptr_t b, uintptr_t c)
{
    Vm *vm = vm_at(v);
    (void)b, (void)c;
    vm->ip = vm->jit.leaf_pc;
    return fast_careful_read(vm, frame_at(vm->fp)[FRAME_RECEIVER], (Word)index);
}

static uintptr_t routine_inline(uintptr_t v, uintptr_t number, uintptr_t b, uintptr_t c)
{
    Vm *vm = vm_at(v);
    (void)b, (void)c;
    SWord displacement;
    vm->ip = vm->jit.leaf_pc;
    return inline_primitive_run(vm, 0, (unsigned)number, &displacement) ? pop(vm) : 0;
}

static uintptr_t routine_inline_jump(uintptr_t v, uintptr_t number, uintptr_t b, uintptr_t c)
{
    Vm *vm = vm_at(v);
    (void)b, (void)c;
    SWord displacement;
    vm->ip = vm->jit.leaf_pc;
    vm->sp -= WORD_BYTES;
    *vm_top(vm) = small_integer_oop(1); /* for the displacement, which the code knows */
    if (inline_primitive_run(vm, 0, (unsigned)number, &displacement))
        return small_integer_oop(displacement);
    pop(vm);
    return 0;
}

#define SWITCHING(name_, function_, arguments_)                                                    \
    {.name = name_, .function = function_, .arguments = arguments_, .leaf = false}
#define LEAF(name_, function_, arguments_)                                                         \
    {.name = name_, .function = function_, .arguments = arguments_, .leaf = true}

const CpuRoutine jit_routines[ROUTINE_COUNT] = {
    [ROUTINE_SEND] = SWITCHING("send", routine_send, 1),
    [ROUTINE_EXIT] = SWITCHING("exit", routine_exit, 1),
    [ROUTINE_POLL_ENTRY] = SWITCHING("poll at entry", routine_poll_entry, 2),
    [ROUTINE_POLL_LOOP] = SWITCHING("poll in loop", routine_poll_loop, 1),
    [ROUTINE_RETURN] = SWITCHING("return", routine_return, 2),
    [ROUTINE_NON_LOCAL] = SWITCHING("non-local return", routine_non_local, 2),
    [ROUTINE_WRONG_DEPTH] = SWITCHING("wrong depth", routine_wrong_depth, 2),
    [ROUTINE_PRIMITIVE] = SWITCHING("primitive", routine_primitive, 4),
    [ROUTINE_FAILED] = SWITCHING("primitive failed", routine_failed, 4),
    [ROUTINE_SIMPLE_PRIMITIVE] = LEAF("simple primitive", routine_simple_primitive, 4),
    [ROUTINE_FLOAT] = LEAF("float arithmetic", routine_float, 4),
    [ROUTINE_FLOAT_COMPARE] = LEAF("float comparison", routine_float_compare, 4),
    [ROUTINE_SHIFT] = LEAF("shift", routine_shift, 3),
    [ROUTINE_POINT] = LEAF("point", routine_point, 3),
    [ROUTINE_IDENTICAL] = LEAF("identical", routine_identical, 4),
    [ROUTINE_CLASS] = LEAF("class", routine_class, 2),
    [ROUTINE_BARRIER] = LEAF("store barrier", routine_barrier, 3),
    [ROUTINE_VECTOR] = LEAF("temporary vector", routine_vector, 3),
    [ROUTINE_NEW_ARRAY] = LEAF("new array", routine_new_array, 3),
    [ROUTINE_CLOSURE] = LEAF("closure", routine_closure, 4),
    [ROUTINE_FULL_CLOSURE] = LEAF("full closure", routine_full_closure, 3),
    [ROUTINE_FIELD] = LEAF("receiver variable", routine_field, 2),
    [ROUTINE_CONTEXT] = LEAF("context", routine_context, 1),
    [ROUTINE_PROCESS] = LEAF("process", routine_process, 1),
    [ROUTINE_INLINE] = LEAF("inlined primitive", routine_inline, 2),
    [ROUTINE_INLINE_JUMP] = LEAF("inlined jump", routine_inline_jump, 2),
};
