/*
 * warm.c - the page's first question, asked before anybody does.
 *
 * After a start or a load the catalogue and the groups have to be made again and the segments read from disk; whoever
 * asks first would wait for that. The server asks for itself: the question of an unopened MegaBill.
 */
#include "query/inner.h"

#define WARM_MS 60000

void fa_query_warm(fa_ledger *l)
{
    fa_arena a;
    fa_account account;
    fa_catalog *c = NULL;
    fa_plan p;
    fa_answer r;
    fa_err e;
    json_t *question =
        json_pack("{s:[{s:s,s:s,s:s}],s:b,s:i}", "groupBy", "costCenter", "Global", "key",
                  "service", "type", "billing_dimension", "previous", 1, "top", 8);
    int64_t begin = fa_mono_ms();
    bool failed = !question;

    fa_arena_init(&a, (size_t)256 << 20);
    failed =
        failed || fa_account_first(fa_ledger_store(l), &a, &account, &e) ||
        fa_catalog_get(l, &c, &e) ||
        fa_plan_parse(c, &a, question, fa_ms_day(fa_now_ms()), account.default_cost_type, &p, &e);
    if (!failed) {
        p.deadline_mono_ms = fa_mono_ms() + WARM_MS;
        failed = fa_query_run(l, &a, &p, &r, &e) != FA_OK;
    }
    if (failed)
        fa_log(FA_LOG_DEBUG, "warm", "failed=1");
    else
        fa_log(FA_LOG_INFO, "warm", "ms=%lld rows=%lld", (long long)(fa_mono_ms() - begin),
               (long long)r.rows);
    fa_catalog_put(c);
    json_decref(question);
    fa_arena_release(&a);
}
