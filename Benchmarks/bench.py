#!/usr/bin/env python3
"""The table of docs/performance.md, measured on this machine: `make bench`.

Runs `cabs bench` and, where a Python with torch (and backpack-for-pytorch) is given, peers.py on the same work; prints what
each target asks and what was measured, and writes every figure to Benchmarks/results.json.

environment
    PEERS_PYTHON    the Python of a virtual environment with torch and backpack-for-pytorch; without it no peers' columns
    CIFAR10         the folder of CIFAR-10, where `cabs data` does not find it
"""
import json, os, pathlib, resource, subprocess, sys, tempfile

here = pathlib.Path(__file__).parent
cabs = here.parent / ".build" / "release" / "cabs"
peers_python = os.environ.get("PEERS_PYTHON")
networks = ["cifar10-2conv-3dense", "mnist-2conv-2dense"]
sizes = [16, 64, 256, 1024]
deep, deep_sizes = "cifar10-8conv-2dense", [16, 64, 256]
small, small_sizes = ["mlp", "logistic-regression"], [16, 64, 256]
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


def paired(found, key, a, b):
    """By model and batch size, the lines of two variants that took turns."""
    table = {}
    for r in found:
        table.setdefault((r["model"], r["batch_size"]), {})[r[key]] = r
    return {k: (v[a], v[b]) for k, v in table.items()}


def main_networks():
    # By itself, as PyTorch is: a second network would take its part of the caches.
    found = bench(networks, sizes, "--repeats", "31")
    both = bench(networks, sizes, "--estimator", "exact,none", "--repeats", "31")
    plain, exact_peer = peer("sgd", networks, sizes), peer("sum-grad-squared", networks, sizes)
    results.update(ours=found, on_and_off=both, pytorch={str(k): v for k, v in plain.items()},
                   backpack={str(k): v for k, v in exact_peer.items()})
    for exact in found:
        model, size, rate = exact["model"], exact["batch_size"], exact["examples_per_second"]
        name = f"{model}, {size}"
        if plain:
            other = plain[model, size]
            add("1", f"{name}: PyTorch's plain step", f"{rate:.0f} : {other:.0f} = {rate / other:.2f}", ">= 1.5", rate >= 1.5 * other)
            other = exact_peer[model, size]
            add("1", f"{name}: BackPACK", f"{rate:.0f} : {other:.0f} = {rate / other:.2f}", ">= 5", rate >= 5 * other)
        if size in (256, 1024):
            part = exact["gigaflops"] / exact["roofline_gigaflops"]
            add("3", f"{name}: of the matrix product's rate",
                f"{exact['gigaflops']:.0f} : {exact['roofline_gigaflops']:.0f} = {part:.2f}", ">= 0.90", part >= 0.9)
    for (model, size), (exact, none) in paired(both, "estimator", "exact", "none").items():
        ratio = exact["milliseconds_per_step"] / none["milliseconds_per_step"]
        add("2", f"{model}, {size}: statistics on : off", f"{ratio:.3f}", "<= 1.03", ratio <= 1.03)
    return {(r["model"], r["batch_size"]): r["examples_per_second"] for r in found}


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


def end_to_end(rates):
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            data = ["--data", os.environ["CIFAR10"]] if "CIFAR10" in os.environ else []
            # Of a run, the middle half: neither its beginning, when memory is touched for the first time, nor its end.
            steps = max(24, 24000 // size)
            command = [cabs, "train", "--dataset", "cifar10", *data, "--batch-size", f"constant:{size}", "--learning-rate",
                       "0.01", "--steps", str(steps), "--output", folder + "/run"]
            if subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode:
                return note("5", "CIFAR-10 is not here: training end to end is left out")
            log = [json.loads(line) for line in open(folder + "/run/metrics.jsonl")]
            first, last = log[steps // 4], log[steps * 3 // 4]
            rate = (last["examples"] - first["examples"]) / (last["seconds"] - first["seconds"])
            again = bench([networks[0]], [size])[0]["examples_per_second"]
            bench_rate = (rates[networks[0], size] + again) / 2
            results[f"cabs train {size}"] = rate
            add("5", f"cabs train on CIFAR-10, {size}: of the bench's rate", f"{rate:.0f} : {bench_rate:.0f} = {rate / bench_rate:.2f}",
                ">= 0.92", rate >= 0.92 * bench_rate)


def workers():
    found = bench(networks, [64, 256, 1024], "--workers", "1,2", "--repeats", "15")
    results["workers"] = found
    for (model, size), (one, two) in paired(found, "workers", 1, 2).items():
        ratio = one["milliseconds_per_step"] / two["milliseconds_per_step"]
        add("6", f"{model}, {size}: two workers : one", f"{ratio:.2f}", ">= 1.85", ratio >= 1.85)
    found = bench(small, [16], "--workers", "1,3", "--repeats", "1001")
    results["too many workers"] = found
    for (model, size), (one, three) in paired(found, "workers", 1, 3).items():
        ratio = three["milliseconds_per_step"] / one["milliseconds_per_step"]
        add("6", f"{model}, {size}: three workers on two cores : one", f"{ratio:.2f}", "<= 1.05", ratio <= 1.05)


def deep_network():
    found = bench([deep], deep_sizes, "--estimator", "exact,none", "--repeats", "9")
    plain = peer("sgd", [deep], deep_sizes)
    results.update(deep=found, deep_pytorch={str(k): v for k, v in plain.items()})
    for (model, size), (exact, none) in paired(found, "estimator", "exact", "none").items():
        ratio = exact["milliseconds_per_step"] / none["milliseconds_per_step"]
        add("7", f"{model}, {size}: statistics on : off", f"{ratio:.3f}", "<= 1.10", ratio <= 1.10)
        if plain:
            rate, other = exact["examples_per_second"], plain[model, size]
            add("7", f"{model}, {size}: PyTorch's plain step", f"{rate:.0f} : {other:.0f} = {rate / other:.2f}", ">= 1.2",
                rate >= 1.2 * other)


def small_networks():
    found = bench(small, small_sizes, "--repeats", "1001")
    plain = peer("sgd", small, small_sizes)
    results.update(small=found, small_pytorch={str(k): v for k, v in plain.items()})
    for r in found:
        rate, name = r["examples_per_second"], f"{r['model']}, {r['batch_size']}"
        if plain:
            other = plain[r["model"], r["batch_size"]]
            add("8", f"{name}: PyTorch's plain step", f"{rate:.0f} : {other:.0f} = {rate / other:.2f}", "> 1", rate > other)
        else:
            note("8", f"{name}: {rate:.0f} examples/s")


print("part  what                                                       measured                           target")
rates = main_networks()
memory()
end_to_end(rates)
workers()
deep_network()
small_networks()
results["table"] = rows
(here / "results.json").write_text(json.dumps(results, indent=1) + "\n")
missed = sum(not row[4] for row in rows)
print(f"{len(rows) - missed} of {len(rows)} targets hold; every figure is in Benchmarks/results.json")
