/*
 * signed.c - XML signatures and encryption, so that the bytes believed are the bytes verified.
 *
 * Before xmlsec looks at a signature its form is compared with the one form that is taken (SA-3, SA-4): exclusive
 * canonical XML without comments, an algorithm of the table, one reference to the parent's id with the two
 * usual transforms, nothing else inside. The key is a pinned certificate's; what the message says of keys is thrown
 * away. When xmlsec agrees, the exact bytes it digested are read as a new tree, and the old one is not used again (SA-1).
 */
#include "saml/inner.h"

#include <openssl/x509.h>
#include <string.h>
#include <xmlsec/buffer.h>
#include <xmlsec/openssl/app.h>
#include <xmlsec/openssl/crypto.h>
#include <xmlsec/openssl/evp.h>
#include <xmlsec/xmldsig.h>
#include <xmlsec/xmlenc.h>
#include <xmlsec/xmlsec.h>

#define EXC_C14N "http://www.w3.org/2001/10/xml-exc-c14n#"
#define ENVELOPED "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
#define MORE "http://www.w3.org/2001/04/xmldsig-more#"

static const char *const signatures[] = {
    MORE "rsa-sha256",   MORE "rsa-sha384",   MORE "rsa-sha512",
    MORE "ecdsa-sha256", MORE "ecdsa-sha384", MORE "ecdsa-sha512",
};
static const char *const digests[] = {
    "http://www.w3.org/2001/04/xmlenc#sha256",
    MORE "sha384",
    "http://www.w3.org/2001/04/xmlenc#sha512",
};

static bool listed(fa_str s, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (fa_str_eqz(s, list[i]))
            return true;
    return false;
}

/* The next element is `name` of XML signatures; *n moves behind it. */
static xmlNode *step(xmlNode **n, const char *name)
{
    xmlNode *at = *n;

    if (!fa_tree_is(at, NS_DSIG, name))
        return NULL;
    *n = fa_tree_after(at);
    return at;
}

static fa_rc form(fa_err *e, const char *what)
{
    return fa_saml_refuse(e, "signature_form", "the signature %s", what);
}

static fa_rc algorithm(fa_err *e, const char *what, fa_str name)
{
    return fa_saml_refuse(e, "algorithm", "the %s \"%.*s\" is not allowed", what,
                          (int)(name.n > 120 ? 120 : name.n), name.p ? name.p : "");
}

static fa_rc check_transforms(xmlNode *list, fa_err *e)
{
    xmlNode *n = fa_tree_first(list), *t;
    fa_str name;

    if (!(t = step(&n, "Transform")) ||
        !fa_str_eqz(name = fa_tree_attribute(t, "Algorithm"), ENVELOPED) || fa_tree_first(t))
        return algorithm(e, "first transform", t ? name : FA_STR(""));
    if (!(t = step(&n, "Transform")) ||
        !fa_str_eqz(name = fa_tree_attribute(t, "Algorithm"), EXC_C14N))
        return algorithm(e, "second transform", t ? name : FA_STR(""));
    t = fa_tree_first(t);
    if (t && (!fa_tree_is(t, EXC_C14N, "InclusiveNamespaces") || fa_tree_after(t)))
        return form(e, "has a transform with something inside");
    return n ? form(e, "has more than two transforms") : FA_OK;
}

static fa_rc check_reference(xmlNode *ref, fa_str id, fa_err *e)
{
    fa_str uri = fa_tree_attribute(ref, "URI"), name;
    xmlNode *n = fa_tree_first(ref), *transforms, *method, *value;
    fa_rc rc;

    if (uri.n != id.n + 1 || uri.p[0] != '#' || !fa_str_eq((fa_str){uri.p + 1, id.n}, id))
        return form(e, "is not of the element it is in");
    transforms = step(&n, "Transforms");
    method = step(&n, "DigestMethod");
    value = step(&n, "DigestValue");
    if (!transforms || !method || !value || n)
        return form(e, "has a reference of another form");
    if ((rc = check_transforms(transforms, e)))
        return rc;
    name = fa_tree_attribute(method, "Algorithm");
    return listed(name, digests, FA_COUNT(digests)) && !fa_tree_first(method)
               ? FA_OK
               : algorithm(e, "digest", name);
}

/* The signature's form; *info and what stands behind its value are returned to be thrown away. */
static fa_rc check_form(xmlNode *signature, fa_str id, fa_err *e)
{
    xmlNode *n = fa_tree_first(signature), *info, *in, *c14n, *method, *ref;
    fa_str name;

    if (!(info = step(&n, "SignedInfo")) || !step(&n, "SignatureValue"))
        return form(e, "has no SignedInfo and value");
    (void)step(&n, "KeyInfo");
    if (n)
        return form(e, "has something beside SignedInfo, value and KeyInfo");
    in = fa_tree_first(info);
    c14n = step(&in, "CanonicalizationMethod");
    method = step(&in, "SignatureMethod");
    ref = step(&in, "Reference");
    if (!c14n || !method || !ref)
        return form(e, "has no method or no reference");
    if (in)
        return form(e, "has more than one reference");
    name = fa_tree_attribute(c14n, "Algorithm");
    if (!fa_str_eqz(name, EXC_C14N))
        return algorithm(e, "canonical form", name);
    name = fa_tree_attribute(method, "Algorithm");
    if (!listed(name, signatures, FA_COUNT(signatures)) || fa_tree_first(method))
        return algorithm(e, "signature algorithm", name);
    return check_reference(ref, id, e);
}

/* ---- xmlsec ---- */

static xmlSecKey *pinned_key(X509 *c)
{
    EVP_PKEY *pub = X509_get_pubkey(c); /* a reference of our own, which the data takes */
    xmlSecKeyDataPtr data = pub ? xmlSecOpenSSLEvpKeyAdopt(pub) : NULL;
    xmlSecKey *key = data ? xmlSecKeyCreate() : NULL;

    if (!data) {
        EVP_PKEY_free(pub);
        return NULL;
    }
    if (!key || xmlSecKeySetValue(key, data) < 0) {
        xmlSecKeyDataDestroy(data);
        xmlSecKeyDestroy(key);
        return NULL;
    }
    return key;
}

/* One try with one certificate. *bytes: what was digested; empty: the signature is not this key's. */
static fa_rc verify(xmlNode *signature, X509 *c, fa_buf *bytes, fa_err *e)
{
    xmlSecDSigCtx *ctx = xmlSecDSigCtxCreate(NULL);
    xmlSecDSigReferenceCtx *ref;
    xmlSecBuffer *got;

    if (!ctx || !(ctx->signKey = pinned_key(c))) {
        xmlSecDSigCtxDestroy(ctx);
        return fa_oom(e);
    }
    ctx->flags |= XMLSEC_DSIG_FLAGS_STORE_SIGNEDINFO_REFERENCES;
    ctx->enabledReferenceUris = xmlSecTransformUriTypeSameDocument;
    if (xmlSecDSigCtxVerify(ctx, signature) >= 0 && ctx->status == xmlSecDSigStatusSucceeded &&
        xmlSecPtrListGetSize(&ctx->signedInfoReferences) == 1 &&
        (ref = xmlSecPtrListGetItem(&ctx->signedInfoReferences, 0)) &&
        ref->status == xmlSecDSigStatusSucceeded &&
        (got = xmlSecDSigReferenceCtxGetPreDigestBuffer(ref)))
        fa_buf_put(bytes, xmlSecBufferGetData(got), xmlSecBufferGetSize(got));
    xmlSecDSigCtxDestroy(ctx);
    return bytes->failed ? fa_oom(e) : FA_OK;
}

/* The key of the certificate fits the algorithm the signature names: xmlsec would refuse it louder. */
static bool fits(xmlNode *signature, X509 *c)
{
    xmlNode *info = fa_tree_child(signature, NS_DSIG, "SignedInfo");
    fa_str name = fa_tree_attribute(fa_tree_child(info, NS_DSIG, "SignatureMethod"), "Algorithm");
    bool rsa = fa_str_starts(name, FA_STR(MORE "rsa-"));

    return EVP_PKEY_get_base_id(X509_get0_pubkey(c)) == (rsa ? EVP_PKEY_RSA : EVP_PKEY_EC);
}

static void drop_key_info(xmlNode *signature)
{
    xmlNode *n = fa_tree_child(signature, NS_DSIG, "KeyInfo");

    if (n) {
        xmlUnlinkNode(n);
        xmlFreeNode(n);
    }
}

/* Makes `id` known as the one id of the document. */
static bool know_id(xmlNode *node)
{
    for (xmlAttr *a = node->properties; a; a = a->next)
        if (!a->ns && strcmp((const char *)a->name, "ID") == 0)
            return a->children && xmlAddID(NULL, node->doc, a->children->content, a) != NULL;
    return false;
}

static fa_rc fresh_tree(fa_str bytes, const xmlNode *was, fa_str id, xmlDoc **fresh, fa_err *e)
{
    xmlNode *root;
    fa_rc rc;

    if (!bytes.n)
        return fa_saml_refuse(e, "signature", "no known key made this signature");
    if ((rc = fa_tree_read(bytes, false, fresh, e)))
        return rc;
    root = xmlDocGetRootElement(*fresh);
    if (fa_tree_is(root, (const char *)was->ns->href, (const char *)was->name) &&
        fa_str_eq(fa_tree_attribute(root, "ID"), id))
        return FA_OK;
    xmlFreeDoc(*fresh);
    *fresh = NULL;
    return form(e, "is of another element");
}

fa_rc fa_signed_open(xmlNode *node, const fa_pins *pins, xmlDoc **fresh, fa_err *e)
{
    fa_str id = fa_tree_attribute(node, "ID");
    xmlNode *signature;
    fa_rc rc = FA_OK;
    fa_buf bytes;

    *fresh = NULL;
    if (!node->ns || !id.n || id.n > 256)
        return form(e, "is of an element without an id");
    if (!fa_tree_only(node, NS_DSIG, "Signature", &signature))
        return form(e, "is not the only one");
    if (!signature)
        return fa_saml_refuse(e, "unsigned", "the %s is not signed", (const char *)node->name);
    if ((rc = check_form(signature, id, e)))
        return rc;
    drop_key_info(signature);
    if (!know_id(node))
        return form(e, "is of an id that another element has");
    fa_buf_init(&bytes, FA_SAML_XML_MAX + 1);
    for (size_t i = 0; !rc && !bytes.n && i < pins->n; i++)
        if (fits(signature, pins->cert[i]))
            rc = verify(signature, pins->cert[i], &bytes, e);
    if (!rc)
        rc = fresh_tree(fa_buf_view(&bytes), node, id, fresh, e);
    fa_buf_release(&bytes);
    return rc;
}

fa_rc fa_pins_read(const json_t *idp, fa_pins *out, fa_err *e)
{
    const json_t *list = json_object_get(idp, "certs");
    fa_rc rc = FA_OK;

    *out = (fa_pins){0};
    for (size_t i = 0; !rc && i < json_array_size(list); i++) {
        const char *z = json_string_value(json_array_get(list, i));

        if (out->n == FA_SAML_CERTS)
            rc = fa_fail(e, FA_EDATA, "more than %d certificates", FA_SAML_CERTS);
        else if (!(rc = fa_cert_of(fa_str_of(z), &out->cert[out->n], e)))
            out->n++;
    }
    if (!rc && !out->n)
        rc = fa_fail(e, FA_EDATA, "no certificate of the identity provider is known");
    if (rc)
        fa_pins_free(out);
    return rc;
}

bool fa_pins_curves(const fa_pins *p)
{
    for (size_t i = 0; i < p->n; i++)
        if (EVP_PKEY_get_base_id(X509_get0_pubkey(p->cert[i])) == EVP_PKEY_EC)
            return true;
    return false;
}

void fa_pins_free(fa_pins *p)
{
    for (size_t i = 0; i < p->n; i++)
        X509_free(p->cert[i]);
    p->n = 0;
}

/* ---- encrypted assertions ---- */

static const char *const ciphers[] = {
    "http://www.w3.org/2009/xmlenc11#aes128-gcm", "http://www.w3.org/2009/xmlenc11#aes256-gcm",
    "http://www.w3.org/2001/04/xmlenc#aes128-cbc", "http://www.w3.org/2001/04/xmlenc#aes256-cbc"};
static const char *const transports[] = {"http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p"};

/* EncryptedData(EncryptionMethod, KeyInfo(EncryptedKey(EncryptionMethod, ..., CipherData)), CipherData) and no
 * way to point anywhere else. Some providers lay the key beside the data: it is moved into its place. */
static fa_rc check_encrypted(xmlNode *holder, xmlNode **data, fa_err *e)
{
    xmlNode *n = fa_tree_first(holder), *info, *key, *method, *cipher;
    fa_str name;

    if (!fa_tree_is(n, NS_ENC, "EncryptedData") || fa_tree_after(n))
        return fa_saml_refuse(e, "encryption", "the encrypted assertion is of another form");
    *data = n;
    method = fa_tree_child(n, NS_ENC, "EncryptionMethod");
    name = fa_tree_attribute(method, "Algorithm");
    if (!listed(name, ciphers, FA_COUNT(ciphers)))
        return algorithm(e, "cipher", name);
    info = fa_tree_child(n, NS_DSIG, "KeyInfo");
    key = fa_tree_child(info, NS_ENC, "EncryptedKey");
    if (!key || fa_tree_first(info) != key || fa_tree_after(key))
        return fa_saml_refuse(e, "encryption", "the encrypted assertion has no key of its own");
    name = fa_tree_attribute(fa_tree_child(key, NS_ENC, "EncryptionMethod"), "Algorithm");
    if (!listed(name, transports, FA_COUNT(transports)))
        return algorithm(e, "key transport", name);
    for (xmlNode *at = *data; at; at = at == *data ? key : NULL) {
        cipher = fa_tree_child(at, NS_ENC, "CipherData");
        if (!fa_tree_child(cipher, NS_ENC, "CipherValue") ||
            fa_tree_child(cipher, NS_ENC, "CipherReference"))
            return fa_saml_refuse(e, "encryption", "what is encrypted is not in the message");
    }
    info = fa_tree_child(key, NS_DSIG, "KeyInfo"); /* says whose key it is: we have one */
    if (info) {
        xmlUnlinkNode(info);
        xmlFreeNode(info);
    }
    return FA_OK;
}

static xmlSecKeysMngr *our_key(fa_str pem)
{
    xmlSecKeysMngr *m = xmlSecKeysMngrCreate();
    xmlSecKey *key;

    if (!m || xmlSecOpenSSLAppDefaultKeysMngrInit(m) < 0) {
        xmlSecKeysMngrDestroy(m);
        return NULL;
    }
    key = xmlSecOpenSSLAppKeyLoadMemory((const xmlSecByte *)pem.p, (xmlSecSize)pem.n,
                                        xmlSecKeyDataFormatPem, NULL, NULL, NULL);
    if (!key || xmlSecOpenSSLAppDefaultKeysMngrAdoptKey(m, key) < 0) {
        xmlSecKeyDestroy(key);
        xmlSecKeysMngrDestroy(m);
        return NULL;
    }
    return m;
}

fa_rc fa_encrypted_open(xmlNode *node, fa_str key, xmlDoc **fresh, fa_err *e)
{
    xmlSecKeysMngr *keys = NULL;
    xmlSecEncCtx *ctx = NULL;
    xmlSecBuffer *got = NULL;
    xmlNode *data = NULL;
    fa_rc rc = check_encrypted(node, &data, e);

    *fresh = NULL;
    if (rc)
        return rc;
    if (!key.n)
        return fa_saml_refuse(e, "encryption", "encrypted assertions are not wanted here");
    if (!(keys = our_key(key)) || !(ctx = xmlSecEncCtxCreate(keys)))
        rc = fa_oom(e);
    else {
        ctx->keyInfoReadCtx.maxEncryptedKeyLevel = 1;
        ctx->keyInfoReadCtx.maxRetrievalMethodLevel = 0;
        got = xmlSecEncCtxDecryptToBuffer(ctx, data);
        /* one answer whatever went wrong inside: nothing to be learned of the padding */
        if (!got || !xmlSecBufferGetSize(got))
            rc = fa_saml_refuse(e, "encryption", "the assertion could not be decrypted");
        else if (fa_tree_read(
                     (fa_str){(const char *)xmlSecBufferGetData(got), xmlSecBufferGetSize(got)},
                     false, fresh, e))
            rc = fa_saml_refuse(e, "encryption", "the assertion could not be decrypted");
    }
    xmlSecEncCtxDestroy(ctx);
    xmlSecKeysMngrDestroy(keys);
    return rc;
}
