/* test_doctor.c -- what the doctor finds in homes that are well, fresh, left by a crash, or wrong in one way; and that
 * looking changes nothing. The homes are made by the node itself. */
#include "doctor.h"

#include "moth/loop.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SAID_BYTES 16384
#define SNAPSHOT_BYTES 4096
#define DAY_S 86400

static char folder[64], home[256], said[SAID_BYTES];
static int status;

/* --- running it --- */

static void read_back(FILE *f)
{
    rewind(f);
    said[fread(said, 1, sizeof said - 1, f)] = '\0';
}

/* Runs the doctor on `home`; its standard output goes to `said`. */
static void run_doctor(char **arguments, int count)
{
    char *argv[16] = {(char *)(uintptr_t) "moth", (char *)(uintptr_t) "doctor", (char *)(uintptr_t) "--home", home};
    char why[OPTIONS_WHY_BYTES];
    struct options options;
    FILE *f = tmpfile();
    for (int i = 0; i < count; i++) argv[4 + i] = arguments[i];
    if (options_parse(4 + count, argv, &options, why) < 0) fail_msg("%s", why);
    assert_non_null(f);
    fflush(stdout);
    int before = dup(STDOUT_FILENO);
    dup2(fileno(f), STDOUT_FILENO);
    status = doctor_run(&options);
    dup2(before, STDOUT_FILENO);
    close(before);
    read_back(f);
    fclose(f);
    options_free(&options);
}

#define DOCTOR(...) \
    run_doctor((char *[]){__VA_ARGS__, NULL}, (int)(sizeof((char *[]){__VA_ARGS__, NULL}) / sizeof(char *)) - 1)

static void look(void)
{
    DOCTOR("--listen", "127.0.0.1:0");
}

static void expect_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void expect_line(const char *format, ...)
{
    char line[1024] = "\n", text[SAID_BYTES + 2];
    va_list args;
    va_start(args, format);
    vsnprintf(line + 1, sizeof line - 1, format, args);
    va_end(args);
    snprintf(text, sizeof text, "\n%s", said);
    if (!strstr(text, line)) fail_msg("no line begins with: %s\nin:\n%s", line + 1, said);
}

static void expect_status(int expected)
{
    if (status != expected) fail_msg("status %d:\n%s", status, said);
}

/* One thing is BAD, and this helps. */
static void expect_bad(const char *what, const char *finding, const char *help)
{
    expect_line("BAD   %-10s  %s", what, finding);
    expect_line("                  try: %s", help);
    expect_line("1 BAD, ");
    expect_status(1);
}

static void expect_warning(const char *what, const char *finding, const char *help)
{
    expect_line("warn  %-10s  %s", what, finding);
    expect_line("                  try: %s", help);
    expect_line("nothing is bad, 1 to be warned of");
    expect_status(0);
}

/* Good for the next three calls. */
static const char *text(const char *format, ...) __attribute__((format(printf, 1, 2)));
static const char *text(const char *format, ...)
{
    static char out[4][512];
    static unsigned next;
    char *at = out[next++ % 4];
    va_list args;
    va_start(args, format);
    vsnprintf(at, sizeof out[0], format, args);
    va_end(args);
    return at;
}

/* --- homes --- */

static void on_event(void *owner, const struct moth_event *event)
{
    (void)owner, (void)event;
}

/* A node lives in the home for a moment, to its end or to a sudden one. */
static void live(bool crash)
{
    struct moth_loop *loop;
    struct moth_node *node;
    struct moth_config config = {.name = "ana"};
    struct moth_id self;
    const struct moth_payload payload = {.encoding = MOTH_TEXT, .data = "hi", .bytes = 2};
    uint64_t id;
    if (moth_loop_open(home, &loop) < 0) _exit(1);
    if (moth_node_open(&config, moth_loop_host(loop), moth_loop_transport(loop), on_event, NULL, &node) < 0) _exit(2);
    self = *moth_node_id(node);
    if (moth_send(node, &self, &payload, NULL, &id) < 0) _exit(3);
    if (crash) raise(SIGKILL);
    moth_node_close(node);
    _exit(moth_loop_close(loop) < 0 ? 4 : 0);
}

static void make_home(bool crash)
{
    int ended;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) live(crash);
    assert_int_equal(waitpid(child, &ended, 0), child);
    assert_int_equal(ended, crash ? SIGKILL : 0);
}

static const char *in_home(const char *name)
{
    return text("%s/%s", home, name);
}

static void write_at(const char *name, long offset, const void *data, size_t bytes)
{
    FILE *f = fopen(in_home(name), offset < 0 ? "w" : "r+");
    assert_non_null(f);
    if (offset >= 0) assert_int_equal(fseek(f, offset, SEEK_SET), 0);
    assert_int_equal(fwrite(data, 1, bytes, f), bytes);
    assert_int_equal(fclose(f), 0);
    if (offset < 0) assert_int_equal(chmod(in_home(name), 0600), 0);
}

/* Names, sizes, modes, times and a sum of the bytes of all that is in the home. */
static void take_snapshot(char out[SNAPSHOT_BYTES])
{
    struct dirent **names;
    int count = scandir(home, &names, NULL, alphasort);
    size_t used = 0;
    assert_true(count > 2);
    for (int i = 0; i < count; i++) {
        struct stat s;
        uint64_t sum = 5381;
        FILE *f = fopen(in_home(names[i]->d_name), "r");
        assert_int_equal(stat(in_home(names[i]->d_name), &s), 0);
        for (int c; f && S_ISREG(s.st_mode) && (c = getc(f)) != EOF;) sum = sum * 33 + (unsigned)c;
        if (f) fclose(f);
        used += (size_t)snprintf(out + used, SNAPSHOT_BYTES - used, "%s %lld %o %lld.%09ld %llx\n", names[i]->d_name,
                                 (long long)s.st_size, s.st_mode, (long long)s.st_mtim.tv_sec, s.st_mtim.tv_nsec,
                                 (unsigned long long)sum);
        assert_true(used < SNAPSHOT_BYTES);
        free(names[i]);
    }
    free(names);
}

static int set_up(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/moth-doctor-XXXXXX");
    if (!mkdtemp(folder)) return -1;
    snprintf(home, sizeof home, "%s/home", folder);
    unsetenv("XDG_DATA_HOME");
    return 0;
}

static void remove_all(const char *path)
{
    struct dirent **names;
    chmod(path, 0700);
    int count = scandir(path, &names, NULL, NULL);
    for (int i = 0; i < count; i++) {
        if (strcmp(names[i]->d_name, ".") != 0 && strcmp(names[i]->d_name, "..") != 0) {
            char inner[512];
            snprintf(inner, sizeof inner, "%s/%s", path, names[i]->d_name);
            remove_all(inner);
        }
        free(names[i]);
    }
    if (count >= 0) free(names);
    remove(path);
}

static int tear_down(void **state)
{
    (void)state;
    remove_all(folder);
    return 0;
}

/* --- what is well --- */

static void test_a_fresh_home_is_well_and_stays_unmade(void **state)
{
    struct stat s;
    (void)state;
    look();
    expect_line("ok    home        %s is not there yet: the first start makes it", home);
    expect_line("ok    identity    no identity yet: the first start makes one");
    expect_line("ok    database    none yet");
    expect_line("ok    listen      127.0.0.1 port 0 is free");
    expect_line("all is well");
    expect_status(0);
    assert_int_equal(stat(home, &s), -1);
}

static void test_a_home_that_is_well_is_called_so(void **state)
{
    (void)state;
    make_home(false);
    look();
    expect_line("ok    home        %s, yours alone", home);
    expect_line("ok    node        none runs on this home");
    expect_line("ok    config      there is no config.lua, and none is needed (moth config prints one)");
    expect_line("ok    network     no key is given: the open network");
    expect_line("ok    reserve     the last numbers of messages are there");
    expect_line("ok    database    whole, version ");
    expect_line("ok    disk        ");
    expect_line("ok    clock       20");
    expect_line("all is well");
    expect_status(0);
}

static void test_the_id_is_the_nodes_own(void **state)
{
    static const uint8_t seed[32] = "the same seed gives the same id"; /* and a zero */
    (void)state;
    make_home(false);
    write_at("identity", -1, seed, sizeof seed);
    look();
    char *line = strstr(said, "identity    ");
    assert_non_null(line);
    assert_int_equal(strspn(line + 12, "0123456789abcdef"), 32);
    assert_int_equal(strncmp(line + 12 + 32, ", yours alone\n", 14), 0);
    char first[33];
    memcpy(first, line + 12, 32);
    first[32] = '\0';
    look();
    expect_line("ok    identity    %s, yours alone", first);
}

static void test_looking_changes_nothing(void **state)
{
    static char before[SNAPSHOT_BYTES], after[SNAPSHOT_BYTES];
    (void)state;
    for (int crash = 0; crash < 2; crash++) {
        make_home(crash);
        take_snapshot(before);
        assert_int_equal(strstr(before, "\nmoth.db-wal ") != NULL, crash);
        look();
        expect_status(0);
        take_snapshot(after);
        assert_string_equal(before, after);
    }
}

static void test_a_database_with_its_log_is_read_together(void **state)
{
    (void)state;
    make_home(true);
    look();
    expect_line("ok    database    whole, version ");
    assert_non_null(strstr(said, "; it was not closed in order: the next start checks it, too\n"));
    expect_status(0);
}

static void test_an_odd_path_is_no_obstacle(void **state)
{
    (void)state;
    snprintf(home, sizeof home, "%s/my %%41?home's #1", folder);
    make_home(true);
    look();
    expect_line("ok    database    whole, version ");
    assert_int_equal(chmod(home, 0755), 0);
    look();
    expect_bad("home", home, text("chmod 700 '%s/my %%41?home'\\''s #1'", folder));
}

/* --- the home --- */

static void test_a_home_that_others_can_enter_is_bad(void **state)
{
    (void)state;
    make_home(false);
    assert_int_equal(chmod(home, 0750), 0);
    look();
    expect_bad("home", text("%s: others can look into it or change it", home), text("chmod 700 %s", home));
}

static void test_a_home_that_is_a_file_is_bad(void **state)
{
    (void)state;
    assert_int_equal(close(open(home, O_CREAT | O_WRONLY, 0600)), 0);
    look();
    expect_bad("home", text("%s is no folder", home), text("mv %s %s.old", home, home));
    assert_null(strstr(said, "identity"));
}

static void test_a_home_of_another_user_is_bad(void **state)
{
    (void)state;
    if (geteuid() != 0) skip();
    make_home(false);
    assert_int_equal(chown(home, 4711, 4711), 0);
    look();
    expect_bad("home", text("%s belongs to another user", home), text("sudo chown -R root %s", home));
}

/* --- identity and reserve --- */

static void test_an_identity_that_others_can_read_is_bad(void **state)
{
    (void)state;
    make_home(false);
    assert_int_equal(chmod(in_home("identity"), 0640), 0);
    look();
    expect_bad("identity", text("others can read or change %s/identity", home), text("chmod 600 %s/identity", home));
}

static void test_a_damaged_identity_is_bad(void **state)
{
    static const char seed[33] = "";
    const size_t sizes[] = {0, 31, 33};
    (void)state;
    make_home(false);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        write_at("identity", -1, seed, sizes[i]);
        look();
        expect_bad("identity", text("%s/identity is damaged: it does not have 32 bytes", home),
                   text("cp BACKUP/identity %s/identity", home));
    }
}

static void test_an_identity_that_is_gone_is_bad(void **state)
{
    (void)state;
    make_home(false);
    assert_int_equal(unlink(in_home("identity")), 0);
    look();
    expect_bad("identity", text("%s/identity is gone, though this home was used: the next start makes a new id", home),
               text("cp BACKUP/identity %s/identity", home));
}

static void test_an_identity_that_is_no_file_is_bad(void **state)
{
    (void)state;
    make_home(false);
    assert_int_equal(unlink(in_home("identity")), 0);
    assert_int_equal(mkdir(in_home("identity"), 0700), 0);
    look();
    expect_bad("identity", text("%s/identity is no regular file", home),
               text("mv %s/identity %s/identity.old", home, home));
}

static void test_a_damaged_reserve_is_bad(void **state)
{
    (void)state;
    make_home(false);
    write_at("reserve", 20, "x", 1);
    look();
    expect_bad("reserve", text("%s/reserve, where the last numbers of messages stand: it is damaged", home),
               text("cp BACKUP/reserve %s/reserve", home));
}

/* --- the database --- */

static void test_a_damaged_database_is_bad(void **state)
{
    char zeros[4096];
    (void)state;
    make_home(false);
    memset(zeros, 0xa5, sizeof zeros);
    write_at("moth.db", 2 * 4096, zeros, sizeof zeros);
    look();
    expect_bad("database", text("%s/moth.db is damaged: the next start sets it aside and keeps what can be read", home),
               text("cp -p %s/moth.db %s/moth.db.copy && moth", home, home));
}

static void test_what_is_no_database_is_bad(void **state)
{
    (void)state;
    make_home(false);
    write_at("moth.db", 0, "This is no database", 19);
    look();
    expect_line("BAD   database    %s/moth.db is damaged", home);
    expect_status(1);
}

static void test_a_newer_database_is_bad(void **state)
{
    (void)state;
    make_home(false);
    write_at("moth.db", 60, "\0\0\3\347", 4); /* SQLite's user_version */
    look();
    expect_bad("database", text("%s/moth.db is of a newer moth (version 999, this one knows ", home),
               text("moth --home %s.new, or start that newer moth", home));
}

static void test_an_empty_database_is_fine(void **state)
{
    (void)state;
    make_home(false);
    write_at("moth.db", -1, "", 0);
    look();
    expect_line("ok    database    empty");
    expect_status(0);
}

static void test_a_database_that_others_can_read_is_bad(void **state)
{
    (void)state;
    make_home(false);
    assert_int_equal(chmod(in_home("moth.db"), 0644), 0);
    look();
    expect_bad("database", text("others can read or change %s/moth.db", home), text("chmod 600 %s/moth.db", home));
}

/* --- configuration and network --- */

static void test_a_config_that_is_wrong_is_bad(void **state)
{
    (void)state;
    make_home(false);
    write_at("config.lua", -1, "opne = true", 11);
    look();
    expect_bad("config", "config.lua:1: there is no key opne (did you mean open?)",
               text("${EDITOR:-vi} %s/config.lua", home));
    write_at("config.lua", -1, "open = true", 11);
    look();
    expect_line("ok    config      config.lua is well");
    expect_status(0);
}

static void test_a_network_key_is_nobody_elses(void **state)
{
    (void)state;
    make_home(false);
    write_at("net", -1, "secret\n", 7);
    const char *path = in_home("net");
    DOCTOR("--listen", "none", "--network", (char *)(uintptr_t)path);
    expect_line("ok    network     its key is in %s/net, yours alone", home);
    expect_line("ok    listen      not at all, as it was asked for");
    expect_status(0);
    assert_int_equal(chmod(path, 0644), 0);
    DOCTOR("--listen", "none", "--network", (char *)(uintptr_t)path);
    expect_bad("network", text("others can read or change %s/net", home), text("chmod 600 %s/net", home));
}

static void test_a_network_key_that_is_missing_or_empty_is_bad(void **state)
{
    (void)state;
    make_home(false);
    DOCTOR("--listen", "none", "--network", (char *)(uintptr_t)in_home("net"));
    expect_bad("network", text("%s/net cannot be read: No such file or directory", home), text("ls -l %s/net", home));
    write_at("net", -1, "  \nsecret", 9);
    DOCTOR("--listen", "none", "--network", (char *)(uintptr_t)in_home("net"));
    expect_bad("network", text("the first line of %s/net is no key: empty or too long", home),
               text("${EDITOR:-vi} %s/net", home));
}

static void test_a_passphrase_is_not_shown(void **state)
{
    (void)state;
    make_home(false);
    DOCTOR("--listen", "none", "--network", "open sesame");
    expect_line("ok    network     its key is given as a text");
    assert_null(strstr(said, "sesame"));
}

static void test_a_key_that_was_kept_is_looked_at(void **state)
{
    (void)state;
    make_home(false);
    write_at("network.key", -1, "secret\n", 7);
    assert_int_equal(chmod(in_home("network.key"), 0604), 0);
    look();
    expect_bad("network", text("others can read or change %s/network.key", home),
               text("chmod 600 %s/network.key", home));
}

/* --- a node that runs --- */

static struct moth_loop *occupy(void)
{
    struct moth_loop *loop;
    assert_int_equal(moth_loop_open(home, &loop), 0);
    return loop;
}

static void test_a_node_that_runs_is_left_in_peace(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)state;
    make_home(false);
    struct moth_loop *loop = occupy();
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    const char *path = in_home("shell.sock");
    assert_true(strlen(path) < sizeof address.sun_path);
    memcpy(address.sun_path, path, strlen(path));
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 1), 0);
    look();
    close(fd);
    moth_loop_close(loop);
    expect_line("ok    node        one runs on this home, and moth attach reaches it");
    expect_line("ok    database    held by the node that runs: not looked into");
    expect_line("ok    listen      the node that runs does");
    expect_status(0);
}

static void test_a_node_whose_socket_is_silent_is_bad(void **state)
{
    (void)state;
    make_home(false);
    struct moth_loop *loop = occupy();
    look();
    moth_loop_close(loop);
    expect_bad("node", "one runs, and moth attach cannot reach it: No such file or directory",
               text("fuser -k -TERM %s/lock && moth --home %s", home, home));
}

static void test_a_home_with_too_long_a_path_for_a_socket_is_a_warning(void **state)
{
    (void)state;
    snprintf(home, sizeof home, "%s/%090d", folder, 0);
    make_home(false);
    struct moth_loop *loop = occupy();
    look();
    moth_loop_close(loop);
    expect_warning("node", "one runs, and moth attach cannot reach it: its home has too long a path",
                   "moth --home SHORTER");
}

/* --- the machine --- */

static void test_an_address_that_is_taken_is_bad(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof address;
    (void)state;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &bytes), 0);
    unsigned port = ntohs(address.sin_port);
    DOCTOR("--listen", (char *)(uintptr_t)text("127.0.0.1:%u", port));
    close(fd);
    expect_bad("listen", text("another program listens on 127.0.0.1:%u", port), text("ss -ltnp 'sport = :%u'", port));
}

static void test_an_address_of_another_machine_is_bad(void **state)
{
    (void)state;
    DOCTOR("--open", "--listen", "192.0.2.1:0");
    expect_bad("listen", "192.0.2.1:0 is no address of this machine", "ip -brief address");
}

static void test_an_address_that_cannot_be_is_bad(void **state)
{
    (void)state;
    DOCTOR("--listen", "::1:6684");
    expect_bad("listen", "::1:6684 is no address; IPv6 stands in brackets", "moth --listen '[::1]:6684'");
}

static void test_listening_beyond_this_machine_needs_a_key(void **state)
{
    (void)state;
    DOCTOR("--listen", "0.0.0.0:0");
    expect_bad("listen", "0.0.0.0:0 may let other machines in, and there is no network key",
               "moth --listen 0.0.0.0:0 --network ./FILE");
    DOCTOR("--listen", "0.0.0.0:0", "--open");
    expect_line("ok    listen      0.0.0.0 port 0 is free");
    DOCTOR("--listen", "localhost:0");
    expect_line("ok    listen      localhost port 0 is free");
}

static void test_the_default_address_finds_a_free_port(void **state)
{
    (void)state;
    run_doctor(NULL, 0);
    expect_line("ok    listen      127.0.0.1 port 6");
    expect_status(0);
}

static void test_a_clock_that_went_back_is_a_warning(void **state)
{
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_nsec = 0}};
    (void)state;
    make_home(false);
    times[1].tv_sec = time(NULL) + 3 * DAY_S + 60;
    assert_int_equal(utimensat(AT_FDCWD, in_home("moth.db"), times, 0), 0);
    look();
    expect_line("warn  clock       it says 20");
    assert_non_null(strstr(said, ", and 3 days later this home was used: did it go back?\n"));
    expect_line("                  try: sudo timedatectl set-ntp true");
    expect_status(0);
}

static void test_too_few_open_files_are_a_warning(void **state)
{
    struct rlimit before, few;
    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = before;
    few.rlim_cur = 100;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    look();
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    expect_warning("files", "100 may be open at once, 512 links would need 832", "ulimit -n 832");
}

static void test_limits_of_the_file_count_for_open_files(void **state)
{
    (void)state;
    make_home(false);
    write_at("config.lua", -1, "limits = {links = 500000}", 25);
    look();
    expect_line("warn  files       ");
    expect_line("                  try: ulimit -n 500320");
}

static void test_a_disk_that_is_nearly_full_is_bad(void **state)
{
    (void)state;
    assert_int_equal(mkdir(home, 0700), 0);
    if (unshare(CLONE_NEWNS) < 0 || mount("", "/", "", MS_REC | MS_PRIVATE, "") < 0 ||
        mount("tmpfs", home, "tmpfs", 0, "size=20m,mode=0700") < 0)
        skip();
    look();
    umount2(home, MNT_DETACH);
    expect_bad("disk", "20 MiB are free: what is not on the disk is not promised", text("df -h %s", home));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_a_fresh_home_is_well_and_stays_unmade),
        TEST(test_a_home_that_is_well_is_called_so),
        TEST(test_the_id_is_the_nodes_own),
        TEST(test_looking_changes_nothing),
        TEST(test_a_database_with_its_log_is_read_together),
        TEST(test_an_odd_path_is_no_obstacle),
        TEST(test_a_home_that_others_can_enter_is_bad),
        TEST(test_a_home_that_is_a_file_is_bad),
        TEST(test_a_home_of_another_user_is_bad),
        TEST(test_an_identity_that_others_can_read_is_bad),
        TEST(test_a_damaged_identity_is_bad),
        TEST(test_an_identity_that_is_gone_is_bad),
        TEST(test_an_identity_that_is_no_file_is_bad),
        TEST(test_a_damaged_reserve_is_bad),
        TEST(test_a_damaged_database_is_bad),
        TEST(test_what_is_no_database_is_bad),
        TEST(test_a_newer_database_is_bad),
        TEST(test_an_empty_database_is_fine),
        TEST(test_a_database_that_others_can_read_is_bad),
        TEST(test_a_config_that_is_wrong_is_bad),
        TEST(test_a_network_key_is_nobody_elses),
        TEST(test_a_network_key_that_is_missing_or_empty_is_bad),
        TEST(test_a_passphrase_is_not_shown),
        TEST(test_a_key_that_was_kept_is_looked_at),
        TEST(test_a_node_that_runs_is_left_in_peace),
        TEST(test_a_node_whose_socket_is_silent_is_bad),
        TEST(test_a_home_with_too_long_a_path_for_a_socket_is_a_warning),
        TEST(test_an_address_that_is_taken_is_bad),
        TEST(test_an_address_of_another_machine_is_bad),
        TEST(test_an_address_that_cannot_be_is_bad),
        TEST(test_listening_beyond_this_machine_needs_a_key),
        TEST(test_the_default_address_finds_a_free_port),
        TEST(test_a_clock_that_went_back_is_a_warning),
        TEST(test_too_few_open_files_are_a_warning),
        TEST(test_limits_of_the_file_count_for_open_files),
        TEST(test_a_disk_that_is_nearly_full_is_bad),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
