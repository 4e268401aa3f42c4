/* main.c -- the program: what was asked for, and who does it. */
#include "attach.h"
#include "doctor.h"
#include "fail.h"
#include "options.h"
#include "script/config.h"
#include "serve.h"
#include "trial.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VERSION "0.1"

static int print(const char *text)
{
    if (fputs(text, stdout) >= 0 && fflush(stdout) == 0) return EXIT_SUCCESS;
    return fail(EXIT_FAILURE, "standard output cannot be written: %s", strerror(errno));
}

/* A closed one would be given to the first file that is opened, and be written into. */
static void fill_standard_descriptors(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0) _exit(EXIT_FAILURE);
}

static int print_config(void)
{
    char *text = config_default();
    int status = print(text);
    free(text);
    return status;
}

static int run(struct options *o)
{
    switch (o->program) {
    case PROGRAM_SHELL:
    case PROGRAM_JOIN:
    case PROGRAM_RUN: return serve_run(o);
    case PROGRAM_ATTACH:
    case PROGRAM_DO: return attach_run(o);
    case PROGRAM_DOCTOR: return doctor_run(o);
    case PROGRAM_CONFIG: return print_config();
    case PROGRAM_LAB: return trial_run(o);
    case PROGRAM_COUNT: break;
    }
    return STATUS_USAGE;
}

int main(int argc, char **argv)
{
    char why[OPTIONS_WHY_BYTES];
    static struct options options;
    fill_standard_descriptors();
    setlocale(LC_CTYPE, "");
    signal(SIGPIPE, SIG_IGN);
    if (options_parse(argc, argv, &options, why) < 0)
        return fail(STATUS_USAGE, "%s; see %s --help", why, options_command(options.program));
    if (options.help) return print(options_help_of(options.program));
    if (options.version) return print("moth " VERSION "\n");
    int status = run(&options);
    options_free(&options);
    return status;
}
