/*
 * idp.c - connections to identity providers: a table of kinds and their fields, checked when they are
 * saved; the secret is sealed and never shown again.
 *
 * Whoever saves a connection decides who becomes what, so its roles must be his to give. While single
 * sign-on is enforced, a connection that works and somebody who can do without it must be left.
 */
#include "access/internal.h"

#include <stdlib.h>
#include <string.h>

enum { IDPS_MAX = 50, TEXT_MAX = 2000, LINES_MAX = 16384, MAP_MAX = 500, WORDS_MAX = 200 };

const fa_idp_kind fa_idp_kinds[] = {
    {"oidc",
     "OpenID Connect",
     "Client secret",
     {
         {"issuer", "Issuer", "As in the provider's discovery document", FA_IDP_URL, true, "",
          NULL},
         {"clientId", "Client ID", "", FA_IDP_TEXT, true, "", NULL},
         {"scopes", "Scopes", "", FA_IDP_TEXT, false, "openid email profile", NULL},
         {"groupsClaim", "Claim with the groups", "", FA_IDP_TEXT, false, "groups", NULL},
         {"emailClaim", "Claim with the e-mail address", "", FA_IDP_TEXT, false, "email", NULL},
         {"nameClaim", "Claim with the name", "", FA_IDP_TEXT, false, "name", NULL},
         {"endSession", "Sign out at the provider as well", "", FA_IDP_BOOL, false, "", NULL},
     }},
    {"saml",
     "SAML 2.0",
     NULL,
     {
         {"entityId", "Entity ID of the provider", "", FA_IDP_TEXT, true, "", NULL},
         {"ssoUrl", "Sign-in address", "Of the HTTP-Redirect binding", FA_IDP_URL, true, "", NULL},
         {"sloUrl", "Sign-out address", "Of the HTTP-Redirect binding", FA_IDP_URL, false, "",
          NULL},
         {"certificates", "Signing certificates",
          "PEM, one to three: while the provider changes its key, the old one and the new one",
          FA_IDP_LINES, true, "", NULL},
         {"subjectAttribute", "Attribute that names a person for good",
          "Empty: the provider's persistent NameID", FA_IDP_TEXT, false, "", NULL},
         {"emailAttribute", "Attribute with the e-mail address", "", FA_IDP_TEXT, false, "email",
          NULL},
         {"nameAttribute", "Attribute with the name", "", FA_IDP_TEXT, false, "displayName", NULL},
         {"groupsAttribute", "Attribute with the groups", "", FA_IDP_TEXT, false, "groups", NULL},
         {"unsolicited", "Take sign-ins that the provider begins",
          "Weaker: nothing ties such a sign-in to this browser", FA_IDP_BOOL, false, "", NULL},
         {"endSession", "Sign out at the provider as well", "", FA_IDP_BOOL, false, "", NULL},
     },
     fa_saml_config_check,
     fa_saml_own_secret},
    {0},
};

const fa_idp_field fa_idp_common[] = {
    {"createUsers", "Make an account at the first sign-in", "", FA_IDP_BOOL, false, "true", NULL},
    {"trustEmail", "Trust the provider's e-mail addresses",
     "For providers of your own organisation that do not say whether an address is verified",
     FA_IDP_BOOL, false, "", NULL},
    {"linkProvisioned", "Connect people that provisioning (SCIM) made by their address",
     "Only for the provider that provisions them", FA_IDP_BOOL, false, "", NULL},
    {"emailDomains", "Only addresses of these domains", "", FA_IDP_WORDS, false, "", NULL},
    {0},
};

const fa_idp_kind *fa_idp_kind_find(fa_str name)
{
    for (const fa_idp_kind *k = fa_idp_kinds; k->name; k++)
        if (fa_str_eqz(name, k->name))
            return k;
    return NULL;
}

/* ---- reading ---- */

static void decref(void *j)
{
    json_decref(j);
}

static fa_rc keep_json(fa_arena *a, json_t *j, fa_err *e)
{
    if (j && fa_arena_defer(a, decref, j))
        return FA_OK;
    json_decref(j);
    return fa_oom(e);
}

fa_rc fa_idp_config(fa_arena *a, const fa_idp *c, json_t **out, fa_err *e)
{
    *out = json_loadb(c->config.p, c->config.n, 0, NULL);
    return keep_json(a, *out, e);
}

fa_str fa_idp_text(const json_t *config, const char *field)
{
    const json_t *v = json_object_get(config, field);

    return json_is_string(v) ? (fa_str){json_string_value(v), json_string_length(v)} : FA_STR("");
}

bool fa_idp_bool(const json_t *config, const char *field)
{
    return json_is_true(json_object_get(config, field));
}

static fa_rc secret_place(fa_arena *a, fa_str id, fa_str *out, fa_err *e)
{
    const char *z = fa_arena_printf(a, "idp/%.*s/secret", FA_FMT(id));

    *out = fa_str_of(z);
    return z ? FA_OK : fa_oom(e);
}

fa_rc fa_idp_secret(fa_ledger *l, fa_arena *a, const fa_idp *c, fa_str *out, fa_err *e)
{
    fa_str place;
    fa_rc rc;

    *out = FA_STR("");
    if (!c->secret.n)
        return FA_OK;
    rc = secret_place(a, c->id, &place, e);
    return rc ? rc : fa_unseal(l, a, c->secret, place, out, e);
}

/* ---- checking what comes in ---- */

static fa_rc wrong(fa_err *e, const char *field, const char *what)
{
    char path[100];

    snprintf(path, sizeof path, "config.%s", field);
    fa_fail(e, FA_EINVAL, "%s", what);
    return fa_at(e, path);
}

static bool text_fine(const json_t *v, size_t most, bool lines)
{
    fa_str s = {json_string_value(v), json_string_length(v)};

    if (!json_is_string(v) || s.n > most || !fa_utf8_valid(s))
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (((unsigned char)s.p[i] < 0x20 && !(lines && strchr("\r\n\t", s.p[i]))) ||
            s.p[i] == 0x7f)
            return false;
    return true;
}

static bool url_fine(const json_t *v)
{
    fa_str s = {json_string_value(v), json_string_length(v)};

    if (!fa_take(&s, "https://") && !fa_take(&s, "http://"))
        return false;
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] <= ' ' || (unsigned char)s.p[i] > 0x7e ||
            strchr("<>\"\\^`{|}", s.p[i]))
            return false;
    return s.n && s.p[0] != '/' && !memchr(s.p, '@', s.n) && !memchr(s.p, '#', s.n);
}

static bool words_fine(const json_t *v)
{
    const json_t *item;
    size_t i;

    if (!json_is_array(v) || json_array_size(v) > WORDS_MAX)
        return false;
    json_array_foreach(v, i, item) if (!text_fine(item, 200, false) || !json_string_length(item) ||
                                       strchr(json_string_value(item), ' ')) return false;
    return true;
}

static json_t *standard_of(const fa_idp_field *f)
{
    const char *space;

    switch (f->type) {
    case FA_IDP_BOOL:
        return json_boolean(f->standard && strcmp(f->standard, "true") == 0);
    case FA_IDP_WORDS:
        return json_array();
    case FA_IDP_CHOICE:
        space = strchr(f->words, ' ');
        return json_stringn(f->words, space ? (size_t)(space - f->words) : strlen(f->words));
    default:
        return json_string(f->standard ? f->standard : "");
    }
}

static fa_rc field_check(const fa_idp_field *f, const json_t *v, fa_err *e)
{
    switch (f->type) {
    case FA_IDP_BOOL:
        return json_is_boolean(v) ? FA_OK : wrong(e, f->name, "must be true or false");
    case FA_IDP_WORDS:
        return words_fine(v) ? FA_OK
                             : wrong(e, f->name, "must be an array of texts without spaces");
    case FA_IDP_CHOICE:
        return json_is_string(v) &&
                       fa_list_has(fa_str_of(f->words), fa_str_of(json_string_value(v)))
                   ? FA_OK
                   : wrong(e, f->name, "is none of the values there are");
    default:
        break;
    }
    if (!text_fine(v, f->type == FA_IDP_LINES ? LINES_MAX : TEXT_MAX, f->type == FA_IDP_LINES))
        return wrong(e, f->name, "must be a text without control characters");
    if (f->required && !fa_str_trim(fa_str_of(json_string_value(v))).n)
        return wrong(e, f->name, "is needed");
    if (f->type == FA_IDP_URL && json_string_length(v) && !url_fine(v))
        return wrong(e, f->name, "must be an address that starts with https://");
    return FA_OK;
}

/* One list of fields from `in`, else as it was, else the standard. */
static fa_rc take_fields(const fa_idp_field *f, const json_t *in, const json_t *was, json_t *out,
                         fa_err *e)
{
    for (; f->name; f++) {
        json_t *v = json_object_get(in, f->name);
        fa_rc rc;

        if (!v || json_is_null(v))
            v = json_object_get(was, f->name);
        v = v ? json_incref(v) : standard_of(f);
        if ((rc = v ? field_check(f, v, e) : fa_oom(e))) {
            json_decref(v);
            return rc;
        }
        if (json_object_set_new(out, f->name, v))
            return fa_oom(e);
    }
    return FA_OK;
}

/* Roles of a JSON array, added to *all: every one must exist and be the caller's to give. */
static fa_rc take_roles(fa_ledger *l, fa_arena *a, const fa_caller *by, const json_t *list,
                        const char *field, fa_err *e)
{
    fa_str roles = FA_STR("");
    const json_t *v;
    size_t i;
    fa_rc rc;

    if (!words_fine(list) || !json_array_size(list))
        return wrong(e, field, "must be an array of at least one role");
    json_array_foreach(list, i, v)
    {
        fa_str role = fa_arena_dup(a, fa_str_of(json_string_value(v)));

        if (!role.p)
            return fa_oom(e);
        if ((rc = fa_list_add(a, &roles, role, e)))
            return rc;
    }
    if ((rc = fa_caller_may_give(l, a, by, roles, e)) == FA_EINVAL)
        return wrong(e, field, "names a role that does not exist");
    return rc;
}

/* roles: what everybody gets who comes this way; roleMap: what members of the provider's groups get too. */
static fa_rc take_grants(fa_ledger *l, fa_arena *a, const fa_caller *by, const json_t *in,
                         const json_t *was, json_t *out, fa_err *e)
{
    json_t *roles = json_object_get(in, "roles"), *map = json_object_get(in, "roleMap"), *v;
    size_t i;
    fa_rc rc;

    if (!roles)
        roles = json_object_get(was, "roles");
    if (!map)
        map = json_object_get(was, "roleMap");
    if (!roles)
        return wrong(e, "roles", "must be an array of at least one role");
    if ((rc = take_roles(l, a, by, roles, "roles", e)))
        return rc;
    if (map && (!json_is_array(map) || json_array_size(map) > MAP_MAX))
        return wrong(e, "roleMap", "must be an array of at most 500 {group, roles}");
    json_array_foreach(map, i, v)
    {
        const json_t *group = json_object_get(v, "group");

        if (!text_fine(group, 500, false) || !json_string_length(group))
            return wrong(e, "roleMap", "each needs the name of a group");
        if ((rc = take_roles(l, a, by, json_object_get(v, "roles"), "roleMap", e)))
            return rc;
    }
    if (json_object_set(out, "roles", roles) ||
        json_object_set_new(out, "roleMap", map ? json_incref(map) : json_array()))
        return fa_oom(e);
    return FA_OK;
}

static fa_rc no_others(const fa_idp_kind *k, const json_t *in, fa_err *e)
{
    const char *name;
    json_t *v;

    json_object_foreach((json_t *)(uintptr_t)in, name, v)
    {
        bool known = strcmp(name, "roles") == 0 || strcmp(name, "roleMap") == 0;

        for (const fa_idp_field *f = k->field; f->name && !known; f++)
            known = strcmp(f->name, name) == 0;
        for (const fa_idp_field *f = fa_idp_common; f->name && !known; f++)
            known = strcmp(f->name, name) == 0;
        if (!known)
            return wrong(e, name, "there is no such field");
    }
    return FA_OK;
}

static fa_rc take_config(fa_ledger *l, fa_arena *a, const fa_caller *by, const fa_idp_kind *k,
                         const json_t *in, fa_idp *c, fa_err *e)
{
    json_t *was = NULL, *out;
    char *text;
    fa_rc rc;

    if (c->config.n && (rc = fa_idp_config(a, c, &was, e)))
        return rc;
    if (in && !json_is_object(in)) {
        fa_fail(e, FA_EINVAL, "must be an object");
        return fa_at(e, "config");
    }
    out = json_object();
    if ((rc = keep_json(a, out, e)) || (rc = no_others(k, in, e)) ||
        (rc = take_fields(k->field, in, was, out, e)) ||
        (rc = take_fields(fa_idp_common, in, was, out, e)) ||
        (rc = take_grants(l, a, by, in, was, out, e)))
        return rc;
    if (!(text = json_dumps(out, JSON_COMPACT | JSON_SORT_KEYS)))
        return fa_oom(e);
    c->config = fa_arena_dup(a, fa_str_of(text));
    free(text);
    return c->config.p ? FA_OK : fa_oom(e);
}

/* ---- saving ---- */

static fa_rc idp_json(fa_arena *a, const fa_idp *c, fa_str *out, fa_err *e)
{
    fa_buf b = {0};
    fa_jw w;
    fa_rc rc;

    fa_jw_init(&w, &b);
    fa_jw_obj(&w);
    fa_jw_key(&w, "kind");
    fa_jw_str(&w, c->kind);
    fa_jw_key(&w, "name");
    fa_jw_str(&w, c->name);
    fa_jw_key(&w, "state");
    fa_jw_str(&w, c->state);
    fa_jw_key(&w, "config");
    fa_jw_raw(&w, c->config);
    fa_jw_key(&w, "hasSecret");
    fa_jw_bool(&w, c->secret.n > 0);
    fa_jw_end_obj(&w);
    rc = fa_json_out(a, &b, out, e);
    fa_buf_release(&b);
    return rc;
}

static fa_rc audit(fa_ledger *l, const fa_caller *by, const fa_idp *c, const char *action,
                   fa_str before, fa_str after, fa_err *e)
{
    return fa_audit_add(l, by,
                        &(fa_audit){.action = action,
                                    .object_type = "sso",
                                    .object_id = c->id,
                                    .object_name = c->name,
                                    .before = before,
                                    .after = after,
                                    .severity = "high"},
                        e);
}

fa_rc fa_idp_note(fa_ledger *l, const fa_caller *by, const fa_idp *c, const char *action,
                  fa_str after, fa_err *e)
{
    return audit(l, by, c, action, FA_STR(""), after, e);
}

static fa_rc idp_new(fa_ledger *l, fa_arena *a, const fa_caller *by, const json_t *j, fa_idp *c,
                     fa_err *e)
{
    fa_idp *all;
    char id[37];
    size_t n;
    fa_rc rc = fa_idp_list(fa_ledger_store(l), a, fa_ledger_account(l), &all, &n, e);

    if (rc)
        return rc;
    if (n >= IDPS_MAX)
        return fa_fail(e, FA_EDATA, "there are %d connections already", IDPS_MAX);
    fa_uuid_v4(id);
    *c = (fa_idp){.id = fa_arena_dup(a, fa_str_of(id)),
                  .kind = fa_idp_text(j, "kind"),
                  .state = FA_STR("draft"),
                  .secret = FA_STR(""),
                  .config = FA_STR(""),
                  .created_by = by->email,
                  .created_ms = fa_now_ms(),
                  .used_ms = -1};
    if (!fa_idp_kind_find(c->kind)) {
        fa_fail(e, FA_EINVAL, "there is no such kind of connection");
        return fa_at(e, "kind");
    }
    return c->id.p ? FA_OK : fa_oom(e);
}

/* own: made for it; empty: none was. */
static fa_rc take_secret(fa_ledger *l, fa_arena *a, const json_t *j, fa_str own, fa_idp *c,
                         fa_err *e)
{
    const json_t *v = json_object_get(j, "secret");
    fa_str place;
    fa_rc rc;

    if (own.n)
        return (rc = secret_place(a, c->id, &place, e)) ? rc
                                                        : fa_seal(l, a, own, place, &c->secret, e);
    if (!v || json_is_null(v))
        return FA_OK;
    if (fa_idp_kind_find(c->kind)->own_secret) {
        fa_fail(e, FA_EINVAL, "connections of this kind make their own");
        return fa_at(e, "secret");
    }
    if (!text_fine(v, LINES_MAX, true)) {
        fa_fail(e, FA_EINVAL, "must be a text");
        return fa_at(e, "secret");
    }
    if (!json_string_length(v)) {
        c->secret = FA_STR("");
        return FA_OK;
    }
    if ((rc = secret_place(a, c->id, &place, e)))
        return rc;
    return fa_seal(l, a, fa_str_of(json_string_value(v)), place, &c->secret, e);
}

static fa_rc take_state(const json_t *j, fa_idp *c, fa_err *e)
{
    fa_str s = fa_idp_text(j, "state");

    if (!json_object_get(j, "state"))
        return FA_OK;
    if (!fa_str_eqz(s, "draft") && !fa_str_eqz(s, "enabled") && !fa_str_eqz(s, "disabled")) {
        fa_fail(e, FA_EINVAL, "must be draft, enabled or disabled");
        return fa_at(e, "state");
    }
    c->state = s;
    return FA_OK;
}

static fa_rc sso_holds(fa_ledger *l, fa_arena *a, fa_err *e)
{
    fa_policy p;
    fa_rc rc = fa_policy_get(l, a, &p, e);

    return rc ? rc : fa_sso_only_holds(l, a, &p, false, e);
}

static fa_rc save(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_str id, const json_t *j,
                  fa_str own, fa_idp *c, fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    fa_str account = fa_ledger_account(l), before = FA_STR(""), after;
    fa_rc rc;

    rc = id.n ? fa_idp_get(s, a, account, id, c, e) : idp_new(l, a, by, j, c, e);
    if (rc || (id.n && (rc = idp_json(a, c, &before, e))))
        return rc;
    if (json_object_get(j, "name"))
        c->name = fa_idp_text(j, "name");
    if ((rc = fa_text_ok(&c->name, 1, 100, "name", e)) || (rc = take_state(j, c, e)) ||
        (rc = take_config(l, a, by, fa_idp_kind_find(c->kind), json_object_get(j, "config"), c,
                          e)) ||
        (rc = take_secret(l, a, j, own, c, e)))
        return rc;
    c->updated_ms = fa_now_ms();
    if ((rc = fa_idp_put(s, account, c, e)) || (rc = idp_json(a, c, &after, e)) ||
        (rc = audit(l, by, c, id.n ? "sso.change" : "sso.create", before, after, e)))
        return rc;
    return sso_holds(l, a, e);
}

/* What takes its time and needs no transaction: certificates are read, a key pair is made. */
static fa_rc before_save(fa_ledger *l, fa_arena *a, fa_str id, const json_t *j, fa_str *own,
                         fa_err *e)
{
    const json_t *config = json_object_get(j, "config");
    const fa_idp_kind *k;
    fa_idp c = {.kind = fa_idp_text(j, "kind")};
    fa_rc rc;

    if (id.n && (rc = fa_idp_get(fa_ledger_store(l), a, fa_ledger_account(l), id, &c, e)))
        return rc;
    if (!(k = fa_idp_kind_find(c.kind)))
        return FA_OK; /* said later, with the field */
    if (k->check && json_is_object(config) && (rc = k->check(a, config, e)))
        return rc;
    return !id.n && k->own_secret ? k->own_secret(a, fa_idp_text(j, "name"), own, e) : FA_OK;
}

fa_rc fa_idp_save(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_str id, const json_t *j,
                  fa_idp *out, fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    fa_str own = FA_STR("");
    bool opened;
    fa_rc rc;

    if ((rc = before_save(l, a, id, j, &own, e)) || (rc = fa_store_enter(s, &opened, e)))
        return rc;
    rc = save(l, a, by, id, j, own, out, e);
    if (own.n)
        explicit_bzero((char *)(uintptr_t)own.p, own.n);
    return fa_store_leave(s, opened, rc, e);
}

fa_rc fa_idp_renew(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_str id, fa_idp *out,
                   fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    fa_str account = fa_ledger_account(l), own;
    const fa_idp_kind *k;
    bool opened;
    fa_rc rc = fa_idp_get(s, a, account, id, out, e);

    if (rc)
        return rc;
    k = fa_idp_kind_find(out->kind);
    if (!k || !k->own_secret)
        return fa_fail(e, FA_EINVAL, "connections of this kind have no key pair of ours");
    if ((rc = k->own_secret(a, out->name, &own, e)) || (rc = fa_store_enter(s, &opened, e)))
        return rc;
    if (!(rc = fa_idp_get(s, a, account, id, out, e)) &&
        !(rc = take_secret(l, a, NULL, own, out, e))) {
        out->updated_ms = fa_now_ms();
        if (!(rc = fa_idp_put(s, account, out, e)))
            rc = audit(l, by, out, "sso.key", FA_STR(""), FA_STR(""), e);
    }
    explicit_bzero((char *)(uintptr_t)own.p, own.n);
    return fa_store_leave(s, opened, rc, e);
}

fa_rc fa_idp_remove(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_str id, fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    fa_str account = fa_ledger_account(l), before;
    bool opened;
    fa_idp c;
    fa_rc rc = fa_store_enter(s, &opened, e);

    if (rc)
        return rc;
    if (!(rc = fa_idp_get(s, a, account, id, &c, e)) && !(rc = idp_json(a, &c, &before, e)) &&
        !(rc = fa_idp_delete(s, account, id, e)) &&
        !(rc = audit(l, by, &c, "sso.delete", before, FA_STR(""), e)))
        rc = sso_holds(l, a, e);
    return fa_store_leave(s, opened, rc, e);
}

/* ---- "only single sign-on" ---- */

static bool may_break_glass(const fa_policy *p, const fa_user *u, bool setting)
{
    /* the second factor is asked for when it is decided; losing it later must not lock the last one out */
    return fa_password_allowed(p, u->email) && fa_str_eqz(u->state, "active") && u->password.n &&
           fa_list_has(u->roles, FA_STR("admin")) && (!setting || u->totp.n);
}

fa_rc fa_sso_only_holds(fa_ledger *l, fa_arena *a, const fa_policy *p, bool setting, fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    fa_str account = fa_ledger_account(l), list = p->sso_except, word;
    size_t n, nu, able = 0, named = 0, works = 0;
    fa_idp *c;
    fa_user *u;
    fa_rc rc;

    if (!p->sso_only)
        return FA_OK;
    if ((rc = fa_idp_list(s, a, account, &c, &n, e)) ||
        (rc = fa_user_list(s, a, account, &u, &nu, e)))
        return rc;
    for (size_t i = 0; i < n; i++)
        works += fa_str_eqz(c[i].state, "enabled") && c[i].used_ms >= 0;
    for (size_t i = 0; i < nu; i++)
        able += may_break_glass(p, &u[i], setting);
    while (fa_list_next(&list, &word))
        named++;
    if (!works) {
        fa_fail(e, FA_ECONFLICT,
                "single sign-on cannot be enforced without a connection that works");
        fa_hint(e, "sign in once by a connection that is enabled");
        return fa_at(e, "ssoOnly");
    }
    if (!able || (setting && able < named)) {
        fa_fail(e, FA_ECONFLICT,
                "one to three administrators must be able to sign in without single sign-on");
        fa_hint(e, "name active administrators with a password and a second factor");
        return fa_at(e, "ssoExcept");
    }
    return FA_OK;
}
