/* near.h -- the word that was probably meant. (The shell's own is lua/moth/suggest.lua; here there is no Lua yet.) */
#ifndef NEAR_H
#define NEAR_H

#include <stddef.h>

/* The nearest of the candidates that were offered, at most two single changes away (one for words of three letters and
 * less): a letter put in, left out, replaced, or two neighbours swapped. */
struct near {
    const char *word; /* borrowed */
    size_t bytes;
    unsigned distance;
    const char *nearest; /* NULL: none; the first of equals; borrowed */
};

static inline struct near near_to(const char *word, size_t bytes)
{
    return (struct near){.word = word, .bytes = bytes, .distance = bytes <= 3 ? 2 : 3, .nearest = NULL};
}

void near_offer(struct near *n, const char *candidate);

#endif
