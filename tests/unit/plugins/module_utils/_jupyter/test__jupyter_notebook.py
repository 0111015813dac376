# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.desi.lab.plugins.module_utils._jupyter.notebook import (
    Outputs,
    add_output,
    cells_to_run,
    error_text,
    finish,
    kernel_for,
    title_of,
)


def code(source, *tags):
    return {"cell_type": "code", "source": source, "metadata": {"tags": list(tags)}, "outputs": []}


def test_cells_to_run_are_code_in_order_without_empty_ones_and_those_tagged_to_be_left_out():
    cells = [
        {"cell_type": "markdown", "source": "# text", "metadata": {}},
        code("a = 1"),
        code("  \n"),
        code("b = 2", "skip-execution"),
        code(["c = 3\n", "d"]),
    ]
    assert [cell["source"] for cell in cells_to_run({"cells": cells})] == ["a = 1", ["c = 3\n", "d"]]


@pytest.mark.parametrize(
    ("source", "title"),
    [
        ("import os\nprint(1)", "import os"),
        ("\n\n# Read the coadd\nx = 1", "Read the coadd"),
        (["### ", "\n", "%matplotlib inline"], "%matplotlib inline"),
        ("#", ""),
    ],
)
def test_title_of_a_cell_is_its_first_line_that_says_something(source, title):
    assert title_of(code(source)) == title


SERVER = {
    "default": "python3",
    "kernelspecs": {
        "python3": {"spec": {"language": "python"}},
        "ir": {"spec": {"language": "R"}},
    },
}


@pytest.mark.parametrize(
    ("metadata", "kernel"),
    [
        ({"kernelspec": {"name": "ir"}}, "ir"),
        ({"kernelspec": {"name": "desi-25.3", "language": "python"}}, "python3"),
        ({"kernelspec": {"name": "desi-25.3"}, "language_info": {"name": "python"}}, "python3"),
        ({"kernelspec": {"name": "julia-1.9"}, "language_info": {"name": "julia"}}, ""),
        ({}, "python3"),
    ],
)
def test_kernel_is_the_one_that_is_named_else_the_servers_own_if_its_language_fits(metadata, kernel):
    assert kernel_for({"metadata": metadata}, SERVER) == kernel


def test_a_server_whose_own_kernel_is_unknown_has_none_that_fits():
    assert kernel_for({"metadata": {}}, {"default": "gone", "kernelspecs": {}}) == ""


def collect(*messages):
    outputs = Outputs()
    for kind, content in messages:
        add_output(outputs, kind, content)
    return outputs.made


def say(text, name="stdout"):
    return "stream", {"name": name, "text": text}


def test_streams_grow_together_as_long_as_nothing_comes_between():
    made = collect(say("a"), say("b"), say("oh", "stderr"), say("c"))
    assert [(output["name"], output["text"]) for output in made] == [
        ("stdout", "ab"),
        ("stderr", "oh"),
        ("stdout", "c"),
    ]


def test_clear_output_forgets_at_once_or_when_something_new_comes():
    assert collect(say("old"), ("clear_output", {"wait": False})) == []
    assert [each["text"] for each in collect(say("old"), ("clear_output", {"wait": True}))] == ["old"]
    assert [each["text"] for each in collect(say("old"), ("clear_output", {"wait": True}), say("new"))] == ["new"]


def test_what_is_shown_anew_takes_the_place_of_what_was_shown_under_its_name():
    shown = {"data": {"text/plain": "10 %"}, "metadata": {}, "transient": {"display_id": "bar"}}
    other = {"data": {"text/plain": "kept"}, "metadata": {}}
    update = {**shown, "data": {"text/plain": "100 %"}}
    made = collect(("display_data", shown), ("display_data", other), ("update_display_data", update))
    assert [output["data"]["text/plain"] for output in made] == ["100 %", "kept"]
    notebook = {"cells": [{"outputs": made}, {"cell_type": "markdown"}]}
    finish(notebook)
    assert all("display_id" not in output for output in made)


def test_results_errors_and_pictures_become_outputs_and_all_else_does_not():
    made = collect(
        ("status", {"execution_state": "busy"}),
        ("execute_input", {"code": "1"}),
        ("execute_result", {"data": {"text/plain": "1"}, "metadata": {}, "execution_count": 3}),
        ("error", {"ename": "KeyError", "evalue": "'Z'", "traceback": ["t"], "engine_info": {}}),
        ("execute_reply", {"status": "ok"}),
    )
    assert made == [
        {"output_type": "execute_result", "data": {"text/plain": "1"}, "metadata": {}, "execution_count": 3},
        {"output_type": "error", "ename": "KeyError", "evalue": "'Z'", "traceback": ["t"]},
    ]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ({"ename": "KeyError", "evalue": "'Z'"}, "KeyError: 'Z'"),
        ({"ename": "OSError", "evalue": "\n\x1b[31mno file\x1b[0m\nmore"}, "OSError: no file"),
        ({"ename": "KeyboardInterrupt", "evalue": ""}, "KeyboardInterrupt"),
        ({}, "Error"),
    ],
)
def test_error_is_told_in_one_line(content, text):
    assert error_text(content) == text
