// SPDX-License-Identifier: Apache-2.0
// Randomness: AES-256 in counter mode from OpenSSL, keyed by 32 bytes of the operating system's generator (or by a given seed).
// The one file that sees libcrypto.
#include "internal.h"
#include "kernels_impl.h"

#include <errno.h>
#include <openssl/evp.h>
#include <string.h>
#include <sys/random.h>

struct ck_drbg {
    EVP_CIPHER_CTX *cipher;
};

static enum ck_err system_bytes(uint8_t *out, size_t bytes)
{
    while (bytes) {
        ssize_t got = getrandom(out, bytes, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return CK_ERANDOM;
        out += got;
        bytes -= (size_t)got;
    }
    return CK_OK;
}

enum ck_err ck_drbg_new(struct ck_drbg **out, const uint8_t seed[CK_SEED_BYTES])
{
    uint8_t key[CK_SEED_BYTES];
    const uint8_t iv[16] = {0};
    if (seed) memcpy(key, seed, sizeof key);
    else CK_TRY(system_bytes(key, sizeof key));
    struct ck_drbg *d = ck_mem_alloc(sizeof *d);
    if (d) d->cipher = EVP_CIPHER_CTX_new();
    bool have = d && d->cipher, ok = have && EVP_EncryptInit_ex(d->cipher, EVP_aes_256_ctr(), NULL, key, iv) == 1;
    ck_mem_wipe(key, sizeof key);
    if (!ok) {
        ck_drbg_free(d);
        return have ? CK_ERANDOM : CK_ENOMEM;
    }
    *out = d;
    return CK_OK;
}

void ck_drbg_free(struct ck_drbg *d)
{
    if (!d) return;
    EVP_CIPHER_CTX_free(d->cipher);     // cleanses the key schedule
    ck_mem_free(d, sizeof *d);
}

enum ck_err ck_drbg_bytes(struct ck_drbg *d, void *out, size_t bytes)
{
    // The key stream is the encryption of zeros; the cipher takes at most an int of bytes at a time.
    uint8_t *p = out;
    memset(p, 0, bytes);
    while (bytes) {
        int part = bytes < 1 << 20 ? (int)bytes : 1 << 20, done = 0;
        if (EVP_EncryptUpdate(d->cipher, p, &done, p, part) != 1 || done != part) return CK_ERANDOM;
        p += part;
        bytes -= (size_t)part;
    }
    return CK_OK;
}

bool ck_aes_ctr(uint8_t *out, const uint8_t key[16], const uint8_t iv[16], size_t blocks)
{
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    int bytes = (int)(16 * blocks), done = 0;
    memset(out, 0, 16 * blocks);
    bool ok = c && EVP_EncryptInit_ex(c, EVP_aes_128_ctr(), NULL, key, iv) == 1 &&
              EVP_EncryptUpdate(c, out, &done, out, bytes) == 1 && done == bytes;
    EVP_CIPHER_CTX_free(c);
    return ok;
}
