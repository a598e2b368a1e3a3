// SPDX-License-Identifier: Apache-2.0
// Parameters: the search for primes, every refusal, the security limit from both sides, gadgets, the shape of the cost model.
#include "fixture.h"
#include "internal.h"

#include <string.h>

static enum ck_err try_context(const struct ck_params *par)
{
    struct ck_context *ctx = NULL;
    enum ck_err err = ck_context_new(&ctx, par, 1);
    if (err == CK_OK) ck_context_free(ctx);
    else CHECK(ctx == NULL);
    return err;
}

static void primes(void)
{
    uint64_t out[40], taken[40];
    for (uint32_t logn = 10; logn <= 16; logn++)
        for (double bits = 30; bits < 50; bits += 1.7) {
            const double target = exp2(bits);
            uint32_t n = ck_primes_near(out, 12, target, logn, NULL, 0);
            CHECK(n == 12 || (logn > 13 && bits < 31));
            for (uint32_t i = 0; i < n; i++) {
                CHECK(out[i] % (2ull << logn) == 1);
                for (uint64_t d = 3; d < 2000; d += 2) CHECK(out[i] % d || out[i] == d);
                if (i) CHECK(fabs((double)out[i] - target) >= fabs((double)out[i - 1] - target));
            }
            memcpy(taken, out, sizeof out);
            uint32_t m = ck_primes_near(out, 6, target, logn, taken, 6);
            if (n == 12) CHECK(m == 6 && !memcmp(out, taken + 6, 6 * sizeof *out));
        }
    CHECK(ck_primes_near(out, 4, exp2(49.99), 16, NULL, 0) == 4 && out[0] < 1ull << 50);
    CHECK(ck_primes_near(out, 4, 0.5, 10, NULL, 0) == 0 && ck_primes_near(out, 4, NAN, 10, NULL, 0) == 0);
    CHECK(ck_primes_near(out, 40, exp2(21), 16, NULL, 0) < 40);
}

static void refusals(void)
{
    const struct ck_params good = fixture_params(12, 11, 40, 3, 2, 2);
    CHECK(ck_params_check(&good) == NULL && try_context(&good) == CK_OK);
    struct ck_params p = good;
    p.logn = 9;
    CHECK(try_context(&p) == CK_EPARAM);
    p.logn = 17;
    CHECK(try_context(&p) == CK_EPARAM);
    p = good;
    p.logn = 11;        // primes are 1 modulo the smaller 2N, but too many slots
    CHECK(try_context(&p) == CK_EPARAM);
    p = good;
    p.nq = 0;
    CHECK(try_context(&p) == CK_EPARAM);
    p = good;
    p.np = 0;
    CHECK(try_context(&p) == CK_EPARAM);
    p = good;
    p.alpha = 0;
    CHECK(try_context(&p) == CK_EPARAM);
    p = good;
    p.nclass = 0;
    CHECK(try_context(&p) == CK_OK);
    p.alpha = 3;        // a digit larger than P
    CHECK(try_context(&p) == CK_EPARAM);
    p = good;           // the same in one class; classes that do not reach the top, are out of order, too many, out of range
    p.classes[p.nclass - 1].alpha = 3;
    CHECK(try_context(&p) == CK_EPARAM);
    p = good;
    p.classes[p.nclass - 1].limbs--;
    CHECK(try_context(&p) == CK_EPARAM);
    p = good;
    p.classes[0].limbs = p.nq + 1;
    CHECK(try_context(&p) == CK_EPARAM);
    p = good;
    p.nclass = CK_MAX_CLASSES + 1;
    CHECK(try_context(&p) == CK_EPARAM);
    p = good;
    p.classes[0].np = 0;
    CHECK(try_context(&p) == CK_EPARAM);
    p.classes[0].np = p.np + 1;
    CHECK(try_context(&p) == CK_EPARAM);
    p = good;
    p.classes[0].alpha = 0;
    CHECK(try_context(&p) == CK_EPARAM);
    p = good;
    p.q[1] = p.q[0];
    CHECK(try_context(&p) == CK_EPARAM);
    p = good;
    p.p[1] = p.q[2];
    CHECK(try_context(&p) == CK_EPARAM);
    p = good;
    p.q[1] += 2ull << p.logn;
    while (ck_params_check(&p) == NULL) p.q[1] += 2ull << p.logn;   // the next candidate that is no prime
    CHECK(try_context(&p) == CK_EPARAM);
    p = good;
    p.q[1] += 2;
    CHECK(try_context(&p) == CK_EPARAM);
    p = good;
    p.security = 80;
    CHECK(try_context(&p) == CK_EPARAM);
    p = good;
    p.security = 128;
    CHECK(try_context(&p) == CK_ESECURE);
    struct ck_context *ctx;
    CHECK(ck_context_new(&ctx, &good, 0) == CK_ERANGE);
}

// A chain just inside the limit is accepted, one prime more or half the ring is refused.
static void security(void)
{
    static const uint32_t limit[] = {26, 53, 106, 214, 430, 868, 1747, 3523};
    for (uint32_t logn = 10; logn <= 17; logn++) CHECK(ck_security_max_logqp(logn) == limit[logn - 10]);
    CHECK(ck_security_max_logqp(9) == 0 && ck_security_max_logqp(18) == 0);
    for (uint32_t logn = 12; logn <= 14; logn++) {
        const uint32_t count = limit[logn - 10] / 35;
        struct ck_params p = {.logn = logn, .log_slots = logn - 2, .nq = count - 1, .np = 1, .alpha = 1, .security = 128};
        uint64_t list[32];
        CHECK(ck_primes_near(list, count + 1, exp2(35), logn, NULL, 0) == count + 1);
        memcpy(p.q, list, (count - 1) * sizeof *list);
        p.p[0] = list[count - 1];
        CHECK(fabs(ck_params_logqp(&p) - 35.0 * count) < 0.01);
        CHECK(try_context(&p) == CK_OK);
        p.q[p.nq++] = list[count];
        CHECK(try_context(&p) == CK_ESECURE);
        p.nq--;
        p.logn--;
        CHECK(try_context(&p) == CK_ESECURE);
    }
}

static void gadgets(void)
{
    struct ck_params p = fixture_params(13, 12, 45, 22, 11, 11);
    for (uint32_t limbs = 1; limbs <= 22; limbs++) {
        uint32_t alpha, np;
        ck_params_gadget(&p, limbs, &alpha, &np);
        CHECK(alpha >= 1 && np >= 1 && np <= p.np && alpha <= p.nq);
        double digit = 0, special = 0;
        for (uint32_t i = 0; i < alpha && i < limbs; i++) digit += log2((double)p.q[i]);
        for (uint32_t i = 0; i < np; i++) special += log2((double)p.p[i]);
        CHECK(special + 1 >= digit);
        const double cost = ck_cost_keyswitch(&ck_cost_default, &p, limbs);
        // by the key of a higher level: the same with the same gadget, never cheaper by much
        for (uint32_t key = limbs; key <= p.nq; key++) {
            uint32_t width[2], count[2];
            ck_params_gadget(&p, limbs, &width[0], &count[0]);
            ck_params_gadget(&p, key, &width[1], &count[1]);
            const struct ck_switch_cost by = ck_cost_switch(&ck_cost_default, &p, limbs, key);
            CHECK(by.whole > by.modup && by.whole > by.hoisted && by.whole > 2 * by.moddown && by.whole >= 0.9 * cost);
            CHECK(width[0] != width[1] || count[0] != count[1] || by.whole == cost);
        }
        CHECK(cost > 0 && (limbs < 2 || cost >= 0.99 * ck_cost_keyswitch(&ck_cost_default, &p, limbs - 1)));
        CHECK(ck_cost_rescale(&ck_cost_default, &p, limbs) > 0 && ck_cost_mulpt(&ck_cost_default, &p, limbs) > 0);
    }
}

int main(void)
{
    primes();
    refusals();
    security();
    gadgets();
    return test_done();
}
