"""The Origin policy (RFC 6455 sections 4.2.2 and 10.2): which pages may connect.

Browsers let any page open a WebSocket to any server and send the user's cookies
along, so a server that does not look at ``Origin`` can be used by every page its
user visits. Origins are compared parsed, never by substring or suffix.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from ws4py.exc import HandshakeError

__all__ = ["check_origin"]

_DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}

_Parsed = tuple[str, str, int | None]


def check_origin(origin: str | None, own: str | None, allowed: Iterable[str] | str | None) -> None:
    """Check the Origin of a request.

    :param origin: the header's value; ``None`` without the header, which only
        clients that are not browsers leave out.
    :param own: the server's own origin as the request sees it, scheme, host and
        port; ``None`` when nobody knows.
    :param allowed: ``None`` for the server's own origin, a list of origins, or
        ``'*'`` for no check.
    :raises HandshakeError: status 403.
    """
    if origin is None or allowed == "*":
        return
    if allowed is None:
        candidates = [own]
    else:
        candidates = [allowed] if isinstance(allowed, str) else list(allowed)
    if "*" in candidates:
        return
    wanted = _parse(origin)
    if wanted is None or wanted not in [_parse(each) for each in candidates if each]:
        raise HandshakeError(
            f"Origin {origin[:200]!r} is not allowed: add it to the setting 'origins'", 403
        )


def _parse(origin: str) -> _Parsed | None:
    """An origin as scheme, host and port, or ``None`` for what is no origin."""
    if not origin.isprintable():
        # urlsplit() would take tabs and line breaks out, wherever they stand.
        return None
    try:
        parts = urlsplit(origin.strip().lower())
        port = parts.port
    except ValueError:
        return None
    if not parts.scheme or not parts.hostname or parts.username is not None:
        return None
    if parts.path or parts.query or parts.fragment:
        return None
    return parts.scheme, parts.hostname, _DEFAULT_PORTS.get(parts.scheme) if port is None else port
