/*
 * bills.c - sources, loads, uploads and their jobs (doc/page-api.md, Bills).
 */
#include "api/internal.h"

#include <string.h>

enum { LOADS_MAX = 200, EVERY_LOAD = 100000, SOURCE_BYTES = 200 };

/* ---- sources ---- */

typedef struct source_facts {
    int64_t loads, last_ms, rows;
    int32_t first, last;
} source_facts;

/* First and last day of a load, from the control totals of its ledger step. */
static fa_rc load_days(fa_req *r, int64_t load_id, source_facts *f, fa_err *e)
{
    fa_total *t;
    size_t n;
    fa_rc rc =
        fa_total_list(fa_ledger_store(r->ledger), r->mem, r->caller->account, load_id, &t, &n, e);

    for (size_t i = 0; !rc && i < n; i++) {
        if (!fa_str_eqz(t[i].step, "ledger") || t[i].column.n)
            continue;
        if (f->first == INT32_MIN || t[i].day < f->first)
            f->first = t[i].day;
        if (t[i].day > f->last)
            f->last = t[i].day;
    }
    return rc;
}

static fa_rc facts_of(fa_req *r, const fa_source *s, const fa_part *part, size_t npart,
                      source_facts *f, fa_err *e)
{
    fa_load *load;
    size_t n;
    int64_t seen = 0;
    fa_rc rc = fa_load_list(fa_ledger_store(r->ledger), r->mem, r->caller->account, s->id,
                            EVERY_LOAD, &load, &n, e);

    *f = (source_facts){.last_ms = -1, .first = INT32_MIN, .last = INT32_MIN};
    if (rc)
        return rc;
    f->loads = (int64_t)n;
    for (size_t i = 0; i < n; i++)
        if (load[i].finished_ms > f->last_ms)
            f->last_ms = load[i].finished_ms;
    for (size_t i = 0; !rc && i < npart; i++) {
        if (part[i].source_id != s->id)
            continue;
        f->rows += part[i].rows;
        if (part[i].load_id != seen) {
            seen = part[i].load_id;
            rc = load_days(r, seen, f, e);
        }
    }
    return rc;
}

fa_rc api_sources(fa_req *r, fa_res *o, fa_err *e)
{
    fa_store *st = fa_ledger_store(r->ledger);
    fa_source *source;
    fa_part *part;
    size_t n, npart;
    source_facts f;
    fa_jw w;
    fa_rc rc;

    if ((rc = fa_source_list(st, r->mem, r->caller->account, &source, &n, e)) ||
        (rc = fa_part_live(st, r->mem, r->caller->account, &part, &npart, e)))
        return rc;
    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    fa_jw_key(&w, "sources");
    fa_jw_arr(&w);
    for (size_t i = 0; i < n; i++) {
        if ((rc = facts_of(r, &source[i], part, npart, &f, e)))
            return rc;
        fa_jw_obj(&w);
        put_int(&w, "id", source[i].id);
        put_str(&w, "name", source[i].name);
        put_time(&w, "createdAt", source[i].created_ms);
        put_int(&w, "loads", f.loads);
        put_time(&w, "lastLoadAt", f.last_ms);
        put_day(&w, "firstDay", f.first);
        put_day(&w, "lastDay", f.last);
        put_int(&w, "rows", f.rows);
        fa_jw_end_obj(&w);
    }
    fa_jw_end_arr(&w);
    fa_jw_end_obj(&w);
    return FA_OK;
}

/* ---- loads ---- */

static void put_files(fa_jw *w, fa_str text)
{
    json_t *list = json_loadb(text.p ? text.p : "", text.n, 0, NULL), *v;
    size_t i;

    fa_jw_key(w, "files");
    fa_jw_arr(w);
    json_array_foreach(list, i, v)
    {
        fa_jw_obj(w);
        put_z(w, "name", json_string_value(json_object_get(v, "name")));
        put_int(w, "bytes", json_integer_value(json_object_get(v, "bytes")));
        put_int(w, "rows", json_integer_value(json_object_get(v, "rows")));
        fa_jw_end_obj(w);
    }
    fa_jw_end_arr(w);
    json_decref(list);
}

static fa_rc put_load(fa_req *r, fa_jw *w, const fa_load *l, fa_err *e)
{
    fa_part *part;
    bool live = false;
    size_t n;
    fa_rc rc = fa_part_of_load(fa_ledger_store(r->ledger), r->mem, r->caller->account, l->id, &part,
                               &n, e);

    if (rc)
        return rc;
    fa_jw_obj(w);
    put_int(w, "id", l->id);
    put_str(w, "source", l->source);
    put_str(w, "format", l->format);
    put_str(w, "state", l->state);
    if (l->error.n)
        put_str(w, "error", l->error);
    else
        put_z(w, "error", NULL);
    put_files(w, l->files);
    put_int(w, "rows", l->rows);
    put_int(w, "rejected", l->rejected);
    put_time(w, "startedAt", l->started_ms);
    put_time(w, "finishedAt", l->finished_ms);
    fa_jw_key(w, "periods");
    fa_jw_arr(w);
    for (size_t i = 0; i < n; i++) {
        fa_buf b = {0};

        fa_day_emit(&b, part[i].period);
        fa_jw_str(w, (fa_str){b.p, b.n >= 7 ? 7 : 0});
        fa_buf_release(&b);
        live = live || part[i].live;
    }
    fa_jw_end_arr(w);
    put_bool(w, "live", live);
    put_bool(w, "hasRejects", l->rejected > 0);
    fa_jw_end_obj(w);
    return FA_OK;
}

/* `source` names a source or gives its id; 0: all. */
static fa_rc source_of(fa_req *r, int64_t *id, fa_err *e)
{
    fa_str given = fa_req_query(r, "source");
    fa_source *s;
    size_t n;
    fa_rc rc;

    *id = 0;
    if (!given.n)
        return FA_OK;
    if ((rc = fa_source_list(fa_ledger_store(r->ledger), r->mem, r->caller->account, &s, &n, e)))
        return rc;
    for (size_t i = 0; i < n; i++) {
        char text[24];

        snprintf(text, sizeof text, "%lld", (long long)s[i].id);
        if (fa_str_ieq(given, s[i].name) || fa_str_eqz(given, text))
            *id = s[i].id;
    }
    return *id ? FA_OK : fa_fail(e, FA_ENOTFOUND, "no source \"%.*s\"", FA_FMT(given));
}

fa_rc api_loads(fa_req *r, fa_res *o, fa_err *e)
{
    fa_load *load;
    int64_t source;
    size_t n;
    fa_jw w;
    fa_rc rc;

    if ((rc = source_of(r, &source, e)) ||
        (rc = fa_load_list(fa_ledger_store(r->ledger), r->mem, r->caller->account, source,
                           LOADS_MAX, &load, &n, e)))
        return rc;
    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    fa_jw_key(&w, "loads");
    fa_jw_arr(&w);
    for (size_t i = 0; !rc && i < n; i++)
        rc = put_load(r, &w, &load[i], e);
    fa_jw_end_arr(&w);
    fa_jw_end_obj(&w);
    return rc;
}

static fa_rc load_id(const fa_req *r, int64_t *id, fa_err *e)
{
    fa_str s = r->arg[0];

    *id = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9' || s.n > 18)
            return fa_fail(e, FA_ENOTFOUND, "no load has this id");
        *id = *id * 10 + (s.p[i] - '0');
    }
    return FA_OK;
}

static fa_rc load_result(fa_req *r, fa_load_result *out, fa_err *e)
{
    int64_t id;
    fa_rc rc = load_id(r, &id, e);

    if (!rc)
        rc = fa_ledger_load_result(r->ledger, r->mem, id, out, e);
    return rc == FA_ENOTFOUND ? fa_fail(e, rc, "no load has this id") : rc;
}

fa_rc api_load(fa_req *r, fa_res *o, fa_err *e)
{
    fa_load_result result;
    fa_jw w;
    fa_rc rc = load_result(r, &result, e);

    if (rc)
        return rc;
    result.reject_file = result.reject_file.n ? FA_STR("rejects.csv") : (fa_str){0};
    fa_jw_init(&w, &o->body);
    fa_load_result_json(&w, &result, true);
    return FA_OK;
}

fa_rc api_rejects(fa_req *r, fa_res *o, fa_err *e)
{
    fa_load_result result;
    char name[64];
    fa_rc rc = load_result(r, &result, e);

    if (rc)
        return rc;
    if (!result.reject_file.n)
        return fa_fail(e, FA_ENOTFOUND, "this load skipped no rows");
    o->file = fa_arena_dupz(r->mem, result.reject_file);
    if (!o->file)
        return fa_oom(e);
    snprintf(name, sizeof name, "rejects-%lld.csv", (long long)result.load.id);
    return out_attachment(r, o, "text/csv; charset=utf-8", name, e);
}

/* ---- jobs ---- */

static void accepted(fa_res *o, const char *id)
{
    fa_jw w;

    o->status = 202;
    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    put_z(&w, "jobId", id);
    fa_jw_end_obj(&w);
}

static fa_rc source_name(fa_str *s, fa_err *e)
{
    bool ok;

    *s = fa_str_trim(*s);
    ok = s->n && s->n <= SOURCE_BYTES && fa_utf8_valid(*s);
    for (size_t i = 0; i < s->n; i++)
        ok = ok && (unsigned char)s->p[i] >= ' ' && s->p[i] != 0x7f;
    if (ok)
        return FA_OK;
    fa_fail(e, FA_EINVAL, "a source's name must have 1 to %d bytes of text", SOURCE_BYTES);
    return fa_at(e, "source");
}

fa_rc api_upload(fa_req *r, fa_res *o, fa_err *e)
{
    fa_str source = fa_req_query(r, "source"), name = fa_req_query(r, "name");
    const char *slash = strrchr(r->body_file, '/');
    char id[37];
    fa_rc rc;

    if ((rc = source_name(&source, e)))
        return rc;
    if (!name.n || name.n > 255) {
        fa_fail(e, FA_EINVAL, "a file's name must have 1 to 255 bytes");
        return fa_at(e, "name");
    }
    rc = fa_job_load(app_of(r)->jobs, source, fa_str_of(slash ? slash + 1 : r->body_file),
                     r->body_file, r->caller->email, id, e);
    r->body_file = NULL; /* the job owns it now, and removed it when it failed */
    if (!rc)
        accepted(o, id);
    return rc;
}

fa_rc api_reload(fa_req *r, fa_res *o, fa_err *e)
{
    char job[37];
    int64_t id;
    fa_rc rc = load_id(r, &id, e);

    if (!rc)
        rc = fa_job_relive(app_of(r)->jobs, id, r->caller->email, job, e);
    if (rc == FA_ENOTFOUND)
        return fa_fail(e, rc, "no load has this id");
    if (!rc)
        accepted(o, job);
    return rc;
}

fa_rc api_jobs(fa_req *r, fa_res *o, fa_err *e)
{
    fa_jw w;

    (void)e;
    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    fa_jw_key(&w, "jobs");
    fa_jobs_json(app_of(r)->jobs, &w);
    fa_jw_end_obj(&w);
    return FA_OK;
}

fa_rc api_job_cancel(fa_req *r, fa_res *o, fa_err *e)
{
    o->status = 204;
    return fa_job_cancel(app_of(r)->jobs, r->arg[0], e);
}

fa_rc api_events(fa_req *r, fa_res *o, fa_err *e)
{
    return fa_stream_open(r, o, fa_str_of(app_of(r)->topic), e);
}
