/* Looks at a file before dlopen does.
 *
 * The dynamic linker trusts what it maps: a file cut short ends in SIGBUS, and a
 * table that points outside in SIGSEGV. So everything the linker is going to
 * follow from the headers and the dynamic section must lie inside the file. What
 * the code in it does is not looked at.
 */
#include "plugins_int.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

typedef ElfW(Ehdr) Header;
typedef ElfW(Phdr) Segment;
typedef ElfW(Dyn) Dynamic;

/* The machine this is: that of the running executable. */
static const Header *own_header(void)
{
    extern const Header __ehdr_start __attribute__((visibility("hidden")));
    return &__ehdr_start;
}

typedef struct Elf {
    const unsigned char *bytes;
    uint64_t size;
    Header header;
    const char *file;
    OsvmError *error;
} Elf;

static bool refuse(const Elf *elf, const char *why)
{
    return error_set(elf->error, OSVM_UNAVAILABLE, "'%s' is no plugin: %s", elf->file, why);
}

static bool is_inside(uint64_t offset, uint64_t length, uint64_t size)
{
    return offset <= size && length <= size - offset;
}

static Segment segment_at(const Elf *elf, unsigned index)
{
    Segment segment;
    memcpy(&segment, elf->bytes + elf->header.e_phoff + index * sizeof segment, sizeof segment);
    return segment;
}

static bool check_header(Elf *elf)
{
    const Header *own = own_header();
    if (elf->size < sizeof elf->header)
        return refuse(elf, "it is too short to be a shared object");
    memcpy(&elf->header, elf->bytes, sizeof elf->header);
    const Header *header = &elf->header;
    if (memcmp(header->e_ident, ELFMAG, SELFMAG) != 0)
        return refuse(elf, "it is no shared object (no ELF header)");
    if (header->e_ident[EI_CLASS] != own->e_ident[EI_CLASS] ||
        header->e_ident[EI_DATA] != own->e_ident[EI_DATA] || header->e_machine != own->e_machine)
        return refuse(elf, "it was compiled for another processor");
    if (header->e_type != ET_DYN)
        return refuse(elf, "it is an ELF file, but no shared object");
    if (header->e_phentsize != sizeof(Segment) || !header->e_phnum)
        return refuse(elf, "its program headers are damaged");
    if (!is_inside(header->e_phoff, (uint64_t)header->e_phnum * sizeof(Segment), elf->size))
        return refuse(elf, "it is cut short (program headers)");
    return true;
}

static bool check_load_segment(const Elf *elf, const Segment *segment, uint64_t *last)
{
    uint64_t align = segment->p_align;
    if (align & (align - 1) || segment->p_filesz > segment->p_memsz ||
        segment->p_vaddr + segment->p_memsz < segment->p_vaddr ||
        segment->p_vaddr + segment->p_memsz > UINT64_C(1) << 40 || segment->p_vaddr < *last ||
        (align && (segment->p_vaddr - segment->p_offset) % align))
        return refuse(elf, "its program headers are damaged");
    *last = segment->p_vaddr + segment->p_memsz;
    return true;
}

/* The part made read-only after relocation must be this file's own. */
static bool is_inside_load(const Elf *elf, const Segment *part)
{
    for (unsigned i = 0; i < elf->header.e_phnum; i++) {
        Segment segment = segment_at(elf, i);
        if (segment.p_type == PT_LOAD && part->p_vaddr >= segment.p_vaddr &&
            is_inside(part->p_vaddr - segment.p_vaddr, part->p_memsz, segment.p_memsz))
            return true;
    }
    return false;
}

static bool check_segments(const Elf *elf, Segment *dynamic)
{
    uint64_t last = 0;
    bool found = false;
    for (unsigned i = 0; i < elf->header.e_phnum; i++) {
        Segment segment = segment_at(elf, i);
        if (!is_inside(segment.p_offset, segment.p_filesz, elf->size))
            return refuse(elf, "it is cut short (segments)");
        if (segment.p_type == PT_LOAD && !check_load_segment(elf, &segment, &last))
            return false;
        if (segment.p_type == PT_GNU_RELRO && !is_inside_load(elf, &segment))
            return refuse(elf, "its program headers are damaged");
        if (segment.p_type == PT_INTERP)
            return refuse(elf, "it is a program, no shared object");
        if (segment.p_type == PT_DYNAMIC) {
            *dynamic = segment;
            found = true;
        }
    }
    return found ? true : refuse(elf, "it has no dynamic section");
}

/* Does [address, address + length) lie in the part of one segment that the file fills? */
static bool is_mapped(const Elf *elf, uint64_t address, uint64_t length)
{
    for (unsigned i = 0; i < elf->header.e_phnum; i++) {
        Segment segment = segment_at(elf, i);
        if (segment.p_type == PT_LOAD && address >= segment.p_vaddr &&
            is_inside(address - segment.p_vaddr, length, segment.p_filesz))
            return true;
    }
    return false;
}

/* What of the dynamic section the linker follows: tables and their sizes. */
typedef struct Tables {
    uint64_t strings, string_size, symbols, rela, rela_size, plt, plt_size, hash, init, init_size;
    uint64_t fini, fini_size;
} Tables;

static void note_entry(Tables *tables, const Dynamic *entry)
{
    uint64_t value = entry->d_un.d_val;
    switch (entry->d_tag) {
    case DT_STRTAB:
        tables->strings = value;
        break;
    case DT_STRSZ:
        tables->string_size = value;
        break;
    case DT_SYMTAB:
        tables->symbols = value;
        break;
    case DT_RELA:
        tables->rela = value;
        break;
    case DT_RELASZ:
        tables->rela_size = value;
        break;
    case DT_JMPREL:
        tables->plt = value;
        break;
    case DT_PLTRELSZ:
        tables->plt_size = value;
        break;
    case DT_GNU_HASH:
    case DT_HASH:
        tables->hash = value;
        break;
    case DT_INIT_ARRAY:
        tables->init = value;
        break;
    case DT_INIT_ARRAYSZ:
        tables->init_size = value;
        break;
    case DT_FINI_ARRAY:
        tables->fini = value;
        break;
    case DT_FINI_ARRAYSZ:
        tables->fini_size = value;
        break;
    default:
        break;
    }
}

static bool check_tables(const Elf *elf, const Tables *tables)
{
    bool whole = is_mapped(elf, tables->strings, tables->string_size) &&
                 is_mapped(elf, tables->symbols, sizeof(ElfW(Sym))) &&
                 is_mapped(elf, tables->hash, 16) &&
                 (!tables->rela_size || is_mapped(elf, tables->rela, tables->rela_size)) &&
                 (!tables->plt_size || is_mapped(elf, tables->plt, tables->plt_size)) &&
                 (!tables->init_size || is_mapped(elf, tables->init, tables->init_size)) &&
                 (!tables->fini_size || is_mapped(elf, tables->fini, tables->fini_size));
    return whole ? true : refuse(elf, "its dynamic section points outside the file");
}

static bool check_dynamic(const Elf *elf, const Segment *dynamic)
{
    Tables tables = {0};
    bool closed = false;
    if (!is_mapped(elf, dynamic->p_vaddr, dynamic->p_filesz))
        return refuse(elf, "its dynamic section lies outside the file");
    for (uint64_t at = 0; at + sizeof(Dynamic) <= dynamic->p_filesz && !closed;
         at += sizeof(Dynamic)) {
        Dynamic entry;
        memcpy(&entry, elf->bytes + dynamic->p_offset + at, sizeof entry);
        note_entry(&tables, &entry);
        closed = entry.d_tag == DT_NULL;
    }
    return closed ? check_tables(elf, &tables) : refuse(elf, "its dynamic section does not end");
}

static bool check_bytes(Elf *elf)
{
    Segment dynamic = {0};
    return check_header(elf) && check_segments(elf, &dynamic) && check_dynamic(elf, &dynamic);
}

bool elf_check(const char *file, OsvmError *error)
{
    Elf elf = {.file = file, .error = error};
    struct stat stat;
    /* Not blocked by a pipe that has a plugin's name. */
    int opened = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (opened < 0)
        return error_set(error, OSVM_UNAVAILABLE, "cannot open plugin '%s': %s", file,
                         strerror(errno));
    bool sound = false;
    if (fstat(opened, &stat) < 0 || !S_ISREG(stat.st_mode))
        refuse(&elf, "it is no regular file");
    else if (stat.st_size < (off_t)sizeof elf.header)
        refuse(&elf, "it is too short to be a shared object");
    else {
        elf.size = (uint64_t)stat.st_size;
        void *bytes = mmap(NULL, elf.size, PROT_READ, MAP_PRIVATE, opened, 0);
        elf.bytes = bytes;
        sound = bytes != MAP_FAILED ? check_bytes(&elf) : refuse(&elf, "it cannot be read");
        if (bytes != MAP_FAILED)
            munmap(bytes, elf.size);
    }
    close(opened);
    return sound;
}
