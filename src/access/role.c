/*
 * role.c - permissions, default roles, the account's own roles.
 *
 * Who holds what by default stands in the permission's row (access.md 1.3). A list of roles is text
 * with spaces between; its permissions are the union. Nobody can give what he does not hold.
 */
#include "access/internal.h"

#include <pthread.h>
#include <string.h>

_Static_assert(FA_PERM__COUNT <= 128, "permissions fit into fa_perms");

enum { LEVEL_OWN = 100, ROLES_MAX = 500, NAME_MAX_BYTES = 100, TEXT_MAX_BYTES = 500 };

static const fa_perm_info infos[FA_PERM__COUNT] = {
#define X(id, name, who, area, what) [FA_PERM_##id] = {(name), (who), (area), (what)},
    FA_PERMS(X)
#undef X
};

static fa_role roles[] = {
    {"admin", "Admin", "Everything, including users, tokens and cost centers", 0, {{0}}},
    {"basic",
     "Basic",
     "Ask, export, and make views, dashboards and virtual tags",
     LEVEL_OWN,
     {{0}}},
    {"read-only", "Read-only", "Look at costs and everything made of them", LEVEL_OWN, {{0}}},
    {"api-token", "API token", "What the public API needs", LEVEL_OWN, {{0}}},
};
static const char letters[] = "ABRT"; /* of roles[], in order */

static void fill_roles(void)
{
    for (size_t i = 0; i < FA_COUNT(roles); i++)
        for (int p = 0; p < FA_PERM__COUNT; p++)
            if (strchr(infos[p].who, letters[i]))
                fa_perms_add(&roles[i].perms, (fa_perm)p);
}

const char *fa_perm_name(fa_perm p)
{
    return (unsigned)p < FA_PERM__COUNT ? infos[p].name : "";
}

const fa_perm_info *fa_perm_get(fa_perm p)
{
    return (unsigned)p < FA_PERM__COUNT ? &infos[p] : NULL;
}

bool fa_perm_find(fa_str name, fa_perm *out)
{
    for (int p = 0; p < FA_PERM__COUNT; p++)
        if (fa_str_eqz(name, infos[p].name)) {
            *out = (fa_perm)p;
            return true;
        }
    return false;
}

const fa_role *fa_roles(size_t *n)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, fill_roles);
    *n = FA_COUNT(roles);
    return roles;
}

static const fa_role *role_find(fa_str role)
{
    size_t n;
    const fa_role *all = fa_roles(&n);

    for (size_t i = 0; i < n; i++)
        if (fa_str_eqz(role, all[i].key))
            return &all[i];
    return NULL;
}

bool fa_role_exists(fa_str role)
{
    return role_find(role) != NULL;
}

bool fa_role_has(fa_str role, fa_perm p)
{
    const fa_role *r = role_find(role);

    return r && fa_perms_has(&r->perms, p);
}

/* ---- lists ---- */

bool fa_list_next(fa_str *list, fa_str *word)
{
    size_t n = 0;

    while (list->n && list->p[0] == ' ')
        *list = (fa_str){list->p + 1, list->n - 1};
    while (n < list->n && list->p[n] != ' ')
        n++;
    *word = (fa_str){list->p, n};
    if (n)
        *list = (fa_str){list->p + n, list->n - n};
    return n > 0;
}

bool fa_list_has(fa_str list, fa_str word)
{
    fa_str w;

    while (fa_list_next(&list, &w))
        if (fa_str_eq(w, word))
            return true;
    return false;
}

fa_rc fa_list_add(fa_arena *a, fa_str *list, fa_str word, fa_err *e)
{
    char *z;

    if (fa_list_has(*list, word))
        return FA_OK;
    z = fa_arena_printf(a, "%.*s%s%.*s", FA_FMT(*list), list->n ? " " : "", FA_FMT(word));
    if (!z)
        return fa_oom(e);
    *list = fa_str_of(z);
    return FA_OK;
}

/* ---- union ---- */

static void perms_of_names(fa_str names, fa_perms *out)
{
    fa_str word;
    fa_perm p;

    while (fa_list_next(&names, &word))
        if (fa_perm_find(word, &p))
            fa_perms_add(out, p);
}

/* One role's permissions and level; FA_ENOTFOUND: there is none. */
static fa_rc role_perms(fa_ledger *l, fa_arena *a, fa_str key, fa_perms *out, int *level, fa_err *e)
{
    const fa_role *r = role_find(key);
    fa_role_row row;
    fa_rc rc;

    if (r) {
        for (size_t i = 0; i < FA_COUNT(out->w); i++)
            out->w[i] |= r->perms.w[i];
        *level = r->level < *level ? r->level : *level;
        return FA_OK;
    }
    if ((rc = fa_role_get(fa_ledger_store(l), a, fa_ledger_account(l), key, &row, e)))
        return rc;
    perms_of_names(row.perms, out);
    fa_perms_add(out, FA_PERM_PUBLIC);
    fa_perms_add(out, FA_PERM_SELF);
    *level = row.level < *level ? (int)row.level : *level;
    return FA_OK;
}

fa_rc fa_roles_perms(fa_ledger *l, fa_arena *a, fa_str list, fa_perms *out, int *level, fa_err *e)
{
    int strongest = 32767;
    fa_str word;
    fa_rc rc;

    *out = (fa_perms){{0}};
    while (fa_list_next(&list, &word)) {
        rc = role_perms(l, a, word, out, &strongest, e);
        if (rc && rc != FA_ENOTFOUND)
            return rc;
    }
    if (level)
        *level = strongest;
    return FA_OK;
}

static fa_rc holds_all(const fa_caller *c, const fa_perms *p, fa_str what, fa_err *e)
{
    for (int i = 0; i < FA_PERM__COUNT; i++)
        if (fa_perms_has(p, (fa_perm)i) && !fa_caller_may(c, (fa_perm)i))
            return fa_fail(e, FA_EFORBIDDEN,
                           "role \"%.*s\" may do more than you may (%s), so you cannot give it",
                           FA_FMT(what), fa_perm_name((fa_perm)i));
    return FA_OK;
}

fa_rc fa_caller_may_give(fa_ledger *l, fa_arena *a, const fa_caller *c, fa_str list, fa_err *e)
{
    int own = 0, level;
    fa_perms p, mine;
    fa_str word;
    fa_rc rc;

    if (c->kind != FA_CALLER_SYSTEM && (rc = fa_roles_perms(l, a, c->roles, &mine, &own, e)))
        return rc;
    while (fa_list_next(&list, &word)) {
        p = (fa_perms){{0}};
        level = 32767;
        rc = role_perms(l, a, word, &p, &level, e);
        if (rc == FA_ENOTFOUND) {
            fa_fail(e, FA_EINVAL, "no such role: \"%.*s\"", FA_FMT(word));
            return fa_hint(e, "default roles are admin, basic, read-only and api-token");
        }
        if (rc || (rc = holds_all(c, &p, word, e)))
            return rc;
        if (level < own)
            return fa_fail(e, FA_EFORBIDDEN, "role \"%.*s\" is stronger than any of yours",
                           FA_FMT(word));
    }
    return FA_OK;
}

/* ---- the account's own roles ---- */

static fa_rc names_of_perms(fa_arena *a, const fa_perms *p, fa_str *out, fa_err *e)
{
    fa_buf b = {0};

    for (int i = FA_PERM_SELF + 1; i < FA_PERM__COUNT; i++)
        if (fa_perms_has(p, (fa_perm)i))
            fa_buf_fmt(&b, "%s%s", b.n ? " " : "", fa_perm_name((fa_perm)i));
    *out = b.n ? fa_buf_dup(&b, a) : FA_STR("");
    fa_buf_release(&b);
    return out->p ? FA_OK : fa_oom(e);
}

static fa_rc role_json(fa_arena *a, const fa_role_row *r, fa_str *out, fa_err *e)
{
    return fa_json_pairs(a, out, e, "name", r->name, "description", r->description, "permissions",
                         r->perms, NULL);
}

static fa_rc room_for_role(fa_ledger *l, fa_arena *a, fa_err *e)
{
    fa_role_row *all;
    size_t n;
    fa_rc rc = fa_role_list(fa_ledger_store(l), a, fa_ledger_account(l), &all, &n, e);

    return !rc && n >= ROLES_MAX ? fa_fail(e, FA_EDATA, "there are %d roles already", ROLES_MAX)
                                 : rc;
}

/* The row as it will be, and as it was. */
static fa_rc role_merge(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_str id,
                        const fa_str *name, const fa_str *description, const fa_perms *perms,
                        fa_role_row *v, fa_str *before, fa_err *e)
{
    fa_perms old = {{0}};
    char fresh[37];
    fa_rc rc;

    if (fa_role_exists(id))
        return fa_fail(e, FA_ECONFLICT, "the default role \"%.*s\" cannot be changed", FA_FMT(id));
    if (id.n) {
        if ((rc = fa_role_get(fa_ledger_store(l), a, fa_ledger_account(l), id, v, e)) ||
            (rc = role_json(a, v, before, e)))
            return rc;
        perms_of_names(v->perms, &old);
        if ((rc = holds_all(by, &old, v->name, e)))
            return rc;
    } else {
        if ((rc = room_for_role(l, a, e)))
            return rc;
        fa_uuid_v4(fresh);
        *v = (fa_role_row){
            .id = fa_arena_dup(a, fa_str_of(fresh)), .level = LEVEL_OWN, .created_ms = fa_now_ms()};
        if (!v->id.p)
            return fa_oom(e);
    }
    if (name)
        v->name = *name;
    if (description)
        v->description = *description;
    v->updated_ms = fa_now_ms();
    if ((rc = fa_text_ok(&v->name, 1, NAME_MAX_BYTES, "name", e)) ||
        (rc = fa_text_ok(&v->description, 0, TEXT_MAX_BYTES, "description", e)))
        return rc;
    if (perms &&
        ((rc = holds_all(by, perms, v->name, e)) || (rc = names_of_perms(a, perms, &v->perms, e))))
        return rc;
    return FA_OK;
}

fa_rc fa_role_save(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_str id, const fa_str *name,
                   const fa_str *description, const fa_perms *perms, fa_role_row *out, fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    fa_str before = {0}, after;
    bool opened;
    fa_rc rc = fa_store_enter(s, &opened, e);

    if (rc)
        return rc;
    if (!(rc = role_merge(l, a, by, id, name, description, perms, out, &before, e)) &&
        !(rc = fa_role_put(s, fa_ledger_account(l), out, e)) &&
        !(rc = role_json(a, out, &after, e)))
        rc = fa_audit_add(l, by,
                          &(fa_audit){.action = id.n ? "role.change" : "role.create",
                                      .object_type = "role",
                                      .object_id = out->id,
                                      .object_name = out->name,
                                      .before = before,
                                      .after = after,
                                      .severity = "high"},
                          e);
    if (!rc)
        rc = fa_admins_stay(l, a, e);
    return fa_store_leave(s, opened, rc, e);
}

static fa_rc role_remove(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_str id, fa_str instead,
                         bool from_all, fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    fa_str account = fa_ledger_account(l), before;
    fa_role_use use;
    fa_role_row v;
    fa_perms p = {{0}};
    fa_rc rc;

    if (fa_role_exists(id))
        return fa_fail(e, FA_ECONFLICT, "the default role \"%.*s\" cannot be deleted", FA_FMT(id));
    if ((rc = fa_role_get(s, a, account, id, &v, e)) ||
        (rc = fa_role_used(s, a, account, id, &use, e)) || (rc = role_json(a, &v, &before, e)))
        return rc;
    perms_of_names(v.perms, &p);
    if ((rc = holds_all(by, &p, v.name, e)))
        return rc;
    if (use.users + use.teams + use.tokens && !instead.n && !from_all) {
        fa_fail(e, FA_ECONFLICT, "%lld users, %lld groups and %lld tokens have this role",
                (long long)use.users, (long long)use.teams, (long long)use.tokens);
        return fa_hint(e, "say which role they get instead, or that it is taken from all of them");
    }
    if (instead.n && (fa_str_eq(instead, id) || (rc = fa_caller_may_give(l, a, by, instead, e))))
        return rc ? rc : fa_fail(e, FA_EINVAL, "a role cannot replace itself");
    if ((rc = fa_role_replace(s, account, id, instead, e)) ||
        (rc = fa_role_delete(s, account, id, e)))
        return rc;
    rc = fa_audit_add(l, by,
                      &(fa_audit){.action = "role.delete",
                                  .object_type = "role",
                                  .object_id = id,
                                  .object_name = v.name,
                                  .before = before,
                                  .severity = "high"},
                      e);
    return rc ? rc : fa_admins_stay(l, a, e);
}

fa_rc fa_role_remove(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_str id, fa_str instead,
                     bool from_all, fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    bool opened;
    fa_rc rc = fa_store_enter(s, &opened, e);

    if (rc)
        return rc;
    rc = role_remove(l, a, by, id, instead, from_all, e);
    return fa_store_leave(s, opened, rc, e);
}
