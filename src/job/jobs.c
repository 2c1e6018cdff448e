/*
 * jobs.c - loads and fetches that outlive a request: queued, run, told of, kept, resumed.
 *
 * The list in memory is what the page sees, with progress; it is bounded, and the oldest ended job goes when it
 * is full or an hour old. The row in meta.db is what survives: who asked, what became of it, whose lease it is.
 */
#include "job/inner.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_WAITING = 32 };
#define KEEP_MS 3600000LL
#define BEAT_MS 5000LL
#define HISTORY_MS (400 * 86400000LL)

/* A job that waits its turn is "running" to the page: its phase says "waiting". */
static const char *const state_names[] = {"running", "running", "done", "failed", "cancelled"};
static const char *const kind_names[] = {"load", "reload", "fetch", "fairshare"};

static void job_json(const job *t, fa_jw *w)
{
    fa_jw_obj(w);
    fa_jw_key(w, "id");
    fa_jw_z(w, t->id);
    fa_jw_key(w, "kind");
    fa_jw_z(w, kind_names[t->kind]);
    fa_jw_key(w, "source");
    fa_jw_z(w, t->source);
    fa_jw_key(w, "file");
    fa_jw_z(w, t->file);
    fa_jw_key(w, "connectionId");
    fa_jw_z(w, t->connection[0] ? t->connection : NULL);
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

/* ---- its row in meta.db ---- */

static fa_job row_of(const job *t)
{
    return (fa_job){.id = fa_str_of(t->id),
                    .kind = fa_str_of(kind_names[t->kind]),
                    .connection_id = fa_str_of(t->connection),
                    .source = fa_str_of(t->source),
                    .file = fa_str_of(t->file),
                    .path = fa_str_of(t->path),
                    .load_id = t->load_id,
                    .state = FA_STR("queued"),
                    .by = fa_str_of(t->by),
                    .lease_by = FA_STR(""),
                    .heartbeat_ms = fa_now_ms(),
                    .rows = t->rows,
                    .bytes = t->bytes,
                    .bytes_total = t->bytes_total,
                    .created_ms = fa_now_ms(),
                    .started_ms = -1,
                    .ended_ms = -1,
                    .message = fa_str_of(t->message)};
}

static void beat(job *t)
{
    fa_jobs *j = t->owner;
    fa_err e = {0};
    fa_job row;
    bool due;

    pthread_mutex_lock(&j->lock);
    due = fa_mono_ms() - t->beat_ms >= BEAT_MS;
    if (due)
        t->beat_ms = fa_mono_ms();
    row = row_of(t);
    pthread_mutex_unlock(&j->lock);
    if (due && fa_job_beat(fa_ledger_store(j->ledger), fa_ledger_account(j->ledger), &row, &e))
        fa_log(FA_LOG_WARN, "job_beat_failed", "id=%s error=%s", t->id, e.msg);
}

static void tick(void *user, const fa_progress_state *s)
{
    job *t = user;

    pthread_mutex_lock(&t->owner->lock);
    t->phase = s->phase;
    t->rows = t->rows_before + s->rows;
    t->bytes = s->bytes;
    t->bytes_total = s->bytes_total;
    t->fraction = s->fraction < 0 ? 0 : s->fraction > 1 ? 1 : s->fraction;
    t->rate = s->rows_per_s;
    t->left_ms = s->left_ms;
    pthread_mutex_unlock(&t->owner->lock);
    tell(t->owner, t);
    beat(t);
}

void job_tick(job *t, const fa_progress_state *s)
{
    tick(t, s);
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

/* The width stands in `file`. */
static fa_rc run_fair(job *t, fa_err *e)
{
    fa_progress p = {.tick = tick, .user = t, .cancel = &t->cancel};
    fa_fair_width w;

    if (!fa_fair_find(fa_str_of(t->file), &w))
        return fa_fail(e, FA_EDATA, "\"%s\" is no width of FairShare pools", t->file);
    return fa_ledger_fair_set(t->owner->ledger, w, &p, e);
}

static fa_rc run_kind(job *t, fa_arena *a, fa_err *e)
{
    switch (t->kind) {
    case JOB_RELOAD:
        return fa_ledger_relive(t->owner->ledger, t->load_id, e);
    case JOB_FETCH:
        return job_run_fetch(t, a, e);
    case JOB_FAIR:
        return run_fair(t, e);
    default:
        return run_load(t, a, e);
    }
}

/* false: it is not ours to run any more. */
static bool start(job *t)
{
    fa_jobs *j = t->owner;
    fa_err e = {0};
    bool go;

    pthread_mutex_lock(&j->lock);
    go = !fa_flag_get(&t->cancel) && !j->closing;
    if (go) {
        t->st = RUNNING;
        t->phase = "start";
        t->beat_ms = fa_mono_ms();
    }
    pthread_mutex_unlock(&j->lock);
    if (go && fa_job_take(fa_ledger_store(j->ledger), fa_ledger_account(j->ledger),
                          fa_str_of(t->id), fa_str_of(j->lease), fa_now_ms(), &e))
        fa_log(FA_LOG_WARN, "job_take_failed", "id=%s error=%s", t->id, e.msg);
    return go;
}

/* stays: the server is closing and nobody asked to cancel: its row stays open and the next start goes on. */
static void end(job *t, bool go, fa_rc rc, const fa_err *e, bool *stays)
{
    fa_jobs *j = t->owner;
    fa_err sub = {0};
    fa_job row;

    pthread_mutex_lock(&j->lock);
    t->st = !go || rc == FA_ECANCELLED ? CANCELLED : rc ? FAILED : DONE;
    *stays = t->st == CANCELLED && j->closing && !t->asked;
    t->phase = state_names[t->st];
    if (t->st == DONE)
        t->fraction = 1;
    if (t->st == FAILED)
        snprintf(t->message, sizeof t->message, "%s%s%s", e->msg, e->hint[0] ? "; " : "", e->hint);
    t->left_ms = -1;
    t->ended_ms = fa_mono_ms();
    row = row_of(t);
    pthread_mutex_unlock(&j->lock);
    row.state = fa_str_of(state_names[t->st]);
    row.ended_ms = fa_now_ms();
    if (!*stays && fa_job_end(fa_ledger_store(j->ledger), fa_ledger_account(j->ledger), &row, &sub))
        fa_log(FA_LOG_ERROR, "job_end_failed", "id=%s error=%s", t->id, sub.msg);
    fa_log(rc ? FA_LOG_WARN : FA_LOG_INFO, "job", "id=%s kind=%s state=%s by=%s%s%s", t->id,
           kind_names[t->kind], *stays ? "stopped" : state_names[t->st], t->by, rc ? " error=" : "",
           rc ? e->msg : "");
}

static void run(void *arg)
{
    job *t = arg;
    fa_jobs *j = t->owner;
    fa_arena a;
    fa_err e = {0};
    fa_rc rc = FA_OK;
    bool go = start(t), stays;

    fa_arena_init(&a, 0);
    if (go) {
        tell(j, t);
        rc = run_kind(t, &a, &e);
    }
    end(t, go, rc, &e, &stays);
    if (stays)
        free(t->path);
    else
        unstage(t->path);
    tell(j, t);
    j->watch(j->user, "loads", FA_STR("{}"));
    pthread_mutex_lock(&j->lock);
    t->path = NULL;
    t->busy = false;
    pthread_mutex_unlock(&j->lock);
    fa_arena_release(&a);
}

/* ---- asking for one ---- */

static void copy_text(char out[JOB_TEXT], fa_str s)
{
    size_t n = s.n < JOB_TEXT - 1 ? s.n : JOB_TEXT - 1;

    if (n)
        memcpy(out, s.p, n);
    out[n] = '\0';
}

/* A free place, or the one of the job that ended first; NULL: all of them wait or run. Under lock.
 */
static job *place(fa_jobs *j)
{
    job *best = NULL;

    for (size_t i = 0; i < JOB_MAX; i++) {
        job *t = &j->list[i];

        if (!t->used)
            return t;
        if (t->st >= DONE && !t->busy && (!best || t->ended_ms < best->ended_ms))
            best = t;
    }
    return best;
}

/* The fetch of this connection that waits or runs; NULL: none. Under lock. */
static job *fetching(fa_jobs *j, fa_str connection)
{
    for (size_t i = 0; i < JOB_MAX; i++)
        if (j->list[i].used && j->list[i].st < DONE && j->list[i].kind == JOB_FETCH &&
            fa_str_eqz(connection, j->list[i].connection))
            return &j->list[i];
    return NULL;
}

/* What it is about: `row` has id ("" for a new one), kind, connection, source, file, path, load, by. */
static fa_rc enqueue(fa_jobs *j, const fa_job *row, job_kind kind, char *path, char id[37],
                     fa_err *e)
{
    job *t;
    fa_job fresh;
    bool is_new = !row->id.n, ok = false;
    fa_rc rc = FA_OK;

    pthread_mutex_lock(&j->lock);
    if (kind == JOB_FETCH && (t = fetching(j, row->connection_id))) {
        memcpy(id, t->id, 37);
        pthread_mutex_unlock(&j->lock);
        return fa_fail(e, FA_ECONFLICT, "this connection is being run already");
    }
    if ((t = place(j))) {
        *t = (job){.used = true,
                   .busy = true,
                   .kind = kind,
                   .path = path,
                   .load_id = row->load_id,
                   .phase = "waiting",
                   .st = QUEUED,
                   .left_ms = -1,
                   .made_ms = fa_mono_ms(),
                   .owner = j};
        if (is_new)
            fa_uuid_v4(t->id);
        else
            snprintf(t->id, sizeof t->id, "%.*s", FA_FMT(row->id));
        copy_text(t->source, row->source);
        copy_text(t->file, row->file);
        copy_text(t->connection, row->connection_id);
        copy_text(t->by, row->by);
        memcpy(id, t->id, 37);
        fresh = row_of(t);
        if (is_new)
            rc = fa_job_add(fa_ledger_store(j->ledger), fa_ledger_account(j->ledger), &fresh, e);
        ok = !rc && fa_pool_add(kind == JOB_FETCH ? j->fetch_pool : j->pool, run, t);
        if (!ok && !rc && is_new) {
            fresh.state = FA_STR("failed");
            fresh.message = FA_STR("too many jobs were waiting");
            fresh.ended_ms = fa_now_ms();
            rc = fa_job_end(fa_ledger_store(j->ledger), fa_ledger_account(j->ledger), &fresh, e);
        }
        if (!ok)
            *t = (job){0};
    }
    pthread_mutex_unlock(&j->lock);
    if (ok)
        return FA_OK;
    unstage(path);
    return rc ? rc
              : fa_fail(e, FA_ELIMIT, "%d jobs are waiting already, try again later", MAX_WAITING);
}

fa_rc fa_job_load(fa_jobs *j, fa_str source, fa_str file, const char *path, fa_str by, char id[37],
                  fa_err *e)
{
    fa_job row = {.source = source, .file = file, .by = by};
    char *own = strdup(path);

    if (!own)
        return fa_oom(e);
    return enqueue(j, &row, JOB_LOAD, own, id, e);
}

fa_rc fa_job_relive(fa_jobs *j, int64_t load_id, fa_str by, char id[37], fa_err *e)
{
    fa_arena a;
    fa_load load;
    fa_rc rc;

    fa_arena_init(&a, 1 << 24);
    rc = fa_load_get(fa_ledger_store(j->ledger), &a, fa_ledger_account(j->ledger), load_id, &load,
                     e);
    if (!rc) {
        fa_job row = {.source = load.source, .load_id = load_id, .by = by};

        rc = enqueue(j, &row, JOB_RELOAD, NULL, id, e);
    }
    fa_arena_release(&a);
    return rc;
}

/* The job of a kind that waits or runs; false: none. */
static bool is_busy(fa_jobs *j, job_kind kind, char id[37])
{
    bool found = false;

    pthread_mutex_lock(&j->lock);
    for (size_t i = 0; i < JOB_MAX && !found; i++)
        if (j->list[i].used && j->list[i].st < DONE && j->list[i].kind == kind) {
            memcpy(id, j->list[i].id, 37);
            found = true;
        }
    pthread_mutex_unlock(&j->lock);
    return found;
}

fa_rc fa_job_fair(fa_jobs *j, fa_fair_width w, fa_str by, char id[37], fa_err *e)
{
    fa_job row = {.file = fa_str_of(fa_fair_name(w)), .by = by};

    if (is_busy(j, JOB_FAIR, id)) {
        (void)fa_fail(e, FA_ECONFLICT, "FairShare cost is being made already");
        return fa_hint(e, "wait for it to end, or cancel it");
    }
    return enqueue(j, &row, JOB_FAIR, NULL, id, e);
}

bool fa_job_fair_runs(fa_jobs *j, char id[37])
{
    return is_busy(j, JOB_FAIR, id);
}

fa_rc fa_job_fetch(fa_jobs *j, fa_str connection_id, fa_str by, char id[37], fa_err *e)
{
    fa_arena a;
    fa_connection c;
    fa_rc rc;

    if (!j->net)
        return fa_fail(e, FA_EENV, "connections are run by the server only");
    fa_arena_init(&a, 1 << 24);
    rc = fa_connection_get(fa_ledger_store(j->ledger), &a, fa_ledger_account(j->ledger),
                           connection_id, &c, e);
    if (!rc) {
        fa_job row = {.source = c.source, .file = c.name, .connection_id = c.id, .by = by};

        rc = enqueue(j, &row, JOB_FETCH, NULL, id, e);
    }
    fa_arena_release(&a);
    return rc;
}

fa_rc fa_job_cancel(fa_jobs *j, fa_str id, fa_err *e)
{
    bool found = false;

    pthread_mutex_lock(&j->lock);
    for (size_t i = 0; i < JOB_MAX; i++)
        if (j->list[i].used && fa_str_eqz(id, j->list[i].id)) {
            j->list[i].asked = true;
            fa_flag_set(&j->list[i].cancel);
            found = true;
        }
    pthread_mutex_unlock(&j->lock);
    return found ? FA_OK : fa_fail(e, FA_ENOTFOUND, "no such job");
}

void fa_jobs_json(fa_jobs *j, fa_jw *w)
{
    int64_t now = fa_mono_ms();
    const job *order[JOB_MAX] = {0};
    size_t n = 0, at;

    pthread_mutex_lock(&j->lock);
    for (size_t i = 0; i < JOB_MAX; i++) {
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
    for (size_t i = 0; i < JOB_MAX; i++)
        n += j->list[i].used && j->list[i].st < DONE;
    pthread_mutex_unlock(&j->lock);
    return n;
}

/* ---- life ---- */

static fa_rc give_up(fa_jobs *j, fa_job *row, const char *why, fa_err *e)
{
    row->state = FA_STR("failed");
    row->message = fa_str_of(why);
    row->ended_ms = fa_now_ms();
    fa_log(FA_LOG_WARN, "job", "id=%.*s state=failed error=%s", FA_FMT(row->id), why);
    return fa_job_end(fa_ledger_store(j->ledger), fa_ledger_account(j->ledger), row, e);
}

static fa_rc resume_one(fa_jobs *j, fa_job *row, fa_err *e)
{
    job_kind kind = 0;
    bool load, fetch;
    char id[37], *path = NULL;
    fa_rc rc;

    while (kind + 1 < JOB__KINDS && !fa_str_eqz(row->kind, kind_names[kind]))
        kind++;
    load = kind == JOB_LOAD;
    fetch = kind == JOB_FETCH;
    if (row->attempts >= JOB_ATTEMPTS)
        return give_up(j, row, "the server stopped five times while it ran", e);
    if (fetch && !j->net)
        return FA_OK; /* a command's jobs: the server goes on with it */
    if (load && (!row->path.n || access(row->path.p, R_OK)))
        return give_up(
            j, row, "the server stopped while it ran and the upload is gone: upload it again", e);
    if (load && !(path = strndup(row->path.p, row->path.n)))
        return fa_oom(e);
    rc = enqueue(j, row, kind, path, id, e);
    if (rc == FA_ELIMIT || rc == FA_ECONFLICT)
        rc = give_up(j, row, "the server stopped while it ran", e);
    else if (!rc)
        fa_log(FA_LOG_INFO, "job_resumed", "id=%s attempt=%lld", id, (long long)row->attempts + 1);
    return rc;
}

static fa_rc resume(fa_jobs *j, fa_err *e)
{
    fa_arena a;
    fa_job *row;
    size_t n;
    fa_rc rc;

    fa_arena_init(&a, 1 << 26);
    rc = fa_job_purge(fa_ledger_store(j->ledger), fa_ledger_account(j->ledger),
                      fa_now_ms() - HISTORY_MS, e);
    if (!rc)
        rc = fa_job_open(fa_ledger_store(j->ledger), &a, fa_ledger_account(j->ledger), &row, &n, e);
    for (size_t i = 0; !rc && i < n; i++)
        rc = resume_one(j, &row[i], e);
    fa_arena_release(&a);
    return rc;
}

fa_rc fa_jobs_open(fa_ledger *l, fa_net *net, const char *folders, fa_job_watch *watch, void *user,
                   fa_jobs **out, fa_err *e)
{
    fa_jobs *j = calloc(1, sizeof *j);
    char host[64] = "";
    fa_rc rc;

    *out = NULL;
    if (!j)
        return fa_oom(e);
    j->ledger = l;
    j->net = net;
    j->folders = folders ? strdup(folders) : NULL;
    j->watch = watch;
    j->user = user;
    gethostname(host, sizeof host - 1);
    snprintf(j->lease, sizeof j->lease, "%s:%ld", host, (long)getpid());
    pthread_mutex_init(&j->lock, NULL);
    if ((folders && !j->folders && (rc = fa_oom(e))) ||
        (rc = fa_pool_open("load", 1, MAX_WAITING + 1, &j->pool, e)) ||
        (rc = fa_pool_open("fetch", 2, MAX_WAITING + 1, &j->fetch_pool, e)) ||
        (rc = resume(j, e)) || (net && (rc = job_schedule_start(j, e)))) {
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
    for (size_t i = 0; i < JOB_MAX; i++)
        fa_flag_set(&j->list[i].cancel);
    pthread_mutex_unlock(&j->lock);
    job_schedule_stop(j);
    fa_pool_stop(j->fetch_pool);
    fa_pool_stop(j->pool);
}

void fa_jobs_close(fa_jobs *j)
{
    if (!j)
        return;
    fa_jobs_stop(j);
    fa_pool_close(j->fetch_pool);
    fa_pool_close(j->pool);
    pthread_mutex_destroy(&j->lock);
    free(j->folders);
    free(j);
}
