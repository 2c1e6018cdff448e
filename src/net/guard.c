/*
 * guard.c - whom Farthing may speak to (security.md 3.7).
 *
 * An address is judged where it is used, after resolving, and the connection is made to what was
 * judged: a name that answers differently a second time gains nothing. IPv4 inside IPv6 is unpacked first.
 */
#include "net/inner.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <ctype.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *ip;
    int bits;
} denied[] = {
    {"0.0.0.0", 8},      {"10.0.0.0", 8},     {"100.64.0.0", 10}, {"127.0.0.0", 8},
    {"169.254.0.0", 16}, {"172.16.0.0", 12},  {"192.0.0.0", 24},  {"192.0.2.0", 24},
    {"192.88.99.0", 24}, {"192.168.0.0", 16}, {"198.18.0.0", 15}, {"198.51.100.0", 24},
    {"203.0.113.0", 24}, {"224.0.0.0", 4},    {"240.0.0.0", 4},   {"::", 127},
    {"::", 96},          {"100::", 64},       {"2001::", 23},     {"2001:db8::", 32},
    {"2002::", 16},      {"fc00::", 7},       {"fe80::", 10},     {"fec0::", 10},
    {"ff00::", 8},       {"5f00::", 16},      {"3fff::", 20},
};

bool net_addr_parse(const char *text, net_addr *a)
{
    *a = (net_addr){0};
    if (inet_pton(AF_INET, text, a->ip) == 1)
        a->family = AF_INET;
    else if (inet_pton(AF_INET6, text, a->ip) == 1)
        a->family = AF_INET6;
    return a->family != 0;
}

void net_addr_text(const net_addr *a, char out[INET6_ADDRSTRLEN])
{
    if (!inet_ntop(a->family, a->ip, out, INET6_ADDRSTRLEN))
        out[0] = '\0';
}

static bool in_range(const net_addr *a, const net_addr *net, int bits)
{
    int whole = bits / 8, rest = bits % 8;

    if (a->family != net->family || memcmp(a->ip, net->ip, (size_t)whole) != 0)
        return false;
    return !rest || !((a->ip[whole] ^ net->ip[whole]) >> (8 - rest));
}

/* ::ffff:a.b.c.d and 64:ff9b::a.b.c.d stand for a.b.c.d. */
static net_addr unpacked(const net_addr *a)
{
    static const unsigned char mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff},
                               nat64[12] = {0, 0x64, 0xff, 0x9b};
    net_addr v4 = {.family = AF_INET};

    if (a->family != AF_INET6 || (memcmp(a->ip, mapped, 12) && memcmp(a->ip, nat64, 12)))
        return *a;
    memcpy(v4.ip, a->ip + 12, 4);
    return v4;
}

/* An address of this machine is no other machine's. */
static bool is_own(const net_addr *a)
{
    struct ifaddrs *list = NULL;
    bool own = false;

    if (getifaddrs(&list))
        return false;
    for (const struct ifaddrs *i = list; i && !own; i = i->ifa_next) {
        if (!i->ifa_addr || i->ifa_addr->sa_family != a->family)
            continue;
        if (a->family == AF_INET)
            own = memcmp(&((const struct sockaddr_in *)(const void *)i->ifa_addr)->sin_addr, a->ip,
                         4) == 0;
        else
            own = memcmp(&((const struct sockaddr_in6 *)(const void *)i->ifa_addr)->sin6_addr,
                         a->ip, 16) == 0;
    }
    freeifaddrs(list);
    return own;
}

bool net_addr_denied(const net_addr *a)
{
    net_addr x = unpacked(a), net;

    for (size_t i = 0; i < FA_COUNT(denied); i++)
        if (net_addr_parse(denied[i].ip, &net) && in_range(&x, &net, denied[i].bits))
            return true;
    return is_own(&x);
}

static void lower(char *s)
{
    size_t n = strlen(s);

    for (size_t i = 0; i < n; i++)
        s[i] = (char)tolower((unsigned char)s[i]);
    if (n > 1 && s[n - 1] == '.')
        s[n - 1] = '\0';
}

static bool number(const char *s, long least, long most, int *out)
{
    char *end;
    long v = strtol(s, &end, 10);

    if (!isdigit((unsigned char)s[0]) || *end || v < least || v > most)
        return false;
    *out = (int)v;
    return true;
}

/* "10.0.0.0/8" */
static bool parse_range(char *word, net_rule *r)
{
    char *slash = strchr(word, '/');

    *slash = '\0';
    return net_addr_parse(word, &r->addr) &&
           number(slash + 1, 0, r->addr.family == AF_INET ? 32 : 128, &r->bits);
}

/* "host", "host:443", "::1", "[::1]:443" */
static bool parse_host(char *word, net_rule *r)
{
    char *colon = strrchr(word, ':');
    net_addr ip;
    size_t n;

    if (net_addr_parse(word, &ip))
        colon = NULL;
    if (colon) {
        *colon = '\0';
        if (!number(colon + 1, 1, 65535, &r->port))
            return false;
    }
    n = strlen(word);
    if (n > 1 && word[0] == '[' && word[n - 1] == ']') {
        word[n - 1] = '\0';
        word++;
    }
    n = strlen(word);
    if (!n || n >= sizeof r->host || strpbrk(word, " /@*"))
        return false;
    memcpy(r->host, word, n + 1);
    lower(r->host);
    return true;
}

fa_rc net_rules_parse(net_rules *r, const char *text, fa_err *e)
{
    fa_str rest = fa_str_of(text);

    *r = (net_rules){0};
    while (rest.n) {
        const char *comma = memchr(rest.p, ',', rest.n);
        fa_str word = fa_str_trim((fa_str){rest.p, comma ? (size_t)(comma - rest.p) : rest.n});
        char own[NET_HOST + 16];

        rest = comma ? (fa_str){comma + 1, rest.n - (size_t)(comma + 1 - rest.p)} : (fa_str){0};
        if (!word.n)
            continue;
        if (word.n >= sizeof own || r->n == NET_RULES)
            return fa_fail(e, FA_EINVAL, "the list of allowed hosts is too long");
        memcpy(own, word.p, word.n);
        own[word.n] = '\0';
        if (!(strchr(own, '/') ? parse_range(own, &r->rule[r->n])
                               : parse_host(own, &r->rule[r->n])))
            return fa_fail(e, FA_EINVAL,
                           "\"%.*s\" is not a host, host:port or range like 10.0.0.0/8",
                           FA_FMT(word));
        r->n++;
    }
    return FA_OK;
}

static bool host_listed(const net_rules *r, const char *host, int port)
{
    for (size_t i = 0; i < r->n; i++)
        if (r->rule[i].host[0] && strcmp(r->rule[i].host, host) == 0 &&
            (!r->rule[i].port || r->rule[i].port == port))
            return true;
    return false;
}

static bool range_listed(const net_rules *r, const net_addr *a)
{
    net_addr x = unpacked(a);

    for (size_t i = 0; i < r->n; i++)
        if (!r->rule[i].host[0] && in_range(&x, &r->rule[i].addr, r->rule[i].bits))
            return true;
    return false;
}

bool net_in_ranges(const net_rules *r, const net_target *t)
{
    return t->literal && range_listed(r, &t->addr[0]);
}

static fa_rc refuse(const net_target *t, const char *why, fa_err *e)
{
    fa_fail(e, FA_EINVAL, "%s:%d is not an address Farthing may call: %s", t->host, t->port, why);
    return fa_hint(e, "the operator can allow it: farthing serve --allow-host %s:%d", t->host,
                   t->port);
}

static fa_rc take(CURLU *u, const char *url, net_target *t, fa_err *e)
{
    char *scheme = NULL, *host = NULL, *port = NULL;
    fa_rc rc = FA_OK;
    size_t n;

    for (const unsigned char *p = (const unsigned char *)url; *p; p++)
        if (*p <= ' ' || *p == 0x7f || *p == '\\')
            return fa_fail(e, FA_EINVAL,
                           "an address has no blanks, control characters or backslashes");
    if (curl_url_set(u, CURLUPART_URL, url, CURLU_DISALLOW_USER) ||
        curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) ||
        curl_url_get(u, CURLUPART_HOST, &host, 0) ||
        curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT)) {
        rc = fa_fail(e, FA_EINVAL, "this is not an address like https://host/path without a user");
    } else if (strcmp(scheme, "https") && strcmp(scheme, "http")) {
        rc = fa_fail(e, FA_EINVAL, "an address starts with https://");
    } else if (strlen(host) >= sizeof t->host || strchr(host, '%') ||
               !number(port, 1, 65535, &t->port)) {
        rc = fa_fail(e, FA_EINVAL, "the host of the address is not a host name");
    } else {
        snprintf(t->scheme, sizeof t->scheme, "%s", scheme);
        n = strlen(host);
        if (host[0] == '[' && n > 2)
            snprintf(t->host, sizeof t->host, "%.*s", (int)n - 2, host + 1);
        else
            snprintf(t->host, sizeof t->host, "%s", host);
        lower(t->host);
    }
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    return rc;
}

fa_rc net_target_parse(const net_rules *r, const char *url, bool metadata, net_target *t, fa_err *e)
{
    CURLU *u;
    fa_rc rc;
    bool ranges = false;

    *t = (net_target){0};
    if (!url || strlen(url) > 8192)
        return fa_fail(e, FA_EINVAL, "an address has at most 8,192 bytes");
    if (!(u = curl_url()))
        return fa_oom(e);
    rc = take(u, url, t, e);
    curl_url_cleanup(u);
    if (rc)
        return rc;
    t->literal = net_addr_parse(t->host, &t->addr[0]);
    t->listed = host_listed(r, t->host, t->port);
    for (size_t i = 0; i < r->n; i++)
        ranges = ranges || !r->rule[i].host[0];
    if (metadata && strcmp(t->host, NET_METADATA) == 0)
        t->listed = true; /* the address of the cloud's own service, asked for by our own code */
    if (t->listed || (ranges && (!t->literal || range_listed(r, &t->addr[0]))))
        return FA_OK; /* what a range allows is known after resolving */
    if (strcmp(t->scheme, "https"))
        return refuse(t, "only https is used", e);
    if (t->port != 443)
        return refuse(t, "only port 443 is used", e);
    if (t->literal)
        return refuse(t, "it is a bare IP address", e);
    return FA_OK;
}

static fa_rc lookup(net_target *t, fa_err *e)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *list = NULL;
    int rc;

    t->naddr = 0;
    if (t->literal) {
        t->naddr = 1;
        return FA_OK;
    }
    if ((rc = getaddrinfo(t->host, NULL, &hints, &list)))
        return fa_fail(e, FA_EENV, "the host %s has no address: %s", t->host, gai_strerror(rc));
    for (const struct addrinfo *i = list; i && t->naddr < NET_ADDRESSES; i = i->ai_next) {
        net_addr *a = &t->addr[t->naddr];

        *a = (net_addr){.family = i->ai_family};
        if (i->ai_family == AF_INET)
            memcpy(a->ip, &((const struct sockaddr_in *)(const void *)i->ai_addr)->sin_addr, 4);
        else if (i->ai_family == AF_INET6)
            memcpy(a->ip, &((const struct sockaddr_in6 *)(const void *)i->ai_addr)->sin6_addr, 16);
        else
            continue;
        t->naddr++;
    }
    freeaddrinfo(list);
    return t->naddr ? FA_OK : fa_fail(e, FA_EENV, "the host %s has no address", t->host);
}

static bool mail_port(int port)
{
    return port == 25 || port == 465 || port == 587 || port == 2525;
}

fa_rc net_target_resolve(const net_rules *r, net_target *t, fa_err *e)
{
    bool in_ranges = true;
    fa_rc rc;

    if ((rc = lookup(t, e)))
        return rc;
    if (t->listed)
        return FA_OK;
    for (size_t i = 0; i < t->naddr; i++) {
        if (range_listed(r, &t->addr[i]))
            continue;
        in_ranges = false;
        if (net_addr_denied(&t->addr[i]))
            return refuse(t, "it leads to a private, local or reserved network", e);
    }
    if (in_ranges)
        return FA_OK;
    if (t->mail && (!t->secure || !mail_port(t->port) || t->literal))
        return refuse(t, "only TLS on a mail port of a named host is used", e);
    if (!t->mail && (strcmp(t->scheme, "https") || t->port != 443 || t->literal))
        return refuse(t, "only https on port 443 of a named host is used", e);
    return FA_OK;
}

/* ---- mail servers ---- */

static bool host_ok(const char *host)
{
    net_addr ip;
    size_t n = strlen(host);

    if (!n || n >= NET_HOST)
        return false;
    if (net_addr_parse(host, &ip))
        return true;
    for (size_t i = 0; i < n; i++)
        if (!isalnum((unsigned char)host[i]) && host[i] != '-' && host[i] != '.')
            return false;
    return host[0] != '-' && host[0] != '.';
}

fa_rc net_target_mail(const net_rules *r, const char *host, int port, bool secure, net_target *t,
                      fa_err *e)
{
    bool ranges = false;

    *t = (net_target){.mail = true, .secure = secure, .port = port};
    if (!host || !host_ok(host))
        return fa_fail(e, FA_EINVAL, "this is not a host name");
    if (port < 1 || port > 65535)
        return fa_fail(e, FA_EINVAL, "a port is a number from 1 to 65535");
    snprintf(t->scheme, sizeof t->scheme, "smtp");
    snprintf(t->host, sizeof t->host, "%s", host);
    lower(t->host);
    t->literal = net_addr_parse(t->host, &t->addr[0]);
    t->listed = host_listed(r, t->host, port);
    for (size_t i = 0; i < r->n; i++)
        ranges = ranges || !r->rule[i].host[0];
    if (t->listed || (ranges && (!t->literal || range_listed(r, &t->addr[0]))))
        return FA_OK; /* what a range allows is known after resolving */
    if (!secure)
        return refuse(t, "mail is sent without TLS only to hosts the operator listed", e);
    if (!mail_port(port))
        return refuse(t, "only the ports 25, 465, 587 and 2525 are used for mail", e);
    if (t->literal)
        return refuse(t, "it is a bare IP address", e);
    return FA_OK;
}

bool net_target_has(const net_target *t, const struct sockaddr *sa)
{
    net_addr a = {.family = sa->sa_family};

    if (sa->sa_family == AF_INET)
        memcpy(a.ip, &((const struct sockaddr_in *)(const void *)sa)->sin_addr, 4);
    else if (sa->sa_family == AF_INET6)
        memcpy(a.ip, &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr, 16);
    else
        return false;
    for (size_t i = 0; i < t->naddr; i++)
        if (t->addr[i].family == a.family && memcmp(t->addr[i].ip, a.ip, 16) == 0)
            return true;
    return false;
}
