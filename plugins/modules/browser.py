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
  - Opens a small page with mode 0600 that redirects to the URL, so that the URL is in no command line, which every user
    could read.
  - The page is removed a minute later.
  - Without a desktop or a browser, RV(reason) says so and no page is left.
options:
  url:
    description: The URL.
    type: str
    required: true
  page:
    description: The path of the page, in a directory that only its owner can write.
    type: path
    required: true
extends_documentation_fragment: desi.lab.attributes
attributes:
  diff_mode:
    details: The page holds a secret and is not shown.
  idempotent:
    support: none
    details: Opens the browser each time.
"""

EXAMPLES = r"""
- name: Open the lab
  desi.lab.browser:
    url: "{{ jupyter_url }}"
    page: ~/.local/state/desi-lab/page/open.html
  no_log: true
"""

RETURN = r"""
opened:
  description: Whether a browser opened it; in check mode, whether there is a desktop in which one would.
  returned: always
  type: bool
reason:
  description: Why it was not opened, as a sentence. Empty if it was.
  returned: always
  type: str
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._common.browser import why_not_openable, why_not_opened


def main() -> None:
    """Write the page and open it."""
    module = AnsibleModule(
        {"url": {"type": "str", "required": True, "no_log": True}, "page": {"type": "path", "required": True}},
        supports_check_mode=True,
    )
    if module.check_mode:
        reason = why_not_openable()
    else:
        reason = why_not_opened(module.params["url"], Path(module.params["page"]))
    module.exit_json(changed=False, opened=not reason, reason=reason)


if __name__ == "__main__":
    main()
