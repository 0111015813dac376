# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import signal
import subprocess
import sys
import time

import pytest

from ansible_collections.desi.lab.plugins.module_utils._common.polling import wait_until
from ansible_collections.desi.lab.plugins.module_utils._mount.unit_templates import (
    CLEAR,
    ENDED,
    LOOP,
    PAUSE,
    ca_bundle,
    environment_text,
    loop_command,
    loop_mountpoint,
    loop_settings,
    tool_environment,
    unit_name,
    unit_settings,
    unit_text,
    unit_word,
)

SETTINGS = {"bucket": "lab", "prefix": 'a "b" %h $x', "read_only": True}
TOOL = ["/opt/my tools/rclone", "mount", ':s3,endpoint="http://h:1":lab', "/srv/my data/.bucket"]


def unit(tells_systemd=True):
    return unit_text("/srv/my data/.bucket", SETTINGS, TOOL, tells_systemd, "/etc/systemd/system/x.env")


def value(text, key):
    (found,) = [line.partition("=")[2] for line in text.splitlines() if line.startswith(f"{key}=")]
    return found


def test_unit_starts_the_tool_with_every_word_quoted():
    assert value(unit(), "ExecStart") == (
        r'"/opt/my tools/rclone" "mount" ":s3,endpoint=\"http://h:1\":lab" "/srv/my data/.bucket"'
    )


def test_unit_comes_back_for_ever_clears_what_is_dead_and_unmounts():
    text = unit()
    assert (value(text, "Restart"), value(text, "StartLimitIntervalSec")) == ("always", "0")
    assert int(value(text, "RestartSec")) <= 5
    assert "umount -l" in value(text, "ExecStartPre")
    assert "umount -l" not in value(text, "ExecStop")
    assert '"/srv/my data/.bucket"' in value(text, "ExecStop")
    assert value(text, "WantedBy") == "multi-user.target"
    assert value(text, "EnvironmentFile") == "-/etc/systemd/system/x.env"


def test_unit_shares_its_parent_again_and_waits_for_what_tells_it():
    assert value(unit(), "Before") == "docker.service"
    shared = unit_text("/srv/data/.bucket", SETTINGS, TOOL, True, "/x.env", shared_parent=True)
    assert "--make-rshared" in shared.split("ExecStartPre=")[1]
    assert "--make-rshared" not in unit()
    assert [value(unit(tells), "Type") for tells in (True, False)] == ["notify", "simple"]


def test_settings_are_read_back_out_of_a_unit():
    assert unit_settings(unit()) == SETTINGS
    for text in ("", "[Unit]\n", "# settings: {broken\n", "# settings: [1]\n"):
        assert unit_settings(text) == {}


def test_words_and_values_are_quoted_as_systemd_reads_them():
    quoted = (("a b", '"a b"'), ("100%", '"100%%"'), ("$1", '"$$1"'), ('"', r'"\""'), ("\\", r'"\\"'), ("", '""'))
    assert [unit_word(word) for word, _text in quoted] == [text for _word, text in quoted]
    assert environment_text({"B": 'a "$`\\', "A": "1"}) == 'A="1"\nB="a \\"\\$\\`\\\\"\n'
    assert unit_name("desidata-1a2b3c") == "desi-lab-mount-desidata-1a2b3c.service"


def test_loop_is_recognized_by_its_own_command_line():
    command = loop_command("/m", "/log", SETTINGS, TOOL)
    assert command[-len(TOOL) :] == TOOL
    assert (loop_mountpoint(command), loop_settings(command)) == ("/m", SETTINGS)
    other = ["/bin/sh", "-c", "x", "other", "/m", "/log", "{}", "rclone"]
    for command in ([], ["/bin/sh"], TOOL, other, ["sh", "-c", LOOP, "desi-lab-mount", "/m"]):
        assert loop_mountpoint(command) is None


@pytest.mark.parametrize("script", [LOOP, CLEAR])
def test_scripts_are_plain_shell(script):
    assert subprocess.run(["sh", "-n", "-c", script], check=False).returncode == 0


@pytest.fixture
def loop(tmp_path):
    """Start loops around small programs, and end them."""
    started = []

    def start(program):
        log = tmp_path / "log"
        command = loop_command(
            str(tmp_path / "m"), str(log), {}, [sys.executable, "-c", program, str(tmp_path / "runs")]
        )
        with log.open("wb") as opened:
            started.append(subprocess.Popen(command, stdout=opened, stderr=opened, start_new_session=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


RUN = "import sys, time; open(sys.argv[1], 'a').write('x');"


def text_of(path):
    return path.read_text() if path.exists() else ""


def test_loop_ends_its_tool_when_it_is_ended(loop, tmp_path):
    process = loop(RUN + "time.sleep(60)")
    assert wait_until(lambda: text_of(tmp_path / "runs") == "x", 10)
    children = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(process.pid)], capture_output=True, text=True, check=True
    )
    process.send_signal(signal.SIGTERM)
    assert process.wait(5) == 0
    assert subprocess.run(["ps", "-p", children.stdout.strip()], capture_output=True, check=False).returncode == 1


def test_loop_starts_the_tool_again_and_ends_at_once_while_it_waits(loop, tmp_path):
    process = loop(RUN + "sys.exit(7)")
    assert wait_until(lambda: len(text_of(tmp_path / "runs")) >= 2, 10)
    assert wait_until(lambda: text_of(tmp_path / "log").count(ENDED) >= 2, 10)
    assert f"{ENDED} with 7; it starts again in {PAUSE} s" in text_of(tmp_path / "log")
    assert (tmp_path / "m").is_dir()
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(5) == 0
    assert time.monotonic() - began < 1.5


def test_loop_outlives_a_hangup(loop, tmp_path):
    process = loop(RUN + "time.sleep(60)")
    assert wait_until(lambda: text_of(tmp_path / "runs") == "x", 10)
    process.send_signal(signal.SIGHUP)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.3)


ENVIRON = {
    "HOME": "/root",
    "https_proxy": "http://proxy:3128",
    "NO_PROXY": "127.0.0.1",
    "REQUESTS_CA_BUNDLE": "/ca.pem",
    "AWS_CA_BUNDLE": "/aws-ca.pem",
    "AWS_ACCESS_KEY_ID": "AKIA",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "RCLONE_CONFIG": "/mine",
    "LD_PRELOAD": "/x.so",
    "HTTP_PROXY": "",
}


def test_anonymous_tool_gets_the_way_out_and_no_keys():
    assert tool_environment(ENVIRON, "SSL_CERT_FILE", anonymous=True) == {
        "HOME": "/root",
        "https_proxy": "http://proxy:3128",
        "NO_PROXY": "127.0.0.1",
        "SSL_CERT_FILE": "/ca.pem",
    }


def test_keys_are_handed_over_where_they_are_wanted():
    given = tool_environment(ENVIRON, "SSL_CERT_FILE", anonymous=False)
    assert (given["AWS_ACCESS_KEY_ID"], given["AWS_SECRET_ACCESS_KEY"]) == ("AKIA", "secret")
    assert "AWS_CA_BUNDLE" not in given
    assert "RCLONE_CONFIG" not in given


def test_bundle_of_certificates_has_an_order_and_may_be_missing():
    assert ca_bundle({**ENVIRON, "SSL_CERT_FILE": "/first.pem"}) == "/first.pem"
    assert ca_bundle({"SSL_CERT_FILE": "", "AWS_CA_BUNDLE": "/last.pem"}) == "/last.pem"
    assert ca_bundle({}) == ""
