/* test_record.c -- what a lab remembers of a run: lines for people, figures, the truth about routes, and the trace. */
#include "kit.h"

#include "node/lab_record.h"

static struct kit *k;
static struct record *record;
static char lines[1 << 16];

static void hear(struct kit *kit, unsigned machine, const struct moth_event *e)
{
    (void)kit;
    record_event(record, machine, e);
}

static void start(unsigned machine, const char *name)
{
    kit_start(k, machine, name);
    record_name(record, machine);
}

/*   ana(0) --- bob(1) --- eva(2)   */
static int set_up(void **state)
{
    (void)state;
    k = kit_new(7, 4);
    record = record_new(k->lab);
    k->also = hear;
    start(0, "ana");
    start(1, "bob");
    start(2, "eva");
    lab_connect(k->lab, 0, 1);
    lab_connect(k->lab, 2, 1);
    lab_run(k->lab, 5 * SECOND);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    kit_free(k);
    record_free(record);
    return 0;
}

static void add_line(void *context, const char *line)
{
    (void)context;
    size_t used = strlen(lines);
    snprintf(lines + used, sizeof lines - used, "%s\n", line);
}

static const char *look(unsigned machine, size_t most)
{
    lines[0] = '\0';
    record_lines(record, machine, most, add_line, NULL);
    return lines;
}

static size_t count(const char *what)
{
    size_t found = 0;
    for (const char *at = lines; (at = strstr(at, what)); at++) found++;
    return found;
}

static void test_events_become_lines_with_names(void **state)
{
    (void)state;
    look(RECORD_ALL, 100);
    assert_non_null(strstr(lines, "ana      link to bob up"));
    assert_non_null(strstr(lines, "ana      reaches eva over bob, 2 hops"));
    assert_non_null(strstr(lines, "bob      reaches eva by its link"));
}

static void test_a_way_that_is_new_is_told_once(void **state)
{
    (void)state;
    look(0, 100);
    assert_int_equal(count("reaches eva"), 1);
    assert_int_equal(count("reaches bob"), 1);
}

static void test_lines_of_one_node_are_its_own_and_the_experimenters(void **state)
{
    (void)state;
    record_note(record, "cut something");
    look(2, 100);
    assert_null(strstr(lines, "ana      "));
    assert_non_null(strstr(lines, "eva      link to bob up"));
    assert_non_null(strstr(lines, "* cut something"));
}

static void test_only_the_newest_lines_are_given_in_order(void **state)
{
    (void)state;
    record_note(record, "one");
    record_note(record, "two");
    look(RECORD_ALL, 2);
    assert_int_equal(count("\n"), 2);
    assert_true(strstr(lines, "one") < strstr(lines, "two"));
}

static void test_old_lines_are_forgotten_and_nothing_else(void **state)
{
    (void)state;
    uint64_t events = record_figures(record).events;
    for (int i = 0; i < 10000; i++) record_note(record, "again");
    look(RECORD_ALL, 3);
    assert_int_equal(count("again"), 3);
    assert_int_equal(record_figures(record).events, events);
}

static void test_what_a_message_says_is_made_safe(void **state)
{
    (void)state;
    kit_send(k, 0, kit_id(k, 2), "\033[2Jhello\n", NULL);
    lab_run(k->lab, SECOND);
    look(2, 100);
    assert_non_null(strstr(lines, "from ana: \\x1b[2Jhello\\x0a"));
}

static void test_messages_are_measured(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++) kit_send(k, 0, kit_id(k, 2), "hello", NULL);
    lab_run(k->lab, SECOND);
    struct record_figures f = record_figures(record);
    assert_int_equal(f.received, 10);
    assert_int_equal(f.most_deliveries, 1);
    assert_int_equal(f.hops, 20);
    assert_int_equal(f.shortest, 20);
    assert_in_range(record_quantile_ms(record, 500), 2, 10);
    assert_true(record_quantile_ms(record, 1000) >= record_quantile_ms(record, 1));
}

static void test_a_wrong_clock_does_not_change_how_long_messages_take(void **state)
{
    (void)state;
    lab_clock(k->lab, 0, 3600000);
    kit_send(k, 0, kit_id(k, 2), "hello", NULL);
    lab_run(k->lab, SECOND);
    assert_in_range(record_quantile_ms(record, 1000), 0, 20);
    lab_clock(k->lab, 0, -3600000);
    kit_send(k, 0, kit_id(k, 2), "hello", NULL);
    lab_run(k->lab, SECOND);
    assert_in_range(record_quantile_ms(record, 1000), 0, 20);
}

static void test_without_messages_there_is_no_quantile(void **state)
{
    (void)state;
    assert_int_equal(record_quantile_ms(record, 500), 0);
}

static void test_a_second_delivery_is_counted(void **state)
{
    (void)state;
    struct moth_message m = {.from = *kit_id(k, 0), .id = 5, .type = "text", .data = (const uint8_t *)"x", .bytes = 1,
                             .durable = true, .name = "ana"};
    struct moth_event e = {.kind = MOTH_EVENT_MESSAGE, .message = &m};
    record_event(record, 2, &e);
    assert_int_equal(record_figures(record).most_deliveries, 1);
    m.redelivered = true;
    record_event(record, 2, &e);
    assert_int_equal(record_figures(record).most_deliveries, 1);
    m.redelivered = false;
    record_event(record, 2, &e);
    assert_int_equal(record_figures(record).most_deliveries, 2);
}

static void test_changes_have_a_time(void **state)
{
    (void)state;
    uint64_t before_us = record_figures(record).routed_us;
    record_disturbed(record);
    assert_int_equal(record_figures(record).disturbed_us, lab_now_us(k->lab));
    lab_kill(k->lab, 1);
    lab_run(k->lab, SECOND);
    assert_true(record_figures(record).routed_us > before_us);
    assert_in_range(record_figures(record).routed_us - record_figures(record).disturbed_us, 1, SECOND);
}

/* --- the truth --- */

static void test_distances_are_those_over_links_of_both_ends(void **state)
{
    uint32_t distances[4];
    (void)state;
    lab_distances(k->lab, 2, 4, distances);
    assert_int_equal(distances[0], 2);
    assert_int_equal(distances[1], 1);
    assert_int_equal(distances[2], 0);
    assert_int_equal(distances[3], LAB_NO_WAY);
}

static void test_links_are_listed_once(void **state)
{
    struct lab_edge edges[8];
    (void)state;
    assert_int_equal(lab_edges(k->lab, 4, edges, 8), 2);
    assert_true(edges[0].a == 0 && edges[0].b == 1 && edges[1].a == 1 && edges[1].b == 2);
    assert_int_equal(lab_edges(k->lab, 4, edges, 1), 2);
}

/* Just after a kill the others have not heard of it. */
static void test_routes_that_are_wrong_are_named(void **state)
{
    unsigned who = 9, whom = 9;
    (void)state;
    assert_true(lab_routes_are_true(k->lab, &who, &whom));
    lab_kill(k->lab, 1);
    assert_false(lab_routes_are_true(k->lab, &who, &whom));
    assert_int_equal(who, 0);
    assert_int_equal(whom, 1); /* who does not run any more */
    lab_run(k->lab, 5 * SECOND);
    assert_true(lab_routes_are_true(k->lab, &who, &whom));
}

/* --- the trace --- */

static size_t traced(FILE *file, struct record_trace *last)
{
    size_t entries = 0;
    rewind(file);
    while (fread(last, sizeof *last, 1, file) == 1) entries++;
    return entries;
}

static void test_the_trace_has_what_happened_and_no_logs(void **state)
{
    (void)state;
    FILE *file = tmpfile();
    struct record_trace last = {0};
    assert_non_null(file);
    record_to(record, file);
    record_log(record, "this took 50 ms of real time");
    assert_int_equal(traced(file, &last), 0);
    record_note(record, "kill bob");
    assert_int_equal(traced(file, &last), 1);
    assert_int_equal(last.machine, RECORD_ALL);
    kit_send(k, 0, kit_id(k, 2), "hello", NULL);
    lab_run(k->lab, SECOND);
    assert_true(traced(file, &last) > 2);
    assert_true(last.machine < 4);
    record_to(record, NULL);
    fclose(file);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_events_become_lines_with_names),
        TEST(test_a_way_that_is_new_is_told_once),
        TEST(test_lines_of_one_node_are_its_own_and_the_experimenters),
        TEST(test_only_the_newest_lines_are_given_in_order),
        TEST(test_old_lines_are_forgotten_and_nothing_else),
        TEST(test_what_a_message_says_is_made_safe),
        TEST(test_messages_are_measured),
        TEST(test_a_wrong_clock_does_not_change_how_long_messages_take),
        TEST(test_without_messages_there_is_no_quantile),
        TEST(test_a_second_delivery_is_counted),
        TEST(test_changes_have_a_time),
        TEST(test_distances_are_those_over_links_of_both_ends),
        TEST(test_links_are_listed_once),
        TEST(test_routes_that_are_wrong_are_named),
        TEST(test_the_trace_has_what_happened_and_no_logs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
