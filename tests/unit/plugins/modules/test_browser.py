# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import signal
import stat
import time
import urllib.parse
from functools import partial
from html.parser import HTMLParser

import pytest
from loopback import await_that

from ansible_collections.desi.lab.plugins.module_utils._common import browser as common_browser
from ansible_collections.desi.lab.plugins.modules import browser

URL = "http://127.0.0.1:8888/lab?token=6f1cdead&next=%2Ftree"


@pytest.fixture
def run(call):
    return partial(call, browser)


@pytest.fixture
def desktop(tmp_path, monkeypatch):
    """A desktop whose browser notes which page it was told to open."""
    program = tmp_path / "firebird"
    monkeypatch.setenv("BROWSER", f"{program} %s")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(common_browser, "PAGE_SECONDS", 2.0)

    def install(script: str) -> None:
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)

    return install


@pytest.mark.parametrize(
    ("environment", "system", "answer"),
    [
        ({"DISPLAY": ":0"}, "linux", True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "linux", True),
        ({"TERM": "xterm", "DISPLAY": ""}, "linux", False),
        ({}, "darwin", True),
    ],
)
def test_desktop_is_where_a_browser_has_a_window(environment, system, answer):
    assert common_browser.has_desktop(environment, system) is answer


def test_page_leads_to_the_whole_url_whatever_is_in_it():
    seen = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag, attributes):
            seen.append((tag, dict(attributes)))

    for url in (URL, 'http://h/?a="><script>x</script>'):
        seen.clear()
        Reader().feed(common_browser.page_text(url))
        assert dict(seen)["meta"]["content"] == f"0; url={url}"
        assert dict(seen)["a"]["href"] == url
        assert [tag for tag, _attributes in seen] == ["meta", "a"]


def test_browser_is_given_a_page_and_not_the_url(run, desktop, tmp_path):
    desktop(f'echo "$@" > {tmp_path}/opened')
    page = tmp_path / "cache" / "open.html"
    code, result = run(url=URL, page=str(page))
    assert (code, result["changed"], result["opened"], result["reason"]) == (0, False, True, "")
    opened = (tmp_path / "opened").read_text().strip()
    assert urllib.parse.urlsplit(opened).path == str(page)
    assert "token" not in opened
    assert "6f1cdead" in page.read_text()
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    assert "6f1cdead" not in json.dumps(result)


def test_browser_that_stays_open_is_not_waited_for(run, desktop, tmp_path, monkeypatch):
    monkeypatch.setattr(common_browser, "PATIENCE_SECONDS", 0.5)
    note = tmp_path / "pid"
    desktop(f"echo $$ > {note}.new; mv {note}.new {note}; exec sleep 60")
    start = time.monotonic()
    code, result = run(url=URL, page=str(tmp_path / "open.html"))
    assert (code, result["opened"]) == (0, True)
    assert time.monotonic() - start < 30
    # It lives on without the module.
    while not note.exists() and time.monotonic() - start < 30:
        time.sleep(0.01)
    os.kill(int(note.read_text()), signal.SIGTERM)


@pytest.mark.security("L3")
def test_no_module_of_the_working_directory_opens_it(desktop, tmp_path, monkeypatch):
    desktop("true")
    (tmp_path / "webbrowser.py").write_text(f"open({str(tmp_path / 'planted')!r}, 'w')\n")
    monkeypatch.chdir(tmp_path)
    assert common_browser.show(tmp_path / "open.html")
    assert not (tmp_path / "planted").exists()


def test_browser_does_not_hold_the_streams_that_ansible_listens_to(desktop, tmp_path, capfd):
    desktop("echo nonsense; echo nonsense >&2")
    assert common_browser.show(tmp_path / "open.html")
    assert "".join(capfd.readouterr()) == ""


def test_without_a_browser_or_a_desktop_nothing_is_opened_or_left(run, desktop, tmp_path, monkeypatch):
    desktop("exit 1")
    page = tmp_path / "cache" / "open.html"
    code, result = run(url=URL, page=str(page))
    assert (code, result["opened"], result["reason"]) == (0, False, "There is no browser in this desktop.")
    assert not page.exists()
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(common_browser.sys, "platform", "linux")
    page = tmp_path / "none" / "open.html"
    code, result = run(url=URL, page=str(page))
    assert (code, result["opened"], result["reason"]) == (0, False, "There is no desktop here.")
    assert not page.parent.exists()


def test_check_mode_opens_nothing_and_says_whether_it_would(run, desktop, tmp_path):
    desktop(f"touch {tmp_path}/opened")
    page = tmp_path / "open.html"
    code, result = run(url=URL, page=str(page), _ansible_check_mode=True)
    assert (code, result["opened"], result["reason"]) == (0, True, "")
    assert not (tmp_path / "opened").exists()
    assert not page.exists()


def test_page_that_cannot_be_written_is_told_and_nothing_is_opened(run, desktop, tmp_path):
    desktop(f"touch {tmp_path}/opened")
    (tmp_path / "file").touch()
    code, result = run(url=URL, page=str(tmp_path / "file" / "open.html"))
    assert (code, result["opened"]) == (0, False)
    assert result["reason"].startswith(f"The page {tmp_path}/file/open.html could not be written: ")
    assert not (tmp_path / "opened").exists()


@pytest.mark.security("L6")
def test_the_page_with_the_token_is_gone_when_a_browser_has_read_it(run, desktop, tmp_path, monkeypatch):
    monkeypatch.setattr(common_browser, "PAGE_SECONDS", 0.3)
    desktop(f'cat "${{1#file://}}" > {tmp_path}/read')
    old = tmp_path / "home" / ".cache" / "desi-lab" / "open.html"
    old.parent.mkdir(parents=True)
    old.write_text("of 0.1.0")
    page = tmp_path / "open.html"
    assert run(url=URL, page=str(page))[1]["opened"]
    assert "6f1cdead" in (tmp_path / "read").read_text()
    await_that(lambda: not page.exists())
    assert not old.exists()


@pytest.mark.security("L6")
def test_a_page_that_was_written_anew_meanwhile_is_not_removed_with_the_one_before(tmp_path, monkeypatch):
    monkeypatch.setattr(common_browser, "PAGE_SECONDS", 0.3)
    folder = common_browser.open_private(tmp_path)
    common_browser.write_private(folder, "page", "old")
    process = common_browser.remove_later(folder, "page")
    common_browser.write_private(folder, "page", "new")
    os.close(folder)
    assert process.wait(30) == 0
    assert (tmp_path / "page").read_text() == "new"


@pytest.mark.security("L6")
def test_no_token_is_written_where_others_can_put_something_in_its_place(run, desktop, tmp_path):
    desktop(f"touch {tmp_path}/opened")
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    code, result = run(url=URL, page=str(shared / "open.html"))
    assert (code, result["opened"]) == (0, False)
    assert "not yours alone" in result["reason"]
    assert not list(shared.iterdir())
    assert not (tmp_path / "opened").exists()
