/*
 * mailer.c - sends what waits in an account's mail queue: one thread, one message after the other.
 *
 * The queue is in meta.db, so a server that stops in the middle goes on at its next start. A message that was taken
 * by the mail server in the moment of a crash is sent again under the same Message-ID.
 */
#include "access/access.h"
#include "job/inner.h"

#include <stdlib.h>

enum { EVERY_MS = 1000, FORGET_EVERY = 3600 };

struct fa_mailer {
    fa_ledger *l;
    fa_net *net;
    job_loop loop;
    unsigned passes;
};

static void pass(void *arg)
{
    fa_mailer *m = arg;
    bool did = true;
    fa_err none = {0};

    if (m->passes++ % FORGET_EVERY == 0 && fa_mail_forget(m->l, &none))
        fa_log(FA_LOG_WARN, "mail", "error=\"%s\"", none.msg);
    while (did && !job_loop_stopping(&m->loop)) {
        fa_arena a;
        fa_err e = {0};

        fa_arena_init(&a, 0);
        if (fa_mail_step(m->l, &a, m->net, &m->loop.stopping, &did, &e)) {
            fa_log(FA_LOG_ERROR, "mail", "error=\"%s\"", e.msg);
            did = false;
        }
        fa_arena_release(&a);
    }
}

fa_rc fa_mailer_open(fa_ledger *l, fa_net *net, fa_mailer **out, fa_err *e)
{
    fa_mailer *m = calloc(1, sizeof *m);

    *out = NULL;
    if (!m)
        return fa_oom(e);
    m->l = l;
    m->net = net;
    if (job_loop_start(&m->loop, "mail", EVERY_MS, pass, m, e)) {
        free(m);
        return e->rc;
    }
    *out = m;
    return FA_OK;
}

void fa_mailer_close(fa_mailer *m)
{
    if (m)
        job_loop_stop(&m->loop);
    free(m);
}
