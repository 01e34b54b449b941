# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How pktgen-dpdk is driven: a script of its own script interface, Lua, that obeys orders, and the orders.

pktgen also has a server for Lua (option -g). It lets everybody who reaches a TCP port of the machine run anything as
root (lib/lua/lua_socket.c binds it to all addresses), so it is not used: the script reads orders from a FIFO of ours.

Sources: Pktgen-DPDK 22.07 to 25.08, app/lpktgenlib.c (the functions), app/pktgen-cmds.c (what they do).
"""

from __future__ import annotations

import re

# pktgen counts a size with its FCS, as we do: it puts four bytes less into the ring.
_SIZE = 'pktgen.set("all", "size", {})'
STOP = 'pktgen.stop("all")'
_START = 'pktgen.start("all")'
VERSION = "return pktgen.info.Pktgen_Version"
# What DPDK has for a speed that nobody knows. pktgen takes it for 10000; one that does not keeps to no speed at all.
_UNKNOWN_SPEED = 0xFFFFFFFF
_LINKS = 'local links, said = pktgen.linkState("all"), {{}} for port = 0, {} do said[#said + 1] = links[port] end'
# "<UP-10000-FD>" or "<--Down-->".
_LINK = re.compile(r"<(?:UP-(\d+)-[FH]D|--Down--)>")

_SCRIPT = """\
-- Obeys: orders come in by a FIFO, answers go out to a file, a line each. Where the script ends pktgen's command line
-- begins, where a word to quit waits already.
local orders = assert(io.open({orders}, "r"))
local answers = assert(io.open({answers}, "a"))
local function answer(number, word, text)
  answers:write(number, " ", word, " ", (tostring(text):gsub("%c", " ")), "\\n")
  answers:flush()
end
answer(0, "ok", "ready")
for line in orders:lines() do
  local number, text = line:match("^(%d+) (.*)$")
  if not number then break end
  local action, reason = load(text)
  if action then
    local done, result = pcall(action)
    answer(number, done and "ok" or "error", result)
  else
    answer(number, "error", reason)
  end
end
"""
# What ends the script: a line that is no order.
QUIT = "quit"


def script(orders: str, answers: str) -> str:
    """The script that obeys orders from a FIFO; the two are paths."""
    return _SCRIPT.format(orders=quoted(orders), answers=quoted(answers))


def quoted(text: str) -> str:
    """A Lua string of these characters, whatever they are."""
    plain = bytes(range(0x20, 0x7F)).translate(None, b'"\\')
    raw = text.encode("utf-8", "surrogateescape")
    return '"' + "".join(chr(byte) if byte in plain else f"\\{byte:03d}" for byte in raw) + '"'


def send(packet_size: int) -> str:
    """The order to make packets of so many bytes with FCS, anew."""
    return f"{STOP} {_SIZE.format(packet_size)} {_START}"


def links(ports: int) -> str:
    """The order to tell the state of the links of so many ports."""
    return f'{_LINKS.format(ports - 1)} return table.concat(said, " ")'


def link_speeds(answer: str) -> list[int | None]:
    """The speed of each link in Mbit/s that pktgen keeps to; None for a link that is down or has no speed."""
    speeds = [int(speed or 0) for speed in _LINK.findall(answer)]
    return [speed if 0 < speed < _UNKNOWN_SPEED else None for speed in speeds]
