# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import io
import os
import re
import threading

import pytest

from ansible_collections.desi.lab.plugins.plugin_utils._screen import Screen, Voice, share
from ansible_collections.desi.lab.plugins.plugin_utils._terminal import Paint

CLEAR = "\r\x1b[2K"


class Ticking(io.StringIO):
    """A stream that tells when the clock has been drawn often enough."""

    def __init__(self, draws):
        super().__init__()
        self.left = draws
        self.enough = threading.Event()

    def write(self, text):
        if "…" in text:
            self.left -= 1
            if self.left <= 0:
                self.enough.set()
        return super().write(text)


class Display:
    def __init__(self):
        self.calls = []

    def display(self, msg, color=None, stderr=False, screen_only=False, log_only=False, caplevel=None):
        self.calls.append((msg, stderr, log_only))


def test_clock_is_drawn_again_and_again_and_cleared():
    stream = Ticking(draws=4)
    screen = Screen(stream, clock=True, tick=0.001)
    screen.run("Wait")
    assert stream.enough.wait(10)
    screen.close()
    text = stream.getvalue()
    assert text.count(CLEAR + "  … Wait") >= 4
    assert text.endswith(CLEAR)
    assert "desi.lab.clock" not in [thread.name for thread in threading.enumerate()]


def test_lines_that_stay_clear_the_clock_first():
    stream = io.StringIO()
    screen = Screen(stream, clock=True, tick=60)
    screen.run("Wait")
    screen.write("done")
    screen.close()
    assert stream.getvalue() == f"{CLEAR}  … Wait{CLEAR}done\n"


def test_another_name_does_not_reset_the_clock(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    stream = io.StringIO()
    screen = Screen(stream, clock=True, tick=60)
    screen.run("Wait")
    now[0] = 12.0
    screen.rename("Wait (try 2 of 9)")
    screen.close()
    assert "… Wait (try 2 of 9) 12 s" in stream.getvalue()


def test_without_a_clock_or_anything_under_way_only_lines_are_written():
    stream = io.StringIO()
    for clock in (True, False):
        screen = Screen(stream, clock=clock, tick=60)
        screen.rename("Wait")
        screen.close()
    screen = Screen(stream)
    screen.run("Wait")
    screen.rename("Still")
    screen.write_lines(["", "a", "", "", "b"])
    screen.close()
    assert stream.getvalue() == "a\n\nb\n"


def test_reader_who_left_does_not_end_the_run():
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as stream:
        screen = Screen(stream)
        screen.write("a")
        screen.write("b")


def test_width_follows_the_terminal_but_not_too_far(monkeypatch):
    screen = Screen(io.StringIO())
    for columns, width in (("60", 60), ("300", 100)):
        monkeypatch.setenv("COLUMNS", columns)
        assert screen.width == width


@pytest.fixture
def voice():
    def make(quiet=False):
        made = Voice(Screen(io.StringIO()), Screen(io.StringIO()), Paint(False), log=[].append, quiet=quiet)
        return made, made.screen._stream, made._errors._stream, made._log.__self__

    return make


def test_header_comes_with_the_first_line_of_its_play(voice):
    speaker, out, _err, _log = voice()
    speaker.header = "First"
    speaker.header = "Second"
    speaker.show(["a"])
    speaker.show(["b"])
    assert out.getvalue() == "Second\n\na\nb\n"


def test_secret_reaches_no_log(voice):
    speaker, out, _err, log = voice()
    speaker.show(["open"], secret=True)
    speaker.show(["\x1b[1mstep\x1b[0m"])
    assert out.getvalue() == "open\n\x1b[1mstep\x1b[0m\n"
    assert log == ["step"]


def test_quiet_voice_shouts_to_standard_error_alone(voice):
    speaker, out, err, log = voice(quiet=True)
    speaker.header = "Header"
    speaker.show(["step"])
    speaker.shout(["trouble"])
    assert (out.getvalue(), err.getvalue(), log) == ("", "trouble\n", ["trouble"])


def test_what_others_print_clears_the_clock_and_their_warnings_wait():
    stream, display = io.StringIO(), Display()
    screen = Screen(stream, clock=True, tick=60)
    warnings = share(display, screen)
    screen.run("Wait")
    display.display("[WARNING]: old", color="bright purple", stderr=True, caplevel=-2)
    display.display("[ERROR]: gone", stderr=True)
    display.display("for the log", log_only=True)
    screen.close()
    assert warnings == ["[WARNING]: old"]
    assert display.calls == [
        ("[WARNING]: old", True, True),
        ("[ERROR]: gone", True, False),
        ("for the log", False, True),
    ]
    assert stream.getvalue() == f"{CLEAR}  … Wait{CLEAR}"


def test_quiet_run_sends_what_others_print_to_standard_error():
    display = Display()
    share(display, Screen(io.StringIO()), to_stderr=True)
    display.display("Using ansible.cfg")
    assert display.calls == [("Using ansible.cfg", True, False)]


def test_forked_worker_only_hands_on(monkeypatch):
    display = Display()
    warnings = share(display, Screen(io.StringIO()), to_stderr=True)
    monkeypatch.setattr("os.getpid", lambda: -1)
    display.display("[WARNING]: old")
    assert warnings == []
    assert display.calls == [("[WARNING]: old", False, False)]


@pytest.mark.security("L2")
@pytest.mark.parametrize("evil", ["\b\b\b", "\a", "\x9b2J", "\x1b[2J", "\x1b]0;title\x07", "\x1b[1A", "\x00", "\x7f"])
def test_nothing_that_is_written_steers_the_terminal(evil):
    stream = io.StringIO()
    Screen(stream).write(f"\x1b[1;31mred\x1b[0m{evil}end")
    assert re.sub(r"\x1b\[[0-9;]*m", "", stream.getvalue()).rstrip("\n").isprintable()
    assert stream.getvalue().startswith("\x1b[1;31mred\x1b[0m")
