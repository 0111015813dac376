# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Random numbers that stay, and rounding that hides what processors differ in."""

import numpy as np
from desi_sample.draws import Draws, quantize


def test_draws_are_these_on_every_machine_and_others_with_another_key():
    draws = Draws("iron", 7)
    assert [draws.integer(0, 1000) for _ in range(3)] == [500, 199, 515]
    assert draws.uniform(2.0, 3.0) == 2.458788931831247
    assert draws.normal() == -1.216156005859375
    assert Draws("iron", 7).uniform() != Draws("iron", 8).uniform() != Draws("fuji", 8).uniform()


def test_draws_are_distributed_as_their_names_say():
    normals = Draws("statistics").normals(200_000)
    assert abs(normals.mean()) < 0.01
    assert abs(normals.var() - 1.0) < 0.01
    assert 0.30 < np.mean(np.abs(normals) > 1.0) < 0.33
    assert 0.04 < np.mean(np.abs(normals) > 2.0) < 0.05
    uniforms = Draws("statistics").uniforms(-3.0, 5.0, 100_000)
    assert uniforms.min() >= -3.0
    assert uniforms.max() < 5.0
    assert abs(uniforms.mean() - 1.0) < 0.02
    draws = Draws("options")
    assert {draws.choice("abc") for _ in range(100)} == set("abc")


def test_rounding_makes_neighbors_equal_changes_little_and_stays():
    assert quantize(0.1, 20) == quantize(np.nextafter(0.1, 1.0), 20)
    for value in (0.0, 1.0, -1.0, 1e-30, 3.7e20, -0.3):
        assert abs(quantize(value, 20) - value) <= abs(value) * 2.0**-20
    once = quantize(np.array([0.1, 2.3, -7.9]), 12)
    assert np.array_equal(quantize(once, 12), once)
