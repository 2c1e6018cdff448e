/*
 * sp.c - ourselves as a service provider: the key pair, and the metadata that identity providers read.
 */
#include "saml/saml.h"

#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <sodium.h>
#include <stdlib.h>

enum { BITS = 3072, YEARS = 10 };

static X509 *certify(EVP_PKEY *key, const char *name)
{
    X509 *c = X509_new();
    X509_NAME *subject;
    BIGNUM *serial = BN_new();
    unsigned char random[16];
    bool ok;

    fa_random(random, sizeof random);
    random[0] &= 0x7f;
    ok = c && serial && BN_bin2bn(random, sizeof random, serial) &&
         BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(c)) && X509_set_version(c, 2) &&
         X509_gmtime_adj(X509_getm_notBefore(c), -3600) &&
         X509_time_adj_ex(X509_getm_notAfter(c), 365 * YEARS, 0, NULL) && X509_set_pubkey(c, key) &&
         (subject = X509_get_subject_name(c)) &&
         X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *)name, -1,
                                    -1, 0) &&
         X509_set_issuer_name(c, subject) && X509_sign(c, key, EVP_sha256());
    BN_free(serial);
    if (ok)
        return c;
    X509_free(c);
    return NULL;
}

static bool write_out(fa_arena *a, EVP_PKEY *key, X509 *c, fa_str *pem, fa_str *cert)
{
    BIO *b = BIO_new(BIO_s_secmem());
    unsigned char *der = NULL;
    int n = i2d_X509(c, &der);
    char *text, *z = NULL;
    long size;
    bool ok = b && n > 0 && PEM_write_bio_PrivateKey(b, key, NULL, NULL, 0, NULL, NULL) == 1;

    if (ok) {
        size = BIO_get_mem_data(b, &text);
        *pem = fa_arena_dup(a, (fa_str){text, (size_t)size});
        z = fa_arena_alloc(a, (size_t)n / 3 * 4 + 8);
        if (z)
            *cert = (fa_str){z, (size_t)EVP_EncodeBlock((unsigned char *)z, der, n)};
        ok = pem->p && z;
    }
    OPENSSL_free(der);
    BIO_free(b);
    return ok;
}

fa_rc fa_saml_key_make(fa_arena *a, const char *name, fa_str *key, fa_str *cert, fa_err *e)
{
    EVP_PKEY *k = EVP_RSA_gen(BITS);
    X509 *c = k ? certify(k, name) : NULL;
    bool ok = c && write_out(a, k, c, key, cert);

    X509_free(c);
    EVP_PKEY_free(k);
    return ok ? FA_OK : fa_fail(e, FA_EENV, "a key pair could not be made");
}

static void put_xml(fa_buf *b, fa_str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == '&' || s.p[i] == '<' || s.p[i] == '>' || s.p[i] == '"')
            fa_buf_fmt(b, "&#%d;", s.p[i]);
        else
            fa_buf_c(b, s.p[i]);
}

static void put_key(fa_buf *b, const char *use, fa_str cert)
{
    fa_buf_fmt(b,
               "    <md:KeyDescriptor use=\"%s\">\n      <ds:KeyInfo><ds:X509Data>"
               "<ds:X509Certificate>%.*s</ds:X509Certificate></ds:X509Data></ds:KeyInfo>\n",
               use, FA_FMT(cert));
    if (use[0] == 'e')
        fa_buf_z(b, "      <md:EncryptionMethod Algorithm=\"http://www.w3.org/2009/xmlenc11#aes256-"
                    "gcm\"/>\n      <md:EncryptionMethod "
                    "Algorithm=\"http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p\"/>\n");
    fa_buf_z(b, "    </md:KeyDescriptor>\n");
}

static void put_service(fa_buf *b, const char *name, const char *binding, fa_str url)
{
    fa_buf_fmt(b, "    <md:%s Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:%s\" Location=\"",
               name, binding);
    put_xml(b, url);
    fa_buf_z(b, name[0] == 'A' ? "\" index=\"0\" isDefault=\"true\"/>\n" : "\"/>\n");
}

void fa_saml_metadata(fa_buf *b, const fa_saml_sp *sp)
{
    fa_buf_z(b, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                "<md:EntityDescriptor xmlns:md=\"urn:oasis:names:tc:SAML:2.0:metadata\" "
                "xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\" entityID=\"");
    put_xml(b, sp->entity_id);
    fa_buf_z(b, "\">\n  <md:SPSSODescriptor AuthnRequestsSigned=\"true\" "
                "WantAssertionsSigned=\"true\" "
                "protocolSupportEnumeration=\"urn:oasis:names:tc:SAML:2.0:protocol\">\n");
    put_key(b, "signing", sp->cert);
    put_key(b, "encryption", sp->cert);
    put_service(b, "SingleLogoutService", "HTTP-Redirect", sp->slo_url);
    put_service(b, "AssertionConsumerService", "HTTP-POST", sp->acs_url);
    fa_buf_z(b, "  </md:SPSSODescriptor>\n</md:EntityDescriptor>\n");
}
