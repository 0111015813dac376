# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from ansible_collections.desi.lab.plugins.module_utils._common import source
from ansible_collections.desi.lab.plugins.module_utils._ssh import tunnel_keeper
from ansible_collections.desi.lab.plugins.module_utils._ssh.tunnel_process import KEEPER

TEXT = Path(tunnel_keeper.__file__).read_text()
COLLECTIONS = Path(source.__file__).parents[6]
PROGRAM = """
import sys
from ansible_collections.desi.lab.plugins.module_utils._ssh import tunnel_keeper
from ansible_collections.desi.lab.plugins.module_utils._common.source import source_of
sys.stdout.write(source_of(tunnel_keeper))
"""
BY_ANSIBLE = "from ansible.plugins.loader import init_plugin_loader; init_plugin_loader()"


def archived(folder: Path) -> str:
    """Return an archive with the modules, as Ansible sends them to a host."""
    made = folder / "modules.zip"
    with zipfile.ZipFile(made, "w") as archive:
        for module in (source, tunnel_keeper):
            path = Path(module.__file__).relative_to(COLLECTIONS)
            archive.write(module.__file__, path)
            for above in path.parents[:-1]:
                if str(above / "__init__.py") not in archive.namelist():
                    archive.writestr(str(above / "__init__.py"), "")
    return str(made)


@pytest.mark.parametrize("loader", ["python", "ansible", "archive"])
def test_source_of_a_module_is_found_whoever_loads_it(loader, tmp_path):
    place = archived(tmp_path) if loader == "archive" else str(COLLECTIONS)
    first = f"{BY_ANSIBLE}\n" if loader == "ansible" else ""
    known = {"PYTHONPATH": place, "ANSIBLE_COLLECTIONS_PATH": place, "ANSIBLE_HOME": str(tmp_path), "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        [sys.executable, "-c", first + PROGRAM], env=known, capture_output=True, text=True, check=False
    )
    assert done.stdout == TEXT == KEEPER, done.stderr
