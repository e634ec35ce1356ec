/* Source texts and what is wrong with them.
 *
 * A SourceText is a piece of Smalltalk text with a name. Tokens and nodes refer
 * to it by byte offsets; line and column are only computed for a report. A text
 * may be an excerpt of another one (a chunk whose doubled exclamation marks were
 * undone): then its reports point into the file it came from.
 *
 * Diagnostics collects everything reported in a run; nothing is printed before
 * diagnostics_print, and nothing stops at the first error.
 */
#ifndef OSVM_COMPILER_SOURCE_H
#define OSVM_COMPILER_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "kernel/base/arena.h"

typedef struct SourceText {
    const char *name;                /* file name, or "(expression)" and the like */
    const char *text;                /* UTF-8, NUL-terminated (and may contain NULs) */
    size_t length;                   /* in bytes, without the final NUL */
    const struct SourceText *parent; /* the text this is an excerpt of, or NULL */
    size_t parent_start;             /* offset in `parent` of the excerpt's first byte */
    const uint32_t *gaps;            /* ascending offsets in this text before which a byte of the
                                        parent was left out */
    size_t gap_count;
} SourceText;

/* A place for people: both count from 1; columns count characters. */
typedef struct {
    const SourceText *file;
    size_t offset;      /* in `file` */
    size_t line_start;  /* offset of the line's first byte in `file` */
    size_t line_length; /* in bytes, without the line end */
    unsigned line;
    unsigned column;
} Place;

typedef enum {
    SEVERITY_ERROR,
    SEVERITY_WARNING,
} Severity;

/* The kinds of warnings; `-W<name>` and `-Wno-<name>` switch them. */
typedef enum {
    WARN_UNDECLARED,  /* a variable nobody declares: nil at run time */
    WARN_UNUSED,      /* a temporary that is never read */
    WARN_SHADOWED,    /* a name that hides another one */
    WARN_UNSENT,      /* a selector that is sent and that no class implements */
    WARN_UNREACHABLE, /* statements behind a return */
    WARN_ENCODING,    /* text that is not UTF-8 */
    WARN_DUPLICATE,   /* a method that is defined again in the same file */
    WARN_TRAITS,      /* traits of a class that conflict; what is left out of one that lacks it */
    WARN_KIND_COUNT
} WarningKind;

typedef struct Diagnostic {
    Severity severity;
    WarningKind kind; /* of a warning */
    const SourceText *source;
    size_t start, end; /* the bytes concerned, end excluded */
    const char *message;
    const char *expected; /* what should stand here, where the parser knows; or NULL */
    struct Diagnostic *next;
} Diagnostic;

typedef struct Diagnostics {
    Arena *arena;
    Diagnostic *first, *last;
    size_t error_count;
    size_t warning_count;
    unsigned enabled; /* bit n: warnings of kind n are reported */
    bool warnings_are_errors;
} Diagnostics;

enum {
    WARNINGS_DEFAULT = 1u << WARN_UNDECLARED | 1u << WARN_UNUSED | 1u << WARN_SHADOWED |
                       1u << WARN_UNREACHABLE | 1u << WARN_ENCODING | 1u << WARN_DUPLICATE |
                       1u << WARN_TRAITS,
    WARNINGS_ALL = (1u << WARN_KIND_COUNT) - 1,
};

SourceText *source_new(Arena *arena, const char *name, const char *text, size_t length);

/* The bytes [start, end) of `parent` with every doubled '!' made single. */
SourceText *source_new_chunk(Arena *arena, const SourceText *parent, size_t start, size_t end);

/* Reads a whole file; NULL and an error in `diagnostics` when that fails. Text
 * that is not UTF-8 is taken for Latin-1, with a warning. */
SourceText *source_read_file(Diagnostics *diagnostics, const char *path);

Place source_place(const SourceText *source, size_t offset);

void diagnostics_init(Diagnostics *diagnostics, Arena *arena);

void diagnostics_error(Diagnostics *diagnostics, const SourceText *source, size_t start, size_t end,
                       const char *format, ...) __attribute__((format(printf, 5, 6)));

void diagnostics_warn(Diagnostics *diagnostics, WarningKind kind, const SourceText *source,
                      size_t start, size_t end, const char *format, ...)
    __attribute__((format(printf, 6, 7)));

/* Takes an option such as "all", "unused", "no-unused", "error"; false when unknown. */
bool diagnostics_set_warning(Diagnostics *diagnostics, const char *option);

/* file:line:column: error: message, then the line and a caret under the place. */
void diagnostics_print_one(const Diagnostic *diagnostic, FILE *file);
void diagnostics_print(const Diagnostics *diagnostics, FILE *file);

/* Decodes one UTF-8 character; answers its length in bytes (1 for a wrong byte, which
 * is answered as itself). `*code` is the character. At the end: length 0. */
size_t utf8_decode(const char *text, size_t length, uint32_t *code);

/* Appends the character to `bytes` (room for 4); answers the number of bytes. */
size_t utf8_encode(uint32_t code, char *bytes);

/* Can the character be part of a name? Letters of any script and '_'; not digits. Of the
 * characters beyond ASCII those that are signs (arrows, operators, ...) are no letters. */
bool utf8_is_letter(uint32_t code);

/* Is the text well formed? */
bool utf8_is_valid(const char *text, size_t length);

#endif
