# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The status as a table: a line for each lab, with details below."""

from __future__ import annotations

import typing as t

from ..module_utils._aws.pricing import money
from ..module_utils._common.humanize import MINUTE, ago, amount, parse_time, span
from ..module_utils._common.text import clean, one_line, setting_option
from ..module_utils._lab.labels import state_word
from ._terminal import WIDEST, cells, cut, pad, wrap

# Where not all fit, the last ones are told below.
COLUMNS = ("NAME", "WHERE", "STATE", "SERVER", "USD/H", "SO FAR", "MONTH")
_FEWEST = 3
_RIGHT = ("USD/H", "SO FAR", "MONTH")
_GAP = 2
# The minimum column width.
_LEAST = 8


def status_text(document: t.Mapping[str, t.Any], width: int) -> str:
    """Return the status in lines that fit."""
    lines: list[str] = []
    if not document["engine"]:
        lines += wrap(f"No lab on this computer can be seen. {clean(document['reason'])}", min(width, WIDEST))
    labs, now = document["labs"], parse_time(document["checked"]) or 0.0
    if labs:
        lines += table(labs, width, now)
    elif document["engine"]:
        lines.append("There is no lab. Make one with ./lab local or ./lab ec2, or try ./lab demo.")
    said = [*document["unseen"], *document["warnings"]]
    if any(map(_at_least, labs)):
        said.append("+: at least so much, for AWS keeps no record of the hours of earlier runs.")
    for sentence in said:
        lines += wrap(clean(sentence), min(width, WIDEST))
    return "\n".join(lines)


def table(labs: t.Sequence[t.Mapping[str, t.Any]], width: int, now: float) -> list[str]:
    rows = [COLUMNS, *(_cells(lab, now) for lab in labs)]
    natural = [max(cells(row[column]) for row in rows) for column in range(len(COLUMNS))]
    # Labs here cost nothing: where there is no room, their names come first.
    while sum(natural) + _GAP * (len(natural) - 1) > width and all(row[len(natural) - 1] == "-" for row in rows[1:]):
        natural.pop()
    widths = shown_columns(natural, width)
    lines = [_line(rows[0], widths)]
    for row, lab in zip(rows[1:], labs):
        more = [f"{name} {cell}" for name, cell in list(zip(COLUMNS, row))[len(widths) :] if cell != "-"]
        lines += [_line(row, widths), *_below(lab, min(width, WIDEST), now, more)]
    return lines


def shown_columns(widths: t.Sequence[int], width: int) -> list[int]:
    """Return the widths of the columns that are shown: as many as fit."""
    shown = list(widths)
    while len(shown) > _FEWEST and sum(min(each, _LEAST) for each in shown) + _GAP * (len(shown) - 1) > width:
        shown.pop()
    return fitting(shown, width)


def fitting(widths: t.Sequence[int], width: int) -> list[int]:
    """Return column widths that fit, by narrowing the widest repeatedly."""
    found = list(widths)
    while sum(found) + _GAP * (len(found) - 1) > width and max(found) > _LEAST:
        found[found.index(max(found))] -= 1
    return found


def _line(row: t.Sequence[str], widths: t.Sequence[int]) -> str:
    shown = []
    for name, cell, width in zip(COLUMNS, row, widths):
        text = cut(cell, width)
        shown.append(" " * (width - cells(text)) + text if name in _RIGHT else pad(text, width))
    return (" " * _GAP).join(shown).rstrip()


def _cells(lab: t.Mapping[str, t.Any], now: float) -> tuple[str, ...]:
    return (
        one_line(lab["name"]),
        one_line(lab["where"]) if lab["region"] else "here",
        _state(lab, now),
        _server(lab),
        _usd(lab, "usd_hour", money),
        _usd(lab, "usd_so_far", _cents) + ("+" if _at_least(lab) else ""),
        _usd(lab, "usd_month", _cents),
    )


def _state(lab: t.Mapping[str, t.Any], now: float) -> str:
    if lab["uptime_seconds"] is not None and lab["state"] == "running":
        return f"running {_short(lab['uptime_seconds'])}"
    since = parse_time(lab["since"])
    state = state_word(one_line(str(lab["state"])))
    return f"{state} {_short(now - since)}" if since is not None else state


def _short(seconds: float) -> str:
    return "<1 min" if seconds < MINUTE else span(seconds)


def _server(lab: t.Mapping[str, t.Any]) -> str:
    if lab["state"] != "running":
        return "-"
    if lab["tunnel_open"] is False and lab["server_answers"] is not False:
        return "no tunnel"
    return {True: "answers", False: "no answer", None: "not known"}[lab["server_answers"]]


def _at_least(lab: t.Mapping[str, t.Any]) -> bool:
    return str(lab["usd_so_far_how"]).startswith("at least")


def _cents(usd: float) -> str:
    return f"{usd:.2f}"


def _usd(lab: t.Mapping[str, t.Any], key: str, text: t.Callable[[float], str]) -> str:
    if not lab["region"]:
        return "-"
    return "?" if lab[key] is None else text(lab[key])


def _below(lab: t.Mapping[str, t.Any], width: int, now: float, more: t.Sequence[str]) -> list[str]:
    """Return the details without a column."""
    idle = parse_time(lab["idle_since"])
    parts = [
        *more,
        f"of {lab['owner'].rpartition(':')[2]}" if lab["owner"] else "",
        f"release {lab['release']}" if lab["release"] else "",
        f"image {lab['image']}" if lab["image"] else "",
        lab["data"],
        " ".join(filter(None, [lab["type"], f"{lab['disk_gib']} GiB" if lab["disk_gib"] else ""])),
        _place(lab) if lab["state"] == "running" and lab["port"] and lab["address"] else "",
        _workers(lab),
        f"idle since {ago(idle, now)}" if idle is not None else "",
        f"busy: {lab['active'][0].rstrip('.')}" if lab["active"] and idle is None else "",
        *(event["words"] for event in lab["next"]),
    ]
    lines = wrap(one_line(" · ".join(filter(None, parts))), width, 4) if any(parts) else []
    for note in lab["notes"]:
        lines += wrap(one_line(note), width, 4)
    return lines


def _workers(lab: t.Mapping[str, t.Any]) -> str:
    """Return how many workers a lab has and what they do."""
    if not lab["workers"]:
        return ""
    number = lab["workers"]
    there = f"{amount(number, 'machine')} of Dask workers" if lab["id"] else amount(number, "Dask worker")
    if not lab["dask"]:
        return there
    tasks, kept = lab["dask"]["processing"] + lab["dask"]["waiting"], lab["dask"]["memory"]
    does = [f"{amount(tasks, 'task')} to do" if tasks else "", f"{amount(kept, 'result')} kept" if kept else ""]
    return f"{there}, {', '.join(filter(None, does)) or 'idle'}"


def _place(lab: t.Mapping[str, t.Any]) -> str:
    """Return where the lab is opened: one behind a tunnel only at the tunnel's end on this computer."""
    if lab["access"] == "tunnel" and not lab["tunnel_open"]:
        return f"through a tunnel, which ./lab url {setting_option('lab_name', one_line(lab['name']))} opens"
    address = "127.0.0.1" if lab["access"] == "tunnel" else lab["address"]
    return f"at [{address}]:{lab['port']}" if ":" in address else f"at {address}:{lab['port']}"
