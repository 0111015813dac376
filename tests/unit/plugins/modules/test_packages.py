# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import hashlib
import shutil
import subprocess

import pytest

from ansible_collections.desi.lab.plugins.module_utils._common.packages import Locked, failed, lock_holder
from ansible_collections.desi.lab.plugins.modules import packages, packages_update

pytestmark = pytest.mark.skipif(not shutil.which("dpkg-deb"), reason="the system has no dpkg")


@pytest.fixture
def run(call):
    def run_module(**arguments):
        result = call(packages, **arguments)[1]
        result.pop("invocation", None)
        return result

    return run_module


@pytest.fixture
def system(tmp_path, monkeypatch):
    """A Debian of its own for apt and dpkg, in a folder: what is there, and what could be installed."""
    architecture = subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True, check=True)
    below = "dpkg/info dpkg/updates dpkg/triggers repository root state/lists/partial cache/archives/partial"
    for folder in below.split():
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "dpkg" / "status").touch()
    (tmp_path / "sources").write_text(f"deb [trusted=yes] file:{tmp_path}/repository ./\n")
    (tmp_path / "apt.conf").write_text(
        f"""Dir::State "{tmp_path}/state"; Dir::State::status "{tmp_path}/dpkg/status"; Dir::Cache "{tmp_path}/cache";
Dir::Etc::sourcelist "{tmp_path}/sources"; Dir::Etc::sourceparts "/dev/null"; Dir::Etc::main "/dev/null";
Dir::Etc::parts "/dev/null"; Dir::Log "{tmp_path}"; APT::Architecture "{architecture.stdout.strip()}";
APT::Sandbox::User "root";
DPkg::Options {{ "--root={tmp_path}/root"; "--admindir={tmp_path}/dpkg"; "--force-not-root"; }};
"""
    )
    monkeypatch.setenv("APT_CONFIG", str(tmp_path / "apt.conf"))
    monkeypatch.setenv("DPKG_ADMINDIR", str(tmp_path / "dpkg"))
    monkeypatch.setattr(packages, "manager_of", lambda _release: "apt-get")

    def make(installed=(), **offered):
        """Each as name="version; Field: value; ..."."""
        status = tmp_path / "dpkg" / "status"
        for name, said in dict(installed).items():
            with status.open("a") as file:
                file.write(control(name, said) + "Status: install ok installed\n\n")
            (tmp_path / "dpkg" / "info" / f"{name}.list").write_text("/.\n")
        index = ""
        for name, said in offered.items():
            built = tmp_path / "built" / name
            (built / "DEBIAN").mkdir(parents=True)
            (built / "DEBIAN" / "control").write_text(control(name, said))
            archive = tmp_path / "repository" / f"{name}.deb"
            subprocess.run(["dpkg-deb", "--build", "-Znone", built, archive], check=True, capture_output=True)
            digest = hashlib.sha256(archive.read_bytes()).hexdigest()
            size = archive.stat().st_size
            index += control(name, said) + f"Filename: ./{name}.deb\nSize: {size}\nSHA256: {digest}\n\n"
        (tmp_path / "repository" / "Packages").write_text(index)

    def control(name, said):
        version, *fields = said.split("; ")
        known = ["Maintainer: t <t@localhost>", "Description: x", "Architecture: all"]
        return "\n".join([f"Package: {name}", f"Version: {version}", *known, *fields, ""])

    def here():
        query = ["dpkg-query", "--show", "--showformat", "${Package} ${Version} ${db:Status-Status}\\n"]
        said = subprocess.run(query, capture_output=True, text=True, check=False).stdout
        return {line.split()[0]: line.split()[1] for line in said.splitlines() if line.endswith(" installed")}

    make.here = here
    return make


PODMAN = {"podman-docker": "4.3; Depends: podman", "podman": "4.3", "cockpit-podman": "1; Depends: podman-docker"}
DOCKER = {"docker.io": "20.10; Conflicts: podman-docker; Depends: runc (>= 1.1)", "runc": "1.1"}


@pytest.mark.security("A4")
@pytest.mark.parametrize("check", [False, True])
def test_package_that_would_have_to_go_stays_and_is_named_with_what_needs_it(run, system, check):
    system(PODMAN, **DOCKER)
    before = system.here()
    # In check mode no lists are fetched: they are those of the last time.
    packages.run(*packages.APT, "update")
    result = run(name=["docker.io"], update_cache=True, _ansible_check_mode=check)
    assert all(word in result["why"] for word in ("remove", "podman-docker", "cockpit-podman"))
    assert "sudo apt-get install docker.io" in result["do"]
    assert system.here() == before


@pytest.mark.security("A4")
def test_package_that_would_have_to_change_keeps_its_version_and_is_named(run, system):
    system({"runc": "1.0"}, **DOCKER)
    result = run(name=["docker.io"])
    assert "change the version of runc" in result["why"]
    assert system.here() == {"runc": "1.0"}


def test_what_is_missing_is_added_with_what_it_needs_and_once(run, system):
    system({"git": "1"}, **DOCKER, git="2")
    assert run(name=["docker.io", "git"], _ansible_check_mode=True)["installed"] == ["docker.io"]
    assert system.here() == {"git": "1"}
    assert run(name=["docker.io", "git"]) == {"changed": True, "installed": ["runc", "docker.io"]}
    assert system.here() == {"git": "1", "docker.io": "20.10", "runc": "1.1"}
    assert run(name=["docker.io", "git"]) == {"changed": False, "installed": []}


def test_package_that_there_is_not_is_told_in_a_sentence(run, system):
    system(**DOCKER)
    result = run(name=["nosuch"])
    assert (result["what"], result["why"]) == ("Not installed: nosuch.", "E: Unable to locate package nosuch")


def test_system_whose_packages_are_not_known_is_told_so(run, monkeypatch):
    monkeypatch.setattr(packages, "manager_of", lambda _release: "")
    assert "does not know how packages are installed" in run(name=["git"])["why"]


@pytest.fixture
def dnf(tmp_path, program, monkeypatch):
    """Stand-ins for dnf, which writes down what it is asked, and for rpm, which has nothing."""

    def make(said, erasing="", code=1):
        (tmp_path / "said").write_text(said)
        (tmp_path / "erasing").write_text(erasing or said)
        program("rpm", "exit 1")
        program(
            "dnf",
            'echo "$@" >> asked\n'
            "case $* in *allowerasing*) cat erasing; exit 1;; esac\n"
            f"case $* in *assumeno*) cat said; exit {code};; esac",
        )
        monkeypatch.setattr(packages, "manager_of", lambda _release: "dnf")

    make.asked = lambda: (tmp_path / "asked").read_text().splitlines()
    return make


@pytest.mark.security("A4")
@pytest.mark.parametrize("check", [False, True])
def test_dnf_that_would_replace_a_package_is_asked_no_further(run, dnf, check):
    dnf("Installing:\n docker x86_64 25\n     replacing  podman-docker.noarch 4\n\nOperation aborted.\n")
    result = run(name=["docker"], update_cache=True, _ansible_check_mode=check)
    assert "dnf would remove podman-docker" in result["why"]
    assert len(dnf.asked()) == 1
    assert "--assumeno" in dnf.asked()[0]


def test_dnf_that_only_adds_is_let_do_it(run, dnf):
    dnf("Installing:\n docker x86_64 25 repo 1 M\n\nTransaction Summary\n\nOperation aborted.\n")
    assert run(name=["docker"]) == {"changed": True, "installed": ["docker"]}
    asked = [line.removeprefix("--setopt=exit_on_lock=True ") for line in dnf.asked()]
    assert asked == ["--assumeno install docker", "--assumeyes --quiet install docker"]


def test_dnf_that_fails_says_why(run, dnf):
    dnf("Error: Unable to find a match: docker\n")
    assert run(name=["docker"])["why"] == "Error: Unable to find a match: docker"


CONFLICT = (
    "Error: \n Problem: problem with installed package podman-docker\n  - package docker conflicts with podman-docker\n"
)
CONFLICT_5 = "Failed to resolve the transaction:\nProblem: installed package runc conflicts with containerd.io\n"
ERASING = "Installing:\n docker x86_64 25\nRemoving:\n {}\nRemoving dependent packages:\n {}\n\nOperation aborted.\n"


@pytest.mark.security("A4")
@pytest.mark.parametrize(
    ("said", "gone"), [(CONFLICT, ("podman-docker", "cockpit-podman")), (CONFLICT_5, ("runc", "podman"))]
)
def test_what_is_in_the_way_of_dnf_is_named_with_what_needs_it(run, dnf, said, gone):
    dnf(said, ERASING.format(*(f"{name} x86_64 1 @System 1 k" for name in gone)))
    assert f"dnf would remove {gone[0]} and {gone[1]}" in run(name=["docker"])["why"]
    assert all("--assumeno" in line for line in dnf.asked())


def test_conflict_that_nothing_solves_is_told_by_its_cause(run, dnf):
    dnf(CONFLICT)
    assert run(name=["docker"])["why"].startswith("Problem: problem with installed package podman-docker")
    dnf(CONFLICT_5)
    assert run(name=["docker"])["why"] == "Problem: installed package runc conflicts with containerd.io"


APT_LOCK = "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 1234 (unattended-upgr)\n"


@pytest.mark.parametrize(
    ("said", "holder"),
    [
        (APT_LOCK, "unattended-upgr (process 1234)"),
        ("E: Unable to acquire the dpkg frontend lock, is another process using it?\n", "another program"),
        ("Another app is currently holding the yum lock; exiting as configured by exit_on_lock\n", "another program"),
        ("error: can't create transaction lock on /var/lib/rpm/.rpm.lock (Resource busy)\n", "another program"),
        ("Failed to obtain rpm transaction lock. Another transaction is in progress.\n", "another program"),
        ("E: Unable to locate package git\n", ""),
    ],
)
def test_lock_of_another_installation_is_known_with_its_holder(said, holder):
    assert lock_holder(said) == holder
    assert isinstance(failed("Not installed: git.", said, 100), Locked) is bool(holder)


@pytest.mark.parametrize(
    ("code", "said", "why", "do"),
    [
        (137, "", "no memory left", "more memory"),
        (-9, "Killed", "no memory left", "more memory"),
        (
            100,
            "Hit:1\nE: The repository 'http://x y Release' does not have a Release file.\n",
            "Release file",
            "source",
        ),
        (100, "E: Malformed entry 1 in list file /etc/apt/sources.list.d/x.list (URI)\n", "x.list", "source"),
        (1, "Errors during:\nError: Failed to download metadata for repo 'x'\n", "'x'", "source"),
        (100, "E: You don't have enough free space in /var/cache/apt/archives/.\n", "free space", "df -h"),
        (1, "Error: x:\n  installing package x needs 9MB more space on the / filesystem\n", "9MB", "df -h"),
        (1, "Error: Unable to find a match: x\n", "Unable to find", "network"),
    ],
)
def test_failure_of_a_package_manager_is_told_with_what_to_do(code, said, why, do):
    error = failed("Not installed: x.", said, code)
    assert why in error.why
    assert do in error.do


def test_lock_is_told_to_whoever_waits(run, dnf):
    dnf("Another app is currently holding the yum lock; exiting as configured by exit_on_lock\n", code=200)
    assert run(name=["docker"])["locked"] == "another program"


@pytest.fixture
def update(call, tmp_path):
    def run_module(**arguments):
        return call(packages_update, marker=str(tmp_path / "lib" / "updated"), **arguments)[1]

    return run_module


def test_new_machine_is_brought_up_to_date_once(update, system, monkeypatch):
    monkeypatch.setattr(packages_update, "manager_of", lambda _release: "apt-get")
    system({"git": "1", "vim": "1"}, git="2", vim="1")
    assert update(_ansible_check_mode=True)["updated"] == []
    assert system.here() == {"git": "1", "vim": "1"}
    found = update()
    assert (found["changed"], found["updated"]) == (True, ["git"])
    assert system.here() == {"git": "2", "vim": "1"}
    monkeypatch.setattr(packages_update, "manager_of", None)
    assert update()["changed"] is False


def test_update_that_does_not_arrive_is_ended_and_may_be_tried_again(update, monkeypatch, tmp_path):
    def late(*command, timeout=None):
        raise subprocess.TimeoutExpired(command, timeout)

    monkeypatch.setattr(packages_update, "manager_of", lambda _release: "apt-get")
    monkeypatch.setattr(packages_update, "run", late)
    assert "had not arrived after 600 seconds" in update()["why"]
    assert not (tmp_path / "lib" / "updated").exists()
