"""What of a section was not seen: whether a missing record is really gone, and whether a field's value is to be believed. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

from auditor.analysis.drift.items import Item, key_fields
from auditor.analysis.host.asked import asked_index
from auditor.analysis.host.registry import file_test
from auditor.model.baseline import SectionPlan
from auditor.model.host import Question, Section

_PLACES = ("path", "name", "key", "id")


class Doubts:
    """The gaps of one section, by what they name. A gap may name a record by its key or by any field of it: all are taken to be meant."""

    def __init__(self, section: Section[Any, Any], plan: SectionPlan, asked: Question | None = None) -> None:
        self._section = section
        self._asked = asked
        self._names = tuple(dict.fromkeys((*key_fields(plan), *_PLACES)))

    @cached_property
    def whole(self) -> str:
        """Why the listing may lack records that no gap names, or nothing where it is complete."""
        section = self._section
        if section.status == "ok" or (section.status == "partial" and section.gaps and all(gap.record for gap in section.gaps)):
            return ""
        return f"the section was not seen as a whole: {section.reason or section.status.replace('_', ' ')}"

    @cached_property
    def _gaps(self) -> dict[str, dict[str, str]]:
        found: dict[str, dict[str, str]] = {}
        for gap in self._section.gaps:
            found.setdefault(gap.record.casefold(), {})[gap.field] = gap.reason
        return found

    def of_record(self, item: Item) -> str:
        """Why a record that this section lacks may be there all the same; nothing where it is surely not there."""
        if self.whole:
            return self.whole
        for label in self._labels(item) if self._gaps else ():
            if reason := self._gaps.get(label, {}).get(""):
                return reason
        return "" if self._asked is None or _was_asked(self._asked, item) else "it was not asked for"

    def of_field(self, item: Item, field: str) -> str:
        """Why a field of a record is not to be believed; nothing where it is."""
        for label in self._labels(item) if self._gaps else ():
            gaps = self._gaps.get(label, {})
            if reason := gaps.get(field) or gaps.get(""):
                return reason
        return self._gaps.get("", {}).get(field, "") if self._gaps else ""

    def _labels(self, item: Item) -> Iterator[str]:
        yield item.identity
        texts = [str(value).casefold() for name in self._names if (value := item.get(name))]
        yield from texts
        if len(texts) > 1:
            yield " ".join(texts)
            yield f"{str(item.get('path') or '').casefold()}\\{str(item.get('name') or '').casefold()}"


def _was_asked(asked: Question, item: Item) -> bool:
    """Whether a registry value or file was looked for; other records are not asked for by name."""
    kind, path = item.get("kind"), item.get("path")
    if kind == "registry":
        return asked_index(asked).key(str(path))
    if kind == "file":
        return any(file_test(glob)(str(path).casefold()) for glob in asked.security_files)
    return True
