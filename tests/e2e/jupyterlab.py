# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""JupyterLab as a person uses it: menus, cells, a terminal."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable

from browsing import PATIENCE
from playwright.sync_api import Page, WebSocket, expect

NOTEBOOK = ".jp-NotebookPanel:not(.lm-mod-hidden)"


def visit(page: Page, url: str) -> None:
    """Open a URL and wait until JupyterLab is there."""
    page.goto(url)
    page.wait_for_selector("#jp-main-dock-panel", state="visible")
    page.wait_for_selector("#jupyterlab-splash", state="detached")


def choose(page: Page, *names: str) -> None:
    """Choose something of a menu, such as Run, Run All Cells."""
    menu, *within = names
    page.locator(".lm-MenuBar-itemLabel", has_text=re.compile(rf"^{menu}$")).click()
    for name in within:
        item = page.locator(".lm-Menu-itemLabel:visible", has_text=re.compile(rf"^{re.escape(name)}$")).last
        item.hover()
        if name == within[-1]:
            item.click()


def ask(page: Page, path: str) -> tuple[int, object]:
    """Ask the server's API for something as the page does, with its cookie; return status and answer."""
    return tuple(
        page.evaluate(
            "async path => { const answer = await fetch(path); return [answer.status, await answer.json()]; }",
            f"/api/{path}",
        )
    )


def api(page: Page, path: str) -> object:
    """Return something of the server's API that has to be there."""
    status, answer = ask(page, path)
    assert status == 200, f"{path}: {status}"
    return answer


def run_all(page: Page) -> None:
    """Run all cells of the notebook that is open, and wait until the kernel has nothing left to do."""
    expect(page.locator(f"{NOTEBOOK} .jp-Notebook-ExecutionIndicator")).to_have_attribute("data-status", "idle")
    prompts = page.locator(f"{NOTEBOOK} .jp-CodeCell .jp-InputPrompt")

    def begun() -> bool:
        # Cells out of sight have no prompt.
        return any(re.search(r"\[(\*|\d+)\]", text) for text in prompts.all_inner_texts())

    choose_until(page, begun, "a cell runs", "Run", "Run All Cells")
    error = page.locator(f"{NOTEBOOK} [data-mime-type='application/vnd.jupyter.error']")

    def ended() -> bool:
        assert not error.count(), f"a cell failed: {error.first.inner_text()}"
        # The prompt of a cell that waits or runs is [*], and of one that has not been told to run, [ ].
        return re.fullmatch(r"\[\d+\]:", prompts.last.inner_text().strip()) is not None

    try:
        until(page, ended, "all cells have run")
    except AssertionError as error:
        raise AssertionError(f"{error} Their prompts: {prompts.all_inner_texts()}") from error


def saved_notebook(page: Page, path: str) -> dict:
    """Save the notebook that is open, and return what the server then has of it."""
    before = api(page, f"contents/{path}?content=0")["last_modified"]
    choose(page, "File", "Save Notebook")
    until(page, lambda: api(page, f"contents/{path}?content=0")["last_modified"] != before, "the notebook is saved")
    return api(page, f"contents/{path}")["content"]


def choose_until(page: Page, condition: Callable[[], object], what: str, *names: str) -> object:
    """Choose something of a menu until it has worked, and return what the condition then returned.

    A menu that is drawn anew while somebody points at it swallows a click; a person clicks once more.
    """
    for _ in range(2):
        choose(page, *names)
        with contextlib.suppress(AssertionError):
            return until(page, condition, what, 5_000)
        # It may still be open, and a click would only close it.
        page.keyboard.press("Escape")
    choose(page, *names)
    return until(page, condition, what)


def see_listed(page: Page, name: str) -> None:
    """Wait until the file browser lists a file.

    JupyterLab looks for new ones the more rarely the more of its requests failed; a person clicks on refresh.
    """
    listed = page.locator(".jp-DirListing-item")
    with contextlib.suppress(AssertionError):
        expect(listed.filter(has_text=name)).to_be_visible(timeout=PATIENCE / 3)
        return
    page.locator(".jp-FileBrowser [data-command='filebrowser:refresh']").click()
    folder = page.locator(".jp-FileBrowser .jp-BreadCrumbs").inner_text()
    expect(listed.filter(has_text=name), f"{folder} lists {listed.all_inner_texts()}").to_be_visible()


def until(page: Page, condition: Callable[[], object], what: str, patience: int = PATIENCE) -> object:
    """Wait for so many milliseconds until something is so, and return what the condition then returned."""
    for _ in range(patience // 100):
        found = condition()
        if found:
            return found
        # What comes from the browser is handed over only while Playwright itself waits.
        page.wait_for_timeout(100)
    raise AssertionError(f"It never came to this: {what}.")


class Terminal:
    """A terminal of JupyterLab. It paints its letters, so what it shows is read from what the server sends it."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self.text = ""
        page.on("websocket", self._listen)
        opened = page.locator(".jp-Terminal .xterm")
        choose_until(page, opened.count, "a terminal is open", "File", "New", "Terminal")
        opened.last.click()
        self.wait_for(r"\$ $|# $")

    def _listen(self, socket: WebSocket) -> None:
        if "/terminals/websocket/" in socket.url:
            socket.on("framereceived", self._read)

    def _read(self, frame: str | bytes) -> None:
        kind, *rest = json.loads(frame)
        if kind == "stdout":
            self.text += re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", rest[0])

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Wait until the terminal has shown something."""
        return until(self._page, lambda: re.search(pattern, self.text), f"the terminal shows {pattern}")

    def type(self, line: str) -> None:
        """Type a line, as on a keyboard."""
        self._page.keyboard.type(line + "\n")
