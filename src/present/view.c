/*
 * view.c - saved views and the question they hold.
 */
#include "present/present.h"

#include <stdlib.h>
#include <string.h>

enum { NAME_MAX_BYTES = 200, BODY_MAX_BYTES = 256 << 10 };

static const char *const bucket_names[FA__BUCKET_COUNT] = {
    [FA_HOUR] = "hour",       [FA_DAY] = "day",   [FA_WEEK] = "week",      [FA_MONTH] = "month",
    [FA_QUARTER] = "quarter", [FA_YEAR] = "year", [FA_ALL] = "accumulated"};

fa_rc fa_question_plan(fa_ledger *l, fa_arena *a, const fa_catalog *c, const json_t *question,
                       fa_plan *out, fa_err *e)
{
    fa_account account;

    if (fa_account_first(fa_ledger_store(l), a, &account, e))
        return fa_in(e, "question");
    return fa_plan_parse(c, a, question, fa_ms_day(fa_now_ms()), account.default_cost_type, out, e);
}

static void put_key(fa_jw *w, const fa_key *k, fa_api api)
{
    fa_jw_obj(w);
    fa_jw_key(w, "costCenter");
    fa_jw_str(w, api == FA_API_INTERNAL ? k->cost_center_id : k->cost_center);
    fa_jw_key(w, "key");
    fa_jw_str(w, k->key);
    fa_jw_key(w, "type");
    fa_jw_z(w, fa_key_type_name(k->type, api));
    fa_jw_key(w, "path");
    fa_jw_str(w, k->path);
    if (api != FA_API_INTERNAL) {
        fa_jw_key(w, "displayName");
        fa_jw_str(w, k->display);
    }
    fa_jw_end_obj(w);
}

fa_rc fa_view_body(const fa_view *v, json_t **out, fa_err *e)
{
    *out = json_loadb(v->body.p, v->body.n, 0, NULL);
    if (!json_is_object(*out) || !json_is_object(json_object_get(*out, "question"))) {
        json_decref(*out);
        *out = NULL;
        return fa_fail(e, FA_EINTERNAL, "view \"%.*s\" is damaged", FA_FMT(v->id));
    }
    return FA_OK;
}

static fa_rc name_ok(fa_str *name, fa_err *e)
{
    *name = fa_str_trim(*name);
    for (size_t i = 0; i < name->n; i++)
        if ((unsigned char)name->p[i] < ' ')
            name->n = 0;
    if (name->n && name->n <= NAME_MAX_BYTES && fa_utf8_valid(*name))
        return FA_OK;
    fa_fail(e, FA_EINVAL, "a view's name must have 1 to %d bytes of text", NAME_MAX_BYTES);
    return fa_at(e, "name");
}

/* The text of {"question","chart"}, in the arena. */
static fa_rc body_text(fa_arena *a, const json_t *question, const json_t *chart, fa_str *out,
                       fa_err *e)
{
    json_t *root = json_pack("{s:O,s:O?}", "question", question, "chart", chart);
    char *text = root ? json_dumps(root, JSON_COMPACT | JSON_REAL_PRECISION(17)) : NULL;
    fa_rc rc = FA_OK;

    if (!text) {
        rc = fa_oom(e);
    } else if (strlen(text) > BODY_MAX_BYTES) {
        rc = fa_fail(e, FA_EINVAL, "a view may have at most %d bytes", BODY_MAX_BYTES);
    } else {
        *out = fa_arena_dup(a, fa_str_of(text));
        if (!out->p)
            rc = fa_oom(e);
    }
    free(text);
    json_decref(root);
    return rc;
}

static fa_rc question_ok(fa_ledger *l, fa_arena *a, const json_t *question, fa_err *e)
{
    fa_catalog *c = NULL;
    fa_plan p;
    fa_rc rc;

    if (!json_is_object(question)) {
        fa_fail(e, FA_EINVAL, "the question must be an object");
        return fa_at(e, "question");
    }
    if ((rc = fa_catalog_get(l, &c, e)))
        return rc;
    rc = fa_question_plan(l, a, c, question, &p, e);
    fa_catalog_put(c);
    return rc;
}

#define KIND FA_STR("view")

fa_rc fa_views_of(fa_ledger *l, fa_arena *a, const fa_caller *c, fa_view **out, size_t *n,
                  fa_err *e)
{
    size_t kept = 0;
    fa_acl acl;
    fa_rc rc = fa_view_list(fa_ledger_store(l), a, fa_ledger_account(l), out, n, e);

    for (size_t i = 0; !rc && i < *n; i++) {
        if ((rc = fa_acl_get(l, a, KIND, (*out)[i].id, &acl, e)))
            return rc;
        if (fa_acl_may_read(&acl, c))
            (*out)[kept++] = (*out)[i];
    }
    *n = rc ? 0 : kept;
    return rc;
}

fa_rc fa_view_of(fa_ledger *l, fa_arena *a, const fa_caller *c, fa_str id, fa_view *out, fa_err *e)
{
    fa_rc rc = fa_view_get(fa_ledger_store(l), a, fa_ledger_account(l), id, out, e);

    return rc ? rc : fa_acl_read(l, a, c, KIND, id, e);
}

static fa_rc audit(fa_ledger *l, const fa_caller *by, const char *action, const fa_view *v,
                   fa_str before, fa_str after, fa_err *e)
{
    return fa_audit_add(l, by,
                        &(fa_audit){.action = action,
                                    .object_type = "view",
                                    .object_id = v->id,
                                    .object_name = v->name,
                                    .before = before,
                                    .after = after},
                        e);
}

static fa_rc put(fa_ledger *l, fa_arena *a, const fa_caller *by, const fa_view *v, bool is_new,
                 fa_str before, fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    bool opened;
    fa_rc rc = fa_store_enter(s, &opened, e);

    if (rc)
        return rc;
    rc = fa_view_put(s, fa_ledger_account(l), v, e);
    if (rc == FA_ECONFLICT) {
        fa_fail(e, rc, "there is a view named \"%.*s\" already", FA_FMT(v->name));
        rc = fa_at(e, "name");
    }
    if (!rc && is_new)
        rc = fa_acl_new(l, a, by, KIND, v->id, NULL, e);
    if (!rc)
        rc = audit(l, by, is_new ? "view.create" : "view.change", v, before, v->body, e);
    return fa_store_leave(s, opened, rc, e);
}

fa_rc fa_view_save(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_str id, fa_str name,
                   const json_t *question, const json_t *chart, fa_view *out, fa_err *e)
{
    json_t *old = NULL;
    fa_str before = {0};
    char new_id[37];
    fa_rc rc = FA_OK;

    *out = (fa_view){0};
    if (id.n) {
        if ((rc = fa_view_of(l, a, by, id, out, e)) || (rc = fa_acl_write(l, a, by, KIND, id, e)) ||
            (rc = fa_view_body(out, &old, e)))
            return rc;
        before = out->body;
        if (!question)
            question = json_object_get(old, "question");
        if (!chart)
            chart = json_object_get(old, "chart");
        if (!name.p)
            name = out->name;
    } else {
        fa_uuid_v4(new_id);
        out->id = fa_arena_dup(a, fa_str_of(new_id));
        out->created_by = by->email;
        out->created_ms = fa_now_ms();
        if (!out->id.p)
            return fa_oom(e);
    }
    out->updated_ms = fa_now_ms();
    if ((rc = name_ok(&name, e)) || (rc = question_ok(l, a, question, e)) ||
        (id.n && (rc = fa_view_check_feeds(l, id, question, e))) ||
        (rc = body_text(a, question, chart, &out->body, e)))
        goto done;
    out->name = name;
    rc = put(l, a, by, out, !id.n, before, e);
    if (!rc)
        fa_telemetry_touch(); /* a view may feed one */
done:
    json_decref(old);
    return rc;
}

fa_rc fa_view_remove(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_str id, fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    fa_view v;
    bool opened;
    fa_rc rc = fa_store_enter(s, &opened, e);

    if (rc)
        return rc;
    if (!(rc = fa_view_of(l, a, by, id, &v, e)) && !(rc = fa_acl_write(l, a, by, KIND, id, e)) &&
        !(rc = fa_view_delete(s, fa_ledger_account(l), id, e)) &&
        !(rc = fa_acl_drop(l, KIND, id, e)))
        rc = audit(l, by, "view.delete", &v, v.body, FA_STR(""), e);
    return fa_store_leave(s, opened, rc, e);
}

/* A text the writer made, as json_t. */
static json_t *reparse(fa_buf *b)
{
    json_t *j = b->failed ? NULL : json_loadb(b->p ? b->p : "", b->n, JSON_DECODE_ANY, NULL);

    fa_buf_release(b);
    return j;
}

static fa_rc groups_from_internal(const fa_catalog *c, fa_arena *a, const json_t *list, fa_jw *w,
                                  fa_err *e)
{
    const json_t *g;
    size_t i;

    fa_jw_arr(w);
    json_array_foreach(list, i, g)
    {
        const fa_key *k;
        char at[64];

        snprintf(at, sizeof at, "data.query.groupBys[%zu]", i);
        if (!json_is_object(g)) {
            fa_fail(e, FA_EINVAL, "a group must be an object");
            return fa_at(e, at);
        }
        if (fa_catalog_find(c, a, FA_API_INTERNAL,
                            fa_str_of(json_string_value(json_object_get(g, "costCenter"))),
                            fa_str_of(json_string_value(json_object_get(g, "key"))),
                            fa_str_of(json_string_value(json_object_get(g, "type"))), &k, e))
            return fa_at(e, at);
        put_key(w, k, FA_API_V2);
    }
    fa_jw_end_arr(w);
    return FA_OK;
}

fa_rc fa_view_from_internal(const fa_catalog *c, fa_arena *a, const json_t *data, json_t **question,
                            fa_err *e)
{
    const json_t *query = json_object_get(data, "query"), *date = json_object_get(data, "date");
    const json_t *type = json_object_get(data, "costType");
    const json_t *step = json_object_get(data, "granularity");
    fa_buf groups = {0}, filters = {0};
    const fa_filter *f = NULL;
    fa_jw gw, fw;
    fa_rc rc;

    *question = NULL;
    if (!json_is_object(data) || (query && !json_is_object(query))) {
        fa_fail(e, FA_EINVAL, "data must be an object with query, date and costType");
        return fa_at(e, "data");
    }
    fa_jw_init(&gw, &groups);
    fa_jw_init(&fw, &filters);
    if ((rc = groups_from_internal(c, a, json_object_get(query, "groupBys"), &gw, e)) ||
        (rc = fa_filter_parse(c, a, FA_API_INTERNAL, json_object_get(query, "filters"),
                              "data.query.filters", &f, e))) {
        fa_buf_release(&groups);
        fa_buf_release(&filters);
        return rc;
    }
    fa_filter_json(&fw, FA_API_V2, f);
    *question = json_object();
    if (!*question || (date && json_object_set_new(*question, "date", json_deep_copy(date))) ||
        (type && json_object_set_new(*question, "costType", json_deep_copy(type))) ||
        (step && json_object_set_new(*question, "granularity", json_deep_copy(step))) ||
        json_object_set_new(*question, "groupBy", reparse(&groups)) ||
        json_object_set_new(*question, "filters", reparse(&filters))) {
        json_decref(*question);
        *question = NULL;
        return fa_oom(e);
    }
    return FA_OK;
}

void fa_view_internal_json(fa_jw *w, const json_t *question, const fa_plan *p)
{
    char *date = json_dumps(json_object_get(question, "date"), JSON_COMPACT);

    fa_jw_obj(w);
    fa_jw_key(w, "query");
    fa_jw_obj(w);
    fa_jw_key(w, "filters");
    fa_filter_json(w, FA_API_INTERNAL, p->filter);
    fa_jw_key(w, "groupBys");
    fa_jw_arr(w);
    for (size_t i = 0; i < p->ndim; i++)
        put_key(w, p->dim[i], FA_API_INTERNAL);
    fa_jw_end_arr(w);
    fa_jw_end_obj(w);
    if (date) {
        fa_jw_key(w, "date");
        fa_jw_raw(w, fa_str_of(date));
    }
    fa_jw_key(w, "costType");
    fa_jw_z(w, p->measure[0].type->name);
    fa_jw_key(w, "granularity");
    fa_jw_z(w, bucket_names[p->bucket]);
    fa_jw_end_obj(w);
    free(date);
}
