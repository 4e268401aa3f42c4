/* matcher.c -- a matcher for Lua's patterns whose work is counted, see matcher.h.
 *
 * No hook can stop C, and a pattern of sixty characters can keep Lua's own matcher busy for longer than anybody
 * lives. Here whatever may be repeated is paid for in steps, and who has none left gets an error.
 *
 * A match is a walk of a `struct place`: one position in the text, one in the pattern. Each turn looks at one part of
 * the pattern and either moves on or knows the end. Only where there is a choice (a capture, a repetition) the rest is
 * tried by a call of `match`; these calls nest at most DEPTH_MAX deep, as in Lua, so that both refuse the same.
 *
 * Lua keeps a zero after each text. The code below may read it, and takes it for no special character. */
#include "script/matcher.h"

#include <lauxlib.h>

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#define DEPTH_MAX 200
#define CALL_STEPS 10000000 /* what each call may cost, and above that */
#define BYTE_STEPS 8        /* for each byte of its text: plain work on a long text is no attack */
#define POLL_STEPS 100000

struct place {
    const char *s, *p; /* in the text, in the pattern; at the end of a walk `s` is the match's end or NULL */
};

static const char *match(struct matcher *m, const char *s, const char *p);

/* --- steps --- */

static void (*poll)(lua_State *L);

/* Calls borrow this: who ends in an error leaves zero, and the next one polls at once. */
static int64_t steps_to_poll = POLL_STEPS;

void matcher_set_poll(void (*new_poll)(lua_State *L))
{
    poll = new_poll;
}

void matcher_ask(lua_State *L)
{
    if (poll) poll(L);
}

void matcher_earn(struct matcher *m)
{
    while (m->steps < 0) {
        if (m->later <= 0) luaL_error(m->L, "pattern takes too long on this text; make it simpler or the text shorter");
        m->steps += POLL_STEPS;
        m->later -= POLL_STEPS;
    }
    matcher_ask(m->L);
}

void matcher_begin(struct matcher *m, lua_State *L, int text_index, int pattern_index)
{
    size_t text_bytes, pattern_bytes;
    m->L = L;
    m->text = luaL_checklstring(L, text_index, &text_bytes);
    m->text_end = m->text + text_bytes;
    m->pattern = luaL_checklstring(L, pattern_index, &pattern_bytes);
    m->pattern_end = m->pattern + pattern_bytes;
    m->steps = steps_to_poll;
    m->later = CALL_STEPS + BYTE_STEPS * (int64_t)text_bytes - m->steps;
    steps_to_poll = 0;
}

void matcher_finish(const struct matcher *m)
{
    steps_to_poll = m->steps;
}

/* --- single characters --- */

static inline unsigned char byte_at(const char *at)
{
    return (unsigned char)*at;
}

static bool class_has(unsigned char letter, unsigned char c)
{
    bool has;
    switch (letter | 0x20) {
    case 'a': has = isalpha(c); break;
    case 'c': has = iscntrl(c); break;
    case 'd': has = isdigit(c); break;
    case 'g': has = isgraph(c); break;
    case 'l': has = islower(c); break;
    case 'p': has = ispunct(c); break;
    case 's': has = isspace(c); break;
    case 'u': has = isupper(c); break;
    case 'w': has = isalnum(c); break;
    case 'x': has = isxdigit(c); break;
    case 'z': has = c == 0; break; /* from before patterns could hold zeros; Lua still knows it */
    default: return letter == c;
    }
    return letter & 0x20 ? has : !has;
}

static const char *set_end(struct matcher *m, const char *p)
{
    const char *from = p;
    if (*p == '^') p++;
    do { /* the first character never ends a set: "[]]" */
        if (p == m->pattern_end) luaL_error(m->L, "malformed pattern (missing ']')");
        if (*p++ == '%' && p < m->pattern_end) p++;
    } while (*p != ']');
    matcher_spend(m, (size_t)(p - from));
    return p + 1;
}

static struct range item_at(struct matcher *m, const char *p)
{
    if (*p == '[') return (struct range){p, set_end(m, p + 1)};
    if (*p != '%') return (struct range){p, p + 1};
    if (p + 1 == m->pattern_end) luaL_error(m->L, "malformed pattern (ends with '%%')");
    return (struct range){p, p + 2};
}

static bool set_has(struct matcher *m, struct range set, unsigned char c)
{
    const char *p = set.at + 1, *end = set.end - 1;
    bool inside = *p != '^';
    for (p += !inside; p < end; p++) {
        matcher_spend(m, 1);
        if (*p == '%') {
            if (class_has(byte_at(++p), c)) return inside;
        } else if (p[1] == '-' && p + 2 < end) {
            if (byte_at(p) <= c && c <= byte_at(p + 2)) return inside;
            p += 2;
        } else if (byte_at(p) == c) {
            return inside;
        }
    }
    return !inside;
}

static inline bool item_has(struct matcher *m, struct range item, const char *s)
{
    if (s == m->text_end) return false;
    switch (*item.at) {
    case '.': return true;
    case '%': return class_has(byte_at(item.at + 1), byte_at(s));
    case '[': return set_has(m, item, byte_at(s));
    default: return *item.at == *s;
    }
}

/* --- the parts of a pattern: true, the walk goes on from `at`; false, it ended there --- */

static inline bool go(struct place *at, const char *s, const char *p)
{
    *at = (struct place){s, p};
    return true;
}

static inline bool stop(struct place *at, const char *s)
{
    at->s = s;
    return false;
}

static const char *longest(struct matcher *m, const char *s, struct range item)
{
    const char *most = s, *found;
    for (; item_has(m, item, most); most++) matcher_spend(m, 1);
    while (!(found = match(m, most, item.end + 1)) && most > s) most--;
    return found;
}

static const char *shortest(struct matcher *m, const char *s, struct range item)
{
    for (;; s++) {
        const char *found = match(m, s, item.end + 1);
        if (found || !item_has(m, item, s)) return found;
    }
}

static bool walk_without_item(struct place *at, struct range item)
{
    char suffix = *item.end;
    if (suffix == '*' || suffix == '?' || suffix == '-') return go(at, at->s, item.end + 1);
    return stop(at, NULL);
}

static bool walk_item(struct matcher *m, struct place *at)
{
    const char *found;
    struct range item = item_at(m, at->p);
    if (!item_has(m, item, at->s)) return walk_without_item(at, item);
    switch (*item.end) {
    case '+': return stop(at, longest(m, at->s + 1, item));
    case '*': return stop(at, longest(m, at->s, item));
    case '-': return stop(at, shortest(m, at->s, item));
    case '?':
        found = match(m, at->s + 1, item.end + 1);
        return found ? stop(at, found) : go(at, at->s, item.end + 1);
    default: return go(at, at->s + 1, item.end);
    }
}

/* `from` stands on the opening character of %bxy, `pair` on x. */
static const char *balanced(struct matcher *m, const char *from, const char *pair)
{
    size_t open = 1;
    if (from == m->text_end || *from != *pair) return NULL;
    for (const char *s = from + 1; s < m->text_end; s++) {
        matcher_spend(m, 1);
        if (*s == pair[1]) {
            if (--open == 0) return s + 1;
        } else if (*s == *pair) {
            open++;
        }
    }
    return NULL;
}

static bool walk_balanced(struct matcher *m, struct place *at)
{
    if (m->pattern_end - at->p < 4) luaL_error(m->L, "malformed pattern (missing arguments to '%%b')");
    const char *s = balanced(m, at->s, at->p + 2);
    return s ? go(at, s, at->p + 4) : stop(at, NULL);
}

static bool walk_frontier(struct matcher *m, struct place *at)
{
    if (at->p[2] != '[') luaL_error(m->L, "missing '[' after '%%f' in pattern");
    struct range set = item_at(m, at->p + 2);
    unsigned char before = at->s == m->text ? 0 : byte_at(at->s - 1);
    if (set_has(m, set, before) || !set_has(m, set, byte_at(at->s))) return stop(at, NULL);
    return go(at, at->s, set.end);
}

/* What the capture of this digit holds, again. A position is longer than any text, hence never found. */
static bool walk_again(struct matcher *m, struct place *at)
{
    int i = at->p[1] - '1';
    if (i < 0 || i >= m->count || m->captures[i].bytes == CAPTURE_OPEN)
        luaL_error(m->L, "invalid capture index %%%d", i + 1);
    size_t bytes = (size_t)m->captures[i].bytes;
    if (bytes > (size_t)(m->text_end - at->s)) return stop(at, NULL);
    matcher_spend_bulk(m, bytes);
    if (memcmp(m->captures[i].at, at->s, bytes) != 0) return stop(at, NULL);
    return go(at, at->s + bytes, at->p + 2);
}

static bool walk_escape(struct matcher *m, struct place *at)
{
    unsigned char next = byte_at(at->p + 1);
    if (next == 'b') return walk_balanced(m, at);
    if (next == 'f') return walk_frontier(m, at);
    if (isdigit(next)) return walk_again(m, at);
    return walk_item(m, at);
}

static bool walk_open(struct matcher *m, struct place *at)
{
    bool position = at->p[1] == ')';
    if (m->count == MATCHER_CAPTURES_MAX) luaL_error(m->L, "too many captures");
    m->captures[m->count++] = (struct capture){at->s, position ? CAPTURE_POSITION : CAPTURE_OPEN};
    const char *found = match(m, at->s, at->p + (position ? 2 : 1));
    if (!found) m->count--;
    return stop(at, found);
}

static bool walk_close(struct matcher *m, struct place *at)
{
    int i = m->count - 1;
    while (i >= 0 && m->captures[i].bytes != CAPTURE_OPEN) i--;
    if (i < 0) luaL_error(m->L, "invalid pattern capture");
    m->captures[i].bytes = at->s - m->captures[i].at;
    const char *found = match(m, at->s, at->p + 1);
    if (!found) m->captures[i].bytes = CAPTURE_OPEN;
    return stop(at, found);
}

static bool walk_dollar(struct matcher *m, struct place *at)
{
    if (at->p + 1 != m->pattern_end) return walk_item(m, at);
    return stop(at, at->s == m->text_end ? at->s : NULL);
}

static bool walk(struct matcher *m, struct place *at)
{
    matcher_spend(m, 1);
    switch (*at->p) {
    case '(': return walk_open(m, at);
    case ')': return walk_close(m, at);
    case '$': return walk_dollar(m, at);
    case '%': return walk_escape(m, at);
    default: return walk_item(m, at);
    }
}

/* Where a match of the pattern from `p` that begins at `s` ends, or NULL. */
static const char *match(struct matcher *m, const char *s, const char *p)
{
    struct place at = {s, p};
    if (m->depth == DEPTH_MAX) luaL_error(m->L, "pattern too complex");
    m->depth++;
    while (at.p != m->pattern_end && walk(m, &at)) continue;
    m->depth--;
    return at.s;
}

const char *matcher_try(struct matcher *m, const char *s)
{
    m->depth = 0;
    m->count = 0;
    return match(m, s, m->pattern);
}
