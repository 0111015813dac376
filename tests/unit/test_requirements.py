# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is installed from a package index is what was reviewed, byte by byte."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
ASKED = sorted(
    path
    for pattern in ("*.in", "bench/*.in", "roles/*/files/**/*.in")
    for path in ROOT.glob(pattern)
    if path.name.startswith("requirements")
)
# Where this collection installs packages from an index.
INSTALLS = {
    "lab": 1,
    "bench/stream": 1,
    "tests/other_python": 1,
    "roles/image/files/base/Dockerfile": 1,
    "roles/image/files/embedded/Dockerfile": 1,
    "roles/sample/files/Dockerfile": 1,
}
PROGRAMS = re.compile(
    r"""\bpip3?["']?,?\s+(?:--[a-z-]+\s+\S+\s+)*["']?install\b|\beasy_install\b|\bpipx\s+(install|run)\b|\buvx?\s+(pip|tool)\b"""
)
# Texts for people, what tests of other things hold, and what tests install from a folder that they made.
NOT_RUN = re.compile(r"(docs|changelogs|CHANGELOG|README|tests/unit|tests/lint/lock|tests/cloud/test_lab_life)")


def named(paths):
    return [str(path.relative_to(ROOT)) for path in paths]


def entries(lock: Path) -> list[str]:
    """The requirements of a lock, each with its continued lines."""
    text = re.sub(r"^#.*\n", "", lock.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    return [line.strip() for line in text.splitlines() if line.strip()]


def test_there_are_locks_of_everything_that_is_installed():
    assert named(ASKED) == [
        "bench/requirements.in",
        "requirements-dev.in",
        "requirements.in",
        "roles/image/files/base/requirements.in",
        "roles/image/files/embedded/requirements.in",
        "roles/sample/files/requirements.in",
    ]
    found = {
        path for path in ROOT.glob("**/requirements*.txt") if ".venv" not in path.parts and ".cache" not in path.parts
    }
    assert {path for path in found if ".collections" not in path.parts} == {path.with_suffix(".txt") for path in ASKED}


@pytest.mark.security("M5")
@pytest.mark.parametrize("asked", ASKED, ids=named(ASKED))
def test_each_line_of_a_lock_is_one_version_with_the_hashes_of_its_files(asked):
    found = entries(asked.with_suffix(".txt"))
    assert found
    for entry in found:
        if entry == "--only-binary :all:":
            continue
        pin, *hashes = re.split(r"\s+--hash=", entry)
        requirement = Requirement(pin)
        assert re.fullmatch(r"==[0-9][0-9a-z.]*", str(requirement.specifier)), pin
        assert requirement.url is None
        assert hashes, pin
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", each) for each in hashes), pin
        # An image takes one file a processor.
        assert len(hashes) <= 2 or not re.search(r"roles/(image/files/embedded|sample/)", str(asked)), pin


@pytest.mark.security("M5")
@pytest.mark.parametrize("asked", ASKED, ids=named(ASKED))
def test_a_lock_has_all_that_is_asked_for_as_it_is_asked_for(asked):
    locked = {}
    for entry in entries(asked.with_suffix(".txt")):
        if not entry.startswith("--"):
            requirement = Requirement(re.split(r"\s+--hash=", entry)[0])
            locked.setdefault(canonicalize_name(requirement.name), set()).add(str(requirement.specifier)[2:])
    lines = [line.partition("#")[0].strip() for line in asked.read_text().splitlines()]
    for line in filter(None, lines):
        requirement = Requirement(line)
        versions = locked[canonicalize_name(requirement.name)]
        assert any(requirement.specifier.contains(version) for version in versions), line


@pytest.mark.security("M5")
@pytest.mark.parametrize("asked", [path for path in ASKED if "dev" not in path.name])
def test_nothing_that_a_lab_needs_is_built_by_tools_that_no_hash_holds(asked):
    assert entries(asked.with_suffix(".txt"))[0] == "--only-binary :all:"


def test_what_is_installed_into_one_environment_agrees():
    one = {entry.partition(" --hash")[0] for entry in entries(ROOT / "requirements.txt")}
    names = {entry.partition("==")[0] for entry in one}
    for other in ("requirements-dev.txt", "bench/requirements.txt"):
        for entry in entries(ROOT / other):
            pin = entry.partition(" --hash")[0].partition(";")[0].strip()
            if pin.partition("==")[0] in names:
                assert pin in {each.partition(";")[0].strip() for each in one}, (other, pin)


def shell_of(path: Path) -> str:
    return path.read_text(errors="replace").replace("\\\n", " ")


@pytest.mark.security("M5")
def test_nothing_is_installed_from_an_index_without_hashes():
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    counts = {}
    for name in tracked:
        if NOT_RUN.match(name) or not (ROOT / name).is_file() or (ROOT / name).suffix in (".png", ".ipynb"):
            continue
        lines = [line for line in shell_of(ROOT / name).splitlines() if not line.lstrip().startswith("#")]
        for line in lines:
            # What a person is told to type is no command of ours.
            if PROGRAMS.search(line) and not re.search(r"sudo apt-get|pip install (uv|docker)\b", line):
                counts[name] = counts.get(name, 0) + 1
                assert "--require-hashes" in line, (name, line)
    assert counts == INSTALLS


# A changed byte


@pytest.fixture
def index(tmp_path):
    """A package index in a folder, with one package; gives the folder and the hash of its file."""
    folder = tmp_path / "index"
    folder.mkdir()
    wheel = folder / "desi_lab_probe-1.0-py3-none-any.whl"
    about = "desi_lab_probe-1.0.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("desi_lab_probe.py", "GOOD = True\n")
        archive.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: desi-lab-probe\nVersion: 1.0\n")
        archive.writestr(
            f"{about}/WHEEL", "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{about}/RECORD", "")
    return folder, hashlib.sha256(wheel.read_bytes()).hexdigest()


def options_of(name: str) -> list[str]:
    """The options of pip as a place of ours gives them, without which list it is to install."""
    line = next(line for line in shell_of(ROOT / name).splitlines() if PROGRAMS.search(line) and "#" not in line)
    return re.findall(r"--(?:require|no)-[a-z-]+", re.split(r"\binstall\b", line, maxsplit=1)[1])


def install(options, folder, requirement, target):
    asked = target.with_suffix(".txt")
    asked.write_text(f"{requirement}\n")
    extra = ["--no-index", "--find-links", folder, "--target", target, "--disable-pip-version-check", "-r", asked]
    command = [sys.executable, "-I", "-m", "pip", "install", "-q", *options, *extra]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.security("M5")
@pytest.mark.parametrize("options", sorted({tuple(options_of(name)) for name in INSTALLS}))
def test_a_changed_byte_behind_a_version_is_refused(options, index, tmp_path):
    folder, digest = index
    pin = f"desi-lab-probe==1.0 --hash=sha256:{digest}"
    good = install(options, folder, pin, tmp_path / "good")
    assert good.returncode == 0, good.stderr
    assert (tmp_path / "good" / "desi_lab_probe.py").exists()
    bare = install(options, folder, "desi-lab-probe==1.0", tmp_path / "bare")
    assert bare.returncode
    assert "--require-hashes" in bare.stderr
    with zipfile.ZipFile(next(folder.glob("*.whl")), "a") as archive:
        archive.writestr("desi_lab_probe.pth", "import os")
    bad = install(options, folder, pin, tmp_path / "bad")
    assert bad.returncode
    assert "DO NOT MATCH THE HASHES" in bad.stderr
    assert not (tmp_path / "bad" / "desi_lab_probe.py").exists()
