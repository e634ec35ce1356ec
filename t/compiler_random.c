/* Random methods: what the syntax tree means, evaluated step by step as the language is defined,
 * against what their bytecode does, in both sets. The evaluator knows nothing of inlining or of
 * where temporaries live: every block is an object, every activation has variables of its own.
 * OSVM_TEST_LONG: more methods; OSVM_TEST_SEED: another start. */
#include <inttypes.h>

#include "compiler/decompile.h"
#include "compiler/codegen.h"
#include "compiler/number.h"
#include "kernel/bytecode/opcodes.h"
#include "kernel/bytecode/verify.h"
#include "tap.h"

enum {
    METHODS = 4000,
    METHODS_LONG = 400000,
    BUDGET = 20000,
    TRACE_MAX = 4000,
    STACK = 64,
    DEEPEST_CALL = 60
};

static Arena *arena;

/* --- Values both sides share --- */

typedef enum {
    V_NIL,
    V_FALSE,
    V_TRUE,
    V_INT,
    V_FLOAT,
    V_LITERAL, /* any other: `number` is a hash of what it is */
    V_SELF,
    V_ARRAY,
    V_TREE_BLOCK,
    V_CODE_BLOCK
} Kind;

typedef struct Value {
    Kind kind;
    int64_t number;
    double real;
    struct Array *array;
    struct Closure *closure;
} Value;

typedef struct Array {
    size_t count;
    Value *items;
} Array;

/* What happened: everything that `note:` was sent with. */
typedef struct {
    int64_t items[TRACE_MAX];
    size_t count;
    int budget;
} Trace;

static const Value nil = {.kind = V_NIL};

static Value make_int(int64_t n)
{
    return (Value){.kind = V_INT, .number = n};
}

static Value make_float(double real)
{
    return (Value){.kind = V_FLOAT, .real = real};
}

static int64_t hash_of(const Literal *literal)
{
    uint64_t hash = (uint64_t)literal->kind * 31 + literal->code + (uint64_t)literal->scale * 7;
    for (size_t i = 0; i < literal->byte_count; i++)
        hash = hash * 31 + literal->bytes[i];
    for (size_t i = 0; i < literal->element_count; i++)
        hash = hash * 37 + (uint64_t)hash_of(literal->elements[i]);
    return (int64_t)(hash + literal->negative);
}

static Value make_literal(const Literal *literal)
{
    int64_t number = 0;
    if (literal->kind == LITERAL_FLOAT)
        return make_float(literal->real);
    if (literal_get_integer(literal, &number))
        return make_int(number);
    return (Value){.kind = V_LITERAL, .number = hash_of(literal)};
}

static Value make_bool(bool b)
{
    return (Value){.kind = b ? V_TRUE : V_FALSE};
}

static Value make_array(const Value *items, size_t count)
{
    Array *array = arena_alloc(arena, sizeof *array);
    array->count = count;
    array->items = arena_alloc(arena, (count + 1) * sizeof *array->items);
    if (count && items)
        memcpy(array->items, items, count * sizeof *items);
    return (Value){.kind = V_ARRAY, .array = array};
}

/* Blocks are told apart only by being blocks. */
static int64_t note_of(Value v)
{
    int64_t bits;
    switch (v.kind) {
    case V_INT:
    case V_LITERAL: return v.number;
    case V_FLOAT: memcpy(&bits, &v.real, sizeof bits); return bits;
    case V_ARRAY: return 1000000 + (int64_t)v.array->count;
    case V_TREE_BLOCK:
    case V_CODE_BLOCK: return 2000000;
    default: return 3000000 + (int64_t)v.kind;
    }
}

static void trace_note(Trace *trace, Value v)
{
    if (trace->count < TRACE_MAX)
        trace->items[trace->count++] = note_of(v);
}

/* Messages that mean the same on both sides; false: not one of these. */
static bool send_common(Trace *trace, const char *selector, Value receiver, const Value *arguments,
                        Value *result)
{
    Value a = arguments ? arguments[0] : nil;
    bool ints = receiver.kind == V_INT && a.kind == V_INT,
         floats = receiver.kind == V_FLOAT && a.kind == V_FLOAT;
    double x = receiver.real, y = a.real;
    trace->budget--;
    if (strcmp(selector, "note:") == 0) {
        trace_note(trace, a);
        *result = a;
    } else if (strcmp(selector, "+") == 0) {
        *result = ints     ? make_int((int64_t)((uint64_t)receiver.number + (uint64_t)a.number))
                  : floats ? make_float(x + y)
                           : nil;
    } else if (strcmp(selector, "-") == 0) {
        *result = ints     ? make_int((int64_t)((uint64_t)receiver.number - (uint64_t)a.number))
                  : floats ? make_float(x - y)
                           : nil;
    } else if (strcmp(selector, "<") == 0) {
        *result = make_bool((ints && receiver.number < a.number) || (floats && x < y));
    } else if (strcmp(selector, ">") == 0) {
        *result = make_bool((ints && receiver.number > a.number) || (floats && x > y));
    } else if (strcmp(selector, "<=") == 0) {
        *result = make_bool((ints && receiver.number <= a.number) || (floats && x <= y));
    } else if (strcmp(selector, ">=") == 0) {
        *result = make_bool((ints && receiver.number >= a.number) || (floats && x >= y));
    } else if (strcmp(selector, "==") == 0) {
        *result = make_bool(note_of(receiver) == note_of(a));
    } else if (strcmp(selector, "=") == 0) {
        *result = make_bool(note_of(receiver) == note_of(a));
    } else if (strcmp(selector, "at:") == 0) {
        bool inside = receiver.kind == V_ARRAY && a.kind == V_INT && a.number >= 1 &&
                      (size_t)a.number <= receiver.array->count;
        *result = inside ? receiver.array->items[a.number - 1] : nil;
    } else {
        return false;
    }
    return true;
}

/* --- The evaluator of trees --- */

typedef struct Env {
    struct Env *outer;
    const Block *block;
    Value *values; /* arguments, then temporaries */
} Env;

typedef struct Closure {
    const Block *block; /* of the tree, with the variables around it: */
    Env *env;
    const CompiledCode *code; /* of the bytecode: the code it runs */
    size_t start;
    unsigned argument_count, copied_count;
    Value *copied;
} Closure;

typedef struct {
    Trace trace;
    int depth;      /* of calls; random blocks call themselves */
    bool returning; /* a ^ is on its way */
    Value returned;
} Tree;

static Value eval(Tree *t, Env *env, const Node *node);

static Value *find(Env *env, const Variable *variable)
{
    for (; env; env = env->outer) {
        const Block *block = env->block;
        for (size_t i = 0; i < block->arguments.count; i++)
            if (block->arguments.items[i] == variable)
                return &env->values[i];
        for (size_t i = 0; i < block->declared.count; i++)
            if (block->declared.items[i] == variable)
                return &env->values[block->arguments.count + i];
    }
    bail_out("a variable without a place");
}

static Value eval_block(Tree *t, Env *outer, const Block *block, const Value *arguments)
{
    size_t count = block->arguments.count;
    Env *env = arena_alloc(arena, sizeof *env);
    *env = (Env){outer, block,
                 arena_alloc(arena, (count + block->declared.count + 1) * sizeof(Value))};
    for (size_t i = 0; i < count; i++)
        env->values[i] = arguments[i];
    Value value = nil;
    for (size_t i = 0; i < block->statement_count && !t->returning; i++)
        value = eval(t, env, block->statements[i]);
    return value;
}

static Value call(Tree *t, Value block, const Value *arguments, size_t count)
{
    if (block.kind != V_TREE_BLOCK)
        return count ? nil : block;
    if (block.closure->block->arguments.count != count || --t->trace.budget < 0)
        return nil;
    if (++t->depth > DEEPEST_CALL)
        t->trace.budget = 0;
    Value value = eval_block(t, block.closure->env, block.closure->block, arguments);
    t->depth--;
    return value;
}

static Value eval_loop(Tree *t, const char *selector, Value receiver, const Value *arguments)
{
    bool endless = strcmp(selector, "repeat") == 0;
    Kind wanted = strncmp(selector, "whileTrue", 9) == 0 ? V_TRUE : V_FALSE;
    while (!t->returning && t->trace.budget > 0) {
        Value value = call(t, receiver, NULL, 0);
        if (!endless && (t->returning || value.kind != wanted))
            break;
        if (strchr(selector, ':'))
            call(t, arguments[0], NULL, 0);
        t->trace.budget--;
    }
    return nil;
}

static Value eval_to_do(Tree *t, Value from, Value to, int64_t step, Value body)
{
    for (int64_t i = from.number; !t->returning && (step > 0 ? i <= to.number : i >= to.number);
         i += step) {
        Value each = make_int(i);
        call(t, body, &each, 1);
        t->trace.budget--;
    }
    return from;
}

static Value eval_case(Tree *t, Value value, const Array *cases, Value otherwise)
{
    for (size_t i = 0; t->trace.budget > 0 && i < cases->count && !t->returning; i++) {
        const Value *pair = cases->items[i].array->items;
        Value key = call(t, pair[0], NULL, 0), is_equal;
        if (t->returning)
            return nil;
        send_common(&t->trace, "=", value, &key, &is_equal);
        if (is_equal.kind == V_TRUE)
            return call(t, pair[1], NULL, 0);
    }
    return call(t, otherwise, NULL, 0);
}

static Value eval_message(Tree *t, Value receiver, const char *selector, const Value *a,
                          size_t count)
{
    Value result;
    bool is_true = receiver.kind == V_TRUE, is_nil = receiver.kind == V_NIL;
    if (strcmp(selector, "value") == 0 || strcmp(selector, "value:") == 0)
        return call(t, receiver, a, count);
    if (strcmp(selector, "ifTrue:ifFalse:") == 0)
        return call(t, a[is_true ? 0 : 1], NULL, 0);
    if (strcmp(selector, "ifFalse:ifTrue:") == 0)
        return call(t, a[is_true ? 1 : 0], NULL, 0);
    if (strcmp(selector, "ifTrue:") == 0)
        return is_true ? call(t, a[0], NULL, 0) : nil;
    if (strcmp(selector, "ifFalse:") == 0)
        return is_true ? nil : call(t, a[0], NULL, 0);
    if (strcmp(selector, "and:") == 0)
        return is_true ? call(t, a[0], NULL, 0) : make_bool(false);
    if (strcmp(selector, "or:") == 0)
        return is_true ? make_bool(true) : call(t, a[0], NULL, 0);
    if (strcmp(selector, "ifNil:") == 0)
        return is_nil ? call(t, a[0], NULL, 0) : receiver;
    if (strcmp(selector, "ifNotNil:") == 0)
        return is_nil ? nil : call(t, a[0], &receiver, a[0].closure->block->arguments.count);
    if (strcmp(selector, "ifNil:ifNotNil:") == 0)
        return is_nil ? call(t, a[0], NULL, 0)
                      : call(t, a[1], &receiver, a[1].closure->block->arguments.count);
    if (strncmp(selector, "while", 5) == 0 || strcmp(selector, "repeat") == 0)
        return eval_loop(t, selector, receiver, a);
    if (strcmp(selector, "to:do:") == 0)
        return eval_to_do(t, receiver, a[0], 1, a[1]);
    if (strcmp(selector, "to:by:do:") == 0)
        return eval_to_do(t, receiver, a[0], a[1].number, a[2]);
    if (strcmp(selector, "->") == 0)
        return make_array((Value[]){receiver, a[0]}, 2);
    if (strcmp(selector, "caseOf:otherwise:") == 0)
        return eval_case(t, receiver, a[0].array, a[1]);
    if (!send_common(&t->trace, selector, receiver, a, &result))
        bail_out("the evaluator does not know %s", selector);
    return result;
}

static Value eval_send(Tree *t, Env *env, const Send *send, Value receiver)
{
    Value arguments[4];
    for (size_t i = 0; i < send->argument_count && !t->returning; i++)
        arguments[i] = eval(t, env, send->arguments[i]);
    return t->returning
               ? nil
               : eval_message(t, receiver, send->selector, arguments, send->argument_count);
}

static Value eval_variable(Env *env, const Variable *variable)
{
    switch (variable->kind) {
    case VARIABLE_TEMP: return *find(env, variable);
    case VARIABLE_TRUE: return make_bool(true);
    case VARIABLE_FALSE: return make_bool(false);
    case VARIABLE_SELF: return (Value){.kind = V_SELF};
    default: return nil;
    }
}

static Value eval(Tree *t, Env *env, const Node *node)
{
    Value value = nil;
    if (t->returning || --t->trace.budget < 0)
        return nil;
    switch (node->kind) {
    case NODE_LITERAL: return make_literal(node->literal);
    case NODE_VARIABLE: return eval_variable(env, node->use.variable);
    case NODE_ASSIGN:
        value = eval(t, env, node->assign.value);
        if (!t->returning)
            *find(env, node->assign.target->use.variable) = value;
        return value;
    case NODE_SEND:
        value = eval(t, env, node->send.receiver);
        return t->returning ? nil : eval_send(t, env, &node->send, value);
    case NODE_CASCADE: {
        Value receiver = eval(t, env, node->cascade.receiver);
        for (size_t i = 0; i < node->cascade.count && !t->returning; i++)
            value = eval_send(t, env, &node->cascade.messages[i]->send, receiver);
        return value;
    }
    case NODE_BLOCK:
        value.kind = V_TREE_BLOCK;
        value.closure = arena_alloc(arena, sizeof *value.closure);
        value.closure->block = node->block;
        value.closure->env = env;
        return value;
    case NODE_BRACE:
        value = make_array(NULL, node->brace.count);
        for (size_t i = 0; i < node->brace.count && !t->returning; i++)
            value.array->items[i] = eval(t, env, node->brace.elements[i]);
        return value;
    case NODE_RETURN:
        value = eval(t, env, node->value);
        if (!t->returning) {
            t->returning = true;
            t->returned = value;
        }
        return nil;
    case NODE_ERROR: break;
    }
    return nil;
}

/* --- The interpreter of bytecode --- */

typedef struct {
    Trace trace;
    const char *fault;
    bool returning;
    Value returned;
} Machine;

typedef struct {
    const CompiledCode *code;
    Value stack[STACK];
    size_t top; /* values on it */
    size_t pc;
    bool is_block;
} Frame;

static Value run_frame(Machine *m, Frame *f);

static void push(Machine *m, Frame *f, Value v)
{
    if (f->top < STACK)
        f->stack[f->top++] = v;
    else
        m->fault = "stack overflow";
}

static Value pop(Machine *m, Frame *f)
{
    if (f->top)
        return f->stack[--f->top];
    m->fault = "stack underflow";
    return nil;
}

static Value machine_call(Machine *m, Value block, const Value *arguments, unsigned count)
{
    if (block.kind != V_CODE_BLOCK)
        return count ? nil : block;
    const Closure *closure = block.closure;
    if (closure->argument_count != count || --m->trace.budget < 0)
        return nil;
    Frame frame = {.code = closure->code, .pc = closure->start, .is_block = true};
    for (unsigned i = 0; i < count; i++)
        push(m, &frame, arguments[i]);
    for (unsigned i = 0; i < closure->copied_count; i++)
        push(m, &frame, closure->copied[i]);
    while (closure->code->is_block && frame.top < closure->code->temp_count)
        push(m, &frame, nil);
    return run_frame(m, &frame);
}

static void machine_send(Machine *m, Frame *f, const char *selector, unsigned count)
{
    Value result, receiver;
    if (f->top < count + 1) {
        m->fault = "stack underflow at a send";
        return;
    }
    const Value *arguments = &f->stack[f->top - count];
    receiver = f->stack[f->top - count - 1];
    if (strcmp(selector, "value") == 0 || strcmp(selector, "value:") == 0) {
        result = machine_call(m, receiver, arguments, count);
    } else if (!send_common(&m->trace, selector, receiver, arguments, &result)) {
        m->fault = arena_printf(arena, "a real send of %s", selector);
        return;
    }
    f->top -= count;
    f->stack[f->top - 1] = result;
}

static void machine_closure(Machine *m, Frame *f, const Instruction *i)
{
    Value value = {.kind = V_CODE_BLOCK, .closure = arena_alloc(arena, sizeof(Closure))};
    Closure *closure = value.closure;
    closure->copied_count = i->copied;
    closure->copied = arena_alloc(arena, (i->copied + 1) * sizeof(Value));
    for (unsigned k = i->copied; k-- > 0;)
        closure->copied[k] = pop(m, f);
    if (i->op == OP_PUSH_FULL_CLOSURE) {
        closure->code = f->code->literals[i->index]->code_block;
        closure->argument_count = closure->code->arg_count;
    } else {
        closure->code = f->code;
        closure->start = i->next;
        closure->argument_count = (unsigned)i->count;
        f->pc = (size_t)i->target;
    }
    push(m, f, value);
}

static void machine_return(Machine *m, const Frame *f, Value value)
{
    m->returned = value;
    m->returning = f->is_block;
}

/* The vector's slot. */
static Value *remote(Machine *m, Frame *f, const Instruction *i)
{
    static Value nowhere;
    Value vector = f->stack[i->temp];
    if (vector.kind == V_ARRAY && i->index < vector.array->count)
        return &vector.array->items[i->index];
    m->fault = "no vector where one should be";
    return &nowhere;
}

static void machine_jump(Machine *m, Frame *f, const Instruction *i)
{
    if (i->op != OP_JUMP) {
        Value value = pop(m, f);
        if (value.kind != V_TRUE && value.kind != V_FALSE)
            m->fault = "a condition that is no Boolean";
        if ((i->op == OP_JUMP_IF_TRUE) != (value.kind == V_TRUE))
            return;
    }
    m->trace.budget -= i->target < i->pc;
    f->pc = (size_t)i->target;
}

/* Answers true when the frame has returned `*result`. */
static bool machine_step(Machine *m, Frame *f, const Instruction *i, Value *result)
{
    Value value;
    *result = nil;
    f->pc = i->next;
    switch (i->op) {
    case OP_PUSH_TEMP: push(m, f, f->stack[i->index]); break;
    case OP_PUSH_LITERAL: push(m, f, make_literal(f->code->literals[i->index])); break;
    case OP_PUSH_REMOTE_TEMP: push(m, f, *remote(m, f, i)); break;
    case OP_PUSH_RECEIVER: push(m, f, (Value){.kind = V_SELF}); break;
    case OP_PUSH_TRUE: push(m, f, make_bool(true)); break;
    case OP_PUSH_FALSE: push(m, f, make_bool(false)); break;
    case OP_PUSH_NIL: push(m, f, nil); break;
    case OP_PUSH_INTEGER: push(m, f, make_int(i->value)); break;
    case OP_PUSH_CHARACTER:
        push(m, f,
             make_literal(&(Literal){.kind = LITERAL_CHARACTER, .code = i->index}));
        break;
    case OP_PUSH_NEW_ARRAY: push(m, f, make_array(NULL, (size_t)i->count)); break;
    case OP_POP_INTO_NEW_ARRAY:
        value = make_array(&f->stack[f->top - (size_t)i->count], (size_t)i->count);
        f->top -= (size_t)i->count;
        push(m, f, value);
        break;
    case OP_PUSH_CLOSURE:
    case OP_PUSH_FULL_CLOSURE: machine_closure(m, f, i); break;
    case OP_DUPLICATE: push(m, f, f->stack[f->top - 1]); break;
    case OP_POP: pop(m, f); break;
    case OP_STORE_TEMP: f->stack[i->index] = f->stack[f->top - 1]; break;
    case OP_POP_INTO_TEMP:
        value = pop(m, f);
        f->stack[i->index] = value;
        break;
    case OP_STORE_REMOTE_TEMP: *remote(m, f, i) = f->stack[f->top - 1]; break;
    case OP_POP_INTO_REMOTE_TEMP:
        value = pop(m, f);
        *remote(m, f, i) = value;
        break;
    case OP_SEND: machine_send(m, f, f->code->literals[i->index]->name, (unsigned)i->count); break;
    case OP_SEND_SPECIAL:
        machine_send(m, f, special_selectors[i->index].name, (unsigned)i->count);
        break;
    case OP_JUMP:
    case OP_JUMP_IF_TRUE:
    case OP_JUMP_IF_FALSE: machine_jump(m, f, i); break;
    case OP_RETURN_RECEIVER: machine_return(m, f, (Value){.kind = V_SELF}); return true;
    case OP_RETURN_TRUE: machine_return(m, f, make_bool(true)); return true;
    case OP_RETURN_FALSE: machine_return(m, f, make_bool(false)); return true;
    case OP_RETURN_NIL: machine_return(m, f, nil); return true;
    case OP_RETURN_TOP: machine_return(m, f, pop(m, f)); return true;
    case OP_BLOCK_RETURN_NIL: return true;
    case OP_BLOCK_RETURN_TOP: *result = pop(m, f); return true;
    case OP_CALL_PRIMITIVE: break; /* of a quick method: its code does the same */
    default: m->fault = "an instruction that this does not know";
    }
    return false;
}

static Value run_frame(Machine *m, Frame *f)
{
    Value result = nil;
    while (!m->fault && m->trace.budget > 0) {
        Instruction i;
        if (!bytecode_decode(f->code->set, f->code->bytecodes, f->code->bytecode_count, f->pc,
                             &i)) {
            m->fault = "no instruction here";
            break;
        }
        if (machine_step(m, f, &i, &result) || m->returning)
            return result;
    }
    return nil;
}

/* --- Random methods --- */

static uint64_t random_state;

static unsigned random_below(unsigned limit)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (unsigned)(random_state % limit);
}

enum { TEXT_MAX = 20000, SCOPE_MAX = 40, DEEPEST = 4 };

/* What can be named: variables in scope, and which of them are temporaries. */
typedef struct {
    char text[TEXT_MAX];
    size_t size;
    int names[SCOPE_MAX]; /* v<n> */
    bool assignable[SCOPE_MAX];
    int count, next;
    int depth;
} Writer;

static void __attribute__((format(printf, 2, 3))) put(Writer *w, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (w->size < TEXT_MAX - 100)
        w->size += (size_t)vsnprintf(w->text + w->size, TEXT_MAX - w->size, format, arguments);
    va_end(arguments);
}

static void put_expression(Writer *w);
static void put_statements(Writer *w, unsigned most);

static int declare(Writer *w, bool assignable)
{
    if (w->count < SCOPE_MAX) {
        w->names[w->count] = w->next;
        w->assignable[w->count++] = assignable;
    }
    return w->next++;
}

static void put_variable(Writer *w)
{
    put(w, "v%d", w->names[random_below((unsigned)w->count)]);
}

static void put_temporaries(Writer *w)
{
    unsigned count = random_below(3);
    if (count)
        put(w, "| ");
    for (unsigned i = 0; i < count; i++)
        put(w, "v%d ", declare(w, true));
    if (count)
        put(w, "| ");
}

/* [:args | temps | statements] */
static void put_block(Writer *w, bool argument)
{
    int count = w->count;
    put(w, "[");
    if (argument)
        put(w, ":v%d | ", declare(w, false));
    put_temporaries(w);
    put_statements(w, 3);
    put(w, "]");
    w->count = count;
}

static void put_condition(Writer *w)
{
    static const char *const operators[] = {"<", ">", "<=", "=", "==", ">="};
    put(w, "((");
    put_expression(w);
    put(w, ") %s (", operators[random_below(6)]);
    put_expression(w);
    put(w, "))");
    if (random_below(5) == 0) {
        put(w, random_below(2) ? " and: [(" : " or: [(");
        put_expression(w);
        put(w, ") < 5]");
    }
}

static void put_conditional(Writer *w)
{
    static const char *const forms[] = {
        "ifTrue:", "ifFalse:", "ifTrue:ifFalse:", "ifFalse:ifTrue:"};
    const char *form = forms[random_below(4)];
    put(w, "(");
    put_condition(w);
    put(w, ") ");
    for (const char *part = form; *part; part = strchr(part, ':') + 1) {
        put(w, "%.*s ", (int)(strchr(part, ':') - part + 1), part);
        put_block(w, false);
        put(w, " ");
    }
}

static void put_nil_test(Writer *w)
{
    unsigned form = random_below(3);
    put(w, "(");
    put_expression(w);
    put(w, ") ");
    if (form != 1) {
        put(w, "ifNil: ");
        put_block(w, false);
    }
    if (form != 0) {
        put(w, " ifNotNil: ");
        put_block(w, random_below(2));
    }
}

static void put_case(Writer *w)
{
    unsigned count = 1 + random_below(3);
    put(w, "(");
    put_expression(w);
    put(w, ") caseOf: {");
    for (unsigned i = 0; i < count; i++) {
        put_block(w, false);
        put(w, " -> ");
        put_block(w, false);
        put(w, i + 1 < count ? ". " : "} otherwise: ");
    }
    put_block(w, false);
}

/* A block that one round makes and later rounds evaluate, when its variable has changed. */
static void put_capturing_loop(Writer *w)
{
    int a = w->names[w->count - 1], b = w->names[w->count - 2], i = w->next++;
    put(w, "1 to: 3 do: [:v%d | v%d := v%d. (v%d) ifNil: [v%d := [v%d]]. self note: (v%d value)]",
        i, a, i, b, b, a, b);
}

static void put_loop(Writer *w)
{
    if (w->count > 2 && w->assignable[w->count - 1] && w->assignable[w->count - 2] &&
        random_below(3) == 0) {
        put_capturing_loop(w);
    } else if (random_below(3)) {
        unsigned step = random_below(3);
        if (random_below(2))
            put(w, "%u to: %u %sdo: ", 1 + random_below(2), 2 + random_below(3),
                step == 1 ? "by: 2 " : "");
        else if (step)
            put(w, "(0 - 1) to: (self note: %u) do: ", random_below(3));
        else
            put(w, "3 to: 1 by: -1 do: ");
        put_block(w, true);
    } else {
        int count = w->count, counter = w->next++; /* nobody else can assign to it */
        put(w, "[| v%d | v%d := 0. [v%d < %u] %s: [v%d := v%d + 1. ", counter, counter, counter,
            1 + random_below(3), "whileTrue", counter, counter);
        put_statements(w, 2);
        put(w, "]] value");
        w->count = count;
    }
}

static void put_simple(Writer *w)
{
    static const char *const constants[] = {
        "nil", "true",  "false", "self", "0",  "-1",     "70000", "2",    "3.5",
        "1e-3", "-0.0", "1.0e10", "12345678901234", "-9007199254740993", "$a", "$\xe2\x82\xac",
        "'text'", "#sym", "#(1 $b #c ('d' 2.5))", "#[1 2]", "2.50s2", "123456789012345678901234"};
    enum { COUNT = sizeof constants / sizeof constants[0] };
    if (random_below(3) == 0)
        put(w, "%s", constants[random_below(random_below(2) ? 8 : COUNT)]);
    else if (random_below(3) == 0)
        put(w, "%u", random_below(10));
    else
        put_variable(w);
}

static void put_expression(Writer *w)
{
    if (w->depth >= DEEPEST || w->size > TEXT_MAX / 2) {
        put_simple(w);
        return;
    }
    w->depth++;
    switch (random_below(15)) {
    case 13:
        put(w, "(");
        (random_below(12) == 0 ? put_case : put_simple)(w);
        put(w, ")");
        break;
    case 0:
    case 1:
        put(w, "(self note: (");
        put_expression(w);
        put(w, "))");
        break;
    case 2:
    case 3:
        put(w, "(");
        put_expression(w);
        put(w, ") %c (", random_below(2) ? '+' : '-');
        put_expression(w);
        put(w, ")");
        break;
    case 4:
        put(w, "(");
        put_conditional(w);
        put(w, ")");
        break;
    case 5:
        put(w, "(");
        put_nil_test(w);
        put(w, ")");
        break;
    case 6: put_block(w, random_below(2)); break;
    case 7:
        put(w, "(");
        put_block(w, false);
        put(w, " value)");
        break;
    case 8:
        put(w, "(");
        put_block(w, true);
        put(w, " value: ");
        put_simple(w);
        put(w, ")");
        break;
    case 9:
        put_variable(w);
        put(w, " value");
        break;
    case 10:
        put(w, "(");
        put_variable(w);
        put(w, " value: ");
        put_simple(w);
        put(w, ")");
        break;
    case 11:
        put(w, "({");
        put_expression(w);
        put(w, ". ");
        put_expression(w);
        put(w, "} at: %u)", random_below(3));
        break;
    case 12:
        put(w, "(self note: ");
        put_simple(w);
        put(w, "; note: ");
        put_simple(w);
        put(w, ")");
        break;
    default: put_simple(w);
    }
    w->depth--;
}

/* v1 := [v2], to be evaluated when v2 has got another value; or such an evaluation. */
static void put_capture(Writer *w)
{
    int target = -1;
    for (int i = 0; i < w->count; i++)
        if (w->assignable[i] && random_below(3) == 0)
            target = w->names[i];
    if (target < 0 || random_below(2)) {
        put(w, "self note: (");
        put_variable(w);
        put(w, " value)");
    } else {
        put(w, "v%d := [", target);
        put_variable(w);
        put(w, random_below(3) ? "]" : " value]");
    }
}

static void put_assignment(Writer *w)
{
    int candidates[SCOPE_MAX], count = 0;
    for (int i = 0; i < w->count; i++)
        if (w->assignable[i])
            candidates[count++] = w->names[i];
    if (count)
        put(w, "v%d := ", candidates[random_below((unsigned)count)]);
    put_expression(w);
}

static void put_statement(Writer *w)
{
    w->depth++;
    switch (random_below(14)) {
    case 0:
    case 1:
    case 2:
    case 3: put_assignment(w); break;
    case 4: put_conditional(w); break;
    case 5: put_nil_test(w); break;
    case 6:
    case 7:
    case 8:
    case 9: put_capture(w); break;
    case 10:
    case 11:
        if (w->depth < DEEPEST) {
            put_loop(w);
            break;
        } /* fall through */
    default:
        put(w, "self note: (");
        put_expression(w);
        put(w, ")");
    }
    w->depth--;
}

static void put_statements(Writer *w, unsigned most)
{
    for (unsigned count = random_below(most + 1); count; count--) {
        put_statement(w);
        put(w, ". ");
    }
    if (random_below(12) == 0)
        put(w, "^");
    put_expression(w);
}

static void put_method(Writer *w)
{
    w->size = 0;
    w->count = w->next = w->depth = 0;
    put(w, "run: v%d ", declare(w, false));
    put(w, "| v%d v%d v%d | ", w->next, w->next + 1, w->next + 2); /* they are the answer */
    for (int i = 0; i < 3; i++)
        declare(w, true);
    put_statements(w, 6);
    put(w, ". ^{");
    for (int i = 0; i < 3; i++)
        put(w, "v%d. ", w->names[w->count - 1 - i]);
    put(w, "}");
}

/* --- Comparing --- */

static Method *parse(CompileTools *tools, const SourceText *source)
{
    return parse_method(tools, source, 0, source->length);
}

static const char *compare(const Tree *t, const Machine *m)
{
    if (m->fault)
        return m->fault;
    if (t->trace.count != m->trace.count)
        return arena_printf(arena, "%zu notes instead of %zu", m->trace.count, t->trace.count);
    for (size_t i = 0; i < t->trace.count; i++)
        if (t->trace.items[i] != m->trace.items[i])
            return arena_printf(arena, "note %zu is %" PRId64 " instead of %" PRId64, i, m->trace.items[i],
                                t->trace.items[i]);
    if (note_of(t->returned) != note_of(m->returned))
        return "another answer";
    for (size_t i = 0; t->returned.kind == V_ARRAY && i < t->returned.array->count; i++)
        if (note_of(t->returned.array->items[i]) != note_of(m->returned.array->items[i]))
            return arena_printf(arena, "element %zu is %" PRId64 " instead of %" PRId64, i,
                                note_of(m->returned.array->items[i]),
                                note_of(t->returned.array->items[i]));
    return NULL;
}

typedef struct {
    int compared, unfinished, refused, wrong;
    int not_back; /* what was decompiled compiles to other code */
} Score;

static const char *run_code(const CompiledCode *code, const Tree *t)
{
    static Machine m;
    VerifyError error;
    memset(&m, 0, sizeof m);
    m.trace.budget = 100 * BUDGET;
    if (!verify_compiled_code(code, arena, NULL, &error, NULL))
        return arena_printf(arena, "not verified: %s", error.message);
    Frame frame = {.code = code, .top = code->temp_count};
    frame.stack[0] = make_int(7);
    run_frame(&m, &frame);
    return compare(t, &m);
}

/* Frames hold at most 63 variables and 56 values; V3 closures copy at most 15, and its jumps skip
 * at most 1023 bytes. Methods beyond that are refused. */
static bool is_limit(const char *message)
{
    return strstr(message, "surroundings") || strstr(message, "too long") ||
           strstr(message, "more than 63") || strstr(message, "more than 56");
}

static void run_method(Writer *w, Score *score)
{
    static Tree t;
    Diagnostics diagnostics;
    diagnostics_init(&diagnostics, arena);
    diagnostics.enabled = 0;
    CompileTools tools = {arena, names_new(arena), &diagnostics};
    ClassScope scope = {.class_name = "Foo"};
    put_method(w);
    SourceText *source = source_new(arena, "random", w->text, w->size);
    Method *tree = parse(&tools, source);
    scope_resolve(&tools, tree, &scope);
    memset(&t, 0, sizeof t);
    t.trace.budget = BUDGET;
    Value argument = make_int(7);
    if (!diagnostics.error_count)
        eval_block(&t, NULL, tree->body, &argument);
    if (t.trace.budget <= 0 || t.trace.count == TRACE_MAX) {
        score->unfinished++;
        return;
    }
    for (int set = SET_V3; set <= SET_SISTA; set++) {
        CompiledCode *code =
            compile_method(&tools, parse(&tools, source), &scope, (BytecodeSet)set);
        const char *difference = NULL;
        if (!code && diagnostics.error_count == 1 && is_limit(diagnostics.last->message)) {
            diagnostics.error_count = 0;
            score->refused++;
            continue;
        }
        difference = code ? run_code(code, &t) : "it does not compile";
        score->compared++;
        Decompiled back = code ? decompile_text(&tools, code, &scope) : (Decompiled){NULL, NULL};
        score->not_back += back.why != NULL;
        if (difference && score->wrong++ < 3) {
            diag("%s: %s\n%s", set == SET_V3 ? "V3" : "Sista", difference, w->text);
            for (Diagnostic *each = diagnostics.first; each; each = each->next)
                diag("%s", each->message);
        }
    }
}

int main(void)
{
    static Writer writer;
    const char *seed = getenv("OSVM_TEST_SEED");
    int methods = getenv("OSVM_TEST_LONG") ? METHODS_LONG : METHODS;
    Score score = {0};
    random_state = seed ? strtoull(seed, NULL, 0) : 0x9E3779B97F4A7C15;
    random_state += random_state == 0;
    diag("seed 0x%llx", (unsigned long long)random_state);
    for (int i = 0; i < methods; i++) {
        arena = arena_new();
        run_method(&writer, &score);
        arena_free(arena);
    }
    is_int(score.wrong, 0, "%d methods: bytecode does what the tree means", score.compared / 2);
    /* Statements that do nothing and temporaries that are never used leave too little behind; cases
     * of caseOf: that hold other structures, or that return, are not recognised. */
    ok(score.not_back < score.compared * 3 / 10,
       "decompiled, most come back to the same bytecode (%d of %d do not)", score.not_back,
       score.compared);
    ok(score.compared > methods, "enough of them end (%d did not) and fit (%d did not)",
       score.unfinished, score.refused);
    return done_testing();
}
