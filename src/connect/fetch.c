/*
 * fetch.c - a delivery onto our disk: in parallel, resumed, checked, and never a mix of two versions.
 *
 * Each file is `<hash of key and version>.<name>.part` while it comes and loses the `.part` once whole, so a process
 * that is killed goes on where it was, and a file that was replaced meanwhile starts anew under another name.
 * A request asks for the rest (Range) of exactly that version (If-Match, or a generation in the address).
 */
#include "connect/inner.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { WORKERS = 4, TRIES = 8 };

typedef struct crew {
    cn_fetch *f;
    const cn_delivery *d;
    pthread_mutex_t lock; /* next, done, failed, and the connection's tokens */
    size_t next;
    int64_t done; /* bytes on disk, of all files */
    bool failed;
    fa_err err;
    fa_rc rc;
} crew;

typedef struct part {
    crew *w;
    fa_arena a;
    const cn_object *o;
    char *path, *whole;
    int fd;
    int64_t at, told;
} part;

static bool stop(crew *w)
{
    bool s;

    pthread_mutex_lock(&w->lock);
    s = w->failed;
    pthread_mutex_unlock(&w->lock);
    return s || fa_flag_get(w->f->c->call->cancel);
}

static void tell(part *p, int64_t on_disk)
{
    crew *w = p->w;

    pthread_mutex_lock(&w->lock);
    w->done += on_disk - p->told;
    p->told = on_disk;
    w->f->tick(w->f->user, w->done);
    pthread_mutex_unlock(&w->lock);
}

static void on_tick(void *user, int64_t done, int64_t total)
{
    part *p = user;

    (void)total;
    tell(p, p->at + done);
}

static void on_written(void *user, int64_t done)
{
    tell(user, done);
}

static fa_rc again_from_start(part *p, fa_err *e)
{
    p->at = 0;
    tell(p, 0);
    return ftruncate(p->fd, 0)
               ? fa_fail(e, FA_EENV, "could not empty a file of the download: %s", strerror(errno))
               : FA_OK;
}

static fa_rc changed(const part *p, fa_err *e)
{
    return fa_fail(e, FA_ECONFLICT, "%.*s was replaced while it was read", FA_FMT(p->o->key));
}

/* The range that came is the one asked for. */
static bool range_fits(const fa_net_response *r, int64_t at)
{
    fa_str s = fa_net_header(r, "Content-Range");
    uint64_t from;

    return fa_take(&s, "bytes ") && fa_take_u64(&s, &from) && (int64_t)from == at;
}

static fa_rc send_one(part *p, fa_net_response *r, fa_err *e)
{
    cn_conn *c = p->w->f->c;
    const char *extra[2];
    size_t n = 0;
    char range[64];
    fa_str match;
    fa_net_request q = {
        .sink_fd = p->fd, .sink_at = p->at, .tries = 1, .tick = on_tick, .tick_user = p};
    fa_rc rc = FA_OK;

    if (p->at) {
        snprintf(range, sizeof range, "Range: bytes=%lld-", (long long)p->at);
        extra[n++] = range;
    }
    if (!c->store->pinned && p->o->etag.n) {
        if ((rc = cn_join(&p->a, &match, e, "If-Match: \"%.*s\"", FA_FMT(p->o->etag))))
            return rc;
        extra[n++] = match.p;
    }
    q.sink_status = p->at ? 206 : 200;
    q.sink_max = p->o->bytes - p->at;
    pthread_mutex_lock(&p->w->lock); /* a token may be renewed */
    rc = c->store->get(c, &p->a, p->o, extra, n, &q, e);
    pthread_mutex_unlock(&p->w->lock);
    return rc ? rc : cn_send(c, &p->a, &q, r, e);
}

/* One request. *moved: bytes came. FA_EENV and the like: try again. */
static fa_rc step(part *p, bool *moved, int64_t *wait_ms, fa_err *e)
{
    cn_conn *c = p->w->f->c;
    fa_net_response r;
    fa_str etag;
    fa_rc rc = send_one(p, &r, e);

    *moved = r.bytes > 0;
    *wait_ms = -1;
    etag = cn_etag(fa_net_header(&r, "ETag"));
    if (r.bytes && !c->store->pinned && etag.n && p->o->etag.n && !fa_str_eq(etag, p->o->etag))
        return changed(p, e);
    if (r.bytes && r.status == 206 && !range_fits(&r, p->at)) {
        fa_rc again = again_from_start(p, e);

        *moved = false;
        return again ? again
                     : fa_fail(e, FA_EENV, "the store sent another part of %.*s than was asked for",
                               FA_FMT(p->o->key));
    }
    p->at += r.bytes;
    tell(p, p->at);
    if (rc == FA_ETOOBIG)
        return changed(p, e);
    if (rc || r.status == (p->at - r.bytes ? 206 : 200))
        return rc;
    if (r.status == 412 || (r.status == 404 && c->store->pinned))
        return changed(p, e);
    if (r.status == 416 || r.status == 200) { /* it knows no ranges, or what we have is too much */
        fa_rc again = again_from_start(p, e);

        return again ? again
                     : fa_fail(e, FA_EENV,
                               "the store does not go on where the download of %.*s stopped",
                               FA_FMT(p->o->key));
    }
    *wait_ms = fa_net_retry_after(&r);
    rc = c->store->refused(c, &r, "read", p->o->key, e);
    return fa_net_retryable(r.status) ? FA_EENV : rc == FA_EENV ? FA_EFAILED : rc;
}

static bool passing(fa_rc rc)
{
    return rc == FA_EENV || rc == FA_ETIMEOUT || rc == FA_ELIMIT;
}

static fa_rc download(part *p, fa_err *e)
{
    cn_conn *c = p->w->f->c;
    int failures = 0;
    fa_rc rc = FA_OK;

    while (p->at < p->o->bytes || !p->o->bytes) {
        bool moved = false;
        int64_t wait_ms = -1;

        if (stop(p->w))
            return fa_fail(e, FA_ECANCELLED, "cancelled");
        fa_arena_clear(&p->a);
        rc = step(p, &moved, &wait_ms, e);
        if (!rc && (!p->o->bytes || p->at == p->o->bytes))
            return FA_OK;
        if (rc && !passing(rc))
            return rc;
        failures = moved ? 1 : failures + 1;
        if (failures >= (c->call->quick ? 2 : TRIES))
            return rc ? rc
                      : fa_fail(e, FA_EENV, "the store sends less of %.*s than its size",
                                FA_FMT(p->o->key));
        if ((rc = fa_net_pause(c->call->net, failures, wait_ms, c->call->cancel, e)))
            return rc;
    }
    return rc;
}

static fa_rc written(part *p, fa_err *e)
{
    cn_conn *c = p->w->f->c;
    fa_rc rc = again_from_start(p, e);

    return rc ? rc : c->store->write(c, p->o, p->fd, on_written, p, e);
}

static fa_rc check_md5(part *p, fa_err *e)
{
    char hex[33];
    fa_rc rc;

    if (!p->o->md5.n)
        return FA_OK;
    if ((rc = cn_file_md5(p->path, hex, e)))
        return rc;
    if (fa_str_ieq(fa_str_of(hex), p->o->md5))
        return FA_OK;
    return fa_fail(e, FA_EDATA, "%.*s came damaged: its MD5 is not the store's", FA_FMT(p->o->key));
}

static fa_rc finish(part *p, fa_err *e)
{
    if (fsync(p->fd))
        return fa_fail(e, FA_EENV, "could not keep what was fetched: %s", strerror(errno));
    return rename(p->path, p->whole)
               ? fa_fail(e, FA_EENV, "could not keep what was fetched: %s", strerror(errno))
               : FA_OK;
}

static fa_rc fetch_part(part *p, fa_err *e)
{
    struct stat st;
    fa_rc rc;

    for (int round = 0;; round++) {
        p->fd = open(p->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (p->fd < 0 || fstat(p->fd, &st))
            return fa_fail(e, FA_EENV, "could not make a file of the download: %s",
                           strerror(errno));
        p->at = st.st_size;
        rc = FA_OK;
        if (p->w->f->c->store->write)
            rc = written(p, e);
        else if (p->at > p->o->bytes)
            rc = again_from_start(p, e);
        tell(p, p->at);
        if (!rc && !p->w->f->c->store->write)
            rc = download(p, e);
        if (!rc)
            rc = check_md5(p, e);
        if (!rc)
            rc = finish(p, e);
        close(p->fd);
        if (rc == FA_EDATA || rc == FA_ECONFLICT)
            unlink(p->path); /* not worth going on with */
        if (rc != FA_EDATA || round)
            return rc;
        tell(p, 0); /* damaged once may be the line's fault: once more */
    }
}

/* A name that says which version: "9f3c….focus-00001.csv.gz"; the ending is kept, formats look at it. */
char *cn_path(fa_arena *a, const char *dir, const cn_object *o)
{
    unsigned char sum[crypto_generichash_BYTES_MIN];
    const char *slash = memrchr(o->key.p, '/', o->key.n);
    fa_str name = slash ? (fa_str){slash + 1, o->key.n - (size_t)(slash + 1 - o->key.p)} : o->key;
    crypto_generichash_state st;
    char hex[33], clean[128];
    size_t n = 0;

    crypto_generichash_init(&st, NULL, 0, sizeof sum);
    crypto_generichash_update(&st, (const unsigned char *)o->key.p, o->key.n);
    crypto_generichash_update(&st, (const unsigned char *)"", 1);
    crypto_generichash_update(&st, (const unsigned char *)o->etag.p, o->etag.n);
    crypto_generichash_final(&st, sum, sizeof sum);
    fa_hex(hex, sum, 8);
    if (name.n > 100)
        name = (fa_str){name.p + name.n - 100, 100};
    for (size_t k = 0; k < name.n; k++)
        clean[n++] = strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-",
                            name.p[k]) &&
                             name.p[k]
                         ? name.p[k]
                         : '_';
    clean[n] = '\0';
    return fa_arena_printf(a, "%s/%s.%s", dir, hex, clean);
}

static void *work(void *arg)
{
    crew *w = arg;

    for (;;) {
        part p = {.w = w, .fd = -1};
        fa_err e = {0};
        fa_rc rc;
        size_t i;

        pthread_mutex_lock(&w->lock);
        i = w->next++;
        pthread_mutex_unlock(&w->lock);
        if (i >= w->d->n || stop(w))
            return NULL;
        fa_arena_init(&p.a, 64 << 20);
        p.o = w->d->file[i];
        pthread_mutex_lock(&w->lock); /* the arena is everybody's */
        p.whole = cn_path(w->f->c->mem, w->f->dir, p.o);
        p.path = p.whole ? fa_arena_printf(w->f->c->mem, "%s.part", p.whole) : NULL;
        w->f->path[i] = p.whole;
        pthread_mutex_unlock(&w->lock);
        rc = p.path ? FA_OK : fa_oom(&e);
        if (!rc && access(p.whole, F_OK) == 0)
            tell(&p, p.o->bytes > 0 ? p.o->bytes : 0); /* an earlier run had it already */
        else if (!rc)
            rc = fetch_part(&p, &e);
        fa_arena_release(&p.a);
        pthread_mutex_lock(&w->lock);
        if (rc && !w->failed) {
            w->failed = true;
            w->rc = rc;
            w->err = e;
        }
        pthread_mutex_unlock(&w->lock);
    }
}

static fa_rc room_for(const cn_fetch *f, int64_t bytes, fa_err *e)
{
    struct statvfs v;

    if (statvfs(f->dir, &v))
        return fa_fail(e, FA_EENV, "could not look at the disk: %s", strerror(errno));
    if ((int64_t)(v.f_bavail * v.f_frsize) / 2 < bytes)
        return fa_fail(e, FA_EENV,
                       "the disk has %lld MiB free, and the delivery needs twice its %lld MiB",
                       (long long)(v.f_bavail * v.f_frsize >> 20), (long long)(bytes >> 20));
    return FA_OK;
}

static fa_rc all_local(cn_fetch *f, const cn_delivery *d, fa_err *e)
{
    fa_rc rc = FA_OK;

    for (size_t i = 0; !rc && i < d->n; i++)
        rc = f->c->store->local(f->c, f->c->mem, d->file[i], &f->path[i], e);
    return rc;
}

fa_rc cn_fetch_all(cn_fetch *f, const cn_delivery *d, fa_err *e)
{
    pthread_t thread[WORKERS];
    size_t n = 0, want = d->n < WORKERS ? d->n : WORKERS;
    crew w = {.f = f, .d = d};
    fa_rc rc;

    if (!(f->path = fa_arena_array(f->c->mem, d->n + 1, sizeof *f->path)))
        return fa_oom(e);
    if (f->c->store->local)
        return all_local(f, d, e);
    if ((rc = fa_mkdirs(f->dir, 0700, e)) || (rc = room_for(f, d->bytes, e)))
        return rc;
    if (f->c->store->write)
        want = 1;
    pthread_mutex_init(&w.lock, NULL);
    while (n + 1 < want && pthread_create(&thread[n], NULL, work, &w) == 0)
        n++;
    work(&w);
    while (n)
        pthread_join(thread[--n], NULL);
    pthread_mutex_destroy(&w.lock);
    if (w.failed) {
        if (e)
            *e = w.err;
        return w.rc;
    }
    return fa_flag_get(f->c->call->cancel) ? fa_fail(e, FA_ECANCELLED, "cancelled") : FA_OK;
}
