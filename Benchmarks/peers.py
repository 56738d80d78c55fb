#!/usr/bin/env python3
"""PyTorch and BackPACK at the work that `cabs bench --export` writes: the same network, first parameters and batch as ours.

One process holds one network. A step is forward, backward and SGD update of the whole batch, on CPU. When the network is
built, and compiled where that is asked for, a line of JSON says what makes the steps; then each line of JSON on standard
input has steps made from the first parameters, and is answered by a line with the keys of `cabs bench --json`:

    cabs bench --models mlp --batch-sizes 64 --export work
    echo '{"optimizer": "sgd", "warm_up": 2, "repeats": 7}' | python3 peers.py work/mlp-64.safetensors --mode eager

modes
    eager             a plain step without gradient statistics
    compiled          the same with forward, loss and backward by torch.compile for this one batch size
    sum-grad-squared  BackPACK's SumGradSquared: the exact second moment of the example gradients, value by value
    batch-l2          BackPACK's BatchL2Grad: the exact squared norms of the example gradients
"""
import argparse, importlib.metadata, json, re, resource, statistics, struct, sys, time
import torch
from torch import nn

optimizers = {"sgd": {}, "fused-sgd": {"fused": True}}
formats = {"contiguous": torch.contiguous_format, "channels-last": torch.channels_last}
backpack_modes = {"sum-grad-squared": ("SumGradSquared", "sum_grad_squared"), "batch-l2": ("BatchL2Grad", "batch_l2")}


def read_work(path):
    """The tensors in the order of the file, by name, and the metadata."""
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        values = torch.frombuffer(bytearray(file.read()), dtype=torch.float32)
    metadata = header.pop("__metadata__")
    entries = sorted(header.items(), key=lambda item: item[1]["data_offsets"][0])
    tensors = {name: values[slice(*(offset // 4 for offset in entry["data_offsets"]))].reshape(entry["shape"])
               for name, entry in entries}
    return tensors, json.loads(metadata["layers"]), float(metadata["learning_rate"])


def window(sizes, kernel, stride, padding):
    """How a window slides over an image of `sizes`: the sizes that come out, and the padding (low, high) of each side."""
    if padding == "valid":
        return [(size - kernel) // stride + 1 for size in sizes], [(0, 0) for _ in sizes]
    outputs = [-(-size // stride) for size in sizes]
    totals = [max((output - 1) * stride + kernel - size, 0) for output, size in zip(outputs, sizes)]
    return outputs, [(total // 2, total - total // 2) for total in totals]


def convolution(channels, options, sides):
    make = lambda padding: nn.Conv2d(channels, options["filters"], options["kernel-size"], options["stride"], padding,
                                     groups=options["groups"], bias=options["bias"])
    if all(low == high for low, high in sides):
        return [make([low for low, _ in sides])]
    (top, bottom), (left, right) = sides
    return [nn.ZeroPad2d((left, right, top, bottom)), make(0)]


def pooling(kind, options, sides):
    make = {"max-pool2d": nn.MaxPool2d, "average-pool2d": lambda *a, **o: nn.AvgPool2d(*a, count_include_pad=False, **o)}[kind]
    if all(low == high for low, high in sides):
        return make(options["pool-size"], options["stride"], sides[0][0])
    if all(low == 0 for low, _ in sides):
        # What ceil_mode adds at the end is what padding "same" adds there.
        return make(options["pool-size"], options["stride"], ceil_mode=True)
    sys.exit(f"{kind} {options}: PyTorch has no such padding")


class Residual(nn.Module):
    def __init__(self, layers, shortcut):
        super().__init__()
        self.layers, self.shortcut = layers, shortcut

    def forward(self, x):
        return self.layers(x) + self.shortcut(x)


class GlobalAverage(nn.Module):
    def forward(self, x):
        return x.mean((2, 3))


def network(layers, shape):
    """PyTorch's network of the layers of a model file, for examples of `shape`."""
    return placed(layers, shape)[0]


def placed(layers, shape):
    """The layers as a module, and the shape that comes out."""
    plain = {"relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid, "silu": nn.SiLU, "gelu": nn.GELU}
    modules = []
    for layer in layers:
        (kind, options), = layer.items()
        if kind in plain:
            modules.append(plain[kind]())
        elif kind == "leaky-relu":
            modules.append(nn.LeakyReLU(options["slope"]))
        elif kind == "group-norm":
            modules.append(nn.GroupNorm(options["groups"], shape[0], options["epsilon"]))
        elif kind == "layer-norm":
            modules.append(nn.LayerNorm(shape, options["epsilon"]))
        elif kind == "global-average-pool2d":
            modules.append(GlobalAverage())
            shape = [shape[0]]
        elif kind == "residual":
            beside, _ = placed(options.get("shortcut", []), shape)
            block, shape = placed(options["layers"], shape)
            modules.append(Residual(block, beside))
        elif kind == "flatten":
            modules.append(nn.Flatten())
            shape = [torch.Size(shape).numel()]
        elif kind == "dense":
            modules.append(nn.Linear(shape[0], options["units"]))
            shape = [options["units"]]
        elif kind == "conv2d":
            sizes, sides = window(shape[1:], options["kernel-size"], options["stride"], options["padding"])
            modules += convolution(shape[0], options, sides)
            shape = [options["filters"], *sizes]
        elif kind in ("max-pool2d", "average-pool2d"):
            sizes, sides = window(shape[1:], options["pool-size"], options["stride"], options["padding"])
            modules.append(pooling(kind, options, sides))
            shape = [shape[0], *sizes]
        else:
            sys.exit(f"{kind}: a peer cannot do the same work, whose random numbers are ours")
    return nn.Sequential(*modules), shape


class Peer:
    """One network, and the steps that are made with it."""

    def __init__(self, path, mode, memory_format):
        tensors, layers, learning_rate = read_work(path)
        x, self.y = tensors.pop("x"), tensors.pop("y").long()
        self.parameters = list(tensors.values())
        self.net = network(layers, x.shape[1:]).to(memory_format=memory_format)
        self.x = x.contiguous(memory_format=memory_format) if x.dim() == 4 else x
        loss = nn.CrossEntropyLoss()
        self.optimizers = {name: torch.optim.SGD(self.net.parameters(), lr=learning_rate, **options)
                           for name, options in optimizers.items()}
        self.mode = mode
        if mode in backpack_modes:
            from backpack import backpack, extend, extensions
            self.net, loss = extend(self.net), extend(loss)
            extension = getattr(extensions, backpack_modes[mode][0])
            self.measuring = lambda: backpack(extension())
        self.loss = lambda x, y: loss(self.net(x), y)
        if mode == "compiled":
            self.loss = torch.compile(self.loss, dynamic=False)

    def reset(self):
        """Back to the first parameters."""
        with torch.no_grad():
            for parameter, first in zip(self.net.parameters(), self.parameters, strict=True):
                parameter.copy_(first)

    def step(self, optimizer):
        optimizer.zero_grad(set_to_none=True)
        loss = self.loss(self.x, self.y)
        if self.mode in backpack_modes:
            with self.measuring():
                loss.backward()
        else:
            loss.backward()
        optimizer.step()
        return loss

    def second_moment(self):
        """(1/m) sum_i ||g_i||^2 as BackPACK measured it in the last step; its gradients are those of the mean loss, g_i / m."""
        attribute = backpack_modes[self.mode][1]
        return len(self.y) * sum(getattr(p, attribute).double().sum().item() for p in self.net.parameters())

    def measure(self, optimizer, warm_up, repeats):
        self.reset()
        answer, losses, times = {"optimizer": optimizer, "warm_up": warm_up, "repeats": repeats}, [], []
        for index in range(warm_up + repeats):
            start = time.perf_counter()
            loss = self.step(self.optimizers[optimizer])
            elapsed = time.perf_counter() - start
            if index >= warm_up:
                times.append(elapsed)
            if index < 2:
                losses.append(loss.item())
            if index == 0 and self.mode in backpack_modes:
                answer["second_moment"] = self.second_moment()
        seconds = statistics.median(times)
        return answer | {"first_losses": losses, "batch_size": len(self.y), "milliseconds_per_step": seconds * 1e3,
                         "examples_per_second": len(self.y) / seconds,
                         "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}


def version(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work")
    parser.add_argument("--mode", choices=["eager", "compiled", *backpack_modes], required=True)
    parser.add_argument("--format", choices=formats, default="contiguous")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    peer = Peer(options.work, options.mode, formats[options.format])
    if options.mode == "compiled":
        peer.step(peer.optimizers["sgd"])
    print(json.dumps({"threads": torch.get_num_threads(), "instruction_set": torch.backends.cpu.get_cpu_capability().lower(),
                      "pytorch": version("torch"), "backpack": version("backpack-for-pytorch"),
                      "onednn": re.search(r"MKL-DNN v([0-9.]+)", torch.__config__.show())[1]}), flush=True)
    for line in sys.stdin:
        print(json.dumps(peer.measure(**json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
