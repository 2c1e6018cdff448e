/*
 * sign.c - what stores want signed: HMAC for Azure, RSA for Google and Oracle, MD5 of what came.
 */
#include "connect/inner.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

fa_rc cn_hmac_sha256(fa_str key, fa_str text, unsigned char out[32], fa_err *e)
{
    unsigned int n = 0;

    if (!HMAC(EVP_sha256(), key.p, (int)key.n, (const unsigned char *)text.p, text.n, out, &n) ||
        n != 32)
        return fa_fail(e, FA_EINTERNAL, "HMAC-SHA-256 failed");
    return FA_OK;
}

fa_rc cn_base64(fa_buf *out, const void *p, size_t n, bool url)
{
    int variant = url ? sodium_base64_VARIANT_URLSAFE_NO_PADDING : sodium_base64_VARIANT_ORIGINAL;
    size_t len = sodium_base64_encoded_len(n, variant);
    char *text = malloc(len);

    if (!text)
        return FA_EENV;
    sodium_bin2base64(text, len, p, n, variant);
    fa_buf_z(out, text);
    explicit_bzero(text, len);
    free(text);
    return out->failed ? FA_EENV : FA_OK;
}

fa_rc cn_unbase64(fa_arena *a, fa_str text, fa_str *out, fa_err *e)
{
    unsigned char *p = fa_arena_alloc(a, text.n + 1);
    size_t n = 0;

    if (!p)
        return fa_oom(e);
    if (sodium_base642bin(p, text.n + 1, text.p, text.n, NULL, &n, NULL,
                          sodium_base64_VARIANT_ORIGINAL))
        return fa_fail(e, FA_EINVAL, "the key is not base64");
    *out = (fa_str){(const char *)p, n};
    return FA_OK;
}

/* Never asks a terminal. */
static int give_passphrase(char *buf, int size, int rw, void *user)
{
    const fa_str *p = user;

    (void)rw;
    if (!p->n || (int)p->n > size)
        return -1;
    memcpy(buf, p->p, p->n);
    return (int)p->n;
}

fa_rc cn_rsa_sign(fa_str pem, fa_str passphrase, fa_str text, bool url, fa_buf *out, fa_err *e)
{
    BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, give_passphrase, &passphrase) : NULL;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    unsigned char sig[1024];
    size_t n = sizeof sig;
    fa_rc rc = FA_OK;

    if (!key || EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA || EVP_PKEY_get_bits(key) < 2048)
        rc = fa_fail(e, FA_EINVAL,
                     "the private key is not an RSA key of 2,048 bits or more in PEM form");
    else if (!ctx || EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) != 1 ||
             EVP_DigestSign(ctx, sig, &n, (const unsigned char *)text.p, text.n) != 1)
        rc = fa_fail(e, FA_EINTERNAL, "signing with the private key failed");
    else if (cn_base64(out, sig, n, url))
        rc = fa_oom(e);
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);
    BIO_free(bio);
    return rc;
}

fa_rc cn_file_md5(const char *path, char hex[33], fa_err *e)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    unsigned char buf[65536], sum[EVP_MAX_MD_SIZE];
    unsigned int n = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t k = -1;
    fa_rc rc = FA_OK;

    if (fd < 0 || !ctx || EVP_DigestInit_ex(ctx, EVP_md5(), NULL) != 1)
        rc = fa_fail(e, FA_EENV, "could not check what was fetched: %s",
                     fd < 0 ? strerror(errno) : "MD5 is switched off");
    while (!rc && (k = read(fd, buf, sizeof buf)) > 0)
        if (EVP_DigestUpdate(ctx, buf, (size_t)k) != 1)
            rc = fa_fail(e, FA_EINTERNAL, "MD5 failed");
    if (!rc && (k < 0 || EVP_DigestFinal_ex(ctx, sum, &n) != 1))
        rc = fa_fail(e, FA_EENV, "could not read what was fetched: %s", strerror(errno));
    if (!rc)
        fa_hex(hex, sum, 16);
    EVP_MD_CTX_free(ctx);
    if (fd >= 0)
        close(fd);
    return rc;
}
