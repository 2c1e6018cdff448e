/*
 * credential.c - named secrets: their kinds, and putting, renewing and revealing one.
 */
#include "vault/inner.h"

#include <jansson.h>
#include <string.h>

enum { NAME_MAX_BYTES = 200, FIELD_MAX = 32 << 10 };

const fa_credential_kind fa_credential_kinds[] = {
    {"key_pair",
     "Access key",
     {{"accessKeyId", "Access key id", true, false},
      {"secretAccessKey", "Secret access key", true, false},
      {"sessionToken", "Session token", false, false}}},
    {"aws_role",
     "AWS role",
     {{"roleArn", "Role ARN", true, false},
      {"externalId", "External id", false, false},
      {"accessKeyId", "Access key id", false, false},
      {"secretAccessKey", "Secret access key", false, false},
      {"sessionToken", "Session token", false, false}}},
    {"api_key", "Key or SAS token", {{"key", "Key", true, false}}},
    {"oauth_client",
     "Application (OAuth client)",
     {{"tenantId", "Tenant id", false, false},
      {"clientId", "Client id", true, false},
      {"clientSecret", "Client secret", true, false}}},
    {"basic",
     "User and password",
     {{"user", "User", true, false}, {"password", "Password", true, false}}},
    {"json_key", "JSON key", {{"json", "JSON key", true, true}}},
    {"signing_key",
     "API signing key",
     {{"tenancy", "Tenancy OCID", true, false},
      {"user", "User OCID", true, false},
      {"fingerprint", "Fingerprint", true, false},
      {"privateKey", "Private key (PEM)", true, true}}},
    {"webhook_url", "Webhook address", {{"url", "Address", true, false}}},
    {0},
};

const fa_credential_kind *fa_credential_kind_find(fa_str name)
{
    for (const fa_credential_kind *k = fa_credential_kinds; k->name; k++)
        if (fa_str_eqz(name, k->name))
            return k;
    return NULL;
}

static bool is_field(const fa_credential_kind *k, const char *name)
{
    for (size_t i = 0; i < FA_COUNT(k->field) && k->field[i].name; i++)
        if (strcmp(k->field[i].name, name) == 0)
            return true;
    return false;
}

/* jansson keeps what it parses in ordinary memory: its strings are wiped before it goes. */
static void wipe(json_t *o)
{
    const char *key;
    json_t *v;

    json_object_foreach(o, key, v)
    {
        if (json_is_string(v))
            explicit_bzero((char *)(uintptr_t)json_string_value(v), json_string_length(v));
    }
    json_decref(o);
}

static fa_rc check_fields(const fa_credential_kind *k, json_t *o, fa_err *e)
{
    const char *key;
    json_t *v;

    json_object_foreach(o, key, v)
    {
        if (!is_field(k, key)) {
            fa_fail(e, FA_EINVAL, "a credential of the kind %s has no field of this name", k->name);
            return fa_at(e, "value");
        }
        if (!json_is_string(v) || json_string_length(v) > FIELD_MAX) {
            fa_fail(e, FA_EINVAL, "a field of a credential is a text of at most 32 KiB");
            return fa_at(e, key);
        }
    }
    for (size_t i = 0; i < FA_COUNT(k->field) && k->field[i].name; i++)
        if (k->field[i].required && !json_string_length(json_object_get(o, k->field[i].name))) {
            fa_fail(e, FA_EINVAL, "\"%s\" is missing", k->field[i].label);
            return fa_at(e, k->field[i].name);
        }
    return FA_OK;
}

fa_rc fa_credential_value_check(fa_str kind, fa_str value, fa_err *e)
{
    const fa_credential_kind *k = fa_credential_kind_find(kind);
    json_t *o;
    fa_rc rc;

    if (!k) {
        fa_fail(e, FA_EINVAL, "there is no kind of credential \"%.*s\"", FA_FMT(kind));
        return fa_at(e, "kind");
    }
    o = json_loadb(value.p ? value.p : "", value.n, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(o)) {
        fa_fail(e, FA_EINVAL, "the value of a credential is an object of texts");
        rc = fa_at(e, "value");
    } else {
        rc = check_fields(k, o, e);
    }
    wipe(o);
    return rc;
}

static fa_rc check_name(fa_str name, fa_err *e)
{
    bool ok = name.n && name.n <= NAME_MAX_BYTES && fa_utf8_valid(name);

    for (size_t i = 0; i < name.n; i++)
        ok = ok && (unsigned char)name.p[i] >= ' ' && name.p[i] != 0x7f;
    if (ok)
        return FA_OK;
    fa_fail(e, FA_EINVAL, "a credential's name has 1 to %d bytes of text", NAME_MAX_BYTES);
    return fa_at(e, "name");
}

static fa_rc seal_into(fa_store *s, fa_arena *a, fa_str account, fa_str value, fa_credential *c,
                       fa_err *e)
{
    char place[80], fingerprint[9];
    fa_rc rc;

    snprintf(place, sizeof place, "credential/%.*s/value", FA_FMT(c->id));
    if ((rc = fa_vault_fingerprint(s, account, value, fingerprint, e)) ||
        (rc = fa_vault_seal(s, a, account, place, value, &c->sealed, e)))
        return rc;
    c->fingerprint = fa_arena_dup(a, fa_str_of(fingerprint));
    return c->fingerprint.p ? FA_OK : fa_oom(e);
}

fa_rc fa_credential_put(fa_store *s, fa_arena *a, fa_str account, fa_str name, fa_str kind,
                        fa_str owner, fa_str value, int64_t expires_ms, fa_credential *out,
                        fa_err *e)
{
    char id[37];
    fa_rc rc;

    name = fa_str_trim(name);
    if ((rc = check_name(name, e)) || (rc = fa_credential_value_check(kind, value, e)))
        return rc;
    fa_uuid_v4(id);
    *out = (fa_credential){.id = fa_arena_dup(a, fa_str_of(id)),
                           .name = name,
                           .kind = kind,
                           .owner = owner,
                           .created_ms = fa_now_ms(),
                           .rotated_ms = -1,
                           .used_ms = -1,
                           .expires_ms = expires_ms};
    if (!out->id.p)
        return fa_oom(e);
    if ((rc = seal_into(s, a, account, value, out, e)))
        return rc;
    rc = fa_credential_add(s, account, out, e);
    return rc == FA_ECONFLICT ? fa_fail(e, rc, "there is a credential of this name already") : rc;
}

fa_rc fa_credential_renew(fa_store *s, fa_arena *a, fa_str account, fa_str id, fa_str name,
                          fa_str value, int64_t expires_ms, fa_credential *out, fa_err *e)
{
    fa_rc rc = fa_credential_get(s, a, account, id, out, e);

    if (rc)
        return rc;
    if (name.n) {
        out->name = fa_str_trim(name);
        if ((rc = check_name(out->name, e)))
            return rc;
    }
    if (value.n) {
        if ((rc = fa_credential_value_check(out->kind, value, e)) ||
            (rc = seal_into(s, a, account, value, out, e)))
            return rc;
        out->rotated_ms = fa_now_ms();
    }
    out->expires_ms = expires_ms;
    rc = fa_credential_update(s, account, out, e);
    return rc == FA_ECONFLICT ? fa_fail(e, rc, "there is a credential of this name already") : rc;
}

fa_rc fa_credential_reveal(fa_store *s, fa_arena *a, fa_str account, fa_str id, const char *why,
                           fa_secret *out, fa_err *e)
{
    char place[80];
    fa_credential c;
    fa_rc rc;

    *out = (fa_secret){0};
    if ((rc = fa_credential_get(s, a, account, id, &c, e)))
        return rc;
    snprintf(place, sizeof place, "credential/%.*s/value", FA_FMT(c.id));
    if ((rc = fa_vault_unseal(s, account, place, c.sealed, out, e)))
        return rc;
    fa_log(FA_LOG_INFO, "credential_used", "id=%.*s why=%s", FA_FMT(c.id), why);
    return fa_credential_touch(s, account, id, fa_now_ms(), e);
}
