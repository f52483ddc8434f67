"""Who may come in, once the handshake itself is in order: what all servers ask, in one place.

First whether the manager has room, then the program's ``check``. Both are asked before
the handler is made and the 101 is sent; a refusal is a
:class:`~ws4py.exc.HandshakeError`, which each server answers as it answers any other.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from http.client import responses
from typing import Any

from ws4py._engine.door import address_in
from ws4py._log import logger
from ws4py.exc import HandshakeError
from ws4py.protocol.http11 import build_head

__all__ = ["Check", "ask_manager", "ask_program", "is_redirect"]

#: Is given the WSGI environ of a request that is an acceptable handshake. Returns ``None`` to
#: let it in; an HTTP status from 400 to 599, or a pair of one and a reason, to refuse it. May
#: raise a :class:`~ws4py.exc.HandshakeError`, and in CherryPy its errors, to do the same.
Check = Callable[[dict[str, Any]], int | tuple[int, str] | None]

_BROKEN = HTTPStatus.INTERNAL_SERVER_ERROR


def ask_manager(manager: Any, environ: dict[str, Any]) -> None:
    """Ask a manager, or a program's own in its place, whether there is room.

    :param manager: ``None`` where nobody is served yet.
    :raises HandshakeError: with status 503.
    """
    admit = getattr(manager, "admit", None)
    if admit is not None:
        admit(address_in(environ))


def ask_program(
    check: Check | None, environ: dict[str, Any], let_pass: tuple[type[Exception], ...] = ()
) -> None:
    """Ask the program's ``check``. What it raises is logged, and refuses.

    :param let_pass: errors that the server itself makes an answer of.
    :raises HandshakeError: it refuses; with status 500 where it did not say how.
    """
    if check is None:
        return
    try:
        refusal = _refusal(check, check(environ))
    except HandshakeError as error:
        refusal = error if _can_be_sent(check, error) else _broken()
    except let_pass:
        raise
    except Exception:
        # The program's mistake: left to the server it would be logged twice by some, and
        # not end the connection with others.
        logger.exception("check raised: %r", check)
        refusal = _broken()
    if refusal is not None:
        logger.info("Refused a handshake for %.200r: %s", environ.get("PATH_INFO"), refusal)
        raise refusal


def is_redirect(error: HandshakeError) -> bool:
    """Whether the refusal sends the client elsewhere."""
    # A program's mistake may be of any type.
    status: Any = error.status
    if not isinstance(status, int) or not 300 <= status < 400:
        return False
    return any(name.lower() == "location" for name, _ in error.headers)


def _refusal(check: Check, verdict: Any) -> HandshakeError | None:
    if verdict is None:
        return None
    pair = isinstance(verdict, tuple) and len(verdict) == 2
    status, reason = verdict if pair else (verdict, "")
    if not _refuses(status) or not isinstance(reason, str):
        logger.error(
            "check returned %r: None lets a request in, a status from 400 to 599, or such a "
            "status and a reason, refuses it (%r)",
            verdict,
            check,
        )
        return _broken()
    return HandshakeError(reason or responses.get(status, "refused"), int(status))


def _refuses(status: Any) -> bool:
    # True is an int.
    return isinstance(status, int) and 400 <= status <= 599


def _can_be_sent(check: Check, error: HandshakeError) -> bool:
    try:
        _check_fields(error.headers)
    except (TypeError, ValueError):
        logger.exception("check raised HandshakeError with header fields that are none")
        return False
    if _refuses(error.status) or is_redirect(error):
        return True
    logger.error(
        "check raised HandshakeError with status %r: it has to be one from 400 to 599, or a "
        "redirect with its Location (%r)",
        error.status,
        check,
    )
    return False


def _check_fields(fields: list[tuple[str, str]]) -> None:
    build_head("", fields)
    for field in fields:
        if not all(isinstance(part, str) for part in field):
            raise TypeError(f"not a pair of texts: {field!r}")


def _broken() -> HandshakeError:
    return HandshakeError("the server cannot say whether you may come in", _BROKEN)
