/*
 * fetch.c - one run of a connection as a job, and what it leaves in the connection's row.
 */
#include "job/inner.h"
#include "vault/vault.h"

#include <sodium.h>
#include <string.h>

#define RETRY_FIRST_MS 60000LL
#define RETRY_MOST_MS 3600000LL

typedef struct relay {
    job *t;
    fa_connect_result *r;
} relay;

static void on_tick(void *user, const fa_progress_state *s)
{
    job_tick(((relay *)user)->t, s);
}

static bool passing(fa_rc rc)
{
    return rc == FA_EENV || rc == FA_ETIMEOUT || rc == FA_ELIMIT || rc == FA_ECONFLICT;
}

/* What may pass is tried again sooner than the schedule says: after 1, 2, 4 ... 60 minutes, with jitter. */
static int64_t next_run(const fa_connection *c, fa_rc rc)
{
    int64_t now = fa_now_ms(), planned = fa_job_next(c->schedule, c->id, now), wait, soon;

    if (planned < 0 || !rc || !passing(rc))
        return planned;
    wait = RETRY_FIRST_MS << (c->failures < 8 ? c->failures - 1 : 7);
    wait = wait > RETRY_MOST_MS ? RETRY_MOST_MS : wait;
    soon = now + wait / 2 + (int64_t)randombytes_uniform((uint32_t)(wait / 2) + 1);
    return soon < planned ? soon : planned;
}

static void describe(job *t, const fa_connect_result *r)
{
    pthread_mutex_lock(&t->owner->lock);
    t->rows = r->rows;
    t->bytes = r->bytes;
    t->bytes_total = r->bytes;
    if (r->last_load)
        t->load_id = r->last_load;
    if (r->waiting)
        snprintf(t->message, sizeof t->message, "%s", r->note);
    else if (!r->deliveries)
        snprintf(t->message, sizeof t->message, "nothing new");
    else
        snprintf(t->message, sizeof t->message, "%lld %s, %lld %s", (long long)r->deliveries,
                 r->deliveries == 1 ? "delivery" : "deliveries", (long long)r->files,
                 r->files == 1 ? "file" : "files");
    pthread_mutex_unlock(&t->owner->lock);
}

static fa_rc record(fa_jobs *j, fa_connection *c, const fa_connect_result *r, fa_rc rc,
                    const fa_err *why, fa_err *e)
{
    char words[sizeof why->msg + sizeof why->hint + 4];

    c->last_run_ms = fa_now_ms();
    if (rc == FA_ECANCELLED) {
        c->next_run_ms = fa_job_next(c->schedule, c->id, c->last_run_ms);
        return fa_connection_ran(fa_ledger_store(j->ledger), fa_ledger_account(j->ledger), c, e);
    }
    c->failures = rc ? c->failures + 1 : 0;
    c->state = rc ? FA_STR("error") : FA_STR("connected");
    if (!rc)
        c->last_ok_ms = c->last_run_ms;
    snprintf(words, sizeof words, "%s%s%s", rc ? why->msg : r->note, rc && why->hint[0] ? "; " : "",
             rc ? why->hint : "");
    c->error = fa_str_of(words);
    c->next_run_ms = next_run(c, rc);
    return fa_connection_ran(fa_ledger_store(j->ledger), fa_ledger_account(j->ledger), c, e);
}

static fa_rc run_connection(job *t, fa_arena *a, const fa_connection *c, fa_connect_result *r,
                            fa_err *e)
{
    fa_jobs *j = t->owner;
    relay up = {t, r};
    fa_progress p = {.tick = on_tick, .user = &up, .cancel = &t->cancel};
    fa_secret secret = {0};
    fa_connect_call call = {.ledger = j->ledger,
                            .net = j->net,
                            .folders = j->folders,
                            .kind = c->kind,
                            .config = c->config,
                            .connection_id = c->id,
                            .source = c->source,
                            .cancel = &t->cancel};
    fa_rc rc = FA_OK;

    if (c->credential_id.n)
        rc = fa_credential_reveal(fa_ledger_store(j->ledger), a, fa_ledger_account(j->ledger),
                                  c->credential_id, "fetch", &secret, e);
    if (!rc) {
        call.secret = (fa_str){secret.p, secret.n};
        rc = fa_connect_run(&call, &p, r, e);
    }
    fa_secret_free(&secret);
    return rc;
}

fa_rc job_run_fetch(job *t, fa_arena *a, fa_err *e)
{
    fa_jobs *j = t->owner;
    fa_connection c;
    fa_connect_result r = {0};
    fa_err sub = {0};
    fa_rc rc = fa_connection_get(fa_ledger_store(j->ledger), a, fa_ledger_account(j->ledger),
                                 fa_str_of(t->connection), &c, e);

    if (rc)
        return rc;
    rc = run_connection(t, a, &c, &r, e);
    describe(t, &r);
    if (record(j, &c, &r, rc, e, &sub))
        fa_log(FA_LOG_ERROR, "connection_record_failed", "id=%.*s error=%s", FA_FMT(c.id), sub.msg);
    return rc;
}
