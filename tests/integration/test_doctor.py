# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The doctor as a person calls him: what he says, how he ends, and that he is never waited for."""

from __future__ import annotations

import json
import os
import re
import socket
import stat
import subprocess
import tarfile
import time
from pathlib import Path

import pytest
from conftest import ROOT, run_lab
from web_server import web_server

# One that hangs may take its whole time; Ansible itself takes some, and a computer may be busy.
BOUND_SECONDS = 60


@pytest.fixture
def doctor(tmp_path, free_port, monkeypatch):
    """Return a function that calls the doctor, on a computer that is well unless a test says otherwise."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    programs = tmp_path / "bin"
    programs.mkdir()

    def call(*settings: str, docker: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        script = docker or 'case "$1" in info) echo \'{"ServerVersion": "27.3.1"}\' ;; esac'
        (programs / "docker").write_text(f"#!/bin/sh\n{script}\n")
        (programs / "docker").chmod(0o755)
        with web_server(lambda _asked: (200, b"<ListBucketResult></ListBucketResult>", {})) as url:
            sound = [f"lab_port={free_port}", f"lab_endpoint={url}", f"lab_folder={tmp_path}", f"lab_cache={tmp_path}"]
            known = {
                "PATH": f"{programs}:{os.environ['PATH']}",
                "HOME": str(tmp_path),
                "AWS_EC2_METADATA_DISABLED": "true",
                "AWS_CONFIG_FILE": str(tmp_path / "none"),
                "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
                "XDG_CONFIG_HOME": str(tmp_path / "config"),
                "XDG_STATE_HOME": str(tmp_path / "state"),
            }
            return run_lab("doctor", *sound, *settings, cwd=tmp_path, **{**known, **environment})

    return call


def documented_fields() -> set[str]:
    """Return the fields of a finding that docs/troubleshooting.md tells of."""
    section = (ROOT / "docs/troubleshooting.md").read_text().partition("## For programs")[2].partition("\n## ")[0]
    return set(re.findall(r"^\| `findings\[\]\.(\w+)` \|", section, re.MULTILINE))


def test_a_computer_that_is_well_is_told_so_and_nothing_is_changed(doctor, tmp_path):
    done = doctor()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "✓ Docker Engine" in done.stdout
    assert "– EC2" in done.stdout  # noqa: RUF001 - the dash that is shown
    assert "no AWS credentials" in done.stdout
    assert "No errors" in done.stdout
    assert "changed=0 failed=0" in done.stdout
    assert not list((tmp_path / ".ansible_async").glob("*"))


def test_what_is_broken_ends_the_command_with_what_why_and_do(doctor, free_port, tmp_path):
    denied = "echo 'permission denied while trying to connect to the docker API' >&2; exit 1"
    with socket.create_server(("127.0.0.1", free_port)):
        # Where no socket is, the command says why.
        done = doctor(docker=denied, DOCKER_HOST=f"unix://{tmp_path}/none")
    assert done.returncode != 0
    assert re.search(rf"✗ Port {free_port} +taken by .*\n    Why  .*\n    Do   .*-e lab_port=", done.stdout)
    assert re.search(r"✗ Docker Engine .*\n    Why  .*\n    Do   .*usermod", done.stdout)
    for sentence in ("What", "Why", "Do"):
        assert re.search(rf"^ +{sentence} +\S", done.stdout, re.MULTILINE), done.stdout
    assert "Traceback" not in done.stdout


def test_programs_get_one_document_as_it_is_documented(doctor):
    done = doctor("desi_output=json", DESI_LAB_QUIET="1")
    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads(done.stdout)
    assert set(report) == {"version", "verdict", "counts", "findings"}
    assert report["version"] == 1
    assert report["verdict"] in ("ok", "warning")
    assert sum(report["counts"].values()) == len(report["findings"]) > 15
    for finding in report["findings"]:
        assert set(finding) == documented_fields()


def test_programs_get_the_document_and_the_exit_code_where_something_is_broken(doctor, free_port):
    with socket.create_server(("127.0.0.1", free_port)):
        done = doctor("desi_output=json", DESI_LAB_QUIET="1")
    assert done.returncode != 0
    assert json.loads(done.stdout)["verdict"] == "broken"
    assert "What" in done.stderr


def test_nothing_that_hangs_is_waited_for(doctor, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent, socket.socket(socket.AF_UNIX) as engine:
        engine.bind(f"{tmp_path}/s")
        engine.listen()
        began = time.monotonic()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        keys = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "x", "AWS_ENDPOINT_URL": url}
        done = doctor(f"lab_endpoint={url}", DOCKER_HOST=f"unix://{tmp_path}/s", https_proxy=url, **keys)
        took = time.monotonic() - began
    assert done.returncode != 0
    assert took < BOUND_SECONDS, done.stdout
    assert re.search(r"✗ Docker Engine", done.stdout)
    assert re.search(r"✗ Bucket desidata", done.stdout)
    assert re.search(r"[✗!] AWS", done.stdout)
    assert re.search(r"✗ Proxy +\S+ \(https_proxy\) does not answer", done.stdout)


def test_a_password_of_a_proxy_is_never_shown_nor_logged(doctor, tmp_path):
    done = doctor(ANSIBLE_VERBOSITY="1", https_proxy="http://ann:pr0xy-w0rd@127.0.0.1:9")
    shown = done.stdout + done.stderr
    assert "127.0.0.1:9, with a user and a password" in shown
    (log,) = (tmp_path / "state/desi-lab").glob("*.log")
    assert "pr0xy-w0rd" not in shown + log.read_text()


def test_a_bundle_is_written_where_the_person_stands_and_named_with_what_it_holds(doctor, tmp_path):
    done = doctor("lab_bundle=bundle.tar.gz", "lab_name=two")
    assert done.returncode == 0, done.stdout + done.stderr
    path = tmp_path / "bundle.tar.gz"
    assert re.search(rf"Bundle +{path}", done.stdout)
    assert "before you send it" in done.stdout
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with tarfile.open(path) as tar:
        texts = {Path(each.name).name: tar.extractfile(each).read().decode() for each in tar.getmembers()}
    assert json.loads(texts["report.json"])["version"] == 1
    assert json.loads(texts["settings.json"])["given"]["lab_name"] == "two"
    again = doctor("lab_bundle=bundle.tar.gz")
    assert again.returncode != 0
    assert "There is something at" in again.stdout
    # What was found is told all the same.
    assert "✓ Docker Engine" in again.stdout
