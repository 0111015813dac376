# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import io
import json
import tarfile

import pytest
from fake_engine import TOKEN as ENGINES_TOKEN
from fake_engine import container, drop_by_drop, fake_engine
from jupyter_stand_in import TOKEN
from loopback import free_port

from ansible_collections.desi.lab.plugins.module_utils._jupyter import host
from ansible_collections.desi.lab.plugins.module_utils._jupyter.activity import activity_rows
from ansible_collections.desi.lab.plugins.module_utils._jupyter.loss import SHARE, layer_of, loss
from ansible_collections.desi.lab.plugins.module_utils._jupyter.notebook import EXECUTE, START
from ansible_collections.desi.lab.plugins.module_utils._jupyter.running_servers import QUERY
from ansible_collections.desi.lab.plugins.modules import jupyter_activity_info

HIDDEN = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"
SESSIONS = [
    {"path": "idle.ipynb", "kernel": {"execution_state": "idle"}},
    {"path": "busy.ipynb", "kernel": {"id": "b", "execution_state": "busy"}},
]


def url(server):
    return f"http://127.0.0.1:{server.port}/lab?token={TOKEN}"


@pytest.fixture
def ask(call):
    def run(url):
        code, result = call(jupyter_activity_info, url=url)
        assert (code, result.pop("changed"), result.pop("invocation", {}).get("module_args", {}).get("url")) in [
            (0, False, HIDDEN),
            (0, False, None),
        ]
        assert TOKEN not in json.dumps(result)
        return result

    return run


@pytest.mark.parametrize(
    ("sessions", "terminals", "kernels", "texts", "words"),
    [
        (SESSIONS, [{"name": "1"}], [], ["busy.ipynb", "idle.ipynb", "1"], "2 kernels and 1 terminal"),
        # A server may have no terminals.
        (SESSIONS, None, [], ["busy.ipynb", "idle.ipynb"], "2 kernels"),
        # A kernel that a program started has no session.
        (SESSIONS[1:], [], [{"id": "b"}, {"id": "c", "name": "ir"}], ["busy.ipynb", "ir"], "2 kernels"),
        ([], [], [], [], "what runs in it"),
    ],
)
def test_kernels_and_terminals_are_named_those_first_that_compute(
    jupyter, ask, sessions, terminals, kernels, texts, words
):
    answers = {"/api/sessions": (200, sessions, {}), "/api/kernels": (200, kernels, {})}
    answers |= {} if terminals is None else {"/api/terminals": (200, terminals, {})}
    result = ask(url(jupyter(answers=answers)))
    assert ([line["text"] for line in result["running"]], result["words"]) == (texts, words)
    assert not texts or "computes" in result["running"][0]["about"]


@pytest.mark.parametrize("answers", [{}, {"/api/sessions": (200, "what?", {})}, None])
def test_of_a_server_that_cannot_be_asked_nobody_knows(jupyter, ask, answers):
    there = f"http://127.0.0.1:{free_port()}/lab" if answers is None else url(jupyter(answers=answers))
    result = ask(there)
    assert [line["label"] for line in result["running"]] == ["server"]
    assert result["words"]


def test_a_session_without_a_notebook_is_named_somehow():
    found = activity_rows([{"kernel": {"id": "abc", "execution_state": "unheard-of"}}, {}], [])
    assert sorted(line["text"] for line in found) == ["a kernel", "abc"]
    assert loss("stop", True, found[:1], None).words == "1 kernel"


KERNEL = {"label": "kernel", "text": "a.ipynb", "about": ""}
LOSSES = [
    # ending, runs, activity, changed paths, asks, words
    ("stop", True, [KERNEL], [], True, "1 kernel"),
    ("stop", True, [], ["/home/ann/x"], False, ""),
    ("stop", False, [KERNEL], ["/home/ann/x"], False, ""),
    ("restart", True, [KERNEL], ["/home/ann/x"], True, "1 kernel"),
    ("replace", True, [KERNEL, KERNEL], ["/home/ann/x", "/srv/y"], True, "2 kernels and 2 files"),
    ("replace", False, [], [], False, ""),
    ("replace", False, [], ["/home/ann/x"], True, "1 file"),
    ("replace", False, [], None, True, "what runs in it"),
    ("remove", False, [], [], True, ""),
]


@pytest.mark.parametrize(("ending", "running", "activity", "paths", "asks", "words"), LOSSES)
def test_what_ends_or_is_lost_decides_who_has_to_agree(ending, running, activity, paths, asks, words):
    layer = None if paths is None else layer_of([{"Path": path, "Kind": 1} for path in paths])
    found = loss(ending, running, activity, layer)
    assert (found.asks, found.words) == (asks, words)


@pytest.mark.parametrize(
    ("path", "packages", "files"),
    [
        ("/opt/desi/lib/python3.11/site-packages/healpy-1.17.1.dist-info", ["healpy 1.17.1"], 0),
        ("/usr/lib/python3/dist-packages/old_one-2.egg-info", ["old_one 2"], 0),
        ("/opt/conda/conda-meta/py-sphviewer-1.0-py311_0.json", ["py-sphviewer 1.0"], 0),
        ("/var/lib/dpkg/info/libgsl27:amd64.list", ["libgsl27"], 0),
        ("/home/jovyan/results/z.fits", [], 1),
        ("/survey/z.fits", [], 1),
        # The start of a lab, caches, what has a name of its own for that, and what is bound in.
        ("/home/desi/scratch", [], 0),
        ("/home/desi/.local/share/jupyter/runtime/a.json", [], 0),
        ("/home/desi/__pycache__/a.pyc", [], 0),
        ("/var/z.fits", [], 0),
        ("/home/synced/z.fits", [], 0),
        ("/lib64/z.fits", [], 0),
    ],
)
def test_packages_and_files_are_told_apart_from_what_a_lab_writes_itself(path, packages, files):
    found = layer_of([{"Path": path, "Kind": 1}, {"Path": path.rpartition("/")[0], "Kind": 0}], ["/home/synced/"])
    assert (found.packages, len(found.files)) == (packages, files)


def test_of_many_some_are_named():
    layer = layer_of([{"Path": f"/home/ann/{name}", "Kind": 1} for name in range(7)])
    assert loss("replace", False, [], layer).rows[0]["text"].endswith("/home/ann/4 and 2 more")


@pytest.fixture
def engine(monkeypatch):
    with fake_engine() as made:
        monkeypatch.setenv("DOCKER_HOST", made.endpoint)
        yield made


PROGRAM = "def session(): ...\nsession(sys.argv[2])\n"


@pytest.mark.parametrize(
    ("words", "label", "text"),
    [
        (["python3", "-c", START, "8000", "fit all.ipynb"], "notebook", "fit all.ipynb"),
        # Earlier versions start it otherwise, and 0.1.0 gives no name.
        (["python3", "-c", f"import sys; {EXECUTE}", "8000", "fit all.ipynb"], "notebook", "fit all.ipynb"),
        (["python3", "-c", START, "8000"], "notebook", "of ./lab run"),
        (["python3", "-I", "-c", PROGRAM, "session", "/home/synced"], "shell", "of ./lab shell"),
        (["python3", "-I", "-c", PROGRAM, "session", "/home/synced", "python", "fit.py"], "shell", "python fit.py"),
        (["bash"], "command", "bash"),
        (["/usr/bin/python3", "-I", "/healthcheck.py"], None, ""),
        (QUERY, None, ""),
        (["ls", "/data/edr/"], None, ""),
    ],
)
def test_a_command_in_the_container_that_is_somebodys_is_named(call, engine, jupyter, words, label, text):
    none = {f"/api/{what}": (200, [], {}) for what in ("sessions", "kernels", "terminals")}
    made = container("desi", port=jupyter(answers=none, token=ENGINES_TOKEN).port, ExecIDs=["c0", "c1"])
    made["Config"]["Healthcheck"] = {"Test": ["CMD", "/usr/bin/python3", "-I", "/healthcheck.py"]}
    engine.containers = [made]
    config = {"entrypoint": words[0], "arguments": list(words[1:])}
    engine.answers = {
        "/exec/c0/json": {"Running": False, "ProcessConfig": config},
        "/exec/c1/json": {"Running": True, "ProcessConfig": config},
    }
    code, result = call(jupyter_activity_info, container="desi-lab-desi")
    rows = [(row["label"], row["text"]) for row in result["running"] if row["label"] != "server"]
    assert (code, rows) == (0, [(label, text)] if label else [])


@pytest.mark.parametrize("ending", ["stop", "replace"])
def test_of_an_engine_that_is_slow_nobody_knows_what_ends(call, engine, monkeypatch, ending):
    monkeypatch.setattr(host, "PROBE_SECONDS", 0.1)
    engine.answers["/containers/desi-lab-desi/json"] = drop_by_drop
    code, result = call(jupyter_activity_info, container="desi-lab-desi", ending=ending)
    assert (code, [row["label"] for row in result["running"]], result["asks"]) == (0, ["server"], True)


def notebook(source, **more):
    cells = [{"cell_type": "code", "id": "a", "source": [source], **more}]
    return json.dumps({"cells": cells, "metadata": {}}, indent=1).encode()


def tar(files):
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return made.getvalue()


GIVEN = {"home/welcome.ipynb": notebook("x = 1"), "home/examples/fit.py": b"fit"}
BANNER = {"cell_type": "markdown", "id": "synthetic", "source": ["Made up."]}
WITH_BANNER = json.dumps({"cells": [BANNER, *json.loads(notebook("x = 1"))["cells"]]}).encode()


@pytest.mark.parametrize(
    ("path", "data", "lost"),
    [
        ("welcome.ipynb", notebook("x = 1", outputs=["1"], execution_count=3), False),
        ("welcome.ipynb", WITH_BANNER, False),
        ("welcome.ipynb", notebook("x = 2"), True),
        ("welcome.ipynb", b"mine", True),
        ("welcome.ipynb", None, True),
        ("examples/fit.py", b"fit", False),
        ("examples/fit.py", b"fit better", True),
        ("mine/fit.py", b"fit", True),
    ],
)
def test_a_file_of_the_image_is_somebodys_once_it_is_changed(call, engine, path, data, lost):
    def archive(handler):
        (asked,) = handler.query["path"]
        files = {SHARE: GIVEN, f"/home/desi/{path}": data and {path.rpartition("/")[2]: data}}
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(tar(files[asked]) if files[asked] else b"no archive")

    engine.containers = [container("desi", running=False)]
    engine.answers = {
        f"/containers/{'a1' * 32}/changes": [{"Path": f"/home/desi/{path}", "Kind": 1}],
        f"/containers/{'a1' * 32}/archive": archive,
    }
    code, result = call(jupyter_activity_info, container="desi-lab-desi", ending="replace")
    named = [row["text"] for row in result["running"]]
    assert (code, named, result["asks"]) == (0, [f"/home/desi/{path}"] if lost else [], lost)


def test_without_an_engine_nothing_ends(call, monkeypatch, tmp_path):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none")
    code, result = call(jupyter_activity_info, container="desi-lab-desi", ending="replace")
    assert (code, result["running"], result["asks"]) == (0, [], False)
