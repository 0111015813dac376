# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Turn an error of AWS, or of the connection to it, into What, Why and Do.

Exceptions are known by the names of their classes, so that botocore is not needed for that.
"""

from __future__ import annotations

import re
import typing as t
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from functools import cache
from urllib.parse import urlsplit

from .._common.errors import LabError
from .._common.redact import redact
from .error_messages import ACTION_REASON, BY_CLASS, BY_CODE, FORBIDDEN, LOG_IN, OPEN_REGIONS, SEE_CLOCK, Explanation

# AWS takes requests whose time is at most so far from its own.
_MINUTES_OF_GRACE = 5
_SIGNATURE_TIME = re.compile(
    r"Signature (?:expired|not yet current): (\d{8}T\d{6}Z) is (?:now|still) \w+ than \d{8}T\d{6}Z \((\d{8}T\d{6}Z) "
)
_CLOCK_CODES = ("RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture")
_KEY_CODES = (
    "AuthFailure",
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
)
# How botocore writes what AWS answered into a text.
_OCCURRED = re.compile(r"An error occurred \((\S+)\) when calling the (\w+) operation[^:]*: (.*)", re.DOTALL)
_ACTION = re.compile(r"not authorized to perform:? ?([a-z0-9-]+:\w+)")
_ACCOUNT = re.compile(r"(?<![\w.-])\d{8}(\d{4})(?![\w-])")
_ACCESS_KEY = re.compile(r"\b(?:AKIA|ASIA|AROA|AIDA)[A-Z0-9]{12,}\b")
_ENCODED = re.compile(r"\s*Encoded authorization failure message:.*", re.DOTALL)
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z])|\n")


@cache
def botocore_errors() -> tuple[type[Exception], ...]:
    """Return what a call of a client of botocore may raise; nothing where it is missing, which the module itself tells.

    Most runs of Ansible load this module for its filters and call no client: botocore takes a tenth of a second.
    """
    try:
        from botocore.exceptions import BotoCoreError, ClientError
        from botocore.parsers import ResponseParserError
    except ImportError:
        return ()
    return BotoCoreError, ClientError, ResponseParserError


def aws_error(error: BaseException, doing: str, region: str = "", now: datetime | None = None) -> LabError:
    """Return what went wrong as a failure for people.

    ``doing`` ends the sentence "It was not possible to …"; ``now`` is this computer's time.
    """
    error = unwrapped(error)
    what = f"It was not possible to {doing.rstrip('.')}."
    response = getattr(error, "response", None)
    if isinstance(response, t.Mapping) and isinstance(response.get("Error"), t.Mapping):
        explanation = _from_answer(error, response, region, now or datetime.now(timezone.utc))
    else:
        explanation = _from_this_side(error, region)
    return LabError(what, plain(explanation.why), plain(explanation.do))


def aws_failure(result: t.Mapping[str, t.Any], doing: str, region: str = "") -> dict[str, str]:
    """Return what, why and do of a failed task, which may be one of a module of amazon.aws."""
    items = result.get("results")
    if isinstance(items, list):
        result = next((item for item in items if isinstance(item, t.Mapping) and item.get("failed")), result)
    if result.get("what"):
        return {key: str(result.get(key) or "") for key in ("what", "why", "do")}
    message = str(result.get("msg") or "")
    said, found = result.get("error"), _OCCURRED.search(message)
    if not isinstance(said, t.Mapping):
        said = {"code": found[1], "message": found[3]} if found else {}
    error: BaseException = _Said(said, found[2] if found else "") if said else Exception(message)
    explanation = aws_error(error, doing, region)
    return {"what": explanation.what, "why": explanation.why, "do": explanation.do}


class _Said(Exception):
    """What AWS answered, in the shape of an exception of botocore."""

    def __init__(self, said: t.Mapping[str, t.Any], operation: str) -> None:
        super().__init__(said.get("message"))
        self.response = {"Error": {"Code": said.get("code"), "Message": said.get("message")}}
        self.operation_name = operation


def unwrapped(error: BaseException) -> BaseException:
    """Return the exception of botocore that amazon.aws has put into its own, else the exception itself."""
    while isinstance(getattr(error, "exception", None), BaseException):
        error = error.exception
    return error


def code_of(error: BaseException) -> str:
    """Return the code that AWS gave with an error, such as ``VcpuLimitExceeded``; empty where AWS did not answer."""
    response = getattr(unwrapped(error), "response", None)
    found = response.get("Error") if isinstance(response, t.Mapping) else None
    code = str(found.get("Code") or "") if isinstance(found, t.Mapping) else ""
    # The documentation puts the side at fault in front, and some answers do so, too.
    return code.partition(".")[2] if code.startswith(("Client.", "Server.")) else code


def message_of(error: BaseException) -> str:
    """Return the first sentence of what an error says, without account numbers, keys and encoded messages."""
    error = unwrapped(error)
    response = getattr(error, "response", None)
    found = response.get("Error") if isinstance(response, t.Mapping) else None
    text = str(found.get("Message") or "") if isinstance(found, t.Mapping) else str(error)
    text = _ENCODED.sub("", text.strip())
    sentence = _SENTENCE_END.split(text, maxsplit=1)[0]
    return plain(sentence)


def action_in(text: str, asked: str) -> str:
    """Return the action that a refusal names, else the one that was asked for.

    A launch with tags may be refused for the tags alone; the message then names that.
    """
    found = _ACTION.search(text)
    return found[1] if found else asked


def plain(text: str) -> str:
    """Return a text in which no account can be read whole, and no key at all."""
    text = _ACCOUNT.sub(r"…\1", text)
    return redact(_ACCESS_KEY.sub("<hidden>", text))


def _from_answer(error: BaseException, response: t.Mapping[str, t.Any], region: str, now: datetime) -> Explanation:
    code, text = code_of(error), str(response["Error"].get("Message") or "")
    if code in _CLOCK_CODES or "Signature expired" in text or "Signature not yet current" in text:
        return _wrong_clock(_minutes_off(text, response, now))
    if code in FORBIDDEN:
        return _forbidden(error, code, text)
    if code in _KEY_CODES and (code != "AuthFailure" or "credentials" in text):
        minutes = _minutes_off(text, response, now)
        return _wrong_clock(minutes) if abs(minutes or 0) > _MINUTES_OF_GRACE else _wrong_keys(code, region)
    for name, needle, explain in BY_CODE:
        if re.fullmatch(name, code) and needle in text:
            return explain(text, region)
    said = ": ".join(filter(None, [code, message_of(error)])) or "no more than that it failed"
    return Explanation(f"AWS says {said.rstrip('.')}.", "see whether the AWS console shows the same, and try again")


def _minutes_off(text: str, response: t.Mapping[str, t.Any], now: datetime) -> int | None:
    """Return by how many minutes this computer's clock is ahead of AWS'; None where AWS' time is not known."""
    found = _SIGNATURE_TIME.search(text)
    if found:
        ours, theirs = (datetime.strptime(stamp, "%Y%m%dT%H%M%SZ") for stamp in found.groups())
        return round((ours - theirs).total_seconds() / 60)
    metadata = response.get("ResponseMetadata")
    headers = metadata.get("HTTPHeaders") if isinstance(metadata, t.Mapping) else None
    try:
        theirs = parsedate_to_datetime(str(headers["date"]))
        return round((now - theirs).total_seconds() / 60)
    except (KeyError, TypeError, ValueError, IndexError):
        return None


def _wrong_clock(minutes: int | None) -> Explanation:
    if minutes and abs(minutes) > 1:
        much = f"{abs(minutes)} minutes" if abs(minutes) < 120 else f"about {round(abs(minutes) / 60)} hours"
        way = "ahead of" if minutes > 0 else "behind"
        return Explanation(
            f"The clock of this computer is {much} {way} that of AWS, which therefore refuses it.", SEE_CLOCK
        )
    if minutes is None:
        why = "AWS finds the request out of time: this computer's clock is wrong, or the credentials have expired."
        return Explanation(why, f"{SEE_CLOCK} · if the clock is right, {LOG_IN}")
    return Explanation(
        "AWS finds the request too old, though the clock is right: the credentials have expired.", LOG_IN
    )


def _wrong_keys(code: str, region: str) -> Explanation:
    if code == "SignatureDoesNotMatch":
        why = "AWS knows the access key, but the secret key does not belong to it."
        return Explanation(why, "copy the secret key again with 'aws configure', without a space or a missing letter")
    if code.startswith("MissingAuthenticationToken"):
        return Explanation("AWS was sent a request without credentials.", "give credentials with 'aws configure'")
    why = "AWS does not know these credentials: they were deleted, mistyped, or are another account's."
    if code == "AuthFailure" and region and region not in OPEN_REGIONS:
        why = f"AWS does not take these credentials in {region}, which an account has to enable before it is used."
        return Explanation(why, f"enable {region} in the console under Account, or use -e lab_region=us-west-2")
    return Explanation(why, f"set them again with 'aws configure', or {LOG_IN}")


def _forbidden(error: BaseException, code: str, text: str) -> Explanation:
    operation = str(getattr(error, "operation_name", "") or "")
    action = action_in(text, f"ec2:{operation}" if code == "UnauthorizedOperation" and operation else operation)
    why = f"Your permissions at AWS do not include {action or 'this'}"
    reason = next((words for needle, words in ACTION_REASON if needle in text), "")
    return Explanation(
        f"{why}{f': {reason}' if reason else ''}.",
        f"ask whoever manages the AWS account to allow {action or 'it'} · "
        "docs/iam-policy.json has all that DESI Lab needs",
    )


def _from_this_side(error: BaseException, region: str) -> Explanation:
    names = {kind.__name__ for kind in type(error).__mro__}
    facts = getattr(error, "kwargs", None)
    facts = dict(facts) if isinstance(facts, t.Mapping) else {}
    # A URL may hold a password.
    facts["endpoint_url"] = urlsplit(str(facts.get("endpoint_url") or "")).hostname or ""
    facts["said"] = (message_of(error) or type(error).__name__).rstrip(".")
    for name, explain in BY_CLASS:
        if name in names:
            return explain(facts, region)
    return Explanation(f"{facts['said']}.", "try again · -v shows more")
