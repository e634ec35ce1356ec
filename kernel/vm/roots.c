/* Roots of C code: pushed variables, kept objects, callback records. */
#include "kernel/vm/roots.h"

void vm_root_push(Vm *vm, Oop *slot)
{
    Roots *roots = vm->roots;
    REQUIRE(roots->depth < ROOT_STACK_MAX, "more than %d roots pushed", ROOT_STACK_MAX);
    roots->stack[roots->depth++] = slot;
}

void vm_root_pop(Vm *vm, unsigned count)
{
    CHECK(count <= vm->roots->depth, "%u roots popped, %u there", count, vm->roots->depth);
    vm->roots->depth -= count;
}

static bool kept_grow(Vm *vm)
{
    Roots *roots = vm->roots;
    const OsvmHost *host = vm->setup->host;
    uint32_t old = roots->kept_capacity, capacity = old ? old * 2 : 64;
    Kept *kept = host->resize(host, roots->kept, old * sizeof *kept, capacity * sizeof *kept);
    if (!kept)
        return false;
    for (uint32_t i = old; i < capacity; i++)
        kept[i] = (Kept){ NO_OOP, i + 1 < capacity ? i + 2 : 0 };
    roots->kept = kept;
    roots->first_free = old + 1;
    roots->kept_capacity = capacity;
    return true;
}

uint32_t vm_keep(Vm *vm, Oop object)
{
    Roots *roots = vm->roots;
    if (!roots->first_free && !kept_grow(vm))
        return 0;
    uint32_t ticket = roots->first_free;
    roots->first_free = roots->kept[ticket - 1].next;
    roots->kept[ticket - 1].object = object;
    return ticket;
}

Oop vm_kept(Vm *vm, uint32_t ticket)
{
    Roots *roots = vm->roots;
    return ticket && ticket <= roots->kept_capacity ? follow(roots->kept[ticket - 1].object) : NO_OOP;
}

void vm_drop(Vm *vm, uint32_t ticket)
{
    Roots *roots = vm->roots;
    if (!ticket || ticket > roots->kept_capacity || !roots->kept[ticket - 1].object)
        return;
    roots->kept[ticket - 1] = (Kept){ NO_OOP, roots->first_free };
    roots->first_free = ticket;
}

static void visit_slot(Oop *slot, SlotVisitor visit, void *context)
{
    if (*slot)
        visit(context, slot);
}

void roots_visit(Vm *vm, SlotVisitor visit, void *context)
{
    Roots *roots = vm->roots;
    for (unsigned i = 0; i < roots->depth; i++)
        visit_slot(roots->stack[i], visit, context);
    for (uint32_t i = 0; i < roots->kept_capacity; i++)
        visit_slot(&roots->kept[i].object, visit, context);
    for (Callback *c = roots->callbacks; c; c = c->below) {
        visit_slot(&c->process, visit, context);
        visit_slot(&c->caller, visit, context);
        visit_slot(&c->starter, visit, context);
        visit_slot(&c->answer, visit, context);
        visit_slot(&c->new_method, visit, context);
    }
}

void roots_release(Vm *vm)
{
    Roots *roots = vm->roots;
    const OsvmHost *host = vm->setup->host;
    host->free(host, roots->kept, roots->kept_capacity * sizeof *roots->kept);
}

void callback_begin(Vm *vm, Callback *callback, Oop process)
{
    Roots *roots = vm->roots;
    *callback = (Callback){
        .below = roots->callbacks,
        .c_stack = (uintptr_t)__builtin_frame_address(0),
        .process = process,
        .new_method = vm->new_method,
        .roots = roots->depth,
        .number = roots->callbacks ? roots->callbacks->number + 1 : 1,
    };
    roots->callbacks = callback;
}

bool callback_end(Vm *vm, Callback *callback)
{
    Roots *roots = vm->roots;
    callback->returned = true;
    if (roots->callbacks != callback)
        return false;
    CHECK(roots->depth == callback->roots, "callback %u leaves %u roots, found %u",
          callback->number, roots->depth, callback->roots);
    roots->callbacks = callback->below;
    vm->new_method = callback->new_method;
    return true;
}

unsigned callback_count(Vm *vm)
{
    return vm->roots->callbacks ? vm->roots->callbacks->number : 0;
}
