/* lua_sources.h -- the Lua files of lua/moth/, carried inside the program.
 *
 * The build makes the table from the files as they are (embed/embed.c); moth is then one file that needs nothing
 * beside it. The text is source, not bytecode, and ends with a zero that `bytes` does not count. */
#ifndef SCRIPT_LUA_SOURCES_H
#define SCRIPT_LUA_SOURCES_H

#include <stddef.h>

struct lua_source {
    const char *name; /* "moth/shell.lua" */
    const char *text;
    size_t bytes;
};

extern const struct lua_source lua_sources[]; /* by name */
extern const size_t lua_source_count;

#endif
