#include "shim.h"

/* Slots are looked into so deep below an argument, and so many of them in a call; deeper or later ones
 * count by their identity alone. */
enum { DEPTH = 2, VISITS = 4096 };

typedef struct {
    OsvmCall *call;
    Picture sums;
    unsigned visits;
} Walk;

static uint64_t mix(uint64_t sum, uint64_t value)
{
    return ((sum ^ value) * 0x9E3779B97F4A7C15u) ^ sum >> 29;
}

static uint64_t sum_of_bytes(uint64_t sum, const OsvmElements *elements)
{
    const uint8_t *data = elements->data;
    size_t size = elements->count * elements->element_size;
    uint64_t word = 0;
    for (; size >= 8; size -= 8, data += 8) {
        __builtin_memcpy(&word, data, 8);
        sum = mix(sum, word);
    }
    word = 0;
    __builtin_memcpy(&word, data, size);
    return mix(sum, word);
}

static void walk(Walk *w, OsvmValue value, unsigned depth)
{
    const OsvmPrimApi *vm = w->call->shim->real;
    OsvmCall *behind = w->call->behind;
    OsvmElements elements;
    uint64_t sum = mix(1, value.bits);
    size_t slots = vm->slot_count(behind, value);
    if (vm->elements(behind, value, &elements))
        sum = sum_of_bytes(sum, &elements);
    for (size_t i = 0; i < slots; i++)
        sum = mix(sum, vm->slot(behind, value, i).bits);
    w->sums.all = mix(w->sums.all, sum);
    if (depth == DEPTH && vm->is_read_only(behind, value))
        w->sums.frozen = mix(w->sums.frozen, sum);
    for (size_t i = 0; depth && i < slots && w->visits < VISITS; i++) {
        w->visits++;
        walk(w, vm->slot(behind, value, i), depth - 1);
    }
}

Picture picture_take(OsvmCall *call)
{
    Walk w = {.call = call};
    int count = (int)call->shim->real->arg_count(call->behind);
    for (int i = OSVM_RECEIVER; i < count; i++)
        walk(&w, call->shim->real->arg(call->behind, i), DEPTH);
    return w.sums;
}
