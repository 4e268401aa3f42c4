/* log.c -- formatted lines for the host, and text made safe for terminals, see log.h. */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

void log_write(const struct moth_host *host, enum moth_log_level level, const char *format, ...)
{
    char line[LOG_LINE_BYTES], safe[LOG_LINE_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    text_safe(slice_text(line), safe, sizeof safe);
    host->log(host->context, level, safe);
}

/* Characters that show nothing and change what is around them: C1 controls, marks that turn the direction of text,
 * line and paragraph separators, the byte order mark, and tags. Whoever may send them can make a line look like
 * another. */
static bool is_invisible(uint32_t code)
{
    static const struct {
        uint32_t first, last;
    } ranges[] = {{0x80, 0x9f},     {0x61c, 0x61c},   {0x200e, 0x200f}, {0x2028, 0x202e},
                  {0x2066, 0x2069}, {0xfeff, 0xfeff}, {0xe0000, 0xe007f}};
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
        if (code >= ranges[i].first && code <= ranges[i].last) return true;
    return false;
}

/* The bytes of the printable UTF-8 character at the start of `s`, or 0. */
static size_t printable(struct slice s)
{
    uint8_t c = s.data[0];
    size_t n = c < 0x80 ? 1 : c >= 0xf0 && c < 0xf5 ? 4 : c >= 0xe0 ? 3 : c >= 0xc2 ? 2 : 0;
    if (c >= 0xf5 || n == 0 || n > s.bytes) return 0;
    if (n == 1) return c >= 0x20 && c != 0x7f ? 1 : 0;
    uint32_t code = c & (0xffu >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        if ((s.data[i] & 0xc0) != 0x80) return 0;
        code = code << 6 | (s.data[i] & 0x3f);
    }
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    if (code < least[n] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return 0;
    return is_invisible(code) ? 0 : n;
}

size_t text_safe(struct slice text, char *out, size_t capacity)
{
    static const char digits[] = "0123456789abcdef";
    size_t used = 0;
    while (text.bytes > 0) {
        size_t n = printable(text), wanted = n ? n : 4;
        if (used + wanted + 1 > capacity) break;
        if (n) {
            memcpy(out + used, text.data, n);
        } else {
            memcpy(out + used, "\\x", 2);
            out[used + 2] = digits[text.data[0] >> 4];
            out[used + 3] = digits[text.data[0] & 15];
            n = 1;
        }
        used += wanted;
        text.data += n;
        text.bytes -= n;
    }
    if (capacity > 0) out[used] = '\0';
    return used;
}
