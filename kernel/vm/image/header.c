/* The header of image files, of either width and byte order.
 *
 * The fields are the same in both widths; a table says where each lies. The
 * magic number in front is a 32-bit integer in the writer's byte order.
 */
#include "kernel/vm/image/image.h"

typedef struct {
    uint16_t member; /* offset in ImageHeader */
    uint8_t bytes;   /* of the member */
    uint8_t at32, size32;
    uint8_t at64, size64;
} Field;

#define FIELD(name, at32_, size32_, at64_, size64_)                                                \
    {offsetof(ImageHeader, name), sizeof(((ImageHeader *)0)->name), at32_, size32_, at64_, size64_}

static const Field fields[] = {
    FIELD(version, 0, 4, 0, 4),
    FIELD(header_size, 4, 4, 4, 4),
    FIELD(data_size, 8, 4, 8, 8),
    FIELD(old_base, 12, 4, 16, 8),
    FIELD(special_objects, 16, 4, 24, 8),
    FIELD(last_hash, 20, 4, 32, 8),
    FIELD(screen_size, 24, 4, 40, 8),
    FIELD(flags, 28, 4, 48, 8),
    FIELD(extra_vm_memory, 32, 4, 56, 4),
    FIELD(stack_pages, 36, 2, 60, 2),
    FIELD(code_zone_kib, 38, 2, 62, 2),
    FIELD(eden_bytes, 40, 4, 64, 4),
    FIELD(external_semaphores, 44, 2, 68, 2),
    FIELD(unknown_short, 46, 2, 70, 2),
    FIELD(first_segment, 48, 4, 72, 8),
    FIELD(free_old_space, 52, 4, 80, 8),
};
enum { FIELD_COUNT = sizeof fields / sizeof fields[0] };

/* Formats that are known and not read. */
static const struct {
    uint32_t magic;
    const char *name;
} refused[] = {
    {6502, "a 32-bit image of the pre-Spur (V3) format, without closures"},
    {6504, "a 32-bit image of the pre-Spur (V3) format with closures"},
    {6505, "a 32-bit image of the pre-Spur (V3) format with closures and native floats"},
    {68000, "a 64-bit image of the pre-Spur format, without closures"},
    {68002, "a 64-bit image of the pre-Spur format with closures"},
    {68003, "a 64-bit image of the pre-Spur format with closures and native floats"},
    {68004, "a 64-bit image of the pre-Spur format"},
    {68019, "a 64-bit Spur image of the obsolete layout 68019"},
};

uint64_t image_swap(uint64_t value, unsigned bytes)
{
    return __builtin_bswap64(value) >> (64 - 8 * bytes);
}

static uint64_t fetch(const uint8_t *from, unsigned bytes, bool swapped)
{
    uint16_t two;
    uint32_t four;
    uint64_t eight, value;
    switch (bytes) {
    case 2: memcpy(&two, from, 2); value = two; break;
    case 4: memcpy(&four, from, 4); value = four; break;
    default: memcpy(&eight, from, 8); value = eight;
    }
    return swapped ? image_swap(value, bytes) : value;
}

static void put(uint8_t *to, uint64_t value, unsigned bytes, bool swapped)
{
    if (swapped)
        value = image_swap(value, bytes);
    uint16_t two = (uint16_t)value;
    uint32_t four = (uint32_t)value;
    switch (bytes) {
    case 2: memcpy(to, &two, 2); break;
    case 4: memcpy(to, &four, 4); break;
    default: memcpy(to, &value, 8);
    }
}

/* 32 or 64 if the four bytes are the magic number of an image that is read, else 0. */
static unsigned magic_width(uint32_t magic)
{
    magic &= ~(uint32_t)IMAGE_MULTIPLE_SETS;
    return magic == IMAGE_MAGIC_32 ? 32 : magic == IMAGE_MAGIC_64 ? 64 : 0;
}

static bool find_magic(ImageHeader *header, const uint8_t *bytes, size_t count)
{
    for (uint64_t start = 0; start <= IMAGE_PREFIX && start + 4 <= count; start += IMAGE_PREFIX)
        for (int swapped = 0; swapped < 2; swapped++) {
            header->word_bits = magic_width((uint32_t)fetch(bytes + start, 4, swapped));
            if (header->word_bits) {
                header->start = start;
                header->swapped = swapped;
                return true;
            }
        }
    return false;
}

static const char *name_other_format(const uint8_t *bytes, size_t count, char *reason, size_t size)
{
    if (count < 4)
        return "too short to be an image";
    for (size_t start = 0; start <= IMAGE_PREFIX && start + 4 <= count; start += IMAGE_PREFIX)
        for (int swapped = 0; swapped < 2; swapped++) {
            uint32_t magic = (uint32_t)fetch(bytes + start, 4, swapped);
            for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
                if (refused[i].magic == magic) {
                    snprintf(reason, size, "%s (magic number %u); only Spur images are read",
                             refused[i].name, magic);
                    return reason;
                }
        }
    if (bytes[0] == 0x1F && bytes[1] == 0x8B)
        return "a gzip file; unpack it first";
    if (bytes[0] == 'P' && bytes[1] == 'K')
        return "a zip archive; unpack it first";
    snprintf(reason, size, "no image: it begins with %02X %02X %02X %02X instead of the magic "
             "number %d, %d or one with bit 0x200", bytes[0], bytes[1], bytes[2], bytes[3],
             IMAGE_MAGIC_32, IMAGE_MAGIC_64);
    return reason;
}

const char *image_header_decode(ImageHeader *header, const uint8_t *bytes, size_t count,
                                char *reason, size_t reason_size)
{
    memset(header, 0, sizeof *header);
    if (!find_magic(header, bytes, count))
        return name_other_format(bytes, count, reason, reason_size);
    unsigned wanted = 2 * header->word_bits;
    if (count - header->start < wanted) {
        snprintf(reason, reason_size, "cut off in the header: %zu of %u bytes are there",
                 count - (size_t)header->start, wanted);
        return reason;
    }
    const uint8_t *from = bytes + header->start;
    bool wide = header->word_bits == 64;
    for (int i = 0; i < FIELD_COUNT; i++) {
        const Field *f = &fields[i];
        uint64_t value = fetch(from + (wide ? f->at64 : f->at32), wide ? f->size64 : f->size32,
                               header->swapped);
        put((uint8_t *)header + f->member, value, f->bytes, false);
    }
    return NULL;
}

size_t image_header_encode(const ImageHeader *header, uint8_t bytes[IMAGE_HEADER_MAX])
{
    bool wide = header->word_bits == 64;
    memset(bytes, 0, IMAGE_HEADER_MAX);
    for (int i = 0; i < FIELD_COUNT; i++) {
        const Field *f = &fields[i];
        put(bytes + (wide ? f->at64 : f->at32),
            fetch((const uint8_t *)header + f->member, f->bytes, false),
            wide ? f->size64 : f->size32, header->swapped);
    }
    return header->header_size;
}

void image_facts_get(ImageFacts *facts, const ImageHeader *header)
{
    *facts = (ImageFacts){
        .version = header->version,
        .screen_size = header->screen_size,
        .flags = header->flags,
        .extra_vm_memory = header->extra_vm_memory,
        .stack_pages = header->stack_pages,
        .code_zone_kib = header->code_zone_kib,
        .eden_bytes = header->eden_bytes,
        .external_semaphores = header->external_semaphores,
        .unknown_short = header->unknown_short,
    };
}

void image_facts_put(const ImageFacts *facts, ImageHeader *header)
{
    header->version = facts->version;
    header->screen_size = facts->screen_size;
    header->flags = facts->flags;
    header->extra_vm_memory = facts->extra_vm_memory;
    header->stack_pages = facts->stack_pages;
    header->code_zone_kib = facts->code_zone_kib;
    header->eden_bytes = facts->eden_bytes;
    header->external_semaphores = facts->external_semaphores;
    header->unknown_short = facts->unknown_short;
}
