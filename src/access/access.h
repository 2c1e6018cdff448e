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

/* Permission keys of access.md 1.3, a closed enum. name is the wire text. */
#define FA_PERMS(X)                                                     \
    X(PUBLIC, "public") X(SELF, "self")                                 \
    X(COST_QUERY, "cost.query") X(COST_EXPORT, "cost.export")           \
    X(VIEWS_VIEW, "views.view") X(VIEWS_MANAGE, "views.manage")         \
    X(COSTCENTERS_VIEW, "costcenters.view") X(COSTCENTERS_CREATE, "costcenters.create") \
    X(COSTCENTERS_EDIT, "costcenters.edit") X(COSTCENTERS_DELETE, "costcenters.delete") \
    X(ACCOUNT_VIEW, "account.view") X(ACCOUNT_EDIT, "account.edit")     \
    X(TOKENS_ACCOUNT_MANAGE, "tokens.account.manage") X(TOKENS_PERSONAL_MANAGE, "tokens.personal.manage") \
    X(USERS_VIEW, "users.view")
typedef enum {
#define X(id, name) FA_PERM_##id,
    FA_PERMS(X)
#undef X
    FA_PERM__COUNT
} fa_perm;
const char *fa_perm_name(fa_perm p);

/* Roles: "admin", "basic", "read-only", "api-token". false: no such role. */
typedef struct fa_role {
    const char *key, *name, *doc;
    unsigned    perms; /* bit set: 1u << fa_perm */
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
