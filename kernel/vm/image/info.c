/* `osvm info IMAGE`: header, flags, segments, classes with counts and sizes. */
#include "kernel/vm/image/inspect.h"

typedef struct {
    Oop class;
    uint64_t count, bytes;
} ClassUse;

static const struct {
    uint32_t bit;
    const char *name;
} flag_names[] = {
    {IMAGE_FULL_SCREEN, "full screen"},
    {IMAGE_LITTLE_FLOATS, "little-endian floats"},
    {0x004, "processes have thread ids"},
    {0x008, "interpreted methods are marked"},
    {IMAGE_NO_PREEMPTION_YIELD, "preemption does not yield"},
    {0x020, "GUI thread is kept"},
    {IMAGE_NEW_FINALIZATION, "finalization by mourners"},
    {IMAGE_WHEEL_EVENTS, "wheel events"},
    {IMAGE_NO_MIXED_ARITHMETIC, "no mixed arithmetic"},
};

/* ---- JSON and text by the same calls ---- */

static void put_json_text(const char *text)
{
    putchar('"');
    for (; *text; text++)
        if (*text == '"' || *text == '\\')
            printf("\\%c", *text);
        else if ((unsigned char)*text < ' ')
            printf("\\u%04X", (unsigned char)*text);
        else
            putchar(*text);
    putchar('"');
}

static void put_number(bool json, const char *key, const char *label, uint64_t value, bool hex)
{
    if (json)
        printf("  \"%s\": %" PRIu64 ",\n", key, value);
    else
        printf(hex ? "%-28s 0x%" PRIx64 "\n" : "%-28s %" PRIu64 "\n", label, value);
}

static void put_flags(bool json, uint64_t flags)
{
    const char *between = "";
    if (json)
        printf("  \"flags\": %" PRIu64 ",\n  \"flagNames\": [", flags);
    else
        printf("%-28s 0x%" PRIx64, "flags", flags);
    for (size_t i = 0; i < sizeof flag_names / sizeof flag_names[0]; i++)
        if (flags & flag_names[i].bit) {
            if (json)
                printf("%s\"%s\"", between, flag_names[i].name);
            else
                printf("%s%s", *between ? between : ": ", flag_names[i].name);
            between = ", ";
        }
    puts(json ? "]," : "");
}

static void put_header(bool json, const Image *image)
{
    const ImageHeader *h = &image->header;
    if (json) {
        printf("{\n  \"image\": ");
        put_json_text(image->path);
        printf(",\n  \"bits\": %u,\n  \"swapped\": %s,\n", h->word_bits, h->swapped ? "true"
               : "false");
    } else
        printf("%s: %u-bit Spur image%s%s\n", image->path, h->word_bits,
               h->swapped ? ", other byte order" : "", h->start ? ", behind a prefix" : "");
    put_number(json, "magic", "magic number", h->version, false);
    put_number(json, "fileBytes", "bytes of the file", image->file_size, false);
    put_number(json, "headerStart", "header at byte", h->start, false);
    put_number(json, "headerBytes", "bytes of the header", h->header_size, false);
    put_number(json, "dataBytes", "bytes of the segments", h->data_size, false);
    put_number(json, "baseAddress", "base address", h->old_base, true);
    put_number(json, "specialObjects", "special objects at", h->special_objects, true);
    put_number(json, "lastHash", "last identity hash", h->last_hash, true);
    put_number(json, "screenWidth", "screen width", h->screen_size >> 16, false);
    put_number(json, "screenHeight", "screen height", h->screen_size & 0xFFFF, false);
    put_flags(json, h->flags);
    put_number(json, "extraMemory", "extra VM memory", h->extra_vm_memory, false);
    put_number(json, "stackPages", "stack pages", h->stack_pages, false);
    put_number(json, "codeZoneKib", "KiB of the code zone", h->code_zone_kib, false);
    put_number(json, "edenBytes", "bytes of eden", h->eden_bytes, false);
    put_number(json, "semaphoreTable", "external semaphores", h->external_semaphores, false);
    put_number(json, "freeBytes", "bytes free when saved", h->free_old_space, false);
}

static void put_segments(bool json, const Image *image)
{
    if (json)
        printf("  \"segments\": [");
    for (size_t i = 0; i < image->segment_count; i++) {
        const ImageSegment *s = &image->segments[i];
        uint64_t bytes = (uint64_t)s->bytes + BRIDGE_BYTES;
        if (json)
            printf("%s\n    {\"offset\": %" PRIu64 ", \"address\": %" PRIuWORD ", \"bytes\": %"
                   PRIu64
                   "}", i ? "," : "", s->offset, s->saved, bytes);
        else
            printf("segment %-20zu byte %" PRIu64 ", address 0x%" PRIxWORD ", %" PRIu64 " bytes\n",
                   i + 1, s->offset, s->saved, bytes);
    }
    if (json)
        printf("\n  ],\n");
}

/* ---- Classes ---- */

static int compare_uses(const void *a, const void *b)
{
    const ClassUse *x = a, *y = b;
    if (x->bytes != y->bytes)
        return x->bytes < y->bytes ? 1 : -1;
    return x->class < y->class ? -1 : x->class > y->class;
}

static void count_classes(Inspector *in, ClassUse *uses, ClassUse *total, ClassUse *internal)
{
    for (Oop o = inspect_next(in, NO_OOP); o; o = inspect_next(in, o)) {
        Word index = object_class_index(o);
        ClassUse *use = index > CLASS_LAST_PUN ? &uses[index] : internal;
        use->count++;
        use->bytes += object_size(o);
        total->count++;
        total->bytes += object_size(o);
    }
    for (Word i = 0; i < in->image.class_count; i++)
        uses[i].class = heap_class_at(in->heap, i);
}

static void put_classes(Inspector *in, bool json, ClassUse *uses)
{
    char name[DESCRIPTION_MAX];
    const char *between = "";
    qsort(uses, in->image.class_count, sizeof *uses, compare_uses);
    if (json)
        printf("  \"classes\": [");
    else
        printf("\n%12s %14s  class\n", "objects", "bytes");
    for (Word i = 0; i < in->image.class_count && uses[i].count; i++) {
        inspect_class_name(in, uses[i].class, name);
        if (json) {
            printf("%s\n    {\"name\": ", between);
            put_json_text(name);
            printf(", \"count\": %" PRIu64 ", \"bytes\": %" PRIu64 "}", uses[i].count,
                   uses[i].bytes);
        } else
            printf("%12" PRIu64 " %14" PRIu64 "  %s\n", uses[i].count, uses[i].bytes, name);
        between = ",";
    }
    if (json)
        printf("\n  ]\n}\n");
}

static int put_info(Inspector *in, bool json, OsvmError *error)
{
    ClassUse total = {0, 0, 0}, internal = {0, 0, 0};
    const OsvmHost *host = in->image.host;
    size_t bytes = in->image.class_count * sizeof(ClassUse);
    ClassUse *uses = host->alloc(host, bytes);
    if (!uses) {
        host->fail(error, OSVM_INTERNAL, "no memory left");
        return OSVM_INTERNAL;
    }
    count_classes(in, uses, &total, &internal);
    put_header(json, &in->image);
    put_segments(json, &in->image);
    put_number(json, "classPages", "pages of the class table", in->image.class_pages, false);
    put_number(json, "objects", "objects", total.count, false);
    put_number(json, "objectBytes", "bytes of objects", total.bytes, false);
    put_number(json, "internalObjects", "of the VM itself", internal.count, false);
    put_number(json, "internalBytes", "bytes of the VM itself", internal.bytes, false);
    put_classes(in, json, uses);
    host->free(host, uses, bytes);
    return OSVM_OK;
}

int core_info(const CoreSetup *setup, const CoreInspect *inspect, OsvmError *error)
{
    Inspector in;
    int status = inspect_open(&in, setup, inspect->image, NULL, error)
                     ? put_info(&in, inspect->json, error) : (int)error->status;
    inspect_close(&in);
    return status;
}
