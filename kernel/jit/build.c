/* The builder: two sections of abstract instructions, labels, the pool, maps. */
#include "kernel/jit/jit_int.h"

static const char no_memory[] = "the host has no memory";

void build_refuse(Build *b, const char *why)
{
    if (!b->failed)
        b->why = why;
    b->failed = true;
}

/* Room for one more in `items`; false: there is none. */
static bool grow(Build *b, void **items, uint32_t count, uint32_t *capacity, size_t element)
{
    enum { FIRST = 64 };
    const OsvmHost *host = b->vm->setup->host;
    if (count < *capacity)
        return true;
    uint32_t wanted = *capacity ? 2 * *capacity : FIRST;
    void *bigger = host->resize(host, *items, *capacity * element, wanted * element);
    if (!bigger) {
        build_refuse(b, no_memory);
        return false;
    }
    *items = bigger;
    *capacity = wanted;
    return true;
}

void build_open(Build *b, Vm *vm)
{
    Jit *jit = jit_of(vm);
    memset(b, 0, offsetof(Build, pool));
    b->vm = vm;
    b->jit = jit;
    b->arrays = jit->spare;
    jit->spare = (BuildArrays){0};
    jit->making++;
    b->section = &b->arrays.main;
    for (int i = 0; i < POOL_FIXED; i++)
        build_pool(b, 0, i == POOL_CODE ? ROLE_REFERENCE : ROLE_PLAIN);
}

void build_free(Vm *vm, BuildArrays *a)
{
    const OsvmHost *host = vm->setup->host;
    host->free(host, a->main.instructions, a->main.capacity * sizeof(JitInstruction));
    host->free(host, a->cold.instructions, a->cold.capacity * sizeof(JitInstruction));
    host->free(host, a->maps, a->map_capacity * sizeof *a->maps);
    host->free(host, a->sends, a->send_capacity * sizeof *a->sends);
    host->free(host, a->places, a->place_capacity * sizeof *a->places);
    *a = (BuildArrays){0};
}

/* What one was made with serves for the next. */
void build_close(Build *b)
{
    Jit *jit = b->jit;
    jit->making--;
    build_free(b->vm, &jit->spare);
    jit->spare = b->arrays;
    jit->spare.main.count = jit->spare.cold.count = 0;
}

void build_room(Build *b)
{
    enum { INSTRUCTIONS_MOST = 1 << 20 };
    Section *s = b->section;
    if (s->capacity >= INSTRUCTIONS_MOST)
        build_refuse(b, "more instructions than can be counted");
    else if (grow(b, (void **)&s->instructions, s->count, &s->capacity, sizeof(JitInstruction)))
        return;
    REQUIRE(s->count, "no memory for a single instruction");
    s->count--; /* the last one is written over */
}

unsigned build_label(Build *b)
{
    BuildArrays *a = &b->arrays;
    if (b->labels >= LABEL_NONE - 1)
        build_refuse(b, "too many labels");
    else if (grow(b, (void **)&a->places, b->labels, &a->place_capacity, sizeof *a->places))
        return b->labels++;
    return 0;
}

void build_here(Build *b, unsigned label)
{
    build_add(b, JIT_LABEL)->label = (uint16_t)label;
    if (!b->failed)
        b->arrays.places[label] = (LabelPlace){.index = b->section->count - 1,
                                          .cold = b->section == &b->arrays.cold};
}

void build_cold(Build *b)
{
    b->section = &b->arrays.cold;
}

void build_main(Build *b)
{
    b->section = &b->arrays.main;
}

unsigned build_pool(Build *b, Word value, PoolRole role)
{
    if (b->pool_words == POOL_MOST) {
        build_refuse(b, "too many literals and send sites for one pool");
        return 0;
    }
    b->pool[b->pool_words] = value;
    b->roles[b->pool_words] = (uint8_t)role;
    return b->pool_words++;
}

unsigned build_reference(Build *b, Oop oop)
{
    for (unsigned i = 0; i < b->pool_words; i++)
        if (b->roles[i] == ROLE_REFERENCE && b->pool[i] == oop)
            return i;
    return build_pool(b, oop, ROLE_REFERENCE);
}

void build_map(Build *b, MapKind kind, Word pc)
{
    BuildArrays *a = &b->arrays;
    if (!grow(b, (void **)&a->maps, b->map_count, &a->map_capacity, sizeof *a->maps))
        return;
    unsigned label = build_label(b);
    build_here(b, label);
    a->maps[b->map_count++] = (JitMap){label, (uint32_t)pc, (uint8_t)kind, DEPTH_UNREACHED};
}

void build_site(Build *b, JitSend site)
{
    BuildArrays *a = &b->arrays;
    if (!grow(b, (void **)&a->sends, b->send_count, &a->send_capacity, sizeof *a->sends))
        return;
    site.offset = b->map_count - 1;
    a->sends[b->send_count++] = site;
}

void build_call(Build *b, Routine routine)
{
    op_abv(b, JIT_CALL_LOADED, 0, JIT_VM, VAR(jit.stubs) + (SWord)routine * WORD_BYTES);
}

void build_operands(Build *b, unsigned args)
{
    if (jit_in_registers(args))
        op_v(b, JIT_OPERANDS, (SWord)args);
}

void build_stub_jump(Build *b, Routine routine, unsigned args)
{
    build_operands(b, args);
    op_abv(b, JIT_JUMP_LOADED, 0, JIT_VM, VAR(jit.stubs) + (SWord)routine * WORD_BYTES);
}

void build_miss(Build *b, unsigned args)
{
    op_abv(b, JIT_JUMP_LOADED, 0, JIT_VM,
           VAR(jit.unlinked) + (SWord)jit_unlinked_index(args) * WORD_BYTES);
}
