"""A report as Markdown, with charts and pictures as files beside it."""

from __future__ import annotations

from headless.reproducing.writing.charts import chart_svg
from headless.reproducing.writing.report import FINDINGS_TITLE, Report, Section, Table

_SPECIAL = str.maketrans({character: f"\\{character}" for character in "\\`*_[]<>|#"})


def markdown(report: Report, stem: str) -> tuple[str, dict[str, bytes]]:
    """The text, and the files that it shows by their names.

    Args:
        stem: what the names of the files begin with.
    """
    lines = [f"# {_plain(report.title)}", ""]
    lines += [f"- {_plain(name)}: {_plain(value)}" for name, value in report.facts]
    files: dict[str, bytes] = {}
    for section in report.sections:
        lines += ["", *_section(section, stem, files)]
    return "\n".join(lines) + "\n", files


def _section(section: Section, stem: str, files: dict[str, bytes]) -> list[str]:
    lines = [f"## {_plain(section.title)}", ""]
    for sentence in section.sentences:
        lines += [_plain(sentence), ""]
    for table in section.tables:
        lines += [*_table(table), ""]
    for remark in section.remarks:
        lines += [f"- {_plain(remark)}"]
    if section.remarks:
        lines.append("")
    if section.findings:
        about, *findings = section.findings
        lines += [f"### {FINDINGS_TITLE}", "", _plain(about), "", *(f"- {_plain(finding)}" for finding in findings), ""]
    for chart in section.charts:
        name = f"{stem}-chart-{len(files) + 1}.svg"
        files[name] = chart_svg(chart).encode()
        lines += [f"![{_plain(chart.title)}]({name})", ""]
    for picture in section.pictures:
        name = f"{stem}-{picture.name}.png"
        files[name] = picture.png
        lines += [f"![{_plain(picture.caption)}]({name})", "", _plain(picture.caption), ""]
    if section.commands:
        # a fence that no command can end
        lines += ["```sh", *(line for title, command in section.commands for line in (f"# {_one_line(title)}", command)), "```"]
    return lines


def _table(table: Table) -> list[str]:
    rules = ["---" if index < table.words else "---:" for index in range(len(table.head))]
    head, *rows = ("| " + " | ".join(_plain(cell) for cell in row) + " |" for row in (table.head, *table.rows))
    return [head, "|" + "|".join(rules) + "|", *rows]


def _plain(text: str) -> str:
    """Text that Markdown takes as it is."""
    return _one_line(text).translate(_SPECIAL)


def _one_line(text: str) -> str:
    return " ".join(text.split())
