/*
 * entry.c - one entry: checked, and the days it costs (inform.md 12).
 *
 * Amounts are text or numbers and never a float; an amount over several days is split so that it adds up (inform.md 0.6).
 */
#include "custom/inner.h"

#include <stdlib.h>
#include <string.h>

enum { LINES_MAX = 200000, TEXT_MAX = 200, NOTE_MAX = 2000, DIMENSIONS_MAX = 100 };
typedef enum { ONCE, DAILY, WEEKLY, MONTHLY, YEARLY, RECURRENCES } recurrence;
static const char *const recurrences[RECURRENCES] = {"once", "daily", "weekly", "monthly",
                                                     "yearly"};

typedef struct entry {
    fa_i128 amount_e18; /* or, of a percentage, 1e-18 of the whole */
    bool is_percent, amortize, is_open;
    recurrence recur;
    int32_t start, end;
    fa_str currency, cost_type;
    const json_t *filters;
} entry;

static fa_rc fail_at(fa_err *e, fa_rc rc, const char *field, const char *msg)
{
    (void)fa_fail(e, rc, "%s %s", field, msg);
    return fa_at(e, field);
}

static fa_rc read_text(const json_t *o, const char *field, bool required, size_t most, fa_str *out,
                       fa_err *e)
{
    const json_t *v = json_object_get(o, field);
    char msg[80];

    *out = (fa_str){"", 0};
    if (!v || json_is_null(v))
        return required ? fail_at(e, FA_EINVAL, field, "is missing") : FA_OK;
    if (!json_is_string(v))
        return fail_at(e, FA_EINVAL, field, "must be a text");
    *out = fa_str_trim((fa_str){json_string_value(v), json_string_length(v)});
    snprintf(msg, sizeof msg, "must have %s%zu bytes of text", required ? "1 to " : "at most ",
             most);
    if ((required && !out->n) || out->n > most)
        return fail_at(e, FA_EINVAL, field, msg);
    for (size_t i = 0; i < out->n; i++)
        if ((unsigned char)out->p[i] < ' ' && out->p[i] != '\n')
            return fail_at(e, FA_EINVAL, field, "must not contain control characters");
    return FA_OK;
}

static fa_rc read_number(const json_t *o, const char *field, fa_i128 most, fa_i128 *out, fa_err *e)
{
    const json_t *v = json_object_get(o, field);
    bool rounded = false;
    char text[64];

    if (json_is_integer(v))
        snprintf(text, sizeof text, "%lld", (long long)json_integer_value(v));
    else if (json_is_real(v))
        snprintf(text, sizeof text, "%.10f", json_real_value(v));
    else
        snprintf(text, sizeof text, "%.60s", json_is_string(v) ? json_string_value(v) : "");
    if (!fa_dec_parse(fa_str_trim(fa_str_of(text)), false, out, &rounded) || rounded ||
        *out > most || *out < -most)
        return fail_at(e, FA_EINVAL, field,
                       v ? "must be a number with at most 18 decimals, not too large"
                         : "is missing");
    return FA_OK;
}

static fa_rc read_day(const json_t *o, const char *field, bool required, int32_t *out, bool *given,
                      fa_err *e)
{
    const json_t *v = json_object_get(o, field);

    *given = v && !json_is_null(v);
    if (!*given)
        return required ? fail_at(e, FA_EINVAL, field, "is missing") : FA_OK;
    if (!json_is_string(v) ||
        !fa_day_parse((fa_str){json_string_value(v), json_string_length(v)}, out) ||
        *out < FA_CUSTOM_DAY_MIN || *out > FA_CUSTOM_DAY_MAX)
        return fail_at(e, FA_EINVAL, field,
                       "must be a day from 2000-01-01 to 2100-12-31, YYYY-MM-DD");
    return FA_OK;
}

static fa_rc read_dimensions(const json_t *body, fa_err *e)
{
    const json_t *d = json_object_get(body, "dimensions"), *v;
    const char *key;

    if (!d || json_is_null(d))
        return FA_OK;
    if (!json_is_object(d) || json_object_size(d) > DIMENSIONS_MAX)
        return fail_at(e, FA_EINVAL, "dimensions", "must be an object of at most 100 texts");
    json_object_foreach((json_t *)(uintptr_t)d, key,
                        v) if (!*key || strlen(key) > TEXT_MAX || !json_is_string(v) ||
                               json_string_length(v) >
                                   1000) return fail_at(e, FA_EINVAL, "dimensions",
                                                        "must be an object of texts");
    return FA_OK;
}

static fa_rc read_kind(const json_t *body, entry *x, fa_err *e)
{
    fa_str recur, spread;
    size_t r = 0;

    if (read_text(body, "recurrence", false, 20, &recur, e) ||
        read_text(body, "spread", false, 20, &spread, e))
        return e->rc;
    while (r < RECURRENCES && !fa_str_eqz(recur, recurrences[r]))
        r++;
    if (recur.n && r == RECURRENCES)
        return fail_at(e, FA_EINVAL, "recurrence",
                       "must be once, daily, weekly, monthly or yearly");
    x->recur = recur.n ? (recurrence)r : x->is_percent ? DAILY : ONCE;
    if (spread.n && !fa_str_eqz(spread, "on-date") && !fa_str_eqz(spread, "amortize"))
        return fail_at(e, FA_EINVAL, "spread", "must be on-date or amortize");
    x->amortize = fa_str_eqz(spread, "amortize");
    return FA_OK;
}

static fa_rc read_entry(const json_t *body, fa_str account_currency, entry *x, fa_err *e)
{
    fa_str ignored;
    bool given;

    *x = (entry){0};
    if (!json_is_object(body))
        return fa_fail(e, FA_EINVAL, "the entry must be an object");
    x->is_percent =
        json_object_get(body, "percent") && !json_is_null(json_object_get(body, "percent"));
    if (read_text(body, "name", true, TEXT_MAX, &ignored, e) ||
        read_text(body, "service", false, TEXT_MAX, &ignored, e) ||
        read_text(body, "note", false, NOTE_MAX, &ignored, e) ||
        read_text(body, "currency", false, 3, &x->currency, e) ||
        read_text(body, "costType", false, 40, &x->cost_type, e) || read_dimensions(body, e) ||
        read_kind(body, x, e) || read_day(body, "start", true, &x->start, &given, e) ||
        read_day(body, "end", false, &x->end, &given, e))
        return e->rc;
    x->is_open = !given;
    if (given && x->end < x->start)
        return fail_at(e, FA_EDATA, "end", "must not be before start");
    if (x->amortize && x->recur == ONCE && !given)
        return fail_at(e, FA_EDATA, "end", "is missing: over which days is the amount amortised?");
    if (!x->currency.n)
        x->currency = account_currency;
    for (size_t i = 0; i < x->currency.n; i++)
        if (x->currency.p[i] < 'A' || x->currency.p[i] > 'Z')
            x->currency.n = 0;
    if (x->currency.n != 3)
        return fail_at(e, FA_EINVAL, "currency", "must be a code of three capital letters");
    if (!x->is_percent)
        return read_number(body, "amount", 1000000000000000LL * FA_E18, &x->amount_e18, e);
    x->filters = json_object_get(body, "filters");
    if (json_object_get(body, "amount") && !json_is_null(json_object_get(body, "amount")))
        return fail_at(e, FA_EINVAL, "amount", "must be absent beside percent");
    if (read_number(body, "percent", 10000 * FA_E18, &x->amount_e18, e))
        return e->rc;
    return FA_OK;
}

/* ---- the days of an amount ---- */

typedef struct lines {
    fa_arena *a;
    fa_custom_line *line;
    size_t n, cap;
} lines;

static fa_rc add_line(lines *to, int32_t day, fa_i128 amount, fa_err *e)
{
    if (to->n == LINES_MAX)
        return fa_fail(e, FA_EDATA, "the entry has more than %d days of cost", LINES_MAX);
    if (to->n == to->cap) {
        size_t cap = to->cap ? to->cap * 2 : 64;
        fa_custom_line *more = fa_arena_array(to->a, cap, sizeof *more);

        if (!more)
            return fa_oom(e);
        if (to->n)
            memcpy(more, to->line, to->n * sizeof *more);
        to->line = more;
        to->cap = cap;
    }
    to->line[to->n++] = (fa_custom_line){day, amount};
    return FA_OK;
}

/* The k-th time; a month that is too short has it on its last day. */
static int32_t occurrence(const entry *x, int k)
{
    switch (x->recur) {
    case DAILY:
        return x->start + k;
    case WEEKLY:
        return x->start + 7 * k;
    case MONTHLY:
        return fa_day_add_months(x->start, k);
    case YEARLY:
        return fa_day_add_months(x->start, 12 * k);
    default:
        return k ? INT32_MAX : x->start;
    }
}

static fa_rc spread(lines *to, int32_t first, int32_t last, fa_i128 amount, fa_err *e)
{
    size_t n = (size_t)(last - first) + 1;
    fa_i128 *weight = fa_arena_array(to->a, n, sizeof *weight),
            *part = fa_arena_array(to->a, n, sizeof *part);

    if (!weight || !part)
        return fa_oom(e);
    for (size_t i = 0; i < n; i++)
        weight[i] = 1;
    if (!fa_split(amount, weight, n, part))
        return fa_fail(e, FA_EINTERNAL, "an amount could not be split over %zu days", n);
    for (size_t i = 0; i < n; i++)
        if (add_line(to, first + (int32_t)i, part[i], e))
            return e->rc;
    return FA_OK;
}

static fa_rc amount_lines(const entry *x, int32_t today, lines *to, fa_err *e)
{
    int32_t until = x->is_open ? (x->recur == ONCE ? x->start : today) : x->end;

    for (int k = 0;; k++) {
        int32_t at = occurrence(x, k), last;

        if (at > until && !(k == 0 && x->recur == ONCE))
            return FA_OK;
        if (at > FA_CUSTOM_DAY_MAX)
            return FA_OK;
        if (!x->amortize) {
            if (add_line(to, at, x->amount_e18, e))
                return e->rc;
            continue;
        }
        last = x->recur == ONCE ? x->end : occurrence(x, k + 1) - 1;
        if (!x->is_open && last > x->end)
            last = x->end;
        if (spread(to, at, last, x->amount_e18, e))
            return e->rc;
    }
}

/* ---- percentages ---- */

/* What the filter selects and no percentage wrote. */
static fa_rc without_percentages(const fa_catalog *c, fa_arena *a, const json_t *filters,
                                 const fa_filter **out, fa_err *e)
{
    json_t *own =
        json_loads("{\"OR\":[{\"costCenter\":\"Global\",\"key\":\"cost_center_type\",\"type\":"
                   "\"billing_dimension\",\"operator\":"
                   "\"notOneOf\",\"value\":[\"" FA_CUSTOM_SOURCE
                   "\"]},{\"costCenter\":\"Global\",\"key\":\"resource_type\",\"type\":"
                   "\"resource\",\"operator\":\"notOneOf\",\"value\":[\"" FA_PERCENT_TYPE "\"]}]}",
                   0, NULL);
    const fa_filter *asked, *mine;
    fa_rc rc = own ? FA_OK : fa_oom(e);

    if (!rc && !(rc = fa_filter_parse(c, a, FA_API_INTERNAL, filters, "filters", &asked, e)) &&
        !(rc = fa_filter_parse(c, a, FA_API_V2, own, "", &mine, e)))
        rc = fa_filter_and(a, asked, mine, out, e);
    json_decref(own);
    return rc;
}

static fa_rc percent_lines(fa_ledger *l, const fa_account *account, entry *x, lines *to, fa_err *e)
{
    fa_plan p = {.bucket = FA_DAY,
                 .nmeasure = 1,
                 .deadline_mono_ms = fa_mono_ms() + 60000,
                 .edp_mode = FA_EDP_OFF}; /* discounts come on top of what is entered */
    fa_catalog *c = NULL;
    fa_answer r;
    fa_rc rc;
    bool has;

    if ((rc = fa_catalog_get(l, &c, e)))
        return rc;
    if ((rc = without_percentages(c, to->a, x->filters, &p.filter, e)) ||
        (rc = fa_cost_type_find(x->cost_type.n ? x->cost_type : account->default_cost_type,
                                fa_ledger_fair(l), &p.measure[0].type, e)))
        goto done;
    if (p.measure[0].type->is_usage) {
        rc = fail_at(e, FA_EINVAL, "costType", "must be a cost, not a usage");
        goto done;
    }
    has = fa_ledger_range(l, &p.range.from, &p.range.to);
    if (x->start > p.range.from)
        p.range.from = x->start;
    if (!x->is_open && x->end < p.range.to)
        p.range.to = x->end;
    if (!has || p.range.from > p.range.to)
        goto done;
    p.range.unit = FA_DAY;
    if ((rc = fa_query_run(l, to->a, &p, &r, e)))
        goto done;
    if (r.currency.n)
        x->currency = r.currency;
    for (size_t i = 0; !rc && i < r.nbucket; i++)
        if (r.total.cell_e10[i]) {
            /* 1e-10 of cost times 1e-18 of a percent, to 1e-18 of cost: / 1e12, the rest rounded toward zero */
            fa_i128 cost = r.total.cell_e10[i], size = cost < 0 ? -cost : cost;
            fa_i128 pct = x->amount_e18 < 0 ? -x->amount_e18 : x->amount_e18;
            fa_i128 part = fa_dec_muldiv(size, pct, 100 * FA_E10);

            rc = add_line(to, r.bucket[i], (cost < 0) != (x->amount_e18 < 0) ? -part : part, e);
        }
done:
    fa_catalog_put(c);
    return rc;
}

/* ---- normal form ---- */

static json_t *dec_json(fa_i128 v)
{
    fa_buf b = {0};
    json_t *j;

    fa_dec_emit(&b, v, 18, 0);
    j = b.failed ? NULL : json_stringn(b.p, b.n);
    fa_buf_release(&b);
    return j;
}

static fa_rc normalise(const json_t *body, const entry *x, json_t **out, fa_err *e)
{
    static const char *const texts[] = {"name", "service", "note"};
    json_t *o = json_object();
    fa_str s;

    if (!o)
        return fa_oom(e);
    for (size_t i = 0; i < FA_COUNT(texts); i++) {
        (void)read_text(body, texts[i], false, NOTE_MAX, &s, e);
        json_object_set_new(o, texts[i], json_stringn(s.p, s.n));
    }
    json_object_set_new(o, "currency", json_stringn(x->currency.p, x->currency.n));
    json_object_set_new(o, "recurrence", json_string(recurrences[x->recur]));
    json_object_set_new(o, "spread", json_string(x->amortize ? "amortize" : "on-date"));
    json_object_set(o, "start", json_object_get(body, "start"));
    json_object_set_new(o, "end",
                        x->is_open ? json_null() : json_deep_copy(json_object_get(body, "end")));
    json_object_set_new(o, "dimensions",
                        json_is_object(json_object_get(body, "dimensions"))
                            ? json_deep_copy(json_object_get(body, "dimensions"))
                            : json_object());
    json_object_set_new(o, "amount", x->is_percent ? json_null() : dec_json(x->amount_e18));
    json_object_set_new(o, "percent", x->is_percent ? dec_json(x->amount_e18) : json_null());
    json_object_set_new(o, "filters",
                        x->is_percent && json_is_object(x->filters) ? json_deep_copy(x->filters)
                                                                    : json_null());
    if (x->cost_type.n)
        json_object_set_new(o, "costType", json_stringn(x->cost_type.p, x->cost_type.n));
    *out = o;
    return json_object_size(o) >= 12 ? FA_OK : fa_oom(e);
}

fa_rc fa_custom_entry_lines(fa_ledger *l, fa_arena *a, const json_t *body, fa_custom_line **out,
                            size_t *n, fa_str *currency, json_t **normal, fa_err *e)
{
    lines to = {.a = a};
    fa_account account;
    entry x;
    fa_rc rc;

    if (normal)
        *normal = NULL;
    if ((rc = fa_account_first(fa_ledger_store(l), a, &account, e)) ||
        (rc = read_entry(body, account.currency, &x, e)) ||
        (rc = x.is_percent ? percent_lines(l, &account, &x, &to, e)
                           : amount_lines(&x, fa_ms_day(fa_now_ms()), &to, e)))
        return rc;
    *out = to.line;
    *n = to.n;
    *currency = x.currency;
    return normal ? normalise(body, &x, normal, e) : FA_OK;
}
