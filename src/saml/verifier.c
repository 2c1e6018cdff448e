/*
 * verifier.c - one question in, one answer out: JSON objects with a name of what to do.
 *
 * Whatever needs files (configuration, providers of algorithms, tables of libraries) is loaded before the
 * sandbox closes. libxml2 and xmlsec write to standard error what they dislike; nobody reads it, so they are silent.
 */
#include "saml/inner.h"

#include <lasso/lasso.h>
#include <libxml/parser.h>
#include <libxml/xmlerror.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <xmlsec/errors.h>
#include <xmlsec/xmlsec.h>

static const struct {
    const char *name;
    fa_saml_op *run;
} ops[] = {
    {"authn", fa_op_authn},
    {"logout", fa_op_logout},
    {"logout_answer", fa_op_logout_answer},
    {"logout_read", fa_op_logout_read},
    {"metadata", fa_op_metadata},
    {"response", fa_op_response},
};

static void silent(void *user, const char *fmt, ...)
{
    (void)user;
    (void)fmt;
}

static void silent_glib(const gchar *domain, GLogLevelFlags level, const gchar *message,
                        gpointer user)
{
    (void)domain;
    (void)level;
    (void)message;
    (void)user;
}

static void silent_xmlsec(const char *file, int line, const char *func, const char *object,
                          const char *subject, int reason, const char *msg)
{
    (void)file;
    (void)line;
    (void)func;
    (void)object;
    (void)subject;
    (void)reason;
    (void)msg;
}

/* Everything lazy is touched once: digests, random numbers, messages of errors. */
static void warm_up(void)
{
    static const char *const md[] = {"SHA256", "SHA384", "SHA512", "SHA1"};
    unsigned char b[EVP_MAX_MD_SIZE];
    unsigned n;

    for (size_t i = 0; i < FA_COUNT(md); i++)
        (void)EVP_Digest("", 0, b, &n, EVP_get_digestbyname(md[i]), NULL);
    (void)RAND_bytes(b, 1);
    (void)ERR_error_string(1, NULL);
    (void)setenv("TZ", "UTC0", 1); /* else a clock's text looks for /etc/localtime */
    tzset();
    (void)g_random_int(); /* Lasso makes ids with it; ours are the server's */
    json_object_seed(0);  /* reads /dev/urandom */
    (void)fa_now_ms();
}

fa_rc fa_verifier_start(fa_err *e)
{
    if (!OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) || lasso_init() != 0)
        return fa_fail(e, FA_EENV, "Lasso could not be loaded");
    g_log_set_default_handler(silent_glib, NULL);
    xmlSecErrorsSetCallback(silent_xmlsec);
    xmlSetGenericErrorFunc(NULL, silent);
    xmlSetStructuredErrorFunc(NULL, NULL);
    warm_up();
    return FA_OK;
}

void fa_verifier_stop(void)
{
    lasso_shutdown();
    xmlCleanupParser();
}

fa_str fa_op_text(const json_t *o, const char *name)
{
    const json_t *v = json_object_get(o, name);

    return json_is_string(v) ? (fa_str){json_string_value(v), json_string_length(v)} : FA_STR("");
}

static void put_answer(fa_buf *to, fa_rc rc, const fa_err *e, const json_t *out)
{
    char *text = out ? json_dumps(out, JSON_COMPACT) : NULL;

    fa_buf_clear(to);
    if (!rc && text) {
        fa_buf_fmt(to, "{\"rc\":0,\"out\":%s}", text);
    } else {
        fa_buf_fmt(to, "{\"rc\":%d,\"word\":", rc ? (int)rc : (int)FA_EENV);
        fa_buf_json(to, fa_str_of(rc ? e->field : ""));
        fa_buf_z(to, ",\"message\":");
        fa_buf_json(to, fa_str_of(rc ? e->msg : "out of memory"));
        fa_buf_c(to, '}');
    }
    free(text);
}

void fa_verifier_answer(fa_str request, fa_buf *answer)
{
    json_t *q = json_loadb(request.p, request.n, JSON_REJECT_DUPLICATES, NULL), *out = NULL;
    fa_str name = fa_op_text(q, "op");
    fa_err e = {0};
    fa_arena a;
    fa_rc rc = FA_EINVAL;
    size_t i = 0;

    fa_arena_init(&a, 16 << 20);
    while (i < FA_COUNT(ops) && !fa_str_eqz(name, ops[i].name))
        i++;
    if (i < FA_COUNT(ops))
        rc = ops[i].run(&a, q, &out, &e);
    else
        fa_fail(&e, rc, "there is nothing like this to do");
    ERR_clear_error();
    put_answer(answer, rc, &e, out);
    json_decref(out);
    json_decref(q);
    fa_arena_release(&a);
}
