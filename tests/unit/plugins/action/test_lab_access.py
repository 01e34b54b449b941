# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action lab_access: arguments in, the public key out, and nothing written in check mode."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
from ansible.errors import AnsibleActionFail

from ansible_collections.virtperf.vhost.plugins.action.lab_access import ARGUMENTS, ActionModule
from ansible_collections.virtperf.vhost.plugins.modules import lab_access as documented
from ansible_collections.virtperf.vhost.tests.unit.documentation import documented_options

KEYS = {"web": "ssh-ed25519 AAAA"}


def act(directory: Path, check_mode: bool = False, diff: bool = False, **arguments: Any) -> dict[str, Any]:
    """The action's result, for a lab in a directory of the test's."""
    lab = directory / "labs" / "blue"
    files = {"directory": str(lab), "ssh_key": str(lab / "id_ed25519"), "known_hosts": str(lab / "known_hosts")}
    task = MagicMock(args={"lab": "blue", **files, **arguments}, check_mode=check_mode, diff=diff, async_val=0)
    action = ActionModule(task, MagicMock(), MagicMock(), MagicMock(), MagicMock(), MagicMock())
    return action.run(task_vars={})


@pytest.mark.parametrize("arguments", [{"host_keys": KEYS}, {"state": "absent", "guests": ["web"]}])
def test_what_is_predicted_is_what_happens(tmp_path: Path, arguments: dict[str, Any]) -> None:
    if "state" in arguments:
        act(tmp_path, host_keys=KEYS)
    before = sorted(tmp_path.rglob("*"))
    predicted = act(tmp_path, check_mode=True, diff=True, **arguments)
    assert sorted(tmp_path.rglob("*")) == before
    done = act(tmp_path, diff=True, **arguments)
    assert done["changed"]
    for key in ("changed", "actions", "diff"):
        assert predicted[key] == done[key], key
    assert not act(tmp_path, **arguments)["changed"]


def test_the_public_key_comes_back(tmp_path: Path) -> None:
    done = act(tmp_path, host_keys=KEYS, diff=True)
    assert done["public_key"].startswith("ssh-ed25519 ")
    assert done["diff"]["after"] == "web ssh-ed25519 AAAA\n"


def test_a_failure_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(AnsibleActionFail, match="apt-get install openssh-client"):
        act(tmp_path)


def test_the_documentation_says_what_it_takes() -> None:
    options = documented_options(documented.DOCUMENTATION)
    assert set(options) | {"run_id"} == set(ARGUMENTS)
    for name, option in options.items():
        assert option["type"] == ARGUMENTS[name]["type"], name
        assert option.get("required", False) == ARGUMENTS[name].get("required", False), name
