/*
 * inner.h - what the files of job/ share.
 */
#ifndef FA_JOB_INNER_H
#define FA_JOB_INNER_H

#include "job/job.h"

#include <pthread.h>

/* ---- loop.c: a thread of its own that calls pass(user) every every_ms ---- */
typedef struct job_loop {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    volatile bool stopping; /* read with job_loop_stopping, or handed to a call that is to end early */
    int64_t every_ms;
    void (*pass)(void *user);
    void *user;
} job_loop;
/* name: at most 15 bytes. */
FA_MUST_CHECK fa_rc job_loop_start(job_loop *p, const char *name, int64_t every_ms, void (*pass)(void *), void *user, fa_err *e);
void job_loop_stop(job_loop *p); /* waits for the pass that runs */
static inline bool job_loop_stopping(const job_loop *p)
{
    return fa_flag_get(&p->stopping);
}

enum { JOB_MAX = 128, JOB_TEXT = 256, JOB_MESSAGE = 1400, JOB_ATTEMPTS = 5 };

typedef enum { QUEUED, RUNNING, DONE, FAILED, CANCELLED } job_state;
typedef enum { JOB_LOAD, JOB_RELOAD, JOB_FETCH, JOB_FAIR, JOB__KINDS } job_kind;

typedef struct job {
    bool used, busy; /* busy: the worker still holds it */
    bool asked;      /* a person cancelled it */
    job_kind kind;
    char id[37], source[JOB_TEXT], file[JOB_TEXT], connection[JOB_TEXT], message[JOB_MESSAGE], by[JOB_TEXT];
    char *path; /* staged file, owned */
    const char *phase;
    job_state st;
    volatile bool cancel;
    int64_t load_id; /* of JOB_RELOAD: the load to bring back */
    int64_t rows, rows_before, bytes, bytes_total, left_ms, ended_ms, made_ms, beat_ms;
    double fraction, rate;
    struct fa_jobs *owner;
} job;

struct fa_jobs {
    fa_ledger *ledger;
    fa_net *net;
    char *folders;
    fa_job_watch *watch;
    void *user;
    fa_pool *pool, *fetch_pool;
    pthread_mutex_t lock; /* list, closing */
    job_loop scheduler;
    bool scheduling;
    job list[JOB_MAX];
    bool closing;
    char lease[96];
};

fa_rc job_run_fetch(job *t, fa_arena *a, fa_err *e); /* fetch.c */
void job_tick(job *t, const fa_progress_state *s);   /* any thread */
fa_rc job_schedule_start(fa_jobs *j, fa_err *e);     /* schedule.c */
void job_schedule_stop(fa_jobs *j);

#endif
