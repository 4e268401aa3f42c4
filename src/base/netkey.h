/* netkey.h -- the network key: what follows --network, turned into the 32 bytes that every link of a network
 * starts from.
 *
 * An argument with a `/` is a file, whose first line counts; anything else is the text itself. 64 hex digits are the
 * key, any other text is a passphrase; blanks at its end do not count. A passphrase is stretched by scrypt, half a
 * second by design; the result is kept in the home folder as "network.key", 0600, which is such a file. The salt is
 * fixed: all members of a network must come to one key. */
#ifndef BASE_NETKEY_H
#define BASE_NETKEY_H

#include "base/base.h"
#include "moth/host.h"

#define NETKEY_BYTES 32
#define NETKEY_FILE "network.key"
#define NETKEY_LINE_BYTES_MAX 1024u

/* Blocks. Warns through `host` when others can read the file (a regular one), and when a passphrase is also the name
 * of a file. MOTH_EARGUMENT: the passphrase or the first line is empty; MOTH_ETOO_BIG: it is longer than 1,024 bytes;
 * MOTH_ENOT_FOUND, MOTH_EPERMISSION, MOTH_EIO: the file cannot be read, or the key not kept, or there is no memory
 * for scrypt. */
int netkey_load(const struct moth_host *host, const char *argument, uint8_t key[NETKEY_BYTES]);

/* Keeps a key as NETKEY_FILE in the home folder, where netkey_load finds it. What moth_host's file_write says. */
int netkey_keep(const struct moth_host *host, const uint8_t key[NETKEY_BYTES]);

#endif
