/* process.c -- starting, hearing and ending the actors of process.h. */
#include "process.h"
#include "folder.h"
#include "patience.h"
#include "pattern.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGUMENTS_MAX 64
#define PATH_BYTES 512
#define CHUNK_BYTES 65536
#define ASK_AGAIN_MS 20
#define TRANSCRIPT_LINES 100 /* the last ones that are printed of an actor */

enum source { SAID, COMPLAINED, HEARD }; /* standard output, error and input; the first two index `streams` */

struct line {
    int64_t at_ms;
    enum source source;
    bool used;
    char *text;
};

struct stream {
    int fd; /* -1: ended */
    char *part; /* the beginning of a line whose end has not come */
    size_t part_bytes;
};

struct process {
    struct process *next;
    char label[64], home[PATH_BYTES];
    char name[64], id8[9], address[96];
    unsigned port;
    pid_t pid; /* 0 once reaped */
    int status, input;
    struct stream streams[2];
    struct line *lines;
    size_t line_count, after_used; /* the line after the one used last */
};

static struct process *processes;

/* --- the transcript --- */

static void add_line(struct process *p, enum source source, const char *text, size_t bytes)
{
    p->lines = realloc(p->lines, (p->line_count + 1) * sizeof *p->lines);
    if (!p->lines) abort();
    p->lines[p->line_count++] = (struct line){patience_now_ms(), source, false, strndup(text, bytes)};
}

static void print_transcript(const struct process *p, int64_t start_ms)
{
    static const char marks[] = {[SAID] = ' ', [COMPLAINED] = '!', [HEARD] = '<'};
    print_error("--- %s%s\n", p->label, p->pid == 0 ? " (ended)" : "");
    size_t first = p->line_count > TRANSCRIPT_LINES ? p->line_count - TRANSCRIPT_LINES : 0;
    if (first > 0) print_error("       ... %zu lines before\n", first);
    for (size_t i = first; i < p->line_count; i++) {
        const struct line *l = &p->lines[i];
        print_error("%6lld %c %s\n", (long long)(l->at_ms - start_ms), marks[l->source], l->text);
    }
}

static void print_transcripts(void)
{
    int64_t start_ms = INT64_MAX;
    for (const struct process *p = processes; p; p = p->next)
        if (p->line_count > 0 && p->lines[0].at_ms < start_ms) start_ms = p->lines[0].at_ms;
    for (const struct process *p = processes; p; p = p->next) print_transcript(p, start_ms);
}

__attribute__((format(printf, 2, 3), noreturn)) static void fail_about(const struct process *p, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    print_transcripts();
    fail_msg("%s: %s", p->label, text);
    abort(); /* fail_msg does not return, but the compiler is not told */
}

/* --- hearing --- */

static void take_lines(struct process *p, enum source source)
{
    struct stream *s = &p->streams[source];
    char *start = s->part, *end;
    while ((end = memchr(start, '\n', s->part_bytes - (size_t)(start - s->part)))) {
        add_line(p, source, start, (size_t)(end - start));
        start = end + 1;
    }
    s->part_bytes -= (size_t)(start - s->part);
    memmove(s->part, start, s->part_bytes);
}

static void end_stream(struct process *p, enum source source)
{
    struct stream *s = &p->streams[source];
    if (s->part_bytes > 0) add_line(p, source, s->part, s->part_bytes);
    s->part_bytes = 0;
    close(s->fd);
    s->fd = -1;
}

static void read_stream(struct process *p, enum source source)
{
    struct stream *s = &p->streams[source];
    s->part = realloc(s->part, s->part_bytes + CHUNK_BYTES);
    if (!s->part) abort();
    ssize_t n = read(s->fd, s->part + s->part_bytes, CHUNK_BYTES);
    if (n > 0) {
        s->part_bytes += (size_t)n;
        take_lines(p, source);
    } else if (n == 0 || errno != EAGAIN) {
        end_stream(p, source);
    }
}

/* Reads once from whoever has something to say, waiting at most `ms` for that. */
static void hear(int ms)
{
    struct pollfd polls[2 * 64];
    struct process *speakers[2 * 64];
    enum source sources[2 * 64];
    nfds_t count = 0;
    for (struct process *p = processes; p; p = p->next)
        for (enum source s = SAID; s <= COMPLAINED; s++)
            if (p->streams[s].fd >= 0 && count < 2 * 64) {
                speakers[count] = p;
                sources[count] = s;
                polls[count++] = (struct pollfd){.fd = p->streams[s].fd, .events = POLLIN};
            }
    if (poll(polls, count, ms) <= 0) return;
    for (nfds_t i = 0; i < count; i++)
        if (polls[i].revents) read_stream(speakers[i], sources[i]);
}

void process_listen(int ms)
{
    int64_t end_ms = patience_now_ms() + ms, left_ms;
    while ((left_ms = end_ms - patience_now_ms()) > 0) hear((int)left_ms);
    hear(0);
}

static struct line *find_line(const struct process *p, size_t from, enum source source, const char *pattern)
{
    for (size_t i = from; i < p->line_count; i++) {
        struct line *l = &p->lines[i];
        if (!l->used && l->source == source && pattern_matches(l->text, pattern)) return l;
    }
    return NULL;
}

static const char *wait_for_line(struct process *p, size_t from, enum source source, const char *pattern,
                                 int64_t end_ms)
{
    for (;;) {
        struct line *l = find_line(p, from, source, pattern);
        if (l) {
            l->used = true;
            p->after_used = (size_t)(l - p->lines) + 1;
            return l->text;
        }
        int64_t left_ms = end_ms - patience_now_ms();
        if (left_ms <= 0 || p->streams[source].fd < 0) return NULL;
        hear((int)left_ms);
    }
}

static const char *expect_on(struct process *p, enum source source, const char *pattern, int deadline_ms)
{
    const char *text = wait_for_line(p, 0, source, pattern, patience_deadline(deadline_ms));
    if (!text) {
        fail_about(p, "no line like \"%s\" on standard %s within %d ms", pattern, source == SAID ? "output" : "error",
                   deadline_ms * patience_factor());
    }
    return text;
}

const char *process_expect(struct process *p, const char *pattern, int deadline_ms)
{
    return expect_on(p, SAID, pattern, deadline_ms);
}

const char *process_expect_error(struct process *p, const char *pattern, int deadline_ms)
{
    return expect_on(p, COMPLAINED, pattern, deadline_ms);
}

const char *process_read_on(struct process *p, int deadline_ms)
{
    const char *text = wait_for_line(p, p->after_used, SAID, "^", patience_deadline(deadline_ms));
    if (!text) fail_about(p, "it said no more within %d ms", deadline_ms * patience_factor());
    return text;
}

void process_expect_none(struct process *p, const char *pattern, int watch_ms)
{
    process_listen(watch_ms);
    if (find_line(p, 0, SAID, pattern) || find_line(p, 0, COMPLAINED, pattern))
        fail_about(p, "a line like \"%s\", which must not be", pattern);
}

bool process_has_said(const struct process *p, const char *pattern)
{
    for (size_t i = 0; i < p->line_count; i++)
        if (p->lines[i].source != HEARD && pattern_matches(p->lines[i].text, pattern)) return true;
    return false;
}

void process_expect_either(struct process *p, struct process *q, const char *pattern, int deadline_ms)
{
    int64_t end_ms = patience_deadline(deadline_ms);
    while (!process_has_said(p, pattern) && !process_has_said(q, pattern)) {
        if (patience_now_ms() >= end_ms) fail_about(p, "neither it nor %s said \"%s\"", q->label, pattern);
        hear(20);
    }
}

const char *process_ask(struct process *p, const char *command, const char *pattern, int deadline_ms)
{
    int64_t end_ms = patience_deadline(deadline_ms), again_ms = ASK_AGAIN_MS * patience_factor();
    do {
        size_t from = p->line_count;
        process_say(p, "%s", command);
        const char *text = wait_for_line(p, from, SAID, pattern, patience_now_ms() + again_ms);
        if (text) return text;
    } while (patience_now_ms() < end_ms && p->streams[SAID].fd >= 0);
    fail_about(p, "\"%s\" never answered \"%s\" within %d ms", command, pattern, deadline_ms * patience_factor());
}

/* --- speaking --- */

static void write_all(struct process *p, const char *text, size_t bytes)
{
    while (bytes > 0) {
        ssize_t n = write(p->input, text, bytes);
        if (n < 0) fail_about(p, "it no longer listens to its standard input: %s", strerror(errno));
        text += n;
        bytes -= (size_t)n;
    }
}

void process_say(struct process *p, const char *format, ...)
{
    char text[8192];
    va_list arguments;
    va_start(arguments, format);
    int bytes = vsnprintf(text, sizeof text - 1, format, arguments);
    va_end(arguments);
    if (bytes < 0 || (size_t)bytes >= sizeof text - 1) fail_about(p, "the line for it is too long");
    add_line(p, HEARD, text, (size_t)bytes);
    text[bytes] = '\n';
    write_all(p, text, (size_t)bytes + 1);
}

void process_say_part(struct process *p, const char *text)
{
    add_line(p, HEARD, text, strlen(text));
    write_all(p, text, strlen(text));
}

void process_close_stdin(struct process *p)
{
    if (p->input >= 0) close(p->input);
    p->input = -1;
}

void process_connect(struct process *p, const struct process *to)
{
    char pattern[192];
    snprintf(pattern, sizeof pattern, "^linked to %s (%s) at %s$", to->name, to->id8, to->address);
    process_say(p, "connect %s", to->address);
    process_expect(p, pattern, 2 * PROCESS_SOON_MS);
}

void process_quit(struct process *p)
{
    process_say(p, "quit");
    int status = process_wait(p, PROCESS_SOON_MS);
    if (status != 0) fail_about(p, "quit ended it with status %d", status);
}

/* --- starting --- */

/* MOTH_WRAP's words, the program, its arguments. The words live as long as `words`. */
static void gather_arguments(char *words, const char *const argv[], const char *out[ARGUMENTS_MAX])
{
    size_t n = 0;
    char *rest = NULL;
    for (char *word = strtok_r(words, " ", &rest); word && n < 16; word = strtok_r(NULL, " ", &rest)) out[n++] = word;
    out[n++] = getenv("MOTH") ? getenv("MOTH") : "build/moth";
    for (size_t i = 0; argv[i] && n < ARGUMENTS_MAX - 1; i++) out[n++] = argv[i];
    out[n] = NULL;
}

static void become(const int pipes[3][2], const char *const argv[], pid_t parent)
{
    char words[1024];
    const char *arguments[ARGUMENTS_MAX];
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(126); /* the parent died before the line above */
    for (int i = 0; i < 3; i++) dup2(pipes[i][i == 0 ? 0 : 1], i);
    signal(SIGPIPE, SIG_DFL);
    setenv("XDG_DATA_HOME", folder_path(), 1); /* no test ever touches somebody's real home */
    snprintf(words, sizeof words, "%s", getenv("MOTH_WRAP") ? getenv("MOTH_WRAP") : "");
    gather_arguments(words, argv, arguments);
    execvp(arguments[0], (char *const *)arguments);
    dprintf(2, "cannot run %s: %s\n", arguments[0], strerror(errno));
    _exit(127);
}

struct process *process_start(const char *label, const char *const argv[])
{
    struct process *p = calloc(1, sizeof *p);
    int pipes[3][2];
    pid_t parent = getpid();
    if (!p) abort();
    folder_path();
    snprintf(p->label, sizeof p->label, "%s", label);
    signal(SIGPIPE, SIG_IGN);
    for (int i = 0; i < 3; i++)
        if (pipe2(pipes[i], O_CLOEXEC) < 0) fail_msg("pipe: %s", strerror(errno));
    p->pid = fork();
    if (p->pid < 0) fail_msg("fork: %s", strerror(errno));
    if (p->pid == 0) become((const int(*)[2])pipes, argv, parent);
    close(pipes[0][0]);
    close(pipes[1][1]);
    close(pipes[2][1]);
    p->input = pipes[0][1];
    p->streams[SAID].fd = pipes[1][0];
    p->streams[COMPLAINED].fd = pipes[2][0];
    p->next = processes;
    processes = p;
    return p;
}

static void parse_banner(struct process *p, const char *line)
{
    int end = 0;
    if (sscanf(line, "%63[^ ] (%8[0-9a-f]) listening on %95s%n", p->name, p->id8, p->address, &end) == 3) {
        const char *colon = strrchr(p->address, ':');
        p->port = colon ? (unsigned)atoi(colon + 1) : 0;
        if (line[end] == '\0' && p->port > 0 && strlen(p->id8) == 8) return;
    } else if (sscanf(line, "%63[^ ] (%8[0-9a-f]) not listening%n", p->name, p->id8, &end) == 2 && end > 0) {
        if (line[end] == '\0') return;
    }
    fail_about(p, "its first line is not a banner: \"%s\"", line);
}

void process_expect_banner(struct process *p)
{
    int64_t end_ms = patience_deadline(PROCESS_SOON_MS);
    const char *line = wait_for_line(p, 0, SAID, "^", end_ms);
    if (!line) fail_about(p, "it said nothing within %d ms", PROCESS_SOON_MS * patience_factor());
    parse_banner(p, line);
}

struct process *process_node(const char *name, const char *home, ...)
{
    char place[PATH_BYTES];
    snprintf(place, sizeof place, "%s", home ? home : folder_new_path(name));
    const char *argv[ARGUMENTS_MAX] = {"--home", place, "--name", name, "--listen", "127.0.0.1:0"};
    va_list arguments;
    size_t n = 6;
    va_start(arguments, home);
    while (n < ARGUMENTS_MAX - 1 && (argv[n] = va_arg(arguments, const char *))) n++;
    va_end(arguments);
    struct process *p = process_start(name, argv);
    snprintf(p->home, sizeof p->home, "%s", place);
    process_expect_banner(p);
    return p;
}

const char *process_home(const struct process *p)
{
    return p->home;
}

const char *process_name(const struct process *p)
{
    return p->name;
}

const char *process_id8(const struct process *p)
{
    return p->id8;
}

unsigned process_port(const struct process *p)
{
    return p->port;
}

const char *process_address(const struct process *p)
{
    return p->address;
}

int process_pid(const struct process *p)
{
    return p->pid;
}

/* --- ending --- */

bool process_is_running(struct process *p)
{
    int status;
    if (p->pid != 0 && waitpid(p->pid, &status, WNOHANG) == p->pid) {
        p->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
        p->pid = 0;
    }
    return p->pid != 0;
}

int process_wait(struct process *p, int deadline_ms)
{
    int64_t end_ms = patience_deadline(deadline_ms);
    while (process_is_running(p)) {
        if (patience_now_ms() >= end_ms) fail_about(p, "it still runs after %d ms", deadline_ms * patience_factor());
        hear(5);
    }
    while ((p->streams[SAID].fd >= 0 || p->streams[COMPLAINED].fd >= 0) && patience_now_ms() < end_ms) hear(5);
    return p->status;
}

void process_signal(struct process *p, int number)
{
    if (!process_is_running(p)) fail_about(p, "it has ended already");
    kill(p->pid, number);
}

static void free_process(struct process *p)
{
    if (process_is_running(p)) {
        kill(p->pid, SIGKILL);
        waitpid(p->pid, NULL, 0);
    }
    process_close_stdin(p);
    for (enum source s = SAID; s <= COMPLAINED; s++) {
        if (p->streams[s].fd >= 0) close(p->streams[s].fd);
        free(p->streams[s].part);
    }
    for (size_t i = 0; i < p->line_count; i++) free(p->lines[i].text);
    free(p->lines);
    free(p);
}

int process_cleanup(void **state)
{
    (void)state;
    while (processes) {
        struct process *p = processes;
        processes = p->next;
        free_process(p);
    }
    folder_remove();
    return 0;
}
