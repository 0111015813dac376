# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Open a secret URL in the desktop's browser, by a page that only its owner can read."""

from __future__ import annotations

import contextlib
import errno
import html
import os
import subprocess
import sys
import typing as t
from pathlib import Path

from .files import closing, open_directory, open_made, remove_below, write_beside

# A program that takes longer has opened the page and waits until it is closed.
PATIENCE_SECONDS = 15
# By then a browser has started and read the page.
PAGE_SECONDS = 60.0
REMOVE = """
import os, sys, time
folder, name, number = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
time.sleep(float(sys.argv[4]))
try:
    if os.stat(name, dir_fd=folder, follow_symlinks=False).st_ino == number:
        os.unlink(name, dir_fd=folder)
except OSError:
    pass
"""
OPEN = "import sys, webbrowser; sys.exit(not webbrowser.open(sys.argv[1]))"


def has_desktop(environment: t.Mapping[str, str], system: str) -> bool:
    """Return whether there is a desktop for a browser's window."""
    if system in ("darwin", "win32"):
        return True
    return any(environment.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))


def page_text(url: str) -> str:
    """Return a page that redirects to the URL."""
    target = html.escape(url, quote=True)
    return f'<!doctype html><meta http-equiv="refresh" content="0; url={target}"><a href="{target}">DESI Lab</a>\n'


def write_private(directory: int, name: str, text: str) -> None:
    """Write a file that nobody but its owner may read, not even for a moment."""
    write_beside(directory, name, text.encode())


def open_private(path: Path) -> int:
    """Open a directory that only its owner can write to; make it if missing."""
    directory = open_made(str(path))
    about = os.fstat(directory)
    if about.st_uid != os.geteuid() or about.st_mode & 0o022:
        os.close(directory)
        raise PermissionError(errno.EPERM, "its directory is not yours alone")
    return directory


def remove_later(directory: int, name: str) -> subprocess.Popen[bytes]:
    """Remove the page in another process once a browser has had time to read it, unless it was rewritten."""
    number = os.stat(name, dir_fd=directory, follow_symlinks=False).st_ino
    null = subprocess.DEVNULL
    return subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", REMOVE, str(directory), name, str(number), str(PAGE_SECONDS)],
        stdin=null,
        stdout=null,
        stderr=null,
        start_new_session=True,
        pass_fds=(directory,),
    )


def show(page: Path) -> bool:
    """Open a page in the desktop's browser; return whether there is one.

    The browser gets none of this module's streams, as Ansible would wait for their end.
    """
    null = subprocess.DEVNULL
    command = [sys.executable, "-I", "-c", OPEN, page.as_uri()]
    browser = subprocess.Popen(command, stdin=null, stdout=null, stderr=null, start_new_session=True)
    try:
        return browser.wait(PATIENCE_SECONDS) == 0
    except subprocess.TimeoutExpired:
        return True


def remove_old() -> None:
    """Remove the page of 0.1.0, which holds a token."""
    with (
        contextlib.suppress(OSError),
        closing(open_directory(str(Path("~/.cache/desi-lab").expanduser()))) as directory,
    ):
        remove_below(directory, "open.html")


def why_not_openable() -> str:
    """Return why nothing can be opened here, as far as is known without trying, or an empty string."""
    return "" if has_desktop(os.environ, sys.platform) else "There is no desktop here."


def why_not_opened(url: str, page: Path) -> str:
    """Open the URL; return why that failed, or an empty string."""
    if why := why_not_openable():
        return why
    remove_old()
    try:
        with closing(open_private(page.parent)) as directory:
            write_private(directory, page.name, page_text(url))
            remove_later(directory, page.name)
            if show(page):
                return ""
            remove_below(directory, page.name)
    except OSError as error:
        return f"The page {page} could not be written: {error.strerror}."
    return "There is no browser in this desktop."
