/*
 * codes.c - the values of one key on all lines, as dictionary codes.
 *
 * The one idea: a key has few distinct texts and many lines. Each line gets the number of its text, 0 where it has no
 * value; what is asked of a text is then asked once per text. A column is read from `line` once and grows by the lines
 * a load adds: lines are never changed, and that those it knows are still the same is proved by a fingerprint.
 */
#include "query/inner.h"

#include <stdlib.h>
#include <string.h>

#define MANY 32 /* columns read by one statement */

/* ---- the dictionary ---- */

static void free_column(fa_kept *k)
{
    fa_codes *c = (fa_codes *)k;

    free(c->code);
    if (c->folded != c->heap)
        free(c->folded);
    if (c->fold_at != c->at)
        free(c->fold_at);
    free(c->heap);
    free(c->at);
    free(c->hash);
    free(c->slot);
    free(c->post);
    free(c->post_at);
    free(c->number);
    free(c->is_number);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

static bool grow(void **p, size_t n, size_t size)
{
    void *q = n <= SIZE_MAX / size ? realloc(*p, n * size) : NULL;

    if (!q)
        return false;
    *p = q;
    return true;
}

/* Room for `cap` texts; the slots are twice as many and hold code, 0 is free. */
static bool grow_texts(fa_codes *c, uint32_t cap)
{
    size_t nslot = 64;
    uint32_t *slot;

    while (nslot < (size_t)cap * 2)
        nslot *= 2;
    if (!grow((void **)&c->at, (size_t)cap + 1, sizeof *c->at) ||
        !grow((void **)&c->hash, cap, sizeof *c->hash) || !(slot = calloc(nslot, sizeof *slot)))
        return false;
    for (uint32_t i = 1; i < c->n; i++) {
        size_t at = c->hash[i] & (nslot - 1);

        while (slot[at])
            at = (at + 1) & (nslot - 1);
        slot[at] = i;
    }
    free(c->slot);
    c->slot = slot;
    c->nslot = nslot;
    c->cap = cap;
    return true;
}

static bool grow_heap(fa_codes *c, size_t need)
{
    size_t cap = c->heap_cap ? c->heap_cap : 256;

    while (cap < need)
        cap *= 2;
    if (cap > c->heap_cap && !grow((void **)&c->heap, cap, 1))
        return false;
    c->heap_cap = cap;
    return true;
}

fa_codes *fa_codes_new(uint32_t nline)
{
    fa_codes *c = calloc(1, sizeof *c);

    if (!c)
        return NULL;
    atomic_init(&c->kept.refs, 1);
    c->kept.free = free_column;
    pthread_mutex_init(&c->lock, NULL);
    fa_random(&c->seed, sizeof c->seed);
    c->nline = nline;
    c->code = calloc((size_t)nline + 1, sizeof *c->code);
    if (!c->code || !grow_texts(c, 64) || !grow_heap(c, 1)) {
        fa_kept_put(&c->kept);
        return NULL;
    }
    c->heap[0] = '\0';
    c->at[0] = 0;
    c->at[1] = 1;
    c->hash[0] = 0;
    c->n = 1;
    return c;
}

/* The slot of a text: its own or the free one where it belongs. */
static size_t slot_of(const fa_codes *c, fa_str s, uint32_t h)
{
    size_t at = h & (c->nslot - 1);

    while (c->slot[at] &&
           (c->hash[c->slot[at]] != h || !fa_str_eq(fa_codes_text(c, c->slot[at]), s)))
        at = (at + 1) & (c->nslot - 1);
    return at;
}

bool fa_codes_add(fa_codes *c, fa_str s, uint32_t *code)
{
    uint32_t h;
    size_t at, from = c->at[c->n];

    *code = 0;
    if (s.n == 0)
        return true;
    if (c->last && fa_str_eq(fa_codes_text(c, c->last), s)) {
        *code = c->last;
        return true;
    }
    h = fa_text_hash(s.p, s.n, c->seed);
    at = slot_of(c, s, h);
    if (!c->slot[at]) {
        if (c->n == c->cap) {
            if (c->cap > UINT32_MAX / 4 || !grow_texts(c, c->cap * 2))
                return false;
            at = slot_of(c, s, h);
        }
        if (!grow_heap(c, from + s.n + 1))
            return false;
        memcpy(c->heap + from, s.p, s.n);
        c->heap[from + s.n] = '\0';
        c->hash[c->n] = h;
        c->slot[at] = c->n++;
        c->at[c->n] = from + s.n + 1;
    }
    *code = c->last = c->slot[at];
    return true;
}

uint32_t fa_codes_find(const fa_codes *c, fa_str s)
{
    uint32_t code = s.n ? c->slot[slot_of(c, s, fa_text_hash(s.p, s.n, c->seed))] : 0;

    return code ? code : UINT32_MAX;
}

void fa_codes_seal(fa_codes *c)
{
    c->kept.bytes = sizeof *c + ((size_t)c->nline + 1) * sizeof *c->code + c->heap_cap +
                    (size_t)c->cap * (sizeof *c->at + sizeof *c->hash) + c->nslot * sizeof *c->slot;
}

/* The same texts and lines, with room for more lines. */
static fa_codes *copy_column(const fa_codes *from, uint32_t nline)
{
    fa_codes *c = fa_codes_new(nline);

    if (!c)
        return NULL;
    c->n = 1;
    if (!grow_texts(c, from->cap) || !grow_heap(c, from->at[from->n])) {
        fa_kept_put(&c->kept);
        return NULL;
    }
    memcpy(c->heap, from->heap, from->at[from->n]);
    memcpy(c->at, from->at, ((size_t)from->n + 1) * sizeof *c->at);
    memcpy(c->hash, from->hash, from->n * sizeof *c->hash);
    memcpy(c->code, from->code, from->nline * sizeof *c->code);
    c->seed = from->seed;
    c->n = from->n;
    if (!grow_texts(c, from->cap)) { /* puts the texts into their slots */
        fa_kept_put(&c->kept);
        return NULL;
    }
    return c;
}

/* ---- what is made of a column when it is first needed ---- */

fa_rc fa_codes_postings(fa_codes *c, fa_err *e)
{
    uint32_t *next = NULL;
    fa_rc rc = FA_OK;
    size_t grew = 0;

    pthread_mutex_lock(&c->lock);
    if (!c->post_at) {
        uint32_t *at = calloc((size_t)c->n + 1, sizeof *at);
        uint32_t *post = malloc(((size_t)c->nline + 1) * sizeof *post);

        next = malloc((size_t)c->n * sizeof *next);
        if (!at || !post || !next) {
            free(at);
            free(post);
            rc = fa_oom(e);
            goto done;
        }
        for (uint32_t i = 0; i < c->nline; i++)
            at[c->code[i] + 1]++;
        for (uint32_t i = 0; i < c->n; i++) {
            next[i] = at[i];
            at[i + 1] += at[i];
        }
        for (uint32_t i = 0; i < c->nline; i++)
            post[next[c->code[i]]++] = i;
        c->post = post;
        c->post_at = at;
        grew = ((size_t)c->n + c->nline + 2) * sizeof *at;
    }
done:
    pthread_mutex_unlock(&c->lock);
    free(next);
    if (grew)
        fa_keep_grew(&c->kept, grew);
    return rc;
}

static bool is_folded(const fa_codes *c)
{
    for (size_t i = 0; i < c->at[c->n]; i++) {
        unsigned char b = (unsigned char)c->heap[i];

        if (b >= 0x80 || (b >= 'A' && b <= 'Z'))
            return false;
    }
    return true;
}

static bool fold_texts(fa_codes *c, size_t *grew)
{
    size_t *at, n = 0;
    char *heap;

    if (is_folded(c)) {
        c->fold_at = c->at;
        c->folded = c->heap;
        return true;
    }
    at = malloc(((size_t)c->n + 1) * sizeof *at);
    heap = malloc(c->at[c->n] * 2 + 1);
    if (!at || !heap) {
        free(at);
        free(heap);
        return false;
    }
    for (uint32_t i = 0; i < c->n; i++) {
        at[i] = n;
        n += fa_fold(fa_codes_text(c, i), heap + n);
        heap[n++] = '\0';
    }
    at[c->n] = n;
    *grew = n + ((size_t)c->n + 1) * sizeof *at;
    c->folded = realloc(heap, n);
    if (!c->folded)
        c->folded = heap;
    c->fold_at = at;
    return true;
}

fa_rc fa_codes_fold(fa_ledger *l, fa_codes *c, fa_err *e)
{
    fa_rc rc = fa_fold_ready(l, e);
    size_t grew = 0;

    if (rc)
        return rc;
    pthread_mutex_lock(&c->lock);
    if (!c->folded && !fold_texts(c, &grew))
        rc = fa_oom(e);
    pthread_mutex_unlock(&c->lock);
    if (grew)
        fa_keep_grew(&c->kept, grew);
    return rc;
}

/* ---- numbers: the engine's own cast of each text ---- */

typedef struct numbers {
    fa_codes *c;
    const uint32_t *code;
    size_t n, at;
} numbers;

static fa_rc take_numbers(void *user, const fa_batch *b, fa_err *e)
{
    numbers *o = user;

    for (size_t r = 0; r < b->rows; r++) {
        uint32_t code;

        if (o->at == o->n)
            return fa_fail(e, FA_EINTERNAL, "more numbers came back than texts were sent");
        code = o->code[o->at++];
        if (b->col[0].null && b->col[0].null[r])
            continue;
        o->c->number[code] = b->col[0].i128[r];
        o->c->is_number[code >> 6] |= (uint64_t)1 << (code & 63);
    }
    return FA_OK;
}

/* May be a number: starts like one and holds nothing that ends it. */
static bool looks_numeric(fa_str s)
{
    fa_str t = fa_str_trim(s);

    return t.n && (memchr("0123456789+-.", t.p[0], 13) != NULL) && !memchr(s.p, '\x01', s.n) &&
           !memchr(s.p, '\0', s.n);
}

static fa_rc cast_texts(const fa_lens *v, fa_codes *c, fa_err *e)
{
    fa_rc rc = FA_OK;
    fa_conn *con = NULL;
    uint32_t *code = malloc((size_t)c->n * sizeof *code);
    numbers o = {.c = c, .code = code};
    fa_param p = {.kind = FA_P_TEXT};
    fa_buf b;

    fa_buf_init(&b, (size_t)1 << 30);
    if (!code) {
        rc = fa_oom(e);
        goto done;
    }
    for (uint32_t i = 1; i < c->n; i++) {
        if (!looks_numeric(fa_codes_text(c, i)))
            continue;
        if (o.n)
            fa_buf_c(&b, '\x01');
        fa_buf_str(&b, fa_codes_text(c, i));
        code[o.n++] = i;
    }
    if (b.failed) {
        rc = fa_oom(e);
        goto done;
    }
    if (o.n == 0 || (rc = fa_conn_get(fa_ledger_engine(v->l), &con, e)))
        goto done;
    fa_conn_deadline(con, v->deadline_mono_ms);
    p.text = fa_buf_view(&b);
    rc = fa_sql_query(con,
                      FA_STR("SELECT try_cast(t AS DECIMAL(38,18)) FROM (SELECT"
                             " unnest(string_split($1, chr(1))) AS t)"),
                      &p, 1, take_numbers, &o, e);
    if (!rc && o.at != o.n)
        rc = fa_fail(e, FA_EINTERNAL, "fewer numbers came back than texts were sent");
done:
    fa_conn_put(con);
    fa_buf_release(&b);
    free(code);
    return rc;
}

fa_rc fa_codes_numbers(const fa_lens *v, fa_codes *c, fa_err *e)
{
    fa_rc rc = FA_OK;
    size_t grew = 0;

    pthread_mutex_lock(&c->lock);
    if (!c->has_numbers) {
        if (!c->number)
            c->number = calloc(c->n, sizeof *c->number);
        if (!c->is_number)
            c->is_number = calloc((size_t)c->n / 64 + 1, sizeof *c->is_number);
        rc = c->number && c->is_number ? cast_texts(v, c, e) : fa_oom(e);
        c->has_numbers = !rc;
        grew = rc ? 0 : c->n * sizeof *c->number + c->n / 8;
    }
    pthread_mutex_unlock(&c->lock);
    if (grew)
        fa_keep_grew(&c->kept, grew);
    return rc;
}

/* ---- one state of the ledger ---- */

fa_rc fa_lens_open(fa_ledger *l, int64_t deadline_mono_ms, fa_lens *out, fa_err *e)
{
    for (;;) {
        *out = (fa_lens){.l = l, .day = FA_DAY_MIN, .deadline_mono_ms = deadline_mono_ms};
        out->generation = fa_ledger_generation(l);
        out->nline = fa_ledger_lines(l);
        if (fa_ledger_generation(l) == out->generation)
            return FA_OK;
        if (fa_lens_late(out))
            return fa_fail(e, FA_ETIMEOUT, "the question took too long");
    }
}

bool fa_lens_late(const fa_lens *v)
{
    return v->deadline_mono_ms && fa_mono_ms() > v->deadline_mono_ms;
}

fa_rc fa_lens_check(const fa_lens *v, fa_err *e)
{
    if (!fa_lens_late(v))
        return FA_OK;
    (void)fa_fail(e, FA_ETIMEOUT, "the question took too long");
    return fa_hint(e, "ask for fewer days or groups");
}

void fa_lens_hash(fa_hash *h, const fa_lens *v, bool with_generation)
{
    fa_engine *engine = fa_ledger_engine(v->l);

    fa_hash_str(h, fa_ledger_account(v->l));
    fa_hash_put(h, &engine, sizeof engine);
    if (with_generation)
        fa_hash_u64(h, v->generation);
}

/* ---- fingerprints of the lines below a number ---- */

typedef struct print {
    fa_kept kept;
    uint64_t value;
} print;

static void free_print(fa_kept *k)
{
    free(k);
}

/* Lines are the same when ids and hashes are: a line's hash is that of its content. */
static fa_rc get_print(const fa_lens *v, fa_conn *con, uint32_t n, uint64_t *out, fa_err *e)
{
    fa_hash h;
    fa_digest key;
    print *p;
    int64_t value;
    char sql[160];

    fa_hash_begin(&h, "print");
    fa_lens_hash(&h, v, true);
    fa_hash_u64(&h, n);
    key = fa_hash_end(&h);
    if ((p = (print *)fa_keep_get(&key))) {
        *out = p->value;
        fa_kept_put(&p->kept);
        return FA_OK;
    }
    snprintf(sql, sizeof sql,
             "SELECT (coalesce(bit_xor(hash(line_id, hash)), 0) & 9223372036854775807)::BIGINT FROM"
             " line WHERE line_id < %u",
             n);
    if (fa_sql_i64(con, fa_str_of(sql), NULL, 0, &value, e))
        return e->rc;
    *out = (uint64_t)value;
    if ((p = calloc(1, sizeof *p))) {
        atomic_init(&p->kept.refs, 1);
        p->kept.free = free_print;
        p->kept.bytes = sizeof *p;
        p->value = *out;
        fa_keep_add(&key, &p->kept);
        fa_kept_put(&p->kept);
    }
    return FA_OK;
}

/* ---- reading ---- */

/* One at a time reads lines; who waits finds them made. */
static pthread_mutex_t reading = PTHREAD_MUTEX_INITIALIZER;

static fa_digest key_of(const fa_lens *v, const fa_key *k)
{
    fa_hash h;

    fa_hash_begin(&h, "column");
    fa_lens_hash(&h, v, false);
    fa_hash_str(&h, k->expr);
    return fa_hash_end(&h);
}

typedef struct batch {
    fa_codes *col[MANY];
    const fa_key *key[MANY];
    size_t n;
} batch;

static fa_rc take_lines(void *user, const fa_batch *b, fa_err *e)
{
    batch *o = user;

    for (size_t i = 0; i < o->n; i++) {
        const fa_col *from = &b->col[i + 1];
        fa_codes *c = o->col[i];

        if (from->type != FA_T_TEXT)
            continue;
        for (size_t r = 0; r < b->rows; r++) {
            int64_t line = b->col[0].i64[r];

            if (line >= (int64_t)c->nline || (from->null && from->null[r]))
                continue;
            if (!fa_codes_add(c, from->text[r], &c->code[line]))
                return fa_oom(e);
        }
    }
    return FA_OK;
}

static fa_rc read_lines(const fa_lens *v, fa_conn *con, batch *o, uint32_t from, fa_err *e)
{
    fa_buf sql;
    fa_rc rc;

    if (o->n == 0 || from >= v->nline)
        return FA_OK;
    fa_buf_init(&sql, 64 << 20);
    fa_buf_z(&sql, "SELECT line_id");
    for (size_t i = 0; i < o->n; i++) {
        fa_buf_z(&sql, ", ");
        fa_buf_str(&sql, o->key[i]->expr);
    }
    fa_buf_fmt(&sql, " FROM line WHERE line_id >= %u AND line_id < %u", from, v->nline);
    rc = sql.failed ? fa_oom(e) : fa_sql_query(con, fa_buf_view(&sql), NULL, 0, take_lines, o, e);
    fa_buf_release(&sql);
    return rc;
}

/* The column as it was at an earlier generation, made longer; NULL when the lines are not those it knew. */
static fa_rc extend(const fa_lens *v, fa_conn *con, const fa_codes *old, fa_codes **out, fa_err *e)
{
    uint64_t now;

    *out = NULL;
    if (!old || old->nline > v->nline || old->generation > v->generation)
        return FA_OK;
    if (get_print(v, con, old->nline, &now, e))
        return e->rc;
    if (now != old->print)
        return FA_OK;
    *out = copy_column(old, v->nline);
    return *out ? FA_OK : fa_oom(e);
}

/* Makes the columns of o->key that are missing: those with a past grow, the others are read whole. */
static fa_rc make(const fa_lens *v, batch *o, fa_err *e)
{
    fa_rc rc;
    fa_conn *con = NULL;
    batch fresh = {0}, longer = {0};
    uint32_t from = UINT32_MAX;
    uint64_t now;

    if ((rc = fa_conn_get(fa_ledger_engine(v->l), &con, e)))
        return rc;
    fa_conn_deadline(con, v->deadline_mono_ms);
    if ((rc = get_print(v, con, v->nline, &now, e)))
        goto done;
    for (size_t i = 0; i < o->n && !rc; i++) {
        fa_digest key = key_of(v, o->key[i]);
        fa_codes *old = (fa_codes *)fa_keep_get(&key);
        batch *to = &longer;

        if (old && (from == UINT32_MAX || old->nline == from))
            rc = extend(v, con, old, &o->col[i], e);
        if (o->col[i])
            from = old->nline;
        else if (!rc) {
            to = &fresh;
            if (!(o->col[i] = fa_codes_new(v->nline)))
                rc = fa_oom(e);
        }
        fa_kept_put(old ? &old->kept : NULL);
        if (rc)
            break;
        o->col[i]->generation = v->generation;
        o->col[i]->print = now;
        to->col[to->n] = o->col[i];
        to->key[to->n++] = o->key[i];
    }
    if (rc || (rc = read_lines(v, con, &fresh, 0, e)) ||
        (longer.n && (rc = read_lines(v, con, &longer, from, e))))
        goto done;
    for (size_t i = 0; i < o->n; i++)
        fa_codes_seal(o->col[i]);
    if (fa_ledger_generation(v->l) == v->generation)
        for (size_t i = 0; i < o->n; i++) {
            fa_digest key = key_of(v, o->key[i]);

            fa_keep_add(&key, &o->col[i]->kept);
        }
done:
    fa_conn_put(con);
    return rc;
}

static fa_codes *find_kept(const fa_lens *v, const fa_key *k)
{
    fa_digest key = key_of(v, k);
    fa_codes *c = (fa_codes *)fa_keep_get(&key);

    if (c && c->generation != v->generation) {
        fa_kept_put(&c->kept);
        c = NULL;
    }
    return c;
}

static void put_all(fa_codes **c, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        fa_codes_put(c[i]);
        c[i] = NULL;
    }
}

fa_rc fa_codes_get(const fa_lens *v, const fa_key *const *k, size_t n, fa_codes **out, fa_err *e)
{
    fa_rc rc = FA_OK;
    size_t place[MANY], missing = 0;

    for (size_t i = 0; i < n; i++)
        missing += !(out[i] = find_kept(v, k[i]));
    if (!missing)
        return FA_OK;
    pthread_mutex_lock(&reading);
    for (size_t i = 0; i < n && !rc;) {
        batch o = {0};

        for (; i < n && o.n < MANY; i++) {
            if (out[i] || (out[i] = find_kept(v, k[i])))
                continue;
            place[o.n] = i;
            o.key[o.n++] = k[i];
        }
        if (o.n)
            rc = make(v, &o, e);
        for (size_t m = 0; m < o.n; m++)
            out[place[m]] = o.col[m];
    }
    pthread_mutex_unlock(&reading);
    if (rc)
        put_all(out, n);
    return rc;
}
