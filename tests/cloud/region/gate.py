# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The gate that every call goes through: it is logged, hit by a fault or answered here, or passed on to moto."""

from __future__ import annotations

import contextlib
import io
import json
import re
import socket
import threading
import time
import traceback
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qsl

from moto.ec2.models import ec2_backends

from region import missing
from region.answers import Answer, StartResponse, as_error
from region.calls import Calls, Entry, without_secrets
from region.control import PREFIX, Control
from region.faults import Call, Faults, Rule
from region.paths import action_of
from region.words import ACCOUNT, AWS_REGION

Application = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]

CREDENTIAL = re.compile(r"Credential=(?P<key>[^/]+)/[^/]+/(?P<region>[^/]+)/(?P<service>[^/]+)/")
CODE = re.compile(rb"<Code>([^<]+)</Code>|\"__type\": *\"(?:[^\"#]*#)?([^\"]+)\"")

DRY_RUN = {"code": "DryRunOperation", "message": "Request would have succeeded, but DryRun flag is set.", "status": 412}
# Calls that may take their time, and see to it themselves that they do not come in each other's way.
PATIENT = ("RunInstances", "StartInstances", "StopInstances", "TerminateInstances", "RebootInstances")


class Gate:
    """A WSGI application around moto's."""

    def __init__(
        self, moto: Application, control: Control, calls: Calls, faults: Faults, changed: Callable[[], None]
    ) -> None:
        self._moto = moto
        self._control = control
        self._calls = calls
        self._faults = faults
        # Told after each call that may have changed who is let in where.
        self._changed = changed
        self._one_at_a_time = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(length) if length else b""
        environ["wsgi.input"] = io.BytesIO(body)
        if environ.get("PATH_INFO", "").startswith(PREFIX):
            return self._control.answer(environ, body).send(start_response)
        return self._serve(environ, body, start_response)

    def _serve(self, environ: dict[str, Any], body: bytes, start_response: StartResponse) -> Iterable[bytes]:
        entry, form = read(environ, body)
        self._calls.begin(entry)

        def note(status: str, headers: Any, *more: Any) -> Any:
            entry.status, entry.seconds = int(status.split()[0]), round(time.time() - entry.began, 3)
            return start_response(status, headers, *more)

        call = Call(entry.service, entry.action, form, zone_of(form, entry.region))
        rule = self._faults.for_call(call)
        speaks_json = bool(environ.get("HTTP_X_AMZ_TARGET"))
        if rule is not None:
            entry.fault = True
            return self._fail(environ, rule, entry, note, speaks_json=speaks_json)
        # moto does some things for real that were to be tried dryly, and never says what a permission is missing for.
        if entry.service == "ec2" and form.get("DryRun") == "true":
            return as_error("ec2", DRY_RUN, speaks_json=False).send(note)
        known = missing.answer(entry.service, entry.action, body, self._faults)
        answer = known.send(note) if known else self._through(environ, entry, note)
        return [self._see(entry, b"".join(answer))]

    def _through(self, environ: dict[str, Any], entry: Entry, note: StartResponse) -> Iterable[bytes]:
        heard: list[Any] = []

        def hear(status: str, headers: Any, *_: Any) -> None:
            heard[:] = [status, headers]

        changes = entry.service == "ec2" and not entry.action.startswith("Describe")
        # moto looks first and writes later: two who make the same thing at once would both be told that they did.
        with self._one_at_a_time if changes and entry.action not in PATIENT else contextlib.nullcontext():
            try:
                body = b"".join(self._moto(environ, hear))
            except Exception as error:  # what moto trips over is told as EC2 tells it, not as a page of werkzeug's
                return self._trip(environ, entry, error).send(note)
        if changes:
            self._changed()
        status, headers = heard
        note(status, headers)
        return [body]

    @staticmethod
    def _trip(environ: dict[str, Any], entry: Entry, error: Exception) -> Answer:
        says = {"code": "InternalError", "message": "An internal error has occurred", "status": 500}
        if isinstance(error, NotImplementedError):
            # Not an error of the server, which callers would try again and again.
            message = f"The action {entry.action} is not valid for this web service."
            says = {"code": "InvalidAction", "message": message, "status": 400}
        else:
            traceback.print_exception(error)
        return as_error(entry.service, says, speaks_json="HTTP_X_AMZ_TARGET" in environ)

    @staticmethod
    def _see(entry: Entry, body: bytes) -> bytes:
        found = CODE.search(body) if entry.status >= 300 else None
        entry.code = (found[1] or found[2]).decode() if found else ""
        return body

    def _fail(
        self, environ: dict[str, Any], rule: Rule, entry: Entry, note: StartResponse, *, speaks_json: bool
    ) -> Iterable[bytes]:
        if rule.get("after"):
            b"".join(self._through(environ, entry, lambda *_: None))
        if rule.get("drop"):
            # Closing alone would still let werkzeug say something.
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            note("500 dropped", [])
            return [b""]
        answer = as_error(entry.service, rule, speaks_json=speaks_json)
        entry.code = answer.code
        return answer.send(note)


def read(environ: dict[str, Any], body: bytes) -> tuple[Entry, dict[str, str]]:
    """Return a call as the log keeps it, and the form that came with it."""
    found = CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
    key, region, service = (found["key"], found["region"], found["service"]) if found else ("", AWS_REGION, "-")
    target = environ.get("HTTP_X_AMZ_TARGET", "")
    form: dict[str, str] = {}
    parameters: Any = {}
    if target:
        action = target.rpartition(".")[2]
        parameters = loaded(body)
    elif action_of(service, environ["REQUEST_METHOD"], environ.get("PATH_INFO", "")):
        action = action_of(service, environ["REQUEST_METHOD"], environ.get("PATH_INFO", ""))
        parameters = {"path": environ.get("PATH_INFO", ""), **loaded(body)}
    else:
        text = body.decode("utf-8", "replace") or environ.get("QUERY_STRING", "")
        form = dict(parse_qsl(text, keep_blank_values=True))
        action = form.pop("Action", "") or f"{environ['REQUEST_METHOD']} {environ.get('PATH_INFO', '')}"
        form.pop("Version", None)
        parameters = form
    return Entry(service, action, without_secrets(parameters), key, region), form


def loaded(body: bytes) -> Any:
    """Return the document of a call, or nothing if it is none."""
    try:
        return json.loads(body or b"{}")
    except ValueError:
        return {}


def zone_of(form: dict[str, str], region: str) -> str:
    """Return the availability zone in which a call wants something."""
    named = form.get("Placement.AvailabilityZone")
    subnet = form.get("SubnetId") or form.get("NetworkInterface.1.SubnetId")
    if subnet:
        backend = ec2_backends[ACCOUNT][region]
        found = backend.describe_subnets(filters={"subnet-id": [subnet]})
        return str(found[0].availability_zone) if found else ""
    # Without either, moto takes the first.
    return named or f"{region}a"
