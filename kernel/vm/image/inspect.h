/* Looking at a loaded image: opening it and naming what is in it. */
#ifndef OSVM_IMAGE_INSPECT_H
#define OSVM_IMAGE_INSPECT_H

#include "kernel/vm/image/image.h"
#include "kernel/vm/image/tools.h"
#include "kernel/bytecode/verify.h"

typedef struct {
    Image image;
    Vm *vm;
    Heap *heap;
    Word name_slot;       /* of a class: its name; 0: not found */
    Word this_class_slot; /* of a metaclass: its only instance; 0: not found */
    Oop metaclass;        /* the class of all metaclasses */
    Oop symbol_class;
} Inspector;

enum { DESCRIPTION_MAX = 200 };

/* Loads an image into a still heap. With `report` everything that is wrong is told and the load
 * goes on as far as it can; `usable` says whether the objects can be looked at. */
bool inspect_open(Inspector *in, const CoreSetup *setup, const char *path,
                  void (*report)(Image *image, const char *where, const char *what),
                  OsvmError *error);
void inspect_close(Inspector *in);

Oop inspect_class_of(const Inspector *in, Oop oop);
/* "Array", "Array class", or "a class at 0x..." */
void inspect_class_name(const Inspector *in, Oop class, char name[DESCRIPTION_MAX]);
/* A literal, or "a Foo (0x...)". */
void inspect_describe(const Inspector *in, Oop oop, char text[DESCRIPTION_MAX]);
/* The address an object had in the file: how the tools name it. */
uint64_t inspect_address(const Inspector *in, Oop oop);
/* Bytes of a ByteString or symbol; false for other objects. */
bool inspect_bytes(const Inspector *in, Oop oop, const uint8_t **bytes, Word *count);
/* Calls `visit` for each method of each class, in the order of the class table. */
void inspect_methods(Inspector *in, void (*visit)(Inspector *in, void *context, Oop class,
                                                  Oop selector, Oop method), void *context);
/* Code of the heap as the verifier sees it. */
VerifyView inspect_code_view(const Inspector *in, Oop code);
/* Code that only answers something at once: its bytecodes never run, and there need not be any
 * behind the one that names the primitive. */
bool inspect_is_quick(const VerifyView *view);
/* Next object whatever it is but free; NO_OOP at the end. */
Oop inspect_next(const Inspector *in, Oop object);

#endif
