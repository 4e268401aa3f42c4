/* matcher.h -- one pattern on one text: where does a match from here end, and what did it capture?
 *
 * The rules are those of Lua 5.4, the errors too. All work is counted in steps: whatever may be repeated is paid for,
 * and a call that has none left ends in a Lua error. */
#ifndef SCRIPT_MATCHER_H
#define SCRIPT_MATCHER_H

#include <lua.h>

#include <stddef.h>
#include <stdint.h>

#define MATCHER_CAPTURES_MAX 32
#define MATCHER_BULK_BYTES 16 /* that memcpy and its kin do in a step */

enum { CAPTURE_OPEN = -1, CAPTURE_POSITION = -2 }; /* instead of a capture's length */

/* A piece of the text, or an item of the pattern: what one character is compared with ("a", ".", "%d", "[a-z]"). */
struct range {
    const char *at, *end;
};

struct capture {
    const char *at;
    ptrdiff_t bytes;
};

struct matcher {
    lua_State *L;
    const char *text, *text_end, *pattern, *pattern_end; /* borrowed from Lua */
    int64_t steps, later;                                /* left until the next poll, and after it */
    int depth, count;                                    /* of nested matches; of captures */
    struct capture captures[MATCHER_CAPTURES_MAX];
};

/* Takes the texts from the stack (a Lua error when they are none); they must stay there. */
void matcher_begin(struct matcher *m, lua_State *L, int text_index, int pattern_index);

/* After the last match. Not needed when an error ends the call. */
void matcher_finish(const struct matcher *m);

/* Where a match that begins at `s` ends, or NULL. The captures are those of this match. */
const char *matcher_try(struct matcher *m, const char *s);

/* As pattern_set_poll in pattern.h. */
void matcher_set_poll(void (*poll)(lua_State *L));

/* Polls now. */
void matcher_ask(lua_State *L);

/* What matcher_spend does when the steps until the next poll are used up. */
void matcher_earn(struct matcher *m);

static inline void matcher_spend(struct matcher *m, size_t steps)
{
    m->steps -= (int64_t)steps;
    if (m->steps < 0) matcher_earn(m);
}

static inline void matcher_spend_bulk(struct matcher *m, size_t bytes)
{
    matcher_spend(m, 1 + bytes / MATCHER_BULK_BYTES);
}

#endif
