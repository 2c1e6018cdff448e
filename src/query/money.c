/*
 * money.c - sums of a scan become amounts of the question's currency.
 *
 * The one idea: between two days on which a rate changes every amount of one currency has the same price, so a sum is
 * multiplied and not its rows. Lines in the answer's own currency are scanned as ever; the others once more, with the
 * days cut where a rate changes. A product is kept as whole 1e-18 and a rest of 1e-36 until its cell is complete.
 */
#include "query/money.h"

#include <stdlib.h>
#include <string.h>

#define CELLS_AT_ONCE ((size_t)2 << 20) /* groups x stretches of one scan */
#define SEPARATOR '\x1f'

/* ---- opening ---- */

fa_rc fa_money_open(fa_ledger *l, fa_arena *a, const fa_plan *p, fa_money *out, fa_err *e)
{
    bool chosen;
    fa_str own;

    *out = (fa_money){.a = a};
    if (fa_rates_get(l, &out->rates, e))
        return e->rc;
    own = fa_rates_currency(out->rates, &chosen);
    if (p->currency.n)
        out->target = fa_str_eqz(p->currency, FA_CURRENCY_ORIGINAL) ? (fa_str){"", 0} : p->currency;
    else if (chosen || fa_rates_any(out->rates))
        out->target = own;
    else
        out->target = (fa_str){"", 0}; /* nobody has said anything of currencies yet */
    return FA_OK;
}

void fa_money_close(fa_money *m)
{
    fa_rates_put(m->rates);
    m->rates = NULL;
}

const char *fa_money_expr(const fa_plan *p)
{
    return fa_money_on(p) && fa_rates_by_invoice(p->money->rates)
               ? "BillingCurrency || chr(31) || coalesce(BillingAccountId, '')"
               : "BillingCurrency";
}

static void parts_of(fa_str text, fa_str *currency, fa_str *account)
{
    const char *at = text.n ? memchr(text.p, SEPARATOR, text.n) : NULL;

    *currency = at ? (fa_str){text.p, (size_t)(at - text.p)} : text;
    *account = at ? (fa_str){at + 1, text.n - currency->n - 1} : (fa_str){"", 0};
}

fa_str fa_money_name(fa_str text)
{
    fa_str currency, account;

    parts_of(text, &currency, &account);
    return currency;
}

fa_rc fa_money_mixed(fa_str x, fa_str y, const char *what, fa_err *e)
{
    if (fa_str_cmp(x, y) > 0) {
        fa_str swap = x;

        x = y;
        y = swap;
    }
    (void)fa_fail(e, FA_EDATA, "%s would add up %.*s and %.*s", what, FA_FMT(x), FA_FMT(y));
    return fa_hint(
        e,
        "enter rates (Settings, Currencies), filter by billing_currency, or ask for the original "
        "currency grouped by it");
}

/* ---- prices ---- */

static bool same_price(fa_price x, fa_price y)
{
    return x.num == y.num && x.den == y.den;
}

/* Every day on which the price of the text changes between those of [from,to]. */
static fa_rc make_steps(fa_money *m, fa_prices *o, int32_t from, int32_t to, fa_err *e)
{
    fa_str account;
    size_t room = 1;

    parts_of(o->text, &o->currency, &account);
    o->is_home = fa_str_eq(o->currency, m->target);
    for (int64_t d = (int64_t)from + 1; d <= to; d++)
        room += fa_rates_cut(m->rates, (int32_t)d);
    o->step = fa_arena_array(m->a, o->is_home ? 1 : room, sizeof *o->step);
    if (!o->step)
        return fa_oom(e);
    o->n = 1;
    o->step[0].from = from;
    o->step[0].price = o->is_home ? (fa_price){1, 1}
                                  : fa_rates_price(m->rates, o->currency, account, m->target, from);
    for (int64_t d = (int64_t)from + 1; !o->is_home && d <= to; d++) {
        fa_price p;

        if (!fa_rates_cut(m->rates, (int32_t)d))
            continue;
        p = fa_rates_price(m->rates, o->currency, account, m->target, (int32_t)d);
        if (same_price(p, o->step[o->n - 1].price))
            continue;
        o->step[o->n].from = (int32_t)d;
        o->step[o->n++].price = p;
    }
    return FA_OK;
}

/* The prices of a text, good for [from,to] at least. */
static fa_rc prices_of(fa_money *m, fa_str text, int32_t from, int32_t to, fa_prices **out,
                       fa_err *e)
{
    fa_prices *o;

    for (size_t i = 0; i < m->nknown; i++)
        if (fa_str_eq(m->known[i]->text, text)) {
            o = *out = m->known[i];
            if (from < o->from || to > o->to) {
                o->from = from < o->from ? from : o->from;
                o->to = to > o->to ? to : o->to;
                return make_steps(m, o, o->from, o->to, e);
            }
            return FA_OK;
        }
    if (m->nknown == m->cap) {
        size_t cap = m->cap ? m->cap * 2 : 16;
        fa_prices **more = fa_arena_array(m->a, cap, sizeof *more);

        if (!more)
            return fa_oom(e);
        if (m->nknown)
            memcpy(more, m->known, m->nknown * sizeof *more);
        m->known = more;
        m->cap = cap;
    }
    if (!(o = fa_arena_alloc(m->a, sizeof *o)))
        return fa_oom(e);
    *o = (fa_prices){.text = fa_arena_dup(m->a, text), .from = from, .to = to};
    if (!o->text.p)
        return fa_oom(e);
    m->known[m->nknown++] = *out = o;
    return make_steps(m, o, from, to, e);
}

static fa_price price_on(const fa_prices *o, int32_t day)
{
    size_t lo = 0, hi = o->n;

    while (hi - lo > 1) {
        size_t mid = (lo + hi) / 2;

        if (o->step[mid].from <= day)
            lo = mid;
        else
            hi = mid;
    }
    return o->step[lo].price;
}

static int by_bytes(const void *x, const void *y)
{
    return fa_str_cmp(*(const fa_str *)x, *(const fa_str *)y);
}

fa_rc fa_money_tell(const fa_money *m, fa_arena *a, fa_str *currency, fa_str **converted, size_t *n,
                    fa_err *e)
{
    fa_str *list = fa_arena_array(a, m->nknown + 1, sizeof *list);
    size_t kept = 0;

    *currency = fa_arena_dup(a, m->target);
    if (!list || !currency->p)
        return fa_oom(e);
    *n = 0;
    for (size_t i = 0; i < m->nknown; i++)
        if (m->known[i]->used && !m->known[i]->is_home) {
            list[*n] = fa_arena_dup(a, m->known[i]->currency);
            if (!list[(*n)++].p)
                return fa_oom(e);
        }
    if (*n)
        qsort(list, *n, sizeof *list, by_bytes);
    for (size_t i = 0; i < *n; i++) /* one for all billing accounts */
        if (!kept || !fa_str_eq(list[i], list[kept - 1]))
            list[kept++] = list[i];
    *n = kept;
    *converted = list;
    return FA_OK;
}

/* ---- products ---- */

/* whole of 1e-18 and rest of 1e-36, of the same sign as the amount. */
typedef struct exact {
    fa_i128 whole, rest;
} exact;

static bool product(fa_i128 amount, fa_price p, exact *out)
{
    fa_u128 size = amount < 0 ? -(fa_u128)amount : (fa_u128)amount, whole, left, rest, beyond;

    if (!fa_dec_divide(size, p.num, p.den, &whole, &left) || whole >> 126 ||
        !fa_dec_divide(left, (fa_u128)FA_E18, p.den, &rest, &beyond))
        return false;
    rest += beyond >= p.den - beyond; /* half away from zero, far below what is shown */
    out->whole = amount < 0 ? -(fa_i128)whole : (fa_i128)whole;
    out->rest = amount < 0 ? -(fa_i128)rest : (fa_i128)rest;
    return true;
}

/* Once, half away from zero. */
static fa_i128 rounded(fa_i128 whole, fa_i128 rest)
{
    whole += rest / FA_E18;
    rest %= FA_E18;
    if (whole > 0 && rest < 0) {
        whole--;
        rest += FA_E18;
    } else if (whole < 0 && rest > 0) {
        whole++;
        rest -= FA_E18;
    }
    if (rest * 2 >= FA_E18)
        return whole + 1;
    return rest * 2 <= -FA_E18 ? whole - 1 : whole;
}

static fa_rc too_large(fa_err *e)
{
    return fa_fail(e, FA_EDATA, "an amount is too large for the rate it is converted with");
}

static fa_rc no_rate(const fa_money *m, fa_str currency, int32_t day, fa_err *e)
{
    fa_buf b = {0};

    fa_day_emit(&b, day);
    (void)fa_fail(e, FA_EDATA,
                  "there is no rate from %.*s to %.*s for %s, the first day with such a cost",
                  FA_FMT(currency), FA_FMT(m->target), b.failed ? "a day" : b.p);
    fa_buf_release(&b);
    return fa_hint(e, "enter the rate of that day or an earlier one (Settings, Currencies), or ask "
                      "in the original "
                      "currency");
}

/* ---- cells until they are complete ---- */

typedef struct sum_entry {
    fa_cell c;
    fa_i128 rest[FA_M__MONEY];
} sum_entry;

typedef struct stat_entry {
    fa_stat_cell c;
    fa_i128 rest[FA_MAX_MEASUREMENTS];
} stat_entry;

/* ---- stretches of days ---- */

/* Days cut where the bucket or a price changes. */
typedef struct stretches {
    uint32_t *of_day; /* [days] */
    uint32_t *bucket; /* of each stretch */
    int32_t *first;   /* day of each */
    size_t n;
} stretches;

static bool changes_on(const fa_prices *const *price, size_t n, int32_t day)
{
    for (size_t i = 0; i < n; i++)
        if (!price[i]->is_home && price[i]->n > 1) {
            size_t lo = 0, hi = price[i]->n;

            while (hi - lo > 1) {
                size_t mid = (lo + hi) / 2;

                if (price[i]->step[mid].from <= day)
                    lo = mid;
                else
                    hi = mid;
            }
            if (lo && price[i]->step[lo].from == day)
                return true;
        }
    return false;
}

static fa_rc make_stretches(fa_arena *a, const fa_prices *const *price, size_t nprice, int32_t from,
                            int32_t to, const uint32_t *bucket, stretches *o, fa_err *e)
{
    size_t days = (size_t)((int64_t)to - from + 1);

    o->of_day = fa_arena_array(a, days, sizeof *o->of_day);
    o->bucket = fa_arena_array(a, days, sizeof *o->bucket);
    o->first = fa_arena_array(a, days, sizeof *o->first);
    o->n = 0;
    if (!o->of_day || !o->bucket || !o->first)
        return fa_oom(e);
    for (size_t i = 0; i < days; i++) {
        uint32_t b = bucket ? bucket[i] : 0;
        int32_t day = from + (int32_t)i;

        if (i == 0 || b != o->bucket[o->n - 1] || changes_on(price, nprice, day)) {
            o->bucket[o->n] = b;
            o->first[o->n++] = day;
        }
        o->of_day[i] = (uint32_t)o->n - 1;
    }
    return FA_OK;
}

/* ---- the scan ---- */

typedef struct scan_work {
    fa_ledger *l;
    const fa_plan *p;
    fa_money *m;
    fa_arena *a, *piece;
    const fa_scan *q;
    uint32_t ngroup;
    fa_prices **of_group; /* [ngroup] */
    fa_prices **price;    /* the different ones */
    size_t nprice;
    fa_cells t;
    fa_err *e;
} scan_work;

static fa_rc group_prices(scan_work *w, fa_money_text *text, const void *user)
{
    w->of_group = fa_arena_array(w->a, (size_t)w->ngroup + 1, sizeof(fa_prices *));
    if (!w->of_group)
        return fa_oom(w->e);
    for (uint32_t i = 0; i < w->ngroup; i++)
        if (prices_of(w->m, text(user, i), w->q->from, w->q->to, &w->of_group[i], w->e))
            return w->e->rc;
    w->price = w->m->known;
    w->nprice = w->m->nknown;
    return FA_OK;
}

static size_t count_home(const scan_work *w)
{
    size_t n = 0;

    for (uint32_t i = 0; i < w->ngroup; i++)
        n += w->of_group[i]->is_home;
    return n;
}

/* The scan's lines whose groups are, or are not, in the answer's own currency. */
static fa_rc lines_of(scan_work *w, bool home, uint32_t **out)
{
    uint32_t *line = malloc(((size_t)w->q->nline + 1) * sizeof *line);

    if (!line)
        return fa_oom(w->e);
    for (uint32_t i = 0; i < w->q->nline; i++) {
        uint32_t g = w->q->group[i];

        line[i] = g != FA_NO_GROUP && w->of_group[g]->is_home == home ? g : FA_NO_GROUP;
    }
    *out = line;
    return FA_OK;
}

/* The first day of [from,to] on which lines of one currency text have money. */
static fa_rc missing_day(scan_work *w, const fa_prices *price, int32_t from, int32_t to)
{
    size_t days = (size_t)((int64_t)to - from + 1);
    uint32_t *line = malloc(((size_t)w->q->nline + 1) * sizeof *line);
    uint32_t *of_day = fa_arena_array(w->a, days, sizeof *of_day), least = (uint32_t)days;
    fa_scan q = *w->q;
    fa_cell *cell;
    size_t n = 0;

    if (!line || !of_day) {
        free(line);
        return fa_oom(w->e);
    }
    for (uint32_t i = 0; i < q.nline; i++) {
        uint32_t g = w->q->group[i];

        line[i] = g != FA_NO_GROUP && w->of_group[g] == price ? 0 : FA_NO_GROUP;
    }
    for (size_t i = 0; i < days; i++)
        of_day[i] = (uint32_t)i;
    q.group = line;
    q.bucket = of_day;
    q.from = from;
    q.to = to;
    if (!fa_engine_scan(fa_ledger_engine(w->l), w->a, &q, &cell, &n, w->e))
        for (size_t i = 0; i < n; i++)
            for (int k = 0; k < FA_M__MONEY; k++)
                if (cell[i].sum[k] != 0 && cell[i].bucket < least)
                    least = cell[i].bucket;
    free(line);
    if (w->e->rc)
        return w->e->rc;
    return no_rate(w->m, price->currency, from + (int32_t)(least < days ? least : 0), w->e);
}

static bool has_money(const fa_cell *c)
{
    for (int k = 0; k < FA_M__MONEY; k++)
        if (c->sum[k] != 0)
            return true;
    return false;
}

/* One stretch of one group into its cell. */
static fa_rc add_product(scan_work *w, const fa_cell *c, uint32_t bucket, fa_price price)
{
    sum_entry *to = fa_cells_get(&w->t, bucket, c->group);

    if (!to)
        return fa_oom(w->e);
    to->c.rows += c->rows;
    for (int k = 0; k < FA_M__COUNT; k++) {
        exact x;

        if (k >= FA_M__MONEY || !price.den) {
            to->c.sum[k] += c->sum[k];
            continue;
        }
        if (c->sum[k] == 0)
            continue;
        if (!product(c->sum[k], price, &x) ||
            __builtin_add_overflow(to->c.sum[k], x.whole, &to->c.sum[k]))
            return too_large(w->e);
        to->rest[k] += x.rest;
    }
    return FA_OK;
}

static fa_rc add_cells(scan_work *w, const fa_cell *cell, size_t n, const stretches *s, size_t base,
                       int32_t last)
{
    const fa_prices *missing = NULL;
    size_t at = SIZE_MAX;

    for (size_t i = 0; i < n; i++) {
        fa_prices *o = w->of_group[cell[i].group];
        size_t k = base + cell[i].bucket;
        fa_price price = price_on(o, s->first[k]);

        if (has_money(&cell[i])) {
            o->used = true;
            if (!price.den && !w->m->lenient && k < at) {
                at = k;
                missing = o;
            }
        }
        if (!missing && add_product(w, &cell[i], s->bucket[k], price))
            return w->e->rc;
    }
    if (missing)
        return missing_day(w, missing, s->first[at], at + 1 < s->n ? s->first[at + 1] - 1 : last);
    return FA_OK;
}

/* The scan of what is converted, a few stretches at a time. */
static fa_rc scan_foreign(scan_work *w, const uint32_t *line)
{
    size_t per = CELLS_AT_ONCE / ((size_t)w->ngroup + 1) + 1, base = 0;
    stretches s;

    if (make_stretches(w->a, (const fa_prices *const *)w->price, w->nprice, w->q->from, w->q->to,
                       w->q->bucket, &s, w->e))
        return w->e->rc;
    while (base < s.n) {
        size_t end = base + per < s.n ? base + per : s.n;
        int32_t from = s.first[base], to = end < s.n ? s.first[end] - 1 : w->q->to;
        size_t days = (size_t)(to - from) + 1;
        uint32_t *of_day = fa_arena_array(w->piece, days, sizeof *of_day);
        fa_scan q = *w->q;
        fa_cell *cell;
        size_t n;

        if (!of_day)
            return fa_oom(w->e);
        for (size_t i = 0; i < days; i++)
            of_day[i] = s.of_day[(size_t)(from - w->q->from) + i] - (uint32_t)base;
        q.from = from;
        q.to = to;
        q.group = line;
        q.bucket = end - base == 1 ? NULL : of_day;
        if (fa_engine_scan(fa_ledger_engine(w->l), w->piece, &q, &cell, &n, w->e) ||
            add_cells(w, cell, n, &s, base, w->q->to))
            return w->e->rc;
        fa_arena_clear(w->piece);
        base = end;
    }
    return FA_OK;
}

/* Cells in the answer's own currency, and those that were converted. */
static fa_rc join(scan_work *w, const fa_cell *home, size_t nhome, fa_cell **out, size_t *n)
{
    fa_cell *all = fa_arena_array(w->a, nhome + w->t.n + 1, sizeof *all);

    if (!all)
        return fa_oom(w->e);
    if (nhome)
        memcpy(all, home, nhome * sizeof *all);
    for (size_t i = 0; i < w->t.n; i++) {
        const sum_entry *s = fa_cells_at(&w->t, i);
        fa_cell *c = &all[nhome + i];

        *c = s->c;
        for (int k = 0; k < FA_M__MONEY; k++)
            c->sum[k] = rounded(c->sum[k], s->rest[k]);
    }
    *out = all;
    *n = nhome + w->t.n;
    return FA_OK;
}

static fa_rc scan_both(scan_work *w, size_t home, fa_cell **out, size_t *n)
{
    uint32_t *line[2] = {NULL, NULL};
    fa_scan q = *w->q;
    fa_cell *cell = NULL;
    size_t ncell = 0;
    fa_rc rc = FA_OK;

    if (home) {
        if (!(rc = lines_of(w, true, &line[0])) && !(rc = lines_of(w, false, &line[1]))) {
            q.group = line[0];
            rc = fa_engine_scan(fa_ledger_engine(w->l), w->a, &q, &cell, &ncell, w->e);
        }
    }
    if (!rc)
        rc = scan_foreign(w, home ? line[1] : w->q->group);
    if (!rc)
        rc = join(w, cell, ncell, out, n);
    free(line[0]);
    free(line[1]);
    return rc;
}

fa_rc fa_money_scan(fa_ledger *l, const fa_plan *p, fa_arena *a, const fa_scan *q, uint32_t ngroup,
                    fa_money_text *text, const void *user, fa_cell **out, size_t *n, fa_err *e)
{
    scan_work w = {.l = l, .p = p, .m = p->money, .a = a, .q = q, .ngroup = ngroup, .e = e};
    bool money = (q->measures & ((1u << FA_M__MONEY) - 1)) != 0;
    fa_arena piece, cells;
    size_t home;
    fa_rc rc;

    if (!fa_money_on(p) || !money || ngroup == 0 || !q->group)
        return fa_engine_scan(fa_ledger_engine(l), a, q, out, n, e);
    if (group_prices(&w, text, user))
        return e->rc;
    home = count_home(&w);
    if (home == ngroup)
        return fa_engine_scan(fa_ledger_engine(l), a, q, out, n, e);
    fa_arena_init(&piece, (size_t)4 << 30);
    fa_arena_count(&piece);
    fa_arena_init(&cells, (size_t)4 << 30);
    fa_arena_count(&cells);
    w.piece = &piece;
    w.t = (fa_cells){.a = &cells, .stride = sizeof(sum_entry)};
    rc = scan_both(&w, home, out, n);
    fa_arena_release(&cells);
    fa_arena_release(&piece);
    return rc;
}

/* ---- bill rows ---- */

static bool is_money(const fa_plan *p, size_t m)
{
    return !p->measure[m].type->is_usage;
}

/* Least and greatest are rounded by themselves; sums when their cell is complete. */
static fa_rc convert_stat(const fa_plan *p, fa_stat_cell *c, fa_price price, fa_i128 *rest,
                          fa_err *e)
{
    for (size_t m = 0; m < p->nmeasure; m++) {
        fa_i128 *v[] = {&c->stat[m].sum, &c->stat[m].min, &c->stat[m].max};

        rest[m] = 0;
        for (size_t i = 0; is_money(p, m) && i < FA_COUNT(v); i++) {
            exact x;

            if (*v[i] == 0)
                continue;
            if (!product(*v[i], price, &x))
                return too_large(e);
            *v[i] = i ? rounded(x.whole, x.rest) : x.whole;
            if (!i)
                rest[m] = x.rest;
        }
    }
    return FA_OK;
}

static bool stat_has_money(const fa_plan *p, const fa_stat *s)
{
    for (size_t m = 0; m < p->nmeasure; m++)
        if (is_money(p, m) && (s[m].sum != 0 || s[m].min != 0 || s[m].max != 0))
            return true;
    return false;
}

typedef struct rows_work {
    const fa_plan *p;
    const fa_buckets *k;
    fa_prices **of_group;
    fa_cells t;
    fa_err *e;
} rows_work;

static fa_rc add_rows(rows_work *w, const fa_stat_cell *cell, size_t n)
{
    fa_money *m = w->p->money;
    const fa_prices *missing = NULL;
    int32_t day, least = INT32_MAX;

    for (size_t i = 0; i < n; i++) {
        fa_prices *o = w->of_group[cell[i].group];
        bool hours = w->k->kind == FA_HOUR;
        fa_stat_cell c = cell[i];
        fa_i128 rest[FA_MAX_MEASUREMENTS];
        stat_entry *to;
        fa_price price;

        day = w->k->from + (int32_t)(hours ? c.bucket / 24 : c.bucket);
        price = price_on(o, day);
        if (!o->is_home && stat_has_money(w->p, c.stat)) {
            o->used = true;
            if (!price.den && !m->lenient && day < least) {
                least = day;
                missing = o;
            }
        }
        c.bucket = hours ? c.bucket : w->k->of_day[c.bucket];
        to = fa_cells_get(&w->t, c.bucket, c.group);
        if (!to)
            return fa_oom(w->e);
        memset(rest, 0, sizeof rest);
        if (price.den && !o->is_home && convert_stat(w->p, &c, price, rest, w->e))
            return w->e->rc;
        to->c.rows += c.rows;
        for (size_t k = 0; k < w->p->nmeasure; k++) {
            fa_stat_add(&to->c.stat[k], &c.stat[k]);
            to->rest[k] += rest[k];
        }
    }
    return missing ? no_rate(m, missing->currency, least, w->e) : FA_OK;
}

static fa_rc out_rows(rows_work *w, fa_arena *a, fa_stat_cell **out, size_t *n)
{
    fa_stat_cell *all = fa_arena_array(a, w->t.n + 1, sizeof *all);

    if (!all)
        return fa_oom(w->e);
    for (size_t i = 0; i < w->t.n; i++) {
        const stat_entry *s = fa_cells_at(&w->t, i);

        all[i] = s->c;
        for (size_t m = 0; m < w->p->nmeasure; m++)
            all[i].stat[m].sum = rounded(all[i].stat[m].sum, s->rest[m]);
    }
    *out = all;
    *n = w->t.n;
    return FA_OK;
}

/* By day where hours are not asked for: a price is a day's. */
fa_rc fa_money_archive(fa_ledger *l, const fa_plan *p, fa_arena *a, const fa_buckets *k,
                       const fa_groups *g, fa_stat_cell **out, size_t *n, fa_err *e)
{
    size_t days = (size_t)((int64_t)k->to - k->from + 1), home = 0, ncell;
    rows_work w = {.p = p, .k = k, .e = e};
    fa_buckets fine = *k;
    fa_stat_cell *cell;
    uint32_t *of_day;
    fa_rc rc;

    if (!fa_money_on(p))
        return fa_archive_read(l, a, p, k, g, out, n, e);
    w.of_group = fa_arena_array(a, (size_t)g->n + 1, sizeof(fa_prices *));
    of_day = fa_arena_array(a, days, sizeof *of_day);
    if (!w.of_group || !of_day)
        return fa_oom(e);
    for (uint32_t i = 0; i < g->n; i++) {
        if (prices_of(p->money, fa_groups_text(g, i, g->ntext - 1), k->from, k->to, &w.of_group[i],
                      e))
            return e->rc;
        home += w.of_group[i]->is_home;
    }
    if (home == g->n)
        return fa_archive_read(l, a, p, k, g, out, n, e);
    for (size_t i = 0; i < days; i++)
        of_day[i] = (uint32_t)i;
    if (k->kind != FA_HOUR)
        fine = (fa_buckets){k->from, k->to, FA_DAY, days, of_day};
    w.t = (fa_cells){.a = a, .stride = sizeof(stat_entry)};
    rc = fa_archive_read(l, a, p, &fine, g, &cell, &ncell, e);
    if (!rc)
        rc = add_rows(&w, cell, ncell);
    if (!rc)
        rc = out_rows(&w, a, out, n);
    return rc;
}

/* ---- sums of days ---- */

static int by_day_text(const void *x, const void *y)
{
    const fa_money_item *p = x, *q = y;

    if (p->day != q->day)
        return p->day < q->day ? -1 : 1;
    if (p->text != q->text)
        return p->text < q->text ? -1 : 1;
    return (p->at > q->at) - (p->at < q->at);
}

typedef struct left_over {
    fa_i128 rest;
    size_t i;
} left_over;

static int most_left(const void *x, const void *y)
{
    const left_over *p = x, *q = y;

    if (p->rest != q->rest)
        return p->rest > q->rest ? -1 : 1;
    return (p->i > q->i) - (p->i < q->i);
}

/* One measure of the items of one day and currency; `left` has room for n. */
static fa_rc share_out(fa_money_item *it, size_t n, size_t m, fa_price price, left_over *left,
                       fa_err *e)
{
    fa_i128 whole = 0, rest = 0, given = 0;

    for (size_t i = 0; i < n; i++) {
        exact x = {0, 0};

        if (it[i].stat[m].sum != 0 && !product(it[i].stat[m].sum, price, &x))
            return too_large(e);
        whole += x.whole;
        rest += x.rest;
        if (x.rest < 0) { /* downward, so that what is left is never negative */
            x.whole--;
            x.rest += FA_E18;
        }
        it[i].stat[m].sum = x.whole;
        given += x.whole;
        left[i] = (left_over){x.rest, i};
    }
    given = rounded(whole, rest) - given;
    if (given == 0)
        return FA_OK;
    qsort(left, n, sizeof *left, most_left);
    for (size_t i = 0; i < n && given > 0; i++, given--)
        it[left[i].i].stat[m].sum++;
    return FA_OK;
}

static fa_rc convert_run(const fa_plan *p, fa_money_item *it, size_t n, fa_price price,
                         left_over *left, fa_err *e)
{
    for (size_t m = 0; m < p->nmeasure; m++) {
        if (!is_money(p, m))
            continue;
        for (size_t i = 0; i < n; i++) {
            fa_i128 *v[] = {&it[i].stat[m].min, &it[i].stat[m].max};

            for (size_t k = 0; k < FA_COUNT(v); k++) {
                exact x = {0, 0};

                if (*v[k] != 0 && !product(*v[k], price, &x))
                    return too_large(e);
                *v[k] = rounded(x.whole, x.rest);
            }
        }
        if (share_out(it, n, m, price, left, e))
            return e->rc;
    }
    return FA_OK;
}

fa_rc fa_money_items(const fa_plan *p, fa_arena *tmp, fa_money_item *it, size_t n,
                     const fa_codes *texts, fa_err *e)
{
    left_over *left = fa_arena_array(tmp, n + 1, sizeof *left);

    if (!left)
        return fa_oom(e);
    if (n)
        qsort(it, n, sizeof *it, by_day_text);
    for (size_t i = 0, end; i < n; i = end) {
        int32_t day = it[i].day;
        bool money = false;
        fa_prices *o;
        fa_price price;

        for (end = i; end < n && it[end].day == day && it[end].text == it[i].text; end++)
            money |= stat_has_money(p, it[end].stat);
        if (!money)
            continue;
        if (prices_of(p->money, fa_codes_text(texts, it[i].text),
                      p->range.from < day ? p->range.from : day,
                      p->range.to > day ? p->range.to : day, &o, e))
            return e->rc;
        if (o->is_home)
            continue;
        o->used = true;
        price = price_on(o, day);
        if (!price.den && !p->money->lenient)
            return no_rate(p->money, o->currency, day, e);
        if (price.den && convert_run(p, it + i, end - i, price, left, e))
            return e->rc;
    }
    return FA_OK;
}
