/* The checked half that every module of primitives shares: it stands before each call of a function,
 * gives it services that look at what they are asked, and verifies how the call ends (osvm/prims.h).
 *
 * Rules it checks, named in its reports:
 *  P1  a call that succeeds has set exactly one result, one that fails none;
 *  P2  a failure code is one of osvm/prims.h; with OSVM_OS_ERROR comes the system's code;
 *  P3  a call that fails has changed neither its receiver nor its arguments;
 *  P4  no call changes a read-only receiver or argument;
 *  P5  a function that allocates or touches the world has said so in its flags (calling back without
 *      having said so the VM refuses itself, in every variant);
 *  P6  values are those the VM gave in this call, since the last message it sent, and not none;
 *  P7  tickets are its own and not dropped yet, pointers lead somewhere;
 *  P8  the module's table is sound, and it is called between start and stop only.
 * A breach ends the process with a sentence that names the module, the function and the rule. */
#ifndef OSVM_PLUGINS_PRIMS_SHIM_H
#define OSVM_PLUGINS_PRIMS_SHIM_H

#include "osvm/prims.h"

/* The values a function may know: a hash table of their bits. */
typedef struct {
    uint64_t *bits; /* 0: free */
    size_t capacity, count;
} Values;

/* What receiver and arguments hold, as sums. */
typedef struct {
    uint64_t all;    /* of everything reached */
    uint64_t frozen; /* ... of the read-only ones among receiver and arguments */
} Picture;

typedef struct {
    const OsvmHost *host;
    const OsvmInstance *inner; /* the module */
    const OsvmPrims *prims;    /* its vtable */
    const OsvmPrimApi *real;   /* the VM's services */
    OsvmPrimApi api;           /* those the module is given */
    uint32_t *tickets;         /* kept and not dropped */
    size_t ticket_count, ticket_capacity;
    bool started;
} Shim;

/* A call under way. Modules see a pointer to this one; `behind` is the VM's. */
struct OsvmCall {
    Shim *shim;
    OsvmCall *behind;
    const OsvmPrim *prim;
    Values values;
    unsigned results;    /* set so far, none values apart */
    bool has_os_error;
    bool called_back;    /* objects may have moved, others have run */
};

/* A rule of this call. The sentence follows module and function. */
#define RULE(call, condition, format, ...)                                                         \
    REQUIRE(condition, "%s of %s " format, (call)->prim->name, (call)->shim->prims->module,        \
            ##__VA_ARGS__)

/* services.c */
void services_fill(Shim *shim);
/* values.c */
OsvmValue values_note(OsvmCall *call, OsvmValue value); /* none values are not noted */
bool values_know(const OsvmCall *call, OsvmValue value);
void values_forget(OsvmCall *call); /* all, with their memory */
/* picture.c */
Picture picture_take(OsvmCall *call);

#endif
