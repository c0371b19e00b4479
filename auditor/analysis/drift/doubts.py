"""What of a section was not seen: whether a missing record is really gone, and whether a field's value is to be believed. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

from auditor.analysis.drift.items import Item, key_fields
from auditor.model.baseline import SectionPlan
from auditor.model.host import Section

_PLACES = ("path", "name", "key", "id")


class Doubts:
    """The gaps of one section, by what they name. A gap may name a record by its key or by any field of it: all are taken to be meant."""

    def __init__(self, section: Section[Any, Any], plan: SectionPlan) -> None:
        self._section = section
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

    @cached_property
    def _paths(self) -> set[str]:
        return {str(getattr(record, "path", "")).casefold() for record in self._section.records}

    def of_record(self, item: Item, *, same_question: bool = True) -> str:
        """Why a record that this section lacks may be there all the same; nothing where it is surely not there.

        Where the two sections were asked different things, a record counts as missing only if others of its place were told.
        """
        if self.whole:
            return self.whole
        for label in self._labels(item) if self._gaps else ():
            if reason := self._gaps.get(label, {}).get(""):
                return reason
        if not same_question and str(item.get("path") or "").casefold() not in self._paths:
            return "it was perhaps not asked for"
        return ""

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
