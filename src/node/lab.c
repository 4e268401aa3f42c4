/* lab.c -- the imagined host and the loop of many nodes, see lab.h. */
#include "node/lab.h"

#include "base/mem.h"
#include "base/pool.h"
#include "node/hub.h"
#include "node/store_disk.h"

#include <stdio.h>
#include <stdlib.h>

#define FILES_MAX 4
#define FILE_BYTES_MAX 128
#define FILE_NAME_BYTES 32
#define PATH_BYTES 96
#define BALLAST_BYTES 65536u

struct file {
    char name[FILE_NAME_BYTES];
    uint8_t data[FILE_BYTES_MAX];
    size_t bytes;
};

struct machine {
    struct lab *lab;
    unsigned index;
    struct moth_host host;
    struct moth_node *node; /* owned; NULL: not running */
    struct moth_id id;      /* of what ran here last */
    struct file files[FILES_MAX];
    struct disk *disk; /* owned; NULL: never started */
    char home[24];
    struct work *works; /* owned by the calendar: under way */
    uint64_t random;
    uint64_t tick_number, tick_us;
    int64_t clock_ms;
    uint64_t disk_us; /* what a job of the worker takes */
    bool writes_fail;
    unsigned lost_per_mille;
};

struct lab {
    struct sim *sim;
    struct moth_pool *pool;
    unsigned count;
    struct machine *machines;
    void (*on_event)(void *owner, unsigned machine, const struct moth_event *event);
    void *owner;
    uint64_t event_hash;
};

/* --- the imagined host --- */

static uint64_t host_now_us(void *context)
{
    const struct machine *m = context;
    return sim_now_us(m->lab->sim);
}

static uint64_t host_wall_ms(void *context)
{
    const struct machine *m = context;
    return LAB_CALENDAR_MS + sim_now_us(m->lab->sim) / 1000 + (uint64_t)m->clock_ms;
}

/* Each machine has a stream of its own, so that one more draw here moves nothing there. */
static void host_random(void *context, void *out, size_t bytes)
{
    struct machine *m = context;
    for (uint8_t *at = out; bytes > 0;) {
        uint64_t z = sim_draw(&m->random);
        size_t n = bytes < sizeof z ? bytes : sizeof z;
        memcpy(at, &z, n);
        at += n;
        bytes -= n;
    }
}

struct work {
    struct work *after;
    struct machine *machine;
    void (*run)(void *job);
    void (*done)(void *job);
    void *job;
};

static void take_out(struct work *w)
{
    struct work **at = &w->machine->works;
    while (*at != w) at = &(*at)->after;
    *at = w->after;
}

static void work_due(void *argument, uint64_t number)
{
    struct work *w = argument;
    (void)number;
    if (w->machine) {
        take_out(w);
        w->run(w->job);
        w->done(w->job);
    }
    free(w);
}

static void host_work(void *context, void (*run)(void *job), void (*done)(void *job), void *job)
{
    struct machine *m = context;
    struct work *w = mem_new(sizeof *w);
    *w = (struct work){.after = m->works, .machine = m, .run = run, .done = done, .job = job};
    m->works = w;
    sim_call(m->lab->sim, m->index, sim_now_us(m->lab->sim) + m->disk_us, work_due, w, 0);
}

/* A killed process writes no more; what it had begun is only tidied up. */
static void abandon_works(struct machine *m)
{
    while (m->works) {
        struct work *w = m->works;
        m->works = w->after;
        w->machine = NULL;
        w->done(w->job);
    }
}

static struct file *find_file(struct machine *m, const char *name)
{
    for (int i = 0; i < FILES_MAX; i++)
        if (strcmp(m->files[i].name, name) == 0) return &m->files[i];
    return NULL;
}

static int host_file_write(void *context, const char *name, const void *data, size_t bytes)
{
    struct machine *m = context;
    struct file *f = find_file(m, name);
    if (!f) f = find_file(m, "");
    if (!f || m->writes_fail || bytes > FILE_BYTES_MAX || strlen(name) >= FILE_NAME_BYTES) return MOTH_EIO;
    memcpy(f->name, name, strlen(name) + 1);
    memcpy(f->data, data, bytes);
    f->bytes = bytes;
    return 0;
}

static int host_file_read(void *context, const char *name, void *data, size_t capacity, size_t *bytes)
{
    struct machine *m = context;
    const struct file *f = find_file(m, name);
    if (!f) return MOTH_ENOT_FOUND;
    if (f->bytes > capacity) return MOTH_ETOO_BIG;
    memcpy(data, f->data, f->bytes);
    *bytes = f->bytes;
    return 0;
}

static const char *path_of(const struct machine *m, const char *name, char out[PATH_BYTES])
{
    snprintf(out, PATH_BYTES, "%s/%s", m->home, name);
    return out;
}

/* Only what belongs to the database is on the disk; the small files never fail in part. */
static int host_file_move(void *context, const char *name, const char *to)
{
    struct machine *m = context;
    char from_path[PATH_BYTES], to_path[PATH_BYTES];
    return disk_move(m->disk, path_of(m, name, from_path), to ? path_of(m, to, to_path) : NULL);
}

static int host_file_fill(void *context, const char *name, size_t bytes)
{
    struct machine *m = context;
    char path[PATH_BYTES];
    return disk_fill(m->disk, path_of(m, name, path), bytes);
}

static void host_log(void *context, enum moth_log_level level, const char *text)
{
    (void)context, (void)level, (void)text; /* what matters is counted or an event */
}

/* --- turns --- */

static void tick_due(void *argument, uint64_t number);

/* Adverts that should be passed on are forgotten: as if a frame had been lost, which TCP alone never does. */
static void lose_updates(struct machine *m)
{
    for (struct link *l = m->node->links.first; m->lost_per_mille > 0 && l; l = l->after) {
        struct session *s = session_of(l);
        if (s && s->pending_count > 0 && sim_random(m->lab->sim) % 1000 < m->lost_per_mille) sync_gone(s);
    }
}

static void turn(struct machine *m)
{
    struct sim *sim = m->lab->sim;
    if (!m->node) return;
    lose_updates(m);
    uint64_t due_us = moth_node_tick(m->node), soon_us = sim_now_us(sim) + 1;
    if (due_us == UINT64_MAX) return;
    if (due_us < soon_us) due_us = soon_us;
    if (m->tick_number > 0 && m->tick_us <= due_us && m->tick_us > sim_now_us(sim)) return; /* one is under way */
    m->tick_us = due_us;
    sim_call(sim, m->index, due_us, tick_due, m, ++m->tick_number);
}

/* The turn itself follows every event, see step; a stale number means an earlier turn was asked for meanwhile. */
static void tick_due(void *argument, uint64_t number)
{
    struct machine *m = argument;
    if (number == m->tick_number) m->tick_us = 0;
}

void lab_turn(struct lab *lab, unsigned machine)
{
    turn(&lab->machines[machine]);
}

bool lab_step(struct lab *lab, uint64_t until_us)
{
    unsigned touched;
    if (!sim_step(lab->sim, until_us, &touched)) return false;
    turn(&lab->machines[touched]);
    return true;
}

void lab_run(struct lab *lab, uint64_t us)
{
    uint64_t until_us = sim_now_us(lab->sim) + us;
    while (lab_step(lab, until_us)) continue;
}

bool lab_run_until(struct lab *lab, bool (*holds)(struct lab *lab, void *argument), void *argument, uint64_t limit_us)
{
    uint64_t until_us = sim_now_us(lab->sim) + limit_us, look_us = sim_now_us(lab->sim);
    for (;;) {
        if (holds(lab, argument)) return true;
        if (sim_now_us(lab->sim) >= until_us) return false;
        look_us += 10000; /* asking after every event would cost more than the events */
        while (lab_step(lab, look_us)) continue;
    }
}

/* --- events --- */

static void on_event(void *owner, const struct moth_event *event)
{
    struct machine *m = owner;
    struct lab *lab = m->lab;
    uint64_t words[4] = {sim_now_us(lab->sim), m->index, (uint64_t)event->kind, get_uint(event->peer.bytes, 8)};
    for (int i = 0; i < 4; i++) lab->event_hash = (lab->event_hash ^ words[i]) * 0x100000001b3u;
    if (lab->on_event) lab->on_event(lab->owner, m->index, event);
}

void lab_on_event(struct lab *lab, void (*callback)(void *owner, unsigned machine, const struct moth_event *event),
                  void *owner)
{
    lab->on_event = callback;
    lab->owner = owner;
}

uint64_t lab_hash(const struct lab *lab)
{
    return sim_hash(lab->sim) ^ lab->event_hash * 31;
}

/* --- machines --- */

void lab_address(unsigned machine, char out[MOTH_ADDRESS_TEXT_BYTES])
{
    struct address a;
    sim_address(machine, MOTH_DEFAULT_PORT, &a);
    address_format(&a, out);
}

/* Made when it is first needed, for thousands take their time. Labs may live side by side; SQLite knows each disk by
 * its name. */
static struct disk *disk_of(struct machine *m)
{
    static unsigned count;
    char name[32];
    if (m->disk) return m->disk;
    snprintf(name, sizeof name, "moth-lab-%u", ++count);
    m->disk = disk_new(name, m->random);
    disk_share(m->disk, m->lab->pool);
    m->host.vfs = disk_name(m->disk);
    return m->disk;
}

int lab_open(struct lab *lab, unsigned machine, const char *name, const struct moth_config *config)
{
    struct machine *m = &lab->machines[machine];
    struct moth_config copy = config ? *config : (struct moth_config){.open = true};
    char listen[MOTH_ADDRESS_TEXT_BYTES];
    lab_address(machine, listen);
    copy.name = name;
    if (!copy.listen) copy.listen = listen;
    disk_of(m);
    if (copy.limits[MOTH_LIMIT_BALLAST_BYTES] == 0) copy.limits[MOTH_LIMIT_BALLAST_BYTES] = BALLAST_BYTES;
    int rc = moth_node_open(&copy, &m->host, sim_endpoint(lab->sim, machine), on_event, m, &m->node);
    if (rc < 0) m->node = NULL;
    else m->id = *moth_node_id(m->node);
    m->tick_us = 0;
    return rc;
}

int lab_start(struct lab *lab, unsigned machine, const char *name, const struct moth_config *config)
{
    int rc = lab_open(lab, machine, name, config);
    turn(&lab->machines[machine]);
    return rc;
}

void lab_kill(struct lab *lab, unsigned machine)
{
    struct machine *m = &lab->machines[machine];
    if (!m->disk) return; /* it was never started */
    sim_reset(lab->sim, machine);
    disk_cut(m->disk);
    moth_node_close(m->node);
    m->node = NULL;
    abandon_works(m);
    disk_restore(m->disk, true);
}

void lab_close(struct lab *lab, unsigned machine)
{
    struct machine *m = &lab->machines[machine];
    if (!m->disk) return;
    moth_node_close(m->node);
    m->node = NULL;
    sim_reset(lab->sim, machine);
    abandon_works(m);
    disk_restore(m->disk, true);
}

struct moth_node *lab_node(struct lab *lab, unsigned machine)
{
    return lab->machines[machine].node;
}

const struct moth_id *lab_id(const struct lab *lab, unsigned machine)
{
    return &lab->machines[machine].id;
}

int lab_connect(struct lab *lab, unsigned from, unsigned to)
{
    char address[MOTH_ADDRESS_TEXT_BYTES];
    lab_address(to, address);
    int rc = moth_connect(lab_node(lab, from), address);
    turn(&lab->machines[from]);
    return rc;
}

void lab_copy_files(struct lab *lab, unsigned from, unsigned to)
{
    memcpy(lab->machines[to].files, lab->machines[from].files, sizeof lab->machines[to].files);
    disk_copy(disk_of(&lab->machines[from]), disk_of(&lab->machines[to]));
}

void lab_clock(struct lab *lab, unsigned machine, int64_t offset_ms)
{
    lab->machines[machine].clock_ms = offset_ms;
}

void lab_fail_writes(struct lab *lab, unsigned machine, bool fail)
{
    lab->machines[machine].writes_fail = fail;
}

void lab_slow_disk(struct lab *lab, unsigned machine, uint64_t us)
{
    lab->machines[machine].disk_us = us;
}

const struct moth_host *lab_host(const struct lab *lab, unsigned machine)
{
    return &lab->machines[machine].host;
}

struct moth_transport *lab_transport(const struct lab *lab, unsigned machine)
{
    return sim_endpoint(lab->sim, machine);
}

int64_t lab_clock_of(const struct lab *lab, unsigned machine)
{
    return lab->machines[machine].clock_ms;
}

struct disk *lab_disk(struct lab *lab, unsigned machine)
{
    return disk_of(&lab->machines[machine]);
}

void lab_lose_updates(struct lab *lab, unsigned machine, unsigned per_mille)
{
    lab->machines[machine].lost_per_mille = per_mille;
}

/* --- what one sees --- */

struct sim *lab_sim(struct lab *lab)
{
    return lab->sim;
}

unsigned lab_count(const struct lab *lab)
{
    return lab->count;
}

uint64_t lab_now_us(const struct lab *lab)
{
    return sim_now_us(lab->sim);
}

/* --- making it --- */

struct lab *lab_new(uint64_t seed, unsigned machines_max)
{
    struct lab *lab = mem_new(sizeof *lab);
    lab->sim = sim_new(seed, machines_max);
    lab->pool = pool_new();
    lab->count = machines_max;
    lab->machines = mem_array(machines_max, sizeof *lab->machines);
    for (unsigned i = 0; i < machines_max; i++) {
        struct machine *m = &lab->machines[i];
        *m = (struct machine){.lab = lab, .index = i, .random = sim_random(lab->sim), .disk_us = LAB_DISK_US};
        snprintf(m->home, sizeof m->home, "machine-%u", i);
        m->host = (struct moth_host){.context = m,
                                     .now_us = host_now_us,
                                     .wall_ms = host_wall_ms,
                                     .random = host_random,
                                     .work = host_work,
                                     .file_write = host_file_write,
                                     .file_read = host_file_read,
                                     .file_move = host_file_move,
                                     .file_fill = host_file_fill,
                                     .home = m->home,
                                     .pool = lab->pool,
                                     .log = host_log};
    }
    return lab;
}

/* Work under way is finished, so that nothing is left behind; the nodes are gone by then. */
void lab_free(struct lab *lab)
{
    uint64_t slowest_us = LAB_DISK_US;
    if (!lab) return;
    for (unsigned i = 0; i < lab->count; i++) {
        lab_kill(lab, i);
        if (lab->machines[i].disk_us > slowest_us) slowest_us = lab->machines[i].disk_us;
    }
    lab_run(lab, slowest_us);
    sim_free(lab->sim);
    for (unsigned i = 0; i < lab->count; i++) disk_free(lab->machines[i].disk);
    pool_free(lab->pool);
    free(lab->machines);
    free(lab);
}
