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
from pathlib import Path
from typing import Any, Iterator, NamedTuple, Optional

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


def rule_of(line: str) -> Optional[Rule]:
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


def own_lines(folder: str) -> list[str]:
    """Return the patterns that the folder has itself."""
    try:
        return Path(folder, IGNORE_FILE).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


def entry_of(path: str) -> Optional[list[Any]]:
    """Return what a file is known by: kind, size, time, and where a link leads. None where there is no file."""
    try:
        about = os.lstat(path)
        if os.path.islink(path):
            return ["link", 0, about.st_mtime_ns, os.readlink(path)]
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not os.path.isfile(path):
        return None
    return ["file", about.st_size, about.st_mtime_ns, ""]


def listing(folder: str, rules: list[Rule]) -> dict[str, list[Any]]:
    """Return every file and link below a folder that is not left out, by its path there."""
    return dict(_walk(folder, "", rules, os.stat(folder).st_dev))


def _walk(folder: str, below: str, rules: list[Rule], device: int) -> Iterator[tuple[str, list[Any]]]:
    with os.scandir(os.path.join(folder, below)) as found:
        items = sorted(found, key=lambda item: item.name)
    for item in items:
        path = f"{below}/{item.name}" if below else item.name
        is_folder = item.is_dir(follow_symlinks=False)
        if item.name in NEVER or is_ignored(path, is_folder, rules):
            continue
        if not is_folder:
            entry = entry_of(item.path)
            # A link into the mount of a bucket is a part of the mount.
            if entry and entry[3].split("/")[0] not in NEVER:
                yield path, entry
        elif item.stat(follow_symlinks=False).st_dev == device:
            yield from _walk(folder, path, rules, device)


def digests(folder: str, paths: list[str]) -> dict[str, str]:
    """Return hashes of files."""
    found = {}
    for path in paths:
        whole = hashlib.sha256()
        with open(os.path.join(folder, path), "rb") as file:
            for block in iter(lambda: file.read(1 << 20), b""):
                whole.update(block)
        found[path] = whole.hexdigest()
    return found


def settle(folder: str, steps: list[dict[str, Any]], owner: Optional[list[int]]) -> dict[str, Any]:
    """Do what was decided to a folder; whatever has changed since stays as it is, and both are kept.

    Returns the entries of what was put in place, and what had changed meanwhile.
    """
    entries, changed = {}, []
    for step in steps:
        path = os.path.join(folder, step["path"])
        untouched = entry_of(path) == step["expected"] and not (step["expected"] is None and os.path.lexists(path))
        if step["do"] == "place":
            target = step["path"] if untouched else free_name(folder, step["beside"])
            if not untouched:
                changed.append(step["path"])
            if _place(folder, step["staged"], target, owner):
                entries[target] = entry_of(os.path.join(folder, target))
        elif not untouched:
            changed.append(step["path"])
        elif step["do"] == "aside":
            target = free_name(folder, step["to"])
            os.rename(path, os.path.join(folder, target))
            entries[target] = entry_of(os.path.join(folder, target))
        else:
            os.unlink(path)
            _remove_empty(folder, os.path.dirname(step["path"]))
    shutil.rmtree(os.path.join(folder, STAGING), ignore_errors=True)
    return {"entries": entries, "changed": changed}


def free_name(folder: str, name: str) -> str:
    """Return a name that nothing has yet."""
    number, free = 1, name
    while os.path.lexists(os.path.join(folder, free)):
        number += 1
        free = f"{name}-{number}"
    return free


def _place(folder: str, staged: str, target: str, owner: Optional[list[int]]) -> bool:
    source = os.path.join(folder, STAGING, staged)
    # It may have gone where it came from, between being listed and being copied.
    if not os.path.lexists(source):
        return False
    made = folder
    for part in Path(target).parent.parts:
        made = os.path.join(made, part)
        if os.path.islink(made):
            raise OSError(f"{made} is a link")
        if not os.path.isdir(made):
            os.mkdir(made)
            _give(made, owner)
    _give(source, owner)
    os.replace(source, os.path.join(folder, target))
    return True


def _give(path: str, owner: Optional[list[int]]) -> None:
    if owner and os.geteuid() == 0:
        os.chown(path, *owner, follow_symlinks=False)


def _remove_empty(folder: str, below: str) -> None:
    while below:
        try:
            os.rmdir(os.path.join(folder, below))
        except OSError:
            return
        below = os.path.dirname(below)


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Do what is asked for."""
    folder = os.path.expanduser(request["folder"])
    if request["do"] == "list":
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
