/* test_guard.c -- scripts that mean harm: each is stopped in its budget, and the next dispatch works. */
#include "guard_kit.h"

/* --- endless code --- */

static void test_an_endless_loop_is_stopped(void **state)
{
    (void)state;
    ends("while true do end", "cpu");
    ends("::again:: goto again", "cpu");
    ends("for i = 1, math.huge do end", "cpu");
    ends("repeat until false", "cpu");
    ends("local function f() return f() end return f()", "cpu");
    ends("for _ in function() return 1 end do end", "cpu");
    ends("local t = setmetatable({}, {__index = function(t, i) return i end}) for _ in ipairs(t) do end", "cpu");
}

static void test_pcall_does_not_swallow_the_stop(void **state)
{
    (void)state;
    ends("while true do pcall(function() while true do end end) end", "cpu");
    ends("while true do pcall(pcall, pcall, error) end", "cpu");
    ends("while true do pcall(error) end", "cpu");
}

static void test_an_xpcall_handler_is_stopped(void **state)
{
    (void)state;
    ends("xpcall(error, function() while true do end end)", "cpu");
    ends("while true do xpcall(error, function() error('again') end) end", "cpu");
    ends("while true do xpcall(function() while true do end end, function() while true do end end) end", "cpu");
}

static void test_coroutines_are_no_way_out(void **state)
{
    (void)state;
    ends("coroutine.wrap(function() while true do end end)()", "cpu");
    ends("while true do pcall(coroutine.wrap(function() while true do pcall(error) end end)) end", "cpu");
    ends("while true do coroutine.resume(coroutine.create(function() while true do end end)) end", "cpu");
    ends("while true do coroutine.wrap(function() end)() end", "cpu");
    ends("local c = coroutine.wrap(function() while true do coroutine.yield() end end) while true do c() end", "cpu");
    ends("local function f() while true do coroutine.resume(coroutine.create(f)) end end f()", "cpu");
    ends("for _ in coroutine.wrap(function() while true do coroutine.yield(1) end end) do end", "cpu");
    ends("while true do coroutine.close(coroutine.create(print or error)) end", "cpu");
    ends("coroutine.resume(coroutine.create(coroutine.resume), coroutine.create(function() while true do end end))",
         "cpu");
}

static void test_metamethods_are_stopped(void **state)
{
    (void)state;
    ends("local t = setmetatable({}, {__index = function() while true do end end}) return t.x", "cpu");
    ends("local t = setmetatable({}, {__newindex = function() while true do end end}) t.x = 1", "cpu");
    ends("local m = {__eq = function() while true do end end}"
         "return setmetatable({}, m) == setmetatable({}, m)", "cpu");
    ends("local m = {__lt = function() while true do end end}"
         "table.sort({setmetatable({}, m), setmetatable({}, m), setmetatable({}, m)})", "cpu");
    ends("return setmetatable({}, {__concat = function() while true do end end}) .. 'x'", "cpu");
    ends("return #setmetatable({}, {__len = function() while true do end end})", "cpu");
    ends("return setmetatable({}, {__call = function() while true do end end})()", "cpu");
    ends("return -setmetatable({}, {__unm = function() while true do end end})", "cpu");
    ends("return tostring(setmetatable({}, {__tostring = function() while true do end end}))", "cpu");
    ends("for _ in pairs(setmetatable({}, {__pairs = function() while true do end end})) do end", "cpu");
    ends("return table.concat(setmetatable({}, {__index = function() return '' end, __len = function() return 1 << 60 "
         "end}), '', 1, 999999) .. table.concat(setmetatable({}, {__index = function() while true do end end}),"
         " '', 1, 2)",
         "cpu");
}

static void test_what_c_calls_back_is_stopped(void **state)
{
    (void)state;
    ends("string.gsub('x', 'x', function() while true do end end)", "cpu");
    ends("while true do string.gsub('x', 'x', function() while true do pcall(error) end end) end", "cpu");
    ends("table.sort({3, 2, 1}, function() while true do end end)", "cpu");
    ends("while true do pcall(table.sort, {3, 2, 1}, function() while true do pcall(error) end end) end", "cpu");
    ends("local t = {} for i = 1, 5000 do t[i] = i end while true do pcall(table.sort, t, function() return true"
          " end) end",
         "cpu");
    ends("load(function() while true do end end)", "error"); /* scripts get their load from sandbox.lua */
    ends("string.gsub('x', 'x', setmetatable({}, {__index = function() while true do end end}))", "cpu");
}

/* --- C that no hook reaches --- */

static void test_loops_of_the_libraries_end(void **state)
{
    (void)state;
    ends("while true do local s = (''):rep(1e18) end", "cpu");
    ends("while true do pcall(table.move, {}, 1, 1 << 60, 2) end", "cpu");
    ends("local t = setmetatable({}, {__len = function() return 1 << 60 end}) table.insert(t, 1, 2)", "error");
    ends("local t = setmetatable({}, {__len = function() return 1 << 60 end}) table.remove(t, 1)", "error");
    ends("local t = setmetatable({}, {__len = function() return 1 << 60 end, __index = rawlen})"
          " table.concat(t)", "error");
    ends("table.unpack({}, 1, 1 << 30)", "error");
    ends("local t = setmetatable({}, {__len = function() return 2147483646 end, __index = rawlen})"
         "while true do pcall(table.sort, t, rawequal) end", "cpu");
    ends("local s = ('x'):rep(1000000) local t = {} for i = 1, 50000 do t[i] = s end"
         " while true do table.sort(t) end", "cpu");
    ends("local t = {} for i = 1, 200 do t[i] = i + 0.5 end while true do"
         " pcall(string.format, ('%99.99f'):rep(200), table.unpack(t)) end", "cpu");
    ends("string.format('%q', ('\\0'):rep(1100000))", "error");
    ends("os.date(('%c'):rep(100000))", "error");
}

static void test_a_pattern_bomb_ends(void **state)
{
    (void)state;
    ends("while true do pcall(string.find, ('a'):rep(30), ('a?'):rep(30) .. ('a'):rep(30)) end", "cpu");
    ends("while true do pcall(string.find, ('a'):rep(1000000), ('a'):rep(500000) .. 'b', 1, true) end", "cpu");
    ends("while true do pcall(string.gsub, ('a'):rep(100000), '.-b', '') end", "cpu");
}

static void test_the_compiler_is_stopped(void **state)
{
    (void)state;
    const char *elseifs = "local text = {'if a then '} for i = 2, 70000 do text[i] = 'elseif a then ' end"
                          " text[70001] = 'end' text = table.concat(text) while true do load(text, 'x', 'x', {}) end";
    check("loader = function(text) return core.load(text, '=x', {}) end");
    char call[1000];
    snprintf(call, sizeof call, "expect('cpu', run([[%s]], {load = loader}))", elseifs);
    double before = cpu_ms();
    check(call);
    assert_true(cpu_ms() - before < CPU_MS + LATE_MS * SLOWNESS);
    check("expect('cpu', run([[load(function() while true do end end)]], {load = loader}))");
    check("local code, fn, why = run([[return load(function() return ('a=1 '):rep(1000) end)]], {load = loader})"
          "assert(code == core.DONE and not fn and why:find('at most 1 MiB', 1, true), why) fine()");
}

/* --- <close>, __gc --- */

static void test_a_finalizer_is_refused(void **state)
{
    (void)state;
    check("local code, text, word = run [[setmetatable({}, {__gc = function() while true do end end})]]"
          "assert(word == 'error' and text:find('no __gc', 1, true), text)");
    ends("local m = {} m.__gc = true setmetatable({}, m)", "error");
    check("expect('error', run [[local m = {} local t = setmetatable({}, m) m.__gc = error setmetatable(t, m)]])");
}

static void test_close_variables_are_stopped(void **state)
{
    (void)state;
    ends("do local x <close> = " SPIN " end", "cpu");
    ends("local x <close> = " SPIN " error('x')", "error"); /* which came first */
    ends("local x <close> = " SPIN " while true do end", "cpu");
    ends("pcall(function() local x <close> = " SPIN " error('x') end)", "cpu");
    ends("while true do pcall(function() local x <close> = " SPIN " local y <close> = " SPIN " end) end", "cpu");
    ends("local c = coroutine.create(function() local x <close> = " SPIN " coroutine.yield() end)"
         "coroutine.resume(c) coroutine.close(c)", "cpu");
    ends("coroutine.wrap(function() local x <close> = " SPIN " error('x') end)()", "cpu");
    ends("local x <close> = " SPIN " table.sort({3, 2, 1}, function() while true do end end)", "cpu");
    ends("local x <close> = " SPIN " string.gsub('x', 'x', function() pcall(error) while true do end end)", "cpu");
    ends("while true do local c = coroutine.wrap(function() local x <close> = " SPIN
         " table.sort({3, 2, 1}, function() while true do end end) end) pcall(c) end", "cpu");
    ends("for i = 1, 2 do coroutine.wrap(function() local x <close> = " SPIN " local y <close> = " SPIN
         " coroutine.wrap(function() local z <close> = " SPIN " while true do end end)() end)() end", "cpu");
}

static void test_many_stopped_coroutines_share_their_last_time(void **state)
{
    (void)state;
    ends("local function nest(n) local x <close> = " SPIN
         " if n == 0 then while true do end end coroutine.wrap(nest)(n - 1) end nest(100)", "cpu");
}

static void test_a_close_of_a_task_is_stopped(void **state)
{
    (void)state;
    double before = cpu_ms();
    check("run [[local x <close> = " SPIN " coroutine.yield()]]"
          "local ok, text, word = core.close(account, thread)"
          "assert(ok == nil and word == 'cpu' and text:find('for too long', 1, true), text)");
    assert_true(cpu_ms() - before < CPU_MS + LATE_MS * SLOWNESS);
    check("fine()");
}

static void test_a_stopped_task_runs_its_close_variables(void **state)
{
    (void)state;
    check("done = {} expect('cpu', run([[local x <close> = setmetatable({}, {__close = function() done.x = true end})"
          " coroutine.wrap(function() local y <close> = setmetatable({}, {__close = function() done.y = true end})"
          " while true do end end)()]], {done = done})) assert(done.x and done.y)");
}

static void test_a_failed_task_runs_its_close_variables(void **state)
{
    (void)state;
    check("done = {} local text = expect('error', run([[local x <close> = setmetatable({}, {__close = function(_, why)"
          " done.why = why end}) error('broken', 0)]], {done = done})) assert(done.why == 'broken', done.why)"
          "assert(text:find('^broken\\nstack traceback:\\n'), text)");
}

static void test_close_ends_a_task_that_waits(void **state)
{
    (void)state;
    check("done = {} run([[local x <close> = setmetatable({}, {__close = function() done.x = true end})"
          " pcall(coroutine.yield) done.y = true]], {done = done})"
          "assert(core.close(account, thread) == true and done.x and not done.y)"
          "assert(again() == core.ERROR)");
}

static void test_an_error_in_close_is_told(void **state)
{
    (void)state;
    check("run [[local x <close> = setmetatable({}, {__close = function() error('late', 0) end}) coroutine.yield()]]"
          "local ok, text, word = core.close(account, thread)"
          "assert(ok == nil and text == 'late' and word == 'error')");
}

static void test_twenty_thousand_chained_closes_are_survived(void **state)
{
    (void)state;
    set_limits(5000 * SLOWNESS, (size_t)64 << 20);
    check("local code, result = run [[local last = nil for i = 1, 20000 do local before = last"
          " last = coroutine.create(function() local x <close> = setmetatable({}, {__close = function()"
          "   if before then local ok, why = coroutine.close(before) if not ok then error(why, 0) end end end})"
          "   coroutine.yield() end)"
          " coroutine.resume(last) end return select(2, coroutine.close(last))]]"
          "assert(code == core.DONE and result:find('too many coroutines are closed in one another', 1, true), result)"
          "fine()");
    check("local code, result = run [[local last = function() error('bottom', 0) end for i = 1, 20000 do local b = last"
          " last = coroutine.wrap(function() local x <close> = setmetatable({}, {__close = b}) error('up', 0) end) end"
          " return pcall(last)]] assert(code == core.DONE, result) fine()");
}

/* --- memory --- */

static void test_a_memory_bomb_ends(void **state)
{
    (void)state;
    SKIP_WHERE_MEMORY_IS_SLOW();
    set_limits(MEMORY_MS, MEMORY_BYTES);
    ends("local t = {} while true do t[#t + 1] = {} end", "memory");
    ends("local s = 'x' while true do s = s .. s end", "memory");
    ends("local t = {} for i = 1, 1e9 do t[i] = ('x'):rep(100) .. i end", "memory");
    ends("local t for i = 1, 1e9 do local u = t t = function() return u end end", "memory");
    ends("local t = {} while true do t[#t + 1] = coroutine.create(error) end", "memory");
    ends("return ('x'):rep(1e9)", "memory");
    ends("return string.pack('c2000000000', '')", "memory");
    ends("coroutine.wrap(function() return ('x'):rep(1e9) end)()", "memory");
    ends("local t = {} for i = 1, 1e9 do t[i] = i end", "memory");
    ends("local t = {} for i = 1, 1e9 do t[i .. ''] = i end", "memory");
    ends("return table.concat(setmetatable({}, {__index = function() return ('x'):rep(100000) end}), '', 1, 900000)",
         "memory");
}

static void test_a_memory_bomb_in_a_pcall_loop_ends(void **state)
{
    (void)state;
    SKIP_WHERE_MEMORY_IS_SLOW();
    set_limits(MEMORY_MS, MEMORY_BYTES);
    ends("local function f() pcall(f) return f() end f()", "memory"); /* Lua's stack grows, that of C does not */
    ends("local function f() while true do pcall(f) end end f()", "memory");
    ends("local t = {} while true do pcall(function() while true do t[#t + 1] = {} end end) end", "memory");
    ends("while true do pcall(string.rep, 'x', 1e12) end", "cpu");
    ends("local t = {} while true do pcall(function() while true do t = {t} end end) end", "memory");
    ends("local t = {} while true do coroutine.wrap(pcall)(function() while true do t = {t} end end) end", "memory");
}

static void test_memory_comes_back_after_a_bomb(void **state)
{
    (void)state;
    SKIP_WHERE_MEMORY_IS_SLOW();
    set_limits(MEMORY_MS, MEMORY_BYTES);
    ends("local t = {} while true do t[#t + 1] = ('x'):rep(1000) .. #t end", "memory");
    check("collectgarbage() local used, limit = core.memory() assert(used < limit // 4, used)");
}

static void test_our_own_lua_works_on_a_full_heap(void **state)
{
    (void)state;
    SKIP_WHERE_MEMORY_IS_SLOW();
    set_limits(MEMORY_MS, MEMORY_BYTES);
    check("hoard = {} local code, text, word = run([[while true do hoard[#hoard + 1] = {} end]], {hoard = hoard})"
          "expect('memory', code, text, word) local t = {} for i = 1, 300000 do t[i] = {} end"
          " local used, limit = core.memory() assert(used > limit)");
    check("expect('memory', run('local t = {} for i = 1, 100 do t[i] = {} end'))");
    check("hoard = nil collectgarbage() fine()");
}

static void test_garbage_is_no_lack_of_memory(void **state)
{
    (void)state;
    SKIP_WHERE_MEMORY_IS_SLOW();
    set_limits(MEMORY_MS, MEMORY_BYTES);
    ends("local t = {} for i = 1, 40000 do t[i] = {} end while true do local x = {} end", "cpu");
}

static void test_a_buffer_finds_room_though_garbage_lies_about(void **state)
{
    (void)state;
    SKIP_WHERE_MEMORY_IS_SLOW();
    set_limits(MEMORY_MS, (size_t)16 << 20);
    check("local code, why = run [[local t = {} for i = 1, 60 do t[i] = ('x'):rep(100000) .. i end"
          " for i = 1, 2000 do local s = ('y'):rep(100000 + i) end]] assert(code == core.DONE, why)");
}

static void test_a_caught_lack_of_memory_is_no_end(void **state)
{
    (void)state;
    check("local code, ok, why = run [[return pcall(string.rep, 'x', 1e9)]]"
          "assert(code == core.DONE and not ok and why == 'not enough memory')");
    check("expect('error', run [[pcall(string.rep, 'x', 1e9) error('else')]])");
}

/* --- deep nesting --- */

static void test_deep_recursion_is_an_error(void **state)
{
    (void)state;
    SKIP_WHERE_MEMORY_IS_SLOW();
    set_limits(1000 * SLOWNESS, (size_t)128 << 20);
    ends("local function f() return 1 + f() end f()", "error");
    ends("local function f() string.gsub('x', 'x', f) end f()", "error");
    ends("local function f() table.sort({1, 2}, f) end f()", "error");
    ends("local m = {} m.__tostring = function(t) return tostring(t) end tostring(setmetatable({}, m))", "error");
    ends("local m = {} m.__index = function(t, k) return t[k] end return setmetatable({}, m).x", "error");
    ends("local function f() coroutine.wrap(f)() end f()", "error");
    ends("local f = error for i = 1, 1000 do local g = f f = function() return xpcall(g, g) end end f()"
          " error()", "error");
    ends("local t = {} t = setmetatable(t, {__index = t}) return t.x", "error");
}

/* --- without a timer --- */

static void test_without_a_timer_the_clock_stops_scripts(void **state)
{
    (void)state;
    guard_look_at_clock(runtime_guard(runtime));
    test_an_endless_loop_is_stopped(state);
    test_an_xpcall_handler_is_stopped(state);
    test_coroutines_are_no_way_out(state);
    test_close_variables_are_stopped(state);
    test_loops_of_the_libraries_end(state);
    check("local seconds, kills = core.usage(account) assert(seconds > 0.05 and kills > 1)");
}

static void test_two_runtimes_do_not_disturb_each_other(void **state)
{
    (void)state;
    struct runtime *first = runtime;
    runtime = runtime_new(&host);
    set_limits(CPU_MS, MEMORY_BYTES);
    check(prelude);
    ends("while true do end", "cpu");
    runtime_free(runtime);
    runtime = first;
    ends("while true do end", "cpu");
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_an_endless_loop_is_stopped),
        T(test_pcall_does_not_swallow_the_stop),
        T(test_an_xpcall_handler_is_stopped),
        T(test_coroutines_are_no_way_out),
        T(test_metamethods_are_stopped),
        T(test_what_c_calls_back_is_stopped),
        T(test_loops_of_the_libraries_end),
        T(test_a_pattern_bomb_ends),
        T(test_the_compiler_is_stopped),
        T(test_a_finalizer_is_refused),
        T(test_close_variables_are_stopped),
        T(test_many_stopped_coroutines_share_their_last_time),
        T(test_a_close_of_a_task_is_stopped),
        T(test_a_stopped_task_runs_its_close_variables),
        T(test_a_failed_task_runs_its_close_variables),
        T(test_close_ends_a_task_that_waits),
        T(test_an_error_in_close_is_told),
        T(test_twenty_thousand_chained_closes_are_survived),
        T(test_a_memory_bomb_ends),
        T(test_a_memory_bomb_in_a_pcall_loop_ends),
        T(test_memory_comes_back_after_a_bomb),
        T(test_our_own_lua_works_on_a_full_heap),
        T(test_a_buffer_finds_room_though_garbage_lies_about),
        T(test_garbage_is_no_lack_of_memory),
        T(test_a_caught_lack_of_memory_is_no_end),
        T(test_deep_recursion_is_an_error),
        T(test_without_a_timer_the_clock_stops_scripts),
        T(test_two_runtimes_do_not_disturb_each_other),
    };
    return cmocka_run_group_tests_name("guard", tests, NULL, NULL);
}
