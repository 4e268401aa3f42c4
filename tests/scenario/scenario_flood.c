/* scenario_flood.c -- somebody types while thousands of messages a second arrive: how long a key takes to show, and
 * whether every message is whole, on the screen and in the history.
 *
 *   eva, kim --- ana     ana sits at a terminal of our own (emulator.h), the others send what they can
 *
 * A key is pressed every few milliseconds whether or not the one before has shown yet; it has shown when the line with
 * the cursor holds all keys up to it. */
#include "bots.h"
#include "emulator.h"
#include "folder.h"
#include "once.h"
#include "patience.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define KEYS 200
#define LIGHT 10000
#define DURABLE 2500 /* of each sender */
#define AIM_MS 100
#define PROMPT "ana> "

static const char flooding[] = "local filler = ('x'):rep(60)\n"
                               "local function text(n) return ('%s number %d %s.'):format(node.name, n, filler) end\n"
                               "node:hear('^light (%d+)$', function(_, count)\n"
                               "  for n = 1, tonumber(count) do\n"
                               "    node:emit('ana', 'text', text(n))\n"
                               "    if n % 10 == 0 then task.sleep '4ms' end\n"
                               "  end\n"
                               "  node:send('ana', node.name .. ' has ended')\n"
                               "end)\n"
                               "node:hear('^durable (%d+)$', function(_, count)\n"
                               "  for n = 1, tonumber(count) do\n"
                               "    node:send('ana', text(n))\n"
                               "    if n % 100 == 0 then task.sleep '10ms' end\n"
                               "  end\n"
                               "  node:send('ana', node.name .. ' has ended')\n"
                               "end)\n";

static pid_t ana; /* 0: none */
static int master = -1;
static char home[512];
static struct emulator screen;
static int64_t last_ms;         /* when the last message was judged */
static unsigned seen[2], ended; /* messages of eva and of kim, whole and in order; senders that have ended */

/* --- the terminal --- */

static void become(const char *const arguments[])
{
    const char *argv[16] = {getenv("MOTH") ? getenv("MOTH") : "build/moth"};
    for (size_t i = 0; arguments[i] && i < 14; i++) argv[i + 1] = arguments[i];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setsid();
    int terminal = open(ptsname(master), O_RDWR);
    ioctl(terminal, TIOCSCTTY, 0);
    for (int i = 0; i < 3; i++) dup2(terminal, i);
    setenv("TERM", "xterm", 1);
    setenv("LC_ALL", "C.UTF-8", 1);
    unsetenv("NO_COLOR");
    signal(SIGPIPE, SIG_DFL);
    execv(argv[0], (char *const *)argv);
    _exit(127);
}

static void start_ana(const char *first, const char *second)
{
    const struct winsize size = {.ws_row = EMULATOR_ROWS, .ws_col = EMULATOR_COLUMNS};
    snprintf(home, sizeof home, "%s", folder_new_path("ana"));
    master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0) skip();
    assert_int_equal(ioctl(master, TIOCSWINSZ, &size), 0);
    ana = fork();
    assert_true(ana >= 0);
    if (ana == 0)
        become((const char *const[]){"--home", home, "--name", "ana", "--listen", "none", "--connect", first,
                                     "--connect", second, NULL});
}

static int tear_down(void **state)
{
    if (ana != 0) {
        kill(ana, SIGKILL);
        waitpid(ana, NULL, 0);
    }
    if (master >= 0) close(master);
    ana = 0;
    master = -1;
    return process_cleanup(state);
}

/* `[HH:MM:SS] ` at the start. */
static const char *behind_time(const char *row)
{
    static const char form[] = "[00:00:00] ";
    for (size_t i = 0; form[i]; i++)
        if (form[i] == '0' ? !isdigit((unsigned char)row[i]) : row[i] != form[i]) return NULL;
    return row + sizeof form - 1;
}

/* A row has left the screen: a message that is whole and the next of its sender, or none at all. */
static void judge(void *owner, const char *row)
{
    static const char *const names[] = {"eva", "kim"};
    char whole[256], filler[61];
    const char *text = behind_time(row);
    (void)owner;
    memset(filler, 'x', 60);
    filler[60] = '\0';
    for (int i = 0; i < 2 && text; i++) {
        snprintf(whole, sizeof whole, "%s: %s number %u %s.", names[i], names[i], seen[i] + 1, filler);
        if (strcmp(text, whole) == 0) {
            seen[i]++;
            last_ms = patience_now_ms();
            return;
        }
    }
    if (text && strstr(text, " has ended")) ended++;
    else if (strstr(row, "number") || strstr(row, "xxx")) fail_msg("a line is torn, or not the next one: %s", row);
}

/* Takes what the program writes, for at most so long. */
static void look(int ms)
{
    char chunk[65536];
    struct pollfd out = {.fd = master, .events = POLLIN};
    if (poll(&out, 1, ms) > 0) {
        ssize_t n = read(master, chunk, sizeof chunk);
        if (n <= 0) fail_msg("ana has ended");
        emulator_feed(&screen, chunk, (size_t)n);
    }
    process_listen(0);
}

static bool shows(const char *text)
{
    for (int row = 0; row < EMULATOR_ROWS; row++)
        if (strstr(screen.cells[row], text)) return true;
    return false;
}

static void wait_until_shown(const char *text)
{
    int64_t end_ms = patience_deadline(12 * PROCESS_SOON_MS);
    while (!shows(text)) {
        if (patience_now_ms() >= end_ms) fail_msg("\"%s\" is never shown", text);
        look(20);
    }
}

static void type(const char *text)
{
    assert_int_equal(write(master, text, strlen(text)), strlen(text));
}

/* --- keys --- */

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static void report(int64_t delays[KEYS])
{
    char what[128];
    qsort(delays, KEYS, sizeof *delays, compare);
    int64_t p50 = delays[KEYS / 2], p99 = delays[KEYS * 99 / 100];
    print_message("%sfrom key to screen: p50 %lld ms, p99 %lld ms, the aim is %d ms\n", p99 > AIM_MS ? "warning: " : "",
                  (long long)p50, (long long)p99, AIM_MS);
    snprintf(what, sizeof what, "a key takes %lld ms to show, ten times too long", (long long)p99);
    if (p99 > 10LL * AIM_MS * patience_factor()) fail_msg("%s", what);
}

static int shown_keys(const char *keys)
{
    const char *row = emulator_current(&screen);
    size_t prompt = sizeof PROMPT - 1;
    int n = 0;
    if (strncmp(row, PROMPT, prompt) != 0) return 0;
    while (keys[n] && row[prompt + (size_t)n] == keys[n]) n++;
    return n;
}

/* Presses a key every so often, and leaves them all on the line. */
static void type_and_measure(int every_ms)
{
    char keys[KEYS + 1];
    int64_t pressed_ms[KEYS], delays[KEYS], start_ms = patience_now_ms();
    for (int i = 0; i < KEYS; i++) keys[i] = (char)('a' + i % 26);
    keys[KEYS] = '\0';
    for (int pressed = 0, shown = 0; shown < KEYS;) {
        int64_t now_ms = patience_now_ms();
        if (pressed < KEYS && now_ms >= start_ms + (int64_t)pressed * every_ms) {
            pressed_ms[pressed] = now_ms;
            assert_int_equal(write(master, keys + pressed++, 1), 1);
        }
        look(1);
        now_ms = patience_now_ms();
        int now = shown_keys(keys);
        for (; shown < now && shown < pressed; shown++) delays[shown] = now_ms - pressed_ms[shown];
        if (now_ms > start_ms + 60000LL * patience_factor()) fail_msg("after %d keys no more show", shown);
    }
    report(delays);
}

/* Pushes what is on the screen off it, so that it is judged. */
static void push_out(void)
{
    type("\025"); /* Ctrl-U */
    for (int i = 0; i < EMULATOR_ROWS; i++) type("= 'done'\r");
    wait_until_shown("done");
    int64_t end_ms = patience_deadline(4 * PROCESS_SOON_MS);
    while (shows("number") || shows("has ended")) {
        if (patience_now_ms() >= end_ms) fail_msg("the screen does not move any more");
        look(20);
    }
}

/* --- the floods --- */

static void meet(struct process *senders[2])
{
    const char *script = bots_write("flood", flooding);
    senders[0] = bots_node("eva", script);
    senders[1] = bots_node("kim", script);
    seen[0] = seen[1] = ended = 0;
    emulator_init(&screen);
    screen.on_gone = judge;
    start_ana(process_address(senders[0]), process_address(senders[1]));
    wait_until_shown("eva is linked");
    wait_until_shown("kim is linked");
}

static void report_rate(unsigned count, int64_t start_ms)
{
    int64_t spent_ms = last_ms - start_ms + 1;
    long long rate = 1000LL * count / spent_ms;
    print_message("%s%u messages in %lld ms: %lld a second, the aim is 2000\n", rate < 2000 ? "warning: " : "", count,
                  (long long)spent_ms, rate);
    if (rate * patience_factor() < 200) fail_msg("%lld messages a second, a tenth of the aim", rate);
}

static void test_keys_show_at_once_while_light_messages_pour_in(void **state)
{
    struct process *senders[2];
    (void)state;
    meet(senders);
    type("set light on\r");
    wait_until_shown("light is on");
    int64_t start_ms = patience_now_ms();
    process_say(senders[0], "send eva light %d", LIGHT);
    type_and_measure(25);
    wait_until_shown("eva has ended");
    report_rate(LIGHT, start_ms);
    push_out();
    assert_int_equal(seen[0], LIGHT);
    assert_int_equal(screen.unknown, 0);
}

static void test_every_durable_message_is_shown_and_in_the_history(void **state)
{
    struct process *senders[2];
    char filter[128];
    (void)state;
    meet(senders);
    int64_t start_ms = patience_now_ms();
    for (int i = 0; i < 2; i++) process_say(senders[i], "send %s durable %d", process_name(senders[i]), DURABLE);
    type_and_measure(10);
    int64_t end_ms = patience_deadline(24 * PROCESS_SOON_MS);
    while (ended + (unsigned)shows("eva has ended") + (unsigned)shows("kim has ended") < 2) {
        if (patience_now_ms() >= end_ms) fail_msg("%u and %u messages came, no more", seen[0], seen[1]);
        look(20);
    }
    report_rate(2 * DURABLE, start_ms);
    push_out();
    assert_int_equal(seen[0], DURABLE);
    assert_int_equal(seen[1], DURABLE);
    assert_int_equal(ONCE_MOTH("do", "--home", home, "--json", "history", "10000"), 0);
    snprintf(filter, sizeof filter,
             "[.[] | tostring | capture(\"(?<who>[a-z]+) number (?<n>[0-9]+) \") | .who + .n] | "
             "unique | length == %d",
             2 * DURABLE);
    once_expect_jq(filter);
    assert_int_equal(screen.unknown, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_keys_show_at_once_while_light_messages_pour_in, tear_down),
        cmocka_unit_test_teardown(test_every_durable_message_is_shown_and_in_the_history, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
