# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What studies need of a host, put together."""

from __future__ import annotations

from ansible_collections.virtperf.vhost.plugins.plugin_utils.needs import merge


def test_nothing_is_needed_for_nothing() -> None:
    nothing: list[str] = []
    lists = {"hugepages": nothing, "mounts": nothing, "packages": nothing, "modules": nothing, "bridges": nothing}
    assert merge([]) == merge([{}]) == {**lists, "guests": False, "image": False, "libvirt": False}


def test_of_pools_the_largest_does() -> None:
    one = {"needs": {"hugepages": [{"size": "2MiB", "node": 0, "count": 100}, {"size": "1GiB", "node": 0, "count": 1}]}}
    other = {
        "needs": {"hugepages": [{"size": "2MiB", "node": 0, "count": 300}, {"size": "2MiB", "node": 1, "count": 5}]}
    }
    assert merge([one, other])["hugepages"] == [
        {"size": "2MiB", "node": 0, "count": 300},
        {"size": "1GiB", "node": 0, "count": 1},
        {"size": "2MiB", "node": 1, "count": 5},
    ]
    assert one["needs"]["hugepages"][0]["count"] == 100


def test_everything_else_is_had_once() -> None:
    merged = merge(
        [
            {"needs": {"packages": ["dpdk-dev"], "mounts": [{"path": "/m", "size": "2MiB"}]}},
            {"needs": {"packages": ["dpdk-dev", "iproute2"], "modules": [{"name": "vhost_net"}], "guests": True}},
        ]
    )
    assert merged["packages"] == ["dpdk-dev", "iproute2"]
    assert merged["mounts"] == [{"path": "/m", "size": "2MiB"}]
    assert merged["modules"] == [{"name": "vhost_net"}]
    assert (merged["guests"], merged["libvirt"]) == (True, False)
