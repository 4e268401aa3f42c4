/* json.h -- JSON for scripts: a value is carried exactly or refused with a sentence, never changed silently.
 *
 * The door to lua-cjson. It is quick and proven, but not strict: it reads every number as a float and writes 14 digits
 * of it, makes {} of [], takes any bytes for text and stops at a zero byte, writes keys in an order that changes from
 * run to run, and takes sizes for granted (CVE-2022-24834). So it works between two checks of ours:
 *
 *   reading  json_scan.c looks at every token: size, depth, UTF-8, escapes, the form of numbers. What cjson would
 *            change (a number that is more than a few digits, [], 1.0) it takes out and puts a number in its place.
 *            cjson parses and builds the tables. json.c walks them: whole numbers become integers, arrays get their
 *            mark, and what was taken out comes back.
 *   writing  json_write.c walks the value, sorts the keys and writes the numbers. Strings are written as cjson writes
 *            them; those with something to escape by cjson itself, in pieces.
 *
 * What is carried:
 * - Whole numbers of 64 bits stay integers (-0 is 0); longer ones are refused. What has a point or an exponent is a
 *   float, the nearest there is, and is written with the fewest digits that read back the same; 1.0 stays "1.0". NaN,
 *   the infinities, and what is too large or too small for a float are refused.
 * - Strings and keys are UTF-8. Keys are strings, written in the order of their bytes, so texts repeat byte for byte;
 *   of a key that stands twice in a text, the last counts.
 * - A decoded array has a mark (a hidden metatable), and so does what json.array marked: [] stays []. An empty table
 *   without it is {}. What has a 1 is an array, must have no holes and nothing else.
 * - null inside of something is json.null; a text that is just null is nil.
 * - At most 32 tables within each other, 1,000,000 bytes of text.
 * Tables are read raw: no metamethod runs. One with __pairs is refused, since it says itself that it is not what is in
 * it; unless its metatable has a table as __json, which is then written in its place. The locale of the process does
 * not matter. */
#ifndef SCRIPT_JSON_H
#define SCRIPT_JSON_H

#include <lua.h>

#include <stdbool.h>
#include <stddef.h>

#define JSON_BYTES_MAX 1000000
#define JSON_DEPTH_MAX 32

/* A library function: pushes {encode, decode, array, null}. Before all else here, once for each state.
 *
 *   json.encode(v) -> text | nil, why, code     "argument": it cannot be carried; "too_big"
 *   json.decode(text) -> v | nil, why, code
 *   json.array([t]) -> t                        marked as an array
 *   json.null                                   stands for null */
int json_open(lua_State *L);

/* Called now and then while a value is written: what Lua allows to be slow (a table that was once large) takes as long.
 * It may raise an error. */
void json_set_poll(void (*poll)(lua_State *L));

/* Both push one value: what was asked for; or, when false, a sentence. Like all of Lua they may raise an error for lack
 * of memory. */
bool json_push_encoded(lua_State *L, int index);
bool json_push_decoded(lua_State *L, const char *text, size_t bytes);

#endif
