/*
 * feeder.c - brings in by itself what lies ready: telemetry (drop folders every minute, Prometheus every six hours),
 * dictionaries, files of custom costs, and the custom costs that follow from a changed bill.
 *
 * The one idea: one thread, one pass over all telemetry; what a pass does twice changes nothing, so a server
 * that was stopped in the middle simply does it again.
 */
#include "custom/custom.h"
#include "job/inner.h"

#include <stdlib.h>

enum { EVERY_MS = 60000, ASK_MS = 6 * 3600000, SLACK_MS = 5000 };

struct fa_feeder {
    fa_ledger *l;
    fa_net *net;
    job_loop loop;
    int64_t since_ms;
    uint64_t generation; /* what custom costs were made for */
    int32_t day;
};

static void feed_one(fa_feeder *f, fa_arena *a, const fa_telemetry *t, int64_t since_ms)
{
    fa_intake *in = NULL;
    size_t n = 0;
    fa_err e = {0};
    fa_rc rc = FA_OK;

    if (!t->is_active)
        return;
    if (fa_str_eqz(t->type, "csv"))
        rc = fa_telemetry_drop(f->l, a, t->id, since_ms, &in, &n, &e);
    else if (fa_str_eqz(t->type, "prometheus") && fa_now_ms() - t->received_ms >= ASK_MS)
        rc = fa_telemetry_refresh(f->l, f->net, a, t->id, &in, &n, &e);
    if (rc)
        fa_log(FA_LOG_WARN, "telemetry", "id=%.*s error=\"%s\"", FA_FMT(t->id), e.msg);
    for (size_t i = 0; !rc && i < n; i++)
        if (!in[i].unchanged)
            fa_log(FA_LOG_INFO, "telemetry", "id=%.*s rows=%lld rejected=%lld changed_days=%zu",
                   FA_FMT(t->id), (long long)in[i].rows, (long long)in[i].rejected, in[i].changed);
}

/* Dictionaries, files of custom costs, and the custom costs that follow from the bill or from the day. */
static void feed_others(fa_feeder *f)
{
    uint64_t generation;
    int32_t today = fa_ms_day(fa_now_ms());
    fa_err e = {0};

    if (job_loop_stopping(&f->loop))
        return;
    fa_tag_feeds(f->l, f->net, &f->loop.stopping);
    fa_custom_drop(f->l);
    generation = fa_ledger_generation(f->l);
    if (job_loop_stopping(&f->loop) || (generation == f->generation && today == f->day))
        return;
    if (fa_custom_refresh(f->l, &e))
        fa_log(FA_LOG_WARN, "custom_cost", "error=\"%s\"", e.msg);
    f->generation = fa_ledger_generation(f->l);
    f->day = today;
}

static void pass(void *arg)
{
    fa_feeder *f = arg;
    int64_t start = fa_now_ms();
    fa_telemetry *t;
    fa_arena a, one;
    size_t n = 0;
    fa_err e = {0};

    fa_arena_init(&a, 0);
    if (fa_telemetry_list(f->l, &a, &t, &n, &e))
        fa_log(FA_LOG_WARN, "telemetry", "error=\"%s\"", e.msg);
    else
        for (size_t i = 0; i < n && !job_loop_stopping(&f->loop); i++) {
            fa_arena_init(&one, 0);
            feed_one(f, &one, &t[i], f->since_ms);
            fa_arena_release(&one);
        }
    fa_arena_release(&a);
    f->since_ms = start - SLACK_MS;
    feed_others(f);
}

fa_rc fa_feeder_open(fa_ledger *l, fa_net *net, fa_feeder **out, fa_err *e)
{
    fa_feeder *f = calloc(1, sizeof *f);
    const char *every = getenv("FARTHING_FEED_MS"); /* tests wait less */
    long ms = every ? strtol(every, NULL, 10) : 0;

    *out = NULL;
    if (!f)
        return fa_oom(e);
    f->l = l;
    f->net = net;
    if (job_loop_start(&f->loop, "feed", ms > 0 && ms <= EVERY_MS ? ms : EVERY_MS, pass, f, e)) {
        free(f);
        return e->rc;
    }
    *out = f;
    return FA_OK;
}

void fa_feeder_close(fa_feeder *f)
{
    if (f)
        job_loop_stop(&f->loop);
    free(f);
}
