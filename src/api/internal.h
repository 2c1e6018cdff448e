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
    const char *folders; /* roots of watched folders */
    fa_queries *queries;
    fa_feeder  *feeder; /* telemetry that comes by itself */
    fa_mailer  *mailer; /* sends what waits */
    char        topic[48]; /* of its event stream */
    struct fa_app *first; /* NULL: this is it */
    struct fa_house *house; /* the other accounts: house.c */
    int         slow_ms; /* FARTHING_TEST_SLOW_MS: query-by-view sleeps, for the concurrency test */
} fa_app;

static inline fa_app *app_of(const fa_req *r)
{
    return r->app;
}

/* ---- an account's own threads and queues (api.c) ---- */
FA_MUST_CHECK fa_rc app_open(fa_app *app, fa_ledger *l, fa_app *like, fa_err *e); /* as the first one */
void app_stop(fa_app *app); /* what sends events, before the server goes */
void app_close(fa_app *app);

/* ---- the other accounts of the installation, opened when asked for (house.c) ---- */
typedef struct fa_house fa_house;
FA_MUST_CHECK fa_rc house_open(fa_app *first, fa_house **out, fa_err *e);
const fa_accounts *house_accounts(fa_house *h);
void house_stop(fa_house *h);  /* opens no more; NULL is fine */
void house_close(fa_house *h); /* closes all; nobody may be in one */

FA_MUST_CHECK fa_rc fa_queries_open(fa_ledger *l, fa_queries **out, fa_err *e);
void fa_queries_stop(fa_queries *q); /* finishes what runs; what waits fails */
void fa_queries_close(fa_queries *q);

/* ---- JSON in (input.c): each names the field in its error ---- */
FA_MUST_CHECK fa_rc in_object(const fa_req *r, fa_err *e); /* the body must be an object */
FA_MUST_CHECK fa_rc in_text(const json_t *o, const char *field, bool required, fa_str *out, fa_err *e);
/* absent or null: `absent`. FA_EINVAL: not a whole number or outside [least,most]. */
FA_MUST_CHECK fa_rc in_int(const json_t *o, const char *field, int64_t least, int64_t most, int64_t absent, int64_t *out,
                           fa_err *e);
/* An array of words as a list with spaces between; absent and not required: empty. */
FA_MUST_CHECK fa_rc in_list(fa_arena *a, const json_t *o, const char *field, bool required, fa_str *out, fa_err *e);
/* A whole number of the query string. */
FA_MUST_CHECK fa_rc in_query_int(const fa_req *r, const char *name, int64_t least, int64_t most, int64_t absent,
                                 int64_t *out, fa_err *e);

/* Is this member asked for? `fields` comes repeated or as one comma-separated value; absent: all are. */
bool in_fields(const fa_req *r, const char *name);

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
void put_words(fa_jw *w, fa_str list); /* a list with spaces between, as an array of texts */
/* Headers of a download. */
FA_MUST_CHECK fa_rc out_attachment(fa_req *r, fa_res *o, const char *type, const char *file, fa_err *e);

/* ---- shared by the cost routes (ask.c) ---- */
/* Runs p as the caller: row rules, deadline. */
FA_MUST_CHECK fa_rc ask_run(fa_req *r, fa_plan *p, fa_answer *out, fa_err *e);
FA_MUST_CHECK fa_rc ask_default_type(fa_ledger *l, fa_arena *a, const fa_cost_type **out, fa_err *e);
/* The keys the caller may know of: those with a value in a row he may see. */
FA_MUST_CHECK fa_rc ask_keys(fa_req *r, const fa_catalog *c, const fa_key **out, size_t *n, fa_err *e);
int32_t ask_today(void);

/* ---- links that people get (mail.c) ---- */
bool mail_is_set_up(fa_req *r);
bool mail_link(fa_req *r, const fa_user *u, fa_str secret, const char *kind); /* "invite", "reset"; false: not sent */
void mail_broke_glass(fa_req *r); /* tells every administrator; the audit log has it anyway */
fa_str mail_url(fa_req *r, fa_str secret, const char *kind);                  /* the whole address, to show instead */

/* ---- shared by the routes that sign in (session.c) ---- */
fa_browser api_browser(const fa_req *r);
FA_MUST_CHECK fa_rc api_signed_in(fa_req *r, fa_res *o, const fa_signed_in *in, fa_err *e);

/* ---- handlers, by file ---- */
fa_handler api_healthz, api_metrics;                                             /* health.c */
fa_handler api_v1_views, api_v1_query_by_view, api_v1_keys, api_v1_values;       /* v1.c */
fa_handler api_v2_keys, api_v2_values;                                           /* keys.c */
fa_handler api_v2_generate, api_v2_status, api_v2_results;                       /* generate.c */
fa_handler api_cost_filters, api_cost_cost, api_cost_units;                      /* costservice.c */
fa_handler api_view_list, api_view_create;                                       /* viewservice.c */
fa_handler api_account_list, api_account_get;                                    /* account.c */
fa_handler api_session_get, api_session_post, api_session_code, api_session_link, api_session_about, api_session_join,
    api_session_forgotten, api_session_prove, api_session_delete, api_password, api_view_as, api_view_as_end; /* session.c */
fa_handler api_me_get, api_me_put, api_me_sessions, api_me_session_end, api_me_sessions_end, api_me_mfa_begin,
    api_me_mfa_confirm, api_me_mfa_codes, api_me_mfa_drop;                       /* me.c */
fa_handler api_users_get, api_users_post, api_user_put, api_user_delete, api_user_resend, api_user_lock, api_user_unlock,
    api_user_disable, api_user_enable, api_user_end_sessions, api_user_reset_mfa, api_links_get, api_links_post,
    api_links_delete, api_principals;                                            /* people.c */
fa_handler api_accounts, api_session_account, api_admin_accounts, api_admin_account_post, api_admin_account_put,
    api_admin_account_member;                                                    /* accounts.c */
fa_handler api_accounts_query, api_accounts_keys;                                /* together.c */
fa_rc accounts_json(fa_req *r, fa_jw *w, fa_str user, fa_err *e); /* [{id,name,first}] of a person */
fa_handler api_mail_get, api_mail_put, api_mail_test;                            /* mail.c */
fa_handler api_roles_get, api_roles_post, api_role_put, api_role_delete, api_permissions; /* roles.c */
fa_handler api_groups_get, api_groups_post, api_group_put, api_group_delete, api_group_users, api_data_access_get,
    api_data_access_put, api_data_access_preview, api_explain;                   /* groups.c */
fa_handler api_policy_get, api_policy_put, api_audit_get, api_audit_csv, api_acl_get, api_acl_put, api_acl_default_get,
    api_acl_default_put;                                                         /* security.c */
fa_handler api_sso_start, api_sso_invite, api_sso_providers, api_sso_get, api_sso_post, api_sso_put, api_sso_delete, api_sso_test,
    api_sso_outcome, api_sso_link, api_me_identities, api_me_identity_post;                            /* sso.c */
fa_handler api_oidc_callback, api_oidc_left;                                   /* oidc.c */
fa_handler api_scim_users, api_scim_user_get, api_scim_user_post, api_scim_user_put, api_scim_user_patch, api_scim_user_delete,
    api_scim_groups, api_scim_group_get, api_scim_group_post, api_scim_group_put, api_scim_group_patch, api_scim_group_delete,
    api_scim_config, api_scim_types, api_scim_schemas, api_scim_clients, api_scim_client_post, api_scim_client_rotate,
    api_scim_client_delete;                                                      /* scim.c */
fa_handler api_saml_metadata, api_saml_acs, api_saml_slo, api_saml_slo_post, api_saml_read, api_saml_key; /* saml.c */
fa_handler api_fe_signin, api_fe_code, api_fe_groups, api_fe_group_post, api_fe_group_patch, api_fe_group_delete,
    api_fe_group_users, api_fe_group_roles, api_account_post;                    /* frontegg.c */
fa_handler api_query, api_query_csv, api_focus, api_rows, api_keys, api_values;             /* explore.c */
fa_handler api_views_get, api_views_post, api_views_put, api_views_delete;       /* views.c */
fa_handler api_sources, api_loads, api_load, api_upload, api_reload, api_rejects; /* bills.c */
fa_handler api_jobs, api_job_cancel, api_events;                                 /* bills.c */
fa_handler api_quality, api_reconcile, api_invoice_put, api_invoice_delete;        /* quality.c */
fa_handler api_costtypes_get, api_costtypes_put, api_fairshare_post;             /* costtypes.c */
fa_handler api_currencies, api_currency_put, api_rates, api_rates_post, api_rates_csv, api_rate_delete; /* currency.c */
fa_handler api_tokens_get, api_tokens_post, api_tokens_rotate, api_tokens_delete, api_roles, api_me_tokens_get,
    api_me_tokens_post, api_me_tokens_rotate, api_me_tokens_delete;              /* tokens.c */
fa_handler api_telemetry_list, api_telemetry_get, api_telemetry_post, api_telemetry_put, api_telemetry_delete; /* telemetry.c */
fa_handler api_telemetry_upload, api_telemetry_push, api_telemetry_refresh, api_telemetry_points, api_kpi_centers,
    api_tag_moves;                                                               /* telemetry.c, moves.c */
fa_handler api_credentials_get, api_credentials_post, api_credentials_put, api_credentials_delete; /* credentials.c */
fa_handler api_connections_get, api_connections_post, api_connections_put, api_connections_delete; /* connections.c */
fa_handler api_connections_test, api_connections_run, api_connections_runs;      /* connections.c */
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
