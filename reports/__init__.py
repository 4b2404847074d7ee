"""What people read: tables, figures, the HTML page. Names are imported when they are first asked for."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .page.report import main_table as main_table
    from .page.report import main_table_text as main_table_text
    from .page.report import write_report as write_report

__all__ = ["main_table", "main_table_text", "write_report"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(importlib.import_module(".page.report", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
