"""Report as a self-contained HTML page, without other files or network access."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

from edgeagent.bench.results import BenchReport
from edgeagent.bench.svg import plot_latencies, plot_stages
from edgeagent.bench.table import TextTable, headline, report_notes, report_tables
from edgeagent.errors import EdgeagentError

STYLE = """
body { margin: 0; background: #fff; color: #0f172a; font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 70rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.6rem; margin: 0; }
h2::first-letter { text-transform: uppercase; }
h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; border-bottom: 1px solid #cbd5e1; padding-bottom: .2rem; }
p, li { margin: .3rem 0; }
.note { color: #475569; font-size: .875rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { padding: .4rem .6rem; text-align: right; border-bottom: 1px solid #e2e8f0; white-space: nowrap;
  font-variant-numeric: tabular-nums; }
th { background: #f1f5f9; font-weight: 600; vertical-align: bottom; white-space: normal; }
th:first-child, td:first-child { text-align: left; }
tr.bad td { color: #b91c1c; }
figure { margin: .5rem 0; }
svg { width: 100%; height: auto; display: block; }
"""


def report_page(report: BenchReport) -> str:
    """Return the HTML page of a report."""
    tables = report_tables(report)
    latencies, stages = plot_latencies(report.rows), plot_stages(report.rows)
    failed = [row.name for row in report.rows if not row.ok]
    verdict = f"Failed: {', '.join(failed)}" if failed else "Every check passed"
    body = [
        f"<h1>{escape(report.bundle.name)} {escape(report.bundle.version)}: bench</h1>",
        f'<p class="note">{escape(headline(report))}. {escape(report.time)}, edgeagent '
        f"{escape(report.edgeagent)}. {escape(verdict)}.</p>",
        *(_table(table) for table in tables[:1]),
    ]
    if latencies is not None:
        caption = "Distribution of the query latencies. Percentiles with too few samples are not drawn."
        body.append(f'<figure>{latencies}<figcaption class="note">{caption}</figcaption></figure>')
    body.append(_table(tables[1]))
    if stages is not None:
        caption = (
            "Medians of the stages of a picture. The median of a sum differs from the sum of the medians."
        )
        body.append(f'<figure>{stages}<figcaption class="note">{caption}</figcaption></figure>')
    body += [_table(table) for table in tables[2:]]
    body += ["<h2>notes</h2>", _list(report_notes(report))]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(report.bundle.name)} {escape(report.bundle.version)}: bench</title>\n"
        f"<style>{STYLE}</style></head>\n<body><main>\n" + "\n".join(body) + "\n</main></body></html>\n"
    )


def write_page(path: Path, report: BenchReport) -> None:
    """Write the HTML page of a report.

    Raises:
        EdgeagentError: the file cannot be written.
    """
    try:
        path.write_text(report_page(report), encoding="utf-8")
    except OSError as error:
        raise EdgeagentError(f"{path}: the page cannot be written ({error.strerror})") from error


def _table(table: TextTable) -> str:
    head = "".join(f"<th>{escape(column)}</th>" for column in table.columns)
    rows = "\n".join(
        f"<tr{' class=bad' if 'FAILED' in row else ''}>{''.join(f'<td>{escape(c)}</td>' for c in row)}</tr>"
        for row in table.rows
    )
    return (
        f'<h2>{escape(table.title)}</h2>\n<div class="wide"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>\n{rows}\n</tbody></table></div>"
    )


def _list(lines: Sequence[str]) -> str:
    return f'<ul class="note">{"".join(f"<li>{escape(line)}</li>" for line in lines)}</ul>'
