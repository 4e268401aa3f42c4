/* scenario_injection.c -- what peers send is shown and never obeyed: by no terminal, no pipe, no reader of JSON.
 *
 *   ana --- eva     eva sends whatever bytes she likes; ana sits at a terminal whose every byte is recorded
 *
 * Each text is written as a Lua string, for eva's prompt, beside the rows that ana must see. Afterwards the record may
 * hold no byte that asks a terminal for more than moving its cursor and choosing a colour. */
#include "bots.h"
#include "folder.h"
#include "once.h"
#include "tmux.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROOM 8192
#define TYPED "ana> = 'typing"

struct attempt {
    const char *text, *rows;
};

static const struct attempt attempts[] = {
    {"\\27[2J\\27[Hgone", "[00:00:00] eva: \\x1b[2J\\x1b[Hgone"},
    {"\\27]0;evil title\\7", "[00:00:00] eva: \\x1b]0;evil title\\x07"},
    {"\\27]2;evil title\\27\\\\", "[00:00:00] eva: \\x1b]2;evil title\\x1b\\"},
    {"\\27]52;c;ZXZpbA==\\7", "[00:00:00] eva: \\x1b]52;c;ZXZpbA==\\x07"},
    {"\\27Pq#0;2;0;0;0\\27\\\\", "[00:00:00] eva: \\x1bPq#0;2;0;0;0\\x1b\\"},
    {"\\27c\\27[?1049h\\27[6n", "[00:00:00] eva: \\x1bc\\x1b[?1049h\\x1b[6n"},
    {"\\27[201~quit", "[00:00:00] eva: \\x1b[201~quit"},
    {"\\u{9b}2J\\u{9d}0;evil\\u{9c}", "[00:00:00] eva: \\xc2\\x9b2J\\xc2\\x9d0;evil\\xc2\\x9c"},
    {"over\\rwritten", "[00:00:00] eva: over\\x0dwritten"},
    {"back\\b\\b\\b\\bspace\\127", "[00:00:00] eva: back\\x08\\x08\\x08\\x08space\\x7f"},
    {"bell\\7tab\\9end\\0nul", "[00:00:00] eva: bell\\x07tab\\x09end\\x00nul"},
    {"hi\\n[12:00:00] kim: I am kim\\nana> quit", "[00:00:00] eva: hi\n  [00:00:00] kim: I am kim\n  ana> quit"},
    {"a\\vb\\fc\\u{85}d\\u{2028}e", "[00:00:00] eva: a\\x0bb\\x0cc\\xc2\\x85d\\xe2\\x80\\xa8e"},
    {"right\\u{202e}tfel", "[00:00:00] eva: right\\xe2\\x80\\xaetfel"},
    {"\\u{2066}isolated\\u{2069}\\u{200f}", "[00:00:00] eva: \\xe2\\x81\\xa6isolated\\xe2\\x81\\xa9\\xe2\\x80\\x8f"},
    {"\\u{feff}mark\\u{e0041}", "[00:00:00] eva: \\xef\\xbb\\xbfmark\\xf3\\xa0\\x81\\x81"},
    {"broken \\xff\\xfe\\xc0\\xaf", "[00:00:00] eva: 11 bytes"},
    {"\\x9b2Jraw", "[00:00:00] eva: 6 bytes"},
};

static struct process *eva;
static struct tmux *ana;
static char record[512];

static void meet(void)
{
    eva = process_node("eva", NULL, NULL);
    ana = tmux_node("ana", NULL, "--connect", process_address(eva), NULL);
    process_expect(eva, "^* ana is linked (", 2 * PROCESS_SOON_MS);
    tmux_expect(ana, "^* eva is linked (", PROCESS_SOON_MS);
    snprintf(record, sizeof record, "%s", folder_new_path("record"));
    tmux_record(ana, record);
}

static void mark(const char *word)
{
    char rows[128];
    tmux_line(ana, "= '%s'", word);
    snprintf(rows, sizeof rows, "ana> = '%s'\n%s\nana>", word, word);
    tmux_expect_tail(ana, rows, PROCESS_SOON_MS);
}

static void send_from_eva(const char *text)
{
    process_say(eva, "= node:send('ana', \"%s\"):wait('queued', 5)", text);
    process_expect(eva, "^true$", PROCESS_SOON_MS);
}

static void send_them_all(void)
{
    for (size_t i = 0; i < sizeof attempts / sizeof *attempts; i++) send_from_eva(attempts[i].text);
}

static char *read_text(const char *path)
{
    FILE *file = fopen(path, "r");
    static char text[4 << 20];
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    return text;
}

/* --- the record --- */

/* The bytes of the sequence behind an escape byte, 0 when it is none that our own line editor or colours need. */
static size_t harmless(const char *at)
{
    if (*at == '=' || *at == '>' || *at == 'M') return 1;
    if (*at != '[') return 0;
    size_t n = 1 + strspn(at + 1, "0123456789;?");
    return at[n] && strchr("ABCDHJKPX@Lmhlr", at[n]) ? n + 1 : 0;
}

static void expect_harmless_record(void)
{
    for (const char *at = read_text(record); *at; at++) {
        unsigned char c = (unsigned char)*at, next = (unsigned char)at[1];
        size_t n = c == '\033' ? harmless(at + 1) : 0;
        bool is_control = (c < 0x20 && !strchr("\r\n\b\a\033", c)) || c == 0x7f;
        if (is_control || (c == '\033' && n == 0) || (c == 0xc2 && next >= 0x80 && next < 0xa0))
            fail_msg("the terminal got byte %u before \"%.20s\"", c, at + 1);
        at += n;
    }
}

static void expect_untouched_terminal(const char *title)
{
    expect_harmless_record();
    assert_string_equal(tmux_title(ana), title);
}

static char *copy_of_title(void)
{
    static char title[256];
    snprintf(title, sizeof title, "%s", tmux_title(ana));
    return title;
}

/* --- messages --- */

static void test_what_would_steer_a_terminal_is_shown(void **state)
{
    (void)state;
    meet();
    const char *title = copy_of_title();
    mark("mark");
    tmux_type(ana, "= 'typing");
    tmux_expect_tail(ana, TYPED, PROCESS_SOON_MS);
    for (size_t i = 0; i < sizeof attempts / sizeof *attempts; i++) {
        char rows[ROOM];
        send_from_eva(attempts[i].text);
        snprintf(rows, sizeof rows, "%s\n" TYPED, attempts[i].rows);
        tmux_expect_tail(ana, rows, PROCESS_SOON_MS);
    }
    tmux_type(ana, "'");
    tmux_key(ana, "Enter");
    tmux_expect_tail(ana, "typing\nana>", PROCESS_SOON_MS);
    expect_untouched_terminal(title);
}

/* They take no column, or share one: the rows around stay in place. */
static void test_characters_without_width_leave_the_screen_intact(void **state)
{
    (void)state;
    meet();
    mark("mark");
    tmux_type(ana, "= 'typing");
    process_say(eva, "= node:send('ana', 'e' .. ('\\u{301}'):rep(300) .. '|')");
    process_say(eva, "= node:send('ana', 'zero' .. ('\\u{200b}'):rep(100) .. 'width')");
    process_say(eva, "= node:send('ana', 'the end')");
    tmux_expect_tail(ana, "[00:00:00] eva: the end\n" TYPED, PROCESS_SOON_MS);
    tmux_expect(ana, "^[00:00:00] eva: zero*width$", PROCESS_SOON_MS);
    tmux_expect(ana, "^mark$", PROCESS_SOON_MS);
    expect_harmless_record();
}

/* What comes while the terminal is busy may be left out, and that is said; so it is sent again and again. */
static void expect_that_messages_show(void)
{
    for (int i = 0; i < 20; i++) {
        char pattern[64];
        process_say(eva, "= node:send('ana', 'the end %d'):wait('delivered', 20)", i);
        process_expect(eva, "^true$", 4 * PROCESS_SOON_MS);
        process_listen(250);
        snprintf(pattern, sizeof pattern, "^[00:00:00] eva: the end %d$", i);
        if (tmux_count(ana, pattern) == 1) return;
    }
    fail_msg("no message shows any more:\n%s", tmux_screen(ana));
}

/* A megabyte in one line, and one that grows to four when it is escaped. */
static void test_a_huge_line_leaves_the_prompt_alone(void **state)
{
    (void)state;
    meet();
    tmux_type(ana, "= 'typing");
    process_say(eva, "= node:send('ana', ('x'):rep(990000)):wait('delivered', 20)");
    process_expect(eva, "^true$", 4 * PROCESS_SOON_MS);
    process_say(eva, "= node:send('ana', ('\\27'):rep(990000)):wait('delivered', 20)");
    process_expect(eva, "^true$", 4 * PROCESS_SOON_MS);
    expect_that_messages_show();
    tmux_expect_tail(ana, TYPED, PROCESS_SOON_MS);
    tmux_type(ana, "'");
    tmux_key(ana, "Enter");
    tmux_expect_tail(ana, "typing\nana>", PROCESS_SOON_MS);
    assert_int_equal(tmux_wraps(ana), 0);
    expect_harmless_record();
}

/* --- the ways by which a text comes back --- */

static void test_history_and_lua_show_it_escaped(void **state)
{
    (void)state;
    meet();
    const char *title = copy_of_title();
    send_them_all();
    tmux_line(ana, "history");
    tmux_expect(ana, "eva: \\x1b[201~quit$", PROCESS_SOON_MS);
    tmux_line(ana, "= node:history()");
    tmux_line(ana, "for _, m in ipairs(node:history()) do print(m.data) end");
    tmux_line(ana, "= error(\"\\27]0;evil title\\7\")");
    tmux_line(ana, "= \"\\27[2J\", { [\"\\27[2J\"] = \"\\27[H\" }");
    tmux_line(ana, "log.warn \"\\27[2J\"");
    tmux_line(ana, "send eva = \\27");
    mark("the end");
    expect_untouched_terminal(title);
}

/* What a peer's script says is text of a peer, too: why it refuses, why a service fails. */
static void test_reasons_of_peers_are_escaped(void **state)
{
    (void)state;
    meet();
    const char *title = copy_of_title();
    process_say(eva, "= node:serve('svc', function() return nil, \"\\27]0;evil title\\7\\nana> quit\" end)");
    process_say(eva, "= node:serve('ok', function() return \"\\27[2J\" end)");
    process_say(eva, "= node:hook('deliver', function() return false, \"\\27]0;evil title\\7\" end)");
    process_ask(eva, "= 'ready'", "^ready$", PROCESS_SOON_MS);
    tmux_line(ana, "= node:request('eva', 'svc', {})");
    tmux_line(ana, "= node:request('eva', 'ok', {})");
    tmux_expect(ana, "\\x1b[2J", PROCESS_SOON_MS);
    tmux_line(ana, "send eva hello");
    process_ask(eva, "= node:peer('ana').linked", "^true$", PROCESS_SOON_MS);
    for (int i = 0; tmux_count(ana, "to eva (refused: ") == 0; i++) {
        if (i == 50) fail_msg("it is not refused:\n%s", tmux_screen(ana));
        tmux_line(ana, "history eva 1");
        process_listen(50);
    }
    mark("the end");
    expect_untouched_terminal(title);
}

static void test_talking_shows_it_escaped(void **state)
{
    (void)state;
    meet();
    const char *title = copy_of_title();
    tmux_line(ana, "talk eva");
    tmux_expect(ana, "^ana to eva>$", PROCESS_SOON_MS);
    tmux_type(ana, "half");
    for (size_t i = 0; i < sizeof attempts / sizeof *attempts; i++) {
        char rows[ROOM];
        send_from_eva(attempts[i].text);
        snprintf(rows, sizeof rows, "%s\nana to eva> half", attempts[i].rows);
        tmux_expect_tail(ana, rows, PROCESS_SOON_MS);
    }
    expect_untouched_terminal(title);
}

static void test_an_attached_shell_shows_it_escaped(void **state)
{
    (void)state;
    meet();
    const char *home = tmux_home(ana);
    struct tmux *two = TMUX_MOTH("two", "attach", "--home", home);
    tmux_expect(two, "^ana>$", PROCESS_SOON_MS);
    snprintf(record, sizeof record, "%s", folder_new_path("record"));
    tmux_record(two, record);
    for (size_t i = 0; i < sizeof attempts / sizeof *attempts; i++) {
        char rows[ROOM];
        send_from_eva(attempts[i].text);
        snprintf(rows, sizeof rows, "%s\nana>", attempts[i].rows);
        tmux_expect_tail(two, rows, PROCESS_SOON_MS);
    }
    expect_harmless_record();
}

/* No control characters but line ends, be they of one byte or of two, and nothing that turns the direction of text. */
static void expect_plain(const char *text)
{
    for (const char *c = text; *c; c++) {
        unsigned char first = (unsigned char)c[0], second = (unsigned char)c[1];
        bool is_control = (first < 0x20 && first != '\n') || first == 0x7f || (first == 0xc2 && second < 0xa0);
        if (is_control || strncmp(c, "\u202e", 3) == 0 || strncmp(c, "\u2066", 3) == 0)
            fail_msg("bytes %02x %02x before \"%.20s\"", first, second, c + 1);
    }
}

static void test_moth_do_prints_it_escaped(void **state)
{
    (void)state;
    meet();
    const char *home = tmux_home(ana);
    send_them_all();
    tmux_expect(ana, "eva: 6 bytes$", PROCESS_SOON_MS); /* all have arrived */
    assert_int_equal(ONCE_MOTH("do", "--home", home, "history", "100"), 0);
    expect_plain(once_output());
    assert_non_null(strstr(once_output(), "eva: \\x1b[2J\\x1b[Hgone\n"));
    assert_int_equal(ONCE_MOTH("do", "--home", home, "--json", "history", "100"), 0);
    expect_plain(once_output());
    once_expect_jq("length >= 18");
    once_expect_jq("any(.[]; tostring | contains(\"[2J\"))");
}

/* A pipe is no terminal, but somebody may look at it in one. */
static void test_pipes_get_it_escaped(void **state)
{
    (void)state;
    eva = process_node("eva", NULL, NULL);
    struct process *bob = bots_friend("bob", eva);
    process_expect(eva, "^* bob is linked (", 2 * PROCESS_SOON_MS);
    process_say(eva, "= node:send('bob', \"\\27[2J\\27]0;evil\\7\\rx\\ny\")");
    process_expect(bob, "] eva: \\x1b[2J\\x1b]0;evil\\x07\\x0dx$", PROCESS_SOON_MS);
    assert_string_equal(process_read_on(bob, PROCESS_SOON_MS), "  y");
    process_expect_none(bob, "\033", 0);
}

/* --- completion --- */

static void test_completion_lists_are_harmless(void **state)
{
    (void)state;
    char path[600], typed[600];
    const char *folder = folder_path();
    meet();
    const char *title = copy_of_title();
    tmux_line(ana, "t = { [\"\\27[2Jevil\"] = 1, good1 = 2, good2 = 3, [\"\\27]0;evil title\\7\"] = 4 }");
    tmux_type(ana, "= t.");
    tmux_key(ana, "Tab");
    tmux_key(ana, "Tab");
    tmux_expect(ana, "^*good1*good2", PROCESS_SOON_MS);
    tmux_key(ana, "C-u");
    static const char *const names[] = {"zz\033]0;evil title\a", "zz\033[2J", "zz\n[2J", "zz\302\2332J"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        close(fd);
    }
    snprintf(typed, sizeof typed, "load %s/zz", folder);
    tmux_type(ana, typed);
    tmux_key(ana, "Tab");
    tmux_key(ana, "Tab");
    tmux_key(ana, "Tab");
    tmux_key(ana, "C-u");
    mark("the end");
    expect_untouched_terminal(title);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TMUX_TEST(test_what_would_steer_a_terminal_is_shown),
        TMUX_TEST(test_characters_without_width_leave_the_screen_intact),
        TMUX_TEST(test_a_huge_line_leaves_the_prompt_alone),
        TMUX_TEST(test_history_and_lua_show_it_escaped),
        TMUX_TEST(test_reasons_of_peers_are_escaped),
        TMUX_TEST(test_talking_shows_it_escaped),
        TMUX_TEST(test_an_attached_shell_shows_it_escaped),
        TMUX_TEST(test_moth_do_prints_it_escaped),
        TMUX_TEST(test_pipes_get_it_escaped),
        TMUX_TEST(test_completion_lists_are_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
