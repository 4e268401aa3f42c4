/* embed.c -- a node inside a program of your own, in one screen: it writes a letter to itself.
 *
 *   cc -Iinclude examples/embed.c build/libmoth.a $(pkg-config --libs libuv libcrypto sqlite3) -o embed
 *   ./embed [HOME]
 *
 * The loop brings the outside (sockets, clocks, a home folder for the identity), the node lives on it, and
 * what happens comes to one callback. Tells what arrives and ends with 0 once the receipt is back; without
 * HOME it makes a folder under /tmp, and removes it. */
#define _DEFAULT_SOURCE /* mkdtemp */
#include "moth.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct moth_loop *loop;

static void on_event(void *owner, const struct moth_event *event)
{
    (void)owner;
    if (event->kind == MOTH_EVENT_MESSAGE)
        printf("%zu bytes from %s\n", event->message->bytes, event->message->name); /* any bytes: no terminal's food */
    if (event->kind == MOTH_EVENT_STATE && event->sent->state == MOTH_DELIVERED) moth_loop_stop(loop);
}

static uint64_t on_turn(void *node)
{
    return moth_node_tick(node);
}

static int fail(const char *what, int rc)
{
    fprintf(stderr, "%s: %s\n", what, moth_error_text(rc));
    return EXIT_FAILURE;
}

static void remove_folder(const char *path)
{
    DIR *folder = opendir(path);
    if (!folder) return;
    for (struct dirent *entry; (entry = readdir(folder));) unlinkat(dirfd(folder), entry->d_name, 0);
    closedir(folder);
    rmdir(path);
}

int main(int argc, char **argv)
{
    char made[] = "/tmp/moth-embed-XXXXXX";
    const char *home = argc > 1 ? argv[1] : mkdtemp(made);
    struct moth_config config = {.name = "embedded", .listen = "127.0.0.1:0"};
    struct moth_payload letter = {.encoding = MOTH_TEXT, .data = "hello from C", .bytes = 12};
    struct moth_node *node;
    uint64_t id;
    int rc;

    if (!home) return fail("temporary folder", MOTH_EIO);
    if ((rc = moth_loop_open(home, &loop)) < 0) return fail(home, rc);
    if ((rc = moth_node_open(&config, moth_loop_host(loop), moth_loop_transport(loop), on_event, NULL, &node)) < 0)
        return fail("node", rc);
    printf("%s listens on %s\n", moth_node_name(node), moth_node_address(node));
    if ((rc = moth_send(node, moth_node_id(node), &letter, NULL, &id)) < 0) return fail("send", rc);
    moth_loop_run(loop, on_turn, node);
    moth_node_close(node);
    moth_loop_close(loop);
    if (argc < 2) remove_folder(home);
    return EXIT_SUCCESS;
}
