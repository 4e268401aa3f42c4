/* source.c -- see source.h. */
#include "script/source.h"

#include "moth/types.h"
#include "script/guard.h"

#include <lauxlib.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SOURCE_BYTES_MAX ((size_t)1 << 20)
#define PIECE_BYTES 512

/* --- load --- */

struct source {
    int reader;       /* index of the function that gives the next text; 0: there is only one */
    const char *next; /* what is left of the text */
    size_t bytes, total;
};

enum { CHUNK = 1, NAME, ENV, TEXT }; /* of core.load's stack */

/* Asks for the next text, which has to stay on the stack while it is read. */
static void ask_reader(lua_State *L, struct source *s)
{
    lua_pushvalue(L, s->reader);
    lua_call(L, 0, 1);
    if (!lua_isnil(L, -1) && lua_type(L, -1) != LUA_TSTRING) luaL_error(L, "reader function must return a string");
    lua_replace(L, TEXT);
    s->next = lua_tolstring(L, TEXT, &s->bytes);
    if (!s->next) s->bytes = 0;
    s->total += s->bytes;
    if (s->total > SOURCE_BYTES_MAX) luaL_error(L, "a chunk has at most 1 MiB");
}

static const char *read_piece(lua_State *L, void *source, size_t *bytes)
{
    struct source *s = source;
    guard_check(L);
    if (s->bytes == 0 && s->reader != 0) ask_reader(L, s);
    const char *piece = s->next;
    *bytes = s->bytes < PIECE_BYTES ? s->bytes : PIECE_BYTES;
    s->next += *bytes;
    s->bytes -= *bytes;
    return *bytes > 0 ? piece : NULL;
}

/* Names that begin like those of our own Lua belong to a file in a folder moth/. */
static const char *chunk_name(lua_State *L)
{
    const char *name = luaL_checkstring(L, NAME);
    return strncmp(name, "@moth/", strlen("@moth/")) == 0 ? lua_pushfstring(L, "@./%s", name + 1) : name;
}

/* core.load(chunk, name, env) */
static int l_load(lua_State *L)
{
    struct source s = {.reader = 0};
    luaL_checktype(L, ENV, LUA_TTABLE);
    lua_settop(L, TEXT);
    if (lua_type(L, CHUNK) == LUA_TFUNCTION) s.reader = CHUNK;
    else s.next = luaL_checklstring(L, CHUNK, &s.bytes);
    luaL_argcheck(L, s.bytes <= SOURCE_BYTES_MAX, CHUNK, "a chunk has at most 1 MiB");
    if (lua_load(L, read_piece, &s, chunk_name(L), "t") != LUA_OK) {
        lua_pushnil(L);
        lua_insert(L, -2);
        return 2;
    }
    lua_pushvalue(L, ENV);
    lua_setupvalue(L, -2, 1);
    return 1;
}

/* --- read --- */

static int push_failure(lua_State *L, int rc)
{
    lua_pushnil(L);
    lua_pushstring(L, moth_error_text(rc));
    lua_pushstring(L, moth_error_code(rc));
    return 3;
}

/* Reads until the end or one byte too many; 0 or a negative code. */
static int read_all(int fd, char *out, size_t *bytes)
{
    *bytes = 0;
    while (*bytes <= SOURCE_BYTES_MAX) {
        ssize_t n = read(fd, out + *bytes, SOURCE_BYTES_MAX + 1 - *bytes);
        if (n == 0) return 0;
        if (n < 0 && errno != EINTR) return MOTH_EIO;
        if (n > 0) *bytes += (size_t)n;
    }
    return MOTH_ETOO_BIG;
}

/* A pipe or a device could keep us waiting for ever. */
static int open_file(const char *path)
{
    struct stat about;
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) return errno == ENOENT || errno == ENOTDIR ? MOTH_ENOT_FOUND : MOTH_EIO;
    if (fstat(fd, &about) == 0 && S_ISREG(about.st_mode)) return fd;
    close(fd);
    return MOTH_EIO;
}

/* core.read(path) */
static int l_read(lua_State *L)
{
    const char *path = luaL_checkstring(L, 1);
    size_t bytes;
    luaL_Buffer buffer;
    char *out = luaL_buffinitsize(L, &buffer, SOURCE_BYTES_MAX + 1);
    int fd = open_file(path), rc = fd < 0 ? fd : read_all(fd, out, &bytes);
    if (fd >= 0) close(fd);
    if (rc < 0) return push_failure(L, rc);
    luaL_pushresultsize(&buffer, bytes);
    return 1;
}

void source_open(lua_State *L)
{
    static const luaL_Reg functions[] = {{"load", l_load}, {"read", l_read}, {NULL, NULL}};
    luaL_setfuncs(L, functions, 0);
}
