/*
 * guess.c - slows down who guesses passwords (security.md RL-1, RL-2, RL-4).
 *
 * Three counters for a failure: the account, the account seen from one address, the address (IPv6:
 * its /64); a browser that signed in before has one of its own instead. Unknown accounts count like known ones, so the answer tells nothing. Keys are kept as
 * keyed hashes in a table of fixed size; when it is full the entry that was quiet longest goes.
 *
 * This is a documented cache with a lock: it is lost at a restart, which only shortens a delay.
 */
#include "access/internal.h"

#include <pthread.h>
#include <sodium.h>
#include <string.h>

enum {
    ENTRIES = 8192,
    PROBE = 16,
    FREE_TRIES = 5,
    HARD_STOP = 100,
    IP_PER_MINUTE = 20,
    IP_PER_HOUR = 100,
};
#define MINUTE_MS 60000LL
#define WINDOW_MS (5 * MINUTE_MS)
#define FIRST_MS 30000LL
#define LONGEST_MS (15 * MINUTE_MS)
#define RESET_MS (12 * 60 * MINUTE_MS)
#define FOREVER_MS (3650LL * 24 * 60 * MINUTE_MS)

typedef struct entry {
    unsigned char key[16];
    bool used;
    int tries;       /* in the window that began at window_ms */
    int strikes;     /* delays given so far */
    int consecutive; /* failures since the last success */
    int minute_n, hour_n;
    int64_t minute, hour;
    int64_t window_ms, until_ms, last_ms;
} entry;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static entry table[ENTRIES];
static unsigned char table_key[crypto_generichash_KEYBYTES];
static bool table_ready;

static void key_of(char kind, fa_str email, fa_str ip, unsigned char out[16])
{
    crypto_generichash_state st;

    crypto_generichash_init(&st, table_key, sizeof table_key, 16);
    crypto_generichash_update(&st, (const unsigned char *)&kind, 1);
    for (size_t i = 0; i < email.n; i++) {
        unsigned char c = (unsigned char)email.p[i];

        if (c >= 'A' && c <= 'Z')
            c = (unsigned char)(c + 32);
        crypto_generichash_update(&st, &c, 1);
    }
    crypto_generichash_update(&st, (const unsigned char *)"|", 1);
    crypto_generichash_update(&st, (const unsigned char *)ip.p, ip.n);
    crypto_generichash_final(&st, out, 16);
}

/* The /64 of an IPv6 address as text: everything before its fifth group; an IPv4 address whole. */
static fa_str network_of(fa_str ip)
{
    int colons = 0;

    for (size_t i = 0; i < ip.n; i++)
        if (ip.p[i] == ':' && ++colons == 4)
            return (fa_str){ip.p, i};
    return ip;
}

static entry *find(const unsigned char key[16], bool make)
{
    entry *oldest = NULL;
    size_t at;

    memcpy(&at, key, sizeof at);
    for (size_t i = 0; i < PROBE; i++) {
        entry *t = &table[(at + i) % ENTRIES];

        if (t->used && memcmp(t->key, key, 16) == 0)
            return t;
        if (!oldest || (!t->used && oldest->used) ||
            (t->used == oldest->used && t->last_ms < oldest->last_ms))
            oldest = t;
    }
    if (!make)
        return NULL;
    *oldest = (entry){.used = true};
    memcpy(oldest->key, key, 16);
    return oldest;
}

static void ready(void)
{
    if (!table_ready) {
        fa_random(table_key, sizeof table_key);
        table_ready = true;
    }
}

static int64_t wait_of(const unsigned char key[16], int64_t now)
{
    const entry *t = find(key, false);

    return t && t->until_ms > now ? t->until_ms - now : 0;
}

static int64_t ip_wait_of(const unsigned char key[16], int64_t now)
{
    const entry *t = find(key, false);

    if (!t)
        return 0;
    if (t->hour == now / (60 * MINUTE_MS) && t->hour_n >= IP_PER_HOUR)
        return (t->hour + 1) * 60 * MINUTE_MS - now;
    if (t->minute == now / MINUTE_MS && t->minute_n >= IP_PER_MINUTE)
        return (t->minute + 1) * MINUTE_MS - now;
    return 0;
}

/* The counters that stand in a try's way: of a known browser its own alone (RL-3), so that nobody can
 * lock an owner out by failing on purpose. */
static size_t keys_of(fa_str email, fa_str device, fa_str ip, unsigned char k[3][16])
{
    if (device.n) {
        key_of('d', email, device, k[0]);
        return 1;
    }
    key_of('c', (fa_str){0}, network_of(ip), k[0]);
    if (!email.n)
        return 1;
    key_of('a', email, (fa_str){0}, k[1]);
    key_of('b', email, network_of(ip), k[2]);
    return 3;
}

int64_t fa_guess_wait(fa_str email, fa_str device, fa_str ip, int64_t now_ms)
{
    unsigned char k[3][16];
    int64_t wait = 0, w;
    size_t n;

    pthread_mutex_lock(&lock);
    ready();
    n = keys_of(email, device, ip, k);
    for (size_t i = 0; i < n; i++) {
        w = i || device.n ? wait_of(k[i], now_ms) : ip_wait_of(k[i], now_ms);
        wait = w > wait ? w : wait;
    }
    pthread_mutex_unlock(&lock);
    return wait;
}

static void count(entry *t, int64_t now)
{
    int64_t delay = FIRST_MS;

    if (t->last_ms && now - t->last_ms > RESET_MS)
        t->tries = t->strikes = t->consecutive = 0;
    t->last_ms = now;
    t->consecutive++;
    if (!t->tries || now - t->window_ms > WINDOW_MS) {
        t->window_ms = now;
        t->tries = 0;
    }
    t->tries++;
    if (t->consecutive >= HARD_STOP) {
        t->until_ms = now + FOREVER_MS;
        return;
    }
    if (!t->strikes && t->tries < FREE_TRIES)
        return;
    for (int i = 0; i < t->strikes && delay < LONGEST_MS; i++)
        delay *= 2;
    t->strikes++;
    t->until_ms = now + (delay < LONGEST_MS ? delay : LONGEST_MS);
}

static void count_ip(entry *t, int64_t now)
{
    t->last_ms = now;
    if (t->minute != now / MINUTE_MS) {
        t->minute = now / MINUTE_MS;
        t->minute_n = 0;
    }
    if (t->hour != now / (60 * MINUTE_MS)) {
        t->hour = now / (60 * MINUTE_MS);
        t->hour_n = 0;
    }
    t->minute_n++;
    t->hour_n++;
}

void fa_guess_failed(fa_str email, fa_str device, fa_str ip, int64_t now_ms)
{
    unsigned char k[3][16];
    size_t n;

    pthread_mutex_lock(&lock);
    ready();
    n = keys_of(email, device, ip, k);
    for (size_t i = 0; i < n; i++) {
        if (i || device.n)
            count(find(k[i], true), now_ms);
        else
            count_ip(find(k[i], true), now_ms);
    }
    pthread_mutex_unlock(&lock);
}

void fa_guess_cleared(fa_str email, fa_str device, fa_str ip)
{
    unsigned char k[3][16];
    size_t n;

    pthread_mutex_lock(&lock);
    ready();
    n = keys_of(email, device, ip, k);
    for (size_t i = device.n ? 0 : 1; i < n; i++) {
        entry *t = find(k[i], false);

        if (t)
            *t = (entry){0};
    }
    pthread_mutex_unlock(&lock);
}

bool fa_guess_count(const char *what, fa_str who, int most, int64_t now_ms)
{
    unsigned char k[16];
    entry *t;
    bool ok;

    pthread_mutex_lock(&lock);
    ready();
    key_of('x', fa_str_of(what), who, k);
    t = find(k, true);
    count_ip(t, now_ms);
    ok = t->hour_n <= most;
    pthread_mutex_unlock(&lock);
    return ok;
}

void fa_guess_forget(void)
{
    pthread_mutex_lock(&lock);
    memset(table, 0, sizeof table);
    pthread_mutex_unlock(&lock);
}
