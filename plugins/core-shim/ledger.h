/* A host as the core behind the shim sees it: the real one, with every block of memory written down.
 *
 * New blocks come filled with zeros, as the contract says; what is given back is overwritten first,
 * so that who reads it afterwards reads nonsense. */
#ifndef OSVM_PLUGINS_CORE_SHIM_LEDGER_H
#define OSVM_PLUGINS_CORE_SHIM_LEDGER_H

#include <pthread.h>

#include "osvm/plugin.h"

typedef struct LedgerBlock LedgerBlock;

typedef struct {
    OsvmHost host;        /* first: what the core is given */
    const OsvmHost *real;
    pthread_mutex_t lock; /* memory may be asked for on any thread */
    LedgerBlock *blocks;  /* in use */
} Ledger;

void ledger_open(Ledger *ledger, const OsvmHost *real);
/* All blocks must have been given back (K4). */
void ledger_close(Ledger *ledger, const char *call);

#endif
