from __future__ import annotations

import pytest

from benchmarks.scenarios import MEAN_OF
from benchmarks.summary import beside_requests, is_complete, means, spread, summarise


def figures(cpu, **more):
    return {
        "cpu_us": cpu,
        "messages": 10,
        "seconds": 1.0,
        "per_second": 1000 / cpu,
        "p50_us": 1.0,
        "p99_us": 2.0,
        "server_busy": 0.5,
        "load_busy": 0.5,
        **more,
    }


def cell(*cpu, **more):
    return {"rounds": [figures(each) for each in cpu], **more}


def test_medians_their_spread_and_the_ratio():
    found = summarise({"one": {"c": cell(4, 2, 2), "picows": cell(3, 9, 6)}})["one"]
    assert found["c"]["cpu_us"] == 2
    assert found["c"]["ratio"] == 1
    assert found["c"]["spread"] == 1
    assert found["picows"]["cpu_us"] == 6
    assert found["picows"]["ratio"] == 3
    assert found["picows"]["spread"] == 1
    assert found["picows"]["per_second"] == pytest.approx(1000 / 6)


def test_without_the_reference_there_is_no_ratio():
    found = summarise({"one": {"c": {"rounds": [], "failed": "so"}, "picows": cell(3)}})
    assert "ratio" not in found["one"]["picows"]


@pytest.mark.parametrize("bad", [{"rounds": []}, cell(1, failed="in round 2")])
def test_who_failed_has_no_figures(bad):
    assert not is_complete(bad)
    assert list(summarise({"one": {"c": cell(1), "picows": bad}})["one"]) == ["c"]


def test_calls_come_along():
    found = summarise({"one": {"c": cell(1, calls={"per_message": 2.5})}})
    assert found["one"]["c"]["calls"] == 2.5


def test_connections_left_open_are_added():
    rounds = [figures(1, left_open=2), figures(1, left_open=3)]
    assert summarise({"connect": {"c": {"rounds": rounds}}})["connect"]["c"]["left_open"] == 5


def test_memory_is_compared_by_connection():
    def idle(*sizes):
        return {"rounds": [{"bytes": size, "rss": {"0": 5, "10": 5 + 10 * size}} for size in sizes]}

    found = summarise({"idle": {"c": idle(100, 100, 100), "picows": idle(200, 300, 250)}})["idle"]
    assert found["picows"]["bytes"] == 250
    assert found["picows"]["ratio"] == 2.5
    assert found["picows"]["rss"] == {"0": 5, "10": 2505}
    assert found["picows"]["spread"] == pytest.approx(0.4)


def test_the_spread_of_nothing_is_nothing():
    assert spread([0, 0]) == 0
    assert spread([-2, -4]) == pytest.approx(2 / 3)


def test_the_mean_is_geometric_and_of_all_or_none():
    results = {name: {"c": cell(1), "picows": cell(4)} for name in MEAN_OF}
    results[MEAN_OF[0]]["picows"] = cell(4 * 2 ** len(MEAN_OF))
    results[MEAN_OF[1]]["tornado"] = cell(1)
    assert means(summarise(results)) == {"c": pytest.approx(1), "picows": pytest.approx(8)}
    del results[MEAN_OF[2]]
    assert means(summarise(results)) == {}


def test_a_handshake_is_set_beside_a_request_of_the_same_server():
    results = {
        "handshake": {"c": cell(3), "picows": cell(5), "old-ws4py": cell(9, failed="so")},
        "http": {"c": cell(2), "old-ws4py": cell(3)},
    }
    assert beside_requests(summarise(results)) == {"c": 1.5}
    del results["http"]
    assert beside_requests(summarise(results)) == {}
