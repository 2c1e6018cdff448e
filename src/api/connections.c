/*
 * connections.c - where bills are fetched from: form, test, create, change,
 * run, history (doc/page-api.md).
 *
 * A secret that comes with a connection goes into the vault in the same
 * transaction; nothing gives it back.
 */
#include "api/internal.h"

#include "connect/connect.h"
#include "vault/vault.h"

#include <string.h>

enum { RUNS_MAX = 100, DELIVERIES_MAX = 200, NAME_BYTES = 200 };
#define DEFAULT_SCHEDULE "15 */6 * * *"

/* ---- out ---- */

static void put_choices(fa_jw *w, const char *choices)
{
    fa_jw_key(w, "choices");
    fa_jw_arr(w);
    while (choices && *choices) {
        size_t n = strcspn(choices, "|");

        fa_jw_str(w, (fa_str){choices, n});
        choices += n + (choices[n] == '|');
    }
    fa_jw_end_arr(w);
}

static void put_kinds(fa_jw *w)
{
    const fa_connect_kind *k;

    fa_jw_key(w, "kinds");
    fa_jw_arr(w);
    for (size_t i = 0; (k = fa_connect_kind_at(i)); i++) {
        fa_jw_obj(w);
        put_z(w, "name", k->name);
        put_z(w, "label", k->label);
        put_z(w, "costCenter", k->center);
        fa_jw_key(w, "credentials");
        fa_jw_arr(w);
        for (const char *p = k->credentials; p && *p;) {
            size_t n = strcspn(p, "|");

            fa_jw_str(w, (fa_str){p, n});
            p += n + (p[n] == '|');
        }
        fa_jw_end_arr(w);
        put_bool(w, "credentialRequired", k->credential_required);
        fa_jw_key(w, "fields");
        fa_jw_arr(w);
        for (size_t f = 0; f < FA_COUNT(k->field) && k->field[f].name; f++) {
            fa_jw_obj(w);
            put_z(w, "name", k->field[f].name);
            put_z(w, "label", k->field[f].label);
            put_z(w, "hint", k->field[f].hint);
            put_bool(w, "required", k->field[f].required);
            put_choices(w, k->field[f].choices);
            fa_jw_end_obj(w);
        }
        fa_jw_end_arr(w);
        fa_jw_end_obj(w);
    }
    fa_jw_end_arr(w);
}

static void put_connection(fa_jw *w, const fa_connection *c)
{
    fa_jw_obj(w);
    put_str(w, "id", c->id);
    put_str(w, "name", c->name);
    put_str(w, "source", c->source);
    put_str(w, "kind", c->kind);
    fa_jw_key(w, "config");
    fa_jw_raw(w, c->config);
    if (c->credential_id.n)
        put_str(w, "credentialId", c->credential_id);
    else
        put_z(w, "credentialId", NULL);
    put_str(w, "schedule", c->schedule);
    put_bool(w, "paused", c->paused);
    put_str(w, "state", c->state);
    put_str(w, "message", c->error);
    put_int(w, "failures", c->failures);
    put_str(w, "createdBy", c->created_by);
    put_time(w, "createdAt", c->created_ms);
    put_time(w, "lastRunAt", c->last_run_ms);
    put_time(w, "lastOkAt", c->last_ok_ms);
    put_time(w, "nextRunAt", c->next_run_ms);
    fa_jw_end_obj(w);
}

fa_rc api_connections_get(fa_req *r, fa_res *o, fa_err *e)
{
    fa_connection *c;
    fa_str external;
    size_t n;
    fa_jw w;
    fa_rc rc;

    if ((rc = fa_connection_list(fa_ledger_store(r->ledger), r->mem, r->caller->account, &c, &n,
                                 e)) ||
        (rc = fa_connect_external_id(r->ledger, r->mem, &external, e)))
        return rc;
    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    put_bool(&w, "vaultReady", fa_vault_ready());
    put_str(&w, "externalId", external);
    put_bool(&w, "foldersAllowed", app_of(r)->folders && app_of(r)->folders[0]);
    put_kinds(&w);
    fa_jw_key(&w, "connections");
    fa_jw_arr(&w);
    for (size_t i = 0; i < n; i++)
        put_connection(&w, &c[i]);
    fa_jw_end_arr(&w);
    fa_jw_end_obj(&w);
    return FA_OK;
}

/* ---- in ---- */

static fa_rc in_name(const fa_req *r, const char *field, bool required, fa_str *out, fa_err *e)
{
    fa_rc rc = in_text(r->json, field, required, out, e);
    bool ok;

    if (rc || (!out->n && !required))
        return rc;
    *out = fa_str_trim(*out);
    ok = out->n && out->n <= NAME_BYTES && fa_utf8_valid(*out);
    for (size_t i = 0; i < out->n; i++)
        ok = ok && (unsigned char)out->p[i] >= ' ' && out->p[i] != 0x7f;
    if (ok)
        return FA_OK;
    fa_fail(e, FA_EINVAL, "a name has 1 to %d bytes of text", NAME_BYTES);
    return fa_at(e, field);
}

static fa_rc in_config(fa_req *r, const fa_connect_kind *k, fa_str *out, fa_err *e)
{
    fa_rc rc = in_secret(r, "config", true, out, e); /* any object of texts */

    return rc ? rc : fa_connect_config_check(k, *out, e);
}

static bool takes(const fa_connect_kind *k, fa_str credential_kind)
{
    for (const char *p = k->credentials; p && *p;) {
        size_t n = strcspn(p, "|");

        if (fa_str_eq(credential_kind, (fa_str){p, n}))
            return true;
        p += n + (p[n] == '|');
    }
    return false;
}

typedef struct secret_in {
    fa_str id;          /* of the vault; or */
    fa_str kind, value; /* a new one */
} secret_in;

static fa_rc in_credential(fa_req *r, const fa_connect_kind *k, bool required, secret_in *s,
                           fa_err *e)
{
    fa_credential c;
    fa_rc rc;

    *s = (secret_in){0};
    if ((rc = in_text(r->json, "credentialId", false, &s->id, e)) ||
        (rc = in_text(r->json, "secretKind", false, &s->kind, e)) ||
        (rc = in_secret(r, "secret", false, &s->value, e)))
        return rc;
    if (s->id.n) {
        if ((rc = fa_credential_get(fa_ledger_store(r->ledger), r->mem, r->caller->account, s->id,
                                    &c, e)))
            return rc == FA_ENOTFOUND ? (fa_fail(e, FA_EINVAL, "there is no such credential"),
                                         fa_at(e, "credentialId"))
                                      : rc;
        if (takes(k, c.kind))
            return FA_OK;
        fa_fail(e, FA_EINVAL, "a connection to %s takes no credential of the kind %.*s", k->label,
                FA_FMT(c.kind));
        return fa_at(e, "credentialId");
    }
    if (s->value.n) {
        if (!takes(k, s->kind)) {
            fa_fail(e, FA_EINVAL, "a connection to %s takes a secret of the kind %s", k->label,
                    k->credentials ? k->credentials : "none");
            return fa_at(e, "secretKind");
        }
        return fa_credential_value_check(s->kind, s->value, e);
    }
    if (!required || !k->credential_required)
        return FA_OK;
    fa_fail(e, FA_EINVAL, "a connection to %s needs a credential", k->label);
    return fa_at(e, "credentialId");
}

static fa_rc in_kind(fa_req *r, const fa_connect_kind **k, fa_err *e)
{
    fa_str kind;
    fa_rc rc = in_text(r->json, "kind", true, &kind, e);

    if (rc || (*k = fa_connect_kind_find(kind)))
        return rc;
    fa_fail(e, FA_EINVAL, "there is no kind of connection \"%.*s\"", FA_FMT(kind));
    return fa_at(e, "kind");
}

/* Two connections of one source would take each other's months away. */
static fa_rc source_is_free(fa_req *r, fa_str source, fa_str own, fa_err *e)
{
    fa_connection *c;
    size_t n;
    fa_rc rc =
        fa_connection_list(fa_ledger_store(r->ledger), r->mem, r->caller->account, &c, &n, e);

    for (size_t i = 0; !rc && i < n; i++)
        if (fa_str_ieq(c[i].source, source) && !fa_str_eq(c[i].id, own)) {
            fa_fail(e, FA_ECONFLICT, "the connection \"%.*s\" loads this source already",
                    FA_FMT(c[i].name));
            fa_hint(e, "each connection needs a source of its own: the newer bill of "
                       "a month "
                       "replaces the older of its source");
            rc = fa_at(e, "source");
        }
    return rc;
}

/* ---- test ---- */

static void put_report(fa_jw *w, const fa_connect_report *t)
{
    fa_jw_obj(w);
    put_bool(w, "ok", t->ok);
    fa_jw_key(w, "checks");
    fa_jw_arr(w);
    for (size_t i = 0; i < t->ncheck; i++) {
        fa_jw_obj(w);
        put_str(w, "what", t->check[i].what);
        put_bool(w, "ok", t->check[i].ok);
        put_str(w, "message", t->check[i].message);
        put_str(w, "hint", t->check[i].hint);
        fa_jw_end_obj(w);
    }
    fa_jw_end_arr(w);
    put_str(w, "format", t->format);
    put_int(w, "deliveries", t->deliveries);
    put_int(w, "bytes", t->bytes);
    fa_jw_key(w, "columns");
    fa_jw_arr(w);
    for (size_t i = 0; i < t->ncolumn; i++)
        fa_jw_str(w, t->column[i]);
    fa_jw_end_arr(w);
    fa_jw_key(w, "rows");
    fa_jw_arr(w);
    for (size_t i = 0; i < t->nrow; i++) {
        fa_jw_arr(w);
        for (size_t k = 0; k < t->ncolumn; k++) {
            if (t->cell[i][k].p)
                fa_jw_str(w, t->cell[i][k]);
            else
                fa_jw_null(w);
        }
        fa_jw_end_arr(w);
    }
    fa_jw_end_arr(w);
    fa_jw_end_obj(w);
}

/* With the secret of the body, of the vault, or of the saved connection `id`.
 */
static fa_rc test_call(fa_req *r, fa_connect_call *call, secret_in *s, fa_secret *held, fa_err *e)
{
    const fa_connect_kind *k;
    fa_connection c;
    fa_str id;
    fa_rc rc;

    if ((rc = in_object(r, e)) || (rc = in_kind(r, &k, e)) ||
        (rc = in_config(r, k, &call->config, e)) || (rc = in_text(r->json, "id", false, &id, e)))
        return rc;
    if ((rc = in_credential(r, k, !id.n, s, e)))
        return rc;
    call->kind = fa_str_of(k->name);
    if (id.n && !s->id.n && !s->value.n) {
        if ((rc = fa_connection_get(fa_ledger_store(r->ledger), r->mem, r->caller->account, id, &c,
                                    e)))
            return rc;
        s->id = c.credential_id;
    }
    if (s->id.n)
        rc = fa_credential_reveal(fa_ledger_store(r->ledger), r->mem, r->caller->account, s->id,
                                  "test", held, e);
    call->secret = s->id.n ? (fa_str){held->p, held->n} : s->value;
    return rc;
}

fa_rc api_connections_test(fa_req *r, fa_res *o, fa_err *e)
{
    fa_connect_call call = {
        .ledger = r->ledger, .net = app_of(r)->net, .folders = app_of(r)->folders, .quick = true};
    fa_connect_report report = {0};
    fa_secret held = {0};
    secret_in s = {0};
    fa_jw w;
    fa_rc rc = test_call(r, &call, &s, &held, e);

    if (!rc)
        rc = fa_connect_test(&call, r->mem, &report, e);
    if (!rc) {
        fa_jw_init(&w, &o->body);
        put_report(&w, &report);
    }
    fa_secret_free(&held);
    api_forget(r, "secret", s.value);
    return rc;
}

/* ---- create and change ---- */

/* A new secret becomes a credential of the vault, named as the connection. */
static fa_rc keep_secret(fa_req *r, const secret_in *s, fa_connection *c, fa_err *e)
{
    fa_credential made;
    char *name;
    fa_rc rc;

    if (s->id.n)
        c->credential_id = s->id;
    if (!s->value.n)
        return FA_OK;
    if (!(name = fa_arena_printf(r->mem, "%.*s %lld", (int)(c->name.n < 180 ? c->name.n : 180),
                                 c->name.p, (long long)(fa_now_ms() / 1000))))
        return fa_oom(e);
    rc = fa_credential_put(fa_ledger_store(r->ledger), r->mem, r->caller->account, fa_str_of(name),
                           s->kind, r->caller->email, s->value, -1, &made, e);
    if (!rc)
        c->credential_id = made.id;
    return rc;
}

/* Who did what, in the transaction of the change; a configuration holds no
 * secret. */
static fa_rc audit(fa_req *r, const char *action, const fa_connection *c, fa_str before, fa_err *e)
{
    const fa_audit v = {.action = action,
                        .object_type = "connection",
                        .object_id = c->id,
                        .object_name = c->name,
                        .before = before,
                        .after = c->config};

    return fa_audit_add(r->ledger, r->caller, &v, e);
}

static fa_rc commit(fa_req *r, fa_rc rc, fa_err *e)
{
    if (!rc)
        return fa_store_commit(fa_ledger_store(r->ledger), e);
    fa_store_rollback(fa_ledger_store(r->ledger));
    return rc;
}

static fa_rc create(fa_req *r, secret_in *s, fa_connection *c, fa_err *e)
{
    const fa_connect_kind *k;
    char id[37];
    fa_rc rc;

    if ((rc = in_object(r, e)) || (rc = in_kind(r, &k, e)) ||
        (rc = in_name(r, "name", true, &c->name, e)) ||
        (rc = in_name(r, "source", false, &c->source, e)) ||
        (rc = in_config(r, k, &c->config, e)) || (rc = in_credential(r, k, true, s, e)) ||
        (rc = in_text(r->json, "schedule", false, &c->schedule, e)))
        return rc;
    if (!json_object_get(r->json, "schedule"))
        c->schedule = FA_STR(DEFAULT_SCHEDULE);
    if (!c->source.n)
        c->source = c->name;
    if ((rc = fa_schedule_check(c->schedule, e)) ||
        (rc = source_is_free(r, c->source, FA_STR(""), e)))
        return rc;
    fa_uuid_v4(id);
    c->id = fa_arena_dup(r->mem, fa_str_of(id));
    c->kind = fa_str_of(k->name);
    c->state = FA_STR("pending");
    c->error = c->credential_id = FA_STR("");
    c->created_by = r->caller->email;
    c->created_ms = c->updated_ms = fa_now_ms();
    c->last_run_ms = c->last_ok_ms = -1;
    c->next_run_ms = fa_job_next(c->schedule, c->id, c->created_ms);
    if ((rc = fa_store_begin(fa_ledger_store(r->ledger), e)))
        return rc;
    if (!(rc = keep_secret(r, s, c, e)))
        rc = fa_connection_add(fa_ledger_store(r->ledger), r->caller->account, c, e);
    if (rc == FA_ECONFLICT)
        fa_fail(e, rc, "there is a connection of this name already"), fa_at(e, "name");
    if (!rc)
        rc = audit(r, "connection.create", c, (fa_str){0}, e);
    return commit(r, rc, e);
}

static void answer(fa_res *o, const fa_connection *c, const char *job)
{
    fa_jw w;

    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    fa_jw_key(&w, "connection");
    put_connection(&w, c);
    put_z(&w, "jobId", job);
    fa_jw_end_obj(&w);
}

fa_rc api_connections_post(fa_req *r, fa_res *o, fa_err *e)
{
    fa_connection c = {0};
    secret_in s = {0};
    char job[37] = "";
    fa_rc rc = create(r, &s, &c, e);
    bool run = !rc && json_is_true(json_object_get(r->json, "run"));

    api_forget(r, "secret", s.value);
    if (rc)
        return rc;
    fa_log(FA_LOG_INFO, "connection_created", "id=%.*s kind=%.*s by=%.*s", FA_FMT(c.id),
           FA_FMT(c.kind), FA_FMT(r->caller->email));
    if (run && (rc = fa_job_fetch(app_of(r)->jobs, c.id, r->caller->email, job, e)))
        return rc;
    o->status = 201;
    answer(o, &c, job[0] ? job : NULL);
    return FA_OK;
}

/* What the body gives takes the place of what was. */
static fa_rc change(fa_req *r, secret_in *s, fa_connection *c, fa_err *e)
{
    const fa_connect_kind *k;
    fa_str name, source, schedule, before;
    const json_t *paused;
    fa_rc rc;

    if ((rc = in_object(r, e)) || (rc = fa_connection_get(fa_ledger_store(r->ledger), r->mem,
                                                          r->caller->account, r->arg[0], c, e)))
        return rc;
    if (!(k = fa_connect_kind_find(c->kind)))
        return fa_fail(e, FA_EINTERNAL, "a connection of an unknown kind");
    before = c->config;
    paused = json_object_get(r->json, "paused");
    if ((rc = in_name(r, "name", false, &name, e)) ||
        (rc = in_name(r, "source", false, &source, e)) ||
        (rc = in_text(r->json, "schedule", false, &schedule, e)) ||
        (rc = in_credential(r, k, false, s, e)) ||
        (json_object_get(r->json, "config") && (rc = in_config(r, k, &c->config, e))))
        return rc;
    if (json_object_get(r->json, "schedule"))
        c->schedule = schedule;
    c->name = name.n ? name : c->name;
    c->source = source.n ? source : c->source;
    if (json_is_boolean(paused))
        c->paused = json_is_true(paused);
    if ((rc = fa_schedule_check(c->schedule, e)) || (rc = source_is_free(r, c->source, c->id, e)))
        return rc;
    c->updated_ms = fa_now_ms();
    if (c->paused)
        c->state = FA_STR("inactive");
    else if (fa_str_eqz(c->state, "inactive"))
        c->state = c->last_ok_ms >= 0 ? FA_STR("connected") : FA_STR("pending");
    c->next_run_ms = c->paused ? -1 : fa_job_next(c->schedule, c->id, c->updated_ms);
    if ((rc = fa_store_begin(fa_ledger_store(r->ledger), e)))
        return rc;
    if (!(rc = keep_secret(r, s, c, e)))
        rc = fa_connection_edit(fa_ledger_store(r->ledger), r->caller->account, c, e);
    if (rc == FA_ECONFLICT)
        fa_fail(e, rc, "there is a connection of this name already"), fa_at(e, "name");
    if (!rc)
        rc = audit(r, "connection.change", c, before, e);
    return commit(r, rc, e);
}

fa_rc api_connections_put(fa_req *r, fa_res *o, fa_err *e)
{
    fa_connection c = {0};
    secret_in s = {0};
    fa_rc rc = change(r, &s, &c, e);

    api_forget(r, "secret", s.value);
    if (rc)
        return rc;
    fa_log(FA_LOG_INFO, "connection_changed", "id=%.*s paused=%d by=%.*s", FA_FMT(c.id), c.paused,
           FA_FMT(r->caller->email));
    answer(o, &c, NULL);
    return FA_OK;
}

fa_rc api_connections_delete(fa_req *r, fa_res *o, fa_err *e)
{
    fa_store *s = fa_ledger_store(r->ledger);
    fa_connection c;
    fa_rc rc = fa_store_begin(s, e);

    if (rc)
        return rc;
    if (!(rc = fa_connection_get(s, r->mem, r->caller->account, r->arg[0], &c, e)) &&
        !(rc = fa_connection_delete(s, r->caller->account, c.id, e))) {
        fa_str before = c.config;

        c.config = (fa_str){0};
        rc = audit(r, "connection.delete", &c, before, e);
    }
    if ((rc = commit(r, rc, e)))
        return rc;
    fa_connect_forget(r->ledger, r->arg[0]);
    fa_log(FA_LOG_INFO, "connection_deleted", "id=%.*s by=%.*s", FA_FMT(r->arg[0]),
           FA_FMT(r->caller->email));
    o->status = 204;
    return FA_OK;
}

fa_rc api_connections_run(fa_req *r, fa_res *o, fa_err *e)
{
    char id[37];
    fa_rc rc = fa_job_fetch(app_of(r)->jobs, r->arg[0], r->caller->email, id, e);
    fa_jw w;

    if (rc)
        return rc;
    o->status = 202;
    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    put_z(&w, "jobId", id);
    fa_jw_end_obj(&w);
    return FA_OK;
}

/* ---- history ---- */

static void put_run(fa_jw *w, const fa_job *t)
{
    fa_jw_obj(w);
    put_str(w, "id", t->id);
    put_str(w, "state", t->state);
    put_str(w, "by", t->by);
    put_int(w, "attempts", t->attempts);
    put_int(w, "rows", t->rows);
    put_int(w, "bytes", t->bytes);
    put_time(w, "createdAt", t->created_ms);
    put_time(w, "startedAt", t->started_ms);
    put_time(w, "endedAt", t->ended_ms);
    put_str(w, "message", t->message);
    fa_jw_end_obj(w);
}

static void put_delivery(fa_jw *w, const fa_delivery *d)
{
    fa_jw_obj(w);
    put_str(w, "scope", d->scope);
    put_str(w, "version", d->version);
    put_str(w, "seq", d->seq);
    put_int(w, "files", d->files);
    put_int(w, "bytes", d->bytes);
    put_int(w, "loadId", d->load_id);
    put_time(w, "loadedAt", d->loaded_ms);
    fa_jw_end_obj(w);
}

fa_rc api_connections_runs(fa_req *r, fa_res *o, fa_err *e)
{
    fa_store *s = fa_ledger_store(r->ledger);
    fa_connection c;
    fa_delivery *d;
    size_t n, nd;
    fa_job *t;
    fa_jw w;
    fa_rc rc;

    if ((rc = fa_connection_get(s, r->mem, r->caller->account, r->arg[0], &c, e)) ||
        (rc = fa_job_of_connection(s, r->mem, r->caller->account, c.id, RUNS_MAX, &t, &n, e)) ||
        (rc = fa_delivery_list(s, r->mem, r->caller->account, c.id, &d, &nd, e)))
        return rc;
    fa_jw_init(&w, &o->body);
    fa_jw_obj(&w);
    fa_jw_key(&w, "runs");
    fa_jw_arr(&w);
    for (size_t i = 0; i < n; i++)
        put_run(&w, &t[i]);
    fa_jw_end_arr(&w);
    put_int(&w, "deliveryCount", (int64_t)nd);
    fa_jw_key(&w, "deliveries");
    fa_jw_arr(&w);
    for (size_t i = 0; i < nd && i < DELIVERIES_MAX; i++)
        put_delivery(&w, &d[i]);
    fa_jw_end_arr(&w);
    fa_jw_end_obj(&w);
    return FA_OK;
}
