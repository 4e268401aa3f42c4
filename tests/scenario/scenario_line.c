/* scenario_line.c -- three real processes in a line: the smallest network in which somebody relays.
 *
 *   ana --- bob --- eva
 *
 * Nobody tells ana of eva or eva of ana but bob. */
#include "process.h"

#include <stdio.h>
#include <string.h>

#define NODES_MAX 8
#define WORD_BYTES 96

struct line_of_three {
    struct process *ana, *bob, *eva;
};

/* The ends dial the middle, and each knows the other before the test goes on. */
static struct line_of_three start_line(void)
{
    struct line_of_three l = {
        .ana = process_node("ana", NULL, NULL),
        .bob = process_node("bob", NULL, NULL),
        .eva = process_node("eva", NULL, NULL),
    };
    process_connect(l.ana, l.bob);
    process_connect(l.eva, l.bob);
    process_ask(l.ana, "list", "^eva ???????? 2 bob ", PROCESS_SOON_MS);
    process_ask(l.eva, "list", "^ana ???????? 2 bob ", PROCESS_SOON_MS);
    return l;
}

/*   ana --- bob --- eva     hello goes there, an answer comes back, each is shown once */
static void test_a_message_crosses_the_middle_and_is_answered(void **state)
{
    (void)state;
    struct line_of_three l = start_line();
    process_say(l.ana, "send eva hello");
    process_expect(l.eva, "^[??:??:??] ana: hello$", PROCESS_SOON_MS);
    process_say(l.eva, "send ana   hello yourself, ana  ");
    process_expect(l.ana, "^[??:??:??] eva: hello yourself, ana$", PROCESS_SOON_MS);
    process_quit(l.ana);
    process_quit(l.eva);
    process_quit(l.bob);
    process_expect_none(l.eva, "ana: hello", 0);
    process_expect_none(l.ana, "eva: hello", 0);
    process_expect_none(l.bob, "hello", 0);
}

static void test_twenty_messages_arrive_in_order_and_once(void **state)
{
    (void)state;
    char pattern[64], next[64];
    struct line_of_three l = start_line();
    for (int i = 0; i < 20; i++) process_say(l.ana, "send eva number %d.", i);
    for (int i = 0; i < 20; i++) {
        snprintf(pattern, sizeof pattern, "] ana: number %d.$", i);
        snprintf(next, sizeof next, "] ana: number %d.$", i + 1);
        if (i < 19 && !process_has_said(l.eva, pattern)) assert_false(process_has_said(l.eva, next));
        process_expect(l.eva, pattern, PROCESS_SOON_MS);
    }
    process_quit(l.ana);
    process_expect_none(l.eva, "ana: number", 0);
}

/*   ana --- bob --- eva     no link from end to end, and yet a way */
static void test_the_ends_know_each_other_only_through_the_middle(void **state)
{
    (void)state;
    struct line_of_three l = start_line();
    process_ask(l.ana, "list", "^bob ???????? 1 - ", PROCESS_SOON_MS);
    process_ask(l.ana, "routes", "^eva 2 bob", PROCESS_SOON_MS);
    process_ask(l.ana, "status", "^links 1,", PROCESS_SOON_MS);
    process_ask(l.bob, "status", "^links 2,", PROCESS_SOON_MS);
    process_expect_none(l.ana, "* eva is linked", 0);
    process_expect_none(l.eva, "* ana is linked", 0);
}

static void test_trace_names_the_middle(void **state)
{
    (void)state;
    char middle[64], end[64];
    struct line_of_three l = start_line();
    snprintf(middle, sizeof middle, "1 bob (%s)", process_id8(l.bob));
    snprintf(end, sizeof end, "2 eva (%s)", process_id8(l.eva));
    process_say(l.ana, "trace eva");
    process_expect(l.ana, middle, PROCESS_SOON_MS);
    process_expect(l.ana, end, PROCESS_SOON_MS);
}

/* What `graph dot` drew, as far as a test wants to know. */
struct drawing {
    struct {
        char key[WORD_BYTES], label[WORD_BYTES];
    } nodes[NODES_MAX];
    struct {
        char a[WORD_BYTES], b[WORD_BYTES];
    } edges[NODES_MAX];
    size_t node_count, edge_count;
};

/* A word of DOT, plain or in quotes. Returns what follows it, or NULL. */
static const char *read_word(const char *text, char out[WORD_BYTES])
{
    int used = 0;
    text += strspn(text, " \t");
    const char *format = *text == '"' ? "\"%95[^\"]\"%n" : "%95[A-Za-z0-9_]%n";
    return sscanf(text, format, out, &used) == 1 && used > 0 ? text + used : NULL;
}

static void read_dot_line(const char *text, struct drawing *d)
{
    char first[WORD_BYTES], second[WORD_BYTES];
    const char *rest = read_word(text, first), *label = strstr(text, "label=");
    assert_non_null(rest);
    rest += strspn(rest, " ");
    if (rest[0] == '-' && rest[1] == '-') {
        assert_true(d->edge_count < NODES_MAX);
        assert_non_null(read_word(rest + 2, second));
        memcpy(d->edges[d->edge_count].a, first, WORD_BYTES);
        memcpy(d->edges[d->edge_count++].b, second, WORD_BYTES);
    } else if (strcmp(first, "node") != 0 && strcmp(first, "edge") != 0 && strcmp(first, "graph") != 0) {
        assert_true(d->node_count < NODES_MAX);
        memcpy(d->nodes[d->node_count].key, first, WORD_BYTES);
        memcpy(d->nodes[d->node_count].label, first, WORD_BYTES);
        if (label) assert_non_null(read_word(label + strlen("label="), d->nodes[d->node_count].label));
        d->node_count++;
    }
}

static const char *label_of(const struct drawing *d, const char *key)
{
    for (size_t i = 0; i < d->node_count; i++)
        if (strcmp(d->nodes[i].key, key) == 0) return d->nodes[i].label;
    fail_msg("an edge names %s, which is no node", key);
    return "";
}

static bool has_edge(const struct drawing *d, const char *a, const char *b)
{
    for (size_t i = 0; i < d->edge_count; i++) {
        const char *from = label_of(d, d->edges[i].a), *to = label_of(d, d->edges[i].b);
        if (strncmp(from, a, strlen(a)) == 0 && strncmp(to, b, strlen(b)) == 0) return true;
        if (strncmp(from, b, strlen(b)) == 0 && strncmp(to, a, strlen(a)) == 0) return true;
    }
    return false;
}

/*   ana --- bob --- eva     the whole network, as ana sees it */
static void test_graph_dot_draws_three_nodes_and_two_edges(void **state)
{
    (void)state;
    struct drawing d = {.node_count = 0};
    struct line_of_three l = start_line();
    process_say(l.ana, "graph dot");
    process_expect(l.ana, "^graph *{$", PROCESS_SOON_MS);
    for (const char *line; strcmp(line = process_read_on(l.ana, PROCESS_SOON_MS), "}") != 0;) read_dot_line(line, &d);
    assert_int_equal(d.node_count, 3);
    assert_int_equal(d.edge_count, 2);
    assert_true(has_edge(&d, "ana", "bob"));
    assert_true(has_edge(&d, "bob", "eva"));
}

/*   ana --- bob --- eva
 *     `- - - - - - '        bob quits; ana has no way to eva, but bob told her the address */
static void test_after_the_middle_quits_the_end_is_dialled(void **state)
{
    (void)state;
    struct line_of_three l = start_line();
    process_quit(l.bob);
    process_ask(l.ana, "list", "^bob * away$", PROCESS_SOON_MS);
    process_say(l.ana, "send eva again");
    process_expect(l.eva, "^[??:??:??] ana: again$", 2 * PROCESS_SOON_MS);
    process_ask(l.ana, "list", "^eva ???????? 1 - ", PROCESS_SOON_MS);
}

/*   ana --- bob --- eva     bob's way is told at the start: --connect does what connect does */
static void test_connect_as_an_option_links_at_start(void **state)
{
    (void)state;
    struct process *bob = process_node("bob", NULL, NULL);
    struct process *ana = process_node("ana", NULL, "--connect", process_address(bob), NULL);
    struct process *eva = process_node("eva", NULL, "--connect", process_address(bob), NULL);
    process_ask(ana, "list", "^eva ???????? 2 bob ", PROCESS_SOON_MS);
    process_say(ana, "send eva hello");
    process_expect(eva, "] ana: hello$", PROCESS_SOON_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROCESS_TEST(test_a_message_crosses_the_middle_and_is_answered),
        PROCESS_TEST(test_twenty_messages_arrive_in_order_and_once),
        PROCESS_TEST(test_the_ends_know_each_other_only_through_the_middle),
        PROCESS_TEST(test_trace_names_the_middle),
        PROCESS_TEST(test_graph_dot_draws_three_nodes_and_two_edges),
        PROCESS_TEST(test_after_the_middle_quits_the_end_is_dialled),
        PROCESS_TEST(test_connect_as_an_option_links_at_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
