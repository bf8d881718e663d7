"""Hundreds of malicious pickles: none runs anything or takes more than 512 MB, each ends in one line (spec 5.5)."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import malicious_pickles
import pytest

import convnet_py

#: These build something, but nothing more than they hold themselves.
HARMLESS = {
    "a list within itself", "a dictionary within itself", "a tuple within itself", "a billion laughs",
    "a billion laughs in tuples",
}  # fmt: skip


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    return folder, malicious_pickles.write_corpus(folder)


@pytest.fixture(scope="module")
def outcomes(corpus):
    """What came of each file, read in a process of its own within 512 MB."""
    folder, names = corpus
    environment = {**os.environ, "PYTHONPATH": str(Path(convnet_py.__path__[0]).parent), "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, malicious_pickles.__file__, str(folder)]
    result = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=500)
    assert result.returncode == 0, (result.returncode, result.stderr)
    found = json.loads(result.stdout)
    return {**found, "outcomes": dict(zip(names, found["outcomes"], strict=True))}


def test_there_are_hundreds_and_all_differ(corpus):
    folder, names = corpus
    assert len(set(names)) == len(names) >= 1000
    contents = {path.read_bytes() for path in folder.glob("[0-9]*") if path.stat().st_size < 10_000}
    assert len(contents) >= 1000


def test_nothing_runs(corpus, outcomes):
    assert not list(corpus[0].glob("canary*"))
    assert outcomes["polluted"] == []


def test_no_file_takes_more_than_512_mb(outcomes):
    assert not [(name, outcome) for name, outcome in outcomes["outcomes"].items() if outcome.startswith("!")]
    assert outcomes["peak"] < 512


def test_each_ends_in_one_line_that_names_the_file(corpus, outcomes):
    folder, _ = corpus
    for name, outcome in outcomes["outcomes"].items():
        if name in HARMLESS:
            assert outcome == "loaded", (name, outcome)
        elif not (name.startswith("millions of ") and outcome == "loaded"):
            assert outcome.startswith(str(folder)) and outcome.isprintable() and len(outcome) < 600, (name, outcome)


def test_refusals_name_the_forbidden_global(outcomes):
    for name, outcome in outcomes["outcomes"].items():
        if name.startswith("call "):
            called = name.split()[1]
            assert f"refused, because the file holds the global {called}" in outcome, (name, outcome)


def test_limits_tell_how_they_are_raised(outcomes):
    refusals = outcomes["outcomes"]
    assert "CONVNET_MAX_PICKLE_MB" in refusals["zip bomb"]
    assert "CONVNET_MAX_PICKLE_MB" in refusals["gzip bomb"]
    assert "CONVNET_MAX_PICKLE_MB" in refusals["millions of dict"]
    assert "CONVNET_MAX_PICKLE_DEPTH" in refusals["nested lists"]


def test_these_attacks_do_run_where_nothing_stops_them(tmp_path):
    """Python's own reader runs them: what the tests above find harmless is not harmless by itself."""
    calls = [("os", "system"), ("posix", "system"), ("subprocess", "call"), ("builtins", "exec"), ("builtins", "eval"),
             ("io", "open"), ("os", "mkdir"), ("pickle", "loads")]  # fmt: skip
    arguments = {(module, name): given for module, name, given in malicious_pickles.CALLS}
    ran = set()
    for number, (module, name) in enumerate(calls[:-1]):
        canary = tmp_path / f"canary{number}"
        filled = [
            [word.replace("{canary}", str(canary)) for word in item]
            if isinstance(item, list)
            else item.replace("{canary}", str(canary))
            for item in arguments[module, name]
        ]
        for form, pickled in malicious_pickles.forms(module, name, filled):
            if form == "reduce":
                pickle.loads(pickled)
        if canary.exists():
            ran.add((module, name))
    assert ran == set(calls[:-1])
