"""What a host was asked for by name: where a key, a file or an event was not asked for, its absence says nothing.

Rules of this file:
1. Names are compared as the registry and files are: without case, a `*` stays inside one level. What a glob covers was asked for.
2. A snapshot without a question (`Snapshot.asked` is None) holds everything that could be asked for.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping

from auditor.analysis.host.registry import normal_key
from auditor.model.host import Question
from auditor.model.pattern import compile_pattern, is_glob
from auditor.model.signature import Signature


class AskedIndex:
    """A question with look-ups."""

    def __init__(self, question: Question) -> None:
        self._keys = _Globs(map(normal_key, question.security_keys))
        self._files = _Globs(map(_normal_file, question.security_files))
        self._unasked: tuple[Mapping[str, object], tuple[str, ...]] | None = None
        self._unasked_names: tuple[Mapping[str, object], tuple[str, ...]] | None = None
        self._unasked_paths: tuple[Mapping[str, object], tuple[str, ...]] | None = None
        self._leftovers: tuple[Mapping[str, Signature], tuple[str, ...]] | None = None
        self._whole: tuple[Mapping[str, object], bool] | None = None
        self._events: dict[tuple[str, str], frozenset[str]] = {}
        for item in question.events:
            log, _, rest = item.partition("/")
            source, _, ids = rest.rpartition("=")
            place = (log.casefold(), source.casefold())
            self._events[place] = self._events.get(place, frozenset()) | frozenset(ids.split(","))

    def unasked_keys(self, keys: Mapping[str, object]) -> tuple[str, ...]:
        """Those of many keys (as `normal_key` makes them) that were not asked for; remembered for the mapping that it was asked with."""
        if self._unasked is None or self._unasked[0] is not keys:
            self._unasked = (keys, tuple(key for key in keys if not self._keys.covers(key)))
        return self._unasked[1]

    def unasked_values(self, values: Mapping[str, object]) -> tuple[str, ...]:
        """Those of many values (key as `normal_key` makes it, backslash, name) whose keys were not asked for; remembered likewise."""
        if self._unasked_names is None or self._unasked_names[0] is not values:
            self._unasked_names = (values, tuple(value for value in values if not self._keys.covers(value.rpartition("\\")[0])))
        return self._unasked_names[1]

    def unasked_files(self, paths: Mapping[str, object]) -> tuple[str, ...]:
        """Those of many files that were not asked for; remembered likewise."""
        if self._unasked_paths is None or self._unasked_paths[0] is not paths:
            self._unasked_paths = (paths, tuple(path for path in paths if not self.file(path)))
        return self._unasked_paths[1]

    def unasked_leftovers(self, signatures: Mapping[str, Signature]) -> tuple[str, ...]:
        """Ids of products some of whose signs of leftovers were not asked for; remembered likewise."""
        if self._leftovers is None or self._leftovers[0] is not signatures:
            self._leftovers = (signatures, tuple(id_ for id_, signature in signatures.items() if not self._covers_leftovers(signature)))
        return self._leftovers[1]

    def _covers_leftovers(self, signature: Signature) -> bool:
        keys = all(self.key(source.key) for signs in signature.remnant for source in signs.registry)
        return keys and all(self.file(source.path) for signs in signature.remnant for source in signs.files)

    def all_events(self, names: Mapping[str, object]) -> bool:
        """Whether all events (`source/id`, case-folded) were asked for in some log; remembered likewise."""
        if self._whole is None or self._whole[0] is not names:
            pairs = (name.rpartition("/") for name in names)
            self._whole = (names, all(self.events((int(number),), None, source) for source, _, number in pairs))
        return self._whole[1]

    def key(self, path: str) -> bool:
        """Whether the values of a key were asked for."""
        return self._keys.covers(normal_key(path))

    def file(self, path: str) -> bool:
        """Whether a file, or all files of a glob, were asked for."""
        return self._files.covers(_normal_file(path))

    def events(self, ids: Iterable[int], log: str | None, source: str | None) -> bool:
        """Whether all events that a selector could mean were asked for."""
        if source is None or is_glob(source) or (log is not None and is_glob(log)):
            return False
        logs = (log.casefold(),) if log else ("system", "application")
        found = [self._events.get((name, source.casefold()), frozenset()) for name in logs]
        asked = frozenset().union(*found)
        return "*" in asked or all(str(number) in asked for number in ids)


class _Globs:
    """Paths and globs over paths, level by level."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._texts = frozenset(texts)
        self._globs: dict[int, list[list[str]]] = {}
        for text in self._texts:
            if is_glob(text):
                self._globs.setdefault(text.count("\\"), []).append(text.split("\\"))
        self._known: dict[str, bool] = {}

    def covers(self, wanted: str) -> bool:
        """Whether everything that `wanted` means is meant by one of the texts."""
        if wanted not in self._known:
            levels = wanted.split("\\")
            self._known[wanted] = wanted in self._texts or any(_covers(glob, levels) for glob in self._globs.get(len(levels) - 1, ()))
        return self._known[wanted]


def _covers(glob: list[str], wanted: list[str]) -> bool:
    return all(
        asked == level or asked == "*" or (not is_glob(level) and compile_pattern(asked)(level))
        for asked, level in zip(glob, wanted, strict=True)
    )


def _normal_file(path: str) -> str:
    return path.strip().replace("/", "\\").casefold()


@functools.lru_cache(maxsize=16)
def asked_index(question: Question) -> AskedIndex:
    """The index of a question; hosts of one run were asked the same."""
    return AskedIndex(question)
