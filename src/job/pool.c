/*
 * pool.c - a fixed set of threads behind a bounded queue.
 *
 * The bound is the policy: who comes when it is full is told so at once and may say "503, come
 * back", instead of waiting behind work that nobody reads any more.
 */
#include "job/job.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

typedef struct task {
    fa_task *fn;
    void *arg;
} task;

struct fa_pool {
    pthread_mutex_t lock;
    pthread_cond_t more;
    task *ring; /* `bound` places */
    size_t bound, first, n;
    pthread_t *thread;
    unsigned nthread;
    bool closing;
};

static void *work(void *arg)
{
    fa_pool *p = arg;
    task t;

    for (;;) {
        pthread_mutex_lock(&p->lock);
        while (!p->n && !p->closing)
            pthread_cond_wait(&p->more, &p->lock);
        if (!p->n) {
            pthread_mutex_unlock(&p->lock);
            return NULL;
        }
        t = p->ring[p->first];
        p->first = (p->first + 1) % p->bound;
        p->n--;
        pthread_mutex_unlock(&p->lock);
        t.fn(t.arg);
    }
}

fa_rc fa_pool_open(const char *name, unsigned threads, size_t bound, fa_pool **out, fa_err *e)
{
    fa_pool *p = calloc(1, sizeof *p);
    sigset_t all, old;
    fa_rc rc = FA_OK;

    *out = NULL;
    if (!p)
        return fa_oom(e);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->more, NULL);
    p->bound = bound;
    p->ring = calloc(bound, sizeof *p->ring);
    p->thread = calloc(threads, sizeof *p->thread);
    if (!p->ring || !p->thread) {
        fa_pool_close(p);
        return fa_oom(e);
    }
    sigfillset(&all); /* signals belong to the main thread */
    pthread_sigmask(SIG_SETMASK, &all, &old);
    while (!rc && p->nthread < threads) {
        if (pthread_create(&p->thread[p->nthread], NULL, work, p)) {
            rc = fa_fail(e, FA_EENV, "could not start a thread of the %s pool", name);
        } else {
            char label[16];

            snprintf(label, sizeof label, "%.10s-%u", name, p->nthread % 1000);
            pthread_setname_np(p->thread[p->nthread], label);
            p->nthread++;
        }
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc) {
        fa_pool_close(p);
        return rc;
    }
    *out = p;
    return FA_OK;
}

bool fa_pool_add(fa_pool *p, fa_task *fn, void *arg)
{
    bool ok;

    pthread_mutex_lock(&p->lock);
    ok = !p->closing && p->n < p->bound;
    if (ok) {
        p->ring[(p->first + p->n++) % p->bound] = (task){fn, arg};
        pthread_cond_signal(&p->more);
    }
    pthread_mutex_unlock(&p->lock);
    return ok;
}

size_t fa_pool_waiting(fa_pool *p)
{
    size_t n;

    pthread_mutex_lock(&p->lock);
    n = p->n;
    pthread_mutex_unlock(&p->lock);
    return n;
}

void fa_pool_stop(fa_pool *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->closing = true;
    pthread_cond_broadcast(&p->more);
    pthread_mutex_unlock(&p->lock);
    for (unsigned i = 0; i < p->nthread; i++)
        pthread_join(p->thread[i], NULL);
    p->nthread = 0;
}

void fa_pool_close(fa_pool *p)
{
    if (!p)
        return;
    fa_pool_stop(p);
    pthread_cond_destroy(&p->more);
    pthread_mutex_destroy(&p->lock);
    free(p->ring);
    free(p->thread);
    free(p);
}
