/*
 * mailer.c - sends what waits in an account's mail queue: one thread, one message after the other.
 *
 * The queue is in meta.db, so a server that stops in the middle goes on at its next start. A message that was taken
 * by the mail server in the moment of a crash is sent again under the same Message-ID.
 */
#include "job/job.h"

#include "access/access.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { EVERY_MS = 1000, FORGET_EVERY = 3600 };

struct fa_mailer {
    fa_ledger *l;
    fa_net *net;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool is_stopped;        /* under lock */
    volatile bool stopping; /* the same, for a call that is under way */
};

static bool stopped(fa_mailer *m)
{
    bool yes;

    pthread_mutex_lock(&m->lock);
    yes = m->is_stopped;
    pthread_mutex_unlock(&m->lock);
    return yes;
}

static void pass(fa_mailer *m)
{
    bool did = true;

    while (did && !stopped(m)) {
        fa_arena a;
        fa_err e = {0};

        fa_arena_init(&a, 0);
        if (fa_mail_step(m->l, &a, m->net, &m->stopping, &did, &e)) {
            fa_log(FA_LOG_ERROR, "mail", "error=\"%s\"", e.msg);
            did = false;
        }
        fa_arena_release(&a);
    }
}

static void wait_a_little(fa_mailer *m)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += EVERY_MS / 1000;
    pthread_mutex_lock(&m->lock);
    if (!m->is_stopped)
        (void)pthread_cond_timedwait(&m->wake, &m->lock, &until);
    pthread_mutex_unlock(&m->lock);
}

static void *run(void *arg)
{
    fa_mailer *m = arg;

    for (unsigned n = 0; !stopped(m); n++) {
        fa_err e = {0};

        if (n % FORGET_EVERY == 0 && fa_mail_forget(m->l, &e))
            fa_log(FA_LOG_WARN, "mail", "error=\"%s\"", e.msg);
        pass(m);
        wait_a_little(m);
    }
    return NULL;
}

fa_rc fa_mailer_open(fa_ledger *l, fa_net *net, fa_mailer **out, fa_err *e)
{
    fa_mailer *m = calloc(1, sizeof *m);
    int rc;

    *out = NULL;
    if (!m)
        return fa_oom(e);
    m->l = l;
    m->net = net;
    pthread_mutex_init(&m->lock, NULL);
    pthread_cond_init(&m->wake, NULL);
    if ((rc = pthread_create(&m->thread, NULL, run, m))) {
        pthread_cond_destroy(&m->wake);
        pthread_mutex_destroy(&m->lock);
        free(m);
        return fa_fail(e, FA_EENV, "could not start a thread: %s", strerrordesc_np(rc));
    }
    *out = m;
    return FA_OK;
}

void fa_mailer_close(fa_mailer *m)
{
    if (!m)
        return;
    fa_flag_set(&m->stopping);
    pthread_mutex_lock(&m->lock);
    m->is_stopped = true;
    pthread_cond_signal(&m->wake);
    pthread_mutex_unlock(&m->lock);
    pthread_join(m->thread, NULL);
    pthread_cond_destroy(&m->wake);
    pthread_mutex_destroy(&m->lock);
    free(m);
}
