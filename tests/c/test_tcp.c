/* test_tcp.c -- real connections over loopback, through the loop that runs them, and links on top of them.
 *
 * One loop has both ends of most connections: `here` dialled, `there` was accepted. Ends only write down what happens
 * to them; tests run the loop until a condition holds, and a deadline turns a hang into a failure. Name lookups are
 * answered by this file where the name ends in ".test". */
#include "moth/loop.h"
#include "net/link.h"

#include "base/buf.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dlfcn.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEADLINE_US 60000000u
#define PATH_BYTES 64
#define NOBODY 65534
#define BIG_BYTES (16u << 20)
#define CHUNK_BYTES (64u << 10)

/* --- names --- */

static int gate[2]; /* a lookup of "slow.test" waits here */

typedef int lookup(const char *, const char *, const struct addrinfo *, struct addrinfo **);

static lookup *real_lookup(void)
{
    void *symbol = dlsym(RTLD_NEXT, "getaddrinfo");
    lookup *function;
    memcpy(&function, &symbol, sizeof function);
    return function;
}

/* The two addresses become one list, as of a name that has both. */
static int look_up_both(const char *first, const char *second, const char *port, const struct addrinfo *hints,
                        struct addrinfo **found)
{
    int rc = real_lookup()(first, port, hints, found);
    return rc != 0 ? rc : real_lookup()(second, port, hints, &(*found)->ai_next);
}

int getaddrinfo(const char *name, const char *port, const struct addrinfo *hints, struct addrinfo **found)
{
    char token;
    if (strcmp(name, "nowhere.test") == 0) return EAI_NONAME;
    if (strcmp(name, "both.test") == 0) return look_up_both("127.0.0.2", "127.0.0.1", port, hints, found);
    if (strcmp(name, "neither.test") == 0) return look_up_both("127.0.0.2", "127.0.0.3", port, hints, found);
    if (strcmp(name, "old-and-new.test") == 0) return look_up_both("::1", "127.0.0.1", port, hints, found);
    if (strcmp(name, "slow.test") == 0 && read(gate[0], &token, 1) != 1) return EAI_FAIL;
    return real_lookup()(strcmp(name, "slow.test") == 0 ? "127.0.0.1" : name, port, hints, found);
}

/* --- the ends --- */

struct end {
    struct conn *conn; /* NULL once it is closed */
    unsigned opened, drained, closed;
    int reason;
    size_t sent, received;
    bool wrong; /* a byte was not the one that belongs there */
    int open_rc, bytes_rc, drained_rc;
    size_t pause_every, until_pause; /* 0: never */
};

static char folder[PATH_BYTES], home[PATH_BYTES + 8];
static struct moth_loop *loop;
static struct moth_transport *tcp;
static struct end here, there, other;
static struct end crowd[128]; /* whoever else was accepted */
static unsigned accepted;
static struct end *victim;    /* closed by what happens to others; NULL: nobody */
static unsigned victim_after; /* so many events */
static struct address bound;
static bool inside_call; /* no event may come while the test calls down */
static bool surprised;   /* one did, or came after the end */

static uint8_t byte_at(size_t at)
{
    return (uint8_t)((at * 2654435761u) >> 13);
}

static struct slice chunk_at(size_t at, size_t bytes)
{
    static uint8_t chunk[CHUNK_BYTES];
    for (size_t i = 0; i < bytes; i++) chunk[i] = byte_at(at + i);
    return slice_of(chunk, bytes);
}

static struct end *end_of(struct conn *c)
{
    struct end *e = c->user;
    surprised |= inside_call || e->closed > 0;
    return e;
}

static int on_open(void *owner, struct conn *c)
{
    (void)owner;
    if (c->inbound) c->user = accepted == 0 ? &there : accepted == 1 ? &other : &crowd[accepted % 128];
    accepted += c->inbound;
    struct end *e = end_of(c);
    surprised |= !c->open;
    e->conn = c;
    e->opened++;
    return e->open_rc;
}

static void close_victim(void)
{
    if (victim && victim->conn && victim_after-- == 0) tcp->ops->close(victim->conn, MOTH_ECANCELLED);
}

static void check_bytes(struct end *e, struct span bytes)
{
    for (size_t i = 0; i < bytes.bytes; i++) e->wrong |= bytes.data[i] != byte_at(e->received + i);
    e->received += bytes.bytes;
}

static int on_bytes(void *owner, struct conn *c, struct span bytes)
{
    struct end *e = end_of(c);
    (void)owner;
    surprised |= e->opened != 1;
    check_bytes(e, bytes);
    memset(bytes.data, 0, bytes.bytes); /* the receiver may */
    close_victim();
    if (e->pause_every > 0 && e->received >= e->until_pause) {
        e->until_pause = e->received + e->pause_every;
        tcp->ops->pause(c, true);
    }
    return e->bytes_rc;
}

static int on_drained(void *owner, struct conn *c)
{
    struct end *e = end_of(c);
    (void)owner;
    surprised |= tcp->ops->queued(c) > TRANSPORT_LOW_BYTES;
    e->drained++;
    return e->drained_rc;
}

static void on_closed(void *owner, struct conn *c, int reason)
{
    (void)owner;
    if (!c->user) return;
    struct end *e = end_of(c);
    surprised |= c->open;
    e->closed++;
    e->reason = reason;
    e->conn = NULL;
    close_victim();
}

static const struct transport_events events = {
    .on_open = on_open, .on_bytes = on_bytes, .on_drained = on_drained, .on_closed = on_closed};

/* --- the stage --- */

static int set_up(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/moth-test-XXXXXX");
    if (!mkdtemp(folder) || pipe(gate) < 0) return -1;
    snprintf(home, sizeof home, "%s/home", folder);
    memset(&here, 0, sizeof here);
    memset(&there, 0, sizeof there);
    memset(&other, 0, sizeof other);
    memset(crowd, 0, sizeof crowd);
    victim = NULL;
    accepted = 0;
    inside_call = surprised = false;
    if (moth_loop_open(home, &loop) < 0) return -1;
    tcp = moth_loop_transport(loop);
    tcp->events = &events;
    return tcp->ops->listen(tcp, "127.0.0.1:0", &bound);
}

static int tear_down(void **state)
{
    char command[PATH_BYTES + 16];
    (void)state;
    moth_loop_close(loop);
    loop = NULL;
    close(gate[0]);
    close(gate[1]);
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return surprised ? -1 : system(command);
}

static bool (*wanted)(void);
static uint64_t deadline_us;

static uint64_t now_us(void)
{
    return moth_loop_host(loop)->now_us(NULL);
}

static uint64_t look(void *owner)
{
    (void)owner;
    if (there.conn && there.pause_every > 0) tcp->ops->pause(there.conn, false);
    if (victim && here.conn) tcp->ops->send(here.conn, slice_text("x"));
    if (wanted() || now_us() >= deadline_us) moth_loop_stop(loop);
    return deadline_us;
}

static void run_until(bool (*holds)(void))
{
    wanted = holds;
    deadline_us = now_us() + DEADLINE_US;
    moth_loop_run(loop, look, NULL);
    assert_true(holds());
    assert_false(surprised);
}

static void dial_text(struct end *e, const char *text)
{
    inside_call = true;
    e->conn = tcp->ops->dial(tcp, text, e);
    inside_call = false;
}

static void dial_host(struct end *e, const char *name, uint16_t port)
{
    char text[128];
    snprintf(text, sizeof text, "%s:%u", name, port);
    dial_text(e, text);
}

static void dial(struct end *e)
{
    dial_host(e, "127.0.0.1", bound.port);
}

static bool both_are_open(void)
{
    return here.opened && there.opened;
}

static bool here_is_closed(void)
{
    return here.closed > 0;
}

static bool there_is_closed(void)
{
    return there.closed > 0;
}

static bool all_are_closed(void)
{
    return here.closed > 0 && (accepted == 0 || there.closed > 0) && (accepted < 2 || other.closed > 0);
}

static void must_connect(void)
{
    dial(&here);
    run_until(both_are_open);
}

static void send_next(struct end *e, size_t bytes)
{
    inside_call = true;
    tcp->ops->send(e->conn, chunk_at(e->sent, bytes));
    inside_call = false;
    e->sent += bytes;
}

static void close_end(struct end *e, int reason)
{
    inside_call = true;
    tcp->ops->close(e->conn, reason);
    inside_call = false;
}

static void pause_end(struct end *e, bool pause)
{
    inside_call = true;
    tcp->ops->pause(e->conn, pause);
    inside_call = false;
}

static size_t queued(const struct end *e)
{
    return tcp->ops->queued(e->conn);
}

/* Until the kernel takes no more and `bytes` wait above it. */
static void fill(struct end *e, size_t bytes)
{
    while (queued(e) < bytes) send_next(e, CHUNK_BYTES);
}

static void assert_ended(const struct end *e, int reason)
{
    assert_int_equal(e->closed, 1);
    if (e->reason != reason) fail_msg("%s instead of %s", moth_error_code(e->reason), moth_error_code(reason));
}

/* --- listening --- */

static void test_tcp_listening_on_port_0_says_where(void **state)
{
    static const uint8_t loopback[4] = {127, 0, 0, 1};
    (void)state;
    assert_int_equal(bound.family, 4);
    assert_memory_equal(bound.ip, loopback, 4);
    assert_true(bound.port > 0);
}

static int listen_at(const char *text)
{
    struct address at;
    return tcp->ops->listen(tcp, text, &at);
}

/* A socket of ours with an address that it keeps; listening or not. */
static int hold_port(bool listening, uint16_t *port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof in;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof in), 0);
    if (listening) assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &length), 0);
    *port = ntohs(in.sin_port);
    return fd;
}

static void test_tcp_listening_refuses_a_port_in_use(void **state)
{
    char text[32];
    uint16_t port;
    (void)state;
    int fd = hold_port(true, &port);
    snprintf(text, sizeof text, "127.0.0.1:%u", port);
    assert_int_equal(listen_at(text), MOTH_EIN_USE);
    close(fd);
    assert_int_equal(listen_at(text), 0);
}

static void test_tcp_listening_refuses_what_is_no_address(void **state)
{
    (void)state;
    assert_int_equal(listen_at("127.0.0.1"), MOTH_EBAD_ADDRESS);
    assert_int_equal(listen_at("nowhere.test:1"), MOTH_ENO_HOST);
    assert_int_equal(listen_at("192.0.2.1:0"), MOTH_EUNREACHABLE); /* nobody's address */
}

static void test_tcp_listening_refuses_a_port_for_root_only(void **state)
{
    int status;
    (void)state;
    pid_t child = fork(); /* as somebody who is not root, whoever runs the tests */
    assert_true(child >= 0);
    if (child == 0)
        _exit(geteuid() == 0 && (setgid(NOBODY) < 0 || setuid(NOBODY) < 0) ? 255 : -listen_at("127.0.0.1:1"));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 0) skip(); /* this machine lets everybody */
    assert_int_equal(-WEXITSTATUS(status), MOTH_EPERMISSION);
}

static void test_tcp_listening_again_moves(void **state)
{
    struct address first = bound;
    (void)state;
    assert_int_equal(tcp->ops->listen(tcp, "127.0.0.1:0", &bound), 0);
    assert_int_not_equal(bound.port, first.port);
    dial_host(&other, "127.0.0.1", first.port);
    must_connect();
    while (other.closed == 0) run_until(both_are_open);
    assert_ended(&other, MOTH_EREFUSED); /* and tear_down ends */
}

/* --- connecting --- */

static void test_tcp_each_end_knows_the_other(void **state)
{
    (void)state;
    must_connect();
    assert_true(!here.conn->inbound && there.conn->inbound);
    assert_true(address_equal(&here.conn->remote, &bound));
    assert_int_equal(there.conn->remote.family, 4);
    assert_int_equal(there.conn->remote.ip[0], 127);
}

static void test_tcp_speaks_ipv6_where_the_machine_does(void **state)
{
    (void)state;
    int rc = tcp->ops->listen(tcp, "[::1]:0", &bound);
    if (rc == MOTH_EUNREACHABLE || rc == MOTH_EBAD_ADDRESS) skip();
    assert_int_equal(rc, 0);
    dial_host(&here, "[::1]", bound.port);
    run_until(both_are_open);
    assert_true(address_equal(&here.conn->remote, &bound));
    assert_int_equal(there.conn->remote.family, 6);
}

static void test_tcp_a_dial_is_refused_where_nobody_listens(void **state)
{
    uint16_t port;
    (void)state;
    int fd = hold_port(false, &port);
    dial_host(&here, "127.0.0.1", port);
    run_until(here_is_closed);
    assert_ended(&here, MOTH_EREFUSED);
    assert_int_equal(here.opened, 0);
    close(fd);
}

static void test_tcp_a_dial_says_later_that_it_was_no_address(void **state)
{
    (void)state;
    dial_text(&here, "bob");
    run_until(here_is_closed);
    assert_ended(&here, MOTH_EBAD_ADDRESS);
}

static void test_tcp_a_dial_says_when_there_is_no_such_name(void **state)
{
    (void)state;
    dial_text(&here, "nowhere.test:1");
    run_until(here_is_closed);
    assert_ended(&here, MOTH_ENO_HOST);
}

static void test_tcp_a_dial_tries_all_addresses_of_a_name(void **state)
{
    (void)state;
    dial_host(&here, "both.test", bound.port); /* we listen on the second */
    run_until(both_are_open);
    assert_true(address_equal(&here.conn->remote, &bound));
    send_next(&here, 100);
    close_end(&here, MOTH_EGOODBYE);
    run_until(all_are_closed);
    assert_int_equal(there.received, 100);
}

static void test_tcp_a_dial_tries_the_other_family_too(void **state)
{
    (void)state;
    dial_host(&here, "old-and-new.test", bound.port);
    run_until(both_are_open);
    assert_true(address_equal(&here.conn->remote, &bound));
}

static void test_tcp_a_dial_fails_when_all_addresses_did(void **state)
{
    (void)state;
    dial_host(&here, "neither.test", bound.port);
    run_until(here_is_closed);
    assert_ended(&here, MOTH_EREFUSED);
}

static bool victim_is_closed(void)
{
    return victim->closed > 0;
}

/* A byte passes every turn, and one of the first hundred closes the dial: in its lookup, at its first address or the
 * second, or when it is open. There is one end, whenever it was. */
static void test_tcp_a_dial_can_be_closed_at_any_moment(void **state)
{
    static struct end ends[100];
    (void)state;
    must_connect();
    memset(ends, 0, sizeof ends);
    for (unsigned i = 0; i < 100; i++) {
        victim = &ends[i];
        victim_after = i;
        dial_host(victim, "both.test", bound.port);
        run_until(victim_is_closed);
        assert_ended(victim, MOTH_ECANCELLED);
    }
}

/* Two dials fail together, and the end of the one closes the other, which is about to try its next address. */
static void test_tcp_a_dial_can_be_closed_between_two_addresses(void **state)
{
    static struct end ends[200];
    (void)state;
    memset(ends, 0, sizeof ends);
    for (unsigned i = 0; i < 200; i += 2) {
        victim = &ends[i];
        victim_after = 0;
        dial_host(victim, "both.test", bound.port);
        dial_host(&ends[i + 1], "127.0.0.2", bound.port);
        run_until(victim_is_closed);
        assert_ended(victim, MOTH_ECANCELLED);
        assert_ended(&ends[i + 1], MOTH_EREFUSED);
    }
}

static void test_tcp_a_dial_closed_during_its_lookup_ends_when_that_does(void **state)
{
    (void)state;
    dial_host(&here, "slow.test", bound.port);
    close_end(&here, MOTH_ETIMEOUT);
    assert_int_equal(here.closed, 0);
    assert_int_equal(write(gate[1], "x", 1), 1);
    run_until(here_is_closed);
    assert_ended(&here, MOTH_ETIMEOUT);
    assert_int_equal(here.opened, 0);
}

static void test_tcp_an_owner_can_refuse_a_connection(void **state)
{
    (void)state;
    there.open_rc = MOTH_EFULL;
    dial(&here);
    run_until(all_are_closed);
    assert_ended(&there, MOTH_EFULL);
    assert_ended(&here, MOTH_ECLOSED);
    assert_int_equal(there.received, 0);
}

static void test_tcp_an_owner_can_refuse_its_own_dial(void **state)
{
    (void)state;
    here.open_rc = MOTH_ESHUTDOWN;
    dial(&here);
    run_until(all_are_closed);
    assert_ended(&here, MOTH_ESHUTDOWN);
}

/* --- bytes --- */

static bool all_came(void)
{
    return there.received == here.sent && queued(&here) == 0;
}

static void test_tcp_bytes_go_both_ways(void **state)
{
    (void)state;
    must_connect();
    send_next(&here, 1000);
    run_until(all_came);
    tcp->ops->send(there.conn, chunk_at(0, 500));
    there.sent = 500;
    close_end(&there, MOTH_EGOODBYE);
    run_until(all_are_closed);
    assert_int_equal(here.received, 500);
    assert_false(here.wrong || there.wrong);
}

static void test_tcp_many_small_sends_arrive_in_order(void **state)
{
    (void)state;
    must_connect();
    for (int i = 0; i < 50000; i++) send_next(&here, 1 + (size_t)i % 40);
    send_next(&here, 0);
    run_until(all_came);
    assert_false(there.wrong);
}

static void test_tcp_a_big_transfer_arrives_whole_through_pauses(void **state)
{
    (void)state;
    must_connect();
    there.pause_every = 1u << 20;
    while (here.sent < BIG_BYTES) send_next(&here, CHUNK_BYTES);
    assert_true(queued(&here) > BIG_BYTES / 4);
    run_until(all_came);
    assert_false(there.wrong);
    assert_true(here.drained > 0);
}

static bool other_came(void)
{
    return other.received == 1;
}

static void test_tcp_a_paused_receiver_is_felt_by_the_sender(void **state)
{
    (void)state;
    must_connect();
    pause_end(&there, true);
    fill(&here, 4u << 20);
    size_t waiting = queued(&here);
    struct end second = {0};
    dial(&second); /* another pair passes its byte, this one stands still */
    while (!other.opened || !second.opened) run_until(both_are_open);
    tcp->ops->send(second.conn, chunk_at(0, 1));
    run_until(other_came);
    assert_int_equal(there.received, 0);
    assert_true(queued(&here) > waiting / 2);
    assert_int_equal(here.drained, 0);
    pause_end(&there, false);
    run_until(all_came);
    assert_false(there.wrong);
    assert_true(here.drained > 0);
    close_end(&second, MOTH_EGOODBYE); /* it leaves the stage before its end does */
    while (!second.closed) run_until(both_are_open);
}

static void test_tcp_a_pause_before_the_opening_counts(void **state)
{
    (void)state;
    dial(&here);
    pause_end(&here, true);
    run_until(both_are_open);
    tcp->ops->send(there.conn, chunk_at(0, 100));
    close_end(&there, MOTH_EGOODBYE);
    run_until(there_is_closed);
    assert_int_equal(here.received, 0);
    pause_end(&here, false);
    run_until(here_is_closed);
    assert_int_equal(here.received, 100);
    assert_ended(&here, MOTH_ECLOSED);
}

static void test_tcp_an_owner_closes_by_answering_with_an_error(void **state)
{
    (void)state;
    must_connect();
    there.bytes_rc = MOTH_EMALFORMED;
    send_next(&here, 100);
    run_until(all_are_closed);
    assert_ended(&there, MOTH_EMALFORMED);
    assert_ended(&here, MOTH_ECLOSED);
}

static void test_tcp_an_owner_closes_by_failing_to_go_on(void **state)
{
    (void)state;
    must_connect();
    here.drained_rc = MOTH_ESLOW;
    fill(&here, 1);
    run_until(all_are_closed);
    assert_ended(&here, MOTH_ESLOW);
}

/* --- closing --- */

static void test_tcp_a_close_while_writing_ends_once_with_its_reason(void **state)
{
    (void)state;
    must_connect();
    pause_end(&there, true);
    fill(&here, 1u << 20);
    struct conn *c = here.conn;
    close_end(&here, MOTH_EDEAD);
    close_end(&here, MOTH_EGOODBYE);
    assert_false(c->open);
    tcp->ops->send(c, chunk_at(0, 10)); /* taken by nobody */
    run_until(here_is_closed);
    assert_ended(&here, MOTH_EDEAD);
    assert_int_equal(here.drained, 0);
    pause_end(&there, false);
    run_until(there_is_closed);
    assert_false(there.wrong);
    assert_true(there.received < here.sent);
}

static void test_tcp_bytes_sent_before_a_close_arrive(void **state)
{
    (void)state;
    must_connect();
    send_next(&here, 1000);
    close_end(&here, MOTH_EGOODBYE);
    run_until(all_are_closed);
    assert_int_equal(there.received, 1000);
    assert_ended(&there, MOTH_ECLOSED);
}

static void test_tcp_ends_that_close_at_once_each_keep_their_reason(void **state)
{
    (void)state;
    must_connect();
    close_end(&here, MOTH_EGOODBYE);
    close_end(&there, MOTH_EREPLACED);
    run_until(all_are_closed);
    assert_ended(&here, MOTH_EGOODBYE);
    assert_ended(&there, MOTH_EREPLACED);
}

static int connect_by_hand(void)
{
    struct sockaddr_in in = {
        .sin_family = AF_INET, .sin_port = htons(bound.port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&in, sizeof in), 0);
    here.opened = 1;
    run_until(both_are_open);
    return fd;
}

static void test_tcp_a_reset_is_a_close(void **state)
{
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    (void)state;
    int fd = connect_by_hand();
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
    close(fd);
    run_until(there_is_closed);
    assert_ended(&there, MOTH_ECLOSED);
}

/* Tries again a millisecond later: in a minute even the smallest buffer of the kernel is not filled by such sends, and
 * so only their failure can end it. */
static bool is_still_open(const struct conn *c)
{
    poll(NULL, 0, 1);
    return c->open && now_us() < deadline_us;
}

/* Without reading, so that only the writing can notice. */
static void test_tcp_writing_to_a_peer_that_is_gone_ends_only_the_connection(void **state)
{
    (void)state;
    int fd = connect_by_hand();
    pause_end(&there, true);
    close(fd);
    deadline_us = now_us() + DEADLINE_US;
    while (is_still_open(there.conn)) tcp->ops->send(there.conn, slice_text("?"));
    assert_false(there.conn->open);
    run_until(there_is_closed);
    assert_ended(&there, MOTH_ECLOSED);
}

static void test_tcp_everything_can_be_closed_while_all_is_under_way(void **state)
{
    struct end extra[3] = {{0}};
    (void)state;
    must_connect();
    pause_end(&there, true);
    fill(&here, 1u << 20);
    dial(&extra[0]);
    dial_host(&extra[1], "both.test", bound.port);
    dial_text(&extra[2], "nonsense");
    moth_loop_stop(loop);
    moth_loop_close(loop);
    loop = NULL;
    assert_ended(&here, MOTH_ESHUTDOWN);
    assert_ended(&there, MOTH_ESHUTDOWN);
    assert_ended(&extra[0], MOTH_ESHUTDOWN);
    assert_ended(&extra[1], MOTH_ESHUTDOWN);
    assert_ended(&extra[2], MOTH_EBAD_ADDRESS);
}

/* --- many transports on one loop --- */

static struct moth_transport *beside(void)
{
    struct moth_transport *t = tcp->ops->beside(tcp);
    t->events = &events;
    return t;
}

static void free_beside(struct moth_transport *t)
{
    inside_call = true;
    t->ops->free(t);
    inside_call = false;
}

static void test_tcp_one_beside_listens_and_dials_for_itself(void **state)
{
    char text[MOTH_ADDRESS_TEXT_BYTES];
    struct address first = bound;
    (void)state;
    struct moth_transport *t = beside();
    assert_int_equal(t->ops->listen(t, "127.0.0.1:0", &bound), 0);
    dial(&here);
    run_until(both_are_open);
    assert_ptr_equal(here.conn->transport, tcp);
    assert_ptr_equal(there.conn->transport, t);
    address_format(&first, text);
    crowd[0].conn = t->ops->dial(t, text, &crowd[0]);
    while (!other.opened || !crowd[0].opened) run_until(both_are_open);
    assert_ptr_equal(crowd[0].conn->transport, t);
    assert_ptr_equal(other.conn->transport, tcp);
    free_beside(t);
}

static void test_tcp_freeing_one_beside_ends_its_connections_without_an_event(void **state)
{
    char text[MOTH_ADDRESS_TEXT_BYTES];
    (void)state;
    struct moth_transport *t = beside();
    address_format(&bound, text);
    here.conn = t->ops->dial(t, text, &here);
    run_until(both_are_open);
    t->ops->send(here.conn, chunk_at(0, 1000));
    free_beside(t);
    run_until(there_is_closed);
    assert_ended(&there, MOTH_ECLOSED);
    assert_int_equal(here.closed, 0);
    assert_int_equal(here.received, 0);
}

static void test_tcp_one_beside_listens_nowhere_when_it_is_told_and_when_it_is_freed(void **state)
{
    struct address none;
    (void)state;
    struct moth_transport *t = beside();
    assert_int_equal(t->ops->listen(t, "127.0.0.1:0", &bound), 0);
    assert_int_equal(t->ops->listen(t, NULL, &none), 0);
    dial(&here);
    run_until(here_is_closed);
    assert_ended(&here, MOTH_EREFUSED);
    assert_int_equal(t->ops->listen(t, "127.0.0.1:0", &bound), 0);
    free_beside(t);
    memset(&here, 0, sizeof here);
    dial(&here);
    run_until(here_is_closed);
    assert_ended(&here, MOTH_EREFUSED);
}

static void test_tcp_one_beside_is_freed_while_all_is_under_way(void **state)
{
    static const char *const hosts[] = {"both.test", "neither.test", "nowhere.test", "127.0.0.1"};
    struct end extra[5] = {{0}};
    char text[64];
    (void)state;
    struct moth_transport *t = beside();
    for (int i = 0; i < 4; i++) {
        snprintf(text, sizeof text, "%s:%u", hosts[i], bound.port);
        t->ops->dial(t, text, &extra[i]);
    }
    t->ops->dial(t, "nonsense", &extra[4]);
    free_beside(t);
    must_connect();
    for (int i = 0; i < 5; i++) assert_int_equal(extra[i].opened + extra[i].closed, 0);
}

/* --- links on top --- */

static struct side {
    char home[PATH_BYTES + 8];
    struct moth_loop *loop;
    struct identity who;
    struct links all;
    struct link *link;
    unsigned ready, frames, closed;
    size_t bytes;
    int reason;
} ana, bob;

static int side_on_accept(void *owner, struct link *l)
{
    ((struct side *)owner)->link = l;
    return 0;
}

static int side_on_ready(void *owner, struct link *l)
{
    (void)l;
    ((struct side *)owner)->ready++;
    return 0;
}

static int side_on_frame(void *owner, struct link *l, struct frame *f)
{
    struct side *s = owner;
    (void)l;
    s->frames++;
    s->bytes += f->body.bytes;
    return 0;
}

static void side_on_drained(void *owner, struct link *l)
{
    (void)owner, (void)l;
}

static void side_on_closed(void *owner, struct link *l, int reason)
{
    struct side *s = owner;
    (void)l;
    s->closed++;
    s->reason = reason;
    s->link = NULL;
}

static const struct link_events side_events = {.on_accept = side_on_accept,
                                               .on_ready = side_on_ready,
                                               .on_frame = side_on_frame,
                                               .on_drained = side_on_drained,
                                               .on_closed = side_on_closed};

static void open_side(struct side *s, const char *name)
{
    uint8_t seed[32] = {(uint8_t)name[0]}, network_key[32] = {0};
    memset(s, 0, sizeof *s);
    snprintf(s->home, sizeof s->home, "%s/%.3s", folder, name);
    assert_int_equal(moth_loop_open(s->home, &s->loop), 0);
    identity_from_seed(&s->who, seed);
    links_init(&s->all, moth_loop_transport(s->loop), moth_loop_host(s->loop), &s->who, network_key, 1, &side_events,
               s);
    assert_int_equal(s->all.transport->ops->listen(s->all.transport, "127.0.0.1:0", &bound), 0);
}

static void close_side(struct side *s)
{
    if (!s->loop) return;
    links_fini(&s->all);
    moth_loop_close(s->loop);
    s->loop = NULL;
}

static int set_up_links(void **state)
{
    int rc = set_up(state);
    if (rc < 0) return rc;
    open_side(&ana, "ana");
    open_side(&bob, "bob");
    return 0;
}

static int tear_down_links(void **state)
{
    close_side(&ana);
    close_side(&bob);
    return tear_down(state);
}

static uint64_t one_turn(void *owner)
{
    struct side *s = owner;
    links_flush(&s->all);
    moth_loop_stop(s->loop);
    return UINT64_MAX;
}

static void run_sides_until(bool (*holds)(void))
{
    deadline_us = now_us() + DEADLINE_US;
    while (!holds() && now_us() < deadline_us) {
        moth_loop_run(ana.loop, one_turn, &ana);
        moth_loop_run(bob.loop, one_turn, &bob);
    }
    assert_true(holds());
}

static bool both_are_ready(void)
{
    return ana.ready && bob.ready;
}

static bool sides_are_closed(void)
{
    return ana.closed && bob.closed;
}

static void link_sides(void)
{
    char text[MOTH_ADDRESS_TEXT_BYTES];
    address_format(&bound, text);
    ana.link = link_dial(&ana.all, text, &bob.who.id, NULL);
    run_sides_until(both_are_ready);
}

static void queue_messages(unsigned count, size_t bytes)
{
    static const uint8_t body[FRAME_BODY_MAX];
    for (unsigned i = 0; i < count; i++) link_send(ana.link, FRAME_MESSAGE, slice_of(body, bytes), slice_of(NULL, 0));
}

static void test_tcp_a_link_carries_everything_before_it_finishes(void **state)
{
    (void)state;
    link_sides();
    queue_messages(20, FRAME_BODY_MAX);
    queue_messages(1000, 0);
    link_finish(ana.link, MOTH_EGOODBYE);
    assert_false(ana.link->closing);
    run_sides_until(sides_are_closed);
    assert_int_equal(bob.frames, 1020);
    assert_int_equal(bob.bytes, 20u * FRAME_BODY_MAX);
    assert_int_equal(ana.reason, MOTH_EGOODBYE);
    assert_int_equal(bob.reason, MOTH_ECLOSED);
}

static void test_tcp_a_link_refuses_another_network(void **state)
{
    char text[MOTH_ADDRESS_TEXT_BYTES];
    (void)state;
    bob.all.network_key[0] ^= 1;
    address_format(&bound, text);
    ana.link = link_dial(&ana.all, text, NULL, NULL);
    run_sides_until(sides_are_closed);
    assert_int_equal(bob.reason, MOTH_EWRONG_NETWORK);
    assert_int_equal(ana.reason, MOTH_EHUNG_UP);
}

/* What a broken connection cannot take stays to be counted as unsent. */
static void test_tcp_a_link_keeps_what_a_broken_connection_does_not_take(void **state)
{
    (void)state;
    link_sides();
    close_side(&bob);
    deadline_us = now_us() + DEADLINE_US;
    while (is_still_open(ana.link->conn)) {
        queue_messages(1, 0);
        links_flush(&ana.all);
    }
    assert_false(ana.link->conn->open);
    size_t before = link_unsent(ana.link);
    queue_messages(3, 100000);
    links_flush(&ana.all);
    assert_int_equal(link_unsent(ana.link), before + 3);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define LINK_TEST(name) cmocka_unit_test_setup_teardown(name, set_up_links, tear_down_links)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(test_tcp_listening_on_port_0_says_where),
        TEST(test_tcp_listening_refuses_a_port_in_use),
        TEST(test_tcp_listening_refuses_what_is_no_address),
        TEST(test_tcp_listening_refuses_a_port_for_root_only),
        TEST(test_tcp_listening_again_moves),
        TEST(test_tcp_each_end_knows_the_other),
        TEST(test_tcp_speaks_ipv6_where_the_machine_does),
        TEST(test_tcp_a_dial_is_refused_where_nobody_listens),
        TEST(test_tcp_a_dial_says_later_that_it_was_no_address),
        TEST(test_tcp_a_dial_says_when_there_is_no_such_name),
        TEST(test_tcp_a_dial_tries_all_addresses_of_a_name),
        TEST(test_tcp_a_dial_tries_the_other_family_too),
        TEST(test_tcp_a_dial_fails_when_all_addresses_did),
        TEST(test_tcp_a_dial_can_be_closed_at_any_moment),
        TEST(test_tcp_a_dial_can_be_closed_between_two_addresses),
        TEST(test_tcp_a_dial_closed_during_its_lookup_ends_when_that_does),
        TEST(test_tcp_an_owner_can_refuse_a_connection),
        TEST(test_tcp_an_owner_can_refuse_its_own_dial),
        TEST(test_tcp_bytes_go_both_ways),
        TEST(test_tcp_many_small_sends_arrive_in_order),
        TEST(test_tcp_a_big_transfer_arrives_whole_through_pauses),
        TEST(test_tcp_a_paused_receiver_is_felt_by_the_sender),
        TEST(test_tcp_a_pause_before_the_opening_counts),
        TEST(test_tcp_an_owner_closes_by_answering_with_an_error),
        TEST(test_tcp_an_owner_closes_by_failing_to_go_on),
        TEST(test_tcp_a_close_while_writing_ends_once_with_its_reason),
        TEST(test_tcp_bytes_sent_before_a_close_arrive),
        TEST(test_tcp_ends_that_close_at_once_each_keep_their_reason),
        TEST(test_tcp_a_reset_is_a_close),
        TEST(test_tcp_writing_to_a_peer_that_is_gone_ends_only_the_connection),
        TEST(test_tcp_one_beside_listens_and_dials_for_itself),
        TEST(test_tcp_freeing_one_beside_ends_its_connections_without_an_event),
        TEST(test_tcp_one_beside_listens_nowhere_when_it_is_told_and_when_it_is_freed),
        TEST(test_tcp_one_beside_is_freed_while_all_is_under_way),
        TEST(test_tcp_everything_can_be_closed_while_all_is_under_way),
        LINK_TEST(test_tcp_a_link_carries_everything_before_it_finishes),
        LINK_TEST(test_tcp_a_link_refuses_another_network),
        LINK_TEST(test_tcp_a_link_keeps_what_a_broken_connection_does_not_take),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
