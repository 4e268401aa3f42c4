/* netkey.c -- from file or passphrase to network key, see netkey.h. */
#include "base/netkey.h"

#include "base/crypto.h"
#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEX_DIGITS (2 * NETKEY_BYTES)
#define SALT "moth network 1"

static int digit_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* False when `line` is anything but the 64 digits of a key; `key` is then untouched. */
static bool parse_key(struct slice line, uint8_t key[NETKEY_BYTES])
{
    uint8_t bytes[NETKEY_BYTES];
    if (line.bytes != HEX_DIGITS) return false;
    for (size_t i = 0; i < NETKEY_BYTES; i++) {
        int high = digit_value((char)line.data[2 * i]), low = digit_value((char)line.data[2 * i + 1]);
        if (high < 0 || low < 0) return false;
        bytes[i] = (uint8_t)(high << 4 | low);
    }
    memcpy(key, bytes, sizeof bytes);
    crypto_wipe(bytes, sizeof bytes);
    return true;
}

int netkey_keep(const struct moth_host *host, const uint8_t key[NETKEY_BYTES])
{
    char text[HEX_DIGITS + 2];
    for (size_t i = 0; i < NETKEY_BYTES; i++) snprintf(text + 2 * i, 3, "%02x", key[i]);
    text[HEX_DIGITS] = '\n';
    int rc = host->file_write(host->context, NETKEY_FILE, text, HEX_DIGITS + 1);
    crypto_wipe(text, sizeof text);
    return rc;
}

static int stretch(const struct moth_host *host, struct slice passphrase, uint8_t key[NETKEY_BYTES])
{
    if (passphrase.bytes == 0) return MOTH_EARGUMENT;
    if (passphrase.bytes > NETKEY_LINE_BYTES_MAX) return MOTH_ETOO_BIG;
    int rc = crypto_scrypt(passphrase, slice_text(SALT), key);
    return rc < 0 ? rc : netkey_keep(host, key);
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static int load_text(const struct moth_host *host, struct slice text, uint8_t key[NETKEY_BYTES])
{
    while (text.bytes > 0 && is_blank(text.data[text.bytes - 1])) text.bytes--;
    return parse_key(text, key) ? 0 : stretch(host, text, key);
}

static int error_from_errno(void)
{
    if (errno == ENOENT || errno == ENOTDIR) return MOTH_ENOT_FOUND;
    return errno == EACCES ? MOTH_EPERMISSION : MOTH_EIO;
}

/* The first line of `f`, without its end; at most NETKEY_LINE_BYTES_MAX bytes. */
static int read_line(FILE *f, char line[NETKEY_LINE_BYTES_MAX + 2], size_t *bytes)
{
    size_t n = fread(line, 1, NETKEY_LINE_BYTES_MAX + 2, f);
    if (ferror(f)) return error_from_errno();
    const char *end = memchr(line, '\n', n);
    *bytes = end ? (size_t)(end - line) : n;
    return !end && n > NETKEY_LINE_BYTES_MAX ? MOTH_ETOO_BIG : 0;
}

static void warn_when_open(const struct moth_host *host, FILE *f, const char *path)
{
    struct stat about;
    if (fstat(fileno(f), &about) < 0 || !S_ISREG(about.st_mode) || (about.st_mode & (S_IRGRP | S_IROTH)) == 0) return;
    log_write(host, MOTH_LOG_WARN, "others on this machine can read the network key in %s; chmod 600 helps", path);
}

static int load_file(const struct moth_host *host, const char *path, uint8_t key[NETKEY_BYTES])
{
    char line[NETKEY_LINE_BYTES_MAX + 2];
    size_t bytes = 0;
    FILE *f = fopen(path, "rb");
    if (!f) return error_from_errno();
    setvbuf(f, NULL, _IONBF, 0); /* leave no copy of the secret behind */
    int rc = read_line(f, line, &bytes);
    if (rc == 0) warn_when_open(host, f, path);
    fclose(f);
    if (rc == 0) rc = load_text(host, slice_of(line, bytes), key);
    crypto_wipe(line, sizeof line);
    return rc;
}

int netkey_load(const struct moth_host *host, const char *argument, uint8_t key[NETKEY_BYTES])
{
    if (strchr(argument, '/')) return load_file(host, argument, key);
    if (access(argument, F_OK) == 0 && *argument)
        log_write(host, MOTH_LOG_WARN, "--network: taken as a passphrase; for the file of that name write ./NAME");
    return load_text(host, slice_text(argument), key);
}
