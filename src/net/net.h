/*
 * net.h - outgoing HTTP(S): the one way Farthing speaks to other machines.
 *
 * Every request passes the guard of security.md 3.7: https on port 443 to a public address, the
 * address resolved once, checked and pinned; anything else only if the operator listed the host.
 * TLS is always verified. Proxies of the environment and cookies are not used.
 *
 * A status is an answer, not an error: fa_net_send gives FA_OK and the caller judges `status`.
 * FA_EINVAL: the address is malformed or refused (hint says how to allow it). FA_EENV: not reachable,
 * cut off. FA_ETIMEOUT, FA_ECANCELLED, FA_ETOOBIG as named. No message and no log line has more of the
 * address than its host, nor any header or body.
 *
 * Threads: one fa_net may be used by many at once; a request belongs to its caller until it returns.
 */
#ifndef FA_NET_H
#define FA_NET_H

#include "base/base.h"

typedef struct fa_net fa_net;

/* The operator's word; the page cannot change it. */
typedef struct fa_net_config {
    const char *allow;      /* "host, host:port, 10.0.0.0/8": private or plain http is right there; may be NULL */
    const char *ca_file;    /* PEM file of own authorities beside the system's; may be NULL */
    unsigned    retry_ms;   /* first wait of a retry; 0: 1,000 (tests are quicker) */
} fa_net_config;

FA_MUST_CHECK fa_rc fa_net_open(const fa_net_config *c, fa_net **out, fa_err *e);
void                fa_net_close(fa_net *n); /* no request may be under way; NULL is fine */

/* What can be said of an address without asking for its host's: for the moment a person enters it. */
FA_MUST_CHECK fa_rc fa_net_check(const fa_net *n, const char *url, fa_err *e);

/* Is the address in one of these domains ("googleapis.com|..."), or did the operator name its host? For what carries a
 * secret as it is (a bearer token, a SAS, a client secret): it must not be sent to whom a form's field names. */
FA_MUST_CHECK fa_rc fa_net_at_home(const fa_net *n, const char *url, const char *homes, fa_err *e);

/* AWS Signature Version 4 of the request, with libcurl. */
typedef struct fa_net_sign {
    const char *key, *secret, *token; /* token: of a session; NULL or "" without */
    const char *region, *service;
} fa_net_sign;

typedef void fa_net_tick(void *user, int64_t done, int64_t total); /* total < 0: not known */

typedef struct fa_net_request {
    const char        *method;  /* NULL: GET, or POST with a body */
    const char        *url;
    const char *const *header;  /* "Name: value"; may hold secrets, wiped after use */
    size_t             nheader;
    fa_str             body;    /* sent from memory */
    const char        *body_path; /* or from a file; NULL: no */
    const fa_net_sign *sign;

    /* The answer's body: in memory up to max_body (0: 1 MiB), or with sink_fd > 0 in a file from sink_at on,
     * at most sink_max bytes (0: 10 GiB), and only if the status is sink_status (0: any 2xx). */
    size_t             max_body;
    int                sink_fd;
    int64_t            sink_at, sink_max;
    int                sink_status;

    int                connect_ms; /* 0: 5,000 */
    int                total_ms;   /* of one try; 0: 30,000, with sink_fd none; < 0: none */
    int                stall_ms;   /* no byte for so long ends a try; 0: 30,000 */
    int                tries;      /* 0: 8 for GET, HEAD, PUT and DELETE, 1 for the others */
    int                redirects;  /* at most so many, of a GET, to the same scheme, host and port */
    bool               redirect_with_credentials; /* else none with `sign` or an Authorization header */
    bool               metadata;   /* our own code asks the cloud's 169.254.169.254: let it */
    const volatile bool *cancel;
    fa_net_tick       *tick;
    void              *tick_user;
} fa_net_request;

typedef struct fa_net_response {
    int     status;
    fa_str  body;    /* in memory; zero-terminated */
    bool    cut;     /* the body of an error was longer than kept */
    fa_str  headers; /* as sent, of the last answer */
    int64_t bytes;   /* of the body that the sink took in the last try, also when the call failed */
    int     tries;
} fa_net_response;

/* Everything in *r lives in the arena. */
FA_MUST_CHECK fa_rc fa_net_send(fa_net *n, fa_arena *a, const fa_net_request *q, fa_net_response *r, fa_err *e);
/* A header of the answer, trimmed; {NULL, 0}: not there. */
fa_str fa_net_header(const fa_net_response *r, const char *name);
/* The answer's code as our own (401 FA_EAUTH, 404 FA_ENOTFOUND ...; 2xx FA_OK) with a message that names
 * `what` and the status, and nothing of the body. */
fa_rc fa_net_judge(const fa_net_response *r, const char *what, fa_err *e);
bool  fa_net_retryable(int status); /* 408, 425, 429, 500, 502, 503, 504 */
/* For who retries himself: what Retry-After says in ms (-1: nothing), and the wait after the `tried`th try: that
 * long, else anything up to the doubled first wait. FA_ECANCELLED; FA_ELIMIT: told to wait more than five minutes. */
int64_t fa_net_retry_after(const fa_net_response *r);
FA_MUST_CHECK fa_rc fa_net_pause(const fa_net *n, int tried, int64_t after_ms, const volatile bool *cancel, fa_err *e);

/* ---- mail: one message to one person over SMTP (smtp.c) ----
 * The same guard: TLS on port 25, 465, 587 or 2525 of a public, named host; else only what the operator listed, and
 * without TLS only that. Names and certificates are verified. */
typedef struct fa_net_mail {
    const char *host;
    int         port;
    const char *security;       /* "starttls", "tls", "none" */
    const char *user, *password; /* NULL or "": not signed in */
    const char *from, *to;      /* bare addresses */
    fa_str      message;        /* whole, lines end with CR LF */
    int         total_ms;       /* 0: 30,000 */
    const volatile bool *cancel;
} fa_net_mail;
/* Before an administrator's settings are kept; asks nobody. FA_EINVAL. */
FA_MUST_CHECK fa_rc fa_net_mail_check(const fa_net *n, const char *host, int port, const char *security, fa_err *e);
/* One try. FA_OK: the server has taken it. *again: a later try may help (not reached, 4xx, sign-in refused). The error
 * names host, step and the reply's code, and nothing that was sent. */
FA_MUST_CHECK fa_rc fa_net_mail_send(fa_net *n, const fa_net_mail *m, bool *again, fa_err *e);
unsigned fa_net_retry_ms(const fa_net *n); /* the first wait of a retry */

#endif
