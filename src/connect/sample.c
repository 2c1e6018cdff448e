/*
 * sample.c - three rows of a file for "Test connection", and whether its columns are those of a bill.
 *
 * A text is read from its first mebibyte only, packed or not; what can only be read whole is fetched whole
 * up to a bound.
 */
#include "connect/inner.h"
#include "connect/sample.h"

#include "bill/bill.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum { HEAD = 1 << 20, PLAIN_MAX = 8 << 20, COLUMNS_MAX = 400, CELL_MAX = 200 };
#define WHOLE_MAX (256LL << 20)

typedef struct rows {
    fa_arena *a;
    fa_connect_report *r;
    bool oom;
} rows;

static fa_str shown(fa_arena *a, fa_str s)
{
    if (s.n > CELL_MAX)
        for (s.n = CELL_MAX; s.n && ((unsigned char)s.p[s.n] & 0xc0) == 0x80;)
            s.n--;
    return fa_arena_dup(a, s);
}

static fa_rc take_batch(void *user, const fa_batch *b, fa_err *e)
{
    rows *t = user;
    fa_connect_report *r = t->r;
    size_t n = b->cols < COLUMNS_MAX ? b->cols : COLUMNS_MAX;

    if (!r->column) {
        if (!(r->column = fa_arena_array(t->a, n, sizeof *r->column)))
            return fa_oom(e);
        for (r->ncolumn = 0; r->ncolumn < n; r->ncolumn++)
            r->column[r->ncolumn] = fa_arena_dup(t->a, fa_str_of(b->col[r->ncolumn].name));
    }
    for (size_t i = 0; i < b->rows && r->nrow < FA_COUNT(r->cell); i++) {
        fa_str *cell = fa_arena_array(t->a, n, sizeof *cell);

        if (!cell)
            return fa_oom(e);
        for (size_t k = 0; k < n; k++)
            cell[k] =
                b->col[k].null && b->col[k].null[i] ? (fa_str){0} : shown(t->a, b->col[k].text[i]);
        r->cell[r->nrow++] = cell;
    }
    return FA_OK;
}

/* Of a CSV or Parquet file on our disk. */
static fa_rc three_rows(fa_engine *g, fa_arena *a, const char *path, bool parquet,
                        fa_connect_report *r, fa_err *e)
{
    rows t = {.a = a, .r = r};
    fa_conn *c;
    fa_buf b;
    fa_rc rc = fa_conn_get(g, &c, e);

    if (rc)
        return rc;
    fa_buf_init(&b, 16384);
    fa_buf_z(&b, "SELECT CAST(COLUMNS(*) AS VARCHAR) FROM ");
    fa_buf_z(&b, parquet ? "read_parquet(" : "read_csv(");
    fa_buf_sql_text(&b, fa_str_of(path));
    fa_buf_z(&b, parquet ? ") LIMIT 3"
                         : ", header = true, all_varchar = true, null_padding = true) LIMIT 3");
    rc = b.failed ? fa_oom(e) : fa_sql_query(c, fa_buf_view(&b), NULL, 0, take_batch, &t, e);
    fa_buf_release(&b);
    fa_conn_put(c);
    return rc;
}

/* JSON lines: the members of the first object are the columns. */
static fa_rc json_rows(fa_arena *a, fa_str text, fa_connect_report *r, fa_err *e)
{
    while (text.n && r->nrow < FA_COUNT(r->cell)) {
        const char *nl = memchr(text.p, '\n', text.n), *key;
        size_t n = nl ? (size_t)(nl - text.p) : text.n, k = 0;
        json_t *o = json_loadb(text.p, n, JSON_DECODE_ANY, NULL), *v;
        fa_str *cell;

        text = nl ? (fa_str){nl + 1, text.n - n - 1} : FA_STR("");
        if (!json_is_object(o)) {
            json_decref(o);
            return r->nrow ? FA_OK : fa_fail(e, FA_EDATA, "its first line is not a JSON object");
        }
        if (!r->column) {
            r->column = fa_arena_array(a, json_object_size(o) + 1, sizeof *r->column);
            json_object_foreach(o, key, v) if (r->column && r->ncolumn < COLUMNS_MAX)
                r->column[r->ncolumn++] = fa_arena_dup(a, fa_str_of(key));
        }
        cell = fa_arena_array(a, r->ncolumn + 1, sizeof *cell);
        for (k = 0; cell && r->column && k < r->ncolumn; k++) {
            char *dump =
                json_dumps(json_object_get(o, r->column[k].p), JSON_ENCODE_ANY | JSON_COMPACT);

            v = json_object_get(o, r->column[k].p);
            cell[k] = json_is_null(v) || !v ? (fa_str){0}
                      : json_is_string(v)   ? shown(a, fa_str_of(json_string_value(v)))
                                            : shown(a, fa_str_of(dump));
            free(dump);
        }
        json_decref(o);
        if (!cell || !r->column)
            return fa_oom(e);
        r->cell[r->nrow++] = cell;
    }
    return FA_OK;
}

/* Do the columns make a bill? What is missing is in the error. */
static fa_rc recognise(fa_engine *g, fa_arena *a, const char *path, fa_connect_report *r, fa_err *e)
{
    const fa_bill_hint hint = {0};
    fa_bill_match m = {.a = a, .hint = &hint};
    fa_bill_file f;
    fa_rc rc = fa_bill_open(g, a, path, &f, e);

    if (!rc && !(rc = fa_bill_recognise(g, &f, &m, e)))
        r->format = m.version;
    return rc;
}

static bool text_kind(fa_str key, bool *gz)
{
    *gz = fa_str_ends(key, FA_STR(".gz"));
    return *gz || fa_str_ends(key, FA_STR(".csv")) || fa_str_ends(key, FA_STR(".tsv")) ||
           fa_str_ends(key, FA_STR(".json")) || fa_str_ends(key, FA_STR(".jsonl")) ||
           fa_str_ends(key, FA_STR(".ndjson"));
}

/* The whole lines among the first bytes of a packed file. */
static fa_rc unpack_head(fa_arena *a, fa_str head, fa_str *out, fa_err *e)
{
    z_stream z = {0};
    unsigned char *p = fa_arena_alloc(a, PLAIN_MAX);
    int k;

    if (!p)
        return fa_oom(e);
    if (inflateInit2(&z, 15 + 32) != Z_OK)
        return fa_oom(e);
    z.next_in = (unsigned char *)(uintptr_t)head.p;
    z.avail_in = (unsigned)head.n;
    z.next_out = p;
    z.avail_out = PLAIN_MAX;
    k = inflate(&z, Z_SYNC_FLUSH);
    *out = (fa_str){(char *)p, PLAIN_MAX - z.avail_out};
    inflateEnd(&z);
    if (k != Z_OK && k != Z_STREAM_END && k != Z_BUF_ERROR)
        return fa_fail(e, FA_EDATA, "it ends in .gz and is not packed with gzip");
    return FA_OK;
}

static fa_rc head_sample(cn_conn *c, fa_arena *a, const cn_object *o, bool gz, const char *dir,
                         fa_connect_report *r, fa_err *e)
{
    fa_net_response got;
    fa_str text;
    const char *last;
    char *path;
    fa_rc rc;

    if ((rc = cn_read(c, a, o, HEAD, o->bytes > HEAD ? "Range: bytes=0-1048575" : NULL, &got, e)))
        return rc;
    text = got.body;
    if (gz && (rc = unpack_head(a, got.body, &text, e)))
        return rc;
    if (o->bytes > (int64_t)got.body.n || text.n == PLAIN_MAX) { /* the last line may be half */
        if (!(last = memrchr(text.p, '\n', text.n)))
            return fa_fail(e, FA_EDATA, "its first line is longer than a mebibyte");
        text.n = (size_t)(last + 1 - text.p);
    }
    if (!text.n)
        return fa_fail(e, FA_EDATA, "it is empty");
    if (!(path = fa_arena_printf(a, "%s/sample.csv", dir)))
        return fa_oom(e);
    if (text.p[0] == '{') {
        if (!(path = fa_arena_printf(a, "%s/sample.jsonl", dir)))
            return fa_oom(e);
        if ((rc = fa_file_write_durable(path, text, 0600, e)) || (rc = json_rows(a, text, r, e)))
            return rc;
    } else if ((rc = fa_file_write_durable(path, text, 0600, e)) ||
               (rc = three_rows(fa_ledger_engine(c->call->ledger), a, path, false, r, e))) {
        return rc;
    }
    return recognise(fa_ledger_engine(c->call->ledger), a, path, r, e);
}

static void no_tick(void *user, int64_t bytes)
{
    (void)user;
    (void)bytes;
}

static fa_rc whole_sample(cn_conn *c, fa_arena *a, const cn_object *o, const char *dir,
                          fa_connect_report *r, fa_err *e)
{
    cn_delivery d = {.file = &o, .n = 1, .bytes = o->bytes};
    cn_fetch f = {.c = c, .dir = dir, .tick = no_tick};
    fa_engine *g = fa_ledger_engine(c->call->ledger);
    fa_rc rc;

    if (o->bytes > WHOLE_MAX)
        return fa_fail(e, FA_ETOOBIG,
                       "it is larger than 256 MiB and of a kind that is only read whole; the first "
                       "load will show it");
    if ((rc = cn_fetch_all(&f, &d, e)) || (rc = recognise(g, a, f.path[0], r, e)))
        return rc;
    if (fa_str_ends(o->key, FA_STR(".parquet")))
        rc = three_rows(g, a, f.path[0], true, r, e);
    return rc;
}

static fa_rc query_sample(cn_conn *c, fa_arena *a, const cn_object *o, const char *dir,
                          fa_connect_report *r, fa_err *e)
{
    cn_delivery d = {.file = &o, .n = 1};
    cn_fetch f = {.c = c, .dir = dir, .tick = no_tick};
    fa_buf b;
    fa_rc rc;

    if ((rc = cn_fetch_all(&f, &d, e)))
        return rc;
    fa_buf_init(&b, 0);
    if (!(rc = fa_file_read(f.path[0], (size_t)WHOLE_MAX, &b, e)))
        rc = json_rows(a, fa_buf_view(&b), r, e);
    fa_buf_release(&b);
    return rc ? rc : recognise(fa_ledger_engine(c->call->ledger), a, f.path[0], r, e);
}

fa_rc cn_sample(cn_conn *c, fa_arena *a, const cn_object *o, fa_connect_report *r, fa_err *e)
{
    char id[37], *dir;
    bool gz;
    fa_err sub = {0};
    fa_rc rc;

    fa_uuid_v4(id);
    if (!(dir = fa_arena_printf(a, "%s/tmp/test-%s", fa_ledger_dir(c->call->ledger), id)))
        return fa_oom(e);
    if ((rc = fa_mkdirs(dir, 0700, e)))
        return rc;
    if (c->store->write)
        rc = query_sample(c, a, o, dir, r, e);
    else
        rc = text_kind(o->key, &gz) ? head_sample(c, a, o, gz, dir, r, e)
                                    : whole_sample(c, a, o, dir, r, e);
    if (fa_remove_tree(dir, &sub))
        fa_log(FA_LOG_WARN, "sample_left", "error=%s", sub.msg);
    return rc;
}
