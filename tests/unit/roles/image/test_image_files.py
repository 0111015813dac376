# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import ast
import base64
import hashlib
import json
import re
import shlex
import sys
from types import SimpleNamespace

import pytest
from desi_lab import home
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

LABELED = {
    *("jupyterlab", "numpy", "astropy", "fitsio", "dask", "sparclclient", "desiutil", "desispec", "desitarget"),
    *("desimodel", "redrock", "speclite", "specsim"),
}
SOMEONE_ELSES = {"specter", "prospect", "specex", "desidata", "sparcl", "surveysim"}


def instructions(dockerfile):
    """A Dockerfile's instructions, continued lines joined, comments left out."""
    lines = [line for line in dockerfile.read_text().splitlines() if not line.lstrip().startswith("#")]
    return [line.strip() for line in "\n".join(lines).replace("\\\n", " ").splitlines() if line.strip()]


def locked(files):
    """The lock, name by name."""
    lines = (files / "embedded" / "requirements.txt").read_text().splitlines()
    pins = [line.removesuffix("\\").strip() for line in lines if re.match(r"[a-z0-9]", line)]
    return {canonicalize_name(name): version for name, version in (pin.split("==") for pin in pins)}


def asked(files):
    """What requirements.in asks for."""
    lines = (files / "embedded" / "requirements.in").read_text().splitlines()
    return [Requirement(line) for line in lines if line.strip() and not line.startswith("#")]


def labels(files):
    """The labels of the embedded image as its Dockerfile writes them."""
    found = [line for line in instructions(files / "embedded" / "Dockerfile") if line.startswith("LABEL ")]
    return dict(word.split("=", 1) for line in found for word in shlex.split(line)[1:])


@pytest.fixture
def notebook(files):
    return json.loads((files / "embedded" / "welcome.ipynb").read_text())


@pytest.mark.parametrize(("image", "parent"), [("base", "debian:bookworm-slim"), ("embedded", "desi-lab-base:0.1.0")])
def test_an_image_names_its_parent_copies_what_is_in_its_context_and_needs_no_buildkit(files, image, parent):
    steps = instructions(files / image / "Dockerfile")
    assert steps[:2] == [f"ARG BASE={parent}", "FROM ${BASE}"]
    for source in (step.split()[1] for step in steps if step.startswith("COPY ")):
        assert source == "ca-bundle.crt" or (files / image / source).exists(), source
    text = (files / image / "Dockerfile").read_text()
    newer = r"^\s*(RUN|COPY|ADD)\s+--(mount|network|security|chmod|link|parents)|<<|^#\s*syntax"
    assert not re.search(newer, text, re.MULTILINE)


def test_the_hosts_certificates_are_trusted_before_the_first_download_over_tls(files):
    steps = instructions(files / "base" / "Dockerfile")
    trust = next(number for number, step in enumerate(steps) if step == "RUN update-ca-certificates")
    pip = next(number for number, step in enumerate(steps) if "pip install" in step)
    assert trust < pip
    environment = next(step for step in steps if step.startswith("ENV "))
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT", "CURL_CA_BUNDLE"):
        assert f"{name}=/etc/ssl/certs/ca-certificates.crt" in environment


def test_the_lock_pins_all_that_is_asked_for_and_nothing_that_is_not_wanted(files):
    pins, wanted = locked(files), asked(files)
    for requirement in wanted:
        assert requirement.specifier.contains(pins[canonicalize_name(requirement.name)]), requirement
    assert len(pins) > 100
    assert all(re.fullmatch(r"[0-9][0-9a-z.]*", version) for version in pins.values())
    # Nobody of DESI's, for all their names; and what builds a grammar at each start of the server.
    assert not SOMEONE_ELSES & {*pins, *(canonicalize_name(requirement.name) for requirement in wanted)}
    assert not {"rfc3987-syntax", "lark"} & set(pins)


def test_the_labels_say_the_versions_of_the_lock(files):
    found = {name.removeprefix("desi.lab."): version for name, version in labels(files).items() if "desi.lab." in name}
    assert set(found) == LABELED
    assert found == {name: locked(files)[name] for name in LABELED}


def test_the_table_of_releases_is_whole_and_the_welcome_notebook_opens_what_it_names(files, notebook):
    table = json.loads((files / "embedded" / "lab" / "releases.json").read_text())
    releases = table["releases"]
    assert table["default"] in releases
    for name, release in releases.items():
        assert name == name.lower()
        assert set(release) == {"specprod", "zcatalog", "survey", "program", "healpix", "public"}
    source = next("".join(cell["source"]) for cell in notebook["cells"] if cell["id"] == "choose-a-piece")
    assigned = ast.parse(source).body[0]
    assert isinstance(assigned, ast.Assign)
    assert ast.literal_eval(assigned.value) == {
        name: (release["survey"], release["program"], release["healpix"]) for name, release in releases.items()
    }


def test_the_welcome_notebook_is_clean_has_a_kernel_and_something_to_look_at_and_ends_with_its_plot(files, notebook):
    assert (files / "embedded" / "welcome.ipynb").read_text() == json.dumps(
        notebook, indent=1, ensure_ascii=False
    ) + "\n"
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(set(ids)) == len(ids)
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    for cell in code:
        assert (cell["outputs"], cell["execution_count"]) == ([], None)
        ast.parse("".join(cell["source"]))
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    # JupyterLab shows no other kinds of pictures of a notebook's own.
    (picture,) = notebook["cells"][0]["attachments"]["desi.png"].items()
    assert picture[0] == "image/png"
    assert base64.b64decode(picture[1]).startswith(b"\x89PNG")
    assert "(attachment:desi.png)" in "".join(notebook["cells"][0]["source"])
    assert notebook["cells"][-1]["id"] == "plot-the-spectrum"


def test_synthetic_data_are_announced_before_the_first_run_and_only_they(files):
    text = (files / "embedded" / "welcome.ipynb").read_text()
    first, *others = json.loads(home.with_banner(text))["cells"]
    assert (first["cell_type"], others) == ("markdown", json.loads(text)["cells"])
    assert "These data are SYNTHETIC" in "".join(first["source"])
    assert "alert-danger" not in text


def test_a_notebook_starts_with_the_default_kernel_unasked(files):
    settings = json.loads((files / "embedded" / "jupyter" / "overrides.json").read_text())
    assert settings["@jupyterlab/notebook-extension:tracker"]["autoStartDefaultKernel"] is True
    layout = json.loads((files / "embedded" / "jupyter" / "workspace.json").read_text())["data"]
    assert layout["notebook:desi/welcome.ipynb"]["data"]["kernel"] == {"name": "python3"}


def test_the_layout_opens_the_welcome_notebook_beside_the_persons_own_files_as_jupyterlabs_default(files):
    name = f"default-{hashlib.sha256(b'default').hexdigest()[:4]}.jupyterlab-workspace"
    steps = instructions(files / "embedded" / "Dockerfile")
    (target,) = (step.split()[2] for step in steps if "workspace.json" in step)
    assert target.endswith(f"/home/.jupyter/lab/workspaces/{name}")
    layout = json.loads((files / "embedded" / "jupyter" / "workspace.json").read_text())
    data = layout["data"]
    current = data["layout-restorer:data"]["main"]["current"]
    assert data[current]["data"]["path"] == "desi/welcome.ipynb"
    assert data["file-browser-filebrowser:cwd"]["path"] == "synced"
    assert layout["metadata"]["id"] == "default"


class _Config(SimpleNamespace):
    def __getattr__(self, name):
        setattr(self, name, _Config())
        return getattr(self, name)


@pytest.fixture
def configured(files, monkeypatch):
    def run(**env):
        for name in ("PUBLIC_IP", "DASK_SCHEDULER_ADDRESS"):
            monkeypatch.delenv(name, raising=False)
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        config = _Config()
        source = (files / "embedded" / "jupyter" / "jupyter_server_config.py").read_text()
        # Jupyter itself is in the image alone.
        provider = SimpleNamespace(IdentityProvider=SimpleNamespace())
        for name in ("jupyter_server", "jupyter_server.auth", "jupyter_server.auth.identity"):
            monkeypatch.setitem(sys.modules, name, provider)
        exec(compile(source, "config", "exec"), {"get_config": lambda: config})  # noqa: S102  # 2026-11: as Jupyter does
        return config

    return run


def test_jupyter_calls_nobody_and_keeps_to_the_published_port(configured, files):
    config = configured()
    assert config.LabApp.news_url is None
    assert config.LabApp.check_for_updates_class == "jupyterlab.NeverCheckForUpdate"
    assert config.LabApp.extension_manager == "readonly"
    assert config.ServerApp.port_retries == 0
    page = json.loads((files / "embedded" / "jupyter" / "page_config.json").read_text())
    assert page["disabledExtensions"]["@jupyterlab/apputils-extension:announcements"] is True
    assert page["disabledExtensions"]["@jupyterlab/extensionmanager-extension"] is True


def test_jupyter_starts_in_the_persons_own_folder_and_prints_the_public_address_when_it_is_told(configured):
    config = configured(SYNCED="/home/synced")
    assert config.ServerApp.root_dir == "/home"
    assert config.FileContentsManager.preferred_dir == "/home/synced"
    assert "custom_display_url" not in vars(config.ServerApp)
    config = configured(PUBLIC_IP="203.0.113.7", JUPYTER_PORT="9999")
    assert config.ServerApp.custom_display_url == "http://203.0.113.7:9999"


def test_jupyter_proxies_by_no_extension_of_others(configured, files):
    assert configured().ServerApp.jpserver_extensions == {
        "dask_labextension": False,
        "jupyter_server_proxy": False,
        "desi_lab_dashboard": True,
    }
    page = json.loads((files / "embedded" / "jupyter" / "page_config.json").read_text())
    assert page["disabledExtensions"]["@jupyterhub/jupyter-server-proxy"] is True
