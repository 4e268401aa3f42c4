/* pattern.c -- string.find, match, gmatch and gsub on the matcher that counts its work, see pattern.h. */
#include "script/pattern.h"

#include "script/matcher.h"

#include <lauxlib.h>

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#define WINDOW_BYTES 65536

static inline unsigned char byte_at(const char *at)
{
    return (unsigned char)*at;
}

void pattern_set_poll(void (*poll)(lua_State *L))
{
    matcher_set_poll(poll);
}

/* --- what was captured --- */

/* A match is `whole`. False: capture i is a position; it is on the stack now. */
static bool capture_text(struct matcher *m, int i, struct range whole, struct range *text)
{
    if (i >= m->count) {
        if (i > 0) luaL_error(m->L, "invalid capture index %%%d", i + 1);
        *text = whole;
        return true;
    }
    const struct capture *c = &m->captures[i];
    if (c->bytes == CAPTURE_OPEN) luaL_error(m->L, "unfinished capture");
    if (c->bytes == CAPTURE_POSITION) {
        lua_pushinteger(m->L, c->at - m->text + 1);
        return false;
    }
    *text = (struct range){c->at, c->at + c->bytes};
    return true;
}

static void push_capture(struct matcher *m, int i, struct range whole)
{
    struct range text;
    if (capture_text(m, i, whole, &text)) lua_pushlstring(m->L, text.at, (size_t)(text.end - text.at));
}

static int push_captures(struct matcher *m, struct range whole, int at_least)
{
    int count = m->count > at_least ? m->count : at_least;
    luaL_checkstack(m->L, count, "too many captures");
    for (int i = 0; i < count; i++) push_capture(m, i, whole);
    return count;
}

/* --- find and match --- */

/* How many bytes lie before the argument's position; a negative one counts from the end. */
static size_t bytes_before(lua_State *L, int index, size_t bytes)
{
    lua_Integer position = luaL_optinteger(L, index, 1);
    if (position > 0) return (size_t)position - 1;
    if (position == 0 || position < -(lua_Integer)bytes) return 0;
    return bytes + (size_t)position;
}

static bool is_special(char c)
{
    switch (c) {
    case '^': case '$': case '*': case '+': case '?': case '.': case '(': case '[': case '%': case '-': return true;
    default: return false;
    }
}

static bool is_plain(const struct matcher *m)
{
    for (const char *p = m->pattern; p < m->pattern_end; p++) {
        if (is_special(*p)) return false;
    }
    return true;
}

/* Window by window, so that somebody is asked now and then; a window is as large as the pattern at least, for memmem
 * reads that anew each time. */
static const char *find_plain(struct matcher *m, const char *s)
{
    size_t pattern_bytes = (size_t)(m->pattern_end - m->pattern);
    size_t window = pattern_bytes > WINDOW_BYTES ? pattern_bytes : WINDOW_BYTES;
    for (;; s += window) {
        size_t left = (size_t)(m->text_end - s), bytes = left < window + pattern_bytes ? left : window + pattern_bytes;
        matcher_spend(m, bytes);
        const char *found = memmem(s, bytes, m->pattern, pattern_bytes);
        if (found || bytes == left) return found;
    }
}

static int push_range(struct matcher *m, struct range whole)
{
    lua_pushinteger(m->L, whole.at - m->text + 1);
    lua_pushinteger(m->L, whole.end - m->text);
    return 2;
}

static int search_plain(struct matcher *m, const char *s)
{
    s = find_plain(m, s);
    if (!s) return 0;
    return push_range(m, (struct range){s, s + (m->pattern_end - m->pattern)});
}

static int push_match(struct matcher *m, struct range whole, bool find)
{
    if (!find) return push_captures(m, whole, 1);
    push_range(m, whole);
    return 2 + push_captures(m, whole, 0);
}

static int search(struct matcher *m, const char *s, bool find)
{
    bool anchored = *m->pattern == '^';
    m->pattern += anchored;
    for (;; s++) {
        struct range whole = {s, matcher_try(m, s)};
        if (whole.end) return push_match(m, whole, find);
        if (anchored || s == m->text_end) return 0;
    }
}

static int find_or_match(lua_State *L, bool find)
{
    struct matcher m;
    matcher_begin(&m, L, 1, 2);
    size_t bytes = (size_t)(m.text_end - m.text), before = bytes_before(L, 3, bytes);
    int results = 0;
    if (before <= bytes) {
        bool plain = find && (lua_toboolean(L, 4) || is_plain(&m));
        results = plain ? search_plain(&m, m.text + before) : search(&m, m.text + before, find);
    }
    matcher_finish(&m);
    if (results == 0) luaL_pushfail(L);
    return results > 0 ? results : 1;
}

/* string.find(text, pattern [, init [, plain]]) -> first, last, captures... | nil */
static int l_find(lua_State *L)
{
    return find_or_match(L, true);
}

/* string.match(text, pattern [, init]) -> captures... | nil */
static int l_match(lua_State *L)
{
    return find_or_match(L, false);
}

/* --- gmatch --- */

#define NOWHERE SIZE_MAX

struct progress {
    size_t next, last_end; /* where to look next, where the last match ended: offsets in the text, or NOWHERE */
};

static int l_gmatch_next(lua_State *L)
{
    struct matcher m;
    struct progress *progress = lua_touserdata(L, lua_upvalueindex(3));
    int results = 0;
    matcher_begin(&m, L, lua_upvalueindex(1), lua_upvalueindex(2));
    const char *last_end = progress->last_end == NOWHERE ? NULL : m.text + progress->last_end;
    size_t bytes = (size_t)(m.text_end - m.text);
    for (size_t at = progress->next; results == 0 && at <= bytes; at++) {
        struct range whole = {m.text + at, matcher_try(&m, m.text + at)};
        if (!whole.end || whole.end == last_end) continue;
        progress->next = progress->last_end = (size_t)(whole.end - m.text);
        results = push_captures(&m, whole, 1);
    }
    matcher_finish(&m);
    return results;
}

/* string.gmatch(text, pattern [, init]) -> iterator of captures... */
static int l_gmatch(lua_State *L)
{
    size_t bytes;
    luaL_checklstring(L, 1, &bytes);
    luaL_checkstring(L, 2);
    size_t before = bytes_before(L, 3, bytes);
    lua_settop(L, 2);
    struct progress *progress = lua_newuserdatauv(L, sizeof *progress, 0);
    *progress = (struct progress){.next = before, .last_end = NOWHERE};
    lua_pushcclosure(L, l_gmatch_next, 3);
    return 1;
}

/* --- gsub --- */

static void add_text(struct matcher *m, luaL_Buffer *out, struct range text)
{
    size_t bytes = (size_t)(text.end - text.at);
    matcher_spend_bulk(m, bytes);
    luaL_addlstring(out, text.at, bytes);
}

/* What % and `c` stand for in a replacement. */
static void add_escape(struct matcher *m, luaL_Buffer *out, unsigned char c, struct range whole)
{
    struct range text;
    if (c == '%') {
        luaL_addchar(out, '%');
    } else if (c == '0') {
        add_text(m, out, whole);
    } else if (!isdigit(c)) {
        luaL_error(m->L, "invalid use of '%%' in replacement string");
    } else if (capture_text(m, c - '1', whole, &text)) {
        add_text(m, out, text);
    } else {
        luaL_addvalue(out);
    }
}

static void add_template(struct matcher *m, luaL_Buffer *out, struct range whole)
{
    size_t bytes;
    const char *at = lua_tolstring(m->L, 3, &bytes), *limit = at + bytes, *percent;
    while ((percent = memchr(at, '%', (size_t)(limit - at)))) {
        add_text(m, out, (struct range){at, percent});
        add_escape(m, out, byte_at(percent + 1), whole);
        at = percent + 2;
    }
    add_text(m, out, (struct range){at, limit});
}

/* Pushes what the function or table has for this match. */
static void push_answer(struct matcher *m, struct range whole)
{
    matcher_ask(m->L);
    if (lua_isfunction(m->L, 3)) {
        lua_pushvalue(m->L, 3);
        lua_call(m->L, push_captures(m, whole, 1), 1);
    } else {
        push_capture(m, 0, whole);
        lua_gettable(m->L, 3);
    }
}

/* False: the match stays as it is. */
static bool add_replacement(struct matcher *m, luaL_Buffer *out, struct range whole)
{
    lua_State *L = m->L;
    if (lua_isstring(L, 3)) {
        add_template(m, out, whole);
        return true;
    }
    push_answer(m, whole);
    if (!lua_toboolean(L, -1)) {
        lua_pop(L, 1);
        return false;
    }
    if (!lua_isstring(L, -1)) luaL_error(L, "invalid replacement value (a %s)", luaL_typename(L, -1));
    luaL_addvalue(out);
    return true;
}

/* What is kept waits in the text, from `kept` on, until something must be put after it. */
static bool replace_match(struct matcher *m, luaL_Buffer *out, struct range whole, const char **kept)
{
    add_text(m, out, (struct range){*kept, whole.at});
    *kept = whole.at;
    if (!add_replacement(m, out, whole)) return false;
    *kept = whole.end;
    return true;
}

/* Pushes the new text and returns how many matches were seen. */
static lua_Integer replace(struct matcher *m, lua_Integer at_most)
{
    luaL_Buffer out;
    const char *s = m->text, *kept = s, *last_end = NULL;
    bool anchored = *m->pattern == '^', changed = false;
    lua_Integer count = 0;
    m->pattern += anchored;
    luaL_buffinit(m->L, &out);
    while (count < at_most) {
        struct range whole = {s, matcher_try(m, s)};
        if (whole.end && whole.end != last_end) {
            count++;
            changed |= replace_match(m, &out, whole, &kept);
            s = last_end = whole.end;
        } else if (s++ == m->text_end) {
            break;
        }
        if (anchored) break;
    }
    if (!changed) {
        lua_pushvalue(m->L, 1);
    } else {
        add_text(m, &out, (struct range){kept, m->text_end});
        luaL_pushresult(&out);
    }
    return count;
}

/* string.gsub(text, pattern, replacement [, at_most]) -> text, count */
static int l_gsub(lua_State *L)
{
    struct matcher m;
    matcher_begin(&m, L, 1, 2);
    lua_Integer at_most = luaL_optinteger(L, 4, m.text_end - m.text + 1);
    bool usable = lua_isstring(L, 3) || lua_istable(L, 3) || lua_isfunction(L, 3);
    luaL_argexpected(L, usable, 3, "string/function/table");
    lua_settop(L, 3);
    lua_Integer count = replace(&m, at_most);
    matcher_finish(&m);
    lua_pushinteger(L, count);
    return 2;
}

void pattern_open(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"find", l_find}, {"match", l_match}, {"gmatch", l_gmatch}, {"gsub", l_gsub}, {NULL, NULL}};
    luaL_setfuncs(L, functions, 0);
}
