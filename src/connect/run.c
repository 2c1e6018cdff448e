/*
 * run.c - "Test connection", and a run: list, plan, fetch, load, remember.
 */
#include "connect/inner.h"
#include "connect/sample.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ROUNDS = 3 };

/* Every file of a store that only adds stays in DIR/fetch/<connection>/kept: the ledger replaces a month whole, so
 * a load of such a store is made of all its files. What was taken and is not there any more (a restored
 * backup has no downloads) is fetched again. BigQuery goes on after the last row we have. */
static fa_rc open_kept(cn_conn *c, fa_err *e)
{
    const fa_connect_call *k = c->call;
    bool whole = true;
    fa_delivery *d;
    size_t n;
    fa_rc rc;

    if (!c->store->append || !k->connection_id.n)
        return FA_OK;
    if (!(c->kept = fa_arena_printf(c->mem, "%s/fetch/%.*s/kept", fa_ledger_dir(k->ledger),
                                    FA_FMT(k->connection_id))))
        return fa_oom(e);
    if ((rc = fa_mkdirs(c->kept, 0700, e)) ||
        (rc = fa_delivery_list(fa_ledger_store(k->ledger), c->mem, fa_ledger_account(k->ledger),
                               k->connection_id, &d, &n, e)))
        return rc;
    for (size_t i = 0; i < n; i++) {
        const cn_object o = {.key = d[i].scope, .etag = d[i].version};
        const char *path = cn_path(c->mem, c->kept, &o);

        if (!path)
            return fa_oom(e);
        whole = whole && access(path, F_OK) == 0;
        if (fa_str_cmp(d[i].version, c->since) > 0)
            c->since = d[i].version; /* BigQuery: the export_time of its last row */
    }
    if (whole)
        return FA_OK;
    c->since = FA_STR("");
    return c->store->write ? fa_remove_tree(c->kept, e) : FA_OK;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* All whole files of the folder, in the order of their names. */
static fa_rc list_kept(cn_conn *c, const char ***out, size_t *n, fa_err *e)
{
    DIR *d = opendir(c->kept);
    const struct dirent *i;
    size_t cap = 0;
    fa_rc rc = FA_OK;

    *out = NULL;
    *n = 0;
    if (!d)
        return fa_fail(e, FA_EENV, "the downloads in %s cannot be read", c->kept);
    while (!rc && (i = readdir(d))) {
        size_t k = strlen(i->d_name);

        if (i->d_name[0] == '.' || (k > 5 && strcmp(i->d_name + k - 5, ".part") == 0))
            continue;
        if (*n == cap) {
            size_t more = cap ? 2 * cap : 256;
            const char **v = fa_arena_array(c->mem, more, sizeof *v);

            if (v && cap)
                memcpy(v, *out, cap * sizeof *v);
            *out = v;
            cap = more;
        }
        if (!*out || !((*out)[(*n)++] = fa_arena_printf(c->mem, "%s/%s", c->kept, i->d_name)))
            rc = fa_oom(e);
    }
    closedir(d);
    if (!rc && *n)
        qsort(*out, *n, sizeof **out, by_name);
    return rc;
}

/* ---- test ---- */

static bool note(fa_connect_report *r, fa_arena *a, const char *what, fa_rc rc, const fa_err *e,
                 fa_str good)
{
    fa_connect_check *k = &r->check[r->ncheck++];

    k->what = fa_str_of(what);
    k->ok = !rc;
    k->message = rc ? fa_arena_dup(a, fa_str_of(e->msg)) : good;
    k->hint = rc ? fa_arena_dup(a, fa_str_of(e->hint)) : FA_STR("");
    return k->ok;
}

static bool ours(fa_rc rc)
{
    return rc == FA_ECANCELLED || rc == FA_EINTERNAL;
}

static fa_rc find_bills(cn_conn *c, fa_arena *a, const cn_list *objects, const cn_delivery **newest,
                        fa_connect_report *r, fa_str *words, fa_err *e)
{
    const cn_delivery *best = NULL, *d;
    cn_plan plan;
    fa_rc rc = cn_plan_make(c, objects, true, &plan, e);

    if (rc)
        return rc;
    for (size_t i = 0; i < plan.n; i++) {
        d = &plan.v[i];
        r->bytes += d->bytes;
        if (d->n && (!d->missing.n || !best))
            best = d;
    }
    r->deliveries = (int64_t)plan.n;
    if (!plan.n && objects->n) {
        fa_fail(e, FA_ENOTFOUND,
                "there are %zu files, and no manifest and no bill (CSV, gzip, zip, Parquet, JSON "
                "lines) among them",
                objects->n);
        return fa_hint(e, "the first is %.*s; is the path that of the export?",
                       FA_FMT(objects->v[0].key));
    }
    if (!plan.n) {
        fa_fail(e, FA_ENOTFOUND,
                c->store->write ? "the table has no rows yet" : "there is nothing under \"%.*s\"",
                FA_FMT(c->prefix));
        return fa_hint(e, "a new export writes its first files within 24 hours");
    }
    if (!best || best->missing.n) {
        d = best ? best : &plan.v[0];
        fa_fail(e, FA_ENOTFOUND, "the manifest of %.*s names a file that is not there whole: %.*s",
                FA_FMT(d->period), FA_FMT(d->missing));
        return fa_hint(e, "the export may be writing it now; a run waits until it is complete");
    }
    *newest = best;
    *words = fa_str_of(
        best->period.n ? fa_arena_printf(a, "%zu billing period%s, the newest %.*s with %zu file%s",
                                         plan.n, plan.n == 1 ? "" : "s", FA_FMT(best->period),
                                         best->n, best->n == 1 ? "" : "s")
                       : fa_arena_printf(a, "%zu bill file%s", best->n, best->n == 1 ? "" : "s"));
    return FA_OK;
}

static fa_rc test_steps(cn_conn *c, const fa_connect_call *call, fa_arena *a, fa_connect_report *r,
                        fa_err *e)
{
    const cn_delivery *newest = NULL;
    fa_str words = FA_STR("");
    cn_list objects;
    fa_rc rc;

    rc = cn_open(call, a, c, e);
    if (!note(r, a, "Sign in", rc, e, FA_STR("the address and the credential are right")))
        return rc;
    if (!(rc = open_kept(c, e)))
        rc = cn_all(c, &objects, e);
    if (!note(r, a, "List", rc, e,
              rc ? FA_STR("")
                 : fa_str_of(fa_arena_printf(a, "%zu %s", objects.n,
                                             objects.n == 1 ? "object" : "objects"))))
        return rc;
    rc = find_bills(c, a, &objects, &newest, r, &words, e);
    if (!note(r, a, "Find bills", rc, e, words))
        return rc;
    rc = cn_sample(c, a, newest->file[0], r, e);
    words = rc ? FA_STR("")
               : fa_str_of(fa_arena_printf(a, "%.*s is a bill of the format %.*s",
                                           FA_FMT(newest->file[0]->key), FA_FMT(r->format)));
    if (rc && rc != FA_EFORBIDDEN && rc != FA_EAUTH) {
        char msg[sizeof e->msg];

        snprintf(msg, sizeof msg, "%s", e->msg);
        snprintf(e->msg, sizeof e->msg, "%.*s: %.700s",
                 (int)(newest->file[0]->key.n < 250 ? newest->file[0]->key.n : 250),
                 newest->file[0]->key.p, msg);
    }
    note(r, a, "Read", rc, e, words);
    return rc;
}

fa_rc fa_connect_test(const fa_connect_call *call, fa_arena *a, fa_connect_report *out, fa_err *e)
{
    cn_conn c = {0};
    fa_rc rc;

    *out = (fa_connect_report){0};
    rc = test_steps(&c, call, a, out, e);
    cn_close(&c);
    out->ok = !rc;
    return ours(rc) ? rc : FA_OK;
}

/* ---- run ---- */

typedef struct runner {
    cn_conn c;
    const fa_connect_call *call;
    const fa_progress *p;
    fa_connect_result *out;
    char *base; /* DIR/fetch/<connection> */
    int64_t bytes_total, bytes_before, started;
} runner;

static void on_fetch(void *user, int64_t bytes)
{
    runner *t = user;
    int64_t done = t->bytes_before + bytes, elapsed = fa_mono_ms() - t->started;
    fa_progress_state s = {.phase = "fetch",
                           .bytes = done,
                           .bytes_total = t->bytes_total,
                           .elapsed_ms = elapsed,
                           .left_ms = -1};

    if (t->bytes_total > 0) {
        s.fraction = (double)done / (double)t->bytes_total / 2; /* the other half is the load */
        if (done > 0 && elapsed > 1000)
            s.left_ms =
                (int64_t)((double)elapsed * ((double)(t->bytes_total - done) / (double)done));
    }
    if (t->p && t->p->tick)
        t->p->tick(t->p->user, &s);
}

/* Downloads of versions that are not wanted any more. */
static void sweep(const runner *t, const cn_plan *plan)
{
    DIR *d = opendir(t->base);
    const struct dirent *i;

    while (d && (i = readdir(d))) {
        bool wanted = i->d_name[0] == '.' || (t->c.kept && strcmp(i->d_name, "kept") == 0);
        char *path;
        fa_err e = {0};

        for (size_t k = 0; k < plan->n && !wanted; k++)
            wanted = fa_str_eqz(plan->v[k].version, i->d_name);
        if (!wanted && (path = fa_arena_printf(t->c.mem, "%s/%s", t->base, i->d_name)) &&
            fa_remove_tree(path, &e))
            fa_log(FA_LOG_WARN, "fetch_left", "error=%s", e.msg);
    }
    if (d)
        closedir(d);
}

static fa_rc remember(runner *t, const cn_delivery *d, int64_t load_id, fa_err *e)
{
    fa_store *s = fa_ledger_store(t->call->ledger);
    fa_str account = fa_ledger_account(t->call->ledger);
    fa_delivery row = {d->scope, d->version, d->seq, (int64_t)d->n, d->bytes, load_id, fa_now_ms()};
    fa_rc rc = FA_OK;

    if (!d->append)
        return fa_delivery_took(s, account, t->call->connection_id, &row, e);
    if ((rc = fa_store_begin(s, e))) /* each file by its name, all or none */
        return rc;
    for (size_t i = 0; !rc && i < d->n; i++) {
        row = (fa_delivery){d->file[i]->key,
                            d->file[i]->etag,
                            d->seq,
                            1,
                            d->file[i]->bytes > 0 ? d->file[i]->bytes : 0,
                            load_id,
                            row.loaded_ms};
        rc = fa_delivery_took(s, account, t->call->connection_id, &row, e);
    }
    if (!rc)
        return fa_store_commit(s, e);
    fa_store_rollback(s);
    return rc;
}

static fa_rc take_one(runner *t, const cn_delivery *d, fa_err *e)
{
    cn_fetch f = {.c = &t->c, .tick = on_fetch, .user = t};
    fa_load_request q = {.source = t->call->source, .npath = d->n};
    fa_load_result r = {0};
    const char **all;
    fa_arena a;
    fa_rc rc;

    f.dir = t->c.kept;
    if (!f.dir && !(f.dir = fa_arena_printf(t->c.mem, "%s/%.*s", t->base, FA_FMT(d->version))))
        return fa_oom(e);
    if ((rc = cn_fetch_all(&f, d, e)))
        return rc;
    if (fa_fault("connect.fetched"))
        return fa_fail(e, FA_EENV, "the download cannot be read back");
    fa_arena_init(&a, 0);
    q.path = f.path;
    if (t->c.kept) {
        rc = list_kept(&t->c, &all, &q.npath, e);
        q.path = all;
    }
    if (!rc && !(rc = fa_ledger_load(t->call->ledger, &a, &q, t->p, &r, e))) {
        t->out->deliveries++;
        t->out->files += (int64_t)d->n;
        t->out->bytes += d->bytes;
        t->out->rows += r.load.rows;
        t->out->last_load = r.load.id;
        rc = remember(t, d, r.load.id, e);
    }
    fa_arena_release(&a);
    if (!rc && !t->c.store->local && !t->c.kept)
        rc = fa_remove_tree(f.dir, e);
    t->bytes_before += d->bytes;
    return rc;
}

static void hold_back(runner *t, const cn_delivery *d)
{
    t->out->waiting++;
    snprintf(t->out->note, sizeof t->out->note, "%.*s is held back: %.200s is not there whole yet",
             FA_FMT(d->period), d->missing.p);
}

/* Everything that is new. A delivery that is refused does not keep the others out. */
static fa_rc take_all(runner *t, const cn_plan *plan, fa_err *e)
{
    fa_err first = {0};

    t->bytes_total = t->bytes_before = 0;
    for (size_t i = 0; i < plan->n; i++)
        t->bytes_total += plan->v[i].missing.n ? 0 : plan->v[i].bytes;
    for (size_t i = 0; i < plan->n; i++) {
        fa_err one = {0};
        fa_rc rc;

        if (plan->v[i].missing.n) {
            hold_back(t, &plan->v[i]);
            continue;
        }
        if (!(rc = take_one(t, &plan->v[i], &one)))
            continue;
        if (rc != FA_EDATA) {
            if (e)
                *e = one;
            return rc;
        }
        if (!first.rc)
            first = one;
    }
    if (first.rc && e)
        *e = first;
    return first.rc;
}

/* A file that was loaded, is not in our folder any more and has left the store: a load without it would take its
 * costs away. */
static fa_rc nothing_lost(runner *t, const cn_list *objects, fa_err *e)
{
    const fa_connect_call *k = t->call;
    fa_delivery *d;
    size_t n;
    fa_rc rc;

    if (!t->c.kept || t->c.store->write)
        return FA_OK;
    if ((rc = fa_delivery_list(fa_ledger_store(k->ledger), t->c.mem, fa_ledger_account(k->ledger),
                               k->connection_id, &d, &n, e)))
        return rc;
    for (size_t i = 0; i < n; i++) {
        const cn_object o = {.key = d[i].scope, .etag = d[i].version};
        const char *path = cn_path(t->c.mem, t->c.kept, &o);

        if (!path)
            return fa_oom(e);
        if (access(path, F_OK) && !cn_find(objects, o.key)) {
            fa_fail(e, FA_EDATA,
                    "%.*s was loaded, is not among our downloads any more, and the store has "
                    "removed it",
                    FA_FMT(o.key));
            return fa_hint(e, "what is loaded stays; make a new connection with a source of its "
                              "own for what is new");
        }
    }
    return FA_OK;
}

static fa_rc one_round(runner *t, fa_err *e)
{
    cn_list objects;
    cn_plan plan;
    fa_rc rc;

    t->out->waiting = 0;
    if ((rc = open_kept(&t->c, e)) || (rc = cn_all(&t->c, &objects, e)) ||
        (rc = nothing_lost(t, &objects, e)) ||
        (rc = cn_plan_make(&t->c, &objects, false, &plan, e)))
        return rc;
    sweep(t, &plan);
    return take_all(t, &plan, e);
}

fa_rc fa_connect_run(const fa_connect_call *call, const fa_progress *p, fa_connect_result *out,
                     fa_err *e)
{
    runner t = {.call = call, .p = p, .out = out, .started = fa_mono_ms()};
    fa_rc rc = FA_ECONFLICT;

    *out = (fa_connect_result){0};
    for (int k = 0; rc == FA_ECONFLICT && k < ROUNDS;
         k++) { /* replaced while it was read: list again */
        fa_arena a;

        fa_arena_init(&a, 0);
        if (!(t.base = fa_arena_printf(&a, "%s/fetch/%.*s", fa_ledger_dir(call->ledger),
                                       FA_FMT(call->connection_id))))
            rc = fa_oom(e);
        else if (!(rc = cn_open(call, &a, &t.c, e)))
            rc = one_round(&t, e);
        cn_close(&t.c);
        fa_arena_release(&a);
    }
    return rc;
}

void fa_connect_forget(fa_ledger *l, fa_str connection_id)
{
    fa_arena a;
    char *path;
    fa_err e = {0};

    fa_arena_init(&a, 1 << 16);
    path = fa_arena_printf(&a, "%s/fetch/%.*s", fa_ledger_dir(l), FA_FMT(connection_id));
    if (path && connection_id.n && fa_remove_tree(path, &e))
        fa_log(FA_LOG_WARN, "fetch_left", "error=%s", e.msg);
    fa_arena_release(&a);
}
