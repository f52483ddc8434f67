"""What holds for every test: it leaves no thread and no descriptor behind."""

import gc
import pathlib
import threading
import time

import pytest

# CherryPy's workers and our own threads end soon after they were told to, not at once.
_SETTLE_SECONDS = 10.0
_FD_DIR = pathlib.Path("/proc/self/fd")


def _open_descriptors() -> dict[int, str]:
    """What is open, by number. Elsewhere than on Linux the check is not possible."""
    found = {}
    for entry in _FD_DIR.iterdir() if _FD_DIR.exists() else ():
        try:
            found[int(entry.name)] = str(entry.readlink())
        except FileNotFoundError:
            # The descriptor that listed the folder.
            continue
    return found


def _leaks(threads: set[threading.Thread], descriptors: dict[int, str]) -> list[str]:
    left = [f"thread {t.name}" for t in threading.enumerate() if t not in threads]
    left += [
        f"descriptor {number} -> {target}"
        for number, target in _open_descriptors().items()
        if descriptors.get(number) != target
    ]
    return left


def pytest_collection_finish():
    """Take what collecting made out of the garbage collector's sight: it stays anyway,
    and looking through it before every test takes longer than most tests."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def no_leaks():
    """Fail a test that leaves a thread or a descriptor behind.

    The garbage collector is switched off meanwhile: a connection has to close its
    descriptor itself and not when somebody happens to collect it.
    """
    gc.collect()
    threads, descriptors = set(threading.enumerate()), _open_descriptors()
    gc.disable()
    try:
        yield
        deadline = time.monotonic() + _SETTLE_SECONDS
        while (left := _leaks(threads, descriptors)) and time.monotonic() < deadline:
            time.sleep(0.01)
    finally:
        gc.enable()
    assert not left
