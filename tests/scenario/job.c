/* job.c -- reading /proc for job.h. */
#include "job.h"

#include <ctype.h>
#include <dirent.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

struct facts {
    char state;
    int session, foreground;
    unsigned long ticks;
};

static bool read_facts(int pid, struct facts *out)
{
    char path[64];
    unsigned long user, kernel;
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *file = fopen(path, "r");
    if (!file) return false;
    int found = fscanf(file, "%*d (%*[^)]) %c %*d %*d %d %*d %d %*u %*u %*u %*u %*u %lu %lu", &out->state,
                       &out->session, &out->foreground, &user, &kernel);
    fclose(file);
    if (found != 5) return false;
    out->ticks = user + kernel;
    return true;
}

int job_foreground(int pid)
{
    struct facts facts;
    return read_facts(pid, &facts) ? facts.foreground : 0;
}

unsigned long job_ticks(int pid)
{
    struct facts facts;
    return read_facts(pid, &facts) ? facts.ticks : 0;
}

int job_kill_session(int pid)
{
    DIR *folder = opendir("/proc");
    struct facts facts;
    int alive = 0;
    if (!folder) return 0;
    for (struct dirent *entry; (entry = readdir(folder));) {
        int member = isdigit((unsigned char)entry->d_name[0]) ? atoi(entry->d_name) : 0;
        if (member == 0 || !read_facts(member, &facts) || facts.session != pid || facts.state == 'Z') continue;
        kill(member, SIGKILL);
        alive++;
    }
    closedir(folder);
    return alive;
}
