# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Healpixels, bricks, identifiers and the focal plane."""

from collections import Counter
from math import cos, radians, sin

import pytest
from desi_sample import sky

# By healpy 1.20: pix2ang(64, pixel, nest=True, lonlat=True), the equator, both caps and the seam at RA 0.
CENTERS = [
    (0, 45.0, 0.596842),
    (4095, 45.0, 89.269029),
    (16384, 0.0, -41.0145),
    (23040, 56.25, -8.989299),
    (26965, 179.296875, 0.0),
    (32767, 270.0, 41.0145),
    (40960, 225.0, -89.269029),
    (49151, 315.0, -0.596842),
]


def test_a_healpixel_holds_its_center_all_around_the_circle():
    assert [sky.healpixel(ra, dec) for _pixel, ra, dec in CENTERS] == [pixel for pixel, _ra, _dec in CENTERS]
    assert sky.healpixel(-3.75, -8.989299) == sky.healpixel(356.25, -8.989299)


def test_a_target_identifier_is_packed_as_desitarget_does_and_fits_into_a_signed_integer():
    # decode_targetid(39627568982263324) gives objid 1564, brickid 278930, release 9010, and no sky.
    assert sky.targetid(9010, 278930, 1564, sky=False) == 39627568982263324
    assert sky.targetid(9010, 495765, 522, sky=True) == 616089230757593610
    assert 0 < sky.targetid(9010, 2**20 - 1, 2**22 - 1, sky=True) < 2**63


@pytest.mark.parametrize(
    ("ra", "dec", "name"),
    [
        (179.296875, 0.0, "DESI J179.2968+00.0000"),
        (5.19999, -0.50009, "DESI J005.1999-00.5000"),
        (55.98092585, -9.13784883, "DESI J055.9809-09.1378"),
    ],
)
def test_a_designation_is_cut_off_and_has_22_letters(ra, dec, name):
    assert sky.designation(ra, dec) == name
    assert len(name) == 22


@pytest.mark.parametrize(
    ("ra", "dec", "name"), [(55.68, -9.0, "0556m088"), (0.1, 0.1, "0001p001"), (359.9, -0.1, "3598m001")]
)
def test_a_brick_is_named_after_its_middle(ra, dec, name):
    number, found = sky.brick(ra, dec)
    assert found == name
    assert 0 <= number < 2**20


def test_east_is_left_on_the_focal_plane_also_across_the_seam_at_zero():
    x, y = sky.focal_plane(56.0 + 1.0, -9.0, 56.0, -9.0)
    assert x == pytest.approx(-sky.MILLIMETERS_PER_DEGREE * 0.98769, rel=1e-4)
    assert y == pytest.approx(0.0)
    assert sky.focal_plane(0.5, 0.0, 359.5, 0.0) == pytest.approx(sky.focal_plane(57.0, 0.0, 56.0, 0.0))


def test_the_petals_are_ten_equal_wedges():
    petals = Counter(sky.petal(cos(radians(angle + 0.5)), sin(radians(angle + 0.5))) for angle in range(360))
    assert petals == dict.fromkeys(range(10), 36)
