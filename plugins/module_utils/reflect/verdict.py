# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What limited a trial, with the evidence, or that it cannot be told."""

from __future__ import annotations

from dataclasses import dataclass

# A polling core that moves packets in less than this share of its cycles had time to spare.
_BUSY = 0.95
# A generator whose ring refused less than this share of what it offered never had to wait for anybody.
_REFUSED = 0.01
# A forwarding thread is alone on its core when it gets all of it; less means that something else ran there.
_ALONE = 0.97
# pktgen and others pace themselves to the link speed and reach it to within a per cent.
_AT_LINK_SPEED = 0.01
# Rates inside one window that differ by more than this were not one rate.
_UNSTABLE = 0.25


@dataclass(frozen=True)
class Evidence:
    """What a trial showed. Ratios are from 0 to 1, None where nobody could measure them."""

    reflector: str
    generator: str
    reflector_busy: float | None
    refused: float | None
    cpu: dict[str, float]
    # What was sent, by which generators pace themselves.
    l1_mbps: float
    link_speed_mbps: int | None
    sample_pps: tuple[float, ...] = ()


def judge(evidence: Evidence) -> dict[str, str]:
    """``limit`` is one of link-speed-cap, cpu-contention, <end>-cpu, unstable, undetermined."""
    speed = evidence.link_speed_mbps
    if speed and abs(evidence.l1_mbps - speed) <= speed * _AT_LINK_SPEED:
        return _verdict("link-speed-cap", f"{evidence.l1_mbps:.0f} Mbit/s (L1) sent of a link speed of {speed} Mbit/s")
    for end, share in evidence.cpu.items():
        if share < _ALONE:
            return _verdict("cpu-contention", f"{end}'s forwarding cores got {share:.0%} of their CPUs' time")
    swing = _swing(evidence.sample_pps)
    if swing is not None and swing > _UNSTABLE:
        return _verdict(
            "unstable",
            f"within the window the rate went from {min(evidence.sample_pps) / 1e6:.2f} to"
            f" {max(evidence.sample_pps) / 1e6:.2f} Mpps",
        )
    if evidence.reflector_busy is not None and evidence.refused is None and evidence.reflector_busy < _BUSY:
        # Such as the kernel's pktgen, which knows nothing of what its ring refuses.
        return _verdict(
            f"{evidence.generator}-cpu",
            f"{evidence.reflector} moved packets in {evidence.reflector_busy:.0%} of its cycles and waited in others",
        )
    if evidence.reflector_busy is None or evidence.refused is None:
        return _verdict("undetermined", f"{evidence.reflector} or {evidence.generator} counts no cycles or refusals")
    said = (
        f"{evidence.reflector} moved packets in {evidence.reflector_busy:.0%} of its cycles;"
        f" the ring refused {evidence.refused:.1%} of what {evidence.generator} offered"
    )
    if evidence.reflector_busy >= _BUSY and evidence.refused > _REFUSED:
        return _verdict(f"{evidence.reflector}-cpu", said)
    if evidence.reflector_busy < _BUSY and evidence.refused <= _REFUSED:
        return _verdict(f"{evidence.generator}-cpu", said)
    if evidence.reflector_busy < _BUSY:
        return _verdict("undetermined", f"{said}: each end waited for the other part of the time")
    return _verdict("undetermined", f"{said}: both ends were full")


def _swing(samples: tuple[float, ...]) -> float | None:
    """(highest - lowest) / mean of the rates inside a window."""
    if len(samples) < 3:
        return None
    return (max(samples) - min(samples)) / (sum(samples) / len(samples)) if sum(samples) else 0.0


def _verdict(limit: str, evidence: str) -> dict[str, str]:
    return {"limit": limit, "evidence": evidence}
