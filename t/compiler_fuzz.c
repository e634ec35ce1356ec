/* Mutated sources: never a crash, a hang or an error without a place, and every method that is
 * emitted passes the verifier and can be decompiled without harm. The material are the sources of
 * the built-in image. OSVM_TEST_LONG: more rounds; OSVM_TEST_SEED: another start;
 * OSVM_FUZZ_SECONDS and OSVM_FUZZ_SEED: for so long, from there. */
#include <dirent.h>
#include <time.h>

#include "compiler/decompile.h"
#include "compiler/model.h"
#include "kernel/bytecode/verify.h"
#include "tap.h"

enum { ROUNDS = 3000, ROUNDS_LONG = 200000, MAXIMAL_FILES = 128 };

static char *files[MAXIMAL_FILES];
static size_t file_sizes[MAXIMAL_FILES];
static int file_count;
static uint64_t random_state;

static uint64_t random_next(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    return random_state ^= random_state << 17;
}

static size_t random_below(size_t limit)
{
    return limit ? (size_t)(random_next() % limit) : 0;
}

static void read_files(const char *directory)
{
    DIR *entries = opendir(directory);
    if (!entries)
        bail_out("cannot read %s", directory);
    for (struct dirent *entry; (entry = readdir(entries)) && file_count < MAXIMAL_FILES;) {
        char path[512];
        if (!strstr(entry->d_name, ".class.st"))
            continue;
        snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
        FILE *file = fopen(path, "rb");
        files[file_count] = malloc(65536);
        file_sizes[file_count] = fread(files[file_count], 1, 65536, file);
        file_count++;
        fclose(file);
    }
    closedir(entries);
}

/* A copy of one file in which some places are changed, doubled, removed, or taken from others. */
static size_t mutate(char *text)
{
    static const char *const snippets[] = {"[",
                                           "]",
                                           "(",
                                           ")",
                                           "{",
                                           "}",
                                           "^",
                                           ".",
                                           ";",
                                           ":",
                                           ":=",
                                           "#(",
                                           "#[",
                                           "'",
                                           "\"",
                                           "$",
                                           "|",
                                           "| a |",
                                           "16r",
                                           "1e",
                                           "1.5e300",
                                           "-",
                                           "<",
                                           ">",
                                           "!",
                                           "#",
                                           "super ",
                                           "self ",
                                           "ifTrue: ",
                                           "[:a | ",
                                           "to: 3 do: [:i | ",
                                           "whileTrue: [",
                                           "<primitive: 1>",
                                           "<cdecl: threaded long 'f' (char* Point) module: 'm'>",
                                           "<apicall: void 'f' (void) error: code>",
                                           "1e-3 ",
                                           "2r1e-70 ",
                                           "16rfFe-2 ",
                                           "caseOf: {[1] -> [2]} otherwise: [",
                                           "#traits : 'TOne + (TTwo - {#b})',",
                                           "#traits : 'TOne @ {#c -> #a. #d: -> #b:} - #(a)',",
                                           "#classTraits : 'TTwo classTrait -- #slot',",
                                           "#traits : 'TTwo withPrecedenceOf: TOne',",
                                           "Object subclass: #Z uses: TOne + TTwo instanceVariableNames: ''!",
                                           "Trait named: #Y uses: TTwo @ {#e -> #a} category: ''!",
                                           "\xC3\xA9",
                                           "\xFF",
                                           "\r",
                                           "\n",
                                           "thisContext ",
                                           "nil "};
    int file = (int)random_below((size_t)file_count);
    size_t size = file_sizes[file];
    memcpy(text, files[file], size);
    for (size_t changes = 1 + random_below(6); changes; changes--) {
        size_t at = random_below(size + 1), length = random_below(40);
        if (at + length > size)
            length = size - at;
        const char *snippet = snippets[random_below(sizeof snippets / sizeof *snippets)];
        size_t room = strlen(snippet);
        switch (random_below(5)) {
        case 0: /* remove */
            memmove(text + at, text + at + length, size - at - length);
            size -= length;
            break;
        case 1: /* overwrite one byte */
            if (at < size)
                text[at] = (char)random_next();
            break;
        case 2: { /* move a piece of another file here */
            int other = (int)random_below((size_t)file_count);
            size_t from = random_below(file_sizes[other]);
            if (from + length > file_sizes[other])
                length = file_sizes[other] - from;
            memcpy(text + at, files[other] + from, length);
            break;
        }
        default: /* insert */
            memmove(text + at + room, text + at, size - at);
            memcpy(text + at, snippet, room);
            size += room;
        }
    }
    return size;
}

static size_t methods_verified, reports_made, lines_read, came_back;

static bool check_places(const Diagnostics *diagnostics)
{
    for (const Diagnostic *each = diagnostics->first; each; each = each->next) {
        Place place = source_place(each->source, each->start);
        if (!each->message[0] || place.line < 1 || place.column < 1 ||
            each->start > each->source->length + 1)
            return false;
        reports_made++;
    }
    return true;
}

static bool check_methods(Program *program, Arena *arena, const char **message)
{
    for (size_t i = 0; i < program->classes.count; i++)
        for (int side = 0; side < 2; side++) {
            ClassScope scope = program_scope(program, program->classes.items[i], side);
            for (size_t j = 0; j < program->classes.items[i]->methods[side].count; j++) {
                const MethodModel *method = program->classes.items[i]->methods[side].items[j];
                VerifyError error;
                if (!method->code)
                    continue;
                if (!verify_compiled_code(method->code, arena, NULL, &error, NULL)) {
                    *message = arena_printf(arena, "%s: %s at %u", method->code->selector,
                                            error.message, error.pc);
                    return false;
                }
                methods_verified++;
                if (methods_verified % 16 == 0)
                    came_back += !decompile_text(program->tools, method->code, &scope).why;
            }
        }
    return true;
}

/* What the snippets about traits name. */
static void read_traits(Program *program, Arena *arena)
{
    static const char *const traits[] = {
        "Trait { #name : #TOne, #instVars : [ 'slot' ], #traits : 'TTwo' }\nTOne >> a [ ^ [ slot ] ]\n"
        "TOne >> b: x [ slot := x. ^ 1e-3 ]",
        "Trait { #name : #TTwo }\nTTwo >> a [ ^ super a ]\nTTwo >> b [ ^ self explicitRequirement ]\n"
        "TTwo class >> c [ <cdecl: long 'c' ()> ]"};
    for (int i = 0; i < 2; i++)
        tonel_read(program, source_new(arena, "T.trait.st", traits[i], strlen(traits[i])));
}

static bool run_round(int round)
{
    static char text[2 * 65536];
    Arena *arena = arena_new();
    Diagnostics diagnostics;
    CompileTools tools = {arena, names_new(arena), &diagnostics};
    Program program;
    const char *message = "a report without a place";
    diagnostics_init(&diagnostics, arena);
    diagnostics.enabled = WARNINGS_ALL;
    program_init(&program, &tools);
    read_traits(&program, arena);
    size_t size = mutate(text);
    for (size_t i = 0; i < size; i++)
        lines_read += text[i] == '\n';
    const SourceText *source = source_new(arena, "mutant.class.st", text, size);
    if (round % 4 == 3)
        chunk_read(&program, source);
    else
        tonel_read(&program, source);
    program_resolve(&program);
    program_compile(&program, round % 2 ? SET_V3 : SET_SISTA);
    bool sound = check_places(&diagnostics) && check_methods(&program, arena, &message);
    if (!sound) {
        diag("round %d: %s", round, message);
        FILE *file = fopen("/tmp/compiler_fuzz.st", "wb");
        if (file) {
            fwrite(text, 1, size, file);
            fclose(file);
        }
    }
    arena_free(arena);
    return sound;
}

int main(void)
{
    const char *seed = getenv("OSVM_TEST_SEED"), *seconds = getenv("OSVM_FUZZ_SECONDS");
    time_t end = time(NULL) + (seconds ? atol(seconds) : 0);
    if (getenv("OSVM_FUZZ_SEED"))
        seed = getenv("OSVM_FUZZ_SEED");
    random_state = seed ? strtoull(seed, NULL, 0) : 0x2545F4914F6CDD1D;
    random_state += random_state == 0;
    diag("seed 0x%llx", (unsigned long long)random_state);
    read_files("image/Kernel-Objects");
    read_files("image/Kernel-Numbers");
    read_files("image/Collections-Sequenceable");
    int rounds = getenv("OSVM_TEST_LONG") ? ROUNDS_LONG : ROUNDS, wrong = 0;
    int round = 0;
    while (wrong < 5 && (seconds ? time(NULL) < end : round < rounds))
        wrong += !run_round(round++);
    is_int(wrong, 0, "%d mutated sources of %d files, %zu lines", round, file_count, lines_read);
    ok(came_back > methods_verified / 64, "of every sixteenth method that was decompiled, most "
       "come back (%zu of %zu)", came_back, methods_verified / 16);
    ok(methods_verified > (size_t)round, "%zu methods were emitted, and verified",
       methods_verified);
    ok(reports_made > (size_t)round, "%zu reports were made, each with a place", reports_made);
    for (int i = 0; i < file_count; i++)
        free(files[i]);
    return done_testing();
}
