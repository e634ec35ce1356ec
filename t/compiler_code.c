/* Source to bytecode, byte for byte. The expectations are those of Squeak's compiler; where a block
 * follows, its bytes stand in brackets. */
#include "compiler/codegen.h"
#include "tap.h"

static Arena *arena;
static CompileTools tools;
static Diagnostics diagnostics;

static bool is_global(void *owner, const char *name)
{
    (void)owner;
    return name[0] >= 'A' && name[0] <= 'Z';
}

static const char *code_text(const CompiledCode *code)
{
    char *text = "";
    for (size_t i = 0; i < code->bytecode_count; i++)
        text = arena_printf(arena, "%s%s%02X", text, i ? " " : "", code->bytecodes[i]);
    for (size_t i = 0; i < code->literal_count; i++)
        if (code->literals[i]->kind == LITERAL_CODE)
            text = arena_printf(arena, "%s [%s]", text, code_text(code->literals[i]->code_block));
    return text;
}

static CompiledCode *compile(const char *source, BytecodeSet set)
{
    const char *names[] = {names_of(tools.names, "x"), names_of(tools.names, "y")};
    ClassScope scope = {.class_name = "Foo",
                        .instance_names = names,
                        .instance_count = 2,
                        .has_binding = is_global};
    SourceText *text = source_new(arena, "test", source, strlen(source));
    size_t errors = diagnostics.error_count;
    Method *method = parse_method(&tools, text, 0, text->length);
    return diagnostics.error_count == errors ? compile_method(&tools, method, &scope, set) : NULL;
}

static void check(const char *source, const char *expected)
{
    CompiledCode *code = compile(source, SET_SISTA);
    is_text(code ? code_text(code) : NULL, expected, "%s", source);
}

static void check_v3(const char *source, const char *expected)
{
    CompiledCode *code = compile(source, SET_V3);
    is_text(code ? code_text(code) : NULL, expected, "V3: %s", source);
}

static void check_quick_methods(void)
{
    check("foo", "F8 00 01 58");
    check("foo ^self", "F8 00 01 58");
    check("foo ^true", "F8 01 01 59");
    check("foo ^nil", "F8 03 01 5B");
    check("foo ^-1", "F8 04 01 E1 FF E8 FF 5C");
    check("foo ^2", "F8 07 01 E8 02 5C");
    check("foo ^y", "F8 09 01 01 5C");
    check("foo: a ^self", "58");
    check("foo ^3", "E8 03 5C");
}

static void check_conditions(void)
{
    check("foo: a ^a > 2 ifTrue: [1] ifFalse: [a foo]", "40 E8 02 63 C1 51 B1 40 80 5C");
    check("foo: a ^a > 2 ifFalse: [1] ifTrue: [a foo]", "40 E8 02 63 C2 40 80 B0 51 5C");
    check("foo: a a isNil ifTrue: [^1]. ^a ifNil: [y]", "40 80 C1 51 5C 40 53 4F 76 C1 D8 01 5C");
    check("foo: a ^a ifNotNil: [:q | q foo: 3]", "40 F5 01 4F 76 C1 4F B3 41 E8 03 90 5C");
    check("foo ^x and: [y or: [self]]", "00 C5 01 C1 4D B0 4C B0 4E 5C");
    check("foo: a a ifTrue: [x foo]", "40 C2 00 80 D8 58");
    check("foo: a a ifTrue: []", "40 D8 58");
    check("foo: a a ifTrue: [^1] ifFalse: [^2]", "40 C1 51 5C E8 02 5C");
    check("foo ^x caseOf: {[1] -> [2]. [3] -> [4]} otherwise: [5]",
          "00 53 51 66 C4 D8 E8 02 ED 09 E8 03 66 C2 E8 04 B1 E8 05 5C");
    check("foo: a ^a ifTrue: a ifFalse: [2]", "40 40 F9 01 00 A0 5C [E8 02 5E]");
}

static void check_loops(void)
{
    check("foo [x foo] whileTrue: [y bar: 1000]",
          "00 81 EF 0B 01 E1 03 E8 E8 90 D8 E1 FF ED F1 58");
    check("foo [x foo] whileFalse", "00 80 BB E1 FF ED F9 58");
    check("foo [x foo] repeat", "00 80 D8 E1 FF ED F9 58");
    check("foo: n | s | s := 0. 1 to: n do: [:i | s := s + i]. ^s",
          "50 D1 51 D2 42 40 64 EF 0C 41 42 60 D1 42 51 60 D2 E1 FF ED EF 41 5C");
    check("foo: n x to: y size do: [:i | i foo]", /* the limit has a place of its own */
          "00 D1 01 72 D2 41 42 64 EF 0B 41 80 D8 41 51 60 D1 E1 FF ED F0 58");
    check("foo: n 1 to: n size do: [:i | | t | t := i. n foo: t]", /* ... behind the body's own */
          "51 D1 40 72 D3 41 43 64 EF 0E 41 D2 40 42 90 D8 41 51 60 D1 E1 FF ED ED 58");
    check("foo 3 to: 1 by: -1 do: [:i | i foo]",
          "E8 03 D0 40 51 65 EF 0E 40 80 D8 40 E1 FF E8 FF 60 D0 E1 FF ED ED 58");
    check("foo: n | k | k := 3. 1 to: k do: [:i | k := 2]", /* assigned in the loop: a real send */
          "E7 01 D1 E8 03 FD 00 01 51 FB 00 01 41 F9 01 01 A0 D8 58 [E8 02 FC 00 01 5E]");
}

static void check_closures(void)
{
    check("foo ^[]", "F9 00 00 5C [5D]");
    check("foo: n ^[:a | a foo: n]", "40 F9 00 01 5C [40 41 90 5E]");
    check("foo: n | s | s := 5. ^n collect: [:i | s + i]",
          "E8 05 D1 40 41 F9 01 01 90 5C [41 40 60 5E]");
    check("foo: n | s | s := 0. n do: [:i | s := s + i]. ^s",
          "E7 01 D1 50 FD 00 01 40 41 F9 00 01 7B D8 FB 00 01 5C [FB 00 01 40 60 FC 00 01 5E]");
    check("foo: n | s | s := 0. n foo: [s]. s := 1", /* written behind the capture */
          "E7 01 D1 50 FD 00 01 40 41 F9 01 01 90 D8 51 FD 00 01 58 [FB 00 00 5E]");
    check("foo: n 1 to: 3 do: [:i | n add: [i]]", /* the counter is copied */
          "51 D1 41 E8 03 64 EF 0F 40 41 F9 01 01 90 D8 41 51 60 D1 E1 FF ED EB 58 [40 5E]");
    check("foo: n 1 to: 3 do: [:i | | t | t := i. n add: [t]]", /* a fresh vector in each round */
          "51 D1 41 E8 03 64 EF 16 E7 01 D2 41 FD 00 02 40 42 F9 01 01 90 D8 41 51 60 D1 E1 FF ED "
          "E4 58 "
          "[FB 00 00 5E]");
    check("foo: n | z a | [n foo: [z := a := 1]] whileTrue: [a := z]", /* in the order declared */
          "E7 02 D1 40 41 F9 01 01 90 EF 0A FB 00 01 FD 01 01 E1 FF ED EE 58 "
          "[51 FC 01 00 FC 00 00 5E]");
    check("foo ^[super foo]", "F9 00 00 5C [4C 11 E1 40 EB 00 5E]");
    check("foo ^super + 3", "4C E8 03 EB 01 5C");
    check("foo ^[:a | ^a]", "F9 00 00 5C [40 5C]");
}

static void check_rest(void)
{
    check("foo ^{1. 2. $a. #foo. 3.5}", "51 E8 02 E9 61 20 21 E7 85 5C");
    check("foo ^{}", "E7 80 5C");
    check("foo x foo; bar: 2; yourself", "00 53 80 D8 53 E8 02 91 D8 82 D8 58");
    check("foo <primitive: 60 error: ec> ^ec", "F8 3C 00 F5 00 40 5C");
    check("foo <primitive: 'a' module: 'b'> ^Foo bar: #bar", "F8 75 00 12 23 91 5C");
    check("foo ^16r1F + 1e3 + -32768 + 40000", "E8 1F E1 03 E8 E8 60 E1 80 E8 00 60 20 60 5C");
    check("foo ^thisContext", "52 5C");
    check("foo Bar := x := 3", "E8 03 F3 00 F1 00 58");
    check("== other ^other ->> self", "40 4C 90 5C");
}

static void check_set_v3(void)
{
    check_v3("foo ^[super foo]", "8F 00 00 04 70 85 00 7D 7C");
    check_v3("foo: n | s | s := 0. n do: [:i | | t | t := i. s := s + t]. ^s",
             "8A 01 69 75 8E 00 01 10 11 8F 11 00 0C 73 10 6A 8C 00 01 12 B0 8D 00 01 7D CB 87 8C "
             "00 01 7C");
    check_v3("foo [x foo] whileTrue: [y bar]", "00 D1 9C 01 D0 87 A3 F8 78");
    check_v3("foo ^2", "8B 07 01 77 7C");
    check_v3("foo ^[]", "8F 00 00 02 73 7D 7C");
}

/* t/squeak-methods.txt: a method a line, below it what is expected, each line behind a tab. */
static void check_recorded_line(const char *source, const char *line)
{
    const CompiledCode *code;
    unsigned quick;
    if (sscanf(line, "quick %u", &quick) == 1) {
        code = compile(source, SET_SISTA);
        is_int(code ? code->bytecodes[1] + 256 * code->bytecodes[2] : 0, quick, "quick: %s", source);
    } else if (strncmp(line, "sista ", 6) == 0) {
        check(source, line + 6);
    } else if (strncmp(line, "v3 ", 3) == 0) {
        check_v3(source, line + 3);
    } else {
        ok(false, "'%s' says which set it is of", line);
    }
}

static void check_recorded(const char *path)
{
    char line[2000], source[2000] = "";
    FILE *file = fopen(path, "r");
    int count = 0;
    while (file && fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = '\0';
        if (line[0] == '\t')
            check_recorded_line(arena_copy(arena, source, strlen(source)), line + 1);
        else if (line[0] != '#')
            strcpy(source, line);
        count++;
    }
    if (file)
        fclose(file);
    ok(count > 400, "%s has been read", path);
}

static void check_frames(void)
{
    CompiledCode *code = compile("foo: n ^n foo: 1 bar: 2", SET_SISTA);
    ok(code && !code->large_frame && code->arg_count == 1 && code->temp_count == 1,
       "a small frame");
    code = compile("foo |a b c d e f g h i j k l m| a := 1. ^a foo: (b foo: (c foo: (d foo: e)))",
                   SET_SISTA);
    ok(code && code->large_frame && code->temp_count == 13,
       "more than 16 places need a large frame");
    code = compile("foo |a b| a := 1. b := [a := 2]. ^b", SET_SISTA);
    is_text(code->temp_names[0], "b", "the names of temporaries are kept");
    is_text(code->temp_names[1], "(a)", "and those of the shared ones");
}

int main(void)
{
    arena = arena_new();
    diagnostics_init(&diagnostics, arena);
    tools = (CompileTools){arena, names_new(arena), &diagnostics};
    check_quick_methods();
    check_conditions();
    check_loops();
    check_closures();
    check_rest();
    check_set_v3();
    check_recorded("t/squeak-methods.txt");
    check_frames();
    for (Diagnostic *each = diagnostics.first; each; each = each->next)
        if (each->severity == SEVERITY_ERROR)
            diag("error: %s", each->message);
    arena_free(arena);
    return done_testing();
}
