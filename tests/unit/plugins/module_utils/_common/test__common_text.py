# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import json
import shlex

import pytest

from ansible_collections.desi.lab.plugins.module_utils._common.text import (
    clean,
    clean_all,
    name_option,
    nearest,
    one_line,
    printable,
    setting_option,
    shell_path,
)


@pytest.mark.parametrize(
    ("word", "known", "most", "found"),
    [
        ("lab_prot", ["lab_name", "lab_port", "lab_spot"], 1, ["lab_port"]),
        # Of two that are equally alike, the one that begins as the word does.
        ("lab_prot", ["lab_spot", "lab_port"], 1, ["lab_port"]),
        ("LAB_PORT", ["lab_port"], 1, ["lab_port"]),
        ("desi", ["desi2", "desi", "other"], 3, ["desi", "desi2"]),
        ("xyzzy", ["lab_port"], 3, []),
    ],
)
def test_the_likeliest_word_comes_first(word, known, most, found):
    assert nearest(word, known, most) == found


@pytest.mark.parametrize(("lab", "option"), [("desi", ""), ("desi2", " -e lab_name=desi2"), ("a", " -e lab_name=a")])
def test_lab_is_named_unless_it_is_the_usual_one(lab, option):
    assert name_option(lab) == option


@pytest.mark.security("H1")
@pytest.mark.parametrize(
    ("value", "plain"),
    [
        *[(value, True) for value in ("edr", "", "/home/ann/a-b", "12GiB", "a.b:8/c@sha256:0,+d_1", "true")],
        *[(value, False) for value in ("a b=c", 'x ansible_ssh_common_args=-o"curl|sh"', "$(id)", "x;id", "it's", "~")],
        *[(value, False) for value in ("a\nb", "a=b", "*", "{{ x }}", "`id`", "#", "\\")],
    ],
)
def test_a_setting_that_is_typed_again_is_one_setting(value, plain):
    option, typed = shlex.split(setting_option("lab_prefix", value))
    assert option == "-e"
    assert typed == f"lab_prefix={value}" if plain else json.loads(typed) == {"lab_prefix": value}
    assert shlex.split(name_option(value)) == shlex.split(setting_option("lab_name", value))


# Isolates, overrides, marks, separators and joiners, and those of no width.
INVISIBLE = [*map(chr, (0x061C, *range(0x200B, 0x2010), *range(0x2028, 0x202F), *range(0x2060, 0x2070), 0xFEFF))]


@pytest.mark.security("L2")
@pytest.mark.parametrize("letter", [*INVISIBLE, "\x00", "\x07", "\x1b", "\x7f", "\x9b"])
@pytest.mark.parametrize("how", [clean, one_line, printable, lambda text: clean_all({"a": [text]})["a"][0]])
def test_no_letter_that_steers_a_terminal_or_shows_nothing_stays(how, letter):
    assert how(f"nb.{letter}ipynb") == "nb.ipynb"
    assert how("na\u00efve \u03b1 \U0001f52d, 3\u00a0\u00c5") == "na\u00efve \u03b1 \U0001f52d, 3\u00a0\u00c5"


@pytest.mark.parametrize(
    ("path", "typed"),
    [
        *[(path, path) for path in ("/a/b", "~", "~/b", "~ann/b", "~a.b-c/d", "a")],
        ("~/a b", "~/'a b'"),
        ("/a b", "'/a b'"),
        ("~$(id)/x", "'~$(id)/x'"),
        ("~;id", "'~;id'"),
        ("~/$(id)", "~/'$(id)'"),
        ("~a b/c", "'~a b/c'"),
    ],
)
def test_a_path_that_is_typed_is_one_word(path, typed):
    assert shell_path(path) == typed
