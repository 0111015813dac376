# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Parse a Jupyter server's log for the running server and its URL, in pieces of any size and in flat memory."""

from __future__ import annotations

import json
import re
from collections import deque
from dataclasses import dataclass, field
from urllib.parse import unquote_plus

from .._common.errors import LabError
from .._lab.url import HIDDEN_TOKEN, Url, parse_url

MAX_LINE = 1 << 16
LAST_LINES = 20
_MAX_STREAMS = 64
_MAX_SERVERS = 32
_MAX_URLS = 16
_MAX_TOKENS = 256
# Lines between a heading and its URL.
_PATIENCE = 3

# Each relevant line has one of these; searching for them is much faster than a regular expression.
_MARKERS = tuple(
    marker.encode()
    for marker in (
        "://",
        ":\\/\\/",
        "running at",
        "运行在",
        "aste",
        "hutting down",
        "Shutdown",
        "stopping",
        "停止",
        "uthenticat",
    )
)
_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])")
_COMPOSE = re.compile(r"(?P<name>[A-Za-z0-9][\w.-]{0,127}) +\| ?")
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?\s")
_SYSLOG = re.compile(r"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \S+ [^\s:]+: ")
_LEVELS = "(?:DEBUG|INFO|WARN(?:ING)?|ERROR|CRITICAL)"
_LOGGERS = (
    r"(?:(?:Server|Lab|LabServer|Notebook|NBClassic|Extension|SingleUser\w*)App|JupyterHubSingleUser"
    r"|jupyter_server\.\w+)"
)
_LOGGER = re.compile(_LOGGERS)
# In brackets with the usual log format, and between other signs with any other one.
_JUPYTER = re.compile(
    rf"\[(?:[DIWEC] [^\[\]]*|\w+App)\] ?|(?:^|[\s:|(\[<=])\"?{_LOGGERS}[\]):|>,\"\s-]+(?:{_LEVELS}\b[\]):|>,\"\s-]*)?"
)
# What stands before a URL in a line of a log: signs, levels, times. After a word of prose, it is a program's.
_BEFORE = re.compile(
    rf"(?:^|[^\w\s=]|\b(?:msg|message|text|log|event|line)=|\b(?i:{_LEVELS}|TRACE|NOTICE|stdout|stderr)|\b[FP]"
    r"|[:.,T-]\d+Z?|\b\d{6,}|\b\w+App)[\s\"']*\Z"
)
_AFTER = re.compile(r"[\"'>)\]]*(?:\s+(?:[\w.-]+=\S+|[\w./-]+\.py:\d+|[*#=|-]+))*\s*\Z")
_REQUEST = re.compile(
    r"\b(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|CONNECT)\b|\bHTTP/\d|\brefer+er\b|\b(?:origin|location):|\bredirect",
    re.IGNORECASE,
)
_REQUEST_FIELD = re.compile(
    r"status(?:_?code)?|method|verb|uri|request\w*|refer+er|origin|remote\w*|user[_-]?agent|latency|duration\w*",
    re.IGNORECASE,
)
_ADDRESS = re.compile(r"https?://[^\s\"'<>\\]+")
_MAX_FIELDS = 64
_HEADING = re.compile(r"(?:running at|运行在)(?::\s*(?P<url>\S.*)?|\s+(?P<same>https?://\S+)\s*\Z)")
_COPY = re.compile(r"copy(?: and |/)paste\b", re.IGNORECASE)
_GATEWAY = re.compile(r"Gateway server running at:")
_NO_AUTHENTICATION = re.compile(r"All authentication is disabled|not using authentication")
_ENDINGS = (
    re.compile(r"received signal \S+, stopping|接受信号 \S+, 正在停止"),
    re.compile(r"Shutdown confirmed"),
    re.compile(r"Shutting down\.\.\."),
    re.compile(r"Shutting down on /api/shutdown request"),
    re.compile(r"No kernels\b.* for \d+ seconds; shutting down"),
    re.compile(r"Shutting down \d+ extensions?"),
    re.compile(r"Shutting down \d+ kernels?"),
    re.compile(r"Shutting down \d+ terminals?"),
)


@dataclass(eq=False)
class Server:
    stream: str
    token: str
    own_words: bool
    urls: list[Url] = field(default_factory=list)
    authentication_off: bool = False
    #: Why nothing outside its container may reach it.
    doubt: LabError | None = None

    @property
    def url(self) -> Url:
        """The loopback URL if there is one, else the first."""
        return next((url for url in self.urls if url.is_local), self.urls[0])

    @property
    def token_hidden(self) -> bool:
        """Whether the server has a token that it does not print."""
        return self.token == HIDDEN_TOKEN

    @property
    def plain_token(self) -> str:
        """The decoded token; empty if unknown."""
        return "" if self.token_hidden else unquote_plus(self.token)

    def give_token(self, token: str) -> None:
        """Set the percent-encoded token that the server did not print."""
        self.token = token
        self.urls = [url._replace(token=token) for url in self.urls]

    @property
    def password_set(self) -> bool:
        return not self.token and not self.authentication_off


@dataclass(eq=False)
class _Stream:
    """The parser's state for one service of a Compose project."""

    name: str
    lines_left: int = 0
    after_gateway: bool = False
    authentication_off: bool = False
    banner: Server | None = None
    endings: set[int] = field(default_factory=set)


def _may_say(raw: bytes) -> bool:
    # Not any(): a generator is slow for very long logs.
    for marker in _MARKERS:  # noqa: SIM110
        if marker in raw:
            return True
    return False


def plain(raw: bytes) -> str:
    """Decode a line without escapes."""
    return _ANSI.sub("", raw.decode("utf-8", "replace")).rstrip()


class ServerLog:
    """Parses a log in pieces."""

    def __init__(self) -> None:
        #: A URL with a token that stands alone, from any program.
        self.guess: Server | None = None
        #: Also of a server that was shut down.
        self.had_server = False
        #: All tokens, as printed and decoded, to be redacted.
        self.tokens: set[str] = set()
        self.last_lines: deque[bytes] = deque(maxlen=LAST_LINES)
        self._servers: list[Server] = []
        self._streams: dict[str, _Stream] = {}
        self._headings_open = False
        self._rest = b""

    @property
    def newest(self) -> Server | None:
        """The newest server that was not shut down."""
        return self._servers[-1] if self._servers else None

    def feed(self, data: bytes) -> None:
        """Parse the next piece of the log."""
        first, *lines = data.replace(b"\r", b"\n").split(b"\n")
        self._rest += first[: MAX_LINE - len(self._rest)]
        if not lines:
            return
        *lines, rest = self._rest, *lines
        if not (_may_say(lines[0]) or _may_say(data)):
            # Most of a long log. LAST_LINES is more than a heading waits for.
            lines = [line for line in lines if line.strip()][-LAST_LINES:]
        for line in lines:
            self._line(line[:MAX_LINE])
        self._rest = rest[:MAX_LINE]

    def finish(self) -> None:
        """Parse the rest after the last line end."""
        self.feed(b"\n")

    def _line(self, raw: bytes) -> None:
        if raw.strip():
            self.last_lines.append(raw)
            if self._headings_open or _may_say(raw):
                self._read(plain(raw))

    def _read(self, text: str) -> None:
        name, text = _without_prefix(text)
        if name not in self._streams and len(self._streams) >= _MAX_STREAMS:
            name = ""
        stream = self._streams.setdefault(name, _Stream(name))
        found = _json_object(text)
        if found is None:
            match = _JUPYTER.search(text)
            self._understand(stream, (text[match.end() :] if match else text).strip(), match is not None)
        else:
            texts = _log_texts(found)
            logged = any(_LOGGER.fullmatch(each) for each in texts)
            for line in [line for each in texts for line in each.splitlines()[:_MAX_FIELDS]]:
                _name, rest = _without_prefix(line)
                match = _JUPYTER.search(rest)
                self._understand(stream, (rest[match.end() :] if match else rest).strip(), logged or match is not None)
        self._headings_open = any(each.lines_left for each in self._streams.values())

    def _understand(self, stream: _Stream, text: str, own_words: bool) -> None:
        heading = _HEADING.search(text)
        printed = (heading["url"] or heading["same"]) if heading else None
        url = parse_url(printed or text) or _url_after_prefix(text)
        ending = next((kind for kind, words in enumerate(_ENDINGS) if own_words and words.match(text)), None)
        if url and url.token not in ("", HIDDEN_TOKEN) and len(self.tokens) < _MAX_TOKENS:
            self.tokens |= {url.token, unquote_plus(url.token)}
        if ending is not None:
            self._end(stream, ending)
        elif own_words and _NO_AUTHENTICATION.search(text):
            stream.authentication_off = True
        elif _GATEWAY.search(text):
            stream.after_gateway = url is None
        elif heading:
            stream.banner, stream.lines_left, stream.after_gateway = None, _PATIENCE, False
            if url:
                self._found(stream, url, own_words)
        elif url and stream.after_gateway:
            stream.after_gateway = False
        elif url and (stream.lines_left or (own_words and url.token)):
            self._found(stream, url, own_words)
        elif url and url.token:
            self.guess = Server(stream.name, url.token, own_words, [url])
        elif _COPY.search(text):
            stream.lines_left = _PATIENCE
        elif stream.lines_left and text:
            stream.lines_left -= 1

    def _found(self, stream: _Stream, url: Url, own_words: bool) -> None:
        # The banner goes on with more URLs, or is over.
        stream.lines_left = 1
        server = self._known(stream, url)
        if server is None:
            # Never take a program's output for that of a server that logs with Jupyter's prefix.
            spoken_for = any(each.own_words for each in self._servers if each.stream == stream.name)
            if not own_words and (spoken_for or stream.banner):
                return
            server = Server(stream.name, url.token, own_words, [], stream.authentication_off and not url.token)
            stream.authentication_off = False
            stream.endings.clear()
            # The server that had the port must have ended.
            self._servers = [each for each in self._servers if not _same_place(each, stream.name, url)]
            self.had_server = True
            self._servers = [*self._servers, server][-_MAX_SERVERS:]
        if url not in server.urls and len(server.urls) < _MAX_URLS:
            server.urls.append(url)
        stream.banner = server

    def _known(self, stream: _Stream, url: Url) -> Server | None:
        if stream.banner and stream.banner.token == url.token:
            return stream.banner
        fitting = (each for each in self._servers if each.stream == stream.name and each.token == url.token)
        distinctive = url.token not in ("", HIDDEN_TOKEN)
        return next((each for each in fitting if distinctive or url in each.urls), None)

    def _end(self, stream: _Stream, kind: int) -> None:
        stream.lines_left = 0
        # A server says each ending once; what is said again is another server's.
        if stream.endings and kind not in stream.endings:
            stream.endings.add(kind)
            return
        stream.endings = {kind}
        newest = next((each for each in reversed(self._servers) if each.stream == stream.name), None)
        self._servers = [each for each in self._servers if each is not newest]
        stream.banner = None


def _same_place(server: Server, stream: str, url: Url) -> bool:
    return server.stream == stream and any(each.port == url.port for each in server.urls)


def _json_object(text: str) -> object:
    """Return the JSON object that a line is, also behind a prefix; None for any other line."""
    start = text.find("{")
    if start < 0 or not text.endswith("}"):
        return None
    try:
        return json.loads(text[start:])
    except (ValueError, RecursionError):
        return None


def _log_texts(found: object) -> list[str]:
    """Return the texts of a JSON object, none of one that tells of a request."""
    texts: list[str] = []
    rest = [found]
    while rest and len(texts) < _MAX_FIELDS:
        each = rest.pop(0)
        if isinstance(each, str):
            texts.append(_ANSI.sub("", each))
        elif isinstance(each, dict):
            if any(_REQUEST_FIELD.fullmatch(key) for key in each):
                return []
            rest += each.values()
        elif isinstance(each, list):
            rest += each
    return [] if any(_REQUEST.search(each) for each in texts) else texts


def _url_after_prefix(text: str) -> Url | None:
    """Return the only URL of a line that has nothing but a log's prefix before it; None for a request and for prose."""
    found = _ADDRESS.findall(text)
    if len(found) != 1 or _REQUEST.search(text):
        return None
    before, _, after = text.partition(found[0])
    return parse_url(found[0]) if _BEFORE.search(before) and _AFTER.fullmatch(after) else None


def _without_prefix(text: str) -> tuple[str, str]:
    """Strip the prefixes of Docker Compose, ``docker logs --timestamps`` and syslog."""
    name = ""
    match = _COMPOSE.match(text)
    if match:
        name, text = match["name"], text[match.end() :]
    for prefix in (_SYSLOG, _TIMESTAMP):
        match = prefix.match(text)
        text = text[match.end() :] if match else text
    return name, text
