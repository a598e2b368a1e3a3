// SPDX-License-Identifier: Apache-2.0
// Secret and error distributions. The Gaussian is drawn by a full scan of its cumulative table, so that time and memory
// accesses do not depend on the value.
#include "internal.h"

// floor(2^63 P(|x| <= k)) for k = 0, 1, ...; discrete Gaussian of sigma 3.19, tail beyond the table below 2^-63.
static const uint64_t cumulative[] = {
    0x1001f9a1b2ca9468, 0x2e7cf3ef07836cb6, 0x48ca7e85d834a57a, 0x5d5d51778f760881, 0x6bf35598550421b0,
    0x7552dc90807bbed6, 0x7ac8820561a4c975, 0x7daa6596524b7ffd, 0x7f0b8114bba4ecb9, 0x7fa4a9fc5ea574e9,
    0x7fe0e1077aef391a, 0x7ff6563f810f15d0, 0x7ffd4490999bc595, 0x7fff4c0804cd386e, 0x7fffd5e18e7fda18,
    0x7ffff709c679c2ee, 0x7ffffe445c790f6c, 0x7fffffb20f7aa54a, 0x7ffffff3903d235d, 0x7ffffffe32b06d1d,
    0x7fffffffc35125cc, 0x7ffffffff8c11765, 0x7fffffffff36fe33, 0x7fffffffffec3bf8, 0x7ffffffffffe3c8b,
    0x7fffffffffffdb75, 0x7ffffffffffffd51, 0x7fffffffffffffd2, 0x7ffffffffffffffd,
};

enum { BATCH = 512 };

enum ck_err ck_sample_gauss(struct ck_drbg *rng, int32_t *out, size_t count)
{
    uint64_t buf[BATCH];
    enum ck_err err = CK_OK;
    for (size_t at = 0; at < count && err == CK_OK; at += BATCH) {
        size_t m = count - at < BATCH ? count - at : BATCH;
        err = ck_drbg_bytes(rng, buf, m * sizeof *buf);
        if (err != CK_OK) break;
        for (size_t i = 0; i < m; i++) {
            uint64_t u = buf[i] >> 1;
            int32_t magnitude = 0, sign = (int32_t)(buf[i] & 1);
            for (size_t k = 0; k < sizeof cumulative / sizeof *cumulative; k++)
                magnitude += (int32_t)((cumulative[k] - 1 - u) >> 63);      // 1 where u >= cumulative[k]
            out[at + i] = (magnitude ^ -sign) + sign;
        }
    }
    ck_mem_wipe(buf, sizeof buf);
    return err;
}

enum ck_err ck_sample_ternary(struct ck_drbg *rng, int32_t *out, size_t count)
{
    // A byte below 243 holds five uniform digits of base 3.
    uint8_t buf[BATCH];
    size_t at = 0, have = 0, next = 0;
    enum ck_err err = CK_OK;
    while (at < count) {
        if (next == have) {
            err = ck_drbg_bytes(rng, buf, sizeof buf);
            if (err != CK_OK) break;
            have = sizeof buf;
            next = 0;
        }
        uint32_t x = buf[next++];
        if (x >= 243) continue;
        for (int i = 0; i < 5 && at < count; i++, x /= 3) out[at++] = (int32_t)(x % 3) - 1;
    }
    ck_mem_wipe(buf, sizeof buf);
    return err;
}

enum ck_err ck_sample_sparse(struct ck_drbg *rng, int32_t *out, size_t count, uint32_t h)
{
    if (h > count) return CK_ERANGE;
    for (size_t i = 0; i < count; i++) out[i] = 0;
    // Positions by rejection: count is a power of two, so a masked word is uniform.
    for (uint32_t placed = 0; placed < h;) {
        uint64_t u;
        CK_TRY(ck_drbg_bytes(rng, &u, sizeof u));
        size_t pos = (u >> 1) & (count - 1);
        if (out[pos]) continue;
        out[pos] = u & 1 ? 1 : -1;
        placed++;
    }
    return CK_OK;
}
