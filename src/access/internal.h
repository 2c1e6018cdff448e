/* internal.h - private to access/: what its files share. */
#ifndef FA_ACCESS_INTERNAL_H
#define FA_ACCESS_INTERNAL_H

#include "access/access.h"

/* ---- secret.c: 256-bit secrets; only their BLAKE2b-256 is ever kept ---- */
#define FA_SECRET_PREFIX "fsk_"
#define FA_SECRET_MAX    64
void fa_secret_token(char out[FA_SECRET_MAX]);  /* "fsk_" + 43 random + 6 check characters */
void fa_secret_opaque(char out[FA_SECRET_MAX]); /* 43 URL-safe characters: links, sessions */
bool fa_secret_form(fa_str s);                  /* prefix, length and check characters of a token */
void fa_secret_hash(fa_str s, char out[65]);
/* A fresh opaque secret in the arena and its hash. */
FA_MUST_CHECK fa_rc fa_secret_new(fa_arena *a, fa_str *secret, char hash[65], fa_err *e);

/* ---- seal.c: what must be read back is kept under a key that is not in the data folder (SK-3..5) ---- */
FA_MUST_CHECK fa_rc fa_seal(fa_ledger *l, fa_arena *a, fa_str plain, fa_str about, fa_str *out, fa_err *e);
bool fa_seal_is_old(fa_str sealed); /* under the key of an earlier version: seal it anew */
FA_MUST_CHECK fa_rc fa_unseal(fa_ledger *l, fa_arena *a, fa_str sealed, fa_str about, fa_str *plain, fa_err *e);

/* The person behind an id, active where people sign in; FA_ENOTFOUND. */
FA_MUST_CHECK fa_rc fa_person_live(fa_ledger *l, fa_arena *a, fa_str id, fa_user *out, fa_err *e);
/* signin.c, for member.c */
void fa_must_enroll(const fa_policy *p, const fa_user *u, int64_t now, fa_caller *c);
FA_MUST_CHECK fa_rc fa_borrow_eyes(fa_ledger *l, fa_arena *a, fa_str view_as, fa_caller *c, fa_err *e);

/* audit.c: a change of a person, or of a group; of high severity. In the transaction of the change. */
FA_MUST_CHECK fa_rc fa_user_audit(fa_ledger *l, const fa_caller *by, const char *action, const fa_user *u, fa_str before,
                                  fa_str after, fa_err *e);
FA_MUST_CHECK fa_rc fa_team_audit(fa_ledger *l, const fa_caller *by, const char *action, const fa_team *t, fa_str before,
                                  fa_str after, fa_err *e);

/* mail.c: tells the person an audited change is about. In its transaction; never fails. */
void fa_mail_notice(fa_ledger *l, const fa_caller *by, const fa_audit *v);

/* ---- password.c: rules and bounded hashing ---- */
enum { FA_PASSWORD_MIN_CHARS = 15, FA_PASSWORD_MIN_WITH_MFA = 8, FA_PASSWORD_MAX_BYTES = 256 };
/* PW-4, PW-5. `words`: what this user may not build a password of (e-mail, name, account). FA_EDATA. */
FA_MUST_CHECK fa_rc fa_password_rules(fa_str password, size_t least, const fa_str *words, size_t nwords, fa_err *e);
bool   fa_password_common(fa_str password, const fa_str *words, size_t nwords); /* deny.c */
size_t fa_password_denied_count(void); /* how many single and double words the list stands for */
/* FA_EENV when 64 wait already or none of the 4 places came free within 2 s. */
FA_MUST_CHECK fa_rc fa_password_hash(fa_arena *a, fa_str password, fa_str *out, fa_err *e);
/* An empty `stored` takes the same time and fails. *weak: should be hashed again. */
FA_MUST_CHECK fa_rc fa_password_verify(fa_str password, fa_str stored, bool *ok, bool *weak, fa_err *e);

/* ---- guess.c: RL-1, RL-2, RL-4; the clock is an argument ----
 * device: of a browser that signed in to this account before; then only its own failures count (RL-3). */
int64_t fa_guess_wait(fa_str email, fa_str device, fa_str ip, int64_t now_ms); /* ms to wait before the next try; 0: go on */
void    fa_guess_failed(fa_str email, fa_str device, fa_str ip, int64_t now_ms);
void    fa_guess_cleared(fa_str email, fa_str device, fa_str ip);
/* One more of `what` ("reset", "audit") by `who`; false: there were `most` within the hour already. */
bool    fa_guess_count(const char *what, fa_str who, int most, int64_t now_ms);
void    fa_guess_forget(void); /* tests */

/* ---- people ---- */
bool   fa_email_ok(fa_str s);
FA_MUST_CHECK fa_rc fa_caller_of_user(fa_ledger *l, fa_arena *a, const fa_user *u, fa_caller *out, fa_err *e);
FA_MUST_CHECK fa_rc fa_link_add(fa_ledger *l, fa_arena *a, fa_str user_id, const char *kind, int64_t for_ms, fa_str *secret, fa_err *e);
size_t fa_own_words(const fa_user *u, fa_str out[4]); /* what this user may not build a password of */
/* In a transaction that took something from somebody: FA_ECONFLICT when no active administrator is left, or the Admin Group is empty. */
FA_MUST_CHECK fa_rc fa_admins_stay(fa_ledger *l, fa_arena *a, fa_err *e);
/* mfa.c: is a code right? Uses it up. FA_EAUTH. */
FA_MUST_CHECK fa_rc fa_code_take(fa_ledger *l, fa_arena *a, const fa_user *u, fa_str code, fa_err *e);
/* Opens a session and remembers the browser. by: "password", "link", "code", "oidc", ... Audited. */
FA_MUST_CHECK fa_rc fa_session_open(fa_ledger *l, fa_arena *a, const fa_user *u, const char *by, const fa_browser *b, bool remember,
                                    fa_signed_in *out, fa_err *e);

/* signin.c: the policy's networks; FA_EFORBIDDEN. Somebody at a browser, for the audit log. */
FA_MUST_CHECK fa_rc fa_place_ok(const fa_policy *p, fa_str ip, fa_err *e);
fa_caller fa_at_browser(fa_ledger *l, const fa_user *u, const fa_browser *b);
/* A code is wanted before the session: the challenge for it. */
FA_MUST_CHECK fa_rc fa_challenge_new(fa_ledger *l, fa_arena *a, const fa_user *u, fa_signed_in *out, fa_err *e);
/* federated.c: the code was right; the session becomes what the sign-on said before. */
FA_MUST_CHECK fa_rc fa_federated_resume(fa_ledger *l, fa_arena *a, fa_str challenge_hash, fa_str session, fa_err *e);
/* While single sign-on is enforced somebody must be left who may break the glass, and a connection; FA_ECONFLICT. */
FA_MUST_CHECK fa_rc fa_sso_only_holds(fa_ledger *l, fa_arena *a, const fa_policy *p, bool setting, fa_err *e);

/* ---- small ---- */
FA_MUST_CHECK fa_rc fa_list_add(fa_arena *a, fa_str *list, fa_str word, fa_err *e); /* unless it is there */
FA_MUST_CHECK fa_rc fa_json_out(fa_arena *a, const fa_buf *b, fa_str *out, fa_err *e); /* releases nothing */
/* A text of 1..most bytes without control characters, trimmed; FA_EINVAL at `field`. */
FA_MUST_CHECK fa_rc fa_text_ok(fa_str *s, size_t least, size_t most, const char *field, fa_err *e);
/* {"a":"b",...} of name, value pairs in the arena; values NULL-terminated by a NULL name. */
FA_MUST_CHECK fa_rc fa_json_pairs(fa_arena *a, fa_str *out, fa_err *e, ...);

#endif
