/*
 * moves.c - what the reallocation of a draft would do: before and after, entry by entry, from where to where.
 *
 * The one idea: the same run that answers questions keeps a report of what it did, so the preview cannot differ from
 * the answers.
 */
#include "query/reallocate.h"

#include <stdlib.h>
#include <string.h>

#define TRIES 5
#define TMP_BYTES ((size_t)4 << 30)

typedef struct work {
    fa_ledger *l;
    fa_arena *a, tmp;
    const fa_plan *p;
    const fa_catalog *cat;
    const fa_key *key;
    fa_lens v;
    fa_moves *out;
    fa_err *e;
} work;

/* Cells of the tag's values with its first `limit` entries. */
static fa_rc ask(work *w, size_t limit, bool report, rl_out *o)
{
    fa_plan q = *w->p;
    rl_program about = {.v = w->v,
                        .cat = w->cat,
                        .set = w->cat->tags,
                        .p = &q,
                        .limited = w->key->tag->tag,
                        .limit = limit,
                        .e = w->e};
    size_t days = (size_t)((int64_t)q.range.to - q.range.from + 1);
    fa_buckets k = {q.range.from, q.range.to, FA_ALL, 1, NULL};
    uint32_t *zero = fa_arena_array(&w->tmp, days, sizeof *zero);

    q.dim[0] = w->key;
    q.ndim = 1;
    q.bucket = FA_ALL;
    k.of_day = zero;
    o->with_report = report;
    if (!zero)
        return fa_oom(w->e);
    if (rl_begin(o, &q, w->e))
        return w->e->rc;
    return rl_run(&about, &w->tmp, &k, false, false, o);
}

static fa_rc check_money(work *w, const rl_out *o)
{
    fa_str seen = {NULL, 0}, *converted;
    size_t n;

    if (fa_money_on(w->p))
        return fa_money_tell(w->p->money, w->a, &w->out->currency, &converted, &n, w->e);
    for (size_t i = 0; i < o->nnow; i++) {
        fa_str money = fa_groups_text(o->g, o->now[i].group, o->g->ntext - 1);

        if (!o->now[i].stat[0].sum)
            continue;
        if (seen.p && !fa_str_eq(seen, money))
            return fa_money_mixed(seen, money, "the answer", w->e);
        seen = money;
    }
    w->out->currency = fa_arena_dup(w->a, seen.p ? seen : FA_STR(""));
    return w->out->currency.p ? FA_OK : fa_oom(w->e);
}

/* ---- values ---- */

typedef struct exact {
    fa_i128 before, after, shared;
} exact;

static fa_rc place_of(work *w, fa_map *at, fa_str value, size_t *out)
{
    bool added;
    fa_move_value *v;

    if (!fa_map_add(at, value, w->out->nvalue, out, &added))
        return fa_oom(w->e);
    if (!added)
        return FA_OK;
    v = &w->out->value[w->out->nvalue++];
    v->value = fa_arena_dup(w->a, value);
    return v->value.p ? FA_OK : fa_oom(w->e);
}

static fa_rc gather(work *w, const rl_out *before, const rl_out *after, fa_map *at, exact *sum)
{
    for (int side = 0; side < 2; side++) {
        const rl_out *o = side ? after : before;

        for (size_t i = 0; i < o->nnow; i++) {
            size_t k;

            if (place_of(w, at, fa_groups_text(o->g, o->now[i].group, 0), &k))
                return w->e->rc;
            *(side ? &sum[k].after : &sum[k].before) += o->now[i].stat[0].sum;
            sum[k].shared += side ? o->now[i].shared[0] : 0;
        }
    }
    return FA_OK;
}

/* Both columns add up to their total, which is rounded once. */
static fa_rc round_values(work *w, const exact *sum)
{
    fa_moves *o = w->out;
    fa_i128 *x = fa_arena_array(&w->tmp, o->nvalue + 1, sizeof *x), total = 0, after = 0;

    if (!x)
        return fa_oom(w->e);
    for (size_t i = 0; i < o->nvalue; i++) {
        x[i] = sum[i].before;
        total += sum[i].before;
        after += sum[i].after;
    }
    if (total != after)
        return fa_fail(w->e, FA_EINTERNAL, "the reallocation does not keep the total");
    o->before_e10 = o->after_e10 = fa_dec_round(total, 10);
    if (fa_round_parts(&w->tmp, x, o->nvalue, o->before_e10, w->e))
        return w->e->rc;
    for (size_t i = 0; i < o->nvalue; i++) {
        o->value[i].before_e10 = x[i];
        x[i] = sum[i].after;
    }
    if (fa_round_parts(&w->tmp, x, o->nvalue, o->after_e10, w->e))
        return w->e->rc;
    for (size_t i = 0; i < o->nvalue; i++) {
        o->value[i].after_e10 = x[i];
        o->value[i].shared_e10 = fa_dec_round(sum[i].shared, 10);
        o->value[i].direct_e10 = x[i] - o->value[i].shared_e10;
    }
    return FA_OK;
}

static int by_after(const void *x, const void *y)
{
    const fa_move_value *p = x, *q = y;

    if (p->after_e10 != q->after_e10)
        return p->after_e10 > q->after_e10 ? -1 : 1;
    return fa_str_cmp(p->value, q->value);
}

static fa_rc put_values(work *w, const rl_out *before, const rl_out *after)
{
    size_t n = before->nnow + after->nnow;
    fa_map *at = fa_map_new();
    exact *sum = fa_arena_array(&w->tmp, n + 1, sizeof *sum);
    fa_rc rc;

    w->out->value = fa_arena_array(w->a, n + 1, sizeof *w->out->value);
    rc = at && sum && w->out->value ? gather(w, before, after, at, sum) : fa_oom(w->e);
    if (!rc)
        rc = round_values(w, sum);
    if (!rc && w->out->nvalue)
        qsort(w->out->value, w->out->nvalue, sizeof *w->out->value, by_after);
    fa_map_free(at);
    return rc;
}

/* ---- entries ---- */

static int by_cost(const void *x, const void *y)
{
    const fa_move_row *p = x, *q = y;

    if (p->cost_e10 != q->cost_e10)
        return p->cost_e10 > q->cost_e10 ? -1 : 1;
    return fa_str_cmp(p->value, q->value);
}

/* x * 10^10 / d rounded half away from zero; d > 0 */
static fa_i128 ratio_e10(fa_i128 x, fa_i128 d)
{
    fa_u128 q, rest, u = x < 0 ? -(fa_u128)x : (fa_u128)x;

    if (!fa_dec_divide(u, (fa_u128)FA_E10, (fa_u128)d, &q, &rest))
        return 0;
    if (rest >= (fa_u128)d - rest)
        q++;
    return x < 0 ? -(fa_i128)q : (fa_i128)q;
}

static fa_rc put_entry(work *w, const rl_out *o, size_t entry)
{
    fa_move_entry *n = &w->out->entry[entry];
    const fa_tag *t = w->key->tag->tag;
    fa_i128 entered = 0;

    *n = (fa_move_entry){.kind = t->alloc[entry].kind,
                         .source = fa_arena_dup(w->a, t->alloc[entry].source)};
    n->row = fa_arena_array(w->a, o->nmoved + 1, sizeof *n->row);
    if (!n->source.p || !n->row)
        return fa_oom(w->e);
    for (size_t i = 0; i < o->nkept; i++)
        if (o->kept[i].tag == t && o->kept[i].entry == entry) {
            n->moved_e10 = fa_dec_round(o->kept[i].moved, 10);
            n->stayed_e10 = fa_dec_round(o->kept[i].stayed, 10);
            n->carried_days = o->kept[i].carried_days;
            entered = o->kept[i].entered;
        }
    for (size_t i = 0; i < o->nmoved; i++) {
        const rl_moved *m = &o->moved[i];
        fa_move_row *r = &n->row[n->nrow];

        if (m->tag != t || m->entry != entry)
            continue;
        n->nrow++;
        *r = (fa_move_row){.value = fa_arena_dup(w->a, m->target),
                           .cost_e10 = fa_dec_round(m->amount, 10),
                           .weight_e18 = m->weight_e18,
                           .has_weight = m->weight_e18 > 0};
        if (!r->value.p)
            return fa_oom(w->e);
        if (entered)
            r->share_e10 =
                ratio_e10(entered < 0 ? -m->amount : m->amount, entered < 0 ? -entered : entered);
        if (r->has_weight)
            r->unit_cost_e10 = ratio_e10(m->amount, m->weight_e18);
    }
    if (n->nrow)
        qsort(n->row, n->nrow, sizeof *n->row, by_cost);
    return FA_OK;
}

static fa_rc put_entries(work *w, const rl_out *o)
{
    w->out->nentry = w->key->tag->tag->nalloc;
    w->out->entry = fa_arena_array(w->a, w->out->nentry + 1, sizeof *w->out->entry);
    if (!w->out->entry)
        return fa_oom(w->e);
    for (size_t i = 0; i < w->out->nentry; i++)
        if (put_entry(w, o, i))
            return w->e->rc;
    return FA_OK;
}

static fa_rc try_once(work *w)
{
    rl_out before = {0}, after = {0};
    fa_plan q = *w->p;
    fa_money money;
    fa_rc rc;

    *w->out = (fa_moves){.range = w->p->range};
    if ((rc = fa_money_open(w->l, &w->tmp, &q, &money, w->e)))
        return rc;
    q.money = &money;
    w->p = &q;
    if (!(rc = ask(w, 0, false, &before)) && !(rc = ask(w, SIZE_MAX, true, &after)) &&
        !(rc = check_money(w, &after)) && !(rc = put_values(w, &before, &after)))
        rc = put_entries(w, &after);
    fa_money_close(&money);
    fa_groups_put(before.g);
    fa_groups_put(after.g);
    return rc;
}

fa_rc fa_tag_moves(fa_ledger *l, fa_arena *a, const json_t *document, const fa_plan *p,
                   fa_moves *out, fa_err *e)
{
    json_t *d = fa_draft_complete(document);
    fa_catalog *live = NULL, *draft = NULL;
    fa_tag_set *set = NULL;
    bool fresh = false;
    fa_plan q = *p;
    fa_edp edp = {0};
    fa_rc rc = FA_OK;

    if (!d)
        return json_is_object(document) ? fa_oom(e)
                                        : fa_fail(e, FA_EINVAL, "the document must be an object");
    if ((rc = fa_catalog_get(l, &live, e)) || (rc = fa_tag_set_with(live->tags, d, &set, e)) ||
        (rc = fa_catalog_with(l, set, &draft, e)) || (rc = fa_edp_begin(l, p, &edp, e)))
        goto done;
    q.edp = edp.factor ? &edp : NULL;
    for (int i = 0; i < TRIES && !rc && !fresh; i++) {
        work w = {.l = l, .a = a, .p = &q, .cat = draft, .out = out, .e = e};

        fa_arena_init(&w.tmp, TMP_BYTES);
        w.key = fa_key_stored(draft, &w.tmp, FA_STR("virtualTag"), fa_draft_key(d, (fa_str){0}),
                              FA_STR("virtual_tag"));
        if (w.key->type != FA_K_VIRTUAL)
            rc = fa_fail(e, FA_EINTERNAL, "the draft is no key");
        else if (!(rc = fa_lens_open(l, p->deadline_mono_ms, &w.v, e)))
            rc = try_once(&w);
        fresh = fa_ledger_generation(l) == w.v.generation;
        fa_arena_release(&w.tmp);
        if (rc && !fresh && rc != FA_ETIMEOUT && rc != FA_ECANCELLED && i + 1 < TRIES)
            rc = FA_OK;
    }
done:
    fa_edp_end(&edp);
    fa_catalog_put(draft);
    fa_catalog_put(live);
    fa_tag_set_put(set);
    json_decref(d);
    return rc;
}
