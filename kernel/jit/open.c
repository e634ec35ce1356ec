/* Open caches, for sends that meet more classes than a polymorphic cache has cases for.
 *
 * There is one per selector, shared by all its sites but those of super sends, whose method is not
 * found by the receiver's class, and those with another number of arguments than the first. It
 * probes a table among the VM variables, by selector and class index, three times; then
 * ROUTINE_SEND finds the method and puts it there. The table is emptied whenever methods, objects
 * or machine code change or move.
 */
#include "kernel/jit/jit_int.h"

enum { PROBES = 3 };

/* ---- The table ---- */

static unsigned hash(Oop selector, Word class_index, unsigned probe)
{
    return (unsigned)((selector >> 4 ^ class_index) >> probe & (JIT_OPEN_SENDS - 1));
}

void open_forget(Vm *vm)
{
    Jit *jit = jit_of(vm);
    if (jit->open_used)
        memset(vm->jit.open_sends, 0, sizeof vm->jit.open_sends);
    jit->open_used = false;
}

static void remember(Vm *vm, Oop selector, Word class_index, Word target)
{
    JitOpenSend *free = NULL;
    for (unsigned probe = 0; probe < PROBES && !free; probe++) {
        JitOpenSend *entry = &vm->jit.open_sends[hash(selector, class_index, probe)];
        if (!entry->selector)
            free = entry;
    }
    if (!free)
        free = &vm->jit.open_sends[hash(selector, class_index, 0)];
    *free = (JitOpenSend){.selector = selector, .class_index = class_index, .target = target};
    jit_of(vm)->open_used = true;
}

/* ---- The caches ---- */

static Oop selector_of(const Piece *open)
{
    return jit_pool(open)[POOL_FIXED];
}

Piece *open_find(Vm *vm, Oop selector)
{
    Piece *open = jit_of(vm)->open;
    while (open && selector_of(open) != selector)
        open = open->next_open;
    return open;
}

/* E := the hash; then for each probe the entry is at VM + B. */
static void probe(Build *b, unsigned number)
{
    unsigned next = build_label(b);
    const SWord entries = VAR(jit.open_sends);
    op_ab(b, JIT_MOVE, JIT_B, JIT_E);
    if (number)
        op_av(b, JIT_SHIFT_RIGHT_UNSIGNED_CONSTANT, JIT_B, number);
    op_av(b, JIT_AND_CONSTANT, JIT_B, JIT_OPEN_SENDS - 1);
    op_av(b, JIT_SHIFT_LEFT_CONSTANT, JIT_B, WORD_SHIFT + 2);
    op_ab(b, JIT_ADD, JIT_B, JIT_VM);
    op_branch_loaded(b, JIT_NOT_EQUAL, JIT_D, JIT_B,
                     entries + (SWord)offsetof(JitOpenSend, selector), next);
    op_branch_loaded(b, JIT_NOT_EQUAL, JIT_A, JIT_B,
                     entries + (SWord)offsetof(JitOpenSend, class_index), next);
    op_abv(b, JIT_JUMP_LOADED, 0, JIT_B, entries + (SWord)offsetof(JitOpenSend, target));
    build_here(b, next);
}

Piece *open_make(Vm *vm, Oop selector, unsigned args)
{
    Jit *jit = jit_of(vm);
    Build b;
    build_open(&b, vm);
    unsigned index = build_reference(&b, selector);
    CHECK(index == POOL_FIXED, "the selector of an open cache is not where it is looked for");
    link_read_class(&b);
    op_av(&b, JIT_LITERAL, JIT_D, (SWord)index);
    op_ab(&b, JIT_MOVE, JIT_E, JIT_D);
    op_av(&b, JIT_SHIFT_RIGHT_UNSIGNED_CONSTANT, JIT_E, 4);
    op_ab(&b, JIT_XOR, JIT_E, JIT_A);
    for (unsigned i = 0; i < PROBES; i++)
        probe(&b, i);
    build_miss(&b, args);
    Piece *open = jit_install(&b, PIECE_OPEN);
    build_close(&b);
    if (open) {
        open->args = (uint8_t)args;
        open->next_open = jit->open;
        jit->open = open;
        jit->opens_made++;
    }
    return open;
}

void open_add(Vm *vm, Oop selector, Word class_index, const Piece *target)
{
    remember(vm, selector, class_index, jit_code(target) + target->unchecked);
}

void open_free_all(Vm *vm)
{
    Jit *jit = jit_of(vm);
    open_forget(vm);
    while (jit->open) {
        Piece *open = jit->open;
        jit->open = open->next_open;
        jit_free_piece(vm, open);
    }
}
