# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection.

"""Leading the desktop's browser to a secret URL by way of a page that its owner alone can read."""

from __future__ import annotations

import html
import os
import subprocess
import sys
import typing as t
from pathlib import Path

# A program that was told to open a page and takes longer has opened it, and waits until somebody closes it.
PATIENCE_SECONDS = 15
OPEN = "import sys, webbrowser; sys.exit(not webbrowser.open(sys.argv[1]))"


def has_desktop(environment: t.Mapping[str, str], system: str) -> bool:
    """Return whether a browser would have a window to open in; one that runs in a terminal would be seen by nobody."""
    if system in ("darwin", "win32"):
        return True
    return any(environment.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))


def page_text(url: str) -> str:
    """Return a page that leads to the URL at once."""
    target = html.escape(url, quote=True)
    return f'<!doctype html><meta http-equiv="refresh" content="0; url={target}"><a href="{target}">DESI Lab</a>\n'


def write_private(path: Path, text: str) -> None:
    """Write a file that nobody but its owner may read, not even for a moment."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)


def show(page: Path) -> bool:
    """Open a page in the desktop's browser, and return whether there is one.

    The browser gets none of this module's streams: it would keep them open, and Ansible would wait for their end.
    """
    null = subprocess.DEVNULL
    command = [sys.executable, "-c", OPEN, page.as_uri()]
    browser = subprocess.Popen(command, stdin=null, stdout=null, stderr=null, start_new_session=True)
    try:
        return browser.wait(PATIENCE_SECONDS) == 0
    except subprocess.TimeoutExpired:
        return True


def why_not_opened(url: str, page: Path) -> str:
    """Open the URL by way of the page; return why that could not be, or an empty string."""
    if not has_desktop(os.environ, sys.platform):
        return "There is no desktop here."
    try:
        write_private(page, page_text(url))
    except OSError as error:
        return f"The page {page} could not be written: {error.strerror}."
    if show(page):
        return ""
    page.unlink()
    return "There is no browser in this desktop."
