# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest

from ansible_collections.desi.lab.plugins.module_utils._lab.labels import (
    image_newer,
    lab_row,
    mount_users,
    published,
    server_api,
)


def container(labels=None, bindings=None, **state):
    return {"Config": {"Labels": labels}, "HostConfig": {"PortBindings": bindings}, "State": state}


def bound(address, port):
    return {"8888/tcp": [{"HostIp": address, "HostPort": port}]}


LABELS = {
    "desi.lab.name": "desi",
    "desi.lab.role": "server",
    "desi.lab.release": "edr",
    "desi.lab.image": "desi-lab:0.1.0",
    "desi.lab.text": "read-only, streamed from s3://desidata",
    "desi.lab.folder": "/home/ann/work",
    "desi.lab.mount": "/var/lib/desi-lab/mounts/desidata-0a1b2c3d",
}
TIMES = {"StartedAt": "2026-11-22T13:00:00Z", "FinishedAt": "2026-11-22T14:00:00Z"}
RUNNING = {"Running": True, "Status": "running", **TIMES}
STOPPED = {"Running": False, "Status": "exited", **TIMES}


@pytest.mark.parametrize(
    ("bindings", "address", "port"),
    [
        (bound("127.0.0.1", "8888"), "127.0.0.1", 8888),
        (bound("", "9000"), "0.0.0.0", 9000),  # noqa: S104 - read, not bound
        (bound("::1", "9000"), "::1", 9000),
        ({"1/tcp": None, **bound("127.0.0.1", "8889")}, "127.0.0.1", 8889),
        ({"1/tcp": [{"HostIp": "", "HostPort": ""}], **bound("127.0.0.1", "8889")}, "127.0.0.1", 8889),
        (bound("127.0.0.1", "0"), "", 0),
        ({"8888/tcp": []}, "", 0),
        (None, "", 0),
    ],
)
def test_published_port_is_read_off_what_was_asked_for(bindings, address, port):
    assert published(container(bindings=bindings)) == {"address": address, "port": port}


@pytest.mark.parametrize(
    ("url", "api"),
    [
        ("http://127.0.0.1:8888/lab?token=6f1c", "http://127.0.0.1:8888/api/status"),
        ("http://127.0.0.1:8888/tree?token=6f1c", "http://127.0.0.1:8888/api/status"),
        ("http://127.0.0.1:8888", "http://127.0.0.1:8888/api/status"),
        ("https://[::1]:8889/user/ann/lab?token=6f1c", "https://[::1]:8889/user/ann/api/status"),
        ("http://h/base/?token=6f1c#top", "http://h/base/api/status"),
    ],
)
def test_server_is_asked_below_its_base_and_without_its_token(url, api):
    assert server_api(url, "api/status") == api


def test_row_of_a_lab_that_runs_says_all_of_it():
    assert lab_row(container(LABELS, bound("127.0.0.1", "8888"), **RUNNING), True, False) == {
        "name": "desi",
        "owner": "",
        "where": "this computer",
        "state": "running",
        "since": "2026-11-22T13:00:00Z",
        "release": "edr",
        "image": "desi-lab:0.1.0",
        "image_newer": None,
        "data": "read-only, streamed from s3://desidata",
        "mount": "/var/lib/desi-lab/mounts/desidata-0a1b2c3d",
        "mount_answers": True,
        "folder": "/home/ann/work",
        "address": "127.0.0.1",
        "port": 8888,
        "server_answers": False,
        "workers": 0,
        "dask": None,
    }


def test_row_of_a_lab_that_is_stopped_or_says_nothing_of_itself():
    row = lab_row(container(LABELS, bound("127.0.0.1", "8888"), **STOPPED), None, None)
    assert (row["state"], row["since"], row["server_answers"]) == ("exited", "2026-11-22T14:00:00Z", None)
    # To Docker, it runs.
    paused = {**RUNNING, "Status": "paused"}
    assert lab_row(container(LABELS, **paused), None, None)["state"] == "paused"
    row = lab_row({"Config": None}, None, None)
    assert row["state"] == "unknown"
    assert {row[key] for key in ("name", "release", "image", "data", "mount", "folder", "address")} == {""}


def test_mounts_are_told_with_the_labs_that_use_them():
    def user(name, mount):
        return container({"desi.lab.name": name, "desi.lab.mount": mount})

    containers = [user("a", "/m/1"), user("b", "/m/2"), user("c", "/m/1"), user("d", ""), container()]
    assert mount_users(containers) == {"/m/1": ["a", "c"], "/m/2": ["b"]}


@pytest.mark.parametrize(
    ("name", "runs", "newer"),
    [
        ("desi-lab:0.1.0", "sha256:1", False),
        ("desi-lab:0.1.0", "sha256:0", True),
        ("desi-lab", "sha256:2", False),
        ("gone:1", "sha256:1", None),
        ("desi-lab:0.1.0", None, None),
    ],
)
def test_image_is_newer_if_its_name_leads_to_another_one_by_now(name, runs, newer):
    images = {"desi-lab:0.1.0": "sha256:1", "desi-lab:latest": "sha256:2"}
    assert image_newer({"Image": runs, "Config": {"Image": name}}, images) is newer
    labeled = {"Image": "sha256:0", "Labels": {"desi.lab.image": name}}
    assert image_newer({"Image": runs, "Config": labeled}, images) is newer


@pytest.mark.security("H1")
def test_what_is_no_port_and_no_container_is_not_published():
    for port in ("8888; reboot", "-1", "99999", "\uff18", [1], {"a": 1}, None, ""):
        assert published(container(bindings=bound("127.0.0.1", port)))["port"] == 0
    for nothing in (None, {}, {"HostConfig": None}):
        assert published(nothing) == {"address": "", "port": 0}
