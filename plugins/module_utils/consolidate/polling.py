# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""For how long vhost's worker polls for a tap, as QEMU was told: its command line has it, and nobody else."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.consolidate.policies import PLAIN, POLL
from ansible_collections.virtperf.vhost.plugins.module_utils.consolidate.setup import EMULATOR, VCPU, Guest
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host
from ansible_collections.virtperf.vhost.plugins.module_utils.vhost.netdevs import options


def observed(host: Host, guest: Guest) -> dict[str, int]:
    """Microseconds by tap, 0 for not at all."""
    threads = [*guest.threads[EMULATOR], *guest.threads[VCPU]]
    words = host.read_or(f"{host.proc}/{threads[0].pid}/cmdline").split("\0")
    return of_words(words)


def of_words(words: Sequence[str]) -> dict[str, int]:
    """The same, from a command line."""
    found = {}
    for word, following in zip(words, words[1:]):
        if word in ("-netdev", "--netdev"):
            given = _read(following)
            polls = str(given.get("poll-us", 0))
            if given.get("type") == "tap" and given.get("ifname") and polls.isdigit():
                found[str(given["ifname"])] = int(polls)
    return found


def check(host: Host, guests: Sequence[Guest], poll_us: int) -> None:
    """VirtperfError for a guest whose NICs do not poll as the policies need it: nothing would differ then."""
    for guest in guests:
        found = observed(host, guest)
        for nic, wanted in ((PLAIN, 0), (POLL, poll_us)):
            tap = guest.nics[nic].tap
            if found.get(tap, 0) != wanted or tap not in found:
                raise VirtperfError(
                    f"the worker of guest {guest.name}'s NIC {nic} ({tap}) shall poll for {wanted} µs",
                    found=f"QEMU was told {found[tap]} µs" if tap in found else f"no tap {tap} on its command line",
                    way_out="start it with the taps that the plan lists",
                )


def _read(text: str) -> Mapping[str, Any]:
    if not text.startswith("{"):
        return options(text)
    try:
        read = json.loads(text)
    except ValueError:
        return {}
    return read if isinstance(read, dict) else {}
