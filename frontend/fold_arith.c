// SPDX-License-Identifier: Apache-2.0
// Constant folding, part two: arithmetic, comparisons, reductions and products of constants. Integers are exact and wrap as their type does.

#include "load.h"
#include <math.h>
#include <string.h>

enum arith { ADD, SUB, MUL, DIV, MOD, POW, MAX, MIN, AND, OR, XOR, EQ, GT, GE, LT, LE, ARITH_COUNT };
static const char *const arith_name[ARITH_COUNT] = {"Add", "Sub", "Mul", "Div", "Mod", "Pow", "Max", "Min", "And", "Or", "Xor", "Equal",
                                                    "Greater", "GreaterOrEqual", "Less", "LessOrEqual"};

/* false: division by zero. */
static bool int_op(enum arith op, int64_t a, int64_t b, bool fmod_mode, int64_t *r)
{
    uint64_t ua = (uint64_t)a, ub = (uint64_t)b;
    if ((op == DIV || op == MOD) && b == 0)
        return false;
    switch (op) {
    case ADD: *r = (int64_t)(ua + ub); break;
    case SUB: *r = (int64_t)(ua - ub); break;
    case MUL: *r = (int64_t)(ua * ub); break;
    case DIV: *r = b == -1 ? (int64_t)(0 - ua) : a / b; break;
    case MOD: *r = b == -1 ? 0 : a % b; if (*r && !fmod_mode && (*r < 0) != (b < 0)) *r += b; break;
    case POW: *r = (int64_t)fmax(fmin(pow((double)a, (double)b), 0x1p62), -0x1p62); break;
    case MAX: *r = a > b ? a : b; break;
    case MIN: *r = a < b ? a : b; break;
    case AND: *r = a && b; break;
    case OR: *r = a || b; break;
    case XOR: *r = !a != !b; break;
    case EQ: *r = a == b; break;
    case GT: *r = a > b; break;
    case GE: *r = a >= b; break;
    case LT: *r = a < b; break;
    default: *r = a <= b; break;
    }
    return true;
}

static double float_op(enum arith op, double a, double b)
{
    switch (op) {
    case ADD: return a + b;
    case SUB: return a - b;
    case MUL: return a * b;
    case DIV: return a / b;
    case MOD: return fmod(a, b);
    case POW: return pow(a, b);
    case MAX: return a > b ? a : b;
    case MIN: return a < b ? a : b;
    case AND: return a != 0 && b != 0;
    case OR: return a != 0 || b != 0;
    case XOR: return (a != 0) != (b != 0);
    case EQ: return a == b;
    case GT: return a > b;
    case GE: return a >= b;
    case LT: return a < b;
    default: return a <= b;
    }
}

static void store(struct ctensor *d, int64_t k, double v)
{
    if (d->is_int)
        d->i[k] = type_wrap(d->type, v >= 0x1p62 ? (int64_t)1 << 62 : v <= -0x1p62 ? -((int64_t)1 << 62) : v == v ? (int64_t)v : 0);
    else
        d->f[k] = d->type == DT(FLOAT) ? (double)(float)v : v;
}

static struct ctensor *binary(struct node *n, enum arith op, const struct ctensor *a, const struct ctensor *b)
{
    struct shape out;
    if (shape_broadcast(n, &a->s, &b->s, &out))
        return NULL;
    struct ctensor *d = const_new(n, op >= AND ? DT(BOOL) : a->type, &out);
    int64_t sa[IR_MAX_RANK], sb[IR_MAX_RANK];
    shape_strides(&a->s, &out, sa);
    shape_strides(&b->s, &out, sb);
    bool exact = a->is_int && b->is_int, fmod_mode = attr_int(n, "fmod", 0) != 0;
    for (int64_t k = 0; d && k < d->numel; k++) {
        int64_t rest = k, ia = 0, ib = 0, r;
        for (uint32_t i = out.rank; i-- > 0; rest /= out.dim[i]) {
            ia += rest % out.dim[i] * sa[i];
            ib += rest % out.dim[i] * sb[i];
        }
        if (!exact) {
            store(d, k, float_op(op, const_at(a, ia), const_at(b, ib)));
        } else if (int_op(op, a->i[ia], b->i[ib], fmod_mode, &r)) {
            d->i[k] = type_wrap(d->type, r);
        } else {
            node_error(n, "integer division by zero");
            return NULL;
        }
    }
    return d;
}

/* The operands one after another. */
static int fold_all(struct node *n, enum arith op)
{
    struct ctensor *acc = NULL;
    for (size_t i = 0; i < n->nin; i++) {
        const struct ctensor *c;
        if (in_need_const(n, i, "operand", &c))
            return -1;
        if (i == 0) {
            acc = ARENA_NEW(n->ld->arena, struct ctensor);
            *acc = *c;
        } else if (!(acc = binary(n, op, acc, c))) {
            return -1;
        }
    }
    return acc ? out_const(n, 0, acc) : node_error(n, "no input");
}

/* Two operands; Max and Min take any number. */
int fold_binary(struct node *n)
{
    enum arith op = 0;
    while (op < ARITH_COUNT && strcmp(arith_name[op], n->op))
        op++;
    bool many = op == MAX || op == MIN;
    if (op == ARITH_COUNT || n->nin < 1 || (!many && n->nin != 2))
        return node_error(n, "%zu inputs", n->nin);
    return fold_all(n, op);
}

int fold_sum(struct node *n)
{
    return fold_all(n, ADD);
}

int fold_unary(struct node *n)
{
    const struct ctensor *c;
    if (in_need_const(n, 0, "operand", &c))
        return -1;
    struct ctensor *d = const_new(n, strcmp(n->op, "Not") ? c->type : DT(BOOL), &c->s);
    for (int64_t i = 0; d && i < c->numel; i++) {
        double v = const_at(c, i);
        const char *op = n->op;
        if (c->is_int && (!strcmp(op, "Neg") || (!strcmp(op, "Abs") && v < 0))) {
            d->i[i] = type_wrap(d->type, (int64_t)(0 - (uint64_t)c->i[i]));
            continue;
        }
        store(d, i, !strcmp(op, "Abs") ? fabs(v) : !strcmp(op, "Neg") ? -v : !strcmp(op, "Ceil") ? ceil(v) : !strcmp(op, "Floor") ?
              floor(v) : !strcmp(op, "Sqrt") ? sqrt(v) : !strcmp(op, "Reciprocal") ? 1 / v : !strcmp(op, "Exp") ? exp(v) :
              !strcmp(op, "Log") ? log(v) : !strcmp(op, "Relu") ? fmax(v, 0) : !strcmp(op, "Sigmoid") ? 1 / (1 + exp(-v)) :
              !strcmp(op, "Tanh") ? tanh(v) : v == 0);
    }
    return out_const(n, 0, d);
}

int fold_reduce(struct node *n)
{
    const struct ctensor *c;
    struct ints axes;
    bool mark[IR_MAX_RANK];
    if (in_need_const(n, 0, "data", &c) || in_ints(n, "axes", 1, &axes) || shape_axes(n, &axes, c->s.rank, mark))
        return -1;
    if (!axes.n && attr_int(n, "noop_with_empty_axes", 0))
        return out_alias(n, 0, 0);
    struct shape kept = c->s, out = {0};
    int64_t group = 1, stride[IR_MAX_RANK];
    for (uint32_t i = 0; i < kept.rank; i++) {
        bool gone = mark[i] || !axes.n;
        group *= gone ? kept.dim[i] : 1;
        kept.dim[i] = gone ? 1 : kept.dim[i];
        if (!gone || attr_int(n, "keepdims", 1))
            out.dim[out.rank++] = kept.dim[i];
    }
    struct ctensor *d = const_new(n, c->type, &out);
    if (!d)
        return -1;
    bool prod = !strcmp(n->op, "ReduceProd"), max = !strcmp(n->op, "ReduceMax"), min = !strcmp(n->op, "ReduceMin");
    double *acc = ARENA_ARRAY(n->ld->arena, double, d->numel ? d->numel : 1);
    for (int64_t k = 0; k < d->numel; k++)
        acc[k] = prod ? 1 : max ? -INFINITY : min ? INFINITY : 0;
    shape_strides(&kept, &c->s, stride);
    for (int64_t k = 0; k < c->numel; k++) {
        int64_t rest = k, at = 0;
        for (uint32_t i = c->s.rank; i-- > 0; rest /= c->s.dim[i])
            at += rest % c->s.dim[i] * stride[i];
        double v = const_at(c, k);
        acc[at] = prod ? acc[at] * v : max ? fmax(acc[at], v) : min ? fmin(acc[at], v) : acc[at] + v;
    }
    for (int64_t k = 0; k < d->numel; k++)
        store(d, k, strcmp(n->op, "ReduceMean") ? acc[k] : acc[k] / (double)group);
    return out_const(n, 0, d);
}

/* Matrices only. */
int fold_matmul(struct node *n)
{
    const struct ctensor *a, *b;
    if (in_need_const(n, 0, "operand", &a) || in_need_const(n, 1, "operand", &b))
        return -1;
    if (a->s.rank != 2 || b->s.rank != 2 || a->s.dim[1] != b->s.dim[0])
        return node_error(n, "a product of constants %s and %s; fold the model's constants first", shape_print(n->ld->arena, &a->s),
                          shape_print(n->ld->arena, &b->s));
    struct shape out = {.rank = 2, .dim = {a->s.dim[0], b->s.dim[1]}};
    int64_t inner = a->s.dim[1], work;
    if (__builtin_mul_overflow(shape_numel(&out), inner, &work) || work > (int64_t)1 << 32)
        return node_error(n, "a product of constants too large to compute while loading");
    struct ctensor *d = const_new(n, a->type, &out);
    for (int64_t i = 0; d && i < out.dim[0]; i++)
        for (int64_t j = 0; j < out.dim[1]; j++) {
            double acc = 0;
            for (int64_t k = 0; k < inner; k++)
                acc += const_at(a, i * inner + k) * const_at(b, k * out.dim[1] + j);
            store(d, i * out.dim[1] + j, acc);
        }
    return out_const(n, 0, d);
}
