# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A machine that stops by itself once nobody uses its lab, by the watcher that is on it.

The tests of the class are the days of one lab, in order: each begins with what the one before has left.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import typing
import urllib.request
from urllib.parse import urlsplit

import pytest
from labs import ROOT, Lab, url_in
from region.waiting import wait_until

STATE = "/var/lib/desi-lab/watch/state.json"
FOLDER = "/home/ec2-user/synced"
# Seconds: what is short enough to be waited for, and what is longer than it by far.
IDLE = 9
LONGER = 12
# It goes on until it is told to end, whoever is connected.
BUSY = """
import time
from pathlib import Path
while not Path("/home/synced/enough").exists():
    time.sleep(0.1)
Path("/home/synced/came-to-its-end").touch()
"""


@pytest.fixture(scope="class")
def url(lab):
    """Return the URL of the lab, once it is there."""
    return lab.url()


def state(lab: Lab) -> dict:
    """Return what the watcher tells everybody, as a person reads it who may do nothing on the machine."""
    read = lab.region.exec(lab.instances()[0]["InstanceId"], "cat", STATE, user="nobody")
    return json.loads(read.stdout) if read.returncode == 0 else {}


def leave_running(lab: Lab, url: str, code: str) -> None:
    """Begin to run code in a kernel of the lab, as a notebook does, and close the page."""
    begun = subprocess.Popen(
        [sys.executable, str(ROOT / "molecule/shared/run_in_kernel.py")],
        env={**os.environ, "JUPYTER_URL": url, "JUPYTER_CERTIFICATE": ""},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    begun.stdin.write(code)
    begun.stdin.close()
    try:
        wait_until(lambda: "a kernel is busy" in state(lab).get("active", []), 90)
    finally:
        begun.kill()
        begun.wait()


def open_terminal(url: str) -> None:
    """Open a terminal in the lab, as a page does."""
    parts = urlsplit(url)
    headers = {"Authorization": f"token {parts.query.partition('=')[2]}"}
    request = urllib.request.Request(f"http://{parts.netloc}/api/terminals", method="POST", headers=headers)
    urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=20).close()


class TestALabThatIsLeftAlone:
    """On Amazon Linux, through a tunnel."""

    NAME = "idle"
    SETTINGS: typing.ClassVar = {
        "lab_os": "amazon",
        "autostop_interval": 1,
        # A run of ./lab ec2 has to come to its end before the machine stops again.
        "autostop_start_minutes": 1.5,
        # The machines of the region share this computer's processors: what others do with them says nothing of the lab.
        "autostop_cpu_floor": 1000,
    }

    def test_the_plan_and_the_box_say_when_the_machine_stops(self, lab):
        shown = lab.run("ec2.yml")
        assert shown.count("stops by itself after 60 idle minutes, and anyway after 12 hours") >= 2
        wait_until(lambda: state(lab).get("version") == 1, 90)
        told = state(lab)
        assert told["last_stop"] is None
        assert 11 * 3600 < told["deadline"] - told["checked"] <= 12 * 3600

    def test_what_it_sees_is_all_that_there_is_to_see(self, lab):
        # Nothing that its unit forbids is needed: else there would be a doubt.
        wait_until(lambda: "the watcher has just begun to look" not in state(lab)["active"], 90)
        assert not [each for each in state(lab)["active"] if "cannot be" in each or "fault" in each]

    def test_the_token_is_in_nothing_that_the_watcher_writes(self, lab, region, url):
        token = url.partition("token=")[2]
        machine = lab.instances()[0]["InstanceId"]
        places = "/var/lib/desi-lab /run/desi-lab-watch /etc/desi-lab /etc/systemd/system"
        assert len(token) > 20
        assert region.exec(machine, "sh", "-c", f"grep -r {token} {places}").stdout == ""
        journal = region.exec(machine, "journalctl", "--no-pager", "-u", "desi-lab-watch.service").stdout
        assert "Watcher of a DESI lab" in journal
        assert token not in journal

    def test_other_settings_change_their_file_alone_and_a_busy_kernel_keeps_it_running(self, lab, region, url):
        machine = lab.instances()[0]["InstanceId"]
        open_terminal(url)
        leave_running(lab, url, BUSY)
        places = "/usr/local/lib/desi-lab /etc/systemd/system /etc/desi-lab"
        listing = ("sh", "-c", f"find {places} -type f -exec md5sum {{}} +")
        before = set(region.exec(machine, *listing).stdout.splitlines())
        lab.run("ec2.yml", autostop_idle_minutes=IDLE / 60)
        changed = {line.split()[1] for line in before ^ set(region.exec(machine, *listing).stdout.splitlines())}
        assert changed == {"/etc/desi-lab/watch.json"}
        since = time.time()
        wait_until(lambda: state(lab)["checked"] > since + LONGER, LONGER * 8)
        # Whatever is faster than autostop_start_minutes has to wait for them.
        wait_until(lambda: "the machine was started a moment ago" not in state(lab)["active"], 90)
        assert state(lab)["active"] == ["a kernel is busy"]
        assert state(lab)["idle_stop_at"] is None
        assert lab.instances("running")

    def test_it_stops_by_itself_once_the_kernel_rests_and_warns_before(self, lab, region):
        machine = lab.instances()[0]["InstanceId"]
        region.exec(machine, "touch", f"{FOLDER}/enough")
        seen = set()

        def stopped():
            seen.update(region.exec(machine, "ls", FOLDER).stdout.splitlines())
            said = region.exec(machine, "journalctl", "--no-pager", "-o", "cat", "-u", "desi-lab-watch.service").stdout
            seen.update(line for line in said.splitlines() if "terminals" in line)
            return lab.instances("stopped")

        wait_until(stopped, 90)
        about = region.client("ec2").describe_instances(InstanceIds=[machine])["Reservations"][0]["Instances"][0]
        assert about["StateReason"]["Code"] == "Client.InstanceInitiatedShutdown"
        assert "came-to-its-end" in seen
        assert any(re.fullmatch(r"THIS LAB STOPS AT \d\d:\d\d UTC\.txt", name) for name in seen)
        assert any(line.endswith("(lab_idle_minutes); told to 1 terminals.") for line in seen)

    def test_it_is_started_again_and_tells_why_it_was_stopped(self, lab, region):
        before = lab.instances()[0]
        url = url_in(lab.run("ec2.yml"))
        after = lab.instances()[0]
        assert after["InstanceId"] == before["InstanceId"]
        assert after.get("PublicIpAddress") not in (None, before.get("PublicIpAddress"))
        assert url.startswith(f"http://127.0.0.1:{lab.port}/")
        # It watches anew since the boot, and remembers nothing of before that would stop it.
        wait_until(lambda: state(lab).get("checked", 0) > time.time() - 5, 90)
        told = state(lab)
        assert told["last_stop"]["why"] == f"Nobody used it for {IDLE} seconds (lab_idle_minutes)."
        assert 0 < time.time() - told["last_stop"]["at"] < 300
        assert told["deadline"] - told["checked"] > 11 * 3600
        files = region.exec(after["InstanceId"], "ls", FOLDER).stdout
        assert "came-to-its-end" in files
        assert "STOPS" not in files

    def test_it_comes_home_and_goes_with_nothing_but_its_own(self, lab, region):
        client = region.client("ec2")
        zone = lab.instances()[0]["Placement"]["AvailabilityZone"]
        named = [{"ResourceType": "volume", "Tags": [{"Key": "Name", "Value": f"desi-lab-{lab.name}"}]}]
        theirs = client.create_volume(AvailabilityZone=zone, Size=1, TagSpecifications=named)["VolumeId"]
        group = client.create_security_group(GroupName=f"jupyter-{lab.name}", Description="another's")["GroupId"]
        try:
            assert "nothing is left" in lab.run("down", lab_yes=True)
            assert (lab.home / f"work-{lab.name}" / "came-to-its-end").exists()
            assert lab.left() == []
            assert client.describe_volumes(VolumeIds=[theirs])["Volumes"]
            assert client.describe_security_groups(GroupIds=[group])["SecurityGroups"]
        finally:
            client.delete_volume(VolumeId=theirs)
            client.delete_security_group(GroupId=group)
