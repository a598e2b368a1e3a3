// SPDX-License-Identifier: Apache-2.0
// Parameters: the security table, the search for primes, the check of a set, the choice of gadgets.
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

// log2 of the largest product of `alpha` consecutive primes that forms a digit of q[0..limbs).
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
    // Key-switching noise grows with digit / P; one bit of slack lets P and a digit use primes around the same target.
    if (log2_product(par->p, par->np) + 1 < largest_digit(par, par->alpha, par->nq))
        return "the special primes are smaller than a digit: key switching would be too noisy";
    if (par->security && ck_params_logqp(par) > ck_security_max_logqp(par->logn))
        return "log2(QP) exceeds the 128-bit security limit of this ring degree";
    return NULL;
}

// The fewest special primes whose product exceeds `bits`, np if there are none.
static uint32_t cover(const struct ck_params *par, double bits)
{
    uint32_t k = 1;
    for (double sum = log2((double)par->p[0]); k < par->np && sum < bits; k++) sum += log2((double)par->p[k]);
    return k;
}

// Where the special primes are more than digits of alpha limbs need: the largest size of at most `most` limbs of which two digits of `*alpha` limbs are
// covered by all special primes, within the limit of security; 0 if there is none above 2 alpha.
static uint32_t two_digits(const struct ck_params *par, uint32_t *alpha)
{
    double sum[CK_MAX_Q + 1] = {0};
    for (uint32_t i = 0; i < par->nq; i++) sum[i + 1] = sum[i] + log2((double)par->q[i]);
    const double p = log2_product(par->p, par->np), limit = par->security ? ck_security_max_logqp(par->logn) : INFINITY;
    for (uint32_t limbs = par->nq; limbs > 2 * par->alpha; limbs--) {
        if (sum[limbs] + p > limit) continue;
        for (uint32_t a = (limbs + 1) / 2; a < limbs; a++) {
            if (sum[a] + 0.5 > p) break;
            if (sum[limbs] - sum[a] + 0.5 > p) continue;
            *alpha = a;
            return limbs;
        }
    }
    return 0;
}

void ck_params_gadget(const struct ck_params *par, uint32_t limbs, uint32_t *alpha, uint32_t *np)
{
    *alpha = par->alpha;
    *np = cover(par, largest_digit(par, par->alpha, par->nq) + 0.5);
    uint32_t wide;
    if (limbs > 2 * par->alpha && *np < par->np && limbs <= two_digits(par, &wide)) {
        *alpha = wide;
        *np = par->np;
        return;
    }
    // One digit of 1, 2, 4 or 8 limbs. Few sizes, so that keys of neighbouring levels share their ModUp.
    const uint32_t d = (limbs + par->alpha - 1) / par->alpha, most = *np;
    for (uint32_t size = 1; size <= 8; size *= 2) {
        if (limbs > size || size > par->nq) continue;
        double need = log2_product(par->q, size);
        uint32_t k = 1;
        while (k < most && log2_product(par->p, k) + 1 < need) k++;
        if (log2_product(par->p, k) + 1 < need || k >= most) continue;
        if (3 * (limbs + k) < (d + 2) * (limbs + most)) {
            *alpha = size;
            *np = k;
        }
        break;
    }
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
