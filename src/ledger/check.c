/*
 * check.c - the proof from the archive up, and the making again of what can be made again.
 *
 * check reads every archived file of every load that went live, compares its bytes with the hash
 * kept at loading, its totals with the control totals kept in meta.db, the star with both, and the
 * star's own invariants. rebuild throws the star away inside one transaction and makes it from the
 * archive; readers see the old one until it commits.
 */
#include "ledger/inner.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

typedef struct checker {
    fa_ledger *l;
    fa_arena *a;
    fa_conn *c;
    const fa_progress *p;
    fa_finding *found;
    size_t n, cap;
    int64_t rows;
} checker;

FA_PRINTF(3, 4)
static fa_rc find(checker *k, const char *where, const char *fmt, ...)
{
    char text[1200];
    va_list ap;
    fa_err e;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (k->n == k->cap) {
        size_t cap = k->cap ? k->cap * 2 : 16;
        fa_finding *grown = fa_arena_array(k->a, cap, sizeof *grown);

        if (!grown)
            return fa_oom(&e);
        if (k->n)
            memcpy(grown, k->found, k->n * sizeof *grown);
        k->found = grown;
        k->cap = cap;
    }
    k->found[k->n++] = (fa_finding){.what = fa_str_of(fa_arena_dupz(k->a, fa_str_of(text))),
                                    .where = fa_str_of(fa_arena_dupz(k->a, fa_str_of(where))),
                                    .hint = FA_STR("")};
    return FA_OK;
}

static void tell(checker *k, const char *phase, double fraction)
{
    fa_progress_state s = {.phase = phase, .rows = k->rows, .fraction = fraction, .left_ms = -1};

    if (k->p && k->p->tick)
        k->p->tick(k->p->user, &s);
}

/* ---- one load ---- */

static fa_rc check_hashes(checker *k, const fa_load *load, const char *where, fa_err *e)
{
    json_t *detail = json_loadb(load->detail.p ? load->detail.p : "", load->detail.n, 0, NULL);
    json_t *list = json_object_get(detail, "archive"), *v;
    char *dir = fa_archive_dir(k->l, k->a, load->id);
    fa_rc rc = FA_OK;
    size_t i;

    if (json_array_size(list) == 0)
        rc = find(k, where, "no hash of its archive is on record");
    json_array_foreach(list, i, v)
    {
        char *path = fa_arena_printf(k->a, "%s/%zu.parquet", dir, i), hex[65];
        const char *want = json_string_value(v);

        if (rc)
            break;
        if (!path) {
            rc = fa_oom(e);
        } else if (fa_bill_hash(path, hex, k->p ? k->p->cancel : NULL, e)) {
            rc = e->rc == FA_ECANCELLED ? e->rc : find(k, where, "%s", e->msg);
        } else if (!want || strcmp(want, hex) != 0) {
            rc = find(k, where,
                      "the archive file \"%s\" is not what was written: its bytes have changed",
                      path);
        }
    }
    json_decref(detail);
    return rc;
}

/* The kept totals of a step as tally rows. */
static fa_rc kept_totals(checker *k, int64_t load_id, const char *step, fa_tally_row **out,
                         size_t *n, fa_err *e)
{
    fa_total *t;
    size_t nt;

    *n = 0;
    if (fa_total_list(k->l->store, k->a, k->l->account, load_id, &t, &nt, e))
        return e->rc;
    *out = fa_arena_array(k->a, nt + 1, sizeof **out);
    if (!*out)
        return fa_oom(e);
    for (size_t i = 0; i < nt; i++) {
        fa_tally_row *r = *n ? &(*out)[*n - 1] : NULL;

        if (!fa_str_eqz(t[i].step, step))
            continue;
        if (!r || r->day != t[i].day || !fa_str_eq(r->currency, t[i].currency)) {
            r = &(*out)[(*n)++];
            r->day = t[i].day;
            r->currency = t[i].currency;
        }
        if (t[i].column.n == 0)
            r->rows = t[i].values;
        for (int m = 0; m < FA_M__COUNT; m++)
            if (fa_measures[m].focus && fa_str_eqz(t[i].column, fa_measures[m].focus)) {
                r->values[m] = t[i].values;
                if (!fa_dec_parse(t[i].sum, false, &r->sum_e18[m], NULL))
                    return find(k, "meta.db", "control total of load %lld is not a number",
                                (long long)load_id);
            }
    }
    return FA_OK;
}

static int cmp_tally(const void *x, const void *y)
{
    const fa_tally_row *a = x, *b = y;
    int c = fa_str_cmp(a->currency, b->currency);

    return c ? c : (a->day > b->day) - (a->day < b->day);
}

static fa_rc check_totals(checker *k, const fa_load *load, const char *where, fa_err *e)
{
    fa_str files;
    fa_tally_row *kept = NULL, *archive, *star;
    size_t nkept = 0, narchive, nstar, npart;
    fa_part *part;
    fa_rc rc;

    if (fa_archive_files(k->l, k->a, load->id, &files, e))
        return find(k, where, "%s", e->msg);
    if ((rc = kept_totals(k, load->id, "file", &kept, &nkept, e)))
        return rc;
    qsort(kept, nkept, sizeof *kept, cmp_tally);
    if (fa_archive_totals(k->c, k->a, files, INT32_MIN, &archive, &narchive, e))
        return e->rc == FA_ECANCELLED ? e->rc
                                      : find(k, where, "the archive cannot be read: %s", e->msg);
    if (fa_totals_compare("record", kept, nkept, "archive", archive, narchive, e) &&
        (rc = find(k, where, "%s", e->msg)))
        return rc;
    for (size_t i = 0; i < narchive; i++)
        k->rows += archive[i].rows;
    if ((rc = fa_part_of_load(k->l->store, k->a, k->l->account, load->id, &part, &npart, e)))
        return rc;
    for (size_t i = 0; i < npart; i++) {
        int mask;

        if (!part[i].live)
            continue;
        if ((rc = fa_view_mask(k->c, part[i].id, &mask, e)) ||
            (rc = fa_archive_totals(k->c, k->a, files, part[i].period, &archive, &narchive, e)) ||
            (rc = fa_star_totals(k->c, k->a, &part[i], 1, &star, &nstar, e)))
            return rc == FA_ECANCELLED ? rc : find(k, where, "%s", e->msg);
        fa_view_mask_totals(archive, narchive, mask);
        if (fa_totals_compare("archive", archive, narchive, "ledger", star, nstar, e) &&
            (rc = find(k, where, "%s", e->msg)))
            return rc;
    }
    return FA_OK;
}

/* ---- the star's own rules ---- */

static const struct {
    const char *sql, *what;
} rules[] = {
    {"SELECT count(*) FROM (SELECT line_id FROM line GROUP BY line_id HAVING count(*) > 1)",
     "line ids are there twice"},
    {"SELECT count(*) FROM (SELECT hash FROM line GROUP BY hash HAVING count(*) > 1)",
     "lines are there twice"},
    {"SELECT (SELECT coalesce(max(line_id)::BIGINT + 1, 0) FROM line) - (SELECT count(*) FROM "
     "line)",
     "line ids have gaps"},
    {"SELECT count(*) FROM daily WHERE line_id NOT IN (SELECT line_id FROM line)",
     "facts point at no line"},
    {"SELECT count(*) FROM daily WHERE part_id NOT IN (SELECT part_id FROM part)",
     "facts belong to no live part"},
    {"SELECT count(*) FROM (SELECT day, line_id, part_id FROM daily GROUP BY ALL HAVING count(*) > "
     "1)",
     "facts are there twice"},
    {"SELECT count(*) FROM (SELECT part_id FROM part GROUP BY ALL HAVING count(*) > 1)",
     "parts are there twice"},
    {"SELECT count(*) FROM (SELECT unnest([billed_rest, effective_rest, list_rest, contracted_rest,"
     " unblended_rest, amortized_rest, blended_rest, fair_rest, net_fair_rest]) AS r FROM daily)"
     " WHERE r NOT BETWEEN 0 AND 99999999",
     "rests are out of their range"},
};

static fa_rc check_star(checker *k, fa_err *e)
{
    fa_part *live;
    size_t nlive;
    int64_t n;
    fa_rc rc;

    for (size_t i = 0; i < FA_COUNT(rules); i++) {
        if (fa_cancelled(k->p))
            return fa_fail(e, FA_ECANCELLED, "cancelled");
        if ((rc = fa_sql_i64(k->c, fa_str_of(rules[i].sql), NULL, 0, &n, e)))
            rc = find(k, "ledger.duckdb", "%s", e->msg);
        else if (n != 0)
            rc = find(k, "ledger.duckdb", "%lld %s", (long long)n, rules[i].what);
        if (rc)
            return rc;
    }
    if ((rc = fa_part_live(k->l->store, k->a, k->l->account, &live, &nlive, e)))
        return rc;
    if ((rc = fa_sql_i64(k->c, FA_STR("SELECT count(*) FROM part"), NULL, 0, &n, e)))
        return rc;
    if (n != (int64_t)nlive)
        return find(k, "ledger.duckdb", "%lld parts are in the star, %zu are live in meta.db",
                    (long long)n, nlive);
    for (size_t i = 0; i < nlive; i++) {
        fa_param p[3] = {{.kind = FA_P_INT, .num = live[i].id},
                         {.kind = FA_P_INT, .num = live[i].load_id},
                         {.kind = FA_P_INT, .num = live[i].source_id}};

        if ((rc = fa_sql_i64(
                 k->c,
                 FA_STR("SELECT count(*) FROM part WHERE part_id = ? AND load_id = ? AND source_id"
                        " = ?"),
                 p, 3, &n, e)))
            return rc;
        if (n != 1 && (rc = find(k, "ledger.duckdb", "part %lld of load %lld is not in the star",
                                 (long long)live[i].id, (long long)live[i].load_id)))
            return rc;
    }
    return FA_OK;
}

static fa_rc tell_segment(void *user, const char *path, const char *what, fa_err *e)
{
    checker *k = user;

    return find(k, path, "%s; it was made again from the ledger", what) ? fa_oom(e) : FA_OK;
}

fa_rc fa_ledger_check(fa_ledger *l, fa_arena *a, const fa_progress *p, fa_finding **out, size_t *n,
                      fa_err *e)
{
    checker k = {.l = l, .a = a, .p = p};
    fa_load *load;
    size_t nload;
    char what[200];
    fa_rc rc;

    *n = 0;
    pthread_mutex_lock(&l->write);
    if ((rc = fa_conn_get(l->engine, &k.c, e)))
        goto done;
    tell(&k, "store", 0);
    if (fa_store_check(l->store, e) && (rc = find(&k, "meta.db", "%s", e->msg)))
        goto done;
    if ((rc = fa_load_list(l->store, a, l->account, 0, 1000000, &load, &nload, e)))
        goto done;
    for (size_t i = 0; i < nload; i++) {
        char where[64];

        if (!fa_str_eqz(load[i].state, "live") && !fa_str_eqz(load[i].state, "replaced"))
            continue;
        if (fa_cancelled(p)) {
            rc = fa_fail(e, FA_ECANCELLED, "cancelled");
            goto done;
        }
        tell(&k, "archive", 0.05 + 0.8 * (double)i / (double)nload);
        snprintf(where, sizeof where, "load %lld", (long long)load[i].id);
        if ((rc = check_hashes(&k, &load[i], where, e)) ||
            (rc = check_totals(&k, &load[i], where, e)))
            goto done;
    }
    tell(&k, "ledger", 0.9);
    if ((rc = check_star(&k, e)))
        goto done;
    if ((rc = fa_fair_check(l, k.c, what, sizeof what, e)))
        goto done;
    if (what[0] && (rc = find(&k, "ledger.duckdb", "%s", what)))
        goto done;
    tell(&k, "segments", 0.97);
    rc = fa_engine_segments_check(l->engine, p ? p->cancel : NULL, tell_segment, &k, e);
done:
    fa_conn_put(k.c);
    pthread_mutex_unlock(&l->write);
    *out = k.found;
    *n = k.n;
    return rc;
}

/* ---- rebuild ---- */

static fa_rc rebuild_all(fa_ledger *l, fa_conn *c, fa_arena *a, const fa_progress *p, fa_err *e)
{
    fa_part *live;
    size_t n;
    fa_rc rc;

    if ((rc = fa_part_live(l->store, a, l->account, &live, &n, e)) ||
        (rc = fa_execf(c, e, "BEGIN")) || (rc = fa_execf(c, e, "DELETE FROM daily")) ||
        (rc = fa_execf(c, e, "DELETE FROM line")) || (rc = fa_execf(c, e, "DELETE FROM part")))
        return rc;
    for (size_t i = 0; i < n;) {
        fa_progress_state s = {.phase = "ledger", .fraction = (double)i / (double)n, .left_ms = -1};
        fa_star_load star = {live[i].load_id, live[i].source_id, &live[i], 0, NULL, 0};

        if (fa_cancelled(p))
            return fa_fail(e, FA_ECANCELLED, "cancelled");
        if (p && p->tick)
            p->tick(p->user, &s);
        while (i < n && live[i].load_id == star.load_id) {
            star.npart++;
            i++;
        }
        if ((rc = fa_star_stage(l, c, star.load_id, e)) || (rc = fa_star_apply(l, c, &star, e)))
            return rc;
    }
    return fa_view_settle(l, c, live, n, e) || fa_fair_settle(l, c, p, e) ? e->rc
                                                                          : fa_star_commit(l, c, e);
}

fa_rc fa_ledger_rebuild(fa_ledger *l, const fa_progress *p, fa_err *e)
{
    fa_rc rc;
    fa_arena a;
    fa_conn *c = NULL;
    fa_err later;

    fa_arena_init(&a, 64 << 20);
    pthread_mutex_lock(&l->write);
    if (!(rc = fa_conn_get(l->engine, &c, e)))
        rc = rebuild_all(l, c, &a, p, e);
    fa_conn_put(c);
    if (fa_star_refresh(l, &later) && !rc) {
        *e = later;
        rc = e->rc;
    }
    if (!rc)
        fa_star_segments(l, p);
    pthread_mutex_unlock(&l->write);
    fa_arena_release(&a);
    return rc;
}

/* ---- an earlier load becomes the live one again ---- */

fa_rc fa_ledger_relive(fa_ledger *l, int64_t load_id, fa_err *e)
{
    fa_rc rc;
    fa_arena a;
    fa_load load;
    fa_err later;

    fa_arena_init(&a, 64 << 20);
    pthread_mutex_lock(&l->write);
    if ((rc = fa_load_get(l->store, &a, l->account, load_id, &load, e)))
        goto done;
    if (!fa_str_eqz(load.state, "live") && !fa_str_eqz(load.state, "replaced")) {
        rc = fa_fail(e, FA_ECONFLICT, "load %lld never went live (it is %.*s)", (long long)load_id,
                     FA_FMT(load.state));
        goto done;
    }
    load.state = FA_STR("live");
    if ((rc = fa_store_begin(l->store, e)))
        goto done;
    if ((rc = fa_load_update(l->store, l->account, &load, e)) ||
        (rc = fa_part_go_live(l->store, l->account, load_id, e)) ||
        (rc = fa_store_commit(l->store, e))) {
        fa_store_rollback(l->store);
        goto done;
    }
    rc = fa_star_reconcile(l, NULL, e);
    if (fa_star_refresh(l, &later) && !rc) {
        *e = later;
        rc = e->rc;
    }
    if (!rc)
        fa_star_segments(l, NULL);
done:
    pthread_mutex_unlock(&l->write);
    fa_arena_release(&a);
    return rc;
}

/* ---- months of a source that no delivery has any more ---- */

fa_rc fa_ledger_retire(fa_ledger *l, fa_str source, int64_t keep_load, fa_err *e)
{
    fa_rc rc;
    fa_arena a;
    fa_source *s;
    size_t n, i = 0;
    int64_t gone = 0;
    fa_err later;

    fa_arena_init(&a, 64 << 20);
    pthread_mutex_lock(&l->write);
    if ((rc = fa_source_list(l->store, &a, l->account, &s, &n, e)))
        goto done;
    while (i < n && !fa_str_ieq(s[i].name, source))
        i++;
    if (i == n || (rc = fa_part_retire(l->store, l->account, s[i].id, keep_load, &gone, e)) ||
        !gone)
        goto done;
    rc = fa_star_reconcile(l, NULL, e);
    if (fa_star_refresh(l, &later) && !rc) {
        *e = later;
        rc = e->rc;
    }
    if (!rc)
        fa_star_segments(l, NULL);
done:
    pthread_mutex_unlock(&l->write);
    fa_arena_release(&a);
    return rc;
}
