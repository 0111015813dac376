# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Labs and a real browser for all tests of what a person sees."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from browsing import PATIENCE, Browsing, browser
from kinds import KINDS, Lab, saved_here
from playwright.sync_api import expect

# Where pictures for the documentation go, and a clone of DESI's tutorials: both are for whoever has asked for them.
PICTURES = os.environ.get("DESI_LAB_PICTURES", "")
TUTORIALS = os.environ.get("DESI_LAB_TUTORIALS", "")
collect_ignore = [] if TUTORIALS else ["test_tutorials.py"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let somebody choose a lab: one of ours, or his own by its URL."""
    parser.addoption("--lab", action="append", choices=list(KINDS), help="which kinds of lab to make (all)")
    parser.addoption("--url", help="the URL of a lab that runs already, token included, instead of making one")
    parser.addoption("--release", default="dr1", help="the release in that lab")
    parser.addoption("--folder", type=Path, help="the folder that it shows as synced, if it is on this computer")
    parser.addoption("--certificate", type=Path, help="the certificate that it has to show")


def pytest_configure(config: pytest.Config) -> None:
    """Let a test say that it is about labs of ours alone, and be as patient as a busy computer is slow."""
    expect.set_options(timeout=PATIENCE)
    config.addinivalue_line("markers", "kinds(*names): visits labs of these kinds alone")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what visits a lab once for each kind of lab that was asked for."""
    if "lab" in metafunc.fixturenames:
        option = metafunc.config.getoption
        kinds = ["given"] if option("--url") else option("--lab") or list(KINDS)
        metafunc.parametrize("lab", kinds, indirect=True, scope="session")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is about labs of other kinds alone."""
    markers = [(item, item.get_closest_marker("kinds")) for item in items]
    others = [item for item, marker in markers if marker and item.callspec.params["lab"] not in marker.args]
    config.hook.pytest_deselected(items=others)
    items[:] = [item for item in items if item not in others]


@pytest.fixture(scope="session")
def lab(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab of one kind, that runs while the tests of this kind do."""
    if request.param == "given":
        option = request.config.getoption
        folder = option("--folder")
        yield Lab(
            option("--url"),
            option("--release"),
            saved=functools.partial(saved_here, folder) if folder else None,
            owner=folder.stat().st_uid if folder else None,
            certificate=option("--certificate"),
        )
        return
    scratch = tmp_path_factory.mktemp(request.param)
    # The person is to reach his folder in it.
    for folder in (scratch, *scratch.parents):
        if folder.stat().st_uid == os.geteuid() and len(folder.parts) > 2:
            folder.chmod(folder.stat().st_mode | 0o711)
    with KINDS[request.param](scratch) as made:
        yield made


@pytest.fixture(scope="session")
def browsing(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browsing]:
    """A browser that believes the lab's certificate and no other, for all tests of one lab."""
    with browser(lab, tmp_path_factory.mktemp("browser")) as opened:
        yield opened


@pytest.fixture
def page(browsing: Browsing, lab: Lab, request: pytest.FixtureRequest) -> Iterator[object]:
    """A page of a browser that has never been here, logged in by nothing but the URL; it may ask nobody but the lab."""
    with browsing.page() as opened:
        yield opened
        strangers = {url for url in browsing.asked if not browsing.may_ask(url)}
    assert not strangers


@pytest.fixture
def take_picture(lab: Lab) -> object:
    """Return a function that keeps a picture of a page for the documentation, if somebody asked for pictures."""

    def take(page: object, name: str) -> None:
        if PICTURES:
            folder = Path(PICTURES) / "pictures"
            folder.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileNotFoundError):
                (folder / f"{name}.png").unlink()
            page.screenshot(path=folder / f"{name}.png")

    return take
