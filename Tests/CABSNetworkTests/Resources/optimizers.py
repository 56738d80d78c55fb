#!/usr/bin/env python3
"""Writes optimizers.json: what PyTorch's own optimisers make of a small network in 200 steps.

usage: optimizers.py > optimizers.json      (with PyTorch; made with 2.15)

Everything follows from formulas, which OptimizerTests.swift has too: value i of parameter k is scale(k) * sin(0.7 i + k), pixel j of
example i is sin(0.3 i + 0.11 j + 0.01 i j), its class is i % 3, and step s takes examples 8 s to 8 s + 7 of 40, in turns.
"""
import json, torch

torch.set_num_threads(1)
inputs = torch.tensor([[torch.sin(torch.tensor(0.3 * i + 0.11 * j + 0.01 * i * j, dtype=torch.float64)) for j in range(81)]
                       for i in range(40)], dtype=torch.float32).reshape(40, 1, 9, 9)
classes = torch.arange(40) % 3


def network():
    model = torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3, padding=1), torch.nn.Tanh(), torch.nn.Flatten(), torch.nn.Linear(324, 400), torch.nn.Tanh(),
        torch.nn.Linear(400, 3))
    for k, parameter in enumerate(model.parameters()):
        count = parameter.numel()
        fan_in = count // parameter.shape[0]
        values = torch.sin(0.7 * torch.arange(count, dtype=torch.float64) + k) / max(fan_in, 4) ** 0.5
        parameter.data = values.reshape(parameter.shape).to(torch.float32)
    return model


methods = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.05, weight_decay=0.01),
    "momentum": lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9, weight_decay=0.01),
    "nesterov": lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9, nesterov=True, weight_decay=0.01),
    "adam": lambda p: torch.optim.Adam(p, lr=0.0005, weight_decay=0.01),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.0005, weight_decay=0.05),
}
names = ["conv1.weight", "conv1.bias", "dense1.weight", "dense1.bias", "dense2.weight", "dense2.bias"]
result = {}
for method, make in methods.items():
    model = network()
    optimizer = make(model.parameters())
    for step in range(200):
        examples = [(8 * step + i) % 40 for i in range(8)]
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(inputs[examples]), classes[examples]).backward()
        optimizer.step()
    # Some of the values, and the norm of all.
    result[method] = {
        name: {"norm": parameter.double().norm().item(), "values": parameter.detach().flatten()[:: max(1, parameter.numel() // 40)].tolist()}
        for name, parameter in zip(names, model.parameters())}
print(json.dumps(result))
