#include "nearest.h"

#include <ctype.h>
#include <limits.h>
#include <string.h>

enum { LONGEST = 63 };

static unsigned min_of(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

static int lower(char c)
{
    return tolower((unsigned char)c);
}

/* One row of the table is the distance of a's first i bytes to each start of b;
 * swaps look two rows back. */
unsigned nearest_distance(const char *a, const char *b)
{
    size_t a_length = strnlen(a, LONGEST), b_length = strnlen(b, LONGEST);
    unsigned rows[3][LONGEST + 1];
    unsigned *before = rows[0], *above = rows[1], *row = rows[2];
    for (size_t j = 0; j <= b_length; j++)
        above[j] = before[j] = (unsigned)j;
    for (size_t i = 1; i <= a_length; i++) {
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b_length; j++) {
            unsigned cost = lower(a[i - 1]) != lower(b[j - 1]);
            row[j] = min_of(min_of(above[j] + 1, row[j - 1] + 1), above[j - 1] + cost);
            if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
                lower(a[i - 2]) == lower(b[j - 1]))
                row[j] = min_of(row[j], before[j - 2] + 1);
        }
        unsigned *free_row = before;
        before = above;
        above = row;
        row = free_row;
    }
    return above[b_length];
}

Nearest nearest_to(const char *word)
{
    return (Nearest){.word = word, .best = NULL, .best_distance = UINT_MAX};
}

void nearest_offer(Nearest *nearest, const char *candidate)
{
    size_t length = strlen(nearest->word);
    unsigned allowed = length < 2 ? 0 : length < 6 ? 1 + (length > 3) : (unsigned)length / 3;
    unsigned distance = nearest_distance(nearest->word, candidate);
    if (length >= 3 && strncmp(nearest->word, candidate, length) == 0)
        distance = min_of(distance, 1);
    if (distance > allowed || distance >= nearest->best_distance)
        return;
    nearest->best = candidate;
    nearest->best_distance = distance;
}
