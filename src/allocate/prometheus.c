/*
 * prometheus.c - a metric of a Prometheus server as telemetry: range queries, one number per day and labels.
 *
 * The one idea: samples five minutes apart; a counter's day is the sum of its increments, so each sample is
 * what came in the five minutes before it, and a gauge's day is the mean of its samples (integrations.md 14).
 */
#include "allocate/points.h"
#include "net/net.h"

#include <string.h>

enum {
    STEP = 300,
    PER_QUERY = 30 /* days: below the server's 11,000 points */,
    BODY_MAX = 256 << 20
};

/* The query with what makes one series per combination of the fields. */
static void put_query(fa_buf *b, const fa_telemetry *t)
{
    fa_buf_z(b, "sum by (");
    for (size_t i = 0; t->field.n && i <= t->nadditional; i++) {
        fa_buf_z(b, i ? ", " : "");
        fa_buf_str(b, i ? t->additional[i - 1] : t->field);
    }
    fa_buf_z(b, ") (");
    if (t->is_counter && !memchr(t->query.p, '(', t->query.n))
        fa_buf_fmt(b, "increase(%.*s[5m])", FA_FMT(t->query));
    else
        fa_buf_str(b, t->query);
    fa_buf_c(b, ')');
}

static void put_address(fa_buf *b, const fa_telemetry *t, int32_t from, int32_t to)
{
    fa_str url = t->url;
    int64_t start = (int64_t)from * 86400, end = ((int64_t)to + 1) * 86400;
    fa_buf q;

    while (url.n && url.p[url.n - 1] == '/')
        url.n--;
    if (t->is_counter)
        start += STEP;
    else
        end -= STEP;
    fa_buf_init(&q, 1 << 20);
    put_query(&q, t);
    fa_buf_fmt(b, "%.*s/api/v1/query_range?query=", FA_FMT(url));
    fa_buf_url(b, fa_buf_view(&q));
    fa_buf_fmt(b, "&start=%lld&end=%lld&step=%d", (long long)start, (long long)end, STEP);
    b->failed |= q.failed;
    fa_buf_release(&q);
}

/* Sums and counts of one series, by day. */
typedef struct series {
    fa_i128 sum;
    int64_t n;
} series;

static fa_rc take_sample(const fa_telemetry *t, const json_t *sample, int32_t from, int32_t to,
                         series *day)
{
    const json_t *when = json_array_get(sample, 0), *what = json_array_get(sample, 1);
    fa_str text = {json_string_value(what), json_string_length(what)};
    int64_t at, d;
    fa_i128 v;

    if (!json_is_number(when) || !json_is_string(what))
        return FA_EDATA;
    if (!fa_dec_parse(text, false, &v, NULL))
        return FA_OK; /* NaN and infinities are samples of nothing */
    at = (int64_t)json_number_value(when) - t->is_counter;
    d = at / 86400;
    if (at < 0 || d < from || d > to)
        return FA_OK;
    day[d - from].sum += v;
    day[d - from].n++;
    return FA_OK;
}

static fa_rc put_days(fa_incoming *in, const json_t *labels, int32_t from, int32_t to,
                      const series *day)
{
    const fa_telemetry *t = in->t;
    fa_str value[FA_TELEMETRY_FIELDS_MAX];
    fa_buf b;
    fa_rc rc = FA_OK;

    for (size_t i = 0; i < FA_COUNT(value); i++) {
        const char *name = !t->field.n || i > t->nadditional ? NULL
                           : i                               ? t->additional[i - 1].p
                                                             : t->field.p;
        const json_t *v =
            name ? json_object_get(labels, name) : NULL; /* in arenas: ends with NUL */

        value[i] = v && json_is_string(v)
                       ? fa_arena_dup(in->a, (fa_str){json_string_value(v), json_string_length(v)})
                       : (fa_str){"", 0};
        if (!value[i].p)
            return fa_oom(in->e);
    }
    fa_buf_init(&b, 256);
    for (int32_t d = from; !rc && d <= to; d++) {
        const series *s = &day[d - from];
        fa_str amount;

        if (!s->n)
            continue;
        fa_buf_clear(&b);
        fa_dec_emit(&b, t->is_counter ? s->sum : s->sum / s->n, 18, 0);
        amount = fa_buf_dup(&b, in->a);
        rc = amount.p ? fa_incoming_add(in, 0, t->metric[0], d, value, amount) : fa_oom(in->e);
    }
    fa_buf_release(&b);
    return rc;
}

static fa_rc take_answer(fa_incoming *in, const json_t *answer, int32_t from, int32_t to)
{
    const json_t *result = json_object_get(json_object_get(answer, "data"), "result");
    size_t days = (size_t)(to - from) + 1;
    series *day = fa_arena_array(in->a, days, sizeof *day);

    if (!day)
        return fa_oom(in->e);
    if (!json_is_array(result))
        return fa_fail(in->e, FA_EDATA, "the server did not answer as Prometheus does");
    for (size_t i = 0; i < json_array_size(result); i++) {
        const json_t *one = json_array_get(result, i), *values = json_object_get(one, "values");

        memset(day, 0, days * sizeof *day);
        in->out->rows += (int64_t)json_array_size(values);
        for (size_t k = 0; k < json_array_size(values); k++)
            if (take_sample(in->t, json_array_get(values, k), from, to, day))
                return fa_fail(in->e, FA_EDATA, "a sample of the server is no time and number");
        if (put_days(in, json_object_get(one, "metric"), from, to, day))
            return in->e->rc;
    }
    return FA_OK;
}

static fa_rc ask(fa_incoming *in, fa_net *net, int32_t from, int32_t to)
{
    fa_net_request q = {.max_body = BODY_MAX, .tries = 2};
    fa_net_response r;
    json_t *answer = NULL;
    fa_buf url;
    fa_rc rc;

    fa_buf_init(&url, 1 << 20);
    put_address(&url, in->t, from, to);
    if (url.failed) {
        rc = fa_oom(in->e);
        goto done;
    }
    q.url = url.p;
    if ((rc = fa_net_send(net, in->a, &q, &r, in->e)) ||
        (rc = fa_net_judge(&r, "the Prometheus server", in->e)))
        goto done;
    answer = json_loadb(r.body.p, r.body.n, 0, NULL);
    rc = answer ? take_answer(in, answer, from, to)
                : fa_fail(in->e, FA_EDATA, "the server did not answer as Prometheus does");
done:
    json_decref(answer);
    fa_buf_release(&url);
    return rc;
}

/* From three days before the last known one, for what came late; the first time a month; complete days only. */
static fa_rc days_to_ask(fa_ledger *l, fa_arena *a, fa_str id, int32_t *from, int32_t *to,
                         fa_err *e)
{
    fa_telemetry_span s;

    *to = fa_ms_day(fa_now_ms()) - 1;
    *from = *to - (PER_QUERY - 1);
    if (fa_telemetry_span_get(fa_ledger_store(l), a, fa_ledger_account(l), id, &s, e))
        return e->rc;
    if (s.last != INT32_MIN && s.last <= *to)
        *from = s.last - 2;
    return FA_OK;
}

fa_rc fa_telemetry_prometheus(fa_ledger *l, fa_net *net, fa_arena *a, fa_str id, fa_intake *out,
                              fa_err *e)
{
    fa_telemetry t;
    fa_err scratch = {0};
    fa_incoming in = {.l = l, .a = a, .t = &t, .out = out, .e = e ? e : &scratch};
    int32_t from, to;

    *out = (fa_intake){.file = FA_STR("prometheus"), .first = INT32_MIN, .last = INT32_MIN};
    if (fa_telemetry_get(l, a, id, &t, in.e) || days_to_ask(l, a, id, &from, &to, in.e))
        return in.e->rc;
    if (!fa_str_eqz(t.type, "prometheus"))
        return fa_fail(in.e, FA_EDATA, "the telemetry \"%.*s\" is no Prometheus query",
                       FA_FMT(t.name));
    for (int32_t d = from; d <= to; d += PER_QUERY)
        if (ask(&in, net, d, d + PER_QUERY - 1 < to ? d + PER_QUERY - 1 : to))
            return in.e->rc;
    return fa_incoming_write(&in, out->file, FA_STR(""), from, to, false);
}

fa_rc fa_telemetry_refresh(fa_ledger *l, fa_net *net, fa_arena *a, fa_str id, fa_intake **out,
                           size_t *n, fa_err *e)
{
    fa_telemetry t;
    fa_err scratch = {0}, none = {0};
    fa_rc rc;

    e = e ? e : &scratch;
    *n = 0;
    if ((rc = fa_telemetry_get(l, a, id, &t, e)))
        return rc;
    if (fa_str_eqz(t.type, "csv"))
        return fa_telemetry_drop(l, a, id, 0, out, n, e);
    if (!fa_str_eqz(t.type, "prometheus"))
        return FA_OK; /* pushes come by themselves; ratios are read from the bill when they are needed */
    *out = fa_arena_alloc(a, sizeof **out);
    if (!*out)
        return fa_oom(e);
    *n = 1;
    rc = fa_telemetry_prometheus(l, net, a, id, *out, e);
    if (rc && rc != FA_ENOTFOUND &&
        fa_telemetry_failed(fa_ledger_store(l), fa_ledger_account(l), id, fa_str_of(e->msg), &none))
        fa_log(FA_LOG_WARN, "telemetry", "error=\"%s\"", none.msg);
    return rc;
}
