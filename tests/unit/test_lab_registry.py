"""The registry of a lab host: names without case, typed data, the notation of fleet files."""

from __future__ import annotations

import pytest

from auditor.lab.document import Problems, read_document
from auditor.lab.registry import Registry, Setting, Value, read_registry


def _read(text: str) -> tuple[tuple[Setting, ...], list[str]]:
    problems = Problems()
    node = read_document(text, "f.yml", problems)
    assert node is not None
    settings = read_registry(node, problems, "host.registry")
    return settings, [str(problem) for problem in problems.found]


def test_names_do_not_differ_by_case_and_keep_theirs() -> None:
    registry = Registry()
    registry.put(r"HKLM\SOFTWARE\Network ICE", "Path", "C:\\x")
    registry.put(r"hklm\software\NETWORK ice", "PATH", 7)
    key = registry.key(r"HKLM\Software\Network Ice")
    assert key is not None
    assert key.name == "Network ICE"
    assert [(value.name, value.type, value.data) for value in key.values()] == [("PATH", "REG_DWORD", 7)]
    assert registry.text(r"HKLM\SOFTWARE\Network ICE", "Path") is None
    assert registry.number(r"HKLM\SOFTWARE\Network ICE", "path") == 7


def test_globs_stand_for_one_level_each() -> None:
    registry = Registry()
    for name in ("A", "B"):
        registry.put(rf"HKLM\SOFTWARE\X\{name}\Deep", "v", 1)
    assert [path for path, _ in registry.expand(r"HKLM\SOFTWARE\X\*")] == [r"HKLM\SOFTWARE\X\A", r"HKLM\SOFTWARE\X\B"]
    assert list(registry.expand(r"HKLM\SOFTWARE\*\Deep")) == []


def test_data_is_typed_as_it_is_written() -> None:
    settings, problems = _read(
        "HKLM\\SOFTWARE\\X:\n"
        "  a: text\n  b: 0x03E80384\n  c: [one, two]\n  d: {expand: '%SystemRoot%'}\n  e: {binary: 0A ff}\n  f: {qword: 5000000000}\n"
        "  g: '12'\n  h: {text: 12}\n  '@': default\n  i: {none: ''}\n  j: {multi: []}\n  \\Sub\\Deeper: {k: 1}\n"
    )
    assert problems == []
    values = {s.value.name: (s.value.type, s.value.data) for s in settings if s.value is not None and s.key == r"HKLM\SOFTWARE\X"}
    assert values == {
        "a": ("REG_SZ", "text"),
        "b": ("REG_DWORD", 0x03E80384),
        "c": ("REG_MULTI_SZ", ("one", "two")),
        "d": ("REG_EXPAND_SZ", "%SystemRoot%"),
        "e": ("REG_BINARY", b"\n\xff"),
        "f": ("REG_QWORD", 5_000_000_000),
        "g": ("REG_SZ", "12"),
        "h": ("REG_SZ", "12"),
        "": ("REG_SZ", "default"),
        "i": ("REG_NONE", b""),
        "j": ("REG_MULTI_SZ", ()),
    }
    assert Setting(r"HKLM\SOFTWARE\X\Sub\Deeper", Value("k", "REG_DWORD", 1)) in settings


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("HKCU\\X: {a: 1}\n", "1:9: host.registry: expected a key path that begins with HKLM or HKU, got `HKCU\\X`"),
        ("HKLM\\X\\: {a: 1}\n", "expected a key path"),
        ("HKLM\\X: 3\n", "expected a map of values and subkeys"),
        ("HKLM\\X: {a: {dword: x}}\n", "expected data for REG_DWORD, got 'x'"),
        ("HKLM\\X: {a: {number: 1}}\n", "a subkey's name begins with a backslash"),
        ("HKLM\\X: {a: 5000000000}\n", "expected data for REG_SZ, REG_DWORD or REG_MULTI_SZ, got 5000000000"),
        ("HKLM\\X: {a: true}\n", "got True"),
        ("HKLM\\X: {a: {binary: xyz}}\n", "non-hexadecimal number"),
        ("HKLM\\X: {a: [1, 2]}\n", "got [1, 2]"),
    ],
)
def test_wrong_data_is_told_with_its_place(text: str, message: str) -> None:
    _, problems = _read(text)
    assert len(problems) == 1
    assert message in problems[0]
    assert problems[0].startswith("f.yml:1:")
