"""`cabs bench` beside the fastest way that a peer has to do the same work."""
import contextlib, statistics
from typing import NamedTuple
from sides import Peer


class Rival(NamedTuple):
    """A peer: the part of the results that it stands in, the least ratio of our rate to its, and its modes."""
    part: str
    at_least: float
    modes: list


class Way(NamedTuple):
    """One way of a peer's to make the steps."""
    peer: Peer
    optimizer: str

    def measure(self, counts):
        return self.peer.measure(self.optimizer, **counts)

    def __str__(self):
        return f"{self.peer.mode}, {self.peer.format}, {self.optimizer}"


def step_counts(milliseconds, seconds, least=2):
    """How many steps to make: some without timing, then some timed, of which one takes so many milliseconds."""
    repeats = max(least, min(1000, round(seconds * 1e3 / milliseconds)))
    return {"warm_up": max(1, min(100, repeats // 5)), "repeats": repeats}


def check_same_work(work, ours, theirs, way):
    """Ends the benchmark where the two sides do not do the same."""
    (first, second), (their_first, their_second) = ours["first_losses"], theirs["first_losses"]
    # Equal losses show equal outputs, equal decreases equal gradients and updates; peers sum losses in float32.
    agree = abs(first - their_first) <= 1e-4 * abs(first)
    agree &= abs((first - second) - (their_first - their_second)) <= 0.05 * abs(first - second) + 1e-6 * abs(first)
    if "second_moment" in theirs:
        agree &= abs(ours["second_moment"] - theirs["second_moment"]) <= 1e-3 * ours["second_moment"]
    if not agree:
        keys = "first_losses", "second_moment"
        raise SystemExit(
            f"{work.name}, {work.batch_size}: ours and {way} do not do the same work, so nothing is timed: "
            + " and ".join(str({key: side[key] for key in keys if key in side}) for side in (ours, theirs)))


class Comparison:
    """Comparisons by one plan: a Python that has the peers, `cabs`, a folder for files, rounds, and seconds of timed steps."""

    def __init__(self, python, ours, folder, rounds, round_seconds, candidate_seconds):
        self.python, self.ours, self.folder = python, ours, folder
        self.rounds, self.round_seconds, self.candidate_seconds = rounds, round_seconds, candidate_seconds
        # What peers say of themselves.
        self.description = {}

    def rows(self, work, rivals):
        """A row of results for each rival."""
        ours = self.ours.measure(work, warm_up=1, repeats=1)
        work_file = self.ours.export(work, self.folder)
        with contextlib.ExitStack() as stack:
            stack.callback(work_file.unlink)
            picked, optimizer = [], None
            for rival in rivals:
                peers = self.start(work_file, rival.modes, stack)
                times = {}
                way = self.pick(work, [Way(peer, optimizer or "sgd") for peer in peers], ours, times)
                if optimizer is None:
                    # The update is the same whatever made the gradients, so that the first rival finds the faster one.
                    way = self.pick(work, [way, Way(way.peer, "fused-sgd")], ours, times)
                    optimizer = way.optimizer
                picked.append((rival, way, {str(way): found for way, found in times.items()}))
                for peer in peers:
                    if peer is not way.peer:
                        peer.close()
            return self.take_turns(work, ours, picked)

    def start(self, work_file, modes, stack):
        """A process for each mode and memory format; they build and compile their networks at the same time."""
        peers = [stack.enter_context(contextlib.closing(
            Peer(self.python, work_file, mode, memory_format, self.ours.instruction_set, self.ours.threads)))
            for mode in modes for memory_format in ("contiguous", "channels-last")]
        for peer in peers:
            self.description = peer.answer()
        return peers

    def pick(self, work, ways, ours, times):
        """The fastest way. Adds what a step took each way to `times`, in milliseconds, in the order of the turns."""
        for way in ways:
            answer = way.measure({"warm_up": 1, "repeats": 1})
            check_same_work(work, ours, answer, way)
            times.setdefault(way, []).append(answer["milliseconds_per_step"])
        # One step is enough to leave out what takes half as long again, if it is not a short one. Minima, since all that disturbs
        # makes steps longer.
        first = min(min(times[way]) for way in ways)
        nearly = [way for way in ways if min(times[way]) <= 1.5 * max(first, self.candidate_seconds * 1e3 / 5)]
        if len(nearly) > 1:
            counts = step_counts(first, self.candidate_seconds, least=1)
            for way in nearly:
                times[way].append(way.measure(counts)["milliseconds_per_step"])
        return min(nearly, key=lambda way: min(times[way]))

    def take_turns(self, work, ours, picked):
        slowest = max([ours["milliseconds_per_step"], *(min(times[str(way)]) for _, way, times in picked)])
        counts = step_counts(slowest, self.round_seconds)
        our_lines, lines = [], [[] for _ in picked]
        for _ in range(self.rounds):
            our_lines.append(self.ours.measure(work, **counts))
            for (_, way, _), found in zip(picked, lines):
                found.append(way.measure(counts))
                check_same_work(work, our_lines[-1], found[-1], way)
        rows, rates = [], [line["examples_per_second"] for line in our_lines]
        for (rival, way, times), found in zip(picked, lines):
            their_rates = [line["examples_per_second"] for line in found]
            rows.append({
                "part": rival.part, "model": work.name, "batch_size": work.batch_size, "at_least": rival.at_least,
                "measured": [a / b for a, b in zip(rates, their_rates)], "ours": rates, "theirs": their_rates,
                "way": str(way), "candidates_milliseconds": times, **counts,
                "nominal_gigaflops": statistics.median(line["nominal_gigaflops"] for line in our_lines),
                "peak_memory_bytes": {"ours": our_lines[-1]["peak_memory_bytes"], "theirs": found[-1]["peak_memory_bytes"]}})
        return rows
