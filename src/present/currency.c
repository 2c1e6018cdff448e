/*
 * currency.c - the account's currency and its rate table: shown, entered, read from CSV, ended.
 *
 * The one idea: a rate is never changed. What is entered is compared with what holds; where it differs the old row ends
 * and a new one begins, in one transaction with its line in the audit log, and every answer from then on knows it.
 */
#include "present/present.h"

#include <stdlib.h>
#include <string.h>

enum { RATES_MAX = 100000, LIST_MAX = 5000, ERRORS_SHOWN = 50, TEXT_MAX = 200, CELL_MAX = 400 };

/* ---- showing ---- */

static void put_text(fa_jw *w, const char *key, fa_str v)
{
    fa_jw_key(w, key);
    fa_jw_str(w, v);
}

static void put_date(fa_jw *w, const char *key, int32_t day, bool none)
{
    fa_buf b = {0};

    fa_jw_key(w, key);
    if (none) {
        fa_jw_null(w);
        return;
    }
    fa_day_emit(&b, day);
    fa_jw_str(w, fa_buf_view(&b));
    fa_buf_release(&b);
}

static void put_when(fa_jw *w, const char *key, int64_t ms)
{
    fa_buf b = {0};

    fa_jw_key(w, key);
    if (ms < 0) {
        fa_jw_null(w);
        return;
    }
    fa_time_iso(&b, ms);
    fa_jw_str(w, fa_buf_view(&b));
    fa_buf_release(&b);
}

static void put_rate(fa_jw *w, const fa_rate_row *v)
{
    fa_jw_obj(w);
    fa_jw_key(w, "id");
    fa_jw_int(w, v->id);
    put_text(w, "currency", v->currency);
    put_text(w, "target", v->target);
    put_date(w, "day", v->day, false);
    put_text(w, "rate", v->rate);
    put_text(w, "billingAccount", v->billing_account);
    put_text(w, "invoice", v->invoice);
    put_text(w, "origin", v->origin);
    put_text(w, "enteredBy", v->entered_by);
    put_when(w, "enteredAt", v->entered_ms);
    put_text(w, "endedBy", v->ended_by);
    put_when(w, "endedAt", v->ended_ms);
    fa_jw_end_obj(w);
}

static fa_rc account_of(fa_ledger *l, fa_arena *a, fa_account *out, bool *chosen, fa_err *e)
{
    fa_str set;

    if (fa_account_first(fa_ledger_store(l), a, out, e) ||
        fa_setting_get(fa_ledger_store(l), a, out->id, FA_STR(FA_CURRENCY_SETTING), &set, e))
        return e->rc;
    *chosen = set.n > 0;
    return FA_OK;
}

/* Each pair of the table with how far it goes. */
static void put_pairs(fa_jw *w, const fa_rate_row *v, size_t n)
{
    fa_jw_key(w, "pairs");
    fa_jw_arr(w);
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i; end < n && fa_str_eq(v[end].currency, v[i].currency) &&
                      fa_str_eq(v[end].target, v[i].target) &&
                      fa_str_eq(v[end].billing_account, v[i].billing_account);
             end++)
            ;
        fa_jw_obj(w);
        put_text(w, "currency", v[i].currency);
        put_text(w, "target", v[i].target);
        put_text(w, "billingAccount", v[i].billing_account);
        fa_jw_key(w, "rates");
        fa_jw_int(w, (int64_t)(end - i));
        put_date(w, "first", v[i].day, false);
        put_date(w, "last", v[end - 1].day, false);
        put_text(w, "rate", v[end - 1].rate);
        fa_jw_end_obj(w);
    }
    fa_jw_end_arr(w);
}

fa_rc fa_currency_json(fa_ledger *l, fa_arena *a, const fa_filter *scope, int64_t deadline_mono_ms,
                       fa_jw *w, fa_err *e)
{
    fa_account account;
    fa_currency_use *use;
    fa_rate_row *rate;
    const char *const *code;
    size_t nuse, nrate, ncode;
    bool chosen = false;

    if (account_of(l, a, &account, &chosen, e) ||
        fa_currency_uses(l, a, account.currency, scope, deadline_mono_ms, &use, &nuse, e) ||
        fa_rate_live(fa_ledger_store(l), a, account.id, &rate, &nrate, e))
        return e->rc;
    fa_jw_obj(w);
    put_text(w, "currency", account.currency);
    fa_jw_key(w, "chosen");
    fa_jw_bool(w, chosen);
    fa_jw_key(w, "bills");
    fa_jw_arr(w);
    for (size_t i = 0; i < nuse; i++) {
        fa_jw_obj(w);
        put_text(w, "currency", use[i].currency);
        put_date(w, "first", use[i].first, use[i].first == INT32_MAX);
        put_date(w, "last", use[i].last, use[i].last == INT32_MIN);
        put_date(w, "missing", use[i].missing, use[i].missing == INT32_MAX);
        fa_jw_end_obj(w);
    }
    fa_jw_end_arr(w);
    put_pairs(w, rate, nrate);
    fa_jw_key(w, "rates");
    fa_jw_int(w, (int64_t)nrate);
    code = fa_currencies(&ncode);
    fa_jw_key(w, "codes");
    fa_jw_arr(w);
    for (size_t i = 0; i < ncode; i++)
        fa_jw_z(w, code[i]);
    fa_jw_end_arr(w);
    fa_jw_end_obj(w);
    return FA_OK;
}

static bool is_asked(const fa_rate_row *v, const fa_rate_ask *q)
{
    return (!q->currency.n || fa_str_eq(v->currency, q->currency)) &&
           (!q->target.n || fa_str_eq(v->target, q->target)) && v->day <= q->until;
}

static int newest_first(const void *x, const void *y)
{
    const fa_rate_row *p = *(const fa_rate_row *const *)x, *q = *(const fa_rate_row *const *)y;

    if (p->day != q->day)
        return p->day > q->day ? -1 : 1;
    return p->id > q->id ? -1 : p->id < q->id;
}

fa_rc fa_rates_json(fa_ledger *l, fa_arena *a, const fa_rate_ask *q, fa_jw *w, fa_err *e)
{
    const fa_rate_row **pick;
    fa_rate_row *v;
    size_t n, kept = 0;
    fa_rc rc = q->history
                   ? fa_rate_all(fa_ledger_store(l), a, fa_ledger_account(l), RATES_MAX, &v, &n, e)
                   : fa_rate_live(fa_ledger_store(l), a, fa_ledger_account(l), &v, &n, e);

    if (rc)
        return rc;
    pick = fa_arena_array(a, n + 1, sizeof(fa_rate_row *));
    if (!pick)
        return fa_oom(e);
    for (size_t i = 0; i < n; i++)
        if (is_asked(&v[i], q))
            pick[kept++] = &v[i];
    if (kept && !q->history) /* history: as it was entered */
        qsort(pick, kept, sizeof *pick, newest_first);
    fa_jw_obj(w);
    fa_jw_key(w, "rates");
    fa_jw_arr(w);
    for (size_t i = 0; i < kept && i < q->limit; i++)
        put_rate(w, pick[i]);
    fa_jw_end_arr(w);
    fa_jw_key(w, "count");
    fa_jw_int(w, (int64_t)kept);
    fa_jw_end_obj(w);
    return FA_OK;
}

/* ---- entering ---- */

static fa_rc wrong(fa_err *e, const char *field, const char *what)
{
    (void)fa_fail(e, FA_EINVAL, "%s %s", field, what);
    return fa_at(e, field);
}

/* One rate as texts, whatever it was read from; every word is checked, and the rate written in its shortest form. */
typedef struct words {
    fa_str currency, target, day, rate, billing_account, invoice;
} words;

static fa_rc check_rate(fa_str text, fa_arena *a, fa_str *out, fa_err *e)
{
    fa_u128 num, den;
    fa_i128 v;
    fa_buf b = {0};

    if (!fa_rate_parse(text, &num, &den) || !fa_dec_parse(text, false, &v, NULL))
        return wrong(
            e, "rate",
            "must be a number above 0 of at most 18 digits, with a point before the decimals");
    fa_dec_emit(&b, v, 18, 0);
    *out = fa_buf_dup(&b, a);
    fa_buf_release(&b);
    return out->p ? FA_OK : fa_oom(e);
}

static fa_rc check_day(const words *t, int32_t *day, fa_err *e)
{
    fa_buf b = {0};
    int32_t first = 0;
    bool ok;

    if (t->billing_account.n && t->day.n == 7) { /* a month */
        fa_buf_str(&b, t->day);
        fa_buf_z(&b, "-01");
        ok = !b.failed && fa_day_parse(fa_buf_view(&b), &first);
        fa_buf_release(&b);
    } else {
        ok = fa_day_parse(t->day, &first);
    }
    if (!ok || first < fa_day_of(1990, 1, 1) || first > fa_day_of(2199, 12, 31))
        return wrong(e, "day", "must be a day such as 2026-10-31");
    *day = t->billing_account.n ? fa_day_floor(first, FA_MONTH) : first;
    return FA_OK;
}

static fa_rc check_words(const words *t, fa_str own, fa_arena *a, fa_rate_row *v, fa_err *e)
{
    v->currency = t->currency;
    v->target = t->target.n ? t->target : own;
    v->billing_account = t->billing_account.n ? t->billing_account : FA_STR("");
    v->invoice = t->invoice.n ? t->invoice : FA_STR("");
    if (!fa_currency_known(v->currency))
        return wrong(e, "currency", "must be a code of ISO 4217 such as EUR");
    if (!fa_currency_known(v->target))
        return wrong(e, "target", "must be a code of ISO 4217 such as USD");
    if (fa_str_eq(v->currency, v->target))
        return wrong(e, "target", "must be another currency than the rate is of");
    if (v->billing_account.n > TEXT_MAX || !fa_utf8_valid(v->billing_account))
        return wrong(e, "billingAccount", "must not be longer than 200 bytes");
    if (v->invoice.n > TEXT_MAX || !fa_utf8_valid(v->invoice))
        return wrong(e, "invoice", "must not be longer than 200 bytes");
    if (v->invoice.n && !v->billing_account.n)
        return wrong(e, "billingAccount",
                     "is missing: a rate of an invoice is of one billing account");
    if (check_day(t, &v->day, e))
        return e->rc;
    return check_rate(t->rate, a, &v->rate, e);
}

/* One that holds already for the same pair and day. */
static fa_rc replace_one(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_rate_row *v,
                         fa_rates_change *out, fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    fa_str account = fa_ledger_account(l);
    fa_rate_row old;
    fa_rc rc = fa_rate_find(s, a, account, v, &old, e);

    if (rc && rc != FA_ENOTFOUND)
        return rc;
    if (rc == FA_OK && fa_str_eq(old.rate, v->rate) && fa_str_eq(old.invoice, v->invoice)) {
        out->same++;
        return FA_OK;
    }
    if (rc == FA_OK) {
        if (fa_rate_end(s, account, old.id, by->email, v->entered_ms, e))
            return e->rc;
        out->changed++;
    } else {
        *e = (fa_err){0};
        out->added++;
    }
    return fa_rate_add(s, account, v, e);
}

static fa_rc audit(fa_ledger *l, const fa_caller *by, const char *action, fa_str id, fa_str before,
                   fa_str after, fa_err *e)
{
    const fa_audit v = {.action = action,
                        .object_type = "currency",
                        .object_id = id,
                        .object_name = id,
                        .before = before,
                        .after = after};

    return fa_audit_add(l, by, &v, e);
}

static void describe(fa_buf *b, const fa_rate_row *v)
{
    fa_jw w;

    fa_jw_init(&w, b);
    put_rate(&w, v);
}

/* What changed, for the log: the rate when it is one, else how many. */
static fa_rc audit_rates(fa_ledger *l, const fa_caller *by, const fa_rate_row *v, size_t n,
                         const fa_rates_change *c, fa_err *e)
{
    fa_buf b = {0};
    fa_rc rc;

    if (n == 1) {
        describe(&b, v);
    } else {
        fa_jw w;

        fa_jw_init(&w, &b);
        fa_jw_obj(&w);
        fa_jw_key(&w, "added");
        fa_jw_int(&w, c->added);
        fa_jw_key(&w, "changed");
        fa_jw_int(&w, c->changed);
        put_text(&w, "origin", v->origin);
        fa_jw_end_obj(&w);
    }
    rc = b.failed ? fa_oom(e)
                  : audit(l, by, "currency.rates", n == 1 ? v->currency : FA_STR("rates"),
                          (fa_str){0}, fa_buf_view(&b), e);
    fa_buf_release(&b);
    return rc;
}

static fa_rc check_room(fa_ledger *l, fa_arena *a, int64_t added, fa_err *e)
{
    fa_rate_row *v;
    size_t n;

    if (fa_rate_live(fa_ledger_store(l), a, fa_ledger_account(l), &v, &n, e))
        return e->rc;
    return added && n > RATES_MAX
               ? fa_fail(e, FA_EDATA, "the rate table would have more than %d rows", RATES_MAX)
               : FA_OK;
}

static fa_rc save_all(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_rate_row *v, size_t n,
                      fa_rates_change *out, fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    fa_rc rc = fa_store_begin(s, e);

    if (rc)
        return rc;
    for (size_t i = 0; i < n && !rc; i++) {
        v[i].entered_by = by->email;
        v[i].entered_ms = fa_now_ms();
        rc = replace_one(l, a, by, &v[i], out, e);
    }
    if (!rc)
        rc = check_room(l, a, out->added, e);
    if (!rc && out->added + out->changed)
        rc = audit_rates(l, by, v, n, out, e);
    if (!rc)
        rc = fa_store_commit(s, e);
    else
        fa_store_rollback(s);
    fa_rates_changed();
    return rc;
}

static fa_rc word_of(const json_t *o, const char *name, fa_str *out, fa_err *e)
{
    const json_t *v = json_object_get(o, name);

    *out = (fa_str){"", 0};
    if (!v || json_is_null(v))
        return FA_OK;
    if (!json_is_string(v))
        return wrong(e, name, "must be a text");
    *out = fa_str_trim((fa_str){json_string_value(v), json_string_length(v)});
    return FA_OK;
}

static fa_rc read_one(const json_t *o, fa_str own, fa_arena *a, fa_rate_row *v, fa_err *e)
{
    words t;

    if (!json_is_object(o))
        return fa_fail(e, FA_EINVAL, "must be an object with currency, day and rate");
    if (word_of(o, "currency", &t.currency, e) || word_of(o, "target", &t.target, e) ||
        word_of(o, "day", &t.day, e) || word_of(o, "rate", &t.rate, e) ||
        word_of(o, "billingAccount", &t.billing_account, e) ||
        word_of(o, "invoice", &t.invoice, e) || check_words(&t, own, a, v, e))
        return e->rc;
    v->origin = v->billing_account.n ? FA_STR("invoice") : FA_STR("form");
    return FA_OK;
}

fa_rc fa_rates_save(fa_ledger *l, fa_arena *a, const fa_caller *by, const json_t *list,
                    fa_rates_change *out, fa_err *e)
{
    size_t n = json_array_size(list);
    fa_rate_row *v = fa_arena_array(a, n + 1, sizeof *v);
    fa_account account;
    bool chosen;
    char field[200];

    *out = (fa_rates_change){0};
    if (!v)
        return fa_oom(e);
    if (!json_is_array(list) || n == 0 || n > LIST_MAX)
        return wrong(e, "rates", "must be a list of 1 to 5,000 rates");
    if (account_of(l, a, &account, &chosen, e))
        return e->rc;
    for (size_t i = 0; i < n; i++) {
        if (read_one(json_array_get(list, i), account.currency, a, &v[i], e) == FA_OK)
            continue;
        snprintf(field, sizeof field, "rates[%zu]%s%.100s", i, *e->field ? "." : "", e->field);
        return fa_at(e, field);
    }
    return save_all(l, a, by, v, n, out, e);
}

fa_rc fa_rate_remove(fa_ledger *l, fa_arena *a, const fa_caller *by, int64_t id, fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    fa_rate_row v;
    fa_buf b = {0};
    fa_rc rc = fa_store_begin(s, e);

    if (rc)
        return rc;
    if (!(rc = fa_rate_get(s, a, fa_ledger_account(l), id, &v, e)) &&
        !(rc = fa_rate_end(s, fa_ledger_account(l), id, by->email, fa_now_ms(), e))) {
        describe(&b, &v);
        rc = b.failed
                 ? fa_oom(e)
                 : audit(l, by, "currency.rate.end", v.currency, fa_buf_view(&b), (fa_str){0}, e);
    }
    if (!rc)
        rc = fa_store_commit(s, e);
    else
        fa_store_rollback(s);
    fa_buf_release(&b);
    fa_rates_changed();
    return rc;
}

fa_rc fa_currency_choose(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_str code, fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    fa_account account;
    char before[40], after[40];
    bool chosen;
    fa_rc rc;

    if (!fa_currency_known(code))
        return wrong(e, "currency", "must be a code of ISO 4217 such as USD");
    if ((rc = fa_store_begin(s, e)))
        return rc;
    if (!(rc = account_of(l, a, &account, &chosen, e))) {
        snprintf(before, sizeof before, "{\"currency\":\"%.3s\"}", account.currency.p);
        snprintf(after, sizeof after, "{\"currency\":\"%.3s\"}", code.p);
        account.currency = code;
        if (!(rc = fa_account_put(s, &account, e)) &&
            !(rc = fa_setting_put(s, account.id, FA_STR(FA_CURRENCY_SETTING), FA_STR("yes"), e)))
            rc = audit(l, by, "currency.account", account.id, fa_str_of(before), fa_str_of(after),
                       e);
    }
    if (!rc)
        rc = fa_store_commit(s, e);
    else
        fa_store_rollback(s);
    fa_rates_changed();
    return rc;
}

/* ---- CSV ---- */

/* The file's columns by the names people give them; -1: it has none. */
enum { C_DAY, C_CURRENCY, C_TARGET, C_RATE, C_ACCOUNT, C_INVOICE, C__COUNT };
static const struct {
    const char *names[5];
    bool required;
} columns[C__COUNT] = {
    [C_DAY] = {{"day", "date", "month"}, true},
    [C_CURRENCY] = {{"currency", "from", "from currency", "base"}, true},
    [C_TARGET] = {{"target", "to", "to currency", "quote"}, false},
    [C_RATE] = {{"rate", "value", "exchange rate"}, true},
    [C_ACCOUNT] = {{"billing account", "billingaccount", "billingaccountid", "account"}, false},
    [C_INVOICE] = {{"invoice", "invoice number", "invoiceid"}, false},
};

static bool is_named(fa_str cell, int column)
{
    for (size_t i = 0; i < FA_COUNT(columns[column].names) && columns[column].names[i]; i++)
        if (fa_str_ieq(cell, fa_str_of(columns[column].names[i])))
            return true;
    return false;
}

static fa_rc read_head(fa_csv *c, int at[C__COUNT], fa_err *e)
{
    bool more;

    if (fa_csv_next(c, &more, e))
        return e->rc;
    if (more && c->n == 1 && memchr(c->cell[0].p, ';', c->cell[0].n)) {
        (void)fa_fail(e, FA_EDATA, "line 1: columns must be separated by commas, not semicolons");
        return e->rc;
    }
    for (int k = 0; k < C__COUNT; k++) {
        at[k] = -1;
        for (size_t i = 0; more && i < c->n; i++)
            if (is_named(fa_str_trim(c->cell[i]), k)) {
                if (at[k] >= 0)
                    return fa_fail(e, FA_EDATA, "line 1: two columns are called %s",
                                   columns[k].names[0]);
                at[k] = (int)i;
            }
        if (at[k] < 0 && columns[k].required) {
            (void)fa_fail(e, FA_EDATA, "line 1: there is no column %s", columns[k].names[0]);
            return fa_hint(e, "the first line names the columns: day,currency,target,rate");
        }
    }
    return FA_OK;
}

static void put_error(fa_rates_change *out, fa_arena *a, int64_t line, const fa_err *e)
{
    if (out->nerror++ >= ERRORS_SHOWN)
        return;
    if (!out->error)
        out->error = fa_arena_array(a, ERRORS_SHOWN, sizeof *out->error);
    if (out->error)
        out->error[out->nerror - 1] =
            (fa_rates_error){.line = line, .text = fa_arena_dup(a, fa_str_of(e->msg))};
}

static fa_str cell_of(const fa_csv *c, fa_arena *a, int at)
{
    fa_str s = at >= 0 && (size_t)at < c->n ? fa_str_trim(c->cell[at]) : (fa_str){"", 0};

    return s.n > CELL_MAX ? (fa_str){"?", 1} : fa_arena_dup(a, s);
}

static bool same_place(const fa_rate_row *x, const fa_rate_row *y)
{
    return x->day == y->day && fa_str_eq(x->currency, y->currency) &&
           fa_str_eq(x->target, y->target) && fa_str_eq(x->billing_account, y->billing_account);
}

static int by_place(const void *px, const void *py)
{
    const fa_rate_row *x = px, *y = py;
    int c = fa_str_cmp(x->currency, y->currency);

    c = c ? c : fa_str_cmp(x->target, y->target);
    c = c ? c : fa_str_cmp(x->billing_account, y->billing_account);
    c = c ? c : (x->day > y->day) - (x->day < y->day);
    return c ? c : (x->id > y->id) - (x->id < y->id); /* id: the line */
}

/* Two lines that say different things of one day. */
static void find_doubles(fa_rate_row *v, size_t *n, fa_arena *a, fa_rates_change *out)
{
    size_t kept = 0;

    if (*n)
        qsort(v, *n, sizeof *v, by_place);
    for (size_t i = 0; i < *n; i++) {
        fa_err e = {0};

        if (!kept || !same_place(&v[i], &v[kept - 1])) {
            v[kept++] = v[i];
            continue;
        }
        if (fa_str_eq(v[i].rate, v[kept - 1].rate))
            continue;
        (void)fa_fail(&e, FA_EDATA, "rate differs from that of line %lld for the same day",
                      (long long)v[kept - 1].id);
        put_error(out, a, v[i].id, &e);
    }
    *n = kept;
}

static fa_rc read_csv(fa_csv *c, const int at[C__COUNT], fa_str own, fa_arena *a, fa_rate_row **out,
                      size_t *n, fa_rates_change *change, fa_err *e)
{
    size_t cap = 0;
    bool more;

    for (;;) {
        fa_err why = {0};
        fa_str cell[C__COUNT] = {{0}};
        words t;

        if (fa_csv_next(c, &more, e))
            return e->rc;
        if (!more)
            return FA_OK;
        if (*n == RATES_MAX)
            return fa_fail(e, FA_EDATA, "the file has more than %d rates", RATES_MAX);
        if (*n == cap) {
            fa_rate_row *grown = fa_arena_array(a, cap = cap ? cap * 2 : 256, sizeof *grown);

            if (!grown)
                return fa_oom(e);
            if (*n)
                memcpy(grown, *out, *n * sizeof *grown);
            *out = grown;
        }
        for (int k = 0; k < C__COUNT; k++)
            if (!(cell[k] = cell_of(c, a, at[k])).p)
                return fa_oom(e);
        t = (words){cell[C_CURRENCY], cell[C_TARGET],  cell[C_DAY],
                    cell[C_RATE],     cell[C_ACCOUNT], cell[C_INVOICE]};
        (*out)[*n] = (fa_rate_row){.id = c->line, .origin = FA_STR("csv")};
        if (check_words(&t, own, a, &(*out)[*n], &why) == FA_OK)
            ++*n;
        else
            put_error(change, a, c->line, &why);
    }
}

/* The lines with something wrong refuse the file: all or nothing. */
static fa_rc refuse(const fa_rates_change *c, fa_err *e)
{
    (void)fa_fail(e, FA_EDATA, "line %lld: %.*s", (long long)c->error[0].line,
                  FA_FMT(c->error[0].text));
    if (c->nerror > 1)
        (void)fa_fail(e, FA_EDATA, "line %lld: %.*s; %zu more lines are wrong",
                      (long long)c->error[0].line, FA_FMT(c->error[0].text), c->nerror - 1);
    return fa_hint(e, "nothing was saved; try the file to see every line that is wrong");
}

/* What saving would do, without doing it. */
static fa_rc count_changes(fa_ledger *l, fa_arena *a, const fa_rate_row *v, size_t n,
                           fa_rates_change *out, fa_err *e)
{
    fa_rate_row *old;
    size_t nold, k = 0;

    if (fa_rate_live(fa_ledger_store(l), a, fa_ledger_account(l), &old, &nold, e))
        return e->rc;
    if (nold)
        qsort(old, nold, sizeof *old, by_place);
    for (size_t i = 0; i < n; i++) {
        fa_rate_row like = v[i];

        like.id = 0; /* before any row of its place */
        while (k < nold && by_place(&old[k], &like) < 0)
            k++;
        if (k == nold || !same_place(&old[k], &v[i]))
            out->added++;
        else if (fa_str_eq(old[k].rate, v[i].rate) && fa_str_eq(old[k].invoice, v[i].invoice))
            out->same++;
        else
            out->changed++;
    }
    return FA_OK;
}

fa_rc fa_rates_csv(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_str text, bool dry,
                   fa_rates_change *out, fa_err *e)
{
    int at[C__COUNT] = {0};
    fa_rate_row *v = NULL;
    size_t n = 0;
    fa_account account;
    bool chosen;
    fa_csv c;
    fa_rc rc;

    *out = (fa_rates_change){0};
    if (!fa_utf8_valid(text))
        return fa_fail(e, FA_EDATA, "the file is not UTF-8");
    if (account_of(l, a, &account, &chosen, e))
        return e->rc;
    fa_csv_init(&c, text);
    if (!(rc = read_head(&c, at, e)))
        rc = read_csv(&c, at, account.currency, a, &v, &n, out, e);
    fa_csv_release(&c);
    if (rc)
        return rc;
    find_doubles(v, &n, a, out);
    out->rows = (int64_t)n;
    if (!n && !out->nerror)
        return fa_fail(e, FA_EDATA, "the file has no rates");
    if (dry)
        return count_changes(l, a, v, n, out, e);
    if (out->nerror)
        return out->error ? refuse(out, e) : fa_oom(e);
    return save_all(l, a, by, v, n, out, e);
}

void fa_rates_change_json(fa_jw *w, const fa_rates_change *c)
{
    fa_jw_obj(w);
    fa_jw_key(w, "rows");
    fa_jw_int(w, c->rows);
    fa_jw_key(w, "added");
    fa_jw_int(w, c->added);
    fa_jw_key(w, "changed");
    fa_jw_int(w, c->changed);
    fa_jw_key(w, "same");
    fa_jw_int(w, c->same);
    fa_jw_key(w, "errors");
    fa_jw_arr(w);
    for (size_t i = 0; c->error && i < c->nerror && i < ERRORS_SHOWN; i++) {
        fa_jw_obj(w);
        fa_jw_key(w, "line");
        fa_jw_int(w, c->error[i].line);
        put_text(w, "message", c->error[i].text);
        fa_jw_end_obj(w);
    }
    fa_jw_end_arr(w);
    fa_jw_key(w, "errorCount");
    fa_jw_int(w, (int64_t)c->nerror);
    fa_jw_end_obj(w);
}
