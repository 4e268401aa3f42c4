/* loop_local.c -- local.h over libuv's pipes.
 *
 * The socket gets its rights between bind and listen, when nobody can connect yet. A peer is freed in the close
 * callback of its handle; what its owner hears of it ends with `closed`. */
#include "net/local.h"

#include "base/mem.h"
#include "net/uv_private.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 16
#define LINGER_MS 1000
#define READ_BYTES 65536

struct local_peer {
    uv_pipe_t pipe;
    uv_timer_t linger; /* closes one that does not read its last bytes */
    struct local_server *server; /* NULL once that has stopped */
    struct local_peer *next, *previous;
    void *user;
    unsigned handles; /* not closed yet */
    bool is_closing, is_open, is_paused;
};

struct local_server {
    uv_pipe_t pipe;
    struct moth_loop *loop; /* borrowed */
    const struct local_ops *ops; /* borrowed */
    void *owner;
    struct local_peer *peers;
    size_t count;
    char *path; /* owned */
    uint8_t read_buffer[READ_BYTES];
};

struct sending {
    uv_write_t request; /* first */
    uint8_t bytes[];
};

/* --- a peer's end --- */

static void leave_list(struct local_peer *p)
{
    struct local_server *s = p->server;
    if (!s) return;
    if (p->previous) p->previous->next = p->next;
    else s->peers = p->next;
    if (p->next) p->next->previous = p->previous;
    s->count--;
    p->server = NULL;
}

static void on_peer_closed(uv_handle_t *handle)
{
    struct local_peer *p = handle->data;
    if (--p->handles > 0) return;
    struct local_server *s = p->server;
    leave_list(p);
    if (s && p->is_open) s->ops->closed(s->owner, p);
    free(p);
}

static void close_now(struct local_peer *p)
{
    p->is_closing = true;
    if (uv_is_closing((uv_handle_t *)&p->pipe)) return;
    uv_close((uv_handle_t *)&p->pipe, on_peer_closed);
    uv_close((uv_handle_t *)&p->linger, on_peer_closed);
}

static void on_linger(uv_timer_t *timer)
{
    close_now(timer->data);
}

void local_close(struct local_peer *p)
{
    if (p->is_closing) return;
    p->is_closing = true;
    uv_read_stop((uv_stream_t *)&p->pipe);
    if (uv_stream_get_write_queue_size((uv_stream_t *)&p->pipe) == 0) close_now(p);
    else uv_timer_start(&p->linger, on_linger, LINGER_MS, 0);
}

/* --- bytes --- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct local_peer *p = handle->data;
    (void)suggested;
    *buf = p->server ? uv_buf_init((char *)p->server->read_buffer, READ_BYTES) : uv_buf_init(NULL, 0);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct local_peer *p = stream->data;
    if (n < 0) close_now(p);
    if (n <= 0 || p->is_closing || !p->server) return;
    p->server->ops->bytes(p->server->owner, p, slice_of(buf->base, (size_t)n));
}

void local_pause(struct local_peer *p, bool pause)
{
    if (p->is_closing || p->is_paused == pause) return;
    p->is_paused = pause;
    if (pause) uv_read_stop((uv_stream_t *)&p->pipe);
    else uv_read_start((uv_stream_t *)&p->pipe, on_alloc, on_read);
}

static void on_written(uv_write_t *request, int status)
{
    struct local_peer *p = request->handle->data;
    free(request);
    bool is_last = p->is_closing && uv_stream_get_write_queue_size((uv_stream_t *)&p->pipe) == 0;
    if (status < 0 || is_last) close_now(p);
}

int local_send(struct local_peer *p, const void *data, size_t bytes)
{
    if (p->is_closing) return MOTH_ECLOSED;
    if (uv_stream_get_write_queue_size((uv_stream_t *)&p->pipe) + bytes > LOCAL_QUEUE_MAX) {
        close_now(p);
        return MOTH_EFULL;
    }
    struct sending *sending = mem_new(sizeof *sending + bytes);
    memcpy(sending->bytes, data, bytes);
    uv_buf_t buf = uv_buf_init((char *)sending->bytes, (unsigned)bytes);
    if (uv_write(&sending->request, (uv_stream_t *)&p->pipe, &buf, 1, on_written) == 0) return 0;
    free(sending);
    close_now(p);
    return MOTH_ECLOSED;
}

void local_set_user(struct local_peer *p, void *user)
{
    p->user = user;
}

void *local_user(const struct local_peer *p)
{
    return p->user;
}

/* --- who comes --- */

static bool may_enter(const struct local_peer *p)
{
    struct ucred who;
    socklen_t bytes = sizeof who;
    uv_os_fd_t fd;
    if (uv_fileno((const uv_handle_t *)&p->pipe, &fd) < 0) return false;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &bytes) < 0) return false;
    return who.uid == geteuid() || who.uid == 0;
}

static struct local_peer *new_peer(struct local_server *s)
{
    struct local_peer *p = mem_new(sizeof *p);
    p->server = s;
    p->handles = 2;
    uv_pipe_init(loop_uv(s->loop), &p->pipe, 0);
    uv_timer_init(loop_uv(s->loop), &p->linger);
    p->pipe.data = p->linger.data = p;
    p->next = s->peers;
    if (s->peers) s->peers->previous = p;
    s->peers = p;
    s->count++;
    return p;
}

static void on_connection(uv_stream_t *stream, int status)
{
    struct local_server *s = stream->data;
    if (status < 0) return;
    struct local_peer *p = new_peer(s);
    if (uv_accept(stream, (uv_stream_t *)&p->pipe) < 0 || s->count > LOCAL_PEERS_MAX || !may_enter(p)) {
        close_now(p);
        return;
    }
    p->is_open = true;
    s->ops->opened(s->owner, p);
    if (!p->is_closing && !p->is_paused) uv_read_start((uv_stream_t *)&p->pipe, on_alloc, on_read);
}

/* --- the server --- */

static void on_server_closed(uv_handle_t *handle)
{
    struct local_server *s = handle->data;
    free(s->path);
    free(s);
}

static int listen_at(struct local_server *s)
{
    unlink(s->path);
    int rc = uv_pipe_bind(&s->pipe, s->path);
    if (rc == 0 && chmod(s->path, S_IRUSR | S_IWUSR) < 0) return MOTH_EIO;
    if (rc == 0) rc = uv_listen((uv_stream_t *)&s->pipe, BACKLOG, on_connection);
    return rc == UV_EACCES || rc == UV_EPERM ? MOTH_EPERMISSION : rc < 0 ? MOTH_EIO : 0;
}

int local_serve(struct moth_loop *loop, const char *path, const struct local_ops *ops, void *owner,
                struct local_server **out)
{
    struct sockaddr_un address;
    if (strlen(path) >= sizeof address.sun_path) return MOTH_EARGUMENT;
    struct local_server *s = mem_new(sizeof *s);
    s->loop = loop;
    s->ops = ops;
    s->owner = owner;
    s->path = mem_text(path);
    uv_pipe_init(loop_uv(loop), &s->pipe, 0);
    s->pipe.data = s;
    int rc = listen_at(s);
    if (rc < 0) uv_close((uv_handle_t *)&s->pipe, on_server_closed);
    else *out = s;
    return rc;
}

void local_stop(struct local_server *s)
{
    if (!s) return;
    unlink(s->path);
    while (s->peers) {
        struct local_peer *p = s->peers;
        if (p->is_open) s->ops->closed(s->owner, p);
        leave_list(p);
        local_close(p); /* closing the loop waits for it */
    }
    uv_close((uv_handle_t *)&s->pipe, on_server_closed);
}
