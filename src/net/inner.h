/*
 * inner.h - what the files of net/ share.
 */
#ifndef FA_NET_INNER_H
#define FA_NET_INNER_H

#include "net/net.h"

#include <netinet/in.h>
#include <sys/socket.h>

#define NET_METADATA "169.254.169.254" /* what a virtual machine asks for its own credentials */

enum { NET_HOST = 256, NET_ADDRESSES = 16, NET_RULES = 64 };

typedef struct net_addr {
    int family; /* AF_INET or AF_INET6 */
    unsigned char ip[16];
} net_addr;

typedef struct net_rule {
    char host[NET_HOST]; /* lower case; empty: a range */
    int port;            /* 0: any */
    net_addr addr;       /* of a range */
    int bits;
} net_rule;

typedef struct net_rules {
    net_rule rule[NET_RULES];
    size_t n;
} net_rules;

/* Where a request goes, once it has passed. */
typedef struct net_target {
    char scheme[8], host[NET_HOST]; /* host without brackets and final dot, lower case */
    int port;
    bool literal, listed; /* an IP address as such; the operator named host and port */
    bool mail, secure;    /* SMTP instead of HTTP; with TLS */
    net_addr addr[NET_ADDRESSES];
    size_t naddr;
} net_target;

fa_rc net_rules_parse(net_rules *r, const char *text, fa_err *e);
/* Fills scheme, host, port, literal, listed; refuses what no address could make right. */
fa_rc net_target_parse(const net_rules *r, const char *url, bool metadata, net_target *t, fa_err *e);
/* The same of a mail server. */
fa_rc net_target_mail(const net_rules *r, const char *host, int port, bool secure, net_target *t,
                      fa_err *e);
fa_rc net_target_resolve(const net_rules *r, net_target *t, fa_err *e); /* and checks every address */
bool net_in_ranges(const net_rules *r, const net_target *t); /* a bare IP address the operator allowed */
bool net_target_has(const net_target *t, const struct sockaddr *sa);
/* Not for requests from outside: loopback, private, link-local, reserved, documentation, multicast. */
bool net_addr_denied(const net_addr *a);
bool net_addr_parse(const char *text, net_addr *a);
void net_addr_text(const net_addr *a, char out[INET6_ADDRSTRLEN]);

/* For smtp.c: what every call has, whatever it speaks. */
const net_rules *net_rules_of(const fa_net *n);
const char *net_ca_file(const fa_net *n);
struct curl_slist *net_pin(const net_target *t); /* NULL: out of memory */

#endif
