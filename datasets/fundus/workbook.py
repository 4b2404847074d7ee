"""Reads a small Excel workbook, without a library for it."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from xml.etree import ElementTree

from ...errors import RaterbenchError

SPACE = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
LARGEST = 1 << 24
"""Bytes that a part of the workbook may have."""


def read_sheet(file: Path) -> list[dict[str, str]]:
    """The first sheet of an ``.xlsx`` file: of each row the cells that are not empty, as text, by the letters of their column.

    Raises:
        RaterbenchError: it is not there, or is no such file.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            sheet = min(n for n in archive.namelist() if re.fullmatch(r"xl/worksheets/[^/]+\.xml", n))
            shared = _parsed(archive, "xl/sharedStrings.xml") if "xl/sharedStrings.xml" in archive.namelist() else None
            rows = _parsed(archive, sheet)
        texts = [] if shared is None else [_text(item) for item in shared.iter(f"{SPACE}si")]
        return [_cells(row, texts) for row in rows.iter(f"{SPACE}row")]
    except FileNotFoundError as error:
        raise RaterbenchError(f"{file} is missing: it belongs to the download") from error
    except (OSError, zipfile.BadZipFile, ElementTree.ParseError, ValueError, KeyError, IndexError) as error:
        raise RaterbenchError(
            f"{file} cannot be read as an Excel workbook ({error}): copy it from the download again"
        ) from error


def _parsed(archive: zipfile.ZipFile, name: str) -> ElementTree.Element:
    if archive.getinfo(name).file_size > LARGEST:
        raise ValueError(f"{name} has more than {LARGEST} bytes")
    content = archive.read(name)
    if b"<!DOCTYPE" in content:  # entities could make it huge, and no program that saves workbooks writes any
        raise ValueError(f"{name} declares a document type")
    return ElementTree.fromstring(content)


def _cells(row: ElementTree.Element, shared: list[str]) -> dict[str, str]:
    found = {}
    for cell in row.iter(f"{SPACE}c"):
        value = cell.findtext(f"{SPACE}v", "")
        kind = cell.get("t")
        text = _text(cell) if kind == "inlineStr" else shared[int(value)] if kind == "s" and value else value
        if text.strip():
            found[cell.get("r", "").rstrip("0123456789")] = text.strip()
    return found


def _text(element: ElementTree.Element) -> str:
    return "".join(part.text or "" for part in element.iter(f"{SPACE}t"))
