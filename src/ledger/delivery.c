/*
 * delivery.c - deliveries with a manifest: which files they are made of, whether all are there, and which
 * of several is the newest.
 *
 * Read are AWS legacy reports (…-Manifest.json with reportKeys), CUR 2.0 and FOCUS exports of Data Exports
 * (…-Manifest.json with dataFiles) and Azure exports (manifest.json with blobs). The manifest's list is the
 * delivery: what else lies in the folder is never looked at. A file that is not there, or not of its size,
 * makes it a partial delivery, which is held back.
 */
#include "ledger/inner.h"

#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define DEPTH_MAX 12
#define MANIFESTS_MAX 5000
#define FILES_MAX 10000
#define MANIFEST_BYTES (16 << 20)

/* ---- finding manifests ---- */

typedef struct path_list {
    fa_arena *a;
    char **path;
    size_t n;
} path_list;

static bool is_manifest(const char *name)
{
    size_t n = strlen(name), m = strlen("manifest.json");

    return n >= m && strcasecmp(name + n - m, "manifest.json") == 0;
}

static fa_rc walk(path_list *l, const char *dir, int depth, fa_err *e)
{
    DIR *d = opendir(dir);
    struct dirent *entry;
    fa_rc rc = FA_OK;

    if (!d)
        return fa_fail(e, FA_EENV, "could not open \"%s\": %s", dir, strerror(errno));
    while (!rc && (entry = readdir(d)) != NULL) {
        char *full;
        struct stat st;

        if (entry->d_name[0] == '.')
            continue;
        if (!(full = fa_arena_printf(l->a, "%s/%s", dir, entry->d_name))) {
            rc = fa_oom(e);
            break;
        }
        if (lstat(full, &st) != 0) /* gone meanwhile; a link may lead in a circle */
            continue;
        if (S_ISDIR(st.st_mode) && depth < DEPTH_MAX)
            rc = walk(l, full, depth + 1, e);
        else if (S_ISREG(st.st_mode) && is_manifest(entry->d_name)) {
            if (l->n == MANIFESTS_MAX)
                rc = fa_fail(e, FA_EINVAL, "over %d manifests below \"%s\"", MANIFESTS_MAX, dir);
            else
                l->path[l->n++] = full;
        }
    }
    closedir(d);
    return rc;
}

/* ---- times and periods ---- */

static int digits(const char *p, int n)
{
    int v = 0;

    for (int i = 0; i < n; i++) {
        if (p[i] < '0' || p[i] > '9')
            return -1;
        v = v * 10 + (p[i] - '0');
    }
    return v;
}

/* A time inside a text, in any of the ways folders and manifests write it: 2026-09-10T03-00-00Z,
 * 2026-10-01T03:00:00, 20231205T092514Z, 202301041442, 20261001-0300. -1: none. */
static int64_t find_time(const char *s)
{
    for (const char *p = s; p && *p; p++) {
        int part[6] = {0}, k = 0;
        const char *q = p;

        if (p > s && p[-1] >= '0' && p[-1] <= '9')
            continue;
        for (; k < 6; k++) {
            int n = k == 0 ? 4 : 2, v = digits(q, n);

            if (v < 0)
                break;
            part[k] = v;
            q += n;
            if (*q == '-' || *q == ':' || *q == 'T' || *q == ' ')
                q++;
        }
        if (k >= 3 && part[0] >= 2000 && part[0] < 2100 && part[1] >= 1 && part[1] <= 12 &&
            part[2] >= 1 && part[2] <= 31 && part[3] < 24 && part[4] < 60 && part[5] < 61)
            return ((int64_t)fa_day_of(part[0], part[1], part[2]) * 86400 + part[3] * 3600 +
                    part[4] * 60 + part[5]) *
                   1000;
    }
    return -1;
}

static int32_t month_of(int64_t ms)
{
    int32_t day = (int32_t)(ms / 86400000);
    fa_buf b;
    fa_str month;

    if (ms < 0)
        return INT32_MIN;
    fa_buf_init(&b, 64);
    fa_day_emit(&b, day);
    month = fa_buf_view(&b);
    day -= (int32_t)((month.p[8] - '0') * 10 + (month.p[9] - '0') - 1);
    fa_buf_release(&b);
    return day;
}

static const char *text_at(json_t *root, const char *a, const char *b)
{
    json_t *v = json_object_get(root, a);

    return json_string_value(b ? json_object_get(v, b) : v);
}

/* "BILLING_PERIOD=2026-09" of a path. */
static int64_t period_in(const char *path)
{
    const char *p = path ? strstr(path, "BILLING_PERIOD=") : NULL;
    char day[32];

    if (!p)
        return -1;
    snprintf(day, sizeof day, "%.7s-01", p + 15);
    return find_time(day);
}

/* ---- where a listed file is ---- */

static bool climbs(const char *key)
{
    return strstr(key, "../") || strcmp(key, "..") == 0;
}

/* A key is a path in a bucket; the manifest lies in a copy of some of it. The longest end of the key that
 * is there below one of the manifest's folders is the file. NULL: it is not there. */
static char *locate(fa_arena *a, const char *manifest, const char *key)
{
    char *dir = fa_arena_dupz(a, fa_str_of(manifest));

    if (strncmp(key, "s3://", 5) == 0)
        key = strchr(key + 5, '/') ? strchr(key + 5, '/') + 1 : key;
    else if (strstr(key, "://") && strchr(strstr(key, "://") + 3, '/'))
        key = strchr(strstr(key, "://") + 3, '/') + 1;
    if (!dir || climbs(key))
        return NULL;
    for (int up = 0; up < DEPTH_MAX; up++) {
        char *slash = strrchr(dir, '/');

        if (!slash || slash == dir)
            return NULL;
        *slash = '\0';
        for (const char *end = key; end; end = strchr(end, '/') ? strchr(end, '/') + 1 : NULL) {
            char *path = fa_arena_printf(a, "%s/%s", dir, end);
            struct stat st;

            if (path && *end && stat(path, &st) == 0 && S_ISREG(st.st_mode))
                return path;
        }
    }
    return NULL;
}

static fa_rc add_file(fa_arena *a, fa_manifest *d, const char *key, int64_t bytes, int64_t rows,
                      fa_err *e)
{
    char *path;
    struct stat st;

    if (!key || !*key)
        return fa_fail(e, FA_EDATA, "%s: a listed file has no name", d->manifest);
    if (d->n == FILES_MAX)
        return fa_fail(e, FA_EDATA, "%s: over %d files", d->manifest, FILES_MAX);
    path = locate(a, d->manifest, key);
    if (!path && !d->lacks)
        d->lacks = fa_arena_printf(a, "the file \"%s\" of the manifest is not there", key);
    if (path && bytes >= 0 && stat(path, &st) == 0 && st.st_size != bytes && !d->lacks)
        d->lacks = fa_arena_printf(a, "the file \"%s\" has %lld bytes, the manifest says %lld", key,
                                   (long long)st.st_size, (long long)bytes);
    d->path[d->n] = path;
    d->rows[d->n++] = rows;
    return FA_OK;
}

/* ---- the three kinds ---- */

static fa_rc read_aws_legacy(fa_arena *a, fa_manifest *d, json_t *root, fa_err *e)
{
    json_t *keys = json_object_get(root, "reportKeys"), *key;
    const char *assembly = text_at(root, "assemblyId", NULL);
    size_t i;

    d->export_name = text_at(root, "reportName", NULL);
    d->period = month_of(find_time(text_at(root, "billingPeriod", "start")));
    d->made_ms = find_time(assembly);
    json_array_foreach(keys, i,
                       key) if (add_file(a, d, json_string_value(key), -1, -1, e)) return e->rc;
    return FA_OK;
}

static fa_rc read_aws_export(fa_arena *a, fa_manifest *d, json_t *root, fa_err *e)
{
    json_t *files = json_object_get(root, "dataFiles"), *v;
    const char *arn = text_at(root, "exportArn", NULL),
               *start = text_at(root, "timePeriod", "start");
    size_t i;

    d->export_name = arn && strrchr(arn, '/') ? strrchr(arn, '/') + 1 : arn;
    d->period = month_of(start ? find_time(start) : period_in(d->manifest));
    d->made_ms = find_time(text_at(root, "executionId", NULL));
    json_array_foreach(files, i, v)
    {
        const char *key = json_is_object(v) ? text_at(v, "key", NULL) : json_string_value(v);

        if (json_is_object(v) && !key)
            key = text_at(v, "location", NULL);
        if (add_file(a, d, key, -1, -1, e))
            return e->rc;
    }
    return FA_OK;
}

static int64_t number_or(json_t *v, int64_t absent)
{
    return json_is_integer(v) ? (int64_t)json_integer_value(v) : absent;
}

static fa_rc read_azure(fa_arena *a, fa_manifest *d, json_t *root, fa_err *e)
{
    json_t *blobs = json_object_get(root, "blobs"), *v;
    const char *type = text_at(root, "exportConfig", "type");
    int64_t count = number_or(json_object_get(root, "blobCount"), -1);
    size_t i;

    d->export_name = text_at(root, "exportConfig", "exportName");
    d->period = month_of(find_time(text_at(root, "runInfo", "startDate")));
    d->made_ms = find_time(text_at(root, "runInfo", "submittedTime"));
    if (type && strcasecmp(type, "ActualCost") == 0)
        d->view = "actual";
    else if (type && strcasecmp(type, "AmortizedCost") == 0)
        d->view = "amortized";
    else if (type && strcasecmp(type, "FocusCost") != 0 && strcasecmp(type, "Usage") != 0)
        return fa_fail(e, FA_EDATA, "%s: an export of %s is no bill", d->manifest, type);
    json_array_foreach(blobs, i, v) if (add_file(a, d, text_at(v, "blobName", NULL),
                                                 number_or(json_object_get(v, "byteCount"), -1),
                                                 number_or(json_object_get(v, "dataRowCount"), -1),
                                                 e)) return e->rc;
    if (count >= 0 && (size_t)count != d->n && !d->lacks)
        d->lacks = fa_arena_printf(a, "the manifest counts %lld files and lists %zu",
                                   (long long)count, d->n);
    return FA_OK;
}

static const struct {
    const char *list;
    fa_rc (*read)(fa_arena *a, fa_manifest *d, json_t *root, fa_err *e);
} kinds[] = {
    {"reportKeys", read_aws_legacy}, {"dataFiles", read_aws_export}, {"blobs", read_azure}};

/* false: no manifest of a kind that is known. */
static fa_rc read_manifest(fa_arena *a, const char *path, fa_manifest *d, bool *known, fa_err *e)
{
    fa_buf b;
    json_t *root = NULL;
    json_error_t why;
    struct stat st;
    fa_rc rc;

    *known = false;
    *d = (fa_manifest){.manifest = path, .period = INT32_MIN, .made_ms = -1};
    fa_buf_init(&b, MANIFEST_BYTES);
    if ((rc = fa_file_read(path, MANIFEST_BYTES, &b, e)))
        goto done;
    if (!(root = json_loadb(b.p ? b.p : "", b.n, 0, &why))) {
        rc = fa_fail(e, FA_EDATA, "%s: not JSON: line %d: %s", path, why.line, why.text);
        (void)fa_hint(e, "the manifest is written last: the delivery may not be complete yet");
        goto done;
    }
    for (size_t i = 0; i < FA_COUNT(kinds) && !*known; i++)
        if (json_is_array(json_object_get(root, kinds[i].list))) {
            size_t n = json_array_size(json_object_get(root, kinds[i].list));

            *known = true;
            d->path = fa_arena_array(a, n + 1, sizeof *d->path);
            d->rows = fa_arena_array(a, n + 1, sizeof *d->rows);
            rc = d->path && d->rows ? kinds[i].read(a, d, root, e) : fa_oom(e);
        }
    if (rc || !*known)
        goto done;
    if (d->n == 0)
        d->lacks = "the manifest lists no file";
    if (d->made_ms < 0 && stat(path, &st) == 0) /* no time of its own: when it was written here */
        d->made_ms = (int64_t)st.st_mtim.tv_sec * 1000;
    d->export_name = fa_arena_dupz(a, fa_str_of(d->export_name ? d->export_name : ""));
    if (!d->export_name)
        rc = fa_oom(e);
done:
    json_decref(root);
    fa_buf_release(&b);
    return rc;
}

static int cmp_delivery(const void *x, const void *y)
{
    const fa_manifest *a = x, *b = y;
    int c = strcmp(a->export_name, b->export_name);

    if (!c)
        c = (a->period > b->period) - (a->period < b->period);
    if (!c)
        c = (a->made_ms < b->made_ms) - (a->made_ms > b->made_ms); /* the newest first */
    return c ? c : strcmp(a->manifest, b->manifest);
}

fa_rc fa_manifests_find(fa_arena *a, const char *path, fa_manifest **out, size_t *n, fa_err *e)
{
    path_list l = {.a = a, .path = fa_arena_array(a, MANIFESTS_MAX + 1, sizeof *l.path)};
    struct stat st;
    size_t kept = 0;

    *n = 0;
    *out = NULL;
    if (!l.path)
        return fa_oom(e);
    if (stat(path, &st) != 0)
        return fa_fail(e, errno == ENOENT ? FA_ENOTFOUND : FA_EENV, "could not open \"%s\": %s",
                       path, strerror(errno));
    if (S_ISDIR(st.st_mode)) {
        if (walk(&l, path, 0, e))
            return e->rc;
    } else if (is_manifest(path)) {
        l.path[l.n++] = fa_arena_dupz(a, fa_str_of(path));
    }
    if (!(*out = fa_arena_array(a, l.n + 1, sizeof **out)))
        return fa_oom(e);
    for (size_t i = 0; i < l.n; i++) {
        bool known;

        if (!l.path[i])
            return fa_oom(e);
        if (read_manifest(a, l.path[i], &(*out)[*n], &known, e))
            return e->rc;
        *n += known;
    }
    qsort(*out, *n, sizeof **out, cmp_delivery);
    for (size_t i = 0; i < *n; i++) /* of one export and month the newest is the whole truth */
        if (kept == 0 || strcmp((*out)[kept - 1].export_name, (*out)[i].export_name) != 0 ||
            (*out)[kept - 1].period != (*out)[i].period)
            (*out)[kept++] = (*out)[i];
    *n = kept;
    return FA_OK;
}
