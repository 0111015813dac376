# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Redact secrets in texts (terminal, run log, errors, bundles): known ones in any spelling, and what looks like one."""

from __future__ import annotations

import base64
import contextlib
import html
import json
import os
import re
import shlex
import typing as t
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote, quote_plus, unquote

# Values of variables that only look like secrets.
_NO_SECRETS = ("true", "false", "none", "auto", "yes", "default")
HIDDEN = "<hidden>"
# Shorter ones are parts of too many words.
SHORTEST = 4
_LONGEST_URL = 2048

# What the name of a secret ends in, wherever it stands. A shell's own PWD and OLDPWD are paths.
_ENDS = (
    r"token|secret|pass(?:word|wd|phrase|code)?|(?<![a-z])pat"
    r"|(?!(?-i:(?<!\w)PWD|(?<=(?<!\w)OLD)PWD))pwd"
)
# Such a name, then '=' or ':' in any of the ways in which URLs, JSON and options write it.
_NAMED = re.compile(
    rf"""(?P<name>(?:{_ENDS}|(?:api|access|secret)[_-]?key)["']?\s*(?:[=:]|%(?:25)*3D)\s*["']?)"""
    r"""(?:(?:bearer|token|basic)\s+)?(?P<value>(?:[^\s"'&<>]|<hidden>)+)""",
    re.IGNORECASE,
)
_HEADER = re.compile(
    r"""(?P<name>\b(?:authorization|cookie)\b["']?\s*[:=]\s*["']?)(?P<value>[^\r\n"']+)""", re.IGNORECASE
)
_SECRET_NAME = re.compile(
    rf"(?:{_ENDS})(?![a-z])|token|passw|passphrase|secret|credential|signature|auth|keys?$|(?:^|[^a-z])key(?:[^a-z]|$)",
    re.IGNORECASE,
)
# Jupyter's tokens have 48 hexadecimal digits; Docker's ids 64 or 12.
_GENERATED = re.compile(r"(?<![0-9A-Fa-f])[0-9a-f]{48}(?![0-9A-Fa-f])")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL)
_WORD = re.compile(rf"(?:[^\s\"'<>]|{HIDDEN})+")
# What a URL with a user begins with. A user alone may be a token, except for git. Passwords have any letter, a / and an
# @ too, but what has no user before its first / is a URL like any other.
_SCHEME = re.compile(r"\b[a-z][a-z0-9+.-]{0,30}(?:://|%3A%2F%2F)(?!git$|[\w.-]*(?::\d{1,5})?/)", re.IGNORECASE)
_AT = re.compile(r"(?:@|%40)(?=[\w\[])")
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
    text = _CONTROL.sub("", text)
    # Before anything else takes a part of one. The longest first: a short secret may be a part of a long one.
    for secret in sorted({each for each in secrets if each}, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    text = _PRIVATE_KEY.sub(HIDDEN, text)
    if _AT.search(text):
        text = _WORD.sub(_without_user, text)
    text = _HEADER.sub(lambda match: match["name"] + HIDDEN, text)
    text = _NAMED.sub(lambda match: match["name"] + HIDDEN, text)
    text = _GENERATED.sub(HIDDEN, text)
    for form in _FORMS:
        text = form.sub(HIDDEN, text)
    return _QUERY.sub(rf"\g<name>{HIDDEN}", text)


def _user_of(word: str) -> tuple[int, int]:
    """Return where user and password of a URL in a word begin and end; nothing is between where there are none."""
    *_others, last = [0, *(match.start() for match in _AT.finditer(word))]
    scheme = _SCHEME.search(word, 0, last)
    return (scheme.end(), last) if scheme else (0, 0)


def _without_user(match: re.Match[str]) -> str:
    begin, end = _user_of(match[0])
    return f"{match[0][:begin]}{HIDDEN}{match[0][end:]}" if end else match[0]


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


def end_redacted(text: str, longest: int) -> str:
    """Return the end of a text, all of which is redacted before, so that no part of a secret stays at the cut."""
    return redact(text)[-longest:]


def spellings(secret: str) -> set[str]:
    """Return the spellings of a secret: as it is, quoted, escaped, in hex, or in base64."""
    raw = secret.encode()
    found = {secret, html.escape(secret), json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    found |= {repr(secret)[1:-1], secret.replace("'", "'\"'\"'"), raw.hex(), raw.hex().upper()}
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
    """Return whether a variable, an option or a key has a secret, by its name."""
    return bool(_SECRET_NAME.search(name))


def secrets_in(data: object) -> set[str]:
    """Return the secrets of an environment, a structure or the words of a command, and the passwords in their URLs.

    What a variable, a key or an option names as one is a secret.
    """
    return {each for each in _secrets(data, "") if len(each) >= SHORTEST and each.lower() not in _NO_SECRETS}


def credentials(url: str) -> tuple[str, str]:
    """Return user and password of a proxy's URL as they are written in it: all that is before the last @."""
    _scheme, mark, rest = url.partition("://")
    user, _colon, password = (rest if mark else url).rpartition("@")[0].partition(":")
    return user, password


def _secrets(data: object, name: str) -> Iterator[str]:
    if isinstance(data, Mapping):
        for key, value in data.items():
            yield from _secrets(value, str(key))
    elif isinstance(data, (list, tuple)):
        for before, word in zip(("", *data), data):
            option = isinstance(before, str) and before.startswith("-") and "=" not in before
            yield from _secrets(word, before if option and is_secret_name(before) else name)
            if isinstance(word, str):
                for key, value in _settings(word):
                    yield from _secrets(value, key)
    elif isinstance(data, str):
        # An existing path is no secret itself. Where a name is too long, pathlib fails.
        if is_secret_name(name) and not (data.startswith("/") and os.path.exists(data)):  # noqa: PTH110
            yield data
        yield from _passwords(data, name)


def _passwords(value: str, name: str) -> Iterator[str]:
    """Return the passwords of URLs in a value; what has no colon is one too in the variable of a proxy."""
    proxy = name.lower().endswith("_proxy")
    for word in [value] if proxy else _WORD.findall(value):
        end = word.rfind("@") if proxy else _user_of(word)[1]
        begins = [match.end() for match in re.finditer("://", word[: max(0, end)])] or [0]
        for begin in begins if end > 0 else ():
            user, _colon, password = word[begin:end].partition(":")
            secret = password or (user if proxy else "")
            # There may be several URLs in it, so that any @ may be the end.
            parts = {secret[: at.start()] for at in re.finditer("@", secret[:_LONGEST_URL])}
            yield from (secret, *parts, *map(unquote, (secret, *parts)), f"{user}:{password}" if password else "")


def _settings(word: str) -> Iterator[tuple[str, t.Any]]:
    """Return the names and values that a word of a command sets: one, or several in JSON or in shell's quotes."""
    plain = re.match(r"([\w.-]+)=(.*)", word, re.DOTALL)
    if plain:
        yield plain[1], plain[2]
    with contextlib.suppress(ValueError, RecursionError):
        yield "", json.loads(word[word.index("{") :])
    try:
        parts = shlex.split(word)
    except ValueError:
        return
    for part in parts:
        for match in re.finditer(r"([\w.-]+)=", part):
            yield match[1], part[match.end() :]
