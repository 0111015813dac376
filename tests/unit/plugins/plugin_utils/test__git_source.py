# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from web_server import web_server

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.plugin_utils._git_source import GIT_URL, GitSource, fetch, git_source
from ansible_collections.desi.lab.plugins.plugin_utils._images import image_source

SERVER = Path(__file__).parents[3] / "registry" / "serve_git"
CANARY = "ghp_0123456789abcdef"


@pytest.mark.security("L12")
@pytest.mark.parametrize(
    ("name", "by"),
    [
        ("git://example.org/lab", "come by git"),
        ("http://example.org/lab.git", "come by http"),
        ("HTTP://example.org/lab.git", "come by http"),
        ("file:///home/ann/private.git", "come by file"),
        ("ftp://example.org/lab.git", "come by ftp"),
        ("git+ssh://example.org/lab.git", "by a program of Git's"),
        ("ext::sh -c touch% /tmp/x", ""),
        ("ext::sh", "by a program of Git's"),
        ("https::https://example.org/lab.git", "by a program of Git's"),
    ],
)
def test_only_https_and_ssh_are_spoken(name, by):
    with pytest.raises(LabError) as caught:
        image_source(name, {})
    assert by in caught.value.why


@pytest.mark.security("M7")
@pytest.mark.parametrize(
    "name",
    [
        *("https://ann:SECRET@example.org/lab.git", "https://SECRET@example.org/lab.git#main:folder"),
        *("https://:SECRET@example.org/lab.git", "ssh://git:SECRET@example.org/lab.git"),
        *("http://ann:SECRET@example.org/lab.git", "git://ann:SECRET@example.org/lab.git"),
        *("github.com/ann:SECRET@evil.example.org/lab.git#..", "git@ann:SECRET@example.org:lab.git"),
        *("https://ann:SECRET@example.org/lab", "docker://ann:SECRET@example.org/lab"),
        *("https://ann:pa/SECRET@example.org/lab", "docker://ann:pa/SECRET@example.org/lab"),
    ],
)
def test_password_in_an_image_is_refused_and_not_repeated(name):
    with pytest.raises(LabError) as caught:
        image_source(name.replace("SECRET", CANARY), {})
    assert CANARY not in str(caught.value)


@pytest.mark.security("L12")
@pytest.mark.parametrize(
    "name",
    [
        *("ssh://-oProxyCommand=touch/x", "ssh://-oProxyCommand=touch@host/x", "git@-oProxyCommand=x:lab.git"),
        *("git@host:-x", "https://-x/lab.git", "https://example.org/a`id`.git", "https://example.org/$(id).git"),
        *("https://example.org:port/lab.git", "https:///lab.git"),
        *(
            f"https://example.org/lab.git#{part}"
            for part in ("--upload-pack=touch", "-x", "a..b", "a:b:c/../d", "+refs/heads/*:refs", ":..", ":../../etc")
        ),
        *(f"https://example.org/lab.git#{part}" for part in (":a/../../b", ":/etc", "main:./a", "main:a//b")),
    ],
)
def test_what_git_or_a_shell_would_take_as_something_else_is_refused(name):
    assert GIT_URL.fullmatch(name)
    with pytest.raises(LabError):
        git_source(name)


def commit(folder, **files):
    """Make a repository that serves these files, or a further commit of it."""
    settings = ("user.name=t", "user.email=t@localhost", "protocol.file.allow=always")
    git = ["git", "-C", str(folder), *(word for setting in settings for word in ("-c", setting))]
    if not (folder / ".git").exists():
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run([*git, "init", "-q", "-b", "main"], check=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "x"], check=True)
    return git


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Git's own server behind HTTPS on this computer; gives its folder, its address and its certificate."""
    folder = tmp_path_factory.mktemp("served")
    certificate = folder / "cert.pem"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen([sys.executable, SERVER, folder, "127.0.0.1", str(port), certificate])
    try:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert process.poll() is None
            time.sleep(0.05)
        yield folder, f"https://127.0.0.1:{port}", {**os.environ, "GIT_SSL_CAINFO": str(certificate)}
    finally:
        process.terminate()
        process.wait()


def test_one_commit_is_fetched_of_a_branch_a_tag_or_the_head(server, tmp_path):
    folder, address, known = server
    git = commit(folder / "lab", Dockerfile="1")
    subprocess.run([*git, "tag", "v1"], check=True)
    commit(folder / "lab", Dockerfile="2")
    for version, text in [("HEAD", "2"), ("main", "2"), ("v1", "1")]:
        place = tmp_path / version
        place.mkdir()
        found = fetch(GitSource(f"{address}/lab", version, ""), str(place), known)
        assert (place / "Dockerfile").read_text() == text
        assert len(found) == 40
        count = subprocess.run(
            ["git", "-C", place, "rev-list", "--count", "--all", "HEAD"], capture_output=True, check=True
        )
        assert count.stdout == b"1\n"


@pytest.mark.security("H2", "L12")
def test_submodules_hooks_and_settings_of_others_bring_nothing_in(server, tmp_path, monkeypatch):
    folder, address, known = server
    commit(folder / "private", key="PRIVATE-KEY")
    git = commit(folder / "super", Dockerfile="FROM scratch")
    subprocess.run([*git, "submodule", "add", "-q", str(folder / "private"), "theirs"], check=True)
    subprocess.run([*git, "commit", "-qam", "x"], check=True)
    template = tmp_path / "template"
    (template / "hooks").mkdir(parents=True)
    (template / "hooks" / "post-checkout").write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    (template / "hooks" / "post-checkout").chmod(0o755)
    settings = tmp_path / "gitconfig"
    settings.write_text(
        f"[init]\ntemplateDir = {template}\n[core]\nhooksPath = {template}/hooks\n"
        "[submodule]\nrecurse = true\n[protocol]\nallow = always\n"
    )
    place = tmp_path / "clone"
    place.mkdir()
    stolen = {"GIT_DIR": str(folder / "private/.git"), "GIT_WORK_TREE": str(tmp_path), "GIT_ALLOW_PROTOCOL": "file:ext"}
    fetch(
        GitSource(f"{address}/super", "HEAD", ""), str(place), {**known, **stolen, "GIT_CONFIG_GLOBAL": str(settings)}
    )
    assert (place / "Dockerfile").read_text() == "FROM scratch"
    assert not (tmp_path / "ran").exists()
    assert not list((place / "theirs").iterdir())
    assert not (tmp_path / "Dockerfile").exists()


@pytest.mark.security("L12")
def test_redirect_of_a_persons_setting_to_another_protocol_is_not_followed(server, tmp_path):
    folder, address, known = server
    commit(folder / "private2", key="PRIVATE-KEY")
    settings = tmp_path / "gitconfig"
    settings.write_text(f'[url "{folder}/private2"]\ninsteadOf = {address}/else\n')
    (tmp_path / "clone").mkdir()
    with pytest.raises(LabError, match="file"):
        source = GitSource(f"{address}/else", "HEAD", "")
        fetch(source, str(tmp_path / "clone"), {**known, "GIT_CONFIG_GLOBAL": str(settings)})
    assert not (tmp_path / "clone" / "key").exists()


def test_credential_helper_of_the_person_is_asked(server, tmp_path):
    """Whoever has one set up builds from private repositories; without one nobody is asked, and it fails."""
    _folder, _address, known = server
    asked = tmp_path / "asked"
    settings = tmp_path / "gitconfig"
    settings.write_text(f'[credential]\nhelper = "!touch {asked};"\n')
    (tmp_path / "clone").mkdir()
    closed = web_server(lambda _asked: (401, b"", {"WWW-Authenticate": "Basic realm=x"}), known["GIT_SSL_CAINFO"])
    with closed as address, pytest.raises(LabError, match="could not be cloned"):
        source = GitSource(f"{address}/lab", "HEAD", "")
        fetch(source, str(tmp_path / "clone"), {**known, "GIT_CONFIG_GLOBAL": str(settings)})
    assert asked.exists()


def test_reason_why_nothing_came_is_a_sentence(server, tmp_path):
    folder, address, known = server
    commit(folder / "lab3", Dockerfile="1")
    for name, version, why in [("missing", "HEAD", "not found"), ("lab3", "nosuch", "nosuch")]:
        place = tmp_path / name
        place.mkdir()
        with pytest.raises(LabError) as caught:
            fetch(GitSource(f"{address}/{name}", version, ""), str(place), known)
        assert why in caught.value.why
        assert caught.value.why.count("\n") == 0
    closed = {name: value for name, value in known.items() if name != "GIT_SSL_CAINFO"}
    (tmp_path / "closed").mkdir()
    with pytest.raises(LabError, match="certificate"):
        fetch(GitSource(f"{address}/lab3", "HEAD", ""), str(tmp_path / "closed"), closed)
