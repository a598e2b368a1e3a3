#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Train the bundled Fashion-MNIST networks and export them to ONNX.

    models/train.py [NAME ...]          # default: all; CPU, a few minutes each

Needs Debian's python3-torch and dataset-fashion-mnist. Writes beside this file, per network:
    NAME.onnx           batch 1, input [1,1,28,28] in 0..1, opset 13
    NAME.json           accuracy on the full test set, epochs, seed
    NAME.logits.npy     torch's logits on the sample images
and, shared by all of them:
    fashion.x.npy       100 test images (the first ten of each class), float32, 0..1
    fashion.y.npy       their labels, int64
    fashion.calib.npy   256 training images for calibration, float32, 0..1
"""
import gzip
import json
import pathlib
import sys

import numpy as np
import torch
from torch import nn

HERE = pathlib.Path(__file__).resolve().parent
DATA = pathlib.Path("/usr/share/datasets/fashion-mnist")


class Square(nn.Module):
    def forward(self, x):
        return x * x


def mlp():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 128), Square(), nn.Linear(128, 128), Square(), nn.Linear(128, 10))


def cryptonets():
    """CryptoNets in the form of LoLA: one convolution, two dense layers, two squares."""
    return nn.Sequential(nn.ConstantPad2d((0, 1, 0, 1), 0.0), nn.Conv2d(1, 5, 5, stride=2), Square(), nn.Flatten(),
                         nn.Linear(5 * 13 * 13, 100), Square(), nn.Linear(100, 10))


def lenet5(act):
    return nn.Sequential(nn.Conv2d(1, 6, 5, padding=2), act(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 5), act(),
                         nn.AvgPool2d(2), nn.Flatten(), nn.Linear(400, 120), act(), nn.Linear(120, 84), act(),
                         nn.Linear(84, 10))


# name: (network, epochs, learning rate)
NETS = {
    "mlp_square": (mlp, 15, 1e-3),
    "cryptonets_square": (cryptonets, 15, 1e-3),
    "lenet5_square": (lambda: lenet5(Square), 12, 1e-3),
    "lenet5_relu": (lambda: lenet5(nn.ReLU), 12, 1e-3),
}


def idx(name):
    raw = gzip.open(DATA / name, "rb").read()
    shape = [int.from_bytes(raw[4 + 4 * i:8 + 4 * i], "big") for i in range(raw[3])]
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape(shape)


def load(part):
    x = idx(f"{part}-images-idx3-ubyte.gz")[:, None].astype(np.float32) / np.float32(255)
    y = idx(f"{part}-labels-idx1-ubyte.gz").astype(np.int64)
    return x, y


def samples(x, y):
    pick = np.sort(np.concatenate([np.flatnonzero(y == c)[:10] for c in range(10)]))
    return x[pick], y[pick]


def train(name, xt, yt, xv, yv):
    make, epochs, lr = NETS[name]
    torch.manual_seed(1)
    net = make()
    for m in net:       # squares: start small, so that the fourth powers do not run away
        if isinstance(m, (nn.Linear, nn.Conv2d)) and "square" in name:
            nn.init.xavier_normal_(m.weight, 0.5)
    opt = torch.optim.Adam(net.parameters(), lr, weight_decay=1e-5)
    batch, steps = 128, len(xt) // 128
    sched = torch.optim.lr_scheduler.OneCycleLR(opt, 3 * lr, total_steps=epochs * steps)
    for epoch in range(epochs):
        order = torch.randperm(len(xt))
        total = 0.0
        for s in range(steps):
            i = order[s * batch:(s + 1) * batch]
            xb = torch.flip(xt[i], [3]) if s % 2 else xt[i]     # clothes are nearly symmetric
            loss = nn.functional.cross_entropy(net(xb), yt[i])
            opt.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            opt.step()
            sched.step()
            total += loss.item()
        with torch.no_grad():
            acc = (net(xv).argmax(1) == yv).float().mean().item()
        print(f"{name} epoch {epoch + 1}/{epochs} loss {total / steps:.4f} test {100 * acc:.2f} %", flush=True)
    return net.eval(), acc


def main():
    names = sys.argv[1:] or list(NETS)
    for n in names:
        if n not in NETS:
            sys.exit(f"train.py: no network '{n}'; there are: {', '.join(NETS)}")
    (xt, yt), (xv, yv) = load("train"), load("t10k")
    sx, sy = samples(xv, yv)
    np.save(HERE / "fashion.x.npy", sx)
    np.save(HERE / "fashion.y.npy", sy)
    np.save(HERE / "fashion.calib.npy", xt[:256])
    xt, yt, xv, yv = map(torch.from_numpy, (xt, yt, xv, yv))
    for name in names:
        net, acc = train(name, xt, yt, xv, yv)
        with torch.no_grad():
            logits = net(torch.from_numpy(sx)).numpy()
        np.save(HERE / f"{name}.logits.npy", logits)
        torch.onnx.export(net, torch.zeros(1, 1, 28, 28), str(HERE / f"{name}.onnx"), opset_version=13,
                          input_names=["image"], output_names=["logits"])
        info = {"accuracy": round(acc, 4), "data": "Fashion-MNIST", "epochs": NETS[name][1], "input": "0..1", "seed": 1,
                "sample_accuracy": float((logits.argmax(1) == sy).mean())}
        (HERE / f"{name}.json").write_text(json.dumps(info, indent=2, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
