"""The protocol as a machine: bytes in, events out, bytes out.

No I/O, no clock, no threads: whoever owns a socket drives it.
"""
