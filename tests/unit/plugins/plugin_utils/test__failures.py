# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.plugin_utils._failures import (
    MORE,
    Failure,
    capital,
    failures_of,
    own_warnings,
    setting,
    task_title,
    unreachable,
)

# Results and messages below are genuine: recorded from ansible-core 2.19.14.

TRACE = """Traceback (most recent call last):
  File "/tmp/x.py", line 1, in <module>
    import docker
ModuleNotFoundError: No module named 'docker'
"""


def test_three_sentences_of_a_module_are_told_as_they_are():
    error = LabError("The port is taken.", "By nginx.", "Take 8889.")
    assert failures_of(error.as_result()) == [Failure("The port is taken.", "By nginx.", "Take 8889.")]


@pytest.mark.parametrize(
    "message",
    [
        str(LabError("No disk.", "It is full of FITS.", "Do make room.")),
        "What: No disk.\nWhy: It is full\n  of FITS.\n\nDo: Do make room.\n",
        ["What  No disk.", "Why   It is full of FITS.", "Do    Do make room."],
    ],
)
def test_three_sentences_are_found_in_a_message(message):
    assert failures_of({"msg": message}) == [Failure("No disk.", "It is full of FITS.", "Do make room.")]


@pytest.mark.parametrize("message", ["Do not panic", "What a pity", "Why  so", "x\nWhat  y", "Do: this", ""])
def test_ordinary_sentences_are_not_taken_for_rows(message):
    assert failures_of({"msg": message})[0].do == MORE


def test_failed_command_is_told_with_its_last_words():
    result = {
        "changed": True,
        "stdout": "out",
        "stderr": "one\ntwo\nthree\nfour\nfive\n\nsix",
        "rc": 3,
        "cmd": ["docker", "pull", "x"],
        "msg": "non-zero return code",
        "exception": "(traceback unavailable)",
    }
    assert failures_of(result) == [
        Failure("A command failed with exit code 3: docker pull x", "two\nthree\nfour\nfive\nsix", MORE)
    ]


@pytest.mark.parametrize(("result", "what", "why"), [
    ({"msg": "Task failed: Module failed: division by zero"}, "division by zero", ""),
    ({"reason": "Could not find or access 'x.yml'"}, "Could not find or access 'x.yml'", ""),
    ({"msg": TRACE}, "ModuleNotFoundError: No module named 'docker'", ""),
    ({"msg": "Module result deserialization failed: No start of json char found", "module_stderr": TRACE},
     "The task ended without an answer.", "ModuleNotFoundError: No module named 'docker'"),
    ({"msg": "'apt' failed: E: no", "stderr": "E: no"}, "'apt' failed: E: no", ""),
    ({}, "It failed without a word.", ""),
    ({"msg": "1\n2\n3\n4\n5\n6\n7"}, "1\n2\n3\n4\n5", ""),
])  # fmt: skip
def test_any_other_failure_is_told_shortly_and_without_a_traceback(result, what, why):
    assert failures_of(result) == [Failure(what, why, MORE)]


def test_hidden_result_stays_hidden():
    hidden = {"_ansible_no_log": True, "censored": "the output has been hidden", "msg": "secret", "what": "secret"}
    assert "secret" not in failures_of(hidden)[0].what
    hidden_items = {**hidden, "results": [{"censored": "x", "_ansible_no_log": True}]}
    assert len(failures_of(hidden_items)) == 1


def test_items_of_a_loop_are_told_each_with_its_name():
    failed = {"failed": True, "msg": "no", "_ansible_item_label": "edr"}
    fine = {"failed": False, "msg": "", "_ansible_item_label": "dr1"}
    asked = {"failed_when_result": True, "what": "There is no dr9.", "why": "Not public.", "do": "wait", "item": {}}
    assert failures_of({"msg": "One or more items failed", "results": [fine, failed, asked]}) == [
        Failure("no (at edr).", "", ""),
        Failure("There is no dr9.", "Not public.", "wait"),
    ]


def test_item_that_tells_of_no_failure_but_of_an_exception_has_failed():
    bad = {"item": "b", "msg": "no", "exception": "(traceback unavailable)", "ansible_loop_var": "item"}
    failures = failures_of({"msg": "One or more items failed", "results": [{"item": "a", "changed": False}, bad]})
    assert [failure.what for failure in failures] == ["no (at b)."]


def test_many_failed_items_are_counted():
    items = [{"failed": True, "msg": f"no {number}", "item": f"i{number}"} for number in range(9)]
    failures = failures_of({"results": items})
    assert [each.what for each in failures] == [*(f"no {n} (at i{n})." for n in range(3)), "It failed for 6 more."]
    assert [failure.do for failure in failures] == ["", "", "", MORE]


def test_loop_that_failed_as_a_whole_is_told_by_its_message():
    assert failures_of({"msg": "Task failed: bad loop", "results": []})[0].what == "bad loop"


def test_silent_computer_is_told_with_the_reason_of_ssh():
    message = (
        "Task failed: Failed to connect to the host via ssh: ssh: connect to host 127.0.0.1 port 9: Connection refused"
    )
    failures = unreachable("lab-1", {"unreachable": True, "msg": message})
    assert failures.what == "lab-1 cannot be reached."
    assert failures.why == "ssh: connect to host 127.0.0.1 port 9: Connection refused"
    assert unreachable("lab-1", {}).why


@pytest.mark.parametrize(
    ("said", "helps"),
    [
        (
            "ssh: connect to host 192.0.2.1 port 22: Connection timed out",
            "start the lab, which lets your present",
        ),
        ("Permissions 0644 for '/k' are too open.\nann@192.0.2.1: Permission denied (publickey).", "chmod 600"),
    ],
)
def test_a_host_that_drops_what_is_sent_and_a_key_that_is_open_are_told_with_what_helps(said, helps):
    message = f"Task failed: Failed to connect to the host via ssh: {said}"
    assert helps in unreachable("desi-desi", {"unreachable": True, "msg": message}).do


NO_INT = "and we were unable to convert to int: "
NO_BOOL = "and we were unable to convert to bool: The value 'maybe' is not a valid boolean. Valid booleans include: 0"
NO_LIST = "and we were unable to convert to list: <class 'dict'> cannot be converted to a list"
INT, ONE_OF = "give a whole number: -e {}=…", "choose one of them: -e {}"
SUITS = "There is no value that would suit everyone."


@pytest.mark.parametrize(("error", "what", "why", "do"), [
    (f"argument 'lab_port' is of type str {NO_INT}\"'abc'\" cannot be converted to an int",
     "The setting lab_port is not right.", "It has to be a whole number, but “abc” is not.", INT.format("lab_port")),
    (f"argument 'lab_port' is of type list {NO_INT}\"[1]\" cannot be converted to an int",
     "The setting lab_port is not right.", "It has to be a whole number, but it is a list.", INT.format("lab_port")),
    (f"argument 'lab_data_writable' is of type str {NO_BOOL}", "The setting lab_data_writable is not right.",
     "It has to be true or false, but “maybe” is not.", "give true or false: -e lab_data_writable=…"),
    ("value of lab_access must be one of: tunnel, direct, https, got: Tunel", "The setting lab_access is not right.",
     "“Tunel” is not one of tunnel, direct, https.", ONE_OF.format("lab_access=tunnel")),
    ("value of lab_rel must be one or more of: edr, dr1. Got no match for: dr9, dr8",
     "The setting lab_rel is not right.", "“dr9, dr8” is not one of edr, dr1.", ONE_OF.format("lab_rel=edr")),
    (f"Elements value for option 'lab_ports' is of type str {NO_INT}\"'b'\" cannot be converted to an int",
     "The setting lab_ports is not right.", "Each entry has to be a whole number, but “b” is not.",
     INT.format("lab_ports")),
    (f"argument 'a' is of type str found in 'lab_opts'. {NO_INT}\"'q'\" cannot be converted to an int",
     "The setting a in lab_opts is not right.", "It has to be a whole number, but “q” is not.", INT.format("lab_opts")),
    (f"argument 'lab_allow_from' is of type dict {NO_LIST}", "The setting lab_allow_from is not right.",
     "It has to be a list, but it is a mapping of names to values.", "give a list: -e lab_allow_from=…"),
    ("missing required arguments: lab_name", "The setting lab_name is missing.", SUITS, "give one: -e lab_name=…"),
    ("missing required arguments: name, uid found in lab_users", "The settings name, uid in lab_users are missing.",
     SUITS, "give one: -e lab_users=…"),
    ("lab_prot. Supported parameters include: lab_mount, lab_port.", "There is no setting lab_prot.",
     "Did you mean lab_port?", "write its name as the table of settings does"),
    ("parameters are mutually exclusive: a|b", "The settings do not fit together.",
     "Parameters are mutually exclusive: a|b.", "change one of them"),
])  # fmt: skip
def test_refused_setting_is_told_in_plain_words(error, what, why, do):
    assert setting(error) == Failure(what, why, do)


def test_every_refused_setting_is_told_once():
    nameless = "dictionary requested, could not parse JSON or key=value"
    errors = [
        nameless,
        f"argument 'lab_opts' is of type str and we were unable to convert to dict: {nameless}",
        "missing required arguments: lab_name",
        "missing required arguments: lab_name",
    ]
    failures = failures_of({"msg": "Validation of arguments failed:\n…", "argument_errors": errors})
    assert [failure.what for failure in failures] == [
        "The setting lab_opts is not right.",
        "The setting lab_name is missing.",
    ]
    assert failures_of({"argument_errors": [nameless]})[0].what


WARNINGS = [
    "[WARNING]: The data are old.\nOrigin: /x.yml:1:1\n\n1 - a",
    "The data are old.",
    "[WARNING]: Found variable using reserved name 'environment'.\nOrigin: <CLI option '-e'>",
    "[DEPRECATION WARNING]: old thing. This feature will be removed.",
]


def test_warnings_that_the_reader_can_act_on_are_told_once_and_all_on_request():
    assert own_warnings(WARNINGS, every=False) == ["The data are old."]
    failures = own_warnings(WARNINGS, every=True)
    assert (len(failures), failures[0].endswith("1 - a")) == (4, True)


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("desi.lab.docker : install | Install the packages", "Install the packages"),
        ("Open a:b | c", "c"),
        ("Image ghcr.io/x : y", "Image ghcr.io/x : y"),
        ("Validating arguments against arg spec 'main' - Docker", "Settings"),
        ("docker : Validating arguments against arg spec 'main' - Docker", "Settings"),
        ("Pull << error 1 - 'item' is undefined >>", "Pull …"),
    ],
)
def test_title_of_a_task_is_without_its_address(name, title):
    assert task_title(name) == title


def test_each_of_several_errors_is_shown():
    rows = [("A.", "B.", "C."), ("D.", "E.", "F.")]
    several = [{"msg": "x", **dict(zip(("what", "why", "do"), row, strict=True))} for row in rows]
    assert [tuple(each) for each in failures_of({**several[0], "errors": several})] == rows


@pytest.mark.parametrize(
    ("do", "shown"),
    [
        ("give another, for example", "Give another, for example"),
        ("enable it: aws account …", "Enable it: aws account …"),
        ("aws ec2 create-default-vpc", "aws ec2 create-default-vpc"),
        ("./lab start", "./lab start"),
        ("-e lab_port=8889", "-e lab_port=8889"),
        ("", ""),
    ],
)
def test_remedy_begins_as_a_sentence_does_unless_it_is_typed(do, shown):
    assert capital(Failure("A.", "B.", do)).do == shown


@pytest.mark.parametrize(
    ("message", "what"),
    [
        ("[Errno 28] No space left on device: '/var/tmp/x'", "The disk is full at /var/tmp/x."),
        ("Could not write: OSError: [Errno 28] No space left on device", "The disk is full."),
        ("[Errno 122] Disk quota exceeded: '/home/ann/w'", "The quota of this account is used up at /home/ann/w."),
        ("There was an issue: [Errno 30] Read-only file system: b'/h/a'", "Nothing can be written at /h/a: the file"),
        ("mkdir: cannot create directory \u2018/h/.a\u2019: Read-only file system", "Nothing can be written at /h/.a:"),
        ("[Errno 116] Stale file handle: '/net/w'", "The network folder is not what it was at /net/w."),
        ("500 Server Error: mkdir /var/lib/x: no space left on device", "The disk is full at /var/lib/x."),
        ("[Errno 5] Input/output error", "The disk cannot be read or written."),
    ],
)
def test_disk_that_fails_any_program_is_named(message, what):
    (found,) = failures_of({"failed": True, "msg": message})
    assert found.what.startswith(what)
    assert found.why.startswith("The system says: ")
    assert found.do
