/* test_process_lab.c -- labs whose nodes are processes (lua/moth/process_net.lua): the same lab Lua as on the simulated
 * network, with real nodes on real sockets.
 *
 * This program is both: started with arguments it is the moth that a node runs, for a lab starts its own program again.
 * A test is a function of Lua that plays with a network; what fails there, or in anything it has started, fails the
 * test. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "attach.h"
#include "moth/loop.h"
#include "options.h"
#include "script/bind_tcp.h"
#include "script/processes.h"
#include "script/runtime.h"
#include "serve.h"

#include <lauxlib.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATH_BYTES 512
#define WHY_BYTES 8192

static char folder[PATH_BYTES]; /* TMPDIR of this test: whatever is left over lies here */
static char home[PATH_BYTES + 8];
static struct moth_loop *loop;
static struct runtime *runtime;
static char failure[WHY_BYTES];
static bool is_over;

/* --- the world of a lab --- */

/* What lua/moth/lab.lua gives a network, and a task that plays. */
static const char prelude[] =
    "local core, owners = require 'moth.core', require 'moth.owner'\n"
    "task = require 'moth.task'\n"
    "local failed = ...\n"
    "core.lab = {}\n"
    "notes = {}\n"
    "local function fail(text) failed(text) end\n"
    "owner = owners.new('lab', core.account('lab', true), function(traceback) fail(traceback) end)\n"
    "trial = { name = 'a lab', seed = 1, script = { owner = owner }, options = {}, print = print, fail = fail,\n"
    "  note = function(text) notes[#notes + 1] = text end }\n"
    "function linked(net, a, b)\n"
    "  net:eventually(10, function() return a:peer(b) and a:peer(b).up and b:peer(a) and b:peer(a).up end)\n"
    "end\n"
    "function play(text)\n"
    "  local fn = assert(load(text, '=lab'))\n"
    "  local net = require('moth.process_net').new(trial)\n"
    "  the_net = net\n"
    "  task.run(task.new(owner), function()\n"
    "    fn(net)\n"
    "    net:finish()\n"
    "    failed(nil)\n"
    "  end)\n"
    "end\n";

static int l_failed(lua_State *L)
{
    if (!is_over && !lua_isnil(L, 1)) snprintf(failure, sizeof failure, "%s", lua_tostring(L, 1));
    is_over = true;
    return 0;
}

static int call_prelude(lua_State *L)
{
    if (luaL_loadstring(L, prelude) != LUA_OK) return lua_error(L);
    lua_pushcfunction(L, l_failed);
    lua_call(L, 1, 0);
    return 0;
}

static int call_play(lua_State *L)
{
    const char *text = lua_touserdata(L, 1);
    lua_getglobal(L, "play");
    lua_pushstring(L, text);
    lua_call(L, 1, 0);
    return 0;
}

static uint64_t on_turn(void *owner)
{
    (void)owner;
    uint64_t next_us = runtime_tick(runtime);
    if (is_over) moth_loop_stop(loop);
    return next_us;
}

static void on_log(void *owner, enum moth_log_level level, const char *text)
{
    (void)owner;
    if (level != MOTH_LOG_ERROR || is_over) return;
    snprintf(failure, sizeof failure, "%s", text);
    is_over = true;
}

static int set_up(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/moth-process-lab.XXXXXX");
    if (!mkdtemp(folder)) return -1;
    setenv("TMPDIR", folder, 1);
    snprintf(home, sizeof home, "%s/home", folder);
    is_over = false;
    failure[0] = '\0';
    if (moth_loop_open(home, &loop) < 0) return -1;
    moth_loop_on_log(loop, on_log, NULL);
    runtime = runtime_new(moth_loop_host(loop));
    if (!runtime || bind_tcp(runtime, moth_loop_transport(loop), false) < 0) return -1;
    return processes_open(runtime, loop) < 0 ? -1 : runtime_call(runtime, call_prelude, NULL);
}

static unsigned count_folders(void)
{
    unsigned count = 0;
    DIR *dir = opendir(folder);
    for (const struct dirent *e; dir && (e = readdir(dir));) count += strncmp(e->d_name, "moth-lab.", 9) == 0;
    if (dir) closedir(dir);
    return count;
}

static void close_all(void)
{
    runtime_free(runtime);
    runtime = NULL;
    moth_loop_close(loop);
    loop = NULL;
}

static int tear_down(void **state)
{
    char command[PATH_BYTES + 16];
    (void)state;
    if (loop) close_all();
    unsigned folders = count_folders();
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    bool is_clean = folders == 0 && waitpid(-1, NULL, WNOHANG) < 0; /* no folder, no process, no zombie */
    return system(command) == 0 && is_clean ? 0 : -1;
}

static void play(const char *text)
{
    assert_int_equal(runtime_call(runtime, call_play, (void *)(uintptr_t)text), 0);
    moth_loop_run(loop, on_turn, NULL);
    assert_true(is_over);
}

static void passes(const char *text)
{
    play(text);
    if (failure[0]) fail_msg("%s", failure);
}

/* The lab fails, and says all of these. */
static void fails(const char *text, const char *why, const char *also)
{
    play(text);
    if (!strstr(failure, why) || !strstr(failure, also)) fail_msg("it said: %s", failure);
}

/* --- methods --- */

static void test_process_lab_two_nodes_exchange_mail(void **state)
{
    (void)state;
    passes("local net = ...\n"
           "local ana, bob = net:node 'ana', net:node 'bob'\n"
           "assert(#ana.id == 32 and ana.name == 'ana' and ana.address:find '^127' and tostring(ana) == 'node ana')\n"
           "local got\n"
           "bob:on('message', function(msg) got = msg end)\n"
           "assert(ana:connect(bob))\n"
           "local m = assert(ana:send('bob', 'good\\0 morning\\xff'))\n"
           "assert(m:wait('delivered', 10))\n"
           "assert(m.state == 'delivered' and m.to == bob.id and m.from == ana.id)\n"
           "net:eventually(5, function() return got end)\n"
           "assert(got.data == 'good\\0 morning\\xff' and got.from == ana.id and got.durable and not got.auto)\n"
           "assert(#ana:peers() == 1 and ana:links()[1].id == bob.id and ana:peer(bob).up)\n"
           "assert(ana:path(bob)[2] == bob.id)\n");
}

static void test_process_lab_data_of_every_kind_arrives_as_it_was(void **state)
{
    (void)state;
    passes("local net = ...\n"
           "local json = require 'moth.json'\n"
           "local group = net:line('ana', 'bob')\n"
           "local ana, bob = group:nodes()\n"
           "linked(net, ana, bob)\n"
           "local got = {}\n"
           "bob:on('message', function(msg) got[#got + 1] = msg end)\n"
           "local big = ('\\xf0'):rep(1000000)\n"
           "for _, v in ipairs { 'text', big, 17, 1.5, true, { a = { 1, 2 }, b = json.null }, json.array {} } do\n"
           "  assert(ana:send(bob, v)):wait('delivered', 20)\n"
           "end\n"
           "net:eventually(5, function() return #got == 7 end)\n"
           "assert(got[1].text == 'text' and got[2].data == big and got[3].data == 17 and got[4].data == 1.5)\n"
           "assert(got[5].data == true and got[6].data.a[2] == 2 and got[6].data.b == json.null)\n"
           "assert(getmetatable(got[7].data) == 'json.array' and got[6].type == 'data')\n"
           "assert(ana:history(bob, 3)[1].data == true and bob:history()[1].text == 'text')\n");
}

static void test_process_lab_handlers_of_the_lab_answer(void **state)
{
    (void)state;
    passes("local net = ...\n"
           "local ana, bob = net:line('ana', 'bob'):nodes()\n"
           "linked(net, ana, bob)\n"
           "local said, autos = {}, {}\n"
           "ana:on('message', function(msg) said[#said + 1], autos[#autos + 1] = msg.text, msg.auto end)\n"
           "bob:hear('^hello (%a+)', function(_, name) return 'hello ' .. name .. ' too' end)\n"
           "bob:hear('^fail', function() return nil, 'no' end)\n"
           "bob:command('add <a:integer> <b:integer>', { help = 'adds' }, function(_, a, b) return a + b end)\n"
           "bob:command('order', function(msg)\n"
           "  local size = msg:ask('which size?', { match = '^%a$', timeout = 10 })\n"
           "  task.sleep(0.01)\n"
           "  msg:reply('a ' .. size)\n"
           "end)\n"
           "for _, text in ipairs { 'hello eva', 'fail', 'add 1 2', 'add x', 'order' } do\n"
           "  local count = #said\n"
           "  ana:send(bob, text)\n"
           "  net:eventually(5, function() return #said > count end)\n"
           "end\n"
           "ana:send(bob, 'M')\n"
           "net:eventually(5, function() return #said == 6 end)\n"
           "assert(said[1] == 'hello eva too' and said[2] == 'no' and said[3] == '3')\n"
           "assert(said[4]:find 'usage: add' and said[5] == 'which size?' and said[6] == 'a M')\n"
           "for i = 1, 6 do assert(autos[i], said[i]) end\n");
}

static void test_process_lab_requests_are_served_by_the_lab(void **state)
{
    (void)state;
    passes("local net = ...\n"
           "local ana, bob = net:line('ana', 'bob'):nodes()\n"
           "local h = bob:serve('add', { a = 'integer', b = 'integer' }, function(data, msg)\n"
           "  assert(msg.from == ana.id)\n"
           "  return { sum = data.a + data.b }\n"
           "end)\n"
           "bob:serve('no', function() return nil, 'I will not' end)\n"
           "linked(net, ana, bob)\n"
           "assert(ana:request(bob, 'add', { a = 1, b = 2 }).sum == 3)\n"
           "local _, why, code = ana:request('bob', 'no', 1)\n"
           "assert(why == 'I will not' and code == 'failed')\n"
           "h:off()\n"
           "h:off()\n"
           "_, why, code = ana:request(bob, 'add', { a = 1, b = 2 })\n"
           "assert(code == 'no_service')\n"
           "assert(select(3, bob:serve('no', print)) == 'in_use')\n");
}

static void test_process_lab_events_and_light_messages_reach_the_lab(void **state)
{
    (void)state;
    passes("local net = ...\n"
           "local ana, bob, eva = net:line('ana', 'bob', 'eva'):nodes()\n"
           "local up, states, light, all = {}, {}, nil, 0\n"
           "ana:on('peer:up', function(e) up[e.peer] = e.hops end)\n"
           "ana:on('state', function(m) states[#states + 1] = m.state end)\n"
           "eva:on('message:ping', function(msg) light = msg.data end)\n"
           "for _, n in ipairs { bob, eva } do n:on('message:news', function() all = all + 1 end) end\n"
           "net:eventually(5, function() return ana:peer(eva) and ana:peer(eva).hops == 2 end)\n"
           "assert(ana:emit(eva, 'ping', { n = 1 }))\n"
           "assert(ana:emit('*', 'news', 'all'))\n"
           "net:eventually(5, function() return light and all == 2 end)\n"
           "assert(light.n == 1)\n"
           "assert(ana:send(eva, 'x'):wait('delivered', 10))\n"
           "net:eventually(5, function() return states[#states] == 'delivered' end)\n"
           "local ok, why = pcall(ana.on, ana, 'no such event', print)\n"
           "assert(not ok and why:find \"^there is no event 'no such event'\", why)\n");
}

static void test_process_lab_kv_and_jobs_stay_in_the_process(void **state)
{
    (void)state;
    passes("local net = ...\n"
           "local ana = net:node 'ana'\n"
           "local t, ran = ana:kv 'list', 0\n"
           "t.name, t[1], t[2], t.deep = 'x', 'a', 'b', { k = { 1 } }\n"
           "ana:job('tick', function(n) ran = ran + n end)\n"
           "ana:schedule('1s', 'tick', 5)\n"
           "net:run('300ms')\n"
           "ana:restart()\n"
           "assert(t.name == 'x' and #t == 2 and t.deep.k[1] == 1 and t.none == nil)\n"
           "assert(not pcall(function() t.deep.k = 2 end))\n"
           "local keys = {}\n"
           "for k in pairs(t) do keys[#keys + 1] = k end\n"
           "assert(#keys == 4 and keys[1] == 1 and keys[3] == 'deep')\n"
           "t.name = nil\n"
           "assert(t.name == nil)\n"
           "net:eventually(10, function() return ran == 5 end)\n");
}

/* --- crashes --- */

static void test_process_lab_mail_and_handlers_outlive_a_kill(void **state)
{
    (void)state;
    passes("local net = ...\n"
           "local ana, bob = net:line('ana', 'bob'):nodes()\n"
           "local got = {}\n"
           "bob:on('message', function(msg) got[#got + 1] = msg.text end)\n"
           "linked(net, ana, bob)\n"
           "assert(ana:send(bob, 'one'):wait('delivered', 10))\n"
           "bob:kill()\n"
           "assert(not bob.is_running and select(3, bob:peers()) == 'shutdown' and not pcall(bob.kill, bob))\n"
           "local m = ana:send(bob, 'two')\n"
           "assert(m:wait('queued', 5))\n"
           "local late\n"
           "bob:on('message', function(msg) late = msg.text end)\n"
           "task.start(owner, function()\n"
           "  task.sleep(0.2)\n"
           "  ana:restart()\n"
           "  bob:restart()\n"
           "end)\n"
           "assert(m:wait('delivered', 30))\n"
           "net:eventually(5, function() return got[#got] == 'two' and late == 'two' end)\n"
           "assert(m.state == 'delivered')\n");
}

static void test_process_lab_a_kill_ends_what_the_node_was_asked(void **state)
{
    (void)state;
    passes("local net = ...\n"
           "local ana, bob = net:line('ana', 'bob'):nodes()\n"
           "bob:serve('slow', function() task.sleep(100) end)\n"
           "linked(net, ana, bob)\n"
           "net:at('100ms', function() ana:kill() end)\n"
           "local _, _, code = ana:request(bob, 'slow', 1, { timeout = 60 })\n"
           "assert(code == 'shutdown')\n");
}

static void test_process_lab_a_frozen_node_misses_nothing(void **state)
{
    (void)state;
    passes("local net = ...\n"
           "local ana, bob = net:line('ana', 'bob'):nodes()\n"
           "local got\n"
           "bob:on('message', function(msg) got = msg.text end)\n"
           "linked(net, ana, bob)\n"
           "bob:freeze()\n"
           "local m = ana:send(bob, 'x')\n"
           "assert(not m:wait('delivered', '300ms') and not got)\n"
           "assert(select(3, bob:peers()) == 'busy')\n"
           "bob:thaw()\n"
           "assert(m:wait('delivered', 10))\n"
           "net:eventually(5, function() return got == 'x' end)\n");
}

static void test_process_lab_a_stop_says_goodbye(void **state)
{
    (void)state;
    passes("local net = ...\n"
           "local ana, bob = net:line('ana', 'bob'):nodes()\n"
           "local reason\n"
           "ana:on('link:down', function(e) reason = e.reason end)\n"
           "linked(net, ana, bob)\n"
           "bob:stop()\n"
           "net:eventually(5, function() return reason end)\n"
           "assert(reason ~= 'closed', reason)\n"
           "bob:start()\n"
           "assert(not pcall(bob.start, bob))\n"
           "net:eventually(10, function() return ana:peer(bob).up end)\n");
}

/* --- faults --- */

static void test_process_lab_a_cut_closes_and_a_join_lets_dials_through(void **state)
{
    (void)state;
    passes("local net = ...\n"
           "local ana, bob = net:line('ana', 'bob'):nodes()\n"
           "local function up() return ana:peer(bob) and ana:peer(bob).up end\n"
           "net:eventually(5, up)\n"
           "net:cut(ana, 'bob')\n"
           "net:eventually(5, function() return not up() end)\n"
           "local m = ana:send(bob, 'x')\n"
           "assert(not m:wait('delivered', '500ms'))\n"
           "net:join('bob', ana)\n"
           "assert(m:wait('delivered', 30))\n"
           "assert(notes[#notes] == 'join bob ana')\n");
}

static void test_process_lab_a_silent_cut_tells_nobody(void **state)
{
    (void)state;
    passes("local net = ...\n"
           "local ana, bob = net:line('ana', 'bob'):nodes()\n"
           "local downs = 0\n"
           "linked(net, ana, bob)\n"
           "ana:on('link:down', function() downs = downs + 1 end)\n"
           "net:cut(ana, bob, { silent = true })\n"
           "local m = ana:send(bob, 'x')\n"
           "assert(not m:wait('delivered', '500ms') and downs == 0 and ana:peer(bob).up)\n"
           "net:join(ana, bob)\n"
           "assert(m:wait('delivered', 10) and downs == 0)\n");
}

static void test_process_lab_a_cut_of_one_way_lets_the_other_pass(void **state)
{
    (void)state;
    passes("local net = ...\n"
           "local ana, bob = net:line('ana', 'bob'):nodes()\n"
           "local at_ana, at_bob\n"
           "ana:on('message', function(msg) at_ana = msg.text end)\n"
           "bob:on('message', function(msg) at_bob = msg.text end)\n"
           "linked(net, ana, bob)\n"
           "net:cut(ana, bob, { oneway = true })\n"
           "ana:emit(bob, 'text', 'to bob')\n"
           "bob:emit(ana, 'text', 'to ana')\n"
           "net:eventually(5, function() return at_ana == 'to ana' end)\n"
           "assert(not at_bob)\n"
           "net:heal()\n"
           "net:eventually(5, function() return at_bob == 'to bob' end)\n");
}

/* kim hears from bob by which address bob reaches ana: that way is bob's alone. */
static void test_process_lab_nobody_gets_around_a_partition(void **state)
{
    (void)state;
    passes("local net = ...\n"
           "local ana, bob, kim = net:node 'ana', net:node 'bob', net:node 'kim'\n"
           "assert(bob:connect(ana))\n"
           "linked(net, bob, ana)\n"
           "assert(kim:connect(bob))\n"
           "linked(net, kim, ana)\n"
           "net:partition({ ana, bob }, { 'kim' })\n"
           "net:eventually(5, function() return not kim:peer(ana).up and not ana:peer(kim).up end)\n"
           "local m = kim:send(ana, 'x')\n"
           "assert(not m:wait('delivered', 3) and not kim:peer(bob).up and not ana:peer(kim).up)\n"
           "assert(bob:peer(ana).up)\n"
           "net:heal()\n"
           "assert(m:wait('delivered', 40))\n");
}

/* --- scripts --- */

static void test_process_lab_the_nodes_run_scripts_beside_the_lab(void **state)
{
    char script[PATH_BYTES + 16], text[2048];
    (void)state;
    snprintf(script, sizeof script, "%s/echo.lua", folder);
    FILE *f = fopen(script, "w");
    assert_non_null(f);
    fputs("node:hear('^echo (.*)', function(_, text) return text end)\n", f);
    fclose(f);
    snprintf(text, sizeof text,
             "local net = ...\n"
             "local script = '%s'\n"
             "local ana, bob = net:node 'ana', net:node('bob', { script = script, config = { ttl = '1h' } })\n"
             "local eva = net:node 'eva'\n"
             "local said = {}\n"
             "ana:on('message', function(msg) said[#said + 1] = msg.text end)\n"
             "ana:dial(bob)\n"
             "ana:dial(eva)\n"
             "linked(net, ana, bob)\n"
             "linked(net, ana, eva)\n"
             "assert(eva:load(script))\n"
             "local ok, why = eva:load(script)\n"
             "assert(not ok and why:find 'loaded already', why)\n"
             "ana:send(bob, 'echo one')\n"
             "net:eventually(5, function() return said[1] == 'one' end)\n"
             "bob:restart()\n"
             "ana:send(bob, 'echo two')\n"
             "net:eventually(20, function() return said[2] == 'two' end)\n"
             "ana:send(eva, 'echo three')\n"
             "net:eventually(5, function() return said[3] == 'three' end)\n", script);
    passes(text);
}

/* --- what fails, and how --- */

static void test_process_lab_a_node_that_cannot_start_says_why(void **state)
{
    char script[PATH_BYTES + 16], text[1024];
    (void)state;
    snprintf(script, sizeof script, "%s/bad.lua", folder);
    FILE *f = fopen(script, "w");
    assert_non_null(f);
    fputs("this is no Lua\n", f);
    fclose(f);
    snprintf(text, sizeof text, "(...):node('ana', { script = '%s' })", script);
    fails(text, "ana did not start: it ended with status 1", "bad.lua:1:");
}

static void test_process_lab_a_node_that_dies_by_itself_fails_the_run(void **state)
{
    (void)state;
    fails("local net = ...\n"
          "local ana = net:node 'ana'\n"
          "require('moth.process_node').inner(ana).program:kill 'kill'\n"
          "ana:request(ana, 'x', 1, { timeout = 60 })\n"
          "task.sleep(60)\n", "ana ended by itself: it was ended by signal 9", "listening on");
}

static void test_process_lab_a_handler_that_fails_fails_the_run(void **state)
{
    (void)state;
    fails("local net = ...\n"
          "local ana = net:node 'ana'\n"
          "ana:on('message', function() error('in the handler') end)\n"
          "ana:send(ana, 'x')\n"
          "task.sleep(60)\n", "in the handler", "lab:3:");
}

static void test_process_lab_an_expectation_that_is_not_met_fails_the_run(void **state)
{
    (void)state;
    fails("local net = ...\n"
          "local ana = net:node 'ana'\n"
          "assert(net:expect(7) == 7)\n"
          "net:eventually('200ms', function() return ana:peer(ana) == 7, 'it is ana' end)\n", "not so within 200ms",
          "it is ana");
}

static void test_process_lab_what_needs_an_imagined_world_says_so(void **state)
{
    (void)state;
    passes("local net = ...\n"
           "local function says(text, fn, ...)\n"
           "  local ok, why = pcall(fn, ...)\n"
           "  assert(not ok and why:find(text, 1, true), why)\n"
           "end\n"
           "local ana = net:node 'ana'\n"
           "for _, name in ipairs { 'settle', 'always', 'never', 'measure', 'max_deliveries', 'way', 'dot' } do\n"
           "  says('net:' .. name .. ' needs the simulated network', net[name], net, 'x', function() end)\n"
           "end\n"
           "says('needs the simulated network', ana.disk, ana, {})\n"
           "says('a hook has to answer at once', ana.hook, ana, 'accept', print)\n"
           "says('latency is no option of a process', net.node, net, 'bob', { latency = 1 })\n"
           "says('no option colour', net.node, net, 'bob', { config = { colour = 'on' } })\n"
           "says('only what it is told to', net.node, net, 'bob', { discover = true })\n"
           "says('a node ana already', net.node, net, 'ana')\n"
           "says('is no name', net.node, net, '../x')\n"
           "says('no node eva', net.cut, net, ana, 'eva')\n"
           "says('no option loud', net.cut, net, ana, ana, { loud = true })\n"
           "assert(select(3, ana:send(ana, function() end)) == 'argument')\n"
           "says('cannot be handed over', ana.send, ana, ana, coroutine.create(print))\n");
}

/* --- the program --- */

static int be_moth(int argc, char **argv)
{
    char why[OPTIONS_WHY_BYTES];
    static struct options options;
    if (options_parse(argc, argv, &options, why) < 0) return EXIT_FAILURE;
    int status = options.program == PROGRAM_DO ? attach_run(&options) : serve_run(&options);
    options_free(&options);
    return status;
}

#define LAB_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        LAB_TEST(test_process_lab_two_nodes_exchange_mail),
        LAB_TEST(test_process_lab_data_of_every_kind_arrives_as_it_was),
        LAB_TEST(test_process_lab_handlers_of_the_lab_answer),
        LAB_TEST(test_process_lab_requests_are_served_by_the_lab),
        LAB_TEST(test_process_lab_events_and_light_messages_reach_the_lab),
        LAB_TEST(test_process_lab_kv_and_jobs_stay_in_the_process),
        LAB_TEST(test_process_lab_mail_and_handlers_outlive_a_kill),
        LAB_TEST(test_process_lab_a_kill_ends_what_the_node_was_asked),
        LAB_TEST(test_process_lab_a_frozen_node_misses_nothing),
        LAB_TEST(test_process_lab_a_stop_says_goodbye),
        LAB_TEST(test_process_lab_a_cut_closes_and_a_join_lets_dials_through),
        LAB_TEST(test_process_lab_a_silent_cut_tells_nobody),
        LAB_TEST(test_process_lab_a_cut_of_one_way_lets_the_other_pass),
        LAB_TEST(test_process_lab_nobody_gets_around_a_partition),
        LAB_TEST(test_process_lab_the_nodes_run_scripts_beside_the_lab),
        LAB_TEST(test_process_lab_a_node_that_cannot_start_says_why),
        LAB_TEST(test_process_lab_a_node_that_dies_by_itself_fails_the_run),
        LAB_TEST(test_process_lab_a_handler_that_fails_fails_the_run),
        LAB_TEST(test_process_lab_an_expectation_that_is_not_met_fails_the_run),
        LAB_TEST(test_process_lab_what_needs_an_imagined_world_says_so),
    };
    if (argc > 1) return be_moth(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
