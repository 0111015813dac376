# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From nothing to a lab on EC2 that reads the bucket, in all three ways, on both systems, and away again.

The tests of a class are the days of one lab, in order: each begins with what the one before has left.
"""

from __future__ import annotations

import base64
import json
import os
import ssl
import subprocess
import sys
import typing
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from labs import BIN, ROOT, Lab, allowed_actions, asked_actions, nothing_changed, url_in
from region.running import RunningRegion
from run_counts import above_bars

READ_COADD = """
import os
from pathlib import Path
import fitsio
healpix = Path(os.environ["DESI_SPECTRO_REDUX"], os.environ["SPECPROD"], "healpix")
with fitsio.FITS(healpix / "sv3/dark/269/26965/coadd-sv3-dark-26965.fits") as coadd:
    print(coadd["B_FLUX"].read().shape[1])
mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
place = Path(os.environ["DESI_ROOT"]).resolve()
mount = max((mount for mount in mounts if place.is_relative_to(mount[1])), key=lambda mount: len(mount[1]))
print(mount[2].split(".")[0], mount[3].split(",")[0])
Path("/home/synced/made-in-the-lab").write_text("kept")
"""


def read_in_notebook(url: str, certificate: Path | None = None) -> list[str]:
    """Read a coadd in a kernel of the lab, through the API that notebooks use, and return what it prints."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "molecule/shared/run_in_kernel.py")],
        input=READ_COADD,
        env={**os.environ, "JUPYTER_URL": url, "JUPYTER_CERTIFICATE": str(certificate or "")},
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def status_without_token(url: str) -> int:
    """Return how a server answers somebody who does not know the token."""
    parts = urlsplit(url)
    # Nothing is sent to it that is secret.
    context = ssl._create_unverified_context()  # noqa: S323 - as above
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    try:
        return opener.open(f"{parts.scheme}://{parts.netloc}/api/contents", timeout=20).status
    except urllib.error.HTTPError as error:
        return error.code


def rules(region, group: str) -> list[tuple]:
    """Return a group's rules as the console shows them: protocol, ports, source, description."""
    groups = region.client("ec2").describe_security_groups(Filters=[{"Name": "group-name", "Values": [group]}])
    return sorted(
        (rule["IpProtocol"], rule["FromPort"], rule["ToPort"], source["CidrIp"], source["Description"])
        for rule in groups["SecurityGroups"][0]["IpPermissions"]
        for source in rule["IpRanges"]
    )


def counted(region: RunningRegion, lab: Lab, before: tuple[int, int]) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the calls of the API and the logins on the machine since ``before``, and what to count from next."""
    calls = len(region.calls())
    # Which asks for the machine, and that call is the test's own.
    logins = lab.logins()
    return (calls - before[0], logins - before[1]), (len(region.calls()), logins)


SSH_ONLY = [("tcp", 22, 22, "127.0.0.1/32", "Allow SSH access to the instance")]
READS = ["2751", "fuse", "ro"]


class TestALabOnAmazonLinux:
    """Through a tunnel first, then openly."""

    NAME = "whole"
    SETTINGS: typing.ClassVar = {"lab_os": "amazon"}

    def test_check_mode_tells_the_plan_and_makes_nothing(self, lab):
        shown = lab.run("ec2.yml", "--check")
        assert "key pair" in shown
        assert "t2.micro" in shown
        assert "USD" in shown
        assert lab.left() == []
        assert not lab.folder.exists()

    def test_one_command_leads_from_nothing_to_a_lab_that_reads_the_bucket(self, lab, region):
        shown = lab.run("ec2.yml")
        url = url_in(shown)
        assert url.startswith(f"http://127.0.0.1:{lab.port}/")
        assert read_in_notebook(url) == READS
        assert status_without_token(url) == 403
        assert rules(region, "jupyter") == SSH_ONLY
        machine = lab.instances()[0]
        assert machine["MetadataOptions"]["HttpTokens"] == "required"
        assert machine["MetadataOptions"]["HttpPutResponseHopLimit"] == 1

    def test_a_second_run_changes_nothing_and_keys_are_never_in_what_is_shown(self, lab, region, tmp_path):
        assert (lab.folder / "id_ed25519").stat().st_mode & 0o777 == 0o600
        assert lab.folder.stat().st_mode & 0o777 == 0o700
        counts = tmp_path / "counts"
        _made, known = counted(region, lab, (0, 0))
        url = lab.url(counts)
        of_url, known = counted(region, lab, known)
        above = [above_bars("ec2, url", counts, *of_url)]
        shown = lab.run("ec2.yml", "-vvv", counts=counts)
        # It is a second run as well.
        assert nothing_changed(shown)
        of_run, _known = counted(region, lab, known)
        above.append(above_bars("ec2, nothing to change", counts, *of_run))
        assert above == ["", ""]
        assert url_in(shown) == url
        assert len(lab.instances()) == 1
        token = url.partition("token=")[2]
        assert shown.count(token) == 1
        assert "PRIVATE KEY" not in shown

    @pytest.mark.security("H8")
    def test_host_key_of_the_user_data_is_not_the_machines_any_more(self, lab, region):
        machine = lab.instances()[0]["InstanceId"]
        told = region.client("ec2").describe_instance_attribute(InstanceId=machine, Attribute="userData")
        data = base64.b64decode(told["UserData"]["Value"]).decode()
        handed = json.loads(data.partition("\n")[2])["ssh_keys"]["ed25519_public"]
        (pinned,) = (line.split() for line in (lab.folder / "known_hosts").read_text().splitlines())
        assert pinned[0] == machine
        assert pinned[1:] != handed.split()
        assert pinned[1:] == region.exec(machine, "cat", "/etc/ssh/ssh_host_ed25519_key.pub").stdout.split()[:2]
        assert not (lab.folder / "host_key").exists()
        # Whoever has lost what is pinned is not let into anything by itself.
        (lab.folder / "known_hosts").rename(lab.home / "lost")
        assert "-e lab_host_key=SHA256" in lab.refused("url")
        (lab.home / "lost").rename(lab.folder / "known_hosts")

    def test_any_ansible_works_on_it_by_its_tags(self, lab):
        command = [
            str(BIN / "ansible"),
            "-i",
            str(ROOT / "inventories/aws_ec2.yml"),
            "all",
            "-m",
            "ansible.builtin.ping",
        ]
        done = subprocess.run(command, env=lab.environment(), cwd=lab.home, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert f"desi-{lab.name}" in done.stdout

    def test_a_new_address_of_the_person_is_told_and_check_mode_changes_no_rule(self, lab, region):
        assert "127.0.0.1/32" in lab.run("ec2.yml", "--check", lab_allow_from=["127.0.0.0/8"])
        assert rules(region, "jupyter") == SSH_ONLY

    def test_direct_access_has_the_rules_of_the_hand_procedure_cell_by_cell(self, lab, region):
        shown = lab.run("ec2.yml", lab_access="direct")
        assert rules(region, "jupyter") == [
            ("tcp", 22, 22, "127.0.0.1/32", "Allow SSH access to the instance"),
            ("tcp", 443, 443, "127.0.0.1/32", "Allow HTTPS for Jupyter server"),
            ("tcp", lab.port, lab.port, "127.0.0.1/32", "Open TCP port for Jupyter server"),
        ]
        group = region.client("ec2").describe_security_groups(GroupNames=["jupyter"])["SecurityGroups"][0]
        assert [
            (rule["IpProtocol"], source["CidrIp"], source["Description"])
            for rule in group["IpPermissionsEgress"]
            for source in rule["IpRanges"]
        ] == [("-1", "0.0.0.0/0", "Allow instance to access the whole internet")]
        url = url_in(shown)
        assert url.startswith(f"http://{lab.instances()[0]['PublicIpAddress']}:{lab.port}/")
        assert read_in_notebook(url) == READS
        assert status_without_token(url) == 403

    def test_every_api_call_is_allowed_by_the_iam_policy(self, region):
        asked = asked_actions(region)
        assert asked
        assert asked <= allowed_actions()

    def test_down_leaves_nothing_of_the_lab_and_everything_else(self, lab, region):
        client = region.client("ec2")
        client.create_key_pair(KeyName=f"desi-lab-{lab.name}-2", KeyType="ed25519")
        group = client.create_security_group(GroupName=f"jupyter-{lab.name}", Description="another's")["GroupId"]
        try:
            shown = lab.run("down", lab_yes=True)
            assert "nothing is left" in shown
            assert lab.left() == []
            assert not lab.folder.exists()
            assert client.describe_key_pairs(KeyNames=[f"desi-lab-{lab.name}-2"])["KeyPairs"]
            assert client.describe_security_groups(GroupIds=[group])["SecurityGroups"]
        finally:
            client.delete_key_pair(KeyName=f"desi-lab-{lab.name}-2")
            client.delete_security_group(GroupId=group)

    def test_down_again_says_that_there_is_none_and_changes_nothing_at_aws(self, lab, region):
        region.forget_calls()
        shown = lab.run("down", lab_yes=True)
        assert "not on EC2" in shown
        assert "is not here" in shown
        # On this computer, labs of other tests may have left it the rule against link-local addresses to remove.
        assert {
            call["action"] for call in region.calls() if not call["action"].startswith(("Describe", "Get", "List"))
        } == set()


class TestALabOnUbuntu:
    """By TLS, with a certificate of the lab's own."""

    NAME = "sealed"
    SETTINGS: typing.ClassVar = {"lab_os": "ubuntu", "lab_access": "https"}

    def test_one_command_leads_to_a_lab_whose_certificate_is_shown_and_pinned(self, lab, region):
        shown = lab.run("ec2.yml")
        url = url_in(shown)
        address = lab.instances()[0]["PublicIpAddress"]
        assert url.startswith(f"https://{address}/")
        assert [rule[:2] for rule in rules(region, "jupyter")] == [("tcp", 22), ("tcp", 443)]
        served = ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate((address, 443)))
        fingerprint = ":".join(f"{byte:02X}" for byte in __import__("hashlib").sha256(served).digest())
        assert fingerprint in shown
        assert read_in_notebook(url, lab.folder / "tls/cert.pem") == READS
        assert status_without_token(url) == 403

    @pytest.mark.security("M6")
    def test_notebooks_cannot_read_the_key_of_the_certificate(self, lab):
        key = (lab.folder / "tls/key.pem").read_text().splitlines()[1]
        places = "/etc /home /opt /root /run /srv /tmp /usr/local /var"
        found = lab.on_machine(f"docker exec -u root desi-lab-{lab.name} grep -rlsF -e '{key}' {places}; true")
        assert found == ""
        assert "tls" not in lab.on_machine(f"docker inspect --format '{{{{json .Mounts}}}}' desi-lab-{lab.name}")
        # It is there, where root alone reads it.
        assert lab.on_machine(f"sudo grep -rlF -e '{key}' /etc/desi-lab") == "/etc/desi-lab/tls/key.pem"
        assert lab.on_machine("cat /etc/desi-lab/tls/key.pem 2>&1; true").endswith("Permission denied")

    def test_a_second_run_changes_nothing(self, lab):
        assert nothing_changed(lab.run("ec2.yml"))

    def test_a_certificate_of_ones_own_is_used_for_ones_own_name(self, lab, own_certificate):
        certificate, key, domain = own_certificate
        shown = lab.refused(
            "ec2.yml", lab_domain=domain, lab_certificate=str(certificate), lab_certificate_key=str(certificate)
        )
        assert "private key" in shown
        done = lab.attempt("ec2.yml", lab_domain=domain, lab_certificate=str(certificate), lab_certificate_key=str(key))
        # Nobody signed it whom this computer trusts, and that is found out before the token is sent.
        assert done.returncode != 0
        assert "certificate" in done.stdout.lower()
        # Somebody whose computer trusts whoever signed it gets to the lab, by that name.
        trusting = {"SSL_CERT_FILE": str(certificate)}
        own = {"lab_domain": domain, "lab_certificate": str(certificate), "lab_certificate_key": str(key)}
        assert url_in(lab.run("ec2.yml", environment=trusting, **own)).startswith(f"https://{domain}/")

    def test_it_is_reached_through_a_tunnel_as_well(self, lab, region):
        shown = lab.run("ec2.yml", lab_access="tunnel")
        assert rules(region, "jupyter") == SSH_ONLY
        url = url_in(shown)
        assert url.startswith(f"http://127.0.0.1:{lab.port}/")
        assert read_in_notebook(url) == READS
