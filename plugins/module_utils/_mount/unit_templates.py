# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What keeps a mount alive, as texts: a systemd unit where there is systemd, a small shell loop where there is none.

Both carry the mount's settings as JSON, so that no other record of them is needed: what runs says what it is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

# Stands in the process list, and is how a loop of ours is found again.
MARK = "desi-lab-mount"
# The loop says so in the log, and the module stops waiting for a mount that will not come.
ENDED = f"{MARK}: the mount tool ended"

# In seconds. Always the same: however often the tool dies, the data are back before a reader has given up.
PAUSE = 2

# Arguments: mountpoint, log, settings (only to be read in the process list), then the tool and its arguments.
LOOP = f"""
mountpoint=$1 log=$2
shift 3
stopping='' child=''
stop() {{
    stopping=yes
    # Unmounting ends the tool in good order; only a mount in use needs the signal.
    umount "$mountpoint" 2>/dev/null || kill -TERM "$child" 2>/dev/null
}}
trap stop TERM INT
trap '' HUP
while [ -z "$stopping" ]; do
    # The endpoint of a tool that died is no folder: it answers every question with an error.
    [ -d "$mountpoint" ] || umount -l "$mountpoint" 2>/dev/null
    mkdir -m 700 -p "$mountpoint"
    # No "$(": bash, signalled while it reads one, may fail to read what it is to do then.
    wc -c <"$log" | (read -r size; [ "$size" -lt 1000000 ] || : >"$log")
    "$@" &
    child=$!
    # The signal may have come before there was a child to pass it on to.
    [ -z "$stopping" ] || kill -TERM "$child" 2>/dev/null
    code=0
    while kill -0 "$child" 2>/dev/null; do wait "$child"; code=$?; done
    [ -z "$stopping" ] || break
    echo "{ENDED} with $code; it starts again in {PAUSE} s" >&2
    sleep {PAUSE} &
    nap=$!
    wait "$nap"
    kill "$nap" 2>/dev/null
done
"""

# What a new start finds in the way when the tool was killed.
CLEAR = '[ -d "$1" ] || umount -l "$1" 2>/dev/null; mkdir -m 700 -p "$1"'

# At boot, what bucket_mount's shared_parent did is to be done again, where systemd has not made all mounts shared.
SHARE = (
    'folder=$(dirname "$1"); case $(findmnt -no PROPAGATION -T "$folder") in *shared*) ;; '
    '*) mount --bind "$folder" "$folder" && mount --make-rshared "$folder" ;; esac'
)


# What mounting by FUSE does not need is taken away. None of these gives the unit mounts of its own, because what it
# mounts there would reach nobody else: so ProtectSystem, ProtectHome, ReadWritePaths, PrivateTmp, PrivateDevices and
# ProtectKernel* cannot be used. Without CAP_DAC_OVERRIDE it cannot read what people have closed to others.
HARDENING = """\
NoNewPrivileges=yes
CapabilityBoundingSet=CAP_SYS_ADMIN
DevicePolicy=closed
DeviceAllow=/dev/fuse rw
LockPersonality=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=~@clock @cpu-emulation @debug @module @obsolete @raw-io @reboot @swap
"""


def settings_text(settings: Mapping[str, Any]) -> str:
    return json.dumps(dict(settings), sort_keys=True)


def loop_command(mountpoint: str, log: str, settings: Mapping[str, Any], tool: list[str]) -> list[str]:
    """Return the command of a shell that keeps the tool running until it is sent SIGTERM."""
    return ["/bin/sh", "-c", LOOP, MARK, mountpoint, log, settings_text(settings), *tool]


def loop_mountpoint(command: list[str]) -> str | None:
    """Return the mountpoint that a process of loop_command() serves, or None for any other process."""
    return command[4] if len(command) > 7 and command[1] == "-c" and command[3] == MARK else None


def loop_settings(command: list[str]) -> dict[str, Any]:
    return _settings(command[6])


def unit_word(word: str) -> str:
    """Quote one word of a command line as systemd reads it."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"'


def unit_name(name: str) -> str:
    return f"{MARK}-{name}.service"


def unit_text(
    mountpoint: str,
    settings: Mapping[str, Any],
    tool: list[str],
    tells_systemd: bool,
    environment_file: str,
    shared_parent: bool = False,
) -> str:
    """Return the unit that mounts at boot, comes back when the tool dies, and unmounts when it is stopped."""

    def shell(script: str) -> str:
        return " ".join(unit_word(word) for word in ("/bin/sh", "-c", script, MARK, mountpoint))

    share = f"ExecStartPre={shell(SHARE)}\n" if shared_parent else ""
    return f"""\
# Written by desi.lab.bucket_mount, and again whenever the settings change.
# settings: {settings_text(settings)}
[Unit]
Description=DESI Lab: bucket {str(settings.get("bucket", "")).replace("%", "%%")}
Wants=network-online.target
After=network-online.target
# A container that starts before the mount is there would be given the empty folder.
Before=docker.service
# A network that is away for an hour must not be the end of it.
StartLimitIntervalSec=0

[Service]
Type={"notify" if tells_systemd else "simple"}
# Behind the relay it is the relay's child that says that the mount is there.
NotifyAccess=all
EnvironmentFile=-{environment_file}
{share}ExecStartPre={shell(CLEAR)}
ExecStart={" ".join(unit_word(word) for word in tool)}
# A mount in use refuses: then the tool is ended, and the next start clears what is left.
ExecStop=-{shell('umount "$1"')}
Restart=always
RestartSec={PAUSE}
TimeoutStopSec=10
{HARDENING}
[Install]
WantedBy=multi-user.target
"""


def unit_settings(text: str) -> dict[str, Any]:
    """Read the settings back out of a unit."""
    lines = [line for line in text.splitlines() if line.startswith("# settings: ")]
    return _settings(lines[0][len("# settings: ") :]) if lines else {}


def environment_text(environment: Mapping[str, str]) -> str:
    """Write variables as systemd's EnvironmentFile reads them."""
    lines = []
    for name, value in sorted(environment.items()):
        escaped = "".join(f"\\{letter}" if letter in '"\\`$' else letter for letter in value)
        lines.append(f'{name}="{escaped}"\n')
    return "".join(lines)


def tool_environment(environ: Mapping[str, str], ca_variable: str, anonymous: bool) -> dict[str, str]:
    """Pick what a mount tool needs of an environment: the way out, whom to trust, and keys only where they are wanted.

    Nothing else goes in: a stray RCLONE_CONFIG or AWS_PROFILE would change what is mounted.
    """
    names = ["HOME", "NO_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"]
    names += [name.lower() for name in names[1:]]
    picked = {name: environ[name] for name in names if environ.get(name)}
    bundle = ca_bundle(environ)
    if bundle:
        picked[ca_variable] = bundle
    if not anonymous:
        kept = {name: value for name, value in environ.items() if name.startswith("AWS_") and name != "AWS_CA_BUNDLE"}
        picked.update(kept)
    return picked


def ca_bundle(environ: Mapping[str, str]) -> str:
    """Return the bundle of certificates that the environment names, by any of the names in use, or nothing."""
    names = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE")
    return next((environ[name] for name in names if environ.get(name)), "")


def _settings(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
