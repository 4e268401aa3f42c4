/* fail.c -- see fail.h. */
#include "fail.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

int fail(int status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("moth: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return status;
}

static int explain_listen(const struct options *o, int rc)
{
    const char *address = o->listen ? o->listen : "none", *advertise = o->advertise ? o->advertise : "not given";
    if (rc == MOTH_EBLOCKED)
        return fail(EXIT_FAILURE, "--listen %s may let other machines in, which needs --network or --open", address);
    if (rc == MOTH_EIN_USE && o->has_listen)
        return fail(EXIT_FAILURE, "another program listens on %s; choose another port: --listen HOST:PORT", address);
    if (rc == MOTH_EIN_USE)
        return fail(EXIT_FAILURE, "no free port from %s on; choose one: --listen HOST:PORT", address);
    return fail(rc == MOTH_EBAD_ADDRESS ? STATUS_USAGE : EXIT_FAILURE, "cannot start, --listen %s, --advertise %s: %s",
                address, advertise, moth_error_text(rc));
}

static int explain_home(const struct options *o, int rc)
{
    const char *home = o->home;
    if (rc == MOTH_EMALFORMED)
        return fail(EXIT_FAILURE, "%s/identity or %s/reserve is damaged; put a copy back, or move both away for a "
                    "new id", home, home);
    if (rc == MOTH_ENEWER)
        return fail(EXIT_FAILURE, "%s/moth.db was made by a newer moth; use that one, or another home: --home DIR",
                    home);
    if (rc == MOTH_ESTORE)
        return fail(EXIT_FAILURE, "another program holds %s/moth.db; end it, or use another home: --home DIR", home);
    if (rc == MOTH_EDAMAGED)
        return fail(EXIT_FAILURE, "%s/moth.db is damaged and cannot be set aside; move it away", home);
    if (rc == MOTH_ENO_SPACE) return fail(EXIT_FAILURE, "the disk that holds %s is full; free some space", home);
    if (rc == MOTH_EIO) return fail(EXIT_FAILURE, "the home folder %s cannot be read or written", home);
    return explain_listen(o, rc);
}

int fail_to_start(const struct options *o, int rc)
{
    if (rc == MOTH_EBAD_NAME) return fail(STATUS_USAGE, "--name: %s", moth_error_text(rc));
    if (rc == MOTH_EPERMISSION)
        return fail(EXIT_FAILURE, "permission denied: the files in %s must be yours to write, and the port yours to "
                    "open; see --home and --listen", o->home);
    return explain_home(o, rc);
}
