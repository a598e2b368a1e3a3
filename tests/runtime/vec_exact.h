// SPDX-License-Identifier: Apache-2.0
// The names of runtime/vec_ifma.h on exact integers. A lane holds what a value is, without the garbage above bit 51, and the least and the
// most that it may be for any input: every primitive works on intervals as the comments in the kernels do, so one run of a kernel proves its
// ranges for all inputs, and checks the proof's steps on the values at hand. A value that is not in the interval that a primitive wants, or
// an interval that is not, is noted in `exact_broken`.
//
// Included before a kernel's source in place of vec_ifma.h. A word of memory is a constant below 2^55 in size, or carries in its upper byte
// the number of its interval in exact_ranges, which stays valid until exact_reset.
#ifndef CK_VEC_IFMA_H
#define CK_VEC_IFMA_H

// The kernels that are built here go beside the real ones; those that are not are the portable ones.
#define ck_ntt_ifma ck_ntt_exact
#define ck_intt_ifma ck_intt_exact
#define ck_ntt_columns_ifma ck_ntt_columns_exact
#define ck_ntt_block_ifma ck_ntt_block_exact
#define ck_intt_block_ifma ck_intt_block_exact
#define ck_intt_columns_ifma ck_intt_columns_exact
#define ck_conv_ifma ck_conv_exact
#define ck_kernels_init_ifma ck_kernels_init_exact
#define ck_expand_ifma ck_expand_c
#define ck_unpack_ifma ck_unpack_c
#define ck_inner_key_ifma ck_inner_key_steps

#include "../../runtime/kernels.h"

#define INLINE static inline

struct exact_range {
    int64_t lo, hi;
};
extern struct exact_range exact_ranges[256];    // [0]: not used, constants
extern int exact_count;
extern const char *exact_broken;                // NULL, or the first statement that did not hold

static inline void exact_reset(void) { exact_broken = NULL, exact_count = 1; }
static inline void exact_check(bool holds, const char *statement)
{
    if (!holds && !exact_broken) exact_broken = statement;
}

typedef unsigned __int128 exact_wide;
enum { EXACT_SHIFT = 56 };
#define EXACT_TOP ((int64_t)1 << 52)

struct lane {
    int64_t v, lo, hi;
};
typedef struct {
    struct lane x[8];
} vec;
#define EACH for (int i = 0; i < 8; i++)

static inline struct lane exact_lane(int64_t v, int64_t lo, int64_t hi)
{
    exact_check(lo <= v && v <= hi, "a value lies in its interval");
    return (struct lane){v, lo, hi};
}

static inline struct lane exact_decode(uint64_t word)
{
    const unsigned k = (unsigned)(word >> EXACT_SHIFT);
    const int64_t v = (int64_t)(word << 8) >> 8;
    return k ? exact_lane(v, exact_ranges[k].lo, exact_ranges[k].hi) : (struct lane){v, v, v};
}

static inline uint64_t exact_encode(struct lane a)
{
    int k = 0;
    if (a.lo != a.hi && !exact_broken) {
        for (k = exact_count - 1; k > 0 && (exact_ranges[k].lo != a.lo || exact_ranges[k].hi != a.hi); k--) {}
        if (!k && exact_count < 256) exact_ranges[k = exact_count++] = (struct exact_range){a.lo, a.hi};
        exact_check(k != 0, "there are few intervals");
    }
    exact_check(a.lo >= -8 * EXACT_TOP && a.hi < 8 * EXACT_TOP, "what is stored is below 2^55");
    return ((uint64_t)a.v & (~0ull >> 8)) | (uint64_t)k << EXACT_SHIFT;
}

static inline bool exact_within(struct lane a, int64_t lo, int64_t end) { return a.lo >= lo && a.hi < end && a.v >= lo && a.v < end; }
static inline void exact_factor(struct lane a) { exact_check(exact_within(a, 0, EXACT_TOP), "factors are in [0,2^52)"); }
static inline int64_t exact_constant(struct lane a)
{
    exact_check(a.lo == a.hi, "a constant is one");
    return a.v;
}

static inline int64_t exact_hi(int64_t a, int64_t b) { return (int64_t)((exact_wide)(uint64_t)a * (uint64_t)b >> 52); }
static inline int64_t exact_lo(int64_t a, int64_t b) { return (int64_t)((uint64_t)a * (uint64_t)b & (uint64_t)(EXACT_TOP - 1)); }
static inline struct lane lane_add(struct lane a, struct lane b) { return exact_lane(a.v + b.v, a.lo + b.lo, a.hi + b.hi); }
static inline struct lane lane_sub(struct lane a, struct lane b) { return exact_lane(a.v - b.v, a.lo - b.hi, a.hi - b.lo); }

struct consts {
    vec q, q2, nq, v52;
    uint64_t q1;
};

INLINE vec splat(uint64_t x)
{
    vec r;
    EACH r.x[i] = (struct lane){(int64_t)x, (int64_t)x, (int64_t)x};
    return r;
}
INLINE vec load(const uint64_t *p)
{
    vec r;
    EACH r.x[i] = exact_decode(p[i]);
    return r;
}
INLINE vec load1(const uint64_t *p)
{
    vec r;
    EACH r.x[i] = exact_decode(*p);
    return r;
}
INLINE void store(uint64_t *p, vec a) { EACH p[i] = exact_encode(a.x[i]); }
INLINE vec zero(void) { return splat(0); }

INLINE vec hi(vec acc, vec a, vec b)
{
    EACH {
        const struct lane x = a.x[i], y = b.x[i];
        exact_factor(x), exact_factor(y);
        acc.x[i] = lane_add(acc.x[i], exact_lane(exact_hi(x.v, y.v), exact_hi(x.lo, y.lo), exact_hi(x.hi, y.hi)));
    }
    return acc;
}
INLINE vec lo(vec acc, vec a, vec b)
{
    EACH {
        const struct lane x = a.x[i], y = b.x[i];
        exact_factor(x), exact_factor(y);
        const bool known = exact_hi(x.hi, y.hi) == 0;       // the product itself
        acc.x[i] = lane_add(acc.x[i], exact_lane(exact_lo(x.v, y.v), known ? x.lo * y.lo : 0, known ? x.hi * y.hi : EXACT_TOP - 1));
    }
    return acc;
}
INLINE vec add(vec a, vec b)
{
    EACH a.x[i] = lane_add(a.x[i], b.x[i]);
    return a;
}
INLINE vec sub(vec a, vec b)
{
    EACH a.x[i] = lane_sub(a.x[i], b.x[i]);
    return a;
}
INLINE vec shifted(vec a, int k)
{
    EACH a.x[i] = exact_lane(a.x[i].v << k, a.x[i].lo << k, a.x[i].hi << k);
    return a;
}
INLINE vec csub(vec a, vec q)
{
    EACH {
        const struct lane x = a.x[i];
        const int64_t m = exact_constant(q.x[i]), v = x.v >= m ? x.v - m : x.v;
        exact_check(exact_within(x, 0, 2 * m), "what q is subtracted from conditionally is in [0,2q)");
        a.x[i] = x.hi < m ? x : exact_lane(v, x.lo < m ? 0 : x.lo - m, x.lo < m ? m - 1 : x.hi - m);
    }
    return a;
}

INLINE struct consts consts_of(const struct ck_mod *m)
{
    return (struct consts){splat(m->q), splat(2 * m->q), splat(-m->q), splat(m->v52), m->q};
}

INLINE vec product(vec acc, vec y, vec w, vec wq, const struct consts *c)
{
    const int64_t q = (int64_t)c->q1;
    EACH {
        const int64_t f = exact_constant(w.x[i]), fq = exact_constant(wq.x[i]), v = y.x[i].v;
        const exact_wide top = (exact_wide)(uint64_t)f << 52, quotient = (exact_wide)(uint64_t)fq * c->q1;
        exact_check(f >= 0 && f < q && quotient <= top && top < quotient + c->q1, "wq = floor(w 2^52 / q), w < q");
        exact_factor(y.x[i]);
        const int64_t r = (int64_t)((uint64_t)v * (uint64_t)f - (uint64_t)exact_hi(v, fq) * c->q1);
        exact_check(r >= 0 && r < 2 * q, "a product is in [0,2q)");
        acc.x[i] = lane_add(acc.x[i], exact_lane(r, 0, 2 * q - 1));
    }
    return acc;
}
INLINE vec factor_of(vec wq, const struct consts *c) { return hi(splat(1), wq, c->q); }

// With v = floor(2^52/q), h = HI(x, v): x < (h+1) 2^52/v, so x - h q < (2^52 + h (2^52 - q v)) / v, which grows with h.
INLINE vec barrett(vec x, vec less, const struct consts *c)
{
    const int64_t q = (int64_t)c->q1, v = exact_constant(c->v52.x[0]);
    EACH {
        exact_factor(x.x[i]);
        int64_t most = (EXACT_TOP + exact_hi(x.x[i].hi, v) * (EXACT_TOP - q * v) - 1) / v;
        if (most > x.x[i].hi) most = x.x[i].hi;
        exact_check(most < 2 * q, "what is reduced by a quotient is in [0,2q)");
        const struct lane r = exact_lane(x.x[i].v - exact_hi(x.x[i].v, v) * q, 0, most);
        const int64_t offset = -exact_constant(less.x[i]) * q;
        x.x[i] = lane_add(r, (struct lane){offset, offset, offset});
    }
    return x;
}
INLINE vec low52(vec x, const struct consts *c)
{
    (void)c;
    EACH exact_check(exact_within(x.x[i], 0, EXACT_TOP), "what is known modulo 2^52 and needed is in [0,2^52)");
    return x;
}
INLINE vec finish(vec x, const struct consts *c) { return csub(low52(x, c), c->q); }
INLINE vec finish4(vec x, const struct consts *c) { return csub(csub(low52(x, c), c->q2), c->q); }

struct wide {
    struct consts c;
    uint64_t r52, r52q;
};
INLINE struct wide wide_of(const struct ck_mod *m) { return (struct wide){consts_of(m), m->r52, m->r52q}; }

INLINE vec reduce_lazy(vec h, vec l, const struct wide *w)
{
    const int64_t q = (int64_t)w->c.q1, v = w->c.v52.x[0].v;
    exact_check(4 * q <= EXACT_TOP, "4q <= 2^52");
    EACH {
        const struct lane y = l.x[i];
        exact_check(y.lo >= 0, "sums of low halves are not negative");
        const struct lane x = lane_add(h.x[i], exact_lane(y.v >> 52, y.lo >> 52, y.hi >> 52));
        exact_factor(x);
        const int64_t low = y.v & (EXACT_TOP - 1), quotient = exact_hi(x.v, (int64_t)w->r52q) + exact_hi(low, v);
        h.x[i] = exact_lane((int64_t)((uint64_t)low + (uint64_t)x.v * w->r52 - (uint64_t)quotient * w->c.q1), 0, 4 * q - 1);
    }
    return h;
}
INLINE vec reduce(vec h, vec l, const struct wide *w) { return finish4(reduce_lazy(h, l, w), &w->c); }

INLINE vec mont_start(void) { return splat((uint64_t)EXACT_TOP - 1); }
INLINE vec mont_end(vec h, vec l, vec npinv, vec q)
{
    EACH {
        const struct lane x = h.x[i], y = l.x[i];
        const int64_t p = exact_constant(q.x[i]), low = y.v - (EXACT_TOP - 1), m = exact_lo(low, exact_constant(npinv.x[i]));
        exact_check(y.lo >= EXACT_TOP - 1 && x.lo >= 0, "sums start at 2^52 - 1 and grow");
        const struct lane r = exact_lane(x.v + exact_hi(m, p) + (y.v >> 52), x.lo + (y.lo >> 52), x.hi + p - 1 + (y.hi >> 52));
        const exact_wide sum = ((exact_wide)(uint64_t)x.v << 52) + (uint64_t)low + (exact_wide)(uint64_t)m * (uint64_t)p;
        exact_check(sum == (exact_wide)(uint64_t)r.v << 52, "a Montgomery reduction is exact");
        h.x[i] = r;
    }
    return h;
}

INLINE vec interleave(vec even, vec odd)
{
    EACH if (i % 2) even.x[i] = odd.x[i];
    return even;
}
INLINE vec pick(vec a, const int64_t from[8], vec b)
{
    vec r;
    EACH r.x[i] = from[i] < 8 ? a.x[from[i]] : b.x[from[i] - 8];
    return r;
}
INLINE vec gather(const uint64_t *p, const int64_t from[8])
{
    vec r;
    EACH r.x[i] = exact_decode(p[from[i]]);
    return r;
}
INLINE vec load_i32(const int32_t *p)
{
    vec r;
    EACH r.x[i] = exact_lane(p[i], -INT32_MAX, INT32_MAX);
    return r;
}
INLINE vec magnitude(vec a)
{
    EACH a.x[i] = exact_lane(a.x[i].v < 0 ? -a.x[i].v : a.x[i].v, 0, a.x[i].hi > -a.x[i].lo ? a.x[i].hi : -a.x[i].lo);
    return a;
}
static inline struct lane lane_either(bool second, struct lane a, struct lane b)
{
    return exact_lane(second ? b.v : a.v, a.lo < b.lo ? a.lo : b.lo, a.hi > b.hi ? a.hi : b.hi);
}
INLINE vec negate_where(vec a, vec sign, vec q)
{
    EACH a.x[i] = lane_either(sign.x[i].v < 0, a.x[i], lane_sub(q.x[i], a.x[i]));
    return a;
}
INLINE vec add_where_above(vec a, vec c, vec y, vec bound)
{
    EACH a.x[i] = lane_either(y.x[i].v > bound.x[i].v, a.x[i], lane_add(a.x[i], c.x[i]));
    return a;
}

INLINE void transpose(vec *v)
{
    for (int k = 0; k < 8; k++)
        for (int i = 0; i < k; i++) {
            const struct lane x = v[k].x[i];
            v[k].x[i] = v[i].x[k];
            v[i].x[k] = x;
        }
}

// Rounding is monotone: bounds of nonnegative numbers take the same way as the values.
struct real {
    double v, lo, hi;
};
typedef struct {
    struct real x[8];
} reals;
INLINE reals real_splat(double x)
{
    reals r;
    EACH r.x[i] = (struct real){x, x, x};
    return r;
}
INLINE reals real_add(reals a, reals b)
{
    EACH a.x[i] = (struct real){a.x[i].v + b.x[i].v, a.x[i].lo + b.x[i].lo, a.x[i].hi + b.x[i].hi};
    return a;
}
INLINE reals real_mul(reals a, reals b)
{
    EACH {
        exact_check(a.x[i].lo >= 0 && b.x[i].lo >= 0, "factors are not negative");
        a.x[i] = (struct real){a.x[i].v * b.x[i].v, a.x[i].lo * b.x[i].lo, a.x[i].hi * b.x[i].hi};
    }
    return a;
}
INLINE reals real_of(vec a)
{
    reals r;
    EACH exact_factor(a.x[i]), r.x[i] = (struct real){(double)a.x[i].v, (double)a.x[i].lo, (double)a.x[i].hi};
    return r;
}
INLINE vec truncated(reals a)
{
    vec r;
    EACH {
        exact_check(a.x[i].lo >= 0 && a.x[i].hi < 0x1p52, "what is truncated is in [0,2^52)");
        r.x[i] = exact_lane((int64_t)a.x[i].v, (int64_t)a.x[i].lo, (int64_t)a.x[i].hi);
    }
    return r;
}
#endif
