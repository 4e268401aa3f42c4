/* console_history.h -- the lines typed before, in a file: one entry a line, appended as soon as it is entered, so that
 * nothing that ends the process takes them away.
 *
 * Within an entry `\n` is a line end and `\\` a backslash. Nothing about the file is an error: without it there is just
 * no memory. */
#ifndef CLI_CONSOLE_HISTORY_H
#define CLI_CONSOLE_HISTORY_H

#include "base/base.h"

#define HISTORY_ENTRIES_MAX 10000
#define HISTORY_FILE_MAX (4u << 20) /* bytes that are read, the newest; a larger file is cut to these */

/* Calls `each` for the entries of the file, the oldest first. */
void history_load(const char *path, void (*each)(const char *entry));

/* Appends an entry; the file is made 0600. */
void history_append(const char *path, const char *entry);

/* False for what should not be remembered: blank lines, lines that begin with a blank, and what holds an invitation,
 * for that may be a key. */
bool history_wants(const char *entry);

#endif
