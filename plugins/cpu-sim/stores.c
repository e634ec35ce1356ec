/* The cure for slow stores.
 *
 * In version 2.0 of the Unicorn library a page stays "not dirty" for ever in its
 * software TLB, so that every store takes the slow path: 30 times slower. The
 * functions that fill the TLB are replaced (library.c): those below forward to the
 * library's own, and then mark the page dirty. (Code that is patched by machine code
 * goes unnoticed then; nothing here does that, patches come from C and are announced
 * by code_changed.)
 *
 * The same functions see to it that a page is entered with the accesses it was mapped
 * with, so that a stub that has been executed still cannot be read.
 *
 * The cure can be switched off.
 */
#include <pthread.h>
#include <stdint.h>

#include "sim.h"

/* The library's memory attributes: a struct of 32 bits, passed like one. */
typedef struct {
    uint32_t bits;
} Attributes;

#define SET_PAGE_PARAMETERS(Address)                                                               \
    void *cpu, Address virtual, uint64_t physical, Attributes attributes, int protection,          \
        int mode, Address size

typedef void SetPage64(SET_PAGE_PARAMETERS(uint64_t));
typedef void SetPage32(SET_PAGE_PARAMETERS(uint32_t));
typedef void SetDirty64(void *cpu, uint64_t virtual);
typedef void SetDirty32(void *cpu, uint32_t virtual);

/* The library's own functions. */
static struct {
    SetPage64 *page_x64;
    SetPage32 *page_arm, *page_mips;
    SetDirty64 *dirty_x64;
    SetDirty32 *dirty_arm, *dirty_mips;
} library;

static pthread_once_t found = PTHREAD_ONCE_INIT;

static void find_library(void)
{
    library.page_x64 = (SetPage64 *)library_symbol("tlb_set_page_with_attrs_x86_64");
    library.page_arm = (SetPage32 *)library_symbol("tlb_set_page_with_attrs_arm");
    library.page_mips = (SetPage32 *)library_symbol("tlb_set_page_with_attrs_mipsel");
    library.dirty_x64 = (SetDirty64 *)library_symbol("tlb_set_dirty_x86_64");
    library.dirty_arm = (SetDirty32 *)library_symbol("tlb_set_dirty_arm");
    library.dirty_mips = (SetDirty32 *)library_symbol("tlb_set_dirty_mipsel");
}

/* The library's bits of a page's protection. */
enum { PAGE_READ = 1, PAGE_WRITE = 2, PAGE_EXECUTE = 4 };

/* The library enters pages as good for everything, and checks only those it has not entered. */
static int allowed(const Sim *sim, uintptr_t address)
{
    unsigned access = engine_access(sim, address);
    return (access & CPU_READ ? PAGE_READ : 0) | (access & CPU_WRITE ? PAGE_WRITE : 0) |
           (access & CPU_EXECUTE ? PAGE_EXECUTE : 0);
}

#define DEFINE_SET_PAGE(name, Address, page, dirty)                                                \
    OSVM_EXPORT void name(SET_PAGE_PARAMETERS(Address));                                           \
    OSVM_EXPORT void name(SET_PAGE_PARAMETERS(Address))                                            \
    {                                                                                              \
        const Sim *sim = library_running();                                                        \
        pthread_once(&found, find_library);                                                        \
        library_called(LIBRARY_PAGES);                                                             \
        if (sim)                                                                                   \
            protection &= allowed(sim, (uintptr_t)virtual);                                        \
        library.page(cpu, virtual, physical, attributes, protection, mode, size);                  \
        if (sim && sim->store_fix && protection & PAGE_WRITE)                                      \
            library.dirty(cpu, virtual);                                                           \
    }

DEFINE_SET_PAGE(tlb_set_page_with_attrs_x86_64, uint64_t, page_x64, dirty_x64)
DEFINE_SET_PAGE(tlb_set_page_with_attrs_arm, uint32_t, page_arm, dirty_arm)
DEFINE_SET_PAGE(tlb_set_page_with_attrs_mipsel, uint32_t, page_mips, dirty_mips)

bool stores_can_be_fixed(void)
{
    pthread_once(&found, find_library);
    return library.page_x64 && library.page_arm && library.page_mips && library.dirty_x64 &&
           library.dirty_arm && library.dirty_mips && library_calls_ours(LIBRARY_PAGES);
}
