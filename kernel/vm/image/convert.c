/* `osvm convert`: an image of the other word size into this core's.
 *
 *   1. survey  walk the source, bounds-checked; decide what becomes of each object: a place in the
 *              new heap, an immediate (a LargeInteger or Float that now fits), or nothing
 *   2. boxes   immediates that no longer fit get objects, one for each value
 *   3. copy    every object in its new shape, references looked up by old address
 *   4. judge   the reader's own validation over the result, then the writer
 *
 * Order is kept; so are identity hashes, class indices, flags. Bits objects keep
 * their elements, code its bytecodes; pcs move with the size of the literals.
 * A source of this core's own width is read and written: that makes one segment
 * of several, and this host's byte order of the other. For sources of the other width
 * that is done first, by the command.
 */
#include "kernel/vm/image/inspect.h"
#include "kernel/vm/image/still.h"
#include "osvm/world.h"

enum {
    SOURCE_BITS = 96 - WORD_BITS,
    SOURCE_BYTES = SOURCE_BITS / 8,
    SOURCE_INTEGER_SHIFT = SOURCE_BITS == 64 ? 3 : 1,
    SOURCE_TAG_BITS = SOURCE_BITS == 64 ? 3 : 2,
    SOURCE_LISTS = SOURCE_BITS,
};

/* An object of the source. Offsets are into the source's objects. */
typedef struct {
    uint64_t from;   /* its header */
    uint64_t slots;
    Header header;
    Word to;         /* offset of its memory in the new heap, if `size` */
    Word size;       /* bytes there; 0: it has become `immediate`, or nothing if that is 0 */
    Oop immediate;
    Word new_slots;
    uint8_t new_format;
} Entry;

/* An immediate of the source that needs an object here. */
typedef struct {
    uint64_t bits; /* the integer, or the double */
    bool is_float;
    Oop to;        /* offset of its memory; 0: this place of the table is empty */
} Box;

typedef struct {
    const OsvmHost *host;
    OsvmError *error;
    const char *path;
    ImageHeader header;
    uint8_t *data; /* the objects, without the bridge */
    uint64_t bytes, data_bytes;
    Entry *entries;
    size_t count, capacity;
    Box *boxes; /* a hash table, open addressing */
    size_t box_count, box_capacity;
    uint64_t total; /* bytes of the new heap so far */
    Oop *mourners;  /* the objects that wait for finalization, in order */
    size_t mourner_count, mourner_capacity;
    Vm *vm;
    Word start;
} Converter;

static bool refuse(Converter *c, uint64_t at, const char *format, ...)
{
    char what[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    uint64_t byte = at + c->header.start + c->header.header_size;
    return c->host->fail(c->error, OSVM_BAD_DATA, "%s: byte %" PRIu64 " (object 0x%" PRIx64 "): %s",
                         c->path, byte, c->header.old_base + at, what);
}

static bool no_memory(Converter *c)
{
    return c->host->fail(c->error, OSVM_INTERNAL, "no memory left to convert %s", c->path);
}

/* ---- The source ---- */

static uint64_t source_word(const Converter *c, uint64_t offset)
{
    uint64_t eight = 0;
    uint32_t four;
    if (SOURCE_BITS == 64)
        memcpy(&eight, c->data + offset, 8);
    else {
        memcpy(&four, c->data + offset, 4);
        eight = four;
    }
    return eight;
}

static uint64_t source_slot(const Converter *c, const Entry *e, uint64_t index)
{
    return source_word(c, e->from + HEADER_BYTES + index * SOURCE_BYTES);
}

static bool source_is_integer(uint64_t word)
{
    return SOURCE_BITS == 64 ? (word & 7) == 1 : word & 1;
}

static bool source_is_object(uint64_t word)
{
    return (word & ((1u << SOURCE_TAG_BITS) - 1)) == 0;
}

static int64_t source_integer(uint64_t word)
{
    return SOURCE_BITS == 64 ? (int64_t)word >> 3 : (int64_t)((int32_t)(uint32_t)word >> 1);
}

static Entry *find_entry(const Converter *c, uint64_t word)
{
    uint64_t from = word - c->header.old_base;
    size_t low = 0, high = c->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (c->entries[middle].from < from)
            low = middle + 1;
        else
            high = middle;
    }
    return low < c->count && c->entries[low].from == from ? &c->entries[low] : NULL;
}

static unsigned entry_format(const Entry *e)
{
    return header_format(e->header);
}

static Word entry_class(const Entry *e)
{
    return header_class_index(e->header);
}

static uint64_t literal_count(const Converter *c, const Entry *code)
{
    return method_header_literals((SWord)source_integer(source_slot(c, code, 0)));
}

/* Bytes of data of a bits or code object of the source. */
static uint64_t source_bytes(const Entry *e)
{
    uint64_t bytes = e->slots * SOURCE_BYTES;
    unsigned format = entry_format(e);
    if (format >= FORMAT_BYTES)
        return bytes - (format & 7);
    if (format >= FORMAT_SHORTS)
        return bytes - (format & 3) * 2;
    return format >= FORMAT_WORDS32 ? bytes - (format & 1) * 4 : bytes;
}

static bool load_source(Converter *c, int file)
{
    const OsvmWorld *world = c->host->own;
    const ImageHeader *h = &c->header;
    OsvmStat stat;
    int result = world->stat_file(world, file, &stat);
    if (result < 0)
        return c->host->fail(c->error, OSVM_NO_INPUT, "cannot find the size of %s: %s", c->path,
                             strerror(-result));
    if (h->data_size > (uint64_t)stat.size ||
        h->start + h->header_size > (uint64_t)stat.size - h->data_size)
        return c->host->fail(c->error, OSVM_BAD_DATA, "%s is cut off", c->path);
    if (h->swapped || h->first_segment != h->data_size || !(h->flags & IMAGE_LITTLE_FLOATS))
        return c->host->fail(c->error, OSVM_UNAVAILABLE, "%s has several segments or another byte "
                             "order: only the core of its own width reads it", c->path);
    if (h->data_size < 256 || h->data_size % 8 || h->old_base % 8)
        return c->host->fail(c->error, OSVM_BAD_DATA, "%s: sizes or base address in the header "
                             "make no sense", c->path);
    c->data_bytes = h->data_size;
    c->data = c->host->alloc(c->host, c->data_bytes);
    if (!c->data)
        return no_memory(c);
    if (world->seek(world, file, (int64_t)(h->start + h->header_size), OSVM_SEEK_SET) < 0 ||
        world_read_all(world, file, c->data, c->data_bytes) != (int64_t)c->data_bytes)
        return c->host->fail(c->error, OSVM_IO_ERROR, "cannot read %s", c->path);
    c->bytes = c->data_bytes - BRIDGE_BYTES;
    return true;
}

/* ---- 1. Survey ---- */

static bool add_entry(Converter *c, Entry entry)
{
    if (c->count == c->capacity) {
        size_t wanted = c->capacity ? c->capacity * 2 : 4096;
        Entry *bigger = c->host->resize(c->host, c->entries, c->capacity * sizeof *bigger,
                                        wanted * sizeof *bigger);
        if (!bigger)
            return no_memory(c);
        c->entries = bigger;
        c->capacity = wanted;
    }
    c->entries[c->count++] = entry;
    return true;
}

/* Counts and formats of bits objects: elements stay, slots and odd counts change. */
static void reshape_bits(Entry *e, uint64_t bytes)
{
    unsigned format = entry_format(e), unused;
    e->new_slots = (Word)((bytes + WORD_BYTES - 1) / WORD_BYTES);
    unused = (unsigned)(e->new_slots * WORD_BYTES - bytes);
    if (format >= FORMAT_CODE)
        e->new_format = (uint8_t)(FORMAT_CODE + unused);
    else if (format >= FORMAT_BYTES)
        e->new_format = (uint8_t)(FORMAT_BYTES + unused);
    else if (format >= FORMAT_SHORTS)
        e->new_format = (uint8_t)(FORMAT_SHORTS + unused / 2);
    else if (format >= FORMAT_WORDS32)
        e->new_format = (uint8_t)(FORMAT_WORDS32 + unused / 4);
    else
        e->new_format = FORMAT_WORDS64;
}

/* Does a LargeInteger fit an immediate of this width? */
static Oop shrink_integer(const Converter *c, const Entry *e)
{
    uint64_t bytes = source_bytes(e), value = 0;
    const uint8_t *digits = c->data + e->from + HEADER_BYTES;
    while (bytes && digits[bytes - 1] == 0)
        bytes--;
    if (bytes > sizeof value)
        return NO_OOP;
    memcpy(&value, digits, bytes);
    if (value > INT64_MAX)
        return NO_OOP;
    int64_t number = entry_class(e) == CLASS_LARGE_NEGATIVE ? -(int64_t)value : (int64_t)value;
    return fits_small_integer(number) ? small_integer_oop((SWord)number) : NO_OOP;
}

/* Objects that are immediates in this width. */
static Oop shrink(const Converter *c, const Entry *e)
{
    Word class = entry_class(e);
    unsigned format = entry_format(e);
    double value;
    if ((class == CLASS_LARGE_POSITIVE || class == CLASS_LARGE_NEGATIVE) && format_is_bytes(format))
        return shrink_integer(c, e);
    if (class != CLASS_FLOAT || format != FORMAT_WORDS32 || e->slots * SOURCE_BYTES != 8)
        return NO_OOP;
    memcpy(&value, c->data + e->from + HEADER_BYTES, sizeof value);
    return small_float_oop(value);
}

static bool plan_code(Converter *c, Entry *e)
{
    uint64_t first = e->slots ? source_slot(c, e, 0) : 0;
    uint64_t literals = source_is_integer(first) ? literal_count(c, e) : UINT32_MAX;
    uint64_t begin = (1 + literals) * SOURCE_BYTES;
    if (begin >= source_bytes(e))
        return refuse(c, e->from, "compiled code without a header, or with more literals "
                      "than slots");
    reshape_bits(e, (1 + literals) * WORD_BYTES + (source_bytes(e) - begin));
    return true;
}

/* Odd counts are smaller than a word of the source. */
static bool source_format_exists(unsigned format)
{
    unsigned elements = SOURCE_BYTES / (format >= FORMAT_BYTES ? 1 : format >= FORMAT_SHORTS ? 2
                                        : 4);
    if (format < FORMAT_WORDS32)
        return format <= FORMAT_LAST_POINTERS || format == FORMAT_WORDS64;
    return (format & (format >= FORMAT_BYTES ? 7 : format >= FORMAT_SHORTS ? 3 : 1)) < elements;
}

/* What becomes of an object. */
static bool plan_object(Converter *c, Entry *e)
{
    unsigned format = entry_format(e);
    Word class = entry_class(e);
    if (class <= CLASS_LAST_PUN && class != CLASS_ARRAY_PUN && c->count != 3)
        return true; /* free, bridge, corpse or the saving VM's own */
    if (!source_format_exists(format) || (e->slots == 0 && source_bytes(e) != 0))
        return refuse(c, e->from, "format %u with %" PRIu64 " slots", format, e->slots);
    e->immediate = shrink(c, e);
    if (e->immediate)
        return true;
    e->new_slots = (Word)e->slots;
    e->new_format = (uint8_t)format;
    if (class <= CLASS_LAST_PUN && class != CLASS_ARRAY_PUN) {
        e->new_slots = FREE_LISTS;
        e->new_format = WORD_BITS == 64 ? FORMAT_WORDS64 : FORMAT_WORDS32;
    } else if (format_is_code(format)) {
        if (!plan_code(c, e))
            return false;
    } else if (format > FORMAT_LAST_POINTERS)
        reshape_bits(e, source_bytes(e));
    e->size = object_size_for_slots(e->new_slots);
    e->to = (Word)c->total;
    c->total += e->size;
    return WORD_BITS == 64 || c->total < UINT32_MAX - 65536 ||
           refuse(c, e->from, "up to here there are already more objects than fit a 32-bit image");
}

static bool survey_object(Converter *c, uint64_t pos, uint64_t *next)
{
    Entry e = {.from = pos};
    memcpy(&e.header, c->data + pos, 8);
    e.slots = header_short_slots(e.header);
    if (e.slots == HEADER_SLOTS_OVERFLOW) {
        e.slots = e.header & OVERFLOW_COUNT_MASK;
        e.from = pos + HEADER_BYTES;
        memcpy(&e.header, c->data + e.from, 8);
    }
    uint64_t room = c->bytes - e.from - HEADER_BYTES, body;
    if (e.slots > room / SOURCE_BYTES)
        return refuse(c, e.from, "an object of %" PRIu64 " slots does not fit into the file",
                      e.slots);
    body = (e.slots * SOURCE_BYTES + 7) / 8 * 8;
    body = body ? body : 8;
    if (body > room)
        return refuse(c, e.from, "an object of %" PRIu64 " slots does not fit into the file",
                      e.slots);
    *next = e.from + HEADER_BYTES + body;
    return plan_object(c, &e) && add_entry(c, e);
}

static bool survey(Converter *c)
{
    for (uint64_t pos = 0; pos < c->bytes;) {
        if (c->bytes - pos < SMALLEST_OBJECT)
            return refuse(c, pos, "too few bytes for an object at the end");
        if (!survey_object(c, pos, &pos))
            return false;
    }
    if (c->count < 5 || entry_format(&c->entries[4]) != FORMAT_INDEXABLE ||
        c->entries[4].slots != HIDDEN_ROOTS_SLOTS || entry_class(&c->entries[4]) != CLASS_ARRAY_PUN)
        return refuse(c, 0, "the fifth object is no class table");
    return true;
}

/* ---- 2. Boxes ---- */

static size_t box_index(const Converter *c, uint64_t bits, bool is_float)
{
    size_t mask = c->box_capacity - 1;
    size_t i = (size_t)((bits ^ is_float) * 0x9E3779B97F4A7C15u >> 20) & mask;
    while (c->boxes[i].to && (c->boxes[i].bits != bits || c->boxes[i].is_float != is_float))
        i = (i + 1) & mask;
    return i;
}

static bool grow_boxes(Converter *c)
{
    Box *old = c->boxes;
    size_t old_capacity = c->box_capacity;
    c->box_capacity = old_capacity ? old_capacity * 2 : 1024;
    c->boxes = c->host->alloc(c->host, c->box_capacity * sizeof *c->boxes);
    if (!c->boxes) {
        c->boxes = old;
        c->box_capacity = old_capacity;
        return no_memory(c);
    }
    for (size_t i = 0; i < old_capacity; i++)
        if (old[i].to)
            c->boxes[box_index(c, old[i].bits, old[i].is_float)] = old[i];
    c->host->free(c->host, old, old_capacity * sizeof *old);
    return true;
}

/* The value of an immediate that needs a box here. */
static bool needs_box(uint64_t word, uint64_t *bits, bool *is_float)
{
    if (SOURCE_BITS != 64 || source_is_object(word))
        return false;
    *is_float = (word & 7) == SMALL_FLOAT_TAG;
    if (*is_float) {
        uint64_t rotated = word >> 3;
        if (rotated > 1)
            rotated += SMALL_FLOAT_OFFSET;
        *bits = rotated >> 1 | rotated << 63;
        return true;
    }
    *bits = (uint64_t)source_integer(word);
    return source_is_integer(word) && !fits_small_integer((int64_t)*bits);
}

static bool add_box(Converter *c, uint64_t word)
{
    uint64_t bits;
    bool is_float;
    if (!needs_box(word, &bits, &is_float))
        return true;
    if (c->box_count * 2 >= c->box_capacity && !grow_boxes(c))
        return false;
    Box *box = &c->boxes[box_index(c, bits, is_float)];
    if (box->to)
        return true;
    *box = (Box){bits, is_float, (Oop)c->total};
    c->box_count++;
    c->total += object_size_for_slots(8 / WORD_BYTES);
    return c->total < UINT32_MAX - 65536 ||
           refuse(c, 0, "its immediates need more boxes than fit a 32-bit image");
}

/* Slots of an entry that are references, [*first, *end). */
static void reference_slots(const Converter *c, const Entry *e, uint64_t *first, uint64_t *end)
{
    unsigned format = entry_format(e);
    *first = *end = 0;
    if (format <= FORMAT_LAST_POINTERS)
        *end = e->slots;
    else if (format_is_code(format)) {
        *first = 1;
        *end = 1 + literal_count(c, e);
    }
}

static bool find_boxes(Converter *c)
{
    for (size_t i = 0; i < c->count && SOURCE_BITS == 64; i++) {
        const Entry *e = &c->entries[i];
        uint64_t first, end;
        if (!e->size)
            continue;
        reference_slots(c, e, &first, &end);
        for (uint64_t s = first; s < end; s++)
            if (!add_box(c, source_slot(c, e, s)))
                return false;
    }
    return true;
}

static void put_boxes(Converter *c)
{
    for (size_t i = 0; i < c->box_capacity; i++) {
        Box *box = &c->boxes[i];
        if (!box->to)
            continue;
        Word at = c->start + box->to, slots = 8 / WORD_BYTES;
        uint64_t bits = box->bits;
        Word class = CLASS_FLOAT;
        unsigned format = FORMAT_WORDS32;
        if (!box->is_float) {
            bool negative = (int64_t)bits < 0;
            bits = negative ? -bits : bits;
            class = negative ? CLASS_LARGE_NEGATIVE : CLASS_LARGE_POSITIVE;
            unsigned used = (unsigned)(71 - __builtin_clzll(bits)) / 8;
            slots = (used + WORD_BYTES - 1) / WORD_BYTES;
            format = FORMAT_BYTES + (unsigned)(slots * WORD_BYTES - used);
        }
        Oop oop = object_write_header(at, slots, format, class);
        memcpy(object_bytes(oop), &bits, 8);
    }
}

/* ---- 3. Copy ---- */

static bool convert_immediate(Converter *c, const Entry *holder, uint64_t word, Oop *oop)
{
    uint64_t bits;
    bool is_float;
    if (needs_box(word, &bits, &is_float))
        *oop = c->start + c->boxes[box_index(c, bits, is_float)].to;
    else if (source_is_integer(word))
        *oop = small_integer_oop((SWord)source_integer(word));
    else if ((word & ((1u << SOURCE_TAG_BITS) - 1)) == CHARACTER_TAG &&
             word >> SOURCE_TAG_BITS <= CHARACTER_MAX)
        *oop = character_oop((uint32_t)(word >> SOURCE_TAG_BITS));
    else
        return refuse(c, holder->from, "it holds 0x%" PRIx64 ", an immediate that does not exist "
                      "in "
                      "%d-bit images", word, WORD_BITS);
    return true;
}

static Oop entry_oop(const Converter *c, const Entry *e)
{
    return c->start + e->to + (e->new_slots >= HEADER_SLOTS_OVERFLOW ? HEADER_BYTES : 0);
}

static bool convert_reference(Converter *c, const Entry *holder, uint64_t word, Oop *oop)
{
    if (!source_is_object(word))
        return convert_immediate(c, holder, word, oop);
    const Entry *e = find_entry(c, word);
    if (!e || (!e->size && !e->immediate))
        return refuse(c, holder->from, "it refers to 0x%" PRIx64 ", where no object is", word);
    *oop = e->size ? entry_oop(c, e) : e->immediate;
    return true;
}

/* By how much a pc in this code moves: its literals changed their size. */
static int64_t pc_shift(const Converter *c, uint64_t code)
{
    const Entry *e = source_is_object(code) ? find_entry(c, code) : NULL;
    if (!e || !e->size || !format_is_code(entry_format(e)))
        return 0;
    return (int64_t)(1 + literal_count(c, e)) * ((int)WORD_BYTES - (int)SOURCE_BYTES);
}

/* Slots that hold a pc: of contexts, and of closures of embedded blocks. */
static void move_pc(Converter *c, const Entry *e, Oop *slots)
{
    Word class = entry_class(e);
    if (class == CLASS_CONTEXT && e->slots >= CONTEXT_FIXED && is_small_integer(slots[CONTEXT_PC]))
        slots[CONTEXT_PC] += (Word)pc_shift(c, source_slot(c, e, CONTEXT_METHOD))
                             << SMALL_INTEGER_SHIFT;
    if (class == CLASS_BLOCK_CLOSURE && e->slots >= CLOSURE_COPIED &&
        is_small_integer(slots[CLOSURE_START_PC])) {
        uint64_t outer = source_slot(c, e, CLOSURE_OUTER);
        const Entry *context = source_is_object(outer) ? find_entry(c, outer) : NULL;
        if (context && context->slots >= CONTEXT_FIXED &&
            entry_format(context) <= FORMAT_LAST_POINTERS)
            slots[CLOSURE_START_PC] += (Word)pc_shift(c, source_slot(c, context, CONTEXT_METHOD))
                                       << SMALL_INTEGER_SHIFT;
    }
}

/* Sign (the bytecode set) and 30 bits. */
static Oop convert_method_header(uint64_t word)
{
    int64_t value = source_integer(word);
    SWord fields = (SWord)(value & 0x3FFFFFFF);
    return small_integer_oop(value < 0 ? SMALL_INTEGER_MIN + fields : fields);
}

static bool add_mourner(Converter *c, Oop mourner)
{
    if (c->mourner_count == c->mourner_capacity) {
        size_t capacity = c->mourner_capacity ? 2 * c->mourner_capacity : 64;
        Oop *grown = c->host->resize(c->host, c->mourners, c->mourner_capacity * sizeof *grown,
                                     capacity * sizeof *grown);
        if (!grown)
            return no_memory(c);
        c->mourners = grown;
        c->mourner_capacity = capacity;
    }
    c->mourners[c->mourner_count++] = mourner;
    return true;
}

/* The queue of mourners, page by page. There are fewer pages than objects, or it has no end. */
static bool copy_mourners(Converter *c, const Entry *roots, uint64_t queue)
{
    for (size_t pages = 0; queue; pages++) {
        const Entry *page = source_is_object(queue) ? find_entry(c, queue) : NULL;
        if (!page || page->slots != OBJ_STACK_SLOTS || pages == c->count)
            return refuse(c, roots->from, "the queue of objects that wait for finalization is "
                          "broken");
        uint64_t top = source_slot(c, page, OBJ_STACK_TOP);
        if (top > OBJ_STACK_ENTRIES)
            return refuse(c, page->from, "%" PRIu64 " objects wait for finalization on a page of %d",
                          top, OBJ_STACK_ENTRIES);
        for (uint64_t i = 0; i < top; i++) {
            Oop mourner;
            if (!convert_reference(c, page, source_slot(c, page, OBJ_STACK_FIRST + i), &mourner) ||
                !add_mourner(c, mourner))
                return false;
        }
        queue = source_slot(c, page, OBJ_STACK_NEXT);
    }
    return true;
}

static bool copy_hidden_roots(Converter *c, const Entry *e, Word *slots)
{
    uint64_t nil = c->header.old_base;
    for (Word i = 0; i < HIDDEN_ROOTS_SLOTS; i++) {
        uint64_t word = source_slot(c, e, i);
        slots[i] = c->start;
        if (i < CLASS_PAGES_MAX && word != nil && !convert_reference(c, e, word, &slots[i]))
            return false;
    }
    uint64_t queue = source_slot(c, e, HIDDEN_MOURNERS);
    return queue == nil || copy_mourners(c, e, queue);
}

static bool copy_object(Converter *c, size_t index)
{
    const Entry *e = &c->entries[index];
    Oop oop = object_write_header(c->start + e->to, e->new_slots, e->new_format, entry_class(e));
    Word *slots = object_slots(oop);
    uint64_t first, end;
    *header_at(oop) |= e->header & (HEADER_HASH_MASK | HEADER_PINNED | HEADER_IMMUTABLE);
    if (index == 3) { /* the free lists: empty */
        *header_at(oop) += (Header)((WORD_BITS == 64 ? CLASS_WORDS64_PUN : CLASS_WORDS32_PUN)) -
                           header_class_index(*header_at(oop));
        return true;
    }
    if (index == 4)
        return copy_hidden_roots(c, e, slots);
    reference_slots(c, e, &first, &end);
    if (entry_format(e) > FORMAT_LAST_POINTERS) {
        uint64_t skip = end * SOURCE_BYTES;
        memcpy(slots + end, c->data + e->from + HEADER_BYTES + skip, source_bytes(e) - skip);
    }
    if (first)
        slots[0] = convert_method_header(source_slot(c, e, 0));
    for (uint64_t s = first; s < end; s++)
        if (!convert_reference(c, e, source_slot(c, e, s), &slots[s]))
            return false;
    move_pc(c, e, slots);
    return true;
}

/* ---- What the classes of the image must know of the new width ---- */

static bool is_text(Oop oop, const char *text)
{
    return is_object(oop) && format_is_bytes(object_format(oop)) &&
           bits_byte_count(oop) == strlen(text) && !memcmp(object_bytes(oop), text, strlen(text));
}

/* The slot in which classes keep their names, by the example of class Array; 0: not found. */
static Word find_name_slot(Oop array)
{
    for (Word i = CLASS_FORMAT + 1; i < object_slot_count(array); i++)
        if (is_text(object_slot(array, i), "Array"))
            return i;
    return 0;
}

/* A class by its name; NO_OOP: there is none. */
static Oop find_class(const Converter *c, Oop array, const char *name)
{
    Word slot = find_name_slot(array), end = c->start + (Word)c->total;
    for (Oop o = c->start; slot && o < end; o = heap_next_object(o, end))
        if (object_format(o) == FORMAT_FIXED && object_slot_count(o) > slot &&
            is_small_integer(object_slot(o, CLASS_FORMAT)) && is_text(object_slot(o, slot), name))
            return o;
    return NO_OOP;
}

/* Immediates have other tags here: the class table says which class has which. Images of 32 bits
 * often have a SmallFloat64 without instances; where there is none, Float does its work. */
static void adjust_class_table(Converter *c)
{
    Oop roots = entry_oop(c, &c->entries[4]), page = object_slot(roots, 0), nil = c->start;
    if (is_immediate(page) || object_slot_count(page) != CLASS_PAGE_SIZE)
        return; /* judged later */
    Word *classes = object_slots(page);
    classes[CLASS_BRIDGE] = WORD_BITS == 32 ? classes[CLASS_SMALL_INTEGER] : nil;
    if (WORD_BITS == 32 || classes[CLASS_SMALL_FLOAT] != nil || is_immediate(classes[CLASS_ARRAY]))
        return;
    Oop class = find_class(c, classes[CLASS_ARRAY], "SmallFloat64");
    classes[CLASS_SMALL_FLOAT] = class ? class : classes[CLASS_FLOAT];
    if (!class)
        return;
    Word hash = header_hash(header_of(class));
    Oop old_page = object_slot(roots, hash >> CLASS_PAGE_BITS);
    *header_at(class) = (header_of(class) & ~HEADER_HASH_MASK) |
                        (Header)CLASS_SMALL_FLOAT << HEADER_HASH_SHIFT;
    if (old_page != nil && is_object(old_page) && object_slot_count(old_page) == CLASS_PAGE_SIZE &&
        object_slot(old_page, hash & (CLASS_PAGE_SIZE - 1)) == class && hash > CLASS_LAST_PUN)
        object_slots(old_page)[hash & (CLASS_PAGE_SIZE - 1)] = nil;
}

/* Squeak and Cuis remember the word size in a class variable; nil makes them ask again. */
static void adjust_word_size(Converter *c)
{
    Word end = c->start + (Word)c->total;
    for (Oop o = c->start; o < end; o = heap_next_object(o, end))
        if (object_format(o) == FORMAT_FIXED && object_slot_count(o) == 2 &&
            object_slot(o, ASSOCIATION_VALUE) == small_integer_oop(SOURCE_BYTES) &&
            is_text(object_slot(o, ASSOCIATION_KEY), "WordSize"))
            object_slots(o)[ASSOCIATION_VALUE] = c->start;
}

static bool copy_all(Converter *c)
{
    Heap *heap = &c->vm->heap;
    if (!heap->mm->ops->prepare_load(heap->mm, (Word)c->total + BRIDGE_BYTES))
        return no_memory(c);
    c->start = heap->old_start;
    for (size_t i = 0; i < c->count; i++)
        if (c->entries[i].size && !copy_object(c, i))
            return false;
    put_boxes(c);
    adjust_class_table(c);
    adjust_word_size(c);
    return true;
}

/* ---- 4. The result ---- */

static bool judge(Converter *c)
{
    Image image;
    Oop specials;
    if (!convert_reference(c, &c->entries[0], c->header.special_objects, &specials))
        return false;
    image_init(&image, c->vm, c->path);
    image.error = c->error->message;
    image.error_size = sizeof c->error->message;
    bool sound = image_judge(&image, c->start, c->start + (Word)c->total, specials);
    image_close(&image);
    if (!sound)
        c->error->status = OSVM_BAD_DATA;
    c->vm->heap.special_objects = specials;
    return sound;
}

static bool write_result(Converter *c, const char *output)
{
    Heap *heap = &c->vm->heap;
    heap->last_hash = (Word)c->header.last_hash;
    if (heap->last_hash == 0)
        heap->last_hash = 1;
    image_facts_get(&c->vm->image, &c->header);
    heap->mm->ops->adopt(heap->mm, c->start + (Word)c->total);
    if (c->mourner_count)
        image_still_mourners(c->vm, c->mourners, (Word)c->mourner_count);
    if (image_write(c->vm, output, c->error->message, sizeof c->error->message))
        return true;
    c->error->status = OSVM_CANNOT_CREATE;
    return false;
}

static bool convert_file(Converter *c, int file, const char *output)
{
    return load_source(c, file) && survey(c) && find_boxes(c) && copy_all(c) && judge(c) &&
           write_result(c, output);
}

static void converter_free(Converter *c)
{
    c->host->free(c->host, c->data, c->data ? c->data_bytes : 0);
    c->host->free(c->host, c->entries, c->capacity * sizeof *c->entries);
    c->host->free(c->host, c->boxes, c->box_capacity * sizeof *c->boxes);
    c->host->free(c->host, c->mourners, c->mourner_capacity * sizeof *c->mourners);
    image_still_free(c->vm);
}

static bool convert_other_width(const CoreSetup *setup, const ImageHeader *header, int file,
                                const CoreConvert *convert, OsvmError *error)
{
    Converter c = {.host = setup->host, .error = error, .path = convert->image, .header = *header};
    c.vm = image_still_new(setup);
    bool done = c.vm ? convert_file(&c, file, convert->output) : no_memory(&c);
    converter_free(&c);
    return done;
}

static bool convert_same_width(const CoreSetup *setup, const CoreConvert *convert, OsvmError *error)
{
    const OsvmHost *host = setup->host;
    Vm *vm = image_still_new(setup);
    char reason[1024] = "";
    bool read = false, done = false;
    if (!vm)
        return host->fail(error, OSVM_INTERNAL, "no memory left");
    read = image_read(vm, convert->image, reason, sizeof reason);
    done = read && image_write(vm, convert->output, reason, sizeof reason);
    image_still_free(vm);
    return done || host->fail(error, read ? OSVM_CANNOT_CREATE : OSVM_BAD_DATA, "%s", reason);
}

int core_convert(const CoreSetup *setup, const CoreConvert *convert, OsvmError *error)
{
    const OsvmHost *host = setup->host;
    uint8_t bytes[IMAGE_PREFIX + IMAGE_HEADER_MAX];
    char reason[256];
    ImageHeader header;
    const char *refusal = NULL;
    bool done = false;
    int file = host->own->open(host->own, convert->image, OSVM_READ, 0);
    int64_t count = file < 0 ? file : world_read_all(host->own, file, bytes, sizeof bytes);
    if (count < 0)
        host->fail(error, OSVM_NO_INPUT, "cannot read %s: %s", convert->image,
                   strerror((int)-count));
    else
        refusal = image_header_decode(&header, bytes, (size_t)count, reason, sizeof reason);
    if (refusal)
        host->fail(error, OSVM_BAD_DATA, "%s: %s", convert->image, refusal);
    else if (count >= 0)
        done = header.word_bits == WORD_BITS ? convert_same_width(setup, convert, error)
                                             : convert_other_width(setup, &header, file, convert,
                                                                   error);
    if (file >= 0)
        host->own->close(host->own, file);
    return done ? OSVM_OK : (int)error->status;
}
