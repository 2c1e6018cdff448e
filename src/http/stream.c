/*
 * stream.c - server-sent events.
 *
 * A stream with nothing to say is a suspended connection: it costs no thread. Sending appends to
 * the stream's own bounded buffer and resumes it; a listener that does not read loses its stream,
 * and the browser opens a new one and fetches the state again. Twice a second the gate is asked about each: who may not
 * open it now is cut off, and what was not sent yet is not.
 */
#include "http/internal.h"

#include <stdlib.h>
#include <string.h>

enum { PENDING_MAX = 1 << 20, STREAMS_MAX = 256 };
#define STREAM_MS (15 * 60000LL) /* then the browser connects again, and is authenticated again */

struct fa_streams {
    pthread_mutex_t lock;
    struct fa_stream *list; /* the newest first */
    size_t n;
    uint64_t last; /* serial given */
    bool ending;
};

struct fa_stream {
    struct fa_stream *next;
    fa_streams *all;
    struct MHD_Connection *conn;
    uint64_t serial;
    const fa_route *route;
    fa_caller caller; /* as the gate let him in; in mem */
    fa_arena mem;
    char topic[64];
    fa_buf pending;
    int64_t end_mono_ms;
    bool suspended, ending;
};

fa_streams *fa_streams_new(void)
{
    fa_streams *s = calloc(1, sizeof *s);

    if (s)
        pthread_mutex_init(&s->lock, NULL);
    return s;
}

void fa_streams_free(fa_streams *s)
{
    if (!s)
        return;
    pthread_mutex_destroy(&s->lock);
    free(s);
}

size_t fa_streams_count(fa_streams *s)
{
    size_t n;

    pthread_mutex_lock(&s->lock);
    n = s->n;
    pthread_mutex_unlock(&s->lock);
    return n;
}

/* Under the lock. */
static void wake(struct fa_stream *t)
{
    if (t->suspended) {
        t->suspended = false;
        MHD_resume_connection(t->conn);
    }
}

static void stream_release(struct fa_stream *t)
{
    fa_buf_release(&t->pending);
    fa_arena_release(&t->mem);
    free(t);
}

fa_rc fa_stream_open(fa_req *r, fa_res *o, fa_str topic, fa_err *e)
{
    fa_wire *w = (fa_wire *)r;
    fa_streams *s = w->server->streams;
    struct fa_stream *t;

    if (topic.n >= sizeof t->topic)
        return fa_fail(e, FA_EINTERNAL, "topic is too long");
    if (!(t = calloc(1, sizeof *t)))
        return fa_oom(e);
    if (fa_caller_dup(&t->mem, &w->caller, &t->caller, e)) {
        stream_release(t);
        return e->rc;
    }
    t->all = s;
    t->conn = w->conn;
    t->route = w->route;
    memcpy(t->topic, topic.p, topic.n);
    t->end_mono_ms = fa_mono_ms() + STREAM_MS;
    fa_buf_init(&t->pending, PENDING_MAX);
    fa_buf_z(&t->pending, "retry: 2000\n: hello\n\n");
    pthread_mutex_lock(&s->lock);
    if (s->n >= STREAMS_MAX || s->ending) {
        pthread_mutex_unlock(&s->lock);
        stream_release(t);
        return fa_fail(e, FA_EENV, "too many event streams are open");
    }
    t->serial = ++s->last;
    t->next = s->list;
    s->list = t;
    s->n++;
    pthread_mutex_unlock(&s->lock);
    o->stream = t;
    o->type = "text/event-stream";
    return FA_OK;
}

static void stream_free(void *cls)
{
    struct fa_stream *t = cls;
    fa_streams *s = t->all;

    pthread_mutex_lock(&s->lock);
    for (struct fa_stream **at = &s->list; *at; at = &(*at)->next)
        if (*at == t) {
            *at = t->next;
            s->n--;
            break;
        }
    pthread_mutex_unlock(&s->lock);
    stream_release(t);
}

void fa_stream_drop(struct fa_stream *t)
{
    if (t)
        stream_free(t);
}

static ssize_t stream_read(void *cls, uint64_t pos, char *buf, size_t max)
{
    struct fa_stream *t = cls;
    ssize_t n = 0;

    (void)pos;
    pthread_mutex_lock(&t->all->lock);
    if (t->pending.n) {
        size_t take = t->pending.n < max ? t->pending.n : max;

        memcpy(buf, t->pending.p, take);
        memmove(t->pending.p, t->pending.p + take, t->pending.n - take);
        t->pending.n -= take;
        n = (ssize_t)take;
    } else if (t->ending || t->pending.failed) {
        n = MHD_CONTENT_READER_END_OF_STREAM;
    } else {
        t->suspended = true;
        MHD_suspend_connection(t->conn);
    }
    pthread_mutex_unlock(&t->all->lock);
    return n;
}

struct MHD_Response *fa_stream_response(struct fa_stream *t)
{
    return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 16384, stream_read, t, stream_free);
}

void fa_stream_send(fa_server *server, fa_str topic, const char *event, fa_str json)
{
    fa_streams *s = server->streams;

    pthread_mutex_lock(&s->lock);
    for (struct fa_stream *t = s->list; t; t = t->next) {
        if (!fa_str_eqz(topic, t->topic))
            continue;
        fa_buf_fmt(&t->pending, "event: %s\ndata: ", event);
        fa_buf_str(&t->pending, json);
        fa_buf_z(&t->pending, "\n\n");
        wake(t);
    }
    pthread_mutex_unlock(&s->lock);
}

/* The oldest that is younger than `serial`; under the lock. */
static struct fa_stream *after(const fa_streams *s, uint64_t serial)
{
    struct fa_stream *found = NULL;

    for (struct fa_stream *t = s->list; t && t->serial > serial; t = t->next)
        found = t;
    return found;
}

/* The gate reads the store, which nobody who sends may wait for: it is asked without the lock, and the stream may be gone then. */
void fa_streams_check(fa_server *server)
{
    fa_streams *s = server->streams;
    uint64_t serial = 0;
    struct fa_stream *t;

    for (;;) {
        fa_arena a = {0};
        const fa_route *route = NULL;
        fa_caller who;
        fa_err e = {0};
        fa_rc rc = FA_OK;

        pthread_mutex_lock(&s->lock);
        if ((t = after(s, serial))) {
            serial = t->serial;
            route = t->route;
            rc = fa_caller_dup(&a, &t->caller, &who, &e);
        }
        pthread_mutex_unlock(&s->lock);
        if (!route) {
            fa_arena_release(&a);
            return;
        }
        if (!rc)
            rc = fa_gate_still(server, route, &who, &e);
        fa_arena_release(&a);
        if (!rc)
            continue;
        pthread_mutex_lock(&s->lock);
        if ((t = after(s, serial - 1)) && t->serial == serial) {
            t->pending.n = 0;
            t->ending = true;
            wake(t);
        }
        pthread_mutex_unlock(&s->lock);
    }
}

void fa_streams_beat(fa_streams *s)
{
    int64_t now = fa_mono_ms();

    pthread_mutex_lock(&s->lock);
    for (struct fa_stream *t = s->list; t; t = t->next) {
        fa_buf_z(&t->pending, ": beat\n\n");
        t->ending = t->ending || now > t->end_mono_ms;
        wake(t);
    }
    pthread_mutex_unlock(&s->lock);
}

void fa_streams_end(fa_streams *s)
{
    pthread_mutex_lock(&s->lock);
    s->ending = true;
    for (struct fa_stream *t = s->list; t; t = t->next) {
        t->ending = true;
        wake(t);
    }
    pthread_mutex_unlock(&s->lock);
}
