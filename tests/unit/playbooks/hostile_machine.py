#!/usr/bin/env python3
# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A program that is called ssh, and answers Ansible as a machine in other hands would: usual results, and more.

DESI_TEST_MACHINE is a folder: `answers.json` there has the results by module, or by module and a word of what it is
given, what each of them carries besides, and by host the module, or the word login, at which the connection to it
breaks; `calls` gets a line for each time that it is called.
"""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

folder = Path(os.environ["DESI_TEST_MACHINE"])
with (folder / "calls").open("a", encoding="utf-8") as calls:
    calls.write(json.dumps(sys.argv[1:]) + "\n")
told = json.loads((folder / "answers.json").read_text(encoding="utf-8"))
command = sys.argv[-1]
breaks = next((at for host, at in told.get("breaks", {}).items() if host in sys.argv), None)
if "python3" not in command:
    if breaks == "login" and "-G" not in sys.argv:
        print("Permission denied (publickey).", file=sys.stderr)
        sys.exit(255)
    sys.exit(0)
sent = sys.stdin.buffer.read()
found = re.search(rb"ansible_module='(?:[\w.]+\.)?(\w+)'", sent)
module = found.group(1).decode() if found else ""
if breaks == module:
    print("client_loop: send disconnect: Broken pipe", file=sys.stderr)
    sys.exit(255)
answer = told["results"].get(module, {})
for name, other in told["results"].items():
    if name.startswith(f"{module} ") and name.partition(" ")[2].encode() in sent:
        answer = other
print(json.dumps({"changed": False, **answer, **told["besides"]}))
