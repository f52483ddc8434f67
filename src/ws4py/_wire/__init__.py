"""Bytes to frames and frames to bytes, and nothing else.

No I/O, no clock, no threads, no knowledge of a connection's state.
"""
