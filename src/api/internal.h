/* internal.h - private to api/: handlers, and the few words they all use. */
#ifndef FA_API_INTERNAL_H
#define FA_API_INTERNAL_H

#include "api/api.h"
#include "job/job.h"
#include "net/net.h"
#include "present/present.h"
#include "query/query.h"

#include <stdatomic.h>

typedef struct fa_queries fa_queries; /* generate.c: V2 queries that wait or run */

typedef struct fa_app {
    fa_ledger  *ledger;
    _Atomic(fa_server *) server; /* set once the listener is open */
    fa_jobs    *jobs;
    fa_net     *net;   /* outgoing requests */
    fa_queries *queries;
    fa_feeder  *feeder; /* telemetry that comes by itself */
    int         slow_ms; /* FARTHING_TEST_SLOW_MS: query-by-view sleeps, for the concurrency test */
} fa_app;

static inline fa_app *app_of(const fa_req *r)
{
    return r->app;
}

FA_MUST_CHECK fa_rc fa_queries_open(fa_ledger *l, fa_queries **out, fa_err *e);
void fa_queries_stop(fa_queries *q); /* finishes what runs; what waits fails */
void fa_queries_close(fa_queries *q);

/* ---- JSON in (input.c): each names the field in its error ---- */
FA_MUST_CHECK fa_rc in_object(const fa_req *r, fa_err *e); /* the body must be an object */
FA_MUST_CHECK fa_rc in_text(const json_t *o, const char *field, bool required, fa_str *out, fa_err *e);
/* absent or null: `absent`. FA_EINVAL: not a whole number or outside [least,most]. */
FA_MUST_CHECK fa_rc in_int(const json_t *o, const char *field, int64_t least, int64_t most, int64_t absent, int64_t *out,
                           fa_err *e);
/* A whole number of the query string. */
FA_MUST_CHECK fa_rc in_query_int(const fa_req *r, const char *name, int64_t least, int64_t most, int64_t absent,
                                 int64_t *out, fa_err *e);

/* A secret object of the body as text (credentials.c); api_forget wipes it, its text and the body. */
FA_MUST_CHECK fa_rc in_secret(fa_req *r, const char *field, bool required, fa_str *out, fa_err *e);
void api_forget(fa_req *r, const char *field, fa_str text);

/* ---- JSON out (input.c) ---- */
void put_str(fa_jw *w, const char *key, fa_str v);
void put_z(fa_jw *w, const char *key, const char *v);
void put_int(fa_jw *w, const char *key, int64_t v);
void put_bool(fa_jw *w, const char *key, bool v);
void put_time(fa_jw *w, const char *key, int64_t ms);
void put_day(fa_jw *w, const char *key, int32_t day);   /* INT32_MIN: null */
void put_money(fa_jw *w, const char *key, fa_i128 v_e10); /* a string, 2 to 10 decimals; key may be NULL */
/* Headers of a download. */
FA_MUST_CHECK fa_rc out_attachment(fa_req *r, fa_res *o, const char *type, const char *file, fa_err *e);

/* ---- shared by the cost routes (ask.c) ---- */
/* Runs p as the caller: row rules, deadline. */
FA_MUST_CHECK fa_rc ask_run(fa_req *r, fa_plan *p, fa_answer *out, fa_err *e);
FA_MUST_CHECK fa_rc ask_default_type(fa_ledger *l, fa_arena *a, const fa_cost_type **out, fa_err *e);
int32_t ask_today(void);

/* ---- handlers, by file ---- */
fa_handler api_healthz, api_metrics;                                             /* health.c */
fa_handler api_v1_views, api_v1_query_by_view, api_v1_keys, api_v1_values;       /* v1.c */
fa_handler api_v2_keys, api_v2_values;                                           /* keys.c */
fa_handler api_v2_generate, api_v2_status, api_v2_results;                       /* generate.c */
fa_handler api_cost_filters, api_cost_cost, api_cost_units;                      /* costservice.c */
fa_handler api_view_list, api_view_create;                                       /* viewservice.c */
fa_handler api_account_list, api_account_get;                                    /* account.c */
fa_handler api_session_get, api_session_post, api_session_link, api_session_delete, api_password; /* session.c */
fa_handler api_query, api_query_csv, api_focus, api_rows, api_keys, api_values;             /* explore.c */
fa_handler api_views_get, api_views_post, api_views_put, api_views_delete;       /* views.c */
fa_handler api_sources, api_loads, api_load, api_upload, api_reload, api_rejects; /* bills.c */
fa_handler api_jobs, api_job_cancel, api_events;                                 /* bills.c */
fa_handler api_tokens_get, api_tokens_post, api_tokens_delete, api_roles;        /* tokens.c */
fa_handler api_telemetry_list, api_telemetry_get, api_telemetry_post, api_telemetry_put, api_telemetry_delete; /* telemetry.c */
fa_handler api_telemetry_upload, api_telemetry_push, api_telemetry_refresh, api_telemetry_points, api_kpi_centers; /* telemetry.c */
fa_handler api_credentials_get, api_credentials_post, api_credentials_put, api_credentials_delete; /* credentials.c */
fa_handler api_v1_tags, api_v1_tag, api_v1_tag_post, api_v1_tag_put, api_v1_tag_delete, api_v1_meta, api_v1_meta_put; /* tagsv.c */
fa_handler api_v2_tags, api_v2_tag, api_v2_tag_post, api_v2_tag_put, api_v2_tag_delete, api_v2_meta, api_v2_meta_put;
fa_handler api_v2_versions, api_v2_version, api_vt_list, api_vt_get, api_vt_post, api_vt_put;
fa_handler api_tags, api_tag_get, api_tag_post, api_tag_put, api_tag_delete, api_tag_undelete, api_tag_duplicate; /* tags.c */
fa_handler api_tag_name, api_tag_folder, api_tag_folder_post, api_tag_folder_put, api_tag_folder_delete;
fa_handler api_tag_versions, api_tag_version, api_tag_publish, api_tag_graph, api_tag_usage;
fa_handler api_tag_rows_put, api_tag_rows_csv, api_tag_rules_csv, api_tag_rules_import, api_tag_meta, api_tag_meta_put;
fa_handler api_custom_costs, api_custom_cost_post, api_custom_cost_put, api_custom_cost_delete, api_custom_cost_undo; /* custom.c */
fa_handler api_custom_cost_versions, api_custom_cost_preview, api_custom_center_post, api_custom_center_put, api_custom_center_delete;
fa_handler api_custom_files, api_custom_file_post, api_custom_file_delete, api_custom_file_undo, api_v1_custom_file;
fa_handler api_drilldowns, api_drilldowns_put;                                  /* drilldown.c */
fa_handler api_tag_preview, api_tag_explain;                                     /* tagpreview.c */

#endif
