# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Ansible wants the documentation above the imports

"""Output for people: a line for each step, and What, Why and Do for a failure."""

from __future__ import annotations

DOCUMENTATION = r"""
name: steps
type: stdout
short_description: Print a line for each step
version_added: "0.1.0"
description:
  - Shows a line for each step that M(desi.lab.report_step) announces, with the time that it took, and the box of
    M(desi.lab.box) at the end.
  - On a terminal, a running line tells what is under way. In a pipe or a file there is none.
  - If the run fails or is interrupted, what M(desi.lab.report_unfinished) has set comes last.
  - A failure is told as What, Why and Do. Failures that were ignored or rescued are not shown.
  - C(-v) adds a line for each task, all warnings, and the whole result of a failed task. C(-vvv) adds the results of
    all tasks.
  - With C(--check) each task that would change something is told.
  - Whatever is shown, all that happened is written to a log in the state folder of the person who works here, without
    secrets. The newest ones are kept. A failure tells where it is.
author:
  - The DESI Lab contributors (@desi-lab)
requirements:
  - Set as stdout callback in the configuration, as ansible.cfg of DESI Lab does.
options:
  quiet:
    description:
      - Print nothing on standard output but what M(desi.lab.report) says; failures go to standard error.
    type: bool
    default: false
    env:
      - name: DESI_LAB_QUIET
    ini:
      - section: callback_steps
        key: quiet
  document:
    description:
      - Print one JSON document at the end and nothing else on standard output, as if O(quiet) were set. It has
        C(verb), C(ok), C(changed), C(check), C(url) if there is one, C(steps), C(box) by its labels, C(notes) and
        C(failures).
    type: bool
    default: false
    env:
      - name: DESI_LAB_JSON
  clock:
    description:
      - Show on a terminal what is under way and for how long.
    type: bool
    default: true
    env:
      - name: DESI_LAB_CLOCK
    ini:
      - section: callback_steps
        key: clock
  log:
    description:
      - Keep a full log of the run in C($XDG_STATE_HOME/desi-lab), which is C(~/.local/state/desi-lab) if not set. A
        quiet run has none.
    type: bool
    default: true
    env:
      - name: DESI_LAB_LOG
    ini:
      - section: callback_steps
        key: log
"""

import atexit
import os
import shlex
import sys
import time
import typing as t
from pathlib import Path

from ansible import constants as C
from ansible import context
from ansible.plugins.callback import CallbackBase
from ansible.release import __version__
from ansible.utils import color

from ..module_utils._common.humanize import duration
from ..module_utils._common.run_log import RunLog, open_log
from ..module_utils._common.text import clean, clean_all
from ..plugin_utils._failures import Failure, capital, failures_of, own_warnings, task_title, unreachable
from ..plugin_utils._progress import Finished, Underway
from ..plugin_utils._run_document import BOX, SAY, STEP, RunDocument
from ..plugin_utils._screen import WARNINGS, Screen, Voice, share
from ..plugin_utils._terminal import (
    Paint,
    cell_lines,
    check_verdict,
    document,
    finding_lines,
    labeled,
    recap_lines,
    show_box,
    step_lines,
    wrap,
)

if t.TYPE_CHECKING:
    from ansible.executor.stats import AggregateStats
    from ansible.executor.task_result import CallbackTaskResult
    from ansible.inventory.host import Host
    from ansible.playbook import Playbook
    from ansible.playbook.play import Play
    from ansible.playbook.task import Task

FINDINGS = "desi.lab.report_findings"
UNFINISHED = "desi.lab.report_unfinished"
SPEAKERS = (STEP, BOX, SAY, FINDINGS, UNFINISHED)
DEBUG = ("debug", "ansible.builtin.debug", "ansible.legacy.debug")
WOULD = "would: "
DONE = "done: "
WORKERS = "desi_lab_workers"
PROMPTS = ("desi.lab.confirm", "pause", "ansible.builtin.pause", "ansible.legacy.pause")


class CallbackModule(CallbackBase):
    """Prints the run; texts and layout come from plugin_utils."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "desi.lab.steps"

    def __init__(self) -> None:
        super().__init__()
        self._log = RunLog(None, None, set())
        self._set_up(quiet=False, clock=False)
        self._began = self._last_step = time.monotonic()
        self._verb = ""
        self._play: Play | None = None
        self._hosts: set[str] = set()
        self._steps = self._would = 0
        self._announced: dict[tuple[str, str], str] = {}
        self._failed: set[str] = set()
        self._rescued: dict[str, list[str]] = {}
        self._left_out: set[str] = set()
        self._warnings: list[str] = []
        self._unfinished: list[tuple[str, str]] = []
        self._document: RunDocument | None = None

    def set_options(self, task_keys: object = None, var_options: object = None, direct: object = None) -> None:
        super().set_options(task_keys=task_keys, var_options=var_options, direct=direct)
        if self.get_option("document"):
            self.set_option("quiet", True)
            self._document = RunDocument()
        self._set_up(quiet=self.get_option("quiet"), clock=self.get_option("clock"))
        self._warnings = share(self._display, self._screen, to_stderr=self.get_option("quiet"), hear=self._hear)
        atexit.register(self._leave)

    def _set_up(self, quiet: bool, clock: bool) -> None:
        # Ansible parses NO_COLOR as a boolean; by convention any value means yes.
        colored = not os.environ.get("NO_COLOR") or C.config.get_config_value("ANSIBLE_FORCE_COLOR")
        can_redraw = sys.stdout.isatty() and os.environ.get("TERM") not in (None, "", "dumb")
        self._screen = Screen(sys.stdout, clock=clock and can_redraw and not quiet)
        # For filters in workers, which have no terminal.
        os.environ["DESI_LAB_COLUMNS"] = str(self._screen.columns)
        self._voice = Voice(
            self._screen,
            Screen(sys.stderr),
            Paint(bool(color.ANSIBLE_COLOR and colored and not quiet)),
            log=self._keep,
            quiet=quiet,
        )

    def v2_playbook_on_start(self, playbook: Playbook) -> None:
        self._verb = Path(playbook._file_name).stem
        if self.get_option("log") and not self.get_option("quiet"):
            self._log = open_log(os.environ, Path(playbook._file_name).stem, sys.argv[1:])
            self._log.write(f"Ansible {__version__}, Python {sys.version.split()[0]}: {shlex.join(sys.argv[1:])}")

    def _keep(self, text: str) -> None:
        """Write to the log of this run, and to Ansible's own."""
        self._log.write(text)
        self._display.display(text, log_only=True)

    def v2_playbook_on_play_start(self, play: Play) -> None:
        self._screen.run("")
        self._hosts.clear()
        first, self._play = self._play is None, play
        name = (play.name or "").strip()
        if name and name not in (",".join(play.hosts), play.hosts):
            self._voice.header = name
        if first:
            self._voice.show([])

    def v2_playbook_on_task_start(self, task: Task, is_conditional: bool) -> None:
        self._screen.run("" if task.action in PROMPTS else task_title(task.get_name()))

    def v2_playbook_on_handler_task_start(self, task: Task) -> None:
        self._screen.run(task_title(task.get_name()))

    def v2_playbook_on_vars_prompt(self, *args: object, **kwargs: object) -> None:
        self._screen.run("")

    def v2_runner_on_start(self, host: Host, task: Task) -> None:
        self._hosts.add(host.get_name())

    def v2_runner_retry(self, result: CallbackTaskResult) -> None:
        done, of = result.result.get("attempts", 0), result.result.get("retries", 0)
        self._screen.rename(f"{task_title(result.task_name)} (try {done + 1} of {of})")
        self._detail(result, f"try {done} of {of} failed")

    def v2_on_file_diff(self, result: CallbackTaskResult) -> None:
        if result.result.get("diff") and result.result.get("changed"):
            # Before coloring: hosts may have added control sequences.
            text = self._get_diff(clean_all(result.result["diff"])).rstrip("\n")
            if text:
                self._announce_change(result)
                self._voice.show([*("    " + line for line in text.split("\n")), ""])

    def v2_runner_on_ok(self, result: CallbackTaskResult) -> None:
        self._keep_warnings(result)
        if not (result.task.loop and "results" in result.result):
            self._speak(result)
        changed = bool(result.result.get("changed"))
        if changed and context.CLIARGS.get("check"):
            self._announce_change(result)
        self._detail(result, "changed" if changed else "ok")

    def v2_runner_item_on_ok(self, result: CallbackTaskResult) -> None:
        self._keep_warnings(result)
        self._speak(result)

    def v2_runner_on_skipped(self, result: CallbackTaskResult) -> None:
        self._keep_warnings(result)
        self._detail(result, "skipped")

    def v2_runner_on_failed(self, result: CallbackTaskResult, ignore_errors: bool = False) -> None:
        fate = "ignored" if ignore_errors else "rescued" if self._is_rescued(result) else ""
        self._failure(result, failures_of(result.result), fate)

    def v2_runner_on_unreachable(self, result: CallbackTaskResult) -> None:
        host = result.task_fields.get("delegate_to") or result.host.get_name()
        fate = "ignored" if result.task_fields.get("ignore_unreachable") else ""
        # The play goes on without a worker that is lost, and says so.
        if WORKERS in [group.name for group in result.host.get_groups()]:
            fate = "left out"
            self._left_out.add(result.host.get_name())
        self._failure(result, [unreachable(str(host), result.result)], fate)

    def v2_playbook_on_stats(self, stats: AggregateStats) -> None:
        figures = {host: stats.summarize(host) for host in sorted(stats.processed)}
        for host in self._left_out:
            figures[host]["unreachable"] = 0
        for host, figure in figures.items():
            # Report a failure that looked rescued, but failed the run.
            if figure["failures"] and host in self._rescued and host not in self._failed:
                self._voice.shout(self._rescued[host])
        self._voice.header = ""
        if not any(figure["failures"] or figure["unreachable"] for figure in figures.values()):
            self._unfinished.clear()
        self._leave()
        if self._document is not None:
            whole = self._document.whole(self._verb, figures, bool(context.CLIARGS.get("check")))
            self._screen.write(document(whole, self._screen.encoding))
        recap = recap_lines(figures, time.monotonic() - self._began)
        if self._failed and self._log.path:
            recap.insert(0, f"  All that happened is in {self._log.path}")
        self._voice.show(["", *self._verdict(figures), *(self._voice.paint(line, "dim") for line in recap)])

    def _verdict(self, figures: dict[str, dict[str, int]]) -> list[str]:
        if any(figure["failures"] or figure["unreachable"] for figure in figures.values()):
            return []
        if context.CLIARGS.get("check"):
            how = list(self._announced.values())
            return [check_verdict(self._would + how.count(WOULD), how.count(DONE))]
        changed = any(figure["changed"] for figure in figures.values())
        return ["  Nothing had to change."] if self._steps and not changed else []

    def _hear(self, word: str) -> bool:
        """Show progress of a running task."""
        if isinstance(word, Finished):
            self._voice.show(cell_lines(word, word.seconds, word.good, self._screen.width, self._voice.paint))
        elif isinstance(word, Underway):
            self._screen.rename(word)
        return isinstance(word, (Finished, Underway))

    def _speak(self, result: CallbackTaskResult) -> None:
        """Print the message of a step, box, report or debug task; secrets are not logged."""
        said = result.result.get("msg")
        if "censored" in result.result:
            return
        # What a run that ends early leaves is told in any case.
        if self._document is not None and result.task.action != UNFINISHED:
            self._document.collect(self._verb, result.task.action, result.result)
            return
        if result.task.action == STEP:
            self._step(result)
        elif result.task.action == UNFINISHED:
            self._unfinished = [(line["label"], line["text"]) for line in result.result.get("lines") or ()]
        elif result.task.action == BOX:
            self._voice.show(["", *show_box(said, self._screen.width, self._voice.paint), ""], secret=True)
        elif result.task.action == FINDINGS:
            for finding in result.result.get("findings") or ():
                self._voice.show(finding_lines(finding, self._screen.width, self._voice.paint))
            self._voice.show(["", f"  {result.result.get('summary')}"])
        elif result.task.action == SAY:
            text = document(said, self._screen.encoding) if result.result.get("json") else str(said)
            self._screen.write(text[:-1] if text.endswith("\n") else text)
        elif result.task.action in DEBUG:
            self._clean_results(result.result, result.task.action)
            rest = self._dump_results(result.result, serialize=False)
            text = rest["msg"] if isinstance(rest.get("msg"), str) else document(rest, self._screen.encoding)
            self._voice.show(wrap(clean(text), self._screen.width, indent=4))

    def _step(self, result: CallbackTaskResult) -> None:
        now = time.monotonic()
        mark, how, took = "✓", result.result.get("how") or "", duration(now - self._last_step)
        if result.result.get("changed") and context.CLIARGS.get("check"):
            mark, how, took = "~", f"would be {how or 'done'}", ""
            self._would += 1
        self._last_step = now
        self._steps += 1
        name = self._title(result, result.result.get("name", ""))
        self._voice.show(step_lines(name, how, took, self._screen.width, self._voice.paint, mark))

    def _announce_change(self, result: CallbackTaskResult) -> None:
        key = (result.task._uuid, result.host.get_name())
        if result.task.action in SPEAKERS or key in self._announced:
            return
        # A task may have ``check_mode: false``.
        how = "" if not context.CLIARGS.get("check") else DONE if not result.task_fields.get("check_mode") else WOULD
        self._announced[key] = how
        self._voice.show(step_lines(how + self._title(result), "", "", self._screen.width, self._voice.paint, "~"))

    def _detail(self, result: CallbackTaskResult, outcome: str, whole: bool = False) -> None:
        """Print details of a task on request, except for tasks that print their own message."""
        verbosity = self._display.verbosity
        if result.task.action not in SPEAKERS:
            about = f"TASK {self._title(result)}  {outcome}  {result.task.get_path()}"
            self._log.write(f"{about}\n{clean(self._dump_results(result.result, indent=1))}")
        if not verbosity or result.task.action in SPEAKERS or (result.task.action in DEBUG and not whole):
            return
        where = f"  {result.task.get_path()}" if verbosity > 1 else ""
        self._voice.show([self._voice.paint(f"  · {self._title(result)}  {outcome}{where}", "dim")])
        if verbosity > 2 or whole:
            trace = clean(str(result.result.get("exception", ""))) if verbosity > 2 else ""
            self._voice.show(
                [clean(self._dump_results(result.result, indent=4)), *([trace] if "Traceback" in trace else [])]
            )

    def _failure(self, result: CallbackTaskResult, failures: list[Failure], fate: str) -> None:
        self._keep_warnings(result)
        host, width, paint = result.host.get_name(), self._screen.width, self._voice.paint
        lines = step_lines(self._title(result), fate, "", width, paint, "✗")
        for number, failure in enumerate(failures):
            lines += [""] * (number > 0) + labeled(list(zip(("What", "Why", "Do"), capital(failure))), width, paint)
        if not fate:
            self._failed.add(host)
            if self._document is not None:
                self._document.fail(failures)
            self._voice.shout(lines)
        elif self._display.verbosity:
            self._voice.show(lines)
        if fate == "rescued":
            self._rescued[host] = lines
        self._detail(result, fate or "failed", whole=True)

    def _is_rescued(self, result: CallbackTaskResult) -> bool:
        """Return whether the failed task is in a block with a rescue, by ``ansible_failed_task``."""
        if self._play is None:
            return False
        manager = self._play.get_variable_manager()
        known = manager.get_vars(play=self._play, host=result.host, include_hostvars=False)
        failed = known.get("ansible_failed_task") or {}
        # Since 2.20, Ansible exposes all attributes of the task but its UUID.
        return failed["uuid"] == result.task._uuid if "uuid" in failed else failed == result.task.dump_attrs()

    def _title(self, result: CallbackTaskResult, name: str = "") -> str:
        where = f" ({result.host.get_name()})" if len(self._hosts) > 1 else ""
        return (name or task_title(result.task_name)) + where

    def _keep_warnings(self, result: CallbackTaskResult) -> None:
        self._warnings += [str(text) for text in result.result.get("warnings") or ()]
        self._warnings += [f"{WARNINGS[1]}{entry.get('msg')}" for entry in result.result.get("deprecations") or ()]

    def _leave(self) -> None:
        """Restore the terminal, and print the warnings and what an unfinished run leaves."""
        self._screen.close()
        for text in self._warnings:
            self._log.write(text)
        texts = own_warnings(self._warnings, every=self._display.verbosity > 0)
        self._warnings.clear()
        for text in texts:
            self._voice.show(["", *labeled([("!", text)], self._screen.width, self._voice.paint, indent=2)])
        if self._unfinished:
            lines = labeled(self._unfinished, self._screen.width, self._voice.paint)
            self._unfinished = []
            self._voice.shout(["", *lines])
