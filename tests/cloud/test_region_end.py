# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A region takes away all that it made when it ends, and the next one what a region left that was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import docker
import pytest
from launching import Launcher
from region.running import running
from region.waiting import wait_until
from region.words import REGION_LABEL

FOLDER = Path(__file__).parent


def things(number: str) -> dict[str, list[str]]:
    """Return what Docker has of a region."""
    engine = docker.from_env()
    mine = {"label": f"{REGION_LABEL}={number}"}
    found = {
        "containers": [each.name for each in engine.containers.list(all=True, filters=mine, ignore_removed=True)],
        "volumes": [each.name for each in engine.volumes.list(filters=mine)],
        "networks": [each.name for each in engine.networks.list(filters=mine)],
    }
    return {kind: names for kind, names in found.items() if names}


def number_of(region) -> str:
    return region.about["name"].rpartition("-")[2]


def test_what_a_region_leaves_is_removed_at_its_end_or_by_the_next_one(tmp_path, region):
    with running(tmp_path / "killed.log") as killed:
        number = number_of(killed)
        launcher = Launcher(killed, tmp_path)
        instance = launcher.launch()
        assert instance in "".join(things(number)["containers"])
        assert instance in "".join(things(number)["volumes"])
        os.kill(killed.about["pid"], signal.SIGKILL)
    assert things(number)
    with running(tmp_path / "next.log") as following:
        assert number_of(following) == number
        assert set(things(number)) == {"containers", "networks"}
        assert things(number)["containers"] == [f"desi-lab-region-{number}-bucket"]
    assert things(number) == {}
    # The region of all tests has been beside them, and has another number.
    assert number_of(region) != number
    assert things(number_of(region))


def test_a_reset_lets_everything_be_as_in_the_beginning(tmp_path):
    with running(tmp_path / "reset.log") as fresh:
        launcher = Launcher(fresh, tmp_path)
        launcher.launch()
        launcher.ec2.delete_subnet(SubnetId=launcher.ec2.describe_subnets()["Subnets"][0]["SubnetId"])
        fresh.reset()
        assert fresh.calls() == []
        assert fresh.machines() == []
        assert launcher.ec2.describe_key_pairs()["KeyPairs"] == []
        assert len(launcher.ec2.describe_subnets()["Subnets"]) == 4
        assert fresh.client("sts").get_caller_identity()["Arn"].endswith("user/ann")
        assert launcher.image("ubuntu") == Launcher(fresh, tmp_path).image("ubuntu")


def test_a_region_ends_when_who_started_it_is_gone(tmp_path):
    begin = (
        "import sys, time; from pathlib import Path; from region.running import running\n"
        f"with running(Path({str(tmp_path / 'orphan.log')!r})) as region:\n"
        "    print(region.about['name'], region.about['pid'], flush=True)\n"
        "    time.sleep(600)\n"
    )
    known = {**os.environ, "PYTHONPATH": str(FOLDER)}
    with subprocess.Popen([sys.executable, "-c", begin], env=known, stdout=subprocess.PIPE, text=True) as parent:
        name, pid = parent.stdout.readline().split()
        parent.kill()
    wait_until(lambda: not Path(f"/proc/{pid}").exists(), 60)
    assert things(name.rpartition("-")[2]) == {}


@pytest.mark.parametrize("port", ["1", "70000", "x"])
def test_a_port_that_cannot_be_had_is_said_and_nothing_is_left(port, region):
    taken = region.endpoint.rpartition(":")[2] if port == "1" else port
    command = [sys.executable, "-m", "region", "--port", taken]
    done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert done.stdout == ""
    assert taken in done.stderr
    assert "Traceback" not in done.stderr
