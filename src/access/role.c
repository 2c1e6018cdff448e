/*
 * role.c - permissions, roles and the caller.
 *
 * A role is one row: a bit set of the closed permission enum (access.md 1.3). Permissions can only
 * be asked for through fa_caller_may, and a caller can only be made by this folder.
 */
#include "access/internal.h"

#define BIT(p) (1u << FA_PERM_##p)
#define EVERY (((1u << FA_PERM__COUNT) - 1u))

_Static_assert(FA_PERM__COUNT <= 31, "permissions fit into one word");

static const char *const perm_names[FA_PERM__COUNT] = {
#define X(id, name) [FA_PERM_##id] = (name),
    FA_PERMS(X)
#undef X
};

static const fa_role roles[] = {
    {"admin", "Admin", "Everything, including tokens and cost centers", EVERY},
    {"basic", "Basic", "Ask, export, and save views",
     BIT(PUBLIC) | BIT(SELF) | BIT(COST_QUERY) | BIT(COST_EXPORT) | BIT(VIEWS_VIEW) |
         BIT(VIEWS_MANAGE) | BIT(COSTCENTERS_VIEW) | BIT(ACCOUNT_VIEW) |
         BIT(TOKENS_PERSONAL_MANAGE) | BIT(USERS_VIEW)},
    {"read-only", "Read-only", "Look at costs and saved views",
     BIT(PUBLIC) | BIT(SELF) | BIT(COST_QUERY) | BIT(VIEWS_VIEW) | BIT(COSTCENTERS_VIEW) |
         BIT(ACCOUNT_VIEW) | BIT(TOKENS_PERSONAL_MANAGE)},
    {"api-token", "API token", "What the public API needs: views and costs",
     BIT(PUBLIC) | BIT(SELF) | BIT(COST_QUERY) | BIT(VIEWS_VIEW)},
};

const char *fa_perm_name(fa_perm p)
{
    return (unsigned)p < FA_PERM__COUNT ? perm_names[p] : "";
}

const fa_role *fa_roles(size_t *n)
{
    *n = FA_COUNT(roles);
    return roles;
}

static const fa_role *role_find(fa_str role)
{
    for (size_t i = 0; i < FA_COUNT(roles); i++)
        if (fa_str_eqz(role, roles[i].key))
            return &roles[i];
    return NULL;
}

bool fa_role_exists(fa_str role)
{
    return role_find(role) != NULL;
}

bool fa_role_has(fa_str role, fa_perm p)
{
    const fa_role *r = role_find(role);

    return r && (unsigned)p < FA_PERM__COUNT && (r->perms >> p & 1u);
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
