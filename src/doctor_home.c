/* doctor_home.c -- what is in the home folder: whose it is, who can read it, and whether it can be understood.
 *
 * The node's own code reads the files wherever it can do that without writing; the reserve is opened through a host
 * whose writes go nowhere. */
#include "doctor_private.h"

#include "attach.h"
#include "base/home.h"
#include "base/netkey.h"
#include "node/reserve.h"
#include "node/store_check.h"
#include "proto/identity.h"
#include "script/config.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define OTHERS (S_IRWXG | S_IRWXO)
#define DATABASE "moth.db"
#define SEED_BYTES 32

/* --- the folder --- */

static const char *user_name(void)
{
    const struct passwd *user = getpwuid(geteuid());
    return user ? user->pw_name : "$USER";
}

static void judge_home(struct doctor *d, const struct stat *s, const char *shown)
{
    const char *home = d->o->home;
    if (!S_ISDIR(s->st_mode)) {
        doctor_say(d, VERDICT_BAD, "home", "%s is no folder", home);
        doctor_help("mv %s %s.old", shown, shown);
        d->is_hopeless = true;
    } else if (s->st_uid != geteuid()) {
        doctor_say(d, VERDICT_BAD, "home", "%s belongs to another user", home);
        doctor_help("sudo chown -R %s %s", user_name(), shown);
    } else if (s->st_mode & OTHERS) {
        doctor_say(d, VERDICT_BAD, "home", "%s: others can look into it or change it", home);
        doctor_help("chmod 700 %s", shown);
    } else if (access(home, R_OK | W_OK | X_OK) < 0) {
        doctor_say(d, VERDICT_BAD, "home", "%s cannot be written: %s", home, strerror(errno));
        doctor_help("chmod 700 %s", shown);
    } else {
        doctor_say(d, VERDICT_OK, "home", "%s, yours alone", home);
    }
}

void doctor_home(struct doctor *d)
{
    struct stat s;
    char shown[DOCTOR_SHOWN_BYTES];
    doctor_show(d->o->home, shown);
    if (stat(d->o->home, &s) == 0) {
        judge_home(d, &s, shown);
    } else if (errno == ENOENT) {
        doctor_say(d, VERDICT_OK, "home", "%s is not there yet: the first start makes it", d->o->home);
    } else {
        doctor_say(d, VERDICT_BAD, "home", "%s cannot be looked at: %s", d->o->home, strerror(errno));
        doctor_help("ls -ld %s", shown);
        d->is_hopeless = true;
    }
}

/* --- a node that runs --- */

/* The lock of home.h; shared, so that two doctors do not disturb each other. */
static bool is_locked(struct doctor *d)
{
    struct doctor_path lock = doctor_find(d, "lock");
    d->lock_fd = open(lock.real, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (d->lock_fd < 0 || flock(d->lock_fd, LOCK_SH | LOCK_NB) == 0) return false;
    return errno == EWOULDBLOCK;
}

/* 0 or an errno. */
static int dial(const char *path)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof to.sun_path) return ENAMETOOLONG;
    memcpy(to.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return errno;
    int error = connect(fd, (const struct sockaddr *)&to, sizeof to) < 0 ? errno : 0;
    close(fd);
    return error;
}

static void complain_of_socket(struct doctor *d, int error)
{
    struct doctor_path lock = doctor_find(d, "lock");
    char home[DOCTOR_SHOWN_BYTES];
    doctor_show(d->o->home, home);
    if (error == ENAMETOOLONG) {
        doctor_say(d, VERDICT_WARN, "node", "one runs, and moth attach cannot reach it: its home has too long a path");
        doctor_help("moth --home SHORTER, once that node has ended and its home is moved there");
    } else {
        doctor_say(d, VERDICT_BAD, "node", "one runs, and moth attach cannot reach it: %s", strerror(error));
        doctor_help("fuser -k -TERM %s && moth --home %s", lock.shown, home);
    }
}

void doctor_node(struct doctor *d)
{
    struct doctor_path path = doctor_find(d, ATTACH_SOCKET);
    d->runs = is_locked(d);
    int error = d->runs ? dial(path.real) : 0;
    if (error != 0) complain_of_socket(d, error);
    else if (d->runs) doctor_say(d, VERDICT_OK, "node", "one runs on this home, and moth attach reaches it");
    else doctor_say(d, VERDICT_OK, "node", "none runs on this home");
}

/* --- files --- */

void doctor_config(struct doctor *d)
{
    struct doctor_path path = doctor_find(d, CONFIG_FILE);
    if (d->o->config_why[0] != '\0') {
        doctor_say(d, VERDICT_BAD, "config", "%s", d->o->config_why);
        doctor_help("${EDITOR:-vi} %s", path.shown);
    } else if (d->o->has_config) {
        doctor_say(d, VERDICT_OK, "config", CONFIG_FILE " is well");
    } else {
        doctor_say(d, VERDICT_OK, "config", "there is no " CONFIG_FILE ", and none is needed (moth config prints one)");
    }
}

static bool is_there(const struct doctor *d, const char *name)
{
    struct doctor_path path = doctor_find(d, name);
    struct stat s;
    return lstat(path.real, &s) == 0;
}

/* A file that is nobody else's business; complains and returns false when it is not so. */
static bool is_private(struct doctor *d, const char *what, const char *path, const char *shown)
{
    struct stat s;
    if (stat(path, &s) < 0 || access(path, R_OK) < 0) {
        doctor_say(d, VERDICT_BAD, what, "%s cannot be read: %s", path, strerror(errno));
        doctor_help("ls -l %s", shown);
    } else if (!S_ISREG(s.st_mode)) {
        doctor_say(d, VERDICT_BAD, what, "%s is no regular file", path);
        doctor_help("mv %s %s.old", shown, shown);
    } else if (s.st_mode & OTHERS) {
        doctor_say(d, VERDICT_BAD, what, "others can read or change %s", path);
        doctor_help("chmod 600 %s", shown);
    } else {
        return true;
    }
    return false;
}

static void say_id(struct doctor *d, const uint8_t seed[SEED_BYTES])
{
    struct identity who;
    char id[MOTH_ID_TEXT_BYTES];
    identity_from_seed(&who, seed);
    moth_id_format(&who.id, id);
    identity_wipe(&who);
    doctor_say(d, VERDICT_OK, "identity", "%s, yours alone", id);
}

static void read_identity(struct doctor *d, const struct doctor_path *path)
{
    const struct home home = {.path = (char *)(uintptr_t)d->o->home, .lock_fd = -1};
    uint8_t seed[SEED_BYTES];
    size_t bytes = 0;
    int rc = home_read(&home, "identity", seed, sizeof seed, &bytes);
    if (rc == 0 && bytes == sizeof seed) {
        say_id(d, seed);
    } else if (rc == 0 || rc == MOTH_ETOO_BIG) {
        doctor_say(d, VERDICT_BAD, "identity", "%s is damaged: it does not have 32 bytes", path->real);
        doctor_help("cp BACKUP/identity %s", path->shown);
    } else {
        doctor_say(d, VERDICT_BAD, "identity", "%s: %s", path->real, moth_error_text(rc));
        doctor_help("ls -l %s", path->shown);
    }
    crypto_wipe(seed, sizeof seed);
}

void doctor_identity(struct doctor *d)
{
    struct doctor_path path = doctor_find(d, "identity");
    if (is_there(d, "identity")) {
        if (is_private(d, "identity", path.real, path.shown)) read_identity(d, &path);
    } else if (is_there(d, "reserve")) {
        doctor_say(d, VERDICT_BAD, "identity", "%s is gone, though this home was used: the next start makes a new id",
                   path.real);
        doctor_help("cp BACKUP/identity %s", path.shown);
    } else {
        doctor_say(d, VERDICT_OK, "identity", "no identity yet: the first start makes one");
    }
}

/* --- the network key --- */

static bool has_first_line(const char *path)
{
    char line[NETKEY_LINE_BYTES_MAX + 2] = "";
    FILE *f = fopen(path, "re");
    if (!f) return false;
    setvbuf(f, NULL, _IONBF, 0); /* leave no copy of the secret behind */
    size_t bytes = fgets(line, sizeof line, f) ? strcspn(line, "\r\n") : 0;
    bool is_well = strspn(line, " \t") < bytes && bytes <= NETKEY_LINE_BYTES_MAX;
    fclose(f);
    crypto_wipe(line, sizeof line);
    return is_well;
}

static void check_key_file(struct doctor *d, const char *path)
{
    char shown[DOCTOR_SHOWN_BYTES];
    doctor_show(path, shown);
    if (!is_private(d, "network", path, shown)) return;
    if (has_first_line(path)) {
        doctor_say(d, VERDICT_OK, "network", "its key is in %s, yours alone", path);
    } else {
        doctor_say(d, VERDICT_BAD, "network", "the first line of %s is no key: empty or too long", path);
        doctor_help("${EDITOR:-vi} %s", shown);
    }
}

void doctor_network(struct doctor *d)
{
    const char *network = d->o->network;
    struct doctor_path kept = doctor_find(d, NETKEY_FILE);
    if (network && strchr(network, '/')) check_key_file(d, network);
    else if (is_there(d, NETKEY_FILE)) check_key_file(d, kept.real);
    if (network && !strchr(network, '/')) doctor_say(d, VERDICT_OK, "network", "its key is given as a text");
    else if (!network) doctor_say(d, VERDICT_OK, "network", "no key is given: the open network");
}

/* --- the reserve --- */

static int read_only_file_read(void *context, const char *name, void *data, size_t capacity, size_t *bytes)
{
    const struct doctor *d = context;
    const struct home home = {.path = (char *)(uintptr_t)d->o->home, .lock_fd = -1};
    return home_read(&home, name, data, capacity, bytes);
}

static int read_only_file_write(void *context, const char *name, const void *data, size_t bytes)
{
    (void)context, (void)name, (void)data, (void)bytes;
    return 0;
}

static uint64_t wall_ms(void *context)
{
    (void)context;
    return (uint64_t)time(NULL) * 1000;
}

/* Ids are made of milliseconds since 1970, twenty bits up. */
void doctor_reserve(struct doctor *d)
{
    struct reserve r;
    struct doctor_path path = doctor_find(d, "reserve");
    const struct moth_host host = {.context = d, .file_read = read_only_file_read, .file_write = read_only_file_write,
                                   .wall_ms = wall_ms};
    int rc = reserve_open(&r, &host);
    if (rc < 0) {
        const char *why = rc == MOTH_EMALFORMED ? "it is damaged" : moth_error_text(rc);
        doctor_say(d, VERDICT_BAD, "reserve", "%s, where the last numbers of messages stand: %s", path.real, why);
        doctor_help("cp BACKUP/reserve %s", path.shown);
        return;
    }
    if (r.was_used) d->ahead_s = (int64_t)(r.last_id >> 20) / 1000 - (int64_t)time(NULL);
    doctor_say(d, VERDICT_OK, "reserve", r.was_used ? "the last numbers of messages are there" : "none yet");
    reserve_close(&r);
}

/* --- the database --- */

static void say_facts(struct doctor *d, const struct store_facts *f)
{
    const char *end = f->was_clean ? "" : "; it was not closed in order: the next start checks it, too";
    if (f->version == 0) {
        doctor_say(d, VERDICT_OK, "database", "empty");
        return;
    }
    doctor_say(d, VERDICT_OK, "database", "whole, version %lld: %lld messages wait, %lld arrived, %lld peers known%s",
               (long long)f->version, (long long)f->waiting, (long long)f->arrived, (long long)f->peers, end);
}

static void judge_database(struct doctor *d, const struct doctor_path *path, int rc, const struct store_facts *f)
{
    char home[DOCTOR_SHOWN_BYTES];
    doctor_show(d->o->home, home);
    if (rc == 0) {
        say_facts(d, f);
    } else if (rc == MOTH_ENEWER) {
        doctor_say(d, VERDICT_BAD, "database", "%s is of a newer moth (version %lld, this one knows %lld)", path->real,
                   (long long)f->version, (long long)f->newest);
        doctor_help("moth --home %s.new, or start that newer moth", home);
    } else if (rc == MOTH_EDAMAGED) {
        doctor_say(d, VERDICT_BAD, "database", "%s is damaged: the next start sets it aside and keeps what can be read",
                   path->real);
        doctor_help("cp -p %s %s.copy && moth", path->shown, path->shown);
    } else {
        doctor_say(d, VERDICT_BAD, "database", "%s cannot be read: %s", path->real, moth_error_text(rc));
        doctor_help("ls -l %s*", path->shown);
    }
}

void doctor_database(struct doctor *d)
{
    struct doctor_path path = doctor_find(d, DATABASE), log = doctor_find(d, DATABASE "-wal");
    struct store_facts facts;
    struct stat s;
    if (!is_there(d, DATABASE)) {
        doctor_say(d, VERDICT_OK, "database", "none yet");
        return;
    }
    if (stat(path.real, &s) == 0 && s.st_mtime - time(NULL) > d->ahead_s) d->ahead_s = s.st_mtime - time(NULL);
    if (!is_private(d, "database", path.real, path.shown)) return;
    if (d->runs) {
        doctor_say(d, VERDICT_OK, "database", "held by the node that runs: not looked into");
        return;
    }
    bool has_log = stat(log.real, &s) == 0 && s.st_size > 0;
    int rc = store_check(d->o->home, has_log, &facts);
    judge_database(d, &path, rc, &facts);
}
