"""Where the nodes and lines of a small directed graph go: layers from left to right. Pure geometry; knows no markup.

The usual steps of a layered drawing: turn around the edges that close a cycle, put each node one layer right of its sources, give
long edges a place in the layers that they cross, order each layer by its neighbours, then assign coordinates in pixels.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import msgspec

ROW_GAP = 26.0
MARGIN = 16.0
PASSING_HEIGHT = 14.0
_SWEEPS = 6

Pair = tuple[str, str]
Point = tuple[float, float]


class Box(msgspec.Struct, frozen=True, kw_only=True):
    """Place of a node: its centre and size."""

    x: float
    y: float
    width: float
    height: float


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """Places of all nodes and the points that each line runs through, from source to target."""

    boxes: dict[str, Box]
    lines: dict[Pair, tuple[Point, ...]]
    width: float
    height: float


class _Grid(msgspec.Struct, kw_only=True):
    """The layers while they are built; keys that are no node are passing places of long edges."""

    layers: list[list[str]]
    chains: dict[Pair, list[str]]
    """For each edge its keys from left to right."""
    turned: set[Pair]


def lay_out(sizes: Mapping[str, tuple[float, float]], edges: Mapping[Pair, int], gaps: float = 150.0) -> Layout:
    """Places for nodes of these sizes (width, height) with `gaps` pixels between layers.

    Edges join known nodes and are no loops; an edge's number is its share of a box's side, for example the rows of its label.
    """
    grid = _layered(list(sizes), list(edges))
    _order(grid)
    boxes = _place(grid, sizes, gaps)
    lines = _route(grid, boxes, edges)
    right = max((b.x + b.width / 2 for b in boxes.values()), default=0.0) + MARGIN
    bottom = max((b.y + b.height / 2 for b in boxes.values()), default=0.0) + MARGIN
    return Layout(boxes={k: b for k, b in boxes.items() if k in sizes}, lines=lines, width=right, height=bottom)


def _turned(nodes: list[str], edges: Sequence[Pair]) -> set[Pair]:
    """Edges that close a cycle in a depth-first walk; turned around, the rest has no cycle."""
    out: dict[str, list[str]] = defaultdict(list)
    for source, target in edges:
        out[source].append(target)
    state: dict[str, int] = {}
    turned: set[Pair] = set()
    for root in nodes:
        stack = [] if root in state else [(root, iter(out[root]))]
        state.setdefault(root, 1)
        while stack:
            node, rest = stack[-1]
            following = next(rest, None)
            if following is None:
                state[node] = 2
                stack.pop()
            elif following not in state:
                state[following] = 1
                stack.append((following, iter(out[following])))
            elif state[following] == 1:
                turned.add((node, following))
    return turned


def _layered(nodes: list[str], edges: Sequence[Pair]) -> _Grid:
    turned = _turned(nodes, edges)
    forward = [(b, a) if (a, b) in turned else (a, b) for a, b in edges]
    layer = _depths(nodes, forward)
    layers: list[list[str]] = [[] for _ in range(max(layer.values(), default=-1) + 1)]
    for node in nodes:
        layers[layer[node]].append(node)
    chains: dict[Pair, list[str]] = {}
    for edge, (left, right) in zip(edges, forward, strict=True):
        passing = [f"\x00{edge[0]}\x00{edge[1]}\x00{depth}" for depth in range(layer[left] + 1, layer[right])]
        for depth, key in enumerate(passing, layer[left] + 1):
            layers[depth].append(key)
        chains[edge] = [left, *passing, right]
    return _Grid(layers=layers, chains=chains, turned=turned)


def _depths(nodes: list[str], forward: Sequence[Pair]) -> dict[str, int]:
    """Longest path from a source to each node."""
    out: dict[str, list[str]] = defaultdict(list)
    waiting = dict.fromkeys(nodes, 0)
    for left, right in forward:
        out[left].append(right)
        waiting[right] += 1
    depth = dict.fromkeys(nodes, 0)
    ready = [n for n in nodes if not waiting[n]]
    for node in ready:
        for following in out[node]:
            depth[following] = max(depth[following], depth[node] + 1)
            waiting[following] -= 1
            if not waiting[following]:
                ready.append(following)
    return depth


def _order(grid: _Grid) -> None:
    """Orders each layer by the mean place of its neighbours, sweeping right and left."""
    neighbours: dict[str, list[str]] = defaultdict(list)
    for chain in grid.chains.values():
        for left, right in itertools.pairwise(chain):
            neighbours[left].append(right)
            neighbours[right].append(left)
    for sweep in range(_SWEEPS):
        place = {key: i - len(layer) / 2 for layer in grid.layers for i, key in enumerate(layer)}
        for layer in grid.layers if sweep % 2 == 0 else reversed(grid.layers):
            means = {key: sum(place[n] for n in near) / len(near) if (near := neighbours[key]) else place[key] for key in layer}
            layer.sort(key=means.__getitem__)
            place.update({key: i - len(layer) / 2 for i, key in enumerate(layer)})


def _place(grid: _Grid, sizes: Mapping[str, tuple[float, float]], gaps: float) -> dict[str, Box]:
    """Coordinates: layers from left to right, each centred on the tallest."""
    heights = [sum(sizes.get(k, (0, PASSING_HEIGHT))[1] + ROW_GAP for k in layer) - ROW_GAP for layer in grid.layers]
    tallest = max(heights, default=0.0)
    boxes: dict[str, Box] = {}
    left = MARGIN
    for layer, tall in zip(grid.layers, heights, strict=True):
        width = max(sizes.get(k, (0.0, 0.0))[0] for k in layer)
        top = MARGIN + (tallest - tall) / 2
        for key in layer:
            own_width, own_height = sizes.get(key, (width, PASSING_HEIGHT))
            boxes[key] = Box(x=left + width / 2, y=top + own_height / 2, width=own_width, height=own_height)
            top += own_height + ROW_GAP
        left += width + gaps
    return boxes


def _route(grid: _Grid, boxes: Mapping[str, Box], shares: Mapping[Pair, int]) -> dict[Pair, tuple[Point, ...]]:
    """Points of each line; where several lines meet a side of a box, they share its height in the order of their other ends."""
    right_side: dict[str, list[tuple[float, Pair]]] = defaultdict(list)
    left_side: dict[str, list[tuple[float, Pair]]] = defaultdict(list)
    for edge, chain in grid.chains.items():
        right_side[chain[0]].append((boxes[chain[1]].y, edge))
        left_side[chain[-1]].append((boxes[chain[-2]].y, edge))
    start = {edge: point for key, at in right_side.items() for edge, point in _ports(boxes[key], 1, sorted(at), shares)}
    end = {edge: point for key, at in left_side.items() for edge, point in _ports(boxes[key], -1, sorted(at), shares)}
    lines: dict[Pair, tuple[Point, ...]] = {}
    for edge, chain in grid.chains.items():
        points = [start[edge]]
        for key in chain[1:-1]:
            box = boxes[key]
            points += [(box.x - box.width / 2, box.y), (box.x + box.width / 2, box.y)]
        points.append(end[edge])
        lines[edge] = tuple(reversed(points)) if edge in grid.turned else tuple(points)
    return lines


def _ports(box: Box, side: int, lines: Sequence[tuple[float, Pair]], shares: Mapping[Pair, int]) -> Iterator[tuple[Pair, Point]]:
    """Where each line meets a side of a box, from top to bottom, in the middle of its share."""
    unit = box.height / sum(shares[edge] for _, edge in lines)
    top = box.y - box.height / 2
    for _, edge in lines:
        yield edge, (box.x + side * box.width / 2, top + unit * shares[edge] / 2)
        top += unit * shares[edge]
