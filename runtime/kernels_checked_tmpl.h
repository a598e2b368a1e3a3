// SPDX-License-Identifier: Apache-2.0
// Template: one checked table (kernels_checked.c). Parameter:
//   LEVEL   number of the table
// Entries that are not here (spread, permute, unpack) know no modulus and stay as they are. Operands are checked before the call, for results may alias them.

#define JOIN(a, b) a##_##b
#define NAMED(a, b) JOIN(a, b)
#define ENTRY(name) NAMED(checked_##name, LEVEL)
#define REAL (&real[LEVEL])

static void ENTRY(ntt)(uint64_t *a, const struct ck_ntt *t)
{
    assert(below(a, size_of(t), t->mod.q));
    REAL->ntt(a, t);
    assert(below(a, size_of(t), t->mod.q));
}

static void ENTRY(intt)(uint64_t *a, const struct ck_ntt *t)
{
    assert(below(a, size_of(t), t->mod.q));
    REAL->intt(a, t);
    assert(below(a, size_of(t), t->mod.q));
}

static void ENTRY(ntt_columns)(uint64_t *a, const struct ck_ntt *t)
{
    assert(below(a, size_of(t), t->mod.q));
    REAL->ntt_columns(a, t);
}

static void ENTRY(ntt_block)(uint64_t *a, uint32_t b, const struct ck_ntt *t, const uint64_t *ahead)
{
    assert(b < ck_ntt_blocks(t->logn));
    REAL->ntt_block(a, b, t, ahead);
    assert(below(a, block_of(t), t->mod.q));
}

static void ENTRY(intt_block)(uint64_t *a, uint32_t b, const struct ck_ntt *t)
{
    assert(b < ck_ntt_blocks(t->logn) && below(a, block_of(t), t->mod.q));
    REAL->intt_block(a, b, t);
}

static void ENTRY(intt_columns)(uint64_t *a, const struct ck_ntt *t)
{
    REAL->intt_columns(a, t);
    assert(below(a, size_of(t), t->mod.q));
}

static void ENTRY(add)(uint64_t *out, const uint64_t *a, const uint64_t *b, size_t n, const struct ck_mod *m)
{
    assert(below(a, n, m->q) && below(b, n, m->q));
    REAL->add(out, a, b, n, m);
    assert(below(out, n, m->q));
}

static void ENTRY(sub)(uint64_t *out, const uint64_t *a, const uint64_t *b, size_t n, const struct ck_mod *m)
{
    assert(below(a, n, m->q) && below(b, n, m->q));
    REAL->sub(out, a, b, n, m);
    assert(below(out, n, m->q));
}

static void ENTRY(neg)(uint64_t *out, const uint64_t *a, size_t n, const struct ck_mod *m)
{
    assert(below(a, n, m->q));
    REAL->neg(out, a, n, m);
    assert(below(out, n, m->q));
}

static void ENTRY(mul)(uint64_t *out, const uint64_t *a, const uint64_t *b, size_t n, const struct ck_mod *m)
{
    assert(below(a, n, m->q) && below(b, n, m->q));
    REAL->mul(out, a, b, n, m);
    assert(below(out, n, m->q));
}

static void ENTRY(muladd)(uint64_t *acc, const uint64_t *a, const uint64_t *b, size_t n, const struct ck_mod *m)
{
    assert(below(acc, n, m->q) && below(a, n, m->q) && below(b, n, m->q));
    REAL->muladd(acc, a, b, n, m);
    assert(below(acc, n, m->q));
}

static void ENTRY(mulc)(uint64_t *out, const uint64_t *a, const struct ck_shoup *c, size_t n, const struct ck_mod *m)
{
    assert(c->w < m->q && below(a, n, m->q));
    REAL->mulc(out, a, c, n, m);
    assert(below(out, n, m->q));
}

static void ENTRY(muladdc)(uint64_t *acc, const uint64_t *a, const struct ck_shoup *c, size_t n, const struct ck_mod *m)
{
    assert(c->w < m->q && below(acc, n, m->q) && below(a, n, m->q));
    REAL->muladdc(acc, a, c, n, m);
    assert(below(acc, n, m->q));
}

static void ENTRY(addc)(uint64_t *out, const uint64_t *a, uint64_t c, size_t n, const struct ck_mod *m)
{
    assert(c < m->q && below(a, n, m->q));
    REAL->addc(out, a, c, n, m);
    assert(below(out, n, m->q));
}

static void ENTRY(submulc)(uint64_t *out, const uint64_t *a, const uint64_t *b, const struct ck_shoup *c, size_t n, const struct ck_mod *m)
{
    assert(c->w < m->q && below(a, n, m->q) && below(b, n, m->q));
    REAL->submulc(out, a, b, c, n, m);
    assert(below(out, n, m->q));
}

static void ENTRY(inner2)(uint64_t *out0, uint64_t *out1, const uint64_t *const *a, const uint64_t *const *k0, const uint64_t *const *k1, uint32_t d,
                          size_t n, const struct ck_mod *m)
{
    assert(all_below(a, d, n, m->q) && all_below(k0, d, n, LAZY * m->q) && all_below(k1, d, n, LAZY * m->q));
    REAL->inner2(out0, out1, a, k0, k1, d, n, m);
    assert(below(out0, n, m->q) && below(out1, n, m->q));
}

static void ENTRY(inner2_half)(const struct ck_kernels *k, uint64_t *out0, uint64_t *out1, const uint64_t *const *a, const uint64_t *const *k0,
                               const uint64_t *const *k1, uint32_t d, size_t n, const struct ck_mod *m)
{
    assert(all_below(a, d, n / 2, m->q) && all_below(k0, d, n, LAZY * m->q) && all_below(k1, d, n, LAZY * m->q));
    REAL->inner2_half(k, out0, out1, a, k0, k1, d, n, m);
    assert(below(out0, n, m->q) && below(out1, n, m->q));
}

static void ENTRY(inner2_rows)(const struct ck_kernels *k, uint64_t *out0, uint64_t *out1, const uint64_t *const *a, uint32_t logm, uint32_t logn,
                               size_t at, const uint64_t *const *k0, const uint64_t *const *k1, uint32_t d, size_t n, const struct ck_mod *m)
{
    assert(all_below(a, d, (size_t)1 << logm, m->q) && all_below(k0, d, n, LAZY * m->q) && all_below(k1, d, n, LAZY * m->q));
    REAL->inner2_rows(k, out0, out1, a, logm, logn, at, k0, k1, d, n, m);
    assert(below(out0, n, m->q) && below(out1, n, m->q));
}

static void ENTRY(inner)(uint64_t *out, const uint64_t *const *a, const uint64_t *const *b, uint32_t d, size_t n, const struct ck_mod *m)
{
    assert(all_below(a, d, n, m->q) && all_below(b, d, n, m->q));
    REAL->inner(out, a, b, d, n, m);
    assert(below(out, n, m->q));
}

static void ENTRY(tensor)(uint64_t *const out[3], const uint64_t *const a[2], const uint64_t *const b[2], size_t n, const struct ck_mod *m)
{
    assert(all_below(a, 2, n, m->q) && all_below(b, 2, n, m->q));
    REAL->tensor(out, a, b, n, m);
    assert(all_below((const uint64_t *const *)out, 3, n, m->q));
}

static void ENTRY(from_i32)(uint64_t *out, const int32_t *c, uint32_t shift, size_t n, const struct ck_mod *m)
{
    for (size_t i = 0; i < n; i++) assert(c[i] > INT32_MIN);
    REAL->from_i32(out, c, shift, n, m);
    assert(below(out, n, m->q));
}

static void ENTRY(lift)(uint64_t *out, const uint64_t *a, size_t n, const struct ck_mod *to, const struct ck_mod *from)
{
    assert(below(a, n, from->q));
    REAL->lift(out, a, n, to, from);
    assert(below(out, n, to->q));
}

static void ENTRY(conv)(uint64_t *const *out, const uint64_t *const *in, size_t n, const struct ck_conv *t)
{
    for (uint32_t i = 0; i < t->nfrom; i++) assert(below(in[i], n, t->from[i].q));
    REAL->conv(out, in, n, t);
    for (uint32_t j = 0; j < t->nto; j++) assert(below(out[j], n, t->to[j].q));
}

static bool ENTRY(expand)(uint64_t *out, const uint8_t seed[32], uint32_t index, size_t start, size_t n, const struct ck_mod *m, const void *ahead)
{
    if (!REAL->expand(out, seed, index, start, n, m, ahead)) return false;
    assert(below(out, n, m->q));
    return true;
}

static bool ENTRY(inner_key)(const struct ck_kernels *k, uint64_t *out0, uint64_t *out1, const struct ck_key_row *row, size_t at, size_t n)
{
    const uint64_t q = row->mod->q, end = row->lazy && !row->add ? LAZY * q : q;
    if (row->add) assert(below(out0, n, q) && below(out1, n, q));
    for (uint32_t i = 0; !row->perm && i < row->d; i++) assert(below(row->x[i] + at, n, q));    // a permutation's sources are all over the limb
    if (!row->perm && row->raise) assert(below(row->raise + at, n, q));
    if (!REAL->inner_key(k, out0, out1, row, at, n)) return false;
    assert(below(out0, n, end) && below(out1, n, end));
    return true;
}

static struct ck_kernels NAMED(checked, LEVEL)(const struct ck_kernels *k)
{
    struct ck_kernels t = *k;
    *REAL = *k;
    t.ntt = ENTRY(ntt), t.intt = ENTRY(intt);
    t.ntt_columns = ENTRY(ntt_columns), t.ntt_block = ENTRY(ntt_block);
    t.intt_block = ENTRY(intt_block), t.intt_columns = ENTRY(intt_columns);
    t.add = ENTRY(add), t.sub = ENTRY(sub), t.neg = ENTRY(neg);
    t.mul = ENTRY(mul), t.muladd = ENTRY(muladd);
    t.mulc = ENTRY(mulc), t.muladdc = ENTRY(muladdc), t.addc = ENTRY(addc), t.submulc = ENTRY(submulc);
    t.inner2 = ENTRY(inner2), t.inner2_half = ENTRY(inner2_half), t.inner2_rows = ENTRY(inner2_rows);
    t.inner = ENTRY(inner), t.tensor = ENTRY(tensor);
    t.from_i32 = ENTRY(from_i32), t.lift = ENTRY(lift), t.conv = ENTRY(conv);
    t.expand = ENTRY(expand), t.inner_key = ENTRY(inner_key);
    return t;
}

#undef JOIN
#undef NAMED
#undef ENTRY
#undef REAL
#undef LEVEL
