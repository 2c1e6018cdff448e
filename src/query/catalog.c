/*
 * catalog.c - which keys have data now, and how a key's spelling is resolved.
 *
 * The one idea: the catalog is one immutable list made once per ledger generation: for Global and
 * each cost center the columns that hold something, the x columns and the tag keys. Built-in keys
 * without data follow it, unlisted, so that a saved question keeps working when its data are gone.
 */
#include "query/inner.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

/* ---- making ---- */

static fa_rc put_sql(fa_arena *a, fa_buf *b, fa_str *out, fa_err *e)
{
    *out = fa_buf_dup(b, a);
    fa_buf_release(b);
    return out->p ? FA_OK : fa_oom(e);
}

/* The value of `expr` for lines of one cost center; Global: of all. */
static fa_rc scoped_expr(fa_arena *a, fa_str center, const char *expr, const char *map,
                         fa_str member, fa_str *out, fa_err *e)
{
    bool all = fa_str_eqz(center, "Global");
    fa_buf b;

    fa_buf_init(&b, 1 << 20);
    if (!all) {
        fa_buf_z(&b, "CASE WHEN CostCenter = ");
        fa_buf_sql_text(&b, center);
        fa_buf_z(&b, " THEN ");
    }
    if (map) {
        fa_buf_fmt(&b, "%s[", map);
        fa_buf_sql_text(&b, member);
        fa_buf_c(&b, ']');
    } else {
        fa_buf_z(&b, expr);
    }
    if (!all)
        fa_buf_z(&b, " END");
    return put_sql(a, &b, out, e);
}

static fa_rc text3(fa_arena *a, fa_str x, const char *mid, fa_str y, fa_str *out, fa_err *e)
{
    char *z = fa_arena_printf(a, "%.*s%s%.*s", FA_FMT(x), mid, FA_FMT(y));

    *out = fa_str_of(z);
    return z ? FA_OK : fa_oom(e);
}

fa_rc fa_key_tag(fa_arena *a, fa_str center, fa_str center_id, fa_str tag, fa_key *out, fa_err *e)
{
    *out = (fa_key){.cost_center = fa_arena_dup(a, center),
                    .cost_center_id = fa_arena_dup(a, center_id),
                    .key = fa_arena_dup(a, tag),
                    .type = FA_K_TAG};
    if (!out->cost_center.p || !out->cost_center_id.p || !out->key.p)
        return fa_oom(e);
    out->key_v1 = out->display = out->key;
    if (text3(a, center, "/Tags/", tag, &out->path, e))
        return e->rc;
    return scoped_expr(a, center, NULL, "tags", tag, &out->expr, e);
}

static const fa_key_own *own_name(const fa_key_row *r, fa_str center)
{
    for (size_t i = 0; i < FA_COUNT(r->own); i++)
        if (r->own[i].center && fa_str_eqz(center, r->own[i].center))
            return &r->own[i];
    return NULL;
}

/* A row of the key table under one cost center. in_x: the column is an entry of the x map. */
static fa_rc make_row_key(fa_arena *a, const fa_key_row *r, bool in_x, fa_str center,
                          fa_str center_id, fa_key *k, fa_entry_names *names, fa_err *e)
{
    const fa_key_own *own = own_name(r, center);
    const char *group;

    *k = (fa_key){.cost_center = center,
                  .cost_center_id = center_id,
                  .key = fa_str_of(own ? own->key : r->key),
                  .display = fa_str_of(own ? own->display : r->display),
                  .type = own ? own->type : r->type};
    *names = (fa_entry_names){{fa_str_of(r->column), fa_str_of(r->key), fa_str_of(r->also)}};
    k->key_v1 = k->key;
    if (k->type == FA_K_ENRICHMENT && text3(a, FA_STR("f"), "_", k->key, &k->key_v1, e))
        return e->rc;
    group = k->type == FA_K_RESOURCE ? "/Resources/" : "/";
    if (text3(a, center, group,
              strcmp(r->key, "parent_cloud_service") == 0 ? FA_STR("Services") : k->display,
              &k->path, e))
        return e->rc;
    return scoped_expr(a, center, r->expr ? r->expr : r->column, in_x ? "x" : NULL,
                       fa_str_of(r->column), &k->expr, e);
}

static fa_rc push(fa_catalog *c, const fa_key *k, const fa_entry_names *names, fa_err *e)
{
    if (c->n == c->cap) {
        size_t cap = c->cap ? c->cap * 2 : 256;
        fa_key *key = fa_arena_array(&c->mem, cap, sizeof *key);
        fa_entry_names *nm = fa_arena_array(&c->mem, cap, sizeof *nm);

        if (!key || !nm)
            return fa_oom(e);
        if (c->n) {
            memcpy(key, c->key, c->n * sizeof *key);
            memcpy(nm, c->names, c->n * sizeof *nm);
        }
        c->key = key;
        c->names = nm;
        c->cap = cap;
    }
    c->key[c->n] = *k;
    c->names[c->n++] = names ? *names : (fa_entry_names){0};
    return FA_OK;
}

static bool is_listed(const fa_catalog *c, const fa_key *k)
{
    for (size_t i = 0; i < c->n; i++)
        if (fa_str_eq(c->key[i].cost_center, k->cost_center) && c->key[i].type == k->type &&
            fa_str_eq(c->key[i].key, k->key))
            return true;
    return false;
}

/* ---- what has data ---- */

typedef struct seen_row {
    fa_str center, name;
} seen_row;
typedef struct seen {
    fa_arena *a;
    seen_row *row;
    size_t n, cap;
    bool counts; /* rows are a cost center and a count per key row, not a pair of texts */
} seen;

static fa_rc add_seen(seen *s, fa_str center, fa_str name, fa_err *e)
{
    if (s->n == s->cap) {
        size_t cap = s->cap ? s->cap * 2 : 256;
        seen_row *grown = fa_arena_array(s->a, cap, sizeof *grown);

        if (!grown)
            return fa_oom(e);
        if (s->n)
            memcpy(grown, s->row, s->n * sizeof *grown);
        s->row = grown;
        s->cap = cap;
    }
    s->row[s->n] = (seen_row){fa_arena_dup(s->a, center), fa_arena_dup(s->a, name)};
    return s->row[s->n++].name.p ? FA_OK : fa_oom(e);
}

static fa_rc take_seen(void *user, const fa_batch *b, fa_err *e)
{
    seen *s = user;

    for (size_t r = 0; r < b->rows; r++) {
        fa_str center = b->col[0].text[r];

        if (!s->counts) {
            if (add_seen(s, center, b->col[1].text[r], e))
                return e->rc;
            continue;
        }
        for (size_t i = 0; i < fa_nkey_rows; i++)
            if (b->col[i + 1].i64[r] > 0 &&
                add_seen(s, center, fa_str_of(fa_key_rows[i].column), e))
                return e->rc;
    }
    return FA_OK;
}

static bool was_seen(const seen *s, fa_str center, const char *column)
{
    bool all = fa_str_eqz(center, "Global");

    for (size_t i = 0; i < s->n; i++)
        if (fa_str_eqz(s->row[i].name, column) && (all || fa_str_eq(s->row[i].center, center)))
            return true;
    return false;
}

static int by_name(const void *x, const void *y)
{
    const seen_row *p = x, *q = y;
    int c = fa_str_cmp(p->name, q->name);

    return c ? c : fa_str_cmp(p->center, q->center);
}

typedef struct making {
    fa_catalog *c;
    fa_arena tmp;
    seen column, tag, x;
} making;

static fa_rc ask_seen(making *m, fa_conn *conn, fa_str where, fa_err *e)
{
    fa_rc rc;
    fa_buf b;

    m->column.counts = true;
    m->column.a = m->tag.a = m->x.a = &m->tmp;
    fa_buf_init(&b, 1 << 20);
    fa_buf_z(&b, "SELECT CostCenter");
    for (size_t i = 0; i < fa_nkey_rows; i++)
        fa_buf_fmt(&b, ", count(%s)::BIGINT", fa_key_rows[i].column);
    fa_buf_fmt(&b, " FROM line%.*s GROUP BY CostCenter ORDER BY lower(CostCenter)", FA_FMT(where));
    rc = b.failed ? fa_oom(e)
                  : fa_sql_query(conn, fa_buf_view(&b), NULL, 0, take_seen, &m->column, e);
    for (int i = 0; !rc && i < 2; i++) {
        fa_buf_clear(&b);
        fa_buf_fmt(
            &b,
            "SELECT DISTINCT CostCenter, k FROM (SELECT CostCenter, unnest(map_keys(%s)) AS k FROM"
            " line%.*s) WHERE k <> ''",
            i ? "x" : "tags", FA_FMT(where));
        rc = b.failed
                 ? fa_oom(e)
                 : fa_sql_query(conn, fa_buf_view(&b), NULL, 0, take_seen, i ? &m->x : &m->tag, e);
    }
    fa_buf_release(&b);
    return rc;
}

/* Lines that only a replaced load knows have no facts: their keys are not offered. */
static fa_rc read_seen(making *m, fa_ledger *l, fa_err *e)
{
    fa_rc rc;
    fa_conn *conn = NULL;
    fa_sel *live = NULL;
    fa_lens v;
    int64_t lines;

    if ((rc = fa_lens_open(l, 0, &v, e)) || (rc = fa_live(&v, FA_DAY_MIN, FA_DAY_MAX, &live, e)) ||
        (rc = fa_conn_get(fa_ledger_engine(l), &conn, e)) ||
        (rc = fa_sql_i64(conn, FA_STR("SELECT count(*) FROM line"), NULL, 0, &lines, e)))
        goto done;
    rc = ask_seen(m, conn,
                  lines == live->count
                      ? FA_STR("")
                      : FA_STR(" WHERE line_id IN (SELECT DISTINCT line_id FROM daily)"),
                  e);
done:
    fa_conn_put(conn);
    fa_sel_put(live);
    return rc;
}

/* ---- cost centers of the data ---- */

static fa_rc add_center(fa_catalog *c, fa_str name, fa_err *e)
{
    const fa_center *known = fa_center_find(name);
    fa_str id = known ? fa_str_of(known->id) : (fa_str){0};

    for (size_t i = 0; i < c->ncenter; i++)
        if (fa_str_eq(c->center[i], name))
            return FA_OK;
    name = fa_arena_dup(&c->mem, name);
    if (!known) {
        char *low = fa_arena_dupz(&c->mem, name);

        for (size_t i = 0; low && i < name.n; i++)
            if (low[i] >= 'A' && low[i] <= 'Z')
                low[i] = (char)(low[i] + 32);
        id = (fa_str){low, name.n};
    }
    if (!name.p || !id.p)
        return fa_oom(e);
    c->center[c->ncenter] = name;
    c->center_id[c->ncenter++] = id;
    return FA_OK;
}

static fa_rc list_centers(making *m, fa_err *e)
{
    fa_catalog *c = m->c;
    size_t room = m->column.n + fa_ncenters + 1;

    c->center = fa_arena_array(&c->mem, room, sizeof *c->center);
    c->center_id = fa_arena_array(&c->mem, room, sizeof *c->center_id);
    if (!c->center || !c->center_id)
        return fa_oom(e);
    if (add_center(c, FA_STR("Global"), e))
        return e->rc;
    for (size_t i = 0; i < m->column.n; i++)
        if (add_center(c, m->column.row[i].center, e))
            return e->rc;
    return FA_OK;
}

/* ---- the list ---- */

static const fa_key_row *x_row(fa_str column)
{
    for (size_t i = 0; i < fa_nkey_x_rows; i++)
        if (fa_str_eqz(column, fa_key_x_rows[i].column))
            return &fa_key_x_rows[i];
    return NULL;
}

static fa_rc add_x_key(fa_catalog *c, fa_str center, fa_str id, fa_str column, fa_err *e)
{
    const fa_key_row *r = x_row(column);
    fa_entry_names names = {0};
    fa_key k = {.cost_center = center, .cost_center_id = id, .type = FA_K_BILLING};

    if (r) {
        if (make_row_key(&c->mem, r, true, center, id, &k, &names, e))
            return e->rc;
        return push(c, &k, &names, e);
    }
    k.key = k.key_v1 = k.display = fa_arena_dup(&c->mem, column);
    if (!k.key.p)
        return fa_oom(e);
    if (text3(&c->mem, center, "/Custom/", column, &k.path, e) ||
        scoped_expr(&c->mem, center, NULL, "x", column, &k.expr, e))
        return e->rc;
    return push(c, &k, &names, e);
}

static fa_rc add_center_keys(making *m, size_t at, fa_err *e)
{
    fa_catalog *c = m->c;
    fa_str center = c->center[at], id = c->center_id[at], last = {0};
    bool all = at == 0;

    for (size_t i = 0; i < fa_nkey_rows; i++) {
        const fa_key_row *r = &fa_key_rows[i];
        bool is_center = strcmp(r->column, "CostCenter") == 0;
        fa_entry_names names;
        fa_key k;

        if (is_center ? !all : !was_seen(&m->column, center, r->column))
            continue;
        if (make_row_key(&c->mem, r, false, center, id, &k, &names, e) || push(c, &k, &names, e))
            return e->rc;
    }
    for (size_t i = 0; i < m->x.n; i++) {
        if ((!all && !fa_str_eq(m->x.row[i].center, center)) || fa_str_eq(m->x.row[i].name, last))
            continue;
        last = m->x.row[i].name;
        if (add_x_key(c, center, id, last, e))
            return e->rc;
    }
    last = (fa_str){0};
    for (size_t i = 0; i < m->tag.n; i++) {
        fa_key k;

        if ((!all && !fa_str_eq(m->tag.row[i].center, center)) ||
            fa_str_eq(m->tag.row[i].name, last))
            continue;
        last = m->tag.row[i].name;
        if (fa_key_tag(&c->mem, center, id, last, &k, e) || push(c, &k, NULL, e))
            return e->rc;
    }
    return FA_OK;
}

/* V1 has no type: what is not unique under its plain name is spelled base64 of "<cost
 * center>:<key>". */
static fa_rc make_v1_unique(fa_catalog *c, fa_err *e)
{
    fa_rc rc = FA_OK;
    fa_map *names = fa_map_new();
    fa_buf b;

    fa_buf_init(&b, 1 << 20);
    for (size_t i = 0; names && i < c->n && !rc; i++) {
        fa_key *k = &c->key[i];
        size_t first;
        bool added;

        fa_buf_clear(&b);
        fa_buf_fmt(&b, "%.*s:%.*s", FA_FMT(k->cost_center_id), FA_FMT(k->key_v1));
        if (b.failed || !fa_map_add(names, fa_buf_view(&b), i, &first, &added)) {
            rc = fa_oom(e);
        } else if (!added) {
            size_t room = sodium_base64_encoded_len(b.n, sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
            char *z = fa_arena_alloc(&c->mem, room);

            if (!z)
                rc = fa_oom(e);
            else
                k->key_v1 = fa_str_of(sodium_bin2base64(z, room, (const unsigned char *)b.p, b.n,
                                                        sodium_base64_VARIANT_ORIGINAL_NO_PADDING));
        }
    }
    if (!names)
        rc = fa_oom(e);
    fa_map_free(names);
    fa_buf_release(&b);
    return rc;
}

static fa_rc add_unlisted(making *m, fa_err *e)
{
    fa_catalog *c = m->c;

    for (size_t i = 1; i < fa_ncenters; i++) /* cost centers without data are still cost centers */
        if (add_center(c, fa_str_of(fa_centers[i].name), e))
            return e->rc;
    for (size_t at = 0; at < c->ncenter; at++)
        for (size_t i = 0; i < fa_nkey_rows + fa_nkey_x_rows; i++) {
            bool in_x = i >= fa_nkey_rows;
            const fa_key_row *r = in_x ? &fa_key_x_rows[i - fa_nkey_rows] : &fa_key_rows[i];
            fa_entry_names names;
            fa_key k;

            if ((at > 0 && strcmp(r->column, "CostCenter") == 0) ||
                fa_str_eqz(c->center[at], "Virtual Tags") ||
                fa_str_eqz(c->center[at], "Custom Cost"))
                continue;
            if (make_row_key(&c->mem, r, in_x, c->center[at], c->center_id[at], &k, &names, e))
                return e->rc;
            if (!is_listed(c, &k) && push(c, &k, &names, e))
                return e->rc;
        }
    return FA_OK;
}

static fa_rc make_catalog(fa_ledger *l, fa_catalog *c, fa_err *e)
{
    making m = {.c = c};
    fa_rc rc;

    fa_arena_init(&m.tmp, 256 << 20);
    if ((rc = read_seen(&m, l, e)))
        goto done;
    if (m.tag.n)
        qsort(m.tag.row, m.tag.n, sizeof *m.tag.row, by_name);
    if (m.x.n)
        qsort(m.x.row, m.x.n, sizeof *m.x.row, by_name);
    if ((rc = list_centers(&m, e)))
        goto done;
    for (size_t i = 0; i < c->ncenter; i++)
        if ((rc = add_center_keys(&m, i, e)))
            goto done;
    if ((rc = make_v1_unique(c, e)))
        goto done;
    c->nlisted = c->n;
    rc = add_unlisted(&m, e);
done:
    fa_arena_release(&m.tmp);
    return rc;
}

/* ---- one per generation, and one with the live virtual tags ----
 * The latest ones, shared by whoever asks; under their lock. */
static pthread_mutex_t latest_lock = PTHREAD_MUTEX_INITIALIZER;
static fa_catalog *latest_base, *latest;

static fa_catalog *ref(fa_catalog *c)
{
    atomic_fetch_add(&c->refs, 1);
    return c;
}

/* Takes a reference of its own. */
static void remember(fa_catalog **place, fa_catalog *c)
{
    fa_catalog *old;

    pthread_mutex_lock(&latest_lock);
    old = *place;
    *place = ref(c);
    pthread_mutex_unlock(&latest_lock);
    fa_catalog_put(old);
}

/* What the bill alone has. */
static fa_rc get_base(fa_ledger *l, fa_catalog **out, fa_err *e)
{
    uint64_t generation = fa_ledger_generation(l);
    fa_catalog *c = NULL;
    fa_rc rc;

    *out = NULL;
    pthread_mutex_lock(&latest_lock);
    if (latest_base && latest_base->generation == generation &&
        fa_str_eq(latest_base->account, fa_ledger_account(l)))
        *out = ref(latest_base);
    pthread_mutex_unlock(&latest_lock);
    if (*out)
        return FA_OK;
    c = calloc(1, sizeof *c);
    if (!c)
        return fa_oom(e);
    fa_arena_init(&c->mem, 512 << 20);
    atomic_init(&c->refs, 1);
    c->generation = generation;
    c->fair = fa_ledger_fair(l);
    c->account = fa_arena_dup(&c->mem, fa_ledger_account(l));
    rc = c->account.p ? make_catalog(l, c, e) : fa_oom(e);
    if (rc) {
        fa_catalog_put(c);
        return rc;
    }
    remember(&latest_base, c);
    *out = c;
    return FA_OK;
}

static fa_rc add_tag(fa_catalog *c, const fa_tag *t, fa_err *e)
{
    fa_virtual *ready = &c->tag[c->ntag++];
    fa_key k = {.cost_center = FA_STR("Virtual Tags"),
                .cost_center_id = FA_STR("virtualTag"),
                .key = t->id,
                .key_v1 = t->id,
                .display = t->name,
                .type = FA_K_VIRTUAL,
                .tag = ready};

    fa_virtual_init(ready, c, t);
    if (text3(&c->mem, k.cost_center, "/", t->name, &k.path, e))
        return e->rc;
    return push(c, &k, NULL, e);
}

/* The keys of the base with the tags behind the listed ones. */
static fa_rc fill_with(fa_catalog *c, fa_err *e)
{
    const fa_catalog *base = c->base;
    size_t n;
    const fa_tag *tag = fa_tag_set_all(c->tags, &n);

    c->tag = fa_arena_array(&c->mem, n + 1, sizeof *c->tag);
    if (!c->tag)
        return fa_oom(e);
    for (size_t i = 0; i < base->nlisted; i++)
        if (push(c, &base->key[i], &base->names[i], e))
            return e->rc;
    for (size_t i = 0; i < n; i++)
        if (add_tag(c, &tag[i], e))
            return e->rc;
    c->nlisted = c->n;
    for (size_t i = base->nlisted; i < base->n; i++)
        if (push(c, &base->key[i], &base->names[i], e))
            return e->rc;
    return FA_OK;
}

/* Takes the reference of the base. */
static fa_rc make_with(fa_catalog *base, fa_tag_set *tags, fa_str edp, fa_catalog **out, fa_err *e)
{
    fa_catalog *c = calloc(1, sizeof *c);
    fa_rc rc;

    *out = NULL;
    if (!c) {
        fa_catalog_put(base);
        return fa_oom(e);
    }
    fa_arena_init(&c->mem, 512 << 20);
    atomic_init(&c->refs, 1);
    c->base = base;
    c->tags = fa_tag_set_ref(tags);
    c->generation = base->generation;
    c->fair = base->fair;
    c->account = base->account;
    c->center = base->center;
    c->center_id = base->center_id;
    c->ncenter = base->ncenter;
    if (!(rc = fill_with(c, e)))
        rc = fa_edp_attach(c, edp, e);
    if (rc)
        fa_catalog_put(c);
    else
        *out = c;
    return rc;
}

fa_rc fa_catalog_with(fa_ledger *l, fa_tag_set *tags, fa_catalog **out, fa_err *e)
{
    fa_catalog *base;
    fa_arena a;
    fa_str edp;
    fa_rc rc;

    *out = NULL;
    fa_arena_init(&a, 8 << 20);
    if (!(rc = fa_edp_text(l, &a, &edp, e)) && !(rc = get_base(l, &base, e)))
        rc = make_with(base, tags, edp, out, e);
    fa_arena_release(&a);
    return rc;
}

fa_rc fa_catalog_get(fa_ledger *l, fa_catalog **out, fa_err *e)
{
    fa_catalog *base = NULL;
    fa_tag_set *tags = NULL;
    fa_arena a;
    fa_str edp;
    fa_rc rc;

    *out = NULL;
    fa_arena_init(&a, 8 << 20);
    if ((rc = fa_edp_text(l, &a, &edp, e)) || (rc = fa_tags_live(l, &tags, e)) ||
        (rc = get_base(l, &base, e)))
        goto done;
    pthread_mutex_lock(&latest_lock);
    if (latest && latest->base == base && fa_tag_set_hash(latest->tags) == fa_tag_set_hash(tags) &&
        fa_str_eq(latest->edp_text, edp))
        *out = ref(latest);
    pthread_mutex_unlock(&latest_lock);
    if (*out) {
        fa_catalog_put(base);
        goto done;
    }
    if (!(rc = make_with(base, tags, edp, out, e)))
        remember(&latest, *out);
done:
    fa_tag_set_put(tags);
    fa_arena_release(&a);
    return rc;
}

fa_fair_width fa_catalog_fair(const fa_catalog *c)
{
    return c->fair;
}

void fa_catalog_put(fa_catalog *c)
{
    if (!c || atomic_fetch_sub(&c->refs, 1) != 1)
        return;
    fa_edp_detach(c);
    for (size_t i = 0; i < c->ntag; i++)
        fa_virtual_release(&c->tag[i]);
    fa_tag_set_put(c->tags);
    fa_catalog_put(c->base);
    fa_arena_release(&c->mem);
    free(c);
}

void fa_catalog_cache_free(void)
{
    fa_catalog *old, *old_base;

    pthread_mutex_lock(&latest_lock);
    old = latest;
    old_base = latest_base;
    latest = latest_base = NULL;
    pthread_mutex_unlock(&latest_lock);
    fa_catalog_put(old);
    fa_catalog_put(old_base);
}

const fa_key *fa_catalog_keys(const fa_catalog *c, size_t *n)
{
    *n = c->nlisted;
    return c->key;
}

/* ---- resolving ---- */

static bool is_enrichment_name(const fa_key *k, fa_str name)
{
    fa_str prefix = FA_STR("finrichment_");

    return k->type == FA_K_ENRICHMENT && fa_str_starts(name, prefix) &&
           fa_str_eq((fa_str){name.p + prefix.n, name.n - prefix.n}, k->key);
}

/* How closely `name` names the key: 0 not at all, else 1 (closest) to 4. */
static int closeness(const fa_catalog *c, size_t i, fa_api api, fa_str name)
{
    const fa_key *k = &c->key[i];

    if (fa_str_eq(api == FA_API_V1 ? k->key_v1 : k->key, name))
        return 1;
    if (fa_str_eq(api == FA_API_V1 ? k->key : k->key_v1, name) || is_enrichment_name(k, name))
        return 2;
    for (size_t n = 0; n < FA_COUNT(c->names[i].also); n++)
        if (c->names[i].also[n].n && fa_str_eq(c->names[i].also[n], name))
            return 3;
    if (k->type == FA_K_VIRTUAL && (fa_str_ieq(k->display, name) || fa_str_ieq(k->key, name)))
        return 3; /* a tag's name in any case */
    if (api != FA_API_CLI)
        return 0;
    for (size_t n = 0; n < FA_COUNT(c->names[i].also); n++)
        if (c->names[i].also[n].n && fa_str_ieq(c->names[i].also[n], name))
            return 4;
    return fa_str_ieq(k->key, name) ? 4 : 0;
}

typedef struct question {
    fa_api api;
    fa_str center; /* public name; empty: any */
    fa_str name;
    bool has_type;
    fa_key_type type;
} question;

/* The closest key. *many: another one of a different type is as close. */
static const fa_key *closest(const fa_catalog *c, const question *q, bool any_type, bool *many)
{
    const fa_key *best = NULL;
    int best_rank = 99;

    *many = false;
    for (size_t i = 0; i < c->n; i++) {
        const fa_key *k = &c->key[i];
        int rank;

        if ((q->has_type && !any_type && k->type != q->type) ||
            (q->center.n && !fa_str_eq(k->cost_center, q->center)))
            continue;
        rank = closeness(c, i, q->api, q->name);
        if (rank == 0)
            continue;
        rank =
            rank * 4 + (i >= c->nlisted ? 2 : 0) + (fa_str_eqz(k->cost_center, "Global") ? 0 : 1);
        if (rank < best_rank) {
            best_rank = rank;
            best = k;
            *many = false;
        } else if (rank == best_rank && best && best->type != k->type) {
            *many = true;
        }
    }
    return best;
}

/* "a3ViZXJuZXRlczpsYWJlbF94" = "kubernetes:label_x" */
static bool decode_v1(fa_arena *a, fa_str name, fa_str *center, fa_str *key)
{
    char *plain = fa_arena_alloc(a, name.n + 1);
    size_t n = 0;
    const char *colon;

    while (name.n && name.p[name.n - 1] == '=')
        name.n--;
    if (!plain || name.n < 4 ||
        sodium_base642bin((unsigned char *)plain, name.n, name.p, name.n, NULL, &n, NULL,
                          sodium_base64_VARIANT_ORIGINAL_NO_PADDING) != 0 ||
        !fa_utf8_valid((fa_str){plain, n}))
        return false;
    colon = memchr(plain, ':', n);
    if (!colon)
        return false;
    *center = (fa_str){plain, (size_t)(colon - plain)};
    *key = (fa_str){colon + 1, n - center->n - 1};
    return key->n > 0;
}

/* The cost center's place in the list, or SIZE_MAX. */
static size_t center_at(const fa_catalog *c, fa_str any)
{
    for (size_t i = 0; i < c->ncenter; i++)
        if (fa_str_ieq(any, c->center[i]) || fa_str_ieq(any, c->center_id[i]))
            return i;
    return SIZE_MAX;
}

/* "tag:team", "AWS:region", "AWS:tag:team": takes what stands before the colons off the name. */
static void split_cli(const fa_catalog *c, question *q)
{
    for (int i = 0; i < 2; i++) {
        const char *colon = q->name.n ? memchr(q->name.p, ':', q->name.n) : NULL;
        fa_str head;
        size_t at;

        if (!colon)
            return;
        head = (fa_str){q->name.p, (size_t)(colon - q->name.p)};
        if (!q->has_type && fa_key_type_parse(head, &q->type))
            q->has_type = true;
        else if (!q->center.n && (at = center_at(c, head)) != SIZE_MAX)
            q->center = c->center[at];
        else
            return;
        q->name = (fa_str){colon + 1, q->name.n - head.n - 1};
        if (q->has_type)
            return;
    }
}

static fa_rc fail_key(fa_err *e, fa_rc rc, const char *field, const char *what, fa_str name,
                      fa_str center)
{
    if (center.n)
        (void)fa_fail(e, rc, "%s \"%.*s\" of cost center \"%.*s\"", what,
                      (int)(name.n > 200 ? 200 : name.n), name.p,
                      (int)(center.n > 100 ? 100 : center.n), center.p);
    else
        (void)fa_fail(e, rc, "%s \"%.*s\"", what, (int)(name.n > 200 ? 200 : name.n), name.p);
    return fa_at(e, field);
}

static fa_rc make_tag(const fa_catalog *c, fa_arena *a, const question *q, const fa_key **out,
                      fa_err *e)
{
    size_t at = q->center.n ? center_at(c, q->center) : 0;
    fa_key *k = fa_arena_alloc(a, sizeof *k);

    if (!k)
        return fa_oom(e);
    if (fa_key_tag(a, c->center[at], c->center_id[at], q->name, k, e))
        return e->rc;
    *out = k;
    return FA_OK;
}

static fa_rc resolve(const fa_catalog *c, fa_arena *a, const question *q, const fa_key **out,
                     fa_err *e)
{
    bool many;
    fa_str center, name;
    const fa_key *k = closest(c, q, false, &many);

    if (k && many && q->api == FA_API_CLI && k->type == FA_K_TAG) {
        question columns = *q;

        columns.has_type =
            true; /* a column goes before a tag of its name, which is spelled tag:NAME */
        for (unsigned t = FA_K_TAG + 1; t < FA_K__COUNT && many; t++) {
            bool again;
            const fa_key *other;

            columns.type = (fa_key_type)t;
            if ((other = closest(c, &columns, false, &again))) {
                k = other;
                many = false;
            }
        }
    }
    if (k && many && q->api != FA_API_CLI && q->api != FA_API_V1) {
        (void)fail_key(e, FA_EDATA, "type", "ambiguous without a type: key", q->name, q->center);
        return fa_hint(e,
                       "say which: a tag, a billing_dimension, a resource, a billing_enrichment");
    }
    if (!k && q->has_type && q->type == FA_K_TAG && !fa_str_eqz(q->center, "Virtual Tags") &&
        !fa_str_eqz(q->center, "Custom Cost"))
        return make_tag(c, a, q, out, e);
    if (!k && q->api == FA_API_INTERNAL && q->has_type)
        k = closest(c, q, true,
                    &many); /* clients of the old spelling send "col" for every column */
    if (!k && q->api == FA_API_V1 && decode_v1(a, q->name, &center, &name)) {
        question plain = *q;
        size_t at = center_at(c, center);

        plain.name = name;
        if (at != SIZE_MAX && (!q->center.n || fa_str_eq(q->center, c->center[at])))
            k = closest(c, &plain, false, &many);
    }
    if (!k)
        return fail_key(e, FA_EINVAL, "key", "unknown key", q->name, q->center);
    *out = k;
    return FA_OK;
}

fa_rc fa_catalog_find(const fa_catalog *c, fa_arena *a, fa_api api, fa_str cost_center, fa_str key,
                      fa_str type, const fa_key **out, fa_err *e)
{
    question q = {.api = api, .name = key};

    *out = NULL;
    if (cost_center.n) {
        size_t at = center_at(c, cost_center);

        if (at == SIZE_MAX)
            return fail_key(e, FA_EINVAL, "costCenter", "unknown cost center", cost_center,
                            (fa_str){0});
        q.center = c->center[at];
    }
    if (type.n) {
        if (!fa_key_type_parse(type, &q.type))
            return fail_key(e, FA_EINVAL, "type", "unknown key type", type, (fa_str){0});
        q.has_type = true;
    }
    if (api == FA_API_CLI)
        split_cli(c, &q);
    if (q.name.n == 0 || q.name.n > 1000)
        return fail_key(e, FA_EINVAL, "key", "unknown key", q.name, q.center);
    return resolve(c, a, &q, out, e);
}
