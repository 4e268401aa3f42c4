/* test_script.c -- the Lua state and what it sees: a sandbox that errors do not leave, and the node's methods
 * on a real node that listens nowhere, alone or with a neighbour. */
#include "script/bind_node.h"
#include "script/duration.h"
#include "script/runtime.h"

#include "moth/loop.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <lauxlib.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOG_BYTES 8192
#define DEADLINE_US 20000000 /* patience, also under valgrind */

/* --- an outside that stands still --- */

static struct outside {
    uint64_t now_us, wall_ms;
    char log[LOG_BYTES]; /* all lines since the test began */
} outside;

static uint64_t fake_now(void *context)
{
    (void)context;
    return outside.now_us;
}

static uint64_t fake_wall(void *context)
{
    (void)context;
    return outside.wall_ms;
}

static void fake_random(void *context, void *out, size_t bytes)
{
    (void)context;
    memset(out, 7, bytes);
}

static void keep_log(void *owner, enum moth_log_level level, const char *text)
{
    (void)owner;
    size_t used = strlen(outside.log);
    snprintf(outside.log + used, LOG_BYTES - used, "%d %s\n", (int)level, text);
}

static const struct moth_host host = {.now_us = fake_now, .wall_ms = fake_wall, .random = fake_random, .log = keep_log};

static struct runtime *runtime;

static int set_up(void **state)
{
    (void)state;
    outside = (struct outside){.now_us = 5000000, .wall_ms = 1893456000123u}; /* 2030-01-01 */
    unsetenv("MOTH_LUA_PATH");
    runtime = runtime_new(&host);
    return runtime ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    runtime_free(runtime);
    runtime = NULL;
    return 0;
}

static int run_text(lua_State *L)
{
    const char *text = lua_touserdata(L, 1);
    if (luaL_loadbufferx(L, text, strlen(text), "=test", "t") != LUA_OK) return lua_error(L);
    lua_call(L, 0, 0);
    return 0;
}

static int run(const char *text)
{
    return runtime_call(runtime, run_text, (void *)(uintptr_t)text);
}

/* Runs Lua that asserts; what failed is in the log. */
static void check(const char *text)
{
    outside.log[0] = '\0';
    if (run(text) < 0) fail_msg("%s", outside.log);
}

/* --- errors --- */

static void test_an_error_is_logged_with_its_traceback(void **state)
{
    (void)state;
    assert_int_equal(run("local function inner() error('broken') end inner()"), MOTH_EIO);
    assert_non_null(strstr(outside.log, "3 test:1: broken\n"));
    assert_non_null(strstr(outside.log, "stack traceback:\n"));
    assert_non_null(strstr(outside.log, "'inner'"));
    assert_null(strstr(outside.log, "\\x09"));
}

static void test_an_error_that_is_no_text_is_logged_too(void **state)
{
    (void)state;
    assert_int_equal(run("error({})"), MOTH_EIO);
    assert_non_null(strstr(outside.log, "3 table: "));
    assert_int_equal(run("error(setmetatable({}, {__tostring = function() error('twice') end}))"), MOTH_EIO);
    assert_int_equal(run("error()"), MOTH_EIO);
    check("return 1"); /* and the state lives */
}

static void test_the_stack_is_as_before(void **state)
{
    (void)state;
    for (int i = 0; i < 10000; i++) run(i % 2 ? "return 1, 2, 3" : "error('x')");
    check("local t = {} for i = 1, 200 do t[i] = i end assert(#t == 200)");
}

static void test_endless_recursion_is_an_error_like_others(void **state)
{
    (void)state;
    assert_int_equal(run("local function f() return 1 + f() end f()"), MOTH_EIO);
    assert_non_null(strstr(outside.log, "stack overflow"));
    assert_int_equal(run("assert(load('return ' .. ('('):rep(300) .. (')'):rep(300)))"), MOTH_EIO);
}

/* --- the sandbox --- */

static void test_nothing_reaches_files_or_processes(void **state)
{
    (void)state;
    check("assert(not io and not debug and not package and not dofile and not loadfile)");
    check("for k in pairs(os) do assert(k == 'time' or k == 'date' or k == 'clock' or k == 'getenv', k) end");
    check("assert(not pcall(require, 'io') and not pcall(require, 'debug') and not pcall(require, 'package'))");
    check("assert(require 'os' == os)");
}

static void test_bytecode_is_refused(void **state)
{
    (void)state;
    check("assert(string.dump == nil)\n"
          "local code = '\\27Lua\\x54\\0\\x19\\x93\\r\\n\\x1a\\n'\n"
          "local f, why = load(code)\n"
          "assert(not f and why:find('attempt to load a binary chunk'))\n"
          "assert(not load(code, 'x', 'b'))\n"
          "assert(not load(code, 'x', 'bt', {}))\n"
          "local given = false\n"
          "assert(not load(function() if given then return nil end given = true return code end))");
}

static void test_load_takes_text_with_its_own_globals(void **state)
{
    (void)state;
    check("assert(load('return 1 + 1')() == 2)");
    check("assert(load('return x', 'name', 't', {x = 7})() == 7)");
    check("x = 3 assert(load('return x', 'name')() == 3)");
    check("local f, why = load('return +', '=name') assert(not f and why:find('^name:1:'))");
    check("assert(not pcall(load('return x.y', 'name', 't', nil)))");
}

static void test_time_is_the_hosts(void **state)
{
    (void)state;
    check("assert(os.time() == 1893456000)");
    check("assert(os.date('!%Y-%m-%d') == '2030-01-01')");
    check("assert(os.date('!%Y', 0) == '1970')");
    check("assert(type(os.date()) == 'string')");
    check("assert(os.time{year = 2030, month = 1, day = 2, hour = 12} > os.time())");
    check("assert(os.clock() == 5.0 and moth.now() == 5000000)");
}

static void test_random_numbers_are_the_hosts(void **state)
{
    (void)state;
    check("assert(math.random(1 << 40) == load('math.randomseed(...) return math.random(1 << 40)')("
          "0x0707070707070707, 0x0707070707070707))");
}

static void test_modules_come_from_the_program(void **state)
{
    (void)state;
    check("assert(require 'moth.format' == require 'moth.format')");
    check("assert(require 'moth.core' == moth)");
    check("assert(type(require('moth').start) == 'function')");
    assert_int_equal(run("require 'moth.missing'"), MOTH_EIO);
    assert_non_null(strstr(outside.log, "moth has no Lua module 'moth.missing'"));
}

static void test_chunks_are_named_by_their_file(void **state)
{
    (void)state;
    assert_int_equal(run("require('moth.format').count({})"), MOTH_EIO);
    assert_non_null(strstr(outside.log, "moth/format.lua:"));
}

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void test_a_folder_overrides_the_program_while_developing(void **state)
{
    char folder[] = "/tmp/moth-test-XXXXXX", text[64], code[64];
    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(text, sizeof text, "%s/text.lua", folder);
    snprintf(code, sizeof code, "%s/code.lua", folder);
    write_file(text, "return 'from the folder'");
    write_file(code, LUA_SIGNATURE);
    setenv("MOTH_LUA_PATH", folder, 1);
    check("assert(require 'text' == 'from the folder')");
    check("assert(require 'moth.format')");
    assert_int_equal(run("require 'code'"), MOTH_EIO);
    assert_non_null(strstr(outside.log, "attempt to load a binary chunk"));
    unlink(text);
    unlink(code);
    assert_int_equal(rmdir(folder), 0);
}

static void test_text_is_made_safe(void **state)
{
    (void)state;
    check("assert(moth.safe('a\\27[2J\\0\\xff') == 'a\\\\x1b[2J\\\\x00\\\\xff')");
    check("assert(moth.safe('gr\\u{fc}\\u{df}e') == 'gr\\u{fc}\\u{df}e' and moth.safe('') == '')");
    check("assert(#moth.safe(('\\0'):rep(100000)) == 400000)");
}

static void test_logging_has_levels_and_lines(void **state)
{
    (void)state;
    assert_int_equal(run("moth.log('warn', 'one\\ntwo\\27') moth.log('debug', '')"), 0);
    assert_string_equal(outside.log, "2 one\n2 two\\x1b\n");
    assert_int_equal(run("moth.log('loud', 'x')"), MOTH_EIO);
}

static void test_durations(void **state)
{
    double seconds = -1;
    static const char *const wrong[] = {"", "s", "1x", "-1s", "1e3s", "0x10s", "inf", "nan", "1..5s", "1s ", " 1s",
                                        "1h30", "1234567890123456s"};
    (void)state;
    assert_true(duration_parse("250ms", &seconds) && seconds == 0.25);
    assert_true(duration_parse("1h30m", &seconds) && seconds == 5400);
    assert_true(duration_parse("1.5s", &seconds) && seconds == 1.5);
    assert_true(duration_parse("2d1s", &seconds) && seconds == 172801);
    assert_true(duration_parse("12", &seconds) && seconds == 12);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        seconds = -1;
        assert_false(duration_parse(wrong[i], &seconds));
        assert_true(seconds == -1);
    }
    check("assert(moth.seconds('2m') == 120 and moth.seconds(0.5) == 0.5)");
    check("local s, why, code = moth.seconds('soon') assert(s == nil and why and code == 'argument')");
}

/* --- the tick --- */

static void test_the_tick_costs_nothing_until_something_waits(void **state)
{
    (void)state;
    assert_int_equal(runtime_tick(runtime), UINT64_MAX);
    check("ticks = 0 moth.on_tick(function(now) ticks = ticks + 1 assert(now == moth.now()) return at, every end)");
    assert_int_equal(runtime_tick(runtime), UINT64_MAX);
    check("assert(ticks == 0)");
}

static void test_waking_asks_for_a_tick_in_this_turn(void **state)
{
    (void)state;
    check("ticks = 0 moth.on_tick(function() ticks = ticks + 1 return at, every end) moth.wake()");
    assert_int_equal(runtime_tick(runtime), UINT64_MAX);
    assert_int_equal(runtime_tick(runtime), UINT64_MAX);
    check("assert(ticks == 1)");
}

static void test_the_tick_comes_at_its_time(void **state)
{
    (void)state;
    check("ticks = 0 moth.on_tick(function(now) ticks = ticks + 1 return now + 1000, false end) moth.wake()");
    assert_int_equal(runtime_tick(runtime), 5001000);
    outside.now_us += 999;
    assert_int_equal(runtime_tick(runtime), 5001000);
    outside.now_us += 1;
    assert_int_equal(runtime_tick(runtime), 5002000);
    check("assert(ticks == 2)");
}

static void test_the_tick_can_come_every_turn(void **state)
{
    (void)state;
    check("ticks = 0 moth.on_tick(function(now) ticks = ticks + 1 return now + 1000, ticks < 3 end) moth.wake()");
    for (int i = 0; i < 5; i++) runtime_tick(runtime);
    check("assert(ticks == 3)");
}

static void test_a_tick_that_fails_is_logged_and_not_repeated(void **state)
{
    (void)state;
    check("moth.on_tick(function() error('broken') end) moth.wake()");
    assert_int_equal(runtime_tick(runtime), UINT64_MAX);
    assert_non_null(strstr(outside.log, "broken"));
}

static void test_tasks_wait_on_the_hosts_clock(void **state)
{
    (void)state;
    check("task = require 'moth.task' task.spawn(function() task.sleep(0.5) slept = moth.now() end)");
    runtime_tick(runtime);
    assert_int_equal(runtime_tick(runtime), 5500000);
    outside.now_us = 5500000;
    runtime_tick(runtime);
    check("assert(slept == 5500000)");
}

static void test_a_task_that_yields_is_ended_with_its_traceback(void **state)
{
    (void)state;
    assert_int_equal(run("task = require 'moth.task' task.spawn(function() coroutine.yield() end)"), 0);
    assert_non_null(strstr(outside.log, "3 a task waits with task.sleep"));
    assert_non_null(strstr(outside.log, "test:1: in "));
    check("task.spawn(function() task.turn() coroutine.yield(1.5) end)"
          "task.spawn(function() task.sleep(math.huge) end) task.spawn(function() task.sleep(0 / 0) done = true end)");
    for (int i = 0; i < 4; i++) runtime_tick(runtime);
    check("assert(done)");
    assert_int_equal(runtime_tick(runtime), 5000000 + UINT64_C(1000000000000000));
}

static void test_an_error_in_a_task_that_cannot_be_told_is_logged(void **state)
{
    (void)state;
    check("require('moth.task').spawn(error, setmetatable({}, {__tostring = function() error({}) end}))");
    assert_int_equal(strncmp(outside.log, "3 ", 2), 0);
}

/* --- the node --- */

struct side {
    struct moth_loop *loop;
    struct moth_node *node; /* NULL: not there */
    char home[64];
};

static struct side ana, eva; /* Lua sees ana; eva is there when a test wants somebody to write to */
static int quit_status;
static struct binding *binding; /* Lua's */

static void on_event(void *owner, const struct moth_event *event)
{
    (void)owner;
    if (runtime) bind_node_event(runtime, binding, event);
}

static void on_evas_event(void *owner, const struct moth_event *event)
{
    (void)owner;
    (void)event;
}

static void on_quit(void *owner, int status)
{
    assert_ptr_equal(owner, &quit_status);
    quit_status = status;
}

static int open_side(struct side *s, struct moth_config config, moth_on_event events)
{
    strcpy(s->home, "/tmp/moth-test-XXXXXX");
    config.limits[MOTH_LIMIT_BALLAST_BYTES] = 4096;
    if (!mkdtemp(s->home) || moth_loop_open(s->home, &s->loop) < 0) return -1;
    moth_loop_on_log(s->loop, keep_log, NULL);
    return moth_node_open(&config, moth_loop_host(s->loop), moth_loop_transport(s->loop), events, NULL, &s->node);
}

static int close_side(struct side *s)
{
    char command[128];
    if (!s->node) return 0;
    moth_node_close(s->node);
    moth_loop_close(s->loop);
    s->node = NULL;
    snprintf(command, sizeof command, "rm -r '%s'", s->home);
    return system(command);
}

static int set_up_node(void **state)
{
    (void)state;
    outside = (struct outside){0};
    quit_status = -1;
    if (open_side(&ana, (struct moth_config){.name = "ana"}, on_event) < 0) return -1;
    runtime = runtime_new(moth_loop_host(ana.loop));
    binding = runtime ? bind_node(runtime, ana.node, on_quit, &quit_status) : NULL;
    return binding ? run("hub = require('moth.hub').new(node, function() end)") : -1;
}

static int tear_down_node(void **state)
{
    tear_down(state);
    return close_side(&eva) | close_side(&ana);
}

/* --- turns until something holds: what is sent is committed by another thread --- */

static bool holds;

static int ask(lua_State *L)
{
    const char *text = lua_pushfstring(L, "return %s", (const char *)lua_touserdata(L, 1));
    if (luaL_loadstring(L, text) != LUA_OK) return lua_error(L);
    lua_call(L, 0, 1);
    holds = lua_toboolean(L, -1);
    return 0;
}

static uint64_t one_turn(void *owner)
{
    struct side *s = owner;
    moth_node_tick(s->node);
    if (s == &ana) runtime_tick(runtime);
    moth_loop_stop(s->loop);
    return UINT64_MAX;
}

static uint64_t now_us(void)
{
    const struct moth_host *real = moth_loop_host(ana.loop);
    return real->now_us(real->context);
}

static void until(const char *expression)
{
    uint64_t deadline_us = now_us() + DEADLINE_US;
    holds = false;
    do {
        moth_loop_run(ana.loop, one_turn, &ana);
        if (eva.node) moth_loop_run(eva.loop, one_turn, &eva);
        assert_int_equal(runtime_call(runtime, ask, (void *)(uintptr_t)expression), 0);
    } while (!holds && now_us() < deadline_us);
    if (!holds) fail_msg("it never came to be that %s\n%s", expression, outside.log);
}

/* --- somebody else --- */

static int set_up_two(void **state)
{
    char text[160];
    int rc = set_up_node(state);
    if (rc < 0) return rc;
    if (open_side(&eva, (struct moth_config){.name = "eva", .listen = "127.0.0.1:0"}, on_evas_event) < 0) return -1;
    snprintf(text, sizeof text, "address = '%s' assert(node:connect(address))", moth_node_address(eva.node));
    check(text);
    until("node:peer('eva') and node:peer('eva').linked and node:is_synced('eva')");
    return 0;
}

static void eva_leaves(void)
{
    assert_int_equal(close_side(&eva), 0);
    check("node:disconnect(address)");
    until("not node:peer('eva').up");
}

static void eva_says(const char *text)
{
    struct moth_payload payload = {.encoding = MOTH_TEXT, .data = text, .bytes = strlen(text)};
    uint64_t id;
    assert_int_equal(moth_send(eva.node, moth_node_id(ana.node), &payload, NULL, &id), 0);
}

static void test_the_node_says_who_it_is(void **state)
{
    char text[160], id[MOTH_ID_TEXT_BYTES];
    (void)state;
    moth_id_format(moth_node_id(ana.node), id);
    snprintf(text, sizeof text, "assert(node.id == '%s' and node.name == 'ana' and node.address == '')", id);
    check(text);
    check("assert(tostring(node) == 'node ana' and node.nothing == nil)");
    check("assert(getmetatable(node) == 'node' and not pcall(function() node.name = 'eva' end))");
}

static void test_a_message_to_oneself_arrives(void **state)
{
    (void)state;
    check("node:on('message', function(m) got = m end)"
          "sent = assert(node:send(node.id, 'hello')) assert(math.type(sent.id) == 'integer')"
          "assert(sent.state == 'pending')");
    until("got and sent.state == 'delivered'");
    check("for k, v in pairs{data = 'hello', type = 'text', encoding = 'text', text = 'hello', from = node.id, name = 'ana',"
          "durable = true, broadcast = false, redelivered = false, id = sent.id} do "
          "assert(got[k] == v, k .. ': ' .. tostring(got[k])) end"
          " assert(math.type(got.hops) == 'integer' and got.time > 1.5e9)");
    check("for k, v in pairs{state = 'delivered', to = node.id, bytes = 5, name = 'ana'} do "
          "assert(sent[k] == v, k .. ': ' .. tostring(sent[k])) end"
          " assert(sent.time > 1.5e9 and sent.reason == nil and sent.nothing == nil)"
          "assert(tostring(sent) == ('%x delivered'):format(sent.id))"
          "assert(node:message(sent.id).state == 'delivered')");
}

static void test_a_type_arrives_as_it_was_sent(void **state)
{
    (void)state;
    check("node:on('message', function(m) got = m end) assert(node:send(node.id, 'x', {type = 'my.type'}))");
    until("got");
    check("assert(got.type == 'my.type' and got.data == 'x')");
}

static void test_bytes_are_told_from_text(void **state)
{
    (void)state;
    check("said = {} node:on('message', function(m) said[#said + 1] = m.encoding end)");
    check("for _, s in ipairs{'', 'a', 'gr\\u{fc}', '\\u{20ac}', '\\u{10ffff}', '\\0'} do node:send('ana', s) end");
    check("for _, s in ipairs{'\\xff', '\\xc3', '\\xc0\\x80', '\\xed\\xa0\\x80', '\\xf4\\x90\\x80\\x80',"
          "'\\xe0\\x80\\x80', '\\x80', '\\xe2\\x82', '\\xf5\\x80\\x80\\x80', '\\xc3a'} do node:send('ana', s) end");
    until("#said == 16");
    check("for i = 1, 6 do assert(said[i] == 'text', i) end"
          " for i = 7, 16 do assert(said[i] == 'bytes', i) end");
}

static void test_failure_is_nil_a_sentence_and_a_word(void **state)
{
    (void)state;
    check("local m, why, code = node:send('nobody', 'x') assert(m == nil and #why > 0 and code == 'unknown_peer')");
    check("local m, why, code = node:send('ana\\0', 'x') assert(m == nil and code == 'unknown_peer')");
    check("assert(select(3, node:send('ana', 'x', {type = 'Not a type'})) == 'argument')");
    check("assert(select(3, node:send('ana', 'x', {type = 'a\\0'})) == 'argument')");
    check("assert(select(3, node:send('ana', 'x', {ttl = -1})) == 'argument')");
    check("assert(select(3, node:send('ana', 'x', {ttl = 0 / 0})) == 'argument')");
    check("assert(select(3, node:send('ana', 'x', {ttl = '31d'})) == 'argument')");
    check("assert(select(3, node:send('ana', 'x', {ttl = 'soon'})) == 'argument')");
    check("assert(select(3, node:send('ana', 'x', {retries = -1})) == 'argument')");
    check("assert(select(3, node:send('ana', 'x', {retries = 1 << 40})) == 'argument')");
    check("assert(select(3, node:send('ana', ('x'):rep(1000001))) == 'too_big')");
    check("assert(select(3, node:emit('nobody', 'move', 'e4')) == 'unknown_peer')");
    check("assert(select(3, node:emit('*', 'Not A Type', 'x')) == 'argument')");
    check("assert(select(3, node:emit('*', 'a\\0b', 'x')) == 'argument')");
    check("assert(select(3, node:connect('nonsense')) == 'bad_address')");
    check("assert(select(3, node:connect('127.0.0.1:1\\0')) == 'bad_address')");
    check("assert(select(3, node:disconnect('127.0.0.1:1')) == 'not_found')");
    check("assert(select(3, node:disconnect('nobody')) == 'unknown_peer')");
    check("assert(select(3, node:peer('nobody')) == 'unknown_peer')");
    check("assert(select(3, node:path('nobody')) == 'unknown_peer')");
    check("assert(select(3, node:resolve('nobody')) == 'unknown_peer')");
    check("assert(select(3, node:message(1)) == 'not_found')");
    check("assert(select(3, node:cancel(1)) == 'not_found')");
    check("assert(select(3, node:queue('nobody')) == 'unknown_peer')");
    check("assert(select(3, node:history('nobody')) == 'unknown_peer')");
    check("assert(select(3, node:history(nil, 0)) == 'argument')");
    check("assert(select(3, node:history(nil, 10001)) == 'argument')");
    check("assert(select(3, node:alias('nobody', 'x')) == 'unknown_peer')");
    check("assert(select(3, node:block('nobody')) == 'unknown_peer')");
    check("assert(select(3, node:unblock('nobody')) == 'unknown_peer')");
    check("assert(select(3, node:block('ana')) == 'self')");
    check("assert(node:is_synced('nobody') == false)");
}

static void test_wrong_types_are_errors(void **state)
{
    static const char *const calls[] = {
        "node:send('ana')", "node:send({}, 'x')", "node:send('ana', 'x', 'options')",
        "node:send('ana', 'x', {ttl = {}})", "node:send('ana', 'x', {retries = 1.5})", "node.send({}, 'ana', 'x')",
        "node.send(nil, 'ana', 'x')", "node:emit('*', 'type')", "node:emit('*', {}, 'x')",
        "node:request()", "node:answer('ana')", "node:handled()", "node:set_hook('x')", "node:count_discard('x')",
        "node:message('one')", "node:connect()", "node:path({})",
        "node:quit('x')", "local n = node[{}]", "node:cancel('one')", "node:queue({})", "node:history({})",
        "node:history(nil, 'x')", "node:alias('ana')", "node:alias('ana', {})", "node:block()", "node:unblock({})",
    };
    (void)state;
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        if (run(calls[i]) == 0) fail_msg("%s is no error", calls[i]);
    }
}

static void test_options_of_a_send_reach_the_node(void **state)
{
    (void)state;
    check("assert(node:send('ana', 'x', {ttl = 60, retries = 3}))");
    check("assert(node:send('ana', 'x', {ttl = '250ms', retries = 0}))");
    check("assert(node:send('ana', 'x', {}))");
    check("assert(select(3, node:emit('*', 'move', 'e4')) == 'unreachable')"); /* nobody is linked */
}

static void test_an_empty_network_lists_nobody(void **state)
{
    (void)state;
    check("assert(#node:peers() == 0 and #node:links() == 0 and #node:routes() == 0 and #node:edges() == 0)");
    check("assert(#node:wanted() == 0 and #node:queue() == 0 and #node:history() == 0)");
    check("assert(node:resolve('ana') == node.id and node:resolve(node.id) == node.id)");
    check("local path = node:path('ana') assert(#path == 1 and path[1] == node.id)");
}

static void test_wanted_addresses_are_listed(void **state)
{
    (void)state;
    check("assert(node:connect('127.0.0.1:9') == true)"
          "local w = node:wanted() assert(#w == 1 and w[1].address == '127.0.0.1:9' and w[1].linked == false)"
          "assert(math.type(w[1].retry_in_ms) == 'integer')"
          "assert(node:disconnect('127.0.0.1:9') == true) assert(#node:wanted() == 0)");
}

static void test_status_and_limits_are_complete(void **state)
{
    (void)state;
    check("local s = node:status() for _, k in ipairs{'uptime_ms', 'frames_in', 'frames_out', 'bytes_in', 'bytes_out',"
          "'messages_sent', 'messages_received', 'messages_relayed', 'messages_delivered', 'broadcasts_relayed',"
          "'adverts_in', 'adverts_out', 'recomputes', 'handshakes', 'dials', 'links', 'handshaking', 'peers',"
          "'reachable', 'mail', 'mail_bytes', 'queued_bytes', 'queued_bytes_most', 'messages_redelivered',"
          "'control_bytes_most', 'deposits_made', 'deposits_taken', 'handed_over', 'commits', 'commit_operations',"
          "'carried', 'carried_bytes', 'inbox', 'inbox_bytes', 'set_aside', 'history_bytes', 'writes_waiting'} do "
          "assert(math.type(s[k]) == 'integer', k) end"
          " assert(#s.discarded == 0 and s.store_reason == nil and s.store_why == nil)");
    check("local all = node:limits() assert(#all > 15) for _, l in ipairs(all) do "
          "assert(#l.name > 0 and #l.unit > 0 and #l.behaviour > 0 and l.value > 0, l.name) end");
}

/* --- with a neighbour --- */

static void test_mail_for_somebody_away_is_queued_and_says_why(void **state)
{
    (void)state;
    eva_leaves();
    check("m = assert(node:send('eva', 'hello')) assert(m.state == 'pending')");
    until("m.state ~= 'pending'");
    check("for k, v in pairs{state = 'queued', reason = 'unreachable', name = 'eva', tries = 0, carriers = 0,"
          "bytes = 5} do assert(m[k] == v, k .. ': ' .. tostring(m[k])) end "
          "assert(#m.why > 0 and m.by == nil and m.by_name == nil and m.accepted > 1.5e9 and m.time >= m.accepted)");
    check("for _, q in ipairs{node:queue(), node:queue('eva')} do assert(#q == 1 and q[1].id == m.id) end "
          "assert(#node:queue('ana') == 0)");
}

static void test_mail_that_waits_can_be_cancelled_once(void **state)
{
    (void)state;
    eva_leaves();
    check("m = assert(node:send('eva', 'one')) other = assert(node:send('eva', 'two'))");
    until("m.state == 'queued' and other.state == 'queued'");
    check("assert(m:cancel() == true and m.state == 'cancelled')"
          "assert(node:cancel(other.id) == true and other.state == 'cancelled' and #node:queue() == 0)");
    check("local ok, why, code = m:cancel() assert(ok == nil and #why > 0 and code == 'not_found')");
    check("assert(node:message(m.id).state == 'cancelled')");
}

static void test_history_is_oldest_first_and_knows_both_directions(void **state)
{
    (void)state;
    check("node:on('message', function() got = true end)");
    eva_says("hi ana");
    until("got");
    check("m = assert(node:send('eva', 'hi eva', {type = 'my.type'}))");
    until("m.state == 'delivered'");
    check("local h = node:history() assert(#h == 2) for k, v in pairs{ours = false, from = node:resolve('eva'),"
          "to = node.id, name = 'eva', type = 'text', encoding = 'text', data = 'hi ana', set_aside = false} do "
          "assert(h[1][k] == v, k .. ': ' .. tostring(h[1][k])) end "
          "assert(h[1].state == nil and h[1].reason == nil and h[1].time > 1.5e9 and math.type(h[1].id) == 'integer')");
    check("local e = node:history()[2] for k, v in pairs{ours = true, from = node.id, to = node:resolve('eva'),"
          "name = 'eva', type = 'my.type', data = 'hi eva', state = 'delivered', id = m.id} do "
          "assert(e[k] == v, k .. ': ' .. tostring(e[k])) end assert(e.reason == nil)");
}

static void test_history_is_as_long_as_asked_for(void **state)
{
    (void)state;
    eva_leaves();
    check("for i = 1, 25 do last = assert(node:send('eva', tostring(i))) end");
    until("last.state == 'queued'");
    check("local h = node:history() assert(#h == 20) for i = 1, 20 do assert(h[i].data == tostring(i + 5), i) end");
    check("local h = node:history('eva', 3) assert(#h == 3 and h[1].data == '23' and h[3].data == '25')");
    check("assert(#node:history('eva', 10000) == 25 and #node:history('ana') == 0)");
    check("assert(node:history()[1].reason == 'unreachable')");
}

static void test_an_alias_wins_and_can_be_taken_away(void **state)
{
    (void)state;
    check("eva = node:resolve('eva') assert(node:alias('eva', 'sis') == true and node:resolve('sis') == eva)"
          "local p = node:peer('sis') assert(p.name == 'sis' and p.claimed == 'eva' and p.aliased and not p.blocked)");
    check("assert(node:alias('sis', nil) == true and node:resolve('sis') == nil)"
          "local p = node:peer('eva') assert(p.name == 'eva' and not p.aliased)");
}

static void test_an_alias_that_cannot_be_is_refused(void **state)
{
    (void)state;
    check("local ok, why, code = node:alias('eva', 'ana') assert(ok == nil and code == 'in_use' and why:find('name'))");
    check("for _, name in ipairs{'', 'beef', 'two words', 'a\\0b', ('x'):rep(33)} do "
          "assert(select(3, node:alias('eva', name)) == 'bad_name', name) end");
}

static void test_a_blocked_peer_gets_no_link_and_no_mail(void **state)
{
    (void)state;
    check("assert(node:block('eva') == true and node:peer('eva').blocked)"
          "local m, why, code = node:send('eva', 'x') assert(m == nil and #why > 0 and code == 'unwanted')");
    until("not node:peer('eva').linked");
    check("assert(node:unblock('eva') == true and not node:peer('eva').blocked and node:send('eva', 'x'))");
}

/* --- events --- */

static void test_one_handlers_error_does_not_stop_the_others(void **state)
{
    (void)state;
    check("heard = {} node:on('message', function() error('broken handler') end)"
          "h = node:on('message', function(m) heard[#heard + 1] = m.data h:off() end)"
          "node:on('message', function(m) heard[#heard + 1] = m.data end)"
          "node:send('ana', 'one') node:send('ana', 'two')");
    until("#heard == 3");
    assert_non_null(strstr(outside.log, "broken handler"));
    assert_non_null(strstr(outside.log, "stack traceback:"));
    check("assert(table.concat(heard, ' ') == 'one one two', table.concat(heard, ' '))");
}

static struct moth_id some_id(uint8_t first)
{
    return (struct moth_id){.bytes = {first}};
}

static void test_events_carry_their_fields(void **state)
{
    struct moth_id via = some_id(0xbb);
    struct moth_event e = {.peer = some_id(0xee), .via = via, .old = some_id(0xcc), .name = "eva",
                           .address = "127.0.0.1:7", .inbound = true, .reason = MOTH_ECLOSED, .hops = 2,
                           .text = "a note"};
    static const char *const checks[] = {
        [MOTH_EVENT_LINK_UP] =
            "assert(e.peer:find('^ee0') and e.name == 'eva' and e.address == '127.0.0.1:7' and e.inbound)",
        [MOTH_EVENT_LINK_DOWN] =
            "assert(e.peer:find('^ee0') and e.reason == 'closed' and e.why:find('closed') and e.inbound)",
        [MOTH_EVENT_PEER_UP] = "assert(e.peer:find('^ee0') and e.name == 'eva' and e.hops == 2 and e.via:find('^bb0'))",
        [MOTH_EVENT_PEER_DOWN] = "assert(e.peer:find('^ee0') and e.name == 'eva' and e.via == nil)",
        [MOTH_EVENT_ROUTE] =
            "assert(e.peer:find('^ee0') and e.via:find('^bb0') and e.old:find('^cc0') and e.hops == 2)",
        [MOTH_EVENT_DIAL] = "assert(e.address == '127.0.0.1:7' and e.reason == 'closed' and e.peer == nil)",
        [MOTH_EVENT_NOTE] = "assert(e.text == 'a note' and e.peer == nil)",
    };
    static const char *const names[] = {
        [MOTH_EVENT_LINK_UP] = "link:up", [MOTH_EVENT_LINK_DOWN] = "link:down", [MOTH_EVENT_PEER_UP] = "peer:up",
        [MOTH_EVENT_PEER_DOWN] = "peer:down", [MOTH_EVENT_ROUTE] = "route", [MOTH_EVENT_DIAL] = "dial",
        [MOTH_EVENT_NOTE] = "note",
    };
    char text[96];
    (void)state;
    for (size_t kind = 0; kind < sizeof names / sizeof *names; kind++) {
        if (!names[kind]) continue;
        snprintf(text, sizeof text, "e = nil node:on('%s', function(it) e = it end)", names[kind]);
        check(text);
        e.kind = (enum moth_event_kind)kind;
        bind_node_event(runtime, binding, &e);
        runtime_tick(runtime);
        check(checks[kind]);
    }
}

static void test_a_route_that_is_lost_has_no_way(void **state)
{
    struct moth_event e = {.kind = MOTH_EVENT_ROUTE, .peer = some_id(0xee), .old = some_id(0xcc), .name = "eva"};
    (void)state;
    check("node:on('route', function(it) e = it end)");
    bind_node_event(runtime, binding, &e);
    runtime_tick(runtime);
    check("assert(e.via == nil and e.old:find('^cc0') and e.hops == 0)");
}

static void test_a_state_event_brings_the_message(void **state)
{
    struct moth_sent sent = {.id = 77, .to = some_id(0xee), .name = "eva", .state = MOTH_REFUSED, .reason = MOTH_EFULL,
                             .changed_ms = 1500, .tries = 2, .bytes = 9};
    struct moth_event e = {.kind = MOTH_EVENT_STATE, .sent = &sent};
    (void)state;
    check("node:on('state', function(m) got = m end)");
    bind_node_event(runtime, binding, &e);
    runtime_tick(runtime);
    check("assert(got.id == 77 and got.state == 'refused' and got.reason == 'full' and got.why and got.time == 1.5)"
          "assert(got.by == nil and got.by_name == nil and got.carriers == 0)"
          "assert(got.name == 'eva' and got.tries == 2 and got.bytes == 9 and tostring(got) == '4d refused')");
}

static void test_a_state_event_names_the_carrier(void **state)
{
    struct moth_sent sent = {.id = 78, .to = some_id(0xee), .name = "eva", .state = MOTH_CARRIED, .accepted_ms = 2500,
                             .carriers = 2, .by = some_id(0xbb), .by_name = "bob"};
    struct moth_event e = {.kind = MOTH_EVENT_STATE, .sent = &sent};
    (void)state;
    check("node:on('state', function(m) got = m end)");
    bind_node_event(runtime, binding, &e);
    runtime_tick(runtime);
    check("assert(got.state == 'carried' and got.by:find('^bb0') and got.by_name == 'bob' and got.carriers == 2)"
          "assert(got.accepted == 2.5 and got.reason == nil and type(got.cancel) == 'function')");
}

static void test_a_received_message_carries_its_fields(void **state)
{
    struct moth_message m = {.from = some_id(0xee), .name = "eva", .id = 5, .re = 4, .sent_ms = 2500,
                             .encoding = MOTH_JSON, .type = "data", .data = (const uint8_t *)"[1]", .bytes = 3,
                             .hops = 2, .broadcast = true, .redelivered = true};
    struct moth_event e = {.kind = MOTH_EVENT_MESSAGE, .message = &m};
    (void)state;
    check("node:on('message', function(it) got = it end)");
    bind_node_event(runtime, binding, &e);
    runtime_tick(runtime);
    check("assert(got.from:find('^ee0') and got.name == 'eva' and got.id == 5 and got.re == 4 and got.time == 2.5)"
          "assert(got.encoding == 'json' and got.type == 'data' and got.json == '[1]' and got.data[1] == 1)"
          "assert(got.hops == 2 and got.broadcast and not got.durable and got.redelivered and not got.auto)");
}

static void test_an_event_inside_a_task_finds_its_handlers(void **state)
{
    struct moth_event e = {.kind = MOTH_EVENT_NOTE, .text = "x"};
    (void)state;
    check("notes = 0 node:on('note', function() notes = notes + 1 require('moth.task').turn() notes = notes + 1 end)");
    for (int i = 0; i < 100; i++) bind_node_event(runtime, binding, &e);
    for (int i = 0; i < 3; i++) runtime_tick(runtime);
    check("assert(notes == 200)");
}

static void test_quit_goes_to_the_program(void **state)
{
    (void)state;
    check("node:quit(3)");
    assert_int_equal(quit_status, 3);
    check("node:quit()");
    assert_int_equal(quit_status, 0);
}

static void test_leaving_is_quiet_soon(void **state)
{
    (void)state;
    check("node:leave()");
    until("node:is_quiet() == true");
}

int main(void)
{
#define RUNTIME(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
#define NODE(f) cmocka_unit_test_setup_teardown(f, set_up_node, tear_down_node)
#define TWO(f) cmocka_unit_test_setup_teardown(f, set_up_two, tear_down_node)
    const struct CMUnitTest tests[] = {
        RUNTIME(test_an_error_is_logged_with_its_traceback),
        RUNTIME(test_an_error_that_is_no_text_is_logged_too),
        RUNTIME(test_the_stack_is_as_before),
        RUNTIME(test_endless_recursion_is_an_error_like_others),
        RUNTIME(test_nothing_reaches_files_or_processes),
        RUNTIME(test_bytecode_is_refused),
        RUNTIME(test_load_takes_text_with_its_own_globals),
        RUNTIME(test_time_is_the_hosts),
        RUNTIME(test_random_numbers_are_the_hosts),
        RUNTIME(test_modules_come_from_the_program),
        RUNTIME(test_chunks_are_named_by_their_file),
        RUNTIME(test_a_folder_overrides_the_program_while_developing),
        RUNTIME(test_text_is_made_safe),
        RUNTIME(test_logging_has_levels_and_lines),
        RUNTIME(test_durations),
        RUNTIME(test_the_tick_costs_nothing_until_something_waits),
        RUNTIME(test_waking_asks_for_a_tick_in_this_turn),
        RUNTIME(test_the_tick_comes_at_its_time),
        RUNTIME(test_the_tick_can_come_every_turn),
        RUNTIME(test_a_tick_that_fails_is_logged_and_not_repeated),
        RUNTIME(test_tasks_wait_on_the_hosts_clock),
        RUNTIME(test_a_task_that_yields_is_ended_with_its_traceback),
        RUNTIME(test_an_error_in_a_task_that_cannot_be_told_is_logged),
        NODE(test_the_node_says_who_it_is),
        NODE(test_a_message_to_oneself_arrives),
        NODE(test_a_type_arrives_as_it_was_sent),
        NODE(test_bytes_are_told_from_text),
        NODE(test_failure_is_nil_a_sentence_and_a_word),
        NODE(test_wrong_types_are_errors),
        NODE(test_options_of_a_send_reach_the_node),
        NODE(test_an_empty_network_lists_nobody),
        NODE(test_wanted_addresses_are_listed),
        NODE(test_status_and_limits_are_complete),
        TWO(test_mail_for_somebody_away_is_queued_and_says_why),
        TWO(test_mail_that_waits_can_be_cancelled_once),
        TWO(test_history_is_oldest_first_and_knows_both_directions),
        TWO(test_history_is_as_long_as_asked_for),
        TWO(test_an_alias_wins_and_can_be_taken_away),
        TWO(test_an_alias_that_cannot_be_is_refused),
        TWO(test_a_blocked_peer_gets_no_link_and_no_mail),
        NODE(test_one_handlers_error_does_not_stop_the_others),
        NODE(test_events_carry_their_fields),
        NODE(test_a_route_that_is_lost_has_no_way),
        NODE(test_a_state_event_brings_the_message),
        NODE(test_a_state_event_names_the_carrier),
        NODE(test_a_received_message_carries_its_fields),
        NODE(test_an_event_inside_a_task_finds_its_handlers),
        NODE(test_quit_goes_to_the_program),
        NODE(test_leaving_is_quiet_soon),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
