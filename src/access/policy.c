/*
 * policy.c - the account's security policy: one row per setting with its bounds, kept as one JSON text.
 */
#include "access/internal.h"

#include <arpa/inet.h>
#include <stddef.h>
#include <string.h>

#define SETTING FA_STR("security_policy")
#define SINCE FA_STR("mfa_since")

typedef enum { P_INT, P_BOOL, P_WORDS, P_IPS, P_MFA, P_ROLES, P_EMAILS } kind;

static const struct row {
    const char *name;
    kind kind;
    size_t at;
    int64_t least, most, standard;
    const char *text;
} rows[] = {
#define AT(m) offsetof(fa_policy, m)
    {"minLength", P_INT, AT(min_length), 15, 64, 15, NULL},
    {"idleMinutes", P_INT, AT(idle_minutes), 5, 43200, 60, NULL},
    {"absoluteMinutes", P_INT, AT(absolute_minutes), 5, 43200, 1440, NULL},
    {"maxSessions", P_INT, AT(max_sessions), 1, 1000, 100, NULL},
    {"mfa", P_MFA, AT(mfa), 0, 0, 0, "DontForce"},
    {"mfaGraceDays", P_INT, AT(mfa_grace_days), 0, 30, 0, NULL},
    {"rememberDevice", P_BOOL, AT(remember_device), 0, 1, 1, NULL},
    {"rememberDays", P_INT, AT(remember_days), 1, 90, 14, NULL},
    {"ipAllow", P_IPS, AT(ip_allow), 0, 0, 0, ""},
    {"ipBlock", P_IPS, AT(ip_block), 0, 0, 0, ""},
    {"emailDomains", P_WORDS, AT(email_domains), 0, 0, 0, ""},
    {"tokensNever", P_BOOL, AT(tokens_never), 0, 1, 1, NULL},
    {"tokenConcurrent", P_INT, AT(token_concurrent), 0, 1000, 0, NULL},
    {"inviteHours", P_INT, AT(invite_hours), 1, 720, 72, NULL},
    {"joinRoles", P_ROLES, AT(join_roles), 0, 0, 0, "read-only"},
    {"ssoOnly", P_BOOL, AT(sso_only), 0, 1, 0, NULL},
    {"ssoExcept", P_EMAILS, AT(sso_except), 0, 0, 0, ""},
#undef AT
};

/* ---- addresses ---- */

static bool ip_parse(fa_str s, unsigned char out[16], int *family)
{
    char z[64];

    if (s.n >= sizeof z || !s.n)
        return false;
    memcpy(z, s.p, s.n);
    z[s.n] = '\0';
    memset(out, 0, 16);
    if (inet_pton(AF_INET, z, out) == 1) {
        *family = AF_INET;
        return true;
    }
    if (inet_pton(AF_INET6, z, out) != 1)
        return false;
    *family = AF_INET6;
    if (memcmp(out, "\0\0\0\0\0\0\0\0\0\0\xff\xff", 12) == 0) { /* IPv4 in IPv6 */
        memmove(out, out + 12, 4);
        memset(out + 4, 0, 12);
        *family = AF_INET;
    }
    return true;
}

static bool net_parse(fa_str s, unsigned char out[16], int *family, unsigned *bits)
{
    const char *slash = s.n ? memchr(s.p, '/', s.n) : NULL;
    fa_str ip = {s.p, slash ? (size_t)(slash - s.p) : s.n}, tail = {0};
    uint64_t n = 0;

    if (!ip_parse(ip, out, family))
        return false;
    *bits = *family == AF_INET ? 32 : 128;
    if (!slash)
        return true;
    tail = (fa_str){slash + 1, s.n - ip.n - 1};
    if (!fa_take_u64(&tail, &n) || tail.n || n > *bits)
        return false;
    *bits = (unsigned)n;
    return true;
}

bool fa_ip_list_ok(fa_str list)
{
    unsigned char net[16];
    unsigned bits;
    fa_str word;
    int family;

    while (fa_list_next(&list, &word))
        if (!net_parse(word, net, &family, &bits))
            return false;
    return true;
}

bool fa_ip_in(fa_str ip, fa_str list)
{
    unsigned char own[16], net[16];
    int family, f;
    unsigned bits;
    fa_str word;

    if (!ip_parse(ip, own, &family))
        return false;
    while (fa_list_next(&list, &word)) {
        unsigned whole, rest;

        if (!net_parse(word, net, &f, &bits) || f != family)
            continue;
        whole = bits / 8;
        rest = bits % 8;
        if (memcmp(own, net, whole) == 0 && (!rest || (own[whole] ^ net[whole]) >> (8 - rest) == 0))
            return true;
    }
    return false;
}

/* ---- reading ---- */

static fa_str *text_at(fa_policy *p, const struct row *r)
{
    return (fa_str *)(void *)((char *)p + r->at);
}

static void standard(fa_policy *p)
{
    *p = (fa_policy){0};
    for (size_t i = 0; i < FA_COUNT(rows); i++) {
        if (rows[i].kind == P_INT)
            *(int64_t *)(void *)((char *)p + rows[i].at) = rows[i].standard;
        else if (rows[i].kind == P_BOOL)
            *((bool *)p + rows[i].at) = rows[i].standard != 0;
        else
            *text_at(p, &rows[i]) = fa_str_of(rows[i].text);
    }
}

static fa_rc wrong(const struct row *r, fa_err *e, const char *what)
{
    fa_fail(e, FA_EINVAL, "%s", what);
    return fa_at(e, r->name);
}

static bool domain_ok(fa_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!((s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= '0' && s.p[i] <= '9') ||
              s.p[i] == '.' || s.p[i] == '-'))
            return false;
    return s.n > 2 && memchr(s.p, '.', s.n);
}

static fa_rc take_list(fa_arena *a, const struct row *r, const json_t *v, fa_str *out, fa_err *e)
{
    const json_t *item;
    size_t i;

    *out = FA_STR("");
    if (!json_is_array(v) || json_array_size(v) > 200)
        return wrong(r, e, "must be an array of at most 200 texts");
    json_array_foreach(v, i, item)
    {
        fa_str s = {json_string_value(item), json_string_length(item)};

        if (!json_is_string(item) || !s.n || memchr(s.p, ' ', s.n) || s.n > 100)
            return wrong(r, e, "must be an array of texts without spaces");
        if (r->kind == P_IPS && !fa_ip_list_ok(s))
            return wrong(r, e, "must be addresses or networks such as 10.0.0.0/8");
        if (r->kind == P_WORDS && !domain_ok(s))
            return wrong(r, e, "must be domains in lower case, such as example.com");
        if (r->kind == P_EMAILS && (!fa_email_ok(s) || json_array_size(v) > 3))
            return wrong(r, e, "must be e-mail addresses of at most three administrators");
        s = fa_arena_dup(a, s);
        if (!s.p || fa_list_add(a, out, s, e))
            return fa_oom(e);
    }
    return FA_OK;
}

static fa_rc take(fa_arena *a, const struct row *r, const json_t *v, fa_policy *p, fa_err *e)
{
    static const char *const mfa[] = {"DontForce", "ForceAdmins", "ForceExceptSSO", "Force"};
    char what[96];

    switch (r->kind) {
    case P_INT:
        if (!json_is_integer(v) || json_integer_value(v) < r->least ||
            json_integer_value(v) > r->most) {
            snprintf(what, sizeof what, "must be a whole number from %lld to %lld",
                     (long long)r->least, (long long)r->most);
            return wrong(r, e, what);
        }
        *(int64_t *)(void *)((char *)p + r->at) = json_integer_value(v);
        return FA_OK;
    case P_BOOL:
        if (!json_is_boolean(v))
            return wrong(r, e, "must be true or false");
        *((bool *)p + r->at) = json_is_true(v);
        return FA_OK;
    case P_MFA:
        for (size_t i = 0; json_is_string(v) && i < FA_COUNT(mfa); i++)
            if (strcmp(json_string_value(v), mfa[i]) == 0) {
                p->mfa = fa_str_of(mfa[i]);
                return FA_OK;
            }
        return wrong(r, e, "must be DontForce, ForceAdmins, ForceExceptSSO or Force");
    default:
        return take_list(a, r, v, text_at(p, r), e);
    }
}

bool fa_password_allowed(const fa_policy *p, fa_str email)
{
    fa_str list = p->sso_except, word;

    if (!p->sso_only)
        return true;
    while (fa_list_next(&list, &word))
        if (fa_str_ieq(word, email))
            return true;
    return false;
}

fa_rc fa_policy_get(fa_ledger *l, fa_arena *a, fa_policy *out, fa_err *e)
{
    uint64_t ms;
    json_t *j;
    fa_str text, since;
    fa_rc rc = fa_setting_get(fa_ledger_store(l), a, fa_ledger_account(l), SETTING, &text, e);

    standard(out);
    if (rc || !text.n ||
        (rc = fa_setting_get(fa_ledger_store(l), a, fa_ledger_account(l), SINCE, &since, e)))
        return rc;
    if (fa_take_u64(&since, &ms) && ms <= INT64_MAX)
        out->mfa_since_ms = (int64_t)ms;
    j = json_loadb(text.p, text.n, 0, NULL);
    for (size_t i = 0; !rc && i < FA_COUNT(rows); i++) {
        const json_t *v = json_object_get(j, rows[i].name);

        if (v)
            rc = take(a, &rows[i], v, out, e);
    }
    json_decref(j);
    return rc;
}

void fa_policy_json(fa_jw *w, const fa_policy *p)
{
    fa_jw_obj(w);
    for (size_t i = 0; i < FA_COUNT(rows); i++) {
        fa_str list, word;

        fa_jw_key(w, rows[i].name);
        if (rows[i].kind == P_INT) {
            fa_jw_int(w, *(const int64_t *)(const void *)((const char *)p + rows[i].at));
        } else if (rows[i].kind == P_BOOL) {
            fa_jw_bool(w, *((const bool *)p + rows[i].at));
        } else if (rows[i].kind == P_MFA) {
            fa_jw_str(w, p->mfa);
        } else {
            list = *(const fa_str *)(const void *)((const char *)p + rows[i].at);
            fa_jw_arr(w);
            while (fa_list_next(&list, &word))
                fa_jw_str(w, word);
            fa_jw_end_arr(w);
        }
    }
    fa_jw_end_obj(w);
}

static fa_rc policy_text(fa_arena *a, const fa_policy *p, fa_str *out, fa_err *e)
{
    fa_buf b = {0};
    fa_jw w;
    fa_rc rc;

    fa_jw_init(&w, &b);
    fa_policy_json(&w, p);
    rc = fa_json_out(a, &b, out, e);
    fa_buf_release(&b);
    return rc;
}

static fa_rc merge(fa_ledger *l, fa_arena *a, const fa_caller *by, const json_t *j, fa_policy *p,
                   fa_err *e)
{
    const char *name;
    json_t *v;
    fa_rc rc = FA_OK;

    json_object_foreach((json_t *)(uintptr_t)j, name, v)
    {
        size_t i = 0;

        while (i < FA_COUNT(rows) && strcmp(rows[i].name, name) != 0)
            i++;
        if (i == FA_COUNT(rows)) {
            fa_fail(e, FA_EINVAL, "there is no such setting");
            return fa_at(e, name);
        }
        if ((rc = take(a, &rows[i], v, p, e)))
            return rc;
    }
    if ((rc = fa_caller_may_give(l, a, by, p->join_roles, e)))
        return fa_at(e, "joinRoles");
    if ((rc = fa_sso_only_holds(l, a, p, true, e)))
        return rc;
    if (p->idle_minutes > p->absolute_minutes) {
        fa_fail(e, FA_EINVAL, "must not be longer than absoluteMinutes");
        return fa_at(e, "idleMinutes");
    }
    if (by->ip.n &&
        ((p->ip_allow.n && !fa_ip_in(by->ip, p->ip_allow)) || fa_ip_in(by->ip, p->ip_block)))
        return fa_fail(e, FA_ECONFLICT, "your own address %.*s would be shut out", FA_FMT(by->ip));
    return FA_OK;
}

/* The days of grace begin when a second factor is asked of others than before. */
static fa_rc keep_since(fa_ledger *l, fa_arena *a, const fa_policy *p, fa_str was, fa_err *e)
{
    char *now;

    if (fa_str_eq(p->mfa, was))
        return FA_OK;
    if (!(now = fa_arena_printf(a, "%lld", (long long)fa_now_ms())))
        return fa_oom(e);
    return fa_setting_put(fa_ledger_store(l), fa_ledger_account(l), SINCE, fa_str_of(now), e);
}

fa_rc fa_policy_set(fa_ledger *l, fa_arena *a, const fa_caller *by, const json_t *j, fa_err *e)
{
    fa_store *s = fa_ledger_store(l);
    fa_str before, after, was;
    fa_policy p;
    bool opened;
    fa_rc rc = fa_store_enter(s, &opened, e);

    if (rc)
        return rc;
    if ((rc = fa_policy_get(l, a, &p, e)))
        return fa_store_leave(s, opened, rc, e);
    was = p.mfa;
    if (!(rc = policy_text(a, &p, &before, e)) && !(rc = merge(l, a, by, j, &p, e)) &&
        !(rc = keep_since(l, a, &p, was, e)) && !(rc = policy_text(a, &p, &after, e)) &&
        !(rc = fa_setting_put(s, fa_ledger_account(l), SETTING, after, e)))
        rc = fa_audit_add(l, by,
                          &(fa_audit){.action = "security_policy.change",
                                      .object_type = "account",
                                      .object_id = fa_ledger_account(l),
                                      .before = before,
                                      .after = after,
                                      .severity = "high"},
                          e);
    return fa_store_leave(s, opened, rc, e);
}
