# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.plugin_utils._images import (
    build_reason,
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
        ("registry.example.org:5000/me/desi:1.0_b", "registry.example.org:5000/me/desi:1.0_b"),
        ("[fd00::2]:5000/me/desi", "[fd00::2]:5000/me/desi:latest"),
        (f"ghcr.io/desihub/desidocker@{DIGEST}", f"ghcr.io/desihub/desidocker@{DIGEST}"),
        (f"{GUIDE}@{DIGEST}", f"{GUIDE}@{DIGEST}"),
        ("me/some__odd.name--here", "me/some__odd.name--here:latest"),
    ],
)
def test_reference_is_pulled_with_its_tag_or_the_latest(name, reference):
    assert image_source(name, TABLE) == {"kind": "pull", "reference": reference}


@pytest.mark.parametrize(
    ("name", "url", "version", "folder"),
    [
        (
            "github.com/flyorboom/docker-aws-jupyter.git",
            "https://github.com/flyorboom/docker-aws-jupyter.git",
            "HEAD",
            "",
        ),
        (
            "github.com/flyorboom/docker-aws-jupyter.git#main:images/lab/",
            "https://github.com/flyorboom/docker-aws-jupyter.git",
            "main",
            "images/lab",
        ),
        ("https://gitlab.example.org/me/lab.git", "https://gitlab.example.org/me/lab.git", "HEAD", ""),
        ("https://gitlab.example.org/me/lab.git#v1.2", "https://gitlab.example.org/me/lab.git", "v1.2", ""),
        ("https://gitlab.example.org/me/lab.git#:docker", "https://gitlab.example.org/me/lab.git", "HEAD", "docker"),
        ("git@github.com:me/lab.git", "git@github.com:me/lab.git", "HEAD", ""),
        ("ssh://git@example.org:2222/me/lab.git#dev:a", "ssh://git@example.org:2222/me/lab.git", "dev", "a"),
    ],
)
def test_git_url_is_built_from_its_branch_and_folder(name, url, version, folder):
    source = image_source(name, TABLE)
    assert {key: source[key] for key in ("kind", "url", "version", "folder")} == {
        "kind": "git",
        "url": url,
        "version": version,
        "folder": folder,
    }


def test_folder_is_built():
    source = image_source("/home/ann/My Lab", TABLE)
    assert (source["kind"], source["path"]) == ("folder", "/home/ann/My Lab")
    assert source["reference"].startswith("desi-lab-built-my-lab:")


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
        ("../lab", "not an absolute path", '"$(realpath ../lab)"'),
        ("~/lab", "not an absolute path", '"$(realpath ~/lab)"'),
        ("Embedded", "no capital letters", "lower case"),
        ("ghcr.io/DESIhub/desidocker:main", "no capital letters", "lower case"),
        ("my lab", "no spaces", "README.md"),
        ("", "no spaces", "README.md"),
        ("-x", "no spaces", "README.md"),
        ("me/lab:", "no spaces", "README.md"),
        ("me//lab", "no spaces", "README.md"),
        ("me/lab:tag with space", "no spaces", "README.md"),
        (f"me/lab@{DIGEST[:20]}", "no spaces", "README.md"),
        ("me/läb", "no spaces", "README.md"),
        ("lab\n", "no spaces", "README.md"),
    ],
)
def test_what_can_be_neither_pulled_nor_built_is_refused_before_it_is_tried(name, why, do):
    with pytest.raises(LabError) as caught:
        image_source(name, TABLE)
    assert f'"{name}"' in caught.value.what
    assert why in caught.value.why
    assert do in caught.value.do


UNRESOLVED = "The registry ghcr.io cannot be reached from this computer: its name is not resolved."
REFUSED = "The registry ghcr.io cannot be reached: nothing listens there."
LATE = "The registry ghcr.io did not answer in time."
NO_WAY = "There is no way through the network to the registry ghcr.io."
PROXY = "The registry ghcr.io cannot be reached: the proxy that the engine uses does not answer, or refuses."
UNTRUSTED = "The registry ghcr.io shows a certificate that this computer does not trust."
NO_SUCH = "The registry ghcr.io has no image of that name and tag."
PRIVATE = "The registry ghcr.io refuses: the image is private, or there is none of that name."
TOO_MANY = "The registry ghcr.io takes no more requests for now."
PROCESSOR = "The image was not made for this computer's processor."
PLAIN = "The registry ghcr.io speaks plain HTTP, which the engine was not told to accept."
BROKE_OFF = "The connection to the registry ghcr.io broke off."
TROUBLE = "The registry ghcr.io has trouble of its own for now."

# What engines old and new answer, as their users reported it, for the image of the guide.
ANSWERS = [
    ('Get "https://ghcr.io/v2/": dial tcp: lookup ghcr.io on 192.0.2.53:53: no such host', UNRESOLVED),
    ('Get "https://ghcr.io/v2/": dial tcp: lookup ghcr.io: no such host', UNRESOLVED),
    (
        'Get "https://ghcr.io/v2/": dial tcp: lookup ghcr.io on [::1]:53: read udp [::1]:49751->[::1]:53: read: '
        "connection refused",
        UNRESOLVED,
    ),
    ("Get https://ghcr.io/v2/: dial tcp: lookup ghcr.io on 192.168.65.1:53: server misbehaving", UNRESOLVED),
    (
        "Get https://ghcr.io/v2/: dial tcp: lookup ghcr.io on 10.0.2.3:53: read udp 10.0.2.15:54567->10.0.2.3:53: "
        "i/o timeout",
        UNRESOLVED,
    ),
    (
        f'failed to resolve reference "{GUIDE}": failed to do request: Head '
        '"https://ghcr.io/v2/flyorboom/docker-aws-jupyter/manifests/main": dial tcp: lookup ghcr.io: Try again',
        UNRESOLVED,
    ),
    (
        f'failed to resolve reference "{GUIDE}": failed to authorize: failed to fetch anonymous token: Get '
        '"https://ghcr.io/token?scope=repository%3Aflyorboom%2Fdocker-aws-jupyter%3Apull&service=ghcr.io": dialing '
        "ghcr.io:443 container via direct connection because Docker Desktop has no HTTPS proxy: connecting to "
        "ghcr.io:443: dial tcp: lookup ghcr.io: no such host",
        UNRESOLVED,
    ),
    ('Get "https://ghcr.io/v2/": dial tcp 192.0.2.7:443: connect: connection refused', REFUSED),
    ('Get "https://ghcr.io/v2/": dial tcp 192.0.2.7:443: i/o timeout', LATE),
    ('Get "https://ghcr.io/v2/": net/http: TLS handshake timeout', LATE),
    (
        'Get "https://ghcr.io/v2/": net/http: request canceled while waiting for connection (Client.Timeout exceeded '
        "while awaiting headers)",
        LATE,
    ),
    ('Get "https://ghcr.io/v2/": context deadline exceeded', LATE),
    (
        "connecting to ghcr.io:443: dial tcp 192.0.2.7:443: connectex: A connection attempt failed because the "
        "connected party did not properly respond after a period of time",
        LATE,
    ),
    ('Get "https://ghcr.io/v2/": dial tcp [2001:db8::7]:443: connect: network is unreachable', NO_WAY),
    ('Get "https://ghcr.io/v2/": dial tcp 192.0.2.7:443: connect: no route to host', NO_WAY),
    ("Get https://ghcr.io/v2/: proxyconnect tcp: dial tcp 192.0.2.8:8080: connect: no route to host", PROXY),
    ('Get "https://ghcr.io/v2/": proxyconnect tcp: dial tcp: lookup proxy: no such host', PROXY),
    ('Get "https://ghcr.io/v2/": Proxy Authentication Required', PROXY),
    ('Get "https://ghcr.io/v2/": x509: certificate signed by unknown authority', UNTRUSTED),
    (
        'Get "https://ghcr.io/v2/": tls: failed to verify certificate: x509: certificate signed by unknown authority',
        UNTRUSTED,
    ),
    (
        'Get "https://192.0.2.2:5053/v2/": x509: cannot validate certificate for 192.0.2.2 because it doesn\'t contain '
        "any IP SANs",
        UNTRUSTED,
    ),
    ('Get "https://ghcr.io/v2/": http: server gave HTTP response to HTTPS client', PLAIN),
    (f"manifest for {GUIDE} not found: manifest unknown: manifest unknown", NO_SUCH),
    ("manifest unknown", NO_SUCH),
    (f'failed to resolve reference "{GUIDE}": {GUIDE}: not found', NO_SUCH),
    ("name unknown: repository name not known to registry", NO_SUCH),
    ("repository ghcr.io/flyorboom/docker-aws-jupyter not found: does not exist or no pull access", NO_SUCH),
    ("denied: denied", PRIVATE),
    ('Head "https://ghcr.io/v2/flyorboom/docker-aws-jupyter/manifests/main": denied', PRIVATE),
    ("unauthorized: authentication required", PRIVATE),
    ('Head "https://ghcr.io/v2/flyorboom/docker-aws-jupyter/manifests/main": no basic auth credentials', PRIVATE),
    (
        "pull access denied for ghcr.io/flyorboom/docker-aws-jupyter, repository does not exist or may require "
        "'docker login': denied: requested access to the resource is denied",
        PRIVATE,
    ),
    (
        f'unknown: failed to resolve reference "{GUIDE}": unexpected status from HEAD request to '
        "https://ghcr.io/v2/flyorboom/docker-aws-jupyter/manifests/main: 403 Forbidden",
        PRIVATE,
    ),
    (
        "toomanyrequests: You have reached your pull rate limit. You may increase the limit by authenticating and "
        "upgrading: https://www.docker.com/increase-rate-limit",
        TOO_MANY,
    ),
    ("toomanyrequests: Rate exceeded", TOO_MANY),
    ("no matching manifest for linux/arm64/v8 in the manifest list entries", PROCESSOR),
    (
        "no matching manifest for linux/arm64/v8 in the manifest list entries: no match for platform in manifest: "
        "not found",
        PROCESSOR,
    ),
    (
        f"image with reference {GUIDE} was found but does not provide the specified platform (linux/arm64/v8)",
        PROCESSOR,
    ),
    ('Get "https://ghcr.io/v2/": EOF', BROKE_OFF),
    ("unexpected EOF", BROKE_OFF),
    ('Get "https://ghcr.io/v2/": read tcp 192.0.2.2:1->192.0.2.7:443: read: connection reset by peer', BROKE_OFF),
    ("received unexpected HTTP status: 500 Internal Server Error", TROUBLE),
    (
        "error pulling image configuration: download failed after attempts=6: received unexpected HTTP status: 503 "
        "Service Unavailable",
        TROUBLE,
    ),
    (
        "failed to copy: httpReadSeeker: failed open: unexpected status code https://ghcr.io/v2/x/blobs/sha256:3ddb: "
        "502 Bad Gateway",
        TROUBLE,
    ),
    (
        "failed to register layer: Error processing tar file(exit status 1): write "
        "/usr/share/ca-certificates/x: no space left on device",
        "The disk is full.",
    ),
    ("invalid reference format: repository name must be lowercase", "That is not the name of an image in a registry."),
]


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


@pytest.mark.parametrize(("answer", "sentence"), ANSWERS)
@pytest.mark.parametrize("wrap", [str, as_module, as_stream])
def test_reason_of_a_failed_pull_is_told_in_a_sentence(answer, sentence, wrap):
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


def test_short_name_without_a_registry_is_dockers_own():
    answer = (
        "pull access denied for nosuch, repository does not exist or may require 'docker login': denied: requested "
        "access to the resource is denied"
    )
    assert pull_reason(as_module(answer, "nosuch:latest"), "nosuch:latest").startswith("The registry docker.io refuses")


def test_answer_that_is_not_known_is_passed_on_without_what_is_around_it():
    for wrap in (str, as_module, as_stream):
        assert pull_reason(wrap("the moon is full"), GUIDE) == "The engine answered: the moon is full"
    assert pull_reason("first\nlast line\n", GUIDE) == "The engine answered: last line"
    assert len(pull_reason("x" * 5000, GUIDE)) < 400


@pytest.mark.parametrize("message", ["", "  \n"])
def test_no_answer_is_no_reason(message):
    assert pull_reason(message, GUIDE) == "No reason was given."


def test_reason_of_a_failed_build_is_the_end_of_what_its_last_step_printed():
    message = (
        "Error building lab:1 - code: 100, message: The command '/bin/sh -c apt-get install nosuch' returned a non-zero"
        " code: 100, logs: ['Step 1/2 : FROM debian', '', ' ---> e0fe3a346647', 'E: Old news', "
        "'Step 2/2 : RUN apt-get install nosuch', '', ' ---> Running in 44010eee06af', 'Reading package lists...', "
        "'\\x1b[91mE: Unable to locate package nosuch', '\\x1b[0m', 'one', 'Removing intermediate container 44']"
    )
    assert build_reason(message) == "The build ended with: E: Unable to locate package nosuch"


def test_end_of_a_failed_build_is_told_where_no_line_of_it_says_error():
    message = (
        "Error building lab:1 - code: 1, message: The command '/bin/sh -c ./x' returned a non-zero code: 1, "
        "logs: ['Step 1/1 : RUN ./x', 'one', 'two', 'three', 'four', 'Removing intermediate container 44']"
    )
    assert build_reason(message) == "The build ended with: two / three / four"


def test_failed_build_whose_step_printed_nothing_is_told_by_its_command():
    message = (
        "Error building lab:1 - code: 1, message: The command '/bin/sh -c false' returned a non-zero code: 1, "
        "logs: ['Step 1/1 : RUN false', ' ---> Running in 44', 'Removing intermediate container 44']"
    )
    assert build_reason(message) == ("The build ended with: The command '/bin/sh -c false' returned a non-zero code: 1")


@pytest.mark.parametrize(
    "said",
    [
        'Get "https://nosuch.invalid/v2/": dial tcp: lookup nosuch.invalid on 192.0.2.53:53: no such host',
        "COPY failed: file not found in build context or excluded by .dockerignore: stat x: file does not exist",
    ],
)
def test_builder_that_fails_by_itself_says_why(said):
    logs = "['Step 1/1 : FROM nosuch.invalid/base:1', '', 'main: Pulling from base', '4f4fb700ef54: Error so far']"
    message = f"Error building lab:1 - code: None, message: {said}, logs: {logs}"
    assert build_reason(message) == f"The build ended with: {said}"


def test_other_messages_of_a_build_are_told_by_their_end():
    assert build_reason("a\nb\nc\nd") == "The build ended with: b / c / d"
    assert build_reason("Cannot locate specified Dockerfile: /x") == (
        "The build ended with: Cannot locate specified Dockerfile: /x"
    )
    broken = "Error building lab:1 - code: 1, message: x returned a non-zero code: 1, logs: [unreadable]"
    assert build_reason(broken) == "The build ended with: [unreadable]"
    assert build_reason("") == "The build said nothing."
    assert len(build_reason("x" * 5000)) < 600


def test_image_is_found_by_its_whole_name():
    images = [{"Id": "1", "RepoTags": None}, {"Id": "2", "RepoTags": ["lab:1", "lab:2"]}, {"Id": "3"}]
    assert image_called(images, "lab:2")["Id"] == "2"
    assert image_called(images, "3")["Id"] == "3"
    assert image_called([{"RepoDigests": [f"lab@{DIGEST}"]}], f"lab@{DIGEST}")
    assert image_called(images, "lab") == {}
    assert image_called([], "lab:2") == {}


def image(environment=(), labels=None, **config):
    return {"Id": "sha256:1", "Architecture": "amd64", "Config": {"Env": list(environment), "Labels": labels, **config}}


@pytest.mark.parametrize(
    ("environment", "path"),
    [
        (["PATH=/bin", "DESI_DATA=/home/desidata"], "/home/desidata"),
        (["DESI_BUCKET=/home/desibucket"], "/home/desibucket"),
        (["DESI_BUCKET=/old", "DESI_DATA=/new"], "/new"),
        (["DESI_DATA=", "DESI_BUCKET=/b"], "/b"),
        (["DESI_DATA=/a=b"], "/a=b"),
        (["PATH=/bin", "ODD"], "/home/desibucket"),
        ([], "/home/desibucket"),
    ],
)
def test_data_path_is_read_off_the_image(environment, path):
    assert image_facts(image(environment))["data_path"] == path


@pytest.mark.parametrize(
    ("exposed", "port"), [({"8888/tcp": {}}, 8888), ({"9000/tcp": {}, "8888/tcp": {}}, 8888), ({}, 0), (None, 0)]
)
def test_port_is_read_off_the_image(exposed, port):
    assert image_facts(image(ExposedPorts=exposed))["port"] == port


def test_image_is_the_embedded_one_only_by_both_of_its_labels():
    ours = {"desi.lab.context": "1a", "desi.lab.image": "embedded", "org.opencontainers.image.version": "0.1.0"}
    facts = image_facts(image(labels=ours))
    assert (facts["embedded"], facts["context"], facts["version"]) == (True, "1a", "0.1.0")
    assert (facts["id"], facts["architecture"], facts["digests"]) == ("sha256:1", "amd64", [])
    assert not image_facts(image(labels={**ours, "desi.lab.image": "base"}))["embedded"]
    assert not image_facts(image(labels={"desi.lab.image": "embedded"}))["embedded"]


def test_image_that_is_not_there_promises_nothing_but_the_usual_path():
    facts = image_facts({})
    assert (facts["id"], facts["embedded"], facts["context"], facts["digests"]) == ("", False, "", [])
    assert facts["data_path"] == "/home/desibucket"
    assert image_facts({"Config": None, "RepoDigests": None})["digests"] == []


@pytest.mark.parametrize(
    ("config", "starts"),
    [
        ({"Cmd": ["lab"]}, True),
        ({"Entrypoint": ["lab"]}, True),
        ({"Cmd": None, "Entrypoint": None}, False),
        ({}, False),
    ],
)
@pytest.mark.security("C5")
def test_image_that_names_no_program_is_known_as_such(config, starts):
    assert image_facts(image(**config))["starts"] is starts
