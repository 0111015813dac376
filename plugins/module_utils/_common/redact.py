# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Redact secrets in texts (terminal, run log, errors, bundles): known ones in any spelling, and what looks like one."""

from __future__ import annotations

import base64
import html
import json
import os
import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote, quote_plus, unquote

# Values of variables that only look like secrets.
_NO_SECRETS = ("true", "false", "none", "auto", "yes", "default")
HIDDEN = "<hidden>"
# Shorter ones are parts of too many words.
SHORTEST = 4
_LONGEST_URL = 2048

# A name that ends in one of these, then '=' or ':' in any of the ways in which URLs, JSON and options write it.
_NAMED = re.compile(
    r"""(?P<name>(?:token|password|passwd|secret|(?:api|access|secret)[_-]?key)["']?\s*(?:[=:]|%(?:25)*3D)\s*["']?)"""
    r"""(?:(?:bearer|token|basic)\s+)?(?P<value>[^\s"'&<>]+)""",
    re.IGNORECASE,
)
_HEADER = re.compile(
    r"""(?P<name>\b(?:authorization|cookie)\b["']?\s*[:=]\s*["']?)(?P<value>[^\r\n"']+)""", re.IGNORECASE
)
_SECRET_NAME = re.compile(
    r"token|passw|secret|credential|signature|auth|keys?$|(?:^|[^a-z])key(?:[^a-z]|$)", re.IGNORECASE
)
# What follows the name of a user in a URL. Its password may end at any @ of it: people escape none of its signs.
_AFTER_USER = re.compile(r"://[^\s/@:]*:(?=(?P<rest>\S+))")
# Jupyter's tokens have 48 hexadecimal digits; Docker's ids 64 or 12.
_GENERATED = re.compile(r"(?<![0-9A-Fa-f])[0-9a-f]{48}(?![0-9A-Fa-f])")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL)
# A user alone may be a token, except for git. A password may have an @, and a slash if it does not look like a port and
# a path.
_USERINFO = re.compile(
    r"""(?P<scheme>\b[a-z][a-z0-9+.-]{0,30}(?:://|%3A%2F%2F))(?!git@)"""
    r"""(?:[^\s/"'<>]+|[^\s/@:"'<>]*:(?!\d{1,5}[/?#])(?:(?!://)[^\s"'<>])+)(?P<at>@|%40)(?=[\w\[])""",
    re.IGNORECASE,
)
_FORMS = (
    re.compile(r"(?<![A-Z0-9])(?:AKIA|ASIA|AROA|AIDA|AGPA|ANPA)[A-Z0-9]{12,}"),
    re.compile(
        r"\bgh[pousr]_[A-Za-z0-9]{16,}|\bgithub_pat_\w{16,}|\bglpat-[\w-]{16,}|\bxox[abprs]-[\w-]{10,}"
        r"|\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*|\bdckr_pat_[\w-]{16,}|\bhf_[A-Za-z0-9]{20,}"
    ),
)
_QUERY = re.compile(r"(?P<name>X-Amz-(?:Signature|Credential|Security-Token)(?:=|%3D))[^&\s\"']+", re.IGNORECASE)


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Redact the given secrets and what looks like one, and remove control characters."""
    text = _PRIVATE_KEY.sub(HIDDEN, _CONTROL.sub("", text))
    text = _USERINFO.sub(rf"\g<scheme>{HIDDEN}\g<at>", text)
    # The longest first: a short secret may be a part of a long one.
    for secret in sorted({each for each in secrets if each}, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    text = _HEADER.sub(lambda match: match["name"] + HIDDEN, text)
    text = _NAMED.sub(lambda match: match["name"] + HIDDEN, text)
    text = _GENERATED.sub(HIDDEN, text)
    for form in _FORMS:
        text = form.sub(HIDDEN, text)
    return _QUERY.sub(rf"\g<name>{HIDDEN}", text)


def looks_secret(text: str) -> bool:
    return redact(text) != _CONTROL.sub("", text)


def cut_redacted(text: str, secrets: Iterable[str], longest: int) -> str:
    """Redact a text and cut it to a length, with a note on what was left out.

    It is redacted before it is cut, and with a margin, so that no part of a secret stays at the cut.
    """
    ahead = text[: longest * 2]
    cleaned = redact(ahead, secrets)
    if len(ahead) == len(text) and len(cleaned) <= longest:
        return cleaned
    sure = len(cleaned) - longest // 2 if len(ahead) < len(text) else longest
    kept = cleaned[: max(0, min(longest, sure))]
    return f"{kept}\n… and {len(text) - len(kept)} letters more"


def spellings(secret: str) -> set[str]:
    """Return the spellings of a secret: as it is, quoted, escaped, in hex, or in base64."""
    raw = secret.encode()
    found = {secret, html.escape(secret), json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    found |= {repr(secret)[1:-1], raw.hex(), raw.hex().upper()}
    for how in (quote, quote_plus):
        once = how(secret, safe="") if how is quote else how(secret)
        found |= {once, once.lower(), quote(once, safe="")}
    found |= {quote(secret), "".join(f"%{byte:02X}" for byte in raw), "".join(f"%{byte:02x}" for byte in raw)}
    # The part of base64 that does not depend on the neighbors, for each alignment.
    for shift in range(3):
        begin, end = -(-shift * 8 // 6), (shift + len(raw)) * 8 // 6
        core = base64.b64encode(b"\0" * shift + raw + b"\0\0").decode()[begin:end]
        found |= {core, core.replace("+", "-").replace("/", "_")}
    return {each for each in found if len(each) >= SHORTEST}


def all_spellings(secrets: Iterable[str]) -> set[str]:
    """Return the spellings of all secrets of sufficient length."""
    return {each for secret in secrets if len(secret) >= SHORTEST for each in spellings(secret)}


def is_secret_name(name: str) -> bool:
    return bool(_SECRET_NAME.search(name))


def is_path(value: str) -> bool:
    """Return whether a value is an existing path, and so no secret itself."""
    return value.startswith("/") and os.path.exists(value)  # noqa: PTH110 - pathlib fails where a name is too long


def secrets_among(environment: Mapping[str, str]) -> set[str]:
    """Return the secrets of an environment, by the names of variables, and the passwords in its URLs."""
    found = {value for name, value in environment.items() if is_secret_name(name) and not is_path(value)}
    for value in environment.values():
        for rest in _AFTER_USER.findall(value):
            passwords = {rest[: at.start()] for at in re.finditer("@", rest[:_LONGEST_URL])}
            found |= passwords | set(map(unquote, passwords))
    return {secret for secret in found if len(secret) >= SHORTEST and secret.lower() not in _NO_SECRETS}
