/* loop.c -- the real host: libuv's loop, the machine's clocks and randomness, the home folder (loop.h is its contract).
 *
 * A turn ends in the prepare phase, just before the loop would sleep: there the owner's `turn` runs, sends what the
 * turn's events gathered, and says when it wants to be woken. Standard input is left as it was found: a terminal is
 * opened anew by name, a pipe becomes blocking again at the end, and a plain file, or a terminal that is another
 * user's, is read in chunks by the thread pool. */
#include "moth/loop.h"

#include "base/home.h"
#include "base/mem.h"
#include "net/uv_private.h"
#include "proto/frame.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#define INPUT_CHUNK_BYTES 4096
#define SIGNAL_COUNT 3
#define CLOSE_MS 100 /* for what cannot be called back */
#define DATABASE "moth.db"

struct input {
    struct frame_decoder lines;
    uv_stream_t *stream; /* owned by the loop until closed; NULL: read by the thread pool */
    int flags;           /* of a pipe, as it was found; -1: not a pipe */
    uv_fs_t read;
    uint8_t chunk[INPUT_CHUNK_BYTES];
    void (*on_line)(void *owner, const char *line, size_t bytes, int rc);
    void *owner;
    int64_t offset;
    bool on, paused, reading, giving, ended, told;
    int rc;
};

struct moth_loop {
    uv_loop_t uv;
    struct tcp_transport tcp;
    struct home home;
    struct moth_host host;
    uv_prepare_t prepare;
    uv_timer_t timer;
    uv_signal_t signals[SIGNAL_COUNT];
    uv_async_t wake; /* keeps the loop alive and turns it once more */
    struct input input;
    uint64_t (*turn)(void *owner);
    void *turn_owner;
    void (*on_log)(void *owner, enum moth_log_level level, const char *text);
    void *log_owner;
    void (*on_signal)(void *owner, int signal);
    void *signal_owner;
};

/* --- the host --- */

static uint64_t host_now_us(void *context)
{
    (void)context;
    return uv_hrtime() / 1000;
}

static uint64_t host_wall_ms(void *context)
{
    uv_timeval64_t now;
    (void)context;
    if (uv_gettimeofday(&now) < 0 || now.tv_sec < 0) return 0;
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_usec / 1000;
}

static void host_random(void *context, void *out, size_t bytes)
{
    (void)context;
    for (uint8_t *at = out; bytes > 0;) {
        ssize_t n = getrandom(at, bytes, 0);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {
            fputs("moth: the system gives no random bytes\n", stderr);
            abort();
        }
        at += n;
        bytes -= (size_t)n;
    }
}

struct work {
    uv_work_t request;
    void (*run)(void *job);
    void (*done)(void *job);
    void *job;
};

static void work_run(uv_work_t *request)
{
    struct work *w = request->data;
    w->run(w->job);
}

static void work_done(uv_work_t *request, int status)
{
    struct work *w = request->data;
    (void)status; /* only a cancelled request fails, and nothing here cancels */
    w->done(w->job);
    free(w);
}

static void host_work(void *context, void (*run)(void *job), void (*done)(void *job), void *job)
{
    struct moth_loop *loop = context;
    struct work *w = mem_new(sizeof *w);
    *w = (struct work){.run = run, .done = done, .job = job};
    w->request.data = w;
    int rc = uv_queue_work(&loop->uv, &w->request, work_run, work_done);
    assert(rc == 0);
    (void)rc;
}

static int host_file_write(void *context, const char *name, const void *data, size_t bytes)
{
    struct moth_loop *loop = context;
    return home_write(&loop->home, name, slice_of(data, bytes));
}

static int host_file_read(void *context, const char *name, void *data, size_t capacity, size_t *bytes)
{
    struct moth_loop *loop = context;
    return home_read(&loop->home, name, data, capacity, bytes);
}

static int host_file_move(void *context, const char *name, const char *to)
{
    struct moth_loop *loop = context;
    return home_move(&loop->home, name, to);
}

static int host_file_fill(void *context, const char *name, size_t bytes)
{
    struct moth_loop *loop = context;
    return home_fill(&loop->home, name, bytes);
}

static void host_log(void *context, enum moth_log_level level, const char *text)
{
    struct moth_loop *loop = context;
    if (loop->on_log) loop->on_log(loop->log_owner, level, text);
}

/* --- turns --- */

static void on_timer(uv_timer_t *timer)
{
    (void)timer; /* waking up is all: the turn follows */
}

static void on_wake(uv_async_t *wake)
{
    (void)wake;
}

static void on_prepare(uv_prepare_t *prepare)
{
    struct moth_loop *loop = prepare->data;
    if (!loop->turn) return;
    uint64_t next = loop->turn(loop->turn_owner), now = host_now_us(loop);
    uint64_t wait_ms = next > now ? (next - now + 999) / 1000 : 0;
    uv_update_time(&loop->uv);
    uv_timer_start(&loop->timer, on_timer, wait_ms, 0);
}

void moth_loop_run(struct moth_loop *loop, uint64_t (*turn)(void *owner), void *owner)
{
    loop->turn = turn;
    loop->turn_owner = owner;
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    loop->turn = NULL;
}

void moth_loop_stop(struct moth_loop *loop)
{
    uv_stop(&loop->uv);
    uv_async_send(&loop->wake);
}

/* --- signals --- */

static void on_signal(uv_signal_t *handle, int number)
{
    struct moth_loop *loop = handle->data;
    if (loop->on_signal) loop->on_signal(loop->signal_owner, number);
}

void moth_loop_on_signal(struct moth_loop *loop, void (*callback)(void *owner, int signal), void *owner)
{
    static const int numbers[SIGNAL_COUNT] = {SIGINT, SIGTERM, SIGHUP};
    loop->on_signal = callback;
    loop->signal_owner = owner;
    for (int i = 0; i < SIGNAL_COUNT; i++) uv_signal_start(&loop->signals[i], on_signal, numbers[i]);
}

/* --- standard input --- */

static void input_read(struct moth_loop *loop);

/* Gives the lines that are there, unless the owner paused meanwhile; then the end, once. */
static void input_give(struct moth_loop *loop)
{
    struct input *in = &loop->input;
    struct frame line;
    if (in->giving) return;
    in->giving = true;
    while (!in->paused && in->rc == 0 && (in->rc = frame_next(&in->lines, &line)) > 0) {
        in->rc = 0;
        in->on_line(in->owner, (const char *)line.body.data, line.body.bytes, 0);
    }
    in->giving = false;
    if (in->paused) return;
    if (in->rc == 0 && !in->ended) {
        input_read(loop);
    } else if (!in->told) {
        in->told = true;
        in->on_line(in->owner, NULL, 0, in->rc);
    }
}

static void input_took(struct moth_loop *loop, ssize_t n)
{
    struct input *in = &loop->input;
    if (n > 0) {
        frame_feed(&in->lines, (struct span){in->chunk, (size_t)n});
    } else {
        in->ended = true;
        if (n == 0 || n == UV_EOF || n == UV_EBADF) frame_finish(&in->lines);
        else in->rc = uv_error((int)n);
    }
    input_give(loop);
}

static void on_input_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct moth_loop *loop = handle->data;
    (void)suggested;
    *buf = uv_buf_init((char *)loop->input.chunk, INPUT_CHUNK_BYTES);
}

/* One chunk at a time: the decoder borrows it until all its lines are given. */
static void on_input(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct moth_loop *loop = stream->data;
    (void)buf;
    if (n == 0) return;
    uv_read_stop(stream);
    loop->input.reading = false;
    input_took(loop, n);
}

static void on_file_read(uv_fs_t *request)
{
    struct moth_loop *loop = request->data;
    ssize_t n = request->result;
    uv_fs_req_cleanup(request);
    loop->input.reading = false;
    if (n > 0 && loop->input.offset >= 0) loop->input.offset += n;
    input_took(loop, n);
}

static void input_read(struct moth_loop *loop)
{
    struct input *in = &loop->input;
    if (in->reading || in->ended) return;
    in->reading = true;
    if (in->stream) {
        uv_read_start(in->stream, on_input_alloc, on_input);
        return;
    }
    uv_buf_t buf = uv_buf_init((char *)in->chunk, INPUT_CHUNK_BYTES);
    uv_fs_read(&loop->uv, &in->read, STDIN_FILENO, &buf, 1, in->offset, on_file_read);
}

static int input_open_terminal(struct moth_loop *loop)
{
    const char *name = ttyname(STDIN_FILENO);
    int fd = name ? open(name, O_RDONLY | O_NOCTTY | O_CLOEXEC) : -1;
    if (fd < 0) return MOTH_EIO;
    uv_tty_t *tty = mem_new(sizeof *tty);
    int rc = uv_tty_init(&loop->uv, tty, fd, 1);
    if (rc < 0) {
        close(fd);
        free(tty);
        return uv_error(rc);
    }
    loop->input.stream = (uv_stream_t *)tty;
    return 0;
}

static int input_open_pipe(struct moth_loop *loop)
{
    int fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
    if (fd < 0) return MOTH_EIO;
    uv_pipe_t *pipe = mem_new(sizeof *pipe);
    uv_pipe_init(&loop->uv, pipe, 0);
    loop->input.stream = (uv_stream_t *)pipe;
    loop->input.flags = fcntl(STDIN_FILENO, F_GETFL);
    int rc = uv_pipe_open(pipe, fd);
    if (rc < 0) close(fd);
    return uv_error(rc);
}

int moth_loop_read_lines(struct moth_loop *loop, size_t max_bytes,
                         void (*on_line)(void *owner, const char *line, size_t bytes, int rc), void *owner)
{
    struct input *in = &loop->input;
    int rc = 0;
    assert(!in->on);
    uv_handle_type type = uv_guess_handle(STDIN_FILENO);
    if (type == UV_TTY && input_open_terminal(loop) < 0) type = UV_UNKNOWN_HANDLE;
    else if (type == UV_NAMED_PIPE || type == UV_TCP) rc = input_open_pipe(loop);
    if (rc < 0) return rc;
    if (in->stream) in->stream->data = loop;
    in->read.data = loop;
    in->on_line = on_line;
    in->owner = owner;
    in->on = true;
    if (type == UV_FILE) in->offset = lseek(STDIN_FILENO, 0, SEEK_CUR);
    if (in->offset < 0 || type == UV_UNKNOWN_HANDLE) in->offset = -1; /* read on from where it stands */
    frame_decoder_init(&in->lines, FRAME_LINE, max_bytes);
    input_read(loop);
    return 0;
}

void moth_loop_pause_lines(struct moth_loop *loop, bool pause)
{
    struct input *in = &loop->input;
    if (in->paused == pause) return;
    in->paused = pause;
    if (!pause && in->on && !in->reading) input_give(loop);
}

/* --- opening and closing --- */

/* libuv writes with write(2). */
static void ignore_broken_pipes(void)
{
    struct sigaction now;
    if (sigaction(SIGPIPE, NULL, &now) == 0 && now.sa_handler == SIG_DFL) signal(SIGPIPE, SIG_IGN);
}

/* SQLite would make its files as wide as the umask allows; it gives all others the rights of the database. */
static int open_home(struct home *h, const char *path)
{
    int rc = home_open(h, path);
    if (rc < 0) return rc;
    if ((rc = home_touch(h, DATABASE)) < 0) home_close(h);
    return rc;
}

int moth_loop_open(const char *path, struct moth_loop **out)
{
    struct moth_loop *loop = mem_new(sizeof *loop);
    int rc = open_home(&loop->home, path);
    if (rc < 0) {
        free(loop);
        return rc;
    }
    if ((rc = uv_error(uv_loop_init(&loop->uv))) < 0) {
        home_close(&loop->home);
        free(loop);
        return rc;
    }
    ignore_broken_pipes();
    loop->input.flags = -1;
    tcp_init(&loop->tcp, &loop->uv);
    loop->host = (struct moth_host){.context = loop,
                                    .now_us = host_now_us,
                                    .wall_ms = host_wall_ms,
                                    .random = host_random,
                                    .work = host_work,
                                    .file_write = host_file_write,
                                    .file_read = host_file_read,
                                    .file_move = host_file_move,
                                    .file_fill = host_file_fill,
                                    .home = loop->home.path,
                                    .log = host_log};
    uv_async_init(&loop->uv, &loop->wake, on_wake);
    uv_timer_init(&loop->uv, &loop->timer);
    uv_prepare_init(&loop->uv, &loop->prepare);
    loop->prepare.data = loop;
    uv_prepare_start(&loop->prepare, on_prepare);
    for (int i = 0; i < SIGNAL_COUNT; i++) {
        uv_signal_init(&loop->uv, &loop->signals[i]);
        loop->signals[i].data = loop;
    }
    *out = loop;
    return 0;
}

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

static void input_close(struct input *in)
{
    if (in->stream) uv_close((uv_handle_t *)in->stream, free_handle);
    else if (in->reading) uv_cancel((uv_req_t *)&in->read);
    if (in->flags >= 0) fcntl(STDIN_FILENO, F_SETFL, in->flags);
    in->paused = true; /* a read that ends now is not for anybody */
}

/* What runs on another thread and may take for ever. */
static bool is_held(const struct moth_loop *loop)
{
    return loop->tcp.lookups > 0 || (loop->input.reading && !loop->input.stream);
}

static void wait_while_held(struct moth_loop *loop)
{
    uv_update_time(&loop->uv);
    uv_timer_start(&loop->timer, on_timer, CLOSE_MS, 0);
    while (is_held(loop) && uv_is_active((uv_handle_t *)&loop->timer)) uv_run(&loop->uv, UV_RUN_ONCE);
}

int moth_loop_close(struct moth_loop *loop)
{
    if (!loop) return 0;
    tcp_stop(&loop->tcp);
    input_close(&loop->input);
    for (int i = 0; i < SIGNAL_COUNT; i++) uv_close((uv_handle_t *)&loop->signals[i], NULL);
    uv_close((uv_handle_t *)&loop->wake, NULL);
    uv_close((uv_handle_t *)&loop->prepare, NULL);
    wait_while_held(loop);
    uv_close((uv_handle_t *)&loop->timer, NULL);
    if (is_held(loop)) {
        home_unlock(&loop->home); /* a group of writes may be under way yet */
        return MOTH_ETIMEOUT;
    }
    while (uv_loop_close(&loop->uv) == UV_EBUSY) uv_run(&loop->uv, UV_RUN_DEFAULT); /* an old stop ends a run early */
    if (loop->input.on) frame_decoder_fini(&loop->input.lines);
    tcp_fini(&loop->tcp);
    home_close(&loop->home);
    free(loop);
    return 0;
}

uv_loop_t *loop_uv(struct moth_loop *loop)
{
    return &loop->uv;
}

const struct moth_host *moth_loop_host(struct moth_loop *loop)
{
    return &loop->host;
}

struct moth_transport *moth_loop_transport(struct moth_loop *loop)
{
    return &loop->tcp.base;
}

void moth_loop_on_log(struct moth_loop *loop, void (*log)(void *owner, enum moth_log_level level, const char *text),
                      void *owner)
{
    loop->on_log = log;
    loop->log_owner = owner;
}
