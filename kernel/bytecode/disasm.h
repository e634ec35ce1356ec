/* The disassembler: methods outside a heap -> text. */
#ifndef OSVM_BYTECODE_DISASM_H
#define OSVM_BYTECODE_DISASM_H

#include "../base/arena.h"
#include "method.h"

/* The text that assembles to exactly this code, blocks in its literals included. What no mnemonic
 * expresses (unassigned opcodes, idle prefixes, incomplete instructions) stands as bytes. */
char *disasm_write(const CompiledCode *code, Arena *arena);

/* A listing for people: pcs, bytes, names; literals numbered; nested blocks behind their method. */
char *disasm_list(const CompiledCode *code, Arena *arena);

/* One literal as the assembler writes it. */
char *disasm_literal(const Literal *literal, Arena *arena);

#endif
