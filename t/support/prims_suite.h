/* The conformance suite of modules of primitives: what it does with one module, in one process that the
 * module may end. The module is anybody's; nothing is known of its functions but what they ask the VM for:
 * from what a function wanted to know and was not told come recipes of operands it succeeds with
 * (prims_learn), and these are then spoilt in every way (prims_drive). What can be seen at the border
 * the shim sees (plugins/prims-shim/shim.h); here stands what it cannot:
 *  - nothing is written beyond an object, nor where one was before the VM moved it;
 *  - a function that got no memory fails, and says so;
 *  - one whose argument is a forwarder works with the object behind it, or fails and lets itself be
 *    called again with that object (accessor_depth);
 *  - one that the world refused something has not succeeded;
 *  - in another VM, or behind a shim, the same calls have the same results;
 *  - a module that stops has given back memory, files, sockets and listings, one that cannot start too.
 */
#ifndef OSVM_T_PRIMS_SUITE_H
#define OSVM_T_PRIMS_SUITE_H

#include "t/support/prims_operands.h"

enum { FUNCTIONS_MOST = 256, FINDINGS_MOST = 3 * FUNCTIONS_MOST, RECIPES_MOST = 3, NO_FUNCTION = FUNCTIONS_MOST };

typedef struct {
    const char *file; /* of the module */
    const char *shim; /* that stands before it; NULL: none */
    unsigned width;
    uint64_t seed;
    bool is_long; /* more calls by chance */
} PrimsSetup;

typedef enum { AS_IS, FROZEN, FORWARDED } Twist; /* what is done to one operand */

/* What is found out, in memory that outlives the process. */
typedef struct {
    char module[64];
    char names[FUNCTIONS_MOST][64];
    unsigned function_count;
    bool skipped[FUNCTIONS_MOST];      /* by whoever starts the process: it ended one */
    bool finished;
    bool has_threads;                  /* results depend on when */
    /* The call under way. */
    unsigned function;
    Recipe recipe;
    Twist twist;
    unsigned twisted;                  /* which operand */
    unsigned calls[FUNCTIONS_MOST], successes[FUNCTIONS_MOST];
    uint64_t sums[FUNCTIONS_MOST];     /* of all results */
    Recipe recipes[FUNCTIONS_MOST][RECIPES_MOST];
    bool succeeds[FUNCTIONS_MOST][RECIPES_MOST]; /* that one; otherwise it got furthest */
    unsigned recipe_count[FUNCTIONS_MOST];
    unsigned finding_count;
    struct {
        unsigned function; /* NO_FUNCTION: of the module */
        char text[400];
    } findings[FINDINGS_MOST];
} PrimsReport;

/* Fills in names, and recipes, which the others need. */
void prims_learn(const PrimsSetup *setup, PrimsReport *report);
void prims_drive(const PrimsSetup *setup, PrimsReport *report);

#endif
