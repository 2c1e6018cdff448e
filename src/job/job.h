/*
 * job.h - work that outlives a request: a bounded pool of threads, loads of uploaded bills, runs of connections.
 *
 * fa_pool: N threads, a queue with a bound; used for request workers, V2 cost queries and loads.
 * fa_jobs: one load at a time, two fetches; what waits and what ended within the hour can be listed. Every change
 *          is told to one watcher as the JSON object of doc/page-api.md ("job"). Every job is a row of meta.db
 *          from the moment it is asked for: one that was running when the process died, or was stopped with
 *          the server, goes on at the next start (at most five times), and every job ends done, failed or cancelled.
 *          A connection whose next run is due is run; one missed while nothing ran is caught up once.
 * Threads: every call may come from any thread.
 */
#ifndef FA_JOB_H
#define FA_JOB_H

#include "access/access.h"
#include "allocate/allocate.h"
#include "base/base.h"
#include "connect/connect.h"
#include "ledger/ledger.h"
#include "net/net.h"

typedef struct fa_pool fa_pool;
typedef void fa_task(void *arg);
FA_MUST_CHECK fa_rc fa_pool_open(const char *name, unsigned threads, size_t bound, fa_pool **out, fa_err *e);
/* false: the queue is full or the pool is closing; fn was not and will not be called. */
FA_MUST_CHECK bool  fa_pool_add(fa_pool *p, fa_task *fn, void *arg);
size_t              fa_pool_waiting(fa_pool *p);
void                fa_pool_stop(fa_pool *p);  /* runs what is queued, then joins; takes nothing more; NULL is fine */
void                fa_pool_close(fa_pool *p); /* stops and frees; NULL is fine */

typedef struct fa_jobs fa_jobs;
/* event: "job" (json is the job) or "loads" (json is {}: something of the bills changed). */
typedef void fa_job_watch(void *user, const char *event, fa_str json);
/* folders: roots of watched folders, ':' between them. net may be NULL: then no connection is run. */
FA_MUST_CHECK fa_rc fa_jobs_open(fa_ledger *l, fa_net *net, const char *folders, fa_job_watch *watch, void *user, fa_jobs **out,
                                 fa_err *e);
void                fa_jobs_stop(fa_jobs *j);  /* cancels what runs and waits for it; later calls are refused */
void                fa_jobs_close(fa_jobs *j); /* stops and frees; NULL is fine */
/* Loads one staged file as `file` of `source`; the job owns PATH's folder afterwards and removes it,
 * also when this call fails. FA_ELIMIT: 32 jobs wait already. */
FA_MUST_CHECK fa_rc fa_job_load(fa_jobs *j, fa_str source, fa_str file, const char *path, fa_str by, char id[37], fa_err *e);
FA_MUST_CHECK fa_rc fa_job_relive(fa_jobs *j, int64_t load_id, fa_str by, char id[37], fa_err *e);
/* Switches FairShare, or changes how wide its pools are. FA_ECONFLICT: such a job waits or runs; its id is in `id` then. */
FA_MUST_CHECK fa_rc fa_job_fair(fa_jobs *j, fa_fair_width w, fa_str by, char id[37], fa_err *e);
bool                fa_job_fair_runs(fa_jobs *j, char id[37]);
/* Runs a connection now. FA_ECONFLICT: it runs already; its id is in `id` then. */
FA_MUST_CHECK fa_rc fa_job_fetch(fa_jobs *j, fa_str connection_id, fa_str by, char id[37], fa_err *e);
/* When a connection with this schedule runs next: cron, plus its own jitter of at most five minutes. -1: never. */
int64_t fa_job_next(fa_str schedule, fa_str connection_id, int64_t after_ms);
FA_MUST_CHECK fa_rc fa_job_cancel(fa_jobs *j, fa_str id, fa_err *e); /* FA_ENOTFOUND; FA_OK when it has ended */
void                fa_jobs_json(fa_jobs *j, fa_jw *w); /* an array, newest first */
size_t              fa_jobs_busy(fa_jobs *j);           /* waiting and running */

/* ---- telemetry comes in by itself: drop folders every minute, Prometheus every six hours ---- */
typedef struct fa_feeder fa_feeder;
FA_MUST_CHECK fa_rc fa_feeder_open(fa_ledger *l, fa_net *net, fa_feeder **out, fa_err *e);
void                fa_feeder_close(fa_feeder *f); /* waits for what it does; NULL is fine */

/* The thread that sends the account's mail. */
typedef struct fa_mailer fa_mailer;
FA_MUST_CHECK fa_rc fa_mailer_open(fa_ledger *l, fa_net *net, fa_mailer **out, fa_err *e);
void                fa_mailer_close(fa_mailer *m); /* ends a call that is under way; NULL is fine */

#endif
