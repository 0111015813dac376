# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import contextlib
import threading
import time
from http.client import HTTPConnection
from urllib.parse import parse_qs, urlsplit

import pytest
from desi_stream import fits, listings, reader
from desi_stream.__main__ import forget_others, sizes_for
from desi_stream.kinds import Kinds
from desi_stream.reader import Budget, Sizes
from desi_stream.relay import Relay
from desi_stream.upstream import Away, Upstream
from test_stream_fits import chain, coadd
from web_server import web_server

MIB = 1 << 20


class Bucket:
    """A small S3 server: objects in memory, folders listed with a delimiter."""

    def __init__(self, objects):
        self.objects, self.tags, self.asked, self.pause = dict(objects), {}, [], 0.0

    def tag(self, key):
        return self.tags.get(key, f'"{len(self.objects[key])}"')

    def ranges(self, key):
        return [range_ for path, range_ in self.asked if path == f"/b/{key}"]

    def answer(self, request):
        parts, wanted = urlsplit(request.path), request.headers.get("If-Match")
        self.asked.append((request.path, request.headers.get("Range", "")))
        time.sleep(self.pause)
        if "list-type=2" in parts.query:
            return 200, self._listing(parse_qs(parts.query).get("prefix", [""])[0]).encode(), {}
        key = parts.path.removeprefix("/b/")
        if key not in self.objects:
            return 404, b"<Error><Code>NoSuchKey</Code></Error>", {}
        # Strongly, by RFC 9110: no weak tag matches.
        if wanted and (wanted != self.tag(key) or not wanted.startswith('"')):
            return 412, b"", {}
        data = self.objects[key]
        if "Range" not in request.headers:
            return 200, data, {"Content-Type": "text/html", "Set-Cookie": "a=b"}
        first, last = (int(number) for number in request.headers["Range"].removeprefix("bytes=").split("-"))
        piece = data[first : last + 1]
        there = f"bytes {first}-{first + len(piece) - 1}/{len(data)}"
        return 206, piece, {"ETag": self.tag(key), "Content-Range": there}

    def _listing(self, prefix):
        rest = [key.removeprefix(prefix) for key in self.objects if key.startswith(prefix)]
        folders = sorted({name.partition("/")[0] for name in rest if "/" in name})
        found = "".join(f"<CommonPrefixes><Prefix>{prefix}{name}/</Prefix></CommonPrefixes>" for name in folders)
        for name in sorted(name for name in rest if "/" not in name):
            key = prefix + name
            tag, size = self.tag(key).replace('"', "&#34;"), len(self.objects[key])
            found += f"<Contents><Key>{key}</Key><LastModified>2025-03-19T07:08:09.000Z</LastModified>"
            found += f"<ETag>{tag}</ETag><Size>{size}</Size></Contents>"
        return f"<ListBucketResult>{found}</ListBucketResult>"


@contextlib.contextmanager
def relay_to(bucket, changed=lambda: None):
    """Serve a bucket, and a relay that leads to it."""
    with web_server(bucket.answer, version="HTTP/1.1") as url:
        server = Relay(Upstream(url, 8), Sizes(), 8 * MIB, Kinds(), changed, "b")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()
        server.server_close()


DATA = bytes(range(251)) * 200_000  # 50 MB


@pytest.fixture
def bucket():
    groups = {f"dark/{group}/{pixel}/x.csv": b"1" for group in range(30) for pixel in range(2)}
    return Bucket({"d/large.bin": DATA, "d/small.bin": b"small", **{f"h/{key}": data for key, data in groups.items()}})


@pytest.fixture
def changes():
    return []


@pytest.fixture
def relay(bucket, changes):
    with relay_to(bucket, lambda: changes.append(1)) as server:
        yield server


@pytest.fixture
def get(relay):
    def ask(path, range_=None, size=None):
        connection = HTTPConnection("127.0.0.1", relay.server_address[1], timeout=20)
        try:
            connection.request("GET", relay.secret + path, headers={"Range": range_} if range_ else {})
            answer = connection.getresponse()
            return answer.status, answer.read(size), answer.headers
        finally:
            connection.close()

    return ask


def folder(prefix):
    return f"/b?delimiter=%2F&list-type=2&prefix={prefix.replace('/', '%2F')}"


@pytest.mark.parametrize(
    ("range_", "first", "last"),
    [
        ("bytes=0-", 0, len(DATA)),
        ("bytes=1048570-9999999", 1048570, 10**7),
        ("bytes=50199999-", 50199999, len(DATA)),
    ],
)
def test_every_range_is_answered_with_its_bytes(get, range_, first, last):
    status, body, headers = get("/b/d/large.bin", range_)
    assert status == 206
    assert body == DATA[first:last]
    assert headers["Content-Range"] == f"bytes {first}-{last - 1}/{len(DATA)}"


def test_whole_object_is_answered_without_a_range(get):
    assert get("/b/d/small.bin")[:2] == (200, b"small")
    assert get("/b/d/none.bin")[0] == 404


def test_seek_fetches_one_small_block_and_sequential_reads_grow(get, bucket):
    get("/b/d/large.bin", "bytes=10000000-10065535")
    assert bucket.ranges("d/large.bin") == ["bytes=10000000-11048575"]
    bucket.asked.clear()
    get("/b/d/large.bin", "bytes=0-")
    lengths = [
        int(last) - int(first) + 1 for first, last in (one[6:].split("-") for one in bucket.ranges("d/large.bin"))
    ]
    assert min(lengths[:-1]) == MIB
    assert max(lengths) == 4 * MIB


def test_sequential_requests_share_one_reader_that_reads_ahead(get, bucket):
    got, place, size = b"", 0, 65536
    while place < 3 * MIB:
        status, body, _headers = get("/b/d/large.bin", f"bytes={place}-{place + size - 1}")
        assert status == 206
        got, place, size = got + body, place + size, min(2 * size, MIB)
    assert got == DATA[: len(got)]
    starts = [int(one[6:].partition("-")[0]) for one in bucket.ranges("d/large.bin")]
    assert starts[0] == 0
    assert len(starts) == len(set(starts))
    # Who has read the first mebibyte to its end gets the next ones ahead.
    assert max(starts) > place


def test_readers_left_by_a_seek_release_their_memory(get, relay):
    for place in range(0, 40 * MIB, 2 * MIB):
        get("/b/d/large.bin", f"bytes={place}-{place + 9}")
    waiting = relay.readers._waiting.values()
    assert sum(one.held() for one in waiting) <= Sizes().memory // 6
    assert relay.budget.take(Sizes().memory - Sizes().memory // 6, whatever=False)


def test_idle_reader_is_dropped(get, relay, bucket, monkeypatch):
    get("/b/d/large.bin", "bytes=0-9")
    monkeypatch.setattr(reader, "WAITS", -1.0)
    get("/b/d/large.bin", "bytes=20000000-20000009")
    assert not relay.readers._waiting
    bucket.asked.clear()
    assert get("/b/d/large.bin", "bytes=10-19")[1] == DATA[10:20]
    assert bucket.ranges("d/large.bin") == ["bytes=10-1048585"]


def test_what_the_listing_told_of_an_object_is_not_asked_for_again(get, relay, bucket):
    get(folder("d/"))
    bucket.asked.clear()
    connection = HTTPConnection("127.0.0.1", relay.server_address[1], timeout=20)
    connection.request("HEAD", relay.secret + "/b/d/large.bin")
    answer = connection.getresponse()
    connection.close()
    assert answer.status == 200
    assert answer.headers["Content-Length"] == str(len(DATA))
    assert answer.headers["ETag"] == bucket.tag("d/large.bin")
    assert answer.headers["Last-Modified"] == "Wed, 19 Mar 2025 07:08:09 GMT"
    assert bucket.asked == []


@pytest.mark.parametrize("exposures", [1870, 1000])
def test_headers_of_the_second_file_of_a_kind_are_fetched_before_anybody_asks(get, bucket, exposures):
    first, second = coadd(600, 1800), coadd(620, exposures)
    bucket.objects = {"h/coadd-a.fits": first, "h/coadd-b.fits": second}
    get(folder("h/"))
    place = 0
    for header in chain(first):
        get("/b/h/coadd-a.fits", f"bytes={place}-{place + 65535}")
        place += header.length
    get("/b/h/coadd-b.fits", "bytes=0-65535")
    wanted = [place for place in fits.places_of(chain(second)) if place >= MIB]
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        asked = [tuple(map(int, one[6:].split("-"))) for one in bucket.ranges("h/coadd-b.fits")]
        if all(any(start <= place <= end for start, end in asked) for place in wanted):
            return
        time.sleep(0.02)
    raise AssertionError(f"{wanted} not in {asked}")


def test_object_that_was_listed_is_asked_for_in_that_version_only(get, bucket, changes):
    get(folder("d/"))
    bucket.tags["d/large.bin"] = '"another"'
    status, body, _headers = get("/b/d/large.bin", "bytes=0-99")
    assert (status, changes) == (412, [1])
    assert DATA[:9] not in body
    # Listed again, it is the new one that is wanted.
    get(folder("d/"))
    assert get("/b/d/large.bin", "bytes=0-99")[:2] == (206, DATA[:100])


@pytest.mark.parametrize(
    ("listed", "had", "changed"),
    [
        ("abc", '"abc"', False),
        ('"abc"', "abc", False),
        ('W/"abc"', 'W/"abc"', False),
        ('W/"abc"', '"abc"', False),
        ('"abc"', 'W/"abc"', False),
        ("abc", "", False),
        ("", '"abc"', False),
        ("abc", '"def"', True),
        ('W/"abc"', 'W/"def"', True),
        ('"abc"', "W/def", True),
    ],
)
def test_tags_of_mirrors_are_compared_as_http_has_it(get, bucket, changes, listed, had, changed):
    bucket.tags["d/large.bin"] = listed
    get(folder("d/"))
    bucket.tags["d/large.bin"] = had
    status, body, _headers = get("/b/d/large.bin", "bytes=0-99")
    assert (status, changes) == ((412, [1]) if changed else (206, []))
    if not changed:
        assert body == DATA[:100]
        assert get("/b/d/large.bin", "bytes=30000000-30000099")[1] == DATA[30000000:30000100]


@pytest.mark.parametrize("encoded", [False, True])
def test_object_with_the_name_of_a_folder_does_not_hide_it(get, bucket, encoded):
    bucket.objects |= {"e/a b": b"x", "e/a b/c.bin": b"y", "e/a b.txt": b"z"}
    listed = get(folder("e/"))[1]
    assert listings.read_names(listed)[0] == ["e/a b/"]
    assert list(listings.read_names(listed)[1]) == ["e/a b.txt"]
    name = b"e%2Fa+b" if encoded else b"e/a b"
    body = b"<Contents><Key>" + name + b"</Key></Contents><CommonPrefixes>\n<Prefix>" + name
    body += (b"%2F" if encoded else b"/") + b"</Prefix></CommonPrefixes>"
    assert b"Contents" not in listings.folders_win(body)


def test_directory_walk_is_listed_ahead(get, bucket):
    bucket.pause = 0.05
    get(folder("h/dark/"))
    began = time.monotonic()
    for group in range(30):
        assert get(folder(f"h/dark/{group}/"))[0] == 200
    assert time.monotonic() - began < 30 * 0.05 * 0.6
    asked = [path for path, _range in bucket.asked if "%2Fdark%2F" in path]
    assert len(asked) == len(set(asked))


def test_single_directory_is_not_taken_for_a_walk(get, bucket):
    get(folder("h/dark/"))
    get(folder("h/dark/7/"))
    time.sleep(0.3)
    assert not [path for path, _range in bucket.asked if path.endswith("prefix=h%2Fdark%2F8%2F")]


def test_way_to_the_data_is_looked_into_at_once_where_there_is_but_one(get, bucket):
    bucket.objects = {"dr1/spectro/redux/iron/x.csv": b"1"}
    get(folder("dr1/"))
    deadline = time.monotonic() + 5
    while not [path for path, _range in bucket.asked if "iron" in path] and time.monotonic() < deadline:
        time.sleep(0.02)
    assert [path for path, _range in bucket.asked if path.endswith("redux%2Firon%2F")]


def test_names_in_listings_are_decoded_as_the_server_encoded_them():
    body = (
        b"<Contents><Key>a%20b%2Bc</Key><LastModified>2025-03-19T07:08:09.000Z</LastModified>"
        b"<ETag>&quot;1&quot;</ETag><Size>5</Size></Contents>"
    )
    known = listings.Known('"1"', 5, "Wed, 19 Mar 2025 07:08:09 GMT")
    assert listings.read_names(b"<EncodingType>url</EncodingType>" + body) == ([], {"a b+c": known})
    assert listings.read_names(body)[1] == {"a%20b%2Bc": known}
    assert listings.read_names(b"<CommonPrefixes><Prefix>a&amp;b/</Prefix></CommonPrefixes>")[0] == ["a&b/"]


def test_memory_is_shared_out_and_never_taken_twice():
    budget = Budget(100)
    assert budget.take(60, whatever=False)
    assert not budget.take(60, whatever=False)
    assert budget.take(60, whatever=True)
    budget.give(120)
    assert budget.take(100, whatever=False)


@pytest.mark.parametrize("mebibytes", [48, 160])
def test_readers_of_a_small_machine_get_less(mebibytes):
    sizes = sizes_for(mebibytes * MIB)
    assert sizes.memory + 2 * (mebibytes * MIB // 4) <= mebibytes * MIB
    assert sizes.ahead <= sizes.memory // 3


def test_what_was_cached_under_another_name_goes(tmp_path):
    for name in ("desi", ":s3{old}"):
        (tmp_path / "vfs" / name / "bucket").mkdir(parents=True)
    forget_others(tmp_path)
    assert [one.name for one in (tmp_path / "vfs").iterdir()] == ["desi"]


def test_job_that_fails_leaves_its_thread_to_the_next(capsys):
    upstream, done = Upstream("http://127.0.0.1:1", 1), threading.Event()
    upstream.submit(0, lambda: 1 // 0)
    upstream.submit(0, done.set)
    assert done.wait(10)
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_who_waits_for_a_listing_that_cannot_be_read_is_told_so(get, monkeypatch):
    monkeypatch.setattr(listings, "read_names", lambda _body: 1 // 0)
    assert get(folder("d/"))[0] == 503


@pytest.mark.parametrize(
    ("endpoint", "asked"),
    [
        ("http://far.invalid:8333/s3", ("GET", "http://far.invalid:8333/s3/b/x")),
        ("https://far.invalid", ("CONNECT", "far.invalid:443")),
    ],
)
def test_proxy_is_given_its_user_and_is_not_asked_to_connect_for_a_plain_address(monkeypatch, endpoint, asked):
    seen = []

    def answer(request):
        """Answer as a proxy that refuses CONNECT, and leads each address to one bucket."""
        seen.append((request.command, request.path, request.headers.get("Proxy-Authorization", "")))
        return (200, b"ok", {}) if request.command == "GET" else (403, b"", {})

    with web_server(answer) as proxy:
        for scheme in ("http", "https"):
            monkeypatch.setenv(f"{scheme}_proxy", proxy.replace("//", "//ann:p%40ss@"))
        monkeypatch.setenv("no_proxy", "127.0.0.1:1")
        with contextlib.suppress(Away):
            Upstream(endpoint, 1).request("/b/x", {}, patience=0)
        assert seen == [(*asked, "Basic YW5uOnBAc3M=")]
        with pytest.raises(Away, match="refused"):
            Upstream("http://127.0.0.1:1", 1).request("/b/x", {}, patience=0)
