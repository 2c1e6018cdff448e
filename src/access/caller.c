/*
 * caller.c - who asks: a person, a token, the command line; what they may is the union of their own
 * roles and those of their groups, read from the store at each request, so that a change acts on the
 * next one (access.md 4.7).
 */
#include "access/internal.h"

#include <stdarg.h>

bool fa_caller_may(const fa_caller *c, fa_perm p)
{
    if (p == FA_PERM_PUBLIC)
        return true;
    if (!c || c->kind == FA_CALLER_NONE)
        return false;
    return (c->kind == FA_CALLER_SYSTEM && (unsigned)p < FA_PERM__COUNT) ||
           fa_perms_has(&c->perms, p);
}

bool fa_caller_is_admin(const fa_caller *c)
{
    return c->kind == FA_CALLER_SYSTEM ||
           (c->kind != FA_CALLER_NONE && fa_list_has(c->roles, FA_STR("admin")));
}

fa_caller fa_caller_system(fa_ledger *l)
{
    fa_caller c = {.kind = FA_CALLER_SYSTEM,
                   .id = FA_STR("system"),
                   .name = FA_STR("command line"),
                   .email = FA_STR("system@farthing.invalid"),
                   .role = FA_STR("admin"),
                   .roles = FA_STR("admin"),
                   .account = fa_ledger_account(l),
                   .proved_ms = -1,
                   .source = "command"};

    for (int p = 0; p < FA_PERM__COUNT; p++)
        fa_perms_add(&c.perms, (fa_perm)p);
    return c;
}

static fa_rc add_teams(fa_arena *a, const fa_team *t, size_t n, bool with_roles, fa_caller *c,
                       fa_err *e)
{
    for (size_t i = 0; i < n; i++) {
        fa_str list = t[i].roles, role;

        if (fa_list_add(a, &c->teams, t[i].id, e))
            return e->rc;
        while (with_roles && fa_list_next(&list, &role))
            if (fa_list_add(a, &c->roles, role, e))
                return e->rc;
    }
    return FA_OK;
}

static fa_str first_of(fa_str list)
{
    fa_str word;

    return fa_list_has(list, FA_STR("admin")) ? FA_STR("admin")
           : fa_list_next(&list, &word)       ? word
                                              : FA_STR("");
}

fa_rc fa_caller_of_user(fa_ledger *l, fa_arena *a, const fa_user *u, fa_caller *out, fa_err *e)
{
    fa_team *t;
    size_t n;
    fa_rc rc;

    *out = (fa_caller){.kind = FA_CALLER_USER,
                       .id = u->id,
                       .name = u->name,
                       .email = u->email,
                       .roles = u->roles,
                       .user_id = u->id,
                       .account = fa_ledger_account(l),
                       .proved_ms = -1,
                       .source = "page"};
    if ((rc = fa_team_of_user(fa_ledger_store(l), a, out->account, u->id, &t, &n, e)) ||
        (rc = add_teams(a, t, n, true, out, e)) ||
        (rc = fa_roles_perms(l, a, out->roles, &out->perms, NULL, e))) {
        *out = (fa_caller){0};
        return rc;
    }
    out->role = first_of(out->roles);
    fa_perms_add(&out->perms, FA_PERM_PUBLIC);
    fa_perms_add(&out->perms, FA_PERM_SELF);
    return FA_OK;
}

fa_rc fa_caller_user(fa_ledger *l, fa_arena *a, fa_str email, fa_caller *out, fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    fa_user u;
    fa_rc rc = fa_uuid_valid(email) ? fa_user_by_id(s, a, fa_ledger_account(l), email, &u, e)
                                    : fa_user_by_email(s, a, fa_ledger_account(l), email, &u, e);

    *out = (fa_caller){0};
    if (rc == FA_ENOTFOUND)
        return fa_fail(e, rc, "no such user: \"%.*s\"", FA_FMT(email));
    return rc ? rc : fa_caller_of_user(l, a, &u, out, e);
}

fa_rc fa_caller_dup(fa_arena *a, const fa_caller *c, fa_caller *out, fa_err *e)
{
    fa_str *text[] = {&out->id,      &out->name,         &out->email,     &out->role,
                      &out->roles,   &out->teams,        &out->client_id, &out->user_id,
                      &out->account, &out->session_hash, &out->behalf,    &out->ip,
                      &out->agent,   &out->request_id,   &out->at,        &out->view_as};

    *out = *c;
    for (size_t i = 0; i < FA_COUNT(text); i++) {
        *text[i] = fa_arena_dup(a, *text[i]);
        if (!text[i]->p)
            return fa_oom(e);
    }
    return FA_OK;
}

/* Its token row as it is now. */
static fa_rc fresh_token(fa_ledger *l, fa_arena *a, const fa_caller *c, fa_caller *out, fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    fa_token t;
    fa_team *team;
    fa_user u, own;
    size_t n;
    fa_rc rc = fa_token_get(s, a, fa_ledger_account(l), c->id, &t, e);

    if (rc)
        return rc;
    if (t.revoked_ms >= 0 || (t.expires_ms >= 0 && t.expires_ms <= fa_now_ms()))
        return fa_fail(e, FA_ENOTFOUND, "the token is not valid any more");
    *out = *c;
    out->roles = t.roles;
    out->teams = FA_STR("");
    out->user_id = t.user_id;
    if ((rc = fa_roles_perms(l, a, t.roles, &out->perms, NULL, e)))
        return rc;
    if (t.user_id.n) { /* never more than its person, who must be there */
        fa_caller person;

        if ((rc = fa_user_by_id(s, a, out->account, t.user_id, &u, e)))
            return rc;
        if (!fa_str_eqz(u.state, "active"))
            return fa_fail(e, FA_ENOTFOUND, "the token is not valid any more");
        if (!fa_ledger_is_first(l) && (rc = fa_person_live(l, a, t.user_id, &own, e)))
            return rc;
        if ((rc = fa_caller_of_user(l, a, &u, &person, e)))
            return rc;
        for (size_t i = 0; i < FA_COUNT(out->perms.w); i++)
            out->perms.w[i] &= person.perms.w[i];
        out->teams = person.teams;
    } else if ((rc = fa_team_of_token(s, a, out->account, t.id, &team, &n, e)) ||
               (rc = add_teams(a, team, n, false, out, e))) {
        return rc;
    }
    if (t.roles.n) { /* a token that lost its last role stops */
        fa_perms_add(&out->perms, FA_PERM_PUBLIC);
        fa_perms_add(&out->perms, FA_PERM_SELF);
        out->role = first_of(t.roles);
        return FA_OK;
    }
    return fa_fail(e, FA_ENOTFOUND, "the token has no role any more");
}

fa_rc fa_caller_fresh(fa_ledger *l, fa_arena *a, const fa_caller *c, fa_caller *out, fa_err *e)
{
    fa_user u, own;
    fa_rc rc = FA_OK;

    if (c->kind == FA_CALLER_TOKEN) {
        rc = fresh_token(l, a, c, out, e);
    } else if (c->kind == FA_CALLER_USER) {
        rc = fa_user_by_id(fa_ledger_store(l), a, fa_ledger_account(l), c->id, &u, e);
        if (!rc && !fa_str_eqz(u.state, "active"))
            rc = fa_fail(e, FA_ENOTFOUND, "the user is not active any more");
        if (!rc && !fa_ledger_is_first(l))
            rc = fa_person_live(l, a, c->id, &own, e);
        if (!rc && !(rc = fa_caller_of_user(l, a, &u, out, e))) {
            out->at = c->at;
            out->session_hash = c->session_hash;
            out->behalf = c->behalf;
            out->proved_ms = c->proved_ms;
            out->ip = c->ip;
            out->agent = c->agent;
            out->request_id = c->request_id;
            out->source = c->source;
        }
    } else {
        *out = *c;
    }
    if (rc == FA_ENOTFOUND)
        rc = fa_fail(e, FA_EAUTH, "who asked may not any more");
    if (rc)
        *out = (fa_caller){0};
    return rc;
}

/* ---- small ---- */

fa_rc fa_text_ok(fa_str *s, size_t least, size_t most, const char *field, fa_err *e)
{
    *s = fa_str_trim(*s);
    if (!fa_utf8_valid(*s) || s->n < least || s->n > most) {
        fa_fail(e, FA_EINVAL, "must be a text of %zu to %zu bytes", least, most);
        return fa_at(e, field);
    }
    for (size_t i = 0; i < s->n; i++)
        if ((unsigned char)s->p[i] < 0x20 || s->p[i] == 0x7f) {
            fa_fail(e, FA_EINVAL, "must not have control characters");
            return fa_at(e, field);
        }
    return FA_OK;
}

fa_rc fa_json_out(fa_arena *a, const fa_buf *b, fa_str *out, fa_err *e)
{
    *out = fa_buf_dup(b, a);
    return out->p ? FA_OK : fa_oom(e);
}

fa_rc fa_json_pairs(fa_arena *a, fa_str *out, fa_err *e, ...)
{
    const char *name;
    fa_buf b = {0};
    va_list ap;
    fa_jw w;
    fa_rc rc;

    fa_jw_init(&w, &b);
    fa_jw_obj(&w);
    va_start(ap, e);
    while ((name = va_arg(ap, const char *))) {
        fa_jw_key(&w, name);
        fa_jw_str(&w, va_arg(ap, fa_str));
    }
    va_end(ap);
    fa_jw_end_obj(&w);
    rc = fa_json_out(a, &b, out, e);
    fa_buf_release(&b);
    return rc;
}
