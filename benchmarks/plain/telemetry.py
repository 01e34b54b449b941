# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Print a DPDK process's received packets and the time, for the plain playbook.

telemetry.py RUNTIME_DIRECTORY
"""

import json
import socket
import sys
import time

with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
    connection.connect(f"{sys.argv[1]}/dpdk_telemetry.v2")
    connection.recv(1 << 16)
    connection.send(b"/ethdev/stats,0")
    stats = json.loads(connection.recv(1 << 16))["/ethdev/stats"]
print(time.monotonic(), stats["ipackets"])
