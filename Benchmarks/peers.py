#!/usr/bin/env python3
"""Peers of the CABS training step, timed on the same work as ours.

One step = forward, backward and SGD update of one batch of random images, on CPU, with as many
threads as there are cores. Prints one JSON object a line, in the shape that `cabs bench --json`
prints: peer, model, batch_size, milliseconds_per_step (median), examples_per_second,
peak_memory_bytes (of this process so far; run one mode and one batch size to read it cleanly).

    python3 -m venv peers-venv && peers-venv/bin/pip install torch backpack-for-pytorch opacus
    peers-venv/bin/python peers.py sgd --models cifar10-2conv-3dense --batch-sizes 16,64,256,1024

modes
    sgd               PyTorch, plain step, no gradient statistics: the better of contiguous and channels_last
    sum-grad-squared  PyTorch + BackPACK SumGradSquared: exact second moment of the per-example gradients
    batch-l2          PyTorch + BackPACK BatchL2Grad: exact per-example squared gradient norms
    vmap              torch.func vmap(grad): materialised per-example gradients
"""
import argparse, json, os, resource, time
import torch
from torch import nn


def networks():
    def cifar10():
        return nn.Sequential(
            nn.Conv2d(3, 64, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2, 1),
            nn.Conv2d(64, 64, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2, 1), nn.Flatten(),
            nn.Linear(2304, 384), nn.ReLU(), nn.Linear(384, 192), nn.ReLU(), nn.Linear(192, 10))

    def mnist():
        return nn.Sequential(
            nn.Conv2d(1, 32, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(32, 64, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
            nn.Linear(3136, 1024), nn.ReLU(), nn.Linear(1024, 10))

    def deep():
        layers, channels = [], 3
        for block in [64], [128], [256, 256], [512, 512], [512, 512]:
            for filters in block:
                layers += [nn.Conv2d(channels, filters, 3, padding=1), nn.ReLU()]
                channels = filters
            layers.append(nn.MaxPool2d(2))
        return nn.Sequential(*layers, nn.Flatten(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10))

    def mlp():
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))

    def logistic_regression():
        return nn.Sequential(nn.Flatten(), nn.Linear(784, 10))

    return {"cifar10-2conv-3dense": (cifar10, (3, 24, 24)), "mnist-2conv-2dense": (mnist, (1, 28, 28)),
            "cifar10-8conv-2dense": (deep, (3, 32, 32)), "mlp": (mlp, (1, 8, 8)),
            "logistic-regression": (logistic_regression, (1, 28, 28))}


def median_seconds(step, repeats):
    step()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return sorted(times)[len(times) // 2]


def plain_step(make, shape, m, channels_last):
    net, loss = make(), nn.CrossEntropyLoss()
    x, y = torch.randn(m, *shape), torch.randint(0, 10, (m,))
    if channels_last:
        net, x = net.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss(net(x), y).backward()
        optimizer.step()

    return step


def backpack_step(make, shape, m, extension):
    from backpack import backpack, extend
    net, loss = extend(make()), extend(nn.CrossEntropyLoss())
    x, y = torch.randn(m, *shape), torch.randint(0, 10, (m,))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)

    def step():
        optimizer.zero_grad(set_to_none=True)
        with backpack(extension()):
            loss(net(x), y).backward()
        optimizer.step()

    return step


def vmap_step(make, shape, m):
    from torch.func import functional_call, grad, vmap
    net = make()
    parameters = {k: v.detach() for k, v in net.named_parameters()}
    x, y = torch.randn(m, *shape), torch.randint(0, 10, (m,))

    def example_loss(p, x, y):
        return nn.functional.cross_entropy(functional_call(net, p, (x[None],)), y[None])

    per_example = vmap(grad(example_loss), in_dims=(None, 0, 0))

    def step():
        gradients = per_example(parameters, x, y)
        sum((g.flatten(1) ** 2).sum(1) for g in gradients.values())
        for k, g in gradients.items():
            parameters[k] -= 0.01 * g.mean(0)

    return step


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mode", choices=["sgd", "sum-grad-squared", "batch-l2", "vmap"])
    parser.add_argument("--models", default="cifar10-2conv-3dense,mnist-2conv-2dense")
    parser.add_argument("--batch-sizes", default="16,64,256,1024")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    a = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(a.threads)
    for name in a.models.split(","):
        make, shape = networks()[name]
        for m in map(int, a.batch_sizes.split(",")):
            if a.mode == "sgd":
                steps = [plain_step(make, shape, m, c) for c in (False, True)]
            elif a.mode == "vmap":
                steps = [vmap_step(make, shape, m)]
            else:
                from backpack import extensions
                steps = [backpack_step(make, shape, m, {"sum-grad-squared": extensions.SumGradSquared,
                                                        "batch-l2": extensions.BatchL2Grad}[a.mode])]
            seconds = min(median_seconds(s, a.repeats if m < 1024 else 3) for s in steps)
            print(json.dumps({"peer": a.mode, "model": name, "batch_size": m,
                              "milliseconds_per_step": round(seconds * 1e3, 3),
                              "examples_per_second": round(m / seconds, 1),
                              "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}), flush=True)


if __name__ == "__main__":
    main()
