# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Having an image: the user's own, one that is there already, or one that is built now."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ansible_collections.virtperf.vhost.plugins.module_utils.guest_image import build, contents, own
from ansible_collections.virtperf.vhost.plugins.module_utils.guest_image.cache import Cache
from ansible_collections.virtperf.vhost.plugins.module_utils.guest_image.recipe import Recipe, parse
from ansible_collections.virtperf.vhost.plugins.module_utils.host import Host


def ensure(host: Host, given: Mapping[str, Any], *, check_mode: bool = False) -> dict[str, Any]:
    """The result for a module; ``given`` are its arguments."""
    if given.get("path"):
        image = own.look(str(given["path"]), given.get("kernel"), given.get("initrd"))
        return _result(image, [], 0.0)
    recipe = parse(given)
    cache = Cache(host, os.path.abspath(str(given["cache_dir"])))
    manifest = cache.manifest(recipe.name)
    if manifest is not None:
        return _result(_image(cache, recipe, manifest), [], 0.0)
    build.check_tools(recipe)
    stale = [_removal(path) for path in cache.stale()]
    action = f"build {cache.directory(recipe.name)}"
    if check_mode:
        # What interrupted builds left is removed first, and counts as free only then.
        if not stale:
            cache.check_space(recipe.kind.needed_mib)
        return _result(_image(cache, recipe, {}), [*stale, action], 0.0)
    with cache.locked(recipe.name, float(given["wait_s"])) as waited_s:
        manifest = cache.manifest(recipe.name)
        if manifest is not None:  # another builder made it while we waited
            return _result(_image(cache, recipe, manifest), [], waited_s)
        removed = [_removal(path) for path in cache.clean()]
        cache.check_space(recipe.kind.needed_mib)
        with cache.building() as directory:
            manifest = build.build(recipe, directory)
            cache.publish(directory, recipe.name)
    return _result(_image(cache, recipe, manifest), [*removed, action], waited_s)


def _removal(path: str) -> str:
    return f"remove {path}, left by an interrupted build"


def _image(cache: Cache, recipe: Recipe, manifest: Mapping[str, Any]) -> dict[str, Any]:
    directory = cache.directory(recipe.name)
    guest = recipe.kind.guest
    return {
        "name": recipe.name,
        "directory": directory,
        "path": os.path.join(directory, f"disk.{recipe.format}"),
        "format": recipe.format,
        "virtual_mib": recipe.disk_mib,
        "kernel": os.path.join(directory, "vmlinux") if guest else None,
        "initrd": os.path.join(directory, "initrd") if guest else None,
        "command_line": contents.COMMAND_LINE if guest else None,
        "kernel_release": manifest.get("kernel_release"),
        "packages": manifest.get("packages", {}),
    }


def _result(image: dict[str, Any], actions: list[str], waited_s: float) -> dict[str, Any]:
    there = {"image": image["path"]}
    return {
        "changed": bool(actions),
        "image": image,
        "actions": actions,
        "waited_s": round(waited_s, 1),
        "diff": {"before": {"image": ""} if actions else there, "after": there},
    }
