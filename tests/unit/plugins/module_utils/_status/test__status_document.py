# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from ansible_collections.desi.lab.plugins.module_utils._status.document import (
    EMPTY,
    coming,
    document,
    here,
    last_stop,
    warnings,
    watched,
    whole,
    why_stopped,
)

NOW = 1_795_521_600.0
SCHEMA = json.loads((Path(__file__).parents[5] / "docs/status.schema.json").read_text())
ROW = {
    "name": "desi",
    "where": "this computer",
    "state": "running",
    "since": "2026-11-24T10:00:00.5Z",
    "image": "desi-lab:0.1.0",
    "image_newer": False,
    "mount_answers": True,
    "server_answers": True,
}
NEWER = "A newer image desi-lab:0.1.0 is there: ./lab update"
ASKED = {"id": "i-1", "reached": True}


def test_schema_is_one_and_has_all_that_is_told_of_a_lab():
    Draft202012Validator.check_schema(SCHEMA)
    lab = SCHEMA["$defs"]["lab"]
    assert lab["required"] == list(lab["properties"]) == list(EMPTY)
    assert all(each["description"] for each in lab["properties"].values())


def test_document_is_as_the_schema_says():
    found = {"labs": [ROW], "engine": True, "reason": ""}
    told = document(found, [{"name": "far", "expires": False}], ["Labs in x cannot be seen. Why."], NOW)
    Draft202012Validator(SCHEMA).validate(told)
    assert [lab["name"] for lab in told["labs"]] == ["desi", "far"]
    assert told["checked"] == "2026-11-24T12:00:00Z"
    with pytest.raises(Exception, match="is a required property"):
        Draft202012Validator(SCHEMA).validate({**told, "labs": [{"name": "desi"}]})


def test_two_rows_do_not_share_what_is_said_of_them():
    first, second = whole({}), whole({})
    first["notes"].append("x")
    assert (second["notes"], EMPTY["notes"]) == ([], [])


def test_lab_on_this_computer_costs_nothing_and_is_up_since_its_start():
    lab = here(ROW, NOW)
    assert (lab["usd_hour"], lab["usd_so_far"], lab["usd_month"], lab["uptime_seconds"]) == (0, 0, 0, 7200)
    assert (lab["next"], lab["notes"]) == ([], [])
    assert here({**ROW, "state": "exited"}, NOW)["uptime_seconds"] is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"mount_answers": False}, "The mount of its data does not answer."),
        ({"server_answers": False}, "Its server does not answer."),
        ({"workers": 2}, "The scheduler of its Dask workers does not answer: ./lab start mends that."),
        ({"workers": 2, "dask": {"workers": 1}}, "1 of its 2 Dask workers are connected."),
        ({"workers": 2, "dask": {"workers": 1}, **ASKED}, "1 of its 2 machines of Dask workers are connected."),
        ({"image_newer": True}, f"{NEWER} takes it."),
        ({"image_newer": True, "name": "x"}, f"{NEWER} -e lab_name=x takes it."),
    ],
)
def test_what_is_wrong_is_noted(change, said):
    assert here({**ROW, **change}, NOW)["notes"] == [said]


WATCH = {"version": 1, "idle_stop_at": NOW + 42 * 60, "deadline": NOW + 9 * 3600}


def test_what_is_coming_is_told_the_soonest_first_as_people_say_it():
    events = coming(WATCH, NOW + 14 * 86400, True, NOW)
    assert [(event["what"], event["words"]) for event in events] == [
        ("idle stop", "stops in 42 min if it stays idle"),
        ("deadline", "stops in 9 h at the latest"),
        ("expiry", "is deleted in 14 days if it is forgotten"),
    ]
    assert events[0]["at"] == "2026-11-24T12:42:00Z"


def test_machine_that_is_stopped_has_nothing_ahead_but_its_end():
    assert [event["what"] for event in coming(WATCH, NOW + 1, False, NOW)] == ["expiry"]


@pytest.mark.parametrize("watch", [None, [], "x", {}, {"idle_stop_at": "soon", "deadline": True}])
def test_watcher_that_says_nothing_sensible_has_nothing_ahead(watch):
    assert coming(watch, None, True, NOW) == []
    assert watched(watch, NOW).get("active", []) == []


def test_watcher_is_told_with_why_it_stopped_the_machine_before():
    stop = {"at": NOW - 3 * 3600, "why": "Nobody used it for 60 minutes."}
    told = watched({"idle_since": NOW - 600, "active": [], "last_stop": stop}, NOW)
    assert told["idle_since"] == "2026-11-24T11:50:00Z"
    assert told["notes"] == ["It stopped itself 3 h ago: Nobody used it for 60 minutes."]


@pytest.mark.parametrize("stop", [None, "x", {}, {"at": None}])
def test_machine_that_never_stopped_itself_is_not_said_to_have(stop):
    assert last_stop(stop, NOW) == []


@pytest.mark.parametrize(
    ("state", "code", "said"),
    [
        ("stopped", "Client.InstanceInitiatedShutdown", "It stopped itself 2 h ago."),
        ("stopped", "Client.UserInitiatedShutdown", ""),
        ("running", "Client.InstanceInitiatedShutdown", ""),
        ("stopped", None, ""),
        ("stopped", "Server.SpotInstanceShutdown", "AWS stopped its spot machine"),
    ],
)
def test_machine_that_stopped_itself_is_known_by_the_reason_of_its_state(state, code, said):
    instance = {"State": {"Name": state}, "InstanceLifecycle": "spot", "StateReason": {"Code": code}}
    assert " ".join(why_stopped(instance, "2026-11-24T10:00:00Z", NOW)).startswith(said)
    assert bool(why_stopped(instance, "", NOW)) is bool(said)


def test_labs_that_nobody_deletes_are_named_in_one_sentence():
    labs = [whole({"name": name, "expires": expires}) for name, expires in (("a", False), ("b", True), ("c", False))]
    [sentence] = warnings(labs)
    assert sentence.startswith("Labs a, c are not deleted when forgotten")
    assert warnings(labs[1:2]) == []
    assert warnings([whole({"name": "here"})]) == []
