// SPDX-License-Identifier: Apache-2.0
// Softmax, LogSoftmax and ArgMax at the end of a network: the client computes them from the decrypted output.

#include "load.h"
#include "../compiler/diag.h"
#include <string.h>

/* Nothing but Identity and Dropout may follow; what those feed is checked when it arrives there as their input. */
static int trailing(struct node *n)
{
    struct val *v = n->nout ? n->out[0] : NULL;
    struct shape s;
    in_shape(n, 0, &s);
    if (n->in[0]->post.fn)
        return node_error(n, "follows another operator that is left to the client");
    if (!v || v->uses != v->identity_uses || (!v->uses && !v->is_output))
        return node_error(n, "operator not supported inside a network, on input %s; %s", shape_print(n->ld->arena, &s), n->row->note);
    return 0;
}

static int leave_to_client(struct node *n, struct post post)
{
    if (out_alias(n, 0, 0))
        return -1;
    n->out[0]->post = post;
    diag_note("node \"%s\" (%s): left to the client, after decryption", n->name, n->op);
    return 0;
}

int op_softmax(struct node *n)
{
    struct ir_inst *x;
    uint32_t axis;
    if (in_need_inst(n, 0, &x) || trailing(n))
        return -1;
    struct post post = {.fn = strcmp(n->op, "Softmax") ? "logsoftmax" : "softmax", .shape = inst_shape(x)};
    if (shape_axis(n, attr_int(n, "axis", n->ld->opset < 13 ? 1 : -1), post.shape.rank, &axis))
        return -1;
    do
        post.axis[post.naxes++] = axis++;
    while (n->ld->opset < 13 && axis < post.shape.rank);        // once it meant all axes from there on
    return leave_to_client(n, post);
}

int op_argmax(struct node *n)
{
    struct ir_inst *x;
    uint32_t axis;
    if (in_need_inst(n, 0, &x) || trailing(n))
        return -1;
    if (attr_int(n, "select_last_index", 0))
        return node_error(n, "select_last_index is not supported");
    struct shape s = inst_shape(x);
    if (shape_axis(n, attr_int(n, "axis", 0), s.rank, &axis))
        return -1;
    struct post post = {.fn = "argmax", .naxes = 1, .axis = {axis}};
    bool keep = attr_int(n, "keepdims", 1) != 0;
    for (uint32_t i = 0; i < s.rank; i++)
        if (i != axis || keep)
            post.shape.dim[post.shape.rank++] = i == axis ? 1 : s.dim[i];
    return leave_to_client(n, post);
}
