# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The bucket as its container serves it. Needs the image; the role builds it."""

import subprocess
import time
import urllib.error
import urllib.request
import uuid

import pytest

pytestmark = pytest.mark.docker

IMAGE = "desi-lab-sample:0.1.0"
RIGHTS = ["--cap-drop", "ALL", "--security-opt", "no-new-privileges"]


def docker(*arguments):
    return subprocess.run(["docker", *arguments], check=True, capture_output=True, text=True).stdout.strip()


def ask(url, method="GET", body=None, **headers):
    request = urllib.request.Request(url, data=body, method=method, headers=headers)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def wait_until_served(url, seconds=30):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if ask(f"{url}/README.md")[0] == 200:
                return
        except OSError:
            pass
        time.sleep(0.1)
    pytest.fail(f"the bucket was not served within {seconds} s")


@pytest.fixture(scope="module", params=[["--read-only", "--tmpfs", "/tmp:size=64m"], []], ids=["read-only", "writable"])  # noqa: S108
def server(request):
    """Name and URL of a server as the role runs it, and as somebody might by hand."""
    if subprocess.run(["docker", "image", "inspect", IMAGE], check=False, capture_output=True).returncode:
        pytest.skip(f"the image {IMAGE} is not here")
    name = f"desi-lab-test-{uuid.uuid4().hex[:12]}"
    docker("run", "--detach", "--name", name, *RIGHTS, *request.param, "--publish", "127.0.0.1::8333", IMAGE)
    try:
        yield name
    finally:
        subprocess.run(["docker", "rm", "--force", "--volumes", name], check=False, capture_output=True)


@pytest.fixture
def bucket_url(server):
    url = f"http://{docker('port', server, '8333/tcp')}/desidata"
    wait_until_served(url)
    return url


def test_anybody_can_read_and_list(bucket_url):
    status, text = ask(f"{bucket_url}/edr/spectro/redux/fuji/tiles-fuji.csv")
    assert status == 200
    assert text.startswith(b"TILEID,SURVEY,PROGRAM,")
    path = "dr1/spectro/redux/iron/healpix/main/dark/230/23040/coadd-main-dark-23040.fits"
    assert ask(f"{bucket_url}/{path}", Range="bytes=0-8") == (206, b"SIMPLE  =")
    assert ask(f"{bucket_url}/edr/nothing")[0] == 404
    status, text = ask(f"{bucket_url}?list-type=2&delimiter=/")
    assert status == 200
    assert all(f"<Prefix>{name}/".encode() in text for name in ("edr", "dr1", "raw_spectro_data", "target"))


def test_nobody_can_write_or_delete(bucket_url):
    for method, path in (
        ("PUT", "/edr/README.md"),
        ("PUT", "/new"),
        ("PUT", "-new"),
        ("DELETE", "/edr/README.md"),
        ("DELETE", ""),
    ):
        assert ask(bucket_url + path, method, b"mine" if method == "PUT" else None)[0] == 403, (method, path)
    assert ask(f"{bucket_url}/edr/README.md")[1].startswith(b"# SYNTHETIC")
    body = b"<Delete><Object><Key>README.md</Key></Object></Delete>"
    assert b"AccessDenied" in ask(f"{bucket_url}?delete", "POST", body)[1]
    assert ask(f"{bucket_url}/README.md")[0] == 200


def test_nothing_but_s3_can_be_reached_from_outside_and_it_is_healthy_and_no_root(server, bucket_url):
    address = docker("inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", server)
    for port in (8080, 8888, 9333, 18080, 18888, 19333):
        with pytest.raises(OSError, match="refused"):
            ask(f"http://{address}:{port}/")
    assert docker("exec", server, "id", "-u") == "65534"
    docker("exec", server, "python3", "/usr/local/lib/desi-lab-sample/healthy")


def test_it_stops_at_once_and_serves_the_same_after_a_start(server, bucket_url):
    path = "/edr/spectro/redux/fuji/exposures-fuji.csv"
    before = ask(bucket_url + path)
    begun = time.monotonic()
    docker("stop", "--time", "30", server)
    assert time.monotonic() - begun < 5.0
    assert docker("inspect", "--format", "{{.State.ExitCode}}", server) == "0"
    docker("start", server)
    url = f"http://{docker('port', server, '8333/tcp')}/desidata"
    wait_until_served(url)
    assert ask(url + path) == before


def test_it_survives_a_crash_and_a_dead_server_ends_the_container_with_an_error(server, bucket_url):
    docker("kill", server)
    docker("start", server)
    wait_until_served(f"http://{docker('port', server, '8333/tcp')}/desidata")
    # As the same user, but with a capability less than root: the shell of the container may end its own processes.
    docker("exec", server, "sh", "-c", "kill -9 $(grep -l ^weed /proc/[0-9]*/comm | head -n 1 | tr -dc 0-9)")
    assert docker("wait", server) == "137"
    docker("start", server)
    wait_until_served(f"http://{docker('port', server, '8333/tcp')}/desidata")
