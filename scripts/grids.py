"""Comparisons that ended: the files of docs/experiments/NAME, and the tables that pages have of them."""

import csv
import sys
from functools import cached_property
from pathlib import Path
from statistics import mean, stdev

from page_tables import table

FOLDER = Path(__file__).resolve().parent.parent / "docs/experiments"
# The quantiles of 0.975 of Student's distribution, by degrees of freedom.
STUDENT = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262}


def spread(values, digits):
    """The mean, and the lowest and highest in brackets."""
    if None in values:
        return "not reached" if len(values) == 1 else f"not reached by {values.count(None)} of {len(values)}"
    text = f"{mean(values):.{digits}f}"
    return text if len(values) == 1 else f"{text} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def nearest(points, examples):
    """The point of a curve that is nearest to so many examples."""
    return min(points, key=lambda point: abs(int(point["examples"]) - examples))


def loss_before(points, examples):
    """The mean loss of the last tenth before so many examples."""
    return mean(float(point["loss"]) for point in points if 0.9 * examples < int(point["examples"]) <= examples)


def signed(value, digits):
    """With its sign, but for what is zero to so many digits."""
    text = f"{value:+.{digits}f}"
    return text[1:] if float(text) == 0 else text.replace("-", "−")


class Grid:
    """The runs of a comparison, by rule, learning rate and seed.

    name: the folder's. epoch: the number of training examples, where epochs are counted. accuracy, loss: what tables count them to. apart:
    rules that only come in comparisons of their own."""

    def __init__(self, name, epoch=None, accuracy=None, loss=None, apart=()):
        self.folder, self.epoch = FOLDER / name, epoch
        self.targets = {
            f"accuracy {accuracy}": lambda point: float(point["test_accuracy"] or 0) >= accuracy,
            f"training loss {loss}": lambda point: float(point["loss"]) <= loss,
        } if accuracy else {}  # fmt: skip
        self.apart = set(apart)

    def curve(self, row):
        rule = "".join(c if c.isalnum() or c in ".+-" else "-" for c in row["rule"])
        name = f"{row['dataset']}_{row['model']}_{rule}_{float(row['learning_rate']):g}_{row['seed']}.csv"
        return list(csv.DictReader((self.folder / "curves" / name).open()))

    @cached_property
    def runs(self):
        """What is reported of each run; nothing where it did not come to its length at the rate that it was given."""
        return {
            (row["rule"], float(row["learning_rate"]), int(row["seed"])): self.run(row)
            for row in csv.DictReader((self.folder / "results.csv").open())
        }

    def run(self, row):
        if row["status"] != "finished" or row["rewinds"] != "0":
            return None
        points = self.curve(row)
        run = {
            "accuracy": float(row["test_accuracy"]), "average accuracy": float(row["average_test_accuracy"]),
            "test loss": float(row["test_loss"]), "area": mean(float(point["loss"]) for point in points),
            "mean batch": float(row["mean_batch_size"]), "next batch": row["next_batch_size"],
            "examples": int(row["examples"]), "points": points,
        }  # fmt: skip
        for name, is_reached in self.targets.items():
            run[name] = next((int(point["examples"]) / self.epoch for point in points if is_reached(point)), None)
        return run

    @cached_property
    def rules(self):
        """Those with a run that ended."""
        return sorted({rule for (rule, _, _), run in self.runs.items() if run} - self.apart)

    @cached_property
    def rates(self):
        return sorted({rate for _, rate, _ in self.runs})

    def of(self, rule, rate):
        """The runs that ended, by seed."""
        return {seed: run for (r, a, seed), run in sorted(self.runs.items(), key=lambda item: item[0]) if (r, a) == (rule, rate) and run}

    def failed(self, rule, rate):
        """How many runs did not end; in words, for a cell."""
        count = sum(run is None for (r, a, _), run in self.runs.items() if (r, a) == (rule, rate))
        return f", {count} failed" if count else ""

    def middle(self, rule, rate, key):
        return mean(run[key] for run in self.of(rule, rate).values())

    def spread(self, rule, rate, key, digits):
        return spread([run[key] for run in self.of(rule, rate).values()], digits)

    def best_rate(self, rule):
        """By the seeds that ended at all of the rule's rates, as `cabs report` chooses: another seed at one of them must not decide."""
        found = {rate: runs for rate in self.rates if (runs := self.of(rule, rate))}
        shared = self.shared_seeds(rule, found)
        return max(found, key=lambda rate: mean(found[rate][seed]["accuracy"] for seed in shared))

    def shared_seeds(self, rule, rates):
        """The seeds that ended at all of these rates."""
        seeds = set.intersection(*(set(self.of(rule, rate)) for rate in rates)) if rates else set()
        if not seeds:
            sys.exit(f"{self.folder}: no seed of {rule} ended at all of the rates {list(rates)}")
        return sorted(seeds)

    def by_accuracy(self, rules, rate):
        """The rules with runs at a rate, the best first: at that rate, or the one that the function says."""
        rate_of = rate if callable(rate) else lambda _: rate
        return sorted((rule for rule in rules if self.of(rule, rate_of(rule))), key=lambda rule: -self.middle(rule, rate_of(rule), "accuracy"))

    # MARK: Tables

    def whole_runs(self):
        """A line for each rule at each rate."""
        head = [
            "rate", "rule", "seeds", "last parameters", "their average", "test loss", "mean training loss of the run",
            *(f"epochs to {name}" for name in self.targets), "mean batch",
        ]  # fmt: skip
        columns = [("accuracy", 3), ("average accuracy", 3), ("test loss", 3), ("area", 3), *((name, 1) for name in self.targets), ("mean batch", 0)]
        lines = []
        for rate in self.rates:
            ended = self.by_accuracy(self.rules, rate)
            for rule in ended:
                cells = [self.spread(rule, rate, *column) for column in columns]
                lines.append([f"{rate:g}", rule, f"{len(self.of(rule, rate))}{self.failed(rule, rate)}", *cells])
            for rule in sorted({rule for rule, a, _ in self.runs if a == rate} - set(ended) - self.apart):
                lines.append([f"{rate:g}", rule, f"0{self.failed(rule, rate)}"] + [""] * len(columns))
        return table(head, lines)

    def difference(self, rule, rate, other, other_rate, key, digits):
        """The mean difference over seeds that both have, with its interval of 95 %, and the number of seeds."""
        a, b = self.of(rule, rate), self.of(other, other_rate)
        pairs = [a[seed][key] - b[seed][key] for seed in sorted(a.keys() & b.keys())]
        if not pairs:
            return None, 0
        text = signed(mean(pairs), digits)
        if len(pairs) > 1:
            reach = STUDENT[len(pairs) - 1] * stdev(pairs) / len(pairs) ** 0.5
            text += f" ({signed(mean(pairs) - reach, digits)} to {signed(mean(pairs) + reach, digits)})"
        return text, len(pairs)

    def differences(self):
        """From CABS, each rule at its best rate, paired by seed."""
        head = ["rule, at its best rate", "rates tried", "pairs", "last parameters", "their average", "mean training loss of the run"]
        own = self.best_rate("cabs")
        lines = []
        for rule in self.by_accuracy([rule for rule in self.rules if rule != "cabs"], self.best_rate):
            rate = self.best_rate(rule)
            cells = [self.difference(rule, rate, "cabs", own, key, 3) for key in ("accuracy", "average accuracy", "area")]
            if cells[0][1] > 0:
                tried = sum(bool(self.of(rule, rate)) for rate in self.rates)
                lines.append([f"{rule} at {rate:g}", f"{tried}", f"{cells[0][1]}"] + [text for text, _ in cells])
        return f"Less CABS's at {own:g}, its best rate:\n\n" + table(head, lines)

    def sensitivity(self):
        """The range over rates, of rules that ran at all of them, the least sensitive first; by the seeds that all of the rates have."""
        head = ["rule", "seeds", *(f"{rate:g}" for rate in self.rates), "range", "range of the average's"]
        lines = []
        for rule in self.rules:
            if not all(self.of(rule, rate) for rate in self.rates):
                continue
            seeds = self.shared_seeds(rule, self.rates)
            means, averages = (
                [mean(self.of(rule, rate)[seed][key] for seed in seeds) for rate in self.rates] for key in ("accuracy", "average accuracy"))
            lines.append((max(means) - min(means), [rule, f"{len(seeds)}"] + [f"{value:.3f}" for value in means] + [
                f"{max(means) - min(means):.3f}", f"{max(averages) - min(averages):.3f}"]))  # fmt: skip
        return table(head, [line for _, line in sorted(lines)])

    def less_cabs(self, rule):
        """A variant of CABS, less CABS at the same rates and seeds."""
        head = ["rate", "pairs", "last parameters", "their average", "mean training loss of the run", "mean batch"]
        lines = []
        for rate in self.rates:
            cells = [
                self.difference(rule, rate, "cabs", rate, key, digits)
                for key, digits in (("accuracy", 3), ("average accuracy", 3), ("area", 3), ("mean batch", 1))
            ]
            if cells[0][1] > 0:
                lines.append([f"{rate:g}", f"{cells[0][1]}"] + [text for text, _ in cells])
        return table(head, lines)

    def by_examples(self):
        """A line for each rule, of one rate and seed: losses on the way, over the last tenth before as many examples as each of the runs had."""
        runs = {rule: run for rule in self.rules for run in self.of(rule, self.rates[0]).values()}
        if len(runs) != len(self.runs):
            sys.exit(f"{self.folder}: a table by examples is of one rate and seed, and of runs that ended")
        lengths = sorted({run["examples"] for run in runs.values()})
        head = ["rule", "examples", *(f"training loss at {length:,}" for length in lengths), "at its own end: last parameters", "their average", "next batch"]
        lines = []
        for rule, run in sorted(runs.items(), key=lambda item: item[1]["examples"]):
            losses = [f"{loss_before(run['points'], length):.3f}" if length <= run["examples"] else "" for length in lengths]
            lines.append([rule, f"{run['examples']:,}", *losses, f"{run['accuracy']:.3f}", f"{run['average accuracy']:.3f}", run["next batch"]])
        return table(head, lines)
