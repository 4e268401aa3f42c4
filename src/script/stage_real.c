/* stage_real.c -- what a run stands on whose nodes are real: a loop, and a home for it that nobody keeps. */
#include "script/stage_private.h"

#include "base/mem.h"
#include "moth/loop.h"
#include "script/bind_tcp.h"
#include "script/processes.h"
#include "script/scratch.h"

#include <stdlib.h>

#define HOME "home"

struct stage_real {
    struct scratch folder;
    struct moth_loop *loop; /* owned */
    struct stage *stage;    /* borrowed, while it runs */
    void (*turn)(struct stage *s, uint64_t *next_us);
    uint64_t began_us;
};

struct stage_real *stage_real_open(char why[STAGE_WHY_BYTES])
{
    struct stage_real *r = mem_new(sizeof *r);
    char home[SCRATCH_PATH_BYTES + sizeof HOME + 1];
    int rc = scratch_open(&r->folder);
    snprintf(home, sizeof home, "%s/" HOME, r->folder.path);
    if (rc == 0) rc = moth_loop_open(home, &r->loop);
    if (rc == 0) {
        const struct moth_host *host = moth_loop_host(r->loop);
        r->began_us = host->now_us(host->context);
        return r;
    }
    snprintf(why, STAGE_WHY_BYTES, "there is no place for the files of its nodes: %s", moth_error_text(rc));
    stage_real_close(r);
    return NULL;
}

int stage_real_bind(struct stage_real *r, struct runtime *runtime)
{
    int rc = bind_tcp(runtime, moth_loop_transport(r->loop), false);
    return rc < 0 ? rc : processes_open(runtime, r->loop);
}

/* As the imagined clock: from LAB_START_US on. */
uint64_t stage_real_now_us(const struct stage_real *r)
{
    const struct moth_host *host = moth_loop_host(r->loop);
    return LAB_START_US + host->now_us(host->context) - r->began_us;
}

uint64_t stage_real_wall_ms(const struct stage_real *r)
{
    const struct moth_host *host = moth_loop_host(r->loop);
    return host->wall_ms(host->context);
}

/* There is nothing on the wire: this only moves the clock, by which the record goes. */
static void follow_clock(struct stage_real *r)
{
    while (lab_step(r->stage->lab, stage_real_now_us(r))) continue;
}

static uint64_t on_turn(void *owner)
{
    struct stage_real *r = owner;
    uint64_t next_us = UINT64_MAX;
    follow_clock(r);
    r->turn(r->stage, &next_us);
    if (r->stage->is_over) moth_loop_stop(r->loop);
    return next_us == UINT64_MAX ? next_us : next_us - LAB_START_US + r->began_us;
}

/* Processes and folders go with the run, whoever ends it. */
static void on_signal(void *owner, int number)
{
    struct stage_real *r = owner;
    (void)number;
    if (!r->stage->is_over) r->stage->result.text = mem_text("it was interrupted");
    r->stage->is_over = true;
    moth_loop_stop(r->loop);
}

void stage_real_run(struct stage *s, void (*turn)(struct stage *s, uint64_t *next_us))
{
    struct stage_real *r = s->real;
    r->stage = s;
    r->turn = turn;
    moth_loop_on_signal(r->loop, on_signal, r);
    moth_loop_run(r->loop, on_turn, r);
}

void stage_real_close(struct stage_real *r)
{
    if (!r) return;
    moth_loop_close(r->loop);
    scratch_remove(&r->folder);
    free(r);
}
