# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Take secrets out of a text: those that are known, in any spelling, and whatever looks like one.

The one place that knows what a secret looks like: for the terminal, the log of a run, errors, and bundles.
"""

from __future__ import annotations

import base64
import html
import json
import os
import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote, quote_plus, unquote

# Values of names that only look like those of secrets.
_NO_SECRETS = ("true", "false", "none", "auto", "yes", "default")
HIDDEN = "<hidden>"
# Shorter ones are parts of so many words that nothing could be read any more.
SHORTEST = 4

# A name that ends in one of these, then '=' or ':' in any of the ways in which URLs, JSON and options write it.
_NAMED = re.compile(
    r"""(?P<name>(?:token|password|passwd|secret|(?:api|access|secret)[_-]?key)["']?\s*(?:[=:]|%(?:25)*3D)\s*["']?)"""
    r"""(?:(?:bearer|token|basic)\s+)?(?P<value>[^\s"'&<>]+)""",
    re.IGNORECASE,
)
_HEADER = re.compile(
    r"""(?P<name>\b(?:authorization|cookie)\b["']?\s*[:=]\s*["']?)(?P<value>[^\r\n"']+)""",
    re.IGNORECASE,
)
_SECRET_NAME = re.compile(
    r"token|passw|secret|credential|signature|auth|keys?$|(?:^|[^a-z])key(?:[^a-z]|$)", re.IGNORECASE
)
_PASSWORD = re.compile(r"://[^\s/@:]*:(?P<password>[^\s/@]+)@")
# What Jupyter makes by itself is 48 hexadecimal digits; Docker's ids have 64 or 12.
_GENERATED = re.compile(r"(?<![0-9A-Fa-f])[0-9a-f]{48}(?![0-9A-Fa-f])")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL)
# Of a user alone, such as in ssh://git@host, nothing has to be hidden but where a token takes that place.
_USERINFO = re.compile(
    r"(?P<scheme>\b[a-z][a-z0-9+.-]{0,30}(?:://|%3A%2F%2F))(?!git@)[^\s/@\"'<>]+(?P<at>@|%40)(?=[\w\[])", re.IGNORECASE
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
    """Return the text without the secrets named, without whatever looks like one, and without control characters."""
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
    """Return whether a text holds what looks like a secret."""
    return redact(text) != _CONTROL.sub("", text)


def cut_redacted(text: str, secrets: Iterable[str], longest: int) -> str:
    """Return the text without secrets and at most so many characters long, with a word on what was left out.

    A text is cleaned before it is cut, or a part of a secret would stay at the cut. Only so much of it is cleaned as
    may be kept, and so much more that a secret which that cut goes through is not.
    """
    ahead = text[: longest * 2]
    cleaned = redact(ahead, secrets)
    if len(ahead) == len(text) and len(cleaned) <= longest:
        return cleaned
    sure = len(cleaned) - longest // 2 if len(ahead) < len(text) else longest
    kept = cleaned[: max(0, min(longest, sure))]
    return f"{kept}\n… and {len(text) - len(kept)} letters more"


def spellings(secret: str) -> set[str]:
    """Return the ways in which a secret may stand in a text: as it is, quoted, escaped, or a part of base64."""
    raw = secret.encode()
    found = {secret, html.escape(secret), json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    found |= {repr(secret)[1:-1], raw.hex(), raw.hex().upper()}
    for how in (quote, quote_plus):
        once = how(secret, safe="") if how is quote else how(secret)
        found |= {once, once.lower(), quote(once, safe="")}
    found |= {quote(secret), "".join(f"%{byte:02X}" for byte in raw), "".join(f"%{byte:02x}" for byte in raw)}
    # What stands before it shifts it by so many bytes; what does not depend on its neighbours is the same each time.
    for shift in range(3):
        begin, end = -(-shift * 8 // 6), (shift + len(raw)) * 8 // 6
        core = base64.b64encode(b"\0" * shift + raw + b"\0\0").decode()[begin:end]
        found |= {core, core.replace("+", "-").replace("/", "_")}
    return {each for each in found if len(each) >= SHORTEST}


def all_spellings(secrets: Iterable[str]) -> set[str]:
    """Return every spelling of every secret that is long enough to be told from a word."""
    return {each for secret in secrets if len(secret) >= SHORTEST for each in spellings(secret)}


def is_secret_name(name: str) -> bool:
    """Return whether the value of that name is a secret, going by the name."""
    return bool(_SECRET_NAME.search(name))


def is_path(value: str) -> bool:
    """Return whether a value is where a secret lies, and no secret itself; those may begin with a slash, too."""
    return value.startswith("/") and os.path.exists(value)  # noqa: PTH110 - pathlib fails where a name is too long


def secrets_among(environment: Mapping[str, str]) -> set[str]:
    """Return the values of an environment whose names say that they are secrets, and the passwords in its URLs."""
    found = {value for name, value in environment.items() if is_secret_name(name) and not is_path(value)}
    for value in environment.values():
        for match in _PASSWORD.finditer(value):
            found |= {match["password"], unquote(match["password"])}
    # A very short value, or one of these words, is a part of so much that hiding it would make a text unreadable.
    return {secret for secret in found if len(secret) >= SHORTEST and secret.lower() not in _NO_SECRETS}
