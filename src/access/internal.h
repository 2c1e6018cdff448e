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

/* ---- password.c: rules and bounded hashing ---- */
enum { FA_PASSWORD_MIN_CHARS = 15, FA_PASSWORD_MAX_BYTES = 256 };
/* PW-4, PW-5. `words`: what this user may not build a password of (e-mail, name, account). FA_EDATA. */
FA_MUST_CHECK fa_rc fa_password_rules(fa_str password, const fa_str *words, size_t nwords, fa_err *e);
bool   fa_password_common(fa_str password, const fa_str *words, size_t nwords); /* deny.c */
size_t fa_password_denied_count(void); /* how many single and double words the list stands for */
/* FA_EENV when 64 wait already or none of the 4 places came free within 2 s. */
FA_MUST_CHECK fa_rc fa_password_hash(fa_arena *a, fa_str password, fa_str *out, fa_err *e);
/* An empty `stored` takes the same time and fails. *weak: should be hashed again. */
FA_MUST_CHECK fa_rc fa_password_verify(fa_str password, fa_str stored, bool *ok, bool *weak, fa_err *e);

/* ---- guess.c: RL-1, RL-2, RL-4; the clock is an argument ---- */
int64_t fa_guess_wait(fa_str email, fa_str ip, int64_t now_ms); /* ms to wait before the next try; 0: go on */
void    fa_guess_failed(fa_str email, fa_str ip, int64_t now_ms);
void    fa_guess_cleared(fa_str email, fa_str ip);
void    fa_guess_forget(void); /* tests */

#endif
