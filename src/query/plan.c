/*
 * plan.c - the page's question as a plan, and a plan as the normalised question.
 *
 * The one idea: one object says what is asked, in a URL, a saved view and a request alike; every
 * member may be left out. See doc/page-api.md, "The question".
 */
#include "query/inner.h"

#include <string.h>

#define MAX_TOP 1000

static const struct {
    const char *name;
    fa_bucket bucket;
} granularities[] = {
    {"hour", FA_HOUR},       {"day", FA_DAY},   {"week", FA_WEEK},       {"month", FA_MONTH},
    {"quarter", FA_QUARTER}, {"year", FA_YEAR}, {"accumulated", FA_ALL},
};

static fa_rc fail_at(fa_err *e, const char *field, const char *msg)
{
    (void)fa_fail(e, FA_EINVAL, "%s %s", field, msg);
    return fa_at(e, field);
}

static fa_str json_text(const json_t *v)
{
    return (fa_str){json_string_value(v), json_string_length(v)};
}

static fa_rc read_bool(const json_t *j, const char *name, bool absent, bool *out, fa_err *e)
{
    const json_t *v = json_object_get(j, name);

    *out = absent;
    if (!v || json_is_null(v))
        return FA_OK;
    if (!json_is_boolean(v))
        return fail_at(e, name, "must be true or false");
    *out = json_is_true(v);
    return FA_OK;
}

static fa_rc read_cost_type(const fa_catalog *c, const json_t *j, fa_str absent, fa_plan *p,
                            fa_err *e)
{
    const json_t *v = json_object_get(j, "costType");
    fa_str name = absent.n ? absent : FA_STR("netAmortizedCost");

    if (v && !json_is_null(v)) {
        if (!json_is_string(v))
            return fail_at(e, "costType", "must be a text");
        name = json_text(v);
    }
    p->nmeasure = 1;
    p->measure[0].agg = FA_AGG_SUM;
    if (fa_cost_type_find(name, c->fair, &p->measure[0].type, e))
        return fa_at(e, "costType");
    return FA_OK;
}

static fa_rc read_granularity(const json_t *j, fa_plan *p, fa_err *e)
{
    const json_t *v = json_object_get(j, "granularity");

    p->bucket = p->range.unit;
    if (!v || json_is_null(v))
        return FA_OK;
    for (size_t i = 0; json_is_string(v) && i < FA_COUNT(granularities); i++)
        if (strcmp(json_string_value(v), granularities[i].name) == 0) {
            p->bucket = granularities[i].bucket;
            return FA_OK;
        }
    return fail_at(e, "granularity",
                   "must be one of hour, day, week, month, quarter, year, accumulated");
}

static fa_rc read_key(const fa_catalog *c, fa_arena *a, const json_t *v, size_t at,
                      const fa_key **out, fa_err *e)
{
    static const char *const names[] = {"costCenter", "key", "type"};
    fa_str text[3] = {{"", 0}, {"", 0}, {"", 0}};
    char field[160];

    snprintf(field, sizeof field, "groupBy[%zu]", at);
    if (!json_is_object(v))
        return fail_at(e, field, "must be an object with costCenter, key and type");
    for (size_t i = 0; i < FA_COUNT(names); i++) {
        const json_t *m = json_object_get(v, names[i]);

        snprintf(field, sizeof field, "groupBy[%zu].%s", at, names[i]);
        if (!m && i == 1)
            return fail_at(e, field, "is missing");
        if (m && !json_is_string(m))
            return fail_at(e, field, "must be a text");
        if (m)
            text[i] = json_text(m);
    }
    if (fa_catalog_find(c, a, FA_API_INTERNAL, text[0], text[1], text[2], out, e) == FA_OK)
        return FA_OK;
    snprintf(field, sizeof field, "groupBy[%zu]%s%.60s", at, *e->field ? "." : "", e->field);
    return fa_at(e, field);
}

static fa_rc read_group_by(const fa_catalog *c, fa_arena *a, const json_t *j, fa_plan *p, fa_err *e)
{
    const json_t *v = json_object_get(j, "groupBy");

    if (!v || json_is_null(v))
        return FA_OK;
    if (!json_is_array(v))
        return fail_at(e, "groupBy", "must be an array of keys");
    if (json_array_size(v) > FA_MAX_DIMS)
        return fail_at(e, "groupBy", "must not have more than 20 keys");
    for (size_t i = 0; i < json_array_size(v); i++)
        if (read_key(c, a, json_array_get(v, i), i, &p->dim[p->ndim++], e))
            return e->rc;
    return FA_OK;
}

static fa_rc read_top(const json_t *j, fa_plan *p, fa_err *e)
{
    const json_t *v = json_object_get(j, "top");

    if (v && !json_is_null(v)) {
        if (!json_is_integer(v) || json_integer_value(v) < 0 || json_integer_value(v) > MAX_TOP)
            return fail_at(e, "top", "must be a whole number from 0 to 1000");
        p->top = (size_t)json_integer_value(v);
    }
    if (read_bool(j, "others", true, &p->others, e) || read_bool(j, "shared", false, &p->shared, e))
        return e->rc;
    return read_bool(j, "previous", false, &p->previous, e);
}

static fa_rc read_currency(const json_t *j, fa_arena *a, fa_plan *p, fa_err *e)
{
    const json_t *v = json_object_get(j, "currency");

    if (!v || json_is_null(v))
        return FA_OK;
    if (!json_is_string(v))
        return fail_at(e, "currency", "must be a text");
    if (!fa_currency_asked(json_text(v), &p->currency, e))
        return fa_at(e, "currency");
    p->currency = fa_arena_dup(a, p->currency);
    return p->currency.p ? FA_OK : fa_oom(e);
}

fa_rc fa_plan_parse(const fa_catalog *c, fa_arena *a, const json_t *question, int32_t today,
                    fa_str default_cost_type, fa_plan *out, fa_err *e)
{
    const fa_range absent = {.from = today - 29,
                             .to = today,
                             .unit = FA_DAY,
                             .relative = true,
                             .name = FA_STR("last30Days")};
    fa_err scratch = {0};

    e = e ? e : &scratch;
    *out = (fa_plan){0};
    if (question && !json_is_null(question) && !json_is_object(question))
        return fa_fail(e, FA_EINVAL, "the question must be an object");
    if (fa_range_parse(FA_API_INTERNAL, json_object_get(question, "date"), "date", today, &absent,
                       &out->range, e))
        return e->rc;
    out->range.name = fa_arena_dup(a, out->range.name);
    if (!out->range.name.p)
        return fa_oom(e);
    if (read_cost_type(c, question, default_cost_type, out, e) ||
        read_granularity(question, out, e) || read_group_by(c, a, question, out, e) ||
        read_top(question, out, e) || read_currency(question, a, out, e))
        return e->rc;
    return fa_filter_parse(c, a, FA_API_INTERNAL, json_object_get(question, "filters"), "filters",
                           &out->filter, e);
}

/* ---- out ---- */

static const char *granularity_name(fa_bucket b)
{
    for (size_t i = 0; i < FA_COUNT(granularities); i++)
        if (granularities[i].bucket == b)
            return granularities[i].name;
    return "day";
}

static void put_day(fa_jw *w, const char *name, int32_t day)
{
    fa_buf b;

    fa_buf_init(&b, 64);
    fa_day_emit(&b, day);
    fa_jw_key(w, name);
    fa_jw_str(w, fa_buf_view(&b));
    fa_buf_release(&b);
}

static void put_date(fa_jw *w, const fa_range *r)
{
    fa_jw_key(w, "date");
    fa_jw_obj(w);
    if (r->relative) {
        fa_jw_key(w, "relativeRange");
        fa_jw_str(w, r->name);
    }
    put_day(w, "from", r->from);
    put_day(w, "to", r->to);
    fa_jw_key(w, "type");
    fa_jw_z(w, granularity_name(r->unit));
    fa_jw_end_obj(w);
}

void fa_plan_json(fa_jw *w, const fa_plan *p)
{
    fa_jw_obj(w);
    put_date(w, &p->range);
    fa_jw_key(w, "costType");
    fa_jw_z(w, p->nmeasure ? p->measure[0].type->name : "netAmortizedCost");
    fa_jw_key(w, "granularity");
    fa_jw_z(w, granularity_name(p->bucket));
    fa_jw_key(w, "groupBy");
    fa_jw_arr(w);
    for (size_t i = 0; i < p->ndim; i++) {
        fa_jw_obj(w);
        fa_jw_key(w, "costCenter");
        fa_jw_str(w, p->dim[i]->cost_center);
        fa_jw_key(w, "key");
        fa_jw_str(w, p->dim[i]->key);
        fa_jw_key(w, "type");
        fa_jw_z(w, fa_key_type_name(p->dim[i]->type, FA_API_V2));
        fa_jw_end_obj(w);
    }
    fa_jw_end_arr(w);
    fa_jw_key(w, "filters");
    fa_filter_json(w, FA_API_V2, p->filter);
    fa_jw_key(w, "previous");
    fa_jw_bool(w, p->previous);
    fa_jw_key(w, "top");
    fa_jw_int(w, (int64_t)p->top);
    fa_jw_key(w, "others");
    fa_jw_bool(w, p->others);
    if (p->shared) {
        fa_jw_key(w, "shared");
        fa_jw_bool(w, true);
    }
    if (p->currency.n) {
        fa_jw_key(w, "currency");
        fa_jw_str(w, p->currency);
    }
    fa_jw_end_obj(w);
}
