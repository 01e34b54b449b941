# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several changes as one."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.journal import Journal
from ansible_collections.virtperf.vhost.plugins.module_utils.steps import Step, all_or_nothing


class Bench:
    """Steps that write down what happens to them."""

    def __init__(self, directory: Path) -> None:
        self.journal = Journal(Host(state=str(directory / "state")))
        self.journal.append("earlier")
        self.happened: list[str] = []

    def step(self, name: str, *, fails: BaseException | None = None, left: str | Exception = "") -> Step:
        def apply() -> None:
            self.journal.append(name)
            self.happened.append(f"apply {name}")
            if fails:
                raise fails

        def revert() -> str:
            self.happened.append(f"revert {name}")
            if isinstance(left, Exception):
                raise left
            return left

        return Step(apply, revert)

    @property
    def journaled(self) -> list[str]:
        return [entry.resource for entry in self.journal.entries()]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_all(bench: Bench) -> None:
    all_or_nothing(bench.journal, [bench.step("a"), bench.step("b")])
    assert bench.happened == ["apply a", "apply b"]
    assert bench.journaled == ["earlier", "a", "b"]


def test_nothing(bench: Bench) -> None:
    failure = VirtperfError("no b", found="c", way_out="d", number=5)
    with pytest.raises(VirtperfError) as caught:
        all_or_nothing(bench.journal, [bench.step("a"), bench.step("b", fails=failure), bench.step("c")])
    assert bench.happened == ["apply a", "apply b", "revert b", "revert a"]
    assert bench.journaled == ["earlier"]
    assert str(caught.value) == "no b; everything is as it was before (found: c). Way out: d"
    assert caught.value.facts == {"number": 5, "left_changed": []}
    assert caught.value.__cause__ is failure


@pytest.mark.parametrize("failure", [OSError(28, "full", "/x"), KeyboardInterrupt(), ZeroDivisionError()])
def test_any_failure_passes_as_it_is(bench: Bench, failure: BaseException) -> None:
    with pytest.raises(type(failure)) as caught:
        all_or_nothing(bench.journal, [bench.step("a", fails=failure)])
    assert caught.value is failure
    assert bench.happened == ["apply a", "revert a"]
    assert bench.journaled == ["earlier"]


@pytest.mark.parametrize("left", ["a is half", VirtperfError("a is half"), OSError("a is half")])
def test_what_cannot_be_taken_back_stays_in_the_journal(bench: Bench, left: str | Exception) -> None:
    with pytest.raises(VirtperfError, match="no b; not all could be put back: a is half") as caught:
        all_or_nothing(bench.journal, [bench.step("a", left=left), bench.step("b", fails=VirtperfError("no b"))])
    assert caught.value.facts["left_changed"] == ["a is half"]
    assert bench.journaled == ["earlier", "a", "b"]
