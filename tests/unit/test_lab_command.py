# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The front door: what the caller's shell and the folder somebody stands in have no say in."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from subprocess import PIPE

import pytest
from ansible.constants import config

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
# They change how things look, or where pip finds packages.
KEPT = {
    *("ANSIBLE_COLOR_OK", "ANSIBLE_FORCE_COLOR", "ANSIBLE_NOCOLOR", "ANSIBLE_STDOUT_CALLBACK", "ANSIBLE_VERBOSITY"),
    *("PIP_INDEX_URL", "PIP_PROXY", "PIP_CERT", "PIP_CACHE_DIR"),
}
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "LC_ALL": "C.UTF-8"}
ANSIBLE = f'exec "{sys.executable}" "$@"'
# In the place of ansible-playbook.
SHOW = """import os, sys
for each in os.environ.items():
    print("=".join(each))
print("arguments:", *sys.argv)
print("isolated:", sys.flags.isolated)
"""
OURS = ("lab", "ansible.cfg", "galaxy.yml", "inventories/local.yml", "roles/lab/meta/argument_specs.yml")
DOOR = [f"plugins/plugin_utils/_{name}.py" for name in ("front_door", "arguments", "json_document", "surroundings")]
TELL = """
- hosts: localhost
  gather_facts: false
  tasks:
    - ansible.builtin.debug:
        msg: "hosts={{ groups.all | sort | join(',') }} lab={{ groups.lab | default([]) }} who={{ who | default('') }}"
"""

pytestmark = pytest.mark.security("A1", "L3", "P13")


def program(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def installed(root, python):
    """Make the environment of a clone, with a Python that is this script."""
    program(root / ".venv/bin/python", python)
    (root / ".venv/.installed-requirements.txt").write_bytes((root / "requirements.txt").read_bytes())


def clone_at(root, python, playbook=None):
    """Make a clone whose requirements are installed, with a Python and an ansible-playbook of our own."""
    for folder in ("playbooks", ".collections/ansible_collections/desi"):
        (root / folder).mkdir(parents=True)
    for name in (*OURS, *DOOR):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes((ROOT / name).read_bytes())
    (root / "lab").chmod(0o755)
    (root / ".collections/ansible_collections/desi/lab").symlink_to(ROOT)
    for name in ("url", "local", "status"):
        (root / f"playbooks/{name}.yml").write_text(TELL)
    (root / "requirements.txt").write_text("# none\n")
    if python:
        installed(root, python)
        (root / ".venv/bin/ansible-playbook").write_text(playbook or (BIN / "ansible-playbook").read_text())
    return root


@pytest.fixture
def stand(tmp_path):
    """Return the folder that somebody stands in, with modules in it that nobody asked for."""
    folder = tmp_path / "work"
    folder.mkdir()
    stdlib = ("warnings", "site", "sitecustomize", "usercustomize", "venv", "ensurepip", "compileall", "json")
    for name in (*stdlib, "pip", "ansible", "yaml"):
        (folder / f"{name}.py").write_text(f"open({str(tmp_path / 'poisoned')!r}, 'a').write({name!r})\n")
    return folder


@pytest.fixture
def run(tmp_path, stand):
    """Return a function that runs the command of a clone, and gives what it printed."""

    def go(root, *arguments, **environment):
        path = environment.pop("PATH", ENVIRONMENT["PATH"])
        known = {**ENVIRONMENT, "HOME": str(tmp_path), "PATH": path, "PWD": str(stand), **environment}
        return subprocess.run(
            [str(root / "lab"), *arguments],
            cwd=stand,
            env=known,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return go


def family_names():
    """Return every variable that Ansible reads, and those of Python and pip that change what is run."""
    read = {one["name"] for each in config.get_configuration_definitions().values() for one in each.get("env", [])}
    return {
        *(name for name in read if name.startswith("ANSIBLE_")),
        *("ANSIBLE_SOMETHING_NEW", "ANSIBLE_HOSTS"),
        *(f"PYTHON{name}" for name in ("PATH", "HOME", "STARTUP", "INSPECT", "USERBASE", "WARNINGS", "PYCACHEPREFIX")),
        *(
            f"PIP_{name}"
            for name in ("USER", "TARGET", "PREFIX", "ROOT", "REQUIRE_VIRTUALENV", "CONSTRAINT", "NO_BINARY")
        ),
        *KEPT,
    }


def test_nothing_that_the_shell_says_to_ansible_python_or_pip_arrives_but_what_only_shows(tmp_path, run):
    root = clone_at(tmp_path / "clone", ANSIBLE, SHOW)
    hostile = dict.fromkeys(family_names(), "hostile\nANSIBLE_LIBRARY=x") | {"ANSIBLE_VERBOSITY": "1"}
    done = run(root, "local", "-e", "lab_port=1", **hostile)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    seen = dict(line.split("=", 1) for line in lines if re.match(r"(ANSIBLE_|PYTHON|PIP_)\w*=", line))
    names = ("HOME", "CONFIG", "COLLECTIONS_PATH", "BECOME_ALLOW_SAME_USER", "INJECT_FACT_VARS")
    ours = {f"ANSIBLE_{name}" for name in names}
    # The second line of a value looks like a variable and is none.
    colors = {name for name in seen if name.startswith("ANSIBLE_COLOR_")} - KEPT
    assert set(seen) - {"ANSIBLE_LIBRARY"} - ours - colors == KEPT
    assert seen["ANSIBLE_INJECT_FACT_VARS"] == "false"
    assert seen["ANSIBLE_CONFIG"] == f"{root}/ansible.cfg"
    assert seen["ANSIBLE_COLLECTIONS_PATH"] == f"{root}/.collections"
    (arguments,) = (line for line in lines if line.startswith("arguments: "))
    assert f"-i {root}/inventories/local.yml {root}/playbooks/local.yml -e lab_port=1" in arguments
    assert "isolated: 1" in lines


@pytest.mark.parametrize("arguments", [("url",), ("status", "--json")])
def test_what_is_printed_for_programs_is_not_changed_by_the_shell(tmp_path, run, arguments):
    root = clone_at(tmp_path / "clone", ANSIBLE, SHOW)
    done = run(root, *arguments, ANSIBLE_STDOUT_CALLBACK="minimal", ANSIBLE_VERBOSITY="4")
    # With --json only the document is on standard output.
    seen = done.stdout + done.stderr
    assert "ANSIBLE_STDOUT_CALLBACK" not in seen
    assert "ANSIBLE_VERBOSITY" not in seen
    assert "DESI_LAB_QUIET=1" in seen


def test_inventories_and_plugins_of_the_shell_bring_in_no_host_and_no_code(tmp_path, run, stand):
    root = clone_at(tmp_path / "clone", ANSIBLE)
    (stand / "hosts").write_text("[lab]\nprod1\n[all:vars]\nwho=shell\n")
    (stand / "ansible.cfg").write_text(f"[defaults]\ninventory = {stand}/hosts\n")
    for name in ("callback", "vars", "library", "inventory"):
        (stand / name).mkdir()
        (stand / name / "evil.py").write_text(f"open({str(tmp_path / 'poisoned')!r}, 'a').write({name!r})\n")
    hostile = {
        "ANSIBLE_INVENTORY": str(stand / "hosts"),
        "ANSIBLE_CONFIG": str(stand / "ansible.cfg"),
        "ANSIBLE_CALLBACK_PLUGINS": str(stand / "callback"),
        "ANSIBLE_VARS_PLUGINS": str(stand / "vars"),
        "ANSIBLE_INVENTORY_PLUGINS": str(stand / "inventory"),
        "ANSIBLE_LIBRARY": str(stand / "library"),
        "PYTHONPATH": str(stand),
        "PYTHONHOME": str(stand),
    }
    done = run(root, "local", ANSIBLE_STDOUT_CALLBACK="ansible.builtin.default", **hostile)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "hosts=localhost lab=[] who=" in done.stdout
    assert not (tmp_path / "poisoned").exists()


@pytest.mark.parametrize("where", ["| true", ">/dev/full", ">&-", "2>&-", "2>/dev/full", "<&- >&- 2>&-"])
@pytest.mark.parametrize(("arguments", "code"), [("--help", 0), ("zzz --json", 1), ("local --json", 3), ("local", 3)])
def test_what_cannot_be_printed_changes_no_exit_code_and_is_told_in_words(tmp_path, where, arguments, code):
    prints = "print(0)" if "json" in arguments else ""
    playbook = f"import sys; all((sys.stdin, sys.stdout, sys.stderr)) or sys.exit(4)\n{prints}\nsys.exit(3)"
    root = clone_at(tmp_path / "clone", ANSIBLE, playbook)
    command = f"{root}/lab {arguments}"
    script = f"{command} {where}; echo ${{PIPESTATUS[0]}} >code"
    known = {**ENVIRONMENT, "HOME": str(tmp_path)}
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, env=known, capture_output=True, text=True, check=True)
    assert (tmp_path / "code").read_text() == f"{code}\n", done.stderr
    assert not re.search("Traceback|Exception|rror:", done.stderr)
    assert ("could not be written" in done.stderr) == (where == ">/dev/full" and arguments != "local")


@pytest.mark.security("A5", "L3")
def test_an_environment_is_made_whatever_the_shell_and_the_folder_hold(tmp_path, run):
    root = clone_at(tmp_path / "clone", "")
    door = root / "plugins/plugin_utils/_front_door.py"
    door.write_text(door.read_text().replace('find_spec("ansible")', 'find_spec("pip")'))
    hostile = {"PYTHONHOME": "/usr", "PYTHONPATH": str(tmp_path / "work"), "PIP_USER": "1", "PIP_TARGET": "/nowhere"}
    program(tmp_path / "bin/apt-get", f"echo $* >> {tmp_path}/apt; exit 1")
    python = tmp_path / "bin/python3"
    python.symlink_to(sys.executable if sys.prefix == sys.base_prefix else os.path.realpath(sys.executable))
    # The requirements are none, so that Ansible is missing in the end, and all before went well.
    done = run(root, "local", PATH=f"{tmp_path}/bin:/usr/bin:/bin", **hostile)
    assert (root / ".venv/bin/python").exists(), done.stderr
    assert (root / ".venv/.installed-requirements.txt").exists(), done.stderr
    assert not (tmp_path / "poisoned").exists()
    assert not (tmp_path / "apt").exists()


def test_packages_are_installed_in_the_environment_whatever_a_file_of_pip_asks_for(tmp_path, run):
    root = clone_at(tmp_path / "clone", "")
    with zipfile.ZipFile(tmp_path / "ansible-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr("ansible/__init__.py", "")
        wheel.writestr("ansible-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: ansible\nVersion: 1\n")
        wheel.writestr("ansible-1.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("ansible-1.dist-info/RECORD", "")
    digest = hashlib.sha256(Path(wheel.filename).read_bytes()).hexdigest()
    (root / "requirements.txt").write_text(f"ansible @ file://{wheel.filename} --hash=sha256:{digest}\n")
    other = tmp_path / "other"
    places = f"target = {other}\nprefix = {other}\nroot = {other}\ndry-run = true\nuser = true\n"
    (tmp_path / "pip.conf").write_text(f"[global]\npython = /bin/false\n[install]\n{places}")
    run(root, "local", PIP_CONFIG_FILE=str(tmp_path / "pip.conf"))
    assert [*root.glob(".venv/lib/python*/site-packages/ansible/__init__.py")]
    assert not other.exists()


@pytest.mark.security("A5")
def test_a_colon_in_the_path_is_told_and_nothing_is_installed(tmp_path, run):
    root = clone_at(tmp_path / "a:b/clone", "")
    for name in ("apt-get", "sudo"):
        program(tmp_path / f"bin/{name}", f"echo {name} >> {tmp_path}/called; exit 1")
    done = run(root, "local", PATH=f"{tmp_path}/bin:/usr/bin:/bin")
    assert done.returncode == 1
    assert "colon" in done.stderr
    for sentence in ("Why", "Do"):
        assert sentence in done.stderr
    assert not (tmp_path / "called").exists()


@pytest.mark.parametrize("relative", [True, False])
def test_it_is_called_by_a_link_to_a_link(tmp_path, run, relative):
    root = clone_at(tmp_path / "clone", ANSIBLE, SHOW)
    (tmp_path / "bin").mkdir()
    (tmp_path / "first").symlink_to("clone/lab" if relative else root / "lab")
    (tmp_path / "bin/lab").symlink_to("../first" if relative else tmp_path / "first")
    assert f"{root}/playbooks/local.yml" in run(tmp_path / "bin", "local").stdout


NEW = "Inst python3-pip-whl (23.0 Debian)\nInst python3.11-venv (3.11.2 Debian [amd64])\nConf python3.11-venv (3.11.2)"
UPGRADES = f"Inst libc6 [2.36-9] (2.36-10 Debian [amd64])\n{NEW}"
REMOVES = f"Remv python3-tk [3.11]\n{NEW}"


@pytest.fixture
def no_venv(tmp_path):
    """Return a clone, and a PATH with a Python that cannot make environments until apt-get has installed that part."""
    root = clone_at(tmp_path / "clone", "")
    installed, made = tmp_path / "installed", root / ".venv/bin"
    program(
        tmp_path / "bin/python3",
        f"""case "$*" in
*fcntl*) exec {os.path.realpath(sys.executable)} "$@";;
*ensurepip*) test -e {installed};;
*_front_door*) exit 3;;
*"-m venv"*) test -e {installed} || {{ echo "the true cause" >&2; exit 1; }}
    mkdir -p {made}; printf '#!/bin/sh\\necho ran "$@"\\n' > {made}/python; chmod +x {made}/python;;
*print*) echo python3.11-venv;;
esac""",
    )

    def with_apt(plan):
        (tmp_path / "plan").write_text(plan)
        program(
            tmp_path / "bin/apt-get",
            f"""echo "$*" >> {tmp_path}/apt
case "$*" in
*simulate*) cat {tmp_path}/plan;;
*install*) touch {installed};;
esac""",
        )
        program(tmp_path / "bin/sudo", 'exec "$@"')
        return root, f"{tmp_path}/bin:/usr/bin:/bin"

    return with_apt


@pytest.mark.security("A5")
def test_the_missing_part_of_python_is_installed_and_nothing_else_changes(tmp_path, run, no_venv):
    root, path = no_venv(NEW)
    done = run(root, "local", PATH=path)
    assert done.returncode == 0, done.stderr
    assert "installing python3.11-venv" in done.stderr
    simulated, installed = (tmp_path / "apt").read_text().splitlines()
    assert "--simulate" in simulated
    assert "--no-remove" in installed
    assert installed.endswith("python3.11-venv")


@pytest.mark.security("A5")
@pytest.mark.parametrize(("plan", "named"), [(UPGRADES, "libc6"), (REMOVES, "python3-tk")])
def test_nothing_is_upgraded_or_removed_for_it(tmp_path, run, no_venv, plan, named):
    root, path = no_venv(plan)
    done = run(root, "local", PATH=path)
    assert done.returncode == 1
    assert named in done.stderr
    assert "sudo apt-get install python3.11-venv" in done.stderr
    assert all("--simulate" in line for line in (tmp_path / "apt").read_text().splitlines())


@pytest.mark.security("A5")
def test_an_environment_that_cannot_be_made_is_told_with_its_true_cause(tmp_path, run, no_venv):
    root, path = no_venv(NEW)
    python = tmp_path / "bin/python3"
    python.write_text(python.read_text().replace(f"*ensurepip*) test -e {tmp_path}/installed;;", "*ensurepip*) ;;"))
    done = run(root, "local", PATH=path)
    assert done.returncode == 1
    assert "the true cause" in done.stderr
    assert not (tmp_path / "apt").exists()


@pytest.mark.security("A5")
def test_an_environment_that_lost_its_packages_is_made_again_once(tmp_path, run, no_venv):
    root, path = no_venv(NEW)
    (tmp_path / "installed").touch()
    installed(root, f'exec "{tmp_path}/bin/bare" "$@"')
    # It has no Ansible.
    program(tmp_path / "bin/bare", f'exec "{os.path.realpath(sys.executable)}" "$@"')
    done = run(root, "local", PATH=path)
    assert (done.returncode, done.stdout.split()[:2]) == (0, ["ran", "-I"]), done.stderr
    assert not (tmp_path / "apt").exists()


@pytest.mark.parametrize("complete", [True, False])
def test_an_environment_of_another_user_is_refused_before_anything_is_removed(tmp_path, run, no_venv, complete):
    root, path = no_venv(NEW)
    python = tmp_path / "bin/python3"
    # Root, who may run this test, can write anywhere.
    asked = 'import os; os.access = lambda path, _how: not path.endswith("lib")'
    answer = f'*os.walk*) exec {os.path.realpath(sys.executable)} -I -c "$(echo \'{asked}\'; echo "$3")" "$4";;'
    python.write_text(python.read_text().replace("*fcntl*)", f"{answer}\n*fcntl*)"))
    (root / ".venv/lib").mkdir(parents=True)
    if complete:
        program(root / ".venv/bin/python", "exit 1")
    done = run(root, "local", PATH=path)
    assert (done.returncode, (root / ".venv/lib").exists()) == (1, True)
    assert f"Remove it: sudo rm -r '{root}/.venv'" in done.stderr
    assert len(done.stderr.splitlines()) == 3


@pytest.mark.parametrize("by_other", [True, False])
def test_a_run_waits_for_one_that_installs_and_installs_only_what_that_did_not(tmp_path, no_venv, by_other):
    root, path = no_venv(NEW)
    (tmp_path / "installed").touch()
    (root / "lab").touch()
    with (root / "lab").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        given = {"cwd": tmp_path, "env": {**ENVIRONMENT, "PATH": path}, "text": True}
        with subprocess.Popen([str(root / "lab"), "local"], stdout=PIPE, stderr=PIPE, **given) as waiting:
            assert "waiting for another run" in waiting.stderr.readline()
            assert not (root / ".venv").exists()
            if by_other:
                installed(root, 'echo theirs "$@"')
            fcntl.flock(held, fcntl.LOCK_UN)
            said = waiting.communicate(timeout=60)[0].splitlines()
    assert (waiting.returncode, {line.split()[0] for line in said}) == (0, {"theirs" if by_other else "ran"})


@pytest.mark.parametrize("locks", [True, False])
def test_a_run_locks_what_is_open_for_writing_and_nothing_where_nothing_can_be_locked(tmp_path, run, no_venv, locks):
    root, path = no_venv(NEW)
    (tmp_path / "installed").touch()
    python = tmp_path / "bin/python3"
    # What is not open fails as a network file system does.
    first = f"cat /proc/self/fdinfo/9 > {tmp_path}/opened" if locks else "exec 9<&-"
    python.write_text(python.read_text().replace("*fcntl*)", f"*fcntl*) {first};"))
    done = run(root, "local", PATH=path)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    if locks:
        flags = dict(line.split(":") for line in (tmp_path / "opened").read_text().splitlines())["flags"]
        assert int(flags, 8) & os.O_ACCMODE == os.O_RDWR


def test_no_lock_outlasts_the_installation(tmp_path, run, no_venv):
    root, path = no_venv(NEW)
    # Another run has made the environment again in the meantime.
    installed(root, '[ "$2" = -c ] || { [ -e /proc/self/fd/9 ] && echo locked; echo "ran $*"; }')
    script = f"DESI_LAB_MAKE_AGAIN=$$ exec {root}/lab local"
    done = subprocess.run(
        ["/bin/sh", "-c", script], env={**ENVIRONMENT, "PATH": path}, capture_output=True, text=True, check=True
    )
    assert done.stdout.split()[0] == "ran"


HOSTILE = {
    **dict.fromkeys(("LANG", "LC_ALL", "LC_CTYPE"), "xx_XX.UTF-8"),
    **dict.fromkeys(("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "CONDA_PREFIX", "ANSIBLE_INVENTORY"), "/dev/null/none"),
    **dict.fromkeys(("PIP_USER", "UV_SYSTEM_PYTHON", "POSIXLY_CORRECT", "COLUMNS"), "1"),
    **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), "ann:secret@proxy.invalid:1"),
    **dict.fromkeys(("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "TMPDIR", "XDG_RUNTIME_DIR"), "/dev/null/none"),
    **dict.fromkeys(("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "CDPATH", "IFS", "HOME"), "relative"),
    **dict.fromkeys(("BASH_ENV", "ENV", "GIT_DIR", "GIT_SSH_COMMAND", "SSH_ASKPASS", "EDITOR"), "/dev/null/none"),
    "DOCKER_HOST": "unix:///dev/null/none/docker.sock",
    "DOCKER_API_VERSION": "1.12",
    "TERM": "none",
    "TZ": "No/where",
    "AWS_PROFILE": "none",
    "AWS_CONFIG_FILE": "/dev/null/none",
    "JUPYTER_TOKEN": "x",
    "RCLONE_CONFIG": "/dev/null/none",
}


def test_each_verb_answers_in_hostile_surroundings(tmp_path, run):
    root = clone_at(tmp_path / "clone", ANSIBLE, SHOW)
    # What those run afterwards needs a lab, and gets the same environment.
    sessions = {"logs", "shell"}
    for verb in sorted({path.stem for path in ROOT.glob("playbooks/*.yml")} - sessions):
        done = run(root, "-v", verb, **HOSTILE)
        assert done.returncode == 0, (verb, done.stderr)
        seen = dict(line.partition("=")[::2] for line in done.stdout.splitlines())
        assert (seen["LC_ALL"], seen["https_proxy"]) == ("C.UTF-8", "http://ann:secret@proxy.invalid:1")
        assert seen["HOME"].startswith("/")
        assert not {"TMPDIR", "XDG_CONFIG_HOME", "GIT_DIR", "PYTHONHOME", "JUPYTER_TOKEN", "DOCKER_API_VERSION"} & {
            *seen
        }


def test_a_whole_run_answers_in_hostile_surroundings(run):
    done = run(ROOT, "--json", "status", "-e", "lab_where=here", **HOSTILE)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["labs"] == []
