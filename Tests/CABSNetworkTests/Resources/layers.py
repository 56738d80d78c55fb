#!/usr/bin/env python3
"""Writes layers.json: loss, gradient and the squared norm of each example's own gradient, in PyTorch, of a network of residual blocks.

usage: layers.py > layers.json      (with PyTorch; made with 2.15, in float64)

Everything follows from formulas, which PyTorchTests.swift has too: value i of parameter k is sin(0.7 i + k) / sqrt(max(fan in, 4)), with 1
added for the scales of normalisations; pixel j of example i is sin(0.3 i + 0.11 j + 0.01 i j), its class is i % 3.
"""
import json, torch
from torch import nn

torch.set_default_dtype(torch.float64)


class Residual(nn.Module):
    def __init__(self, layers, shortcut=nn.Identity()):
        super().__init__()
        self.layers, self.shortcut = layers, shortcut

    def forward(self, x):
        return self.layers(x) + self.shortcut(x)


class GlobalAverage(nn.Module):
    def forward(self, x):
        return x.mean((2, 3))


def conv(inputs, outputs, size, stride=1, groups=1):
    return nn.Conv2d(inputs, outputs, size, stride, size // 2, groups=groups, bias=False)


model = nn.Sequential(
    conv(3, 8, 3), nn.GroupNorm(2, 8), nn.SiLU(),
    Residual(nn.Sequential(conv(8, 8, 3), nn.GroupNorm(4, 8), nn.GELU(), conv(8, 8, 3), nn.GroupNorm(1, 8))), nn.LeakyReLU(0.1),
    Residual(nn.Sequential(conv(8, 16, 3, 2), nn.GroupNorm(2, 16), nn.ReLU(), Residual(conv(16, 16, 3))),
             nn.Sequential(conv(8, 16, 1, 2), nn.GroupNorm(4, 16))), nn.ReLU(),
    conv(16, 16, 3, groups=16), conv(16, 16, 3, groups=4), nn.LayerNorm([16, 5, 5]),
    GlobalAverage(), nn.Linear(16, 12), nn.LayerNorm(12), Residual(nn.Sequential(nn.Linear(12, 12), nn.GELU())), nn.Linear(12, 3))
norms = {id(m.weight) for m in model.modules() if isinstance(m, (nn.GroupNorm, nn.LayerNorm))}
for k, parameter in enumerate(model.parameters()):
    count = parameter.numel()
    values = torch.sin(0.7 * torch.arange(count) + k) / max(count // parameter.shape[0], 4) ** 0.5
    parameter.data = (values.reshape(parameter.shape) + (id(parameter) in norms)).float().double()
inputs = torch.tensor([[torch.sin(torch.tensor(0.3 * i + 0.11 * j + 0.01 * i * j)) for j in range(243)]
                       for i in range(10)]).float().double().reshape(10, 3, 9, 9)
classes = torch.arange(10) % 3
examples, total = [], [torch.zeros_like(p) for p in model.parameters()]
for i in range(10):
    model.zero_grad()
    loss = nn.functional.cross_entropy(model(inputs[i:i + 1]), classes[i:i + 1])
    loss.backward()
    examples.append({"loss": loss.item(), "squared_norm": sum(p.grad.square().sum().item() for p in model.parameters())})
    total = [t + p.grad / 10 for t, p in zip(total, model.parameters())]
print(json.dumps({"examples": examples, "gradient": [t.flatten().tolist()[:: max(1, t.numel() // 30)] for t in total],
                  "gradient_squared_norms": [t.square().sum().item() for t in total]}))
