/* The known word nearest to a misspelt one, for "did you mean" in messages. */
#ifndef OSVM_BASE_NEAREST_H
#define OSVM_BASE_NEAREST_H

#include <stddef.h>

/* Edits (insert, delete, replace, swap of neighbours) from `a` to `b`, ignoring
 * the case of ASCII letters. Words are compared up to 63 bytes. */
unsigned nearest_distance(const char *a, const char *b);

/* Keeps the best candidate among words offered one by one. */
typedef struct Nearest {
    const char *word;      /* the misspelt one; borrowed */
    const char *best;      /* NULL: none is near enough; otherwise as offered */
    unsigned best_distance;
} Nearest;

/* Near enough: at most a third of the word's letters differ, and one edit is
 * always allowed in words of two letters or more. A candidate that begins with
 * the whole word (three letters or more) is near too. */
Nearest nearest_to(const char *word);
void nearest_offer(Nearest *nearest, const char *candidate);

#endif
