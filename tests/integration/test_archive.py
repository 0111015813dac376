"""The collection as Ansible Galaxy hands it out: built, installed where nothing else is, and used without the clone."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tarfile
from collections.abc import Iterable
from pathlib import Path

import pytest
import yaml
from conftest import ROOT, docker

import ansible_collections

pytestmark = pytest.mark.docker

BIN = Path(sys.executable).parent
VERSION = yaml.safe_load((ROOT / "galaxy.yml").read_text())["version"]


def run(*command: str, cwd: Path, **environment: str) -> str:
    """Run a command of the environment that the tests run in, without anything that leads to the clone."""
    known = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "DESI_LAB_"))}
    known |= {"PWD": str(cwd), "NO_COLOR": "1", "ANSIBLE_HOME": str(cwd / "ansible"), **environment}
    program, *arguments = command
    done = subprocess.run(
        [str(BIN / program), *arguments], cwd=cwd, env=known, check=False, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def archive(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("archive")
    run("ansible-galaxy", "collection", "build", "--output-path", str(folder), str(ROOT), cwd=folder)
    return folder / f"desi-lab-{VERSION}.tar.gz"


@pytest.fixture(scope="module")
def installed(archive) -> Path:
    folder = archive.parent / "collections"
    beside_it(yaml.safe_load((ROOT / "galaxy.yml").read_text())["dependencies"], folder / "ansible_collections")
    paths = {"ANSIBLE_COLLECTIONS_PATH": str(folder), "ANSIBLE_COLLECTIONS_SCAN_SYS_PATH": "false"}
    install = ["collection", "install", "--offline", str(archive), "-p", str(folder)]
    run("ansible-galaxy", *install, cwd=archive.parent, **paths)
    return folder


def beside_it(names: Iterable[str], folder: Path) -> None:
    """Link collections of the package ansible into a folder, with what they depend on, as Galaxy would install them."""
    for name in names:
        namespace, short = name.split(".")
        source = Path(ansible_collections.__path__[-1], namespace, short)
        (folder / namespace).mkdir(parents=True, exist_ok=True)
        if not (folder / namespace / short).exists():
            (folder / namespace / short).symlink_to(source)
            beside_it(json.loads((source / "MANIFEST.json").read_text())["collection_info"]["dependencies"], folder)


def test_archive_holds_what_a_collection_needs_and_nothing_else(archive):
    with tarfile.open(archive) as opened:
        names = [member.name for member in opened.getmembers() if not member.isdir()]
    tracked = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split("\n")
    assert set(names) - set(tracked) == {"MANIFEST.json", "FILES.json"}
    tops = {name.split("/")[0] for name in names} - {"MANIFEST.json", "FILES.json", "changelogs"}
    assert tops == {
        *("CHANGELOG.rst", "CONTRIBUTING.md", "LICENSE", "README.md", "docs", "meta", "playbooks", "plugins"),
        *("requirements.txt", "requirements.yml", "roles"),
    }
    assert "roles/image/files/embedded/Dockerfile" in names
    assert archive.stat().st_size < 5_000_000


def test_collection_makes_and_removes_a_lab_beside_what_it_declares_alone(installed, tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    name = f"e2e-archive-{os.getpid()}"
    known = ["-e", f"lab_name={name}", "-e", f"lab_cache={tmp_path}/cache"]
    work = tmp_path / "work"
    work.mkdir()
    made = ["-e", f"lab_port={port}", "-e", f"lab_folder={work}"]
    # Of the package ansible only what galaxy.yml declares.
    paths = {"ANSIBLE_COLLECTIONS_PATH": str(installed), "ANSIBLE_COLLECTIONS_SCAN_SYS_PATH": "false"}
    paths["ANSIBLE_STDOUT_CALLBACK"] = "desi.lab.steps"
    # As the refusal says that is given where there is no such line in one's own ansible.cfg.
    paths["ANSIBLE_INJECT_FACT_VARS"] = "false"
    try:
        said = run("ansible-playbook", "desi.lab.demo", *known, *made, cwd=tmp_path, **paths)
        assert f"http://127.0.0.1:{port}/lab?token=" in said
        assert "Image desi-lab:0.1.0" in said
        assert docker("ps", "--quiet", "--filter", f"label=desi.lab.name={name}", "--filter", "status=running")
        assert name in run("ansible-playbook", "desi.lab.status", "--check", *known, cwd=tmp_path, **paths)
        for verb in ("local", "down"):
            run("ansible-playbook", f"desi.lab.{verb}", "--check", *known, *made, cwd=tmp_path, **paths)
        assert docker("ps", "--quiet", "--filter", f"label=desi.lab.name={name}", "--filter", "status=running")
    finally:
        run("ansible-playbook", "desi.lab.down", *known, "-e", "lab_yes=true", cwd=tmp_path, **paths)
    assert not docker("ps", "--all", "--quiet", "--filter", f"label=desi.lab.name={name}")
