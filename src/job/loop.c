/*
 * loop.c - a thread that does the same thing again and again, with a pause between, until it is stopped.
 */
#include "job/inner.h"

#include <signal.h>
#include <string.h>
#include <time.h>

static void *run(void *arg)
{
    job_loop *p = arg;

    while (!job_loop_stopping(p)) {
        struct timespec until;

        p->pass(p->user);
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += p->every_ms % 1000 * 1000000;
        until.tv_sec += p->every_ms / 1000 + until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_mutex_lock(&p->lock);
        if (!job_loop_stopping(p))
            (void)pthread_cond_timedwait(&p->wake, &p->lock, &until);
        pthread_mutex_unlock(&p->lock);
    }
    return NULL;
}

fa_rc job_loop_start(job_loop *p, const char *name, int64_t every_ms, void (*pass)(void *),
                     void *user, fa_err *e)
{
    sigset_t all, old;
    int rc;

    *p = (job_loop){.every_ms = every_ms, .pass = pass, .user = user};
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->wake, NULL);
    sigfillset(&all); /* signals belong to the main thread */
    pthread_sigmask(SIG_SETMASK, &all, &old);
    rc = pthread_create(&p->thread, NULL, run, p);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc) {
        pthread_cond_destroy(&p->wake);
        pthread_mutex_destroy(&p->lock);
        return fa_fail(e, FA_EENV, "could not start the thread \"%s\": %s", name,
                       strerrordesc_np(rc));
    }
    pthread_setname_np(p->thread, name);
    return FA_OK;
}

void job_loop_stop(job_loop *p)
{
    pthread_mutex_lock(&p->lock);
    fa_flag_set(&p->stopping);
    pthread_cond_signal(&p->wake);
    pthread_mutex_unlock(&p->lock);
    pthread_join(p->thread, NULL);
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->lock);
}
