// SPDX-License-Identifier: Apache-2.0
// plan.json: what `tacet inspect` and scripts read.
#include "../compiler/json.h"
#include "emit.h"

static void shape(FILE *f, const struct ir_attr *attrs)
{
    const struct ir_attr *s = ir_attr_find(attrs, "shape");
    fprintf(f, "\"shape\": [");
    for (size_t k = 0; s && s->kind == IR_INTS && k < s->ints.n; k++) fprintf(f, "%s%lld", k ? ", " : "", (long long)s->ints.v[k]);
    fprintf(f, "]");
}

static void port(FILE *f, const struct ir_inst *i, const struct ir_attr *attrs, bool last)
{
    fprintf(f, "    {\"name\": ");
    json_write_string(f, ir_get_string(attrs, "name", ""));
    fprintf(f, ", ");
    shape(f, attrs);
    fprintf(f, ", \"layout\": ");
    json_write_string(f, ir_get_string(attrs, "layout", ""));
    fprintf(f, ", \"ciphertexts\": %u, \"level\": %d, \"scale\": %.17g", i->type.count, i->type.level, i->type.scale);
    if (ir_get_string(attrs, "post", NULL)) {
        fprintf(f, ", \"client\": ");
        json_write_string(f, ir_get_string(attrs, "post", ""));
    }
    fprintf(f, "}%s\n", last ? "" : ",");
}

static void numbers(FILE *f, const struct counts *c)
{
    const struct { const char *name; uint64_t n; } v[] = {
        {"rotations", c->rotations}, {"plaintext_products", c->pt_products}, {"ciphertext_products", c->ct_products},
        {"additions", c->additions}, {"rescales", c->rescales},              {"bootstraps", c->bootstraps},
        {"operations", c->rotations + c->pt_products + c->ct_products + c->additions},
    };
    for (size_t k = 0; k < sizeof v / sizeof *v; k++) fprintf(f, "\"%s\": %llu, ", v[k].name, (unsigned long long)v[k].n);
    fprintf(f, "\"microseconds\": %.0f", c->us);
}

/* A value without a layout of its own, such as a series, has its operand's. */
static const char *layout_of(const struct ir_inst *i)
{
    while (!ir_attr_find(i->attrs, "layout") && i->nargs) i = i->args[0];
    return ir_get_string(i->attrs, "layout", "");
}

static void layer(FILE *f, const struct step *s, const struct ir_type *in, bool last)
{
    const struct ir_type *t = &s->result->inst->type;
    fprintf(f, "    {\"node\": ");
    json_write_string(f, s->node);
    fprintf(f, ", \"operator\": ");
    json_write_string(f, s->what);
    fprintf(f, ", \"part\": \"%s\", \"shape\": [", s->part);
    for (uint32_t k = 0; s->shape && k < s->shape->rank; k++) fprintf(f, "%s%lld", k ? ", " : "", (long long)s->shape->dim[k]);
    fprintf(f, "], \"layout\": ");
    json_write_string(f, layout_of(s->result->inst));
    fprintf(f, ", \"value\": %u, \"ciphertexts\": %u, \"degree\": %u, \"level_in\": %d, \"level_out\": %d, ", s->result->inst->id,
            t->count, t->degree, in->level, t->level);
    numbers(f, &s->counts);
    fprintf(f, "}%s\n", last ? "" : ",");
}

static void primes(FILE *f, const char *name, const uint64_t *v, uint32_t n)
{
    fprintf(f, "\"%s\": [", name);
    for (uint32_t k = 0; k < n; k++) fprintf(f, "%s%llu", k ? ", " : "", (unsigned long long)v[k]);
    fprintf(f, "]");
}

/* What one bootstrap leaves and costs. */
static void bootstrap(FILE *f, const struct program *p)
{
    if (!p->boot.nstc) return;
    fprintf(f, ",\n  \"bootstrap\": {\"levels_left\": %u, \"levels_used\": %u, \"microseconds\": %.0f, \"key_bytes\": %.0f, "
               "\"plain_bytes\": %.0f}", p->boot.top - ck_boot_depth(&p->boot), ck_boot_depth(&p->boot),
            ck_cost_boot(&p->opt->cost, &p->params, &p->boot), ck_boot_key_bytes(&p->params, &p->boot),
            ck_boot_plain_bytes(&p->params, &p->boot));
}

void emit_plan(FILE *f, const struct program *p)
{
    const struct ck_params *k = &p->params;
    struct counts total = program_total(p);
    fprintf(f, "{\n  \"tacet\": ");
    json_write_string(f, p->opt->version);
    fprintf(f, ",\n  \"model\": ");
    json_write_string(f, p->opt->source);
    fprintf(f, ",\n  \"batch\": %lld", (long long)ir_batch(p->m));
    fprintf(f, ",\n  \"parameters\": {\"logn\": %u, \"log_slots\": %u, \"nq\": %u, \"np\": %u, \"alpha\": %u, \"log_qp\": %.2f, "
               "\"log_qp_limit\": %u, \"security\": %u, \"precision\": %.2f,\n    ",
            k->logn, k->log_slots, k->nq, k->np, k->alpha, ck_params_logqp(k), ck_security_max_logqp(k->logn), k->security,
            ir_get_float(p->m->attrs, "precision", 0));
    primes(f, "q", k->q, k->nq);
    fprintf(f, ",\n    ");
    primes(f, "p", k->p, k->np);
    fprintf(f, ",\n    \"classes\": [");       // gadgets: limbs of the highest keys, limbs a digit, special primes
    for (uint32_t i = 0; i < k->nclass; i++)
        fprintf(f, "%s[%u, %u, %u]", i ? ", " : "", k->classes[i].limbs, k->classes[i].alpha, k->classes[i].np);
    fprintf(f, "]}");
    bootstrap(f, p);
    fprintf(f, ",\n  \"inputs\": [\n");
    for (uint32_t i = 0; i < p->nin; i++) port(f, p->in[i], p->in[i]->attrs, i + 1 == p->nin);
    fprintf(f, "  ],\n  \"outputs\": [\n");
    for (uint32_t i = 0; i < p->m->noutputs; i++) port(f, p->m->outputs[i], p->m->output_attrs[i], i + 1 == p->m->noutputs);
    fprintf(f, "  ],\n  \"layers\": [\n");
    for (size_t s = 0; s < p->nsteps; s++)
        layer(f, &p->steps[s], &p->ops[p->steps[s].first].inst->args[0]->type, s + 1 == p->nsteps);
    fprintf(f, "  ],\n  \"totals\": {");
    numbers(f, &total);
    fprintf(f, ",\n    \"keys\": %zu, \"key_bytes\": %.0f, \"composed\": %zu, \"key_microseconds\": %.0f, \"weights_bytes\": %llu, "
               "\"peak_bytes\": %.0f, \"threads\": %d},\n", p->nkeys, p->key_bytes, p->nroutes, p->key_us,
            (unsigned long long)p->weights_bytes, p->peak_bytes, p->opt->threads);
    fprintf(f, "  \"keys\": [");
    for (size_t i = 0; i < p->nkeys; i++)
        fprintf(f, "%s{\"rotation\": %d, \"level\": %u}", !i ? "\n    " : i % 4 ? ", " : ",\n    ", p->keys[i].rotation, p->keys[i].level);
    fprintf(f, "\n  ],\n  \"routes\": [");
    for (size_t i = 0; i < p->nroutes; i++)
        fprintf(f, "%s{\"rotation\": %d, \"level\": %u, \"step\": %d}", !i ? "\n    " : i % 4 ? ", " : ",\n    ", p->routes[i].rotation,
                p->routes[i].level, p->routes[i].step);
    fprintf(f, "\n  ]\n}\n");
}
