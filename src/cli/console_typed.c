/* console_typed.c -- see console_typed.h. */
#include "cli/console_typed.h"

#include <errno.h>
#include <unistd.h>

#define READ_BYTES 4096
#define FILL_BYTES 65536 /* at a time: others wait, too */
#define OPENING "\033[200~"
#define CLOSING "\033[201~"
#define MARK_BYTES (sizeof OPENING - 1)

void typed_fini(struct typed *t)
{
    buf_fini(&t->input);
}

void typed_fill(struct typed *t, int fd)
{
    for (size_t filled = 0; filled < FILL_BYTES && !t->is_gone;) {
        ssize_t n = read(fd, buf_reserve(&t->input, READ_BYTES), READ_BYTES);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno == EAGAIN) return;
        t->is_gone = n <= 0;
        if (n <= 0) return;
        buf_grow(&t->input, (size_t)n);
        filled += (size_t)n;
    }
}

/* All but what could be the beginning of the closing mark. */
static void drop_paste(struct typed *t)
{
    size_t bytes = buf_bytes(&t->input);
    t->is_dropping = true;
    if (bytes > MARK_BYTES) buf_consume(&t->input, bytes - MARK_BYTES);
}

static enum typed_kind next_of_paste(struct typed *t, struct slice *paste)
{
    static uint8_t text[TYPED_PASTE_MAX + 1];
    struct span input = buf_span(&t->input);
    const uint8_t *end = input.bytes > 0 ? memmem(input.data, input.bytes, CLOSING, MARK_BYTES) : NULL;
    size_t bytes = end ? (size_t)(end - input.data) : input.bytes;
    if (bytes > TYPED_PASTE_MAX || (t->is_dropping && !end)) drop_paste(t);
    if (!end) return TYPED_NONE;
    bool was_dropped = t->is_dropping;
    if (!was_dropped) memcpy(text, input.data, bytes);
    input = buf_span(&t->input);
    end = memmem(input.data, input.bytes, CLOSING, MARK_BYTES);
    buf_consume(&t->input, (size_t)(end - input.data) + MARK_BYTES);
    t->is_in_paste = t->is_dropping = false;
    *paste = slice_of(text, was_dropped ? 0 : bytes);
    return was_dropped ? TYPED_LOST_PASTE : TYPED_PASTE;
}

enum typed_kind typed_next(struct typed *t, struct slice *paste)
{
    struct span input = buf_span(&t->input);
    size_t alike = input.bytes < MARK_BYTES ? input.bytes : MARK_BYTES;
    if (t->is_in_paste) return next_of_paste(t, paste);
    if (input.bytes == 0) return TYPED_NONE;
    if (memcmp(input.data, OPENING, alike) != 0 || alike == 1) return TYPED_BYTE; /* a lone Escape is a key, too */
    if (alike < MARK_BYTES) return TYPED_NONE; /* the rest will tell */
    buf_consume(&t->input, MARK_BYTES);
    t->is_in_paste = true;
    return next_of_paste(t, paste);
}

int typed_take(struct typed *t)
{
    if (buf_bytes(&t->input) == 0) return -1;
    int byte = buf_span(&t->input).data[0];
    buf_consume(&t->input, 1);
    return byte;
}

bool typed_drop(struct typed *t)
{
    if (!t->is_in_paste) return false;
    t->is_dropping = true;
    return true;
}
