/* A program as read from its sources: classes, methods, expressions to run.
 *
 * Readers (tonel.h, chunk.h) fill it in any order; program_resolve then ties
 * superclasses, reports what does not fit, and puts the classes in order.
 */
#ifndef OSVM_COMPILER_MODEL_H
#define OSVM_COMPILER_MODEL_H

#include "codegen.h"

/* What instances of a class look like. */
typedef enum {
    SHAPE_NORMAL,
    SHAPE_VARIABLE,
    SHAPE_WEAK,
    SHAPE_EPHEMERON,
    SHAPE_BYTES,
    SHAPE_DOUBLE_BYTES, /* 16-bit elements */
    SHAPE_WORDS,        /* 32-bit elements */
    SHAPE_DOUBLE_WORDS, /* 64-bit elements */
    SHAPE_COMPILED_CODE,
    SHAPE_IMMEDIATE,
} Shape;

typedef struct ClassModel ClassModel;

/* A method's text, and what becomes of it. */
typedef struct {
    ClassModel *owner;
    bool class_side;
    const SourceText *source;
    size_t pattern_start, pattern_end; /* equal to the body's when the pattern is part of it */
    size_t body_start, body_end;
    const char *category; /* protocol */
    const char *stamp;    /* author and time, or NULL */
    Method *tree;
    CompiledCode *code; /* NULL until compiled, or after errors */
    bool is_repeated;   /* a further copy of a trait's method: its warnings have been given */
} MethodModel;

/* The traits a class uses: an expression such as A + (B - {#x}). */
typedef struct {
    const SourceText *source;
    const Node *node; /* NULL: none */
} Composition;

typedef struct {
    const char **items;
    size_t count, capacity;
} NameList;

typedef struct {
    MethodModel **items;
    size_t count, capacity;
} MethodList;

struct ClassModel {
    const char *name;
    const char *superclass_name; /* NULL: nil */
    ClassModel *superclass;
    Shape shape;
    NameList instance_names;       /* its own */
    NameList class_instance_names; /* of its metaclass */
    NameList class_variables;
    NameList pools;
    const char *category; /* "Kernel-Objects"; NULL when not given */
    const char *comment;
    MethodList methods[2];  /* 0: instances, 1: the class itself */
    NameTable selectors[2]; /* selector -> MethodModel */
    bool is_defined;        /* else only extended so far */
    bool is_trait;
    Composition compositions[2]; /* 0: of the class, 1: of its class side */
    const SourceText *source;
    size_t start, end; /* of its name in the definition, or in the first extension */
    unsigned mark;     /* used by program_resolve and traits_flatten */
    NameList
        all_instance_names[2]; /* with inherited ones, inherited first; filled by program_resolve */
};

typedef struct {
    ClassModel **items;
    size_t count, capacity;
} ClassList;

/* An expression to be evaluated when the image starts. */
typedef struct {
    const SourceText *source;
    size_t start, end;
} Expression;

typedef struct {
    CompileTools *tools;
    ClassList classes; /* as read; program_resolve sorts them: superclasses first, then by name */
    NameTable by_name;
    bool is_replacing;  /* what is read goes in place of what is there */
    const char *prefix; /* class names lose it (MArray becomes Array); NULL: none */
    NameTable globals; /* further names that are bound: value unused, not NULL */
    struct {
        Expression *items;
        size_t count, capacity;
    } expressions;
    size_t file_count; /* files of source that were read */
} Program;

void program_init(Program *program, CompileTools *tools);

/* The class of this name, made (as not yet defined) when there is none. */
ClassModel *program_class(Program *program, const char *name, const SourceText *source,
                          size_t start, size_t end);

/* Reads files and directories: *.class.st and *.extension.st as Tonel, other *.st and *.cs as
 * chunks. */
void program_read(Program *program, const char *path);

/* Flattens traits; ties superclasses; reports missing ones, cycles, and classes that are extended
 * but not defined. */
void program_resolve(Program *program);

/* Compiles every method. */
void program_compile(Program *program, BytecodeSet set);

/* What methods of this class, or of its metaclass, see. */
ClassScope program_scope(Program *program, ClassModel *class_model, bool class_side);

/* The class whose pool or class variable the name is, seen from `class_model`; NULL: none has it.
 */
ClassModel *program_find_class_variable(const Program *program, const ClassModel *class_model,
                                        const char *name);

/* Readers. */
void tonel_read(Program *program, const SourceText *source);
void chunk_read(Program *program, const SourceText *source);

/* Begins the definition of a class or trait; reports a second one and answers NULL then. */
ClassModel *program_define(Program *program, const char *name, const SourceText *source,
                           size_t start, size_t end);

/* Adds a method; reports a second one of the same selector. Parses it. */
void program_add_method(Program *program, MethodModel *method);

/* Takes a class definition's shape by the word Tonel uses (#bytes); false when unknown. */
bool shape_of_name(const char *name, Shape *shape);

#endif
