# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The program that runs a notebook in a lab, as the user of the lab's server and in its environment.

Its text is sent to Python's standard input in the container, followed by one line of JSON that says what to run. It
prints one line of JSON as each cell begins and ends, and one at the end of all. When its standard input ends, whoever
called it is gone: it ends the kernel and itself. It uses nothing but what each image with Jupyter has.

With the word session it becomes a shell or a command instead, in the same environment: ./lab shell.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

SERVERS = {"jupyter", "jupyter-lab", "jupyterlab", "jupyter-server", "jupyter_server", "jupyter-notebook", "notebook"}
SERVERS |= {"jupyter-labhub", "jupyterhub-singleuser"}
# nbclient knows this tag, too, and the one of cells that may raise.
SKIPPED = "skip-execution"
# In the lab, where a notebook runs that is not in its folder.
RUNS = "runs"
MARK = "desi_lab_run"
LONGEST_TITLE = 200
MOST_NAMES = 1000
PR_SET_NO_NEW_PRIVS = 38
PROC = Path("/proc")


class Refused(Exception):
    """Why a notebook cannot run in this lab, in one word."""


def is_server(words: list[str]) -> bool:
    """Tell whether a command line is that of a Jupyter server."""
    names = [Path(word).name for word in words if not word.startswith("-")][:2]
    return bool(names) and any(name in SERVERS for name in (names if names[0].startswith("python") else names[:1]))


def find_server(proc: Path = PROC) -> int:
    """Return the number of the server's process, or 0."""
    for number in sorted(int(entry.name) for entry in proc.iterdir() if entry.name.isdigit()):
        with contextlib.suppress(OSError):
            if is_server((proc / f"{number}/cmdline").read_text(errors="replace").split("\0")):
                return number
    return 0


def rights_of(status: str) -> tuple[int, int, list[int], bool]:
    """Return UID, GID, further groups, and whether a process may gain no rights, from its status in /proc."""
    fields = {name: words.split() for name, _colon, words in (line.partition(":") for line in status.splitlines())}
    groups = [int(word) for word in fields.get("Groups", [])]
    return int(fields["Uid"][1]), int(fields["Gid"][1]), groups, fields.get("NoNewPrivs") == ["1"]


def become_as(number: int) -> None:
    """Take on the user, the rights and the environment of a process."""
    uid, gid, groups, is_bound = rights_of((PROC / f"{number}/status").read_text(errors="replace"))
    if is_bound:
        ctypes.CDLL(None).prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if uid != os.geteuid():
        os.setgroups(groups)
        os.setgid(gid)
        os.setuid(uid)
    with contextlib.suppress(OSError):
        text = (PROC / f"{number}/environ").read_text(errors="surrogateescape")
        found = dict(entry.split("=", 1) for entry in text.split("\0") if "=" in entry)
        os.environ.clear()
        os.environ.update(found)


def root_of(number: int) -> Path:
    """Return the directory that the server shows."""
    from jupyter_core.paths import jupyter_runtime_dir

    with contextlib.suppress(OSError, ValueError, KeyError):
        return Path(json.loads(Path(jupyter_runtime_dir(), f"jpserver-{number}.json").read_text())["root_dir"])
    with contextlib.suppress(OSError):
        return (PROC / f"{number}/cwd").readlink() if number else Path.cwd()
    return Path.cwd()


def place_of(root: Path, inside: str, name: str) -> tuple[Path, bool]:
    """Return where a notebook runs, and whether it lies there itself."""
    if inside and (root / inside).is_file():
        return root / inside, True
    for home in (root, *sorted(path for path in root.iterdir() if path.is_dir())):
        if os.access(home, os.W_OK | os.X_OK):
            (home / RUNS).mkdir(exist_ok=True)
            return home / RUNS / name, False
    raise Refused("folder")


def mark_of(notebook: dict[str, Any], source: str) -> str:
    """Return what marks a notebook as the outputs of one, unchanged since."""
    return hashlib.sha256(json.dumps([source, notebook], sort_keys=True).encode()).hexdigest()


def marked(text: str, source: str) -> str:
    """Return the outputs of a notebook with their mark."""
    notebook = json.loads(text)
    # It may have been such outputs itself.
    notebook["metadata"].pop(MARK, None)
    notebook["metadata"][MARK] = mark_of(notebook, source)
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def is_marked(text: str, source: str) -> bool:
    """Tell whether a file has the outputs of a notebook and nothing of anybody's, so that it may be replaced."""
    try:
        found = json.loads(text)
        return bool(found["metadata"].pop(MARK) == mark_of(found, source))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return False


def further_names(name: str) -> Iterator[str]:
    """Return a name, and those after it: ``n.ipynb``, ``n-2.ipynb``, ``n-3.ipynb``."""
    stem, dot, suffix = name.rpartition(".")
    yield name
    yield from (f"{stem}-{number}{dot}{suffix}" for number in range(2, MOST_NAMES))


def keep(text: str, path: Path, source: str) -> str:
    """Write the outputs of a notebook over those of its last run, and over nothing else: then under a further name.

    Return where; empty if that is not possible. Whoever asked for the run gets them all the same.
    """
    for name in further_names(path.name):
        place = path.with_name(name)
        try:
            if not is_marked(place.read_text(encoding="utf-8", errors="surrogatepass"), source):
                continue
        except FileNotFoundError:
            pass
        except (OSError, ValueError):
            continue
        try:
            place.write_text(marked(text, source), encoding="utf-8", errors="surrogatepass")
        except OSError:
            break
        return str(place)
    return ""


def kernel_for(metadata: dict[str, Any], specs: dict[str, Any], default: str = "python3") -> str:
    """Return the kernel that runs a notebook: the one it names, else the default one if its language fits."""
    named = metadata.get("kernelspec", {})
    if named.get("name") in specs:
        return str(named["name"])
    language = metadata.get("language_info", {}).get("name") or named.get("language") or "python"
    spoken = specs.get(default, {}).get("spec", {}).get("language", "")
    if spoken.lower() != language.lower():
        raise Refused("kernel")
    return default


def cells_to_run(notebook: dict[str, Any]) -> list[tuple[int, dict[str, Any]]]:
    """Return the cells that run, with their places: code that is not empty and is not tagged to be left out."""
    return [
        (place, cell)
        for place, cell in enumerate(notebook["cells"])
        if cell["cell_type"] == "code" and cell["source"].strip() and SKIPPED not in cell["metadata"].get("tags", ())
    ]


def title_of(source: str) -> str:
    """Return the first line that says something: a comment if a cell begins with one."""
    lines = [line.strip("# \t") for line in source.splitlines()]
    return next((line for line in lines if line), "")[:LONGEST_TITLE]


def say(**message: Any) -> None:  # noqa: ANN401 - what JSON has
    OUT.write(json.dumps(message) + "\n")
    OUT.flush()


def end_with_input(client: Any) -> NoReturn:  # noqa: ANN401 - nbclient's
    """End the kernel and this program when nobody is at the other end any more."""
    while os.read(0, 1 << 16):
        pass
    process = getattr(getattr(client.km, "provisioner", None), "process", None)
    if process is not None:
        with contextlib.suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
    os._exit(1)


def run(client: Any, notebook: dict[str, Any]) -> list[str] | None:  # noqa: ANN401 - nbclient's
    """Run the cells up to the first that fails; return its error as name, value and traceback, or nothing."""
    from nbclient.exceptions import CellExecutionError, DeadKernelError

    cells = cells_to_run(notebook)
    for number, (place, cell) in enumerate(cells, 1):
        say(cell=number, of=len(cells), title=title_of(cell["source"]))
        since, error = time.monotonic(), None
        try:
            client.execute_cell(cell, place)
        except DeadKernelError:
            error = ["", "", ""]
        except CellExecutionError:
            raised = next(each for each in reversed(cell["outputs"]) if each["output_type"] == "error")
            error = [raised["ename"], raised["evalue"], "\n".join(raised["traceback"])]
        say(cell=number, seconds=time.monotonic() - since, good=error is None)
        if error:
            return error
    return None


def main() -> None:
    order = json.loads(sys.stdin.buffer.readline())
    number = find_server()
    if not number and os.geteuid() == 0:
        # Whose notebook it is cannot be told, and root's it must not become.
        raise Refused("server")
    if number:
        become_as(number)
    try:
        import nbclient
        import nbformat
        from jupyter_client.kernelspec import KernelSpecManager
    except ImportError:
        raise Refused("nbclient") from None
    try:
        notebook = nbformat.reads(order["notebook"], as_version=4)
        for cell in notebook["cells"]:
            if cell["cell_type"] == "code":
                cell["outputs"], cell["execution_count"] = [], None
    except Exception:  # what its schema and its converters raise
        raise Refused("notebook") from None
    kernel = kernel_for(notebook["metadata"], KernelSpecManager().get_all_specs())
    path, is_own = place_of(root_of(number), order["inside"], Path(order["path"]).name)
    where = {"metadata": {"path": str(path.parent)}}
    client = nbclient.NotebookClient(notebook, timeout=None, kernel_name=kernel, resources=where, record_timing=False)
    threading.Thread(target=end_with_input, args=(client,), daemon=True).start()
    with client.setup_kernel():
        error = run(client, notebook)
    text = nbformat.writes(notebook) + "\n"
    say(notebook=text, error=error, copy="" if is_own else keep(text, path, order["path"]))


def session(folder: str, words: list[str]) -> NoReturn:
    """Become a shell, or a command, as the server's user and in its environment, in the folder where files are kept."""
    term, number = os.environ.get("TERM"), find_server()
    if not number and os.geteuid() == 0:
        sys.exit("No Jupyter server was found in the lab whose user this could run as.")
    if number:
        become_as(number)
    if term:
        os.environ["TERM"] = term
    os.chdir(folder if Path(folder).is_dir() else root_of(number))
    os.environ["PWD"] = str(Path.cwd())
    # Python ignores it, and whoever runs a pipeline counts on it.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    for command in [words] if words else (["bash"], ["sh"]):
        try:
            os.execvp(command[0], command)  # noqa: S606 - no shell is wanted
        except FileNotFoundError:
            continue
        except OSError as error:
            print(f"{command[0]}: {error.strerror}", file=sys.stderr)
            sys.exit(126)
    print(f"The lab has no command {words[0] if words else 'sh'}.", file=sys.stderr)
    sys.exit(127)


if __name__ == "__main__" and sys.argv[1:2] == ["session"]:
    session(sys.argv[2], sys.argv[3:])

if __name__ == "__main__":
    # What programs of the kernel print must not get in between.
    OUT = os.fdopen(os.dup(1), "w")
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
    try:
        main()
    except Refused as refused:
        say(refused=refused.args[0])
