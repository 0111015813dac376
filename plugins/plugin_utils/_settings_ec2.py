# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What makes a setting of a lab on EC2 one that can work, as far as that can be told without asking AWS."""

from __future__ import annotations

import ipaddress
import re
import typing as t

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._ssh.host_key import check_fingerprint

REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]")
INSTANCE_TYPE = re.compile(r"[a-z][a-z0-9-]*\.[a-z0-9-]+")
SUBNET = re.compile(r"subnet-[0-9a-f]{8,17}")
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSecurityGroup.html
GROUP = re.compile(r"[A-Za-z0-9 ._:/()#,@\[\]+=&;{}!$*-]{1,200}")
DOMAIN = re.compile(r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]", re.IGNORECASE)
# https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html
ROLE = re.compile(r"(arn:aws[a-z-]*:iam::[0-9]{12}:role/([\w+=,.@/-]{1,512}/)?)?[\w+=,.@-]{1,64}", re.ASCII)
# The smallest disk that the systems fit on, and the largest that gp3 has, in GiB.
DISK_GIB = range(8, 16385)
OWN_ADDRESS = "auto"
# A week and a year: what is meant to be longer is meant to be for ever, which is 0.
IDLE_MINUTES = range(7 * 24 * 60 + 1)
MAX_HOURS = range(365 * 24 + 1)


def words(value: object) -> list[str]:
    """Return a list as people give it: one word, several behind commas, or a list. An empty one has an empty word."""
    entries = value.split(",") if isinstance(value, str) else value if isinstance(value, (list, tuple)) else [value]
    return [str(entry).strip() for entry in entries or [""]]


def _wrong(name: str, value: object, why: str, do: str) -> LabError:
    return LabError(f"The setting {name}={value} cannot work.", why, do)


def check_region(value: str) -> None:
    """Refuse what is not the name of an AWS region."""
    if not REGION.fullmatch(value):
        do = "Leave it out: the data are in us-west-2, and a machine there reads them fastest."
        raise _wrong("lab_region", value, "It is not the name of an AWS region, such as us-west-2.", do)


def check_instance_types(value: object) -> None:
    """Refuse what is not the name of an EC2 type, and an empty list."""
    for word in words(value):
        if not INSTANCE_TYPE.fullmatch(word):
            do = "Give a type, for example -e lab_instance_type=t3.xlarge, or several behind commas."
            raise _wrong("lab_instance_type", word, "It is not the name of an EC2 type, such as t2.micro.", do)


def check_disk(value: str) -> None:
    """Refuse a disk that AWS does not have."""
    if not re.fullmatch(r"[0-9]{1,6}", value) or int(value) not in DISK_GIB:
        why = f"A disk has {DISK_GIB.start} to {DISK_GIB.stop - 1} GiB, as a whole number."
        raise _wrong("lab_disk_gib", value, why, "Choose another size, for example -e lab_disk_gib=64.")


def check_idle_minutes(value: str) -> None:
    """Refuse what is no time in minutes; 0 means never."""
    if not re.fullmatch(r"[0-9]{1,6}", value) or int(value) not in IDLE_MINUTES:
        why = f"It is not a whole number of minutes from 0 to {IDLE_MINUTES.stop - 1}."
        do = "Give minutes, for example -e lab_idle_minutes=120, or 0 for a machine that does not stop for being idle."
        raise _wrong("lab_idle_minutes", value, why, do)


def check_max_hours(value: str) -> None:
    """Refuse what is no time in hours; 0 means never."""
    if not re.fullmatch(r"[0-9]{1,6}", value) or int(value) not in MAX_HOURS:
        why = f"It is not a whole number of hours from 0 to {MAX_HOURS.stop - 1}."
        do = "Give hours, for example -e lab_max_hours=24, or 0 for a machine that runs without end."
        raise _wrong("lab_max_hours", value, why, do)


def check_allow_from(value: object) -> None:
    """Refuse what is neither a range of addresses nor the word for the caller's own."""
    for word in words(value):
        if word == OWN_ADDRESS:
            continue
        do = "Give ranges such as 203.0.113.7/32, or leave it out for your own address."
        try:
            ipaddress.ip_network(word, strict=False)
        except ValueError:
            raise _wrong("lab_allow_from", word, "It is not a range of addresses.", do) from None


def check_group(value: str) -> None:
    """Refuse what AWS does not take as the name of a security group."""
    if not GROUP.fullmatch(value) or value.startswith("sg-") or value.strip() != value:
        why = "The name of a security group has letters, digits, spaces and ._-:/()#,@[]+=&;{}!$*, and no sg- in front."
        do = "Choose such a name, or leave it out: it is then called jupyter."
        raise _wrong("lab_security_group", value, why, do)


def check_subnet(value: str) -> None:
    """Refuse what is not the id of a subnet; empty means any."""
    if value and not SUBNET.fullmatch(value):
        do = "Give its id, or leave it out for any subnet of the default VPC."
        raise _wrong("lab_subnet", value, "It is not the id of a subnet, such as subnet-0123456789abcdef0.", do)


def check_host_key(value: str) -> None:
    """Refuse what is not the fingerprint of a host key; empty means that none is given."""
    check_fingerprint(value)


def check_domain(value: str) -> None:
    """Refuse what is not a domain name; empty means the machine's address."""
    if value and not DOMAIN.fullmatch(value):
        do = "Give the bare name, for example -e lab_domain=desi.example.org, without https:// and without a port."
        raise _wrong("lab_domain", value, "It is not a domain name.", do)


def check_certificate(values: t.Mapping[str, t.Any]) -> None:
    """Refuse a domain, a certificate and a key that do not come together, or without TLS."""
    given = {name: str(values.get(name, "")) for name in ("lab_domain", "lab_certificate", "lab_certificate_key")}
    certificate, key = given["lab_certificate"], given["lab_certificate_key"]
    if bool(certificate) != bool(key):
        missing = "lab_certificate_key" if certificate else "lab_certificate"
        raise LabError(
            f"The setting {missing} is missing.",
            "A certificate and its private key are only of use together.",
            f"Give both, with -e {missing}=/path, or neither for a certificate of our own.",
        )
    for name in ("lab_certificate", "lab_certificate_key"):
        if given[name] and not given[name].startswith("/"):
            raise _wrong(name, given[name], "It is not an absolute path.", f"Give the whole path: -e {name}=/path.")
    if certificate and not given["lab_domain"]:
        raise LabError(
            "The setting lab_domain is missing.",
            "A certificate of your own is for a name, and the lab has to be opened by it.",
            "Say which: -e lab_domain=desi.example.org.",
        )


def check_expire_days(value: str) -> None:
    """Refuse what is not a number of days."""
    if not re.fullmatch(r"[0-9]{1,4}", value):
        why = "It is how many days after its last use a lab is deleted, as a whole number up to 9999."
        raise _wrong("lab_expire_days", value, why, "Give a number, for example -e lab_expire_days=14, or 0 for never.")


def check_expire_role(value: str) -> None:
    """Refuse what is not the name of a role."""
    if value and not ROLE.fullmatch(value):
        why = "It is neither make nor the name or the ARN of a role at AWS."
        raise _wrong("lab_expire_role", value, why, "Let one be made: -e lab_expire_role=make.")


# What is wrong with a value by itself; each check is given the value as a text, or as the list that it is.
LISTS: dict[str, t.Callable[[object], None]] = {
    "lab_instance_type": check_instance_types,
    "lab_allow_from": check_allow_from,
}
TEXTS: dict[str, t.Callable[[str], None]] = {
    "lab_region": check_region,
    "lab_disk_gib": check_disk,
    "lab_security_group": check_group,
    "lab_subnet": check_subnet,
    "lab_host_key": check_host_key,
    "lab_domain": check_domain,
    "lab_idle_minutes": check_idle_minutes,
    "lab_max_hours": check_max_hours,
    "lab_expire_days": check_expire_days,
    "lab_expire_role": check_expire_role,
}


def check_ec2_values(values: t.Mapping[str, t.Any]) -> None:
    """Refuse the first value that cannot work. ``values`` holds settings by name, as people gave them."""
    for name, check in LISTS.items():
        if name in values:
            check(values[name])
    for name, check_text in TEXTS.items():
        if name in values:
            check_text(str(values[name]))
    check_certificate(values)
