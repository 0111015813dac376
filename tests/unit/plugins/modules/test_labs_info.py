# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import errno
import hashlib
import json
import os
import shlex
import socket
import subprocess
import threading
import urllib.request
from pathlib import Path

import pytest
from fake_engine import BANNER, INFO, TOKEN, container, drop_by_drop, fake_engine, never
from loopback import free_port

from ansible_collections.desi.lab.plugins.module_utils._common.privileges import as_owner
from ansible_collections.desi.lab.plugins.module_utils._docker.api import DENIED
from ansible_collections.desi.lab.plugins.module_utils._jupyter import host as jupyter_host
from ansible_collections.desi.lab.plugins.module_utils._jupyter.host import take_inventory
from ansible_collections.desi.lab.plugins.module_utils._lab import probe as lab_probe
from ansible_collections.desi.lab.plugins.modules import labs_info

LOOPBACK = "127.0.0.1"


@pytest.fixture
def run(call, tmp_path):
    def run_module(**arguments):
        code, result = call(labs_info, **{"mounts": str(tmp_path / "mounts"), **arguments})
        assert code == 0
        return result

    return run_module


@pytest.fixture
def engine(program, monkeypatch):
    """An engine at a socket, and a docker command that nobody is to run."""
    for name in ("docker", "dockerd"):
        program(name, "echo unexpected >&2\nexit 64")
    with fake_engine() as made:
        monkeypatch.setenv("DOCKER_HOST", made.endpoint)
        yield made


def mount(folder, *entries):
    for name in entries:
        (folder / ".bucket" / name).mkdir(parents=True)
    (folder / ".bucket").mkdir(parents=True, exist_ok=True)
    return folder


@pytest.mark.parametrize("check_mode", [False, True])
def test_host_without_labs_has_none(run, engine, check_mode):
    result = run(_ansible_check_mode=check_mode)
    assert not result["changed"]
    assert (result["engine"], result["reason"], result["user"]["uid"]) == (True, "", os.getuid())
    assert (result["docker"]["version"], result["docker"]["endpoint"]) == ("28.2.2", engine.endpoint)
    empty = ("labs", "containers", "networks", "mounts", "server")
    assert [len(result[key]) for key in empty] == [0] * len(empty)


def test_labs_are_told_by_name_with_all_that_belongs_to_them(run, engine, tmp_path, jupyter):
    used = mount(tmp_path / "mounts" / "desidata-1", "edr")
    unused = mount(tmp_path / "mounts" / "other-2")
    (tmp_path / "mounts" / "notes.txt").touch()
    server = jupyter()
    engine.containers = [
        container("zeta", "a1", running=False, port=9),
        container("desi", "b2", port=server.port, labels={"desi.lab.mount": str(used)}),
        container("desi", "c3", role="sample", port=8333),
    ]
    engine.networks = [
        {"Name": f"desi-lab-{name}", "Labels": {"desi.lab.name": name}, "Driver": "bridge"} for name in ("desi", "zeta")
    ]
    engine.images = [{"Id": "sha256:2", "RepoTags": ["desi-lab:1"]}, {"Id": "sha256:3", "RepoTags": None}]
    quiet, result = run(ask=False), run()
    rows = [
        [(lab["name"], lab["state"], lab["mount_answers"], lab["server_answers"]) for lab in each["labs"]]
        for each in (quiet, result)
    ]
    assert rows == [
        [("desi", "running", None, None), ("zeta", "exited", None, None)],
        [("desi", "running", True, True), ("zeta", "exited", None, None)],
    ]
    assert [lab["image_newer"] for lab in result["labs"]] == [True, True]
    assert [path for path, _headers in server.asked] == ["/api"]
    rows = [
        ("zeta", "server", False, "exited"),
        ("desi", "server", True, "running"),
        ("desi", "sample", True, "running"),
    ]
    keys = ("lab", "role", "running", "state")
    assert [tuple(each[key] for key in keys) for each in result["containers"]] == rows
    assert result["containers"][2]["name"] == "desi-lab-desi-sample"
    assert result["networks"] == [{"name": "desi-lab-desi", "lab": "desi"}, {"name": "desi-lab-zeta", "lab": "zeta"}]
    assert result["mounts"] == [
        {"path": str(used), "labs": ["desi"], "made_for": []},
        {"path": str(unused), "labs": [], "made_for": []},
    ]
    assert "SECRET" not in json.dumps(result)


@pytest.mark.parametrize(
    ("user", "uid", "others"),
    [
        ("71234:71234", 71235, {"desi": "71234"}),
        ("71235:71235", 71235, {}),
        # Of an image that says it, of one that mounts by itself, and whatever root looks at.
        ("", 71235, {}),
        ("root", 71235, {}),
        ("71234:71234", 0, {}),
    ],
)
def test_labs_of_other_users_are_told(run, engine, monkeypatch, user, uid, others):
    engine.containers = [container("desi", "a1")]
    engine.containers[0]["Config"]["User"] = user
    monkeypatch.setattr(labs_info, "invoking_user", lambda: {"uid": uid})
    assert run(ask=False)["others"] == others


def test_container_that_was_made_of_a_labs_image_is_no_part_of_the_lab(run, engine):
    engine.containers = [
        container("desi", "a1", name="a-copy", port=1),
        container("desi", "a2", role="sample", name="desi-lab-desirable"),
        container("desi", "a4", role="mounter", name="desi-lab-mount-lab-desi"),
        container("desi", "b2", port=9999, labels={"desi.lab.version": "9", "desi.lab.role": "server"}),
        container("desi", "c3", role="of another version"),
        container("desi", "d4", name="desi-lab-desi-old", running=False),
        container("desi", "e5", name="desi-lab-desi-before-2026"),
        container("desi", "f6", name="desi-lab-desi-sample"),
    ]
    result = run(url="desi", ask=False)
    assert result["server"].pop("container")["Id"] == "b2" * 32
    assert result["server"] == {
        "url": f"http://127.0.0.1:9999/lab?token={TOKEN}",
        "error": {},
        "network": "",
        "dask": None,
        "foreign": [],
    }
    assert [each["name"] for each in result["containers"]] == [
        "desi-lab-mount-lab-desi",
        "desi-lab-desi",
        "desi-lab-desi-of another version",
    ]
    assert [lab["port"] for lab in result["labs"]] == [9999]


def test_container_whose_replacement_was_interrupted_is_its_lab_until_another_has_the_name(run, engine):
    left = container("desi", "b2", running=False, port=9, name="desi-lab-desi-before")
    # A lab of 0.1.0 could have such a name.
    other = container("zeta-before", "c3", running=False, name="desi-lab-zeta-before")
    engine.containers = [left, other]
    result = run(url="desi", ask=False)
    assert [(lab["name"], lab["state"]) for lab in result["labs"]] == [("desi", "exited"), ("zeta-before", "exited")]
    assert result["server"]["container"]["Id"] == left["Id"]
    error = result["server"]["error"]
    assert error["why"] == "It was being replaced when that was interrupted. Starting it puts it back as it was."
    assert error["do"] == "Start it: ./lab start -e lab_name=desi"
    assert run(url="zeta", ask=False)["server"]["container"] == {}
    foreign = container("", "d4", name="desi-lab-desi", labels={"desi.lab.role": ""})
    engine.containers = [left, foreign]
    assert run(url="desi", verify=True, timeout=0)["server"]["container"]["Id"] == foreign["Id"]
    engine.containers = [left, container("desi", "e5", port=9)]
    result = run(url="desi", ask=False, timeout=0)
    assert result["server"]["container"]["Id"] == "e5" * 32
    assert [lab["state"] for lab in result["labs"]] == ["running"]


def test_server_is_verified_by_its_token_and_its_container_by_a_listing_of_the_release(run, engine, jupyter, tmp_path):
    server, (ca, none) = jupyter(token=TOKEN), (tmp_path / "ca.crt", tmp_path / "none")
    ca.write_text("a certificate")
    engine.containers = [container("desi", "b2", port=server.port, labels={"desi.lab.inside": "/home/desidata"})]
    about = {"url": "desi", "verify": True, "folder": str(tmp_path), "authorities": [str(none), str(ca)]}
    result = run(**about)
    assert (result["server"]["accepts_token"], result["server"]["sees_data"]) == (True, True)
    assert engine.runs == [["ls", "/home/desidata/edr/"]]
    shared = {"exists": True, "isdir": True, "uid": os.getuid(), "gid": os.getgid(), "mode": "0700", "writeable": True}
    assert result["folder"].pop("place")["mount"]
    assert result["folder"] == shared
    assert result["server"]["network"] == ""
    checksum = hashlib.sha1(b"a certificate").hexdigest()  # noqa: S324 - as Ansible's stat has it
    assert result["authorities"] == {"path": str(ca), "checksum": checksum}
    assert "SECRET" not in json.dumps(result)
    engine.exit_code, engine.logs = 2, {"b2" * 32: BANNER.replace(TOKEN, "f00d" * 12)}
    result = run(**{**about, "folder": str(ca), "authorities": [str(none)]})
    assert (result["server"]["accepts_token"], result["server"]["sees_data"]) == (False, False)
    assert (result["folder"]["isdir"], result["authorities"]) == (False, {"path": "", "checksum": ""})


KERNEL, HERE = Path(jupyter_host.KERNEL).read_text().strip(), "here"


@pytest.mark.parametrize(
    ("exit_code", "says", "sees"),
    [
        (0, ["listed", KERNEL, HERE], (True, True)),
        # It was deleted and made again, or another disk is mounted there.
        (0, ["listed", KERNEL, "64768:11"], (True, False)),
        # The engine of Docker Desktop, whose numbers are its own.
        (0, ["listed", "another", "64768:11"], (True, True)),
        # An image without stat, without all of it, and one that knows no such format.
        (0, ["listed", KERNEL], (True, True)),
        (0, ["listed"], (True, True)),
        (0, ["listed", KERNEL, "File:", "/home/synced"], (True, True)),
        # Without a shell it is listed without one.
        (0, [], (True, True)),
        (2, [], (False, True)),
        (0, None, (True, True)),
    ],
)
def test_container_of_a_running_lab_has_the_folder_that_is_there_now(
    run, engine, jupyter, tmp_path, monkeypatch, exit_code, says, sees
):
    server, about = jupyter(token=TOKEN), tmp_path.stat()
    labels = {"desi.lab.inside": "/home/desidata", "desi.lab.folder": str(tmp_path)}
    engine.containers, engine.exit_code = [container("desi", "b2", port=server.port, labels=labels)], exit_code
    monkeypatch.setattr(jupyter_host, "PROBE_SECONDS", 1.0)

    def start(handler):
        if says is None and handler.server.runs[-1][0] == "sh":
            # The folder in the container is on a server that is gone.
            never(handler)
        text = "\n".join(says or []).replace(HERE, f"{about.st_dev}:{about.st_ino}").encode()
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(b"\1\0\0\0" + len(text).to_bytes(4, "big") + text)

    engine.answers["/exec/e1/start"] = start
    result = run(url="desi", verify=True)["server"]
    assert (result["sees_data"], result["sees_folder"]) == sees
    assert len(engine.runs) == (1 if says else 2)


def test_shell_in_a_container_lists_and_tells_of_its_folder_in_one_go(tmp_path):
    about = tmp_path.stat()
    for release, tells in [(tmp_path, True), (tmp_path / "none", False)]:
        look = ["sh", "-c", jupyter_host._LOOK, "sh", f"{release}/", jupyter_host.KERNEL, str(tmp_path)]
        said = subprocess.run(look, capture_output=True, text=True, check=False).stdout.split()
        assert said == (["listed", KERNEL, f"{about.st_dev}:{about.st_ino}"] if tells else [])


@pytest.mark.parametrize("number", [errno.EACCES, errno.ELOOP, errno.ENOTCONN, errno.ESTALE, errno.EIO])
def test_folder_that_cannot_be_looked_at_is_not_said_to_be_missing(run, engine, tmp_path, monkeypatch, number):
    (tmp_path / "loop").symlink_to("loop")
    assert run(folder=str(tmp_path / "loop"))["folder"]["problem"] == os.strerror(errno.ELOOP)
    (tmp_path / "file").touch()
    for missing in ("none", "file/below"):
        assert run(folder=str(tmp_path / missing))["folder"] == {"exists": False, "isdir": False}
    stat = Path.stat

    def fail(path, **more):
        if path == tmp_path / "far":
            raise OSError(number, os.strerror(number))
        return stat(path, **more)

    monkeypatch.setattr(Path, "stat", fail)
    told = {"exists": False, "isdir": False, "problem": os.strerror(number)}
    assert run(folder=str(tmp_path / "far"))["folder"] == told


def test_dollar_in_a_path_is_a_letter_of_it(run, engine, tmp_path):
    (tmp_path / "$HOME").mkdir()
    assert run(folder=str(tmp_path / "$HOME"))["folder"]["isdir"]
    data = {"path": str(tmp_path / "$HOME"), "release": "edr", "releases": {"edr": {"specprod": "fuji"}}}
    assert run(data=data)["layout"]["what"] == f"The folder {tmp_path}/$HOME holds no DESI data."


def test_layout_of_data_is_told_or_why_there_is_none(run, engine, tmp_path, monkeypatch):
    (tmp_path / "edr" / "spectro" / "redux" / "fuji").mkdir(parents=True)
    data = {"path": str(tmp_path), "release": "edr", "releases": {"edr": {"specprod": "fuji"}}}
    layout = run(data=data)["layout"]
    assert (layout["kind"], layout["binds"][0]["source"]) == ("releases", str(tmp_path))
    assert layout["place"]["mount"]
    assert run()["layout"] == {}
    layout = run(data={**data, "path": str(tmp_path / "missing")})["layout"]
    assert layout["failed"] and all(layout[key] for key in ("what", "why", "do"))
    monkeypatch.setattr(labs_info, "LAYOUT_SECONDS", 1.0)
    monkeypatch.setattr(labs_info, "layout_of", lambda _data: threading.Event().wait(30))
    layout = run(data=data)["layout"]
    assert (layout["failed"], layout["why"]) == (True, "It gave no answer within 1 seconds.")


def test_port_is_told_unless_it_is_that_of_the_lab_itself(run, engine):
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert run(port=port)["port"]["free"] is False
        engine.containers = [container("desi", "b2", port=port), container("other", "c3", port=port)]
        assert run(url="desi", ask=False, port=port, timeout=0)["port"] == {}
        engine.containers = [container("desi", "b2", port=port, running=False)]
        assert run(url="desi", ask=False, port=port, timeout=0)["port"]["listener"]
    assert run(port=free_port())["port"]["free"] is True
    assert run(port=70000)["port"]["what"] == "70000 is not a port."


def test_workers_of_a_lab_are_told_with_what_their_scheduler_says(run, engine):
    made_for, shows = "b2" * 32, "c" * 64
    labels = {"desi.lab.server": made_for, "desi.lab.certificate": shows}
    engine.containers = [
        container("desi", "b2"),
        container("desi", "a1", role="scheduler", labels=labels),
        container("desi", "a2", role="worker", name="desi-lab-desi-worker-1", labels=labels),
        container("desi", "a3", role="worker", name="desi-lab-desi-x", labels={"desi.lab.server": "$(x)"}),
    ]
    counts = json.dumps({"workers": 1, "processing": 2, "waiting": 3, "memory": 4}).encode()

    def say(handler):
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(b"\1\0\0\0" + len(counts).to_bytes(4, "big") + counts)

    engine.answers["/exec/e1/start"] = say
    names = ("desi-lab-desi-scheduler", "desi-lab-desi-worker-1", "desi-lab-desi-worker-2", "desi-lab-desi-x")
    listed = [{"Id": each["Id"], "Names": [f"/{name}"]} for name, each in zip(names, engine.containers, strict=True)]
    engine.answers["/containers/json"] = listed
    result = run(url="desi", verify=True)
    [row] = result["labs"]
    assert (row["workers"], row["dask"]) == (1, {"workers": 1, "processing": 2, "waiting": 3, "memory": 4})
    assert result["server"]["dask"] == row["dask"]
    assert result["server"]["foreign"] == ["desi-lab-desi-worker-2"]
    told = {each["name"]: (each["server"], each["certificate"]) for each in result["containers"]}
    assert told["desi-lab-desi-worker-1"] == (made_for, shows)
    assert told["desi-lab-desi-x"] == ("", "")


def test_what_has_the_names_of_a_lab_that_is_to_be_made_is_told(run, engine, tmp_path):
    engine.containers = [container("desi", name="desi-lab-zeta", labels={"desi.lab.name": ""})]
    engine.answers["/networks/desi-lab-zeta"] = {"Name": "desi-lab-zeta", "Labels": {}}
    engine.networks = [{"Name": "desi-lab-desi", "Labels": {"desi.lab.name": "desi"}}]
    server = run(url="zeta", ask=False, folder=str(tmp_path), timeout=0)["server"]
    assert (server["container"]["Name"], server["network"]) == ("/desi-lab-zeta", "foreign")
    server = run(url="desi", ask=False, folder=str(tmp_path), timeout=0)["server"]
    assert (server["container"], server["network"]) == ({}, "ours")


@pytest.mark.parametrize("answer", [{"/exec/e1/start": never}, {"/exec/e1/json": ["an", "answer"]}])
def test_container_that_gives_no_answer_to_a_command_does_not_see_its_data(run, engine, jupyter, monkeypatch, answer):
    monkeypatch.setattr(jupyter_host, "PROBE_SECONDS", 0.5)
    server = jupyter(token=TOKEN)
    engine.containers = [container("desi", "b2", port=server.port)]
    engine.answers.update(answer)
    result = run(url="desi", verify=True)
    assert (result["server"]["accepts_token"], result["server"]["sees_data"]) == (True, False)


@pytest.mark.parametrize(
    ("containers", "why"),
    [
        ([], "None of that name"),
        ([container("desi", running=False, port=1)], "It is stopped."),
        ([container("desi", port=1, State={"Running": True, "Status": "paused"})], "It is paused."),
        # What has its name and not its labels is somebody else's.
        ([container("other", name="desi-lab-desi", port=1)], "None of that name"),
        ([container("desi")], "publishes no port"),
    ],
)
def test_lab_without_a_url_is_told_with_the_reason(run, engine, containers, why):
    engine.containers = containers
    server = run(url="desi", ask=False)["server"]
    assert (server["url"], why in server["error"]["why"]) == ("", True)
    assert ("./lab start -e lab_name=desi" in server["error"]["do"]) == why.startswith("It is ")


def test_server_that_has_not_printed_its_url_yet_is_waited_for(run, engine):
    engine.containers, engine.logs = [container("desi", port=1)], {"a1" * 32: "starting\n"}
    server = run(url="desi", ask=False, timeout=0)["server"]
    assert (server["url"], "within 0 seconds" in server["error"]["what"]) == ("", True)
    engine.answers[f"/containers/{'a1' * 32}/logs"] = to_a_follower
    assert run(url="desi", ask=False)["server"]["url"].endswith(TOKEN)
    # Each question costs a part of a second.
    engine.answers.clear()
    engine.logs.clear()
    engine.asked.clear()
    assert run(url="desi", ask=False)["server"]["url"].endswith(TOKEN)
    assert len(engine.asked) <= 7, engine.asked


def to_a_follower(handler):
    """Tell of the URL only whoever follows the log."""
    handler.send_response(200)
    handler.end_headers()
    text = BANNER.encode() if handler.query["follow"] == ["1"] else b"starting\n"
    frame = b"\1\0\0\0" + len(text).to_bytes(4, "big") + text
    for at in range(0, len(frame), 5):
        handler.wfile.write(frame[at : at + 5])


def test_container_that_went_away_in_the_meantime_does_not_hide_the_others(run, engine):
    engine.containers = [container("desi", "a1"), container("gone", "b2")]
    engine.answers[f"/containers/{'b2' * 32}/json"] = None
    result = run(ask=False)
    assert result["engine"]
    assert [lab["name"] for lab in result["labs"]] == ["desi"]


@pytest.mark.parametrize(
    ("path", "answer", "reason"),
    [
        ("/info", never, "gave no answer within"),
        ("/networks", drop_by_drop, "gave no answer within"),
        (f"/containers/{'a1' * 32}/json", never, "gave no answer within"),
        ("/info", [1], "[1]"),
        ("/containers/json", b'[{"Id": "../../info"}]', "the id of a container is none"),
        ("/containers/json", b"[" + b'{"Id": "a"},' * 501 + b'{"Id": "a"}]', "sensible length"),
        (f"/containers/{'a1' * 32}/json", {"Config": {"Labels": [1]}}, "not an object"),
        (f"/containers/{'a1' * 32}/json", {"Name": "x" * 5000}, "sensible length"),
        ("/networks", b'"' + b"x" * (17 << 20) + b'"', "longer than"),
    ],
)
def test_engine_that_hangs_or_answers_nonsense_is_bounded_and_told(
    run, engine, monkeypatch, tmp_path, path, answer, reason
):
    monkeypatch.setattr(labs_info, "ENGINE_SECONDS", 0.5)
    mounted = mount(tmp_path / "mounts" / "m")
    engine.containers, engine.answers = [container("desi", port=1)], {path: answer}
    result = run(url="desi", ask=False)
    assert (result["engine"], reason in result["reason"]) == (False, True), result["reason"]
    assert (result["labs"], result["server"]["url"], len(result["mounts"])) == ([], "", 1)
    assert mounted.exists()


def test_label_that_is_none_or_huge_is_left_out(run, engine):
    engine.containers = [
        container("desi", "a1", labels={"desi.lab.text": "x" * 70_000, "desi.lab.image": 7, "other": "y" * 70_000})
    ]
    assert [(lab["name"], lab["data"], lab["image"]) for lab in run(ask=False)["labs"]] == [("desi", "", "")]


def test_mount_that_hangs_costs_its_own_time_and_hides_nothing(run, engine, monkeypatch, program):
    monkeypatch.setattr(lab_probe, "PATIENCE_SECONDS", 60)
    monkeypatch.setattr(labs_info, "PROBE_SECONDS", 0.3)
    program("ls", "exec /bin/sleep 2")
    engine.containers = [
        container("ann", "a1", labels={"desi.lab.mount": "/m"}),
        container("ben", "b2", labels={"desi.lab.mount": "/n"}),
    ]
    assert [lab["mount_answers"] for lab in run()["labs"]] == [False, False]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to act as another user")
def test_user_who_may_not_use_the_engine_is_told_so(engine, open_to_others):
    engine.socket_path.parent.chmod(0o755)
    engine.socket_path.chmod(0o600)
    with as_owner((65534, 65534)):
        found = take_inventory(5, with_images=False)
    assert (found.engine.denied, found.engine.answers, found.reason) == (True, False, DENIED)


def test_engine_that_is_not_there_leaves_the_mounts_and_its_reason(run, engine, monkeypatch, tmp_path):
    mounted = {"path": str(mount(tmp_path / "mounts" / "m")), "labs": [], "made_for": []}
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none")
    result = run()
    assert (result["engine"], result["reason"], result["docker"]["installed"]) == (False, "unexpected", True)
    assert (result["labs"], result["mounts"]) == ([], [mounted])
    monkeypatch.setenv("PATH", str(tmp_path))
    assert run()["reason"] == "The command docker is not installed."


def test_engine_with_tls_is_asked_by_the_command(run, engine, monkeypatch, program):
    info, inspected = (shlex.quote(json.dumps(each)) for each in (INFO, [container("desi")]))
    program(
        "docker",
        'case "$*" in\n'
        f"'info --format '*) echo {info} ;;\n"
        "'ps --all --quiet --filter label=desi.lab.name') echo a1 ;;\n"
        f"'container inspect a1') echo {inspected}; exit 1 ;;\n"
        "'network ls --filter label=desi.lab.name --format '*) echo desi-lab-desi desi ;;\n"
        "'image ls --no-trunc --format '*) echo sha256:2 desi-lab:1 ;;\n"
        '*) echo unexpected: "$*" >&2; exit 64 ;;\nesac',
    )
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:9")
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    result = run()
    assert (result["engine"], result["docker"]["endpoint"]) == (True, "tcp://127.0.0.1:9")
    assert [(lab["name"], lab["image_newer"]) for lab in result["labs"]] == [("desi", True)]
    assert result["networks"] == [{"name": "desi-lab-desi", "lab": "desi"}]
    assert engine.asked == []


def test_mount_answers_as_long_as_it_shows_something(tmp_path, monkeypatch, program):
    assert labs_info.mount_answers("") is None
    assert labs_info.mount_answers(str(mount(tmp_path / "full", "edr"))) is True
    assert labs_info.mount_answers(str(mount(tmp_path / "empty"))) is False
    assert labs_info.mount_answers(str(tmp_path / "gone")) is False
    # One that hangs.
    program("ls", "exec /bin/sleep 60")
    monkeypatch.setattr(lab_probe, "PATIENCE_SECONDS", 0.2)
    assert labs_info.mount_answers(str(tmp_path / "full")) is False


def test_server_answers_only_if_it_is_well_and_is_asked_directly(jupyter, listener, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://192.0.2.8:3128")
    for status, answers in ((200, True), (404, False), (500, False)):
        server = jupyter(answers={"/api": (status, {}, {})})
        assert labs_info.server_answers(LOOPBACK, server.port) is answers
    for greeting in (b"", b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 abc\r\n\r\n"):

        def greet(connection, greeting=greeting):
            with connection:
                connection.recv(4096)
                connection.sendall(greeting)

        assert labs_info.server_answers(LOOPBACK, listener(greet).port) is False
    assert labs_info.server_answers(LOOPBACK, free_port()) is False


def test_server_on_every_address_is_asked_on_this_computers_own(monkeypatch):
    asked = []

    class Opener:
        def open(self, url, timeout):
            asked.append(url)
            raise OSError

    monkeypatch.setattr(urllib.request, "build_opener", lambda *_: Opener())
    for address in ("0.0.0.0", "::", "::1", "192.0.2.7"):  # noqa: S104 - asked, not bound
        assert not labs_info.server_answers(address, 80)
    assert asked == [f"http://{host}:80/api" for host in ("127.0.0.1", "[::1]", "[::1]", "192.0.2.7")]
