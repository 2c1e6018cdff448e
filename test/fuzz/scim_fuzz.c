/*
 * scim_fuzz.c - any bytes as a SCIM filter, and as the changes of a PATCH.
 *
 * The first byte says which. A filter that parses gives the same verdict twice and the opposite under not(); one that
 * does not says why. A PATCH leaves an object whatever it holds, and changes nothing of the request.
 */
#include "access/access.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char resource[] = "{\"schemas\":[\"urn:ietf:params:scim:schemas:core:2.0:User\"],"
                               "\"id\":\"7\",\"userName\":\"ann@example.com\","
                               "\"displayName\":\"Ann Quay\",\"name\":{\"formatted\":\"Ann "
                               "Quay\",\"givenName\":\"Ann\"},\"active\":true,"
                               "\"emails\":[{\"value\":\"ann@example.com\",\"type\":\"work\","
                               "\"primary\":true}],\"level\":3,\"nothing\":null,"
                               "\"members\":[{\"value\":\"1\"},{\"value\":\"2\"}],\"groups\":[]}";

static void refused(const fa_err *e)
{
    if (!e->msg[0] || !e->field[0] || (e->rc != FA_EINVAL && e->rc != FA_EENV))
        abort();
}

static void filter(fa_arena *a, const json_t *j, fa_str text)
{
    const fa_scim_filter *f, *opposite;
    fa_err e = {0};
    fa_str value;
    bool holds;
    char *z;

    if (fa_scim_filter_parse(a, text, &f, &e)) {
        if (e.rc != FA_EINVAL || strcmp(e.field, "invalidFilter") != 0 || !e.msg[0])
            abort();
        return;
    }
    holds = fa_scim_filter_holds(f, j);
    fa_scim_filter_names(f, FA_STR("groups"));
    fa_scim_filter_is_eq(f, FA_STR("userName"), &value);
    z = fa_arena_printf(a, "not (%.*s)", FA_FMT(text));
    if (!z)
        return;
    /* one level or a few bytes more may be too many */
    if (!fa_scim_filter_parse(a, fa_str_of(z), &opposite, &e) &&
        fa_scim_filter_holds(opposite, j) == holds)
        abort();
}

static void patch(fa_arena *a, json_t *j, fa_str text)
{
    json_t *body = json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES, NULL), *before;
    fa_err e = {0};

    if (!body)
        return;
    before = json_deep_copy(body);
    if (fa_scim_patch(a, j, body, &e))
        refused(&e);
    if (!json_is_object(j) || !json_equal(body, before))
        abort();
    json_decref(before);
    json_decref(body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fa_str text = {(const char *)data + 1, size - 1};
    fa_arena a;
    json_t *j;

    if (size < 2 || !(j = json_loads(resource, 0, NULL)))
        return 0;
    fa_arena_init(&a, 16 << 20);
    if (data[0] & 1)
        filter(&a, j, text);
    else
        patch(&a, j, text);
    fa_arena_release(&a);
    json_decref(j);
    return 0;
}
