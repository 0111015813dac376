# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options of the mount tools, with their conditions, first versions and reasons.

The figures are those of bench/stream; docs/streaming.md shows them.
"""

from __future__ import annotations

from typing import NamedTuple

Version = tuple[int, ...]

# Less memory than this is a small machine: t3.micro has 1 GiB.
SMALL = 1536 * 1024**2


class Setting(NamedTuple):
    """An option that is used if all words of ``when`` hold."""

    option: str
    when: str = ""
    since: Version = ()


RCLONE_OLDEST: Version = (1, 58)  # the first with --devname, by which a mount is recognized

RCLONE_SETTINGS = (
    # The user in the container is neither root nor known here.
    Setting("--allow-other"),
    Setting("--read-only", "read-only"),
    # Dates out of the listing: without it, `ls -l` and each first opening cost one more request a file. --no-modtime
    # saves none of those at opening and gives every file the date of the mount. --vfs-fast-fingerprint saves none
    # either, and leaves only the size to tell whether a cached file of several parts is still the one in the bucket.
    # For such a file rclone asks for a checksum at opening, which the relay answers from the listing.
    Setting("--use-server-modtime"),
    # A published release does not change; a bucket that is written to may.
    Setting("--dir-cache-time=1h", "read-only"),
    # Behind the relay rclone asks for no more than its reader wants, a little first and twice as much each time. What
    # is read ahead, and over how many connections, is for the relay, which sees whether somebody jumps or reads on. Any
    # fixed size is wrong for one of the two: 4 MiB by 8 fetches 32 MB for each jump, 1 MiB by 4 reads a file on at a
    # third of the line. With 1 MiB as limit whole files take a tenth longer.
    Setting("--vfs-read-chunk-size=64K", "relay"),
    Setting("--vfs-read-chunk-size-limit=4M", "relay"),
    Setting("--buffer-size=0", "relay"),
    # Without a buffer, two reads of one file that overtake each other can leave the first one waiting for rclone's
    # next look around, up to 5 s later. The kernel then asks for one piece after the other.
    Setting("--async-read=false", "relay"),
    # The kernel begins small whoever asks, and grows only for those who read on.
    Setting("--max-read-ahead=1M", "relay"),
    # Without the relay: good at a file that is read on, and no worse than others at the headers.
    Setting("--vfs-read-chunk-size=4M", "direct normal"),
    Setting("--vfs-read-chunk-streams=8", "direct normal", (1, 68)),
    Setting("--vfs-read-ahead=32M", "direct normal cache"),
    # Each reader may hold streams times size: with 1 GiB of memory, eight readers must not take it all.
    Setting("--vfs-read-chunk-size=1M", "direct small"),
    Setting("--vfs-read-chunk-streams=4", "direct small", (1, 68)),
    Setting("--buffer-size=1M", "direct small"),
    Setting("--vfs-cache-mode=full", "cache"),
    # What bounds the cache is its size: the tool's own limit of an hour would empty it over lunch.
    Setting("--vfs-cache-max-age=8760h", "cache"),
    Setting("--vfs-cache-min-free-space=2G", "cache", (1, 64)),
    # The tool looks once a minute by itself, and a fast line fills a disk in less.
    Setting("--vfs-cache-poll-interval=10s", "cache"),
    # The tool's own limits (1 min to connect, 5 min of silence) leave a notebook hanging when the network was away.
    Setting("--contimeout=15s"),
    Setting("--timeout=1m"),
)

# By its documentation: it cannot be run where the figures come from.
MOUNT_S3_SETTINGS = (
    Setting("--foreground"),
    Setting("--allow-other"),
    Setting("--read-only", "read-only"),
    Setting("--no-sign-request", "anonymous"),
    Setting("--force-path-style", "path-style"),
    # As long as rclone's: it asks anew for every name otherwise, and listings are its weak side.
    Setting("--metadata-ttl=3600", "read-only"),
    # It takes up to 95 % of the memory for reading ahead; on a small machine it was killed for it.
    Setting("--memory-target=256", "small", (1, 24)),
)
