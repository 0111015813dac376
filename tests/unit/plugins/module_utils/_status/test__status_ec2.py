# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import pytest

from ansible_collections.desi.lab.plugins.module_utils._aws.pricing import Price, Prices
from ansible_collections.desi.lab.plugins.module_utils._aws.tags import as_tag_list, lab_tags
from ansible_collections.desi.lab.plugins.module_utils._ec2.resources import lab_rows
from ansible_collections.desi.lab.plugins.module_utils._status.ec2 import Answers, ran, status_row

NOW = 1_795_521_600.0
STARTED = datetime(2026, 11, 24, 10, tzinfo=timezone.utc)
PRICE = Price(0.1, "2026-11-01", "Pricing API")
PRICES = Prices({"t3.xlarge": PRICE}, Price(0.073, "2026-11-01", "Pricing API"), Price(0.005, "", ""))
NOTHING = Answers(None, None, None, 30, PRICES, None, Path("/c"))
CONTAINER = {
    "Image": "sha256:1",
    "State": {"Running": True},
    "Config": {
        "Image": "desi-lab:0.1.0",
        "Labels": {
            "desi.lab.name": "desi",
            "desi.lab.role": "server",
            "desi.lab.image": "desi-lab:0.1.0",
            "desi.lab.text": "streamed",
            "desi.lab.mount": "/m/1",
            "desi.lab.folder": "/home/ec2-user/synced",
        },
    },
    "HostConfig": {},
}
PROBE = {
    "containers": [CONTAINER],
    "images": {"desi-lab:0.1.0": "sha256:2"},
    "server": True,
    "mounts": {"/m/1": True},
    "uptime": 3600.4,
    "watch": {"idle_since": NOW - 600, "idle_stop_at": NOW + 3000, "active": []},
}


def instance(state="running", **more):
    return {
        "InstanceId": "i-1",
        "InstanceType": "t3.xlarge",
        "State": {"Name": state},
        "Placement": {"AvailabilityZone": "us-west-2b"},
        "PublicIpAddress": "203.0.113.7" if state == "running" else None,
        "LaunchTime": STARTED,
        "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeId": "vol-1", "AttachTime": STARTED}}],
        "Tags": as_tag_list(lab_tags("desi", "ann", {"access": "tunnel", "port": "8888", "release": "edr"})),
        **more,
    }


def row(described=None, **answers):
    described = described or instance()
    [base] = lab_rows([described], "us-west-2")
    return status_row(base, described, NOTHING._replace(**answers), NOW)


def test_machine_that_was_asked_tells_of_its_lab():
    lab = row(probe=PROBE, server=True, expires=NOW + 14 * 86400, tunnel_port=8888)
    assert (lab["image"], lab["image_newer"]) == ("desi-lab:0.1.0", True)
    assert (lab["data"], lab["mount_answers"]) == ("streamed", True)
    assert (lab["reached"], lab["server_answers"], lab["tunnel_open"]) == (True, True, True)
    assert (lab["uptime_seconds"], lab["idle_since"]) == (3600, "2026-11-24T11:50:00Z")
    assert [event["what"] for event in lab["next"]] == ["idle stop", "expiry"]
    assert (lab["region"], lab["disk_gib"], lab["usd_hour"]) == ("us-west-2", 30, 0.108)
    assert lab["notes"] == ["A newer image desi-lab:0.1.0 is there: ./lab update takes it."]


def test_machine_that_does_not_answer_is_told_by_what_aws_says():
    lab = row()
    assert (lab["reached"], lab["server_answers"], lab["uptime_seconds"]) == (False, None, 7200)
    assert lab["notes"] == ["Its machine does not answer over SSH."]


@pytest.mark.security("C2")
def test_machine_whose_answer_is_refused_is_said_to_be_odd_and_nothing_of_it_is_shown():
    lab = row(probe={"refused": "it is too long"})
    assert (lab["image"], lab["server_answers"], lab["uptime_seconds"]) == ("", None, 7200)
    assert "it is too long" in lab["notes"][0]


@pytest.mark.parametrize(
    ("answers", "note"),
    [
        ({"directory": None}, "another computer"),
        ({"probe": {**PROBE, "watch": None}}, "Nothing stops"),
        ({"probe": {**PROBE, "server": False}}, "Its server does not answer"),
    ],
)
def test_what_is_odd_of_a_running_machine_is_noted(answers, note):
    lab = row(**answers)
    assert any(note in each for each in lab["notes"])
    assert lab["reached"] is (None if "directory" in answers else True)


def test_server_that_cannot_be_asked_from_here_is_told_as_the_machine_does():
    lab = row(probe=PROBE)
    assert (lab["tunnel_open"], lab["server_answers"]) == (False, True)


def test_container_of_another_lab_on_the_machine_is_not_taken_for_this_one():
    labels = {**CONTAINER["Config"]["Labels"], "desi.lab.name": "x"}
    other = {**CONTAINER, "Config": {**CONTAINER["Config"], "Labels": labels}}
    assert row(probe={**PROBE, "containers": [other]})["image"] == ""


@pytest.mark.parametrize(("expires", "told_as"), [(None, None), (False, False), (NOW + 1, True)])
def test_whether_it_is_deleted_is_yes_no_or_not_known(expires, told_as):
    assert row(expires=expires)["expires"] is told_as


def test_machine_that_stopped_itself_is_told_so_and_costs_its_disk():
    stopped = instance(
        "stopped",
        StateReason={"Code": "Client.InstanceInitiatedShutdown"},
        StateTransitionReason="User initiated (2026-11-24 11:00:00 GMT)",
    )
    lab = row(stopped)
    assert lab["notes"][0].startswith("It stopped itself 1 h ago.")
    assert (lab["uptime_seconds"], lab["reached"], lab["tunnel_open"]) == (None, None, None)
    assert (lab["usd_hour"], lab["usd_month"]) == (0.003, 2.19)


def test_disk_that_is_not_known_makes_costs_not_known():
    lab = row(disk_gib=None)
    assert (lab["usd_hour"], lab["usd_so_far"], lab["usd_month"], lab["disk_gib"]) == (None, None, None, None)


def test_times_of_a_machine_are_read_as_botocore_gives_them():
    assert ran(instance(), "", True) == (STARTED.timestamp(), STARTED.timestamp(), None, True)
    assert ran({}, "2026-11-24T11:00:00Z", False) == (None, None, NOW - 3600, False)


def test_workers_are_counted_and_cost_what_their_machines_cost():
    sizes = {"vol-1": 30}
    alone, both = row(), row(workers=[instance(InstanceId="i-2"), instance(InstanceId="i-3")], sizes=sizes)
    assert (alone["workers"], both["workers"]) == (0, 2)
    # Their disks are not as large as the lab's.
    large = row(workers=[instance()], sizes={"vol-1": 760})
    assert large["usd_hour"] == pytest.approx(2 * alone["usd_hour"] + 0.073, abs=0.001)
    assert row(workers=[instance()])["usd_hour"] is None
    assert both["usd_hour"] == pytest.approx(3 * alone["usd_hour"], abs=0.001)
    assert both["usd_so_far"] == pytest.approx(3 * alone["usd_so_far"], abs=0.02)
    assert not [note for note in both["notes"] if "scheduler" in note]
    counts = {"workers": 2, "processing": 1, "waiting": 0, "memory": 0}
    assert row(probe={**PROBE, "dask": counts}, workers=[instance()])["dask"] == counts
    said = [row(workers=[instance()], recorded=number)["notes"] for number in (0, 1, 3)]
    assert ["It was given" in " ".join(notes) for notes in said] == [False, False, True]
    unknown = row(workers=[instance(InstanceId="i-2", InstanceType="x9.huge")], sizes=sizes)
    assert (unknown["workers"], unknown["usd_hour"]) == (1, None)
