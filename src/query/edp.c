/*
 * edp.c - discounts that no bill shows (Enterprise Discount Program, inform.md 3.6): what the account says of them, and
 * sums with them.
 *
 * The one idea: the factor of a line on a day is a virtual tag made from the account's EDP tag: one rule for each
 * adjustment, with its days as the rule's time frame, whose value is the factor; what no rule has keeps 1. So it is
 * computed, cut into slices of days and kept as every other column. A plan with such discounts has the factor as one
 * more text of its groups, beside the currency; what a scan sums of a group is multiplied by it, exactly, and rounded
 * once to the 1e-18 the ledger counts in, before tags move any of it. Labels are those before reallocation.
 */
#include "query/reallocate.h"

#include <stdlib.h>
#include <string.h>

#define SETTING FA_STR("edp")
#define ONE INT64_C(10000000000) /* factors are whole numbers of 1e-10 */
#define RATE_MAX INT64_C(100)
#define ADJUSTMENTS_MAX 1000

/* ---- the account's document ---- */

static fa_rc refuse(fa_err *e, const char *at, const char *what)
{
    (void)fa_fail(e, FA_EINVAL, "%s", what);
    return fa_at(e, at);
}

static fa_str text_of(const json_t *j)
{
    return (fa_str){json_string_value(j), json_string_length(j)};
}

static fa_rc read_day(const json_t *j, const char *at, int32_t absent, int32_t *out, fa_err *e)
{
    *out = absent;
    if (!j || json_is_null(j))
        return FA_OK;
    if (!json_is_string(j) || !fa_day_parse(text_of(j), out))
        return refuse(e, at, "must be a day such as 2026-01-31, or null");
    return FA_OK;
}

/* "7.5" at 1e-18, with no more digits than a factor has. */
static bool read_number(const json_t *j, int digits, fa_i128 *out)
{
    fa_i128 unit = 1;

    for (int i = digits; i < 18; i++)
        unit *= 10;
    return json_is_string(j) && json_string_length(j) <= 40 &&
           fa_dec_parse(text_of(j), false, out, NULL) && *out % unit == 0;
}

static fa_rc read_factor(const json_t *j, size_t i, fa_edp_adjustment *to, fa_err *e)
{
    fa_str mode = text_of(json_object_get(j, "mode"));
    const json_t *number = json_object_get(j, "number");
    fa_i128 x;
    char at[64];

    snprintf(at, sizeof at, "adjustments[%zu].number", i);
    to->is_rate = fa_str_eqz(mode, "rate");
    if (!to->is_rate && !fa_str_eqz(mode, "percentage")) {
        snprintf(at, sizeof at, "adjustments[%zu].mode", i);
        return refuse(e, at, "must be percentage or rate");
    }
    if (!read_number(number, to->is_rate ? 10 : 8, &x))
        return refuse(e, at,
                      to->is_rate ? "must be a number as text, with up to 10 decimals"
                                  : "must be a number as text, with up to 8 decimals");
    to->number = text_of(number);
    if (x < 0 || (!to->is_rate && x > 100 * FA_E18) || (to->is_rate && x > RATE_MAX * FA_E18))
        return refuse(e, at,
                      to->is_rate ? "a rate is from 0 to 100; 0.93 is 93 % of the price"
                                  : "a percentage is from 0 to 100");
    to->factor_e10 = (int64_t)(to->is_rate ? x / FA_E8 : ONE - x / (FA_E8 * 100));
    return FA_OK;
}

static fa_rc read_adjustment(fa_arena *a, const json_t *j, size_t i, fa_edp_adjustment *to,
                             fa_err *e)
{
    char at[64];
    fa_rc rc;

    snprintf(at, sizeof at, "adjustments[%zu].value", i);
    to->value = fa_str_trim(text_of(json_object_get(j, "value")));
    if (to->value.n == 0 || to->value.n > 1000)
        return refuse(e, at, "must be a value of the tag, a text of 1 to 1,000 bytes");
    if ((rc = read_factor(j, i, to, e)))
        return rc;
    snprintf(at, sizeof at, "adjustments[%zu].from", i);
    if ((rc = read_day(json_object_get(j, "from"), at, FA_DAY_MIN, &to->from, e)))
        return rc;
    snprintf(at, sizeof at, "adjustments[%zu].to", i);
    if ((rc = read_day(json_object_get(j, "to"), at, FA_DAY_MAX, &to->to, e)))
        return rc;
    if (to->to < to->from)
        return refuse(e, at, "must not be before its first day");
    to->value = fa_arena_dup(a, to->value);
    to->number = fa_arena_dup(a, to->number);
    return to->value.p && to->number.p ? FA_OK : fa_oom(e);
}

/* Two adjustments of a value on one day would leave open which holds. */
static fa_rc check_overlap(const fa_edp_settings *s, fa_err *e)
{
    char at[64];

    for (size_t i = 0; i < s->n; i++)
        for (size_t k = 0; k < i; k++)
            if (fa_str_eq(s->adjustment[i].value, s->adjustment[k].value) &&
                s->adjustment[i].from <= s->adjustment[k].to &&
                s->adjustment[k].from <= s->adjustment[i].to) {
                snprintf(at, sizeof at, "adjustments[%zu]", i);
                (void)fa_fail(e, FA_EINVAL, "\"%.*s\" has an adjustment for some of these days",
                              FA_FMT(s->adjustment[i].value));
                (void)fa_hint(e, "give the two adjustments days that do not meet");
                return fa_at(e, at);
            }
    return FA_OK;
}

static fa_rc read_types(const json_t *j, uint32_t *out, fa_err *e)
{
    const json_t *v;
    size_t i;
    char at[64];

    *out = 0;
    if (!j || json_is_null(j)) { /* what a discount off the invoice changes */
        *out = FA_BIT(FA_M_BILLED) | FA_BIT(FA_M_EFFECTIVE);
        return FA_OK;
    }
    if (!json_is_array(j))
        return refuse(e, "costTypes", "must be a list of cost types");
    json_array_foreach(j, i, v)
    {
        const fa_cost_type *t;

        snprintf(at, sizeof at, "costTypes[%zu]", i);
        if (!json_is_string(v) || fa_cost_type_find(text_of(v), FA_FAIR_SKU, &t, e))
            return refuse(e, at, "is no cost type");
        if (t->is_usage)
            return refuse(e, at, "is a usage type: a discount changes costs");
        *out |= FA_BIT(t->measure);
    }
    return FA_OK;
}

fa_rc fa_edp_parse(fa_arena *a, const json_t *j, fa_edp_settings *out, fa_err *e)
{
    const json_t *list = json_object_get(j, "adjustments"), *show = json_object_get(j, "show"), *v;
    const json_t *tag = json_object_get(j, "tagId");
    size_t i;

    *out = (fa_edp_settings){.tag = FA_STR("")};
    if (!json_is_object(j))
        return refuse(e, "", "must be an object");
    if (show && !json_is_boolean(show))
        return refuse(e, "show", "must be true or false");
    if (tag && !json_is_null(tag) && !json_is_string(tag))
        return refuse(e, "tagId", "must be the id of a virtual tag, or null");
    if (list && !json_is_array(list))
        return refuse(e, "adjustments", "must be a list");
    if (json_array_size(list) > ADJUSTMENTS_MAX)
        return refuse(e, "adjustments", "has at most 1,000 entries");
    out->show = json_is_true(show);
    if (json_is_string(tag) && !(out->tag = fa_arena_dup(a, text_of(tag))).p)
        return fa_oom(e);
    if (read_types(json_object_get(j, "costTypes"), &out->measures, e))
        return e->rc;
    if (!(out->adjustment = fa_arena_array(a, json_array_size(list) + 1, sizeof *out->adjustment)))
        return fa_oom(e);
    json_array_foreach(list, i, v)
    {
        if (read_adjustment(a, v, i, &out->adjustment[out->n++], e))
            return e->rc;
    }
    return check_overlap(out, e);
}

static void put_day(fa_jw *w, const char *key, int32_t day)
{
    fa_buf b;

    fa_jw_key(w, key);
    if (day == FA_DAY_MIN || day == FA_DAY_MAX) {
        fa_jw_null(w);
        return;
    }
    fa_buf_init(&b, 64);
    fa_day_emit(&b, day);
    fa_jw_str(w, fa_buf_view(&b));
    fa_buf_release(&b);
}

static void put_text(fa_jw *w, const char *key, fa_str s)
{
    fa_jw_key(w, key);
    fa_jw_str(w, s);
}

void fa_edp_json(fa_jw *w, const fa_edp_settings *s)
{
    size_t n;
    const fa_cost_type *t = fa_cost_types(&n);

    fa_jw_obj(w);
    fa_jw_key(w, "show");
    fa_jw_bool(w, s->show);
    fa_jw_key(w, "tagId");
    if (s->tag.n)
        fa_jw_str(w, s->tag);
    else
        fa_jw_null(w);
    fa_jw_key(w, "costTypes");
    fa_jw_arr(w);
    for (size_t i = 0; i < n; i++)
        if (!t[i].is_usage && s->measures & FA_BIT(t[i].measure))
            fa_jw_z(w, t[i].name);
    fa_jw_end_arr(w);
    fa_jw_key(w, "adjustments");
    fa_jw_arr(w);
    for (size_t i = 0; i < s->n; i++) {
        const fa_edp_adjustment *x = &s->adjustment[i];

        fa_jw_obj(w);
        put_text(w, "value", x->value);
        put_text(w, "mode", x->is_rate ? FA_STR("rate") : FA_STR("percentage"));
        put_text(w, "number", x->number);
        put_day(w, "from", x->from);
        put_day(w, "to", x->to);
        fa_jw_end_obj(w);
    }
    fa_jw_end_arr(w);
    fa_jw_end_obj(w);
}

static fa_rc read_text(fa_ledger *l, fa_arena *a, fa_str *out, fa_err *e)
{
    return fa_setting_get(fa_ledger_store(l), a, fa_ledger_account(l), SETTING, out, e);
}

static fa_rc parse_text(fa_arena *a, fa_str text, fa_edp_settings *out, fa_err *e)
{
    json_error_t why;
    json_t *j = text.n ? json_loadb(text.p, text.n, 0, &why) : json_object();
    fa_rc rc;

    if (!j)
        return fa_fail(e, FA_EDATA, "the setting \"edp\" is not JSON: %s", why.text);
    rc = fa_edp_parse(a, j, out, e);
    json_decref(j);
    return rc;
}

fa_rc fa_edp_get(fa_ledger *l, fa_arena *a, fa_edp_settings *out, fa_err *e)
{
    fa_str text;

    return read_text(l, a, &text, e) ? e->rc : parse_text(a, text, out, e);
}

/* The tag must label lines as they are: the outputs of a relation only have values after a split. */
fa_rc fa_edp_set(fa_ledger *l, fa_arena *a, const fa_edp_settings *s, fa_err *e)
{
    fa_tag_set *tags = NULL;
    const fa_tag *t;
    fa_buf b;
    fa_jw w;
    fa_rc rc;

    if ((rc = fa_tags_live(l, &tags, e)))
        return rc;
    t = s->tag.n ? fa_tag_set_find(tags, s->tag) : NULL;
    if (s->n && !s->tag.n)
        rc = refuse(e, "tagId", "is missing: the adjustments are of its values");
    else if (s->tag.n && (!t || !fa_str_eq(t->id, s->tag)))
        rc = refuse(e, "tagId", "no live virtual tag has this id");
    else if (t && t->kind == FA_TAG_RELATIONAL)
        rc = refuse(e, "tagId", "a relational tag splits costs and labels no line");
    for (size_t i = 0; !rc && t && !t->dflt.is_key && i < s->n; i++) {
        char at[64];

        snprintf(at, sizeof at, "adjustments[%zu].value", i);
        if (fa_str_eq(s->adjustment[i].value, fa_str_trim(t->dflt.text)))
            rc = refuse(e, at, "is what untagged costs are called, and those are never adjusted");
    }
    fa_tag_set_put(tags);
    if (rc)
        return rc;
    fa_buf_init(&b, 1 << 22);
    fa_jw_init(&w, &b);
    fa_edp_json(&w, s);
    rc = b.failed ? fa_oom(e)
                  : fa_setting_put(fa_ledger_store(l), fa_ledger_account(l), SETTING,
                                   fa_buf_view(&b), e);
    fa_buf_release(&b);
    (void)a;
    return rc;
}

/* ---- the factor as a column ---- */

static json_t *rule_filter(fa_str tag, fa_str value)
{
    return json_pack("{s:s, s:s%, s:s, s:s, s:s%}", "costCenter", "virtualTag", "key", tag.p, tag.n,
                     "type", "virtual_tag", "operator", "is", "value", value.p, value.n);
}

static fa_str factor_text(fa_arena *a, int64_t factor)
{
    char text[32];

    snprintf(text, sizeof text, "%lld", (long long)factor);
    return fa_arena_dup(a, fa_str_of(text));
}

/* The rules of the factor's tag; what is labelled by default is untagged and keeps its cost. */
static fa_rc make_rules(fa_catalog *c, const fa_edp_settings *s, fa_tag *t, fa_err *e)
{
    const fa_tag *own = fa_tag_set_find(c->tags, s->tag);
    fa_tag_rule *rule = fa_arena_array(&c->mem, s->n + 1, sizeof *rule);

    if (!rule || !(c->edp_filters = json_array()))
        return fa_oom(e);
    t->rule = rule;
    for (size_t i = 0; own && i < s->n; i++) {
        const fa_edp_adjustment *x = &s->adjustment[i];
        json_t *f;

        if (!own->dflt.is_key && fa_str_eq(x->value, fa_str_trim(own->dflt.text)))
            continue;
        f = rule_filter(s->tag, x->value);
        if (!f || json_array_append_new(c->edp_filters, f))
            return fa_oom(e);
        rule[t->nrule++] = (fa_tag_rule){.to = {.text = factor_text(&c->mem, x->factor_e10)},
                                         .filters = f,
                                         .from = x->from,
                                         .to_day = x->to == FA_DAY_MAX ? x->to : x->to + 1};
    }
    return FA_OK;
}

fa_rc fa_edp_attach(fa_catalog *c, fa_str text, fa_err *e)
{
    fa_tag *t;

    c->edp_text = fa_arena_dup(&c->mem, text);
    if (!c->edp_text.p)
        return fa_oom(e);
    if (parse_text(&c->mem, text, &c->edp, e))
        return e->rc;
    if (!c->edp.n)
        return FA_OK;
    if (!(t = fa_arena_alloc(&c->mem, sizeof *t)))
        return fa_oom(e);
    *t = (fa_tag){
        .id = FA_STR("edp"), .name = FA_STR("EDP"), .dflt = {.text = factor_text(&c->mem, ONE)}};
    if (make_rules(c, &c->edp, t, e))
        return e->rc;
    fa_virtual_init(&c->edp_tag, c, t);
    c->edp_key = (fa_key){.cost_center = FA_STR("Virtual Tags"),
                          .cost_center_id = FA_STR("virtualTag"),
                          .key = t->id,
                          .key_v1 = t->id,
                          .display = t->name,
                          .type = FA_K_VIRTUAL,
                          .tag = &c->edp_tag};
    c->has_edp = true;
    return FA_OK;
}

void fa_edp_detach(fa_catalog *c)
{
    if (c->has_edp)
        fa_virtual_release(&c->edp_tag);
    json_decref(c->edp_filters);
}

fa_rc fa_edp_text(fa_ledger *l, fa_arena *a, fa_str *out, fa_err *e)
{
    return read_text(l, a, out, e);
}

/* ---- a plan with discounts ---- */

static bool is_adjusted(const fa_plan *p, uint32_t measures)
{
    for (size_t m = 0; m < p->nmeasure; m++)
        if (measures & FA_BIT(p->measure[m].type->measure))
            return true;
    return false;
}

fa_rc fa_edp_begin(fa_ledger *l, const fa_plan *p, fa_edp *out, fa_err *e)
{
    const fa_catalog *moving = NULL;
    fa_arena a;
    fa_str text;
    fa_rc rc;

    *out = (fa_edp){0};
    if (p->edp_mode == FA_EDP_OFF)
        return FA_OK;
    fa_arena_init(&a, 8 << 20);
    rc = read_text(l, &a, &text, e);
    if (!rc && text.n) {
        if (!(rc = fa_catalog_get(l, &out->held, e)))
            rc = rl_touches(p, &moving, e); /* what costs are split by may be adjusted */
        if (!rc && out->held->has_edp && (p->edp_mode == FA_EDP_ON || out->held->edp.show) &&
            (moving || is_adjusted(p, out->held->edp.measures))) {
            out->factor = &out->held->edp_key;
            out->measures = out->held->edp.measures;
        } else {
            fa_catalog_put(out->held);
            out->held = NULL;
        }
    }
    fa_arena_release(&a);
    return rc;
}

void fa_edp_end(fa_edp *x)
{
    fa_catalog_put(x->held);
    *x = (fa_edp){0};
}

/* ---- sums with a factor ---- */

int64_t fa_edp_factor(fa_str text)
{
    int64_t f = 0;

    for (size_t i = 0; i < text.n; i++)
        f = f * 10 + (text.p[i] - '0');
    return text.n ? f : ONE;
}

/* Rounded half away from zero. */
static fa_i128 times(fa_i128 x, int64_t factor)
{
    fa_u128 q, rest;

    if (factor == ONE)
        return x;
    if (!fa_dec_divide(x < 0 ? -(fa_u128)x : (fa_u128)x, (fa_u128)factor, (fa_u128)ONE, &q, &rest))
        return x; /* past 128 bits: no sum of bills comes near */
    q += rest >= (fa_u128)ONE - rest;
    return x < 0 ? -(fa_i128)q : (fa_i128)q;
}

fa_i128 fa_edp_times(const fa_plan *p, fa_measure m, fa_i128 x, int64_t factor)
{
    return p->edp && p->edp->measures & FA_BIT(m) ? times(x, factor) : x;
}

void fa_edp_stats(const fa_plan *p, fa_stat *stat, int64_t factor)
{
    for (size_t m = 0; p->edp && m < p->nmeasure; m++) {
        fa_measure of = p->measure[m].type->measure;

        stat[m].sum = fa_edp_times(p, of, stat[m].sum, factor);
        stat[m].min = fa_edp_times(p, of, stat[m].min, factor);
        stat[m].max = fa_edp_times(p, of, stat[m].max, factor);
    }
}

static int64_t factor_of(const fa_groups *g, uint32_t group)
{
    return fa_edp_factor(fa_groups_text(g, group, g->ntext - 2));
}

void fa_edp_cells(const fa_plan *p, const fa_groups *g, fa_cell *cell, size_t n)
{
    if (!p->edp || !g->has_factor)
        return;
    for (size_t i = 0; i < n; i++) {
        int64_t f = factor_of(g, cell[i].group);

        for (int m = 0; f != ONE && m < FA_M__COUNT; m++)
            cell[i].sum[m] = fa_edp_times(p, (fa_measure)m, cell[i].sum[m], f);
    }
}

void fa_edp_stat_cells(const fa_plan *p, const fa_groups *g, fa_stat_cell *cell, size_t n)
{
    if (!p->edp || !g->has_factor)
        return;
    for (size_t i = 0; i < n; i++)
        fa_edp_stats(p, cell[i].stat, factor_of(g, cell[i].group));
}
