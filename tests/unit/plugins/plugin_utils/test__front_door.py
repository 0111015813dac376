# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The arguments of ./lab, in any order, and what is said about them."""

from __future__ import annotations

import errno
import json
import os
import pwd
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from ansible.cli.playbook import PlaybookCLI
from ansible.parsing.splitter import parse_kv

from ansible_collections.desi.lab.plugins.module_utils._common.text import shell_path
from ansible_collections.desi.lab.plugins.plugin_utils import _arguments, _front_door, _json_document
from ansible_collections.desi.lab.plugins.plugin_utils._front_door import (
    VERBS,
    Refused,
    answer,
    ask_password,
    check,
    command,
    parse,
    settings_of,
    verb_help,
)

ROOT = Path(__file__).parents[4]


@pytest.mark.parametrize(
    ("typed", "verb", "words", "options", "own"),
    [
        ("run -e lab_name=x NB.ipynb", "run", "NB.ipynb", "-e lab_name=x", ""),
        ("run NB.ipynb -elab_name=x --extra-vars=a=1", "run", "NB.ipynb", "-e lab_name=x --extra-vars a=1", ""),
        ("-vvKC -e lab_port=1 local", "local", "", "-v -v -C -e lab_port=1", "--ask-become-pass"),
        ("-vCelab_port=1 local", "local", "", "-v -C -e lab_port=1", ""),
        ("--json -v status", "status", "", "-v", "--json"),
        ("run -- -odd.ipynb", "run", "-odd.ipynb", "", ""),
        ("--ask-bec local --extra a=1", "local", "", "--extra-vars a=1", "--ask-become-pass"),
        ("logs -f --tail 5 -e lab_name=x", "logs", "", "-e lab_name=x", "--follow --tail 5"),
        ("-f logs", "logs", "", "", "--follow"),
        ("logs -vf", "logs", "", "-v", "--follow"),
        ("logs -fv --tail 5", "logs", "", "-v", "--follow --tail 5"),
        ("logs --foll", "logs", "", "", "--follow"),
        ("-f 3 local", "local", "", "-f 3", ""),
        ("shell -e lab_name=x -- ls -f logs", "shell", "ls -f logs", "-e lab_name=x", ""),
        ("shell ls /data -e lab_name=x -elab_where=here", "shell", "ls /data", "-e lab_name=x -e lab_where=here", ""),
        ("shell ls -e @mine.yml -e {}", "shell", "ls", "-e @mine.yml -e {}", ""),
        ("shell -e other=1 ls", "shell", "ls", "-e other=1", ""),
        ("shell -v ls -- -la", "shell", "ls -la", "-v", ""),
        ("--help", "", "", "", "--help"),
        ("url -h", "url", "", "", "--help"),
        ("", "", "", "", ""),
    ],
)  # fmt: skip
def test_options_and_words_come_in_any_order(typed, verb, words, options, own):
    asked = parse(typed.split())
    assert asked == (verb, tuple(words.split()), tuple(options.split()), tuple(own.split()))


@pytest.mark.parametrize(
    "path",
    [
        *("/a/b", "/a/b/", "/a/my data", "/a/it's", '/a/"b"', """/a/'b' "c" d's""", r"/a/b\tc", r"/a/b\ c", "/a/50% b"),
        *("/a/ü ñ 目", "/a/-b -c", "/a/b=c d=e", "/a/{b} c", "/a/$b `c`", "~/my data", "../my data", "-a b"),
    ],
)
def test_a_path_is_taken_as_it_is_written_whatever_is_in_it(path):
    typed = shlex.split(f"local -e lab_folder={shell_path(path)} -elab_data={shell_path(path)}")
    _e, folder, _e, data = parse(typed).options
    typed = shlex.split(f"local --extra-vars=lab_name=x\\ lab_folder={shell_path(path)}")
    _e, both = parse(typed).options
    assert as_ansible_reads(folder) | as_ansible_reads(data) == {"lab_folder": path, "lab_data": path}
    assert path == "-a b" or as_ansible_reads(both) == {"lab_name": "x", "lab_folder": path}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("lab_folder=/a b lab_name=x", {"lab_folder": "/a b", "lab_name": "x"}),
        ("lab_folder=/a b lab-name=x", {"lab_folder": "/a b", "lab-name": "x"}),
        ("Lab_Name=x lab_folder=/a b LAB_PORT=1", {"Lab_Name": "x", "lab_folder": "/a b", "LAB_PORT": "1"}),
        ("lab_folder='/a b' other=\"c d\"", {"lab_folder": "/a b", "other": "c d"}),
        ("lab_folder='/a lab_name=x'", {"lab_folder": "/a lab_name=x"}),
        (" lab_cache= lab_data='' ", {"lab_cache": "", "lab_data": ""}),
        ('{"lab_port": 1}', {"lab_port": 1}),
        # What is no setting of DESI Lab is read by Ansible alone.
        (r"other='a\x20b'", {"other": "a b"}),
        ("lab_folder /a", {"_raw_params": "lab_folder /a"}),
    ],
)
def test_settings_in_one_option_are_told_apart(text, found):
    assert as_ansible_reads(parse(["local", "-e", text]).options[1]) == found


def as_ansible_reads(text):
    return json.loads(text) if text.startswith("{") else parse_kv(text)


@pytest.mark.parametrize(
    ("typed", "what", "hint"),
    [
        ("statsu", "no verb statsu", "status"),
        ("lcoal -e lab_port=1", "no verb lcoal", "local"),
        ("zzz", "no verb zzz", "None has a similar name"),
        ("../../etc/x", "no verb", "./lab help"),
        ("local --chekc", "no option --chekc", "--check"),
        ("local -Z", "no option -Z", "-Z"),
        ("local -e", "needs a value", "-e VALUE"),
        ("local --check=1", "takes no value", "--check"),
        ("local --ask", "no option --ask", "--help"),
        ("url lab_name=x", "does not know what lab_name=x is", "-e lab_name=x"),
        ("run a.ipynb b.ipynb", "does not know what b.ipynb is", "./lab run --help"),
        ("logs --tail x", "--tail x", "--tail 100"),
        ("url --tail 5", "no option --tail", "./lab logs"),
        ("url --follow", "no option --follow", "./lab logs"),
        ("logs --follow=true", "--follow takes no value", "--follow alone"),
        ("shell --json", "no JSON", "status"),
        ("shell ls -la", "does not know what -la is", "./lab shell -- ls -la"),
        ("shell ls -e lab_name=x -la", "does not know what -la is", "./lab shell -- ls -e lab_name=x -la"),
        ("-e lab_name=x shell make -e A=1 all", "does not know what -e is", "-- make -e A=1 all"),
        ("shell grep --extra-vars a=b f", "what --extra-vars is", "-- grep --extra-vars a=b f"),
        ("shell grep -ea=b f", "what -ea=b is", "-- grep -ea=b f"),
        ("shell grep -e", "does not know what -e is", "-- grep -e"),
        ("help statsu", "no verb statsu", "status"),
    ],
)
def test_what_is_wrong_is_told_in_sentences(typed, what, hint):
    with pytest.raises(Refused) as refused:
        answer(parse(typed.split()), ROOT)
    told, why, do = refused.value.args
    assert what in told
    assert hint in f"{why} {do}"


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("-e", "lab_name=x", None),
        ("-e", "@{}/good.yml", None),
        ("-e", "@{}/vault.yml", None),
        ("-e", '{{"lab_name": "x"}}', None),
        ("-e", "@{}/tabs.yml", None),
        ("-e", "@{}/empty.yml", None),
        ("-e", "@{}/null.yml", "no names"),
        ("-i", "@{}/none.yml", None),
        ("-f", "3", None),
        ("-e", "@{}/none.yml", "No such file"),
        ("--extra-vars", "@{}", "Is a directory"),
        ("-e", "@{}/list.yml", "no names"),
        ("-e", "@{}/bad.yml", "not allowed"),
        ("-e", '{{"lab_name": ', "node"),
        ("-e", "@{}/pipe", "is a pipe"),
        ("-f", "0", "at least 1"),
        ("--forks", "x", "at least 1"),
        ("-T", "abc", "a number of seconds"),
        ("--timeout", "-5", "a number of seconds"),
    ],
)
def test_settings_that_cannot_be_read_are_told_before_ansible_starts(tmp_path, name, value, why):
    texts = {"good": "lab_name: !x y", "list": "- 1", "bad": "a: b: c", "vault": "$ANSIBLE_VAULT;1.1;AES256\n00"}
    texts |= {"tabs": '{\n\t"lab_name": "x"\n}\n', "null": "null", "empty": ""}
    os.mkfifo(tmp_path / "pipe")
    for stem, text in texts.items():
        (tmp_path / f"{stem}.yml").write_text(text)
    given = (name, value.format(tmp_path))
    if why is None:
        _front_door._arguments.check_options(given)
        return
    with pytest.raises(Refused) as caught:
        _front_door._arguments.check_options(given)
    assert (why in caught.value.args[1] or caught.value.args[1], len(caught.value.args)) == (True, 3)


@pytest.mark.parametrize(("name", "told"), [("a$HOME", "has a \\$ in"), ("[a]", "a \\[ in"), ("a\nb", "a line end")])
def test_clone_in_a_path_that_ansible_reads_as_something_else_is_refused(name, told):
    with pytest.raises(Refused, match=told):
        _front_door.check_place(Path("/home/ann") / name)


def test_current_folder_that_is_gone_is_refused(tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    _front_door.check_place(ROOT)
    (tmp_path / "gone").rmdir()
    with pytest.raises(Refused, match="is gone"):
        _front_door.check_place(ROOT)


def test_home_that_cannot_be_written_is_told_before_ansible_starts(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    _front_door.check_home(tmp_path / "new/.ansible")
    with pytest.raises(Refused, match="Not a directory"):
        _front_door.check_home(tmp_path / "file/.ansible")

    def full(**_options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(_front_door.tempfile, "TemporaryFile", full)
    with pytest.raises(Refused, match=f"No space left on device: {tmp_path}/.ansible/tmp"):
        _front_door.check_home(tmp_path / ".ansible")


@pytest.mark.parametrize("anothers", ["/.ansible", "/.ansible/tmp", ""])
def test_folder_of_another_user_in_the_home_is_told_with_how_to_have_it(tmp_path, monkeypatch, anothers):
    def denied(**_options):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(_front_door.tempfile, "TemporaryFile", denied)
    monkeypatch.setattr(_front_door, "_is_own", lambda path: not path.is_relative_to(f"{tmp_path}{anothers}"))
    with pytest.raises(Refused) as refused:
        _front_door.check_home(tmp_path / ".ansible")
    # A home that is not this user's is no reason to take it.
    assert (f'sudo chown -R "$USER" {tmp_path}/.ansible' in refused.value.args[2]) == bool(anothers)


@pytest.mark.parametrize(
    ("uid", "is_own", "kept"), [(0, False, "of root"), (0, True, "of HOME"), (1000, False, "of HOME")]
)
def test_root_keeps_no_files_of_ansible_in_the_home_of_another(monkeypatch, uid, is_own, kept):
    homes = {"of root": pwd.getpwuid(0).pw_dir, "of HOME": "/home/ann"}
    monkeypatch.setattr(os, "getuid", lambda: uid)
    monkeypatch.setattr(_front_door, "_is_own", lambda _path: is_own)
    found = _front_door.environment({"HOME": "/home/ann", "SUDO_UID": "1000"}, ROOT)
    assert (found["HOME"], found["ANSIBLE_HOME"]) == ("/home/ann", f"{homes[kept]}/.ansible")


def test_options_are_those_of_ansible_playbook():
    cli = PlaybookCLI(["ansible-playbook", "x"])
    cli.init_parser()
    takes = {name: action.nargs != 0 for action in cli.parser._actions for name in action.option_strings}
    assert {name: takes[name] for name in takes if name.startswith("--")} == {
        name: value for name, value in _arguments.LONG.items() if name not in ("--json", "--follow", "--tail")
    }
    assert {name[1:]: takes[name] for name in takes if name and not name.startswith("--")} == _arguments.SHORT


def test_there_is_a_verb_for_each_playbook():
    assert set(VERBS) - {"test"} == {path.stem for path in ROOT.glob("playbooks/*.yml")}


@pytest.mark.parametrize("verb", sorted(set(VERBS) - {"test"}))
def test_the_help_of_a_verb_has_its_settings_with_their_defaults(verb):
    text = verb_help(verb, ROOT, 100)
    assert VERBS[verb][1:] in text
    assert "  -e lab_name=desi\n" in text
    assert max(len(line) for line in text.splitlines()) <= 100
    assert not [line for line in text.splitlines() if "C(" in line or "V(" in line]


def test_settings_are_those_that_the_playbooks_hand_to_roles():
    options = yaml.safe_load((ROOT / "roles/lab/meta/argument_specs.yml").read_text())["argument_specs"]["main"]
    known = {name.removeprefix("lab_") for name in options["options"]}
    every = {verb: settings_of(ROOT / f"playbooks/{verb}.yml") & known for verb in VERBS if verb != "test"}
    assert {"data", "folder", "port", "memory"} <= every["local"]
    assert not {"instance_type", "data"} & every["url"]
    assert {"sync", "purge"} <= every["down"]
    assert known == set().union(*every.values())


def test_the_command_has_the_notebook_as_no_setting():
    words, added = command(parse(["run", "-e", "a=1", "{{ x }}.ipynb"]), Path("/clone"), "/clone/.venv/bin/python")
    assert added == {"DESI_LAB_NOTEBOOK": "{{ x }}.ipynb"}
    assert words[-3:] == ["/clone/playbooks/run.yml", "-e", "a=1"]
    assert "/clone/.venv/bin/ansible-playbook" in words


@pytest.mark.parametrize(("verb", "options"), [("status", ["-e", "desi_output=json"]), ("local", [])])
def test_json_is_a_verbs_own_or_that_of_what_the_run_told(verb, options):
    words, environment = command(parse([verb, "--json"]), ROOT, "/bin/python3")
    quiet = {"DESI_LAB_QUIET": "1", "ANSIBLE_VERBOSE_TO_STDERR": "true"}
    assert (environment, words[6:]) == ({**quiet, "DESI_LAB_JSON": "1"}, options)


TOLD = {"verb": "stop", "ok": False, "failures": [{"what": "No lab.", "why": "None was made.", "do": "Make one."}]}


@pytest.mark.parametrize(
    ("program", "code", "expected", "besides"),
    [
        (f"print({json.dumps(TOLD)!r})", 2, {**TOLD, "code": 2}, ""),
        ('print(\'{"labs": [{}], "é": 1}\')', 0, {"labs": [{}], "é": 1}, ""),
        ("print('used: x\\n{\\n  \"labs\": []\\n}\\nMETA: done')", 0, {"labs": []}, "used: x\nMETA: done\n"),
        ("print('playbook: x.yml')", 0, {"verb": "stop", "ok": True, "failures": [], "code": 0}, "playbook: x.yml\n"),
        ("print('{broken')", 4, {"verb": "stop", "ok": False, "code": 4}, "{broken\n"),
        ("os.kill(os.getpid(), 15)", 143, {"verb": "stop", "ok": False, "code": 143}, ""),
    ],
)
def test_there_is_one_document_whatever_a_verb_prints_and_however_it_ends(
    program, code, expected, besides, capfd, monkeypatch
):
    monkeypatch.setattr(signal, "signal", lambda *_words: None)
    words = [sys.executable, "-c", f"import os, sys; {program}; sys.exit({code})"]
    assert _json_document.one_document("stop", words, {**os.environ, "PYTHONUTF8": "1"}, ()) == code
    shown = capfd.readouterr()
    found = json.loads(shown.out)
    if "failures" in found and not expected.get("failures"):
        (failure,) = found.pop("failures") or [{}]
        expected.pop("failures", None)
        assert set(failure) == ({"what", "why", "do"} if code else set())
    assert (found, shown.err) == (expected, besides)


@pytest.mark.parametrize(
    ("arguments", "printed"),
    [
        (["url", "--json", "--bogus"], True),
        (["--js", "bogus"], True),
        (["logs", "--json"], True),
        (["help", "--json"], True),
        (["status", "--help", "--json"], True),
        (["--version", "--json"], True),
        (["url", "--bogus"], False),
        (["shell", "--bogus", "--", "--json"], False),
    ],
)
def test_what_the_front_door_refuses_is_a_document_for_programs(arguments, printed, capsys):
    assert _front_door.main(ROOT, sys.executable, arguments) == 1
    shown = capsys.readouterr()
    assert bool(shown.out) is printed
    if printed:
        assert json.loads(shown.out)["failures"][0]["why"] in shown.err


def test_json_of_no_verb_is_a_document_with_the_code_of_no_verb(capsys):
    assert _front_door.main(ROOT, sys.executable, ["--json"]) == 2
    found = json.loads(capsys.readouterr().out)
    assert (found["code"], found["ok"], found["failures"][0]["what"]) == (2, False, "./lab was given no verb.")


def test_a_verb_that_is_ended_from_outside_hears_of_it(tmp_path):
    verb = f"import pathlib, time; pathlib.Path({str(tmp_path / 'begun')!r}).touch(); time.sleep(60)"
    door = (
        f"import os, signal, sys; sys.path.append({str(Path(_front_door.__file__).parent)!r});"
        # What runs in the background of a shell's script inherits that it is ignored.
        "signal.signal(signal.SIGINT, signal.default_int_handler);"
        "import _json_document as door;"
        f"sys.exit(door.one_document('stop', [sys.executable, '-c', {verb!r}], os.environ, ()))"
    )
    with subprocess.Popen([sys.executable, "-c", door], stdout=subprocess.PIPE, start_new_session=True) as process:
        while not (tmp_path / "begun").exists():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        printed = process.communicate(timeout=30)[0]
    assert json.loads(printed)["code"] == process.returncode != 0


@pytest.fixture
def sudo(tmp_path, monkeypatch):
    """Return a function that puts a sudo on the PATH; the password that it takes is "right"."""

    def with_rule(free):
        (tmp_path / "sudo").write_text(
            f'#!/bin/sh\ncase "$*" in *-n*) exit {0 if free else 1};; esac\nread -r word\n[ "$word" = right ]\n'
        )
        (tmp_path / "sudo").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
        monkeypatch.setattr(os, "getuid", lambda: 1000)
        monkeypatch.setattr(_front_door.getpass, "getuser", lambda: "ann")

    return with_rule


@pytest.mark.parametrize(
    ("free", "typed", "password", "prompts"),
    [(True, [], "", 0), (False, ["right"], "right", 1), (False, ["wrong", "right"], "right", 2)],
)
def test_the_password_is_asked_for_only_where_sudo_wants_one(monkeypatch, sudo, free, typed, password, prompts):
    sudo(free)
    said, answers = [], iter(typed)
    monkeypatch.setattr(_front_door.getpass, "getpass", lambda text: said.append(text) or next(answers))
    assert ask_password(parse(["local", "-K"])) == password
    assert len(said) == prompts
    assert all("Password of ann on this computer" in text for text in said)


def test_a_wrong_password_and_no_terminal_are_told(monkeypatch, sudo):
    sudo(False)
    monkeypatch.setattr(_front_door.getpass, "getpass", lambda _text: "wrong")
    with pytest.raises(Refused, match="did not take the password of ann"):
        ask_password(parse(["local", "-K"]))

    def nobody(_text):
        raise EOFError

    monkeypatch.setattr(_front_door.getpass, "getpass", nobody)
    with pytest.raises(Refused, match="Nobody could be asked"):
        ask_password(parse(["local", "-K"]))


def test_check_takes_what_there_is():
    for verb in (*VERBS, "help"):
        check(parse([verb]))
