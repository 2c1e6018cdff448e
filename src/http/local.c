/*
 * local.c - a route's handler asked from within the program, without a connection.
 *
 * The command line changes configuration by the doors that the page uses: one set of checks, one spelling, one
 * audit log. There is no gate and no limit here: whoever can start the program on the folder may do everything.
 */
#include "http/internal.h"

#include <string.h>

enum { ANSWER_MAX = 256 << 20 };

static const fa_route *find(const fa_route *routes, const char *method, fa_wire *w)
{
    for (const fa_route *r = routes; r->method; r++)
        if (strcmp(r->method, method) == 0 && fa_path_match(r->path, w->req.path, w->req.arg))
            return r;
    return NULL;
}

static fa_rc take_answer(const fa_res *o, json_t **answer, fa_err *e)
{
    json_error_t why;

    if (!answer || !o->body.n)
        return FA_OK;
    if (o->body.failed)
        return fa_oom(e);
    *answer = json_loadb(o->body.p, o->body.n, 0, &why);
    return *answer ? FA_OK : fa_fail(e, FA_EINTERNAL, "an answer is no JSON: %s", why.text);
}

fa_rc fa_local_call(fa_ledger *l, const fa_route *routes, void *app, const fa_caller *caller,
                    const char *method, fa_str path, json_t *body, json_t **answer, fa_err *e)
{
    fa_server server = {.ledger = l, .routes = routes};
    unsigned audited = fa_audit_written();
    fa_wire w = {.server = &server, .fd = -1, .caller = *caller};
    fa_res o = {0};
    fa_rc rc;

    if (answer)
        *answer = NULL;
    fa_arena_init(&w.mem, (size_t)1 << 30);
    fa_buf_init(&o.body, ANSWER_MAX);
    w.req = (fa_req){.mem = &w.mem,
                     .ledger = l,
                     .app = app,
                     .caller = &w.caller,
                     .method = fa_str_of(method),
                     .path = path,
                     .json = body,
                     .deadline_mono_ms = fa_mono_ms() + 600000};
    fa_uuid_v4(w.req.request_id);
    w.route = find(routes, method, &w);
    if (!w.route)
        rc = fa_fail(e, FA_EINTERNAL, "there is no route %s %.*s", method, FA_FMT(path));
    else if (!(rc = w.route->fn(&w.req, &o, e))) {
        fa_gate_audit(&w, audited);
        rc = take_answer(&o, answer, e);
    }
    fa_buf_release(&o.body);
    fa_arena_release(&w.mem);
    return rc;
}
