/* near.c -- see near.h: the distance of two words, row by row. */
#include "near.h"

#include <stdbool.h>
#include <string.h>

#define WORD_MAX 40 /* longer ones are nobody's typing error */

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

static unsigned distance(const char *a, size_t a_bytes, const char *b, size_t b_bytes)
{
    unsigned rows[3][WORD_MAX + 1]; /* of the letters of `a` up to this one, the one before, and the one before that */
    for (unsigned j = 0; j <= b_bytes; j++) rows[0][j] = j;
    for (unsigned i = 1; i <= a_bytes; i++) {
        unsigned *row = rows[i % 3], *last = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];
        row[0] = i;
        for (unsigned j = 1; j <= b_bytes; j++) {
            row[j] = least(least(last[j], row[j - 1]) + 1, last[j - 1] + (a[i - 1] != b[j - 1]));
            bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (swapped) row[j] = least(row[j], before[j - 2] + 1);
        }
    }
    return rows[a_bytes % 3][b_bytes];
}

void near_offer(struct near *n, const char *candidate)
{
    size_t bytes = strlen(candidate);
    if (n->bytes > WORD_MAX || bytes > WORD_MAX) return;
    unsigned found = distance(n->word, n->bytes, candidate, bytes);
    if (found >= n->distance) return;
    n->distance = found;
    n->nearest = candidate;
}
