# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Strict types for what a lab's instance, container or tag answers; anything else is refused or left out.

An instance may be in other hands. No answer chooses a file, an address, a command or a setting here.
"""

from __future__ import annotations

import re
import typing as t

from .._common.errors import LabError
from .._common.text import clean, one_line
from .url import HIDDEN_TOKEN, parse_url, write_url

ACCESSES = ("direct", "https", "tunnel")
"""How a lab on EC2 is accessed, the weakest first: in clear, by TLS, by an SSH tunnel."""
LOGINS = ("password", "token")
"""What a server asks for that its URL does not have."""
URL_LONGEST = 2048
TEXT_LONGEST = 300
LINES = 30
SETTING_LONGEST = 4096

_IMAGE_ID = re.compile(r"sha256:[0-9a-f]{64}")
# RFC 3986: unreserved letters, or percent-encoded printable octets.
_OCTET = r"%(?:[2-6][0-9A-Fa-f]|7[0-9A-Ea-e])"
_TOKEN = re.compile(rf"(?:[A-Za-z0-9._~-]|{_OCTET}){{0,512}}")
_PATH = re.compile(rf"/(?:[A-Za-z0-9._~@+/-]|{_OCTET}){{0,512}}")
_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}|\[?[0-9A-Fa-f:.]{2,45}\]?")


def plain_text(value: object, longest: int = TEXT_LONGEST) -> str:
    """Return one line of bounded length that any terminal can print, without control and invisible characters."""
    text = value if isinstance(value, str) else ""
    text = one_line(text[: 4 * longest].encode(errors="ignore").decode())
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def plain_lines(value: object) -> str:
    """Return a text of a bounded number of such lines."""
    return "\n".join(map(plain_text, value.splitlines()[:LINES])) if isinstance(value, str) else ""


def image_id(value: object) -> str:
    """Return the value if it is an image id, else nothing: a name could pull or build an image."""
    return value if isinstance(value, str) and _IMAGE_ID.fullmatch(value) else ""


def port_number(value: object) -> int:
    """Return a port, 0 for any other value."""
    if isinstance(value, bool) or not re.fullmatch(r"[0-9]{1,5}", str(value), re.ASCII):
        return 0
    return int(str(value)) if 1 <= int(str(value)) <= 65535 else 0


def one_of(value: object, known: t.Collection[str]) -> str:
    """Return the value if it is known, else nothing."""
    return value if isinstance(value, str) and value in known else ""


def lab_url(value: object) -> str:
    """Return the URL of a lab's server, rebuilt from strictly parsed parts; raise LabError otherwise."""
    found = parse_url(value) if isinstance(value, str) and len(value) <= URL_LONGEST else None
    # Errors do not repeat the answer: it may hold the token or control characters.
    if found is None or len(found.hosts) != 1 or not _HOST.fullmatch(found.hosts[0]):
        raise _refused("what it gave is not the URL of a server")
    if not _PATH.fullmatch(found.path) or ".." in found.path.split("/"):
        raise _refused("the path in its URL has letters that no server of a lab uses")
    if found.token != HIDDEN_TOKEN and not _TOKEN.fullmatch(found.token):
        raise _refused("its token has letters that no token has")
    return write_url(found, found.hosts[0], found.port)


def lab_answer(answer: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return ``url``, ``login``, ``data`` and ``files`` of a lab, or as ``error`` why it has none or is refused."""
    texts = {name: plain_text(answer.get(name)) for name in ("data", "files")}
    login = one_of(answer.get("login"), LOGINS)
    texts.update({"login": login} if login else {})
    failed = answer.get("error")
    if isinstance(failed, dict) and failed:
        return {"url": "", **texts, "error": {name: plain_lines(failed.get(name)) for name in ("what", "why", "do")}}
    try:
        return {"url": lab_url(answer.get("url")), **texts, "error": {}}
    except LabError as error:
        return {"url": "", **texts, "error": {"what": error.what, "why": error.why, "do": error.do}}


def remembered_settings(settings: object, known: t.Collection[str]) -> dict[str, t.Any]:
    """Return the saved settings with known names and plain values of bounded length."""
    if not isinstance(settings, dict):
        return {}
    return {name: settings[name] for name in known if name in settings and _is_plain(settings[name])}


def _is_plain(value: object) -> bool:
    if isinstance(value, str):
        return len(value) <= SETTING_LONGEST and "\n" not in value and clean(value) == value
    return isinstance(value, (bool, int)) and -(2**53) < value < 2**53


def _refused(why: str) -> LabError:
    return LabError(
        "The answer of the lab is refused.",
        f"A lab may be in other hands, and {why}.",
        "If the image is your own, check the URL that its server prints. Or remove this lab, and make it anew.",
    )
