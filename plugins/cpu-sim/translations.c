/* The library's buffer of translated blocks.
 *
 * It is filled from its start to its end; when it is full, all translations are thrown out and it
 * is filled anew. Version 2.0 of the library forgets the first half of that the first time: blocks
 * come to lie over others that its tables still tell of and that jump to one another, and it
 * crashes, or runs something else. (Its buffer begins as one that has not been handed out, and
 * handing it out clears it, and nothing but it.)
 *
 * The function that takes room for a block is replaced: a block below the last one shows that the
 * buffer began anew. Without room the library throws out all translations and goes on, as it
 * should; this is what it is told then. A flush too many does no harm.
 *
 * The function that makes the buffer is replaced as well, since the library makes it 1 GiB large,
 * which it would come to fill, and sweeps it to the last byte at each flush.
 */
#include <pthread.h>
#include <stdint.h>

#include "sim.h"

typedef void MakeBuffer(void *uc, unsigned long bytes);
typedef void *TakeRoom(void *context);

/* The library's own functions. */
static struct {
    MakeBuffer *make_x64, *make_arm, *make_mips;
    TakeRoom *take_x64, *take_arm, *take_mips;
} library;

static pthread_once_t found = PTHREAD_ONCE_INIT;

static void find_library(void)
{
    library.make_x64 = (MakeBuffer *)library_symbol("tcg_exec_init_x86_64");
    library.make_arm = (MakeBuffer *)library_symbol("tcg_exec_init_arm");
    library.make_mips = (MakeBuffer *)library_symbol("tcg_exec_init_mipsel");
    library.take_x64 = (TakeRoom *)library_symbol("tcg_tb_alloc_x86_64");
    library.take_arm = (TakeRoom *)library_symbol("tcg_tb_alloc_arm");
    library.take_mips = (TakeRoom *)library_symbol("tcg_tb_alloc_mipsel");
}

/* The size of the buffer, where the library would choose its own. */
static unsigned long size_wanted(unsigned long bytes)
{
    const Sim *sim = library_running();
    return sim && !bytes ? sim->translation_bytes : bytes;
}

/* The block, or NULL if everything is to be thrown out for it. */
static void *in_order(void *block)
{
    Sim *sim = library_running();
    library_called(LIBRARY_TRANSLATIONS);
    if (!sim)
        return block;
    if ((uintptr_t)block < sim->last_block)
        block = NULL;
    sim->last_block = (uintptr_t)block;
    if (!block)
        sim->counts.flushes++;
    return block;
}

#define DEFINE_BUFFER(machine, make, take)                                                         \
    OSVM_EXPORT void tcg_exec_init_##machine(void *uc, unsigned long bytes);                       \
    OSVM_EXPORT void tcg_exec_init_##machine(void *uc, unsigned long bytes)                        \
    {                                                                                              \
        pthread_once(&found, find_library);                                                        \
        library.make(uc, size_wanted(bytes));                                                      \
    }                                                                                              \
    OSVM_EXPORT void *tcg_tb_alloc_##machine(void *context);                                       \
    OSVM_EXPORT void *tcg_tb_alloc_##machine(void *context)                                        \
    {                                                                                              \
        pthread_once(&found, find_library);                                                        \
        return in_order(library.take(context));                                                    \
    }

DEFINE_BUFFER(x86_64, make_x64, take_x64)
DEFINE_BUFFER(arm, make_arm, take_arm)
DEFINE_BUFFER(mipsel, make_mips, take_mips)

void translations_set_up(Sim *sim)
{
    if (library_misses_first_flush() && !library_calls_ours(LIBRARY_TRANSLATIONS))
        uc_ctl(sim->uc, UC_CTL_WRITE(UC_CTL_TB_FLUSH, 0));
}
