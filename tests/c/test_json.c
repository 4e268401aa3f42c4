/* test_json.c -- what script/json.h promises: a value is carried exactly, or refused with a sentence.
 *
 * Most tests are Lua that asserts, on a state of its own whose memory can be made to end. They share a few words:
 *
 *   writes(v, text)           encode gives that text and decode gives the value back
 *   reads(text, v)            decode gives that value, of the same type of number
 *   refused(v, words, code)   encode refuses, in words that have these in them
 *   broken(text, words, code) decode refuses */
#include "script/json.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <lauxlib.h>
#include <lualib.h>

#include <locale.h>
#include <stdlib.h>
#include <string.h>

static const char words[] =
    "function same(a, b)\n"
    "  if type(a) ~= 'table' or type(b) ~= 'table' then\n"
    "    return a == b and math.type(a) == math.type(b) and (a ~= 0 or 1 / a == 1 / b)\n"
    "  end\n"
    "  if getmetatable(a) ~= getmetatable(b) and (next(a) == nil or getmetatable(a)) then return false end\n"
    "  for k, v in next, a do if not same(v, rawget(b, k)) then return false end end\n"
    "  for k in next, b do if rawget(a, k) == nil then return false end end\n"
    "  return true\n"
    "end\n"
    "function reads(text, v)\n"
    "  local got, why = json.decode(text)\n"
    "  if why then error(why, 2) end\n"
    "  if not same(v, got) then error(('%.60s is not %s'):format(text, tostring(v)), 2) end\n"
    "end\n"
    "function writes(v, text)\n"
    "  local got, why = json.encode(v)\n"
    "  if got ~= text then error(('%.60s is not %.60s'):format(got or why, text), 2) end\n"
    "  reads(text, v)\n"
    "end\n"
    "local function check_refusal(words, want, v, why, code, ...)\n"
    "  if v ~= nil or select('#', ...) > 0 then error('it is not refused', 3) end\n"
    "  if not why:find(words, 1, true) then error(why, 3) end\n"
    "  if code ~= (want or 'argument') then error(tostring(code), 3) end\n"
    "end\n"
    "function refused(v, words, code) check_refusal(words, code, json.encode(v)) end\n"
    "function broken(text, words, code) check_refusal(words, code, json.decode(text)) end\n"
    "function check(v, why, code) assert(v == nil and type(why) == 'string' and code == 'argument') end\n"
    "function deep(n) local t = {} for i = 2, n do t = {t} end return t end\n";

/* --- a state, and memory that ends --- */

static struct memory {
    size_t used, limit;
} memory;

static void *allocate(void *owner, void *block, size_t old, size_t bytes)
{
    struct memory *m = owner;
    size_t held = block ? old : 0;
    if (bytes > held && bytes - held > m->limit - m->used) return NULL;
    m->used += bytes - held;
    if (bytes > 0) return realloc(block, bytes);
    free(block);
    return NULL;
}

static lua_State *L;
static int polls;

static void count_poll(lua_State *of)
{
    (void)of;
    polls++;
}

static void run(const char *text)
{
    if (luaL_loadbufferx(L, text, strlen(text), "=test", "t") != LUA_OK || lua_pcall(L, 0, 0, 0) != LUA_OK)
        fail_msg("%s", lua_tostring(L, -1));
}

static int set_up(void **state)
{
    (void)state;
    memory = (struct memory){.limit = (size_t)1 << 30};
    L = lua_newstate(allocate, &memory);
    luaL_openlibs(L);
    luaL_requiref(L, "json", json_open, 1);
    lua_pop(L, 1);
    run(words);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    lua_close(L);
    return memory.used == 0 ? 0 : -1;
}

/* --- numbers --- */

static void test_whole_numbers_stay_whole(void **state)
{
    (void)state;
    run("writes(0, '0') writes(7, '7') writes(-7, '-7')\n"
        "writes(2^53 // 1 | 0, '9007199254740992') writes((1 << 53) + 1, '9007199254740993')\n"
        "writes(math.maxinteger, '9223372036854775807') writes(math.mininteger, '-9223372036854775808')\n"
        "writes(1700000000123456, '1700000000123456') writes(0x18d2c4f0a1b00001, '1788708539803369473')\n"
        "assert('id' .. json.decode('7') == 'id7')\n"
        "assert(math.type(json.decode('{\"a\":[3]}').a[1]) == 'integer')");
}

static void test_whole_numbers_around_every_road_stay_whole(void **state)
{
    (void)state;
    run("for _, at in ipairs {10^14, 10^15, 7 * 10^15, 8 * 10^15, 9 * 10^15, 10^16, 2^52, 2^53, 2^62} do\n"
        "  for i = -3, 3 do\n"
        "    local n = math.tointeger(at) + i\n"
        "    writes(n, ('%d'):format(n)) writes(-n, ('%d'):format(-n))\n"
        "    writes({n, {n, 1.0}, -n}, ('[%d,[%d,1.0],%d]'):format(n, n, -n))\n"
        "  end\n"
        "end");
}

static void test_minus_zero_is_a_float_or_nothing_special(void **state)
{
    (void)state;
    run("writes(-0.0, '-0.0') reads('-0', 0) reads('[-0]', json.array {0}) reads('-0e1', -0.0)");
}

static void test_whole_numbers_beyond_64_bits_are_refused(void **state)
{
    (void)state;
    run("broken('9223372036854775808', 'more than 64 bits at character 1')\n"
        "broken('-9223372036854775809', 'more than 64 bits')\n"
        "broken('[1, 18446744073709551616]', 'more than 64 bits at character 5')\n"
        "broken('1' .. ('0'):rep(400), 'more than 64 bits')\n"
        "reads('18446744073709551616.0', 2.0^64)");
}

static void test_floats_stay_floats_in_the_fewest_digits(void **state)
{
    (void)state;
    run("writes(1.0, '1.0') writes(0.1, '0.1') writes(-2.5, '-2.5') writes(1e15, '1e+15') writes(1e100, '1e+100')\n"
        "writes(1/3, '0.3333333333333333') writes(0.1 + 0.2, '0.30000000000000004') writes(100.0, '100.0')\n"
        "writes(2.0^53, '9007199254740992.0') writes(5e-324, '5e-324') writes(2.2250738585072014e-308,\n"
        "  '2.2250738585072014e-308') writes(1.7976931348623157e308, '1.7976931348623157e+308')\n"
        "writes(math.pi, '3.141592653589793') writes(1700000000.123, '1700000000.123')\n"
        "reads('1E5', 1e5) reads('10.50', 10.5) reads('1.5e-3', 0.0015) reads('0.0', 0.0) reads('0e9', 0.0)\n"
        "reads('[1.0,1,1.00]', json.array {1.0, 1, 1.0}) reads('0.00000000000001', 1e-14)\n"
        "reads('12345678901234.5', 12345678901234.5) reads('0.30000000000000004', 0.1 + 0.2)");
}

static void test_random_floats_come_back(void **state)
{
    (void)state;
    run("math.randomseed(4)\n"
        "for i = 1, 30000 do\n"
        "  local v = string.unpack('<d', string.pack('<i8', math.random(0)))\n"
        "  if v == v and v ~= 1/0 and v ~= -1/0 then assert(same(json.decode(json.encode(v)), v)) end\n"
        "  v = math.random(-10^9, 10^9) / 10.0 ^ math.random(0, 9)\n"
        "  assert(same(json.decode(json.encode(v)), v) and #json.encode(v) <= #('%.17g'):format(v) + 2)\n"
        "end");
}

static void test_what_is_no_number_is_refused_both_ways(void **state)
{
    (void)state;
    run("refused(0/0, 'NaN') refused(1/0, 'infinite') refused(-1/0, 'infinite') refused({a = {1, 1/0}}, '(at a[2])')\n"
        "for _, text in ipairs {'NaN', 'nan', '-NaN', 'Infinity', '-Infinity', 'inf', '0x10', '1e', '1e+', '+1',\n"
        "  '01',\n"
        "  '-01', '.5', '5.', '-', '--1', '1.e5', '00', '1_000', '1.5.5', '0x', '1d', '1e5e5', '\\xe0\\xa5\\xa7'} do\n"
        "  broken(text, 'not JSON') broken('[' .. text .. ']', 'not JSON')\n"
        "  broken('{\"a\": ' .. text .. '}', 'not JSON')\n"
        "end");
}

static void test_numbers_no_float_is_near_to_are_refused(void **state)
{
    (void)state;
    run("broken('1e309', 'too large') broken('-1e999999999', 'too large') broken('1e-400', 'too small')\n"
        "broken('0.' .. ('0'):rep(5000) .. '1', 'too small') reads('1' .. ('0'):rep(300) .. '.0', 1e300)\n"
        "reads('0.' .. ('0'):rep(5000) .. 'e400', 0.0)");
}

/* --- strings --- */

static void test_every_ascii_character_comes_back(void **state)
{
    (void)state;
    run("for i = 0, 127 do local s = 'a' .. string.char(i) assert(json.decode(json.encode(s)) == s) end\n"
        "writes('a\"b\\\\c\\n\\0', [[\"a\\\"b\\\\c\\n\\u0000\"]]) writes('plain', '\"plain\"') writes('', '\"\"')\n"
        "reads([[\"\\/\\b\\f\\r\\t\\u0041\"]], '/\\b\\f\\r\\tA')");
}

static void test_characters_beyond_ascii_come_back(void **state)
{
    (void)state;
    run("for _, c in ipairs {0x80, 0x7ff, 0x800, 0xd7ff, 0xe000, 0xffff, 0x10000, 0x10ffff} do\n"
        "  writes(utf8.char(c), '\"' .. utf8.char(c) .. '\"')\n"
        "end\n"
        "reads([[\"\\ud83d\\ude00\"]], '\\u{1f600}') reads([[\"\\u00e9\\uFFFF\"]], '\\u{e9}\\u{ffff}')");
}

static void test_long_strings_with_escapes_come_back(void **state)
{
    (void)state;
    run("for _, n in ipairs {4095, 4096, 4097, 100000} do\n"
        "  local s = ('/'):rep(n - 1) .. '\\u{20ac}' .. ('\\1'):rep(5)\n"
        "  assert(json.decode(json.encode(s)) == s)\n"
        "  s = ('x'):rep(n - 1) .. '\\u{20ac}\"'\n"
        "  assert(json.decode(json.encode(s)) == s)\n"
        "end");
}

static void test_what_is_not_utf8_is_refused_both_ways(void **state)
{
    (void)state;
    run("for _, s in ipairs {'\\xff', 'a\\x80', '\\xc3', '\\xc0\\xaf', '\\xc1\\xbf', '\\xe0\\x80\\x80', '\\xe2\\x82',\n"
        "  '\\xe2\\x82x', '\\xed\\xa0\\x80', '\\xf0\\x80\\x80\\x80', '\\xf4\\x90\\x80\\x80',\n"
        "  '\\xf5\\x80\\x80\\x80'} do\n"
        "  refused(s, 'not UTF-8') refused({[s] = 1}, 'not UTF-8') refused({a = {b = s}}, '(at a.b)')\n"
        "  broken('\"' .. s .. '\"', 'not UTF-8 at character') broken('{\"' .. s .. '\":1}', 'not UTF-8')\n"
        "end");
}

static void test_bad_escapes_are_refused(void **state)
{
    (void)state;
    run("for _, s in ipairs {[[\\x41]], [[\\a]], [[\\u12]], [[\\u12g4]], [[\\u]], [[\\uD800]], [[\\ud800x]],\n"
        "  [[\\uDC00]],\n"
        "  [[\\ud800\\u0041]], [[\\ud800\\ud800]], [[\\ud800\\n]], [[\\]], '\\1', '\\n', '\\0', '\\t'} do\n"
        "  broken('\"' .. s .. '\"', 'not JSON') broken('[\"' .. s .. '\", 1]', 'not JSON')\n"
        "end\n"
        "broken([[\"\\ud800\"]], 'surrogate') broken('\"a\\nb\"', 'control character')\n"
        "  broken('\"abc', 'without an end')\n"
        "broken('\"', 'without an end') broken('\"\\\\', 'escape') broken('\"\\\\ud8', 'hex')\n"
        "  broken('\"\\xe2', 'UTF-8')");
}

/* --- structure --- */

static void test_an_array_stays_an_array(void **state)
{
    (void)state;
    run("writes(json.array(), '[]') writes({}, '{}') writes({a = json.array(), b = {}}, '{\"a\":[],\"b\":{}}')\n"
        "writes(json.array {json.array(), {}, json.array {1}}, '[[],{},[1]]')\n"
        "reads('[ \\n ]', json.array())\n"
        "  reads('[[],[[]],{}]', json.array {json.array(), json.array {json.array()}, {}})\n"
        "assert(json.encode({1, 2}) == '[1,2]')\n"
        "local t = json.decode('[1]') t[1] = nil assert(json.encode(t) == '[]')\n"
        "assert(json.encode(json.decode('{\"a\":[]}')) == '{\"a\":[]}')");
}

static void test_the_mark_of_arrays_cannot_be_touched(void **state)
{
    (void)state;
    run("assert(getmetatable(json.decode('[]')) == 'json.array' and getmetatable(json.array()) == 'json.array')\n"
        "assert(not pcall(setmetatable, json.array(), nil))\n"
        "local t = {3} assert(json.array(t) == t and json.array(t) == t)\n"
        "assert(not pcall(json.array, setmetatable({}, {})) and not pcall(json.array, 1))\n"
        "assert(not pcall(json.decode) and not pcall(json.decode, 12) and not pcall(json.encode))");
}

static void test_null_is_a_value_inside_and_nil_outside(void **state)
{
    (void)state;
    run("writes(nil, 'null') writes({a = json.null}, '{\"a\":null}') assert(json.encode(json.null) == 'null')\n"
        "writes(json.array {json.null, json.null}, '[null,null]') writes({a = {b = {json.null, 1}}}, "
        "'{\"a\":{\"b\":[null,1]}}')\n"
        "assert(select('#', json.decode(' null ')) == 1 and json.decode('[null]')[1] == json.null)");
}

static void test_words_and_blanks(void **state)
{
    (void)state;
    run("writes(true, 'true') writes(false, 'false') writes({a = false}, '{\"a\":false}')\n"
        "reads(' \\r\\n\\t{ \"a\" : [ true , false ] } ', {a = json.array {true, false}})");
}

static void test_keys_are_sorted_by_their_bytes(void **state)
{
    (void)state;
    run("writes({b = 1, a = 2, ab = 3, [''] = 4, B = 5, ['\\u{e9}'] = 6, ['1'] = 7, ['a\\0'] = 8},\n"
        "  '{\"\":4,\"1\":7,\"B\":5,\"a\":2,\"a\\\\u0000\":8,\"ab\":3,\"b\":1,\"\\u{e9}\":6}')\n"
        "local t, list = {}, {}\n"
        "for i = 1, 500 do local k = ('k%03d'):format(i * 7 % 501) t[k] = {[k] = i} end\n"
        "for i = 1, 500 do local k = ('k%03d'):format(i) list[i] = ('\"%s\":{\"%s\":%d}'):format(k, k, t[k][k]) end\n"
        "writes(t, '{' .. table.concat(list, ',') .. '}')");
}

static void test_of_a_key_that_stands_twice_the_last_counts(void **state)
{
    (void)state;
    run("reads('{\"a\":1,\"b\":2,\"a\":3.0}', {a = 3.0, b = 2}) reads('{\"a\":[],\"a\":null}', {a = json.null})");
}

static void test_tables_that_are_neither_array_nor_object_are_refused(void **state)
{
    (void)state;
    run("refused({1, 2, a = 3}, 'named fields') refused({1, nil, 3}, 'holes') refused({1, [5] = 5}, 'holes')\n"
        "refused({1, [1.5] = 2}, 'holes') refused({1, 2, [true] = 2}, 'holes') refused({1, [-1] = 2}, 'holes')\n"
        "refused({[2] = 1}, 'tostring') refused({[0] = 1}, 'tostring') refused({a = 1, [7] = 2}, 'tostring')\n"
        "refused({[true] = 1}, 'a key') refused({[{}] = 1}, 'a key') refused({[json.null] = 1}, 'a key')\n"
        "refused(json.array {a = 1}, 'named fields') refused(json.array {[2] = 1}, 'holes')\n"
        "refused({x = {y = {1, 2, [9] = 3}}}, '(at x.y)')");
}

static void test_what_json_has_no_words_for_is_refused(void **state)
{
    (void)state;
    run("refused(print, 'a function') refused(io.stdout, 'an object') refused(coroutine.create(print), 'a coroutine')\n"
        "refused({list = {1, {name = print}}}, 'a function cannot be JSON (at list[2].name)')");
    lua_pushlightuserdata(L, &memory);
    assert_false(json_push_encoded(L, -1));
    assert_string_equal(lua_tostring(L, -1), "a pointer cannot be JSON");
}

static void test_no_metamethod_runs(void **state)
{
    (void)state;
    run("local function never() error('a metamethod ran') end\n"
        "local t = setmetatable({a = 1}, {__index = never, __len = never, __tostring = never, __call = never,\n"
        "  __newindex = never, __eq = never, __name = 'x', __close = never})\n"
        "assert(json.encode(t) == '{\"a\":1}')\n"
        "refused(setmetatable({a = 1}, {__pairs = never}), '__pairs')\n"
        "refused({b = setmetatable({1}, {__pairs = never})}, '(at b)')");
}

static void test_a_view_is_written_as_what_it_shows(void **state)
{
    (void)state;
    run("local function never() error('a metamethod ran') end\n"
        "local function view(t) return setmetatable({}, {__pairs = never, __index = never, __json = t}) end\n"
        "for _, t in ipairs {{1, 2}, {a = {b = 1}}, json.array {}, {}} do\n"
        "  local text = json.encode(t)\n"
        "  assert(json.encode(view(t)) == text)\n"
        "  assert(json.encode({a = view(t)}) == '{\"a\":' .. text .. '}')\n"
        "  assert(json.encode({view(t), 7}) == '[' .. text .. ',7]')\n"
        "end\n"
        "refused({b = view {c = print}}, '(at b.c)')\n"
        "refused(view(view {}), '__pairs')\n"
        "refused(setmetatable({}, {__pairs = never, __json = 'x'}), '__pairs')");
}

static void test_bad_order_is_refused_with_its_place(void **state)
{
    (void)state;
    run("for _, text in ipairs {'', ' ', '[', ']', '{', '}', '[1,]', '[,1]', '{\"a\":1,}', '{\"a\"}', '{a:1}',\n"
        "  '{1:2}',\n"
        "  '[1 2]', '1 2', '1,2', '[1]]', '[1}', '{\"a\":1]', 'tru', 'nul', 'truefalse', 'nullx', '[]1', '1[]',\n"
        "  '[] []',\n"
        "  '1.0[]', '[]1.0', '1.0 1.0', '[1.0 1]', '{[]:1}', '{\"a\" []}', '[]:', '\\0', '1\\0', '1\\0x', '[1]\\0',\n"
        "  \"'a'\",\n"
        "  '/**/1', '[1] //', '\\xef\\xbb\\xbf1', '{\"a\":1 \"b\":2}', '{\"a\":}', '[:]', ',', ':', '\\f1', '1-1',\n"
        "  '1.0-1',\n"
        "  '{\"a\",1}', '[\"a\":1]', '[}', '1.5\\0'} do\n"
        "  broken(text, 'not JSON')\n"
        "end\n"
        "broken('[1,]', 'not JSON: expected value but found ] at character 4')\n"
        "broken('[1.0,[],]', 'not JSON: expected value but found ] at character 9')\n"
        "broken('[1', 'found the end at character 3') broken('{\"a\" 1}', 'expected colon but found a number')\n"
        "broken('[1\\0]', 'unknown character at character 3') broken('[01]', 'begins with 0 at character 4')");
}

/* --- limits --- */

static void test_32_tables_deep_is_fine_and_33_are_refused(void **state)
{
    (void)state;
    run("local text = ('['):rep(32) .. (']'):rep(32)\n"
        "assert(json.encode(json.decode(text)) == text and json.encode(deep(32)):find('^%[+{}'))\n"
        "broken('[' .. text .. ']', '32 deep', 'argument') broken('{\"a\":' .. text .. '}', 'character 37')\n"
        "refused(deep(33), '32 deep') refused({a = json.decode(text)}, '32 deep')\n"
        "text = ('{\"a\":'):rep(32) .. '1.0' .. ('}'):rep(32)\n"
        "assert(json.encode(json.decode(text)) == text) broken('[' .. text .. ']', '32 deep')\n"
        "text = ('['):rep(31) .. '1.0,[1],{\"a\":[]' .. '}' .. (']'):rep(31) broken(text, '32 deep')\n"
        "text = ('['):rep(30) .. '1.0,[1],{\"a\":[]' .. '}' .. (']'):rep(30)\n"
        "assert(json.encode(json.decode(text)) == text)");
}

static void test_cycles_are_refused(void **state)
{
    (void)state;
    run("local t = {} t[1] = t refused(t, 'within itself') t = {} t.a = {b = t} refused(t, 'within itself')");
}

static void test_a_million_bytes_pass_and_one_more_does_not(void **state)
{
    (void)state;
    run("local s = ('x'):rep(999998) writes(s, '\"' .. s .. '\"')\n"
        "refused(s .. 'x', 'longer than 1000000', 'too_big') broken('\"' .. s .. 'x\"', 'longer', 'too_big')\n"
        "refused({s}, 'longer', 'too_big') refused({[s] = 1}, 'longer', 'too_big')\n"
        "refused(('\"'):rep(500000), 'longer', 'too_big') refused(('\\1'):rep(166667), 'longer', 'too_big')\n"
        "local t = {} for i = 1, 499999 do t[i] = 1 end assert(#json.encode(t) == 999999)\n"
        "t[500000] = 1 refused(t, 'longer', 'too_big') t[500001] = 1 refused(t, 'longer', 'too_big')\n"
        "assert(json.encode(s:sub(1, 999995)) and json.encode({s:sub(1, 999996)})\n"
        "  and json.encode({a = s:sub(1, 999992)}))\n"
        "refused({a = s:sub(1, 999993)}, 'longer', 'too_big')\n"
        "  refused({a = 1, b = s:sub(1, 999987)}, 'longer', 'too_big')");
}

static void test_bombs_are_refused_or_read_in_bounds(void **state)
{
    (void)state;
    run("broken(('['):rep(100000), '32 deep') broken(('{\"a\":'):rep(100000), '32 deep')\n"
        "broken(('x'):rep(10000000), 'longer', 'too_big') refused(('\\0'):rep(10000000), 'longer', 'too_big')\n"
        "local t = {} for i = 1, 100000 do t['key' .. i] = 1 end refused(t, 'longer', 'too_big')\n"
        "t = {} for i = 1, 60000 do t['k' .. i] = i end writes(t, json.encode(t))\n"
        "for i = 60001, 900000 do t['k' .. i] = i end refused(t, 'longer', 'too_big')\n"
        "t = {'xxxxxxxx'} for i = 1, 31 do t = {t, t} end refused(t, 'longer', 'too_big')\n"
        "t = json.decode('[' .. ('[],'):rep(333332) .. '[]]') assert(#t == 333333)\n"
        "t = json.decode('[' .. ('1e5,'):rep(249998) .. '1]') assert(#t == 249999 and t[1] == 1e5 and t[249999] == 1)\n"
        "t = json.decode('[' .. ('\"\\\\n\",'):rep(199999) .. '{}]') assert(#t == 200000)\n"
        "assert(json.decode(('[1,{\"a\":'):rep(16) .. ('0'):rep(1) .. ('}]'):rep(16))[1] == 1)");
}

static void test_whole_levels_of_keys_are_bounded_together(void **state)
{
    (void)state;
    run("local t = {} for i = 1, 40000 do t[('%05x'):format(i)] = 1 end\n"
        "local top = t for i = 1, 20 do local n = {} for k in next, t do n[k] = top end top = n end\n"
        "refused(top, 'longer', 'too_big')");
}

static void test_the_guard_is_asked_at_each_table(void **state)
{
    (void)state;
    json_set_poll(count_poll);
    polls = 0;
    run("json.encode({{}, {a = {1, 2}}})");
    assert_int_equal(polls, 4);
}

/* --- memory --- */

/* What Lua says, depending on what the memory was for. */
static bool is_about_memory(const char *text)
{
    return strstr(text, "not enough memory") || strstr(text, "stack overflow (JSON)");
}

/* cjson keeps memory that only its own end would give back; the leak sanitizer counts it. */
static void test_when_memory_ends_nothing_is_lost_and_all_goes_on(void **state)
{
    (void)state;
    run("text = '[' .. ('{\"a\":[1.5,[],\"x\\\\n\",1e3]},'):rep(200) .. '1]' value = json.decode(text)");
    lua_gc(L, LUA_GCCOLLECT, 0);
    for (size_t room = 0, failures = 0; room < 400000; room += room < 4000 ? 97 : 1999) {
        memory.limit = memory.used + room;
        int status = luaL_dostring(L, "assert(json.decode(text)) assert(json.encode(value))");
        memory.limit = (size_t)1 << 30;
        failures += status != LUA_OK;
        if (status != LUA_OK) assert_true(is_about_memory(lua_tostring(L, -1)));
        lua_settop(L, 0);
        lua_gc(L, LUA_GCCOLLECT, 0);
        assert_true(room > 0 || failures == 1);
    }
    run("assert(json.encode(json.decode(text)) == json.encode(value))");
}

/* --- around --- */

static void test_numbers_have_a_point_in_every_country(void **state)
{
    static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "fr_FR.utf8"};
    bool is_set = false;
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names && !is_set; i++) is_set = setlocale(LC_ALL, names[i]) != NULL;
    if (!is_set) skip();
    const char *text = "assert(('%.1f'):format(1.5) == '1,5')\n"
        "writes({1.5, 0.1 + 0.2, 1e15, 7}, '[1.5,0.30000000000000004,1e+15,7]') broken('[1,5.]', 'not JSON')\n"
        "assert(('%.1f'):format(1.5) == '1,5')";
    run(text); /* opened before */
    luaL_requiref(L, "json opened there", json_open, 0);
    lua_setglobal(L, "json");
    run(text);
    setlocale(LC_ALL, "C");
}

static void test_the_helpers_push_one_value(void **state)
{
    (void)state;
    lua_settop(L, 0);
    assert_true(json_push_decoded(L, "[1,2]garbage", 5));
    assert_int_equal(lua_gettop(L), 1);
    assert_true(json_push_encoded(L, -1));
    assert_string_equal(lua_tostring(L, -1), "[1,2]");
    assert_int_equal(lua_gettop(L), 2);
    assert_false(json_push_decoded(L, "[1,2", 4));
    assert_string_equal(lua_tostring(L, -1), "not JSON: expected comma or array end but found the end at character 5");
    assert_int_equal(lua_gettop(L), 3);
    assert_true(json_push_decoded(L, "null", 4));
    assert_true(lua_isnil(L, 4));
    assert_int_equal(lua_gettop(L), 4);
    lua_pushcfunction(L, json_open);
    assert_false(json_push_encoded(L, 5));
    assert_int_equal(lua_gettop(L), 6);
    assert_false(json_push_decoded(L, NULL, 0));
}

static void test_a_text_that_is_too_long_is_not_even_copied(void **state)
{
    (void)state;
    size_t bytes = 3 * JSON_BYTES_MAX;
    char *text = malloc(bytes);
    memset(text, ' ', bytes);
    assert_false(json_push_decoded(L, text, bytes));
    assert_non_null(strstr(lua_tostring(L, -1), "longer than 1000000"));
    free(text);
}

static void test_scripts_of_the_state_share_no_cjson(void **state)
{
    (void)state;
    run("assert(not package.loaded.cjson and not cjson)\n"
        "local n = 0 for k in pairs(json) do n = n + 1 end assert(n == 4)");
}

static void test_messages_go_through_real_json(void **state)
{
    (void)state;
    run("package.path = 'lua/?.lua' package.loaded['moth.json'] = json\n"
        "local message, a = require 'moth.message', ('a'):rep(32)\n"
        "local t = {id = 0x18d2c4f0a1b00001, from = a, to = a, type = 'text', data = 'hi', time = 1700000000.125,\n"
        "  hops = 1, path = json.array {a}}\n"
        "assert(message.to_json(t) == ('{\"data\":{\"content\":\"hi\"},\"hop_count\":1,\"message_id\":' ..\n"
        "  '1788708539803369473,\"message_type\":\"MESSAGE\",\"path\":[\"@\"],\"peer_id\":\"@\",' ..\n"
        "  '\"target_user_id\":\"@\",\"time_stamp\":1700000000.125}'):gsub('@', a))\n"
        "assert(same(t, message.from_json(message.to_json(t))))\n"
        "t.type = 'data'\n"
        "for _, v in ipairs {1, 1.0, {}, json.array(), false, {content = 'x'}, {value = {}}, {1, {value = 2}}} do\n"
        "  t.data = v assert(same(t, message.from_json(message.to_json(t))))\n"
        "end\n"
        "t.data, t.to = nil, nil assert(same(t, message.from_json(message.to_json(t))))\n"
        "t.data = '\\xff' check(message.to_json(t))\n"
        "for _, text in ipairs {'', '{}', '[]', 'null', '{\"data\":1}'} do check(message.from_json(text)) end");
}

/* Any value that json can carry: texts with everything in them, numbers from all roads, tables in tables. */
static void test_random_values_come_back_and_texts_repeat(void **state)
{
    (void)state;
    run("math.randomseed(7)\n"
        "local random = math.random\n"
        "local function text()\n"
        "  local t = {} for i = 1, random(0, 12) do t[i] = utf8.char(random(4) > 1\n"
        "  and random(0, 127) or random(0x80, 0xd7ff)) end\n"
        "  return table.concat(t)\n"
        "end\n"
        "local make\n"
        "local function object(depth) local t = {} for _ = 1, random(0, 5) do t[text()] = make(depth - 1) end\n"
        "  return t end\n"
        "local function array(depth) local t = json.array() for i = 1, random(0, 5) do t[i] = make(depth - 1) end\n"
        "  return t end\n"
        "local makers = {text, object, array, function() return random(0) >> random(0, 63) end,\n"
        "  function() return -random(10^random(1, 18) // 1 | 0) end,\n"
        "  function() return random() * 10.0 ^ random(-20, 20) end,\n"
        "  function() return random(-1000, 1000) / 10 end, function() return random(-10^6, 10^6) * 1.0 end,\n"
        "  function() return json.null end, function() return random(2) == 1 end}\n"
        "function make(depth)\n"
        "  local i = random(#makers) if depth == 0 and (i == 2 or i == 3) then i = 1 end\n"
        "  return makers[i](depth)\n"
        "end\n"
        "for i = 1, 3000 do\n"
        "  local v = {make(5)}\n"
        "  local encoded = assert(json.encode(v))\n"
        "  local back = assert(json.decode(encoded))\n"
        "  assert(same(v, back), encoded) assert(json.encode(back) == encoded)\n"
        "end");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_whole_numbers_stay_whole),
        TEST(test_whole_numbers_around_every_road_stay_whole),
        TEST(test_minus_zero_is_a_float_or_nothing_special),
        TEST(test_whole_numbers_beyond_64_bits_are_refused),
        TEST(test_floats_stay_floats_in_the_fewest_digits),
        TEST(test_random_floats_come_back),
        TEST(test_what_is_no_number_is_refused_both_ways),
        TEST(test_numbers_no_float_is_near_to_are_refused),
        TEST(test_every_ascii_character_comes_back),
        TEST(test_characters_beyond_ascii_come_back),
        TEST(test_long_strings_with_escapes_come_back),
        TEST(test_what_is_not_utf8_is_refused_both_ways),
        TEST(test_bad_escapes_are_refused),
        TEST(test_an_array_stays_an_array),
        TEST(test_the_mark_of_arrays_cannot_be_touched),
        TEST(test_null_is_a_value_inside_and_nil_outside),
        TEST(test_words_and_blanks),
        TEST(test_keys_are_sorted_by_their_bytes),
        TEST(test_of_a_key_that_stands_twice_the_last_counts),
        TEST(test_tables_that_are_neither_array_nor_object_are_refused),
        TEST(test_what_json_has_no_words_for_is_refused),
        TEST(test_no_metamethod_runs), TEST(test_a_view_is_written_as_what_it_shows),
        TEST(test_bad_order_is_refused_with_its_place),
        TEST(test_32_tables_deep_is_fine_and_33_are_refused),
        TEST(test_cycles_are_refused),
        TEST(test_a_million_bytes_pass_and_one_more_does_not),
        TEST(test_bombs_are_refused_or_read_in_bounds),
        TEST(test_whole_levels_of_keys_are_bounded_together),
        TEST(test_the_guard_is_asked_at_each_table),
        TEST(test_when_memory_ends_nothing_is_lost_and_all_goes_on),
        TEST(test_numbers_have_a_point_in_every_country),
        TEST(test_the_helpers_push_one_value),
        TEST(test_a_text_that_is_too_long_is_not_even_copied),
        TEST(test_scripts_of_the_state_share_no_cjson),
        TEST(test_messages_go_through_real_json),
        TEST(test_random_values_come_back_and_texts_repeat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
