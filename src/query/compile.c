/*
 * compile.c - a plan's filter and group-by become group[line_id], kept for the next question.
 *
 * The one idea: filters, group-bys and row rules are statements about lines, so what they say becomes an array that
 * any scan can use: for other days, other measures, the previous period. Where a virtual tag says different things on
 * different days the time is cut into slices with an array each; nothing is scanned twice for it. The array is kept
 * under the ledger's generation and a digest of all that was asked; what a caller may not see is part of that.
 */
#include "query/money.h"

#include <stdlib.h>
#include <string.h>

/* ---- which columns ---- */

static bool measures_unit(const fa_plan *p, int m)
{
    for (size_t i = 0; i < p->nmeasure; i++)
        if ((int)p->measure[i].type->measure == m)
            return fa_measures[m].unit != NULL;
    return false;
}

static bool measures_cost(const fa_plan *p)
{
    for (size_t i = 0; i < p->nmeasure; i++)
        if (!p->measure[i].type->is_usage)
            return true;
    return false;
}

/* The keys of a group's texts: dimensions, units, factor, currency; `own` holds those that are no key of the catalog. */
static size_t text_keys(const fa_plan *p, fa_key *own, const fa_key **out, size_t *nunit)
{
    size_t n = 0, k = 0;

    *nunit = 0;
    for (size_t i = 0; i < p->ndim; i++)
        out[n++] = p->dim[i];
    for (int m = 0; m < FA_M__COUNT; m++)
        if (measures_unit(p, m)) {
            own[k] = (fa_key){.expr = fa_str_of(fa_measures[m].unit)};
            out[n++] = &own[k++];
            ++*nunit;
        }
    if (p->edp)
        out[n++] = p->edp->factor;
    own[k] = (fa_key){.expr = fa_str_of(measures_cost(p) ? fa_money_expr(p) : "NULL")};
    out[n++] = &own[k];
    return n;
}

/* The keys that are columns of `line`, so that all are read together; *n of at most `room`. */
static void gather_keys(const fa_filter *f, const fa_key **out, size_t room, size_t *n)
{
    if (!f)
        return;
    for (size_t i = 0; i < f->nkid; i++)
        gather_keys(f->kid[i], out, room, n);
    if (f->kind != FA_F_LEAF)
        return;
    for (size_t i = 0; i < *n; i++)
        if (fa_str_eq(out[i]->expr, f->key->expr))
            return;
    if (*n < room && f->key->type != FA_K_VIRTUAL)
        out[(*n)++] = f->key;
}

#define READ_AHEAD 64

static fa_rc read_ahead(const fa_lens *v, const fa_plan *p, const fa_key *const *text, size_t ntext,
                        fa_codes **held, size_t *nheld, fa_err *e)
{
    const fa_key *key[READ_AHEAD];
    size_t n = 0;

    for (size_t i = 0; i < ntext; i++)
        if (text[i]->type != FA_K_VIRTUAL)
            key[n++] = text[i];
    gather_keys(p->filter, key, READ_AHEAD, &n);
    gather_keys(p->scope, key, READ_AHEAD, &n);
    *nheld = 0;
    if (fa_codes_get(v, key, n, held, e))
        return e->rc;
    *nheld = n;
    return FA_OK;
}

/* ---- slices ---- */

static fa_rc add_cut(fa_days *c, int32_t day, fa_err *e)
{
    if (c->n == c->cap) {
        size_t cap = c->cap ? c->cap * 2 : 64;
        int32_t *grown = realloc(c->from, cap * sizeof *grown);

        if (!grown)
            return fa_oom(e);
        c->from = grown;
        c->cap = cap;
    }
    c->from[c->n++] = day;
    return FA_OK;
}

static fa_rc cut_by_key(fa_days *c, const fa_key *k, int32_t from, int32_t to, fa_err *e)
{
    size_t n;
    const int32_t *cut;

    if (fa_key_cuts(k, &cut, &n, e))
        return e->rc;
    for (size_t i = 0; i < n; i++)
        if (cut[i] > from && cut[i] <= to && add_cut(c, cut[i], e))
            return e->rc;
    return FA_OK;
}

static fa_rc cut_by_filter(fa_days *c, const fa_filter *f, int32_t from, int32_t to, fa_err *e)
{
    if (!f)
        return FA_OK;
    for (size_t i = 0; i < f->nkid; i++)
        if (cut_by_filter(c, f->kid[i], from, to, e))
            return e->rc;
    return f->kind == FA_F_LEAF ? cut_by_key(c, f->key, from, to, e) : FA_OK;
}

static int by_day(const void *x, const void *y)
{
    int32_t a = *(const int32_t *)x, b = *(const int32_t *)y;

    return (a > b) - (a < b);
}

static fa_digest slice_digest(const fa_lens *v, const fa_plan *p, const fa_key *const *key,
                              size_t n)
{
    fa_hash h;

    fa_hash_begin(&h, "slice");
    for (size_t i = 0; i < n; i++)
        fa_key_hash(&h, v, key[i]);
    fa_filter_hash(&h, v, p->filter);
    fa_filter_hash(&h, v, p->scope);
    return fa_hash_end(&h);
}

/* Where within [from,to] anything that is asked changes its meaning. v->day is left anywhere. */
static fa_rc make_days(fa_lens *v, const fa_plan *p, const fa_key *const *key, size_t n,
                       int32_t from, int32_t to, fa_days *c, fa_err *e)
{
    size_t kept = 0;

    if (add_cut(c, from, e))
        return e->rc;
    for (size_t i = 0; i < n; i++)
        if (cut_by_key(c, key[i], from, to, e))
            return e->rc;
    if (cut_by_filter(c, p->filter, from, to, e) || cut_by_filter(c, p->scope, from, to, e))
        return e->rc;
    qsort(c->from, c->n, sizeof *c->from, by_day);
    c->what = calloc(c->n, sizeof *c->what);
    if (!c->what)
        return fa_oom(e);
    for (size_t i = 0; i < c->n; i++) {
        if (kept && c->from[i] == c->from[kept - 1])
            continue;
        v->day = c->from[i];
        c->what[kept] = slice_digest(v, p, key, n);
        if (kept && memcmp(&c->what[kept], &c->what[kept - 1], sizeof *c->what) == 0)
            continue;
        c->from[kept++] = c->from[i];
    }
    c->n = kept;
    return FA_OK;
}

static fa_digest days_digest(const fa_lens *v, const fa_days *c)
{
    fa_hash h;

    fa_hash_begin(&h, "days");
    fa_lens_hash(&h, v, true);
    for (size_t i = 0; i < c->n; i++) {
        fa_hash_u64(&h, (uint64_t)(i ? c->from[i] : 0));
        fa_hash_put(&h, &c->what[i], sizeof c->what[i]);
    }
    return fa_hash_end(&h);
}

void fa_days_free(fa_days *d)
{
    free(d->from);
    free(d->what);
    *d = (fa_days){0};
}

fa_rc fa_days_of(fa_lens *v, const fa_plan *p, int32_t from, int32_t to, fa_days *out,
                 fa_digest *id, fa_err *e)
{
    fa_key own[3];
    const fa_key *key[FA_MAX_TEXTS];
    size_t nunit, n = text_keys(p, own, key, &nunit);

    *out = (fa_days){0};
    if (make_days(v, p, key, n, from, to, out, e))
        return e->rc;
    *id = days_digest(v, out);
    return FA_OK;
}

/* ---- the array of one slice ---- */

typedef struct build {
    const fa_plan *p;
    const fa_key *const *key;
    size_t n;
    bool
        sliced; /* a text may be numbered differently in each slice: the groups have a list of their own */
    fa_groups *g;
} build;

/* The plan's own number of a text of this slice's column. */
static bool own_code(const build *b, size_t i, const fa_codes *c, uint32_t code, uint32_t *out)
{
    if (b->g->col[i] == c) {
        *out = code;
        return true;
    }
    return fa_codes_add(b->g->col[i], fa_codes_text(c, code), out);
}

/* Numbers the slice's groups among all. */
static fa_rc number_groups(build *b, fa_codes *const *col, const fa_level *l, uint32_t *line,
                           uint32_t nline, fa_err *e)
{
    const fa_level *last = &l[b->n - 1];
    uint32_t *to = malloc((last->n + 1) * sizeof *to);
    bool ok = to != NULL;

    for (uint32_t g = 0; ok && g < last->n; g++) {
        uint32_t t[FA_MAX_TEXTS], at = g;

        for (size_t i = b->n; ok && i-- > 0;) {
            ok = own_code(b, i, col[i], l[i].code[at], &t[i]);
            at = l[i].parent[at];
        }
        ok = ok && fa_groups_add(b->g, t, &to[g]);
    }
    for (uint32_t i = 0; ok && i < nline; i++)
        if (line[i] != FA_NO_GROUP)
            line[i] = to[line[i]];
    free(to);
    return ok ? FA_OK : fa_oom(e);
}

fa_rc fa_select_plan(const fa_lens *v, const fa_plan *p, uint32_t *line, fa_err *e)
{
    const fa_filter *kid[2];
    fa_filter both = {.kind = FA_F_AND, .kid = kid};
    fa_sel *s = NULL;

    if (p->filter)
        kid[both.nkid++] = p->filter;
    if (p->scope)
        kid[both.nkid++] = p->scope;
    if (fa_select(v, both.nkid == 2 ? &both : both.nkid ? kid[0] : NULL, &s, e))
        return e->rc;
    memset(line, 0xff, (size_t)v->nline * sizeof *line);
    fa_sel_fill(s, line, 0);
    fa_sel_put(s);
    return FA_OK;
}

static fa_rc build_slice(build *b, const fa_lens *v, uint32_t **out, fa_err *e)
{
    fa_codes *col[FA_MAX_TEXTS] = {NULL};
    fa_level l[FA_MAX_TEXTS] = {{0}};
    uint32_t *line = malloc(((size_t)v->nline + 1) * sizeof *line), groups = 1;
    fa_rc rc = line ? fa_select_plan(v, b->p, line, e) : fa_oom(e);

    for (size_t i = 0; i < b->n && !rc; i++) {
        if ((rc = fa_lens_check(v, e)) || (rc = fa_codes_of(v, b->key[i], &col[i], e)))
            break;
        if (!b->g->col[i]) {
            bool shared = !b->sliced || b->key[i]->type != FA_K_VIRTUAL;

            b->g->col[i] = shared ? (fa_codes *)fa_kept_ref(&col[i]->kept) : fa_codes_new(0);
            if (!b->g->col[i])
                rc = fa_oom(e);
        }
        if (!rc)
            rc = fa_refine(col[i]->code, col[i]->n, v->nline, line, groups, &l[i], e);
        groups = l[i].n;
    }
    if (!rc)
        rc = number_groups(b, col, l, line, v->nline, e);
    for (size_t i = 0; i < b->n; i++) {
        fa_level_free(&l[i]);
        fa_codes_put(col[i]);
    }
    if (rc)
        free(line);
    *out = rc ? NULL : line;
    return rc;
}

static fa_rc build_slices(build *b, fa_lens *v, const fa_days *c, fa_err *e)
{
    fa_groups *g = b->g;
    size_t *of = calloc(c->n, sizeof *of);
    fa_rc rc = FA_OK;

    g->slice = calloc(c->n, sizeof *g->slice);
    g->array = calloc(c->n, sizeof *g->array);
    if (!of || !g->slice || !g->array)
        rc = fa_oom(e);
    g->nline = v->nline;
    for (size_t i = 0; i < c->n && !rc; i++) {
        size_t k = 0;

        while (k < i && memcmp(&c->what[k], &c->what[i], sizeof *c->what) != 0)
            k++;
        of[i] = k < i ? of[k] : g->narray;
        v->day = c->from[i];
        if (k == i && !(rc = build_slice(b, v, &g->array[g->narray], e)))
            g->narray++;
        if (!rc)
            g->slice[g->nslice++] =
                (fa_slice){.from = i ? c->from[i] : FA_DAY_MIN, .line = g->array[of[i]]};
    }
    free(of);
    return rc;
}

/* ---- by content ---- */

fa_rc fa_groups_of_plan(fa_lens *v, const fa_plan *p, int32_t from, int32_t to, fa_groups **out,
                        fa_err *e)
{
    fa_key own[3];
    const fa_key *key[FA_MAX_TEXTS];
    fa_codes *held[READ_AHEAD];
    size_t nunit, n = text_keys(p, own, key, &nunit), nheld = 0;
    fa_days c = {0};
    build b = {.p = p, .key = key, .n = n};
    fa_digest id;
    fa_rc rc;

    *out = NULL;
    if ((rc = fa_days_of(v, p, from, to, &c, &id, e)))
        goto done;
    if ((*out = (fa_groups *)fa_keep_get(&id)))
        goto done;
    b.sliced = c.n > 1;
    b.g = fa_groups_new(p->ndim, nunit, p->edp != NULL);
    if (!b.g) {
        rc = fa_oom(e);
        goto done;
    }
    if ((rc = read_ahead(v, p, key, n, held, &nheld, e)) || (rc = build_slices(&b, v, &c, e)))
        goto done;
    if (!fa_groups_seal(b.g)) {
        rc = fa_oom(e);
        goto done;
    }
    if (fa_ledger_generation(v->l) == v->generation)
        fa_keep_add(&id, &b.g->kept);
    *out = b.g;
    b.g = NULL;
done:
    for (size_t i = 0; i < nheld; i++)
        fa_codes_put(held[i]);
    fa_groups_put(b.g);
    fa_days_free(&c);
    return rc;
}

size_t fa_slice_of(const fa_groups *g, size_t i, int32_t from, int32_t to, int32_t *first,
                   int32_t *last)
{
    for (; i < g->nslice; i++) {
        int32_t end = i + 1 < g->nslice ? g->slice[i + 1].from - 1 : FA_DAY_MAX;

        *first = g->slice[i].from > from ? g->slice[i].from : from;
        *last = end < to ? end : to;
        if (*first <= *last)
            return i;
    }
    return SIZE_MAX;
}

void fa_query_cache_free(void)
{
    fa_catalog_cache_free();
    fa_keep_free();
    fa_fold_free();
    fa_tags_cache_free();
    fa_rates_cache_free();
}
