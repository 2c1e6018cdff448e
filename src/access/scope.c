/*
 * scope.c - which rows a caller may see (access.md 4): the rules of the groups, joined by OR.
 *
 * The one idea: a rule is a filter, stricter than a user's own in one way only: a missing value never
 * matches, unless the rule says "does not exist". A leaf whose key is gone matches nothing. The
 * result goes into the plan's scope, so no way of asking goes round it.
 */
#include "access/internal.h"
#include "allocate/allocate.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define SETTING FA_STR("data_access")
enum { DEPTH_MAX = 32 };

/* What a caller's groups say. */
typedef struct rules {
    bool all;
    fa_str *filter; /* sorted, no two the same */
    size_t n;
} rules;

fa_rc fa_data_access_get(fa_ledger *l, fa_arena *a, bool *on, fa_err *e)
{
    fa_str v;
    fa_rc rc = fa_setting_get(fa_ledger_store(l), a, fa_ledger_account(l), SETTING, &v, e);

    *on = !rc && fa_str_eqz(v, "on");
    return rc;
}

static int by_text(const void *x, const void *y)
{
    return fa_str_cmp(*(const fa_str *)x, *(const fa_str *)y);
}

static fa_rc rules_of_teams(fa_arena *a, const fa_team *t, size_t n, rules *r, fa_err *e)
{
    size_t kept = 0;

    if (!(r->filter = fa_arena_array(a, n + 1, sizeof *r->filter)))
        return fa_oom(e);
    for (size_t i = 0; i < n; i++) {
        if (t[i].is_admin || (t[i].data_access && t[i].unrestricted))
            r->all = true;
        else if (t[i].data_access && t[i].filter.n)
            r->filter[r->n++] = t[i].filter;
    }
    if (r->n)
        qsort(r->filter, r->n, sizeof *r->filter, by_text);
    for (size_t i = 0; i < r->n; i++)
        if (!kept || !fa_str_eq(r->filter[kept - 1], r->filter[i]))
            r->filter[kept++] = r->filter[i];
    r->n = kept;
    return FA_OK;
}

static fa_rc rules_of(fa_ledger *l, fa_arena *a, const fa_caller *c, rules *r, fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    fa_str account = fa_ledger_account(l);
    bool on = false;
    fa_token t = {0};
    fa_team *team;
    size_t n;
    fa_rc rc;

    *r = (rules){0};
    if (!c || c->kind == FA_CALLER_NONE)
        return fa_fail(e, FA_EAUTH, "nobody is signed in");
    if (c->kind == FA_CALLER_SYSTEM) {
        r->all = true;
        return FA_OK;
    }
    if ((rc = fa_data_access_get(l, a, &on, e)))
        return rc;
    if (c->kind == FA_CALLER_TOKEN && !c->user_id.n) {
        if ((rc = fa_token_get(s, a, account, c->id, &t, e)))
            return rc == FA_ENOTFOUND ? fa_fail(e, FA_EAUTH, "the token is not valid any more")
                                      : rc;
        /* one bound to groups stays bound while data access is off */
        r->all = fa_str_eqz(t.data, "all");
        rc = fa_team_of_token(s, a, account, c->id, &team, &n, e);
    } else {
        r->all = !on;
        rc = fa_team_of_user(s, a, account, c->user_id, &team, &n, e);
    }
    if (rc || r->all)
        return rc;
    return rules_of_teams(a, team, n, r, e);
}

fa_rc fa_caller_sees_all(fa_ledger *l, fa_arena *a, const fa_caller *c, bool *out, fa_err *e)
{
    rules r;
    fa_rc rc = rules_of(l, a, c, &r, e);

    *out = !rc && r.all;
    return rc;
}

fa_rc fa_caller_scope_text(fa_ledger *l, fa_arena *a, const fa_caller *c, fa_str *out, fa_err *e)
{
    unsigned char h[32];
    char hex[65];
    fa_buf b = {0};
    rules r;
    fa_rc rc = rules_of(l, a, c, &r, e);

    if (rc)
        return rc;
    *out = r.all ? FA_STR("all") : FA_STR("none");
    if (r.all || !r.n)
        return FA_OK;
    for (size_t i = 0; i < r.n; i++) {
        fa_buf_str(&b, r.filter[i]);
        fa_buf_c(&b, '\n');
    }
    if (b.failed) {
        rc = fa_oom(e);
    } else {
        crypto_generichash(h, sizeof h, (const unsigned char *)b.p, b.n, NULL, 0);
        fa_hex(hex, h, sizeof h);
        *out = fa_arena_dup(a, fa_str_of(hex));
        rc = out->p ? FA_OK : fa_oom(e);
    }
    fa_buf_release(&b);
    return rc;
}

/* ---- a rule's JSON into a filter ---- */

static const fa_filter nothing = {.kind = FA_F_FALSE};

static fa_filter *node(fa_arena *a, int kind, size_t nkid, fa_err *e)
{
    fa_filter *f = fa_arena_alloc(a, sizeof *f);

    if (f) {
        f->kind = (unsigned)kind;
        f->kid = fa_arena_array(a, nkid + 1, sizeof *f->kid);
        f->nkid = nkid;
    }
    if (f && f->kid)
        return f;
    (void)fa_oom(e);
    return NULL;
}

/* x -> (key exists AND x): a missing value never matches. */
static fa_rc must_exist(fa_arena *a, const fa_filter *x, const fa_filter **out, fa_err *e)
{
    fa_filter *exists = node(a, FA_F_LEAF, 0, e), *both = node(a, FA_F_AND, 2, e);

    if (!exists || !both)
        return fa_oom(e);
    exists->key = x->key;
    exists->op = FA_OP_EXISTS;
    both->kid[0] = exists;
    both->kid[1] = x;
    *out = both;
    return FA_OK;
}

static fa_rc take_leaf(fa_arena *a, const fa_filter *f, const fa_filter **out, fa_err *e)
{
    *out = f;
    return f->op == FA_OP_NOT_ONE_OF || f->op == FA_OP_NOT_CONTAINS ? must_exist(a, f, out, e)
                                                                    : FA_OK;
}

static fa_rc take(const fa_catalog *cat, fa_arena *a, const json_t *j, bool strict, int depth,
                  const fa_filter **out, fa_err *e);

static fa_rc take_list(const fa_catalog *cat, fa_arena *a, const json_t *list, int kind,
                       bool strict, int depth, const fa_filter **out, fa_err *e)
{
    size_t n = json_array_size(list);
    fa_filter *f = node(a, kind, n, e);
    fa_rc rc = f ? FA_OK : e->rc;

    for (size_t i = 0; !rc && i < n; i++)
        rc = take(cat, a, json_array_get(list, i), strict, depth + 1, &f->kid[i], e);
    if (rc)
        return rc;
    if (!n)
        f->kind = kind == FA_F_AND ? FA_F_TRUE : FA_F_FALSE;
    *out = f;
    return FA_OK;
}

/* strict: a leaf that cannot be read is an error; else it matches nothing. */
static fa_rc take(const fa_catalog *cat, fa_arena *a, const json_t *j, bool strict, int depth,
                  const fa_filter **out, fa_err *e)
{
    const json_t *and = json_object_get(j, "AND"), * or = json_object_get(j, "OR");
    const fa_filter *f;
    fa_err why = {0};
    fa_rc rc;

    *out = &nothing;
    if (depth > DEPTH_MAX)
        return strict ? fa_fail(e, FA_EINVAL, "the filter is nested more than 32 deep") : FA_OK;
    if ((and || or) && json_object_size(j) == 1 && json_is_array(and? and : or))
        return take_list(cat, a, and? and : or, and? FA_F_AND : FA_F_OR, strict, depth, out, e);
    rc = fa_filter_parse(cat, a, FA_API_INTERNAL, j, "filter", &f, &why);
    if (!rc && f->kind == FA_F_LEAF)
        return take_leaf(a, f, out, e);
    if (!rc && f->kind == FA_F_TRUE) { /* {} */
        *out = f;
        return FA_OK;
    }
    if (strict && rc) {
        *e = why;
        return rc;
    }
    if (rc == FA_EENV || rc == FA_EINTERNAL) {
        *e = why;
        return rc;
    }
    fa_log(FA_LOG_WARN, "row_rule_broken", "error=\"%s\"", why.msg);
    return FA_OK;
}

static void put_catalog(void *catalog)
{
    fa_catalog_put(catalog);
}

/* The filter's keys lead into the catalog: it stays as long as the arena does. */
static fa_rc catalog_for(fa_ledger *l, fa_arena *a, fa_catalog **out, fa_err *e)
{
    fa_rc rc = fa_catalog_get(l, out, e);

    if (rc)
        return rc;
    if (fa_arena_defer(a, put_catalog, *out))
        return FA_OK;
    fa_catalog_put(*out);
    return fa_oom(e);
}

fa_rc fa_scope_parse(fa_ledger *l, fa_arena *a, const json_t *filter, const fa_filter **out,
                     fa_err *e)
{
    fa_catalog *cat = NULL;
    fa_rc rc = catalog_for(l, a, &cat, e);

    return rc ? rc : take(cat, a, filter, true, 1, out, e);
}

static fa_rc parse_rules(fa_ledger *l, fa_arena *a, const rules *r, const fa_filter **out,
                         fa_err *e)
{
    fa_filter *any = node(a, FA_F_OR, r->n, e);
    fa_catalog *cat = NULL;
    fa_rc rc = any ? catalog_for(l, a, &cat, e) : e->rc;

    for (size_t i = 0; !rc && i < r->n; i++) {
        json_t *j = json_loadb(r->filter[i].p, r->filter[i].n, 0, NULL);

        any->kid[i] = &nothing;
        if (j)
            rc = take(cat, a, j, false, 1, &any->kid[i], e);
        json_decref(j);
    }
    if (rc)
        return rc;
    *out = r->n == 1 ? any->kid[0] : any;
    return FA_OK;
}

fa_rc fa_caller_scope(fa_ledger *l, fa_arena *a, const fa_caller *c, const fa_filter **out,
                      fa_err *e)
{
    rules r;
    fa_rc rc = rules_of(l, a, c, &r, e);

    *out = &nothing; /* whoever forgets to look at rc sees nothing */
    if (rc)
        return rc;
    if (r.all) {
        *out = NULL;
        return FA_OK;
    }
    return r.n ? parse_rules(l, a, &r, out, e) : FA_OK;
}

fa_rc fa_caller_sees_key(fa_ledger *l, fa_arena *a, const fa_filter *scope, const fa_key *k,
                         bool *out, fa_err *e)
{
    fa_value *v;
    size_t n = 0;
    fa_rc rc;

    *out = !scope || scope->kind == FA_F_TRUE;
    if (*out || scope->kind == FA_F_FALSE)
        return FA_OK;
    rc = fa_query_values(l, a, k, scope, (fa_str){0}, (fa_str){0}, 1, NULL, &v, &n, e);
    *out = !rc && n > 0;
    return rc;
}

/* ---- what the rules depend on (4.5) ---- */

static bool names_it(const json_t *j, fa_str id, fa_str name)
{
    const json_t *list = json_object_get(j, "AND"), *kid, *v = json_object_get(j, "key");
    size_t i;

    if (!list)
        list = json_object_get(j, "OR");
    json_array_foreach(list, i, kid) if (names_it(kid, id, name)) return true;
    if (!json_is_string(v))
        return false;
    {
        fa_str key = {json_string_value(v), json_string_length(v)};

        return (id.n && fa_str_ieq(key, id)) || (name.n && fa_str_ieq(key, name));
    }
}

/* Does a tag's value depend on another's, over any number of tags between? The set is in order of dependency. */
static bool reaches(const fa_tag *all, size_t from, size_t to)
{
    if (from == to)
        return true;
    for (size_t i = 0; i < all[from].ndep; i++)
        if (all[from].dep[i] < from && reaches(all, all[from].dep[i], to))
            return true;
    return false;
}

/* Does the rule read the definition: itself, or a tag that depends on it? */
static bool depends(const json_t *rule, const fa_tag_set *set, fa_str id, fa_str name)
{
    size_t n = 0, at = 0;
    const fa_tag *all = set ? fa_tag_set_all(set, &n) : NULL;

    if (names_it(rule, id, name))
        return true;
    while (at < n && !fa_str_eq(all[at].id, id))
        at++;
    for (size_t i = at; at < n && i < n; i++)
        if (names_it(rule, all[i].id, all[i].name) && reaches(all, i, at))
            return true;
    return false;
}

/* The account's discounts are an administrator's, and so are the labels they hang on. */
static fa_rc guard_discounts(fa_ledger *l, fa_arena *a, const fa_caller *c, fa_str kind, fa_str id,
                             fa_err *e)
{
    fa_tag_set *set = NULL;
    fa_edp_settings edp;
    const fa_tag *all;
    size_t n, at = 0, own = 0;
    fa_rc rc;

    if (fa_caller_may(c, FA_PERM_EDP_EDIT))
        return FA_OK;
    if ((rc = fa_edp_get(l, a, &edp, e)) || !edp.tag.n || (rc = fa_tags_live(l, &set, e)))
        return rc;
    all = fa_tag_set_all(set, &n);
    while (at < n && !fa_str_eq(all[at].id, id))
        at++;
    while (own < n && !fa_str_eq(all[own].id, edp.tag))
        own++;
    if (at < n && own < n && reaches(all, own, at)) {
        rc = fa_fail(e, FA_EFORBIDDEN,
                     "the account's discounts depend on this %.*s, so changing it needs the"
                     " permission edp.edit",
                     FA_FMT(kind));
        fa_hint(e, "ask an administrator");
    }
    fa_tag_set_put(set);
    return rc;
}

fa_rc fa_scope_guard(fa_ledger *l, fa_arena *a, const fa_caller *c, fa_str kind, fa_str id,
                     fa_str name, fa_err *e)
{
    fa_tag_set *set = NULL;
    fa_team *t;
    size_t n;
    fa_rc rc;

    if (c->kind == FA_CALLER_SYSTEM)
        return FA_OK;
    if ((rc = guard_discounts(l, a, c, kind, id, e)) || fa_caller_may(c, FA_PERM_GROUPS_MANAGE))
        return rc;
    if ((rc = fa_team_list(fa_ledger_store(l), a, fa_ledger_account(l), &t, &n, e)))
        return rc;
    for (size_t i = 0; !rc && i < n; i++) {
        json_t *j = t[i].filter.n ? json_loadb(t[i].filter.p, t[i].filter.n, 0, NULL) : NULL;

        if (j && !set)
            rc = fa_tags_live(l, &set, e);
        if (j && !rc && depends(j, set, id, name)) {
            rc = fa_fail(e, FA_EFORBIDDEN,
                         "the data access of a group depends on this %.*s, so changing it needs "
                         "the permission groups.manage",
                         FA_FMT(kind));
            fa_hint(e, "ask an administrator");
        }
        json_decref(j);
    }
    fa_tag_set_put(set);
    return rc;
}

/* ---- the switch ---- */

/* The Admin Group with `by` in it, unless there is one. */
static fa_rc admin_team(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    fa_str account = fa_ledger_account(l);
    fa_team *t, admin;
    char id[37];
    size_t n;
    fa_user *u;
    fa_rc rc = fa_team_list(s, a, account, &t, &n, e);

    if (rc)
        return rc;
    for (size_t i = 0; i < n; i++)
        if (t[i].is_admin)
            return FA_OK;
    fa_uuid_v4(id);
    admin = (fa_team){.id = fa_str_of(id),
                      .name = FA_STR("Admin Group"),
                      .description = FA_STR("Sees every row; never empty"),
                      .managed_by = FA_STR("local"),
                      .is_admin = true,
                      .data_access = true,
                      .unrestricted = true,
                      .created_ms = fa_now_ms(),
                      .updated_ms = fa_now_ms()};
    if ((rc = fa_team_put(s, account, &admin, e)))
        return rc;
    if (by->kind == FA_CALLER_USER)
        return fa_team_add_member(s, account, admin.id, by->id, FA_STR("manual"), e);
    /* the command line or a token: every administrator */
    if ((rc = fa_user_list(s, a, account, &u, &n, e)))
        return rc;
    for (size_t i = 0; !rc && i < n; i++)
        if (fa_list_has(u[i].roles, FA_STR("admin")))
            rc = fa_team_add_member(s, account, admin.id, u[i].id, FA_STR("manual"), e);
    return rc;
}

fa_rc fa_data_access_set(fa_ledger *l, fa_arena *a, const fa_caller *by, bool on, fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    bool opened, was, all;
    fa_rc rc = fa_store_enter(s, &opened, e);

    if (rc)
        return rc;
    if ((rc = fa_data_access_get(l, a, &was, e)) || (rc = fa_caller_sees_all(l, a, by, &all, e)))
        goto done;
    if (!on && !all && !fa_caller_is_admin(by)) {
        rc = fa_fail(e, FA_EFORBIDDEN, "switching data access off would show you more rows");
        goto done;
    }
    if (on && (rc = admin_team(l, a, by, e)))
        goto done;
    if (!(rc = fa_setting_put(s, fa_ledger_account(l), SETTING, on ? FA_STR("on") : FA_STR("off"),
                              e)) &&
        was != on)
        rc = fa_audit_add(l, by,
                          &(fa_audit){.action = "data_access.switch",
                                      .object_type = "account",
                                      .object_id = fa_ledger_account(l),
                                      .before = was ? FA_STR("true") : FA_STR("false"),
                                      .after = on ? FA_STR("true") : FA_STR("false"),
                                      .severity = "high"},
                          e);
done:
    return fa_store_leave(s, opened, rc, e);
}
