/* The builder: two sections of abstract instructions, labels, the pool, maps. */
#include "kernel/jit/jit_int.h"

static const char no_memory[] = "the host has no memory";

void build_refuse(Build *b, const char *why)
{
    if (!b->failed)
        b->why = why;
    b->failed = true;
}

static void *grow(Build *b, void *block, uint32_t *capacity, size_t element)
{
    const OsvmHost *host = b->vm->setup->host;
    uint32_t wanted = *capacity ? *capacity * 2 : 64;
    void *bigger = host->resize(host, block, *capacity * element, wanted * element);
    if (!bigger) {
        build_refuse(b, no_memory);
        return block;
    }
    *capacity = wanted;
    return bigger;
}

static Section take_spare(Build *b, unsigned which)
{
    Section section = b->jit->spare[which];
    b->jit->spare[which] = (Section){0};
    section.count = 0;
    return section;
}

static void keep_spare(Build *b, unsigned which, Section section)
{
    const OsvmHost *host = b->vm->setup->host;
    Section *spare = &b->jit->spare[which];
    if (spare->capacity)
        host->free(host, section.instructions, section.capacity * sizeof(JitInstruction));
    else
        *spare = section;
}

void build_open(Build *b, Vm *vm)
{
    memset(b, 0, offsetof(Build, pool));
    b->vm = vm;
    b->jit = jit_of(vm);
    b->jit->making++;
    b->main = take_spare(b, 0);
    b->cold = take_spare(b, 1);
    b->section = &b->main;
    for (int i = 0; i < POOL_FIXED; i++)
        build_pool(b, 0, i == POOL_CODE ? ROLE_REFERENCE : ROLE_PLAIN);
}

void build_close(Build *b)
{
    const OsvmHost *host = b->vm->setup->host;
    b->jit->making--;
    keep_spare(b, 0, b->main);
    keep_spare(b, 1, b->cold);
    host->free(host, b->maps, b->map_capacity * sizeof(JitMap));
    host->free(host, b->sends, b->send_capacity * sizeof(JitSend));
}

JitInstruction *build_add(Build *b, JitOperation operation)
{
    static const uint32_t enough = 1 << 20;
    Section *s = b->section;
    if (s->count == s->capacity)
        s->instructions = grow(b, s->instructions, &s->capacity, sizeof(JitInstruction));
    if (s->count == s->capacity || s->count >= enough) { /* failed: overwrite the last one */
        build_refuse(b, "more instructions than can be counted");
        REQUIRE(s->count, "no memory for a single instruction");
        s->count--;
    }
    JitInstruction *i = &s->instructions[s->count++];
    *i = (JitInstruction){.operation = (uint8_t)operation, .pc = b->pc};
    return i;
}

unsigned build_label(Build *b)
{
    if (b->labels >= LABEL_NONE - 1) {
        build_refuse(b, "too many labels");
        return 0;
    }
    return b->labels++;
}

void build_here(Build *b, unsigned label)
{
    build_add(b, JIT_LABEL)->label = (uint16_t)label;
}

void build_cold(Build *b)
{
    b->section = &b->cold;
}

void build_main(Build *b)
{
    b->section = &b->main;
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
    if (b->map_count == b->map_capacity)
        b->maps = grow(b, b->maps, &b->map_capacity, sizeof(JitMap));
    if (b->map_count == b->map_capacity)
        return;
    unsigned label = build_label(b);
    build_here(b, label);
    b->maps[b->map_count++] = (JitMap){label, (uint32_t)pc, (uint8_t)kind, DEPTH_UNREACHED};
}

void build_call(Build *b, Routine routine)
{
    op_abv(b, JIT_CALL_LOADED, 0, JIT_VM, VAR(jit.stubs) + (SWord)routine * WORD_BYTES);
}
