/* Primitives for text: measuring a run of characters, comparing bits objects. */
#include "kernel/vm/objects.h"
#include "kernel/vm/primitives/primitives.h"

/* A character scanner's fields, and the places of its stop conditions behind those of the 256
 * characters. */
enum { SCANNER_X, SCANNER_INDEX, SCANNER_X_TABLE, SCANNER_MAP, SCANNER_FIELDS };
enum { STOP_END_OF_RUN = 256, STOP_CROSSED_X = 257, STOPS = 258 };

static bool is_array(Oop oop, Word least)
{
    return is_object(oop) && object_format(oop) == FORMAT_INDEXABLE &&
           object_slot_count(oop) >= least;
}

/* The SmallInteger at a place of an array. */
static bool array_integer(Oop array, Word index, SWord *value)
{
    if (index >= object_slot_count(array) || !is_small_integer(object_slot(array, index)))
        return false;
    *value = small_integer_value(object_slot(array, index));
    return true;
}

typedef struct {
    Oop x_table, map, stops;
    SWord x, right, kern;
} Scan;

typedef enum { SCAN_ON, SCAN_STOPPED, SCAN_BROKEN } Outcome;

/* Goes one character on, or says why not: a stop condition of the character, the right edge, or an
 * element of the tables that is no place or no number. */
static Outcome advance(Scan *scan, uint8_t code, Oop nil, Oop *stop)
{
    SWord glyph, from, to;
    *stop = follow(object_slot(scan->stops, code));
    if (*stop != nil)
        return SCAN_STOPPED;
    if (!array_integer(scan->map, code, &glyph) || glyph < 0 ||
        !array_integer(scan->x_table, (Word)glyph, &from) ||
        !array_integer(scan->x_table, (Word)glyph + 1, &to))
        return SCAN_BROKEN;
    SWord next = scan->x + (to - from);
    *stop = follow(object_slot(scan->stops, STOP_CROSSED_X));
    if (next > scan->right)
        return SCAN_STOPPED;
    scan->x = next + scan->kern;
    return fits_small_integer(scan->x) ? SCAN_ON : SCAN_BROKEN;
}

/* scanCharactersFrom: start to: stop in: string rightX: x stopConditions: stops kern: kern */
PrimFailure prim_scan_characters(Vm *vm, unsigned arg_count)
{
    if (arg_count != 6)
        return PRIM_FAILED;
    Oop scanner = vm_stack(vm, 6), string = vm_stack(vm, 3), stops = follow(vm_stack(vm, 1));
    Oop start = vm_stack(vm, 5), last = vm_stack(vm, 4);
    Oop right = vm_stack(vm, 2), kern = vm_stack(vm, 0);
    if (!are_small_integers(start, last) || !are_small_integers(right, kern) ||
        !is_array(stops, STOPS) ||
        is_immediate(string) || !format_is_bytes(object_format(string)) ||
        is_immediate(scanner) || !format_is_pointers(object_format(scanner)) ||
        object_slot_count(scanner) < SCANNER_FIELDS || is_read_only(scanner))
        return PRIM_FAILED;
    SWord index = small_integer_value(start), end = small_integer_value(last);
    if (index < 1 || end < 1 || (Word)end > bits_byte_count(string))
        return PRIM_FAILED;
    Scan scan = {.x_table = follow(object_slot(scanner, SCANNER_X_TABLE)),
                 .map = follow(object_slot(scanner, SCANNER_MAP)), .stops = stops,
                 .right = small_integer_value(right), .kern = small_integer_value(kern)};
    if (!is_array(scan.x_table, 0) || !is_array(scan.map, 256) ||
        !array_integer(scanner, SCANNER_X, &scan.x))
        return PRIM_FAILED;
    Oop stop = NO_OOP;
    Outcome outcome = SCAN_ON;
    for (; index <= end; index++) {
        outcome = advance(&scan, object_bytes(string)[index - 1], vm->heap.nil, &stop);
        if (outcome != SCAN_ON)
            break;
    }
    if (outcome == SCAN_BROKEN)
        return PRIM_FAILED;
    if (outcome == SCAN_ON)
        stop = follow(object_slot(stops, STOP_END_OF_RUN)), index = end;
    /* NOBARRIER: SmallIntegers */
    heap_store_unchecked(scanner, SCANNER_X, small_integer_oop(scan.x));
    heap_store_unchecked(scanner, SCANNER_INDEX, small_integer_oop(index));
    return vm_return(vm, arg_count, stop);
}

/* Equal contents of two objects of one format. */
PrimFailure prim_compare_bytes(Vm *vm, unsigned arg_count)
{
    Oop a = vm_stack(vm, 1), b = vm_stack(vm, 0);
    if (arg_count != 1)
        return PRIM_BAD_ARG_COUNT;
    if (is_immediate(a) || is_immediate(b) || !format_is_bits(object_format(a)) ||
        !format_is_bits(object_format(b)))
        return PRIM_BAD_ARGUMENT;
    bool equal = object_format(a) == object_format(b) && bits_byte_count(a) == bits_byte_count(b) &&
                 memcmp(object_bytes(a), object_bytes(b), bits_byte_count(a)) == 0;
    return vm_return_boolean(vm, arg_count, equal);
}
