/* loop_spawn.c -- spawn.h, over fork and the loop's SIGCHLD.
 *
 * uv_spawn cannot ask the kernel for the child's death between fork and exec, so both are done here. After fork there
 * is only this thread and whatever locks the others held: until exec nothing is called that could want one. A pipe that
 * exec closes brings the reason when it fails. */
#include "net/spawn.h"

#include "base/mem.h"
#include "net/uv_private.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define SELF "/proc/self/exe"

extern char **environ;

struct spawn {
    struct spawns *all; /* borrowed */
    struct spawn *before, *after;
    pid_t pid;
    bool has_ended;
    struct spawn_end end;
    void *user;
};

struct spawns {
    uv_signal_t *ended; /* owned by the loop until its close callback */
    struct spawn *first;
    unsigned count;
    void (*on_ended)(void *owner, struct spawn *p);
    void *owner;
};

/* --- its end --- */

static void note_end(struct spawn *p, int status)
{
    p->has_ended = true;
    p->end.was_killed = WIFSIGNALED(status);
    p->end.number = p->end.was_killed ? WTERMSIG(status) : WEXITSTATUS(status);
}

/* False: it still runs. */
static bool reap(struct spawn *p, int options)
{
    int status = 0;
    pid_t pid;
    do pid = waitpid(p->pid, &status, options);
    while (pid < 0 && errno == EINTR);
    if (pid == 0) return false;
    note_end(p, status);
    return true;
}

static struct spawn *find_ended(struct spawns *all)
{
    for (struct spawn *p = all->first; p; p = p->after)
        if (!p->has_ended && reap(p, WNOHANG)) return p;
    return NULL;
}

/* Several ends may come as one signal; and whoever is told may free any of them. */
static void on_signal(uv_signal_t *handle, int number)
{
    struct spawns *all = handle->data;
    (void)number;
    for (struct spawn *p; (p = find_ended(all));) all->on_ended(all->owner, p);
}

/* --- all of them --- */

struct spawns *spawns_new(struct moth_loop *loop, void (*on_ended)(void *owner, struct spawn *p), void *owner)
{
    struct spawns *all = mem_new(sizeof *all);
    *all = (struct spawns){.ended = mem_new(sizeof *all->ended), .on_ended = on_ended, .owner = owner};
    uv_signal_init(loop_uv(loop), all->ended);
    all->ended->data = all;
    uv_signal_start(all->ended, on_signal, SIGCHLD);
    return all;
}

static void free_handle(uv_handle_t *handle)
{
    free(handle);
}

void spawns_free(struct spawns *all)
{
    if (!all) return;
    for (struct spawn *p = all->first; p; p = p->after) spawn_signal(p, SIGKILL); /* they die side by side */
    for (struct spawn *p = all->first, *after; p; p = after) {
        after = p->after;
        spawn_free(p);
    }
    uv_close((uv_handle_t *)all->ended, free_handle);
    free(all);
}

/* --- becoming another program --- */

struct start { /* what is needed after the fork, all of it made before */
    const char *program;
    const char *const *argv;
    char **env; /* owned */
    int input, log, failed[2]; /* the last: a pipe */
    pid_t parent;
};

static void take_streams(const struct start *s)
{
    dup2(s->input, STDIN_FILENO);
    dup2(s->log, STDOUT_FILENO);
    dup2(s->log, STDERR_FILENO);
    close_range(STDERR_FILENO + 1, ~0u, CLOSE_RANGE_CLOEXEC); /* ours have that mark already, but who knows them all */
}

static void reset_signals(void)
{
    struct sigaction standard = {.sa_handler = SIG_DFL};
    sigset_t none;
    for (int number = 1; number < NSIG; number++) sigaction(number, &standard, NULL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void become(const struct start *s)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != s->parent) _exit(EXIT_FAILURE); /* it died before the line above */
    setpgid(0, 0);
    take_streams(s);
    reset_signals();
    execve(s->program, (char *const *)(uintptr_t)s->argv, s->env);
    int why = errno;
    ssize_t told = write(s->failed[1], &why, sizeof why);
    _exit(told == (ssize_t)sizeof why ? EXIT_FAILURE : EXIT_FAILURE + 1);
}

/* No handler of ours may run in the child: it would write into the loop's own pipe. */
static pid_t fork_quietly(const struct start *s)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t pid = fork();
    if (pid == 0) become(s);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return pid;
}

/* --- starting --- */

static int error_of(int number)
{
    switch (number) {
    case ENOENT:
    case ENOTDIR: return MOTH_ENOT_FOUND;
    case EACCES:
    case EPERM: return MOTH_EPERMISSION;
    default: return MOTH_EIO;
    }
}

static size_t count_texts(const char *const *texts)
{
    size_t count = 0;
    while (texts && texts[count]) count++;
    return count;
}

static bool is_same_name(const char *a, const char *b)
{
    size_t bytes = strcspn(a, "=");
    return strncmp(a, b, bytes + 1) == 0;
}

static bool is_replaced(const char *entry, const char *const *more)
{
    for (size_t i = 0; more && more[i]; i++)
        if (is_same_name(entry, more[i])) return true;
    return false;
}

/* Ours, where nothing in `more` has the same name, and `more`. The texts are borrowed. */
static char **make_environment(const char *const *more)
{
    size_t added = count_texts(more), n = 0;
    char **env = mem_new((count_texts((const char *const *)environ) + added + 1) * sizeof *env);
    for (char **entry = environ; entry && *entry; entry++)
        if (!is_replaced(*entry, more)) env[n++] = *entry;
    if (added > 0) memcpy(env + n, more, added * sizeof *env);
    env[n + added] = NULL;
    return env;
}

static int open_streams(struct start *s, const char *log)
{
    s->input = open("/dev/null", O_RDONLY | O_CLOEXEC);
    s->log = open(log, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (s->input < 0 || s->log < 0 || pipe2(s->failed, O_CLOEXEC) < 0) return error_of(errno);
    return 0;
}

static void close_one(int fd)
{
    if (fd >= 0) close(fd);
}

static void close_streams(struct start *s)
{
    close_one(s->input);
    close_one(s->log);
    close_one(s->failed[0]);
    close_one(s->failed[1]);
    free(s->env);
}

/* Waits until the program runs; 0, or why it does not. */
static int await_program(struct start *s)
{
    int why = 0;
    ssize_t n;
    close(s->failed[1]);
    s->failed[1] = -1;
    do n = read(s->failed[0], &why, sizeof why);
    while (n < 0 && errno == EINTR);
    return n == (ssize_t)sizeof why ? error_of(why) : 0;
}

static struct spawn *add(struct spawns *all, pid_t pid, void *user)
{
    struct spawn *p = mem_new(sizeof *p);
    *p = (struct spawn){.all = all, .after = all->first, .pid = pid, .user = user};
    if (all->first) all->first->before = p;
    all->first = p;
    all->count++;
    return p;
}

static int run(struct spawns *all, struct start *s, void *user, struct spawn **out)
{
    pid_t pid = fork_quietly(s);
    if (pid < 0) return MOTH_EIO;
    struct spawn *p = add(all, pid, user);
    int rc = await_program(s);
    if (rc < 0) spawn_free(p);
    else *out = p;
    return rc;
}

int spawn_start(struct spawns *all, const struct spawn_setup *setup, void *user, struct spawn **out)
{
    struct start s = {.program = setup->program ? setup->program : SELF, .argv = setup->argv, .input = -1, .log = -1,
                      .failed = {-1, -1}, .parent = getpid()};
    if (all->count >= SPAWNS_MAX) return MOTH_EFULL;
    s.env = make_environment(setup->env);
    int rc = open_streams(&s, setup->log);
    if (rc == 0) rc = run(all, &s, user, out);
    close_streams(&s);
    return rc;
}

/* --- one of them --- */

void spawn_free(struct spawn *p)
{
    if (!p) return;
    if (!p->has_ended) {
        spawn_signal(p, SIGKILL);
        reap(p, 0);
    }
    if (p->before) p->before->after = p->after;
    else p->all->first = p->after;
    if (p->after) p->after->before = p->before;
    p->all->count--;
    free(p);
}

int spawn_signal(struct spawn *p, int number)
{
    if (p->has_ended || kill(-p->pid, number) < 0) return MOTH_ENOT_FOUND;
    return 0;
}

bool spawn_has_ended(const struct spawn *p, struct spawn_end *out)
{
    if (p->has_ended) *out = p->end;
    return p->has_ended;
}

int spawn_pid(const struct spawn *p)
{
    return (int)p->pid;
}

void *spawn_user(const struct spawn *p)
{
    return p->user;
}
