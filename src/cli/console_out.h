/* console_out.h -- what a console has to show: bytes on their way to the terminal, and lines that wait to be shown
 * above the one being typed.
 *
 * Rows are counted: each line takes one. So a line that was shown can be found again, as long as it is on the screen
 * and nothing else has moved it. Pure but for output_write. */
#ifndef CLI_CONSOLE_OUT_H
#define CLI_CONSOLE_OUT_H

#include "base/buf.h"

#define OUTPUT_LINES_MAX (1u << 20) /* bytes of lines that wait; more are left out, and counted */
#define OUTPUT_TAGS 128             /* the newest ones are known */

struct output {
    struct buf queue;  /* for the terminal, as it is */
    struct buf waiting; /* records, see console_out.c */
    uint64_t rows;     /* shown above the line so far */
    uint64_t left_out; /* lines, since that was last said */
    struct output_tag {
        uint32_t tag;
        uint64_t row;
    } tags[OUTPUT_TAGS];
    size_t tag_at;
};

void output_fini(struct output *o);

void output_add(struct output *o, const void *bytes, size_t count); /* to the terminal, as it is */

/* Whole lines to be shown; `tag` not 0 names the last one. */
void output_print(struct output *o, struct slice lines, uint32_t tag);

/* The line of that name becomes another one, or `other` is shown. */
void output_amend(struct output *o, uint32_t tag, struct slice line, struct slice other);

bool output_has_waiting(const struct output *o);

/* Moves about `max` bytes of what waits to the queue; the cursor must be at the left edge below all that was shown.
 * `columns`: of the terminal; `reach`: how many rows above the cursor are surely still on the screen. */
void output_take(struct output *o, size_t max, unsigned columns, unsigned reach);

void output_forget(struct output *o); /* nobody knows any more where lines are */

/* Writes what the terminal takes now. 0, or a negative errno when it is gone: the queue is then empty. */
int output_write(struct output *o, int fd);

/* The columns of a text in the locale of the process; colours take none. */
unsigned output_columns(struct slice text);

#endif
