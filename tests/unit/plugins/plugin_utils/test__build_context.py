# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import hashlib
import io
import os
import shutil
import socket
import tarfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.plugin_utils import _build_context
from ansible_collections.desi.lab.plugins.plugin_utils._build_context import (
    check_context,
    context_hash,
    directory_below,
    write_context,
)

SECRET = b"PRIVATE-KEY"


def packed(folder, compress=False):
    """The members of a context by name, each with what it is and what is in it, or where it leads to."""
    out = io.BytesIO()
    write_context(str(folder), out, compress)
    with tarfile.open(fileobj=io.BytesIO(out.getvalue())) as archive:
        return {
            each.name: archive.extractfile(each).read() if each.isreg() else each.linkname if each.issym() else None
            for each in archive.getmembers()
        }


@pytest.fixture
def context(tmp_path):
    folder = tmp_path / "context"
    (folder / "lab").mkdir(parents=True)
    (folder / "Dockerfile").write_text("FROM debian\n")
    (folder / "lab" / "start").write_text("#!/bin/sh\n")
    return folder


def test_hash_is_short_and_does_not_depend_on_where_the_context_is(context, tmp_path):
    first = context_hash(str(context), {})
    copy = shutil.copytree(context, tmp_path / "elsewhere")
    assert first == context_hash(str(copy), {}) == context_hash(f"{context}/", {})
    assert len(first) == 16
    assert int(first, 16) >= 0


def swap(folder):
    one, other = folder / "Dockerfile", folder / "lab" / "start"
    first, second = one.read_text(), other.read_text()
    one.write_text(second)
    other.write_text(first)


@pytest.mark.parametrize("change", [
    lambda folder: (folder / "Dockerfile").write_text("FROM ubuntu\n"),
    lambda folder: (folder / "Dockerfile").rename(folder / "Containerfile"),
    lambda folder: (folder / "lab" / "start").rename(folder / "start"),
    lambda folder: (folder / "lab" / "start").chmod(0o755), lambda folder: (folder / "empty").touch(),
    lambda folder: (folder / "link").symlink_to("lab"), lambda folder: (folder / "lab" / "start").unlink(), swap,
])  # fmt: skip
def test_hash_differs_after_a_change_that_a_build_would_see(context, change):
    before = context_hash(str(context), {})
    change(context)
    assert context_hash(str(context), {}) != before


def test_hash_stays_the_same_where_only_python_left_its_compiled_files(context):
    before = context_hash(str(context), {})
    (context / "lab" / "__pycache__").mkdir()
    (context / "lab" / "__pycache__" / "start.cpython-311.pyc").write_bytes(b"\0")
    assert context_hash(str(context), {}) == before


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({}, {"args": "a"}),
        ({"args": "a"}, {"args": "b"}),
        ({"args": "a"}, {"base": "a"}),
        ({"a": "b", "c": ""}, {"a": "", "c": "b"}),
    ],
)
def test_hash_differs_by_what_else_goes_into_the_build(context, one, other):
    assert context_hash(str(context), one) != context_hash(str(context), other)
    # Their order does not matter.
    assert context_hash(str(context), one) == context_hash(str(context), dict(reversed(one.items())))


def test_large_file_counts_with_all_of_its_content(context):
    blob = context / "blob"
    blob.write_bytes(b"0" * (3 << 20))
    before = context_hash(str(context), {})
    with blob.open("r+b") as file:
        file.seek((3 << 20) - 1)
        file.write(b"1")
    assert context_hash(str(context), {}) != before


NAMES = st.text(st.characters(min_codepoint=97, max_codepoint=105), min_size=1, max_size=4)
TREES = st.dictionaries(st.tuples(NAMES, NAMES), st.tuples(st.binary(max_size=8), st.booleans()), max_size=4)


def plant(folder, tree, time=None):
    for (parent, name), (content, executable) in tree.items():
        file = folder / f"{parent}.d" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        file.chmod(0o755 if executable else 0o644)
        if time is not None:
            os.utime(file, (time, time))
            os.utime(file.parent, (time, time))
            if os.getuid() == 0:
                os.chown(file, 12345, 54321)
                os.chown(folder, 12345, 54321)
    return folder


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(one=TREES, other=TREES, time=st.integers(0, 2**31 - 1))
def test_hash_tells_trees_apart_by_names_contents_and_executable_bits_alone(tmp_path, one, other, time):
    key = hashlib.sha256(repr((one, other, time)).encode()).hexdigest()[:12]
    folders = [tmp_path / f"{key}-{number}" for number in range(3)]
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
    first, again, second = (
        context_hash(str(plant(folder, tree, moment)), {})
        for folder, tree, moment in zip(folders, (one, dict(reversed(one.items())), other), (None, time, None))
    )
    assert first == again
    assert (first == second) is (one == other)


@pytest.fixture
def outside(tmp_path):
    """A home with a key, which no build may see."""
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    (home / ".ssh" / "id_ed25519").write_bytes(SECRET)
    return home


@pytest.mark.security("H2")
@pytest.mark.parametrize("compress", [False, True])
def test_links_out_of_a_context_bring_nothing_into_it(context, outside, compress):
    key = outside / ".ssh" / "id_ed25519"
    laid = {
        "k": str(key),
        "env": "/proc/self/environ",
        "dir": str(outside),
        "up": "../home/.ssh/id_ed25519",
        "lab/chain": "../k",
        "loop": "loop",
        "Dockerfile.link": "Dockerfile",
    }
    for name, target in laid.items():
        (context / name).symlink_to(target)
    found = packed(context, compress)
    assert {name: found[name] for name in laid} == laid
    assert set(found) == {*laid, "Dockerfile", "lab", "lab/start"}
    assert SECRET not in repr(found).encode()
    before = context_hash(str(context), {})
    key.write_bytes(b"another")
    assert context_hash(str(context), {}) == before


@pytest.mark.security("H2")
def test_file_that_is_swapped_for_a_link_while_it_is_read_brings_nothing(context, outside, monkeypatch):
    """Somebody else who may write there changes it between the look and the reading."""
    real = os.open

    def swapping(name, flags, *rest, **more):
        if name == "start":
            (context / "lab" / "start").unlink()
            (context / "lab" / "start").symlink_to(outside / ".ssh" / "id_ed25519")
        if name == "sub":
            (context / "sub").rename(context / "sub.old")
            (context / "sub").symlink_to(outside / ".ssh")
        return real(name, flags, *rest, **more)

    monkeypatch.setattr(_build_context.os, "open", swapping)
    with pytest.raises(LabError, match="was changed while it was read"):
        packed(context)
    monkeypatch.undo()
    (context / "lab" / "start").unlink()
    (context / "sub").mkdir()
    monkeypatch.setattr(_build_context.os, "open", swapping)
    with pytest.raises(LabError, match="was changed while it was read"):
        packed(context)


@pytest.mark.security("H2")
def test_context_that_is_a_link_or_leads_up_is_refused(context, tmp_path, outside):
    (tmp_path / "link").symlink_to(context)
    (tmp_path / "home" / "Dockerfile").write_text("FROM scratch")
    for path, why in [
        (f"{tmp_path}/link", "It is a link."),
        (f"{tmp_path}/link/", "It is a link."),
        (f"{context}/../home", "without '..'"),
        ("context", "not an absolute path"),
        (f"{context}/lab", "no readable file Dockerfile"),
        (f"{context}/Dockerfile", "cannot be opened"),
        (f"{tmp_path}/missing", "cannot be opened"),
    ]:
        with pytest.raises(LabError) as caught:
            check_context(path)
        assert why in caught.value.why
    check_context(str(context))


@pytest.mark.security("H2")
def test_folder_of_a_clone_is_below_it_and_no_link_leads_there(context, outside):
    (context / "out").symlink_to(outside)
    (context / "in").symlink_to("lab")
    (context / "lab" / "deep").mkdir()
    assert directory_below(str(context), "lab/deep") == f"{context}/lab/deep"
    assert directory_below(str(context), "") == str(context)
    for folder in ("out", "out/.ssh", "in", "..", "lab/../..", "/etc", "lab//deep", ".", "missing", "Dockerfile"):
        with pytest.raises(LabError, match="links are not followed"):
            directory_below(str(context), folder)


def test_what_is_no_file_is_left_out_and_history_too(context):
    os.mkfifo(context / "pipe")
    odd = os.fsdecode(b"caf\xe9 \n-x")
    (context / odd).write_text("1")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(context / "lab" / "socket"))
        (context / ".git" / "objects").mkdir(parents=True)
        (context / ".git" / "config").write_text("[remote]")
        (context / "lab" / ".git").write_text("gitdir: /elsewhere")
        (context / "lab" / "__pycache__").mkdir()
        assert set(packed(context)) == {odd, "Dockerfile", "lab", "lab/start"}


def test_archive_is_roots_in_the_order_of_names_and_without_special_bits(context):
    (context / "lab" / "start").chmod(0o6755)
    (context / "a").write_text("")
    if os.getuid() == 0:
        os.chown(context / "a", 12345, 54321)
    out = io.BytesIO()
    write_context(str(context), out)
    with tarfile.open(fileobj=io.BytesIO(out.getvalue())) as archive:
        found = archive.getmembers()
    assert [each.name for each in found] == ["Dockerfile", "a", "lab", "lab/start"]
    assert {(each.uid, each.gid, each.uname) for each in found} == {(0, 0, "")}
    assert [oct(each.mode) for each in found][-1] == "0o755"


def test_dockerignore_is_honored_with_its_exceptions(context):
    (context / "data" / "deep").mkdir(parents=True)
    for name in ("data/big", "data/deep/keep", "lab/a.tmp", "b.tmp", "secret"):
        (context / name).write_text("x")
    before = context_hash(str(context), {})
    (context / ".dockerignore").write_text("# no comment\n**/*.tmp\n/data\n!data/deep/keep\nsecret\nDockerfile\n")
    assert set(packed(context)) == {".dockerignore", "Dockerfile", "data/deep/keep", "lab", "lab/start"}
    after = context_hash(str(context), {})
    assert after != before
    (context / "secret").write_text("another")
    assert context_hash(str(context), {}) == after


@pytest.mark.security("H2")
def test_dockerignore_is_no_link_to_a_secret_and_does_not_keep_this_computer_busy(context, outside):
    (context / ".dockerignore").symlink_to(outside / ".ssh" / "id_ed25519")
    with pytest.raises(LabError, match=r"\.dockerignore cannot be read"):
        packed(context)
    (context / ".dockerignore").unlink()
    (context / ("a" * 200)).write_text("")
    (context / ".dockerignore").write_text("*a*a*a*a*a*a*a*a*a*a*a*a*b\n")
    with pytest.raises(LabError, match="too many patterns or stars"):
        packed(context)


@pytest.mark.security("C5")
@pytest.mark.skipif(os.getuid() != 0, reason="becomes somebody else")
def test_file_that_may_not_be_read_is_named_in_a_sentence(context):
    (context / "lab" / "start").chmod(0)
    for folder in context.parents:
        if folder.stat().st_mode & 0o777 == 0o700:
            folder.chmod(0o755)
    child = os.fork()
    if child == 0:
        try:
            os.setresuid(65534, 65534, 65534)
            check_context(str(context))
        except LabError as error:
            os._exit(0 if error.why == "This account may not read lab/start in it." else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
