/* The cure for slow stores.
 *
 * In version 2.0 of the Unicorn library a page stays "not dirty" for ever in its
 * software TLB, so that every store takes the slow path: 30 times slower. The
 * library calls the function that fills the TLB by way of its symbol, and symbols
 * of the object that was loaded with it come first: the functions below are called
 * in its place, forward to the library's own, and then mark the page dirty. (Code
 * that is patched by machine code goes unnoticed then; nothing here does that,
 * patches come from C and are announced by code_changed.)
 *
 * The same functions see to it that a page is entered with the accesses it was mapped
 * with, so that a stub that has been executed still cannot be read.
 *
 * It works only with a library that has these symbols and binds them in this way. One
 * store tells, so the cure is found out, not assumed, and can be switched off.
 *
 * What is static here is set once, to what the library is; the choice belongs to the
 * thread, which runs one engine at a time.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

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
static _Thread_local const Sim *running;
static _Thread_local uint64_t fills; /* how often one of ours was called */

static void *symbol(void *handle, const char *name)
{
    return dlsym(handle, name);
}

static void find_library(void)
{
    void *handle = dlopen("libunicorn.so.2", RTLD_NOW | RTLD_NOLOAD);
    if (!handle)
        return;
    library.page_x64 = (SetPage64 *)symbol(handle, "tlb_set_page_with_attrs_x86_64");
    library.page_arm = (SetPage32 *)symbol(handle, "tlb_set_page_with_attrs_arm");
    library.page_mips = (SetPage32 *)symbol(handle, "tlb_set_page_with_attrs_mipsel");
    library.dirty_x64 = (SetDirty64 *)symbol(handle, "tlb_set_dirty_x86_64");
    library.dirty_arm = (SetDirty32 *)symbol(handle, "tlb_set_dirty_arm");
    library.dirty_mips = (SetDirty32 *)symbol(handle, "tlb_set_dirty_mipsel");
    dlclose(handle);
}

/* The library's bits of a page's protection. */
enum { PAGE_READ = 1, PAGE_WRITE = 2, PAGE_EXECUTE = 4 };

/* The library enters pages as good for everything, and checks only those it has not entered. */
static int allowed(uintptr_t address)
{
    unsigned access = engine_access(running, address);
    return (access & CPU_READ ? PAGE_READ : 0) | (access & CPU_WRITE ? PAGE_WRITE : 0) |
           (access & CPU_EXECUTE ? PAGE_EXECUTE : 0);
}

#define DEFINE_SET_PAGE(name, Address, page, dirty)                                                \
    OSVM_EXPORT void name(SET_PAGE_PARAMETERS(Address));                                           \
    OSVM_EXPORT void name(SET_PAGE_PARAMETERS(Address))                                            \
    {                                                                                              \
        pthread_once(&found, find_library);                                                        \
        fills++;                                                                                   \
        if (running)                                                                               \
            protection &= allowed((uintptr_t)virtual);                                             \
        library.page(cpu, virtual, physical, attributes, protection, mode, size);                  \
        if (running && running->store_fix && protection & PAGE_WRITE)                              \
            library.dirty(cpu, virtual);                                                           \
    }

DEFINE_SET_PAGE(tlb_set_page_with_attrs_x86_64, uint64_t, page_x64, dirty_x64)
DEFINE_SET_PAGE(tlb_set_page_with_attrs_arm, uint32_t, page_arm, dirty_arm)
DEFINE_SET_PAGE(tlb_set_page_with_attrs_mipsel, uint32_t, page_mips, dirty_mips)

void stores_run(const Sim *sim)
{
    running = sim;
}

/* Runs one store in a machine of its own: is one of our functions called? */
static bool probe(void)
{
    static const uint8_t code[] = {0x89, 0x07, 0x90}; /* mov [rdi], eax; nop */
    enum { AT = 0x100000 };
    uint64_t address = AT + 0x800;
    uint64_t before = fills;
    uc_engine *uc;
    if (uc_open(UC_ARCH_X86, UC_MODE_64, &uc))
        return false;
    bool ran = !uc_mem_map(uc, AT, GUEST_PAGE, UC_PROT_ALL) &&
               !uc_mem_write(uc, AT, code, sizeof code) &&
               !uc_reg_write(uc, UC_X86_REG_RDI, &address) &&
               !uc_emu_start(uc, AT, AT + sizeof code, 0, 0);
    uc_close(uc);
    return ran && fills > before;
}

bool stores_can_be_fixed(void)
{
    unsigned major, minor;
    uc_version(&major, &minor);
    pthread_once(&found, find_library);
    return major == 2 && minor == 0 && library.page_x64 && library.page_arm && library.page_mips &&
           library.dirty_x64 && library.dirty_arm && library.dirty_mips && probe();
}
