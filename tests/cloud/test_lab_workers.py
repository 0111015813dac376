# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A lab whose Dask workers are machines of their own.

The tests of the class are the days of one lab, in order: each begins with what the one before has left.
"""

from __future__ import annotations

import json
import re
import shlex
import typing

from labs import Lab, allowed_actions, asked_actions
from region.waiting import wait_until

# Each worker reads the data at the path that the notebook has, and says which machine it is on.
COMPUTE = """
import os, dask
from dask.distributed import Client
with Client(timeout="20s") as client:
    names = sorted(each["id"].rpartition("-")[0] for each in client.scheduler_info()["workers"].values())
    listed = client.run(os.listdir, "/home/desidata")
    assert len({tuple(sorted(each)) for each in listed.values()}) == 1 and all(listed.values()), listed
    print(sum(client.gather(client.map(lambda number: number * number, range(1000)))), *names)
"""
# The worked example, by the cluster and serially, and whether both give the same bits.
EXAMPLE = """
set -e
stack() { python /home/desi/examples/stack_spectra.py --json --scheduler "$1" --workers 2 --output "/tmp/$1"; }
stack auto
stack sync
python -c 'import numpy
one, other = (numpy.load(f"/tmp/{name}.npz") for name in ("auto", "sync"))
print(all(numpy.array_equal(one[name], other[name], equal_nan=True) for name in ("median", "count")))'
"""
SQUARES = str(sum(number * number for number in range(1000)))
# The metadata service of a spot machine that AWS takes back.
NOTICE = """
import http.server
class Notice(http.server.BaseHTTPRequestHandler):
    def answer(self, text):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(text)
    def do_PUT(self):
        self.answer(b"token")
    def do_GET(self):
        self.answer(b'{"action": "terminate", "time": "2026-11-29T12:00:00Z"}')
http.server.HTTPServer(("169.254.169.254", 80), Notice).serve_forever()
"""


def computed(lab: Lab) -> list[str]:
    """Compute in the lab as a notebook does; return the sum and the machines."""
    return lab.on_machine(f"sudo docker exec desi-lab-{lab.name} python -c {shlex.quote(COMPUTE)}").split()


def machines(lab: Lab) -> tuple[str, list[str]]:
    """Return the lab's own machine, and those of its workers."""
    found = {machine["InstanceId"]: machine["Tags"] for machine in lab.instances("pending", "running")}
    workers = [number for number, tags in found.items() if {"Key": "desi-lab:role", "Value": "worker"} in tags]
    (own,) = set(found) - set(workers)
    return own, sorted(workers)


class TestALabWithWorkers:
    """On Amazon Linux, through a tunnel."""

    NAME = "many"
    SETTINGS: typing.ClassVar = {}

    def test_two_machines_compute_for_the_lab_and_are_asked_for_once(self, lab, region):
        shown = lab.run("ec2.yml", lab_workers=2)
        assert "2 Dask workers t2.micro" in shown
        _own, workers = machines(lab)
        assert len(workers) == 2
        total, *names = computed(lab)
        assert (total, sorted(names)) == (SQUARES, workers)
        shown = lab.on_machine(f"sudo docker exec desi-lab-{lab.name} bash -c {shlex.quote(EXAMPLE)}")
        by_cluster, serially, same = shown.splitlines()
        assert json.loads(by_cluster)["spectra"] == json.loads(serially)["spectra"] > 0
        assert same == "True"
        launches = [call for call in region.calls("RunInstances") if call["parameters"]["MaxCount"] == "2"]
        assert [call["status"] for call in launches] == [200]

    def test_one_is_retired_and_ended_and_the_other_stays_as_it_is(self, lab):
        _own, before = machines(lab)
        shown = lab.run("ec2.yml", lab_workers=1)
        _own, (worker,) = machines(lab)
        assert worker in before
        assert re.search(rf"{worker} +ok=\d+ changed=0 failed=0", shown), shown
        assert computed(lab) == [SQUARES, worker]

    def test_stop_takes_workers_along_and_start_brings_them_and_a_killed_scheduler_back(self, lab):
        _own, before = machines(lab)
        lab.on_machine("sudo docker kill desi-lab-many-scheduler")
        lab.run("stop", lab_sync=False)
        assert [machine["State"]["Name"] for machine in lab.instances()] == ["stopped"]
        assert "1 Dask worker t2.micro" in lab.run("start")
        _own, (worker,) = machines(lab)
        assert [worker] != before
        assert computed(lab) == [SQUARES, worker]

    def test_a_worker_that_aws_takes_back_ends_itself(self, lab, region):
        _own, (worker,) = machines(lab)
        region.exec(worker, "ip", "address", "add", "169.254.169.254/32", "dev", "lo")
        region.exec(worker, "systemd-run", "python3", "-c", NOTICE)
        wait_until(lambda: machines(lab)[1] == [], 120)
        # It is missed, and the plan says so without making anything.
        shown = lab.run("start", "--check")
        assert "1 Dask worker t2.micro" in shown
        assert "removed" not in shown, shown

    def test_down_leaves_nothing(self, lab, region):
        lab.run("down", lab_sync=False)
        assert lab.left() == []
        assert asked_actions(region) <= allowed_actions()
