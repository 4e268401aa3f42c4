/* options_values.c -- what each setting may be. The command line and config.lua are judged alike; only the sentences
 * say where a value came from. */
#include "options_private.h"

#include "base/log.h"
#include "near.h"
#include "script/config.h"
#include "script/duration.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TTL_MAX_S (30 * 86400)
#define RETRIES_DIGITS_MAX 9 /* so that it fits */
#define LIMIT_DIGITS_MAX 18
#define LIMIT_FACTOR_MAX 1000u /* times its default: beyond it is a slip of the finger */

int options_refuse(char why[OPTIONS_WHY_BYTES], const char *before, struct slice argument, const char *after)
{
    char safe[OPTIONS_WHY_BYTES / 2];
    text_safe(argument, safe, sizeof safe);
    snprintf(why, OPTIONS_WHY_BYTES, "%s%s%s", before, safe, after);
    return MOTH_EARGUMENT;
}

/* "--name takes ...", "config.lua:3: name takes ..." */
__attribute__((format(printf, 3, 4))) static int refuse_setting(const struct setting *s, char why[OPTIONS_WHY_BYTES],
                                                                const char *format, ...)
{
    int at = s->line == 0 ? 0 : snprintf(why, OPTIONS_WHY_BYTES, CONFIG_FILE ":%d: ", s->line);
    va_list args;
    at += snprintf(why + at, OPTIONS_WHY_BYTES - (size_t)at, "%s ", s->name);
    va_start(args, format);
    vsnprintf(why + at, OPTIONS_WHY_BYTES - (size_t)at, format, args);
    va_end(args);
    return MOTH_EARGUMENT;
}

/* "--listen got x, which is no ...", "config.lua:3: listen = "x" is no ..." */
static int refuse_value(const struct setting *s, char why[OPTIONS_WHY_BYTES], const char *is_what)
{
    char safe[OPTIONS_WHY_BYTES / 2];
    text_safe(slice_text(s->value), safe, sizeof safe);
    if (s->line == 0) return refuse_setting(s, why, "got %s, which %s", safe, is_what);
    return refuse_setting(s, why, s->option == OPTION_LIMIT ? "= { %s } %s" : "= \"%s\" %s", safe, is_what);
}

static int set_text(char *out, size_t capacity, const struct setting *s, char why[OPTIONS_WHY_BYTES])
{
    int n = snprintf(out, capacity, "%s", s->value);
    if (n >= 0 && (size_t)n < capacity) return 0;
    return refuse_setting(s, why, "takes at most %zu bytes", capacity - 1);
}

/* Ends in a port; what stands before it is for the node to understand. */
static bool has_port(const char *value)
{
    const char *colon = strrchr(value, ':');
    size_t digits = colon ? strspn(colon + 1, "0123456789") : 0;
    return colon > value && digits > 0 && digits <= 5 && colon[1 + digits] == '\0' && atoi(colon + 1) <= 65535;
}

static int set_address(const char **out, const struct setting *s, char why[OPTIONS_WHY_BYTES])
{
    *out = s->value;
    if (has_port(s->value) || strcmp(s->value, "none") == 0) return 0;
    return refuse_value(s, why, "is neither HOST:PORT nor none");
}

static int set_listen(struct options *o, const struct setting *s, char why[OPTIONS_WHY_BYTES])
{
    o->has_listen = true;
    int rc = set_address(&o->listen, s, why);
    if (rc == 0 && strcmp(o->listen, "none") == 0) o->listen = NULL;
    return rc;
}

static int add_connect(struct options *o, const struct setting *s, char why[OPTIONS_WHY_BYTES])
{
    if (!has_port(s->value)) return refuse_value(s, why, "is not HOST:PORT");
    if (o->connects == OPTIONS_CONNECTS_MAX)
        return refuse_setting(s, why, "can be given %d times; use the command connect for more", OPTIONS_CONNECTS_MAX);
    o->connect[o->connects++] = s->value;
    return 0;
}

static int add_load(struct options *o, const struct setting *s, char why[OPTIONS_WHY_BYTES])
{
    if (o->loads == OPTIONS_LOADS_MAX)
        return refuse_setting(s, why, "can be given %d times; use the command load for more", OPTIONS_LOADS_MAX);
    o->load[o->loads++] = s->value;
    return 0;
}

static int set_ttl(struct options *o, const struct setting *s, char why[OPTIONS_WHY_BYTES])
{
    double seconds;
    if (!duration_parse(s->value, &seconds) || !(seconds > 0 && seconds <= TTL_MAX_S))
        return refuse_value(s, why, "is no time like 12h or 7d, at most 30d");
    o->ttl_s = (uint32_t)ceil(seconds);
    return 0;
}

static int set_retries(struct options *o, const struct setting *s, char why[OPTIONS_WHY_BYTES])
{
    size_t digits = strspn(s->value, "0123456789");
    if (s->value[digits] != '\0' || digits > RETRIES_DIGITS_MAX)
        return refuse_value(s, why, "is no whole number up to 999999999");
    o->retries = (uint32_t)strtoul(s->value, NULL, 10);
    return 0;
}

static int set_word(const char **out, const struct setting *s, const char *const words[], const char *is_what,
                    char why[OPTIONS_WHY_BYTES])
{
    for (; *words; words++) {
        if (strcmp(s->value, *words) != 0) continue;
        *out = *words;
        return 0;
    }
    return refuse_value(s, why, is_what);
}

static int set_color(struct options *o, const struct setting *s, char why[OPTIONS_WHY_BYTES])
{
    static const char *const words[] = {"auto", "on", "off", NULL};
    return set_word(&o->color, s, words, "is not auto, on or off", why);
}

static int set_log(struct options *o, const struct setting *s, char why[OPTIONS_WHY_BYTES])
{
    static const char *const words[] = {"debug", "info", "warn", "error", NULL};
    return set_word(&o->log, s, words, "is not debug, info, warn or error", why);
}

/* --- limits --- */

/* The limit that `NAME=` in front of the value means, or -1. */
static int find_limit(const char *value, size_t bytes, struct near *near)
{
    for (int i = 0; i < MOTH_LIMIT_COUNT; i++) {
        const char *name = moth_limit_info((enum moth_limit)i)->name;
        if (strlen(name) == bytes && strncmp(name, value, bytes) == 0) return i;
        near_offer(near, name);
    }
    return -1;
}

static int refuse_limit_name(const struct setting *s, const char *nearest, char why[OPTIONS_WHY_BYTES])
{
    char is_what[OPTIONS_WHY_BYTES / 2];
    if (!nearest) return refuse_value(s, why, "has the name of no limit (the command status lists them)");
    snprintf(is_what, sizeof is_what, "has the name of no limit (did you mean %s?)", nearest);
    return refuse_value(s, why, is_what);
}

static int set_number(uint64_t *out, const struct setting *s, const char *number, uint64_t most,
                      char why[OPTIONS_WHY_BYTES])
{
    char is_what[OPTIONS_WHY_BYTES / 2];
    size_t digits = strspn(number, "0123456789");
    *out = digits <= LIMIT_DIGITS_MAX && number[digits] == '\0' ? strtoull(number, NULL, 10) : 0;
    if (*out > 0 && *out <= most) return 0;
    snprintf(is_what, sizeof is_what, "is no whole number from 1 to %llu", (unsigned long long)most);
    return refuse_value(s, why, is_what);
}

static int set_limit(struct options *o, const struct setting *s, char why[OPTIONS_WHY_BYTES])
{
    size_t bytes = strcspn(s->value, "=");
    struct near near = near_to(s->value, bytes);
    if (s->value[bytes] == '\0') return refuse_value(s, why, "is not NAME=NUMBER");
    int i = find_limit(s->value, bytes, &near);
    if (i < 0) return refuse_limit_name(s, near.nearest, why);
    if (i <= MOTH_LIMIT_DATA_BYTES) return refuse_value(s, why, "would change the protocol: that limit is fixed");
    uint64_t most = moth_limit_info((enum moth_limit)i)->value * LIMIT_FACTOR_MAX;
    return set_number(&o->limits[i], s, s->value + bytes + 1, i == MOTH_LIMIT_HOPS ? MOTH_HOPS_MAX : most, why);
}

/* --- all --- */

/* An option without a value is on; in the file a value says. */
static int set_flag(bool *out, const struct setting *s)
{
    *out = !s->value || strcmp(s->value, "true") == 0;
    return 0;
}

static int set_seed(struct options *o, const struct setting *s, char why[OPTIONS_WHY_BYTES])
{
    size_t digits = strspn(s->value, "0123456789");
    if (digits != strlen(s->value) || digits > LIMIT_DIGITS_MAX)
        return refuse_value(s, why, "is no whole number of at most 18 digits");
    o->lab.seed = strtoull(s->value, NULL, 10);
    o->lab.has_seed = true;
    return 0;
}

static int set_count(unsigned *out, unsigned most, const struct setting *s, char why[OPTIONS_WHY_BYTES])
{
    uint64_t number = 0;
    int rc = set_number(&number, s, s->value, most, why);
    *out = (unsigned)number;
    return rc;
}

int options_set(struct options *o, const struct setting *s, char why[OPTIONS_WHY_BYTES])
{
    switch (s->option) {
    case OPTION_HOME: return set_text(o->home, sizeof o->home, s, why);
    case OPTION_NAME: return set_text(o->name, sizeof o->name, s, why);
    case OPTION_LISTEN: return set_listen(o, s, why);
    case OPTION_CONNECT: return add_connect(o, s, why);
    case OPTION_LOAD: return add_load(o, s, why);
    case OPTION_NETWORK: o->network = s->value; return 0;
    case OPTION_OPEN: return set_flag(&o->open, s);
    case OPTION_NO_OPEN: o->open = false; return 0;
    case OPTION_ADVERTISE: return set_address(&o->advertise, s, why);
    case OPTION_TTL: return set_ttl(o, s, why);
    case OPTION_RETRIES: return set_retries(o, s, why);
    case OPTION_COLOR: return set_color(o, s, why);
    case OPTION_LIGHT: return set_flag(&o->light, s);
    case OPTION_NO_LIGHT: o->light = false; return 0;
    case OPTION_LOG: return set_log(o, s, why);
    case OPTION_LIMIT: return set_limit(o, s, why);
    case OPTION_JSON: return set_flag(&o->json, s);
    case OPTION_SEED: return set_seed(o, s, why);
    case OPTION_SEEDS: return set_count(&o->lab.seeds, OPTIONS_SEEDS_MAX, s, why);
    case OPTION_JOBS: return set_count(&o->lab.jobs, OPTIONS_JOBS_MAX, s, why);
    case OPTION_ONLY: o->lab.only = s->value; return 0;
    case OPTION_TWICE: return set_flag(&o->lab.is_twice, s);
    case OPTION_HELP: return set_flag(&o->help, s);
    case OPTION_VERSION: return set_flag(&o->version, s);
    }
    return 0;
}
