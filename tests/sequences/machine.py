#!/usr/bin/env python3
# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A program that is called ssh, and stands in for the machines of a region: each is a directory with a home in it.

DESI_TEST_MACHINES is the directory of all. A machine answers while the file `running` is in its own. It makes its host
key anew when it is met, and runs what syncs files.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

HOME = "/home/ec2-user"
SSH = "/usr/bin/ssh"


def rotate(machine: Path, handed: str) -> int:
    """Do as the script that makes a host key anew."""
    own, new = machine / "own", machine / "new"
    if not own.exists():
        own.write_text(handed)
    if own.read_text() == handed and not new.exists():
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(new)], check=True)
    key = " ".join(new.with_suffix(".pub").read_text().split()[:2]) if new.exists() else own.read_text()
    print(key, flush=True)
    if sys.stdin.readline().strip() != "pinned":
        return 1
    own.write_text(key)
    new.unlink(missing_ok=True)
    return 0


def main() -> int:
    words = sys.argv[1:]
    if "-G" in words:
        os.execv(SSH, [SSH, *words])  # noqa: S606 - no shell is wanted
    if "-O" in words:
        return 0
    config = Path(words[words.index("-F") + 1]).read_text()
    machine = Path(os.environ["DESI_TEST_MACHINES"]) / re.search(r"HostKeyAlias (\S+)", config)[1]
    if not (machine / "running").exists():
        print("ssh: connect to host there port 22: Connection timed out", file=sys.stderr)
        return 255
    alias = re.search(r"^Host (\S+)", config, re.MULTILINE)[1]
    command = words[words.index(alias) + 1 :]
    if command == ["true"]:
        return 0
    if command[0].startswith("sudo -n /bin/sh -c"):
        return rotate(machine, re.search(r"(ssh-ed25519 \S+?)'?$", command[0])[1])
    home = machine / "home"
    given = None
    if "/usr/bin/python3" in command[0]:
        # A module of Ansible, and only one is run there: what ends with the container. The file says which kernels run.
        sys.stdin.buffer.read()
        kernels = (machine / "kernels").read_text().split() if (machine / "kernels").exists() else []
        rows = [{"label": "kernel", "text": name, "about": ""} for name in kernels]
        print(json.dumps({"changed": False, "running": rows, "words": f"{len(rows)} kernels", "asks": bool(rows)}))
        return 0
    if command[0].startswith("python3 -I -c"):
        given = sys.stdin.buffer.read().replace(f'"{HOME}/'.encode(), f'"{home}/'.encode())
    known = {**os.environ, "HOME": str(home)}
    return subprocess.run(["sh", "-c", " ".join(command)], cwd=home, env=known, input=given, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
