#!/usr/bin/env python3
"""The table of docs/performance.md, measured on this machine: `make bench`.

Runs `cabs bench` and, where a Python with torch (and backpack-for-pytorch) is given, peers.py on the same work; prints what
each target asks and what was measured, and writes every figure to Benchmarks/results.json.

environment
    PEERS_PYTHON    the Python of a virtual environment with torch and backpack-for-pytorch; without it no peers' columns
    CIFAR10         the folder of CIFAR-10, where `cabs data` does not find it
"""
import json, os, pathlib, statistics, subprocess, tempfile

here = pathlib.Path(__file__).parent
cabs = here.parent / ".build" / "release" / "cabs"
peers_python = os.environ.get("PEERS_PYTHON")
networks = ["cifar10-2conv-3dense", "mnist-2conv-2dense"]
sizes = [16, 64, 256, 1024]
deep, deep_sizes = "cifar10-8conv-2dense", [16, 64, 256]
small, small_sizes = ["mlp", "logistic-regression"], [16, 64, 256]
# A shared machine slows down for seconds at a time: what is compared takes turns, so often, and the median ratio counts.
rounds = 3
results, rows = {}, []


def lines(command):
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
    return [json.loads(line) for line in output.splitlines()]


def bench(models, sizes, *options):
    return lines([cabs, "bench", "--json", "--models", ",".join(models), "--batch-sizes", ",".join(map(str, sizes)),
                  *options])


def peer(mode, models, sizes):
    if not peers_python:
        return {}
    found = lines([peers_python, here / "peers.py", mode, "--models", ",".join(models), "--batch-sizes",
                   ",".join(map(str, sizes))])
    return {(r["model"], r["batch_size"]): r["examples_per_second"] for r in found}


def add(part, what, measured, target, holds):
    rows.append((part, what, measured, target, holds))
    print(f"{part:>4}  {what:<58} {measured:<34} {target:<14} {'ok' if holds else 'MISSED'}", flush=True)


def note(part, what):
    print(f"{part:>4}  {what}", flush=True)


def rates(found):
    return {(r["model"], r["batch_size"]): r["examples_per_second"] for r in found}


def time_ratios(key, a, b, models, sizes, *options):
    """By model and batch size, the time of variant a to that of variant b, which take turns step by step."""
    table = {}
    for _ in range(rounds):
        times = {}
        for r in bench(models, sizes, *options):
            times.setdefault((r["model"], r["batch_size"]), {})[r[key]] = r["milliseconds_per_step"]
        for k, v in times.items():
            table.setdefault(k, []).append(v[a] / v[b])
    return {k: statistics.median(v) for k, v in table.items()}


def compare_rates(part, what, ours, others, target, sign=">="):
    """One row: our rates beside another's in the same rounds."""
    ratio = statistics.median(a / b for a, b in zip(ours, others))
    holds = ratio >= target if sign == ">=" else ratio > target
    a, b = statistics.median(ours), statistics.median(others)
    add(part, what, f"{a:.0f} : {b:.0f}, {ratio:.2f} times", f"{sign} {target:g}", holds)


def main_networks():
    keys = [(model, size) for model in networks for size in sizes]
    ours, plain, exact_peer = ({k: [] for k in keys} for _ in range(3))
    parts = {k: [] for k in keys}
    for _ in range(rounds):
        # By itself, as PyTorch is: a second network would take its part of the caches.
        for model in networks:
            for r in bench([model], sizes, "--repeats", "31"):
                key = r["model"], r["batch_size"]
                ours[key].append(r["examples_per_second"])
                parts[key].append((r["gigaflops"], r["roofline_gigaflops"]))
        for table, mode in (plain, "sgd"), (exact_peer, "sum-grad-squared"):
            for key, rate in peer(mode, networks, sizes).items():
                table[key].append(rate)
    results.update({name: {f"{m}, {n}": v for (m, n), v in table.items()}
                    for name, table in [("ours", ours), ("pytorch", plain), ("backpack", exact_peer)]})
    for model, size in keys:
        key, name = (model, size), f"{model}, {size}"
        if plain[key]:
            compare_rates("1", f"{name}: PyTorch's plain step", ours[key], plain[key], 1.5)
            compare_rates("1", f"{name}: BackPACK", ours[key], exact_peer[key], 5)
        if size in (256, 1024):
            compare_rates("3", f"{name}: of the matrix product's rate", *zip(*parts[key]), 0.9)
    on_and_off = time_ratios("estimator", "exact", "none", networks, sizes, "--estimator", "exact,none", "--repeats", "31")
    results["on_and_off"] = {f"{m}, {n}": v for (m, n), v in on_and_off.items()}
    for (model, size), ratio in on_and_off.items():
        add("2", f"{model}, {size}: statistics on : off", f"{ratio:.3f}", "<= 1.03", ratio <= 1.03)


def memory():
    for model in networks:
        small_batch, large = (bench([model], [size], "--repeats", "1")[0]["peak_memory_bytes"] for size in (64, 8192))
        results[f"memory {model}"] = [small_batch, large]
        add("4", f"{model}: peak memory at 8192 : 64", f"{large / 1e6:.0f} : {small_batch / 1e6:.0f} MB = {large / small_batch:.2f}",
            "<= 1.3", large <= 1.3 * small_batch)
    with tempfile.TemporaryDirectory() as folder:
        command = [cabs, "train", "--dataset", "fashion-mnist", "--batch-size", "constant:60000", "--steps", "1",
                   "--output", folder + "/run"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            return note("4", "Fashion-MNIST is not here: the step on all of it is left out")
        peak = usage.ru_maxrss * 1024
        results["memory of one step on 60,000"] = peak
        add("4", "one step on all 60,000 of Fashion-MNIST: peak memory", f"{peak / 1e6:.0f} MB", "< 600 MB", peak < 600e6)


def training_rate(size):
    """Examples per second of `cabs train` on CIFAR-10 with augmentation; none where the data are missing."""
    with tempfile.TemporaryDirectory() as folder:
        data = ["--data", os.environ["CIFAR10"]] if "CIFAR10" in os.environ else []
        # Of a run, the middle half: neither its beginning, when memory is touched for the first time, nor its end.
        steps = max(24, 24000 // size)
        command = [cabs, "train", "--dataset", "cifar10", *data, "--batch-size", f"constant:{size}", "--learning-rate",
                   "0.01", "--steps", str(steps), "--output", folder + "/run"]
        if subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode:
            return None
        log = [json.loads(line) for line in open(folder + "/run/metrics.jsonl")]
        first, last = log[steps // 4], log[steps * 3 // 4]
        return (last["examples"] - first["examples"]) / (last["seconds"] - first["seconds"])


def end_to_end():
    for size in sizes:
        trained, benched = [], []
        for _ in range(rounds):
            benched.append(rates(bench([networks[0]], [size], "--repeats", "31"))[networks[0], size])
            rate = training_rate(size)
            if rate is None:
                return note("5", "CIFAR-10 is not here: training end to end is left out")
            trained.append(rate)
        results[f"cabs train {size}"] = trained
        compare_rates("5", f"cabs train on CIFAR-10, {size}: of the bench's rate", trained, benched, 0.92)


def workers():
    ratios = time_ratios("workers", 1, 2, networks, [64, 256, 1024], "--workers", "1,2", "--repeats", "15")
    for (model, size), ratio in ratios.items():
        add("6", f"{model}, {size}: two workers : one", f"{ratio:.2f}", ">= 1.85", ratio >= 1.85)
    ratios = time_ratios("workers", 3, 1, small, [16], "--workers", "1,3", "--repeats", "1001")
    for (model, size), ratio in ratios.items():
        add("6", f"{model}, {size}: three workers on two cores : one", f"{ratio:.2f}", "<= 1.05", ratio <= 1.05)


def deep_network():
    ratios = time_ratios("estimator", "exact", "none", [deep], deep_sizes, "--estimator", "exact,none", "--repeats", "5")
    for (model, size), ratio in ratios.items():
        add("7", f"{model}, {size}: statistics on : off", f"{ratio:.3f}", "<= 1.10", ratio <= 1.10)
    beside_pytorch("7", [deep], deep_sizes, 7, 1.2, ">=")


def small_networks():
    beside_pytorch("8", small, small_sizes, 1001, 1, ">")


def beside_pytorch(part, models, sizes, repeats, target, sign):
    ours, plain = {}, {}
    for _ in range(rounds):
        for table, found in (ours, rates(bench(models, sizes, "--repeats", str(repeats)))), (plain, peer("sgd", models, sizes)):
            for key, rate in found.items():
                table.setdefault(key, []).append(rate)
    results[f"part {part}"] = {f"{m}, {n}": [v, plain.get((m, n))] for (m, n), v in ours.items()}
    for (model, size), found in ours.items():
        if plain:
            compare_rates(part, f"{model}, {size}: PyTorch's plain step", found, plain[model, size], target, sign)
        else:
            note(part, f"{model}, {size}: {statistics.median(found):.0f} examples/s")


print("part  what                                                       measured                           target")
main_networks()
memory()
end_to_end()
workers()
deep_network()
small_networks()
results["table"] = rows
(here / "results.json").write_text(json.dumps(results, indent=1) + "\n")
missed = sum(not row[4] for row in rows)
print(f"{len(rows) - missed} of {len(rows)} targets hold; every figure is in Benchmarks/results.json")
