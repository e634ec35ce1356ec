/* The syntax tree of a method, and the variables it uses.
 *
 * The parser builds nodes with names; the scope pass (scope.h) puts Variables in
 * their place, decides which blocks are inlined and where each temporary lives;
 * the code generator (codegen.h) only reads.
 */
#ifndef OSVM_COMPILER_AST_H
#define OSVM_COMPILER_AST_H

#include "kernel/bytecode/method.h"
#include "source.h"

typedef struct Node Node;
typedef struct Block Block;
typedef struct Variable Variable;

/* Longer brace arrays are filled by at:put:, in an instance of the global Array. */
enum { LONGEST_PUSHED_BRACE = 16 };

typedef enum {
    NODE_ERROR, /* what could not be parsed; already reported */
    NODE_LITERAL,
    NODE_VARIABLE,
    NODE_ASSIGN,
    NODE_SEND,
    NODE_CASCADE,
    NODE_BLOCK,
    NODE_BRACE,
    NODE_RETURN,
} NodeKind;

/* The messages that are compiled in line. */
typedef enum {
    INLINE_NONE,
    INLINE_IF,     /* two arms: arguments[0] when true, arguments[1] when false; either may be NULL,
                      which stands for [nil], or for a constant (see Send.constant) */
    INLINE_IF_NIL, /* one arm that runs when the receiver is nil, whose value it is otherwise */
    INLINE_NIL_TEST, /* as INLINE_IF with `receiver == nil` as the condition; the receiver may be
                        assigned to `bound` first */
    INLINE_WHILE,    /* receiver: condition block; arguments[0]: body or NULL */
    INLINE_TO_DO,    /* arguments: limit, body; `step`, `bound`: the counter, `limit` */
    INLINE_REPEAT,   /* receiver: body */
    INLINE_CASE, /* arguments[0]: brace array of associations; arguments[1]: otherwise, or NULL */
} InlineKind;

/* The value of an arm that is not written: and:, or:, ifTrue: alone. */
typedef enum { CONSTANT_NIL, CONSTANT_TRUE, CONSTANT_FALSE } Constant;

typedef struct {
    Node *receiver; /* NULL in a cascade, where it is the cascade's */
    const char *selector;
    Node **arguments;
    size_t argument_count;
    size_t selector_start, selector_end; /* its first part, for messages */
    bool to_super;
    /* Filled by the scope pass when the message is inlined: */
    InlineKind inlined;
    Node *arms[2]; /* IF, NIL_TEST: blocks; NULL = `constant` */
    Constant constant;
    bool negated;    /* WHILE: the loop goes on while false */
    Variable *bound; /* NIL_TEST: the block's argument or NULL. TO_DO: the counter */
    Variable *limit; /* TO_DO: the hidden temporary of the limit; NULL when it is simple */
    Literal *step;   /* TO_DO */
    bool downwards;  /* TO_DO: the step is negative */
} Send;

struct Node {
    NodeKind kind;
    unsigned depth;    /* of the tree below; bounded, so that recursion over it is */
    size_t start, end; /* bytes of the source */
    union {
        Literal *literal;
        struct {
            const char *name;
            Variable *variable; /* set by the scope pass */
        } use;
        struct {
            Node *target; /* a NODE_VARIABLE */
            Node *value;
        } assign;
        Send send;
        struct {
            Node *receiver;
            Node **messages; /* each a NODE_SEND without a receiver */
            size_t count;
        } cascade;
        Block *block;
        struct {
            Node **elements;
            size_t count;
        } brace;
        Node *value; /* NODE_RETURN */
    };
};

typedef enum {
    VARIABLE_SELF,
    VARIABLE_SUPER,
    VARIABLE_NIL,
    VARIABLE_TRUE,
    VARIABLE_FALSE,
    VARIABLE_CONTEXT,  /* thisContext */
    VARIABLE_PROCESS,  /* thisProcess */
    VARIABLE_TEMP,     /* temporaries and arguments of methods and blocks */
    VARIABLE_INSTANCE, /* `index` */
    VARIABLE_LITERAL,  /* reached through a binding in the literals: class variable, global, pool */
} VariableKind;

typedef enum { ARGUMENT_NONE, ARGUMENT_METHOD, ARGUMENT_BLOCK } ArgumentKind;

/* One reading or writing of a temporary. */
typedef struct Reference {
    Block *scope;      /* the block, inlined or not, that contains it */
    unsigned location; /* the number of the place, see scope.c */
    bool is_write;
    struct Reference *next;
} Reference;

struct Variable {
    VariableKind kind;
    const char *name;
    size_t start, end;  /* its declaration; of one reached through a binding, its first use */
    unsigned index;     /* of an instance variable */
    bool maybe_context; /* an instance variable of a class whose instances may be contexts */
    /* Temporaries: */
    ArgumentKind argument;
    Block *scope; /* the block that defines it */
    Reference *references;
    Variable *vector; /* the temporary that holds the Array it lives in, or NULL */
    unsigned vector_index;
    Variable *same_as; /* an inlined block's argument that shares another one's place */
    bool is_vector;    /* it is itself such an Array: */
    Variable **remote; /* the variables in it */
    size_t remote_count;
    bool is_read, is_written; /* in the text, for warnings */
};

typedef struct {
    Variable **items;
    size_t count, capacity;
} VariableList;

struct Block {
    Block *outer; /* lexically; NULL for a method's body */
    Node *node;   /* NULL for a method's body */
    VariableList arguments;
    VariableList temps;    /* as declared; changed by the scope pass to what the frame holds */
    VariableList declared; /* the temporaries as declared */
    Node **statements;
    size_t statement_count;
    size_t body_start, body_end;
    bool is_inlined;
    bool in_loop;         /* inlined, and entered again and again within one activation */
    Block *actual;        /* the nearest block that is not inlined; itself if it is none */
    unsigned first, last; /* the numbers of entry and exit, of blocks that are not inlined */
    Variable *vector;     /* holds the variables of this block that are shared by reference */
    VariableList to_nil;  /* temporaries an inlined block must clear when it is entered again */
    bool has_return;      /* contains a ^ that leaves the method */
};

typedef struct {
    const char *selector; /* primitive:error:module: */
    Literal **arguments;
    size_t argument_count;
    size_t start, end;
} Pragma;

typedef struct {
    const SourceText *source;
    size_t start, end;
    size_t pattern_start, pattern_end; /* where the pattern stands apart (Tonel), else equal */
    const char *selector;              /* NULL: a doIt */
    size_t selector_start, selector_end;
    Block *body; /* its arguments are the method's */
    Pragma *pragmas;
    size_t pragma_count;
    bool has_primitive;
    unsigned primitive;
    Literal *primitive_literal; /* of a named primitive, or NULL */
    Variable *error_variable;   /* of <primitive: ... error: name>, or NULL */
    VariableList bindings;      /* what it reaches through bindings, in the order of first use;
                                   filled by the scope pass */
    bool is_doit;
} Method;

#endif
