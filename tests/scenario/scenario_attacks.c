/* scenario_attacks.c -- what scripts can do to the node that runs them, and to those whose traffic goes through it.
 *
 *   ana --- bob --- eva     bob runs the attacks, and a good bot beside; ana and eva talk through him all the time
 *
 * An attack waits for a message and then does its worst. Afterwards the good bot still answers, bob still relays, and
 * no ping of ana's waited longer than what one dispatch may cost, and a little. Letters on their way are not lost. */
#include "bots.h"
#include "patience.h"

#include <stdio.h>
#include <string.h>

#define BUDGET_MS 1000 /* of CPU time, for one dispatch */
#define SPARE_MS 100
#define TIMES_TOO_LATE 10 /* fails; a busy machine proves nothing */

struct line_of_three {
    struct process *ana, *bob, *eva;
};

/* Pings are requests, which no shell shows, each in a task of its own, so that the next does not wait for it. The
 * steady clock is the same for all processes of a machine: there and back are two messages, and each may wait. */
static const char pinging[] =
    "local under_way, worst = {}, 0\n"
    "local function ping()\n"
    "  local start = os.clock()\n"
    "  under_way[start] = true\n"
    "  local turned, why = node:request('eva', 'clock', {}, { timeout = '20s' })\n"
    "  under_way[start] = nil\n"
    "  if not turned then return log.error('lost ping', why) end\n"
    "  worst = math.max(worst, turned - start, os.clock() - turned)\n"
    "end\n"
    "task.every('10ms', function() task.spawn(ping) end)\n"
    "task.every('200ms', function() node:send('eva', 'letter') end)\n"
    "node:serve('worst', function()\n"
    "  local before = {}\n"
    "  for start in pairs(under_way) do before[#before + 1] = start end\n"
    "  for _, start in ipairs(before) do\n"
    "    while under_way[start] do task.sleep '1ms' end\n"
    "  end\n"
    "  local ms = worst * 1000 // 1 | 0\n"
    "  worst = 0\n"
    "  return ms\n"
    "end)\n";

static const char ponging[] = "node:serve('clock', function() return os.clock() end)\n";

static const char good[] = "node:hear('^hello (.*)$', function(_, rest) return 'hello ' .. rest end)\n";

static struct line_of_three start_line(void)
{
    struct line_of_three l = {.bob = bots_node("bob", bots_write("good", good))};
    const char *bob = process_address(l.bob);
    l.eva = process_node("eva", NULL, "--connect", bob, "--load", bots_write("ponging", ponging), NULL);
    l.ana = process_node("ana", NULL, "--connect", bob, NULL);
    process_ask(l.ana, "list", "^eva ???????? 2 bob ", PROCESS_SOON_MS);
    process_ask(l.eva, "list", "^ana ???????? 2 bob ", PROCESS_SOON_MS);
    process_say(l.ana, "load %s", bots_write("pinging", pinging));
    process_expect(l.ana, "^pinging is running$", PROCESS_SOON_MS);
    return l;
}

/* The good bot answers, and the slowest ping since the last look was quick enough. */
static void expect_unharmed(const struct line_of_three *l, const char *name)
{
    char pattern[96];
    process_say(l->ana, "send bob hello %s", name);
    snprintf(pattern, sizeof pattern, "] bob: hello %s$", name);
    process_expect(l->ana, pattern, PROCESS_SOON_MS);
    int worst_ms = (int)bots_number(l->ana, "node:request(node.id, 'worst', {}, { timeout = '20s' })");
    const char *prefix = worst_ms > BUDGET_MS + SPARE_MS ? "warning: " : "";
    print_message("%s%s: no message waited longer than %d ms, the aim is %d ms\n", prefix, name, worst_ms,
                  BUDGET_MS + SPARE_MS);
    if (worst_ms > TIMES_TOO_LATE * (BUDGET_MS + SPARE_MS) * patience_factor())
        fail_msg("%s: a message waited %d ms, ten times too long", name, worst_ms);
}

struct attack {
    const char *name;
    const char *text;   /* `attack()` is called when the message comes */
    const char *sign;   /* what `scripts` shows then */
    int triggers;       /* so many messages at once */
};

static void load_attack(const struct line_of_three *l, const struct attack *a)
{
    char text[2048], pattern[96];
    snprintf(text, sizeof text, "%s\nnode:on('message:attack', attack)\n", a->text);
    process_say(l->bob, "load %s", bots_write(a->name, text));
    snprintf(pattern, sizeof pattern, "^%s is running$", a->name);
    process_expect(l->bob, pattern, PROCESS_SOON_MS);
}

static void run_attack(const struct line_of_three *l, const struct attack *a)
{
    load_attack(l, a);
    process_say(l->ana, "= for i = 1, %d do node:emit('bob', 'attack', i) end", a->triggers);
    process_ask(l->bob, "scripts", a->sign, 4 * PROCESS_SOON_MS);
    process_say(l->bob, "unload %s", a->name);
    process_expect(l->bob, "is unloaded$", PROCESS_SOON_MS);
    expect_unharmed(l, a->name);
}

static void run_attacks(const struct attack *attacks, size_t count)
{
    struct line_of_three l = start_line();
    for (size_t i = 0; i < count; i++) run_attack(&l, &attacks[i]);
    process_say(l.ana, "unload pinging");
    process_ask(l.ana, "queue", "^nothing waiting$", PROCESS_SOON_MS);
    process_expect_none(l.ana, "lost ping", 0);
    process_quit(l.bob);
}

#define RUN(attacks) run_attacks((attacks), sizeof(attacks) / sizeof *(attacks))

/* --- those that never end --- */

static void test_loops_without_end_are_stopped(void **state)
{
    (void)state;
    static const struct attack attacks[] = {
        {"loop", "function attack() while true do end end", "^loop: last error: it ran for too long", 1},
        {"pcall_loop", "function attack() while true do pcall(function() while true do end end) end end",
         "^pcall_loop: last error: it ran for too long", 1},
        {"coroutine_loop", "function attack() coroutine.wrap(function() while true do end end)() end",
         "^coroutine_loop: last error: it ran for too long", 1},
        {"handler_loop", "function attack() xpcall(error, function() while true do end end) end",
         "^handler_loop: last error: it ran for too long", 1},
        {"sort_loop", "function attack() table.sort({ 1, 2, 3 }, function() while true do end end) end",
         "^sort_loop: last error: it ran for too long", 1},
    };
    RUN(attacks);
}

static void test_loops_in_what_ends_a_task_are_stopped(void **state)
{
    (void)state;
    static const struct attack attacks[] = {
        {"collected", "function attack() setmetatable({}, { __gc = function() while true do end end }) end",
         "a script's$", 1},
        {"closed", "function attack()\n"
         "  local x <close> = setmetatable({}, { __close = function() while true do end end })\n"
         "  while true do end\nend", "^closed: last error: it ran for too long", 1},
        {"closed_often", "local class = { __close = function() while true do end end }\n"
         "function attack()\n  local a <close>, b, c = setmetatable({}, class)\n"
         "  local d <close> = setmetatable({}, class)\n  local e <close> = setmetatable({}, class)\n"
         "  while true do end\nend", "^closed_often: last error: it ran for too long", 1},
    };
    RUN(attacks);
}

/* --- those that want too much --- */

static void test_bombs_are_refused(void **state)
{
    (void)state;
    static const struct attack attacks[] = {
        {"pattern", "function attack() return ('a'):rep(40):find(('a?'):rep(40) .. ('a'):rep(40)) end",
         "^pattern: last error: *pattern", 1},
        {"repeated", "function attack() return ('x'):rep(1 << 40) end", "^repeated: last error: ", 1},
        {"memory", "function attack() local t = {} while true do t[#t + 1] = ('x'):rep(100000) .. #t end end",
         "^memory: last error: *not enough memory", 1},
        {"hoarded", "hoard = {}\n"
         "function attack() while true do hoard[#hoard + 1] = ('x'):rep(100000) .. #hoard end end",
         "^hoarded is parked: it used up the memory of all scripts", 3},
        {"recursion", "local function deeper() return 1 + deeper() end\nattack = deeper",
         "^recursion: last error: ", 1},
        {"protected", "local function deeper() pcall(deeper) pcall(deeper) end\nattack = deeper",
         "^protected: last error: it ran for too long", 1},
        {"chained", "function attack()\n  local last\n  for i = 1, 20000 do\n    local before = last\n"
         "    last = coroutine.create(function()\n"
         "      local x <close> = setmetatable({}, { __close = function()\n"
         "        if before then coroutine.close(before) end\n      end })\n      coroutine.yield()\n    end)\n"
         "    coroutine.resume(last)\n  end\n  coroutine.close(last)\n  error 'closed'\nend",
         "^chained: last error: ", 1},
        {"wordless", "function attack() error(setmetatable({}, { __tostring = function() error 'no' end })) end",
         "^wordless: last error: ", 1},
        {"bytecode", "function attack() assert(load('\\27Lua' .. ('\\0'):rep(100), 'b', 'b')) end",
         "^bytecode: last error: *attempt to load$", 1},
    };
    RUN(attacks);
}

/* --- those that come again and again --- */

static void test_repeated_offenders_are_parked(void **state)
{
    (void)state;
    static const struct attack attacks[] = {
        {"always_loops", "function attack() while true do end end",
         "^always_loops is parked: its code ran for too long too often", 5},
        {"always_busy", "function attack()\n  local stop = os.clock() + 0.3\n  while os.clock() < stop do end\n"
         "  error 'busy'\nend", "^always_busy running 1 0 4", 4},
        {"always_fails", "function attack() error 'always' end", "^always_fails is parked: too many errors in a minute",
         120},
        {"two_handlers", "function attack() while true do end end\nnode:on('message:attack', attack)",
         "^two_handlers running 2 0 2", 1},
        {"slow_hook", "function attack() node:hook('forward', function() while true do end end) end",
         "^slow_hook is parked: its hooks ran for too long", 1},
    };
    RUN(attacks);
}

/* None of those that wait ends by itself, and unloading them takes no longer than one of them. */
static void test_a_crowd_that_does_not_want_to_go_is_cut_short(void **state)
{
    (void)state;
    static const struct attack attacks[] = {
        {"crowd", "local class = { __close = function() while true do end end }\n"
         "local function stay() local x <close> = setmetatable({}, class) task.sleep '1h' end\n"
         "function attack() for i = 1, 300 do task.spawn(stay) end end", "^crowd running 1 300 0", 1},
    };
    RUN(attacks);
}

/* They do no harm, and go when they are told. */
static void test_those_that_never_rest_leave_time_for_others(void **state)
{
    (void)state;
    static const struct attack attacks[] = {
        {"yielding", "function attack() while true do coroutine.yield() end end",
         "^yielding: last error: *task.sleep", 1},
        {"sleepless", "function attack() while true do task.sleep(0) end end", "^sleepless running 1 1 0", 1},
        {"sleeping", "function attack() task.sleep '30d' end", "^sleeping running 1 5 0", 5},
        {"spawning", "function attack() task.spawn(attack) task.spawn(attack) end", "^spawning running 1 *?? 0", 1},
        {"crowding", "function attack() while task.spawn(task.sleep, '1h') do end end", "^crowding running 1 999 0", 1},
    };
    RUN(attacks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROCESS_TEST(test_loops_without_end_are_stopped),
        PROCESS_TEST(test_loops_in_what_ends_a_task_are_stopped),
        PROCESS_TEST(test_bombs_are_refused),
        PROCESS_TEST(test_repeated_offenders_are_parked),
        PROCESS_TEST(test_a_crowd_that_does_not_want_to_go_is_cut_short),
        PROCESS_TEST(test_those_that_never_rest_leave_time_for_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
