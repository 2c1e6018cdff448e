/*
 * together.c - the cost of all accounts one may see, side by side and added up.
 *
 * Every account is entered as the gate enters it and asked as the person is there: its own permissions, its own row
 * rules, its own cost types and rates. What does not answer is named and is not in the sums. Amounts are whole units
 * of 1e-10, each account's rounded once by its own answer, so the accounts add up to the total to the last digit; amounts of
 * two currencies are never added.
 */
#include "api/internal.h"

#include <stdlib.h>
#include <string.h>

enum { GROUPS_MAX = 10000, CURRENCIES_MAX = 64 };

/* Amounts of one currency. */
typedef struct amount {
    fa_str currency;
    fa_i128 total_e10, *cell_e10;
} amount;

typedef struct amounts {
    amount one[CURRENCIES_MAX];
    size_t n;
} amounts;

typedef enum { COUNTED, NO_PERMISSION, NO_ACCESS, NO_ANSWER } state;
static const char *const state_name[] = {"counted", "noPermission", "noAccess", "noAnswer"};

typedef struct seen {
    fa_str id, name, message;
    bool first, limited, ungrouped;
    state state;
    int64_t rows;
    amounts sum;
} seen;

typedef struct group {
    fa_str value[FA_MAX_DIMS];
    amount sum;
} group;

typedef struct together {
    seen *account;
    size_t n, ndim, ngroup, room;
    fa_range range;
    int32_t *bucket;
    int64_t *bucket_ms;
    size_t nbucket;
    fa_bucket unit;
    const char *cost_type;
    amounts sum;
    group *group;
    bool asked;      /* range and buckets are known */
    fa_err question; /* what an account said of the question itself */
} together;

/* What is done in an account, as the person is there. */
typedef fa_rc act(fa_req *there, seen *s, void *user, fa_err *e);

/* ---- the accounts ---- */

static fa_rc no_eyes(const fa_req *r, fa_err *e)
{
    if (!r->caller->behalf.n && !r->caller->view_as.n)
        return FA_OK;
    fa_fail(e, FA_ECONFLICT, "you look through another user's eyes, which is in one account only");
    return fa_hint(e, "go back to your own eyes first");
}

/* The first one when the caller has any right there, and those he is a member of. */
static fa_rc list(fa_req *r, together *t, fa_err *e)
{
    fa_ledger *home = r->ledger;
    fa_account own;
    fa_place *p;
    size_t n;
    bool any = false;
    fa_rc rc;

    if ((rc = fa_account_first(fa_ledger_store(home), r->mem, &own, e)) ||
        (rc = fa_place_of_user(fa_ledger_store(home), r->mem, own.id, r->caller->id, &p, &n, e)))
        return rc;
    for (int k = FA_PERM_SELF + 1; k < FA_PERM__COUNT; k++)
        any = any || fa_caller_may(r->caller, (fa_perm)k);
    if (!(t->account = fa_arena_array(r->mem, n + 1, sizeof *t->account)))
        return fa_oom(e);
    if (any || !n)
        t->account[t->n++] = (seen){.id = own.id, .name = own.name, .first = true};
    for (size_t i = 0; i < n; i++)
        t->account[t->n++] = (seen){.id = p[i].id, .name = p[i].name};
    return FA_OK;
}

static fa_rc say(fa_req *r, seen *s, state to, const char *message, fa_err *e)
{
    s->state = to;
    s->message = fa_str_of(fa_arena_printf(r->mem, "%s", message));
    return s->message.p ? FA_OK : fa_oom(e);
}

static fa_rc inside(fa_req *there, seen *s, act *fn, void *user, fa_err *e)
{
    if (!fa_caller_may(there->caller, FA_PERM_COST_QUERY))
        return say(there, s, NO_PERMISSION, "your roles there do not let you ask for costs", e);
    return fn(there, s, user, e);
}

/* Goes into another account as its member; *gone: it is not there any more. */
static fa_rc visit(fa_req *r, seen *s, act *fn, void *user, bool *gone, fa_err *e)
{
    const fa_accounts *all = house_accounts(app_of(r)->house);
    fa_req there = *r;
    fa_caller c;
    fa_err why = {0};
    void *app;
    fa_rc rc;

    *gone = false;
    if (s->first)
        return inside(r, s, fn, user, e);
    rc = all->enter(all->house, s->id, true, &there.ledger, &app, &why);
    if (rc == FA_ENOTFOUND) {
        *gone = true;
        return FA_OK;
    }
    if (rc)
        return say(r, s, NO_ANSWER, why.msg, e);
    there.app = app;
    there.caller = &c;
    rc = fa_member_check(there.ledger, r->mem, r->caller, &c, &why);
    if (rc == FA_EAUTH || rc == FA_ENOTFOUND) {
        rc = say(r, s, NO_ACCESS, why.msg, e);
    } else if (rc) {
        *e = why;
    } else {
        c.request_id = r->caller->request_id;
        rc = inside(&there, s, fn, user, e);
    }
    all->leave(all->house, s->id);
    return rc;
}

static fa_rc each(fa_req *r, together *t, act *fn, void *user, fa_err *e)
{
    size_t kept = 0;
    bool gone;
    fa_rc rc;

    if ((rc = no_eyes(r, e)) || (rc = list(r, t, e)))
        return rc;
    for (size_t i = 0; i < t->n; i++) {
        if ((rc = visit(r, &t->account[i], fn, user, &gone, e)))
            return rc;
        if (!gone)
            t->account[kept++] = t->account[i];
    }
    t->n = kept;
    return FA_OK;
}

/* ---- adding up ---- */

static fa_rc add(fa_i128 *to, fa_i128 v, fa_err *e)
{
    return __builtin_add_overflow(*to, v, to)
               ? fa_fail(e, FA_EDATA, "the sum over the accounts has too many digits")
               : FA_OK;
}

static fa_rc add_cells(amount *to, fa_i128 total, const fa_i128 *cell, size_t n, fa_err *e)
{
    fa_rc rc = add(&to->total_e10, total, e);

    for (size_t i = 0; !rc && i < n; i++)
        rc = add(&to->cell_e10[i], cell[i], e);
    return rc;
}

static fa_rc new_amount(fa_arena *a, amount *m, fa_str currency, size_t n, fa_err *e)
{
    *m = (amount){.currency = currency, .cell_e10 = fa_arena_array(a, n + 1, sizeof *m->cell_e10)};
    return m->cell_e10 ? FA_OK : fa_oom(e);
}

static fa_rc put_in(fa_arena *a, amounts *all, fa_str currency, const fa_group *g, size_t n,
                    fa_err *e)
{
    size_t i = 0;
    fa_rc rc = FA_OK;

    while (i < all->n && !fa_str_eq(all->one[i].currency, currency))
        i++;
    if (i == CURRENCIES_MAX)
        return fa_fail(e, FA_EDATA, "more than %d currencies", CURRENCIES_MAX);
    if (i == all->n && !(rc = new_amount(a, &all->one[i], currency, n, e)))
        all->n++;
    return rc ? rc : add_cells(&all->one[i], g->total_e10[0], g->cell_e10, n, e);
}

static fa_rc add_group(fa_req *r, together *t, const fa_group *g, fa_str currency, fa_err *e)
{
    group *new;
    fa_rc rc;

    if (t->ngroup == t->room) {
        size_t room = t->room ? t->room * 2 : 64;

        if (!(new = fa_arena_array(r->mem, room, sizeof *new)))
            return fa_oom(e);
        if (t->ngroup)
            memcpy(new, t->group, t->ngroup * sizeof *new);
        t->group = new;
        t->room = room;
    }
    new = &t->group[t->ngroup++];
    memcpy(new->value, g->value, sizeof new->value);
    if ((rc = new_amount(r->mem, &new->sum, currency, t->nbucket, e)))
        return rc;
    return add_cells(&new->sum, g->total_e10[0], g->cell_e10, t->nbucket, e);
}

static int by_name(const void *px, const void *py)
{
    const group *x = px, *y = py;
    int d = fa_str_cmp(x->sum.currency, y->sum.currency);

    for (size_t i = 0; !d && i < FA_MAX_DIMS; i++)
        d = fa_str_cmp(x->value[i], y->value[i]);
    return d;
}

static int dearest_first(const void *px, const void *py)
{
    const group *x = px, *y = py;

    if (x->sum.total_e10 != y->sum.total_e10)
        return x->sum.total_e10 < y->sum.total_e10 ? 1 : -1;
    return by_name(px, py);
}

/* Groups of the same values and currency become one. */
static fa_rc join_groups(together *t, fa_err *e)
{
    size_t n = 0;
    fa_rc rc = FA_OK;

    if (!t->ngroup)
        return FA_OK;
    qsort(t->group, t->ngroup, sizeof *t->group, by_name);
    for (size_t i = 1; !rc && i < t->ngroup; i++)
        if (by_name(&t->group[n], &t->group[i]) == 0)
            rc = add_cells(&t->group[n].sum, t->group[i].sum.total_e10, t->group[i].sum.cell_e10,
                           t->nbucket, e);
        else
            t->group[++n] = t->group[i];
    t->ngroup = n + 1;
    qsort(t->group, t->ngroup, sizeof *t->group, dearest_first);
    if (!rc && t->ngroup > GROUPS_MAX) {
        (void)fa_fail(e, FA_EDATA, "%zu groups are too many", t->ngroup);
        return fa_hint(e, "at most %d: group by fewer keys, or filter", GROUPS_MAX);
    }
    return rc;
}

/* All answers are of the same days; they are not when a day begins between two of them. */
static fa_rc same_days(together *t, const fa_plan *p, const fa_answer *a, fa_err *e)
{
    if (!t->asked) {
        t->range = a->range;
        t->bucket = a->bucket;
        t->bucket_ms = a->bucket_ms;
        t->nbucket = a->nbucket;
        t->unit = p->bucket;
        t->cost_type = p->measure[0].type->name;
        t->asked = true;
        return FA_OK;
    }
    if (t->range.from == a->range.from && t->range.to == a->range.to && t->nbucket == a->nbucket)
        return FA_OK;
    return fa_fail(e, FA_EENV, "a day began while the accounts were asked, ask again");
}

static fa_rc take(fa_req *r, together *t, seen *s, const fa_plan *p, const fa_answer *a, fa_err *e)
{
    fa_rc rc = same_days(t, p, a, e);

    s->rows = a->rows;
    s->limited = p->scope != NULL;
    if (!rc && !a->mixed_currencies && a->rows &&
        !(rc = put_in(r->mem, &s->sum, a->currency, &a->total, a->nbucket, e)))
        rc = put_in(r->mem, &t->sum, a->currency, &a->total, a->nbucket, e);
    if (!rc && t->ndim && s->ungrouped && !a->mixed_currencies && a->rows)
        rc = add_group(
            r, t, &(fa_group){.total_e10 = {a->total.total_e10[0]}, .cell_e10 = a->total.cell_e10},
            a->currency, e);
    for (size_t i = 0; !rc && i < a->ngroup; i++) {
        const fa_group *g = &a->group[i];
        fa_str currency = a->mixed_currencies ? g->currency : a->currency;

        if (t->ndim && (!s->ungrouped || a->mixed_currencies) &&
            (rc = add_group(r, t, g, currency, e)))
            return rc;
        if (a->mixed_currencies && !(rc = put_in(r->mem, &s->sum, currency, g, a->nbucket, e)))
            rc = put_in(r->mem, &t->sum, currency, g, a->nbucket, e);
    }
    return rc;
}

/* ---- asking one account ---- */

/* One without a row that has the key is asked ungrouped: all its cost has no value for it. */
static fa_rc plan(fa_req *r, const fa_catalog *c, seen *s, fa_plan *p, fa_err *e)
{
    json_t *plain;
    fa_err again = {0};
    fa_rc rc = fa_question_plan(r->ledger, r->mem, c, r->json, p, e);

    if (rc != FA_EINVAL || !json_object_get(r->json, "groupBy"))
        return rc;
    if (!(plain = json_copy(r->json)))
        return fa_oom(e);
    (void)json_object_del(plain, "groupBy");
    if (!fa_question_plan(r->ledger, r->mem, c, plain, p, &again)) {
        s->ungrouped = true;
        rc = FA_OK;
    }
    json_decref(plain);
    return rc;
}

/* What an account says of a question is said of the account, and the others are asked nevertheless. */
static fa_rc unanswered(fa_req *r, together *t, seen *s, const fa_err *why, fa_err *e)
{
    if (why->rc == FA_EINVAL && !t->question.rc)
        t->question = *why;
    if (why->rc == FA_EINVAL || why->rc == FA_EDATA || why->rc == FA_ETIMEOUT || why->rc == FA_EENV)
        return say(r, s, NO_ANSWER, why->msg, e);
    *e = *why;
    return why->rc;
}

static fa_rc ask(fa_req *r, seen *s, void *user, fa_err *e)
{
    together *t = user;
    fa_catalog *c = NULL;
    fa_err why = {0};
    fa_answer a;
    fa_plan p;
    fa_rc rc = fa_catalog_get(r->ledger, &c, e);

    if (rc)
        return rc;
    rc = plan(r, c, s, &p, &why);
    if (!rc && p.measure[0].type->is_usage) {
        rc = fa_fail(&why, FA_EINVAL, "accounts are added up by cost, not by usage");
        (void)fa_at(&why, "costType");
    }
    if (!rc) {
        p.nmeasure = 1;
        p.top = 0;
        p.previous = p.shared = p.others = false;
        rc = ask_run(r, &p, &a, &why);
    }
    rc = rc ? unanswered(r, t, s, &why, e) : take(r, t, s, &p, &a, e);
    fa_catalog_put(c);
    return rc;
}

/* A question that names no cost type has the first account's, so that all count the same. */
static fa_rc one_cost_type(fa_req *r, fa_err *e)
{
    const fa_cost_type *type;
    json_t *named = json_object_get(r->json, "costType");
    fa_rc rc;

    if (named && !json_is_null(named))
        return FA_OK;
    if ((rc = ask_default_type(r->ledger, r->mem, &type, e)))
        return rc;
    return json_object_set_new(r->json, "costType", json_string(type->name)) ? fa_oom(e) : FA_OK;
}

/* ---- the answer ---- */

static void put_amount(fa_jw *w, const together *t, const amount *m)
{
    put_str(w, "currency", m->currency);
    put_money(w, "total", m->total_e10);
    fa_jw_key(w, "cells");
    fa_jw_arr(w);
    for (size_t i = 0; i < t->nbucket; i++)
        put_money(w, NULL, m->cell_e10[i]);
    fa_jw_end_arr(w);
}

static void put_amounts(fa_jw *w, const char *key, const together *t, const amounts *all)
{
    fa_jw_key(w, key);
    fa_jw_arr(w);
    for (size_t i = 0; i < all->n; i++) {
        fa_jw_obj(w);
        put_amount(w, t, &all->one[i]);
        fa_jw_end_obj(w);
    }
    fa_jw_end_arr(w);
}

static void put_account(fa_jw *w, const together *t, const seen *s)
{
    fa_jw_obj(w);
    put_str(w, "id", s->id);
    put_str(w, "name", s->name);
    put_bool(w, "first", s->first);
    put_z(w, "state", state_name[s->state]);
    if (s->message.n)
        put_str(w, "message", s->message);
    else
        put_z(w, "message", NULL);
    put_bool(w, "limited", s->limited);
    put_bool(w, "ungrouped", s->ungrouped);
    put_int(w, "rows", s->rows);
    put_amounts(w, "amounts", t, &s->sum);
    fa_jw_end_obj(w);
}

static void put_group(fa_jw *w, const together *t, const group *g)
{
    fa_jw_obj(w);
    fa_jw_key(w, "values");
    fa_jw_arr(w);
    for (size_t d = 0; d < t->ndim; d++)
        fa_jw_str(w, g->value[d]);
    fa_jw_end_arr(w);
    put_amount(w, t, &g->sum);
    fa_jw_end_obj(w);
}

static void put_bucket(fa_jw *w, const together *t, size_t i)
{
    fa_buf b;

    fa_buf_init(&b, 64);
    fa_day_emit(&b, t->bucket[i]);
    if (t->unit == FA_HOUR)
        fa_buf_fmt(&b, "T%02d:00:00Z", (int)(t->bucket_ms[i] / 3600000 % 24));
    fa_jw_str(w, fa_buf_view(&b));
    fa_buf_release(&b);
}

static void put_answer(fa_jw *w, const together *t)
{
    bool complete = true;

    for (size_t i = 0; i < t->n; i++)
        complete = complete && t->account[i].state == COUNTED;
    fa_jw_obj(w);
    fa_jw_key(w, "range");
    if (t->asked) {
        fa_jw_obj(w);
        put_day(w, "from", t->range.from);
        put_day(w, "to", t->range.to);
        put_int(w, "days", (int64_t)t->range.to - t->range.from + 1);
        fa_jw_end_obj(w);
    } else {
        fa_jw_null(w);
    }
    put_z(w, "costType", t->cost_type);
    put_bool(w, "complete", complete);
    fa_jw_key(w, "buckets");
    fa_jw_arr(w);
    for (size_t i = 0; i < t->nbucket; i++)
        put_bucket(w, t, i);
    fa_jw_end_arr(w);
    fa_jw_key(w, "accounts");
    fa_jw_arr(w);
    for (size_t i = 0; i < t->n; i++)
        put_account(w, t, &t->account[i]);
    fa_jw_end_arr(w);
    put_amounts(w, "totals", t, &t->sum);
    fa_jw_key(w, "groups");
    fa_jw_arr(w);
    for (size_t i = 0; i < t->ngroup; i++)
        put_group(w, t, &t->group[i]);
    fa_jw_end_arr(w);
    fa_jw_end_obj(w);
}

fa_rc api_accounts_query(fa_req *r, fa_res *o, fa_err *e)
{
    together *t = fa_arena_alloc(r->mem, sizeof *t);
    fa_jw w;
    fa_rc rc;

    if (!t)
        return fa_oom(e);
    if ((rc = in_object(r, e)) || (rc = one_cost_type(r, e)))
        return rc;
    t->ndim = json_array_size(json_object_get(r->json, "groupBy"));
    if (t->ndim > FA_MAX_DIMS) {
        (void)fa_fail(e, FA_EINVAL, "at most %d keys", FA_MAX_DIMS);
        return fa_at(e, "groupBy");
    }
    if ((rc = each(r, t, ask, t, e)))
        return rc;
    if (!t->asked && t->question.rc) { /* nobody could read it: it is the question */
        *e = t->question;
        return e->rc;
    }
    if ((rc = join_groups(t, e)))
        return rc;
    fa_jw_init(&w, &o->body);
    put_answer(&w, t);
    return FA_OK;
}

/* ---- the keys that all of them have ---- */

typedef struct shared {
    fa_key *key;
    size_t n;
    bool any; /* an account had keys */
} shared;

static bool has_key(const fa_key *k, size_t n, const fa_key *x)
{
    for (size_t i = 0; i < n; i++)
        if (k[i].type == x->type && fa_str_eq(k[i].key, x->key) &&
            fa_str_eq(k[i].cost_center, x->cost_center))
            return true;
    return false;
}

/* The words of a key, which outlive its catalog. */
static fa_rc dup_key(fa_arena *a, const fa_key *k, fa_key *out, fa_err *e)
{
    const fa_str *const from[] = {&k->cost_center, &k->key, &k->display, &k->path};
    fa_str *const to[] = {&out->cost_center, &out->key, &out->display, &out->path};

    *out = (fa_key){.type = k->type};
    for (size_t i = 0; i < FA_COUNT(from); i++) {
        const char *p = fa_arena_dupz(a, *from[i]);

        if (!p)
            return fa_oom(e);
        *to[i] = (fa_str){p, from[i]->n};
    }
    return FA_OK;
}

static fa_rc share_keys(fa_req *r, seen *s, void *user, fa_err *e)
{
    shared *all = user;
    fa_catalog *c = NULL;
    const fa_key *k;
    size_t n = 0, kept = 0;
    fa_complete_days bills;
    fa_rc rc = fa_complete(r->ledger, r->mem, ask_today(), &bills, e);

    (void)s;
    if (rc ||
        bills.to == INT32_MIN) /* without a bill there is no key to share, and no cost to group */
        return rc;
    if ((rc = fa_catalog_get(r->ledger, &c, e)))
        return rc;
    if (!(rc = ask_keys(r, c, &k, &n, e)) && n && !all->any) {
        all->any = true;
        if (!(all->key = fa_arena_array(r->mem, n, sizeof *all->key)))
            rc = fa_oom(e);
        for (size_t i = 0; !rc && i < n; i++)
            rc = dup_key(r->mem, &k[i], &all->key[all->n++], e);
    } else if (!rc && n) {
        for (size_t i = 0; i < all->n; i++)
            if (has_key(k, n, &all->key[i]))
                all->key[kept++] = all->key[i];
        all->n = kept;
    }
    fa_catalog_put(c);
    return rc;
}

fa_rc api_accounts_keys(fa_req *r, fa_res *o, fa_err *e)
{
    together *t = fa_arena_alloc(r->mem, sizeof *t);
    shared all = {0};
    fa_jw w;
    fa_rc rc;

    if (!t)
        return fa_oom(e);
    if ((rc = each(r, t, share_keys, &all, e)))
        return rc;
    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    fa_jw_key(&w, "keys");
    fa_jw_arr(&w);
    for (size_t i = 0; i < all.n; i++) {
        fa_jw_obj(&w);
        put_str(&w, "costCenter", all.key[i].cost_center);
        put_str(&w, "key", all.key[i].key);
        put_z(&w, "type", fa_key_type_name(all.key[i].type, FA_API_V2));
        put_str(&w, "displayName", all.key[i].display);
        put_str(&w, "path", all.key[i].path);
        fa_jw_end_obj(&w);
    }
    fa_jw_end_arr(&w);
    fa_jw_end_obj(&w);
    return FA_OK;
}
