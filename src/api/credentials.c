/*
 * credentials.c - the vault's secrets: put, renewed, deleted, listed; never
 * read back.
 */
#include "api/internal.h"

#include "vault/vault.h"

#include <string.h>

#define DAY_MS 86400000LL

static void put_uses(fa_jw *w, const fa_credential_use *use, size_t n, fa_str id)
{
    fa_jw_key(w, "usedBy");
    fa_jw_arr(w);
    for (size_t i = 0; i < n; i++) {
        if (!fa_str_eq(use[i].credential_id, id))
            continue;
        fa_jw_obj(w);
        put_str(w, "what", use[i].what);
        put_str(w, "id", use[i].object_id);
        put_str(w, "name", use[i].object_name);
        fa_jw_end_obj(w);
    }
    fa_jw_end_arr(w);
}

static void put_credential(fa_jw *w, const fa_credential *c, const fa_credential_use *use, size_t n)
{
    fa_jw_obj(w);
    put_str(w, "id", c->id);
    put_str(w, "name", c->name);
    put_str(w, "kind", c->kind);
    put_str(w, "owner", c->owner);
    put_str(w, "fingerprint", c->fingerprint);
    put_time(w, "createdAt", c->created_ms);
    put_time(w, "rotatedAt", c->rotated_ms);
    put_time(w, "lastUsedAt", c->used_ms);
    put_time(w, "expiresAt", c->expires_ms);
    put_uses(w, use, n, c->id);
    fa_jw_end_obj(w);
}

static void put_kinds(fa_jw *w)
{
    fa_jw_key(w, "kinds");
    fa_jw_arr(w);
    for (const fa_credential_kind *k = fa_credential_kinds; k->name; k++) {
        fa_jw_obj(w);
        put_z(w, "name", k->name);
        put_z(w, "label", k->label);
        fa_jw_key(w, "fields");
        fa_jw_arr(w);
        for (size_t i = 0; i < FA_COUNT(k->field) && k->field[i].name; i++) {
            fa_jw_obj(w);
            put_z(w, "name", k->field[i].name);
            put_z(w, "label", k->field[i].label);
            put_bool(w, "required", k->field[i].required);
            put_bool(w, "lines", k->field[i].many_lines);
            fa_jw_end_obj(w);
        }
        fa_jw_end_arr(w);
        fa_jw_end_obj(w);
    }
    fa_jw_end_arr(w);
}

fa_rc api_credentials_get(fa_req *r, fa_res *o, fa_err *e)
{
    fa_store *s = fa_ledger_store(r->ledger);
    fa_str account = r->caller->account;
    fa_credential_use *use;
    fa_credential *c;
    size_t n, nuse;
    fa_jw w;
    fa_rc rc;

    if ((rc = fa_credential_list(s, r->mem, account, &c, &n, e)) ||
        (rc = fa_credential_uses(s, r->mem, account, FA_STR(""), &use, &nuse, e)))
        return rc;
    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    put_bool(&w, "ready", fa_vault_ready());
    put_kinds(&w);
    fa_jw_key(&w, "credentials");
    fa_jw_arr(&w);
    for (size_t i = 0; i < n; i++)
        put_credential(&w, &c[i], use, nuse);
    fa_jw_end_arr(&w);
    fa_jw_end_obj(&w);
    return FA_OK;
}

/* The object as text again, in the request's memory; both are wiped by
 * api_forget. */
fa_rc in_secret(fa_req *r, const char *field, bool required, fa_str *out, fa_err *e)
{
    json_t *v = json_object_get(r->json, field);
    size_t n;
    char *p;

    *out = (fa_str){0};
    if (!v || json_is_null(v)) {
        if (!required)
            return FA_OK;
        fa_fail(e, FA_EINVAL, "the credential's fields are missing");
        return fa_at(e, field);
    }
    if (!json_is_object(v)) {
        fa_fail(e, FA_EINVAL, "it must be an object of texts");
        return fa_at(e, field);
    }
    n = json_dumpb(v, NULL, 0, JSON_COMPACT | JSON_SORT_KEYS);
    if (!n || !(p = fa_arena_alloc(r->mem, n + 1)))
        return fa_oom(e);
    json_dumpb(v, p, n, JSON_COMPACT | JSON_SORT_KEYS);
    *out = (fa_str){p, n};
    return FA_OK;
}

static void wipe_json(json_t *v)
{
    const char *key;
    json_t *sub;

    if (json_is_string(v))
        explicit_bzero((char *)(uintptr_t)json_string_value(v), json_string_length(v));
    json_object_foreach(v, key, sub) wipe_json(sub);
}

void api_forget(fa_req *r, const char *field, fa_str text)
{
    wipe_json(json_object_get(r->json, field));
    if (text.p)
        explicit_bzero((char *)(uintptr_t)text.p, text.n);
    if (r->body.p)
        explicit_bzero((char *)(uintptr_t)r->body.p, r->body.n);
}

static fa_rc answer(fa_req *r, fa_res *o, const fa_credential *c, fa_err *e)
{
    fa_credential_use *use;
    size_t n;
    fa_jw w;
    fa_rc rc = fa_credential_uses(fa_ledger_store(r->ledger), r->mem, r->caller->account, c->id,
                                  &use, &n, e);

    if (rc)
        return rc;
    fa_jw_init(&w, &o->body);
    put_credential(&w, c, use, n);
    return FA_OK;
}

static fa_rc in_expiry(fa_req *r, int64_t *ms, fa_err *e)
{
    int64_t days;
    fa_rc rc = in_int(r->json, "expiresInDays", 1, 3650, -1, &days, e);

    *ms = days < 0 ? -1 : fa_now_ms() + days * DAY_MS;
    return rc;
}

/* The change and its line in the audit log, or neither; never a value. */
static fa_rc settle(fa_req *r, const char *action, const fa_credential *c, fa_rc rc, fa_err *e)
{
    fa_store *s = fa_ledger_store(r->ledger);
    const fa_audit v = {.action = action,
                        .object_type = "credential",
                        .object_id = c->id,
                        .object_name = c->name,
                        .severity = "medium"};

    if (!rc)
        rc = fa_audit_add(r->ledger, r->caller, &v, e);
    if (!rc)
        return fa_store_commit(s, e);
    fa_store_rollback(s);
    return rc;
}

fa_rc api_credentials_post(fa_req *r, fa_res *o, fa_err *e)
{
    fa_str name, kind, value = {0};
    fa_credential c = {0};
    int64_t expires;
    fa_rc rc;

    if (!(rc = in_object(r, e)) && !(rc = in_text(r->json, "name", true, &name, e)) &&
        !(rc = in_text(r->json, "kind", true, &kind, e)) && !(rc = in_expiry(r, &expires, e)) &&
        !(rc = in_secret(r, "value", true, &value, e)) &&
        !(rc = fa_store_begin(fa_ledger_store(r->ledger), e)) &&
        !(rc = settle(r, "credential.create", &c,
                      fa_credential_put(fa_ledger_store(r->ledger), r->mem, r->caller->account,
                                        name, kind, r->caller->email, value, expires, &c, e),
                      e))) {
        o->status = 201;
        fa_log(FA_LOG_INFO, "credential_put", "id=%.*s kind=%.*s by=%.*s", FA_FMT(c.id),
               FA_FMT(c.kind), FA_FMT(r->caller->email));
        rc = answer(r, o, &c, e);
    }
    api_forget(r, "value", value);
    return rc;
}

fa_rc api_credentials_put(fa_req *r, fa_res *o, fa_err *e)
{
    fa_str name, value = {0};
    fa_credential c = {0};
    int64_t expires;
    fa_rc rc;

    if (!(rc = in_object(r, e)) && !(rc = in_text(r->json, "name", false, &name, e)) &&
        !(rc = in_expiry(r, &expires, e)) && !(rc = in_secret(r, "value", false, &value, e)) &&
        !(rc = fa_store_begin(fa_ledger_store(r->ledger), e)) &&
        !(rc = settle(r, value.n ? "credential.rotate" : "credential.change", &c,
                      fa_credential_renew(fa_ledger_store(r->ledger), r->mem, r->caller->account,
                                          r->arg[0], name, value, expires, &c, e),
                      e))) {
        fa_log(FA_LOG_INFO, "credential_renewed", "id=%.*s value=%s by=%.*s", FA_FMT(c.id),
               value.n ? "new" : "same", FA_FMT(r->caller->email));
        rc = answer(r, o, &c, e);
    }
    api_forget(r, "value", value);
    return rc;
}

fa_rc api_credentials_delete(fa_req *r, fa_res *o, fa_err *e)
{
    fa_store *s = fa_ledger_store(r->ledger);
    fa_credential c = {0};
    fa_rc rc = fa_store_begin(s, e);

    if (rc)
        return rc;
    if (!(rc = fa_credential_get(s, r->mem, r->caller->account, r->arg[0], &c, e)))
        rc = fa_credential_delete(s, r->mem, r->caller->account, c.id, e);
    rc = settle(r, "credential.delete", &c, rc, e);
    o->status = 204;
    if (!rc)
        fa_log(FA_LOG_INFO, "credential_deleted", "id=%.*s by=%.*s", FA_FMT(r->arg[0]),
               FA_FMT(r->caller->email));
    return rc;
}
