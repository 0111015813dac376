#!/usr/bin/python
# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: doctor_info
short_description: Check whether a computer has what a lab needs
version_added: "0.1.0"
description:
  - Checks the engine, FUSE, disks, memory, the port, proxies, certificate authorities, the clock, the bucket and
    leftovers of labs, concurrently. A check that hangs is reported as such.
  - Reads a few MiB of the bucket, without credentials.
author:
  - The DESI Lab contributors (@desi-lab)
options:
  name:
    description: The name of the lab.
    type: str
    default: desi
  address:
    description: The address on which the lab is published.
    type: str
    default: 127.0.0.1
  port:
    description: The port on which the lab is published.
    type: int
    default: 8888
  data:
    description: The data source, V(s3), V(sample) or a path. Checks that it does not need are at most warnings.
    type: str
    default: s3
  bucket:
    description: The bucket to check.
    type: str
    default: desidata
  bucket_region:
    description: The AWS region of the bucket.
    type: str
    default: us-west-2
  endpoint:
    description: The URL of another S3 server that holds the bucket. Empty means AWS.
    type: str
    default: ""
  prefix:
    description: The prefix of the releases in the bucket.
    type: str
    default: ""
  cache:
    description: The cache directory of streamed data.
    type: path
    required: true
  folder:
    description: The directory that is shared with the lab.
    type: str
    required: true
  images_gib:
    description: The free disk space in GiB that the lab's image needs.
    type: float
    default: 16
  mounts:
    description: The parent directory of bucket mounts.
    type: path
    default: /var/lib/desi-lab/mounts
  config:
    description: The config directory of labs on EC2, with C(REGION/NAME/).
    type: path
    default: ""
  labs:
    description: The result of M(desi.lab.labs_info).
    type: dict
    default: {}
  versions:
    description: The result of M(desi.lab.versions_info). Empty means that versions are not checked.
    type: dict
    default: {}
  seconds:
    description: The time limit of the slowest check, in seconds.
    type: float
    default: 7
extends_documentation_fragment:
  - desi.lab.attributes.info_module
"""

EXAMPLES = r"""
- name: Check this computer
  desi.lab.doctor_info:
    cache: /var/cache/desi-lab
    folder: /home/ann/desi
  register: doctor
"""

RETURN = r"""
findings:
  description: The findings, in the order of the report.
  returned: always
  type: list
  elements: dict
  contains:
    check:
      description: The check, such as V(engine), for programs. Some checks have several findings.
      type: str
    title:
      description: The same for people.
      type: str
    verdict:
      description: V(ok), V(warning), V(broken), or V(skipped) for what was not checked.
      type: str
    found:
      description: What was found.
      type: str
    why:
      description: Why it matters. Empty where all is well.
      type: str
    do:
      description: What to do. Empty where all is well.
      type: str
    facts:
      description: The facts behind the verdict, without secrets. Its keys depend on RV(findings[].check).
      type: dict
"""

import os
import typing as t
from urllib.parse import urlsplit

from ansible.module_utils.basic import AnsibleModule

from ..module_utils._doctor import host_facts as gather
from ..module_utils._doctor.bucket import Bucket
from ..module_utils._doctor.findings import BROKEN, WARNING, Check, Finding, all_findings, no_worse_than
from ..module_utils._doctor.host_checks import CACHE_GIB, DIRECTORY_GIB, judge_versions
from ..module_utils._doctor.labs import judge_labs, judge_leftovers
from ..module_utils._doctor.proxies import authority_findings, proxy_findings
from ..module_utils._mount.bucket_probe import listing_url
from ..module_utils._mount.spec import MountSpec

# Less than that, and no image can be unpacked at all.
LEAST_IMAGE_GIB = 2

ARGUMENTS: dict[str, dict[str, t.Any]] = {
    "name": {"type": "str", "default": "desi"},
    "address": {"type": "str", "default": "127.0.0.1"},
    "port": {"type": "int", "default": 8888},
    "data": {"type": "str", "default": "s3"},
    "bucket": {"type": "str", "default": "desidata"},
    "bucket_region": {"type": "str", "default": "us-west-2"},
    "endpoint": {"type": "str", "default": ""},
    "prefix": {"type": "str", "default": ""},
    "cache": {"type": "path", "required": True},
    "folder": {"type": "str", "required": True},
    "images_gib": {"type": "float", "default": 16},
    "mounts": {"type": "path", "default": "/var/lib/desi-lab/mounts"},
    "config": {"type": "path", "default": ""},
    "labs": {"type": "dict", "default": {}},
    "versions": {"type": "dict", "default": {}},
    "seconds": {"type": "float", "default": 7},
}


def checks(given: t.Mapping[str, t.Any], environment: t.Mapping[str, str]) -> list[Check]:
    """Return all checks, in the order of the report."""
    seconds, labs = given["seconds"], given["labs"]
    spec = MountSpec(given["bucket"], given["prefix"], given["endpoint"].rstrip("/"), given["bucket_region"])
    place = urlsplit(listing_url(spec))
    target = f"{place.hostname}:{place.port or (443 if place.scheme == 'https' else 80)}"
    # What these settings make no use of cannot keep a lab from working.
    streams, mounts = given["data"] == "s3", given["data"] in ("s3", "sample")

    def needed(requested: bool, inspect: t.Callable[[], t.Sequence[Finding]]) -> t.Sequence[Finding]:
        return inspect() if requested else no_worse_than(inspect(), WARNING)

    images = (LEAST_IMAGE_GIB, max(given["images_gib"], LEAST_IMAGE_GIB))

    def cache() -> t.Sequence[Finding]:
        use = "data that were streamed"
        return gather.room_findings("disk_cache", "Disk for the cache", use, given["cache"], CACHE_GIB)

    def directory() -> t.Sequence[Finding]:
        use = "your notebooks and results"
        return gather.room_findings("disk_folder", "Disk for your folder", use, given["folder"], DIRECTORY_GIB)

    def port() -> t.Sequence[Finding]:
        return gather.port_findings(given["address"], given["port"], given["name"], labs, given["config"])

    def leftovers() -> t.Sequence[Finding]:
        return judge_leftovers(labs, gather.dead_mounts(given["mounts"]), gather.mount_units())

    def bucket() -> t.Sequence[Finding]:
        # Its own limit is the nearer one: it knows better what it was waiting for.
        return Bucket(spec, environment, seconds - 1).findings()

    every = [
        Check("versions", "Versions", lambda: judge_versions(given["versions"]), seconds),
        Check("engine", "Docker Engine", lambda: gather.engine_findings(images), seconds, BROKEN),
        Check("fuse", "FUSE", lambda: needed(mounts, gather.fuse_findings), seconds),
        Check("propagation", "Mount propagation", lambda: gather.propagation_findings(given["mounts"]), seconds),
        Check("link_local", "Metadata addresses", gather.link_local_findings, seconds),
        Check("disk_cache", "Disk for the cache", lambda: needed(mounts, cache), seconds),
        Check("disk_folder", "Disk for your folder", directory, seconds),
        Check("memory", "Memory", gather.memory_findings, seconds),
        Check("port", f"Port {given['port']}", port, seconds),
        Check("proxy", "Proxy", lambda: proxy_findings(environment, target, seconds / 2), seconds),
        Check("authorities", "Certificate authorities", lambda: authority_findings(environment), seconds),
        Check("bucket", f"Bucket {spec.bucket}", lambda: needed(streams, bucket), seconds),
        Check("labs", "Labs here", lambda: judge_labs(labs), seconds),
        Check("leftovers", "Leftovers", leftovers, seconds),
        Check("tools", "SSH and rsync", gather.tools_findings, seconds),
    ]
    return every if given["versions"] else every[1:]


def main() -> None:
    """Run the module."""
    module = AnsibleModule(ARGUMENTS, supports_check_mode=True)
    found = all_findings(checks(module.params, os.environ))
    module.exit_json(changed=False, findings=[finding.as_result() for finding in found])


if __name__ == "__main__":
    main()
