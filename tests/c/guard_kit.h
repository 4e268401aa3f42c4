/* guard_kit.h -- a runtime with small budgets, and Lua that runs scripts in it as dispatches.
 *
 * The budget is 50 ms of processor time, so that many fit into a test run. What a stop may take on top is 100 ms;
 * sanitizers slow the C between two looks of the guard down, so there it is more. */
#ifndef TESTS_GUARD_KIT_H
#define TESTS_GUARD_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "script/guard.h"
#include "script/runtime.h"

#include <lauxlib.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CPU_MS 50
#define LATE_MS 100
#define MEMORY_BYTES ((size_t)16 << 20)
#define LOG_BYTES 20000

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define SLOWNESS 10
#else
#define SLOWNESS 1
#endif

#if defined(__SANITIZE_THREAD__) /* takes a minute to fill the memory */
#define SKIP_WHERE_MEMORY_IS_SLOW() skip()
#else
#define SKIP_WHERE_MEMORY_IS_SLOW() (void)0
#endif

#define MEMORY_MS (300 * SLOWNESS) /* where the memory is to end first */

/* the value of a <close> variable whose end does not end */
#define SPIN "setmetatable({}, {__close = function() while true do end end})"

static struct outside {
    uint64_t now_us;
    char log[LOG_BYTES];
} outside;

static uint64_t fake_now(void *context)
{
    (void)context;
    return outside.now_us;
}

static uint64_t fake_wall(void *context)
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
    (void)context;
    size_t used = strlen(outside.log);
    snprintf(outside.log + used, LOG_BYTES - used, "%d %s\n", (int)level, text);
}

static const struct moth_host host = {.now_us = fake_now, .wall_ms = fake_wall, .random = fake_random, .log = keep_log};

static struct runtime *runtime;

/* What the tests below call: `run` starts a script as a dispatch, `again` resumes it, `fine` is one that must work. */
static const char prelude[] =
    "core = require 'moth.core'\n"
    " account = core.account('mallory')\n"
    " function script(text, more)\n"
    "  local env = core.libraries()\n"
    "  for name, value in pairs(more or {}) do env[name] = value end\n"
    "  env._G = env\n"
    "  return assert(core.load(text, '@mallory.lua', env))\n"
    " end\n"
    " function run(text, more)\n"
    "  thread = coroutine.create(script(text, more))\n"
    "  return core.resume(account, thread)\n"
    " end\n"
    " function again(...) return core.resume(account, thread, ...) end\n"
    " function fine()\n"
    "  local code, value = run('local t = {} for i = 1, 1000 do t[i] = (\"x\"):rep(i) end coroutine.yield(#t)"
    " return 7')\n"
    "  assert(code == core.YIELD and value == 1000, value)\n"
    "  code, value = again()\n"
    "  assert(code == core.DONE and value == 7, value)\n"
    " end\n"
    " function expect(word, code, text, got)\n"
    "  assert(code == core.ERROR, 'it was not stopped')\n"
    "  assert(got == word, tostring(got) .. ': ' .. tostring(text))\n"
    "  assert(type(text) == 'string')\n"
    "  return text\n"
    " end\n";

static int run_text(lua_State *L)
{
    const char *text = lua_touserdata(L, 1);
    if (luaL_loadbufferx(L, text, strlen(text), "=test", "t") != LUA_OK) return lua_error(L);
    lua_call(L, 0, 0);
    return 0;
}

static unsigned cpu_limit_ms;

static void set_limits(unsigned limit_ms, size_t memory_bytes)
{
    cpu_limit_ms = limit_ms;
    guard_set_limits(runtime_guard(runtime), limit_ms, memory_bytes);
}

/* Runs trusted Lua that asserts; what failed is in the log. */
static void check(const char *text)
{
    outside.log[0] = '\0';
    if (runtime_call(runtime, run_text, (void *)(uintptr_t)text) < 0) fail_msg("%s", outside.log);
}

static int set_up(void **state)
{
    (void)state;
    outside = (struct outside){.now_us = 5000000};
    runtime = runtime_new(&host);
    if (!runtime) return -1;
    set_limits(CPU_MS, MEMORY_BYTES);
    check(prelude);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    runtime_free(runtime);
    runtime = NULL;
    return 0;
}

__attribute__((unused)) static double cpu_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* `text`, a script, ends in an error of this word in time, and others work afterwards. */
__attribute__((unused)) static void ends(const char *text, const char *word)
{
    char call[4096];
    snprintf(call, sizeof call, "expect('%s', run [====[%s]====])", word, text);
    double before = cpu_ms();
    check(call);
    double took = cpu_ms() - before;
    if (getenv("GUARD_TIMES")) fprintf(stderr, "%7.1f ms %s  %.90s\n", took, word, text);
    if (took > cpu_limit_ms + LATE_MS * SLOWNESS) fail_msg("%.0f ms: %s", took, text);
    check("fine()");
    check("fine() collectgarbage()");
}

#endif
