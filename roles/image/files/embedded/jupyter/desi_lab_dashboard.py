# Copyright: (c) 2026, the DESI Lab contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Jupyter's way to the dashboard of the lab's Dask cluster: one host and one port, behind the lab's token.

The server extensions of jupyter-server-proxy and dask-labextension stay off: the one leads to every port of the
container, the other fetches any URL that it is asked for, and makes clusters inside the server.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

from jupyter_server.base.handlers import APIHandler
from jupyter_server.serverapp import ServerApp
from jupyter_server.utils import url_path_join
from jupyter_server_proxy.handlers import RemoteProxyHandler
from tornado import web
from tornado.httputil import HTTPHeaders

HOST, PORT = "scheduler", 8787
CONFIG, VARIABLE = Path("/etc/dask/desi-lab.yaml"), "DASK_SCHEDULER_ADDRESS"
PANEL = "dask-labextension"
PLOTS = (
    *("task-stream", "progress", "graph", "groups", "profile", "compute-time-per-key", "aggregate-time-per-action"),
    *("workers", "workers-memory", "cluster-memory", "memory-by-key", "cpu", "nprocessing", "bandwidth-workers"),
)
SECRETS = ("Authorization", "Cookie", "Referer", "X-Xsrftoken")


def has_cluster() -> bool:
    """Return whether the lab has a cluster at this moment: workers come and go while the server runs."""
    return CONFIG.exists() or bool(os.environ.get(VARIABLE))


class DashboardHandler(RemoteProxyHandler):
    """The dashboard, without the secrets of the person who asks for it."""

    def __init__(self, *arguments: object, **options: object) -> None:
        # A page that is left open is no use of the lab.
        super().__init__(*arguments, host_allowlist=[HOST], update_last_activity=False, **options)

    async def prepare(self, *arguments: object, **options: object) -> None:
        await super().prepare(*arguments, **options)
        if not has_cluster():
            raise web.HTTPError(404, "The lab has no Dask workers.")
        # The token has let in who asks, and goes no further.
        pairs = parse_qsl(self.request.query, keep_blank_values=True)
        self.request.query = urlencode([(name, text) for name, text in pairs if name != "token"])

    def proxy_request_headers(self) -> HTTPHeaders:
        headers = super().proxy_request_headers()
        for name in SECRETS:
            headers.pop(name, None)
        return headers


class ClustersHandler(APIHandler):
    """The list of clusters for Dask's panel to manage: none, because it only shows the lab's own."""

    @web.authenticated
    def get(self) -> None:
        self.finish(json.dumps([]))


class PlotsHandler(APIHandler):
    """The list of plots for Dask's panel. The scheduler of a lab has none: it would come with its logs and stacks."""

    @web.authenticated
    def get(self) -> None:
        paths = [f"individual-{name}" for name in PLOTS] if has_cluster() else []
        self.finish(json.dumps({path.replace("-", " ").title(): f"/{path}" for path in paths}))


def without_panel(_handler: object, page: dict[str, Any]) -> dict[str, Any]:
    """Return the configuration of JupyterLab's page, without Dask's panel where there is nothing to show."""
    extensions = page.get("federated_extensions", [])
    if not has_cluster():
        extensions = [each for each in extensions if each.get("name") != PANEL]
    return {**page, "federated_extensions": extensions}


def _load_jupyter_server_extension(app: ServerApp) -> None:
    base = app.web_app.settings["base_url"]
    dashboard = url_path_join(base, rf"/proxy/({HOST}):({PORT})(/.*|)")
    plots = url_path_join(base, rf"/proxy/{HOST}:{PORT}/individual-plots\.json")
    clusters = url_path_join(base, r"/dask/clusters/?")
    app.web_app.settings["page_config_hook"] = without_panel
    app.web_app.add_handlers(".*$", [(plots, PlotsHandler), (dashboard, DashboardHandler), (clusters, ClustersHandler)])
