"""What a raw inventory value holds: a template, an inline vault, or plain data; and which lookups it would run. Pure.

It only reads: nothing is rendered here. Ansible evaluates what this file lets through (`resolver.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

ALLOWED_LOOKUPS = frozenset({"env", "file", "ansible.builtin.env", "ansible.builtin.file"})
"""Lookups that read and start nothing; all others need the user's trust."""
_MARKS = ("{{", "{%", "{#")
_LOOKUP_WORDS = ("lookup", "query", "q")


def texts_in(value: object) -> Iterator[str]:
    """Every text inside a value that Ansible would treat as a template; unsafe and vaulted texts are none."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        if not is_vaulted(value) and "__ansible_unsafe" not in value:
            for key, item in value.items():
                yield from texts_in(key)
                yield from texts_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts_in(item)


def is_vaulted(value: object) -> bool:
    """Whether the value is an inline `!vault` value as `ansible-inventory --list` prints it."""
    return isinstance(value, dict) and "__ansible_vault" in value


def is_template(text: str) -> bool:
    """Whether Ansible would evaluate the text."""
    return any(mark in text for mark in _MARKS)


def needs_resolving(value: object) -> bool:
    """Whether only Ansible can say what the value is."""
    if isinstance(value, list):
        return any(needs_resolving(item) for item in value)
    return is_vaulted(value) or any(is_template(text) for text in texts_in(value))


def plain(value: object) -> object:
    """The value without Ansible's marker of unsafe texts."""
    if isinstance(value, dict) and set(value) == {"__ansible_unsafe"}:
        return value["__ansible_unsafe"]
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def words_of(value: object) -> frozenset[str]:
    """Every name and constant text in the value's templates: whatever variable they read is among them, or it can't be read."""
    words: set[str] = set()
    for text in texts_in(value):
        tree = _parse(text) if is_template(text) else None
        if tree is not None:
            words.update(_words(tree))
    return frozenset(words)


def forbidden(value: object) -> str | None:
    """What the value's templates would run that needs the user's trust, in words, or None."""
    for text in texts_in(value):
        if is_template(text):
            tree = _parse(text)
            found = "a template that cannot be read" if tree is None else _forbidden(tree)
            if found:
                return found
    return None


def _parse(text: str) -> Any:
    from jinja2 import Environment, TemplateError

    # Nothing is rendered with this environment, so there is no output to escape.
    environment = Environment(extensions=["jinja2.ext.do", "jinja2.ext.loopcontrols"], autoescape=True)
    try:
        return environment.parse(text)
    except (TemplateError, RecursionError):
        return None


def _words(tree: Any) -> Iterator[str]:
    from jinja2 import nodes

    for node in tree.find_all((nodes.Name, nodes.Const, nodes.Getattr)):
        word = node.value if isinstance(node, nodes.Const) else node.attr if isinstance(node, nodes.Getattr) else node.name
        if isinstance(word, str):
            yield word


def _forbidden(tree: Any) -> str | None:
    from jinja2 import nodes

    if next(tree.find_all((nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)), None):
        return "a template that includes another"
    allowed: set[int] = set()
    for call in tree.find_all(nodes.Call):
        if isinstance(call.node, nodes.Name) and call.node.name in _LOOKUP_WORDS:
            first = call.args[0] if call.args else None
            name = first.value if isinstance(first, nodes.Const) else None
            if name not in ALLOWED_LOOKUPS:
                return f"the lookup {name!r}" if isinstance(name, str) else "a lookup whose name is computed"
            allowed.add(id(call.node))
    for name in tree.find_all(nodes.Name):
        if name.name in _LOOKUP_WORDS and id(name) not in allowed:
            return "a lookup that is not called by its name"
    return None
