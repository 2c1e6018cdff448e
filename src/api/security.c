/*
 * security.c - the security policy, the audit log, access lists of objects and their default.
 */
#include "api/internal.h"

#include "allocate/allocate.h"

#include <stdlib.h>
#include <string.h>

fa_rc api_policy_get(fa_req *r, fa_res *o, fa_err *e)
{
    fa_policy p;
    fa_jw w;
    fa_rc rc = fa_policy_get(r->ledger, r->mem, &p, e);

    if (rc)
        return rc;
    fa_jw_init(&w, &o->body);
    fa_policy_json(&w, &p);
    return FA_OK;
}

fa_rc api_policy_put(fa_req *r, fa_res *o, fa_err *e)
{
    fa_rc rc;

    if ((rc = in_object(r, e)) || (rc = fa_policy_set(r->ledger, r->mem, r->caller, r->json, e)))
        return rc;
    return api_policy_get(r, o, e);
}

/* ---- the audit log ---- */

static fa_rc take_search(fa_req *r, int64_t limit, fa_audit_search *q, fa_err *e)
{
    int32_t from = 0, to = 0;
    fa_str day;
    fa_rc rc;

    *q = (fa_audit_search){.text = fa_req_query(r, "q"),
                           .actor = fa_req_query(r, "actor"),
                           .action = fa_req_query(r, "action"),
                           .object_type = fa_req_query(r, "objectType"),
                           .object_id = fa_req_query(r, "objectId"),
                           .outcome = fa_req_query(r, "outcome"),
                           .severity = fa_req_query(r, "severity"),
                           .from_ms = 0,
                           .to_ms = INT64_MAX,
                           .limit = limit};
    if ((day = fa_req_query(r, "from")).n) {
        if (!fa_day_parse(day, &from)) {
            fa_fail(e, FA_EINVAL, "must be a day such as 2026-11-24");
            return fa_at(e, "from");
        }
        q->from_ms = from * INT64_C(86400000);
    }
    if ((day = fa_req_query(r, "to")).n) {
        if (!fa_day_parse(day, &to)) {
            fa_fail(e, FA_EINVAL, "must be a day such as 2026-11-24");
            return fa_at(e, "to");
        }
        q->to_ms = (to + 1) * INT64_C(86400000) - 1;
    }
    rc = in_query_int(r, "before", 1, INT64_C(1000000000000), 0, &q->before_seq, e);
    return rc;
}

static void put_json(fa_jw *w, const char *key, fa_str text)
{
    fa_jw_key(w, key);
    if (text.n && (text.p[0] == '{' || text.p[0] == '[' || fa_str_eqz(text, "true") ||
                   fa_str_eqz(text, "false")))
        fa_jw_raw(w, text);
    else if (text.n)
        fa_jw_str(w, text);
    else
        fa_jw_null(w);
}

static void put_event(fa_jw *w, const fa_audit_row *v)
{
    fa_jw_obj(w);
    put_int(w, "seq", v->seq);
    put_time(w, "at", v->at_ms);
    put_str(w, "actorKind", v->actor_kind);
    put_str(w, "actorId", v->actor_id);
    put_str(w, "actor", v->actor_name);
    fa_jw_key(w, "roles");
    put_words(w, v->roles);
    put_str(w, "onBehalfOf", v->behalf);
    put_str(w, "source", v->source);
    put_str(w, "ip", v->ip);
    put_str(w, "agent", v->agent);
    put_str(w, "requestId", v->request_id);
    put_str(w, "action", v->action);
    put_str(w, "objectType", v->object_type);
    put_str(w, "objectId", v->object_id);
    put_str(w, "objectName", v->object_name);
    put_json(w, "before", v->before);
    put_json(w, "after", v->after);
    put_str(w, "outcome", v->outcome);
    put_str(w, "severity", v->severity);
    put_str(w, "hash", v->hash);
    fa_jw_end_obj(w);
}

/* Reading the log leaves a line in it (AU-8). */
static fa_rc read_log(fa_req *r, const char *action, fa_err *e)
{
    return fa_audit_add(
        r->ledger, r->caller,
        &(fa_audit){.action = action, .object_type = "audit", .object_name = fa_req_query(r, "q")},
        e);
}

fa_rc api_audit_get(fa_req *r, fa_res *o, fa_err *e)
{
    fa_audit_search q;
    fa_audit_row *v;
    int64_t limit;
    size_t n;
    fa_jw w;
    fa_rc rc;

    if ((rc = in_query_int(r, "limit", 1, 200, 50, &limit, e)) ||
        (rc = take_search(r, limit + 1, &q, e)) ||
        (rc = fa_audit_row_find(fa_ledger_store(r->ledger), r->mem, r->caller->account, &q, &v, &n,
                                e)) ||
        (!q.before_seq && (rc = read_log(r, "audit.read", e))))
        return rc;
    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    fa_jw_key(&w, "events");
    fa_jw_arr(&w);
    for (size_t i = 0; i < n && i < (size_t)limit; i++)
        put_event(&w, &v[i]);
    fa_jw_end_arr(&w);
    put_bool(&w, "more", n > (size_t)limit);
    fa_jw_end_obj(&w);
    return FA_OK;
}

static void put_csv_line(fa_buf *b, const fa_audit_row *v)
{
    const fa_str text[] = {v->actor_kind,  v->actor_name, v->source,      v->ip,      v->action,
                           v->object_type, v->object_id,  v->object_name, v->outcome, v->severity,
                           v->before,      v->after,      v->request_id,  v->hash};

    fa_buf_fmt(b, "%lld,", (long long)v->seq);
    fa_time_iso(b, v->at_ms);
    for (size_t i = 0; i < FA_COUNT(text); i++) {
        fa_buf_c(b, ',');
        fa_buf_csv(b, text[i], true);
    }
    fa_buf_z(b, "\r\n");
}

fa_rc api_audit_csv(fa_req *r, fa_res *o, fa_err *e)
{
    fa_audit_search q;
    fa_audit_row *v;
    size_t n;
    fa_rc rc;

    if ((rc = take_search(r, 100000, &q, e)) ||
        (rc = fa_audit_row_find(fa_ledger_store(r->ledger), r->mem, r->caller->account, &q, &v, &n,
                                e)) ||
        (rc = read_log(r, "audit.export", e)))
        return rc;
    fa_buf_z(&o->body, "seq,time,actor kind,actor,source,ip,action,object type,object id,object "
                       "name,outcome,severity,before,after,request id,hash\r\n");
    for (size_t i = 0; i < n; i++)
        put_csv_line(&o->body, &v[i]);
    return out_attachment(r, o, "text/csv; charset=utf-8", "farthing-audit.csv", e);
}

/* ---- access lists ---- */

/* Kinds of objects that have one: who may see the kind, who may change one. A new kind is a row. */
static const struct {
    const char *kind;
    fa_perm see, change;
} kinds[] = {
    {"view", FA_PERM_VIEWS_VIEW, FA_PERM_VIEWS_MANAGE},
    {"virtual_tag", FA_PERM_VTAGS_VIEW, FA_PERM_VTAGS_EDIT},
    {"dashboard", FA_PERM_DASHBOARDS_VIEW, FA_PERM_DASHBOARDS_EDIT},
    {"explorer", FA_PERM_EXPLORERS_VIEW, FA_PERM_EXPLORERS_EDIT},
    {"plan", FA_PERM_PLANS_VIEW, FA_PERM_PLANS_SETTINGS},
    {"report", FA_PERM_REPORTS_VIEW, FA_PERM_REPORTS_EDIT},
    {"telemetry", FA_PERM_TELEMETRY_VIEW, FA_PERM_TELEMETRY_EDIT},
    {"custom_cost", FA_PERM_COSTINPUT_VIEW, FA_PERM_COSTINPUT_EDIT},
    {"folder", FA_PERM_VIEWS_VIEW, FA_PERM_FOLDERS_EDIT},
    {"endpoint", FA_PERM_ENDPOINTS_VIEW, FA_PERM_ENDPOINTS_EDIT},
};

static fa_rc may(fa_req *r, bool change, fa_err *e)
{
    for (size_t i = 0; i < FA_COUNT(kinds); i++) {
        fa_perm p = change ? kinds[i].change : kinds[i].see;

        if (!fa_str_eqz(r->arg[0], kinds[i].kind))
            continue;
        if (fa_caller_may(r->caller, p))
            return FA_OK;
        return fa_fail(e, FA_EFORBIDDEN, "this needs the permission %s", fa_perm_name(p));
    }
    return fa_fail(e, FA_ENOTFOUND, "there is no kind of object called \"%.*s\"",
                   FA_FMT(r->arg[0]));
}

static fa_rc put_acl(fa_req *r, fa_res *o, fa_err *e)
{
    fa_acl v;
    fa_jw w;
    fa_rc rc = fa_acl_get(r->ledger, r->mem, r->arg[0], r->arg[1], &v, e);

    if (rc)
        return rc;
    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    fa_jw_key(&w, "acl");
    fa_acl_json(&w, &v);
    put_bool(&w, "mayWrite", fa_acl_may_write(&v, r->caller));
    fa_jw_end_obj(&w);
    return FA_OK;
}

/* A list without its object is nobody's: other kinds' handlers keep list and object together, views are
 * looked up here. */
static fa_rc exists(fa_req *r, fa_err *e)
{
    fa_acl v;
    fa_view view;
    fa_rc rc;

    if (fa_str_eqz(r->arg[0], "view"))
        return fa_view_get(fa_ledger_store(r->ledger), r->mem, r->caller->account, r->arg[1], &view,
                           e);
    if (fa_str_eqz(r->arg[0], "virtual_tag")) {
        fa_tag_row tag;
        json_t *doc = NULL;

        rc = fa_tag_open(r->ledger, r->mem, r->arg[1], &tag, &doc, e);
        json_decref(doc);
        return rc;
    }
    rc = fa_acl_get(r->ledger, r->mem, r->arg[0], r->arg[1], &v, e);
    return !rc && v.absent ? fa_fail(e, FA_ENOTFOUND, "no such %.*s", FA_FMT(r->arg[0])) : rc;
}

fa_rc api_acl_get(fa_req *r, fa_res *o, fa_err *e)
{
    fa_rc rc;

    if ((rc = may(r, false, e)) ||
        (rc = fa_acl_read(r->ledger, r->mem, r->caller, r->arg[0], r->arg[1], e)) ||
        (rc = exists(r, e)))
        return rc;
    return put_acl(r, o, e);
}

static fa_rc acl_text(fa_req *r, const fa_acl *v, fa_str *out, fa_err *e)
{
    fa_buf b = {0};
    fa_jw w;

    fa_jw_init(&w, &b);
    fa_acl_json(&w, v);
    *out = fa_buf_dup(&b, r->mem);
    fa_buf_release(&b);
    return out->p ? FA_OK : fa_oom(e);
}

fa_rc api_acl_put(fa_req *r, fa_res *o, fa_err *e)
{
    fa_store *s = fa_ledger_store(r->ledger);
    fa_str before, after, owner;
    fa_acl old, v;
    bool opened;
    fa_rc rc;

    if ((rc = in_object(r, e)) || (rc = may(r, true, e)) ||
        (rc = fa_acl_write(r->ledger, r->mem, r->caller, r->arg[0], r->arg[1], e)) ||
        (rc = exists(r, e)) || (rc = fa_acl_parse(r->mem, r->json, &v, e)) ||
        (rc = in_text(r->json, "owner", false, &owner, e)) || (rc = fa_store_enter(s, &opened, e)))
        return rc;
    if (!(rc = fa_acl_get(r->ledger, r->mem, r->arg[0], r->arg[1], &old, e)) &&
        !(rc = acl_text(r, &old, &before, e))) {
        /* only administrators hand an object on */
        v.owner = owner.n && fa_caller_is_admin(r->caller) ? owner : old.owner;
        if (!(rc = fa_acl_set(r->ledger, r->mem, r->arg[0], r->arg[1], &v, e)) &&
            !(rc = acl_text(r, &v, &after, e))) {
            const char *kind = fa_arena_dupz(r->mem, r->arg[0]);

            rc = fa_audit_add(r->ledger, r->caller,
                              &(fa_audit){.action = "acl.change",
                                          .object_type = kind,
                                          .object_id = r->arg[1],
                                          .before = before,
                                          .after = after,
                                          .severity = "medium"},
                              e);
        }
    }
    rc = fa_store_leave(s, opened, rc, e);
    return rc ? rc : put_acl(r, o, e);
}

fa_rc api_acl_default_get(fa_req *r, fa_res *o, fa_err *e)
{
    fa_acl v;
    fa_jw w;
    fa_rc rc = fa_acl_default(r->ledger, r->mem, &v, e);

    if (rc)
        return rc;
    fa_jw_init(&w, &o->body);
    fa_acl_json(&w, &v);
    return FA_OK;
}

fa_rc api_acl_default_put(fa_req *r, fa_res *o, fa_err *e)
{
    fa_store *s = fa_ledger_store(r->ledger);
    fa_str before, after;
    fa_acl old, v;
    bool opened;
    fa_rc rc;

    if ((rc = in_object(r, e)) || (rc = fa_acl_parse(r->mem, r->json, &v, e)) ||
        (rc = fa_store_enter(s, &opened, e)))
        return rc;
    if (!(rc = fa_acl_default(r->ledger, r->mem, &old, e)) &&
        !(rc = acl_text(r, &old, &before, e)) && !(rc = acl_text(r, &v, &after, e)) &&
        !(rc = fa_acl_default_set(r->ledger, r->mem, &v, e)))
        rc = fa_audit_add(r->ledger, r->caller,
                          &(fa_audit){.action = "acl_default.change",
                                      .object_type = "account",
                                      .object_id = r->caller->account,
                                      .before = before,
                                      .after = after,
                                      .severity = "medium"},
                          e);
    rc = fa_store_leave(s, opened, rc, e);
    return rc ? rc : api_acl_default_get(r, o, e);
}
