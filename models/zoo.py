#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The networks of the published encrypted-inference zoo, with random weights, exported to ONNX for planning.

    models/zoo.py DIR [NAME ...] [--act relu|silu]      # default: all; writes DIR/NAME.onnx

What `tacet compile --no-build` needs of a network is its shape, so nothing is trained: weights are PyTorch's seeded initialisation, and
batch normalisation takes its statistics from one batch of noise, which keeps every value near unit size as in a trained network. Max pooling is
average pooling throughout, and the last pooling of the CIFAR networks is over what is left of the image.
"""
import argparse
import pathlib

import torch
from torch import nn

ACT = nn.ReLU


def conv(cin, cout, kernel=3, stride=1, groups=1):
    return [nn.Conv2d(cin, cout, kernel, stride, kernel // 2, groups=groups, bias=False), nn.BatchNorm2d(cout)]


class Residual(nn.Module):
    """y = act(body(x) + shortcut(x)); the shortcut is a 1x1 convolution where the shape changes."""

    def __init__(self, body, cin, cout, stride):
        super().__init__()
        self.body = nn.Sequential(*body)
        self.shortcut = nn.Sequential(*(conv(cin, cout, 1, stride) if stride != 1 or cin != cout else []))
        self.act = ACT()

    def forward(self, x):
        return self.act(self.body(x) + self.shortcut(x))


def basic(cin, width, stride):
    return Residual(conv(cin, width, 3, stride) + [ACT()] + conv(width, width), cin, width, stride)


def bottleneck(cin, width, stride):
    body = conv(cin, width, 1) + [ACT()] + conv(width, width, 3, stride) + [ACT()] + conv(width, 4 * width, 1)
    return Residual(body, cin, 4 * width, stride)


def stages(block, expansion, depths, width, stem):
    """The layers before the last pooling, and their channels."""
    layers, c = stem, width
    for stage, depth in enumerate(depths):
        for k in range(depth):
            layers.append(block(c, width << stage, 2 if stage and k == 0 else 1))
            c = expansion * (width << stage)
    return layers, c


def resnet(block, expansion, depths, width, classes, stem):
    layers, c = stages(block, expansion, depths, width, stem)
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(c, classes))


def resnet_cifar(depth):
    return resnet(basic, 1, [(depth - 2) // 6] * 3, 16, 10, conv(3, 16) + [ACT()])


def resnet_tiny():
    return resnet(basic, 1, [2, 2, 2, 2], 64, 200, conv(3, 64, 7) + [ACT()])


def imagenet_stem():
    return conv(3, 64, 7, 2) + [ACT(), nn.AvgPool2d(3, 2, 1)]


def resnet_imagenet(block, expansion, depths):
    return resnet(block, expansion, depths, 64, 1000, imagenet_stem())


def yolo_v1():
    """ResNet-34 without its head, four convolutions, two dense layers: a 7x7 grid of two boxes and 20 classes."""
    layers, c = stages(basic, 1, [3, 4, 6, 3], 64, imagenet_stem())
    for stride in (1, 2, 1, 1):
        layers += [nn.Conv2d(c, c, 3, stride, 1), ACT()]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(7 * 7 * c, 4096), ACT(), nn.Linear(4096, 7 * 7 * 30))


def vgg16():
    layers, c = [], 3
    for width, depth in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(depth):
            layers += conv(c, width) + [ACT()]
            c = width
        layers.append(nn.AvgPool2d(2))
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(512, 10))


def alexnet():
    layers = conv(3, 64, 3, 2) + [ACT(), nn.AvgPool2d(2)] + conv(64, 192) + [ACT(), nn.AvgPool2d(2)]
    for cin, cout in ((192, 384), (384, 256), (256, 256)):
        layers += conv(cin, cout) + [ACT()]
    layers += [nn.AdaptiveAvgPool2d(2), nn.Flatten()]
    for cin, cout in ((1024, 4096), (4096, 4096)):
        layers += [nn.Linear(cin, cout, bias=False), nn.BatchNorm1d(cout), ACT()]
    return nn.Sequential(*layers, nn.Linear(4096, 10))


def mobilenet():
    layers, c = conv(3, 32) + [ACT()], 32
    for cout, stride in ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1), (512, 1), (512, 1), (512, 1),
                         (512, 1), (1024, 2), (1024, 1)):
        layers += conv(c, c, 3, stride, c) + [ACT()] + conv(c, cout, 1) + [ACT()]
        c = cout
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(c, 10))


# name: (network, side of the image)
NETS = {
    "resnet20": (lambda: resnet_cifar(20), 32),
    "resnet32": (lambda: resnet_cifar(32), 32),
    "resnet44": (lambda: resnet_cifar(44), 32),
    "resnet56": (lambda: resnet_cifar(56), 32),
    "resnet110": (lambda: resnet_cifar(110), 32),
    "alexnet": (alexnet, 32),
    "vgg16": (vgg16, 32),
    "mobilenet": (mobilenet, 32),
    "resnet18_tiny": (resnet_tiny, 64),
    "resnet18": (lambda: resnet_imagenet(basic, 1, [2, 2, 2, 2]), 224),
    "resnet34": (lambda: resnet_imagenet(basic, 1, [3, 4, 6, 3]), 224),
    "resnet50": (lambda: resnet_imagenet(bottleneck, 4, [3, 4, 6, 3]), 224),
    "yolo": (yolo_v1, 448),
}


def export(name, path):
    torch.manual_seed(1)
    build, side = NETS[name]
    net = build()
    for m in net.modules():
        if isinstance(m, (nn.BatchNorm1d, nn.BatchNorm2d)):
            m.momentum = 1
    with torch.no_grad():
        net(torch.rand(8, 3, side, side) * 2 - 1)
    net.eval()
    torch.onnx.export(net, torch.zeros(1, 3, side, side), str(path), opset_version=13, input_names=["image"],
                      output_names=["logits"])
    print(f"{path}: {sum(p.numel() for p in net.parameters())} parameters")


def main():
    global ACT
    args = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    args.add_argument("dir", type=pathlib.Path)
    args.add_argument("name", nargs="*", choices=[[], *NETS])
    args.add_argument("--act", choices=["relu", "silu"], default="relu")
    args = args.parse_args()
    ACT = {"relu": nn.ReLU, "silu": nn.SiLU}[args.act]
    args.dir.mkdir(parents=True, exist_ok=True)
    for name in args.name or NETS:
        export(name, args.dir / f"{name}.onnx")


if __name__ == "__main__":
    main()
