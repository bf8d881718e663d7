"""The report of ``convnet compare`` as text for a terminal, and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import groupby

import numpy as np

from convnet_py.compare.judge import Pair, Report, Row


def text_report(report: Report) -> str:
    """The report as tables for a terminal."""
    lines = [line for pair in report.pairs for line in (*_pair_lines(pair, report.cases), "")]
    lines.append("costs per case" + (": " + ", ".join(report.engines) if len(report.engines) > 2 else ""))
    for what, name, i, values in report.costs:
        lines.append(f"  {what:<10} {name}[{i}]" + "".join(f"  {value:.6f}" for value in values))
    failed = report.failed
    judged = len(report.judged)
    lines += ["", f"{len(failed)} of {judged} comparisons FAILED" if failed else f"all {judged} within tolerance"]
    return "\n".join(lines)


def _pair_lines(pair: Pair, cases: int) -> Iterator[str]:
    yield f"{pair.first} (reference) and {pair.second}, {cases} cases"
    yield pair.note
    width = max(len(row.name) for row in pair.rows)
    for section, rows in groupby(pair.rows, key=lambda row: (row.section, row.tolerance)):
        title, tolerance = section
        limit = "" if tolerance is None else f", tolerance {tolerance:g}"
        yield ""
        yield f"{title} (largest relative difference{limit})"
        for row in rows:
            shown = "" if row.difference is None else f"{row.difference:.2e}"
            beyond = f"  {row.beyond} of {row.elements} elements beyond" if row.beyond else ""
            yield f"  {row.name:<{width}}  {shown:>9}  {row.verdict:<6}{beyond}  {row.note}".rstrip()


def json_report(report: Report) -> str:
    """The report as JSON; numbers that are not finite as null."""
    pairs = [{**vars(pair), "rows": [_json_row(row) for row in pair.rows]} for pair in report.pairs]
    costs = [
        {"of": what, "cost": name, "value": i, "engines": [_finite(value) for value in values]}
        for what, name, i, values in report.costs
    ]
    return json.dumps({**vars(report), "pairs": pairs, "costs": costs, "passed": not report.failed}, indent=1) + "\n"


def _json_row(row: Row) -> dict[str, object]:
    return {**vars(row), "difference": _finite(row.difference), "verdict": row.verdict}


def _finite(value: float | None) -> float | None:
    return value if value is not None and np.isfinite(value) else None
