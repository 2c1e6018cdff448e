/*
 * scan.c - the typed question "sum these measures per bucket and group of lines": by segments where
 * there are, else by DuckDB.
 *
 * Each fact looks its (bucket, group) up in the plan's arrays through fa_cell, so a filter, a
 * group-by or an access rule costs one array read per fact whatever it says. Money comes back
 * exact: 1e-10 units and the rest of 1e-18 are summed apart and joined in 128 bits.
 */
#include "engine/cluster.h"

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

static void put_sql(fa_buf *sql, const fa_scan *q, const fa_cell_map *map, const fa_parts *parts)
{
    fa_buf_fmt(sql, "SELECT c, sum(n)::HUGEINT");
    for (int m = 0; m < FA_M__COUNT; m++) {
        if (!(q->measures >> m & 1))
            continue;
        if (m < FA_M__MONEY)
            fa_buf_fmt(sql, ", sum(%s)::HUGEINT, sum(%s)::HUGEINT", fa_measures[m].units,
                       fa_measures[m].rest);
        else
            fa_buf_fmt(sql, ", coalesce(sum(%s), 0)::DECIMAL(38,18)", fa_measures[m].units);
    }
    fa_buf_fmt(sql,
               " FROM (SELECT fa_cell(%llu::UBIGINT, day, line_id) AS c, * FROM daily"
               " WHERE day BETWEEN DATE '1970-01-01' + %d AND DATE '1970-01-01' + %d",
               (unsigned long long)(uintptr_t)map, q->from, q->to);
    for (size_t i = 0; parts && i < parts->n; i++)
        fa_buf_fmt(sql, "%s%u", i ? ", " : " AND part_id IN (", parts->id[i]);
    fa_buf_z(sql, parts ? ")) GROUP BY c" : ") GROUP BY c");
}

/* parts NULL: all. */
static fa_rc duckdb_scan(fa_engine *g, fa_arena *a, const fa_scan *q, const fa_parts *parts,
                         fa_cell **out, size_t *n, fa_err *e)
{
    fa_rc rc;
    fa_conn *c = NULL;
    fa_buf sql;
    gather got = {.mem = a, .measures = q->measures};
    fa_cell_map map = {FA_CELL_MAGIC, q};

    fa_buf_init(&sql, 64 << 20);
    put_sql(&sql, q, &map, parts);
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
done:
    fa_conn_put(c);
    fa_buf_release(&sql);
    return rc;
}

fa_rc fa_engine_scan(fa_engine *g, fa_arena *a, const fa_scan *q, fa_cell **out, size_t *n,
                     fa_err *e)
{
    fa_rc rc;
    bool done;
    fa_cluster *k = atomic_load(&g->cluster);

    *out = NULL;
    *n = 0;
    if (q->from > q->to)
        return FA_OK;
    if (k && !q->plain && q->measures)
        return fa_cluster_scan(g, k, a, q, duckdb_scan, out, n, e);
    if ((rc = fa_kernel_scan(g, a, q, duckdb_scan, out, n, &done, e)) || done)
        return rc;
    pthread_mutex_lock(&g->lock);
    g->stats.scans_duckdb++;
    pthread_mutex_unlock(&g->lock);
    return duckdb_scan(g, a, q, NULL, out, n, e);
}
