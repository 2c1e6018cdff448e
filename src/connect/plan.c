/*
 * plan.c - from a listing to deliveries: what belongs together, what is complete, what is new.
 *
 * A manifest names the files of one billing period; only its newest version counts, and only when every file is
 * there. Without manifests all bill files together are one snapshot, so that no file can wipe another's month.
 * A store whose files add to each other (Oracle, BigQuery) gives what we have not got yet; a load is then made of all we have.
 */
#include "connect/inner.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MANIFEST_MAX = 8 << 20, MANIFESTS_MAX = 2000, FILES_MAX = 10000 };
#define SETTLED_MS 7200000LL

typedef struct manifest {
    const cn_object *o;
    fa_str report, period, run; /* "finops/cur2/metadata/", "2026-09", "<time>-exec-0001" */
} manifest;

typedef struct maker {
    cn_conn *c;
    const cn_list *objects;
    cn_plan *plan;
    size_t cap;
    bool all;
    fa_delivery *taken;
    size_t ntaken;
} maker;

static bool digits(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] < '0' || p[i] > '9')
            return false;
    return true;
}

/* A folder's name as a billing period: "BILLING_PERIOD=2026-09", "20260901-20261001", "20260901-20260930". */
static bool period_of(maker *m, fa_str part, fa_str *out)
{
    fa_str s = part;

    if (fa_take(&s, "BILLING_PERIOD=") && s.n == 7 && digits(s.p, 4) && s.p[4] == '-' &&
        digits(s.p + 5, 2)) {
        *out = s;
        return true;
    }
    if (part.n != 17 || !digits(part.p, 8) || part.p[8] != '-' || !digits(part.p + 9, 8))
        return false;
    return !cn_join(m->c->mem, out, NULL, "%.4s-%.2s", part.p, part.p + 4);
}

static bool is_manifest(fa_str key)
{
    return fa_str_ends(key, FA_STR("-Manifest.json")) ||
           fa_str_ends(key, FA_STR("/manifest.json")) || fa_str_eqz(key, "manifest.json");
}

static bool parse_manifest(maker *m, const cn_object *o, manifest *out)
{
    fa_str rest = o->key;
    size_t at = 0;

    while (rest.n) {
        const char *slash = memchr(rest.p, '/', rest.n);
        fa_str part = {rest.p, slash ? (size_t)(slash - rest.p) : 0};
        const char *last;

        if (!slash)
            return false;
        if (period_of(m, part, &out->period)) {
            fa_str tail = {slash + 1, rest.n - part.n - 1};

            last = memrchr(tail.p, '/', tail.n);
            out->o = o;
            out->report = (fa_str){o->key.p, at};
            out->run = last ? (fa_str){tail.p, (size_t)(last - tail.p)} : FA_STR("");
            return true;
        }
        at += part.n + 1;
        rest = (fa_str){slash + 1, rest.n - part.n - 1};
    }
    return false;
}

/* The one beside the period's folder names the newest run; runs that begin with a time are in its order. */
static bool newer(const manifest *a, const manifest *b)
{
    bool timed = a->run.n && b->run.n && a->run.p[0] == '2' && b->run.p[0] == '2';

    if (!a->run.n != !b->run.n)
        return !a->run.n;
    if (timed && !fa_str_eq(a->run, b->run))
        return fa_str_cmp(a->run, b->run) > 0;
    return a->o->modified_ms > b->o->modified_ms;
}

/* The newest of each report and period. */
static fa_rc pick(maker *m, manifest **out, size_t *n, fa_err *e)
{
    manifest *v = fa_arena_array(m->c->mem, MANIFESTS_MAX, sizeof *v), one;

    *out = v;
    *n = 0;
    if (!v)
        return fa_oom(e);
    for (size_t i = 0; i < m->objects->n; i++) {
        const cn_object *o = &m->objects->v[i];
        size_t at;

        if (!is_manifest(o->key) || !parse_manifest(m, o, &one))
            continue;
        for (at = 0; at < *n &&
                     !(fa_str_eq(v[at].report, one.report) && fa_str_eq(v[at].period, one.period));
             at++)
            ;
        if (at == MANIFESTS_MAX)
            return fa_fail(e, FA_ETOOBIG,
                           "there are more than %d manifests: give the path of one export",
                           MANIFESTS_MAX);
        if (at == *n || newer(&one, &v[at]))
            v[at] = one;
        *n += at == *n;
    }
    return FA_OK;
}

static fa_rc add(maker *m, const cn_delivery *d, fa_err *e)
{
    if (m->plan->n == m->cap) {
        size_t cap = m->cap ? 2 * m->cap : 64;
        cn_delivery *v = fa_arena_array(m->c->mem, cap, sizeof *v);

        if (!v)
            return fa_oom(e);
        if (m->plan->n)
            memcpy(v, m->plan->v, m->plan->n * sizeof *v);
        m->plan->v = v;
        m->cap = cap;
    }
    m->plan->v[m->plan->n++] = *d;
    return FA_OK;
}

/* What its files are, whatever the names of runs: the same files are the same version. */
static fa_rc set_version(maker *m, cn_delivery *d, fa_err *e)
{
    crypto_generichash_state st;
    unsigned char sum[16];
    char hex[33];

    crypto_generichash_init(&st, NULL, 0, sizeof sum);
    d->bytes = 0;
    for (size_t i = 0; i < d->n; i++) {
        const cn_object *o = d->file[i];

        crypto_generichash_update(&st, (const unsigned char *)o->key.p, o->key.n);
        crypto_generichash_update(&st, (const unsigned char *)"", 1);
        crypto_generichash_update(&st, (const unsigned char *)o->etag.p, o->etag.n);
        crypto_generichash_update(&st, (const unsigned char *)"", 1);
        d->bytes += o->bytes > 0 ? o->bytes : 0;
    }
    crypto_generichash_final(&st, sum, sizeof sum);
    fa_hex(hex, sum, sizeof sum);
    d->version = fa_arena_dup(m->c->mem, fa_str_of(hex));
    return d->version.p ? FA_OK : fa_oom(e);
}

static fa_rc iso(maker *m, int64_t ms, fa_str *out, fa_err *e)
{
    fa_buf b;

    fa_buf_init(&b, 64);
    fa_time_iso(&b, ms < 0 ? 0 : ms);
    *out = fa_buf_dup(&b, m->c->mem);
    fa_buf_release(&b);
    return out->p ? FA_OK : fa_oom(e);
}

/* ---- manifests ---- */

/* "s3://bucket/key", "key"; a copy may lie deeper or less deep than where it was written. */
static const cn_object *locate(maker *m, const manifest *mf, fa_str name)
{
    const cn_object *found;
    fa_str want = name;

    if (fa_take(&want, "s3://") || fa_take(&want, "https://")) {
        const char *slash = memchr(want.p, '/', want.n);

        want = slash ? (fa_str){slash + 1, want.n - (size_t)(slash + 1 - want.p)} : want;
    }
    while (want.n && want.p[0] == '/')
        want = (fa_str){want.p + 1, want.n - 1};
    if ((found = cn_find(m->objects, want)))
        return found;
    for (fa_str tail = want; tail.n;) { /* the folder it is read from is not the bucket's root */
        const char *slash = memchr(tail.p, '/', tail.n);

        if (!slash)
            break;
        tail = (fa_str){slash + 1, tail.n - (size_t)(slash + 1 - tail.p)};
        if (memchr(tail.p, '/', tail.n) && (found = cn_find(m->objects, tail)))
            return found;
    }
    for (size_t i = 0; i < mf->report.n; i++) { /* or the bucket's root lies deeper */
        fa_str key;

        if ((i == 0 || mf->report.p[i - 1] == '/') &&
            !cn_join(m->c->mem, &key, NULL, "%.*s%.*s", (int)i, mf->report.p, FA_FMT(want)) &&
            (found = cn_find(m->objects, key)))
            return found;
    }
    return NULL;
}

static fa_str file_name(const json_t *v, int64_t *bytes)
{
    static const char *const names[] = {"blobName", "path", "key", "s3Uri"};
    fa_str s =
        json_is_string(v) ? (fa_str){json_string_value(v), json_string_length(v)} : FA_STR("");

    *bytes = -1;
    if (!json_is_object(v))
        return s;
    for (size_t i = 0; i < FA_COUNT(names) && !s.n; i++)
        s = cn_json(v, names[i]);
    if (json_is_integer(json_object_get(v, "byteCount")))
        *bytes = json_integer_value(json_object_get(v, "byteCount"));
    return s;
}

static fa_rc take_files(maker *m, const manifest *mf, const json_t *list, cn_delivery *d, fa_err *e)
{
    size_t n = json_array_size(list);

    if (n > FILES_MAX)
        return fa_fail(e, FA_ETOOBIG, "the manifest %.*s names more than %d files",
                       FA_FMT(mf->o->key), FILES_MAX);
    if (!(d->file = fa_arena_array(m->c->mem, n, sizeof(cn_object *))))
        return fa_oom(e);
    for (size_t i = 0; i < n; i++) {
        int64_t bytes;
        fa_str name = file_name(json_array_get(list, i), &bytes);
        const cn_object *o = name.n ? locate(m, mf, name) : NULL;
        bool rewritten = o && o->modified_ms > mf->o->modified_ms &&
                         fa_now_ms() - o->modified_ms < SETTLED_MS && !m->c->store->local;

        if (!o || (bytes >= 0 && o->bytes != bytes) || rewritten) {
            if (!d->missing.n)
                d->missing = fa_arena_dup(m->c->mem, name.n ? name : mf->o->key);
        } else {
            d->file[d->n++] = o;
        }
    }
    return FA_OK;
}

/* A time that the manifest itself says; else when it was written. */
static fa_rc set_seq(maker *m, const manifest *mf, const json_t *j, cn_delivery *d, fa_err *e)
{
    fa_str run = cn_json(j, "executionId"),
           at = cn_json(json_object_get(j, "runInfo"), "submittedTime");

    if (run.n < 10 || !digits(run.p, 4) || run.p[4] != '-')
        run = at.n ? at : mf->run.n && mf->run.p[0] == '2' ? mf->run : FA_STR("");
    if (!run.n)
        return iso(m, mf->o->modified_ms, &d->seq, e);
    d->seq = fa_arena_dup(m->c->mem, run);
    return d->seq.p ? FA_OK : fa_oom(e);
}

static fa_rc from_manifest(maker *m, const manifest *mf, cn_delivery *d, fa_str *type, fa_err *e)
{
    static const char *const lists[] = {"dataFiles", "reportKeys", "blobs"};
    const json_t *files = NULL;
    fa_net_response r;
    json_t *j;
    fa_rc rc;

    *d = (cn_delivery){.period = mf->period, .missing = FA_STR("")};
    if ((rc = cn_read(m->c, m->c->mem, mf->o, MANIFEST_MAX, NULL, &r, e)))
        return rc;
    j = json_loadb(r.body.p, r.body.n, 0, NULL);
    for (size_t i = 0; i < FA_COUNT(lists) && !files; i++)
        if (json_is_array(json_object_get(j, lists[i])))
            files = json_object_get(j, lists[i]);
    if (!files)
        rc = fa_fail(e, FA_EDATA,
                     "the manifest %.*s names no files (dataFiles, reportKeys or blobs)",
                     FA_FMT(mf->o->key));
    *type = fa_arena_dup(m->c->mem, cn_json(json_object_get(j, "exportConfig"), "type"));
    if (!rc && !(rc = take_files(m, mf, files, d, e)) && !(rc = set_seq(m, mf, j, d, e)) &&
        !(rc =
              cn_join(m->c->mem, &d->scope, e, "%.*s%.*s", FA_FMT(mf->report), FA_FMT(mf->period))))
        rc = set_version(m, d, e);
    json_decref(j);
    return rc;
}

/* Two exports of one month: two views of one bill (Azure: actual and amortized) go in as one, two bills do not. */
static fa_rc join_period(maker *m, cn_delivery *into, const cn_delivery *d, bool views, fa_err *e)
{
    const cn_object **file;

    if (!views) {
        fa_fail(e, FA_EDATA, "there are two bills of %.*s under this path: %.*s and %.*s",
                FA_FMT(d->period), FA_FMT(into->scope), FA_FMT(d->scope));
        fa_hint(e, "make one connection for each, with the path of its export");
        return fa_at(e, "prefix");
    }
    if (!(file = fa_arena_array(m->c->mem, into->n + d->n, sizeof *file)))
        return fa_oom(e);
    if (into->n)
        memcpy(file, into->file, into->n * sizeof *file);
    if (d->n)
        memcpy(file + into->n, d->file, d->n * sizeof *file);
    into->file = file;
    into->n += d->n;
    if (!into->missing.n)
        into->missing = d->missing;
    if (fa_str_cmp(d->seq, into->seq) > 0)
        into->seq = d->seq;
    return set_version(m, into, e);
}

static fa_rc plan_manifests(maker *m, const manifest *mf, size_t n, fa_err *e)
{
    fa_str *type = fa_arena_array(m->c->mem, n, sizeof *type);
    fa_rc rc = type ? FA_OK : fa_oom(e);

    for (size_t i = 0; !rc && i < n; i++) {
        cn_delivery d;
        fa_str this_type;
        size_t at;

        if ((rc = from_manifest(m, &mf[i], &d, &this_type, e)))
            break;
        for (at = 0; at < m->plan->n && !fa_str_eq(m->plan->v[at].period, d.period); at++)
            ;
        if (at == m->plan->n)
            rc = add(m, &d, e);
        else
            rc = join_period(m, &m->plan->v[at], &d, this_type.n && !fa_str_eq(type[at], this_type),
                             e);
        if (!rc && at + 1 == m->plan->n)
            type[at] = this_type;
    }
    return rc;
}

/* ---- without manifests ---- */

static bool is_bill(fa_str key)
{
    static const char *const ends[] = {".csv",   ".gz",     ".zip", ".parquet", ".json",
                                       ".jsonl", ".ndjson", ".zst", ".tsv"};
    const char *slash = memrchr(key.p, '/', key.n);
    fa_str name = slash ? (fa_str){slash + 1, key.n - (size_t)(slash + 1 - key.p)} : key;

    if (!name.n || name.p[0] == '.' || name.p[0] == '_' || is_manifest(key) ||
        memmem(key.p, key.n, "cost_and_usage_data_status/", 27))
        return false;
    for (size_t i = 0; i < FA_COUNT(ends); i++)
        if (name.n > strlen(ends[i]) &&
            fa_str_ieq((fa_str){name.p + name.n - strlen(ends[i]), strlen(ends[i])},
                       fa_str_of(ends[i])))
            return true;
    return false;
}

static bool was_taken(const maker *m, fa_str scope)
{
    for (size_t i = 0; i < m->ntaken; i++)
        if (fa_str_eq(m->taken[i].scope, scope))
            return true;
    return false;
}

/* We have this file of a store that only adds. */
static bool is_kept(maker *m, const cn_object *o)
{
    const char *path = m->c->kept ? cn_path(m->c->mem, m->c->kept, o) : NULL;

    return path && access(path, F_OK) == 0 && was_taken(m, o->key);
}

/* One delivery of all bill files; of a store whose files add up, of those not taken. */
static fa_rc plan_files(maker *m, fa_err *e)
{
    bool append = m->c->store->append;
    cn_delivery d = {
        .scope = FA_STR("files"), .period = FA_STR(""), .missing = FA_STR(""), .append = append};
    int64_t last = 0;
    fa_rc rc;

    if (!(d.file = fa_arena_array(m->c->mem, m->objects->n + 1, sizeof(cn_object *))))
        return fa_oom(e);
    for (size_t i = 0; i < m->objects->n; i++) {
        const cn_object *o = &m->objects->v[i];

        if (!is_bill(o->key))
            continue;
        if (append && !m->all && is_kept(m, o)) {
            m->plan->old++;
            continue;
        }
        d.file[d.n++] = o;
        last = o->modified_ms > last ? o->modified_ms : last;
    }
    if (!d.n)
        return FA_OK;
    if (d.n > FILES_MAX)
        return fa_fail(e, FA_ETOOBIG, "there are more than %d files: give the path of one export",
                       FILES_MAX);
    if ((rc = iso(m, last, &d.seq, e)) || (rc = set_version(m, &d, e)))
        return rc;
    return add(m, &d, e);
}

/* ---- what is new ---- */

static bool is_old(const maker *m, const cn_delivery *d)
{
    for (size_t i = 0; i < m->ntaken; i++) {
        const fa_delivery *t = &m->taken[i];

        if (fa_str_eq(t->scope, d->scope) &&
            (fa_str_eq(t->version, d->version) ? true : fa_str_cmp(t->seq, d->seq) > 0))
            return true;
    }
    return false;
}

static int by_period(const void *a, const void *b)
{
    const cn_delivery *x = a, *y = b;
    int k = fa_str_cmp(x->period, y->period);

    return k ? k : fa_str_cmp(x->scope, y->scope);
}

fa_rc cn_plan_make(cn_conn *c, const cn_list *objects, bool all, cn_plan *out, fa_err *e)
{
    maker m = {.c = c, .objects = objects, .plan = out, .all = all};
    fa_str layout = cn_config(c, "layout");
    const fa_connect_call *call = c->call;
    manifest *mf = NULL;
    size_t n = 0, kept = 0;
    fa_rc rc = FA_OK;

    *out = (cn_plan){0};
    if (call->connection_id.n &&
        (rc = fa_delivery_list(fa_ledger_store(call->ledger), c->mem,
                               fa_ledger_account(call->ledger), call->connection_id, &m.taken,
                               &m.ntaken, e)))
        return rc;
    if (!fa_str_eqz(layout, "files") && !c->store->append && (rc = pick(&m, &mf, &n, e)))
        return rc;
    if (n || fa_str_eqz(layout, "manifest"))
        rc = plan_manifests(&m, mf, n, e);
    else
        rc = plan_files(&m, e);
    for (size_t i = 0; !rc && !all && i < out->n; i++) {
        if (!out->v[i].append && is_old(&m, &out->v[i]))
            out->old++;
        else
            out->v[kept++] = out->v[i];
    }
    if (!rc && !all)
        out->n = kept;
    if (out->n)
        qsort(out->v, out->n, sizeof *out->v, by_period);
    return rc;
}
