# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Inspect a host's labs: containers, mounts, server and watcher, as one JSON document.

It is also sent to instances as a program of its own, so it imports the standard library only.
"""

from __future__ import annotations

import glob
import json
import socket
import subprocess
import sys
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

# A dead mount may hang whoever lists it.
PATIENCE_SECONDS = 3.0
MOUNTS = "/var/lib/desi-lab/mounts"
WATCH = "/var/lib/desi-lab/watch/state.json"
LABEL = "desi.lab.name"
MOST_CHARACTERS = 1 << 16


def mount_answers(path: str, seconds: float | None = None) -> bool | None:
    """Return whether the mount in a directory has entries; None without a path."""
    if not path:
        return None
    try:
        listing = subprocess.run(
            ["ls", "-A", "--", f"{path}/.bucket"], check=False, capture_output=True, timeout=seconds or PATIENCE_SECONDS
        )
    except subprocess.TimeoutExpired:
        return False
    # Without its mount, the directory is empty.
    return listing.returncode == 0 and bool(listing.stdout)


def server_answers(address: str, port: int, scheme: str = "http", seconds: float | None = None) -> bool:
    """Return whether a Jupyter server returns its version, which needs no token."""
    # Slow to import, and often not needed.
    import http.client
    import ssl
    import urllib.request

    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(address, f"[{address}]" if ":" in address else address)  # noqa: S104 (read, not bound)
    anybody = ssl._create_unverified_context()  # noqa: S323 - nothing secret is sent
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=anybody))
    try:
        with direct.open(f"{scheme}://{host}:{port}/api", timeout=seconds or PATIENCE_SECONDS) as answer:
            return bool(answer.status == 200)
    except (OSError, ValueError, http.client.HTTPException):
        return False


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def docker(*words: str) -> str:
    """Return the output of a docker command, empty without Docker."""
    try:
        return subprocess.run(
            ["docker", *words], check=False, capture_output=True, text=True, timeout=PATIENCE_SECONDS
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""


def containers() -> list[dict[str, object]]:
    """Return the labs' containers without their environment, which may hold secrets.

    What somebody else made of a lab's image has its labels, too, but a name of its own.
    """
    ids = docker("ps", "--all", "--quiet", "--filter", f"label={LABEL}", "--filter", "name=^/?desi-lab-").split()
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
    """Return image ids by reference, from ``docker image ls``."""
    rows = [line.split() for line in listing.splitlines()]
    return {row[1]: row[0] for row in rows if len(row) == 2 and not row[1].startswith("<none>")}


LIST_IMAGES = ("image", "ls", "--no-trunc", "--format", "{{.ID}} {{.Repository}}:{{.Tag}}")


def watch_state() -> object:
    """Return the state file of the instance's watcher, None without one."""
    try:
        with open(WATCH, encoding="utf-8") as file:  # noqa: PTH123 - in whatever Python is there
            return json.load(file)
    except (OSError, ValueError):
        return None


def uptime() -> float | None:
    try:
        with open("/proc/uptime", encoding="ascii") as file:  # noqa: PTH123 - as above
            return float(file.read().split()[0])
    except (OSError, ValueError, IndexError):
        return None


def inspect(port: int, scheduler: list[str]) -> dict[str, object]:
    """Query everything in parallel. ``scheduler`` asks the one of Dask workers: a container, and a command in it."""
    found: dict[str, object] = {"watch": watch_state(), "uptime": uptime()}
    mounts: dict[str, object] = {}
    found["mounts"] = mounts

    def keep(answers: dict[str, object], name: str, ask: Callable[[], object]) -> threading.Thread:
        thread = threading.Thread(target=lambda: answers.__setitem__(name, ask()), daemon=True)
        thread.start()
        return thread

    at_work = [
        keep(found, "containers", containers),
        keep(found, "images", lambda: image_ids(docker(*LIST_IMAGES))),
        keep(found, "dask", lambda: docker("exec", *scheduler)[:MOST_CHARACTERS] if scheduler else ""),
        keep(found, "server", lambda: listens(port) and server_answers("127.0.0.1", port, "http", 1.5)),
        *(keep(mounts, place, lambda place=place: mount_answers(place, 1.5)) for place in glob.glob(f"{MOUNTS}/*")),  # noqa: PTH207 - in whatever Python is there
    ]
    for thread in at_work:
        thread.join()
    return found


if __name__ == "__main__":
    json.dump(inspect(int(sys.argv[1]), sys.argv[2:]), sys.stdout)
