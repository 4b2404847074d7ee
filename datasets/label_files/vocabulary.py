"""Which classes the values in label files are, where nobody declared them, and which values cannot be classes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from ...errors import RaterbenchError
from ..base import IGNORE
from .label_values import TWO, LabelValues, count_words, with_ignore
from .value_counts import CaseValues, FileValues

MOST_FOUND = 32
"""Different values above 0 that may be classes without being declared: more than most label maps have."""
EDGE = 0.8
"""Share of a value's voxels that lie between lower and higher ones, from which it is the smooth edge of a mask."""
SMOOTH = 3
"""Values along edges that make a mask with smooth edges certain; fewer may be a thin class."""
RENAMED = 3
"""Foreground values of a rater where another mostly has other ones, from which values are no classes."""
FEWEST = 5
"""Voxels of a value below which nothing is concluded from where they lie."""


def find_classes(found: Iterable[CaseValues], declared: LabelValues | None = None, ignore: int | None = None) -> LabelValues:
    """The declared classes; else every value is a class, 0 the background, and 0 and 1 mean what 0 and 255 do.

    Raises:
        RaterbenchError: nothing is declared and the values are too many for classes, smooth edges, or numbers of objects; the
            file and the values are named.
    """
    if declared is not None and declared.complete:
        return declared
    cases = list(found)
    files = [file for case in cases for file in case.files.values()]
    used = [set(file.counts) - {ignore} for file in files]
    present = {value for values in used for value in values}
    white = all(values <= {0, 1} or values <= {0, 255} for values in used)
    if declared is not None:
        low, high = min(present, default=0), max(present, default=1)
        return replace(declared, threshold=1 if white else halfway(low, high))
    _refuse_many(files, ignore)
    _refuse_smooth(files, ignore)
    _refuse_numbers(cases, ignore)
    others = sorted(present - {0}) or [1]
    two = len(others) == 1 or white
    names = TWO if two else (TWO[0], *(f"label {value}" for value in others))
    table = {0: 0, **{value: 1 if two else k for k, value in enumerate([1, 255] if white and 255 in others else others, 1)}}
    return LabelValues(names, with_ignore(table, ignore))


def halfway(low: int, high: int) -> int:
    """The threshold that a mask between two values has if nobody says another: 128 for 0 and 255."""
    return (low + high + 1) // 2


def first_gap(found: Sequence[CaseValues], labels: LabelValues) -> str | None:
    """Says where the values found leave gaps, so that they are hardly 0, 1, 2 and so on (or 0 and 255); None without gaps."""
    values = sorted(value for value, index in labels.table.items() if index != IGNORE)
    if len(labels.classes) == 2 and set(values) <= {0, 1, 255}:
        return None
    files = [file for case in found for file in case.files.values()]
    present = sorted({value for file in files for value in file.counts} - labels.ignored)
    for value in present:
        if value != 0 and (value < 0 or value - 1 not in (0, *present)):
            file = next(file for file in files if value in file.counts)
            return (
                f"{file.file} has {count_words({value: file.counts[value]})}, but the ratings together have the values "
                f"{', '.join(map(str, present[:8]))}"
            )
    return None


def threshold_words(threshold: int) -> str:
    """How to say it: in the folder's settings, or with the command that takes files."""
    return f"threshold = {threshold} in dataset.toml, or fuse --threshold {threshold}"


CLASSES_WORDS = "[classes] in dataset.toml, or fuse --classes"


def _span(file: FileValues, ignore: int | None) -> tuple[int, int]:
    values = sorted(set(file.counts) - {ignore})
    return values[0], values[-1]


def _refuse_many(files: Sequence[FileValues], ignore: int | None) -> None:
    present = {value for file in files for value in file.counts} - {0, ignore}
    if len(present) <= MOST_FOUND:
        return
    worst = max(files, key=lambda file: len(file.counts))
    n, (low, high) = len(set(worst.counts) - {ignore}), _span(worst, ignore)
    rest = [value for value in worst.counts if value not in (low, high, ignore)]
    grey = threshold_words(halfway(low, high))
    total = sum(worst.counts[value] for value in rest)
    if total and sum(worst.edges.get(value, 0) for value in rest) / total >= EDGE:
        looks = f"it looks like a mask with smooth edges: binarise it ({grey})"
    elif worst.flat < 0.5:
        looks = f"it looks like a grey image or a map of probabilities: give the mask, or binarise it ({grey})"
    else:
        looks = (
            "they look like numbers of regions or objects, which mean something else in each file: save a value for each "
            f"class instead{f', or make all of them foreground ({threshold_words(1)})' if 0 in worst.counts else ''}"
        )
    raise RaterbenchError(
        f"{worst.file} has {n} different values from {low} to {high}, and all ratings together have {len(present)} beside 0, "
        f"too many to be taken for classes; {looks}; if they are classes, declare them ({CLASSES_WORDS})"
    )


def edge_values(file: FileValues, ignored: Iterable[int | None]) -> list[int]:
    """Values of a file that lie, nearly everywhere, between a lower and a higher one."""
    skip = set(ignored)
    return [v for v, n in sorted(file.edges.items()) if v not in skip and n >= EDGE * file.counts[v]]


def _refuse_smooth(files: Sequence[FileValues], ignore: int | None) -> None:
    smooth = {value for file in files for value in edge_values(file, {ignore})}
    # A value may lie along edges in one file and be a whole region in another, where it is a class.
    smooth -= {v for file in files for v in file.counts if v in smooth and v not in edge_values(file, {ignore})}
    if len(smooth) < SMOOTH:
        return
    worst = max(files, key=lambda file: len(smooth & set(file.counts)))
    counts = {value: worst.counts[value] for value in sorted(smooth & set(worst.counts))}
    low, high = _span(worst, ignore)
    raise RaterbenchError(
        f"{worst.file} has {count_words(counts)} on the edges between other values: it looks like a mask with smooth "
        f"edges, which would become {len(counts)} classes; binarise it ({threshold_words(halfway(low, high))}), or, if they "
        f"are classes, declare them ({CLASSES_WORDS})"
    )


def _refuse_numbers(found: Sequence[CaseValues], ignore: int | None) -> None:
    said = renamed(found, lambda _, value: None if value == ignore else value)
    if said is not None:
        raise RaterbenchError(
            f"{said}: if they number objects, make all of them foreground ({threshold_words(1)}); if they are classes, give "
            f"them the same values in all files, or declare them as they are ({CLASSES_WORDS})"
        )


ClassOf = Callable[[CaseValues, int], int | None]
"""The class of a value in a case; None where it stands for voxels that were not judged."""


def class_pairs(case: CaseValues, pair: tuple[str, str], class_of: ClassOf) -> Counter[tuple[int, int]]:
    """How often (class of one rater, class of the other) meet in a case, where both judged."""
    table: Counter[tuple[int, int]] = Counter()
    for (one, other), n in case.pairs[pair].items():
        mine, theirs = class_of(case, one), class_of(case, other)
        if mine is not None and theirs is not None:
            table[mine, theirs] += n
    return table


def exchanged(table: Mapping[tuple[int, int], int]) -> tuple[dict[int, int], set[int]]:
    """Foreground classes of one rater where the other mostly has another foreground class (which), and where the same."""
    other, same = {}, set()
    for mine in {one for one, _ in table} - {0}:
        row = {theirs: n for (one, theirs), n in table.items() if one == mine}
        best = max((n, theirs) for theirs, n in {0: 0, **row}.items() if theirs != mine)
        beside = max(((n, theirs) for theirs, n in row.items() if theirs not in (0, mine)), default=(0, 0))
        if sum(row.values()) < FEWEST:
            continue
        if beside[0] >= 2 * row.get(mine, 0) and beside[0] >= sum(row.values()) / 4:
            other[mine] = beside[1]
        elif row.get(mine, 0) >= best[0]:
            same.add(mine)
    return other, same


def renamed(found: Sequence[CaseValues], class_of: ClassOf) -> str | None:
    """Says that raters number what they mark each in their own way, with an example; None if they do not."""
    worst, n_other, n_same = None, 0, 0
    for case in found:
        for pair in case.pairs:
            other, same = exchanged(class_pairs(case, pair, class_of))
            n_other, n_same = n_other + len(other), n_same + len(same)
            if len(other) >= RENAMED and (worst is None or len(other) > len(worst[2])):
                worst = case, pair, other
    if worst is None or n_other <= n_same:
        return None
    case, (rater, other_rater), other = worst
    mine = min(other)
    return (
        f"{case.files[rater].file} and {case.files[other_rater].file} do not mean the same by a value: where the first has "
        f"{mine}, the second mostly has {other[mine]}, and {len(other) - 1} more values differ likewise"
    )
