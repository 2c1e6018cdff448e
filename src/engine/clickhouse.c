/*
 * clickhouse.c - ClickHouse shards behind the door to facts, over HTTP.
 *
 * The one idea: we are the initiator. Each shard is asked for its part of a scan with the groups of its own
 * lines as an external table, and the sums are added here in 128 bits; so no server needs to know of the
 * others, a shard that does not answer is known by name, and the SQL is what 18.16 and a current engine
 * both take. Money is Decimal(38,18): exact, and no sum of it wraps.
 */
#include "engine/cluster.h"

#include "net/net.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define SHARDS_MAX 256
#define REPLICAS_MAX 8
#define BATCH_BYTES ((size_t)8 << 20)
#define CELLS_MAX ((size_t)1 << 26)
#define DEAD_MS 5000  /* a replica that did not answer is left alone for so long */
#define LOOK_MS 30000 /* so long may a replica take to say what it has */
#define VIEW_MS 30000 /* so old may be what is known of the replicas */
#define SCAN_TRIES 4
#define DAY_MAX 65535 /* of ClickHouse's Date */
#define SIZE_MAX_UNITS                                                                             \
    ((fa_i128)10000000000000000LL) /* 1e16 of a part: no sum of parts leaves Decimal(38,18) */
#define BOUNDARY "farthing-5c1f0a7e"

typedef struct replica {
    char *name, *base; /* "host:port", "http://host:port/" */
    atomic_llong dead_until_ms;
} replica;

typedef struct shard {
    replica r[REPLICAS_MAX];
    size_t n;
} shard;

/* What is placed where, as last looked at; shared, freed with the last reference. */
typedef struct view {
    unsigned refs; /* under fa_cluster.lock */
    int64_t made_ms;
    uint32_t *missing; /* parts DuckDB answers for */
    size_t nmissing;
    fa_buf labels; /* of the parts the shards answer for, as RowBinary of one String column */
    bool (*use)[REPLICAS_MAX]; /* [shard]: has all of them */
    int64_t *rows;             /* [shard] of these labels */
} view;

struct fa_cluster {
    fa_net *net;
    char *database, *auth;
    shard *shard;
    size_t n;
    pthread_mutex_t lock;    /* view, epoch */
    pthread_mutex_t looking; /* one thread looks, the others wait */
    view *view;
    uint64_t epoch;
};

/* ---- the address ---- */

void fa_cluster_close(fa_cluster *k)
{
    if (!k)
        return;
    fa_cluster_changed(k);
    for (size_t i = 0; i < k->n; i++)
        for (size_t r = 0; r < k->shard[i].n; r++) {
            free(k->shard[i].r[r].name);
            free(k->shard[i].r[r].base);
        }
    fa_net_close(k->net);
    free(k->shard);
    free(k->database);
    if (k->auth)
        sodium_memzero(k->auth, strlen(k->auth));
    free(k->auth);
    pthread_mutex_destroy(&k->lock);
    pthread_mutex_destroy(&k->looking);
    free(k);
}

static bool is_word(fa_str s, const char *more)
{
    for (size_t i = 0; i < s.n; i++)
        if (!((s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= 'A' && s.p[i] <= 'Z') ||
              (s.p[i] >= '0' && s.p[i] <= '9') || s.p[i] == '_' || (more && strchr(more, s.p[i]))))
            return false;
    return s.n > 0 && s.n < 200;
}

/* Takes what comes before c (or all) off *s. */
static fa_str take_until(fa_str *s, char c)
{
    const char *at = s->n ? memchr(s->p, c, s->n) : NULL;
    fa_str out = {s->p, at ? (size_t)(at - s->p) : s->n};

    *s = at ? (fa_str){at + 1, s->n - out.n - 1} : (fa_str){s->p + s->n, 0};
    return out;
}

static fa_rc bad_address(fa_err *e, const char *what)
{
    (void)fa_fail(e, FA_EINVAL, "the cluster's address is not right: %s", what);
    return fa_hint(e, "clickhouse://USER@HOST:PORT|REPLICA:PORT,HOST:PORT/DATABASE; clickhouses:// "
                      "for TLS");
}

static fa_rc parse_hosts(fa_cluster *k, fa_str hosts, const char *scheme, fa_buf *allow, fa_err *e)
{
    while (hosts.n) {
        fa_str one = take_until(&hosts, ',');
        shard *s = &k->shard[k->n++];

        if (k->n == SHARDS_MAX)
            return bad_address(e, "too many shards");
        while (one.n) {
            fa_str name = take_until(&one, '|');
            replica *r = &s->r[s->n++];

            if (s->n == REPLICAS_MAX || !is_word(name, ".-:") || !memchr(name.p, ':', name.n))
                return bad_address(e, "a host is HOST:PORT");
            if (asprintf(&r->name, "%.*s", FA_FMT(name)) < 0)
                r->name = NULL;
            if (asprintf(&r->base, "%s://%.*s/", scheme, FA_FMT(name)) < 0)
                r->base = NULL;
            if (!r->name || !r->base)
                return fa_oom(e);
            fa_buf_fmt(allow, "%s%.*s", allow->n ? "," : "", FA_FMT(name));
        }
        if (!s->n)
            return bad_address(e, "a shard has no host");
    }
    return k->n ? FA_OK : bad_address(e, "there is no host");
}

static fa_rc set_auth(fa_cluster *k, fa_str user, const char *password, fa_err *e)
{
    char *clear = NULL, *text;
    int n = asprintf(&clear, "%.*s:%s", FA_FMT(user), password ? password : "");
    size_t room;

    if (n < 0)
        return fa_oom(e);
    room = sodium_base64_encoded_len((size_t)n, sodium_base64_VARIANT_ORIGINAL);
    text = malloc(room + 32);
    if (text) {
        memcpy(text, "Authorization: Basic ", 22);
        sodium_bin2base64(text + 21, room, (const unsigned char *)clear, (size_t)n,
                          sodium_base64_VARIANT_ORIGINAL);
        k->auth = text;
    }
    sodium_memzero(clear, (size_t)n);
    free(clear);
    return text ? FA_OK : fa_oom(e);
}

fa_rc fa_cluster_open(const char *url, const char *password, fa_cluster **out, fa_err *e)
{
    fa_cluster *k = calloc(1, sizeof *k);
    fa_str s = fa_str_of(url), hosts, user;
    fa_buf allow;
    fa_net_config net = {0};
    bool tls;
    fa_rc rc;

    *out = NULL;
    if (!k)
        return fa_oom(e);
    pthread_mutex_init(&k->lock, NULL);
    pthread_mutex_init(&k->looking, NULL);
    fa_buf_init(&allow, 1 << 20);
    tls = fa_take(&s, "clickhouses://");
    if (!tls && !fa_take(&s, "clickhouse://")) {
        rc = bad_address(e, "it starts with clickhouse:// or clickhouses://");
        goto done;
    }
    hosts = take_until(&s, '/');
    user = memchr(hosts.p, '@', hosts.n) ? take_until(&hosts, '@') : FA_STR("default");
    if (!is_word(user, ".-") || !is_word(s, NULL)) {
        rc = bad_address(e, "user and database are words");
        goto done;
    }
    k->shard = calloc(SHARDS_MAX, sizeof *k->shard);
    if (!k->shard || asprintf(&k->database, "%.*s", FA_FMT(s)) < 0) {
        k->database = NULL;
        rc = fa_oom(e);
        goto done;
    }
    if ((rc = parse_hosts(k, hosts, tls ? "https" : "http", &allow, e)) ||
        (rc = set_auth(k, user, password, e)))
        goto done;
    net.allow = allow.p;
    net.ca_file = getenv("FARTHING_CA_FILE");
    if ((rc = allow.failed ? fa_oom(e) : fa_net_open(&net, &k->net, e)))
        goto done;
    *out = k;
    k = NULL;
done:
    fa_buf_release(&allow);
    fa_cluster_close(k);
    return rc;
}

/* ---- asking one replica ---- */

typedef struct ask {
    const char *sql;
    fa_str body;       /* rows of an INSERT, or the external tables of a question */
    const char *extra; /* further parameters of the address */
    bool is_multipart;
    int64_t deadline_mono_ms;
    bool has_other; /* another replica can answer: this one gets half of the time that is left */
    size_t max_answer;
    const volatile bool *cancel;
} ask;

/* The server's own words, made short and printable. */
static void put_reason(char to[200], fa_str body)
{
    size_t n = 0;

    for (; n < body.n && n < 199 && body.p[n] != '\n'; n++)
        to[n] = (unsigned char)body.p[n] < 32 ? ' ' : body.p[n];
    to[n] = '\0';
}

/* FA_EENV: it does not answer, and is left alone for a while. FA_EFAILED: it answers that it cannot. */
static fa_rc send_to(fa_cluster *k, fa_arena *a, replica *r, const ask *q, fa_str *answer,
                     fa_err *e)
{
    const char *header[2] = {k->auth, q->is_multipart
                                          ? "Content-Type: multipart/form-data; boundary=" BOUNDARY
                                          : "Content-Type: application/octet-stream"};
    fa_net_request n = {.method = "POST",
                        .header = header,
                        .nheader = 2,
                        .body = q->body,
                        .max_body = q->max_answer ? q->max_answer : (size_t)64 << 20,
                        .connect_ms = 3000,
                        .total_ms = 600000,
                        .stall_ms = 60000,
                        .tries = 1,
                        .cancel = q->cancel};
    fa_net_response got;
    fa_buf url;
    char why[200];
    fa_rc rc;

    fa_buf_init(&url, 1 << 20);
    fa_buf_fmt(&url, "%s?database=default%s&query=", r->base, q->extra ? q->extra : "");
    fa_buf_url(&url, fa_str_of(q->sql));
    if (q->deadline_mono_ms) {
        int64_t left = q->deadline_mono_ms - fa_mono_ms();

        if (q->has_other)
            left /= 2;
        n.total_ms = left < 1 ? 1 : left > 600000 ? 600000 : (int)left;
        n.stall_ms = n.total_ms;
    }
    n.url = url.p;
    if (url.failed) {
        rc = fa_oom(e);
        goto done;
    }
    rc = fa_net_send(k->net, a, &n, &got, e);
    if (rc == FA_ETIMEOUT && q->deadline_mono_ms && fa_mono_ms() >= q->deadline_mono_ms)
        goto done; /* the question's time was up, whoever is to blame */
    if (rc == FA_EENV || rc == FA_ETIMEOUT) {
        snprintf(why, sizeof why, "%.190s", e->msg);
        atomic_store(&r->dead_until_ms, fa_mono_ms() + DEAD_MS);
        rc = fa_fail(e, FA_EENV, "the cluster's replica %s does not answer: %s", r->name, why);
    }
    if (rc)
        goto done;
    if (got.status != 200) {
        put_reason(why, got.body);
        rc = fa_fail(e, FA_EFAILED, "the cluster's replica %s refused (%d): %s", r->name,
                     got.status, why);
        goto done;
    }
    *answer = got.body;
done:
    fa_buf_release(&url);
    return rc;
}

/* One statement to one replica; its answer is of no interest. */
FA_PRINTF(5, 6)
static fa_rc tell(fa_cluster *k, replica *r, fa_str body, fa_err *e, const char *fmt, ...)
{
    fa_arena a;
    fa_buf sql;
    char text[4096];
    va_list ap;
    fa_str got;
    ask q = {.body = body};
    fa_rc rc;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    fa_arena_init(&a, (size_t)64 << 20);
    fa_buf_init(&sql, 0);
    q.sql = text;
    rc = send_to(k, &a, r, &q, &got, e);
    fa_buf_release(&sql);
    fa_arena_release(&a);
    return rc;
}

/* ---- schema ---- */

static void put_names(fa_buf *b)
{
    for (int m = 0; m < FA_M__COUNT; m++)
        fa_buf_fmt(b, ", %s", fa_measures[m].col);
}

fa_rc fa_cluster_setup(fa_cluster *k, fa_err *e)
{
    for (size_t i = 0; i < k->n; i++)
        for (size_t r = 0; r < k->shard[i].n; r++) {
            replica *x = &k->shard[i].r[r];

            if (tell(k, x, FA_STR(""), e, "CREATE DATABASE IF NOT EXISTS %s", k->database) ||
                tell(k, x, FA_STR(""), e,
                     "CREATE TABLE IF NOT EXISTS %s.daily (part String, day Date, line_id UInt32, n"
                     " UInt32) ENGINE = MergeTree() PARTITION BY part ORDER BY (day, line_id)",
                     k->database))
                return e->rc;
            for (int m = 0; m < FA_M__COUNT; m++) {
                fa_err none;

                if (tell(k, x, FA_STR(""), &none, "SELECT %s FROM %s.daily LIMIT 0",
                         fa_measures[m].col, k->database) == FA_OK)
                    continue;
                if (tell(k, x, FA_STR(""), e, "ALTER TABLE %s.daily ADD COLUMN %s Decimal(38,18)",
                         k->database, fa_measures[m].col))
                    return e->rc;
            }
        }
    return FA_OK;
}

/* ---- labels: a part, its seal and the measures it was written with ---- */

static void put_label(char to[80], const fa_seg_part *p)
{
    char seal[33];
    uint32_t h = 2166136261u;

    for (int m = 0; m < FA_M__COUNT; m++)
        for (const char *c = fa_measures[m].col; *c; c++)
            h = (h ^ (unsigned char)*c) * 16777619u;
    fa_hex(seal, p->seal, 16);
    snprintf(to, 80, "p%u-%s-%08x", p->id, seal, h);
}

/* ---- placing a part ---- */

typedef struct placing {
    fa_cluster *k;
    const fa_seg_part *p;
    char label[80];
    fa_buf *rows;                 /* [shard] */
    int64_t *count;               /* [shard] */
    int64_t *n;                   /* [shard]: bill rows */
    fa_i128 (*sum)[FA_M__COUNT];  /* [shard] */
    bool (*failed)[REPLICAS_MAX]; /* [shard][replica]: no longer sent to */
    fa_i128 size[FA_M__COUNT];    /* sums of magnitudes */
    bool refused;                 /* not what ClickHouse can hold: it stays DuckDB's */
    const bool *has;              /* [shard * REPLICAS_MAX + replica]: already there, not touched */
} placing;

static void put_raw(fa_buf *b, const void *p, size_t n)
{
    fa_buf_put(b, p, n); /* little endian on both sides */
}

static fa_rc flush_rows(placing *w, size_t s, fa_err *e)
{
    shard *x = &w->k->shard[s];
    fa_buf names;
    size_t alive = 0;
    fa_err why = {0};

    fa_buf_init(&names, 1 << 16);
    put_names(&names);
    if (w->rows[s].failed || names.failed)
        return fa_oom(e);
    for (size_t r = 0; r < x->n && w->rows[s].n; r++) {
        if (w->failed[s][r])
            continue;
        if (tell(w->k, &x->r[r], fa_buf_view(&w->rows[s]), &why,
                 "INSERT INTO %s.daily (part, day, line_id, n%s) FORMAT RowBinary", w->k->database,
                 names.p))
            w->failed[s][r] = true;
        else
            alive++;
    }
    fa_buf_release(&names);
    for (size_t r = 0; r < x->n; r++)
        alive += w->has[s * REPLICAS_MAX + r];
    if (w->rows[s].n && !alive) {
        *e = why;
        return fa_fail(e, FA_EENV, "shard %zu of the cluster takes no rows: %s", s + 1, why.msg);
    }
    fa_buf_clear(&w->rows[s]);
    return FA_OK;
}

static fa_rc place_rows(void *user, const fa_batch *b, fa_err *e)
{
    placing *w = user;
    uint8_t nlabel = (uint8_t)strlen(w->label);

    for (size_t r = 0; r < b->rows; r++) {
        int64_t day = b->col[0].i64[r];
        uint32_t line = (uint32_t)b->col[1].i64[r], n = (uint32_t)b->col[2].i64[r];
        size_t s = line % w->k->n, col = 3;
        uint16_t date = (uint16_t)day;
        fa_buf *to = &w->rows[s];

        if (day < 0 || day > DAY_MAX)
            w->refused = true;
        put_raw(to, &nlabel, 1);
        put_raw(to, w->label, nlabel);
        put_raw(to, &date, sizeof date);
        put_raw(to, &line, sizeof line);
        put_raw(to, &n, sizeof n);
        for (int m = 0; m < FA_M__COUNT; m++) {
            fa_i128 v;

            if (m < FA_M__MONEY) {
                v = (fa_i128)b->col[col].i64[r] * FA_E8 + b->col[col + 1].i64[r];
                col += 2;
            } else {
                v = b->col[col].null && b->col[col].null[r] ? 0 : b->col[col].i128[r];
                col++;
            }
            w->size[m] += v < 0 ? -v : v;
            w->sum[s][m] += v;
            put_raw(to, &v, sizeof v);
        }
        w->count[s]++;
        w->n[s] += n;
        if (to->n >= BATCH_BYTES && flush_rows(w, s, e))
            return e->rc;
    }
    return FA_OK;
}

static bool take_raw(fa_str *s, void *to, size_t n)
{
    if (s->n < n)
        return false;
    memcpy(to, s->p, n);
    *s = (fa_str){s->p + n, s->n - n};
    return true;
}

/* What the replica has of the label is what was sent, in every sum. */
static bool prove_replica(placing *w, size_t s, replica *r, fa_err *e)
{
    fa_arena a;
    fa_buf sql;
    fa_str got = {0};
    ask q = {0};
    uint64_t count = 0, n = 0;
    bool same;

    fa_arena_init(&a, (size_t)64 << 20);
    fa_buf_init(&sql, 1 << 16);
    fa_buf_z(&sql, "SELECT count(), sum(toUInt64(n))");
    for (int m = 0; m < FA_M__COUNT; m++)
        fa_buf_fmt(&sql, ", sum(%s)", fa_measures[m].col);
    fa_buf_fmt(&sql, " FROM %s.daily WHERE part = '%s' FORMAT RowBinary", w->k->database, w->label);
    q.sql = sql.p;
    same = !sql.failed && send_to(w->k, &a, r, &q, &got, e) == FA_OK;
    same = same && take_raw(&got, &count, 8) && take_raw(&got, &n, 8) &&
           (int64_t)count == w->count[s] && (int64_t)n == w->n[s];
    for (int m = 0; m < FA_M__COUNT && same; m++) {
        fa_i128 v = 0;

        same = take_raw(&got, &v, 16) && v == w->sum[s][m];
    }
    fa_buf_release(&sql);
    fa_arena_release(&a);
    return same;
}

static fa_rc finish_part(placing *w, fa_err *e)
{
    for (size_t s = 0; s < w->k->n; s++) {
        shard *x = &w->k->shard[s];
        size_t good = 0;
        fa_err why = {0};

        if (flush_rows(w, s, e))
            return e->rc;
        for (size_t r = 0; r < x->n; r++)
            good += w->has[s * REPLICAS_MAX + r] ||
                    (!w->failed[s][r] && prove_replica(w, s, &x->r[r], &why));
        if (!good && w->count[s])
            return fa_fail(e, FA_EENV, "shard %zu of the cluster does not have what was sent: %s",
                           s + 1, why.msg[0] ? why.msg : "its totals differ");
    }
    return FA_OK;
}

/* Rows of an earlier try would be there twice: the label is emptied before it is filled. */
static fa_rc clear_label(placing *w, fa_err *e)
{
    for (size_t s = 0; s < w->k->n; s++) {
        shard *x = &w->k->shard[s];
        size_t alive = 0;

        for (size_t r = 0; r < x->n; r++) {
            w->failed[s][r] =
                w->has[s * REPLICAS_MAX + r] ||
                tell(w->k, &x->r[r], FA_STR(""), e, "ALTER TABLE %s.daily DROP PARTITION '%s'",
                     w->k->database, w->label) != FA_OK;
            alive += !w->failed[s][r] || w->has[s * REPLICAS_MAX + r];
        }
        if (!alive)
            return fa_fail(e, FA_EENV, "shard %zu of the cluster (%s) does not answer", s + 1,
                           x->r[0].name);
    }
    return FA_OK;
}

static fa_rc read_part(placing *w, fa_conn *c, fa_err *e)
{
    fa_buf sql;
    fa_rc rc;

    fa_buf_init(&sql, 1 << 16);
    fa_buf_z(&sql, "SELECT day, line_id, n");
    for (int m = 0; m < FA_M__COUNT; m++) {
        if (m < FA_M__MONEY)
            fa_buf_fmt(&sql, ", %s, %s", fa_measures[m].units, fa_measures[m].rest);
        else
            fa_buf_fmt(&sql, ", (%s)::DECIMAL(38,18)", fa_measures[m].units);
    }
    fa_buf_fmt(&sql, " FROM daily WHERE part_id = %u", w->p->id);
    rc = sql.failed ? fa_oom(e) : fa_sql_query(c, fa_buf_view(&sql), NULL, 0, place_rows, w, e);
    fa_buf_release(&sql);
    return rc;
}

/* On every replica that does not have it yet. FA_EDATA: it cannot be held there. */
static fa_rc place_part(fa_engine *g, fa_cluster *k, const fa_seg_part *p, const bool *has,
                        fa_err *e)
{
    placing w = {.k = k, .p = p, .has = has};
    fa_conn *c = NULL;
    fa_rc rc;

    put_label(w.label, p);
    w.rows = calloc(k->n, sizeof *w.rows);
    w.count = calloc(k->n, sizeof *w.count);
    w.n = calloc(k->n, sizeof *w.n);
    w.sum = calloc(k->n, sizeof *w.sum);
    w.failed = calloc(k->n, sizeof *w.failed);
    if (!w.rows || !w.count || !w.n || !w.sum || !w.failed) {
        rc = fa_oom(e);
        goto done;
    }
    for (size_t s = 0; s < k->n; s++)
        fa_buf_init(&w.rows[s], 2 * BATCH_BYTES);
    if (!(rc = clear_label(&w, e)) && !(rc = fa_conn_get(g, &c, e)) && !(rc = read_part(&w, c, e)))
        rc = finish_part(&w, e);
    for (int m = 0; m < FA_M__COUNT; m++)
        w.refused |= w.size[m] / SIZE_MAX_UNITS > FA_E18;
    if (!rc && w.refused && !(rc = clear_label(&w, e)))
        rc = fa_fail(e, FA_EDATA, "part %u has days or amounts the cluster cannot hold", p->id);
done:
    fa_conn_put(c);
    for (size_t s = 0; w.rows && s < k->n; s++)
        fa_buf_release(&w.rows[s]);
    free(w.rows);
    free(w.count);
    free(w.n);
    free(w.sum);
    free(w.failed);
    return rc;
}

/* ---- what is where ---- */

typedef struct look {
    fa_cluster *k;
    const fa_seg_part *part;
    size_t n;
    fa_map *index;            /* label to number */
    int64_t *expected;        /* [part * shards + shard] rows */
    bool *has;                /* [(part * shards + shard) * REPLICAS_MAX + replica] */
    bool *reached;            /* [shard * REPLICAS_MAX + replica] */
    int64_t deadline_mono_ms; /* of whoever asks; 0: none */
    fa_err why;               /* of the last replica that did not answer */
} look;

static void free_look(look *w)
{
    fa_map_free(w->index);
    free(w->expected);
    free(w->has);
    free(w->reached);
}

static size_t part_at(const look *w, uint32_t id)
{
    size_t lo = 0, hi = w->n; /* the list is in the order of ids */

    while (lo < hi) {
        size_t mid = (lo + hi) / 2;

        if (w->part[mid].id < id)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < w->n && w->part[lo].id == id ? lo : SIZE_MAX;
}

static fa_rc take_expected(void *user, const fa_batch *b, fa_err *e)
{
    look *w = user;

    (void)e;
    for (size_t r = 0; r < b->rows; r++) {
        size_t i = part_at(w, (uint32_t)b->col[0].i64[r]);

        if (i != SIZE_MAX)
            w->expected[i * w->k->n + (size_t)b->col[1].i64[r]] = b->col[2].i64[r];
    }
    return FA_OK;
}

static fa_rc take_labels(look *w, size_t s, size_t r, fa_str got, fa_err *e)
{
    while (got.n) {
        uint8_t n = 0;
        char label[128];
        uint64_t count;
        size_t i;

        if (!take_raw(&got, &n, 1) || n >= sizeof label || !take_raw(&got, label, n) ||
            !take_raw(&got, &count, 8))
            return fa_fail(e, FA_EFAILED,
                           "the cluster's replica %s gave an answer that makes no sense",
                           w->k->shard[s].r[r].name);
        if (fa_map_get(w->index, (fa_str){label, n}, &i))
            w->has[(i * w->k->n + s) * REPLICAS_MAX + r] =
                (int64_t)count == w->expected[i * w->k->n + s];
    }
    return FA_OK;
}

static bool is_dead(replica *r)
{
    return atomic_load(&r->dead_until_ms) > fa_mono_ms();
}

static bool any_reached(const look *w, size_t s)
{
    for (size_t r = 0; r < REPLICAS_MAX; r++)
        if (w->reached[s * REPLICAS_MAX + r])
            return true;
    return false;
}

/* Asks a replica which labels it has; one that does not answer is only noted. */
static fa_rc look_at(look *w, size_t s, size_t r, fa_err *e)
{
    fa_arena a;
    replica *x = &w->k->shard[s].r[r];
    char sql[400];
    fa_str got;
    ask q = {
        .sql = sql, .deadline_mono_ms = fa_mono_ms() + LOOK_MS, .has_other = w->k->shard[s].n > 1};
    fa_rc rc = FA_OK;

    if (w->deadline_mono_ms && w->deadline_mono_ms < q.deadline_mono_ms)
        q.deadline_mono_ms = w->deadline_mono_ms;
    fa_arena_init(&a, (size_t)256 << 20);
    snprintf(sql, sizeof sql, "SELECT part, count() FROM %s.daily GROUP BY part FORMAT RowBinary",
             w->k->database);
    if (send_to(w->k, &a, x, &q, &got, &w->why) == FA_OK) {
        w->reached[s * REPLICAS_MAX + r] = true;
        rc = take_labels(w, s, r, got, e);
    }
    fa_arena_release(&a);
    return rc;
}

/* part: in the order of ids. What comes back is freed with free_look, whatever the result. */
static fa_rc look_around(fa_engine *g, fa_cluster *k, const fa_seg_part *part, size_t n,
                         int64_t deadline_mono_ms, look *w, fa_err *e)
{
    fa_conn *c = NULL;
    char sql[160], label[80];
    fa_rc rc;

    *w = (look){.k = k, .part = part, .n = n, .deadline_mono_ms = deadline_mono_ms};
    w->index = fa_map_new();
    w->expected = calloc(n * k->n + 1, sizeof *w->expected);
    w->has = calloc(n * k->n * REPLICAS_MAX + 1, sizeof *w->has);
    w->reached = calloc(k->n * REPLICAS_MAX, sizeof *w->reached);
    if (!w->index || !w->expected || !w->has || !w->reached)
        return fa_oom(e);
    for (size_t i = 0; i < n; i++) {
        put_label(label, &part[i]);
        if (!fa_map_set(w->index, fa_str_of(label), i))
            return fa_oom(e);
    }
    snprintf(sql, sizeof sql,
             "SELECT part_id, (line_id %% %zu)::BIGINT, count(*) FROM daily GROUP BY ALL", k->n);
    if (!(rc = fa_conn_get(g, &c, e)))
        rc = fa_sql_query(c, fa_str_of(sql), NULL, 0, take_expected, w, e);
    fa_conn_put(c);
    for (size_t i = 0; i < n * k->n; i++) /* nothing to have is had */
        for (size_t r = 0; r < REPLICAS_MAX && !w->expected[i]; r++)
            w->has[i * REPLICAS_MAX + r] = true;
    for (size_t s = 0; s < k->n && !rc; s++) {
        uint32_t later = 0; /* those that did not answer lately: when no other does */

        for (size_t r = 0; r < k->shard[s].n && !rc; r++)
            if (is_dead(&k->shard[s].r[r]))
                later |= 1u << r;
            else
                rc = look_at(w, s, r, e);
        for (size_t r = 0; r < k->shard[s].n && !rc && !any_reached(w, s); r++)
            if (later >> r & 1)
                rc = look_at(w, s, r, e);
    }
    return rc;
}

static fa_rc no_replica(const look *w, size_t s, fa_err *e)
{
    char why[300];

    snprintf(why, sizeof why, "%s", w->why.msg);
    (void)fa_fail(
        e, FA_EENV,
        "shard %zu of %zu of the cluster does not answer, and without it there is no right "
        "number: %s",
        s + 1, w->k->n, why);
    return fa_hint(e, "start it again, or add a replica that has its rows");
}

static void free_view(view *v)
{
    if (!v)
        return;
    free(v->missing);
    free(v->use);
    free(v->rows);
    fa_buf_release(&v->labels);
    free(v);
}

static void put_view(fa_cluster *k, view *v)
{
    bool last;

    if (!v)
        return;
    pthread_mutex_lock(&k->lock);
    last = --v->refs == 0;
    pthread_mutex_unlock(&k->lock);
    if (last)
        free_view(v);
}

void fa_cluster_changed(fa_cluster *k)
{
    view *v;

    pthread_mutex_lock(&k->lock);
    v = k->view;
    k->view = NULL;
    k->epoch++;
    pthread_mutex_unlock(&k->lock);
    put_view(k, v);
}

/* The replica of a shard that has most; REPLICAS_MAX: none answers. */
static size_t best_of(const look *w, size_t s)
{
    size_t best = REPLICAS_MAX, most = 0;

    for (size_t r = 0; r < w->k->shard[s].n; r++) {
        size_t n = 1;

        if (!w->reached[s * REPLICAS_MAX + r])
            continue;
        for (size_t i = 0; i < w->n; i++)
            n += w->has[(i * w->k->n + s) * REPLICAS_MAX + r];
        if (n > most) {
            most = n;
            best = r;
        }
    }
    return best;
}

static fa_rc make_view(const look *w, view **out, fa_err *e)
{
    fa_cluster *k = w->k;
    view *v = calloc(1, sizeof *v);
    size_t best[SHARDS_MAX];
    char label[80];

    if (!v)
        return fa_oom(e);
    v->refs = 1;
    v->made_ms = fa_mono_ms();
    v->missing = calloc(w->n + 1, sizeof *v->missing);
    v->use = calloc(k->n, sizeof *v->use);
    v->rows = calloc(k->n, sizeof *v->rows);
    fa_buf_init(&v->labels, (size_t)64 << 20);
    for (size_t s = 0; s < k->n; s++) {
        if ((best[s] = best_of(w, s)) == REPLICAS_MAX) {
            free_view(v);
            return no_replica(w, s, e);
        }
        for (size_t r = 0; r < k->shard[s].n && v->use; r++)
            v->use[s][r] = w->reached[s * REPLICAS_MAX + r];
    }
    for (size_t i = 0; i < w->n && v->missing && v->use && v->rows; i++) {
        bool placed = true;
        uint8_t n;

        for (size_t s = 0; s < k->n; s++)
            placed &= w->has[(i * k->n + s) * REPLICAS_MAX + best[s]];
        if (!placed) {
            v->missing[v->nmissing++] = w->part[i].id;
            continue;
        }
        put_label(label, &w->part[i]);
        n = (uint8_t)strlen(label);
        put_raw(&v->labels, &n, 1);
        put_raw(&v->labels, label, n);
        for (size_t s = 0; s < k->n; s++) {
            v->rows[s] += w->expected[i * k->n + s];
            for (size_t r = 0; r < k->shard[s].n; r++)
                v->use[s][r] &= w->has[(i * k->n + s) * REPLICAS_MAX + r];
        }
    }
    if (!v->missing || !v->use || !v->rows || v->labels.failed) {
        free_view(v);
        return fa_oom(e);
    }
    *out = v;
    return FA_OK;
}

static fa_rc get_view(fa_engine *g, fa_cluster *k, int64_t deadline_mono_ms, view **out, fa_err *e)
{
    view *v;
    uint64_t epoch;
    fa_seg_part *part = NULL;
    size_t n = 0;
    look w = {0};
    fa_rc rc = FA_OK;

    pthread_mutex_lock(&k->looking);
    pthread_mutex_lock(&k->lock);
    v = k->view;
    epoch = k->epoch;
    if (v && v->made_ms + VIEW_MS > fa_mono_ms())
        v->refs++;
    else
        v = NULL;
    pthread_mutex_unlock(&k->lock);
    if (!v) {
        if (!(rc = fa_seg_parts(g, &part, &n, e)) &&
            !(rc = look_around(g, k, part, n, deadline_mono_ms, &w, e)) &&
            !(rc = make_view(&w, &v, e))) {
            view *old = NULL;

            pthread_mutex_lock(&k->lock);
            if (epoch == k->epoch) {
                old = k->view;
                k->view = v;
                v->refs++;
            }
            pthread_mutex_unlock(&k->lock);
            put_view(k, old);
            if (v->nmissing)
                fa_seg_wanted(g);
        }
        free_look(&w);
        free(part);
    }
    pthread_mutex_unlock(&k->looking);
    *out = v;
    return rc;
}

/* ---- placing all ---- */

/* Takes away labels that no live part has, from the replicas that answered. */
static fa_rc sweep_replica(look *w, size_t s, size_t r, fa_err *e)
{
    fa_arena a;
    replica *x = &w->k->shard[s].r[r];
    char sql[400];
    fa_str got;
    ask q = {.sql = sql};
    fa_rc rc;

    fa_arena_init(&a, (size_t)256 << 20);
    snprintf(sql, sizeof sql, "SELECT DISTINCT part FROM %s.daily FORMAT RowBinary",
             w->k->database);
    rc = send_to(w->k, &a, x, &q, &got, e);
    while (!rc && got.n) {
        uint8_t n = 0;
        char label[128];
        size_t i;

        if (!take_raw(&got, &n, 1) || n >= sizeof label || !take_raw(&got, label, n))
            break;
        label[n] = '\0';
        if (!fa_map_get(w->index, fa_str_of(label), &i) && is_word(fa_str_of(label), "-"))
            rc = tell(w->k, x, FA_STR(""), e, "ALTER TABLE %s.daily DROP PARTITION '%s'",
                      w->k->database, label);
    }
    fa_arena_release(&a);
    return rc;
}

fa_rc fa_cluster_place(fa_engine *g, fa_cluster *k, const fa_seg_part *part, size_t n,
                       const volatile bool *cancel, size_t *left, fa_err *e)
{
    look w;
    size_t placed = 0, refused = 0;
    fa_rc rc = look_around(g, k, part, n, 0, &w, e);

    for (size_t s = 0; s < k->n && !rc; s++)
        if (best_of(&w, s) == REPLICAS_MAX)
            rc = no_replica(&w, s, e);
    for (size_t i = 0; i < n && !rc; i++) {
        const bool *has = w.has + i * k->n * REPLICAS_MAX;
        bool whole = true;

        for (size_t s = 0; s < k->n; s++)
            for (size_t r = 0; r < k->shard[s].n; r++)
                whole &= has[s * REPLICAS_MAX + r] || !w.reached[s * REPLICAS_MAX + r];
        if (whole)
            continue;
        if (fa_flag_get(cancel)) {
            rc = fa_fail(e, FA_ECANCELLED, "cancelled");
            break;
        }
        (void)fa_fault("cluster-place");
        rc = place_part(g, k, &part[i], has, e);
        if (rc == FA_EDATA) { /* DuckDB keeps answering for it */
            fa_log(FA_LOG_WARN, "cluster_place", "part=%u error=%s", part[i].id, e->msg);
            refused++;
            rc = FA_OK;
        } else if (!rc) {
            placed++;
        }
    }
    for (size_t s = 0; s < k->n && !rc; s++)
        for (size_t r = 0; r < k->shard[s].n && !rc; r++)
            if (w.reached[s * REPLICAS_MAX + r])
                rc = sweep_replica(&w, s, r, e);
    if (placed)
        fa_cluster_changed(k);
    if (left)
        *left = refused;
    free_look(&w);
    return rc;
}

/* ---- a scan ---- */

typedef struct gathered {
    const fa_scan *q;
    fa_cluster *k;
    const view *v;
    unsigned nm, measure[FA_M__COUNT];
    uint32_t ngroup, nbucket;
    size_t ncell, max_answer, taken; /* taken: bytes of FA_MEM_SCANS */
    pthread_mutex_t lock;            /* the sums */
    int64_t *rows;                   /* [bucket * ngroup + group] */
    fa_i128 *sum;                    /* [slot * ncell + cell] */
    fa_buf sql;
    atomic_bool stale; /* a replica has other rows than the view says */
} gathered;

typedef struct part_scan {
    gathered *w;
    size_t s;
    pthread_t thread;
    bool started;
    fa_rc rc;
    fa_err e;
} part_scan;

static void put_file(fa_buf *b, const char *name)
{
    fa_buf_fmt(b,
               "%s--" BOUNDARY
               "\r\nContent-Disposition: form-data; name=\"%s\"; filename=\"%s\"\r\n"
               "Content-Type: application/octet-stream\r\n\r\n",
               b->n ? "\r\n" : "", name, name);
}

static void put_tables(fa_buf *b, const gathered *w, size_t s, bool with_groups)
{
    const fa_scan *q = w->q;

    put_file(b, "p");
    fa_buf_str(b, fa_buf_view(&w->v->labels));
    if (with_groups) {
        put_file(b, "g");
        for (uint32_t line = (uint32_t)s; line < q->nline; line += (uint32_t)w->k->n) {
            if (q->group[line] != FA_NO_GROUP) {
                put_raw(b, &line, sizeof line);
                put_raw(b, &q->group[line], sizeof line);
            }
            if (line > UINT32_MAX - w->k->n)
                break;
        }
    }
    /* No line end after the last boundary: a server that stops reading there, and gets the line end later, takes
     * it for the beginning of the connection's next request and refuses that one. */
    fa_buf_z(b, "\r\n--" BOUNDARY "--");
}

static fa_rc take_cells(gathered *w, fa_str got, fa_err *e)
{
    const fa_scan *q = w->q;
    fa_rc rc = FA_OK;

    pthread_mutex_lock(&w->lock);
    while (got.n && !rc) {
        uint16_t day = 0;
        uint32_t group;
        uint64_t rows;
        size_t cell = 0;

        if ((q->bucket && !take_raw(&got, &day, 2)) || !take_raw(&got, &group, 4) ||
            !take_raw(&got, &rows, 8) || group >= w->ngroup ||
            (q->bucket && ((int32_t)day < q->from || (int32_t)day > q->to)) ||
            got.n < w->nm * sizeof(fa_i128)) {
            rc = fa_fail(e, FA_EFAILED, "a shard gave an answer that makes no sense");
            break;
        }
        if (q->bucket)
            cell = (size_t)q->bucket[day - q->from] * w->ngroup;
        cell += group;
        w->rows[cell] += (int64_t)rows;
        for (unsigned m = 0; m < w->nm; m++) {
            fa_i128 v = 0;

            (void)take_raw(&got, &v, sizeof v);
            w->sum[m * w->ncell + cell] += v;
        }
    }
    pthread_mutex_unlock(&w->lock);
    return rc;
}

/* What was scanned was whole: as many rows of the labels as were placed. */
static fa_rc count_rows(gathered *w, size_t s, replica *r, bool has_other, fa_err *e)
{
    fa_arena a;
    fa_buf body;
    char sql[300];
    fa_str got = {0};
    uint64_t n = 0;
    ask q = {.sql = sql,
             .is_multipart = true,
             .deadline_mono_ms = w->q->deadline_mono_ms,
             .has_other = has_other,
             .extra = "&p_structure=part%20String&p_format=RowBinary"};
    fa_rc rc;

    fa_arena_init(&a, (size_t)1 << 24);
    fa_buf_init(&body, (size_t)128 << 20);
    put_tables(&body, w, s, false);
    q.body = fa_buf_view(&body);
    snprintf(sql, sizeof sql, "SELECT count() FROM %s.daily WHERE part IN p FORMAT RowBinary",
             w->k->database);
    rc = body.failed ? fa_oom(e) : send_to(w->k, &a, r, &q, &got, e);
    if (!rc && (!take_raw(&got, &n, 8) || (int64_t)n != w->v->rows[s])) {
        atomic_store(&w->stale, true);
        fa_cluster_changed(w->k);
        rc = fa_fail(e, FA_EENV, "the cluster's replica %s has %llu rows where %lld were placed",
                     r->name, (unsigned long long)n, (long long)w->v->rows[s]);
    }
    fa_buf_release(&body);
    fa_arena_release(&a);
    return rc;
}

static fa_rc scan_replica(gathered *w, size_t s, replica *r, bool has_other, fa_str body, fa_err *e)
{
    fa_arena a;
    fa_str got = {0};
    ask q = {.sql = w->sql.p,
             .body = body,
             .is_multipart = true,
             .max_answer = w->max_answer,
             .deadline_mono_ms = w->q->deadline_mono_ms,
             .has_other = has_other,
             .extra =
                 "&p_structure=part%20String&p_format=RowBinary&g_structure=line_id%20UInt32%2Cgrp"
                 "%20UInt32&g_format=RowBinary"};
    fa_rc rc;

    if (!w->q->group)
        q.extra = "&p_structure=part%20String&p_format=RowBinary";
    fa_arena_init(&a, w->max_answer + (1 << 20));
    fa_arena_count(&a);
    rc = send_to(w->k, &a, r, &q, &got, e);
    if (!rc && !(rc = count_rows(w, s, r, has_other, e)))
        rc = take_cells(w, got, e);
    fa_arena_release(&a);
    return rc;
}

/* Whether there is another replica of the shard that has all and was not asked yet. */
static bool has_other(const gathered *w, size_t s, const bool *asked)
{
    for (size_t r = 0; r < w->k->shard[s].n; r++)
        if (w->v->use[s][r] && !asked[r])
            return true;
    return false;
}

/* The replicas that have all, the living first. */
static void *scan_shard(void *arg)
{
    part_scan *x = arg;
    gathered *w = x->w;
    shard *s = &w->k->shard[x->s];
    fa_buf body;
    char why[300] = "none of its replicas has all of its rows";
    bool asked[REPLICAS_MAX] = {0};

    fa_buf_init(&body, (size_t)4 << 30);
    put_tables(&body, w, x->s, w->q->group != NULL);
    x->rc = body.failed ? fa_oom(&x->e) : FA_EENV;
    for (int turn = 0; turn < 2 && x->rc == FA_EENV && !body.failed; turn++)
        for (size_t r = 0; r < s->n && x->rc == FA_EENV; r++) {
            if (!w->v->use[x->s][r] || asked[r] || (turn == 0 && is_dead(&s->r[r])))
                continue;
            asked[r] = true;
            x->rc = scan_replica(w, x->s, &s->r[r], has_other(w, x->s, asked), fa_buf_view(&body),
                                 &x->e);
            if (x->rc == FA_EENV)
                snprintf(why, sizeof why, "%.290s", x->e.msg);
        }
    if (x->rc == FA_ETIMEOUT)
        (void)fa_fail(
            &x->e, FA_ETIMEOUT,
            "the question's time was up before shard %zu of %zu of the cluster had answered",
            x->s + 1, w->k->n);
    if (x->rc == FA_EENV && !body.failed) {
        fa_cluster_changed(w->k);
        (void)fa_fail(&x->e, FA_EENV,
                      "shard %zu of %zu of the cluster does not answer, and without it there is no "
                      "right number: %s",
                      x->s + 1, w->k->n, why);
        (void)fa_hint(&x->e, "start it again, or add a replica that has its rows");
    }
    fa_buf_release(&body);
    return NULL;
}

static fa_rc scan_shards(gathered *w, fa_err *e)
{
    part_scan *x = calloc(w->k->n, sizeof *x);
    fa_rc rc = FA_OK;

    if (!x)
        return fa_oom(e);
    for (size_t s = 0; s < w->k->n; s++) {
        x[s] = (part_scan){.w = w, .s = s};
        x[s].started = s > 0 && pthread_create(&x[s].thread, NULL, scan_shard, &x[s]) == 0;
    }
    for (size_t s = 0; s < w->k->n; s++) {
        if (x[s].started)
            pthread_join(x[s].thread, NULL);
        else
            scan_shard(&x[s]);
        if (x[s].rc && !rc) {
            rc = x[s].rc;
            *e = x[s].e;
        }
    }
    free(x);
    return rc;
}

/* ALL, though a line has one group: a current engine's ANY INNER JOIN gives one row per key of the left side too, 18.16's
 * did not. */
static void put_scan_sql(gathered *w)
{
    const fa_scan *q = w->q;
    fa_buf *b = &w->sql;
    int32_t from = q->from < 0 ? 0 : q->from, to = q->to > DAY_MAX ? DAY_MAX : q->to;

    fa_buf_fmt(b, "SELECT %s%s, sum(toUInt64(n))", q->bucket ? "toUInt16(day) AS d, " : "",
               q->group ? "grp" : "toUInt32(0) AS grp");
    for (unsigned m = 0; m < w->nm; m++)
        fa_buf_fmt(b, ", sum(%s)", fa_measures[w->measure[m]].col);
    fa_buf_z(b, " FROM (SELECT day, line_id, n");
    for (unsigned m = 0; m < w->nm; m++)
        fa_buf_fmt(b, ", %s", fa_measures[w->measure[m]].col);
    fa_buf_fmt(b,
               " FROM %s.daily WHERE part IN p AND day >= toDate(%d) AND day <= toDate(%d)) AS f%s "
               "GROUP BY %sgrp"
               " FORMAT RowBinary",
               w->k->database, from, to, q->group ? " ALL INNER JOIN g USING (line_id)" : "",
               q->bucket ? "d, " : "");
}

static fa_rc shape_answer(gathered *w, fa_err *e)
{
    const fa_scan *q = w->q;
    size_t bytes;

    for (unsigned m = 0; m < FA_M__COUNT; m++)
        if (q->measures >> m & 1)
            w->measure[w->nm++] = m;
    w->ngroup = q->group ? 0 : 1;
    for (uint32_t i = 0; q->group && i < q->nline; i++)
        if (q->group[i] != FA_NO_GROUP && q->group[i] >= w->ngroup)
            w->ngroup = q->group[i] + 1;
    w->nbucket = q->bucket ? 0 : 1;
    for (int32_t d = q->from; q->bucket && d <= q->to; d++)
        if (q->bucket[d - q->from] >= w->nbucket)
            w->nbucket = q->bucket[d - q->from] + 1;
    w->max_answer = fa_memory_share(FA_MEM_SCANS);
    if (w->ngroup && w->nbucket > CELLS_MAX / w->ngroup)
        return fa_fail(e, FA_EENV, "the answer would have %u groups in %u periods", w->ngroup,
                       w->nbucket);
    w->ncell = (size_t)w->ngroup * w->nbucket;
    bytes = w->ncell * (sizeof *w->rows + w->nm * sizeof *w->sum);
    if (!fa_memory_take(FA_MEM_SCANS, bytes))
        return fa_oom(e);
    w->taken = bytes;
    w->rows = calloc(w->ncell + 1, sizeof *w->rows);
    w->sum = calloc(w->ncell * w->nm + 1, sizeof *w->sum);
    return w->rows && w->sum ? FA_OK : fa_oom(e);
}

static fa_rc add_local(gathered *w, fa_engine *g, fa_scan_rest *rest, fa_err *e)
{
    fa_arena a;
    fa_parts parts = {w->v->missing, w->v->nmissing};
    fa_cell *cell;
    size_t n = 0;
    fa_rc rc;

    fa_arena_init(&a, (size_t)4 << 30);
    fa_arena_count(&a);
    rc = rest(g, &a, w->q, &parts, &cell, &n, e);
    for (size_t i = 0; i < n && !rc; i++) {
        size_t at = (size_t)cell[i].bucket * w->ngroup + cell[i].group;

        w->rows[at] += cell[i].rows;
        for (unsigned m = 0; m < w->nm; m++)
            w->sum[m * w->ncell + at] += cell[i].sum[w->measure[m]];
    }
    fa_arena_release(&a);
    return rc;
}

static fa_rc give_answer(const gathered *w, fa_arena *a, fa_cell **out, size_t *n, fa_err *e)
{
    size_t kept = 0;

    for (size_t i = 0; i < w->ncell; i++)
        kept += w->rows[i] > 0;
    *out = fa_arena_array(a, kept + 1, sizeof **out);
    if (!*out)
        return fa_oom(e);
    for (size_t i = 0; i < w->ncell; i++) {
        fa_cell *c = &(*out)[*n];

        if (w->rows[i] <= 0)
            continue;
        ++*n;
        c->bucket = (uint32_t)(i / w->ngroup);
        c->group = (uint32_t)(i % w->ngroup);
        c->rows = w->rows[i];
        for (unsigned m = 0; m < w->nm; m++)
            c->sum[w->measure[m]] = w->sum[m * w->ncell + i];
    }
    return FA_OK;
}

/* *stale: parts came or went since they were looked up, as a load that commits has them do; by a new look there is an answer. */
static fa_rc scan_once(fa_engine *g, fa_cluster *k, fa_arena *a, const fa_scan *q,
                       fa_scan_rest *rest, fa_cell **out, size_t *n, bool *stale, fa_err *e)
{
    gathered w = {.q = q, .k = k};
    view *v = NULL;
    fa_rc rc;

    *n = 0;
    pthread_mutex_init(&w.lock, NULL);
    fa_buf_init(&w.sql, 1 << 16);
    if ((rc = get_view(g, k, q->deadline_mono_ms, &v, e)))
        goto done;
    w.v = v;
    if ((rc = shape_answer(&w, e)))
        goto done;
    put_scan_sql(&w);
    if (w.sql.failed) {
        rc = fa_oom(e);
        goto done;
    }
    if ((w.v->labels.n && w.ngroup && q->to >= 0 && (rc = scan_shards(&w, e))) ||
        (w.v->nmissing && (rc = add_local(&w, g, rest, e))))
        goto done;
    rc = give_answer(&w, a, out, n, e);
done:
    *stale = rc == FA_EENV && atomic_load(&w.stale);
    if (w.taken)
        fa_memory_give(FA_MEM_SCANS, w.taken);
    free(w.rows);
    free(w.sum);
    fa_buf_release(&w.sql);
    put_view(k, v);
    pthread_mutex_destroy(&w.lock);
    return rc;
}

fa_rc fa_cluster_scan(fa_engine *g, fa_cluster *k, fa_arena *a, const fa_scan *q,
                      fa_scan_rest *rest, fa_cell **out, size_t *n, fa_err *e)
{
    bool stale = true;
    fa_rc rc = FA_OK;

    for (int turn = 0; turn < SCAN_TRIES && stale; turn++)
        rc = scan_once(g, k, a, q, rest, out, n, &stale, e);
    return rc;
}
