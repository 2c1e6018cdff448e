/*
 * smtp.c - one message to one person over SMTP: pinned address, TLS, bounds; retries are the caller's.
 *
 * libcurl speaks the protocol; it sends addresses in commands of its own, so an address with a line break or an
 * angle bracket is refused before.
 */
#include "net/inner.h"

#include <curl/curl.h>
#include <string.h>
#include <sys/socket.h>

typedef struct sending {
    const fa_net_mail *m;
    const net_target *target;
    size_t at; /* of the message */
    bool refused;
} sending;

static curl_socket_t on_socket(void *user, curlsocktype purpose, struct curl_sockaddr *a)
{
    sending *s = user;

    if (purpose != CURLSOCKTYPE_IPCXN || !net_target_has(s->target, &a->addr)) {
        s->refused = true;
        return CURL_SOCKET_BAD;
    }
    return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

static size_t on_read(char *p, size_t size, size_t n, void *user)
{
    sending *s = user;
    size_t room = size * n, left = s->m->message.n - s->at;

    if (room > left)
        room = left;
    memcpy(p, s->m->message.p + s->at, room);
    s->at += room;
    return room;
}

static int on_progress(void *user, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    const sending *s = user;

    (void)a;
    (void)b;
    (void)c;
    (void)d;
    return fa_flag_get(s->m->cancel) ? 1 : 0;
}

static bool address_ok(const char *z)
{
    size_t n = z ? strlen(z) : 0;

    if (n < 3 || n > 254 || !strchr(z, '@'))
        return false;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)z[i] <= ' ' || z[i] == 0x7f || z[i] == '<' || z[i] == '>')
            return false;
    return true;
}

/* "smtp://host:port/domain": the path is what we call ourselves in the greeting. */
static bool url_of(const net_target *t, const fa_net_mail *m, bool tls, char *out, size_t room)
{
    bool v6 = strchr(t->host, ':') != NULL;
    const char *domain = strrchr(m->from, '@') + 1;
    int n = snprintf(out, room, "%s://%s%s%s:%d/%s", tls ? "smtps" : "smtp", v6 ? "[" : "", t->host,
                     v6 ? "]" : "", t->port, domain);

    return n > 0 && (size_t)n < room;
}

static CURLcode set_message(CURL *h, sending *s, struct curl_slist *rcpt)
{
    const fa_net_mail *m = s->m;
    CURLcode rc = curl_easy_setopt(h, CURLOPT_MAIL_FROM, m->from);

    rc = rc ? rc : curl_easy_setopt(h, CURLOPT_MAIL_RCPT, rcpt);
    rc = rc ? rc : curl_easy_setopt(h, CURLOPT_UPLOAD, 1L);
    rc = rc ? rc : curl_easy_setopt(h, CURLOPT_READFUNCTION, on_read);
    rc = rc ? rc : curl_easy_setopt(h, CURLOPT_READDATA, s);
    if (!rc && m->user && m->user[0]) {
        rc = curl_easy_setopt(h, CURLOPT_USERNAME, m->user);
        rc = rc ? rc : curl_easy_setopt(h, CURLOPT_PASSWORD, m->password ? m->password : "");
    }
    return rc;
}

static CURLcode set_bounds(CURL *h, sending *s)
{
    CURLcode rc = curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT_MS, 5000L);

    rc = rc ? rc
            : curl_easy_setopt(h, CURLOPT_TIMEOUT_MS,
                               (long)(s->m->total_ms > 0 ? s->m->total_ms : 30000));
    rc = rc ? rc : curl_easy_setopt(h, CURLOPT_OPENSOCKETFUNCTION, on_socket);
    rc = rc ? rc : curl_easy_setopt(h, CURLOPT_OPENSOCKETDATA, s);
    rc = rc ? rc : curl_easy_setopt(h, CURLOPT_XFERINFOFUNCTION, on_progress);
    rc = rc ? rc : curl_easy_setopt(h, CURLOPT_XFERINFODATA, s);
    return rc ? rc : curl_easy_setopt(h, CURLOPT_NOPROGRESS, 0L);
}

static CURLcode set_policy(CURL *h, const fa_net *n, const char *url, long tls,
                           struct curl_slist *pinned)
{
    CURLcode rc = curl_easy_setopt(h, CURLOPT_URL, url);

    rc = rc ? rc : curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
    rc = rc ? rc : curl_easy_setopt(h, CURLOPT_PROXY, "");
    rc = rc ? rc : curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    rc = rc ? rc : curl_easy_setopt(h, CURLOPT_USE_SSL, tls);
    rc = rc ? rc : curl_easy_setopt(h, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    rc = rc ? rc : curl_easy_setopt(h, CURLOPT_SSL_VERIFYPEER, 1L);
    rc = rc ? rc : curl_easy_setopt(h, CURLOPT_SSL_VERIFYHOST, 2L);
    rc = rc ? rc : curl_easy_setopt(h, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    if (!rc && net_ca_file(n))
        rc = curl_easy_setopt(h, CURLOPT_CAINFO, net_ca_file(n));
    return rc ? rc : curl_easy_setopt(h, CURLOPT_RESOLVE, pinned);
}

/* Words for what went wrong; none of them is the server's or the message's. */
static fa_rc explain(const sending *s, CURLcode rc, long code, bool *again, fa_err *e)
{
    const char *host = s->target->host;

    *again = true;
    if (s->refused) {
        *again = false;
        return fa_fail(e, FA_EINVAL, "%s changed its address while it was called", host);
    }
    switch (rc) {
    case CURLE_ABORTED_BY_CALLBACK:
        return fa_fail(e, FA_ECANCELLED, "cancelled");
    case CURLE_OPERATION_TIMEDOUT:
        return fa_fail(e, FA_ETIMEOUT, "the mail server %s did not answer in time", host);
    case CURLE_COULDNT_CONNECT:
        return fa_fail(e, FA_EENV, "the mail server %s could not be reached", host);
    case CURLE_USE_SSL_FAILED:
        fa_fail(e, FA_EENV, "the mail server %s offers no STARTTLS", host);
        return fa_hint(e, "use its TLS port (465), or another server: nothing is sent in clear");
    case CURLE_PEER_FAILED_VERIFICATION:
        fa_fail(e, FA_EENV, "the certificate of the mail server %s is not trusted", host);
        return fa_hint(e, "own authorities go into a PEM file: farthing serve --ca-file FILE");
    case CURLE_SSL_CONNECT_ERROR:
        return fa_fail(e, FA_EENV, "the mail server %s broke TLS off", host);
    case CURLE_LOGIN_DENIED:
        fa_fail(e, FA_EENV, "the mail server %s does not accept the user and password (%ld)", host,
                code);
        return fa_hint(e, "an administrator can enter them again under Administration, Mail");
    default:
        break;
    }
    if (code >= 500 && code < 600) {
        *again = false;
        return fa_fail(e, FA_EDATA, "the mail server %s refused the message (%ld)", host, code);
    }
    if (code >= 400 && code < 500)
        return fa_fail(e, FA_EENV, "the mail server %s put the message off (%ld)", host, code);
    return fa_fail(e, FA_EENV, "the mail server %s broke off", host);
}

static fa_rc perform(fa_net *n, const net_target *t, const fa_net_mail *m, bool *again, fa_err *e)
{
    bool tls = strcmp(m->security, "tls") == 0, clear = strcmp(m->security, "none") == 0;
    struct curl_slist *rcpt = curl_slist_append(NULL, m->to), *pinned = net_pin(t);
    sending s = {.m = m, .target = t};
    CURL *h = curl_easy_init();
    char url[2 * NET_HOST + 40];
    long code = 0;
    CURLcode rc;
    fa_rc out = FA_OK;

    if (!h || !rcpt || !pinned || !url_of(t, m, tls, url, sizeof url)) {
        out = fa_oom(e);
        goto done;
    }
    rc = set_policy(h, n, url, clear ? (long)CURLUSESSL_NONE : (long)CURLUSESSL_ALL, pinned);
    rc = rc ? rc : set_bounds(h, &s);
    rc = rc ? rc : set_message(h, &s, rcpt);
    rc = rc ? rc : curl_easy_perform(h);
    if (rc) {
        if (curl_easy_getinfo(h, CURLINFO_RESPONSE_CODE, &code))
            code = 0;
        out = explain(&s, rc, code, again, e);
    }
done:
    if (h)
        curl_easy_cleanup(h);
    curl_slist_free_all(rcpt);
    curl_slist_free_all(pinned);
    return out;
}

static bool security_ok(const char *s)
{
    return s && (!strcmp(s, "tls") || !strcmp(s, "starttls") || !strcmp(s, "none"));
}

fa_rc fa_net_mail_check(const fa_net *n, const char *host, int port, const char *security,
                        fa_err *e)
{
    net_target t;

    if (!security_ok(security))
        return fa_fail(e, FA_EINVAL, "must be starttls, tls or none");
    return net_target_mail(net_rules_of(n), host, port, strcmp(security, "none") != 0, &t, e);
}

fa_rc fa_net_mail_send(fa_net *n, const fa_net_mail *m, bool *again, fa_err *e)
{
    net_target t;
    fa_rc rc;

    *again = false;
    if (!address_ok(m->from) || !address_ok(m->to))
        return fa_fail(e, FA_EINVAL, "the message has an address that is none");
    if (!security_ok(m->security))
        return fa_fail(e, FA_EINVAL, "must be starttls, tls or none");
    if ((rc = net_target_mail(net_rules_of(n), m->host, m->port, strcmp(m->security, "none") != 0,
                              &t, e)))
        return rc;
    if ((rc = net_target_resolve(net_rules_of(n), &t, e))) {
        *again = rc == FA_EENV;
        return rc;
    }
    return perform(n, &t, m, again, e);
}
