# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A lab on this computer from its first day to its last: work, stop, start, another image, and back.

The tests are the days of one lab, in order: each begins with what the one before has left.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from urllib.parse import parse_qs, urlsplit

import pytest
from conftest import LABEL, docker, lab_command, run_lab
from run_counts import above_bars

pytestmark = pytest.mark.docker
IN_ORDER = True

NAME = f"life-{os.getpid()}"
SERVER = f"desi-lab-{NAME}"
PREVIOUS = f"desi-lab-previous:{NAME}"
URL = re.compile(r"http://\S+token=\S+")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Return the person's folders: work, data, and an image that is built on the lab's own."""
    home = tmp_path_factory.mktemp("life")
    for folder in ("work", "data/edr/spectro/redux/fuji", "image"):
        (home / folder).mkdir(parents=True)
    write_image(home, 1)
    yield home
    for mine in (f"label={LABEL}={NAME}", f"label=life={home}"):
        for container in docker("ps", "-aq", "--filter", mine).split():
            docker("rm", "--force", container)
    for kind in ("network", "volume"):
        for left in docker(kind, "ls", "-q", "--filter", f"label={LABEL}={NAME}").split():
            docker(kind, "rm", left)
    built = docker("image", "ls", "-q", "--filter", f"label=life={home}").split()
    if built:
        subprocess.run(["docker", "image", "rm", "--force", *dict.fromkeys(built)], check=False, capture_output=True)


@pytest.fixture(scope="module")
def port():
    """Return a port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def write_image(home, version):
    (home / "image/Dockerfile").write_text(f"FROM desi-lab:0.1.0\nLABEL life={home}\nENV LIFE={version}\n")


def lab(home, verb, *settings, counts=None):
    """Run a verb that has to work; return what the person sees."""
    done = run_lab(verb, f"lab_name={NAME}", "lab_open_browser=never", *settings, cwd=home / "work", counts=counts)
    shown = done.stdout + done.stderr
    assert done.returncode == 0, shown
    return shown


def make(home, port, verb="local"):
    return lab(home, verb, f"lab_port={port}", f"lab_data={home / 'data'}", f"lab_image={home / 'image'}")


def identity():
    return docker("inspect", "--format", "{{.Id}} {{.Image}}", SERVER).split()


def label(name):
    return json.loads(docker("inspect", "--format", "{{json .Config.Labels}}", SERVER)).get(f"desi.lab.{name}", "")


def version():
    return docker("exec", SERVER, "sh", "-c", "echo $LIFE").strip()


def ask(url, question, body=None):
    parts = urlsplit(url)
    request = urllib.request.Request(f"{parts.scheme}://{parts.netloc}/{question}", data=body)  # noqa: S310 - the lab's own URL
    request.add_header("Authorization", f"token {parse_qs(parts.query)['token'][0]}")
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(request, timeout=30) as answer:
        return json.load(answer)


def test_a_lab_that_was_stopped_starts_as_it_was_without_its_settings(place, port):
    url = URL.search(make(place, port))[0]
    docker("exec", SERVER, "sh", "-c", "echo installed > $HOME/installed")
    before = identity()
    assert "stopped" in lab(place, "stop")
    assert docker("inspect", "--format", "{{.State.Running}}", SERVER).strip() == "false"
    assert "is stopped already" in lab(place, "stop")
    refused = run_lab("url", f"lab_name={NAME}", cwd=place / "work")
    assert f"./lab start -e lab_name={NAME}" in refused.stdout + refused.stderr
    # Whoever changes the image's folder meanwhile does not change what only starts.
    write_image(place, 2)
    shown = lab(place, "start")
    assert "sha256:" not in shown
    assert URL.search(shown)[0].partition("token=")[0] == url.partition("token=")[0]
    assert identity() == before
    assert docker("exec", SERVER, "sh", "-c", "cat $HOME/installed").strip() == "installed"
    counts = place / "counts"
    assert "Nothing had to change" in lab(place, "start", counts=counts)
    assert not above_bars("start, nothing to change", counts)


def test_a_lab_whose_folder_was_made_anew_is_restarted_with_it(place):
    before = identity()
    shutil.rmtree(place / "work")
    (place / "work").mkdir()
    assert "changed=1" in lab(place, "start")
    docker("exec", SERVER, "touch", "/home/synced/saved")
    assert (place / "work/saved").exists()
    assert identity() == before
    assert "Nothing had to change" in lab(place, "start")


def write_notebook(home, *sources):
    cells = [
        {"cell_type": "code", "metadata": {}, "execution_count": None, "outputs": [], "source": s} for s in sources
    ]
    notebook = {"nbformat": 4, "nbformat_minor": 4, "metadata": {"kernelspec": {"name": "desi-25.3"}}, "cells": cells}
    (home / "work/n.ipynb").write_text(json.dumps(notebook))


def await_kernel(there):
    end = time.monotonic() + 60
    while ("ipykernel" in docker("top", SERVER)) is not there:
        assert time.monotonic() < end, docker("top", SERVER)
        time.sleep(0.2)


def test_a_notebook_runs_up_to_its_first_error(place):
    write_notebook(
        place, "# Where\nprint(open('n.ipynb').name, __import__('os').environ['DESI_RELEASE'])", "{}['flux']", "1"
    )
    done = run_lab("run", f"lab_name={NAME}", "desi_notebook=n.ipynb", cwd=place / "work")
    assert done.returncode != 0
    for line in ("✓ 1 Where", "✗ 2 {}['flux']", "stopped at cell 2 of 3.", "Why   KeyError: 'flux'"):
        assert line in done.stdout, done.stdout
    cells = json.loads((place / "work/n.run.ipynb").read_text())["cells"]
    assert cells[0]["outputs"][0]["text"] == ["n.ipynb edr\n"]
    assert [output["ename"] for output in cells[1]["outputs"]] == ["KeyError"]
    await_kernel(there=False)


def test_nothing_is_left_in_the_lab_of_a_run_that_is_interrupted(place):
    write_notebook(place, "import time\ntime.sleep(1000)")
    command, known = lab_command("run", f"lab_name={NAME}", "desi_notebook=n.ipynb", cwd=place / "work")
    with subprocess.Popen(command, cwd=place / "work", env=known, stdout=subprocess.PIPE, text=True) as process:
        await_kernel(there=True)
        process.send_signal(signal.SIGINT)
        try:
            process.communicate(timeout=60)
        finally:
            process.kill()
    await_kernel(there=False)
    assert "notebook_run" not in docker("top", SERVER)


@pytest.mark.security("H3", "P2")
def test_a_lab_whose_folder_is_not_for_notebooks_starts_only_if_that_is_said(place):
    before = identity()
    (place / "work/.netrc").write_text("machine example.org password secret")
    done = run_lab("start", f"lab_name={NAME}", cwd=place / "work")
    shown = done.stdout + done.stderr
    assert done.returncode != 0, shown
    assert f"The folder {place}/work" in shown
    assert "-e lab_folder_anyway=true" in shown
    lab(place, "start", "lab_folder_anyway=true")
    assert identity() == before
    (place / "work/.netrc").unlink()


def test_there_is_nothing_to_sync_for_a_lab_whose_folder_is_here(place):
    assert "nothing to sync" in lab(place, "sync")


@pytest.mark.parametrize("verb", ["stop", "url"])
def test_a_name_that_no_lab_has_is_answered_with_the_nearest(place, verb):
    done = run_lab(verb, f"lab_name={NAME}x", cwd=place / "work")
    assert done.returncode != 0
    assert f"-e lab_name={NAME}" in done.stdout + done.stderr


def test_rollback_without_a_previous_image_is_refused(place):
    done = run_lab("update", f"lab_name={NAME}", "lab_previous=true", cwd=place / "work")
    assert done.returncode != 0
    assert "no other image" in done.stdout + done.stderr


def test_update_names_what_would_end_and_keeps_the_image_of_before(place):
    url = URL.search(lab(place, "start"))[0]
    body = {"path": "spectra.ipynb", "name": "", "type": "notebook", "kernel": {"name": "python3"}}
    ask(url, "api/sessions", json.dumps(body).encode())
    before = identity()
    (place / "work/results").write_text("mine")
    shown = lab(place, "update", "lab_yes=true")
    assert "spectra.ipynb" in shown
    assert version() == "2"
    assert identity()[0] != before[0]
    assert label("previous") == before[1]
    assert docker("image", "inspect", "--format", "{{.Id}}", PREVIOUS).strip() == before[1]
    assert docker("exec", SERVER, "cat", "/home/synced/results") == "mine"


def test_rollback_switches_to_the_previous_image_and_back(place):
    newer = identity()[1]
    lab(place, "update", "lab_previous=true", "lab_yes=true")
    assert version() == "1"
    assert label("previous") == newer
    lab(place, "update", "lab_previous=true", "lab_yes=true")
    assert version() == "2"


@pytest.mark.security("M3", "P10")
@pytest.mark.parametrize(
    ("verb", "settings"), [("down", []), ("down", ["lab_purge=true"]), ("update", ["lab_previous=true"])]
)
def test_destructive_verbs_are_refused_without_a_terminal(place, verb, settings):
    before = identity()
    done = run_lab(verb, f"lab_name={NAME}", *settings, cwd=place / "work")
    shown = done.stdout + done.stderr
    assert done.returncode != 0, shown
    assert "nobody could be asked" in " ".join(shown.split())
    assert "-e lab_yes=true" in shown
    assert SERVER in shown
    assert identity() == before
    assert "running" in docker("inspect", "--format", "{{.State.Status}}", SERVER)


def test_check_mode_asks_nothing_and_removes_nothing(place):
    before = identity()
    assert "Nothing was removed" not in lab(place, "down", "--check")
    assert identity() == before


def test_down_takes_the_image_of_before_too_unless_another_uses_it_and_leaves_the_files(place):
    others = docker("create", "--label", f"life={place}", label("previous")).strip()
    for image in docker("inspect", "--format", "{{range .RepoTags}}{{println .}}{{end}}", PREVIOUS).split():
        if image != PREVIOUS:
            docker("rmi", image)
    lab(place, "down", "lab_yes=true")
    assert docker("image", "ls", "-q", PREVIOUS)
    docker("rm", others)
    assert (place / "work/results").read_text() == "mine"
    shown = lab(place, "down")
    assert "is not here" in shown
    assert not docker("image", "ls", "-q", PREVIOUS)
