# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The packages of plugins/ lie in layers: each imports what lies below it, and nothing goes round in a circle."""

from __future__ import annotations

import ast
import graphlib
import re
from pathlib import Path

import pytest

PLUGINS = Path(__file__).parents[2] / "plugins"
BASE = "ansible_collections.desi.lab.plugins."

LAYERS = [
    {"_common"},
    {"_aws", "_dask", "_docker", "_lab", "_mount", "_prefetch"},
    {"_ec2", "_ssh", "_jupyter"},
    {"_sync", "_doctor", "_status"},
    {"plugin_utils"},
    {"modules", "action", "callback", "filter", "lookup"},
]
HEIGHT = {package: height for height, layer in enumerate(LAYERS) for package in layer}
ON_A_HOST = ("modules",)
"""Ansible sends these to the host with the module_utils that they import, and no plugin_utils."""


def package_of(name: str) -> str:
    """Return the package of a file, as ``_ec2`` for module_utils and by its folder for all others."""
    folder, *rest = name.split(".")
    return rest[0] if folder == "module_utils" else folder


def imports(path: Path) -> set[str]:
    """Return the files below plugins/ that one imports, by their dotted names."""
    found = set()
    here = (*BASE.strip(".").split("."), *path.parent.relative_to(PLUGINS).parts)
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.ImportFrom):
            continue
        above = here[: len(here) + 1 - node.level] if node.level else ()
        place = ".".join([*above, *([node.module] if node.module else [])])
        if place.startswith(BASE):
            base = place[len(BASE) :]
            for alias in node.names:
                inner = PLUGINS / base.replace(".", "/") / f"{alias.name}.py"
                found.add(f"{base}.{alias.name}" if inner.exists() else base)
    return found


def graph() -> dict[str, set[str]]:
    files = [path for path in PLUGINS.rglob("*.py") if path.parent.name != "doc_fragments"]
    return {".".join(path.relative_to(PLUGINS).with_suffix("").parts): imports(path) for path in files}


GRAPH = graph()


def test_module_utils_are_packages_only():
    assert not [path.name for path in (PLUGINS / "module_utils").iterdir() if path.is_file()]
    assert {package_of(name) for name in GRAPH} == set(HEIGHT)


@pytest.mark.parametrize("name", sorted(GRAPH))
def test_imports_go_down(name):
    package = package_of(name)
    wrong = [
        target
        for target in GRAPH[name]
        if package_of(target) != package and HEIGHT[package_of(target)] >= HEIGHT[package]
    ]
    assert not wrong, f"{name} is of layer {HEIGHT[package]} and imports {wrong}"


@pytest.mark.parametrize("name", sorted(name for name in GRAPH if package_of(name) in ON_A_HOST))
def test_modules_import_nothing_of_the_controller(name):
    seen, left = set(), [name]
    while left:
        for target in GRAPH.get(left.pop(), set()) - seen:
            seen.add(target)
            left.append(target)
    assert not [target for target in seen if package_of(target) == "plugin_utils"]


def test_no_imports_go_round_in_a_circle():
    list(graphlib.TopologicalSorter(GRAPH).static_order())


def test_files_are_named_by_their_subject():
    """A package's name is not repeated in its files, and no file is private beside others: the package is."""
    odd = [name for name in GRAPH if re.fullmatch(r"module_utils\.(_\w+)\.(_\w+|\1_\w+)", name)]
    assert not odd
