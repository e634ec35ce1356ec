/* Finding methods: the global lookup cache, method dictionaries, and what happens when
 * nothing is found.
 *
 * An entry answers all that a send needs without touching the method: what to do (kind),
 * the flags of the frame, and whether the receiver's class has the variables the method
 * uses (else FRAME_CAREFUL: the loop checks each access). Dictionaries and classes are
 * image objects and may be malformed: whatever is read from them is checked.
 */
#include "kernel/bytecode/opcodes.h"
#include "kernel/vm/interp/control_prims.h"
#include "kernel/vm/interp/interp_int.h"
#include "kernel/vm/objects.h"
#include "kernel/vm/primitives/primitives.h"

/* ---- Dictionaries ---- */

/* The slot's object; a forwarder is replaced by what it stands for. */
static Oop slot_followed(Vm *vm, Oop object, Word index)
{
    Oop value = object_slot(object, index);
    if (!is_forwarded(value))
        return value;
    value = follow(value);
    heap_store(&vm->heap, object, index, value);
    return value;
}

static bool is_pointers(Oop oop, Word slots)
{
    return is_object(oop) && format_is_pointers(object_format(oop)) &&
           object_slot_count(oop) >= slots;
}

static SWord selector_hash(Oop selector)
{
    if (is_object(selector))
        return header_hash(header_of(selector));
    return WORD_BITS == 32 && is_small_integer(selector) ? (SWord)selector >> 1
                                                         : (SWord)selector >> TAG_BITS;
}

/* The value at the selector in a method dictionary, NO_OOP if it is not there. */
static Oop dictionary_at(Vm *vm, Oop dictionary, Oop selector)
{
    Word count = object_slot_count(dictionary);
    if (count <= METHOD_DICT_SELECTORS)
        return NO_OOP;
    Word capacity = count - METHOD_DICT_SELECTORS, mask = capacity - 1;
    Word start = mask <= 8 ? 0 : (Word)selector_hash(selector) & mask;
    for (Word i = 0; i < capacity; i++) {
        Word at = start + i < capacity ? start + i : start + i - capacity;
        Oop key = slot_followed(vm, dictionary, METHOD_DICT_SELECTORS + at);
        if (key == selector) {
            Oop methods = slot_followed(vm, dictionary, METHOD_DICT_METHODS);
            return is_pointers(methods, at + 1) ? slot_followed(vm, methods, at) : NO_OOP;
        }
        if (key == vm->heap.nil && mask > 8)
            break;
    }
    return NO_OOP;
}

typedef enum { FOUND, NOT_FOUND, NO_DICTIONARY } Outcome;

enum { SUPERCLASSES_MAX = 100000 }; /* a longer chain is a cycle */

/* Walks up from `*class`; on NO_DICTIONARY it is the class without one. */
static Outcome find_method(Vm *vm, Oop selector, Oop *class, Oop *method)
{
    for (int depth = 0; depth < SUPERCLASSES_MAX && is_pointers(*class, CLASS_FORMAT + 1); depth++) {
        Oop dictionary = slot_followed(vm, *class, CLASS_METHOD_DICT);
        if (dictionary == vm->heap.nil)
            return NO_DICTIONARY;
        if (is_pointers(dictionary, METHOD_DICT_SELECTORS)) {
            *method = dictionary_at(vm, dictionary, selector);
            if (*method)
                return FOUND;
        }
        *class = slot_followed(vm, *class, CLASS_SUPERCLASS);
    }
    return NOT_FOUND;
}

/* ---- Filling an entry ---- */

static bool class_has_variables(Vm *vm, Word class_index, unsigned count)
{
    SWord format;
    if (!count)
        return true;
    if (class_index <= CLASS_LAST_PUN || class_index == CLASS_CONTEXT)
        return false;
    Oop class = follow(heap_class_at(&vm->heap, class_index));
    return vm_class_format(class, &format) && class_format_instance_spec(format) <= 5 &&
           class_format_fixed_fields(format) >= count;
}

static void fill_quick(Vm *vm, LookupEntry *entry)
{
    int value;
    switch (quick_primitive(entry->primitive, &value)) {
    case QUICK_NONE: return;
    case QUICK_RECEIVER: entry->kind = KIND_RETURN_SELF; return;
    case QUICK_TRUE: entry->constant = vm->heap.true_object; break;
    case QUICK_FALSE: entry->constant = vm->heap.false_object; break;
    case QUICK_NIL: entry->constant = vm->heap.nil; break;
    case QUICK_INTEGER: entry->constant = small_integer_oop(value); break;
    case QUICK_VARIABLE:
        if (class_has_variables(vm, entry->class_index, (unsigned)value + 1)) {
            entry->kind = KIND_RETURN_VARIABLE;
            entry->constant = (Word)value;
        }
        return;
    }
    entry->kind = KIND_RETURN_CONSTANT;
}

static void fill_primitive(Vm *vm, LookupEntry *entry)
{
    unsigned number = entry->primitive;
    if (number >= QUICK_FIRST && number <= QUICK_LAST) {
        fill_quick(vm, entry);
        return;
    }
    if (number == 0 || number >= PRIM_TABLE_SIZE || !prim_table[number].function)
        return;
    entry->function = prim_table[number].function;
    if (number >= 201 && number <= 205)
        entry->kind = KIND_CLOSURE_VALUE;
    else if (number == 207)
        entry->kind = KIND_FULL_VALUE;
    else
        entry->kind = prim_table[number].flags &
                              (PRIM_MAY_SWITCH | PRIM_MAY_CALL_BACK | PRIM_MAY_COLLECT)
                          ? KIND_PRIM_FULL
                          : KIND_PRIM;
    if (number == 117 || number == 120)
        entry->kind = KIND_PRIM_FULL;
}

static void fill_entry(Vm *vm, LookupEntry *entry, Oop selector, Word class_index, Oop method)
{
    *entry = (LookupEntry){
        .selector = selector, .method = method, .class_index = (uint32_t)class_index};
    interp_note_cached(vm, selector);
    interp_note_cached(vm, method);
    if (!is_code(method)) {
        entry->kind = KIND_NOT_CODE;
        entry->label = interp_of(vm)->labels[entry->kind];
        return;
    }
    const CodeFacts *facts = code_facts(vm, method);
    Word modes = facts->modes;
    if (facts->bad)
        modes |= FRAME_UNSURE;
    if (!class_has_variables(vm, class_index, facts->fields))
        modes |= FRAME_CAREFUL;
    entry->kind = KIND_CODE;
    entry->flags = (uint16_t)frame_flags_for(facts->args, modes);
    entry->args = facts->args;
    entry->temps = facts->temps;
    entry->first_ip = facts->first_ip + (facts->primitive && !facts->bad ? 3 : 0);
    entry->primitive = facts->primitive;
    entry->no_poll = facts->no_poll;
    entry->heat = interp_of(vm)->threshold;
    fill_primitive(vm, entry);
    entry->label = interp_of(vm)->labels[entry->kind];
}

LookupEntry *lookup_find(Vm *vm, Oop selector, Word class_index)
{
    Interp *interp = interp_of(vm);
    LookupEntry *entry = &interp->lookup[lookup_hash(selector, class_index)];
    for (int i = 0; i < 2; i++)
        if (entry[i].selector == selector && entry[i].class_index == class_index)
            return &entry[i];
    interp->lookup_misses++;
    Oop class = follow(heap_class_at(&vm->heap, class_index)), method;
    if (find_method(vm, selector, &class, &method) != FOUND)
        return NULL;
    entry[1] = entry[0];
    fill_entry(vm, entry, selector, class_index, method);
    return entry;
}

LookupEntry *lookup_method(Vm *vm, Oop method, Oop receiver)
{
    LookupEntry *entry = &interp_of(vm)->odd;
    fill_entry(vm, entry, NO_OOP, heap_class_index(receiver), method);
    return entry;
}

/* ---- Sends ---- */

Word lookup_receiver_class_index(Vm *vm, unsigned args)
{
    Oop receiver = vm_stack(vm, args);
    if (is_forwarded(receiver)) {
        receiver = follow(receiver);
        vm_stack_put(vm, args, receiver);
    }
    return heap_class_index(receiver);
}

bool lookup_make_message(Vm *vm, Oop selector, Oop class, unsigned args)
{
    Heap *heap = &vm->heap;
    Word message_slots = 3;
    Oop array = memory_new_pointers(vm, args, FORMAT_INDEXABLE, CLASS_ARRAY);
    Oop message = memory_new_pointers(vm, message_slots, FORMAT_FIXED, CLASS_MESSAGE);
    if (!array || !message)
        return false;
    for (unsigned i = 0; i < args; i++)
        heap_store(heap, array, i, vm_stack(vm, args - 1 - i));
    heap_store(heap, message, MESSAGE_SELECTOR, selector);
    heap_store(heap, message, MESSAGE_ARGUMENTS, array);
    heap_store(heap, message, MESSAGE_LOOKUP_CLASS, class);
    vm->sp += (Word)args * WORD_BYTES;
    vm->sp -= WORD_BYTES;
    *vm_top(vm) = message;
    return true;
}

/* Nothing was found for the selector: finds doesNotUnderstand: or cannotInterpret:. `class`
 * is where the failed lookup started, `from` where the new one starts. */
static LookupEntry *send_instead(Vm *vm, Oop selector, Oop class, Oop from, unsigned special,
                                 unsigned *args)
{
    LookupEntry *entry = &interp_of(vm)->odd;
    Oop instead = heap_special(&vm->heap, special), method;
    Oop receiver = vm_stack(vm, *args);
    Outcome outcome = find_method(vm, instead, &from, &method);
    if (outcome != FOUND && special == SPECIAL_CANNOT_INTERPRET)
        return send_instead(vm, selector, class, class, SPECIAL_DOES_NOT_UNDERSTAND, args);
    if (outcome != FOUND) {
        char name[128], what[128];
        report_name_of_class(vm, class, name, sizeof name);
        report_text(vm, selector, what, sizeof what);
        report_fatal(vm, "%s does not understand %s, nor doesNotUnderstand:", name, what);
        return NULL;
    }
    if (!lookup_make_message(vm, selector, class, *args)) {
        report_fatal(vm, "no memory left for a message");
        return NULL;
    }
    *args = 1;
    fill_entry(vm, entry, NO_OOP, heap_class_index(receiver), method);
    return entry;
}

static LookupEntry *send_missing(Vm *vm, Oop selector, Oop class, unsigned *args)
{
    Oop at = class, method;
    if (find_method(vm, selector, &at, &method) == NO_DICTIONARY) {
        Oop above = slot_followed(vm, at, CLASS_SUPERCLASS);
        return send_instead(vm, selector, class, above, SPECIAL_CANNOT_INTERPRET, args);
    }
    return send_instead(vm, selector, class, class, SPECIAL_DOES_NOT_UNDERSTAND, args);
}

/* An object in a method dictionary that is no code: it is sent run:with:in:. */
static LookupEntry *send_run_with_in(Vm *vm, LookupEntry *found, Oop selector, unsigned *args)
{
    Heap *heap = &vm->heap;
    Oop object = found->method, receiver = vm_stack(vm, *args);
    Oop array = memory_new_pointers(vm, *args, FORMAT_INDEXABLE, CLASS_ARRAY);
    if (!array) {
        report_fatal(vm, "no memory left for a message");
        return NULL;
    }
    for (unsigned i = 0; i < *args; i++)
        heap_store(heap, array, i, vm_stack(vm, *args - 1 - i));
    vm->sp += ((Word)*args + 1) * WORD_BYTES;
    Oop values[4] = {object, selector, array, receiver};
    for (int i = 0; i < 4; i++) {
        vm->sp -= WORD_BYTES;
        *vm_top(vm) = values[i];
    }
    *args = 3;
    Oop run = heap_special(heap, SPECIAL_RUN_WITH_IN);
    Word class_index = heap_class_index(object);
    Oop class = follow(heap_class_at(heap, class_index)), at = class, method;
    if (find_method(vm, run, &at, &method) != FOUND || !is_code(method))
        return send_missing(vm, run, class, args);
    fill_entry(vm, &interp_of(vm)->odd, NO_OOP, class_index, method);
    return &interp_of(vm)->odd;
}

/* Settles what cannot be activated as it is. */
static LookupEntry *settle(Vm *vm, LookupEntry *entry, Oop selector, Oop class, unsigned *args)
{
    if (entry && entry->kind == KIND_NOT_CODE)
        entry = send_run_with_in(vm, entry, selector, args);
    if (entry && entry->kind != KIND_NOT_CODE && entry->args == *args)
        return entry;
    if (!entry && vm->quitting)
        return NULL;
    if (entry && entry == &interp_of(vm)->odd) {
        report_fatal(vm, "a method for an error message takes %u arguments", entry->args);
        return NULL;
    }
    entry = send_instead(vm, selector, class, class, SPECIAL_DOES_NOT_UNDERSTAND, args);
    if (entry && (entry->kind == KIND_NOT_CODE || entry->args != *args)) {
        report_fatal(vm, "doesNotUnderstand: is no method of one argument");
        return NULL;
    }
    return entry;
}

LookupEntry *lookup_send(Vm *vm, Oop selector, unsigned *args)
{
    selector = follow(selector);
    Word class_index = lookup_receiver_class_index(vm, *args);
    LookupEntry *entry = lookup_find(vm, selector, class_index);
    if (entry && entry->kind != KIND_NOT_CODE && entry->args == *args)
        return entry;
    Oop class = follow(heap_class_at(&vm->heap, class_index));
    if (!entry) {
        entry = send_missing(vm, selector, class, args);
        if (!entry)
            return NULL;
    }
    return settle(vm, entry, selector, class, args);
}

LookupEntry *lookup_send_in(Vm *vm, Oop selector, Oop class, unsigned *args)
{
    selector = follow(selector);
    class = follow(class);
    lookup_receiver_class_index(vm, *args);
    Word class_index = is_pointers(class, CLASS_FORMAT + 1) ? vm_class_index(vm, class) : 0;
    LookupEntry *entry = class_index ? lookup_find(vm, selector, class_index) : NULL;
    if (entry && entry->kind != KIND_NOT_CODE && entry->args == *args &&
        class_index == heap_class_index(vm_stack(vm, *args)))
        return entry;
    if (!entry) {
        entry = send_missing(vm, selector, class, args);
        return entry ? settle(vm, entry, selector, class, args) : NULL;
    }
    if (entry->kind == KIND_NOT_CODE || entry->args != *args)
        return settle(vm, entry, selector, class, args);
    /* The variables were checked for instances of the superclass; the receiver may be
     * anything, and is nearly always an instance of a subclass. */
    Oop receiver = vm_stack(vm, *args);
    if (entry->kind == KIND_RETURN_VARIABLE || !(entry->flags & FRAME_CAREFUL)) {
        Word fields = entry->kind == KIND_RETURN_VARIABLE
                          ? entry->constant + 1
                          : code_facts(vm, entry->method)->fields;
        bool safe = fields == 0 || (is_pointers(receiver, fields) && !is_context(receiver));
        if (safe)
            return entry;
    }
    LookupEntry *odd = &interp_of(vm)->odd;
    fill_entry(vm, odd, NO_OOP, heap_class_index(receiver), entry->method);
    return odd;
}

/* ---- at: and at:put: ---- */

static AtKind at_kind(Vm *vm, Oop selector, Word class_index, unsigned object, unsigned string)
{
    LookupEntry *entry = lookup_find(vm, selector, class_index);
    if (!entry || !is_code(entry->method))
        return AT_NONE;
    return entry->primitive == object ? AT_OBJECT : entry->primitive == string ? AT_STRING : AT_NONE;
}

const AtEntry *lookup_at(Vm *vm, Word class_index)
{
    AtEntry *entry = &interp_of(vm)->ats[class_index & (AT_ENTRIES - 1)];
    SWord format;
    if (entry->class_index == class_index)
        return entry;
    Oop selectors = heap_special(&vm->heap, SPECIAL_SELECTORS);
    entry->class_index = (uint32_t)class_index;
    entry->at = (uint8_t)at_kind(vm, object_slot(selectors, 2 * 16), class_index, 60, 63);
    entry->at_put = (uint8_t)at_kind(vm, object_slot(selectors, 2 * 17), class_index, 61, 64);
    entry->fixed = 0;
    Oop class = follow(heap_class_at(&vm->heap, class_index));
    if (class_index == CLASS_CONTEXT || !vm_class_format(class, &format))
        entry->at = entry->at_put = AT_NONE;
    else
        entry->fixed = (uint16_t)class_format_fixed_fields(format);
    return entry;
}

/* ---- Flushing ---- */

void lookup_forget(Vm *vm)
{
    Interp *interp = interp_of(vm);
    interp->flushes++;
    memset(interp->lookup_room, 0, sizeof interp->lookup_room);
    memset(interp->ats, 0, sizeof interp->ats);
}

void lookup_flush(Vm *vm)
{
    lookup_forget(vm);
    jit_unlink(vm, NO_OOP, NO_OOP);
}

void lookup_flush_selector(Vm *vm, Oop selector)
{
    Interp *interp = interp_of(vm);
    for (unsigned i = 0; i < LOOKUP_ENTRIES; i++)
        if (interp->lookup[i].selector == selector)
            interp->lookup[i].selector = NO_OOP;
    memset(interp->ats, 0, sizeof interp->ats);
    jit_unlink(vm, selector, NO_OOP);
}

void lookup_flush_method(Vm *vm, Oop method)
{
    Interp *interp = interp_of(vm);
    for (unsigned i = 0; i < LOOKUP_ENTRIES; i++)
        if (interp->lookup[i].method == method)
            interp->lookup[i].selector = NO_OOP;
    memset(interp->ats, 0, sizeof interp->ats);
    jit_unlink(vm, NO_OOP, method);
}
