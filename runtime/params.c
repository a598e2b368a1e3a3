// SPDX-License-Identifier: Apache-2.0
// Parameters: the security table, the search for primes, the check of a set, the gadgets of keys.
#include "params.h"

#include <math.h>
#include <stddef.h>

// [BCC+24] table for ternary secrets, 128 bit, classical; index log2 N - 10.
static const uint32_t max_logqp[] = {26, 53, 106, 214, 430, 868, 1747, 3523};

uint32_t ck_security_max_logqp(uint32_t logn)
{
    return logn >= 10 && logn <= 17 ? max_logqp[logn - 10] : 0;
}

double ck_params_logqp(const struct ck_params *par)
{
    double q = 0, most = 0;
    for (uint32_t limbs = 1; limbs <= par->nq; limbs++) {
        uint32_t alpha, np;
        ck_params_gadget(par, limbs, &alpha, &np);
        double sum = q += log2((double)par->q[limbs - 1]);
        for (uint32_t i = 0; i < np; i++) sum += log2((double)par->p[i]);
        most = fmax(most, sum);
    }
    return most;
}

static uint64_t mulmod(uint64_t a, uint64_t b, uint64_t m)
{
    return (uint64_t)((unsigned __int128)a * b % m);
}

static uint64_t powmod(uint64_t b, uint64_t e, uint64_t m)
{
    uint64_t r = 1;
    for (b %= m; e; e >>= 1, b = mulmod(b, b, m))
        if (e & 1) r = mulmod(r, b, m);
    return r;
}

// Miller-Rabin with the first twelve primes as bases: exact below 2^64.
static bool is_prime(uint64_t x)
{
    static const uint64_t base[] = {2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37};
    if (x < 2) return false;
    for (size_t i = 0; i < sizeof base / sizeof *base; i++)
        if (x % base[i] == 0) return x == base[i];
    uint64_t d = x - 1;
    int s = 0;
    for (; d % 2 == 0; d /= 2) s++;
    for (size_t i = 0; i < sizeof base / sizeof *base; i++) {
        uint64_t y = powmod(base[i], d, x);
        if (y == 1 || y == x - 1) continue;
        int r = 1;
        for (; r < s; r++) {
            y = mulmod(y, y, x);
            if (y == x - 1) break;
        }
        if (r == s) return false;
    }
    return true;
}

static bool is_taken(uint64_t x, const uint64_t *taken, uint32_t ntaken)
{
    for (uint32_t i = 0; i < ntaken; i++)
        if (taken[i] == x) return true;
    return false;
}

uint32_t ck_primes_near(uint64_t *out, uint32_t count, double target, uint32_t logn, const uint64_t *taken,
                        uint32_t ntaken)
{
    const uint64_t step = 2ull << logn, limit = 1ull << CK_PRIME_BITS_MAX;
    if (!(target >= 2) || target >= 2.0 * (double)limit) return 0;
    // Two walks leave the target, `below` downwards and `above` upwards; the nearer candidate is tried first. They end
    // at a factor of two from the target, beyond which the caller's scales make no sense.
    uint64_t below = (uint64_t)((target - 1) / (double)step) * step + 1, above = below + step;
    const double low = target / 2, high = fmin(target * 2, (double)limit);
    uint32_t found = 0;
    while (found < count) {
        bool down = (double)below >= low && below > 1, up = (double)above < high;
        if (!down && !up) break;
        bool take_down = down && (!up || target - (double)below <= (double)above - target);
        uint64_t x = take_down ? below : above;
        if (take_down) below -= step;
        else above += step;
        if (x < limit && is_prime(x) && !is_taken(x, taken, ntaken)) out[found++] = x;
    }
    return found;
}

static double log2_product(const uint64_t *p, uint32_t count)
{
    double sum = 0;
    for (uint32_t i = 0; i < count; i++) sum += log2((double)p[i]);
    return sum;
}

// log2 of the largest digit of alpha limbs of q[0..limbs).
static double largest_digit(const struct ck_params *par, uint32_t alpha, uint32_t limbs)
{
    double best = 0;
    for (uint32_t i = 0; i < limbs; i += alpha)
        best = fmax(best, log2_product(par->q + i, limbs - i < alpha ? limbs - i : alpha));
    return best;
}

static const char *check_prime(const struct ck_params *par, uint64_t x)
{
    if (x >> CK_PRIME_BITS_MAX) return "a prime has more than 50 bits";
    if (x % (2ull << par->logn) != 1) return "a prime is not 1 modulo 2N";
    if (!is_prime(x)) return "a modulus is not prime";
    uint32_t seen = 0;
    for (uint32_t i = 0; i < par->nq; i++) seen += par->q[i] == x;
    for (uint32_t i = 0; i < par->np; i++) seen += par->p[i] == x;
    return seen == 1 ? NULL : "a prime occurs twice";
}

static const char *check_classes(const struct ck_params *par)
{
    if (par->nclass > CK_MAX_CLASSES) return "there are more than 24 classes of keys";
    for (uint32_t i = 0; i < par->nclass; i++) {
        const struct ck_key_class *c = &par->classes[i];
        if (c->limbs <= (i ? c[-1].limbs : 0) || c->limbs > par->nq) return "the classes of keys are out of order";
        if (c->alpha < 1 || c->alpha > par->nq || c->np < 1 || c->np > par->np) return "the gadget of a class of keys is out of range";
    }
    if (par->nclass && par->classes[par->nclass - 1].limbs != par->nq) return "the classes of keys do not reach the last prime";
    // Key-switching noise grows with digit / P; one bit of slack lets P and a digit use primes around the same target.
    for (uint32_t limbs = 1; limbs <= par->nq; limbs++) {
        uint32_t alpha, np;
        ck_params_gadget(par, limbs, &alpha, &np);
        if (log2_product(par->p, np) + 1 < largest_digit(par, alpha, limbs))
            return "the special primes are smaller than a digit: key switching would be too noisy";
    }
    return NULL;
}

const char *ck_params_check(const struct ck_params *par)
{
    if (par->logn < CK_LOGN_MIN || par->logn > CK_LOGN_MAX) return "the ring degree is outside 2^10..2^16";
    if (par->log_slots > par->logn - 1) return "more slots than half the ring degree";
    if (par->nq < 1 || par->nq > CK_MAX_Q) return "the number of ciphertext primes is outside 1..64";
    if (par->np < 1 || par->np > CK_MAX_P) return "the number of special primes is outside 1..32";
    if (par->alpha < 1 || par->alpha > par->nq) return "limbs per digit outside 1..nq";
    if (par->security != 128 && par->security != 0) return "the security level is neither 128 nor 0 (tests)";
    for (uint32_t i = 0; i < par->nq + par->np; i++) {
        const char *why = check_prime(par, i < par->nq ? par->q[i] : par->p[i - par->nq]);
        if (why) return why;
    }
    const char *why = check_classes(par);
    if (why) return why;
    if (par->security && ck_params_logqp(par) > ck_security_max_logqp(par->logn))
        return "log2(QP) exceeds the 128-bit security limit of this ring degree";
    return NULL;
}

void ck_params_gadget(const struct ck_params *par, uint32_t limbs, uint32_t *alpha, uint32_t *np)
{
    uint32_t i = 0;
    while (i < par->nclass && par->classes[i].limbs < limbs) i++;
    *alpha = i < par->nclass ? par->classes[i].alpha : par->alpha;
    *np = i < par->nclass ? par->classes[i].np : par->np;
}

double ck_params_key_bytes(const struct ck_params *par, uint32_t limbs, uint32_t alpha, uint32_t np)
{
    double bits = 0;
    for (uint32_t j = 0; j < limbs; j++) bits += floor(log2((double)par->q[j])) + 1;
    for (uint32_t j = 0; j < np; j++) bits += floor(log2((double)par->p[j])) + 1;
    return ldexp((limbs + alpha - 1) / alpha * bits, (int)par->logn - 3);
}

uint32_t ck_poly_depth(uint32_t degree)
{
    uint32_t d = 0;
    while (((uint64_t)1 << d) < (uint64_t)degree + 1) d++;
    return d;
}
