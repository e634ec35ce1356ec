/* A compiled method outside any heap.
 *
 * The assembler and the compiler produce this form; the disassembler and the
 * decompiler read it; the image builder and the core turn it into heap objects
 * and back. It knows neither word size nor addresses: literals are described by
 * value or by name. Everything is owned by one Arena.
 */
#ifndef OSVM_BYTECODE_METHOD_H
#define OSVM_BYTECODE_METHOD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum { SET_V3, SET_SISTA } BytecodeSet;

typedef enum {
    LITERAL_NIL,
    LITERAL_TRUE,
    LITERAL_FALSE,
    LITERAL_INTEGER,      /* any size: `negative`, `bytes` = magnitude, little endian, no leading zeros */
    LITERAL_FLOAT,        /* `real` */
    LITERAL_SCALED,       /* ScaledDecimal: `elements` = numerator, denominator (integers), `scale` */
    LITERAL_FRACTION,     /* Fraction in lowest terms: `elements` = numerator, denominator (integers) */
    LITERAL_CHARACTER,    /* `code` */
    LITERAL_STRING,       /* `bytes` = UTF-8; a ByteString if every code is below 256, else a WideString */
    LITERAL_SYMBOL,       /* `bytes` = UTF-8, unique per heap */
    LITERAL_BYTE_ARRAY,   /* `bytes` */
    LITERAL_ARRAY,        /* `elements` */
    LITERAL_VARIABLE,     /* binding (Association) of the variable `name` as seen from the method's class:
                             class variable, pool variable or global */
    LITERAL_METHOD_CLASS, /* the method class association: `name` = class name ("Array", "Array class"), or
                             NULL for the class the method is installed in */
    LITERAL_CODE,         /* `code_block`: a CompiledBlock of a full closure */
    LITERAL_OUTER_CODE,   /* back pointer to the enclosing method or block: last literal of a block */
    LITERAL_METHOD_STATE, /* AdditionalMethodState: `name` = selector, `elements` = pragmas, each a
                             LITERAL_PRAGMA */
    LITERAL_PRAGMA,       /* `name` = keyword selector, `elements` = arguments */
    LITERAL_FUNCTION,     /* ExternalLibraryFunction: `name`; `elements` = flags (an integer), the module (a
                             symbol) or nil, the type of the result and those of the arguments (symbols: char*) */
} LiteralKind;

typedef struct Literal {
    LiteralKind kind;
    bool negative;
    uint32_t code;
    int scale;
    double real;
    const uint8_t *bytes;
    size_t byte_count;
    const char *name; /* NUL-terminated UTF-8 */
    struct Literal **elements;
    size_t element_count;
    struct CompiledCode *code_block;
} Literal;

/* Where in the source a message is that an instruction sends. */
typedef struct {
    uint32_t pc;         /* of the instruction's first byte */
    uint32_t start, end; /* bytes of the source, from the selector to the end of the arguments */
} CodePlace;

/* A CompiledMethod or CompiledBlock. */
typedef struct CompiledCode {
    BytecodeSet set;
    bool is_block;
    bool large_frame;    /* needs a context of 56 instead of 16 stack slots */
    bool has_primitive;  /* the first bytecode is callPrimitive */
    unsigned flags;      /* header bits 28 and 29, as 0..3 */
    unsigned arg_count;  /* 0..15 */
    unsigned temp_count; /* 0..63, arguments (and a block's copied values) included */
    const char *selector;   /* NULL for a block or when unknown */
    const char *class_name; /* "Array", "Array class"; NULL when unknown */
    Literal **literals;     /* in frame order: the last is METHOD_CLASS or OUTER_CODE where there is one */
    size_t literal_count;
    const uint8_t *bytecodes; /* without the trailer */
    size_t bytecode_count;
    const uint8_t *trailer; /* bytes after the last bytecode; may be empty */
    size_t trailer_count;
    /* For tools; all may be absent. */
    const char **temp_names; /* `temp_count` names, or NULL */
    const char *source;      /* source text of the method, or NULL */
    const CodePlace *places; /* of messages, by pc; of a block in its method's source */
    size_t place_count;
} CompiledCode;

/* The header as a number, all but the sign, which tells the bytecode set: an image adds the least
 * SmallInteger of its width to it for SET_SISTA. */
static inline int64_t code_header_fields(const CompiledCode *code)
{
    return (int64_t)code->literal_count | (int64_t)code->has_primitive << 16 |
           (int64_t)code->large_frame << 17 | (int64_t)code->temp_count << 18 |
           (int64_t)code->arg_count << 24 | (int64_t)code->flags << 28;
}

#endif
