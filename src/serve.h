/* serve.h -- the node as a program: with a shell (`moth`, `moth join`), or without one (`moth run`). */
#ifndef SERVE_H
#define SERVE_H

#include "options.h"

int serve_run(struct options *o); /* the exit status; wipes a passphrase in `o` */

#endif
