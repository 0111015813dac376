#!/usr/bin/python
# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: prefetch_info
short_description: Return the progress of a prefetch
version_added: "0.1.0"
description:
  - Reads the progress file of M(desi.lab.prefetch).
author:
  - The DESI Lab contributors (@desi-lab)
options:
  progress:
    description: The file.
    type: path
    required: true
extends_documentation_fragment:
  - desi.lab.attributes.info_module
"""

EXAMPLES = r"""
- name: Wait for the prefetch
  desi.lab.prefetch_info:
    progress: /run/desi-lab/prefetch.json
  register: far
  until: far.finished
  retries: 100000
  delay: 1
"""

RETURN = r"""
progress:
  description: A bar, the bytes, the rate and the time that is left.
  returned: success
  type: str
finished:
  description: Whether it has ended, or its process is gone.
  returned: success
  type: bool
"""

import json
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule


def main() -> None:
    module = AnsibleModule({"progress": {"type": "path", "required": True}}, supports_check_mode=True)
    try:
        known = json.loads(Path(module.params["progress"]).read_text())
    except (OSError, ValueError):
        # Not started yet.
        module.exit_json(changed=False, progress="", finished=False)
    gone = not Path(f"/proc/{known['pid']}").exists()
    module.exit_json(changed=False, progress=known["text"], finished=bool(known["finished"] or gone))


if __name__ == "__main__":
    main()
