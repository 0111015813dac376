# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""AWS on loopback for tests of modules: moto, a log of its calls, and the quotas, prices and faults that moto lacks."""

import io
import json
import logging
import re
import threading
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from urllib.parse import parse_qs

import boto3
import pytest
import yaml
from ansible.module_utils.testing import patch_module_args
from botocore.loaders import JSONFileLoader
from moto.core.responses import ActionResult
from moto.ec2.models import ec2_backends
from moto.ec2.responses.security_groups import SecurityGroups
from moto.moto_api._internal.models import moto_api_backend
from moto.server import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

from ansible_collections.desi.lab.plugins.module_utils._aws.tags import Caller, as_tag_list, lab_tags
from ansible_collections.desi.lab.plugins.module_utils._ec2.record import begin, write

ROOT = Path(__file__).parents[2]
PRICES = yaml.safe_load((ROOT / "roles/lab/files/prices.yml").read_text())
POLICY = json.loads((ROOT / "docs/iam-policy.json").read_text())
_ACTIONS = [statement["Action"] for statement in POLICY["Statement"]]
ALLOWED = {action for one in _ACTIONS for action in ([one] if isinstance(one, str) else one)}
REFUSED = ("UnauthorizedOperation", "You are not authorized to perform this operation.")
IMAGE = "ami-0d53cc9bd365ad65b"
KEYS = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "example"}
# Whoever runs the tests may have settings of AWS, which are not to be used.
NOT_USED = ("PROFILE", "DEFAULT_PROFILE", "SESSION_TOKEN", "URL", "REGION", "DEFAULT_REGION", "CA_BUNDLE")
_SCOPE = re.compile(r"Credential=[^/]+/\d+/([^/]+)/([^/]+)/")
_JSON = "application/x-amz-json-1.1"
# Each session would parse the descriptions of all services again, which takes longer than what a test asks for.
JSONFileLoader.load_file = staticmethod(cache(JSONFileLoader().load_file))


def connect_default_vpc():
    """Let the default VPC lead to the internet, as AWS makes it; moto's leads nowhere."""
    backend = ec2_backends["123456789012"]["us-west-2"]
    vpc = backend.get_default_vpc()
    gateway = backend.create_internet_gateway()
    backend.attach_internet_gateway(gateway.id, vpc.id)
    main = next(table for table in backend.route_tables.values() if table.vpc_id == vpc.id)
    backend.create_route(main.id, "0.0.0.0/0", gateway_id=gateway.id)


class Region:
    """The region us-west-2, and what is told of all others."""

    # So moto names whoever has no keys that it gave out.
    owner = "moto"

    def __init__(self):
        self.moto = DomainDispatcherApplication(create_backend_app)
        self.url = ""

    def reset(self):
        moto_api_backend.reset()
        connect_default_vpc()
        self.calls, self.faults, self.prices, self.address = [], {}, {}, "127.0.0.1"
        self.quotas = {"L-1216C47A": 32.0, "L-34B43A08": 32.0}

    # The API

    def __call__(self, environ, start_response):
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)

        def answer(text, status="200 OK", kind=_JSON):
            start_response(status, [("Content-Type", kind)])
            return [text.encode()]

        def fail(code, message):
            if service in ("ssm", "servicequotas", "pricing", "scheduler"):
                return answer(json.dumps({"__type": code, "message": message}), "400 Bad")
            text = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
            whole = f"<Response><Errors>{text}</Errors></Response>"
            text = f"<ErrorResponse>{text}</ErrorResponse>" if service == "sts" else whole
            return answer(text, "403 Forbidden", "text/xml")

        scope = _SCOPE.search(environ.get("HTTP_AUTHORIZATION", ""))
        if scope is None:
            return answer(self.address, kind="text/plain")
        where, service = scope.groups()
        form = parse_qs(body.decode(errors="replace"))
        target = environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")[2]
        name = f"{service}:{target or form.get('Action', [environ['PATH_INFO']])[0]}"
        self.calls.append((name, where, form))
        fault = self.faults.get((name, where)) or self.faults.get(name)
        if fault:
            return fail(*fault)
        if service == "servicequotas":
            code = json.loads(body)["QuotaCode"]
            if code not in self.quotas:
                return fail("NoSuchResourceException", "none")
            return answer(json.dumps({"Quota": {"QuotaCode": code, "Value": self.quotas[code]}}))
        if service == "pricing":
            asked = {term["Field"]: term["Value"] for term in json.loads(body)["Filters"]}
            price = self.prices.get(asked.get("instanceType") or asked.get("volumeApiName"))
            return answer(json.dumps({"FormatVersion": "aws_v1", "PriceList": [price] if price else []}))
        return self.moto(environ, start_response)

    def asked(self, *, dry=True):
        """The actions that were asked for, each once; without ``dry``, those alone that were no dry runs."""
        return {name for name, _region, form in self.calls if dry or "true" not in form.get("DryRun", [])}

    # What there is

    @property
    def ec2(self):
        return boto3.client("ec2", region_name="us-west-2")

    @property
    def subnets(self):
        return self.ec2.describe_subnets()["Subnets"]

    def tags(self, kind, name="desi", owner=None, tags=None):
        tags = lab_tags(name, owner or self.owner) if tags is None else tags
        return [{"ResourceType": kind, "Tags": as_tag_list(tags)}] if tags else []

    def group(self, title="jupyter", **whose):
        tags = self.tags("security-group", **whose)
        return self.ec2.create_security_group(GroupName=title, Description="x", TagSpecifications=tags)["GroupId"]

    def key(self, title="desi-lab-desi", public="", **whose):
        tags = self.tags("key-pair", **whose)
        if public:
            return self.ec2.import_key_pair(KeyName=title, PublicKeyMaterial=public.encode(), TagSpecifications=tags)
        return self.ec2.create_key_pair(KeyName=title, TagSpecifications=tags)["KeyPairId"]

    def disk(self, **whose):
        tags = self.tags("volume", **whose)
        return self.ec2.create_volume(AvailabilityZone="us-west-2a", Size=8, TagSpecifications=tags)["VolumeId"]

    def launch(self, name="desi", owner=None, tags=None, **more):
        tagged = [*self.tags("instance", name, owner, tags), *self.tags("volume", name, owner, tags)]
        given = {"ImageId": IMAGE, "InstanceType": "t2.micro", "MinCount": 1, "MaxCount": 1, **more}
        return self.ec2.run_instances(TagSpecifications=tagged, **given)["Instances"][0]["InstanceId"]

    def instances(self):
        found = self.ec2.describe_instances()["Reservations"]
        return [instance for reservation in found for instance in reservation["Instances"]]


@cache
def _served():
    # Made once in a process: each service takes seconds to be imported and to build its routes.
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    region = Region()
    http = make_server("127.0.0.1", 0, region, threaded=True, request_handler=MotoRequestHandler)
    threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    region.url = f"http://127.0.0.1:{http.server_port}"
    return region


@contextmanager
def region_on_loopback(monkeypatch, tmp_path):
    region = _served()
    region.reset()
    for name in NOT_USED:
        monkeypatch.delenv(f"AWS_{name}", raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    more = {"AWS_ENDPOINT_URL": region.url, "AWS_EC2_METADATA_DISABLED": "true"}
    for name, value in {**KEYS, **more}.items():
        monkeypatch.setenv(name, value)
    for way in ("ingress", "egress"):
        # moto leaves out what amazon.aws reads.
        name = f"update_security_group_rule_descriptions_{way}"
        real = getattr(SecurityGroups, name)
        monkeypatch.setattr(
            SecurityGroups, name, lambda self, real=real: (real(self), ActionResult({"Return": True}))[1]
        )
    yield region


def record(folder, *resources, name="desi", owner="moto", account="123456789012", **more):
    """Write into a folder that an owner made a lab of these resources, each a kind and an id."""
    maker = Caller(f"arn:aws:iam::{account}:user/{owner}", account, "")
    made = begin(maker, "us-west-2", name, owner).with_resources({"kind": kind, "id": each} for kind, each in resources)
    Path(folder).mkdir(parents=True, exist_ok=True)
    write(str(folder), replace(made, **more))


def without_credentials(monkeypatch):
    for name in KEYS:
        monkeypatch.delenv(name)


def run_module(module, capsys, check=False, **arguments):
    """Run a module as Ansible does, and return its result."""
    given = {"region": "us-west-2", "_ansible_check_mode": check, **arguments}
    with patch_module_args(given), pytest.raises(SystemExit) as caught:
        module.main()
    result = json.loads(capsys.readouterr().out)
    assert bool(caught.value.code) is bool(result.get("failed"))
    return result
