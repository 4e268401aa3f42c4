/* trial.c -- see trial.h: which runs there are, so many at a time, and what is said of them.
 *
 * Runs are handed out in order and may end in any; each lab is reported when its last seed has ended, in the order of
 * the file. */
#include "trial.h"

#include "base/mem.h"
#include "fail.h"
#include "script/stage.h"
#include "trial_child.h"
#include "trial_trace.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define FAILURES_TOLD 3       /* of one lab, in full */
#define FAILURES_NAMED 20     /* by their seeds */
#define TOLD_BYTES_MAX (1u << 20) /* of what one run prints while others go on, and of all runs of one lab */
#define STATUS_SIGNAL 128     /* and its number: as shells have it */
#define PROGRESS_MS 1000      /* at a terminal; else it is told less often */
#define PROGRESS_RARE_MS 20000

struct ended { /* a run, until all with smaller seeds have ended, too */
    struct ended *after;
    uint64_t seed;
    bool has_passed;
    struct buf said, why;
    size_t left_out;
};

struct lab { /* one entry of a file, with all its seeds */
    const char *file; /* borrowed */
    size_t index;     /* in the file */
    char *name;       /* owned */
    bool is_real;
    unsigned seeds, started, ended, failed;
    struct ended *waiting; /* owned, ascending by seed */
    uint64_t next_seed;    /* the first that is not in `told` */
    unsigned named;        /* failures that are in `told` or in `failed_seeds` */
    uint64_t failed_seeds[FAILURES_NAMED];
    struct buf told;  /* what is to be said when its turn comes */
    size_t left_out;  /* bytes that did not fit there */
    double seconds;   /* of its runs together */
    uint64_t virtual_us, events;
};

struct slot { /* one run */
    struct child child;
    struct lab *lab; /* NULL: free */
    uint64_t seed;
    FILE *traces[2]; /* owned; with --check-determinism */
    bool is_second;
    struct trial_outcome first;
    struct buf said; /* what it printed and nobody has seen yet */
    size_t left_out;
    double began;
};

struct trial {
    const struct options *o;
    struct lab *labs;
    size_t count, told; /* labs, and those that have been reported */
    struct slot *slots;
    unsigned slot_count;
    double shown_ms;    /* when progress was shown last */
    bool has_line;      /* a line of progress stands on the terminal */
    unsigned passed, failed;
};

static volatile sig_atomic_t stopped_by; /* a signal */

static void on_signal(int number)
{
    stopped_by = number;
}

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* --- what there is to run --- */

static void add_lab(struct trial *t, const char *file, size_t index, struct stage_entry entry)
{
    const struct options_lab *o = &t->o->lab;
    if (o->only && strcmp(o->only, entry.name) != 0) return;
    unsigned seeds = o->seeds ? o->seeds : o->has_seed ? 1 : entry.seeds;
    t->labs = mem_resize(t->labs, t->count + 1, sizeof *t->labs);
    t->labs[t->count++] = (struct lab){.file = file, .index = index, .name = mem_text(entry.name), .seeds = seeds,
                                       .is_real = entry.is_real, .next_seed = o->seed};
}

static int read_file(struct trial *t, const char *file)
{
    char why[STAGE_WHY_BYTES];
    struct stage_setup setup = {.file = file};
    struct stage *s = stage_open(&setup, why);
    if (!s) return fail(EXIT_FAILURE, "%s: %s", file, why);
    for (size_t i = 0; i < stage_count(s); i++) add_lab(t, file, i, stage_entry(s, i));
    stage_close(s);
    return 0;
}

static int read_files(struct trial *t)
{
    const struct options *o = t->o;
    for (size_t i = 0; i < o->loads; i++) {
        int status = read_file(t, o->load[i]);
        if (status != 0) return status;
    }
    if (t->count > 0) return 0;
    return fail(EXIT_FAILURE, "--only: there is no lab and no test named %s", o->lab.only);
}

/* --- what is said --- */

static void clear_progress(struct trial *t)
{
    if (t->has_line) fputs("\r\033[K", stderr);
    t->has_line = false;
}

static const struct lab *first_running(const struct trial *t)
{
    for (size_t i = t->told; i < t->count; i++)
        if (t->labs[i].ended < t->labs[i].seeds) return &t->labs[i];
    return NULL;
}

static void show_progress(struct trial *t)
{
    bool is_terminal = isatty(STDERR_FILENO);
    double now_ms = now_s() * 1000;
    const struct lab *lab = first_running(t);
    if (!lab || now_ms - t->shown_ms < (is_terminal ? PROGRESS_MS : PROGRESS_RARE_MS)) return;
    t->shown_ms = now_ms;
    clear_progress(t);
    fprintf(stderr, "  %.40s: %u of %u seeds, %u failed%s", lab->name, lab->ended, lab->seeds, lab->failed,
            is_terminal ? "" : "\n");
    fflush(stderr);
    t->has_line = is_terminal;
}

/* Those that were not told in full. */
static void name_seeds(const struct lab *lab)
{
    if (lab->named <= FAILURES_TOLD) return;
    printf("failed as well: seed");
    for (unsigned i = FAILURES_TOLD; i < lab->named && i < FAILURES_NAMED; i++)
        printf("%s %" PRIu64, i > FAILURES_TOLD ? "," : "", lab->failed_seeds[i]);
    if (lab->named > FAILURES_NAMED) printf(" and %u more", lab->named - FAILURES_NAMED);
    printf("\n");
}

static void tell_lab(struct trial *t, struct lab *lab)
{
    char seeds[64] = "";
    struct span told = buf_span(&lab->told);
    clear_progress(t);
    if (lab->seeds > 1 && lab->failed > 0) snprintf(seeds, sizeof seeds, " (%u of %u seeds)", lab->failed, lab->seeds);
    else if (lab->seeds > 1) snprintf(seeds, sizeof seeds, " (%u seeds)", lab->seeds);
    fwrite(told.data, 1, told.bytes, stdout);
    if (lab->left_out > 0) printf("\n(%zu bytes of output were left out)\n", lab->left_out);
    name_seeds(lab);
    printf("%s %s%s  %.1f s", lab->failed ? "FAILED" : "ok    ", lab->name, seeds, lab->seconds);
    if (lab->is_real) printf("\n");
    else printf(", %.1f s virtual\n", (double)lab->virtual_us / 1e6);
    fflush(stdout);
    if (lab->failed) t->failed++;
    else t->passed++;
}

static void tell_ended(struct trial *t)
{
    for (; t->told < t->count && t->labs[t->told].ended == t->labs[t->told].seeds; t->told++)
        tell_lab(t, &t->labs[t->told]);
}

/* --- runs --- */

static void start(struct trial *t, struct slot *slot)
{
    struct trial_order order = {.file = slot->lab->file, .index = slot->lab->index, .seed = slot->seed,
                                .is_real = slot->lab->is_real, .trace = slot->traces[slot->is_second]};
    slot->began = now_s();
    if (child_start(&slot->child, &order) == 0) return;
    clear_progress(t);
    exit(fail(EXIT_FAILURE, "no process can be started: %s", strerror(errno)));
}

static bool start_next(struct trial *t, struct slot *slot)
{
    for (size_t i = t->told; i < t->count; i++) {
        struct lab *lab = &t->labs[i];
        if (lab->started == lab->seeds) continue;
        *slot = (struct slot){.lab = lab, .seed = t->o->lab.seed + lab->started++};
        for (int k = 0; t->o->lab.is_twice && !lab->is_real && k < 2; k++) {
            slot->traces[k] = tmpfile();
            if (!slot->traces[k]) exit(fail(EXIT_FAILURE, "no file for the trace: %s", strerror(errno)));
        }
        start(t, slot);
        return true;
    }
    return false;
}

static void add_text(struct buf *out, const char *text, size_t bytes)
{
    buf_add(out, text, bytes);
    if (bytes > 0 && text[bytes - 1] != '\n') buf_add(out, "\n", 1);
}

/* A failure is told in full or named. */
static void add_failure(struct lab *lab, const struct ended *e)
{
    struct span why = buf_span(&e->why);
    char head[64];
    if (lab->named < FAILURES_NAMED) lab->failed_seeds[lab->named] = e->seed;
    if (lab->named++ >= FAILURES_TOLD) return;
    int n = snprintf(head, sizeof head, "seed %" PRIu64 ": ", e->seed);
    buf_add(&lab->told, head, (size_t)n);
    add_text(&lab->told, (const char *)why.data, why.bytes);
}

/* Cut off at the same byte whatever pieces it comes in. Returns how much is left out. */
static size_t add_bounded(struct buf *to, struct span said)
{
    size_t used = buf_bytes(to), room = used < TOLD_BYTES_MAX ? TOLD_BYTES_MAX - used : 0;
    size_t bytes = said.bytes < room ? said.bytes : room;
    buf_add(to, said.data, bytes);
    return said.bytes - bytes;
}

static void ended_free(struct ended *e)
{
    buf_fini(&e->said);
    buf_fini(&e->why);
    free(e);
}

/* Runs end in any order, and are told in that of their seeds: it does not show how many ran at a time. */
static void add_ended(struct lab *lab, bool with_gaps)
{
    while (lab->waiting && (with_gaps || lab->waiting->seed == lab->next_seed)) {
        struct ended *e = lab->waiting;
        lab->waiting = e->after;
        lab->next_seed = e->seed + 1;
        lab->left_out += e->left_out + add_bounded(&lab->told, buf_span(&e->said));
        if (!e->has_passed) add_failure(lab, e);
        ended_free(e);
    }
}

static void keep_ended(struct slot *slot)
{
    struct ended *e = mem_new(sizeof *e), **at = &slot->lab->waiting;
    *e = (struct ended){.seed = slot->seed, .has_passed = slot->child.outcome.has_passed, .said = slot->said,
                        .why = slot->child.outcome.text, .left_out = slot->left_out};
    slot->said = slot->child.outcome.text = (struct buf){0};
    while (*at && (*at)->seed < e->seed) at = &(*at)->after;
    e->after = *at;
    *at = e;
}

/* What it printed comes at once when there is nothing that it could be mixed up with. */
static void pass_on(struct trial *t, struct slot *slot)
{
    struct span said = buf_span(&slot->child.said);
    bool is_first = slot->lab == &t->labs[t->told] && slot->lab->seeds == 1;
    if (said.bytes > 0 && !slot->is_second) slot->left_out += add_bounded(&slot->said, said);
    buf_consume(&slot->child.said, said.bytes);
    if (!is_first || buf_bytes(&slot->said) == 0) return;
    clear_progress(t);
    fwrite(buf_span(&slot->said).data, 1, buf_bytes(&slot->said), stdout);
    buf_consume(&slot->said, buf_bytes(&slot->said));
    fflush(stdout);
}

static void add_quoted(struct buf *out, const char *text)
{
    static const char plain[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ._/+-";
    if (text[0] != '\0' && text[strspn(text, plain)] == '\0') {
        buf_add(out, text, strlen(text));
        return;
    }
    buf_add(out, "'", 1);
    for (; *text != '\0'; text++) buf_add(out, *text == '\'' ? "'\\''" : text, *text == '\'' ? 4 : 1);
    buf_add(out, "'", 1);
}

/* The command that shows it again; a run that comes to its end says so itself, see report.lua. */
static void add_again(struct buf *out, const struct slot *slot, const char *options)
{
    char head[96];
    const char *name = slot->lab->name, *file = slot->lab->file;
    int n = snprintf(head, sizeof head, "  again: moth lab --seed %" PRIu64 "%s --only%s", slot->seed, options,
                     name[0] == '-' ? "=" : " ");
    if (buf_bytes(out) > 0 && buf_span(out).data[buf_bytes(out) - 1] != '\n') buf_add(out, "\n", 1);
    buf_add(out, head, (size_t)n);
    add_quoted(out, name);
    buf_add(out, file[0] == '-' ? " ./" : " ", file[0] == '-' ? 3 : 1);
    add_quoted(out, file);
}

/* Both have run: the same must have happened. */
static void compare(struct slot *slot)
{
    struct trial_outcome *o = &slot->child.outcome;
    if (!slot->is_second || !o->has_passed) return;
    bool is_same = o->hash == slot->first.hash && trace_is_same(slot->traces[0], slot->traces[1]);
    if (is_same) return;
    o->has_passed = false;
    buf_consume(&o->text, buf_bytes(&o->text));
    trace_tell_difference(slot->traces[0], slot->traces[1], &o->text);
    add_again(&o->text, slot, " --check-determinism");
}

static void end(struct slot *slot)
{
    struct lab *lab = slot->lab;
    struct trial_outcome *o = &slot->child.outcome;
    lab->ended++;
    lab->failed += !o->has_passed;
    lab->virtual_us += o->virtual_us;
    lab->events += o->events;
    if (!o->has_result) add_again(&o->text, slot, "");
    keep_ended(slot);
    add_ended(lab, false);
    for (int k = 0; k < 2; k++)
        if (slot->traces[k]) fclose(slot->traces[k]);
    buf_fini(&slot->first.text);
    child_fini(&slot->child);
    slot->lab = NULL;
}

static void start_second(struct trial *t, struct slot *slot)
{
    slot->first = slot->child.outcome;
    slot->child.outcome.text = (struct buf){0};
    child_fini(&slot->child);
    slot->is_second = true;
    start(t, slot);
}

static void take(struct trial *t, struct slot *slot)
{
    bool has_ended = child_read(&slot->child);
    pass_on(t, slot);
    if (!has_ended) return;
    slot->lab->seconds += now_s() - slot->began;
    if (t->o->lab.is_twice && !slot->lab->is_real && !slot->is_second) { /* reality does not repeat */
        start_second(t, slot);
        return;
    }
    compare(slot);
    end(slot);
    tell_ended(t);
}

/* --- all of them --- */

static void wait_for_some(struct trial *t)
{
    struct pollfd fds[OPTIONS_JOBS_MAX];
    for (unsigned i = 0; i < t->slot_count; i++)
        fds[i] = (struct pollfd){.fd = t->slots[i].lab ? t->slots[i].child.fd : -1, .events = POLLIN};
    if (poll(fds, t->slot_count, PROGRESS_MS) < 0) return;
    for (unsigned i = 0; i < t->slot_count; i++)
        if (fds[i].revents) take(t, &t->slots[i]);
}

static void watch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

/* What has been told stays told. */
static int stop_all(struct trial *t)
{
    clear_progress(t);
    for (size_t i = t->told; i < t->count; i++) {
        add_ended(&t->labs[i], true);
        struct span told = buf_span(&t->labs[i].told);
        fwrite(told.data, 1, told.bytes, stdout);
        t->failed += t->labs[i].failed > 0;
    }
    for (unsigned i = 0; i < t->slot_count; i++)
        fwrite(buf_span(&t->slots[i].said).data, 1, buf_bytes(&t->slots[i].said), stdout);
    fflush(stdout);
    for (unsigned i = 0; i < t->slot_count; i++)
        if (t->slots[i].lab) child_stop(&t->slots[i].child);
    return fail(STATUS_SIGNAL + stopped_by, "interrupted: %u passed, %u failed so far", t->passed, t->failed);
}

static void run_all(struct trial *t)
{
    t->shown_ms = now_s() * 1000;
    while (t->told < t->count && !stopped_by) {
        for (unsigned i = 0; i < t->slot_count; i++)
            if (!t->slots[i].lab && !start_next(t, &t->slots[i])) break;
        wait_for_some(t);
        show_progress(t);
    }
}

static unsigned default_jobs(void)
{
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count < 1 ? 1 : count > OPTIONS_JOBS_MAX ? OPTIONS_JOBS_MAX : (unsigned)count;
}

static void trial_fini(struct trial *t)
{
    for (size_t i = 0; i < t->count; i++) {
        free(t->labs[i].name);
        buf_fini(&t->labs[i].told);
    }
    for (unsigned i = 0; i < t->slot_count; i++) buf_fini(&t->slots[i].said);
    free(t->labs);
    free(t->slots);
}

int trial_run(const struct options *o)
{
    struct trial t = {.o = o, .slot_count = o->lab.jobs ? o->lab.jobs : default_jobs()};
    t.slots = mem_array(t.slot_count, sizeof *t.slots);
    int status = read_files(&t);
    if (status == 0) {
        watch_signals();
        run_all(&t);
    }
    if (stopped_by) {
        status = stop_all(&t);
    } else if (status == 0) {
        printf("%u passed, %u failed\n", t.passed, t.failed);
        status = t.failed > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
        if (fflush(stdout) != 0 || ferror(stdout)) status = fail(EXIT_FAILURE, "the output could not be written");
    }
    trial_fini(&t);
    return status;
}
