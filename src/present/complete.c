/*
 * complete.c - up to which day the bills are complete: what a chart hatches and a comparison leaves out.
 *
 * The one idea: every source has a last day with cost; a day counts as known once all of them have it. A source that
 * is far behind the others has ended (the quality page calls it late) and holds nobody up; custom costs are no bills.
 * The days follow from the control totals of live loads and are read once for each state of the ledger.
 */
#include "present/present.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { ENDED_DAYS = 10, MEM_BYTES = 256 << 20 };

/* Of one state of the ledger. */
typedef struct known {
    uint64_t generation;
    int32_t newest, least;
    char name[200]; /* the source that is furthest behind */
} known;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static known last;
static const fa_ledger *last_ledger;

/* The last day with rows of a load. */
static fa_rc last_day(fa_ledger *l, int64_t load, int32_t *out, fa_err *e)
{
    fa_arena mem;
    fa_total *t;
    size_t n;
    fa_rc rc;

    fa_arena_init(&mem, MEM_BYTES);
    rc = fa_total_list(fa_ledger_store(l), &mem, fa_ledger_account(l), load, &t, &n, e);
    for (size_t i = 0; !rc && i < n; i++)
        if (fa_str_eqz(t[i].step, "ledger") && !t[i].column.n && t[i].day > *out)
            *out = t[i].day;
    fa_arena_release(&mem);
    return rc;
}

static fa_rc days_of(fa_ledger *l, const fa_source *s, const fa_part *part, size_t npart,
                     int32_t *out, fa_err *e)
{
    int64_t seen = 0;
    fa_rc rc = FA_OK;

    *out = INT32_MIN;
    for (size_t i = 0; !rc && i < npart; i++)
        if (part[i].source_id == s->id && part[i].load_id != seen) {
            seen = part[i].load_id;
            rc = last_day(l, seen, out, e);
        }
    return rc;
}

static fa_rc read_known(fa_ledger *l, fa_arena *a, known *k, fa_err *e)
{
    fa_store *st = fa_ledger_store(l);
    fa_source *s;
    fa_part *part;
    size_t n, npart;
    int32_t *day;

    k->newest = k->least = INT32_MIN;
    if (fa_source_list(st, a, fa_ledger_account(l), &s, &n, e) ||
        fa_part_live(st, a, fa_ledger_account(l), &part, &npart, e))
        return e->rc;
    if (!(day = fa_arena_array(a, n + 1, sizeof *day)))
        return fa_oom(e);
    for (size_t i = 0; i < n; i++) {
        day[i] = INT32_MIN;
        if (fa_str_starts(s[i].name, FA_STR("Custom Cost")))
            continue;
        if (days_of(l, &s[i], part, npart, &day[i], e))
            return e->rc;
        k->newest = day[i] > k->newest ? day[i] : k->newest;
    }
    for (size_t i = 0; i < n; i++)
        if (day[i] != INT32_MIN && day[i] >= k->newest - ENDED_DAYS &&
            (k->least == INT32_MIN || day[i] < k->least)) {
            k->least = day[i];
            snprintf(k->name, sizeof k->name, "%.*s", FA_FMT(s[i].name));
        }
    return FA_OK;
}

static bool recall(fa_ledger *l, uint64_t generation, known *out)
{
    bool found;

    pthread_mutex_lock(&lock);
    found = last_ledger == l && last.generation == generation;
    if (found)
        *out = last;
    pthread_mutex_unlock(&lock);
    return found;
}

fa_rc fa_complete(fa_ledger *l, fa_arena *a, int32_t today, fa_complete_days *out, fa_err *e)
{
    known k = {.generation = fa_ledger_generation(l)};

    if (!recall(l, k.generation, &k)) {
        if (read_known(l, a, &k, e))
            return e->rc;
        pthread_mutex_lock(&lock);
        last = k;
        last_ledger = l;
        pthread_mutex_unlock(&lock);
    }
    out->to = k.least == INT32_MIN || k.least < today ? k.least : today - 1;
    out->behind = k.least < k.newest && k.least < today - 1 ? fa_arena_dup(a, fa_str_of(k.name))
                                                            : (fa_str){"", 0};
    return out->behind.p ? FA_OK : fa_oom(e);
}
