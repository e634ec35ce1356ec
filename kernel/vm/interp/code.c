/* Verified code and the facts of it that every activation needs.
 *
 * Facts are kept in a table by code oop; what falls out of it is verified again, which
 * is as fast as reading the bytecodes once. HEADER_VERIFIED says that code passed before.
 */
#include "kernel/bytecode/opcodes.h"
#include "kernel/bytecode/verify.h"
#include "kernel/vm/interp/interp_int.h"
#include "kernel/vm/objects.h"

static Word first_byte(Vm *vm, Oop code)
{
    return (1 + method_literal_count(&vm->heap, code)) * WORD_BYTES;
}

static unsigned call_primitive_opcode(SWord header)
{
    return method_header_is_sista(header) ? 248 : 139;
}

unsigned method_primitive(Vm *vm, Oop method)
{
    SWord header = method_header(&vm->heap, method);
    Word start = (1 + method_header_literals(header)) * WORD_BYTES;
    if (!method_header_has_primitive(header) || start + 3 > bits_byte_count(method))
        return 0;
    const uint8_t *bytes = object_bytes(method) + start;
    if (bytes[0] != call_primitive_opcode(header) ||
        (method_header_is_sista(header) && bytes[2] >= 128))
        return 0;
    return bytes[1] + 256u * bytes[2];
}

/* ---- Verification ---- */

typedef struct {
    Vm *vm;
    Oop code;
} Owner;

static VerifyLiteral literal_facts(const void *owner, size_t index)
{
    const Owner *o = owner;
    VerifyLiteral facts = {0};
    Oop literal = follow(object_slot(o->code, 1 + index));
    if (is_immediate(literal))
        return facts;
    facts.has_value = format_is_pointers(object_format(literal)) && object_slot_count(literal) > 1;
    facts.is_code = format_is_code(object_format(literal));
    if (facts.is_code) {
        SWord header = method_header(&o->vm->heap, literal);
        facts.arg_count = (uint8_t)method_header_args(header);
        facts.temp_count = (uint8_t)method_header_temps(header);
    }
    return facts;
}

static VerifyView view_of(Vm *vm, const Owner *owner)
{
    SWord header = method_header(&vm->heap, owner->code);
    Word start = (1 + method_header_literals(header)) * WORD_BYTES;
    Word size = bits_byte_count(owner->code);
    return (VerifyView){
        .set = method_header_is_sista(header) ? SET_SISTA : SET_V3,
        .bytes = object_bytes(owner->code) + start,
        .count = size > start ? size - start : 0,
        .arg_count = method_header_args(header),
        .temp_count = method_header_temps(header),
        .literal_count = method_header_literals(header),
        .large_frame = method_header_large_frame(header),
        .trust_depth = true, /* CodeFacts.large sees to it */
        .has_primitive = method_header_has_primitive(header),
        .small_integer_bits = WORD_BITS == 64 ? 61 : 31,
        .inline_primitives = true,
        .literal = literal_facts,
        .owner = owner,
    };
}

/* Scratch memory for the verifier, kept by the interpreter and grown when needed. */
static void *scratch_for(Vm *vm, size_t count)
{
    Interp *interp = interp_of(vm);
    const OsvmHost *host = vm->setup->host;
    size_t size = verify_scratch_size(count);
    if (size <= interp->scratch_size)
        return interp->scratch;
    void *bigger = host->resize(host, interp->scratch, interp->scratch_size, size + size / 2);
    if (!bigger)
        return NULL;
    interp->scratch = bigger;
    interp->scratch_size = size + size / 2;
    return bigger;
}

typedef enum { VERIFIED, REFUSED, NO_MEMORY } Verdict;

static Verdict verify(Vm *vm, const Owner *owner, VerifyView *view, VerifyFacts *facts)
{
    VerifyError error = {0};
    *view = view_of(vm, owner);
    void *scratch = scratch_for(vm, view->count);
    interp_of(vm)->verified.code = NO_OOP;
    if (scratch && verify_code(view, scratch, facts, &error)) {
        *header_at(owner->code) |= HEADER_VERIFIED;
        interp_of(vm)->verified = (VerifiedCode){owner->code, *facts};
        return VERIFIED;
    }
    vm->setup->host->log(vm->setup->host, OSVM_DEBUG, "code at %" PRIxWORD " is refused: pc %u: %s",
                         owner->code, error.pc, scratch ? error.message : "no memory");
    return scratch ? REFUSED : NO_MEMORY;
}

void code_fill_facts(Vm *vm, Oop code, CodeFacts *facts)
{
    VerifyView view;
    VerifyFacts verified = {0};
    SWord header = method_header(&vm->heap, code);
    Owner owner = {vm, code};
    interp_note_cached(vm, code);
    unsigned primitive = method_primitive(vm, code);
    bool marked = primitive == PRIMITIVE_UNWIND || primitive == PRIMITIVE_HANDLER;
    *facts = (CodeFacts){
        .code = code,
        .first_ip = (uint32_t)(HEADER_BYTES + first_byte(vm, code)),
        .primitive = (uint16_t)primitive,
        .modes = (method_header_is_sista(header) ? FRAME_SISTA : 0) | (marked ? FRAME_MARKED : 0),
        .args = (uint8_t)method_header_args(header),
        .temps = (uint8_t)method_header_temps(header),
        .large = method_header_large_frame(header),
        .heat = interp_of(vm)->threshold,
        .no_poll = primitive == PRIMITIVE_UNWIND || primitive == PRIMITIVE_NO_SWITCH,
    };
    Verdict verdict = verify(vm, &owner, &view, &verified);
    /* The image must not hear of it: what it did then might not be verified either. */
    if (verdict == NO_MEMORY)
        report_fatal(vm, "no memory left to verify code of %zu bytes", view.count);
    if (verdict != VERIFIED) {
        facts->bad = true;
        if (facts->temps < facts->args || facts->temps > STACK_SLOTS_MAX)
            facts->temps = facts->args;
        return;
    }
    facts->fields = (uint16_t)(verified.receiver_variables < 0xFFFF ? verified.receiver_variables
                                                                    : 0xFFFF);
    facts->large |= verified.max_depth > SMALL_FRAME_SLOTS;
}

/* The code is the one verified last, whose facts are still those in the table: scratch memory has
 * its depths. */
static bool is_verified(Vm *vm, Oop code)
{
    return interp_of(vm)->verified.code == code &&
           interp_of(vm)->codes[code_hash(code)].code == code;
}

bool code_view(Vm *vm, Oop code, VerifyView *view, VerifyFacts *facts)
{
    Owner owner = {vm, code};
    bool verified = is_verified(vm, code);
    if (verified) {
        *view = view_of(vm, &owner);
        *facts = interp_of(vm)->verified.facts;
    } else
        verified = verify(vm, &owner, view, facts) == VERIFIED;
    view->owner = NULL;
    view->literal = NULL;
    return verified;
}

int code_depth_at(Vm *vm, Oop code, Word pc)
{
    VerifyView view;
    VerifyFacts facts;
    Owner owner = {vm, code};
    if (verify(vm, &owner, &view, &facts) != VERIFIED || pc >= view.count)
        return -1;
    uint8_t depth = facts.depths[pc];
    return depth == DEPTH_UNREACHED || depth == DEPTH_INSIDE ? -1 : depth;
}

static void fill_block(Vm *vm, Oop code, SWord start_pc, unsigned args, unsigned copied,
                       BlockFacts *block)
{
    VerifyView view;
    VerifyFacts facts;
    Owner owner = {vm, code};
    SWord pc = start_pc - 1 - (SWord)first_byte(vm, code);
    interp_note_cached(vm, code);
    *block = (BlockFacts){.code = code, .start_pc = start_pc, .args = (uint8_t)args,
                          .copied = (uint8_t)copied};
    block->valid = pc >= 0 && verify(vm, &owner, &view, &facts) == VERIFIED &&
                   verify_block_at(&view, &facts, (size_t)pc, args, copied);
}

bool code_has_block(Vm *vm, Oop code, SWord start_pc, unsigned args, unsigned copied)
{
    unsigned hash = (unsigned)(code >> 4 ^ code >> 12 ^ (Word)start_pc) & (BLOCK_ENTRIES - 1);
    BlockFacts *block = &interp_of(vm)->blocks[hash];
    if (block->code != code || block->start_pc != start_pc || block->args != args ||
        block->copied != copied)
        fill_block(vm, code, start_pc, args, copied, block);
    return block->valid;
}

Word code_modes_for(Vm *vm, const CodeFacts *facts, Oop receiver)
{
    Word modes = facts->modes;
    if (facts->bad)
        return modes | FRAME_UNSURE;
    if (!facts->fields)
        return modes;
    if (is_immediate(receiver))
        return modes | FRAME_CAREFUL;
    Header header = header_of(receiver);
    if (!format_is_pointers(header_format(header)) ||
        header_class_index(header) == CLASS_CONTEXT || header_short_slots(header) < facts->fields)
        modes |= FRAME_CAREFUL;
    return modes;
}

/* ---- Changes of code ---- */

void code_changed(Vm *vm, Oop code)
{
    Interp *interp = interp_of(vm);
    *header_at(code) &= ~HEADER_VERIFIED;
    interp->codes[code_hash(code)].code = NO_OOP;
    for (unsigned i = 0; i < BLOCK_ENTRIES; i++)
        interp->blocks[i].code = NO_OOP;
    lookup_flush_method(vm, code);
    stack_mark_unsure(vm, code);
}

void code_put_header(Vm *vm, Oop code, Oop header)
{
    Heap *heap = &vm->heap;
    jit_forget(vm, code);
    Word old = method_literal_count(heap, code);
    Word new = method_header_literals(small_integer_value(header));
    Word most = object_slot_count(code) - 1;
    if (new > most)
        new = most;
    if (new > old)
        object_fill(code, 1 + old, 1 + new, heap->nil);
    SWord value = (small_integer_value(header) & ~(SWord)0x7FFF) | (SWord)new;
    heap_store_unchecked(code, 0, small_integer_oop(value)); /* NOBARRIER: a SmallInteger */
    code_changed(vm, code);
}
