# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ansible's failed results, explained as What, Why and Do."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from ..module_utils._common.text import clean, nearest, one_line
from ..module_utils._ssh.diagnosis import KEY_FILE, SILENT, classify
from ._terminal import cut

MORE = "run it again with -v to see all of it"
ITEMS_SHOWN = 3
LINES_SHOWN = 5

_ROW = re.compile(r"(What|Why|Do)(?::[ \t]*|[ \t]{2,})(.*)")
_PREFIX = re.compile(r"^(?:(?:Task|Module|Action) failed: )+")
_TRACEBACK = "Traceback (most recent call last)"
_UNREADABLE = "Module result deserialization failed"

_KINDS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "str": "a text",
    "path": "a path",
    "list": "a list",
    "dict": "a mapping of names to values",
    "bytes": "a size such as 10G",
}
_NOT_A_KIND = re.compile(
    r"argument '(?P<name>[^']+)' is of type (?P<was>\w+)(?: found in '(?P<within>[^']+)'\.)?"
    r" and we were unable to convert to (?P<kind>\w+): (?P<detail>.*)",
    re.DOTALL,
)
_ENTRY_NOT_A_KIND = re.compile(
    r"Elements value for option '(?P<name>[^']+)' is of type (?P<was>\w+)"
    r" and we were unable to convert to (?P<kind>\w+): (?P<detail>.*)",
    re.DOTALL,
)
_NOT_A_CHOICE = re.compile(r"value of (?P<name>\S+) must be one of: (?P<known>.*), got: (?P<given>.*)", re.DOTALL)
_NOT_CHOICES = re.compile(
    r"value of (?P<name>\S+) must be one or more of: (?P<known>.*)\. Got no match for: (?P<given>.*)", re.DOTALL
)
_MISSING = re.compile(r"missing required arguments: (?P<names>.*?)(?: found in (?P<within>\S+))?$")
_UNKNOWN = re.compile(r"(?P<names>.*)\. Supported parameters include: (?P<known>.*)\.$", re.DOTALL)
_VALUE = re.compile(r"""^"'(.*)'" cannot be|^The value '(.*)' is not""", re.DOTALL)
_WITHOUT_A_NAME = "dictionary requested, could not parse JSON or key=value"

# What every program may say of a disk: which, what of it, and what to do. The path is the one that is named last.
_ROOM = "make room there (df -h shows how full each disk is), or use a folder on another disk"
_DISKS = (
    (r"No space left on device|\[Errno 28\]", "The disk is full{at}.", _ROOM),
    (r"Disk quota exceeded|\[Errno 122\]", "The quota of this account is used up{at}.", _ROOM),
    (
        r"Read-only file system|\[Errno 30\]",
        "Nothing can be written{at}: the file system is read-only.",
        "use a folder on another disk, or have it mounted writable; a disk with errors becomes read-only, too (dmesg)",
    ),
    (
        r"Stale (?:NFS )?file handle|\[Errno 116\]",
        "The network folder is not what it was{at}.",
        "have it mounted again, or use a folder on another disk",
    ),
    (r"Input/output error|\[Errno 5\]", "The disk cannot be read or written{at}.", "see what it says: dmesg | tail"),
)
# In quotes as Python and the shell's tools write it, or behind a verb as Docker does.
_NAMED_PATH = re.compile(r"""(?:["'\u2018]|\b(?:mkdir|open|write|copy|rename|link) )(/[^"'\u2019\s:]+)""")

_WARNING_MARK = re.compile(r"^\[WARNING\]: ")
_STOCK_WARNINGS = re.compile(
    "|".join(
        (
            r"^\[DEPRECATION WARNING\]",
            "provided hosts list is empty",
            "No inventory was parsed",
            "Could not match supplied host pattern",
            r"Encountered \d+ template error",
            "Found variable using reserved name",
            "is using the discovered Python interpreter",
            "Deprecation warnings can be disabled",
            "was found in .* collections? path|Another version of",
            "does not support Ansible version",
            "Consider using the .* module rather than running",
        )
    )
)


class Failure(NamedTuple):
    """What happened, why, and what to do; unknown sentences are empty."""

    what: str
    why: str = ""
    do: str = ""


def failures_of(result: Mapping[str, object]) -> list[Failure]:
    """Return the errors in the result of a failed task."""
    items = result.get("results")
    if isinstance(items, list):
        bad = [item for item in items if isinstance(item, Mapping) and _is_bad(item)]
        failures = [_of_item(failure, item) for item in bad[:ITEMS_SHOWN] for failure in failures_of(item)]
        if len(bad) > ITEMS_SHOWN:
            failures.append(Failure(f"It failed for {len(bad) - ITEMS_SHOWN} more.", do=MORE))
        if failures:
            return [each._replace(do="") if each.do == MORE else each for each in failures[:-1]] + failures[-1:]
    if result.get("_ansible_no_log") or "censored" in result:
        hidden = "The reason is kept back, because it may hold a secret."
        return [Failure("It failed.", hidden, "run it again with -v to see what came before")]
    errors = result.get("argument_errors")
    if isinstance(errors, list) and errors:
        named = [str(error) for error in errors if error != _WITHOUT_A_NAME]
        return list(dict.fromkeys(setting(error) for error in named or [_WITHOUT_A_NAME]))
    several = result.get("errors")
    if isinstance(several, list) and result.get("what"):
        return [found for each in several if isinstance(each, Mapping) and (found := _ready_made(each))]
    return [_ready_made(result) or _any(result)]


def unreachable(host: str, result: Mapping[str, object]) -> Failure:
    """Return the error for an unreachable host."""
    ready = _ready_made(result)
    if ready:
        return ready
    reason = _PREFIX.sub("", _text(result.get("msg")))
    reason = reason.split("via ssh: ", 1)[-1].strip()
    do = "check that it runs and that your network lets you reach it, then try again · -v shows all"
    kind = classify(reason).kind
    if kind == SILENT:
        do = "start the lab, which lets your present address in, then try again · -v shows all"
    elif kind == KEY_FILE:
        do = "make the private key that it names yours alone (chmod 600), then try again · -v shows all"
    return Failure(f"{host} cannot be reached.", _last_lines(reason) or "It did not say why.", do)


def setting(error: str) -> Failure:
    """Return an argument validation error in plain words."""
    found = _NOT_A_KIND.match(error) or _ENTRY_NOT_A_KIND.match(error)
    if found:
        parts = found.groupdict()
        within = f" in {parts['within']}" if parts.get("within") else ""
        kind, was = (_KINDS.get(parts[key], parts[key]) for key in ("kind", "was"))
        value = _VALUE.search(parts["detail"])
        given = (value.group(1) or value.group(2) or "") if value else None
        is_now = f"“{cut(one_line(given), 60)}” is not" if given is not None else f"it is {was}"
        subject = "Each entry" if error.startswith("Elements") else "It"
        return Failure(
            f"The setting {parts['name']}{within} is not right.",
            f"{subject} has to be {kind}, but {is_now}.",
            f"give {kind}: -e {within[4:] or parts['name']}=…",
        )
    found = _NOT_A_CHOICE.match(error) or _NOT_CHOICES.match(error)
    if found:
        name, given = found["name"], found["given"]
        known = found["known"].split(", ")
        near = nearest(given, known, cutoff=0.5) or known
        return Failure(
            f"The setting {name} is not right.",
            f"“{cut(one_line(given), 60)}” is not one of {', '.join(known)}.",
            f"choose one of them: -e {name}={near[0]}",
        )
    found = _MISSING.match(error)
    if found:
        names = found["names"].split(", ")
        within = f" in {found['within']}" if found["within"] else ""
        return Failure(
            f"{_settings(names)}{within} {'is' if len(names) == 1 else 'are'} missing.",
            "There is no value that would suit everyone.",
            "give one: " + " ".join(f"-e {name}=…" for name in ([found["within"]] if within else names)),
        )
    found = _UNKNOWN.match(error)
    if found:
        given, known = found["names"], found["known"].split(", ")
        near = nearest(given.rsplit(".", 1)[-1], known)
        return Failure(
            f"There is no setting {given}.",
            f"Did you mean {near[0]}?" if near else f"Known here: {', '.join(known)}.",
            "write its name as the table of settings does",
        )
    return Failure("The settings do not fit together.", _sentence(error), "change one of them")


def own_warnings(texts: Iterable[str], every: bool) -> list[str]:
    """Return the warnings that a reader can act on, once each; with ``every``, all in full."""
    if not every:
        texts = (text.split("\nOrigin:")[0] for text in texts if not _STOCK_WARNINGS.search(text))
    return [text for text in dict.fromkeys(_WARNING_MARK.sub("", text).strip() for text in texts) if text]


def task_title(name: str) -> str:
    """Return the title of a task without its role and file prefixes."""
    name = re.sub(r"^\S+ : ", "", name)
    if name.startswith("Validating arguments against arg spec"):
        return "Settings"
    return one_line(re.sub(r"<< error \d+ - .*? >>", "…", name).split(" | ")[-1])


def _ready_made(result: Mapping[str, object]) -> Failure | None:
    if result.get("what"):
        return Failure(*(_text(result.get(key)) for key in ("what", "why", "do")))
    return _parsed(_text(result.get("msg")))


def _parsed(message: str) -> Failure | None:
    rows: dict[str, str] = {}
    current = ""
    for line in clean(message).strip().splitlines():
        row = _ROW.match(line.strip())
        if row and row[1] not in rows:
            current = row[1]
            rows[current] = row[2]
        elif not current:
            return None
        elif line.strip():
            rows[current] += " " + line.strip()
    if "What" not in rows:
        return None
    return Failure(*(rows.get(key, "").strip() for key in ("What", "Why", "Do")))


def _any(result: Mapping[str, object]) -> Failure:
    message = _without_traceback(_PREFIX.sub("", _text(result.get("msg") or result.get("reason"))))
    disk = _of_disk(message)
    if disk:
        return disk
    output = next(
        (text for key in ("stderr", "module_stderr", "stdout", "module_stdout") if (text := _text(result.get(key)))), ""
    )
    why = _last_lines(_without_traceback(output))
    why = "" if why in message else why
    command = result.get("cmd")
    if command and result.get("rc") not in (None, 0):
        words = " ".join(str(word) for word in command) if isinstance(command, list) else str(command)
        what = f"A command failed with exit code {result['rc']}: {cut(one_line(words), 200)}"
        return Failure(what, why or _last_lines(message), MORE)
    if message.startswith(_UNREADABLE):
        return Failure("The task ended without an answer.", why or _last_lines(message), MORE)
    return Failure("\n".join(message.splitlines()[:LINES_SHOWN]) or "It failed without a word.", why, MORE)


def _of_disk(message: str) -> Failure | None:
    for pattern, what, do in _DISKS:
        found = re.search(pattern, message, re.IGNORECASE)
        if found:
            near = message[max(0, found.start() - 300) : found.end() + 300]
            paths = _NAMED_PATH.findall(near)
            said = message[found.start() :].splitlines()[0]
            at = f" at {paths[-1]}" if paths else ""
            if do == _ROOM and "/docker/" in at:
                # A prune of the whole system would take labs that are stopped.
                do = "see what Docker keeps there (docker system df), and remove old images: docker image prune"
            return Failure(what.format(at=at), f"The system says: {cut(one_line(said), 200)}", do)
    return None


def _is_bad(item: Mapping[str, object]) -> bool:
    # Since 2.21, items have no ``failed``, but ``exception``.
    bad = item.get("failed") or item.get("unreachable") or ("failed" not in item and "exception" in item)
    return bool(item.get("failed_when_result", bad))


def _of_item(failure: Failure, item: Mapping[str, object]) -> Failure:
    label = item.get("_ansible_item_label", item.get("item"))
    if not isinstance(label, (str, int, float)) or str(label) in failure.what or item.get("_ansible_no_log"):
        return failure
    return failure._replace(what=f"{failure.what.rstrip('.')} (at {cut(one_line(str(label)), 60)}).")


def _text(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return "\n".join(_text(entry) for entry in value)
    return "" if value is None else clean(str(value)).strip()


def _last_lines(text: str) -> str:
    return "\n".join([line for line in text.splitlines() if line.strip()][-LINES_SHOWN:])


def _without_traceback(text: str) -> str:
    if _TRACEBACK not in text:
        return text
    before, after = text.split(_TRACEBACK, 1)
    verdict = after.strip().splitlines()[-1:]
    return "\n".join(filter(None, [before.strip(), *verdict]))


def _settings(names: list[str]) -> str:
    return f"The setting {names[0]}" if len(names) == 1 else f"The settings {', '.join(names)}"


# What a remedy may begin with as it is typed.
_TYPED = {"ansible-playbook", "aws", "df", "docker", "du", "export", "git", "journalctl", "pip", "rm", "ssh", "sudo"}


def capital(failure: Failure) -> Failure:
    """Return a failure whose remedy begins as a sentence does, unless it is a command."""
    first = failure.do.partition(" ")[0]
    is_word = first.rstrip(",:").isalpha() and first not in _TYPED
    return failure._replace(do=failure.do[:1].upper() + failure.do[1:]) if is_word else failure


def _sentence(text: str) -> str:
    text = one_line(text)
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")
