"""A host's WMI made of plain values, and what drives the sections' steps against it: for unit tests, without XML and without a network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from auditor.model.errors import CollectError
from auditor.probes.bundle import ProbeRequest
from auditor.probes.framing import SectionAnswer
from auditor.probes.wmi.questions import Found, Instance, Output, Query, Question, RegistryCall, Steps
from auditor.probes.wmi.sections import SECTIONS
from auditor.probes.wmi.sheet import Sheet
from auditor.probes.wmi.survey import Survey

T = TypeVar("T")
Answerer = Callable[[Question], Found | Output]


def drive(steps: Steps[T], answer: Answerer) -> T:
    """Runs steps to their end; CollectErrors of the answerer are raised inside them, as a session does."""
    try:
        question = next(steps)
        while True:
            try:
                found = answer(question)
            except CollectError as error:
                question = steps.throw(error)
            else:
                question = steps.send(found)
    except StopIteration as end:
        result: T = end.value
        return result


def section(name: str, answer: Answerer, survey: Survey | None = None, request: ProbeRequest | None = None) -> SectionAnswer:
    """The answer of one section."""
    sheet = Sheet()
    try:
        drive(SECTIONS[name](survey or Survey(request or ProbeRequest()), sheet), answer)
    except CollectError as error:
        return sheet.answer(
            "denied" if error.status == "denied" else "unsupported" if error.status == "unsupported" else "failed", error.message
        )
    return sheet.answer()


class SmallHost:
    """Classes by name, and a registry of `key -> {name: (type, data)}`; `types` are numbers of winnt.h, data as StdRegProv gives it."""

    def __init__(
        self,
        classes: Mapping[str, list[Instance]] | None = None,
        registry: Mapping[str, Mapping[str, tuple[int, object]]] | None = None,
        denied: tuple[str, ...] = (),
        expands: str = "as_written",
    ) -> None:
        self.classes = {name.lower(): found for name, found in (classes or {}).items()}
        self.registry = {key.upper(): values for key, values in (registry or {}).items()}
        self.denied = {key.upper() for key in denied}
        self.expands = expands
        self.asked: list[Question] = []

    def __call__(self, question: Question) -> Found | Output:
        self.asked.append(question)
        if isinstance(question, Query):
            name = question.wql.split(" FROM ")[1].split(" ")[0]
            if name.lower() not in self.classes:
                raise CollectError("", f"no class {name}", status="unsupported")
            found = self.classes[name.lower()]
            return Found(found[: question.limit], len(found) <= question.limit)
        return self._registry(question)

    def _registry(self, call: RegistryCall) -> Output:
        key = call.key.upper()
        if key in self.denied:
            return Output(5)
        below = sorted({path[len(key) + 1 :].split("\\")[0] for path in self.registry if path.startswith(key + "\\")})
        if key not in self.registry and not below:
            return Output(2)
        if call.method == "EnumKey":
            return Output(0, {"sNames": below or None})
        values = self.registry.get(key, {})
        if call.method == "EnumValues":
            return Output(0, {"sNames": list(values) or None, "Types": [str(kind) for kind, _ in values.values()] or None})
        return self._value(call, {name.upper(): value for name, value in values.items()}.get((call.value or "").upper()))

    def _value(self, call: RegistryCall, value: tuple[int, object] | None) -> Output:
        if value is None:
            return Output(1)
        kind, data = value
        fits = {"GetStringValue": (1, 2), "GetExpandedStringValue": (2,), "GetMultiStringValue": (7,), "GetDWORDValue": (4,),
                "GetQWORDValue": (11,), "GetBinaryValue": (3,)}[call.method]  # fmt: skip
        if kind not in fits or (call.method == "GetStringValue" and kind == 2 and self.expands == "other_type"):
            return Output(0x80041005)
        if kind == 2 and (self.expands == "replaced" or call.method == "GetExpandedStringValue"):
            data = str(data).replace("%SystemRoot%", r"C:\Windows")
        name = "uValue" if kind in (3, 4, 11) else "sValue"
        shown = [str(item) for item in data] if isinstance(data, list | bytes) else str(data)
        return Output(0, {name: shown})
