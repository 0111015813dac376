# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Task names begin with a verb of the glossary in CONTRIBUTING.md, and not with one that has to be decoded."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DECODED = r"(Announce|Give|Have|Keep|Lead|Learn|Let|Look|Name|Say|See|Take|Tell|Whose|Work)"
FILES = [path for folder in ("roles", "playbooks", "molecule") for path in sorted((ROOT / folder).rglob("*.yml"))]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_task_names_need_no_decoding(path):
    assert not re.findall(rf"^ *- name: ({DECODED}\b.*)", path.read_text(), re.MULTILINE)
