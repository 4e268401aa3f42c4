/* test_sandbox.c -- the libraries as scripts get them, and code that comes as text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "script/runtime.h"

#include <lauxlib.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOG_BYTES 8192

static char log_text[LOG_BYTES];

static uint64_t fake_time(void *context)
{
    (void)context;
    return 1893456000123u;
}

static void fake_random(void *context, void *out, size_t bytes)
{
    (void)context;
    memset(out, 7, bytes);
}

static void keep_log(void *context, enum moth_log_level level, const char *text)
{
    (void)context, (void)level;
    size_t used = strlen(log_text);
    snprintf(log_text + used, LOG_BYTES - used, "%s\n", text);
}

static const struct moth_host host = {.now_us = fake_time, .wall_ms = fake_time, .random = fake_random,
                                      .log = keep_log};

static struct runtime *runtime;
static char folder[] = "/tmp/moth-sandbox-XXXXXX";

static int run_text(lua_State *L)
{
    const char *text = lua_touserdata(L, 1);
    if (luaL_loadbufferx(L, text, strlen(text), "=test", "t") != LUA_OK) return lua_error(L);
    lua_call(L, 0, 0);
    return 0;
}

/* Runs trusted Lua that asserts; what failed is in the log. */
static void check(const char *text)
{
    log_text[0] = '\0';
    if (runtime_call(runtime, run_text, (void *)(uintptr_t)text) < 0) fail_msg("%s", log_text);
}

/* Runs it as a script does: in an environment of its own, with `same` and `fails` beside the libraries. */
static void script(const char *text)
{
    char call[8192];
    snprintf(call, sizeof call,
             "local env = core.libraries() env.same, env.fails = same, fails "
             "local fn = assert(core.load([====[%s]====], '@bot.lua', env)) "
             "local code, why = core.resume(core.account('bot'), coroutine.create(fn)) "
             "assert(code == core.DONE, why)", text);
    check(call);
}

static int set_up(void **state)
{
    (void)state;
    runtime = runtime_new(&host);
    if (!runtime) return -1;
    check("core = require 'moth.core'\n"
          "function same(a, b) if a ~= b then error(tostring(a) .. ' is not ' .. tostring(b), 2) end end\n"
          "function fails(sentence, fn, ...) local ok, why = pcall(fn, ...)\n"
          "  if ok or not tostring(why):find(sentence, 1, true) then error(tostring(why), 2) end end\n");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    runtime_free(runtime);
    return 0;
}

/* --- what there is --- */

static void test_a_script_sees_these_names_and_no_others(void **state)
{
    (void)state;
    check("local names = {} for name in pairs(core.libraries()) do names[#names + 1] = name end table.sort(names)"
          " same(table.concat(names, ' '), '_VERSION assert collectgarbage coroutine error getmetatable ipairs"
          " math next'"
          " .. ' os pairs pcall rawequal rawget rawlen rawset select setmetatable string table tonumber tostring type'"
          " .. ' utf8 xpcall')");
    check("local names = {} for name in pairs(core.libraries().os) do names[#names + 1] = name end table.sort(names)"
          " same(table.concat(names, ' '), 'clock date getenv time')");
}

static void test_what_a_script_changes_no_other_sees(void **state)
{
    (void)state;
    script("string.rep = nil table.sort = nil math.pi = 3 coroutine.yield = nil os.time = nil utf8.char = nil");
    script("same(('x'):rep(2), 'xx') same(type(string.rep), 'function') same(type(table.sort), 'function')"
           " same(math.pi > 3, true) same(type(coroutine.yield), 'function') same(type(os.time), 'function')"
           " same(type(utf8.char), 'function')");
    check("local a, b = core.libraries(), core.libraries() for _, name in ipairs {'string', 'table', 'math', 'os'} do"
          " assert(a[name] ~= b[name] and a[name] ~= _G[name]) end");
}

static void test_the_methods_of_texts_cannot_be_reached(void **state)
{
    (void)state;
    script("same(getmetatable(''), false) fails('attempt to index', function() (''). x = 1 end)"
           " fails('cannot change a protected metatable', setmetatable, setmetatable({}, {__metatable = 1}), {})"
           " same(('').dump, nil) same(string.dump, nil)");
}

/* --- string --- */

static void test_rep_repeats(void **state)
{
    (void)state;
    script("same(('ab'):rep(3), 'ababab') same(('ab'):rep(3, ', '), 'ab, ab, ab') same((''):rep(3, '-'), '--')"
           " same(('x'):rep(0), '') same(('x'):rep(-5), '') same((''):rep(math.maxinteger), '') same(('x'):rep(1,"
           " 'y'), 'x')"
           " for n = 1, 300 do same(#('abc'):rep(n, '--'), 5 * n - 2) end"
           " same(('a\\0'):rep(2, '\\0'), 'a\\0\\0a\\0')");
    script("fails('resulting string too large', string.rep, 'xy', math.maxinteger)"
           " fails('resulting string too large', string.rep, 'x', 1 << 31)"
           " fails('resulting string too large', string.rep, '', math.maxinteger, 'xy')"
           " fails('number expected', string.rep, 'x', {}) fails('string expected', string.rep, nil, 1)");
}

static void test_format_is_bounded(void **state)
{
    (void)state;
    script("same(('%d %s'):format(1, 'x'), '1 x') same(('%q'):format('a\\nb'), '\"a\\\\\\nb\"')"
           " same(#('%q'):format(('x'):rep(1 << 20)), (1 << 20) + 2)"
           " fails('%q takes at most 1 MiB', string.format, '%q', ('x'):rep((1 << 20) + 1))"
           " same(#('%s'):format(('x'):rep(2 << 20)), 2 << 20)"
           " same(#(('%d'):rep(999)):format(table.unpack((function() local t = {}"
           "   for i = 1, 999 do t[i] = 1 end return t end)())), 999)"
           " fails('at most 1000 arguments', string.format, '', table.unpack({}, 1, 1000))");
}

/* --- table --- */

#define LONG "setmetatable({}, {__len = function() return 1 << 60 end})"

static void test_the_table_library_works_as_ever(void **state)
{
    (void)state;
    script("local t = {1, 2, 3} table.insert(t, 4) table.insert(t, 1, 0) same(table.concat(t, ','), '0,1,2,3,4')"
           " same(table.remove(t), 4) same(table.remove(t, 1), 0) same(table.concat(t), '123')"
           " same(table.concat(t, '-', 2), '2-3') same(table.concat(t, '-', 2, 2), '2') same(table.concat({}, 'x'), '')"
           " same(table.concat(table.move(t, 1, 3, 2)), '1123') same(table.move(t, 1, 0, 5), t)"
           " same(table.remove({}, 0), nil) same(table.remove({}), nil)");
    script("local t = {5, 2, 8, 1} table.sort(t) same(table.concat(t), '1258')"
           " table.sort(t, function(a, b) return a > b end) same(table.concat(t), '8521')"
           " table.sort(t, nil) same(table.concat(t), '1258') local w = {'b', 'a'} table.sort(w) same(w[1], 'a')"
           " fails('attempt to compare', table.sort, {1, 'x', {}}) fails('invalid order function', table.sort,"
           "   {1, 2, 3, 4, 5}, function() return true end)");
    script("fails('table expected', table.insert, 1, 2) fails('wrong number of arguments', table.insert, {}, 1, 2, 3)"
           " fails('position out of bounds', table.insert, {}, 5, 1) fails('table expected', table.concat, 1)"
           " fails('invalid value', table.concat, {{}}) fails('table expected', table.remove, nil, 1)"
           " fails('table expected', table.sort, nil) fails('number expected', table.insert, {}, 'x', 1)");
}

static void test_the_table_library_touches_a_million_places_at_most(void **state)
{
    (void)state;
    script("local why = 'more than 1000000 places of a table at once'"
           " fails(why, table.insert, " LONG ", 1, 'x') fails(why, table.remove, " LONG ", 1)"
           " fails(why, table.move, {}, 1, 1000001, 2) fails(why, table.move, {}, math.mininteger, math.maxinteger, 2)"
           " fails(why, table.concat, " LONG ") fails(why, table.concat, {}, '', 1, 1000001)"
           " table.move({}, 1, 1000000, 2)");
    script("local kept local t = setmetatable({}, {__len = function() return (1 << 60) - 1 end,"
           " __newindex = function(_, k) kept = k end}) table.insert(t, 'x') same(kept, 1 << 60)");
}

/* --- base --- */

static void test_xpcall_calls_its_handler_afterwards(void **state)
{
    (void)state;
    script("same(select('#', xpcall(function(...) return ... end, error, 1, nil, nil)), 4)"
           " local ok, a, b = xpcall(function(x, y) return y, x end, error, 1, 2) same(ok, true) same(a, 2) same(b, 1)"
           " local ok, why = xpcall(error, function(e) return 'saw ' .. e end, 'this', 0) same(ok, false)"
           " same(why, 'saw this') same(select('#', xpcall(error, function() end)), 2)"
           " same(select('#', xpcall(error, function() return 1, 2 end)), 2)");
    script("local closed = false local ok, seen = xpcall(function() local x <close> = setmetatable({},"
           " {__close = function() closed = true end}) error('x') end, function() return closed end) same(seen, true)");
    script("local ok, why = xpcall(error, function(e) error('handler', 0) end, 'first') same(ok, false)"
           " same(why, 'handler') fails('function expected', xpcall, error) fails('function expected', xpcall)"
           " local ok, why = xpcall(nil, function(e) return e end) same(ok, false)");
}

static void test_xpcall_and_its_handler_may_wait(void **state)
{
    (void)state;
    script("local co = coroutine.wrap(function() return xpcall(function() coroutine.yield(1) error('late', 0) end,"
           " function(e) coroutine.yield(2) return e .. ' seen' end) end) same(co(), 1) same(co(), 2)"
           " local ok, why = co() same(ok, false) same(why, 'late seen')");
    script("local co = coroutine.wrap(function() return xpcall(function(x) return coroutine.yield(x) end, error,"
          " 7) end)"
           " same(co(), 7) local ok, a, b = co(8, 9) same(ok, true) same(a, 8) same(b, 9)");
}

static void test_setmetatable_refuses_finalizers_only(void **state)
{
    (void)state;
    script("local t, m = {}, {__index = {x = 1}} same(setmetatable(t, m), t) same(t.x, 1) same(getmetatable(t), m)"
           " setmetatable(t, nil) same(t.x, nil) fails('no __gc', setmetatable, {}, {__gc = false})"
           " fails('no __gc', setmetatable, {}, {__gc = function() end}) fails('table expected', setmetatable, 1, {})"
           " fails('nil or table expected', setmetatable, {}, 1)"
           " setmetatable({}, setmetatable({}, {__index = {__gc = true}}))");
}

static void test_collectgarbage_counts_and_collects(void **state)
{
    (void)state;
    script("same(math.type(collectgarbage('count')), 'float') same(collectgarbage(), 0)"
          " same(collectgarbage('collect'), 0)"
           " same(type(collectgarbage('step')), 'boolean') for _, what in ipairs {'stop', 'restart', 'incremental',"
           " 'generational', 'setpause', 'isrunning'} do fails('invalid option', collectgarbage, what) end");
}

static void test_a_date_format_is_short(void **state)
{
    (void)state;
    script("same(os.date('!%Y', 0), '1970') fails('too long', os.date, ('x'):rep(1001))"
          " same(#os.date(('x'):rep(1000)), 1000)");
}

/* --- coroutine --- */

static void test_coroutines_work_as_ever(void **state)
{
    (void)state;
    script("local co = coroutine.create(function(a, b) local c = coroutine.yield(a + b) error('x' .. c, 0) end)"
           " same(select(2, coroutine.resume(co, 1, 2)), 3) same(coroutine.status(co), 'suspended')"
           " local ok, why = coroutine.resume(co, 'y') same(ok, false) same(why, 'xy') same(coroutine.status(co),"
           " 'dead')"
           " ok, why = coroutine.resume(co) same(ok, false) same(why, 'cannot resume dead coroutine')"
           " ok, why = coroutine.close(co) same(ok, false) same(why, 'xy')");
    script("local ok, why = coroutine.resume(coroutine.running()) same(ok, false)"
           " same(why, 'cannot resume non-suspended coroutine') fails('coroutine expected', coroutine.resume, 1)"
           " fails('cannot close a coroutine that runs', coroutine.close, (coroutine.running()))"
           " fails('coroutine expected', coroutine.close) fails('function expected', coroutine.wrap, 1)");
    script("local outer = coroutine.running() local ok, why = coroutine.wrap(function()"
           "   return coroutine.resume(outer) end)() same(ok, false) same(why, 'cannot resume non-suspended coroutine')"
           " fails('cannot close a coroutine that runs', coroutine.wrap(function() coroutine.close(outer) end))");
    script("local co = coroutine.create(function() return 1, nil, nil end) same(select('#', coroutine.resume(co)), 4)"
           " same(coroutine.close(co), true) same(coroutine.close(coroutine.create(error)), true)"
           " for i = 1, 100 do same(coroutine.resume(co, 1, 2, 3), false) end");
}

static void test_wrap_closes_what_failed(void **state)
{
    (void)state;
    script("local seen local f = coroutine.wrap(function() local x <close> = setmetatable({}, {__close = function(_, e)"
           " seen = e end}) error({}) end) local ok, why = pcall(f) same(ok, false) same(type(why), 'table')"
           " same(seen, why)"
           " fails('cannot resume dead coroutine', f)");
    script("local f = coroutine.wrap(function() error('in here', 0) end)"
           " local ok, why = pcall(function() f() end) same(why, 'bot.lua:1: in here')");
    script("local f = coroutine.wrap(function() local x <close> = setmetatable({}, {__close = function()"
           " error('closing', 0) end}) error('first', 0) end) fails('closing', f)");
    script("local f = coroutine.wrap(function(...) local n = select('#', ...) while true do n = coroutine.yield(n)"
          " end end)"
           " same(f(1, nil, nil), 3) same(f('x'), 'x') for i in coroutine.wrap(function() for i = 1, 3 do"
           " coroutine.yield(i) end end) do same(i <= 3, true) end");
}

static void test_close_runs_close_variables(void **state)
{
    (void)state;
    script("local order = '' local function mark(name) return setmetatable({}, {__close = function()"
           " order = order .. name end}) end local co = coroutine.create(function() local a <close> = mark 'a'"
           " local b <close> = mark 'b' coroutine.yield() end) coroutine.resume(co) same(coroutine.close(co), true)"
           " same(order, 'ba') same(coroutine.status(co), 'dead')");
    script("local co = coroutine.create(function() local a <close> = setmetatable({}, {__close = function()"
          " error('c', 0)"
           " end}) coroutine.yield() end) coroutine.resume(co) local ok, why = coroutine.close(co) same(ok, false)"
           " same(why, 'c')");
}

/* --- code --- */

static void test_load_takes_texts_and_readers(void **state)
{
    (void)state;
    check("local env = {} local fn = core.load('x = ...', '=x', env) fn(5) same(env.x, 5) same(x, nil)");
    check("local parts = {'return ', '1', '+', '2'} local i = 0"
          " local fn = core.load(function() i = i + 1 return parts[i] end, '=x', {}) same(fn(), 3)"
          " same(core.load('', '=x', {})(), nil) same(core.load(function() return '' end, '=x', {})(), nil)");
    check("local long = 'return \"' .. ('y'):rep(10000) .. '\"' same(#core.load(long, '=x', {})(), 10000)");
    check("local fn, why = core.load('x x', '=bot', {}) same(fn, nil) same(why, \"bot:1: syntax error near 'x'\")"
          " fn, why = core.load(function() return 5 end, '=x', {}) same(fn, nil)"
          " fn, why = select(2, pcall(core.load, function() error('reader', 0) end, '=x', {})) same(why, 'reader')");
    check("fails('1 MiB', core.load, ('-'):rep((1 << 20) + 1), '=x', {}) assert(core.load(('-'):rep(1 << 20),"
          " '=x', {}))"
          " fails('table expected', core.load, '', '=x') fails('string expected', core.load, {}, '=x', {})");
}

static void test_load_never_takes_bytecode(void **state)
{
    (void)state;
    check("local fn, why = core.load('\\27Lua', '=x', {}) same(fn, nil)"
          " assert(why:find('attempt to load a binary chunk', 1, true), why)"
          " fn, why = core.load(function() return '\\27Lua' end, '=x', {}) same(fn, nil)");
}

static void write_file(const char *name, const char *text, size_t bytes)
{
    char path[200];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, bytes, f), bytes);
    fclose(f);
}

/* Runs Lua that asserts about the three results of core.read. */
static void check_read(const char *name, const char *asserts)
{
    char call[1000];
    snprintf(call, sizeof call, "local text, why, code = core.read('%s/%s') %s", folder, name, asserts);
    check(call);
}

static void test_read_reads_files_of_at_most_a_megabyte(void **state)
{
    (void)state;
    static char text[(1 << 20) + 1];
    memset(text, 'x', sizeof text);
    write_file("bot.lua", "a\0b", 3);
    check_read("bot.lua", "same(text, 'a\\0b')");
    write_file("empty.lua", "", 0);
    check_read("empty.lua", "same(text, '')");
    write_file("full.lua", text, sizeof text - 1);
    check_read("full.lua", "same(#text, 1 << 20)");
    write_file("big.lua", text, sizeof text);
    check_read("big.lua", "same(text, nil) same(type(why), 'string') same(code, 'too_big')");
}

static void test_read_refuses_what_is_no_file(void **state)
{
    (void)state;
    char path[200];
    check_read("missing.lua", "same(text, nil) same(code, 'not_found')");
    check_read("bot.lua/x.lua", "same(text, nil) same(code, 'not_found')");
    check_read(".", "same(text, nil) same(code, 'io')");
    snprintf(path, sizeof path, "%s/pipe", folder);
    assert_int_equal(mkfifo(path, 0600), 0);
    check_read("pipe", "same(text, nil) same(code, 'io')"); /* and does not wait for a writer */
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    static const char *const names[] = {"bot.lua", "empty.lua", "full.lua", "big.lua", "pipe"};
    char path[200];
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    return rmdir(folder);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_a_script_sees_these_names_and_no_others),
        T(test_what_a_script_changes_no_other_sees),
        T(test_the_methods_of_texts_cannot_be_reached),
        T(test_rep_repeats),
        T(test_format_is_bounded),
        T(test_the_table_library_works_as_ever),
        T(test_the_table_library_touches_a_million_places_at_most),
        T(test_xpcall_calls_its_handler_afterwards),
        T(test_xpcall_and_its_handler_may_wait),
        T(test_setmetatable_refuses_finalizers_only),
        T(test_collectgarbage_counts_and_collects),
        T(test_a_date_format_is_short),
        T(test_coroutines_work_as_ever),
        T(test_wrap_closes_what_failed),
        T(test_close_runs_close_variables),
        T(test_load_takes_texts_and_readers),
        T(test_load_never_takes_bytecode),
        T(test_read_reads_files_of_at_most_a_megabyte),
        T(test_read_refuses_what_is_no_file),
    };
    return cmocka_run_group_tests_name("sandbox", tests, make_folder, remove_folder);
}
