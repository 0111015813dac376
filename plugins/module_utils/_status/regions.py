# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The AWS regions that may have labs, and what this computer knows of them."""

from __future__ import annotations

import contextlib
import typing as t
from pathlib import Path

from .._common.text import nearest

# Without these, AWS tools find no credentials without the network.
VARIABLES = (
    "AWS_ACCESS_KEY_ID",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)
FILES = {"AWS_SHARED_CREDENTIALS_FILE": "~/.aws/credentials", "AWS_CONFIG_FILE": "~/.aws/config"}

Known = t.Dict[t.Tuple[str, str], Path]  # noqa: UP006 - evaluated by Python 3.9, too


def known_labs(config: Path) -> Known:
    """Return the config directories of labs on EC2 made from this computer, by region and name.

    The private key is made before anything at AWS; where it was lost, what led to the machine is still there.
    """
    found = [path.parent for file in ("id_ed25519", "ssh_config", "made.json") for path in config.glob(f"*/*/{file}")]
    return {(directory.parent.name, directory.name): directory for directory in sorted(found)}


def has_credentials(environment: t.Mapping[str, str]) -> bool:
    """Return whether this computer has AWS credentials, without any request."""
    if any(environment.get(name) for name in VARIABLES):
        return True
    return any(_holds(environment.get(name) or usual, environment) for name, usual in FILES.items())


def _holds(path: str, environment: t.Mapping[str, str]) -> bool:
    home = environment.get("HOME") or "/"
    file = Path(path.replace("~", home, 1) if path.startswith("~") else path)
    try:
        return file.is_file() and file.stat().st_size > 0
    except OSError:
        return False


def regions_to_ask(asked: t.Sequence[str], known: Known, usual: str, credentials: bool) -> list[str]:
    """Return the given regions, else those of known labs and the default one."""
    named = [region.strip() for region in asked if region.strip()]
    if named:
        return list(dict.fromkeys(named))
    return sorted({region for region, _name in known} | ({usual} if credentials and usual else set()))


def configured_regions(environment: t.Mapping[str, str]) -> list[str]:
    """Return the regions that the variables and the profile of the AWS tools name."""
    from botocore.exceptions import BotoCoreError
    from botocore.session import Session

    named = [environment.get("AWS_REGION") or "", environment.get("AWS_DEFAULT_REGION") or ""]
    # What is wrong with the files is told by who asks with them.
    with contextlib.suppress(BotoCoreError, OSError, ValueError):
        named.append(Session().get_config_variable("region") or "")
    return list(dict.fromkeys(filter(None, named)))


def unknown_region(region: str, all_regions: t.Sequence[str]) -> str:
    """Return why a region cannot be queried because AWS does not have it, else an empty string."""
    if region in all_regions or not all_regions:
        return ""
    near = nearest(region, all_regions)
    return f"AWS has no region of that name{f'; the nearest is {near[0]}' if near else ''}."


def reported_once(failures: t.Sequence[tuple[str, str]]) -> list[str]:
    """Return one sentence for each reason, from pairs of region and reason."""
    regions: dict[str, list[str]] = {}
    for region, why in failures:
        regions.setdefault(why, []).append(region)
    return [f"Labs in {' and '.join(found)} cannot be seen. {why}" for why, found in regions.items()]
