/* Functions of the Unicorn library that this plugin replaces.
 *
 * The library calls functions of its own by way of their symbols, and symbols of the object that
 * was loaded with it come first: what this plugin defines under such a name is called in the
 * library's place, and forwards to it.
 *
 * It works only with a version that has these functions and binds them in this way. One store in a
 * machine of its own tells, so it is found out, not assumed.
 *
 * What is static here is set once, to what the library is; the choice of the engine belongs to the
 * thread, which runs one at a time.
 */
#include <dlfcn.h>
#include <pthread.h>

#include "sim.h"

static pthread_once_t probed = PTHREAD_ONCE_INIT;
static unsigned ours;             /* what the library called of ours */
static _Thread_local unsigned seen; /* the same, so far */
static _Thread_local Sim *running;

void *library_symbol(const char *name)
{
    void *handle = dlopen("libunicorn.so.2", RTLD_NOW | RTLD_NOLOAD);
    if (!handle)
        return NULL;
    void *symbol = dlsym(handle, name);
    dlclose(handle); /* it stays loaded: the plugin needs it */
    return symbol;
}

void library_run(Sim *sim)
{
    running = sim;
}

Sim *library_running(void)
{
    return running;
}

void library_called(LibraryPart part)
{
    seen |= part;
}

bool library_misses_first_flush(void)
{
    unsigned major, minor;
    uc_version(&major, &minor);
    return major == 2 && minor == 0;
}

/* Runs one store in a machine of its own: which of our functions are called? */
static void probe(void)
{
    static const uint8_t code[] = {0x89, 0x07, 0x90}; /* mov [rdi], eax; nop */
    enum { AT = 0x100000 };
    uint64_t address = AT + 0x800;
    Sim *sim = running;
    uc_engine *uc;
    running = NULL;
    seen = 0;
    if (!uc_open(UC_ARCH_X86, UC_MODE_64, &uc)) {
        if (!uc_mem_map(uc, AT, GUEST_PAGE, UC_PROT_ALL) &&
            !uc_mem_write(uc, AT, code, sizeof code) &&
            !uc_reg_write(uc, UC_X86_REG_RDI, &address) &&
            !uc_emu_start(uc, AT, AT + sizeof code, 0, 0))
            ours = seen;
        uc_close(uc);
    }
    running = sim;
}

bool library_calls_ours(LibraryPart part)
{
    if (!library_misses_first_flush())
        return false;
    pthread_once(&probed, probe);
    return ours & part;
}
