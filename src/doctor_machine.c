/* doctor_machine.c -- what a node needs of the machine: room on the disk, an address, a clock, open files. */
#include "doctor_private.h"

#include "net/transport.h"
#include "proto/address.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#define MIB (1u << 20)
#define FREE_BAD_MIB 32u /* the ballast, and a little */
#define FREE_WARN_MIB 256u
#define PORTS_TRIED 100u
#define YEAR_2025_S INT64_C(1735689600)
#define YEAR_2200_S INT64_C(7258118400)
#define OWN_FILES 64u /* database, log, terminals, guests */

/* --- disk --- */

/* Of the folder, or of the nearest one above it that is there. */
static int look_at_disk(const char *home, struct statvfs *out)
{
    char path[OPTIONS_PATH_BYTES];
    snprintf(path, sizeof path, "%s", home);
    for (;;) {
        if (statvfs(path, out) == 0) return 0;
        char *slash = strrchr(path, '/');
        if (errno != ENOENT || !slash) return errno;
        slash[slash == path] = '\0';
    }
}

void doctor_disk(struct doctor *d)
{
    struct statvfs s;
    char shown[DOCTOR_SHOWN_BYTES];
    int error = look_at_disk(d->o->home, &s);
    uint64_t free_mib = error == 0 ? (uint64_t)s.f_bavail * s.f_frsize / MIB : 0;
    doctor_show(d->o->home, shown);
    if (error != 0) {
        doctor_say(d, VERDICT_WARN, "disk", "it cannot be looked at: %s", strerror(error));
    } else if (s.f_flag & ST_RDONLY) {
        doctor_say(d, VERDICT_BAD, "disk", "the one that holds the home cannot be written");
    } else if (free_mib < FREE_WARN_MIB) {
        enum verdict verdict = free_mib < FREE_BAD_MIB ? VERDICT_BAD : VERDICT_WARN;
        doctor_say(d, verdict, "disk", "%llu MiB are free: what is not on the disk is not promised",
                   (unsigned long long)free_mib);
    } else {
        doctor_say(d, VERDICT_OK, "disk", "%llu MiB are free", (unsigned long long)free_mib);
        return;
    }
    doctor_help("df -h %s", shown);
}

/* --- listening --- */

/* As the node sees it: by number, or by the one well-known name. */
static bool is_loopback(const char *host)
{
    struct address a;
    char text[HOST_TEXT_BYTES + 10];
    if (strcmp(host, "localhost") == 0) return true;
    snprintf(text, sizeof text, strchr(host, ':') ? "[%s]:1" : "%s:1", host);
    return address_parse(text, &a) == 0 && address_scope(&a) == ADDRESS_LOOPBACK;
}

/* 0 or an errno. The socket never listens: nobody sees it. */
static int try_address(const struct addrinfo *a)
{
    int on = 1, error = 0, fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return errno;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, a->ai_addr, a->ai_addrlen) < 0) error = errno;
    close(fd);
    return error;
}

static int try_port(const char *host, unsigned port)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    char service[8];
    snprintf(service, sizeof service, "%u", port);
    if (getaddrinfo(host, service, &hints, &found) != 0) return EADDRNOTAVAIL;
    int error = try_address(found);
    freeaddrinfo(found);
    return error;
}

static void say_port(struct doctor *d, const char *host, unsigned port, int error)
{
    const char *listen = d->o->listen;
    if (error == 0) {
        doctor_say(d, VERDICT_OK, "listen", "%s port %u is free", host, port);
    } else if (error == EADDRINUSE) {
        doctor_say(d, VERDICT_BAD, "listen", "another program listens on %s", listen);
        doctor_help("ss -ltnp 'sport = :%u'", port);
    } else if (error == EACCES) {
        doctor_say(d, VERDICT_BAD, "listen", "%s: this port is not for everybody", listen);
        doctor_help("moth --listen %s:6684", host);
    } else {
        doctor_say(d, VERDICT_BAD, "listen", "%s is no address of this machine", listen);
        doctor_help("ip -brief address");
    }
}

static void try_ports(struct doctor *d, const char *host, unsigned port)
{
    int error = try_port(host, port);
    for (unsigned i = 1; error == EADDRINUSE && !d->o->has_listen && i < PORTS_TRIED && port < 65535; i++)
        error = try_port(host, ++port);
    say_port(d, host, port, error);
}

void doctor_listen(struct doctor *d)
{
    const struct options *o = d->o;
    char host[HOST_TEXT_BYTES];
    uint16_t port;
    if (d->runs) {
        doctor_say(d, VERDICT_OK, "listen", "the node that runs does");
    } else if (!o->listen) {
        doctor_say(d, VERDICT_OK, "listen", "not at all, as it was asked for");
    } else if (host_port_parse(o->listen, host, &port) < 0) {
        doctor_say(d, VERDICT_BAD, "listen", "%s is no address; IPv6 stands in brackets", o->listen);
        doctor_help("moth --listen '[::1]:6684'");
    } else if (!is_loopback(host) && !o->network && !o->open) {
        doctor_say(d, VERDICT_BAD, "listen", "%s may let other machines in, and there is no network key", o->listen);
        doctor_help("moth --listen %s --network ./FILE", o->listen);
    } else {
        try_ports(d, host, port);
    }
}

/* --- clock --- */

void doctor_clock(struct doctor *d)
{
    time_t now = time(NULL);
    char text[32];
    strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", localtime(&now));
    if (now < YEAR_2025_S || now > YEAR_2200_S) {
        doctor_say(d, VERDICT_BAD, "clock", "it says %s: messages would carry that time", text);
    } else if (d->ahead_s > DOCTOR_DAY_S) {
        doctor_say(d, VERDICT_WARN, "clock", "it says %s, and %lld days later this home was used: did it go back?",
                   text, (long long)d->ahead_s / DOCTOR_DAY_S);
    } else {
        doctor_say(d, VERDICT_OK, "clock", "%s", text);
        return;
    }
    doctor_help("sudo timedatectl set-ntp true");
}

/* --- open files --- */

static uint64_t limit(const struct options *o, enum moth_limit i)
{
    return o->limits[i] != 0 ? o->limits[i] : moth_limit_info(i)->value;
}

void doctor_open_files(struct doctor *d)
{
    struct rlimit files;
    uint64_t links = limit(d->o, MOTH_LIMIT_LINKS);
    uint64_t needed = links + limit(d->o, MOTH_LIMIT_UNAUTHENTICATED) + OWN_FILES;
    if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur >= needed) {
        doctor_say(d, VERDICT_OK, "files", "enough may be open for %llu links", (unsigned long long)links);
        return;
    }
    doctor_say(d, VERDICT_WARN, "files", "%llu may be open at once, %llu links would need %llu",
               (unsigned long long)files.rlim_cur, (unsigned long long)links, (unsigned long long)needed);
    doctor_help("ulimit -n %llu", (unsigned long long)needed);
}
