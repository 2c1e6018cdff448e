/*
 * scan.c - the typed question "sum these measures per bucket and group of lines", answered by
 * DuckDB.
 *
 * Each fact looks its (bucket, group) up in the plan's arrays through fa_cell, so a filter, a
 * group-by or an access rule costs one array read per fact whatever it says. Money comes back
 * exact: 1e-10 units and the rest of 1e-18 are summed apart and joined in 128 bits.
 */
#include "engine/duck.h"

#include <string.h>

typedef struct gather {
    fa_arena *mem;
    fa_cell *cell;
    size_t n, cap;
    uint32_t measures;
} gather;

static fa_rc add_rows(void *user, const fa_batch *b, fa_err *e)
{
    gather *g = user;

    if (g->n + b->rows > g->cap) {
        size_t cap = g->cap ? g->cap * 2 : 1024;
        fa_cell *grown;

        while (cap < g->n + b->rows)
            cap *= 2;
        grown = fa_arena_array(g->mem, cap, sizeof *grown);
        if (!grown)
            return fa_oom(e);
        if (g->n)
            memcpy(grown, g->cell, g->n * sizeof *grown);
        g->cell = grown;
        g->cap = cap;
    }
    for (size_t r = 0; r < b->rows; r++) {
        uint64_t key = (uint64_t)b->col[0].i128[r];
        fa_cell *c = &g->cell[g->n];
        size_t col = 2;

        if (key == FA_CELL_NONE)
            continue;
        g->n++;
        c->bucket = (uint32_t)(key >> 32);
        c->group = (uint32_t)key;
        c->rows = b->col[1].i128 ? (int64_t)b->col[1].i128[r] : b->col[1].i64[r];
        for (int m = 0; m < FA_M__COUNT; m++) {
            if (!(g->measures >> m & 1))
                continue;
            if (m < FA_M__MONEY) {
                c->sum[m] = b->col[col].i128[r] * FA_E8 + b->col[col + 1].i128[r];
                col += 2;
            } else {
                c->sum[m] = b->col[col++].i128[r];
            }
        }
    }
    return FA_OK;
}

/* ---- which columns answer ---- */

static fa_rc take_own(void *user, const fa_batch *b, fa_err *e)
{
    bool *own = user;

    (void)e;
    for (int m = 0; m < FA_M__COUNT; m++)
        own[m] = b->col[m].b[0];
    return FA_OK;
}

/* Measures that some fact has a value of its own for. The statistics of row groups answer this. */
static fa_rc find_own(fa_engine *g, bool own[FA_M__COUNT], fa_err *e)
{
    fa_conn *c = NULL;
    fa_buf sql;
    fa_rc rc;

    fa_buf_init(&sql, 1 << 14);
    for (int m = 0; m < FA_M__COUNT; m++) {
        fa_buf_z(&sql, m ? ", " : "SELECT ");
        if ((int)fa_measures[m].falls_to == m)
            fa_buf_z(&sql, "true");
        else
            fa_buf_fmt(&sql, "EXISTS (SELECT 1 FROM daily WHERE %s IS NOT NULL)",
                       fa_measures[m].col);
    }
    rc = sql.failed ? fa_oom(e) : fa_conn_get(g, &c, e);
    if (!rc)
        rc = fa_sql_query(c, fa_buf_view(&sql), NULL, 0, take_own, own, e);
    fa_conn_put(c);
    fa_buf_release(&sql);
    return rc;
}

fa_rc fa_engine_aliases(fa_engine *g, fa_measure out[FA_M__COUNT], fa_err *e)
{
    bool own[FA_M__COUNT] = {false}, known;
    uint64_t epoch;

    pthread_mutex_lock(&g->lock);
    epoch = g->columns_epoch;
    known = g->alias_epoch == epoch + 1;
    if (known)
        memcpy(out, g->alias, sizeof g->alias);
    pthread_mutex_unlock(&g->lock);
    if (known)
        return FA_OK;
    if (find_own(g, own, e))
        return e->rc;
    for (int m = 0; m < FA_M__COUNT; m++) {
        fa_measure to = (fa_measure)m;

        while (!own[to])
            to = fa_measures[to].falls_to;
        out[m] = to;
    }
    pthread_mutex_lock(&g->lock);
    memcpy(g->alias, out, sizeof g->alias);
    g->alias_epoch = epoch + 1;
    pthread_mutex_unlock(&g->lock);
    return FA_OK;
}

/* The sums of aliases go where they were asked. */
static void give_back(const fa_measure alias[FA_M__COUNT], uint32_t asked, fa_cell *cell, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        fa_cell read = cell[i];

        for (int m = 0; m < FA_M__COUNT; m++)
            cell[i].sum[m] = asked >> m & 1 ? read.sum[alias[m]] : 0;
    }
}

fa_rc fa_engine_scan(fa_engine *g, fa_arena *a, const fa_scan *q, fa_cell **out, size_t *n,
                     fa_err *e)
{
    fa_measure alias[FA_M__COUNT];
    fa_scan read = *q;
    fa_rc rc;
    fa_conn *c = NULL;
    fa_buf sql;
    bool done;
    gather got = {.mem = a};
    fa_cell_map map = {FA_CELL_MAGIC, q};

    *out = NULL;
    *n = 0;
    if (q->from > q->to)
        return FA_OK;
    if ((rc = fa_engine_aliases(g, alias, e)))
        return rc;
    read.measures = 0;
    for (int m = 0; m < FA_M__COUNT; m++)
        read.measures |= (q->measures >> m & 1) << alias[m];
    got.measures = read.measures;
    if ((rc = fa_columns_scan(g, a, &read, out, n, &done, e)) || done) {
        if (!rc && read.measures != q->measures)
            give_back(alias, q->measures, *out, *n);
        return rc;
    }
    fa_buf_init(&sql, 1 << 16);
    fa_buf_fmt(&sql, "SELECT c, sum(n)::HUGEINT");
    for (int m = 0; m < FA_M__COUNT; m++) {
        if (!(read.measures >> m & 1))
            continue;
        if (m < FA_M__MONEY)
            fa_buf_fmt(&sql, ", sum(%s)::HUGEINT, sum(%s)::HUGEINT", fa_measures[m].units,
                       fa_measures[m].rest);
        else
            fa_buf_fmt(&sql, ", coalesce(sum(%s), 0)::DECIMAL(38,18)", fa_measures[m].units);
    }
    fa_buf_fmt(&sql,
               " FROM (SELECT fa_cell(%llu::UBIGINT, day, line_id) AS c, * FROM daily"
               " WHERE day BETWEEN DATE '1970-01-01' + %d AND DATE '1970-01-01' + %d) GROUP BY c",
               (unsigned long long)(uintptr_t)&map, q->from, q->to);
    if (sql.failed) {
        rc = fa_oom(e);
        goto done;
    }
    if ((rc = fa_conn_get(g, &c, e)))
        goto done;
    fa_conn_deadline(c, q->deadline_mono_ms);
    if ((rc = fa_sql_query(c, fa_buf_view(&sql), NULL, 0, add_rows, &got, e)))
        goto done;
    *out = got.cell;
    *n = got.n;
    if (read.measures != q->measures)
        give_back(alias, q->measures, *out, *n);
done:
    fa_conn_put(c);
    fa_buf_release(&sql);
    return rc;
}
