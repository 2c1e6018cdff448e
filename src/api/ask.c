/*
 * ask.c - how every cost route asks: with the caller's row rules and the request's deadline.
 */
#include "api/internal.h"

#include <pthread.h>
#include <string.h>

int32_t ask_today(void)
{
    return fa_ms_day(fa_now_ms());
}

fa_rc ask_run(fa_req *r, fa_plan *p, fa_answer *out, fa_err *e)
{
    fa_rc rc = fa_caller_scope(r->ledger, r->mem, r->caller, &p->scope, e);

    if (rc)
        return rc;
    p->deadline_mono_ms = r->deadline_mono_ms;
    return fa_query_run(r->ledger, r->mem, p, out, e);
}

fa_rc ask_default_type(fa_ledger *l, fa_arena *a, const fa_cost_type **out, fa_err *e)
{
    fa_account account;
    fa_rc rc = fa_account_first(fa_ledger_store(l), a, &account, e);

    return rc ? rc : fa_cost_type_find(account.default_cost_type, fa_ledger_fair(l), out, e);
}

/* ---- keys ----
 * Which keys a set of row rules shows is asked of the ledger once per state of it; a few answers are kept. */

enum { KEPT = 16, KEYS_MAX = 4096 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct sight {
    uint64_t generation;
    size_t n;
    char account[40], scope[65];
    bool shown[KEYS_MAX];
} kept[KEPT];
static size_t oldest;

static bool is_of(const struct sight *s, fa_ledger *l, uint64_t generation, fa_str scope, size_t n)
{
    return s->n == n && s->generation == generation && fa_str_eqz(scope, s->scope) &&
           fa_str_eqz(fa_ledger_account(l), s->account);
}

static bool recall(fa_ledger *l, uint64_t generation, fa_str scope, size_t n, bool *shown)
{
    bool found = false;

    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < KEPT && !found; i++)
        if (is_of(&kept[i], l, generation, scope, n)) {
            memcpy(shown, kept[i].shown, n * sizeof *shown);
            found = true;
        }
    pthread_mutex_unlock(&lock);
    return found;
}

static void keep(fa_ledger *l, uint64_t generation, fa_str scope, size_t n, const bool *shown)
{
    fa_str account = fa_ledger_account(l);

    if (n > KEYS_MAX || scope.n >= sizeof kept[0].scope || account.n >= sizeof kept[0].account)
        return;
    pthread_mutex_lock(&lock);
    memset(&kept[oldest], 0, sizeof kept[oldest]);
    kept[oldest].generation = generation;
    kept[oldest].n = n;
    memcpy(kept[oldest].scope, scope.p, scope.n);
    memcpy(kept[oldest].account, account.p, account.n);
    memcpy(kept[oldest].shown, shown, n * sizeof *shown);
    oldest = (oldest + 1) % KEPT;
    pthread_mutex_unlock(&lock);
}

fa_rc ask_keys(fa_req *r, const fa_catalog *c, const fa_key **out, size_t *n, fa_err *e)
{
    const fa_key *all = fa_catalog_keys(c, n);
    uint64_t generation = fa_ledger_generation(r->ledger);
    size_t total = *n, k = 0;
    const fa_filter *scope;
    fa_key *some;
    bool *shown;
    fa_str text;
    fa_rc rc;

    *out = all;
    if ((rc = fa_caller_scope(r->ledger, r->mem, r->caller, &scope, e)) || !scope)
        return rc;
    if ((rc = fa_caller_scope_text(r->ledger, r->mem, r->caller, &text, e)))
        return rc;
    some = fa_arena_array(r->mem, total + 1, sizeof *some);
    shown = fa_arena_array(r->mem, total + 1, sizeof *shown);
    if (!some || !shown)
        return fa_oom(e);
    if (total > KEYS_MAX || !recall(r->ledger, generation, text, total, shown)) {
        for (size_t i = 0; i < total; i++)
            if ((rc = fa_caller_sees_key(r->ledger, r->mem, scope, &all[i], &shown[i], e)))
                return rc;
        keep(r->ledger, generation, text, total, shown);
    }
    for (size_t i = 0; i < total; i++)
        if (shown[i])
            some[k++] = all[i];
    *out = some;
    *n = k;
    return FA_OK;
}
