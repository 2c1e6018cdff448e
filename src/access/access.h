/*
 * access.h - who may see and do what: sign-in, sessions, tokens, permissions, groups, row rules, access lists, audit.
 *
 * Four layers decide (spec access.md): account, permission, access list of the object, row rules. A
 * fa_caller can only be made here. The gate (http/gate.c) asks for the permission of the route's row; a
 * handler asks fa_acl_* for objects and puts fa_caller_scope into every plan.
 *
 * Whatever changes something runs as: fa_store_begin, change, fa_audit_add, fa_store_commit. The functions
 * here that say "audited" do that themselves. "Groups" of the page are `team` in code and tables.
 */
#ifndef FA_ACCESS_H
#define FA_ACCESS_H

#include "base/base.h"
#include "ledger/ledger.h"
#include "net/net.h"
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

/* Roles: the default ones "admin", "basic", "read-only", "api-token", which nobody can change or delete, and the
 * account's own. key is what users, groups and tokens refer to. */
typedef struct fa_role {
    const char *key, *name, *doc;
    int         level; /* lower is stronger: nobody gives a role stronger than the strongest of his own */
    fa_perms    perms;
} fa_role;
const fa_role *fa_roles(size_t *n); /* the default ones */
bool fa_role_exists(fa_str role);   /* a default one */
bool fa_role_has(fa_str role, fa_perm p);
/* Union of a list of roles with spaces between; an unknown one gives nothing. *level: of the strongest (may be NULL). */
FA_MUST_CHECK fa_rc fa_roles_perms(fa_ledger *l, fa_arena *a, fa_str roles, fa_perms *out, int *level, fa_err *e);
bool fa_list_has(fa_str list, fa_str word);    /* lists have spaces between */
bool fa_list_next(fa_str *list, fa_str *word); /* takes the next word off */

typedef struct fa_caller {
    enum { FA_CALLER_NONE, FA_CALLER_USER, FA_CALLER_TOKEN, FA_CALLER_SYSTEM } kind;
    fa_str id, name, email;       /* token: id, description, synthetic e-mail */
    fa_str role;                  /* the first of `roles`, for show */
    fa_str roles;                 /* own ones and those of groups, with spaces between */
    fa_perms perms;
    fa_str teams;                 /* ids of the groups (user: member of; token: bound to) */
    fa_str client_id;             /* token */
    fa_str user_id;               /* the person: of a user or a personal token; empty for the account's tokens */
    fa_str account;
    fa_str session_hash;          /* user with a session */
    fa_str at;                    /* which account the session is in; empty: the first */
    fa_str view_as;               /* of a session that is in another account: whose eyes there */
    fa_str behalf;                /* an administrator looks through this user's eyes: the administrator's id */
    int64_t proved_ms;            /* when the person last gave a password or a code; -1: not by a person */
    int64_t enroll_by_ms;         /* a second factor is wanted by then, and he has none; 0: no */
    fa_str ip, agent, request_id; /* for the audit log; may be empty */
    const char *source;           /* "page", "api", "command", "job" */
} fa_caller;
bool fa_caller_may(const fa_caller *c, fa_perm p);
bool fa_caller_is_admin(const fa_caller *c); /* has the default role admin, or is the command line */
/* FA_EFORBIDDEN: the roles hold a permission or a level the caller has not; FA_EINVAL: one does not exist. */
FA_MUST_CHECK fa_rc fa_caller_may_give(fa_ledger *l, fa_arena *a, const fa_caller *c, fa_str roles, fa_err *e);
/* A copy that outlives the request: for jobs. */
FA_MUST_CHECK fa_rc fa_caller_dup(fa_arena *a, const fa_caller *c, fa_caller *out, fa_err *e);
/* The caller as the store knows it now: roles, groups and state may have changed since. FA_EAUTH: is no more. For jobs. */
FA_MUST_CHECK fa_rc fa_caller_fresh(fa_ledger *l, fa_arena *a, const fa_caller *c, fa_caller *out, fa_err *e);
/* As a user is (command line --as, "view as"); FA_ENOTFOUND. email may be an id. */
FA_MUST_CHECK fa_rc fa_caller_user(fa_ledger *l, fa_arena *a, fa_str email, fa_caller *out, fa_err *e);
fa_caller fa_caller_system(fa_ledger *l); /* the command line of the installation's owner */

/* ---- row rules (access.md 4) ----
 * The rules as a filter; NULL: all rows. Every query path calls this and puts it in plan.scope. The filter
 * lives in the arena, no catalog has to be kept. Read from the store each time: a change acts on the next call. */
FA_MUST_CHECK fa_rc fa_caller_scope(fa_ledger *l, fa_arena *a, const fa_caller *c, const fa_filter **out, fa_err *e);
/* The rules as text, equal for equal rights; "all", "none", or the filters: for cache keys and to see a change. */
FA_MUST_CHECK fa_rc fa_caller_scope_text(fa_ledger *l, fa_arena *a, const fa_caller *c, fa_str *out, fa_err *e);
FA_MUST_CHECK fa_rc fa_caller_sees_all(fa_ledger *l, fa_arena *a, const fa_caller *c, bool *out, fa_err *e);
/* May this caller see that the key exists: has it a value in a row he may see? */
FA_MUST_CHECK fa_rc fa_caller_sees_key(fa_ledger *l, fa_arena *a, const fa_filter *scope, const fa_key *k, bool *out, fa_err *e);
/* A rule as it is applied: missing keys never match. FA_EINVAL as fa_filter_parse. */
FA_MUST_CHECK fa_rc fa_scope_parse(fa_ledger *l, fa_arena *a, const json_t *filter, const fa_filter **out, fa_err *e);
FA_MUST_CHECK fa_rc fa_data_access_get(fa_ledger *l, fa_arena *a, bool *on, fa_err *e);
/* Audited. Switching on makes the Admin Group with `by` in it, if there is none. */
FA_MUST_CHECK fa_rc fa_data_access_set(fa_ledger *l, fa_arena *a, const fa_caller *by, bool on, fa_err *e);
/* 4.5: changing a definition that a row rule reads needs groups.manage, one that the account's discounts hang on edp.edit. kind "virtual_tag", id or name of the tag.
 * *by (may be NULL): names of the groups. FA_EFORBIDDEN when used and the caller may not. */
FA_MUST_CHECK fa_rc fa_scope_guard(fa_ledger *l, fa_arena *a, const fa_caller *c, fa_str kind, fa_str id, fa_str name, fa_err *e);

/* ---- access lists of objects (access.md 5) ----
 * kind: "view", "virtual_tag", "dashboard", ...; one word, the same everywhere. An object without a list is open. */
typedef enum { FA_ACL_PUBLIC, FA_ACL_SHARED, FA_ACL_PRIVATE } fa_acl_type;
typedef struct fa_acl_axis { fa_acl_type type; fa_str users, teams; /* ids with spaces between */ } fa_acl_axis;
typedef struct fa_acl { fa_str owner; fa_acl_axis read, write; bool absent; /* no list was ever set */ } fa_acl;
const char *fa_acl_type_name(fa_acl_type t);
/* In the transaction that makes the object: the owner is `by`, the list the account's default (or `wish`). */
FA_MUST_CHECK fa_rc fa_acl_new(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_str kind, fa_str id, const fa_acl *wish, fa_err *e);
FA_MUST_CHECK fa_rc fa_acl_drop(fa_ledger *l, fa_str kind, fa_str id, fa_err *e); /* with the object */
FA_MUST_CHECK fa_rc fa_acl_get(fa_ledger *l, fa_arena *a, fa_str kind, fa_str id, fa_acl *out, fa_err *e);
/* FA_EINVAL: write is wider than read; FA_ENOTFOUND: a user or group of it does not exist. Not audited, own transaction. */
FA_MUST_CHECK fa_rc fa_acl_set(fa_ledger *l, fa_arena *a, fa_str kind, fa_str id, const fa_acl *v, fa_err *e);
bool fa_acl_may_read(const fa_acl *v, const fa_caller *c);
bool fa_acl_may_write(const fa_acl *v, const fa_caller *c);
/* The two a handler needs. Unreadable: FA_ENOTFOUND, as if there were none; unwritable: FA_EFORBIDDEN. */
FA_MUST_CHECK fa_rc fa_acl_read(fa_ledger *l, fa_arena *a, const fa_caller *c, fa_str kind, fa_str id, fa_err *e);
FA_MUST_CHECK fa_rc fa_acl_write(fa_ledger *l, fa_arena *a, const fa_caller *c, fa_str kind, fa_str id, fa_err *e);
/* {"read":{"type","users","groups"},"write":{..},"owner"} both ways. FA_EINVAL names the field. */
void fa_acl_json(fa_jw *w, const fa_acl *v);
FA_MUST_CHECK fa_rc fa_acl_parse(fa_arena *a, const json_t *j, fa_acl *out, fa_err *e);
FA_MUST_CHECK fa_rc fa_acl_default(fa_ledger *l, fa_arena *a, fa_acl *out, fa_err *e);
FA_MUST_CHECK fa_rc fa_acl_default_set(fa_ledger *l, fa_arena *a, const fa_acl *v, fa_err *e);

/* ---- the audit log (security.md 3.12) ---- */
typedef struct fa_audit {
    const char *action;             /* "view.create" */
    const char *object_type;        /* "view" */
    fa_str      object_id, object_name;
    fa_str      before, after;      /* JSON; secrets never, not even hashed */
    const char *outcome;            /* NULL: "done"; "denied", "failed" */
    const char *severity;           /* NULL: "info"; "medium", "high", "critical" */
} fa_audit;
/* Inside the transaction of the change, or in one of its own. If it cannot be written, the change must not be. */
FA_MUST_CHECK fa_rc fa_audit_add(fa_ledger *l, const fa_caller *by, const fa_audit *v, fa_err *e);
unsigned fa_audit_written(void); /* how many this thread has written: tells whether a handler wrote one */
/* A refusal by the gate; a flood of them is counted, not written. Never fails. */
void fa_audit_denied(fa_ledger *l, const fa_caller *by, fa_str what, const char *why);
typedef struct fa_audit_report { int64_t rows, bad_seq; /* -1: the chain holds */ fa_str last_hash, why; } fa_audit_report;
FA_MUST_CHECK fa_rc fa_audit_verify(fa_ledger *l, fa_arena *a, fa_audit_report *out, fa_err *e);

/* ---- other accounts (member.c) ----
 * People sign in at the first account (fa_ledger_home); another has members of them under the same ids. */
#define FA_ACCOUNTS_MAX 200
bool fa_ledger_is_first(fa_ledger *l);
/* The caller as a member of l: `person` is what fa_session_check gave at the first account. FA_EAUTH: no member (any more). */
FA_MUST_CHECK fa_rc fa_member_check(fa_ledger *l, fa_arena *a, const fa_caller *person, fa_caller *out, fa_err *e);
/* Somebody who signs in to the installation becomes a member. FA_EINVAL: nobody has this address; FA_ECONFLICT: is one. Audited. */
FA_MUST_CHECK fa_rc fa_member_add(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_str email, fa_str roles, fa_str *id, fa_err *e);
FA_MUST_CHECK fa_rc fa_member_left(fa_ledger *l, fa_str user, fa_err *e); /* out of the directory; nothing to do at the first account */
/* Moves the caller's session there; empty: to the first account. The caller proves before that he may. Audited. */
FA_MUST_CHECK fa_rc fa_account_go(fa_ledger *home, const fa_caller *c, fa_str id, fa_err *e);
/* A new account in a folder of its own, accounts/ID. FA_ECONFLICT the name; FA_ELIMIT. Audited, as renaming is. */
FA_MUST_CHECK fa_rc fa_account_make(fa_ledger *home, fa_arena *a, const fa_caller *by, fa_str name, fa_str *id, fa_err *e);
FA_MUST_CHECK fa_rc fa_account_name(fa_ledger *home, fa_arena *a, const fa_caller *by, fa_str id, fa_str name, fa_err *e);
FA_MUST_CHECK fa_rc fa_account_dir(fa_ledger *home, fa_arena *a, fa_str id, const char **out, fa_err *e);
/* Opens its folder; the home outlives it. Closed with fa_ledger_close. */
FA_MUST_CHECK fa_rc fa_account_open(fa_ledger *home, fa_arena *a, const fa_place *p, fa_ledger **out, fa_err *e);

/* ---- mail: the account's server, the queue (at most 500 wait), notices of changes ----
 * A message is sealed in the queue and gone when sent; the log has its id and kind. */
typedef struct fa_mail_server {
    fa_str  host;                   /* empty: no mail */
    int64_t port;
    fa_str  security;               /* "starttls", "tls", "none" */
    fa_str  user, from, from_name;
    fa_str  sealed;                 /* the password; empty: none */
} fa_mail_server;
FA_MUST_CHECK fa_rc fa_mail_get(fa_ledger *l, fa_arena *a, fa_mail_server *out, fa_err *e);
/* Audited. An empty password keeps the one there is, as long as host, port, security and user stay. */
FA_MUST_CHECK fa_rc fa_mail_set(fa_ledger *l, fa_arena *a, const fa_caller *by, const fa_mail_server *v, fa_str password, fa_err *e);
FA_MUST_CHECK fa_rc fa_mail_is_on(fa_ledger *l, fa_arena *a, bool *on, fa_err *e);
/* kind "invite", "reset". FA_ELIMIT: the queue is full. */
FA_MUST_CHECK fa_rc fa_mail_link(fa_ledger *l, fa_arena *a, const char *kind, fa_str to, fa_str url, int64_t for_ms, fa_err *e);
FA_MUST_CHECK fa_rc fa_mail_test(fa_ledger *l, fa_arena *a, fa_net *net, fa_str to, fa_err *e); /* at once; FA_EDATA: why not */
/* Tries the first message that is due; *did: there was one. */
FA_MUST_CHECK fa_rc fa_mail_step(fa_ledger *l, fa_arena *a, fa_net *net, const volatile bool *cancel, bool *did, fa_err *e);
FA_MUST_CHECK fa_rc fa_mail_forget(fa_ledger *l, fa_err *e); /* what was done 30 days ago */

/* ---- the security policy (access.md 2.5; defaults of security.md) ---- */
typedef struct fa_policy {
    int64_t min_length;             /* of a password that is the only factor; 8 with a second one */
    int64_t idle_minutes, absolute_minutes, max_sessions;
    fa_str  mfa;                    /* "DontForce", "ForceAdmins", "ForceExceptSSO", "Force" */
    int64_t mfa_grace_days;         /* so long may whom it is new to go on without */
    int64_t mfa_since_ms;           /* when `mfa` was last changed; not a setting */
    bool    remember_device; int64_t remember_days;
    fa_str  ip_allow, ip_block;     /* with spaces between */
    fa_str  email_domains;          /* that may be invited; empty: any */
    bool    tokens_never;           /* tokens without an end are allowed */
    int64_t token_concurrent;       /* 0: as the server was started */
    int64_t invite_hours;
    fa_str  join_roles;             /* of who comes by a link */
    bool    sso_only;               /* passwords are refused, but for who is in sso_except */
    fa_str  sso_except;             /* e-mail addresses of one to three administrators, with spaces between */
} fa_policy;
FA_MUST_CHECK fa_rc fa_policy_get(fa_ledger *l, fa_arena *a, fa_policy *out, fa_err *e);
/* Audited. Fields that are absent stay. FA_EINVAL names the field; FA_ECONFLICT: the caller's own address would be shut out. */
FA_MUST_CHECK fa_rc fa_policy_set(fa_ledger *l, fa_arena *a, const fa_caller *by, const json_t *j, fa_err *e);
void fa_policy_json(fa_jw *w, const fa_policy *p);
bool fa_ip_in(fa_str ip, fa_str list); /* addresses and CIDR networks, IPv4 and IPv6, with spaces between */
bool fa_ip_list_ok(fa_str list);

/* ---- tokens ---- */
#define FA_CLIENT_MARK 8 /* a client id of another account begins with so many digits of the account's id */
typedef struct fa_new_token { fa_str id, client_id, secret; } fa_new_token; /* the only time the secret is seen */
typedef struct fa_token_wish {
    fa_str  description, roles;
    bool    personal;               /* of the caller himself */
    bool    all_data;               /* account token: every row; else those of `teams` */
    fa_str  teams, ip_allow;
    int64_t expires_ms;             /* -1: never */
} fa_token_wish;
/* FA_EINVAL bad role, description empty or > 200 bytes, expiry in the past; FA_EFORBIDDEN more than the caller has. Audited. */
FA_MUST_CHECK fa_rc fa_token_make(fa_ledger *l, fa_arena *a, const fa_caller *by, const fa_token_wish *w, fa_new_token *out, fa_err *e);
/* An account token that sees what its maker sees. */
FA_MUST_CHECK fa_rc fa_token_create(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_str description, fa_str role,
                                    int64_t expires_ms, fa_new_token *out, fa_err *e);
/* A second secret; the one before is good for 24 hours more. Audited. */
FA_MUST_CHECK fa_rc fa_token_turn(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_str id, fa_new_token *out, fa_err *e);
FA_MUST_CHECK fa_rc fa_token_end(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_str id, bool own_only, fa_err *e); /* audited */
/* FA_EAUTH for unknown, wrong, expired, revoked, a person locked: one message for all. Takes the same time for each. */
FA_MUST_CHECK fa_rc fa_token_check(fa_ledger *l, fa_arena *a, fa_str client_id, fa_str secret, fa_str ip, fa_str route,
                                   fa_caller *out, fa_err *e);

/* ---- signing in ---- */
typedef struct fa_browser { fa_str agent, ip, device; /* device: what the device cookie holds; may be empty */ } fa_browser;
typedef struct fa_signed_in {
    fa_str session, device;  /* cookies to set; device empty: keep the one there is */
    fa_str challenge;        /* not empty: no session yet, a code is wanted */
    bool   broke_glass;      /* by password although single sign-on is enforced: every administrator is told */
} fa_signed_in;
/* First administrator and a one-time sign-in secret (256 bit, URL-safe text), good for 7 days. */
FA_MUST_CHECK fa_rc fa_admin_init(fa_ledger *l, fa_arena *a, fa_str email, fa_str *link_secret, fa_err *e);
FA_MUST_CHECK fa_rc fa_signin_link_new(fa_ledger *l, fa_arena *a, fa_str email, fa_str *link_secret, fa_err *e);
/* Takes a link of any kind, sets the password (rules PW-4, PW-5), opens a session. Does not skip the second factor. */
FA_MUST_CHECK fa_rc fa_signin_link(fa_ledger *l, fa_arena *a, fa_str link_secret, fa_str password, const fa_browser *b,
                                   fa_signed_in *out, fa_err *e);
/* Whom a link is for, without using it up; FA_EAUTH. */
FA_MUST_CHECK fa_rc fa_signin_link_about(fa_ledger *l, fa_arena *a, fa_str link_secret, fa_user *out, fa_err *e);
/* Password sign-in: RL-1 delays, same answer for every failure (FA_EAUTH), FA_ELIMIT when told to wait. */
FA_MUST_CHECK fa_rc fa_signin_password(fa_ledger *l, fa_arena *a, fa_str email, fa_str password, const fa_browser *b,
                                       fa_signed_in *out, fa_err *e);
/* The second step: a TOTP code or a recovery code. FA_EAUTH: wrong, or five tries are over. */
FA_MUST_CHECK fa_rc fa_signin_code(fa_ledger *l, fa_arena *a, fa_str challenge, fa_str code, bool remember, const fa_browser *b,
                                   fa_signed_in *out, fa_err *e);
/* For single sign-on (streams above prove who it is): opens a session for a user. Audited. */
FA_MUST_CHECK fa_rc fa_signin_trusted(fa_ledger *l, fa_arena *a, fa_str user_id, const char *by, const fa_browser *b,
                                      fa_signed_in *out, fa_err *e);
/* FA_EAUTH: none, ended, idle, too old, reused after a turn. *turned: the secret to set instead, empty: the same goes
 * on (may be NULL: the secret is not turned). */
FA_MUST_CHECK fa_rc fa_session_check(fa_ledger *l, fa_arena *a, fa_str session_secret, fa_str ip, fa_caller *out, fa_str *turned, fa_err *e);
/* The caller of a session again, for what goes on after its request; the session is neither touched nor turned. FA_EAUTH as above. */
FA_MUST_CHECK fa_rc fa_session_still(fa_ledger *l, fa_arena *a, const fa_caller *was, fa_caller *out, fa_err *e);
/* After FA_ELIMIT of a sign-in: how long to wait, in ms (for Retry-After). */
int64_t fa_signin_wait(fa_str email, fa_str ip);
FA_MUST_CHECK fa_rc fa_signout(fa_ledger *l, const fa_caller *c, fa_err *e);
/* A password or a code once more, for sensitive acts (SE-6). */
FA_MUST_CHECK fa_rc fa_prove(fa_ledger *l, fa_arena *a, const fa_caller *c, fa_str password, fa_str code, fa_err *e);
#define FA_PROVED_FOR_MS 600000
bool fa_caller_proved(const fa_caller *c); /* within ten minutes, or not a person */
FA_MUST_CHECK fa_rc fa_password_change(fa_ledger *l, fa_arena *a, const fa_caller *c, fa_str current, fa_str next, fa_err *e);
FA_MUST_CHECK fa_rc fa_view_as(fa_ledger *l, fa_arena *a, const fa_caller *c, fa_str user_id, fa_err *e); /* empty: own eyes again; audited */
/* A session's name in lists: not its secret, not its hash. */
void fa_session_id(fa_str hash, char out[33]);
FA_MUST_CHECK fa_rc fa_session_end_by_id(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_str user_id, fa_str id /* empty: all */, fa_err *e);

/* ---- second factor (RFC 6238) ---- */
FA_MUST_CHECK fa_rc fa_totp_begin(fa_ledger *l, fa_arena *a, const fa_caller *c, fa_str *secret_base32, fa_str *url, fa_err *e);
/* The first code proves that the seed arrived; gives ten recovery codes, shown once. */
FA_MUST_CHECK fa_rc fa_totp_confirm(fa_ledger *l, fa_arena *a, const fa_caller *c, fa_str secret_base32, fa_str code,
                                    fa_str codes[10], fa_err *e);
FA_MUST_CHECK fa_rc fa_totp_drop(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_str user_id, fa_err *e); /* audited */
FA_MUST_CHECK fa_rc fa_recovery_new(fa_ledger *l, fa_arena *a, const fa_caller *c, fa_str codes[10], fa_err *e);
uint32_t fa_totp_code(const unsigned char *seed, size_t n, int64_t step); /* six digits; for tests */

/* ---- administering people; all audited ---- */
/* An invited user and the secret of the link to activate with. Roles must be ones `by` may give. */
FA_MUST_CHECK fa_rc fa_user_invite(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_str email, fa_str name, fa_str phone,
                                   fa_str roles, fa_str *user_id, fa_str *link_secret, fa_err *e);
FA_MUST_CHECK fa_rc fa_user_reinvite(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_str id, fa_str *link_secret, fa_err *e);
/* Same answer whether there is such a user; *link_secret empty: nobody to send it to. */
FA_MUST_CHECK fa_rc fa_password_forgotten(fa_ledger *l, fa_arena *a, fa_str email, fa_str ip, fa_user *user, fa_str *link_secret, fa_err *e);
FA_MUST_CHECK fa_rc fa_user_change(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_str id, const fa_str *name, const fa_str *phone,
                                   const fa_str *roles, fa_err *e); /* NULL: as it was */
/* to: "active", "locked", "disabled". FA_ECONFLICT: the last administrator, or oneself. */
FA_MUST_CHECK fa_rc fa_user_set_state(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_str id, const char *to, fa_err *e);
/* heir: user id that gets the private objects; empty: the administrators. */
FA_MUST_CHECK fa_rc fa_user_remove(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_str id, fa_str heir, fa_err *e);
FA_MUST_CHECK fa_rc fa_join_link_make(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_str domains, int64_t hours, int64_t most,
                                      fa_str *id, fa_str *secret, fa_err *e);
FA_MUST_CHECK fa_rc fa_join(fa_ledger *l, fa_arena *a, fa_str secret, fa_str email, fa_str name, fa_str password, const fa_browser *b,
                            fa_signed_in *out, fa_err *e);

/* ---- roles and groups; all audited ---- */
/* id empty: a new one. FA_ECONFLICT name used or a default role; FA_EFORBIDDEN more than `by` has. */
FA_MUST_CHECK fa_rc fa_role_save(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_str id, const fa_str *name, const fa_str *description,
                                 const fa_perms *perms, fa_role_row *out, fa_err *e);
/* FA_ECONFLICT with counts while somebody has it, unless `by_other` names what they get instead or `from_all` is set. */
FA_MUST_CHECK fa_rc fa_role_remove(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_str id, fa_str instead, bool from_all, fa_err *e);
typedef struct fa_team_wish { /* NULL: as it was */
    const fa_str *name, *description, *color, *metadata, *roles;
    const bool   *data_access, *unrestricted;
    const json_t *filter;       /* json null: none */
    const json_t *claims;       /* array of names */
} fa_team_wish;
FA_MUST_CHECK fa_rc fa_team_save(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_str id, const fa_team_wish *w, fa_team *out, fa_err *e);
FA_MUST_CHECK fa_rc fa_team_remove(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_str id, fa_err *e);
FA_MUST_CHECK fa_rc fa_team_join(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_str team, fa_str user, bool member, fa_err *e);
/* Single sign-on: the memberships of source "sso" become those of the teams whose claims are in `names`. */
FA_MUST_CHECK fa_rc fa_team_sync(fa_ledger *l, fa_arena *a, fa_str user_id, const fa_str *names, size_t n, fa_err *e);

/* ---- single sign-on: connections (idp.c) ---- */
typedef enum { FA_IDP_TEXT, FA_IDP_URL, FA_IDP_BOOL, FA_IDP_LINES, FA_IDP_WORDS, FA_IDP_CHOICE } fa_idp_type;
typedef struct fa_idp_field {
    const char *name, *label, *hint;
    fa_idp_type type;
    bool        required;
    const char *standard; /* of an absent one: text, "true"; CHOICE: the first of its words is */
    const char *words;    /* CHOICE: what it may be, with spaces between */
} fa_idp_field;
typedef struct fa_idp_kind {
    const char  *name, *label, *secret; /* secret: its label; NULL: the kind has none */
    fa_idp_field field[20];             /* ends with a NULL name; the fields every kind has come beside them */
    /* What no single field can say of a configuration that comes in; may be NULL. FA_EDATA. */
    fa_rc (*check)(fa_arena *a, const json_t *config, fa_err *e);
    /* Kinds with a key pair of ours: makes the secret, which nobody enters; may be NULL. */
    fa_rc (*own_secret)(fa_arena *a, fa_str name, fa_str *out, fa_err *e);
} fa_idp_kind;
extern const fa_idp_kind fa_idp_kinds[];  /* one row a protocol; ends with a NULL name */
extern const fa_idp_field fa_idp_common[]; /* of every kind; ends with a NULL name */
const fa_idp_kind *fa_idp_kind_find(fa_str name);
/* id empty: a new one. j: {"kind","name","state","config":{..},"secret"}; absent members stay. Audited. FA_EFORBIDDEN: its roles are
 * more than `by` may give. FA_ECONFLICT: the name, or single sign-on is enforced and no connection would be left. */
FA_MUST_CHECK fa_rc fa_idp_save(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_str id, const json_t *j, fa_idp *out, fa_err *e);
FA_MUST_CHECK fa_rc fa_idp_remove(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_str id, fa_err *e); /* audited */
/* A new key pair of ours, for kinds that have one. Audited. */
FA_MUST_CHECK fa_rc fa_idp_renew(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_str id, fa_idp *out, fa_err *e);
/* The configuration as JSON with every field of the kind in it; lives as long as the arena. */
FA_MUST_CHECK fa_rc fa_idp_config(fa_arena *a, const fa_idp *c, json_t **out, fa_err *e);
fa_str fa_idp_text(const json_t *config, const char *field); /* absent: empty */
bool   fa_idp_bool(const json_t *config, const char *field);
FA_MUST_CHECK fa_rc fa_idp_secret(fa_ledger *l, fa_arena *a, const fa_idp *c, fa_str *out, fa_err *e); /* none: empty. Wipe it. */
/* What a test or a change of the provider's keys is worth remembering: into the audit log. */
FA_MUST_CHECK fa_rc fa_idp_note(fa_ledger *l, const fa_caller *by, const fa_idp *c, const char *action, fa_str after, fa_err *e);

/* ---- single sign-on: what every protocol shares (federated.c) ----
 * A protocol begins a flow, sends the browser away, takes the flow when it comes back, proves who it is, and calls
 * fa_federated_enter. Whatever it refuses on the way goes through fa_federated_refused. e->field of a refusal is a word for
 * the page: "state", "provider", "token", "email", "disabled", "link", "address", "unknown". */
typedef struct fa_flow {
    fa_str idp_id;
    fa_str purpose;         /* "signin"; "prove": once more for a sensitive act; "link": to the user signed in; "test"; "invite" */
    fa_str back;            /* where the page goes on: a path of ours, checked by the caller */
    fa_str user_id;         /* "link", "prove", "test": who is signed in */
    fa_str invite;          /* "invite": the link's secret */
    fa_str state, browser;  /* made: for the provider (43 characters), and for the cookie __Host-sso */
    fa_str nonce, verifier; /* made, 43 characters each: for an ID token's nonce and PKCE, or "_" + nonce as a request's id */
} fa_flow;
FA_MUST_CHECK fa_rc fa_flow_begin(fa_ledger *l, fa_arena *a, fa_flow *f, fa_str ip, fa_err *e); /* FA_ELIMIT: too many from there */
/* Once, within ten minutes, in the browser that began it; FA_EAUTH. */
FA_MUST_CHECK fa_rc fa_flow_take(fa_ledger *l, fa_arena *a, fa_str state, fa_str browser, fa_flow *out, fa_err *e);
/* Remembers a text (an assertion's id, a token's jti) until then; FA_EAUTH: it was there already. */
FA_MUST_CHECK fa_rc fa_seen_once(fa_ledger *l, const char *kind, fa_str idp_id, fa_str text, int64_t until_ms, fa_err *e);

typedef struct fa_verified { /* what a protocol proved */
    fa_str issuer, subject;    /* with the connection: the identity */
    fa_str email, name;        /* may be empty */
    bool   email_verified;     /* the provider says that it proved the address */
    const fa_str *groups; size_t ngroups;
    int64_t proved_ms;         /* when the person last gave a password or a code there; -1: not said */
    int64_t session_until_ms;  /* the provider's end of the session; -1: none */
    fa_str session;            /* the provider's name of the session, by which it ends it; may be empty */
    fa_str hint;               /* what a sign-out there wants to be shown (ID token, NameID); may be empty; kept sealed */
} fa_verified;
typedef struct fa_federated {
    fa_signed_in in;           /* cookies, or a challenge (the policy forces a second factor on all) */
    fa_str user_id;
    fa_str test;               /* "test": the name under which fa_federated_outcome has the outcome for ten minutes */
    bool   linked;             /* "link": no new session */
} fa_federated;
/* Audited, whatever comes of it. FA_EAUTH, FA_EFORBIDDEN: no session. */
FA_MUST_CHECK fa_rc fa_federated_enter(fa_ledger *l, fa_arena *a, const fa_idp *c, const fa_flow *f, const fa_verified *v,
                                       const fa_browser *b, fa_federated *out, fa_err *e);
/* A line in the audit log and the server's log; a flood is counted, not written. Never fails. */
void fa_federated_refused(fa_ledger *l, const fa_idp *c, const fa_browser *b, const fa_err *why);
/* Keeps the outcome of a test (a JSON object) under a name; fa_federated_enter does it for one that went well. */
FA_MUST_CHECK fa_rc fa_federated_keep(fa_ledger *l, fa_arena *a, fa_str json, fa_str *test, fa_err *e);
FA_MUST_CHECK fa_rc fa_federated_outcome(fa_ledger *l, fa_arena *a, fa_str test, fa_str *json, fa_err *e);
/* The provider says that a person left. Audited. subject or session may be empty, not both. */
FA_MUST_CHECK fa_rc fa_federated_left(fa_ledger *l, const fa_idp *c, fa_str subject, fa_str session, fa_str ip, int64_t *ended, fa_err *e);
/* Of the caller's session, before it ends: the connection it came by and the unsealed hint; idp_id empty: none. */
FA_MUST_CHECK fa_rc fa_federated_session_of(fa_ledger *l, fa_arena *a, const fa_caller *c, fa_federated_session *out, fa_err *e);
/* Links to be approved by an administrator; approve false: drops it. Audited. */
FA_MUST_CHECK fa_rc fa_identity_settle(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_str idp_id, fa_str issuer, fa_str subject,
                                       bool approve, fa_err *e);
/* May this user sign in with a password, as the policy stands? */
bool fa_password_allowed(const fa_policy *p, fa_str email);

/* ---- signed tokens (jwt.c) ---- */
#define FA_CLOCK_SKEW_MS 60000  /* how far the provider's clock may be off */
#define FA_TOKEN_AGE_MS  600000 /* of a token that is shown at once */
typedef struct fa_jwt { json_t *header, *claims; const char *alg; } fa_jwt;
/* Signature by the key of the set that the token names; lives as long as the arena. FA_EAUTH at "token". */
FA_MUST_CHECK fa_rc fa_jwt_open(fa_arena *a, fa_str token, const json_t *jwks, fa_jwt *out, bool *unknown_key, fa_err *e);
/* From this issuer, for this client, now: iss, aud, azp, exp (may be absent unless `expires`), iat, nbf. */
FA_MUST_CHECK fa_rc fa_jwt_addressed(const json_t *claims, fa_str issuer, fa_str client, int64_t now_ms, bool expires, fa_err *e);
bool   fa_jwt_time(const json_t *claims, const char *name, int64_t *ms); /* seconds as ms; false: none, -1 */
bool   fa_jwt_half_hash_ok(const char *alg, fa_str text, fa_str half);   /* at_hash */
size_t fa_jwks_usable(const json_t *jwks);

/* ---- OpenID Connect (oidc.c): asks the provider through net ---- */
struct fa_net;
FA_MUST_CHECK fa_rc fa_oidc_start(struct fa_net *net, fa_arena *a, const fa_idp *c, const fa_flow *f, fa_str redirect, fa_str *url, fa_err *e);
/* The code for tokens, and who it is. iss: the answer's own parameter; may be empty. */
FA_MUST_CHECK fa_rc fa_oidc_finish(fa_ledger *l, struct fa_net *net, fa_arena *a, const fa_idp *c, const fa_flow *f, fa_str redirect,
                                   fa_str code, fa_str iss, fa_verified *out, fa_err *e);
/* Where the browser signs out; empty: nowhere. after: where it comes back to. */
FA_MUST_CHECK fa_rc fa_oidc_leave(struct fa_net *net, fa_arena *a, const fa_idp *c, const fa_federated_session *s, fa_str after,
                                  fa_str *url, fa_err *e);
/* A logout token of the back channel: whose sessions end. */
FA_MUST_CHECK fa_rc fa_oidc_left(fa_ledger *l, struct fa_net *net, fa_arena *a, const fa_idp *c, fa_str token, fa_str *subject,
                                 fa_str *session, fa_err *e);
FA_MUST_CHECK fa_rc fa_oidc_test(struct fa_net *net, fa_arena *a, const fa_idp *c, fa_jw *w, fa_err *e); /* {what, detail} into an open array */

/* ---- provisioning by SCIM (scim.c); all audited ---- */
/* The key is shown once; a rotation leaves the one before good for 24 hours more. */
FA_MUST_CHECK fa_rc fa_scim_client_make(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_str name, fa_str *id, fa_str *secret, fa_err *e);
FA_MUST_CHECK fa_rc fa_scim_client_turn(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_str id, fa_str *secret, fa_err *e);
FA_MUST_CHECK fa_rc fa_scim_client_end(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_str id, fa_err *e);
FA_MUST_CHECK fa_rc fa_scim_check(fa_ledger *l, fa_arena *a, fa_str secret, fa_caller *out, fa_err *e); /* FA_EAUTH */
/* id empty: a new one, and filled. e->field of an error is a scimType of RFC 7644 3.12. FA_EFORBIDDEN: not theirs to change. */
typedef struct fa_scim_user { fa_str id, user_name, name, phone, external_id; bool active; } fa_scim_user;
FA_MUST_CHECK fa_rc fa_scim_user_save(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_scim_user *v, fa_err *e);
FA_MUST_CHECK fa_rc fa_scim_user_remove(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_str id, fa_err *e);
typedef struct fa_scim_group { fa_str id, display_name, external_id; const fa_str *member; size_t nmember; } fa_scim_group;
FA_MUST_CHECK fa_rc fa_scim_group_save(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_scim_group *v, fa_err *e);
FA_MUST_CHECK fa_rc fa_scim_group_remove(fa_ledger *l, fa_arena *a, const fa_caller *by, fa_str id, fa_err *e);

/* ---- SCIM filters, paths and changes over JSON (scimpath.c); what is parsed lives in the arena ---- */
typedef struct fa_scim_filter fa_scim_filter;
/* At most 4,096 bytes, 16 levels, 128 terms. FA_EINVAL at "invalidFilter". */
FA_MUST_CHECK fa_rc fa_scim_filter_parse(fa_arena *a, fa_str text, const fa_scim_filter **out, fa_err *e);
bool    fa_scim_filter_holds(const fa_scim_filter *f, const json_t *resource);
bool    fa_scim_filter_names(const fa_scim_filter *f, fa_str attr); /* does it look at this attribute? */
bool    fa_scim_filter_is_eq(const fa_scim_filter *f, fa_str attr, fa_str *value); /* nothing but attr eq "value" */
json_t *fa_scim_member(const json_t *o, fa_str name); /* whatever the case; borrowed */
/* The Operations of a PatchOp on a resource that is the caller's own. FA_EINVAL at a scimType. */
FA_MUST_CHECK fa_rc fa_scim_patch(fa_arena *a, json_t *resource, const json_t *body, fa_err *e);

/* ---- SAML 2.0 (saml.c): a connection as the verifier wants it ---- */
struct fa_saml_sp;
struct fa_saml_idp;
/* Our key pair out of the connection's secret; wipe sp->key. */
FA_MUST_CHECK fa_rc fa_idp_saml(fa_ledger *l, fa_arena *a, const fa_idp *c, struct fa_saml_sp *sp, struct fa_saml_idp *idp, fa_err *e);
/* Who it is, of a message that was verified. FA_EAUTH. */
struct fa_saml_claims;
FA_MUST_CHECK fa_rc fa_saml_verified(fa_arena *a, const fa_idp *c, const struct fa_saml_claims *claims, fa_verified *out, fa_err *e);
/* One more message from there that no flow of ours asked for; FA_ELIMIT: too many in an hour. */
FA_MUST_CHECK fa_rc fa_saml_uncalled(fa_str ip, fa_err *e);
FA_MUST_CHECK fa_rc fa_saml_config_check(fa_arena *a, const json_t *config, fa_err *e);
FA_MUST_CHECK fa_rc fa_saml_own_secret(fa_arena *a, fa_str name, fa_str *out, fa_err *e);

#endif
