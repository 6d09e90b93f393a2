"""A report as one HTML page that needs no other file: charts as inline SVG, pictures as data URIs, no script."""

from __future__ import annotations

import base64
from html import escape

from headless.reproducing.writing.charts import chart_svg
from headless.reproducing.writing.report import FINDINGS_TITLE, Report, Section, Table

_STYLE = (
    ":root{color-scheme:light dark;--ink:#202024;--paper:#fafaf8;--line:#dededc;--code:#f0f0ec;--quiet:#5c5c64}"
    "@media(prefers-color-scheme:dark){:root{--ink:#e6e6e8;--paper:#18181b;--line:#3a3a40;--code:#222226;--quiet:#a8a8b0}}"
    "body{font:16px/1.5 sans-serif;color:var(--ink);background:var(--paper);max-width:80rem;margin:2rem auto;padding:0 1rem}"
    "p,ul,dl{max-width:60rem}table{border-collapse:collapse;margin:1rem 0;display:block;overflow-x:auto}"
    "th,td{padding:.3rem .7rem;border-bottom:1px solid var(--line);text-align:left;white-space:nowrap}"
    "td.number,th.number{text-align:right;font-variant-numeric:tabular-nums}img,svg{max-width:100%;height:auto}"
    "pre{background:var(--code);padding:.8rem;overflow-x:auto;font-size:.85rem}figure{margin:1.5rem 0}"
    "figcaption{color:var(--quiet);font-size:.9rem;max-width:60rem}dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1rem}"
    "dt{font-weight:bold}dd{margin:0;overflow-wrap:anywhere}.charts{display:flex;flex-wrap:wrap;gap:0 1rem}"
    ".charts figure{flex:1 1 32rem;max-width:45rem;margin:.7rem 0}"
)


def html_page(report: Report) -> str:
    """The page's text."""
    facts = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in report.facts)
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(report.title)}</title><style>{_STYLE}</style></head><body>",
        f"<h1>{escape(report.title)}</h1><dl>{facts}</dl>",
        *(_section(section) for section in report.sections),
        "</body></html>",
    ]
    return "\n".join(parts) + "\n"


def _section(section: Section) -> str:
    parts = [f"<section><h2>{escape(section.title)}</h2>"]
    parts += [f"<p>{escape(sentence)}</p>" for sentence in section.sentences]
    parts += [_table(table) for table in section.tables]
    if section.remarks:
        parts.append("<ul>" + "".join(f"<li>{escape(remark)}</li>" for remark in section.remarks) + "</ul>")
    if section.findings:
        about, *findings = section.findings
        items = "".join(f"<li>{escape(finding)}</li>" for finding in findings)
        parts.append(f"<h3>{FINDINGS_TITLE}</h3><p>{escape(about)}</p><ul>{items}</ul>")
    if section.charts:
        figures = "".join(f"<figure>{chart_svg(chart)}</figure>" for chart in section.charts)
        parts.append(f'<div class="charts">{figures}</div>')
    for picture in section.pictures:
        data = base64.b64encode(picture.png).decode()
        alt, caption = escape(picture.caption, quote=True), escape(picture.caption)
        parts.append(f'<figure><img alt="{alt}" src="data:image/png;base64,{data}"><figcaption>{caption}</figcaption></figure>')
    if section.commands:
        lines = [line for title, command in section.commands for line in (f"# {' '.join(title.split())}", command)]
        parts.append("<pre>" + escape("\n".join(lines)) + "</pre>")
    return "\n".join([*parts, "</section>"])


def _table(table: Table) -> str:
    def cells(row: tuple[str, ...], tag: str) -> str:
        kinds = ["" if index < table.words else ' class="number"' for index in range(len(row))]
        return "".join(f"<{tag}{kind}>{escape(cell)}</{tag}>" for kind, cell in zip(kinds, row, strict=True))

    rows = "".join(f"<tr>{cells(row, 'td')}</tr>" for row in table.rows)
    return f"<table><thead><tr>{cells(table.head, 'th')}</tr></thead><tbody>{rows}</tbody></table>"
