/* test_ordered.c -- pairs, next, tostring, string.format and table.sort as they are in a lab: the same in every run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "script/guard.h"
#include "script/ordered.h"
#include "script/runtime.h"

#include <lauxlib.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static char failure[4096];
static struct runtime *runtime;

static uint64_t now_us(void *context)
{
    (void)context;
    return 1;
}

/* Every state begins with other numbers, as every process does. */
static void draw(void *context, void *out, size_t bytes)
{
    static unsigned char next;
    (void)context;
    memset(out, ++next, bytes);
}

static void keep_log(void *context, enum moth_log_level level, const char *text)
{
    (void)context, (void)level;
    if (!failure[0]) snprintf(failure, sizeof failure, "%s", text);
}

static const struct moth_host host = {.now_us = now_us, .wall_ms = now_us, .random = draw, .log = keep_log};

static int call_open(lua_State *L)
{
    ordered_open(L);
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    failure[0] = '\0';
    runtime = runtime_new(&host);
    return runtime ? runtime_call(runtime, call_open, NULL) : -1;
}

static int tear_down(void **state)
{
    (void)state;
    runtime_free(runtime);
    return 0;
}

static int call_text(lua_State *L)
{
    if (luaL_loadstring(L, lua_touserdata(L, 1)) != LUA_OK) return lua_error(L);
    lua_call(L, 0, 0);
    return 0;
}

/* Lua that asserts. */
static void check(const char *text)
{
    if (runtime_call(runtime, call_text, (void *)(uintptr_t)text) < 0) fail_msg("%s", failure);
}

#define KEYS "local function keys(t) local s = {} for k in pairs(t) do s[#s + 1] = tostring(k) end " \
    "return table.concat(s, ' ') end "

static void test_keys_come_as_numbers_then_texts_then_booleans(void **state)
{
    (void)state;
    check(KEYS "assert(keys{b = 1, [true] = 1, a = 1, [false] = 1, [2] = 1, [1] = 1, [-3] = 1} == "
               "'-3 1 2 a b false true')");
    check(KEYS "assert(keys{['a\\0b'] = 1, a = 1, ['\\xff'] = 1, Z = 1, [''] = 1} == ' Z a a\\0b \\xff')");
    check(KEYS "assert(keys{} == '' and keys{7} == '1')");
}

static void test_integers_and_floats_are_one_row(void **state)
{
    (void)state;
    check(KEYS "assert(keys{[1.5] = 1, [2] = 1, [1] = 1, [-0.5] = 1, [0] = 1} == '-0.5 0 1 1.5 2')");
    check(KEYS "assert(keys{[1e300] = 1, [math.maxinteger] = 1, [-1e300] = 1, [math.mininteger] = 1, [1/0] = 1} == "
               "'-1e+300 -9223372036854775808 9223372036854775807 1e+300 inf')");
    check("local big = math.maxinteger + 1.0 local t = {[big] = 1, [math.maxinteger] = 1} "
          "assert(next(t) == math.maxinteger and next(t, math.maxinteger) == big and next(t, big) == nil)");
}

static void test_random_tables_come_as_a_sort_has_them(void **state)
{
    (void)state;
    check("for round = 1, 200 do\n"
          "  local t, expected, seen = {}, {}, {}\n"
          "  for i = 1, math.random(0, 40) do\n"
          "    local k = math.random(-50, 50)\n"
          "    local kind = math.random(3)\n"
          "    if kind == 1 then k = ('k%d'):format(k) elseif kind == 2 then k = k / 4 end\n"
          "    if t[k] == nil then expected[#expected + 1] = k end\n"
          "    t[k] = i\n"
          "  end\n"
          "  table.sort(expected, function(a, b)\n"
          "    if type(a) ~= type(b) then return type(a) == 'number' end\n"
          "    return a < b\n"
          "  end)\n"
          "  for k, v in pairs(t) do\n"
          "    seen[#seen + 1] = k\n"
          "    assert(v == t[k])\n"
          "  end\n"
          "  assert(#seen == #expected)\n"
          "  for i, k in ipairs(expected) do assert(seen[i] == k) end\n"
          "  local k, i = nil, 0\n"
          "  repeat k, i = next(t, k), i + 1 assert(k == expected[i]) until k == nil\n"
          "end");
}

static void test_a_large_table_is_walked_whole(void **state)
{
    (void)state;
    check("local t, last, count = {}, -1, 0 for i = 1, 10000 do t[i * 7919 % 10007] = i end "
          "for k in pairs(t) do assert(k > last) last, count = k, count + 1 end assert(count == 10000)");
}

static void test_what_is_taken_away_meanwhile_is_left_out(void **state)
{
    (void)state;
    check("local t, seen = {a = 1, b = 2, c = 3, d = 4}, '' for k, v in pairs(t) do seen = seen .. k .. v "
          "t.b = nil t.c = 7 t[k] = nil end assert(seen == 'a1c7d4', seen)");
}

static void test_what_is_added_meanwhile_comes_in_the_next_walk(void **state)
{
    (void)state;
    check("local t, seen = {m = 1}, '' for k in pairs(t) do seen = seen .. k t.z, t.a = 1, 1 end assert(seen == 'm') "
          "seen = '' for k in pairs(t) do seen = seen .. k end assert(seen == 'amz')");
}

static void test_next_goes_on_from_a_key_that_is_gone(void **state)
{
    (void)state;
    check("local t = {a = 1, b = 2, c = 3} t.b = nil assert(next(t, 'b') == 'c' and next(t, 'c') == nil)");
    check("assert(next({}) == nil and select('#', next({})) == 1)");
}

static double cpu_seconds(const char *text)
{
    clock_t begin = clock();
    check(text);
    return (double)(clock() - begin) / CLOCKS_PER_SEC;
}

/* Where each step looks at all keys, the second is a thousand times the first. */
static void test_next_walks_a_large_table_in_little_more_time_than_pairs(void **state)
{
    (void)state;
    check("t = {} for i = 1, 20000 do t[i * 7919 % 20011] = i end");
    double by_pairs = cpu_seconds("local last = -1 for k in pairs(t) do assert(k > last) last = k end");
    double by_next = cpu_seconds("local last, count = -1, 0 for k, v in next, t do assert(k > last and v == t[k]) "
                                 "last, count = k, count + 1 end assert(count == 20000)");
    assert_true(by_next < 50 * by_pairs + 0.1);
}

static void test_next_leaves_out_what_was_taken_away(void **state)
{
    (void)state;
    check("local t, seen = {}, {} for i = 1, 100 do t[i] = i end "
          "for k in next, t do seen[#seen + 1] = k t[k] = nil if k < 100 and k % 3 == 1 then t[k + 1] = nil end end "
          "assert(#seen == 67 and seen[2] == 3 and seen[67] == 100 and next(t) == nil)");
}

static void test_walks_by_next_may_be_in_one_another(void **state)
{
    (void)state;
    check("local t, count, sum = {}, 0, 0 for i = 1, 50 do t['k' .. i] = i end "
          "for _, a in next, t do for _, b in next, t do count, sum = count + 1, sum + a * b end end "
          "assert(count == 2500 and sum == 1275 * 1275)");
}

static void test_next_goes_on_from_a_key_that_came_meanwhile(void **state)
{
    (void)state;
    check("local t = {} for i = 1, 50 do t[i] = i end local k = next(t, next(t)) "
          "t[2.5], t[2.75] = 1, 1 assert(next(t, 2.5) == 2.75 and next(t, 2.75) == 3 and next(t, 2) == 2.5)");
    check("local t = {} for i = 1, 50 do t[i] = i end local k = next(t, next(t)) "
          "t[1.5] = 1 assert(next(t) == 1 and next(t, 1) == 1.5)");
    check("local t = {} for i = 1, 50 do t[i] = i end for _ in next, t do end t[2.5] = 1 assert(next(t, 2) == 2.5)");
    check("assert(next({7, a = 1}, 0/0) == 'a' and next({[1.5] = 1, [2] = 1}, -0.5) == 1.5)");
}

static void test_what_the_collector_takes_meanwhile_is_left_out(void **state)
{
    (void)state;
    check("local t, kept, seen = setmetatable({}, {__mode = 'v'}), {}, '' "
          "for i = 1, 9 do t['k' .. i] = {} if i % 4 == 1 then kept[i] = t['k' .. i] end end "
          "for k in pairs(t) do seen = seen .. k collectgarbage() end assert(seen == 'k1k5k9', seen)");
}

static void test_what_pairs_returns_wants_a_table(void **state)
{
    (void)state;
    check("local f, t = pairs{a = 1} local ok, why = pcall(f) assert(not ok and why:find 'table expected') "
          "local k, v = f(t) assert(k == 'a' and v == 1)");
}

static void test_a_pairs_of_ones_own_may_wait(void **state)
{
    (void)state;
    check("local t = setmetatable({}, {__pairs = function(t) coroutine.yield('waits') return next, {a = 1} end}) "
          "local go = coroutine.wrap(function() for k in pairs(t) do return k end end) "
          "assert(go() == 'waits' and go() == 'a')");
}

static void test_metamethods_are_respected(void **state)
{
    (void)state;
    check("local t = setmetatable({}, {__pairs = function(t) return function(_, k) if not k then return 1, 2 end end, "
          "t end}) local n = 0 for k, v in pairs(t) do n = n + k + v end assert(n == 3)");
    check("local ok, why = pcall(pairs, setmetatable({}, {__pairs = function() error('no', 0) end})) "
          "assert(not ok and why == 'no')");
    check("assert(not pcall(pairs, 7) and not pcall(pairs) and not pcall(next, 7))");
}

static void test_one_new_object_has_a_place_and_several_have_none(void **state)
{
    (void)state;
    check(KEYS "local o = {} assert(keys{a = 1, [o] = 1} == 'a table: 0x000001')");
    check("local ok, why = pcall(pairs, {[{}] = 1, [{}] = 1}) assert(not ok and why:find 'use names or numbers')");
    check("local ok, why = pcall(next, {[{}] = 1, [print] = 1}) assert(not ok and why:find 'use names or numbers')");
    check("local o = {} local t = {[o] = 1} assert(next(t, o) == nil and next(t) == o)");
    check(KEYS "local a, b = {}, {} local _ = tostring(b), tostring(a) local t = {[a] = 1, [b] = 1} "
               "local first = next(t) assert(first == b and next(t, b) == a and next(t, a) == nil)");
}

static void test_what_was_refused_has_no_number(void **state)
{
    (void)state;
    check("local a, b = {}, {} local t = {[a] = 1, [b] = 1} "
          "for _ = 1, 2 do assert(not pcall(pairs, t) and not pcall(next, t)) end "
          "assert(tostring(b) == 'table: 0x000001' and next(t) == b and tostring(a) == 'table: 0x000002')");
}

static void test_objects_have_numbers_in_the_order_in_which_they_are_shown(void **state)
{
    (void)state;
    check("local a, b = {}, print assert(tostring(b) == 'function: 0x000001' and tostring(a) == 'table: 0x000002') "
          "assert(tostring(b) == 'function: 0x000001' and tostring(coroutine.create(print)) == 'thread: 0x000003')");
}

static void test_what_has_a_text_of_its_own_keeps_it(void **state)
{
    (void)state;
    check("assert(tostring(setmetatable({}, {__tostring = function() return 'me' end})) == 'me')");
    check("assert(tostring(setmetatable({}, {__name = 'thing'})):find '^thing: 0x%x+$')");
    check("assert(tostring(1.5) == '1.5' and tostring(nil) == 'nil' and tostring(true) == 'true')");
    check("assert(tostring'x' == 'x')");
    check("assert(not pcall(tostring))");
    check("local null = require('moth.json').null assert(tostring(null):find '^userdata: ') "
          "assert(('%p'):format(null) == '(null)' and tostring(null) == tostring(null)) "
          "local t = {} assert(tonumber(('%p'):format(t)) + 1 == tonumber(('%p'):format{}))");
}

static void test_format_shows_numbers_instead_of_addresses(void **state)
{
    (void)state;
    check("local t = {} assert(('%s|%p|%10p|%-10p|%5.2f|%d%%|%q'):format(t, t, t, t, 1.5, 7, 'x') == "
          "'table: 0x000001|0x000001|  0x000001|0x000001  | 1.50|7%|\"x\"')");
    check("assert(('%p'):format(7) == '(null)' and ('%s'):format(nil) == 'nil')");
    check("assert(not pcall(string.format, '%d', 'x') and not pcall(string.format, '%s'))");
    check("assert(not pcall(string.format))");
    check("local many = {} for i = 1, 400 do many[i] = i end "
          "assert(#('%d '):rep(400):format(table.unpack(many)) == 1492)");
    check("assert(('%%'):format() == '%' and (''):format() == '' and not pcall(string.format, '%'))");
}

static void test_two_states_say_the_same(void **state)
{
    static const char text[] = KEYS "local t = {} for i = 1, 10 do t['k' .. i] = {} end local all = keys(t) "
                               "for _, v in pairs(t) do all = all .. tostring(v) end error(all, 0)";
    char first[sizeof failure];
    (void)state;
    assert_int_equal(runtime_call(runtime, call_text, (void *)(uintptr_t)text), MOTH_EIO);
    snprintf(first, sizeof first, "%s", failure);
    runtime_free(runtime);
    assert_int_equal(set_up(NULL), 0);
    assert_int_equal(runtime_call(runtime, call_text, (void *)(uintptr_t)text), MOTH_EIO);
    assert_string_equal(failure, first);
    assert_non_null(strstr(first, "table: 0x00000a"));
}

static void test_errors_call_a_function_by_one_name(void **state)
{
    (void)state;
    check("for _, f in ipairs{math.atan, math.atan2} do "
          "local ok, why = pcall(f, {}) assert(not ok and why:find(\"'math.atan'\", 1, true), why) end");
    check("assert(not math.atan2 or math.atan2(1, 2) == math.atan(1, 2))");
}

static void test_the_guard_stops_it_while_it_sorts(void **state)
{
    (void)state;
    guard_set_limits(runtime_guard(runtime), 10, (size_t)1 << 30);
    check("t = {} for i = 1, 1000000 do t[i * 7919 % 1000003 + 0.5] = i end");
    double whole = cpu_seconds("pairs(t)"); /* some fifty times as long */
    double stopped = cpu_seconds("local core = require 'moth.core' "
                                 "local thread = coroutine.create(function() pairs(t) end) "
                                 "local code, _, word = core.resume(core.account('mallory'), thread) "
                                 "assert(code == core.ERROR and word == 'cpu', word)");
    assert_true(stopped < whole);
}

/* --- table.sort --- */

static void test_sort_keeps_the_order_of_what_is_equal(void **state)
{
    (void)state;
    check("for _, count in ipairs { 0, 1, 2, 3, 7, 100, 101, 128, 1000, 5000 } do "
          "  local list = {} "
          "  for i = 1, count do list[i] = { i * 7919 % 13, i } end "
          "  table.sort(list, function(a, b) return a[1] < b[1] end) "
          "  assert(#list == count) "
          "  for i = 2, count do "
          "    local a, b = list[i - 1], list[i] "
          "    assert(a[1] < b[1] or a[1] == b[1] and a[2] < b[2], i) "
          "  end "
          "end");
}

static void test_sort_without_a_function_goes_by_less_than(void **state)
{
    (void)state;
    check("local t = { 3, 1, 2.5, -1 } assert(table.sort(t) == nil and table.concat(t, ' ') == '-1 1 2.5 3')");
    check("local t = { 'b', 'a', 'B' } table.sort(t, nil) assert(table.concat(t) == 'Bab')");
}

static void test_sort_refuses_what_cannot_be_sorted(void **state)
{
    (void)state;
    check("local function no(why, ...) local ok, text = pcall(table.sort, ...) "
          "assert(not ok and text:find(why, 1, true), text) end "
          "no('table expected', 5) no('value expected') no('function expected', {}, 5) "
          "no('attempt to compare', { 1, 'a' }) "
          "no('array too big', setmetatable({}, { __len = function() return 1 << 40 end, __index = rawget }))");
}

static void test_sort_leaves_the_list_alone_when_it_fails(void **state)
{
    (void)state;
    check("local list, asked = {}, 0 "
          "for i = 1, 300 do list[i] = 301 - i end "
          "assert(not pcall(table.sort, list, function(a, b) asked = asked + 1 if asked > 500 then error 'x' end "
          "return a < b end)) "
          "for i = 1, 300 do assert(list[i] == 301 - i) end");
}

static void test_sort_goes_by_metamethods(void **state)
{
    (void)state;
    check("local kept = { 3, 1, 2 } "
          "local list = setmetatable({}, { __len = function() return 3 end, __index = kept, "
          "__newindex = function(_, k, v) kept[k] = v end }) "
          "table.sort(list) assert(table.concat(kept, ' ') == '1 2 3' and next(list) == nil)");
}

static void test_the_guard_stops_a_sort(void **state)
{
    (void)state;
    guard_set_limits(runtime_guard(runtime), 10, (size_t)1 << 30);
    check("t = {} for i = 1, 1000000 do t[i] = i * 7919 % 1000003 end");
    check("local core = require 'moth.core' "
          "local thread = coroutine.create(function() table.sort(t) end) "
          "local code, _, word = core.resume(core.account('mallory'), thread) "
          "assert(code == core.ERROR and word == 'cpu', word) "
          "assert(t[1] == 7919 and t[2] == 15838, 'it had come to its end')");
}

static void test_scripts_see_it_too(void **state)
{
    (void)state;
    check("local env = require('moth.core').libraries() assert(env.pairs == pairs and env.next == next)"
          "assert(env.tostring == tostring and env.string.format == string.format)"
          "assert(env.table.sort == table.sort)");
}

static int call_tolstring(lua_State *L)
{
    lua_newtable(L);
    if (strncmp(ordered_tolstring(L, -1, NULL), "table: 0x", 9) != 0) return luaL_error(L, "no text");
    lua_pushboolean(L, strcmp(lua_tostring(L, -1), "table: 0x000001") == 0);
    *(bool *)lua_touserdata(L, 1) = lua_toboolean(L, -1);
    return 0;
}

static void test_without_a_lab_texts_are_luas_own(void **state)
{
    bool is_numbered = false;
    (void)state;
    assert_int_equal(runtime_call(runtime, call_tolstring, &is_numbered), 0);
    assert_true(is_numbered);
    runtime_free(runtime);
    runtime = runtime_new(&host);
    assert_int_equal(runtime_call(runtime, call_tolstring, &is_numbered), 0);
    assert_false(is_numbered);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_keys_come_as_numbers_then_texts_then_booleans),
        TEST(test_integers_and_floats_are_one_row),
        TEST(test_random_tables_come_as_a_sort_has_them),
        TEST(test_a_large_table_is_walked_whole),
        TEST(test_what_is_taken_away_meanwhile_is_left_out),
        TEST(test_what_is_added_meanwhile_comes_in_the_next_walk),
        TEST(test_next_goes_on_from_a_key_that_is_gone),
        TEST(test_next_walks_a_large_table_in_little_more_time_than_pairs),
        TEST(test_next_leaves_out_what_was_taken_away),
        TEST(test_walks_by_next_may_be_in_one_another),
        TEST(test_next_goes_on_from_a_key_that_came_meanwhile),
        TEST(test_what_the_collector_takes_meanwhile_is_left_out),
        TEST(test_what_pairs_returns_wants_a_table),
        TEST(test_a_pairs_of_ones_own_may_wait),
        TEST(test_metamethods_are_respected),
        TEST(test_one_new_object_has_a_place_and_several_have_none),
        TEST(test_what_was_refused_has_no_number),
        TEST(test_objects_have_numbers_in_the_order_in_which_they_are_shown),
        TEST(test_what_has_a_text_of_its_own_keeps_it),
        TEST(test_format_shows_numbers_instead_of_addresses),
        TEST(test_two_states_say_the_same),
        TEST(test_errors_call_a_function_by_one_name),
        TEST(test_the_guard_stops_it_while_it_sorts),
        TEST(test_sort_keeps_the_order_of_what_is_equal),
        TEST(test_sort_without_a_function_goes_by_less_than),
        TEST(test_sort_refuses_what_cannot_be_sorted),
        TEST(test_sort_leaves_the_list_alone_when_it_fails),
        TEST(test_sort_goes_by_metamethods),
        TEST(test_the_guard_stops_a_sort),
        TEST(test_scripts_see_it_too),
        TEST(test_without_a_lab_texts_are_luas_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
