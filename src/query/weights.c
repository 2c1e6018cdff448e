/*
 * weights.c - ratios by day: from telemetry, from what values cost, from a list, from percentages.
 *
 * The one idea: whatever a strategy weighs by, it becomes records (group, day, target, amount), and records become
 * blocks: the ratio of one group on one day, in order of the targets' texts. A split then only looks a block up.
 */
#include "query/reallocate.h"

#include <stdlib.h>
#include <string.h>

/* ---- records ---- */

fa_rc rl_records_add(rl_records *o, fa_str group, int32_t day, uint32_t target,
                     const fa_i128 *amount, fa_err *e)
{
    rl_record *r;

    if (o->n == o->cap) {
        size_t cap = o->cap ? o->cap * 2 : 256;
        rl_record *more = fa_arena_array(o->a, cap, sizeof *more);

        if (!more)
            return fa_oom(e);
        if (o->n)
            memcpy(more, o->r, o->n * sizeof *more);
        o->r = more;
        o->cap = cap;
    }
    if (!o->group && !(o->group = fa_codes_new(0)))
        return fa_oom(e);
    r = &o->r[o->n];
    *r = (rl_record){.day = day, .target = target};
    memcpy(r->amount, amount, (o->measures ? FA_M__COUNT : 1) * sizeof *amount);
    if (!fa_codes_add(o->group, group, &r->group))
        return fa_oom(e);
    o->n++;
    return FA_OK;
}

/* ---- blocks ---- */

typedef struct order {
    const fa_codes *texts;
    uint32_t *rank; /* of a code among the texts by bytes */
} order;

static int by_text(const void *x, const void *y, void *user)
{
    const order *o = user;

    return fa_str_cmp(fa_codes_text(o->texts, *(const uint32_t *)x),
                      fa_codes_text(o->texts, *(const uint32_t *)y));
}

static int by_place(const void *x, const void *y, void *user)
{
    const rl_record *p = x, *q = y;
    const uint32_t *rank = ((const order *)user)->rank;

    if (p->group != q->group)
        return p->group < q->group ? -1 : 1;
    if (p->day != q->day)
        return p->day < q->day ? -1 : 1;
    return (rank[p->target] > rank[q->target]) - (rank[p->target] < rank[q->target]);
}

static fa_rc sort_records(rl_records *o, const fa_codes *texts, fa_err *e)
{
    order by = {.texts = texts};
    uint32_t *code = fa_arena_array(o->a, texts->n, sizeof *code);

    by.rank = fa_arena_array(o->a, texts->n, sizeof *by.rank);
    if (!code || !by.rank)
        return fa_oom(e);
    for (uint32_t i = 0; i < texts->n; i++)
        code[i] = i;
    qsort_r(code, texts->n, sizeof *code, by_text, &by);
    for (uint32_t i = 0; i < texts->n; i++)
        by.rank[code[i]] = i;
    if (o->n)
        qsort_r(o->r, o->n, sizeof *o->r, by_place, &by);
    return FA_OK;
}

static fa_u128 divisor_of(fa_u128 a, fa_u128 b)
{
    while (b) {
        fa_u128 rest = a % b;

        a = b;
        b = rest;
    }
    return a;
}

/* Makes weights as small as their ratio allows. false: all are 0. *unit: what 1 stands for. Those that are costs
 * have no large divisor and stay as they are. */
static bool reduce(fa_i128 *w, size_t n, bool costs, fa_i128 *unit, bool *huge)
{
    fa_u128 d = 0, sum = 0;

    for (size_t i = 0; i < n; i++)
        d = costs ? (d || w[i]) : divisor_of((fa_u128)w[i], d);
    *unit = (fa_i128)d;
    for (size_t i = 0; d && i < n; i++) {
        w[i] /= (fa_i128)d;
        sum += (fa_u128)w[i];
        *huge |= sum >> 126 != 0;
    }
    return d != 0;
}

/* The records [i, k) of one group and day. A block without any weight is left out. */
static fa_rc make_block(const rl_records *o, size_t i, size_t k, rl_weights *out, fa_err *e)
{
    rl_block *b = &out->block[out->n];
    uint32_t *target = fa_arena_array(o->a, k - i, sizeof *target), n = 0;
    size_t nm = o->measures ? FA_M__COUNT : 1;
    bool any = false, huge = false;

    if (!target)
        return fa_oom(e);
    *b = (rl_block){.group = o->r[i].group, .day = o->r[i].day};
    for (size_t r = i; r < k; r++)
        if (r == i || o->r[r].target != o->r[r - 1].target)
            target[n++] = o->r[r].target;
    for (size_t m = 0; m < nm; m++) {
        fa_i128 *w, unit;
        size_t at = 0;

        if (o->measures && !(o->measures >> m & 1))
            continue;
        w = fa_arena_array(o->a, n, sizeof *w);
        if (!w)
            return fa_oom(e);
        for (size_t r = i; r < k; r++) {
            at += r > i && o->r[r].target != o->r[r - 1].target;
            w[at] += o->r[r].amount[m];
        }
        for (size_t t = 0; t < n; t++)
            w[t] = w[t] > 0 ? w[t] : 0;
        if (!reduce(w, n, o->measures != 0, &unit, &huge))
            continue;
        any = true;
        b->r.w[m] = w;
        b->r.unit_e18 = o->is_metric ? unit : 0;
    }
    if (huge)
        return fa_fail(e, FA_EDATA, "the weights of a reallocation are too large to divide by");
    for (size_t m = 1; !o->measures && m < FA_M__COUNT; m++)
        b->r.w[m] = b->r.w[0];
    b->r.n = n;
    b->r.target = target;
    b->r.day = b->day;
    out->n += any;
    return FA_OK;
}

fa_rc rl_weights_make(rl_records *o, const fa_codes *texts, int carry, rl_weights *out, fa_err *e)
{
    size_t ngroup;

    if (!o->group && !(o->group = fa_codes_new(0)))
        return fa_oom(e);
    *out = (rl_weights){.group = o->group, .carry = carry};
    o->group = NULL;
    ngroup = out->group->n;
    out->block = fa_arena_array(o->a, o->n + 1, sizeof *out->block);
    out->first = fa_arena_array(o->a, ngroup + 1, sizeof *out->first);
    if (!out->block || !out->first)
        return fa_oom(e);
    if (sort_records(o, texts, e))
        return e->rc;
    for (size_t i = 0, k; i < o->n; i = k) {
        for (k = i + 1; k < o->n && o->r[k].group == o->r[i].group && o->r[k].day == o->r[i].day;)
            k++;
        if (make_block(o, i, k, out, e))
            return e->rc;
    }
    for (size_t b = 0, g = 0; g <= ngroup; g++) {
        while (b < out->n && out->block[b].group < g)
            b++;
        out->first[g] = b;
    }
    return FA_OK;
}

/* The last block not after the day, if it is not too old; a ratio of no day is good for each. */
const rl_block *rl_weights_find(const rl_weights *w, fa_str group, int32_t day)
{
    uint32_t g = group.n ? fa_codes_find(w->group, group) : 0;
    size_t lo, hi;

    if (g == UINT32_MAX || !w->block)
        return NULL;
    lo = w->first[g];
    hi = w->first[g + 1];
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (w->block[mid].day <= day)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (lo == w->first[g])
        return NULL;
    lo--;
    if (w->block[lo].day != RL_ANY_DAY && day - w->block[lo].day > w->carry)
        return NULL;
    return &w->block[lo];
}

/* ---- what an entry may move to ---- */

/* Values that were moved by an earlier entry are no targets of a later one (inform.md 7.7). */
static bool is_target(const rl_slot *s, size_t entry, uint32_t code)
{
    if (code == 0 || code == s->entry[entry].source)
        return false;
    for (size_t i = 0; i < entry; i++)
        if (s->entry[i].source == code)
            return false;
    return true;
}

static bool is_listed(const fa_allocation *a, fa_str text)
{
    for (size_t i = 0; i < a->ntarget; i++)
        if (fa_str_eq(a->target[i], text))
            return true;
    return false;
}

static fa_rc code_of(rl_program *g, rl_slot *s, fa_str text, uint32_t *code)
{
    return fa_codes_add(s->text, text, code) ? FA_OK : fa_oom(g->e);
}

static fa_rc even_list(rl_program *g, rl_slot *s, const fa_allocation *a, rl_records *o)
{
    const fa_i128 one = 1;

    for (size_t i = 0; i < a->ntarget; i++) {
        uint32_t code;
        bool again = false;

        for (size_t k = 0; k < i; k++)
            again |= fa_str_eq(a->target[k], a->target[i]);
        if (again)
            continue;
        if (code_of(g, s, a->target[i], &code) ||
            rl_records_add(o, FA_STR(""), RL_ANY_DAY, code, &one, g->e))
            return g->e->rc;
    }
    return FA_OK;
}

/* Percentages with days of their own are a ratio for each day; what is left of 100 % stays. */
static fa_rc fixed_day(rl_program *g, rl_slot *s, const fa_allocation *a, uint32_t source,
                       int32_t day, rl_records *o)
{
    fa_i128 rest = 100 * (fa_i128)1000000000;
    bool any = false;
    uint32_t code;

    for (size_t i = 0; i < a->nshare; i++) {
        const fa_alloc_share *p = &a->share[i];
        fa_i128 w = p->percent_e9;

        if (day != RL_ANY_DAY && (day < p->from || day > p->to))
            continue;
        any = true;
        rest -= w;
        if (code_of(g, s, p->target, &code) || rl_records_add(o, FA_STR(""), day, code, &w, g->e))
            return g->e->rc;
    }
    if (any && rest > 0 && rl_records_add(o, FA_STR(""), day, source, &rest, g->e))
        return g->e->rc;
    return FA_OK;
}

static fa_rc fixed(rl_program *g, rl_slot *s, const fa_allocation *a, uint32_t source,
                   rl_records *o)
{
    bool timed = false;

    for (size_t i = 0; i < a->nshare; i++)
        timed |= a->share[i].from != FA_DAY_MIN || a->share[i].to != FA_DAY_MAX;
    if (!timed)
        return fixed_day(g, s, a, source, RL_ANY_DAY, o);
    for (int32_t day = g->from; day <= g->to; day++)
        if (fixed_day(g, s, a, source, day, o))
            return g->e->rc;
    return FA_OK;
}

/* ---- by what values cost ---- */

/* The measurements to weigh by: those asked for, and the account's default in place of usage. */
static fa_rc cost_measures(rl_program *g, fa_plan *q)
{
    fa_account account;
    const fa_cost_type *dflt = NULL;

    q->nmeasure = 0;
    for (size_t i = 0; i < g->p->nmeasure; i++) {
        const fa_cost_type *t = g->p->measure[i].type;
        bool known = false;

        if (t->is_usage && !dflt &&
            (fa_account_first(fa_ledger_store(g->v.l), g->a, &account, g->e) ||
             fa_cost_type_find(account.default_cost_type, fa_ledger_fair(g->v.l), &dflt, g->e)))
            return g->e->rc;
        t = t->is_usage ? dflt : t;
        for (size_t k = 0; k < q->nmeasure; k++)
            known |= q->measure[k].type->measure == t->measure;
        if (!known)
            q->measure[q->nmeasure++] = (fa_measurement){t, FA_AGG_SUM};
    }
    return FA_OK;
}

static size_t measured_at(const fa_plan *q, fa_measure m)
{
    for (size_t i = 0; i < q->nmeasure; i++)
        if (q->measure[i].type->measure == m)
            return i;
    return 0; /* usage: of the default, which comes in its place */
}

/* One bucket for each day. */
static fa_rc day_buckets(fa_arena *a, int32_t from, int32_t to, fa_buckets *k, fa_err *e)
{
    size_t n = (size_t)((int64_t)to - from + 1);
    uint32_t *of_day = fa_arena_array(a, n, sizeof *of_day);

    if (!of_day)
        return fa_oom(e);
    for (size_t i = 0; i < n; i++)
        of_day[i] = (uint32_t)i;
    *k = (fa_buckets){from, to, FA_DAY, n, of_day};
    return FA_OK;
}

/* The cells of another question, of the whole account, on each day of [from,to]. */
static fa_rc ask(rl_program *g, const fa_plan *q, const fa_tag *subject, const fa_tag *limited,
                 size_t limit, const char *why, rl_out *o)
{
    rl_program about = {.v = g->v,
                        .cat = g->cat,
                        .set = g->set,
                        .p = q,
                        .limited = limited,
                        .limit = limit,
                        .asker = g,
                        .subject = subject,
                        .why = why,
                        .e = g->e};
    fa_buckets k;

    if (day_buckets(g->a, q->range.from, q->range.to, &k, g->e) || rl_begin(o, q, g->e))
        return g->e->rc;
    return rl_run(&about, g->a, &k, false, false, o);
}

/* What the tag's values cost each day before this entry, by currency. */
static fa_rc cost_records(rl_program *g, rl_slot *s, size_t entry, const fa_key *key, rl_records *o)
{
    const fa_allocation *a = s->entry[entry].a;
    bool even = a->kind == FA_ALLOC_EVEN;
    fa_plan q = {.range = {.from = g->from, .to = g->to, .unit = FA_DAY},
                 .bucket = FA_DAY,
                 .dim = {key},
                 .ndim = 1,
                 .deadline_mono_ms = g->p->deadline_mono_ms,
                 .money = g->p->money,
                 .edp = g->p->edp};
    rl_out cells = {0};
    fa_rc rc = FA_OK;

    if (a->basis &&
        fa_filter_stored(g->cat, g->a, a->basis, "allocations.data.filters", &q.filter, g->e))
        return g->e->rc;
    if (cost_measures(g, &q))
        return g->e->rc;
    /* even: whoever has cost when the entry's turn comes; proportional: what is a value's own */
    rc = ask(g, &q, s->tag, s->tag, even ? entry : 0, "what its values cost", &cells);
    for (size_t i = 0; !rc && i < cells.nnow; i++) {
        const rl_cell *c = &cells.now[i];
        fa_str value = fa_groups_text(cells.g, c->group, 0);
        fa_str currency = fa_money_on(&q) ? (fa_str){"", 0}
                                          : fa_groups_text(cells.g, c->group, cells.g->ntext - 1);
        fa_i128 w[FA_M__COUNT];
        uint32_t code;

        if (a->ntarget && !is_listed(a, value))
            continue;
        /* the default is known by its code: texts move when one is added */
        if ((rc = code_of(g, s, value, &code)) || (!a->ntarget && code == s->dflt_code) ||
            !is_target(s, entry, code))
            continue;
        for (int m = 0; m < FA_M__COUNT; m++) {
            w[m] = c->stat[measured_at(&q, (fa_measure)m)].sum;
            w[m] = even ? w[m] != 0 : w[m];
        }
        rc = rl_records_add(o, currency, g->from + (int32_t)c->bucket, code, w, g->e);
    }
    fa_groups_put(cells.g);
    return rc;
}

/* ---- telemetry ---- */

static fa_rc field_at(rl_program *g, const fa_telemetry *t, fa_str name, size_t *at)
{
    if (!name.n || fa_str_eq(name, t->field)) {
        *at = 0;
        return FA_OK;
    }
    for (size_t i = 0; i < t->nadditional; i++)
        if (fa_str_eq(name, t->additional[i])) {
            *at = i + 1;
            return FA_OK;
        }
    return fa_fail(g->e, FA_EDATA, "the telemetry \"%.*s\" has no field \"%.*s\"", FA_FMT(t->name),
                   FA_FMT(name));
}

/* Where points go: which of their texts name the target and the group. */
typedef struct sink {
    rl_program *g;
    rl_records *o;
    fa_codes *texts;
    const fa_tag *subject;
    size_t target[FA_MAX_DIMS], ntarget, join;
    bool has_join;
} sink;

static fa_rc put_point(sink *k, int32_t day, const fa_str *value, fa_i128 amount)
{
    fa_buf b;
    uint32_t code;
    bool any = false;
    fa_rc rc;

    fa_buf_init(&b, 1 << 20);
    for (size_t i = 0; i < k->ntarget; i++) {
        if (i)
            fa_buf_c(&b, '\x1f');
        fa_buf_str(&b, value[k->target[i]]);
        any |= value[k->target[i]].n > 0;
    }
    amount = amount > 0 ? amount : 0;
    if (b.failed || !fa_codes_add(k->texts, any ? fa_buf_view(&b) : (fa_str){"", 0}, &code))
        rc = fa_oom(k->g->e);
    else
        rc = rl_records_add(k->o, k->has_join ? value[k->join] : (fa_str){"", 0}, day, code,
                            &amount, k->g->e);
    fa_buf_release(&b);
    return rc;
}

/* Windows over a view's days (inform.md 7.8): [*first,*last] for day d. */
static void window_of(fa_str frame, int32_t d, int32_t *first, int32_t *last)
{
    uint64_t n = 0;

    *first = *last = d;
    if (fa_str_eqz(frame, "previousMonth")) {
        *last = fa_day_floor(d, FA_MONTH) - 1;
        *first = fa_day_floor(*last, FA_MONTH);
    } else if (fa_take(&frame, "last::") && fa_take_u64(&frame, &n)) {
        *first = d - (int32_t)n;
        *last = d - 1;
    }
}

fa_rc rl_question_plan(fa_ledger *l, fa_arena *a, const fa_catalog *c, const json_t *question,
                       fa_plan *q, fa_err *e)
{
    fa_account account;
    fa_rc rc = fa_account_first(fa_ledger_store(l), a, &account, e);

    if (rc)
        return rc;
    rc = fa_plan_parse(c, a, question, fa_ms_day(fa_now_ms()), account.default_cost_type, q, e);
    q->bucket = FA_DAY;
    q->top = 0;
    q->edp = NULL;
    q->previous = q->shared = false;
    return rc;
}

fa_rc rl_view_plan(fa_ledger *l, fa_arena *a, const fa_catalog *c, const fa_telemetry *t,
                   fa_plan *q, fa_err *e)
{
    fa_view view;
    json_t *body;
    fa_rc rc = fa_view_get(fa_ledger_store(l), a, fa_ledger_account(l), t->view_id, &view, e);

    if (rc == FA_ENOTFOUND)
        return fa_fail(e, FA_EDATA, "the view that feeds the telemetry \"%.*s\" is gone",
                       FA_FMT(t->name));
    if (rc)
        return rc;
    body = json_loadb(view.body.p, view.body.n, 0, NULL);
    rc = rl_question_plan(l, a, c, json_object_get(body, "question"), q, e);
    json_decref(body);
    return rc;
}

/* Sums of one group of the view's answer, [days + 1] with a leading 0, into the windows of each day. */
static fa_rc put_windows(sink *k, fa_str frame, int32_t view_from, const fa_i128 *until,
                         const fa_str *value, int32_t from, int32_t to)
{
    for (int32_t d = from; d <= to; d++) {
        int32_t first, last;
        fa_i128 sum;

        window_of(frame, d, &first, &last);
        sum = until[last - view_from + 1] - until[first - view_from];
        if (sum > 0 && put_point(k, d, value, sum))
            return k->g->e->rc;
    }
    return FA_OK;
}

static fa_rc put_view(sink *k, const fa_telemetry *t, const fa_plan *q, const rl_out *o,
                      int32_t from, int32_t to)
{
    rl_program *g = k->g;
    size_t days = (size_t)(q->range.to - q->range.from) + 1;
    fa_i128 *sum = fa_arena_array(g->a, (size_t)o->g->n * days + 1, sizeof *sum);
    fa_i128 *until = fa_arena_array(g->a, days + 1, sizeof *until);
    fa_str value[FA_MAX_DIMS], currency = {NULL, 0};

    if (!sum || !until)
        return fa_oom(g->e);
    for (size_t i = 0; i < o->nnow; i++) {
        const rl_cell *c = &o->now[i];
        fa_str money = fa_groups_text(o->g, c->group, o->g->ntext - 1);

        if (!c->stat[0].sum)
            continue;
        if (currency.p && !fa_str_eq(currency, money) && !fa_money_on(q))
            return fa_fail(g->e, FA_EDATA,
                           "the view that feeds the telemetry \"%.*s\" adds up %.*s and %.*s",
                           FA_FMT(t->name), FA_FMT(currency), FA_FMT(money));
        currency = money;
        sum[(size_t)c->group * days + c->bucket] += c->stat[0].sum;
    }
    for (uint32_t i = 0; i < o->g->n; i++) {
        for (size_t d = 0; d < days; d++)
            until[d + 1] = until[d] + sum[(size_t)i * days + d];
        for (size_t d = 0; d < o->g->ndim; d++)
            value[d] = fa_groups_text(o->g, i, d);
        if (put_windows(k, t->time_frame, q->range.from, until, value, from, to))
            return g->e->rc;
    }
    return FA_OK;
}

/* The ratio of a view: its own question, asked of the days the windows need. */
static fa_rc view_records(sink *k, const fa_telemetry *t, int32_t from, int32_t to)
{
    rl_program *g = k->g;
    rl_out o = {0};
    fa_plan q;
    int32_t first, last;
    fa_rc rc;

    if (rl_view_plan(g->v.l, g->a, g->cat, t, &q, g->e))
        return g->e->rc;
    q.money = g->p->money;
    q.deadline_mono_ms =
        g->p->deadline_mono_ms; /* no scope: weights are the account's, whoever asks */
    q.edp = g->p->edp;
    if (q.ndim != t->nadditional + (t->field.n > 0))
        return fa_fail(g->e, FA_EDATA,
                       "the view that feeds the telemetry \"%.*s\" is grouped otherwise now",
                       FA_FMT(t->name));
    window_of(t->time_frame, from, &q.range.from, &last);
    window_of(t->time_frame, to, &first, &q.range.to);
    if (fa_str_eqz(t->time_frame, "same-day"))
        q.range.to = to;
    rc = ask(g, &q, k->subject, NULL, 0, "the view of its telemetry", &o);
    if (!rc)
        rc = put_view(k, t, &q, &o, from, to);
    fa_groups_put(o.g);
    return rc;
}

static fa_rc point_records(sink *k, const fa_telemetry *t, fa_str metric, int32_t from, int32_t to)
{
    rl_program *g = k->g;
    fa_point *p;
    size_t n;

    if (fa_telemetry_points(g->v.l, g->a, t->id, metric, from, to, &p, &n, g->e))
        return g->e->rc;
    for (size_t i = 0; i < n; i++)
        if (put_point(k, p[i].day, p[i].value, p[i].amount_e18))
            return g->e->rc;
    return FA_OK;
}

/* Weights from telemetry into *out; `field`: of the targets; texts: where targets get their codes. */
static fa_rc telemetry_weights(rl_program *g, const fa_tag *subject, fa_str id, fa_str metric,
                               const fa_str *field, size_t nfield, fa_str join, int carry,
                               fa_codes *texts, rl_weights *out)
{
    rl_records o = {.a = g->a, .is_metric = true};
    sink k = {.g = g,
              .o = &o,
              .texts = texts,
              .subject = subject,
              .ntarget = nfield,
              .has_join = join.n > 0};
    int32_t from = g->from - carry;
    fa_telemetry t;
    fa_rc rc;

    rc = fa_telemetry_get(g->v.l, g->a, id, &t, g->e);
    if (rc == FA_ENOTFOUND) /* nothing to split by: everything stays, and is said to */
        return rl_weights_make(&o, texts, carry, out, g->e);
    if (rc)
        return rc;
    for (size_t i = 0; i < nfield; i++)
        if (field_at(g, &t, field[i], &k.target[i]))
            return g->e->rc;
    if (k.has_join && field_at(g, &t, join, &k.join))
        return g->e->rc;
    rc = fa_str_eqz(t.type, "megabill-ratio") ? view_records(&k, &t, from, g->to)
                                              : point_records(&k, &t, metric, from, g->to);
    if (!rc)
        rc = rl_weights_make(&o, texts, carry, out, g->e);
    fa_codes_put(o.group);
    return rc;
}

/* ---- the weights of an entry ---- */

fa_rc rl_entry_weights(rl_program *g, rl_slot *s, size_t entry)
{
    rl_entry *n = &s->entry[entry];
    const fa_allocation *a = n->a;
    rl_records o = {.a = g->a};
    fa_rc rc;

    for (size_t i = 0; n->by_currency && i < g->p->nmeasure; i++)
        o.measures |= 1u << g->p->measure[i].type->measure;
    if (a->kind == FA_ALLOC_METRIC)
        return telemetry_weights(g, s->tag, a->telemetry, a->metric, &a->field, 1, a->join_field,
                                 a->carry_days, s->text, &n->w);
    if (a->kind == FA_ALLOC_FIXED)
        rc = fixed(g, s, a, n->source, &o);
    else if (!n->by_currency)
        rc = even_list(g, s, a, &o);
    else
        rc = cost_records(g, s, entry, rl_key(g, s->tag), &o);
    if (!rc)
        rc = rl_weights_make(&o, s->text, 0, &n->w, g->e);
    fa_codes_put(o.group);
    return rc;
}

fa_rc rl_relation_weights(rl_program *g, rl_relation *r)
{
    const fa_tag *t = r->tag;

    return telemetry_weights(g, t, t->telemetry, t->metric, t->field, t->nfield, t->join_field, 7,
                             r->tuple, &r->w);
}
