# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A secret in every input of a lab's whole run, looked for in every place that keeps or shows something."""

import re
import tarfile
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest
from conftest import docker, run_lab
from run_counts import above_bars

pytestmark = pytest.mark.docker

TOKEN = re.compile(r"token=([0-9a-f]{48})")
# By the input that has it.
CANARIES = {
    "AWS_SECRET_ACCESS_KEY": "canaryAwsSecretKey+0123456789/abcdefghij",
    "AWS_SESSION_TOKEN": "canaryAwsSessionToken0123456789abcdefghij",
    "DESI_API_TOKEN": "canaryOfSomeOtherService0123456789",
    "HTTPS_PROXY": "canaryProxyPassword0123",
    "http_proxy": "canarySmallProxyPassword",
}


def environment(folder):
    """Return an environment with all of them, in which Ansible keeps whatever it can keep."""
    proxies = {name: f"http://ann:{CANARIES[name]}@127.0.0.1:9" for name in ("HTTPS_PROXY", "http_proxy")}
    return {
        **CANARIES,
        **proxies,
        "NO_PROXY": "127.0.0.1,localhost",
        "AWS_ACCESS_KEY_ID": "AKIACANARYCANARY0123",
        "ANSIBLE_CACHE_PLUGIN": "jsonfile",
        "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(folder / "facts"),
        "ANSIBLE_LOG_PATH": str(folder / "ansible.log"),
        "ANSIBLE_VERBOSITY": "4",
        "XDG_STATE_HOME": str(folder / "state"),
    }


@contextmanager
def command_lines():
    """Give a list that has, at the end, every command line that any process had meanwhile."""
    seen, ended = set(), threading.Event()

    def look():
        # A process that begins and ends between two looks is missed.
        while not ended.wait(0.01):
            for place in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    seen.add(place.read_bytes())
                except OSError:
                    continue

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        ended.set()
        thread.join()


@pytest.mark.security("M7", "L4", "L7", "P11")
def test_no_secret_reaches_any_place_that_keeps_or_shows_something(tmp_path, lab_name, free_port, release_folder):
    surroundings = environment(tmp_path)
    work = tmp_path / "work"
    work.mkdir()
    settings = (f"lab_name={lab_name}", f"lab_port={free_port}", f"lab_data={release_folder}", "lab_image=embedded")
    settings += ("lab_open_browser=never", f"lab_folder={work}")
    with command_lines() as lines:
        made = run_lab("local", *settings, cwd=work, **surroundings)
        shown = made.stdout + made.stderr
        assert made.returncode == 0, shown
        bundle = tmp_path / "desi-lab.tar.gz"
        told = run_lab("doctor", *settings, f"lab_bundle={bundle}", cwd=work, **surroundings)
    (token,) = set(TOKEN.findall(docker("logs", f"desi-lab-{lab_name}") + shown)) & set(TOKEN.findall(shown))
    with_token = [line.strip() for line in shown.splitlines() if token in line]
    assert len(with_token) == 1, "the token is shown once"
    assert with_token[0].startswith("Open ")

    containers = docker("ps", "-aq", "--filter", f"label=desi.lab.name={lab_name}").split()
    unpacked = tmp_path / "bundle"
    with tarfile.open(bundle) as archive:
        archive.extractall(unpacked, filter="data")
    sinks = {
        "the terminal": shown.replace(with_token[0], ""),
        "the doctor": told.stdout + told.stderr,
        "process lists": b"\n".join(lines).decode(errors="replace"),
        "docker inspect": docker("inspect", *containers),
        "the image": docker("history", "--no-trunc", "desi-lab:0.1.0"),
    }
    for folder in ("facts", "state", "bundle", "ansible.log"):
        for path in [tmp_path / folder, *(tmp_path / folder).rglob("*")]:
            if path.is_file():
                sinks[str(path)] = path.read_text(errors="replace")
    assert any("/state/" in place for place in sinks)
    assert any("/bundle/" in place for place in sinks)
    secrets = {**CANARIES, "the token": token}
    found = [(of, place) for of, secret in secrets.items() for place, text in sinks.items() if secret in text]
    assert found == []


@pytest.mark.security("L4", "P11")
def test_a_token_is_not_shown_where_a_log_would_keep_it(tmp_path, lab_name, free_port, release_folder):
    work = tmp_path / "work"
    work.mkdir()
    settings = (f"lab_name={lab_name}", f"lab_port={free_port}", f"lab_data={release_folder}", "lab_image=embedded")
    log = {"ANSIBLE_LOG_PATH": str(tmp_path / "log"), "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default"}
    settings += ("lab_open_browser=never", f"lab_folder={work}")
    counts = tmp_path / "counts"
    made = run_lab("local", *settings, cwd=work, counts=counts, **log)
    assert made.returncode == 0, made.stdout
    assert not above_bars("local, first start", counts)
    asked = run_lab("url", f"lab_name={lab_name}", cwd=work, **log)
    assert asked.returncode != 0
    assert not TOKEN.search(made.stdout + asked.stdout + Path(tmp_path / "log").read_text())
    assert TOKEN.search(run_lab("url", f"lab_name={lab_name}", cwd=work, counts=counts).stdout)
    assert not above_bars("url", counts)
    assert "Nothing had to change" in run_lab("local", *settings, cwd=work, counts=counts).stdout
    assert not above_bars("local, nothing to change", counts)
