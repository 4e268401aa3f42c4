/* config.c -- reads config.lua in two steps within one Lua state.
 *
 * First the file runs, in a state that has no libraries: all it can do is compute and set names, and each of these
 * goes through `set_name`, which remembers the line. Then our own lua/moth/config.lua, with libraries, says whether the
 * names and the kinds of their values are right. The file's functions are never called after it ended, and without
 * setmetatable its tables are plain: nothing of it runs while it is judged. */
#include "script/config.h"

#include "base/log.h"
#include "base/mem.h"
#include "script/lua_sources.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <lualib.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_BYTES_MAX ((size_t)64 << 10)
#define MEMORY_BYTES_MAX ((size_t)4 << 20)
#define STEPS_MAX 1000000

struct config_job {
    const char *text; /* of the file; NULL: the default is wanted */
    size_t bytes;
    size_t memory; /* taken by the state */
};

__attribute__((format(printf, 2, 3))) static int refuse(char why[CONFIG_WHY_BYTES], const char *format, ...)
{
    char raw[4 * CONFIG_WHY_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(raw, sizeof raw, format, args);
    va_end(args);
    text_safe(slice_text(raw), why, CONFIG_WHY_BYTES);
    return MOTH_EARGUMENT;
}

/* --- the state --- */

static void *bounded_realloc(void *context, void *old, size_t old_bytes, size_t bytes)
{
    struct config_job *job = context;
    size_t before = old ? old_bytes : 0;
    if (bytes > before && job->memory + (bytes - before) > MEMORY_BYTES_MAX) return NULL;
    job->memory = job->memory - before + bytes;
    if (bytes > 0) return mem_resize(old, bytes, 1);
    free(old);
    return NULL;
}

/* require(name): of our own files. */
static int l_require(lua_State *L)
{
    const char *file = lua_pushfstring(L, "%s.lua", luaL_gsub(L, luaL_checkstring(L, 1), ".", "/"));
    for (size_t i = 0; i < lua_source_count; i++) {
        if (strcmp(lua_sources[i].name, file) != 0) continue;
        if (luaL_loadbufferx(L, lua_sources[i].text, lua_sources[i].bytes, file, "t") != LUA_OK) return lua_error(L);
        lua_call(L, 0, 1);
        return 1;
    }
    return luaL_error(L, "there is no %s", file);
}

/* Pushes lua/moth/config.lua's function of that name. */
static void push_own(lua_State *L, const char *function)
{
    luaL_requiref(L, LUA_GNAME, luaopen_base, 1);
    luaL_requiref(L, LUA_TABLIBNAME, luaopen_table, 1);
    luaL_requiref(L, LUA_STRLIBNAME, luaopen_string, 1);
    luaL_requiref(L, LUA_MATHLIBNAME, luaopen_math, 1);
    lua_register(L, "require", l_require);
    lua_pop(L, 4);
    lua_pushcfunction(L, l_require);
    lua_pushliteral(L, "moth.config");
    lua_call(L, 1, 1);
    lua_getfield(L, -1, function);
    lua_remove(L, -2);
}

/* --- running the file --- */

enum { VALUES = 1, LINES, ORDER, TABLES = ORDER }; /* upvalues of both functions below, and their place on the stack */

/* A name is set: __newindex of the file's environment, which itself stays empty. */
static int set_name(lua_State *L)
{
    lua_Debug at = {.currentline = 0};
    if (lua_type(L, 2) != LUA_TSTRING) return luaL_error(L, "settings have names");
    if (lua_getstack(L, 1, &at)) lua_getinfo(L, "l", &at);
    lua_settop(L, 3);
    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(LINES)) == LUA_TNIL) {
        lua_pushvalue(L, 2);
        lua_rawseti(L, lua_upvalueindex(ORDER), (lua_Integer)lua_rawlen(L, lua_upvalueindex(ORDER)) + 1);
    }
    lua_pushvalue(L, 2);
    lua_pushinteger(L, at.currentline);
    lua_rawset(L, lua_upvalueindex(LINES));
    lua_settop(L, 3);
    lua_rawset(L, lua_upvalueindex(VALUES));
    return 0;
}

/* A name is read: one that the file has set. */
static int get_name(lua_State *L)
{
    lua_settop(L, 2);
    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(VALUES)) != LUA_TNIL) return 1;
    return luaL_error(L, "nothing is called %s here", luaL_tolstring(L, 2, NULL));
}

static void stop(lua_State *L, lua_Debug *at)
{
    lua_getinfo(L, "Sl", at);
    lua_pushfstring(L, "%s:%d: this goes on for too long", at->short_src, at->currentline);
    lua_error(L);
}

/* Pushes the environment: an empty table in front of VALUES. */
static void push_environment(lua_State *L)
{
    static const luaL_Reg functions[] = {{"__newindex", set_name}, {"__index", get_name}, {NULL, NULL}};
    lua_newtable(L);
    lua_newtable(L);
    for (int i = VALUES; i <= TABLES; i++) lua_pushvalue(L, i);
    luaL_setfuncs(L, functions, TABLES);
    lua_setmetatable(L, -2);
}

/* Leaves what the file has set in the three tables at the bottom of the stack. */
static void run_file(lua_State *L, const struct config_job *job)
{
    for (int i = VALUES; i <= TABLES; i++) lua_newtable(L);
    if (luaL_loadbufferx(L, job->text, job->bytes, "@" CONFIG_FILE, "t") != LUA_OK) lua_error(L);
    push_environment(L);
    lua_setupvalue(L, -2, 1);
    lua_sethook(L, stop, LUA_MASKCOUNT, STEPS_MAX);
    lua_call(L, 0, LUA_MULTRET);
    lua_sethook(L, NULL, 0, 0);
    if (lua_gettop(L) > TABLES)
        luaL_error(L, CONFIG_FILE ": it gives something back; settings are set, like name = \"ana\"");
}

/* What config.check has against the file, with the line of the name it is about. */
static int fail_with_line(lua_State *L, int why, int name)
{
    lua_pushvalue(L, name);
    lua_rawget(L, LINES);
    return luaL_error(L, CONFIG_FILE ":%d: %s", (int)lua_tointeger(L, -1), lua_tostring(L, why));
}

/* Leaves the table of lines and what was found. */
static int read_settings(lua_State *L)
{
    run_file(L, lua_touserdata(L, lua_upvalueindex(1)));
    push_own(L, "check");
    lua_pushvalue(L, VALUES);
    lua_pushvalue(L, ORDER);
    lua_call(L, 2, 3);
    if (lua_isnil(L, -3)) return fail_with_line(L, lua_gettop(L) - 1, lua_gettop(L));
    lua_pushvalue(L, LINES);
    lua_pushvalue(L, -4);
    return 2;
}

static int write_default(lua_State *L)
{
    push_own(L, "text");
    lua_newtable(L);
    lua_call(L, 1, 1);
    return 1;
}

/* --- what was found --- */

static int give_texts(lua_State *L, struct config_value *v, config_each each, void *owner)
{
    size_t count = lua_rawlen(L, -1);
    int rc = 0;
    for (size_t i = 1; i <= count && rc == 0; i++) {
        lua_rawgeti(L, -1, (lua_Integer)i);
        v->text = lua_tostring(L, -1);
        v->index = i;
        rc = each(owner, v);
        lua_pop(L, 1);
    }
    return rc;
}

/* Of the stack: the lines by key, and a list of pairs of a key and its texts. Unprotected calls are safe here: what is
 * read is there, and is text. */
static int give_all(lua_State *L, config_each each, void *owner)
{
    int rc = 0, lines = 1, found = 2;
    size_t count = lua_rawlen(L, found);
    for (size_t i = 1; i <= count && rc == 0; i++) {
        struct config_value v = {.key = NULL};
        lua_rawgeti(L, found, (lua_Integer)i);
        lua_rawgeti(L, -1, 1);
        v.key = lua_tostring(L, -1);
        lua_rawget(L, lines);
        v.line = (int)lua_tointeger(L, -1);
        lua_rawgeti(L, found + 1, 2);
        rc = give_texts(L, &v, each, owner);
        lua_settop(L, found);
    }
    return rc;
}

/* --- the file --- */

static int check_file(int fd, const char *path, char why[CONFIG_WHY_BYTES])
{
    struct stat s;
    if (fstat(fd, &s) < 0 || !S_ISREG(s.st_mode)) return refuse(why, "%s is no regular file", path);
    if (s.st_uid != geteuid() && s.st_uid != 0) return refuse(why, "%s belongs to another user", path);
    if (s.st_mode & (S_IWGRP | S_IWOTH)) return refuse(why, "others can write %s; chmod go-w helps", path);
    return 0;
}

static int read_all(int fd, const char *path, char *out, size_t *bytes, char why[CONFIG_WHY_BYTES])
{
    for (*bytes = 0; *bytes <= FILE_BYTES_MAX;) {
        ssize_t n = read(fd, out + *bytes, FILE_BYTES_MAX + 1 - *bytes);
        if (n == 0) return 0;
        if (n < 0 && errno != EINTR) return refuse(why, "%s cannot be read: %s", path, strerror(errno));
        if (n > 0) *bytes += (size_t)n;
    }
    return refuse(why, "%s has more than 64 KiB", path);
}

/* The whole file; `*out` is to be freed. */
static int read_file(const char *path, char **out, size_t *bytes, char why[CONFIG_WHY_BYTES])
{
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC); /* a pipe would keep us waiting */
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) return MOTH_ENOT_FOUND;
    if (fd < 0) return refuse(why, "%s cannot be read: %s", path, strerror(errno));
    *out = mem_new(FILE_BYTES_MAX + 1);
    int rc = check_file(fd, path, why);
    if (rc == 0) rc = read_all(fd, path, *out, bytes, why);
    close(fd);
    return rc;
}

static int run_job(struct config_job *job, lua_CFunction function, lua_State **out)
{
    lua_State *L = lua_newstate(bounded_realloc, job);
    assert(L);
    lua_pushlightuserdata(L, job);
    lua_pushcclosure(L, function, 1);
    *out = L;
    return lua_pcall(L, 0, LUA_MULTRET, 0);
}

int config_read(const char *path, config_each each, void *owner, char why[CONFIG_WHY_BYTES])
{
    char *text = NULL;
    struct config_job job = {.memory = 0};
    lua_State *L = NULL;
    why[0] = '\0';
    int rc = read_file(path, &text, &job.bytes, why);
    if (rc < 0) goto out;
    job.text = text;
    int status = run_job(&job, read_settings, &L);
    if (status == LUA_OK) rc = give_all(L, each, owner);
    else if (status == LUA_ERRMEM) rc = refuse(why, "%s takes more than 4 MiB of memory", path);
    else rc = refuse(why, "%s", lua_tostring(L, -1));
out:
    if (L) lua_close(L);
    free(text);
    return rc;
}

char *config_default(void)
{
    struct config_job job = {.memory = 0};
    lua_State *L = NULL;
    int status = run_job(&job, write_default, &L);
    assert(status == LUA_OK);
    (void)status;
    char *text = mem_text(lua_tostring(L, -1));
    lua_close(L);
    return text;
}
