/*
 * costtypes.c - the account's cost types: which are offered, which is the default, FairShare, discounts (inform.md 3).
 *
 * The one idea: what is offered shapes pickers and nothing else. A type that is not offered still answers whoever asks
 * for it by name, so no saved view breaks; only FairShare, which has no numbers of its own while it is off, is refused.
 */
#include "present/present.h"

#include <string.h>

#define OFFERED FA_STR("cost_types")

static bool is_fair(const fa_cost_type *t)
{
    return t->measure == FA_M_FAIRSHARE || t->measure == FA_M_NET_FAIRSHARE;
}

static bool is_available(fa_ledger *l, const fa_cost_type *t)
{
    return !is_fair(t) || fa_ledger_fair(l) != FA_FAIR_OFF;
}

fa_rc fa_cost_types_offered(fa_ledger *l, fa_arena *a, uint32_t *out, fa_err *e)
{
    size_t n;
    const fa_cost_type *t = fa_cost_types(&n);
    fa_str text, word;
    fa_rc rc = fa_setting_get(fa_ledger_store(l), a, fa_ledger_account(l), OFFERED, &text, e);

    *out = 0;
    for (size_t i = 0; !rc && i < n; i++)
        if (!t[i].is_usage && !text.n)
            *out |= FA_BIT(t[i].measure);
    while (!rc && fa_list_next(&text, &word))
        for (size_t i = 0; i < n; i++)
            if (fa_str_eqz(word, t[i].name))
                *out |= FA_BIT(t[i].measure);
    for (size_t i = 0; i < n; i++)
        if (!t[i].is_usage && !is_available(l, &t[i]))
            *out &= ~FA_BIT(t[i].measure);
    return rc;
}

static void put_types(fa_ledger *l, fa_jw *w, uint32_t offered)
{
    size_t n;
    const fa_cost_type *t = fa_cost_types(&n);

    fa_jw_key(w, "types");
    fa_jw_arr(w);
    for (size_t i = 0; i < n; i++) {
        uint32_t bits = fa_ledger_approximated(l, t[i].measure);

        if (t[i].is_usage)
            continue;
        fa_jw_obj(w);
        fa_jw_key(w, "name");
        fa_jw_z(w, t[i].name);
        fa_jw_key(w, "label");
        fa_jw_z(w, t[i].ui);
        fa_jw_key(w, "available");
        fa_jw_bool(w, is_available(l, &t[i]));
        fa_jw_key(w, "offered");
        fa_jw_bool(w, offered & FA_BIT(t[i].measure));
        fa_jw_key(w, "approximated");
        fa_jw_arr(w);
        for (unsigned k = 0; k < FA_CENTERS_MAX; k++)
            if (bits >> k & 1)
                fa_jw_z(w, fa_ledger_center(k));
        fa_jw_end_arr(w);
        fa_jw_end_obj(w);
    }
    fa_jw_end_arr(w);
}

static void put_fair(fa_ledger *l, fa_jw *w, const char *job)
{
    fa_jw_key(w, "fairShare");
    fa_jw_obj(w);
    fa_jw_key(w, "width");
    fa_jw_z(w, fa_fair_name(fa_ledger_fair(l)));
    fa_jw_key(w, "jobId");
    fa_jw_z(w, job);
    fa_jw_end_obj(w);
}

fa_rc fa_cost_types_json(fa_ledger *l, fa_arena *a, const char *job, fa_jw *w, fa_err *e)
{
    fa_account account;
    fa_edp_settings edp;
    uint32_t offered;
    fa_rc rc;

    if ((rc = fa_account_first(fa_ledger_store(l), a, &account, e)) ||
        (rc = fa_cost_types_offered(l, a, &offered, e)) || (rc = fa_edp_get(l, a, &edp, e)))
        return rc;
    fa_jw_obj(w);
    fa_jw_key(w, "defaultCostType");
    fa_jw_str(w, account.default_cost_type);
    put_types(l, w, offered);
    put_fair(l, w, job);
    fa_jw_key(w, "edp");
    fa_edp_json(w, &edp);
    fa_jw_end_obj(w);
    return FA_OK;
}

/* ---- changing them ---- */

static fa_rc wrong(fa_err *e, const char *at, const char *what)
{
    (void)fa_fail(e, FA_EINVAL, "%s", what);
    return fa_at(e, at);
}

static fa_str text_of(const json_t *j)
{
    return (fa_str){json_string_value(j), json_string_length(j)};
}

static fa_rc cost_type(fa_ledger *l, const json_t *j, const char *at, const fa_cost_type **out,
                       fa_err *e)
{
    if (!json_is_string(j))
        return wrong(e, at, "must be the name of a cost type");
    if (fa_cost_type_find(text_of(j), fa_ledger_fair(l), out, e))
        return fa_at(e, at);
    return (*out)->is_usage ? wrong(e, at, "is a usage type, not a cost") : FA_OK;
}

static fa_rc put_default(fa_ledger *l, fa_arena *a, const json_t *j, fa_err *e)
{
    const fa_cost_type *t;
    fa_account account;

    if (cost_type(l, j, "defaultCostType", &t, e) ||
        fa_account_first(fa_ledger_store(l), a, &account, e))
        return e->rc;
    account.default_cost_type = fa_str_of(t->name);
    return fa_account_put(fa_ledger_store(l), &account, e);
}

/* Kept by their names, so that a type added later is not taken for one that was left out on purpose. */
static fa_rc put_offered(fa_ledger *l, const json_t *j, fa_err *e)
{
    uint32_t seen = 0;
    const json_t *v;
    size_t i;
    fa_buf b;
    fa_rc rc = FA_OK;

    if (!json_is_array(j) || json_array_size(j) == 0)
        return wrong(e, "offered", "must be a list of at least one cost type");
    fa_buf_init(&b, 1 << 16);
    json_array_foreach(j, i, v)
    {
        const fa_cost_type *t;
        char at[64];

        snprintf(at, sizeof at, "offered[%zu]", i);
        if ((rc = cost_type(l, v, at, &t, e)))
            break;
        if (!(seen & FA_BIT(t->measure)))
            fa_buf_fmt(&b, "%s%s", seen ? " " : "", t->name);
        seen |= FA_BIT(t->measure);
    }
    if (!rc)
        rc = b.failed ? fa_oom(e)
                      : fa_setting_put(fa_ledger_store(l), fa_ledger_account(l), OFFERED,
                                       fa_buf_view(&b), e);
    fa_buf_release(&b);
    return rc;
}

/* Everybody starts with the default: it is always one of those offered. */
static fa_rc check_default(fa_ledger *l, fa_arena *a, fa_err *e)
{
    const fa_cost_type *t;
    fa_account account;
    uint32_t offered;

    if (fa_account_first(fa_ledger_store(l), a, &account, e) ||
        fa_cost_types_offered(l, a, &offered, e) ||
        fa_cost_type_find(account.default_cost_type, fa_ledger_fair(l), &t, e))
        return e->rc;
    return offered & FA_BIT(t->measure)
               ? FA_OK
               : wrong(e, "offered", "must have the account's default cost type in it");
}

static fa_rc merge(fa_ledger *l, fa_arena *a, const json_t *j, fa_err *e)
{
    const json_t *dflt = json_object_get(j, "defaultCostType"),
                 *offered = json_object_get(j, "offered"), *edp = json_object_get(j, "edp");
    fa_edp_settings s;

    if (!json_is_object(j))
        return fa_fail(e, FA_EINVAL, "the body must be an object");
    if ((dflt && put_default(l, a, dflt, e)) || (offered && put_offered(l, offered, e)) ||
        ((dflt || offered) && check_default(l, a, e)))
        return e->rc;
    if (!edp)
        return FA_OK;
    if (fa_edp_parse(a, edp, &s, e) || fa_edp_set(l, a, &s, e)) {
        char at[200];

        snprintf(at, sizeof at, "edp%s%s", e->field[0] ? "." : "", e->field);
        return fa_at(e, at);
    }
    return FA_OK;
}

static fa_rc as_text(fa_ledger *l, fa_arena *a, fa_str *out, fa_err *e)
{
    fa_buf b;
    fa_jw w;
    fa_rc rc;

    fa_buf_init(&b, 4 << 20);
    fa_jw_init(&w, &b);
    rc = fa_cost_types_json(l, a, NULL, &w, e);
    if (!rc && !(*out = fa_buf_dup(&b, a)).p)
        rc = fa_oom(e);
    fa_buf_release(&b);
    return rc;
}

fa_rc fa_cost_types_put(fa_ledger *l, fa_arena *a, const fa_caller *by, const json_t *j, fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    fa_str before, after;
    bool opened;
    fa_rc rc = fa_store_enter(s, &opened, e);

    if (rc)
        return rc;
    if (!(rc = as_text(l, a, &before, e)) && !(rc = merge(l, a, j, e)) &&
        !(rc = as_text(l, a, &after, e)))
        rc = fa_audit_add(l, by,
                          &(fa_audit){.action = "cost_types.change",
                                      .object_type = "account",
                                      .object_id = fa_ledger_account(l),
                                      .before = before,
                                      .after = after,
                                      .severity = "medium"},
                          e);
    return fa_store_leave(s, opened, rc, e);
}

fa_rc fa_cost_types_fair(fa_ledger *l, fa_arena *a, fa_fair_width w, fa_err *e)
{
    const fa_cost_type *t;
    fa_account account;

    if (w != FA_FAIR_OFF)
        return FA_OK;
    if (fa_account_first(fa_ledger_store(l), a, &account, e))
        return e->rc;
    if (fa_cost_type_find(account.default_cost_type, FA_FAIR_SKU, &t, e) || !is_fair(t))
        return FA_OK;
    (void)fa_fail(e, FA_ECONFLICT, "%s is the account's default cost type", t->ui);
    return fa_hint(e, "choose another default first");
}
