# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Choose the key pair of a lab. A foreign key pair is never changed, whatever its name."""

from __future__ import annotations

import base64
import binascii
import itertools
import typing as t

from .._aws.tags import is_ours, lab_option, tags_of
from .._common.errors import LabError

# EC2 takes no others: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-key-pairs.html
ALGORITHMS = ("ssh-ed25519", "ssh-rsa")


class KeyPair(t.NamedTuple):
    """The key pair to use, and what has to be done for it.

    ``action`` is ``keep``, ``import`` (the local public key is to be sent to AWS), or ``make`` (there is no local key:
    make one, then import it).
    """

    name: str
    action: str
    id: str
    notes: list[str]


def material(text: str) -> str:
    """Return what makes a public key itself, without its comment; empty for an empty text."""
    return " ".join(text.split()[:2])


def check_public_key(text: str) -> None:
    """Refuse a local public key that EC2 would not take; an empty text means that there is none yet."""
    if not text.strip():
        return
    words = text.split()
    do = "move id_ed25519 and id_ed25519.pub of this lab out of the way: new ones are made"
    what = "The public key of this lab on this computer cannot be used."
    if len(text.strip().splitlines()) > 1 or len(words) < 2 or words[0] not in ALGORITHMS:
        raise LabError(what, f"It is not a line that begins with {' or '.join(ALGORITHMS)}.", do)
    try:
        blob = base64.b64decode(words[1], validate=True)
    except (binascii.Error, ValueError):
        blob = b""
    # The algorithm is repeated inside, behind its length.
    if blob[4 : 4 + len(words[0])] != words[0].encode():
        raise LabError(what, "What stands behind its kind is not a key: the file is damaged.", do)


def names_of(lab: str) -> t.Iterator[str]:
    """Return the names that a lab's key pair may have, in the order in which they are tried."""
    yield f"desi-lab-{lab}"
    for number in itertools.count(2):
        yield f"desi-lab-{lab}-{number}"


def plan_key_pair(
    lab: str,
    owner: str,
    public_key: str,
    keys: t.Sequence[t.Mapping[str, t.Any]],
    instance: t.Mapping[str, t.Any] | None,
) -> KeyPair:
    """Return the key pair to use; ``instance`` is the one of ours that exists, if any.

    ``keys`` are those at AWS whose names a lab of this name may use, with their public keys.
    """
    check_public_key(public_key)
    local = material(public_key)
    known = {str(key.get("KeyName")): key for key in keys}
    ours = {name: key for name, key in known.items() if is_ours(key, lab, owner)}
    if instance is not None:
        return _key_of_instance(instance, local, known, ours)
    fitting = sorted(name for name, key in ours.items() if local and _same(key, local))
    if fitting:
        return KeyPair(fitting[0], "keep", str(ours[fitting[0]].get("KeyPairId", "")), [])
    name = next(name for name in names_of(lab) if name not in known)
    return KeyPair(name, "import" if local else "make", "", _foreign_notes(lab, name, ours, bool(local)))


def _foreign_notes(lab: str, name: str, ours: t.Container[str], has_local: bool) -> list[str]:
    """Return notes on names that were passed over."""
    notes = []
    for other in itertools.takewhile(lambda candidate: candidate != name, names_of(lab)):
        if other not in ours:
            notes.append(f"A key pair {other} exists that is not this lab's. It is left alone; this one is {name}.")
        elif has_local:
            notes.append(f"The key pair {other} fits another private key than the one here. This one is {name}.")
        else:
            notes.append(f"The private key of {other} is not on this computer. A new one is made: {name}.")
    return notes


def _key_of_instance(
    instance: t.Mapping[str, t.Any], local: str, known: t.Mapping[str, t.Any], ours: t.Mapping[str, t.Any]
) -> KeyPair:
    """Return the key that an instance was made with, which is the only one that it accepts."""
    name = str(instance.get("KeyName") or "")
    key = known.get(name)
    if local and key is not None and _same(key, local):
        return KeyPair(name, "keep", str(key.get("KeyPairId", "")), [])
    if local and key is None:
        # AWS has forgotten the key; the instance has not. Whether it is the right one is seen when SSH tries it.
        return KeyPair(
            name, "keep", "", [f"The key pair {name or 'of the machine'} is no longer at AWS. SSH does not need it."]
        )
    number = instance.get("InstanceId", "")
    why = f"It was made with the key pair {name or 'that AWS does not name'}, and "
    why += "the private key here is another one." if local else "its private key is not on this computer."
    do = "put back the file id_ed25519 of this lab from a backup or from the computer that you made the lab on, or "
    named = lab_option(tags_of(instance))
    do += f"remove the lab, with what is saved in it, and make a new one: ./lab down{named} -e lab_where=ec2"
    raise LabError(f"This computer cannot log in to the machine {number} of this lab.", why, do)


def _same(key: t.Mapping[str, t.Any], local: str) -> bool:
    return material(str(key.get("PublicKey") or "")) == local
