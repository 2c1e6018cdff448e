/*
 * role.c - permissions, roles and the caller.
 *
 * A role is one row; who holds what stands in the permission's row (access.md 1.3). Permissions can only
 * be asked for through fa_caller_may, and a caller can only be made by this folder.
 */
#include "access/internal.h"

#include <pthread.h>
#include <string.h>

_Static_assert(FA_PERM__COUNT <= 128, "permissions fit into fa_perms");

static const fa_perm_info infos[FA_PERM__COUNT] = {
#define X(id, name, who, area, what) [FA_PERM_##id] = {(name), (who), (area), (what)},
    FA_PERMS(X)
#undef X
};

static fa_role roles[] = {
    {"admin", "Admin", "Everything, including users, tokens and cost centers", {{0}}},
    {"basic", "Basic", "Ask, export, and make views, dashboards and virtual tags", {{0}}},
    {"read-only", "Read-only", "Look at costs and everything made of them", {{0}}},
    {"api-token", "API token", "What the public API needs", {{0}}},
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

bool fa_caller_may(const fa_caller *c, fa_perm p)
{
    if (p == FA_PERM_PUBLIC)
        return true;
    if (!c || c->kind == FA_CALLER_NONE)
        return false;
    return c->kind == FA_CALLER_SYSTEM || fa_role_has(c->role, p);
}

fa_rc fa_caller_scope(fa_ledger *l, fa_arena *a, const fa_caller *c, const fa_filter **out,
                      fa_err *e)
{
    (void)l;
    (void)a;
    *out = NULL;
    if (!c || c->kind == FA_CALLER_NONE)
        return fa_fail(e, FA_EAUTH, "nobody is signed in");
    return FA_OK; /* no group restricts rows: every caller of the account sees all of them */
}

fa_caller fa_caller_system(fa_ledger *l)
{
    return (fa_caller){.kind = FA_CALLER_SYSTEM,
                       .id = FA_STR("system"),
                       .name = FA_STR("command line"),
                       .email = FA_STR("system@farthing.invalid"),
                       .role = FA_STR("admin"),
                       .account = fa_ledger_account(l)};
}
