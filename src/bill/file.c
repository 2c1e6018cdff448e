/*
 * file.c - what kind of file a bill is, told by its first bytes, and which columns it has.
 *
 * The header of a CSV is read here rather than by the engine so that a wrong delimiter, a duplicate
 * column or a file that is not text is named before anything is loaded.
 */
#include "bill/inner.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#define HEADER_MAX (1u << 20)
#define COLUMNS_MAX 4096

static fa_str last_part(const char *path)
{
    const char *slash = strrchr(path, '/');

    return fa_str_of(slash ? slash + 1 : path);
}

static bool is_deflated(const fa_bill_file *f)
{
    return f->pack == FA_PACK_GZIP || f->pack == FA_PACK_ZIP;
}

/* The reader stands at the first byte of the packed data afterwards. */
fa_rc fa_zip_enter(const fa_bill_file *f, FILE *in, fa_zip_entry *out, fa_err *e)
{
    unsigned char h[30];
    fa_zip_entry z = {0};

    if (fread(h, 1, sizeof h, in) != sizeof h || memcmp(h, "PK\x03\x04", 4) != 0)
        return fa_fail(e, FA_EDATA, "%.*s: not a sound zip file", FA_FMT(f->name));
    z.flags = (unsigned)h[6] | (unsigned)h[7] << 8;
    z.crc = (uint32_t)h[14] | (uint32_t)h[15] << 8 | (uint32_t)h[16] << 16 | (uint32_t)h[17] << 24;
    if (((unsigned)h[8] | (unsigned)h[9] << 8) != 8 || z.flags & 1) {
        (void)fa_fail(e, FA_EDATA, "%.*s: a zip archive that is encrypted or not deflated",
                      FA_FMT(f->name));
        return fa_hint(e, "unpack it and load the CSV in it");
    }
    if (fseek(in,
              (long)((unsigned)h[26] | (unsigned)h[27] << 8) +
                  (long)((unsigned)h[28] | (unsigned)h[29] << 8),
              SEEK_CUR) != 0)
        return fa_fail(e, FA_EDATA, "%.*s: not a sound zip file", FA_FMT(f->name));
    z.data = ftell(in);
    if (out)
        *out = z;
    return FA_OK;
}

/* Up to `cap` unpacked bytes from the start of the file. *n < cap: that is all there is. */
static fa_rc read_start(const fa_bill_file *f, FILE *in, char *out, size_t cap, size_t *n,
                        fa_err *e)
{
    static const size_t step = 1 << 16;
    char *raw = malloc(step);
    z_stream z = {0};
    ZSTD_DStream *zs = NULL;
    fa_rc rc = FA_OK;
    size_t got;

    *n = 0;
    if (!raw)
        return fa_oom(e);
    if (f->pack == FA_PACK_ZIP && (rc = fa_zip_enter(f, in, NULL, e)))
        goto done;
    if (is_deflated(f) && inflateInit2(&z, f->pack == FA_PACK_GZIP ? 15 + 16 : -15) != Z_OK) {
        rc = fa_oom(e);
        goto done;
    }
    if (f->pack == FA_PACK_ZSTD && !(zs = ZSTD_createDStream())) {
        rc = fa_oom(e);
        goto done;
    }
    while (*n < cap && (got = fread(raw, 1, step, in)) > 0) {
        if (f->pack == FA_PACK_NONE) {
            size_t take = got < cap - *n ? got : cap - *n;

            memcpy(out + *n, raw, take);
            *n += take;
        } else if (is_deflated(f)) {
            int zr;

            z.next_in = (Bytef *)raw;
            z.avail_in = (uInt)got;
            z.next_out = (Bytef *)out + *n;
            z.avail_out = (uInt)(cap - *n);
            zr = inflate(&z, Z_NO_FLUSH);
            *n = cap - z.avail_out;
            if (zr == Z_STREAM_END)
                break;
            if (zr != Z_OK && zr != Z_BUF_ERROR) {
                rc = fa_fail(e, FA_EDATA, "%.*s: not a sound %s file", FA_FMT(f->name),
                             f->pack == FA_PACK_GZIP ? "gzip" : "zip");
                goto done;
            }
        } else {
            ZSTD_inBuffer zin = {raw, got, 0};
            ZSTD_outBuffer zout = {out, cap, *n};

            while (zin.pos < zin.size && zout.pos < zout.size) {
                size_t left = ZSTD_decompressStream(zs, &zout, &zin);

                if (ZSTD_isError(left)) {
                    rc = fa_fail(e, FA_EDATA, "%.*s: not a sound zstd file: %s", FA_FMT(f->name),
                                 ZSTD_getErrorName(left));
                    goto done;
                }
            }
            *n = zout.pos;
        }
    }
    if (ferror(in))
        rc = fa_fail(e, FA_EENV, "could not read \"%s\": %s", f->path, strerror(errno));
done:
    if (is_deflated(f))
        inflateEnd(&z);
    ZSTD_freeDStream(zs);
    free(raw);
    return rc;
}

/* The engine cannot tell two names apart by case alone: a second "resourceTags/user:team" is read under
 * another identifier. */
static fa_rc make_ident(fa_arena *a, fa_bill_file *f, fa_str name, bool is_again, fa_str *out,
                        fa_err *e)
{
    fa_buf b;

    fa_buf_init(&b, 2 << 20);
    if (is_again) {
        fa_str other = fa_str_of(fa_arena_printf(a, "%.*s %zu", FA_FMT(name), f->ncolumn + 1));

        fa_buf_sql_ident(&b, other);
    } else {
        fa_buf_sql_ident(&b, name);
    }
    *out = fa_buf_dup(&b, a);
    fa_buf_release(&b);
    return out->p ? FA_OK : fa_oom(e);
}

fa_rc fa_bill_add_column(fa_arena *a, fa_bill_file *f, fa_str name, fa_str type, fa_err *e)
{
    bool is_again = false;
    fa_str ident;

    if (f->ncolumn == COLUMNS_MAX)
        return fa_fail(e, FA_EDATA, "%.*s: more than %d columns", FA_FMT(f->name), COLUMNS_MAX);
    if (name.n == 0)
        return fa_fail(e, FA_EDATA, "%.*s: column %zu of the header has no name", FA_FMT(f->name),
                       f->ncolumn + 1);
    if (fa_str_starts(name, FA_STR("fa_")))
        return fa_fail(e, FA_EDATA, "%.*s: column \"%.*s\": names that start with fa_ are taken",
                       FA_FMT(f->name), FA_FMT(name));
    for (size_t i = 0; i < f->ncolumn; i++)
        if (fa_str_ieq(f->column[i].name, name) && memchr(name.p, '/', name.n) &&
            !fa_str_eq(f->column[i].name, name))
            is_again = true;
        else if (fa_str_ieq(f->column[i].name, name))
            return fa_fail(e, FA_EDATA, "%.*s: the column \"%.*s\" is there twice (%zu and %zu)",
                           FA_FMT(f->name), FA_FMT(name), i + 1, f->ncolumn + 1);
    if (f->ncolumn % 64 == 0) {
        fa_bill_column *grown = fa_arena_array(a, f->ncolumn + 64, sizeof *grown);

        if (!grown)
            return fa_oom(e);
        if (f->ncolumn)
            memcpy(grown, f->column, f->ncolumn * sizeof *grown);
        f->column = grown;
    }
    name = fa_arena_dup(a, name);
    type = fa_arena_dup(a, type);
    if (!name.p || !type.p)
        return fa_oom(e);
    if (make_ident(a, f, name, is_again, &ident, e))
        return e->rc;
    f->column[f->ncolumn++] = (fa_bill_column){.name = name, .type = type, .ident = ident};
    return FA_OK;
}

/* One header field from *i on; sets *end when the record ends with it. */
static fa_rc take_field(const fa_bill_file *f, const char *p, size_t n, size_t *i, fa_buf *field,
                        bool *end, fa_err *e)
{
    bool quoted = *i < n && p[*i] == '"';

    fa_buf_clear(field);
    if (quoted)
        ++*i;
    for (;; ++*i) {
        char c = *i < n ? p[*i] : '\n';

        if (quoted) {
            if (*i >= n)
                return fa_fail(e, FA_EDATA, "%.*s: a quote in the header is never closed",
                               FA_FMT(f->name));
            if (c == '"' && *i + 1 < n && p[*i + 1] == '"')
                ++*i;
            else if (c == '"') {
                quoted = false;
                continue;
            }
            fa_buf_c(field, c);
            continue;
        }
        if (c == f->delim || c == '\n') {
            *end = c == '\n';
            ++*i;
            break;
        }
        if (c != '\r')
            fa_buf_c(field, c);
    }
    return field->failed ? fa_oom(e) : FA_OK;
}

/* The delimiter of a header: the first of comma, semicolon, tab and bar that stands outside quotes. */
static char find_delim(fa_str header)
{
    static const char may[] = ",;\t|";
    bool quoted = false;

    for (const char *d = may; *d; d++)
        for (size_t i = 0; i < header.n; i++) {
            if (header.p[i] == '"')
                quoted = !quoted;
            else if (header.p[i] == *d && !quoted)
                return *d;
        }
    return ',';
}

fa_rc fa_bill_wrong_delim(const fa_bill_file *f, fa_err *e)
{
    (void)fa_fail(e, FA_EDATA, "%.*s: the header has a single column%s", FA_FMT(f->name),
                  f->delim == ';'    ? ": the delimiter is a semicolon where a comma is due"
                  : f->delim == '\t' ? ": the delimiter is a tab where a comma is due"
                  : f->delim == '|'  ? ": the delimiter is a bar where a comma is due"
                                     : "");
    return fa_hint(e, "export the bill as comma-separated values with a header line");
}

static fa_rc read_csv_header(fa_arena *a, fa_bill_file *f, const char *p, size_t n, fa_err *e)
{
    size_t i = 0;
    bool end = false;
    fa_buf field;
    const char *nl;

    if (n >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0)
        i = 3;
    while (i < n && (p[i] == '\n' || p[i] == '\r'))
        i++;
    if (i == n)
        return fa_fail(e, FA_EDATA, "%.*s: the file is empty", FA_FMT(f->name));
    nl = memchr(p + i, '\n', n - i);
    if (!nl && n >= HEADER_MAX)
        return fa_fail(e, FA_EDATA, "%.*s: line 1 is longer than 1 MiB", FA_FMT(f->name));
    n = nl ? (size_t)(nl - p) : n;
    if (memchr(p, 0, n))
        return fa_fail(e, FA_EDATA, "%.*s: line 1 has a NUL byte: this is not a CSV file",
                       FA_FMT(f->name));
    if (!fa_utf8_valid((fa_str){p, n}))
        return fa_fail(e, FA_EDATA, "%.*s: line 1 is not UTF-8", FA_FMT(f->name));
    fa_buf_init(&field, HEADER_MAX);
    f->delim = find_delim((fa_str){p + i, n - i});
    while (!end) {
        fa_rc rc = take_field(f, p, n, &i, &field, &end, e);

        if (!rc)
            rc = fa_bill_add_column(a, f, fa_str_trim(fa_buf_view(&field)), FA_STR("VARCHAR"), e);
        if (rc) {
            fa_buf_release(&field);
            return rc;
        }
    }
    fa_buf_release(&field);
    return f->ncolumn == 1 ? fa_bill_wrong_delim(f, e) : FA_OK;
}

typedef struct describe {
    fa_arena *a;
    fa_bill_file *f;
} describe;

static fa_rc add_described(void *user, const fa_batch *b, fa_err *e)
{
    describe *d = user;

    for (size_t r = 0; r < b->rows; r++)
        if (fa_bill_add_column(d->a, d->f, b->col[0].text[r], b->col[1].text[r], e))
            return e->rc;
    return FA_OK;
}

static fa_rc mark_full(void *user, const fa_batch *b, fa_err *e)
{
    fa_bill_file *f = user;

    (void)e;
    for (size_t r = 0; r < b->rows; r++)
        for (size_t i = 0; i < f->ncolumn; i++)
            if (fa_str_eq(f->column[i].name, b->col[0].text[r]))
                f->column[i].is_full = fa_str_eqz(f->column[i].type, "VARCHAR");
    return FA_OK;
}

/* Text columns in which the least text of every row group is not "": there is nothing to look for in each row. */
static fa_rc find_full(fa_conn *c, fa_bill_file *f, fa_err *e)
{
    fa_buf sql;
    fa_rc rc;

    fa_buf_init(&sql, 1 << 16);
    fa_buf_z(&sql, "SELECT path_in_schema FROM parquet_metadata(");
    fa_buf_sql_text(&sql, fa_str_of(f->path));
    fa_buf_z(&sql, ") GROUP BY path_in_schema HAVING bool_and(coalesce(stats_min_value, '') <> ''"
                   " OR coalesce(stats_null_count = num_values, false))");
    rc = sql.failed ? fa_oom(e) : fa_sql_query(c, fa_buf_view(&sql), NULL, 0, mark_full, f, e);
    fa_buf_release(&sql);
    return rc;
}

static fa_rc read_parquet_header(fa_engine *g, fa_arena *a, fa_bill_file *f, fa_err *e)
{
    fa_conn *c = NULL;
    fa_buf sql;
    fa_rc rc;
    describe d = {a, f};

    fa_buf_init(&sql, 1 << 16);
    fa_buf_z(&sql, "SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM read_parquet(");
    fa_buf_sql_text(&sql, fa_str_of(f->path));
    fa_buf_z(&sql, "))");
    rc = sql.failed ? fa_oom(e) : fa_conn_get(g, &c, e);
    if (!rc)
        rc = fa_sql_query(c, fa_buf_view(&sql), NULL, 0, add_described, &d, e);
    if (rc && e->rc != FA_ECANCELLED && f->ncolumn == 0) {
        char why[400];

        snprintf(why, sizeof why, "%.399s", e->msg);
        rc = fa_fail(e, FA_EDATA, "%.*s: not a sound Parquet file: %s", FA_FMT(f->name), why);
    }
    if (!rc) {
        fa_buf_clear(&sql);
        fa_buf_z(&sql, "SELECT num_rows FROM parquet_file_metadata(");
        fa_buf_sql_text(&sql, fa_str_of(f->path));
        fa_buf_z(&sql, ")");
        rc = fa_sql_i64(c, fa_buf_view(&sql), NULL, 0, &f->rows, e);
    }
    if (!rc)
        rc = find_full(c, f, e);
    fa_conn_put(c);
    fa_buf_release(&sql);
    return rc;
}

fa_rc fa_bill_open(fa_engine *g, fa_arena *a, const char *path, fa_bill_file *out, fa_err *e)
{
    fa_rc rc = FA_OK;
    struct stat st;
    unsigned char magic[4] = {0};
    FILE *in = NULL;
    char *start = NULL;
    size_t n = 0;

    *out = (fa_bill_file){.rows = -1, .delim = ',', .path = fa_arena_dupz(a, fa_str_of(path))};
    if (!out->path)
        return fa_oom(e);
    out->name = last_part(out->path);
    if (stat(path, &st) != 0)
        return fa_fail(e, errno == ENOENT ? FA_ENOTFOUND : FA_EENV, "could not open \"%s\": %s",
                       path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return fa_fail(e, FA_EINVAL, "\"%s\" is not a regular file", path);
    out->bytes = st.st_size;
    if (!(in = fopen(path, "rbe"))) {
        rc = fa_fail(e, FA_EENV, "could not open \"%s\": %s", path, strerror(errno));
        goto done;
    }
    if ((n = fread(magic, 1, 4, in)) == 0) {
        rc = fa_fail(e, FA_EDATA, "%.*s: the file is empty", FA_FMT(out->name));
        goto done;
    }
    rewind(in);
    if (n == 4 && memcmp(magic, "PAR1", 4) == 0) {
        out->kind = FA_FILE_PARQUET;
        rc = read_parquet_header(g, a, out, e);
        goto done;
    }
    if (n >= 2 && magic[0] == 0x1f && magic[1] == 0x8b)
        out->pack = FA_PACK_GZIP;
    else if (n == 4 && memcmp(magic, "\x28\xb5\x2f\xfd", 4) == 0)
        out->pack = FA_PACK_ZSTD;
    else if (n == 4 && memcmp(magic, "PK\x03\x04", 4) == 0)
        out->pack = FA_PACK_ZIP;
    if (n == 4 && memcmp(magic, "Obj\x01", 4) == 0) {
        (void)fa_fail(e, FA_EDATA, "%.*s: Avro files are not read", FA_FMT(out->name));
        rc = fa_hint(e, "export the table as Parquet or as JSON lines");
        goto done;
    }
    if (!(start = malloc(HEADER_MAX))) {
        rc = fa_oom(e);
        goto done;
    }
    if ((rc = read_start(out, in, start, HEADER_MAX, &n, e)))
        goto done;
    if (out->pack != FA_PACK_NONE && n >= 4 && memcmp(start, "PAR1", 4) == 0) {
        (void)fa_fail(e, FA_EDATA, "%.*s: a Parquet file inside an archive", FA_FMT(out->name));
        rc = fa_hint(e, "unpack it first: Parquet is packed inside already");
        goto done;
    }
    rc = fa_jsonl_is((fa_str){start, n}) ? fa_jsonl_columns(a, out, (fa_str){start, n}, e)
                                         : read_csv_header(a, out, start, n, e);
done:
    if (in)
        fclose(in);
    free(start);
    return rc;
}

fa_rc fa_bill_hash(const char *path, char hex[65], volatile bool *cancel, fa_err *e)
{
    static const size_t step = 1 << 20;
    crypto_generichash_state st;
    unsigned char sum[32];
    char *buf = malloc(step);
    fa_rc rc = FA_OK;
    ssize_t got;
    int fd = -1;

    if (!buf)
        return fa_oom(e);
    if ((fd = open(path, O_RDONLY | O_CLOEXEC)) < 0) {
        rc = fa_fail(e, FA_EENV, "could not open \"%s\": %s", path, strerror(errno));
        goto done;
    }
    crypto_generichash_init(&st, NULL, 0, sizeof sum);
    while ((got = read(fd, buf, step)) != 0) {
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            rc = fa_fail(e, FA_EENV, "could not read \"%s\": %s", path, strerror(errno));
            goto done;
        }
        if (fa_flag_get(cancel)) {
            rc = fa_fail(e, FA_ECANCELLED, "cancelled");
            goto done;
        }
        crypto_generichash_update(&st, (const unsigned char *)buf, (unsigned long long)got);
    }
    crypto_generichash_final(&st, sum, sizeof sum);
    fa_hex(hex, sum, sizeof sum);
done:
    if (fd >= 0)
        close(fd);
    free(buf);
    return rc;
}
