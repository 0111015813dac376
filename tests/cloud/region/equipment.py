# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a machine is given before its first boot: its system, who is let in, whom it trusts, and its user data."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from region.machines import File
from region.words import USERS

# Where systems keep the authorities that they trust.
BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt")
NOBODYS_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA somebody-else"


def system_of(instance: Any) -> str:
    """Return which system an instance has, by the name of its image."""
    images = instance.ec2_backend.describe_images(filters={"image-id": [instance.image_id]})
    return "ubuntu_machine" if images and "ubuntu" in (images[0].name or "") else "amazon_machine"


def files_of(instance: Any, *, wrong_key: bool, own_host_key: bool = False) -> list[File]:
    """Return the files that a machine is given."""
    key = NOBODYS_KEY if wrong_key else key_of(instance)
    user = USERS[system_of(instance)]
    files = [File(f"/home/{user}/.ssh/authorized_keys", f"{key}\n".encode(), 0o600, 1000), *authorities()]
    if instance.user_data and not own_host_key:
        data = base64.b64decode(str(instance.user_data))
        files.append(File("/var/lib/cloud/instance/user-data.txt", data, 0o600))
    return files


def key_of(instance: Any) -> str:
    """Return the public key of an instance's key pair, or nothing if it has none."""
    if not instance.key_name:
        return ""
    key = instance.ec2_backend.key_pairs[instance.key_name].public_key
    return str(key.decode() if isinstance(key, bytes) else key).strip()


def authorities() -> list[File]:
    """Return the authorities that the images were built with: role image builds them anew where others are trusted."""
    found = next((Path(path).read_bytes() for path in BUNDLES if Path(path).exists()), None)
    return [] if found is None else [File(path, found) for path in BUNDLES]
