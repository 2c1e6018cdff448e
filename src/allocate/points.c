/*
 * points.c - points into the store and out of it: a file's new content against what it brought before.
 *
 * The one idea: both sides are sorted and walked together, so only what differs is written, only days that
 * differ are marked, and a file that comes again any number of times, in any order, leaves the same points.
 */
#include "allocate/points.h"

#include <stdlib.h>
#include <string.h>

/* ---- words about what came ---- */

__attribute__((format(printf, 5, 0))) static fa_rc add_words(fa_arena *a, fa_str *list, size_t *n,
                                                             const char *prefix, const char *fmt,
                                                             va_list ap, fa_err *e)
{
    char text[512];

    if (*n == FA_INTAKE_WORDS)
        return FA_OK;
    vsnprintf(text, sizeof text, fmt, ap);
    list[*n] = fa_str_of(fa_arena_printf(a, "%s%s", prefix, text));
    return list[(*n)++].p ? FA_OK : fa_oom(e);
}

fa_rc fa_incoming_warn(fa_incoming *in, const char *fmt, ...)
{
    va_list ap;
    fa_rc rc;

    va_start(ap, fmt);
    rc = add_words(in->a, in->out->warning, &in->out->nwarning, "", fmt, ap, in->e);
    va_end(ap);
    return rc;
}

fa_rc fa_incoming_reject(fa_incoming *in, int64_t line, const char *fmt, ...)
{
    char prefix[40];
    va_list ap;
    fa_rc rc;

    snprintf(prefix, sizeof prefix, "line %lld: ", (long long)line);
    in->out->rejected++;
    va_start(ap, fmt);
    rc = add_words(in->a, in->out->reject, &in->out->nreject, prefix, fmt, ap, in->e);
    va_end(ap);
    return rc;
}

/* ---- gathering ---- */

static fa_rc key_of(fa_incoming *in, const fa_str *value, fa_str *out)
{
    size_t n = in->t->nadditional + 1, bytes = n;
    char *p;

    for (size_t i = 0; i < n; i++)
        bytes += value[i].n;
    p = fa_arena_alloc(in->a, bytes);
    if (!p)
        return fa_oom(in->e);
    out->p = p;
    for (size_t i = 0; i < n; i++) {
        if (i)
            *p++ = FA_KEY_SEP;
        if (value[i].n)
            memcpy(p, value[i].p, value[i].n);
        p += value[i].n;
    }
    out->n = (size_t)(p - out->p);
    return FA_OK;
}

static bool is_text(fa_str s)
{
    return s.n <= 1000 && fa_utf8_valid(s) && (!s.n || !memchr(s.p, FA_KEY_SEP, s.n)) &&
           (!s.n || !memchr(s.p, 0, s.n));
}

static fa_rc grow(fa_incoming *in)
{
    size_t cap = in->cap ? in->cap * 2 : 256;
    fa_telemetry_point *more;

    if (in->n < in->cap)
        return FA_OK;
    more = fa_arena_array(in->a, cap, sizeof *more);
    if (!more)
        return fa_oom(in->e);
    if (in->n)
        memcpy(more, in->point, in->n * sizeof *more);
    in->point = more;
    in->cap = cap;
    return FA_OK;
}

fa_rc fa_incoming_add(fa_incoming *in, int64_t line, fa_str metric, int32_t day,
                      const fa_str *value, fa_str amount)
{
    const fa_i128 most = FA_E18 * FA_E18;
    fa_telemetry_point *p;
    fa_i128 v;

    for (size_t i = 0; i <= in->t->nadditional; i++) {
        fa_str field = i ? in->t->additional[i - 1] : in->t->field;

        if (!is_text(value[i]))
            return fa_incoming_reject(in, line, "the value of \"%.*s\" is no text of 1,000 bytes",
                                      FA_FMT(field));
    }
    amount = fa_str_trim(amount);
    if (!fa_dec_parse(amount, false, &v, NULL))
        return fa_incoming_reject(in, line, "\"%.*s\" is not a number",
                                  (int)(amount.n > 60 ? 60 : amount.n), amount.p);
    if (v >= most || v <= -most)
        return fa_incoming_reject(in, line, "\"%.*s\" is 1e18 or more",
                                  (int)(amount.n > 60 ? 60 : amount.n), amount.p);
    if (grow(in))
        return in->e->rc;
    p = &in->point[in->n];
    *p = (fa_telemetry_point){.metric = metric, .day = day, .amount = amount};
    if (key_of(in, value, &p->key))
        return in->e->rc;
    in->n++;
    return FA_OK;
}

/* ---- order and duplicates ---- */

static int cmp_points(const fa_telemetry_point *x, const fa_telemetry_point *y)
{
    int c = fa_str_cmp(x->metric, y->metric);

    if (c == 0)
        c = (x->day > y->day) - (x->day < y->day);
    return c ? c : fa_str_cmp(x->key, y->key);
}

static int by_point(const void *x, const void *y)
{
    return cmp_points(x, y);
}

static fa_i128 amount_of(fa_str s)
{
    fa_i128 v = 0;

    (void)fa_dec_parse(s, false, &v, NULL); /* it went through before */
    return v;
}

static fa_rc amount_text(fa_arena *a, fa_i128 v, fa_str *out, fa_err *e)
{
    fa_buf b;

    fa_buf_init(&b, 128);
    fa_dec_emit(&b, v, 18, 0);
    *out = fa_buf_dup(&b, a);
    fa_buf_release(&b);
    return out->p ? FA_OK : fa_oom(e);
}

static void day_text(char out[16], int32_t day)
{
    int y, m, d;

    fa_day_civil(day, &y, &m, &d);
    snprintf(out, 16, "%04d-%02d-%02d", y, m, d);
}

/* Sorts; points of one metric, day and key become their sum; amounts get their one spelling. */
static fa_rc settle(fa_incoming *in)
{
    size_t n = 0, doubled = 0, negative = 0;
    char first[16] = "", bad[16] = "";

    if (in->n)
        qsort(in->point, in->n, sizeof *in->point, by_point);
    for (size_t i = 0; i < in->n;) {
        fa_telemetry_point p = in->point[i];
        fa_i128 sum = 0;
        size_t k = i, given = 0; /* a push may take points away: they have no amount */

        for (; k < in->n && cmp_points(&in->point[k], &p) == 0; k++) {
            sum += amount_of(in->point[k].amount);
            given += in->point[k].amount.n > 0;
        }
        if (k - i > 1 && !doubled)
            day_text(first, p.day);
        doubled += k - i - 1;
        if (sum < 0 && !negative++)
            day_text(bad, p.day);
        if (given && amount_text(in->a, sum, &p.amount, in->e))
            return in->e->rc;
        i = k;
        in->point[n++] = p;
    }
    in->n = n;
    if (doubled &&
        fa_incoming_warn(in,
                         "%zu rows repeat the day and fields of another, the first on %s: "
                         "they are added up",
                         doubled, first))
        return in->e->rc;
    if (negative &&
        fa_incoming_warn(in, "%zu values are negative, the first on %s: they count as 0", negative,
                         bad))
        return in->e->rc;
    return FA_OK;
}

/* ---- writing ---- */

typedef struct writing {
    fa_incoming *in;
    fa_store *s;
    fa_str account;
    int64_t file;
    int32_t *day; /* that changed */
    size_t nday, cap;
} writing;

static fa_rc mark(writing *w, int32_t day)
{
    if (w->nday && w->day[w->nday - 1] == day)
        return FA_OK;
    if (w->nday == w->cap) {
        size_t cap = w->cap ? w->cap * 2 : 64;
        int32_t *more = fa_arena_array(w->in->a, cap, sizeof *more);

        if (!more)
            return fa_oom(w->in->e);
        if (w->nday)
            memcpy(more, w->day, w->nday * sizeof *more);
        w->day = more;
        w->cap = cap;
    }
    w->day[w->nday++] = day;
    return FA_OK;
}

static fa_rc put_point(writing *w, const fa_telemetry_point *p)
{
    if (fa_telemetry_point_put(w->s, w->account, w->in->t->id, w->file, p, w->in->e))
        return w->in->e->rc;
    return mark(w, p->day);
}

static fa_rc drop_point(writing *w, const fa_telemetry_point *p)
{
    if (fa_telemetry_point_drop(w->s, w->account, w->in->t->id, w->file, p, w->in->e))
        return w->in->e->rc;
    return mark(w, p->day);
}

/* `old` and the incoming points walked together; an empty amount is a point to take away. */
static fa_rc write_changes(writing *w, const fa_telemetry_point *old, size_t nold, bool only_given)
{
    const fa_incoming *in = w->in;
    size_t i = 0, k = 0;

    while (i < nold || k < in->n) {
        int c = i == nold ? 1 : k == in->n ? -1 : cmp_points(&old[i], &in->point[k]);
        fa_rc rc = FA_OK;

        if (c < 0) {
            if (!only_given)
                rc = drop_point(w, &old[i]);
            i++;
        } else if (c > 0) {
            if (in->point[k].amount.n)
                rc = put_point(w, &in->point[k]);
            k++;
        } else {
            if (!in->point[k].amount.n)
                rc = drop_point(w, &old[i]);
            else if (!fa_str_eq(old[i].amount, in->point[k].amount))
                rc = put_point(w, &in->point[k]);
            i++;
            k++;
        }
        if (rc)
            return rc;
    }
    return FA_OK;
}

static int by_day(const void *x, const void *y)
{
    int32_t a = *(const int32_t *)x, b = *(const int32_t *)y;

    return (a > b) - (a < b);
}

static fa_rc mark_days(writing *w)
{
    fa_incoming *in = w->in;
    fa_str id = in->t->id;
    int32_t last = INT32_MIN;

    if (fa_telemetry_received(w->s, w->account, id, fa_now_ms(), w->nday > 0, in->e))
        return in->e->rc;
    if (w->nday)
        qsort(w->day, w->nday, sizeof *w->day, by_day);
    for (size_t i = 0; i < w->nday; i++) {
        if (w->day[i] == last)
            continue;
        last = w->day[i];
        in->out->changed++;
        if (fa_telemetry_day_changed(w->s, w->account, id, last, in->e))
            return in->e->rc;
    }
    return FA_OK;
}

static void count_days(fa_incoming *in)
{
    fa_intake *o = in->out;
    int32_t last = INT32_MIN;

    o->first = o->last = INT32_MIN;
    for (size_t i = 0; i < in->n; i++) {
        const fa_telemetry_point *p = &in->point[i];

        o->days += p->day != last && (p->day > o->last || o->last == INT32_MIN);
        last = p->day;
        if (o->first == INT32_MIN || p->day < o->first)
            o->first = p->day;
        if (p->day > o->last)
            o->last = p->day;
    }
    o->points = (int64_t)in->n;
}

static fa_rc write_file(writing *w, fa_str name, fa_str hash, int32_t from, int32_t to,
                        bool only_given)
{
    fa_incoming *in = w->in;
    fa_telemetry_file f = {.name = name, .hash = hash, .received_ms = fa_now_ms()};
    fa_telemetry_point *old;
    size_t nold;
    fa_buf b;
    fa_jw j;

    /* Twice: the first gives it an id, the second says what became of it. */
    f.detail = FA_STR("{}");
    if (fa_telemetry_file_put(w->s, w->account, in->t->id, &f, in->e) ||
        fa_telemetry_file_get(w->s, in->a, w->account, in->t->id, name, &f, in->e))
        return in->e->rc;
    w->file = f.id;
    if (fa_telemetry_points_of_file(w->s, in->a, w->account, in->t->id, f.id, from, to, &old, &nold,
                                    in->e) ||
        write_changes(w, old, nold, only_given) || mark_days(w))
        return in->e->rc;
    fa_buf_init(&b, 1 << 20);
    fa_jw_init(&j, &b);
    fa_intake_json(&j, in->out);
    f.detail = fa_buf_dup(&b, in->a);
    fa_buf_release(&b);
    if (!f.detail.p)
        return fa_oom(in->e);
    return fa_telemetry_file_put(w->s, w->account, in->t->id, &f, in->e);
}

fa_rc fa_incoming_write(fa_incoming *in, fa_str file, fa_str hash, int32_t from, int32_t to,
                        bool only_given)
{
    writing w = {.in = in, .s = fa_ledger_store(in->l), .account = fa_ledger_account(in->l)};
    fa_rc rc;

    if (settle(in))
        return in->e->rc;
    count_days(in);
    if ((rc = fa_store_begin(w.s, in->e)))
        return rc;
    rc = write_file(&w, file, hash, from, to, only_given);
    if (!rc)
        rc = fa_store_commit(w.s, in->e);
    if (rc)
        fa_store_rollback(w.s);
    else if (w.nday)
        fa_telemetry_touch();
    return rc;
}

/* ---- reading ---- */

static fa_rc split_key(fa_arena *a, const fa_telemetry *t, fa_str key, const fa_str **out,
                       fa_err *e)
{
    size_t n = t->nadditional + 1;
    fa_str *value = fa_arena_array(a, n, sizeof *value);

    if (!value)
        return fa_oom(e);
    for (size_t i = 0; i < n; i++) {
        const char *sep = key.n ? memchr(key.p, FA_KEY_SEP, key.n) : NULL;
        size_t len = sep ? (size_t)(sep - key.p) : key.n;

        value[i] = (fa_str){key.p, len};
        key = sep ? (fa_str){sep + 1, key.n - len - 1} : (fa_str){"", 0};
    }
    *out = value;
    return FA_OK;
}

fa_rc fa_telemetry_points(fa_ledger *l, fa_arena *a, fa_str id, fa_str metric, int32_t from,
                          int32_t to, fa_point **out, size_t *n, fa_err *e)
{
    fa_telemetry t;
    fa_telemetry_point *p;
    size_t np;
    fa_rc rc;

    *n = 0;
    if ((rc = fa_telemetry_get(l, a, id, &t, e)) ||
        (rc = fa_telemetry_point_list(fa_ledger_store(l), a, fa_ledger_account(l), id, metric, from,
                                      to, &p, &np, e)))
        return rc;
    *out = fa_arena_array(a, np + 1, sizeof **out);
    if (!*out)
        return fa_oom(e);
    for (size_t i = 0; i < np; i++) {
        fa_point *v = *n ? &(*out)[*n - 1] : NULL;

        if (i && p[i].day == p[i - 1].day && fa_str_eq(p[i].key, p[i - 1].key)) {
            v->amount_e18 += amount_of(p[i].amount); /* another file's */
            continue;
        }
        v = &(*out)[(*n)++];
        v->day = p[i].day;
        v->amount_e18 = amount_of(p[i].amount);
        if ((rc = split_key(a, &t, p[i].key, &v->value, e)))
            return rc;
    }
    return FA_OK;
}
