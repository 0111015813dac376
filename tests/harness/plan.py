# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is run: the lints, the unit tests, Molecule's scenarios, and labs in the simulated region and in a browser."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from harness import security_findings
from harness.parts import Part

ROOT = Path(__file__).resolve().parents[2]

# Python, but not called so.
SCRIPTS = (
    "bench/build",
    "bench/dask",
    "bench/overhead",
    "bench/status",
    "tests/cloud/start",
    "tests/e2e/run_notebooks",
    "tests/lint/reference",
    "tests/lint/validate_modules",
    "tests/other_python",
    "tests/registry/serve_git",
    "tests/run",
)

LINTS = (
    # The slowest first.
    Part("ansible-lint", ["ansible-lint", "--strict", "--nocolor"]),
    Part("antsibull-docs", [
        "antsibull-docs", "lint-collection-docs", "--plugin-docs", "--validate-collection-refs", "dependent",
        "--disallow-unknown-collection-refs", "--skip-rstcheck", ".",
    ]),
    Part("validate-modules", ["tests/lint/validate_modules"]),
    Part("reference", ["tests/lint/reference"]),
    Part("yamllint", ["yamllint", "--strict", "."]),
    Part("shellcheck", ["tests/lint/shell_scripts"]),
    Part("ruff check", ["ruff", "check", ".", *SCRIPTS]),
    Part("ruff format", ["ruff", "format", "--check", ".", *SCRIPTS]),
    Part("antsibull-changelog", ["antsibull-changelog", "lint"]),
)  # fmt: skip

IMAGES = Part("images", ["ansible-playbook", "tests/harness/images.yml"], timeout=900)

# The archive is tested with another Python (tests/other_python), if there is one.
COMMANDS = ["tests/integration", "--ignore", "tests/integration/test_archive.py", "--durations", "8"]
REFUSALS = Part("refusals", [sys.executable, "-m", "pytest", *COMMANDS], timeout=1200, gate=IMAGES.name)

# Scenarios with mounts share a lane, since they inspect all mounts and processes of the computer.
MOUNTING = ("local_folder", "bucket_host", "bucket_container", "down")


# Sequences of verbs in a run of everything.
A_FEW = 6

# Kinds of labs for the browser tests. Local ones mount, too.
HERE = ("local-host", "local-container")
ON_EC2 = ("ec2-tunnel", "ec2-direct", "ec2-https")


def scenarios() -> list[str]:
    return sorted(path.parent.name for path in ROOT.glob("molecule/*/molecule.yml"))


def scenario(name: str, scratch: Path) -> Part:
    folder = str(scratch / "molecule" / name)
    return Part(
        f"molecule {name}",
        ["molecule", "test", "--scenario-name", name],
        timeout=600,
        # Modules for this computer run in the worker of their task.
        environment={
            "MOLECULE_EPHEMERAL_DIRECTORY": folder,
            "PATH": f"{ROOT / 'tests/harness/played'}:{os.environ.get('PATH', '')}",
        },
        gate=IMAGES.name,
    )


def unit(scratch: Path) -> Part:
    """Return the part that runs the unit tests."""
    # The folder's name is short, because sockets are made in it.
    options = ["-n", "2", "-p", "every_test_runs", "-r", "sfE", "--durations", "20", "--basetemp", str(scratch / "p")]
    return Part(
        "unit",
        [sys.executable, "-m", "pytest", *options],
        timeout=1500,
        environment={"DESI_LAB_TEST_IMAGE": "desi-lab:0.1.0", "PYTHONPATH": str(ROOT / "tests/harness")},
        gate=IMAGES.name,
    )


def cloud(name: str, files: Sequence[str], scratch: Path) -> Part:
    """Return the part that runs tests against the simulated AWS region, which each such part has for itself."""
    paths = [str(path) for pattern in files for path in sorted((ROOT / "tests/cloud").glob(pattern))]
    # Sockets are made in that folder, too.
    options = ["-p", "every_test_runs", "-r", "sfE", "--durations", "8", "--basetemp", str(scratch / f"c{name[:2]}")]
    return Part(
        f"cloud {name}",
        [sys.executable, "-m", "pytest", *options, *paths],
        timeout=2400,
        environment={"PYTHONPATH": str(ROOT / "tests/harness")},
        gate=IMAGES.name,
    )


def e2e(place: str, kinds: Sequence[str], scratch: Path) -> Part:
    """Return the part that visits labs of these kinds in a browser and runs notebooks in them."""
    chosen = [word for kind in kinds for word in ("--lab", kind)]
    options = ["-p", "every_test_runs", "--durations", "8", "--basetemp", str(scratch / f"e{place[0]}")]
    return Part(
        f"e2e {place}",
        [sys.executable, "-m", "pytest", "tests/e2e", *chosen, *options],
        timeout=1200,
        environment={"PYTHONPATH": str(ROOT / "tests/harness")},
        gate=IMAGES.name,
    )


def sequences(number: int, scratch: Path) -> Part:
    """Return the part that types verbs at random, in that many sequences, and kills them."""
    options = ["-n", "2", "-p", "every_test_runs", "-r", "sfE", "--basetemp", str(scratch / "v")]
    return Part(
        "sequences of verbs",
        [sys.executable, "-m", "pytest", *options, "tests/sequences"],
        timeout=120 + 60 * number,
        environment={"PYTHONPATH": str(ROOT / "tests/harness"), "DESI_LAB_SEQUENCES": str(number)},
    )


def attacks(scratch: Path, record: Path) -> tuple[list[list[Part]], list[Part]]:
    """Return the parts with the tests that attack (marker security); each test records its outcome."""
    plugin = ["-p", "security_findings", "-p", "every_test_runs"]

    def part(name: str, words: Sequence[str]) -> Part:
        return Part(
            f"security {name}",
            [sys.executable, "-m", "pytest", *plugin, "--basetemp", str(scratch / f"s{name[0]}"), *words],
            timeout=2400,
            environment={
                "DESI_LAB_TEST_IMAGE": "desi-lab:0.1.0",
                "PYTHONPATH": str(ROOT / "tests/harness"),
                security_findings.RECORD: str(record),
            },
            gate=IMAGES.name,
        )

    here = [part("unit", ["-n", "2", "tests/unit"]), part("commands", ["tests/integration"])]
    return [[IMAGES, *here], [part("machines", ["tests/cloud"])]], []


def lanes(wanted: Sequence[str], names: Sequence[str], scratch: Path) -> tuple[list[list[Part]], list[Part]]:
    """Return concurrent lanes of parts, and the parts that they share, for words of tests/run and scenarios."""
    if set(wanted) == {"lint"}:
        return [[], []], list(LINTS)
    first: list[Part] = [IMAGES]
    second: list[Part] = list(LINTS) if "lint" in wanted else []
    # The longest first, so that both lanes end at the same time.
    shared: list[Part] = []
    if "cloud" in wanted:
        shared.append(cloud("faults", ["test_region_*.py", "test_lab_faults.py"], scratch))
        shared.append(cloud("life", ["test_lab_life.py", "test_lab_idle.py"], scratch))
        shared.append(cloud("labs", ["test_lab_whole.py"], scratch))
        shared.append(cloud("workers", ["test_lab_workers.py"], scratch))
        shared.append(cloud("money", ["test_lab_money.py", "test_doctor.py"], scratch))
    if "unit" in wanted:
        first.append(REFUSALS)
        # Its lab mounts, too.
        first.append(Part("another Python", ["tests/other_python", str(scratch)], timeout=1500, gate=IMAGES.name))
        shared.append(sequences(A_FEW, scratch))
        shared.append(unit(scratch))
    if "e2e" in wanted:
        first.append(e2e("here", HERE, scratch))
        shared.append(e2e("on EC2", ON_EC2, scratch))
    if "molecule" in wanted:
        first += [scenario(name, scratch) for name in names if name in MOUNTING]
        shared += [scenario(name, scratch) for name in names if name not in MOUNTING]
    # Labs are waited for a good part of the time, in which two lanes would leave a processor idle.
    return [first, second, []], shared
