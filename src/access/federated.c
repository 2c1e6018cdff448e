/*
 * federated.c - what every protocol of single sign-on shares: the flow that a browser is sent away
 * with and comes back to, and what becomes of an identity that a protocol has proved.
 *
 * A person is (connection, issuer, subject). An e-mail address never leads to an account that is there
 * already (security.md OI-2): the link waits until its owner signs in as before and connects it, or an
 * administrator approves it. Roles and memberships that a provider gives are kept apart from those given
 * by hand and are worked out anew at each sign-in; the last administrator stays one.
 */
#include "access/internal.h"

#include <stdlib.h>
#include <string.h>

#define MINUTE_MS 60000LL
#define FLOW_MS (10 * MINUTE_MS)
#define TEST_MS (10 * MINUTE_MS)
#define SEEN_MOST_MS (7 * 86400000LL)
enum { SECRET = 43, STARTS_PER_HOUR = 600, AUDITED_PER_HOUR = 60, SUBJECT_MAX = 1024 };

/* ---- the flow ---- */

static fa_rc fresh(fa_arena *a, fa_str *out, fa_err *e)
{
    char unused[65];

    return fa_secret_new(a, out, unused, e);
}

fa_rc fa_flow_begin(fa_ledger *l, fa_arena *a, fa_flow *f, fa_str ip, fa_err *e)
{
    char state[65], browser[65], invite[65] = "";
    int64_t now = fa_now_ms();
    fa_str data;
    fa_rc rc;

    if (!fa_guess_count("sso", ip, STARTS_PER_HOUR, now))
        return fa_fail(e, FA_ELIMIT, "too many attempts from your address, wait a little");
    if ((rc = fa_secret_new(a, &f->state, state, e)) ||
        (rc = fa_secret_new(a, &f->browser, browser, e)) || (rc = fresh(a, &f->nonce, e)) ||
        (rc = fresh(a, &f->verifier, e)))
        return rc;
    if (f->invite.n)
        fa_secret_hash(f->invite, invite);
    if ((rc = fa_json_pairs(a, &data, e, "idp", f->idp_id, "purpose", f->purpose, "back", f->back,
                            "user", f->user_id, "invite", fa_str_of(invite), "nonce", f->nonce,
                            "verifier", f->verifier, "browser", fa_str_of(browser), NULL)))
        return rc;
    return fa_once_put(fa_ledger_store(l), fa_ledger_account(l), FA_STR("flow"), fa_str_of(state),
                       data, now, now + FLOW_MS, e);
}

static fa_rc no_flow(fa_err *e)
{
    fa_fail(e, FA_EAUTH, "this sign-in was not begun in this browser, took too long, or was used");
    return fa_at(e, "state");
}

static fa_str member(fa_arena *a, const json_t *j, const char *name)
{
    return fa_arena_dup(a, fa_idp_text(j, name));
}

fa_rc fa_flow_take(fa_ledger *l, fa_arena *a, fa_str state, fa_str browser, fa_flow *out, fa_err *e)
{
    char hash[65], own[65];
    fa_str data;
    json_t *j;
    bool same;
    fa_rc rc;

    *out = (fa_flow){0};
    if (state.n != SECRET)
        return no_flow(e);
    fa_secret_hash(state, hash);
    fa_secret_hash(browser, own);
    rc = fa_once_take(fa_ledger_store(l), a, fa_ledger_account(l), FA_STR("flow"), fa_str_of(hash),
                      fa_now_ms(), &data, e);
    if (rc)
        return rc == FA_EAUTH ? no_flow(e) : rc;
    if (!(j = json_loadb(data.p, data.n, 0, NULL)))
        return fa_oom(e);
    same = fa_const_eq(fa_idp_text(j, "browser"), fa_str_of(own));
    *out = (fa_flow){.idp_id = member(a, j, "idp"),
                     .purpose = member(a, j, "purpose"),
                     .back = member(a, j, "back"),
                     .user_id = member(a, j, "user"),
                     .invite = member(a, j, "invite"),
                     .state = state,
                     .nonce = member(a, j, "nonce"),
                     .verifier = member(a, j, "verifier")};
    json_decref(j);
    if (!same) {
        *out = (fa_flow){0};
        return no_flow(e);
    }
    return out->verifier.p ? FA_OK : fa_oom(e);
}

fa_rc fa_seen_once(fa_ledger *l, const char *kind, fa_str idp_id, fa_str text, int64_t until_ms,
                   fa_err *e)
{
    int64_t now = fa_now_ms();
    char hash[65];
    fa_buf b = {0};
    fa_rc rc;

    fa_buf_fmt(&b, "%.*s|%.*s", FA_FMT(idp_id), FA_FMT(text));
    if (b.failed) {
        fa_buf_release(&b);
        return fa_oom(e);
    }
    fa_secret_hash(fa_buf_view(&b), hash);
    fa_buf_release(&b);
    if (until_ms > now + SEEN_MOST_MS)
        until_ms = now + SEEN_MOST_MS;
    rc = fa_once_put(fa_ledger_store(l), fa_ledger_account(l), fa_str_of(kind), fa_str_of(hash),
                     FA_STR(""), now, until_ms, e);
    if (rc != FA_ECONFLICT)
        return rc;
    fa_fail(e, FA_EAUTH, "this was used before");
    return fa_at(e, "token");
}

/* ---- what is refused ---- */

void fa_federated_refused(fa_ledger *l, const fa_idp *c, const fa_browser *b, const fa_err *why)
{
    fa_caller actor = fa_at_browser(l, &(fa_user){0}, b);
    fa_err ignored = {0};
    fa_arena a = {0};
    fa_str after;

    fa_log(FA_LOG_WARN, "sso_refused", "connection=%.*s ip=%.*s why=\"%s\"", FA_FMT(c->id),
           FA_FMT(b->ip), why->msg);
    if (!fa_guess_count("audit", b->ip, AUDITED_PER_HOUR, fa_now_ms()))
        return;
    if (fa_json_pairs(&a, &after, &ignored, "reason", fa_str_of(why->msg), NULL) ||
        fa_audit_add(l, &actor,
                     &(fa_audit){.action = "signin",
                                 .object_type = "sso",
                                 .object_id = c->id,
                                 .object_name = c->name,
                                 .after = after,
                                 .outcome = "failed",
                                 .severity = "medium"},
                     &ignored))
        fa_log(FA_LOG_ERROR, "audit_failed", "error=%s", ignored.msg);
    fa_arena_release(&a);
}

static fa_rc refuse(fa_err *e, const char *word, const char *why)
{
    fa_fail(e, FA_EAUTH, "%s", why);
    return fa_at(e, word);
}

/* ---- who it is ---- */

/* One sign-in on its way through. */
typedef struct entry {
    fa_ledger *l;
    fa_arena *a;
    const fa_idp *c;
    const fa_flow *f;
    const fa_verified *v;
    const fa_browser *b;
    json_t *config;
    fa_policy p;
    fa_identity id; /* user_id empty: nobody yet */
    fa_user u;
    fa_str roles; /* what the provider gives */
    bool is_new;
} entry;

static bool clean(fa_str s, size_t most)
{
    if (!s.n || s.n > most || !fa_utf8_valid(s))
        return false;
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
            return false;
    return true;
}

static fa_str domain_of(fa_str email)
{
    const char *at = memchr(email.p, '@', email.n);

    return at ? (fa_str){at + 1, email.n - (size_t)(at + 1 - email.p)} : FA_STR("");
}

static bool domain_allowed(const json_t *config, fa_str email)
{
    const json_t *list = json_object_get(config, "emailDomains"), *v;
    size_t i;

    json_array_foreach(
        list, i, v) if (fa_str_ieq(fa_str_of(json_string_value(v)), domain_of(email))) return true;
    return json_array_size(list) == 0;
}

/* An address that may become an account's, or lead to one that is there. */
static fa_rc email_usable(entry *t, fa_err *e)
{
    if (!t->v->email.n)
        return refuse(e, "email", "the provider gives no e-mail address");
    if (!fa_email_ok(t->v->email))
        return refuse(e, "email", "what the provider gives is no e-mail address");
    if (!t->v->email_verified && !fa_idp_bool(t->config, "trustEmail"))
        return refuse(e, "email", "the provider does not say that the e-mail address is verified");
    if (!domain_allowed(t->config, t->v->email))
        return refuse(e, "email", "addresses of this domain may not sign in here");
    return FA_OK;
}

static fa_rc find_identity(entry *t, fa_err *e)
{
    fa_err none = {0};
    fa_rc rc = fa_identity_get(fa_ledger_store(t->l), t->a, fa_ledger_account(t->l), t->c->id,
                               t->v->issuer, t->v->subject, &t->id, &none);

    if (rc && rc != FA_ENOTFOUND)
        return fa_fail(e, rc, "%s", none.msg);
    if (rc)
        t->id = (fa_identity){.idp_id = t->c->id,
                              .issuer = t->v->issuer,
                              .subject = t->v->subject,
                              .user_id = FA_STR(""),
                              .roles = FA_STR(""),
                              .created_ms = fa_now_ms()};
    t->id.email = clean(t->v->email, 254) ? t->v->email : FA_STR("");
    t->id.seen_ms = fa_now_ms();
    return FA_OK;
}

static fa_rc user_of(entry *t, fa_str id, fa_err *e)
{
    fa_rc rc = fa_user_by_id(fa_ledger_store(t->l), t->a, fa_ledger_account(t->l), id, &t->u, e);

    return rc == FA_ENOTFOUND ? refuse(e, "unknown", "this account is not there any more") : rc;
}

/* The invitation was made for this address; it is used up and its account is the person's. */
static fa_rc by_invitation(entry *t, fa_err *e)
{
    fa_store *s = fa_ledger_store(t->l);
    fa_str account = fa_ledger_account(t->l), id;
    fa_rc rc;

    if ((rc = email_usable(t, e)))
        return rc;
    rc = fa_signin_take(s, t->a, account, t->f->invite, fa_now_ms(), &id, e);
    if (rc == FA_EAUTH || rc == FA_ENOTFOUND)
        return refuse(e, "link", "this invitation is not valid any more");
    if (rc || (rc = user_of(t, id, e)))
        return rc;
    if (!fa_str_eqz(t->u.state, "invited"))
        return refuse(e, "link", "this invitation is not valid any more");
    if (!fa_str_ieq(t->u.email, t->v->email))
        return refuse(e, "email", "the invitation is for another e-mail address");
    t->u.state = FA_STR("active");
    t->u.joined_ms = fa_now_ms();
    t->u.managed_by = t->c->kind;
    t->id.user_id = t->u.id;
    t->id.approved = true;
    return fa_user_update(s, account, &t->u, e);
}

/* The address belongs to somebody: the link waits for him, or for an administrator. */
static fa_rc wait_for_link(entry *t, const fa_user *there, fa_err *e)
{
    fa_rc rc;

    t->id.user_id = there->id;
    t->id.approved = false;
    rc = fa_identity_put(fa_ledger_store(t->l), fa_ledger_account(t->l), &t->id, e);
    return rc ? rc
              : refuse(e, "link",
                       "the e-mail address belongs to an account that is not connected yet");
}

static fa_rc make_user(entry *t, fa_err *e)
{
    fa_caller system = {.kind = FA_CALLER_NONE,
                        .name = t->c->name,
                        .ip = t->b->ip,
                        .agent = t->b->agent,
                        .source = "sso"};
    fa_str name = clean(t->v->name, 200) ? fa_str_trim(t->v->name) : t->v->email, after;
    char id[37];
    fa_rc rc;

    if (!fa_idp_bool(t->config, "createUsers"))
        return refuse(e, "unknown", "there is no account for this person");
    fa_uuid_v4(id);
    t->u = (fa_user){.id = fa_arena_dup(t->a, fa_str_of(id)),
                     .email = t->v->email,
                     .name = name.n ? name : t->v->email,
                     .password = FA_STR(""),
                     .roles = t->roles,
                     .state = FA_STR("active"),
                     .managed_by = t->c->kind,
                     .created_ms = fa_now_ms(),
                     .joined_ms = fa_now_ms(),
                     .last_login_ms = -1,
                     .totp_step = -1};
    if (!t->u.id.p)
        return fa_oom(e);
    t->is_new = true;
    t->id.user_id = t->u.id;
    t->id.roles = t->roles;
    t->id.approved = true;
    if ((rc = fa_user_add(fa_ledger_store(t->l), fa_ledger_account(t->l), &t->u, e)) ||
        (rc = fa_json_pairs(t->a, &after, e, "email", t->u.email, "name", t->u.name, "roles",
                            t->roles, "subject", t->v->subject, NULL)))
        return rc;
    return fa_user_audit(t->l, &system, "user.create", &t->u, FA_STR(""), after, e);
}

/* The provider of this connection made the account by SCIM, and nobody is connected with it here yet. */
static fa_rc provisioned_here(entry *t, const fa_user *there, bool *ours, fa_err *e)
{
    fa_identity *v;
    size_t n;
    fa_rc rc;

    *ours = fa_idp_bool(t->config, "linkProvisioned") && fa_str_eqz(there->managed_by, "scim2");
    if (!*ours)
        return FA_OK;
    rc = fa_identity_list(fa_ledger_store(t->l), t->a, fa_ledger_account(t->l), there->id, &v, &n,
                          e);
    for (size_t i = 0; !rc && i < n; i++)
        *ours = *ours && !(v[i].approved && fa_str_eq(v[i].idp_id, t->c->id));
    return rc;
}

static fa_rc new_identity(entry *t, fa_err *e)
{
    fa_user there;
    fa_err none = {0};
    bool ours;
    fa_rc rc;

    if (fa_str_eqz(t->f->purpose, "link")) { /* who is signed in connects himself */
        if ((rc = user_of(t, t->f->user_id, e)))
            return rc;
        t->id.user_id = t->u.id;
        t->id.approved = true;
        return FA_OK;
    }
    if (fa_str_eqz(t->f->purpose, "invite"))
        return by_invitation(t, e);
    if ((rc = email_usable(t, e)))
        return rc;
    rc = fa_user_by_email(fa_ledger_store(t->l), t->a, fa_ledger_account(t->l), t->v->email, &there,
                          &none);
    if (rc == FA_ENOTFOUND)
        return make_user(t, e);
    if (rc)
        return fa_fail(e, rc, "%s", none.msg);
    if ((rc = provisioned_here(t, &there, &ours, e)))
        return rc;
    if (!ours)
        return wait_for_link(t, &there, e);
    t->u = there;
    t->id.user_id = there.id;
    t->id.approved = true;
    return FA_OK;
}

/* ---- what it may ---- */

static bool in_groups(const fa_verified *v, fa_str name)
{
    for (size_t i = 0; i < v->ngroups; i++)
        if (fa_str_eq(v->groups[i], name))
            return true;
    return false;
}

static fa_rc add_roles(entry *t, const json_t *list, fa_err *e)
{
    const json_t *v;
    size_t i;
    fa_rc rc = FA_OK;

    json_array_foreach(list, i, v)
    {
        if (rc)
            return rc;
        rc = fa_list_add(t->a, &t->roles, fa_str_of(json_string_value(v)), e);
    }
    return rc;
}

/* The roles of everybody, and those of the provider's groups. */
static fa_rc given_roles(entry *t, fa_err *e)
{
    const json_t *map = json_object_get(t->config, "roleMap"), *v;
    size_t i;
    fa_rc rc;

    t->roles = FA_STR("");
    if ((rc = add_roles(t, json_object_get(t->config, "roles"), e)))
        return rc;
    json_array_foreach(map, i, v)
    {
        if (in_groups(t->v, fa_idp_text(v, "group")) &&
            (rc = add_roles(t, json_object_get(v, "roles"), e)))
            return rc;
    }
    return FA_OK;
}

static bool same_roles(fa_str a, fa_str b)
{
    fa_str la = a, lb = b, word;
    bool same = true;

    while (fa_list_next(&la, &word))
        same = same && fa_list_has(b, word);
    while (fa_list_next(&lb, &word))
        same = same && fa_list_has(a, word);
    return same;
}

/* By hand given ones stay, what the provider gave last time goes, what it gives now comes. */
static fa_rc next_roles(entry *t, fa_str *out, fa_err *e)
{
    fa_str list = t->u.roles, word;
    fa_rc rc;

    *out = FA_STR("");
    while (fa_list_next(&list, &word))
        if (!fa_list_has(t->id.roles, word) && (rc = fa_list_add(t->a, out, word, e)))
            return rc;
    list = t->roles;
    while (fa_list_next(&list, &word))
        if ((rc = fa_list_add(t->a, out, word, e)))
            return rc;
    return FA_OK;
}

static fa_rc roles_changed(entry *t, fa_str before, fa_str after, fa_err *e)
{
    fa_caller system = {.name = t->c->name, .ip = t->b->ip, .agent = t->b->agent, .source = "sso"};
    fa_str was, is;
    fa_rc rc;

    if ((rc = fa_json_pairs(t->a, &was, e, "roles", before, NULL)) ||
        (rc = fa_json_pairs(t->a, &is, e, "roles", after, NULL)))
        return rc;
    return fa_user_audit(t->l, &system, "user.change", &t->u, was, is, e);
}

static fa_rc admin_team(entry *t, fa_str *id, fa_err *e)
{
    fa_team *team;
    size_t n;
    fa_rc rc = fa_team_list(fa_ledger_store(t->l), t->a, fa_ledger_account(t->l), &team, &n, e);

    *id = FA_STR("");
    for (size_t i = 0; !rc && i < n; i++)
        if (team[i].is_admin)
            *id = team[i].id;
    return rc;
}

/* The account keeps an administrator and somebody in the Admin Group, whatever the provider says. */
static fa_rc keep_last(entry *t, fa_str before, fa_err *e)
{
    fa_store *s = fa_ledger_store(t->l);
    fa_str account = fa_ledger_account(t->l), team;
    fa_err none = {0};
    fa_rc rc = fa_admins_stay(t->l, t->a, &none);

    if (rc != FA_ECONFLICT)
        return rc ? fa_fail(e, rc, "%s", none.msg) : FA_OK;
    fa_log(FA_LOG_WARN, "sso_last_administrator", "user=%.*s", FA_FMT(t->u.id));
    if ((rc = fa_user_set_roles(s, account, t->u.id, before, e)))
        return rc;
    t->u.roles = before;
    rc = fa_admins_stay(t->l, t->a, &none);
    if (rc != FA_ECONFLICT)
        return rc ? fa_fail(e, rc, "%s", none.msg) : FA_OK;
    if ((rc = admin_team(t, &team, e)) || !team.n)
        return rc;
    return fa_team_add_member(s, account, team, t->u.id, FA_STR("sso"), e);
}

static fa_rc grant(entry *t, fa_err *e)
{
    fa_store *s = fa_ledger_store(t->l);
    fa_str account = fa_ledger_account(t->l), before = t->u.roles, after, name;
    fa_rc rc;

    if ((rc = next_roles(t, &after, e)))
        return rc;
    if (!same_roles(before, after) && ((rc = fa_user_set_roles(s, account, t->u.id, after, e)) ||
                                       (rc = roles_changed(t, before, after, e))))
        return rc;
    t->u.roles = after;
    name = fa_str_trim(t->v->name);
    if (fa_str_eq(t->u.managed_by, t->c->kind) && clean(name, 200) && !fa_str_eq(name, t->u.name)) {
        t->u.name = name;
        if ((rc = fa_user_update(s, account, &t->u, e)))
            return rc;
    }
    if ((rc = fa_team_sync(t->l, t->a, t->u.id, t->v->groups, t->v->ngroups, e)) ||
        (rc = keep_last(t, before, e)))
        return rc;
    t->id.roles = t->roles;
    return fa_identity_put(s, account, &t->id, e);
}

/* ---- a test: what would happen ---- */

static const char *would(entry *t)
{
    fa_err e = {0};

    if (t->id.user_id.n && !t->id.approved)
        return "wait until the link is approved";
    if (t->id.user_id.n)
        return "sign in";
    if (email_usable(t, &e))
        return "be refused: the e-mail address cannot be used";
    if (!fa_user_by_email(fa_ledger_store(t->l), t->a, fa_ledger_account(t->l), t->v->email, &t->u,
                          &e))
        return "wait until the link is approved";
    return fa_idp_bool(t->config, "createUsers") ? "get a new account"
                                                 : "be refused: there is no account";
}

static fa_rc test_outcome(entry *t, fa_federated *out, fa_err *e)
{
    const fa_verified *v = t->v;
    fa_buf b = {0};
    fa_str data, list = t->roles, word;
    fa_jw w;
    fa_rc rc;

    fa_jw_init(&w, &b);
    fa_jw_obj(&w);
    fa_jw_key(&w, "issuer");
    fa_jw_str(&w, v->issuer);
    fa_jw_key(&w, "subject");
    fa_jw_str(&w, v->subject);
    fa_jw_key(&w, "email");
    fa_jw_str(&w, v->email);
    fa_jw_key(&w, "emailVerified");
    fa_jw_bool(&w, v->email_verified);
    fa_jw_key(&w, "name");
    fa_jw_str(&w, v->name);
    fa_jw_key(&w, "groups");
    fa_jw_arr(&w);
    for (size_t i = 0; i < v->ngroups; i++)
        fa_jw_str(&w, v->groups[i]);
    fa_jw_end_arr(&w);
    fa_jw_key(&w, "roles");
    fa_jw_arr(&w);
    while (fa_list_next(&list, &word))
        fa_jw_str(&w, word);
    fa_jw_end_arr(&w);
    fa_jw_key(&w, "would");
    fa_jw_z(&w, would(t));
    fa_jw_end_obj(&w);
    rc = fa_json_out(t->a, &b, &data, e);
    fa_buf_release(&b);
    return rc ? rc : fa_federated_keep(t->l, t->a, data, &out->test, e);
}

fa_rc fa_federated_keep(fa_ledger *l, fa_arena *a, fa_str json, fa_str *test, fa_err *e)
{
    int64_t now = fa_now_ms();
    char hash[65];
    fa_rc rc = fa_secret_new(a, test, hash, e);

    return rc ? rc
              : fa_once_put(fa_ledger_store(l), fa_ledger_account(l), FA_STR("test"),
                            fa_str_of(hash), json, now, now + TEST_MS, e);
}

fa_rc fa_federated_outcome(fa_ledger *l, fa_arena *a, fa_str test, fa_str *json, fa_err *e)
{
    char hash[65];
    fa_rc rc;

    fa_secret_hash(test, hash);
    rc = fa_once_look(fa_ledger_store(l), a, fa_ledger_account(l), FA_STR("test"), fa_str_of(hash),
                      fa_now_ms(), json, e);
    return rc == FA_EAUTH ? fa_fail(e, FA_ENOTFOUND, "no such test, or it is over") : rc;
}

/* ---- the session ---- */

static fa_rc sealed_hint(entry *t, fa_str *out, fa_err *e)
{
    *out = FA_STR("");
    return t->v->hint.n ? fa_seal(t->l, t->a, t->v->hint, FA_STR("session/hint"), out, e) : FA_OK;
}

static fa_rc session_text(entry *t, const fa_federated_session *f, fa_str *out, fa_err *e)
{
    char proved[24], until[24];

    snprintf(proved, sizeof proved, "%lld", (long long)f->proved_ms);
    snprintf(until, sizeof until, "%lld", (long long)f->expires_ms);
    return fa_json_pairs(t->a, out, e, "idp", f->idp_id, "subject", f->subject, "session",
                         f->session, "hint", f->hint, "proved", fa_str_of(proved), "until",
                         fa_str_of(until), NULL);
}

static fa_rc open_session(entry *t, fa_federated *out, fa_err *e)
{
    fa_store *s = fa_ledger_store(t->l);
    fa_str account = fa_ledger_account(t->l), data;
    fa_federated_session f = {.idp_id = t->c->id,
                              .subject = t->v->subject,
                              .session = t->v->session,
                              .proved_ms = t->v->proved_ms,
                              .expires_ms =
                                  t->v->session_until_ms >= 0 ? t->v->session_until_ms : INT64_MAX};
    int64_t now = fa_now_ms();
    const char *by;
    char hash[65];
    fa_rc rc;

    if (f.proved_ms > now)
        f.proved_ms = now;
    if (!clean(f.session, SUBJECT_MAX))
        f.session = FA_STR("");
    if ((rc = sealed_hint(t, &f.hint, e)) || (rc = fa_idp_touch(s, account, t->c->id, now, e)))
        return rc;
    if (t->u.totp.n && fa_str_eqz(t->p.mfa, "Force")) { /* of everybody, sign-on or not */
        if ((rc = fa_challenge_new(t->l, t->a, &t->u, &out->in, e)) ||
            (rc = session_text(t, &f, &data, e)))
            return rc;
        fa_secret_hash(out->in.challenge, hash);
        return fa_once_put(s, account, FA_STR("challenge"), fa_str_of(hash), data, now,
                           now + FLOW_MS, e);
    }
    if (!(by = fa_arena_printf(t->a, "%.*s: %.*s", FA_FMT(t->c->kind), FA_FMT(t->c->name))))
        return fa_oom(e);
    if ((rc = fa_session_open(t->l, t->a, &t->u, by, t->b, false, &out->in, e)))
        return rc;
    fa_secret_hash(out->in.session, hash);
    return fa_session_federate(s, account, fa_str_of(hash), &f, e);
}

fa_rc fa_federated_resume(fa_ledger *l, fa_arena *a, fa_str challenge_hash, fa_str session,
                          fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    fa_str account = fa_ledger_account(l), data;
    fa_federated_session f;
    fa_err none = {0};
    char hash[65];
    json_t *j;
    fa_rc rc =
        fa_once_take(s, a, account, FA_STR("challenge"), challenge_hash, fa_now_ms(), &data, &none);

    if (rc)
        return rc == FA_EAUTH ? FA_OK : fa_fail(e, rc, "%s", none.msg);
    if (!(j = json_loadb(data.p, data.n, 0, NULL)))
        return fa_oom(e);
    f = (fa_federated_session){.idp_id = fa_idp_text(j, "idp"),
                               .subject = fa_idp_text(j, "subject"),
                               .session = fa_idp_text(j, "session"),
                               .hint = fa_idp_text(j, "hint"),
                               .proved_ms = fa_now_ms(), /* a code was given right now */
                               .expires_ms = strtoll(fa_idp_text(j, "until").p, NULL, 10)};
    fa_secret_hash(session, hash);
    rc = fa_session_federate(s, account, fa_str_of(hash), &f, e);
    json_decref(j);
    return rc;
}

static fa_rc link_done(entry *t, fa_federated *out, fa_err *e)
{
    fa_caller actor = fa_at_browser(t->l, &t->u, t->b);
    fa_str after;
    fa_rc rc;

    out->linked = true;
    if ((rc = fa_json_pairs(t->a, &after, e, "connection", t->c->name, "subject", t->v->subject,
                            NULL)))
        return rc;
    return fa_user_audit(t->l, &actor, "identity.link", &t->u, FA_STR(""), after, e);
}

static fa_rc settle(entry *t, fa_federated *out, fa_err *e)
{
    bool linking = fa_str_eqz(t->f->purpose, "link"), waiting = t->id.user_id.n && !t->id.approved;
    fa_rc rc;

    if (waiting && linking && fa_str_eq(t->id.user_id, t->f->user_id))
        t->id.approved = true; /* the owner of the account connects it himself */
    else if (waiting)
        return refuse(e, "link", "the link to the account waits for its owner or an administrator");
    if (!t->id.user_id.n)
        rc = new_identity(t, e);
    else
        rc = user_of(t, t->id.user_id, e);
    if (rc)
        return rc;
    if (!fa_str_eqz(t->u.state, "active"))
        return refuse(e, "disabled", "this user may not sign in");
    if ((linking || fa_str_eqz(t->f->purpose, "prove")) && !fa_str_eq(t->u.id, t->f->user_id))
        return refuse(e, "unknown", "at the provider this is somebody else");
    if ((rc = grant(t, e)))
        return rc;
    out->user_id = t->u.id;
    return linking ? link_done(t, out, e) : open_session(t, out, e);
}

static fa_rc usable(entry *t, fa_err *e)
{
    bool testing = fa_str_eqz(t->f->purpose, "test");

    if (!clean(t->v->issuer, 2000) || !clean(t->v->subject, SUBJECT_MAX))
        return refuse(e, "token", "the provider does not say who it is");
    if (!fa_str_eqz(t->c->state, "enabled") && !testing)
        return refuse(e, "disabled", "this connection is not in use");
    if (fa_place_ok(&t->p, t->b->ip, e)) {
        fa_at(e, "address");
        return e->rc;
    }
    return FA_OK;
}

fa_rc fa_federated_enter(fa_ledger *l, fa_arena *a, const fa_idp *c, const fa_flow *f,
                         const fa_verified *v, const fa_browser *b, fa_federated *out, fa_err *e)
{
    entry t = {.l = l, .a = a, .c = c, .f = f, .v = v, .b = b};
    fa_store *s = fa_ledger_store(l);
    bool opened, waits;
    fa_rc rc;

    *out = (fa_federated){0};
    if ((rc = fa_policy_get(l, a, &t.p, e)) || (rc = fa_idp_config(a, c, &t.config, e)) ||
        (rc = fa_store_enter(s, &opened, e)))
        return rc;
    if (!(rc = usable(&t, e)) && !(rc = find_identity(&t, e)) && !(rc = given_roles(&t, e)))
        rc = fa_str_eqz(f->purpose, "test") ? test_outcome(&t, out, e) : settle(&t, out, e);
    /* a link that waits is kept although nobody comes in */
    waits = rc == FA_EAUTH && strcmp(e->field, "link") == 0 && !t.id.approved && t.id.user_id.n;
    if (waits) {
        fa_err why = *e;

        if (!(rc = fa_store_leave(s, opened, FA_OK, e))) {
            *e = why;
            rc = why.rc;
        }
    } else {
        rc = fa_store_leave(s, opened, rc, e);
    }
    if (rc == FA_EAUTH || rc == FA_EFORBIDDEN) {
        *out = (fa_federated){0};
        fa_federated_refused(l, c, b, e);
    }
    return rc;
}

/* ---- leaving ---- */

fa_rc fa_federated_left(fa_ledger *l, const fa_idp *c, fa_str subject, fa_str session, fa_str ip,
                        int64_t *ended, fa_err *e)
{
    fa_caller actor = {.name = c->name, .ip = ip, .source = "sso"};
    fa_store *s = fa_ledger_store(l);
    bool opened;
    fa_rc rc = fa_store_enter(s, &opened, e);

    *ended = 0;
    if (rc)
        return rc;
    if (!(rc =
              fa_session_end_federated(s, fa_ledger_account(l), c->id, subject, session, ended, e)))
        rc = fa_audit_add(l, &actor,
                          &(fa_audit){.action = "signout.provider",
                                      .object_type = "sso",
                                      .object_id = c->id,
                                      .object_name = c->name,
                                      .severity = "medium"},
                          e);
    return fa_store_leave(s, opened, rc, e);
}

fa_rc fa_federated_session_of(fa_ledger *l, fa_arena *a, const fa_caller *c,
                              fa_federated_session *out, fa_err *e)
{
    fa_err none = {0};
    fa_rc rc = fa_session_federated(fa_ledger_store(l), a, fa_ledger_account(l), c->session_hash,
                                    out, &none);

    if (rc == FA_ENOTFOUND) {
        *out = (fa_federated_session){0};
        return FA_OK;
    }
    if (rc)
        return fa_fail(e, rc, "%s", none.msg);
    return out->hint.n ? fa_unseal(l, a, out->hint, FA_STR("session/hint"), &out->hint, e) : FA_OK;
}

fa_rc fa_identity_settle(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_str idp_id,
                         fa_str issuer, fa_str subject, bool approve, fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    fa_str account = fa_ledger_account(l), what;
    fa_identity v;
    fa_user u;
    bool opened;
    fa_rc rc = fa_store_enter(s, &opened, e);

    if (rc)
        return rc;
    rc = fa_identity_get(s, a, account, idp_id, issuer, subject, &v, e);
    if (rc == FA_ENOTFOUND)
        rc = fa_fail(e, rc, "no such link");
    if (!rc && !(rc = fa_user_by_id(s, a, account, v.user_id, &u, e)) &&
        (rc = fa_caller_may_give(l, a, by, u.roles, e)) == FA_EINVAL)
        rc = FA_OK; /* a role that is gone gives nothing */
    if (!rc && !(rc = fa_json_pairs(a, &what, e, "connection", idp_id, "subject", subject, NULL))) {
        v.approved = true;
        rc = approve ? fa_identity_put(s, account, &v, e) : fa_identity_drop(s, account, &v, e);
    }
    if (!rc)
        rc = fa_audit_add(l, by,
                          &(fa_audit){.action = approve ? "identity.approve" : "identity.remove",
                                      .object_type = "user",
                                      .object_id = u.id,
                                      .object_name = u.email,
                                      .after = what,
                                      .severity = "high"},
                          e);
    return fa_store_leave(s, opened, rc, e);
}
