/* The listing is made of rows, one per instruction; they are printed in one of two forms. */
#include "kernel/debug/machine/listing.h"

#include "kernel/debug/bytecode_text.h"

enum { LABELS_MAX = 1024 };

typedef struct {
    CpuInstruction instruction;
    char text[DECORATED_MAX], comment[DECORATED_MAX];
    unsigned label;         /* 0: none */
    const char *entry;      /* what enters the code here; NULL: nothing */
    const JitMap *map;      /* of the state behind the instruction; NULL: none */
    uint32_t bytecode;      /* it is the first of what was made for this pc; 0: it is not */
} Row;

typedef struct {
    const Listing *listing;
    const Piece *piece;
    const CodeOrigin *origins;
    uint32_t origin_count;
    Decorator decorator;
    CodeNames names;
    uintptr_t labels[LABELS_MAX];
    unsigned label_count;
    uint32_t last_bytecode; /* of the row before */
    FILE *file;
} Printer;

/* ---- Instructions ---- */

static void take_apart(const Printer *p, Word at, CpuInstruction *instruction)
{
    Word end = jit_code(p->piece) + p->piece->code_bytes;
    p->listing->cpu->ops->disassemble(p->listing->cpu, p->listing->machine, word_pointer(at), end - at,
                                      at, instruction);
}

static void add_label(Printer *p, uintptr_t target)
{
    unsigned at = 0;
    while (at < p->label_count && p->labels[at] < target)
        at++;
    if ((at < p->label_count && p->labels[at] == target) || p->label_count == LABELS_MAX)
        return;
    memmove(p->labels + at + 1, p->labels + at, (p->label_count - at) * sizeof *p->labels);
    p->labels[at] = target;
    p->label_count++;
}

/* Targets of branches inside the piece. */
static void find_labels(Printer *p)
{
    Word start = jit_code(p->piece), end = start + p->piece->code_bytes;
    CpuInstruction one;
    for (Word at = start; at < end; at += one.size) {
        take_apart(p, at, &one);
        for (unsigned i = 0; i < one.operand_count; i++)
            if (one.operands[i].kind == CPU_OPERAND_TARGET &&
                (Word)one.operands[i].value - start < end - start)
                add_label(p, (uintptr_t)one.operands[i].value);
    }
}

static const char *entry_at(const Piece *piece, uint32_t offset)
{
    if (!jit_has_method(piece))
        return NULL;
    return offset == piece->checked && piece->kind == PIECE_METHOD && piece->unchecked
               ? "entry of sends: class to be checked"
           : !offset                                 ? "entry"
           : offset == piece->tagged && piece->kind == PIECE_METHOD
               ? "entry of sends to an immediate: tag to be checked"
           : offset == piece->unchecked              ? "entry without a check of the class"
           : offset == piece->resumed                ? "entry from the interpreter"
           : offset == piece->framed                 ? "entry with a frame made by the interpreter"
                                                     : NULL;
}

static const JitMap *map_at(const Piece *piece, uint32_t offset)
{
    for (uint32_t i = 0; i < piece->map_count; i++)
        if (piece->maps[i].offset == offset)
            return &piece->maps[i];
    return NULL;
}

static uint32_t bytecode_at(const Printer *p, uint32_t offset)
{
    for (uint32_t i = 0; i < p->origin_count; i++)
        if (p->origins[i].offset == offset && p->origins[i].pc)
            return p->origins[i].pc;
    return 0;
}

static void fill_row(Printer *p, Word at, Row *row)
{
    uint32_t offset = (uint32_t)(at - jit_code(p->piece));
    *row = (Row){0};
    take_apart(p, at, &row->instruction);
    decorate(&p->decorator, &row->instruction, row->text, row->comment);
    row->entry = entry_at(p->piece, offset);
    row->map = map_at(p->piece, offset + row->instruction.size);
    uint32_t bytecode = bytecode_at(p, offset);
    if (bytecode && bytecode != p->last_bytecode)
        row->bytecode = bytecode;
    if (bytecode)
        p->last_bytecode = bytecode;
    for (unsigned i = 0; i < p->label_count; i++)
        if (p->labels[i] == at)
            row->label = i + 1;
}

/* ---- Bytecodes and maps as text ---- */

/* As the image counts bytecodes: from the first byte behind the object's header, from 1. */
static uint32_t image_pc(uint32_t pc)
{
    return pc - HEADER_BYTES + 1;
}

static bool bytecode_of(const Printer *p, uint32_t pc, char text[BYTECODE_TEXT_MAX])
{
    Vm *vm = p->listing->vm;
    Oop code = jit_piece_method(p->piece);
    VerifyView view;
    VerifyFacts facts;
    Instruction i;
    if (!code_view(vm, code, &view, &facts))
        return false;
    size_t first = (size_t)(view.bytes - (const uint8_t *)word_pointer(code));
    if (pc < first || !bytecode_decode(view.set, view.bytes, view.count, pc - first, &i))
        return false;
    bytecode_text(vm, code, &i, image_pc((uint32_t)first),
                  p->piece->kind == PIECE_METHOD ? &p->names : NULL, text);
    return true;
}

static const JitSend *send_at(const Piece *piece, const JitMap *map)
{
    for (uint32_t i = 0; i < piece->send_count; i++)
        if (piece->sends[i].offset == map->offset)
            return &piece->sends[i];
    return NULL;
}

static void map_text(const Printer *p, const JitMap *map, char text[NAME_MAX_BYTES * 2])
{
    static const char *const kinds[] = {[MAP_SEND] = "waits for the answer of",
                                        [MAP_POLL] = "poll", [MAP_EXIT] = "to the interpreter"};
    char selector[NAME_MAX_BYTES] = "";
    const JitSend *send = map->kind == MAP_SEND ? send_at(p->piece, map) : NULL;
    if (send)
        name_object(p->listing->vm, link_selector(p->listing->vm, p->piece, send), selector);
    snprintf(text, NAME_MAX_BYTES * 2, "%s%s%s", kinds[map->kind], map->kind == MAP_SEND ? " " : "",
             send ? selector : map->kind == MAP_SEND ? "a routine" : "");
}

/* ---- For people ---- */

static void print_bytes(FILE *file, const CpuInstruction *i)
{
    enum { SHOWN = 10 };
    const uint8_t *bytes = word_pointer((Word)i->address);
    for (unsigned b = 0; b < SHOWN; b++)
        if (b < i->size)
            fprintf(file, "%02x", bytes[b]);
        else
            fprintf(file, "  ");
}

static void print_bytecode(const Printer *p, uint32_t pc)
{
    char text[BYTECODE_TEXT_MAX];
    if (bytecode_of(p, pc, text))
        fprintf(p->file, "      -- %u  %s\n", image_pc(pc), text);
}

static void print_row(const Printer *p, const Row *row)
{
    if (row->entry)
        fprintf(p->file, "   == %s\n", row->entry);
    if (row->bytecode && p->listing->bytecodes)
        print_bytecode(p, row->bytecode);
    if (row->label)
        fprintf(p->file, "  L%u:\n", row->label);
    fprintf(p->file, "  %012zx  ", (size_t)row->instruction.address);
    print_bytes(p->file, &row->instruction);
    if (row->comment[0])
        fprintf(p->file, "  %-44s ; %s\n", row->text, row->comment);
    else
        fprintf(p->file, "  %s\n", row->text);
    if (row->map) {
        char text[NAME_MAX_BYTES * 2];
        map_text(p, row->map, text);
        fprintf(p->file, "      ^^ %s, goes on at bytecode %u\n", text, image_pc(row->map->pc));
    }
}

static void print_pool(const Printer *p)
{
    static const char *const roles[] = {[ROLE_REFERENCE] = "object", [ROLE_TAG] = "class",
                                        [ROLE_TARGET] = "target", [ROLE_PLAIN] = "word"};
    char text[DECORATED_MAX];
    for (unsigned i = 0; i < p->piece->pool_words; i++) {
        decorate_pool(&p->decorator, i, text);
        fprintf(p->file, "  %012zx  pool %2u  %-7s %s\n",
                (size_t)(p->piece->start + (Word)i * WORD_BYTES), i, roles[p->piece->roles[i]],
                text);
    }
}

static void print_source(const Printer *p)
{
    if (!p->names.source) {
        fprintf(p->file, "  (the image does not hold the source of this method)\n");
        return;
    }
    for (const char *at = p->names.source; *at;) {
        size_t length = strcspn(at, "\r\n");
        fprintf(p->file, "  | %.*s\n", (int)length, at);
        at += length;
        at += *at == '\r';
        at += *at == '\n';
    }
}

static void print_text(Printer *p, const char *name)
{
    Word start = jit_code(p->piece), end = start + p->piece->code_bytes;
    fprintf(p->file, "%s\n", name);
    fprintf(p->file, "  %s, %u bytes of code, %u words of pool, %u frame states, %u sends\n",
            p->listing->machine->name, p->piece->code_bytes, p->piece->pool_words,
            p->piece->map_count, p->piece->send_count);
    if (p->listing->source)
        print_source(p);
    print_pool(p);
    Row row;
    for (Word at = start; at < end; at += row.instruction.size) {
        fill_row(p, at, &row);
        print_row(p, &row);
    }
    fputc('\n', p->file);
}

/* ---- As JSON ---- */

void json_text(FILE *file, const char *text)
{
    fputc('"', file);
    for (const unsigned char *at = (const unsigned char *)text; *at; at++)
        if (*at == '"' || *at == '\\')
            fprintf(file, "\\%c", *at);
        else if (*at < ' ')
            fprintf(file, "\\u%04x", *at);
        else
            fputc(*at, file);
    fputc('"', file);
}

static void json_member(FILE *file, const char *name, const char *text)
{
    fprintf(file, ", \"%s\": ", name);
    json_text(file, text);
}

static void json_row(const Printer *p, const Row *row)
{
    char text[NAME_MAX_BYTES * 2];
    fprintf(p->file, "{\"offset\": %zu, \"bytes\": \"", (size_t)(row->instruction.address -
                                                                 jit_code(p->piece)));
    for (unsigned b = 0; b < row->instruction.size; b++)
        fprintf(p->file, "%02x", ((uint8_t *)word_pointer((Word)row->instruction.address))[b]);
    fprintf(p->file, "\"");
    json_member(p->file, "text", row->text);
    if (row->comment[0])
        json_member(p->file, "comment", row->comment);
    if (row->label)
        fprintf(p->file, ", \"label\": \"L%u\"", row->label);
    if (row->entry)
        json_member(p->file, "entry", row->entry);
    if (row->bytecode) {
        fprintf(p->file, ", \"pc\": %u", image_pc(row->bytecode));
        if (p->listing->bytecodes && bytecode_of(p, row->bytecode, text))
            json_member(p->file, "bytecode", text);
    }
    if (row->map) {
        map_text(p, row->map, text);
        fprintf(p->file, ", \"map\": {\"pc\": %u, \"state\": ", image_pc(row->map->pc));
        json_text(p->file, text);
        fprintf(p->file, "}");
    }
    fprintf(p->file, "}");
}

static void json_pool(const Printer *p)
{
    char text[DECORATED_MAX];
    fprintf(p->file, " \"pool\": [");
    for (unsigned i = 0; i < p->piece->pool_words; i++) {
        decorate_pool(&p->decorator, i, text);
        fprintf(p->file, "%s", i ? ", " : "");
        json_text(p->file, text);
    }
    fprintf(p->file, "],\n");
}

static void print_json(Printer *p, const char *name)
{
    Word start = jit_code(p->piece), end = start + p->piece->code_bytes;
    fprintf(p->file, "{\"name\": ");
    json_text(p->file, name);
    json_member(p->file, "machine", p->listing->machine->name);
    if (p->listing->source && p->names.source)
        json_member(p->file, "source", p->names.source);
    fprintf(p->file, ",\n \"address\": %zu,\n", (size_t)start);
    json_pool(p);
    fprintf(p->file, " \"instructions\": [\n");
    Row row;
    for (Word at = start; at < end; at += row.instruction.size) {
        fill_row(p, at, &row);
        fprintf(p->file, "%s  ", at == start ? "" : ",\n");
        json_row(p, &row);
    }
    fprintf(p->file, "]}");
}

/* ---- All of it ---- */

void listing_print(const Listing *listing, const Piece *piece, const CodeOrigin *origins,
                   uint32_t origin_count, FILE *file)
{
    char name[NAME_MAX_BYTES];
    Printer p = {.listing = listing, .piece = piece, .origins = origins,
                 .origin_count = origin_count, .file = file};
    code_names_open(&p.names, listing->vm, jit_piece_method(piece));
    find_labels(&p);
    decorator_init(&p.decorator, listing->vm, listing->machine);
    decorate_address(&p.decorator, (uintptr_t)(jit_code(piece) + piece->checked), name);
    p.decorator.piece = piece;
    p.decorator.names = &p.names;
    p.decorator.labels = p.labels;
    p.decorator.label_count = p.label_count;
    if (listing->json)
        print_json(&p, name);
    else
        print_text(&p, name);
    code_names_close(&p.names);
}
