/*
 * schedule.c - a thread that looks every second which connections are due.
 *
 * The next run stands in meta.db, so what came due while nothing ran is run once at the next start, not as
 * often as it was missed. Each connection has its own jitter, so that not all of a house ask at the full hour.
 */
#include "job/inner.h"

#include <sodium.h>
#include <string.h>

#define JITTER_MS 300000u

int64_t fa_job_next(fa_str schedule, fa_str connection_id, int64_t after_ms)
{
    unsigned char sum[crypto_generichash_BYTES_MIN];
    int64_t next = fa_schedule_next(schedule, after_ms), again;
    uint32_t jitter;

    if (next < 0)
        return -1;
    crypto_generichash(sum, sizeof sum, (const unsigned char *)connection_id.p, connection_id.n,
                       NULL, 0);
    memcpy(&jitter, sum, sizeof jitter);
    again = fa_schedule_next(schedule, next);
    if (again > next &&
        again - next < 2 * (int64_t)JITTER_MS) /* runs often: a tenth of its pace at most */
        return next + (int64_t)(jitter % (uint32_t)((again - next) / 10 + 1));
    return next + (int64_t)(jitter % JITTER_MS);
}

static void look(void *arg)
{
    fa_jobs *j = arg;
    fa_arena a;
    fa_connection *c;
    char id[37];
    fa_err e = {0};
    size_t n;

    fa_arena_init(&a, 1 << 26);
    if (fa_connection_due(fa_ledger_store(j->ledger), &a, fa_ledger_account(j->ledger), fa_now_ms(),
                          &c, &n, &e)) {
        fa_log(FA_LOG_ERROR, "schedule_failed", "error=%s", e.msg);
        n = 0;
    }
    for (size_t i = 0; i < n; i++) {
        fa_rc rc = fa_job_fetch(j, c[i].id, FA_STR("schedule"), id, &e);

        if (rc == FA_ELIMIT)
            break; /* the next second looks again */
        if (rc && rc != FA_ECONFLICT)
            fa_log(FA_LOG_ERROR, "schedule_failed", "connection=%.*s error=%s", FA_FMT(c[i].id),
                   e.msg);
    }
    fa_arena_release(&a);
}

fa_rc job_schedule_start(fa_jobs *j, fa_err *e)
{
    if (job_loop_start(&j->scheduler, "schedule", 1000, look, j, e))
        return e->rc;
    j->scheduling = true;
    return FA_OK;
}

void job_schedule_stop(fa_jobs *j)
{
    if (j->scheduling)
        job_loop_stop(&j->scheduler);
    j->scheduling = false;
}
