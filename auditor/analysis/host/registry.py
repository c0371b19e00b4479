"""Look-ups in the security section: registry keys and values in both views, and files, under the names that signatures use."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property

from auditor.model.host import SecurityRecord
from auditor.model.pattern import compile_pattern, is_glob

_HIVES = ("hklm\\", "hkey_local_machine\\", "hklm:\\")
_WOW = "wow6432node"


@functools.lru_cache(maxsize=4096)
def normal_key(path: str) -> str:
    """A registry key below HKLM, case-folded, without hive and without the name of the 32-bit view."""
    text = path.strip().strip("\\").casefold()
    for hive in _HIVES:
        text = text.removeprefix(hive)
    return "\\".join(level for level in text.split("\\") if level != _WOW)


def file_tail(path: str) -> str:
    """The part of a file path that does not depend on where a folder variable points to, case-folded, with a leading backslash."""
    text = path.strip().replace("/", "\\").casefold()
    if text.startswith("%"):
        text = text.partition("%")[2].partition("%")[2]
    elif len(text) > 1 and text[1] == ":":
        return text
    return "\\" + text.strip("\\")


def file_test(path: str) -> Callable[[str], bool]:
    """A test for case-folded file paths: whether they end in what follows the folder variable of `path`; globs allowed."""
    tail = file_tail(path)
    return compile_pattern("*" + tail if tail.startswith("\\") else tail)


def may_hold(refused: str, wanted: str) -> bool:
    """Whether a key that was refused is the key wanted, or one above it."""
    key, levels = normal_key(wanted), normal_key(refused).split("\\")
    depth = key.count("\\") + 1
    return compile_pattern(key)("\\".join(levels[:depth])) if len(levels) >= depth else _fits_head(levels, key)


def _fits_head(levels: list[str], key: str) -> bool:
    """Whether a shorter path is the beginning of a key; a level of the key may be a glob."""
    return all(compile_pattern(part)(level) for part, level in zip(key.split("\\"), levels, strict=False))


class SecurityIndex:
    """The records of one host's security section."""

    def __init__(self, records: Iterable[SecurityRecord]) -> None:
        self._keys: dict[str, list[SecurityRecord]] = {}
        self._files: list[tuple[str, SecurityRecord]] = []
        for record in records:
            if record.kind == "registry":
                self._keys.setdefault(normal_key(record.path), []).append(record)
            else:
                self._files.append((record.path.replace("/", "\\").casefold(), record))

    @property
    def file_names(self) -> Iterator[str]:
        """Paths of the files, case-folded."""
        return (name for name, _ in self._files)

    @cached_property
    def keys_and_parents(self) -> frozenset[str]:
        """Every key of which something was read, and the keys above it, in the form of `normal_key`."""
        found: set[str] = set()
        for key in self._keys:
            while key and key not in found:
                found.add(key)
                key = key.rpartition("\\")[0]
        return frozenset(found)

    def values_of(self, wanted: Iterable[str]) -> list[str]:
        """Those of many values (key in the form of `normal_key`, backslash, name case-folded) that were read."""
        found = []
        for text in wanted:
            key, _, name = text.rpartition("\\")
            if key in self._keys and any(record.name.casefold() == name for record in self._keys[key]):
                found.append(text)
        return found

    def values(self, key: str, value: str) -> list[SecurityRecord]:
        """Records of a value name below a key (`*` is one level), native view first."""
        wanted = value.casefold()
        found = [r for name in self._matching(normal_key(key)) for r in self._keys[name] if r.name.casefold() == wanted]
        return sorted(found, key=lambda r: r.view != "native")

    def below(self, key: str) -> list[SecurityRecord]:
        """Records of a key or of anything below it; the key as such is there where there is one."""
        wanted = normal_key(key)
        if not is_glob(wanted) and wanted not in self.keys_and_parents:
            return []
        depth = wanted.count("\\") + 1
        found: list[SecurityRecord] = []
        for name, records in self._keys.items():
            head = "\\".join(name.split("\\")[:depth])
            if _fits(wanted, head):
                found += records
        return found

    def files(self, path: str) -> list[SecurityRecord]:
        """Records of a file whose path ends in what follows the folder variable of `path`; globs allowed."""
        fits = file_test(path)
        return [record for name, record in self._files if fits(name)]

    def _matching(self, wanted: str) -> Iterator[str]:
        if not is_glob(wanted):
            if wanted in self._keys:
                yield wanted
            return
        depth = wanted.count("\\")
        yield from (name for name in self._keys if name.count("\\") == depth and _fits(wanted, name))


def _fits(wanted: str, name: str) -> bool:
    """Level by level, so that `*` never spans a backslash."""
    if not is_glob(wanted):
        return wanted == name
    levels, names = wanted.split("\\"), name.split("\\")
    return len(levels) == len(names) and all(compile_pattern(level)(part) for level, part in zip(levels, names, strict=True))
