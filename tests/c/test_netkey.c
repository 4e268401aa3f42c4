/* test_netkey.c -- from --network to the key: files, passphrases, what is kept, what is refused. */
#include "base/netkey.h"

#include "base/crypto.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define DIGITS "000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F"
#define PATH_BYTES 128

/* A host that keeps one small file and the last warning. */
static struct outside {
    char folder[PATH_BYTES], path[PATH_BYTES];
    char kept_name[32], kept[128], warning[512];
    int write_rc;
} outside;

static int fake_write(void *context, const char *name, const void *data, size_t bytes)
{
    struct outside *o = context;
    assert_true(bytes < sizeof o->kept);
    snprintf(o->kept_name, sizeof o->kept_name, "%s", name);
    memcpy(o->kept, data, bytes);
    o->kept[bytes] = '\0';
    return o->write_rc;
}

static void fake_log(void *context, enum moth_log_level level, const char *text)
{
    struct outside *o = context;
    assert_int_equal(level, MOTH_LOG_WARN);
    snprintf(o->warning, sizeof o->warning, "%s", text);
}

static const struct moth_host host = {.context = &outside, .file_write = fake_write, .log = fake_log};

static int set_up(void **state)
{
    (void)state;
    memset(&outside, 0, sizeof outside);
    strcpy(outside.folder, "/tmp/moth-test-XXXXXX");
    if (!mkdtemp(outside.folder)) return -1;
    snprintf(outside.path, sizeof outside.path, "%.100s/key", outside.folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(outside.path);
    return rmdir(outside.folder);
}

static int load_bytes(const void *data, size_t bytes, uint8_t key[NETKEY_BYTES])
{
    FILE *f = fopen(outside.path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, bytes, f), bytes);
    fclose(f);
    chmod(outside.path, 0600);
    return netkey_load(&host, outside.path, key);
}

static int load_text(const char *text, uint8_t key[NETKEY_BYTES])
{
    return load_bytes(text, strlen(text), key);
}

/* What a passphrase must come to, by the header. */
static void expect_stretched(const char *passphrase, const uint8_t key[NETKEY_BYTES])
{
    uint8_t expected[NETKEY_BYTES];
    char text[2 * NETKEY_BYTES + 2];
    assert_int_equal(crypto_scrypt(slice_text(passphrase), slice_text("moth network 1"), expected), 0);
    assert_memory_equal(key, expected, NETKEY_BYTES);
    for (size_t i = 0; i < NETKEY_BYTES; i++) sprintf(text + 2 * i, "%02x", expected[i]);
    strcat(text, "\n");
    assert_string_equal(outside.kept_name, "network.key");
    assert_string_equal(outside.kept, text);
}

static void test_a_file_of_64_digits_is_the_key(void **state)
{
    uint8_t key[NETKEY_BYTES];
    (void)state;
    assert_int_equal(load_text(DIGITS "\n", key), 0);
    for (unsigned i = 0; i < NETKEY_BYTES; i++) assert_int_equal(key[i], i);
    assert_string_equal(outside.kept, "");
    assert_string_equal(outside.warning, "");
    assert_int_equal(load_text(DIGITS, key), 0);
    assert_int_equal(load_text(DIGITS "\r\nsecond line", key), 0);
    assert_string_equal(outside.kept, "");
}

static void test_a_passphrase_is_stretched_and_kept(void **state)
{
    uint8_t key[NETKEY_BYTES];
    (void)state;
    assert_int_equal(netkey_load(&host, "open sesame", key), 0);
    expect_stretched("open sesame", key);
    assert_string_equal(outside.warning, "");
}

static void test_what_was_kept_gives_the_same_key(void **state)
{
    uint8_t first[NETKEY_BYTES], again[NETKEY_BYTES];
    (void)state;
    assert_int_equal(netkey_load(&host, "open sesame", first), 0);
    assert_int_equal(load_text(outside.kept, again), 0);
    assert_memory_equal(first, again, NETKEY_BYTES);
}

static void test_the_first_line_of_a_file_is_a_passphrase(void **state)
{
    uint8_t key[NETKEY_BYTES];
    (void)state;
    assert_int_equal(load_text(" open sesame \r\nnot this\n", key), 0);
    expect_stretched(" open sesame", key);
}

static void test_blanks_at_the_end_do_not_count(void **state)
{
    uint8_t key[NETKEY_BYTES];
    (void)state;
    assert_int_equal(load_text("open sesame \t \r\n", key), 0);
    expect_stretched("open sesame", key);
    assert_int_equal(netkey_load(&host, "open sesame ", key), 0);
    expect_stretched("open sesame", key);
    assert_int_equal(load_text("  \n", key), MOTH_EARGUMENT);
}

static void test_64_digits_are_the_key_without_a_file_too(void **state)
{
    uint8_t key[NETKEY_BYTES];
    (void)state;
    assert_int_equal(netkey_load(&host, DIGITS, key), 0);
    for (unsigned i = 0; i < NETKEY_BYTES; i++) assert_int_equal(key[i], i);
    assert_string_equal(outside.kept, "");
}

static void test_almost_a_key_is_a_passphrase(void **state)
{
    uint8_t key[NETKEY_BYTES];
    char almost[] = DIGITS;
    (void)state;
    almost[63] = 'g';
    assert_int_equal(load_text(almost, key), 0);
    expect_stretched(almost, key);
}

static void test_an_empty_passphrase_is_refused(void **state)
{
    uint8_t key[NETKEY_BYTES];
    (void)state;
    assert_int_equal(netkey_load(&host, "", key), MOTH_EARGUMENT);
    assert_int_equal(load_text("", key), MOTH_EARGUMENT);
    assert_int_equal(load_text("\nsecond line", key), MOTH_EARGUMENT);
    assert_int_equal(load_text("\r\n", key), MOTH_EARGUMENT);
    assert_string_equal(outside.kept, "");
}

static void test_an_endless_passphrase_is_refused(void **state)
{
    uint8_t key[NETKEY_BYTES];
    char text[NETKEY_LINE_BYTES_MAX + 2];
    (void)state;
    memset(text, 'x', sizeof text);
    text[NETKEY_LINE_BYTES_MAX + 1] = '\0';
    assert_int_equal(netkey_load(&host, text, key), MOTH_ETOO_BIG);
    assert_int_equal(load_text(text, key), MOTH_ETOO_BIG);
    text[NETKEY_LINE_BYTES_MAX] = '\n';
    assert_int_equal(load_bytes(text, NETKEY_LINE_BYTES_MAX + 1, key), 0);
}

static void test_a_file_that_is_not_there_is_refused(void **state)
{
    uint8_t key[NETKEY_BYTES];
    (void)state;
    assert_int_equal(netkey_load(&host, outside.path, key), MOTH_ENOT_FOUND);
    assert_int_equal(netkey_load(&host, "./no/such/file", key), MOTH_ENOT_FOUND);
}

static void test_a_folder_is_no_key(void **state)
{
    uint8_t key[NETKEY_BYTES];
    (void)state;
    chmod(outside.folder, 0755);
    assert_int_equal(netkey_load(&host, outside.folder, key), MOTH_EIO);
    assert_string_equal(outside.warning, "");
}

static void test_a_key_that_others_can_read_is_warned_about(void **state)
{
    uint8_t key[NETKEY_BYTES];
    (void)state;
    assert_int_equal(load_text(DIGITS, key), 0);
    chmod(outside.path, 0644);
    assert_int_equal(netkey_load(&host, outside.path, key), 0);
    assert_non_null(strstr(outside.warning, "others on this machine can read the network key"));
}

static void test_only_files_that_stay_are_warned_about(void **state)
{
    uint8_t key[NETKEY_BYTES];
    (void)state;
    assert_int_equal(mkfifo(outside.path, 0600), 0);
    chmod(outside.path, 0644);
    pid_t writer = fork();
    if (writer == 0) {
        FILE *f = fopen(outside.path, "w");
        _exit(!f || fputs(DIGITS "\n", f) < 0 || fclose(f) != 0);
    }
    assert_int_equal(netkey_load(&host, outside.path, key), 0);
    assert_int_equal(waitpid(writer, NULL, 0), writer);
    assert_string_equal(outside.warning, "");
}

static void test_a_passphrase_that_names_a_file_is_warned_about(void **state)
{
    uint8_t key[NETKEY_BYTES];
    (void)state;
    assert_int_equal(netkey_load(&host, "src", key), 0);
    assert_non_null(strstr(outside.warning, "taken as a passphrase"));
}

static void test_a_key_that_cannot_be_kept_is_an_error(void **state)
{
    uint8_t key[NETKEY_BYTES];
    (void)state;
    outside.write_rc = MOTH_EIO;
    assert_int_equal(netkey_load(&host, "open sesame", key), MOTH_EIO);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_a_file_of_64_digits_is_the_key),
        TEST(test_a_passphrase_is_stretched_and_kept),
        TEST(test_what_was_kept_gives_the_same_key),
        TEST(test_the_first_line_of_a_file_is_a_passphrase),
        TEST(test_blanks_at_the_end_do_not_count),
        TEST(test_64_digits_are_the_key_without_a_file_too),
        TEST(test_almost_a_key_is_a_passphrase),
        TEST(test_an_empty_passphrase_is_refused),
        TEST(test_an_endless_passphrase_is_refused),
        TEST(test_a_file_that_is_not_there_is_refused),
        TEST(test_a_folder_is_no_key),
        TEST(test_a_key_that_others_can_read_is_warned_about),
        TEST(test_only_files_that_stay_are_warned_about),
        TEST(test_a_passphrase_that_names_a_file_is_warned_about),
        TEST(test_a_key_that_cannot_be_kept_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
