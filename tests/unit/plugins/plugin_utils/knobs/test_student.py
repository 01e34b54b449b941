# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The statistics: what is asked of scipy, and what is said where it is missing."""

from __future__ import annotations

import random
import sys
from math import inf

import pytest

from ansible_collections.virtperf.vhost.plugins.plugin_utils.knobs import student


def test_quantiles_and_chances_are_those_of_the_tables() -> None:
    assert student.reach(0.05, 4) == pytest.approx(2.77645, rel=1e-5)
    assert student.reaches(0.05, 1, 3) == pytest.approx((12.7062, 4.30265, 3.18245), rel=1e-4)
    assert student.chances([2.77645, -2.77645, 0.0, inf], [4, 4, 4, 2]) == pytest.approx(
        [0.05, 0.05, 1.0, 0.0], rel=1e-4
    )
    assert student.chances([], []) == []


def test_chances_are_adjusted_for_how_many_there_are() -> None:
    assert student.adjusted([0.01, 0.04, 0.03, 0.5]) == pytest.approx([0.04, 0.16 / 3, 0.16 / 3, 0.5])
    assert student.adjusted([0.01]) == [0.01]
    assert student.adjusted([]) == []


def test_equal_spreads_say_much_about_each_other_and_different_ones_little() -> None:
    dice = random.Random(1)

    def spread(of: float) -> float:
        values = [dice.gauss(0, of) for _value in range(5)]
        mean = sum(values) / 5
        return (sum((value - mean) ** 2 for value in values) / 4) ** 0.5

    alike = student.prior([spread(2.0) for _comparison in range(200)], [4.0] * 200)
    assert alike.freedom > 30
    assert alike.deviation == pytest.approx(2.0, rel=0.1)
    mixed = student.prior([spread(dice.choice((0.01, 1.0, 100.0))) for _comparison in range(200)], [4.0] * 200)
    assert mixed.freedom < 2
    deviation, freedom = alike.moderate(0.1, 4)
    assert 0.1 < deviation < alike.deviation
    assert freedom == alike.freedom + 4


def test_few_spreads_say_nothing() -> None:
    assert student.prior([1.0, 2.0], [4, 4]) == student.NO_PRIOR
    assert student.prior([0.0, 0.0, 0.0], [4, 4, 4]) == student.NO_PRIOR
    assert student.NO_PRIOR.moderate(1.5, 4) == (1.5, 4)
    # all the same: as sure as can be
    assert student.prior([1.0] * 5, [4] * 5).freedom == pytest.approx(1e4)
    assert student.prior([1e-300, 1.0, 1e300], [4] * 3).freedom < 0.01


def test_without_scipy_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "scipy"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "scipy", None)
    with pytest.raises(student.ScipyError, match=r"scipy, which the controller's Python lacks.*pip install scipy=="):
        student.load_scipy()


def test_the_version_named_is_the_one_that_is_pinned() -> None:
    import scipy

    assert scipy.__version__ == student.SCIPY_VERSION
