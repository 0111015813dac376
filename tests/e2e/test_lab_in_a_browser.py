# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The whole way of a person: the printed URL in a real browser, and what is to be found behind it."""

from __future__ import annotations

import re

from jupyterlab import NOTEBOOK, Terminal, api, ask, choose_until, run_all, saved_notebook, see_listed, until, visit
from playwright.sync_api import expect

WELCOME = "desi/welcome.ipynb"
WORDS = "seen from both sides"
RELEASES = {"edr": "fuji", "dr1": "iron"}


def test_url_leads_to_the_welcome_notebook_which_runs_to_its_end_and_shows_a_spectrum(page, lab, take_picture):
    visit(page, lab.url)
    page.locator(".lm-TabBar-tab", has_text="welcome.ipynb").click()
    expect(page.locator(f"{NOTEBOOK} h1")).to_have_text(re.compile("Welcome to DESI Lab"))
    expect(page.locator(".jp-FileBrowser")).to_be_visible()
    # Before anything has run.
    expect(page.locator(f"{NOTEBOOK} .alert-danger")).to_have_count(int(lab.synthetic))
    assert api(page, "status")["started"]
    run_all(page)
    picture = page.locator(f"{NOTEBOOK} .jp-OutputArea-output img").last
    expect(picture).to_be_in_viewport(ratio=0.5)
    width, height, shades = picture.evaluate(
        """image => {
            const canvas = Object.assign(document.createElement("canvas"),
                {width: image.naturalWidth, height: image.naturalHeight});
            const brush = canvas.getContext("2d");
            brush.drawImage(image, 0, 0);
            const dots = new Uint32Array(brush.getImageData(0, 0, canvas.width, canvas.height).data.buffer);
            return [image.naturalWidth, image.naturalHeight, new Set(dots).size];
        }"""
    )
    # Three arms, each in its own color, drawn with soft edges: an empty frame has a handful of shades.
    assert width > 500
    assert height > 200
    assert shades > 200
    take_picture(page, "lab")
    cells = [cell for cell in saved_notebook(page, WELCOME)["cells"] if cell["cell_type"] == "code"]
    assert all(cell["execution_count"] for cell in cells)
    kinds = {output["output_type"] for cell in cells for output in cell["outputs"]}
    assert "error" not in kinds
    assert "display_data" in kinds
    if lab.synthetic:
        assert "SYNTHETIC" in str(cells[0]["outputs"])
    if lab.saved:
        file = lab.saved(f"desi-{lab.release}-spectrum.png")
        assert file.content.startswith(b"\x89PNG")
        assert file.owner == lab.owner


def test_file_saved_in_the_browser_is_the_persons_own_outside(page, lab):
    visit(page, lab.url)
    opened = re.compile(r"/synced/(untitled\d*\.txt)$")
    name = choose_until(page, lambda: opened.search(page.url), "a file is open", "File", "New", "Text File")[1]
    page.locator(".jp-FileEditor .cm-content").last.click()
    page.keyboard.type(WORDS)
    page.keyboard.press("Control+S")
    page.get_by_role("button", name="Rename and Save").click()
    until(page, lambda: api(page, f"contents/synced/{name}")["content"].strip() == WORDS, "the file is saved")
    see_listed(page, name)
    if lab.saved:
        file = lab.saved(name)
        assert file.content.decode().strip() == WORDS
        assert file.owner == lab.owner


def test_terminal_lists_the_release(page, lab, take_picture):
    visit(page, lab.url)
    terminal = Terminal(page)
    # Its name and where it stands: the lab, and the folder that is kept.
    assert f"@{lab.name}:/home/synced" in terminal.text
    terminal.type("ls $DESI_ROOT && ls $DESI_ROOT/spectro/redux && echo sta''tus $?")
    shown = terminal.wait_for(r"(?s)redux(.*)status (\d+)")
    assert shown[2] == "0"
    assert RELEASES[lab.release] in shown[1].split()
    assert "spectro" in shown[1].split()
    take_picture(page, "terminal")


def test_wrong_token_is_refused_by_the_server(page, lab):
    page.goto(re.sub(r"token=\w+", f"token={'0' * 48}", lab.url))
    expect(page.get_by_label("Token")).to_be_visible()
    assert page.locator("#jp-main-dock-panel").count() == 0
    assert ask(page, "contents")[0] == 403
