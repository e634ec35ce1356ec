/* The image reader: file -> heap.
 *
 *   1. header                      which image, how large
 *   2. segments, chunk by chunk    into old space; headers are walked while they are in the cache:
 *                                  sizes, formats, a bit for each place a reference may lead to
 *   3. class table                 what each class index stands for (validate.c)
 *   4. objects                     every reference relocated and looked up in the bitmap
 *   5. special objects, scheduler  (validate.c)
 *
 * After step 2 all sizes are trustworthy, after step 4 all references and class
 * indices are. Internal objects (free chunks, bridges, forwarder corpses,
 * stacks of the saving VM's collector) become free chunks unless something of
 * this VM claims them. So what the memory manager adopts keeps H1 and H4.
 */
#include "kernel/vm/image/image.h"

#include <stdarg.h>

#include "osvm/world.h"

enum { READ_CHUNK = 1 << 20, MANY_FINDINGS = 1000 };

#define HEADER_UNUSED ((Header)1 << 22 | (Header)1 << 54)
#define HEADER_TRANSIENT (HEADER_MARKED | HEADER_GREY | HEADER_REMEMBERED | HEADER_UNUSED)

/* ---- Findings ---- */

uint64_t image_file_offset(const Image *image, Word address)
{
    for (size_t i = image->segment_count; i-- > 0;) {
        const ImageSegment *s = &image->segments[i];
        if (address >= s->memory && address - s->memory < s->bytes)
            return s->offset + (address - s->memory);
    }
    return UINT64_MAX;
}

static uint64_t saved_address(const Image *image, Word address)
{
    for (size_t i = image->segment_count; i-- > 0;) {
        const ImageSegment *s = &image->segments[i];
        if (address >= s->memory)
            return (Word)(s->saved + (address - s->memory));
    }
    return address;
}

typedef struct {
    char where[80], what[1024];
} Remark;

static void make_remark(Remark *remark, const Image *image, Word address, const char *format,
                        va_list arguments)
{
    vsnprintf(remark->what, sizeof remark->what, format, arguments);
    if (address)
        snprintf(remark->where, sizeof remark->where,
                 "byte %" PRIu64 " (object 0x%" PRIx64 ")", image_file_offset(image, address),
                 saved_address(image, address));
    else
        snprintf(remark->where, sizeof remark->where, "header");
}

bool image_finding(Image *image, Word address, const char *format, ...)
{
    Remark remark;
    va_list arguments;
    va_start(arguments, format);
    make_remark(&remark, image, address, format, arguments);
    va_end(arguments);
    if (image->findings++ == 0 && image->error)
        snprintf(image->error, image->error_size, "%s: %s: %s", image->path, remark.where,
                 remark.what);
    if (image->report && image->findings <= MANY_FINDINGS)
        image->report(image, remark.where, remark.what);
    return false;
}

void image_warning(Image *image, Word address, const char *format, ...)
{
    Remark remark;
    va_list arguments;
    if (++image->warnings > MANY_FINDINGS || !image->report)
        return;
    va_start(arguments, format);
    make_remark(&remark, image, address, format, arguments);
    va_end(arguments);
    char what[sizeof remark.what + 16];
    snprintf(what, sizeof what, "warning: %s", remark.what);
    image->report(image, remark.where, what);
}

/* After a finding: does the caller carry on, as a check does? */
static bool go_on(const Image *image)
{
    return image->report != NULL;
}

static bool io_finding(Image *image, const char *doing, int64_t result)
{
    return image_finding(image, 0, "%s: %s", doing, strerror((int)-result));
}

/* ---- Memory of the host ---- */

static bool grow(Image *image, void **block, size_t *capacity, size_t item)
{
    size_t wanted = *capacity ? *capacity * 2 : 64;
    void *bigger = image->host->resize(image->host, *block, *capacity * item, wanted * item);
    if (!bigger)
        return image_finding(image, 0, "no memory left for tables");
    *block = bigger;
    *capacity = wanted;
    return true;
}

void image_init(Image *image, Vm *vm, const char *path)
{
    memset(image, 0, sizeof *image);
    image->vm = vm;
    image->heap = &vm->heap;
    image->host = vm->setup->host;
    image->path = path;
    image->file = -1;
}

void image_close(Image *image)
{
    const OsvmHost *host = image->host;
    if (image->file >= 0)
        host->own->close(host->own, image->file);
    host->free(host, image->segments, image->segment_capacity * sizeof *image->segments);
    host->free(host, image->puns, image->pun_capacity * sizeof *image->puns);
    host->free(host, image->classes, image->class_count * sizeof *image->classes);
    host->free(host, image->starts, image->starts_bytes);
    image->file = -1;
    image->segments = NULL;
    image->puns = NULL;
    image->classes = NULL;
    image->starts = NULL;
}

/* ---- 1. The header ---- */

static bool open_file(Image *image)
{
    const OsvmWorld *world = image->host->own;
    OsvmStat stat;
    image->file = world->open(world, image->path, OSVM_READ, 0);
    if (image->file < 0)
        return io_finding(image, "cannot open it", image->file);
    int result = world->stat_file(world, image->file, &stat);
    if (result < 0)
        return io_finding(image, "cannot find its size", result);
    if (stat.kind != OSVM_FILE)
        return image_finding(image, 0, "it is not a regular file");
    image->file_size = (uint64_t)stat.size;
    return true;
}

static bool check_header(Image *image)
{
    ImageHeader *h = &image->header;
    if (h->word_bits != WORD_BITS)
        return image_finding(image, 0, "a %u-bit image; this core runs %d-bit images",
                             h->word_bits, WORD_BITS);
    if (h->header_size < IMAGE_HEADER_BYTES || h->header_size > 65536 || h->header_size % 4)
        return image_finding(image, 0, "header size is %u, expected %u", h->header_size,
                             IMAGE_HEADER_BYTES);
    uint64_t behind = h->start + h->header_size;
    if (h->data_size > image->file_size || behind > image->file_size - h->data_size)
        return image_finding(image, 0, "the file is cut off: it has %" PRIu64 " bytes, the header "
                             "speaks of %" PRIu64 " bytes of objects behind byte %" PRIu64,
                             image->file_size, h->data_size, behind);
    if (h->data_size % 8 || h->data_size > (Word)-1 / 2 * 2)
        return image_finding(image, 0, "size of the objects is 0x%" PRIx64 ", expected a multiple "
                             "of 8 that fits %d bits", h->data_size, WORD_BITS);
    if (h->old_base % 8 || h->old_base > (Word)-1 - h->data_size)
        return image_finding(image, 0, "base address is 0x%" PRIx64 ", expected a multiple of 8 "
                             "that leaves room for the objects", h->old_base);
    return true;
}

static bool read_header(Image *image)
{
    uint8_t bytes[IMAGE_PREFIX + IMAGE_HEADER_MAX];
    char reason[256];
    int64_t count = world_read_all(image->host->own, image->file, bytes, sizeof bytes);
    if (count < 0)
        return io_finding(image, "cannot read the header", count);
    const char *refusal = image_header_decode(&image->header, bytes, (size_t)count, reason,
                                              sizeof reason);
    if (refusal)
        return image_finding(image, 0, "%s", refusal);
    return check_header(image);
}

/* ---- 2. Segments and headers ---- */

#define FORMATS(first, last) (((uint32_t)2 << (last)) - ((uint32_t)1 << (first)))
#define VALID_FORMATS                                                                              \
    (FORMATS(0, 5) | FORMATS(7, 7) |                                                               \
     (WORD_BITS == 64 ? FORMATS(9, 30) | (uint32_t)1 << 31                                         \
                      : FORMATS(9, 10) | FORMATS(12, 13) | FORMATS(16, 19) | FORMATS(24, 27)))

static bool format_needs_slot(unsigned format)
{
    return format == FORMAT_EPHEMERON || format_is_code(format) ||
           (format > FORMAT_WORDS32 && format != FORMAT_SHORTS && format != FORMAT_BYTES);
}

static bool add_pun(Image *image, Oop oop)
{
    if (image->pun_count == image->pun_capacity &&
        !grow(image, (void **)&image->puns, &image->pun_capacity, sizeof *image->puns))
        return false;
    image->puns[image->pun_count++] = (ImagePun){oop, false};
    return true;
}

static void make_free(Oop oop)
{
    *header_at(oop) &= (Header)HEADER_SLOTS_OVERFLOW << HEADER_SLOTS_SHIFT;
}

/* An object whose class index is below 32. */
static bool walk_internal(Image *image, Oop oop)
{
    switch (object_class_index(oop)) {
    case CLASS_FORWARDER:
        if (object_format(oop) != FORMAT_FORWARDER)
            break;
        make_free(oop); /* a corpse; references to it are found later */
        return true;
    case CLASS_FREE:
    case CLASS_BRIDGE:
        make_free(oop);
        return true;
    case CLASS_ARRAY_PUN:
    case CLASS_WEAK_ARRAY_PUN:
    case CLASS_WORDS32_PUN:
    case CLASS_WORDS64_PUN:
        return add_pun(image, oop);
    }
    return image_finding(image, oop, "class index %u with format %u: such an object cannot exist",
                         (unsigned)object_class_index(oop), object_format(oop));
}

/* The bits of a running collector mean nothing in a file: a load drops them silently. */
static void clean_header(Image *image, Oop oop)
{
    Header header = header_of(oop);
    *header_at(oop) = header & ~HEADER_TRANSIENT;
    if (image->report && header_class_index(header) > CLASS_LAST_PUN)
        image_finding(image, oop, "header bits 0x%016" PRIx64 " are set, which a saved image does "
                      "not use", header & HEADER_TRANSIENT);
}

static bool note_object(Image *image, Oop oop, Word slots)
{
    Header header = header_of(oop);
    unsigned format = header_format(header);
    if (!(VALID_FORMATS >> format & 1))
        return image_finding(image, oop, "format %u does not exist in %d-bit images", format,
                             WORD_BITS);
    if (slots == 0 && format_needs_slot(format) && header_class_index(header) > CLASS_LAST_PUN)
        return image_finding(image, oop, "an object of format %u without slots", format);
    if (header & HEADER_TRANSIENT)
        clean_header(image, oop);
    if (header_class_index(header) <= CLASS_LAST_PUN)
        return walk_internal(image, oop);
    if (format == FORMAT_FORWARDER)
        return image_finding(image, oop, "a forwarder of class index %u, expected %d",
                             (unsigned)header_class_index(header), CLASS_FORWARDER);
    Word offset = oop - image->start;
    image->starts[offset >> 9] |= (uint64_t)1 << (offset >> 3 & 63);
    return true;
}

/* Answers the oop of the object that begins at `pos`, its slot count, and whether its headers make
 * sense. At least 16 bytes are there. */
static bool decode_header(Image *image, Word pos, Oop *oop, Word *slots)
{
    bool swapped = image->header.swapped;
    if (swapped)
        image_swap_words(pos, WORD_BYTES, 8 / WORD_BYTES);
    uint64_t first = *(uint64_t *)word_pointer(pos);
    *oop = pos;
    if (__builtin_expect(first >> HEADER_SLOTS_SHIFT != HEADER_SLOTS_OVERFLOW, 1)) {
        *slots = (Word)(first >> HEADER_SLOTS_SHIFT);
        return true;
    }
    *oop = pos + HEADER_BYTES;
    if (swapped)
        image_swap_words(*oop, WORD_BYTES, 8 / WORD_BYTES);
    if (header_short_slots(header_of(*oop)) != HEADER_SLOTS_OVERFLOW)
        return image_finding(image, pos, "a slot count (0x%016" PRIx64 ") that no header follows",
                             first);
    first &= OVERFLOW_COUNT_MASK;
    *slots = (Word)first;
    if (first > (Word)-1 / WORD_BYTES)
        return image_finding(image, pos, "a slot count of 0x%" PRIx64, first);
    return true;
}

/* Walks headers up to what has been read (`limit`) of a segment that ends at `end`. */
static bool walk_headers(Image *image, Word limit, Word end)
{
    Word pos = image->walked;
    while (pos <= limit && limit - pos >= SMALLEST_OBJECT) {
        Oop oop;
        Word slots = 0;
        if (!decode_header(image, pos, &oop, &slots))
            return false;
        Word room = end - oop - HEADER_BYTES;
        if (slots > room / WORD_BYTES || body_bytes_for_slots(slots) > room)
            return image_finding(image, oop, "an object of %" PRIuWORD " slots does not fit into "
                                 "the %" PRIuWORD " bytes left in its segment", slots, end - pos);
        if (image->header.swapped && !image_swap_body(oop))
            return image_finding(image, oop, "compiled code with more literals than slots");
        if (!note_object(image, oop, slots))
            return false;
        pos = oop + HEADER_BYTES + body_bytes_for_slots(slots);
    }
    image->walked = pos;
    if (limit == end && pos != end)
        return image_finding(image, pos, "%" PRIuWORD " bytes left at the end of the segment: "
                             "too few for an object", end - pos);
    return true;
}

static bool add_segment(Image *image, uint64_t offset, uint64_t saved, Word memory, uint64_t size)
{
    if (image->segment_count == image->segment_capacity &&
        !grow(image, (void **)&image->segments, &image->segment_capacity, sizeof *image->segments))
        return false;
    image->segments[image->segment_count++] =
        (ImageSegment){offset, (Word)saved, memory, (Word)size - BRIDGE_BYTES};
    return true;
}

/* Reads one segment of `size` bytes to `memory`, walking headers on the way. */
static bool read_segment(Image *image, Word memory, Word size)
{
    const OsvmWorld *world = image->host->own;
    Word end = memory + size - BRIDGE_BYTES;
    for (Word done = 0; done < size;) {
        size_t part = size - done < READ_CHUNK ? (size_t)(size - done) : READ_CHUNK;
        int64_t count = world_read_all(world, image->file, word_pointer(memory + done), part);
        if (count < 0)
            return io_finding(image, "cannot read the objects", count);
        if ((size_t)count != part)
            return image_finding(image, 0, "the file became shorter while it was being read");
        done += (Word)part;
        Word limit = memory + done < end ? memory + done : end;
        if ((limit == end || !image->header.swapped) && !walk_headers(image, limit, end))
            return false;
    }
    return true;
}

/* The two words at the end of a segment: how far the next one was, and how large it is. */
static bool read_bridge(Image *image, Word bridge, uint64_t *span, uint64_t *next)
{
    uint64_t pier[2];
    if (image->header.swapped)
        image_swap_words(bridge, WORD_BYTES, 2 * 8 / WORD_BYTES);
    memcpy(pier, word_pointer(bridge), sizeof pier);
    *next = pier[1];
    if (WORD_BITS == 32 && image->header.swapped && (uint32_t)pier[1] == 0)
        *next = pier[1] >> 32; /* the 64-bit size was written high word first */
    *span = 0;
    if (pier[0] >> 56 == HEADER_SLOTS_OVERFLOW)
        *span = (pier[0] & (WORD_BITS == 64 ? OVERFLOW_COUNT_MASK : UINT32_MAX)) * WORD_BYTES;
    else if (pier[0] >> 56)
        return image_finding(image, 0, "the bridge behind segment %zu begins with 0x%016" PRIx64
                             ", expected 0 or 0xFF in the top byte", image->segment_count, pier[0]);
    if (*next && (*next < BRIDGE_BYTES || *next % 8))
        return image_finding(image, 0, "segment %zu has a size of 0x%" PRIx64 " bytes",
                             image->segment_count + 1, *next);
    return true;
}

static bool read_segments(Image *image)
{
    const ImageHeader *h = &image->header;
    uint64_t offset = h->start + h->header_size, saved = h->old_base;
    uint64_t left = h->data_size, size = h->first_segment, span, next;
    if (size < BRIDGE_BYTES + 5 * SMALLEST_OBJECT || size % 8)
        return image_finding(image, 0, "the first segment has a size of 0x%" PRIx64 " bytes", size);
    image->end = image->start;
    for (;; size = next) {
        if (size > left)
            return image_finding(image, 0, "segment %zu has 0x%" PRIx64 " bytes, but only 0x%"
                                 PRIx64 " are left", image->segment_count + 1, size, left);
        Word memory = image->end;
        if (!add_segment(image, offset, saved, memory, size))
            return false;
        image->end = memory + (Word)size - BRIDGE_BYTES;
        if (!read_segment(image, memory, (Word)size) ||
            !read_bridge(image, image->end, &span, &next))
            return false;
        left -= size;
        offset += size;
        if (next == 0)
            break;
        if (__builtin_add_overflow(saved, size, &saved) ||
            __builtin_add_overflow(saved, span, &saved) || saved > (Word)-1 - next)
            return image_finding(image, 0, "the gap behind segment %zu, 0x%" PRIx64 " bytes, leads "
                                 "out of the address space", image->segment_count, span);
    }
    if (left)
        return image_finding(image, 0, "the segments end 0x%" PRIx64 " bytes before the objects do",
                             left);
    return true;
}

static bool prepare_memory(Image *image)
{
    Heap *heap = image->heap;
    Word bytes = (Word)image->header.data_size;
    if (!heap->mm->ops->prepare_load(heap->mm, bytes))
        return image_finding(image, 0, "no room for %" PRIuWORD " bytes of objects", bytes);
    image->start = image->walked = heap->old_start;
    image->starts_bytes = ((size_t)bytes >> 9) * 8 + 8;
    image->starts = image->host->alloc(image->host, image->starts_bytes);
    if (!image->starts)
        return image_finding(image, 0, "no memory left for tables");
    int64_t offset = (int64_t)(image->header.start + image->header.header_size);
    int64_t result = image->host->own->seek(image->host->own, image->file, offset,
                                              OSVM_SEEK_SET);
    return result < 0 ? io_finding(image, "cannot seek", result) : true;
}

/* ---- 4. References ---- */

/* The loaded address of a saved one, wherever in a segment; NO_OOP if in none. */
static Word translate(const Image *image, Word saved)
{
    const ImageSegment *s = image->segments;
    size_t low = 0, high = image->segment_count;
    while (high - low > 1) { /* the highest segment that begins at or below it */
        size_t middle = (low + high) / 2;
        if (s[middle].saved <= saved)
            low = middle;
        else
            high = middle;
    }
    Word offset = saved - s[low].saved;
    return offset < s[low].bytes ? s[low].memory + offset : NO_OOP;
}

Oop image_relocate(const Image *image, Word saved)
{
    Word address = translate(image, saved);
    return address && image_is_object(image, address) ? address : NO_OOP;
}

ImagePun *image_relocate_pun(Image *image, Word saved)
{
    Word address = translate(image, saved);
    size_t low = 0, high = address ? image->pun_count : 0;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (image->puns[middle].oop < address)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == image->pun_count || image->puns[low].oop != address || !address)
        return NULL;
    image->puns[low].claimed = true;
    return &image->puns[low];
}

/* Immediate tags that mean something. */
#define VALID_TAGS (WORD_BITS == 64 ? 1u << 1 | 1u << 2 | 1u << 4 : 1u << 1 | 1u << 2 | 1u << 3)

static bool bad_reference(Image *image, Oop object, Word slot)
{
    Word *place = object_slots(object) + slot;
    Word address = is_object(*place) ? translate(image, *place) : NO_OOP;
    Word value = *place;
    *place = image->start; /* nil, so that a check can go on */
    if (!is_object(value))
        return image_finding(image, object,
                             "slot %" PRIuWORD " is 0x%" PRIxWORD ", whose tag means "
                             "nothing", slot, value);
    if (!address)
        return image_finding(image, object, "slot %" PRIuWORD " is 0x%" PRIxWORD ", which lies in "
                             "no segment", slot, value);
    return image_finding(image, object, "slot %" PRIuWORD " is 0x%" PRIxWORD " (byte %" PRIu64
                         "), where no object begins that may be referred to", slot, value,
                         image_file_offset(image, address));
}

/* Relocates the slots [first, end) of an object. */
static bool relocate_slots(Image *image, Oop object, Word first, Word end)
{
    Word *slots = object_slots(object);
    Word base = image->segments[0].saved, start = image->start;
    Word bytes = image->segment_count == 1 ? image->segments[0].bytes : 0;
    const uint64_t *starts = image->starts;
    bool sound = true;
    for (Word i = first; i < end; i++) {
        Word value = slots[i];
        if (!is_object(value)) {
            if (VALID_TAGS >> (value & TAG_MASK) & 1)
                continue;
        } else {
            Word offset = value - base;
            if (offset < bytes && !(offset & (OBJECT_ALIGNMENT - 1)) &&
                starts[offset >> 9] >> (offset >> 3 & 63) & 1) {
                slots[i] = start + offset;
                continue;
            }
            if (!bytes && (slots[i] = image_relocate(image, value)))
                continue;
            slots[i] = value;
        }
        sound = bad_reference(image, object, i);
        if (!go_on(image))
            return false;
    }
    return sound;
}

/* Is an object of `format` possible as an instance of a class of specification `spec`? Kinds may
 * not mix: methods of pointer classes refer to variables, and bits objects have none. */
static bool kinds_agree(unsigned spec, unsigned format)
{
    if (spec <= FORMAT_LAST_POINTERS)
        return format <= FORMAT_LAST_POINTERS;
    if (spec >= FORMAT_CODE)
        return format >= FORMAT_CODE;
    return spec >= FORMAT_WORDS64 && format_is_bits(format);
}

/* Checks an object against its class; gives it its class's own index. */
static bool check_class(Image *image, Oop object, Word index)
{
    Header header = header_of(object);
    unsigned format = header_format(header);
    if (index >= image->class_count || !image->classes[index].live) {
        *header_at(object) = (header & ~HEADER_CLASS_MASK) | CLASS_ARRAY_PUN;
        return image_finding(image, object, "class index %" PRIuWORD " stands for no class", index);
    }
    const ClassFacts *facts = &image->classes[index];
    if (facts->canonical != index)
        *header_at(object) = (header & ~HEADER_CLASS_MASK) | facts->canonical;
    if (!kinds_agree(facts->spec, format))
        return image_finding(image, object, "an object of format %u, but its class (index %"
                             PRIuWORD ") has instances of format %u", format, index, facts->spec);
    if (format <= FORMAT_LAST_POINTERS && object_slot_count(object) < facts->fixed)
        return image_finding(image, object, "an object of %" PRIuWORD " slots, but its class "
                             "(index %" PRIuWORD ") names %u variables",
                             object_slot_count(object), index, facts->fixed);
    return true;
}

/* Relocates and checks one normal object. */
static bool load_object(Image *image, Oop object, Word class_index)
{
    unsigned format = object_format(object);
    Word first = 0, end = 0;
    bool sound = check_class(image, object, class_index);
    if (!sound && !go_on(image))
        return false;
    if (format <= FORMAT_LAST_POINTERS)
        end = object_slot_count(object);
    else if (format_is_code(format)) {
        if (!image_validate_code(image, object)) {
            *header_at(object) -= (Header)(FORMAT_CODE - FORMAT_BYTES) << HEADER_FORMAT_SHIFT;
            return false; /* plain bytes now, so that a check can go on */
        }
        first = 1;
        end = 1 + method_header_literals(small_integer_value(object_slot(object, 0)));
    }
    sound &= relocate_slots(image, object, first, end);
    if (!sound && !go_on(image))
        return false;
    class_index = object_class_index(object); /* the canonical one */
    if (class_index <= CLASS_BITMAP && !image_validate_known(image, object, class_index))
        return false;
    return sound;
}

static bool load_objects(Image *image)
{
    Word pos = image->start;
    bool sound = true;
    while (pos < image->end) {
        Oop object = object_at_start(pos);
        Word class_index = object_class_index(object);
        pos = object_end(object);
        if (class_index > CLASS_LAST_PUN && !load_object(image, object, class_index)) {
            sound = false;
            if (!go_on(image))
                return false;
        }
    }
    return sound;
}

/* What the saving VM kept for itself is free now. */
static void free_unclaimed(Image *image)
{
    for (size_t i = 0; i < image->pun_count; i++)
        if (!image->puns[i].claimed)
            make_free(image->puns[i].oop);
}

/* ---- All of it ---- */

bool image_load(Image *image)
{
    if (!open_file(image) || !read_header(image) || !prepare_memory(image) ||
        !read_segments(image) || !image_validate_roots(image) || !image_validate_classes(image))
        return false;
    bool sound = load_objects(image);
    if (!sound && !go_on(image))
        return false;
    if (!image_validate_system(image))
        return false;
    free_unclaimed(image);
    image->sound = true;
    return sound;
}

bool image_judge(Image *image, Word start, Word end, Oop special_objects)
{
    image->start = image->walked = start;
    image->end = end;
    image->header.old_base = start;
    image->header.special_objects = special_objects;
    image->header.flags = IMAGE_LITTLE_FLOATS;
    image->starts_bytes = ((size_t)(end - start) >> 9) * 8 + 8;
    image->starts = image->host->alloc(image->host, image->starts_bytes);
    if (!image->starts)
        return image_finding(image, 0, "no memory left for tables");
    if (!add_segment(image, 0, start, start, (uint64_t)(end - start) + BRIDGE_BYTES) ||
        !walk_headers(image, end, end) || !image_validate_roots(image) ||
        !image_validate_classes(image))
        return false;
    bool sound = load_objects(image);
    return sound && image_validate_system(image);
}

/* A state in which the generator of identity hashes ends: see heap_fresh_hash(). */
static Word sane_hash_state(uint64_t saved)
{
    Word state = (Word)saved;
    return state << (WORD_BITS - 24) ? state : state ^ 0x4F53564D;
}

bool image_read_facts(const CoreSetup *setup, const char *path, ImageFacts *facts, char *error,
                      size_t error_size)
{
    Image image;
    memset(&image, 0, sizeof image);
    image.host = setup->host;
    image.path = path;
    image.file = -1;
    image.error = error;
    image.error_size = error_size;
    bool sound = open_file(&image) && read_header(&image);
    if (sound)
        image_facts_get(facts, &image.header);
    image_close(&image);
    return sound;
}

bool image_read(Vm *vm, const char *path, char *error, size_t error_size)
{
    Image image;
    image_init(&image, vm, path);
    image.error = error;
    image.error_size = error_size;
    bool loaded = image_load(&image);
    if (loaded) {
        Heap *heap = &vm->heap;
        image_facts_get(&vm->image, &image.header);
        vm->image.flags |= IMAGE_LITTLE_FLOATS;
        heap->special_objects = image.special_objects;
        heap->last_hash = sane_hash_state(image.header.last_hash);
        heap->mm->ops->adopt(heap->mm, image.end);
    }
    image_close(&image);
    return loaded;
}
