# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import json
import shlex

import pytest

from ansible_collections.desi.lab.plugins.module_utils._common.text import (
    name_option,
    nearest,
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
