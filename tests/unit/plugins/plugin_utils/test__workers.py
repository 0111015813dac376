# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import json
import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._common.humanize import GIB
from ansible_collections.desi.lab.plugins.module_utils._common.names import BadAnswer
from ansible_collections.desi.lab.plugins.plugin_utils import _workers as workers

ENGINE = {"memory": 16 * GIB, "cpus": 8}
OURS = ["/usr/bin/tini", "--", "/usr/bin/python3", "-I", "/usr/local/lib/desi-lab"]
SERVER = {
    "Name": "/desi-lab-desi",
    "Image": "sha256:1",
    "Config": {
        "Entrypoint": OURS,
        "User": "1000:1001",
        "Env": ["DESI_RELEASE=edr", "JUPYTER_PORT=8888", "JUPYTER_TOKEN=x", "API_SECRET=x", "PATH=/opt/bin", "EMPTY="],
    },
    "HostConfig": {"Binds": ["/work:/home/synced", "/data:/home/desidata:ro,rslave"], "GroupAdd": None, "Init": None},
}
THEIRS = {
    **SERVER,
    "Config": {
        **SERVER["Config"],
        "Entrypoint": ["tini", "-g", "--", "start.sh"],
        "User": "",
        "Env": [*SERVER["Config"]["Env"], "NB_UID=1000", "NB_GID=100", "DASK_ROOT_CONFIG=/srv/conda/etc"],
    },
}
INSIDE = workers.Inside(
    {"dask": "1"}, {"DESI_ROOT": "/home/desidata/edr", "PATH": "/opt/conda/bin", "HOSTNAME": "x", "_": "x"}
)
VERSIONS = {"python": "3.11", "dask": "2026.8.0", "distributed": "2026.8.0"}


@pytest.mark.parametrize(
    ("engine", "memory", "lab_memory", "made_with", "expected"),
    [
        # 15 GiB for the lab and 8 workers.
        (ENGINE, "", "", 0, (1706 * 2**20, 8)),
        (ENGINE, "4GiB", "", 0, (4 * GIB, 3)),
        (ENGINE, "2GiB", "8GiB", 0, (2 * GIB, 3)),
        (ENGINE, "2GiB", "16GiB", 0, (2 * GIB, 0)),
        # Workers that exist go on with what they have.
        (ENGINE, "", "", 3 * GIB, (3 * GIB, 4)),
        (ENGINE, "2GiB", "", 3 * GIB, (2 * GIB, 7)),
        ({"memory": 256 * GIB, "cpus": 64}, "", "", 0, (4017 * 2**20, 64)),
        ({"memory": 256 * GIB, "cpus": 8}, "", "", 0, (4 * GIB, 63)),
        ({"memory": 2 * GIB, "cpus": 1}, "", "", 0, (GIB, 0)),
        ({}, "", "", 0, (GIB, 0)),
    ],
)
def test_worker_has_a_share_of_the_memory_whatever_their_number(engine, memory, lab_memory, made_with, expected):
    assert workers.worker_resources(engine, memory, lab_memory, made_with) == expected


@given(st.integers(1, 2**42), st.integers(1, 512))
def test_workers_that_fit_and_the_lab_take_no_more_than_there_is(memory, cpus):
    each, fitting = workers.worker_resources({"memory": memory, "cpus": cpus})
    assert GIB <= each <= 4 * GIB
    assert each * fitting + GIB <= memory or fitting == 0


@pytest.mark.parametrize(
    ("number", "engine", "do"),
    [
        (4, {"memory": 8 * GIB, "cpus": 2}, "Say -e lab_workers=2, or give each less memory"),
        (1, {"memory": 2 * GIB, "cpus": 2}, "Give each less memory"),
        (2, {"memory": 8 * GIB, "cpus": 2}, ""),
        (0, {"memory": 2 * GIB, "cpus": 2}, ""),
        # An engine that is not there yet has a computer that nobody knows.
        (200, {}, ""),
    ],
)
def test_more_workers_than_the_memory_allows_are_refused_with_the_number_that_fits(number, engine, do):
    resources = workers.worker_resources(engine)
    if not do:
        workers.check_room("desi", number, resources, engine)
        return
    with pytest.raises(LabError) as refused:
        workers.check_room("desi", number, resources, engine)
    assert refused.value.do.startswith(do)
    assert refused.value.what == f"The lab desi cannot have {number} worker{'s' * (number > 1)}."


def test_workers_are_told_with_what_they_may_take():
    assert workers.workers_text(2, 2 * GIB) == "2 workers, each with 1 processor and 2 GiB of memory"
    assert workers.workers_text(1, 1700 * 2**20) == "1 worker, each with 1 processor and 1.7 GiB of memory"


@pytest.mark.parametrize(
    ("server", "image", "why"),
    [
        ({}, VERSIONS, ""),
        ({**VERSIONS, "bokeh": "1"}, VERSIONS, ""),
        ({}, {"python": "3.11"}, "The image my-image does not have dask."),
        ({}, {**VERSIONS, "distributed": ""}, "The image my-image does not have distributed."),
        ({"python": "3.11", "dask": "1"}, VERSIONS, "The lab lacks distributed."),
        ({**VERSIONS, "distributed": "2025.1.0"}, VERSIONS, "distributed 2025.1.0 in the lab and 2026.8.0 in its"),
        ({**VERSIONS, "python": "3.12"}, VERSIONS, "python 3.12 in the lab and 3.11 in its image"),
    ],
)
def test_versions_that_do_not_fit_are_refused_with_both(server, image, why):
    error = workers.versions_error("my-image", server, image)
    assert (why in error.why) if why else error is None


@pytest.mark.parametrize(
    "answer",
    [
        *("", "[]", "{}", '{"versions": {}}', "nothing", '{"versions": [], "environment": {}}'),
        *('{"versions": {}, "environment": {}, "user": [0]}', '{"versions": {"a": "\\u001b"}, "environment": {}}'),
    ],
)
def test_answer_of_a_container_is_of_a_strict_type(answer):
    with pytest.raises((BadAnswer, ValueError)):
        workers.parse_inside(answer)


def test_names_of_variables_are_names():
    said = {"versions": {"dask": "1"}, "environment": {"A_1": "x", "BASH_FUNC_x%%": "y"}}
    assert workers.parse_inside(json.dumps(said)) == ({"dask": "1"}, {"A_1": "x"})


def test_worker_is_the_labs_container_with_another_command():
    made = workers.dask_container(SERVER, INSIDE, ["-m", "x"])
    assert made == {
        "image": "sha256:1",
        "user": "1000:1001",
        "groups": [],
        "init": False,
        "volumes": [*SERVER["HostConfig"]["Binds"], "desi-lab-desi-dask:/etc/dask:ro"],
        "env": {
            **workers.ALLOCATOR,
            "DESI_RELEASE": "edr",
            "PATH": "/opt/bin",
            "EMPTY": "",
            "DASK_ROOT_CONFIG": "/etc/dask",
        },
        "entrypoint": [],
        "command": ["python3", "-m", "x"],
    }
    assert workers.dask_container(SERVER, INSIDE, [], writable=True)["volumes"][-1] == "desi-lab-desi-dask:/etc/dask"


def test_worker_of_another_image_has_the_environment_of_its_notebooks_and_the_user_that_it_was_made_with():
    made = workers.dask_container(THEIRS, INSIDE, ["-m", "x"])
    assert (made["user"], made["entrypoint"], made["command"]) == ("1000:100", ["python3"], ["-m", "x"])
    assert made["env"] == {
        **workers.ALLOCATOR,
        "DESI_RELEASE": "edr",
        "DESI_ROOT": "/home/desidata/edr",
        "PATH": "/opt/conda/bin",
        "EMPTY": "",
        "NB_UID": "1000",
        "NB_GID": "100",
        "DASK_ROOT_CONFIG": "/etc/dask",
    }


@pytest.mark.parametrize(
    ("user", "env", "expected"),
    [
        ("1000:1001", ["NB_UID=7"], [1000, 1001]),
        ("7", [], [7, 7]),
        (None, ["NB_UID=1000", "NB_GID=100"], [1000, 100]),
        ("jovyan", ["NB_UID=1000", "NB_GID=100"], [1000, 100]),
        ("", ["NB_UID=$(id)"], [0, 0]),
    ],
)
def test_user_of_notebooks_is_the_one_that_the_container_was_made_with(user, env, expected):
    assert workers.user_of({"Config": {"User": user, "Env": env}}) == expected


def test_no_variable_leads_dask_to_another_configuration_than_the_labs():
    found = workers.worker_environment({"DASK_ROOT_CONFIG": "/srv", "DASK_CONFIG": "/x"}, {"DASK_A__B": "1"})
    assert found == {**workers.ALLOCATOR, "DASK_ROOT_CONFIG": "/etc/dask"}
    words = workers.scheduler_command()
    assert words[words.index("--protocol") + 1] == "tls"


@pytest.mark.security("M7")
@pytest.mark.parametrize("name", ["API_KEY", "db_pass", "GITHUB_PAT", "MYSQL_PWD", "hf_token", "AWS_SECRET_ACCESS_KEY"])
def test_no_secret_becomes_a_setting_of_a_worker(name):
    base = workers.worker_environment({}, {})
    assert workers.worker_environment({name: "hunter2"}, {name: "hunter2"}) == base
    url = {"DATABASE_URL": "postgres://ann:hunter2@db/x", "https_proxy": "http://ann:hunter@2/x@proxy"}
    assert workers.worker_environment({}, url) == base
    # What the server's container has as a setting is one already, and workers reach the network by it.
    assert workers.worker_environment(url, url) == {**base, **url}
    assert workers.worker_environment({}, {"SPECPROD": "loa"}) == {**base, "SPECPROD": "loa"}


@pytest.mark.parametrize(("number", "expected"), [(0, [1, 2, 10]), (2, [10]), (10, []), (12, [])])
def test_workers_beyond_a_number_are_those_with_the_highest(number, expected):
    names = ["desi-lab-a-b-worker-10", "desi-lab-a-b-worker-1", "desi-lab-a-b-worker-2", "desi-lab-a-b-worker-x"]
    rows = [{"name": name, "role": "worker"} for name in names] + [{"name": "desi-lab-a-b", "role": "server"}]
    assert workers.surplus_workers(rows, number) == [f"worker-{each}" for each in expected]
    assert workers.worker_names(2) == ["worker-1", "worker-2"]


def test_identity_is_good_for_both_sides_of_a_connection_and_for_nobody_else(tmp_path):
    (pem, fingerprint), (other, _other) = workers.new_identity("desi"), workers.new_identity("desi")
    mine, theirs = tmp_path / "mine.pem", tmp_path / "theirs.pem"
    mine.write_text(pem)
    theirs.write_text(other)
    assert len(fingerprint) == 64

    def context(side, trusts):
        made = ssl.create_default_context(side, cafile=trusts)
        made.load_cert_chain(mine)
        made.check_hostname, made.verify_mode = False, ssl.CERT_REQUIRED
        # What newer versions of Python ask for by default.
        made.verify_flags |= ssl.VERIFY_X509_STRICT
        return made

    def shake_hands(client_trusts):
        pipes = ssl.MemoryBIO(), ssl.MemoryBIO()
        server = context(ssl.Purpose.CLIENT_AUTH, mine).wrap_bio(pipes[0], pipes[1], server_side=True)
        client = context(ssl.Purpose.SERVER_AUTH, client_trusts).wrap_bio(pipes[1], pipes[0])
        for _turn in range(4):
            for side in (client, server):
                try:
                    side.do_handshake()
                except ssl.SSLWantReadError:
                    continue
        return client.version()

    assert shake_hands(mine) == "TLSv1.3"
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(theirs)


@pytest.mark.parametrize("link", [True, False])
def test_configuration_leads_to_the_scheduler_by_tls_alone(link):
    found = json.loads(workers.dask_config(link, 5))
    assert found["scheduler-address"] == "tls://scheduler:8786"
    distributed = found["distributed"]
    assert distributed["comm"]["require-encryption"] is True
    assert {distributed["comm"]["tls"][role]["cert"] for role in ("client", "scheduler", "worker")} == {
        "/etc/dask/desi-lab.pem"
    }
    assert distributed["worker"]["memory"]["max-spill"] == 5
    assert ("dashboard" in distributed) is link
    # It would open WebSockets to any host.
    assert "distributed.http.proxy" not in distributed["scheduler"]["http"]["routes"]


def test_worker_has_one_thread_its_memory_and_a_place_to_spill():
    words = workers.worker_command("worker-2", 7)
    assert words[words.index("--nthreads") + 1] == "1"
    assert words[words.index("--memory-limit") + 1] == "7"
    assert words[words.index("--local-directory") + 1] == "/tmp/dask"  # noqa: S108 - read, not used
    assert words[-1] == "tls://scheduler:8786"


def test_worker_on_a_machine_of_its_own_is_reached_at_its_address():
    second = workers.remote_worker("desi", 2, GIB, "i-7", "10.0.0.7")
    assert (second["name"], second["ports"]) == ("desi-lab-desi-worker-2", ["10.0.0.7:9001:9001"])
    options = second["command"]
    assert options[options.index("--name") + 1] == "i-7-2"
    assert options[options.index("--listen-address") + 1] == "tls://0.0.0.0:9001"
    assert options[options.index("--contact-address") + 1] == "tls://10.0.0.7:9001"
    assert "--no-nanny" in options
    made = workers.dask_container(SERVER, INSIDE, options, source="/var/lib/desi-lab/dask/desi")
    assert made["volumes"][-1] == "/var/lib/desi-lab/dask/desi:/etc/dask:ro"


@pytest.mark.parametrize(
    ("memory", "number", "given", "expected"), [(16 * GIB, 4, "", 15 * GIB // 4), (16 * GIB, 4, "2GiB", 2 * GIB)]
)
def test_machine_of_workers_is_shared_among_them(memory, number, given, expected):
    assert workers.memory_of_each(memory, number, given) == expected
