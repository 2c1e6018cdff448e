/*
 * route.c - every address of the server, one row each: the documentation, the permission check and
 * the limits all read this table.
 *
 * flags: V1 and the internal routes count against the five concurrent requests of a key
 * (api.md 3.1); V2 routes have windows per minute instead (3.2). The page's routes want the session
 * cookie.
 */
#include "api/internal.h"

#define V1 (FA_RT_TOKEN | FA_RT_KEY_LIMIT)
#define INTERNAL (FA_RT_TOKEN | FA_RT_SESSION | FA_RT_KEY_LIMIT)
#define PAGE FA_RT_SESSION

#define MIB ((size_t)1 << 20)
#define GIB ((size_t)1 << 30)

const fa_route fa_routes[] = {
    /* ---- public API, version 1 ---- */
    {"GET", "/v1/view", api_v1_views, FA_PERM_VIEWS_VIEW, V1, 0, 0, 0, FA_ENV_V1, "200",
     "Saved views"},
    {"POST", "/v1/cost/query-by-view", api_v1_query_by_view, FA_PERM_COST_QUERY, V1, 0, 0, 0,
     FA_ENV_V1, "200 400 413", "Costs of a saved view"},
    {"GET", "/v1/megabill/query-language/keys", api_v1_keys, FA_PERM_COST_QUERY, V1, 0, 0, 0,
     FA_ENV_V1, "200", "Keys to filter and group by"},
    {"GET", "/v1/megabill/query-language/values/{costCenter}/{key+}", api_v1_values,
     FA_PERM_COST_QUERY, V1, 0, 0, 0, FA_ENV_V1, "200 400", "Values of a key"},

    /* ---- public API, version 2 ---- */
    {"GET", "/v2/query-language/keys", api_v2_keys, FA_PERM_COST_QUERY, FA_RT_TOKEN, 50, 0, 0,
     FA_ENV_V2, "200", "Keys to filter and group by, with their types"},
    {"GET", "/v2/megabill/query-language/keys", api_v2_keys, FA_PERM_COST_QUERY, FA_RT_TOKEN, 50, 0,
     0, FA_ENV_V2, "200", "Keys to filter and group by, with their types (alias)"},
    {"GET", "/v2/query-language/values/{costCenter}/{key+}", api_v2_values, FA_PERM_COST_QUERY,
     FA_RT_TOKEN, 50, 0, 0, FA_ENV_V2, "200 400", "Values of a key"},
    {"GET", "/v2/megabill/query-language/values/{costCenter}/{key+}", api_v2_values,
     FA_PERM_COST_QUERY, FA_RT_TOKEN, 50, 0, 0, FA_ENV_V2, "200 400", "Values of a key (alias)"},
    {"POST", "/v2/data/cost-usage/generate-query", api_v2_generate, FA_PERM_COST_QUERY, FA_RT_TOKEN,
     50, 10000, 0, FA_ENV_V2, "200 400 413 422", "Submits a cost and usage query"},
    {"GET", "/v2/data/cost-usage/{queryId}/status", api_v2_status, FA_PERM_COST_QUERY, FA_RT_TOKEN,
     50, 0, 0, FA_ENV_V2, "200 404", "State of a submitted query"},
    {"GET", "/v2/data/cost-usage/{queryId}/results", api_v2_results, FA_PERM_COST_QUERY,
     FA_RT_TOKEN, 50, 0, 0, FA_ENV_V2, "200 202 400 404 410 424", "Rows of a submitted query"},

    /* ---- what public clients use beside it ---- */
    {"POST", "/cost-service/filters", api_cost_filters, FA_PERM_COST_QUERY, INTERNAL, 0, 0, 0,
     FA_ENV_V1, "200 400 413", "Keys and their values"},
    {"POST", "/cost-service/cost", api_cost_cost, FA_PERM_COST_QUERY, INTERNAL, 0, 0, 0, FA_ENV_V1,
     "200 400 413", "One total and its breakdown"},
    {"POST", "/cost-service/usage-unit-types", api_cost_units, FA_PERM_COST_QUERY, INTERNAL, 0, 0,
     0, FA_ENV_V1, "200 400 413", "Units of usage per cost center"},
    {"GET", "/view-service/view", api_view_list, FA_PERM_VIEWS_VIEW, INTERNAL, 0, 0, 0, FA_ENV_V1,
     "200", "Saved views with their questions"},
    {"POST", "/view-service/view", api_view_create, FA_PERM_VIEWS_MANAGE, INTERNAL, 0, 0, 0,
     FA_ENV_V1, "200 400 409 413", "Creates a saved view"},
    {"GET", "/kpi-center-service/kpi-center", api_kpi_centers, FA_PERM_TELEMETRY_VIEW, INTERNAL, 0,
     0, 0, FA_ENV_V1, "200", "Telemetry centers"},
    {"POST", "/v1/telemetry/{id}/points", api_telemetry_push, FA_PERM_TELEMETRY_EDIT, V1, 0, 0,
     16 * MIB, FA_ENV_V1, "200 400 404 409 413", "Pushes points of a telemetry"},
    {"GET", "/account-service/account", api_account_list, FA_PERM_SELF, INTERNAL, 0, 0, 0,
     FA_ENV_V1, "200", "Accounts of the caller"},
    {"GET", "/account-service/account/{id}", api_account_get, FA_PERM_SELF, INTERNAL, 0, 0, 0,
     FA_ENV_V1, "200 404", "One account"},

    /* ---- the page: session ---- */
    {"GET", "/api/session", api_session_get, FA_PERM_SELF, PAGE, 0, 0, 0, FA_ENV_PAGE, "200",
     "Who is signed in"},
    {"POST", "/api/session", api_session_post, FA_PERM_PUBLIC, PAGE, 0, 0, 16384, FA_ENV_PAGE,
     "200 400 401 413 429", "Signs in with e-mail and password"},
    {"POST", "/api/session/link", api_session_link, FA_PERM_PUBLIC, PAGE, 0, 0, 16384, FA_ENV_PAGE,
     "200 400 401 413 422 429", "First sign-in with a one-time link, sets the password"},
    {"DELETE", "/api/session", api_session_delete, FA_PERM_SELF, PAGE | FA_RT_NO_JSON, 0, 0, 0,
     FA_ENV_PAGE, "204", "Signs out"},
    {"PUT", "/api/me/password", api_password, FA_PERM_SELF, PAGE, 0, 0, 16384, FA_ENV_PAGE,
     "204 400 413 422 429", "Changes the own password"},

    /* ---- the page: the question ---- */
    {"POST", "/api/query", api_query, FA_PERM_COST_QUERY, PAGE, 0, 0, 0, FA_ENV_PAGE,
     "200 400 413 422", "Answers a question"},
    {"POST", "/api/query.csv", api_query_csv, FA_PERM_COST_EXPORT, PAGE, 0, 0, 0, FA_ENV_PAGE,
     "200 400 413 422", "The same answer as CSV, all groups"},
    {"POST", "/api/focus", api_focus, FA_PERM_COST_EXPORT, PAGE, 0, 0, 0, FA_ENV_PAGE,
     "200 400 413 422", "The bill rows behind an answer as a valid FOCUS 1.2 file"},
    {"POST", "/api/rows", api_rows, FA_PERM_COST_QUERY, PAGE, 0, 0, 0, FA_ENV_PAGE,
     "200 400 413 422", "Bill rows behind an answer"},
    {"GET", "/api/keys", api_keys, FA_PERM_COST_QUERY, PAGE, 0, 0, 0, FA_ENV_PAGE, "200",
     "Keys to filter and group by"},
    {"POST", "/api/values", api_values, FA_PERM_COST_QUERY, PAGE, 0, 0, 0, FA_ENV_PAGE,
     "200 400 413 422", "Values of a key, with search and costs"},

    /* ---- the page: saved views ---- */
    {"GET", "/api/views", api_views_get, FA_PERM_VIEWS_VIEW, PAGE, 0, 0, 0, FA_ENV_PAGE, "200",
     "Saved views"},
    {"POST", "/api/views", api_views_post, FA_PERM_VIEWS_MANAGE, PAGE, 0, 0, 0, FA_ENV_PAGE,
     "201 400 409 413 422", "Saves a view"},
    {"PUT", "/api/views/{id}", api_views_put, FA_PERM_VIEWS_MANAGE, PAGE, 0, 0, 0, FA_ENV_PAGE,
     "200 400 404 409 413 422", "Changes a saved view"},
    {"DELETE", "/api/views/{id}", api_views_delete, FA_PERM_VIEWS_MANAGE, PAGE | FA_RT_NO_JSON, 0,
     0, 0, FA_ENV_PAGE, "204 404", "Deletes a saved view"},

    /* ---- the page: bills ---- */
    {"GET", "/api/sources", api_sources, FA_PERM_COSTCENTERS_VIEW, PAGE, 0, 0, 0, FA_ENV_PAGE,
     "200", "Sources of bills"},
    {"GET", "/api/loads", api_loads, FA_PERM_COSTCENTERS_VIEW, PAGE, 0, 0, 0, FA_ENV_PAGE,
     "200 404", "Loads, newest first"},
    {"GET", "/api/loads/{id}", api_load, FA_PERM_COSTCENTERS_VIEW, PAGE, 0, 0, 0, FA_ENV_PAGE,
     "200 404", "One load with its control totals"},
    {"POST", "/api/upload", api_upload, FA_PERM_COSTCENTERS_CREATE, PAGE | FA_RT_UPLOAD, 0, 0,
     4 * GIB, FA_ENV_PAGE, "202 400 413 429", "Uploads a bill and loads it as a job"},
    {"POST", "/api/loads/{id}/reload", api_reload, FA_PERM_COSTCENTERS_CREATE, PAGE, 0, 0, 0,
     FA_ENV_PAGE, "202 400 404 413 429", "Makes an earlier load the live one again"},
    {"GET", "/api/loads/{id}/rejects", api_rejects, FA_PERM_COSTCENTERS_VIEW, PAGE, 0, 0, 0,
     FA_ENV_PAGE, "200 404", "Rows that a load skipped, as CSV"},
    {"GET", "/api/jobs", api_jobs, FA_PERM_COSTCENTERS_VIEW, PAGE, 0, 0, 0, FA_ENV_PAGE, "200",
     "Loads that wait, run or ended within the hour"},
    {"POST", "/api/jobs/{id}/cancel", api_job_cancel, FA_PERM_COSTCENTERS_CREATE, PAGE, 0, 0, 0,
     FA_ENV_PAGE, "204 400 404 413", "Cancels a job"},
    {"GET", "/api/events", api_events, FA_PERM_COSTCENTERS_VIEW, PAGE, 0, 0, 0, FA_ENV_PAGE, "200",
     "Event stream of jobs and loads"},

    /* ---- the page: telemetry ---- */
    {"GET", "/api/telemetry", api_telemetry_list, FA_PERM_TELEMETRY_VIEW, PAGE, 0, 0, 0,
     FA_ENV_PAGE, "200", "Telemetry, with its freshness and who uses it"},
    {"POST", "/api/telemetry", api_telemetry_post, FA_PERM_TELEMETRY_EDIT, PAGE, 0, 0, 0,
     FA_ENV_PAGE, "201 400 409 413 422", "Makes a telemetry"},
    {"GET", "/api/telemetry/{id}", api_telemetry_get, FA_PERM_TELEMETRY_VIEW, PAGE, 0, 0, 0,
     FA_ENV_PAGE, "200 404", "One telemetry"},
    {"PUT", "/api/telemetry/{id}", api_telemetry_put, FA_PERM_TELEMETRY_EDIT, PAGE, 0, 0, 0,
     FA_ENV_PAGE, "200 400 404 409 413 422", "Changes a telemetry"},
    {"DELETE", "/api/telemetry/{id}", api_telemetry_delete, FA_PERM_TELEMETRY_EDIT,
     PAGE | FA_RT_NO_JSON, 0, 0, 0, FA_ENV_PAGE, "204 404 409",
     "Deletes a telemetry that no virtual tag uses"},
    {"POST", "/api/telemetry/{id}/upload", api_telemetry_upload, FA_PERM_TELEMETRY_EDIT,
     PAGE | FA_RT_UPLOAD, 0, 0, (size_t)512 * MIB, FA_ENV_PAGE, "200 400 404 409 413 422",
     "Takes a CSV file of points"},
    {"GET", "/api/telemetry/{id}/points", api_telemetry_points, FA_PERM_TELEMETRY_VIEW, PAGE, 0, 0,
     0, FA_ENV_PAGE, "200 400 404", "Points of a metric, the newest 10,000"},
    {"POST", "/api/telemetry/{id}/refresh", api_telemetry_refresh, FA_PERM_TELEMETRY_EDIT, PAGE, 0,
     0, 0, FA_ENV_PAGE, "200 400 401 403 404 409 413 422 429",
     "Reads the drop folder or asks the Prometheus server now"},

    /* ---- the page: API tokens ---- */
    {"GET", "/api/tokens", api_tokens_get, FA_PERM_TOKENS_ACCOUNT_MANAGE, PAGE, 0, 0, 0,
     FA_ENV_PAGE, "200", "API tokens"},
    {"POST", "/api/tokens", api_tokens_post, FA_PERM_TOKENS_ACCOUNT_MANAGE, PAGE, 0, 0, 16384,
     FA_ENV_PAGE, "201 400 413", "Creates an API token; the secret is shown this once"},
    {"DELETE", "/api/tokens/{id}", api_tokens_delete, FA_PERM_TOKENS_ACCOUNT_MANAGE,
     PAGE | FA_RT_NO_JSON, 0, 0, 0, FA_ENV_PAGE, "204 404", "Revokes an API token"},
    {"GET", "/api/roles", api_roles, FA_PERM_SELF, PAGE, 0, 0, 0, FA_ENV_PAGE, "200",
     "Roles a token can have"},

    /* ---- the page: the vault ---- */
    {"GET", "/api/credentials", api_credentials_get, FA_PERM_VAULT_LIST, PAGE, 0, 0, 0, FA_ENV_PAGE,
     "200", "Stored credentials and their kinds, never their values"},
    {"POST", "/api/credentials", api_credentials_post, FA_PERM_VAULT_WRITE, PAGE, 0, 0, 65536,
     FA_ENV_PAGE, "201 400 409 413 422", "Puts a credential into the vault"},
    {"PUT", "/api/credentials/{id}", api_credentials_put, FA_PERM_VAULT_WRITE, PAGE, 0, 0, 65536,
     FA_ENV_PAGE, "200 400 404 409 413 422", "Renames or renews a credential"},
    {"DELETE", "/api/credentials/{id}", api_credentials_delete, FA_PERM_VAULT_WRITE,
     PAGE | FA_RT_NO_JSON, 0, 0, 0, FA_ENV_PAGE, "204 404 409",
     "Deletes a credential that nothing uses"},

    /* ---- virtual tags, version 1 ---- */
    {"GET", "/v1/virtual-tags", api_v1_tags, FA_PERM_VTAGS_VIEW, V1, 0, 0, 0, FA_ENV_V1, "200",
     "Virtual tags"},
    {"POST", "/v1/virtual-tags", api_v1_tag_post, FA_PERM_VTAGS_CREATE, V1, 0, 0, 16 * MIB,
     FA_ENV_V1, "201 400 413", "Creates a virtual tag"},
    {"GET", "/v1/virtual-tags/{id}", api_v1_tag, FA_PERM_VTAGS_VIEW, V1, 0, 0, 0, FA_ENV_V1,
     "200 404", "One virtual tag"},
    {"PUT", "/v1/virtual-tags/{id}", api_v1_tag_put, FA_PERM_VTAGS_EDIT, V1, 0, 0, 16 * MIB,
     FA_ENV_V1, "200 400 403 404 413", "Replaces a virtual tag"},
    {"DELETE", "/v1/virtual-tags/{id}", api_v1_tag_delete, FA_PERM_VTAGS_DELETE, V1 | FA_RT_NO_JSON,
     0, 0, 0, FA_ENV_V1, "204 400 403 404", "Deletes a virtual tag with its versions"},
    {"GET", "/v1/virtual-tags/{id}/metadata", api_v1_meta, FA_PERM_VTAGS_VIEW, V1, 0, 0, 0,
     FA_ENV_V1, "200 404", "Metadata of a virtual tag's values"},
    {"PUT", "/v1/virtual-tags/{id}/metadata", api_v1_meta_put, FA_PERM_VTAGS_EDIT, V1, 0, 0, 0,
     FA_ENV_V1, "200 400 403 404 413", "Replaces the metadata of values"},

    /* ---- virtual tags, version 2 ---- */
    {"GET", "/v2/virtual-tags", api_v2_tags, FA_PERM_VTAGS_VIEW, FA_RT_TOKEN, 50, 0, 0, FA_ENV_V2,
     "200", "Virtual tags"},
    {"POST", "/v2/virtual-tags", api_v2_tag_post, FA_PERM_VTAGS_CREATE, FA_RT_TOKEN, 50, 0,
     16 * MIB, FA_ENV_V2, "200 400 413 422", "Creates a virtual tag and its first version"},
    {"GET", "/v2/virtual-tags/{id}", api_v2_tag, FA_PERM_VTAGS_VIEW, FA_RT_TOKEN, 100, 0, 0,
     FA_ENV_V2, "200 404", "One virtual tag"},
    {"PUT", "/v2/virtual-tags/{id}", api_v2_tag_put, FA_PERM_VTAGS_EDIT, FA_RT_TOKEN, 100, 0,
     16 * MIB, FA_ENV_V2, "200 400 403 404 413 422", "Replaces a virtual tag by a new version"},
    {"DELETE", "/v2/virtual-tags/{id}", api_v2_tag_delete, FA_PERM_VTAGS_DELETE,
     FA_RT_TOKEN | FA_RT_NO_JSON, 100, 0, 0, FA_ENV_V2, "200 403 404 422",
     "Deletes a virtual tag with its versions"},
    {"GET", "/v2/virtual-tags/{id}/versions", api_v2_versions, FA_PERM_VTAGS_VIEW, FA_RT_TOKEN, 50,
     0, 0, FA_ENV_V2, "200 400 404", "Versions of a virtual tag"},
    {"GET", "/v2/virtual-tags/{vtagId}/versions/{id}", api_v2_version, FA_PERM_VTAGS_VIEW,
     FA_RT_TOKEN, 100, 0, 0, FA_ENV_V2, "200 404", "One version with its rules"},
    {"GET", "/v2/virtual-tags/{id}/metadata", api_v2_meta, FA_PERM_VTAGS_VIEW, FA_RT_TOKEN, 100, 0,
     0, FA_ENV_V2, "200 400", "Metadata of a virtual tag's values"},
    {"PUT", "/v2/virtual-tags/{id}/metadata", api_v2_meta_put, FA_PERM_VTAGS_EDIT, FA_RT_TOKEN, 100,
     0, 0, FA_ENV_V2, "200 400 403 413", "Replaces or merges the metadata of values"},

    /* ---- virtual tags, internal form ---- */
    {"GET", "/virtual-tags-service/virtual-tag", api_vt_list, FA_PERM_VTAGS_VIEW, INTERNAL, 0, 0, 0,
     FA_ENV_V1, "200", "Virtual tags, only the fields asked for"},
    {"GET", "/virtual-tags-service/virtual-tag/{id}", api_vt_get, FA_PERM_VTAGS_VIEW, INTERNAL, 0,
     0, 0, FA_ENV_V1, "200 404", "One virtual tag"},
    {"POST", "/virtual-tags-service/virtual-tag", api_vt_post, FA_PERM_VTAGS_CREATE, INTERNAL, 0, 0,
     16 * MIB, FA_ENV_V1, "200 400 413", "Creates a virtual tag"},
    {"PUT", "/virtual-tags-service/virtual-tag/{id}", api_vt_put, FA_PERM_VTAGS_EDIT, INTERNAL, 0,
     0, 16 * MIB, FA_ENV_V1, "200 400 403 404 413", "Replaces a virtual tag"},

    /* ---- the page: virtual tags ---- */
    {"GET", "/api/tags", api_tags, FA_PERM_VTAGS_VIEW, PAGE, 0, 0, 0, FA_ENV_PAGE, "200",
     "Virtual tags and their folders"},
    {"POST", "/api/tags", api_tag_post, FA_PERM_VTAGS_CREATE, PAGE, 0, 0, 64 * MIB, FA_ENV_PAGE,
     "201 400 409 413 422", "Creates a virtual tag"},
    {"GET", "/api/tags/graph", api_tag_graph, FA_PERM_VTAGS_VIEW, PAGE, 0, 0, 0, FA_ENV_PAGE, "200",
     "Which virtual tags read which"},
    {"POST", "/api/tags/preview", api_tag_preview, FA_PERM_VTAGS_VIEW, PAGE, 0, 0, 64 * MIB,
     FA_ENV_PAGE, "200 400 413 422", "What a draft of a virtual tag would say"},
    {"POST", "/api/tags/explain", api_tag_explain, FA_PERM_VTAGS_VIEW, PAGE, 0, 0, 0, FA_ENV_PAGE,
     "200 400 404 413 422", "Which rule of a virtual tag labelled a cost"},
    {"GET", "/api/tags/{id}", api_tag_get, FA_PERM_VTAGS_VIEW, PAGE, 0, 0, 0, FA_ENV_PAGE,
     "200 404", "A virtual tag's document"},
    {"PUT", "/api/tags/{id}", api_tag_put, FA_PERM_VTAGS_EDIT, PAGE, 0, 0, 64 * MIB, FA_ENV_PAGE,
     "200 400 404 409 413 422", "Saves a new version of a virtual tag"},
    {"DELETE", "/api/tags/{id}", api_tag_delete, FA_PERM_VTAGS_DELETE, PAGE | FA_RT_NO_JSON, 0, 0,
     0, FA_ENV_PAGE, "204 404 409", "Deletes a virtual tag that nothing uses"},
    {"POST", "/api/tags/{id}/undelete", api_tag_undelete, FA_PERM_VTAGS_DELETE, PAGE, 0, 0, 16384,
     FA_ENV_PAGE, "200 400 404 409 413 422", "Brings a deleted virtual tag back, within the hour"},
    {"POST", "/api/tags/{id}/duplicate", api_tag_duplicate, FA_PERM_VTAGS_CREATE, PAGE, 0, 0, 16384,
     FA_ENV_PAGE, "201 400 404 409 413 422", "Copies a virtual tag"},
    {"PUT", "/api/tags/{id}/name", api_tag_name, FA_PERM_VTAGS_EDIT, PAGE, 0, 0, 16384, FA_ENV_PAGE,
     "204 400 404 409 413", "Renames a virtual tag"},
    {"PUT", "/api/tags/{id}/folder", api_tag_folder, FA_PERM_VTAGS_EDIT, PAGE, 0, 0, 16384,
     FA_ENV_PAGE, "204 400 404 413 422", "Moves a virtual tag to a folder"},
    {"GET", "/api/tags/{id}/versions", api_tag_versions, FA_PERM_VTAGS_VIEW, PAGE, 0, 0, 0,
     FA_ENV_PAGE, "200 404", "Versions of a virtual tag"},
    {"GET", "/api/tags/{id}/versions/{version}", api_tag_version, FA_PERM_VTAGS_VIEW, PAGE, 0, 0, 0,
     FA_ENV_PAGE, "200 404", "One version with its document"},
    {"POST", "/api/tags/{id}/versions/{version}/publish", api_tag_publish, FA_PERM_VTAGS_EDIT, PAGE,
     0, 0, 16384, FA_ENV_PAGE, "200 400 404 409 413 422", "Makes a version live"},
    {"GET", "/api/tags/{id}/usage", api_tag_usage, FA_PERM_VTAGS_VIEW, PAGE, 0, 0, 0, FA_ENV_PAGE,
     "200 404", "Who uses a virtual tag"},
    {"PUT", "/api/tags/{id}/dictionary", api_tag_rows_put, FA_PERM_VTAGS_EDIT, PAGE | FA_RT_UPLOAD,
     0, 0, 256 * MIB, FA_ENV_PAGE, "200 400 404 413 422",
     "Replaces the rows of a dictionary or hierarchy"},
    {"GET", "/api/tags/{id}/dictionary.csv", api_tag_rows_csv, FA_PERM_VTAGS_VIEW, PAGE, 0, 0, 0,
     FA_ENV_PAGE, "200 404 422", "The rows of a dictionary or hierarchy"},
    {"GET", "/api/tags/{id}/rules.csv", api_tag_rules_csv, FA_PERM_VTAGS_VIEW, PAGE, 0, 0, 0,
     FA_ENV_PAGE, "200 404", "The rules of a virtual tag as CSV"},
    {"POST", "/api/tags/{id}/rules.csv", api_tag_rules_import, FA_PERM_VTAGS_EDIT,
     PAGE | FA_RT_UPLOAD, 0, 0, 64 * MIB, FA_ENV_PAGE, "200 400 404 409 413 422",
     "Stages rules from CSV and says what differs"},
    {"GET", "/api/tags/{id}/metadata", api_tag_meta, FA_PERM_VTAGS_VIEW, PAGE, 0, 0, 0, FA_ENV_PAGE,
     "200 404", "Metadata of a virtual tag's values"},
    {"PUT", "/api/tags/{id}/metadata", api_tag_meta_put, FA_PERM_VTAGS_EDIT, PAGE, 0, 0, 0,
     FA_ENV_PAGE, "200 400 404 413", "Changes the metadata of values"},
    {"POST", "/api/tag-folders", api_tag_folder_post, FA_PERM_FOLDERS_EDIT, PAGE, 0, 0, 16384,
     FA_ENV_PAGE, "201 400 409 413", "Creates a folder of virtual tags"},
    {"PUT", "/api/tag-folders/{id}", api_tag_folder_put, FA_PERM_FOLDERS_EDIT, PAGE, 0, 0, 16384,
     FA_ENV_PAGE, "200 400 404 409 413", "Renames a folder of virtual tags"},
    {"DELETE", "/api/tag-folders/{id}", api_tag_folder_delete, FA_PERM_FOLDERS_EDIT,
     PAGE | FA_RT_NO_JSON, 0, 0, 0, FA_ENV_PAGE, "204 404",
     "Deletes a folder; its virtual tags stay"},
    {"GET", "/api/drilldowns", api_drilldowns, FA_PERM_DRILLDOWN_VIEW, PAGE, 0, 0, 0, FA_ENV_PAGE,
     "200", "The way a click goes down, per cost center"},
    {"PUT", "/api/drilldowns", api_drilldowns_put, FA_PERM_DRILLDOWN_EDIT, PAGE, 0, 0, 0,
     FA_ENV_PAGE, "200 400 413 422", "Changes drilldown paths"},

    /* ---- custom costs ---- */
    {"GET", "/api/custom-costs", api_custom_costs, FA_PERM_COSTINPUT_VIEW, PAGE, 0, 0, 0,
     FA_ENV_PAGE, "200", "Entries and cost centers of custom costs"},
    {"POST", "/api/custom-costs", api_custom_cost_post, FA_PERM_COSTINPUT_EDIT, PAGE, 0, 0, 0,
     FA_ENV_PAGE, "201 400 413 422", "Enters a custom cost"},
    {"POST", "/api/custom-costs/preview", api_custom_cost_preview, FA_PERM_COSTINPUT_EDIT, PAGE, 0,
     0, 0, FA_ENV_PAGE, "200 400 413 422", "What an entry would cost, per day"},
    {"PUT", "/api/custom-costs/{id}", api_custom_cost_put, FA_PERM_COSTINPUT_EDIT, PAGE, 0, 0, 0,
     FA_ENV_PAGE, "200 400 404 413 422", "Changes a custom cost"},
    {"DELETE", "/api/custom-costs/{id}", api_custom_cost_delete, FA_PERM_COSTINPUT_EDIT,
     PAGE | FA_RT_NO_JSON, 0, 0, 0, FA_ENV_PAGE, "204 404", "Deletes a custom cost and its lines"},
    {"GET", "/api/custom-costs/{id}/versions", api_custom_cost_versions, FA_PERM_COSTINPUT_VIEW,
     PAGE, 0, 0, 0, FA_ENV_PAGE, "200 404", "Every state of a custom cost"},
    {"POST", "/api/custom-costs/{id}/undo", api_custom_cost_undo, FA_PERM_COSTINPUT_EDIT, PAGE, 0,
     0, 16384, FA_ENV_PAGE, "200 400 404 413 422", "The state before the last change again"},
    {"POST", "/api/custom-centers", api_custom_center_post, FA_PERM_COSTINPUT_EDIT, PAGE, 0, 0, 0,
     FA_ENV_PAGE, "201 400 409 413", "Makes a custom cost center"},
    {"PUT", "/api/custom-centers/{id}", api_custom_center_put, FA_PERM_COSTINPUT_EDIT, PAGE, 0, 0,
     0, FA_ENV_PAGE, "200 400 404 413 422", "Changes the mapping of a custom cost center"},
    {"DELETE", "/api/custom-centers/{id}", api_custom_center_delete, FA_PERM_COSTINPUT_EDIT,
     PAGE | FA_RT_NO_JSON, 0, 0, 0, FA_ENV_PAGE, "204 404",
     "Deletes a custom cost center and its lines"},
    {"GET", "/api/custom-centers/{id}/files", api_custom_files, FA_PERM_COSTINPUT_VIEW, PAGE, 0, 0,
     0, FA_ENV_PAGE, "200 404", "Files of a custom cost center"},
    {"POST", "/api/custom-centers/{id}/files", api_custom_file_post, FA_PERM_COSTINPUT_EDIT,
     PAGE | FA_RT_UPLOAD, 0, 0, 256 * MIB, FA_ENV_PAGE, "200 400 404 413 422",
     "Uploads a file of costs, or tries it"},
    {"DELETE", "/api/custom-centers/{id}/files/{name}", api_custom_file_delete,
     FA_PERM_COSTINPUT_EDIT, PAGE | FA_RT_NO_JSON, 0, 0, 0, FA_ENV_PAGE, "204 404",
     "Takes a file of costs out"},
    {"POST", "/api/custom-centers/{id}/files/{name}/undo", api_custom_file_undo,
     FA_PERM_COSTINPUT_EDIT, PAGE, 0, 0, 16384, FA_ENV_PAGE, "204 400 404 413 422",
     "The earlier content of a file again"},
    {"PUT", "/v1/custom-costs/{center}/files/{name}", api_v1_custom_file, FA_PERM_COSTINPUT_EDIT,
     V1 | FA_RT_UPLOAD, 0, 0, 256 * MIB, FA_ENV_V1, "200 400 404 413",
     "Pushes a file of costs with a token"},

    /* ---- operation ---- */
    {"GET", "/healthz", api_healthz, FA_PERM_PUBLIC, FA_RT_INLINE, 0, 0, 0, FA_ENV_V2, "200",
     "Is the server well"},
    {"GET", "/metrics", api_metrics, FA_PERM_PUBLIC, FA_RT_INLINE | FA_RT_LOOPBACK, 0, 0, 0,
     FA_ENV_V2, "200", "Prometheus metrics, for this machine only"},
    {0},
};

/* The page routes in the browser; each of these addresses is its index.html. */
const char *const fa_page_paths[] = {"/",
                                     "/signin",
                                     "/megabill",
                                     "/views",
                                     "/bills",
                                     "/bills/{id}",
                                     "/virtual-tags",
                                     "/virtual-tags/{id}",
                                     "/telemetry",
                                     "/custom-costs",
                                     "/drilldowns",
                                     "/tokens",
                                     "/settings",
                                     "/app",
                                     "/app/total-cost",
                                     "/app/dashboards/{id}",
                                     NULL};

static void put_flags(fa_jw *w, unsigned flags)
{
    static const struct {
        unsigned bit;
        const char *name;
    } names[] = {{FA_RT_TOKEN, "token"},
                 {FA_RT_SESSION, "session"},
                 {FA_RT_UPLOAD, "upload"},
                 {FA_RT_KEY_LIMIT, "keyLimit"},
                 {FA_RT_LOOPBACK, "loopback"}};

    fa_jw_key(w, "flags");
    fa_jw_arr(w);
    for (size_t i = 0; i < FA_COUNT(names); i++)
        if (flags & names[i].bit)
            fa_jw_z(w, names[i].name);
    fa_jw_end_arr(w);
}

void fa_routes_json(fa_jw *w)
{
    fa_jw_arr(w);
    for (const fa_route *r = fa_routes; r->method; r++) {
        fa_buf codes = {0};

        fa_route_codes(r, &codes);
        fa_jw_obj(w);
        put_z(w, "method", r->method);
        put_z(w, "path", r->path);
        put_z(w, "permission", fa_perm_name(r->perm));
        put_flags(w, r->flags);
        put_int(w, "perMinute", r->per_minute);
        put_int(w, "perDay", r->per_day);
        put_int(w, "bodyMax", (int64_t)(r->body_max ? r->body_max : MIB));
        put_str(w, "codes", fa_buf_view(&codes));
        put_z(w, "doc", r->doc);
        fa_jw_end_obj(w);
        fa_buf_release(&codes);
    }
    fa_jw_end_arr(w);
}
