# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

import pytest

from ansible_collections.desi.lab.plugins.module_utils._docker.progress import (
    ProgressFile,
    PullProgress,
    build_progress,
    follow,
)

BAR = "[====>                                              ]"


def test_pull_tells_bytes_and_layers_as_they_come():
    progress = PullProgress()
    told = [
        progress.see(line)
        for line in (
            "main: Pulling from desihub/desidocker",
            "a1b2c3d4e5f6: Already exists",
            "b1b2c3d4e5f6: Pulling fs layer",
            f"b1b2c3d4e5f6: Downloading {BAR}  12.5MB/1.25GB",
            f"c1b2c3d4e5f6: Downloading {BAR}    512kB/50MB",
            "c1b2c3d4e5f6: Verifying Checksum",
            f"c1b2c3d4e5f6: Extracting {BAR}  12.5MB/50MB",
            "c1b2c3d4e5f6: Pull complete ",
            "Digest: sha256:c0ffee",
        )
    ]
    assert told == [
        "",
        "1 of 1 layers",
        "1 of 2 layers",
        "12 MB of 1.2 GB, 1 of 2 layers",
        "13 MB of 1.3 GB, 1 of 3 layers",
        "62 MB of 1.3 GB, 1 of 3 layers",
        "62 MB of 1.3 GB, 1 of 3 layers",
        "62 MB of 1.3 GB, 2 of 3 layers",
        "",
    ]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("Step 4/12 : RUN   pip install numpy", "step 4 of 12: RUN pip install numpy"),
        ("#7 [3/5] COPY lab /usr/local", "step 3 of 5: COPY lab /usr/local"),
        ("#9 [made 2/6] RUN true", "step 2 of 6: RUN true"),
        (" ---> Running in 5f0c", ""),
        ("#7 1.234 Collecting numpy", ""),
        ("a Step 4/12 : of something else", ""),
    ],
)
def test_build_tells_its_steps(line, told):
    assert build_progress(line) == told


def test_command_is_followed_line_by_line_also_where_it_draws_over_its_lines():
    seen = []
    script = "test -t 1 || exit 9; printf 'one\\r\\n\\033[1A\\033[2K\\rtwo\\r\\n'; echo bad >&2; exit 3"
    code, said = follow(["sh", "-c", script], seen.append, {}, terminal=True)
    assert code == 3
    assert [line for line in seen if line] == ["one", "two"]
    assert said.splitlines()[-1] == "bad"


def test_without_a_terminal_all_is_read_in_the_order_it_came():
    script = "test -t 1 && exit 9; echo $WORD; echo bad >&2; echo end; exit 4"
    assert follow(["sh", "-c", script], lambda _line: None, {"WORD": "one"}, terminal=False) == (4, "one\nbad\nend")


def test_progress_is_to_be_read_by_all_and_gone_in_the_end(tmp_path):
    path = tmp_path / "progress"
    with ProgressFile(str(path), every=60) as file:
        assert path.read_text() == ""
        file.write("")
        file.write("1 of 9")
        file.write("2 of 9")
        assert path.read_text() == "1 of 9"
        assert path.stat().st_mode & 0o777 == 0o644
    assert not path.exists()


def test_nothing_is_written_where_somebody_laid_something_before_or_nobody_asked(tmp_path):
    (tmp_path / "target").write_text("kept")
    (tmp_path / "progress").symlink_to(tmp_path / "target")
    with pytest.raises(FileExistsError), ProgressFile(str(tmp_path / "progress")):
        pass
    assert (tmp_path / "target").read_text() == "kept"
    with ProgressFile("") as file:
        file.write("1 of 9")
