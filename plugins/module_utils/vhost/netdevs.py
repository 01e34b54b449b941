# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tap backends that a QEMU was started with, from its command line; those plugged in later are not among them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_ON = frozenset({"on", "yes", "true", "y"})


@dataclass(frozen=True)
class TapBackend:
    """A ``-netdev tap``: by the name of its interface, or by the descriptors that libvirt opened for it."""

    key: str
    ifname: str = ""
    fds: tuple[int, ...] = ()
    vhost: bool = False
    queues: int = 1


def options(text: str) -> dict[str, str]:
    """One of QEMU's options, ``tap,id=net0,vhost=on``: what has no ``=`` is "on", and the first word is ``type``.

    The last one of two of a name counts, as it does for QEMU.
    """
    found: dict[str, str] = {}
    for number, piece in enumerate(_pieces(text)):
        key, equals, value = piece.partition("=")
        if equals:
            found[key] = value
        elif number == 0:
            found["type"] = piece
        elif key:
            found[key] = "on"
    return found


def _pieces(text: str) -> list[str]:
    pieces, piece, place = [], "", 0
    while place < len(text):
        if text[place] != ",":
            piece += text[place]
        elif text[place + 1 : place + 2] == ",":
            piece += ","
            place += 1
        else:
            pieces.append(piece)
            piece = ""
        place += 1
    return [*pieces, piece]


def value_of(words: Sequence[str], name: str) -> str:
    """What follows an option on the command line, the last time; "" when it is not there."""
    found = ""
    for word, following in zip(words, words[1:]):
        if word in (f"-{name}", f"--{name}"):
            found = following
    return found


def tap_backends(words: Sequence[str]) -> list[TapBackend]:
    """In the order of the command line, which is that in which QEMU opens them."""
    found = []
    for word, following in zip(words, words[1:]):
        if word.lstrip("-") in ("netdev", "nic") and word.startswith("-"):
            backend = _backend(_read(following))
            if backend:
                found.append(backend)
    return found


def _read(text: str) -> Mapping[str, Any]:
    """Of the two ways of writing it, libvirt uses JSON."""
    if not text.startswith("{"):
        return options(text)
    try:
        read = json.loads(text)
    except ValueError:
        return {}
    return read if isinstance(read, dict) else {}


def _backend(given: Mapping[str, Any]) -> TapBackend | None:
    if given.get("type") != "tap":
        return None
    fds = _numbers(given.get("fds", given.get("fd", "")))
    asked = next((given[key] for key in ("vhost", "vhostforce") if key in given), None)
    vhost = _is_on(asked) if asked is not None else "vhostfd" in given or "vhostfds" in given
    queues = _numbers(given.get("queues", ""))
    return TapBackend(
        str(given.get("id", "")),
        str(given.get("ifname", "")),
        fds,
        vhost,
        len(fds) or (queues[0] if queues else 1),
    )


def _is_on(value: Any) -> bool:
    return value is True or str(value) in _ON


def _numbers(value: Any) -> tuple[int, ...]:
    """``31`` or ``31:32``; what libvirt names otherwise is left out."""
    return tuple(int(piece) for piece in str(value).split(":") if piece.isascii() and piece.isdigit())
