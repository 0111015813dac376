# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import os
import signal
import subprocess
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from ansible_collections.desi.lab.plugins.plugin_utils import _watched


class Remote:
    """A connection to somewhere else, which is here."""

    transport = "ssh"
    _shell = SimpleNamespace(tmpdir="/nowhere")

    def exec_command(self, command, sudoable=True):
        assert not sudoable
        done = subprocess.run(["sh", "-c", command], capture_output=True, check=False)
        return done.returncode, done.stdout, done.stderr


class Here(Remote):
    transport = "local"


@pytest.fixture
def told(monkeypatch):
    words, heard = [], threading.Event()

    def keep(_display, word):
        words.append(word)
        heard.set()

    monkeypatch.setattr(_watched, "display_progress", keep)
    monkeypatch.setattr(_watched, "SECONDS_BETWEEN_LOOKS", 0.02)
    return SimpleNamespace(words=words, heard=heard)


@pytest.mark.parametrize("connection", [Here, Remote])
def test_what_a_module_writes_while_it_works_is_told_once_with_the_name_of_the_task(told, connection):
    def work(module_args, task_vars):
        path = Path(module_args["progress"])
        path.write_text("step 1 of 2: RUN\n true")
        assert told.heard.wait(20)
        path.unlink()
        return {"changed": True, "name": module_args["name"]}

    task = SimpleNamespace(args={"name": "lab:1"}, async_val=0, check_mode=False, get_name=lambda: "image : Build it")
    plugin = _watched.WatchedModule(task, connection(), play_context=None, loader=None, templar=None)
    plugin._execute_module = work
    assert plugin.run(task_vars={}) == {"changed": True, "name": "lab:1"}
    assert told.words == ["Build it: step 1 of 2: RUN  true"]


@pytest.mark.parametrize(("connection", "quiet"), [(Here, 30), (Remote, 900)])
def test_module_that_ends_alone_is_told_that_somebody_waits_and_with_whose_patience(told, connection, quiet):
    class Plugin(_watched.WatchedModule):
        ends_alone = True

    def work(module_args, task_vars):
        path = Path(module_args["progress"])
        wanted = path.with_name(f"{path.name}.wanted")
        wanted.touch()
        os.utime(wanted, (0, 0))
        path.write_text("half")
        assert told.heard.wait(20)
        told.touched = wanted.stat().st_mtime > 0
        path.unlink()
        wanted.unlink()
        return {"quiet": module_args["quiet"]}

    task = SimpleNamespace(args={}, async_val=0, check_mode=False, get_name=lambda: "Fetch")
    plugin = Plugin(task, connection(), play_context=None, loader=None, templar=None)
    plugin._execute_module = work
    assert plugin.run(task_vars={}) == {"quiet": quiet}
    assert (told.words, told.touched) == (["Fetch: half"], True)


def test_module_that_raises_ends_its_watcher(told):
    def work(module_args, task_vars):
        raise OSError("broken")

    task = SimpleNamespace(args={}, async_val=0, check_mode=False, get_name=lambda: "Build it")
    plugin = _watched.WatchedModule(task, Here(), play_context=None, loader=None, templar=None)
    plugin._execute_module = work
    before = threading.active_count()
    with pytest.raises(OSError, match="broken"):
        plugin.run(task_vars={})
    assert threading.active_count() == before


def test_a_signal_is_left_to_the_main_thread(told):
    blocked = []

    def work(module_args, task_vars):
        Path(module_args["progress"]).write_text("step")
        assert told.heard.wait(20)
        return {}

    class Plugin(_watched.WatchedModule):
        def _follow(self, path):
            blocked.append(signal.pthread_sigmask(signal.SIG_BLOCK, ()))
            told.heard.set()

    task = SimpleNamespace(args={}, async_val=0, check_mode=False, get_name=lambda: "Build")
    plugin = Plugin(task, Here(), play_context=None, loader=None, templar=None)
    plugin._execute_module = work
    plugin.run(task_vars={})
    assert {signal.SIGINT, signal.SIGTERM} <= blocked[0]
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())
