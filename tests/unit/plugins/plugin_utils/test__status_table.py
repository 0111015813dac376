# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.desi.lab.plugins.module_utils._status.document import whole
from ansible_collections.desi.lab.plugins.plugin_utils._status_table import fitting, status_text

FAR = {
    "name": "desi",
    "where": "ec2 us-west-2",
    "region": "us-west-2",
    "state": "running",
    "since": "2026-11-24T10:00:00Z",
    "uptime_seconds": 7200,
    "release": "edr",
    "image": "desi-lab:0.1.0",
    "data": "read-only, streamed from s3://desidata",
    "address": "203.0.113.7",
    "port": 8888,
    "server_answers": True,
    "access": "tunnel",
    "tunnel_open": True,
    "type": "t3.xlarge",
    "disk_gib": 30,
    "usd_hour": 0.1747,
    "usd_so_far": 1.2,
    "usd_month": 127.53,
    "idle_since": "2026-11-24T11:42:00Z",
    "next": [{"what": "idle stop", "at": "2026-11-24T12:42:00Z", "words": "stops in 42 min if it stays idle"}],
}


def shown(*changes, width=100, **more):
    document = {"engine": True, "reason": "", "checked": "2026-11-24T12:00:00Z", "unseen": [], "warnings": [], **more}
    return status_text({**document, "labs": [whole({**FAR, **change}) for change in changes]}, width).splitlines()


def test_no_labs_are_told_with_how_to_make_one():
    assert "./lab local" in shown()[0]
    assert "./lab demo" in shown()[0]


def test_lab_has_a_line_with_its_costs_and_below_it_what_there_is_to_know():
    head, line, *below = shown({})
    assert head.split() == ["NAME", "WHERE", "STATE", "SERVER", "USD/H", "SO", "FAR", "MONTH"]
    assert line.split()[:6] == ["desi", "ec2", "us-west-2", "running", "2", "h"]
    assert line.split()[6:] == ["answers", "0.175", "1.20", "127.53"]
    told = " ".join(text.strip() for text in below)
    there = ("release edr", "desi-lab:0.1.0", "t3.xlarge 30 GiB", "at 127.0.0.1:8888", "since 18 min ago", "in 42 min")
    assert not [word for word in there if word not in told]


@pytest.mark.parametrize(
    ("workers", "machine", "counts", "said"),
    [
        (0, "", None, ""),
        (1, "", None, "1 Dask worker"),
        (2, "", (2, 0, 0, 0), "2 Dask workers, idle"),
        (3, "i-1", None, "3 machines of Dask workers"),
        (3, "i-1", (12, 4, 2, 0), "3 machines of Dask workers, 6 tasks to do"),
        (1, "i-1", (4, 1, 0, 5), "1 machine of Dask workers, 1 task to do, 5 results kept"),
    ],
)
def test_what_workers_do_is_told(workers, machine, counts, said):
    names = ("workers", "processing", "waiting", "memory")
    lab = {"workers": workers, "id": machine, "dask": counts and dict(zip(names, counts))}
    told = " ".join(line.strip() for line in shown(lab))
    assert said in told if said else "Dask" not in told


def test_columns_are_under_each_other():
    head, first, *rest = shown({}, {"name": "a-much-longer-name", "usd_month": 2.4})
    second = next(line for line in rest if line.startswith("a-much"))
    for column in ("WHERE", "STATE", "SERVER"):
        place = head.index(column)
        assert first[place - 1] == second[place - 1] == " "
        assert first[place] != " "
        assert second[place] != " "
    assert first.rindex("3") == second.rindex("0") == head.rindex("H")


@pytest.mark.parametrize("width", [30, 40, 60, 80, 100, 132])
def test_no_line_is_wider_than_the_terminal(width):
    lines = shown({"name": "n" * 40}, {"notes": ["word " * 60]}, width=width, unseen=["why " * 60])
    assert max(map(len, lines)) <= width


@given(st.lists(st.integers(1, 60), min_size=7, max_size=7))
def test_columns_are_narrowed_to_fit_and_never_widened(widths):
    found = fitting(widths, 80)
    assert sum(found) + 12 <= 80
    assert all(after <= before for after, before in zip(found, widths))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"server_answers": False}, "no answer"),
        ({"server_answers": None}, "not known"),
        ({"tunnel_open": False}, "no tunnel"),
        ({"tunnel_open": False, "server_answers": False}, "no answer"),
        ({"state": "stopped", "uptime_seconds": None, "since": "2026-11-23T12:00:00Z"}, "stopped 24 h"),
        ({"state": "stopping", "since": ""}, "stopping"),
        ({"state": "exited", "uptime_seconds": None, "since": "2026-11-23T12:00:00Z"}, "stopped 24 h"),
        ({"state": "created", "uptime_seconds": None, "since": ""}, "stopped"),
        ({"usd_hour": None}, " ? "),
        ({"region": "", "where": "this computer"}, "here   "),
        ({"region": ""}, "answers      -       -      -"),
        ({"usd_so_far": 0.0}, " 0.00 "),
        ({"uptime_seconds": 7}, "running <1 min"),
        ({"usd_so_far_how": "at least: x"}, "1.20+"),
    ],
)
def test_line_says_what_is_not_as_usual(change, says):
    assert says in shown(change)[1]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"notes": ["The mount of its data does not answer."]}, "The mount of its data does not answer."),
        # The end of its tunnel is where it is opened, whatever address the machine has.
        ({"tunnel_open": True}, "at 127.0.0.1:8888"),
        ({"tunnel_open": False}, "through a tunnel, which ./lab url -e lab_name=desi opens"),
        ({"access": "direct", "address": "::1"}, "at [::1]:8888"),
        ({"access": "direct"}, "at 203.0.113.7:8888"),
        ({"owner": "ann"}, "of ann · release edr"),
        ({"owner": "AROA1:ann@x.edu"}, "of ann@x.edu · "),
        ({"idle_since": "", "active": ["A kernel is busy."]}, "busy: A kernel is busy"),
    ],
)
def test_what_goes_into_no_column_is_said_below(change, says):
    assert says in " ".join(line.strip() for line in shown(change)[2:])


def test_what_a_narrow_terminal_has_no_column_for_is_told_below():
    head, _line, *below = shown({}, width=40)
    assert head.split() == ["NAME", "WHERE", "STATE", "SERVER", "USD/H"]
    assert " ".join(map(str.strip, below)).startswith("SO FAR 1.20 · MONTH 127.53")


def test_names_come_before_costs_that_there_are_none_of():
    head, line, *_below = shown({"region": "", "name": "a-name-of-some-length"}, width=60)
    assert "MONTH" not in head
    assert line.startswith("a-name-of-some-length  ")


def test_a_wide_terminal_cuts_no_name():
    long = "n" * 63
    assert long in shown({"name": long}, width=150)[1]
    assert max(map(len, shown({"notes": ["word " * 60]}, width=150))) <= 100


def test_sum_that_is_too_small_is_explained_once():
    at_least = {"usd_so_far_how": "at least: x"}
    assert sum("no record" in line for line in shown(at_least, at_least)) == 1
    assert not any("no record" in line for line in shown({}))


def test_what_cannot_be_seen_is_said_beside_what_can():
    unseen = ["Labs in x cannot be seen. Why."]
    lines = shown({}, engine=False, reason="No engine answers.", unseen=unseen, warnings=["W."])
    assert lines[0] == "No lab on this computer can be seen. No engine answers."
    assert lines[1].startswith("NAME")
    assert lines[-2:] == [*unseen, "W."]
    # That there is none is not known where nobody can look.
    assert not any("Make one" in line for line in shown(engine=False, reason="x"))


def test_name_of_somebody_cannot_color_the_screen():
    assert "\x1b" not in "".join(shown({"name": "a\x1b[31mb", "notes": ["\x1b[31mred"]}, unseen=["\x1b[31mred"]))


def test_lab_of_a_usual_name_is_told_whole_in_eighty_columns():
    stopped = {"state": "stopped", "uptime_seconds": None, "since": "2026-11-10T12:00:00Z", "name": "desi-on-ec2"}
    assert not any("…" in line for line in shown({}, stopped, {"tunnel_open": False}, width=80))
