# Copyright: (c) 2026, the virtperf.vhost authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The places that traffic goes between, made ready: the guests' addresses, the servers, and what they need."""

from __future__ import annotations

import json
import os
import shutil
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from ansible_collections.virtperf.vhost.plugins.module_utils.consolidate.loads import MEMCACHED_PORT, NGINX_PORT
from ansible_collections.virtperf.vhost.plugins.module_utils.consolidate.setup import Guest, Setup, prefixed
from ansible_collections.virtperf.vhost.plugins.module_utils.consolidate.workloads import (
    HERE,
    IN_GUEST,
    MEMCACHED,
    NETPERF,
    NGINX,
    PACKAGES,
)
from ansible_collections.virtperf.vhost.plugins.module_utils.errors import VirtperfError
from ansible_collections.virtperf.vhost.plugins.module_utils.traffic import netperf
from ansible_collections.virtperf.vhost.plugins.module_utils.traffic.station import Station

# Of the guest's own: it is thrown away with the guest.
_DIRECTORY = "/run/virtperf-consolidate"
_PAGE_BYTES = 1024
# Each NIC answers for its own address alone, and takes what comes whatever the way back is.
_ARP = """\
for conf in /proc/sys/net/ipv4/conf/*; do
    echo 1 >"$conf/arp_ignore"; echo 2 >"$conf/arp_announce"; echo 0 >"$conf/rp_filter"
done"""
_NGINX = f"""\
daemon off;
pid {_DIRECTORY}/nginx.pid;
error_log stderr crit;
worker_processes 1;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    log_not_found off;
    keepalive_requests 1000000000;
    client_body_temp_path {_DIRECTORY}/body;
    proxy_temp_path {_DIRECTORY}/proxy;
    fastcgi_temp_path {_DIRECTORY}/fastcgi;
    uwsgi_temp_path {_DIRECTORY}/uwsgi;
    scgi_temp_path {_DIRECTORY}/scgi;
    server {{ listen {NGINX_PORT}; root {_DIRECTORY}/www; }}
}}
"""
_SITE = f"""\
umask 022
mkdir -p {_DIRECTORY}/www
printf %s "$1" >{_DIRECTORY}/nginx.conf
head -c {_PAGE_BYTES} /dev/zero | tr '\\0' x >{_DIRECTORY}/www/index.html"""
_READY_S = 30.0
_PAUSE_S = 0.1
# What a server has in a guest of half a gigabyte.
_MEMCACHED_MIB = 64


def missing_here(made: Setup, which: Callable[[str], str | None] = shutil.which) -> list[str]:
    """The packages that the hypervisor lacks for the trials."""
    return [
        package
        for program in made.programs
        if not any(which(name) for name in HERE[program])
        for package in PACKAGES[program]
    ]


def maker(which: Callable[[str], str | None] = shutil.which) -> str:
    """What memaslap is called here."""
    names = HERE[MEMCACHED]
    return next((name for name in names if which(name)), names[0])


def check_here(made: Setup) -> None:
    """VirtperfError for programs that are not there, before anything is started."""
    lacking = missing_here(made)
    if lacking:
        raise VirtperfError(
            "the hypervisor lacks programs that make the traffic",
            found=f"no {', '.join(name for program in made.programs for name in HERE[program][:1])}"
            if len(lacking) == len(made.programs)
            else f"missing: {', '.join(lacking)}",
            way_out=f"apt-get install {' '.join(lacking)} (Debian 13), or leave out the workloads that need them",
            packages=lacking,
        )


def prepare_guest(station: Station, guest: Guest, made: Setup) -> dict[str, str]:
    """Give a guest its addresses, and start its servers; the names of its interfaces by NIC."""
    _check_programs(station, made.programs)
    names = _interfaces(station, guest)
    for nic, name in names.items():
        station.command(["ip", "link", "set", name, "up"])
        station.command(["ip", "address", "replace", prefixed(guest.nics[nic].address), "dev", name])
    station.command(["sh", "-c", _ARP])
    if MEMCACHED in made.programs:
        words = ["memcached", "-u", "nobody", "-l", "0.0.0.0", "-p", str(MEMCACHED_PORT), "-U", "0", "-t", "1"]
        station.start("memcached", [*words, "-m", str(_MEMCACHED_MIB)])
    if NGINX in made.programs:
        station.command(["sh", "-ec", _SITE, "sh", _NGINX])
        station.start("nginx", ["nginx", "-c", f"{_DIRECTORY}/nginx.conf"])
    return names


def prepare_here(station: Station, made: Setup) -> None:
    """Start the hypervisor's servers, on no address but those of the networks that are measured."""
    if NETPERF in made.programs:
        for nic in made.nics:
            words = [*netperf.server_words(), "-L", made.addresses[nic]]
            station.start(f"netserver {nic}", words)


def wait_ready(made: Setup, stations: Mapping[str, Station], connect: Callable[[str, int], None] | None = None) -> None:
    """Until all servers answer over all NICs: then the way to each guest is known to be open too."""
    connect = connect or _connect
    ports = [port for program, port in ((MEMCACHED, MEMCACHED_PORT), (NGINX, NGINX_PORT)) if program in made.programs]
    wanted = [
        (f"{port} of guest {guest.name} by its NIC {nic}", guest.nics[nic].address, port, stations[guest.name], port)
        for guest in made.guests
        for nic in made.nics
        for port in ports
    ]
    limit = time.monotonic() + _READY_S
    for what, address, port, station, of in wanted:
        _wait(f"port {what}", address, port, limit, connect, partial(_server, station, of))
    if NETPERF in made.programs:
        for nic in made.nics:
            _wait("netserver here", made.addresses[nic], netperf.PORT, limit, connect, lambda: "")


def _wait(
    what: str, address: str, port: int, limit: float, connect: Callable[[str, int], None], said: Callable[[], str]
) -> None:
    while True:
        try:
            return connect(address, port)
        except OSError as error:
            ended = said()
            if ended or time.monotonic() >= limit:
                raise VirtperfError(
                    f"{what} does not answer at {address}",
                    found=ended or str(error),
                    way_out="see whether the server can run there, and whether the bridge has the guest's tap",
                ) from error
        time.sleep(_PAUSE_S)


def _connect(address: str, port: int) -> None:
    with socket.create_connection((address, port), timeout=2.0):
        return


def _server(station: Station, port: int) -> str:
    """The last words of a server that has ended, or ""."""
    ended = station.ended("nginx" if port == NGINX_PORT else "memcached")
    return f"it ended with status {ended.status}: {ended.last_words}" if ended else ""


def _check_programs(station: Station, programs: Sequence[str]) -> None:
    wanted = [name for program in programs for name in IN_GUEST[program]]
    found = station.command(["sh", "-c", 'for name do command -v "$name"; done; true', "sh", *wanted]).split()
    lacking = sorted(set(wanted) - {os.path.basename(path) for path in found})
    if lacking:
        raise VirtperfError(
            f"guest {station.name} has no {' and no '.join(lacking)}",
            way_out="start the guests from an image of the profile full, or add the packages with image_packages",
        )


def _interfaces(station: Station, guest: Guest) -> dict[str, str]:
    links = json.loads(station.command(["ip", "-json", "link"]))
    by_mac = {str(link.get("address", "")).lower(): str(link["ifname"]) for link in links}
    lacking = [f"{nic} ({guest.nics[nic].mac})" for nic in guest.nics if guest.nics[nic].mac not in by_mac]
    if lacking:
        raise VirtperfError(
            f"guest {guest.name} has no NIC {', '.join(lacking)}",
            found=", ".join(f"{name} {mac}" for mac, name in by_mac.items()),
            way_out="start it with the taps that the plan lists",
        )
    return {nic: by_mac[guest.nics[nic].mac] for nic in guest.nics}
