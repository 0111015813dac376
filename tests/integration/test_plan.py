# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What --check says of each part of a lab is what a run then does, in the states that Molecule's scenarios make."""

import json
import os
import re
import signal
import socket
from pathlib import Path

import pytest
from conftest import LABEL, docker, lab_command
from player import IS_POSSIBLE, Alone, Player

pytestmark = pytest.mark.docker

NAME = f"plan-{os.getpid()}"
SERVER = f"desi-lab-{NAME}"
SAID = re.compile(r"Plan: (\w+) +(?:would be )?(kept|compared|started|made|replaced)\b")
MOUNT = "desi.lab.mount"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Return the person's folders; what is left of the lab is taken away."""
    home = tmp_path_factory.mktemp("plan")
    for folder in ("work", "data/edr/spectro/redux/fuji", "more/edr/spectro/redux/fuji"):
        (home / folder).mkdir(parents=True)
    yield home
    for container in docker("ps", "-aq", "--filter", f"label={LABEL}={NAME}").split():
        docker("rm", "--force", container)
    for kind in ("network", "volume"):
        for left in docker(kind, "ls", "-q", "--filter", f"label={LABEL}={NAME}").split():
            docker(kind, "rm", left)


@pytest.fixture(scope="module")
def local(place, tmp_path_factory):
    """Return a function that runs ``./lab local`` and returns what is shown."""
    player = Player(tmp_path_factory.mktemp("q"), os.environ) if IS_POSSIBLE else Alone()

    def run(*arguments, verb="local"):
        known = ("lab_open_browser=never", "lab_yes=true", f"lab_name={NAME}", f"lab_cache={place}/cache")
        command, environment = lab_command(verb, *known, *arguments, cwd=place / "work")
        done = player.run(command, environment, place / "work", timeout=300)
        assert done.returncode == 0, done.stdout
        return done.stdout

    yield run
    try:
        run(verb="down")
    finally:
        player.close()


def ports(number):
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    found = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return found


def found():
    """Return what there is of each part: its identity, and what changes when it is started again."""
    parts = {}
    for number in docker("ps", "-aq", "--filter", f"label={LABEL}={NAME}").split():
        [about] = json.loads(docker("inspect", number))
        labels, state = about["Config"]["Labels"], about["State"]
        parts[labels["desi.lab.role"]] = about["Id"], state["StartedAt"] if state["Running"] else ""
        if labels["desi.lab.role"] == "server":
            parts["image"] = about["Image"], ""
            if labels.get(MOUNT):
                parts["data"] = labels[MOUNT], mounted(f"{labels[MOUNT]}/.bucket")
    return parts


def mounted(path):
    """Return the number of a mount, which another one at the same place does not have; empty where there is none."""
    lines = (line.split() for line in Path("/proc/self/mountinfo").read_text().splitlines())
    return next((line[2] for line in lines if line[4] == path), "")


def processes_of(mount):
    """Return the processes that serve a mount on this computer."""
    inside = f"{mount}/".encode()
    here = Path("/proc/self/ns/pid").readlink()
    return sorted(int(path.parent.name) for path in Path("/proc").glob("[0-9]*/cmdline") if serves(path, inside, here))


def serves(path, inside, here):
    try:
        return inside in path.read_bytes() and (path.parent / "ns/pid").readlink() == here
    except OSError:
        return False


def is_done(action, before, after):
    """Return whether what a plan says of a part was done. What is started may run already, and lack what it needs."""
    if before is None:
        return action == "made"
    return {"kept": before == after, "replaced": before[0] != after[0]}.get(action, before[0] == after[0])


def test_what_is_planned_is_what_is_done(local, place):
    first, second = ports(2)
    embedded = ("lab_image=embedded", f"lab_port={first}")
    folder = (*embedded, f"lab_data={place}/data")
    another = ("lab_image=desi-lab:0.1.0", f"lab_port={second}", f"lab_data={place}/data")
    sample = ("lab_image=embedded", f"lab_port={second}", "lab_data=sample", "lab_mount=host")

    def stop():
        docker("stop", "--time", "1", SERVER)

    def kill_mount_and_stop_sample():
        # With what would start it again.
        for process in processes_of(found()["data"][0]):
            os.kill(process, signal.SIGKILL)
        docker("stop", "--time", "1", f"{SERVER}-sample")

    states = (
        ("nothing", None, folder, {"server": "made"}),
        ("stopped", stop, folder, {"server": "started", "image": "kept"}),
        ("another port and image", None, another, {"server": "replaced"}),
        ("another data", None, sample, {"server": "replaced", "sample": "made", "data": "made"}),
        ("dead mount", kill_mount_and_stop_sample, sample, {"data": "started", "sample": "started"}),
        ("all kept", None, sample, {"server": "kept", "sample": "kept", "data": "kept"}),
    )
    for state, prepare, settings, expected in states:
        if prepare:
            prepare()
        before = found()
        said = dict(SAID.findall(local(*settings, "--check")))
        assert {name: said.get(name) for name in expected} == expected, (state, said)
        assert found() == before, state
        local(*settings)
        after = found()
        for part, action in said.items():
            if part in after and action != "compared":
                assert is_done(action, before.get(part), after[part]), (state, part, said, before, after)
