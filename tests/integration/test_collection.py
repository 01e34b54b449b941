# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tarball is the product: it is built, installed, and used by somebody who has no checkout."""

from __future__ import annotations

import json

import an_installation
import pytest
from an_installation import Installed

pytestmark = pytest.mark.apart

# Documented kinds of plugin: directory under plugins/, and what ansible-doc calls it. A file is one plugin.
KINDS = {"modules": "module", "inventory": "inventory", "lookup": "lookup", "callback": "callback"}
# A file holds several; their names are found out by asking.
KINDS_OF_MANY = {"filter": "filter", "test": "test"}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return an_installation.install(tmp_path_factory.mktemp("installed"))


def test_the_tarball_holds_what_users_need_and_nothing_else(installed: Installed) -> None:
    top = {path.parts[0] for path in installed.files()}
    assert {"MANIFEST.json", "README.md", "LICENSE", "CHANGELOG.md", "meta", "plugins", "playbooks", "roles"} <= top
    for_developers = {"Makefile", "ansible.cfg", "benchmarks", "molecule", "results", "tests", "tools"}
    strangers = {name for name in top if name.startswith(".") or name in for_developers}
    assert not strangers, f"{strangers} should be in build_ignore of galaxy.yml"
    assert not [path for path in installed.files() if "__pycache__" in path.parts]


@pytest.mark.parametrize("directory", sorted(KINDS))
def test_ansible_doc_shows_every_plugin(installed: Installed, directory: str) -> None:
    names = installed.plugins(directory)
    if names:
        docs = installed.documented(KINDS[directory], names)
        assert sorted(docs) == names
        assert all(doc["doc"]["short_description"] for doc in docs.values())
    elif directory == "modules":
        pytest.fail("the tarball holds no module")


@pytest.mark.parametrize("directory", sorted(KINDS_OF_MANY))
def test_ansible_doc_shows_every_filter_and_test(installed: Installed, directory: str) -> None:
    files = installed.plugins(directory)
    if files:
        kind = KINDS_OF_MANY[directory]
        listed = installed.run("ansible-doc", "--json", "--list", "-t", kind, "virtperf.vhost")
        assert listed.returncode == 0, listed.stderr
        names = sorted(json.loads(listed.stdout))
        assert len(names) >= len(files)
        docs = installed.documented(kind, names)
        assert sorted(docs) == names
        assert all(doc["doc"]["short_description"] for doc in docs.values())


@pytest.mark.parametrize("question", ["--syntax-check", "--list-tasks"])
@pytest.mark.parametrize("playbook", ["bench", "report", "restore"])
def test_playbooks_are_found_by_name_in_an_empty_directory(installed: Installed, playbook: str, question: str) -> None:
    done = installed.run("ansible-playbook", f"virtperf.vhost.{playbook}", question)
    assert done.returncode == 0, done.stderr
    assert f"playbook: {installed.home}/.ansible/collections/" in done.stdout
