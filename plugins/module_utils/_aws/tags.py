# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tags of labs on EC2, and the owner of a lab for an IAM ARN."""

from __future__ import annotations

import re
import typing as t

from .._common.text import name_option

PREFIX = "desi-lab:"
NAME_TAG = f"{PREFIX}name"
OWNER_TAG = f"{PREFIX}owner"
OS_TAG = f"{PREFIX}os"
RELEASE_TAG = f"{PREFIX}release"
ACCESS_TAG = f"{PREFIX}access"
PORT_TAG = f"{PREFIX}port"
ROLE_TAG = f"{PREFIX}role"
"""A machine of a lab that is not the lab's own has it."""
WORKER = "worker"
TITLE_TAG = "Name"
"""What the AWS console shows as a resource's name."""

# Tools that were given no name for a session make one from the time, so it would be another one in each run.
_SESSION_OF_THE_MOMENT = re.compile(r"(?:.*\D)?\d{10,}")


class Caller(t.NamedTuple):
    """The caller, from GetCallerIdentity."""

    arn: str
    account: str
    user_id: str

    @property
    def owner(self) -> str:
        """Return the owner tag of the caller's labs."""
        return owner_of(self.arn, self.user_id)

    @property
    def former(self) -> str:
        """Return the owner tag of DESI Lab 0.1.0, where that differs; else empty."""
        before = owner_of(self.arn)
        return before if before != self.owner else ""

    @property
    def partition(self) -> str:
        """Return the part of AWS that the account is in, such as ``aws``."""
        parts = self.arn.split(":")
        return parts[1] if len(parts) > 1 else ""

    @property
    def words(self) -> str:
        """Return the caller for people, with the end of the account."""
        return f"{self.name or 'nobody'} in account …{self.account[-4:]}"

    @property
    def name(self) -> str:
        """Return what to call the caller: a user's name, or role and session."""
        return owner_of(self.arn)


def caller_of(answer: t.Mapping[str, t.Any]) -> Caller:
    """Return the caller, from the answer of GetCallerIdentity."""
    return Caller(*(str(answer.get(key) or "") for key in ("Arn", "Account", "UserId")))


def owner_of(arn: str, user_id: str = "") -> str:
    """Return the owner tag for an IAM ARN.

    That has to be what a policy can say, so that one can keep people apart (docs/iam-policy.json): of a user the name
    (``aws:username``), of a session of a role its id (``aws:userid``), which has the role's id and the session's name.
    Without the id it is what DESI Lab 0.1.0 took: role and session. An ARN that cannot be read is an empty owner, which
    owns nothing.
    """
    parts = str(arn).split(":", 5)
    if len(parts) < 6 or parts[0] != "arn":
        return ""
    kind, _slash, rest = parts[5].partition("/")
    if kind == "user":
        # A user's name is unique in the account, whatever path stands before it.
        return rest.rsplit("/", 1)[-1]
    if kind == "assumed-role":
        role, _slash, session = rest.partition("/")
        lasts = bool(session) and not _SESSION_OF_THE_MOMENT.fullmatch(session)
        if user_id:
            return user_id if lasts else user_id.partition(":")[0]
        return f"{role}/{session}" if lasts else role
    return user_id if user_id and kind == "federated-user" else parts[5]


def is_session(owner: str) -> bool:
    """Return whether an owner is a session of a role. No user's name has a colon."""
    return ":" in owner


def lab_tags(name: str, owner: str, extra: t.Mapping[str, t.Any] | None = None) -> dict[str, str]:
    """Return the tags of a resource that belongs to a lab.

    ``extra`` has more of them, by what comes after our prefix (``os``) or by their whole name (``desi-lab:os``).
    """
    whole = (*(key for key in extra or {} if ":" in key), TITLE_TAG)
    more = {key if key in whole else f"{PREFIX}{key}": str(value) for key, value in (extra or {}).items()}
    return {**more, NAME_TAG: name, OWNER_TAG: owner, TITLE_TAG: f"desi-lab-{name}"}


def as_tag_list(tags: t.Mapping[str, str]) -> list[dict[str, str]]:
    """Return tags in the form that the EC2 API takes."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def tags_of(resource: t.Mapping[str, t.Any]) -> dict[str, str]:
    """Return the tags of a resource, as the EC2 API gives it or as a module of amazon.aws does."""
    # A network interface has its tags under a name of its own.
    tags = resource.get("Tags") or resource.get("TagSet") or resource.get("tags") or {}
    if isinstance(tags, t.Mapping):
        return {str(key): str(value) for key, value in tags.items()}
    return {str(tag["Key"]): str(tag.get("Value", "")) for tag in tags if isinstance(tag, t.Mapping) and "Key" in tag}


def lab_option(tags: t.Mapping[str, str]) -> str:
    """Return the option that a command for the lab of a resource needs, as name_option does."""
    return name_option(tags.get(NAME_TAG, "desi"))


def is_ours(resource: t.Mapping[str, t.Any], name: str, owner: str) -> bool:
    """Return whether a resource has the tags of this lab of this owner. Its name does not count."""
    tags = tags_of(resource)
    return bool(name and owner) and tags.get(NAME_TAG) == name and tags.get(OWNER_TAG) == owner


def is_worker(instance: t.Mapping[str, t.Any]) -> bool:
    """Return whether an instance is one of a lab's Dask workers, and not the lab's own."""
    return tags_of(instance).get(ROLE_TAG) == WORKER


def our_filters(owner: str, name: str = "") -> list[dict[str, t.Any]]:
    """Return the filters by which the EC2 API finds what belongs to a lab; without a name, to any lab of the owner.

    They may find more, because they read an asterisk and a question mark as anything: ask is_ours of what they find.
    """
    named = {"Name": f"tag:{NAME_TAG}", "Values": [name]} if name else {"Name": "tag-key", "Values": [NAME_TAG]}
    return [named, {"Name": f"tag:{OWNER_TAG}", "Values": [owner]}]
