"""What a removal leaves without protection. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from auditor.analysis.conditions.selectors_product import compile_matches
from auditor.analysis.host.facts import HostFacts
from auditor.model.selector import ProductSelector
from auditor.model.whatif import Change, Prerequisite

SOURCE = "https://learn.microsoft.com/defender-endpoint/microsoft-defender-antivirus-compatibility"
_SCANS = compile_matches(ProductSelector(kind="antivirus", active=True))


def left_bare(before: HostFacts, after: HostFacts, changes: Iterable[Change]) -> Iterator[Prerequisite]:
    """A condition where an antivirus goes that scans, and none that scans is seen afterwards."""
    scanned = {product.id for product in _SCANS(before).sure}
    gone = [change for change in changes if change.kind == "remove" and change.product in scanned]
    rest = _SCANS(after)
    if not gone or rest.sure:
        return
    doubts = [reason for _, reasons in rest.open for reason in reasons] + [r for reasons in rest.unsure.values() for r in reasons]
    if doubts:
        text = f"Whether anything scans in real time once it is gone is not known ({doubts[0]})."
        yield Prerequisite(kind="protection", met=None, text=text, source=SOURCE)
    else:
        text = "Nothing else scans in real time once it is gone: plan what takes its place, or see that Defender is active."
        yield Prerequisite(kind="protection", met=False, text=text, source=SOURCE)
