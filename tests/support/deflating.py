"""Both ends of permessage-deflate, and zlib alone in the place of either."""

import zlib

from tests.support.pair import ConnectionPair, answer
from ws4py.protocol.connection import CLIENT, SERVER, Connection
from ws4py.protocol.deflate import NAME, PerMessageDeflate
from ws4py.protocol.headers import parse_extensions
from ws4py.protocol.limits import Limits

#: As it stands among a frame's reserved bits.
RSV1 = 4

#: Everything is remembered, and nothing is too small.
REMEMBER = PerMessageDeflate(
    server_no_context_takeover=False,
    client_no_context_takeover=False,
    server_max_window_bits=15,
    client_max_window_bits=15,
    threshold=0,
)


def parameters(value):
    """The parameters in the value of a header field; just these when it names nothing else."""
    ((name, found),) = parse_extensions(f"{NAME}; {value}" if value else NAME)
    assert name == NAME
    return found


def accept(value, **keywords):
    """What a server answers to an offer, as text; ``None`` when it declines."""
    accepted = PerMessageDeflate(**keywords).accept(parameters(value))
    return None if accepted is None else text_of(accepted[0])


def text_of(found):
    return "; ".join(name if value is None else f"{name}={value}" for name, value in found)


def agree(server, client=None):
    """Both ends of an agreement: the server's extension, and the client's."""
    client = client or server
    answered, ours = server.accept(client.offer())
    return ours, client.confirm(answered)


def pair_of(server, client=None, seed=0, limits=None):
    limits = limits or Limits()
    first, second = agree(server, client)
    return ConnectionPair(
        seed, Connection(SERVER, limits, first), Connection(CLIENT, limits, second)
    )


def extension(role=SERVER, configured=REMEMBER):
    return agree(configured)[0 if role is SERVER else 1]


def deflate(*parts, level=9, last=zlib.Z_SYNC_FLUSH):
    """A message as a peer compresses it, by zlib alone, its tail taken off."""
    deflater = zlib.compressobj(level, zlib.DEFLATED, -15)
    data = b"".join(deflater.compress(part) + deflater.flush(last) for part in parts)
    assert data.endswith(b"\x00\x00\xff\xff")
    return data[:-4]


def inflate(*payloads, window=15):
    """Messages as a peer inflates them, by zlib alone, byte by byte.

    So nothing is in its view but its window.
    """
    inflater = zlib.decompressobj(-window)
    out = []
    for payload in payloads:
        message, rest = bytearray(), payload + b"\x00\x00\xff\xff"
        while byte := inflater.decompress(rest, 1):
            message += byte
            rest = inflater.unconsumed_tail
        out.append(bytes(message))
    return out


def violation(connection, *pieces):
    """Why the connection failed, after the proof that it said so."""
    (close,) = answer(connection, *pieces)
    assert close.close_code == connection.violation.code
    return connection.violation
