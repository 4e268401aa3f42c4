/* test_streams.c -- servers and streams for programs, on the imagined wire and on real sockets, from C and from Lua.
 *
 * On the wire, machine 0 has the server and machine 1 dials; both are asked for news after every step, as a loop would
 * at the end of its turn, and a stream's user points to what is known of it. */
#include "moth/loop.h"
#include "moth/tcp.h"
#include "net/sim.h"
#include "script/bind_tcp.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MACHINES 2
#define PATH_BYTES 128
#define SECOND_US 1000000u
#define DEADLINE_US 20000000u
#define AT "127.0.0.1:7000"
#define BIG_BYTES (9u << 20)

static struct sim *sim;
static struct side {
    struct moth_tcp *tcp;
    struct moth_transport *transport;
    unsigned woken, server_news, stream_news;
    struct moth_stream *last; /* that had news */
} sides[MACHINES];

static void on_news(void *owner)
{
    ((struct side *)owner)->woken++;
}

static void open_side(struct side *s, struct moth_transport *transport, bool beyond)
{
    struct moth_tcp_setup setup = {.transport = transport, .beyond = beyond, .on_news = on_news, .owner = s};
    *s = (struct side){.tcp = moth_tcp_open(&setup), .transport = transport};
}

static int set_up(void **state)
{
    (void)state;
    sim = sim_new(1, MACHINES);
    for (unsigned i = 0; i < MACHINES; i++) open_side(&sides[i], sim_endpoint(sim, i), true);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (unsigned i = 0; i < MACHINES; i++) moth_tcp_close(sides[i].tcp);
    sim_free(sim);
    return 0;
}

static void take_news(struct side *s)
{
    struct moth_server *server;
    struct moth_stream *stream;
    while (s->tcp && moth_tcp_next(s->tcp, &server, &stream)) {
        assert_true((server == NULL) != (stream == NULL));
        if (server) s->server_news++;
        else s->last = stream;
        s->stream_news += stream != NULL;
    }
}

static void run(uint64_t us)
{
    unsigned touched;
    for (uint64_t until_us = sim_now_us(sim) + us; sim_step(sim, until_us, &touched);) take_news(&sides[touched]);
}

static struct moth_server *must_listen(const char *address)
{
    struct moth_server *server = NULL;
    assert_int_equal(moth_tcp_listen(sides[0].tcp, address, &server), 0);
    return server;
}

static struct moth_stream *must_dial(const char *address)
{
    struct moth_stream *s = NULL;
    assert_int_equal(moth_tcp_connect(sides[1].tcp, address, &s), 0);
    assert_int_equal(moth_stream_state(s), MOTH_EBUSY);
    return s;
}

/* Both ends of a connection between the machines. */
static struct pair {
    struct moth_server *server;
    struct moth_stream *here, *there; /* there was accepted */
} must_connect(void)
{
    struct pair p = {.server = must_listen("10.0.0.1:7000")};
    p.here = must_dial("10.0.0.1:7000");
    run(SECOND_US);
    p.there = moth_server_accept(p.server);
    assert_non_null(p.there);
    assert_int_equal(moth_stream_state(p.here), 0);
    assert_int_equal(moth_stream_state(p.there), 0);
    return p;
}

static void must_write(struct moth_stream *s, const char *text)
{
    assert_int_equal(moth_stream_write(s, text, strlen(text)), 0);
}

static void assert_reads(struct moth_stream *s, const char *text)
{
    size_t bytes;
    const void *data = moth_stream_bytes(s, &bytes);
    assert_int_equal(bytes, strlen(text));
    if (bytes > 0) assert_memory_equal(data, text, bytes);
    moth_stream_take(s, bytes);
}

static size_t unread(const struct moth_stream *s)
{
    size_t bytes;
    moth_stream_bytes(s, &bytes);
    return bytes;
}

/* --- on the wire --- */

static void test_streams_bytes_go_both_ways(void **state)
{
    (void)state;
    struct pair p = must_connect();
    must_write(p.here, "question");
    run(SECOND_US);
    assert_reads(p.there, "question");
    must_write(p.there, "answer");
    run(SECOND_US);
    assert_reads(p.here, "answer");
    assert_string_equal(moth_stream_address(p.here), "10.0.0.1:7000");
    assert_memory_equal(moth_stream_address(p.there), "10.0.0.2:", 9);
}

static void test_streams_news_come_once_until_there_is_more(void **state)
{
    (void)state;
    struct pair p = must_connect();
    assert_int_equal(sides[0].server_news, 1);
    assert_int_equal(sides[1].stream_news, 1); /* it opened */
    must_write(p.here, "a");
    must_write(p.here, "b");
    unsigned woken = sides[0].woken, before = sides[0].stream_news;
    unsigned touched;
    while (sim_step(sim, sim_now_us(sim) + 10 * SIM_LATENCY_US, &touched)) continue;
    assert_int_equal(sides[0].woken, woken + 1);
    take_news(&sides[0]);
    assert_int_equal(sides[0].stream_news, before + 1);
    assert_ptr_equal(sides[0].last, p.there);
    assert_reads(p.there, "ab");
}

static void test_streams_what_came_before_it_was_accepted_is_news_then(void **state)
{
    (void)state;
    struct moth_server *server = must_listen("10.0.0.1:7000");
    struct moth_stream *here = must_dial("10.0.0.1:7000"), *there;
    run(SECOND_US);
    must_write(here, "early");
    run(SECOND_US);
    assert_int_equal(sides[0].stream_news, 0); /* nobody knows that stream yet */
    there = moth_server_accept(server);
    take_news(&sides[0]);
    assert_ptr_equal(sides[0].last, there);
    assert_reads(there, "early");
    assert_null(moth_server_accept(server));
}

static void test_streams_what_came_before_the_end_can_be_read(void **state)
{
    (void)state;
    struct pair p = must_connect();
    must_write(p.here, "last words");
    moth_stream_close(p.here);
    run(SECOND_US);
    assert_int_equal(moth_stream_state(p.there), MOTH_ECLOSED);
    assert_reads(p.there, "last words");
    assert_int_equal(moth_stream_write(p.there, "x", 1), MOTH_ECLOSED);
    moth_stream_close(p.there);
}

static void test_streams_a_close_lets_go_what_was_written(void **state)
{
    (void)state;
    char *big = mem_new(4u << 20);
    size_t read = 0;
    struct pair p = must_connect();
    assert_int_equal(moth_stream_write(p.here, big, 4u << 20), 0);
    moth_stream_close(p.here);
    for (int i = 0; i < 100; i++) {
        run(SECOND_US / 10);
        read += unread(p.there);
        moth_stream_take(p.there, unread(p.there));
    }
    assert_int_equal(read, 4u << 20);
    assert_int_equal(moth_stream_state(p.there), MOTH_ECLOSED);
    free(big);
}

static void test_streams_a_dial_that_fails_says_why(void **state)
{
    (void)state;
    struct moth_stream *refused = must_dial("10.0.0.1:7999"), *nonsense = must_dial("nonsense");
    assert_int_equal(moth_stream_write(refused, "x", 1), MOTH_EBUSY);
    run(SECOND_US);
    assert_int_equal(moth_stream_state(refused), MOTH_EREFUSED);
    assert_int_equal(moth_stream_state(nonsense), MOTH_EBAD_ADDRESS);
    assert_string_equal(moth_stream_address(nonsense), "none");
    moth_stream_close(refused);
}

static void test_streams_one_that_nobody_reads_stops_and_goes_on_when_half_is_taken(void **state)
{
    (void)state;
    char *big = mem_new(4u << 20);
    struct pair p = must_connect();
    assert_int_equal(moth_stream_write(p.here, big, 4u << 20), 0);
    run(SECOND_US);
    assert_in_range(unread(p.there), MOTH_STREAM_READ_MAX, MOTH_STREAM_READ_MAX + (256u << 10));
    assert_true(moth_stream_queued(p.here) > 0);
    moth_stream_take(p.there, 1000);
    size_t left = unread(p.there);
    run(SECOND_US);
    assert_int_equal(unread(p.there), left);
    moth_stream_take(p.there, left);
    run(SECOND_US);
    assert_true(unread(p.there) >= MOTH_STREAM_READ_MAX);
    free(big);
}

static void test_streams_writing_too_much_is_full_and_takes_nothing(void **state)
{
    (void)state;
    char *big = mem_new(BIG_BYTES);
    struct pair p = must_connect();
    assert_int_equal(moth_stream_write(p.here, big, BIG_BYTES), MOTH_EFULL);
    assert_int_equal(moth_stream_queued(p.here), 0);
    assert_int_equal(moth_stream_write(p.here, big, MOTH_STREAM_WRITE_MAX), 0);
    size_t queued = moth_stream_queued(p.here);
    assert_int_equal(moth_stream_write(p.here, big, 1u << 20), MOTH_EFULL);
    assert_int_equal(moth_stream_queued(p.here), queued);
    free(big);
}

static void test_streams_all_together_queue_no_more_than_their_bound(void **state)
{
    (void)state;
    char *big = mem_new(MOTH_STREAM_WRITE_MAX);
    struct moth_stream *streams[9];
    must_listen("10.0.0.1:7000");
    for (int i = 0; i < 9; i++) streams[i] = must_dial("10.0.0.1:7000");
    run(SECOND_US);
    for (int i = 0; i < 8; i++) assert_int_equal(moth_stream_write(streams[i], big, MOTH_STREAM_WRITE_MAX), 0);
    assert_int_equal(moth_stream_write(streams[8], big, MOTH_STREAM_WRITE_MAX), MOTH_EFULL);
    assert_int_equal(moth_stream_write(streams[8], "small", 5), 0); /* whoever is not slow is not held up */
    free(big);
}

static void test_streams_draining_is_news(void **state)
{
    (void)state;
    char *big = mem_new(1u << 20);
    struct pair p = must_connect();
    assert_int_equal(moth_stream_write(p.here, big, 1u << 20), 0);
    assert_true(moth_stream_queued(p.here) > MOTH_STREAM_WRITE_LOW);
    unsigned before = sides[1].stream_news;
    run(SECOND_US);
    assert_true(sides[1].stream_news > before);
    assert_ptr_equal(sides[1].last, p.here);
    assert_true(moth_stream_queued(p.here) <= MOTH_STREAM_WRITE_LOW);
    free(big);
}

static void test_streams_are_bounded_and_those_that_only_finish_give_way(void **state)
{
    (void)state;
    struct moth_stream *streams[MOTH_TCP_STREAMS_MAX], *more;
    char *big = mem_new(1u << 20);
    struct moth_server *server = must_listen("10.0.0.1:7000");
    for (unsigned i = 0; i < MOTH_TCP_STREAMS_MAX; i++) streams[i] = must_dial("10.0.0.1:7000");
    assert_int_equal(moth_tcp_connect(sides[1].tcp, "10.0.0.1:7000", &more), MOTH_EFULL);
    run(SECOND_US);
    for (unsigned i = 0; i < MOTH_TCP_STREAMS_MAX; i++) assert_non_null(moth_server_accept(server));
    assert_int_equal(moth_stream_write(streams[0], big, 1u << 20), 0);
    for (unsigned i = 1; i < MOTH_TCP_STREAMS_MAX; i++) assert_int_equal(moth_stream_state(streams[i]), 0);
    moth_stream_close(streams[0]); /* it waits until its megabyte has gone */
    assert_int_equal(moth_tcp_connect(sides[1].tcp, "10.0.0.1:7000", &more), 0);
    run(SECOND_US);
    free(big);
}

static void test_streams_a_server_refuses_whom_it_has_no_room_for(void **state)
{
    (void)state;
    struct moth_stream *last = NULL;
    struct side third;
    open_side(&third, sim_endpoint(sim, 1), true);
    struct moth_server *server = must_listen("10.0.0.1:7000");
    for (unsigned i = 0; i < MOTH_TCP_STREAMS_MAX; i++) must_dial("10.0.0.1:7000");
    run(SECOND_US);
    assert_int_equal(moth_tcp_connect(third.tcp, "10.0.0.1:7000", &last), 0);
    run(SECOND_US);
    assert_int_equal(moth_stream_state(last), MOTH_ECLOSED);
    moth_server_close(server);
    moth_tcp_close(third.tcp);
}

static void test_streams_servers_are_bounded(void **state)
{
    struct moth_server *first, *server;
    (void)state;
    first = must_listen("10.0.0.1:0");
    for (unsigned i = 1; i < MOTH_TCP_SERVERS_MAX; i++) must_listen("10.0.0.1:0");
    assert_int_equal(moth_tcp_listen(sides[0].tcp, "10.0.0.1:0", &server), MOTH_EFULL);
    moth_server_close(first);
    assert_int_equal(moth_tcp_listen(sides[0].tcp, "10.0.0.1:0", &server), 0);
}

static void test_streams_a_closed_server_leaves_its_streams_and_closes_who_waits(void **state)
{
    (void)state;
    struct pair p = must_connect();
    struct moth_stream *waiting = must_dial("10.0.0.1:7000"), *late;
    run(SECOND_US);
    moth_server_close(p.server);
    late = must_dial("10.0.0.1:7000");
    must_write(p.here, "still here");
    run(SECOND_US);
    assert_reads(p.there, "still here");
    assert_int_equal(moth_stream_state(waiting), MOTH_ECLOSED);
    assert_int_equal(moth_stream_state(late), MOTH_EREFUSED);
    moth_stream_close(p.there); /* and the server is gone with it */
    run(SECOND_US);
    assert_int_equal(moth_stream_state(p.here), MOTH_ECLOSED);
    must_listen("10.0.0.1:7000");
}

static void test_streams_a_stream_closed_while_it_opens_is_heard_of_no_more(void **state)
{
    (void)state;
    must_listen("10.0.0.1:7000");
    moth_stream_close(must_dial("10.0.0.1:7000"));
    run(SECOND_US);
    assert_int_equal(sides[1].stream_news, 0);
}

static void test_streams_a_paused_one_that_is_closed_notices_its_end(void **state)
{
    (void)state;
    char *big = mem_new(4u << 20);
    struct pair p = must_connect();
    assert_int_equal(moth_stream_write(p.here, big, 4u << 20), 0);
    assert_int_equal(moth_stream_write(p.there, big, 4u << 20), 0);
    run(SECOND_US);
    moth_stream_close(p.there);
    run(SECOND_US);
    moth_stream_close(p.here);
    run(SECOND_US);
    assert_int_equal(moth_tcp_next(sides[0].tcp, &p.server, &p.there), false);
    free(big);
}

static void test_streams_a_user_is_kept(void **state)
{
    int mine;
    (void)state;
    struct pair p = must_connect();
    assert_null(moth_stream_user(p.here));
    moth_stream_set_user(p.here, &mine);
    assert_ptr_equal(moth_stream_user(p.here), &mine);
}

static void test_streams_listening_refuses_what_is_no_address_and_a_port_in_use(void **state)
{
    struct moth_server *server;
    (void)state;
    must_listen("10.0.0.1:7000");
    assert_int_equal(moth_tcp_listen(sides[0].tcp, "nonsense", &server), MOTH_EBAD_ADDRESS);
    assert_int_equal(moth_tcp_listen(sides[0].tcp, "10.0.0.1:7000", &server), MOTH_EIN_USE);
}

static void test_streams_all_can_be_closed_while_all_is_under_way(void **state)
{
    (void)state;
    char *big = mem_new(4u << 20);
    struct pair p = must_connect();
    must_dial("10.0.0.1:7000");
    moth_stream_write(p.here, big, 4u << 20);
    moth_stream_close(p.here);
    must_write(p.there, "x");
    moth_tcp_close(sides[1].tcp);
    sides[1].tcp = NULL;
    run(SECOND_US);
    for (int i = 0; i < 8; i++) { /* the end comes after what was sent before it */
        moth_stream_take(p.there, unread(p.there));
        run(SECOND_US);
    }
    assert_true(moth_stream_state(p.there) < 0);
    moth_server_close(p.server);
    moth_stream_close(p.there); /* the server is still there for it */
    free(big);
}

/* --- on real sockets --- */

static char folder[PATH_BYTES], home[PATH_BYTES + 8];
static struct moth_loop *loop;
static uint64_t deadline_us;
static bool (*wanted)(void);
static struct moth_server *server;
static struct moth_stream *dialled, *accepted;

static int set_up_loop(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/moth-test-XXXXXX");
    if (!mkdtemp(folder)) return -1;
    snprintf(home, sizeof home, "%s/home", folder);
    if (moth_loop_open(home, &loop) < 0) return -1;
    open_side(&sides[0], moth_loop_transport(loop), false);
    dialled = accepted = NULL;
    return moth_tcp_listen(sides[0].tcp, "127.0.0.1:0", &server);
}

static int tear_down_loop(void **state)
{
    char command[PATH_BYTES + 16];
    (void)state;
    moth_tcp_close(sides[0].tcp);
    moth_loop_close(loop);
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

static uint64_t now_us(void)
{
    return moth_loop_host(loop)->now_us(moth_loop_host(loop)->context);
}

static uint64_t on_turn(void *owner)
{
    (void)owner;
    take_news(&sides[0]);
    if (!accepted) accepted = moth_server_accept(server);
    if (wanted() || now_us() >= deadline_us) moth_loop_stop(loop);
    return deadline_us;
}

static void until(bool (*holds)(void))
{
    wanted = holds;
    deadline_us = now_us() + DEADLINE_US;
    moth_loop_run(loop, on_turn, NULL);
    assert_true(holds());
}

static bool both_are_open(void)
{
    return accepted && moth_stream_state(dialled) == 0;
}

static void must_connect_here(void)
{
    assert_int_equal(moth_tcp_connect(sides[0].tcp, moth_server_address(server), &dialled), 0);
    until(both_are_open);
}

static bool something_came(void)
{
    return unread(accepted) > 0;
}

static size_t drunk;

static bool all_is_drunk(void)
{
    size_t bytes = unread(accepted);
    moth_stream_take(accepted, bytes);
    drunk += bytes;
    return drunk >= MOTH_STREAM_WRITE_MAX && moth_stream_state(accepted) < 0;
}

static bool dialled_ended(void)
{
    return moth_stream_state(dialled) < 0 && moth_stream_state(dialled) != MOTH_EBUSY;
}

static void test_streams_go_over_real_sockets(void **state)
{
    (void)state;
    must_connect_here();
    must_write(dialled, "hello");
    until(something_came);
    assert_reads(accepted, "hello");
    moth_stream_close(accepted);
    until(dialled_ended);
    assert_int_equal(moth_stream_state(dialled), MOTH_ECLOSED);
}

static void test_streams_a_real_close_lets_go_what_was_written(void **state)
{
    char *big = mem_new(MOTH_STREAM_WRITE_MAX);
    (void)state;
    must_connect_here();
    drunk = 0;
    assert_int_equal(moth_stream_write(dialled, big, MOTH_STREAM_WRITE_MAX), 0);
    assert_true(moth_stream_queued(dialled) > 0);
    moth_stream_close(dialled);
    until(all_is_drunk);
    assert_int_equal(drunk, MOTH_STREAM_WRITE_MAX);
    free(big);
}

static void test_streams_listen_beyond_this_machine_only_where_they_may(void **state)
{
    struct moth_server *other;
    struct side open;
    (void)state;
    assert_int_equal(moth_tcp_listen(sides[0].tcp, "0.0.0.0:0", &other), MOTH_EBLOCKED);
    assert_int_equal(moth_tcp_listen(sides[0].tcp, "localhost:0", &other), 0);
    open_side(&open, moth_loop_transport(loop), true);
    assert_int_equal(moth_tcp_listen(open.tcp, "0.0.0.0:0", &other), 0);
    moth_tcp_close(open.tcp);
    moth_tcp_close(NULL);
}

static void test_streams_real_ones_can_be_closed_while_all_is_under_way(void **state)
{
    struct moth_stream *unused;
    char *big = mem_new(MOTH_STREAM_WRITE_MAX);
    (void)state;
    must_connect_here();
    moth_stream_write(dialled, big, MOTH_STREAM_WRITE_MAX);
    moth_stream_close(dialled);
    moth_tcp_connect(sides[0].tcp, moth_server_address(server), &unused);
    moth_tcp_connect(sides[0].tcp, "localhost:1", &unused);
    free(big);
}

/* --- in Lua --- */

static struct runtime *runtime;
static char log_text[4096];

static void keep_log(void *context, enum moth_log_level level, const char *text)
{
    size_t used = strlen(log_text);
    (void)context, (void)level;
    snprintf(log_text + used, sizeof log_text - used, "%s\n", text);
}

static uint64_t sim_clock(void *context)
{
    (void)context;
    return sim ? sim_now_us(sim) : 0;
}

static void fake_random(void *context, void *out, size_t bytes)
{
    (void)context;
    memset(out, 7, bytes);
}

static const struct moth_host host = {.now_us = sim_clock, .wall_ms = sim_clock, .random = fake_random,
                                      .log = keep_log};

static int set_up_lua(void **state)
{
    set_up(state);
    log_text[0] = '\0';
    runtime = runtime_new(&host);
    return runtime ? bind_tcp(runtime, sim_endpoint(sim, 0), true) : -1;
}

static int tear_down_lua(void **state)
{
    runtime_free(runtime);
    return tear_down(state);
}

static int run_text(lua_State *L)
{
    if (luaL_dostring(L, lua_touserdata(L, 1)) != LUA_OK) lua_error(L);
    return 0;
}

/* In `chunk`, `tcp` is what C adds, and `code(...)` the third of its arguments. */
static void check(const char *chunk)
{
    char text[4096];
    snprintf(text, sizeof text, "tcp = require('moth.core').tcp\n"
                                "local function code(...) return select(3, ...) end\n%s", chunk);
    if (runtime_call(runtime, run_text, text) == 0) return;
    print_error("%s\n", log_text);
    fail();
}

static void turn(void)
{
    unsigned touched;
    while (sim_step(sim, sim_now_us(sim) + SECOND_US / 10, &touched)) continue;
}

static void test_lua_both_ends_of_a_connection(void **state)
{
    (void)state;
    check("s = assert(tcp.listen('" AT "')) c = assert(tcp.connect('" AT "'))\n"
          "assert(c:state() == 'opening' and s:address() == '" AT "' and s:accept() == nil)");
    turn();
    check("local first, second = tcp.next(), tcp.next()\n"
          "assert(first == s and second == c and tcp.next() == nil)\n"
          "d = s:accept() assert(d:state() == 'open' and c:state() == 'open' and c:address() == '" AT "')\n"
          "assert(c:write('one\\r\\ntwo\\nrest') and not c:is_slow())");
    turn();
    check("assert(tcp.next() == d)\n"
          "assert(d:take_line() == 'one' and d:take(1, 2) == 'tw' and d:take_line() == 'o' and d:take_line() == nil)\n"
          "assert(d:take(5, 5) == nil and d:take(2, 2) == 're')\n"
          "c:close() c:close()\n");
    turn();
    check("assert(tcp.next() == d and code(d:state()) == 'closed')\n"
          "assert(d:take(5, 5) == 'st' and d:take(1, 9) == nil and d:take_line() == nil)\n"
          "assert(code(d:write('x')) == 'closed' and code(c:write('x')) == 'closed' and code(c:state()) == 'closed')\n"
          "assert(c:take(1, 1) == nil and c:address() == 'none')\n"
          "s:close() s:close() assert(s:accept() == nil and s:address() == 'none')\n"
          "assert(tostring(s) == 'moth.tcp.server' and tostring(c) == 'moth.tcp.stream')");
}

static void test_lua_lines_are_bounded_and_what_is_left_at_the_end_is_one(void **state)
{
    (void)state;
    check("s = tcp.listen('" AT "') c = tcp.connect('" AT "')");
    turn();
    check("d = s:accept() c:write('12345\\n1234\\r\\n1234\\r')");
    turn();
    check("assert(code(d:take_line(4)) == 'too_big' and code(d:take_line(4)) == 'too_big')\n"
          "assert(d:take_line(5) == '12345' and d:take_line(4) == '1234' and d:take_line(4) == nil)\n"
          "c:close()");
    turn();
    check("assert(d:take_line(4) == '1234\\r')");
}

static void test_lua_what_cannot_be_done_has_a_word(void **state)
{
    (void)state;
    check("assert(code(tcp.listen('nonsense')) == 'bad_address' and code(tcp.listen('a\\0b:1')) == 'bad_address')\n"
          "assert(code(tcp.connect('a\\0b:1')) == 'bad_address')\n"
          "s = tcp.listen('" AT "') assert(code(tcp.listen('" AT "')) == 'in_use')\n"
          "c = tcp.connect('" AT "') assert(code(c:write('x')) == 'busy')\n"
          "r = tcp.connect('10.0.0.2:1')\n"
          "assert(not pcall(tcp.connect) and not pcall(c.write, c, {}) and not pcall(c.write, s, 'x'))");
    turn();
    check("assert(code(r:state()) == 'refused')\n"
          "assert(code(c:write(('x'):rep(9000000))) == 'full' and c:write(('x'):rep(1000000)) and c:is_slow())");
}

static void test_lua_what_nobody_holds_is_closed_when_it_is_collected(void **state)
{
    (void)state;
    check("s = tcp.listen('" AT "') c = tcp.connect('" AT "')");
    turn();
    check("d = s:accept() c = nil collectgarbage() collectgarbage()");
    turn();
    check("assert(code(d:state()) == 'closed') s = nil collectgarbage() collectgarbage()\n"
          "assert(tcp.listen('" AT "'))");
}

static void test_lua_news_ask_for_a_tick(void **state)
{
    (void)state;
    check("core = require('moth.core') ticks = 0\n"
          "core.on_tick(function() ticks = ticks + 1 end)\n"
          "s = tcp.listen('" AT "') c = tcp.connect('" AT "')");
    runtime_tick(runtime);
    turn();
    runtime_tick(runtime);
    check("assert(ticks >= 1)");
}

#define SIM_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
#define LOOP_TEST(f) cmocka_unit_test_setup_teardown(f, set_up_loop, tear_down_loop)
#define LUA_TEST(f) cmocka_unit_test_setup_teardown(f, set_up_lua, tear_down_lua)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SIM_TEST(test_streams_bytes_go_both_ways),
        SIM_TEST(test_streams_news_come_once_until_there_is_more),
        SIM_TEST(test_streams_what_came_before_it_was_accepted_is_news_then),
        SIM_TEST(test_streams_what_came_before_the_end_can_be_read),
        SIM_TEST(test_streams_a_close_lets_go_what_was_written),
        SIM_TEST(test_streams_a_dial_that_fails_says_why),
        SIM_TEST(test_streams_one_that_nobody_reads_stops_and_goes_on_when_half_is_taken),
        SIM_TEST(test_streams_writing_too_much_is_full_and_takes_nothing),
        SIM_TEST(test_streams_all_together_queue_no_more_than_their_bound),
        SIM_TEST(test_streams_draining_is_news),
        SIM_TEST(test_streams_are_bounded_and_those_that_only_finish_give_way),
        SIM_TEST(test_streams_a_server_refuses_whom_it_has_no_room_for),
        SIM_TEST(test_streams_servers_are_bounded),
        SIM_TEST(test_streams_a_closed_server_leaves_its_streams_and_closes_who_waits),
        SIM_TEST(test_streams_a_stream_closed_while_it_opens_is_heard_of_no_more),
        SIM_TEST(test_streams_a_paused_one_that_is_closed_notices_its_end),
        SIM_TEST(test_streams_a_user_is_kept),
        SIM_TEST(test_streams_listening_refuses_what_is_no_address_and_a_port_in_use),
        SIM_TEST(test_streams_all_can_be_closed_while_all_is_under_way),
        LOOP_TEST(test_streams_go_over_real_sockets),
        LOOP_TEST(test_streams_a_real_close_lets_go_what_was_written),
        LOOP_TEST(test_streams_listen_beyond_this_machine_only_where_they_may),
        LOOP_TEST(test_streams_real_ones_can_be_closed_while_all_is_under_way),
        LUA_TEST(test_lua_both_ends_of_a_connection),
        LUA_TEST(test_lua_lines_are_bounded_and_what_is_left_at_the_end_is_one),
        LUA_TEST(test_lua_what_cannot_be_done_has_a_word),
        LUA_TEST(test_lua_what_nobody_holds_is_closed_when_it_is_collected),
        LUA_TEST(test_lua_news_ask_for_a_tick),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
