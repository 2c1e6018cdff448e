/*
 * compile.c - a plan's filter and group-by become group[line_id], kept for the next question.
 *
 * The one idea: filters, group-bys and row rules are statements about lines, so one SQL over `line`
 * gives an array that any scan can use: for other days, other measures, the previous period. The
 * array is kept under the ledger's generation and the SQL itself; what a caller may not see is part
 * of that SQL.
 */
#include "query/inner.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* ---- SQL ---- */

size_t fa_plan_units(const fa_plan *p)
{
    bool has[FA_M__COUNT] = {false};
    size_t n = 0;

    for (size_t i = 0; i < p->nmeasure; i++)
        has[p->measure[i].type->measure] = true;
    for (int m = 0; m < FA_M__COUNT; m++)
        n += has[m] && fa_measures[m].unit;
    return n;
}

static bool measures_cost(const fa_plan *p)
{
    for (size_t i = 0; i < p->nmeasure; i++)
        if (!p->measure[i].type->is_usage)
            return true;
    return false;
}

size_t fa_put_texts(fa_buf *b, const fa_plan *p)
{
    size_t units = 0;

    for (size_t i = 0; i < p->ndim; i++) {
        fa_buf_z(b, ", ");
        fa_put_value(b, p->dim[i]);
        fa_buf_fmt(b, " AS fa_k%zu", i);
    }
    for (int m = 0; m < FA_M__COUNT; m++) {
        bool asked = false;

        for (size_t i = 0; i < p->nmeasure; i++)
            asked |= (int)p->measure[i].type->measure == m;
        if (asked && fa_measures[m].unit)
            fa_buf_fmt(b, ", %s AS fa_u%zu", fa_measures[m].unit, units++);
    }
    fa_buf_fmt(b, ", %s AS fa_c", measures_cost(p) ? "BillingCurrency" : "NULL::VARCHAR");
    return units;
}

void fa_put_where(fa_buf *b, const fa_plan *p)
{
    fa_buf_z(b, " WHERE ");
    fa_put_filter(b, p->filter);
    if (p->scope && p->scope->kind != FA_F_TRUE) {
        fa_buf_z(b, " AND ");
        fa_put_filter(b, p->scope);
    }
}

/* ---- the cache ----
 * Group arrays of the questions asked last, newest first; all fields under its lock. An entry's
 * groups are immutable once they are in. */
#define CACHE_ENTRIES 64
#define CACHE_BYTES ((size_t)256 << 20)

typedef struct kept {
    struct kept *next;
    char *key;
    size_t nkey;
    fa_groups *g;
} kept;

static pthread_mutex_t cache_lock = PTHREAD_MUTEX_INITIALIZER;
static kept *cache;

static void free_kept(kept *k)
{
    fa_groups_put(k->g);
    free(k->key);
    free(k);
}

static fa_groups *cache_get(fa_str key)
{
    fa_groups *g = NULL;

    pthread_mutex_lock(&cache_lock);
    for (kept **p = &cache; *p; p = &(*p)->next) {
        kept *k = *p;

        if (!fa_str_eq((fa_str){k->key, k->nkey}, key))
            continue;
        *p = k->next;
        k->next = cache;
        cache = k;
        g = k->g;
        atomic_fetch_add(&g->refs, 1);
        break;
    }
    pthread_mutex_unlock(&cache_lock);
    return g;
}

/* Takes a reference of its own; drops the oldest past the bounds. Nothing is kept when memory is
 * short. */
static void cache_add(fa_str key, fa_groups *g)
{
    kept *k, *drop = NULL;
    size_t n = 0, bytes = 0;

    if (g->bytes > CACHE_BYTES / 2)
        return;
    k = calloc(1, sizeof *k);
    if (!k)
        return;
    k->key = malloc(key.n + 1);
    if (!k->key) {
        free(k);
        return;
    }
    memcpy(k->key, key.p, key.n);
    k->nkey = key.n;
    k->g = g;
    atomic_fetch_add(&g->refs, 1);
    pthread_mutex_lock(&cache_lock);
    k->next = cache;
    cache = k;
    for (kept **p = &cache; *p; p = &(*p)->next) {
        n++;
        bytes += (*p)->g->bytes + (*p)->nkey;
        if (n > 1 && (n > CACHE_ENTRIES || bytes > CACHE_BYTES)) {
            drop = *p;
            *p = NULL;
            break;
        }
    }
    pthread_mutex_unlock(&cache_lock);
    while (drop) {
        kept *next = drop->next;

        free_kept(drop);
        drop = next;
    }
}

void fa_groups_cache_free(void)
{
    kept *all;

    pthread_mutex_lock(&cache_lock);
    all = cache;
    cache = NULL;
    pthread_mutex_unlock(&cache_lock);
    while (all) {
        kept *next = all->next;

        free_kept(all);
        all = next;
    }
}

void fa_query_cache_free(void)
{
    fa_groups_cache_free();
    fa_catalog_cache_free();
}

/* ---- reading lines ---- */

static bool set_line(fa_groups *g, uint64_t line, uint32_t group)
{
    if (line >= g->nline) { /* lines that came since the array was sized */
        uint64_t n = line + 1 + line / 8;
        uint32_t *more;

        if (n > UINT32_MAX)
            n = UINT32_MAX;
        if (line >= n || !(more = realloc(g->line, n * sizeof *more)))
            return false;
        for (uint64_t i = g->nline; i < n; i++)
            more[i] = FA_NO_GROUP;
        g->line = more;
        g->nline = (uint32_t)n;
    }
    g->line[line] = group;
    g->nlive++;
    return true;
}

static fa_rc add_lines(void *user, const fa_batch *b, fa_err *e)
{
    fa_groups *g = user;
    fa_str text[FA_MAX_TEXTS];

    for (size_t r = 0; r < b->rows; r++) {
        uint32_t group = 0;

        for (size_t i = 0; i < g->ntext; i++) {
            const fa_col *c = &b->col[i + 1];

            text[i] =
                c->type != FA_T_TEXT || (c->null && c->null[r]) ? (fa_str){"", 0} : c->text[r];
        }
        if (!fa_groups_add(g, text, &group) || !set_line(g, (uint64_t)b->col[0].i64[r], group))
            return fa_oom(e);
    }
    return FA_OK;
}

/* Sizes line[] to the lines there are. Before the lines are read: one that appears between the two
 * statements is past the end, and seen by fa_groups_fresh. */
static fa_rc size_lines(fa_conn *c, fa_groups *g, fa_err *e)
{
    int64_t n;

    if (fa_sql_i64(c, FA_STR("SELECT coalesce(max(line_id)::BIGINT + 1, 0) FROM line"), NULL, 0, &n,
                   e))
        return e->rc;
    g->nline = (uint32_t)n;
    g->line = malloc((g->nline ? g->nline : 1) * sizeof *g->line);
    if (!g->line)
        return fa_oom(e);
    memset(g->line, 0xff, g->nline * sizeof *g->line);
    return FA_OK;
}

static fa_rc read_lines(fa_ledger *l, fa_str sql, int64_t deadline_mono_ms, fa_groups *g, fa_err *e)
{
    fa_conn *c = NULL;
    fa_rc rc = fa_conn_get(fa_ledger_engine(l), &c, e);

    if (!rc)
        fa_conn_deadline(c, deadline_mono_ms);
    if (!rc && !(rc = size_lines(c, g, e)))
        rc = fa_sql_query(c, sql, NULL, 0, add_lines, g, e);
    fa_conn_put(c);
    return rc;
}

/* ---- lines that have facts ---- */

#define LIVE_DAYS 40 /* days of facts read at once: bounds what the engine holds */

static fa_rc mark_live(void *user, const fa_batch *b, fa_err *e)
{
    fa_groups *g = user;

    (void)e;
    for (size_t r = 0; r < b->rows; r++) {
        int64_t line = b->col[0].i64[r];

        if (line < (int64_t)g->nline && g->line[line] == FA_NO_GROUP) {
            g->line[line] = 0;
            g->nlive++;
        }
    }
    return FA_OK;
}

static fa_rc read_live(fa_ledger *l, fa_str sql, int64_t deadline_mono_ms, fa_groups *g, fa_err *e)
{
    fa_conn *c = NULL;
    int32_t first = 0, last = -1;
    char text[160];
    fa_rc rc = fa_conn_get(fa_ledger_engine(l), &c, e);

    if (!rc)
        fa_conn_deadline(c, deadline_mono_ms);
    if (!rc)
        rc = size_lines(c, g, e);
    if (!fa_ledger_range(l, &first, &last))
        last = first - 1;
    for (int32_t day = first; !rc && day <= last; day += LIVE_DAYS) {
        snprintf(text, sizeof text,
                 "%.*s WHERE day BETWEEN DATE '1970-01-01' + %d AND DATE '1970-01-01' + %d",
                 FA_FMT(sql), day, day + LIVE_DAYS - 1);
        rc = fa_sql_query(c, fa_str_of(text), NULL, 0, mark_live, g, e);
    }
    fa_conn_put(c);
    return rc;
}

fa_rc fa_groups_fresh(fa_ledger *l, const fa_groups *g, bool *fresh, fa_err *e)
{
    fa_conn *c = NULL;
    int64_t n = 0;
    fa_rc rc = fa_conn_get(fa_ledger_engine(l), &c, e);

    if (!rc)
        rc = fa_sql_i64(c, FA_STR("SELECT coalesce(max(line_id)::BIGINT + 1, 0) FROM line"), NULL,
                        0, &n, e);
    fa_conn_put(c);
    *fresh = n <= (int64_t)g->nline;
    return rc;
}

/* ---- what is kept ---- */

typedef fa_rc read_fn(fa_ledger *l, fa_str sql, int64_t deadline_mono_ms, fa_groups *g, fa_err *e);
typedef fa_rc finish_fn(fa_ledger *l, fa_groups *g, fa_err *e);

static void put_cache_key(fa_buf *b, fa_ledger *l, uint64_t generation, char kind)
{
    fa_buf_fmt(b, "%.*s %llu %p %c ", FA_FMT(fa_ledger_account(l)), (unsigned long long)generation,
               (void *)fa_ledger_engine(l), kind);
}

/* sql: what gives (line_id, texts). Kept when the generation stood still meanwhile. */
static fa_rc get_groups(fa_ledger *l, char kind, fa_str sql, size_t ndim, size_t nunit,
                        int64_t deadline_mono_ms, read_fn *read, finish_fn *finish, fa_groups **out,
                        fa_err *e)
{
    fa_rc rc = FA_OK;
    uint64_t generation = fa_ledger_generation(l);
    fa_groups *g = NULL;
    fa_buf key;

    *out = NULL;
    fa_buf_init(&key, 128 << 20);
    put_cache_key(&key, l, generation, kind);
    fa_buf_str(&key, sql);
    if (key.failed) {
        rc = fa_oom(e);
        goto done;
    }
    if ((*out = cache_get(fa_buf_view(&key))))
        goto done;
    g = fa_groups_new(ndim, nunit);
    if (!g) {
        rc = fa_oom(e);
        goto done;
    }
    if ((rc = read(l, sql, deadline_mono_ms, g, e)) || (finish && (rc = finish(l, g, e))))
        goto done;
    if (!fa_groups_seal(g)) {
        rc = fa_oom(e);
        goto done;
    }
    if (fa_ledger_generation(l) == generation)
        cache_add(fa_buf_view(&key), g);
    *out = g;
    g = NULL;
done:
    fa_groups_put(g);
    fa_buf_release(&key);
    return rc;
}

fa_rc fa_groups_of_plan(fa_ledger *l, const fa_plan *p, fa_groups **out, fa_err *e)
{
    fa_buf sql;
    size_t units;
    fa_rc rc;

    *out = NULL;
    fa_buf_init(&sql, 64 << 20);
    fa_buf_z(&sql, "SELECT line_id");
    units = fa_put_texts(&sql, p);
    fa_buf_z(&sql, " FROM line");
    fa_put_where(&sql, p);
    rc = sql.failed ? fa_oom(e)
                    : get_groups(l, 'P', fa_buf_view(&sql), p->ndim, units, p->deadline_mono_ms,
                                 read_lines, NULL, out, e);
    fa_buf_release(&sql);
    return rc;
}

fa_rc fa_groups_live(fa_ledger *l, fa_groups **out, fa_err *e)
{
    return get_groups(l, 'L', FA_STR("SELECT line_id FROM daily"), 0, 0, 0, read_live, NULL, out,
                      e);
}

static int by_text(const void *x, const void *y)
{
    return fa_str_cmp(*(const fa_str *)x, *(const fa_str *)y);
}

/* The texts that have facts, sorted once. */
static fa_rc sort_values(fa_ledger *l, fa_groups *g, fa_err *e)
{
    fa_groups *live = NULL;
    fa_rc rc = fa_groups_live(l, &live, e);
    bool *has = NULL;

    if (rc)
        goto done;
    has = calloc(g->n + 1, sizeof *has);
    g->sorted = calloc(g->n + 1, sizeof *g->sorted);
    if (!has || !g->sorted) {
        rc = fa_oom(e);
        goto done;
    }
    for (uint32_t i = 0; i < g->nline && i < live->nline; i++)
        if (g->line[i] != FA_NO_GROUP && live->line[i] != FA_NO_GROUP)
            has[g->line[i]] = true;
    for (uint32_t i = 0; i < g->n; i++) {
        fa_str text = fa_groups_text(g, i, 0);

        if (has[i] && text.n)
            g->sorted[g->nsorted++] = text;
    }
    if (g->nsorted)
        qsort(g->sorted, g->nsorted, sizeof *g->sorted, by_text);
done:
    free(has);
    fa_groups_put(live);
    return rc;
}

fa_rc fa_groups_values(fa_ledger *l, const fa_key *k, const fa_filter *scope,
                       int64_t deadline_mono_ms, fa_groups **out, fa_err *e)
{
    fa_plan p = {.dim = {k}, .ndim = 1, .scope = scope};
    fa_buf sql;
    fa_rc rc;

    *out = NULL;
    fa_buf_init(&sql, 64 << 20);
    fa_buf_z(&sql, "SELECT line_id");
    (void)fa_put_texts(&sql, &p);
    fa_buf_z(&sql, " FROM line");
    fa_put_where(&sql, &p);
    rc = sql.failed ? fa_oom(e)
                    : get_groups(l, 'V', fa_buf_view(&sql), 1, 0, deadline_mono_ms, read_lines,
                                 sort_values, out, e);
    fa_buf_release(&sql);
    return rc;
}
