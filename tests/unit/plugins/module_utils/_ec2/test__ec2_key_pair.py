# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest

from ansible_collections.desi.lab.plugins.module_utils._aws.tags import as_tag_list, lab_tags
from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._ec2 import key_pair as ec2_key_pair

MINE = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
OTHER = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB8eHRwbGhkYFxYVFBMSERAPDg0MCwoJCAcGBQQDAgEA"
NAMES = ["desi-lab-desi", "desi-lab-desi-2", "desi-lab-desi-3"]


def key(name=NAMES[0], public=MINE, lab="desi", owner="ann", tagged=True):
    tags = as_tag_list(lab_tags(lab, owner)) if tagged else []
    return {"KeyName": name, "KeyPairId": f"key-of-{name}", "PublicKey": f"{public} at-aws", "Tags": tags}


def decide(public_key=f"{MINE} ann@here", keys=(), instance=None):
    return ec2_key_pair.plan_key_pair("desi", "ann", public_key, keys, instance)


ALIKE = key("desi-lab-desi-two", lab="desi-two")


@pytest.mark.parametrize(
    ("public_key", "keys", "name", "action", "notes"),
    [
        (MINE, [], NAMES[0], "import", []),
        ("", [], NAMES[0], "make", []),
        (MINE, [ALIKE], NAMES[0], "import", []),
        # A private key that is lost or not here is cured by a new name.
        (MINE, [key(public=OTHER)], NAMES[1], "import", ["another private key"]),
        ("", [key(), key(NAMES[1], tagged=False)], NAMES[2], "make", ["not on this computer", "left alone"]),
        # One that fits is kept whatever its comment.
        (f"{MINE} ann@here", [key()], NAMES[0], "keep", []),
        (MINE, [key(NAMES[1])], NAMES[1], "keep", []),
    ],
)
def test_key_is_kept_imported_or_made_under_a_name_that_is_free(public_key, keys, name, action, notes):
    found = decide(public_key, keys)
    assert (found.name, found.action) == (name, action)
    assert found.id == (f"key-of-{name}" if action == "keep" else "")
    assert len(found.notes) == len(notes)
    assert all(words in note for words, note in zip(notes, found.notes))


@pytest.mark.parametrize("stranger", [key(tagged=False), key(lab="else"), key(owner="bob")])
def test_key_that_is_not_ours_is_passed_over_and_said_even_if_it_fits(stranger):
    found = decide(keys=[stranger])
    assert (found.name, found.action) == (NAMES[1], "import")
    assert NAMES[0] in found.notes[0]
    assert "left alone" in found.notes[0]


def test_machine_keeps_the_key_that_it_was_made_with():
    found = decide(keys=[key(public=OTHER), key(NAMES[1])], instance={"KeyName": NAMES[1]})
    assert (found.name, found.action, found.notes) == (NAMES[1], "keep", [])


def test_machine_whose_key_is_no_longer_at_aws_is_entered_all_the_same():
    found = decide(instance={"KeyName": NAMES[0]})
    assert (found.name, found.action) == (NAMES[0], "keep")
    assert "no longer at AWS" in found.notes[0]
    assert "key pair of the machine" in decide(instance={}).notes[0]
    with pytest.raises(LabError, match="that AWS does not name"):
        decide(public_key="", instance={"InstanceId": "i-1"})


@pytest.mark.parametrize(
    ("public_key", "keys", "why"),
    [
        ("", [key()], "not on this computer"),
        ("", [], "not on this computer"),
        (MINE, [key(public=OTHER)], "is another one"),
    ],
)
def test_machine_whose_private_key_is_lost_is_told_before_anything_is_made(public_key, keys, why):
    with pytest.raises(LabError) as caught:
        decide(public_key, keys, {"KeyName": NAMES[0], "InstanceId": "i-1"})
    assert "i-1" in caught.value.what
    assert why in caught.value.why
    assert "./lab down" in caught.value.do


@pytest.mark.parametrize(
    "text",
    [
        "ssh-ed25519",
        MINE.replace("ssh-ed25519", "ecdsa-sha2-nistp256"),
        MINE.replace("ssh-ed25519", "ssh-rsa"),
        "ssh-ed25519 not/base64!",
        "ssh-ed25519 AAAA",
        f"{MINE}\n{OTHER}",
        "-----BEGIN OPENSSH PRIVATE KEY-----",
    ],
)
def test_text_that_is_no_public_key_is_refused(text):
    with pytest.raises(LabError) as caught:
        decide(text)
    assert "public key" in caught.value.what


def test_private_key_that_was_given_by_mistake_is_not_shown():
    with pytest.raises(LabError) as caught:
        decide("-----BEGIN OPENSSH PRIVATE KEY----- c2VjcmV0")
    assert "c2VjcmV0" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "  \n", MINE, f"{MINE} a comment with words\n"])
def test_public_key_is_accepted(text):
    ec2_key_pair.check_public_key(text)
