/* Bytecodes into abstract instructions, one after the other, over the simulated stack.
 *
 * At every label, send and exit the stack is in memory, as the interpreter has it; so what is kept
 * in registers never crosses one. Whatever is rare leaves for the interpreter at the bytecode
 * that met it.
 */
#include "kernel/jit/jit_int.h"
#include "kernel/vm/interp/fast.h"

#define SLOT(i) ((SWord)(HEADER_BYTES + (Word)(i) * WORD_BYTES))

Word unit_next_pc(const Unit *u)
{
    return u->first_pc + u->now.next;
}

Word unit_this_pc(const Unit *u)
{
    return u->first_pc + u->now.pc;
}

/* ---- Leaving ---- */

static void emit_exit(Unit *u, Word pc)
{
    build_call(&u->b, ROUTINE_EXIT);
    build_map(&u->b, MAP_EXIT, pc);
}

unsigned unit_exit(Unit *u)
{
    Build *b = &u->b;
    unsigned label = build_label(b);
    build_cold(b);
    build_here(b, label);
    emit_exit(u, unit_this_pc(u));
    build_main(b);
    return label;
}

/* The interpreter takes over here. */
static void leave(Unit *u)
{
    sim_flush(u);
    emit_exit(u, unit_this_pc(u));
    u->b.jit->gaps[u->now.op]++;
    u->dead = true;
}

/* ---- Sends ---- */

void unit_emit_send(Unit *u, int literal, unsigned args, bool is_super)
{
    Build *b = &u->b;
    unsigned tag = build_pool(b, 0, ROLE_TAG);
    build_pool(b, 0, ROLE_TARGET);
    op_av(b, JIT_LITERAL, JIT_CLASS, (SWord)tag);
    op_v(b, JIT_CALL_LITERAL, (SWord)tag + 1);
    build_map(b, MAP_SEND, unit_next_pc(u));
    build_site(b, (JitSend){.pool = (uint16_t)tag, .literal = (int16_t)literal,
                            .args = (uint8_t)args, .is_super = is_super});
}

/* In checked builds: exactly the spilled entries are on the stack. A is lost. */
static void check_depth(Unit *u)
{
    if (!CHECKED)
        return;
    Build *b = &u->b;
    unsigned wrong = build_label(b);
    SWord words = (SWord)(FRAME_FIXED + u->base - u->args + u->spilled);
    op_abv(b, JIT_ADDRESS, JIT_A, JIT_FP, -words * (SWord)WORD_BYTES);
    op_branch(b, JIT_NOT_EQUAL, JIT_A, JIT_SP, wrong);
    Section *section = b->section;
    build_cold(b);
    build_here(b, wrong);
    op_av(b, JIT_CONSTANT, JIT_A, words);
    build_call(b, ROUTINE_WRONG_DEPTH);
    build_map(b, MAP_EXIT, unit_this_pc(u));
    b->section = section;
}

/* RECEIVER comes last: arguments may be self. */
static void operands_in_registers(Unit *u, unsigned args)
{
    sim_spill(u, args + 1);
    for (unsigned i = args; i-- > 0;) {
        sim_pop_to(u, JIT_ARGUMENT_0 + i);
        u->known &= ~(1u << (JIT_ARGUMENT_0 + i));
    }
    sim_pop_to(u, JIT_RECEIVER);
}

/* The callee pops them. */
static void operands_in_memory(Unit *u, unsigned args)
{
    SimEntry receiver = sim_top(u, args);
    sim_flush(u);
    if (receiver.kind == SIM_SPILLED)
        op_load(&u->b, JIT_RECEIVER, JIT_SP, (SWord)args * WORD_BYTES, WORD_SHIFT);
    else
        sim_load(u, receiver, JIT_RECEIVER);
    sim_forget(u, args + 1);
}

void unit_send(Unit *u, int literal, unsigned args, bool is_super)
{
    if (jit_in_registers(args))
        operands_in_registers(u, args);
    else
        operands_in_memory(u, args);
    unit_emit_send(u, literal, args, is_super);
    u->known = 0;
    check_depth(u);
    sim_push_register(u, JIT_RESULT);
}

/* ---- Jumps ---- */

/* The label to branch to: of the target, or of a poll before a jump back. */
unsigned unit_target(Unit *u, int64_t target)
{
    Build *b = &u->b;
    unsigned label = u->targets[target].label;
    if (target > u->now.pc) {
        u->targets[target].known &= (uint16_t)u->known;
        return label;
    }
    Section *section = b->section;
    unsigned poll = build_label(b), due = build_label(b), around = LABEL_NONE;
    if (section == &b->arrays.cold) {
        around = build_label(b);
        op_jump(b, around);
    }
    build_cold(b);
    build_here(b, poll);
    op_abv(b, JIT_COUNT_DOWN, 0, JIT_VM, VAR(poll_budget));
    build_last(b)->label = (uint16_t)due;
    op_branch_loaded(b, JIT_BELOW, JIT_SP, JIT_VM, VAR(stack_limit), due);
    op_jump(b, label);
    build_here(b, due);
    build_call(b, ROUTINE_POLL_LOOP);
    build_map(b, MAP_POLL, u->first_pc + (Word)target);
    op_ab(b, JIT_PUSH, JIT_RESULT, 0);
    op_jump(b, label);
    if (around != LABEL_NONE)
        build_here(b, around);
    b->section = section;
    return poll;
}

/* The conditional jump at the target of `jump`, if there is one. */
static bool decides(const Unit *u, const Instruction *jump, Instruction *conditional)
{
    return jump->op == OP_JUMP && jump->target > jump->pc &&
           bytecode_decode(u->view.set, u->view.bytes, u->view.count, (uint32_t)jump->target,
                           conditional) &&
           (conditional->op == OP_JUMP_IF_TRUE || conditional->op == OP_JUMP_IF_FALSE);
}

static bool is_boolean(SimEntry entry)
{
    return entry.kind == SIM_VARIABLE && entry.value != VAR(heap.nil);
}

static bool takes(const Instruction *conditional, SimEntry entry)
{
    return (entry.value == VAR(heap.true_object)) == (conditional->op == OP_JUMP_IF_TRUE);
}

/* The value of and: or or: on its way to the jump that asks for it goes where that one does. */
static void jump(Unit *u)
{
    Instruction conditional, this = u->now;
    SimEntry top = sim_top(u, 0);
    int64_t target = u->now.target;
    if (is_boolean(top) && decides(u, &u->now, &conditional)) {
        sim_drop(u, 1);
        target = takes(&conditional, top) ? conditional.target : (int64_t)conditional.next;
        u->now = conditional; /* a jump back is one from there */
    }
    if (u->targets[target].in_memory || !u->depth)
        sim_flush(u);
    else
        sim_top_to_result(u);
    op_jump(&u->b, unit_target(u, target));
    u->now = this;
    u->dead = true;
}

/* Jumps on the boolean in `reg`; what lies below is in memory. `jump` says where to. */
static void branch_on(Unit *u, const Instruction *jump, unsigned reg)
{
    Build *b = &u->b;
    bool wanted = jump->op == OP_JUMP_IF_TRUE;
    SWord yes = wanted ? VAR(heap.true_object) : VAR(heap.false_object);
    SWord no = wanted ? VAR(heap.false_object) : VAR(heap.true_object);
    unsigned odd = build_label(b);
    op_branch_loaded(b, JIT_EQUAL, reg, JIT_VM, yes, unit_target(u, jump->target));
    op_branch_loaded(b, JIT_NOT_EQUAL, reg, JIT_VM, no, odd);
    Section *section = b->section;
    unsigned on = LABEL_NONE;
    if (section == &b->arrays.cold) {
        on = build_label(b);
        op_jump(b, on);
    }
    build_cold(b);
    build_here(b, odd);
    op_ab(b, JIT_PUSH, reg, 0);
    emit_exit(u, u->first_pc + jump->pc);
    if (on != LABEL_NONE)
        build_here(b, on);
    b->section = section;
}

/* In the cold section: the boolean is in RESULT; goes on behind the jump or at its target. */
void unit_branch_on_result(Unit *u, const Instruction *jump)
{
    branch_on(u, jump, JIT_RESULT);
}

static void conditional(Unit *u)
{
    SimEntry top = sim_top(u, 0);
    if (is_boolean(top)) {
        sim_drop(u, 1);
        sim_flush(u);
        if (takes(&u->now, top)) {
            op_jump(&u->b, unit_target(u, u->now.target));
            u->dead = true;
        }
        return;
    }
    unsigned reg = sim_operand(u, 0);
    sim_flush(u);
    branch_on(u, &u->now, reg);
}

bool unit_fused_jump(Unit *u, Instruction *jump)
{
    return u->now.next < u->to && u->targets[u->now.next].label == LABEL_NONE &&
           bytecode_decode(u->view.set, u->view.bytes, u->view.count, u->now.next, jump) &&
           (jump->op == OP_JUMP_IF_TRUE || jump->op == OP_JUMP_IF_FALSE);
}

/* RESULT := true, jumped to at `if_true`, or false. */
void unit_booleans(Unit *u, unsigned if_true)
{
    Build *b = &u->b;
    unsigned done = build_label(b);
    op_load(b, JIT_RESULT, JIT_VM, VAR(heap.false_object), WORD_SHIFT);
    op_jump(b, done);
    build_here(b, if_true);
    op_load(b, JIT_RESULT, JIT_VM, VAR(heap.true_object), WORD_SHIFT);
    build_here(b, done);
}

/* ---- Returns ---- */

/* A frame that is only married kills its context and returns; others fall through. */
static void return_married(Unit *u)
{
    Build *b = &u->b;
    unsigned other = build_label(b);
    op_load(b, JIT_D, JIT_FP, FRAME_RETURN * WORD_BYTES, WORD_SHIFT);
    op_load(b, JIT_E, JIT_VM, VAR(jit.zone_start), WORD_SHIFT);
    op_ab(b, JIT_SUBTRACT, JIT_D, JIT_E);
    op_branch_loaded(b, JIT_ABOVE_EQUAL, JIT_D, JIT_VM, VAR(jit.zone_bytes), other);
    op_load(b, JIT_D, JIT_FP, FRAME_CONTEXT * WORD_BYTES, WORD_SHIFT);
    op_branch_value(b, JIT_BRANCH_CONSTANT, JIT_EQUAL, JIT_D, 0, other);
    build_kill_context(b, JIT_D, JIT_E);
    op_v(b, JIT_LEAVE, (SWord)u->args + 1);
    build_here(b, other);
}

/* The value is in RESULT. */
static void emit_return(Unit *u)
{
    Build *b = &u->b;
    unsigned odd = build_label(b);
    op_branch_bits_loaded(b, JIT_NOT_EQUAL, JIT_FP, FRAME_FLAGS * WORD_BYTES, FRAME_ODD_RETURN,
                          odd);
    op_v(b, JIT_LEAVE, (SWord)u->args + 1);
    build_cold(b);
    build_here(b, odd);
    return_married(u);
    op_ab(b, JIT_MOVE, JIT_A, JIT_RESULT);
    build_call(b, ROUTINE_RETURN);
    build_map(b, MAP_EXIT, unit_next_pc(u));
    build_main(b);
    u->dead = true;
}

static void non_local_return(Unit *u)
{
    sim_spill(u, 1);
    sim_pop_to(u, JIT_A);
    build_call(&u->b, ROUTINE_NON_LOCAL);
    build_map(&u->b, MAP_EXIT, unit_next_pc(u));
    u->dead = true;
}

static void return_top(Unit *u, bool from_method)
{
    if (from_method && u->block) {
        non_local_return(u);
        return;
    }
    sim_pop_to(u, JIT_RESULT);
    emit_return(u);
}

/* ---- Variables ---- */

/* Of receivers that may be contexts, or lack the variable. */
static void push_careful(Unit *u, SWord slot)
{
    sim_flush(u);
    op_av(&u->b, JIT_CONSTANT, JIT_A, slot);
    build_call(&u->b, ROUTINE_FIELD);
    build_map(&u->b, MAP_EXIT, unit_next_pc(u)); /* a context may be asked where it is */
    op_branch_value(&u->b, JIT_BRANCH_CONSTANT, JIT_EQUAL, JIT_RESULT, 0, unit_exit(u));
    sim_push_register(u, JIT_RESULT);
}

static void push_slot(Unit *u, SWord slot)
{
    if (u->careful) {
        push_careful(u, slot);
        return;
    }
    unsigned reg;
    sim_self(u);
    reg = sim_register(u, 0);
    sim_self(u);
    op_load(&u->b, reg, JIT_RECEIVER, SLOT(slot), WORD_SHIFT);
    sim_push_register(u, reg);
}

static void push_temp(Unit *u, unsigned index)
{
    if (index >= u->base)
        sim_flush(u);
    sim_push(u, SIM_TEMP, (SWord)index);
}

static void push_literal(Unit *u, Oop literal)
{
    if (is_immediate(literal))
        sim_push(u, SIM_CONSTANT, (SWord)literal);
    else
        sim_push(u, SIM_LITERAL, (SWord)build_reference(&u->b, literal));
}

/* The binding at a literal, as it is from now on; NO_OOP: it has no value. */
static Oop binding_at(Unit *u, Word index)
{
    Oop binding = object_slot(u->code, 1 + index);
    if (is_forwarded(binding))
        binding = fast_follow_literal(u->b.vm, u->code, index);
    return fast_has_slot(binding, ASSOCIATION_VALUE) ? binding : NO_OOP;
}

static void push_literal_variable(Unit *u)
{
    Oop binding = binding_at(u, u->now.index);
    if (!binding) {
        leave(u);
        return;
    }
    unsigned reg = sim_register(u, 0);
    op_av(&u->b, JIT_LITERAL, reg, (SWord)build_reference(&u->b, binding));
    op_load(&u->b, reg, reg, SLOT(ASSOCIATION_VALUE), WORD_SHIFT);
    sim_push_register(u, reg);
}

/* Entries that stand for the temporary are read before it changes. */
static void settle_temp(Unit *u, unsigned index)
{
    if (index >= u->base) {
        sim_flush(u);
        return;
    }
    for (unsigned i = u->spilled; i + 1 < u->depth; i++)
        if (u->stack[i].kind == SIM_TEMP && (unsigned)u->stack[i].value == index) {
            sim_spill(u, u->depth - i - 1);
            return;
        }
}

static void store_temp(Unit *u, bool pop)
{
    Build *b = &u->b;
    unsigned index = u->now.index;
    if (!pop && !u->depth && index + 1 == u->base) /* behind a primitive: the error is there */
        return;
    settle_temp(u, index);
    unsigned reg = sim_pop(u, 0);
    op_abv(b, JIT_STORE, reg, JIT_FP, sim_temp_offset(u, index));
    if (index < JIT_ARGUMENTS)
        u->known &= ~(1u << (JIT_ARGUMENT_0 + index));
    if (!pop)
        sim_push_register(u, reg);
}

/* ---- Stores into objects ---- */

static bool needs_barrier(SimEntry value)
{
    return value.kind != SIM_CONSTANT && value.kind != SIM_VARIABLE;
}

/* [object + slot] := value, with the barrier; operands are in registers, nothing else is. RECEIVER
 * survives. */
void unit_store_slot(Unit *u, unsigned object, SWord slot, SimEntry value, unsigned value_register)
{
    Build *b = &u->b;
    op_abv(b, JIT_STORE, value_register, object, SLOT(slot));
    if (!needs_barrier(value))
        return;
    unsigned done = build_label(b), slow = build_label(b);
    op_branch_loaded(b, JIT_BELOW, object, JIT_VM, VAR(heap.old_start), done);
    op_branch_value(b, JIT_BRANCH_BITS, JIT_NOT_EQUAL, value_register, TAG_MASK, done);
    op_branch_loaded(b, JIT_BELOW, value_register, JIT_VM, VAR(heap.old_start), slow);
    JitInstruction *i = build_add(b, JIT_BRANCH_LOADED_CONSTANT);
    *i = (JitInstruction){.operation = JIT_BRANCH_LOADED_CONSTANT, .condition = JIT_NOT_EQUAL,
                          .b = JIT_VM, .value = VAR(heap.marking), .label = (uint16_t)slow};
    build_here(b, done);
    build_cold(b);
    build_here(b, slow);
    op_ab(b, JIT_PUSH, value_register, 0);
    op_ab(b, JIT_MOVE, JIT_D, object);
    op_ab(b, JIT_MOVE, JIT_B, value_register);
    op_ab(b, JIT_MOVE, JIT_A, JIT_D);
    build_call(b, ROUTINE_BARRIER);
    op_ab(b, JIT_POP, value_register, 0);
    op_jump(b, done);
    build_main(b);
}

/* Pops the value of a store into a register for it. Everything else is in memory. `exit`: a label
 * that goes back to the interpreter before the bytecode. */
static unsigned store_operand(Unit *u, SimEntry *value, unsigned *exit)
{
    Build *b = &u->b;
    *value = sim_top(u, 0);
    unsigned reg = sim_pop(u, 1u << JIT_A | 1u << JIT_D);
    sim_flush(u);
    *exit = build_label(b);
    build_cold(b);
    build_here(b, *exit);
    op_ab(b, JIT_PUSH, reg, 0);
    emit_exit(u, unit_this_pc(u));
    build_main(b);
    return reg;
}

static void store_in(Unit *u, unsigned object, SWord slot, SimEntry value, unsigned reg,
                     unsigned exit, bool pop)
{
    op_branch_bits_loaded(&u->b, JIT_NOT_EQUAL, object, 0, (uint32_t)HEADER_IMMUTABLE, exit);
    unit_store_slot(u, object, slot, value, reg);
    if (!pop)
        sim_push_register(u, reg);
}

static void store_variable(Unit *u, bool pop)
{
    if (u->careful) { /* may change frames */
        leave(u);
        return;
    }
    SimEntry value;
    unsigned exit, reg = store_operand(u, &value, &exit);
    sim_self(u);
    store_in(u, JIT_RECEIVER, (SWord)u->now.index, value, reg, exit, pop);
}

static void store_literal_variable(Unit *u, bool pop)
{
    SimEntry value;
    Oop binding = binding_at(u, u->now.index);
    if (!binding) {
        leave(u);
        return;
    }
    unsigned exit, reg = store_operand(u, &value, &exit);
    op_av(&u->b, JIT_LITERAL, JIT_A, (SWord)build_reference(&u->b, binding));
    store_in(u, JIT_A, ASSOCIATION_VALUE, value, reg, exit, pop);
}

/* ---- Remote temporaries ---- */

/* The vector, checked, in `reg`; operands are in memory but for `kept`, which a slow check saves.
 */
static void load_vector(Unit *u, unsigned reg, unsigned kept, unsigned exit)
{
    Build *b = &u->b;
    unsigned slow = build_label(b), on = build_label(b);
    SWord mask = (SWord)(HEADER_CLASS_MASK | HEADER_FORMAT_MASK);
    SWord array = (SWord)((Header)FORMAT_INDEXABLE << HEADER_FORMAT_SHIFT | CLASS_ARRAY);
    op_load(b, reg, JIT_FP, sim_temp_offset(u, u->now.temp), WORD_SHIFT);
    op_branch_value(b, JIT_BRANCH_BITS, JIT_NOT_EQUAL, reg, TAG_MASK, slow);
    op_load(b, JIT_D, reg, 0, 2);
    op_av(b, JIT_AND_CONSTANT, JIT_D, mask);
    op_branch_value(b, JIT_BRANCH_CONSTANT, JIT_NOT_EQUAL, JIT_D, array, slow);
    op_load(b, JIT_D, reg, HEADER_BYTES - 1, 0);
    op_branch_value(b, JIT_BRANCH_CONSTANT, JIT_BELOW_EQUAL, JIT_D, (SWord)u->now.index, slow);
    build_here(b, on);
    build_cold(b);
    build_here(b, slow);
    if (kept != JIT_REGISTERS)
        op_ab(b, JIT_PUSH, kept, 0);
    op_av(b, JIT_CONSTANT, JIT_A, (SWord)u->now.temp);
    op_av(b, JIT_CONSTANT, JIT_B, (SWord)u->now.index);
    build_call(b, ROUTINE_VECTOR);
    if (kept != JIT_REGISTERS)
        op_ab(b, JIT_POP, kept, 0);
    op_ab(b, JIT_MOVE, reg, JIT_RESULT);
    op_branch_value(b, JIT_BRANCH_CONSTANT, JIT_EQUAL, reg, 0, exit);
    op_jump(b, on);
    build_main(b);
}

static void push_remote(Unit *u)
{
    sim_flush(u);
    unsigned exit = unit_exit(u);
    load_vector(u, JIT_A, JIT_REGISTERS, exit);
    op_load(&u->b, JIT_A, JIT_A, SLOT(u->now.index), WORD_SHIFT);
    sim_push_register(u, JIT_A);
}

static void store_remote(Unit *u, bool pop)
{
    SimEntry value;
    Build *b = &u->b;
    unsigned exit = build_label(b);
    value = sim_top(u, 0);
    sim_spill(u, 1);
    sim_pop_to(u, JIT_E);
    build_cold(b);
    build_here(b, exit);
    op_ab(b, JIT_PUSH, JIT_E, 0);
    emit_exit(u, unit_this_pc(u));
    build_main(b);
    load_vector(u, JIT_A, JIT_E, exit);
    unit_store_slot(u, JIT_A, (SWord)u->now.index, value, JIT_E);
    if (!pop)
        sim_push_register(u, JIT_E);
}

/* ---- Routines ---- */

/* Calls a leaf routine with operands in memory, of which it takes `popped`; 0 leaves for the
 * interpreter with the stack as it was. RESULT is pushed. */
static void call_leaf(Unit *u, Routine routine, unsigned popped)
{
    Build *b = &u->b;
    build_call(b, routine);
    op_branch_value(b, JIT_BRANCH_CONSTANT, JIT_EQUAL, JIT_RESULT, 0, unit_exit(u));
    sim_forget(u, popped);
    sim_push_register(u, JIT_RESULT);
}

/* RESULT := a new object in eden, its slots still to be filled; to `slow` if there is no room. C
 * and E are lost. */
static void allocate(Unit *u, unsigned slots, unsigned format, unsigned class_index, unsigned slow)
{
    Build *b = &u->b;
    SWord bytes = (SWord)object_size_for_slots(slots);
    Header header = (Header)slots << HEADER_SLOTS_SHIFT | (Header)format << HEADER_FORMAT_SHIFT |
                    class_index;
    op_load(b, JIT_RESULT, JIT_VM, VAR(heap.eden_free), WORD_SHIFT);
    op_load(b, JIT_C, JIT_VM, VAR(heap.eden_limit), WORD_SHIFT);
    op_ab(b, JIT_SUBTRACT, JIT_C, JIT_RESULT);
    op_branch_value(b, JIT_BRANCH_CONSTANT, JIT_BELOW, JIT_C, bytes, slow);
    op_abv(b, JIT_ADDRESS, JIT_C, JIT_RESULT, bytes);
    op_abv(b, JIT_STORE, JIT_C, JIT_VM, VAR(heap.eden_free));
    op_av(b, JIT_CONSTANT, JIT_E, (SWord)header);
    op_abv(b, JIT_STORE, JIT_E, JIT_RESULT, 0);
    if (WORD_BITS == 32) {
        op_av(b, JIT_CONSTANT, JIT_E, (SWord)(header >> 32));
        op_abv(b, JIT_STORE, JIT_E, JIT_RESULT, WORD_BYTES);
    }
}

/* The newest `count` operands, in memory, become slots from `first` on of the object in RESULT. */
static void take_operands(Unit *u, unsigned first, unsigned count)
{
    Build *b = &u->b;
    for (unsigned i = 0; i < count; i++) { /* NOBARRIER B2 */
        op_load(b, JIT_C, JIT_SP, (SWord)(count - 1 - i) * WORD_BYTES, WORD_SHIFT);
        op_abv(b, JIT_STORE, JIT_C, JIT_RESULT, SLOT(first + i));
    }
    if (count)
        op_v(b, JIT_DROP, (SWord)count);
}

/* Closes an inline allocation: `slow` calls the routine, with its operands set up by `prepare`. */
static void join_allocation(Unit *u, unsigned slow, Routine routine, unsigned popped,
                            void (*prepare)(Unit *))
{
    Build *b = &u->b;
    unsigned on = build_label(b), exit = unit_exit(u);
    build_here(b, on);
    build_cold(b);
    build_here(b, slow);
    prepare(u);
    build_call(b, routine);
    op_branch_value(b, JIT_BRANCH_CONSTANT, JIT_EQUAL, JIT_RESULT, 0, exit);
    op_jump(b, on);
    build_main(b);
    sim_forget(u, popped);
    sim_push_register(u, JIT_RESULT);
}

static void prepare_array(Unit *u)
{
    op_av(&u->b, JIT_CONSTANT, JIT_A, u->now.count);
    op_av(&u->b, JIT_CONSTANT, JIT_B, u->now.op == OP_POP_INTO_NEW_ARRAY);
}

enum { INLINE_SLOTS_MOST = 16 };

static void small_array(Unit *u, bool fill)
{
    Build *b = &u->b;
    unsigned slow = build_label(b), count = (unsigned)u->now.count;
    sim_flush(u);
    allocate(u, count, FORMAT_INDEXABLE, CLASS_ARRAY, slow);
    if (fill)
        take_operands(u, 0, count);
    else {
        op_load(b, JIT_C, JIT_VM, VAR(heap.nil), WORD_SHIFT);
        for (unsigned i = 0; i < count; i++)
            op_abv(b, JIT_STORE, JIT_C, JIT_RESULT, SLOT(i));
    }
    join_allocation(u, slow, ROUTINE_NEW_ARRAY, fill ? count : 0, prepare_array);
}

static void new_array(Unit *u, bool fill)
{
    if (u->now.count <= INLINE_SLOTS_MOST) {
        small_array(u, fill);
        return;
    }
    sim_flush(u);
    op_av(&u->b, JIT_CONSTANT, JIT_A, u->now.count);
    op_av(&u->b, JIT_CONSTANT, JIT_B, fill);
    call_leaf(u, ROUTINE_NEW_ARRAY, fill ? (unsigned)u->now.count : 0);
}

static void closure(Unit *u)
{
    const Instruction *i = &u->now;
    sim_flush(u);
    op_av(&u->b, JIT_CONSTANT, JIT_A, i->count);
    op_av(&u->b, JIT_CONSTANT, JIT_B, (SWord)i->copied);
    op_av(&u->b, JIT_CONSTANT, JIT_C, (SWord)unit_next_pc(u));
    call_leaf(u, ROUTINE_CLOSURE, i->copied);
}

static void prepare_full_closure(Unit *u)
{
    const Instruction *i = &u->now;
    Oop code = follow(object_slot(u->code, 1 + i->index));
    unsigned operand = i->copied | (i->no_outer ? 64u : 0) | (i->receiver_on_stack ? 128u : 0);
    op_av(&u->b, JIT_LITERAL, JIT_A, (SWord)build_reference(&u->b, code));
    op_av(&u->b, JIT_CONSTANT, JIT_B, (SWord)operand);
}

/* D := the outer context of a closure made here: nil, or the frame's, which may have to be made. */
static void outer_context(Unit *u)
{
    Build *b = &u->b;
    if (u->now.no_outer) {
        op_load(b, JIT_D, JIT_VM, VAR(heap.nil), WORD_SHIFT);
        return;
    }
    unsigned make = build_label(b), on = build_label(b), exit = unit_exit(u);
    op_load(b, JIT_D, JIT_FP, FRAME_CONTEXT * WORD_BYTES, WORD_SHIFT);
    op_branch_value(b, JIT_BRANCH_CONSTANT, JIT_EQUAL, JIT_D, 0, make);
    build_here(b, on);
    build_cold(b);
    build_here(b, make);
    op_av(b, JIT_CONSTANT, JIT_A, u->context_slots);
    build_call(b, ROUTINE_CONTEXT);
    op_branch_value(b, JIT_BRANCH_CONSTANT, JIT_EQUAL, JIT_RESULT, 0, exit);
    op_ab(b, JIT_MOVE, JIT_D, JIT_RESULT);
    op_jump(b, on);
    build_main(b);
}

/* A closure whose receiver is the frame's. */
static void plain_closure(Unit *u, Oop code)
{
    Build *b = &u->b;
    unsigned slow = build_label(b), copied = u->now.copied;
    SWord args = (SWord)method_header_args(method_header(&b->vm->heap, code));
    sim_flush(u);
    sim_self(u);
    outer_context(u);
    allocate(u, FULL_CLOSURE_COPIED + copied, FORMAT_INDEXABLE_FIXED, CLASS_FULL_BLOCK_CLOSURE,
             slow);
    op_abv(b, JIT_STORE, JIT_D, JIT_RESULT, SLOT(CLOSURE_OUTER)); /* NOBARRIER B2 */
    op_av(b, JIT_LITERAL, JIT_C, (SWord)build_reference(b, code));
    op_abv(b, JIT_STORE, JIT_C, JIT_RESULT, SLOT(FULL_CLOSURE_CODE));
    op_av(b, JIT_CONSTANT, JIT_C, (SWord)small_integer_oop(args));
    op_abv(b, JIT_STORE, JIT_C, JIT_RESULT, SLOT(CLOSURE_ARG_COUNT));
    op_abv(b, JIT_STORE, JIT_RECEIVER, JIT_RESULT, SLOT(FULL_CLOSURE_RECEIVER));
    take_operands(u, FULL_CLOSURE_COPIED, copied);
    join_allocation(u, slow, ROUTINE_FULL_CLOSURE, copied, prepare_full_closure);
}

static void full_closure(Unit *u)
{
    const Instruction *i = &u->now;
    Oop code = follow(object_slot(u->code, 1 + i->index));
    if (!is_code(code)) {
        leave(u);
        return;
    }
    if (!i->receiver_on_stack && i->copied <= INLINE_SLOTS_MOST) {
        plain_closure(u, code);
        return;
    }
    sim_flush(u);
    prepare_full_closure(u);
    call_leaf(u, ROUTINE_FULL_CLOSURE, i->copied + i->receiver_on_stack);
}

static void call_inlined(Unit *u, unsigned routine, unsigned number)
{
    sim_flush(u);
    op_av(&u->b, JIT_CONSTANT, JIT_A, (SWord)number);
    build_call(&u->b, routine);
    build_map(&u->b, MAP_EXIT, unit_next_pc(u));
    op_branch_value(&u->b, JIT_BRANCH_CONSTANT, JIT_EQUAL, JIT_RESULT, 0, unit_exit(u));
    u->known = 0;
}

static void inline_primitive(Unit *u)
{
    const Instruction *i = &u->now;
    const InlinePrimitive *primitive = inline_primitive_find(i->index);
    if (i->count != 0 || !primitive || primitive->jumps) {
        leave(u);
        return;
    }
    call_inlined(u, ROUTINE_INLINE, primitive->number);
    sim_forget(u, primitive->arguments);
    sim_push_register(u, JIT_RESULT);
}

/* One that jumps, behind the push of its displacement. Such jumps never poll. */
static bool inlined_jump(Unit *u)
{
    Instruction pair;
    const InlinePrimitive *primitive =
        verify_inlined_jump(&u->view, u->view.count, &u->now, &pair);
    if (!primitive)
        return false;
    u->now = pair;
    Target *target = &u->targets[pair.target];
    if (primitive->number == INLINE_BACKJUMP) {
        sim_flush(u);
        op_jump(&u->b, target->label);
        u->dead = true;
    } else {
        call_inlined(u, ROUTINE_INLINE_JUMP, primitive->number);
        sim_forget(u, primitive->arguments - 1u);
        op_branch_value(&u->b, JIT_BRANCH_CONSTANT, JIT_EQUAL, JIT_RESULT,
                        (SWord)small_integer_oop(1), target->label);
    }
    target->known = 0;
    return true;
}

/* ---- One bytecode ---- */

static void duplicate(Unit *u)
{
    SimEntry top = sim_top(u, 0);
    if (top.kind != SIM_SPILLED && top.kind != SIM_REGISTER) {
        sim_push(u, (SimKind)top.kind, top.value);
        return;
    }
    if (top.kind == SIM_REGISTER) {
        unsigned copy = sim_register(u, 1u << top.reg);
        if (sim_top(u, 0).kind == SIM_REGISTER) {
            op_ab(&u->b, JIT_MOVE, copy, top.reg);
            sim_push_register(u, copy);
            return;
        }
    }
    unsigned reg = sim_register(u, 0);
    op_load(&u->b, reg, JIT_SP, 0, WORD_SHIFT);
    sim_push_register(u, reg);
}

static void translate_one(Unit *u)
{
    const Instruction *i = &u->now;
    switch (i->op) {
    case OP_PUSH_RECEIVER_VARIABLE: push_slot(u, (SWord)i->index); break;
    case OP_PUSH_TEMP: push_temp(u, i->index); break;
    case OP_PUSH_LITERAL: push_literal(u, object_slot(u->code, 1 + i->index)); break;
    case OP_PUSH_LITERAL_VARIABLE: push_literal_variable(u); break;
    case OP_PUSH_REMOTE_TEMP: push_remote(u); break;
    case OP_PUSH_RECEIVER: sim_push(u, SIM_RECEIVER, 0); break;
    case OP_PUSH_TRUE: sim_push(u, SIM_VARIABLE, VAR(heap.true_object)); break;
    case OP_PUSH_FALSE: sim_push(u, SIM_VARIABLE, VAR(heap.false_object)); break;
    case OP_PUSH_NIL: sim_push(u, SIM_VARIABLE, VAR(heap.nil)); break;
    case OP_PUSH_INTEGER:
        if (!inlined_jump(u))
            sim_push(u, SIM_CONSTANT, (SWord)small_integer_oop(i->value));
        break;
    case OP_PUSH_CHARACTER: sim_push(u, SIM_CONSTANT, (SWord)character_oop(i->index)); break;
    case OP_PUSH_CONTEXT:
        sim_flush(u);
        op_av(&u->b, JIT_CONSTANT, JIT_A, u->context_slots);
        call_leaf(u, ROUTINE_CONTEXT, 0);
        break;
    case OP_PUSH_PROCESS:
        sim_flush(u);
        call_leaf(u, ROUTINE_PROCESS, 0);
        break;
    case OP_PUSH_NEW_ARRAY: new_array(u, false); break;
    case OP_POP_INTO_NEW_ARRAY: new_array(u, true); break;
    case OP_PUSH_CLOSURE: closure(u); break;
    case OP_PUSH_FULL_CLOSURE: full_closure(u); break;
    case OP_DUPLICATE: duplicate(u); break;
    case OP_POP: sim_drop(u, 1); break;
    case OP_NOP: break;
    case OP_STORE_RECEIVER_VARIABLE: store_variable(u, false); break;
    case OP_POP_INTO_RECEIVER_VARIABLE: store_variable(u, true); break;
    case OP_STORE_TEMP: store_temp(u, false); break;
    case OP_POP_INTO_TEMP: store_temp(u, true); break;
    case OP_STORE_LITERAL_VARIABLE: store_literal_variable(u, false); break;
    case OP_POP_INTO_LITERAL_VARIABLE: store_literal_variable(u, true); break;
    case OP_STORE_REMOTE_TEMP: store_remote(u, false); break;
    case OP_POP_INTO_REMOTE_TEMP: store_remote(u, true); break;
    case OP_SEND: unit_send(u, (int)i->index, (unsigned)i->count, false); break;
    case OP_SEND_SPECIAL:
        if (!unit_special(u, i->index))
            unit_send(u, ~(int)i->index, (unsigned)i->count, false);
        break;
    case OP_SEND_SUPER: unit_send(u, (int)i->index, (unsigned)i->count, true); break;
    case OP_JUMP: jump(u); break;
    case OP_JUMP_IF_TRUE:
    case OP_JUMP_IF_FALSE: conditional(u); break;
    case OP_RETURN_RECEIVER:
        sim_push(u, SIM_RECEIVER, 0);
        return_top(u, true);
        break;
    case OP_RETURN_TRUE:
        sim_push(u, SIM_VARIABLE, VAR(heap.true_object));
        return_top(u, true);
        break;
    case OP_RETURN_FALSE:
        sim_push(u, SIM_VARIABLE, VAR(heap.false_object));
        return_top(u, true);
        break;
    case OP_RETURN_NIL:
        sim_push(u, SIM_VARIABLE, VAR(heap.nil));
        return_top(u, true);
        break;
    case OP_RETURN_TOP: return_top(u, true); break;
    case OP_BLOCK_RETURN_NIL:
        sim_push(u, SIM_VARIABLE, VAR(heap.nil));
        return_top(u, false);
        break;
    case OP_BLOCK_RETURN_TOP: return_top(u, false); break;
    case OP_CALL_PRIMITIVE:
        if (i->pc != 0 || u->embedded)
            leave(u);
        break;
    case OP_INLINE_PRIMITIVE: inline_primitive(u); break;
    case OP_SEND_DIRECTED_SUPER:
    case OP_MAPPED_PRIMITIVE:
    case OP_TRAP:
    case OP_UNKNOWN:
    case OPERATION_COUNT: leave(u); break;
    }
}

/* ---- All of them ---- */

static bool reached(const Unit *u, uint32_t pc)
{
    return u->facts.depths[pc] < DEPTH_INSIDE;
}

static bool decode(Unit *u, uint32_t pc)
{
    return bytecode_decode(u->view.set, u->view.bytes, u->view.count, pc, &u->now);
}

/* Where the next bytecode of this unit is: the bodies of embedded blocks are units of their own. */
static uint32_t next_of(const Unit *u)
{
    return u->now.op == OP_PUSH_CLOSURE ? (uint32_t)u->now.target : u->now.next;
}

/* `in_register`: the jump may bring the newest value in RESULT. */
static bool make_target(Unit *u, int64_t target, bool in_register)
{
    if (target < u->from || target >= u->to) {
        build_refuse(&u->b, "it jumps out of a block");
        return false;
    }
    Target *t = &u->targets[target];
    if (t->label == LABEL_NONE)
        t->label = (uint16_t)build_label(&u->b);
    if (!in_register)
        t->in_memory = true;
    if (target <= u->now.pc) /* what has jumped there is not known before it is translated */
        t->known = 0;
    return true;
}

/* Whether the bytecode at pc may say where another one is: jumps, closures, displacements of inlined jumps,
 * and what has prefixes. */
static bool may_have_target(const Unit *u, uint32_t pc)
{
    uint8_t opcode = u->view.bytes[pc];
    Operation op = bytecode_form(u->view.set, opcode)->operation;
    return operation_infos[op].kind == KIND_JUMP ||
           operation_infos[op].kind == KIND_CONDITIONAL_JUMP || op == OP_PUSH_CLOSURE ||
           op == OP_PUSH_INTEGER ||
           (u->view.set == SET_SISTA && (opcode == PREFIX_A || opcode == PREFIX_B));
}

static bool find_targets(Unit *u)
{
    for (uint32_t pc = u->from; pc < u->to;) {
        if (!reached(u, pc) || !may_have_target(u, pc)) {
            pc++;
            continue;
        }
        if (!decode(u, pc)) {
            build_refuse(&u->b, "a bytecode ends behind its end");
            return false;
        }
        OperationKind kind = instruction_kind(&u->now);
        Instruction conditional, pair;
        if (verify_inlined_jump(&u->view, u->view.count, &u->now, &pair)) {
            if (!make_target(u, pair.target, false))
                return false;
            u->now.next = pair.next;
        }
        bool in_register = kind == KIND_JUMP && u->now.target > u->now.pc;
        if ((kind == KIND_JUMP || kind == KIND_CONDITIONAL_JUMP) &&
            !make_target(u, u->now.target, in_register))
            return false;
        if (decides(u, &u->now, &conditional) && !make_target(u, conditional.next, false))
            return false;
        pc = next_of(u);
    }
    return true;
}

/* Control joins here. */
static void join(Unit *u, uint32_t pc)
{
    unsigned depth = u->facts.depths[pc] - u->base;
    Target *t = &u->targets[pc];
    bool in_result = !t->in_memory && depth > 0;
    CHECK(u->dead || u->depth == depth, "at pc %u the stack is %u deep, and should be %u", pc,
          u->depth, depth);
    if (!u->dead && in_result)
        sim_top_to_result(u);
    else if (!u->dead)
        sim_flush(u);
    if (!u->dead)
        t->known &= (uint16_t)u->known;
    sim_reset(u, in_result ? depth - 1 : depth);
    u->known = t->known;
    build_here(&u->b, t->label);
    check_depth(u);
    if (in_result)
        sim_push_register(u, JIT_RESULT);
    u->dead = false;
}

bool unit_translate(Unit *u)
{
    if (!find_targets(u))
        return false;
    for (uint32_t pc = u->from; pc < u->to && !u->b.failed;) {
        if (reached(u, pc) && u->targets[pc].label != LABEL_NONE)
            join(u, pc);
        if (u->dead || !reached(u, pc)) {
            pc++;
            continue;
        }
        decode(u, pc);
        u->b.pc = u->first_pc + pc;
        translate_one(u);
        u->b.jit->bytecodes++;
        pc = next_of(u);
    }
    return !u->b.failed;
}
