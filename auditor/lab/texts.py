"""Bytes of a host's text files as text, by the probe's rule: byte-order mark, UTF-8 where it is valid, else the host's code pages. Pure."""

from __future__ import annotations

from auditor.lab.machine import CONTROL_SET, Machine


def decode_text(data: bytes, path: str, machine: Machine) -> str:
    """The text of a file; never raises."""
    for mark, encoding in ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, "replace")
    if len(data) >= 4 and data[0] and not data[1] and data[2] and not data[3]:
        return data.decode("utf-16-le", "replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        value = "OEMCP" if path.lower().endswith((".bat", ".cmd")) else "ACP"
        page = machine.registry.text(rf"{CONTROL_SET}\Control\Nls\CodePage", value)
        return data.decode(f"cp{page}", "replace")
