/* console_typed.h -- what was typed and is not yet taken: single bytes for the editor, and pastes as a whole.
 *
 * A terminal puts marks around what is pasted. It is held until the closing mark has come, however long that takes, so
 * that no part of it is ever taken for something typed. */
#ifndef CLI_CONSOLE_TYPED_H
#define CLI_CONSOLE_TYPED_H

#include "base/buf.h"

#define TYPED_PASTE_MAX (1u << 20) /* bytes; a larger one is dropped */

struct typed {
    struct buf input;
    bool is_in_paste, is_dropping;
    bool is_gone; /* no more will come */
};

enum typed_kind { TYPED_NONE, TYPED_BYTE, TYPED_PASTE, TYPED_LOST_PASTE };

void typed_fini(struct typed *t);

void typed_fill(struct typed *t, int fd); /* reads what is there, as much as is good at a time */

/* What comes next. TYPED_BYTE: at least one, for typed_take; TYPED_PASTE: all of it in `*paste`, borrowed until the
 * next call, and taken; TYPED_LOST_PASTE: one that was too large is over. */
enum typed_kind typed_next(struct typed *t, struct slice *paste);

int typed_take(struct typed *t); /* a byte, -1: there is none */

bool typed_drop(struct typed *t); /* what has come of a paste, and its rest when it comes. False: there is none */

#endif
