"""The opening handshake (RFC 6455 section 4), both roles, written once.

It sees a request or a response that somebody else has read off the wire and says
what to answer. It never touches a socket, and every refusal is a
:class:`~ws4py.exc.HandshakeError` with the HTTP status to answer.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ws4py._wire.codes import WS_KEY, WS_VERSION
from ws4py._wire.extension import MessageExtension
from ws4py.exc import HandshakeError
from ws4py.protocol.extensions import (
    ExtensionFactory,
    Extensions,
    accept_offer,
    check_answer,
    factories,
)
from ws4py.protocol.headers import (
    Headers,
    build_extension,
    is_host,
    is_token,
    parse_extensions,
    parse_tokens,
)
from ws4py.protocol.origin import check_origin

__all__ = ["Acceptance", "ClientHandshake", "Request", "accept_key", "accept_request"]

_KEY_BYTES = 16
_CURRENT_VERSION = 13
_SWITCHING = 101
_HTTP_1_1 = (1, 1)


@dataclass(frozen=True)
class Request:
    """An upgrade request as a server has read it.

    :param method: the HTTP method.
    :param http_version: for example ``(1, 1)``.
    :param origin: the server's own origin as this request sees it, for example
        ``http://example.org:8080``; ``None`` when it is not known.
    """

    method: str
    http_version: tuple[int, int]
    headers: Headers
    origin: str | None = None


@dataclass(frozen=True)
class Acceptance:
    """An accepted handshake.

    :param headers: the response's header fields; a server sends them with its 101.
    :param protocols: the chosen sub-protocol in a list, or an empty list.
    :param extensions: the chosen extension's header element in a list, or an empty list.
    :param extension: its implementation, which the connection has to be given.
    :param version: the protocol version that the client speaks.
    """

    headers: list[tuple[str, str]] = field(default_factory=list)
    protocols: list[str] = field(default_factory=list)
    extensions: list[str] = field(default_factory=list)
    extension: MessageExtension | None = None
    version: int = _CURRENT_VERSION


def accept_key(key: str) -> str:
    """Return the value of ``Sec-WebSocket-Accept`` for a key (section 4.2.2, 5.4)."""
    digest = hashlib.sha1(key.encode("ascii") + WS_KEY).digest()  # noqa: S324 - RFC's choice
    return base64.b64encode(digest).decode("ascii")


# -- Server ------------------------------------------------------------------------


def accept_request(
    request: Request,
    protocols: Sequence[str] | None = None,
    extensions: Extensions | None = None,
    versions: Iterable[int] = WS_VERSION,
    origins: Iterable[str] | str | None = None,
) -> Acceptance:
    """Server: judge an upgrade request by section 4.2.

    :param protocols: the server's sub-protocols, most wanted first.
    :param extensions: the server's extensions; names without an implementation
        are left out.
    :param versions: the protocol versions that are spoken.
    :param origins: see :func:`ws4py.protocol.origin.check_origin`.
    :raises HandshakeError: status 400, 403, 405 or 426, with the header fields
        that such a response needs.
    """
    _check_http(request)
    headers = request.headers
    version = _check_version(headers, versions)
    key = _check_key(headers)
    check_origin(_origin(headers), request.origin, origins)
    chosen = _choose_protocol(headers, protocols)
    agreed = accept_offer(
        parse_extensions(headers.joined("Sec-WebSocket-Extensions")), factories(extensions)
    )
    fields = [
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Accept", accept_key(key)),
    ]
    fields += [("Sec-WebSocket-Protocol", name) for name in chosen]
    named = [agreed.header] if agreed.header else []
    fields += [("Sec-WebSocket-Extensions", element) for element in named]
    return Acceptance(fields, chosen, named, agreed.extension, version)


def _check_http(request: Request) -> None:
    headers = request.headers
    if request.method != "GET":
        # Section 4.1: "The method of the request MUST be GET"
        raise HandshakeError("method is not GET", 405, [("Allow", "GET")])
    if request.http_version < _HTTP_1_1:
        raise HandshakeError("HTTP version must be at least 1.1")
    if not is_host(headers.single("Host") or ""):
        # Section 4.2.1: "A |Host| header field containing the server's authority."
        raise HandshakeError("no Host header, or a malformed one")
    if "Content-Length" in headers or "Transfer-Encoding" in headers:
        # A proxy and we could disagree where a body ends and frames begin.
        raise HandshakeError("an upgrade request must not have a body")
    offered = parse_tokens(headers.joined("Upgrade"))
    if not offered:
        # A browser that follows a link, or a health check: it is told what is here.
        raise HandshakeError(
            "this is a WebSocket endpoint and the request has no Upgrade header",
            426,
            [("Upgrade", "websocket")],
        )
    if "websocket" not in map(str.lower, offered):
        raise HandshakeError("no 'websocket' in the Upgrade header")
    if "upgrade" not in map(str.lower, parse_tokens(headers.joined("Connection"))):
        raise HandshakeError("no 'Upgrade' in the Connection header")


def _check_version(headers: Headers, versions: Iterable[int]) -> int:
    given = headers.all("Sec-WebSocket-Version")
    known = {str(number): number for number in versions}
    if len(given) != 1 or given[0] not in known:
        # Section 4.4: the answer names the versions that the server speaks; there
        # is only one that anybody should still use.
        raise HandshakeError(
            "Sec-WebSocket-Version must be 13",
            426,
            [("Sec-WebSocket-Version", str(_CURRENT_VERSION))],
        )
    return known[given[0]]


def _origin(headers: Headers) -> str | None:
    """The page's origin; the browsers of version 8 had another name for the field."""
    given = headers.single("Origin")
    return headers.single("Sec-WebSocket-Origin") if given is None else given


def _check_key(headers: Headers) -> str:
    key = headers.single("Sec-WebSocket-Key")
    if key is None:
        raise HandshakeError("no Sec-WebSocket-Key header")
    try:
        size = len(base64.b64decode(key.encode("ascii"), validate=True))
    except (binascii.Error, UnicodeEncodeError):
        raise HandshakeError("Sec-WebSocket-Key is not base64") from None
    if size != _KEY_BYTES:
        # Section 4.2.1: "when base64-decoded, is 16 bytes in length"
        raise HandshakeError("Sec-WebSocket-Key does not decode to 16 bytes")
    return key


def _choose_protocol(headers: Headers, protocols: Sequence[str] | None) -> list[str]:
    """Choose one sub-protocol: the first of the server's that the client offers.

    Section 4.2.2: the server answers "either a single value or null". A server
    that has a list and a client that has another cannot talk, so that is refused.
    """
    served = _names(protocols)
    if not served:
        return []
    offered = parse_tokens(headers.joined("Sec-WebSocket-Protocol"))
    if not offered:
        return []
    for name in served:
        if name in offered:
            return [name]
    raise HandshakeError(
        "none of the offered sub-protocols is served; this server has: " + ", ".join(served)
    )


def _names(protocols: Sequence[str] | None) -> list[str]:
    """Sub-protocols as a list; a text is one of them and not its letters."""
    if not protocols:
        return []
    return [protocols] if isinstance(protocols, str) else list(protocols)


# -- Client ------------------------------------------------------------------------


class ClientHandshake:
    """Client: one opening handshake, its request and the check of its response.

    :param protocols: sub-protocols to offer, most wanted first.
    :param extensions: extensions to offer; names without an implementation are left out.
    :raises ValueError: a sub-protocol that is not a token.
    """

    def __init__(
        self, protocols: Sequence[str] | None = None, extensions: Extensions | None = None
    ) -> None:
        self.protocols = _names(protocols)
        for name in self.protocols:
            if not is_token(name):
                raise ValueError(f"not a sub-protocol name: {name!r}")
        self._factories: list[ExtensionFactory] = factories(extensions)
        # Section 4.1: "The nonce MUST be selected randomly for each connection."
        self.key = base64.b64encode(os.urandom(_KEY_BYTES)).decode("ascii")

    def request_headers(self) -> list[tuple[str, str]]:
        """The header fields that make a GET request an opening handshake."""
        fields = [
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Key", self.key),
            ("Sec-WebSocket-Version", str(_CURRENT_VERSION)),
        ]
        if self.protocols:
            fields.append(("Sec-WebSocket-Protocol", ", ".join(self.protocols)))
        offers = [build_extension(each.name, each.offer()) for each in self._factories]
        if offers:
            fields.append(("Sec-WebSocket-Extensions", ", ".join(offers)))
        return fields

    def check_response(self, status: int, headers: Headers) -> Acceptance:
        """Judge the server's response by section 4.1.

        :raises HandshakeError: with the response's own status where it is not 101.
        """
        if status != _SWITCHING:
            raise HandshakeError(f"server answered {status} instead of 101", status)
        if list(map(str.lower, parse_tokens(headers.joined("Upgrade")))) != ["websocket"]:
            raise HandshakeError("server's Upgrade header is not 'websocket'")
        if "upgrade" not in map(str.lower, parse_tokens(headers.joined("Connection"))):
            raise HandshakeError("no 'Upgrade' in the server's Connection header")
        accept = headers.single("Sec-WebSocket-Accept")
        if accept is None:
            raise HandshakeError("no Sec-WebSocket-Accept header in the response")
        expected = accept_key(self.key)
        if not hmac.compare_digest(accept.encode("utf-8", "replace"), expected.encode("ascii")):
            raise HandshakeError("Sec-WebSocket-Accept does not answer the key")
        chosen = headers.single("Sec-WebSocket-Protocol")
        if chosen is not None and chosen not in self.protocols:
            # "if this header field indicates the use of a subprotocol that was not
            # present in the client's handshake [...] the client MUST _Fail [...]_"
            raise HandshakeError(f"server answered a sub-protocol not offered: {chosen[:40]!r}")
        agreed = check_answer(
            parse_extensions(headers.joined("Sec-WebSocket-Extensions")), self._factories
        )
        return Acceptance(
            [],
            [] if chosen is None else [chosen],
            [agreed.header] if agreed.header else [],
            agreed.extension,
        )
