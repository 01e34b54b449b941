# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a timeline is run on: the two ends of the stream, their taps, the threads and cgroups that serve them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.sampler.threads import Watched
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.ends import End
from ansible_collections.virtperf.vhost.plugins.module_utils.throttle.phases import Phase, parse

# "other" is traffic that we only watch.
WORKLOADS = ("iperf3", "vnc", "other")
LAYOUTS = ("kthread", "qemu-thread", "libvirt")
ROLES = ("worker", "vcpu", "emulator")
ENDS = ("server", "client")
# A phase and its changes must end well before the host's lock counts as abandoned.
_LONGEST_TIMELINE_S = 3600.0


@dataclass(frozen=True)
class Timing:
    """Seconds: the pace of samples, that of looks at sockets, the beginning of each phase that its rates leave out,
    and traffic before the first phase.
    """

    period_s: float = 0.1
    sockets_s: float = 1.0
    settle_s: float = 2.0
    warmup_s: float = 2.0


@dataclass(frozen=True)
class Setup:
    """``taps`` maps "server" and "client" to their interfaces, ``bridge`` are interfaces in between. ``roles`` maps
    labels of ``threads`` to one of ROLES. ``cgroups`` maps labels to the directories whose limit is changed. ``sender``
    is the end that the stream comes from. ``trace`` is whether bpftrace looks at the workers all along.
    """

    workload: str
    layout: str
    phases: Sequence[Phase]
    trials: int
    server: End
    client: End
    sender: str
    taps: Mapping[str, Sequence[str]]
    bridge: Sequence[str]
    threads: Sequence[Watched]
    roles: Mapping[str, str]
    cgroups: Mapping[str, str]
    timing: Timing = field(default_factory=Timing)
    trace: bool = False

    @property
    def receiver(self) -> str:
        """The end that the stream goes to."""
        return "client" if self.sender == "server" else "server"

    @property
    def interfaces(self) -> list[str]:
        """All that are sampled, each once."""
        taps = [name for end in ENDS for name in self.taps.get(end, ())]
        return list(dict.fromkeys([*taps, *self.bridge]))

    @property
    def seconds(self) -> float:
        """All phases together."""
        return sum(phase.seconds for phase in self.phases)


def setup(raw: Mapping[str, Any]) -> Setup:
    """From a module's arguments; VirtperfError for what cannot be."""
    threads, roles = [], {}
    for item in raw["threads"]:
        if item["role"] not in ROLES or item["label"] in roles:
            raise VirtperfError(
                f"thread {item['label']} cannot be watched",
                found=f"role {item['role']}" if item["label"] not in roles else "another one of that label",
                way_out=f"a label of its own and a role of {', '.join(ROLES)}",
            )
        roles[item["label"]] = item["role"]
        threads.append(Watched(item["label"], item["pid"], item["tid"], item.get("start") or 0))
    phases = parse(raw["phases"])
    made = Setup(
        workload=raw["workload"],
        layout=raw["layout"],
        phases=phases,
        trials=raw["trials"],
        server=_end("server", raw.get("server")),
        client=_end("client", raw.get("client")),
        sender=raw["sender"],
        taps={end: list((raw.get(end) or {}).get("interfaces") or ()) for end in ENDS},
        bridge=list(raw.get("bridge") or ()),
        threads=threads,
        roles=roles,
        cgroups=dict(raw["cgroups"]),
        timing=Timing(raw["sample_seconds"], raw["socket_seconds"], raw["settle_seconds"], raw["warmup_seconds"]),
        trace=bool(raw.get("trace")),
    )
    _check(made)
    return made


def _end(role: str, raw: Mapping[str, Any] | None) -> End:
    raw = raw or {}
    texts = {key: tuple(str(word) for word in raw.get(key) or ()) for key in ("through", "command", "ready", "sockets")}
    return End(str(raw.get("name") or role), **texts)


def _check(made: Setup) -> None:
    for name, value, low, high in (
        ("trials", made.trials, 1, 1000),
        ("sample_seconds", made.timing.period_s, 0.01, 10.0),
        ("socket_seconds", made.timing.sockets_s, 0.1, 60.0),
        ("settle_seconds", made.timing.settle_s, 0.0, 600.0),
        ("warmup_seconds", made.timing.warmup_s, 0.0, 600.0),
        ("the seconds of all phases", made.seconds, 1.0, _LONGEST_TIMELINE_S),
    ):
        if not low <= value <= high:
            raise VirtperfError(f"{name} cannot be {value:g}", way_out=f"from {low:g} to {high:g}")
    if not made.cgroups and any(phase.cpu_max.quota_us is not None for phase in made.phases):
        raise VirtperfError(
            "there is no cgroup to limit",
            found="phases with a quota and no cgroups",
            way_out="put the vhost workers into one first, see the module vhost_cgroup; a VM with vhost=off has none",
        )
    if not made.taps.get(made.receiver):
        raise VirtperfError(
            f"nothing says on which interface the stream reaches the {made.receiver}",
            way_out=f"name its taps in {made.receiver}.interfaces",
        )
