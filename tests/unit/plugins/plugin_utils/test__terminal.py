# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import json
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.desi.lab.plugins.module_utils._common.text import clean
from ansible_collections.desi.lab.plugins.plugin_utils import _terminal as terminal

PLAIN = terminal.Paint(False)
COLOR = terminal.Paint(True)
NASTY = st.text(st.sampled_from("ab ·é漢\u0301✓\n"), max_size=80)


def test_steps_stand_in_columns():
    steps = [("Docker Engine 20.10", "installed", "18.2 s"), ("Bucket", "rclone, on host", "0.9 s"), ("Ok", "", "4 s")]
    assert [line for step in steps for line in terminal.step_lines(*step, 100, PLAIN)] == [
        "  ✓ Docker Engine 20.10                     installed         18.2 s",
        "  ✓ Bucket                                  rclone, on host    0.9 s",
        "  ✓ Ok                                                           4 s",
    ]


def test_color_does_not_move_the_columns():
    for step in [("Docker", "installed", "18.2 s"), ("n" * 90, "pulled", "2.0 s"), ("X", "", "")]:
        assert [clean(line) for line in terminal.step_lines(*step, 80, COLOR)] == terminal.step_lines(*step, 80, PLAIN)
    assert "\x1b[32m✓\x1b[0m" in terminal.step_lines("Docker", "", "", 80, COLOR)[0]


def test_long_name_keeps_its_line_while_that_fits():
    step = ("Image ghcr.io/flyorboom/docker-aws-jupyter:main", "pulled", "2 m 02 s")
    assert terminal.step_lines(*step, 100, PLAIN) == [f"  ✓ {step[0]}  pulled  2 m 02 s"]
    assert terminal.step_lines(*step, 60, PLAIN) == [f"  ✓ {step[0]}", " " * 36 + "pulled  2 m 02 s"]


def test_name_with_line_feeds_stays_one_line():
    assert terminal.step_lines("a\nb\x1b[2J", "c\rd", "", 80, PLAIN) == ["  ✓ a b" + " " * 37 + "c d"]


@given(NASTY, NASTY, st.integers(30, 120))
def test_step_line_wraps_without_losing_a_character(name, how, width):
    shown = "".join("".join(terminal.step_lines(name, how, "1.0 s", width, PLAIN)).split())
    assert shown == "✓" + "".join(name.split()) + "".join(how.split()) + "1.0s"


def test_clock_line_is_shorter_than_the_terminal():
    line = terminal.clock_line("Wait for a very long thing that has no end in sight", 75, 30)
    assert line.startswith("  … Wait for a very") and line.endswith("… 1 m 15 s")
    assert terminal.cells(line) < 30
    assert terminal.clock_line("Wait", 0.5, 30) == "  … Wait"


@given(NASTY, st.integers(0, 200), st.integers(20, 100))
def test_clock_line_never_reaches_the_edge(label, seconds, width):
    assert terminal.cells(terminal.clock_line(label, seconds, width)) < width


@given(NASTY, st.integers(10, 60), st.integers(0, 8))
def test_wrapped_lines_are_narrow_or_a_single_word(text, width, indent):
    for line in terminal.wrap(text, width, indent):
        assert terminal.cells(line) <= width or " " not in line.strip()


@given(NASTY, st.integers(1, 60))
def test_wrapping_loses_no_letter(text, width):
    assert "".join(terminal.wrap(text, width)).replace(" ", "") == text.replace(" ", "").replace("\n", "")


def test_option_and_its_value_stay_together():
    assert terminal.wrap("build it: -e lab_image=embedded", 16) == ["build it:", "-e lab_image=embedded"]


def test_rows_hang_below_their_text():
    rows = [("What", "It failed."), ("Why", ""), ("Do", "one\ntwo three four")]
    shown = ["    What  It failed.", "    Do    one", "          two three", "          four"]
    assert terminal.labeled(rows, 20, PLAIN) == shown


def test_row_text_cannot_drive_the_terminal():
    assert terminal.labeled([("Why", "\x1b[31mred\x1b[0m\x07 \x1b]0;title\x07bar 10%\rbar 100%")], 60, PLAIN) == [
        "    Why  red bar 10%",
        "         bar 100%",
    ]


LINES = [
    {"label": "Open", "text": "http://127.0.0.1:8888/lab?token=" + "6f1c" * 12},
    {"label": "Data", "text": "/home/desidata/edr", "about": "read-only"},
    {"label": "Stop", "text": "./lab stop", "about": "Remove  ./lab down"},
]


def test_box_has_columns():
    assert terminal.box(LINES, ["Synthetic."]) == [
        "Open  " + LINES[0]["text"],
        "Data  /home/desidata/edr      read-only",
        "Stop  ./lab stop              Remove  ./lab down",
        "",
        "Synthetic.",
    ]


def test_box_wraps_notes_and_sets_off_labels_alone():
    shown = terminal.show_box(terminal.box(LINES, ["Note  well: " + "word " * 20]), 60, COLOR)
    assert "\x1b[1mData\x1b[0m  /home/desidata/edr" in shown[1]
    assert [line for line in shown[4:] if "\x1b" in line] == []
    assert all(terminal.cells(line) <= 60 for line in shown[4:])
    assert terminal.show_box(terminal.box([], ["One  two"]), 60, COLOR) == ["", "  One  two"]
    # A URL is never broken.
    assert any(line.endswith(LINES[0]["text"]) for line in terminal.show_box(terminal.box(LINES, []), 40, PLAIN))


@pytest.mark.parametrize(
    ("encoding", "said"),
    [("utf-8", "✓ … · é 漢"), ("ascii", "+ ... - e ?"), ("latin-1", "+ ... · é ?"), ("no-such", "+ ... - e ?")],
)
def test_letters_fit_the_encoding(encoding, said):
    assert terminal.fit("✓ … · é 漢", encoding) == said


@given(st.text())
def test_whatever_is_said_can_be_encoded(text):
    terminal.fit(text, "ascii").encode("ascii")
    terminal.fit(text + "\udcff", "utf-8").encode("utf-8")


@given(NASTY, st.integers(0, 40))
def test_cut_text_is_no_wider_than_asked(text, width):
    assert terminal.cells(terminal.cut(text, width)) <= width


def test_document_is_json_in_letters_that_the_stream_has():
    data = {"name": "é✓", "when": date(2026, 1, 2), "list": [1, None, True]}
    assert "é✓" in terminal.document(data, "utf-8")
    for encoding in ("utf-8", "ascii"):
        text = terminal.document(data, encoding)
        text.encode(encoding)
        assert json.loads(text) == {"name": "é✓", "when": "2026-01-02", "list": [1, None, True]}


def test_recap_is_read_by_programs():
    ok = {"ok": 31, "changed": 0, "failures": 0, "unreachable": 0}
    assert terminal.recap_lines({"localhost": ok}, 12.34) == ["  ok=31 changed=0 failed=0 · 12.3 s"]
    assert terminal.recap_lines({}, 0) == ["  ok=0 changed=0 failed=0 · 0.0 s"]
    assert terminal.recap_lines({"a": ok, "lab": {**ok, "unreachable": 1}}, 1) == [
        "  a    ok=31 changed=0 failed=0",
        "  lab  ok=31 changed=0 failed=0 unreachable=1 · 1.0 s",
    ]


@pytest.mark.parametrize(
    ("would", "done", "said"),
    [
        (0, 0, "Check only: nothing would change."),
        (1, 0, "Check only: 1 step would change something."),
        (3, 1, "Check only: 3 steps would change something; 1 was done anyway."),
    ],
)
def test_check_mode_says_what_would_be(would, done, said):
    assert terminal.check_verdict(would, done).strip() == said


def finding(verdict="ok", title="Docker Engine", found="27.3.1, used as root", why="", do=""):
    return {"verdict": verdict, "title": title, "found": found, "why": why, "do": do}


def test_findings_stand_in_columns_and_what_is_not_well_says_why():
    findings = [
        finding(),
        finding("broken", "Port 8888", "taken by nginx", "A lab wants it.", "take another: -e lab_port=8889"),
        finding("warning", "Memory", "1.0 GiB", "It is little.", "close something"),
        finding("skipped", "Clock", "not compared"),
    ]
    assert [line for each in findings for line in terminal.finding_lines(each, 80, PLAIN)] == [
        "  ✓ Docker Engine             27.3.1, used as root",
        "  ✗ Port 8888                 taken by nginx",
        "    Why  A lab wants it.",
        "    Do   take another: -e lab_port=8889",
        "  ! Memory                    1.0 GiB",
        "    Why  It is little.",
        "    Do   close something",
        "  – Clock                     not compared",  # noqa: RUF001 - the dash that is shown
    ]


def test_long_findings_are_wrapped_below_their_column():
    long = finding(found="one two three four five six seven eight nine ten")
    first = "  ✓ Docker Engine        one two three four five"
    assert terminal.finding_lines(long, 50, PLAIN) == [first, " " * 25 + "six seven eight nine ten"]
    wide = terminal.finding_lines(finding(title="T" * 40), 80, PLAIN)
    assert wide == [f"  ✓ {'T' * 40}", " " * 30 + "27.3.1, used as root"]


def test_color_does_not_move_findings():
    for verdict, code in (("ok", "32"), ("warning", "33"), ("broken", "1;31"), ("skipped", "2")):
        told = finding(verdict, why="w", do="d")
        colored = terminal.finding_lines(told, 80, COLOR)
        assert [clean(line) for line in colored] == terminal.finding_lines(told, 80, PLAIN)
        assert f"\x1b[{code}m" in colored[0]


@given(NASTY, NASTY, st.integers(30, 120))
def test_findings_of_any_letters_are_laid_out(title, found, width):
    lines = terminal.finding_lines(finding(title=title, found=found, why=found, do=title), width, PLAIN)
    assert not any("\n" in line or line != line.rstrip() for line in lines)
