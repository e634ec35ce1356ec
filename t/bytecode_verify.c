/* The verifier: code it accepts, with the facts it finds; code it refuses, with rule and pc; and random
 * code, on which everything it promises is checked by running it on a machine that knows only depths. */
#include "tap.h"

#include "kernel/bytecode/verify.h"
#include "support/bytecode.h"

#include <time.h>

/* Bodies behind "method A>>m" lines; `args 0` unless said. */
typedef struct {
    const char *name, *text;
    VerifyRule rule;
    uint32_t pc;
} Case;

static const Case cases[] = {
    { "return self", "code\nreturnSelf", VERIFY_OK, 0 },
    { "no bytecodes", "code", VERIFY_TRUNCATED, 0 },
    { "runs off the end", "code\npushSelf", VERIFY_JUMP, 0 },
    { "incomplete instruction", "code\n.byte 0xE4", VERIFY_TRUNCATED, 0 },
    { "prefix alone", "code\nnop\n.byte 0xE0", VERIFY_TRUNCATED, 1 },
    { "prefix without instruction", "code\n.byte 0xE0 1", VERIFY_TRUNCATED, 0 },
    { "junk behind a return", "code\nreturnSelf\n.byte 0xE4", VERIFY_OK, 0 },
    { "jump over bytes that never run", "code\n.byte 0xB0 0xE5 76\npop\nreturnSelf", VERIFY_OK, 0 },
    { "jump into operands", "temps 1\ncode\npushTrue\n.byte 0xC0\n.byte 0xE5 0x4C\nreturnTop",
      VERIFY_JUMP, 2 },
    { "jump behind a prefix", "code\npushTrue\n.byte 0xC1\n.byte 0xE0 0 0xE2 0\nreturnTop",
      VERIFY_JUMP, 2 },
    { "jump back into operands", "code\n.byte 0xE5 76 0xE1 0xFF 0xED 0xFB", VERIFY_TEMP, 0 },
    { "jump back into operands, seen from the jump",
      "code\nnop\nnop\n.byte 0xE9 76 216 0xE1 0xFF 0xED 0xFA", VERIFY_JUMP, 5 },
    { "jump to a prefix", "code\npushTrue\njumpTrue L\nnop\nL: pushIvar/E0.E2 0\nreturnTop",
      VERIFY_OK, 0 },
    { "jump back out of the code", "code\n.byte 0xE1 0xFF 0xED 0", VERIFY_JUMP, 0 },
    { "jump far out of the code", "code\n.byte 0xE1 0x7F 0xED 0", VERIFY_JUMP, 0 },
    { "jump to the end", "code\n.byte 0xED 0", VERIFY_JUMP, 0 },
    { "endless loop", "code\nL: nop\njump L", VERIFY_OK, 0 },
    { "conditional loop", "code\nL: pushTrue\njumpTrue L\nreturnSelf", VERIFY_OK, 0 },
    { "pop of nothing", "code\npop\nreturnSelf", VERIFY_UNDERFLOW, 0 },
    { "pop of a temporary", "temps 2\ncode\npop\nreturnSelf", VERIFY_UNDERFLOW, 0 },
    { "duplicate of nothing", "temps 1\ncode\ndup\nreturnTop", VERIFY_UNDERFLOW, 0 },
    { "return of nothing", "temps 1\ncode\nreturnTop", VERIFY_UNDERFLOW, 0 },
    { "send without receiver", "code\npushSelf\nsend #+\nreturnTop", VERIFY_UNDERFLOW, 1 },
    { "special send without receiver", "code\npushSelf\nsendSpecial #+\nreturnTop",
      VERIFY_UNDERFLOW, 1 },
    { "conditional jump without value", "code\njumpTrue L\nL: returnSelf", VERIFY_UNDERFLOW, 0 },
    { "array of too many", "code\npushSelf\npopIntoNewArray 2\nreturnTop", VERIFY_UNDERFLOW, 1 },
    { "loop that pushes", "code\nL: pushSelf\njump L", VERIFY_DEPTH, 1 },
    { "loop that pops", "code\npushSelf\npushSelf\nL: pop\npushTrue\njumpTrue L\nreturnSelf",
      VERIFY_DEPTH, 4 },
    { "join of two depths", "code\npushTrue\njumpTrue L\npushSelf\nL: returnSelf", VERIFY_DEPTH,
      2 },
    { "join of equal depths",
      "code\npushTrue\njumpTrue L\npushSelf\njump M\nL: pushNil\nM: returnTop", VERIFY_OK, 0 },
    { "temporary out of range", "temps 2\ncode\npushTemp 2\nreturnTop", VERIFY_TEMP, 0 },
    { "temporary 255", "temps 2\ncode\npushSelf\npopIntoTemp 255\nreturnSelf", VERIFY_TEMP, 1 },
    { "temporary that is an operand", "temps 1\ncode\npushSelf\npushTemp 1\nreturnTop", VERIFY_TEMP,
      1 },
    { "vector out of range", "temps 1\ncode\npushRemote 0 in 1\nreturnTop", VERIFY_TEMP, 0 },
    { "store to vector out of range", "temps 1\ncode\npushSelf\npopIntoRemote 0 in 7\nreturnSelf",
      VERIFY_TEMP, 1 },
    { "remote temporary",
      "temps 1\ncode\npushNewArray 1\npopIntoTemp 0\npushRemote 0 in 0\nreturnTop", VERIFY_OK, 0 },
    { "literal out of range", "literals\n1\ncode\npushLit 1\nreturnTop", VERIFY_LITERAL, 0 },
    { "selector out of range", "literals\n1\ncode\npushSelf\nsend 1 args=0\nreturnTop",
      VERIFY_LITERAL, 1 },
    { "super send without literals", "literals\ncode\npushSelf\nsendSuper 0 args=0\nreturnTop",
      VERIFY_LITERAL, 1 },
    { "integer as variable", "literals\n1\ncode\npushVar 0\nreturnTop", VERIFY_LITERAL, 0 },
    { "store to a symbol", "literals\n#a\ncode\npushSelf\nstoreVar 0\nreturnTop", VERIFY_LITERAL,
      1 },
    { "variable", "literals\nvar:A\ncode\npushVar var:A\nreturnTop", VERIFY_OK, 0 },
    { "full closure of no code", "literals\n#a\ncode\npushFullClosure 0\nreturnTop", VERIFY_LITERAL,
      0 },
    { "full closure",
      "literals\nblock\ncode\npushNil\nblockReturnTop\nend\ncode\npushFullClosure 0\n"
      "returnTop",
      VERIFY_OK, 0 },
    { "full closure with too many copied",
      "literals\nblock\ntemps 1\ncode\nblockReturnNil\nend\ncode\n"
      "pushNil\npushNil\npushFullClosure 0 copied=2\nreturnTop",
      VERIFY_LITERAL, 2 },
    { "full closure without its values",
      "literals\nblock\ntemps 1\ncode\nblockReturnNil\nend\ncode\n"
      "pushFullClosure 0 copied=1\nreturnTop",
      VERIFY_UNDERFLOW, 0 },
    { "idle prefix", "code\n.byte 0xE0 1 0x4C\nreturnTop", VERIFY_PREFIX, 0 },
    { "idle prefix B", "code\n.byte 0xE1 1 0xE4 0\nreturnTop", VERIFY_PREFIX, 0 },
    { "prefixes that are too wide", "code\n.byte 0xE1 1 0xE1 0 0xE1 0 0xE1 0 0xE8 0\nreturnTop",
      VERIFY_PREFIX, 0 },
    { "prefixes of zeros", "code\n.byte 0xE1 0 0xE1 0 0xE1 0 0xE1 0 0xE8 0\nreturnTop", VERIFY_OK,
      0 },
    { "prefix before an unknown code", "code\n.byte 0xE0 1 0x54", VERIFY_OK, 0 },
    { "prefix before nop", "code\n.byte 0xE0 1 0xE1 2 0x5F\nreturnSelf", VERIFY_OK, 0 },
    { "unknown code ends", "code\n.byte 84", VERIFY_OK, 0 },
    { "trap ends", "code\ntrap", VERIFY_OK, 0 },
    { "inlined primitive ends", "code\ninlinePrimitive 1000", VERIFY_OK, 0 },
    { "largest SmallInteger of both widths", "code\npushInt 1073741823\nreturnTop", VERIFY_OK, 0 },
    { "no SmallInteger", "code\npushInt 1073741824\nreturnTop", VERIFY_VALUE, 0 },
    { "smallest SmallInteger", "code\npushInt -1073741824\nreturnTop", VERIFY_OK, 0 },
    { "too small", "code\npushInt -1073741825\nreturnTop", VERIFY_VALUE, 0 },
    { "large character", "code\npushChar 0x3FFFFFFF\nreturnTop", VERIFY_OK, 0 },
    { "too large a character", "code\npushChar 0x40000000\nreturnTop", VERIFY_VALUE, 0 },
    { "negative arguments", "literals\n#a\ncode\n.byte 76 0xE1 0xFF 0xEA 0\nreturnTop",
      VERIFY_VALUE, 1 },
    { "flag without callPrimitive", "primitive\ncode\nreturnSelf\nnop\nnop", VERIFY_PRIMITIVE, 0 },
    { "flag and too little code", "primitive\ncode\n.byte 0xF8 1", VERIFY_PRIMITIVE, 0 },
    { "primitive", "primitive 60\ncode\nreturnSelf", VERIFY_OK, 0 },
    { "primitive and nothing else", "primitive 60", VERIFY_JUMP, 0 },
    { "callPrimitive without the flag ends", "code\ncallPrimitive 60", VERIFY_OK, 0 },
    { "second callPrimitive ends", "primitive 60\ncode\ncallPrimitive 60", VERIFY_OK, 0 },
    { "jump to callPrimitive", "primitive 60\ncode\nL: nop\njump L", VERIFY_OK, 0 },
    { "error code", "temps 1\nprimitive 60\ncode\nstoreTemp 0\nreturnSelf", VERIFY_OK, 0 },
    { "error code without temporary", "primitive 60\ncode\nstoreTemp 0\nreturnSelf",
      VERIFY_UNDERFLOW, 3 },
    { "store later is no error code", "temps 1\nprimitive 60\ncode\nnop\nstoreTemp 0\nreturnSelf",
      VERIFY_UNDERFLOW, 4 },
    { "too many temporaries", "temps 17\ncode\nreturnSelf", VERIFY_OVERFLOW, 0 },
    { "large frame", "large\ntemps 56\ncode\nreturnSelf", VERIFY_OK, 0 },
    { "too many for a large frame", "large\ntemps 57\ncode\nreturnSelf", VERIFY_OVERFLOW, 0 },
    { "full small frame", "temps 15\ncode\npushSelf\nreturnTop", VERIFY_OK, 0 },
    { "overfull small frame", "temps 15\ncode\npushSelf\ndup\nreturnTop", VERIFY_OVERFLOW, 1 },
    { "embedded block",
      "set v3\ncode\npushSelf\npushClosure args=1 copied=1 end=E\npushTemp 1\n"
      "blockReturnTop\nE: returnTop",
      VERIFY_OK, 0 },
    { "temporaries of embedded blocks are pushed",
      "set v3\ncode\npushClosure args=0 copied=0 end=E\npushNil\npushTemp 0\nblockReturnTop\nE: "
      "returnTop",
      VERIFY_OK, 0 },
    { "temporary not yet pushed",
      "set v3\ntemps 4\ncode\npushClosure args=1 copied=0 end=E\npushTemp 1\n"
      "blockReturnTop\nE: returnTop",
      VERIFY_TEMP, 4 },
    { "block pops its argument",
      "set v3\ncode\npushClosure args=1 copied=0 end=E\nblockReturnTop\n"
      "E: returnTop",
      VERIFY_UNDERFLOW, 4 },
    { "block without its values",
      "set v3\ncode\npushClosure args=0 copied=1 end=E\nreturnSelf\n"
      "E: returnTop",
      VERIFY_UNDERFLOW, 0 },
    { "block without a body", "set v3\ncode\npushClosure args=0 copied=0 end=E\nE: returnTop",
      VERIFY_BLOCK, 0 },
    { "block runs off its end",
      "set v3\ncode\npushClosure args=0 copied=0 end=E\npushNil\nE: returnTop", VERIFY_BLOCK, 4 },
    { "block jumps out",
      "set v3\ncode\npushClosure args=0 copied=0 end=E\npushNil\njump F\n"
      "E: nothing\nF: returnTop",
      VERIFY_BLOCK, 5 },
    { "jump into a block",
      "set v3\ncode\npushTrue\njumpTrue B\npushClosure args=0 copied=0 end=E\n"
      "B: pushNil\nblockReturnTop\nE: returnTop",
      VERIFY_BLOCK, 7 },
    { "block to the end of the code", "set v3\ncode\n.byte 0x8F 0 0 1\nreturnSelf", VERIFY_JUMP,
      0 },
    { "block beyond the code", "set v3\ncode\n.byte 0x8F 0 1 1\nreturnSelf", VERIFY_BLOCK, 0 },
    { "nested blocks",
      "set v3\ncode\npushClosure args=0 copied=0 end=E\n"
      "pushClosure args=2 copied=0 end=F\npushTemp 1\nblockReturnTop\n"
      "F: blockReturnTop\nE: returnTop",
      VERIFY_OK, 0 },
    { "inner block beyond the outer one",
      "set v3\ncode\n.byte 0x8F 0 0 6\n.byte 0x8F 0 0 2\n"
      "pushNil\nblockReturnTop\nreturnSelf\nreturnSelf",
      VERIFY_BLOCK, 4 },
    { "sista block with negative size", "code\n.byte 0xE1 0xFF 0xFA 0 0\nreturnSelf", VERIFY_BLOCK,
      0 },
    { "block needs more than its frame", "code\n.byte 0xE0 1 0xFA 7 1\nblockReturnNil\nreturnTop",
      VERIFY_OK, 0 },
    { "block with too many arguments", "code\n.byte 0xE0 2 0xFA 7 1\nblockReturnNil\nreturnTop",
      VERIFY_OVERFLOW, 0 },
};

static void test_cases(void)
{
    for (size_t n = 0; n < sizeof cases / sizeof *cases; n++) {
        const Case *c = &cases[n];
        Arena *arena = arena_new();
        const char *body = c->text;
        if (strstr(body, "nothing"))
            body = "set v3\ncode\npushClosure args=0 copied=0 end=E\npushNil\njump F\n"
                   "E: pushNil\nF: returnTop";
        CompiledCode *code = assemble(arena_printf(arena, "method A>>m\n%s\nend\n", body), arena);
        VerifyError error;
        bool fine = verify_compiled_code(code, arena, NULL, &error, NULL);
        if (!ok(fine == (c->rule == VERIFY_OK) && error.rule == c->rule && error.pc == c->pc,
                "%s: %s", c->name, fine ? "accepted" : error.message))
            diag("rule %d at %u, expected %d at %u", error.rule, error.pc, c->rule, c->pc);
        arena_free(arena);
    }
}

static void test_facts(void)
{
    Arena *arena = arena_new();
    VerifyFacts facts;
    VerifyError error;
    CompiledCode *code = assemble(
        "method A>>m: x\n  set v3\n  args 1\n  temps 2\n  code\n"
        "  L: pushIvar 7\n  pushTemp 0\n  send #foo:\n  pop\n"
        "    pushClosure args=1 copied=0 end=E\n  pushTemp 0\n dup\n dup\n"
        "    blockReturnTop\n  E: pop\n  pushTrue\n  jumpFalse F\n  jump L\n  F: .byte 126\nend\n",
        arena);
    VerifyView view = verify_view(code);
    void *scratch = arena_alloc(arena, verify_scratch_size(view.count));
    ok(verify_code(&view, scratch, &facts, &error), "accepted: %s", error.message);
    is_int(facts.max_depth, 4, "deepest");
    is_int(facts.instructions, 14, "instructions");
    is_int(facts.blocks, 1, "blocks");
    is_int(facts.sends, 1, "sends");
    ok(facts.backward_jumps && facts.unknown && !facts.needs_large,
       "jumps back, has unknown codes");
    is_int(facts.receiver_variables, 8, "receiver variables");
    is_int(facts.depths[0], 2, "depth at the beginning");
    is_int(facts.depths[3], 3, "depth behind the send");
    is_int(facts.depths[5], DEPTH_INSIDE, "inside an instruction");
    is_int(facts.depths[8], 1, "depth at the beginning of the block");
    ok(verify_block_at(&view, &facts, 8, 1, 0), "there is a block at 8");
    ok(!verify_block_at(&view, &facts, 8, 0, 0) && !verify_block_at(&view, &facts, 8, 1, 1),
       "with other arguments there is none");
    for (size_t pc = 0; pc < view.count + 3; pc++)
        if (pc != 8 && verify_block_at(&view, &facts, pc, 1, 0))
            ok(false, "no block at %zu", pc);
    ok(!verify_block_at(&view, &facts, (size_t)1 << 40, 1, 0), "no block outside");
    arena_free(arena);
}

/* An inlined primitive that jumps, with its displacement in front. */
static void inlined_jump(const char *what, const char *code, VerifyRule rule, bool unknown,
                         Arena *arena)
{
    VerifyFacts facts;
    VerifyError error;
    char text[300];
    snprintf(text, sizeof text, "method A>>m\ncode\n%s\nend\n", code);
    VerifyView view = verify_view(assemble(text, arena));
    view.inline_primitives = true;
    verify_code(&view, arena_alloc(arena, verify_scratch_size(view.count)), &facts, &error);
    ok(error.rule == rule && (rule != VERIFY_OK || facts.unknown == unknown), "%s: %s", what,
       error.message);
}

static void test_inlined_jumps(Arena *arena)
{
    inlined_jump("a jump over one bytecode",
                 "pushSelf\npushInt 1\ninlinePrimitive 7016\nreturnSelf\nreturnTrue", VERIFY_OK,
                 false, arena);
    inlined_jump("a loop", "pushInt -4\ninlinePrimitive 6000", VERIFY_JUMP, false, arena);
    inlined_jump("a loop to its beginning", "pushInt/E1.E8 -7\ninlinePrimitive 6000", VERIFY_OK, false,
                 arena);
    inlined_jump("too few operands", "pushInt 1\ninlinePrimitive 8000\nreturnSelf\nreturnTrue",
                 VERIFY_UNDERFLOW, false, arena);
    inlined_jump("outside", "pushSelf\npushInt 9\ninlinePrimitive 7016\nreturnSelf", VERIFY_JUMP,
                 false, arena);
    inlined_jump("between the two", "pushTrue\njumpTrue x\npushSelf\npushInt 1\nx: "
                 "inlinePrimitive 7016\nreturnSelf\nreturnTrue", VERIFY_JUMP, false, arena);
    inlined_jump("another displacement", "pushSelf\ndup\ninlinePrimitive 7016\nreturnSelf",
                 VERIFY_OK, true, arena);
}

static void test_settings(void)
{
    Arena *arena = arena_new();
    VerifyFacts facts;
    VerifyError error;
    CompiledCode *deep = assemble("method A>>m\ntemps 20\ncode\nreturnSelf\nend\n", arena);
    VerifyView view = verify_view(deep);
    uint32_t scratch[256];
    ok(!verify_code(&view, scratch, &facts, &error), "20 temporaries in a small frame");
    view.trust_depth = true;
    ok(verify_code(&view, scratch, &facts, &error) && facts.needs_large, "allowed, and noted");
    CompiledCode *inlined = assemble(
        "method A>>m\ncode\npushInt 1\npushInt 2\ninlinePrimitive 2000\n"
        "returnTop\nend\n",
        arena);
    view = verify_view(inlined);
    view.inline_primitives = true;
    ok(verify_code(&view, scratch, &facts, &error) && !facts.unknown, "inlined primitives");
    test_inlined_jumps(arena);
    CompiledCode *large = assemble("method A>>m\ncode\npushInt 1073741824\nreturnTop\nend\n",
                                   arena);
    view = verify_view(large);
    view.small_integer_bits = 61;
    ok(verify_code(&view, scratch, &facts, &error), "SmallIntegers of 61 bits");
    CompiledCode *inner = assemble("method A>>m\nliterals\nblock\nliterals\nblock\ncode\npop\n"
                                   "end\ncode\nblockReturnNil\nend\ncode\nreturnSelf\nend\n",
                                   arena);
    const CompiledCode *where;
    ok(!verify_compiled_code(inner, arena, NULL, &error, &where) && where->is_block &&
           where->bytecodes[0] == 216,
       "an error in a block of a block is found there");
    arena_free(arena);
}

/* -- Running what was accepted -- */

/* A machine that knows only how deep it is. Takes conditional jumps at random. */
typedef struct {
    const VerifyView *view;
    const VerifyFacts *facts;
    const char *broken;
} Machine;

static bool in_depths(Machine *m, int64_t pc, int64_t depth)
{
    if (pc < 0 || pc >= (int64_t)m->view->count)
        m->broken = "left the code";
    else if (m->facts->depths[pc] != depth)
        m->broken = "another depth than announced";
    return !m->broken;
}

static void run(Machine *m, uint32_t pc, int64_t depth, int64_t floor_, int nesting)
{
    unsigned limit = m->view->large_frame ? LARGE_FRAME_SLOTS : SMALL_FRAME_SLOTS;
    for (int steps = 0; steps < 60; steps++) {
        Instruction i;
        if (!in_depths(m, pc, depth))
            return;
        if (!bytecode_decode(m->view->set, m->view->bytes, m->view->count, pc, &i)) {
            m->broken = "an incomplete instruction";
            return;
        }
        bool call = i.op == OP_CALL_PRIMITIVE && !(pc == 0 && m->view->has_primitive);
        if (i.op == OP_UNKNOWN || i.op == OP_TRAP || i.op == OP_INLINE_PRIMITIVE ||
            i.op == OP_MAPPED_PRIMITIVE || call)
            return;
        bool error_store = i.op == OP_STORE_TEMP && pc == 3 && m->view->has_primitive && depth > 0;
        depth -= instruction_pops(&i);
        if (depth < floor_ && !error_store)
            m->broken = "too few values";
        depth += instruction_pushes(&i);
        if (depth > (int64_t)limit || depth > m->facts->max_depth)
            m->broken = "too many values";
        if ((i.op == OP_PUSH_LITERAL || i.op == OP_SEND) && i.index >= m->view->literal_count)
            m->broken = "no such literal";
        if (i.op == OP_PUSH_TEMP && i.index >= depth - 1)
            m->broken = "no such temporary";
        if (m->broken)
            return;
        if (i.op == OP_PUSH_CLOSURE) {
            int64_t entry = i.count + (int64_t)i.copied;
            if (!verify_block_at(m->view, m->facts, i.next, (unsigned)i.count, i.copied))
                m->broken = "a block that is not known";
            else if (nesting < 3)
                run(m, i.next, entry, entry, nesting + 1);
            pc = (uint32_t)i.target;
        } else if (i.op == OP_JUMP ||
                   (instruction_kind(&i) == KIND_CONDITIONAL_JUMP && random_below(2))) {
            pc = (uint32_t)i.target;
        } else if (instruction_falls_through(&i)) {
            pc = i.next;
        } else {
            return;
        }
    }
}

/* Bytes that are likely to make sense together. */
static uint8_t likely_byte(BytecodeSet set)
{
    static const uint8_t v3[] = { 112, 115, 135, 136, 118, 143, 16,  17,  0,   1,   2,
                                  120, 125, 145, 153, 168, 163, 255, 176, 250, 140, 138 };
    static const uint8_t sista[] = { 76, 79, 216, 83,  81,  250, 64,  65, 0,   1,   2,
                                     88, 94, 177, 185, 225, 237, 250, 96, 224, 251, 231 };
    if (random_below(4) == 0)
        return (uint8_t)random_below(256);
    return set == SET_V3 ? v3[random_below(sizeof v3)] : sista[random_below(sizeof sista)];
}

static void test_random(void)
{
    long accepted = 0;
    const char *broken = NULL;
    diag("seed %llu", (unsigned long long)random_state);
    for (int n = 0; n < 300000 && !broken; n++) {
        BytecodeSet set = n % 2;
        size_t count = 1 + random_below(20);
        uint8_t *bytes = malloc(count); /* exactly as long, for the sanitizer */
        uint32_t scratch[64];
        for (size_t k = 0; k < count; k++)
            bytes[k] = likely_byte(set);
        if (random_below(8) == 0)
            bytes[0] = set == SET_V3 ? 139 : 248;
        unsigned temps = random_below(4);
        VerifyView view = { .set = set,
                            .bytes = bytes,
                            .count = count,
                            .temp_count = temps,
                            .literal_count = random_below(20),
                            .large_frame = random_below(2),
                            .has_primitive = random_below(4) == 0 };
        VerifyFacts facts;
        VerifyError error;
        if (verify_code(&view, scratch, &facts, &error)) {
            Machine machine = { &view, &facts, NULL };
            accepted++;
            for (int k = 0; k < 4 && !machine.broken; k++)
                run(&machine, 0, temps, temps, 0);
            broken = machine.broken;
            for (size_t k = 0; broken && k < count; k++)
                printf("%s%02X%s", k ? " " : "# ", bytes[k], k + 1 == count ? "\n" : "");
        } else if (error.rule == VERIFY_OK || error.pc >= count || !*error.message) {
            broken = "an error without rule, place or sentence";
        }
        free(bytes);
    }
    ok(!broken, "running accepted code keeps what was promised: %s", broken ? broken : "yes");
    ok(accepted > 1000, "%ld random methods accepted", accepted);
}

/* -- Long code -- */

static double nanoseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void test_long(const char *name, BytecodeSet set, const uint8_t *bytes, size_t count,
                      bool fine)
{
    VerifyView view = { .set = set, .bytes = bytes, .count = count };
    VerifyFacts facts;
    VerifyError error;
    void *scratch = malloc(verify_scratch_size(count));
    double start = nanoseconds();
    bool accepted = verify_code(&view, scratch, &facts, &error);
    double each = (nanoseconds() - start) / (double)count;
    ok(accepted == fine, "%s of %zu bytes: %s", name, count, accepted ? "accepted" : error.message);
    diag("%.1f ns per byte", each);
    ok(each < 2000, "%s in linear time", name);
    free(scratch);
}

static void test_long_code(void)
{
    enum { COUNT = 65535 };
    uint8_t *bytes = malloc(COUNT + 1);
    for (size_t n = 0; n < COUNT; n++)
        bytes[n] = n % 2 ? 135 : 112;
    bytes[COUNT - 1] = 120;
    test_long("straight code", SET_V3, bytes, COUNT, true);
    for (size_t n = 0; n < COUNT; n++)
        bytes[n] = n % 2 ? 153 : 113; /* push true; jump over the next pair if false */
    memset(bytes + COUNT - 9, 120, 9);
    test_long("jumps forward", SET_V3, bytes, COUNT, true);
    for (size_t n = 0; n + 4 <= COUNT; n += 4) { /* each block holds the next */
        size_t rest = COUNT - n - 4;
        memcpy(bytes + n, (uint8_t[]){ 143, 0, (uint8_t)(rest >> 8), (uint8_t)rest }, 4);
    }
    test_long("blocks in blocks", SET_V3, bytes, COUNT, false);
    memset(bytes, PREFIX_A, COUNT);
    test_long("prefixes", SET_SISTA, bytes, COUNT, false);
    memset(bytes, 95, COUNT);
    bytes[COUNT - 1] = 88;
    test_long("nops", SET_SISTA, bytes, COUNT, true);
    free(bytes);
}

int main(void)
{
    test_cases();
    test_facts();
    test_settings();
    test_random();
    test_long_code();
    return done_testing();
}
