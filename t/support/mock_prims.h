/* A VM of objects in malloc'ed memory that offers modules of primitives the services of osvm/prims.h.
 *
 * Each object's elements lie in a block of their own size, with guards around; references are pointers,
 * SmallIntegers have as many bits as the heap width gives them. Where a VM may collect, when a function
 * calls back and between calls, this one moves every object if it is told to (`moves`); what lay in
 * the old place is void then, and what is written to it is noticed. */
#ifndef OSVM_T_MOCK_PRIMS_H
#define OSVM_T_MOCK_PRIMS_H

#include "osvm/prims.h"

typedef struct MockObject MockObject;

/* What a function wanted to know of a value. */
typedef enum {
    MOCK_NOTHING, MOCK_INTEGER, MOCK_REAL, MOCK_CHARACTER, MOCK_BOOLEAN, MOCK_ELEMENTS, MOCK_SLOTS,
    MOCK_ARRAY, MOCK_CLASS, MOCK_MEMBER, MOCK_CHANGE, MOCK_KIND
} MockWish;

typedef struct {
    MockWish wish;
    OsvmValue value;
    const char *class_name; /* MOCK_MEMBER */
    bool granted;
} MockQuestion;

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
    bool moves;            /* objects, whenever they may */
    MockObject *voided;    /* where objects lay before they moved last */
    OsvmValue *roots;      /* of the test */
    size_t root_count;
    const OsvmPrim *prim;  /* that is called; NULL: one that may call back */
    /* Of the call under way: */
    unsigned services;     /* how many were asked */
    MockQuestion asked[32]; /* the latest about values */
    unsigned asked_count;
    unsigned callbacks, refused_callbacks;
    int64_t os_error;
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
/* Moves all that is reached from the operands of `call` (may be NULL), tickets and roots; the rest is gone. */
void mock_move(MockVm *vm, OsvmCall *call);
/* Has something been written to where objects lay before the last move? */
bool mock_void_written(MockVm *vm);
/* An object of this VM, or an immediate. */
bool mock_is_valid(const MockVm *vm, OsvmValue value);
OsvmValue mock_large(MockVm *vm, const uint8_t *bytes, size_t count, bool negative); /* as it is, normal or not */
OsvmValue mock_class(const MockVm *vm, OsvmValueKind kind);
size_t mock_slot_count(OsvmValue value); /* 0: it has no slots */
OsvmValue mock_slot(OsvmValue value, size_t index);
bool mock_is_frozen(OsvmValue value);
bool mock_is_forwarder(OsvmValue value);
size_t mock_count(OsvmValue value); /* elements or slots */
OsvmValue mock_code(MockVm *vm, size_t count);
/* One of the kind whose name this is, as is_member says; false: none. */
bool mock_class_kind(const char *class_name, OsvmValueKind *kind);

#endif
