# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""First SSH contact with a new instance, whose host key is known before."""

from __future__ import annotations

import contextlib
import shlex
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from .._common.errors import LabError
from .._common.files import closing, open_directory, read_below, remove_below, write_beside
from . import diagnosis, host_key
from .wait import OPTIONS, environment, find_target, plain_parent, wait_for

KNOWN = "known"
MET = "met"
COMPARED = "compared"
ROTATE_SECONDS = 60.0
ROTATE_PAUSE = 1.0
# The exit code of ssh if the connection failed, not the command.
SSH_ENDED = 255
PROOF_SECONDS = 30.0
MOST_BYTES = 1 << 20
# An instance may have one key of each type.
KINDS = ("ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-512")


def make_key(directory: str, only_look: bool = False) -> bool:
    """Ensure an unused host key for a new instance; return whether one was created."""
    path = Path(directory, host_key.KEY_FILE)
    public = public_half(path)
    if public and public not in host_key.pins(_known_hosts(directory)):
        return False
    if only_look:
        return True
    with closing(open_directory(directory)) as here:
        _forget_key(here)
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(path)]
    done = _run(command)
    if done.returncode or not public_half(path):
        raise LabError(
            "No host key could be made for the machine.",
            f"ssh-keygen says: {done.stderr.strip()[-200:] or 'nothing'}",
            "Check that the disk has room, then run the same command again.",
        )
    return True


def handed_keys_of(path: str) -> dict[str, dict[str, str]]:
    """Return the part of user data that has the host key of a file."""
    public = public_half(Path(path))
    if not public:
        raise LabError(
            "No machine is made.",
            f"The host key that it should begin with, {path}, cannot be read.",
            "Delete it and run the same command again: another one is made.",
        )
    return host_key.handed_keys(Path(path).read_text(encoding="ascii"), public)


def usable_half(path: Path) -> str:
    """Return as public_half; empty if there is no such file. Raises LabError for a file that is no usable key."""
    public = public_half(path)
    if public or not path.exists():
        return public
    said = _derive(path).stderr.strip().splitlines()
    raise LabError(
        f"The private key {path} cannot be used.",
        f"ssh-keygen says: {said[-1] if said else 'nothing'}",
        f"See that it is yours and that nobody else may read it: chmod 600 {shlex.quote(str(path))}. It must have no"
        " passphrase either, which ssh-keygen -p takes off. If it is damaged, put back a copy of it.",
    )


def public_half(path: Path) -> str:
    """Return the public half of a private key; empty if it cannot be read."""
    if not path.is_file():
        return ""
    done = _derive(path)
    return (host_key.key_in(done.stdout) or "") if done.returncode == 0 else ""


def _derive(path: Path) -> subprocess.CompletedProcess[str]:
    return _run(["ssh-keygen", "-y", "-P", "", "-f", str(path)])


@dataclass(frozen=True)
class Meeting:
    """An instance, and what is known of it here."""

    directory: str
    config: str
    host: str
    machine: str
    fingerprint: str = ""

    def how(self) -> str:
        """Return the method; refuse an instance without any known key."""
        host_key.check_machine(self.machine)
        host_key.check_fingerprint(self.fingerprint)
        pinned = host_key.pins(_known_hosts(self.directory), self.machine)
        if self.fingerprint and self.fingerprint not in map(host_key.fingerprint, pinned):
            return COMPARED
        handed = public_half(Path(self.directory, host_key.KEY_FILE))
        if handed and (not pinned or handed in pinned):
            return MET
        if not pinned:
            raise host_key.unknown_machine(self.host, self.machine)
        return KNOWN

    def meet(self, timeout: float) -> str:
        """Ensure that a host key of the instance's own is pinned; return the method."""
        how = self.how()
        if how == COMPARED:
            self._compare(find_target(self.config, self.host))
        elif how == MET:
            self._first(timeout)
        if how != MET:
            # Leftover of a first contact that was interrupted at its end.
            with closing(open_directory(self.directory)) as here:
                _forget_key(here)
        return how

    def _first(self, timeout: float) -> None:
        handed = public_half(Path(self.directory, host_key.KEY_FILE))
        if not host_key.pins(_known_hosts(self.directory), self.machine):
            self._pin([handed])
        target = find_target(self.config, self.host)
        try:
            wait_for(target, timeout)
        except diagnosis.HostKeyDiffers:
            raise host_key.another_machine(self.host, self.machine, target.place) from None
        deadline = time.monotonic() + ROTATE_SECONDS
        while True:
            own, code, said = self._rotate(handed)
            # A booting instance may restart sshd more than once, and end sessions.
            if code != SSH_ENDED or time.monotonic() >= deadline:
                break
            time.sleep(ROTATE_PAUSE)
            wait_for(target, timeout)
        if not own or code:
            raise host_key.not_made_anew(self.host, f"Making it ended with {code}: {said or 'no word'}.")
        self._prove(target, own)
        self._pin([own])
        with closing(open_directory(self.directory)) as here:
            _forget_key(here)

    def _rotate(self, handed: str) -> tuple[str, int, str]:
        """Have the instance create its own host key; return it, the exit code, and the words of ssh.

        The key is pinned before the machine shows it, so that this may be done again wherever it ended.
        """
        with (
            tempfile.TemporaryFile() as errors,
            subprocess.Popen(
                [*self._ssh("ConnectTimeout=10"), host_key.rotate_command(handed)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=environment(),
            ) as process,
        ):
            patience = threading.Timer(ROTATE_SECONDS, process.kill)
            patience.start()
            try:
                assert process.stdin is not None and process.stdout is not None  # noqa: S101 - for types
                own = host_key.key_in(process.stdout.readline(8192).decode(errors="replace")) or ""
                if own.startswith(f"{host_key.KIND} ") and own != handed:
                    self._pin([handed, own])
                    with contextlib.suppress(OSError):
                        process.stdin.write(f"{host_key.PINNED}\n".encode())
                        process.stdin.flush()
                else:
                    own = ""
                process.stdin.close()
                process.wait()
            finally:
                patience.cancel()
                process.kill()
            errors.seek(0)
            said = diagnosis.classify(errors.read(65536).decode(errors="replace")).words
        return own, process.returncode, said

    def _prove(self, target: diagnosis.Target, own: str) -> None:
        """Log in while only the instance's own key is trusted."""
        with tempfile.NamedTemporaryFile("w", suffix=".known", dir=plain_parent()) as alone:
            alone.write(f"{target.pinned_as} {own}\n")
            alone.flush()
            end = time.monotonic() + PROOF_SECONDS
            command = self._ssh(f"UserKnownHostsFile={alone.name}", "ConnectTimeout=5")
            while True:
                done = _run([*command, "true"])
                if done.returncode == 0:
                    return
                if time.monotonic() >= end:
                    said = diagnosis.classify(done.stderr).words
                    raise host_key.not_made_anew(
                        self.host, f"It does not show the one that it made: {said or 'no word'}."
                    )
                time.sleep(0.2)

    def _compare(self, target: diagnosis.Target) -> None:
        """Get the host keys without logging in, and pin the one with the given fingerprint."""
        shown: list[str] = []
        for kind in KINDS:
            with tempfile.TemporaryDirectory(dir=plain_parent()) as directory:
                seen = Path(directory, "seen")
                command = self._ssh(
                    "StrictHostKeyChecking=accept-new",
                    f"UserKnownHostsFile={seen}",
                    "GlobalKnownHostsFile=none",
                    f"HostKeyAlgorithms={kind}",
                    "PreferredAuthentications=none",
                    "PubkeyAuthentication=no",
                    "HashKnownHosts=no",
                    "ConnectTimeout=10",
                )
                done = _run([*command, "true"])
                keys = host_key.pins(seen.read_text(), target.pinned_as) if seen.is_file() else []
            for key in keys:
                if host_key.fingerprint(key) == self.fingerprint:
                    self._pin([key])
                    return
                shown.append(host_key.fingerprint(key))
            if not keys and not shown:
                saying = diagnosis.classify(done.stderr)
                if saying.kind not in (diagnosis.NO_COMMON, diagnosis.DENIED):
                    raise diagnosis.not_let_in(saying, target)
        raise host_key.other_fingerprint(self.host, shown)

    def _ssh(self, *more: str) -> list[str]:
        # ssh takes the first value.
        options = [word for option in (*more, *OPTIONS, "StrictHostKeyChecking=yes") for word in ("-o", option)]
        return ["ssh", "-F", self.config, "-T", *options, self.host]

    def _pin(self, keys: list[str]) -> None:
        text = host_key.with_pins(_known_hosts(self.directory), self.machine, keys)
        with closing(open_directory(self.directory)) as here:
            write_beside(here, host_key.KNOWN_HOSTS, text.encode())


def _known_hosts(directory: str) -> str:
    with contextlib.suppress(FileNotFoundError, NotADirectoryError), closing(open_directory(directory)) as here:
        return read_below(here, host_key.KNOWN_HOSTS, MOST_BYTES).decode(errors="replace")
    return ""


def _forget_key(here: int) -> None:
    for name in (host_key.KEY_FILE, f"{host_key.KEY_FILE}.pub"):
        remove_below(here, name)


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=60,
            check=False,
            stdin=subprocess.DEVNULL,
            env=environment(),
        )
    except FileNotFoundError:
        raise LabError(
            f"There is no {command[0]} on this computer.",
            "Machines at AWS are reached with OpenSSH, which is not installed or not on PATH.",
            "Install it, for example: sudo apt-get install openssh-client",
        ) from None
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 255, "", "Timeout, server not responding.")
