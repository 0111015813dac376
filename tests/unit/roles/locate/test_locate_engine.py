# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Of an engine that does not answer nothing is known: no lab of it is gone, stopped, or guessed to be another one."""

from dataclasses import asdict
from pathlib import Path

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

from ansible_collections.desi.lab.plugins.module_utils._docker.api import DEFAULT_ENDPOINT, DENIED, Endpoint
from ansible_collections.desi.lab.plugins.module_utils._docker.engine import engine_here

ROLE = Path(__file__).parents[4] / "roles/locate"
LOADER = DataLoader()
ANSWERS = {"answers": True, "denied": False, "installed": True, "elsewhere": False, "platform": "linux"}
DEAD = {**ANSWERS, "answers": False}
HERE = Endpoint(DEFAULT_ENDPOINT)
ENGINES = {
    "answers": (ANSWERS, True),
    "lists nothing": (ANSWERS, False),
    "dead": (DEAD, False),
    "dead, elsewhere": ({**DEAD, "installed": False, "elsewhere": True}, False),
    "dead, macos": ({**DEAD, "installed": False, "platform": "macos"}, False),
    "denied": ({**DEAD, "denied": True}, False),
    "denied, no dockerd": (asdict(engine_here("", DENIED, HERE, ())), False),
    "slow, no dockerd": (asdict(engine_here("", "It gave no answer.", HERE, (), listens=True)), False),
    "none": ({**DEAD, "installed": False}, False),
}
NEEDED = {"locate_needed": True}
ENDS = {"locate_unnamed": True, "locate_ask_aws": True, "locate_needed": False}
STARTS = {"locate_starts_engine": True, "locate_needed": True}
ANYWAY = {"locate_needs_engine": False}
WHERE = {"locate_name": "far", "locate_region": "us-east-1", "locate_region_given": True}
WITHOUT = ("denied", "denied, no dockerd", "slow, no dockerd")
UNNAMED, THEIRS = {"locate_unnamed": True}, "The lab desi on this computer is bob's"
SILENT, REFUSED, NONE = "nothing is known of the lab", "Docker Engine runs, but", "There is no lab"


def value(text, known):
    return Templar(loader=LOADER, variables=known).template(trust_as_template(text))


def located(engine, own, others, records, given, suffix=""):
    """Return the name of the lab that is meant, or what is refused."""
    docker, lists = ENGINES[engine]
    names = [*own, *others]
    host = {
        "docker": {**docker, "state": "Docker Engine runs, but this account may not use it.", "endpoint": "unix:///s"},
        "engine": lists,
        "reason": "" if lists else "It says nothing.",
        "user": {"name": "ann"},
        "labs": [{"name": name, "owner": "ann" if name in own else "bob"} for name in names],
        "others": dict.fromkeys(others, "bob"),
        "containers": [{"name": f"desi-lab-{name}{suffix}", "lab": name, "role": "server"} for name in names],
    }
    known = {
        **LOADER.load_from_file(str(ROLE / "defaults/main.yml")),
        **LOADER.load_from_file(str(ROLE / "vars/main.yml"), trusted_as_template=True),
        "locate_host": host,
        "__locate_records": [{"name": name, "region": "us-west-2"} for name in records],
        "__locate_unknown": {"what": "There is no lab of that name.", "near": []},
        **given,
    }
    if value("{{ __locate_unclear }}", known):
        for task in LOADER.load_from_file(str(ROLE / "tasks/disambiguate.yml"), trusted_as_template=True):
            conditions = task["when"] if isinstance(task["when"], list) else [task["when"]]
            if "desi.lab.refuse" in task and all(value(f"{{{{ {each} }}}}", known) for each in conditions):
                return value(task["desi.lab.refuse"]["what"], known)
    return value("{{ __locate_name }}", known)


@pytest.mark.parametrize(
    ("platform", "installed", "do"),
    [
        ("linux", False, "Restart Docker Engine,"),
        # In WSL, dockerd is an engine of Linux's own.
        ("windows", True, "Restart Docker Engine,"),
        ("windows", False, "Start Docker Desktop,"),
        ("macos", False, "Start Docker Desktop,"),
    ],
)
def test_engine_that_is_started_is_the_one_that_is_there(platform, installed, do):
    known = LOADER.load_from_file(str(ROLE / "vars/main.yml"), trusted_as_template=True)
    docker = {**DEAD, "platform": platform, "installed": installed, "state": "It is silent."}
    host = {"docker": docker, "reason": "It says nothing."}
    assert value("{{ __locate_silence }}", {**known, "locate_host": host, "__locate_name": "desi"})["do"].startswith(do)


@pytest.mark.parametrize("engine", ["dead", "dead, elsewhere", "dead, macos", "lists nothing", *WITHOUT])
@pytest.mark.parametrize("given", [NEEDED, ENDS, {"locate_where": "here"}, {"locate_name": "mine"}])
def test_lab_of_a_silent_engine_is_refused(engine, given):
    assert (REFUSED if engine.startswith("denied") else SILENT) in located(engine, [], [], [], given)


@pytest.mark.parametrize(
    ("engine", "own", "others", "records", "given", "expected"),
    [
        # A region that somebody says, and another that the lab is in.
        ("answers", [], [], ["far"], WHERE, "The lab far is not in us-east-1"),
        ("answers", ["far"], [], ["far"], WHERE, "The lab far is not in us-east-1"),
        ("answers", [], [], ["far"], {**WHERE, **ENDS, "locate_name": "desi"}, "The lab far is not"),
        ("answers", [], [], ["far"], {**WHERE, "locate_region": "us-west-2"}, "far"),
        ("answers", [], [], ["far"], {**WHERE, "locate_region_given": False}, "far"),
        ("answers", ["far"], [], [], WHERE, "far"),
        # A verb that starts the engine itself, and one that does without.
        ("dead", [], [], [], STARTS, "desi"),
        ("lists nothing", [], [], [], STARTS, SILENT),
        ("denied", [], [], [], STARTS, REFUSED),
        ("dead", [], [], [], ANYWAY, "desi"),
        ("none", [], [], [], NEEDED, NONE),
        ("none", [], [], [], ENDS, "desi"),
        # A lab on EC2 needs no engine here.
        ("dead", [], [], ["desi"], NEEDED, "desi"),
        ("denied", [], [], ["spectra"], {**NEEDED, "locate_unnamed": True}, "spectra"),
        # The only lab: not guessed for what ends it, unless all labs are seen.
        ("answers", ["mine"], [], [], ENDS, "mine"),
        ("answers", [], [], ["spectra"], ENDS, "spectra"),
        ("none", [], [], ["spectra"], ENDS, "spectra"),
        ("dead", [], [], ["spectra"], ENDS, SILENT),
        ("lists nothing", [], [], ["spectra"], ENDS, SILENT),
        ("denied", [], [], ["spectra"], ENDS, REFUSED),
        ("dead", [], [], ["spectra"], {**ENDS, "locate_where": "ec2"}, "spectra"),
        ("answers", ["mine"], [], ["spectra"], ENDS, "There are 2 labs"),
        ("answers", ["mine", "desi"], [], ["spectra"], ENDS, "desi"),
        # Nor is another person's.
        ("answers", [], ["theirs"], [], {**NEEDED, **STARTS, "locate_unnamed": True}, NONE),
        ("answers", [], ["theirs"], [], ENDS, "desi"),
        ("answers", ["mine"], ["theirs"], [], ENDS, "mine"),
        # Not by the name that one gets where nobody gives any, either: only whoever says it means it.
        ("answers", [], ["desi"], [], ENDS, THEIRS),
        ("answers", [], ["desi"], [], {**NEEDED, **UNNAMED}, THEIRS),
        ("answers", [], ["desi"], [], {**NEEDED, **STARTS, **UNNAMED, "locate_where": "here"}, THEIRS),
        ("answers", [], ["desi"], [], {**ENDS, **WHERE, "locate_name": "desi"}, THEIRS),
        ("answers", [], ["desi"], [], {**ENDS, "locate_unnamed": False}, "desi"),
        ("answers", [], ["desi"], [], NEEDED, "desi"),
        ("answers", [], ["desi"], [], {**ENDS, "locate_where": "ec2"}, "desi"),
        ("answers", [], ["desi"], ["desi"], ENDS, "desi"),
        ("answers", ["mine"], ["desi"], [], ENDS, "mine"),
    ],
)
def test_lab_is_the_named_one_or_the_only_one(engine, own, others, records, given, expected):
    found = located(engine, own, others, records, given)
    assert found.startswith(expected) or (expected == SILENT and SILENT in found)


@pytest.mark.parametrize("given", [{**NEEDED, "locate_unnamed": True}, ENDS])
def test_lab_whose_replacement_was_interrupted_is_still_the_only_one(given):
    assert located("answers", ["mine"], ["theirs"], [], given, suffix="-before") == "mine"
