/* session.c -- one shell of several: the functions that Lua has of it, and the ways in; see shell.h.
 *
 * A session is a userdata, kept by the registry while its front is there. The functions that Lua has of it hold on to
 * it, so that calling them later does nothing instead of harm. */
#include "script/shell_private.h"

#include "script/bind.h"

struct session {
    struct shell *shell;              /* borrowed */
    const struct shell_front *does;   /* NULL: it is over */
    void *front;                      /* borrowed */
    struct session *next, **link;     /* of the shell's sessions */
    int reference;                    /* keeps this userdata; its uservalue is the session in Lua */
};

/* --- what Lua calls: sessions --- */

static struct session *session_of(lua_State *L)
{
    return lua_touserdata(L, lua_upvalueindex(1));
}

/* say(text, is_complaint, tag) */
static int l_say(lua_State *L)
{
    struct session *s = session_of(L);
    size_t bytes;
    const char *text = luaL_checklstring(L, 1, &bytes);
    enum shell_stream stream = lua_toboolean(L, 2) ? SHELL_COMPLAINTS : SHELL_ANSWERS;
    if (s->does) s->does->say(s->front, stream, text, bytes, (uint32_t)luaL_optinteger(L, 3, 0));
    return 0;
}

/* amend(tag, line, other) */
static int l_amend(lua_State *L)
{
    struct session *s = session_of(L);
    uint32_t tag = (uint32_t)luaL_checkinteger(L, 1);
    struct moth_bytes line, other;
    line.data = luaL_checklstring(L, 2, &line.bytes);
    other.data = luaL_checklstring(L, 3, &other.bytes);
    if (s->does) s->does->amend(s->front, tag, line, other);
    return 0;
}

/* prompt(text) */
static int l_prompt(lua_State *L)
{
    struct session *s = session_of(L);
    const char *text = luaL_checkstring(L, 1);
    if (s->does) s->does->prompt(s->front, text);
    return 0;
}

/* hold(on) */
static int l_hold(lua_State *L)
{
    struct session *s = session_of(L);
    if (s->does) s->does->hold(s->front, lua_toboolean(L, 1));
    return 0;
}

/* chat(on) */
static int l_chat(lua_State *L)
{
    struct session *s = session_of(L);
    if (s->does) s->does->chat(s->front, lua_toboolean(L, 1));
    return 0;
}

/* The front is not called any more; Lua frees the rest when nobody holds it. */
static void let_go(lua_State *L, struct session *s)
{
    s->does = NULL;
    *s->link = s->next;
    if (s->next) s->next->link = s->link;
    luaL_unref(L, LUA_REGISTRYINDEX, s->reference);
}

/* finish(status) */
static int l_finish(lua_State *L)
{
    struct session *s = session_of(L);
    const struct shell_front *does = s->does;
    int status = (int)luaL_checkinteger(L, 1);
    if (!does) return 0;
    let_go(L, s);
    does->finish(s->front, status);
    return 0;
}

struct entering {
    struct shell *shell;
    const struct shell_front *functions;
    void *front;
    const struct shell_terms *terms;
    struct session *session; /* what came of it */
};

static void push_terms(lua_State *L, const struct shell_terms *terms)
{
    lua_createtable(L, 0, 10);
    bind_set_boolean(L, "is_terminal", terms->is_terminal);
    bind_set_boolean(L, "is_remote", terms->is_remote);
    bind_set_boolean(L, "is_single", terms->is_single);
    bind_set_boolean(L, "is_json", terms->is_json);
    bind_set_boolean(L, "has_colour", terms->has_colour);
    bind_set_boolean(L, "shows_light", terms->shows_light);
    if (terms->log) bind_set_string(L, "log", terms->log);
    if (terms->width > 0) bind_set_integer(L, "width", terms->width);
    if (terms->folder) bind_set_string(L, "folder", terms->folder);
    shell_push_list(L, terms->connect, terms->connects);
    lua_setfield(L, -2, "connect");
}

/* Pushes a session that is not in the shell's list yet. */
static struct session *push_session(lua_State *L, const struct entering *e)
{
    struct session *s = lua_newuserdatauv(L, sizeof *s, 1);
    *s = (struct session){.shell = e->shell, .does = e->functions, .front = e->front};
    lua_pushvalue(L, -1);
    s->reference = luaL_ref(L, LUA_REGISTRYINDEX);
    s->next = e->shell->sessions;
    s->link = &e->shell->sessions;
    if (s->next) s->next->link = &s->next;
    e->shell->sessions = s;
    return s;
}

static int call_enter(lua_State *L)
{
    static const luaL_Reg functions[] = {{"say", l_say}, {"amend", l_amend}, {"prompt", l_prompt}, {"hold", l_hold},
                                         {"chat", l_chat}, {"finish", l_finish}, {NULL, NULL}};
    struct entering *e = lua_touserdata(L, 1);
    e->session = push_session(L, e);
    int place = lua_gettop(L);
    shell_push_function(L, "enter");
    lua_createtable(L, 0, 6);
    lua_pushvalue(L, place);
    luaL_setfuncs(L, functions, 1);
    push_terms(L, e->terms);
    lua_call(L, 2, 1);
    lua_setiuservalue(L, place, 1);
    if (!e->session->does) e->session = NULL;
    return 0;
}

/* What began and failed, unless it had ended before. */
static int call_give_up(lua_State *L)
{
    const struct entering *e = lua_touserdata(L, 1);
    struct session *one = e->shell->sessions;
    while (one && one != e->session) one = one->next;
    if (one) let_go(L, one);
    return 0;
}

/* The function `name` of the module with the session in Lua as its first argument. */
static void push_method(lua_State *L, const struct session *s, const char *name)
{
    shell_push_function(L, name);
    lua_rawgeti(L, LUA_REGISTRYINDEX, s->reference);
    lua_getiuservalue(L, -1, 1);
    lua_remove(L, -2);
}

struct line {
    struct session *session;
    const char *text; /* borrowed */
    size_t bytes, start;
    int rc;
    bool flag;
    unsigned width;
    void (*each)(void *context, const char *word, size_t bytes);
    void *context;
};

static int call_line(lua_State *L)
{
    const struct line *line = lua_touserdata(L, 1);
    push_method(L, line->session, "line");
    lua_pushlstring(L, line->text, line->bytes);
    lua_call(L, 2, 0);
    return 0;
}

static int call_finish(lua_State *L)
{
    const struct line *line = lua_touserdata(L, 1);
    push_method(L, line->session, "finish");
    if (line->rc < 0) lua_pushstring(L, moth_error_text(line->rc));
    else lua_pushnil(L);
    lua_call(L, 2, 0);
    return 0;
}

static int call_interrupt(lua_State *L)
{
    const struct line *line = lua_touserdata(L, 1);
    push_method(L, line->session, "interrupt");
    lua_pushboolean(L, line->flag);
    lua_call(L, 2, 0);
    return 0;
}

static int call_resize(lua_State *L)
{
    const struct line *line = lua_touserdata(L, 1);
    push_method(L, line->session, "resize");
    lua_pushinteger(L, line->width);
    lua_call(L, 2, 0);
    return 0;
}

static int call_left(lua_State *L)
{
    const struct line *line = lua_touserdata(L, 1);
    push_method(L, line->session, "left");
    let_go(L, line->session);
    lua_call(L, 1, 0);
    return 0;
}

static int call_complete(lua_State *L)
{
    const struct line *line = lua_touserdata(L, 1);
    push_method(L, line->session, "complete");
    lua_pushlstring(L, line->text, line->bytes);
    lua_pushinteger(L, (lua_Integer)line->start);
    lua_call(L, 3, 1);
    lua_Integer count = luaL_len(L, -1);
    for (lua_Integer i = 1; i <= count; i++) {
        size_t bytes;
        lua_geti(L, -1, i);
        const char *word = luaL_tolstring(L, -1, &bytes);
        line->each(line->context, word, bytes);
        lua_pop(L, 2);
    }
    return 0;
}

/* --- shell.h --- */

void shell_hush(struct shell *s)
{
    for (struct session *one = s->sessions; one; one = one->next) one->does = NULL;
}

struct session *shell_enter(struct shell *s, const struct shell_front *functions, void *front,
                            const struct shell_terms *terms)
{
    struct entering e = {.shell = s, .functions = functions, .front = front, .terms = terms};
    if (runtime_call(s->runtime, call_enter, &e) == 0) return e.session;
    runtime_call(s->runtime, call_give_up, &e);
    return NULL;
}

void session_line(struct session *s, const char *text, size_t bytes)
{
    struct line line = {.session = s, .text = text, .bytes = bytes};
    shell_call_or_quit(s->shell, call_line, &line);
}

void session_finish(struct session *s, int rc)
{
    struct line line = {.session = s, .rc = rc};
    shell_call_or_quit(s->shell, call_finish, &line);
}

void session_interrupt(struct session *s, bool had_text)
{
    struct line line = {.session = s, .flag = had_text};
    shell_call_or_quit(s->shell, call_interrupt, &line);
}

void session_resize(struct session *s, unsigned width)
{
    struct line line = {.session = s, .width = width};
    runtime_call(s->shell->runtime, call_resize, &line);
}

void session_leave(struct session *s)
{
    struct line line = {.session = s};
    runtime_call(s->shell->runtime, call_left, &line);
}

void session_complete(struct session *s, const char *text, size_t bytes, size_t start,
                      void (*each)(void *context, const char *word, size_t bytes), void *context)
{
    struct line line = {.session = s, .text = text, .bytes = bytes, .start = start, .each = each, .context = context};
    runtime_call(s->shell->runtime, call_complete, &line);
}
