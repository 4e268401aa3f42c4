/* proxy.c -- the process that is the bad line of proxy.h.
 *
 * A line is a pair of sockets with a lane each way; a lane is a bounded run of pieces, each with the moment before
 * which it may not go on. poll only waits: after it every lane tries what the order allows, for nothing here blocks.
 * A socket that is neither read nor written is left out of poll, which would report its end over and over. */
#include "loopback.h"
#include "proxy.h"

#include "patience.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define LANE_BYTES 65536
#define LANE_PIECES 64
#define LINES_MAX 64
#define PROXIES_MAX 16

struct order {
    bool cut, still[2]; /* still: by lane */
    int delay_ms;
};

struct piece {
    int64_t due_ms;
    size_t bytes;
};

struct lane {
    char data[LANE_BYTES];
    struct piece pieces[LANE_PIECES];
    size_t bytes, count;
    bool ended, told; /* no more comes in; the other side knows */
};

struct line {
    int fds[2];           /* the dialler, the one behind */
    struct lane lanes[2]; /* from the socket of the same index to the other one */
};

struct line_man { /* lives in the child */
    int listener, control;
    unsigned port_behind;
    struct order order;
    struct line *lines[LINES_MAX];
    size_t count;
};

/* --- a lane --- */

static bool may_take(const struct line_man *m, const struct lane *l, int way)
{
    return !m->order.still[way] && !l->ended && l->count < LANE_PIECES && l->bytes < LANE_BYTES;
}

static bool may_give(const struct line_man *m, const struct lane *l, int way)
{
    return !m->order.still[way] && l->count > 0 && l->pieces[0].due_ms <= patience_now_ms();
}

/* False when the line is broken. */
static bool take(const struct line_man *m, struct line *line, int way)
{
    struct lane *l = &line->lanes[way];
    ssize_t n = recv(line->fds[way], l->data + l->bytes, LANE_BYTES - l->bytes, 0);
    if (n < 0) return errno == EAGAIN || errno == EINTR;
    if (n == 0) {
        l->ended = true;
        return true;
    }
    l->pieces[l->count++] = (struct piece){patience_now_ms() + m->order.delay_ms, (size_t)n};
    l->bytes += (size_t)n;
    return true;
}

static void drop_front(struct lane *l, size_t bytes)
{
    l->bytes -= bytes;
    memmove(l->data, l->data + bytes, l->bytes);
    l->pieces[0].bytes -= bytes;
    if (l->pieces[0].bytes > 0) return;
    l->count--;
    memmove(l->pieces, l->pieces + 1, l->count * sizeof l->pieces[0]);
}

static bool give(const struct line_man *m, struct line *line, int way)
{
    struct lane *l = &line->lanes[way];
    while (may_give(m, l, way)) {
        ssize_t n = send(line->fds[1 - way], l->data, l->pieces[0].bytes, MSG_NOSIGNAL);
        if (n < 0) return errno == EAGAIN || errno == EINTR;
        drop_front(l, (size_t)n);
    }
    if (l->ended && l->count == 0 && !l->told && !m->order.still[way]) {
        shutdown(line->fds[1 - way], SHUT_WR);
        l->told = true;
    }
    return true;
}

/* --- the lines --- */

static bool serve(const struct line_man *m, struct line *line)
{
    for (int way = 0; way < 2; way++) {
        if (may_take(m, &line->lanes[way], way) && !take(m, line, way)) return false;
        if (!give(m, line, way)) return false;
    }
    return !line->lanes[0].told || !line->lanes[1].told;
}

static void end_line(struct line_man *m, size_t i)
{
    close(m->lines[i]->fds[0]);
    close(m->lines[i]->fds[1]);
    free(m->lines[i]);
    m->lines[i] = m->lines[--m->count];
}

static void serve_all(struct line_man *m)
{
    for (size_t i = m->count; i-- > 0;)
        if (m->order.cut || !serve(m, m->lines[i])) end_line(m, i);
}

/* The connection may still be under way: until it stands, reading and writing wait like on any idle one. */
static int dial(unsigned port)
{
    struct sockaddr_in where = loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (fd < 0) return -1;
    if (connect(fd, (const struct sockaddr *)&where, sizeof where) == 0 || errno == EINPROGRESS) return fd;
    close(fd);
    return -1;
}

static void add_line(struct line_man *m)
{
    int front = accept4(m->listener, NULL, NULL, SOCK_NONBLOCK), behind;
    if (front < 0) return;
    if (m->order.cut || (behind = dial(m->port_behind)) < 0) {
        close(front);
        return;
    }
    struct line *line = calloc(1, sizeof *line);
    if (!line) _exit(1);
    line->fds[0] = front;
    line->fds[1] = behind;
    m->lines[m->count++] = line;
}

/* --- waiting --- */

static struct pollfd wish(const struct line_man *m, const struct line *line, int side)
{
    short events = 0;
    if (may_take(m, &line->lanes[side], side)) events |= POLLIN;
    if (may_give(m, &line->lanes[1 - side], 1 - side)) events |= POLLOUT;
    return (struct pollfd){events ? line->fds[side] : -1, events, 0};
}

/* Milliseconds until the first piece that only waits for its time; -1: there is none. */
static int patience_left(const struct line_man *m)
{
    int64_t first_ms = INT64_MAX, now_ms = patience_now_ms();
    for (size_t i = 0; i < 2 * m->count; i++) {
        const struct lane *l = &m->lines[i / 2]->lanes[i % 2];
        if (m->order.still[i % 2] || l->count == 0 || l->pieces[0].due_ms <= now_ms) continue;
        if (l->pieces[0].due_ms < first_ms) first_ms = l->pieces[0].due_ms;
    }
    return first_ms == INT64_MAX ? -1 : (int)(first_ms - now_ms);
}

static void obey(struct line_man *m)
{
    struct order order;
    if (recv(m->control, &order, sizeof order, 0) != (ssize_t)sizeof order) _exit(0);
    m->order = order;
    serve_all(m);
    if (send(m->control, "k", 1, MSG_NOSIGNAL) != 1) _exit(0);
}

static void live(struct line_man *m)
{
    for (;;) {
        struct pollfd polls[2 + 2 * LINES_MAX] = {
            {m->control, POLLIN, 0},
            {m->count < LINES_MAX ? m->listener : -1, POLLIN, 0},
        };
        nfds_t count = 2;
        for (size_t i = 0; i < m->count; i++)
            for (int side = 0; side < 2; side++) polls[count++] = wish(m, m->lines[i], side);
        if (poll(polls, count, patience_left(m)) < 0 && errno != EINTR) _exit(1);
        if (polls[0].revents) obey(m);
        if (polls[1].revents) add_line(m);
        serve_all(m);
    }
}

/* --- in the test program --- */

static struct proxy started[PROXIES_MAX];
static size_t started_count;

static int listen_on(unsigned *port)
{
    struct sockaddr_in where = loopback(*port);
    socklen_t length = sizeof where;
    int yes = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) < 0 ||
        bind(fd, (const struct sockaddr *)&where, sizeof where) < 0 || listen(fd, 64) < 0 ||
        getsockname(fd, (struct sockaddr *)&where, &length) < 0)
        fail_msg("the proxy cannot listen on port %u: %s", *port, strerror(errno));
    *port = ntohs(where.sin_port);
    return fd;
}

/* A socket of the test that stayed open here would never end for the other side. */
static void forget_files_but(int first, int second)
{
    for (int fd = 3; fd < 1024; fd++)
        if (fd != first && fd != second) close(fd);
}

static void become(int listener, int control, unsigned port_behind, pid_t parent)
{
    static struct line_man man;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(0); /* the parent died before the line above */
    forget_files_but(listener, control);
    man = (struct line_man){.listener = listener, .control = control, .port_behind = port_behind};
    live(&man);
}

struct proxy proxy_start(unsigned port, unsigned port_behind)
{
    int ends[2], listener = listen_on(&port);
    pid_t parent = getpid(), pid;
    if (started_count == PROXIES_MAX) fail_msg("more than %d proxies", PROXIES_MAX);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) fail_msg("socketpair: %s", strerror(errno));
    if ((pid = fork()) < 0) fail_msg("fork: %s", strerror(errno));
    if (pid == 0) become(listener, ends[1], port_behind, parent);
    close(listener);
    close(ends[1]);
    return started[started_count++] = (struct proxy){port, ends[0], pid};
}

static void give_order(const struct proxy *p, struct order order)
{
    char answer;
    if (send(p->control, &order, sizeof order, MSG_NOSIGNAL) != (ssize_t)sizeof order ||
        recv(p->control, &answer, 1, 0) != 1)
        fail_msg("the proxy at port %u is gone", p->port);
}

void proxy_pass(const struct proxy *p)
{
    give_order(p, (struct order){.cut = false});
}

void proxy_cut(const struct proxy *p)
{
    give_order(p, (struct order){.cut = true});
}

void proxy_stall(const struct proxy *p, enum proxy_way ways)
{
    give_order(p, (struct order){.still = {(ways & PROXY_THERE) != 0, (ways & PROXY_BACK) != 0}});
}

void proxy_delay(const struct proxy *p, int ms)
{
    give_order(p, (struct order){.delay_ms = ms});
}

void proxy_stop(struct proxy *p)
{
    if (p->pid == 0) return;
    for (size_t i = 0; i < started_count; i++)
        if (started[i].pid == p->pid) started[i--] = started[--started_count];
    close(p->control);
    kill(p->pid, SIGKILL);
    waitpid(p->pid, NULL, 0);
    p->pid = 0;
}

int proxy_cleanup(void **state)
{
    (void)state;
    while (started_count > 0) {
        struct proxy last = started[started_count - 1];
        proxy_stop(&last);
    }
    return 0;
}
