# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Jupyter in a container of its own, also without any network: nothing here calls home."""

import os
import sys
from pathlib import Path

from jupyter_server.auth.identity import IdentityProvider

c = get_config()  # noqa: F821  # 2026-11: Jupyter puts this function into every configuration file

# Outside, Docker publishes the port where the person wants it: inside, it has to listen on every address.
c.ServerApp.ip = "0.0.0.0"  # noqa: S104
c.ServerApp.port_retries = 0
c.ServerApp.open_browser = False
# Rootless Docker, and a lab started by root, run as root inside: there is nobody else.
c.ServerApp.allow_root = True
c.ServerApp.root_dir = "/home"
# Its page for who has no token says where it is.
c.ServerApp.extra_template_paths = ["/opt/desi/etc/jupyter/templates"]
c.FileContentsManager.preferred_dir = os.environ.get("SYNCED", "/home/synced")
if os.environ.get("PUBLIC_IP"):
    c.ServerApp.custom_display_url = f"http://{os.environ['PUBLIC_IP']}:{os.environ.get('JUPYTER_PORT') or 8888}"

# The same token after each start. As one that Jupyter made, it is in the log, where the URL is looked for.
# Whoever says how to log in is not overruled.
kept = Path("/var/lib/desi-lab/token")
said = [*sys.argv[1:], *(name for name in ("JUPYTER_TOKEN", "JUPYTER_TOKEN_FILE") if os.environ.get(name))]
if kept.is_file() and not any("token" in word.lower() or "password" in word.lower() for word in said):
    IdentityProvider.token_generated = True
    c.IdentityProvider.token = kept.read_text(encoding="ascii")

# The dashboard of the lab's own Dask cluster, where it has one, is all that is reached through this server.
c.ServerApp.jpserver_extensions = {
    "dask_labextension": False,
    "jupyter_server_proxy": False,
    "desi_lab_dashboard": True,
}

# A kernel that does not listen is not waited for: docker stop has to be done within 5 seconds.
c.KernelManager.shutdown_wait_time = 2.0

c.LabApp.news_url = None
c.LabApp.check_for_updates_class = "jupyterlab.NeverCheckForUpdate"
c.LabApp.extension_manager = "readonly"
c.LanguageServerManager.autodetect = False
