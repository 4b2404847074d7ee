"""What the cache holds, in words."""

from __future__ import annotations

from datetime import datetime

from .disk_cache import GIB, DiskCache, Entry

WHAT = {
    "cases": "cases as they were read",
    "images": "images as networks see them",
    "fused": "fused labels",
    "ratings": "ratings and fused labels as networks learn them",
    "diagnosis": "trained diagnosis networks",
}


def cache_summary(cache: DiskCache) -> str:
    """A line for the whole cache, and one for each kind of entry."""
    entries = cache.entries()
    limit = f"of at most {cache.limit / GIB:g} GiB" if cache.limit else "and nothing new is kept"
    lines = [f"{cache.folder}: {_sized(entries)} {limit}"]
    for kind in sorted({entry.kind for entry in entries}):
        some = [entry for entry in entries if entry.kind == kind]
        last = datetime.fromtimestamp(some[-1].used).astimezone().strftime("%Y-%m-%d %H:%M")
        lines.append(f"  {kind:9} {_sized(some)}, last used {last}: {WHAT.get(kind, 'of another version')}")
    lines.append("RATERBENCH_CACHE sets the folder, RATERBENCH_CACHE_GIB the limit; raterbench cache --clear removes all")
    return "\n".join(lines)


def clear_cache(cache: DiskCache) -> str:
    """Remove all entries, and say how many; only files of the cache are touched."""
    removed, left = cache.remove_oldest(0), len(cache.entries())
    kept = f"; {left:,} cannot be removed, since a run uses them or they are not yours" if left else ""
    return f"{cache.folder}: removed {_sized(removed)}{kept}"


def _sized(entries: list[Entry]) -> str:
    size = sum(entry.size for entry in entries)
    shown = f"{size / GIB:.2f} GiB" if size >= GIB / 10 else f"{size / 2**20:.1f} MiB"
    return f"{len(entries):,} {'entry' if len(entries) == 1 else 'entries'}, {shown}"
