/*
 * generic.c - any table, read by a mapping that a person has written.
 *
 * A mapping is a JSON object:
 *   "columns":   {"cost": "BilledCost", "discount": "BilledCost", "team": "tag:team", "kind": "x_Kind"}
 *                a column of the file to a FOCUS column, a tag or an x_ column; money and quantities of
 *                several columns are added up
 *   "constants": {"BillingCurrency": "EUR", "ProviderName": "Example"}
 *   "values":    {"ChargeCategory": {"fee": "Purchase"}}   spellings of the file to those of FOCUS
 *   "dates":     "MDY" (also ISO, the default) or "DMY"
 *   "decimals":  "." (the default) or ","
 *   "format":    a known format whose files lack something: only "constants" then
 * What a mapping leaves open follows: the effective cost is the billed cost, the list cost as well, the
 * contracted cost is the list cost, the billing month is that of the charge.
 */
#include "bill/inner.h"

#include <jansson.h>
#include <string.h>

bool fa_bill_is_set(const fa_bill_match *m, const char *column)
{
    return m->constants && json_object_get(m->constants, column);
}

/* ---- constants ---- */

static fa_rc constant_sql(fa_bill_match *m, const char *name, const fa_column *c, json_t *value,
                          fa_str *out, fa_err *e)
{
    fa_str text = fa_str_of(json_string_value(value));
    fa_buf b;

    if (!json_is_string(value) || text.n > 1000)
        return fa_fail(e, FA_EINVAL, "mapping: constants.%s is not a text of up to 1000 bytes",
                       name);
    if (c && (c->kind == FA_C_DEC || c->kind == FA_C_MEASURE || c->kind == FA_C_TIME))
        return fa_fail(e, FA_EINVAL, "mapping: constants.%s: amounts and times come from the file",
                       name);
    fa_buf_init(&b, 1 << 14);
    fa_buf_sql_text(&b, text);
    fa_buf_z(&b, "::VARCHAR");
    *out = fa_buf_dup(&b, m->a);
    fa_buf_release(&b);
    return out->p ? FA_OK : fa_oom(e);
}

static fa_bill_out *find_out(fa_bill_file *f, fa_str name)
{
    for (size_t i = 0; i < f->nout; i++)
        if (fa_str_eq(f->out[i].name, name))
            return &f->out[i];
    return NULL;
}

fa_rc fa_bill_set_constants(fa_bill_file *f, fa_bill_match *m, fa_err *e)
{
    const char *key;
    json_t *value;

    json_object_foreach(m->constants, key, value)
    {
        fa_bill_out o = {.name = fa_arena_dup(m->a, fa_str_of(key)), .column = SIZE_MAX};

        o.focus = fa_column_find(o.name);
        if (!o.focus && !fa_str_starts(o.name, FA_STR("x_")))
            return fa_fail(e, FA_EINVAL,
                           "mapping: constants.%s is no FOCUS column and no x_ column", key);
        if (find_out(f, o.name)) {
            if (fa_bill_notice(m, e,
                               "%.*s has the column %s itself: the value set for it is not used",
                               FA_FMT(f->name), key))
                return e->rc;
            continue;
        }
        o.in_line = !o.focus || o.focus->kind == FA_C_DIM || o.focus->kind == FA_C_TAGS;
        if (constant_sql(m, key, o.focus, value, &o.expr, e))
            return e->rc;
        f->out[f->nout++] = o;
    }
    return FA_OK;
}

/* ---- a mapping of columns ---- */

typedef struct mapping {
    fa_bill_file *f;
    fa_bill_match *m;
    json_t *root;
    fa_in_row *in;
    fa_out_row *out;
    size_t nin, nout;
    fa_buf tags;
    bool has_comma, is_dmy;
} mapping;

static bool is_number(const fa_column *c)
{
    return c && (c->kind == FA_C_DEC || c->kind == FA_C_MEASURE);
}

/* The in that reads a column as text; numbers and dates of another country are turned before they are
 * typed, so they are read as text too. */
static fa_rc add_in(mapping *k, const char *column, fa_in_kind kind, const char **id, fa_err *e)
{
    char squeezed[256];
    fa_in_row *row = &k->in[k->nin];

    if (k->nin == 2000)
        return fa_fail(e, FA_EINVAL, "the mapping names over 2000 columns");

    fa_bill_squeeze(fa_str_of(column), squeezed, sizeof squeezed);
    row->id = fa_arena_printf(k->m->a, "m%zu", k->nin);
    row->names = fa_arena_dupz(k->m->a, fa_str_of(squeezed));
    if (!row->id || !row->names)
        return fa_oom(e);
    if (!fa_bill_has(k->f, row->names)) {
        (void)fa_fail(e, FA_EDATA,
                      "%.*s: the mapping names the column \"%.200s\", which the file has not",
                      FA_FMT(k->f->name), column);
        return fa_hint(e, "correct the mapping, or the file");
    }
    row->kind = kind;
    row->must = FA_COLUMN_MUST;
    k->nin++;
    *id = row->id;
    return FA_OK;
}

/* CASE over the spellings that "values" gives for a FOCUS column. */
static fa_rc put_values(mapping *k, fa_buf *b, const char *target, const char *inner, fa_err *e)
{
    json_t *list = json_object_get(json_object_get(k->root, "values"), target), *to;
    const char *from;

    if (!json_is_object(list) || json_object_size(list) == 0) {
        fa_buf_z(b, inner);
        return FA_OK;
    }
    fa_buf_fmt(b, "CASE %s", inner);
    json_object_foreach(list, from, to)
    {
        if (!json_is_string(to))
            return fa_fail(e, FA_EINVAL, "mapping: values.%s.%s is not a text", target, from);
        if (strpbrk(from, "{}") || strpbrk(json_string_value(to), "{}"))
            return fa_fail(e, FA_EINVAL, "mapping: values.%s: braces are not read", target);
        fa_buf_z(b, " WHEN ");
        fa_buf_sql_text(b, fa_str_of(from));
        fa_buf_z(b, " THEN ");
        fa_buf_sql_text(b, fa_str_of(json_string_value(to)));
    }
    fa_buf_fmt(b, " ELSE %s END", inner);
    return FA_OK;
}

/* Another column of the file for a number that has one already is added to it. */
static fa_rc add_more(mapping *k, fa_out_row *have, const char *id, fa_err *e)
{
    char *sql = fa_arena_printf(k->m->a, "%s + coalesce({%s}, 0::DECIMAL(38,18))", have->sql, id);

    if (!sql)
        return fa_oom(e);
    have->sql = sql;
    return FA_OK;
}

static fa_rc add_column(mapping *k, const char *column, const char *target, fa_err *e)
{
    const fa_column *focus = fa_column_find(fa_str_of(target));
    fa_in_kind kind = is_number(focus)                    ? FA_IN_DEC
                      : focus && focus->kind == FA_C_TIME ? FA_IN_TIME
                                                          : FA_IN_TEXT;
    const char *id;
    char inner[64];
    fa_buf b;
    fa_str sql;

    if (!focus && strncmp(target, "x_", 2) != 0 && strncmp(target, "tag:", 4) != 0) {
        (void)fa_fail(e, FA_EINVAL, "mapping: columns.%.100s: \"%.100s\" is no FOCUS column",
                      column, target);
        return fa_hint(e, "a FOCUS column, tag:NAME or x_NAME");
    }
    if (add_in(k, column, kind, &id, e))
        return e->rc;
    if (strncmp(target, "tag:", 4) == 0) {
        char *how = fa_arena_printf(k->m->a, "p:%s", target + 4);

        if (!how)
            return fa_oom(e);
        fa_buf_z(&k->tags, k->tags.n ? ", " : "fa_merge(");
        fa_buf_sql_text(&k->tags, fa_str_of(how));
        fa_buf_fmt(&k->tags, ", i_%s", id);
        return FA_OK;
    }
    for (size_t i = 0; i < k->nout; i++)
        if (strcmp(k->out[i].name, target) == 0) {
            if (is_number(focus))
                return add_more(k, &k->out[i], id, e);
            return fa_fail(e, FA_EINVAL, "mapping: two columns are mapped to %s", target);
        }
    fa_buf_init(&b, 1 << 20);
    (void)snprintf(inner, sizeof inner, "{%s}", id);
    if (put_values(k, &b, target, inner, e)) {
        fa_buf_release(&b);
        return e->rc;
    }
    sql = fa_buf_dup(&b, k->m->a);
    fa_buf_release(&b);
    if (!sql.p)
        return fa_oom(e);
    k->out[k->nout++] = (fa_out_row){fa_arena_dupz(k->m->a, fa_str_of(target)), sql.p, true};
    return FA_OK;
}

static const char *sql_of(const mapping *k, const char *target)
{
    for (size_t i = 0; i < k->nout; i++)
        if (strcmp(k->out[i].name, target) == 0)
            return k->out[i].sql;
    return NULL;
}

static bool lacks(const mapping *k, const char *target)
{
    return !sql_of(k, target) && !fa_bill_is_set(k->m, target);
}

static void add_default(mapping *k, const char *target, const char *sql)
{
    if (lacks(k, target))
        k->out[k->nout++] = (fa_out_row){target, sql, false};
}

static fa_rc add_defaults(mapping *k, fa_err *e)
{
    const char *start = sql_of(k, "ChargePeriodStart"), *billed = sql_of(k, "BilledCost"), *list;
    char *month, *currency = fa_arena_printf(k->m->a, "!{$currency}");

    if (!billed)
        billed = sql_of(k, "EffectiveCost");
    if (!billed || !start) {
        (void)fa_fail(e, FA_EINVAL, "the mapping gives no column for %s",
                      billed ? "ChargePeriodStart" : "BilledCost");
        return fa_hint(e, "a bill needs a cost (BilledCost) and a day (ChargePeriodStart)");
    }
    month = fa_arena_printf(k->m->a, "date_trunc('month', %s)", start);
    if (!month || !currency)
        return fa_oom(e);
    if (lacks(k, "BillingCurrency") &&
        fa_bill_notice(k->m, e, "the mapping names no currency: the account's, %.*s, is taken",
                       FA_FMT(k->m->hint->currency)))
        return e->rc;
    add_default(k, "BilledCost", billed);
    add_default(k, "EffectiveCost", billed);
    add_default(k, "ListCost", billed);
    list = sql_of(k, "ListCost");
    add_default(k, "ContractedCost", list);
    add_default(k, "BillingPeriodStart", month);
    add_default(k, "BillingCurrency", currency);
    add_default(k, "ChargeCategory", "'Usage'");
    add_default(k, "ProviderName", "'Custom Cost'");
    add_default(k, "BillingAccountId", "'custom'");
    add_default(k, "ServiceName", "'Custom Cost'");
    return FA_OK;
}

static fa_rc read_mapping(mapping *k, fa_err *e)
{
    json_t *columns = json_object_get(k->root, "columns"), *to;
    const char *column;
    size_t n = json_object_size(columns);
    const char *dates = json_string_value(json_object_get(k->root, "dates"));
    const char *decimals = json_string_value(json_object_get(k->root, "decimals"));

    if (n == 0 || n > 900)
        return fa_fail(e, FA_EINVAL, "the mapping needs \"columns\", an object of 1 to 900");
    if ((dates && strcmp(dates, "ISO") != 0 && strcmp(dates, "MDY") != 0 &&
         strcmp(dates, "DMY") != 0) ||
        (decimals && strcmp(decimals, ".") != 0 && strcmp(decimals, ",") != 0))
        return fa_fail(e, FA_EINVAL,
                       "mapping: dates is ISO, MDY or DMY, decimals is \".\" or \",\"");
    k->is_dmy = dates && strcmp(dates, "DMY") == 0;
    k->has_comma = decimals && strcmp(decimals, ",") == 0;
    k->in = fa_arena_array(k->m->a, 2048, sizeof *k->in); /* n + nout stays below */
    k->out = fa_arena_array(k->m->a, 1024, sizeof *k->out);
    if (!k->in || !k->out)
        return fa_oom(e);
    json_object_foreach(columns, column, to)
    {
        json_t *one;
        size_t i, many = json_is_array(to) ? json_array_size(to) : 1;

        for (i = 0; i < many; i++) {
            one = json_is_array(to) ? json_array_get(to, i) : to;
            if (!json_is_string(one) || n + k->nout > 1000)
                return fa_fail(e, FA_EINVAL,
                               "mapping: columns.%.100s is not a text or a list of texts", column);
            if (add_column(k, column, json_string_value(one), e))
                return e->rc;
        }
    }
    return add_defaults(k, e);
}

fa_rc fa_match_generic(fa_engine *g, fa_bill_file *f, fa_bill_match *m, fa_err *e)
{
    mapping k = {.f = f, .m = m};
    fa_lift t = {0};
    fa_str tags;
    fa_rc rc;

    (void)g;
    if (!m->hint->mapping.n) {
        (void)fa_fail(e, FA_EINVAL, "a table of no known format needs a mapping");
        return fa_hint(e, "give one with --mapping FILE");
    }
    k.root = json_loadb(m->hint->mapping.p, m->hint->mapping.n, 0, NULL);
    fa_buf_init(&k.tags, 4 << 20);
    if ((rc = read_mapping(&k, e)))
        goto done;
    fa_buf_z(&k.tags, k.tags.n ? ")" : "");
    tags = fa_buf_dup(&k.tags, m->a);
    t = (fa_lift){k.in, k.nin, k.out, k.nout, tags.n ? tags.p : NULL};
    f->dates = k.is_dmy ? FA_DATES_DMY : FA_DATES_ISO;
    f->has_comma = k.has_comma;
    rc = fa_bill_lift(f, m, &t, e);
    m->version = FA_STR("custom");
    f->center = "Custom Cost";
done:
    fa_buf_release(&k.tags);
    json_decref(k.root);
    return rc;
}
