# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files are written, renamed and removed by module_utils/_common/files.py, which follows no link that somebody laid.

Whoever needs to do it otherwise says here why nobody else can lay one there.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

ROOT = Path(__file__).parents[2]
HELPER = "plugins/module_utils/_common/files.py"
ON_PATHS = {
    *("hardlink_to", "lchmod", "mkdir", "rename", "replace", "rmdir", "symlink_to", "touch", "unlink"),
    *("chmod", "write_bytes", "write_text"),
}
OF_OS = {
    *("chmod", "chown", "lchown", "link", "makedirs", "mkdir", "mkfifo", "mknod", "remove", "removedirs", "rename"),
    *("renames", "replace", "rmdir", "symlink", "truncate", "unlink", "utime"),
}
TWO_PLACES = {"link", "rename", "replace"}
OF_SHUTIL = {"chown", "copy", "copy2", "copyfile", "copymode", "copystat", "copytree", "move", "rmtree"}
OF_TEMPFILE = {"mktemp"}
WRITING = ("O_CREAT", "O_RDWR", "O_TRUNC", "O_WRONLY", "O_APPEND")

RUN = "an empty directory of root's in /run or /var/lib, which only root can put anything into; what is not empty stays"
INSIDE = "in a lab's container, as the person who runs it, in what is theirs alone"
SAMPLE = "fills a new directory while an image is built, or in a container of its own"
EXCEPTIONS: dict[str, tuple[set[str], str]] = {
    "plugins/callback/steps.py": ({".rename"}, "gives a line on the screen another name"),
    "plugins/module_utils/_common/heartbeat.py": (
        {".unlink", "os.open"},
        "made with O_EXCL in a directory of Ansible's own, or in /tmp, where nobody else can replace it",
    ),
    "plugins/module_utils/_docker/progress.py": (
        {".unlink", "os.open"},
        "made with O_EXCL in a directory of Ansible's own, or in /tmp, where nobody else can replace it",
    ),
    "plugins/module_utils/_mount/cache.py": ({".rmdir"}, "removes a directory that is empty"),
    "plugins/module_utils/_mount/preflight.py": ({"os.open"}, "opens the device of FUSE"),
    "plugins/module_utils/_mount/programs.py": ({".rmdir"}, RUN),
    "plugins/module_utils/_mount/supervisors.py": (
        {".rmdir", ".unlink"},
        "its log, units and their environments, in /run and /etc, root's",
    ),
    "plugins/module_utils/_mount/state.py": ({".rmdir"}, RUN),
    "plugins/module_utils/_mount/users.py": ({".rmdir"}, RUN),
    "plugins/plugin_utils/_screen.py": ({"os.open"}, "opens the null device"),
    "plugins/plugin_utils/_json_document.py": ({"os.open"}, "opens the null device"),
    "plugins/plugin_utils/_front_door.py": ({".mkdir"}, "makes what Ansible makes next, as the same user"),
    "plugins/module_utils/_ssh/tunnel.py": (
        {".mkdir", ".open", ".rmdir", ".unlink", "open", "os.open", "os.truncate"},
        "in the directory of a lab in ~/.config/desi-lab, which is the person's own, with O_EXCL",
    ),
    "plugins/module_utils/_ssh/tunnel_keeper.py": (
        {"os.unlink"},
        "its socket, in a directory that nobody else may enter",
    ),
    "plugins/module_utils/_jupyter/notebook.py": (
        {".open"},
        "files that ProgressFile made with O_EXCL in /tmp, where nobody else can replace them",
    ),
    "plugins/plugin_utils/_notebook_program.py": ({".mkdir", ".open", ".write_text"}, INSIDE),
    "plugins/plugin_utils/_watched.py": ({"os.utime"}, "the file of a module on this computer, under a name of ours"),
    "plugins/modules/directory_links.py": ({".rmdir"}, "removes a directory that is empty"),
    "roles/autostop/files/watch/desi_watch/state.py": (
        {".replace", ".unlink", "os.open"},
        "in /var/lib/desi-lab/watch, which systemd makes for root alone; it is sent without the helper",
    ),
    "roles/autostop/files/worker/watch_worker.py": (
        {".write_text"},
        "in /run/desi-lab-watch, which systemd makes for root alone",
    ),
    "roles/autostop/files/watch/desi_watch/notification.py": ({"os.open"}, "opens terminals, which the kernel makes"),
    "roles/data/files/show_entries.py": (
        {".symlink_to", ".unlink"},
        "in the container that mounts, in a directory of root's that labs see read-only",
    ),
    "roles/image/files/embedded/lab/desi_lab/home.py": ({".mkdir", ".write_text", "shutil.copyfile"}, INSIDE),
    "roles/image/files/embedded/lab/desi_lab/person.py": ({".write_text"}, INSIDE),
    "roles/image/files/embedded/lab/desi_lab/shims.py": ({".mkdir", ".replace", ".symlink_to", ".unlink"}, INSIDE),
    "roles/image/files/embedded/lab/desi_lab/start.py": ({".unlink", ".write_text", "os.open"}, INSIDE),
    "roles/sample/files/desi_sample/fitsfile.py": ({".mkdir", ".open", ".unlink"}, SAMPLE),
    "roles/sample/files/desi_sample/lists.py": ({".mkdir", ".write_text"}, SAMPLE),
    "roles/sample/files/desi_sample/texts.py": ({".mkdir", ".write_text"}, SAMPLE),
    "roles/sample/files/desi_sample/tree.py": ({"os.utime"}, SAMPLE),
}


class Call(NamedTuple):
    """A call that is forbidden outside of the helper."""

    line: int
    name: str


def calls_in(tree: ast.AST) -> list[Call]:
    """Return the calls that write, rename or remove by a path."""
    named = {
        target.id: node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    found = []
    for node in ast.walk(tree):
        name = forbidden(node, named) if isinstance(node, ast.Call) else ""
        if name:
            found.append(Call(node.lineno, name))
    return found


def forbidden(node: ast.Call, named: dict[str, ast.expr]) -> str:
    """Return the name of what is called, if it is forbidden."""
    given = {word.arg for word in node.keywords}
    if isinstance(node.func, ast.Name):
        return "open" if node.func.id == "open" and writes(node, 1) else ""
    if not isinstance(node.func, ast.Attribute):
        return ""
    name, of = node.func.attr, node.func.value.id if isinstance(node.func.value, ast.Name) else ""
    if of == "os":
        if name == "open":
            flags = written_out(node.args[1], named) if len(node.args) > 1 else ""
            return "os.open" if "dir_fd" not in given and any(word in flags for word in WRITING) else ""
        needed = {"src_dir_fd", "dst_dir_fd"} if name in TWO_PLACES else {"dir_fd"}
        # A descriptor in place of a path has been opened by somebody, which was looked at there.
        return f"os.{name}" if name in OF_OS and not needed <= given else ""
    if of == "shutil":
        return f"shutil.{name}" if name in OF_SHUTIL else ""
    if of == "tempfile":
        return f"tempfile.{name}" if name in OF_TEMPFILE else ""
    if name == "open":
        return ".open" if "fileobj" not in given and writes(node, 0) else ""
    if name == "replace" and (len(node.args) != 1 or given or of in ("dataclasses", "copy")):
        # That of a text, or of a time.
        return ""
    return f".{name}" if name in ON_PATHS else ""


def writes(node: ast.Call, place: int) -> bool:
    """Return whether a call of open() asks to write."""
    modes = [word.value for word in node.keywords if word.arg == "mode"] or node.args[place : place + 1]
    return any(isinstance(mode, ast.Constant) and set("wax+") & set(str(mode.value)) for mode in modes)


def written_out(flags: ast.expr, named: dict[str, ast.expr]) -> str:
    """Return an expression with the names in it replaced by what they stand for."""
    text = ast.unparse(flags)
    inside = [each.id for each in ast.walk(flags) if isinstance(each, ast.Name) and each.id in named]
    return " ".join([text, *(ast.unparse(named[each]) for each in inside)])


def sources() -> list[Path]:
    """Return all Python that is run for people: plugins, what roles bring, and what lies beside them without a name."""
    found = [path for top in ("plugins", "roles", "playbooks") for path in (ROOT / top).rglob("*") if path.is_file()]
    return sorted(path for path in found if path.suffix == ".py" or (not path.suffix and is_python(path)))


def is_python(path: Path) -> bool:
    """Return whether a file is run by Python."""
    with path.open("rb") as file:
        first = file.readline(200)
    return first.startswith(b"#!") and b"python" in first


@pytest.mark.security("C2", "H5", "H6")
def test_nothing_is_written_by_a_path_but_by_the_helper_or_with_a_reason():
    wrong, used = [], set()
    for path in sources():
        name = str(path.relative_to(ROOT))
        allowed, _why = EXCEPTIONS.get(name, (set(), ""))
        if name == HELPER:
            continue
        for call in calls_in(ast.parse(path.read_text())):
            if call.name in allowed:
                used.add((name, call.name))
            else:
                wrong.append(f"{name}:{call.line}: {call.name}")
    assert not wrong, "Use module_utils/_common/files.py:\n" + "\n".join(wrong)
    # By this it is known, too, that each of these calls is seen.
    stale = {(name, call) for name, (calls, _why) in EXCEPTIONS.items() for call in calls} - used
    assert not stale, f"These exceptions are needed no more: {sorted(stale)}"


# Whatever is in a directory goes with it. So who removes one says how it is known to be ours.
RECURSIVE = {
    "plugins/module_utils/_common/browser.py": "a page of ours, a file",
    "plugins/module_utils/_docker/link_local.py": "a program of ours, a file",
    "plugins/module_utils/_mount/cache.py": "what mounts keep in a directory that has the mark made for it",
    "plugins/module_utils/_mount/programs.py": "by names of ours in our directory, elsewhere by what is in the file",
    "plugins/modules/text_files.py": "what a role names; those that do are in REMOVED",
    "plugins/module_utils/_ssh/first_contact.py": "keys and records of ours, files in the folder of a lab",
    "plugins/module_utils/_sync/agent.py": "what a sync staged in its directory of ours",
    "plugins/module_utils/_sync/staging.py": "the directory that a sync made",
}
REMOVED = {
    "roles/docker/tasks/stop.yml": ({"{{ __docker_pid_file }}"}, "a file of ours in /run"),
    "roles/ec2/tasks/absent.yml": (
        {"{{ [ec2_folder] | product(__ec2_files if __ec2_has_files else ['hold']) | map('join', '/') }}"},
        "files of a lab on EC2, by their names in its folder",
    ),
    "roles/ec2/tasks/workers.yml": (
        {"{{ __ec2_workers_folder }}/{{ item }}"},
        "a host key that this run made and has copied",
    ),
    "roles/ec2/tasks/workers_absent.yml": (
        {"{{ __ec2_workers_folder }}/{{ item }}"},
        "what is known of workers by the ids that this run has ended",
    ),
    "playbooks/down.yml": ({"{{ lab.config }}/local/{{ lab.name }}"}, "the lock that this run took"),
    "roles/ec2/tasks/main.yml": ({"{{ ec2_folder }}/hold"}, "the lock that this run took"),
    "roles/image/tasks/root.yml": ({"{{ __image_maker_directory.path }}"}, "made by this run, with a name of its own"),
    "roles/tls/tasks/remove_proxy.yml": ({"{{ item }}"}, "a unit of ours, and the directory that it reads"),
}


def removed_by(tasks: list[dict]) -> list[str]:
    """Return what tasks remove from the disk, with all that is in it."""
    found = []
    for task in tasks:
        for block in ("block", "rescue", "always"):
            found += removed_by(task.get(block) or [])
        for name, given in task.items():
            if name.endswith("file") and isinstance(given, dict) and given.get("state") == "absent":
                found.append(str(given["path"]))
            if name.endswith("text_files") and "absent" in given:
                found += [given["absent"]] if isinstance(given["absent"], str) else given["absent"]
            if name.endswith((".command", ".shell")):
                found += re.findall(r"\brm\W+-\w*r.*", str(given))
    return found


@pytest.mark.security("G1")
def test_only_what_is_known_to_be_ours_is_removed_with_what_is_in_it():
    callers = {
        str(path.relative_to(ROOT))
        for path in sources()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "remove_below"
    }
    assert callers == RECURSIVE.keys()
    found = {}
    for path in [*ROOT.glob("roles/*/tasks/*.yml"), *ROOT.glob("playbooks/**/*.yml")]:
        tasks = [part for play in yaml.safe_load(path.read_text()) for part in (play.get("tasks") or [play])]
        if removed_by(tasks):
            found[str(path.relative_to(ROOT))] = set(removed_by(tasks))
    assert found == {name: places for name, (places, _why) in REMOVED.items()}
