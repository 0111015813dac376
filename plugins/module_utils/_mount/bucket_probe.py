# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Query a bucket over HTTP before it is mounted, as mount tools fail late and with unclear errors."""

from __future__ import annotations

import http.client
import re
import socket
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .._common.errors import LabError
from .._common.network import Proxy, ca_bundle, proxy_for
from .._common.web import make_opener
from .spec import MountSpec, settings_of_address

_BODY_LIMIT = 64 * 1024
_CREDENTIAL_CODES = {
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "ExpiredToken",
    "InvalidToken",
    "TokenRefreshRequired",
}
_CHECK_ADDRESS = "Check the name and the endpoint, which is the address of the server without a bucket or a folder."
_DENIED_CODES = {"AccessDenied", "AllAccessDisabled", "AccountProblem", "Forbidden"}


@dataclass(frozen=True)
class BucketAnswer:
    """An endpoint's answer: the S3 error code, and whether anything was listed."""

    status: int
    is_listing: bool = False
    code: str = ""
    region: str = ""
    kind: str = ""
    anything: bool = False


def listing_url(spec: MountSpec) -> str:
    """Return the URL that lists one key of the bucket."""
    query = {"list-type": "2", "max-keys": "1", "prefix": f"{spec.prefix}/" if spec.prefix else ""}
    if spec.aws:
        host = f"s3.{spec.region}.amazonaws.com{'.cn' if spec.region.startswith('cn-') else ''}"
        base = f"https://{host}/{spec.bucket}" if spec.path_style else f"https://{spec.bucket}.{host}/"
    else:
        base = f"{spec.endpoint}/{spec.bucket}"
    return f"{base}?{urllib.parse.urlencode(query)}"


def read_answer(status: int, headers: Mapping[str, str], body: bytes) -> BucketAnswer:
    """Parse a listing or an S3 error; any other answer is neither."""
    code = re.search(rb"<Error>.*?<Code>([A-Za-z0-9.]+)</Code>", body, re.DOTALL)
    hinted = re.search(rb"<(?:Region|BucketRegion)>([a-z0-9-]+)</", body)
    is_listing = status == 200 and re.search(rb"<ListBucketResult[\s>]", body) is not None
    return BucketAnswer(
        status=status,
        is_listing=is_listing,
        code=code.group(1).decode() if code else "",
        region=headers.get("x-amz-bucket-region") or (hinted.group(1).decode() if hinted else ""),
        kind=(headers.get("content-type") or "").split(";")[0].strip(),
        anything=is_listing and re.search(rb"<(Contents|CommonPrefixes)[\s>]", body) is not None,
    )


def explain_answer(spec: MountSpec, answer: BucketAnswer, proxy: Proxy | None = None) -> LabError | None:
    """Return why the bucket cannot be mounted, or None if it can. ``proxy`` is what it was asked through."""
    where = spec.endpoint or f"Amazon ({spec.region})"
    what = f'The bucket "{spec.bucket}" cannot be mounted.'
    if answer.is_listing:
        if spec.prefix and spec.read_only and not answer.anything:
            why = f'It has nothing under the prefix "{spec.prefix}/".'
            return LabError(what, why, "Check the prefix; capitals matter.")
        return None
    if answer.region and answer.region != spec.region and answer.code != "NoSuchBucket":
        return LabError(
            what,
            f"It is in the region {answer.region}, not in {spec.region}.",
            f"Set the region to {answer.region}: -e lab_bucket_region={answer.region}",
        )
    named = settings_of_address(spec.endpoint, spec.bucket)
    if answer.code and answer.status < 500 and named:
        why = f"The name of the bucket is in the endpoint {spec.endpoint}, too."
        return LabError(what, why, f"Give its parts: {' '.join(named)}")
    if answer.code == "NoSuchBucket":
        return LabError(what, f"There is no bucket of this name at {where}.", "Check the name and the endpoint.")
    if answer.code in ("PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"):
        do = "Set the region that the bucket is in: -e lab_bucket_region=REGION"
        return LabError(what, f"It is in another region than {spec.region} ({answer.code}).", do)
    if answer.code in _DENIED_CODES:
        if not spec.anonymous:
            return None
        why = f"{where} does not let the public list it ({answer.code})."
        return LabError(what, why, "Check the name, or set anonymous=false and give credentials in the environment.")
    if answer.code in _CREDENTIAL_CODES:
        return LabError(what, f"{where} refused the credentials ({answer.code}).", "Renew them, or set anonymous=true.")
    if answer.code:
        do = "Try again in a minute." if answer.status >= 500 or answer.status == 429 else _CHECK_ADDRESS
        return LabError(what, f"{where} answered with the error {answer.code}.", do)
    if proxy and (answer.status == 407 or answer.status >= 500):
        return _refused_by_proxy(what, urllib.parse.urlsplit(listing_url(spec)).netloc, proxy, answer.status)
    said = f"HTTP status {answer.status}" + (f", {answer.kind}" if answer.kind else "")
    through = f", asked through the proxy {proxy.address}," if proxy else ""
    return LabError(
        what,
        f"{where}{through} answered, but it does not speak S3 ({said}).",
        "Check the endpoint: it is the S3 server's address, not its web page's. A network's login page answers so too.",
    )


def _refused_by_proxy(what: str, host: str, proxy: Proxy, status: int) -> LabError:
    """Return the error for an HTTP status that a proxy gave."""
    if status == 407 and (proxy.user or proxy.secret):
        why = f"The proxy {proxy.address} does not take its user and password (407)."
        return LabError(what, why, f"Renew them in {proxy.variable}; letters such as @ are written as %40 there.")
    if status == 407:
        why = f"The proxy {proxy.address} asks for a user and a password (407)."
        return LabError(what, why, f"Put them into the variable: {proxy.variable}=http://user:password@host:port")
    if status >= 500:
        why = f"The proxy {proxy.address} does not reach {host} ({status})."
        return LabError(what, why, "Try again in a minute, or ask whoever runs the proxy.")
    why = f"The proxy {proxy.address} lets nothing through to {host} ({status})."
    do = f"Ask whoever runs the proxy to allow it, or add {host} to NO_PROXY if it is reached without the proxy."
    return LabError(what, why, do)


def check_proxy(spec: MountSpec, proxy: Proxy | None) -> None:
    """Refuse a proxy that mounts cannot use."""
    if proxy and proxy.scheme != "http":
        why = f"The proxy {proxy.address} is spoken to by {proxy.scheme}, and a mount goes through HTTP proxies alone."
        do = f"Set {proxy.variable} to an HTTP proxy (http://host:port), or put the bucket's server into NO_PROXY."
        raise LabError(f'The bucket "{spec.bucket}" cannot be mounted.', why, do)


def explain_exception(spec: MountSpec, problem: BaseException, timeout: float, proxy: Proxy | None = None) -> LabError:
    """Return the error for a failed request, which was made through the proxy if there is one."""
    reason = problem.reason if isinstance(problem, urllib.error.URLError) else problem
    host = urllib.parse.urlsplit(listing_url(spec)).netloc
    what = f'The bucket "{spec.bucket}" could not be reached.'
    check = "Check the network, the proxy settings and the endpoint."
    if proxy:
        tunnel = re.match(r"Tunnel connection failed: (\d{3})", str(reason))
        if tunnel:
            return _refused_by_proxy(what, host, proxy, int(tunnel[1]))
        silent = _silent_proxy(reason, timeout)
        if silent:
            do = f"Correct {proxy.variable}, unset it if no proxy is needed, or add {host} to NO_PROXY."
            return LabError(what, f"The proxy {proxy.address} {silent}.", do)
    if isinstance(reason, socket.gaierror):
        return LabError(what, f"The name {host} could not be resolved.", check)
    if isinstance(reason, ConnectionRefusedError):
        return LabError(
            what, f"Nothing listens at {host} (connection refused).", f"Start the server, if it is yours. {check}"
        )
    # The same class since Python 3.10.
    if isinstance(reason, (TimeoutError, socket.timeout)):
        return LabError(what, f"{host} did not answer within {timeout:g} s.", check)
    if isinstance(reason, ssl.SSLCertVerificationError):
        do = "Behind a proxy of your institute, set SSL_CERT_FILE to its bundle of certificates."
        return LabError(what, f"The certificate of {host} is not trusted here ({reason.verify_message}).", do)
    if isinstance(reason, ssl.SSLError):
        return LabError(what, f"{host} does not speak TLS.", "Give the endpoint as http://, or check its port.")
    if isinstance(reason, http.client.HTTPException):
        return LabError(what, f"{host} answered, but it does not speak HTTP.", "Check the endpoint's port.")
    if isinstance(reason, ConnectionError):
        return LabError(what, f"{host} broke the connection off.", check)
    said = reason.strerror if isinstance(reason, OSError) and reason.strerror else type(reason).__name__
    return LabError(what, f"The connection to {host} failed ({said}).", check)


def _silent_proxy(reason: object, timeout: float) -> str:
    """Return what a proxy did that gave no answer; empty for errors of what is behind it."""
    if isinstance(reason, socket.gaierror):
        return "has a name that could not be resolved"
    if isinstance(reason, ConnectionRefusedError):
        return "does not run: nothing listens there (connection refused)"
    # The same class since Python 3.10.
    if isinstance(reason, (TimeoutError, socket.timeout)):
        return f"gave no answer within {timeout:g} s"
    if isinstance(reason, http.client.HTTPException):
        return "does not speak HTTP"
    if isinstance(reason, ConnectionError):
        return "broke the connection off"
    return ""


def tls_context(environ: Mapping[str, str]) -> ssl.SSLContext:
    bundle = ca_bundle(environ)
    return ssl.create_default_context(cafile=bundle if Path(bundle).is_file() else None)


def probe_bucket(spec: MountSpec, environ: Mapping[str, str], timeout: float) -> BucketAnswer:
    """List one key without credentials; raise LabError if the bucket cannot be mounted."""
    deadline = time.monotonic() + timeout
    proxy = proxy_for(listing_url(spec))
    check_proxy(spec, proxy)
    while True:
        try:
            answer = _ask(spec, environ, deadline)
        except (OSError, http.client.HTTPException) as problem:
            raise explain_exception(spec, problem, timeout, proxy) from None
        refusal = explain_answer(spec, answer, proxy)
        # S3 answers SlowDown or InternalError now and then.
        if not refusal or answer.status < 500 or not answer.code or time.monotonic() + 1 > deadline:
            break
        time.sleep(0.5)
    if refusal:
        raise refusal
    return answer


def _ask(spec: MountSpec, environ: Mapping[str, str], deadline: float) -> BucketAnswer:
    url = listing_url(spec)
    # S3 redirects to other regions, web pages to their login: neither is followed, both are told.
    opener = make_opener(redirects=False, context=tls_context(environ) if url.startswith("https:") else None)
    request = urllib.request.Request(url, headers={"User-Agent": "desi-lab"})  # noqa: S310 - make_spec() checked it
    try:
        response = opener.open(request, timeout=max(0.1, deadline - time.monotonic()))
    except urllib.error.HTTPError as refused:
        response = refused
    with response:
        body = b""
        while len(body) < _BODY_LIMIT:
            if time.monotonic() > deadline:
                raise TimeoutError
            piece = response.read1(8192) if hasattr(response, "read1") else response.read(8192)
            if not piece:
                break
            body += piece
        headers = {name.lower(): value for name, value in response.headers.items()}
        return read_answer(response.status, headers, body)
