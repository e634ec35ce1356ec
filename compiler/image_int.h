/* Private to image*.c. */
#ifndef OSVM_COMPILER_IMAGE_INT_H
#define OSVM_COMPILER_IMAGE_INT_H

#include "graph.h"
#include "image.h"
#include "list.h"
#include "roles.h"

enum {
    HIDDEN_ROOT_SLOTS = 4104,
    HIDDEN_FIRST_STACK = 4096,
    HIDDEN_LAST_STACK = 4098,
    STACK_PAGE_WORDS = 4092,
    PAGE_ENTRIES = 1024,
    PUN_ARRAY = 16,
    PUN_WORDS = 18,
    PUN_LONGS = 19,
    SPECIAL_OBJECTS = 60,
    PRIORITIES = 80,
    USER_PRIORITY = 40,
    CONTEXT_FIXED_SLOTS = 6,
    SMALL_CONTEXT = 16,
    LARGE_CONTEXT = 56,
    HASH_MASK = 0x3FFFFF,
};

typedef struct {
    ClassModel *model;
    Object *sides[2];     /* the class and its metaclass */
    uint32_t index[2];    /* in the class table */
    Object *binding;      /* the association of its name */
    Object *meta_binding; /* the association nil -> metaclass of class-side methods */
    NameTable variables;  /* class variable -> its association */
    Object *pool;         /* the dictionary of class variables */
} ImageClass;

typedef struct {
    Program *program;
    const ImageOptions *options;
    Arena *arena;
    Graph graph;
    ClassModel *roles[ROLE_COUNT];
    bool missing[ROLE_COUNT]; /* it was said that a literal needs it */
    ImageClass *classes; /* parallel to the program's */
    NameTable by_model;  /* class name -> ImageClass */
    NameTable symbols;   /* name -> Object */
    struct {
        Object **items;
        size_t count, capacity;
    } symbol_list;
    NameTable globals; /* name -> association */
    struct {
        Object **items;
        size_t count, capacity;
    } global_list;
    Object *false_object, *true_object, *hidden_roots, *page0;
    Object *scheduler_binding;
    Object *special_objects;
} Builder;

/* --- image.c --- */

ImageClass *image_class(const Builder *b, const ClassModel *model);
ImageClass *image_role_class(const Builder *b, Role role);
uint32_t image_role_index(const Builder *b, Role role);
size_t image_instance_size(const ClassModel *model, int side);
Object *image_role_object(Builder *b, Role role, size_t indexed);
Object *image_make_array(Builder *b, size_t count);
void image_role_set(Builder *b, Role role, Object *object, const char *names, Ref value);

/* --- image_literal.c --- */

Object *image_make_symbol(Builder *b, const char *name);
Object *image_make_string(Builder *b, const char *text);
Object *image_global_binding(Builder *b, const char *name);
Object *image_class_variable_binding(Builder *b, ImageClass *owner, const char *name);
Object *image_make_dictionary(Builder *b, Role role, Object **associations, size_t count);
Object *image_make_code(Builder *b, ImageClass *owner, bool class_side, const CompiledCode *code,
                        Object *outer);

/* --- image_special.c --- */

void image_special_set(Builder *b, int index, Object *object);
void image_make_special_objects(Builder *b);

#endif
