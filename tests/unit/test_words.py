# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names are made of the words of the glossary in CONTRIBUTING.md, and of none that has to be decoded."""

import io
import re
import subprocess
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DECODED = r"(Announce|Give|Have|Keep|Lead|Learn|Let|Look|Name|Say|See|Take|Tell|Whose|Work)"
FILES = [path for directory in ("roles", "playbooks", "molecule") for path in sorted((ROOT / directory).rglob("*.yml"))]
# Names of tests are sentences, in which these are words as any other.
DECODED_PARTS = {"trouble", "troubles", "told", "wanted"}
DECODED_FILES = {"deciding", "keeping", "look", "looking", "reading", "spots", "telling", "told", "trouble", "would"}
PYTHON = [path for directory in ("plugins", "roles") for path in sorted((ROOT / directory).rglob("*.py"))]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_task_names_need_no_decoding(path):
    assert not re.findall(rf"^ *- name: ({DECODED}\b.*)", path.read_text(), re.MULTILINE)


def parts(path):
    """Return the words that the names in a file are made of."""
    tokens = tokenize.generate_tokens(io.StringIO(path.read_text()).readline)
    names = {token.string for token in tokens if token.type == tokenize.NAME}
    return {part.lower() for name in names for part in re.split(r"_|(?<=[a-z])(?=[A-Z])", name)}


def test_names_in_code_need_no_decoding():
    found = {str(path.relative_to(ROOT)): parts(path) & DECODED_PARTS for path in PYTHON}
    assert {path: words for path, words in found.items() if words} == {}


def test_names_of_files_need_no_decoding():
    names = [path for path in [*PYTHON, *FILES] if path.stem.strip("_") in DECODED_FILES]
    assert [str(path.relative_to(ROOT)) for path in names] == []


# Without a name it is for lab desi, or for the only lab that there is. Examples in module documentation have none.
def test_a_command_that_ends_or_changes_a_lab_names_it():
    named = r"\{|' ~|.* -e| \{setting_option\("
    bare = re.compile(rf"^(?! *#).*\./lab (?:down|stop|start|update)\b(?!{named}).*", re.MULTILINE)
    texts = [path for path in [*FILES, *PYTHON] if not {"modules", "molecule"} & {*path.relative_to(ROOT).parts[:2]}]
    found = {str(path.relative_to(ROOT)): bare.findall(path.read_text()) for path in texts}
    assert {path: lines for path, lines in found.items() if lines} == {}


# Labs that are stopped go with it, and so do their networks and what they keep in volumes.
def test_no_text_suggests_to_prune_what_labs_are_made_of():
    texts = [*FILES, *PYTHON, ROOT / "lab", ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    bad = re.compile(r"\b(?:system|container|network|volume) prune\b")
    assert [str(path.relative_to(ROOT)) for path in texts if bad.search(path.read_text())] == []


# "Cancelled" is a word of AWS' API.
BRITISH = re.compile(
    rb"programme(?!d|r)|centre|fibre|catalogue|behaviour|colour|favour|honour|labour|neighbour|metre\b|metres\b|licence"
    rb"|labelled|modelled|signalled|travell|artefact|(?:quant|recogn|organ|initial|normal|serial|summar|optim|min|max)is(?:e[ds]?\b|ing|ation)",
    re.IGNORECASE,
)
TEXTS = {".cfg", ".css", ".html", ".ipynb", ".j2", ".json", ".md", ".py", ".rst", ".sh", ".toml", ".txt", ".yml", ""}


def test_words_are_spelled_as_in_american_english():
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split("\0")
    files = [ROOT / name for name in listed if name and Path(name).suffix in TEXTS]
    files = [path for path in files if path.is_file() and path.name not in {"LICENSE", "test_words.py"}]
    assert len(files) > 800
    found = {str(path.relative_to(ROOT)): set(BRITISH.findall(path.read_bytes())) for path in files}
    assert {path: words for path, words in found.items() if words} == {}
