/*
 * health.c - is the server well, and what has it counted.
 */
#include "api/internal.h"

fa_rc api_healthz(fa_req *r, fa_res *o, fa_err *e)
{
    int32_t first, last;
    bool any = fa_ledger_range(r->ledger, &first, &last);
    fa_jw w;

    (void)e;
    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    put_z(&w, "status", "ok");
    fa_jw_key(&w, "ledger");
    fa_jw_obj(&w);
    put_z(&w, "state", any ? "loaded" : "empty");
    put_int(&w, "generation", (int64_t)fa_ledger_generation(r->ledger));
    put_int(&w, "lines", fa_ledger_lines(r->ledger));
    put_day(&w, "firstDay", any ? first : INT32_MIN);
    put_day(&w, "lastDay", any ? last : INT32_MIN);
    fa_jw_end_obj(&w);
    put_int(&w, "jobs", (int64_t)fa_jobs_busy(app_of(r)->jobs));
    fa_jw_end_obj(&w);
    return FA_OK;
}

fa_rc api_metrics(fa_req *r, fa_res *o, fa_err *e)
{
    (void)e;
    fa_metrics_text(r->server, &o->body);
    fa_buf_fmt(&o->body,
               "# HELP farthing_jobs Loads that wait or run.\n# TYPE farthing_jobs gauge\n"
               "farthing_jobs %zu\n",
               fa_jobs_busy(app_of(r)->jobs));
    o->type = "text/plain; version=0.0.4; charset=utf-8";
    return FA_OK;
}
