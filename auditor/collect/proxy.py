"""The environment's proxy, used only where the user asked for it: a tunnel (CONNECT) to the target, never another host's answer."""

from __future__ import annotations

import base64
import http.client
from typing import Any, NamedTuple, cast
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from auditor.collect.wire import Wire
from auditor.model.errors import CollectError


class Proxy(NamedTuple):
    """Where the proxy listens, and the header that it wants."""

    host: str
    port: int
    authorization: str | None


def proxy_for(scheme: str, host: str) -> Proxy | None:
    """The proxy that the environment names for a target, None where there is none or the target is excepted."""
    url = getproxies().get(scheme)
    if not url or proxy_bypass(host):
        return None
    parts = urlsplit(url if "//" in url else f"//{url}")
    if not parts.hostname:
        return None
    user = f"{unquote(parts.username)}:{unquote(parts.password or '')}" if parts.username else None
    word = f"Basic {base64.b64encode(user.encode()).decode('ascii')}" if user else None
    return Proxy(parts.hostname, parts.port or 8080, word)


def tunnel(wire: Wire, proxy: Proxy, host: str, port: int, target: str) -> None:
    """Ask the proxy for a tunnel to the target over its connection. Raises CollectError and http.client's errors."""
    name = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    lines = [f"CONNECT {name} HTTP/1.1", f"Host: {name}"]
    if proxy.authorization:
        lines.append(f"Proxy-Authorization: {proxy.authorization}")
    wire.sendall("\r\n".join([*lines, "", ""]).encode("ascii"))
    response = http.client.HTTPResponse(cast("Any", wire), method="CONNECT")
    response.begin()
    if response.status != 200:
        raise CollectError(
            target,
            f"the proxy {proxy.host}:{proxy.port} gives no tunnel to {name} (status {response.status})",
            next_step="add the host to NO_PROXY, or leave out --use-proxy",
        )
