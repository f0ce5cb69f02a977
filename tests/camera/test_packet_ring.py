"""Ring of packets: whole groups of pictures, bounds of time and bytes, connections."""

from __future__ import annotations

from fractions import Fraction

from edgeagent.camera.packet_ring import PacketRing, StreamFormat

FORMAT = StreamFormat(object(), Fraction(1, 90000))


def filled(ring: PacketRing, packets: int, every: int = 5, size: int = 10) -> PacketRing:
    ring.connect(FORMAT)
    for number in range(packets):
        ring.add(b"x" * size, number, number, 1, number % every == 0, float(number))
    return ring


def kept(ring: PacketRing) -> list[float]:
    return [packet.at_s for packet in ring.after(1, 0).packets]


def test_it_begins_with_a_key_frame_and_keeps_the_seconds_that_are_asked_for() -> None:
    ring = filled(PacketRing(7, 10**6), 23)
    assert kept(ring) == [float(n) for n in range(15, 23)]
    assert ring.size == 80


def test_packets_before_the_first_key_frame_are_left_out() -> None:
    ring = PacketRing(10, 10**6)
    ring.connect(FORMAT)
    for number in range(6):
        ring.add(b"x", number, number, 1, number == 3, float(number))
    assert kept(ring) == [3.0, 4.0, 5.0]


def test_bytes_are_bounded_also_with_one_endless_group() -> None:
    ring = filled(PacketRing(100, 95), 23)
    assert ring.size <= 95
    assert kept(ring) == [float(n) for n in range(15, 23)]
    ring = filled(PacketRing(100, 95), 1000, every=600)
    assert ring.size == 0


def test_a_clip_begins_with_the_key_frame_before_a_time() -> None:
    ring = filled(PacketRing(100, 10**6), 23)
    assert ring.beginning(12.5) == (1, 11)  # numbers are from 1 on, times from 0
    assert ring.beginning(-5.0) == (1, 1)
    assert ring.beginning(99.0) == (1, 21)


def test_a_connection_that_ended_is_over_and_the_next_one_begins_anew() -> None:
    ring = filled(PacketRing(100, 10**6), 3)
    ring.disconnect()
    after = ring.after(1, 1)
    assert after.over and len(after.packets) == 2
    assert ring.beginning(0.0) == (1, 1)
    ring.connect(FORMAT)
    assert ring.beginning(0.0) is None
    ring.add(b"x", 0, 0, 1, True, 9.0)
    assert ring.beginning(0.0) == (2, 4)
    assert ring.after(1, 1).over
    assert not ring.after(2, 4).over
