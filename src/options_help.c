/* options_help.c -- what --help prints: a page for moth, and one for each subcommand. No line is wider than a small
 * terminal. */
#include "options.h"

const char options_help[] =
    "usage: moth [SUBCOMMAND] [OPTION]...\n"
    "\n"
    "Starts a node of a peer-to-peer messaging network and a shell on it; the\n"
    "command help lists what can be typed there.\n"
    "\n"
    "subcommands; moth SUBCOMMAND --help says more:\n"
    "  run SCRIPT...         a node without a shell, for bots and services\n"
    "  attach                a shell on a node that runs\n"
    "  do COMMAND...         one command on a node that runs\n"
    "  lab FILE...           test networks in virtual time, and specs of bots\n"
    "  join LINE             enter the network of whoever sent you that line\n"
    "  doctor                look for what is wrong, and say what helps\n"
    "  config                print a config.lua with every setting in it\n"
    "\n"
    "options; most can also stand in config.lua in the home folder:\n"
    "  --home DIR            where identity, keys and messages are kept\n"
    "                        default: $XDG_DATA_HOME/moth or ~/.local/share/moth\n"
    "  --name NAME           how others see this node; default: the login name\n"
    "  --listen HOST:PORT    where others dial; port 0: any; none: not at all\n"
    "                        default: 127.0.0.1:6684 or the next free port\n"
    "  --connect HOST:PORT   keep a link to that node; may be repeated\n"
    "  --load SCRIPT         run a Lua script; may be repeated\n"
    "  --network FILE|PASSPHRASE\n"
    "                        the key all members share; with a / in it, a file,\n"
    "                        which is safer: others may see arguments; 64 hex\n"
    "                        digits are the key itself\n"
    "  --open, --no-open     listen beyond this machine without a network key\n"
    "  --advertise HOST:PORT|none\n"
    "                        the address others are told to dial\n"
    "  --ttl DUR             how long a message waits for its recipient: 12h, 7d;\n"
    "                        at most 30d, default: 7d\n"
    "  --retries N           how often one is sent again when nobody confirms it,\n"
    "                        though there is a route; default: 0, no limit\n"
    "  --color auto|on|off   default: auto, at a terminal unless NO_COLOR is set\n"
    "  --light, --no-light   show light messages at the prompt\n"
    "  --log LEVEL           debug, info, warn or error; default: warn\n"
    "  --limit NAME=N        another bound than status shows; may be repeated\n"
    "  --help, --version\n"
    "\n"
    "Without a terminal commands come from standard input, a line each.\n"
    "example: moth --name ana --connect 192.0.2.1:6684\n";

static const char run[] =
    "usage: moth run [OPTION]... [SCRIPT]...\n"
    "\n"
    "Starts a node without a shell and runs the Lua scripts on it until a signal\n"
    "ends it. It reads no input; moth attach and moth do reach it. Scripts given\n"
    "here, or with --load, replace the list in config.lua.\n"
    "\n"
    "options: those of moth; moth --help lists them\n"
    "\n"
    "example: moth run --name echo bots/echo.lua\n";

static const char attach[] =
    "usage: moth attach [--home DIR] [--color auto|on|off]\n"
    "\n"
    "Opens a shell on the node that runs on that home folder, beside others that\n"
    "may be there. quit or Ctrl-D ends the shell only; stop ends the node.\n"
    "\n"
    "  --home DIR            of the node; default: as for moth\n"
    "  --color auto|on|off   default: auto, at a terminal unless NO_COLOR is set\n"
    "\n"
    "example: moth attach\n";

static const char do_one[] =
    "usage: moth do [--home DIR] [--json] COMMAND...\n"
    "\n"
    "Has the node that runs on that home folder do one command, prints the answer\n"
    "and ends with status 0, or with 1 when it failed. All that follows the first\n"
    "word of the command belongs to it.\n"
    "\n"
    "  --home DIR            of the node; default: as for moth\n"
    "  --json                print the answer as JSON\n"
    "\n"
    "example: moth do send eva good morning\n"
    "         moth do --json status | jq .\n";

static const char doctor[] =
    "usage: moth doctor [--home DIR] [--listen HOST:PORT] [--network FILE] [--open]\n"
    "\n"
    "Looks at keys, permissions, database, disk, ports and clock, and says for all\n"
    "that is not well what helps. It changes nothing. Status 1: something is BAD.\n"
    "\n"
    "  --home DIR            of the node; default: as for moth\n"
    "  --listen, --network, --open, --no-open\n"
    "                        as they will be given to moth\n"
    "\n"
    "example: moth doctor\n";

static const char join[] =
    "usage: moth join [OPTION]... LINE\n"
    "\n"
    "Starts a node and a shell, in the network and with a link to the node whose\n"
    "command invite printed that line. The line may hold the network's key: keep\n"
    "it between friends.\n"
    "\n"
    "options: those of moth; moth --help lists them\n"
    "\n"
    "example: moth join moth1:AQAAf38...\n";

static const char config[] =
    "usage: moth config\n"
    "\n"
    "Prints a config.lua in which every setting is explained and none is set. In\n"
    "the home folder it is read at each start; what the command line says goes\n"
    "before it.\n"
    "\n"
    "example: moth config >~/.local/share/moth/config.lua\n";

static const char lab[] =
    "usage: moth lab [OPTION]... FILE...\n"
    "\n"
    "Runs the networks that Lua files describe with lab(name, fn), and the specs of\n"
    "bots in test(name, fn): real nodes on an imaginary wire, in virtual time. All\n"
    "chance comes from a seed, so a run that failed fails again. Paths in a file\n"
    "start where moth was started. Status 1: one failed.\n"
    "\n"
    "  --seed S              the seed, and one run with it; default: 1\n"
    "  --seeds N             so many seeds, from 1 or --seed on\n"
    "  --only NAME           only the lab or test of that name\n"
    "  --jobs N              processes at a time; default: one for each processor\n"
    "  --check-determinism   run each seed twice and compare everything that\n"
    "                        happened\n"
    "\n"
    "example: moth lab --seeds 100 partition.lua\n";

const char *options_help_of(enum program program)
{
    static const char *const pages[PROGRAM_COUNT] = {
        [PROGRAM_SHELL] = options_help, [PROGRAM_RUN] = run,   [PROGRAM_ATTACH] = attach, [PROGRAM_DO] = do_one,
        [PROGRAM_DOCTOR] = doctor,      [PROGRAM_JOIN] = join, [PROGRAM_CONFIG] = config,
        [PROGRAM_LAB] = lab};
    return pages[program];
}
