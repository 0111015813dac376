# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Jupyter in a container of its own, also without any network: nothing here calls home."""

import os

c = get_config()  # noqa: F821  # 2026-11: Jupyter puts this function into every configuration file

# Outside, Docker publishes the port where the person wants it: inside, it has to listen on every address.
c.ServerApp.ip = "0.0.0.0"  # noqa: S104
c.ServerApp.port_retries = 0
c.ServerApp.open_browser = False
# Rootless Docker, and a lab started by root, run as root inside: there is nobody else.
c.ServerApp.allow_root = True
c.ServerApp.root_dir = "/home"
c.FileContentsManager.preferred_dir = os.environ.get("SYNCED", "/home/synced")
if os.environ.get("PUBLIC_IP"):
    c.ServerApp.custom_display_url = f"http://{os.environ['PUBLIC_IP']}:{os.environ.get('JUPYTER_PORT') or 8888}"

# A kernel that does not listen is not waited for: docker stop has to be done within 5 seconds.
c.KernelManager.shutdown_wait_time = 2.0

c.LabApp.news_url = None
c.LabApp.check_for_updates_class = "jupyterlab.NeverCheckForUpdate"
c.LabApp.extension_manager = "readonly"
c.LanguageServerManager.autodetect = False
