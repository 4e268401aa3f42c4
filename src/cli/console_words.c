/* console_words.c -- see console_words.h. */
#include "cli/console_words.h"

#include "cli/console_out.h"

#define GAP 2 /* columns between words */

bool words_are_of_command(const char *line)
{
    line += strspn(line, " \t");
    if (*line == '/') line++;
    size_t letters = strspn(line, "abcdefghijklmnopqrstuvwxyz");
    line += letters;
    if (letters == 0 || (*line != ' ' && *line != '\t')) return false;
    line += strspn(line, " \t");
    return *line != '=' && *line != '(';
}

static void add_padded(struct buf *out, const char *word, unsigned width)
{
    buf_add(out, word, strlen(word));
    for (unsigned used = output_columns(slice_text(word)); used < width; used++) buf_add(out, " ", 1);
}

void words_in_columns(const char *const *words, size_t count, unsigned width, struct buf *out)
{
    unsigned longest = 0;
    for (size_t i = 0; i < count; i++) {
        unsigned columns = output_columns(slice_text(words[i]));
        if (columns > longest) longest = columns;
    }
    size_t across = (width + GAP) / (longest + GAP), rows = across > 0 ? (count + across - 1) / across : count;
    for (size_t row = 0; row < rows; row++) {
        for (size_t i = row; i < count; i += rows) add_padded(out, words[i], i + rows < count ? longest + GAP : 0);
        buf_add(out, "\n", 1);
    }
}
