# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.desi.lab.plugins.module_utils._common.text import clean
from ansible_collections.desi.lab.plugins.plugin_utils._terminal import (
    Paint,
    box,
    cells,
    check_verdict,
    clock_line,
    cut,
    document,
    duration,
    finding_lines,
    fit,
    labelled,
    recap_lines,
    show_box,
    step_lines,
    wrap,
)

PLAIN = Paint(False)
COLOUR = Paint(True)
NASTY = st.text(st.sampled_from("ab ·é漢\u0301✓\n"), max_size=80)


def test_steps_stand_in_columns():
    steps = [
        ("Docker Engine 20.10", "installed", "18.2 s"),
        ("Bucket", "rclone, on host", "0.9 s"),
        ("Ok", "", "0.4 s"),
    ]
    assert [line for step in steps for line in step_lines(*step, 100, PLAIN)] == [
        "  ✓ Docker Engine 20.10                     installed         18.2 s",
        "  ✓ Bucket                                  rclone, on host    0.9 s",
        "  ✓ Ok                                                         0.4 s",
    ]


def test_colour_does_not_move_the_columns():
    for step in [("Docker", "installed", "18.2 s"), ("n" * 90, "pulled", "2.0 s"), ("X", "", "")]:
        assert [clean(line) for line in step_lines(*step, 80, COLOUR)] == step_lines(*step, 80, PLAIN)
    assert "\x1b[32m✓\x1b[0m" in step_lines("Docker", "", "", 80, COLOUR)[0]


def test_long_name_keeps_its_line_while_that_fits():
    assert step_lines("Image ghcr.io/flyorboom/docker-aws-jupyter:main", "pulled", "2 m 02 s", 100, PLAIN) == [
        "  ✓ Image ghcr.io/flyorboom/docker-aws-jupyter:main  pulled  2 m 02 s"
    ]


def test_name_too_long_for_the_terminal_puts_how_on_a_line_of_its_own():
    assert step_lines("Image ghcr.io/flyorboom/docker-aws-jupyter:main", "pulled", "2 m 02 s", 60, PLAIN) == [
        "  ✓ Image ghcr.io/flyorboom/docker-aws-jupyter:main",
        "                                    pulled  2 m 02 s",
    ]


def test_name_with_line_feeds_stays_one_line():
    assert step_lines("a\nb\x1b[2J", "c\rd", "", 80, PLAIN) == ["  ✓ a b" + " " * 37 + "c d"]


@given(NASTY, NASTY, st.integers(30, 120))
def test_step_loses_no_letter(name, how, width):
    shown = "".join("".join(step_lines(name, how, "1.0 s", width, PLAIN)).split())
    assert shown == "✓" + "".join(name.split()) + "".join(how.split()) + "1.0s"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0.0 s"), (-1, "0.0 s"), (18.24, "18.2 s"), (59.96, "1 m 00 s"), (112, "1 m 52 s"), (3599.6, "1 h 00 m")],
)
def test_duration_is_said_in_fitting_units(seconds, said):
    assert duration(seconds) == said


@pytest.mark.parametrize(("seconds", "said"), [(0.99, "0 s"), (12.9, "12 s"), (72.9, "1 m 12 s"), (7262, "2 h 01 m")])
def test_clock_counts_whole_seconds(seconds, said):
    assert duration(seconds, whole=True) == said


def test_clock_line_is_shorter_than_the_terminal():
    line = clock_line("Wait for a very long thing that has no end in sight", 75, 30)
    assert line.startswith("  … Wait for a very") and line.endswith("… 1 m 15 s")
    assert cells(line) < 30
    assert clock_line("Wait", 0.5, 30) == "  … Wait"


@given(NASTY, st.integers(0, 200), st.integers(20, 100))
def test_clock_line_never_reaches_the_edge(label, seconds, width):
    assert cells(clock_line(label, seconds, width)) < width


@given(NASTY, st.integers(10, 60), st.integers(0, 8))
def test_wrapped_lines_are_narrow_or_a_single_word(text, width, indent):
    for line in wrap(text, width, indent):
        assert cells(line) <= width or " " not in line.strip()


@given(NASTY, st.integers(1, 60))
def test_wrapping_loses_no_letter(text, width):
    assert "".join(wrap(text, width)).replace(" ", "") == text.replace(" ", "").replace("\n", "")


def test_option_and_its_value_stay_together():
    assert wrap("build it: -e lab_image=embedded", 16) == ["build it:", "-e lab_image=embedded"]


def test_rows_hang_below_their_text():
    rows = [("What", "It failed."), ("Why", ""), ("Do", "one\ntwo three four")]
    assert labelled(rows, 20, PLAIN) == [
        "    What  It failed.",
        "    Do    one",
        "          two three",
        "          four",
    ]


def test_row_text_cannot_drive_the_terminal():
    assert labelled([("Why", "\x1b[31mred\x1b[0m\x07 \x1b]0;title\x07bar 10%\rbar 100%")], 60, PLAIN) == [
        "    Why  red bar 10%",
        "         bar 100%",
    ]


LINES = [
    {"label": "Open", "text": "http://127.0.0.1:8888/lab?token=" + "6f1c" * 12},
    {"label": "Data", "text": "/home/desidata/edr", "about": "read-only"},
    {"label": "Stop", "text": "./lab stop", "about": "Remove  ./lab down"},
]


def test_box_has_columns():
    assert box(LINES, ["Synthetic."]) == [
        "Open  " + LINES[0]["text"],
        "Data  /home/desidata/edr      read-only",
        "Stop  ./lab stop              Remove  ./lab down",
        "",
        "Synthetic.",
    ]


def test_box_never_breaks_a_url():
    assert any(line.endswith(LINES[0]["text"]) for line in show_box(box(LINES, []), 40, PLAIN))


def test_box_wraps_notes_and_sets_off_labels_alone():
    shown = show_box(box(LINES, ["Note  well: " + "word " * 20]), 60, COLOUR)
    assert "\x1b[1mData\x1b[0m  /home/desidata/edr" in shown[1]
    assert [line for line in shown[4:] if "\x1b" in line] == []
    assert all(cells(line) <= 60 for line in shown[4:])


def test_box_of_notes_alone_is_no_row():
    assert show_box(box([], ["One  two"]), 60, COLOUR) == ["", "  One  two"]


@pytest.mark.parametrize(
    ("encoding", "said"),
    [("utf-8", "✓ … · é 漢"), ("ascii", "+ ... - e ?"), ("latin-1", "+ ... · é ?"), ("no-such", "+ ... - e ?")],
)
def test_letters_fit_the_encoding(encoding, said):
    assert fit("✓ … · é 漢", encoding) == said


@given(st.text())
def test_whatever_is_said_can_be_encoded(text):
    fit(text, "ascii").encode("ascii")
    fit(text + "\udcff", "utf-8").encode("utf-8")


@given(NASTY, st.integers(0, 40))
def test_cut_text_is_no_wider_than_asked(text, width):
    assert cells(cut(text, width)) <= width


def test_document_is_json_in_letters_that_the_stream_has():
    data = {"name": "é✓", "when": date(2026, 1, 2), "list": [1, None, True]}
    assert "é✓" in document(data, "utf-8")
    for encoding in ("utf-8", "ascii"):
        text = document(data, encoding)
        text.encode(encoding)
        assert json.loads(text) == {"name": "é✓", "when": "2026-01-02", "list": [1, None, True]}


def test_recap_is_read_by_programs():
    ok = {"ok": 31, "changed": 0, "failures": 0, "unreachable": 0}
    assert recap_lines({"localhost": ok}, 12.34) == ["  ok=31 changed=0 failed=0 · 12.3 s"]
    assert recap_lines({}, 0) == ["  ok=0 changed=0 failed=0 · 0.0 s"]
    assert recap_lines({"a": ok, "lab": {**ok, "unreachable": 1}}, 1) == [
        "  a    ok=31 changed=0 failed=0",
        "  lab  ok=31 changed=0 failed=0 unreachable=1 · 1.0 s",
    ]


@pytest.mark.parametrize(
    ("would", "done", "said"),
    [
        (0, 0, "check mode: nothing was changed; 0 steps would be"),
        (1, 0, "check mode: nothing was changed; 1 step would be"),
        (3, 1, "check mode: nothing was changed; 3 steps would be; 1 was done all the same"),
    ],
)
def test_check_mode_says_what_would_be(would, done, said):
    assert check_verdict(would, done).strip() == said


def finding(verdict="ok", title="Docker Engine", found="27.3.1, used as root", why="", do=""):
    return {"verdict": verdict, "title": title, "found": found, "why": why, "do": do}


def test_findings_stand_in_columns_and_what_is_not_well_says_why():
    findings = [
        finding(),
        finding("broken", "Port 8888", "taken by nginx", "A lab wants it.", "take another: -e lab_port=8889"),
        finding("warning", "Memory", "1.0 GiB", "It is little.", "close something"),
        finding("skipped", "Clock", "not compared"),
    ]
    assert [line for each in findings for line in finding_lines(each, 80, PLAIN)] == [
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
    lines = finding_lines(finding(found="one two three four five six seven eight nine ten"), 50, PLAIN)
    assert lines == [
        "  ✓ Docker Engine        one two three four five",
        "                         six seven eight nine ten",
    ]
    assert finding_lines(finding(title="T" * 40), 80, PLAIN) == [
        f"  ✓ {'T' * 40}",
        "                              27.3.1, used as root",
    ]


def test_colour_does_not_move_findings():
    for verdict, code in (("ok", "32"), ("warning", "33"), ("broken", "1;31"), ("skipped", "2")):
        told = finding(verdict, why="w", do="d")
        coloured = finding_lines(told, 80, COLOUR)
        assert [clean(line) for line in coloured] == finding_lines(told, 80, PLAIN)
        assert f"\x1b[{code}m" in coloured[0]


@given(NASTY, NASTY, st.integers(30, 120))
def test_findings_of_any_letters_are_laid_out(title, found, width):
    lines = finding_lines(finding(title=title, found=found, why=found, do=title), width, PLAIN)
    assert not any("\n" in line or line != line.rstrip() for line in lines)
