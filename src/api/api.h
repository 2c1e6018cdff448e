/*
 * api.h - the routes of the server, and what they need for its life: jobs and cost queries.
 */
#ifndef FA_API_H
#define FA_API_H

#include "http/http.h"

typedef struct fa_api_server fa_api_server;

extern const fa_route fa_routes[];          /* api/route.c; ends with a NULL method */
extern const char *const fa_page_paths[];   /* addresses of the page; ends with NULL */
extern const char fa_version[];

/* Opens workers, jobs and the listener. o->app and o->page_paths are filled here. */
FA_MUST_CHECK fa_rc fa_api_open(fa_ledger *l, const fa_server_options *o, fa_api_server **out, fa_err *e);
const fa_accounts *fa_api_accounts(fa_api_server *s); /* the other accounts, for commands inside the server */
const char *fa_api_address(fa_api_server *s);
void        fa_api_stop(fa_api_server *s);  /* no new requests; what runs is finished */
void        fa_api_close(fa_api_server *s); /* NULL is fine */

/* What the routes of the page answer to a command on this ledger (http.h, fa_local_call), as the system. */
typedef struct fa_api_local fa_api_local;
FA_MUST_CHECK fa_rc fa_api_local_open(fa_ledger *l, fa_api_local **out, fa_err *e);
void        fa_api_local_close(fa_api_local *x); /* NULL is fine */
FA_MUST_CHECK fa_rc fa_api_local_call(fa_api_local *x, const char *method, fa_str path, json_t *body, json_t **answer, fa_err *e);

/* The route table as JSON: what `farthing routes` prints and the OpenAPI test reads. */
void        fa_routes_json(fa_jw *w);

#endif
