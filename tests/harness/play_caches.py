# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What plays that are children of one process need not make again: parsed YAML, compiled templates, packed modules.

A worker of Ansible ends with its task, and all that it has compiled with it.
"""

from __future__ import annotations

import contextlib
import hashlib
import marshal
import tempfile
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from types import CodeType
from typing import Any

from ansible import constants
from ansible._internal._templating import _jinja_bits as bits
from ansible.parsing.dataloader import DataLoader
from jinja2 import nodes
from jinja2.environment import TemplateExpression

PACKED = "ansiballz_cache"


class Compiled:
    """The code of templates and expressions, in files, by what it is compiled from."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.compile = bits.AnsibleEnvironment.compile
        self.compile_expression = bits.AnsibleEnvironment.compile_expression
        # That of the expression which is being compiled, by whose source nothing is known any more.
        self.expression: Path | None = None

    def share(self) -> None:
        """Have templates compiled once."""
        self.folder.mkdir(parents=True, exist_ok=True)

        def compile_template(environment: Any, source: Any, *names: Any, **options: Any) -> CodeType:
            if names or options:
                return self.compile(environment, source, *names, **options)
            is_parsed = isinstance(source, nodes.Template)
            path = self.expression if is_parsed else self.path(environment, "template", source)
            code = self.read(path) if path else None
            if code is None:
                code = self.compile(environment, source)
                if path:
                    self.write(path, code)
            return code

        def compile_expression(environment: Any, source: str, undefined_to_none: bool = True) -> Any:
            path = self.path(environment, "expression", source)
            code = self.read(path)
            if code is None:
                self.expression = path
                try:
                    return self.compile_expression(environment, source, undefined_to_none)
                finally:
                    self.expression = None
            made = environment.template_class.from_code(environment, code, environment.make_globals(None), None)
            return TemplateExpression(made, undefined_to_none)

        bits.AnsibleEnvironment.compile = compile_template
        bits.AnsibleEnvironment.compile_expression = compile_expression

    def path(self, environment: Any, kind: str, source: str) -> Path:
        """Return the file of a code, by all that it depends on: filters are the same in all plays."""
        context = bits._TemplateCompileContext.current(optional=True)
        about = [kind, type(environment).__name__, bool(context and context.escape_backslashes)]
        about += [getattr(environment, name) for name in bits._TEMPLATE_OVERRIDE_FIELD_NAMES]
        return self.folder / hashlib.sha256(f"{about}\0{source}".encode("utf-8", "surrogateescape")).hexdigest()

    @staticmethod
    def read(path: Path) -> CodeType | None:
        try:
            return marshal.loads(path.read_bytes())  # noqa: S302 - this process and its children wrote it
        except FileNotFoundError:
            return None

    def write(self, path: Path, code: CodeType) -> None:
        with tempfile.NamedTemporaryFile(dir=self.folder, delete=False) as made:
            made.write(marshal.dumps(code))
        Path(made.name).replace(path)


def share_yaml(roots: Iterable[Path]) -> None:
    """Have the playbooks and roles of a collection parsed already, by each path that leads to it."""
    loader, begin = DataLoader(), DataLoader.__init__
    for root in roots:
        for folder in ("playbooks", "roles"):
            for path in sorted((root / folder).rglob("*.yml")):
                if "files" not in path.relative_to(root).parts:
                    loader.load_from_file(str(path), unsafe=True, trusted_as_template=True)

    def begin_parsed(self: Any) -> None:
        begin(self)
        self._FILE_CACHE.update(loader._FILE_CACHE)

    DataLoader.__init__ = begin_parsed


@cache
def packed_folder(home: Path, sources: Path) -> Path:
    """Make the folder of what is packed of these sources: Ansible knows it by its name alone."""
    seen = [(path.as_posix(), path.stat().st_mtime_ns) for path in sorted(sources.rglob("*.py"))]
    folder = home / f"packed-{hashlib.sha256(repr(seen).encode()).hexdigest()}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def share_modules(folder: Path) -> None:
    """Have modules packed once, in a play that has just begun: at its end Ansible removes the folder around."""
    packed = Path(constants.DEFAULT_LOCAL_TMP, PACKED)
    packed.parent.mkdir(parents=True, exist_ok=True)
    # A play that was killed has left it.
    with contextlib.suppress(FileExistsError):
        packed.symlink_to(folder)
