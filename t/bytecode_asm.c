/* The assembler's language: what texts give, what malformed ones say, and random literals through text
 * and back. */
#include "tap.h"

#include "support/bytecode.h"

/* Code after "method A>>m" (or with a method line of its own) and the bytes it gives. */
typedef struct {
    const char *text, *bytes;
} Given;

static const Given given[] = {
    { "code\nreturnSelf", "58" },
    { "set v3\ncode\nreturnSelf", "78" },
    { "code ; comment\n  returnSelf ; another\n\n", "58" },
    { "code\npushInt 0\npushInt 1\npushInt 2\npushInt -1\npushInt 256\npushInt -129",
      "50 51 E8 02 E1 FF E8 FF E1 01 E8 00 E1 FF E8 7F" },
    { "set v3\ncode\npushInt -1\npushInt 2", "74 77" },
    { "temps 20\ncode\npushTemp 11\npushTemp 12\npopIntoTemp 7\npopIntoTemp 8\nstoreTemp 0",
      "4B E5 0C D7 F2 08 F5 00" },
    { "names a b\ncode\npushTemp b\nstoreTemp a\npushRemote 3 in b", "41 F5 00 FB 03 01" },
    { "code\npushIvar 15\npushIvar 16\npushIvar 256\npopIntoIvar 7\npopIntoIvar 8\nstoreIvar 0",
      "0F E2 10 E0 01 E2 00 CF F0 08 F3 00" },
    { "code\npushTemp/E5 3\npushIvar/E0.E2 3\npushIvar/E0.E0.E2 3",
      "E5 03 E0 00 E2 03 E0 00 E0 00 E2 03" },
    { "code\nsend/E1.E0.EA 40 args=9", "E1 01 E0 01 EA 41" },
    { "code\nsend 40 args=9", "E0 01 E1 01 EA 41" },
    { "code\nsendDirectedSuper 1 args=1", "E1 40 EB 09" },
    { "code\nsendSpecial #at:put:\nsendSpecial 22\nsendSpecial #==", "71 76 76" },
    { "code\npushChar $a\npushChar 256\npushChar $;", "E9 61 E0 01 E9 00 E9 3B" },
    { "code\npushNewArray 3\npopIntoNewArray 2", "E7 03 E7 82" },
    { "code\npushFullClosure 2 copied=3 noOuter receiver", "F9 02 C3" },
    { "code\ncallPrimitive 60\ninlinePrimitive 1000\ninlinePrimitive 1 set=2",
      "F8 3C 00 F8 E8 83 F8 01 C0" },
    { "primitive 257\ncode\nreturnTrue", "F8 01 01 59" },
    { "code\n.byte 1 0xFF 16", "01 FF 10" },
    { "code\njump L\nL:", "ED 00" },
    { "code\njump L\nnop\nL:", "B0 5F" },
    { "code\nL: jump L", "E1 FF ED FC" },
    { "code\nL: M: pushTrue jumpTrue", NULL },
    { "code\njumpTrue L\njumpFalse L\nnop\nL: nop", "B9 C0 5F 5F" },
    { "set v3\ncode\njumpTrue L\nL: jump L", "A8 00 A3 FE" },
    { "set v3\ncode\nL: jump/A0 M\nM: jump/A4 L", "A4 00 A3 FC" },
    { "set v3\ncode\npushClosure args=2 copied=1 end=L\nblockReturnTop\nL: returnTop",
      "8F 12 00 01 7D 7C" },
    { "code\npushClosure args=9 copied=1 end=L\nL:", "E0 01 FA 09 00" },
    { "literals\n#a\ncode\npushLit #a\npushLit #b\npushLit =5\npushLit 1\npushVar var:X\npushLit "
      "'a'",
      "20 21 22 21 13 24" },
};

static const char *hex(const CompiledCode *code, Arena *arena)
{
    char *text = arena_alloc(arena, code->bytecode_count * 3 + 1);
    for (size_t n = 0; n < code->bytecode_count; n++)
        sprintf(text + n * 3, "%02X ", code->bytecodes[n]);
    if (code->bytecode_count)
        text[code->bytecode_count * 3 - 1] = 0;
    return text;
}

static AsmResult read_body(const char *body, Arena *arena)
{
    const char *text = arena_printf(arena, "method A>>m\n%s\nend\n", body);
    return asm_read(text, strlen(text), "t", arena);
}

static void test_given(void)
{
    for (size_t n = 0; n < sizeof given / sizeof *given; n++) {
        Arena *arena = arena_new();
        AsmResult result = read_body(given[n].text, arena);
        if (!given[n].bytes)
            ok(result.error_count == 1 && result.method_count == 0, "refused: %zu", n);
        else if (result.error_count)
            ok(false, "%s", result.errors[0].message);
        else {
            is_text(hex(result.methods[0], arena), given[n].bytes, "%zu: %s", n, given[n].bytes);
            ok(round_trips(result.methods[0], arena), "%zu: and back", n);
        }
        arena_free(arena);
    }
}

/* -- Literals -- */

static const char *const plain_literals[] = {
    "nil",
    "true",
    "false",
    "0",
    "1",
    "-1",
    "-9223372036854775808",
    "18446744073709551615",
    "0x01000000000000000000",
    "-0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF",
    "0.0",
    "-0.0",
    "1.5",
    "0.1",
    "1e+100",
    "9.99988867182683e-321",
    "1.7976931348623157e+308",
    "inf",
    "-inf",
    "bits:7FF8000000000000",
    "bits:FFF0000000000001",
    "scaled(1 3 2)",
    "scaled(-1 0x01000000000000000000 -5)",
    "$a",
    "$'",
    "$;",
    "char:0",
    "char:32",
    "char:1114111",
    "''",
    "'a'",
    "'it\\'s'",
    "'\\x00\\n\\\\'",
    "'\xC3\xA4'",
    "#foo",
    "#at:put:",
    "#+",
    "#'with space'",
    "#''",
    "#'\xC3\xA4'",
    "#[]",
    "#[0 255]",
    "#( )",
    "#( 1 #foo #( nil ) 'x' $a 1.5 )",
    "var:Transcript",
    "var:'A b'",
    "methodClass",
    "methodClass:Array",
    "methodClass:'Array class'",
    "outerCode",
    "methodState(#foo: )",
    "methodState(#foo: pragma(#primitive: 60 ) pragma(#x:y: #( 1 ) 'a' ) )",
};

static void test_literals(Arena *arena)
{
    for (size_t n = 0; n < sizeof plain_literals / sizeof *plain_literals; n++) {
        const char *text = plain_literals[n];
        AsmResult result = read_body(arena_printf(arena, "literals\n%s\ncode", text), arena);
        if (result.error_count)
            ok(false, "%s", result.errors[0].message);
        else
            is_text(disasm_literal(result.methods[0]->literals[0], arena), text, "%s", text);
    }
    AsmResult result = read_body(
        "literals\n340282366920938463463374607431768211456\n#(1\n2 ; two\n\n3)", arena);
    ok(result.error_count == 0, "literals over several lines");
    is_text(disasm_literal(result.methods[0]->literals[0], arena),
            "0x0100000000000000000000000000000000", "2^128 in decimal");
    is_int(result.methods[0]->literals[1]->element_count, 3, "elements over several lines");
}

static Literal *random_literal(Arena *arena, int depth)
{
    static const LiteralKind kinds[] = { LITERAL_NIL,        LITERAL_INTEGER,  LITERAL_FLOAT,
                                         LITERAL_CHARACTER,  LITERAL_STRING,   LITERAL_SYMBOL,
                                         LITERAL_BYTE_ARRAY, LITERAL_VARIABLE, LITERAL_ARRAY,
                                         LITERAL_PRAGMA };
    Literal *literal = arena_alloc(arena, sizeof *literal);
    literal->kind = kinds[random_below(depth ? 10 : 8)];
    size_t count = random_below(12);
    uint8_t *bytes = arena_alloc(arena, 16);
    for (size_t n = 0; n < count; n++)
        bytes[n] = (uint8_t)(random_below(3) ? 32 + random_below(95) : random_below(256));
    bytes[count] = 0;
    switch (literal->kind) {
    case LITERAL_INTEGER:
        if (count)
            bytes[count - 1] |= 1;
        literal->negative = count && random_below(2);
        literal->bytes = bytes;
        literal->byte_count = count;
        break;
    case LITERAL_FLOAT:
        for (size_t n = 0; n < 8; n++)
            bytes[n] = (uint8_t)random_below(256);
        memcpy(&literal->real, bytes, 8);
        break;
    case LITERAL_CHARACTER:
        literal->code = random_below(300);
        break;
    case LITERAL_STRING:
    case LITERAL_SYMBOL:
    case LITERAL_BYTE_ARRAY:
        literal->bytes = bytes;
        literal->byte_count = count;
        break;
    case LITERAL_PRAGMA:
    case LITERAL_VARIABLE:
        literal->name = (const char *)bytes;
        break;
    default:
        break;
    }
    if (literal->kind == LITERAL_ARRAY || literal->kind == LITERAL_PRAGMA) {
        literal->element_count = random_below(4);
        literal->elements = arena_alloc(arena, 4 * sizeof(Literal *));
        for (size_t n = 0; n < literal->element_count; n++)
            literal->elements[n] = random_literal(arena, depth - 1);
    }
    return literal;
}

static CompiledCode *random_method(Arena *arena, int depth)
{
    CompiledCode *code = arena_alloc(arena, sizeof *code);
    uint8_t *bytes = arena_alloc(arena, 64);
    for (int n = 0; n < 64; n++)
        bytes[n] = (uint8_t)random_below(256);
    code->set = random_below(2);
    code->large_frame = random_below(2);
    code->has_primitive = random_below(2);
    code->flags = random_below(4);
    code->temp_count = random_below(8);
    code->arg_count = random_below(code->temp_count + 1);
    code->bytecodes = bytes;
    code->bytecode_count = random_below(40);
    code->trailer = bytes + 40;
    code->trailer_count = random_below(24);
    code->literal_count = random_below(6);
    code->literals = arena_alloc(arena, 6 * sizeof(Literal *));
    for (size_t n = 0; n < code->literal_count; n++) {
        code->literals[n] = random_literal(arena, 3);
        if (depth && random_below(3) == 0) {
            code->literals[n] = arena_alloc(arena, sizeof(Literal));
            code->literals[n]->kind = LITERAL_CODE;
            code->literals[n]->code_block = random_method(arena, depth - 1);
            code->literals[n]->code_block->is_block = true;
        }
    }
    if (random_below(2))
        code->source = "foo\n\t^ 'it''s' \\ x";
    return code;
}

static void test_random_methods(void)
{
    static const char *const classes[] = { NULL, "Array", "Array class", "?",
                                           " a", "a.b",   "x;y",         "\xC3\xA4" };
    static const char *const selectors[] = {
        NULL, "foo", "at:put:", ">>", ">", "?", "a b", ";", "'"
    };
    bool fine = true;
    diag("seed %llu", (unsigned long long)random_state);
    for (int n = 0; fine && n < 3000; n++) {
        Arena *arena = arena_new();
        CompiledCode *code = random_method(arena, 2);
        code->class_name = classes[random_below(8)];
        code->selector = selectors[random_below(9)];
        fine = round_trips(code, arena);
        disasm_list(code, arena);
        arena_free(arena);
    }
    ok(fine, "random methods go through text and back");
}

/* -- Defaults and layout of the language -- */

static void test_defaults(Arena *arena)
{
    CompiledCode *code = assemble("method Array class>>at: put: ; odd\nselector #at:put:\ncode\n"
                                  "send #foo\npushLit =7\nend\n",
                                  arena);
    is_text(code->class_name, "Array class", "class");
    is_text(code->selector, "at:put:", "selector");
    is_int(code->arg_count, 2, "arguments by the selector");
    is_int(code->temp_count, 2, "temporaries by the arguments");
    is_int(code->literal_count, 4, "added literals and two closing ones");
    ok(code->literals[0]->kind == LITERAL_SYMBOL && code->literals[3]->kind == LITERAL_METHOD_CLASS,
       "added literals come first");
    code = assemble("method A>>m\nliterals\n1\n#m\nmethodClass\ncode\npushLit =9\npushLit 2\nend\n",
                    arena);
    is_text(hex(code, arena), "21 23", "indices of closing literals move");
    const char *both = "method A>>a\ncode\nreturnSelf\nend\n\nmethod\ncode\nend";
    AsmResult two = asm_read(both, strlen(both), "t", arena);
    is_int(two.method_count, 2, "two methods");
    ok(!two.methods[1]->selector && !two.methods[1]->class_name, "without a name");
    is_int(asm_read("", 0, "t", arena).method_count, 0, "an empty text");
}

static void test_listing(Arena *arena)
{
    CompiledCode *code = assemble("method A>>m:\nnames x\nliterals\nblock\ncode\npushNil\n"
                                  "blockReturnTop\nend\nmethodClass\ncode\npushTemp x\njumpTrue L\n"
                                  "pushFullClosure 0\nreturnTop\nL: returnSelf\nend\n",
                                  arena);
    const char *listing = disasm_list(code, arena);
    is_text(listing,
            "A>>m:: sista, 1 args, 1 temps, small frame\n"
            "  literal 0  block 1 below\n"
            "  literal 1  methodClass\n"
            "      0  40           pushTemp x\n"
            "      1  BB           jumpTrue 6\n"
            "      2  F9 00 00     pushFullClosure 0\n"
            "      5  5C           returnTop\n"
            "      6  58           returnSelf\n"
            "  block 1: sista, 0 args, 0 temps, small frame\n"
            "    literal 0  outerCode\n"
            "        0  4F           pushNil\n"
            "        1  5E           blockReturnTop\n",
            "the listing");
}

/* -- Errors -- */

typedef struct {
    const char *text, *messages; /* separated by | */
} Wrong;

static const Wrong wrong[] = {
    { "foo", "t:1:1: 'method' expected" },
    { "method A>>m", "t:1:1: the method has no end" },
    { "method A\nend", "t:1:8: CLASS>>SELECTOR expected" },
    { "method A>>m\nfoo\nend", "t:2:1: a header field, literals, code or end expected" },
    { "method A>>m\nset v4\nend", "t:2:5: v3 or sista expected" },
    { "method A>>m\nargs 16\nend", "t:2:6: args must be 0..15" },
    { "method A>>m\ntemps x\nend", "t:2:7: temps expected" },
    { "method A>>m\nargs 2\ntemps 1\nend", "t:1:1: fewer temporaries (1) than arguments (2)" },
    { "method A>>m\ntemps 1\nnames a b\nend", "t:3:7: 2 names for 1 temporaries" },
    { "method A>>m\nlarge frame\nend", "t:2:7: end of line expected" },
    { "method A>>m\ncode\n  frob 1\nend", "t:3:3: unknown instruction frob" },
    { "method A>>m\ncode\npushTemp\nend", "t:3:9: a temporary expected" },
    { "method A>>m\ncode\npushTemp x\nend", "t:3:10: no temporary is named x" },
    { "method A>>m\ncode\npop pop\nend", "t:3:5: end of line expected" },
    { "method A>>m\ncode\njump L\nend", "t:3:6: label L is not defined" },
    { "method A>>m\ncode\nL: pop\nL: pop\nend", "t:4:1: label L is defined twice" },
    { "method A>>m\ncode\npushTemp 300\nend", "t:3:1: pushTemp cannot be written so in sista" },
    { "method A>>m\nset v3\ncode\npushChar $a\nend", "t:4:1: pushChar cannot be written so in v3" },
    { "method A>>m\ncode\npushIvar/E5 3\nend", "t:3:1: pushIvar cannot be written so in sista" },
    { "method A>>m\ncode\npushIvar/E5.E2 3\nend", "t:3:10: E5 is no prefix" },
    { "method A>>m\ncode\npushIvar/X 3\nend",
      "t:3:10: a form is up to 8 prefixes and an opcode: E0.E1.E4" },
    { "method A>>m\ncode\nsend 3\nend", "t:3:6: without a selector args=N is needed" },
    { "method A>>m\ncode\nsendSpecial #foo\nend", "t:3:13: no special selector" },
    { "method A>>m\ncode\npushRemote 1 of 2\nend", "t:3:14: 'in' expected" },
    { "method A>>m\ncode\n.byte 256\nend", "t:3:7: a byte must be 0..255" },
    { "method A>>m\ncode\n.byte\nend", "t:3:6: a byte expected" },
    { "method A>>m\nliterals\n'abc\nend", "t:3:1: the text has no end in this line" },
    { "method A>>m\nliterals\n'a\\q'\nend",
      "t:3:3: an unknown escape; there are \\n \\t \\r \\\\ \\' \\xHH" },
    { "method A>>m\nliterals\nfoo\nend", "t:3:1: a literal expected" },
    { "method A>>m\nliterals\n#(1 2\nend",
      "t:1:1: the method has no end|t:4:1: a literal expected" },
    { "method A>>m\nliterals\nbits:12\nend", "t:3:6: 16 hexadecimal digits expected" },
    { "method A>>m\nliterals\n1.5x\nend", "t:3:1: a malformed float" },
    { "method A>>m\nliterals\nvar:\nend", "t:3:5: a name expected" },
    { "method A>>m\nliterals\n1 2\nend", "t:3:3: end of line expected" },
    { "method A>>m\nprimitive 99999999999\nend", "t:2:11: a primitive must be 0..4294967295" },
    { "method A>>m\nprimitive 40000\nend", "t:2:11: callPrimitive cannot be written so in sista" },
    { "method A>>m\ncode\nfrob\npushTemp x\njump L\nend\nfoo",
      "t:3:1: unknown instruction frob|t:4:10: no temporary is named x|t:7:1: 'method' expected" },
    { "method A>>m\nliterals\nblock\ncode\nfrob\nend\ncode\nfrab\nend",
      "t:5:1: unknown instruction frob|t:8:1: unknown instruction frab" },
};

static void test_errors(void)
{
    for (size_t n = 0; n < sizeof wrong / sizeof *wrong; n++) {
        Arena *arena = arena_new();
        AsmResult result = asm_read(wrong[n].text, strlen(wrong[n].text), "t", arena);
        char *all = "";
        for (size_t k = 0; k < result.error_count; k++)
            all = arena_printf(arena, "%s%s%s", all, k ? "|" : "", result.errors[k].message);
        is_text(all, wrong[n].messages, "%s", wrong[n].messages);
        arena_free(arena);
    }
}

/* Deep nesting is refused, not followed into the ground. */
static void test_nesting(void)
{
    Arena *arena = arena_new();
    enum { DEEP = 100000 };
    char *text = arena_alloc(arena, DEEP * 8 + 100);
    size_t length = (size_t)sprintf(text, "method A>>m\nliterals\n");
    for (int n = 0; n < DEEP; n++)
        length += (size_t)sprintf(text + length, "#(");
    AsmResult result = asm_read(text, length, "t", arena);
    ok(result.error_count == 2 && strstr(result.errors[1].message, "nested deeper than 200"),
       "arrays");
    length = (size_t)sprintf(text, "method A>>m\n");
    for (int n = 0; n < DEEP / 2; n++)
        length += (size_t)sprintf(text + length, "literals\nblock\n");
    result = asm_read(text, length, "t", arena);
    ok(result.error_count > 0, "blocks: %s", result.errors[0].message);
    arena_free(arena);
}

/* Texts made of pieces of good ones. */
static void test_random_texts(void)
{
    static const char *const pieces[] = {
        "method A>>m\n",
        "end\n",
        "code\n",
        "literals\n",
        "block\n",
        "\n",
        " ",
        "#(",
        ")",
        "#foo",
        "'a",
        "'",
        "jump L\n",
        "L:",
        "pushTemp ",
        "1",
        "-",
        "0x",
        "pushLit ",
        "send ",
        "args=",
        "/E5",
        ".byte ",
        "255 ",
        "names a b\n",
        "temps 3\n",
        "set v3\n",
        "pushClosure ",
        "end=L\n",
        "copied=1 ",
        ";",
        "$",
        "bits:",
        "scaled(1 2 3)",
        "methodState(",
        "pragma(#x ",
        "\\x",
        "\xFF",
        "#[",
        "]",
        "primitive 7\n",
        "trailer 1\n",
        "source 'x'\n",
        "pushFullClosure ",
        "returnTop\n",
        "jumpTrue/E1.EE L\n",
        "#",
        "var:",
        "selector ",
    };
    enum { PIECES = sizeof pieces / sizeof *pieces };
    long good = 0, placed = 0, errors = 0;
    diag("seed %llu", (unsigned long long)random_state);
    for (int n = 0; n < 20000; n++) {
        Arena *arena = arena_new();
        char text[2000];
        size_t length = 0;
        for (unsigned k = 2 + random_below(40); k > 0; k--) {
            const char *piece = k == 1 ? "end\n" : pieces[random_below(PIECES)];
            memcpy(text + length, piece, strlen(piece));
            length += strlen(piece);
        }
        char *exact = malloc(length); /* exactly as long, for the sanitizer */
        memcpy(exact, text, length);
        AsmResult result = asm_read(exact, length, "t", arena);
        good += (long)result.method_count;
        errors += (long)result.error_count;
        for (size_t k = 0; k < result.error_count; k++)
            placed += result.errors[k].line > 0 && result.errors[k].column > 0;
        for (size_t k = 0; k < result.method_count; k++)
            if (!round_trips(result.methods[k], arena))
                ok(false, "a random method goes through text and back");
        free(exact);
        arena_free(arena);
    }
    ok(good > 100, "%ld methods", good);
    is_int(placed, errors, "all errors have a place");
}

int main(void)
{
    Arena *arena = arena_new();
    test_given();
    test_literals(arena);
    test_random_methods();
    test_defaults(arena);
    test_listing(arena);
    test_errors();
    test_nesting();
    test_random_texts();
    arena_free(arena);
    return done_testing();
}
