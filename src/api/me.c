/*
 * me.c - what a person sets for himself: name, preferences, sessions, second factor.
 */
#include "api/internal.h"

#include <stdlib.h>

fa_rc api_me_get(fa_req *r, fa_res *o, fa_err *e)
{
    fa_store *s = fa_ledger_store(r->ledger);
    int64_t left = 0;
    fa_team *team;
    size_t n;
    fa_user u;
    fa_jw w;
    fa_rc rc;

    if ((rc = fa_user_by_id(s, r->mem, r->caller->account, r->caller->id, &u, e)) ||
        (rc = fa_recovery_left(s, r->mem, r->caller->account, u.id, &left, e)) ||
        (rc = fa_team_of_user(s, r->mem, r->caller->account, u.id, &team, &n, e)))
        return rc;
    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    put_str(&w, "id", u.id);
    put_str(&w, "email", u.email);
    put_str(&w, "name", u.name);
    put_str(&w, "phone", u.phone);
    put_str(&w, "managedBy", u.managed_by);
    fa_jw_key(&w, "roles");
    put_words(&w, r->caller->roles);
    fa_jw_key(&w, "groups");
    fa_jw_arr(&w);
    for (size_t i = 0; i < n; i++)
        fa_jw_str(&w, team[i].name);
    fa_jw_end_arr(&w);
    put_time(&w, "joinedAt", u.joined_ms);
    fa_jw_key(&w, "preferences");
    fa_jw_raw(&w, u.preferences);
    put_bool(&w, "mfa", u.totp.n > 0);
    put_int(&w, "recoveryCodesLeft", left);
    fa_jw_end_obj(&w);
    return FA_OK;
}

/* A preference is a small text, number or switch under a known name; the page knows what it means. */
static fa_rc take_preferences(fa_req *r, const json_t *j, fa_str *out, fa_err *e)
{
    static const char *const known[] = {"language",        "timeZone",     "numberFormat",
                                        "currencyFormat",  "theme",        "defaultView",
                                        "notifyAnomaly",   "notifyBudget", "notifyReport",
                                        "notifyCostGuard", "notifyToken",  "digest"};
    const char *name;
    json_t *v;
    char *text;

    if (!json_is_object(j)) {
        fa_fail(e, FA_EINVAL, "must be an object");
        return fa_at(e, "preferences");
    }
    json_object_foreach((json_t *)(uintptr_t)j, name, v)
    {
        bool ok = false;

        for (size_t i = 0; i < FA_COUNT(known); i++)
            ok = ok || fa_str_eqz(fa_str_of(name), known[i]);
        if (!ok || !(json_is_boolean(v) || json_is_integer(v) ||
                     (json_is_string(v) && json_string_length(v) <= 200))) {
            fa_fail(e, FA_EINVAL,
                    ok ? "must be a short text, a number, true or false"
                       : "there is no such preference");
            return fa_at(e, name);
        }
    }
    if (!(text = json_dumps(j, JSON_COMPACT | JSON_SORT_KEYS)))
        return fa_oom(e);
    *out = fa_arena_dup(r->mem, fa_str_of(text));
    free(text);
    return out->p ? FA_OK : fa_oom(e);
}

fa_rc api_me_put(fa_req *r, fa_res *o, fa_err *e)
{
    fa_store *s = fa_ledger_store(r->ledger);
    const json_t *preferences = json_object_get(r->json, "preferences");
    fa_str name, phone;
    bool opened;
    fa_user u;
    fa_rc rc;

    if ((rc = in_object(r, e)) || (rc = in_text(r->json, "name", false, &name, e)) ||
        (rc = in_text(r->json, "phone", false, &phone, e)))
        return rc;
    if ((name.p && (!fa_str_trim(name).n || name.n > 200)) || phone.n > 40) {
        fa_fail(e, FA_EINVAL, "must be a text of 1 to 200 bytes, a phone number of at most 40");
        return fa_at(e, phone.n > 40 ? "phone" : "name");
    }
    if ((rc = fa_store_enter(s, &opened, e)))
        return rc;
    if (!(rc = fa_user_by_id(s, r->mem, r->caller->account, r->caller->id, &u, e))) {
        if (name.p)
            u.name = fa_str_trim(name);
        if (phone.p)
            u.phone = phone;
        if (preferences)
            rc = take_preferences(r, preferences, &u.preferences, e);
        if (!rc && !(rc = fa_user_update(s, r->caller->account, &u, e)))
            rc = fa_audit_add(r->ledger, r->caller,
                              &(fa_audit){.action = "profile.change",
                                          .object_type = "user",
                                          .object_id = u.id,
                                          .object_name = u.email},
                              e);
    }
    rc = fa_store_leave(s, opened, rc, e);
    return rc ? rc : api_me_get(r, o, e);
}

fa_rc api_me_sessions(fa_req *r, fa_res *o, fa_err *e)
{
    fa_session *v;
    char id[33];
    size_t n;
    fa_jw w;
    fa_rc rc = fa_session_list(fa_ledger_store(r->ledger), r->mem, r->caller->account,
                               r->caller->id, &v, &n, e);

    if (rc)
        return rc;
    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    fa_jw_key(&w, "sessions");
    fa_jw_arr(&w);
    for (size_t i = 0; i < n; i++) {
        fa_session_id(v[i].hash, id);
        fa_jw_obj(&w);
        put_z(&w, "id", id);
        put_str(&w, "agent", v[i].agent);
        put_str(&w, "ip", v[i].ip);
        put_time(&w, "createdAt", v[i].created_ms);
        put_time(&w, "seenAt", v[i].seen_ms);
        put_bool(&w, "current", fa_str_eq(v[i].hash, r->caller->session_hash));
        fa_jw_end_obj(&w);
    }
    fa_jw_end_arr(&w);
    fa_jw_end_obj(&w);
    return FA_OK;
}

fa_rc api_me_session_end(fa_req *r, fa_res *o, fa_err *e)
{
    o->status = 204;
    return fa_session_end_by_id(r->ledger, r->mem, r->caller, r->caller->id, r->arg[0], e);
}

fa_rc api_me_sessions_end(fa_req *r, fa_res *o, fa_err *e)
{
    o->status = 204;
    return fa_session_end_by_id(r->ledger, r->mem, r->caller, r->caller->id, FA_STR(""), e);
}

fa_rc api_me_mfa_begin(fa_req *r, fa_res *o, fa_err *e)
{
    fa_str secret, url;
    fa_jw w;
    fa_rc rc = fa_totp_begin(r->ledger, r->mem, r->caller, &secret, &url, e);

    if (rc)
        return rc;
    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    put_str(&w, "secret", secret);
    put_str(&w, "url", url);
    fa_jw_end_obj(&w);
    return FA_OK;
}

static void put_codes(fa_res *o, const fa_str codes[10])
{
    fa_jw w;

    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    fa_jw_key(&w, "recoveryCodes");
    fa_jw_arr(&w);
    for (int i = 0; i < 10; i++)
        fa_jw_str(&w, codes[i]);
    fa_jw_end_arr(&w);
    fa_jw_end_obj(&w);
}

fa_rc api_me_mfa_confirm(fa_req *r, fa_res *o, fa_err *e)
{
    fa_str secret, code, codes[10];
    fa_rc rc;

    if ((rc = in_object(r, e)) || (rc = in_text(r->json, "secret", true, &secret, e)) ||
        (rc = in_text(r->json, "code", true, &code, e)) ||
        (rc = fa_totp_confirm(r->ledger, r->mem, r->caller, secret, code, codes, e)))
        return rc;
    put_codes(o, codes);
    return FA_OK;
}

fa_rc api_me_mfa_codes(fa_req *r, fa_res *o, fa_err *e)
{
    fa_str codes[10];
    fa_rc rc = fa_recovery_new(r->ledger, r->mem, r->caller, codes, e);

    if (!rc)
        put_codes(o, codes);
    return rc;
}

fa_rc api_me_mfa_drop(fa_req *r, fa_res *o, fa_err *e)
{
    o->status = 204;
    return fa_totp_drop(r->ledger, r->mem, r->caller, r->caller->id, e);
}
