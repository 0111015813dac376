# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This module util is PRIVATE to the collection.

"""What a sync does to a folder, on either side of it: list it, compare files by their content, put files in place.

The very text of this file is sent to a machine and run there, so it stands on Python alone.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

IGNORE_FILE = ".labignore"
STAGING = ".desi-lab-sync"
NEVER = (".bucket", STAGING)
USUAL = (".ipynb_checkpoints/", "__pycache__/", ".Trash-*/", "*.nbi", "*.nbc", ".DS_Store")
"""What nobody misses. Whoever does writes it with an exclamation mark into his own file."""


class Rule(NamedTuple):
    """A line of a file of patterns."""

    pattern: re.Pattern[str]
    folders_only: bool
    ignores: bool


def rule_of(line: str) -> Rule | None:
    """Read a line as git does; None where it says nothing."""
    text = line.rstrip("\r\n")
    text = text if text.endswith("\\ ") else text.rstrip(" ")
    if not text or text.startswith("#"):
        return None
    ignores = not text.startswith("!")
    text = text if ignores else text[1:]
    folders_only, text = text.endswith("/"), text.rstrip("/")
    if not text:
        return None
    anywhere = "" if "/" in text else "(?:.*/)?"
    try:
        return Rule(re.compile(anywhere + _expression(text.lstrip("/")), re.DOTALL), folders_only, ignores)
    except re.error:
        return None


def _expression(text: str) -> str:
    found = re.compile(r"\*\*/|/\*\*$|\*+|\?|\[[!^]?\]?[^\]]*\]|\\.|.", re.DOTALL)
    meanings = {"**/": "(?:.*/)?", "/**": "/.*", "?": "[^/]"}
    said = []
    for word in found.findall(text):
        if word in meanings:
            said.append(meanings[word])
        elif word.startswith("*"):
            said.append("[^/]*")
        elif word.startswith("[") and len(word) > 2:
            said.append("[" + ("^" if word[1] in "!^" else "") + word[1:-1].lstrip("!^").replace("\\", "\\\\") + "]")
        else:
            said.append(re.escape(word[1:] if word.startswith("\\") and len(word) > 1 else word))
    return "".join(said)


def rules_of(lines: list[str]) -> list[Rule]:
    """Return the rules, those of everybody first."""
    return [rule for rule in map(rule_of, [*USUAL, *lines]) if rule]


def is_ignored(path: str, is_folder: bool, rules: list[Rule]) -> bool:
    """Return whether a path is left out; the last rule that speaks of it holds."""
    said = [rule.ignores for rule in rules if (is_folder or not rule.folders_only) and rule.pattern.fullmatch(path)]
    return bool(said) and said[-1]


def own_lines(folder: Path) -> list[str]:
    """Return the patterns that the folder has itself."""
    try:
        return (folder / IGNORE_FILE).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


def entry_of(path: Path) -> list[Any] | None:
    """Return what a file is known by: kind, size, time, and where a link leads. None where there is no file."""
    try:
        about = path.lstat()
        if path.is_symlink():
            return ["link", 0, about.st_mtime_ns, str(path.readlink())]
    except (FileNotFoundError, NotADirectoryError):
        return None
    return ["file", about.st_size, about.st_mtime_ns, ""] if path.is_file() else None


def is_there(path: Path) -> bool:
    """Return whether there is anything of that name, be it a link that leads nowhere."""
    return path.is_symlink() or path.exists()


def listing(folder: Path, rules: list[Rule]) -> dict[str, list[Any]]:
    """Return every file and link below a folder that is not left out, by its path there."""
    return dict(_walk(folder, "", rules, folder.stat().st_dev))


def _walk(folder: Path, below: str, rules: list[Rule], device: int) -> Iterator[tuple[str, list[Any]]]:
    with os.scandir(folder / below) as found:
        items = sorted(found, key=lambda item: item.name)
    for item in items:
        path = f"{below}/{item.name}" if below else item.name
        is_folder = item.is_dir(follow_symlinks=False)
        if item.name in NEVER or is_ignored(path, is_folder, rules):
            continue
        if not is_folder:
            entry = entry_of(Path(item.path))
            # A link into the mount of a bucket is a part of the mount.
            if entry and entry[3].split("/")[0] not in NEVER:
                yield path, entry
        elif item.stat(follow_symlinks=False).st_dev == device:
            yield from _walk(folder, path, rules, device)


def digests(folder: Path, paths: list[str]) -> dict[str, str]:
    """Return hashes of files."""
    found = {}
    for path in paths:
        whole = hashlib.sha256()
        with (folder / path).open("rb") as file:
            for block in iter(lambda: file.read(1 << 20), b""):
                whole.update(block)
        found[path] = whole.hexdigest()
    return found


def settle(folder: Path, steps: list[dict[str, Any]], owner: list[int] | None) -> dict[str, Any]:
    """Do what was decided to a folder; whatever has changed since stays as it is, and both are kept.

    Returns the entries of what was put in place, and what had changed meanwhile.
    """
    entries, changed = {}, []
    for step in steps:
        path, expected = folder / step["path"], step["expected"]
        untouched = entry_of(path) == expected and not (expected is None and is_there(path))
        if not untouched:
            changed.append(step["path"])
        if step["do"] == "place":
            target = step["path"] if untouched else free_name(folder, step["beside"])
            if _place(folder, step["staged"], target, owner):
                entries[target] = entry_of(folder / target)
        elif step["do"] == "aside" and untouched:
            target = free_name(folder, step["to"])
            path.rename(folder / target)
            entries[target] = entry_of(folder / target)
        elif step["do"] == "remove" and untouched:
            path.unlink()
            _remove_empty(folder, path.parent)
    shutil.rmtree(folder / STAGING, ignore_errors=True)
    return {"entries": entries, "changed": changed}


def free_name(folder: Path, name: str) -> str:
    """Return a name that nothing has yet."""
    number, free = 1, name
    while is_there(folder / free):
        number += 1
        free = f"{name}-{number}"
    return free


def _place(folder: Path, staged: str, target: str, owner: list[int] | None) -> bool:
    source = folder / STAGING / staged
    # It may have gone where it came from, between being listed and being copied.
    if not is_there(source):
        return False
    made = folder
    for part in Path(target).parent.parts:
        made = made / part
        if made.is_symlink():
            raise OSError(f"{made} is a link")
        if not made.is_dir():
            made.mkdir()
            _give(made, owner)
    _give(source, owner)
    source.replace(folder / target)
    return True


def _give(path: Path, owner: list[int] | None) -> None:
    if owner and os.geteuid() == 0:
        os.chown(path, *owner, follow_symlinks=False)


def _remove_empty(folder: Path, emptied: Path) -> None:
    while emptied != folder:
        try:
            emptied.rmdir()
        except OSError:
            return
        emptied = emptied.parent


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Do what is asked for."""
    folder = Path(request["folder"]).expanduser()
    if request["do"] == "list":
        if not folder.is_dir():
            return {"lines": [], "files": {}, "absent": True}
        own = own_lines(folder)
        return {"lines": own, "files": listing(folder, rules_of([*request["lines"], *own]))}
    if request["do"] == "digests":
        return {"digests": digests(folder, request["paths"])}
    return settle(folder, request["steps"], request["owner"])


def main() -> None:
    """Answer whoever asks on standard input."""
    try:
        said = answer(json.load(sys.stdin))
    except OSError as error:
        said = {"trouble": f"{error.strerror or error}: {error.filename}" if error.filename else str(error)}
    json.dump(said, sys.stdout)
