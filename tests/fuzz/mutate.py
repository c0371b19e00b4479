"""Changes bytes of a seed in the ways files get damaged and liars lie. The same random numbers give the same bytes."""

from __future__ import annotations

from random import Random

INTERESTING = (0, 1, 2, 7, 8, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x1000, 0x2000)
TOKENS = (
    b"STACK_TEXT:", b"BUGCHECK_STR:  0x", b"Arg1: ", b"Arg4: fffff800", b"\n", b"\r\n", b"\xe3\x80\x80", b"nt!", b"+0x", b"`",
    b" : ", b"(1000008e)", b"FAULTING_IP:\n", b"Followup: MachineOwner\n", b"[ 48 ff:4c 8b ]\n", b"BugCheck D1, {",
    b"Unloaded modules:\n", b"<br>", b"&#x41;", b"\\_", b"**", b"FAILURE_BUCKET_ID:  ", b"TRAP_FRAME:  f9357b80 -- (.trap",
    b"eip=", b"0: kd> !analyze -v\n", b"Loading Dump File [", b"PAGEDU64", b"SDMPDUMP",
)  # fmt: skip
MOST_BYTES = 1 << 18


def mutate(seed: bytes, random: Random, seeds: list[bytes]) -> bytes:
    """One changed copy, of at most MOST_BYTES."""
    data = bytearray(seed)
    for _ in range(random.choice((1, 1, 2, 3, 8, 40))):
        _CHANGES[random.randrange(len(_CHANGES))](data, random, seeds)
        if not data:
            data = bytearray(seed[:64])
    return bytes(data[:MOST_BYTES])


def _place(data: bytearray, random: Random) -> int:
    """Somewhere; headers are hit as often as the rest."""
    limit = len(data) if random.random() < 0.5 else min(len(data), 0x2100)
    return random.randrange(limit) if limit else 0


def _flip_bit(data: bytearray, random: Random, _seeds: list[bytes]) -> None:
    if data:
        data[_place(data, random)] ^= 1 << random.randrange(8)


def _set_number(data: bytearray, random: Random, _seeds: list[bytes]) -> None:
    size = random.choice((1, 2, 4, 8))
    place = _place(data, random) // size * size
    value = random.choice(INTERESTING) if random.random() < 0.7 else random.getrandbits(8 * size)
    data[place : place + size] = (value & (1 << 8 * size) - 1).to_bytes(size, "little")


def _add_to_number(data: bytearray, random: Random, _seeds: list[bytes]) -> None:
    place = _place(data, random) // 4 * 4
    value = int.from_bytes(data[place : place + 4], "little") + random.randint(-40, 40)
    data[place : place + 4] = (value & 0xFFFFFFFF).to_bytes(4, "little")


def _cut(data: bytearray, random: Random, _seeds: list[bytes]) -> None:
    del data[_place(data, random) :]


def _remove(data: bytearray, random: Random, _seeds: list[bytes]) -> None:
    start = _place(data, random)
    del data[start : start + random.choice((1, 2, 8, 80, 500))]


def _repeat(data: bytearray, random: Random, _seeds: list[bytes]) -> None:
    start = _place(data, random)
    piece = data[start : start + random.choice((1, 8, 60, 400))]
    data[start:start] = piece * random.choice((1, 2, 20))


def _insert_token(data: bytearray, random: Random, _seeds: list[bytes]) -> None:
    place = _place(data, random)
    data[place:place] = random.choice(TOKENS)


def _splice(data: bytearray, random: Random, seeds: list[bytes]) -> None:
    other = random.choice(seeds)
    start = random.randrange(len(other)) if other else 0
    place = _place(data, random)
    data[place:place] = other[start : start + random.choice((16, 200, 3000))]


def _fill(data: bytearray, random: Random, _seeds: list[bytes]) -> None:
    start, size = _place(data, random), random.choice((4, 64, 1000))
    data[start : start + size] = bytes([random.choice((0, 0xFF, 0x20, 0x41, 0x30))]) * min(size, len(data) - start)


_CHANGES = (_flip_bit, _flip_bit, _set_number, _set_number, _add_to_number, _cut, _remove, _repeat, _insert_token, _splice, _fill)
