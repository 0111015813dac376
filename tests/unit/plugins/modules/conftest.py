# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.parse
from pathlib import Path

import pytest
from ansible.module_utils.testing import patch_module_args
from buckets import TREE, free_ports, has, put
from jupyter_stand_in import Jupyter
from loopback import SSHD, Listener, Machine
from streaming.middleman import Middleman

from ansible_collections.desi.lab.plugins.module_utils._mount import host
from ansible_collections.desi.lab.plugins.module_utils._mount import supervisors as mount_supervisors
from ansible_collections.desi.lab.plugins.module_utils._mount import users as mount_users
from ansible_collections.desi.lab.plugins.modules import bucket_mount


@pytest.fixture(scope="module")
def s3():
    """Serve the buckets lab and other, and end the server whatever happens."""
    if not has("weed"):
        pytest.skip("weed is not installed")
    names = [f"{part}.port{kind}" for part in ("s3", "master", "volume", "filer", "admin") for kind in ("", ".grpc")]
    ports = dict(zip(names, free_ports(len(names))))
    folder = Path(tempfile.mkdtemp(prefix="desi-lab-weed-"))
    off = ["-webdav=false", "-admin.ui=false", "-s3.port.iceberg=0", "-s3.port.lance=0", "-master.telemetry=false"]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            ["weed", "mini", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", *off]
            + [f"-{name}={port}" for name, port in ports.items()],
            stdout=log,
            stderr=log,
            cwd=folder,
            env={**os.environ, "PATH": host.search_path(())},
        )
    endpoint = f"http://127.0.0.1:{ports['s3.port']}"

    def filled():
        assert server.poll() is None, (folder / "log").read_text()[-2000:]
        try:
            for bucket in ("lab", "other"):
                put(f"{endpoint}/{bucket}")
                put(f"{endpoint}/{bucket}/{bucket}.txt", b"ready")
            for name, data in TREE.items():
                put(f"{endpoint}/lab/{urllib.parse.quote(name)}", data)
        except OSError:
            return False
        return True

    try:
        assert host.wait_until(filled, 60, 0.2), (folder / "log").read_text()[-2000:]
        yield endpoint
    finally:
        server.kill()
        server.wait()
        shutil.rmtree(folder)
        for left in Path(tempfile.gettempdir()).glob("seaweedfs-*.sock"):
            if any(left.stem.endswith(f"-{port}") for port in ports.values()):
                left.unlink()


@pytest.fixture
def base():
    """Give a folder that others may enter; nothing may be mounted in it at the end."""
    folder = Path(tempfile.mkdtemp(prefix="desi-lab-mount-"))
    folder.chmod(0o755)
    yield folder
    here = f"{folder}/"
    host.end_processes(lambda: [p for p in host.processes() if any(w.startswith(here) for w in p.command)], 5)
    while left := [one for one in host.read_mounts() if f"{one.mount_point}/".startswith(here)]:
        assert host.unmount_call(left[-1].mount_point, lazily=True) == 0
    shutil.rmtree(folder)
    mount_supervisors.LoopSupervisor(str(folder / folder.name / ".bucket")).stop(1)
    mount_users.users_file(str(folder / folder.name / ".bucket")).unlink(missing_ok=True)


@pytest.fixture(scope="session")
def programs():
    """Give the folder for what root runs; not the one of this computer, and one for all, as rclone is large."""
    folder = tempfile.mkdtemp(prefix="desi-lab-programs-")
    Path(folder).chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def call(capsys):
    """Run a module, and return its exit code and its result."""

    def run_module(module, /, **arguments):
        with patch_module_args(arguments), pytest.raises(SystemExit) as caught:
            module.main()
        result = json.loads(capsys.readouterr().out)
        print(result.get("msg", ""), file=sys.stderr)  # shown when a test fails
        return caught.value.code, result

    return run_module


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Put programs made of shell scripts before all others."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")

    def make(name, script):
        (folder / name).write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\ncd {tmp_path}\n{script}\n")
        (folder / name).chmod(0o755)

    return make


@pytest.fixture
def ssh_here(program, tmp_path):
    """An ssh that runs here what the machine desi-test is told; gives the home that there is then."""
    home = tmp_path / "machine"
    home.mkdir(exist_ok=True)
    words = 'while [ "$1" != desi-test ]; do shift; done; shift'
    program("ssh", f'{words}\nexport HOME={home}; cd {home}; exec sh -c "$*"')
    return home


@pytest.fixture
def run(call, path, programs):
    def run_module(_check=False, **arguments):
        known = {"path": str(path), "supervisor": "process", "timeout": 10, "programs": programs, **arguments}
        code, result = call(bucket_mount, **known, _ansible_check_mode=_check, _ansible_diff=True)
        assert bool(code) == result.get("failed", False)
        return result

    return run_module


@pytest.fixture
def path(base):
    return base / base.name / ".bucket"


@pytest.fixture
def machine(tmp_path):
    if SSHD is None:
        pytest.skip("there is no sshd on this machine")
    made = Machine(tmp_path)
    yield made
    made.stop()


@pytest.fixture
def listener():
    made = []

    def make(serve=lambda connection: None) -> Listener:
        made.append(Listener(serve))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def middleman(s3):
    with Middleman(int(s3.rpartition(":")[2]), once=True) as server:
        yield server


@pytest.fixture
def jupyter():
    """Make servers that answer as Jupyter does."""
    with contextlib.ExitStack() as stack:

        def make(**settings):
            server = Jupyter(**settings)
            stack.callback(server.server_close)
            stack.callback(server.shutdown)
            return server

        yield make
