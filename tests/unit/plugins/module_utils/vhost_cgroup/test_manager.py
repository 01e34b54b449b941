# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Workers of each kind into a cgroup and back, on a kernel that keeps the rules of threaded cgroups."""

from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.virtperf.vhost.plugins.module_utils import restore
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.journal import Journal
from ansible_collections.virtperf.vhost.plugins.module_utils.vhost_cgroup import manager
from ansible_collections.virtperf.vhost.plugins.module_utils.vhost_cgroup.request import group, parse
from ansible_collections.virtperf.vhost.tests.unit.fake_cgroups import FakeHost, FakeScheduler, Kernel, fake_host

SESSION = "/user.slice/s.scope"
HOME = "/machine.slice/m.scope/libvirt"
LEAF = "/top/killer"
TAP = "tap,id=n{0},ifname=tap{0},vhost=on"


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHost:
    """Two VMs, a (100: tap0, tap1) and b (200: tap2), in a session; workers have yet to be added."""
    host = fake_host(tmp_path, monkeypatch)
    kernel = host.kernel
    kernel.add("/user.slice", enabled="memory pids")
    kernel.add(SESSION)
    kernel.qemu(100, "a", SESSION, [TAP.format(0), TAP.format(1)])
    kernel.tap(100, 10, "tap0")
    kernel.tap(100, 20, "tap1")
    kernel.qemu(200, "b", SESSION, [TAP.format(2)])
    kernel.tap(200, 10, "tap2")
    Path(host.state).mkdir(mode=0o700)
    return host


def workers(kernel: Kernel, *, kthread: bool = False) -> None:
    for pid, tids in ((100, (110, 111)), (200, (210,))):
        for tid in tids:
            kernel.worker(pid, tid, kthread=kthread)


def libvirts(kernel: Kernel, *, enabled: str = "cpu cpuset") -> None:
    """VM a as libvirt keeps it."""
    kernel.groups["/"].enabled |= {"cpu", "cpuset"}
    kernel.add("/machine.slice", "/machine.slice/m.scope", enabled="cpu cpuset memory")
    kernel.add(HOME, enabled=enabled)
    for name in ("emulator", "vcpu0"):
        kernel.groups[f"{HOME}/{name}"] = type(kernel.groups["/"])(threaded=True)
    for tid, (pid, _group) in kernel.tasks.items():
        if pid == 100 or tid in (110, 111):
            kernel.tasks[tid] = (pid, f"{HOME}/{'vcpu0' if tid == 101 else 'emulator'}")
    kernel.show()


def present(host: FakeHost, *vms: dict[str, Any] | str, check: bool = False, **given: Any) -> dict[str, Any]:
    listed = [vm if isinstance(vm, dict) else {"name": vm} for vm in vms]
    request = parse({"cgroup": LEAF, "cpu_max": "1000 1000000", **given, "vms": listed})
    return manager.ensure_present(host, request, check_mode=check, scheduler=FakeScheduler())


def absent(host: FakeHost, cgroup: str = LEAF, *, check: bool = False) -> dict[str, Any]:
    return manager.ensure_absent(host, group(cgroup), check_mode=check, scheduler=FakeScheduler())


def where(kernel: Kernel) -> dict[int, str]:
    return {tid: path for tid, (_pid, path) in kernel.tasks.items()}


def round_trip(host: FakeHost, *vms: dict[str, Any] | str, **given: Any) -> dict[str, Any]:
    """Predicted, done, done again, and taken back in both ways; returns what was done."""
    before = host.kernel.state()
    predicted = present(host, *vms, check=True, **given)
    assert host.kernel.state() == before
    done = present(host, *vms, **given)
    assert predicted == done
    assert done["changed"]
    again = present(host, *vms, **given)
    assert not again["changed"]
    assert not again["diff"]
    assert again["groups"] == done["groups"]
    foreseen = absent(host, given.get("cgroup", LEAF), check=True)
    assert absent(host, given.get("cgroup", LEAF)) == foreseen
    assert foreseen["changed"]
    assert host.kernel.state() == before
    assert not Journal(host).entries()
    assert not absent(host, given.get("cgroup", LEAF))["changed"]
    present(host, *vms, **given)
    outcome = restore.replay(host)
    assert not outcome.failures
    assert host.kernel.state() == before
    return done


def test_kernel_threads_move_as_processes(host: FakeHost) -> None:
    workers(host.kernel, kthread=True)
    done = round_trip(host, "a", cpus="1-2", weight=50)
    (one,) = done["groups"]
    assert (one["type"], one["cpu_max"], one["cpus"], one["cpus_effective"]) == ("domain", "1000 1000000", "1-2", "1-2")
    assert one["weight"] == "50"
    assert [(w["tid"], w["interface"], w["layout"], w["cgroup"]) for w in done["workers"]] == [
        (110, "tap0", "kthread", LEAF),
        (111, "tap1", "kthread", LEAF),
    ]
    assert not any("QEMU" in action for action in done["actions"])


def test_threads_of_qemu_go_below_it(host: FakeHost) -> None:
    workers(host.kernel)
    done = round_trip(host, "a")
    assert done["groups"][0]["type"] == "threaded"
    assert done["groups"][0]["cpus"] is None, "only the controllers wanted"
    present(host, "a")
    now = where(host.kernel)
    assert [now[tid] for tid in (100, 101, 110, 111)] == ["/top", "/top", LEAF, LEAF]
    assert [now[tid] for tid in (200, 201, 210)] == [SESSION] * 3
    assert host.kernel.groups["/top"].enabled == {"cpu"}


def test_one_level_has_qemu_in_the_root(host: FakeHost) -> None:
    workers(host.kernel)
    round_trip(host, "a", "b", cgroup="vhost")
    present(host, "a", "b", cgroup="vhost")
    assert [where(host.kernel)[tid] for tid in (100, 200, 110, 210)] == ["/", "/", "/vhost", "/vhost"]


def test_libvirts_workers_go_beside_the_emulator(host: FakeHost) -> None:
    workers(host.kernel)
    libvirts(host.kernel)
    done = round_trip(host, "a", "b", cpus="3")
    assert [one["path"] for one in done["groups"]] == [f"{HOME}/killer", LEAF]
    assert [w["layout"] for w in done["workers"]] == ["libvirt", "libvirt", "qemu-thread"]
    present(host, "a")
    assert [where(host.kernel)[tid] for tid in (100, 101, 110)] == [
        f"{HOME}/{n}" for n in ("emulator", "vcpu0", "killer")
    ]


def test_kernel_threads_of_a_libvirt_domain(host: FakeHost) -> None:
    workers(host.kernel, kthread=True)
    libvirts(host.kernel)
    done = round_trip(host, "a")
    assert done["groups"][0]["type"] == "domain"
    assert done["workers"][0]["cgroup_before"] == f"{HOME}/emulator"


def test_both_kinds_in_one_cgroup(host: FakeHost) -> None:
    host.kernel.worker(100, 110)
    host.kernel.worker(100, 111)
    host.kernel.worker(200, 210, kthread=True)
    done = round_trip(host, "a", "b")
    assert "move kernel thread 210 of b" in " ".join(done["actions"])


def test_below_a_threaded_domain_kernel_threads_are_threads_as_well(host: FakeHost) -> None:
    host.kernel.worker(100, 110)
    host.kernel.worker(200, 210, kthread=True)
    present(host, "a")
    assert round_trip_of_one(host, "b", "/top/other")["groups"][0]["type"] == "threaded"


def round_trip_of_one(host: FakeHost, vm: str, cgroup: str) -> dict[str, Any]:
    """The same beside another call that is in force."""
    before = host.kernel.state()
    done = present(host, vm, cgroup=cgroup)
    absent(host, cgroup)
    assert host.kernel.state() == before
    return done


def test_from_one_cgroup_to_another_and_back(host: FakeHost) -> None:
    workers(host.kernel)
    present(host, "a")
    done = round_trip_of_one(host, "a", "elsewhere/x")
    assert done["workers"][0]["cgroup_before"] == LEAF


def test_back_means_where_it_was_at_first(host: FakeHost) -> None:
    workers(host.kernel, kthread=True)
    present(host, "a")
    host.kernel.add("/theirs")
    host.kernel.tasks[110] = (110, "/theirs")
    host.kernel.show()
    assert [w["tid"] for w in present(host, "a")["workers"] if w["moved"]] == [110]
    absent(host)
    assert where(host.kernel)[110] == SESSION


def test_workers_of_vsock_are_left_where_they_are(host: FakeHost) -> None:
    workers(host.kernel)
    host.kernel.opens(100, 40, "/dev/vhost-vsock")
    host.kernel.worker(100, 130)
    assert [w["tid"] for w in round_trip(host, "a")["workers"]] == [110, 111]


def test_one_interface(host: FakeHost) -> None:
    workers(host.kernel)
    done = round_trip(host, {"pid": 100, "interface": "tap1"})
    assert [w["tid"] for w in done["workers"]] == [111]


def test_workers_that_come_later_are_swept_up_and_taken_back(host: FakeHost) -> None:
    before = host.kernel.state()
    host.kernel.worker(100, 110)
    present(host, "a")
    host.kernel.worker(100, 111)
    assert where(host.kernel)[111] == "/top", "new threads begin where QEMU is"
    swept = present(host, "a")
    assert swept["actions"] == [f"move vhost worker 111 of a (tap1) from /top to {LEAF}"]
    absent(host)
    assert where(host.kernel)[111] == SESSION
    host.kernel.worker(100, 110)
    present(host, "a")
    host.kernel.worker(100, 111, group="/top")
    present(host, "a")
    assert not restore.replay(host).failures
    assert host.kernel.state()[0] == before[0]
    assert set(where(host.kernel).values()) == {SESSION}


def test_only_what_is_given_changes(host: FakeHost) -> None:
    workers(host.kernel)
    present(host, "a", weight=50)
    done = present(host, "a", cpu_max="max")
    assert done["actions"] == [f"set cpu.max of {LEAF} to max 1000000"]
    assert done["groups"][0]["weight"] == "50"
    assert not present(host, "a", cpu_max="max 1000000")["changed"]


def test_lists_are_compared_by_meaning(host: FakeHost) -> None:
    workers(host.kernel)
    present(host, "a", cpus="0-3")
    assert not present(host, "a", cpus="0,1,2,3")["changed"]
    assert present(host, "a", cpus="")["groups"][0]["cpus_effective"] == "0-3"


def test_a_cgroup_that_was_there_keeps_what_it_had(host: FakeHost) -> None:
    workers(host.kernel, kthread=True)
    host.kernel.groups["/"].enabled.add("cpu")
    host.kernel.add("/ours")
    host.kernel.groups["/ours"].values["cpu.max"] = "7000 100000"
    host.kernel.show()
    round_trip(host, "a", cgroup="ours")


def test_an_empty_domain_that_was_there_turns_threaded_and_back(host: FakeHost) -> None:
    workers(host.kernel)
    host.kernel.groups["/"].enabled.add("cpu")
    host.kernel.add("/ours")
    host.kernel.groups["/ours"].values.update({"cpu.max": "7000 100000", "cpu.weight": "30"})
    host.kernel.show()
    round_trip(host, "a", cgroup="ours")


def test_pins_are_kept(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on kernels that give a thread all CPUs of the cpuset it comes into."""
    workers(host.kernel)
    scheduler = FakeScheduler()
    scheduler.pinned = {101: (2,), 110: (0, 1)}
    write = host.kernel.write

    def forgetful(file: str, text: str) -> None:
        write(file, text)
        if file.endswith(("procs", "threads")):
            scheduler.pinned = {110: (1, 2)} if file.endswith("killer/cgroup.threads") else {}

    monkeypatch.setattr(host.kernel, "write", forgetful)
    request = parse({"cgroup": LEAF, "cpus": "1-2", "vms": [{"name": "a"}]})
    manager.ensure_present(host, request, scheduler=scheduler)
    assert (scheduler.pinned[101], scheduler.pinned[110]) == ((2,), (1,))
    manager.ensure_absent(host, LEAF, scheduler=scheduler)
    assert (scheduler.pinned[101], scheduler.pinned[110]) == ((2,), (0, 1))


def test_a_failure_puts_all_back(host: FakeHost) -> None:
    workers(host.kernel)
    before = host.kernel.state()
    host.kernel.stuck = {111}
    with pytest.raises(VirtperfError, match=r"worker 111 of a \(tap1\) refuses to move .*Invalid argument") as caught:
        present(host, "a")
    assert caught.value.facts["left_changed"] == []
    assert host.kernel.state() == before
    assert not Journal(host).entries()


def test_a_worker_that_stays_without_a_word(host: FakeHost) -> None:
    workers(host.kernel, kthread=True)
    host.kernel.deaf = {110}
    with pytest.raises(VirtperfError, match=f"refuses to move .*it is in {SESSION}"):
        present(host, "a")


def test_what_the_kernel_refuses_is_told(host: FakeHost) -> None:
    workers(host.kernel)
    host.kernel.fails = ("cgroup.type", errno.EOPNOTSUPP)
    with pytest.raises(VirtperfError, match=r"the kernel refuses 'threaded' in .*cgroup.type") as caught:
        present(host, "a")
    assert caught.value.facts["errno"] == errno.EOPNOTSUPP


def test_a_vm_that_ends_meanwhile(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    workers(host.kernel)
    before = host.kernel.state()[0]
    write = host.kernel.write

    def ends(file: str, text: str) -> None:
        if file.endswith("cgroup.procs"):
            host.kernel.end(100)
        write(file, text)

    monkeypatch.setattr(host.kernel, "write", ends)
    with pytest.raises(VirtperfError, match=r"VM a \(pid 100\) ended while"):
        present(host, "a")
    assert host.kernel.state()[0] == before


def test_a_vm_that_ended_needs_nothing(host: FakeHost) -> None:
    workers(host.kernel)
    before = host.kernel.state()[0]
    present(host, "a")
    host.kernel.end(100)
    assert absent(host)["workers"] == []
    assert host.kernel.state()[0] == before


def test_what_somebody_else_moved_since_is_left_alone(host: FakeHost) -> None:
    workers(host.kernel, kthread=True)
    present(host, "a")
    host.kernel.add("/theirs")
    host.kernel.tasks[110] = (110, "/theirs")
    host.kernel.show()
    absent(host)
    assert where(host.kernel)[110] == "/theirs"


def test_a_cgroup_that_is_gone_gives_way_to_the_one_above(host: FakeHost) -> None:
    workers(host.kernel)
    present(host, "a", "b")
    del host.kernel.groups[SESSION]
    host.kernel.groups["/user.slice"].enabled = set()
    host.kernel.show()
    absent(host)
    assert set(where(host.kernel).values()) == {"/user.slice"}


def test_what_qemu_started_since_goes_back_with_it(host: FakeHost) -> None:
    workers(host.kernel)
    present(host, "a")
    host.kernel.thread(300, 300, "helper", "/top")
    absent(host)
    assert where(host.kernel)[300] == SESSION


def test_a_stranger_in_the_way_is_named(host: FakeHost) -> None:
    workers(host.kernel)
    present(host, "a")
    host.kernel.add(f"{LEAF}/deeper")
    host.kernel.groups[f"{LEAF}/deeper"].threaded = True
    host.kernel.show()
    with pytest.raises(VirtperfError, match=r"cannot be removed .found: cgroups below it: /top/killer/deeper"):
        absent(host)
    assert len(Journal(host).entries()) == 1
    host.kernel.remove(f"{LEAF}/deeper")
    assert absent(host)["changed"], "taken up where it was left"


def test_controllers_that_others_came_to_need_stay_until_the_end(host: FakeHost) -> None:
    workers(host.kernel, kthread=True)
    before = host.kernel.state()
    present(host, "a")
    present(host, "b", cgroup="other", controllers=["cpu"], cpu_max=None)
    assert "leave cpu enabled below /, for /other uses it" in absent(host)["actions"]
    assert "cpu" in host.kernel.groups["/"].enabled
    assert not absent(host)["changed"]
    absent(host, "other")
    restore.replay(host)
    assert host.kernel.state() == before


@pytest.mark.parametrize("first", [LEAF, "/top/other"])
def test_two_cgroups_for_the_interfaces_of_one_vm(host: FakeHost, first: str) -> None:
    """QEMU and what is above stay as long as one of them needs it, whichever goes first."""
    workers(host.kernel)
    before = host.kernel.state()
    present(host, {"name": "a", "interface": "tap0"})
    present(host, {"name": "a", "interface": "tap1"}, cgroup="/top/other")
    done = absent(host, first, check=True)
    assert absent(host, first) == done
    now = where(host.kernel)
    assert (now[100], now[110], now[111]) == ("/top", *(("/top", "/top/other") if first == LEAF else (LEAF, "/top")))
    assert not absent(host, first)["changed"]
    absent(host, LEAF if first != LEAF else "/top/other")
    assert host.kernel.state() == before
    assert not Journal(host).entries()


def test_after_a_boot_there_is_nothing_to_undo(host: FakeHost) -> None:
    workers(host.kernel)
    present(host, "a")
    host.kernel.put("proc/sys/kernel/random/boot_id", "another")
    assert not restore.replay(host).failures
    assert where(host.kernel)[110] == LEAF


def test_workers_that_nobody_knows_the_home_of(host: FakeHost) -> None:
    workers(host.kernel, kthread=True)
    present(host, "a")
    Path(host.state, "journal.jsonl").unlink()
    with pytest.raises(VirtperfError, match=f"{LEAF} has vhost workers, and the journal .*found: threads 110, 111"):
        absent(host)
    assert not absent(host, "user.slice")["changed"]


def test_restored_after_being_killed_in_the_middle(host: FakeHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever that was: the journal has it all from the first change on."""
    workers(host.kernel)
    before = host.kernel.state()
    present(host, "a", cpus="1")
    writes = len(host.kernel.written)
    restore.replay(host)
    write = host.kernel.write
    for number in range(writes):
        left = [number]

        def killed(file: str, text: str, left: list[int] = left) -> None:
            if left[0] == 0:
                raise KeyboardInterrupt
            left[0] -= 1
            write(file, text)

        with monkeypatch.context() as patch:
            patch.setattr(host.kernel, "write", killed)
            patch.setattr(manager, "all_or_nothing", lambda _journal, steps: [step.apply() for step in steps])
            with pytest.raises(KeyboardInterrupt):
                present(host, "a", cpus="1")
        assert not restore.replay(host).failures
        assert host.kernel.state() == before, number


def test_the_journal_can_be_written(host: FakeHost) -> None:
    workers(host.kernel)
    present(host, "a")
    (entry,) = Journal(host).entries()
    assert json.loads(json.dumps(entry.undo)) == entry.undo


@pytest.mark.parametrize(
    ("arrange", "given", "message"),
    [
        ("", {"vms": ["nobody"]}, r"no running VM with the name 'nobody' .found: a .pid 100., b .pid 200.."),
        ("end", {"vms": ["a"]}, r"VM a \(pid 100\) has no vhost workers .found: taps tap0, tap1 without vhost"),
        ("", {"vms": [{"name": "a", "interface": "tap2"}]}, "no vhost worker of VM a .* serves tap2"),
        ("", {"vms": ["a"], "cpus": "3-4"}, "cannot have CPU 4: the cgroup above does not have it .found: .* has 0-3"),
        ("", {"vms": ["a"], "mems": "1"}, "cannot have memory node 1"),
        ("busy", {"vms": ["a"], "cgroup": "busy"}, "/busy cannot turn threaded.*found: it has process 900 .other"),
        ("domains", {"vms": ["a"], "cgroup": "x/y"}, "/x/y cannot be threaded.*found: /x/z below /x has processes"),
        ("enabled", {"vms": ["a"], "cgroup": "x/y"}, "found: /x has enabled memory, which threads cannot have apart"),
        ("kthreads busy", {"vms": ["a"], "cgroup": "busy/y/z"}, "cpu cannot be enabled below .*/busy .*process 900"),
        ("libvirt", {"vms": ["a"], "cpus": "1"}, "/machine.slice is not delegated the controller cpuset"),
        ("apart", {"vms": ["a"]}, "some of its threads are in cgroups of their own .found: 101 in /user.slice/t"),
        ("v1", {"vms": ["a"]}, "not unified .hybrid.*cpu is bound to version 1 at /cpu.*unified_cgroup_hierarchy=1"),
    ],
)
def test_refused_before_anything_is_touched(host: FakeHost, arrange: str, given: dict[str, Any], message: str) -> None:
    kernel = host.kernel
    if "end" not in arrange.split():
        workers(kernel, kthread="kthreads" in arrange)
    if "busy" in arrange:
        kernel.add("/busy", enabled="memory" if "kthreads" in arrange else "")
        kernel.thread(900, 900, "other", "/busy")
    if arrange == "domains":
        kernel.add("/x", "/x/z")
        kernel.thread(900, 900, "other", "/x/z")
    if arrange == "enabled":
        kernel.add("/x", enabled="memory")
    if arrange == "libvirt":
        libvirts(kernel, enabled="cpu")
        kernel.groups["/"].enabled.discard("cpuset")
        for path in ("/machine.slice", "/machine.slice/m.scope"):
            kernel.groups[path].enabled.discard("cpuset")
    if arrange == "apart":
        kernel.groups["/user.slice/t"] = type(kernel.groups["/"])(threaded=True)
        kernel.tasks[101] = (100, "/user.slice/t")
    if arrange == "v1":
        kernel.available = {"memory"}
        mounts = Path(host.proc, "self/mounts")
        mounts.write_text(mounts.read_text() + "cgroup /cpu cgroup rw,cpu,cpuacct 0 0\n")
    kernel.show()
    before, written = kernel.state(), list(kernel.written)
    vms = given.pop("vms")
    for check in (True, False):
        with pytest.raises(VirtperfError, match=message):
            present(host, *vms, check=check, **given)
    assert (kernel.state(), kernel.written) == (before, written)
    assert not Journal(host).entries()
