# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Collection of bug report data, and of all secrets that it may contain."""

from __future__ import annotations

import configparser
import contextlib
import json
import os
import platform
import pwd
import re
import socket
import subprocess
import typing as t
from pathlib import Path
from urllib.parse import unquote

from .._common.network import PROXY_NAMES
from .._common.privileges import as_caller
from .._common.redact import credentials, secrets_in
from .._common.run_log import state_directory
from .._lab.labels import NAME
from .bundle_redact import Cleaner

Environment = t.Mapping[str, str]

LOGS = 3
PATIENCE_SECONDS = 5.0
RUN_DIRECTORY = Path("/run/desi-lab")
UNITS = "desi-lab-*.service"
_UNIT = ("Id", "LoadState", "ActiveState", "SubState", "Result", "ExecMainStatus", "NRestarts", "StateChangeTimestamp")
_NETWORK = (["ip", "-brief", "address"], ["ip", "route"], ["ip", "-6", "route"], ["uname", "-srm"])
_NAMES = (*PROXY_NAMES, "no_proxy", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_MORE_NAMES = ("AWS_CA_BUNDLE", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "DOCKER_HOST", "DOCKER_CONTEXT")


def said(command: t.Sequence[str]) -> str:
    """Return the output of a command with its errors, or why there is none."""
    try:
        done = subprocess.run(
            command, check=False, capture_output=True, timeout=PATIENCE_SECONDS, stdin=subprocess.DEVNULL
        )
    except OSError as error:
        return f"({command[0]}: {error.strerror})\n"
    except subprocess.TimeoutExpired:
        return f"({command[0]}: no answer within {PATIENCE_SECONDS:g} s)\n"
    return (done.stdout + done.stderr).decode(errors="replace")


def read(path: Path) -> str:
    """Return a text file, read with the rights of the caller; empty if it cannot be read."""
    with contextlib.suppress(OSError), as_caller(os.environ):
        return path.read_text(errors="replace")
    return ""


def logs(environment: Environment) -> dict[str, str]:
    """Return the full logs of the last runs, without the doctor's own."""
    directory = state_directory(environment, os.geteuid())
    files: list[Path] = []
    if directory is not None:
        with contextlib.suppress(OSError), as_caller(environment):
            files = sorted(path for path in directory.glob("*.log") if "-doctor-" not in path.name)
    return {f"logs/{path.name}": text for path in files[-LOGS:] if (text := read(path))}


def containers() -> list[dict[str, t.Any]]:
    """Return our containers, inspected."""
    ids = list(said(["docker", "ps", "--all", "--quiet", "--filter", f"label={NAME}"]).split())
    good = [word for word in ids if re.fullmatch(r"[0-9a-f]{12,64}", word)]
    if not good:
        return []
    try:
        found = json.loads(said(["docker", "container", "inspect", *good]))
    except ValueError:
        return []
    return [item for item in found if isinstance(item, dict)]


def mounts_text(directory: str, cleaner: Cleaner) -> str:
    """Return the state of our mounts: mountinfo, units, and the ends of logs, which are cleaned before they are cut."""
    table = read(Path("/proc/self/mountinfo")).splitlines()
    lines = [line for line in table if directory in line or "desi-lab" in line]
    units = sorted(path.name for path in Path("/etc/systemd/system").glob(UNITS))
    parts = [f"$ mountinfo\n{chr(10).join(lines)}\n"]
    for unit in units:
        words = [f"--property={name}" for name in _UNIT]
        parts.append(f"$ systemctl show {unit}\n{said(['systemctl', 'show', *words, unit])}")
        parts.append(f"$ journalctl {unit}\n{said(['journalctl', '-u', unit, '-n', '60', '--no-pager', '-o', 'cat'])}")
    with contextlib.suppress(OSError):
        parts += [
            f"$ tail {path}\n{cleaner.clean(read(path))[-8000:]}" for path in sorted(RUN_DIRECTORY.rglob("*.log"))
        ]
    return "\n".join(parts)


def network_text(environment: Environment) -> str:
    """Return network facts that affect access."""
    parts = [f"$ {' '.join(command)}\n{said(command)}" for command in _NETWORK]
    parts.append(f"$ /etc/resolv.conf\n{read(Path('/etc/resolv.conf'))}")
    names = [name for name in (*_NAMES, *_MORE_NAMES) if environment.get(name)]
    parts.append("$ environment\n" + "".join(f"{name}={environment[name]}\n" for name in names))
    return "\n".join(parts)


def settings_text(given: t.Mapping[str, t.Any], defaults: t.Mapping[str, t.Any], cleaner: Cleaner) -> str:
    """Return the settings that differ from their defaults, and the names of the others."""
    differ = {f"lab_{name}": value for name, value in given.items() if str(value) != str(defaults.get(name, ""))}
    same = sorted({f"lab_{name}" for name in defaults} - set(differ))
    return document({"given": cleaner.structure(differ), "as_by_default": same})


def document(data: object) -> str:
    """Return a structure as JSON."""
    return json.dumps(data, indent=2, ensure_ascii=False, default=str) + "\n"


# Secrets


def secrets_of(environment: Environment, inspected: t.Sequence[t.Any], settings: t.Any, config: str) -> set[str]:  # noqa: ANN401 - whatever JSON can say
    """Return all secrets of the environment, of AWS, of proxies, of containers, and of keys."""
    found = secrets_in(environment)
    for user, password in (credentials(environment.get(name, "")) for name in PROXY_NAMES):
        # A user name alone may be a token.
        found |= {user, unquote(user)} if len(user) >= 8 or password else set()
    found |= secrets_in([inspected, settings])
    found |= of_aws(environment)
    return found | of_keys(config)


def of_aws(environment: Environment) -> set[str]:
    """Return the keys and tokens in the files of the AWS tools."""
    home = Path(environment.get("HOME") or "/", ".aws")
    paths = {
        environment.get("AWS_SHARED_CREDENTIALS_FILE") or str(home / "credentials"),
        environment.get("AWS_CONFIG_FILE") or str(home / "config"),
    }
    found: set[str] = set()
    for path in paths:
        parser = configparser.RawConfigParser(strict=False)
        with contextlib.suppress(configparser.Error):
            parser.read_string(read(Path(path)))
        for section in parser.sections():
            found |= secrets_in(dict(parser.items(section)))
    return found


def of_keys(config: str) -> set[str]:
    """Return the lines of the private keys of labs on EC2."""
    found: set[str] = set()
    if config:
        with contextlib.suppress(OSError):
            for path in [*Path(config).glob("*/*/id_ed25519"), *Path(config).glob("*/*/tls/*key*")]:
                found |= {line for line in read(path).splitlines() if len(line) > 20 and not line.startswith("-----")}
    return found


def names_in(report: t.Mapping[str, t.Any]) -> dict[str, str]:
    """Return the names of the AWS caller, with their replacements."""
    facts = [finding.get("facts") or {} for finding in report.get("findings") or []]
    return {str(each["owner"]): "<AWS user>" for each in facts if isinstance(each, t.Mapping) and each.get("owner")}


def names_of(environment: Environment) -> dict[str, str]:
    """Return the words that identify the person, with their replacements."""
    user = pwd.getpwuid(int(environment["SUDO_UID"])) if environment.get("SUDO_UID", "").isdecimal() else None
    found: dict[str, str] = {}
    with contextlib.suppress(KeyError):
        user = user or pwd.getpwuid(os.geteuid())
    for name in (environment.get("USER"), environment.get("LOGNAME"), user.pw_name if user else ""):
        found[name or ""] = "<user>"
    for home in (environment.get("HOME"), user.pw_dir if user else ""):
        # The last part of a home is usually the user's name.
        found[Path(home or "/").name] = "<user>"
    found[socket.gethostname()] = found[platform.node().partition(".")[0]] = "<host>"
    return found
