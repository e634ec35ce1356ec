/* A memory manager for collectors under test: small, naive, and obvious. It
 * obeys rules G1 to G5 of osvm/gc.h. New space is one eden that is never
 * scavenged; the weak and ephemeron fixpoint repeats itself until nothing changes.
 */
#ifndef OSVM_T_MOCK_MM_H
#define OSVM_T_MOCK_MM_H

#include "mock_host.h"

typedef struct {
    Oop *items;
    size_t count, capacity;
} OopList;

typedef struct {
    Mm mm; /* first */
    uint8_t *class_marks;
    OopList weak, ephemerons; /* what tracing met, during a collection */
    OopList mourners;         /* fired ephemerons, in firing order */
    unsigned nilled;          /* weak slots nilled in the last collection */
    unsigned reported_twice;  /* breaches of G3 in the last collection */
} MockMm;

void mock_mm_open(MockMm *mm, Heap *heap);
void mock_mm_close(MockMm *mm);
void oop_list_push(OopList *list, Oop oop);

#endif
