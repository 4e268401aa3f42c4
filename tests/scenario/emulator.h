/* emulator.h -- a terminal of text cells, as small as a line editor needs: what does its screen show by now?
 *
 * It understands what readline sends to an xterm: cursor movements, erasing, inserting and deleting, colours, which it
 * ignores, and the margin where a row that is full waits before it goes on below. ASCII only. A sequence it does not
 * know is counted. */
#ifndef SCENARIO_EMULATOR_H
#define SCENARIO_EMULATOR_H

#include <stdbool.h>
#include <stddef.h>

#define EMULATOR_COLUMNS 320
#define EMULATOR_ROWS 24

struct emulator {
    char cells[EMULATOR_ROWS][EMULATOR_COLUMNS + 1]; /* blanks where nothing is; each ends with a zero */
    int row, column;
    bool is_full; /* the cursor stands behind the last column */
    char sequence[32];
    size_t sequence_bytes; /* of an escape sequence that goes on */
    unsigned unknown;
    void (*on_gone)(void *owner, const char *row); /* left the screen at its top; without blanks at its end */
    void *owner;
};

void emulator_init(struct emulator *e);
void emulator_feed(struct emulator *e, const char *bytes, size_t count);

/* The row with the cursor. */
const char *emulator_current(const struct emulator *e);

#endif
