// SPDX-License-Identifier: Apache-2.0
// SHA-256 by libcrypto, for fingerprints.
#include "file.h"
#include <openssl/evp.h>
#include <string.h>

void ck_sha256(uint8_t out[32], size_t count, const struct ck_span *span)
{
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    int ok = c && EVP_DigestInit_ex(c, EVP_sha256(), NULL);
    for (size_t i = 0; i < count && ok; i++) ok = EVP_DigestUpdate(c, span[i].data, span[i].len);
    if (!ok || !EVP_DigestFinal_ex(c, out, NULL)) memset(out, 0, 32);
    EVP_MD_CTX_free(c);
}
