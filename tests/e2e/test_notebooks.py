# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Notebooks run in a lab from outside, by ./lab run as a person calls it."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

import nbformat
import pytest
from kinds import PERSON, ROOT

# A kernel of NERSC, as tutorials name one; labs elsewhere have another.
KERNEL = {"name": "desi-25.3", "display_name": "DESI 25.3", "language": "python"}

ours = pytest.mark.kinds("local-host")
# A notebook runs by the engine's own exec, so it makes no difference how a browser gets to a lab.
pytestmark = pytest.mark.kinds("local-host", "ec2-tunnel")


def write_notebook(path: Path, *sources: str) -> Path:
    """Write a notebook of the person with these cells; one that begins with # raises! may raise."""
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    for cell in cells:
        if cell["source"].startswith("# raises!"):
            cell["metadata"]["tags"] = ["raises-exception"]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": KERNEL}), path)
    os.chown(path, PERSON, PERSON)
    return path


@pytest.fixture
def elsewhere():
    """Return a folder of the person that is not the lab's: notebooks are read and written with that person's rights."""
    with tempfile.TemporaryDirectory(prefix="desi-lab-test-", dir="/var/tmp") as folder:
        os.chown(folder, PERSON, PERSON)
        yield Path(folder)


def outputs(path: Path) -> list[str]:
    """Return what the cells of a notebook printed, showed or raised."""
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    return [
        "".join(str(output.get("text") or output.get("data") or output.get("ename")) for output in cell["outputs"])
        for cell in notebook["cells"]
        if cell["cell_type"] == "code"
    ]


@ours
def test_notebook_in_the_folder_runs_in_place_and_its_outputs_belong_to_the_person(lab):
    (lab.folder / "beside.txt").write_text("found")
    path = write_notebook(
        lab.folder / "inside.ipynb",
        "import os\nprint(open('beside.txt').read(), os.environ['DESI_RELEASE'])",
        "# raises!\n1 / 0",
        "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()",
        "6 * 7",
    )
    before = path.read_bytes()
    done = lab.verb("run", lab.folder, desi_notebook="inside.ipynb")
    assert done.returncode == 0, done.stdout + done.stderr
    assert path.read_bytes() == before
    ran = lab.folder / "inside.run.ipynb"
    printed, raised, drawn, result = outputs(ran)
    assert printed == "found dr1\n"
    assert raised == "ZeroDivisionError"
    assert "image/png" in drawn
    assert "42" in result
    assert ran.stat().st_uid == PERSON
    for number, title in enumerate(("import os", "raises!", "import matplotlib.pyplot as plt", "6 * 7"), 1):
        assert f"✓ {number} {title}" in done.stdout
    assert "4 cells in" in done.stdout


@ours
def test_the_worked_example_runs_on_the_sample_and_saves_its_plot(lab, elsewhere):
    path = elsewhere / "stack_spectra.ipynb"
    path.write_bytes((ROOT / "examples" / path.name).read_bytes())
    os.chown(path, PERSON, PERSON)
    done = lab.verb("run", elsewhere, desi_notebook=path)
    assert done.returncode == 0, done.stdout + done.stderr
    printed = "".join(outputs(path.with_name("stack_spectra.run.ipynb")))
    assert re.search(r"[1-9]\d* coadds, [1-9]\d* spectra", printed)
    assert "both ways give the same bits" in printed
    assert lab.saved(f"desi-{lab.release}-stack.png").owner == PERSON


@ours
def test_first_error_ends_the_run_and_is_told_in_three_sentences(lab, elsewhere):
    path = write_notebook(elsewhere / "fails.ipynb", "x = 1", "{}['flux']", "print('never')")
    done = lab.verb("run", elsewhere, desi_notebook=path)
    assert done.returncode != 0
    assert "✗ 2 {}['flux']" in done.stdout
    assert "What  The notebook fails.ipynb stopped at cell 2 of 3." in done.stdout
    assert "Why   KeyError: 'flux'" in done.stdout
    assert outputs(elsewhere / "fails.run.ipynb") == ["", "KeyError", ""]
    assert "token=" not in done.stdout + done.stderr


@ours
def test_notebook_that_does_not_exist_is_refused(lab, elsewhere):
    done = lab.verb("run", elsewhere, desi_notebook="none.ipynb")
    assert done.returncode != 0
    assert "does not exist" in done.stdout


@pytest.mark.kinds("ec2-tunnel")
def test_notebook_of_this_computer_runs_in_a_lab_on_ec2_and_its_outputs_come_back(lab, tmp_path):
    path = write_notebook(
        tmp_path / "away.ipynb", "import os\nprint(os.environ['DESI_RELEASE'])", "open('/home/synced/kept', 'w')"
    )
    done = lab.verb("run", tmp_path, desi_notebook=path.name)
    assert done.returncode == 0, done.stdout
    assert "2 cells in" in done.stdout
    assert "token=" not in done.stdout
    assert outputs(tmp_path / "away.run.ipynb")[0] == f"{lab.release}\n"
    assert lab.saved("kept").owner == lab.owner


def test_kernel_that_dies_is_told_as_such(lab, elsewhere):
    path = write_notebook(elsewhere / "dies.ipynb", "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "1")
    done = lab.verb("run", elsewhere, desi_notebook=path)
    assert done.returncode != 0
    assert "stopped at cell 1 of 2." in done.stdout
    assert "The kernel died." in done.stdout


def test_notebook_from_elsewhere_can_be_opened_in_the_lab(lab, elsewhere):
    sources = ["print('from elsewhere')\n_ = open('made.txt', 'w').write('x')", "import os\nprint(os.getuid())"]
    path = write_notebook(elsewhere / "good.ipynb", *sources)
    assert lab.verb("run", elsewhere, desi_notebook=path).returncode == 0
    assert outputs(elsewhere / "good.run.ipynb") == ["from elsewhere\n", f"{lab.owner}\n"]
    look = "import glob\nprint('made.txt' in glob.glob('*'), 'elsewhere' in open('good.ipynb').read())"
    seen = write_notebook(elsewhere / "look.ipynb", look)
    assert lab.verb("run", elsewhere, desi_notebook=seen).returncode == 0
    assert outputs(elsewhere / "look.run.ipynb") == ["True True\n"]
