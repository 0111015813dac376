"""What every test of the whole command needs: a way to run it, and a look at what it leaves behind."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import run_counts

ROOT = Path(__file__).parents[2]
LABEL = "desi.lab.name"
WHOLE = [str(Path(sys.executable).with_name("ansible-playbook"))]
# Modules for this computer run in the worker of their task (quick_play.py). The other files show whole commands.
PLAYED = [sys.executable, str(ROOT / "tests/harness/quick_play.py"), "--alone"]
QUICK = ("test_local_life", "test_refusals", "test_where")


class Program:
    """What runs playbooks for the tests of a file."""

    words = WHOLE


@pytest.fixture(scope="module", autouse=True)
def program(request: pytest.FixtureRequest):
    """Choose what runs playbooks."""
    Program.words = PLAYED if request.module.__name__ in QUICK else WHOLE
    yield
    Program.words = WHOLE


def lab_command(verb: str, *settings: str, cwd: Path, **environment: str) -> tuple[list[str], dict[str, str]]:
    """Return the command that ``./lab VERB`` comes to, and its environment."""
    command = [*Program.words, str(ROOT / "playbooks" / f"{verb}.yml")]
    for setting in settings:
        command += [setting] if setting.startswith("-") else ["-e", setting]
    known = {**os.environ, "PWD": str(cwd), "COLUMNS": "1000", "NO_COLOR": "1", **environment}
    known |= {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections")}
    return command, known


def run_lab(
    verb: str, *settings: str, cwd: Path, counts: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a verb as ``./lab`` does, and return what a person would see; with a file, count in it what the run does."""
    command, known = lab_command(verb, *settings, cwd=cwd, **environment)
    return subprocess.run(
        run_counts.counted(counts, [*WHOLE, *command[len(Program.words) :]]) if counts else command,
        cwd=cwd,
        env=known,
        stdin=subprocess.DEVNULL,
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )


def docker(*arguments: str) -> str:
    """Run the docker command and return what it prints."""
    return subprocess.run(["docker", *arguments], check=True, capture_output=True, text=True).stdout


@pytest.fixture
def free_port() -> int:
    """Return a port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def lab_name(request: pytest.FixtureRequest):
    """Return a name for a lab of this test alone, and take away what the test leaves of it."""
    name = f"refusal-{os.getpid()}"
    yield name
    for container in docker("ps", "-aq", "--filter", f"label={LABEL}={name}").split():
        docker("rm", "--force", container)
    for kind in ("network", "volume"):
        for left in docker(kind, "ls", "-q", "--filter", f"label={LABEL}={name}").split():
            docker(kind, "rm", left)


@pytest.fixture
def release_folder(tmp_path: Path) -> Path:
    """Return a folder that has the shape of the release edr, with nothing in it."""
    folder = tmp_path / "data"
    (folder / "edr" / "spectro" / "redux" / "fuji").mkdir(parents=True)
    return folder
