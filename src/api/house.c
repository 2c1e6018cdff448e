/*
 * house.c - the other accounts of the installation, each opened when somebody asks for it and closed when nobody does.
 *
 * An open account has a ledger, jobs, queries and a feeder of its own; nothing of one is reachable from another. At most
 * eight are open at a time: who comes in next takes the place of the one that was left longest ago. So that schedules
 * and drop folders of closed ones are looked at, each is opened at least every quarter of an hour.
 *
 * Threads: `lock` guards the rooms; opening and closing happen outside of it, by one thread per room (its state says
 * so), and who else wants the room waits for `changed`.
 */
#include "api/internal.h"

#include "allocate/allocate.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROOMS = 8, TICK_MS = 500 };
#define IDLE_MS 600000LL
#define TURN_MS 900000LL

typedef struct room {
    enum { ROOM_FREE, ROOM_OPENING, ROOM_OPEN, ROOM_CLOSING } state;
    char id[37];
    unsigned refs;
    int64_t left_ms; /* when the last one left */
    fa_app app;
} room;

struct fa_house {
    fa_app *first;
    fa_accounts accounts;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    room room[ROOMS];
    struct {
        char id[37];
        int64_t at_ms;
    } turn[FA_ACCOUNTS_MAX];
    size_t nturn;
    int64_t idle_ms;
    bool stopping;
    pthread_t thread;
};

/* ---- rooms, under the lock ---- */

static room *find(fa_house *h, fa_str id)
{
    for (size_t i = 0; i < ROOMS; i++)
        if (h->room[i].state != ROOM_FREE && fa_str_eqz(id, h->room[i].id))
            return &h->room[i];
    return NULL;
}

/* The engines divide their memory among them. */
static void share_memory(fa_house *h)
{
    size_t n = 1;
    fa_err e = {0};
    fa_rc rc;

    for (size_t i = 0; i < ROOMS; i++)
        n += h->room[i].state == ROOM_OPEN;
    rc = fa_engine_memory(fa_ledger_engine(h->first->ledger), fa_memory_share(FA_MEM_ENGINE) / n,
                          &e);
    for (size_t i = 0; !rc && i < ROOMS; i++)
        if (h->room[i].state == ROOM_OPEN)
            rc = fa_engine_memory(fa_ledger_engine(h->room[i].app.ledger),
                                  fa_memory_share(FA_MEM_ENGINE) / n, &e);
    if (rc)
        fa_log(FA_LOG_WARN, "account_memory", "error=\"%s\"", e.msg);
}

static bool busy(const room *r)
{
    fa_arena a = {0};
    fa_job *job;
    size_t n = 0;
    fa_err e = {0};
    fa_rc rc = fa_job_open(fa_ledger_store(r->app.ledger), &a, fa_ledger_account(r->app.ledger),
                           &job, &n, &e);

    fa_arena_release(&a);
    return rc || n > 0;
}

/* With the lock, which is let go of meanwhile. */
static void shut(fa_house *h, room *r)
{
    fa_ledger *l = r->app.ledger;

    r->state = ROOM_CLOSING;
    pthread_mutex_unlock(&h->lock);
    app_stop(&r->app);
    app_close(&r->app);
    fa_log(FA_LOG_INFO, "account_closed", "id=%s", r->id);
    fa_ledger_close(l);
    pthread_mutex_lock(&h->lock);
    memset(r, 0, sizeof *r);
    share_memory(h);
    pthread_cond_broadcast(&h->changed);
}

/* A free room; if there is none, the one left longest ago is made free, and NULL says: look again. */
static room *vacant(fa_house *h, bool *again)
{
    room *old = NULL;

    *again = false;
    for (size_t i = 0; i < ROOMS; i++) {
        room *r = &h->room[i];

        if (r->state == ROOM_FREE)
            return r;
        if (r->state == ROOM_OPEN && !r->refs && (!old || r->left_ms < old->left_ms) && !busy(r))
            old = r;
    }
    if (old) {
        shut(h, old);
        *again = true;
    }
    return NULL;
}

static fa_rc furnish(fa_house *h, room *r, fa_err *e)
{
    fa_ledger *home = h->first->ledger, *l = NULL;
    fa_arena a = {0};
    fa_place p;
    fa_rc rc =
        fa_place_find(fa_ledger_store(home), &a, fa_ledger_account(home), fa_str_of(r->id), &p, e);

    if (!rc && !fa_str_eqz(p.id, r->id))
        rc = fa_fail(e, FA_ENOTFOUND, "no such account");
    if (!rc && !(rc = fa_account_open(home, &a, &p, &l, e)) &&
        (rc = app_open(&r->app, l, h->first, e))) {
        app_close(&r->app);
        fa_ledger_close(l);
    }
    fa_arena_release(&a);
    /* what is kept of tags and rates goes by the handle, and this one may stand where another account's stood */
    fa_tags_changed();
    fa_rates_changed();
    return rc;
}

static void turned(fa_house *h, const char *id)
{
    size_t i = 0;

    while (i < h->nturn && strcmp(h->turn[i].id, id) != 0)
        i++;
    if (i == h->nturn && h->nturn == FA_ACCOUNTS_MAX)
        return;
    if (i == h->nturn)
        memcpy(h->turn[h->nturn++].id, id, sizeof h->turn[0].id);
    h->turn[i].at_ms = fa_mono_ms();
}

/* Opens an account; with the lock, which is let go of meanwhile. */
static fa_rc move_in(fa_house *h, room *r, fa_str id, fa_err *e)
{
    int64_t start = fa_mono_ms();
    fa_rc rc;

    r->state = ROOM_OPENING;
    snprintf(r->id, sizeof r->id, "%.*s", FA_FMT(id));
    pthread_mutex_unlock(&h->lock);
    rc = furnish(h, r, e);
    fa_log(rc ? FA_LOG_WARN : FA_LOG_INFO, "account_opened", "id=%s ms=%lld%s%s", r->id,
           (long long)(fa_mono_ms() - start), rc ? " error=" : "", rc ? e->msg : "");
    pthread_mutex_lock(&h->lock);
    if (rc) {
        memset(r, 0, sizeof *r);
    } else {
        r->state = ROOM_OPEN;
        r->left_ms = fa_mono_ms();
        turned(h, r->id);
        share_memory(h);
    }
    pthread_cond_broadcast(&h->changed);
    return rc;
}

/* ---- for the gate ---- */

static fa_rc enter(void *house, fa_str id, bool wait, fa_ledger **l, void **app, fa_err *e)
{
    fa_house *h = house;
    fa_rc rc = FA_OK;
    bool again;
    room *r;

    pthread_mutex_lock(&h->lock);
    for (;;) {
        if (h->stopping) {
            rc = fa_fail(e, FA_EENV, "the server is stopping");
            break;
        }
        r = find(h, id);
        if (r && r->state == ROOM_OPEN) {
            r->refs++;
            *l = r->app.ledger;
            *app = &r->app;
            break;
        }
        if (!wait) {
            rc = fa_fail(e, FA_ETIMEOUT, "the account is not open");
            break;
        }
        if (r) { /* somebody opens or closes it */
            pthread_cond_wait(&h->changed, &h->lock);
            continue;
        }
        if (!(r = vacant(h, &again)) && !again) {
            rc = fa_fail(e, FA_EENV, "%d accounts are in use at once, try again", ROOMS);
            break;
        }
        if (r && (rc = move_in(h, r, id, e)))
            break;
    }
    pthread_mutex_unlock(&h->lock);
    return rc;
}

static void leave(void *house, fa_str id)
{
    fa_house *h = house;
    room *r;

    pthread_mutex_lock(&h->lock);
    if ((r = find(h, id)) && r->refs) {
        r->refs--;
        r->left_ms = fa_mono_ms();
    }
    pthread_mutex_unlock(&h->lock);
}

static bool of_client(void *house, fa_str client_id, char account[37])
{
    fa_house *h = house;
    fa_ledger *home = h->first->ledger;
    fa_arena a = {0};
    fa_place *p;
    size_t n = 0;
    bool found = false;
    fa_err e;

    if (!fa_uuid_valid(client_id) ||
        fa_place_list(fa_ledger_store(home), &a, fa_ledger_account(home), &p, &n, &e))
        n = 0;
    for (size_t i = 0; !found && i < n; i++)
        if (p[i].id.n == 36 && memcmp(p[i].id.p, client_id.p, FA_CLIENT_MARK) == 0) {
            snprintf(account, 37, "%.*s", FA_FMT(p[i].id));
            found = true;
        }
    fa_arena_release(&a);
    return found;
}

/* ---- closing what nobody uses, and the turn of what is closed ---- */

/* An account that was not open for a quarter of an hour; empty: none. */
static void whose_turn(fa_house *h, char id[37])
{
    fa_ledger *home = h->first->ledger;
    int64_t now = fa_mono_ms();
    fa_arena a = {0};
    fa_place *p;
    size_t n = 0;
    fa_err e;

    id[0] = '\0';
    if (fa_place_list(fa_ledger_store(home), &a, fa_ledger_account(home), &p, &n, &e))
        n = 0;
    pthread_mutex_lock(&h->lock);
    for (size_t i = 0; !id[0] && i < n; i++) {
        int64_t last = INT64_MIN;

        for (size_t k = 0; k < h->nturn; k++)
            if (fa_str_eqz(p[i].id, h->turn[k].id))
                last = h->turn[k].at_ms;
        if (find(h, p[i].id) || (last != INT64_MIN && now - last < TURN_MS))
            continue;
        snprintf(id, 37, "%.*s", FA_FMT(p[i].id));
        turned(h, id); /* also when it cannot be opened: not at every tick */
    }
    pthread_mutex_unlock(&h->lock);
    fa_arena_release(&a);
}

static void shut_idle(fa_house *h)
{
    for (size_t i = 0; i < ROOMS; i++) {
        room *r = &h->room[i];

        if (r->state == ROOM_OPEN && !r->refs && fa_mono_ms() - r->left_ms >= h->idle_ms &&
            !busy(r))
            shut(h, r);
    }
}

static void *keep_house(void *arg)
{
    fa_house *h = arg;

    pthread_mutex_lock(&h->lock);
    while (!h->stopping) {
        struct timespec until;
        fa_ledger *l;
        void *app;
        char id[37];
        fa_err e = {0};

        shut_idle(h);
        pthread_mutex_unlock(&h->lock);
        whose_turn(h, id);
        if (id[0] && !enter(h, fa_str_of(id), true, &l, &app, &e))
            leave(h, fa_str_of(id));
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += (long)TICK_MS * 1000000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_mutex_lock(&h->lock);
        if (!h->stopping)
            (void)pthread_cond_timedwait(&h->changed, &h->lock, &until);
    }
    pthread_mutex_unlock(&h->lock);
    return NULL;
}

/* ---- life ---- */

fa_rc house_open(fa_app *first, fa_house **out, fa_err *e)
{
    fa_house *h = calloc(1, sizeof *h);
    const char *idle = getenv("FARTHING_ACCOUNT_IDLE_MS"); /* tests wait less */
    long ms = idle ? strtol(idle, NULL, 10) : 0;
    int rc;

    *out = NULL;
    if (!h)
        return fa_oom(e);
    h->first = first;
    h->idle_ms = ms > 0 && ms < IDLE_MS ? ms : IDLE_MS;
    h->accounts = (fa_accounts){.house = h, .enter = enter, .leave = leave, .of_client = of_client};
    pthread_mutex_init(&h->lock, NULL);
    pthread_cond_init(&h->changed, NULL);
    if ((rc = pthread_create(&h->thread, NULL, keep_house, h))) {
        pthread_cond_destroy(&h->changed);
        pthread_mutex_destroy(&h->lock);
        free(h);
        return fa_fail(e, FA_EENV, "could not start a thread: %s", strerrordesc_np(rc));
    }
    *out = h;
    return FA_OK;
}

const fa_accounts *house_accounts(fa_house *h)
{
    return &h->accounts;
}

void house_stop(fa_house *h)
{
    bool was;

    if (!h)
        return;
    pthread_mutex_lock(&h->lock);
    was = h->stopping;
    h->stopping = true;
    pthread_cond_broadcast(&h->changed);
    pthread_mutex_unlock(&h->lock);
    if (was)
        return;
    pthread_join(h->thread, NULL);
    for (size_t i = 0; i < ROOMS; i++)
        if (h->room[i].state == ROOM_OPEN)
            app_stop(&h->room[i].app);
}

void house_close(fa_house *h)
{
    if (!h)
        return;
    house_stop(h);
    for (size_t i = 0; i < ROOMS; i++)
        if (h->room[i].state == ROOM_OPEN) {
            app_close(&h->room[i].app);
            fa_ledger_close(h->room[i].app.ledger);
        }
    pthread_cond_destroy(&h->changed);
    pthread_mutex_destroy(&h->lock);
    free(h);
}
