"""What to ask before ratings are used: values that few use, inverted or exchanged masks, raters who never meet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from ..base import IGNORE
from .label_values import LabelValues, count_words
from .value_counts import CaseValues, FileValues
from .vocabulary import CLASSES_WORDS, ClassOf, class_pairs, edge_values, exchanged, halfway, renamed, threshold_words

STRAY = 1e-3
"""A value that one file alone has, in a smaller share of its voxels, may be a slip of the hand."""
NEARLY_ALL = 0.9
"""Share of a rater's files from which something holds of nearly all of them."""
HARDLY = 0.1
"""Mean Dice of raters below which they may not have seen the same image."""
NAMED = 3
"""Raters or values of a kind that are named one by one."""


def questions(found: Sequence[CaseValues], labels: LabelValues, *, declared: bool) -> tuple[str, ...]:
    """Sentences about what may be wrong with ratings, each with the mend; ``declared``: somebody said what values mean."""
    return (
        *([] if declared else [*_of_single_raters(found, labels), *_along_edges(found, labels), *_numbered(found, labels)]),
        *_one_sided(found, labels),
        *_exchanged(found, labels),
        *_inverted(found, labels, declared=declared),
        *hardly_meeting(found, labels),
    )


def copies(found: Sequence[CaseValues]) -> tuple[str, ...]:
    """Pairs of raters with equal masks, a sentence each, the most frequent first."""
    together: dict[tuple[str, str], int] = Counter(pair for case in found for pair in case.copies)
    lines = []
    for (rater, other), n in sorted(together.items(), key=lambda item: -item[1]):
        common = sum(rater in case.files and other in case.files for case in found)
        where = f"in {n} of {common} cases" if common > 1 else "in their only common case"
        lines.append(f"{rater} and {other} have identical masks {where}: if one is a copy of the other, leave it out")
    return tuple(lines)


def class_of_values(labels: LabelValues) -> ClassOf:
    """The class of each counted value; None where it was not judged."""

    def class_of(case: CaseValues, value: int) -> int | None:
        if value in labels.ignored and not case.binarised:
            return None
        if case.binarised:
            return None if value == IGNORE else value
        if labels.threshold is not None:
            return int((value >= labels.threshold) != labels.darker)
        # Values without a class are an error when the file is read.
        return labels.table.get(value)

    return class_of


def _of_single_raters(found: Sequence[CaseValues], labels: LabelValues) -> list[str]:
    """Values that one rater alone uses in cases that others rated, too: three stray voxels, or another convention."""
    users: dict[int, set[str]] = {}
    files: dict[int, list[FileValues]] = {}
    shared = False
    for case in found:
        shared |= len(case.files) > 1
        for rater, file in case.files.items():
            for value in file.counts.keys() - labels.ignored - {0}:
                users.setdefault(value, set()).add(rater)
                # What a rater uses where nobody else rated tells nothing about the others.
                files.setdefault(value, []).extend([file] if len(case.files) > 1 else [])
    single = {value: files[value] for value, who in users.items() if shared and len(who) == 1 and files[value]}
    if len(labels.classes) == 2:
        return []  # Masks of 0 and 1 beside masks of 0 and 255 mean the same.
    common = [value for value, who in users.items() if len(who) > 1] or sorted(users)
    lines = []
    for rater in sorted({next(iter(users[value])) for value in single}):
        mine = {value: where for value, where in single.items() if users[value] == {rater}}
        counts = {value: sum(file.counts[value] for file in where) for value, where in mine.items()}
        stray = all(len(f) == 1 and counts[v] <= STRAY * sum(f[0].counts.values()) for v, f in mine.items())
        what = "voxels that were marked by mistake" if stray else "the same class under another value"
        value = min(mine)
        lines.append(
            f"{mine[value][0].file} has {count_words(counts)}, and no rater but {rater} uses "
            f"{'it' if len(counts) == 1 else 'them'}: for {what}, map the value to a class "
            f"([classes] foreground = [{common[0]}, {value}] in dataset.toml, or fuse --classes "
            f"background=0,foreground={common[0]}+{value}), declare ignore = {value}, or binarise with a threshold; "
            f"a class of its own is declared likewise"
        )
    return lines


def _along_edges(found: Sequence[CaseValues], labels: LabelValues) -> list[str]:
    """Few values that lie along edges alone: a smooth outline, or a thin class."""
    files = [file for case in found for file in case.files.values()]
    smooth: dict[int, FileValues] = {}
    for file in files:
        for value in edge_values(file, labels.ignored):
            smooth.setdefault(value, file)
    if not smooth:
        return []
    value, file = next(iter(smooth.items()))
    present = sorted({v for f in files for v in f.counts} - labels.ignored)
    return [
        f"{file.file} has {count_words({value: file.counts[value]})}, nearly all of them on edges between other values: if the "
        f"outline is smooth, binarise it ({threshold_words(halfway(present[0], present[-1]))}); if it is a thin class, "
        f"declare the classes ({CLASSES_WORDS})"
    ]


def _numbered(found: Sequence[CaseValues], labels: LabelValues) -> list[str]:
    """Files with the values 1 to n, where n differs from file to file, as numbers of objects do."""
    files = [file for case in found for file in case.files.values()]
    used = [file.counts.keys() - labels.ignored - {0} for file in files]
    most = [len(values) for values in used]
    if all(values == set(range(1, len(values) + 1)) for values in used) and len(set(most)) >= 3 and max(most) >= 5:
        worst = files[int(np.argmax(most))]
        fewer = ", ".join(map(str, sorted(set(most))[:3]))
        return [
            f"{worst.file} has the values 1 to {max(most)}, and other files stop at {fewer}: if they number objects, make all "
            f"of them foreground ({threshold_words(1)}); else declare the classes ({CLASSES_WORDS})"
        ]
    return []


def _one_sided(found: Sequence[CaseValues], labels: LabelValues) -> list[str]:
    """Files with several values on one side of the threshold, which have another range than the others."""
    if labels.threshold is None:
        return []
    flat = [file for case in found for file in case.files.values() if _one_side(case, file, labels)]
    if not flat:
        return []
    many = f" and {len(flat) - 1} more files" if len(flat) > 1 else ""
    return [
        f"{flat[0].file}{many} have several values, but all on one side of threshold = {labels.threshold:g}, which makes one "
        "class of them: do these files have other values for the same classes?"
    ]


def _one_side(case: CaseValues, file: FileValues, labels: LabelValues) -> bool:
    if case.binarised or labels.threshold is None:
        return file.one_side
    values = file.counts.keys() - labels.ignored
    return len(values) > 1 and len({value >= labels.threshold for value in values}) == 1


def _exchanged(found: Sequence[CaseValues], labels: LabelValues) -> list[str]:
    class_of = class_of_values(labels)
    if (said := renamed(found, class_of)) is not None:
        return [f"{said}: do the values mean the same in all files? if they number objects, {threshold_words(1)}"]
    pooled: dict[tuple[str, str], Counter[tuple[int, int]]] = {}
    for case in found:
        for pair in case.pairs:
            pooled.setdefault(pair, Counter()).update(class_pairs(case, pair, class_of))
    lines = []
    for (rater, other), table in pooled.items():
        to, _ = exchanged(table)
        back, _ = exchanged({(theirs, mine): n for (mine, theirs), n in table.items()})
        swapped = sorted(mine for mine, theirs in to.items() if back.get(theirs) == mine and to.get(theirs) == mine)
        if swapped:
            one, two = labels.classes[swapped[0]], labels.classes[to[swapped[0]]]
            lines.append(
                f"where {rater} has {one!r}, {other} mostly has {two!r}, and the reverse: has one of them exchanged the two?"
            )
    return lines[:NAMED]


def _without_background(found: Sequence[CaseValues], labels: LabelValues) -> list[str]:
    """Values of which none is 0, such as 1 and 2: the first is taken for a class, and nothing for the background."""
    class_of = class_of_values(labels)
    values = sorted({value for case in found for file in case.files.values() for value in file.counts} - labels.ignored)
    background = (class_of(case, v) == 0 for case in found for file in case.files.values() for v in file.counts)
    if len(values) < 2 or any(background):
        return []
    return [
        f"no rating has the value 0, so nothing is background; the values are {', '.join(map(str, values[:5]))}: if "
        f"{values[0]} is the background, declare it (background = {values[0]} in [classes] of dataset.toml, or fuse --classes "
        f"background={values[0]},foreground={values[1]}); if the object is dark on white, darker = true (fuse --darker)"
    ]


def _inverted(found: Sequence[CaseValues], labels: LabelValues, *, declared: bool) -> list[str]:
    """Raters in nearly all of whose files a class that is not the background fills most of the image or its outline."""
    if not declared and (lines := _without_background(found, labels)):
        return lines
    class_of = class_of_values(labels)
    filled: dict[str, list[int]] = {}
    shares: dict[str, list[float]] = {}
    for case in found:
        for rater, file in case.files.items():
            inside, outline = (_shares(case, counts, class_of) for counts in (file.counts, file.border))
            # An object that lies within the image is no inverted background, however large it is.
            within = outline.get(0, 0.0) > NEARLY_ALL
            by_area = next((k for k, share in inside.items() if k and share > 0.5 and not within), 0)
            by_outline = next((k for k, share in outline.items() if k and share > NEARLY_ALL), 0)
            filled.setdefault(rater, []).append(by_area or by_outline)
            shares.setdefault(rater, []).append(1 - inside.get(0, 0.0))
    fills = [rater for rater, classes in filled.items() if np.count_nonzero(classes) >= NEARLY_ALL * len(classes)]
    mend = _how_to_invert(labels, declared=declared)
    if fills and len(fills) == len(filled):
        every = [k for classes in filled.values() for k in classes]
        name = labels.classes[Counter(k for k in every if k).most_common(1)[0][0]]
        area = np.mean([share for rater in fills for share in shares[rater]])
        return [
            f"{name!r} fills most of the image or all of its outline in {'every' if all(every) else 'nearly every'} case (the "
            f"foreground is {100 * area:.0f} % of the voxels): are the masks inverted? {mend}; if the object is so large, "
            "nothing is wrong"
        ]
    if alone := [rater for rater in fills if _avoids_the_others(rater, fills, found, class_of)]:
        who = ", ".join(alone[:NAMED]) + (f" and {len(alone) - NAMED} more" if len(alone) > NAMED else "")
        return [
            f"the foreground of {who} fills most of the image, or all of its outline, but not what the other raters mark: are "
            "these masks inverted? Save them with the same values as the others"
        ]
    background = [value for value, k in labels.table.items() if k == 0]
    others = [value for value, k in labels.table.items() if k not in (0, IGNORE)]
    small = [share < 0.5 for rater in shares.values() for share in rater]
    if declared and labels.threshold is None and min(background) > max(others) and np.mean(small) < NEARLY_ALL:
        return [
            f"the background is declared as the largest value ({min(background)}), but does not fill most of the image: are "
            f"the masks inverted? {mend}"
        ]
    return []


def _avoids_the_others(rater: str, fills: Sequence[str], found: Sequence[CaseValues], class_of: ClassOf) -> bool:
    """Whether less than half of what the other raters mark is marked by this one, as by an inverted mask."""
    both = theirs = 0
    for case in found:
        for pair in case.pairs:
            other = pair[1 - pair.index(rater)] if rater in pair else rater
            if other not in fills:
                at = pair.index(other)
                for classes, n in class_pairs(case, pair, class_of).items():
                    theirs += n * bool(classes[at])
                    both += n * bool(classes[at] and classes[1 - at])
    return both < theirs / 2


def _shares(case: CaseValues, counts: Mapping[int, int], class_of: ClassOf) -> dict[int, float]:
    """The share of each class in the judged voxels."""
    voxels: Counter[int] = Counter()
    for value, n in counts.items():
        k = class_of(case, value)
        if k is not None:
            voxels[k] += n
    return {k: n / voxels.total() for k, n in voxels.items()}


def _how_to_invert(labels: LabelValues, *, declared: bool) -> str:
    if labels.threshold is not None:
        return "Take darker = true out" if labels.darker else "The dark part is the object with darker = true (fuse --darker)"
    if declared:
        return "Then exchange the values in [classes]"
    return (
        "Where the object is dark on white, say darker = true in dataset.toml (fuse --darker), or give the values in [classes]"
    )


def hardly_meeting(found: Sequence[CaseValues], labels: LabelValues) -> list[str]:
    """A sentence where the raters of the same cases have next to nothing in common, else none."""
    class_of = class_of_values(labels)
    dice = []
    for case in found:
        mean = []
        for pair in case.pairs:
            table = class_pairs(case, pair, class_of)
            mine = sum(n for (one, _), n in table.items() if one)
            theirs = sum(n for (_, other), n in table.items() if other)
            both = sum(n for (one, other), n in table.items() if one and other)
            if mine and theirs:
                mean.append(2 * both / (mine + theirs))
        dice += [float(np.mean(mean))] if mean else []
    if not dice or float(np.mean(dice)) >= HARDLY:
        return []
    return [
        f"the masks of the raters hardly overlap (mean Dice {np.mean(dice):.2f}): do they show the same image? Each rater's "
        "file of a case must be of one image; in a folder they lie in ratings/<rater>/<case>, not ratings/<case>/<rater>"
    ]
