/*
 * rates.c - the account's rate table as it is now: what one currency is worth in another on a day.
 *
 * The one idea: a row says what holds from its day on, between two currencies, whichever way round it is asked. So
 * the price of a day is the last row on or before it; another display currency reads the same rows. A row of an
 * invoice holds for its billing account and month alone, and goes before every other.
 */
#include "query/money.h"

#include <stdlib.h>
#include <string.h>

typedef struct row {
    int32_t day;
    fa_u128 num, den; /* den: a power of ten; both at most 19 digits */
} row;

/* Rows of one direction, by day. */
typedef struct pair {
    fa_str from, to, account;
    row *r;
    size_t n;
} pair;

struct fa_rates {
    atomic_uint refs;
    fa_arena mem;
    fa_str currency;
    bool chosen, by_invoice;
    pair *pair;
    size_t npair;
    fa_str *name; /* every currency of the table, the account's first, then by name */
    size_t nname;
    int32_t *cut; /* days on which something changes, ascending */
    size_t ncut;
    uint64_t version;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static fa_rates *latest;
static const fa_ledger *latest_ledger;
static uint64_t version = 1;

void fa_rates_changed(void)
{
    pthread_mutex_lock(&lock);
    version++;
    pthread_mutex_unlock(&lock);
}

void fa_rates_put(fa_rates *r)
{
    if (r && atomic_fetch_sub(&r->refs, 1) == 1) {
        fa_arena mem = r->mem;

        fa_arena_release(&mem);
    }
}

void fa_rates_cache_free(void)
{
    pthread_mutex_lock(&lock);
    fa_rates_put(latest);
    latest = NULL;
    pthread_mutex_unlock(&lock);
}

/* ---- making ---- */

bool fa_rate_parse(fa_str text, fa_u128 *num, fa_u128 *den)
{
    fa_i128 v;
    bool rounded = false;

    if (!fa_dec_parse(text, false, &v, &rounded) || rounded || v <= 0)
        return false;
    *num = (fa_u128)v;
    *den = (fa_u128)FA_E18;
    while (*den > 1 && *num % 10 == 0) {
        *num /= 10;
        *den /= 10;
    }
    return *num < (fa_u128)FA_E18; /* at most 18 digits: two legs fit 126 bits */
}

static fa_rc add_pairs(fa_rates *r, const fa_rate_row *v, size_t n, fa_err *e)
{
    row *all = fa_arena_array(&r->mem, n + 1, sizeof *all);

    r->pair = fa_arena_array(&r->mem, n + 1, sizeof *r->pair);
    if (!all || !r->pair)
        return fa_oom(e);
    for (size_t i = 0; i < n; i++) {
        pair *p = r->npair ? &r->pair[r->npair - 1] : NULL;

        if (!p || !fa_str_eq(p->from, v[i].currency) || !fa_str_eq(p->to, v[i].target) ||
            !fa_str_eq(p->account, v[i].billing_account)) {
            p = &r->pair[r->npair++];
            *p = (pair){v[i].currency, v[i].target, v[i].billing_account, all + i, 0};
        }
        p->r[p->n].day = v[i].day;
        if (!fa_rate_parse(v[i].rate, &p->r[p->n].num, &p->r[p->n].den))
            return fa_fail(e, FA_EDATA, "the rate \"%.*s\" in meta.db is damaged",
                           FA_FMT(v[i].rate));
        p->n++;
        r->by_invoice |= v[i].billing_account.n > 0;
    }
    return FA_OK;
}

static void add_name(fa_rates *r, fa_str name)
{
    for (size_t i = 0; i < r->nname; i++)
        if (fa_str_eq(r->name[i], name))
            return;
    r->name[r->nname++] = name;
}

static int by_name(const void *x, const void *y)
{
    return fa_str_cmp(*(const fa_str *)x, *(const fa_str *)y);
}

static fa_rc add_names(fa_rates *r, fa_err *e)
{
    r->name = fa_arena_array(&r->mem, 2 * r->npair + 1, sizeof *r->name);
    if (!r->name)
        return fa_oom(e);
    add_name(r, r->currency);
    for (size_t i = 0; i < r->npair; i++) {
        add_name(r, r->pair[i].from);
        add_name(r, r->pair[i].to);
    }
    if (r->nname > 2)
        qsort(r->name + 1, r->nname - 1, sizeof *r->name, by_name);
    return FA_OK;
}

static int by_day(const void *x, const void *y)
{
    int32_t a = *(const int32_t *)x, b = *(const int32_t *)y;

    return (a > b) - (a < b);
}

/* An invoice's rate begins and ends with its month. */
static fa_rc add_cuts(fa_rates *r, const fa_rate_row *v, size_t n, fa_err *e)
{
    size_t kept = 0;

    r->cut = fa_arena_array(&r->mem, 2 * n + 1, sizeof *r->cut);
    if (!r->cut)
        return fa_oom(e);
    for (size_t i = 0; i < n; i++) {
        r->cut[r->ncut++] = v[i].day;
        if (v[i].billing_account.n)
            r->cut[r->ncut++] = fa_day_next(v[i].day, FA_MONTH);
    }
    if (r->ncut)
        qsort(r->cut, r->ncut, sizeof *r->cut, by_day);
    for (size_t i = 0; i < r->ncut; i++)
        if (!kept || r->cut[i] != r->cut[kept - 1])
            r->cut[kept++] = r->cut[i];
    r->ncut = kept;
    return FA_OK;
}

static fa_rc read_rates(fa_ledger *l, fa_rates *r, fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    fa_account account;
    fa_rate_row *v;
    fa_str chosen;
    size_t n;

    if (fa_account_first(s, &r->mem, &account, e) ||
        fa_setting_get(s, &r->mem, account.id, FA_STR(FA_CURRENCY_SETTING), &chosen, e) ||
        fa_rate_live(s, &r->mem, account.id, &v, &n, e))
        return e->rc;
    r->currency = account.currency;
    r->chosen = chosen.n > 0;
    if (add_pairs(r, v, n, e) || add_names(r, e))
        return e->rc;
    return add_cuts(r, v, n, e);
}

static fa_rates *made(void)
{
    fa_arena mem;
    fa_rates *r;

    fa_arena_init(&mem, (size_t)1 << 30);
    r = fa_arena_alloc(&mem, sizeof *r);
    if (!r) {
        fa_arena_release(&mem);
        return NULL;
    }
    *r = (fa_rates){.mem = mem};
    atomic_init(&r->refs, 1);
    return r;
}

fa_rc fa_rates_get(fa_ledger *l, fa_rates **out, fa_err *e)
{
    uint64_t seen;
    fa_rates *r = NULL;

    *out = NULL;
    pthread_mutex_lock(&lock);
    seen = version;
    if (latest && latest_ledger == l && latest->version == version) {
        r = latest;
        atomic_fetch_add(&r->refs, 1);
    }
    pthread_mutex_unlock(&lock);
    if ((*out = r))
        return FA_OK;
    if (!(r = made()))
        return fa_oom(e);
    r->version = seen;
    if (read_rates(l, r, e)) {
        fa_rates_put(r);
        return e->rc;
    }
    pthread_mutex_lock(&lock);
    if (version == seen) {
        fa_rates_put(latest);
        latest = r;
        latest_ledger = l;
        atomic_fetch_add(&r->refs, 1);
    }
    pthread_mutex_unlock(&lock);
    *out = r;
    return FA_OK;
}

/* ---- asking ---- */

bool fa_rates_any(const fa_rates *r)
{
    return r->npair > 0;
}

bool fa_rates_by_invoice(const fa_rates *r)
{
    return r->by_invoice;
}

fa_str fa_rates_currency(const fa_rates *r, bool *chosen)
{
    *chosen = r->chosen;
    return r->currency;
}

uint64_t fa_rates_version(const fa_rates *r)
{
    return r->version;
}

bool fa_rates_cut(const fa_rates *r, int32_t day)
{
    return r->ncut && bsearch(&day, r->cut, r->ncut, sizeof *r->cut, by_day);
}

static const pair *find_pair(const fa_rates *r, fa_str from, fa_str to)
{
    for (size_t i = 0; i < r->npair; i++)
        if (!r->pair[i].account.n && fa_str_eq(r->pair[i].from, from) &&
            fa_str_eq(r->pair[i].to, to))
            return &r->pair[i];
    return NULL;
}

/* The last row on or before the day. */
static const row *find_row(const pair *p, int32_t day)
{
    size_t lo = 0, hi = p ? p->n : 0;

    while (lo < hi) {
        size_t mid = (lo + hi) / 2;

        if (p->r[mid].day <= day)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo ? &p->r[lo - 1] : NULL;
}

/* Between two currencies without a third. On one day the row that says it this way round goes first. */
static fa_price straight(const fa_rates *r, fa_str from, fa_str to, int32_t day)
{
    const row *x, *y;

    if (fa_str_eq(from, to))
        return (fa_price){1, 1};
    x = find_row(find_pair(r, from, to), day);
    y = find_row(find_pair(r, to, from), day);
    if (x && (!y || x->day >= y->day))
        return (fa_price){x->num, x->den};
    return y ? (fa_price){y->den, y->num} : (fa_price){0, 0};
}

static fa_price times(fa_price x, fa_price y)
{
    return (fa_price){x.num * y.num, x.den * y.den};
}

static fa_price of_day(const fa_rates *r, fa_str from, fa_str to, int32_t day)
{
    fa_price p = straight(r, from, to, day);

    for (size_t i = 0; !p.den && i < r->nname; i++) {
        fa_price x = straight(r, from, r->name[i], day), y = straight(r, r->name[i], to, day);

        if (x.den && y.den)
            p = times(x, y);
    }
    return p;
}

fa_price fa_rates_price(const fa_rates *r, fa_str currency, fa_str billing_account, fa_str target,
                        int32_t day)
{
    int32_t month = fa_day_floor(day, FA_MONTH);

    for (size_t i = 0; billing_account.n && i < r->npair; i++) {
        const pair *p = &r->pair[i];
        const row *x;
        fa_price rest;

        if (!fa_str_eq(p->account, billing_account) || !fa_str_eq(p->from, currency))
            continue;
        x = find_row(p, month);
        if (!x || x->day != month)
            continue;
        if (fa_str_eq(p->to, target))
            return (fa_price){x->num, x->den};
        rest = straight(r, p->to, target, day);
        if (rest.den)
            return times((fa_price){x->num, x->den}, rest);
    }
    return of_day(r, currency, target, day);
}
