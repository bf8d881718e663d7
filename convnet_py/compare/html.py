"""The report of ``convnet compare`` as one self-contained web page."""

from __future__ import annotations

import math
from collections.abc import Iterator
from html import escape
from itertools import groupby

from convnet_py.compare.judge import Pair, Report, Row

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
    """The page: the verdict; for every two engines tables with a bar for log10 of each difference; the costs."""
    engines = [*map(escape, report.engines)]
    failed, judged = len(report.failed), len(report.judged)
    verdict = f"{failed} of {judged} comparisons failed" if failed else "All within tolerance"
    title = f"{', '.join(engines[:-1])} and {engines[-1]}"
    parts = [
        f"<h1>{title}</h1>",
        f'<p class="{"failed" if failed else "ok"}">{verdict}.</p>',
        f"<p>{report.cases} cases. Bars show the logarithm of differences from 1e{_LEAST:.0f} to 1, the mark is the "
        "tolerance.</p>",
        *(part for pair in report.pairs for part in _pair(pair)),
        "<h2>Costs per case</h2>",
        "<table><tr><th></th>" + "".join(f"<th>{engine}</th>" for engine in engines) + "</tr>",
    ]
    for what, name, i, values in report.costs:
        numbers = "".join(f'<td class="number">{value:.6f}</td>' for value in values)
        parts.append(f"<tr><td>{escape(what)}: {escape(name)}[{i}]</td>{numbers}</tr>")
    parts.append("</table>")
    head = f'<meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style>'
    body = "\n".join(parts)
    return f'<!DOCTYPE html>\n<html lang="en"><head>{head}</head><body>{body}</body></html>\n'


def _pair(pair: Pair) -> Iterator[str]:
    first, second = escape(pair.first), escape(pair.second)
    yield f"<h2>{first} and {second}</h2>"
    yield f"<p>Differences are relative to the largest value of {first} in the layer. {escape(pair.note)}.</p>"
    for section, rows in groupby(pair.rows, key=lambda row: row.section):
        yield from (f"<h3>{escape(section.capitalize())}</h3>", "<table>", *map(_row, rows), "</table>")


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
