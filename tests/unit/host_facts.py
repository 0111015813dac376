# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What labs_info finds of a lab on its host, for tests of what is done with it."""

from __future__ import annotations

from fake_engine import container

from ansible_collections.desi.lab.plugins.module_utils._docker.limits import memory_by_default
from ansible_collections.desi.lab.plugins.plugin_utils import _host_plan as plan
from ansible_collections.desi.lab.plugins.plugin_utils._settings_resolve import SAVED, settings_label

USER = {"uid": 1000, "gid": 1000, "groups": [1000, 27], "by_sudo": False}
SETTINGS = {
    **{name.removeprefix("lab_"): "" for name in SAVED},
    "name": "desi",
    "release": "edr",
    "data": "sample",
    "data_writable": False,
    "bucket": "desidata",
    "bucket_region": "us-west-2",
    "mount": "auto",
    "mount_backend": "auto",
    "cache_max": "20GiB",
    "image": "embedded",
    "folder": "/home/ann",
    "folder_anyway": False,
    "bind": "127.0.0.1",
    "port": 8888,
    "container_port": 8888,
    "cpus": 0,
    "workers": 0,
    "given": {},
}
MOUNT = "/var/lib/desi-lab/mounts/desidata-1"
WORKER = {"lab": "desi", "running": True, "server": "", "memory": 7}


def healthy(settings=SETTINGS, **labels):
    """Return what labs_info finds of a lab that lacks nothing."""
    host = {
        "engine": True,
        "reason": "",
        "docker": {"installed": True, "state": "", "endpoint": "unix:///run/docker.sock", "limits": [], "memory": 1},
        "images": {"desi-lab:0.1.0": "sha256:1"},
        "folder": {"uid": 1000, "gid": 1000},
        "authorities": {"path": "/ca", "checksum": "aa"},
        "layout": {},
        "port": {},
        "link_local_lost": False,
        "labs": [{"name": "desi", "mount_answers": True}],
        "others": {},
        "mounts": [{"path": MOUNT, "labs": ["desi"], "made_for": ["desi"]}],
        "containers": [
            {"name": "desi-lab-desi", "lab": "desi", "role": "server", "running": True},
            {"name": "desi-lab-desi-sample", "lab": "desi", "role": "sample", "running": True},
        ],
    }
    mine = {
        "desi.lab.image": "desi-lab:0.1.0",
        "desi.lab.mount": MOUNT,
        "desi.lab.settings": settings_label(settings, {}),
        "desi.lab.specification": plan.specification(settings, host, USER, [], "m"),
        **labels,
    }
    made = container("desi", labels={name: text for name, text in mine.items() if text is not None})
    made["Config"]["Image"] = "sha256:1"
    made["NetworkSettings"] = {"Networks": {"desi-lab-desi": {}}}
    url = "http://127.0.0.1:8888/lab?token=t"
    seen = {"accepts_token": True, "sees_data": True, "sees_folder": True}
    host["server"] = {"url": url, **seen, "container": made}
    return host


def computing(number=2, settings=SETTINGS):
    """Return what labs_info finds of a lab with workers that compute."""
    host = healthy(settings, **{"desi.lab.dask-config": "/etc/dask"})
    rows = [("scheduler", "scheduler"), *(("worker", f"worker-{place}") for place in range(1, number + 1))]
    made_for = host["server"]["container"]["Id"]
    host["containers"] += [
        {**WORKER, "role": role, "name": f"desi-lab-desi-{name}", "server": made_for} for role, name in rows
    ]
    host["docker"].update(limits=["memory"], memory=2**33)
    host["server"]["container"]["HostConfig"]["Memory"] = memory_by_default(2**33)
    host["server"]["dask"] = {"workers": number, "processing": 1, "waiting": 0, "memory": 0}
    return host
