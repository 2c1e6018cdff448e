/*
 * generate.c - cost and usage, asynchronous (api.md 8.6): submit, poll, page.
 *
 * A query is checked whole before its id is given out, so that what fails later failed for a reason
 * of ours. Its rows are kept as one JSON text per line in their final order; a page is a run of
 * lines, so a cursor stays right whatever is loaded meanwhile. Who asked is kept with the work: it
 * runs with that caller's row rules.
 */
#include "api/internal.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum {
    THREADS = 2,
    BOUND = 256,
    ROW_LIMIT = 1000,
    ROW_LIMIT_MAX = 100000,
    PAGE = 100,
    PAGE_MAX = 10000,
    VIRTUAL_TAGS_MAX = 3,
    RUN_MS = 300000,
};
#define DAY_MS 86400000LL

/* One sort direction of the request: which field, which way. */
typedef struct sort_key {
    enum { BY_INTERVAL, BY_DIM, BY_MEASURE } by;
    size_t at;
    bool descending;
} sort_key;

typedef struct question {
    fa_plan plan;
    fa_fair_width fair;             /* of the account */
    fa_str dim_column[FA_MAX_DIMS]; /* "AWS_billing_dimension_region" as the request spelled it */
    const char *interval;
    sort_key sort[FA_MAX_DIMS + FA_MAX_MEASUREMENTS + 1];
    size_t nsort;
    int64_t row_limit;
} question;

typedef struct task {
    struct task *next;
    fa_queries *all;
    fa_arena mem;
    fa_caller caller;
    fa_str id, request;
    fa_str scope; /* the caller's row rules as text: the rows are only for who has the same */
    int64_t created_ms;
} task;

struct fa_queries {
    fa_ledger *ledger;
    fa_pool *pool;
    pthread_mutex_t lock;
    task *active; /* queued and running */
    bool stopping;
};

/* ---- the request ---- */

static fa_rc at_index(fa_err *e, const char *list, size_t i, const char *field)
{
    char at[160];

    snprintf(at, sizeof at, "%.20s[%zu]%s%.100s", list, i, field ? "." : "", field ? field : "");
    return fa_at(e, at);
}

/* *given: false when there is none. */
static fa_rc direction(const json_t *o, bool *given, bool *descending, fa_err *e)
{
    fa_str s;

    *given = false;
    if (in_text(o, "sortDirection", false, &s, e))
        return e->rc;
    if (!s.p)
        return FA_OK;
    *given = true;
    *descending = fa_str_eqz(s, "descending");
    if (*descending || fa_str_eqz(s, "ascending"))
        return FA_OK;
    fa_fail(e, FA_EINVAL, "must be \"ascending\" or \"descending\"");
    return fa_at(e, "sortDirection");
}

static fa_rc add_sort(question *q, const json_t *o, unsigned by, size_t at, fa_err *e)
{
    bool given, descending = false;
    fa_rc rc = direction(o, &given, &descending, e);

    if (!rc && given)
        q->sort[q->nsort++] = (sort_key){by, at, descending};
    return rc;
}

static fa_rc parse_interval(const json_t *root, question *q, fa_err *e)
{
    static const struct {
        const char *name;
        fa_bucket bucket;
    } known[] = {{"day", FA_DAY}, {"week", FA_WEEK}, {"month", FA_MONTH}};
    const json_t *o = json_object_get(root, "timeInterval");
    fa_str s;

    if (!json_is_object(o)) {
        fa_fail(e, FA_EINVAL, o ? "must be an object" : "is missing");
        return fa_at(e, "timeInterval");
    }
    if (in_text(o, "interval", true, &s, e))
        return fa_at(e, "timeInterval.interval");
    for (size_t i = 0; i < FA_COUNT(known); i++)
        if (fa_str_eqz(s, known[i].name)) {
            q->interval = known[i].name;
            q->plan.bucket = known[i].bucket;
        }
    if (!q->interval) {
        fa_fail(e, FA_EINVAL, "must be day, week or month");
        return fa_at(e, "timeInterval.interval");
    }
    return add_sort(q, o, BY_INTERVAL, 0, e) ? fa_at(e, "timeInterval.sortDirection") : FA_OK;
}

static const char *const agg_names[] = {
    [FA_AGG_SUM] = "sum", [FA_AGG_AVG] = "avg", [FA_AGG_MIN] = "min", [FA_AGG_MAX] = "max"};

static fa_rc parse_measurement(const json_t *o, question *q, fa_err *e)
{
    fa_measurement *m = &q->plan.measure[q->plan.nmeasure];
    fa_str s;

    if (in_text(o, "type", true, &s, e))
        return e->rc;
    if (fa_cost_type_find(s, q->fair, &m->type, e))
        return fa_at(e, "type");
    if (!m->type->is_v2) {
        fa_fail(e, FA_EINVAL, "\"%.*s\" is not a measurement type", FA_FMT(s));
        return fa_at(e, "type");
    }
    if (in_text(o, "operator", false, &s, e))
        return e->rc;
    m->agg = FA_AGG_SUM;
    if (s.p) {
        size_t i = 0;

        while (i < FA_COUNT(agg_names) && !fa_str_eqz(s, agg_names[i]))
            i++;
        if (i == FA_COUNT(agg_names)) {
            fa_fail(e, FA_EINVAL, "must be sum, avg, min or max");
            return fa_at(e, "operator");
        }
        m->agg = (fa_agg)i;
    }
    for (size_t i = 0; i < q->plan.nmeasure; i++)
        if (q->plan.measure[i].type == m->type && q->plan.measure[i].agg == m->agg)
            return fa_fail(e, FA_EDATA, "the same measurement is there twice");
    if (add_sort(q, o, BY_MEASURE, q->plan.nmeasure, e))
        return e->rc;
    q->plan.nmeasure++;
    return FA_OK;
}

static fa_rc parse_measurements(const json_t *root, question *q, fa_err *e)
{
    const json_t *list = json_object_get(root, "measurements"), *o;
    size_t i;

    if (!json_is_array(list)) {
        fa_fail(e, FA_EINVAL, list ? "must be an array" : "is missing");
        return fa_at(e, "measurements");
    }
    if (json_array_size(list) < 1 || json_array_size(list) > FA_MAX_MEASUREMENTS) {
        fa_fail(e, FA_EDATA, "1 to %d measurements are allowed, there are %zu", FA_MAX_MEASUREMENTS,
                json_array_size(list));
        return fa_at(e, "measurements");
    }
    json_array_foreach(list, i, o)
    {
        char field[160];

        if (!json_is_object(o)) {
            fa_fail(e, FA_EINVAL, "must be an object");
            return at_index(e, "measurements", i, NULL);
        }
        if (parse_measurement(o, q, e)) {
            memcpy(field, e->field, sizeof field);
            return at_index(e, "measurements", i, field[0] ? field : NULL);
        }
    }
    return FA_OK;
}

/* Absent, or one of the enum in either spelling: another text is a malformed request (api.md 4.2). */
static bool is_key_type(fa_str type)
{
    bool known = type.n == 0;

    for (int t = 0; t < FA_K__COUNT; t++)
        known |= fa_str_eqz(type, fa_key_type_name((fa_key_type)t, FA_API_V2)) ||
                 fa_str_eqz(type, fa_key_type_name((fa_key_type)t, FA_API_INTERNAL));
    return known;
}

static fa_rc parse_dimension(fa_arena *a, const fa_catalog *c, const json_t *o, question *q,
                             fa_err *e)
{
    fa_str cc, key, type;
    char *column;
    size_t n = q->plan.ndim;
    fa_rc rc;

    if (in_text(o, "costCenter", true, &cc, e) || in_text(o, "key", true, &key, e) ||
        in_text(o, "type", false, &type, e))
        return e->rc;
    if (!is_key_type(type)) {
        (void)fa_fail(e, FA_EINVAL, "\"%.*s\" is no key type", FA_FMT(type));
        return fa_at(e, "type");
    }
    rc = fa_catalog_find(c, a, FA_API_V2, cc, key, type, &q->plan.dim[n], e);
    if (rc == FA_EINVAL) /* well-formed, but there is no such key (api.md 4.2) */
        rc = e->rc = FA_EDATA;
    if (rc)
        return rc;
    column = fa_arena_printf(a, "%.*s_%s_%.*s", FA_FMT(cc),
                             fa_key_type_name(q->plan.dim[n]->type, FA_API_V2), FA_FMT(key));
    if (!column)
        return fa_oom(e);
    q->dim_column[n] = fa_str_of(column);
    for (size_t i = 0; i < n; i++)
        if (fa_str_eq(q->dim_column[i], q->dim_column[n]))
            return fa_fail(e, FA_EDATA, "the same dimension is there twice");
    if (add_sort(q, o, BY_DIM, n, e))
        return e->rc;
    q->plan.ndim++;
    return FA_OK;
}

static fa_rc parse_dimensions(fa_arena *a, const fa_catalog *c, const json_t *root, question *q,
                              fa_err *e)
{
    const json_t *list = json_object_get(root, "dimensions"), *o;
    size_t i;

    if (!list || json_is_null(list))
        return FA_OK;
    if (!json_is_array(list)) {
        fa_fail(e, FA_EINVAL, "must be an array");
        return fa_at(e, "dimensions");
    }
    if (json_array_size(list) > FA_MAX_DIMS) {
        fa_fail(e, FA_EDATA, "at most %d dimensions are allowed, there are %zu", FA_MAX_DIMS,
                json_array_size(list));
        return fa_at(e, "dimensions");
    }
    json_array_foreach(list, i, o)
    {
        char field[160];

        if (!json_is_object(o)) {
            fa_fail(e, FA_EINVAL, "must be an object");
            return at_index(e, "dimensions", i, NULL);
        }
        if (parse_dimension(a, c, o, q, e)) {
            memcpy(field, e->field, sizeof field);
            return at_index(e, "dimensions", i, field[0] ? field : NULL);
        }
    }
    return FA_OK;
}

/* Distinct virtual tags over dimensions and filters. */
static void count_tags(const fa_filter *f, const fa_key *seen[], size_t *n)
{
    if (!f)
        return;
    for (size_t i = 0; i < f->nkid; i++)
        count_tags(f->kid[i], seen, n);
    if (f->kind != FA_F_LEAF || f->key->type != FA_K_VIRTUAL || *n > VIRTUAL_TAGS_MAX)
        return;
    for (size_t i = 0; i < *n; i++)
        if (fa_str_eq(seen[i]->key, f->key->key))
            return;
    seen[(*n)++] = f->key;
}

static fa_rc tags_ok(const question *q, fa_err *e)
{
    const fa_key *seen[VIRTUAL_TAGS_MAX + 1];
    size_t n = 0;

    for (size_t i = 0; i < q->plan.ndim; i++) {
        fa_filter leaf = {.kind = FA_F_LEAF, .key = q->plan.dim[i]};

        count_tags(&leaf, seen, &n);
    }
    count_tags(q->plan.filter, seen, &n);
    return n <= VIRTUAL_TAGS_MAX
               ? FA_OK
               : fa_fail(e, FA_EDATA, "at most %d virtual tags are allowed", VIRTUAL_TAGS_MAX);
}

static fa_rc parse_row_limit(const json_t *root, question *q, fa_err *e)
{
    const json_t *v = json_object_get(root, "rowLimit");

    q->row_limit = ROW_LIMIT;
    if (!v || json_is_null(v))
        return FA_OK;
    if (!json_is_integer(v)) {
        fa_fail(e, FA_EINVAL, "must be a whole number");
        return fa_at(e, "rowLimit");
    }
    q->row_limit = json_integer_value(v);
    if (q->row_limit < 1 || q->row_limit > ROW_LIMIT_MAX) {
        fa_fail(e, FA_EDATA, "must be from 1 to %d", ROW_LIMIT_MAX);
        return fa_at(e, "rowLimit");
    }
    return FA_OK;
}

static fa_rc parse_question(fa_arena *a, const fa_catalog *c, const json_t *root, question *q,
                            fa_err *e)
{
    fa_rc rc;

    *q = (question){.fair = fa_catalog_fair(c)};
    if (!json_object_get(root, "date")) {
        fa_fail(e, FA_EINVAL, "is missing");
        return fa_at(e, "date");
    }
    if ((rc = fa_range_parse(FA_API_V2, json_object_get(root, "date"), "date", ask_today(), NULL,
                             &q->plan.range, e)) ||
        (rc = parse_interval(root, q, e)) || (rc = parse_dimensions(a, c, root, q, e)) ||
        (rc = parse_measurements(root, q, e)) ||
        (rc = fa_filter_parse(c, a, FA_API_V2, json_object_get(root, "filters"), "filters",
                              &q->plan.filter, e)) ||
        (rc = parse_row_limit(root, q, e)))
        return rc;
    return tags_ok(q, e);
}

/* ---- the rows ---- */

typedef struct row {
    const fa_group *g;
    size_t bucket;
} row;

typedef struct order {
    const question *q;
    const fa_answer *a;
} order;

static int by_field(const order *o, const sort_key *k, const row *x, const row *y)
{
    size_t nm = o->q->plan.nmeasure;
    int d = 0;

    if (k->by == BY_INTERVAL) {
        d = (x->bucket > y->bucket) - (x->bucket < y->bucket);
    } else if (k->by == BY_DIM) {
        d = fa_str_cmp(x->g->value[k->at], y->g->value[k->at]);
    } else {
        fa_i128 vx = x->g->cell_e10[x->bucket * nm + k->at];
        fa_i128 vy = y->g->cell_e10[y->bucket * nm + k->at];

        d = (vx > vy) - (vx < vy);
    }
    return k->descending ? -d : d;
}

static int by_request(const void *px, const void *py, void *ctx)
{
    const order *o = ctx;
    const sort_key first = {BY_MEASURE, 0, true}, interval = {BY_INTERVAL, 0, false};
    const row *x = px, *y = py;
    int d = 0;

    for (size_t i = 0; !d && i < o->q->nsort; i++)
        d = by_field(o, &o->q->sort[i], x, y);
    if (!d && !o->q->nsort)
        d = by_field(o, &first, x, y);
    if (!d)
        d = by_field(o, &interval, x, y);
    for (size_t i = 0; !d && i < o->q->plan.ndim; i++) {
        sort_key k = {BY_DIM, i, false};

        d = by_field(o, &k, x, y);
    }
    if (!d)
        d = fa_str_cmp(x->g->unit, y->g->unit);
    return d ? d : fa_str_cmp(x->g->unit_priced, y->g->unit_priced);
}

static void put_row(fa_buf *b, const question *q, const fa_answer *a, const row *t)
{
    fa_jw w;

    fa_jw_init(&w, b);
    fa_jw_obj(&w);
    for (size_t i = 0; i < q->plan.ndim; i++) {
        fa_jw_keys(&w, q->dim_column[i]);
        fa_jw_str(&w, t->g->value[i]);
    }
    put_day(&w, q->interval, fa_ms_day(a->bucket_ms[t->bucket]));
    for (size_t m = 0; m < q->plan.nmeasure; m++) {
        const fa_measurement *ms = &q->plan.measure[m];
        char column[96];

        snprintf(column, sizeof column, "%s_%s", ms->type->name, agg_names[ms->agg]);
        fa_jw_key(&w, column);
        fa_jw_obj(&w);
        fa_jw_key(&w, "amount");
        fa_jw_dec(&w, t->g->cell_e10[t->bucket * q->plan.nmeasure + m], 10);
        if (ms->type->is_usage)
            put_str(&w, "unit",
                    ms->type->measure == FA_M_CONSUMED ? t->g->unit : t->g->unit_priced);
        fa_jw_end_obj(&w);
    }
    fa_jw_end_obj(&w);
    fa_buf_c(b, '\n');
}

static fa_rc put_rows(fa_arena *mem, const question *q, const fa_answer *a, fa_buf *b, int64_t *n,
                      fa_err *e)
{
    order o = {q, a};
    size_t count = 0;
    row *list;

    for (size_t g = 0; g < a->ngroup; g++)
        for (size_t k = 0; k < a->nbucket; k++)
            count += a->group[g].has[k];
    if (!(list = fa_arena_array(mem, count ? count : 1, sizeof *list)))
        return fa_oom(e);
    count = 0;
    for (size_t g = 0; g < a->ngroup; g++)
        for (size_t k = 0; k < a->nbucket; k++)
            if (a->group[g].has[k])
                list[count++] = (row){&a->group[g], k};
    qsort_r(list, count, sizeof *list, by_request, &o);
    *n = (int64_t)count < q->row_limit ? (int64_t)count : q->row_limit;
    for (int64_t i = 0; i < *n; i++)
        put_row(b, q, a, &list[i]);
    return b->failed ? fa_fail(e, FA_EDATA, "the result is too large") : FA_OK;
}

/* ---- the work ---- */

static fa_rc keep(fa_queries *q, const task *t, const char *state, fa_str result, int64_t rows,
                  const char *error, fa_err *e)
{
    bool ended = strcmp(state, "completed") == 0 || strcmp(state, "failed") == 0;
    fa_cost_query v = {.id = t->id,
                       .state = fa_str_of(state),
                       .request = t->request,
                       .result = result,
                       .error = fa_str_of(error),
                       .rows = rows,
                       .created_ms = t->created_ms,
                       .completed_ms = ended ? fa_now_ms() : -1,
                       .owner = t->caller.id,
                       .scope = t->scope};

    return fa_cost_query_put(fa_ledger_store(q->ledger), t->caller.account, &v, e);
}

static fa_rc run(task *t, fa_buf *result, int64_t *rows, fa_err *e)
{
    fa_ledger *l = t->all->ledger;
    json_t *root = json_loadb(t->request.p, t->request.n, 0, NULL);
    fa_catalog *c = NULL;
    fa_caller caller;
    fa_answer a;
    question q;
    fa_rc rc;

    /* roles and groups may have changed while it waited */
    if ((rc = fa_caller_fresh(l, &t->mem, &t->caller, &caller, e)) ||
        (rc = fa_caller_scope_text(l, &t->mem, &caller, &t->scope, e)) ||
        (rc = fa_catalog_get(l, &c, e)) || (rc = parse_question(&t->mem, c, root, &q, e)) ||
        (rc = fa_caller_scope(l, &t->mem, &caller, &q.plan.scope, e)))
        goto done;
    q.plan.deadline_mono_ms = fa_mono_ms() + RUN_MS;
    if (!(rc = fa_query_run(l, &t->mem, &q.plan, &a, e)))
        rc = put_rows(&t->mem, &q, &a, result, rows, e);
done:
    fa_catalog_put(c);
    json_decref(root);
    return rc;
}

static void leave(task *t)
{
    pthread_mutex_lock(&t->all->lock);
    for (task **at = &t->all->active; *at; at = &(*at)->next)
        if (*at == t) {
            *at = t->next;
            break;
        }
    pthread_mutex_unlock(&t->all->lock);
    fa_arena_release(&t->mem);
    free(t);
}

static bool is_stopping(fa_queries *q)
{
    bool stopping;

    pthread_mutex_lock(&q->lock);
    stopping = q->stopping;
    pthread_mutex_unlock(&q->lock);
    return stopping;
}

static void work(void *arg)
{
    task *t = arg;
    fa_buf result = {0};
    int64_t rows = 0;
    fa_err e = {0};
    fa_rc rc;

    if (is_stopping(t->all))
        rc = fa_fail(&e, FA_ECANCELLED, "the server was stopped before the query ran");
    else
        rc = keep(t->all, t, "running", (fa_str){0}, 0, "", &e);
    if (!rc)
        rc = run(t, &result, &rows, &e);
    if (!rc)
        rc = keep(t->all, t, "completed", fa_buf_view(&result), rows, "", &e);
    if (rc) {
        fa_err second = {0};

        fa_log(FA_LOG_WARN, "query_failed", "id=%.*s error=\"%s\"", FA_FMT(t->id), e.msg);
        if (keep(t->all, t, "failed", (fa_str){0}, 0, rc == FA_EINTERNAL ? "internal error" : e.msg,
                 &second))
            fa_log(FA_LOG_ERROR, "query_lost", "id=%.*s error=\"%s\"", FA_FMT(t->id), second.msg);
    }
    fa_buf_release(&result);
    leave(t);
}

fa_rc fa_queries_open(fa_ledger *l, fa_queries **out, fa_err *e)
{
    fa_queries *q = calloc(1, sizeof *q);
    fa_rc rc;

    *out = NULL;
    if (!q)
        return fa_oom(e);
    q->ledger = l;
    pthread_mutex_init(&q->lock, NULL);
    if ((rc = fa_pool_open("query", THREADS, BOUND, &q->pool, e))) {
        fa_queries_close(q);
        return rc;
    }
    *out = q;
    return FA_OK;
}

void fa_queries_stop(fa_queries *q)
{
    if (!q)
        return;
    pthread_mutex_lock(&q->lock);
    q->stopping = true;
    pthread_mutex_unlock(&q->lock);
    fa_pool_stop(q->pool);
}

void fa_queries_close(fa_queries *q)
{
    if (!q)
        return;
    fa_pool_close(q->pool);
    pthread_mutex_destroy(&q->lock);
    free(q);
}

static bool is_active(fa_queries *q, fa_str id)
{
    bool found = false;

    pthread_mutex_lock(&q->lock);
    for (const task *t = q->active; t && !found; t = t->next)
        found = fa_str_eq(t->id, id);
    pthread_mutex_unlock(&q->lock);
    return found;
}

/* ---- the routes ---- */

static fa_rc task_new(fa_req *r, task **out, fa_err *e)
{
    task *t = calloc(1, sizeof *t);
    char id[37];

    *out = NULL;
    if (!t)
        return fa_oom(e);
    fa_uuid_v4(id);
    fa_arena_init(&t->mem, 0);
    t->all = app_of(r)->queries;
    t->created_ms = fa_now_ms();
    t->id = fa_arena_dup(&t->mem, fa_str_of(id));
    t->request = fa_arena_dup(&t->mem, r->body);
    if (!t->id.p || !t->request.p || fa_caller_dup(&t->mem, r->caller, &t->caller, e) ||
        fa_caller_scope_text(r->ledger, &t->mem, &t->caller, &t->scope, e)) {
        fa_rc rc = e->rc ? e->rc : fa_oom(e);

        fa_arena_release(&t->mem);
        free(t);
        return rc;
    }
    *out = t;
    return FA_OK;
}

fa_rc api_v2_generate(fa_req *r, fa_res *o, fa_err *e)
{
    fa_queries *all = app_of(r)->queries;
    int64_t now = fa_now_ms();
    fa_catalog *c = NULL;
    question q;
    task *t = NULL;
    fa_jw w;
    fa_rc rc;

    if ((rc = in_object(r, e)) || (rc = fa_catalog_get(r->ledger, &c, e)))
        return rc;
    rc = parse_question(r->mem, c, r->json, &q, e);
    fa_catalog_put(c);
    if (rc ||
        (rc = fa_cost_query_purge(fa_ledger_store(r->ledger), r->caller->account, now - DAY_MS,
                                  now - 7 * DAY_MS, e)) ||
        (rc = task_new(r, &t, e)))
        return rc;
    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    put_z(&w, "requestId", r->request_id);
    fa_jw_key(&w, "data");
    fa_jw_obj(&w);
    put_str(&w, "queryId", t->id);
    fa_jw_end_obj(&w);
    fa_jw_end_obj(&w);
    pthread_mutex_lock(&all->lock);
    t->next = all->active;
    all->active = t;
    pthread_mutex_unlock(&all->lock);
    if ((rc = keep(all, t, "queued", (fa_str){0}, 0, "", e))) {
        leave(t);
        return rc;
    }
    if (!fa_pool_add(all->pool, work, t)) {
        static const char full[] = "too many queries wait already, try again";

        if (keep(all, t, "failed", (fa_str){0}, 0, full, e))
            fa_log(FA_LOG_ERROR, "query_lost", "id=%.*s error=\"%s\"", FA_FMT(t->id), e->msg);
        leave(t);
        return fa_fail(e, FA_EENV, "%s", full);
    }
    return FA_OK;
}

/* The state as the caller may know it: expired after a day, failed when a restart cut it off. */
static fa_rc query_get(fa_req *r, bool with_result, fa_cost_query *q, fa_err *e)
{
    fa_str scope;
    fa_rc rc = fa_cost_query_get(fa_ledger_store(r->ledger), r->mem, r->caller->account, r->arg[0],
                                 with_result, q, e);

    /* it belongs to who submitted it (access.md 4.4) */
    if (rc == FA_ENOTFOUND || (!rc && q->owner.n && !fa_str_eq(q->owner, r->caller->id)))
        return fa_fail(e, FA_ENOTFOUND, "no query has this id");
    if (rc || (rc = fa_caller_scope_text(r->ledger, r->mem, r->caller, &scope, e)))
        return rc;
    if (q->scope.n && !fa_str_eq(q->scope, scope)) {
        q->state = FA_STR("failed");
        q->error = FA_STR("what you may see has changed since");
        q->result = (fa_str){0};
        return FA_OK;
    }
    if (fa_str_eqz(q->state, "completed") && fa_now_ms() - q->completed_ms >= DAY_MS)
        q->state = FA_STR("expired");
    if ((fa_str_eqz(q->state, "queued") || fa_str_eqz(q->state, "running")) &&
        !is_active(app_of(r)->queries, q->id)) {
        /* it may have ended between the two looks */
        rc = fa_cost_query_get(fa_ledger_store(r->ledger), r->mem, r->caller->account, r->arg[0],
                               with_result, q, e);
        if (!rc && !fa_str_eqz(q->state, "completed") && !fa_str_eqz(q->state, "failed")) {
            q->state = FA_STR("failed");
            q->error = FA_STR("the server was restarted before the query ran");
        }
    }
    return rc;
}

fa_rc api_v2_status(fa_req *r, fa_res *o, fa_err *e)
{
    fa_cost_query q;
    fa_jw w;
    fa_rc rc = query_get(r, false, &q, e);

    if (rc)
        return rc;
    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    put_z(&w, "requestId", r->request_id);
    fa_jw_key(&w, "data");
    fa_jw_obj(&w);
    put_str(&w, "status", q.state);
    if (fa_str_eqz(q.state, "completed")) {
        put_time(&w, "completedAt", q.completed_ms);
        put_time(&w, "expiredAt", q.completed_ms + DAY_MS);
        put_int(&w, "totalRows", q.rows);
    }
    fa_jw_end_obj(&w);
    fa_jw_end_obj(&w);
    return FA_OK;
}

/* A cursor is the row to go on with, bound to its query by a checksum. */
static void cursor_text(fa_str id, int64_t at, char out[64])
{
    char text[96];
    unsigned char h[8], raw[8 + sizeof h];
    crypto_generichash_state st;

    snprintf(text, sizeof text, "%.*s:%lld", FA_FMT(id), (long long)at);
    crypto_generichash_init(&st, NULL, 0, crypto_generichash_BYTES_MIN);
    crypto_generichash_update(&st, (const unsigned char *)text, strlen(text));
    {
        unsigned char full[crypto_generichash_BYTES_MIN];

        crypto_generichash_final(&st, full, sizeof full);
        memcpy(h, full, sizeof h);
    }
    for (int i = 0; i < 8; i++)
        raw[i] = (unsigned char)(at >> (8 * i));
    memcpy(raw + 8, h, sizeof h);
    sodium_bin2base64(out, 64, raw, sizeof raw, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

static fa_rc cursor_parse(fa_str text, fa_str id, int64_t rows, int64_t *at, fa_err *e)
{
    unsigned char raw[32];
    size_t n;
    char again[64];

    *at = 0;
    if (sodium_base642bin(raw, sizeof raw, text.p, text.n, NULL, &n, NULL,
                          sodium_base64_VARIANT_URLSAFE_NO_PADDING) == 0 &&
        n == 16) {
        for (int i = 7; i >= 0; i--)
            *at = (int64_t)((uint64_t)*at << 8 | raw[i]);
        cursor_text(id, *at, again);
        if (fa_str_eqz(text, again) && *at >= 0 && *at <= rows)
            return FA_OK;
    }
    fa_fail(e, FA_EINVAL, "is not a cursor of this query");
    return fa_at(e, "cursor");
}

static void put_page(fa_req *r, fa_jw *w, const fa_cost_query *q, int64_t from, int64_t size)
{
    fa_str rest = q->result;
    int64_t to = from + size < q->rows ? from + size : q->rows;
    char cursor[64];

    fa_jw_obj(w);
    put_z(w, "requestId", r->request_id);
    fa_jw_key(w, "pagination");
    fa_jw_obj(w);
    put_bool(w, "hasMore", to < q->rows);
    put_int(w, "totalRows", q->rows);
    if (to < q->rows) {
        cursor_text(q->id, to, cursor);
        put_z(w, "nextCursor", cursor);
    }
    fa_jw_end_obj(w);
    fa_jw_key(w, "data");
    fa_jw_arr(w);
    for (int64_t i = 0; i < to; i++) {
        const char *end = rest.n ? memchr(rest.p, '\n', rest.n) : NULL;
        size_t n = end ? (size_t)(end - rest.p) : rest.n;

        if (i >= from)
            fa_jw_raw(w, (fa_str){rest.p, n});
        n += end != NULL;
        rest = (fa_str){rest.p + n, rest.n - n};
    }
    fa_jw_end_arr(w);
    fa_jw_end_obj(w);
}

static fa_rc not_yet(fa_req *r, fa_res *o, const fa_cost_query *q)
{
    bool queued = fa_str_eqz(q->state, "queued");
    fa_jw w;

    o->status = 202;
    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    put_z(&w, "requestId", r->request_id);
    put_z(&w, "error", queued ? "QUERY_QUEUED" : "QUERY_RUNNING");
    put_z(&w, "message",
          queued ? "the query waits for its turn, ask again in a few seconds"
                 : "the query is running, ask again in a few seconds");
    fa_jw_end_obj(&w);
    return FA_OK;
}

fa_rc api_v2_results(fa_req *r, fa_res *o, fa_err *e)
{
    fa_str cursor = fa_req_query(r, "cursor");
    int64_t size, from = 0;
    fa_cost_query q;
    fa_jw w;
    fa_rc rc;

    if ((rc = in_query_int(r, "pageSize", 1, PAGE_MAX, PAGE, &size, e)) ||
        (rc = query_get(r, true, &q, e)))
        return rc;
    if (fa_str_eqz(q.state, "queued") || fa_str_eqz(q.state, "running"))
        return not_yet(r, o, &q);
    if (fa_str_eqz(q.state, "expired"))
        return fa_fail(e, FA_EGONE, "the results were kept for 24 hours; submit the query again");
    if (fa_str_eqz(q.state, "failed"))
        return fa_fail(e, FA_EFAILED, "the query failed: %.*s; submit a new one", FA_FMT(q.error));
    if (fa_req_has_query(r, "cursor") && (rc = cursor_parse(cursor, q.id, q.rows, &from, e)))
        return rc;
    fa_jw_init(&w, &o->body);
    put_page(r, &w, &q, from, size);
    return FA_OK;
}
