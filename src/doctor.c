/* doctor.c -- see doctor.h: the checks one by one, and how their findings are shown. */
#include "doctor_private.h"

#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LINE_BYTES (2 * DOCTOR_SHOWN_BYTES)

void doctor_say(struct doctor *d, enum verdict verdict, const char *what, const char *format, ...)
{
    static const char *const words[VERDICT_COUNT] = {"ok", "warn", "BAD"};
    char raw[LINE_BYTES], safe[LINE_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(raw, sizeof raw, format, args);
    va_end(args);
    text_safe(slice_text(raw), safe, sizeof safe);
    printf("%-4s  %-10s  %s\n", words[verdict], what, safe);
    d->counts[verdict]++;
}

void doctor_help(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("                  try: ", stdout);
    vprintf(format, args);
    putchar('\n');
    va_end(args);
}

/* A path of plain characters is shown as it is, others in single quotes. */
void doctor_show(const char *path, char out[DOCTOR_SHOWN_BYTES])
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+,:@";
    char raw[DOCTOR_SHOWN_BYTES], *at = raw;
    if (path[strspn(path, plain)] == '\0') {
        snprintf(out, DOCTOR_SHOWN_BYTES, "%s", path);
        return;
    }
    *at++ = '\'';
    for (; *path && at < raw + sizeof raw - 8; path++) at += snprintf(at, 8, *path == '\'' ? "'\\''" : "%c", *path);
    snprintf(at, 2, "'");
    text_safe(slice_text(raw), out, DOCTOR_SHOWN_BYTES);
}

struct doctor_path doctor_find(const struct doctor *d, const char *name)
{
    struct doctor_path path;
    snprintf(path.real, sizeof path.real, "%s/%s", d->o->home, name);
    doctor_show(path.real, path.shown);
    return path;
}

static void say_whole(const struct doctor *d)
{
    unsigned warnings = d->counts[VERDICT_WARN], bad = d->counts[VERDICT_BAD];
    if (bad > 0) printf("\n%u BAD, %u to be warned of\n", bad, warnings);
    else if (warnings > 0) printf("\nnothing is bad, %u to be warned of\n", warnings);
    else printf("\nall is well\n");
}

int doctor_run(const struct options *o)
{
    static void (*const checks[])(struct doctor *) = {
        doctor_home,     doctor_node, doctor_config, doctor_identity, doctor_network,   doctor_reserve,
        doctor_database, doctor_disk, doctor_listen, doctor_clock,    doctor_open_files};
    struct doctor d = {.o = o, .lock_fd = -1};
    for (size_t i = 0; i < sizeof checks / sizeof *checks && !d.is_hopeless; i++) checks[i](&d);
    say_whole(&d);
    if (d.lock_fd >= 0) close(d.lock_fd);
    bool is_written = fflush(stdout) == 0 && !ferror(stdout);
    return d.counts[VERDICT_BAD] == 0 && is_written ? EXIT_SUCCESS : EXIT_FAILURE;
}
