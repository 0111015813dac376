# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The firewall rule that blocks labs from link-local addresses, at which clouds serve an instance's credentials.

It matches the common prefix of the labs' interfaces in PREROUTING of table raw, which holds for forwarded and local
packets, and which Docker does not rewrite.
"""

from __future__ import annotations

import contextlib
import subprocess
from pathlib import Path

from .._common.errors import LabError
from .._common.files import closing, open_root_owned, read_below, remove_below, write_beside
from .limits import INTERFACE

FOLDER = "/usr/local/lib/desi-lab"
NAME = "link-local"
UNITS = "/etc/systemd/system"
UNIT = "desi-lab-link-local.service"
# Readable by all; only root can list the rule itself.
MARK = "/run/desi-lab-link-local"
SYSTEMD = "/run/systemd/system"
INTERFACES = "/sys/class/net"
SHELL = ("/bin/sh",)
SECONDS = 30
MOST_BYTES = 100_000

PROGRAM = f"""#!/bin/sh
# Of DESI Lab: keeps labs from link-local addresses. Usage: {NAME} add|remove|status
set -eu
PATH=/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin
export PATH

# Docker asks this computer's name servers from the network of the lab: where they are link-local, they stay reachable.
servers() {{
    sed -n 's/^nameserver[[:space:]]\\{{1,\\}}\\([0-9A-Fa-f.:]\\{{1,\\}}\\).*/\\1/p' \\
        /etc/resolv.conf /run/systemd/resolve/resolv.conf 2>/dev/null | sort -u
}}

rules() {{
    case $1 in
    iptables)
        servers | grep '^169\\.254\\.' | while read -r server; do
            echo "-d $server/32 -p udp -m udp --dport 53 -j RETURN"
            echo "-d $server/32 -p tcp -m tcp --dport 53 -j RETURN"
        done
        echo '-d 169.254.0.0/16 -j DROP'
        ;;
    *)
        # Neighbors are found by ICMP.
        echo '-d fe80::/10 ! -p ipv6-icmp -j DROP'
        echo '-d fd00:ec2::254/128 -j DROP'
        ;;
    esac
}}

tools() {{
    echo iptables
    [ ! -e /proc/net/if_inet6 ] || echo ip6tables
}}

add() {{
    {{
        printf '*raw\\n:DESI-LAB - [0:0]\\n'
        rules "$1" | sed 's/^/-A DESI-LAB /'
        echo COMMIT
    }} | "$1-restore" --wait --noflush
    "$1" -w -t raw -C PREROUTING -i {INTERFACE}+ -j DESI-LAB 2>/dev/null ||
        "$1" -w -t raw -I PREROUTING -i {INTERFACE}+ -j DESI-LAB
}}

remove() {{
    while "$1" -w -t raw -D PREROUTING -i {INTERFACE}+ -j DESI-LAB 2>/dev/null; do :; done
    "$1" -w -t raw -F DESI-LAB 2>/dev/null || return 0
    "$1" -w -t raw -X DESI-LAB
}}

status() {{
    "$1" -w -t raw -C PREROUTING -i {INTERFACE}+ -j DESI-LAB
    wanted=$(rules "$1" | sed 's/^/-A DESI-LAB /')
    # The first line of what is there declares the chain.
    [ "$("$1" -w -t raw -S DESI-LAB | sed 1d)" = "$wanted" ]
}}

case ${{1-}} in
add | remove | status) ;;
*)
    echo "usage: {NAME} add|remove|status" >&2
    exit 2
    ;;
esac
for tool in $(tools); do "$1" "$tool"; done
case $1 in
add) : >{MARK} ;;
remove) rm -f {MARK} ;;
esac
"""

UNIT_TEXT = f"""[Unit]
Description=DESI Lab: keep labs from link-local addresses
# Before the first container, and after what may clear rules at boot.
Before=docker.service
After=iptables.service ip6tables.service nftables.service netfilter-persistent.service firewalld.service ufw.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart={FOLDER}/{NAME} add
NoNewPrivileges=yes
CapabilityBoundingSet=CAP_NET_ADMIN CAP_NET_RAW CAP_SYS_MODULE
ProtectHome=yes
ProtectSystem=full
PrivateTmp=yes

[Install]
WantedBy=multi-user.target docker.service
"""

WHAT = "Labs on this computer cannot be kept from link-local addresses."


def read_root_file(folder: str, name: str) -> str:
    """Return the content of root's file, empty if it is missing or not safe."""
    with contextlib.suppress(LabError, OSError), closing(open_root_owned(folder)) as descriptor:
        return read_below(descriptor, name, MOST_BYTES).decode(errors="replace")
    return ""


class LinkLocal:
    """The rule, the program that makes it, and the unit that runs the program at boot."""

    def __init__(self, folder: str = FOLDER, units: str = UNITS, systemd: str = SYSTEMD) -> None:
        self.folder, self.units = folder, units
        self.boots_by_systemd = Path(systemd).is_dir()

    def files(self) -> list[tuple[str, str, str, int]]:
        """Return directory, name, content and mode of each file."""
        files = [(self.folder, NAME, PROGRAM, 0o755)]
        if self.boots_by_systemd:
            files.append((self.units, UNIT, UNIT_TEXT.replace(FOLDER, self.folder), 0o644))
        return files

    def missing(self) -> list[tuple[str, str, str, int]]:
        """Return the files that are missing or differ."""
        return [file for file in self.files() if read_root_file(file[0], file[1]) != file[2]]

    def holds(self) -> bool:
        """Return whether files and rule are there; needs root."""
        return not self.missing() and self._program("status").returncode == 0

    def ensure(self) -> None:
        """Write the missing files, and make the rule."""
        for folder, name, content, mode in self.missing():
            with closing(open_root_owned(folder, make=True)) as descriptor:
                write_beside(descriptor, name, content.encode(), mode)
        done = self._program("add")
        if done.returncode != 0:
            raise LabError(WHAT, _last(done.stderr) or "The rule could not be made.", "Run ./lab doctor to see more.")
        if self.boots_by_systemd:
            self._systemctl("daemon-reload")
            self._systemctl("enable", UNIT)

    def is_in_use(self, interfaces: str = INTERFACES) -> bool:
        """Return whether any lab's network exists."""
        return any(Path(interfaces).glob(f"{INTERFACE}*"))

    def is_absent(self) -> bool:
        return not any(read_root_file(folder, name) for folder, name, _content, _mode in self.files())

    def remove(self) -> None:
        if self.boots_by_systemd and read_root_file(self.units, UNIT):
            self._systemctl("disable", "--now", UNIT)
        self._program("remove")
        for folder, name, _content, _mode in self.files():
            if read_root_file(folder, name):
                with closing(open_root_owned(folder)) as descriptor:
                    remove_below(descriptor, name)
        if self.boots_by_systemd:
            self._systemctl("daemon-reload")

    def _program(self, verb: str) -> subprocess.CompletedProcess[str]:
        # From standard input: what runs is this text, whatever is on disk.
        return subprocess.run(
            [*SHELL, "-s", verb], input=PROGRAM, check=False, capture_output=True, text=True, timeout=SECONDS, cwd="/"
        )

    def _systemctl(self, *words: str) -> None:
        done = subprocess.run(
            ["systemctl", "--quiet", *words], check=False, capture_output=True, text=True, timeout=SECONDS
        )
        if done.returncode != 0:
            do = "Check journalctl -xe, then run the same command again."
            raise LabError(WHAT, _last(done.stderr) or f"systemctl {words[0]} failed.", do)


def _last(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return f"{lines[-1].rstrip('.')[:200]}." if lines else ""
