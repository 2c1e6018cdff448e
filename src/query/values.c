/*
 * values.c - the values of a key: what a filter can be set to.
 *
 * The one idea: the sorted list of values that have facts is kept beside the group arrays, so that
 * a page of it, or a search in it, is a walk in memory.
 */
#include "query/inner.h"

#include <stdlib.h>
#include <string.h>

#define TRIES 5

static unsigned char fold(char c)
{
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
}

static bool has_text(fa_str s, fa_str part)
{
    for (size_t i = 0; i + part.n <= s.n; i++) {
        size_t k = 0;

        if (part.n && fold(s.p[i]) != fold(part.p[0]))
            continue;

        while (k < part.n && fold(s.p[i + k]) == fold(part.p[k]))
            k++;
        if (k == part.n)
            return true;
    }
    return part.n == 0;
}

static bool is_ascii(fa_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] >= 0x80)
            return false;
    return true;
}

/* ---- costs ---- */

typedef struct priced {
    fa_map *at; /* value to its place in the answer */
    fa_answer answer;
    bool ok;
} priced;

/* Costs of two currencies cannot be ranked: then there are none. */
static fa_rc get_costs(fa_ledger *l, fa_arena *a, const fa_key *k, const fa_filter *scope,
                       const fa_plan *cost_of, priced *out, fa_err *e)
{
    fa_plan p = *cost_of;
    fa_rc rc;

    p.dim[0] = k;
    p.ndim = 1;
    p.scope = scope;
    p.bucket = FA_ALL;
    p.previous = false;
    p.top = 0;
    if (p.nmeasure > 1)
        p.nmeasure = 1;
    rc = fa_query_run(l, a, &p, &out->answer, e);
    if (rc == FA_EDATA)
        return FA_OK;
    if (rc)
        return rc;
    if (out->answer.mixed_units || out->answer.mixed_currencies)
        return FA_OK;
    out->at = fa_map_new();
    if (!out->at)
        return fa_oom(e);
    for (size_t i = 0; i < out->answer.ngroup; i++)
        if (!fa_map_set(out->at, out->answer.group[i].value[0], i))
            return fa_oom(e);
    out->ok = true;
    return FA_OK;
}

static int by_cost(const void *x, const void *y)
{
    const fa_value *p = x, *q = y;

    if (p->cost_e18 != q->cost_e18)
        return p->cost_e18 > q->cost_e18 ? -1 : 1;
    return fa_str_cmp(p->value, q->value);
}

/* ---- paging ---- */

/* Without costs: the sorted list is walked from behind `after` until the page is full. */
static fa_rc list_by_name(fa_arena *a, const fa_values *g, fa_str search, fa_str after,
                          size_t limit, fa_value **out, size_t *n, fa_err *e)
{
    size_t lo = 0, hi = g->n, most;
    fa_value *v;

    while (after.n && lo < hi) {
        size_t mid = (lo + hi) / 2;

        if (fa_str_cmp(g->text[mid], after) <= 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    most = g->n - lo;
    if (limit && limit < most)
        most = limit;
    v = fa_arena_array(a, most + 1, sizeof *v);
    if (!v)
        return fa_oom(e);
    for (size_t i = lo; i < g->n && *n < most; i++)
        if (has_text(g->text[i], search))
            v[(*n)++].value = g->text[i];
    *out = v;
    return FA_OK;
}

static fa_rc list_by_cost(fa_arena *a, const fa_values *g, fa_str search, fa_str after,
                          size_t limit, const priced *costs, fa_value **out, size_t *n, fa_err *e)
{
    fa_value *v = fa_arena_array(a, g->n + 1, sizeof *v);
    size_t count = 0, first = 0;

    if (!v)
        return fa_oom(e);
    for (size_t i = 0; i < g->n; i++) {
        size_t at;

        if (!has_text(g->text[i], search))
            continue;
        v[count] = (fa_value){.value = g->text[i], .has_cost = true};
        if (fa_map_get(costs->at, g->text[i], &at))
            v[count].cost_e18 = costs->answer.group[at].sum_e18[0]; /* nothing has to add up here */
        count++;
    }
    if (count)
        qsort(v, count, sizeof *v, by_cost);
    while (after.n && first < count && !fa_str_eq(v[first].value, after))
        first++;
    if (after.n && first < count)
        first++;
    *out = v + first;
    *n = limit && count - first > limit ? limit : count - first;
    return FA_OK;
}

/* The list as of one state of the ledger. */
static fa_rc get_values(fa_ledger *l, const fa_key *k, const fa_filter *seen,
                        int64_t deadline_mono_ms, fa_values **out, fa_err *e)
{
    fa_rc rc = FA_OK;

    *out = NULL;
    for (int i = 0; i < TRIES; i++) {
        fa_lens v;

        fa_values_put(*out);
        *out = NULL;
        if ((rc = fa_lens_open(l, deadline_mono_ms, &v, e)))
            return rc;
        rc = fa_values_of(&v, k, seen, out, e);
        if (rc == FA_ECANCELLED || rc == FA_ETIMEOUT || fa_ledger_generation(l) == v.generation)
            return rc;
    }
    return rc;
}

fa_rc fa_query_values(fa_ledger *l, fa_arena *a, const fa_key *k, const fa_filter *scope,
                      fa_str search, fa_str after, size_t limit, const fa_plan *cost_of,
                      fa_value **out, size_t *n, fa_err *e)
{
    fa_rc rc;
    fa_values *g = NULL;
    fa_err scratch = {0};
    priced costs = {0};
    fa_str wanted = search;
    const fa_filter leaf = {
        .kind = FA_F_LEAF, .key = k, .op = FA_OP_CONTAINS, .value = &wanted, .nvalue = 1};
    const fa_filter *seen = scope;
    int64_t deadline = cost_of ? cost_of->deadline_mono_ms : 0;

    e = e ? e : &scratch;
    *out = NULL;
    *n = 0;
    if (!is_ascii(search)) { /* only the engine knows the lower case of every letter */
        if ((rc = fa_filter_and(a, scope, &leaf, &seen, e)))
            goto done;
        search = (fa_str){0};
    }
    if (cost_of && cost_of->nmeasure && (rc = get_costs(l, a, k, scope, cost_of, &costs, e)))
        goto done;
    if ((rc = get_values(l, k, seen, deadline, &g, e)))
        goto done;
    rc = costs.ok ? list_by_cost(a, g, search, after, limit, &costs, out, n, e)
                  : list_by_name(a, g, search, after, limit, out, n, e);
    for (size_t i = 0; i < *n && !rc; i++) { /* the list may leave the cache */
        (*out)[i].value = fa_arena_dup(a, (*out)[i].value);
        if (!(*out)[i].value.p)
            rc = fa_oom(e);
    }
done:
    fa_map_free(costs.at);
    fa_values_put(g);
    return rc;
}
