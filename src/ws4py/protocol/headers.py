"""Header fields of the opening handshake, read token by token (RFC 7230 section 7).

Every function is linear in its input and none uses a regular expression with
nested repeats. It knows the grammar, not what a field means.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ws4py.exc import HandshakeError

__all__ = [
    "Headers",
    "Parameters",
    "build_extension",
    "is_host",
    "is_token",
    "parse_extensions",
    "parse_tokens",
]

#: Parameters of an extension, in order: ``(name, value)``, value ``None`` without "=".
Parameters = list[tuple[str, str | None]]

_LETTERS_DIGITS = frozenset("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
# RFC 7230 section 3.2.6, "tchar".
_TOKEN_CHARS = _LETTERS_DIGITS | frozenset("!#$%&'*+-.^_`|~")
# RFC 3986 section 3.2.2, without the comma: that is how servers join a repeated field.
_HOST_CHARS = _LETTERS_DIGITS | frozenset("-._~%!$&'()*+;=:[]")
_BLANKS = " \t"

# RFC 7230 section 3.2.6, "quoted-pair".
_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)


class Headers:
    """Header fields by name, upper and lower case alike; a name may stand twice.

    :param fields: ``(name, value)`` pairs.
    """

    def __init__(self, fields: Iterable[tuple[str, str]] = ()) -> None:
        self._fields: dict[str, list[str]] = {}
        for name, value in fields:
            self._fields.setdefault(name.lower(), []).append(value.strip(_BLANKS))

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._fields

    def all(self, name: str) -> list[str]:
        """Every value of the field, in order."""
        return self._fields.get(name.lower(), [])

    def joined(self, name: str) -> str:
        """The values of a field that is a list, as one text (RFC 7230 section 3.2.2)."""
        return ", ".join(self.all(name))

    def single(self, name: str) -> str | None:
        """The value of a field that may stand once; ``None`` without it.

        :raises HandshakeError: the field is repeated.
        """
        values = self.all(name)
        if len(values) > 1:
            raise HandshakeError(f"{name} header is repeated")
        return values[0] if values else None


def is_token(text: str) -> bool:
    """Whether ``text`` is a token of RFC 7230."""
    return bool(text) and _TOKEN_CHARS.issuperset(text)


def is_host(text: str) -> bool:
    """Whether ``text`` has only what a host and port may have (RFC 7230 section 5.4)."""
    return bool(text) and _HOST_CHARS.issuperset(text)


def parse_tokens(value: str) -> list[str]:
    """Split a comma-separated list of tokens; empty elements are allowed and dropped.

    :raises HandshakeError: an element is not a token.
    """
    tokens = []
    for element in value.split(","):
        token = element.strip(_BLANKS)
        if not token:
            continue
        if not is_token(token):
            raise HandshakeError(f"not a token in a header: {token[:40]!r}")
        tokens.append(token)
    return tokens


def parse_extensions(value: str) -> list[tuple[str, Parameters]]:
    """Read ``Sec-WebSocket-Extensions`` (RFC 6455 section 9.1).

    :returns: each element as its name and its parameters, in order.
    :raises HandshakeError: the value does not follow the grammar.
    """
    # Nothing can hide in a quoted string: what is in it has to be a token, so a comma
    # or semicolon there is an error however the list is split.
    elements = [element.strip(_BLANKS) for element in value.split(",")]
    return [_parse_extension(element) for element in elements if element]


def build_extension(name: str, parameters: Parameters) -> str:
    """Return one element of ``Sec-WebSocket-Extensions``."""
    parts = [name]
    parts += [key if given is None else f"{key}={given}" for key, given in parameters]
    return "; ".join(parts)


def _parse_extension(element: str) -> tuple[str, Parameters]:
    name, *rest = (part.strip(_BLANKS) for part in element.split(";"))
    if not is_token(name):
        raise HandshakeError(f"not an extension name: {name[:40]!r}")
    parameters: Parameters = []
    for part in rest:
        key, equals, given = part.partition("=")
        key = key.strip(_BLANKS)
        if not is_token(key):
            raise HandshakeError(f"not an extension parameter: {part[:40]!r}")
        parameters.append((key, _unquote(given.strip(_BLANKS)) if equals else None))
    return name, parameters


def _unquote(given: str) -> str:
    """Take the quotes off a quoted string; "the value after quoted-string
    unescaping MUST conform to the 'token' ABNF" (RFC 6455 section 9.1).
    """
    if given.startswith('"') and given.endswith('"'):
        given = _QUOTED_PAIR.sub(r"\1", given[1:-1])
    if not is_token(given):
        raise HandshakeError(f"not an extension parameter's value: {given[:40]!r}")
    return given
