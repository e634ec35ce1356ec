#include "t/support/jit_model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Memory ---- */

static uint8_t *at(const ModelState *state, Word address, unsigned bytes)
{
    Word offset = address - state->start;
    if (offset > MODEL_MEMORY - bytes) {
        printf("Bail out! the model accesses 0x%" PRIxWORD ", outside its memory\n", address);
        exit(255);
    }
    return (uint8_t *)state->memory + offset;
}

Word model_load(const ModelState *state, Word address, unsigned size)
{
    Word value = 0;
    memcpy(&value, at(state, address, 1u << size), (size_t)1 << size);
    return value;
}

void model_store(ModelState *state, Word address, unsigned size, Word value)
{
    memcpy(at(state, address, 1u << size), &value, (size_t)1 << size);
}

static double load_double(const ModelState *state, Word address)
{
    double value;
    memcpy(&value, at(state, address, sizeof value), sizeof value);
    return value;
}

static void push(ModelState *state, Word value)
{
    state->registers[JIT_SP] -= WORD_BYTES;
    model_store(state, state->registers[JIT_SP], WORD_SHIFT, value);
}

static Word pop(ModelState *state)
{
    Word value = model_load(state, state->registers[JIT_SP], WORD_SHIFT);
    state->registers[JIT_SP] += WORD_BYTES;
    return value;
}

/* ---- Arithmetic ---- */

bool model_condition(JitCondition condition, Word a, Word b)
{
    switch (condition) {
    case JIT_EQUAL: return a == b;
    case JIT_NOT_EQUAL: return a != b;
    case JIT_LESS: return (SWord)a < (SWord)b;
    case JIT_LESS_EQUAL: return (SWord)a <= (SWord)b;
    case JIT_GREATER: return (SWord)a > (SWord)b;
    case JIT_GREATER_EQUAL: return (SWord)a >= (SWord)b;
    case JIT_BELOW: return a < b;
    case JIT_BELOW_EQUAL: return a <= b;
    case JIT_ABOVE: return a > b;
    case JIT_ABOVE_EQUAL: return a >= b;
    }
    return false;
}

static bool float_condition(JitCondition condition, double a, double b)
{
    switch (condition) {
    case JIT_EQUAL: return a == b;
    case JIT_NOT_EQUAL: return !(a == b);
    case JIT_LESS: return a < b;
    case JIT_LESS_EQUAL: return a <= b;
    case JIT_GREATER: return a > b;
    default: return a >= b;
    }
}

static Word arithmetic(JitOperation operation, Word a, Word b)
{
    switch (operation) {
    case JIT_ADD: case JIT_ADD_CONSTANT: return a + b;
    case JIT_SUBTRACT: return a - b;
    case JIT_MULTIPLY: return a * b;
    case JIT_AND: case JIT_AND_CONSTANT: return a & b;
    case JIT_OR: case JIT_OR_CONSTANT: return a | b;
    case JIT_XOR: case JIT_XOR_CONSTANT: return a ^ b;
    case JIT_SHIFT_LEFT: case JIT_SHIFT_LEFT_CONSTANT: return a << b;
    case JIT_SHIFT_RIGHT: case JIT_SHIFT_RIGHT_CONSTANT: return (Word)((SWord)a >> b);
    case JIT_SHIFT_RIGHT_UNSIGNED: case JIT_SHIFT_RIGHT_UNSIGNED_CONSTANT: return a >> b;
    default: /* JIT_ROTATE_RIGHT_CONSTANT */ return b ? a >> b | a << (WORD_BITS - b) : a;
    }
}

static void checked(ModelState *state, const JitInstruction *i, Word b)
{
    SWord a = (SWord)state->registers[i->a], result;
    bool over = i->operation == JIT_SUBTRACT_CHECKED ? __builtin_sub_overflow(a, (SWord)b, &result)
                : i->operation == JIT_MULTIPLY_CHECKED
                    ? __builtin_mul_overflow(a, (SWord)b, &result)
                    : __builtin_add_overflow(a, (SWord)b, &result);
    state->exit = over ? EXIT_LABEL : EXIT_NEXT;
    state->unspecified = over;
    if (!over)
        state->registers[i->a] = (Word)result;
}

static double float_arithmetic(JitOperation operation, double a, double b)
{
    switch (operation) {
    case JIT_FLOAT_ADD: return a + b;
    case JIT_FLOAT_SUBTRACT: return a - b;
    case JIT_FLOAT_MULTIPLY: return a * b;
    case JIT_FLOAT_DIVIDE: return a / b;
    default: return sqrt(b);
    }
}

/* ---- Instructions ---- */

static void branch_if(ModelState *state, bool condition)
{
    state->exit = condition ? EXIT_LABEL : EXIT_NEXT;
}

static void go_to(ModelState *state, Word address, bool called)
{
    state->exit = EXIT_ADDRESS;
    state->address = address;
    state->called = called;
}

void model_apply(ModelState *state, const JitInstruction *i)
{
    JitOperation operation = (JitOperation)i->operation;
    JitCondition condition = (JitCondition)i->condition;
    Word *r = state->registers;
    Word a = i->a < JIT_REGISTERS ? r[i->a] : 0, b = i->b < JIT_REGISTERS ? r[i->b] : 0;
    Word c = i->c < JIT_REGISTERS ? r[i->c] : 0, value = (Word)i->value;
    Word indexed = b + (c << i->size) + value;
    Word extra = (Word)(SWord)i->extra;
    state->exit = EXIT_NEXT;
    state->called = state->unspecified = false;
    switch (operation) {
    case JIT_MOVE: r[i->a] = b; break;
    case JIT_CONSTANT: r[i->a] = value; break;
    case JIT_LITERAL: r[i->a] = state->pool[value]; break;
    case JIT_LOAD: r[i->a] = model_load(state, b + value, i->size); break;
    case JIT_LOAD_INDEXED: r[i->a] = model_load(state, indexed, i->size); break;
    case JIT_STORE: model_store(state, b + value, i->size, a); break;
    case JIT_STORE_INDEXED: model_store(state, indexed, i->size, a); break;
    case JIT_STORE_CONSTANT: model_store(state, b + value, WORD_SHIFT, extra); break;
    case JIT_PUSH: push(state, a); break;
    case JIT_PUSH_CONSTANT: push(state, value); break;
    case JIT_PUSH_LITERAL: push(state, state->pool[value]); break;
    case JIT_PUSH_LOADED: push(state, model_load(state, b + value, WORD_SHIFT)); break;
    case JIT_POP: r[i->a] = pop(state); break;
    case JIT_DROP: r[JIT_SP] += value * WORD_BYTES; break;
    case JIT_ADD: case JIT_SUBTRACT: case JIT_MULTIPLY: case JIT_AND: case JIT_OR: case JIT_XOR:
    case JIT_SHIFT_LEFT: case JIT_SHIFT_RIGHT: case JIT_SHIFT_RIGHT_UNSIGNED:
        r[i->a] = arithmetic(operation, a, b);
        break;
    case JIT_ADD_CONSTANT: case JIT_AND_CONSTANT: case JIT_OR_CONSTANT: case JIT_XOR_CONSTANT:
    case JIT_SHIFT_LEFT_CONSTANT: case JIT_SHIFT_RIGHT_CONSTANT:
    case JIT_SHIFT_RIGHT_UNSIGNED_CONSTANT: case JIT_ROTATE_RIGHT_CONSTANT:
        r[i->a] = arithmetic(operation, a, value);
        break;
    case JIT_ADDRESS: r[i->a] = b + value; break;
    case JIT_ADD_CHECKED: case JIT_SUBTRACT_CHECKED: case JIT_MULTIPLY_CHECKED:
        checked(state, i, b);
        break;
    case JIT_ADD_CONSTANT_CHECKED: checked(state, i, value); break;
    case JIT_DIVIDE: {
        SWord dividend = (SWord)r[JIT_RESULT], divisor = (SWord)c;
        r[JIT_RESULT] = (Word)(dividend / divisor);
        r[JIT_B] = (Word)(dividend % divisor);
        break;
    }
    case JIT_JUMP: state->exit = EXIT_LABEL; break;
    case JIT_BRANCH: branch_if(state, model_condition(condition, a, b)); break;
    case JIT_BRANCH_CONSTANT: branch_if(state, model_condition(condition, a, value)); break;
    case JIT_BRANCH_LOADED:
        branch_if(state, model_condition(condition, a, model_load(state, b + value, WORD_SHIFT)));
        break;
    case JIT_BRANCH_LITERAL:
        branch_if(state, model_condition(condition, a, state->pool[value]));
        break;
    case JIT_BRANCH_BITS: branch_if(state, model_condition(condition, a & value, 0)); break;
    case JIT_BRANCH_BITS_LOADED:
        branch_if(state, model_condition(condition, model_load(state, b + value, 2) &
                                                        (uint32_t)i->extra, 0));
        break;
    case JIT_BRANCH_LOADED_CONSTANT:
        branch_if(state,
                  model_condition(condition, model_load(state, b + value, WORD_SHIFT), extra));
        break;
    case JIT_COUNT_DOWN: {
        Word left = model_load(state, b + value, WORD_SHIFT) - 1;
        model_store(state, b + value, WORD_SHIFT, left);
        branch_if(state, (SWord)left < 0);
        break;
    }
    case JIT_JUMP_REGISTER: go_to(state, a, false); break;
    case JIT_JUMP_LOADED: go_to(state, model_load(state, b + value, WORD_SHIFT), false); break;
    case JIT_CALL_LOADED: go_to(state, model_load(state, b + value, WORD_SHIFT), true); break;
    case JIT_CALL_LITERAL: go_to(state, state->pool[value], true); break;
    case JIT_FLOAT_FROM_BITS: memcpy(&state->floats[i->a], &b, sizeof b); break;
    case JIT_FLOAT_TO_BITS: memcpy(&r[i->a], &state->floats[i->b], sizeof(Word)); break;
    case JIT_FLOAT_LOAD: state->floats[i->a] = load_double(state, b + value); break;
    case JIT_FLOAT_STORE:
        memcpy(at(state, b + value, 8), &state->floats[i->a], sizeof(double));
        break;
    case JIT_FLOAT_FROM_INTEGER: state->floats[i->a] = (double)(SWord)b; break;
    case JIT_FLOAT_ADD: case JIT_FLOAT_SUBTRACT: case JIT_FLOAT_MULTIPLY: case JIT_FLOAT_DIVIDE:
    case JIT_FLOAT_SQUARE_ROOT:
        state->floats[i->a] = float_arithmetic(operation, state->floats[i->a], state->floats[i->b]);
        break;
    case JIT_FLOAT_BRANCH:
        branch_if(state, float_condition(condition, state->floats[i->a], state->floats[i->b]));
        break;
    default:
        printf("Bail out! the model does not know operation %d\n", operation);
        exit(255);
    }
}
