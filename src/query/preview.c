/*
 * preview.c - what a draft of a virtual tag would say, and which rule labelled a cost.
 *
 * The one idea: lines that share everything that is asked (the rule that has them, the rules that would have had them,
 * the draft's and the live version's value) are one class; one scan per slice of days sums classes, and every number of
 * the preview is a sum of those. Nothing is written, and what was evaluated is kept by content like for any question.
 */
#include "query/money.h"

#include <stdlib.h>
#include <string.h>

#define TRIES 5
#define VALUES_SHOWN 500
#define MOVES_SHOWN 200
#define SAMPLE_RULES 20
#define SAMPLE_LINES 3 /* of each */
#define SAMPLE_LOOK 16 /* lines looked at for them */
#define TMP_BYTES ((size_t)4 << 30)

/* Sums of one value, rule or move. */
typedef struct sum {
    fa_i128 cost, live;
    int64_t rows;
} sum;
typedef struct sums {
    sum *at;
    size_t n, cap;
} sums;

typedef struct work {
    fa_ledger *l;
    fa_arena *a, tmp;
    const fa_plan *p;
    fa_money money;
    fa_plan plan;               /* p with its money */
    const fa_key *draft, *live; /* live NULL: there is none */
    fa_lens v;
    fa_codes *text; /* every value, of either */
    sums value;     /* by its code */
    sums rule;      /* by rule; the last: none */
    fa_i128 *shadowed;
    fa_map *by_rule; /* (rule, value) */
    fa_map *by_move; /* (from, to) to its place */
    sums move;
    fa_i128 total;
    int64_t currency; /* code; -1: no money yet */
    fa_codes *currencies;
    fa_try_sample *sample;
    size_t nsample;
    fa_err *e;
} work;

/* One slice: for each line its class; what the classes are of. */
typedef struct slice {
    int32_t from, to;
    uint32_t *line, *rule;
    fa_codes *money, *draft, *live;
    fa_codes *factor;  /* of the plan's discounts; NULL: it has none */
    fa_level level[5]; /* by currency, rule, draft, live (where there is one), factor (the same) */
    fa_level more;     /* classes past `base`: (class, a rule that would have had it) */
    uint32_t base;
} slice;

static bool room(sums *s, size_t at)
{
    if (at >= s->cap) {
        size_t cap = s->cap ? s->cap : 64;
        sum *grown;

        while (cap <= at)
            cap *= 2;
        if (!(grown = realloc(s->at, cap * sizeof *grown)))
            return false;
        memset(grown + s->cap, 0, (cap - s->cap) * sizeof *grown);
        s->at = grown;
        s->cap = cap;
    }
    if (at >= s->n)
        s->n = at + 1;
    return true;
}

/* The place of a pair, made if it is new. */
static bool place_of(fa_map *m, sums *s, uint32_t x, uint32_t y, size_t *at)
{
    uint32_t pair[2] = {x, y};
    fa_str key = {(const char *)pair, sizeof pair};

    return fa_map_add(m, key, s->n, at, NULL) && room(s, *at);
}

static bool note_value(work *w, uint32_t rule, uint32_t value)
{
    uint32_t pair[2] = {rule, value};
    size_t was;

    return fa_map_add(w->by_rule, (fa_str){(const char *)pair, sizeof pair}, 0, &was, NULL);
}

/* ---- classes ---- */

static void close_slice(slice *s)
{
    fa_codes_put(s->money);
    fa_codes_put(s->draft);
    fa_codes_put(s->live);
    fa_codes_put(s->factor);
    for (size_t i = 0; i < FA_COUNT(s->level); i++)
        fa_level_free(&s->level[i]);
    fa_level_free(&s->more);
}

static size_t rules_of(const work *w)
{
    return w->draft->tag->nrule;
}

static fa_rc refine(work *w, slice *s, size_t i, const uint32_t *code, uint32_t ncode)
{
    return fa_refine(code, ncode, w->v.nline, s->line, i ? s->level[i - 1].n : 1, &s->level[i],
                     w->e);
}

/* The rules that would have had a line, one after the other. */
static fa_rc add_shadows(work *w, slice *s)
{
    fa_virtual *t = w->draft->tag;
    fa_pairs o;
    bool ok = fa_pairs_open(&o, UINT32_MAX, (uint32_t)t->nrule + 1);

    for (size_t r = 0; ok && r < t->nrule; r++) {
        fa_sel *sel;
        uint64_t *bits;

        if (!(t->rule[r].from <= w->v.day &&
              (t->rule[r].end == FA_DAY_MAX || w->v.day < t->rule[r].end)))
            continue;
        if (fa_lens_check(&w->v, w->e) || fa_select(&w->v, t->rule[r].when, &sel, w->e)) {
            fa_pairs_close(&o);
            return w->e->rc;
        }
        bits = sel->bits ? sel->bits : calloc((size_t)w->v.nline / 64 + 1, sizeof *bits);
        ok = bits != NULL;
        if (ok && !sel->bits)
            fa_sel_or(sel, bits);
        for (size_t i = 0; ok && i <= w->v.nline / 64; i++)
            for (uint64_t b = bits[i]; ok && b; b &= b - 1) {
                size_t line = i * 64 + (size_t)__builtin_ctzll(b);
                uint32_t at;

                if (s->line[line] == FA_NO_GROUP || s->rule[line] == r)
                    continue;
                ok = fa_pair(&o, &s->more, s->line[line], (uint32_t)r, &at);
                if (ok)
                    s->line[line] = s->base + at;
            }
        if (!sel->bits)
            free(bits);
        fa_sel_put(sel);
    }
    fa_pairs_close(&o);
    return ok ? FA_OK : fa_oom(w->e);
}

static fa_rc make_classes(work *w, slice *s, bool shadows)
{
    const fa_key money = {.expr = fa_str_of(fa_money_expr(w->p))};
    uint32_t nrule = (uint32_t)rules_of(w);
    const fa_lens *v = &w->v;
    size_t last = w->live ? 3 : 2;

    if (fa_select_plan(v, w->p, s->line, w->e) || fa_codes_of(v, &money, &s->money, w->e) ||
        fa_codes_of(v, w->draft, &s->draft, w->e) ||
        fa_virtual_match(v, w->draft->tag, s->rule, w->e) ||
        (w->live && fa_codes_of(v, w->live, &s->live, w->e)) ||
        (w->p->edp && fa_codes_of(v, w->p->edp->factor, &s->factor, w->e)))
        return w->e->rc;
    for (uint32_t i = 0; i < v->nline; i++)
        if (s->rule[i] == FA_NO_RULE)
            s->rule[i] = nrule;
    if (refine(w, s, 0, s->money->code, s->money->n) || refine(w, s, 1, s->rule, nrule + 1) ||
        refine(w, s, 2, s->draft->code, s->draft->n) ||
        (w->live && refine(w, s, 3, s->live->code, s->live->n)) ||
        (s->factor && refine(w, s, ++last, s->factor->code, s->factor->n)))
        return w->e->rc;
    s->base = s->level[last].n;
    return shadows ? add_shadows(w, s) : FA_OK;
}

/* ---- sums ---- */

/* What a scan's groups are in: classes, or lines looked at. */
typedef struct currency_of {
    const slice *s;
    const uint32_t *line; /* NULL: classes */
} currency_of;

static fa_str text_of(const void *user, uint32_t group)
{
    const currency_of *o = user;
    const slice *s = o->s;
    size_t level = (s->live ? 3 : 2) + (s->factor != NULL);

    if (o->line)
        return fa_codes_text(s->money, s->money->code[o->line[group]]);
    while (group >= s->base)
        group = s->more.parent[group - s->base];
    for (; level > 0; level--)
        group = s->level[level].parent[group];
    return fa_codes_text(s->money, s->level[0].code[group]);
}

static fa_rc scan(work *w, const slice *s, const uint32_t *group, uint32_t ngroup,
                  const uint32_t *line, fa_cell **out, size_t *n)
{
    const currency_of of = {s, line};
    fa_scan q = {.from = s->from,
                 .to = s->to,
                 .group = group,
                 .nline = w->v.nline,
                 .measures = 1u << w->p->measure[0].type->measure,
                 .deadline_mono_ms = w->p->deadline_mono_ms};

    return fa_money_scan(w->l, w->p, &w->tmp, &q, ngroup, text_of, &of, out, n, w->e);
}

static fa_rc check_money(work *w, const slice *s, uint32_t code, fa_i128 cost)
{
    uint32_t own;

    if (cost == 0 || w->p->measure[0].type->is_usage || fa_money_on(w->p))
        return FA_OK;
    if (!fa_codes_add(w->currencies, fa_codes_text(s->money, code), &own))
        return fa_oom(w->e);
    if (w->currency < 0)
        w->currency = own;
    if (w->currency == own)
        return FA_OK;
    return fa_money_mixed(fa_codes_text(w->currencies, (uint32_t)w->currency),
                          fa_codes_text(w->currencies, own), "the preview", w->e);
}

static fa_rc add_class(work *w, const slice *s, const fa_cell *cell)
{
    fa_measure m = w->p->measure[0].type->measure;
    fa_i128 cost = cell->sum[m];
    uint32_t at = cell->group, rule, draft, live = 0;
    size_t place, last = w->live ? 4 : 3;

    if (s->factor) {
        for (; at >= s->base;)
            at = s->more.parent[at - s->base];
        cost = fa_edp_times(w->p, m, cost,
                            fa_edp_factor(fa_codes_text(s->factor, s->level[last].code[at])));
        at = cell->group;
    }
    for (; at >= s->base; at = s->more.parent[at - s->base])
        w->shadowed[s->more.code[at - s->base]] += cost;
    if (s->factor)
        at = s->level[last].parent[at];
    if (w->live) {
        live = s->level[3].code[at];
        at = s->level[3].parent[at];
        if (!fa_codes_add(w->text, fa_codes_text(s->live, live), &live) || !room(&w->value, live))
            return fa_oom(w->e);
        w->value.at[live].live += cost;
    }
    if (!fa_codes_add(w->text, fa_codes_text(s->draft, s->level[2].code[at]), &draft) ||
        !room(&w->value, draft))
        return fa_oom(w->e);
    at = s->level[2].parent[at];
    rule = s->level[1].code[at];
    at = s->level[1].parent[at];
    if (check_money(w, s, s->level[0].code[at], cost))
        return w->e->rc;
    w->total += cost;
    w->value.at[draft].cost += cost;
    w->value.at[draft].rows += cell->rows;
    if (!room(&w->rule, rule) || !note_value(w, rule, draft))
        return fa_oom(w->e);
    w->rule.at[rule].cost += cost;
    w->rule.at[rule].rows += cell->rows;
    if (w->live && live != draft) {
        if (!place_of(w->by_move, &w->move, live, draft, &place))
            return fa_oom(w->e);
        w->move.at[place].cost += cost;
    }
    return FA_OK;
}

/* ---- samples: some lines of each rule, with their costs in the newest slice ---- */

typedef struct looks {
    fa_try_sample *s;
    uint32_t *line;
    size_t n;
} looks;

static fa_rc choose_lines(work *w, const slice *s, const uint32_t *line, looks *o)
{
    size_t nrule = rules_of(w) + 1, room_for = SAMPLE_RULES * SAMPLE_LOOK;
    uint32_t *taken = fa_arena_array(&w->tmp, nrule, sizeof *taken);
    uint32_t *group = fa_arena_array(&w->tmp, (size_t)w->v.nline + 1, sizeof *group);
    fa_sel *live;
    uint64_t *bits;
    fa_cell *cell;
    size_t n, rules = 0;

    o->s = fa_arena_array(&w->tmp, room_for, sizeof *o->s);
    o->line = fa_arena_array(&w->tmp, room_for, sizeof *o->line);
    bits = fa_arena_array(&w->tmp, (size_t)w->v.nline / 64 + 1, sizeof *bits);
    if (!taken || !group || !o->s || !o->line || !bits)
        return fa_oom(w->e);
    if (fa_live(&w->v, FA_DAY_MIN, FA_DAY_MAX, &live, w->e))
        return w->e->rc;
    fa_sel_or(live, bits);
    fa_sel_put(live);
    memset(group, 0xff, (size_t)w->v.nline * sizeof *group);
    for (uint32_t i = 0; i < w->v.nline && o->n < room_for; i++) {
        uint32_t r = s->rule[i];

        if (line[i] == FA_NO_GROUP || taken[r] == SAMPLE_LOOK || !(bits[i >> 6] >> (i & 63) & 1) ||
            (!taken[r] && rules == SAMPLE_RULES))
            continue;
        rules += !taken[r]++;
        group[i] = (uint32_t)o->n;
        o->line[o->n] = i;
        o->s[o->n++] = (fa_try_sample){
            .rule = r + 1 == nrule ? FA_NO_RULE : r,
            .value = fa_arena_dup(w->a, fa_codes_text(s->draft, s->draft->code[i]))};
    }
    if (scan(w, s, group, (uint32_t)o->n, o->line, &cell, &n))
        return w->e->rc;
    for (size_t i = 0; i < n; i++) {
        fa_measure m = w->p->measure[0].type->measure;
        fa_i128 cost = cell[i].sum[m];

        if (s->factor)
            cost = fa_edp_times(
                w->p, m, cost,
                fa_edp_factor(fa_codes_text(s->factor, s->factor->code[o->line[cell[i].group]])));
        o->s[cell[i].group].cost_e10 = fa_dec_round(cost, 10);
    }
    return FA_OK;
}

static int by_sample(const void *x, const void *y)
{
    const fa_try_sample *p = x, *q = y;

    if (p->rule != q->rule)
        return p->rule < q->rule ? -1 : 1;
    if (p->cost_e10 != q->cost_e10)
        return p->cost_e10 > q->cost_e10 ? -1 : 1;
    return fa_str_cmp(p->resource, q->resource);
}

static fa_rc take_samples(work *w, const slice *s, const uint32_t *line)
{
    static const fa_key keys[] = {{.expr = {"CostCenter", 10}},
                                  {.expr = {"coalesce(SubAccountName, SubAccountId)", 38}},
                                  {.expr = {"ServiceName", 11}},
                                  {.expr = {"RegionId", 8}},
                                  {.expr = {"ResourceId", 10}}};
    fa_codes *col[FA_COUNT(keys)] = {NULL};
    looks o = {0};
    size_t run = 0;
    fa_rc rc = choose_lines(w, s, line, &o);

    for (size_t i = 0; i < FA_COUNT(keys) && !rc; i++) {
        rc = fa_codes_of(&w->v, &keys[i], &col[i], w->e);
        for (size_t k = 0; k < o.n && !rc; k++) {
            fa_str *to[] = {&o.s[k].cost_center, &o.s[k].account, &o.s[k].service, &o.s[k].region,
                            &o.s[k].resource};

            *to[i] = fa_arena_dup(w->a, fa_codes_text(col[i], col[i]->code[o.line[k]]));
            if (!to[i]->p)
                rc = fa_oom(w->e);
        }
    }
    for (size_t i = 0; i < FA_COUNT(keys); i++)
        fa_codes_put(col[i]);
    if (rc)
        return rc;
    if (o.n)
        qsort(o.s, o.n, sizeof *o.s, by_sample);
    w->sample = fa_arena_array(w->a, o.n + 1, sizeof *w->sample);
    if (!w->sample)
        return fa_oom(w->e);
    for (size_t i = 0; i < o.n; i++) {
        run = i && o.s[i].rule == o.s[i - 1].rule ? run + 1 : 0;
        if (run < SAMPLE_LINES && o.s[i].cost_e10 != 0)
            w->sample[w->nsample++] = o.s[i];
    }
    return FA_OK;
}

/* ---- over the slices ---- */

static fa_rc add_slice(work *w, int32_t from, int32_t to, bool shadows, bool samples)
{
    slice s = {.from = from, .to = to};
    size_t n = (size_t)w->v.nline + 1, ncell;
    fa_cell *cell;
    fa_rc rc;

    w->v.day = from;
    s.line = malloc(n * sizeof *s.line);
    s.rule = malloc(n * sizeof *s.rule);
    rc = s.line && s.rule ? make_classes(w, &s, shadows) : fa_oom(w->e);
    if (!rc)
        rc = scan(w, &s, s.line, s.base + s.more.n, NULL, &cell, &ncell);
    for (size_t i = 0; !rc && i < ncell; i++)
        rc = add_class(w, &s, &cell[i]);
    if (!rc && samples)
        rc = take_samples(w, &s, s.line);
    close_slice(&s);
    free(s.line);
    free(s.rule);
    return rc;
}

static fa_rc add_slices(work *w, bool preview)
{
    fa_plan both = {.filter = w->p->filter,
                    .scope = w->p->scope,
                    .nmeasure = 1,
                    .ndim = 1,
                    .money = w->p->money,
                    .edp = w->p->edp};
    int32_t to = w->p->range.to;
    fa_days d;
    fa_digest id;
    fa_rc rc;

    both.measure[0] = w->p->measure[0];
    both.dim[0] = w->draft;
    if (w->live)
        both.dim[both.ndim++] = w->live;
    rc = fa_days_of(&w->v, &both, w->p->range.from, to, &d, &id, w->e);
    for (size_t i = 0; !rc && i < d.n; i++)
        rc = add_slice(w, d.from[i], i + 1 < d.n ? d.from[i + 1] - 1 : to, preview,
                       preview && i + 1 == d.n);
    fa_days_free(&d);
    return rc;
}

static fa_rc open_work(work *w)
{
    fa_arena_init(&w->tmp, TMP_BYTES);
    w->plan = *w->p;
    if (fa_money_open(w->l, &w->tmp, &w->plan, &w->money, w->e))
        return w->e->rc;
    w->plan.money = &w->money;
    w->p = &w->plan;
    w->text = fa_codes_new(0);
    w->currencies = fa_codes_new(0);
    w->by_rule = fa_map_new();
    w->by_move = fa_map_new();
    w->currency = -1;
    if (!w->text || !w->currencies || !w->by_rule || !w->by_move)
        return fa_oom(w->e);
    if (fa_virtual_ready(w->draft->tag, w->e))
        return w->e->rc;
    w->shadowed = fa_arena_array(&w->tmp, rules_of(w) + 1, sizeof *w->shadowed);
    if (!w->shadowed || !room(&w->rule, rules_of(w)))
        return fa_oom(w->e);
    return FA_OK;
}

static void close_work(work *w)
{
    fa_money_close(&w->money);
    fa_codes_put(w->text);
    fa_codes_put(w->currencies);
    fa_map_free(w->by_rule);
    fa_map_free(w->by_move);
    free(w->value.at);
    free(w->rule.at);
    free(w->move.at);
    fa_arena_release(&w->tmp);
}

/* ---- the preview's numbers ---- */

static int by_cost(const void *x, const void *y)
{
    const fa_try_value *p = x, *q = y;

    if (p->cost_e10 != q->cost_e10)
        return p->cost_e10 > q->cost_e10 ? -1 : 1;
    return fa_str_cmp(p->value, q->value);
}

/* costs[] of exact sums becomes rounded ones that add up to the total. */
static fa_rc round_sums(work *w, const sums *s, bool live, fa_i128 **out)
{
    fa_i128 *x = fa_arena_array(&w->tmp, s->n + 1, sizeof *x);

    if (!x)
        return fa_oom(w->e);
    for (size_t i = 0; i < s->n; i++)
        x[i] = live ? s->at[i].live : s->at[i].cost;
    *out = x;
    return fa_round_parts(&w->tmp, x, s->n, fa_dec_round(w->total, 10), w->e);
}

static fa_rc put_values(work *w, fa_try_preview *out)
{
    fa_i128 *cost, *live = NULL;

    if (round_sums(w, &w->value, false, &cost) ||
        (w->live && round_sums(w, &w->value, true, &live)))
        return w->e->rc;
    out->value = fa_arena_array(w->a, w->value.n + 1, sizeof *out->value);
    if (!out->value)
        return fa_oom(w->e);
    for (size_t i = 1; i < w->value.n; i++) { /* 0 is no value, which a tag never has */
        fa_try_value *v = &out->value[out->nvalue];

        if (!w->value.at[i].rows && !w->value.at[i].live)
            continue;
        *v = (fa_try_value){.value = fa_arena_dup(w->a, fa_codes_text(w->text, (uint32_t)i)),
                            .cost_e10 = cost[i],
                            .live_e10 = live ? live[i] : 0,
                            .rows = w->value.at[i].rows};
        if (!v->value.p)
            return fa_oom(w->e);
        out->nvalue++;
    }
    if (out->nvalue)
        qsort(out->value, out->nvalue, sizeof *out->value, by_cost);
    out->nvalue_all = out->nvalue;
    if (out->nvalue > VALUES_SHOWN)
        out->nvalue = VALUES_SHOWN;
    return FA_OK;
}

static fa_rc put_uses(work *w, fa_try_preview *out)
{
    size_t n = rules_of(w), cursor = 0, at;
    fa_i128 *cost;
    fa_str key;

    if (round_sums(w, &w->rule, false, &cost))
        return w->e->rc;
    out->use = fa_arena_array(w->a, n + 1, sizeof *out->use);
    if (!out->use)
        return fa_oom(w->e);
    out->nuse = n;
    for (size_t i = 0; i < n; i++)
        out->use[i] = (fa_try_use){.matched_e10 = cost[i],
                                   .shadowed_e10 = fa_dec_round(w->shadowed[i], 10),
                                   .rows = w->rule.at[i].rows,
                                   .is_dead = w->rule.at[i].rows == 0};
    out->unmatched_e10 = cost[n];
    while (fa_map_next(w->by_rule, &cursor, &key, &at)) {
        uint32_t pair[2];

        memcpy(pair, key.p, sizeof pair);
        if (pair[0] < n)
            out->use[pair[0]].nvalue++;
    }
    return FA_OK;
}

static int by_move(const void *x, const void *y)
{
    const fa_try_move *p = x, *q = y;
    fa_i128 a = p->cost_e10 < 0 ? -p->cost_e10 : p->cost_e10,
            b = q->cost_e10 < 0 ? -q->cost_e10 : q->cost_e10;
    int c;

    if (a != b)
        return a > b ? -1 : 1;
    c = fa_str_cmp(p->from, q->from);
    return c ? c : fa_str_cmp(p->to, q->to);
}

static fa_rc put_moves(work *w, fa_try_preview *out)
{
    size_t cursor = 0, at;
    fa_str key;

    out->move = fa_arena_array(w->a, w->move.n + 1, sizeof *out->move);
    if (!out->move)
        return fa_oom(w->e);
    while (fa_map_next(w->by_move, &cursor, &key, &at)) {
        fa_try_move *m = &out->move[out->nmove];
        uint32_t pair[2];

        memcpy(pair, key.p, sizeof pair);
        *m = (fa_try_move){.from = fa_arena_dup(w->a, fa_codes_text(w->text, pair[0])),
                           .to = fa_arena_dup(w->a, fa_codes_text(w->text, pair[1])),
                           .cost_e10 = fa_dec_round(w->move.at[at].cost, 10)};
        if (!m->from.p || !m->to.p)
            return fa_oom(w->e);
        out->nmove += m->cost_e10 != 0;
    }
    if (out->nmove)
        qsort(out->move, out->nmove, sizeof *out->move, by_move);
    out->nmove_all = out->nmove;
    if (out->nmove > MOVES_SHOWN)
        out->nmove = MOVES_SHOWN;
    return FA_OK;
}

static fa_rc put_preview(work *w, fa_try_preview *out)
{
    *out = (fa_try_preview){.range = w->p->range,
                            .has_live = w->live != NULL,
                            .total_e10 = fa_dec_round(w->total, 10),
                            .sample = w->sample,
                            .nsample = w->nsample};
    if (fa_money_on(w->p))
        out->currency = w->money.target;
    else if (w->currency >= 0)
        out->currency = fa_codes_text(w->currencies, (uint32_t)w->currency);
    out->currency = fa_arena_dup(w->a, out->currency);
    if (!out->currency.p)
        return fa_oom(w->e);
    if (put_values(w, out) || put_uses(w, out))
        return w->e->rc;
    return put_moves(w, out);
}

/* ---- the draft's key ---- */

static bool give_id(json_t *o)
{
    char id[37];

    if (!json_is_object(o) || json_string_length(json_object_get(o, "id")))
        return true;
    fa_uuid_v4(id);
    return json_object_set_new(o, "id", json_string(id)) == 0;
}

/* The document with what a new tag lacks. */
json_t *fa_draft_complete(const json_t *document)
{
    json_t *d = json_is_object(document) ? json_deep_copy(document) : NULL;
    const char *name = json_string_value(json_object_get(d, "name"));
    json_t *parts = json_object_get(json_object_get(d, "relation"), "outputs");
    bool ok = d && give_id(d);

    if (!parts)
        parts = json_object_get(json_object_get(d, "hierarchy"), "levels");
    for (size_t i = 0; ok && i < json_array_size(parts); i++)
        ok = give_id(json_array_get(parts, i));
    if (ok && (!name || fa_str_trim(fa_str_of(name)).n == 0))
        ok = json_object_set_new(d, "name", json_string("Draft")) == 0;
    if (ok)
        return d;
    json_decref(d);
    return NULL;
}

/* The id of the document's key that is asked for. */
fa_str fa_draft_key(const json_t *d, fa_str key)
{
    const json_t *list = json_object_get(json_object_get(d, "relation"), "outputs");
    const json_t *id;

    if (!list)
        list = json_object_get(json_object_get(d, "hierarchy"), "levels");
    if (key.n)
        return key;
    id = json_object_get(list ? json_array_get(list, 0) : d, "id");
    return (fa_str){json_string_value(id), json_string_length(id)};
}

static const fa_key *tag_key(const fa_catalog *c, fa_str id)
{
    size_t n;
    const fa_key *k = fa_catalog_keys(c, &n);

    for (size_t i = 0; i < n; i++)
        if (k[i].type == FA_K_VIRTUAL && fa_str_eq(k[i].key, id))
            return &k[i];
    return NULL;
}

static fa_rc try_once(work *w, const fa_catalog *live, const fa_catalog *draft, fa_str id,
                      fa_try_preview *out)
{
    w->live = tag_key(live, id);
    w->draft = tag_key(draft, id);
    if (!w->draft) {
        (void)fa_fail(w->e, FA_EINVAL, "the document has no such key");
        return fa_at(w->e, "key");
    }
    if (open_work(w) || add_slices(w, true))
        return w->e->rc;
    return put_preview(w, out);
}

static fa_rc try_plan(fa_ledger *l, fa_arena *a, const fa_catalog *live, const json_t *document,
                      fa_str key, const fa_plan *p, fa_try_preview *out, fa_err *e)
{
    json_t *d = fa_draft_complete(document);
    fa_catalog *draft = NULL;
    fa_tag_set *set = NULL;
    bool fresh = false;
    fa_rc rc = FA_OK;

    if (!d)
        return json_is_object(document) ? fa_oom(e)
                                        : fa_fail(e, FA_EINVAL, "the document must be an object");
    if (p->nmeasure != 1 || p->measure[0].agg != FA_AGG_SUM || p->measure[0].type->is_usage) {
        rc = fa_fail(e, FA_EINVAL, "a preview counts a cost, not usage");
        (void)fa_at(e, "costType");
    }
    if (rc || (rc = fa_tag_set_with(live->tags, d, &set, e)) ||
        (rc = fa_catalog_with(l, set, &draft, e)) ||
        (rc = fa_tag_check(draft, FA_API_INTERNAL, d, e)))
        goto done;
    for (int i = 0; i < TRIES && !rc && !fresh; i++) {
        work w = {.l = l, .a = a, .p = p, .e = e};

        if (!(rc = fa_lens_open(l, p->deadline_mono_ms, &w.v, e)))
            rc = try_once(&w, live, draft, fa_draft_key(d, key), out);
        fresh = fa_ledger_generation(l) == w.v.generation;
        close_work(&w);
        if (rc && !fresh && rc != FA_ETIMEOUT && rc != FA_ECANCELLED && i + 1 < TRIES)
            rc = FA_OK;
    }
done:
    fa_catalog_put(draft);
    fa_tag_set_put(set);
    json_decref(d);
    return rc;
}

/* The same discounts as every question's (edp.c). */
fa_rc fa_tag_try(fa_ledger *l, fa_arena *a, const fa_catalog *live, const json_t *document,
                 fa_str key, const fa_plan *p, fa_try_preview *out, fa_err *e)
{
    fa_plan q = *p;
    fa_edp edp;
    fa_rc rc = fa_edp_begin(l, p, &edp, e);

    q.edp = edp.factor ? &edp : NULL;
    if (!rc)
        rc = try_plan(l, a, live, document, key, &q, out, e);
    fa_edp_end(&edp);
    return rc;
}

/* ---- which rule it was ---- */

static int by_cause(const void *x, const void *y)
{
    const fa_try_cause *p = x, *q = y;

    if (p->cost_e10 != q->cost_e10)
        return p->cost_e10 > q->cost_e10 ? -1 : 1;
    return p->rule < q->rule ? -1 : p->rule > q->rule;
}

static fa_rc put_causes(work *w, fa_try_cause **out, size_t *n)
{
    const fa_tag *tag = w->draft->tag->tag;
    fa_try_cause *c = fa_arena_array(w->a, w->rule.n + 1, sizeof *c);
    fa_i128 *cost;

    if (!c)
        return fa_oom(w->e);
    if (round_sums(w, &w->rule, false, &cost))
        return w->e->rc;
    for (size_t i = 0; i < w->rule.n; i++) {
        bool is_default = i == rules_of(w);

        if (!w->rule.at[i].rows)
            continue;
        c[(*n)++] = (fa_try_cause){.rule = is_default ? FA_NO_RULE : (uint32_t)i,
                                   .to = !is_default                      ? &tag->rule[i].to
                                         : tag->kind == FA_TAG_DICTIONARY ? NULL
                                                                          : &tag->dflt,
                                   .cost_e10 = cost[i],
                                   .rows = w->rule.at[i].rows};
    }
    if (*n)
        qsort(c, *n, sizeof *c, by_cause);
    *out = c;
    return FA_OK;
}

fa_rc fa_tag_explain(fa_ledger *l, fa_arena *a, const fa_key *tag, const fa_plan *p,
                     fa_try_cause **out, size_t *n, fa_err *e)
{
    bool fresh = false;
    fa_plan q = *p;
    fa_edp edp;
    fa_rc rc;

    *out = NULL;
    *n = 0;
    if (tag->type != FA_K_VIRTUAL)
        return fa_fail(e, FA_EINVAL, "the key is no virtual tag");
    rc = fa_edp_begin(l, p, &edp, e);
    q.edp = edp.factor ? &edp : NULL;
    for (int i = 0; i < TRIES && !rc && !fresh; i++) {
        work w = {.l = l, .a = a, .p = &q, .draft = tag, .e = e};

        *n = 0;
        if (!(rc = fa_lens_open(l, p->deadline_mono_ms, &w.v, e)) && !(rc = open_work(&w)) &&
            !(rc = add_slices(&w, false)))
            rc = put_causes(&w, out, n);
        fresh = fa_ledger_generation(l) == w.v.generation;
        close_work(&w);
        if (rc && !fresh && rc != FA_ETIMEOUT && rc != FA_ECANCELLED && i + 1 < TRIES)
            rc = FA_OK;
    }
    fa_edp_end(&edp);
    return rc;
}
