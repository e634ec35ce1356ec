/* Image files: what their readers, writers and inspectors share.
 *
 *     file -> read.c (segments, headers, references) -> validate.c (roots) -> heap
 *     heap -> write.c (new addresses, copies) -> save.c (atomic file) -> file
 *
 * info, check, dump and convert work on a heap without a memory manager
 * (still.c) that the same reader fills, so they judge what the VM would load.
 *
 * Trust nothing: every number of a file is compared with what it must lie in
 * before it is used, and the first thing wrong ends a load with a sentence. A
 * check goes on as long as the walk through the objects makes sense.
 */
#ifndef OSVM_IMAGE_H
#define OSVM_IMAGE_H

#include <stdio.h>

#include "kernel/vm/vm.h"

/* ---- The file format ---- */

enum {
    IMAGE_MAGIC_32 = 6521,
    IMAGE_MAGIC_64 = 68021,
    IMAGE_MULTIPLE_SETS = 0x200, /* in the magic number; kept, decides nothing */
    IMAGE_PREFIX = 512,          /* bytes that may precede the header */
    IMAGE_HEADER_MAX = 128,
    BRIDGE_BYTES = 16,
    OBJ_STACK_SLOTS = 4092, /* of a page: top, root index, free page, next page, entries */
    OBJ_STACK_TOP = 0,
    OBJ_STACK_ROOT = 1,
    OBJ_STACK_FREE = 2,
    OBJ_STACK_NEXT = 3,
    OBJ_STACK_FIRST = 4,
    OBJ_STACK_ENTRIES = OBJ_STACK_SLOTS - OBJ_STACK_FIRST,
    FREE_LISTS = WORD_BITS, /* slots of the free lists object */
};

#define IMAGE_MAGIC (WORD_BITS == 64 ? IMAGE_MAGIC_64 : IMAGE_MAGIC_32)
#define IMAGE_HEADER_BYTES ((uint32_t)(16 * WORD_BYTES))

/* Bits of ImageHeader.flags. */
enum {
    IMAGE_FULL_SCREEN = 0x001,
    IMAGE_LITTLE_FLOATS = 0x002,
    IMAGE_NO_PREEMPTION_YIELD = 0x010,
    IMAGE_NEW_FINALIZATION = 0x040,
    IMAGE_WHEEL_EVENTS = 0x080,
    IMAGE_NO_MIXED_ARITHMETIC = 0x100,
};

/* A header of either width and byte order, decoded. */
typedef struct {
    unsigned word_bits; /* 32 or 64 */
    bool swapped;       /* the file has the other byte order */
    uint64_t start;     /* offset of the header in the file: 0 or IMAGE_PREFIX */
    uint32_t version;   /* magic number */
    uint32_t header_size;
    uint64_t data_size; /* bytes of all segments */
    uint64_t old_base;  /* address of the first segment when it was saved */
    uint64_t special_objects;
    uint64_t last_hash;
    uint64_t screen_size;
    uint64_t flags;
    uint32_t extra_vm_memory;
    uint16_t stack_pages;
    uint16_t code_zone_kib;
    uint32_t eden_bytes;
    uint16_t external_semaphores;
    uint16_t unknown_short;
    uint64_t first_segment; /* bytes of segment 1, bridge included */
    uint64_t free_old_space;
} ImageHeader;

/* One segment of a file and where it went. */
typedef struct {
    uint64_t offset; /* of its first byte in the file */
    Word saved;      /* address it had when it was saved */
    Word memory;     /* address it has now */
    Word bytes;      /* without its bridge */
} ImageSegment;

/* What the reader knows of a class index. */
typedef struct {
    uint32_t canonical; /* the class's own index; its instances are changed to it */
    uint16_t fixed;     /* named instance variables */
    uint8_t spec;       /* instance specification */
    bool live;          /* the entry holds what looks like a class */
} ClassFacts;

typedef struct Image Image;

/* An internal object of the file (class index 16 to 19): class table page, queue, ... */
typedef struct {
    Oop oop;
    bool claimed; /* something of the VM refers to it; others become free */
} ImagePun;

/* A file being read. All memory comes from the host and goes back in image_close. */
struct Image {
    Vm *vm;
    Heap *heap;
    const OsvmHost *host;
    const char *path;
    int file; /* of host->own; -1: not open */
    uint64_t file_size;
    ImageHeader header;

    ImageSegment *segments;
    size_t segment_count, segment_capacity;
    Word start, end; /* the loaded objects, back to back; nil first */
    Word walked;     /* up to here headers have been looked at */

    uint64_t *starts; /* one bit per 8 bytes: the header of an object that may be referred to */
    size_t starts_bytes;
    ImagePun *puns; /* in address order */
    size_t pun_count, pun_capacity;
    ClassFacts *classes; /* by class index */
    Word class_count;    /* class pages times entries of a page */
    Word class_pages;
    Oop free_lists, hidden_roots, special_objects;

    /* Findings. A load has `error` and stops at the first; a check has `report`. */
    char *error;
    size_t error_size;
    void (*report)(Image *image, const char *where, const char *what);
    void *report_context;
    size_t findings;
    size_t warnings; /* what other VMs put up with, and so does this one */
    bool sound; /* all steps of the load were gone through: everything refers to something */
    Word free_heads[FREE_LISTS]; /* the saved free lists, for a check; the loaded ones are empty */
};

/* header.c */

/* Decodes the header that begins at file offset 0 or IMAGE_PREFIX of a file whose first `count`
 * bytes are given. Answers NULL, or why this is no image the VM reads (a format it knows by name,
 * or none); `reason` is the memory for it. */
const char *image_header_decode(ImageHeader *header, const uint8_t *bytes, size_t count,
                                char *reason, size_t reason_size);
/* Encodes for the header's word_bits and byte order; answers header_size. */
size_t image_header_encode(const ImageHeader *header, uint8_t bytes[IMAGE_HEADER_MAX]);
void image_facts_get(ImageFacts *facts, const ImageHeader *header);
void image_facts_put(const ImageFacts *facts, ImageHeader *header);
uint64_t image_swap(uint64_t value, unsigned bytes);

/* read.c */

/* Reads, relocates and validates a whole file into the heap of image->vm by way of its memory
 * manager's prepare_load. Sets everything of the heap but what adopt sets. */
bool image_load(Image *image);
/* Judges objects in memory, [start, end), that came from no file: what a reader would say of them
 * once they were written. The special objects are at `special_objects`. */
bool image_judge(Image *image, Word start, Word end, Oop special_objects);
void image_init(Image *image, Vm *vm, const char *path);
void image_close(Image *image);
/* Records that something is wrong with what is at `address` of the loaded heap (0: the header).
 * Always answers false. */
bool image_finding(Image *image, Word address, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Tells a check of something odd that does not make the image unsound. */
void image_warning(Image *image, Word address, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The offset in the file of a loaded address; UINT64_MAX if it came from no file. */
uint64_t image_file_offset(const Image *image, Word address);
/* Does a loaded address hold an object that references may lead to? */
static inline bool image_is_object(const Image *image, Word address)
{
    Word offset = address - image->start;
    if (offset >= image->end - image->start || (offset & (OBJECT_ALIGNMENT - 1)))
        return false;
    return image->starts[offset >> 9] >> (offset >> 3 & 63) & 1;
}
/* Turns a saved reference into a loaded one, NO_OOP if it leads to no object. */
Oop image_relocate(const Image *image, Word saved);
/* The same for an internal object, claiming it. */
ImagePun *image_relocate_pun(Image *image, Word saved);

/* swap.c: the other byte order */

/* Converts one or two header words in place. */
void image_swap_words(Word start, unsigned bytes, uint64_t count);
/* Converts the body of an object whose header has been converted; false: its size is nonsense. */
bool image_swap_body(Oop object);
/* The same for an object that is not the VM's own, whatever its class index. */
bool image_swap_elements(Oop object);
/* Exchanges the halves of every Float: doubles stored in the other word order. */
void image_swap_float(Oop object);

/* validate.c */

/* Class table: after the headers have been walked, before references are relocated. */
bool image_validate_roots(Image *image);
bool image_validate_classes(Image *image);
/* Objects whose shape the VM relies on; after their own slots have been relocated. */
bool image_validate_code(Image *image, Oop code);
bool image_validate_known(Image *image, Oop object, Word class_index);
/* Special objects, scheduler, queues; last of all. */
bool image_validate_system(Image *image);
bool image_looks_like_class(const Image *image, Oop oop);

#endif
