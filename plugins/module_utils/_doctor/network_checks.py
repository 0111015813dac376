# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Network checks: pure functions from facts about proxies, clocks and buckets to findings."""

from __future__ import annotations

import typing as t

from .._aws.error_messages import SEE_CLOCK
from .._common.network import PROXY_NAMES, Proxy, parse_proxy
from .findings import BROKEN, OK, SKIPPED, WARNING, Finding

# AWS refuses signatures that are five minutes off.
CLOCK_SECONDS = (60, 300)
# Slow streaming: seconds for a small request, bytes per second.
SLOW_REQUEST = 0.5
SLOW_RATE = 2 * 2**20


class Measured(t.NamedTuple):
    """Measurements of a bucket. ``rate`` is in bytes per second; None if too little was read."""

    seconds: float
    rate: float | None
    read: int
    ahead: float | None


def read_proxies(environment: t.Mapping[str, str]) -> tuple[list[Proxy], list[str]]:
    """Return the distinct proxies, and the names of variables that are invalid."""
    found: dict[tuple[str, str, int], Proxy] = {}
    unreadable = []
    for name in PROXY_NAMES:
        value = environment.get(name, "").strip()
        if not value:
            continue
        proxy = parse_proxy(value)
        if not proxy:
            unreadable.append(name)
            continue
        key = proxy[:3]
        names = found[key].names if key in found else ()
        # The other spelling of the same says nothing new.
        if name.lower() not in names:
            names = (*names, name)
        found[key] = proxy._replace(names=names)
    return list(found.values()), unreadable


def twice(environment: t.Mapping[str, str]) -> list[str]:
    """Return settings whose lower-case and upper-case variables differ."""
    names = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
    pairs = ((name, environment.get(name), environment.get(name.upper())) for name in names)
    return [name for name, small, large in pairs if small and large and small != large]


def judge_proxy(proxy: Proxy, status: int | None, problem: str) -> Finding:
    """Judge a proxy by its response to CONNECT; None is no HTTP response."""
    title, names = "Proxy", ", ".join(proxy.names)
    facts = {"address": proxy.address, "scheme": proxy.scheme, "names": list(proxy.names)}
    facts.update(status=status, has_password=bool(proxy.user or proxy.secret))
    place = f"{proxy.address}{', with a user and a password' if proxy.secret else ''} ({names})"
    why = "Whatever honors these variables, such as downloads and the bucket's mount, goes that way."
    see = f"see whether the address is right: echo ${proxy.names[0]} · or unset {names}"
    if problem:
        return Finding("proxy", title, BROKEN, f"{place} does not answer: {problem}", why, see, facts)
    if status == 407:
        do = "put user and password into the variable: http://user:password@host:port"
        if proxy.secret:
            do = "renew user and password in the variable; letters such as @ have to be written as %40"
        return Finding("proxy", title, BROKEN, f"{place} does not take who asks (407)", why, do, facts)
    if status is not None and status >= 400:
        do = "ask whoever runs the proxy to allow it, or put the address into no_proxy if there is another way"
        return Finding(
            "proxy", title, WARNING, f"{place} lets nothing through to the bucket ({status})", why, do, facts
        )
    return Finding("proxy", title, OK, f"{place} answers", facts=facts)


def judge_proxies(
    findings: t.Sequence[Finding], unreadable: t.Sequence[str], differing: t.Sequence[str]
) -> list[Finding]:
    """Judge the proxy settings as a whole; ``findings`` has one for each proxy."""
    every = list(findings)
    if unreadable:
        found, do = f"{', '.join(unreadable)} is no address of a proxy", "write it as http://host:port, or unset it"
        every.append(Finding("proxy", "Proxy", BROKEN, found, "Programs that honor it reach nothing.", do))
    if differing:
        names = ", ".join(f"{name} and {name.upper()}" for name in differing)
        why = "Some programs take the one, some the other."
        every.append(Finding("proxy", "Proxy", WARNING, f"{names} differ", why, "set both to the same, or unset one"))
    return every or [Finding("proxy", "Proxy", OK, "none is set")]


def judge_authorities(stores: t.Sequence[t.Mapping[str, t.Any]]) -> list[Finding]:
    """Judge the trusted CA files. A store has ``name``, ``path``, ``count`` and ``problem``."""
    title, facts = "Certificate authorities", {"stores": [dict(store) for store in stores]}
    bad = [store for store in stores if store["problem"]]
    if bad:
        found = " · ".join(f"{store['name']}={store['path']}: {store['problem']}" for store in bad)
        why = "Programs that honor it believe no server, so every HTTPS connection of theirs fails."
        do = f"give a file of certificates (PEM), or unset {', '.join(store['name'] for store in bad)}"
        return [Finding("authorities", title, BROKEN, found, why, do, facts)]
    if not stores:
        return [Finding("authorities", title, OK, "those of the system", facts=facts)]
    counts: dict[str, list[str]] = {}
    for store in stores:
        counts.setdefault(f"{store['count']} in {store['path']}", []).append(store["name"])
    found = " · ".join(f"{place} ({', '.join(names)})" for place, names in counts.items())
    return [Finding("authorities", title, OK, found, facts=facts)]


def judge_clock(ahead: float | None) -> list[Finding]:
    """Judge by how many seconds the local clock is ahead of the server's; None is unknown."""
    title, facts = "Clock", {"seconds_ahead": None if ahead is None else round(ahead, 1)}
    if ahead is None:
        return [Finding("clock", title, SKIPPED, "not compared: no server told its time", facts=facts)]
    off = abs(ahead)
    if off <= CLOCK_SECONDS[0]:
        return [Finding("clock", title, OK, "right" if off < 3 else f"right within {off:.0f} s", facts=facts)]
    much = f"{off:.0f} s" if off < 120 else f"{off / 60:.0f} minutes" if off < 7200 else f"about {off / 3600:.0f} hours"
    found = f"{much} {'ahead of' if ahead > 0 else 'behind'} the server's"
    why = "AWS refuses what is signed five minutes off, and certificates are then not valid yet, or no more."
    verdict = BROKEN if off >= CLOCK_SECONDS[1] else WARNING
    return [Finding("clock", title, verdict, found, why, SEE_CLOCK, facts)]


def judge_bucket(bucket: str, measured: Measured) -> list[Finding]:
    title = f"Bucket {bucket}"
    rate = None if measured.rate is None else round(measured.rate / 2**20, 1)
    facts = {"milliseconds": round(measured.seconds * 1000), "mib_a_second": rate, "bytes_read": measured.read}
    found = f"answers in {facts['milliseconds']} ms" + (f", {rate} MiB/s" if rate is not None else "")
    slow = [
        *(["each small request takes long"] if measured.seconds > SLOW_REQUEST else []),
        *(["little comes through"] if measured.rate is not None and measured.rate < SLOW_RATE else []),
    ]
    if not slow:
        return [Finding("bucket", title, OK, found, facts=facts)]
    why = f"Streaming is slow from here: {' and '.join(slow)}."
    do = "work beside the data: ./lab ec2 · or with a copy of what you need: -e lab_data=/path"
    return [Finding("bucket", title, WARNING, found, why, do, facts)]
