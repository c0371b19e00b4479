"""Registry exports and `reg query`: every type, every escape, deletions, broken lines, and denied keys."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.probes.recorded.encoding import decode_text
from auditor.probes.recorded.registry import looks_like_reg, read_reg
from auditor.probes.recorded.regquery import looks_like_reg_query, read_reg_query

HEAD = "Windows Registry Editor Version 5.00\r\n\r\n"
KEY = r"HKEY_LOCAL_MACHINE\SOFTWARE\Acme"


def wide(text: str) -> str:
    return ",".join(f"{b:02x}" for b in text.encode("utf-16-le"))


@pytest.mark.parametrize(
    ("line", "name", "type_", "data"),
    [
        (r'"Path"="C:\\Program Files\\a \"b\""', "Path", "REG_SZ", r'C:\Program Files\a "b"'),
        (r'"a\\b=\"c\""="x"', r'a\b="c"', "REG_SZ", "x"),
        ('@="default"', "", "REG_SZ", "default"),
        ('"E"=""', "E", "REG_SZ", ""),
        ('"D"=dword:0000001a', "D", "REG_DWORD", 26),
        ('"Q"=hex(b):01,00,00,00,00,00,00,80', "Q", "REG_QWORD", 0x8000000000000001),
        ('"B"=hex:de,ad,be,ef', "B", "REG_BINARY", "deadbeef"),
        ('"B0"=hex:', "B0", "REG_BINARY", ""),
        ('"N"=hex(0):01', "N", "REG_NONE", "01"),
        (f'"X"=hex(2):{wide("%SystemRoot%")},00,00', "X", "REG_EXPAND_SZ", "%SystemRoot%"),
        (f'"M"=hex(7):{wide("eins")},00,00,{wide("zwei")},00,00,00,00', "M", "REG_MULTI_SZ", ["eins", "zwei"]),
        ('"M0"=hex(7):00,00', "M0", "REG_MULTI_SZ", []),
        ('"R"=hex(8):0a,0b', "R", "REG_RESOURCE_LIST", "0a0b"),
        ('"V"=hex(ffff0012):01', "V", "REG_0xffff0012", "01"),
        ('"C"=hex:01,02,\\\r\n  03,04,\\\r\n  05', "C", "REG_BINARY", "0102030405"),
        ('"T"="first\r\nsecond"', "T", "REG_SZ", "first\nsecond"),
    ],
)  # fmt: skip
def test_values(line: str, name: str, type_: str, data: object) -> None:
    outcome = read_reg(f"{HEAD}[{KEY}]\r\n{line}\r\n")
    assert not outcome.faults
    (value,) = outcome.records
    assert (value.key, value.value_name, value.type, value.data) == (KEY, name, type_, data)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig", "cp1252"])
def test_encodings(encoding: str) -> None:
    text, _ = decode_text(f'{HEAD}[{KEY}]\r\n"Größe"="für Überläufer"\r\n'.encode(encoding))
    assert looks_like_reg(text)
    assert [(v.value_name, v.data) for v in read_reg(text).records] == [("Größe", "für Überläufer")]


def test_version_4_holds_ansi_bytes() -> None:
    assert [v.data for v in read_reg(f'REGEDIT4\n\n[{KEY}]\n"X"=hex(2):25,61,25,00\n').records] == ["%a%"]


def test_keys_without_values_and_deletions() -> None:
    outcome = read_reg(f'{HEAD}[{KEY}]\n\n[{KEY}\\A]\n"x"=-\n@=-\n\n[-{KEY}\\B]\n')
    assert (outcome.empty_keys, outcome.skipped) == ([KEY], 1)
    assert [(v.key[-1], v.value_name, v.deleted) for v in outcome.records] == [("A", "x", True), ("A", "", True), ("B", None, True)]
    assert outcome.rows == 4


def test_broken_lines_cost_themselves_only() -> None:
    text = f'{HEAD}"early"="x"\n[{KEY}]\n"a"="1"\nnonsense\n"b"=hex:0g\n"c"="open\n"d"=dword:123456789\n"e"="5"\n[unclosed\n"f"="6"\n'
    outcome = read_reg(text)
    assert [v.value_name for v in outcome.records] == ["a", "e"]
    assert [f.place for f in outcome.faults] == [f"line {n}" for n in (3, 6, 7, 8, 9, 11, 12)]


QUERY = (
    f"\r\n{KEY}\r\n    (Standard)    REG_SZ    hallo\r\n    Two words    REG_EXPAND_SZ    %TEMP%\\a  b\r\n    Zahl    REG_DWORD    0x1a\r\n"
    f"    Liste    REG_MULTI_SZ    a\\0b\r\n    Leer    REG_SZ    \r\n    Bin    REG_BINARY    DEADBEEF\r\n\r\n{KEY}\\Leer\r\n\r\n"
    "Suche beendet: 6 Übereinstimmung(en) gefunden.\r\n"
)


def test_reg_query() -> None:
    outcome = read_reg_query(QUERY)
    assert looks_like_reg_query(QUERY)
    assert [(v.value_name, v.type, v.data) for v in outcome.records] == [
        ("", "REG_SZ", "hallo"),
        ("Two words", "REG_EXPAND_SZ", "%TEMP%\\a  b"),
        ("Zahl", "REG_DWORD", 26),
        ("Liste", "REG_MULTI_SZ", ["a", "b"]),
        ("Leer", "REG_SZ", ""),
        ("Bin", "REG_BINARY", "deadbeef"),
    ]
    assert outcome.empty_keys == [f"{KEY}\\Leer"]


def test_the_old_tools_tabs() -> None:
    text = f"\n! REG.EXE VERSION 3.0\n\n{KEY}\n    <NO NAME>\tREG_SZ\tx\n    Ver\tREG_SZ\t9.0 b\n"
    assert [(v.value_name, v.data) for v in read_reg_query(text).records] == [("", "x"), ("Ver", "9.0 b")]


@pytest.mark.parametrize("line", ["ERROR: Access is denied.", "FEHLER: Zugriff verweigert", "ОШИБКА: Отказано в доступе."])
def test_denied_is_not_none(line: str) -> None:
    outcome = read_reg_query(f"{KEY}\r\n    a    REG_SZ    b\r\n\r\n{KEY}\\Secret\r\n{line}\r\n")
    assert [v.value_name for v in outcome.records] == ["a"]
    assert [f.message.startswith(line) for f in outcome.faults] == [True]
    assert outcome.empty_keys == []


def test_a_default_value_that_is_not_set_has_no_data() -> None:
    assert read_reg_query(f"{KEY}\n    (Default)    REG_SZ    (value not set)\n").records[0].data is None


@given(
    st.dictionaries(
        st.text(st.characters(blacklist_categories=["Cs", "Cc"]), min_size=1, max_size=12),
        st.text(st.characters(blacklist_categories=["Cs", "Cc"]), max_size=20),
        max_size=6,
    )
)
def test_what_is_exported_comes_back(values: dict[str, str]) -> None:
    def escaped(text: str) -> str:
        return text.replace("\\", "\\\\").replace('"', '\\"')

    body = "".join(f'"{escaped(n)}"="{escaped(v)}"\r\n' for n, v in values.items())
    text, _ = decode_text(f"{HEAD}[{KEY}]\r\n{body}".encode("utf-16"))
    assert {str(v.value_name): v.data for v in read_reg(text).records} == values


@given(st.text(alphabet=st.sampled_from('[]HKEY_\\"=@-:,dwordhex(7)0af\r\n \t'), max_size=300))
def test_any_text_gives_records_or_faults(text: str) -> None:
    for outcome in (read_reg(HEAD + text), read_reg_query(text)):
        assert outcome.rows == len(outcome.records) + len(outcome.faults) + outcome.merged + outcome.skipped
