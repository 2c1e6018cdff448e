/*
 * api.c - the server's life with all that its routes need: jobs, cost queries, the listener.
 */
#include "api/internal.h"

#include <stdlib.h>
#include <string.h>

const char fa_version[] = FARTHING_VERSION;

struct fa_api_server {
    fa_app app;
};

static void on_job(void *user, const char *event, fa_str json)
{
    fa_app *app = user;
    fa_server *server = atomic_load(app->first ? &app->first->server : &app->server);

    if (server)
        fa_stream_send(server, fa_str_of(app->topic), event, json);
}

/* How long query-by-view sleeps first: only the concurrency test sets it. */
static int test_slow_ms(void)
{
    const char *text = getenv("FARTHING_TEST_SLOW_MS");
    long ms = text ? strtol(text, NULL, 10) : 0;

    return ms > 0 && ms <= 60000 ? (int)ms : 0;
}

/* The first account opens its server between its queues and its threads. */
static fa_rc open_queues(fa_app *app, fa_err *e)
{
    fa_rc rc = fa_jobs_open(app->ledger, app->net, app->folders, on_job, app, &app->jobs, e);

    return rc ? rc : fa_queries_open(app->ledger, &app->queries, e);
}

fa_rc app_open(fa_app *app, fa_ledger *l, fa_app *like, fa_err *e)
{
    fa_rc rc;

    *app = (fa_app){.ledger = l,
                    .net = like->net,
                    .folders = NULL, /* the operator's folders are the first account's */
                    .slow_ms = like->slow_ms,
                    .first = like,
                    .house = like->house};
    snprintf(app->topic, sizeof app->topic, "bills/%.*s", FA_FMT(fa_ledger_account(l)));
    if (!(rc = open_queues(app, e)))
        rc = fa_feeder_open(l, app->net, &app->feeder, e);
    return rc;
}

void app_stop(fa_app *app)
{
    fa_mailer_close(app->mailer);
    fa_feeder_close(app->feeder);
    app->mailer = NULL;
    app->feeder = NULL;
    if (app->jobs)
        fa_jobs_stop(app->jobs);
    if (app->queries)
        fa_queries_stop(app->queries);
}

void app_close(fa_app *app)
{
    app_stop(app);
    fa_jobs_close(app->jobs);
    fa_queries_close(app->queries);
    app->jobs = NULL;
    app->queries = NULL;
}

fa_rc fa_api_open(fa_ledger *l, const fa_server_options *o, fa_api_server **out, fa_err *e)
{
    fa_api_server *s = calloc(1, sizeof *s);
    fa_server_options opt = *o;
    fa_server *server = NULL;
    fa_house *house = NULL;
    fa_rc rc;

    *out = NULL;
    if (!s)
        return fa_oom(e);
    s->app.ledger = l;
    s->app.slow_ms = test_slow_ms();
    s->app.net = o->net;
    s->app.folders = o->watch_folders;
    snprintf(s->app.topic, sizeof s->app.topic, "bills");
    opt.app = &s->app;
    opt.page_paths = fa_page_paths;
    if (!(rc = open_queues(&s->app, e)) && !(rc = house_open(&s->app, &house, e))) {
        s->app.house = house;
        opt.accounts = house_accounts(house);
        rc = fa_server_open(l, fa_routes, &opt, &server, e);
    }
    if (rc) {
        fa_api_close(s);
        return rc;
    }
    atomic_store(&s->app.server, server); /* a job of the first request may run already */
    if ((rc = fa_feeder_open(l, s->app.net, &s->app.feeder, e)) ||
        (rc = fa_mailer_open(l, s->app.net, &s->app.mailer, e))) {
        fa_api_close(s);
        return rc;
    }
    *out = s;
    return FA_OK;
}

const fa_accounts *fa_api_accounts(fa_api_server *s)
{
    return house_accounts(s->app.house);
}

const char *fa_api_address(fa_api_server *s)
{
    return fa_server_address(s->app.server);
}

void fa_api_stop(fa_api_server *s)
{
    fa_server_stop(s->app.server);
}

void fa_api_close(fa_api_server *s)
{
    if (!s)
        return;
    /* jobs send events, so they end before the server; handlers ask jobs, so they go after it */
    fa_server_stop(s->app.server);
    house_stop(s->app.house);
    app_stop(&s->app);
    fa_server_close(s->app.server);
    house_close(s->app.house);
    app_close(&s->app);
    free(s);
}

/* ---- from within ---- */

struct fa_api_local {
    fa_app app;
    fa_caller caller;
};

fa_rc fa_api_local_open(fa_ledger *l, fa_api_local **out, fa_err *e)
{
    fa_net_config net = {.allow = getenv("FARTHING_ALLOW_HOSTS"),
                         .ca_file = getenv("FARTHING_CA_FILE")};
    fa_api_local *x = calloc(1, sizeof *x);
    fa_rc rc;

    *out = NULL;
    if (!x)
        return fa_oom(e);
    x->app.ledger = l;
    x->caller = fa_caller_system(l);
    if ((rc = fa_net_open(&net, &x->app.net, e))) {
        free(x);
        return rc;
    }
    *out = x;
    return FA_OK;
}

void fa_api_local_close(fa_api_local *x)
{
    if (x)
        fa_net_close(x->app.net);
    free(x);
}

fa_rc fa_api_local_call(fa_api_local *x, const char *method, fa_str path, json_t *body,
                        json_t **answer, fa_err *e)
{
    return fa_local_call(x->app.ledger, fa_routes, &x->app, &x->caller, method, path, body, answer,
                         e);
}
