/* console_private.h -- what the console with a line editor is made of. */
#ifndef CLI_CONSOLE_PRIVATE_H
#define CLI_CONSOLE_PRIVATE_H

#include "cli/console.h"
#include "cli/console_typed.h"
#include "cli/console_out.h"

#include <stdio.h>
#include <termios.h>

struct console {
    struct console_setup setup;
    char *history; /* owned */
    int fd;        /* owned */
    FILE *in, *out;
    struct output output;
    struct typed typed;
    int64_t key_ms; /* when a key was read last */
    struct termios before;
    char **offers; /* owned, while a completion is asked for */
    size_t offer_count, offer_at;
    bool has_handler, is_away, ended, erases;
};

extern struct console *console_the; /* readline is one a process */

void console_set_up_completion(void);
void console_forget_offers(struct console *c);

#endif
