"""WMI instances as XML: the two forms in which Windows writes them, and the parameters and results of methods. Pure.

Answers to queries are `w:XmlFragment` elements without class and namespaces; plain enumerations are elements named after the class.
Properties stand in the order of their names, null as xsi:nil, arrays repeated, times as ISO 8601 with the host's offset (recorded pages
of Server 2012).
"""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree as ET

from auditor.lab.wmi import Instance
from auditor.lab.wsman import printable

_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_CIM = "http://schemas.dmtf.org/wbem/wscim/1/common"
_DMTF = re.compile(r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)\.(\d{6})([+-])(\d{3})")


def fragment(instance: Instance, columns: tuple[str, ...]) -> str:
    """An instance as the answer to a query gives it: the columns asked for, or all."""
    names = sorted(instance) if not columns else sorted(_named(instance, column) for column in columns)
    inside = "".join(_property(name, instance[name], "", "") for name in names)
    return f'<w:XmlFragment xmlns:xsi="{_XSI}">{inside}</w:XmlFragment>'


def _named(instance: Instance, column: str) -> str:
    return next(name for name in instance if name.lower() == column.lower())


def whole(instance: Instance, class_name: str, uri: str) -> str:
    """An instance as a plain enumeration gives it."""
    inside = "".join(_property(name, instance[name], "p:", "cim:") for name in sorted(instance))
    spaces = f'xmlns:xsi="{_XSI}" xmlns:p="{uri}" xmlns:cim="{_CIM}"'
    return f'<p:{class_name} {spaces} xsi:type="p:{class_name}_Type">{inside}</p:{class_name}>'


def output(method: str, uri: str, code: int, values: dict[str, Any]) -> str:
    """What a method gives back."""
    inside = "".join(_property(name, value, "p:", "cim:") for name, value in values.items())
    return (
        f'<p:{method}_OUTPUT xmlns:xsi="{_XSI}" xmlns:p="{uri}" xmlns:cim="{_CIM}">{inside}'
        f"<p:ReturnValue>{code}</p:ReturnValue></p:{method}_OUTPUT>"
    )


def parameters(body: ET.Element | None, method: str) -> dict[str, str] | None:
    """The parameters of a call by name, None where the body holds none for the method."""
    for element in body if body is not None else ():
        if element.tag.rpartition("}")[2] == f"{method}_INPUT":
            return {child.tag.rpartition("}")[2]: child.text or "" for child in element}
    return None


def _property(name: str, value: Any, prefix: str, time_prefix: str) -> str:
    if value is None or (isinstance(value, list | tuple) and not value):
        return f'<{prefix}{name} xsi:nil="true"/>'
    if isinstance(value, list | tuple):
        return "".join(_property(name, item, prefix, time_prefix) for item in value)
    return f"<{prefix}{name}>{_text(value, time_prefix)}</{prefix}{name}>"


def _text(value: Any, time_prefix: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str) and (match := _DMTF.fullmatch(value)):
        year, month, day, hour, minute, second, fraction, sign, offset = match.groups()
        minutes = int(offset)
        zone = "Z" if minutes == 0 else f"{sign}{minutes // 60:02}:{minutes % 60:02}"
        part = f".{fraction.rstrip('0')}" if fraction.strip("0") else ""
        moment = f"{year}-{month}-{day}T{hour}:{minute}:{second}{part}{zone}"
        return f"<{time_prefix}Datetime>{moment}</{time_prefix}Datetime>"
    return printable(str(value))
