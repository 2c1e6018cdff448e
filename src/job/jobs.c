/*
 * jobs.c - loads that were asked for over HTTP: one at a time, with progress and cancel.
 *
 * A job lives in memory only: what matters of it (the load, its totals, its failure) is in meta.db.
 * The list is bounded; the oldest ended job goes when it is full or an hour old.
 */
#include "job/job.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_JOBS = 128, MAX_WAITING = 32, TEXT = 256, MESSAGE = 1400 };
#define KEEP_MS 3600000LL

typedef enum { QUEUED, RUNNING, DONE, FAILED, CANCELLED } state;
/* A job that waits its turn is "running" to the page: its phase says "waiting". */
static const char *const state_names[] = {"running", "running", "done", "failed", "cancelled"};

typedef struct job {
    bool used, busy; /* busy: the worker still holds it */
    char id[37], source[TEXT], file[TEXT], message[MESSAGE], by[TEXT];
    char *path; /* staged file, owned */
    const char *phase;
    state st;
    volatile bool cancel;
    int64_t load_id, relive; /* relive: the load to bring back, or 0 */
    int64_t rows, bytes, bytes_total, left_ms, ended_ms, made_ms;
    double fraction, rate;
    struct fa_jobs *owner;
} job;

struct fa_jobs {
    fa_ledger *ledger;
    fa_job_watch *watch;
    void *user;
    fa_pool *pool;
    pthread_mutex_t lock; /* list */
    job list[MAX_JOBS];
    bool closing;
};

static void job_json(const job *t, fa_jw *w)
{
    fa_jw_obj(w);
    fa_jw_key(w, "id");
    fa_jw_z(w, t->id);
    fa_jw_key(w, "kind");
    fa_jw_z(w, t->relive ? "reload" : "load");
    fa_jw_key(w, "source");
    fa_jw_z(w, t->source);
    fa_jw_key(w, "file");
    fa_jw_z(w, t->file);
    fa_jw_key(w, "state");
    fa_jw_z(w, state_names[t->st]);
    fa_jw_key(w, "phase");
    fa_jw_z(w, t->phase);
    fa_jw_key(w, "rows");
    fa_jw_int(w, t->rows);
    fa_jw_key(w, "bytes");
    fa_jw_int(w, t->bytes);
    fa_jw_key(w, "bytesTotal");
    fa_jw_int(w, t->bytes_total);
    fa_jw_key(w, "fraction");
    fa_jw_dec(w, (fa_i128)(t->fraction * 10000), 4);
    fa_jw_key(w, "rowsPerSecond");
    fa_jw_int(w, (int64_t)t->rate);
    fa_jw_key(w, "leftMs");
    if (t->left_ms < 0)
        fa_jw_null(w);
    else
        fa_jw_int(w, t->left_ms);
    fa_jw_key(w, "loadId");
    if (t->load_id)
        fa_jw_int(w, t->load_id);
    else
        fa_jw_null(w);
    fa_jw_key(w, "message");
    fa_jw_z(w, t->message);
    fa_jw_end_obj(w);
}

static void tell(fa_jobs *j, const job *t)
{
    fa_buf b;
    fa_jw w;

    fa_buf_init(&b, 1 << 16);
    fa_jw_init(&w, &b);
    pthread_mutex_lock(&j->lock);
    job_json(t, &w);
    pthread_mutex_unlock(&j->lock);
    if (!b.failed)
        j->watch(j->user, "job", fa_buf_view(&b));
    fa_buf_release(&b);
}

static void tick(void *user, const fa_progress_state *s)
{
    job *t = user;

    pthread_mutex_lock(&t->owner->lock);
    t->phase = s->phase;
    t->rows = s->rows;
    t->bytes = s->bytes;
    t->bytes_total = s->bytes_total;
    t->fraction = s->fraction < 0 ? 0 : s->fraction > 1 ? 1 : s->fraction;
    t->rate = s->rows_per_s;
    t->left_ms = s->left_ms;
    pthread_mutex_unlock(&t->owner->lock);
    tell(t->owner, t);
}

/* The staged file and the folder made for it. */
static void unstage(char *path)
{
    char *slash;
    fa_err e = {0};

    if (!path)
        return;
    if ((slash = strrchr(path, '/'))) {
        *slash = '\0';
        if (fa_remove_tree(path, &e))
            fa_log(FA_LOG_WARN, "unstage_failed", "error=%s", e.msg);
    }
    free(path);
}

static fa_rc run_load(job *t, fa_arena *a, fa_err *e)
{
    const char *paths[] = {t->path};
    fa_load_request q = {.source = fa_str_of(t->source), .path = paths, .npath = 1};
    fa_progress p = {.tick = tick, .user = t, .cancel = &t->cancel};
    fa_load_result r = {0};
    fa_rc rc = fa_ledger_load(t->owner->ledger, a, &q, &p, &r, e);

    if (rc)
        return rc;
    pthread_mutex_lock(&t->owner->lock);
    t->load_id = r.load.id;
    t->rows = r.load.rows;
    if (fa_str_eqz(r.load.state, "unchanged"))
        snprintf(t->message, sizeof t->message, "the same file was loaded before: nothing changed");
    pthread_mutex_unlock(&t->owner->lock);
    return FA_OK;
}

static void run(void *arg)
{
    job *t = arg;
    fa_jobs *j = t->owner;
    fa_arena a;
    fa_err e = {0};
    fa_rc rc = FA_OK;
    bool go;

    fa_arena_init(&a, 0);
    pthread_mutex_lock(&j->lock);
    go = !fa_flag_get(&t->cancel) && !j->closing;
    if (go) {
        t->st = RUNNING;
        t->phase = "start";
    }
    pthread_mutex_unlock(&j->lock);
    if (go) {
        tell(j, t);
        rc = t->relive ? fa_ledger_relive(j->ledger, t->relive, &e) : run_load(t, &a, &e);
    }
    pthread_mutex_lock(&j->lock);
    t->st = !go || rc == FA_ECANCELLED ? CANCELLED : rc ? FAILED : DONE;
    t->phase = state_names[t->st];
    if (t->st == DONE)
        t->fraction = 1;
    if (t->st == FAILED)
        snprintf(t->message, sizeof t->message, "%s%s%s", e.msg, e.hint[0] ? "; " : "", e.hint);
    t->left_ms = -1;
    t->ended_ms = fa_mono_ms();
    pthread_mutex_unlock(&j->lock);
    fa_log(rc ? FA_LOG_WARN : FA_LOG_INFO, "job", "id=%s state=%s by=%s%s%s", t->id,
           state_names[t->st], t->by, rc ? " error=" : "", rc ? e.msg : "");
    unstage(t->path);
    tell(j, t);
    j->watch(j->user, "loads", FA_STR("{}"));
    pthread_mutex_lock(&j->lock);
    t->path = NULL;
    t->busy = false;
    pthread_mutex_unlock(&j->lock);
    fa_arena_release(&a);
}

fa_rc fa_jobs_open(fa_ledger *l, fa_job_watch *watch, void *user, fa_jobs **out, fa_err *e)
{
    fa_jobs *j = calloc(1, sizeof *j);
    fa_rc rc;

    *out = NULL;
    if (!j)
        return fa_oom(e);
    j->ledger = l;
    j->watch = watch;
    j->user = user;
    pthread_mutex_init(&j->lock, NULL);
    if ((rc = fa_pool_open("load", 1, MAX_WAITING + 1, &j->pool, e))) {
        fa_jobs_close(j);
        return rc;
    }
    *out = j;
    return FA_OK;
}

void fa_jobs_stop(fa_jobs *j)
{
    if (!j)
        return;
    pthread_mutex_lock(&j->lock);
    j->closing = true;
    for (size_t i = 0; i < MAX_JOBS; i++)
        fa_flag_set(&j->list[i].cancel);
    pthread_mutex_unlock(&j->lock);
    fa_pool_stop(j->pool);
}

void fa_jobs_close(fa_jobs *j)
{
    if (!j)
        return;
    fa_jobs_stop(j);
    fa_pool_close(j->pool);
    pthread_mutex_destroy(&j->lock);
    free(j);
}

static void copy_text(char out[TEXT], fa_str s)
{
    size_t n = s.n < TEXT - 1 ? s.n : TEXT - 1;

    memcpy(out, s.p, n);
    out[n] = '\0';
}

/* A free place, or the one of the job that ended first; NULL: all of them wait or run. Under lock.
 */
static job *place(fa_jobs *j)
{
    job *best = NULL;

    for (size_t i = 0; i < MAX_JOBS; i++) {
        job *t = &j->list[i];

        if (!t->used)
            return t;
        if (t->st >= DONE && !t->busy && (!best || t->ended_ms < best->ended_ms))
            best = t;
    }
    return best;
}

static fa_rc add(fa_jobs *j, fa_str source, fa_str file, char *path, int64_t relive, fa_str by,
                 char id[37], fa_err *e)
{
    job *t;
    bool ok = false;

    pthread_mutex_lock(&j->lock);
    if ((t = place(j))) {
        *t = (job){.used = true,
                   .busy = true,
                   .path = path,
                   .relive = relive,
                   .load_id = relive,
                   .phase = "waiting",
                   .st = QUEUED,
                   .left_ms = -1,
                   .made_ms = fa_mono_ms(),
                   .owner = j};
        fa_uuid_v4(t->id);
        copy_text(t->source, source);
        copy_text(t->file, file);
        copy_text(t->by, by);
        memcpy(id, t->id, 37);
        ok = fa_pool_add(j->pool, run, t);
        if (!ok)
            *t = (job){0};
    }
    pthread_mutex_unlock(&j->lock);
    if (!ok) {
        unstage(path);
        return fa_fail(e, FA_ELIMIT, "%d loads are waiting already, try again later", MAX_WAITING);
    }
    return FA_OK;
}

fa_rc fa_job_load(fa_jobs *j, fa_str source, fa_str file, const char *path, fa_str by, char id[37],
                  fa_err *e)
{
    char *own = strdup(path);

    if (!own)
        return fa_oom(e);
    return add(j, source, file, own, 0, by, id, e);
}

fa_rc fa_job_relive(fa_jobs *j, int64_t load_id, fa_str by, char id[37], fa_err *e)
{
    fa_arena a;
    fa_load load;
    fa_rc rc;

    fa_arena_init(&a, 1 << 24);
    rc = fa_load_get(fa_ledger_store(j->ledger), &a, fa_ledger_account(j->ledger), load_id, &load,
                     e);
    if (!rc)
        rc = add(j, load.source, FA_STR(""), NULL, load_id, by, id, e);
    fa_arena_release(&a);
    return rc;
}

fa_rc fa_job_cancel(fa_jobs *j, fa_str id, fa_err *e)
{
    bool found = false;

    pthread_mutex_lock(&j->lock);
    for (size_t i = 0; i < MAX_JOBS; i++)
        if (j->list[i].used && fa_str_eqz(id, j->list[i].id)) {
            fa_flag_set(&j->list[i].cancel);
            found = true;
        }
    pthread_mutex_unlock(&j->lock);
    return found ? FA_OK : fa_fail(e, FA_ENOTFOUND, "no such job");
}

void fa_jobs_json(fa_jobs *j, fa_jw *w)
{
    int64_t now = fa_mono_ms();
    const job *order[MAX_JOBS] = {0};
    size_t n = 0, at;

    pthread_mutex_lock(&j->lock);
    for (size_t i = 0; i < MAX_JOBS; i++) {
        const job *t = &j->list[i];

        if (!t->used || (t->st >= DONE && now - t->ended_ms > KEEP_MS))
            continue;
        for (at = n; at && order[at - 1]->made_ms < t->made_ms; at--)
            order[at] = order[at - 1];
        order[at] = t;
        n++;
    }
    fa_jw_arr(w);
    for (size_t i = 0; i < n; i++)
        job_json(order[i], w);
    fa_jw_end_arr(w);
    pthread_mutex_unlock(&j->lock);
}

size_t fa_jobs_busy(fa_jobs *j)
{
    size_t n = 0;

    pthread_mutex_lock(&j->lock);
    for (size_t i = 0; i < MAX_JOBS; i++)
        n += j->list[i].used && j->list[i].st < DONE;
    pthread_mutex_unlock(&j->lock);
    return n;
}
