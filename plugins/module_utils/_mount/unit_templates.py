# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Templates of the systemd unit and of the shell loop that keep a mount running.

Both hold the mount's settings as JSON, so that no other record of them is needed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .._common.names import object_in
from .._common.network import PROXY_NAMES, ca_bundle

# Identifies our loop in the process list.
MARK = "desi-lab-mount"
# In the log, so that the module stops waiting.
ENDED = f"{MARK}: the mount tool ended"

# Seconds, always the same, so that the data are back before readers give up.
PAUSE = 2

# Arguments: mountpoint, log, settings (for the process list), then the tool and its arguments.
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
    # No "$(": bash, signaled while it reads one, may fail to read what it is to do then.
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

# Clears what a killed tool left.
CLEAR = '[ -d "$1" ] || umount -l "$1" 2>/dev/null; mkdir -m 700 -p "$1"'

# Repeats shared_parent at boot, where systemd has not made all mounts shared.
SHARE = (
    'folder=$(dirname "$1"); case $(findmnt -no PROPAGATION -T "$folder") in *shared*) ;; '
    '*) mount --bind "$folder" "$folder" && mount --make-rshared "$folder" ;; esac'
)


# Drops what FUSE does not need. None of these may give the unit a mount namespace, as nobody would see its mounts: no
# ProtectSystem, ProtectHome, ReadWritePaths, PrivateTmp, PrivateDevices or ProtectKernel*. Without CAP_DAC_OVERRIDE it
# cannot read what users have closed to others.
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
    """Return the command of the loop, which ends on SIGTERM."""
    return ["/bin/sh", "-c", LOOP, MARK, mountpoint, log, settings_text(settings), *tool]


def loop_mountpoint(command: list[str]) -> str | None:
    """Return the mountpoint of a loop, None for any other process."""
    return command[4] if len(command) > 7 and command[1] == "-c" and command[3] == MARK else None


def loop_settings(command: list[str]) -> dict[str, Any]:
    return object_in(command[6])


def unit_word(word: str) -> str:
    """Quote a word for systemd."""
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
    """Return the unit that mounts at boot, restarts the tool, and unmounts when it is stopped."""

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
    lines = [line for line in text.splitlines() if line.startswith("# settings: ")]
    return object_in(lines[0][len("# settings: ") :]) if lines else {}


def environment_text(environment: Mapping[str, str]) -> str:
    """Write variables for systemd's EnvironmentFile."""
    lines = []
    for name, value in sorted(environment.items()):
        escaped = "".join(f"\\{letter}" if letter in '"\\`$' else letter for letter in value)
        lines.append(f'{name}="{escaped}"\n')
    return "".join(lines)


def tool_environment(environ: Mapping[str, str], ca_variable: str, anonymous: bool) -> dict[str, str]:
    """Return the variables that a mount tool needs: proxies, CA bundle, and credentials unless it is anonymous.

    No others, as RCLONE_CONFIG or AWS_PROFILE would change what is mounted.
    """
    names = ("HOME", *PROXY_NAMES, "no_proxy", "NO_PROXY")
    picked = {name: environ[name] for name in names if environ.get(name)}
    bundle = ca_bundle(environ)
    if bundle:
        picked[ca_variable] = bundle
    if not anonymous:
        kept = {name: value for name, value in environ.items() if name.startswith("AWS_") and name != "AWS_CA_BUNDLE"}
        picked.update(kept)
    return picked
