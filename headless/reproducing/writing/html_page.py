"""A report as one HTML page that needs no other file: charts as inline SVG, pictures as data URIs, no script."""

from __future__ import annotations

import base64
from html import escape

from headless.reproducing.writing.charts import chart_svg
from headless.reproducing.writing.report import Report, Section, Table

_STYLE = (
    "body{font:16px/1.5 sans-serif;color:#202024;background:#fafaf8;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;margin:1rem 0}th,td{padding:.3rem .7rem;border-bottom:1px solid #dededc;text-align:left}"
    "td.number,th.number{text-align:right;font-variant-numeric:tabular-nums}img,svg{max-width:100%;height:auto}"
    "pre{background:#f0f0ec;padding:.8rem;overflow-x:auto;font-size:.85rem}figure{margin:1rem 0}dt{font-weight:bold}"
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
    parts += [f"<figure>{chart_svg(chart)}</figure>" for chart in section.charts]
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
