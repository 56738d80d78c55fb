#!/usr/bin/env python3
"""Measures the targets of docs/performance.md on this machine: `make bench`.

Both sides do the same work: `cabs bench --export` writes first parameters and batch, peers.py reads them, and nothing is timed
where the losses of the first two steps differ. The fastest of PyTorch's ways is picked once for each model and batch size; then
it and `cabs bench` take turns, with as many steps of warm-up and as many timed ones on either side.

Writes Benchmarks/results/<processor>-<instruction set>.json, from which Benchmarks/tables.py makes the tables of the pages.
Ends with 1 where a target is missed.

environment
    PEERS_PYTHON    the Python of a virtual environment with torch and backpack-for-pytorch; without it nothing is compared
    CIFAR10         the folder of CIFAR-10, where `cabs data` does not find it
"""
import argparse, json, os, pathlib, sys, tempfile, time
from typing import NamedTuple
import machine, targets
from comparison import Comparison, Rival, step_counts
from sides import Ours, Work, here, limits


class Plan(NamedTuple):
    """What is measured, and for how long."""
    # Works with their least ratios to PyTorch and, where one is asked, to BackPACK.
    comparisons: list
    # Works with the largest ratio of time with statistics to time without.
    statistics: list
    memory: list
    training: list
    workers: list
    rounds: int
    # Of timed steps on the slower side, in a round, and of each candidate while the fastest is picked.
    round_seconds: float
    candidate_seconds: float


def works(models, sizes, input=None):
    return [Work(model, size, input) for model in models for size in sizes]


paper = ["cifar10-2conv-3dense", "mnist-2conv-2dense"]
deep = ["cifar10-8conv-2dense", "cifar100-4conv-2dense", "svhn-3conv-2dense"]
residual = ["resnet20", "resnet9"]
small = ["mlp", "logistic-regression"]
lenet5 = [str(here.parent / "Examples" / "lenet5.yaml")]

whole_plan = Plan(
    comparisons=[(work, 1.5, 5) for work in works(paper, [16, 64, 256, 1024])]
    + [(work, 1.5, None) for work in works(lenet5, [16, 64, 256, 1024], "28x28x1")]
    + [(work, 1.2, None) for work in works(deep, [16, 64, 256])]
    + [(work, 1.5, None) for work in works(residual, [16, 64, 256])]
    + [(work, 1, None) for work in works(small, [16, 64, 256])],
    statistics=[(work, 1.03) for work in works(paper, [16, 64, 256, 1024])]
    + [(work, 1.05) for work in works(deep[:1] + residual, [16, 64, 256])],
    memory=works(paper, [8192]), training=works(paper[:1], [16, 64, 256, 1024]), workers=works(paper, [64, 256, 1024]),
    rounds=3, round_seconds=1, candidate_seconds=0.5)
quick_plan = Plan(
    comparisons=[(work, 1.5, 5) for work in works(paper[1:], [16])]
    + [(work, 1.5, None) for work in works(lenet5, [16], "28x28x1")] + [(work, 1, None) for work in works(small[:1], [16])],
    statistics=[(work, 1.03) for work in works(paper[1:], [16])], memory=works(paper[1:], [256]),
    training=works(paper[:1], [64]), workers=works(paper[1:], [64]), rounds=1, round_seconds=0.2, candidate_seconds=0.1)


class Benchmark:
    """The parts of a run, each of which adds rows."""

    def __init__(self, plan, ours, comparison):
        self.plan, self.ours, self.comparison = plan, ours, comparison
        self.rows = []

    def add(self, row):
        row = rounded(row)
        self.rows.append(row)
        low, middle, high = targets.spread(row)
        print(f"{row['part']:<11} {targets.subject(row):<27} {middle:>8} ({low} to {high}) {targets.bound(row):>8}  "
              f"{'ok' if targets.holds(row) else 'MISSED'}  {row.get('way', '')}", flush=True)

    def compare(self):
        for work, pytorch, backpack in self.plan.comparisons:
            rivals = [Rival("pytorch", pytorch, ["eager", "compiled"])]
            if backpack:
                rivals.append(Rival("backpack", backpack, ["sum-grad-squared", "batch-l2"]))
            for row in self.comparison.rows(work, rivals):
                self.add(row)

    def time_ratios(self, work, key, above, below, *options):
        """In each round, the time of a step of variant `above` to that of variant `below`, which take turns step by step."""
        probe = self.ours.measure(work, 1, 1)["milliseconds_per_step"]
        ratios = []
        for _ in range(self.plan.rounds):
            lines = self.ours.bench(work, *options, *step_options(step_counts(probe, self.plan.round_seconds)))
            times = {line[key]: line["milliseconds_per_step"] for line in lines}
            ratios.append(times[above] / times[below])
        return ratios

    def statistics(self):
        for work, most in self.plan.statistics:
            ratios = self.time_ratios(work, "estimator", "exact", "none", "--estimator", "exact,none")
            self.add({"part": "statistics", "model": work.name, "batch_size": work.batch_size, "at_most": most,
                      "measured": ratios})

    def workers(self):
        for work in self.plan.workers:
            ratios = self.time_ratios(work, "workers", 1, 2, "--workers", "1,2")
            self.add({"part": "workers", "model": work.name, "batch_size": work.batch_size, "at_least": 1.85,
                      "measured": ratios})

    def memory(self):
        """Of what a step needs beside the images that the benchmark keeps."""
        for work in self.plan.memory:
            lines = [self.ours.measure(w, 1, 1) for w in (work, work._replace(batch_size=64))]
            large, small = (line["peak_memory_bytes"] - line["batch_bytes"] for line in lines)
            self.add({"part": "memory", "model": work.name, "batch_size": work.batch_size, "at_most": 1.3,
                      "measured": [large / small], "peak_memory_bytes": [large, small]})

    def training(self):
        """`cabs train` on CIFAR-10, with decoding and augmentation, beside `cabs bench`."""
        for work in self.plan.training:
            counts = step_counts(self.ours.measure(work, 1, 1)["milliseconds_per_step"], self.plan.round_seconds)
            ratios = []
            for _ in range(self.plan.rounds):
                rate = self.training_rate(work)
                if rate is None:
                    return print("training    CIFAR-10 is not here: left out", flush=True)
                ratios.append(rate / self.ours.measure(work, **counts)["examples_per_second"])
            self.add({"part": "training", "model": work.name, "batch_size": work.batch_size, "at_least": 0.92,
                      "measured": ratios})

    def training_rate(self, work):
        """Examples a second in the middle half of a run: neither at its beginning, when memory is touched for the first time, nor at
        its end; nothing where the data are missing."""
        data = ["--data", os.environ["CIFAR10"]] if "CIFAR10" in os.environ else []
        steps = max(12, 8000 // work.batch_size)
        with tempfile.TemporaryDirectory() as folder:
            if self.ours.train("--dataset", "cifar10", *data, "--model", work.model, "--batch-size", f"constant:{work.batch_size}",
                               "--learning-rate", "0.01", "--steps", steps, "--output", f"{folder}/run") is None:
                return None
            log = [json.loads(line) for line in open(f"{folder}/run/metrics.jsonl")]
        first, last = log[steps // 4], log[steps * 3 // 4]
        return (last["examples"] - first["examples"]) / (last["seconds"] - first["seconds"])

    def run(self):
        if self.comparison:
            self.compare()
        else:
            print("PEERS_PYTHON names no Python with torch and backpack-for-pytorch: nothing is compared", flush=True)
        self.statistics()
        self.workers()
        self.memory()
        self.training()


def rounded(value):
    """All numbers to five digits, which is more than any timing has."""
    if isinstance(value, dict):
        return {key: rounded(part) for key, part in value.items()}
    if isinstance(value, list):
        return [rounded(part) for part in value]
    return float(f"{value:.5g}") if isinstance(value, float) else value


def step_options(counts):
    return "--warm-up", counts["warm_up"], "--repeats", counts["repeats"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a few of the rows for a moment each, to see that all works")
    parser.add_argument("--instruction-set", choices=[name for name in limits if name], help="limits both sides")
    parser.add_argument("--output", type=pathlib.Path, help="the file of results, instead of the one below Benchmarks/results")
    options = parser.parse_args()
    start, plan = time.monotonic(), quick_plan if options.quick else whole_plan
    threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    ours = Ours(options.instruction_set, threads)
    line = ours.measure(Work("mlp", 16), 1, 1, "--roofline")
    run = {"quick": options.quick} | machine.description(line, threads)
    if options.instruction_set not in (None, run["instruction_set"]):
        sys.exit(f"asked for {options.instruction_set}, but cabs uses {run['instruction_set']}: the processor has no more")
    if run["load_average_before"] > 0.5:
        print(f"{run['load_average_before']:.1f} other processes run: the figures will be of no use", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        python = os.environ.get("PEERS_PYTHON")
        comparison = python and Comparison(python, ours, folder, plan.rounds, plan.round_seconds, plan.candidate_seconds)
        benchmark = Benchmark(plan, ours, comparison)
        benchmark.run()
    run |= {"peers": comparison.description if comparison else None, "minutes": (time.monotonic() - start) / 60,
            "rows": benchmark.rows}
    output = options.output or here / "results" / machine.file_name(run)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(rounded(run), indent=1) + "\n")
    missed = [row for row in benchmark.rows if not targets.holds(row)]
    print(f"{len(benchmark.rows) - len(missed)} of {len(benchmark.rows)} targets hold, after {run['minutes']:.0f} minutes; "
          f"every figure is in {output}")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
