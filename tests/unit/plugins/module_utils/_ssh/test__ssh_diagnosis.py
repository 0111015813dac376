# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest

from ansible_collections.desi.lab.plugins.module_utils._common.errors import LabError
from ansible_collections.desi.lab.plugins.module_utils._ssh import diagnosis

FRAME = "@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@"
CHANGED = f"""\
{FRAME}
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @
{FRAME}
IT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!
The fingerprint for the ED25519 key sent by the remote host is
SHA256:OxhVT2KjzEoIUfgypvpELSBmrp8wWisGK+/eA6byOhE.
Add correct host key in /c/known_hosts to get rid of this message.
Offending ED25519 key in /c/known_hosts:1
Host key for i-0abc has changed and you have requested strict checking.
Host key verification failed."""
REVOKED = f"""\
{FRAME}
@       WARNING: REVOKED HOST KEY DETECTED!               @
{FRAME}
The ED25519 host key for i-0abc is marked as revoked.
ED25519 host key for i-0abc was revoked and you have requested strict checking.
Host key verification failed."""
OPEN_TO_ALL = f"""\
{FRAME}
@         WARNING: UNPROTECTED PRIVATE KEY FILE!          @
{FRAME}
Permissions 0644 for '/c/id_ed25519' are too open.
This private key will be ignored.
Load key "/c/id_ed25519": bad permissions
ec2-user@203.0.113.7: Permission denied (publickey)."""
BOOTING = (
    "System is booting up. Unprivileged users are not permitted to log in yet. Please come back later. "
    "For technical details, see pam_nologin(8)."
)
DENIED = "ec2-user@203.0.113.7: Permission denied (publickey,gssapi-keyex,gssapi-with-mic)."
CONNECT = "ssh: connect to host 203.0.113.7 port 22: "
KEX = "kex_exchange_identification: Connection closed by remote host"
NO_KEY = "No RSA host key is known for i-0abc and you have requested strict checking"
NO_TYPE = "Unable to negotiate with 203.0.113.7 port 22: no matching host key type found"

# What it says, what that is, and the words that are repeated. Linux and macOS; OpenSSH 6.6 to 10.
SAYINGS = [
    (CONNECT + "Connection refused", diagnosis.REFUSED, CONNECT + "Connection refused"),
    (CONNECT + "Connection timed out", diagnosis.SILENT, CONNECT + "Connection timed out"),
    (CONNECT + "Operation timed out", diagnosis.SILENT, CONNECT + "Operation timed out"),
    ("connect to address 203.0.113.7 port 22: Connection refused", diagnosis.REFUSED, None),
    (CONNECT + "No route to host", diagnosis.UNREACHABLE, None),
    (CONNECT + "Permission denied", diagnosis.UNREACHABLE, None),
    (CONNECT + "Connection reset by peer", diagnosis.CLOSED, None),
    ("Connection timed out during banner exchange\nConnection to 203.0.113.7 port 22 timed out", diagnosis.MUTE, None),
    ("Timeout, server 203.0.113.7 not responding.", diagnosis.MUTE, "Timeout, server 203.0.113.7 not responding"),
    ("ssh_exchange_identification: Connection closed by remote host", diagnosis.CLOSED, None),
    (f"{KEX}\nConnection closed by 203.0.113.7 port 22", diagnosis.CLOSED, KEX),
    ("Connection closed by 203.0.113.7", diagnosis.CLOSED, None),
    ("Connection reset by 203.0.113.7 port 22", diagnosis.CLOSED, None),
    ("client_loop: send disconnect: Broken pipe", diagnosis.CLOSED, None),
    ("Received disconnect from 203.0.113.7 port 22:11: Bye", diagnosis.CLOSED, None),
    ("Not allowed at this time", diagnosis.CLOSED, None),
    (BOOTING + "\nConnection closed by 203.0.113.7 port 22", diagnosis.BOOTING, BOOTING.rstrip(".")),
    (BOOTING + "\n" + DENIED, diagnosis.BOOTING, None),
    ('"System is booting up. See pam_nologin(8)"\nConnection closed by 203.0.113.7', diagnosis.BOOTING, None),
    (DENIED, diagnosis.DENIED, DENIED.rstrip(".")),
    ("Permission denied, please try again.", diagnosis.DENIED, None),
    ("Received disconnect from 203.0.113.7 port 22:2: Too many authentication failures", diagnosis.DENIED, None),
    (CHANGED, diagnosis.HOST_KEY, "Host key for i-0abc has changed and you have requested strict checking"),
    (REVOKED, diagnosis.HOST_KEY, "ED25519 host key for i-0abc was revoked and you have requested strict checking"),
    (f"{NO_KEY}.\nHost key verification failed.", diagnosis.HOST_KEY, NO_KEY),
    ("Host key verification failed.", diagnosis.HOST_KEY, None),
    (OPEN_TO_ALL, diagnosis.KEY_FILE, "Permissions 0644 for '/c/id_ed25519' are too open"),
    (f'Load key "/c/id": error in libcrypto\n{DENIED}', diagnosis.KEY_FILE, 'Load key "/c/id": error in libcrypto'),
    (f'load key "/c/id": bad permissions\n{DENIED}', diagnosis.KEY_FILE, None),
    (f"no such identity: /c/id: No such file or directory\n{DENIED}", diagnosis.KEY_FILE, None),
    (f"Warning: Identity file /c/id not accessible: No such file or directory.\n{DENIED}", diagnosis.KEY_FILE, None),
    ("/c/ssh_config: line 3: Bad configuration option: foo\n/c/ssh_config: terminating, 1 bad configuration options",
     diagnosis.CONFIG, "/c/ssh_config: line 3: Bad configuration option: foo"),
    ('/c d/ssh_config line 3: unsupported option "maybe".', diagnosis.CONFIG, None),
    ("/c/ssh_config: terminating, 1 bad configuration options", diagnosis.CONFIG, None),
    ("command-line: line 0: Bad configuration option: foo", diagnosis.CONFIG, None),
    ("Can't open user config file /c/ssh_config: No such file or directory", diagnosis.CONFIG, None),
    ("Bad owner or permissions on /c/ssh_config", diagnosis.CONFIG, None),
    ("ssh: Could not resolve hostname desi-desi: Name or service not known", diagnosis.UNKNOWN_HOST, None),
    ("ssh: Could not resolve hostname x: Temporary failure in name resolution", diagnosis.NAMELESS, None),
    (f"{NO_TYPE}. Their offer: ssh-rsa", diagnosis.NO_COMMON, NO_TYPE),
    ("no matching cipher found: client aes server 3des", diagnosis.NO_COMMON, None),
    ("sign_and_send_pubkey: no mutual signature supported", diagnosis.NO_COMMON, None),
    ("Warning: Permanently added 'i-0abc' (ED25519) to the list of known hosts.\nSorry.", diagnosis.OTHER, "Sorry"),
    ("Sorry.\n** WARNING: connection is not using a post-quantum key exchange algorithm.", diagnosis.OTHER, "Sorry"),
    ("", diagnosis.OTHER, ""),
    ("\r\n \n", diagnosis.OTHER, ""),
]  # fmt: skip

TARGET = diagnosis.Target(
    config="/c/ssh_config",
    host="desi-desi",
    address="203.0.113.7",
    user="ec2-user",
    key="/c/id_ed25519",
    known_hosts="/c d/known_hosts",
    key_alias="i-0abc",
)
KINDS = sorted({kind for _said, kind, _words in SAYINGS})


@pytest.mark.parametrize(("said", "kind", "words"), SAYINGS)
def test_what_ssh_says_is_understood(said, kind, words):
    saying = diagnosis.classify(said)
    assert saying.kind == kind
    if words is not None:
        assert saying.words == words


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_what_comes_beside_a_reason_does_not_hide_it(end):
    added = "Warning: Permanently added 'i-0abc' (ED25519) to the list of known hosts."
    welcome = "* Permission denied to nobody * port 22: Connection refused *"
    assert diagnosis.classify(end.join([added, welcome, DENIED, ""])).kind == diagnosis.DENIED


def test_no_more_than_a_line_is_repeated():
    saying = diagnosis.classify("a" * 5000 + "\nlast " + "b" * 5000)
    assert saying.words.startswith("last b")
    assert len(saying.words) <= 200


def test_every_kind_of_trouble_is_recognized_in_the_table_above():
    assert set(diagnosis._REASONS) == set(KINDS)
    assert set(diagnosis.FINAL) < set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_trouble_is_told_in_whole_sentences(kind):
    for error in (
        diagnosis.not_let_in(diagnosis.Saying(kind, "so ssh says"), TARGET),
        diagnosis.too_late(diagnosis.Saying(kind, "so ssh says"), TARGET, 300),
    ):
        assert "desi-desi" in error.what
        assert error.why.endswith('ssh says: "so ssh says".')
        assert all(text[0].isupper() and "{" not in text for text in (error.what, error.why, error.do))


def test_refused_key_is_told_with_the_key_and_the_user():
    error = diagnosis.not_let_in(diagnosis.classify(DENIED), TARGET)
    assert error.what == "The machine desi-desi refuses the key."
    assert error.why.startswith("It does not take the key /c/id_ed25519 for the user ec2-user at 203.0.113.7.")


def test_changed_host_key_is_told_with_how_to_compare_the_new_one():
    error = diagnosis.not_let_in(diagnosis.classify(CHANGED), TARGET)
    assert "pinned for i-0abc in /c d/known_hosts" in error.why
    assert error.do.endswith("-e lab_host_key=SHA256:…")


@pytest.mark.parametrize(
    ("alias", "port", "name"), [("i-0abc", 2222, "i-0abc"), ("", 22, "203.0.113.7"), ("", 2222, "[203.0.113.7]:2222")]
)
def test_host_key_stands_under_the_alias_or_the_address(alias, port, name):
    assert diagnosis.Target("c", "h", "203.0.113.7", port, key_alias=alias).pinned_as == name


def test_time_that_is_over_is_told_with_what_is_most_likely():
    refused = diagnosis.too_late(diagnosis.classify(CONNECT + "Connection refused"), TARGET, 300)
    silent = diagnosis.too_late(diagnosis.classify(CONNECT + "Connection timed out"), TARGET, 0.5)
    assert refused.what == "The machine desi-desi did not answer over SSH within 300 seconds."
    assert "its SSH server has not started" in refused.why
    assert silent.what.endswith("within 0.5 seconds.")
    assert "security group" in silent.why
    assert "firewall" in silent.why


SETTINGS = """\
user ec2-user
hostname 203.0.113.7
port 2222
hostkeyalias i-0abc
identityfile /c d/id_ed25519
identityfile ~/.ssh/id_rsa
userknownhostsfile /c d/known_hosts
"""


def test_settings_are_read_as_ssh_prints_them():
    assert diagnosis.parse_settings(SETTINGS, "/c/ssh_config", "desi-desi") == diagnosis.Target(
        config="/c/ssh_config",
        host="desi-desi",
        address="203.0.113.7",
        port=2222,
        user="ec2-user",
        key="/c d/id_ed25519",
        known_hosts="/c d/known_hosts",
        key_alias="i-0abc",
    )


@pytest.mark.parametrize("text", ["", "port x\n", "rubbish"])
def test_settings_that_say_nothing_leave_the_host_as_it_is(text):
    target = diagnosis.parse_settings(text, "c", "desi-desi")
    assert (target.address, target.port, target.place) == ("desi-desi", 22, "desi-desi port 22")


@pytest.mark.parametrize("host", ["desi-desi", "a", "_x.y-1", "203.0.113.7"])
def test_name_of_a_host_is_taken(host):
    assert diagnosis.check_host(host) == host


@pytest.mark.parametrize("host", ["", "-oProxyCommand=touch x", "a b", "a\n", "a;b", "$(a)", "ann@b", "ä"])
def test_word_that_ssh_would_take_for_something_else_is_refused(host):
    with pytest.raises(LabError):
        diagnosis.check_host(host)
