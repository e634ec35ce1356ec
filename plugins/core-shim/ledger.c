#include "ledger.h"

#include <string.h>

enum { POISON = 0xDB };

/* Stands before the bytes the core sees. */
struct LedgerBlock {
    LedgerBlock *next, *previous;
    size_t size;
    const Ledger *owner; /* NULL once given back */
};

_Static_assert(sizeof(LedgerBlock) % 16 == 0, "blocks are aligned to 16 bytes");

static Ledger *ledger_of(const OsvmHost *host)
{
    return (Ledger *)(uintptr_t)host;
}

static void enter(Ledger *ledger, LedgerBlock *block, size_t size)
{
    pthread_mutex_lock(&ledger->lock);
    *block = (LedgerBlock){.next = ledger->blocks, .size = size, .owner = ledger};
    if (block->next)
        block->next->previous = block;
    ledger->blocks = block;
    pthread_mutex_unlock(&ledger->lock);
}

static void strike_out(Ledger *ledger, LedgerBlock *block)
{
    pthread_mutex_lock(&ledger->lock);
    *(block->previous ? &block->previous->next : &ledger->blocks) = block->next;
    if (block->next)
        block->next->previous = block->previous;
    block->owner = NULL;
    pthread_mutex_unlock(&ledger->lock);
}

/* The entry of a block that the core says is its own, of `size` bytes. */
static LedgerBlock *entry_of(const Ledger *ledger, void *bytes, size_t size)
{
    LedgerBlock *block = (LedgerBlock *)bytes - 1;
    REQUIRE(block->owner == ledger, "block %p is none that the core has (K4)", bytes);
    REQUIRE(block->size == size, "block %p has %zu bytes, the core says %zu (K4)", bytes, block->size,
            size);
    return block;
}

static void *ledger_alloc(const OsvmHost *host, size_t size)
{
    Ledger *ledger = ledger_of(host);
    LedgerBlock *block = size > SIZE_MAX - sizeof *block
                             ? NULL : ledger->real->alloc(ledger->real, sizeof *block + size);
    if (!block)
        return NULL;
    enter(ledger, block, size);
    return block + 1;
}

static void ledger_free(const OsvmHost *host, void *bytes, size_t size)
{
    Ledger *ledger = ledger_of(host);
    if (!bytes)
        return;
    LedgerBlock *block = entry_of(ledger, bytes, size);
    strike_out(ledger, block);
    memset(bytes, POISON, size);
    ledger->real->free(ledger->real, block, sizeof *block + size);
}

/* Always to another place: who keeps a pointer to the old one is found out. */
static void *ledger_resize(const OsvmHost *host, void *bytes, size_t old_size, size_t new_size)
{
    if (bytes)
        entry_of(ledger_of(host), bytes, old_size);
    void *resized = ledger_alloc(host, new_size);
    if (!resized || !bytes)
        return resized;
    memcpy(resized, bytes, old_size < new_size ? old_size : new_size);
    ledger_free(host, bytes, old_size);
    return resized;
}

/* A clone may have got another world. */
static int ledger_fork(const OsvmHost *host, bool muted)
{
    Ledger *ledger = ledger_of(host);
    int child = ledger->real->fork(ledger->real, muted);
    ledger->host.world = ledger->real->world;
    return child;
}

void ledger_open(Ledger *ledger, const OsvmHost *real)
{
    *ledger = (Ledger){.host = *real, .real = real};
    pthread_mutex_init(&ledger->lock, NULL);
    ledger->host.alloc = ledger_alloc;
    ledger->host.resize = ledger_resize;
    ledger->host.free = ledger_free;
    ledger->host.fork = ledger_fork;
}

void ledger_close(Ledger *ledger, const char *call)
{
    const LedgerBlock *block = ledger->blocks;
    REQUIRE(!block, "%s ended, and a block of %zu bytes was not given back (K4)", call, block->size);
    pthread_mutex_destroy(&ledger->lock);
}
