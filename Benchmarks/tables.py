#!/usr/bin/env python3
"""Writes the tables of the pages anew from Benchmarks/results/*.json, between `<!-- table: NAME -->` and `<!-- end of table -->`.

usage: python3 Benchmarks/tables.py [--check]    with --check it writes nothing, and ends with 1 where a page is not what it would write
"""
import json, statistics, sys
import targets
from sides import here

sys.path.insert(0, str(here.parent / "scripts"))
import page_tables


def table(heads, lines):
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [heads, ["---"] * len(heads), *lines])


def rate(values):
    return f"{statistics.median(values):,.0f}"


def of_part(run, part):
    return [row for row in run["rows"] if row["part"] == part]


def ratio(row):
    """The last columns of a table: lowest, median and highest, and what they should be."""
    low, middle, high = targets.spread(row)
    return [f"{low}, **{middle}**, {high}", targets.bound(row) + ("" if targets.holds(row) else ", missed")]


def machine(run):
    text = (f"{run['processor']}, {run['instruction_set']}: {run['cores']} cores, oneDNN {run['onednn']}, whose matrix product "
            f"makes {run['matrix_product_gigaflops']:.0f} GFLOP/s")
    if peers := run["peers"]:
        text += (f"; PyTorch {peers['pytorch']} with oneDNN {peers['onednn']} and {peers['instruction_set']}, BackPACK "
                 f"{peers['backpack']}")
    changes = " with changes" if run["uncommitted_changes"] else ""
    return f"{text}. {run['date']}, commit {run['commit'][:10]}{changes}, {run['minutes']:.0f} minutes."


def comparison(run, part, name):
    lines = [[targets.subject(row), row["way"], rate(row["theirs"]), rate(row["ours"]), f"{row['nominal_gigaflops']:.0f}", *ratio(row)]
             for row in of_part(run, part)]
    return table(["network, batch size", f"{name}'s fastest way", f"{name}, examples/s", "swift-cabs, examples/s",
                  "nominal GFLOP/s", "times as fast: lowest, median, highest", "target"], lines) if lines else ""


def others(run):
    names = {"statistics": "time with statistics to time without", "workers": "rate of two workers to one's",
             "memory": "memory of a step to that at 64", "training": "rate of `cabs train` on CIFAR-10 to that of `cabs bench`"}
    lines = [[targets.subject(row), name, *ratio(row)] for part, name in names.items() for row in of_part(run, part)]
    return table(["network, batch size", "what", "lowest, median, highest", "target"], lines)


def results(run):
    return "\n\n".join(filter(None, [
        machine(run), comparison(run, "pytorch", "PyTorch"), comparison(run, "backpack", "BackPACK"), others(run)]))


def summary(run):
    backpack = {targets.subject(row): rate(row["theirs"]) for row in of_part(run, "backpack")}
    lines = [[targets.subject(row), rate(row["theirs"]), backpack.get(targets.subject(row), ""), rate(row["ours"])]
             for row in of_part(run, "pytorch")]
    heads = ["network, batch size", "PyTorch, plain SGD", "BackPACK, exact", "swift-cabs, exact"]
    ratios = [statistics.median(row["measured"]) for row in of_part(run, "statistics")]
    return (f"{machine(run)}\n\n{table(heads, lines)}\n\nSteps with and without statistics took turns: with them a step takes "
            f"{min(ratios):.3f} to {max(ratios):.3f} times as long.")


def runs():
    found = [json.loads(path.read_text()) for path in sorted((here / "results").glob("*.json"))]
    return [run for run in found if not run["quick"]]


def of_runs(make):
    return "\n\n".join(map(make, runs())) or "No run is published yet."


if __name__ == "__main__":
    page_tables.update(
        [here.parent / "README.md", here.parent / "docs" / "performance.md"],
        {"results": lambda: of_runs(results), "summary": lambda: of_runs(summary)},
        "Benchmarks/results", "python3 Benchmarks/tables.py")
