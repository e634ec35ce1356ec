#include "graph.h"

#include <stdlib.h>
#include <string.h>

enum {
    BASE_ADDRESS = 0x1000000, /* where the file says its first object was */
    MAGIC_32 = 6521,
    MAGIC_64 = 68021,
    FLAG_LITTLE_ENDIAN_FLOATS = 2,
    FLAG_PREEMPTED_STAYS_FIRST = 0x10,
    SLOTS_IN_HEADER = 254,
    BRIDGE_BYTES = 16,
    SEED_OF_HASHES = 0x2F4A9B1, /* the generator of identity hashes starts here */
};

void graph_init(Graph *graph, Arena *arena, unsigned word_bytes)
{
    memset(graph, 0, sizeof *graph);
    graph->arena = arena;
    graph->word_bytes = word_bytes;
}

Object *graph_object(Graph *graph, uint32_t class_index, uint8_t format, size_t slot_count)
{
    Object *object = arena_alloc(graph->arena, sizeof *object);
    object->class_index = class_index;
    object->format = format;
    object->slot_count = slot_count;
    object->slots = arena_alloc(graph->arena, (slot_count + 1) * sizeof *object->slots);
    for (size_t i = 0; i < slot_count; i++)
        object->slots[i] = ref_object(graph->nil);
    if (graph->last)
        graph->last->next = object;
    else
        graph->first = object;
    graph->last = object;
    graph->count++;
    return object;
}

Object *graph_bytes(Graph *graph, uint32_t class_index, uint8_t format, const void *bytes,
                    size_t count)
{
    Object *object = graph_object(graph, class_index, format, 0);
    object->bytes = bytes;
    object->byte_count = count;
    return object;
}

/* --- References --- */

Ref ref_object(Object *object)
{
    return (Ref){object, 0};
}

bool integer_fits(const Graph *graph, int64_t value)
{
    int bits = graph->word_bytes == 8 ? 60 : 30;
    return value >= -(INT64_C(1) << bits) && value < INT64_C(1) << bits;
}

Ref ref_integer(const Graph *graph, int64_t value)
{
    return (Ref){NULL, (uint64_t)value << (graph->word_bytes == 8 ? 3 : 1) | 1};
}

Ref ref_character(const Graph *graph, uint32_t code)
{
    return (Ref){NULL, (uint64_t)code << (graph->word_bytes == 8 ? 3 : 2) | 2};
}

bool ref_float(const Graph *graph, double value, Ref *ref)
{
    enum { LEAST_EXPONENT = 896, GREATEST_EXPONENT = 1151 };
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    unsigned exponent = bits >> 52 & 0x7FF;
    uint64_t mantissa = bits & ((UINT64_C(1) << 52) - 1);
    bool small = (exponent > LEAST_EXPONENT && exponent <= GREATEST_EXPONENT) ||
                 (exponent == LEAST_EXPONENT && mantissa) || (exponent == 0 && mantissa == 0);
    if (graph->word_bytes != 8 || !small)
        return false;
    uint64_t rotated = bits << 1 | bits >> 63;
    if (rotated > 1)
        rotated -= (uint64_t)LEAST_EXPONENT << 53;
    *ref = (Ref){NULL, (rotated << 3) + 4};
    return true;
}

/* --- Layout --- */

static size_t object_slots(const Graph *graph, const Object *object)
{
    size_t w = graph->word_bytes;
    return object->slot_count + (object->byte_count + w - 1) / w;
}

/* Bytes from the header on, without an overflow word in front. */
static size_t object_size(const Graph *graph, const Object *object)
{
    size_t body = (object_slots(graph, object) * graph->word_bytes + 7) & ~(size_t)7;
    return 8 + (body ? body : 8);
}

static bool object_overflows(const Graph *graph, const Object *object)
{
    return object_slots(graph, object) > SLOTS_IN_HEADER;
}

static uint64_t graph_lay_out(Graph *graph)
{
    uint64_t address = BASE_ADDRESS;
    for (Object *each = graph->first; each; each = each->next) {
        address += object_overflows(graph, each) ? 8 : 0;
        each->address = address;
        address += object_size(graph, each);
    }
    return address - BASE_ADDRESS;
}

/* --- Writing --- */

static void put(uint8_t *at, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        at[i] = (uint8_t)(value >> (8 * i));
}

/* The format with the count of unused elements at the end. */
static unsigned object_format(const Graph *graph, const Object *object)
{
    size_t unused =
        (graph->word_bytes - object->byte_count % graph->word_bytes) % graph->word_bytes;
    if (object->format >= FORMAT_BYTES)
        return object->format + (unsigned)unused;
    if (object->format >= FORMAT_SHORTS)
        return object->format + (unsigned)unused / 2;
    if (object->format == FORMAT_WORDS)
        return object->format + (unsigned)unused / 4;
    return object->format;
}

static void write_object(const Graph *graph, const Object *object, uint8_t *heap)
{
    uint8_t *at = heap + (object->address - BASE_ADDRESS);
    size_t slots = object_slots(graph, object);
    bool overflows = object_overflows(graph, object);
    if (overflows)
        put(at - 8, (uint64_t)slots | UINT64_C(0xFF) << 56, 8);
    put(at,
        object->class_index | (uint64_t)object_format(graph, object) << 24 |
            (uint64_t)object->hash << 32 | (uint64_t)(overflows ? 255 : slots) << 56,
        8);
    at += 8;
    for (size_t i = 0; i < object->slot_count; i++, at += graph->word_bytes) {
        const Object *target = object->slots[i].object;
        put(at, target ? target->address : object->slots[i].word, graph->word_bytes);
    }
    if (object->byte_count)
        memcpy(at, object->bytes, object->byte_count);
}

static void write_header(const Graph *graph, const Object *special_objects, uint64_t heap_size,
                         uint8_t *at)
{
    unsigned w = graph->word_bytes;
    put(at, w == 8 ? MAGIC_64 : MAGIC_32, 4);
    put(at + 4, 16 * w, 4);
    put(at + 8, heap_size, w);
    put(at + 8 + w, BASE_ADDRESS, w);
    put(at + 8 + 2 * w, special_objects->address, w);
    put(at + 8 + 3 * w, SEED_OF_HASHES, w);
    put(at + 8 + 4 * w, 640u << 16 | 480u, w); /* a window's size, for VMs with a screen */
    put(at + 8 + 5 * w, FLAG_LITTLE_ENDIAN_FLOATS | FLAG_PREEMPTED_STAYS_FIRST, w);
    /* Sizes of stack, eden, code zone and semaphore table: 0, the VM's choice. */
    put(at + (w == 8 ? 72 : 48), heap_size, w); /* the first and only segment */
}

uint8_t *graph_write(Graph *graph, const Object *special_objects, size_t *size)
{
    uint64_t objects = graph_lay_out(graph);
    uint64_t heap_size = objects + BRIDGE_BYTES;
    size_t header_size = 16 * graph->word_bytes;
    uint8_t *file = calloc(1, header_size + heap_size);
    if (!file)
        return NULL;
    write_header(graph, special_objects, heap_size, file);
    uint8_t *heap = file + header_size;
    for (const Object *each = graph->first; each; each = each->next)
        write_object(graph, each, heap);
    put(heap + objects,
        graph->word_bytes == 8 ? UINT64_C(0x0080000049000003) : UINT64_C(0x008000004A000003), 8);
    *size = header_size + heap_size;
    return file;
}
