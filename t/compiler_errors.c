/* What is wrong with a source, and where: line, column, what was expected. */
#include "compiler/codegen.h"
#include "tap.h"

static Arena *arena;

static bool is_global(void *owner, const char *name)
{
    (void)owner;
    return name[0] >= 'A' && name[0] <= 'Z';
}

static void run(const char *source, Diagnostics *diagnostics)
{
    CompileTools tools = {arena, names_new(arena), diagnostics};
    const char *names[] = {names_of(tools.names, "x")};
    ClassScope scope = {.class_name = "Foo",
                        .instance_names = names,
                        .instance_count = 1,
                        .has_binding = is_global};
    diagnostics_init(diagnostics, arena);
    SourceText *text = source_new(arena, "test", source, strlen(source));
    Method *method = parse_method(&tools, text, 0, text->length);
    if (diagnostics->error_count == 0)
        compile_method(&tools, method, &scope, SET_SISTA);
}

/* All reports, as "line:column message; ..." */
static const char *reports(const char *source)
{
    Diagnostics diagnostics;
    const char *text = "";
    run(source, &diagnostics);
    for (const Diagnostic *each = diagnostics.first; each; each = each->next) {
        Place place = source_place(each->source, each->start);
        text = arena_printf(arena, "%s%s%u:%u %s", text, *text ? "; " : "", place.line,
                            place.column, each->message);
    }
    return text;
}

static void check(const char *source, const char *expected)
{
    is_text(reports(source), expected, "%s", source);
}

static void check_syntax(void)
{
    check("foo ^", "1:6 an expression expected, found the end of the text");
    check("foo\n  ^ 3 +", "2:8 an argument of this operator expected, found the end of the text");
    check("foo ^(3 + 4", "1:12 ')' expected, found the end of the text");
    check("foo ^[3 + 4", "1:12 ']' or a period expected, found the end of the text");
    check("foo ^{3. 4", "1:11 '}' or a period expected, found the end of the text");
    check("foo ^#(1 2", "1:11 a literal or ')' expected, found the end of the text");
    check("foo ^#[1 300]", "1:10 an integer from 0 to 255 or ']' expected, found a literal");
    check("foo ^'abc", "1:6 this string is not closed: ' expected");
    check("foo \"abc", "1:5 this comment is not closed: \" expected");
    check("foo ^$", "1:6 a character expected after '$'");
    check("foo: ^3", "1:6 the name of an argument expected, found '^'");
    check("^3", "1:1 a message pattern expected, found '^'");
    check("foo | a ^a", "1:9 a variable name or '|' expected, found '^'");
    check("foo ^3; bar", "1:7 a message expected before ';'");
    check("foo ^x foo; 3", "1:13 a message behind ';' expected, found a literal");
    check("foo ^x foo: ", "1:13 an argument of this keyword expected, found the end of the text");
    check("foo <primitive: > ^3", "1:17 a literal expected, found '>'");
    check("foo <primitive: 0> ^3", "1:6 a primitive's number (1 to 32767) or name expected");
    check("foo <primitive: 1> <primitive: 2> ^3", "1:21 a method can have only one primitive");
    check("foo <cdecl: long strlen (char*)>", "1:18 the name of a function, in quotes expected, found 'strlen'");
    check("foo <apicall: 3>", "1:15 the name of a type expected, found a literal");
    check("foo <cdecl: long 'a' (long>", "1:27 the name of a type expected, found '>'");
    check("foo ^16r", "1:6 digits expected after the radix");
    check("foo x := := 3", "1:10 an expression expected, found ':='");
    check("foo ^x ]", "1:8 a period or the end of the statement expected, found ']'");
}

static void check_all_reported(void)
{
    check("foo\n  x foo: .\n  x bar: [ 3 + ].\n  ^ )",
          "2:10 an argument of this keyword expected, found '.'; "
          "3:16 an argument of this operator expected, found ']'; "
          "4:5 an expression expected, found ')'");
    check(
        "foo: a | b | a := 1. self := 2. b := nope", /* names are looked at when syntax is right */
        "1:14 cannot store into 'a': it is an argument; 1:22 cannot store into 'self'; "
        "1:38 'nope' is not declared: it will be nil; 1:10 'b' is assigned but never read");
}

static void check_names(void)
{
    check("foo: a | a | ^a", "1:10 'a' is declared twice here");
    check("foo | self | ^self", "1:7 'self' is a reserved word");
    check("foo ^[:a | | x | x := a. x]", "1:14 'x' hides another variable of this name");
    check("foo: a ^[:a | a]", "1:11 'a' hides another variable of this name");
    check("foo | a | ^3", "1:7 'a' is never used");
    check("foo ^3. x foo", "1:9 this is behind a return and is never reached");
    check("foo x ifTrue: [:a | a]", "1:17 this block of ifTrue: has too many arguments");
    check("foo ^Bar", "");
}

static void check_places(void)
{
    check("f\xC3\xB6\xC3\xB6 ^\xC3\xA4", "1:6 '\xC3\xA4' is not declared: it will be nil");
    check("foo\r  ^ a", "2:5 'a' is not declared: it will be nil");
    check("foo\r\n  ^ a", "2:5 'a' is not declared: it will be nil");
    SourceText *file = source_new(arena, "file", "!! !!ab!!cd", 11);
    SourceText *chunk = source_new_chunk(arena, file, 0, 11);
    is_text(chunk->text, "! !ab!cd", "doubled marks are undone");
    is_int(source_place(chunk, 6).column, 10, "and places still are those of the file");
}

/* Deep nesting ends in an error, not in a crash. */
static void check_depth(void)
{
    enum { DEEP = 20000 };
    char *source = arena_alloc(arena, 4 * DEEP + 16);
    const char *const pieces[] = {"(", "[", "{", "#(", "x foo: ", "a := "};
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        strcpy(source, "foo ^");
        size_t length = strlen(source);
        for (int j = 0; j < DEEP / 2; j++)
            length += (size_t)sprintf(source + length, "%s", pieces[i]);
        ok(strlen(reports(source)) > 0, "%d times %s is refused", DEEP / 2, pieces[i]);
    }
    strcpy(source, "foo ^x");
    for (size_t j = 0, length = 6; j < DEEP; j++)
        length += (size_t)sprintf(source + length, " y");
    has_text(reports(source), "nested too deeply", "%d messages in a row are refused", DEEP);
}

int main(void)
{
    arena = arena_new();
    check_syntax();
    check_all_reported();
    check_names();
    check_places();
    check_depth();
    arena_free(arena);
    return done_testing();
}
