"""What a row of results says, and whether it reaches its target.

A row has `measured`, one figure for each round, and its bound: `at_least` or `at_most`.
"""
import statistics


def holds(row):
    median = statistics.median(row["measured"])
    return median >= row["at_least"] if "at_least" in row else median <= row["at_most"]


def bound(row):
    return f"≥ {row['at_least']:g}" if "at_least" in row else f"≤ {row['at_most']:g}"


def spread(row):
    """Lowest, median and highest, as texts; of bounds close to 1 thousandths count."""
    digits = 3 if row["part"] == "statistics" else 2
    values = min(row["measured"]), statistics.median(row["measured"]), max(row["measured"])
    return tuple(f"{value:.{digits}f}" for value in values)


def subject(row):
    return f"{row['model']}, {row['batch_size']}"
