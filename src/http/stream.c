/*
 * stream.c - server-sent events.
 *
 * A stream with nothing to say is a suspended connection: it costs no thread. Sending appends to
 * the stream's own bounded buffer and resumes it; a listener that does not read loses its stream,
 * and the browser opens a new one and fetches the state again.
 */
#include "http/internal.h"

#include <stdlib.h>
#include <string.h>

enum { PENDING_MAX = 1 << 20, STREAMS_MAX = 256 };
#define STREAM_MS (15 * 60000LL) /* then the browser connects again, and is authenticated again */

struct fa_streams {
    pthread_mutex_t lock;
    struct fa_stream *list;
    size_t n;
    bool ending;
};

struct fa_stream {
    struct fa_stream *next;
    fa_streams *all;
    struct MHD_Connection *conn;
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

fa_rc fa_stream_open(fa_req *r, fa_res *o, fa_str topic, fa_err *e)
{
    fa_wire *w = (fa_wire *)r;
    fa_streams *s = w->server->streams;
    struct fa_stream *t;

    if (topic.n >= sizeof t->topic)
        return fa_fail(e, FA_EINTERNAL, "topic is too long");
    if (!(t = calloc(1, sizeof *t)))
        return fa_oom(e);
    t->all = s;
    t->conn = w->conn;
    memcpy(t->topic, topic.p, topic.n);
    t->end_mono_ms = fa_mono_ms() + STREAM_MS;
    fa_buf_init(&t->pending, PENDING_MAX);
    fa_buf_z(&t->pending, "retry: 2000\n: hello\n\n");
    pthread_mutex_lock(&s->lock);
    if (s->n >= STREAMS_MAX || s->ending) {
        pthread_mutex_unlock(&s->lock);
        fa_buf_release(&t->pending);
        free(t);
        return fa_fail(e, FA_EENV, "too many event streams are open");
    }
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
    fa_buf_release(&t->pending);
    free(t);
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
