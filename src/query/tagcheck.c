/*
 * tagcheck.c - a document of a virtual tag against the bill: what only query/ knows.
 *
 * The one idea: allocate/ has proved shapes, days and order; keys, operators and limits of filters are those of any
 * question, so they are read by the same parser, and an error names the field of the document.
 */
#include "query/inner.h"

#include <string.h>

#define CHECK_BYTES ((size_t)256 << 20)

typedef struct check {
    const fa_catalog *c;
    fa_arena a;
    fa_api api;
    fa_err *e;
} check;

static fa_rc check_filter(check *k, const json_t *j, const char *path)
{
    const fa_filter *f;
    fa_rc rc = fa_filter_parse(k->c, &k->a, k->api, j, path, &f, k->e);

    if (rc && !k->e->field[0])
        (void)fa_at(k->e, path);
    return rc;
}

static fa_str member(const json_t *j, const char *name)
{
    const json_t *v = json_object_get(j, name);

    return (fa_str){json_string_value(v), json_string_length(v)};
}

/* A key where a value may stand; texts are fine as they are. */
static fa_rc check_key(check *k, const json_t *j, const char *path)
{
    const fa_key *key;
    char field[160];

    if (!json_is_object(j))
        return FA_OK;
    if (fa_catalog_find(k->c, &k->a, k->api, member(j, "costCenter"), member(j, "key"),
                        member(j, "type"), &key, k->e) == FA_OK)
        return FA_OK;
    if (k->e->rc == FA_EENV || k->e->rc == FA_EINTERNAL)
        return k->e->rc;
    if (k->api == FA_API_V2 && strcmp(k->e->field, "type") != 0)
        k->e->rc = FA_EDATA;
    snprintf(field, sizeof field, "%.120s.%.30s", path, *k->e->field ? k->e->field : "key");
    return fa_at(k->e, field);
}

static fa_rc check_rules(check *k, const json_t *list)
{
    char path[80];

    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *r = json_array_get(list, i);

        snprintf(path, sizeof path, "rules[%zu].filters", i);
        if (check_filter(k, json_object_get(r, "filters"), path))
            return k->e->rc;
        snprintf(path, sizeof path, "rules[%zu].to", i);
        if (check_key(k, json_object_get(r, "to"), path))
            return k->e->rc;
    }
    return FA_OK;
}

static fa_rc check_allocations(check *k, const json_t *list)
{
    char path[80];

    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *data = json_object_get(json_array_get(list, i), "data");

        snprintf(path, sizeof path, "allocations[%zu].data.filters", i);
        if (check_filter(k, json_object_get(data, "filters"), path))
            return k->e->rc;
        snprintf(path, sizeof path, "allocations[%zu].data.joinKey", i);
        if (check_key(k, json_object_get(data, "joinKey"), path))
            return k->e->rc;
    }
    return FA_OK;
}

fa_rc fa_tag_check(const fa_catalog *c, fa_api api, const json_t *document, fa_err *e)
{
    const json_t *relation = json_object_get(document, "relation");
    check k = {.c = c, .api = api, .e = e};
    fa_rc rc;

    fa_arena_init(&k.a, CHECK_BYTES);
    if (!(rc = check_key(&k, json_object_get(document, "defaultValue"), "defaultValue")) &&
        !(rc = check_rules(&k, json_object_get(document, "rules"))) &&
        !(rc = check_allocations(&k, json_object_get(document, "allocations"))) &&
        !(rc = check_key(&k, json_object_get(json_object_get(document, "dictionary"), "source"),
                         "dictionary.source")) &&
        !(rc = check_key(&k, json_object_get(json_object_get(document, "hierarchy"), "base"),
                         "hierarchy.base")) &&
        !(rc = check_filter(&k, json_object_get(relation, "scope"), "relation.scope")))
        rc = check_key(&k, json_object_get(relation, "joinKey"), "relation.joinKey");
    fa_arena_release(&k.a);
    return rc;
}
