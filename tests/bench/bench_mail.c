/* bench_mail.c -- what durable mail costs: accepting it, delivering it, and what it does to everything else.
 *
 * Accepting: the recipient is known and away, nobody carries, so a message only has to reach the disk; from the first
 * send to the last promise, beside a bare SQLite loop that commits the same rows in the same groups, in turns. End to
 * end: from the first send until the sender knows of the last delivery, which takes two commits of the receiver's, two
 * of the sender's, and a receipt; directly, and through a relay. Light messages: their p99 while nothing else goes, and
 * while 5,000 durable ones a second go the same way. A return: messages wait for a recipient who then starts; from the
 * moment of the link until the last is known to be delivered. Each figure is the median of its rounds. */
#include "measure.h"
#include "post.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ROUNDS 5u
#define ACCEPTED 30000u
#define DELIVERED 60000u
#define WAITING 10000u
#define LIGHT_ROUNDS 9u
#define LIGHT 500u
#define LOAD_APART_NS 200000u /* 5,000 a second */
#define LOAD_LEAD 1000u       /* durable messages before the first light one */
#define LOAD_MAX 1000000u
#define LOAD_TRAIL 1000u
#define STUCK_NS 10000000000u
#define POLL_US 1000

struct road {
    struct post *post;
    pid_t sender, receiver;
};

/* --- waiting --- */

static void wait_count(const _Atomic uint64_t *count, uint64_t goal, const char *what)
{
    uint64_t last = *count, since_ns = measure_now_ns();
    for (; *count < goal; measure_sleep_us(POLL_US)) {
        if (*count != last) since_ns = measure_now_ns();
        last = *count;
        if (measure_now_ns() - since_ns > STUCK_NS)
            measure_give_up("%s: stands still at %" PRIu64 " of %" PRIu64, what, last, goal);
    }
}

static void wait_flag(const _Atomic bool *flag, bool value, const char *what)
{
    uint64_t since_ns = measure_now_ns();
    for (; *flag != value; measure_sleep_us(POLL_US))
        if (measure_now_ns() - since_ns > STUCK_NS) measure_give_up("%s", what);
}

/* --- the road --- */

static void start_receiver(struct road *r)
{
    r->receiver = measure_fork(post_receiver, r->post);
    wait_flag(&r->post->is_reachable, true, "the receiver cannot be reached");
}

static void stop_receiver(struct road *r)
{
    measure_end_child(r->receiver);
    wait_flag(&r->post->is_reachable, false, "the receiver does not go away");
}

static struct road open_road(unsigned relay_port)
{
    struct road r = {.post = measure_shared(sizeof *r.post)};
    snprintf(r.post->sender_home, sizeof r.post->sender_home, "%s", measure_new_home());
    snprintf(r.post->receiver_home, sizeof r.post->receiver_home, "%s", measure_new_home());
    r.post->port = relay_port;
    r.sender = measure_fork(post_sender, r.post);
    wait_flag(&r.post->is_ready, true, "the sender does not start");
    start_receiver(&r);
    return r;
}

static void close_road(struct road *r)
{
    measure_end_child(r->receiver);
    measure_end_child(r->sender);
}

/* The sender is at rest. All counts begin anew; with no goal it cannot misread them. */
static void order(struct post *p, uint64_t count, uint64_t apart_ns, enum post_answer awaited)
{
    p->goal = 0;
    p->sent = p->answers[POST_PROMISED] = p->answers[POST_DELIVERED] = p->begun_ns = 0;
    p->apart_ns = apart_ns;
    p->awaited = awaited;
    p->goal = count;
}

static double send_all(struct post *p, uint64_t count, enum post_answer awaited)
{
    order(p, count, 0, awaited);
    wait_count(&p->answers[awaited], count, awaited == POST_PROMISED ? "promises" : "deliveries");
    return (double)(p->answered_ns[awaited] - p->begun_ns) / 1e9;
}

/* --- figures --- */

static double accept_rate(void)
{
    struct road r = open_road(0);
    stop_receiver(&r);
    double took_s = send_all(r.post, ACCEPTED, POST_PROMISED);
    measure_end_child(r.sender);
    return ACCEPTED / took_s;
}

static double bare_rate(void)
{
    struct bare_store *b = measure_shared(sizeof *b);
    snprintf(b->home, sizeof b->home, "%s", measure_new_home());
    b->count = ACCEPTED;
    pid_t child = measure_fork(bare_store_run, b);
    wait_count(&b->took_ns, 1, "the floor");
    double took_s = (double)b->took_ns / 1e9;
    measure_end_child(child);
    return ACCEPTED / took_s;
}

static void measure_accepting(void)
{
    double moth[ROUNDS], bare[ROUNDS], ratios[ROUNDS];
    for (unsigned i = 0; i < ROUNDS; i++) {
        bare[i] = bare_rate();
        moth[i] = accept_rate();
        ratios[i] = moth[i] / bare[i];
    }
    double ratio = measure_median(ratios, ROUNDS);
    printf("mail_accepted_per_s %.0f %.0f %.2f\n", measure_median(moth, ROUNDS), measure_median(bare, ROUNDS), ratio);
}

static void measure_delivering(const char *name, struct road *r)
{
    double rates[ROUNDS];
    for (unsigned i = 0; i < ROUNDS; i++) rates[i] = DELIVERED / send_all(r->post, DELIVERED, POST_DELIVERED);
    printf("%s %.0f\n", name, measure_median(rates, ROUNDS));
}

static double light_p99_us(struct post *p)
{
    p->sample_count = 0;
    p->light_goal += LIGHT;
    wait_count(&p->sample_count, LIGHT, "light messages");
    return measure_percentile(p->latency_us, LIGHT, 99);
}

static double loaded_p99_us(struct post *p)
{
    order(p, LOAD_MAX, LOAD_APART_NS, POST_DELIVERED);
    wait_count(&p->answers[POST_DELIVERED], LOAD_LEAD, "the load");
    double p99_us = light_p99_us(p);
    p->goal = p->sent + LOAD_TRAIL;
    wait_count(&p->answers[POST_DELIVERED], p->goal, "the load");
    return p99_us;
}

static void measure_light(struct post *p)
{
    double idle_us[LIGHT_ROUNDS], loaded_us[LIGHT_ROUNDS], ratios[LIGHT_ROUNDS];
    for (unsigned i = 0; i < LIGHT_ROUNDS; i++) {
        idle_us[i] = light_p99_us(p);
        loaded_us[i] = loaded_p99_us(p);
        ratios[i] = loaded_us[i] / idle_us[i];
    }
    double idle = measure_median(idle_us, LIGHT_ROUNDS), loaded = measure_median(loaded_us, LIGHT_ROUNDS);
    printf("mail_light_p99_us %.0f %.0f %.2f\n", loaded, idle, measure_median(ratios, LIGHT_ROUNDS));
}

static void measure_return(struct road *r)
{
    double took_ms[ROUNDS];
    struct post *p = r->post;
    for (unsigned i = 0; i < ROUNDS; i++) {
        stop_receiver(r);
        send_all(p, WAITING, POST_PROMISED);
        start_receiver(r);
        wait_count(&p->answers[POST_DELIVERED], WAITING, "deliveries after a return");
        took_ms[i] = (double)(p->answered_ns[POST_DELIVERED] - p->linked_ns) / 1e6;
    }
    printf("mail_return_ms %.0f\n", measure_median(took_ms, ROUNDS));
}

int main(void)
{
    measure_accepting();
    struct road direct = open_road(0);
    measure_delivering("mail_delivered_per_s", &direct);
    measure_light(direct.post);
    measure_return(&direct);
    close_road(&direct);
    struct program relay = measure_start_moth(measure_new_home(), "relay");
    struct road relayed = open_road(relay.port);
    measure_delivering("mail_relayed_per_s", &relayed);
    close_road(&relayed);
    measure_stop(&relay);
    return 0;
}
