/*
 * functions.c - what the SQL of a load and of a scan may call that DuckDB lacks.
 *
 * The one idea: while DuckDB streams a bill from the file into the archive, fa_tally adds every row
 * to exact sums per day and currency on the way, so that the file's control totals cost no second
 * read. Worker threads take an accumulator from the tally's free list for one chunk and put it
 * back, so there are as many accumulators as threads and no lock is held while adding.
 */
#include "engine/duck.h"

#include <jansson.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* ---- tally ---- */

#define TALLY_MAGIC 0x54414c59u
#define DAY_MIN 10957 /* 2000-01-01 */
#define DAY_MAX 47482 /* 2100-01-01 */
#define CURRENCIES_MAX 256

typedef struct acc {
    struct acc *next;
    size_t cap, n; /* slots: power of two; used */
    struct slot {
        int32_t day;
        uint16_t currency; /* index + 1; 0: free slot */
        int64_t rows;
        int64_t values[FA_M__COUNT];
        fa_i128 sum[FA_M__COUNT];
    } * slot;
} acc;

struct fa_tally {
    uint32_t magic;
    pthread_mutex_t lock; /* free_acc, currency names */
    acc *free_acc, kept;
    int64_t kept_rows;
    char *currency[CURRENCIES_MAX];
    uint16_t ncurrency;
    atomic_int_fast64_t rows, bad, rounded;
    atomic_bool overflow, failed;
    fa_tally_row *result;
    fa_measure measure[FA_M__COUNT]; /* of fa_tally's decimals, in their order */
    size_t nmeasure;
    uint64_t *column, seed; /* of fa_line */
    size_t ncolumn;
    pthread_mutex_t seen_lock;
    fa_u128 *seen; /* open addressing, 0: free; the lines that had their first row */
    size_t nseen, seen_cap;
};

fa_tally *fa_tally_new(fa_engine *g)
{
    fa_tally *t = calloc(1, sizeof *t);

    (void)g;
    if (t) {
        t->magic = TALLY_MAGIC;
        pthread_mutex_init(&t->lock, NULL);
        pthread_mutex_init(&t->seen_lock, NULL);
    }
    return t;
}

void fa_tally_free(fa_tally *t)
{
    if (!t)
        return;
    t->magic = 0;
    while (t->free_acc) {
        acc *a = t->free_acc;

        t->free_acc = a->next;
        free(a->slot);
        free(a);
    }
    for (uint16_t i = 0; i < t->ncurrency; i++)
        free(t->currency[i]);
    free(t->kept.slot);
    free(t->result);
    free(t->column);
    free(t->seen);
    pthread_mutex_destroy(&t->seen_lock);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

void fa_tally_measures(fa_tally *t, const fa_measure *m, size_t n)
{
    t->nmeasure = n < FA_M__COUNT ? n : FA_M__COUNT;
    memcpy(t->measure, m, t->nmeasure * sizeof *m);
}

uint64_t fa_tally_id(const fa_tally *t)
{
    return (uint64_t)(uintptr_t)t;
}

int64_t fa_tally_rows(const fa_tally *t)
{
    return atomic_load_explicit(&t->rows, memory_order_relaxed);
}

int64_t fa_tally_bad(const fa_tally *t)
{
    return atomic_load(&t->bad);
}

int64_t fa_tally_rounded(const fa_tally *t)
{
    return atomic_load(&t->rounded);
}

bool fa_tally_overflow(const fa_tally *t)
{
    return atomic_load(&t->overflow);
}

static size_t slot_hash(int32_t day, uint16_t currency)
{
    return (size_t)((uint64_t)(uint32_t)day * 0x9e3779b97f4a7c15u >> 40) + currency * 31u;
}

static struct slot *find_slot(acc *a, int32_t day, uint16_t currency);

static bool grow_acc(acc *a)
{
    acc next = {.cap = a->cap ? a->cap * 2 : 64};

    next.slot = calloc(next.cap, sizeof *next.slot);
    if (!next.slot)
        return false;
    for (size_t i = 0; i < a->cap; i++)
        if (a->slot[i].currency)
            *find_slot(&next, a->slot[i].day, a->slot[i].currency) = a->slot[i];
    free(a->slot);
    a->slot = next.slot;
    a->cap = next.cap;
    return true;
}

/* The slot of (day, currency), made when new; NULL only without memory. */
static struct slot *find_slot(acc *a, int32_t day, uint16_t currency)
{
    size_t i;

    if (a->n * 2 >= a->cap && a->cap < 64 && !grow_acc(a))
        return NULL;
    for (i = slot_hash(day, currency) & (a->cap - 1); a->slot[i].currency;
         i = (i + 1) & (a->cap - 1))
        if (a->slot[i].day == day && a->slot[i].currency == currency)
            return &a->slot[i];
    if (a->n * 2 >= a->cap) {
        if (!grow_acc(a))
            return NULL;
        return find_slot(a, day, currency);
    }
    a->n++;
    a->slot[i].day = day;
    a->slot[i].currency = currency;
    return &a->slot[i];
}

static acc *take_acc(fa_tally *t)
{
    acc *a;

    pthread_mutex_lock(&t->lock);
    a = t->free_acc;
    if (a)
        t->free_acc = a->next;
    pthread_mutex_unlock(&t->lock);
    return a ? a : calloc(1, sizeof(acc));
}

static void give_acc(fa_tally *t, acc *a)
{
    pthread_mutex_lock(&t->lock);
    a->next = t->free_acc;
    t->free_acc = a;
    pthread_mutex_unlock(&t->lock);
}

/* Index + 1 of a currency's name; 0: too many or no memory. */
static uint16_t currency_index(fa_tally *t, fa_str name)
{
    uint16_t found = 0;

    pthread_mutex_lock(&t->lock);
    for (uint16_t i = 0; i < t->ncurrency && !found; i++)
        if (fa_str_eqz(name, t->currency[i]))
            found = (uint16_t)(i + 1);
    if (!found && t->ncurrency < CURRENCIES_MAX) {
        char *copy = malloc(name.n + 1);

        if (copy) {
            memcpy(copy, name.p, name.n);
            copy[name.n] = '\0';
            t->currency[t->ncurrency++] = copy;
            found = t->ncurrency;
        }
    }
    pthread_mutex_unlock(&t->lock);
    return found;
}

typedef struct tally_in {
    const int32_t *day;
    const duckdb_string_t *currency;
    const duckdb_hugeint *m[FA_M__COUNT];
    const uint64_t *day_mask, *currency_mask, *m_mask[FA_M__COUNT];
} tally_in;

static bool tally_rows(fa_tally *t, acc *a, const tally_in *in, idx_t rows)
{
    static const fa_i128 max = FA_MONEY_MAX * FA_E18;
    fa_str last = {0};
    uint16_t index = 0;
    int64_t bad = 0;

    for (idx_t r = 0; r < rows; r++) {
        int32_t day = duck_valid(in->day_mask, r) ? in->day[r] : INT32_MIN;
        fa_str name = duck_valid(in->currency_mask, r) ? duck_text(&in->currency[r]) : FA_STR("");
        struct slot *s;

        bad += day == INT32_MIN || name.n == 0;
        if (!index || !fa_str_eq(name, last)) {
            index = currency_index(t, name);
            last = name;
        }
        if (!index || !(s = find_slot(a, day, index)))
            return false;
        s->rows++;
        for (size_t k = 0; k < t->nmeasure; k++) {
            fa_measure m = t->measure[k];
            fa_i128 v;

            if (!duck_valid(in->m_mask[k], r))
                continue;
            v = duck_i128(in->m[k][r]);
            s->values[m]++;
            bad += m < FA_M__MONEY && (v >= max || v <= -max);
            if (__builtin_add_overflow(s->sum[m], v, &s->sum[m]))
                atomic_store(&t->overflow, true);
        }
    }
    if (bad)
        atomic_fetch_add(&t->bad, bad);
    return true;
}

/* First argument of every function that counts: the tally, checked. */
static fa_tally *tally_arg(duckdb_function_info info, duckdb_data_chunk in)
{
    const uint64_t *id = duckdb_vector_get_data(duckdb_data_chunk_get_vector(in, 0));
    fa_tally *t = (fa_tally *)(uintptr_t)id[0];

    if (!t || t->magic != TALLY_MAGIC) {
        duckdb_scalar_function_set_error(info, "no such tally");
        return NULL;
    }
    return t;
}

static void run_tally(duckdb_function_info info, duckdb_data_chunk chunk, duckdb_vector out)
{
    idx_t rows = duckdb_data_chunk_get_size(chunk);
    duckdb_vector day = duckdb_data_chunk_get_vector(chunk, 1);
    duckdb_vector currency = duckdb_data_chunk_get_vector(chunk, 2);
    int32_t *to = duckdb_vector_get_data(out);
    tally_in in = {0};
    fa_tally *t;
    acc *a;

    if (rows == 0 || !(t = tally_arg(info, chunk)))
        return;
    in.day = duckdb_vector_get_data(day);
    in.day_mask = duckdb_vector_get_validity(day);
    in.currency = duckdb_vector_get_data(currency);
    in.currency_mask = duckdb_vector_get_validity(currency);
    if (duckdb_data_chunk_get_column_count(chunk) != t->nmeasure + 3) {
        duckdb_scalar_function_set_error(info, "measures of a row do not match");
        return;
    }
    for (size_t k = 0; k < t->nmeasure; k++) {
        duckdb_vector v = duckdb_data_chunk_get_vector(chunk, (idx_t)k + 3);

        in.m[k] = duckdb_vector_get_data(v);
        in.m_mask[k] = duckdb_vector_get_validity(v);
    }
    a = take_acc(t);
    if (!a || !tally_rows(t, a, &in, rows)) {
        atomic_store(&t->failed, true);
        duckdb_scalar_function_set_error(info,
                                         "control totals: out of memory or over 256 currencies");
    }
    if (a)
        give_acc(t, a);
    memcpy(to, in.day, rows * sizeof *to);
    if (in.day_mask) {
        duckdb_vector_ensure_validity_writable(out);
        for (idx_t r = 0; r < rows; r++)
            if (!duck_valid(in.day_mask, r))
                duckdb_validity_set_row_invalid(duckdb_vector_get_validity(out), r);
    }
    atomic_fetch_add_explicit(&t->rows, (int64_t)rows, memory_order_relaxed);
}

static bool merge_acc(fa_tally *t, acc *to, const acc *from)
{
    for (size_t i = 0; i < from->cap; i++) {
        const struct slot *f = &from->slot[i];
        struct slot *s;

        if (!f->currency)
            continue;
        if (!(s = find_slot(to, f->day, f->currency)))
            return false;
        s->rows += f->rows;
        for (int m = 0; m < FA_M__COUNT; m++) {
            s->values[m] += f->values[m];
            if (__builtin_add_overflow(s->sum[m], f->sum[m], &s->sum[m]))
                atomic_store(&t->overflow, true);
        }
    }
    return true;
}

static int cmp_row(const void *x, const void *y)
{
    const fa_tally_row *a = x, *b = y;
    int c = fa_str_cmp(a->currency, b->currency);

    return c ? c : (a->day > b->day) - (a->day < b->day);
}

/* Folds the threads' accumulators into the kept one. */
fa_rc fa_tally_keep(fa_tally *t, fa_err *e)
{
    for (acc *a = t->free_acc; a; a = a->next) {
        if (!merge_acc(t, &t->kept, a))
            return fa_oom(e);
        if (a->slot)
            memset(a->slot, 0, a->cap * sizeof *a->slot);
        a->n = 0;
    }
    t->kept_rows = atomic_load(&t->rows);
    return FA_OK;
}

void fa_tally_rewind(fa_tally *t)
{
    for (acc *a = t->free_acc; a; a = a->next) {
        if (a->slot)
            memset(a->slot, 0, a->cap * sizeof *a->slot);
        a->n = 0;
    }
    /* lines remembered by the forgotten reading get a first row again; a second one does no harm */
    free(t->seen);
    t->seen = NULL;
    t->nseen = t->seen_cap = 0;
    atomic_store(&t->rows, t->kept_rows);
    atomic_store(&t->bad, 0);
    atomic_store(&t->overflow, false);
}

fa_rc fa_tally_result(fa_tally *t, const fa_tally_row **out, size_t *n, fa_err *e)
{
    size_t k = 0;

    *out = NULL;
    *n = 0;
    free(t->seen); /* everything was read */
    t->seen = NULL;
    t->nseen = t->seen_cap = 0;
    if (fa_tally_keep(t, e))
        return e->rc;
    if (atomic_load(&t->overflow))
        return fa_fail(e, FA_EDATA, "a control total is past the fixed-point range");
    free(t->result);
    t->result = calloc(t->kept.n + 1, sizeof *t->result);
    if (!t->result)
        return fa_oom(e);
    for (size_t i = 0; i < t->kept.cap; i++) {
        const struct slot *s = &t->kept.slot[i];
        fa_tally_row *r;

        if (!s->currency)
            continue;
        r = &t->result[k++];
        r->day = s->day;
        r->currency = fa_str_of(t->currency[s->currency - 1]);
        r->rows = s->rows;
        memcpy(r->values, s->values, sizeof r->values);
        memcpy(r->sum_e18, s->sum, sizeof r->sum_e18);
    }
    qsort(t->result, k, sizeof *t->result, cmp_row);
    *out = t->result;
    *n = k;
    return FA_OK;
}

/* ---- fa_dec: text to DECIMAL(38,18) ---- */

/* The plain case "-123.4567" of at most 18 digits in all, without a division; false: take the long
 * way. */
static bool quick_dec(fa_str s, fa_i128 *out)
{
    static const int64_t scale[19] = {1000000000000000000,
                                      100000000000000000,
                                      10000000000000000,
                                      1000000000000000,
                                      100000000000000,
                                      10000000000000,
                                      1000000000000,
                                      100000000000,
                                      10000000000,
                                      1000000000,
                                      100000000,
                                      10000000,
                                      1000000,
                                      100000,
                                      10000,
                                      1000,
                                      100,
                                      10,
                                      1};
    size_t i = 0, digits = 0, places = 0;
    bool negative = s.n > 0 && s.p[0] == '-', point = false;
    int64_t v = 0;

    for (i = negative; i < s.n; i++) {
        unsigned d = (unsigned char)s.p[i] - '0';

        if (d <= 9) {
            if (++digits > 18)
                return false;
            v = v * 10 + (int64_t)d;
            places += point;
        } else if (s.p[i] == '.' && !point) {
            point = true;
        } else {
            return false;
        }
    }
    if (digits == 0)
        return false;
    *out = (fa_i128)(negative ? -v : v) * scale[places];
    return true;
}

static void set_null(duckdb_vector out, idx_t r)
{
    duckdb_vector_ensure_validity_writable(out);
    duckdb_validity_set_row_invalid(duckdb_vector_get_validity(out), r);
}

/* "$10,000.00 " is read as a person wrote it; commas alone may be another country's point. */
static bool slow_dec(fa_str s, fa_i128 *v, bool *rounded)
{
    bool by_hand =
        s.n && (memchr(s.p, '$', s.n) || (memchr(s.p, ',', s.n) && memchr(s.p, '.', s.n)));

    return fa_dec_parse(s, by_hand, v, rounded);
}

static void run_dec(duckdb_function_info info, duckdb_data_chunk chunk, duckdb_vector out)
{
    idx_t rows = duckdb_data_chunk_get_size(chunk);
    duckdb_vector in = duckdb_data_chunk_get_vector(chunk, 1);
    const duckdb_string_t *text = duckdb_vector_get_data(in);
    const uint64_t *mask = duckdb_vector_get_validity(in);
    duckdb_hugeint *to = duckdb_vector_get_data(out);
    int64_t bad = 0, rounded = 0;
    fa_tally *t;

    if (rows == 0 || !(t = tally_arg(info, chunk)))
        return;
    for (idx_t r = 0; r < rows; r++) {
        fa_i128 v = 0;
        bool was_rounded = false;

        if (!duck_valid(mask, r)) {
            set_null(out, r);
            continue;
        }
        if (!quick_dec(duck_text(&text[r]), &v) &&
            !slow_dec(fa_str_trim(duck_text(&text[r])), &v, &was_rounded)) {
            set_null(out, r);
            bad++;
        }
        rounded += was_rounded;
        to[r] = duck_huge(v);
    }
    if (bad)
        atomic_fetch_add(&t->bad, bad);
    if (rounded)
        atomic_fetch_add(&t->rounded, rounded);
}

/* ---- fa_credits: the amounts of a JSON list of credits ---- */

/* A credit that no commitment, sustained use or subscription brought about. */
static bool is_gift(fa_str type)
{
    static const char *const kinds[] = {"PROMOTION", "FREE_TIER", "DISCOUNT", "RESELLER_MARGIN"};

    for (size_t i = 0; i < FA_COUNT(kinds); i++)
        if (fa_str_eqz(type, kinds[i]))
            return true;
    return false;
}

/* The next string or bare word of JSON text at *p, as it stands; an empty one when a sign is next. */
static fa_str next_token(fa_str *s)
{
    fa_str t = {s->p, 0};

    if (s->n && s->p[0] == '"') {
        size_t i = 1;

        while (i < s->n && s->p[i] != '"')
            i += s->p[i] == '\\' ? 2 : 1;
        t = (fa_str){s->p + 1, i < s->n ? i - 1 : s->n - 1};
        i = i < s->n ? i + 1 : s->n;
        s->p += i;
        s->n -= i;
        return t;
    }
    while (t.n < s->n && !strchr(",:{}[] \t\r\n\"", t.p[t.n]))
        t.n++;
    s->p += t.n;
    s->n -= t.n;
    return t;
}

/* Amounts never pass through a double, so the list is not parsed into one: within each object the texts
 * behind "type" and "amount" are enough. false: not such a list. */
static bool sum_credits(fa_str s, bool gifts, fa_i128 *out, bool *rounded)
{
    fa_str key = {0}, type = {0}, amount = {0};
    bool is_value = false;

    *out = 0;
    s = fa_str_trim(s);
    if (s.n && s.p[0] != '[' && s.p[0] != '{')
        return false;
    while (s.n) {
        char c = s.p[0];

        if (c == '"' || !strchr(",:{}[] \t\r\n", c)) {
            fa_str t = next_token(&s);

            if (!is_value)
                key = t;
            else if (fa_str_eqz(key, "type"))
                type = t;
            else if (fa_str_eqz(key, "amount"))
                amount = t;
            continue;
        }
        if (c == '}' && amount.n && !fa_str_eqz(amount, "null")) {
            fa_i128 v;
            bool was = false;

            if (!fa_dec_parse(amount, false, &v, &was))
                return false;
            *rounded |= was;
            if ((!gifts || is_gift(type)) && __builtin_add_overflow(*out, v, out))
                return false;
        }
        if (c == '{' || c == '}')
            type = amount = (fa_str){0};
        if (!strchr(" \t\r\n", c))
            is_value = c == ':';
        s.p++;
        s.n--;
    }
    return true;
}

static void run_credits(duckdb_function_info info, duckdb_data_chunk chunk, duckdb_vector out)
{
    idx_t rows = duckdb_data_chunk_get_size(chunk);
    duckdb_vector in = duckdb_data_chunk_get_vector(chunk, 1);
    const duckdb_string_t *text = duckdb_vector_get_data(in);
    const uint64_t *mask = duckdb_vector_get_validity(in);
    const bool *gifts = duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, 2));
    duckdb_hugeint *to = duckdb_vector_get_data(out);
    fa_tally *t;

    if (rows == 0 || !(t = tally_arg(info, chunk)))
        return;
    for (idx_t r = 0; r < rows; r++) {
        fa_i128 v = 0;
        bool rounded = false;

        if (!duck_valid(mask, r)) {
            set_null(out, r);
        } else if (!sum_credits(duck_text(&text[r]), gifts[r], &v, &rounded)) {
            set_null(out, r);
            atomic_fetch_add(&t->bad, 1);
        }
        if (rounded)
            atomic_fetch_add(&t->rounded, 1);
        to[r] = duck_huge(v);
    }
}

/* ---- fa_time: text to TIMESTAMP (UTC) ---- */

static bool two(const char *p, int *out)
{
    if (p[0] < '0' || p[0] > '9' || p[1] < '0' || p[1] > '9')
        return false;
    *out = (p[0] - '0') * 10 + (p[1] - '0');
    return true;
}

/* "Z", "+02:00", "-0530", "+02" or nothing: the offset in minutes. */
static bool parse_zone(fa_str s, int *minutes)
{
    int h, m = 0;

    *minutes = 0;
    if (s.n == 0 || fa_str_eqz(s, "Z") || fa_str_eqz(s, "z") || fa_str_eqz(s, " UTC"))
        return true;
    if ((s.p[0] != '+' && s.p[0] != '-') || s.n < 3 || !two(s.p + 1, &h))
        return false;
    if (s.n == 6 && s.p[3] == ':' ? !two(s.p + 4, &m) : s.n == 5 ? !two(s.p + 3, &m) : s.n != 3)
        return false;
    if (h > 15 || m > 59)
        return false;
    *minutes = (s.p[0] == '-' ? -1 : 1) * (h * 60 + m);
    return true;
}

/* M/D/YYYY as Azure writes it, with or without zeros, and M/D/YY of hand-made files: how many bytes the
 * date takes; 0: none is there. */
static size_t parse_slashed(fa_str s, int32_t *day)
{
    uint64_t v[3];
    fa_str rest = s;
    size_t digits;

    for (int k = 0; k < 3; k++) {
        const char *start;

        if (k && !fa_take(&rest, "/"))
            return 0;
        start = rest.p;
        if (!fa_take_u64(&rest, &v[k]))
            return 0;
        digits = (size_t)(rest.p - start);
        if (k < 2 ? digits > 2 : digits != 2 && digits != 4)
            return 0;
    }
    if (v[2] < 100)
        v[2] += 2000;
    if (v[0] < 1 || v[0] > 12 || v[1] < 1 || v[1] > 31)
        return 0;
    *day = fa_day_of((int)v[2], (int)v[0], (int)v[1]);
    {
        char iso[16];
        int32_t same;

        (void)snprintf(iso, sizeof iso, "%04d-%02d-%02d", (int)v[2], (int)v[0], (int)v[1]);
        if (!fa_day_parse(fa_str_of(iso), &same)) /* 30 February */
            return 0;
    }
    return s.n - rest.n;
}

/* [(T| )HH:MM[:SS[.f{1,9}]]][zone] behind a date, in microseconds */
static bool parse_clock(fa_str t, int64_t *us)
{
    int h = 0, m = 0, sec = 0, zone = 0;
    int64_t frac = 0, unit = 100000;
    size_t i = 6;

    if ((t.p[0] != 'T' && t.p[0] != ' ' && t.p[0] != 't') || t.n < 6 || t.p[3] != ':' ||
        !two(t.p + 1, &h) || !two(t.p + 4, &m))
        return false;
    if (i + 2 < t.n && t.p[i] == ':') {
        if (!two(t.p + i + 1, &sec))
            return false;
        i += 3;
        if (i < t.n && t.p[i] == '.') {
            size_t start = ++i;

            for (; i < t.n && t.p[i] >= '0' && t.p[i] <= '9' && i - start < 9; i++) {
                frac += (t.p[i] - '0') * unit;
                unit /= 10;
            }
            if (i == start)
                return false;
        }
    }
    if (!parse_zone((fa_str){t.p + i, t.n - i}, &zone))
        return false;
    if (h > 47 || m > 59 ||
        sec > 60) /* T24:00 is midnight, T30:00 of a sample the next day's 06:00 */
        return false;
    *us = (((int64_t)h * 60 + m - zone) * 60 + sec) * 1000000 + frac;
    return true;
}

/* (YYYY-MM-DD | M/D/YYYY) and a clock or none */
static bool parse_time(fa_str s, int64_t *us)
{
    int64_t clock = 0;
    size_t date = 10;
    int32_t day;

    s = fa_str_trim(s);
    if ((s.n < 10 || !fa_day_parse((fa_str){s.p, 10}, &day)) && !(date = parse_slashed(s, &day)))
        return false;
    if (day < DAY_MIN || day > DAY_MAX)
        return false;
    if (s.n > date && !parse_clock((fa_str){s.p + date, s.n - date}, &clock))
        return false;
    *us = (int64_t)day * 86400000000 + clock;
    return true;
}

static void run_time(duckdb_function_info info, duckdb_data_chunk chunk, duckdb_vector out)
{
    idx_t rows = duckdb_data_chunk_get_size(chunk);
    duckdb_vector in = duckdb_data_chunk_get_vector(chunk, 1);
    const duckdb_string_t *text = duckdb_vector_get_data(in);
    const uint64_t *mask = duckdb_vector_get_validity(in);
    int64_t *to = duckdb_vector_get_data(out);
    int64_t bad = 0;
    fa_tally *t;

    if (rows == 0 || !(t = tally_arg(info, chunk)))
        return;
    for (idx_t r = 0; r < rows; r++) {
        to[r] = 0;
        if (!duck_valid(mask, r)) {
            set_null(out, r);
        } else if (!parse_time(duck_text(&text[r]), &to[r])) {
            set_null(out, r);
            bad++;
        }
    }
    if (bad)
        atomic_fetch_add(&t->bad, bad);
}

/* ---- fa_line: the identity of a line ---- */

/*
 * 128 bits of keyed hash over (position, length, bytes) of each text. Every billing string may come
 * from an attacker, so the mixing starts from a seed that each installation draws once; two lanes
 * of multiply-fold (as in wyhash) with different constants give the two halves.
 */
static inline uint64_t fold(uint64_t a, uint64_t b)
{
    fa_u128 p = (fa_u128)a * b;

    return (uint64_t)p ^ (uint64_t)(p >> 64);
}

static inline uint64_t load_le(const char *p, size_t n)
{
    uint64_t v = 0;

    memcpy(&v, p, n);
    return v;
}

typedef struct lanes {
    uint64_t a, b;
} lanes;

static inline void mix(lanes *h, uint64_t x, uint64_t y)
{
    h->a = fold(h->a ^ x ^ 0xa0761d6478bd642fu, h->b ^ y ^ 0xe7037ed1a0b428dbu) + y;
    h->b = fold(h->b ^ x ^ 0x8ebc6af09c88c6e3u, y ^ 0x589965cc75374cc3u ^ (h->a >> 7)) + x;
}

static void hash_text(lanes *h, fa_str s)
{
    const char *p = s.p;
    size_t n = s.n;

    mix(h, n, 0x1d8e4e27c47d124fu);
    for (; n > 16; n -= 16, p += 16)
        mix(h, load_le(p, 8), load_le(p + 8, 8));
    if (n > 8)
        mix(h, load_le(p, 8), load_le(p + 8, n - 8));
    else
        mix(h, load_le(p, n), 0x9e3779b97f4a7c15u);
}

fa_rc fa_tally_lines(fa_tally *t, uint64_t seed, const fa_str *name, size_t n, fa_err *e)
{
    uint64_t *column = calloc(n + 1, sizeof *column);

    if (!column)
        return fa_oom(e);
    for (size_t i = 0; i < n; i++) {
        lanes h = {0x2d358dccaa6c78a5u, 0x8bb84b93962eacc9u};

        hash_text(&h, name[i]);
        column[i] = h.a;
    }
    free(t->column);
    t->column = column;
    t->ncolumn = n;
    t->seed = seed;
    return FA_OK;
}

static void run_line(duckdb_function_info info, duckdb_data_chunk chunk, duckdb_vector out)
{
    idx_t rows = duckdb_data_chunk_get_size(chunk),
          cols = duckdb_data_chunk_get_column_count(chunk);
    duckdb_hugeint *to = duckdb_vector_get_data(out);
    fa_tally *t;
    lanes *h;

    if (rows == 0 || !(t = tally_arg(info, chunk)))
        return;
    h = malloc(rows * sizeof *h);
    if (!h || cols - 1 != t->ncolumn) {
        duckdb_scalar_function_set_error(info,
                                         h ? "columns of a line do not match" : "out of memory");
        free(h);
        return;
    }
    for (idx_t r = 0; r < rows; r++)
        h[r] = (lanes){t->seed ^ 0x2d358dccaa6c78a5u, t->seed * 0x9e3779b97f4a7c15u};
    for (idx_t c = 1; c < cols; c++) {
        duckdb_vector v = duckdb_data_chunk_get_vector(chunk, c);
        const duckdb_string_t *text = duckdb_vector_get_data(v);
        const uint64_t *mask = duckdb_vector_get_validity(v);
        uint64_t column = t->column[c - 1];

        for (idx_t r = 0; r < rows; r++) {
            if (!duck_valid(mask, r))
                continue;
            h[r].b ^= column;
            hash_text(&h[r], duck_text(&text[r]));
        }
    }
    for (idx_t r = 0; r < rows; r++) {
        mix(&h[r], 0x4be98134a5976fd3u, 0x3bc0993a5ad19a13u);
        to[r] = (duckdb_hugeint){.lower = h[r].a, .upper = (int64_t)h[r].b};
    }
    free(h);
}

/* ---- fa_first: the first row of each line ---- */

#define SEEN_MAX ((size_t)1 << 23) /* 128 MiB of hashes */

static bool grow_seen(fa_tally *t)
{
    size_t cap = t->seen_cap ? t->seen_cap * 2 : 1 << 14;
    fa_u128 *grown;

    if (cap > SEEN_MAX || !(grown = calloc(cap, sizeof *grown)))
        return false;
    for (size_t i = 0; i < t->seen_cap; i++) {
        size_t k;

        if (!t->seen[i])
            continue;
        for (k = (size_t)t->seen[i] & (cap - 1); grown[k]; k = (k + 1) & (cap - 1))
            ;
        grown[k] = t->seen[i];
    }
    free(t->seen);
    t->seen = grown;
    t->seen_cap = cap;
    return true;
}

/* True when h was not there. A full table says true without remembering. */
static bool see(fa_tally *t, fa_u128 h)
{
    size_t k;

    if (t->seen_cap)
        for (k = (size_t)h & (t->seen_cap - 1); t->seen[k]; k = (k + 1) & (t->seen_cap - 1))
            if (t->seen[k] == h)
                return false;
    if (t->nseen * 4 >= t->seen_cap * 3 && !grow_seen(t))
        return true;
    for (k = (size_t)h & (t->seen_cap - 1); t->seen[k]; k = (k + 1) & (t->seen_cap - 1))
        ;
    t->seen[k] = h;
    t->nseen++;
    return true;
}

static void run_first(duckdb_function_info info, duckdb_data_chunk chunk, duckdb_vector out)
{
    idx_t rows = duckdb_data_chunk_get_size(chunk);
    const fa_u128 *hash = duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, 1));
    bool *to = duckdb_vector_get_data(out);
    fa_tally *t;

    if (rows == 0 || !(t = tally_arg(info, chunk)))
        return;
    pthread_mutex_lock(&t->seen_lock);
    for (idx_t r = 0; r < rows; r++)
        to[r] = see(t, hash[r] | 1);
    pthread_mutex_unlock(&t->seen_lock);
}

/* ---- fa_units and fa_rest: an exact amount as whole 1e-10 units and what is left ---- */

static fa_i128 floor_units(fa_i128 v)
{
    return v / FA_E8 - (v % FA_E8 < 0);
}

static void run_units(duckdb_function_info info, duckdb_data_chunk chunk, duckdb_vector out)
{
    idx_t rows = duckdb_data_chunk_get_size(chunk);
    duckdb_vector in = duckdb_data_chunk_get_vector(chunk, 0);
    const duckdb_hugeint *v = duckdb_vector_get_data(in);
    const uint64_t *mask = duckdb_vector_get_validity(in);
    int64_t *to = duckdb_vector_get_data(out);

    for (idx_t r = 0; r < rows; r++) {
        fa_i128 u = duck_valid(mask, r) ? floor_units(duck_i128(v[r])) : 0;

        if (u > INT64_MAX || u < INT64_MIN)
            duckdb_scalar_function_set_error(
                info,
                "an amount of one line and day is past the fixed-point range (922,337,203.68)");
        to[r] = (int64_t)u;
    }
}

static void run_rest(duckdb_function_info info, duckdb_data_chunk chunk, duckdb_vector out)
{
    idx_t rows = duckdb_data_chunk_get_size(chunk);
    duckdb_vector in = duckdb_data_chunk_get_vector(chunk, 0);
    const duckdb_hugeint *v = duckdb_vector_get_data(in);
    const uint64_t *mask = duckdb_vector_get_validity(in);
    int32_t *to = duckdb_vector_get_data(out);

    (void)info;
    for (idx_t r = 0; r < rows; r++) {
        fa_i128 x = duck_valid(mask, r) ? duck_i128(v[r]) : 0;

        to[r] = (int32_t)(x - floor_units(x) * FA_E8);
    }
}

/* ---- fa_tags: a JSON object of texts in one form ---- */

#define TAGS_MAX 65536

static char *clean_tags(fa_str s)
{
    json_t *in = json_loadb(s.p, s.n, 0, NULL), *kept = NULL, *value;
    const char *key;
    char *text = NULL;

    if (!json_is_object(in) || !(kept = json_object()))
        goto done;
    json_object_foreach(in, key, value)
    {
        json_t *put = NULL;

        if (json_is_null(value) || (json_is_string(value) && json_string_length(value) == 0))
            continue;
        if (json_is_string(value)) {
            put = json_incref(value);
        } else {
            char *dump = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS);

            put = dump ? json_string(dump) : NULL;
            free(dump);
        }
        if (!put || json_object_set_new(kept, key, put) != 0)
            goto done;
    }
    text = json_dumps(kept, JSON_COMPACT | JSON_SORT_KEYS);
done:
    json_decref(in);
    json_decref(kept);
    return text;
}

static void run_tags(duckdb_function_info info, duckdb_data_chunk chunk, duckdb_vector out)
{
    idx_t rows = duckdb_data_chunk_get_size(chunk);
    duckdb_vector in = duckdb_data_chunk_get_vector(chunk, 0);
    const duckdb_string_t *text = duckdb_vector_get_data(in);
    const uint64_t *mask = duckdb_vector_get_validity(in);

    (void)info;
    for (idx_t r = 0; r < rows; r++) {
        fa_str s = duck_valid(mask, r) ? duck_text(&text[r]) : FA_STR("");
        char *clean = s.n && s.n <= TAGS_MAX ? clean_tags(s) : NULL;

        if (clean)
            duckdb_vector_assign_string_element_len(out, r, clean, strlen(clean));
        else
            set_null(out, r);
        free(clean);
    }
}

/* ---- fa_cell: (bucket, group) of a fact in a scan ---- */

static void run_cell(duckdb_function_info info, duckdb_data_chunk chunk, duckdb_vector out)
{
    idx_t rows = duckdb_data_chunk_get_size(chunk);
    const uint64_t *id = duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, 0));
    const int32_t *day = duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, 1));
    const uint32_t *line = duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, 2));
    uint64_t *to = duckdb_vector_get_data(out);
    const fa_cell_map *map;
    const fa_scan *q;

    if (rows == 0)
        return;
    map = (const fa_cell_map *)(uintptr_t)id[0];
    if (!map || map->magic != FA_CELL_MAGIC) {
        duckdb_scalar_function_set_error(info, "no such scan");
        return;
    }
    q = map->scan;
    for (idx_t r = 0; r < rows; r++) {
        uint32_t group = !q->group ? 0 : line[r] < q->nline ? q->group[line[r]] : FA_NO_GROUP;
        uint32_t bucket = 0;

        if (day[r] < q->from || day[r] > q->to)
            group = FA_NO_GROUP; /* a row that the range filter is about to drop */
        else if (q->bucket)
            bucket = q->bucket[day[r] - q->from];
        to[r] = group == FA_NO_GROUP ? FA_CELL_NONE : (uint64_t)bucket << 32 | group;
    }
}

/* ---- registration ---- */

#define DEC DUCKDB_TYPE_DECIMAL
#define TXT DUCKDB_TYPE_VARCHAR
#define U64 DUCKDB_TYPE_UBIGINT
static const fa_function_row functions[] = {
    {"fa_dec", run_dec, DEC, {U64, TXT}, DUCKDB_TYPE_INVALID, false},
    {"fa_time", run_time, DUCKDB_TYPE_TIMESTAMP, {U64, TXT}, DUCKDB_TYPE_INVALID, false},
    {"fa_tally", run_tally, DUCKDB_TYPE_DATE, {U64, DUCKDB_TYPE_DATE, TXT}, DEC, false},
    {"fa_line", run_line, DUCKDB_TYPE_UUID, {U64}, TXT, false},
    {"fa_first",
     run_first,
     DUCKDB_TYPE_BOOLEAN,
     {U64, DUCKDB_TYPE_UUID},
     DUCKDB_TYPE_INVALID,
     false},
    {"fa_credits", run_credits, DEC, {U64, TXT, DUCKDB_TYPE_BOOLEAN}, DUCKDB_TYPE_INVALID, false},
    {"fa_units", run_units, DUCKDB_TYPE_BIGINT, {DEC}, DUCKDB_TYPE_INVALID, true},
    {"fa_rest", run_rest, DUCKDB_TYPE_INTEGER, {DEC}, DUCKDB_TYPE_INVALID, true},
    {"fa_tags", run_tags, TXT, {TXT}, DUCKDB_TYPE_INVALID, true},
    {"fa_cell",
     run_cell,
     U64,
     {U64, DUCKDB_TYPE_DATE, DUCKDB_TYPE_UINTEGER},
     DUCKDB_TYPE_INVALID,
     false},
};

static duckdb_logical_type make_type(duckdb_type t)
{
    return t == DEC ? duckdb_create_decimal_type(38, 18) : duckdb_create_logical_type(t);
}

#if defined(__SANITIZE_THREAD__)
char fa_duck_fence;

static void call_fenced(duckdb_function_info info, duckdb_data_chunk in, duckdb_vector out)
{
    const fa_function_row *row = duckdb_scalar_function_get_extra_info(info);

    FA_DUCK_TAKES();
    row->fn(info, in, out);
    FA_DUCK_GIVES();
}

static void set_function(duckdb_scalar_function f, const fa_function_row *row)
{
    duckdb_scalar_function_set_extra_info(f, (void *)row, NULL);
    duckdb_scalar_function_set_function(f, call_fenced);
}
#else
static void set_function(duckdb_scalar_function f, const fa_function_row *row)
{
    duckdb_scalar_function_set_function(f, row->fn);
}
#endif

static fa_rc register_function(duckdb_connection con, const fa_function_row *row, fa_err *e)
{
    duckdb_scalar_function f = duckdb_create_scalar_function();
    duckdb_logical_type t;
    duckdb_state state;

    duckdb_scalar_function_set_name(f, row->name);
    for (size_t k = 0; k < FA_COUNT(row->arg) && row->arg[k] != DUCKDB_TYPE_INVALID; k++) {
        t = make_type(row->arg[k]);
        duckdb_scalar_function_add_parameter(f, t);
        duckdb_destroy_logical_type(&t);
    }
    if (row->varargs != DUCKDB_TYPE_INVALID) {
        t = make_type(row->varargs);
        duckdb_scalar_function_set_varargs(f, t);
        duckdb_destroy_logical_type(&t);
    }
    t = make_type(row->out);
    duckdb_scalar_function_set_return_type(f, t);
    duckdb_destroy_logical_type(&t);
    duckdb_scalar_function_set_special_handling(f);
    if (!row->pure)
        duckdb_scalar_function_set_volatile(f);
    set_function(f, row);
    state = duckdb_register_scalar_function(con, f);
    duckdb_destroy_scalar_function(&f);
    return state == DuckDBSuccess
               ? FA_OK
               : fa_fail(e, FA_EINTERNAL, "the engine refused the function %s", row->name);
}

fa_rc fa_duck_functions(duckdb_connection con, fa_err *e)
{
    for (size_t i = 0; i < FA_COUNT(functions); i++)
        if (register_function(con, &functions[i], e))
            return e->rc;
    for (size_t i = 0; i < fa_nlookup_functions; i++)
        if (register_function(con, &fa_lookup_functions[i], e))
            return e->rc;
    return FA_OK;
}
