# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The system that the images stand on, where it is put together from Debian's packages."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROLE = Path(__file__).resolve().parents[4] / "roles" / "image"


def command(root: Path) -> list[str]:
    """The command of the role, as it would be run to make a root there."""
    known = yaml.safe_load((ROLE / "vars" / "main.yml").read_text())
    tasks = yaml.safe_load((ROLE / "tasks" / "root.yml").read_text())
    inner = [task for outer in tasks for block in outer.get("block", []) for task in block.get("block", [])]
    words = next(task["ansible.builtin.command"]["argv"] for task in inner if task["name"] == "Make the system")
    values = {
        "{{ __image_root_keyring }}": known["__image_root_keyring"],
        "{{ __image_root_suite }}": known["__image_root_suite"],
        "{{ __image_maker_directory.path }}": str(root),
    }
    for name, value in values.items():
        words = [word.replace(name, value) for word in words]
    return words


@pytest.mark.security("M5")
@pytest.mark.skipif(os.getuid() != 0 or not shutil.which("mmdebstrap"), reason="needs mmdebstrap and root")
def test_system_of_a_mirror_that_debian_has_not_signed_is_refused(tmp_path):
    lists = tmp_path / "mirror" / "dists" / "bookworm"
    (lists / "main" / "binary-amd64").mkdir(parents=True)
    (lists / "main" / "binary-amd64" / "Packages").write_text("")
    empty = hashlib.sha256(b"").hexdigest()
    about = ["Suite: stable", "Codename: bookworm", "Architectures: amd64", "Components: main", "SHA256:"]
    (lists / "Release").write_text("\n".join([*about, f" {empty} 0 main/binary-amd64/Packages", ""]))
    said = subprocess.run(
        [*command(tmp_path), f"deb file://{tmp_path}/mirror bookworm main"],
        env={**os.environ, "TMPDIR": str(tmp_path), "LC_ALL": "C"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode
    assert "is not signed" in said.stderr
    assert not (tmp_path / "root.tar").exists() or not (tmp_path / "root.tar").stat().st_size


@pytest.mark.security("M5")
def test_nothing_that_makes_the_system_goes_past_signatures():
    for path in [*ROLE.rglob("*.yml"), *ROLE.rglob("Dockerfile")]:
        for word in ("trusted=yes", "allow-unauthenticated", "AllowUnauthenticated=true", "no-check-gpg", "--insecure"):
            assert word not in path.read_text(), (path, word)
