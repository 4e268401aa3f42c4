/* ledger.c -- the trouble of ledger.h: who is killed when, which line breaks, and how it all ends.
 *
 * Everything due has a moment; a loop of short turns does what is due. The seed decides what is done; the moments are
 * real, so no two runs are the same. Senders are stopped before receivers: no promise can come after the verdict. */
#include "ledger.h"

#include "folder.h"
#include "ledger_book.h"
#include "ledger_node.h"
#include "patience.h"
#include "proxy.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NEVER INT64_MAX
#define PATH_BYTES 512
#define TURN_MS 5
#define START_MS 10000  /* until all have opened their homes for the first time */
#define SETTLE_MS 45000 /* until something of what was promised arrives */
#define STOP_MS 15000   /* until an actor has left */
#define AWAY_MS 300     /* the longest time between a kill and the next life */
#define NEWBORN_MS 20   /* the age at which some are killed again */
#define FAIR_MS 3000    /* between two partitions, at most; at least half of it */
#define FOUL_MS 3500    /* how long one lasts, at most: longer than a dead link takes to be noticed */
#define TELL_KILLS 50

struct actor {
    pid_t pid; /* 0: away */
    unsigned life;
    int64_t start_at_ms, kill_at_ms;
    struct proxy line; /* with bad lines: its way to r */
    char home[PATH_BYTES];
};

struct ledger {
    const struct ledger_plan *plan;
    struct ledger_verdict *verdict;
    struct actor actors[LEDGER_ACTORS];
    struct ledger_shared *shared;
    uint64_t random;
    unsigned relay_port;
    int file;
    char path[PATH_BYTES];
    int64_t round_at_ms, weather_at_ms, start_ms;
    bool is_foul;
    uint64_t missing; /* promised, and not arrived when last looked */
};

static struct ledger run = {.file = -1};

static void complain(struct ledger *l, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void complain(struct ledger *l, const char *format, ...)
{
    va_list values;
    if (l->verdict->complaint[0]) return; /* the first one is the cause */
    va_start(values, format);
    vsnprintf(l->verdict->complaint, sizeof l->verdict->complaint, format, values);
    va_end(values);
}

/* --- chance --- */

static uint64_t draw(struct ledger *l)
{
    uint64_t z = l->random += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static int between(struct ledger *l, int low, int high)
{
    return low + (int)(draw(l) % (uint64_t)(high - low + 1));
}

static bool one_in(struct ledger *l, int n)
{
    return between(l, 1, n) == 1;
}

/* --- lives --- */

static void live(struct ledger *l, enum ledger_actor i, pid_t parent)
{
    const struct actor *a = &l->actors[i];
    struct ledger_role role = {.actor = i, .home = a->home, .life = a->life, .ledger = l->file, .shared = l->shared};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(0); /* the parent died before the line above */
    if (i == LEDGER_R) role.listen_port = l->relay_port;
    if (i != LEDGER_R) role.dial_port = a->line.pid > 0 ? a->line.port : l->relay_port;
    ledger_live(&role);
}

static void start_actor(struct ledger *l, enum ledger_actor i)
{
    struct actor *a = &l->actors[i];
    pid_t parent = getpid(), pid;
    a->life++;
    a->start_at_ms = NEVER;
    l->shared->actors[i].is_resting = false;
    if ((pid = fork()) < 0) fail_msg("fork: %s", strerror(errno));
    if (pid == 0) live(l, i, parent);
    a->pid = pid;
}

static void judge_end(struct ledger *l, enum ledger_actor i, int status, bool was_killed)
{
    if (was_killed && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) return;
    if (!was_killed && WIFEXITED(status) && WEXITSTATUS(status) == 0 && l->shared->actors[i].mood == LEDGER_LEAVING)
        return;
    complain(l, "%s ended by itself, with %s %d", ledger_names[i], WIFSIGNALED(status) ? "signal" : "status",
             WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

static void kill_actor(struct ledger *l, enum ledger_actor i)
{
    struct actor *a = &l->actors[i];
    int status = 0;
    a->kill_at_ms = NEVER;
    if (a->pid == 0) return;
    kill(a->pid, SIGKILL);
    waitpid(a->pid, &status, 0);
    a->pid = 0;
    a->start_at_ms = patience_now_ms() + (one_in(l, 4) ? 0 : between(l, 0, AWAY_MS));
    judge_end(l, i, status, true);
    if (++l->verdict->kills % TELL_KILLS > 0) return;
    print_message("%u kills after %lld s\n", l->verdict->kills, (long long)(patience_now_ms() - l->start_ms) / 1000);
    fflush(stdout);
}

/* True while it lives. */
static bool look_after(struct ledger *l, enum ledger_actor i)
{
    struct actor *a = &l->actors[i];
    int status;
    if (a->pid == 0) return false;
    if (waitpid(a->pid, &status, WNOHANG) != a->pid) return true;
    a->pid = 0;
    judge_end(l, i, status, false);
    return false;
}

/* --- trouble --- */

static void doom(struct ledger *l, enum ledger_actor i, int within_ms)
{
    if (!(l->plan->spared >> i & 1)) l->actors[i].kill_at_ms = patience_now_ms() + between(l, 0, within_ms);
}

static enum ledger_actor anybody(struct ledger *l)
{
    return (enum ledger_actor)between(l, 0, LEDGER_ACTORS - 1);
}

/* Mostly one; sometimes several, sometimes the carrier and one it carries for, at the same moment. */
static void plan_round(struct ledger *l)
{
    int kind = between(l, 0, 9);
    if (kind == 0) doom(l, anybody(l), 0);
    if (kind <= 1) doom(l, anybody(l), 0);
    if (kind == 2 || kind == 3) {
        doom(l, LEDGER_R, 0);
        doom(l, one_in(l, 2) ? LEDGER_E1 : LEDGER_E2, 0);
    } else {
        doom(l, anybody(l), 0);
    }
    l->round_at_ms = patience_now_ms() + between(l, l->plan->pause_ms / 8, l->plan->pause_ms);
}

static void do_due(struct ledger *l)
{
    int64_t now_ms = patience_now_ms();
    for (enum ledger_actor i = 0; i < LEDGER_ACTORS; i++) {
        struct actor *a = &l->actors[i];
        if (a->kill_at_ms <= now_ms) kill_actor(l, i);
        if (a->start_at_ms > now_ms) continue;
        start_actor(l, i);
        if (one_in(l, 8)) doom(l, i, NEWBORN_MS);
    }
}

static void break_line(struct ledger *l, const struct proxy *p)
{
    switch (between(l, 0, 4)) {
    case 0: proxy_cut(p); break;
    case 1: proxy_stall(p, PROXY_BOTH); break;
    case 2: proxy_stall(p, PROXY_THERE); break;
    case 3: proxy_stall(p, PROXY_BACK); break;
    default: proxy_delay(p, between(l, 20, 200));
    }
}

static void heal_lines(struct ledger *l)
{
    for (enum ledger_actor i = 0; i < LEDGER_ACTORS; i++)
        if (l->actors[i].line.pid > 0) proxy_pass(&l->actors[i].line);
    l->is_foul = false;
}

/* At least one line breaks, each in its own way. */
static void break_lines(struct ledger *l)
{
    enum ledger_actor first = (enum ledger_actor)between(l, LEDGER_E1, LEDGER_S2);
    for (enum ledger_actor i = LEDGER_E1; i <= LEDGER_S2; i++)
        if (i == first || one_in(l, 3)) break_line(l, &l->actors[i].line);
    l->is_foul = true;
    l->verdict->partitions++;
}

static void turn_weather(struct ledger *l)
{
    if (l->is_foul) heal_lines(l);
    else break_lines(l);
    l->weather_at_ms =
        patience_now_ms() + (l->is_foul ? between(l, FOUL_MS / 8, FOUL_MS) : between(l, FAIR_MS / 2, FAIR_MS));
}

static void take_turn(struct ledger *l)
{
    const struct timespec turn = {0, TURN_MS * 1000000};
    do_due(l);
    for (enum ledger_actor i = 0; i < LEDGER_ACTORS; i++) look_after(l, i);
    nanosleep(&turn, NULL);
}

static void cause_trouble(struct ledger *l)
{
    int64_t end_ms = patience_deadline(l->plan->seconds * 1000);
    l->round_at_ms = patience_now_ms();
    l->weather_at_ms = l->plan->bad_lines ? patience_now_ms() : NEVER;
    while (l->verdict->kills < l->plan->kills && patience_now_ms() < end_ms && !l->verdict->complaint[0]) {
        if (patience_now_ms() >= l->round_at_ms) plan_round(l);
        if (patience_now_ms() >= l->weather_at_ms) turn_weather(l);
        take_turn(l);
    }
}

/* --- the beginning and the end --- */

/* Takes turns until it is so, something went wrong, or nothing more arrived for so long: a heap of mail may take its
 * time as long as it shrinks. */
static bool wait_until(struct ledger *l, bool (*is_so)(struct ledger *l, struct book *b), struct book *b, int ms)
{
    uint64_t fewest = UINT64_MAX;
    int64_t end_ms = 0;
    while (!is_so(l, b)) {
        if (l->missing < fewest) end_ms = patience_deadline(ms);
        if (l->missing < fewest) fewest = l->missing;
        if (patience_now_ms() >= end_ms || l->verdict->complaint[0]) return false;
        take_turn(l);
    }
    return true;
}

static bool all_are_known(struct ledger *l, struct book *b)
{
    (void)b;
    for (int i = 0; i < LEDGER_ACTORS; i++)
        if (!l->shared->actors[i].is_known) return false;
    return true;
}

static bool all_has_arrived(struct ledger *l, struct book *b)
{
    if (!book_read(b)) complain(l, "the ledger cannot be read");
    l->missing = book_missing(b);
    return l->missing == 0;
}

static bool senders_rest_and_all_has_arrived(struct ledger *l, struct book *b)
{
    bool rest = l->shared->actors[LEDGER_S1].is_resting && l->shared->actors[LEDGER_S2].is_resting;
    return all_has_arrived(l, b) && rest;
}

static void heal(struct ledger *l)
{
    heal_lines(l);
    for (enum ledger_actor i = 0; i < LEDGER_ACTORS; i++) {
        l->actors[i].kill_at_ms = NEVER;
        if (l->actors[i].pid == 0) start_actor(l, i);
    }
    l->shared->actors[LEDGER_S1].mood = l->shared->actors[LEDGER_S2].mood = LEDGER_RESTING;
}

static void stop_actors(struct ledger *l, enum ledger_actor first, enum ledger_actor last)
{
    const struct timespec turn = {0, TURN_MS * 1000000};
    int64_t end_ms = patience_deadline(STOP_MS);
    for (enum ledger_actor i = first; i <= last; i++) l->shared->actors[i].mood = LEDGER_LEAVING;
    for (enum ledger_actor i = first; i <= last; i++)
        while (look_after(l, i)) {
            if (patience_now_ms() >= end_ms) {
                complain(l, "%s did not leave when asked", ledger_names[i]);
                kill_actor(l, i);
            }
            nanosleep(&turn, NULL);
        }
}

static struct book *open_book(struct ledger *l)
{
    struct book *b = book_open(l->path);
    for (int i = 0; i < LEDGER_ACTORS; i++) book_name(b, ledger_names[i], &l->shared->actors[i].id);
    return b;
}

static void read_inboxes(struct ledger *l, struct book *b)
{
    for (enum ledger_actor i = LEDGER_E1; i <= LEDGER_E2; i++)
        if (!book_read_inbox(b, ledger_names[i], l->actors[i].home))
            complain(l, "the inbox of %s cannot be read", ledger_names[i]);
}

/* From here on nobody is killed. No process is forked while the book is open: SQLite does not travel. */
static void settle(struct ledger *l)
{
    heal(l);
    struct book *b = open_book(l);
    int64_t start_ms = patience_now_ms();
    if (wait_until(l, senders_rest_and_all_has_arrived, b, SETTLE_MS))
        print_message("all had arrived %lld ms after the last trouble\n", (long long)(patience_now_ms() - start_ms));
    stop_actors(l, LEDGER_S1, LEDGER_S2);
    wait_until(l, all_has_arrived, b, STOP_MS);
    stop_actors(l, LEDGER_R, LEDGER_E2);
    if (!book_read(b)) complain(l, "the ledger cannot be read");
    read_inboxes(l, b);
    book_judge(b, l->verdict);
    book_print_missing(b);
    book_close(b);
}

/* A fixed port outside those the kernel gives to whoever dials: while r is away, nobody may sit down on its place. Not
 * of the seed, for two ledgers may run at the same time. */
static unsigned choose_port(void)
{
    for (unsigned i = 0; i < 1000; i++) {
        unsigned port = 20000 + ((unsigned)getpid() * 7 + i) % 12000;
        struct sockaddr_in where = {
            .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        bool is_free = fd >= 0 && bind(fd, (const struct sockaddr *)&where, sizeof where) == 0;
        if (fd >= 0) close(fd);
        if (is_free) return port;
    }
    fail_msg("no port is free");
    return 0;
}

static void prepare(struct ledger *l)
{
    snprintf(l->path, sizeof l->path, "%s", folder_new_path("ledger"));
    l->file = open(l->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (l->file < 0) fail_msg("cannot make %s: %s", l->path, strerror(errno));
    l->shared = mmap(NULL, sizeof *l->shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (l->shared == MAP_FAILED) fail_msg("no shared memory: %s", strerror(errno));
    l->relay_port = choose_port();
    for (enum ledger_actor i = 0; i < LEDGER_ACTORS; i++) {
        struct actor *a = &l->actors[i];
        snprintf(a->home, sizeof a->home, "%s", folder_new_path(ledger_names[i]));
        a->start_at_ms = 0;
        a->kill_at_ms = NEVER;
        if (l->plan->bad_lines && i != LEDGER_R) a->line = proxy_start(0, l->relay_port);
    }
}

void ledger_run(const struct ledger_plan *plan, struct ledger_verdict *out)
{
    memset(out, 0, sizeof *out);
    run = (struct ledger){.plan = plan, .verdict = out, .random = plan->seed, .file = -1};
    run.start_ms = patience_now_ms();
    prepare(&run);
    if (!wait_until(&run, all_are_known, NULL, START_MS)) complain(&run, "not all could start");
    cause_trouble(&run);
    settle(&run);
}

bool ledger_is_clean(const struct ledger_verdict *v)
{
    return v->lost == 0 && v->duplicated == 0 && v->reused == 0 && v->mixed == 0 && v->complaint[0] == '\0';
}

void ledger_print(const struct ledger_verdict *v)
{
    if (v->reused > 0) print_message("%llu ids were given twice\n", (unsigned long long)v->reused);
    if (v->mixed > 0) print_message("%llu messages were mixed up\n", (unsigned long long)v->mixed);
    if (v->complaint[0]) print_message("%s\n", v->complaint);
    if (v->partitions > 0) print_message("partitions %u\n", v->partitions);
    print_message("kills %u, promised %llu, lost %llu, duplicated %llu, redelivered %llu\n", v->kills,
                  (unsigned long long)v->promised, (unsigned long long)v->lost, (unsigned long long)v->duplicated,
                  (unsigned long long)v->redelivered);
    fflush(stdout);
}

int ledger_cleanup(void **state)
{
    for (enum ledger_actor i = 0; i < LEDGER_ACTORS; i++) {
        if (run.actors[i].pid <= 0) continue;
        kill(run.actors[i].pid, SIGKILL);
        waitpid(run.actors[i].pid, NULL, 0);
        run.actors[i].pid = 0;
    }
    if (run.shared) munmap(run.shared, sizeof *run.shared);
    run.shared = NULL;
    if (run.file >= 0) close(run.file);
    run.file = -1;
    proxy_cleanup(state);
    folder_remove();
    return 0;
}
