/*
 * explore.c - the page's question and everything around it (doc/page-api.md, The question).
 */
#include "api/internal.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* The same period, cost type and scope without the filter: "of how much". */
static fa_rc put_unfiltered(fa_req *r, fa_jw *w, const fa_plan *p, fa_err *e)
{
    fa_plan whole = *p;
    fa_answer a;
    fa_rc rc;

    whole.filter = NULL;
    whole.ndim = 0;
    whole.previous = false;
    whole.bucket = FA_ALL;
    whole.nmeasure = 1;
    rc = ask_run(r, &whole, &a, e);
    if (rc == FA_EDATA) { /* two currencies without the filter: there is no such number */
        put_z(w, "unfiltered", NULL);
        return FA_OK;
    }
    if (!rc)
        put_money(w, "unfiltered", a.total.total_e10[0]);
    return rc;
}

static int64_t micros(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* Up to which day everything is known, and whom that waits for, if the caller may know. */
static fa_rc put_complete(fa_req *r, fa_jw *w, fa_err *e)
{
    fa_complete_days c;
    bool all;
    fa_rc rc = fa_complete(r->ledger, r->mem, ask_today(), &c, e);

    if (rc || (rc = fa_caller_sees_all(r->ledger, r->mem, r->caller, &all, e)))
        return rc;
    put_day(w, "completeTo", c.to);
    if (c.behind.n && all)
        put_str(w, "behind", c.behind);
    else
        put_z(w, "behind", NULL);
    return FA_OK;
}

/* A comparison counts days that are complete in both halves; nothing complete: there is none. */
static fa_rc cut_comparison(fa_req *r, fa_plan *p, fa_err *e)
{
    fa_complete_days c;
    fa_rc rc = fa_complete(r->ledger, r->mem, ask_today(), &c, e);

    if (rc || c.to == INT32_MIN)
        return rc;
    if (c.to < p->range.from)
        p->previous = false;
    else
        p->complete_to = c.to;
    return FA_OK;
}

static fa_rc put_answer(fa_req *r, fa_jw *w, const fa_plan *p, const fa_answer *a, int64_t began,
                        fa_err *e)
{
    fa_rc rc = FA_OK;

    fa_jw_obj(w);
    fa_answer_members(w, p, a);
    if ((rc = put_complete(r, w, e)))
        return rc;
    if (p->filter && p->filter->kind != FA_F_TRUE)
        rc = put_unfiltered(r, w, p, e);
    else
        put_z(w, "unfiltered", NULL);
    fa_jw_key(w, "elapsedMs");
    fa_jw_dec(w, micros() - began, 3);
    fa_jw_end_obj(w);
    return rc;
}

/* Parses the body as a question and runs it. The catalog must live as long as the plan. */
static fa_rc ask(fa_req *r, fa_catalog **c, fa_plan *p, fa_answer *a, bool all_groups, fa_err *e)
{
    fa_rc rc;

    if ((rc = in_object(r, e)) || (rc = fa_catalog_get(r->ledger, c, e)) ||
        (rc = fa_question_plan(r->ledger, r->mem, *c, r->json, p, e)))
        return rc;
    if (all_groups)
        p->top = 0;
    if (p->previous && (rc = cut_comparison(r, p, e)))
        return rc;
    return ask_run(r, p, a, e);
}

fa_rc api_query(fa_req *r, fa_res *o, fa_err *e)
{
    int64_t began = micros();
    fa_catalog *c = NULL;
    fa_plan p;
    fa_answer a;
    fa_jw w;
    fa_rc rc = ask(r, &c, &p, &a, false, e);

    if (!rc) {
        fa_jw_init(&w, &o->body);
        rc = put_answer(r, &w, &p, &a, began, e);
    }
    fa_catalog_put(c);
    return rc;
}

fa_rc api_query_csv(fa_req *r, fa_res *o, fa_err *e)
{
    fa_catalog *c = NULL;
    fa_buf name = {0};
    fa_plan p;
    fa_answer a;
    fa_rc rc = ask(r, &c, &p, &a, true, e);

    if (!rc) {
        fa_buf_z(&name, "farthing-");
        fa_day_emit(&name, a.range.from);
        fa_buf_c(&name, '-');
        fa_day_emit(&name, a.range.to);
        fa_buf_z(&name, ".csv");
        fa_answer_csv(&o->body, &p, &a);
        rc = name.failed ? fa_oom(e) : out_attachment(r, o, "text/csv; charset=utf-8", name.p, e);
    }
    fa_buf_release(&name);
    fa_catalog_put(c);
    return rc;
}

/* The question's bill rows as a FOCUS file of its own; "format" is csv or parquet. */
fa_rc api_focus(fa_req *r, fa_res *o, fa_err *e)
{
    fa_catalog *c = NULL;
    const char *format, *name;
    char id[37];
    int64_t n;
    fa_plan p;
    fa_rc rc;
    bool csv;

    if ((rc = in_object(r, e)))
        return rc;
    format = json_string_value(json_object_get(r->json, "format"));
    csv = !format || strcmp(format, "csv") == 0;
    if (!csv && strcmp(format, "parquet") != 0) {
        (void)fa_fail(e, FA_EINVAL, "format must be csv or parquet");
        return fa_at(e, "format");
    }
    fa_uuid_v4(id);
    o->file = fa_arena_printf(r->mem, "%s/staging/focus-%s", fa_ledger_dir(r->ledger), id);
    o->file_once = true;
    if (!o->file)
        return fa_oom(e);
    if ((rc = fa_catalog_get(r->ledger, &c, e)))
        return rc;
    if (!(rc = fa_question_plan(r->ledger, r->mem, c, r->json, &p, e)) &&
        !(rc = fa_caller_scope(r->ledger, r->mem, r->caller, &p.scope, e))) {
        p.deadline_mono_ms = r->deadline_mono_ms;
        name = csv ? "farthing-focus-1.2.csv" : "farthing-focus-1.2.parquet";
        if (!(rc = fa_query_focus(r->ledger, r->mem, &p, csv, o->file, &n, e)))
            rc = out_attachment(
                r, o, csv ? "text/csv; charset=utf-8" : "application/vnd.apache.parquet", name, e);
    }
    fa_catalog_put(c);
    return rc;
}

fa_rc api_rows(fa_req *r, fa_res *o, fa_err *e)
{
    fa_catalog *c = NULL;
    int64_t limit;
    fa_plan p;
    fa_jw w;
    fa_rc rc;

    if ((rc = in_object(r, e)) || (rc = in_int(r->json, "limit", 1, 500, 100, &limit, e)) ||
        (rc = fa_catalog_get(r->ledger, &c, e)))
        return rc;
    if (!(rc = fa_question_plan(r->ledger, r->mem, c, r->json, &p, e)) &&
        !(rc = fa_caller_scope(r->ledger, r->mem, r->caller, &p.scope, e))) {
        p.deadline_mono_ms = r->deadline_mono_ms;
        fa_jw_init(&w, &o->body);
        rc = fa_query_rows(r->ledger, r->mem, &p, (size_t)limit, &w, e);
    }
    fa_catalog_put(c);
    return rc;
}

fa_rc api_keys(fa_req *r, fa_res *o, fa_err *e)
{
    fa_catalog *c;
    const fa_key *k;
    size_t n;
    fa_jw w;
    fa_rc rc = fa_catalog_get(r->ledger, &c, e);

    if (rc)
        return rc;
    if ((rc = ask_keys(r, c, &k, &n, e)))
        goto done;
    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    fa_jw_key(&w, "keys");
    fa_jw_arr(&w);
    for (size_t i = 0; i < n; i++) {
        fa_jw_obj(&w);
        put_str(&w, "costCenter", k[i].cost_center);
        put_str(&w, "key", k[i].key);
        put_z(&w, "type", fa_key_type_name(k[i].type, FA_API_V2));
        put_str(&w, "displayName", k[i].display);
        put_str(&w, "path", k[i].path);
        fa_jw_end_obj(&w);
    }
    fa_jw_end_arr(&w);
    fa_jw_end_obj(&w);
done:
    fa_catalog_put(c);
    return rc;
}

/* The plan that prices values: the range and cost type asked for. *priced: a range was given. */
static fa_rc price_plan(fa_req *r, fa_plan *p, bool *priced, fa_err *e)
{
    const json_t *date = json_object_get(r->json, "date");
    fa_str type;
    fa_rc rc;

    *p = (fa_plan){.bucket = FA_ALL, .nmeasure = 1, .deadline_mono_ms = r->deadline_mono_ms};
    *priced = date && !json_is_null(date);
    if ((rc = in_text(r->json, "costType", false, &type, e)))
        return rc;
    rc = type.n ? fa_cost_type_find(type, fa_ledger_fair(r->ledger), &p->measure[0].type, e)
                : ask_default_type(r->ledger, r->mem, &p->measure[0].type, e);
    if (rc)
        return fa_at(e, "costType");
    if (*priced &&
        (rc = fa_range_parse(FA_API_INTERNAL, date, "date", ask_today(), NULL, &p->range, e)))
        return rc;
    return fa_caller_scope(r->ledger, r->mem, r->caller, &p->scope, e);
}

static int dearest_first(const void *px, const void *py)
{
    const fa_value *x = px, *y = py;

    if (x->cost_e18 != y->cost_e18)
        return x->cost_e18 < y->cost_e18 ? 1 : -1;
    return fa_str_cmp(x->value, y->value);
}

/* By cost, a page cannot go on after a value by its text: it goes on after the value's place. */
static void page_by_cost(fa_value **v, size_t *n, fa_str after, size_t limit)
{
    size_t from = 0;

    if (*n)
        qsort(*v, *n, sizeof **v, dearest_first);
    for (size_t i = 0; after.n && i < *n; i++)
        if (fa_str_eq((*v)[i].value, after))
            from = i + 1;
    *v += from;
    *n -= from;
    if (*n > limit + 1)
        *n = limit + 1;
}

fa_rc api_values(fa_req *r, fa_res *o, fa_err *e)
{
    fa_str cc, key, type, search, after;
    fa_catalog *c = NULL;
    const fa_key *k;
    bool priced;
    int64_t limit;
    fa_value *v;
    fa_plan p;
    size_t n;
    fa_jw w;
    fa_rc rc;

    if ((rc = in_object(r, e)) || (rc = in_text(r->json, "costCenter", true, &cc, e)) ||
        (rc = in_text(r->json, "key", true, &key, e)) ||
        (rc = in_text(r->json, "type", false, &type, e)) ||
        (rc = in_text(r->json, "search", false, &search, e)) ||
        (rc = in_text(r->json, "after", false, &after, e)) ||
        (rc = in_int(r->json, "limit", 1, 500, 100, &limit, e)) ||
        (rc = price_plan(r, &p, &priced, e)) || (rc = fa_catalog_get(r->ledger, &c, e)))
        return rc;
    if ((rc = fa_catalog_find(c, r->mem, FA_API_V2, cc, key, type, &k, e)) ||
        (rc = fa_query_values(r->ledger, r->mem, k, p.scope, search, priced ? (fa_str){0} : after,
                              priced ? 0 : (size_t)limit + 1, priced ? &p : NULL, &v, &n, e)))
        goto done;
    if (priced)
        page_by_cost(&v, &n, after, (size_t)limit);
    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    fa_jw_key(&w, "values");
    fa_jw_arr(&w);
    for (size_t i = 0; i < n && i < (size_t)limit; i++) {
        fa_jw_obj(&w);
        put_str(&w, "value", v[i].value);
        if (priced && v[i].has_cost)
            put_money(&w, "cost", fa_dec_round(v[i].cost_e18, 10));
        else
            put_z(&w, "cost", NULL);
        fa_jw_end_obj(&w);
    }
    fa_jw_end_arr(&w);
    put_bool(&w, "more", n > (size_t)limit);
    fa_jw_end_obj(&w);
done:
    fa_catalog_put(c);
    return rc;
}
