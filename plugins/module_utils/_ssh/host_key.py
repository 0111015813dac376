# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""SSH host keys of instances: known_hosts lines, user data, and rotation on the instance.

A machine begins with a key that was made here and is pinned before it is met. User data can be read by others, so at
the first log-in the machine makes a key of its own, which is pinned in its place.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import shlex

from .._common.errors import LabError

KIND = "ssh-ed25519"
KEY_FILE = "host_key"
KNOWN_HOSTS = "known_hosts"
PINNED = "pinned"
_MACHINE = re.compile(r"i-[0-9a-z]{1,40}")
_FINGERPRINT = re.compile(r"SHA256:[A-Za-z0-9+/]{43}")
_KEY = re.compile(r"((?:ssh|ecdsa)-[a-z0-9-]{1,40}) ([A-Za-z0-9+/]{32,4000}={0,2})")


def check_machine(machine: str) -> str:
    """Return an instance id; refuse anything else in known_hosts."""
    if not _MACHINE.fullmatch(machine):
        raise LabError("The machine cannot be met.", "What it is called is not the id of a machine.", "Run it again.")
    return machine


def check_fingerprint(text: str) -> str:
    """Return a valid fingerprint, or an empty one."""
    if text and not _FINGERPRINT.fullmatch(text):
        raise LabError(
            f"The setting lab_host_key cannot be '{text}'.",
            "The fingerprint of a host key is SHA256: and 43 letters, as ssh-keygen -l and the console show it.",
            "Copy it whole from the machine's system log in the AWS console: -e lab_host_key=SHA256:…",
        )
    return text


def key_in(line: str) -> str | None:
    """Return kind and key of a public key line, without the comment; None if it is invalid."""
    words = line.split()[:2]
    found = _KEY.fullmatch(" ".join(words))
    if not found:
        return None
    try:
        blob = base64.b64decode(found[2], validate=True)
    except (binascii.Error, ValueError):
        return None
    # The blob repeats the key type, after its length.
    return found[0] if blob[4 : 4 + len(found[1])] == found[1].encode() else None


def fingerprint(key: str) -> str:
    """Return the fingerprint of a public key as ssh-keygen shows it."""
    digest = hashlib.sha256(base64.b64decode(key.split()[1])).digest()
    return f"SHA256:{base64.b64encode(digest).decode().rstrip('=')}"


def pins(text: str, machine: str = "") -> list[str]:
    """Return the pinned keys of an instance in a known_hosts text; without one, those of all."""
    rows = (line.split(None, 1) for line in text.splitlines())
    found = (key_in(row[1]) for row in rows if len(row) == 2 and machine in ("", row[0]))
    return [key for key in found if key]


def with_pins(text: str, machine: str, keys: list[str]) -> str:
    """Return a known_hosts text in which exactly these keys are pinned for an instance."""
    others = [line for line in text.splitlines() if line.split(None, 1)[:1] != [machine]]
    return "".join(f"{line}\n" for line in [*others, *(f"{machine} {key}" for key in keys)])


def handed_keys(private: str, public: str) -> dict[str, dict[str, str]]:
    """Return the part of user data from which cloud-init takes the host key before sshd starts."""
    return {"ssh_keys": {"ed25519_private": private, "ed25519_public": f"{public}\n"}}


# It prints the new key, continues when that is pinned, and may be repeated after any interruption.
_ROTATE = f"""\
set -eu
umask 077
cd /etc/ssh
has=ssh_host_ed25519_key new=.desi-lab-host-key
public() {{ ssh-keygen -y -P "" -f "$1" 2>/dev/null </dev/null | cut -d " " -f 1,2; }}
if [ "$(public "$has")" = "$1" ]; then
    if [ -z "$(public "$new")" ]; then
        rm -f "$new" "$new.pub"
        ssh-keygen -q -t ed25519 -N "" -C "" -f "$new" </dev/null
    fi
    public "$new"
else
    rm -f "$new" "$new.pub"
    public "$has"
fi
read -r told
[ "$told" = {PINNED} ]
if [ -e "$new" ]; then
    public "$new" >"$has.pub"
    chmod 644 "$has.pub"
    mv -f "$new" "$has"
    rm -f "$new.pub"
fi
# Its system log at AWS shows by which key it is known, anew at each start.
boot=/var/lib/cloud/scripts/per-boot
mkdir -p "$boot"
cat >"$boot/desi-lab-host-key" <<'END'
#!/bin/sh
{{ echo "DESI Lab: the SSH host key is"; ssh-keygen -l -f /etc/ssh/ssh_host_ed25519_key.pub; }} >/dev/console
END
chmod 755 "$boot/desi-lab-host-key"
"$boot/desi-lab-host-key" 2>/dev/null || :
if command -v restorecon >/dev/null 2>&1; then restorecon "$has" "$has.pub" || :; fi
systemctl try-restart ssh.service 2>/dev/null || systemctl try-restart sshd.service
"""


def rotate_command(handed: str) -> str:
    """Return the shell command that creates the instance's own host key."""
    return f"sudo -n /bin/sh -c {shlex.quote(_ROTATE)} sh {shlex.quote(handed)}"


def another_machine(host: str, machine: str, place: str) -> LabError:
    """Return the error for an instance that shows another host key than its own."""
    return LabError(
        f"Whoever answers at {place} is not the machine that AWS started.",
        f"The machine {machine} of {host} was given a host key that was made here, and another one was shown."
        " Somebody may be in between. Nothing was sent there.",
        "Run the same command again from another network. If it stays so, remove the lab and make another one.",
    )


def unknown_machine(host: str, machine: str) -> LabError:
    """Return the error for an instance without any known host key."""
    return LabError(
        f"The machine {machine} of {host} is not known to this computer.",
        "Its host key is not pinned here: the file known_hosts of the lab was lost, or the machine was made elsewhere.",
        "Compare the fingerprint of its host key with the machine's system log in the AWS console, where it stands"
        " below the words DESI Lab, and give it with -e lab_host_key=SHA256:…",
    )


def other_fingerprint(host: str, shown: list[str]) -> LabError:
    """Return the error for host keys that do not match the given fingerprint."""
    return LabError(
        f"The machine {host} does not have the host key that you gave.",
        f"It showed {' and '.join(shown) or 'no key'}. Somebody may be in between, or it is another machine's"
        " fingerprint.",
        "Compare it with the machine's system log in the AWS console. Do not go on with a key that is not there.",
    )


def not_made_anew(host: str, why: str) -> LabError:
    """Return the error for a host key that was not rotated."""
    return LabError(
        f"The machine {host} has no host key of its own yet.",
        f"The one that it was given cannot be kept, because others may have read it. {why}",
        "Run the same command again: it goes on from there.",
    )
