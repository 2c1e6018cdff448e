/*
 * intake.c - how points come in: a CSV file, a push over HTTP, a drop folder.
 *
 * The one idea: every way makes the same batch of points and hands it to points.c under the name of a file,
 * so that coming twice, late or in another order changes nothing.
 */
#include "allocate/points.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MAX = 512 << 20, DROP_FILES_MAX = 20000, PUSH_MAX = 100000, DROP_DEPTH = 4 };

static fa_rc begin(fa_ledger *l, fa_arena *a, fa_str id, fa_telemetry *t, fa_err *e)
{
    if (fa_telemetry_get(l, a, id, t, e))
        return e->rc;
    if (t->is_active)
        return FA_OK;
    (void)fa_fail(e, FA_ECONFLICT, "the telemetry \"%.*s\" is switched off", FA_FMT(t->name));
    return fa_hint(e, "switch it on, then send again");
}

static fa_rc check_type(const fa_telemetry *t, const char *one, const char *other, fa_err *e)
{
    if (fa_str_eqz(t->type, one) || fa_str_eqz(t->type, other))
        return FA_OK;
    return fa_fail(e, FA_EDATA, "the telemetry \"%.*s\" takes no files or pushes: its type is %.*s",
                   FA_FMT(t->name), FA_FMT(t->type));
}

/* ---- the header of a CSV ---- */

/* Which column is what; places in the record. */
typedef struct layout {
    size_t day, width;
    size_t metric[32], field[FA_TELEMETRY_FIELDS_MAX];
} layout;

static bool find_column(const fa_csv *c, fa_str name, size_t *at)
{
    for (int fold = 0; fold < 2; fold++)
        for (size_t i = 0; i < c->n; i++) {
            fa_str cell = fa_str_trim(c->cell[i]);

            if (fold ? fa_str_ieq(cell, name) : fa_str_eq(cell, name)) {
                *at = i;
                return true;
            }
        }
    return false;
}

static fa_rc need_column(const fa_csv *c, fa_str name, const char *what, size_t *at, fa_err *e)
{
    if (find_column(c, name, at))
        return FA_OK;
    return fa_fail(e, FA_EDATA, "the header has no column \"%.*s\" (%s)", FA_FMT(name), what);
}

static fa_rc check_header(const fa_csv *c, fa_err *e)
{
    for (size_t i = 0; i < c->n; i++) {
        fa_str s = fa_str_trim(c->cell[i]);

        if (!s.n || s.n > 200 || !fa_utf8_valid(s))
            return fa_fail(e, FA_EDATA, "column %zu of the header has no name of 1 to 200 bytes",
                           i + 1);
        if (memchr(s.p, ' ', s.n)) {
            (void)fa_fail(e, FA_EDATA, "the column \"%.*s\" has a space in its name", FA_FMT(s));
            return fa_hint(e, "write it without spaces: headers of telemetry have none");
        }
        for (size_t k = 0; k < i; k++)
            if (fa_str_eq(fa_str_trim(c->cell[k]), s))
                return fa_fail(e, FA_EDATA, "the header has the column \"%.*s\" twice", FA_FMT(s));
    }
    return FA_OK;
}

/* The first file says what was left open: the last column is the metric, the others are fields. */
static fa_rc adopt_header(fa_incoming *in, fa_telemetry *t, const fa_csv *c, size_t day)
{
    size_t last = c->n - 1, n = 0;
    fa_str *list = fa_arena_array(in->a, c->n + 1, sizeof *list);

    if (!list)
        return fa_oom(in->e);
    if (last == day && last > 0)
        last--;
    if (t->nmetric == 0) {
        if (last == day)
            return fa_fail(in->e, FA_EDATA, "the header has no column for the values");
        list[0] = fa_arena_dup(in->a, fa_str_trim(c->cell[last]));
        t->metric = list;
        t->nmetric = 1;
        list = fa_arena_array(in->a, c->n + 1, sizeof *list);
        if (!list)
            return fa_oom(in->e);
    }
    for (size_t i = 0; !t->field.n && i < c->n; i++) {
        fa_str s = fa_str_trim(c->cell[i]);
        bool is_metric = i == day;

        for (size_t m = 0; m < t->nmetric; m++)
            is_metric |= fa_str_ieq(s, t->metric[m]);
        if (!is_metric)
            list[n++] = fa_arena_dup(in->a, s);
    }
    if (n > FA_TELEMETRY_FIELDS_MAX)
        return fa_fail(in->e, FA_EDATA,
                       "the header has %zu columns beside date and metric: %d at most", n,
                       FA_TELEMETRY_FIELDS_MAX);
    if (n) {
        t->field = list[0];
        t->additional = list + 1;
        t->nadditional = n - 1;
    }
    return FA_OK;
}

static fa_rc read_header(fa_incoming *in, fa_telemetry *t, const fa_csv *c, layout *k)
{
    fa_err *e = in->e;
    bool open = t->nmetric == 0;
    fa_str *name;

    *k = (layout){.width = c->n};
    if (check_header(c, e) || need_column(c, t->date_column, "the day", &k->day, e))
        return e->rc;
    if (open && adopt_header(in, t, c, k->day))
        return e->rc;
    for (size_t i = 0; i < t->nmetric && i < FA_COUNT(k->metric); i++)
        if (need_column(c, t->metric[i], "the metric", &k->metric[i], e))
            return e->rc;
    name = fa_arena_array(in->a, t->nadditional + 1, sizeof *name);
    if (!name)
        return fa_oom(e);
    for (size_t i = 0; t->field.n && i <= t->nadditional; i++)
        if (need_column(c, i ? t->additional[i - 1] : t->field, "a field", &k->field[i], e))
            return e->rc;
    return open ? fa_telemetry_store(in->l, in->a, t, e) : FA_OK;
}

/* ---- its rows ---- */

static fa_rc take_row(fa_incoming *in, const fa_csv *c, const layout *k)
{
    const fa_telemetry *t = in->t;
    fa_str value[FA_TELEMETRY_FIELDS_MAX] = {{"", 0}}, day;
    int32_t d;

    in->out->rows++;
    if (c->n != k->width)
        return fa_incoming_reject(in, c->line, "has %zu cells, the header has %zu", c->n, k->width);
    day = c->cell[k->day];
    if (!fa_date_parse(t->date_format, day, &d))
        return fa_incoming_reject(in, c->line, "\"%.*s\" in \"%.*s\" is no date as %.*s",
                                  (int)(day.n > 40 ? 40 : day.n), day.p, FA_FMT(t->date_column),
                                  FA_FMT(t->date_format));
    for (size_t i = 0; t->field.n && i <= t->nadditional; i++)
        value[i] = fa_str_trim(c->cell[k->field[i]]);
    for (size_t m = 0; m < t->nmetric && m < FA_COUNT(k->metric); m++) {
        fa_str amount = fa_arena_dup(in->a, c->cell[k->metric[m]]);

        if (!amount.p)
            return fa_oom(in->e);
        if (t->nmetric > 1 && !fa_str_trim(amount).n)
            continue; /* this metric has nothing to say here */
        if (fa_incoming_add(in, c->line, t->metric[m], d, value, amount))
            return in->e->rc;
    }
    return FA_OK;
}

static fa_rc take_rows(fa_incoming *in, fa_telemetry *t, fa_str text)
{
    layout k;
    bool more;
    fa_csv c;
    fa_rc rc;

    fa_csv_init(&c, text);
    rc = fa_csv_next(&c, &more, in->e);
    if (!rc && !more)
        rc = fa_fail(in->e, FA_EDATA, "the file is empty: it has no header");
    if (!rc)
        rc = read_header(in, t, &c, &k);
    while (!rc && !(rc = fa_csv_next(&c, &more, in->e)) && more)
        rc = take_row(in, &c, &k);
    fa_csv_release(&c);
    if (!rc && in->out->rows && in->out->rejected && !in->n)
        rc = fa_fail(in->e, FA_EDATA, "no row of the file could be taken; %.*s",
                     FA_FMT(in->out->reject[0]));
    return rc;
}

static void content_hash(fa_str text, char out[65])
{
    unsigned char sum[32];

    crypto_generichash(sum, sizeof sum, (const unsigned char *)text.p, text.n, NULL, 0);
    fa_hex(out, sum, sizeof sum);
}

/* Is this content in already, under this name or another? */
static fa_rc is_known(fa_incoming *in, fa_str file, fa_str hash, bool *known)
{
    fa_telemetry_file f;
    fa_err none = {0};
    fa_rc rc = fa_telemetry_file_same(fa_ledger_store(in->l), in->a, fa_ledger_account(in->l),
                                      in->t->id, hash, &f, &none);

    *known = rc == FA_OK;
    if (rc == FA_ENOTFOUND)
        return FA_OK;
    if (rc) {
        *in->e = none;
        return rc;
    }
    in->out->unchanged = fa_str_eq(f.name, file);
    if (!in->out->unchanged)
        return fa_incoming_warn(in,
                                "the content is that of \"%.*s\", which is in already: it is not "
                                "counted twice",
                                FA_FMT(f.name));
    return FA_OK;
}

fa_rc fa_telemetry_csv(fa_ledger *l, fa_arena *a, fa_str id, fa_str file, fa_str text,
                       fa_intake *out, fa_err *e)
{
    fa_telemetry t;
    fa_err scratch = {0};
    fa_incoming in = {.l = l, .a = a, .t = &t, .out = out, .e = e ? e : &scratch};
    char hash[65];
    bool known;

    *out = (fa_intake){.file = file, .first = INT32_MIN, .last = INT32_MIN};
    if (begin(l, a, id, &t, in.e) || check_type(&t, "csv", "csv", in.e))
        return in.e->rc;
    if (!fa_utf8_valid(text))
        return fa_fail(in.e, FA_EDATA, "the file is not UTF-8");
    content_hash(text, hash);
    if (is_known(&in, file, fa_str_of(hash), &known) || (known && out->unchanged))
        return in.e->rc;
    if (known) /* what this file brought before is replaced by nothing */
        return fa_incoming_write(&in, file, FA_STR(""), INT32_MIN, INT32_MAX, false);
    if (take_rows(&in, &t, text))
        return in.e->rc;
    return fa_incoming_write(&in, file, fa_arena_dup(a, fa_str_of(hash)), INT32_MIN, INT32_MAX,
                             false);
}

/* ---- a push ---- */

/* A JSON number has lost its spelling: the shortest text that reads back as it. */
static fa_rc amount_json(fa_arena *a, const json_t *v, const char *field, fa_str *out, fa_err *e)
{
    char text[64];

    if (json_is_string(v)) {
        *out = (fa_str){json_string_value(v), json_string_length(v)};
        return FA_OK;
    }
    if (json_is_null(v)) {
        *out = (fa_str){"", 0};
        return FA_OK;
    }
    if (!json_is_number(v)) {
        (void)fa_fail(e, FA_EINVAL, "%s must be a number, a text of one, or null", field);
        return fa_at(e, field);
    }
    if (json_is_integer(v)) {
        snprintf(text, sizeof text, "%lld", (long long)json_integer_value(v));
    } else {
        for (int digits = 15; digits <= 17; digits++) {
            snprintf(text, sizeof text, "%.*g", digits, json_real_value(v));
            if (strtod(text, NULL) == json_real_value(v))
                break;
        }
    }
    *out = fa_arena_dup(a, fa_str_of(text));
    return out->p ? FA_OK : fa_oom(e);
}

static fa_rc take_fields(fa_incoming *in, const json_t *fields, const char *at, fa_str *value)
{
    const fa_telemetry *t = in->t;
    char field[256];
    const char *key;
    json_t *v;

    if (fields && !json_is_null(fields) && !json_is_object(fields)) {
        (void)fa_fail(in->e, FA_EINVAL, "%s.fields must be an object", at);
        return fa_at(in->e, at);
    }
    json_object_foreach((json_t *)fields, key, v)
    {
        size_t i = 0;

        snprintf(field, sizeof field, "%s.fields.%.80s", at, key);
        while (i <= t->nadditional && !fa_str_eqz(i ? t->additional[i - 1] : t->field, key))
            i++;
        if (i > t->nadditional) {
            (void)fa_fail(in->e, FA_EINVAL, "the telemetry has no field \"%.80s\"", key);
            return fa_at(in->e, field);
        }
        if (!json_is_string(v)) {
            (void)fa_fail(in->e, FA_EINVAL, "%s must be a text", field);
            return fa_at(in->e, field);
        }
        value[i] = fa_str_trim((fa_str){json_string_value(v), json_string_length(v)});
    }
    return FA_OK;
}

static fa_rc push_one(fa_incoming *in, const json_t *p, size_t at, fa_str metric)
{
    fa_str value[FA_TELEMETRY_FIELDS_MAX], amount, day;
    const json_t *date = json_object_get(p, "date");
    char field[64];
    int32_t d;

    for (size_t i = 0; i < FA_COUNT(value); i++)
        value[i] = (fa_str){"", 0};
    snprintf(field, sizeof field, "points[%zu]", at);
    if (!json_is_object(p)) {
        (void)fa_fail(in->e, FA_EINVAL, "%s must be an object", field);
        return fa_at(in->e, field);
    }
    if (take_fields(in, json_object_get(p, "fields"), field, value))
        return in->e->rc;
    snprintf(field, sizeof field, "points[%zu].date", at);
    day = (fa_str){json_string_value(date), json_string_length(date)};
    if (!json_is_string(date) || !fa_day_parse(day, &d)) {
        (void)fa_fail(in->e, FA_EINVAL, "%s must be a date as 2026-11-30", field);
        return fa_at(in->e, field);
    }
    snprintf(field, sizeof field, "points[%zu].value", at);
    if (!json_object_get(p, "value")) {
        (void)fa_fail(in->e, FA_EINVAL, "%s is missing", field);
        return fa_at(in->e, field);
    }
    if (amount_json(in->a, json_object_get(p, "value"), field, &amount, in->e))
        return in->e->rc;
    if (json_is_null(json_object_get(p, "value"))) {
        if (fa_incoming_add(in, 0, metric, d, value, FA_STR("0")))
            return in->e->rc;
        in->point[in->n - 1].amount = amount;
    } else if (fa_incoming_add(in, 0, metric, d, value, amount)) {
        return in->e->rc;
    }
    if (in->out->nreject) { /* a program can mend what it sends: all or nothing */
        (void)fa_fail(in->e, FA_EDATA, "%s", in->out->reject[0].p + strlen("line 0: "));
        return fa_at(in->e, field);
    }
    return FA_OK;
}

static fa_rc metric_of(const fa_telemetry *t, const json_t *body, fa_str *out, fa_err *e)
{
    const json_t *v = json_object_get(body, "metric");

    *out = t->metric[0];
    if (!v || json_is_null(v)) {
        if (t->nmetric == 1)
            return FA_OK;
        (void)fa_fail(e, FA_EINVAL, "metric is missing: the telemetry has %zu", t->nmetric);
        return fa_at(e, "metric");
    }
    for (size_t i = 0; i < t->nmetric; i++)
        if (json_is_string(v) && fa_str_eqz(t->metric[i], json_string_value(v))) {
            *out = t->metric[i];
            return FA_OK;
        }
    (void)fa_fail(e, FA_EINVAL, "the telemetry has no such metric");
    return fa_at(e, "metric");
}

fa_rc fa_telemetry_push(fa_ledger *l, fa_arena *a, fa_str id, const json_t *body, fa_intake *out,
                        fa_err *e)
{
    const json_t *points = json_object_get(body, "points");
    fa_telemetry t;
    fa_err scratch = {0};
    fa_incoming in = {.l = l, .a = a, .t = &t, .out = out, .e = e ? e : &scratch};
    fa_str metric;

    *out = (fa_intake){.file = FA_STR("push"), .first = INT32_MIN, .last = INT32_MIN};
    if (begin(l, a, id, &t, in.e) || check_type(&t, "push", "push", in.e))
        return in.e->rc;
    if (!json_is_array(points) || json_array_size(points) > PUSH_MAX) {
        (void)fa_fail(in.e, FA_EINVAL, "points must be an array of up to %d", PUSH_MAX);
        return fa_at(in.e, "points");
    }
    if (metric_of(&t, body, &metric, in.e))
        return in.e->rc;
    for (size_t i = 0; i < json_array_size(points); i++) {
        out->rows++;
        if (push_one(&in, json_array_get(points, i), i, metric))
            return in.e->rc;
    }
    return fa_incoming_write(&in, out->file, FA_STR(""), INT32_MIN, INT32_MAX, true);
}

/* ---- the drop folder ---- */

typedef struct dropped {
    fa_ledger *l;
    fa_arena *a;
    fa_str id;
    fa_str *name; /* below the folder, "2026/11/30.csv" */
    size_t n, cap;
    int64_t since_ms;
    fa_err *e;
} dropped;

static fa_rc add_name(dropped *d, const char *prefix, const char *name)
{
    if (d->n == DROP_FILES_MAX)
        return fa_fail(d->e, FA_EDATA, "the drop folder has more than %d files", DROP_FILES_MAX);
    if (d->n == d->cap) {
        size_t cap = d->cap ? d->cap * 2 : 64;
        fa_str *more = fa_arena_array(d->a, cap, sizeof *more);

        if (!more)
            return fa_oom(d->e);
        if (d->n)
            memcpy(more, d->name, d->n * sizeof *more);
        d->name = more;
        d->cap = cap;
    }
    d->name[d->n] = fa_str_of(fa_arena_printf(d->a, "%s%s", prefix, name));
    return d->name[d->n++].p ? FA_OK : fa_oom(d->e);
}

/* The time of the last change of anything, a rename included. */
static bool is_new(const struct stat *st, int64_t since_ms)
{
    return (int64_t)st->st_ctim.tv_sec * 1000 + st->st_ctim.tv_nsec / 1000000 >= since_ms;
}

/* Follows no links: the folder may be somebody else's to write. */
static fa_rc walk(dropped *d, int fd, const char *prefix, int depth)
{
    DIR *dir = fdopendir(fd);
    struct dirent *entry;
    fa_rc rc = FA_OK;

    if (!dir) {
        close(fd);
        return fa_fail(d->e, FA_EENV, "could not read the drop folder: %s", strerrordesc_np(errno));
    }
    while (!rc && (entry = readdir(dir))) {
        fa_str name = fa_str_of(entry->d_name);
        struct stat st;
        char *below;
        int sub;

        if (entry->d_name[0] == '.' || !fa_utf8_valid(name) ||
            fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        if (S_ISREG(st.st_mode) && name.n > 4 && is_new(&st, d->since_ms) &&
            fa_str_ieq((fa_str){name.p + name.n - 4, 4}, FA_STR(".csv"))) {
            rc = add_name(d, prefix, entry->d_name);
        } else if (S_ISDIR(st.st_mode) && depth < DROP_DEPTH) {
            below = fa_arena_printf(d->a, "%s%s/", prefix, entry->d_name);
            sub =
                openat(dirfd(dir), entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
            rc = !below ? fa_oom(d->e) : sub < 0 ? FA_OK : walk(d, sub, below, depth + 1);
            if (!below && sub >= 0)
                close(sub);
        }
    }
    closedir(dir);
    return rc;
}

static int by_name(const void *x, const void *y)
{
    return fa_str_cmp(*(const fa_str *)x, *(const fa_str *)y);
}

static fa_rc take_file(dropped *d, const char *folder, fa_str name, fa_intake *out)
{
    char path[4096];
    fa_buf text;
    fa_rc rc;

    fa_buf_init(&text, FILE_MAX);
    snprintf(path, sizeof path, "%s/%.*s", folder, FA_FMT(name));
    *out = (fa_intake){.file = name, .first = INT32_MIN, .last = INT32_MIN};
    rc = fa_file_read(path, FILE_MAX, &text, d->e);
    if (!rc)
        rc = fa_telemetry_csv(d->l, d->a, d->id, name, fa_buf_view(&text), out, d->e);
    fa_buf_release(&text);
    if (rc == FA_EDATA || rc == FA_ENOTFOUND ||
        rc == FA_ETOOBIG) { /* one bad file stops no other */
        out->nreject = 0;
        out->rejected = out->rows;
        out->reject[out->nreject++] = fa_arena_dup(d->a, fa_str_of(d->e->msg));
        *d->e = (fa_err){0};
        rc = FA_OK;
    }
    return rc;
}

/* The first thing that went wrong stays with the telemetry until a look finds all well. */
static fa_rc keep_error(dropped *d, const fa_intake *v, size_t n)
{
    char text[400] = "";

    for (size_t i = 0; i < n && !text[0]; i++)
        if (v[i].nreject)
            snprintf(text, sizeof text, "%.*s: %.*s", FA_FMT(v[i].file), FA_FMT(v[i].reject[0]));
    return fa_telemetry_failed(fa_ledger_store(d->l), fa_ledger_account(d->l), d->id,
                               fa_str_of(text), d->e);
}

fa_rc fa_telemetry_drop(fa_ledger *l, fa_arena *a, fa_str id, int64_t since_ms, fa_intake **out,
                        size_t *n, fa_err *e)
{
    dropped d = {.l = l, .a = a, .id = id, .since_ms = since_ms, .e = e};
    fa_telemetry t;
    char folder[4096];
    int fd;

    *n = 0;
    if (begin(l, a, id, &t, e) || check_type(&t, "csv", "csv", e))
        return e->rc;
    snprintf(folder, sizeof folder, "%s/drop/telemetry/%.*s", fa_ledger_dir(l), FA_FMT(id));
    if (fa_mkdirs(folder, 0700, e))
        return e->rc;
    fd = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return fa_fail(e, FA_EENV, "could not open \"%s\": %s", folder, strerrordesc_np(errno));
    if (walk(&d, fd, "", 0))
        return e->rc;
    *out = fa_arena_array(a, d.n + 1, sizeof **out);
    if (!*out)
        return fa_oom(e);
    if (d.n)
        qsort(d.name, d.n, sizeof *d.name, by_name);
    for (; *n < d.n; ++*n)
        if (take_file(&d, folder, d.name[*n], &(*out)[*n]))
            return e->rc;
    return d.n ? keep_error(&d, *out, *n) : FA_OK;
}

/* ---- JSON out ---- */

static void put_texts(fa_jw *w, const char *key, const fa_str *list, size_t n)
{
    fa_jw_key(w, key);
    fa_jw_arr(w);
    for (size_t i = 0; i < n; i++)
        fa_jw_str(w, list[i]);
    fa_jw_end_arr(w);
}

static void put_number(fa_jw *w, const char *key, int64_t v)
{
    fa_jw_key(w, key);
    fa_jw_int(w, v);
}

static void put_day(fa_jw *w, const char *key, int32_t day)
{
    fa_buf b;

    fa_buf_init(&b, 32);
    fa_jw_key(w, key);
    if (day == INT32_MIN) {
        fa_jw_null(w);
    } else {
        fa_day_emit(&b, day);
        fa_jw_str(w, fa_buf_view(&b));
    }
    fa_buf_release(&b);
}

void fa_intake_json(fa_jw *w, const fa_intake *v)
{
    fa_jw_obj(w);
    fa_jw_key(w, "file");
    fa_jw_str(w, v->file);
    put_number(w, "rows", v->rows);
    put_number(w, "rejected", v->rejected);
    put_number(w, "points", v->points);
    put_number(w, "days", (int64_t)v->days);
    put_number(w, "changedDays", (int64_t)v->changed);
    put_day(w, "firstDay", v->first);
    put_day(w, "lastDay", v->last);
    fa_jw_key(w, "unchanged");
    fa_jw_bool(w, v->unchanged);
    put_texts(w, "rejects", v->reject, v->nreject);
    put_texts(w, "warnings", v->warning, v->nwarning);
    fa_jw_end_obj(w);
}
