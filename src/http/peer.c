/*
 * peer.c - TCP connections: who is there, and cutting off those who are slow on purpose.
 *
 * libmicrohttpd's own timeout only sees silence. Here a connection has a time for its headers and a
 * least speed for its body (security.md HT-2); who misses them gets the socket shut down.
 */
#include "http/internal.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { IDLE_MS = 60000, HEADERS_MS = 10000, BODY_GRACE_MS = 10000, BODY_BYTES_PER_S = 1024 };

void fa_peer_opened(fa_server *s, struct MHD_Connection *c, void **ctx)
{
    const union MHD_ConnectionInfo *fd =
        MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct sockaddr_storage addr = {0};
    socklen_t n = sizeof addr;
    fa_peer *p = calloc(1, sizeof *p);

    *ctx = p;
    if (!p)
        return;
    p->fd = fd ? fd->connect_fd : -1;
    p->phase_mono_ms = fa_mono_ms();
    if (p->fd >= 0 && getpeername(p->fd, (struct sockaddr *)&addr, &n) == 0) {
        if (addr.ss_family == AF_INET) {
            struct sockaddr_in v4;

            memcpy(&v4, &addr, sizeof v4);
            inet_ntop(AF_INET, &v4.sin_addr, p->ip, sizeof p->ip);
            p->loopback = ntohl(v4.sin_addr.s_addr) >> 24 == 127;
        } else if (addr.ss_family == AF_INET6) {
            struct sockaddr_in6 v6;

            memcpy(&v6, &addr, sizeof v6);
            inet_ntop(AF_INET6, &v6.sin6_addr, p->ip, sizeof p->ip);
            p->loopback = IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr);
        }
    }
    pthread_mutex_lock(&s->peer_lock);
    p->next = s->peers;
    if (s->peers)
        s->peers->prev = p;
    s->peers = p;
    pthread_mutex_unlock(&s->peer_lock);
}

void fa_peer_closed(fa_server *s, void **ctx)
{
    fa_peer *p = *ctx;

    if (!p)
        return;
    pthread_mutex_lock(&s->peer_lock);
    if (p->prev)
        p->prev->next = p->next;
    else
        s->peers = p->next;
    if (p->next)
        p->next->prev = p->prev;
    pthread_mutex_unlock(&s->peer_lock);
    free(p);
    *ctx = NULL;
}

void fa_peer_phase(fa_server *s, fa_peer *p, int phase)
{
    if (!p)
        return;
    pthread_mutex_lock(&s->peer_lock);
    p->phase = (unsigned)phase;
    p->phase_mono_ms = fa_mono_ms();
    p->body_bytes = 0;
    pthread_mutex_unlock(&s->peer_lock);
}

static bool too_slow(const fa_peer *p, int64_t now)
{
    int64_t ms = now - p->phase_mono_ms;

    switch (p->phase) {
    case PEER_IDLE:
        return ms > IDLE_MS;
    case PEER_HEADERS:
        return ms > HEADERS_MS;
    case PEER_BODY:
        return ms > BODY_GRACE_MS && (int64_t)p->body_bytes < ms * BODY_BYTES_PER_S / 1000;
    default:
        return false;
    }
}

void fa_peers_sweep(fa_server *s)
{
    int64_t now = fa_mono_ms();

    pthread_mutex_lock(&s->peer_lock);
    for (fa_peer *p = s->peers; p; p = p->next)
        if (p->fd >= 0 && too_slow(p, now)) {
            shutdown(p->fd, SHUT_RDWR); /* MHD sees the end and closes it */
            p->phase = PEER_BUSY;
        }
    pthread_mutex_unlock(&s->peer_lock);
}
