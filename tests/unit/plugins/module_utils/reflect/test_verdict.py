# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What limited a trial is said only where the evidence says so."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.virtperf.vhost.plugins.module_utils.reflect.verdict import Evidence, judge

STEADY = (1e6, 1.01e6, 0.99e6, 1e6)
EVIDENCE = Evidence(
    reflector="vswitch",
    generator="generator",
    reflector_busy=0.99,
    refused=0.2,
    cpu={"vswitch": 1.0, "generator": 0.99},
    l1_mbps=8000.0,
    link_speed_mbps=None,
    sample_pps=STEADY,
)

LIMITS = {"link-speed-cap", "cpu-contention", "vswitch-cpu", "generator-cpu", "unstable", "undetermined"}
ratios = st.none() | st.floats(0, 1)


def verdict(**changes: object) -> tuple[str, str]:
    found = judge(replace(EVIDENCE, **changes))  # type: ignore[arg-type]
    assert set(found) == {"limit", "evidence"}
    return found["limit"], found["evidence"]


def test_a_reflector_without_a_free_cycle_before_a_full_ring() -> None:
    limit, evidence = verdict()
    assert limit == "vswitch-cpu"
    assert "99% of its cycles" in evidence
    assert "20.0% of what generator offered" in evidence


def test_a_generator_that_never_had_to_wait() -> None:
    assert verdict(reflector_busy=0.7, refused=0.0)[0] == "generator-cpu"


def test_the_roles_may_be_the_other_way_round() -> None:
    cpu = {"vswitch": 1.0, "reflector": 1.0}
    assert verdict(reflector="reflector", generator="vswitch", cpu=cpu)[0] == "reflector-cpu"


@pytest.mark.parametrize(("busy", "refused", "words"), [(0.7, 0.2, "waited"), (0.99, 0.0, "both ends were full")])
def test_signs_that_do_not_agree_decide_nothing(busy: float, refused: float, words: str) -> None:
    limit, evidence = verdict(reflector_busy=busy, refused=refused)
    assert limit == "undetermined"
    assert words in evidence


@pytest.mark.parametrize("missing", ["reflector_busy", "refused"])
def test_without_evidence_there_is_no_verdict(missing: str) -> None:
    limit, evidence = verdict(**{missing: None})
    assert limit == "undetermined"
    assert "counts no cycles or refusals" in evidence


def test_a_reflector_that_waits_tells_of_a_generator_that_counts_nothing() -> None:
    limit, evidence = verdict(refused=None, reflector_busy=0.3)
    assert limit == "generator-cpu"
    assert "30%" in evidence


@pytest.mark.parametrize(
    ("l1_mbps", "limit"), [(9_950.0, "link-speed-cap"), (9_800.0, "vswitch-cpu"), (12e3, "vswitch-cpu")]
)
def test_a_rate_just_at_the_link_s_speed_is_its_cap(l1_mbps: float, limit: str) -> None:
    assert verdict(link_speed_mbps=10_000, l1_mbps=l1_mbps)[0] == limit


def test_a_core_that_was_shared_explains_all_else() -> None:
    limit, evidence = verdict(cpu={"vswitch": 1.0, "generator": 0.6})
    assert limit == "cpu-contention"
    assert "generator's forwarding cores got 60%" in evidence


def test_two_rates_in_one_window_are_not_one_rate() -> None:
    limit, evidence = verdict(sample_pps=(6e6, 15e6, 6e6, 15e6))
    assert limit == "unstable"
    assert "from 6.00 to 15.00 Mpps" in evidence


@pytest.mark.parametrize("samples", [(), (1e6,), (1e6, 9e6), (0.0, 0.0, 0.0)])
def test_too_few_samples_show_no_instability(samples: tuple[float, ...]) -> None:
    assert verdict(sample_pps=samples)[0] == "vswitch-cpu"


@given(
    busy=ratios,
    refused=ratios,
    shares=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    l1_mbps=st.floats(0, 1e6),
    speed=st.none() | st.integers(1, 400_000),
    samples=st.lists(st.floats(0, 1e8), max_size=5).map(tuple),
)
def test_there_is_always_a_verdict_with_its_evidence(
    busy: float | None, refused: float | None, shares: tuple[float, float], l1_mbps: float, speed: int | None,
    samples: tuple[float, ...],
) -> None:  # fmt: skip
    cpu = dict(zip(("vswitch", "generator"), shares, strict=True))
    limit, evidence = verdict(
        reflector_busy=busy, refused=refused, cpu=cpu, l1_mbps=l1_mbps, link_speed_mbps=speed, sample_pps=samples
    )
    assert limit in LIMITS
    assert evidence
