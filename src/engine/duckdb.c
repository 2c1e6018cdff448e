/*
 * duckdb.c - DuckDB behind the door to facts: opening, connections, statements, batches.
 *
 * The one idea: a statement runs on a pooled connection, its result is handed out column by column
 * in the few types the rest of the program knows (text, 64-bit integer, 128-bit integer, truth),
 * and a watchdog thread interrupts the statement whose deadline has passed.
 */
#include "engine/cluster.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define POOL_MAX 16

#define OWN(focus, name, col) focus, name, col, col, col "_rest", NULL
const fa_measure_info fa_measures[FA_M__COUNT] = {
    [FA_M_BILLED] = {OWN("BilledCost", "billed cost", "billed"), FA_M_BILLED},
    [FA_M_EFFECTIVE] = {OWN("EffectiveCost", "effective cost", "effective"), FA_M_EFFECTIVE},
    [FA_M_LIST] = {OWN("ListCost", "list cost", "list"), FA_M_LIST},
    [FA_M_CONTRACTED] = {OWN("ContractedCost", "contracted cost", "contracted"), FA_M_CONTRACTED},
    [FA_M_UNBLENDED] = {"x_UnblendedCost", "unblended cost", "unblended",
                        "coalesce(unblended, billed)", "coalesce(unblended_rest, billed_rest)",
                        NULL, FA_M_BILLED},
    [FA_M_AMORTIZED] = {"x_AmortizedCost", "amortized cost", "amortized",
                        "coalesce(amortized, effective)",
                        "coalesce(amortized_rest, effective_rest)", NULL, FA_M_EFFECTIVE},
    [FA_M_BLENDED] = {"x_BlendedCost", "blended cost", "blended",
                      "coalesce(blended, unblended, billed)",
                      "coalesce(blended_rest, unblended_rest, billed_rest)", NULL, FA_M_UNBLENDED},
    [FA_M_FAIRSHARE] = {NULL, "FairShare cost", "fair", "coalesce(fair, amortized, effective)",
                        "coalesce(fair_rest, amortized_rest, effective_rest)", NULL,
                        FA_M_AMORTIZED},
    [FA_M_NET_FAIRSHARE] = {NULL, "net FairShare cost", "net_fair", "coalesce(net_fair, effective)",
                            "coalesce(net_fair_rest, effective_rest)", NULL, FA_M_EFFECTIVE},
    [FA_M_CONSUMED] = {"ConsumedQuantity", "consumed quantity", "consumed", "consumed", NULL,
                       "ConsumedUnit", FA_M_CONSUMED},
    [FA_M_PRICED] = {"PricingQuantity", "pricing quantity", "priced", "priced", NULL, "PricingUnit",
                     FA_M_PRICED},
    [FA_M_NORMALIZED] = {"x_NormalizedUsageAmount", "normalized usage", "normalized",
                         "coalesce(normalized, priced)", NULL,
                         "coalesce(x['x_NormalizedUnit'], PricingUnit)", FA_M_PRICED},
};

/* ---- errors ---- */

static fa_rc map_error(fa_conn *c, duckdb_error_type type, const char *text, fa_err *e)
{
    fa_rc rc;

    if (!text)
        text = "the engine gave no reason";
    switch (type) {
    case DUCKDB_ERROR_INTERRUPT:
        if (c && __atomic_load_n(&c->timed_out, __ATOMIC_RELAXED))
            return fa_fail(e, FA_ETIMEOUT, "the query took longer than its time limit");
        return fa_fail(e, FA_ECANCELLED, "cancelled");
    case DUCKDB_ERROR_OUT_OF_MEMORY:
        rc = fa_fail(e, FA_EENV, "out of memory: %.700s", text);
        (void)fa_hint(e, "give the command more with --memory, or ask a narrower question");
        return rc;
    case DUCKDB_ERROR_IO:
    case DUCKDB_ERROR_PERMISSION:
        return fa_fail(e, FA_EENV, "%.900s", text);
    case DUCKDB_ERROR_INVALID_INPUT:
    case DUCKDB_ERROR_CONVERSION:
    case DUCKDB_ERROR_OUT_OF_RANGE:
    case DUCKDB_ERROR_DECIMAL:
    case DUCKDB_ERROR_INVALID:
        return fa_fail(e, FA_EDATA, "%.900s", text);
    default:
        return fa_fail(e, FA_EINTERNAL, "%.900s", text);
    }
}

/* The engine says the kind of an error in front of its text ("Out of Memory Error: ..."): of a statement that ran task by task
 * it says it nowhere else. */
static fa_rc map_text(fa_conn *c, const char *text, fa_err *e)
{
    static const struct {
        const char *prefix;
        duckdb_error_type type;
    } kinds[] = {
        {"INTERRUPT Error:", DUCKDB_ERROR_INTERRUPT},
        {"Out of Memory Error:", DUCKDB_ERROR_OUT_OF_MEMORY},
        {"IO Error:", DUCKDB_ERROR_IO},
        {"Permission Error:", DUCKDB_ERROR_PERMISSION},
        {"Invalid Input Error:", DUCKDB_ERROR_INVALID_INPUT},
        {"Conversion Error:", DUCKDB_ERROR_CONVERSION},
        {"Out of Range Error:", DUCKDB_ERROR_OUT_OF_RANGE},
        {"Decimal Error:", DUCKDB_ERROR_DECIMAL},
        {"Invalid Error:", DUCKDB_ERROR_INVALID},
    };

    for (size_t i = 0; text && i < FA_COUNT(kinds); i++)
        if (strncmp(text, kinds[i].prefix, strlen(kinds[i].prefix)) == 0)
            return map_error(c, kinds[i].type, text, e);
    return map_error(c, DUCKDB_ERROR_INTERNAL, text, e);
}

/* ---- the watchdog ---- */

static void *watch(void *arg)
{
    fa_engine *g = arg;

    pthread_mutex_lock(&g->lock);
    while (!g->stopping) {
        int64_t now = fa_mono_ms(), next = now + 60000;
        struct timespec until;

        for (fa_conn *c = g->busy; c; c = c->next) {
            if (!c->running || c->deadline_mono_ms == 0)
                continue;
            if (c->deadline_mono_ms <= now) {
                __atomic_store_n(&c->timed_out, true, __ATOMIC_RELAXED);
                duckdb_interrupt(c->con);
                next = now + 20; /* again, in case the statement was just starting */
            } else if (c->deadline_mono_ms < next) {
                next = c->deadline_mono_ms;
            }
        }
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += (next - now) / 1000;
        until.tv_nsec += (next - now) % 1000 * 1000000;
        if (until.tv_nsec >= 1000000000) {
            until.tv_sec++;
            until.tv_nsec -= 1000000000;
        }
        pthread_cond_timedwait(&g->wake, &g->lock, &until);
    }
    pthread_mutex_unlock(&g->lock);
    return NULL;
}

static void set_running(fa_conn *c, bool running)
{
    fa_engine *g = c->engine;

    pthread_mutex_lock(&g->lock);
    c->running = running;
    if (running) {
        __atomic_store_n(&c->timed_out, false, __ATOMIC_RELAXED);
        if (c->deadline_mono_ms)
            pthread_cond_signal(&g->wake);
    }
    pthread_mutex_unlock(&g->lock);
}

/* ---- open and close ---- */

static fa_rc set_option(duckdb_config cfg, const char *name, const char *value, fa_err *e)
{
    if (duckdb_set_config(cfg, name, value) != DuckDBSuccess)
        return fa_fail(e, FA_EINTERNAL, "the engine does not know the setting %s = %s", name,
                       value);
    return FA_OK;
}

#define THREAD_BYTES ((size_t)128 << 20)

unsigned fa_engine_threads(size_t memory_bytes)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    size_t fit = memory_bytes / THREAD_BYTES, n = cores > 0 ? (size_t)cores : 1;

    return (unsigned)(fit < 1 ? 1 : fit < n ? fit : n);
}

static fa_rc make_config(const fa_engine_options *o, duckdb_config cfg, fa_err *e)
{
    char text[64];
    size_t memory = o->memory_bytes ? o->memory_bytes : fa_memory_share(FA_MEM_ENGINE);
    static const char *const fixed[][2] = {
        {"autoinstall_known_extensions", "false"},
        {"autoload_known_extensions", "false"},
        {"allow_community_extensions", "false"},
        {"preserve_insertion_order", "false"},
        {"errors_as_json", "false"},
        {"enable_object_cache", "false"},
    };

    for (size_t i = 0; i < FA_COUNT(fixed) - 1; i++)
        if (set_option(cfg, fixed[i][0], fixed[i][1], e))
            return e->rc;
    snprintf(text, sizeof text, "%zuB", memory);
    if (set_option(cfg, "memory_limit", text, e))
        return e->rc;
    snprintf(text, sizeof text, "%u", o->threads ? o->threads : fa_engine_threads(memory));
    if (set_option(cfg, "threads", text, e))
        return e->rc;
    if (o->temp_dir && set_option(cfg, "temp_directory", o->temp_dir, e))
        return e->rc;
    return FA_OK;
}

static fa_rc new_conn(fa_engine *g, fa_conn **out, fa_err *e)
{
    fa_conn *c = calloc(1, sizeof *c);

    if (!c)
        return fa_oom(e);
    c->engine = g;
    if (duckdb_connect(g->db, &c->con) != DuckDBSuccess) {
        free(c);
        return fa_fail(e, FA_EENV, "could not connect to the engine");
    }
    *out = c;
    return FA_OK;
}

static void free_conn(fa_conn *c)
{
    duckdb_disconnect(&c->con);
    free(c);
}

fa_rc fa_engine_open(const fa_engine_options *o, fa_engine **out, fa_err *e)
{
    fa_rc rc = FA_OK;
    fa_engine *g = calloc(1, sizeof *g);
    duckdb_config cfg = NULL;
    char *why = NULL;
    fa_conn *c = NULL;
    pthread_condattr_t attr;

    *out = NULL;
    if (!g)
        return fa_oom(e);
    pthread_mutex_init(&g->lock, NULL);
    pthread_mutex_init(&g->set_opening, NULL);
    pthread_mutex_init(&g->making, NULL);
    g->threads = o->threads ? o->threads : (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&g->wake, &attr);
    pthread_cond_init(&g->make_wake, &attr);
    pthread_cond_init(&g->scan_done, &attr);
    pthread_condattr_destroy(&attr);
    if (duckdb_create_config(&cfg) != DuckDBSuccess) {
        rc = fa_fail(e, FA_EENV, "could not configure the engine");
        goto done;
    }
    if ((rc = make_config(o, cfg, e)))
        goto done;
    if (duckdb_open_ext(o->path, &g->db, cfg, &why) != DuckDBSuccess) {
        rc = fa_fail(e, FA_EENV, "could not open \"%s\": %.700s", o->path ? o->path : "memory",
                     why ? why : "no reason given");
        goto done;
    }
    if ((rc = new_conn(g, &c, e)) || (rc = fa_duck_functions(c->con, e)))
        goto done;
    if (pthread_create(&g->watchdog, NULL, watch, g)) {
        rc = fa_fail(e, FA_EENV, "could not start a thread");
        goto done;
    }
    g->has_watchdog = true;
    g->pool = c;
    g->npool = 1;
    c = NULL;
    if (o->segments) {
        if (!(g->segments = strdup(o->segments))) {
            rc = fa_oom(e);
            goto done;
        }
        if ((rc = fa_mkdirs(o->segments, 0700, e)) || (rc = fa_seg_start(g, e)))
            goto done;
    }
    *out = g;
    g = NULL;
done:
    if (why)
        duckdb_free(why);
    if (c)
        free_conn(c);
    duckdb_destroy_config(&cfg);
    fa_engine_close(g);
    return rc;
}

void fa_engine_close(fa_engine *g)
{
    if (!g)
        return;
    fa_seg_stop(g);
    if (g->has_watchdog) {
        pthread_mutex_lock(&g->lock);
        g->stopping = true;
        pthread_cond_signal(&g->wake);
        pthread_mutex_unlock(&g->lock);
        pthread_join(g->watchdog, NULL);
    }
    fa_seg_set_drop(g);
    fa_cluster_close(atomic_load(&g->cluster));
    while (g->nretired)
        fa_cluster_close(g->retired[--g->nretired]);
    while (g->pool) {
        fa_conn *c = g->pool;

        g->pool = c->next;
        free_conn(c);
    }
    if (g->db)
        duckdb_close(&g->db);
    pthread_cond_destroy(&g->wake);
    pthread_cond_destroy(&g->make_wake);
    pthread_cond_destroy(&g->scan_done);
    pthread_mutex_destroy(&g->set_opening);
    pthread_mutex_destroy(&g->making);
    free(g->segments);
    pthread_mutex_destroy(&g->lock);
    free(g);
}

fa_rc fa_engine_memory(fa_engine *g, size_t bytes, fa_err *e)
{
    fa_conn *c = NULL;
    char sql[64];
    fa_rc rc = fa_conn_get(g, &c, e);

    snprintf(sql, sizeof sql, "SET GLOBAL memory_limit = '%zuB'", bytes);
    if (!rc)
        rc = fa_sql_exec(c, fa_str_of(sql), NULL, 0, NULL, e);
    fa_conn_put(c);
    return rc;
}

fa_rc fa_conn_get(fa_engine *g, fa_conn **out, fa_err *e)
{
    fa_conn *c;
    fa_rc rc;

    *out = NULL;
    pthread_mutex_lock(&g->lock);
    c = g->pool;
    if (c) {
        g->pool = c->next;
        g->npool--;
    }
    pthread_mutex_unlock(&g->lock);
    if (!c && (rc = new_conn(g, &c, e)))
        return rc;
    pthread_mutex_lock(&g->lock);
    c->next = g->busy;
    g->busy = c;
    pthread_mutex_unlock(&g->lock);
    *out = c;
    return FA_OK;
}

void fa_conn_put(fa_conn *c)
{
    fa_engine *g;
    fa_err ignored;
    bool keep;

    if (!c)
        return;
    g = c->engine;
    c->deadline_mono_ms = 0;
    if (c->in_transaction && fa_sql_exec(c, FA_STR("ROLLBACK"), NULL, 0, NULL, &ignored))
        fa_log(FA_LOG_WARN, "engine_rollback", "error=%s", ignored.msg);
    c->in_transaction = false;
    pthread_mutex_lock(&g->lock);
    for (fa_conn **p = &g->busy; *p; p = &(*p)->next)
        if (*p == c) {
            *p = c->next;
            break;
        }
    keep = g->npool < POOL_MAX;
    if (keep) {
        c->next = g->pool;
        g->pool = c;
        g->npool++;
    }
    pthread_mutex_unlock(&g->lock);
    if (!keep)
        free_conn(c);
}

void fa_conn_interrupt(fa_conn *c)
{
    duckdb_interrupt(c->con);
}

void fa_conn_deadline(fa_conn *c, int64_t mono_ms)
{
    pthread_mutex_lock(&c->engine->lock);
    c->deadline_mono_ms = mono_ms;
    pthread_mutex_unlock(&c->engine->lock);
}

double fa_conn_progress(fa_conn *c)
{
    return duckdb_query_progress(c->con).percentage;
}

/* ---- statements ---- */

static fa_rc bind_all(duckdb_prepared_statement st, const fa_param *p, size_t np, fa_err *e)
{
    for (size_t i = 0; i < np; i++) {
        duckdb_state s;

        switch (p[i].kind) {
        case FA_P_TEXT:
            s = duckdb_bind_varchar_length(st, i + 1, p[i].text.p ? p[i].text.p : "", p[i].text.n);
            break;
        case FA_P_INT:
            s = duckdb_bind_int64(st, i + 1, p[i].num);
            break;
        default:
            s = duckdb_bind_null(st, i + 1);
        }
        if (s != DuckDBSuccess)
            return fa_fail(e, FA_EDATA, "could not bind value %zu of the statement", i + 1);
    }
    return FA_OK;
}

#define IDLE_MIN_NS 20000
#define IDLE_MAX_NS 500000

/* Works on the statement beside the engine's own threads. The engine's call for a whole statement asks for work without a
 * pause while others have it all, which takes a core from them and from other questions: here it is waited for. */
static fa_rc work(fa_conn *c, duckdb_pending_result p, fa_err *e)
{
    long idle = IDLE_MIN_NS;

    for (;;) {
        switch (duckdb_pending_execute_task(p)) {
        case DUCKDB_PENDING_RESULT_READY:
            return FA_OK;
        case DUCKDB_PENDING_ERROR:
            return map_text(c, duckdb_pending_error(p), e);
        case DUCKDB_PENDING_NO_TASKS_AVAILABLE: {
            struct timespec t = {0, idle};

            (void)nanosleep(&t, NULL);
            idle = idle * 2 > IDLE_MAX_NS ? IDLE_MAX_NS : idle * 2;
            break;
        }
        default:
            idle = IDLE_MIN_NS;
        }
    }
}

/* Runs `sql`, one statement, and leaves the result in *res, which the caller destroys whatever comes back. */
static fa_rc run(fa_conn *c, fa_str sql, const fa_param *p, size_t np, bool in_parts,
                 duckdb_result *res, fa_err *e)
{
    duckdb_state s;
    fa_rc rc = FA_OK;
    duckdb_prepared_statement st = NULL;
    duckdb_pending_result pending = NULL;
    char *z = malloc(sql.n + 1);

    memset(res, 0, sizeof *res);
    if (!z)
        return fa_oom(e);
    memcpy(z, sql.p, sql.n);
    z[sql.n] = '\0';
    set_running(c, true);
    FA_DUCK_GIVES();
    if (duckdb_prepare(c->con, z, &st) != DuckDBSuccess) {
        rc = map_text(c, duckdb_prepare_error(st), e);
        goto done;
    }
    if ((rc = bind_all(st, p, np, e)))
        goto done;
    s = in_parts ? duckdb_pending_prepared_streaming(st, &pending)
                 : duckdb_pending_prepared(st, &pending);
    if (s != DuckDBSuccess) {
        rc = map_text(c, duckdb_pending_error(pending), e);
        goto done;
    }
    if ((rc = work(c, pending, e)))
        goto done;
    if (duckdb_execute_pending(pending, res) != DuckDBSuccess)
        rc = map_error(c, duckdb_result_error_type(res), duckdb_result_error(res), e);
done:
    duckdb_destroy_pending(&pending);
    FA_DUCK_TAKES();
    set_running(c, false);
    duckdb_destroy_prepare(&st);
    free(z);
    return rc;
}

fa_rc fa_sql_exec(fa_conn *c, fa_str sql, const fa_param *p, size_t np, int64_t *changed, fa_err *e)
{
    duckdb_result res;
    fa_rc rc = run(c, sql, p, np, false, &res, e);

    if (!rc && changed)
        *changed = (int64_t)duckdb_rows_changed(&res);
    if (fa_str_starts(sql, FA_STR("BEGIN")))
        c->in_transaction = !rc;
    else if (!rc &&
             (fa_str_starts(sql, FA_STR("COMMIT")) || fa_str_starts(sql, FA_STR("ROLLBACK"))))
        c->in_transaction = false;
    duckdb_destroy_result(&res);
    return rc;
}

/* ---- batches ---- */

typedef struct batch_buf {
    fa_col *col;
    duckdb_type *type;
    uint8_t *scale;
    duckdb_type *store; /* physical type of a decimal or enum */
    void **data;        /* per column: rows * 16 bytes */
    bool **null;
    size_t cols, cap;
} batch_buf;

static void free_batch(batch_buf *b)
{
    for (size_t i = 0; i < b->cols; i++) {
        if (b->data)
            free(b->data[i]);
        if (b->null)
            free(b->null[i]);
    }
    free(b->col);
    free(b->type);
    free(b->scale);
    free(b->store);
    free(b->data);
    free(b->null);
}

static fa_coltype out_type(duckdb_type t)
{
    switch (t) {
    case DUCKDB_TYPE_BOOLEAN:
        return FA_T_BOOL;
    case DUCKDB_TYPE_TINYINT:
    case DUCKDB_TYPE_SMALLINT:
    case DUCKDB_TYPE_INTEGER:
    case DUCKDB_TYPE_BIGINT:
    case DUCKDB_TYPE_UTINYINT:
    case DUCKDB_TYPE_USMALLINT:
    case DUCKDB_TYPE_UINTEGER:
    case DUCKDB_TYPE_DATE:
    case DUCKDB_TYPE_TIMESTAMP:
        return FA_T_I64;
    case DUCKDB_TYPE_UBIGINT:
    case DUCKDB_TYPE_HUGEINT:
    case DUCKDB_TYPE_UHUGEINT:
    case DUCKDB_TYPE_UUID:
    case DUCKDB_TYPE_DECIMAL:
        return FA_T_I128;
    default:
        return FA_T_TEXT;
    }
}

static fa_rc open_batch(batch_buf *b, duckdb_result *res, fa_err *e)
{
    b->cols = duckdb_column_count(res);
    b->cap = duckdb_vector_size();
    b->col = calloc(b->cols + 1, sizeof *b->col);
    b->type = calloc(b->cols + 1, sizeof *b->type);
    b->scale = calloc(b->cols + 1, sizeof *b->scale);
    b->store = calloc(b->cols + 1, sizeof *b->store);
    b->data = calloc(b->cols + 1, sizeof *b->data);
    b->null = calloc(b->cols + 1, sizeof *b->null);
    if (!b->col || !b->type || !b->scale || !b->store || !b->data || !b->null)
        return fa_oom(e);
    for (size_t i = 0; i < b->cols; i++) {
        duckdb_logical_type lt = duckdb_column_logical_type(res, i);

        b->type[i] = duckdb_get_type_id(lt);
        if (b->type[i] == DUCKDB_TYPE_DECIMAL) {
            b->scale[i] = duckdb_decimal_scale(lt);
            b->store[i] = duckdb_decimal_internal_type(lt);
        }
        duckdb_destroy_logical_type(&lt);
        b->col[i].type = out_type(b->type[i]);
        b->col[i].name = duckdb_column_name(res, i);
        if (b->col[i].type == FA_T_TEXT && b->type[i] != DUCKDB_TYPE_VARCHAR &&
            b->type[i] != DUCKDB_TYPE_BLOB && b->type[i] != DUCKDB_TYPE_SQLNULL)
            return fa_fail(e, FA_EINTERNAL, "column \"%s\" has a type that no caller reads (%d)",
                           b->col[i].name, (int)b->type[i]);
        b->data[i] = malloc(b->cap * 16);
        b->null[i] = malloc(b->cap * sizeof(bool));
        if (!b->data[i] || !b->null[i])
            return fa_oom(e);
    }
    return FA_OK;
}

static fa_i128 pow10_of(unsigned n)
{
    fa_i128 v = 1;

    while (n-- > 0)
        v *= 10;
    return v;
}

static void read_decimal(const batch_buf *b, size_t i, const void *src, idx_t rows, fa_i128 *to)
{
    unsigned scale = b->scale[i];
    fa_i128 up = scale <= 18 ? pow10_of(18 - scale) : 1;
    fa_i128 down = scale > 18 ? pow10_of(scale - 18) : 1;

    for (idx_t r = 0; r < rows; r++) {
        fa_i128 v;

        switch (b->store[i]) {
        case DUCKDB_TYPE_SMALLINT:
            v = ((const int16_t *)src)[r];
            break;
        case DUCKDB_TYPE_INTEGER:
            v = ((const int32_t *)src)[r];
            break;
        case DUCKDB_TYPE_BIGINT:
            v = ((const int64_t *)src)[r];
            break;
        default:
            v = duck_i128(((const duckdb_hugeint *)src)[r]);
        }
        to[r] = v * up / down;
    }
}

#define READ_INTS(T)                                                                               \
    for (idx_t r = 0; r < rows; r++)                                                               \
        i64[r] = (int64_t)((const T *)src)[r];                                                     \
    break

/* One column of a chunk into the caller's types. Slots of null rows hold anything. */
static void read_col(batch_buf *b, size_t i, duckdb_vector vec, idx_t rows)
{
    const void *src = duckdb_vector_get_data(vec);
    const uint64_t *mask = duckdb_vector_get_validity(vec);
    int64_t *i64 = b->data[i];
    fa_i128 *i128 = b->data[i];
    fa_col *col = &b->col[i];

    col->null = NULL;
    if (mask || b->type[i] == DUCKDB_TYPE_SQLNULL) {
        for (idx_t r = 0; r < rows; r++)
            b->null[i][r] = b->type[i] == DUCKDB_TYPE_SQLNULL || !duck_valid(mask, r);
        col->null = b->null[i];
    }
    switch (b->type[i]) {
    case DUCKDB_TYPE_BOOLEAN:
        col->b = src;
        return;
    case DUCKDB_TYPE_TINYINT:
        READ_INTS(int8_t);
    case DUCKDB_TYPE_SMALLINT:
        READ_INTS(int16_t);
    case DUCKDB_TYPE_INTEGER:
    case DUCKDB_TYPE_DATE:
        READ_INTS(int32_t);
    case DUCKDB_TYPE_BIGINT:
        READ_INTS(int64_t);
    case DUCKDB_TYPE_UTINYINT:
        READ_INTS(uint8_t);
    case DUCKDB_TYPE_USMALLINT:
        READ_INTS(uint16_t);
    case DUCKDB_TYPE_UINTEGER:
        READ_INTS(uint32_t);
    case DUCKDB_TYPE_TIMESTAMP:
        for (idx_t r = 0; r < rows; r++) {
            int64_t us = ((const int64_t *)src)[r];

            i64[r] = us / 1000 - (us % 1000 < 0);
        }
        break;
    case DUCKDB_TYPE_UBIGINT:
        for (idx_t r = 0; r < rows; r++)
            i128[r] = ((const uint64_t *)src)[r];
        break;
    case DUCKDB_TYPE_HUGEINT:
    case DUCKDB_TYPE_UHUGEINT:
    case DUCKDB_TYPE_UUID:
        memcpy(i128, src, rows * sizeof *i128);
        break;
    case DUCKDB_TYPE_DECIMAL:
        read_decimal(b, i, src, rows, i128);
        break;
    case DUCKDB_TYPE_SQLNULL:
        memset(b->data[i], 0, rows * 16);
        break;
    default: {
        fa_str *text = b->data[i];

        for (idx_t r = 0; r < rows; r++)
            text[r] = duck_valid(mask, r) ? duck_text(&((const duckdb_string_t *)src)[r])
                                          : (fa_str){"", 0};
    }
    }
    col->text = col->type == FA_T_TEXT ? b->data[i] : NULL;
    col->i64 = col->type == FA_T_I64 ? b->data[i] : NULL;
    col->i128 = col->type == FA_T_I128 ? b->data[i] : NULL;
}

static fa_rc query(fa_conn *c, fa_str sql, const fa_param *p, size_t np, bool in_parts,
                   fa_sink *sink, void *user, fa_err *e)
{
    duckdb_result res;
    batch_buf b = {0};
    fa_rc rc = run(c, sql, p, np, in_parts, &res, e);

    if (in_parts) /* it is worked on while it is fetched, so the deadline goes on */
        set_running(c, true);
    if (!rc)
        rc = open_batch(&b, &res, e);
    while (!rc) {
        duckdb_data_chunk chunk = duckdb_fetch_chunk(res);
        fa_batch batch = {0, b.cols, b.col};

        if (!chunk) {
            const char *why = in_parts ? duckdb_result_error(&res) : NULL;

            if (why && *why)
                rc = map_text(c, why, e);
            break;
        }
        batch.rows = duckdb_data_chunk_get_size(chunk);
        for (size_t i = 0; i < b.cols; i++)
            read_col(&b, i, duckdb_data_chunk_get_vector(chunk, i), batch.rows);
        if (batch.rows > 0)
            rc = sink(user, &batch, e);
        duckdb_destroy_data_chunk(&chunk);
    }
    if (in_parts)
        set_running(c, false);
    free_batch(&b);
    duckdb_destroy_result(&res);
    return rc;
}

fa_rc fa_sql_query(fa_conn *c, fa_str sql, const fa_param *p, size_t np, fa_sink *sink, void *user,
                   fa_err *e)
{
    return query(c, sql, p, np, false, sink, user, e);
}

fa_rc fa_sql_stream(fa_conn *c, fa_str sql, fa_sink *sink, void *user, fa_err *e)
{
    return query(c, sql, NULL, 0, true, sink, user, e);
}

typedef struct one_i64 {
    bool found;
    int64_t value;
} one_i64;

static fa_rc take_i64(void *user, const fa_batch *b, fa_err *e)
{
    one_i64 *o = user;
    const fa_col *c = b->col;

    (void)e;
    if (o->found || (c->null && c->null[0]))
        return FA_OK;
    o->found = true;
    o->value = c->type == FA_T_I64    ? c->i64[0]
               : c->type == FA_T_I128 ? (int64_t)c->i128[0]
               : c->type == FA_T_BOOL ? c->b[0]
                                      : 0;
    return FA_OK;
}

fa_rc fa_sql_i64(fa_conn *c, fa_str sql, const fa_param *p, size_t np, int64_t *out, fa_err *e)
{
    one_i64 o = {0};
    fa_rc rc = fa_sql_query(c, sql, p, np, take_i64, &o, e);

    if (!rc && !o.found)
        rc = fa_fail(e, FA_ENOTFOUND, "the statement gave no value");
    *out = o.value;
    return rc;
}
