/* trial_child.c -- see trial_child.h.
 *
 * A frame: kind u8 | bytes u32 | body. SAID: text. RESULT: has_passed u8 | hash u64 | virtual_us u64 | events u64 | what
 * went wrong. */
#include "trial_child.h"

#include "moth/types.h"
#include "script/stage.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define HEAD_BYTES 5u
#define RESULT_BYTES 25u
#define READ_BYTES 65536u
#define STOP_MS 5000

enum kind { SAID = 1, RESULT };

/* --- in the process of the run --- */

static void write_all(int fd, const void *data, size_t bytes)
{
    for (const char *at = data; bytes > 0;) {
        ssize_t n = write(fd, at, bytes);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) _exit(EXIT_FAILURE); /* nobody listens any more */
        at += n;
        bytes -= (size_t)n;
    }
}

static void send_frame(int fd, enum kind kind, const void *body, size_t bytes)
{
    uint8_t head[HEAD_BYTES];
    put_uint(put_uint(head, kind, 1), bytes, 4);
    write_all(fd, head, sizeof head);
    write_all(fd, body, bytes);
}

static void on_print(void *owner, const char *text, size_t bytes)
{
    send_frame(*(const int *)owner, SAID, text, bytes);
}

static void send_result(int fd, const struct stage_result *r)
{
    struct buf body = {0};
    uint8_t numbers[RESULT_BYTES];
    uint8_t *at = put_uint(numbers, r->has_passed, 1);
    put_uint(put_uint(put_uint(at, r->hash, 8), r->virtual_us, 8), r->events, 8);
    buf_add(&body, numbers, sizeof numbers);
    if (r->text) buf_add(&body, r->text, strlen(r->text));
    send_frame(fd, RESULT, buf_span(&body).data, buf_bytes(&body));
    buf_fini(&body);
}

/* The same everywhere: what a run is like may not depend on where its user lives. */
static void leave_the_world(void)
{
    setenv("TZ", "UTC0", 1);
    tzset();
}

static void run(const struct trial_order *o, int fd)
{
    char why[STAGE_WHY_BYTES];
    leave_the_world();
    struct stage_setup setup = {.file = o->file, .seed = o->seed, .print = on_print, .owner = &fd, .trace = o->trace,
                                .is_real = o->is_real};
    struct stage *s = stage_open(&setup, why);
    struct stage_result result = s ? stage_run(s, o->index) : (struct stage_result){.text = why};
    if (o->trace) fflush(o->trace);
    send_result(fd, &result);
    stage_close(s);
}

/* --- in ours --- */

int child_start(struct child *c, const struct trial_order *order)
{
    int fds[2];
    if (pipe(fds) < 0) return MOTH_EIO;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        signal(SIGINT, SIG_DFL);
        signal(SIGTERM, SIG_DFL);
        close(fds[0]);
        run(order, fds[1]);
        _exit(EXIT_SUCCESS);
    }
    close(fds[1]);
    if (pid < 0) {
        close(fds[0]);
        return MOTH_EIO;
    }
    *c = (struct child){.pid = pid, .fd = fds[0]};
    return 0;
}

static void take_result(struct child *c, struct slice body)
{
    struct trial_outcome *o = &c->outcome;
    struct reader r = reader_of(body);
    o->has_passed = read_uint(&r, 1);
    o->hash = read_uint(&r, 8);
    o->virtual_us = read_uint(&r, 8);
    o->events = read_uint(&r, 8);
    o->has_result = !r.failed;
    buf_add(&o->text, r.at, reader_left(&r));
}

static void take_frames(struct child *c)
{
    while (buf_bytes(&c->in) >= HEAD_BYTES) {
        const uint8_t *at = buf_span(&c->in).data;
        size_t bytes = (size_t)get_uint(at + 1, 4);
        if (buf_bytes(&c->in) < HEAD_BYTES + bytes) return;
        if (at[0] == RESULT) take_result(c, slice_of(at + HEAD_BYTES, bytes));
        else buf_add(&c->said, at + HEAD_BYTES, bytes);
        buf_consume(&c->in, HEAD_BYTES + bytes);
    }
}

/* How a process ended that said nothing of it. */
static void note_death(struct child *c, int status)
{
    char text[128];
    bool has_spun = WIFSIGNALED(status) && WTERMSIG(status) == STAGE_SPIN_SIGNAL;
    int n = has_spun ? snprintf(text, sizeof text, "its Lua ran for %d s without letting time pass: does it loop?",
                                STAGE_SPIN_SECONDS)
          : WIFSIGNALED(status) ? snprintf(text, sizeof text, "the process of the run died: %s",
                                           strsignal(WTERMSIG(status)))
                                : snprintf(text, sizeof text, "the process of the run ended by itself, with status %d",
                                           WEXITSTATUS(status));
    c->outcome.has_passed = false;
    buf_add(&c->outcome.text, text, (size_t)n);
}

bool child_read(struct child *c)
{
    static uint8_t chunk[READ_BYTES];
    int status = 0;
    ssize_t n = read(c->fd, chunk, sizeof chunk);
    if (n < 0 && errno == EINTR) return false;
    if (n > 0) {
        buf_add(&c->in, chunk, (size_t)n);
        take_frames(c);
        return false;
    }
    close(c->fd);
    while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR) continue;
    c->pid = 0;
    if (!c->outcome.has_result || status != 0) note_death(c, status);
    return true;
}

/* A run of real nodes ends its processes and removes its files; for that there is a while. */
void child_stop(struct child *c)
{
    struct pollfd pipe = {.fd = c->fd, .events = POLLIN};
    kill(c->pid, SIGTERM);
    while (c->pid != 0) {
        if (poll(&pipe, 1, STOP_MS) <= 0) kill(c->pid, SIGKILL);
        child_read(c);
    }
    child_fini(c);
}

void child_fini(struct child *c)
{
    buf_fini(&c->in);
    buf_fini(&c->said);
    buf_fini(&c->outcome.text);
}
