/* attach.h -- how another process becomes a shell of a running node: frames over the socket `shell.sock` in its home.
 *
 * Each frame is that of moth/frame.h (MOTH_FRAME_LENGTH): one byte of kind, then its body. Numbers are big-endian.
 *
 *   the client                                        the node
 *   HELLO     version 1, flags 1, width 2, folder     SAY       tag 4, text
 *   LINE      text                                    COMPLAIN  text
 *   FINISH                                            AMEND     tag 4, bytes of the line 4, line, other
 *   INTERRUPT had text 1                              PROMPT    text
 *   RESIZE    width 2                                 HOLD      on 1
 *   COMPLETE  start 4, line up to the cursor          CHAT      on 1
 *                                                     WORDS     each with a line end behind it
 *                                                     BYE       status 1, a sentence or nothing
 *
 * HELLO comes first and once. The node answers each COMPLETE with one WORDS, and closes behind BYE. */
#ifndef ATTACH_H
#define ATTACH_H

#include "options.h"

#define ATTACH_SOCKET "shell.sock"
#define ATTACH_VERSION 1
#define ATTACH_TEXT_MAX (MOTH_FRAME_MAX / 2) /* of one SAY; more come as several */

enum attach_kind {
    ATTACH_HELLO = 1, ATTACH_LINE, ATTACH_FINISH, ATTACH_INTERRUPT, ATTACH_RESIZE, ATTACH_COMPLETE,
    ATTACH_SAY = 65, ATTACH_COMPLAIN, ATTACH_AMEND, ATTACH_PROMPT, ATTACH_HOLD, ATTACH_CHAT, ATTACH_WORDS, ATTACH_BYE
};

enum attach_flag { ATTACH_IS_TERMINAL = 1, ATTACH_IS_SINGLE = 2, ATTACH_IS_JSON = 4, ATTACH_HAS_COLOUR = 8 };

/* `moth attach` and `moth do`, in a process of their own. Returns the exit status. */
int attach_run(const struct options *o);

#endif
