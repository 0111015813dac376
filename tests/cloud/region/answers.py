# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Answers in the forms of AWS's protocols: errors, and what services say that moto does not have."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

from region.faults import Rule

StartResponse = Callable[..., Any]

# What services say when they cannot believe the caller, as code and message.
SIGNATURES: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "wrong_clock": {
        "ec2": ("RequestExpired", "Request has expired."),
        "sts": (
            "SignatureDoesNotMatch",
            "Signature expired: 20261101T080000Z is now earlier than 20261101T094500Z (20261101T100000Z - 15 min.)",
        ),
        "": (
            "InvalidSignatureException",
            "Signature expired: 20261101T080000Z is now earlier than 20261101T094500Z (20261101T100000Z - 15 min.)",
        ),
    },
    "expired_token": {
        "ec2": ("RequestExpired", "Request has expired."),
        "sts": ("ExpiredToken", "The security token included in the request is expired"),
        "": ("ExpiredTokenException", "The security token included in the request is expired"),
    },
    "bad_keys": {
        "ec2": ("AuthFailure", "AWS was not able to validate the provided access credentials"),
        "sts": ("InvalidClientTokenId", "The security token included in the request is invalid."),
        "": ("UnrecognizedClientException", "The security token included in the request is invalid."),
    },
}
REQUEST = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True)
class Answer:
    """An answer as HTTP carries it."""

    status: int
    content_type: str
    body: bytes
    code: str = ""

    def send(self, start_response: StartResponse) -> Iterable[bytes]:
        """Say it."""
        headers = [("Content-Type", self.content_type), ("Content-Length", str(len(self.body)))]
        if self.code:
            headers.append(("x-amzn-errortype", self.code))
        start_response(f"{self.status} ", headers)
        return [self.body]


def as_json(document: Any, status: int = 200) -> Answer:
    return Answer(status, "application/x-amz-json-1.1", json.dumps(document).encode())


def as_text(text: str, status: int = 200) -> Answer:
    return Answer(status, "text/plain; charset=utf-8", text.encode())


def as_error(service: str, rule: Rule, *, speaks_json: bool) -> Answer:
    """Return the error of a rule in the form that a service speaks."""
    code, message = words(service, rule)
    status = rule.get("status", 400)
    if speaks_json:
        body = json.dumps({"__type": code, "message": message})
        return Answer(status, "application/x-amz-json-1.1", body.encode(), code)
    told = f"<Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
    if service == "ec2":
        text = f"<Response><Errors><Error>{told}</Error></Errors><RequestID>{REQUEST}</RequestID></Response>"
    else:
        text = (
            f"<ErrorResponse><Error><Type>Sender</Type>{told}</Error><RequestId>{REQUEST}</RequestId></ErrorResponse>"
        )
    return Answer(status, "text/xml", f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'.encode(), code)


def words(service: str, rule: Rule) -> tuple[str, str]:
    """Return code and message of a rule, which may leave both to the service."""
    says = SIGNATURES.get(rule["code"])
    if says is None:
        return rule["code"], rule.get("message", rule["code"])
    return says.get(service, says[""])
