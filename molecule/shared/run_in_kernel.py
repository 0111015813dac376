#!/usr/bin/env python3
# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run Python code in a new kernel of a Jupyter server, through the API that notebooks use, and print what it prints.

The code comes from standard input; the URL, token included, from the environment (JUPYTER_URL), as does the file of a
certificate that alone is trusted, whatever name it is for (JUPYTER_CERTIFICATE).
"""

from __future__ import annotations

import json
import os
import sys
import uuid
from urllib.parse import parse_qs, urlsplit

import requests
import requests.adapters
import websocket

TIMEOUT = 120


class AnyName(requests.adapters.HTTPAdapter):
    """Leaves it to the certificate alone who is trusted."""

    def init_poolmanager(self, *arguments: object, **options: object) -> None:
        super().init_poolmanager(*arguments, assert_hostname=False, **options)


def ask(url: str, token: str, code: str, certificate: str) -> int:
    """Run code in a kernel of the server at url; return 1 if it raised."""
    session = requests.Session()
    session.trust_env = False
    if certificate:
        session.verify = certificate
        session.mount("https://", AnyName())
    session.headers["Authorization"] = f"token {token}"
    answer = session.post(f"{url}/api/kernels", json={"name": "python3"}, timeout=TIMEOUT)
    answer.raise_for_status()
    kernel = f"{url}/api/kernels/{answer.json()['id']}"
    try:
        channel = websocket.create_connection(
            kernel.replace("http", "ws", 1) + "/channels",
            header=[f"Authorization: token {token}"],
            timeout=TIMEOUT,
            sslopt={"ca_certs": certificate, "check_hostname": False} if certificate else None,
        )
        return run(channel, code)
    finally:
        session.delete(kernel, timeout=TIMEOUT).raise_for_status()


def run(channel: websocket.WebSocket, code: str) -> int:
    """Send code and pass on what comes back, until the kernel has done with it."""
    number = uuid.uuid4().hex
    header = {"msg_id": number, "msg_type": "execute_request", "username": "", "session": number, "version": "5.3"}
    content = {"code": code, "silent": False, "store_history": False, "allow_stdin": False}
    message = {"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell"}
    channel.send(json.dumps(message))
    while True:
        answer = json.loads(channel.recv())
        if answer["parent_header"].get("msg_id") != number:
            continue
        if answer["msg_type"] == "stream":
            print(answer["content"]["text"], end="")
        elif answer["msg_type"] == "execute_reply":
            if answer["content"]["status"] == "ok":
                return 0
            print(f"{answer['content']['ename']}: {answer['content']['evalue']}", file=sys.stderr)
            return 1


def main() -> int:
    address = urlsplit(os.environ["JUPYTER_URL"])
    token = parse_qs(address.query)["token"][0]
    certificate = os.environ.get("JUPYTER_CERTIFICATE", "")
    return ask(f"{address.scheme}://{address.netloc}", token, sys.stdin.read(), certificate)


if __name__ == "__main__":
    sys.exit(main())
