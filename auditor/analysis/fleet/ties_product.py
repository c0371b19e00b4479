"""Ties that products state: who manages whom, who is in which group, and which servers of a group update each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from auditor.analysis.fleet.naming import Naming
from auditor.analysis.host.facts import HostFacts
from auditor.model.finding import Edge, Evidence, Product

LARGEST_DRAWN_GROUP = 24
"""Groups with more updating servers are not drawn pair by pair, so that n hosts do not cost n squared edges."""


def group_node(facts: HostFacts, product: Product) -> str | None:
    """Node of the group that a product is in; group names are compared without case."""
    signature = facts.signatures.get(product.id)
    if product.remnant or not product.group or signature is None:
        return None
    return f"group:{signature.group_kind or product.id}:{product.group.casefold()}"


def product_edges(facts: HostFacts, naming: Naming) -> list[Edge]:
    """`member-of` and `manages` edges of a host's installed products."""
    edges: list[Edge] = []
    for product in facts.products:
        if product.remnant:
            continue
        if (node := group_node(facts, product)) is not None:
            edges.append(_edge("member-of", f"host:{facts.name}", node, facts, product, "group"))
        if product.parent:
            where = f"products: {product.id}: parent"
            parent = naming.node(product.parent, claimant=facts.name, kind="manages", side="source", where=where)
            if parent is not None and parent != f"host:{facts.name}":
                edges.append(_edge("manages", parent, f"host:{facts.name}", facts, product, "parent"))
    return edges


def _edge(kind: str, source: str, target: str, facts: HostFacts, product: Product, about: str) -> Edge:
    evidence = evidence_about(product, about)
    return Edge(kind=kind, source=source, target=target, claimant=facts.name, evidence=evidence, product=product.id)  # type: ignore[arg-type]


def evidence_about(product: Product, *about: str) -> tuple[Evidence, ...]:
    """The product's evidence for one of its fields."""
    return tuple(e for e in product.evidence if e.about in about)


def updates_in_group(facts: HostFacts, product: Product) -> bool:
    """Whether a product is a server that updates, and is updated by, the other servers of its group."""
    signature = facts.signatures.get(product.id)
    return bool(signature and signature.updates_group) and product.role == "server" and group_node(facts, product) is not None


def update_edges(hosts: Mapping[str, HostFacts]) -> list[Edge]:
    """`updates` edges between the servers of each small group, in both directions."""
    groups: dict[str, list[tuple[HostFacts, Product]]] = {}
    for facts in hosts.values():
        for product in facts.products:
            if updates_in_group(facts, product):
                groups.setdefault(group_node(facts, product) or "", []).append((facts, product))
    return [edge for _, found in sorted(groups.items()) if len(found) <= LARGEST_DRAWN_GROUP for edge in _pairs(found)]


def _pairs(members: list[tuple[HostFacts, Product]]) -> Iterable[Edge]:
    for facts, product in members:
        for other, theirs in members:
            if facts is not other:
                yield update_edge(facts, product, other, theirs)


def update_edge(facts: HostFacts, product: Product, other: HostFacts, theirs: Product) -> Edge:
    """The claim that a server updates another one of its group, with both memberships and roles as evidence."""
    evidence = evidence_about(product, "group", "role") + evidence_about(theirs, "group", "role")
    source, target = f"host:{facts.name}", f"host:{other.name}"
    return Edge(
        kind="updates", source=source, target=target, claimant=facts.name, evidence=evidence, product=product.id, detail="same group"
    )
