"""The report of ``convnet compare`` as one self-contained web page."""

from __future__ import annotations

import math
from html import escape
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from convnet_py.compare import Report, Row

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2em auto; max-width: 62em; padding: 0 1em; color: #222 }
table { border-collapse: collapse; width: 100%; margin-bottom: 2em }
th, td { text-align: left; padding: .25em .6em; border-bottom: 1px solid #ddd; vertical-align: middle }
td.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
.bar { position: relative; background: #eee; height: .9em; width: 16em }
.bar i { position: absolute; inset: 0 auto 0 0; background: #4a7fb5 }
.bar i.failed { background: #c0392b }
.bar b { position: absolute; top: -.2em; bottom: -.2em; width: 2px; background: #222 }
.ok { color: #1e7b34 } .failed { color: #c0392b; font-weight: bold } .note { color: #666 }
"""

#: The bars' range of log10 of a relative difference.
_LEAST, _MOST = -9.0, 0.0


def html_report(report: Report) -> str:
    """The page: the verdict, a table per section with a bar for log10 of each difference, the costs side by side."""
    first, second = map(escape, report.engines)
    failed = len(report.failed)
    verdict = f"{failed} of {len(report.rows)} comparisons failed" if failed else "All within tolerance"
    parts = [
        f"<h1>{first} and {second}</h1>",
        f'<p class="{"failed" if failed else "ok"}">{verdict}.</p>',
        f"<p>{report.cases} cases; differences are relative to the largest value of {first} in the layer. Bars show "
        f"their logarithm from 1e{_LEAST:.0f} to 1, the mark is the tolerance. {escape(report.note)}.</p>",
    ]
    for section, rows in groupby(report.rows, key=lambda row: row.section):
        parts += [f"<h2>{escape(section.capitalize())}</h2>", "<table>", *map(_row, rows), "</table>"]
    parts += ["<h2>Costs per case</h2>", f"<table><tr><th></th><th>{first}</th><th>{second}</th></tr>"]
    for what, name, i, one, other in report.costs:
        numbers = "".join(f'<td class="number">{value:.6f}</td>' for value in (one, other))
        parts.append(f"<tr><td>{escape(what)}: {escape(name)}[{i}]</td>{numbers}</tr>")
    parts.append("</table>")
    title = f"<title>{first} and {second}</title>"
    head = f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">{title}<style>{_STYLE}</style></head>'
    return head + "<body>" + "\n".join(parts) + "</body></html>\n"


def _row(row: Row) -> str:
    failed = row.verdict == "FAILED"
    beyond = f"{row.beyond} of {row.elements} elements beyond" if row.beyond else ""
    shown = "" if row.difference is None else f"{row.difference:.2e}"
    cells = [
        f"<td>{escape(row.name)}</td>",
        f"<td>{_bar(row, failed)}</td>",
        f'<td class="number">{shown}</td>',
        f'<td class="{"failed" if failed else "ok"}">{row.verdict}</td>',
        f'<td class="note">{escape("; ".join(filter(None, (beyond, row.note))))}</td>',
    ]
    return "<tr>" + "".join(cells) + "</tr>"


def _bar(row: Row, failed: bool) -> str:
    if row.difference is None:
        return ""
    mark = "" if row.tolerance is None else f'<b style="left:{_percent(row.tolerance):.0f}%"></b>'
    colour = ' class="failed"' if failed else ""
    return f'<div class="bar"><i{colour} style="width:{_percent(row.difference):.0f}%"></i>{mark}</div>'


def _percent(value: float) -> float:
    if value <= 0:
        return 0.0
    position = (min(math.log10(value), _MOST) - _LEAST) / (_MOST - _LEAST) if math.isfinite(value) else 1.0
    return 100 * max(position, 0.0)
