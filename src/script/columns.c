/* columns.c -- see columns.h. The widths are those of the C library, which a terminal most likely has too; it tells them
 * only in a locale of UTF-8, so we keep one of our own. Where there is none, the locale of the process has to do. */
#include "script/columns.h"

#include "script/json_parts.h"

#include <lauxlib.h>

#include <locale.h>
#include <stdint.h>
#include <wchar.h>

static locale_t utf8; /* never freed: as old as the process */

static locale_t enter(void)
{
    return utf8 ? uselocale(utf8) : (locale_t)0;
}

static void leave(locale_t before)
{
    if (utf8) uselocale(before);
}

/* The character at `at`, which has `bytes` of them. */
static wchar_t decode(const char *at, size_t bytes)
{
    uint32_t code = (unsigned char)*at & (0xffu >> (bytes + 1));
    for (size_t i = 1; i < bytes; i++) code = code << 6 | ((unsigned char)at[i] & 0x3f);
    return (wchar_t)code;
}

/* Passes one character: its columns. */
static int step(const char **at, const char *end)
{
    size_t bytes = (unsigned char)**at < 0x80 ? 1 : json_character(*at, end);
    int columns = bytes > 1 ? wcwidth(decode(*at, bytes)) : 1;
    *at += bytes > 0 ? bytes : 1;
    return columns < 0 ? 1 : columns;
}

/* core.columns(text) -> n */
static int l_columns(lua_State *L)
{
    size_t bytes;
    const char *at = luaL_checklstring(L, 1, &bytes), *end = at + bytes;
    lua_Integer n = 0;
    locale_t before = enter();
    while (at < end) n += step(&at, end);
    leave(before);
    lua_pushinteger(L, n);
    return 1;
}

/* core.fit(text, n [, from]) -> last */
static int l_fit(lua_State *L)
{
    size_t bytes;
    const char *text = luaL_checklstring(L, 1, &bytes), *end = text + bytes;
    lua_Integer room = luaL_checkinteger(L, 2), from = luaL_optinteger(L, 3, 1);
    luaL_argcheck(L, from >= 1 && from - 1 <= (lua_Integer)bytes, 3, "a place in the text");
    const char *fits = text + from - 1, *at = fits;
    locale_t before = enter();
    while (at < end && (room -= step(&at, end)) >= 0) fits = at;
    leave(before);
    lua_pushinteger(L, fits - text);
    return 1;
}

void columns_open(lua_State *L)
{
    static const luaL_Reg functions[] = {{"columns", l_columns}, {"fit", l_fit}, {NULL, NULL}};
    if (!utf8) utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    luaL_setfuncs(L, functions, 0);
}
