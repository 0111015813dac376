# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The container that serves the bucket: its port, where another run takes one that was found free, and whose it is."""

import http.server
import json
import os
import sys
import threading

import pytest
from fake_engine import container, fake_engine

TAKEN = "driver failed programming external connectivity: Bind for 127.0.0.1:{} failed: port is already allocated"


class Bucket(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"SYNTHETIC")

    def log_message(self, *_words):
        pass


@pytest.fixture
def bucket():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Bucket) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.fixture
def serve(play_tasks):
    """Serve the sample from a port on, where others have taken some; return the ports that were tried, too."""

    def run(first, taken, why=TAKEN, **more):
        tried, network = [], {"Id": "n1", "Name": "desi-lab-desi", "Containers": {}}
        with fake_engine() as engine:

            def answer(handler, status, content=None):
                handler.send_response(status)
                handler.end_headers()
                handler.wfile.write(json.dumps(content).encode() if content is not None else b"")

            def create(handler):
                asked = handler.asked
                [[binding]] = asked["HostConfig"]["PortBindings"].values()
                tried.append(int(binding["HostPort"]))
                number = f"{len(tried):02}"
                made = container("desi", number, "sample", False, tried[-1], Created="2026-11-29T00:00:00Z", Mounts=[])
                made["Config"] |= {key: value for key, value in asked.items() if key not in ("HostConfig", "Labels")}
                made["HostConfig"] = {"AutoRemove": False, **asked["HostConfig"]}
                engine.containers = [made]

                def start(handler):
                    if tried[-1] in taken:
                        answer(handler, 500, {"message": why.format(tried[-1])})
                        return
                    made["State"] |= {"Running": True, "Status": "running"}
                    answer(handler, 204)

                engine.answers[f"/containers/{made['Id']}/start"] = start
                answer(handler, 201, {"Id": made["Id"], "Warnings": []})

            engine.answers |= {
                "/containers/create": create,
                "/networks/create": {"Id": "n1"},
                "/images/sha256:1/json": {"Id": "sha256:1", "Config": {"Labels": {}}},
                "/networks/desi-lab-desi": network,
            }
            engine.networks = [network]
            engine.images = [{"Id": "sha256:1", "RepoTags": ["desi-lab-sample:0.1.0"]}]
            given = {
                "__sample_before": {"exists": False, "container": None},
                "__sample_free": {"next_free": first},
                "__sample_net_before": {"exists": False},
                "__jupyter_net": {"network": {"Containers": {}}},
                "sample_timeout": 2,
                "ansible_python_interpreter": sys.executable,
                **more,
            }
            include = {"include_role": {"name": "desi.lab.sample", "tasks_from": "serve", "public": True}}
            tell = {"desi.lab.report_step": {"name": "Chosen", "how": "at {{ __sample_chosen }}"}}
            code, shown = play_tasks([include, tell], given, DOCKER_HOST=engine.endpoint)
        return code, shown, tried

    return run


def test_port_that_another_run_takes_meanwhile_leads_to_the_next_one(serve, bucket):
    code, shown, tried = serve(bucket - 2, {bucket - 2, bucket - 1})
    assert code == 0, shown
    assert tried == [bucket - 2, bucket - 1, bucket]
    assert f"at {bucket}" in shown


@pytest.mark.parametrize(("first", "lab", "others"), [(-1, -1, []), (-2, -1, [-2])])
def test_port_of_the_lab_is_left_to_it(serve, bucket, first, lab, others):
    code, shown, tried = serve(bucket + first, {bucket - 2}, sample_lab_port=bucket + lab)
    assert tried == [*(bucket + each for each in others), bucket]
    assert (code, f"at {bucket}" in shown) == (0, True), shown


@pytest.mark.parametrize(("why", "tries"), [(TAKEN, 10), ("no space left on device", 1)])
def test_other_errors_and_ports_without_end_are_refused_with_what_was_said(serve, bucket, why, tries):
    code, shown, tried = serve(bucket + 1, range(65536), why)
    assert (code, len(tried)) == (2, tries), shown
    assert why.format(tried[-1]) in shown


@pytest.mark.parametrize(("labels", "refused"), [({}, True), ({"desi.lab.role": "server"}, True), (None, False)])
def test_container_of_somebody_else_with_that_name_is_refused_before_anything_is_made(play_tasks, labels, refused):
    made = container("desi", role="sample", running=False, port=8333, Mounts=[])
    if labels is not None:
        made["Config"]["Labels"] = labels
    include = {"include_role": {"name": "desi.lab.sample"}}
    given = {"ansible_python_interpreter": sys.executable, "image_base_is_ready": True, "sample_timeout": 0}
    with fake_engine() as engine:
        engine.containers = [made]
        code, shown = play_tasks([include], given, DOCKER_HOST=engine.endpoint)
        changes = engine.changes
    assert code == 2
    assert ("There is a container desi-lab-desi-sample that DESI Lab did not make." in shown) == refused, shown
    assert not refused or changes == []


@pytest.mark.parametrize(("there", "joins"), [(False, True), (True, False)])
def test_server_that_is_stopped_joins_a_network_again_that_was_gone(play_tasks, tmp_path, there, joins):
    (tmp_path / "docker").write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/ran\n[ "$1" != ps ] || echo a1\n')
    (tmp_path / "docker").chmod(0o755)
    known = {"exists": there, "network": {"Labels": {"desi.lab.name": "desi"}}}
    given = {
        "__sample_before": {"exists": True, "container": container("desi", role="sample", running=False, port=8333)},
        "__sample_net_before": known,
        "ansible_python_interpreter": sys.executable,
    }
    include = {"include_role": {"name": "desi.lab.sample", "tasks_from": "serve"}}
    with fake_engine() as engine:
        network = {"Id": "n1", "Name": "desi-lab-desi", "Containers": {}}
        engine.answers |= {"/networks/create": {"Id": "n1"}, "/networks/desi-lab-desi": network}
        play_tasks([include], given, DOCKER_HOST=engine.endpoint, PATH=f"{tmp_path}:{os.environ['PATH']}")
    ran = (tmp_path / "ran").read_text().splitlines() if joins else []
    assert (tmp_path / "ran").exists() is joins
    assert ran[1:] == (
        ["network disconnect --force desi-lab-desi a1", "network connect desi-lab-desi a1"] if joins else []
    )
