/* From the interpreter, and from sends, into machine code; what is hot gets compiled. */
#include "kernel/jit/jit_int.h"

static bool may_run(const Piece *piece, Word flags)
{
    return piece && !(flags & FRAME_UNSURE) && (!(flags & FRAME_CAREFUL) || piece->careful);
}

static void use(Jit *jit, Piece *piece)
{
    piece->used = ++jit->stamp;
}

void jit_heat(Vm *vm, Oop method, Word flags)
{
    if (jit_of(vm) && !jit_piece_of(vm, method))
        jit_compile(vm, method, flags);
}

void jit_heat_block(Vm *vm, Oop code, unsigned copied)
{
    if (jit_of(vm) && !jit_piece_of(vm, code))
        jit_compile_block(vm, code, copied);
}

Piece *jit_code_for(Vm *vm, LookupEntry *entry)
{
    Jit *jit = jit_of(vm);
    if (entry->flags & FRAME_UNSURE || !is_code(entry->method) || entry->kind == KIND_NOT_CODE)
        return NULL;
    Piece *piece = jit_piece_of(vm, entry->method);
    if (!piece && (entry->kind != KIND_CODE || --entry->heat == 0)) {
        entry->heat = heat_again(vm); /* if there is no room now, there may be then */
        piece = jit_compile(vm, entry->method, entry->flags);
    }
    if (!may_run(piece, entry->flags) || !piece->resumed)
        return NULL;
    use(jit, piece);
    return piece;
}

void jit_call(Vm *vm, Piece *piece)
{
    vm->sp -= WORD_BYTES;
    *vm_top(vm) = vm->ip;
    vm->ip = jit_code(piece) + piece->resumed;
}

/* ---- Frames of the interpreter ---- */

static Piece *block_piece(Vm *vm, Word *frame, bool make)
{
    Oop code = frame[FRAME_METHOD], closure = *frame_top(frame);
    Piece *method = jit_piece_of(vm, code);
    if (!method || method->resumed == 0) /* a full block: its code has machine code of its own */
        return method;
    Oop start = is_object(closure) && object_slot_count(closure) > CLOSURE_START_PC
                    ? object_slot(closure, CLOSURE_START_PC) : NO_OOP;
    if (!start || !is_small_integer(start))
        return NULL;
    uint32_t start_pc = (uint32_t)(HEADER_BYTES + (Word)small_integer_value(start) - 1);
    Piece *piece = jit_block_of(vm, code, start_pc);
    unsigned copied = (unsigned)object_slot_count(closure) - CLOSURE_COPIED;
    return piece || !make
               ? piece : jit_compile_embedded(vm, code, start_pc, frame_args(frame), copied);
}

/* The machine code that a frame could run in; compiles embedded blocks if `make`. NULL: none. */
static Piece *piece_for(Vm *vm, Word *frame, bool make)
{
    Word flags = frame[FRAME_FLAGS];
    if (!jit_of(vm) || flags & FRAME_UNSURE)
        return NULL;
    if (frame_is_block(frame))
        return flags & FRAME_CAREFUL ? NULL : block_piece(vm, frame, make);
    Piece *piece = jit_piece_of(vm, frame[FRAME_METHOD]);
    return may_run(piece, flags) && piece->resumed ? piece : NULL;
}

bool jit_enter_frame(Vm *vm)
{
    Piece *piece = piece_for(vm, frame_at(vm->fp), true);
    if (!piece || !piece->framed)
        return false;
    use(jit_of(vm), piece);
    frame_adopt(vm, frame_at(vm->fp));
    vm->ip = jit_code(piece) + piece->framed;
    return true;
}

bool jit_enter_at(Vm *vm, Word *frame, Word *pc, unsigned kinds, bool make)
{
    uint32_t offset = (uint32_t)(*pc - frame[FRAME_METHOD]);
    Piece *piece = piece_for(vm, frame, make);
    for (uint32_t i = 0; piece && i < piece->map_count; i++) {
        const JitMap *map = &piece->maps[i];
        if (!(kinds & 1u << map->kind) || map->pc != offset)
            continue;
        use(jit_of(vm), piece);
        frame_adopt(vm, frame);
        *pc = jit_code(piece) + map->offset;
        return true;
    }
    return false;
}

void jit_enter_waiting(Vm *vm)
{
    if (jit_of(vm) && vm->fp && !jit_is_pc(vm, vm->ip))
        jit_enter_at(vm, frame_at(vm->fp), &vm->ip, 1u << MAP_SEND, true);
}

bool jit_enter_loop(Vm *vm)
{
    Word *frame = frame_at(vm->fp);
    Oop code = frame[FRAME_METHOD];
    if (!jit_of(vm) || frame[FRAME_FLAGS] & FRAME_UNSURE)
        return false;
    if (!jit_piece_of(vm, code)) {
        if (frame_is_block(frame) && object_slot_count(*frame_top(frame)) >= FULL_CLOSURE_COPIED &&
            object_class_index(*frame_top(frame)) == CLASS_FULL_BLOCK_CLOSURE)
            jit_compile_block(vm, code,
                              (unsigned)object_slot_count(*frame_top(frame)) - FULL_CLOSURE_COPIED);
        else
            jit_compile(vm, code, frame_is_block(frame) ? 0 : frame[FRAME_FLAGS]);
    }
    return jit_enter_at(vm, frame, &vm->ip, 1u << MAP_POLL, true);
}
