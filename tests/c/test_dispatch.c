/* test_dispatch.c -- the ways into scripts: what they return, who pays, what an interrupt does. */
#include "guard_kit.h"

#include "script/interrupt.h"

#include <signal.h>

/* --- errors --- */

static void test_an_error_value_that_cannot_be_shown_is_told(void **state)
{
    (void)state;
    check("local text = expect('error', run [[error(setmetatable({}, {__tostring = error}))]])"
          "assert(text:find('^an error whose value cannot be shown\\nstack traceback:'), text)");
    check("expect('error', run [[error(setmetatable({}, {__tostring = function() return 1 end}))]])");
    check("expect('error', run [[error()]]) expect('error', run [[error({})]])");
    check("assert(expect('error', run [[error(setmetatable({}, {__tostring = function() return 'mine' end}))]])"
          ":find('^mine\\n'))");
    ends("error(setmetatable({}, {__tostring = function() while true do end end}))", "error");
    ends("error(setmetatable({}, {__tostring = function() while true do pcall(error) end end}))", "error");
    ends("local x <close> = " SPIN " error(setmetatable({}, {__tostring = function() while true do end"
          " end}))", "error");
}

static void test_a_traceback_tells_where_it_was_stopped(void **state)
{
    (void)state;
    check("local text = expect('cpu', run 'local x\\nlocal function spin()\\nwhile true do end end\\nspin()')"
          "assert(text:find('^it ran for too long .* stopped at mallory.lua:3\\n.*spin'), text)");
}

static void test_bytecode_is_refused(void **state)
{
    (void)state;
    check("local fn, why = core.load('\\27Lua', '=x', {}) assert(not fn and why:find('binary chunk', 1, true), why)");
    check("local fn, why = core.load(function() return '\\27Lua' end, '=x', {}) assert(not fn)");
    check("assert(run [[return string.dump or ('').dump]] == core.DONE and select(2, run [[return ('').dump]]) =="
          " nil)");
}

/* --- what a dispatch is --- */

static void test_a_dispatch_passes_values_in_and_out(void **state)
{
    (void)state;
    check("thread = coroutine.create(function(a, b) local c, d = coroutine.yield(a + b) return c, d, nil end)"
          "local code, sum = core.resume(account, thread, 1, 2) assert(code == core.YIELD and sum == 3)"
          "local results = table.pack(again(4, 5))"
          "assert(results.n == 4 and results[1] == core.DONE and results[2] == 4 and results[3] == 5)"
          "local code, text, word = again() assert(code == core.ERROR and word == 'error')"
          "assert(text:find('cannot resume dead coroutine', 1, true))");
}

static void test_only_what_waits_is_resumed(void **state)
{
    (void)state;
    check("assert(not pcall(core.resume, account, coroutine.running()))"
          "assert(not pcall(core.resume, {}, coroutine.create(error))) assert(not pcall(core.resume, account, error))"
          "thread = coroutine.create(function() return pcall(core.resume, account, thread) end)"
          "local code, ok = again() assert(code == core.DONE and ok == false)"
          "thread = coroutine.create(function() return pcall(core.close, account, thread) end)"
          "local code, ok = again() assert(code == core.DONE and ok == false)");
}

static void test_too_many_values_are_an_error(void **state)
{
    (void)state;
    set_limits(CPU_MS, (size_t)128 << 20);
    check("local function crowd(...) local code, text, word = run [[return table.unpack({}, 1, 600000)]]"
          " return code, text, word end"
          " local text = expect('error', crowd(table.unpack({}, 1, 500000)))"
          " assert(text:find('too many values', 1, true), text) fine()");
}

static void test_a_call_returns_in_any_case(void **state)
{
    (void)state;
    SKIP_WHERE_MEMORY_IS_SLOW();
    check("local code, a, b = core.call(account, function(...) return ... end, 1, 2) assert(code == core.DONE and"
          " b == 2)");
    check("assert(expect('error', core.call(account, script [[error('broken', 0)]])):find('^broken\\nstack"
          " traceback:'))");
    check("assert(expect('cpu', core.call(account, script [[while true do pcall(error)"
          " end]])):find('mallory.lua:1', 1, true))");
    check("expect('cpu', core.call(account, script [[coroutine.wrap(function() while true do end end)()]]))");
    check("expect('cpu', core.call(account, script [[local x <close> = " SPIN "]]))");
    set_limits(MEMORY_MS, MEMORY_BYTES);
    check("expect('memory', core.call(account, script [[local t = {} while true do t = {t} end]]))");
    check("expect('error', core.call(account, script [[coroutine.yield()]])) fine()");
}

static void test_a_call_within_a_dispatch_pays_for_itself(void **state)
{
    (void)state;
    set_limits(1000, MEMORY_BYTES);
    check("local other = core.account('other')"
          "local spin = script [[local n = ... for i = 1, n do end]]"
          "local code = run([[hook() for i = 1, 1000 do end]], {hook = function() return core.call(other, spin,"
          " 2e7) end})"
          "assert(code == core.DONE) local mine, his = core.usage(account), core.usage(other)"
          "assert(his >= 0.01 and mine < his)");
}

static void test_a_call_within_a_dispatch_shares_its_budget(void **state)
{
    (void)state;
    double before = cpu_ms();
    check("local other, codes = core.account('other'), {}"
          "local spin = script [[while true do end]]"
          " local hook = assert(load('local core, other, spin, codes = ... return function()'"
          "   .. ' codes[#codes + 1] = select(3, core.call(other, spin)) end', '@moth/fake.lua'))(core, other,"
          " spin, codes)"
          " expect('cpu', run([[while true do hook() end]], {hook = hook}))"
          "assert(#codes == 1 and codes[1] == 'cpu', #codes .. tostring(codes[1])) fine()");
    assert_true(cpu_ms() - before < CPU_MS + LATE_MS * SLOWNESS);
}

static void test_a_hook_is_asked_for_a_short_time(void **state)
{
    (void)state;
    set_limits(10000 * SLOWNESS, MEMORY_BYTES);
    double before = cpu_ms();
    check("expect('cpu', core.ask(account, script [[while true do pcall(error) end]]))"
          " local code, yes = core.ask(account, function(...) return ... end, true) assert(code == core.DONE and yes)");
    assert_true(cpu_ms() - before < 50 + LATE_MS * SLOWNESS);
}

static void test_trusted_lua_has_no_budget_but_what_it_calls_has(void **state)
{
    (void)state;
    check("local moth = core.account('moth', true)"
          " local code, inner, word = core.resume(moth, coroutine.create(function()"
          "   local code, text, word = core.call(account, script [[while true do end]])"
          "   local t = {} for i = 1, 400000 do t[i] = {} end"
          "   for i = 1, 2e7 do end return code, word end))"
          " assert(code == core.DONE and inner == core.ERROR and word == 'cpu', inner) fine()"
          " local seconds, kills = core.usage(moth) assert(kills == 0)");
}

static void test_usage_is_charged_to_who_uses_it(void **state)
{
    (void)state;
    check("account = core.account('mallory') local idle = core.account('idle') expect('cpu', run 'while true do end')"
          "local seconds, kills = core.usage(account) assert(seconds >= 0.04 and seconds < 0.2, seconds)"
          "assert(kills == 1) local seconds, kills = core.usage(idle) assert(seconds == 0 and kills == 0)");
}

static void test_a_long_dispatch_is_warned_of_once_a_minute(void **state)
{
    (void)state;
    check("expect('cpu', run 'while true do end')");
    assert_non_null(strstr(outside.log, "2 mallory kept everything else waiting for 50 ms"));
    check("expect('cpu', run 'while true do end')");
    assert_string_equal(outside.log, "");
    outside.now_us += 61000000;
    check("expect('cpu', run 'while true do end')");
    assert_non_null(strstr(outside.log, "mallory kept"));
}

static void test_a_hook_left_behind_goes_away(void **state)
{
    (void)state;
    check("shared = {} expect('cpu', run([[shared.inner = coroutine.create(function() coroutine.yield() return 5 end)"
          " coroutine.resume(shared.inner) while true do coroutine.resume(coroutine.create(function()"
          " shared.last = coroutine.create(function() for i = 1, 100 do end return 6 end) end)) end]],"
          " {shared = shared}))"
          "local code, _, five = run([[return coroutine.resume(shared.inner)]], {shared = shared})"
          "assert(code == core.DONE and five == 5)"
          "local code, _, six = run([[return coroutine.resume(shared.last)]], {shared = shared})"
          "assert(code == core.DONE)");
    check("local code, value = core.call(account, script [[while true do end]]) fine()"
          "local n = 0 for i = 1, 1000000 do n = n + 1 end fine()");
}

static void test_our_own_lua_is_not_stopped_half_way(void **state)
{
    (void)state;
    check("ours = assert(load([[local a, b = 0, 0 return function() a = a + 1 for i = 1, 10 do end b = b + 1 end,"
          " function() return a, b end]], '@moth/fake.lua'))"
          "local step, state = ours() for i = 1, 5 do expect('cpu', run([[while true do step() end]], {step = step}))"
          "local a, b = state() assert(a == b and a > 0) end");
    check("endless = assert(load('while true do end', '@moth/fake.lua'))"
          "expect('cpu', run([[f()]], {f = endless})) fine()");
    check("local fn = core.load('while true do end', '@moth/mine.lua', {})"
          "assert(expect('cpu', core.resume(account, coroutine.create(fn))):find('./moth/mine.lua:1', 1, true))");
}

/* --- signals --- */

static volatile sig_atomic_t handled;

static void on_interrupt(int number)
{
    (void)number;
    handled++;
}

static int l_raise(lua_State *L)
{
    (void)L;
    raise(SIGINT);
    return 0;
}

static int set_raise(lua_State *L)
{
    lua_pushcfunction(L, l_raise);
    lua_setglobal(L, "interrupt");
    return 0;
}

static void test_an_interrupt_stops_what_runs(void **state)
{
    (void)state;
    struct sigaction before, action = {.sa_handler = on_interrupt};
    handled = 0;
    sigaction(SIGINT, &action, &before);
    set_limits(10000 * SLOWNESS, MEMORY_BYTES);
    guard_take_signals(runtime_guard(runtime));
    assert_int_equal(runtime_call(runtime, set_raise, NULL), 0);
    unsigned count = interrupt_count();
    check("expect('interrupt', run([[interrupt() while true do pcall(error) end]], {interrupt = interrupt}))"
          "assert(core.interrupted() == true and core.interrupted() == false) fine()");
    assert_int_equal(interrupt_count(), count + 1);
    check("interrupt() fine() assert(core.interrupted() == false)");
    check("assert(run([[interrupt()]], {interrupt = interrupt}) == core.DONE) fine()"
          "assert(run([[for i = 1, 1e7 do end]]) == core.DONE and core.interrupted() == false)");
    assert_int_equal(handled, 3);
    tear_down(NULL);
    struct sigaction after;
    sigaction(SIGINT, &before, &after);
    assert_ptr_equal(after.sa_handler, on_interrupt);
}

static void test_a_signal_without_a_handler_stays_so(void **state)
{
    (void)state;
    struct sigaction now;
    assert_int_equal(sigaction(SIGTERM, NULL, &now), 0);
    assert_ptr_equal(now.sa_handler, SIG_DFL);
    guard_take_signals(runtime_guard(runtime));
    assert_int_equal(sigaction(SIGTERM, NULL, &now), 0);
    assert_ptr_equal(now.sa_handler, SIG_DFL);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_an_error_value_that_cannot_be_shown_is_told),
        T(test_a_traceback_tells_where_it_was_stopped),
        T(test_bytecode_is_refused),
        T(test_a_dispatch_passes_values_in_and_out),
        T(test_only_what_waits_is_resumed),
        T(test_too_many_values_are_an_error),
        T(test_a_call_returns_in_any_case),
        T(test_a_call_within_a_dispatch_pays_for_itself),
        T(test_a_call_within_a_dispatch_shares_its_budget),
        T(test_usage_is_charged_to_who_uses_it),
        T(test_a_long_dispatch_is_warned_of_once_a_minute),
        T(test_a_hook_left_behind_goes_away),
        T(test_our_own_lua_is_not_stopped_half_way),
        T(test_an_interrupt_stops_what_runs),
        T(test_a_signal_without_a_handler_stays_so),
        T(test_a_hook_is_asked_for_a_short_time),
        T(test_trusted_lua_has_no_budget_but_what_it_calls_has),
    };
    return cmocka_run_group_tests_name("dispatch", tests, NULL, NULL);
}
