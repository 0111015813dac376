# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.desi.lab.plugins.module_utils._common.polling import wait_until
from ansible_collections.desi.lab.plugins.module_utils._docker.engine import Engine
from ansible_collections.desi.lab.plugins.module_utils._doctor import host_facts as gather
from ansible_collections.desi.lab.plugins.module_utils._doctor.findings import BROKEN, OK, SKIPPED, WARNING

QUIET = "127.83.24.6"

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")


@pytest.fixture
def docker(tmp_path, monkeypatch):
    """A docker command that is a shell script."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    # An address that the command alone can ask.
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:9")
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")

    def install(script):
        program = tmp_path / "bin" / "docker"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)

    return install


CONTEXT = 'if [ "$1" = context ]; then echo unix:///var/run/docker.sock; exit; fi\n'


def test_an_engine_that_answers_is_told_with_the_disk_that_it_uses(docker, tmp_path):
    docker(f'{CONTEXT}echo \'{{"ServerVersion": "27.3.1", "DockerRootDir": "{tmp_path}"}}\'')
    engine, disk = gather.engine_findings((0, 0))
    assert (engine.verdict, engine.facts["version"]) == (OK, "27.3.1")
    assert (disk.verdict, disk.facts["path"]) == (OK, str(tmp_path))


def test_an_engine_that_hangs_is_given_up(docker, monkeypatch):
    monkeypatch.setattr(gather, "ENGINE_SECONDS", 0.3)
    docker("exec sleep 60")
    engine, _disk = gather.engine_findings((0, 0))
    assert engine.verdict in (BROKEN, WARNING)
    assert "gave no answer within 0.3 seconds" in engine.facts["reason"]


def test_the_disk_of_an_engine_elsewhere_is_not_looked_at(docker, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "tcp://192.0.2.7:2375")
    docker("echo 'connection refused' >&2; exit 1")
    _engine, disk = gather.engine_findings((0, 0))
    assert (disk.verdict, "tcp://192.0.2.7:2375" in disk.found) == (SKIPPED, True)


def engine(**changed):
    facts = {"answers": True, "denied": False, "installed": True, "elsewhere": False, "platform": "linux"}
    return Engine(**{**facts, "endpoint": "unix:///var/run/docker.sock", "reason": "", **changed})


@pytest.mark.parametrize(
    ("changed", "uid", "rights"),
    [
        ({}, 0, "as root"),
        ({}, 1000, "as a member of group docker"),
        ({"rootless": True}, 1000, "as your own (rootless)"),
        ({"desktop": True}, 1000, "through Docker Desktop"),
        ({"endpoint": "ssh://far"}, 0, "at ssh://far"),
    ],
)
def test_by_whose_rights_an_engine_is_used_is_told(monkeypatch, changed, uid, rights):
    monkeypatch.setattr(gather.os, "geteuid", lambda: uid)
    assert gather.rights_to(engine(**changed)) == rights


def test_room_is_that_of_the_folder_or_of_where_it_would_be_made(tmp_path):
    here, below = gather.room_at(str(tmp_path)), gather.room_at(str(tmp_path / "a" / "b"))
    assert here["path"] == below["path"] == str(tmp_path)
    assert here["writable"]
    assert here["free"] > 0


@pytest.fixture
def little_disk(tmp_path):
    folder = tmp_path / "little"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,nr_inodes=50", "tmpfs", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@as_root
def test_a_disk_that_is_full_takes_no_more_files_or_is_read_only_is_broken(little_disk):
    def found(least):
        (told,) = gather.room_findings("disk_folder", "Disk", "notebooks", str(little_disk), (least, least))
        return told

    assert (found(0).verdict, "inodes" in found(0).why) == (BROKEN, True)
    file = os.open(little_disk / "full", os.O_WRONLY | os.O_CREAT)
    with pytest.raises(OSError, match="No space left"):
        while True:
            os.write(file, bytes(4096))
    os.close(file)
    full = found(0.00001)
    assert (full.verdict, full.facts["free"], str(little_disk) in full.do) == (BROKEN, 0, True)
    subprocess.run(["mount", "-o", "remount,ro", str(little_disk)], check=True)
    assert (found(0).verdict, "cannot be written" in found(0).found) == (BROKEN, True)


@pytest.mark.parametrize(
    ("text", "memory"),
    [
        ("MemTotal:  1000 kB\nMemFree: 10 kB\nMemAvailable:  500 kB\n", (1024000, 512000)),
        ("MemTotal:  1000 kB\nMemFree: 10 kB\n", (1024000, 10240)),
        ("", None),
        ("MemTotal: many\n", None),
    ],
)
def test_memory_is_read(text, memory):
    assert gather.read_memory(text) == memory


def port(number, labs=None, name="desi", config=""):
    (found,) = gather.port_findings(QUIET, number, name, labs or {}, config)
    return found


def test_a_free_port_is_well_and_one_of_another_program_is_broken_with_a_proposal():
    with socket.create_server((QUIET, 0)) as server:
        number = server.getsockname()[1]
        found = port(number)
    assert (found.verdict, f"(process {os.getpid()})" in found.found) == (BROKEN, True)
    assert f"-e lab_port={found.facts['next_free']}" in found.do
    assert port(number).verdict == OK


def test_a_port_that_a_tunnel_of_ours_has_is_that_labs(tmp_path):
    config = tmp_path / "desi-lab"
    script = "import socket, sys; s = socket.create_server((sys.argv[1], 0)); print(s.getsockname()[1], flush=True); "
    script += "s.accept()"
    words = [sys.executable, "-c", script, QUIET, "-F", f"{config}/us-west-2/far/ssh_config"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        try:
            number = int(process.stdout.readline())
            mine, other = port(number, config=str(config), name="far"), port(number, config=str(config))
            unknown = port(number)
        finally:
            process.send_signal(signal.SIGKILL)
    assert (mine.verdict, mine.found) == (OK, "taken by lab far itself")
    assert (other.verdict, other.facts["lab"]) == (WARNING, "far")
    assert unknown.verdict == BROKEN


def test_a_port_that_a_container_of_a_lab_has_is_that_labs(monkeypatch):
    monkeypatch.setattr(gather.docker_ports, "is_free", lambda *_: False)
    monkeypatch.setattr(gather.docker_ports, "who_listens", lambda *_: "the Docker container desi-lab-two")
    monkeypatch.setattr(gather.docker_ports, "next_free", lambda *_: 8889)
    labs = {"labs": [{"name": "two"}]}
    assert (port(8888, labs).verdict, port(8888, labs, "two").verdict, port(8888).verdict) == (WARNING, OK, BROKEN)


def test_programs_are_looked_for(tmp_path, monkeypatch):
    program = tmp_path / "ssh"
    program.touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    (found,) = gather.tools_findings()
    assert (found.verdict, found.found) == (WARNING, "missing: ssh-keygen, rsync")
    assert found.facts["ssh"] == str(program)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux mounts a bucket on the host")
def test_without_the_device_there_is_no_fuse(monkeypatch, tmp_path):
    def missing():
        return check(str(tmp_path / "fuse"))

    check = gather.check_fuse
    monkeypatch.setattr(gather, "check_fuse", missing)
    (found,) = gather.fuse_findings()
    assert (found.verdict, "modprobe fuse" in found.do) == (BROKEN, True)


@as_root
def test_a_place_that_is_shared_is_known(tmp_path):
    place = tmp_path / "place"
    place.mkdir()
    subprocess.run(["mount", "--bind", str(place), str(place)], check=True)
    try:
        for how, shared in (("--make-private", False), ("--make-shared", True)):
            subprocess.run(["mount", how, str(place)], check=True)
            (found,) = gather.propagation_findings(str(place / "mounts"))
            assert found.facts == {"mount": str(place), "shared": shared, "may_bind": True}
    finally:
        subprocess.run(["umount", str(place)], check=True)


@as_root
def test_a_mount_whose_program_has_died_is_dead(tmp_path, monkeypatch):
    rclone = Path(sys.executable).with_name("rclone")
    if not (os.access(rclone, os.X_OK) and os.access("/dev/fuse", os.W_OK)):
        pytest.skip("there is no rclone here, or no FUSE")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "file").touch()
    place = tmp_path / "mounts" / "m" / ".bucket"
    place.mkdir(parents=True)
    words = [str(rclone), "--config", "/dev/null", "mount", str(tmp_path / "data"), str(place)]
    with subprocess.Popen(words, stderr=subprocess.DEVNULL) as process:
        try:
            assert wait_until(lambda: str(place) in Path("/proc/mounts").read_text(), 20)
            assert gather.dead_mounts(str(tmp_path / "mounts")) == []
            process.kill()
            process.wait()
            assert gather.dead_mounts(str(tmp_path / "mounts")) == [str(place)]
        finally:
            process.kill()
            subprocess.run(["umount", "-l", str(place)], check=False)


@pytest.mark.security("M12")
@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({}, ""),
        ({"desktop": True}, "Docker Desktop"),
        ({"rootless": True}, "rootless"),
        ({"endpoint": "ssh://far"}, "another computer"),
    ],
)
def test_where_root_has_no_say_in_the_networks_of_an_engine_is_known(changed, why):
    told = gather.obstacle_to_rules(engine(**changed))
    assert (why in told, bool(told)) == (True, bool(why))


def test_a_cloud_that_hands_out_keys_is_seen(monkeypatch):
    with socket.create_server((QUIET, 0)) as server:
        monkeypatch.setattr(gather, "METADATA", server.getsockname())
        assert gather.metadata_answers()
    assert not gather.metadata_answers()
