/*
 * store.h - meta.db: accounts, users, teams, roles, sessions, tokens, access lists, audit log, sources, loads, views, API queries, settings.
 *
 * One SQLite file in WAL mode, synchronous FULL, STRICT tables, foreign keys on, trusted_schema off.
 * Every statement has a name, is prepared once and binds `account` as its parameter 1 when it touches
 * an account's data. Each noun has its own .c file with its statement table.
 *
 * Threads: a fa_store may be used from any thread; every call takes the handle's mutex for its length.
 *          fa_store_begin .. fa_store_commit keeps the mutex (recursive) for the calling thread.
 * Memory:  strings of results live in the arena given.
 * Errors:  FA_ENOTFOUND no such row, FA_ECONFLICT a unique rule, FA_EENV disk full or I/O, FA_EINTERNAL.
 */
#ifndef FA_STORE_H
#define FA_STORE_H

#include "base/base.h"

typedef struct fa_store fa_store;

/* Opens or creates PATH, runs the numbered migrations of store/schema each in one transaction.
 * Refuses SQLite older than 3.51.3 (WAL-reset data loss), a newer schema than this program knows
 * (naming both), and a network file system. */
FA_MUST_CHECK fa_rc fa_store_open(const char *path, fa_store **out, fa_err *e);
void                fa_store_close(fa_store *s); /* NULL is fine */
FA_MUST_CHECK fa_rc fa_store_begin(fa_store *s, fa_err *e); /* BEGIN IMMEDIATE */
FA_MUST_CHECK fa_rc fa_store_commit(fa_store *s, fa_err *e);
void                fa_store_rollback(fa_store *s);        /* no-op when no transaction is open */
/* For what must hang together whoever calls: joins the calling thread's transaction, or opens one. leave commits what
 * enter opened when rc is FA_OK, else rolls it back; gives the rc. Never leave without an enter that gave FA_OK. */
FA_MUST_CHECK fa_rc fa_store_enter(fa_store *s, bool *opened, fa_err *e);
fa_rc               fa_store_leave(fa_store *s, bool opened, fa_rc rc, fa_err *e);
FA_MUST_CHECK fa_rc fa_store_backup(fa_store *s, const char *to_path, fa_err *e); /* online, SQLite backup API */
FA_MUST_CHECK fa_rc fa_store_check(fa_store *s, fa_err *e); /* integrity_check and foreign_key_check */
/* Walks every statement of every table: prepares it. For the unit test and start-up. */
FA_MUST_CHECK fa_rc fa_store_prepare_all(fa_store *s, fa_err *e);

/* ---- account ---- */
typedef struct fa_account {
    fa_str  id; /* uuid */
    fa_str  name;
    fa_str  currency;          /* "USD" */
    fa_str  default_cost_type; /* "netAmortizedCost" */
    int64_t created_ms;
} fa_account;
FA_MUST_CHECK fa_rc fa_account_first(fa_store *s, fa_arena *a, fa_account *out, fa_err *e); /* the installation's account */
FA_MUST_CHECK fa_rc fa_account_put(fa_store *s, const fa_account *v, fa_err *e);            /* insert or update by id */

/* ---- settings of an account: small texts by name ---- */
FA_MUST_CHECK fa_rc fa_setting_get(fa_store *s, fa_arena *a, fa_str account, fa_str name, fa_str *out, fa_err *e); /* absent: empty */
FA_MUST_CHECK fa_rc fa_setting_put(fa_store *s, fa_str account, fa_str name, fa_str value, fa_err *e);

/* ---- users ---- */
typedef struct fa_user {
    fa_str  id, email, name;
    fa_str  password;   /* Argon2id string; empty: none set yet */
    fa_str  roles;      /* keys or ids with a space between */
    fa_str  state;      /* "invited", "active", "locked", "disabled"; empty when added: active */
    fa_str  phone;
    fa_str  managed_by; /* "local", "saml", "oidc", "scim2"; empty when added: local */
    fa_str  preferences;/* JSON object; empty when added: {} */
    fa_str  totp;       /* sealed seed; empty: no second factor */
    int64_t created_ms, last_login_ms, joined_ms, totp_step; /* -1: never */
} fa_user;
FA_MUST_CHECK fa_rc fa_user_add(fa_store *s, fa_str account, const fa_user *u, fa_err *e); /* e-mail unique, case folded: FA_ECONFLICT */
/* Everything but id, created_ms, last_login_ms, password, roles and totp. */
FA_MUST_CHECK fa_rc fa_user_update(fa_store *s, fa_str account, const fa_user *u, fa_err *e);
FA_MUST_CHECK fa_rc fa_user_delete(fa_store *s, fa_str account, fa_str id, fa_err *e); /* sessions, own tokens, memberships go too */
FA_MUST_CHECK fa_rc fa_user_by_email(fa_store *s, fa_arena *a, fa_str account, fa_str email, fa_user *out, fa_err *e);
FA_MUST_CHECK fa_rc fa_user_by_id(fa_store *s, fa_arena *a, fa_str account, fa_str id, fa_user *out, fa_err *e);
FA_MUST_CHECK fa_rc fa_user_set_password(fa_store *s, fa_str account, fa_str id, fa_str password, fa_err *e);
FA_MUST_CHECK fa_rc fa_user_set_roles(fa_store *s, fa_str account, fa_str id, fa_str roles, fa_err *e);
FA_MUST_CHECK fa_rc fa_user_set_totp(fa_store *s, fa_str account, fa_str id, fa_str totp, fa_err *e);
/* Moves the last taken time step on; FA_ECONFLICT: a code of this step or a later one was taken already. */
FA_MUST_CHECK fa_rc fa_user_take_step(fa_store *s, fa_str account, fa_str id, int64_t step, fa_err *e);
FA_MUST_CHECK fa_rc fa_user_touch_login(fa_store *s, fa_str account, fa_str id, int64_t now_ms, fa_err *e);
FA_MUST_CHECK fa_rc fa_user_list(fa_store *s, fa_arena *a, fa_str account, fa_user **out, size_t *n, fa_err *e);

/* ---- the account's own roles ---- */
typedef struct fa_role_row {
    fa_str  id, name, description, perms; /* names with a space between */
    int64_t level, created_ms, updated_ms;
} fa_role_row;
FA_MUST_CHECK fa_rc fa_role_put(fa_store *s, fa_str account, const fa_role_row *v, fa_err *e); /* name unique: FA_ECONFLICT */
FA_MUST_CHECK fa_rc fa_role_get(fa_store *s, fa_arena *a, fa_str account, fa_str id, fa_role_row *out, fa_err *e);
FA_MUST_CHECK fa_rc fa_role_list(fa_store *s, fa_arena *a, fa_str account, fa_role_row **out, size_t *n, fa_err *e); /* by name */
FA_MUST_CHECK fa_rc fa_role_delete(fa_store *s, fa_str account, fa_str id, fa_err *e);
typedef struct fa_role_use { int64_t users, teams, tokens; } fa_role_use;
FA_MUST_CHECK fa_rc fa_role_used(fa_store *s, fa_arena *a, fa_str account, fa_str id, fa_role_use *out, fa_err *e);
/* Whoever has role `id` gets `by` in its place (empty: nothing). */
FA_MUST_CHECK fa_rc fa_role_replace(fa_store *s, fa_str account, fa_str id, fa_str by, fa_err *e);

/* ---- teams: what the page calls groups ---- */
typedef struct fa_team {
    fa_str  id, name, description, color, metadata, managed_by;
    bool    is_admin, data_access, unrestricted;
    fa_str  filter;      /* JSON; empty: none */
    fa_str  roles;       /* with a space between */
    fa_str  claims;      /* JSON array of the identity provider's group names */
    int64_t created_ms, updated_ms, nmember;
} fa_team;
FA_MUST_CHECK fa_rc fa_team_put(fa_store *s, fa_str account, const fa_team *v, fa_err *e); /* all but roles, claims, is_admin of an old one */
FA_MUST_CHECK fa_rc fa_team_get(fa_store *s, fa_arena *a, fa_str account, fa_str id, fa_team *out, fa_err *e);
FA_MUST_CHECK fa_rc fa_team_list(fa_store *s, fa_arena *a, fa_str account, fa_team **out, size_t *n, fa_err *e); /* by name */
FA_MUST_CHECK fa_rc fa_team_of_user(fa_store *s, fa_arena *a, fa_str account, fa_str user, fa_team **out, size_t *n, fa_err *e);
FA_MUST_CHECK fa_rc fa_team_of_token(fa_store *s, fa_arena *a, fa_str account, fa_str token, fa_team **out, size_t *n, fa_err *e);
FA_MUST_CHECK fa_rc fa_team_delete(fa_store *s, fa_str account, fa_str id, fa_err *e);
FA_MUST_CHECK fa_rc fa_team_set_roles(fa_store *s, fa_str account, fa_str id, fa_str roles, fa_err *e);
FA_MUST_CHECK fa_rc fa_team_add_claim(fa_store *s, fa_str account, fa_str id, fa_str name, fa_err *e);
FA_MUST_CHECK fa_rc fa_team_clear_claims(fa_store *s, fa_str account, fa_str id, fa_err *e);
typedef struct fa_team_member { fa_str team_id, user_id, source; } fa_team_member;
FA_MUST_CHECK fa_rc fa_team_add_member(fa_store *s, fa_str account, fa_str team, fa_str user, fa_str source, fa_err *e);
/* Takes the membership of one source away (empty: of every source). */
FA_MUST_CHECK fa_rc fa_team_drop_member(fa_store *s, fa_str account, fa_str team, fa_str user, fa_str source, fa_err *e);
FA_MUST_CHECK fa_rc fa_team_members(fa_store *s, fa_arena *a, fa_str account, fa_team_member **out, size_t *n, fa_err *e); /* of all teams */

/* ---- one-time sign-in links: only a BLAKE2b-256 hash is kept ---- */
/* kind: "link" (made on the command line), "invite", "reset". A new one of a kind voids the older ones of it. */
FA_MUST_CHECK fa_rc fa_signin_add(fa_store *s, fa_str account, fa_str user_id, fa_str hash, fa_str kind, int64_t now_ms,
                                  int64_t expires_ms, fa_err *e);
/* Uses the link up and gives its user id. FA_EAUTH: unknown, used or expired. */
FA_MUST_CHECK fa_rc fa_signin_take(fa_store *s, fa_arena *a, fa_str account, fa_str hash, int64_t now_ms, fa_str *user_id, fa_err *e);
/* The same without using it up. */
FA_MUST_CHECK fa_rc fa_signin_look(fa_store *s, fa_arena *a, fa_str account, fa_str hash, int64_t now_ms, fa_str *user_id, fa_err *e);
/* When the newest open invitation of a user ends; -1: none is open. */
FA_MUST_CHECK fa_rc fa_signin_open(fa_store *s, fa_arena *a, fa_str account, fa_str user_id, fa_str kind, int64_t now_ms,
                                   int64_t *expires_ms, fa_err *e);

/* ---- links that anybody may join by ---- */
typedef struct fa_join_link {
    fa_str  id, hash, roles, domains, created_by;
    int64_t most, used, created_ms, expires_ms, revoked_ms;
} fa_join_link;
FA_MUST_CHECK fa_rc fa_join_link_add(fa_store *s, fa_str account, const fa_join_link *v, fa_err *e);
FA_MUST_CHECK fa_rc fa_join_link_list(fa_store *s, fa_arena *a, fa_str account, fa_join_link **out, size_t *n, fa_err *e);
FA_MUST_CHECK fa_rc fa_join_link_by_hash(fa_store *s, fa_arena *a, fa_str account, fa_str hash, fa_join_link *out, fa_err *e);
FA_MUST_CHECK fa_rc fa_join_link_use(fa_store *s, fa_str account, fa_str id, fa_err *e); /* one more; FA_EAUTH: used up */
FA_MUST_CHECK fa_rc fa_join_link_revoke(fa_store *s, fa_str account, fa_str id, int64_t now_ms, fa_err *e);

/* ---- sessions: opaque token, hash kept ---- */
typedef struct fa_session {
    fa_str  hash, user_id, agent, ip;
    int64_t created_ms, seen_ms, expires_ms;
    fa_str  old_hash;     /* the secret before the last turn; empty: none */
    int64_t old_until_ms; /* -1: the new secret was not used yet */
    int64_t turned_ms, proved_ms;
    fa_str  view_as;      /* user id; empty: own eyes */
    fa_str  account_at;   /* which account it is in; empty: the first */
} fa_session;
FA_MUST_CHECK fa_rc fa_session_add(fa_store *s, fa_str account, const fa_session *v, fa_err *e);
/* By its hash or the one before. */
FA_MUST_CHECK fa_rc fa_session_get(fa_store *s, fa_arena *a, fa_str account, fa_str hash, fa_session *out, fa_err *e);
FA_MUST_CHECK fa_rc fa_session_list(fa_store *s, fa_arena *a, fa_str account, fa_str user_id, fa_session **out, size_t *n, fa_err *e);
FA_MUST_CHECK fa_rc fa_session_touch(fa_store *s, fa_str account, fa_str hash, int64_t seen_ms, fa_err *e);
FA_MUST_CHECK fa_rc fa_session_turn(fa_store *s, fa_str account, fa_str hash, fa_str next_hash, fa_str old_hash, int64_t now_ms, fa_err *e);
FA_MUST_CHECK fa_rc fa_session_turned(fa_store *s, fa_str account, fa_str hash, int64_t old_until_ms, fa_err *e);
FA_MUST_CHECK fa_rc fa_session_proved(fa_store *s, fa_str account, fa_str hash, int64_t now_ms, fa_err *e);
FA_MUST_CHECK fa_rc fa_session_view_as(fa_store *s, fa_str account, fa_str hash, fa_str user_id, fa_err *e);
FA_MUST_CHECK fa_rc fa_session_at(fa_store *s, fa_str account, fa_str hash, fa_str account_at, fa_err *e); /* moves it there */
FA_MUST_CHECK fa_rc fa_session_end(fa_store *s, fa_str account, fa_str hash, fa_err *e);
FA_MUST_CHECK fa_rc fa_session_end_all(fa_store *s, fa_str account, fa_str user_id, fa_err *e);
FA_MUST_CHECK fa_rc fa_session_end_others(fa_store *s, fa_str account, fa_str user_id, fa_str keep_hash, fa_err *e);

/* How a session came about by single sign-on. */
typedef struct fa_federated_session {
    fa_str  idp_id, subject, session; /* session: the provider's name of it; may be empty */
    fa_str  hint;                     /* sealed; what a sign-out there wants to be shown */
    int64_t proved_ms, expires_ms;    /* expires: no later than this */
} fa_federated_session;
FA_MUST_CHECK fa_rc fa_session_federate(fa_store *s, fa_str account, fa_str hash, const fa_federated_session *v, fa_err *e);
FA_MUST_CHECK fa_rc fa_session_federated(fa_store *s, fa_arena *a, fa_str account, fa_str hash, fa_federated_session *out, fa_err *e);
/* The provider ends them: of a subject, of one of its sessions, or of both when both are given; none for neither. */
FA_MUST_CHECK fa_rc fa_session_end_federated(fa_store *s, fa_str account, fa_str idp_id, fa_str subject, fa_str session, int64_t *n, fa_err *e);

/* ---- single sign-on: identity providers, domains they speak for, who a person is there ---- */
typedef struct fa_idp {
    fa_str  id, kind, name;  /* kind: "oidc", "saml" */
    fa_str  state;           /* "draft", "enabled", "disabled" */
    fa_str  config;          /* JSON object */
    fa_str  secret;          /* sealed; empty: none */
    fa_str  created_by;
    int64_t created_ms, updated_ms, used_ms; /* used: -1 never */
} fa_idp;
FA_MUST_CHECK fa_rc fa_idp_put(fa_store *s, fa_str account, const fa_idp *v, fa_err *e); /* name unique: FA_ECONFLICT */
FA_MUST_CHECK fa_rc fa_idp_get(fa_store *s, fa_arena *a, fa_str account, fa_str id, fa_idp *out, fa_err *e);
FA_MUST_CHECK fa_rc fa_idp_list(fa_store *s, fa_arena *a, fa_str account, fa_idp **out, size_t *n, fa_err *e); /* by name */
FA_MUST_CHECK fa_rc fa_idp_touch(fa_store *s, fa_str account, fa_str id, int64_t now_ms, fa_err *e);
FA_MUST_CHECK fa_rc fa_idp_delete(fa_store *s, fa_str account, fa_str id, fa_err *e); /* domains and identities go too */
typedef struct fa_idp_domain {
    fa_str  domain, idp_id, token;
    int64_t verified_ms, checked_ms, lost_ms; /* -1: not */
} fa_idp_domain;
FA_MUST_CHECK fa_rc fa_idp_domain_put(fa_store *s, fa_str account, const fa_idp_domain *v, fa_err *e); /* of an old one: the times */
FA_MUST_CHECK fa_rc fa_idp_domain_list(fa_store *s, fa_arena *a, fa_str account, fa_idp_domain **out, size_t *n, fa_err *e);
FA_MUST_CHECK fa_rc fa_idp_domain_drop(fa_store *s, fa_str account, fa_str idp_id, fa_str domain, fa_err *e);
typedef struct fa_identity {
    fa_str  idp_id, issuer, subject; /* these three are the identity */
    fa_str  user_id, email;
    fa_str  roles;                   /* what the last sign-in gave, with a space between */
    bool    approved;
    int64_t created_ms, seen_ms;
} fa_identity;
FA_MUST_CHECK fa_rc fa_identity_put(fa_store *s, fa_str account, const fa_identity *v, fa_err *e);
FA_MUST_CHECK fa_rc fa_identity_get(fa_store *s, fa_arena *a, fa_str account, fa_str idp_id, fa_str issuer, fa_str subject,
                                    fa_identity *out, fa_err *e);
/* Of one user, or of all when user_id is empty; newest first. */
FA_MUST_CHECK fa_rc fa_identity_list(fa_store *s, fa_arena *a, fa_str account, fa_str user_id, fa_identity **out, size_t *n, fa_err *e);
FA_MUST_CHECK fa_rc fa_identity_drop(fa_store *s, fa_str account, const fa_identity *v, fa_err *e);

/* ---- texts that are good once, under 64 hex of their hash ---- */
/* Sweeps what has ended. FA_ECONFLICT: it is there already. */
FA_MUST_CHECK fa_rc fa_once_put(fa_store *s, fa_str account, fa_str kind, fa_str hash, fa_str data, int64_t now_ms,
                                int64_t expires_ms, fa_err *e);
/* Uses it up. FA_EAUTH: unknown, used or expired. */
FA_MUST_CHECK fa_rc fa_once_take(fa_store *s, fa_arena *a, fa_str account, fa_str kind, fa_str hash, int64_t now_ms, fa_str *data, fa_err *e);
FA_MUST_CHECK fa_rc fa_once_look(fa_store *s, fa_arena *a, fa_str account, fa_str kind, fa_str hash, int64_t now_ms, fa_str *data, fa_err *e);

/* ---- provisioning by SCIM: clients, and what they call a user or group ---- */
typedef struct fa_scim_client {
    fa_str  id, name, hash, old_hash; /* old_hash: the key before a rotation; empty: none */
    int64_t old_until_ms;
    fa_str  created_by;
    int64_t created_ms, used_ms;      /* used: -1 never */
} fa_scim_client;
FA_MUST_CHECK fa_rc fa_scim_client_add(fa_store *s, fa_str account, const fa_scim_client *v, fa_err *e); /* name unique: FA_ECONFLICT */
FA_MUST_CHECK fa_rc fa_scim_client_rotate(fa_store *s, fa_str account, fa_str id, fa_str hash, int64_t old_until_ms, fa_err *e);
FA_MUST_CHECK fa_rc fa_scim_client_by_hash(fa_store *s, fa_arena *a, fa_str account, fa_str hash, int64_t now_ms,
                                           fa_scim_client *out, fa_err *e);
FA_MUST_CHECK fa_rc fa_scim_client_get(fa_store *s, fa_arena *a, fa_str account, fa_str id, fa_scim_client *out, fa_err *e);
FA_MUST_CHECK fa_rc fa_scim_client_list(fa_store *s, fa_arena *a, fa_str account, fa_scim_client **out, size_t *n, fa_err *e);
FA_MUST_CHECK fa_rc fa_scim_client_touch(fa_store *s, fa_str account, fa_str id, int64_t now_ms, fa_err *e);
FA_MUST_CHECK fa_rc fa_scim_client_delete(fa_store *s, fa_str account, fa_str id, fa_err *e);
typedef struct fa_scim_ref { fa_str id, external_id; int64_t updated_ms; } fa_scim_ref;
FA_MUST_CHECK fa_rc fa_scim_ref_put(fa_store *s, fa_str account, fa_str kind, const fa_scim_ref *v, fa_err *e); /* kind: "user", "group" */
FA_MUST_CHECK fa_rc fa_scim_ref_list(fa_store *s, fa_arena *a, fa_str account, fa_str kind, fa_scim_ref **out, size_t *n, fa_err *e); /* by id */
FA_MUST_CHECK fa_rc fa_scim_ref_drop(fa_store *s, fa_str account, fa_str kind, fa_str id, fa_err *e);

/* ---- second factors and devices ---- */
FA_MUST_CHECK fa_rc fa_recovery_put(fa_store *s, fa_str account, fa_str user, int64_t place, fa_str hash, fa_err *e);
FA_MUST_CHECK fa_rc fa_recovery_get(fa_store *s, fa_arena *a, fa_str account, fa_str user, int64_t place, fa_str *hash, fa_err *e);
FA_MUST_CHECK fa_rc fa_recovery_drop(fa_store *s, fa_str account, fa_str user, int64_t place, fa_err *e); /* FA_ENOTFOUND: used already; place -1: all */
FA_MUST_CHECK fa_rc fa_recovery_left(fa_store *s, fa_arena *a, fa_str account, fa_str user, int64_t *n, fa_err *e);
FA_MUST_CHECK fa_rc fa_challenge_add(fa_store *s, fa_str account, fa_str hash, fa_str user, int64_t now_ms, int64_t expires_ms, fa_err *e);
/* Counts one try and gives the user. FA_EAUTH: unknown, ended, or more than `most` tries. */
FA_MUST_CHECK fa_rc fa_challenge_try(fa_store *s, fa_arena *a, fa_str account, fa_str hash, int64_t most, int64_t now_ms, fa_str *user, fa_err *e);
FA_MUST_CHECK fa_rc fa_challenge_end(fa_store *s, fa_str account, fa_str hash, fa_err *e);
typedef struct fa_device { fa_str hash, user_id; int64_t created_ms, expires_ms, trusted_ms; } fa_device;
FA_MUST_CHECK fa_rc fa_device_put(fa_store *s, fa_str account, const fa_device *v, fa_err *e);
FA_MUST_CHECK fa_rc fa_device_get(fa_store *s, fa_arena *a, fa_str account, fa_str hash, fa_str user, fa_device *out, fa_err *e);
FA_MUST_CHECK fa_rc fa_device_forget(fa_store *s, fa_str account, fa_str user, fa_err *e);

/* ---- API tokens: the secret's hash only ---- */
typedef struct fa_token {
    fa_str  id;        /* uuid; shown in lists, used to revoke */
    fa_str  client_id; /* uuid, sent in x-finout-client-id */
    fa_str  secret_hash; /* 64 hex of BLAKE2b-256 */
    fa_str  old_hash;  /* of the secret before a rotation; empty: none */
    int64_t old_until_ms;
    fa_str  description;
    fa_str  user_id;   /* personal: whose; empty: the account's */
    fa_str  data;      /* "all", "teams", "user"; empty when added: all */
    fa_str  ip_allow;  /* with a space between; empty: any */
    fa_str  roles;     /* with a space between */
    fa_str  teams;     /* ids with a space between */
    fa_str  created_by;
    int64_t created_ms, expires_ms, revoked_ms, last_used_ms; /* -1: never / not */
    fa_str  last_used_ip, last_used_route;
} fa_token;
FA_MUST_CHECK fa_rc fa_token_add(fa_store *s, fa_str account, const fa_token *t, fa_err *e);
FA_MUST_CHECK fa_rc fa_token_by_client(fa_store *s, fa_arena *a, fa_str account, fa_str client_id, fa_token *out, fa_err *e);
FA_MUST_CHECK fa_rc fa_token_get(fa_store *s, fa_arena *a, fa_str account, fa_str id, fa_token *out, fa_err *e);
FA_MUST_CHECK fa_rc fa_token_list(fa_store *s, fa_arena *a, fa_str account, fa_token **out, size_t *n, fa_err *e);
FA_MUST_CHECK fa_rc fa_token_revoke(fa_store *s, fa_str account, fa_str id_or_client_id, int64_t now_ms, fa_err *e);
FA_MUST_CHECK fa_rc fa_token_rotate(fa_store *s, fa_str account, fa_str id, fa_str hash, int64_t old_until_ms, fa_err *e);
FA_MUST_CHECK fa_rc fa_token_touch(fa_store *s, fa_str account, fa_str id, int64_t now_ms, fa_str ip, fa_str route, fa_err *e);

/* ---- the other accounts of the installation (in the first one's meta.db), and who is a member of which ---- */
typedef struct fa_place { fa_str id, name, created_by; int64_t created_ms; } fa_place;
FA_MUST_CHECK fa_rc fa_place_add(fa_store *s, fa_str account, const fa_place *v, fa_err *e); /* name unique: FA_ECONFLICT */
FA_MUST_CHECK fa_rc fa_place_rename(fa_store *s, fa_str account, fa_str id, fa_str name, fa_err *e);
FA_MUST_CHECK fa_rc fa_place_list(fa_store *s, fa_arena *a, fa_str account, fa_place **out, size_t *n, fa_err *e); /* by name */
FA_MUST_CHECK fa_rc fa_place_find(fa_store *s, fa_arena *a, fa_str account, fa_str id_or_name, fa_place *out, fa_err *e);
FA_MUST_CHECK fa_rc fa_place_of_user(fa_store *s, fa_arena *a, fa_str account, fa_str user, fa_place **out, size_t *n, fa_err *e);
FA_MUST_CHECK fa_rc fa_place_join(fa_store *s, fa_str account, fa_str id, fa_str user, fa_err *e); /* again: fine */
FA_MUST_CHECK fa_rc fa_place_leave(fa_store *s, fa_str account, fa_str id, fa_str user, fa_err *e);

/* ---- mail that waits, and what became of it; `sealed` is gone when it is done ---- */
typedef struct fa_mail_row {
    fa_str  id, kind, to, sealed, state, error; /* state: "waiting", "sent", "failed" */
    int64_t tries, created_ms, next_ms, expires_ms, done_ms; /* done: -1 it waits */
} fa_mail_row;
FA_MUST_CHECK fa_rc fa_mail_row_add(fa_store *s, fa_str account, const fa_mail_row *v, fa_err *e);
FA_MUST_CHECK fa_rc fa_mail_row_due(fa_store *s, fa_arena *a, fa_str account, int64_t now_ms, fa_mail_row *out, fa_err *e); /* FA_ENOTFOUND: none */
FA_MUST_CHECK fa_rc fa_mail_row_later(fa_store *s, fa_str account, fa_str id, int64_t next_ms, fa_str error, fa_err *e);
FA_MUST_CHECK fa_rc fa_mail_row_done(fa_store *s, fa_str account, fa_str id, fa_str state, fa_str error, int64_t now_ms, fa_err *e);
FA_MUST_CHECK fa_rc fa_mail_row_count(fa_store *s, fa_arena *a, fa_str account, fa_str state, int64_t *n, fa_err *e);
FA_MUST_CHECK fa_rc fa_mail_row_last(fa_store *s, fa_arena *a, fa_str account, int64_t most, fa_mail_row **out, size_t *n, fa_err *e); /* newest first */
FA_MUST_CHECK fa_rc fa_mail_row_hurry(fa_store *s, fa_str account, int64_t now_ms, fa_err *e); /* what waits is tried at once */
FA_MUST_CHECK fa_rc fa_mail_row_purge(fa_store *s, fa_str account, int64_t before_ms, fa_err *e);

/* ---- access lists of objects ---- */
typedef struct fa_acl_row {
    fa_str kind, id, owner;
    fa_str reads, writes; /* "public", "private", "shared" */
} fa_acl_row;
typedef struct fa_acl_entry { fa_str axis, user_id, team_id; } fa_acl_entry; /* axis: "read", "write"; one of the ids is empty */
FA_MUST_CHECK fa_rc fa_acl_row_put(fa_store *s, fa_str account, const fa_acl_row *v, const fa_acl_entry *entry, size_t n, fa_err *e);
FA_MUST_CHECK fa_rc fa_acl_row_get(fa_store *s, fa_arena *a, fa_str account, fa_str kind, fa_str id, fa_acl_row *out,
                                   fa_acl_entry **entry, size_t *n, fa_err *e);
FA_MUST_CHECK fa_rc fa_acl_row_drop(fa_store *s, fa_str account, fa_str kind, fa_str id, fa_err *e);
FA_MUST_CHECK fa_rc fa_acl_row_owned(fa_store *s, fa_arena *a, fa_str account, fa_str owner, fa_acl_row **out, size_t *n, fa_err *e);
FA_MUST_CHECK fa_rc fa_acl_row_heir(fa_store *s, fa_str account, fa_str owner, fa_str heir, fa_err *e); /* heir empty: the administrators */

/* ---- the audit log: added to and read, never changed ---- */
typedef struct fa_audit_row {
    int64_t seq, at_ms;
    fa_str  actor_kind, actor_id, actor_name, roles, behalf, source, ip, agent, request_id;
    fa_str  action, object_type, object_id, object_name, before, after, outcome, severity, prev_hash, hash;
} fa_audit_row;
FA_MUST_CHECK fa_rc fa_audit_row_last(fa_store *s, fa_arena *a, fa_str account, fa_audit_row *out, fa_err *e); /* FA_ENOTFOUND: none yet */
FA_MUST_CHECK fa_rc fa_audit_row_add(fa_store *s, fa_str account, const fa_audit_row *v, fa_err *e);
/* By seq upwards, after `seq`, at most 1,000. */
FA_MUST_CHECK fa_rc fa_audit_row_walk(fa_store *s, fa_arena *a, fa_str account, int64_t after_seq, fa_audit_row **out, size_t *n, fa_err *e);
typedef struct fa_audit_search {
    fa_str  text;        /* in action, actor, object; empty: all */
    fa_str  actor, action, object_type, object_id, outcome, severity; /* exact; empty: all */
    int64_t from_ms, to_ms, before_seq; /* [from, to]; before_seq 0: from the newest on */
    int64_t limit;
} fa_audit_search;
FA_MUST_CHECK fa_rc fa_audit_row_find(fa_store *s, fa_arena *a, fa_str account, const fa_audit_search *q, fa_audit_row **out, size_t *n, fa_err *e);

/* ---- sources, loads, parts, control totals ---- */
typedef struct fa_source {
    int64_t id;
    fa_str  name;
    int64_t created_ms;
} fa_source;
FA_MUST_CHECK fa_rc fa_source_ensure(fa_store *s, fa_arena *a, fa_str account, fa_str name, fa_source *out, fa_err *e);
FA_MUST_CHECK fa_rc fa_source_list(fa_store *s, fa_arena *a, fa_str account, fa_source **out, size_t *n, fa_err *e);

/* A load's life: running -> live -> replaced (no part of it is live any more); or running -> failed,
 * cancelled, unchanged. A load found `running` at start-up was cut off: it becomes failed. */
typedef struct fa_load {
    int64_t id, source_id;
    fa_str  source;  /* name, filled on read */
    fa_str  format;  /* "focus-1.0" */
    fa_str  state, error;
    fa_str  files;   /* JSON array: [{"name","bytes","hash","rows"}] */
    fa_str  detail;  /* JSON object: mapping, line columns, notices: what a rebuild needs */
    fa_str  content_hash; /* 64 hex over the files' hashes, order-free */
    int64_t rows, rejected, started_ms, finished_ms; /* finished -1: not yet */
    int64_t made_ms; /* when the provider made the delivery; -1: not known */
} fa_load;
FA_MUST_CHECK fa_rc fa_load_add(fa_store *s, fa_str account, const fa_load *v, int64_t *id, fa_err *e);
FA_MUST_CHECK fa_rc fa_load_update(fa_store *s, fa_str account, const fa_load *v, fa_err *e); /* by id, all but id and source_id */
FA_MUST_CHECK fa_rc fa_load_get(fa_store *s, fa_arena *a, fa_str account, int64_t id, fa_load *out, fa_err *e);
/* Newest first; source_id 0: all; at most `limit`. */
FA_MUST_CHECK fa_rc fa_load_list(fa_store *s, fa_arena *a, fa_str account, int64_t source_id, size_t limit, fa_load **out, size_t *n, fa_err *e);
FA_MUST_CHECK fa_rc fa_load_live_with_hash(fa_store *s, fa_arena *a, fa_str account, int64_t source_id, fa_str content_hash, fa_load *out, fa_err *e);

/* A part is one billing period of one load: the unit that replaces and is replaced. */
typedef struct fa_part {
    int64_t id, load_id, source_id;
    int32_t period; /* first day of the billing month */
    int64_t rows;
    bool    live;
    fa_str  scope; /* "": replaces its month; "actual", "amortized": a view; "load:7": adds to it */
    fa_str  payer; /* billing account; "": several or none */
} fa_part;
FA_MUST_CHECK fa_rc fa_part_add(fa_store *s, fa_str account, const fa_part *p, int64_t *id, fa_err *e);
/* Makes every part of load_id live and what they replace (same source, period and scope) not; loads left
 * without a live part become `replaced`. Call inside a transaction. */
FA_MUST_CHECK fa_rc fa_part_go_live(fa_store *s, fa_str account, int64_t load_id, fa_err *e);
/* Of a source only the parts of keep_load stay live (0: none); loads left without one become `replaced`. *n: how many went. */
FA_MUST_CHECK fa_rc fa_part_retire(fa_store *s, fa_str account, int64_t source_id, int64_t keep_load, int64_t *n, fa_err *e);
FA_MUST_CHECK fa_rc fa_part_live(fa_store *s, fa_arena *a, fa_str account, fa_part **out, size_t *n, fa_err *e); /* by id */
FA_MUST_CHECK fa_rc fa_part_of_load(fa_store *s, fa_arena *a, fa_str account, int64_t load_id, fa_part **out, size_t *n, fa_err *e);

/* One control total. step: "file", "archive", "ledger". sum is an exact decimal text. */
typedef struct fa_total {
    fa_str  step, currency, column;
    int32_t day;
    int64_t values; /* how many non-null values; for column "" the number of rows */
    fa_str  sum;
} fa_total;
FA_MUST_CHECK fa_rc fa_total_add(fa_store *s, fa_str account, int64_t load_id, const fa_total *t, size_t n, fa_err *e);
FA_MUST_CHECK fa_rc fa_total_list(fa_store *s, fa_arena *a, fa_str account, int64_t load_id, fa_total **out, size_t *n, fa_err *e);

/* ---- rates between currencies: rows begin and end, never change ---- */
typedef struct fa_rate_row {
    int64_t id;
    fa_str  currency, target, billing_account, invoice, rate, origin; /* 1 of currency is `rate` of target */
    int32_t day;        /* from this day on; of an invoice (billing_account is not empty): the first of its month */
    fa_str  entered_by, ended_by;
    int64_t entered_ms, ended_ms; /* ended: -1 while it holds */
} fa_rate_row;
FA_MUST_CHECK fa_rc fa_rate_add(fa_store *s, fa_str account, const fa_rate_row *v, fa_err *e); /* FA_ECONFLICT: one holds */
FA_MUST_CHECK fa_rc fa_rate_live(fa_store *s, fa_arena *a, fa_str account, fa_rate_row **out, size_t *n, fa_err *e); /* by pair and day */
FA_MUST_CHECK fa_rc fa_rate_all(fa_store *s, fa_arena *a, fa_str account, int64_t most, fa_rate_row **out, size_t *n, fa_err *e); /* newest first */
FA_MUST_CHECK fa_rc fa_rate_get(fa_store *s, fa_arena *a, fa_str account, int64_t id, fa_rate_row *out, fa_err *e);
/* The one that holds for the pair, billing account and day of `like`. FA_ENOTFOUND. */
FA_MUST_CHECK fa_rc fa_rate_find(fa_store *s, fa_arena *a, fa_str account, const fa_rate_row *like, fa_rate_row *out, fa_err *e);
FA_MUST_CHECK fa_rc fa_rate_end(fa_store *s, fa_str account, int64_t id, fa_str by, int64_t now_ms, fa_err *e); /* FA_ENOTFOUND */

/* ---- providers' invoices, as somebody entered them ---- */
typedef struct fa_invoice {
    int64_t source_id;
    int32_t period; /* first day of the billing month */
    fa_str  currency, number;
    fa_str  amount; /* exact decimal text */
    fa_str  note, entered_by;
    int64_t entered_ms;
} fa_invoice;
FA_MUST_CHECK fa_rc fa_invoice_put(fa_store *s, fa_str account, const fa_invoice *v, fa_err *e); /* by source, period, currency, number */
FA_MUST_CHECK fa_rc fa_invoice_list(fa_store *s, fa_arena *a, fa_str account, fa_invoice **out, size_t *n, fa_err *e);
FA_MUST_CHECK fa_rc fa_invoice_delete(fa_store *s, fa_str account, const fa_invoice *v, fa_err *e); /* FA_ENOTFOUND */

/* What a delivery changed of a month that had been there before. */
typedef struct fa_restatement {
    int64_t load_id;
    int32_t period;
    fa_str  currency, column;
    int64_t at_ms;
    bool    closed;
    fa_str  before, after; /* exact decimals */
} fa_restatement;
FA_MUST_CHECK fa_rc fa_restatement_add(fa_store *s, fa_str account, const fa_restatement *v, fa_err *e);
FA_MUST_CHECK fa_rc fa_restatement_list(fa_store *s, fa_arena *a, fa_str account, int64_t load_id /* 0: all */,
                                        fa_restatement **out, size_t *n, fa_err *e);
/* How a source's tables are read: JSON; empty: no mapping is kept. */
FA_MUST_CHECK fa_rc fa_mapping_put(fa_store *s, fa_str account, int64_t source_id, fa_str body, fa_err *e);
FA_MUST_CHECK fa_rc fa_mapping_get(fa_store *s, fa_arena *a, fa_str account, int64_t source_id, fa_str *body, fa_err *e);

/* ---- saved views ---- */
typedef struct fa_view {
    fa_str  id, name, body; /* body: JSON as the page and the internal view API know it */
    fa_str  created_by;
    int64_t created_ms, updated_ms;
} fa_view;
FA_MUST_CHECK fa_rc fa_view_put(fa_store *s, fa_str account, const fa_view *v, fa_err *e); /* name unique, case folded: FA_ECONFLICT */
FA_MUST_CHECK fa_rc fa_view_get(fa_store *s, fa_arena *a, fa_str account, fa_str id, fa_view *out, fa_err *e);
FA_MUST_CHECK fa_rc fa_view_list(fa_store *s, fa_arena *a, fa_str account, fa_view **out, size_t *n, fa_err *e); /* by name */
FA_MUST_CHECK fa_rc fa_view_delete(fa_store *s, fa_str account, fa_str id, fa_err *e);

/* ---- virtual tags: a tag names its live and its staged version; a version holds a document ---- */
typedef struct fa_tag_row {
    fa_str  id, name, folder_id;       /* folder_id empty: none */
    fa_str  live, staged;              /* ids of versions; empty: none */
    fa_str  acl, metadata;             /* JSON objects */
    fa_str  feed_mark, feed_error;
    fa_str  created_by; int64_t created_ms;
    fa_str  updated_by; int64_t updated_ms;
    int64_t deleted_ms;                /* -1: it is there */
} fa_tag_row;
FA_MUST_CHECK fa_rc fa_tag_put(fa_store *s, fa_str account, const fa_tag_row *v, fa_err *e); /* name unique, case folded: FA_ECONFLICT */
FA_MUST_CHECK fa_rc fa_tag_get(fa_store *s, fa_arena *a, fa_str account, fa_str id, fa_tag_row *out, fa_err *e); /* a deleted one, too */
FA_MUST_CHECK fa_rc fa_tag_list(fa_store *s, fa_arena *a, fa_str account, fa_tag_row **out, size_t *n, fa_err *e); /* by name, without deleted ones */
FA_MUST_CHECK fa_rc fa_tag_drop(fa_store *s, fa_str account, fa_str id, fa_err *e);      /* for good, with its versions */
FA_MUST_CHECK fa_rc fa_tag_purge(fa_store *s, fa_str account, int64_t before_ms, fa_err *e); /* those deleted before */
typedef struct fa_tag_version {
    fa_str  tag_id, id, change, rows_hash, created_by;
    int64_t created_ms;
    fa_str  document;                  /* empty in lists */
} fa_tag_version;
FA_MUST_CHECK fa_rc fa_tag_version_add(fa_store *s, fa_str account, const fa_tag_version *v, fa_err *e);
FA_MUST_CHECK fa_rc fa_tag_version_text(fa_store *s, fa_str account, fa_str tag_id, fa_str id, fa_str document, fa_err *e);
FA_MUST_CHECK fa_rc fa_tag_version_get(fa_store *s, fa_arena *a, fa_str account, fa_str tag_id, fa_str id, fa_tag_version *out, fa_err *e);
FA_MUST_CHECK fa_rc fa_tag_version_list(fa_store *s, fa_arena *a, fa_str account, fa_str tag_id, fa_tag_version **out, size_t *n, fa_err *e); /* newest first */
/* Keeps the live and the staged one, and of the others the newest: `most` in all, none made before before_ms. */
FA_MUST_CHECK fa_rc fa_tag_version_trim(fa_store *s, fa_str account, fa_str tag_id, size_t most, int64_t before_ms, fa_err *e);
typedef struct fa_tag_folder { fa_str id, name; int64_t created_ms; } fa_tag_folder;
FA_MUST_CHECK fa_rc fa_tag_folder_put(fa_store *s, fa_str account, const fa_tag_folder *v, fa_err *e);
FA_MUST_CHECK fa_rc fa_tag_folder_list(fa_store *s, fa_arena *a, fa_str account, fa_tag_folder **out, size_t *n, fa_err *e);
FA_MUST_CHECK fa_rc fa_tag_folder_drop(fa_store *s, fa_str account, fa_str id, fa_err *e); /* keeps its tags */
/* Rows of a dictionary by content: 32 hex, how many, packed CSV. What no version names is dropped by trim and purge. */
typedef struct fa_tag_content { fa_str hash; int64_t n; fa_str body; } fa_tag_content;
FA_MUST_CHECK fa_rc fa_tag_content_add(fa_store *s, fa_str account, const fa_tag_content *v, fa_err *e);
FA_MUST_CHECK fa_rc fa_tag_content_get(fa_store *s, fa_arena *a, fa_str account, fa_str hash, bool with_body, fa_tag_content *out, fa_err *e);

/* ---- custom costs: every state of an entry (an empty body: deleted), centers and their files ---- */
typedef struct fa_cost_entry { int64_t n; fa_str id, body, created_by; int64_t created_ms; } fa_cost_entry;
FA_MUST_CHECK fa_rc fa_cost_entry_add(fa_store *s, fa_str account, const fa_cost_entry *v, fa_err *e);
FA_MUST_CHECK fa_rc fa_cost_entry_list(fa_store *s, fa_arena *a, fa_str account, fa_cost_entry **out, size_t *n, fa_err *e); /* the newest state of each */
FA_MUST_CHECK fa_rc fa_cost_entry_states(fa_store *s, fa_arena *a, fa_str account, fa_str id, fa_cost_entry **out, size_t *n, fa_err *e); /* newest first */
FA_MUST_CHECK fa_rc fa_cost_entry_first(fa_store *s, fa_arena *a, fa_str account, fa_str id, fa_cost_entry *out, fa_err *e);
typedef struct fa_custom_center { fa_str id, name, body, error, created_by; int64_t created_ms; } fa_custom_center;
FA_MUST_CHECK fa_rc fa_custom_center_put(fa_store *s, fa_str account, const fa_custom_center *v, fa_err *e); /* FA_ECONFLICT: the name */
FA_MUST_CHECK fa_rc fa_custom_center_list(fa_store *s, fa_arena *a, fa_str account, fa_custom_center **out, size_t *n, fa_err *e);
FA_MUST_CHECK fa_rc fa_custom_center_drop(fa_store *s, fa_str account, fa_str id, fa_err *e);
typedef struct fa_custom_file {
    fa_str center_id, name, source, mark; int64_t rows; int32_t first_day, last_day;
    fa_str created_by; int64_t created_ms; bool removed;
} fa_custom_file;
FA_MUST_CHECK fa_rc fa_custom_file_put(fa_store *s, fa_str account, const fa_custom_file *v, fa_err *e);
FA_MUST_CHECK fa_rc fa_custom_file_list(fa_store *s, fa_arena *a, fa_str account, fa_str center_id, fa_custom_file **out, size_t *n, fa_err *e);

/* ---- asynchronous API queries (V2): kept 24 h as results, 7 days as ids ---- */
typedef struct fa_cost_query {
    fa_str  id, state; /* queued running completed failed */
    fa_str  request;   /* JSON as sent */
    fa_str  result;    /* one JSON row per line; empty until completed */
    fa_str  error;
    int64_t rows, created_ms, completed_ms;
    fa_str  owner, scope; /* id of who asked; what that one could see (a hash of the row rules) */
} fa_cost_query;
FA_MUST_CHECK fa_rc fa_cost_query_put(fa_store *s, fa_str account, const fa_cost_query *v, fa_err *e);
FA_MUST_CHECK fa_rc fa_cost_query_get(fa_store *s, fa_arena *a, fa_str account, fa_str id, bool with_result, fa_cost_query *out, fa_err *e);
FA_MUST_CHECK fa_rc fa_cost_query_purge(fa_store *s, fa_str account, int64_t drop_results_before_ms, int64_t drop_ids_before_ms, fa_err *e);

/* ---- telemetry: its definition, the files that brought points, the points ---- */
typedef struct fa_telemetry_row {
    fa_str  id, name, type, body; /* body: JSON, see allocate/ */
    bool    is_active;
    fa_str  error, created_by;    /* error: of the last refresh; empty: it went well */
    int64_t created_ms, updated_ms, received_ms; /* received: points last came; -1 never */
    int64_t version;              /* grows with every change of points */
} fa_telemetry_row;
typedef struct fa_telemetry_file {
    int64_t id;
    fa_str  name, hash, detail;   /* hash: of the content, empty: none; detail: JSON */
    int64_t received_ms;
} fa_telemetry_file;
typedef struct fa_telemetry_point {
    fa_str  metric;
    int32_t day;
    fa_str  key, amount;          /* values of the fields with 0x1f between them; exact decimal */
} fa_telemetry_point;
typedef struct fa_telemetry_span {
    int32_t first, last;          /* INT32_MIN: no points */
    int64_t points;
} fa_telemetry_span;
/* Inserts, or updates name, type, body and is_active. Name unique, case folded: FA_ECONFLICT. */
FA_MUST_CHECK fa_rc fa_telemetry_put(fa_store *s, fa_str account, const fa_telemetry_row *v, fa_err *e);
FA_MUST_CHECK fa_rc fa_telemetry_row_get(fa_store *s, fa_arena *a, fa_str account, fa_str id, fa_telemetry_row *out, fa_err *e);
FA_MUST_CHECK fa_rc fa_telemetry_rows(fa_store *s, fa_arena *a, fa_str account, fa_telemetry_row **out, size_t *n, fa_err *e); /* by name */
FA_MUST_CHECK fa_rc fa_telemetry_delete(fa_store *s, fa_str account, fa_str id, fa_err *e); /* and all that hangs on it */
FA_MUST_CHECK fa_rc fa_telemetry_failed(fa_store *s, fa_str account, fa_str id, fa_str error, fa_err *e);
/* Something came; `changed`: the version grows, and days marked with fa_telemetry_day_changed afterwards have it. */
FA_MUST_CHECK fa_rc fa_telemetry_received(fa_store *s, fa_str account, fa_str id, int64_t received_ms, bool changed, fa_err *e);
FA_MUST_CHECK fa_rc fa_telemetry_day_changed(fa_store *s, fa_str account, fa_str id, int32_t day, fa_err *e);
FA_MUST_CHECK fa_rc fa_telemetry_days_since(fa_store *s, fa_arena *a, fa_str account, fa_str id, int64_t version, int32_t **out, size_t *n, fa_err *e);
FA_MUST_CHECK fa_rc fa_telemetry_span_get(fa_store *s, fa_arena *a, fa_str account, fa_str id, fa_telemetry_span *out, fa_err *e);
FA_MUST_CHECK fa_rc fa_telemetry_file_put(fa_store *s, fa_str account, fa_str id, const fa_telemetry_file *v, fa_err *e); /* by name */
FA_MUST_CHECK fa_rc fa_telemetry_files(fa_store *s, fa_arena *a, fa_str account, fa_str id, fa_telemetry_file **out, size_t *n, fa_err *e); /* newest first */
FA_MUST_CHECK fa_rc fa_telemetry_file_get(fa_store *s, fa_arena *a, fa_str account, fa_str id, fa_str name, fa_telemetry_file *out, fa_err *e);
FA_MUST_CHECK fa_rc fa_telemetry_file_same(fa_store *s, fa_arena *a, fa_str account, fa_str id, fa_str hash, fa_telemetry_file *out, fa_err *e);
FA_MUST_CHECK fa_rc fa_telemetry_point_put(fa_store *s, fa_str account, fa_str id, int64_t file, const fa_telemetry_point *p, fa_err *e);
FA_MUST_CHECK fa_rc fa_telemetry_point_drop(fa_store *s, fa_str account, fa_str id, int64_t file, const fa_telemetry_point *p, fa_err *e);
FA_MUST_CHECK fa_rc fa_telemetry_points_of_file(fa_store *s, fa_arena *a, fa_str account, fa_str id, int64_t file, int32_t from, int32_t to,
                                                fa_telemetry_point **out, size_t *n, fa_err *e); /* by metric, day, key */
FA_MUST_CHECK fa_rc fa_telemetry_point_list(fa_store *s, fa_arena *a, fa_str account, fa_str id, fa_str metric, int32_t from, int32_t to,
                                            fa_telemetry_point **out, size_t *n, fa_err *e); /* by day, key; one per file */

/* ---- the vault: what vault/ sealed; nothing of it can be read here ---- */
typedef struct fa_vault_key {
    fa_str  id, master, wrapped; /* the account's key under the master key named `master` */
    int64_t created_ms;
} fa_vault_key;
FA_MUST_CHECK fa_rc fa_vault_key_add(fa_store *s, fa_str account, const fa_vault_key *k, fa_err *e);
FA_MUST_CHECK fa_rc fa_vault_key_list(fa_store *s, fa_arena *a, fa_str account, fa_vault_key **out, size_t *n, fa_err *e); /* newest first */
FA_MUST_CHECK fa_rc fa_vault_key_wrap(fa_store *s, fa_str account, const fa_vault_key *k, fa_err *e); /* by id: master, wrapped */

typedef struct fa_credential {
    fa_str  id, name, kind, owner, fingerprint, sealed;
    int64_t created_ms, rotated_ms, used_ms, expires_ms; /* -1: never */
} fa_credential;
typedef struct fa_credential_use { fa_str credential_id, what, object_id, object_name; } fa_credential_use;
FA_MUST_CHECK fa_rc fa_credential_add(fa_store *s, fa_str account, const fa_credential *c, fa_err *e); /* name unique: FA_ECONFLICT */
FA_MUST_CHECK fa_rc fa_credential_get(fa_store *s, fa_arena *a, fa_str account, fa_str id, fa_credential *out, fa_err *e);
FA_MUST_CHECK fa_rc fa_credential_list(fa_store *s, fa_arena *a, fa_str account, fa_credential **out, size_t *n, fa_err *e);
FA_MUST_CHECK fa_rc fa_credential_update(fa_store *s, fa_str account, const fa_credential *c, fa_err *e); /* name, sealed, fingerprint, rotated, expires */
FA_MUST_CHECK fa_rc fa_credential_touch(fa_store *s, fa_str account, fa_str id, int64_t now_ms, fa_err *e);
FA_MUST_CHECK fa_rc fa_credential_delete(fa_store *s, fa_arena *a, fa_str account, fa_str id, fa_err *e); /* FA_ECONFLICT: names who uses it */
/* Of one credential, or of all when id is empty. */
FA_MUST_CHECK fa_rc fa_credential_uses(fa_store *s, fa_arena *a, fa_str account, fa_str id, fa_credential_use **out, size_t *n, fa_err *e);
/* The object uses this credential and no other; an empty credential_id: none. */
FA_MUST_CHECK fa_rc fa_credential_set_use(fa_store *s, fa_str account, const fa_credential_use *u, fa_err *e);

/* ---- connections, and the deliveries taken from them ---- */
typedef struct fa_connection {
    fa_str  id, name, source, kind;
    fa_str  config;        /* JSON object of texts */
    fa_str  credential_id; /* empty: none */
    fa_str  schedule;      /* cron; empty: only when asked */
    bool    paused;
    fa_str  state, error;  /* pending connected error inactive */
    int64_t failures;      /* in a row */
    fa_str  created_by;
    int64_t created_ms, updated_ms, last_run_ms, last_ok_ms, next_run_ms; /* -1: never */
} fa_connection;
FA_MUST_CHECK fa_rc fa_connection_add(fa_store *s, fa_str account, const fa_connection *c, fa_err *e); /* name unique: FA_ECONFLICT */
FA_MUST_CHECK fa_rc fa_connection_get(fa_store *s, fa_arena *a, fa_str account, fa_str id, fa_connection *out, fa_err *e);
FA_MUST_CHECK fa_rc fa_connection_list(fa_store *s, fa_arena *a, fa_str account, fa_connection **out, size_t *n, fa_err *e);
FA_MUST_CHECK fa_rc fa_connection_due(fa_store *s, fa_arena *a, fa_str account, int64_t now_ms, fa_connection **out, size_t *n, fa_err *e);
/* What a person changes: name, source, config, credential, schedule, paused, state, next run. */
FA_MUST_CHECK fa_rc fa_connection_edit(fa_store *s, fa_str account, const fa_connection *c, fa_err *e);
/* What a run changes: state, error, failures, last and next run. */
FA_MUST_CHECK fa_rc fa_connection_ran(fa_store *s, fa_str account, const fa_connection *c, fa_err *e);
FA_MUST_CHECK fa_rc fa_connection_plan(fa_store *s, fa_str account, fa_str id, int64_t next_ms, fa_err *e);
FA_MUST_CHECK fa_rc fa_connection_delete(fa_store *s, fa_str account, fa_str id, fa_err *e);
typedef struct fa_delivery {
    fa_str  scope, version, seq;
    int64_t files, bytes, load_id, loaded_ms;
} fa_delivery;
FA_MUST_CHECK fa_rc fa_delivery_took(fa_store *s, fa_str account, fa_str connection_id, const fa_delivery *d, fa_err *e);
FA_MUST_CHECK fa_rc fa_delivery_list(fa_store *s, fa_arena *a, fa_str account, fa_str connection_id, fa_delivery **out, size_t *n, fa_err *e); /* newest first */

/* ---- jobs: every run, kept for its history ---- */
typedef struct fa_job {
    fa_str  id, kind;      /* load reload fetch fairshare */
    fa_str  connection_id, source, file, path;
    int64_t load_id;
    fa_str  state;         /* queued running done failed cancelled */
    fa_str  by;
    int64_t attempts;
    fa_str  lease_by;      /* the process that runs it */
    int64_t heartbeat_ms, rows, bytes, bytes_total, created_ms, started_ms, ended_ms; /* -1: not yet */
    fa_str  message;
} fa_job;
FA_MUST_CHECK fa_rc fa_job_add(fa_store *s, fa_str account, const fa_job *j, fa_err *e);
FA_MUST_CHECK fa_rc fa_job_take(fa_store *s, fa_str account, fa_str id, fa_str by, int64_t now_ms, fa_err *e); /* FA_ECONFLICT: has ended */
FA_MUST_CHECK fa_rc fa_job_beat(fa_store *s, fa_str account, const fa_job *j, fa_err *e);
FA_MUST_CHECK fa_rc fa_job_end(fa_store *s, fa_str account, const fa_job *j, fa_err *e); /* once; later ends change nothing */
FA_MUST_CHECK fa_rc fa_job_open(fa_store *s, fa_arena *a, fa_str account, fa_job **out, size_t *n, fa_err *e); /* queued and running, oldest first */
FA_MUST_CHECK fa_rc fa_job_of_connection(fa_store *s, fa_arena *a, fa_str account, fa_str connection_id, size_t limit, fa_job **out, size_t *n, fa_err *e);
FA_MUST_CHECK fa_rc fa_job_purge(fa_store *s, fa_str account, int64_t before_ms, fa_err *e);

#endif
