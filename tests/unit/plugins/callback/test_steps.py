# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import json
import re
from pathlib import Path

import pytest

from ansible_collections.desi.lab.plugins.plugin_utils._front_door import command, parse

ROOT = Path(__file__).parents[4]
TOKEN = "6f1c" * 12
LAB = f"""
- name: "DESI Lab · {{{{ lab_name }}}}: synthetic data"
  hosts: all
  gather_facts: false
  vars:
    lab_name: demo
    environment: a reserved name
  tasks:
    - name: Announce the engine
      desi.lab.report_step:
        name: Docker Engine 20.10
        how: installed
        changed: "{{{{ fresh | default(false) | bool }}}}"
    - name: Announce the releases
      desi.lab.report_step:
        name: Release {{{{ item }}}}
      loop: [edr, dr1]
    - name: Show the box
      desi.lab.box:
        lines:
          - label: Open
            text: http://127.0.0.1:8888/lab?token={TOKEN}
          - label: Data
            text: /home/desidata/edr
            about: read-only
        notes: [The data are synthetic.]
    - name: Say the URL
      desi.lab.report:
        text: http://127.0.0.1:8888/lab?token={TOKEN}
    - name: Say the state
      desi.lab.report:
        data: {{labs: ["{{{{ lab_name }}}}", é], ports: [8888]}}
"""
FINDINGS = """
- name: DESI Lab · doctor
  hosts: all
  gather_facts: false
  tasks:
    - name: Show what was found
      desi.lab.report_findings:
        findings:
          - {check: engine, title: Docker Engine, verdict: ok, found: "27.3.1"}
          - {check: port, title: Port 8888, verdict: broken, found: taken, why: A lab wants it., do: take another}
"""
SHOWN = f"""DESI Lab · demo: synthetic data

  ✓ Docker Engine 20.10                     installed          N.N s
  ✓ Release edr                                                N.N s
  ✓ Release dr1                                                N.N s

  Open  http://127.0.0.1:8888/lab?token={TOKEN}
  Data  /home/desidata/edr      read-only

  The data are synthetic.

http://127.0.0.1:8888/lab?token={TOKEN}
{{
  "labs": [
    "demo",
    "é"
  ],
  "ports": [
    8888
  ]
}}

DESI Lab · doctor

  ✓ Docker Engine             27.3.1
  ✗ Port 8888                 taken
    Why  A lab wants it.
    Do   take another

  1 error.

  Nothing had to change.
  ok=6 changed=0 failed=0 · N.N s
"""


def timeless(text):
    text = re.sub(r"(?<=happened is in )\S+/\.local/state/desi-lab/\S+\.log", "LOG", text)
    return re.sub(r" ?\d+\.\d s", lambda found: "N.N s".rjust(len(found[0])), text)


def test_pipe_gets_plain_lines_and_the_person_alone_a_full_log_without_the_secret(ansible, tmp_path):
    run = ansible(LAB + FINDINGS)
    assert (timeless(run.stdout), run.stderr, run.returncode) == (SHOWN, "", 0)
    (log,) = (tmp_path / ".local/state/desi-lab").glob("*-site-*.log")
    assert log.stat().st_mode & 0o777 == 0o600
    text = log.read_text()
    assert "✓ Docker Engine 20.10" in text
    assert "changed=0" in text
    assert TOKEN not in text


def test_secret_is_said_once_and_logged_nowhere(ansible, tmp_path):
    run = ansible(LAB, "-vvv", ANSIBLE_LOG_PATH=str(tmp_path / "log"))
    assert (run.stdout + run.stderr).count(TOKEN) == 2  # the box and the text
    log = (tmp_path / "log").read_text()
    assert TOKEN not in log
    assert "✓ Docker Engine 20.10" in log
    assert "changed=0" in log
    assert "Callback dispatch" not in run.stdout + run.stderr


@pytest.mark.security("M7")
def test_log_tells_what_the_screen_does_not_and_no_password_that_was_typed(ansible, tmp_path):
    playbook = f"""
- hosts: all
  gather_facts: false
  tasks:
    - name: Ask quietly
      ansible.builtin.command: echo asked http://lab/?token={TOKEN}
      changed_when: false
    - name: Ask in secret
      ansible.builtin.command: echo hush
      changed_when: false
      no_log: true
    - name: Fail
      ansible.builtin.command: sh -c 'echo the reason >&2; exit 3'
"""
    run = ansible(playbook, "-e", "ansible_become_pass=hunter&2xyz")
    (log,) = (tmp_path / ".local/state/desi-lab").glob("*.log")
    text = log.read_text()
    assert "ansible_become_pass=<hidden>" in text
    assert "2xyz" not in text
    assert "TASK Ask quietly  ok" in text
    assert "asked http://lab/?token=<hidden>" in text
    assert "the reason" in text
    assert "hush" not in text
    assert TOKEN not in text
    assert "asked" not in run.stdout
    assert f"All that happened is in {log}" in run.stdout


def test_quiet_run_says_only_what_it_was_asked_to_say_and_is_not_logged(ansible, tmp_path):
    run = ansible(LAB, DESI_LAB_QUIET="1")
    url, document = run.stdout.split("\n", 1)
    assert url == f"http://127.0.0.1:8888/lab?token={TOKEN}"
    assert json.loads(document) == {"labs": ["demo", "é"], "ports": [8888]}
    ansible(LAB, DESI_LAB_LOG="false", ANSIBLE_STDOUT_CALLBACK="desi.lab.steps")
    assert not (tmp_path / ".local/state").exists()


def test_what_a_program_reads_is_the_same_however_much_is_printed(ansible):
    _words, added = command(parse(["url"]), ROOT, "/bin/python3")
    quiet, loud = ansible(LAB, **added), ansible(LAB, "-vvv", **added)
    assert (loud.stdout, "as config file" in loud.stderr) == (quiet.stdout, True)


def test_json_output_is_one_document(ansible):
    done = ansible(LAB.partition("    - name: Say the state")[0], "-e", "fresh=true", DESI_LAB_JSON="1")
    found = json.loads(done.stdout)
    assert {name: found[name] for name in ("verb", "ok", "changed", "check", "failures")} == {
        "verb": "site",
        "ok": True,
        "changed": True,
        "check": False,
        "failures": [],
    }
    assert [step["name"] for step in found["steps"]] == ["Docker Engine 20.10", "Release edr", "Release dr1"]
    url = f"http://127.0.0.1:8888/lab?token={TOKEN}"
    assert (found["url"], found["box"]) == (url, {"open": url, "data": "/home/desidata/edr"})
    assert found["notes"] == ["The data are synthetic."]


def test_document_of_a_run_that_failed_has_the_three_sentences(ansible):
    refused = {"desi.lab.refuse": {"what": "No lab.", "why": "None was made.", "do": "Make one."}}
    done = ansible(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": [refused]}]), DESI_LAB_JSON="1")
    found = json.loads(done.stdout)
    assert (done.returncode, found["ok"]) == (2, False)
    assert found["failures"] == [{"what": "No lab.", "why": "None was made.", "do": "Make one."}]
    assert "None was made." in done.stderr


WAIT = """
- name: Wait
  hosts: all
  gather_facts: false
  tasks:
    - name: sub | Build the image
      ansible.builtin.wait_for:
        path: "{{ playbook_dir }}/go"
        sleep: 1
    - name: Announce
      desi.lab.report_step:
        name: Image
        how: built
"""


def test_terminal_shows_a_clock_and_in_the_end_no_trace_of_it(ansible, tmp_path):
    run = ansible(WAIT, terminal=True)
    assert run.read_until(r"\r\x1b\[2K  … Build the image \d+ s")
    (tmp_path / "go").touch()
    assert run.wait() == 0
    assert "\x1b[32m✓\x1b[0m Image" in run.said
    assert re.fullmatch(
        r"Wait\n\n  ✓ Image {35}built +\d\.\d s\n\n  Nothing had to change\.\n  ok=2 changed=0 failed=0 · \d\.\d s\n",
        run.screen().replace("\x1b[1m", ""),
    )


def test_terminal_without_color_or_letters_gets_neither(ansible, tmp_path):
    (tmp_path / "go").touch()
    run = ansible(WAIT, terminal=True, NO_COLOR="please", PYTHONIOENCODING="ascii", DESI_LAB_CLOCK="false")
    assert run.wait() == 0
    assert "  + Image" in run.said
    assert "\x1b[" not in run.said
    assert run.said.isascii()


ASK = """
- name: Ask
  hosts: all
  gather_facts: false
  tasks:
    - name: Go on
      ansible.builtin.pause:
        prompt: Go on? [y/N]
    - name: Build
      ansible.builtin.command: sh -c 'touch begun; sleep 60'
      args: {chdir: "{{ playbook_dir }}"}
      changed_when: true
"""


def test_clock_pauses_for_a_question_and_is_cleared_on_interrupt(ansible, tmp_path):
    run = ansible(ASK, terminal=True)
    assert run.read_until(r"Go on\? \[y/N\]")
    assert not run.read_until("…", patience=1.5)
    run.type("y\r")
    assert run.read_until("… Build") and run.read_until_there_is(tmp_path / "begun")
    run.type("\x03")
    assert run.wait() != 0
    assert "User interrupted" in run.said
    assert "…" not in run.screen()


FAIL = """
- name: Failures
  hosts: all
  gather_facts: false
  tasks:
    - name: image | Pull the image
      ansible.builtin.fail:
        msg: |
          What  The image could not be pulled.
          Why   The registry ghcr.io cannot be reached from this computer (name not resolved).
          Do    check the network or proxy · another image: -e lab_image=desidocker · build one: -e lab_image=embedded
      when: inventory_hostname == 'told'
    - name: Run it
      ansible.builtin.command: sh -c 'echo stopped >&2; exit {{ item }}'
      loop: [0, 3]
      changed_when: false
      when: inventory_hostname == 'loop'
    - name: Reach it
      ansible.builtin.ping:
      vars: {ansible_connection: ssh, ansible_host: 127.0.0.1, ansible_port: 1}
      when: inventory_hostname == 'away'
    - name: Keep a secret
      ansible.builtin.fail: {msg: hush}
      no_log: true
      when: inventory_hostname == 'hidden'
    - name: Ignore it
      ansible.builtin.fail: {msg: nobody sees this}
      ignore_errors: true
    - name: Try it
      when: inventory_hostname in ('saved', 'lost')
      block:
        - name: Try the first way
          block:
            - name: Fail the first way
              ansible.builtin.fail: {msg: nobody sees this}
          always:
            - name: Clean up
              ansible.builtin.command: "true"
              changed_when: false
      rescue:
        - name: Try the second way
          ansible.builtin.fail: {msg: both ways are shut}
          when: inventory_hostname == 'lost'
"""
FAILED = """Failures

  ✗ Pull the image (told)
    What  The image could not be pulled.
    Why   The registry ghcr.io cannot be reached from this computer (name not resolved).
    Do    Check the network or proxy · another image: -e lab_image=desidocker · build one:
          -e lab_image=embedded

  ✗ Run it (loop)
    What  A command failed with exit code 3: sh -c echo stopped >&2; exit 3
    Why   stopped
    Do    Run it again with -v to see all of it

  ✗ Reach it (away)
    What  away cannot be reached.
    Why   ssh: connect to host 127.0.0.1 port 1: Connection refused
    Do    Check that it runs and that your network lets you reach it, then try again · -v shows all

  ✗ Keep a secret (hidden)
    What  It failed.
    Why   The reason is kept back, because it may hold a secret.
    Do    Run it again with -v to see what came before

  ✗ Try the second way (lost)
    What  both ways are shut
    Do    Run it again with -v to see all of it

  All that happened is in LOG
  away    ok=0 changed=0 failed=0 unreachable=1
  hidden  ok=0 changed=0 failed=1
  loop    ok=0 changed=0 failed=1
  lost    ok=2 changed=0 failed=1
  saved   ok=2 changed=0 failed=0
  told    ok=0 changed=0 failed=1 · N.N s
"""
HOSTS = ("told", "loop", "away", "hidden", "saved", "lost")


def test_failures_are_told_in_three_sentences_and_only_if_they_count(ansible):
    run = ansible(FAIL, hosts=HOSTS)
    assert timeless(run.stdout) == FAILED
    assert run.stderr == ""
    assert run.returncode == 4


def test_quiet_failure_goes_to_standard_error(ansible):
    run = ansible(FAIL, hosts=("told",), DESI_LAB_QUIET="1")
    assert run.stdout == ""
    assert run.stderr.startswith("  ✗ Pull the image\n    What  The image could not be pulled.\n")
    assert run.returncode == 2


def test_everything_is_shown_on_request_but_what_is_hidden(ansible):
    run = ansible(FAIL, "-vvv", hosts=("saved", "hidden"))
    assert "✗ Ignore it (saved)" in run.stdout
    assert re.search(r"✗ Fail the first way \(saved\) +rescued", run.stdout)
    assert '"msg": "nobody sees this"' in run.stdout
    assert "Pull the image (saved)  skipped" in run.stdout
    assert "hush" not in run.stdout + run.stderr


PLAYS = """
- name: First play
  hosts: all
  gather_facts: false
  handlers:
    - name: Restart
      desi.lab.report_step: {name: Restarted}
  tasks:
    - name: Change something
      ansible.builtin.file:
        path: "{{ playbook_dir }}/flag"
        state: directory
        mode: "0755"
      notify: Restart
    - name: Hide what is said
      desi.lab.report: {text: hush}
      no_log: true
    - name: Show nothing
      desi.lab.box: {lines: []}
      no_log: true
    - name: Go elsewhere
      ansible.builtin.include_tasks: more.yml
- hosts: all
  gather_facts: false
  tasks:
    - desi.lab.report_step: {name: Of a play without a name}
- name: Play in which nothing is said
  hosts: all
  gather_facts: false
  tasks:
    - name: Think
      ansible.builtin.set_fact: {thought: true}
"""
MORE = """
- name: Try again
  ansible.builtin.command: sh -c 'test -e again || { touch again; exit 1; }'
  args: {chdir: "{{ playbook_dir }}"}
  changed_when: false
  register: tried
  retries: 2
  delay: 0
  until: tried is success
- name: Tell a debugger
  ansible.builtin.debug:
    msg: "tried {{ tried.attempts }} times"
- name: Announce
  desi.lab.report_step: {name: Of a file}
"""


def test_plays_handlers_and_included_files_are_told_in_their_order(ansible, tmp_path):
    (tmp_path / "more.yml").write_text(MORE)
    run = ansible(PLAYS)
    assert re.sub(r" +N.N s", " N.N s", timeless(run.stdout)) == (
        "First play\n\n"
        "    tried 2 times\n"
        "  ✓ Of a file N.N s\n"
        "  ✓ Restarted N.N s\n"
        "  ✓ Of a play without a name N.N s\n\n"
        "  ok=10 changed=1 failed=0 · N.N s\n"
    )
    assert run.stderr == ""


CHECK = """
- name: Check
  hosts: all
  gather_facts: false
  tasks:
    - name: Write the settings
      ansible.builtin.copy:
        content: "port: 8888\\n"
        dest: "{{ playbook_dir }}/{{ item }}"
        mode: "0644"
      loop: [a, b]
      notify: Take the settings in
    - name: Look around
      ansible.builtin.command: "true"
      changed_when: false
      check_mode: false
    - name: Announce
      desi.lab.report_step:
        name: Settings
        how: written
        changed: true
  handlers:
    - name: Take the settings in
      ansible.builtin.file:
        path: "{{ playbook_dir }}/c"
        state: directory
        mode: "0755"
"""


def test_check_mode_tells_what_would_be_done_and_does_nothing(ansible, tmp_path):
    run = ansible(CHECK, "--check", "--diff")
    lines = run.stdout.split("\n")
    assert lines[:4] == ["Check", "", "  ~ would: Write the settings", "    --- before"]
    assert run.stdout.count("    +port: 8888\n") == 2
    assert run.stdout.count("would: Write the settings") == 1
    assert "  ~ Settings                                would be written\n" in run.stdout
    assert "  ~ would: Take the settings in\n" in run.stdout
    assert "  Check only: 3 steps would change something.\n  ok=4 changed=3 failed=0" in run.stdout
    assert [path.name for path in tmp_path.glob("[abc]")] == []


UNFINISHED = """
- name: DESI Lab · ec2
  hosts: all
  gather_facts: false
  tasks:
    - name: Set what is reported if the launch ends
      desi.lab.report_unfinished:
        lines: [{label: Runs, text: perhaps a machine}]
    - name: Set what is reported if the rest ends
      desi.lab.report_unfinished:
        lines:
          - {label: Runs, text: "machine i-1, 0.17 USD an hour"}
          - {label: End, text: ./lab down}
    - name: Install the engine
      ansible.builtin.command: "{{ command }}"
"""
LEFT = "    Runs  machine i-1, 0.17 USD an hour\n    End   ./lab down\n"


def test_what_a_failed_run_leaves_is_told_and_a_good_one_has_left_nothing(ansible):
    assert LEFT in ansible(UNFINISHED, "-e", "command=false").stdout
    assert "Runs" not in ansible(UNFINISHED, "-e", "command=true").stdout


def test_what_an_interrupted_run_leaves_is_the_last_that_it_says(ansible, tmp_path):
    begun = tmp_path / "begun"
    command = json.dumps({"command": f"sh -c 'touch {begun}; sleep 60'"})
    run = ansible(UNFINISHED, "-e", command, terminal=True, NO_COLOR="1")
    assert run.read_until_there_is(begun)
    run.type("\x03")
    assert run.wait() == 99
    assert run.said.replace("\r", "").rstrip().endswith(LEFT.rstrip())
