/* trial_trace.c -- see trial_trace.h. */
#include "trial_trace.h"

#include "node/lab_record.h"

#include <inttypes.h>
#include <string.h>

#define BEFORE 5 /* entries that are told before the difference */
#define LINE_BYTES 160

static bool next(FILE *file, struct record_trace *out)
{
    *out = (struct record_trace){0};
    return fread(out, sizeof *out, 1, file) == 1;
}

/* How many entries are equal from the start on; -1: all of them are. */
static int64_t first_difference(FILE *one, FILE *other)
{
    struct record_trace a, b;
    rewind(one);
    rewind(other);
    for (int64_t at = 0;; at++) {
        bool has_a = next(one, &a), has_b = next(other, &b);
        if (!has_a && !has_b) return -1;
        if (has_a != has_b || memcmp(&a, &b, sizeof a) != 0) return at;
    }
}

bool trace_is_same(FILE *one, FILE *other)
{
    return first_difference(one, other) < 0;
}

static void add_entry(struct buf *out, const char *before, FILE *file, int64_t at)
{
    struct record_trace e;
    char line[LINE_BYTES];
    int n;
    if (fseeko(file, (off_t)at * (off_t)sizeof e, SEEK_SET) < 0 || !next(file, &e)) {
        n = snprintf(line, sizeof line, "%s nothing: it ended here\n", before);
    } else if (e.machine == RECORD_ALL) {
        n = snprintf(line, sizeof line, "%s %.6f s  a note, hash %016" PRIx64 "\n", before,
                     (double)(e.at_us - LAB_START_US) / 1e6, e.hash);
    } else if (e.other != RECORD_ALL) {
        n = snprintf(line, sizeof line, "%s %.6f s  node %" PRIu32 " to node %" PRIu32 ": %" PRIu32
                     " bytes, hash %016" PRIx64 "\n", before, (double)(e.at_us - LAB_START_US) / 1e6, e.machine + 1,
                     e.other + 1, e.bytes, e.hash);
    } else {
        n = snprintf(line, sizeof line, "%s %.6f s  node %" PRIu32 ": %s, %" PRIu32 " bytes, hash %016" PRIx64 "\n",
                     before, (double)(e.at_us - LAB_START_US) / 1e6, e.machine + 1, record_kind_name(e.kind), e.bytes,
                     e.hash);
    }
    buf_add(out, line, (size_t)n);
}

void trace_tell_difference(FILE *one, FILE *other, struct buf *out)
{
    static const char head[] = "two runs with this seed differ; what happened in both, and the first difference:\n";
    static const char same[] = "two runs with this seed end with different hashes, but their traces are equal\n";
    int64_t at = first_difference(one, other);
    if (at < 0) {
        buf_add(out, same, sizeof same - 1);
        return;
    }
    buf_add(out, head, sizeof head - 1);
    for (int64_t i = at > BEFORE ? at - BEFORE : 0; i < at; i++) add_entry(out, "  both  ", one, i);
    add_entry(out, "  first ", one, at);
    add_entry(out, "  second", other, at);
}
