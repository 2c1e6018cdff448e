/*
 * center.c - custom cost centers: files with UsageDate and Cost, each other column a dimension
 * (integrations.md 12).
 *
 * The one idea: a file is a source of its own in the ledger. Loading it again replaces it, another
 * file adds to it, and what it was before can be made live again.
 */
#include "custom/inner.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

enum {
    NAME_MAX_BYTES = 60,
    FILE_NAME_MAX = 110,
    ROWS_MAX = 10000000,
    DIMENSIONS_MAX = 100,
    CSV_MAX = 1 << 30
};

static json_t *json_of(fa_buf *b)
{
    json_t *j = b->failed ? NULL : json_stringn(b->p, b->n);

    fa_buf_release(b);
    return j;
}

static json_t *day_json(int32_t day)
{
    fa_buf b = {0};

    fa_day_emit(&b, day);
    return json_of(&b);
}

static json_t *dec_json(fa_i128 v)
{
    fa_buf b = {0};

    fa_dec_emit(&b, v, 18, 2);
    return json_of(&b);
}

/* ---- centers ---- */

static fa_rc find_center(fa_ledger *l, fa_arena *a, fa_str id_or_name, fa_custom_center *out,
                         fa_err *e)
{
    fa_custom_center *c;
    size_t n;
    fa_rc rc = fa_custom_center_list(fa_ledger_store(l), a, fa_ledger_account(l), &c, &n, e);

    for (size_t i = 0; !rc && i < n; i++)
        if (fa_str_eq(c[i].id, id_or_name) || fa_str_ieq(c[i].name, id_or_name)) {
            *out = c[i];
            return FA_OK;
        }
    return rc ? rc : fa_fail(e, FA_ENOTFOUND, "no such custom cost center");
}

static fa_rc show_center(fa_ledger *l, fa_arena *a, const fa_custom_center *c, json_t **out,
                         fa_err *e)
{
    fa_custom_file *f;
    size_t n;
    int64_t rows = 0, last = -1, files = 0, days = 0;
    json_t *body = json_loadb(c->body.p, c->body.n, 0, NULL);
    fa_rc rc = fa_custom_file_list(fa_ledger_store(l), a, fa_ledger_account(l), c->id, &f, &n, e);

    for (size_t i = 0; !rc && i < n; i++) {
        if (f[i].removed)
            continue;
        files++;
        rows += f[i].rows;
        days += f[i].last_day - f[i].first_day + 1;
        last = f[i].created_ms > last ? f[i].created_ms : last;
    }
    if (!rc)
        *out = json_pack("{s:o,s:o,s:O,s:O,s:o,s:I,s:I,s:I,s:o,s:o,s:o}", "id",
                         json_stringn(c->id.p, c->id.n), "name", json_stringn(c->name.p, c->name.n),
                         "kind", json_object_get(body, "kind"), "mapping",
                         json_object_get(body, "mapping"), "error",
                         c->error.n ? json_stringn(c->error.p, c->error.n) : json_null(), "files",
                         (json_int_t)files, "days", (json_int_t)days, "rows", (json_int_t)rows,
                         "lastFileAt", last < 0 ? json_null() : fa_custom_time(last), "createdBy",
                         json_stringn(c->created_by.p, c->created_by.n), "createdAt",
                         fa_custom_time(c->created_ms));
    json_decref(body);
    return rc ? rc : *out ? FA_OK : fa_oom(e);
}

fa_rc fa_custom_centers(fa_ledger *l, fa_arena *a, json_t **out, fa_err *e)
{
    fa_custom_center *c;
    size_t n;
    fa_rc rc = fa_custom_center_list(fa_ledger_store(l), a, fa_ledger_account(l), &c, &n, e);

    *out = NULL;
    if (rc || !(*out = json_array()))
        return rc ? rc : fa_oom(e);
    for (size_t i = 0; !rc && i < n; i++) {
        json_t *one = NULL;

        if (!(rc = show_center(l, a, &c[i], &one, e)) && json_array_append_new(*out, one))
            rc = fa_oom(e);
    }
    return rc;
}

static fa_rc fail_at(fa_err *e, fa_rc rc, const char *field, const char *msg)
{
    (void)fa_fail(e, rc, "%s %s", field, msg);
    return fa_at(e, field);
}

static const char *const targets[] = {"UsageDate",     "Cost",      "Currency",
                                      "UsageQuantity", "UsageUnit", "ignore"};

/* What a column can become: one of the above, a FOCUS column we write, or tag:NAME. */
static bool is_target(fa_str s)
{
    for (size_t i = 0; i < FA_COUNT(targets); i++)
        if (fa_str_ieq(s, fa_str_of(targets[i])))
            return true;
    for (fa_focus_cell c = 0; c < FA_FC__COUNT; c++)
        if (c != FA_FC_TAGS && fa_str_ieq(s, fa_str_of(fa_focus_name(c))))
            return true;
    return fa_take(&s, "tag:") && s.n > 0;
}

static fa_rc check_center(const json_t *body, fa_str *name, fa_str *kind, fa_err *e)
{
    const json_t *mapping = json_object_get(body, "mapping"), *v;
    const char *column;

    *name = fa_str_trim(fa_custom_text(json_object_get(body, "name")));
    *kind = fa_custom_text(json_object_get(body, "kind"));
    if (!json_is_object(body))
        return fa_fail(e, FA_EINVAL, "the custom cost center must be an object");
    for (size_t i = 0; i < name->n; i++)
        if ((unsigned char)name->p[i] < ' ' || name->p[i] == '/' || name->p[i] == '\\')
            name->n = 0;
    if (!name->n || name->n > NAME_MAX_BYTES || name->p[0] == '.')
        return fail_at(e, FA_EINVAL, "name",
                       "must have 1 to 60 bytes of text without slashes, not starting with a dot");
    if (!kind->n)
        *kind = FA_STR("csv");
    if (!fa_str_eqz(*kind, "csv") && !fa_str_eqz(*kind, "focus"))
        return fail_at(e, FA_EINVAL, "kind", "must be csv or focus");
    if (mapping && !json_is_null(mapping) && !json_is_object(mapping))
        return fail_at(e, FA_EINVAL, "mapping", "must be an object: column to target");
    json_object_foreach((json_t *)(uintptr_t)mapping, column,
                        v) if (!json_is_string(v) ||
                               !is_target(fa_custom_text(
                                   v))) return fail_at(e, FA_EINVAL, "mapping",
                                                       "has a target that is not known: UsageDate, "
                                                       "Cost, Currency, UsageQuantity, UsageUnit, "
                                                       "ignore, tag:NAME or a FOCUS column");
    return FA_OK;
}

fa_rc fa_custom_center_save(fa_ledger *l, fa_arena *a, fa_str id, const json_t *body, fa_str by,
                            json_t **out, fa_err *e)
{
    fa_custom_center c = {.error = FA_STR(""), .created_by = by, .created_ms = fa_now_ms()};
    json_t *mapping = json_object_get(body, "mapping"), *kept;
    fa_str name, kind;
    char fresh[37], *text;
    fa_rc rc;

    *out = NULL;
    if ((rc = check_center(body, &name, &kind, e)) || (id.n && (rc = find_center(l, a, id, &c, e))))
        return rc;
    if (id.n && !fa_str_eq(c.name, name) && !fa_str_ieq(c.name, name))
        return fail_at(e, FA_EDATA, "name",
                       "cannot be changed: the names of its sources follow from it");
    if (!id.n) {
        fa_uuid_v4(fresh);
        c.id = fa_arena_dup(a, fa_str_of(fresh));
        c.name = name;
    }
    kept = json_pack("{s:o,s:o}", "kind", json_stringn(kind.p, kind.n), "mapping",
                     json_is_object(mapping) ? json_deep_copy(mapping) : json_object());
    text = kept ? json_dumps(kept, JSON_COMPACT) : NULL;
    c.body = text ? fa_arena_dup(a, fa_str_of(text)) : (fa_str){NULL, 0};
    free(text);
    json_decref(kept);
    if (!c.body.p || !c.id.p)
        return fa_oom(e);
    if ((rc = fa_custom_center_put(fa_ledger_store(l), fa_ledger_account(l), &c, e)))
        return rc;
    return show_center(l, a, &c, out, e);
}

fa_rc fa_custom_center_remove(fa_ledger *l, fa_arena *a, fa_str id, fa_err *e)
{
    fa_custom_center c;
    fa_custom_file *f;
    size_t n;
    fa_rc rc;

    fa_custom_lock();
    if (!(rc = find_center(l, a, id, &c, e)) &&
        !(rc = fa_custom_file_list(fa_ledger_store(l), a, fa_ledger_account(l), c.id, &f, &n, e))) {
        for (size_t i = 0; !rc && i < n; i++)
            if (!f[i].removed)
                rc = fa_ledger_retire(l, f[i].source, 0, e);
        if (!rc)
            rc = fa_custom_center_drop(fa_ledger_store(l), fa_ledger_account(l), c.id, e);
    }
    fa_custom_unlock();
    return rc;
}

/* ---- reading a file ---- */

static fa_rc unpack(const char *path, fa_buf *out, fa_err *e)
{
    fa_buf raw;
    z_stream z = {0};
    char chunk[65536];
    int step = Z_OK;
    fa_rc rc;

    fa_buf_init(&raw, (size_t)256 << 20);
    if ((rc = fa_file_read(path, (size_t)256 << 20, &raw, e)))
        goto done;
    if (raw.n < 2 || (unsigned char)raw.p[0] != 0x1f || (unsigned char)raw.p[1] != 0x8b) {
        fa_buf_put(out, raw.p, raw.n);
        goto done;
    }
    if (inflateInit2(&z, 16 + MAX_WBITS) != Z_OK) {
        rc = fa_oom(e);
        goto done;
    }
    z.next_in = (unsigned char *)raw.p;
    z.avail_in = (unsigned)raw.n;
    while (step == Z_OK && !out->failed) {
        z.next_out = (unsigned char *)chunk;
        z.avail_out = sizeof chunk;
        step = inflate(&z, Z_NO_FLUSH);
        fa_buf_put(out, chunk, sizeof chunk - z.avail_out);
        if (step == Z_BUF_ERROR)
            break;
    }
    inflateEnd(&z);
    if (step != Z_STREAM_END)
        rc = fa_fail(e, FA_EDATA, "the packed file is damaged or cut off");
done:
    if (!rc && out->failed)
        rc = fa_fail(e, FA_ETOOBIG, "the file has more than 1 GiB");
    fa_buf_release(&raw);
    return rc;
}

/* What the columns of the file become. */
enum { DAY = FA_FC__COUNT, COST, CURRENCY, QUANTITY_, UNIT_, IGNORE, TAG };
typedef struct column {
    int to;
    fa_str name; /* of the column; of a tag: the tag */
} column;

typedef struct reading {
    fa_arena *a;
    fa_csv c;
    column *col;
    size_t ncol, ntag;
    fa_str account, currency, center;
    fa_buf *out;
    int64_t rows;
    int32_t first, last;
    fa_map *days; /* "2026-01-01 USD" -> place in sum */
    fa_i128 *sum;
    size_t nsum, cap;
    fa_err *e;
} reading;

FA_PRINTF(3, 4)
static fa_rc bad_cell(reading *r, size_t at, const char *fmt, ...)
{
    char text[300];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return fa_fail(r->e, FA_EDATA, "line %lld, column %zu (%.*s): %s", (long long)r->c.line, at + 1,
                   (int)(r->col[at].name.n > 60 ? 60 : r->col[at].name.n), r->col[at].name.p, text);
}

static int target_of(fa_str s, fa_str *tag)
{
    static const int place[] = {DAY, COST, CURRENCY, FA_FC_QUANTITY, FA_FC_UNIT, IGNORE};

    for (size_t i = 0; i < FA_COUNT(targets); i++)
        if (fa_str_ieq(s, fa_str_of(targets[i])))
            return place[i];
    for (fa_focus_cell c = 0; c < FA_FC__COUNT; c++)
        if (c != FA_FC_TAGS && fa_str_ieq(s, fa_str_of(fa_focus_name(c))))
            return (int)c;
    if (fa_take(&s, "tag:"))
        *tag = s;
    return TAG;
}

static fa_rc read_header(reading *r, const json_t *mapping)
{
    bool has[TAG + 1] = {false};

    r->ncol = r->c.n;
    if (!(r->col = fa_arena_array(r->a, r->c.n + 1, sizeof *r->col)))
        return fa_oom(r->e);
    for (size_t i = 0; i < r->c.n; i++) {
        fa_str name = fa_arena_dup(r->a, fa_str_trim(r->c.cell[i])), said;
        const json_t *m = name.p ? json_object_get(mapping, name.p) : NULL;

        if (!name.p)
            return fa_oom(r->e);
        r->col[i].name = name;
        said = m ? fa_custom_text(m) : name;
        r->col[i].to = target_of(said, &r->col[i].name);
        if (!name.n && r->col[i].to == TAG)
            r->col[i].to = IGNORE;
        r->ntag += r->col[i].to == TAG;
        if (r->col[i].to != TAG && r->col[i].to != IGNORE && has[r->col[i].to])
            return bad_cell(r, i, "a second column for the same thing");
        has[r->col[i].to] = true;
    }
    if (!has[DAY] || !has[COST]) {
        (void)fa_fail(r->e, FA_EDATA, "line 1: the column %s is missing",
                      has[DAY] ? "Cost" : "UsageDate");
        return fa_hint(
            r->e, "name the columns UsageDate and Cost, or say in the mapping which ones they are");
    }
    if (r->ntag > DIMENSIONS_MAX)
        return fa_fail(r->e, FA_EDATA, "line 1: there are %zu dimensions; at most %d are taken",
                       r->ntag, DIMENSIONS_MAX);
    return FA_OK;
}

/* "2026-01-01" or with a time behind it; "2026-01-01T00:00:00Z". */
static bool read_day(fa_str s, int32_t *out)
{
    if (s.n > 10 && (s.p[10] == 'T' || s.p[10] == ' '))
        s.n = 10;
    return fa_day_parse(s, out) && *out >= FA_CUSTOM_DAY_MIN && *out <= FA_CUSTOM_DAY_MAX;
}

static fa_rc add_total(reading *r, int32_t day, fa_str currency, fa_i128 cost)
{
    char key[32];
    size_t at;
    bool added;

    snprintf(key, sizeof key, "%d %.*s", day, (int)(currency.n > 8 ? 8 : currency.n), currency.p);
    if (!fa_map_add(r->days, fa_str_of(key), r->nsum, &at, &added))
        return fa_oom(r->e);
    if (added) {
        if (r->nsum == r->cap) {
            size_t cap = r->cap ? r->cap * 2 : 64;
            fa_i128 *more = realloc(r->sum, cap * sizeof *more);

            if (!more)
                return fa_oom(r->e);
            r->sum = more;
            r->cap = cap;
        }
        r->sum[r->nsum++] = 0;
    }
    r->sum[at] += cost;
    return FA_OK;
}

static fa_rc read_row(reading *r)
{
    fa_str cell[FA_FC__COUNT] = {0}, currency = r->currency;
    fa_buf tags = {0};
    fa_jw w;
    int32_t day = 0;
    fa_i128 cost = 0, ignored;
    bool any = false;
    fa_rc rc = FA_OK;

    if (r->c.n != r->ncol)
        return fa_fail(
            r->e, FA_EDATA, "line %lld, column %zu: the row has %zu cells, the header %zu",
            (long long)r->c.line, r->c.n < r->ncol ? r->c.n + 1 : r->ncol + 1, r->c.n, r->ncol);
    fa_jw_init(&w, &tags);
    fa_jw_obj(&w);
    for (size_t i = 0; !rc && i < r->ncol; i++) {
        fa_str s = fa_str_trim(r->c.cell[i]);

        if (!fa_utf8_valid(s))
            rc = bad_cell(r, i, "not UTF-8");
        else if (r->col[i].to == DAY && !read_day(s, &day))
            rc = bad_cell(r, i, "\"%.*s\" is no day; days are written YYYY-MM-DD",
                          (int)(s.n > 40 ? 40 : s.n), s.p);
        else if (r->col[i].to == COST && !fa_dec_parse(s, false, &cost, NULL))
            rc = bad_cell(r, i, "\"%.*s\" is no number", (int)(s.n > 40 ? 40 : s.n), s.p);
        else if (r->col[i].to == FA_FC_QUANTITY && s.n && !fa_dec_parse(s, false, &ignored, NULL))
            rc = bad_cell(r, i, "\"%.*s\" is no number", (int)(s.n > 40 ? 40 : s.n), s.p);
        else if (r->col[i].to == CURRENCY && s.n)
            currency = s;
        else if (r->col[i].to < FA_FC__COUNT)
            cell[r->col[i].to] = s;
        else if (r->col[i].to == TAG && s.n) {
            fa_jw_keys(&w, r->col[i].name);
            fa_jw_str(&w, s);
            any = true;
        }
    }
    fa_jw_end_obj(&w);
    if (!rc && currency.n != 3)
        rc = fa_fail(r->e, FA_EDATA, "line %lld: the currency must be a code of three letters",
                     (long long)r->c.line);
    if (!rc) {
        if (any)
            cell[FA_FC_TAGS] = fa_buf_view(&tags);
        if (!cell[FA_FC_PROVIDER].n)
            cell[FA_FC_PROVIDER] = FA_STR("Custom Cost");
        if (!cell[FA_FC_SERVICE].n)
            cell[FA_FC_SERVICE] = r->center;
        if (!cell[FA_FC_SERVICE_CATEGORY].n)
            cell[FA_FC_SERVICE_CATEGORY] = FA_STR("Other");
        if (!cell[FA_FC_SUB_ACCOUNT_NAME].n)
            cell[FA_FC_SUB_ACCOUNT_NAME] = r->center;
        if (!cell[FA_FC_CATEGORY].n)
            cell[FA_FC_CATEGORY] = cost < 0 ? FA_STR("Credit") : FA_STR("Usage");
        if (!cell[FA_FC_FREQUENCY].n)
            cell[FA_FC_FREQUENCY] = FA_STR("Usage-Based");
        fa_focus_row(r->out, r->account, currency, day, cost, cell);
        rc = add_total(r, day, currency, cost);
        r->first = r->rows == 0 || day < r->first ? day : r->first;
        r->last = r->rows == 0 || day > r->last ? day : r->last;
        if (++r->rows > ROWS_MAX)
            rc = fa_fail(r->e, FA_EDATA, "the file has more than 10,000,000 rows");
    }
    fa_buf_release(&tags);
    return rc;
}

static char separator(fa_str text)
{
    static const char all[] = ",;\t";
    size_t most = 0, best = 0;

    for (size_t c = 0; c < 3; c++) {
        size_t n = 0;

        for (size_t i = 0; i < text.n && text.p[i] != '\n'; i++)
            n += text.p[i] == all[c];
        if (n > most) {
            most = n;
            best = c;
        }
    }
    return all[best];
}

static fa_rc read_csv(reading *r, fa_str text, const json_t *mapping)
{
    bool more = false;
    fa_rc rc;

    fa_csv_init(&r->c, text);
    r->c.sep = separator(r->c.rest);
    fa_focus_header(r->out);
    if ((rc = fa_csv_next(&r->c, &more, r->e)))
        return rc;
    if (!more)
        return fa_fail(r->e, FA_EDATA, "the file is empty");
    if ((rc = read_header(r, mapping)))
        return rc;
    while (!(rc = fa_csv_next(&r->c, &more, r->e)) && more && !(rc = read_row(r)))
        ;
    if (rc == FA_EDATA &&
        strstr(r->e->msg, "quote")) /* the reader names the line; the cells before say the column */
        rc = fa_fail(r->e, FA_EDATA,
                     "line %lld, column %zu: a quote is not closed, or text stands behind it",
                     (long long)r->c.line, r->c.n + 1);
    if (!rc && !r->rows)
        rc = fa_fail(r->e, FA_EDATA, "the file has no rows");
    if (!rc && r->out->failed)
        rc = fa_fail(r->e, FA_ETOOBIG, "the file has too many rows");
    return rc;
}

/* ---- loading ---- */

static fa_rc file_name(fa_str *name, fa_err *e)
{
    *name = fa_str_trim(*name);
    for (size_t i = 0; i < name->n; i++)
        if ((unsigned char)name->p[i] < ' ' || name->p[i] == '/' || name->p[i] == '\\')
            name->n = 0;
    if (name->n && name->n <= FILE_NAME_MAX && name->p[0] != '.' && fa_utf8_valid(*name))
        return FA_OK;
    return fail_at(
        e, FA_EINVAL, "name",
        "must be the name of a file: 1 to 110 bytes, no slashes, not starting with a dot");
}

static json_t *totals_json(const reading *r)
{
    json_t *list = json_array();
    size_t cursor = 0, at;
    fa_str key;

    while (list && fa_map_next(r->days, &cursor, &key, &at)) {
        const char *space = memchr(key.p, ' ', key.n);
        long day = strtol(key.p, NULL, 10);

        json_array_append_new(
            list, json_pack("{s:o,s:o,s:o}", "day", day_json((int32_t)day), "currency",
                            json_stringn(space + 1, key.n - (size_t)(space + 1 - key.p)), "cost",
                            dec_json(r->sum[at])));
    }
    return list;
}

static int by_day(const void *a, const void *b)
{
    const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
    int c = strcmp(json_string_value(json_object_get(x, "day")),
                   json_string_value(json_object_get(y, "day")));

    return c ? c
             : strcmp(json_string_value(json_object_get(x, "currency")),
                      json_string_value(json_object_get(y, "currency")));
}

/* Totals by day, in order. */
static json_t *sorted_totals(fa_arena *a, const reading *r)
{
    json_t *list = totals_json(r), *out = json_array();
    size_t n = json_array_size(list);
    json_t **v = fa_arena_array(a, n + 1, sizeof *v);

    for (size_t i = 0; v && i < n; i++)
        v[i] = json_array_get(list, i);
    if (v && n)
        qsort(v, n, sizeof *v, by_day);
    for (size_t i = 0; v && i < n; i++)
        json_array_append(out, v[i]);
    json_decref(list);
    return out;
}

static json_t *columns_json(const reading *r)
{
    json_t *o = json_array();

    for (size_t i = 0; i < r->ncol; i++) {
        const char *to = r->col[i].to == DAY        ? "UsageDate"
                         : r->col[i].to == COST     ? "Cost"
                         : r->col[i].to == CURRENCY ? "Currency"
                         : r->col[i].to == IGNORE   ? "ignore"
                         : r->col[i].to == TAG      ? "tag"
                                                    : fa_focus_name((fa_focus_cell)r->col[i].to);

        json_array_append_new(o, json_pack("{s:o,s:s}", "name",
                                           json_stringn(r->col[i].name.p, r->col[i].name.n),
                                           "target", to));
    }
    return o;
}

static fa_rc keep_file(fa_ledger *l, const fa_custom_center *c, fa_custom_file *f, fa_err *e)
{
    fa_custom_center ok = *c;

    f->created_ms = fa_now_ms();
    ok.error = FA_STR("");
    return fa_custom_file_put(fa_ledger_store(l), fa_ledger_account(l), f, e) ||
                   fa_custom_center_put(fa_ledger_store(l), fa_ledger_account(l), &ok, e)
               ? e->rc
               : FA_OK;
}

static void days_of_load(fa_ledger *l, fa_arena *a, int64_t load_id, fa_custom_file *f)
{
    fa_load_result r;
    fa_err ignored;
    bool any = false;

    if (fa_ledger_load_result(l, a, load_id, &r, &ignored))
        return;
    for (size_t i = 0; i < r.ntotal; i++) {
        if (r.total[i].day == INT32_MIN)
            continue;
        f->first_day = !any || r.total[i].day < f->first_day ? r.total[i].day : f->first_day;
        f->last_day = !any || r.total[i].day > f->last_day ? r.total[i].day : f->last_day;
        any = true;
    }
}

static fa_rc load_focus(fa_ledger *l, fa_arena *a, const fa_custom_center *c, fa_custom_file *f,
                        const char *path, json_t **out, fa_err *e)
{
    fa_load load;
    fa_rc rc = fa_custom_load_file(l, a, f->source, path, &load, e);

    if (rc)
        return rc;
    f->rows = load.rows;
    days_of_load(l, a, load.id, f);
    *out = json_pack("{s:I,s:b,s:I}", "rows", (json_int_t)load.rows, "unchanged",
                     fa_str_eqz(load.state, "unchanged"), "loadId", (json_int_t)load.id);
    return *out ? keep_file(l, c, f, e) : fa_oom(e);
}

static fa_rc load_csv(fa_ledger *l, fa_arena *a, const fa_custom_center *c, fa_custom_file *f,
                      const char *path, bool dry, json_t **out, fa_err *e)
{
    json_t *body = json_loadb(c->body.p, c->body.n, 0, NULL);
    fa_buf text, csv;
    reading r = {.a = a,
                 .account = fa_ledger_account(l),
                 .center = c->name,
                 .out = &csv,
                 .days = fa_map_new(),
                 .e = e};
    fa_account account;
    fa_load load = {0};
    fa_rc rc;

    fa_buf_init(&text, CSV_MAX);
    fa_buf_init(&csv, (size_t)4 << 30);
    if (!r.days || !body)
        rc = fa_oom(e);
    else if (!(rc = fa_account_first(fa_ledger_store(l), a, &account, e)) &&
             !(rc = unpack(path, &text, e))) {
        r.currency = account.currency;
        rc = read_csv(&r, fa_buf_view(&text), json_object_get(body, "mapping"));
    }
    if (!rc && !dry)
        rc = fa_custom_load(l, a, f->source, fa_buf_view(&csv), true, &load, e);
    if (!rc) {
        f->rows = r.rows;
        f->first_day = r.first;
        f->last_day = r.last;
        *out =
            json_pack("{s:I,s:o,s:o,s:o,s:o,s:b,s:o}", "rows", (json_int_t)r.rows, "firstDay",
                      day_json(r.first), "lastDay", day_json(r.last), "days", sorted_totals(a, &r),
                      "columns", columns_json(&r), "unchanged", fa_str_eqz(load.state, "unchanged"),
                      "loadId", load.id ? json_integer(load.id) : json_null());
        rc = !*out ? fa_oom(e) : dry ? FA_OK : keep_file(l, c, f, e);
    }
    fa_csv_release(&r.c);
    fa_map_free(r.days);
    free(r.sum);
    json_decref(body);
    fa_buf_release(&text);
    fa_buf_release(&csv);
    return rc;
}

fa_rc fa_custom_file_load(fa_ledger *l, fa_arena *a, fa_str center, fa_str name, const char *path,
                          bool dry, fa_str by, fa_str mark, json_t **out, fa_err *e)
{
    fa_custom_center c;
    fa_custom_file f = {.name = name, .mark = mark, .created_by = by};
    json_t *body;
    bool focus;
    fa_rc rc;

    *out = NULL;
    if ((rc = file_name(&f.name, e)))
        return rc;
    fa_custom_lock();
    if (!(rc = find_center(l, a, center, &c, e))) {
        body = json_loadb(c.body.p, c.body.n, 0, NULL);
        focus = fa_str_eqz(fa_custom_text(json_object_get(body, "kind")), "focus");
        json_decref(body);
        f.center_id = c.id;
        f.source =
            fa_str_of(fa_arena_printf(a, "Custom Cost/%.*s/%.*s", FA_FMT(c.name), FA_FMT(f.name)));
        if (!f.source.n)
            rc = fa_oom(e);
        else if (focus && dry)
            rc = fa_fail(
                e, FA_EDATA,
                "a FOCUS file is proved when it is loaded; a dry run is for CSV with a mapping");
        else
            rc = focus ? load_focus(l, a, &c, &f, path, out, e)
                       : load_csv(l, a, &c, &f, path, dry, out, e);
    }
    fa_custom_unlock();
    if (rc) {
        json_decref(*out);
        *out = NULL;
    }
    return rc;
}

/* ---- files that are there ---- */

static fa_rc find_file(fa_ledger *l, fa_arena *a, fa_str center, fa_str name, fa_custom_file *out,
                       fa_err *e)
{
    fa_custom_center c;
    fa_custom_file *f;
    size_t n;
    fa_rc rc;

    if ((rc = find_center(l, a, center, &c, e)) ||
        (rc = fa_custom_file_list(fa_ledger_store(l), a, fa_ledger_account(l), c.id, &f, &n, e)))
        return rc;
    for (size_t i = 0; i < n; i++)
        if (fa_str_eq(f[i].name, name)) {
            *out = f[i];
            return FA_OK;
        }
    return fa_fail(e, FA_ENOTFOUND, "no such file in this custom cost center");
}

static fa_rc loads_of(fa_ledger *l, fa_arena *a, fa_str source, fa_load **load, size_t *n,
                      fa_err *e)
{
    fa_source s;
    fa_rc rc = fa_source_ensure(fa_ledger_store(l), a, fa_ledger_account(l), source, &s, e);

    return rc ? rc
              : fa_load_list(fa_ledger_store(l), a, fa_ledger_account(l), s.id, 100, load, n, e);
}

fa_rc fa_custom_files(fa_ledger *l, fa_arena *a, fa_str center, json_t **out, fa_err *e)
{
    fa_custom_center c;
    fa_custom_file *f;
    size_t n;
    fa_rc rc;

    *out = NULL;
    if ((rc = find_center(l, a, center, &c, e)) ||
        (rc = fa_custom_file_list(fa_ledger_store(l), a, fa_ledger_account(l), c.id, &f, &n, e)))
        return rc;
    if (!(*out = json_array()))
        return fa_oom(e);
    for (size_t i = 0; !rc && i < n; i++) {
        json_t *loads = json_array();
        fa_load *load;
        size_t nload = 0;

        rc = loads_of(l, a, f[i].source, &load, &nload, e);
        for (size_t k = 0; !rc && k < nload; k++)
            json_array_append_new(loads,
                                  json_pack("{s:I,s:o,s:I,s:o}", "id", (json_int_t)load[k].id,
                                            "state", json_stringn(load[k].state.p, load[k].state.n),
                                            "rows", (json_int_t)load[k].rows, "at",
                                            fa_custom_time(load[k].started_ms)));
        json_array_append_new(
            *out,
            json_pack("{s:o,s:I,s:o,s:o,s:o,s:o,s:b,s:o}", "name",
                      json_stringn(f[i].name.p, f[i].name.n), "rows", (json_int_t)f[i].rows,
                      "firstDay", day_json(f[i].first_day), "lastDay", day_json(f[i].last_day),
                      "createdBy", json_stringn(f[i].created_by.p, f[i].created_by.n), "createdAt",
                      fa_custom_time(f[i].created_ms), "removed", f[i].removed, "loads", loads));
    }
    return rc;
}

fa_rc fa_custom_file_remove(fa_ledger *l, fa_arena *a, fa_str center, fa_str name, fa_err *e)
{
    fa_custom_file f;
    fa_rc rc;

    fa_custom_lock();
    if (!(rc = find_file(l, a, center, name, &f, e)) &&
        !(rc = fa_ledger_retire(l, f.source, 0, e))) {
        f.removed = true;
        rc = fa_custom_file_put(fa_ledger_store(l), fa_ledger_account(l), &f, e);
    }
    fa_custom_unlock();
    return rc;
}

/* The newest load that is not live; of a removed file the newest of all. */
static fa_rc undo(fa_ledger *l, fa_arena *a, fa_custom_file *f, fa_err *e)
{
    fa_load *load;
    size_t n;
    bool live = false;
    fa_rc rc = loads_of(l, a, f->source, &load, &n, e);

    for (size_t i = 0; !rc && i < n; i++)
        live = live || fa_str_eqz(load[i].state, "live");
    for (size_t i = 0, seen = 0; !rc && i < n; i++) {
        if (fa_str_eqz(load[i].state, "live")) {
            seen = 1;
            continue;
        }
        if (!fa_str_eqz(load[i].state, "replaced") || (live && !seen))
            continue;
        if ((rc = fa_ledger_relive(l, load[i].id, e)) ||
            (rc = fa_ledger_retire(l, f->source, load[i].id, e)))
            return rc;
        f->rows = load[i].rows;
        f->removed = false;
        days_of_load(l, a, load[i].id, f);
        return fa_custom_file_put(fa_ledger_store(l), fa_ledger_account(l), f, e);
    }
    return rc ? rc : fa_fail(e, FA_EDATA, "there is no earlier content of this file");
}

fa_rc fa_custom_file_undo(fa_ledger *l, fa_arena *a, fa_str center, fa_str name, fa_err *e)
{
    fa_custom_file f;
    fa_rc rc;

    fa_custom_lock();
    if (!(rc = find_file(l, a, center, name, &f, e)))
        rc = undo(l, a, &f, e);
    fa_custom_unlock();
    return rc;
}

/* ---- the drop folder ---- */

static bool known_file(fa_ledger *l, fa_arena *a, const fa_custom_center *c, fa_str name,
                       fa_custom_file *out)
{
    fa_custom_file *f;
    size_t n;
    fa_err ignored;

    if (fa_custom_file_list(fa_ledger_store(l), a, fa_ledger_account(l), c->id, &f, &n, &ignored))
        return false;
    for (size_t i = 0; i < n; i++)
        if (fa_str_eq(f[i].name, name)) {
            *out = f[i];
            return true;
        }
    return false;
}

/* A refused file is not read again until it changes; what was loaded of it before stays. */
static void keep_refusal(fa_ledger *l, fa_arena *a, const fa_custom_center *c, fa_custom_file *f,
                         const char *msg)
{
    fa_custom_center failed = *c;
    fa_err e;

    failed.error = fa_str_of(fa_arena_printf(a, "%.*s: %s", FA_FMT(f->name), msg));
    fa_log(FA_LOG_WARN, "custom_cost_file", "center=%.*s error=%.*s", FA_FMT(c->name),
           FA_FMT(failed.error));
    if (fa_custom_center_put(fa_ledger_store(l), fa_ledger_account(l), &failed, &e) ||
        fa_custom_file_put(fa_ledger_store(l), fa_ledger_account(l), f, &e))
        fa_log(FA_LOG_ERROR, "custom_cost_file", "error=%s", e.msg);
}

static void drop_file(fa_ledger *l, fa_arena *a, const fa_custom_center *c, const char *dir,
                      const char *name)
{
    char *path = fa_arena_printf(a, "%s/%s", dir, name), *mark;
    fa_custom_file known = {.center_id = c->id,
                            .name = fa_str_of(name),
                            .created_by = FA_STR("drop folder"),
                            .created_ms = fa_now_ms(),
                            .removed = true};
    json_t *out = NULL;
    struct stat st;
    fa_err e = {0};
    bool has;

    if (!path || lstat(path, &st) || !S_ISREG(st.st_mode) ||
        fa_now_ms() / 1000 - (int64_t)st.st_mtime < 2)
        return; /* still being written, perhaps */
    mark = fa_arena_printf(a, "%lld.%09ld %lld", (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec,
                           (long long)st.st_size);
    has = known_file(l, a, c, fa_str_of(name), &known);
    if (!mark || (has && fa_str_eqz(known.mark, mark)))
        return;
    if (fa_custom_file_load(l, a, c->id, fa_str_of(name), path, false, FA_STR("drop folder"),
                            fa_str_of(mark), &out, &e)) {
        known.mark = fa_str_of(mark);
        if (!known.source.n)
            known.source =
                fa_str_of(fa_arena_printf(a, "Custom Cost/%.*s/%s", FA_FMT(c->name), name));
        keep_refusal(l, a, c, &known, e.msg);
    }
    json_decref(out);
}

void fa_custom_drop(fa_ledger *l)
{
    fa_custom_center *c;
    fa_arena a;
    fa_err e;
    size_t n = 0;

    fa_arena_init(&a, 0);
    if (fa_custom_center_list(fa_ledger_store(l), &a, fa_ledger_account(l), &c, &n, &e))
        n = 0;
    for (size_t i = 0; i < n; i++) {
        char *dir =
            fa_arena_printf(&a, "%s/drop/custom-costs/%.*s", fa_ledger_dir(l), FA_FMT(c[i].name));
        DIR *d = dir ? opendir(dir) : NULL;
        struct dirent *entry;

        while (d && (entry = readdir(d)))
            if (entry->d_name[0] != '.')
                drop_file(l, &a, &c[i], dir, entry->d_name);
        if (d)
            closedir(d);
    }
    fa_arena_release(&a);
}
