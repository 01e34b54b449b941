# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several changes as one: all are made, or everything is left as it was."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.journal import Journal


@dataclass(frozen=True)
class Step:
    """A change that journals itself before it is made.

    ``revert`` takes back what there is of it, which may be nothing yet, and says what could not be taken back, or "".
    """

    apply: Callable[[], None]
    revert: Callable[[], str]


def all_or_nothing(journal: Journal, steps: Sequence[Step]) -> None:
    """Apply the steps in order; when one fails, take it and those before it back and let the failure pass.

    What was taken back goes from the journal too: to undo it again later would meet the changes of others.
    """
    known = {entry.number for entry in journal.entries()}
    begun: list[Step] = []
    try:
        for step in steps:
            begun.append(step)
            step.apply()
    except BaseException as error:
        left = [text for text in map(_revert, reversed(begun)) if text]
        entries = journal.entries()
        kept = [entry for entry in entries if entry.number in known]
        if not left and kept != entries:
            journal.keep_only(kept)
        if isinstance(error, VirtperfError):
            raise _with_outcome(error, left) from error
        raise


def _revert(step: Step) -> str:
    try:
        return step.revert()
    except (VirtperfError, OSError) as error:
        return str(error)


def _with_outcome(error: VirtperfError, left: list[str]) -> VirtperfError:
    outcome = f"not all could be put back: {'; '.join(left)}" if left else "everything is as it was before"
    what = f"{error.what}; {outcome}"
    return VirtperfError(what, found=error.found, way_out=error.way_out, **{**error.facts, "left_changed": left})
