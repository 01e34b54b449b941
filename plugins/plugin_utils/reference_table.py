# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reference's figures beside ours, as lines of table.txt."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from textwrap import wrap

from ansible_collections.virtperf.vhost.plugins.plugin_utils.reference import NOT_KNOWN, Comparison, Pair
from ansible_collections.virtperf.vhost.plugins.plugin_utils.wording import mbits, mpps, one_line

_NONE = "-"


def theirs_l1(pair: Pair) -> str:
    """Their Mbit/s, as they were quoted."""
    return pair.theirs.shown if pair.theirs else NOT_KNOWN


def ours_l1(pair: Pair) -> str:
    """Our Mbit/s."""
    return _NONE if pair.our_l1_mbps is None else mbits(pair.our_l1_mbps)


def theirs_mpps(pair: Pair) -> str:
    """The packets that their Mbit/s are."""
    return mpps(pair.theirs.pps) if pair.theirs else _NONE


def ours_mpps(pair: Pair) -> str:
    """Our packets."""
    return _NONE if pair.our_pps is None else mpps(pair.our_pps)


def ratio(pair: Pair) -> str:
    """Ours divided by theirs."""
    return _NONE if pair.ratio is None else f"{pair.ratio:.2f}"


LINES: tuple[tuple[str, Callable[[Pair], str]], ...] = (
    ("theirs, L1 Mbit/s", theirs_l1),
    ("ours, L1 Mbit/s", ours_l1),
    ("theirs, Mpps", theirs_mpps),
    ("ours, Mpps", ours_mpps),
    ("ours / theirs", ratio),
)


def reference_lines(comparison: Comparison, width: int) -> Iterator[str]:
    """A block of lines, each at most ``width`` characters."""
    yield "beside the measurement that this study follows"
    yield from _wrapped(comparison.source, width)
    yield from (line for note in comparison.notes for line in _wrapped(note, width, "- "))
    if comparison.rows:
        yield ""
        yield from _aligned(comparison)
    yield ""
    yield "what differs in the setup"
    subjects = max((len(subject) for subject, _theirs, _ours in comparison.differences), default=0)
    for subject, theirs, ours in comparison.differences:
        yield from _hanging(f"  {subject:{subjects}}  theirs: ", one_line(theirs), width)
        yield from _hanging(f"  {'':{subjects}}  ours:   ", one_line(ours), width)


def _aligned(comparison: Comparison) -> Iterator[str]:
    table = [["", "", *map(str, comparison.sizes)]]
    for row, pairs in comparison.rows:
        for number, (label, word) in enumerate(LINES):
            cells = (word(pairs[size]) if size in pairs else "" for size in comparison.sizes)
            table.append([row.label if number == 0 else "", label, *cells])
    widths = [max(len(line[column]) for line in table) for column in range(len(table[0]))]
    for line in table:
        yield "  ".join(
            word.ljust(width) if column < 2 else word.rjust(width)
            for column, (word, width) in enumerate(zip(line, widths, strict=True))
        )


def _wrapped(words: str, width: int, bullet: str = "") -> list[str]:
    return wrap(one_line(words), width, initial_indent=f"  {bullet}", subsequent_indent=" " * (2 + len(bullet)))


def _hanging(head: str, words: str, width: int) -> list[str]:
    return wrap(words, width, initial_indent=head, subsequent_indent=" " * len(head))
