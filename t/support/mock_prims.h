/* A VM of objects in malloc'ed memory that offers modules of primitives the services of osvm/prims.h.
 *
 * Each object's elements lie in a block of their own size, with guards around; references are pointers,
 * SmallIntegers have as many bits as the heap width gives them. */
#ifndef OSVM_T_MOCK_PRIMS_H
#define OSVM_T_MOCK_PRIMS_H

#include "osvm/prims.h"

typedef struct MockObject MockObject;

typedef struct {
    unsigned width;        /* of the heap: 32 or 64 */
    const OsvmWorld *world;
    void *module_state;
    MockObject *objects;   /* all there are; the newest first */
    MockObject *nil, *true_object, *false_object;
    MockObject *classes[13]; /* of each kind */
    OsvmValue tickets[64]; /* kept; none: free */
    long allocations;      /* counts down: the one that reaches 0 fails, and those after it; < 0: none */
    bool has_failed;       /* one did */
    unsigned session;
} MockVm;

struct OsvmCall {
    MockVm *vm;
    OsvmValue operands[9]; /* receiver first */
    unsigned arg_count;
    OsvmValue result;
};

extern const OsvmPrimApi mock_prims_api;

void mock_vm_open(MockVm *vm, unsigned width, const OsvmWorld *world);
void mock_vm_close(MockVm *vm);

/* Objects for tests; these never fail. */
OsvmValue mock_integer(MockVm *vm, __int128 value);
OsvmValue mock_float(MockVm *vm, double value);
OsvmValue mock_character(uint32_t code);
OsvmValue mock_bits(MockVm *vm, OsvmValueKind kind, unsigned element_size, const void *data, size_t count);
OsvmValue mock_pointers(MockVm *vm, size_t count, bool is_array); /* filled with nil */
void mock_put(OsvmValue object, size_t index, OsvmValue value);
void mock_freeze(OsvmValue object);
bool mock_is_object(OsvmValue value);
OsvmValue mock_copy(MockVm *vm, OsvmValue value);         /* shallow; immediates are their own */
OsvmValue mock_forwarder(MockVm *vm, OsvmValue target);
OsvmValue mock_special(const MockVm *vm, OsvmValueKind kind); /* nil, true, false */
OsvmValueKind mock_kind(OsvmValue value);
uint64_t mock_digest(OsvmValue value, unsigned depth);    /* of what it says, not of where it is */
/* The first object written to beyond its end, NULL: none. */
const MockObject *mock_damaged(const MockVm *vm);
size_t mock_tickets(const MockVm *vm);

#endif
