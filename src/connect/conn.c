/*
 * conn.c - the kinds of connections, and one of them opened: configuration, secret, listing, reading.
 */
#include "connect/inner.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OBJECTS_MAX = 200000, VALUE_MAX = 1000 };

static const cn_store *const stores[] = {&cn_s3,     &cn_azure,         &cn_bigquery, &cn_gcs,
                                         &cn_oracle, &cn_s3_compatible, &cn_folder};

const fa_connect_kind *fa_connect_kind_at(size_t i)
{
    return i < FA_COUNT(stores) ? &stores[i]->kind : NULL;
}

const cn_store *cn_store_find(fa_str kind)
{
    for (size_t i = 0; i < FA_COUNT(stores); i++)
        if (fa_str_eqz(kind, stores[i]->kind.name))
            return stores[i];
    return NULL;
}

const fa_connect_kind *fa_connect_kind_find(fa_str name)
{
    const cn_store *s = cn_store_find(name);

    return s ? &s->kind : NULL;
}

static const fa_connect_field *field_of(const fa_connect_kind *k, const char *name)
{
    for (size_t i = 0; i < FA_COUNT(k->field) && k->field[i].name; i++)
        if (strcmp(k->field[i].name, name) == 0)
            return &k->field[i];
    return NULL;
}

static bool is_choice(const char *choices, fa_str v)
{
    while (choices && *choices) {
        size_t n = strcspn(choices, "|");

        if (fa_str_eq(v, (fa_str){choices, n}))
            return true;
        choices += n + (choices[n] == '|');
    }
    return false;
}

static fa_rc check_value(const fa_connect_field *f, const json_t *v, fa_err *e)
{
    fa_str s =
        json_is_string(v) ? (fa_str){json_string_value(v), json_string_length(v)} : (fa_str){0};
    bool ok = json_is_string(v) && s.n <= VALUE_MAX;

    for (size_t i = 0; i < s.n; i++)
        ok = ok && (unsigned char)s.p[i] >= ' ' && s.p[i] != 0x7f;
    if (!ok)
        return fa_fail(e, FA_EINVAL,
                       "\"%s\" is a text of at most %d bytes without control characters", f->label,
                       VALUE_MAX);
    if (s.n && f->choices && !is_choice(f->choices, s))
        return fa_fail(e, FA_EINVAL, "\"%s\" is one of %s", f->label, f->choices);
    return FA_OK;
}

fa_rc fa_connect_config_check(const fa_connect_kind *k, fa_str config, fa_err *e)
{
    json_t *o = json_loadb(config.p ? config.p : "", config.n, JSON_REJECT_DUPLICATES, NULL), *v;
    const char *key;
    fa_rc rc = FA_OK;

    if (!json_is_object(o)) {
        fa_fail(e, FA_EINVAL, "the configuration is an object of texts");
        rc = fa_at(e, "config");
    }
    json_object_foreach(o, key, v)
    {
        const fa_connect_field *f = field_of(k, key);

        if (rc)
            break;
        rc = f ? check_value(f, v, e)
               : fa_fail(e, FA_EINVAL, "a connection of the kind %s has no such field", k->name);
        if (rc)
            fa_at(e, f ? key : "config");
    }
    for (size_t i = 0; !rc && i < FA_COUNT(k->field) && k->field[i].name; i++)
        if (k->field[i].required && !json_string_length(json_object_get(o, k->field[i].name))) {
            rc = fa_fail(e, FA_EINVAL, "\"%s\" is missing", k->field[i].label);
            fa_at(e, k->field[i].name);
        }
    json_decref(o);
    return rc;
}

fa_rc fa_connect_external_id(fa_ledger *l, fa_arena *a, fa_str *out, fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    char id[37];
    fa_rc rc = fa_setting_get(s, a, fa_ledger_account(l), FA_STR("connect.externalId"), out, e);

    if (rc || out->n)
        return rc;
    fa_uuid_v4(id);
    if ((rc = cn_join(a, out, e, "farthing-%s", id)))
        return rc;
    return fa_setting_put(s, fa_ledger_account(l), FA_STR("connect.externalId"), *out, e);
}

fa_str cn_config(const cn_conn *c, const char *name)
{
    return cn_json(c->config, name);
}

fa_str cn_secret(const cn_conn *c, const char *name)
{
    return cn_json(c->secret, name);
}

/* A prefix names a folder: "a/b" stands for what begins with "a/b/"; leading slashes are nobody's. */
static fa_rc take_prefix(cn_conn *c, fa_err *e)
{
    fa_str p = fa_str_trim(cn_config(c, "prefix"));

    while (p.n && p.p[0] == '/')
        p = (fa_str){p.p + 1, p.n - 1};
    while (p.n && p.p[p.n - 1] == '/')
        p.n--;
    return cn_join(c->mem, &c->prefix, e, "%.*s%s", FA_FMT(p), p.n ? "/" : "");
}

fa_rc cn_open(const fa_connect_call *call, fa_arena *mem, cn_conn *c, fa_err *e)
{
    fa_rc rc;

    *c = (cn_conn){
        .store = cn_store_find(call->kind), .call = call, .mem = mem, .since = FA_STR("")};
    if (!c->store) {
        fa_fail(e, FA_EINVAL, "there is no kind of connection \"%.*s\"", FA_FMT(call->kind));
        return fa_at(e, "kind");
    }
    if ((rc = fa_connect_config_check(&c->store->kind, call->config, e)))
        return rc;
    c->config = json_loadb(call->config.p, call->config.n, 0, NULL);
    c->secret = call->secret.n ? json_loadb(call->secret.p, call->secret.n, 0, NULL) : NULL;
    if (!c->config || (call->secret.n && !c->secret))
        return fa_oom(e);
    if ((rc = take_prefix(c, e)))
        return rc;
    return c->store->open(c, e);
}

void cn_close(cn_conn *c)
{
    const char *key;
    json_t *v;

    json_object_foreach(c->secret, key, v)
    {
        if (json_is_string(v))
            explicit_bzero((char *)(uintptr_t)json_string_value(v), json_string_length(v));
    }
    json_decref(c->secret);
    json_decref(c->config);
    if (c->token.p)
        explicit_bzero((char *)(uintptr_t)c->token.p, c->token.n);
    c->secret = c->config = NULL;
}

fa_rc cn_endpoint(cn_conn *c, const char *fallback, fa_err *e)
{
    fa_str given = cn_config(c, "endpoint");
    fa_rc rc;

    while (given.n && given.p[given.n - 1] == '/')
        given.n--;
    rc = given.n ? cn_join(c->mem, &c->endpoint, e, "%.*s", FA_FMT(given))
                 : cn_join(c->mem, &c->endpoint, e, "%s", fallback);
    if (rc)
        return rc;
    if (strpbrk(c->endpoint.p, "?#")) {
        fa_fail(e, FA_EINVAL, "an endpoint is an address without ? and #");
        return fa_at(e, "endpoint");
    }
    if ((rc = fa_net_check(c->call->net, c->endpoint.p, e)) && given.n)
        fa_at(e, "endpoint");
    return rc;
}

fa_rc cn_at_home(cn_conn *c, const char *url, const char *field, const char *homes, fa_err *e)
{
    fa_rc rc = fa_net_at_home(c->call->net, url, homes, e);

    return rc ? (fa_at(e, field), rc) : FA_OK;
}

fa_rc cn_add(cn_conn *c, cn_list *l, const cn_object *o, fa_err *e)
{
    if (l->n == OBJECTS_MAX) {
        fa_fail(e, FA_ETOOBIG, "there are more than %d objects", OBJECTS_MAX);
        return fa_hint(e, "give the path of the export's folder");
    }
    if (l->n == l->cap) {
        size_t cap = l->cap ? 2 * l->cap : 256;
        cn_object *v = fa_arena_array(c->mem, cap, sizeof *v);

        if (!v)
            return fa_oom(e);
        if (l->n)
            memcpy(v, l->v, l->n * sizeof *v);
        l->v = v;
        l->cap = cap;
    }
    l->v[l->n++] = *o;
    return FA_OK;
}

static int by_key(const void *a, const void *b)
{
    const cn_object *x = a, *y = b;

    return fa_str_cmp(x->key, y->key);
}

fa_rc cn_all(cn_conn *c, cn_list *out, fa_err *e)
{
    fa_str next = {0};
    fa_rc rc;

    *out = (cn_list){0};
    if (c->store->objects) {
        rc = c->store->objects(c, out, e);
    } else {
        do
            rc = c->store->page(c, out, &next, e);
        while (!rc && next.n);
    }
    if (!rc && out->n)
        qsort(out->v, out->n, sizeof *out->v, by_key);
    return rc;
}

const cn_object *cn_find(const cn_list *l, fa_str key)
{
    const cn_object want = {.key = key};

    return l->n ? bsearch(&want, l->v, l->n, sizeof *l->v, by_key) : NULL;
}

fa_rc cn_send(cn_conn *c, fa_arena *a, const fa_net_request *q, fa_net_response *r, fa_err *e)
{
    fa_net_request own = *q;

    own.cancel = c->call->cancel;
    if (c->call->quick && own.tries != 1)
        own.tries = 2;
    return fa_net_send(c->call->net, a, &own, r, e);
}

static fa_rc read_local(cn_conn *c, fa_arena *a, const cn_object *o, size_t max, fa_net_response *r,
                        fa_err *e)
{
    const char *path;
    char *p = fa_arena_alloc(a, max + 1);
    ssize_t n = -1;
    int fd;
    fa_rc rc = c->store->local(c, a, o, &path, e);

    if (rc)
        return rc;
    if (!p)
        return fa_oom(e);
    if ((fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)) >= 0) {
        n = read(fd, p, max);
        close(fd);
    }
    if (n < 0)
        return fa_fail(e, FA_EENV, "%.*s cannot be read", FA_FMT(o->key));
    *r = (fa_net_response){.status = 200, .body = {p, (size_t)n}};
    return FA_OK;
}

fa_rc cn_read(cn_conn *c, fa_arena *a, const cn_object *o, size_t max, const char *range,
              fa_net_response *r, fa_err *e)
{
    fa_net_request q = {.max_body = max};
    fa_rc rc;

    if (c->store->local)
        return read_local(c, a, o, max, r, e);
    if ((rc = c->store->get(c, a, o, &range, range ? 1 : 0, &q, e)) ||
        (rc = cn_send(c, a, &q, r, e)))
        return rc;
    return r->status == 200 || r->status == 206 ? FA_OK
                                                : c->store->refused(c, r, "read", o->key, e);
}
