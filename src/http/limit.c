/*
 * limit.c - concurrent requests per API key, and the per-route windows of V2 (api.md 3).
 *
 * Windows are fixed: the UTC minute and the UTC day. All tokens of an account share them, and
 * routes with the same handler (an alias path) share one counter.
 */
#include "http/internal.h"

#include <stdlib.h>
#include <string.h>

typedef struct key {
    struct key *next;
    unsigned n;
    char id[64];
} key;

typedef struct rate {
    struct rate *next;
    fa_handler *fn;
    char account[40];
    int64_t minute, day;
    unsigned in_minute, in_day;
} rate;

struct fa_limits {
    pthread_mutex_t lock;
    key *keys;   /* only those with requests */
    rate *rates; /* one per account and limited route */
};

fa_limits *fa_limits_new(void)
{
    fa_limits *l = calloc(1, sizeof *l);

    if (l)
        pthread_mutex_init(&l->lock, NULL);
    return l;
}

void fa_limits_free(fa_limits *l)
{
    if (!l)
        return;
    for (key *k = l->keys, *next; k; k = next) {
        next = k->next;
        free(k);
    }
    for (rate *r = l->rates, *next; r; r = next) {
        next = r->next;
        free(r);
    }
    pthread_mutex_destroy(&l->lock);
    free(l);
}

bool fa_key_enter(fa_limits *l, fa_str client_id, unsigned most)
{
    key *k;
    bool ok = false;

    if (client_id.n >= sizeof k->id)
        return false;
    pthread_mutex_lock(&l->lock);
    for (k = l->keys; k && !fa_str_eqz(client_id, k->id); k = k->next)
        ;
    if (!k && (k = calloc(1, sizeof *k))) {
        memcpy(k->id, client_id.p, client_id.n);
        k->next = l->keys;
        l->keys = k;
    }
    if (k && k->n < most) {
        k->n++;
        ok = true;
    }
    pthread_mutex_unlock(&l->lock);
    return ok;
}

void fa_key_leave(fa_limits *l, fa_str client_id)
{
    pthread_mutex_lock(&l->lock);
    for (key **at = &l->keys; *at; at = &(*at)->next) {
        key *k = *at;

        if (!fa_str_eqz(client_id, k->id))
            continue;
        if (--k->n == 0) {
            *at = k->next;
            free(k);
        }
        break;
    }
    pthread_mutex_unlock(&l->lock);
}

fa_window fa_rate_count(fa_limits *l, fa_str account, const fa_route *r, int64_t now_ms)
{
    int64_t now = now_ms / 1000, minute = now / 60, day = now / 86400;
    fa_window w = {.limit = r->per_minute, .reset_s = (minute + 1) * 60 - now};
    rate *t;

    pthread_mutex_lock(&l->lock);
    for (t = l->rates; t && !(t->fn == r->fn && fa_str_eqz(account, t->account)); t = t->next)
        ;
    if (!t && account.n < sizeof t->account && (t = calloc(1, sizeof *t))) {
        memcpy(t->account, account.p, account.n);
        t->fn = r->fn;
        t->next = l->rates;
        l->rates = t;
    }
    if (!t) {
        w.over = true; /* no memory to count with: say no */
        goto done;
    }
    if (t->minute != minute) {
        t->minute = minute;
        t->in_minute = 0;
    }
    if (t->day != day) {
        t->day = day;
        t->in_day = 0;
    }
    if (r->per_day && t->in_day >= r->per_day) {
        w = (fa_window){.limit = r->per_day, .reset_s = (day + 1) * 86400 - now, .over = true};
        goto done;
    }
    if (t->in_minute >= r->per_minute) {
        w.over = true;
        goto done;
    }
    t->in_minute++;
    t->in_day++;
    w.left = r->per_minute - t->in_minute;
done:
    pthread_mutex_unlock(&l->lock);
    return w;
}
