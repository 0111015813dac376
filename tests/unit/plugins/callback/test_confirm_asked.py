# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import termios
import time

import pytest

ASK = """
- name: Make a lab
  hosts: all
  gather_facts: false
  tasks:
    - name: Ask whether to go on
      desi.lab.confirm:
        question: Go on?
        would: delete it
      run_once: true
      register: go_on
    - name: Tell
      desi.lab.report:
        text: "asked={{ go_on.asked }} answer={{ go_on.answer }} changed={{ go_on is changed }}"
"""
QUESTION = "Go on? [y/N]"


def reply(run, typed):
    """Type while the question waits. What is typed in the very instant in which it comes, Ansible throws away."""
    assert run.read_until(r"Go on\? \[y/N\]")
    end = time.monotonic() + 60
    while not run.read_until("asked=", patience=0.1) and time.monotonic() < end:
        # Then each letter is read by itself, and none makes a signal.
        if not termios.tcgetattr(run.fd)[3] & termios.ISIG:
            run.type(typed)
            run.read_until("asked=", patience=2)


@pytest.mark.parametrize(("typed", "answer"), [("\r", False), ("x\x7fy\r", True), ("\x03", False)])
def test_question_is_asked_once_and_the_answer_counts(ansible, typed, answer):
    run = ansible(ASK, terminal=True)
    reply(run, typed)
    assert run.wait() == 0
    assert f"asked=True answer={answer} changed=False" in run.screen()
    assert run.screen().count(QUESTION) == 1


def test_one_person_is_asked_for_all_hosts(ansible):
    run = ansible(ASK, hosts=("one", "two", "three"), terminal=True)
    reply(run, "y\r")
    assert run.wait() == 0
    assert run.screen().count(QUESTION) == 1
    assert run.screen().count("asked=True answer=True") == 3


@pytest.mark.security("M3", "P10")
def test_where_nobody_is_at_a_terminal_nobody_is_asked_and_the_answer_is_no(ansible):
    run = ansible(ASK)
    assert run.returncode == 0
    assert "asked=False answer=False" in run.stdout
    assert QUESTION not in run.stdout + run.stderr
