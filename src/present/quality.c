/*
 * quality.c - can the numbers be trusted today: deliveries, gaps, restatements; and the ledger
 * against the providers' invoices.
 *
 * The one idea: all of it is already kept. Each load's control totals say which days it had and what
 * they cost, so a restatement is the difference between the totals of two loads of one month, and a
 * gap is a day between the first and the last that no live load knows.
 */
#include "present/present.h"

#include <stdlib.h>
#include <string.h>

#define LOADS_MAX 400
#define SHOWN_MAX 100 /* restatements of a source, days of one, missing days */
#define DAYS_MAX 40000

typedef struct load_facts {
    const fa_load *load;
    fa_part *part;
    size_t npart;
    fa_total *total; /* step archive; read when first needed */
    size_t ntotal;
    bool has_totals;
} load_facts;

typedef struct work {
    fa_ledger *l;
    fa_arena *a;
    fa_jw *w;
    int32_t today;
    const fa_source *source;
    load_facts *load; /* oldest first */
    size_t nload;
    fa_err *e;
} work;

/* ---- JSON ---- */

static void put_day(fa_jw *w, const char *key, int32_t day)
{
    fa_buf b;

    if (key)
        fa_jw_key(w, key);
    if (day == INT32_MIN) {
        fa_jw_null(w);
        return;
    }
    fa_buf_init(&b, 64);
    fa_day_emit(&b, day);
    fa_jw_str(w, fa_buf_view(&b));
    fa_buf_release(&b);
}

static void put_month(fa_jw *w, const char *key, int32_t day)
{
    int y, m, d;
    char text[16];

    fa_day_civil(day, &y, &m, &d);
    snprintf(text, sizeof text, "%04d-%02d", y % 10000, m);
    fa_jw_key(w, key);
    fa_jw_z(w, text);
}

static void put_money(fa_jw *w, const char *key, fa_i128 v_e18)
{
    fa_buf b;

    fa_buf_init(&b, 128);
    fa_dec_emit(&b, fa_dec_round(v_e18, 10), 10, 2);
    fa_jw_key(w, key);
    fa_jw_str(w, fa_buf_view(&b));
    fa_buf_release(&b);
}

static void put_count(fa_jw *w, const char *key, int64_t n)
{
    fa_jw_key(w, key);
    fa_jw_int(w, n);
}

/* ---- reading ---- */

static fa_rc read_totals(work *w, load_facts *f)
{
    fa_total *all;
    size_t n, k = 0;

    if (f->has_totals)
        return FA_OK;
    if (fa_total_list(fa_ledger_store(w->l), w->a, fa_ledger_account(w->l), f->load->id, &all, &n,
                      w->e))
        return w->e->rc;
    for (size_t i = 0; i < n; i++) /* the archive's, and of each day its rows and its two costs */
        if (fa_str_eqz(all[i].step, "archive") &&
            (!all[i].column.n || fa_str_eqz(all[i].column, "EffectiveCost") ||
             fa_str_eqz(all[i].column, "BilledCost")))
            all[k++] = all[i];
    f->total = all;
    f->ntotal = k;
    f->has_totals = true;
    return FA_OK;
}

static fa_rc read_loads(work *w)
{
    fa_load *load;
    size_t n;

    if (fa_load_list(fa_ledger_store(w->l), w->a, fa_ledger_account(w->l), w->source->id, LOADS_MAX,
                     &load, &n, w->e))
        return w->e->rc;
    w->load = fa_arena_array(w->a, n + 1, sizeof *w->load);
    if (!w->load)
        return fa_oom(w->e);
    w->nload = n;
    for (size_t i = 0; i < n; i++) {
        load_facts *f = &w->load[n - 1 - i];

        f->load = &load[i];
        if (fa_part_of_load(fa_ledger_store(w->l), w->a, fa_ledger_account(w->l), load[i].id,
                            &f->part, &f->npart, w->e))
            return w->e->rc;
    }
    return FA_OK;
}

/* ---- restatements ---- */

/* A load's cost of one day, one currency and column; *has: it knew the day. */
static fa_i128 cost_of(const load_facts *f, int32_t day, fa_str currency, const char *column,
                       bool *has)
{
    fa_i128 v = 0;

    *has = false;
    for (size_t i = 0; i < f->ntotal; i++)
        if (f->total[i].day == day && fa_str_eqz(f->total[i].column, column) &&
            fa_str_eq(f->total[i].currency, currency)) {
            *has = true;
            (void)fa_dec_parse(f->total[i].sum, false, &v, NULL);
        }
    return v;
}

static bool in_period(const load_facts *f, int32_t day, int32_t period)
{
    return f->npart == 1 || fa_day_floor(day, FA_MONTH) == period;
}

/* Days whose cost differs between two loads of a month; both ways, each day once. */
static size_t put_changed_days(work *w, const load_facts *old, const load_facts *new,
                               int32_t period, fa_str currency, fa_i128 *before, fa_i128 *after)
{
    const load_facts *both[] = {old, new};
    size_t n = 0;

    for (size_t s = 0; s < 2; s++)
        for (size_t i = 0; i < both[s]->ntotal; i++) {
            const fa_total *t = &both[s]->total[i];
            bool in_old, in_new;
            fa_i128 x, y;

            if (!fa_str_eqz(t->column, "EffectiveCost") || !fa_str_eq(t->currency, currency) ||
                !in_period(both[s], t->day, period))
                continue;
            x = cost_of(old, t->day, currency, "EffectiveCost", &in_old);
            y = cost_of(new, t->day, currency, "EffectiveCost", &in_new);
            if (s == 1 && in_old && in_period(old, t->day, period))
                continue; /* told with the old one */
            if (!in_period(old, t->day, period))
                x = 0;
            if (!in_period(new, t->day, period))
                y = 0;
            *before += x;
            *after += y;
            if (x == y || ++n > SHOWN_MAX)
                continue;
            fa_jw_obj(w->w);
            put_day(w->w, "day", t->day);
            put_money(w->w, "before", x);
            put_money(w->w, "after", y);
            fa_jw_end_obj(w->w);
        }
    return n;
}

static void put_restatement(work *w, const load_facts *old, const load_facts *new, int32_t period,
                            fa_str currency)
{
    fa_i128 before = 0, after = 0;
    size_t n;

    fa_jw_obj(w->w);
    put_month(w->w, "period", period);
    fa_jw_key(w->w, "currency");
    fa_jw_str(w->w, currency);
    put_count(w->w, "load", new->load->id);
    put_count(w->w, "replaced", old->load->id);
    fa_jw_key(w->w, "at");
    fa_jw_time(w->w, new->load->finished_ms);
    fa_jw_key(w->w, "days");
    fa_jw_arr(w->w);
    n = put_changed_days(w, old, new, period, currency, &before, &after);
    fa_jw_end_arr(w->w);
    put_count(w->w, "changedDays", (int64_t)n);
    put_money(w->w, "before", before);
    put_money(w->w, "after", after);
    put_money(w->w, "change", after - before);
    fa_jw_end_obj(w->w);
}

static bool was_live(const fa_load *l)
{
    return fa_str_eqz(l->state, "live") || fa_str_eqz(l->state, "replaced");
}

static const load_facts *load_before(const work *w, size_t at, int32_t period)
{
    for (size_t i = at; i-- > 0;)
        for (size_t p = 0; was_live(w->load[i].load) && p < w->load[i].npart; p++)
            if (w->load[i].part[p].period == period)
                return &w->load[i];
    return NULL;
}

static bool is_first_of(const load_facts *f, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (fa_str_eq(f->total[i].currency, f->total[at].currency))
            return false;
    return true;
}

static fa_rc put_restatements(work *w)
{
    size_t shown = 0;

    fa_jw_key(w->w, "restatements");
    fa_jw_arr(w->w);
    for (size_t i = w->nload; i-- > 0 && shown < SHOWN_MAX;) {
        load_facts *new = &w->load[i];

        for (size_t p = 0; was_live(new->load) && p < new->npart; p++) {
            load_facts *old = (load_facts *)load_before(w, i, new->part[p].period);

            if (!old)
                continue;
            if (read_totals(w, old) || read_totals(w, new))
                return w->e->rc;
            for (size_t k = 0; k < new->ntotal &&shown < SHOWN_MAX; k++)
                if (is_first_of(new, k)) {
                    shown++;
                    put_restatement(w, old, new, new->part[p].period, new->total[k].currency);
                }
        }
    }
    fa_jw_end_arr(w->w);
    return FA_OK;
}

/* ---- days ---- */

static fa_rc put_days(work *w)
{
    int32_t first = INT32_MIN, last = INT32_MIN, yesterday = w->today - 1;
    size_t missing = 0;
    bool *seen;

    for (int pass = 0; pass < 2; pass++) {
        if (pass) {
            if (first == INT32_MIN || (int64_t)last - first >= DAYS_MAX)
                break;
            if (!(seen = fa_arena_array(w->a, (size_t)(last - first) + 1, sizeof *seen)))
                return fa_oom(w->e);
        }
        for (size_t i = 0; i < w->nload; i++) {
            load_facts *f = &w->load[i];

            if (!fa_str_eqz(f->load->state, "live"))
                continue;
            if (read_totals(w, f))
                return w->e->rc;
            for (size_t k = 0; k < f->ntotal; k++) {
                if (f->total[k].column.n || f->total[k].day == INT32_MIN)
                    continue;
                if (pass)
                    seen[f->total[k].day - first] = true;
                else if (first == INT32_MIN || f->total[k].day < first)
                    first = f->total[k].day;
                if (!pass && f->total[k].day > last)
                    last = f->total[k].day;
            }
        }
    }
    put_day(w->w, "firstDay", first);
    put_day(w->w, "knownTo", last);
    put_count(w->w, "lateDays", last != INT32_MIN && last < yesterday ? yesterday - last : 0);
    fa_jw_key(w->w, "missingDays");
    fa_jw_arr(w->w);
    for (int32_t d = first; first != INT32_MIN && last - first < DAYS_MAX && d <= last; d++)
        if (!seen[d - first] && ++missing <= SHOWN_MAX)
            put_day(w->w, NULL, d);
    fa_jw_end_arr(w->w);
    put_count(w->w, "missing", (int64_t)missing);
    return FA_OK;
}

/* ---- the rest of a source ---- */

static void put_notices(work *w)
{
    fa_jw_key(w->w, "notices");
    fa_jw_arr(w->w);
    for (size_t i = w->nload; i-- > 0;) {
        const fa_load *l = w->load[i].load;
        json_t *detail, *text;
        size_t k;

        if (!fa_str_eqz(l->state, "live"))
            continue;
        detail = json_loadb(l->detail.p ? l->detail.p : "", l->detail.n, 0, NULL);
        json_array_foreach(json_object_get(detail, "notices"), k, text) if (k < SHOWN_MAX)
        {
            fa_jw_obj(w->w);
            put_count(w->w, "load", l->id);
            fa_jw_key(w->w, "text");
            fa_jw_str(w->w, (fa_str){json_string_value(text), json_string_length(text)});
            fa_jw_end_obj(w->w);
        }
        json_decref(detail);
    }
    fa_jw_end_arr(w->w);
}

static fa_rc put_source(work *w)
{
    int64_t delivered = -1, looked = -1, duplicates = 0, failed = 0;
    const fa_load *last_failed = NULL;

    if (read_loads(w))
        return w->e->rc;
    for (size_t i = 0; i < w->nload; i++) {
        const fa_load *l = w->load[i].load;

        looked = l->finished_ms > looked ? l->finished_ms : looked;
        duplicates += fa_str_eqz(l->state, "unchanged");
        if (was_live(l) && l->finished_ms > delivered)
            delivered = l->finished_ms;
        if (fa_str_eqz(l->state, "failed")) {
            failed++;
            last_failed = l;
        }
    }
    fa_jw_obj(w->w);
    put_count(w->w, "id", w->source->id);
    fa_jw_key(w->w, "name");
    fa_jw_str(w->w, w->source->name);
    fa_jw_key(w->w, "lastDelivery");
    fa_jw_time(w->w, delivered);
    fa_jw_key(w->w, "lastLoad");
    fa_jw_time(w->w, looked);
    put_count(w->w, "duplicates", duplicates);
    put_count(w->w, "failed", failed);
    fa_jw_key(w->w, "lastFailure");
    if (last_failed)
        fa_jw_str(w->w, last_failed->error);
    else
        fa_jw_null(w->w);
    if (put_days(w) || put_restatements(w))
        return w->e->rc;
    put_notices(w);
    fa_jw_end_obj(w->w);
    return FA_OK;
}

fa_rc fa_quality_json(fa_ledger *l, fa_arena *a, fa_jw *jw, fa_err *e)
{
    fa_err scratch = {0};
    work w = {.l = l, .a = a, .w = jw, .today = fa_ms_day(fa_now_ms()), .e = e ? e : &scratch};
    fa_source *source;
    size_t n;

    if (fa_source_list(fa_ledger_store(l), a, fa_ledger_account(l), &source, &n, w.e))
        return w.e->rc;
    fa_jw_obj(jw);
    put_day(jw, "today", w.today);
    fa_jw_key(jw, "sources");
    fa_jw_arr(jw);
    for (size_t i = 0; i < n; i++) {
        w.source = &source[i];
        if (put_source(&w))
            return w.e->rc;
    }
    fa_jw_end_arr(jw);
    fa_jw_end_obj(jw);
    return FA_OK;
}

/* ---- reconciling ---- */

typedef struct money_row {
    fa_str name;
    int64_t rows;
    fa_i128 sum;
} money_row;

static void add_money(money_row *row, size_t *n, fa_str name, int64_t rows, fa_i128 v)
{
    size_t i = 0;

    while (i < *n && !fa_str_eq(row[i].name, name))
        i++;
    if (i == *n)
        row[(*n)++] = (money_row){.name = name};
    row[i].rows += rows;
    row[i].sum += v;
}

static void put_rows(fa_jw *w, const char *key, const char *name, const money_row *row, size_t n)
{
    fa_jw_key(w, key);
    fa_jw_arr(w);
    for (size_t i = 0; i < n; i++) {
        fa_jw_obj(w);
        fa_jw_key(w, name);
        fa_jw_str(w, row[i].name);
        put_count(w, "rows", row[i].rows);
        put_money(w, "amount", row[i].sum);
        fa_jw_end_obj(w);
    }
    fa_jw_end_arr(w);
}

/* Puts what was entered for the month and gives its sum; *n: how many. */
static fa_i128 put_entered(fa_jw *w, const fa_invoiced *at, const fa_invoice *v, size_t nv,
                           size_t *n)
{
    fa_i128 sum = 0;

    fa_jw_key(w, "entered");
    fa_jw_arr(w);
    for (size_t i = 0; i < nv; i++) {
        fa_i128 x = 0;

        if (v[i].source_id != at->source_id || v[i].period != at->period ||
            !fa_str_eq(v[i].currency, at->currency))
            continue;
        (void)fa_dec_parse(v[i].amount, false, &x, NULL);
        sum += x;
        (*n)++;
        fa_jw_obj(w);
        fa_jw_key(w, "number");
        fa_jw_str(w, v[i].number);
        put_money(w, "amount", x);
        fa_jw_key(w, "note");
        fa_jw_str(w, v[i].note);
        fa_jw_key(w, "by");
        fa_jw_str(w, v[i].entered_by);
        fa_jw_key(w, "at");
        fa_jw_time(w, v[i].entered_ms);
        fa_jw_end_obj(w);
    }
    fa_jw_end_arr(w);
    return sum;
}

/* One month of one source in one currency: row[0..n). What is entered is held against the whole;
 * without that, what the bill itself says was invoiced. */
static fa_rc put_month_of(fa_arena *a, fa_jw *w, fa_str source, const fa_invoiced *row, size_t n,
                          const fa_invoice *v, size_t nv, fa_err *e)
{
    money_row *kind = fa_arena_array(a, n, sizeof *kind),
              *number = fa_arena_array(a, n, sizeof *number);
    size_t nkind = 0, nnumber = 0, entered = 0;
    fa_i128 billed = 0, open = 0, expected, difference;
    int64_t rows = 0, open_rows = 0;

    if (!kind || !number)
        return fa_oom(e);
    for (size_t i = 0; i < n; i++) {
        rows += row[i].rows;
        billed += row[i].billed_e18;
        add_money(kind, &nkind, row[i].category, row[i].rows, row[i].billed_e18);
        if (row[i].invoice.n) {
            add_money(number, &nnumber, row[i].invoice, row[i].rows, row[i].billed_e18);
        } else {
            open += row[i].billed_e18;
            open_rows += row[i].rows;
        }
    }
    fa_jw_obj(w);
    put_count(w, "sourceId", row->source_id);
    fa_jw_key(w, "source");
    fa_jw_str(w, source);
    put_month(w, "period", row->period);
    fa_jw_key(w, "currency");
    fa_jw_str(w, row->currency);
    put_count(w, "rows", rows);
    put_money(w, "billed", billed);
    put_rows(w, "charges", "category", kind, nkind);
    put_rows(w, "invoices", "number", number, nnumber);
    put_count(w, "openRows", open_rows);
    put_money(w, "open", open);
    expected = put_entered(w, row, v, nv, &entered);
    if (!entered)
        expected = billed - open;
    difference = billed - expected;
    fa_jw_key(w, "against");
    fa_jw_z(w, entered ? "entered" : nnumber ? "bill" : "nothing");
    put_money(w, "expected", expected);
    put_money(w, "difference", difference);
    fa_jw_key(w, "state");
    fa_jw_z(w, !entered && !nnumber               ? "open"
               : fa_dec_round(difference, 2) == 0 ? "equal"
                                                  : "differs");
    fa_jw_end_obj(w);
    return FA_OK;
}

static int by_month(const void *x, const void *y)
{
    const fa_invoiced *p = x, *q = y;

    if (p->period != q->period)
        return p->period > q->period ? -1 : 1;
    if (p->source_id != q->source_id)
        return p->source_id < q->source_id ? -1 : 1;
    return fa_str_cmp(p->currency, q->currency);
}

fa_rc fa_reconcile_json(fa_ledger *l, fa_arena *a, int64_t deadline_mono_ms, fa_jw *w, fa_err *e)
{
    fa_store *st = fa_ledger_store(l);
    fa_invoiced *row;
    fa_invoice *v;
    fa_source *source;
    size_t n, nv, ns;
    fa_rc rc;

    if ((rc = fa_ledger_invoiced(l, a, deadline_mono_ms, &row, &n, e)) ||
        (rc = fa_invoice_list(st, a, fa_ledger_account(l), &v, &nv, e)) ||
        (rc = fa_source_list(st, a, fa_ledger_account(l), &source, &ns, e)))
        return rc;
    if (n)
        qsort(row, n, sizeof *row, by_month);
    fa_jw_obj(w);
    fa_jw_key(w, "months");
    fa_jw_arr(w);
    for (size_t i = 0, k; !rc && i < n; i = k) {
        fa_str name = {"", 0};

        for (k = i + 1; k < n && by_month(&row[i], &row[k]) == 0;)
            k++;
        for (size_t s = 0; s < ns; s++)
            if (source[s].id == row[i].source_id)
                name = source[s].name;
        rc = put_month_of(a, w, name, row + i, k - i, v, nv, e);
    }
    fa_jw_end_arr(w);
    fa_jw_end_obj(w);
    return rc;
}
