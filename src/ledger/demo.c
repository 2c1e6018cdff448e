/*
 * demo.c - runs demo.sql and loads what comes out.
 *
 * The statements are text in demo.sql; here they get their numbers, run one after the other in an
 * engine in memory, and "row" becomes one COPY per billing month. The files are ordinary bills:
 * they go through the same load as anybody's.
 *
 * A setting remembers what was loaded, so that a second demo of the same rows is found out without
 * making them again.
 */
#include "ledger/demo.h"

#include "base/embed.h"
#include "ledger/inner.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DAYS 395
#define MONTHS_MAX 15
#define MARK "\n-- @"
#define SOURCE "demo"
#define SETTING "demo"
#define GENERATION 1 /* of the rows: grows when demo.sql makes other ones */
#define SHARE 0.45   /* of the whole progress, when a load follows */

extern const fa_embedded fa_demo_sql[];

static const struct {
    const char *ending, *copy;
} formats[FA_DEMO__FORMATS] = {
    [FA_DEMO_PARQUET] = {"parquet", "FORMAT parquet, COMPRESSION zstd"},
    [FA_DEMO_CSV] = {"csv", "FORMAT csv, HEADER, TIMESTAMPFORMAT '%Y-%m-%dT%H:%M:%SZ'"},
    [FA_DEMO_CSV_GZ] =
        {"csv.gz", "FORMAT csv, HEADER, COMPRESSION gzip, TIMESTAMPFORMAT '%Y-%m-%dT%H:%M:%SZ'"},
};

const char *fa_demo_ending(fa_demo_format f)
{
    return formats[f].ending;
}

/* ---- progress: a thread that looks at the running statement ---- */

typedef struct watch {
    const fa_progress *p;
    fa_conn *conn;
    int64_t rows, done, running; /* of the whole, written, in the month at work */
    int64_t started_mono_ms;
    double share; /* of the whole progress that ends with the files */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool has_thread, stop;
} watch;

static void tell(watch *w)
{
    double part = fa_conn_progress(w->conn);
    fa_progress_state s = {.phase = "making", .bytes_total = 0, .left_ms = -1};

    s.rows = w->done + (part > 0 && part <= 100 ? (int64_t)((double)w->running * part / 100) : 0);
    s.elapsed_ms = fa_mono_ms() - w->started_mono_ms;
    s.fraction = w->share * (double)s.rows / (double)w->rows;
    if (s.elapsed_ms > 0)
        s.rows_per_s = (double)s.rows * 1000 / (double)s.elapsed_ms;
    if (s.fraction > 0.01)
        s.left_ms = (int64_t)((double)s.elapsed_ms * (1 - s.fraction) / s.fraction);
    w->p->tick(w->p->user, &s);
}

static void *watch_main(void *arg)
{
    watch *w = arg;

    pthread_mutex_lock(&w->lock);
    while (!w->stop) {
        struct timespec until;

        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += 200000000;
        if (until.tv_nsec >= 1000000000) {
            until.tv_sec++;
            until.tv_nsec -= 1000000000;
        }
        pthread_cond_timedwait(&w->wake, &w->lock, &until);
        if (w->stop)
            break;
        if (fa_flag_get(w->p->cancel))
            fa_conn_interrupt(w->conn);
        if (w->p->tick)
            tell(w);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

static fa_rc watch_start(watch *w, const fa_progress *p, fa_conn *c, int64_t rows, double share,
                         fa_err *e)
{
    *w = (watch){.p = p, .conn = c, .rows = rows, .share = share, .started_mono_ms = fa_mono_ms()};
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->wake, NULL);
    if (!p)
        return FA_OK;
    if (pthread_create(&w->thread, NULL, watch_main, w))
        return fa_fail(e, FA_EENV, "could not start a thread");
    w->has_thread = true;
    return FA_OK;
}

static void watch_month(watch *w, int64_t done, int64_t running)
{
    pthread_mutex_lock(&w->lock);
    w->done = done;
    w->running = running;
    pthread_mutex_unlock(&w->lock);
}

static void watch_stop(watch *w)
{
    if (w->has_thread) {
        pthread_mutex_lock(&w->lock);
        w->stop = true;
        pthread_cond_signal(&w->wake);
        pthread_mutex_unlock(&w->lock);
        pthread_join(w->thread, NULL);
    }
    pthread_cond_destroy(&w->wake);
    pthread_mutex_destroy(&w->lock);
}

/* ---- the statements ---- */

typedef struct numbers {
    char rows[24], seed[24], last[12], month[12];
} numbers;

static void day_text(char out[12], int32_t day)
{
    int y, m, d;

    fa_day_civil(day, &y, &m, &d);
    snprintf(out, 12, "%04u-%02u-%02u", (unsigned)y % 10000u, (unsigned)m % 100u,
             (unsigned)d % 100u);
}

/* Appends the statement with every $name replaced. */
static fa_rc fill(fa_buf *b, fa_str sql, const numbers *v, fa_err *e)
{
    const struct {
        fa_str name;
        const char *text;
    } names[] = {
        {FA_STR("$rows"), v->rows},
        {FA_STR("$seed"), v->seed},
        {FA_STR("$last"), v->last},
        {FA_STR("$month"), v->month},
    };
    size_t at = 0;

    while (at < sql.n) {
        const char *d = memchr(sql.p + at, '$', sql.n - at);
        size_t i, n = d ? (size_t)(d - sql.p) - at : sql.n - at;

        fa_buf_put(b, sql.p + at, n);
        at += n;
        if (!d)
            break;
        for (i = 0; i < FA_COUNT(names); i++)
            if (fa_str_starts((fa_str){d, sql.n - at}, names[i].name))
                break;
        if (i == FA_COUNT(names))
            return fa_fail(e, FA_EINTERNAL, "demo.sql has an unknown name at \"%.20s\"", d);
        fa_buf_z(b, names[i].text);
        at += names[i].name.n;
    }
    return b->failed ? fa_oom(e) : FA_OK;
}

/* Takes the next "-- @name" statement out of *rest. false: none is left. */
static bool next_statement(fa_str *rest, fa_str *name, fa_str *sql)
{
    const size_t mark = sizeof MARK - 1;
    const char *p = memmem(rest->p, rest->n, MARK, mark), *line, *end;
    size_t left;

    if (!p)
        return false;
    p += mark;
    left = (size_t)(rest->p + rest->n - p);
    line = memchr(p, '\n', left);
    if (!line)
        return false;
    end = memmem(line, (size_t)(rest->p + rest->n - line), MARK, mark);
    if (!end)
        end = rest->p + rest->n;
    *name = (fa_str){p, (size_t)(line - p)};
    *sql = (fa_str){line, (size_t)(end - line)};
    *rest = (fa_str){end, (size_t)(rest->p + rest->n - end)};
    return true;
}

/* Runs what comes before "row" and gives the text of that. */
static fa_rc prepare(fa_conn *c, const numbers *v, fa_str *row, fa_err *e)
{
    fa_str rest = {(const char *)fa_demo_sql[0].data, fa_demo_sql[0].n}, name, sql;
    fa_buf b;
    fa_rc rc = FA_OK;

    fa_buf_init(&b, 1 << 20);
    *row = (fa_str){0};
    while (rc == FA_OK && next_statement(&rest, &name, &sql)) {
        if (fa_str_eqz(name, "row")) {
            *row = sql;
            continue;
        }
        fa_buf_clear(&b);
        if ((rc = fill(&b, sql, v, e)) == FA_OK)
            rc = fa_sql_exec(c, fa_buf_view(&b), NULL, 0, NULL, e);
    }
    fa_buf_release(&b);
    return rc ? fa_in(e, "demo.sql") : FA_OK;
}

static fa_rc write_month(fa_conn *c, const numbers *v, fa_str row, const fa_demo_place *to,
                         const char *path, int64_t *rows, fa_err *e)
{
    fa_buf b;
    fa_rc rc;

    fa_buf_init(&b, 1 << 20);
    fa_buf_z(&b, "COPY (");
    rc = fill(&b, row, v, e);
    fa_buf_z(&b, ") TO ");
    fa_buf_sql_text(&b, fa_str_of(path));
    fa_buf_fmt(&b, " (%s)", formats[to->format].copy);
    if (!rc && b.failed)
        rc = fa_oom(e);
    if (!rc)
        rc = fa_sql_exec(c, fa_buf_view(&b), NULL, 0, rows, e);
    fa_buf_release(&b);
    return rc;
}

static fa_rc month_rows(fa_conn *c, const char *month, int64_t *rows, fa_err *e)
{
    fa_param p[] = {{.kind = FA_P_TEXT, .text = fa_str_of(month)}};

    return fa_sql_i64(c,
                      FA_STR("SELECT (SELECT coalesce(sum(least(64, n - k0)), 0) FROM demo_block "
                             "WHERE month = $1::DATE)"
                             " + (SELECT count(*) FROM demo_fee WHERE month = $1::DATE)"),
                      p, 1, rows, e);
}

static fa_rc write_all(fa_arena *a, const fa_demo *d, const fa_demo_place *to, const fa_progress *p,
                       double share, const char *const **out, size_t *nout, fa_err *e)
{
    fa_engine_options o = {.memory_bytes = to->memory_bytes, .threads = to->threads};
    const char **path = fa_arena_array(a, MONTHS_MAX, sizeof *path);
    fa_engine *g = NULL;
    fa_conn *c = NULL;
    watch w = {0};
    numbers v;
    fa_str row;
    int64_t done = 0;
    size_t n = 0;
    bool watching = false;
    fa_rc rc;

    o.temp_dir = fa_arena_printf(a, "%s/.spill", to->dir);
    if (!path || !o.temp_dir)
        return fa_oom(e);
    snprintf(v.rows, sizeof v.rows, "%" PRId64, d->rows);
    snprintf(v.seed, sizeof v.seed, "%" PRIu32, d->seed);
    day_text(v.last, d->last);
    if ((rc = fa_mkdirs(to->dir, 0700, e)) || (rc = fa_engine_open(&o, &g, e)) ||
        (rc = fa_conn_get(g, &c, e)))
        goto done;
    watching = true;
    if ((rc = watch_start(&w, p, c, d->rows, share, e)) || (rc = prepare(c, &v, &row, e)))
        goto done;
    for (int32_t m = fa_day_floor(d->last - (DAYS - 1), FA_MONTH); m <= d->last;
         m = fa_day_next(m, FA_MONTH)) {
        int64_t expected, written = 0;

        if (p && fa_flag_get(p->cancel)) {
            rc = fa_fail(e, FA_ECANCELLED, "the demo was cancelled");
            goto done;
        }
        day_text(v.month, m);
        if (n == MONTHS_MAX) {
            rc = fa_fail(e, FA_EINTERNAL, "more than %d billing months", MONTHS_MAX);
            goto done;
        }
        if (!(path[n] =
                  fa_arena_printf(a, "%s/%.7s.%s", to->dir, v.month, formats[to->format].ending))) {
            rc = fa_oom(e);
            goto done;
        }
        if ((rc = month_rows(c, v.month, &expected, e)))
            goto done;
        watch_month(&w, done, expected);
        if ((rc = write_month(c, &v, row, to, path[n], &written, e)))
            goto done;
        if (written != expected) {
            rc = fa_fail(e, FA_EINTERNAL, "\"%s\" got %" PRId64 " rows instead of %" PRId64,
                         path[n], written, expected);
            goto done;
        }
        done += written;
        n += written > 0; /* a header without rows is no bill */
    }
    if (done != d->rows)
        rc = fa_fail(e, FA_EINTERNAL, "the demo has %" PRId64 " rows instead of %" PRId64, done,
                     d->rows);
    *out = path;
    *nout = n;
done:
    if (watching)
        watch_stop(&w);
    fa_conn_put(c);
    fa_engine_close(g);
    if (!rc)
        rc = fa_remove_tree(o.temp_dir, e);
    return rc;
}

static fa_rc check(const fa_demo *d, fa_err *e)
{
    if (d->rows < 1 || d->rows > FA_DEMO_ROWS_MAX)
        return fa_fail(e, FA_EINVAL, "a demo has 1 to %d rows, not %" PRId64, FA_DEMO_ROWS_MAX,
                       d->rows);
    return FA_OK;
}

fa_rc fa_demo_write(fa_arena *a, const fa_demo *d, const fa_demo_place *to, const fa_progress *p,
                    const char *const **path, size_t *npath, fa_err *e)
{
    if (check(d, e))
        return e->rc;
    return write_all(a, d, to, p, 1, path, npath, e);
}

/* ---- views ---- */

static const struct {
    const char *name, *body;
} views[] = {
    {"Cost by service",
     "{\"question\":{\"date\":{\"relativeRange\":\"last30Days\",\"type\":\"day\"},\"costType\":"
     "\"netAmortizedCost\","
     "\"granularity\":\"day\",\"groupBy\":[{\"costCenter\":\"Global\",\"key\":\"service\",\"type\":"
     "\"billing_dimension\"}],"
     "\"previous\":true,\"top\":8,\"others\":true},\"chart\":{\"kind\":\"stacked\"}}"},
    {"Cost by team",
     "{\"question\":{\"date\":{\"relativeRange\":\"last30Days\",\"type\":\"day\"},\"costType\":"
     "\"netAmortizedCost\","
     "\"granularity\":\"day\",\"groupBy\":[{\"costCenter\":\"Global\",\"key\":\"team\",\"type\":"
     "\"tag\"}],"
     "\"previous\":true,\"top\":8,\"others\":true},\"chart\":{\"kind\":\"stacked\"}}"},
    {"AWS by account", "{\"question\":{\"date\":{\"relativeRange\":\"last30Days\",\"type\":\"day\"}"
                       ",\"costType\":\"netAmortizedCost\","
                       "\"granularity\":\"day\",\"groupBy\":[{\"costCenter\":\"AWS\",\"key\":\"aws_"
                       "account_name\",\"type\":\"tag\"}],"
                       "\"filters\":{\"costCenter\":\"Global\",\"key\":\"cost_center_type\","
                       "\"type\":\"billing_dimension\",\"operator\":\"is\","
                       "\"value\":[\"AWS\"]},\"previous\":true,\"top\":8,\"others\":true},"
                       "\"chart\":{\"kind\":\"stacked\"}}"},
    {"Production by provider", "{\"question\":{\"date\":{\"relativeRange\":\"last90Days\",\"type\":"
                               "\"day\"},\"costType\":\"netAmortizedCost\","
                               "\"granularity\":\"week\",\"groupBy\":[{\"costCenter\":\"Global\","
                               "\"key\":\"cost_center_type\",\"type\":\"billing_dimension\"}],"
                               "\"filters\":{\"costCenter\":\"Global\",\"key\":\"env\",\"type\":"
                               "\"tag\",\"operator\":\"oneOf\","
                               "\"value\":[\"prod\",\"Prod\",\"PROD\",\"production\"]},"
                               "\"previous\":true,\"top\":8,\"others\":true},"
                               "\"chart\":{\"kind\":\"area\"}}"},
};

/* Puts the views that are not there by name; one that somebody changed stays as it is. */
static fa_rc put_views(fa_ledger *l, fa_arena *a, fa_err *e)
{
    fa_view *have;
    size_t n;

    if (fa_view_list(l->store, a, l->account, &have, &n, e))
        return e->rc;
    for (size_t i = 0; i < FA_COUNT(views); i++) {
        fa_view v = {.name = fa_str_of(views[i].name),
                     .body = fa_str_of(views[i].body),
                     .created_by = FA_STR("demo")};
        char id[37];
        bool there = false;

        for (size_t k = 0; k < n && !there; k++)
            there = fa_str_ieq(have[k].name, v.name);
        if (there)
            continue;
        fa_uuid_v4(id);
        v.id = fa_str_of(id);
        v.created_ms = v.updated_ms = fa_now_ms();
        if (fa_view_put(l->store, l->account, &v, e))
            return e->rc;
    }
    return FA_OK;
}

/* ---- load ---- */

/* What the setting says: which demo, and the load it came to. */
static fa_str remember(fa_arena *a, const fa_demo *d, int64_t load_id)
{
    char last[12], *text;

    day_text(last, d->last);
    text = fa_arena_printf(
        a, "generation %d, %" PRId64 " rows, seed %" PRIu32 ", last day %s, load %" PRId64,
        GENERATION, d->rows, d->seed, last, load_id);
    return fa_str_of(text);
}

/* FA_OK and *out filled when the very same demo is live; FA_ENOTFOUND when it is not. */
static fa_rc find_done(fa_ledger *l, fa_arena *a, const fa_demo *d, fa_load_result *out, fa_err *e)
{
    fa_str text;
    fa_load *list;
    fa_source s;
    size_t n;

    if (fa_setting_get(l->store, a, l->account, FA_STR(SETTING), &text, e))
        return e->rc;
    if (text.n == 0)
        return fa_fail(e, FA_ENOTFOUND, "no demo was loaded");
    if (fa_source_ensure(l->store, a, l->account, FA_STR(SOURCE), &s, e) ||
        fa_load_list(l->store, a, l->account, s.id, 50, &list, &n, e))
        return e->rc;
    for (size_t i = 0; i < n; i++)
        if (fa_str_eqz(list[i].state, "live") && fa_str_eq(text, remember(a, d, list[i].id))) {
            if (fa_ledger_load_result(l, a, list[i].id, out, e))
                return e->rc;
            out->load.state = FA_STR("unchanged");
            return FA_OK;
        }
    return fa_fail(e, FA_ENOTFOUND, "another demo was loaded");
}

/* Progress of the load that follows is the rest of the whole. */
typedef struct second_half {
    const fa_progress *p;
    int64_t before_ms;
} second_half;

static void tick_second_half(void *user, const fa_progress_state *s)
{
    const second_half *h = user;
    fa_progress_state t = *s;

    t.fraction = SHARE + (1 - SHARE) * s->fraction;
    t.elapsed_ms += h->before_ms;
    h->p->tick(h->p->user, &t);
}

fa_rc fa_demo_load(fa_ledger *l, fa_arena *a, const fa_demo *d, const fa_progress *p,
                   fa_load_result *out, fa_err *e)
{
    fa_demo_place to = {.threads = l->threads};
    fa_load_request q = {.source = FA_STR(SOURCE)};
    second_half half = {.p = p};
    fa_progress rest = {.user = &half};
    int64_t started = fa_mono_ms();
    fa_err ignored;
    char id[37];
    fa_rc rc;

    if (check(d, e))
        return e->rc;
    rc = find_done(l, a, d, out, e);
    if (rc == FA_OK)
        return put_views(l, a, e);
    if (rc != FA_ENOTFOUND)
        return rc;
    fa_uuid_v4(id);
    if (!(to.dir = fa_arena_printf(a, "%s/staging/demo-%s", l->dir, id)))
        return fa_oom(e);
    if ((rc = write_all(a, d, &to, p, SHARE, &q.path, &q.npath, e)))
        goto done;
    if (p) {
        half.before_ms = fa_mono_ms() - started;
        rest.cancel = p->cancel;
        rest.tick = p->tick ? tick_second_half : NULL;
    }
    if ((rc = fa_ledger_load(l, a, &q, p ? &rest : NULL, out, e)))
        goto done;
    if ((rc = put_views(l, a, e)))
        goto done;
    rc = fa_setting_put(l->store, l->account, FA_STR(SETTING), remember(a, d, out->load.id), e);
done:
    if (fa_remove_tree(to.dir, rc ? &ignored : e) && !rc)
        rc = e->rc;
    return rc;
}
