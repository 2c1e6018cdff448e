/*
 * tagpreview.c - what a draft of a virtual tag would say, and which rule labelled a cell (doc/page-api.md).
 *
 * The one idea: query/ computes, this spells. The caller's row rules hold here as they do for any question.
 */
#include "api/internal.h"

#include <string.h>
#include <time.h>

static int64_t micros(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* ---- preview ---- */

static void put_range(fa_jw *w, const fa_range *r)
{
    fa_jw_key(w, "range");
    fa_jw_obj(w);
    put_day(w, "from", r->from);
    put_day(w, "to", r->to);
    put_int(w, "days", (int64_t)r->to - r->from + 1);
    fa_jw_end_obj(w);
}

/* Part of the total in percent with two decimals; null of nothing. */
static void put_share(fa_jw *w, fa_i128 part, fa_i128 total)
{
    fa_i128 q;

    fa_jw_key(w, "share");
    if (total == 0) {
        fa_jw_null(w);
        return;
    }
    if (total < 0) {
        total = -total;
        part = -part;
    }
    q = fa_dec_muldiv(part, 20000, total) + 1; /* halves, so that the floor rounds */
    fa_jw_dec(w, (q - (q % 2 != 0 ? 1 : 0)) / 2, 2);
}

static void put_values(fa_jw *w, const fa_try_preview *p)
{
    fa_jw_key(w, "values");
    fa_jw_arr(w);
    for (size_t i = 0; i < p->nvalue; i++) {
        const fa_try_value *v = &p->value[i];

        fa_jw_obj(w);
        put_str(w, "value", v->value);
        put_money(w, "cost", v->cost_e10);
        put_share(w, v->cost_e10, p->total_e10);
        put_int(w, "lines", v->rows);
        if (p->has_live)
            put_money(w, "liveCost", v->live_e10);
        else
            put_z(w, "liveCost", NULL);
        fa_jw_end_obj(w);
    }
    fa_jw_end_arr(w);
    put_int(w, "valueCount", (int64_t)p->nvalue_all);
}

static void put_rules(fa_jw *w, const fa_try_preview *p)
{
    fa_jw_key(w, "rules");
    fa_jw_arr(w);
    for (size_t i = 0; i < p->nuse; i++) {
        const fa_try_use *u = &p->use[i];

        fa_jw_obj(w);
        put_money(w, "matched", u->matched_e10);
        put_money(w, "shadowed", u->shadowed_e10);
        put_int(w, "lines", u->rows);
        put_int(w, "values", (int64_t)u->nvalue);
        put_bool(w, "dead", u->is_dead);
        fa_jw_end_obj(w);
    }
    fa_jw_end_arr(w);
    put_money(w, "unmatched", p->unmatched_e10);
}

static void put_moves(fa_jw *w, const fa_try_preview *p)
{
    fa_jw_key(w, "moves");
    fa_jw_arr(w);
    for (size_t i = 0; i < p->nmove; i++) {
        fa_jw_obj(w);
        put_str(w, "from", p->move[i].from);
        put_str(w, "to", p->move[i].to);
        put_money(w, "cost", p->move[i].cost_e10);
        fa_jw_end_obj(w);
    }
    fa_jw_end_arr(w);
    put_int(w, "moveCount", (int64_t)p->nmove_all);
}

static int64_t rule_number(uint32_t rule)
{
    return rule == FA_NO_RULE ? -1 : (int64_t)rule;
}

static void put_sample(fa_jw *w, const fa_try_preview *p)
{
    fa_jw_key(w, "sample");
    fa_jw_arr(w);
    for (size_t i = 0; i < p->nsample; i++) {
        const fa_try_sample *s = &p->sample[i];

        fa_jw_obj(w);
        put_int(w, "rule", rule_number(s->rule));
        put_str(w, "value", s->value);
        put_money(w, "cost", s->cost_e10);
        put_str(w, "costCenter", s->cost_center);
        put_str(w, "account", s->account);
        put_str(w, "service", s->service);
        put_str(w, "region", s->region);
        put_str(w, "resource", s->resource);
        fa_jw_end_obj(w);
    }
    fa_jw_end_arr(w);
}

static void put_preview(fa_jw *w, const fa_try_preview *p, int64_t began)
{
    fa_jw_obj(w);
    put_range(w, &p->range);
    put_str(w, "currency", p->currency);
    put_money(w, "total", p->total_e10);
    put_values(w, p);
    put_rules(w, p);
    put_moves(w, p);
    put_sample(w, p);
    fa_jw_key(w, "elapsedMs");
    fa_jw_dec(w, micros() - began, 3);
    fa_jw_end_obj(w);
}

/* A field of the document is one of its member in the body. */
static fa_rc in_document(fa_err *e)
{
    char field[160];

    if (!e->field[0] || strcmp(e->field, "costType") == 0 || strncmp(e->field, "date", 4) == 0)
        return e->rc;
    snprintf(field, sizeof field, "document.%.140s", e->field);
    return fa_at(e, field);
}

/* The plan of a body's date, cost type and filters, as the caller may see it. */
static fa_rc ask_plan(fa_req *r, const fa_catalog *c, const json_t *question, fa_plan *p, fa_err *e)
{
    if (fa_question_plan(r->ledger, r->mem, c, question, p, e))
        return e->rc;
    p->deadline_mono_ms = r->deadline_mono_ms;
    return fa_caller_scope(r->ledger, r->mem, r->caller, &p->scope, e);
}

fa_rc api_tag_preview(fa_req *r, fa_res *o, fa_err *e)
{
    int64_t began = micros();
    const json_t *document;
    fa_catalog *c = NULL;
    fa_try_preview out;
    fa_str key;
    fa_plan p;
    fa_jw w;
    fa_rc rc;

    if ((rc = in_object(r, e)) || (rc = in_text(r->json, "key", false, &key, e)) ||
        (rc = fa_catalog_get(r->ledger, &c, e)))
        return rc;
    document = json_object_get(r->json, "document");
    if (!json_is_object(document)) {
        (void)fa_fail(e, FA_EINVAL, "document %s", document ? "must be an object" : "is missing");
        rc = fa_at(e, "document");
    }
    if (!rc && !(rc = ask_plan(r, c, r->json, &p, e))) {
        rc = fa_tag_try(r->ledger, r->mem, c, document, key, &p, &out, e);
        if (rc)
            (void)in_document(e);
    }
    if (!rc) {
        fa_jw_init(&w, &o->body);
        put_preview(&w, &out, began);
    }
    fa_catalog_put(c);
    return rc;
}

/* ---- explain ---- */

static fa_rc bad_cell(fa_err *e, const char *field, const char *msg)
{
    (void)fa_fail(e, FA_EINVAL, "%s %s", field, msg);
    return fa_at(e, field);
}

/* The cell's group as conditions on the plan's keys; a group's missing value is the empty text. */
static fa_rc narrow_to_group(fa_req *r, const json_t *values, fa_plan *p, fa_err *e)
{
    if (values && (!json_is_array(values) || json_array_size(values) != p->ndim))
        return bad_cell(e, "cell.values", "must have one text for each key of groupBy");
    for (size_t i = 0; values && i < p->ndim; i++) {
        const json_t *v = json_array_get(values, i);
        fa_str *text = fa_arena_alloc(r->mem, sizeof *text);
        fa_filter *f = fa_arena_alloc(r->mem, sizeof *f);

        if (!json_is_string(v))
            return bad_cell(e, "cell.values", "must have one text for each key of groupBy");
        if (!text || !f)
            return fa_oom(e);
        *text = (fa_str){json_string_value(v), json_string_length(v)};
        *f = (fa_filter){.kind = FA_F_LEAF,
                         .key = p->dim[i],
                         .op = text->n ? FA_OP_ONE_OF : FA_OP_NOT_EXISTS,
                         .value = text,
                         .nvalue = text->n > 0};
        if (fa_filter_and(r->mem, p->filter, f, &p->filter, e))
            return e->rc;
    }
    return FA_OK;
}

/* The days of the cell's bucket that are asked for. */
static fa_rc narrow_to_bucket(const json_t *bucket, fa_plan *p, fa_err *e)
{
    fa_bucket unit = p->bucket == FA_HOUR ? FA_DAY : p->bucket;
    fa_str text = {json_string_value(bucket), json_string_length(bucket)};
    int32_t day, first, next;

    if (!bucket || json_is_null(bucket) || unit == FA_ALL)
        return FA_OK;
    if (text.n > 10 && text.p[10] == 'T')
        text.n = 10; /* an hour */
    if (!json_is_string(bucket) || !fa_day_parse(text, &day))
        return bad_cell(e, "cell.bucket", "must be a day as YYYY-MM-DD");
    first = fa_day_floor(day, unit);
    next = fa_day_next(day, unit);
    p->range.from = first > p->range.from ? first : p->range.from;
    p->range.to = next - 1 < p->range.to ? next - 1 : p->range.to;
    if (p->range.from > p->range.to)
        return bad_cell(e, "cell.bucket", "is not in the range");
    return FA_OK;
}

static void put_to(fa_jw *w, const fa_tag_to *to)
{
    if (!to || !to->is_key) {
        put_str(w, "to", to ? to->text : FA_STR(""));
        return;
    }
    fa_jw_key(w, "to");
    fa_jw_obj(w);
    put_str(w, "costCenter", to->key.cost_center);
    put_str(w, "key", to->key.key);
    put_str(w, "type", to->key.type);
    fa_jw_end_obj(w);
}

static void put_causes(fa_jw *w, const fa_try_cause *c, size_t n)
{
    fa_jw_obj(w);
    fa_jw_key(w, "rules");
    fa_jw_arr(w);
    for (size_t i = 0; i < n; i++) {
        fa_jw_obj(w);
        put_int(w, "rule", rule_number(c[i].rule));
        put_to(w, c[i].to);
        put_money(w, "cost", c[i].cost_e10);
        put_int(w, "lines", c[i].rows);
        fa_jw_end_obj(w);
    }
    fa_jw_end_arr(w);
    fa_jw_end_obj(w);
}

fa_rc api_tag_explain(fa_req *r, fa_res *o, fa_err *e)
{
    const json_t *cell;
    fa_catalog *c = NULL;
    const fa_key *tag;
    fa_try_cause *cause;
    fa_str id;
    size_t n;
    fa_plan p;
    fa_jw w;
    fa_rc rc;

    if ((rc = in_object(r, e)) || (rc = in_text(r->json, "tagId", true, &id, e)) ||
        (rc = fa_catalog_get(r->ledger, &c, e)))
        return rc;
    cell = json_object_get(r->json, "cell");
    if ((rc = fa_catalog_find(c, r->mem, FA_API_INTERNAL, FA_STR("virtualTag"), id,
                              FA_STR("virtual_tag"), &tag, e))) {
        (void)fa_fail(e, FA_ENOTFOUND, "there is no such virtual tag");
        rc = fa_at(e, "tagId");
    }
    if (!rc && !(rc = ask_plan(r, c, json_object_get(r->json, "question"), &p, e)) &&
        !(rc = narrow_to_group(r, json_object_get(cell, "values"), &p, e)) &&
        !(rc = narrow_to_bucket(json_object_get(cell, "bucket"), &p, e)) &&
        !(rc = fa_tag_explain(r->ledger, r->mem, tag, &p, &cause, &n, e))) {
        fa_jw_init(&w, &o->body);
        put_causes(&w, cause, n);
    }
    fa_catalog_put(c);
    return rc;
}
