"""The load generator: what it must not let pass, and what it must count."""

import contextlib
import json
import subprocess
from pathlib import Path

import pytest

from benchmarks.scenarios import ALL
from tests.benchmarks.scripted import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    TEXT,
    frame,
    response_to,
    scripted,
)

LIMIT = 60


def reports(program, port, *options):
    """Run the generator to its end; its lines, and its status."""
    done = subprocess.run(
        [str(program), *options, "--port", str(port), "--limit", str(LIMIT)],
        capture_output=True,
        text=True,
        timeout=2 * LIMIT,
        check=False,
    )
    assert not done.stderr, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()], done.returncode


@contextlib.contextmanager
def echo_server(program, mode="echo"):
    with subprocess.Popen([str(program), mode], stdout=subprocess.PIPE, text=True) as process:
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


@pytest.mark.parametrize("pipeline", [1, 32])
@pytest.mark.parametrize(
    ("kind", "size"),
    [
        ("binary", 16),
        ("ascii", 125),
        ("binary", 126),
        ("utf8", 4096),
        ("binary", 65535),
        ("binary", 65536),
        ("utf8", 1 << 20),
    ],
)
def test_every_size_and_kind_comes_back_from_the_reference(programs, kind, size, pipeline):
    options = ("--kind", kind, "--size", str(size), "--pipeline", str(pipeline))
    bound = ("--seconds", "0", "--messages", "64", "--connections", "3")
    with echo_server(programs["echo"]) as port:
        found, status = reports(programs["load"], port, "echo", *options, *bound)
    assert status == 0
    assert [each["event"] for each in found] == ["open", "ready", "done"]
    assert found[-1]["messages"] >= 64
    assert found[-1]["messages"] % pipeline == 0
    assert found[-1]["errors"] == 0
    assert 0 < found[-1]["p50_us"] <= found[-1]["p99_us"]
    assert found[-1]["cpu_seconds"] > 0


@pytest.mark.parametrize("size", ["16", "70000"])
def test_a_broadcast_is_counted_by_delivery(programs, size):
    options = ("--size", size, "--connections", "20", "--seconds", "0", "--messages", "200")
    with echo_server(programs["echo"], "broadcast") as port:
        found, status = reports(programs["load"], port, "broadcast", *options)
    assert status == 0
    assert found[-1]["messages"] >= 200
    assert found[-1]["messages"] % 20 == 0


@pytest.mark.parametrize("scenario", ["connect", "handshake", "http"])
def test_connections_come_and_go(programs, scenario):
    with echo_server(programs["echo"]) as port:
        options = ("--seconds", "0", "--messages", "50", "--connections", "60")
        found, status = reports(programs["load"], port, scenario, *options)
    assert status == 0
    assert found[-1]["messages"] >= 50
    assert found[-1]["left_open"] == 0


def established(port):
    """How many connections to a port of this machine stand, as the kernel tells it."""
    peer = f":{port:04X}"
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return sum(fields[2].endswith(peer) and fields[3] == "01" for fields in map(str.split, lines))


def test_handshakes_stay_open_until_the_clock_has_been_read(programs):
    options = ("--seconds", "20", "--connections", "50", "--warmup", "0.02")
    with (
        echo_server(programs["echo"]) as port,
        subprocess.Popen(
            [str(programs["load"]), "handshake", "--controlled", *options, "--port", str(port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        ) as process,
    ):
        for event in ("open", "ready"):
            assert json.loads(process.stdout.readline())["event"] == event
            assert established(port) == 0
            process.stdin.write("\n")
        done = json.loads(process.stdout.readline())
        assert 50 <= done["messages"] == established(port) < 60
        assert done["left_open"] == 0
        assert 0 < done["p50_us"] <= done["p99_us"]
        process.stdin.write("\n")
        assert process.wait(LIMIT) == 0
        assert established(port) == 0


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda text: text + b"\x81\x00", "behind the handshake"),
        (lambda text: text.replace(b"101 ", b"403 "), "refused"),
    ],
)
def test_a_wrong_answer_to_a_handshake_ends_the_run(programs, change, complaint):
    with scripted(lambda *_arguments: b"", lambda head: change(response_to(head))) as port:
        found, status = reports(
            programs["load"], port, "handshake", "--connections", "1", "--parallel", "1"
        )
    assert status == 1
    assert complaint in found[-1]["error"]


def test_idle_connections_are_opened_in_steps(programs):
    with echo_server(programs["echo"]) as port:
        found, status = reports(programs["load"], port, "idle", "--steps", "1,7,20")
    assert status == 0
    assert [each.get("connections") for each in found] == [1, 7, 20, None]


def one_message(program, port, *options):
    bound = ("--seconds", "0", "--messages", "3", "--connections", "1")
    return reports(program, port, "echo", *bound, *options)


def flipped(payload, at):
    return payload[:at] + bytes([payload[at] ^ 1]) + payload[at + 1 :]


WRONG = {
    "a byte of the stamp": lambda _n, opcode, payload: frame(opcode, flipped(payload, 3)),
    "a byte in the middle": lambda _n, opcode, payload: frame(opcode, flipped(payload, 200)),
    "the last byte": lambda _n, opcode, payload: frame(opcode, flipped(payload, 299)),
    "too short": lambda _n, opcode, payload: frame(opcode, payload[:-1]),
    "too long": lambda _n, opcode, payload: frame(opcode, payload + b"!"),
    "another type": lambda _n, _opcode, payload: frame(TEXT, payload),
    "masked": lambda _n, opcode, payload: frame(opcode, payload, mask=b"1234"),
    "a reserved bit": lambda _n, opcode, payload: frame(opcode | 0x40, payload),
    "a continuation of nothing": lambda _n, _opcode, payload: frame(0, payload),
    "a close frame": lambda _n, _opcode, _payload: frame(CLOSE, b"\x03\xe9"),
    "twice": lambda _n, opcode, payload: frame(opcode, payload) * 2,
    "a long ping": lambda _n, _opcode, _payload: frame(PING, bytes(126)),
}


@pytest.mark.parametrize("answer", WRONG.values(), ids=WRONG.keys())
def test_a_wrong_answer_ends_the_run_without_figures(programs, answer):
    with scripted(answer) as port:
        found, status = one_message(programs["load"], port, "--size", "300")
    assert status == 1
    assert found[-1]["event"] == "failed"
    assert "connection 0" in found[-1]["error"]


def test_an_earlier_message_is_not_taken_for_the_next(programs):
    first = []

    def answer(_number, opcode, payload):
        first.append(payload)
        return frame(opcode, first[0])

    with scripted(answer) as port:
        found, status = one_message(programs["load"], port)
    assert status == 1
    assert "message 1 is another message" in found[-1]["error"]


def test_fragments_and_pings_are_no_errors(programs):
    def answer(_number, opcode, payload):
        if opcode == PONG:
            # The answer to the ping below, and not a message.
            assert payload == b"are you there"
            return b""
        parts = [frame(opcode, payload[:20], fin=False), frame(PING, b"are you there")]
        return b"".join([*parts, frame(0, b"", fin=False), frame(0, payload[20:])])

    with scripted(answer) as port:
        found, status = one_message(programs["load"], port, "--size", "40")
    assert status == 0, found
    assert found[-1]["messages"] == 3


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda text: text.replace(b"101 ", b"403 "), "refused"),
        (lambda text: text.replace(b"Accept: ", b"Accept: x"), "Sec-WebSocket-Accept"),
        (lambda text: text.replace(b"=\r\n", b"A\r\n"), "Sec-WebSocket-Accept"),
        (lambda text: text.replace(b"Accept", b"Except"), "Sec-WebSocket-Accept"),
        (lambda text: text + b"\x81\x00", "behind the handshake"),
        (lambda _text: b"", "in the handshake"),
    ],
)
def test_a_wrong_handshake_ends_the_run(programs, change, complaint):
    def response(head):
        changed = change(response_to(head))
        if not changed:
            raise ConnectionError
        return changed

    with scripted(lambda *_arguments: b"", response) as port:
        found, status = one_message(programs["load"], port)
    assert status == 1
    assert complaint in found[-1]["error"]


def test_text_is_really_utf8_and_frames_are_really_masked(programs):
    seen = []

    def answer(_number, opcode, payload):
        seen.append((opcode, payload))
        return frame(opcode, payload)

    with scripted(answer) as port:
        one_message(programs["load"], port, "--kind", "utf8", "--size", "4096")
    assert {opcode for opcode, _ in seen} == {TEXT}
    for _, payload in seen:
        text = payload.decode()
        assert sum(character > "\x7f" for character in text) > 0.9 * (len(text) - 16)
    assert len({payload[:16] for _, payload in seen}) == len(seen)


def test_a_controlled_generator_waits_for_each_word(programs):
    options = ("echo", "--controlled", "--seconds", "0", "--messages", "1")
    with (
        echo_server(programs["echo"]) as port,
        subprocess.Popen(
            [str(programs["load"]), *options, "--port", str(port), "--limit", str(LIMIT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        ) as process,
    ):
        for event in ("open", "ready", "done"):
            assert json.loads(process.stdout.readline())["event"] == event
            assert process.poll() is None
            process.stdin.write("\n")
        assert process.wait(LIMIT) == 0


def test_it_goes_with_whoever_controls_it(programs):
    with echo_server(programs["echo"]) as port:
        found, status = reports(programs["load"], port, "echo", "--controlled")
    assert status == 1
    assert [each["event"] for each in found] == ["open"]


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["nothing", "--port", "1"],
        ["echo"],
        ["echo", "--port", "1", "--kind", "klingon"],
        ["echo", "--port", "1", "--size", "15"],
        ["echo", "--port", "1", "--seconds", "0"],
        ["idle", "--port", "1"],
        ["idle", "--port", "1", "--steps", "5,3"],
    ],
)
def test_wrong_options_are_refused(programs, options):
    done = subprocess.run(
        [str(programs["load"]), *options], capture_output=True, timeout=LIMIT, check=False
    )
    assert done.returncode == 2
    assert b"usage" in done.stderr


@pytest.mark.parametrize("scenario", ALL.values(), ids=ALL.keys())
def test_it_understands_every_scenario(programs, scenario):
    # Nobody listens on a port that was just closed, so it gets as far as connecting.
    options = [*scenario.arguments(), "--port", "1", "--limit", "20"]
    done = subprocess.run(
        [str(programs["load"]), *options], capture_output=True, timeout=LIMIT, check=False
    )
    assert done.returncode == 1
    assert b"failed" in done.stdout


def test_binary_is_the_default(programs):
    seen = set()

    def answer(_number, opcode, payload):
        seen.add(opcode)
        return frame(opcode, payload)

    with scripted(answer) as port:
        one_message(programs["load"], port)
    assert seen == {BINARY}
