# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection.

"""What a computer with labs on it tells of them: its containers, its mounts, its servers, and its watcher.

It is also run by itself, on machines elsewhere, by whatever Python is there; so it imports nothing that is not in every
Python, and prints one JSON document.
"""

from __future__ import annotations

import glob
import http.client
import json
import ssl
import subprocess
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor

# A mount whose server is gone may hang for good, and a process that asks it cannot be stopped from inside.
PATIENCE_SECONDS = 3.0
MOUNTS = "/var/lib/desi-lab/mounts"
WATCH = "/var/lib/desi-lab/watch/state.json"
LABEL = "desi.lab.name"


def mount_answers(path: str, seconds: float | None = None) -> bool | None:
    """Return whether the mount in a folder shows anything; None where there is no mount."""
    if not path:
        return None
    try:
        listing = subprocess.run(
            ["ls", "-A", f"{path}/.bucket"], check=False, capture_output=True, timeout=seconds or PATIENCE_SECONDS
        )
    except subprocess.TimeoutExpired:
        return False
    # The folder of a mount that has ended is still there, but empty.
    return listing.returncode == 0 and bool(listing.stdout)


def server_answers(address: str, port: int, scheme: str = "http", seconds: float | None = None) -> bool:
    """Return whether a Jupyter server answers at a published port; no token is needed to ask for its version."""
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(address, f"[{address}]" if ":" in address else address)  # noqa: S104 (read, not bound)
    # Nothing is sent that is secret, and whose certificate it is is looked at by those who send the token.
    anybody = ssl._create_unverified_context()  # noqa: S323
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=anybody))
    try:
        with direct.open(f"{scheme}://{host}:{port}/api", timeout=seconds or PATIENCE_SECONDS) as answer:
            return bool(answer.status == 200)
    except (OSError, ValueError, http.client.HTTPException):
        return False


def docker(*words: str) -> str:
    """Return what a command of Docker prints, nothing where there is no Docker."""
    try:
        return subprocess.run(
            ["docker", *words], check=False, capture_output=True, text=True, timeout=PATIENCE_SECONDS
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""


def containers() -> list[dict[str, object]]:
    """Return what there is to know of the containers of labs, without their environment, which may hold secrets."""
    ids = docker("ps", "--all", "--quiet", "--filter", f"label={LABEL}").split()
    found = json.loads(docker("container", "inspect", *ids) or "[]") if ids else []
    return [
        {
            "Image": item.get("Image"),
            "State": item.get("State"),
            "Config": {"Labels": item["Config"].get("Labels"), "Image": item["Config"].get("Image")},
            "HostConfig": {"PortBindings": item["HostConfig"].get("PortBindings")},
        }
        for item in found
    ]


def image_ids(listing: str) -> dict[str, str]:
    """Return the ids of images by the references that lead to them now, from ``docker image ls``."""
    rows = [line.split() for line in listing.splitlines()]
    return {row[1]: row[0] for row in rows if len(row) == 2 and not row[1].startswith("<none>")}


LIST_IMAGES = ("image", "ls", "--no-trunc", "--format", "{{.ID}} {{.Repository}}:{{.Tag}}")


def watch_state() -> object:
    """Return what the watcher of the machine wrote last; nothing where there is none."""
    try:
        with open(WATCH, encoding="utf-8") as file:  # noqa: PTH123 - in whatever Python is there
            return json.load(file)
    except (OSError, ValueError):
        return None


def uptime() -> float | None:
    """Return for how many seconds the machine has been up."""
    try:
        with open("/proc/uptime", encoding="ascii") as file:  # noqa: PTH123 - as above
            return float(file.read().split()[0])
    except (OSError, ValueError, IndexError):
        return None


def look(port: int) -> dict[str, object]:
    """Ask everything side by side."""
    folders = glob.glob(f"{MOUNTS}/*")  # noqa: PTH207 - as above
    with ThreadPoolExecutor(max_workers=16) as pool:
        asked = {
            "containers": pool.submit(containers),
            "images": pool.submit(lambda: image_ids(docker(*LIST_IMAGES))),
            "server": pool.submit(server_answers, "127.0.0.1", port, "http", 1.5),
        }
        mounts = {folder: pool.submit(mount_answers, folder, 1.5) for folder in folders}
        return {
            **{name: answer.result() for name, answer in asked.items()},
            "mounts": {folder: answer.result() for folder, answer in mounts.items()},
            "watch": watch_state(),
            "uptime": uptime(),
        }


if __name__ == "__main__":
    json.dump(look(int(sys.argv[1])), sys.stdout)
