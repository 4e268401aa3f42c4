/* jobs.c -- what programs want to be done at a time: kept on the disk, listed from memory.
 *
 * Who put them watches the clock; here they are only kept. Their arguments stay on the disk. Ids are drawn from those
 * of messages, so none comes twice, whatever is dropped, lost or started again. */
#include "node/hub.h"

#include "base/mem.h"

#include <stdlib.h>

#define MS_MAX ((uint64_t)INT64_MAX)

enum { NAME, ARGUMENTS }; /* the blobs of STORE_JOB */

/* --- the list --- */

/* Where the job of that id stands, or would. */
static size_t place_of(const struct data *d, uint64_t id)
{
    size_t low = 0, high = d->job_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (d->jobs[middle]->id < id) low = middle + 1;
        else high = middle;
    }
    return low;
}

static struct job *find(const struct data *d, uint64_t id)
{
    size_t at = place_of(d, id);
    return at < d->job_count && d->jobs[at]->id == id ? d->jobs[at] : NULL;
}

static struct job *add(struct data *d, uint64_t id, uint64_t due_ms, struct slice name, size_t bytes)
{
    struct job *job = mem_new(sizeof *job);
    size_t at = place_of(d, id);
    if (d->job_count == d->job_capacity) {
        d->job_capacity = d->job_capacity ? d->job_capacity * 2 : 16;
        d->jobs = mem_resize(d->jobs, d->job_capacity, sizeof *d->jobs);
    }
    memmove(d->jobs + at + 1, d->jobs + at, (d->job_count - at) * sizeof *d->jobs);
    d->jobs[at] = job;
    d->job_count++;
    job->id = id;
    job->due_ms = due_ms;
    job->bytes = bytes;
    put_bytes((uint8_t *)job->name, name.data, name.bytes);
    return job;
}

static void forget(struct data *d, struct job *job)
{
    size_t at = place_of(d, job->id);
    d->job_count--;
    memmove(d->jobs + at, d->jobs + at + 1, (d->job_count - at) * sizeof *d->jobs);
    free(job);
}

static uint64_t bytes_of(const struct job *job)
{
    return strlen(job->name) + job->bytes;
}

size_t jobs_count(const struct moth_node *n)
{
    return n->data.job_count - n->data.dropped;
}

/* --- putting and dropping --- */

static void stage(struct data *d, struct job *job)
{
    job->next_staged = d->staged_jobs;
    d->staged_jobs = job;
}

static void on_written(void *owner, const struct store_write *w)
{
    struct moth_node *n = owner;
    struct job *job = find(&n->data, (uint64_t)w->numbers[0]);
    if (job) job->write = NULL;
}

static int check_put(const struct moth_node *n, const struct moth_job *job)
{
    if (n->in_hook) return MOTH_EPERMISSION;
    if (!data_word_is_valid(job->name) || job->due_ms > MS_MAX) return MOTH_EARGUMENT;
    if (job->arguments.bytes > MOTH_VALUE_MAX) return MOTH_ETOO_BIG;
    if (jobs_count(n) >= n->limits[MOTH_LIMIT_JOBS]) return MOTH_EFULL;
    if (!data_fits(n, strlen(job->name) + job->arguments.bytes)) return MOTH_EFULL;
    return store_room(&n->store);
}

int moth_job_put(struct moth_node *n, const struct moth_job *given, uint64_t *id)
{
    int rc = check_put(n, given);
    if (rc == 0 && reserve_next_id(&n->reserve, id) < 0) rc = MOTH_ESTORE;
    if (rc < 0) return rc;
    const struct moth_bytes *a = &given->arguments;
    struct slice blobs[] = {slice_text(given->name), a->data ? slice_of(a->data, a->bytes) : slice_of("", 0)};
    int64_t numbers[] = {(int64_t)*id, (int64_t)given->due_ms};
    struct job *job = add(&n->data, *id, given->due_ms, blobs[NAME], blobs[ARGUMENTS].bytes);
    job->write = store_write_new(STORE_JOB, numbers, 2, blobs, 2);
    job->write->done = on_written;
    job->is_new = true;
    stage(&n->data, job);
    data_gathered(n, job->write);
    n->data.bytes += bytes_of(job);
    data_settle(n);
    return 0;
}

/* NULL: there is none, or none any more. */
static struct job *find_live(const struct moth_node *n, uint64_t id)
{
    struct job *job = find(&n->data, id);
    return job && !job->is_dropped ? job : NULL;
}

int moth_job_drop(struct moth_node *n, uint64_t id)
{
    struct job *job = find_live(n, id);
    if (n->in_hook) return MOTH_EPERMISSION;
    if (!job) return MOTH_ENOT_FOUND;
    job->is_dropped = true;
    n->data.dropped++;
    n->data.bytes -= bytes_of(job);
    if (!job->is_new) stage(&n->data, job);
    data_settle(n);
    return 0;
}

/* --- batches --- */

static struct job *take_staged(struct data *d)
{
    struct job *job = d->staged_jobs;
    if (job) d->staged_jobs = job->next_staged;
    return job;
}

static void write_drop(struct moth_node *n, const struct job *job)
{
    int64_t id = (int64_t)job->id;
    store_write(&n->store, store_write_new(STORE_JOB_DROP, &id, 1, NULL, 0));
}

void jobs_write_staged(struct moth_node *n)
{
    for (struct job *job; (job = take_staged(&n->data));) {
        if (job->is_new && job->is_dropped) free(job->write);
        else if (job->is_new) store_write(&n->store, job->write);
        else write_drop(n, job);
        job->is_new = false;
        if (!job->is_dropped) continue;
        n->data.dropped--;
        forget(&n->data, job);
    }
}

void jobs_forget_staged(struct moth_node *n)
{
    for (struct job *job; (job = take_staged(&n->data));) {
        if (job->is_dropped) n->data.dropped--;
        job->is_dropped = false;
        if (!job->is_new) continue;
        free(job->write);
        forget(&n->data, job);
    }
}

/* --- asking --- */

static struct moth_job job_of(const struct job *job)
{
    return (struct moth_job){.id = job->id, .due_ms = job->due_ms, .name = job->name};
}

size_t moth_jobs(const struct moth_node *n, struct moth_job *out, size_t capacity)
{
    size_t count = 0;
    for (size_t i = 0; i < n->data.job_count; i++) {
        if (n->data.jobs[i]->is_dropped) continue;
        if (count < capacity) out[count] = job_of(n->data.jobs[i]);
        count++;
    }
    return count;
}

struct giving {
    const struct job *job;
    void (*take)(void *context, const struct moth_job *job);
    void *context;
};

static void give(void *context, struct slice arguments)
{
    const struct giving *g = context;
    struct moth_job job = job_of(g->job);
    job.arguments = (struct moth_bytes){arguments.data ? arguments.data : (const uint8_t *)"", arguments.bytes};
    g->take(g->context, &job);
}

int moth_job_get(struct moth_node *n, uint64_t id, void (*take)(void *context, const struct moth_job *job),
                 void *context)
{
    struct giving giving = {find_live(n, id), take, context};
    if (!giving.job) return MOTH_ENOT_FOUND;
    if (!giving.job->write) return data_answer(n, store_job_arguments(&n->store, (int64_t)id, give, &giving));
    give(&giving, giving.job->write->blobs[ARGUMENTS]);
    return 0;
}

/* --- opening and closing --- */

static bool load_one(void *context, int64_t id, uint64_t due_ms, struct slice name, struct slice arguments)
{
    struct data *d = context;
    if (name.bytes <= MOTH_SPACE_MAX) add(d, (uint64_t)id, due_ms, name, arguments.bytes);
    return true;
}

int jobs_load(struct moth_node *n)
{
    return store_job_each(&n->store, load_one, &n->data);
}

void jobs_close(struct moth_node *n)
{
    for (size_t i = 0; i < n->data.job_count; i++) free(n->data.jobs[i]);
    free(n->data.jobs);
}
