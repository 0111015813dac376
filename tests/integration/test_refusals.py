"""What cannot work is refused in three sentences, and nothing is left behind: the whole command, on a real engine."""

from __future__ import annotations

import os
import re
import shutil
import socket
from pathlib import Path

import pytest
from conftest import LABEL, ROOT, docker, run_lab

pytestmark = pytest.mark.docker

MOUNTS = Path("/var/lib/desi-lab/mounts")


def mounted() -> set[str]:
    """Return what is mounted below our folder."""
    return {line.split()[1] for line in Path("/proc/mounts").read_text().splitlines() if str(MOUNTS) in line}


@pytest.fixture
def refused(tmp_path, lab_name, free_port, release_folder):
    """Return a function that runs ``local`` with settings, and asserts that it refuses and leaves nothing."""

    def run(*settings: str, **environment: str) -> str:
        before = mounted()
        workspace = tmp_path / "workspace"
        workspace.mkdir(exist_ok=True)
        sound = [f"lab_name={lab_name}", f"lab_port={free_port}", f"lab_data={release_folder}", "lab_image=embedded"]
        done = run_lab("local", *sound, *settings, cwd=workspace, **environment)
        shown = done.stdout + done.stderr
        assert done.returncode != 0, shown
        for sentence in ("What", "Why", "Do"):
            assert re.search(rf"^ +{sentence} +\S", shown, re.MULTILINE), shown
        assert "Traceback" not in shown
        assert not docker("ps", "-aq", "--filter", f"label={LABEL}={lab_name}"), shown
        assert not docker("network", "ls", "-q", "--filter", f"label={LABEL}={lab_name}"), shown
        assert mounted() == before
        return shown

    return run


def test_an_unknown_setting_is_refused_with_the_nearest_one(refused):
    assert "lab_port" in refused("lab_prot=8889").split("Why")[1]


def test_settings_that_cannot_work_are_refused_together(refused):
    shown = refused("lab_bind=localhost", "lab_port=0", "lab_nmae=x")
    for setting in ("lab_bind=localhost", "lab_port=0", "lab_nmae"):
        assert setting in shown
    assert shown.count("Why ") == 3


def test_a_taken_port_is_refused_with_who_has_it_and_a_free_one(refused):
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        taken = server.getsockname()[1]
        shown = refused(f"lab_port={taken}")
    assert f"Port {taken} on 127.0.0.1 is taken" in shown
    assert f"process {os.getpid()}" in shown or "python" in shown or "pytest" in shown
    proposed = int(re.search(r"-e lab_port=(\d+)", shown)[1])
    assert proposed > taken


def test_data_of_another_release_are_refused_with_the_release_that_is_there_before_the_engine_is_asked(
    refused, free_port
):
    assert "-e lab_release=edr" in refused("lab_release=dr1", DOCKER_HOST=f"tcp://127.0.0.1:{free_port}")


def test_a_folder_that_does_not_exist_is_refused(refused, tmp_path):
    shown = refused(f"lab_folder={tmp_path}/none")
    assert "does not exist" in shown
    assert not (tmp_path / "none").exists()


@pytest.mark.security("H3", "P2")
def test_a_folder_that_is_not_for_notebooks_is_refused_with_a_better_one(refused, tmp_path):
    (tmp_path / "link").symlink_to(ROOT / "plugins")
    shown = refused(f"lab_folder={tmp_path}/link")
    assert "is not shared with notebooks" in shown
    assert "desi-labs/" in shown
    assert "-e lab_folder_anyway=true" in shown


@pytest.mark.security("H3", "P2")
@pytest.mark.parametrize(("verb", "own"), [("local", ""), ("demo", "demo")])
def test_in_the_clone_a_lab_gets_a_folder_of_its_own(lab_name, free_port, verb, own):
    settings = [f"lab_name={lab_name}", f"lab_port={free_port}", "lab_image=embedded", "lab_data=sample"]
    done = run_lab(verb, *settings, "lab_bind=0.0.0.0", "--check", cwd=ROOT)
    shown = done.stdout + done.stderr
    assert done.returncode == 0, shown
    assert f"{Path.home()}/desi-labs/{own or lab_name} " in shown
    assert not (Path.home() / "desi-labs" / lab_name).exists()
    assert "open to the network, unencrypted" in shown


def test_a_bucket_at_a_server_that_is_not_there_is_refused(refused, free_port):
    assert "nothing" in refused("lab_data=s3", f"lab_endpoint=http://127.0.0.1:{free_port}").lower()


def test_an_image_without_jupyter_is_refused_with_the_end_of_its_log(refused):
    shown = refused("lab_image=desi-lab-base:0.1.0")
    assert "rclone v" in shown


def test_an_engine_elsewhere_that_does_not_answer_is_refused(refused, free_port):
    shown = refused(DOCKER_HOST=f"tcp://127.0.0.1:{free_port}")
    assert f"127.0.0.1:{free_port} cannot be used" in shown


def test_a_container_of_the_same_name_that_is_not_ours_is_refused_and_kept(refused, lab_name):
    container = docker("create", "--name", f"desi-lab-{lab_name}", "desi-lab-base:0.1.0").strip()
    try:
        assert "did not make" in refused()
        assert docker("inspect", "--format", "{{.Id}}", container).strip() == container
    finally:
        docker("rm", "--force", container)


@pytest.mark.skipif(shutil.which("sudo") is None and os.getuid() != 0, reason="only root can become somebody else")
def test_a_folder_that_the_person_may_not_write_in_is_refused(refused, tmp_path):
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o755)
    # The person behind sudo is nobody, who owns nothing here.
    shown = refused(f"lab_folder={folder}", SUDO_UID="65534")
    assert "may not write" in shown
