# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import json
import os
import socket
import stat
import tarfile
from urllib.parse import quote

import pytest

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._doctor import bundle as archive
from ansible_collections.desi.lab.plugins.module_utils._doctor import bundle_collect as gather
from ansible_collections.desi.lab.plugins.module_utils._doctor.bundle_redact import Cleaner
from ansible_collections.desi.lab.plugins.modules import doctor_bundle

# One for each place that a secret may come from, so that the test says which one was not looked at.
SECRETS = {
    "environment": "/env-T0ken/with+signs=",
    "proxy": "pr0xy p@ss:w/rd",
    "container": "c0ntainer-t0ken-of-its-own",
    "option of a container": "0ption-t0ken-of-its-own",
    "pass of a container": "c0ntainer-pass of two words",
    "passphrase of a container": "c0ntainer-phr4se",
    "pwd of a container": "c0ntainer-pwd-word",
    "pat of a container": "c0ntainer-pat-word",
    "setting": "s3tting-of-a-person-s",
    "AWS file": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "AWS session": "IQoJb3JpZ2luX2VjEXAMPLEsession//////////token==",
    "AWS config": "another-s3cret-in-config",
    "private key": "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW",
}
ACCESS_KEY = "AKIAIOSFODNN7EXAMPLE"
ACCOUNT = "412345678901"
JUPYTER = "0123456789abcdef" * 3
PUBLIC = "198.51.100.77"
USER = "annabella"
OWNER = "astro/annabella-b"
PROXY = f"http://{USER}-p:{quote(SECRETS['proxy'], safe='')}@proxy.example.org:3128"


# Each spelling of a secret is the matter of test__doctor_bundle_redact.py.
EVERYTHING = "\n".join(
    [
        *(f"it said: {secret} and {quote(secret, safe='')}" for secret in SECRETS.values()),
        f"arn:aws:iam::{ACCOUNT}:user/x",
        ACCESS_KEY,
        f"http://127.0.0.1:8888/lab?token={JUPYTER}",
        PROXY,
        f"from {PUBLIC} port 22, ec2-{PUBLIC.replace('.', '-')}.us-west-2.compute.amazonaws.com",
        f"/home/{USER}/desi belongs to {USER}",
    ]
)


def container():
    return {
        "Id": "0123456789ab",
        "Name": "/desi-lab-desi",
        "Path": "jupyter",
        "Args": ["lab", "--IdentityProvider.token", SECRETS["option of a container"], "--port=8888"],
        "Config": {
            "Env": [
                f"JUPYTER_TOKEN={SECRETS['container']}",
                "DESI_RELEASE=edr",
                f"https_proxy={PROXY}",
                f"DB_PASS={SECRETS['pass of a container']}",
                f"SMTP_PASSPHRASE={SECRETS['passphrase of a container']}",
                f"MYSQL_PWD={SECRETS['pwd of a container']}",
                f"GITHUB_PAT={SECRETS['pat of a container']}",
                "PWD=/bin",
            ],
            "Labels": {"desi.lab.name": "desi", "note": EVERYTHING},
        },
    }


@pytest.fixture
def person(tmp_path, monkeypatch, program):
    """Somebody with secrets in every place that is looked into."""
    home = tmp_path / USER
    for name in list(os.environ):
        if name.startswith(("AWS_", "SUDO_")) or "proxy" in name.lower():
            monkeypatch.delenv(name)
    files = {
        home / ".local/state/desi-lab/2026-11-24-100000-local-1.log": "the oldest",
        home / ".local/state/desi-lab/2026-11-24-110000-ec2-2.log": EVERYTHING,
        home / ".local/state/desi-lab/2026-11-24-120000-doctor-3.log": "the doctor's own",
        home / ".local/state/desi-lab/2026-11-24-130000-down-4.log": f"{EVERYTHING}\nand it ended",
        home / ".local/state/desi-lab/2026-11-24-140000-local-5.log": f"made\n{EVERYTHING}",
        home / ".aws/credentials": (
            f"[default]\naws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {SECRETS['AWS file']}\n"
            f"[two]\naws_session_token = {SECRETS['AWS session']}\n"
        ),
        home / ".aws/config": f"[profile x]\nregion = us-west-2\nmy_secret = {SECRETS['AWS config']}\n",
        home / "config/us-west-2/desi/id_ed25519": (
            f"-----BEGIN OPENSSH PRIVATE KEY-----\n{SECRETS['private key']}\n-----END OPENSSH PRIVATE KEY-----\n"
        ),
        home / "inspected.json": json.dumps([container()]),
    }
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    scripts = {
        "docker": f'case "$1" in ps) echo 0123456789ab ;; *) cat {home}/inspected.json ;; esac',
        "ip": f"echo 'eth0 UP {PUBLIC}/24'; cat {home}/.aws/credentials",
        "uname": "echo Linux",
        "systemctl": "echo ActiveState=failed",
        "journalctl": f"cat {home}/inspected.json",
    }
    for name, script in scripts.items():
        program(name, script)
    for name, value in {
        "HOME": str(home),
        "USER": USER,
        "LOGNAME": USER,
        "XDG_STATE_HOME": str(home / ".local/state"),
        "GITHUB_TOKEN": SECRETS["environment"],
        "https_proxy": PROXY,
        "no_proxy": "127.0.0.1,.example.org",
    }.items():
        monkeypatch.setenv(name, value)
    return home


@pytest.fixture
def run(call):
    def run_module(path, fails=False, **options):
        code, answer = call(doctor_bundle, path=str(path), **options)
        assert code == int(fails)
        return answer

    return run_module


def texts_of(path):
    with tarfile.open(path) as tar:
        return {each.name: tar.extractfile(each).read().decode() for each in tar.getmembers()}


@pytest.fixture
def bundle(person, run):
    """Write a bundle of all that there is, and return its texts."""
    path = person / "out.tar.gz"
    run(
        path,
        report={
            "version": 1,
            "findings": [
                {"check": "x", "found": EVERYTHING, "facts": {"token": "abcdefgh"}},
                {"check": "credentials", "found": f"{OWNER}, account …8901", "facts": {"owner": OWNER}},
            ],
        },
        settings={"name": "desi", "secret": SECRETS["setting"], "data": f"/home/{USER}/x"},
        defaults={"name": "desi", "port": 8888},
        config=str(person / "config"),
    )
    return texts_of(path)


def test_a_bundle_holds_what_a_bug_report_wants(bundle):
    top = "desi-lab-bundle"
    logs = [f"logs/2026-11-24-{word}.log" for word in ("110000-ec2-2", "130000-down-4", "140000-local-5")]
    names = ["README.txt", "report.json", "settings.json", "containers.json", "mounts.txt", "network.txt", *logs]
    assert sorted(bundle) == sorted(f"{top}/{name}" for name in names)
    assert bundle[f"{top}/logs/2026-11-24-130000-down-4.log"].endswith("\nand it ended")
    assert json.loads(bundle[f"{top}/settings.json"]) == {
        "given": {"lab_secret": "<hidden>", "lab_data": "/home/<user>/x"},
        "as_by_default": ["lab_name", "lab_port"],
    }
    (inspected,) = json.loads(bundle[f"{top}/containers.json"])
    assert inspected["Config"]["Env"][0] == "JUPYTER_TOKEN=<hidden>"
    assert {"DESI_RELEASE=edr", "PWD=/bin"} < set(inspected["Config"]["Env"])
    assert inspected["Args"] == ["lab", "--IdentityProvider.token", "<hidden>", "--port=8888"]
    assert "no_proxy=127.0.0.1,.example.org" in bundle[f"{top}/network.txt"]
    assert "@proxy.example.org:3128" in bundle[f"{top}/network.txt"]
    assert all(name in bundle[f"{top}/README.txt"] for name in names[1:])
    assert "before you send it" in bundle[f"{top}/README.txt"]


@pytest.mark.security("M7")
def test_no_secret_no_account_no_address_and_no_name_is_in_any_member(bundle):
    hidden = [ACCESS_KEY, ACCOUNT, JUPYTER, PUBLIC, USER, OWNER, "abcdefgh", socket.gethostname()]
    spellings = {source: [secret, quote(secret, safe="")] for source, secret in SECRETS.items()}
    spellings |= {each: [each, each.replace(".", "-")] for each in hidden}
    for name, text in bundle.items():
        found = [source for source, every in spellings.items() if any(each in name + text for each in every)]
        assert not found, name


def test_the_archive_is_for_its_owner_alone_and_names_nobody(person, run):
    path = person / "out.tar.gz"
    answer = run(path)
    assert (answer["changed"], answer["path"]) == (True, str(path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    # A name in the header of gzip would be the file's own.
    assert path.read_bytes()[3] & 8 == 0
    with tarfile.open(path) as tar:
        members = tar.getmembers()
    assert {(each.uname, each.gname, each.uid, each.gid, each.mode) for each in members} == {("", "", 0, 0, 0o600)}
    assert answer["members"] == sorted(each.name.partition("/")[2] for each in members)


@pytest.mark.parametrize("name", ["taken.tar.gz", "link.tar.gz", "out.zip", "gone/out.tar.gz"])
def test_nothing_is_overwritten_and_a_name_that_cannot_work_is_refused(person, run, name):
    (person / "taken.tar.gz").write_text("mine")
    (person / "link.tar.gz").symlink_to(person / "elsewhere")
    answer = run(person / name, fails=True)
    assert (answer["what"], bool(answer["do"])) == ("No bundle was written.", True)
    assert "already" in answer["why"] or not (person / name).exists()
    assert ((person / "taken.tar.gz").read_text(), (person / "elsewhere").exists()) == ("mine", False)


def test_check_mode_writes_nothing_and_says_what_it_would(person, run):
    answer = run(person / "out.tar.gz", _ansible_check_mode=True)
    assert (answer["changed"], "report.json" in answer["members"]) == (True, True)
    assert not (person / "out.tar.gz").exists()


def test_without_docker_without_logs_and_without_systemd_there_is_a_bundle(person, run, monkeypatch):
    monkeypatch.setenv("PATH", str(person / "none"))
    monkeypatch.setenv("XDG_STATE_HOME", str(person / "none"))
    answer = run(person / "out.tar.gz")
    assert "containers.json" in answer["members"]
    assert not [name for name in answer["members"] if name.startswith("logs/")]


def test_a_secret_that_cannot_be_taken_out_keeps_the_bundle_from_being_written():
    class Careless(Cleaner):
        def clean(self, text):
            return text

    with pytest.raises(LabError) as caught:
        archive.cleaned({"a.txt": "well", "b.txt": "x secret-word y"}, Careless(["secret-word"]))
    assert "b.txt" in caught.value.why
    assert "secret-word" not in str(caught.value)


def test_of_a_long_log_the_end_is_kept():
    long = "".join(f"line {number}\n" for number in range(100_000))
    clean = archive.cleaned({"a.log": long}, Cleaner())["a.log"]
    assert len(clean) <= archive.LONGEST + 2
    assert clean.endswith("line 99999\n")


@pytest.mark.security("L7")
def test_no_part_of_a_token_stays_where_a_long_log_is_cut(person, run, monkeypatch, tmp_path):
    def over_the_cut(longest):
        # What follows begins in the middle of the token, where the cut is if nothing was cleaned before it.
        return f"token={JUPYTER}\n" + "word " * ((longest - 28) // 5) + "\n"

    (tmp_path / "run/mounts").mkdir(parents=True)
    (tmp_path / "run/mounts/a.log").write_text(over_the_cut(8000))
    monkeypatch.setattr(gather, "RUN_DIRECTORY", tmp_path / "run")
    (person / ".local/state/desi-lab/2026-11-24-150000-local-6.log").write_text(over_the_cut(archive.LONGEST))
    run(person / "out.tar.gz")
    texts = texts_of(person / "out.tar.gz")
    parts = {JUPYTER[begin : begin + 8] for begin in range(40)}
    assert [name for name, text in texts.items() if "word word" in text and any(part in text for part in parts)] == []
    assert sum("word word" in text for text in texts.values()) == 2


def test_a_link_in_the_folder_of_logs_is_read_with_the_callers_rights_alone(person, monkeypatch, tmp_path):
    if os.geteuid() != 0:
        pytest.skip("only root can be somebody else")
    secret = tmp_path / "roots-own.txt"
    secret.write_text("of root")
    secret.chmod(0o600)
    for folder in (tmp_path, *tmp_path.parents):
        if str(folder).startswith("/tmp/pytest"):  # noqa: S108 - where pytest puts it
            monkeypatch.setattr(gather, "state_directory", lambda *_: tmp_path / "logs")
            folder.chmod(0o755)
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "2026-local-1.log").symlink_to(secret)
    monkeypatch.setenv("SUDO_UID", "65534")
    monkeypatch.setenv("SUDO_GID", "65534")
    assert gather.logs(os.environ) == {}
