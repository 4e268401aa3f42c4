/* log.h -- one line of text to the host, formatted and made safe for a terminal.
 *
 * Everything a peer can influence passes text_safe first: control bytes, escape sequences and broken UTF-8 come out
 * as \xNN, so no peer moves the cursor or rings the bell. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/base.h"
#include "moth/host.h"

#define LOG_LINE_BYTES 512

void log_write(const struct moth_host *host, enum moth_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Writes `text` to `out` with everything that is not printable UTF-8 escaped; cut at the capacity, always closed
 * with a zero. Returns the bytes written without it. */
size_t text_safe(struct slice text, char *out, size_t capacity);

#endif
