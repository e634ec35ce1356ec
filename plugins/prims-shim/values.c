#include "shim.h"

#include <string.h>

static size_t place(const Values *values, uint64_t bits)
{
    size_t mask = values->capacity - 1, at = (bits * 0x9E3779B97F4A7C15u >> 20) & mask;
    while (values->bits[at] && values->bits[at] != bits)
        at = (at + 1) & mask;
    return at;
}

static void grow(OsvmCall *call)
{
    const OsvmHost *host = call->shim->host;
    Values *values = &call->values, old = *values;
    values->capacity = old.capacity ? 2 * old.capacity : 64;
    values->bits = host->alloc(host, values->capacity * sizeof *values->bits);
    RULE(call, values->bits, "cannot be checked: the host has no memory left");
    for (size_t i = 0; i < old.capacity; i++)
        if (old.bits[i])
            values->bits[place(values, old.bits[i])] = old.bits[i];
    host->free(host, old.bits, old.capacity * sizeof *old.bits);
}

OsvmValue values_note(OsvmCall *call, OsvmValue value)
{
    Values *values = &call->values;
    if (osvm_is_none(value))
        return value;
    if (2 * values->count >= values->capacity)
        grow(call);
    uint64_t *at = &values->bits[place(values, value.bits)];
    values->count += !*at;
    *at = value.bits;
    return value;
}

bool values_know(const OsvmCall *call, OsvmValue value)
{
    const Values *values = &call->values;
    return values->capacity && !osvm_is_none(value) && values->bits[place(values, value.bits)];
}

void values_forget(OsvmCall *call)
{
    const OsvmHost *host = call->shim->host;
    host->free(host, call->values.bits, call->values.capacity * sizeof *call->values.bits);
    call->values = (Values){0};
}
