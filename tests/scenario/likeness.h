/* likeness.h -- whether a program printed what a text says it prints, apart from what differs from run to run.
 *
 * Times, durations and sizes may be any. Ids, invitations and addresses of this machine stand for those of this run:
 * the first time one is met, the text's and the program's belong together, and from then on must do so again. `...` is
 * anything; blanks are as many as there are. */
#ifndef SCENARIO_LIKENESS_H
#define SCENARIO_LIKENESS_H

#include <stdbool.h>
#include <stddef.h>

#define LIKENESS_PAIRS_MAX 64
#define LIKENESS_WORD_BYTES 1024

struct likeness {
    struct {
        char text[LIKENESS_WORD_BYTES], program[LIKENESS_WORD_BYTES];
    } pairs[LIKENESS_PAIRS_MAX];
    size_t count;
};

/* `expected` stands in the text, `printed` is what the program printed. */
bool likeness_matches(struct likeness *l, const char *expected, const char *printed);

/* From now on `text` means `program`. */
void likeness_pair(struct likeness *l, const char *text, const char *program);

/* A line of the text with the words of this run, cut when it is too long. */
void likeness_translate(const struct likeness *l, const char *line, char *out, size_t capacity);

#endif
