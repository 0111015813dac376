# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.plugin_utils._images import (
    build_reason,
    built_images,
    image_builds,
    image_called,
    image_facts,
    image_source,
    pull_reason,
    registry_of,
)

GUIDE = "ghcr.io/flyorboom/docker-aws-jupyter:main"
DIGEST = "sha256:" + "0123456789abcdef" * 4
TABLE = {
    "docker-aws-jupyter": {"reference": GUIDE, "needs_gib": 16},
    "bare": {"reference": "registry.example.org:5000/desi"},
    "embedded": {"kind": "embedded", "reference": "desi-lab:0.1.0", "needs_gib": 6},
}


@pytest.mark.parametrize(
    ("reference", "registry"),
    [
        (GUIDE, "ghcr.io"),
        ("localhost/desi", "localhost"),
        ("registry:5000/desi", "registry:5000"),
        ("[::1]:5000/desi", "[::1]:5000"),
        ("debian:bookworm-slim", "docker.io"),
        ("jupyter/scipy-notebook", "docker.io"),
    ],
)
def test_registry_is_the_first_part_only_where_docker_reads_it_so(reference, registry):
    assert registry_of(reference) == registry


def test_short_name_stands_for_what_the_table_says():
    assert image_source("docker-aws-jupyter", TABLE) == {"kind": "pull", "reference": GUIDE, "needs_gib": 16}
    assert image_source("bare", TABLE)["reference"] == "registry.example.org:5000/desi:latest"
    assert image_source("embedded", TABLE) == TABLE["embedded"]
    assert TABLE["docker-aws-jupyter"]["reference"] == GUIDE


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        (GUIDE, GUIDE),
        ("desi", "desi:latest"),
        ("registry:5000/x", "registry:5000/x:latest"),
        ("[fd00::2]:5000/me/desi", "[fd00::2]:5000/me/desi:latest"),
        (f"ghcr.io/desihub/desidocker@{DIGEST}", f"ghcr.io/desihub/desidocker@{DIGEST}"),
        (f"{GUIDE}@{DIGEST}", f"{GUIDE}@{DIGEST}"),
        ("me/some__odd.name--here", "me/some__odd.name--here:latest"),
    ],
)
def test_reference_is_pulled_with_its_tag_or_the_latest(name, reference):
    assert image_source(name, TABLE) == {"kind": "pull", "reference": reference}


GITHUB, GITLAB = "github.com/flyorboom/docker-aws-jupyter.git", "https://gitlab.example.org/me/lab.git"


@pytest.mark.parametrize(
    ("name", "url", "version", "folder"),
    [
        (GITHUB, f"https://{GITHUB}", "HEAD", ""),
        (f"{GITHUB}#main:images/lab/", f"https://{GITHUB}", "main", "images/lab"),
        (f"{GITLAB}#:docker", GITLAB, "HEAD", "docker"),
        ("git@github.com:me/lab.git", "git@github.com:me/lab.git", "HEAD", ""),
        ("ssh://git@example.org:2222/me/lab.git#dev:a", "ssh://git@example.org:2222/me/lab.git", "dev", "a"),
    ],
)
def test_git_url_is_built_from_its_branch_and_folder(name, url, version, folder):
    source = image_source(name, TABLE)
    assert source.pop("reference").startswith("desi-lab-built-")
    assert source == {"kind": "git", "url": url, "version": version, "folder": folder}


def test_what_is_built_has_a_name_that_docker_takes_and_that_differs_by_source():
    names = ["/a/lab", "/b/lab", "/a/Läb", "/", "/a/_", "git@e.org:lab.git", "git@e.org:lab.git#dev", "/a/lab.d"]
    built = [image_source(name, TABLE)["reference"] for name in names]
    assert len(set(built)) == len(names)
    for reference in built:
        assert image_source(reference, {}) == {"kind": "pull", "reference": reference}
    assert built[0] == image_source("/a/lab", {})["reference"]


@pytest.mark.parametrize(
    ("name", "why", "do"),
    [
        ("https://github.com/me/lab", "not that of a Git repository", "give https://github.com/me/lab.git;"),
        ("https://github.com/me/lab/", "not that of a Git repository", "give https://github.com/me/lab.git;"),
        ("http://ghcr.io/me/lab:main", "not that of a Git repository", "without http://"),
        ("docker://ghcr.io/me/lab", "without docker://", "Give it as ghcr.io/me/lab."),
        ("./lab", "not an absolute path", '"$(realpath ./lab)"'),
        ("~/lab", "not an absolute path", '"$(realpath ~/lab)"'),
        ("Embedded", "no capital letters", "lower case"),
        *((each, "no spaces", "README.md") for each in ("my lab", "", "-x", "me/lab:", "me//lab", "me/läb", "lab\n")),
        (f"me/lab@{DIGEST[:20]}", "no spaces", "README.md"),
    ],
)
def test_what_can_be_neither_pulled_nor_built_is_refused_before_it_is_tried(name, why, do):
    with pytest.raises(LabError) as caught:
        image_source(name, TABLE)
    assert f'"{name}"' in caught.value.what
    assert why in caught.value.why
    assert do in caught.value.do


# What engines old and new answer, as their users reported it, for the image of the guide.
V2, LOOKUP = 'Get "https://ghcr.io/v2/": ', "dial tcp: lookup ghcr.io"
ANSWERS = {
    "The registry ghcr.io cannot be reached from this computer: its name is not resolved.": [
        f"{V2}{LOOKUP} on 192.0.2.53:53: no such host",
        f"{V2}{LOOKUP} on [::1]:53: read udp [::1]:49751->[::1]:53: read: connection refused",
        f"{V2}{LOOKUP} on 10.0.2.3:53: read udp 10.0.2.15:54567->10.0.2.3:53: i/o timeout",
    ],
    "The registry ghcr.io cannot be reached: nothing listens there.": [
        f"{V2}dial tcp 192.0.2.7:443: connect: connection refused"
    ],
    "The registry ghcr.io did not answer in time.": [
        f"{V2}dial tcp 192.0.2.7:443: i/o timeout",
        f"{V2}net/http: request canceled while waiting for connection (Client.Timeout exceeded while awaiting headers)",
        f"{V2}context deadline exceeded",
        "connecting to ghcr.io:443: dial tcp 192.0.2.7:443: connectex: A connection attempt failed because the "
        "connected party did not properly respond after a period of time",
    ],
    "There is no way through the network to the registry ghcr.io.": [
        f"{V2}dial tcp [2001:db8::7]:443: connect: network is unreachable",
        f"{V2}dial tcp 192.0.2.7:443: connect: no route to host",
    ],
    "The registry ghcr.io cannot be reached: the proxy that the engine uses does not answer, or refuses.": [
        f"{V2}proxyconnect tcp: dial tcp: lookup proxy: no such host",
        f"{V2}Proxy Authentication Required",
    ],
    "The registry ghcr.io shows a certificate that this computer does not trust.": [
        f"{V2}tls: failed to verify certificate: x509: certificate signed by unknown authority"
    ],
    "The registry ghcr.io speaks plain HTTP, which the engine was not told to accept.": [
        f"{V2}http: server gave HTTP response to HTTPS client"
    ],
    "The registry ghcr.io has no image of that name and tag.": [
        "manifest unknown",
        f'failed to resolve reference "{GUIDE}": {GUIDE}: not found',
        "name unknown: repository name not known to registry",
        "repository ghcr.io/flyorboom/docker-aws-jupyter not found: does not exist or no pull access",
    ],
    "The registry ghcr.io refuses: the image is private, or there is none of that name.": [
        'Head "https://ghcr.io/v2/flyorboom/docker-aws-jupyter/manifests/main": denied',
        "unauthorized: authentication required",
        'Head "https://ghcr.io/v2/flyorboom/docker-aws-jupyter/manifests/main": no basic auth credentials',
        "unexpected status from HEAD request to https://ghcr.io/v2/x/manifests/main: 403 Forbidden",
    ],
    "The registry ghcr.io takes no more requests for now.": ["toomanyrequests: Rate exceeded"],
    "The image was not made for this computer's processor.": [
        "no matching manifest for linux/arm64/v8 in the manifest list entries: no match for platform: not found",
        f"image with reference {GUIDE} was found but does not provide the specified platform (linux/arm64/v8)",
    ],
    "The connection to the registry ghcr.io broke off.": [
        f"{V2}EOF",
        f"{V2}read tcp 192.0.2.2:1->192.0.2.7:443: read: connection reset by peer",
    ],
    "The registry ghcr.io has trouble of its own for now.": [
        "received unexpected HTTP status: 500 Internal Server Error",
        "failed open: unexpected status code https://ghcr.io/v2/x/blobs/sha256:3ddb: 502 Bad Gateway",
    ],
    "The disk is full.": ["failed to register layer: write /usr/share/x: no space left on device"],
    "That is not the name of an image in a registry.": ["invalid reference format: repository name must be lowercase"],
    "No reason was given.": ["", "  \n"],
}


def as_module(answer: str, reference: str = GUIDE) -> str:
    """The words of community.docker around what the engine answers before it streams."""
    name, _colon, tag = reference.rpartition(":")
    quoted = name.replace("/", "%2F").replace(":", "%3A")
    return (
        f"Error pulling image {reference} - 500 Server Error for http+docker://localhost/v1.41/images/create?tag={tag}&"
        f'fromImage={quoted}: Internal Server Error ("{answer}")'
    )


def as_stream(answer: str) -> str:
    """The words of community.docker around what the engine answers while it streams."""
    return f"Error pulling {GUIDE.rpartition(':')[0]} - code: None message: {answer}"


@pytest.mark.parametrize(
    ("sentence", "answer"), [(sentence, answer) for sentence, answers in ANSWERS.items() for answer in answers]
)
def test_reason_of_a_failed_pull_is_told_in_a_sentence(sentence, answer):
    for wrap in (str, as_module, as_stream) if answer.strip() else (str,):
        assert pull_reason(wrap(answer), GUIDE) == sentence


@pytest.mark.parametrize(
    ("reference", "registry"),
    [
        ("127.0.0.1:5051/certificate-denied/timeout:404", "127.0.0.1:5051"),
        (f"registry.example.org/no-space-left/x509@{DIGEST}", "registry.example.org"),
    ],
)
def test_words_in_the_name_of_an_image_are_no_reason(reference, registry):
    answer = f"manifest for {reference} not found: manifest unknown: manifest unknown"
    said = pull_reason(as_module(answer, reference), reference)
    assert said == f"The registry {registry} has no image of that name and tag."
    repository = reference.removesuffix(":404").removesuffix(f"@{DIGEST}")
    for answer in (
        f'Head "https://{registry}/v2/{repository}": denied: denied',
        f"pull access denied for {repository}, repository does not exist or may require 'docker login'",
    ):
        assert "refuses" in pull_reason(as_module(answer, reference), reference)


def test_answer_that_is_not_known_is_passed_on_without_what_is_around_it():
    for wrap in (str, as_module, as_stream):
        assert pull_reason(wrap("the moon is full"), GUIDE) == "The engine answered: the moon is full"
    assert pull_reason("first\nlast line\n", GUIDE) == "The engine answered: last line"
    assert len(pull_reason("x" * 5000, GUIDE)) < 400


BUILD = "Error building lab:1 - code: 1, message: "
FAILED = "The command '/bin/sh -c ./x' returned a non-zero code: 1"
NO_HOST = 'Get "https://nosuch.invalid/v2/": dial tcp: lookup nosuch.invalid on 192.0.2.53:53: no such host'
NO_FILE = "COPY failed: file not found in build context or excluded by .dockerignore: stat x: file does not exist"
PULLING = "['Step 1/1 : FROM nosuch.invalid/base:1', '', 'main: Pulling from base', '4f4fb700ef54: Error so far']"


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (
            f"{BUILD}{FAILED}, logs: ['Step 1/2 : FROM debian', '', ' ---> e0fe3a346647', 'E: Old news', "
            "'Step 2/2 : RUN apt-get install nosuch', '', ' ---> Running in 44010eee06af', 'Reading package lists...', "
            "'\\x1b[91mE: Unable to locate package nosuch', '\\x1b[0m', 'one', 'Removing intermediate container 44']",
            "E: Unable to locate package nosuch",
        ),
        (
            f"{BUILD}{FAILED}, logs: ['Step 1/1 : RUN ./x', 'one', 'two', 'three', 'four', "
            "'Removing intermediate container 44']",
            "two / three / four",
        ),
        (
            f"{BUILD}{FAILED}, logs: ['Step 1/1 : RUN ./x', ' ---> Running in 4', 'Removing intermediate container 4']",
            FAILED,
        ),
        (f"{BUILD}{FAILED}, logs: [unreadable]", "[unreadable]"),
        ("a\nb\nc\nd", "b / c / d"),
    ],
)
def test_reason_of_a_failed_build_is_the_end_of_what_its_last_step_printed(message, reason):
    assert build_reason(message) == f"The build ended with: {reason}"


NO_BASE = "pull access denied for nosuch, repository does not exist or may require 'docker login': denied"


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (f"{BUILD}{NO_HOST}, logs: {PULLING}", "nosuch.invalid/base:1. The registry"),
        (f"Step 1/2 : FROM --platform=linux/amd64 nosuch\n{NO_BASE}", "image nosuch. The registry docker.io refuses"),
        (f"ERROR: failed to solve: x: failed to resolve source metadata for nosuch:1: {NO_BASE}", "image nosuch:1."),
        (f"Step 1/2 : FROM debian\n ---> 1\nStep 2/2 : COPY x /\n{NO_FILE}", "copies x, which is not in the folder"),
        ('ERROR: failed to calculate checksum of ref a::b: "/x y": not found', "copies x y,"),
        ("COPY failed: stat /var/lib/docker/tmp/docker-builder1/a/b: no such file or directory", "copies a/b, which"),
        ("the --mount option requires BuildKit. Refer to https://docs", "has --mount, which the old builder"),
        ("Error response from daemon: dockerfile parse error line 2: Unknown flag: link", "has --link, which"),
        ("Error response from daemon: dockerfile parse error line 2: unknown instruction: RUNN", "in line 2: unknown"),
        ("ERROR: failed to solve: dockerfile parse error on line 3: unknown instruction: RUNN", "line 3:"),
        ("Error response from daemon: the Dockerfile (Dockerfile) cannot be empty", "is empty."),
        ("Error response from daemon: no build stage in current context", "has no FROM"),
        ("Step 2/2 : RUN x\nx: write error: No space left on device", "The disk is full."),
        ("E: Failed to fetch http://deb/x  407  Proxy Authentication Required", "(407)"),
        ("W: Could not connect to 127.0.0.1:3128 (127.0.0.1). - connect (111: Connection refused)", "computer's proxy"),
        ("ProxyError('Cannot connect to proxy.', OSError('Tunnel connection failed: 403 Forbidden'))", "or refuses"),
    ],
)
def test_usual_reasons_of_failed_builds_are_sentences(message, reason):
    assert reason in build_reason(message)
    assert "build ended with" not in build_reason(message)


def test_build_that_said_nothing_or_much_is_told_shortly():
    assert build_reason("") == "The build said nothing."
    assert len(build_reason("x" * 5000)) < 600


def test_image_is_found_by_its_whole_name():
    images = [{"Id": "1", "RepoTags": None}, {"Id": "2", "RepoTags": ["lab:1", "lab:2"]}, {"Id": "3"}]
    assert image_called(images, "lab:2")["Id"] == "2"
    assert image_called(images, "3")["Id"] == "3"
    assert image_called([{"RepoDigests": [f"lab@{DIGEST}"]}], f"lab@{DIGEST}")
    assert image_called(images, "lab") == {}
    assert image_called([], "lab:2") == {}


OURS = {"desi.lab.context": "1a", "desi.lab.image": "embedded", "org.opencontainers.image.version": "0.1.0"}


def image(environment=(), labels=None, **config):
    return {"Id": "sha256:1", "Architecture": "amd64", "Config": {"Env": list(environment), "Labels": labels, **config}}


@pytest.mark.security("C5")
@pytest.mark.parametrize(
    ("given", "name", "value"),
    [
        ({"environment": ["PATH=/bin", "DESI_DATA=/home/desidata"]}, "data_path", "/home/desidata"),
        ({"environment": ["DESI_BUCKET=/old", "DESI_DATA=/new"]}, "data_path", "/new"),
        ({"environment": ["DESI_DATA=", "DESI_BUCKET=/b"]}, "data_path", "/b"),
        ({"environment": ["DESI_DATA=/a=b"]}, "data_path", "/a=b"),
        ({"environment": ["PATH=/bin", "ODD"]}, "data_path", "/home/desibucket"),
        ({"ExposedPorts": {"9000/tcp": {}, "8888/tcp": {}}}, "port", 8888),
        ({"ExposedPorts": {}}, "port", 0),
        ({"ExposedPorts": None}, "port", 0),
        ({"labels": OURS}, "embedded", True),
        ({"labels": {**OURS, "desi.lab.image": "base"}}, "embedded", False),
        ({"labels": {"desi.lab.image": "embedded"}}, "embedded", False),
        ({"labels": OURS}, "context", "1a"),
        ({"labels": OURS}, "version", "0.1.0"),
        ({}, "id", "sha256:1"),
        ({}, "architecture", "amd64"),
        ({"Cmd": ["lab"]}, "starts", True),
        ({"Entrypoint": ["lab"]}, "starts", True),
        ({"Cmd": None, "Entrypoint": None}, "starts", False),
        ({}, "starts", False),
    ],
)
def test_what_an_image_promises_is_read_off_it(given, name, value):
    assert image_facts(image(**given))[name] == value


def test_image_that_is_not_there_promises_nothing_but_the_usual_path():
    facts = image_facts({})
    assert (facts["id"], facts["embedded"], facts["context"], facts["digests"]) == ("", False, "", [])
    assert facts["data_path"] == "/home/desibucket"
    assert image_facts({"Config": None, "RepoDigests": None})["digests"] == []


def listed(number, tags, size, layers, label="embedded"):
    labels = {"desi.lab.image": label} if label else {}
    return {"Id": number, "RepoTags": tags, "Size": size, "RootFS": {"Layers": layers}, "Config": {"Labels": labels}}


BASE = listed("b", ["desi-lab-base:0.1.0"], 100, ["l1", "l2"])
LAB = listed("l", ["desi-lab:0.1.0"], 150, ["l1", "l2", "l3"])
OLD = listed("o", ["desi-lab-previous:mine"], 140, ["l1", "l2", "l4"])
DANGLING = listed("d", None, 130, ["l9"])
SAMPLE = listed("s", ["desi-lab-sample:0.1.0", "desi-lab-sample:0.1.0-coadds3"], 70, ["s1"])
PULLED = listed("p", ["debian:12"], 60, ["l1"], label="")
THEIRS = listed("t", ["desi-lab:0.1.0-mine", "mine:1"], 170, ["l1", "l2", "l3", "l5"])


@pytest.mark.parametrize(
    ("images", "size"),
    [
        ([], 0),
        ([BASE, LAB], 150),
        ([LAB, BASE, OLD], 190),
        ([BASE, {**BASE, "Id": "b2"}], 100),
        ([LAB, DANGLING, SAMPLE], 220),
        ([PULLED, BASE, LAB], 90),
        ([PULLED, THEIRS], 0),
        # The same layers by a name that stays.
        ([{**BASE, "Id": "b2", "RepoTags": ["mine:1"]}, BASE, LAB], 50),
        ([{"Id": "x", "Labels": {"desi.lab.image": "embedded"}, "RepoTags": ["desi-lab:0.1.0"], "Size": 5}], 5),
    ],
)
def test_what_images_share_is_counted_once_and_what_stays_not_at_all(images, size):
    assert built_images(images)["size"] == size


def test_replaced_image_goes_unless_it_has_another_name_or_none():
    name = "desi-lab-replaced:0123456789ab"
    kept = listed("k", [name[:-1] + "c", "desi-lab-previous:mine"], 1, ["l1"])
    images = [LAB, DANGLING, kept, listed("r", [name], 1, ["l2"]), listed("u", [name], 1, ["l3"], label="")]
    assert built_images(images)["replaced"] == [name]
    assert built_images(images)["names"] == [*LAB["RepoTags"], kept["RepoTags"][0], name]


def test_only_names_that_were_given_here_are_removed():
    names = built_images([BASE, LAB, OLD, DANGLING, SAMPLE, PULLED, THEIRS])["names"]
    assert names == [*BASE["RepoTags"], *LAB["RepoTags"], *SAMPLE["RepoTags"]]


@pytest.mark.security("L7")
@pytest.mark.parametrize("at", [5, 25, 45])
def test_no_part_of_a_token_stays_where_the_words_of_a_build_are_cut(at):
    token = "0123456789abcdef" * 3
    for reason, longest in ((build_reason, 500), (lambda said: pull_reason(said, "a:b"), 300)):
        said = reason(f"error token={token} {'x ' * ((longest - at) // 2)}")
        assert not [begin for begin in range(40) if token[begin : begin + 8] in said]


@pytest.fixture
def desired(tmp_path):
    """An image that is built on another, and whether the engine has it as it would be built now."""
    (tmp_path / "Dockerfile").write_text("FROM x")
    return {"name": "lab:1", "base": "base:1", "context": str(tmp_path), "kind": "embedded", "args": {"A": "1"}}


def built(desired, *, base="sha256:b"):
    """Return what the engine has of a base, and once the image has been built."""
    images = [{"Id": base, "RepoTags": ["base:1"], "RepoDigests": ["base@sha256:d"]}]
    (build,) = image_builds(images, [desired])
    return build, [*images, {"Id": "sha256:l", "RepoTags": ["lab:1"], "Config": {"Labels": build["labels"]}}]


def test_build_of_an_image_says_from_what_it_is_built(desired):
    build, images = built(desired)
    context = build["labels"]["desi.lab.context"]
    assert build == {
        "name": "lab:1",
        "path": desired["context"],
        "args": {"A": "1", "BASE": "base:1"},
        "labels": {"desi.lab.context": context, "desi.lab.image": "embedded", "desi.lab.base": "base@sha256:d"},
    }
    assert len(context) == 16
    assert "BASE" not in image_builds([], [{**desired, "base": ""}])[0]["args"]
    assert image_builds(images, [desired]) == []


@pytest.mark.parametrize("more", [{"args": {"A": "2"}}, {"host_file": "c"}, {"base": "base:2"}])
def test_image_is_built_again_from_something_else(desired, more):
    _build, images = built(desired)
    assert len(image_builds(images, [{**desired, **more}])) == 1
    assert image_builds(images, [{**desired, **more}], missing=True) == []


def test_image_is_built_again_from_other_files_on_another_base_or_if_that_is_wanted(desired):
    _build, images = built(desired)
    assert len(image_builds(images, [desired], again=True)) == 1
    assert len(image_builds([{**images[0], "Id": "sha256:new"}, images[1]], [desired])) == 1
    Path(desired["context"], "more").touch()
    assert len(image_builds(images, [desired])) == 1
