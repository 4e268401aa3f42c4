/* json_parts.h -- what the files of json share: a buffer that Lua frees, numbers as text, bytes as UTF-8.
 *
 * Errors of Lua may pass through all of this, so nothing is held that Lua does not know of. */
#ifndef SCRIPT_JSON_PARTS_H
#define SCRIPT_JSON_PARTS_H

#include "base/base.h"
#include "script/json.h"

#define JSON_NUMBER_BYTES 32
#define JSON_FEW_BYTES 512

/* --- json_text.c --- */

struct json_buffer {
    lua_State *L;
    int place; /* in the stack, where Lua holds `bytes` once they are many */
    char *bytes;
    size_t used, size;
    char few[JSON_FEW_BYTES];
};

/* Pushes one value, which stays there as long as the buffer is used. */
void json_buffer_init(struct json_buffer *b, lua_State *L);
void json_append(struct json_buffer *b, const char *text, size_t bytes);

/* Any number but NaN and the infinities. Returns the number of bytes; there is no zero behind them. */
size_t json_write_integer(lua_Integer value, char out[JSON_NUMBER_BYTES]);
size_t json_write_float(lua_Number value, char out[JSON_NUMBER_BYTES]);

/* The nearest; infinite when it is too large. Ends where the number does; a zero must follow some time. */
lua_Number json_read_float(const char *text);
/* False when it does not fit. */
bool json_read_integer(const char *text, size_t bytes, lua_Integer *out);

/* How many bytes the character at `at` has, which is not ASCII; 0 when it is not UTF-8. */
size_t json_character(const char *at, const char *end);

/* In a locale where numbers have a point. Returns what to put back. */
struct json_locale {
    void *ours, *before;
};
struct json_locale json_enter_locale(void);
void json_leave_locale(struct json_locale locale);

/* --- json_scan.c --- */

/* JSON_PLACE + i stands for the thing number i, from 1, that was taken out of a text. No number left there is as
 * large. */
#define JSON_PLACE 8e15

struct json_scan {
    int taken;     /* index: a table of what was taken out, when something was */
    bool is_taken; /* and then the text with placeholders is in `text` */
    struct json_buffer text;
    bool has_numbers, has_arrays;
    size_t room_bytes; /* as much as Lua's memory may grow when this is parsed */
};

/* Looks through the tokens of the string at `index` and pushes what `out` needs; or pushes a sentence and gives false.
 * The order of the tokens is not its business. The array's metatable is at index `array`. */
bool json_scan(lua_State *L, int index, int array, struct json_scan *out);

/* --- json_write.c --- */

/* Pushes the text of the value at `index`, or a sentence. cjson's encode is at the index `escape`, the array's
 * metatable at `array`. 0, MOTH_EARGUMENT, MOTH_ETOO_BIG. */
int json_write(lua_State *L, int index, int escape, int array);
void json_write_set_poll(void (*poll)(lua_State *L));

#endif
