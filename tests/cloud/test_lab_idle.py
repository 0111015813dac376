# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A machine that stops by itself once nobody uses its lab, by the watcher that is on it.

The tests of the class are the days of one lab, in order: each begins with what the one before has left.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import typing

import pytest
from labs import ROOT, Lab, nothing_changed, url_in
from region.waiting import wait_until

# The machines of the region share this computer's processors, and what others let them do says nothing of the lab.
QUICK = {
    "autostop_interval": 1,
    "autostop_idle_minutes": 0.1,
    "autostop_idle_warning_minutes": 0.02,
    "autostop_max_hours": 12,
    "autostop_cpu_floor": 1000,
}
STATE = "/var/lib/desi-lab/watch/state.json"
# Longer than the idle time by far, and it tells on the lab's own disk that it came to its end.
BUSY = """
import time
from pathlib import Path
time.sleep(20)
Path("/home/synced/came-to-its-end").touch()
print("end")
"""


@pytest.fixture(scope="class")
def home(tmp_path_factory):
    """Return the person's computer. Its name is short, because sockets are made in it."""
    folder = tmp_path_factory.mktemp("h")
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="class")
def lab(request, region, home, free_ports):
    """Return the lab of the class, and take away whatever it leaves."""
    made = Lab(region, request.cls.NAME, home, next(free_ports), **request.cls.SETTINGS)
    yield made
    made.attempt("down", lab_yes=True)


def state(lab: Lab) -> dict:
    """Return what the watcher tells everybody, as a person reads it who may do nothing on the machine."""
    read = lab.region.exec(lab.instances()[0]["InstanceId"], "cat", STATE, user="nobody")
    return json.loads(read.stdout) if read.returncode == 0 else {}


def begin_in_notebook(url: str, code: str) -> subprocess.Popen[str]:
    """Begin to run code in a kernel of the lab, through the API that notebooks use."""
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "molecule/shared/run_in_kernel.py")],
        env={**os.environ, "JUPYTER_URL": url, "JUPYTER_CERTIFICATE": ""},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    process.stdin.write(code)
    process.stdin.close()
    return process


class TestALabThatIsLeftAlone:
    """On Amazon Linux, through a tunnel."""

    NAME = "idle"
    SETTINGS: typing.ClassVar = {"lab_os": "amazon"}

    def test_the_plan_and_the_box_say_when_the_machine_stops(self, lab):
        shown = lab.run("ec2.yml")
        assert shown.count("stops by itself after 60 idle minutes, and anyway after 12 hours") >= 2
        wait_until(lambda: state(lab).get("version") == 1, 30)
        told = state(lab)
        assert told["last_stop"] is None
        assert 11 * 3600 < told["deadline"] - told["checked"] <= 12 * 3600

    def test_a_second_run_changes_nothing(self, lab):
        assert nothing_changed(lab.run("ec2.yml"))

    def test_the_token_is_in_nothing_that_the_watcher_writes(self, lab, region):
        token = url_in(lab.run("ec2.yml")).partition("token=")[2]
        machine = lab.instances()[0]["InstanceId"]
        places = "/var/lib/desi-lab /run/desi-lab-watch /etc/desi-lab /etc/systemd/system"
        assert region.exec(machine, "sh", "-c", f"grep -r {token} {places}").stdout == ""
        journal = region.exec(machine, "journalctl", "--no-pager", "-u", "desi-lab-watch.service").stdout
        assert "Watcher of a DESI lab" in journal
        assert token not in journal

    def test_other_settings_change_their_file_alone(self, lab, region):
        machine = lab.instances()[0]["InstanceId"]
        places = "/usr/local/lib/desi-lab /etc/systemd/system /etc/desi-lab"
        listing = ("sh", "-c", f"find {places} -type f -exec md5sum {{}} +")
        before = set(region.exec(machine, *listing).stdout.splitlines())
        lab.run("ec2.yml", lab_idle_minutes=120)
        changed = {line.split()[1] for line in before ^ set(region.exec(machine, *listing).stdout.splitlines())}
        assert changed == {"/etc/desi-lab/watch.json"}

    def test_a_busy_kernel_keeps_it_running_and_then_it_stops_by_itself(self, lab, region):
        machine = lab.instances()[0]["InstanceId"]
        url = lab.url()
        notebook = begin_in_notebook(url, BUSY)
        wait_until(lambda: "a kernel is busy" in state(lab).get("active", []), 30)
        lab.run("ec2.yml", **QUICK)
        while notebook.poll() is None:
            assert lab.instances("running"), "it was stopped while a kernel was busy"
            time.sleep(0.2)
        assert notebook.wait() == 0, notebook.stderr.read()
        wait_until(lambda: lab.instances("stopped"), 60)
        about = region.client("ec2").describe_instances(InstanceIds=[machine])["Reservations"][0]["Instances"][0]
        assert about["StateReason"]["Code"] == "Client.InstanceInitiatedShutdown"

    def test_it_is_started_again_and_tells_why_it_was_stopped(self, lab, region):
        before = lab.instances()[0]
        shown = lab.run("ec2.yml")
        after = lab.instances()[0]
        assert after["InstanceId"] == before["InstanceId"]
        assert after["PublicIpAddress"] != before.get("PublicIpAddress")
        assert url_in(shown)
        wait_until(lambda: state(lab).get("idle_since", 0) is None or state(lab)["idle_stop_at"], 30)
        told = state(lab)["last_stop"]
        assert told["why"] == "Nobody used it for 6 seconds (lab_idle_minutes)."
        assert abs(time.time() - told["at"]) < 300
        # Nothing was lost, and nothing is left of the warning.
        files = region.exec(after["InstanceId"], "ls", "/home/ec2-user/synced").stdout
        assert "came-to-its-end" in files
        assert "STOPS" not in files
