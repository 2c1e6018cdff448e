/*
 * access.h - who is calling and what they may: sign-in, sessions, tokens, permissions, row rules.
 *
 * A fa_caller can only be made here; a handler and the query compiler take one. The access issue fills
 * groups and row rules; until then every caller's scope is "all rows".
 */
#ifndef FA_ACCESS_H
#define FA_ACCESS_H

#include "base/base.h"
#include "ledger/ledger.h"
#include "query/query.h"

/* Permission keys of access.md 1.3, a closed enum: identifier, wire text, default roles that hold it (A admin, B basic,
 * R read-only, T api-token), area, what it allows. One more is one more row, here and nowhere else. */
#define FA_PERMS(X) \
    X(PUBLIC, "public", "ABRT", "", "Anybody") \
    X(SELF, "self", "ABRT", "", "Anybody who is signed in") \
    X(DASHBOARDS_VIEW, "dashboards.view", "ABR", "Dashboards", "See dashboards") \
    X(DASHBOARDS_CREATE, "dashboards.create", "AB", "Dashboards", "Make dashboards, from scratch or as a copy, and build widgets") \
    X(DASHBOARDS_EDIT, "dashboards.edit", "AB", "Dashboards", "Change dashboards and their widgets, share them") \
    X(DASHBOARDS_DELETE, "dashboards.delete", "AB", "Dashboards", "Delete dashboards") \
    X(VTAGS_VIEW, "vtags.view", "ABRT", "Virtual tags", "See virtual tags") \
    X(VTAGS_CREATE, "vtags.create", "ABT", "Virtual tags", "Make virtual tags") \
    X(VTAGS_EDIT, "vtags.edit", "ABT", "Virtual tags", "Change virtual tags") \
    X(VTAGS_DELETE, "vtags.delete", "ABT", "Virtual tags", "Delete virtual tags") \
    X(VIEWS_MANAGE, "views.manage", "AB", "Views", "Save, change, rename and delete views") \
    X(VIEWS_VIEW, "views.view", "ABRT", "Views", "See saved views") \
    X(ANOMALIES_VIEW, "anomalies.view", "ABR", "Anomalies", "See anomalies") \
    X(ANOMALIES_FEED_VIEW, "anomalies.feed.view", "ABR", "Anomalies", "See the feed of anomalies") \
    X(ANOMALIES_MANAGE_VIEW, "anomalies.manage.view", "ABR", "Anomalies", "See the alerts on anomalies") \
    X(ANOMALIES_CREATE, "anomalies.create", "AB", "Anomalies", "Make and copy alerts on anomalies") \
    X(ANOMALIES_EDIT, "anomalies.edit", "AB", "Anomalies", "Change, switch and comment alerts on anomalies") \
    X(ANOMALIES_DELETE, "anomalies.delete", "A", "Anomalies", "Delete from the feed") \
    X(ANOMALIES_CLEAR, "anomalies.clear", "A", "Anomalies", "Empty the feed") \
    X(BUDGETS_EDIT, "budgets.edit", "A", "Budgets", "Change budgets") \
    X(BUDGETS_CREATE_DELETE, "budgets.create_delete", "A", "Budgets", "Make and delete budgets") \
    X(EXPLORERS_VIEW, "explorers.view", "ABR", "Data explorer", "See data explorers") \
    X(EXPLORERS_CREATE, "explorers.create", "AB", "Data explorer", "Make data explorers") \
    X(EXPLORERS_EDIT, "explorers.edit", "AB", "Data explorer", "Change data explorers") \
    X(EXPLORERS_DELETE, "explorers.delete", "AB", "Data explorer", "Delete data explorers") \
    X(PLANS_VIEW, "plans.view", "ABR", "Financial plans", "See financial plans") \
    X(PLANS_LINES_EDIT, "plans.lines.edit", "A", "Financial plans", "Change any line of a plan") \
    X(PLANS_LINES_EDIT_OWN_GROUP, "plans.lines.edit_own_group", "AB", "Financial plans", "Change lines of the own groups") \
    X(PLANS_CREATE, "plans.create", "A", "Financial plans", "Make financial plans") \
    X(PLANS_DELETE, "plans.delete", "A", "Financial plans", "Delete financial plans") \
    X(PLANS_LINES_TOGGLE, "plans.lines.toggle", "A", "Financial plans", "Switch lines of a plan on and off") \
    X(PLANS_SETTINGS, "plans.settings", "A", "Financial plans", "Change the settings of a plan") \
    X(PLANS_UPLOAD, "plans.upload", "A", "Financial plans", "Upload lines of a plan as CSV") \
    X(COMMITMENTS_VIEW, "commitments.view", "ABR", "Commitments", "See commitments") \
    X(COMMITMENTS_LOG_VIEW, "commitments.log.view", "ABR", "Commitments", "See the log of commitments") \
    X(COST_QUERY, "cost.query", "ABRT", "Costs", "Ask for costs") \
    X(COST_EXPORT, "cost.export", "AB", "Costs", "Export costs") \
    X(DRILLDOWN_VIEW, "drilldown.view", "ABR", "Drilldowns", "See custom drilldowns and dimension sets") \
    X(DRILLDOWN_EDIT, "drilldown.edit", "AB", "Drilldowns", "Change custom drilldowns and dimension sets") \
    X(REALLOC_VIEW, "realloc.view", "ABR", "Reallocation", "See how shared cost is reallocated") \
    X(REALLOC_EDIT, "realloc.edit", "AB", "Reallocation", "Change how shared cost is reallocated") \
    X(COSTINPUT_VIEW, "costinput.view", "ABR", "Custom costs", "See custom costs") \
    X(COSTINPUT_EDIT, "costinput.edit", "A", "Custom costs", "Enter custom costs") \
    X(COSTGUARD_VIEW, "costguard.view", "ABRT", "CostGuard", "See scans and recommendations") \
    X(COSTGUARD_SCAN_EDIT, "costguard.scan.edit", "A", "CostGuard", "Change scans") \
    X(COSTGUARD_RECOMMENDATION_EDIT, "costguard.recommendation.edit", "AB", "CostGuard", "Set status and assignee of recommendations, dismiss them") \
    X(COSTGUARD_CONNECT, "costguard.connect", "A", "CostGuard", "Connect what scans need") \
    X(REPORTS_VIEW, "reports.view", "ABR", "Reports", "See reports and exports") \
    X(REPORTS_CREATE, "reports.create", "AB", "Reports", "Make reports and exports") \
    X(REPORTS_EDIT, "reports.edit", "AB", "Reports", "Change reports and exports") \
    X(REPORTS_DELETE, "reports.delete", "AB", "Reports", "Delete reports and exports") \
    X(TAGGOV_VIEW, "taggov.view", "ABR", "Tag governance", "See tag governance") \
    X(TAGGOV_EDIT, "taggov.edit", "AB", "Tag governance", "Change tag governance") \
    X(FOLDERS_EDIT, "folders.edit", "AB", "Folders", "Make, rename and delete folders, move objects") \
    X(COSTCENTERS_VIEW, "costcenters.view", "ABR", "Cost centers", "See sources of bills and their loads") \
    X(COSTCENTERS_CREATE, "costcenters.create", "A", "Cost centers", "Upload and load bills, make connections") \
    X(COSTCENTERS_EDIT, "costcenters.edit", "A", "Cost centers", "Change sources and connections") \
    X(COSTCENTERS_DELETE, "costcenters.delete", "A", "Cost centers", "Delete sources and connections") \
    X(TELEMETRY_VIEW, "telemetry.view", "ABRT", "Telemetry", "See telemetry") \
    X(TELEMETRY_EDIT, "telemetry.edit", "A", "Telemetry", "Change telemetry and its points") \
    X(ENDPOINTS_VIEW, "endpoints.view", "ABRT", "Endpoints", "See endpoints") \
    X(ENDPOINTS_CREATE, "endpoints.create", "AB", "Endpoints", "Make endpoints") \
    X(ENDPOINTS_EDIT, "endpoints.edit", "AB", "Endpoints", "Change endpoints") \
    X(ENDPOINTS_DELETE, "endpoints.delete", "AB", "Endpoints", "Delete endpoints") \
    X(ENDPOINTS_TEST, "endpoints.test", "AB", "Endpoints", "Send a test to an endpoint") \
    X(ENDPOINTS_ANY_KIND, "endpoints.any_kind", "A", "Endpoints", "The four above for every kind of endpoint, not only Slack") \
    X(APPS_VIEW, "apps.view", "AB", "Apps", "See app integrations") \
    X(APPS_CONNECT, "apps.connect", "A", "Apps", "Connect apps") \
    X(VAULT_WRITE, "vault.write", "A", "Vault", "Put secrets into the vault") \
    X(VAULT_LIST, "vault.list", "A", "Vault", "List the vault's secrets, never their values") \
    X(EDP_VIEW, "edp.view", "ABR", "Discounts and cost types", "See discounts and cost types") \
    X(EDP_EDIT, "edp.edit", "A", "Discounts and cost types", "Change discounts and cost types") \
    X(ACCOUNT_VIEW, "account.view", "ABR", "Account", "See the account's settings") \
    X(ACCOUNT_EDIT, "account.edit", "A", "Account", "Change the account's settings") \
    X(USERS_VIEW, "users.view", "AB", "Users", "See users") \
    X(USERS_INVITE, "users.invite", "A", "Users", "Invite users") \
    X(USERS_EDIT_ROLES, "users.edit_roles", "A", "Users", "Change users and their roles") \
    X(USERS_LOCK, "users.lock", "A", "Users", "Lock, unlock, disable and enable users") \
    X(USERS_DELETE, "users.delete", "A", "Users", "Delete users") \
    X(ROLES_VIEW, "roles.view", "A", "Roles", "See roles") \
    X(ROLES_EDIT, "roles.edit", "A", "Roles", "Make, change and delete roles") \
    X(GROUPS_MANAGE, "groups.manage", "A", "Groups", "Groups, their roles and members, data access") \
    X(SSO_EDIT, "sso.edit", "A", "Security", "Single sign-on") \
    X(SCIM_EDIT, "scim.edit", "A", "Security", "Provisioning by SCIM") \
    X(SECURITY_EDIT, "security.edit", "A", "Security", "The security policy") \
    X(SESSIONS_REVOKE, "sessions.revoke", "A", "Security", "End other people's sessions") \
    X(AUDIT_VIEW, "audit.view", "A", "Audit", "Read the audit log") \
    X(AUDIT_EXPORT, "audit.export", "A", "Audit", "Export the audit log") \
    X(AI_USE, "ai.use", "ABR", "AI", "Use AI features") \
    X(AI_OPTIN, "ai.optin", "A", "AI", "Switch AI features on and off") \
    X(TOKENS_ACCOUNT_MANAGE, "tokens.account.manage", "A", "Tokens", "API tokens of the account") \
    X(TOKENS_PERSONAL_MANAGE, "tokens.personal.manage", "ABR", "Tokens", "Own personal tokens")
typedef enum {
#define X(id, name, who, area, what) FA_PERM_##id,
    FA_PERMS(X)
#undef X
    FA_PERM__COUNT
} fa_perm;
typedef struct fa_perm_info { const char *name, *who, *area, *what; } fa_perm_info;
const char *fa_perm_name(fa_perm p);
const fa_perm_info *fa_perm_get(fa_perm p);
bool fa_perm_find(fa_str name, fa_perm *out); /* false: no such permission */

/* A set of permissions. */
typedef struct fa_perms { uint64_t w[2]; } fa_perms;
static inline bool fa_perms_has(const fa_perms *s, fa_perm p) { return (unsigned)p < FA_PERM__COUNT && (s->w[p / 64] >> (p % 64) & 1); }
static inline void fa_perms_add(fa_perms *s, fa_perm p) { s->w[p / 64] |= (uint64_t)1 << (p % 64); }

/* Default roles: "admin", "basic", "read-only", "api-token"; nobody can change or delete them. */
typedef struct fa_role {
    const char *key, *name, *doc;
    fa_perms    perms;
} fa_role;
const fa_role *fa_roles(size_t *n);
bool fa_role_exists(fa_str role);
bool fa_role_has(fa_str role, fa_perm p);

typedef struct fa_caller {
    enum { FA_CALLER_NONE, FA_CALLER_USER, FA_CALLER_TOKEN, FA_CALLER_SYSTEM } kind;
    fa_str id, name, email, role; /* token: id, description, synthetic e-mail */
    fa_str client_id;             /* token */
    fa_str account;
    fa_str session_hash;          /* user with a session */
} fa_caller;
bool fa_caller_may(const fa_caller *c, fa_perm p);
/* The row rules as a filter; NULL: all rows. Every query path calls this and puts it in plan.scope. */
FA_MUST_CHECK fa_rc fa_caller_scope(fa_ledger *l, fa_arena *a, const fa_caller *c, const fa_filter **out, fa_err *e);
fa_caller fa_caller_system(fa_ledger *l); /* the command line of the installation's owner */

/* ---- tokens ---- */
typedef struct fa_new_token { fa_str id, client_id, secret; } fa_new_token; /* the only time the secret is seen */
/* expires_ms -1: never. FA_EINVAL bad role, description empty or > 200 bytes, expiry in the past. */
FA_MUST_CHECK fa_rc fa_token_create(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_str description, fa_str role,
                                    int64_t expires_ms, fa_new_token *out, fa_err *e);
/* FA_EAUTH for unknown, wrong, expired, revoked: one message for all. Takes the same time for each. */
FA_MUST_CHECK fa_rc fa_token_check(fa_ledger *l, fa_arena *a, fa_str client_id, fa_str secret, fa_caller *out, fa_err *e);

/* ---- users and sessions ---- */
/* First administrator and a one-time sign-in secret (256 bit, URL-safe text), good for 7 days. */
FA_MUST_CHECK fa_rc fa_admin_init(fa_ledger *l, fa_arena *a, fa_str email, fa_str *link_secret, fa_err *e);
FA_MUST_CHECK fa_rc fa_signin_link_new(fa_ledger *l, fa_arena *a, fa_str email, fa_str *link_secret, fa_err *e);
/* Takes the link, sets the password (rules PW-4, PW-5), opens a session. */
FA_MUST_CHECK fa_rc fa_signin_link(fa_ledger *l, fa_arena *a, fa_str link_secret, fa_str password, fa_str agent, fa_str ip,
                                   fa_str *session_secret, fa_err *e);
/* Password sign-in: RL-1 delays, same answer for every failure (FA_EAUTH), FA_ELIMIT when told to wait. */
FA_MUST_CHECK fa_rc fa_signin_password(fa_ledger *l, fa_arena *a, fa_str email, fa_str password, fa_str agent, fa_str ip,
                                       fa_str *session_secret, fa_err *e);
/* FA_EAUTH: none, ended, idle over 60 min, older than 24 h. */
FA_MUST_CHECK fa_rc fa_session_check(fa_ledger *l, fa_arena *a, fa_str session_secret, fa_caller *out, fa_err *e);
/* After FA_ELIMIT of a sign-in: how long to wait, in ms (for Retry-After). */
int64_t fa_signin_wait(fa_str email, fa_str ip);
FA_MUST_CHECK fa_rc fa_signout(fa_ledger *l, const fa_caller *c, fa_err *e);
FA_MUST_CHECK fa_rc fa_password_change(fa_ledger *l, fa_arena *a, const fa_caller *c, fa_str current, fa_str next, fa_err *e);

#endif
