"""Laws in front of mask bits: round trips and hostile heads."""

import struct
import zlib
from dataclasses import replace

import numpy as np
import pytest
from synthetic_model import _mask_net, small_config

from pcgs_engine.codec.mask_chunk import pack_mask_net, pack_static_masks, unpack_mask_law
from pcgs_engine.entropy.mask_law import STATIC_CLASSES, NetMaskLaw, StaticMaskLaw
from pcgs_engine.entropy.tables import load_tables
from pcgs_engine.errors import MalformedError

CONFIG, TABLES = small_config(), load_tables()
NAMES = ("base", "bias", "input_weight", "bit_weight", "count_weight", "out_weight")


def net():
    return _mask_net(np.random.default_rng(0), CONFIG)


def test_static_probabilities_come_back_at_any_level():
    probability = np.linspace(1, 65535, STATIC_CLASSES).astype(np.int64)
    for old in (0, 5):
        law = unpack_mask_law(pack_static_masks(probability), CONFIG, TABLES, old)
        assert isinstance(law, StaticMaskLaw)
        assert np.array_equal(law._rows[:, 1], probability)


@pytest.mark.parametrize("per_bit", [False, True])
@pytest.mark.parametrize("wide", [False, True])
def test_net_comes_back(wide, per_bit):
    one = net()
    if not wide:
        one = replace(one, input_weight=one.input_weight[:, :9])
    if not per_bit:
        one = replace(one, out_weight=one.out_weight[:1])
    law = unpack_mask_law(pack_mask_net(one), CONFIG, TABLES, 0)
    assert isinstance(law, NetMaskLaw)
    for name in NAMES:
        assert np.array_equal(getattr(law._net, name), getattr(one, name)), name


def hostile_heads():
    static = pack_static_masks(np.full(STATIC_CLASSES, 9))
    stored = pack_mask_net(net())
    body = zlib.decompress(stored[4:])
    return [
        (b"", 0, "law of kind -1"),
        (static[:-1], 0, "law of kind 0 and 44 bytes"),
        (static + b"\0", 0, "law of kind 0"),
        (static[:1] + bytes(44), 0, "bit probability is 0"),
        (b"\2" + static[1:], 0, "law of kind 2"),
        (stored, 1, "over 1 old anchors"),
        (stored[:3], 0, "law of kind 1"),
        (stored[:4], 0, "zlib"),
        (b"\1\0" + stored[2:], 0, "width 0"),
        (b"\1\xff" + stored[2:], 0, "exactly"),
        (stored[:2] + b"\2" + stored[3:], 0, "flags 2"),
        (stored[:3] + b"\2" + stored[4:], 0, "flags 1, 2"),
        (stored[:4] + zlib.compress(body + b"\0"), 0, "exactly"),
        (stored[:4] + zlib.compress(body[:-1]), 0, "exactly"),
        (stored + b"\0", 0, "exactly"),
        (struct.pack("<BBBB", 1, 4, 1, 1) + zlib.compress(bytes(10**6)), 0, "exactly"),
    ]


@pytest.mark.parametrize(("data", "old", "message"), hostile_heads())
def test_hostile_heads_raise(data, old, message):
    with pytest.raises(MalformedError, match=message):
        unpack_mask_law(data, CONFIG, TABLES, old)
