#!/usr/bin/python
# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: browser
short_description: Open a secret URL in the desktop's browser
version_added: "0.1.0"
description:
  - Opens a small page, readable by its owner alone, that leads to the URL. The URL itself is not in any command line,
    where every user of the computer could read it.
  - Where there is no desktop, or no browser in it, that is said and nothing is left.
author:
  - The DESI Lab contributors (@desi-lab)
options:
  url:
    description: The URL.
    type: str
    required: true
  page:
    description: The file that leads to the URL. It is written anew each time.
    type: path
    required: true
attributes:
  check_mode:
    support: full
    description: Can run in check mode and opens nothing there.
  diff_mode:
    support: none
    description: The page holds a secret and is not shown.
  idempotent:
    support: none
    description: Opens the browser each time.
"""

EXAMPLES = r"""
- name: Open the lab
  desi.lab.browser:
    url: "{{ jupyter_url }}"
    page: ~/.cache/desi-lab/open.html
  no_log: true
"""

RETURN = r"""
opened:
  description: Whether there was a desktop with a browser to open it.
  returned: always
  type: bool
reason:
  description: Why it was not opened, as a sentence. Empty if it was, and in check mode.
  returned: always
  type: str
"""

import html
import os
import subprocess
import sys
import typing as t
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

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


def main() -> None:
    """Write the page and open it."""
    module = AnsibleModule(
        {"url": {"type": "str", "required": True, "no_log": True}, "page": {"type": "path", "required": True}},
        supports_check_mode=True,
    )
    if module.check_mode:
        module.exit_json(changed=False, opened=False, reason="")
    reason = why_not_opened(module.params["url"], Path(module.params["page"]))
    module.exit_json(changed=False, opened=not reason, reason=reason)


if __name__ == "__main__":
    main()
