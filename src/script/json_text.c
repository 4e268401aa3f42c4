/* json_text.c -- the small parts of json_parts.h. */
#include "script/json_parts.h"

#include <lauxlib.h>

#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FLOAT_DIGITS_SURE 15 /* each number of so many digits is a float of its own */
#define FLOAT_DIGITS_MAX 17  /* and so many tell any float from its neighbours */

/* --- the buffer --- */

void json_buffer_init(struct json_buffer *b, lua_State *L)
{
    lua_pushnil(L);
    b->L = L;
    b->place = lua_gettop(L);
    b->bytes = b->few;
    b->used = 0;
    b->size = sizeof b->few;
}

static void grow(struct json_buffer *b, size_t bytes)
{
    while (b->size < bytes) b->size *= 2;
    char *larger = lua_newuserdatauv(b->L, b->size, 0);
    memcpy(larger, b->bytes, b->used);
    b->bytes = larger;
    lua_replace(b->L, b->place);
}

void json_append(struct json_buffer *b, const char *text, size_t bytes)
{
    if (bytes > b->size - b->used) grow(b, b->used + bytes);
    memcpy(b->bytes + b->used, text, bytes);
    b->used += bytes;
}

/* --- numbers --- */

struct json_locale json_enter_locale(void)
{
    locale_t ours = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    return (struct json_locale){.ours = ours, .before = ours ? uselocale(ours) : NULL};
}

void json_leave_locale(struct json_locale locale)
{
    if (!locale.ours) return;
    uselocale(locale.before);
    freelocale(locale.ours);
}

size_t json_write_integer(lua_Integer value, char out[JSON_NUMBER_BYTES])
{
    char digits[JSON_NUMBER_BYTES], *at = digits + sizeof digits;
    lua_Unsigned left = value < 0 ? 0u - (lua_Unsigned)value : (lua_Unsigned)value;
    do {
        *--at = (char)('0' + left % 10);
    } while ((left /= 10) > 0);
    if (value < 0) *--at = '-';
    size_t bytes = (size_t)(digits + sizeof digits - at);
    memcpy(out, at, bytes);
    return bytes;
}

/* Fifteen digits, written without zeros at their end, are the shortest when they read back the same; of the smallest
 * floats, which know fewer digits, fewer may do. */
size_t json_write_float(lua_Number value, char out[JSON_NUMBER_BYTES])
{
    int digits = fabs(value) < DBL_MIN ? 1 : FLOAT_DIGITS_SURE, bytes;
    struct json_locale locale = json_enter_locale();
    do {
        bytes = snprintf(out, JSON_NUMBER_BYTES, "%.*g", digits, value);
    } while (strtod(out, NULL) != value && digits++ < FLOAT_DIGITS_MAX);
    json_leave_locale(locale);
    if (out[strcspn(out, ".e")] != '\0') return (size_t)bytes;
    memcpy(out + bytes, ".0", 2);
    return (size_t)bytes + 2;
}

lua_Number json_read_float(const char *text)
{
    struct json_locale locale = json_enter_locale();
    lua_Number value = strtod(text, NULL);
    json_leave_locale(locale);
    return value;
}

bool json_read_integer(const char *text, size_t bytes, lua_Integer *out)
{
    bool is_negative = *text == '-';
    lua_Unsigned value = 0, max = (lua_Unsigned)LUA_MAXINTEGER + is_negative;
    for (size_t i = is_negative; i < bytes; i++) {
        unsigned digit = (unsigned)(text[i] - '0');
        if (value > (max - digit) / 10) return false;
        value = value * 10 + digit;
    }
    *out = (lua_Integer)(is_negative ? 0u - value : value);
    return true;
}

/* --- characters --- */

/* Shortest forms, no surrogates, up to U+10FFFF: what that asks of the second byte depends on the first. */
size_t json_character(const char *at, const char *end)
{
    const unsigned char *c = (const unsigned char *)at;
    size_t bytes = c[0] < 0xc2 ? 0 : c[0] < 0xe0 ? 2 : c[0] < 0xf0 ? 3 : c[0] < 0xf5 ? 4 : 0;
    unsigned char low = c[0] == 0xe0 ? 0xa0 : c[0] == 0xf0 ? 0x90 : 0x80;
    unsigned char high = c[0] == 0xed ? 0x9f : c[0] == 0xf4 ? 0x8f : 0xbf;
    if (bytes == 0 || (size_t)(end - at) < bytes || c[1] < low || c[1] > high) return 0;
    for (size_t i = 2; i < bytes; i++)
        if ((c[i] & 0xc0) != 0x80) return 0;
    return bytes;
}
