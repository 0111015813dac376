# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import json

import pytest
from fake_engine import container
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.desi.lab.plugins.plugin_utils._same_settings import PATHS, as_saved, means, normal_path


@pytest.mark.parametrize(
    ("name", "value", "path"),
    [
        ("lab_data", "//data//dr1/./", "/data/dr1"),
        ("lab_data", "/data/dr1/..", "/data"),
        ("lab_data", "~/data", "/home/ann/data"),
        ("lab_data", "./dr1/", "/data/ann/dr1"),
        ("lab_data", "../dr1", "/data/dr1"),
        ("lab_folder", "dr1", "/data/ann/dr1"),
        ("lab_folder", "~", "/home/ann"),
        ("lab_cache", "/", "/"),
        ("lab_image", "~/image/", "/home/ann/image"),
        # No paths, or none that can be known.
        ("lab_data", "s3", "s3"),
        ("lab_data", "dr1", "dr1"),
        ("lab_image", "desihub/desi:1.0", "desihub/desi:1.0"),
        ("lab_folder", "~nobody-of-that-name/x", "~nobody-of-that-name/x"),
        ("lab_cache", "", ""),
        ("lab_folder", 7, 7),
        ("lab_folder", "C:/Users/ann", "C:/Users/ann"),
        ("lab_certificate", "d:\\own.pem", "d:\\own.pem"),
        ("lab_cache", "a:b", "/data/ann/a:b"),
    ],
)
def test_paths_are_written_in_one_way(name, value, path):
    assert normal_path(name, value, "/home/ann", "/data/ann") == path


def test_a_part_of_a_path_that_goes_back_goes_back_from_where_a_link_leads(tmp_path):
    (tmp_path / "far/away").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "far/away")
    assert normal_path("lab_data", f"{tmp_path}/link/../x", "", "") == f"{tmp_path}/far/x"


@given(st.sampled_from(PATHS), st.text("a./~", max_size=9))
def test_a_path_that_was_written_once_stays(name, text):
    once = normal_path(name, text, "/home/ann", "/data")
    assert normal_path(name, once, "/home/ann", "/data") == once


@pytest.mark.parametrize(
    ("name", "one", "other", "same"),
    [
        ("lab_data", "/data", "/data/", True),
        ("lab_data", "/data", "/data2", False),
        ("lab_image", "desi-lab", "docker.io/library/desi-lab:latest", True),
        ("lab_image", "desihub/desi:1", "docker.io/desihub/desi:1", True),
        ("lab_image", "localhost:5000/desi", "localhost:5000/desi:latest", True),
        ("lab_image", "localhost:5000/desi", "desi", False),
        ("lab_image", "desi:1", "desi", False),
        ("lab_image", "embedded", "desi-lab", False),
        ("lab_cache_max", "50GiB", "50 GiB", True),
        ("lab_cache_max", "50GiB", "51GiB", False),
        ("lab_cache_max", "50GiB", "", False),
        ("lab_bind", "::1", "0:0:0:0:0:0:0:1", True),
        ("lab_bind", "::1", "x", False),
        ("lab_endpoint", "https://s3.example.org/", "https://s3.example.org", True),
        ("lab_prefix", "public/", "/public", True),
        ("lab_release", "edr", "dr1", False),
        ("lab_port", 8888, "8888", False),
    ],
)
def test_what_means_the_same_is_no_other_setting(name, one, other, same):
    assert means(name, one, other) is same
    assert means(name, other, one) is same


def test_a_lab_keeps_the_words_that_it_saved(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path)
    saved = {"lab_data": f"{tmp_path}/link/", "lab_port": 9999, "lab_image": "desi:latest"}
    mine = container("desi", labels={"desi.lab.settings": json.dumps(saved)})
    lab = {"name": "desi", "data": str(tmp_path), "port": 8888, "image": "desi"}
    assert as_saved(lab, mine) == {**lab, "data": saved["lab_data"], "image": "desi:latest"}
    # Links of a machine elsewhere lead elsewhere, and what another lab saved is that one's.
    assert as_saved(lab, mine, here=False) == {**lab, "image": "desi:latest"}
    assert as_saved({**lab, "name": "zeta"}, mine) == {**lab, "name": "zeta"}
    assert as_saved(lab, {}) == lab
