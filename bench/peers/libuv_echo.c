/* libuv: one shared receive buffer through alloc_cb, uv_try_write first, a queued write for the rest only. */
#include "peer.h"

#include <uv.h>

struct connection {
    uv_tcp_t tcp;
};

struct rest {
    uv_write_t request;
    char bytes[];
};

static char buffer[PEER_BUFFER];

static void on_closed(uv_handle_t *handle)
{
    free(handle);
}

static void end_connection(uv_stream_t *stream)
{
    if (!uv_is_closing((uv_handle_t *)stream))
        uv_close((uv_handle_t *)stream, on_closed);
}

static void lend_buffer(uv_handle_t *handle, size_t suggested, uv_buf_t *lent)
{
    (void)handle, (void)suggested;
    *lent = uv_buf_init(buffer, sizeof buffer);
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *lent);

static void on_rest_sent(uv_write_t *request, int status)
{
    uv_stream_t *stream = request->handle;
    free(request->data);
    if (status < 0 || uv_read_start(stream, lend_buffer, on_read) < 0)
        end_connection(stream);
}

/* Reading pauses while bytes wait, so a peer that never reads costs one buffer at most. */
static int send_rest(uv_stream_t *stream, const char *bytes, size_t size)
{
    struct rest *rest = malloc(sizeof *rest + size);
    if (!rest)
        return UV_ENOMEM;
    memcpy(rest->bytes, bytes, size);
    rest->request.data = rest;
    uv_buf_t view = uv_buf_init(rest->bytes, (unsigned)size);
    uv_read_stop(stream);
    int status = uv_write(&rest->request, stream, &view, 1, on_rest_sent);
    if (status < 0)
        free(rest);
    return status;
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *lent)
{
    if (size == 0)
        return;
    if (size < 0) {
        end_connection(stream);
        return;
    }
    uv_buf_t view = uv_buf_init(lent->base, (unsigned)size);
    int sent = uv_try_write(stream, &view, 1);
    int status = sent == UV_EAGAIN ? 0 : sent;
    if (status >= 0 && status < size)
        status = send_rest(stream, lent->base + status, (size_t)(size - status));
    if (status < 0)
        end_connection(stream);
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct connection *connection = status < 0 ? NULL : malloc(sizeof *connection);
    if (!connection)
        return;
    uv_stream_t *stream = (uv_stream_t *)&connection->tcp;
    uv_tcp_init(listener->loop, &connection->tcp);
    if (uv_accept(listener, stream) < 0 || uv_read_start(stream, lend_buffer, on_read) < 0)
        end_connection(stream);
}

int main(int argc, char **argv)
{
    uv_loop_t *loop = uv_default_loop();
    uv_tcp_t listener;
    uv_tcp_init(loop, &listener);
    if (uv_tcp_open(&listener, peer_listen(peer_port(argc, argv), SOCK_NONBLOCK)) < 0 ||
        uv_listen((uv_stream_t *)&listener, SOMAXCONN, on_connection) < 0)
        return 1;
    return uv_run(loop, UV_RUN_DEFAULT);
}
