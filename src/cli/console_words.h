/* console_words.h -- completion, as far as it needs no line editor. */
#ifndef CLI_CONSOLE_WORDS_H
#define CLI_CONSOLE_WORDS_H

#include "base/buf.h"

/* Whether a line is a command and its words, which blanks part, rather than Lua: lower case letters, then a blank, and
 * then neither = nor (. */
bool words_are_of_command(const char *line);

/* Adds lines with the words in columns, down before across, as many as `width` has room for. */
void words_in_columns(const char *const *words, size_t count, unsigned width, struct buf *out);

#endif
