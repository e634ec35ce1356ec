/* Private to decompile*.c. */
#ifndef OSVM_COMPILER_DECOMPILE_INT_H
#define OSVM_COMPILER_DECOMPILE_INT_H

#include "decompile.h"
#include "kernel/bytecode/opcodes.h"
#include "list.h"

typedef struct {
    Node **items;
    size_t count, capacity;
} NodeList;

/* What is the same for a method and all its blocks. */
typedef struct {
    CompileTools *tools;
    const ClassScope *class_scope;
    Method *method;
    unsigned ways;    /* DECOMPILE_... */
    const char *why;  /* the first thing that stands in the way, or NULL */
    NameTable taken;  /* names of temporaries that are in use */
    unsigned serial;  /* for names that are made up */
    unsigned nesting; /* of blocks and structures, bounded */
} Decompilation;

/* One run of instructions: a method or a block. */
typedef struct {
    Decompilation *all;
    const CompiledCode *code;
    Instruction *instructions;
    size_t count;
    uint32_t *index_at;  /* pc -> index of the instruction there, or NOWHERE */
    VariableList frame;  /* by slot */
    size_t copied_end;   /* slots below it are arguments and copied values */
    NodeList stack;
    size_t base;         /* what lay on the stack when `block` was entered */
    Block *block;        /* where statements go; inlined ones too */
} Decompiler;

enum { NOWHERE = UINT32_MAX, DEEPEST = 200 };

/* --- decompile.c --- */

void decompile_refuse(Decompiler *d, const char *why);
bool decompile_refused(const Decompiler *d);

void decompile_frame_fill(Decompiler *d, size_t arguments, const VariableList *copied,
                          size_t count);
void decompile_decode(Decompiler *d);
void decompile_return_node(Decompiler *d, Node *value);

void decompile_push(Decompiler *d, Node *node);
Node *decompile_pop(Decompiler *d);
void decompile_statement(Decompiler *d, Node *node);

/* Executes the instructions [from, to), or one; answers the index behind it. */
void decompile_run(Decompiler *d, size_t from, size_t to);
size_t decompile_step(Decompiler *d, size_t index, size_t to);

/* Executes [from, to) as an inlined block. `*values`: how many values it leaves; one becomes the
 * last statement. */
Block *decompile_inlined(Decompiler *d, size_t from, size_t to, size_t *values);

/* A dup marks its expression as the receiver of a cascade. The copy, the receiver of the next
 * message, is a NODE_ERROR; a message to it is a NODE_SEND without a receiver. */
bool node_is_copy(const Node *node);
bool node_is_open_message(const Node *node, const char *selector);

/* --- decompile_node.c --- */

Arena *decompile_arena(const Decompiler *d);
Node *decompile_node(Decompiler *d, NodeKind kind);
void decompile_node_adopt(Node *node, const Node *child); /* its depth counts the child's */
Node *decompile_send(Decompiler *d, Node *receiver, const char *selector, size_t count,
                     Node **arguments);
Node *decompile_block_node(Decompiler *d, Block *block);
Node *decompile_named_node(Decompiler *d, VariableKind kind, const char *name);
Node *decompile_nil(Decompiler *d);
Node *decompile_literal_node(Decompiler *d, Literal *literal);
Node *decompile_integer_node(Decompiler *d, int64_t value);
Node *decompile_instance_variable_node(Decompiler *d, unsigned index);
Node *decompile_binding_node(Decompiler *d, unsigned index); /* of the literal there */
Literal *decompile_literal_at(Decompiler *d, unsigned index);
bool node_is_named(const Node *node, VariableKind kind);

/* Temporaries: by the slot of the frame, and in the vector in a slot. */
Variable *decompile_temp_new(Decompiler *d, const char *wanted, const char *made_up);
const char *decompile_slot_name(const Decompiler *d, size_t slot);
Node *decompile_temp_node(Decompiler *d, unsigned slot);
Node *decompile_remote_node(Decompiler *d, unsigned index, unsigned slot);
void decompile_make_vector(Decompiler *d, unsigned slot, unsigned size);

/* --- decompile_flow.c --- */

size_t flow_condition(Decompiler *d, size_t index, size_t to);
/* The end of the outermost loop that begins at `index` and lies before `to`, or 0. */
size_t flow_loop_end(const Decompiler *d, size_t index, size_t to);
size_t flow_loop(Decompiler *d, size_t head, size_t end, size_t to);

/* --- decompile_scope.c --- */

/* Gives the temporaries of a finished method or block the places of their declarations. */
void scope_declare(Decompiler *d);

/* A block takes along variables that nothing in it needs any more: names them, as statements
 * without effect. */
void scope_mention(Decompiler *d, Block *block, const VariableList *copied);

#endif
