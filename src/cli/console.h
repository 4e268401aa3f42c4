/* console.h -- the terminal of a person: the line being typed, and above it everything that is said meanwhile.
 *
 * Knows no loop, no node and no Lua: whoever owns it watches two descriptors and calls what fits. All bytes for the
 * terminal, the line editor's too, go through one bounded queue, so that nothing ever waits for the terminal: one that
 * takes nothing (stopped, or too slow) costs lines on the screen, never the node's time, and how many were left out is
 * said once there is room again. A line is shown whole or not at all.
 *
 * Text must be safe for a terminal already (text_safe) and hold whole lines; colours are the caller's. */
#ifndef CLI_CONSOLE_H
#define CLI_CONSOLE_H

#include "base/base.h"

struct console;

struct console_setup {
    int fd;              /* the terminal, open for reading and writing, O_NONBLOCK; owned by the console */
    const char *history; /* file of lines typed before, made 0600 if need be; NULL: none; borrowed during the call */
    /* A line was entered; a paste may have line ends inside of it. `text` NULL: the end (Ctrl-D on an empty line, or
     * the terminal is gone). Called from console_read only. */
    void (*on_line)(void *owner, const char *text, size_t bytes);
    /* The words that may stand at `start` of the line, of which `bytes` bytes up to the cursor are typed: each is given
     * by console_offer, with all that stands from `start` on. NULL: no completion. */
    void (*on_complete)(void *owner, struct console *c, const char *line, size_t bytes, size_t start);
    void *owner;
};

/* Prepares the terminal and shows nothing before the first console_prompt. MOTH_EIO: it is no terminal. One console a
 * process, for the editor is one. */
int console_open(const struct console_setup *setup, struct console **out);
/* The terminal as it was found, the cursor on a line of its own. Not from within on_line and on_complete. NULL is
 * fine. */
void console_close(struct console *c);

int console_fd(const struct console *c);
bool console_wants_to_read(const struct console *c);  /* watch for input; not while it is in the background */
bool console_wants_to_write(const struct console *c); /* watch for room */
void console_read(struct console *c);  /* there is input */
void console_write(struct console *c); /* there is room; also call it once per turn: output is gathered until then */

/* What stands before the line being typed; nothing is read before the first one. */
void console_prompt(struct console *c, const char *prompt);

/* One or more whole lines above it, best no wider than the terminal (console_width). `tag` not 0 names the last of them
 * for console_amend. */
void console_print(struct console *c, const char *text, size_t bytes, uint32_t tag);

/* Replaces the line named `tag` where it stands by `line` (one line, no end); when it has left the screen, or nobody
 * knows any more where it is (the terminal was resized, cleared, suspended), prints `else_text` like console_print,
 * or nothing when that is empty. */
void console_amend(struct console *c, uint32_t tag, const char *line, size_t bytes, const char *else_text,
                   size_t else_bytes);

/* From now on a line that is entered leaves the screen, unless it is a command (`/` and no second one): its owner says
 * it again in another form. */
void console_erase_entered(struct console *c, bool on);

/* Within on_complete. */
void console_offer(struct console *c, const char *word, size_t bytes);

/* Ctrl-C: drops what is typed. False: nothing was. */
bool console_interrupt(struct console *c);

void console_resize(struct console *c);   /* SIGWINCH */
void console_suspend(struct console *c);  /* SIGTSTP: gives the terminal back, then stops the process */
void console_continue(struct console *c); /* SIGCONT, and now and then while console_is_away: takes it again */
bool console_is_away(const struct console *c); /* in the background: prints, but neither reads nor edits */

unsigned console_width(const struct console *c); /* columns, at least 20 */
bool console_has_colour(const struct console *c); /* the terminal knows colours and NO_COLOR is not set */

#endif
