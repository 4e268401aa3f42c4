/* scenario_scripts.c -- scripts that are killed in the midst of something, changed while they run, or set upon each
 * other.
 *
 *   ana --- bob     bob runs the script, ana has none and types; where both run one, the test says so */
#include "bots.h"
#include "folder.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#define RELOADS 1000
#define RELOADS_BEFORE 100   /* after so many, pools and caches are filled */
#define LUA_GROWTH_KIB 64      /* over the others; a leak of a tenth of a KiB a reload shows */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MEMORY_GROWTH_KIB (512 << 10) /* a checker keeps what is freed for a while */
#else
#define MEMORY_GROWTH_KIB 1024 /* a leak of one KiB a reload shows */
#endif
#define ENDS_MAX 3

static void expect_message(struct process *p, const char *from, const char *text)
{
    char pattern[192];
    snprintf(pattern, sizeof pattern, "^[??:??:??] %s: %s$", from, text);
    process_expect(p, pattern, PROCESS_SOON_MS);
}

/* --- killed in a handler --- */

/* Each part of the handler is on the disk before the next begins: what one sends to oneself arrives after its commit (a
 * peer's receipt may be faster than that). */
static const char in_parts[] =
    "local kept = node:kv 'kept'\n"
    "node:hear('^work$', function(msg)\n"
    "  kept.starts = (kept.starts or 0) + 1\n"
    "  kept.marked = msg.redelivered\n"
    "  node:send(node.id, 'first part'):wait 'delivered'\n"
    "  kept.second = (kept.second or 0) + 1\n"
    "  if not msg.redelivered then\n"
    "    print 'in the second part'\n"
    "    while true do end\n"
    "  end\n"
    "  task.sleep(0)\n"
    "  return 'all parts'\n"
    "end)\n";

/* What the second part had written when the process ended was never committed; the first part's was. */
static void test_what_a_killed_handler_had_finished_is_kept_and_no_more(void **state)
{
    (void)state;
    const char *script = bots_write("parts", in_parts);
    struct process *bob = bots_node("bob", script), *ana = bots_friend("ana", bob);
    process_say(ana, "send bob work");
    process_expect(bob, "^in the second part$", PROCESS_SOON_MS);
    bots_kill(bob);
    bob = bots_again(bob, NULL, script);
    process_expect(bob, "^[??:??:??] * (again): work$", PROCESS_SOON_MS);
    process_say(ana, "connect %s", process_address(bob));
    process_expect(ana, ": all parts$", 2 * PROCESS_SOON_MS);
    assert_int_equal(bots_number(bob, "node:kv('kept').starts"), 2);
    assert_int_equal(bots_number(bob, "node:kv('kept').second"), 1);
    assert_int_equal(bots_number(bob, "node:kv('kept').marked and 1 or 0"), 1);
}

/* What was done so far is on the disk. */
static void await_commit(struct process *node)
{
    assert_int_equal(bots_number(node, "(function() while node:status().writes_waiting > 0 do task.sleep '10ms' end "
                                       "return 7 end)()"), 7);
}

/* The reply may be there before the commit; then it would be right to do it again. */
static void test_a_message_whose_handler_ended_does_not_come_again(void **state)
{
    (void)state;
    const char *script = bots_write("count", "node:hear('^one$', function() local c = node:kv 'count'\n"
                                             "  c.n = (c.n or 0) + 1 return 'number ' .. c.n end)\n");
    struct process *bob = bots_node("bob", script), *ana = bots_friend("ana", bob);
    process_say(ana, "send bob one");
    process_expect(ana, ": number 1$", PROCESS_SOON_MS);
    await_commit(bob);
    bots_kill(bob);
    bob = bots_again(bob, NULL, script);
    assert_int_equal(bots_number(bob, "node:kv('count').n"), 1);
    process_expect_none(bob, "(again)", 0);
}

static const char job_in_parts[] =
    "node:job('work', function(what)\n"
    "  local runs = node:kv 'runs'\n"
    "  runs.started = (runs.started or 0) + 1\n"
    "  node:send(node.id, 'sign'):wait 'delivered'\n"
    "  print('job ' .. what .. ' started')\n"
    "  if runs.started == 1 then task.sleep '1h' end\n"
    "  runs.finished = (runs.finished or 0) + 1\n"
    "  print('job ' .. what .. ' finished')\n"
    "end)\n"
    "node:hear('^plan$', function() node:schedule(0, 'work', 'one') return 'planned' end)\n";

static void test_a_job_that_was_killed_in_the_middle_fires_once_more_and_only_once(void **state)
{
    (void)state;
    const char *script = bots_write("job", job_in_parts);
    struct process *bob = bots_node("bob", script);
    process_say(bob, "send bob plan");
    process_expect(bob, "^job one started$", PROCESS_SOON_MS);
    bots_kill(bob);
    bob = bots_again(bob, NULL, script);
    process_expect(bob, "^job one finished$", PROCESS_SOON_MS);
    process_say(bob, "= node:send(node.id, 'sign'):wait 'delivered'"); /* all that was written before is kept now */
    process_expect(bob, "^true$", PROCESS_SOON_MS);
    bots_kill(bob);
    bob = bots_again(bob, NULL, script);
    process_say(bob, "send bob plan"); /* the list of jobs was read when this one has run */
    process_expect(bob, "^job one finished$", PROCESS_SOON_MS);
    process_expect_none(bob, "^job one finished$", 0);
    assert_int_equal(bots_number(bob, "node:kv('runs').started"), 3);
    assert_int_equal(bots_number(bob, "node:kv('runs').finished"), 2);
}

static void test_a_message_that_ends_three_processes_is_set_aside(void **state)
{
    (void)state;
    const char *script = bots_write("deadly", "node:hear('^die$', function() print 'started' task.sleep '1h' end)\n"
                                              "node:hear('^hello$', function() return 'alive' end)\n");
    struct process *bob = bots_node("bob", script), *ana = bots_friend("ana", bob);
    process_say(ana, "send bob die");
    for (int i = 0; i < ENDS_MAX; i++) {
        process_expect(bob, "^started$", PROCESS_SOON_MS);
        bots_kill(bob);
        bob = bots_again(bob, NULL, script);
    }
    process_expect(bob, "^* a message from * ended this program 3 times and is set aside", PROCESS_SOON_MS);
    process_ask(bob, "history", " ana (set aside): die$", PROCESS_SOON_MS);
    process_say(ana, "connect %s", process_address(bob));
    process_say(ana, "send bob hello");
    process_expect(ana, "] bob: alive$", 2 * PROCESS_SOON_MS);
    process_expect_none(bob, "^started$", 0);
}

/* Whoever quits while a handler waits has ended nothing: the conversation begins anew as often as it takes. */
static void test_clean_ends_with_a_message_still_held_do_not_count(void **state)
{
    (void)state;
    const char *script = bots_write("patient", "node:hear('^order$', function(msg) print 'asking'\n"
                                               "  return 'size ' .. msg:ask 'which size?' end)\n");
    struct process *bob = bots_node("bob", script), *ana = bots_friend("ana", bob);
    process_say(ana, "send bob order");
    for (int i = 0; i < ENDS_MAX + 2; i++) {
        process_expect(bob, "^asking$", PROCESS_SOON_MS);
        process_expect(ana, ": which size?$", 2 * PROCESS_SOON_MS);
        process_quit(bob);
        bob = bots_again(bob, ana, script);
    }
    process_expect(ana, ": which size?$", 2 * PROCESS_SOON_MS);
    process_say(ana, "send bob M");
    process_expect(ana, "] bob: size M$", 2 * PROCESS_SOON_MS);
}

/* --- changed while it runs --- */

static const char answers_one[] = "local count = 0\n"
                                  "script.save = function() return { count = count } end\n"
                                  "node:hear('^hi$', function() count = count + 1 return 'one ' .. count end)\n";

static struct process *say_hi(struct process *ana, const char *answer)
{
    process_say(ana, "send bob hi");
    expect_message(ana, "bob", answer);
    return ana;
}

static void expect_reload_fails(struct process *bob, const char *text, const char *why)
{
    char pattern[192];
    bots_write("bot", text);
    process_say(bob, "reload bot");
    snprintf(pattern, sizeof pattern, "^line ?*: cannot reload bot: *%s*; the old one goes on$", why);
    process_expect_error(bob, pattern, PROCESS_SOON_MS);
}

static void test_a_reload_that_fails_leaves_the_old_one_answering(void **state)
{
    (void)state;
    struct process *bob = bots_node("bob", bots_write("bot", answers_one)), *ana = bots_friend("ana", bob);
    say_hi(ana, "one 1");
    expect_reload_fails(bob, "node:hear('^hi$', function() return 'two' end", "bot.lua:1: ')' expected");
    say_hi(ana, "one 2");
    expect_reload_fails(bob, "node:hear('^hi$', function() return 'two' end)\nnode:send('ana', 'early')\n"
                             "task.spawn(print, 'early')\nerror 'no luck'", "bot.lua:4: no luck");
    say_hi(ana, "one 3");
    expect_reload_fails(bob, "local x = undefinedd", "undefined global 'undefinedd'");
    say_hi(ana, "one 4");
    expect_reload_fails(bob, "while true do end", "too long");
    say_hi(ana, "one 5");
    expect_reload_fails(bob, "script.restore = function(v) error('not ' .. v.count) end",
                        "script.restore failed*not 5");
    say_hi(ana, "one 6");
    process_expect_none(ana, "early", 0);
    process_expect_none(bob, "early", 0);
}

static void test_a_good_reload_hands_over_the_state(void **state)
{
    (void)state;
    struct process *bob = bots_node("bob", bots_write("bot", answers_one)), *ana = bots_friend("ana", bob);
    say_hi(ana, "one 1");
    bots_write("bot", "local count\nscript.restore = function(v) count = v.count end\n"
                      "node:hear('^hi$', function() return 'two ' .. count end)\n");
    process_say(bob, "reload bot");
    process_expect(bob, "^bot is running anew$", PROCESS_SOON_MS);
    say_hi(ana, "two 1");
    process_expect_none(ana, "one", 0);
}

/* Something of each kind that a script can have. */
static const char has_all[] =
    "local count = 0\n"
    "script.save = function() return { count = count } end\n"
    "script.restore = function(v) count = v.count + 1 end\n"
    "script.unload = function() end\n"
    "node:hear('^hi$', function() return 'reloaded ' .. count end)\n"
    "node:on('message', function() end)\n"
    "node:command('add <a:number> <b:number>', function(_, a, b) return a + b end)\n"
    "node:serve('sum', function(data) return data[1] + data[2] end)\n"
    "node:hook('accept', function() end)\n"
    "node:job('work', function() end)\n"
    "task.every('1h', function() end)\n"
    "task.after('1h', function() end)\n"
    "task.spawn(function() task.sleep '1h' end)\n"
    "task.spawn(function() task.all { function() task.sleep '1h' end, function() task.sleep '2h' end } end)\n"
    "local server = moth.tcp.listen('127.0.0.1:0', function(conn) conn:read() end)\n"
    "task.spawn(function() local conn = moth.tcp.connect(server.address) conn:read() end)\n"
    "node:kv('counts').reloads = count\n"
    "moth.router.new(node.id)\n"
    "moth.store.open 'bot.db'\n";

struct footprint {
    long memory_kib;
    long long lua_kib;
    int files;
};

static void reload_often(struct process *bob, int times)
{
    for (int i = 0; i < times; i++) process_say(bob, "reload bot");
    for (int i = 0; i < times; i++) process_expect(bob, "^bot is running anew$", 12 * PROCESS_SOON_MS);
}

static struct footprint look_at(struct process *bob)
{
    struct footprint f = {.lua_kib = bots_number(bob, "collectgarbage() + collectgarbage 'count' // 1 | 0")};
    f.memory_kib = bots_memory_kib(bob);
    f.files = bots_open_files(bob);
    return f;
}

static void test_a_thousand_reloads_leave_nothing_behind(void **state)
{
    (void)state;
    const char *script = bots_write_changed("bot", bots_write("all", has_all), "bot.db", folder_new_path("db"));
    struct process *bob = bots_node("bob", script);
    struct process *ana = bots_friend("ana", bob);
    reload_often(bob, RELOADS_BEFORE);
    struct footprint before = look_at(bob);
    reload_often(bob, RELOADS - RELOADS_BEFORE);
    struct footprint after = look_at(bob);
    print_message("after %d and %d reloads: %ld and %ld KiB, of which Lua has %lld and %lld; %d and %d files\n",
                  RELOADS_BEFORE, RELOADS, before.memory_kib, after.memory_kib, before.lua_kib, after.lua_kib,
                  before.files, after.files);
    assert_true(after.lua_kib - before.lua_kib < LUA_GROWTH_KIB);
    assert_true(after.memory_kib - before.memory_kib < MEMORY_GROWTH_KIB);
    assert_int_equal(after.files, before.files);
    process_say(bob, "scripts");
    process_expect(bob, "^bot running 5 8 0 ", PROCESS_SOON_MS);
    process_say(ana, "send bob hi");
    expect_message(ana, "bob", "reloaded 1000");
}

/* --- set upon each other --- */

/*   ana --- bob     both answer everything, and both greet whoever comes */
static void test_two_bots_that_answer_everything_fall_silent(void **state)
{
    (void)state;
    const char *script = bots_write("greeter", "node:on('peer:up', function(p) node:send(p.peer, 'I greet you') end)\n"
                                               "node:hear('.*', function(msg) return 'and you' end)\n");
    struct process *bob = bots_node("bob", script), *ana = bots_node("ana", script);
    process_connect(ana, bob);
    expect_message(ana, "bob", "and you");
    expect_message(bob, "ana", "and you");
    assert_int_equal(bots_number(ana, "node:status().messages_sent"), 2);
    assert_int_equal(bots_number(bob, "node:status().messages_sent"), 2);
    process_say(ana, "send bob how are you?"); /* a person's word, and one answer */
    expect_message(ana, "bob", "and you");
    process_listen(300); /* nothing more, and no command could tell so */
    assert_int_equal(bots_number(ana, "node:status().messages_sent"), 3);
    assert_int_equal(bots_number(bob, "node:status().messages_sent"), 3);
}

/*   ana --- bob     whatever a peer calls its messages, they are messages */
static void test_a_peer_can_raise_no_event_but_messages(void **state)
{
    (void)state;
    const char *script = bots_write(
        "watch", "for _, name in ipairs { 'error', 'stop', 'state', 'route', 'link:up', 'link:down', 'peer:up',\n"
                 "    'peer:down', 'message:error', 'message:stop', 'message:state', 'message:route' } do\n"
                 "  node:on(name, function(e) print(name .. ' with ' .. tostring(e.data)) end)\n"
                 "end\n");
    struct process *bob = bots_node("bob", script), *ana = bots_friend("ana", bob);
    static const char *const names[] = {"error", "stop", "state", "route"};
    char pattern[64];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        process_say(ana, "= node:send('bob', 'forged', { type = '%s' })", names[i]);
        process_say(ana, "= node:emit('bob', '%s', 'forged')", names[i]);
        snprintf(pattern, sizeof pattern, "^message:%s with forged$", names[i]);
        process_expect(bob, pattern, PROCESS_SOON_MS);
        process_expect(bob, pattern, PROCESS_SOON_MS);
    }
    process_say(ana, "= node:send('bob', 'forged', { type = 'link:down' })");
    process_expect(ana, "^nil *argument$", PROCESS_SOON_MS);
    process_say(ana, "= node:emit('*', 'link:down', 'forged')");
    process_expect(ana, "^nil *argument$", PROCESS_SOON_MS);
    process_expect_none(bob, "^error with", 0);
    process_expect_none(bob, "^stop with", 0);
    process_expect_none(bob, "with forged", 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROCESS_TEST(test_what_a_killed_handler_had_finished_is_kept_and_no_more),
        PROCESS_TEST(test_a_message_whose_handler_ended_does_not_come_again),
        PROCESS_TEST(test_a_job_that_was_killed_in_the_middle_fires_once_more_and_only_once),
        PROCESS_TEST(test_a_message_that_ends_three_processes_is_set_aside),
        PROCESS_TEST(test_clean_ends_with_a_message_still_held_do_not_count),
        PROCESS_TEST(test_a_reload_that_fails_leaves_the_old_one_answering),
        PROCESS_TEST(test_a_good_reload_hands_over_the_state),
        PROCESS_TEST(test_a_thousand_reloads_leave_nothing_behind),
        PROCESS_TEST(test_two_bots_that_answer_everything_fall_silent),
        PROCESS_TEST(test_a_peer_can_raise_no_event_but_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
