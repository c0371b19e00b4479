"""Many patterns held against many names at once: exact ones by look-up, globs by the first characters of their literal start."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

from auditor.model.pattern import compile_pattern, is_glob

T = TypeVar("T")
_HEAD = 4
"""Characters of a glob's literal start by which its bucket is found."""
_REMEMBERED = 100_000
"""Names that are remembered to say nothing: most hosts share most of their names."""


class NameIndex(Generic[T]):
    """Patterns of one kind of name, each with what a name that fits it says."""

    def __init__(self) -> None:
        self._exact: dict[str, list[T]] = {}
        self._buckets: dict[str, list[tuple[Callable[[str], bool], T]]] = {}
        self._silent: set[str] = set()

    def add(self, pattern: str, says: T) -> None:
        """Remember what a name that fits `pattern` says."""
        self._silent.clear()
        folded = pattern.casefold()
        if not is_glob(folded):
            self._exact.setdefault(folded, []).append(says)
            return
        literal = folded[: min(i for i, c in enumerate(folded) if c in "*?")]
        head = literal[:_HEAD] if len(literal) >= _HEAD else ""
        self._buckets.setdefault(head, []).append((compile_pattern(folded), says))

    def telling(self, names: Iterable[str]) -> list[tuple[str, tuple[T, ...]]]:
        """Those of some case-folded names that say something, in their order, each with what it says."""
        silent = self._silent
        found: list[tuple[str, tuple[T, ...]]] = []
        for name in [name for name in names if name not in silent]:
            if said := tuple(self._said(name)):
                found.append((name, said))
            elif len(silent) < _REMEMBERED:
                silent.add(name)
        return found

    def _said(self, name: str) -> Iterator[T]:
        yield from self._exact.get(name, ())
        for head in (name[:_HEAD], "") if len(name) >= _HEAD else ("",):
            for fits, says in self._buckets.get(head, ()):
                if fits(name):
                    yield says
