"""Negotiating extensions (RFC 6455 section 9.1): who offers, who accepts what.

The machinery, and the one name that is implemented. An extension of another kind
joins by being an :class:`ExtensionFactory`; a name without an implementation is
never promised to a peer.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol, TypeGuard

from ws4py._wire.extension import MessageExtension
from ws4py.exc import HandshakeError
from ws4py.protocol.deflate import NAME as PERMESSAGE_DEFLATE
from ws4py.protocol.deflate import PerMessageDeflate
from ws4py.protocol.headers import Parameters, build_extension

__all__ = [
    "ExtensionFactory",
    "Extensions",
    "Negotiated",
    "accept_offer",
    "check_answer",
    "factories",
]


class ExtensionFactory(Protocol):
    """An extension as a server is set up with it, or a client offers it."""

    @property
    def name(self) -> str:
        """The registered name, for example ``permessage-deflate``."""
        ...

    def offer(self) -> Parameters:
        """The parameters that a client sends."""
        ...

    def accept(self, offered: Parameters) -> tuple[Parameters, MessageExtension] | None:
        """Server: the answer to an offer and the extension, or ``None`` to decline."""
        ...

    def confirm(self, answered: Parameters) -> MessageExtension:
        """Client: the extension as the server answered it.

        :raises HandshakeError: the answer does not fit the offer.
        """
        ...


#: What a program may configure: names and options objects, or a single one.
Extensions = Iterable[object] | ExtensionFactory

#: What a program may write as a name.
_BY_NAME: dict[str, ExtensionFactory] = {PERMESSAGE_DEFLATE: PerMessageDeflate()}


class Negotiated:
    """What both ends agreed on.

    :param header: the element of ``Sec-WebSocket-Extensions``; empty for nothing.
    """

    def __init__(self, header: str = "", extension: MessageExtension | None = None) -> None:
        self.header = header
        self.extension = extension


def factories(extensions: Extensions | None) -> list[ExtensionFactory]:
    """Those of the configured extensions that are implemented.

    Programs of the 0.6 days list names; a name without an implementation is left
    out, so that a peer is not told of something that does not happen.

    :param extensions: names and options objects, or a single one of either.
    """
    single = isinstance(extensions, str) or _is_factory(extensions)
    configured: Any = [extensions] if single else extensions or ()
    items = [_BY_NAME.get(each) if isinstance(each, str) else each for each in configured]
    return [item for item in items if _is_factory(item)]


def _is_factory(item: object) -> TypeGuard[ExtensionFactory]:
    # By hand: an isinstance() with a protocol takes longer than the rest of a handshake.
    return all(hasattr(item, name) for name in ("name", "offer", "accept", "confirm"))


def accept_offer(
    offers: list[tuple[str, Parameters]], available: list[ExtensionFactory]
) -> Negotiated:
    """Server: take the first offer, in the client's order of preference, that fits.

    One extension at the most: every registered one uses RSV1 for itself. Of two
    that are configured under one name the first counts.
    """
    by_name = {factory.name: factory for factory in reversed(available)}
    for name, parameters in offers:
        factory = by_name.get(name)
        accepted = factory.accept(parameters) if factory else None
        if accepted is not None:
            answer, extension = accepted
            return Negotiated(build_extension(name, answer), extension)
    return Negotiated()


def check_answer(
    answers: list[tuple[str, Parameters]], offered: list[ExtensionFactory]
) -> Negotiated:
    """Client: check what the server chose.

    An extension may have been offered several times, most wanted first; the answer
    does not say which of them it is for, so it has to fit one.

    :raises HandshakeError: section 4.1: "if [the field] indicates the use of an
        extension that was not present in the client's handshake, the client MUST
        _Fail the WebSocket Connection_."
    """
    if not answers:
        return Negotiated()
    if len(answers) > 1:
        raise HandshakeError("server answered more than one extension")
    name, parameters = answers[0]
    refusal = HandshakeError(f"server answered an extension that was not offered: {name[:40]!r}")
    for factory in offered:
        if factory.name != name:
            continue
        try:
            return Negotiated(build_extension(name, parameters), factory.confirm(parameters))
        except HandshakeError as error:
            refusal = error
    raise refusal
