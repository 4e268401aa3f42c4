/* processes.c -- see processes.h: check, call, translate, return.
 *
 * A program that runs is held by the registry, so that its end finds its object, and is told also when nobody else has
 * it. A folder goes with its object. */
#include "script/processes.h"

#include "moth/loop.h"
#include "net/spawn.h"
#include "script/bind.h"
#include "script/bind_parts.h"
#include "script/scratch.h"

#include <signal.h>
#include <string.h>
#include <sys/random.h>

#define PROCESSES "moth.processes" /* where the registry keeps struct processes */
#define PROGRAM "moth.program"
#define FOLDER "moth.folder"
#define ARGUMENTS_MAX 256
#define TOKEN_BYTES 16
#define END_BYTES_MAX 65536 /* of a file's end */

struct processes {
    struct runtime *runtime;    /* borrowed */
    struct spawns *spawns; /* owned; NULL: Lua ends */
};

struct program { /* its uservalue is the function that is told of its end */
    struct processes *all; /* borrowed */
    struct spawn *spawn;   /* owned by `all` */
};

static struct processes *processes_of(lua_State *L)
{
    lua_getfield(L, LUA_REGISTRYINDEX, PROCESSES);
    struct processes *all = lua_touserdata(L, -1);
    lua_pop(L, 1);
    return all;
}

/* --- starting --- */

/* The texts of the list at `index`, NULL last; the list must stay on the stack as long as they are used. */
static const char **push_texts(lua_State *L, int index)
{
    lua_Integer count = luaL_len(L, index);
    if (count > ARGUMENTS_MAX) luaL_error(L, "more than %d texts", ARGUMENTS_MAX);
    const char **texts = lua_newuserdatauv(L, ((size_t)count + 1) * sizeof *texts, 0);
    for (lua_Integer i = 0; i < count; i++) {
        if (lua_rawgeti(L, index, i + 1) != LUA_TSTRING) luaL_error(L, "a list of texts is needed");
        texts[i] = bind_check_word(L, -1);
        if (!texts[i]) luaL_error(L, "a text has a zero byte in it");
        lua_pop(L, 1);
    }
    texts[count] = NULL;
    return texts;
}

static const char **push_list(lua_State *L, const char *field)
{
    if (lua_getfield(L, 1, field) != LUA_TTABLE) luaL_error(L, "%s is a list of texts", field);
    return push_texts(L, lua_gettop(L));
}

/* An empty one first: Lua may fail here, and then there is nothing to lose. */
static struct program *push_program(lua_State *L)
{
    struct program *p = lua_newuserdatauv(L, sizeof *p, 1);
    *p = (struct program){.all = processes_of(L)};
    luaL_setmetatable(L, PROGRAM);
    lua_getfield(L, 1, "on_end");
    luaL_checktype(L, -1, LUA_TFUNCTION);
    lua_setiuservalue(L, -2, 1);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, p);
    return p;
}

/* processes.spawn{argv = {}, env = {"NAME=VALUE"}, log = path, on_end = fn(program)} -> program | nil, why, code: this
 * program again, as another process; on_end is called once, at the loop's level */
static int l_spawn(lua_State *L)
{
    struct spawn_setup setup = {0};
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    setup.argv = push_list(L, "argv");
    setup.env = push_list(L, "env");
    lua_getfield(L, 1, "log");
    setup.log = luaL_checkstring(L, -1);
    luaL_argcheck(L, setup.argv[0], 1, "argv has a name first");
    struct program *p = push_program(L);
    int rc = spawn_start(p->all->spawns, &setup, p, &p->spawn);
    if (rc == 0) return 1;
    lua_pushnil(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, p);
    return bind_push_error(L, rc);
}

/* --- a program --- */

static struct program *check_program(lua_State *L)
{
    return luaL_checkudata(L, 1, PROGRAM);
}

/* program:kill(["kill" | "terminate" | "stop" | "continue"]) -> true | nil, why, code: not_found, it has ended */
static int l_program_kill(lua_State *L)
{
    static const char *const names[] = {"kill", "terminate", "stop", "continue", NULL};
    static const int numbers[] = {SIGKILL, SIGTERM, SIGSTOP, SIGCONT};
    struct program *p = check_program(L);
    int number = numbers[luaL_checkoption(L, 2, "kill", names)];
    return bind_push_result(L, p->spawn ? spawn_signal(p->spawn, number) : MOTH_ENOT_FOUND);
}

/* program:ended() -> nil: it runs | "exit", status | "signal", number, its name */
static int l_program_ended(lua_State *L)
{
    struct program *p = check_program(L);
    struct spawn_end end;
    if (!p->spawn || !spawn_has_ended(p->spawn, &end)) return 0;
    lua_pushstring(L, end.was_killed ? "signal" : "exit");
    lua_pushinteger(L, end.number);
    lua_pushstring(L, end.was_killed ? strsignal(end.number) : "");
    return 3;
}

/* program:pid() -> integer */
static int l_program_pid(lua_State *L)
{
    struct program *p = check_program(L);
    lua_pushinteger(L, p->spawn ? spawn_pid(p->spawn) : 0);
    return 1;
}

static int l_program_gc(lua_State *L)
{
    struct program *p = check_program(L);
    if (p->all->spawns) spawn_free(p->spawn);
    p->spawn = NULL;
    return 0;
}

static int l_program_tostring(lua_State *L)
{
    lua_pushfstring(L, "program %d", spawn_pid(check_program(L)->spawn));
    return 1;
}

static int call_end(lua_State *L)
{
    struct program *p = lua_touserdata(L, 1);
    lua_rawgetp(L, LUA_REGISTRYINDEX, p);
    lua_pushnil(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, p);
    lua_getiuservalue(L, -1, 1);
    lua_insert(L, -2);
    lua_call(L, 1, 0);
    return 0;
}

static void on_ended(void *owner, struct spawn *c)
{
    struct processes *all = owner;
    runtime_call(all->runtime, call_end, spawn_user(c));
}

/* --- folders --- */

static struct scratch *check_folder(lua_State *L)
{
    return luaL_checkudata(L, 1, FOLDER);
}

/* processes.folder() -> folder | nil, why, code: a new one, which goes with all that is in it */
static int l_folder(lua_State *L)
{
    struct scratch *s = lua_newuserdatauv(L, sizeof *s, 0);
    *s = (struct scratch){.fd = -1};
    luaL_setmetatable(L, FOLDER);
    int rc = scratch_open(s);
    return rc < 0 ? bind_push_error(L, rc) : 1;
}

/* folder:path() -> text */
static int l_folder_path(lua_State *L)
{
    lua_pushstring(L, check_folder(L)->path);
    return 1;
}

static const char *check_name(lua_State *L)
{
    const char *name = bind_check_word(L, 2);
    luaL_argcheck(L, name, 2, "a zero byte is in it");
    return name;
}

/* folder:make(name) -> true | nil, why, code */
static int l_folder_make(lua_State *L)
{
    return bind_push_result(L, scratch_make(check_folder(L), check_name(L)));
}

/* folder:write(name, text) -> true | nil, why, code */
static int l_folder_write(lua_State *L)
{
    size_t bytes;
    const char *text = luaL_checklstring(L, 3, &bytes);
    return bind_push_result(L, scratch_write(check_folder(L), check_name(L), text, bytes));
}

/* folder:read_end(name, bytes) -> text | nil, why, code */
static int l_folder_read_end(lua_State *L)
{
    lua_Integer most = luaL_checkinteger(L, 3);
    luaL_argcheck(L, most >= 1 && most <= END_BYTES_MAX, 3, "from 1 to 65536 bytes");
    char *out = lua_newuserdatauv(L, (size_t)most, 0);
    size_t bytes;
    int rc = scratch_read_end(check_folder(L), check_name(L), out, (size_t)most, &bytes);
    if (rc < 0) return bind_push_error(L, rc);
    lua_pushlstring(L, out, bytes);
    return 1;
}

/* folder:remove(); a second time is fine */
static int l_folder_remove(lua_State *L)
{
    scratch_remove(check_folder(L));
    return 0;
}

static int l_folder_tostring(lua_State *L)
{
    lua_pushfstring(L, "folder %s", check_folder(L)->path);
    return 1;
}

/* --- chance --- */

/* processes.token() -> 32 hex digits that nobody can guess, whatever the seed of the run is */
static int l_token(lua_State *L)
{
    unsigned char bytes[TOKEN_BYTES];
    char text[2 * TOKEN_BYTES];
    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes) return luaL_error(L, "no random bytes");
    for (size_t i = 0; i < TOKEN_BYTES; i++) {
        text[2 * i] = "0123456789abcdef"[bytes[i] >> 4];
        text[2 * i + 1] = "0123456789abcdef"[bytes[i] & 15];
    }
    lua_pushlstring(L, text, sizeof text);
    return 1;
}

/* --- making it --- */

static const luaL_Reg program_methods[] = {
    {"kill", l_program_kill}, {"ended", l_program_ended}, {"pid", l_program_pid}, {NULL, NULL},
};
static const luaL_Reg folder_methods[] = {
    {"path", l_folder_path}, {"make", l_folder_make}, {"write", l_folder_write}, {"read_end", l_folder_read_end},
    {"remove", l_folder_remove}, {NULL, NULL},
};
static const luaL_Reg functions[] = {{"spawn", l_spawn}, {"folder", l_folder}, {"token", l_token}, {NULL, NULL}};

static int l_end(lua_State *L)
{
    struct processes *all = lua_touserdata(L, 1);
    spawns_free(all->spawns);
    all->spawns = NULL;
    return 0;
}

struct making {
    struct runtime *runtime;
    struct moth_loop *loop;
};

/* It is made before all programs and folders, and so it ends after them: Lua finalizes the other way round. */
static void make_processes(lua_State *L, const struct making *making)
{
    struct processes *all = lua_newuserdatauv(L, sizeof *all, 0);
    *all = (struct processes){.runtime = making->runtime};
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, l_end);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    all->spawns = spawns_new(making->loop, on_ended, all);
    lua_setfield(L, LUA_REGISTRYINDEX, PROCESSES);
}

static int l_make(lua_State *L)
{
    make_processes(L, lua_touserdata(L, 1));
    bind_make_class(L, PROGRAM, program_methods, l_program_gc, l_program_tostring);
    bind_make_class(L, FOLDER, folder_methods, l_folder_remove, l_folder_tostring);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_getfield(L, -1, "moth.core");
    luaL_newlib(L, functions);
    lua_setfield(L, -2, "processes");
    return 0;
}

int processes_open(struct runtime *r, struct moth_loop *loop)
{
    struct making making = {r, loop};
    return runtime_call(r, l_make, &making);
}
