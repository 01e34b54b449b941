# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calls a module's main() in this process, as root on a host of the test's own."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.virtperf.vhost.plugins.module_utils import module as seam
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host

Run = Callable[..., dict[str, Any]]


def caller(
    main: Callable[[], None], host: Host, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Run:
    """What calls it with arguments (check=True, diff=True are Ansible's) and gives back what it returned."""
    monkeypatch.setattr(seam, "Host", lambda: host)
    monkeypatch.setattr(seam, "os", SimpleNamespace(uname=os.uname, geteuid=lambda: 0))

    def run(*, check: bool = False, diff: bool = False, **arguments: Any) -> dict[str, Any]:
        arguments.update(_ansible_check_mode=check, _ansible_diff=diff)
        with patch_module_args(arguments), pytest.raises(SystemExit) as caught:
            main()
        result: dict[str, Any] = json.loads(capsys.readouterr().out)
        assert bool(caught.value.code) == result.get("failed", False)
        return result

    return run
