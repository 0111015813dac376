# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keep in a lock, lock_narrow.py LOCK, only the hashes of the files that pip would install in an image.

One file a package and processor; a processor for which a package has no file is left out.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

# Debian bookworm's Python, and the oldest and newest C library that its pip takes files for.
PYTHON, GLIBC = "3.11", range(5, 37)
PROCESSORS = ("x86_64", "aarch64")
HASH = re.compile(r"sha256:[0-9a-f]{64}")


def installed(lock: Path, processor: str) -> set[str]:
    """Return the hashes of what pip would install for a processor; none if it cannot."""
    names = [f"manylinux_2_{minor}" for minor in GLIBC] + ["manylinux1", "manylinux2010", "manylinux2014", "linux"]
    platforms = [word for name in names for word in ("--platform", f"{name}_{processor}")]
    options = ["--quiet", "--dry-run", "--ignore-installed", "--no-deps", "--only-binary", ":all:", "--report", "-"]
    python = ["--python-version", PYTHON, "--implementation", "cp", "--target", "/nowhere"]
    command = [sys.executable, "-m", "pip", "install", *options, *platforms, *python, "--require-hashes", "-r", lock]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        if "No matching distribution" not in done.stderr:
            raise SystemExit(f"{lock}, {processor}: pip cannot tell what it would install.\n{done.stderr}")
        print(f"{lock}: not for {processor}", file=sys.stderr)
        return set()
    chosen = (each["download_info"]["archive_info"]["hashes"]["sha256"] for each in json.loads(done.stdout)["install"])
    return {f"sha256:{each}" for each in chosen}


def narrowed(text: str, wanted: set[str]) -> str:
    """Return a lock without the hashes that are not wanted."""
    lines = [line for line in text.splitlines() if not (found := HASH.search(line)) or found[0] in wanted]
    return re.sub(r" \\\n(?=\S|$)", "\n", "\n".join(lines) + "\n").rstrip(" \\\n") + "\n"


def main() -> None:
    lock = Path(sys.argv[1])
    wanted = set[str]().union(*(installed(lock, processor) for processor in PROCESSORS))
    text = narrowed(lock.read_text(), wanted)
    if bare := re.findall(r"^\S+==\S+$", text, re.MULTILINE):
        raise SystemExit(f"{lock}: no hash is left of {', '.join(bare)}")
    lock.write_text(text)


if __name__ == "__main__":
    main()
