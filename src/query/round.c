/*
 * round.c - exact sums become shown numbers that still add up.
 *
 * The one idea: the overall total is rounded once, half away from zero, to 1e-10; groups and
 * buckets get it by largest remainder, and cells fill both. Most bills have at most ten decimals:
 * then there is nothing to spread and this is a division.
 */
#include "query/inner.h"

#include <stdlib.h>

static fa_i128 floor_e10(fa_i128 v, uint32_t *rest)
{
    fa_i128 q = v / FA_E8;
    fa_i128 r = v - q * FA_E8;

    if (r < 0) {
        r += FA_E8;
        q--;
    }
    *rest = (uint32_t)r;
    return q;
}

typedef struct piece {
    uint32_t rest, at;
} piece;

static int by_rest(const void *x, const void *y)
{
    const piece *p = x, *q = y;

    if (p->rest != q->rest)
        return p->rest > q->rest ? -1 : 1;
    return p->at < q->at ? -1 : p->at > q->at;
}

fa_rc fa_round_parts(fa_arena *tmp, fa_i128 *x, size_t n, fa_i128 total_e10, fa_err *e)
{
    piece *order = fa_arena_array(tmp, n + 1, sizeof *order);
    fa_i128 left = total_e10;

    if (!order)
        return fa_oom(e);
    for (size_t i = 0; i < n; i++) {
        order[i].at = (uint32_t)i;
        x[i] = floor_e10(x[i], &order[i].rest);
        left -= x[i];
    }
    if (left == 0 || n == 0)
        return FA_OK;
    qsort(order, n, sizeof *order, by_rest);
    for (size_t i = 0; left > 0; i = (i + 1) % n, left--)
        x[order[i].at]++;
    return FA_OK;
}

typedef struct table {
    fa_group *g;
    size_t ng, nb, nm, m;
    uint32_t *rest;     /* [nb * ng] */
    fa_i128 *row, *col; /* still missing of each bucket and group */
    piece *order;
} table;

static fa_i128 *cell(const table *t, size_t b, size_t i)
{
    return &t->g[i].cell_e10[b * t->nm + t->m];
}

/* Floors every cell; leaves exact sums in row and col. true: nothing was cut off. */
static bool floor_all(table *t)
{
    uint32_t any = 0;

    for (size_t i = 0; i < t->ng; i++)
        for (size_t b = 0; b < t->nb; b++) {
            fa_i128 *c = cell(t, b, i);

            t->row[b] += *c;
            t->col[i] += *c;
            *c = floor_e10(*c, &t->rest[b * t->ng + i]);
            any |= t->rest[b * t->ng + i];
        }
    return any == 0;
}

/* Gives bucket b what it misses, first to the cells that lost most. */
static void fill_row(table *t, size_t b)
{
    size_t n = 0;

    for (size_t i = 0; i < t->ng; i++)
        if (t->col[i] > 0)
            t->order[n++] = (piece){t->rest[b * t->ng + i], (uint32_t)i};
    if (n > 1)
        qsort(t->order, n, sizeof *t->order, by_rest);
    for (size_t k = 0; n && t->row[b] > 0; k = (k + 1) % n) {
        uint32_t i = t->order[k].at;

        if (t->col[i] <= 0)
            continue;
        ++*cell(t, b, i);
        t->col[i]--;
        t->row[b]--;
    }
}

fa_rc fa_round_cells(fa_arena *tmp, fa_group *g, size_t ng, size_t nbucket, size_t nm, size_t m,
                     fa_group *total, fa_err *e)
{
    table t = {.g = g, .ng = ng, .nb = nbucket, .nm = nm, .m = m};
    fa_i128 sum = 0;

    t.rest = fa_arena_array(tmp, nbucket * ng + 1, sizeof *t.rest);
    t.row = fa_arena_array(tmp, nbucket + 1, sizeof *t.row);
    t.col = fa_arena_array(tmp, ng + 1, sizeof *t.col);
    t.order = fa_arena_array(tmp, ng + 1, sizeof *t.order);
    if (!t.rest || !t.row || !t.col || !t.order)
        return fa_oom(e);
    if (floor_all(&t)) {
        for (size_t i = 0; i < ng; i++)
            g[i].total_e10[m] = t.col[i] / FA_E8;
        for (size_t b = 0; b < nbucket; b++) {
            total->cell_e10[b * nm + m] = t.row[b] / FA_E8;
            sum += t.row[b];
        }
        total->total_e10[m] = sum / FA_E8;
        return FA_OK;
    }
    for (size_t b = 0; b < nbucket; b++)
        sum += t.row[b];
    total->total_e10[m] = fa_dec_round(sum, 10);
    if (fa_round_parts(tmp, t.row, nbucket, total->total_e10[m], e) ||
        fa_round_parts(tmp, t.col, ng, total->total_e10[m], e))
        return e->rc;
    for (size_t b = 0; b < nbucket; b++)
        total->cell_e10[b * nm + m] = t.row[b];
    for (size_t i = 0; i < ng; i++)
        g[i].total_e10[m] = t.col[i];
    for (size_t i = 0; i < ng; i++)
        for (size_t b = 0; b < nbucket; b++) {
            t.row[b] -= *cell(&t, b, i);
            t.col[i] -= *cell(&t, b, i);
        }
    for (size_t b = 0; b < nbucket; b++)
        fill_row(&t, b);
    return FA_OK;
}
