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
  - Opens a small page, readable by its owner alone, that leads to the URL. The URL itself is not in any command line, where
    every user of the computer could read it.
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
  description: Whether there was a browser to open it.
  returned: always
  type: bool
"""

import html
import os
import webbrowser
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule


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


def main() -> None:
    """Write the page and open it."""
    module = AnsibleModule(
        {"url": {"type": "str", "required": True, "no_log": True}, "page": {"type": "path", "required": True}},
        supports_check_mode=True,
    )
    if module.check_mode:
        module.exit_json(changed=False, opened=False)
    page = Path(module.params["page"])
    write_private(page, page_text(module.params["url"]))
    opened = webbrowser.open(page.as_uri())
    if not opened:
        page.unlink()
    module.exit_json(changed=False, opened=opened)


if __name__ == "__main__":
    main()
