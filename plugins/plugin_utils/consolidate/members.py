# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The guests that take part: each with two NICs that differ in whether vhost's worker polls, all in one bridge.

A NIC is a network of its own: the policy decides by the address which of them the traffic goes over. Their addresses
are of those kept for benchmarks (RFC 2544).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.consolidate.policies import NICS, PLAIN, POLL
from ansible_collections.virtperf.vhost.plugins.module_utils.consolidate.setup import prefixed

_NETWORKS: Mapping[str, int] = {PLAIN: 1, POLL: 2}
# The hypervisor's own, in each of them.
ADDRESSES: Mapping[str, str] = {nic: f"198.19.{number}.254" for nic, number in _NETWORKS.items()}
# As many addresses as there are beside the hypervisor's.
MOST = 253
_TAPS: Mapping[str, str] = {PLAIN: "vp-con{}", POLL: "vp-con{}-poll"}


@dataclass(frozen=True)
class Member:
    """A guest by its name and its number, from 1 on."""

    name: str
    number: int
    poll_us: int

    @property
    def nics(self) -> dict[str, dict[str, str]]:
        """Tap, MAC and address of each, as M(virtperf.vhost.consolidate_run) takes them."""
        return {
            nic: {
                "tap": _TAPS[nic].format(self.number),
                "mac": f"52:54:00:c5:{_NETWORKS[nic]:02x}:{self.number:02x}",
                "address": f"198.19.{_NETWORKS[nic]}.{self.number}",
            }
            for nic in NICS
        }

    @property
    def taps(self) -> list[dict[str, Any]]:
        """The same as M(virtperf.vhost.qemu_vm) takes them."""
        return [
            {
                "ifname": nic["tap"],
                "mac": nic["mac"],
                "vhost": True,
                **({"poll_us": self.poll_us} if name == POLL else {}),
            }
            for name, nic in self.nics.items()
        ]


def members(names: Sequence[str], poll_us: int) -> list[Member]:
    """In their order."""
    return [Member(name, number, poll_us) for number, name in enumerate(names, start=1)]


def network(bridge: str, of: Sequence[Member]) -> dict[str, Any]:
    """The bridge with all their taps, as M(virtperf.vhost.lab_network) takes it."""
    first, *more = (prefixed(ADDRESSES[nic]) for nic in NICS)
    return {
        "name": bridge,
        "address": first,
        "more_addresses": more,
        "taps": [{"name": nic["tap"]} for member in of for nic in member.nics.values()],
    }
