"""Laws in front of mask bits: round trips and hostile heads."""

from dataclasses import replace

import numpy as np
import pytest
from synthetic_model import _mask_net, small_config

from pcgs_engine.codec.mask_chunk import pack_mask_net, pack_static_masks, unpack_mask_law
from pcgs_engine.entropy.backend import EntropyBackend, best_backend
from pcgs_engine.entropy.mask_law import STATIC_CLASSES, NetMaskLaw, StaticMaskLaw
from pcgs_engine.entropy.tables import load_tables
from pcgs_engine.errors import MalformedError

CONFIG, TABLES = small_config(), load_tables()
NATIVE, NUMPY = best_backend(), EntropyBackend.NUMPY
NAMES = ("base", "bias", "input_weight", "bit_weight", "count_weight", "out_weight")


def net():
    return _mask_net(np.random.default_rng(0), CONFIG)


def test_static_probabilities_come_back_at_any_level():
    probability = np.linspace(1, 65535, STATIC_CLASSES).astype(np.int64)
    for old in (0, 5):
        law = unpack_mask_law(pack_static_masks(probability), CONFIG, TABLES, old, NATIVE)
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
    data = pack_mask_net(one, TABLES, NATIVE)
    assert data == pack_mask_net(one, TABLES, NUMPY)
    law = unpack_mask_law(data, CONFIG, TABLES, 0, NATIVE)
    assert isinstance(law, NetMaskLaw)
    for name in NAMES:
        assert np.array_equal(getattr(law._net, name), getattr(one, name)), name


def hostile_heads():
    static = pack_static_masks(np.full(STATIC_CLASSES, 9))
    stored = pack_mask_net(net(), TABLES, NATIVE)
    return [
        (b"", 0, "law of kind -1"),
        (static[:-1], 0, "law of kind 0 and 44 bytes"),
        (static + b"\0", 0, "law of kind 0"),
        (static[:1] + bytes(44), 0, "bit probability is 0"),
        (b"\2" + static[1:], 0, "law of kind 2"),
        (stored, 1, "over 1 old anchors"),
        (stored[:3], 0, "law of kind 1"),
        (stored[:4], 0, "spreads"),
        (stored[:9], 0, "spreads"),
        (stored[:10], 0, "."),
        (stored[:4] + b"\x20" + stored[5:], 0, "wanted 6 below 32"),
        (b"\1\0" + stored[2:], 0, "width 0"),
        (b"\1\xff" + stored[2:], 0, "."),
        (stored[:2] + b"\2" + stored[3:], 0, "flags 2"),
        (stored[:3] + b"\2" + stored[4:], 0, "flags 1, 2"),
        (stored + b"\0", 0, "."),
        (stored[:-1], 0, "."),
    ]


@pytest.mark.parametrize(
    ("data", "old", "message"), hostile_heads(), ids=[str(i) for i in range(len(hostile_heads()))]
)
@pytest.mark.parametrize("backend", [NATIVE, NUMPY])
def test_hostile_heads_raise(data, old, message, backend):
    with pytest.raises(MalformedError, match=message):
        unpack_mask_law(data, CONFIG, TABLES, old, backend)


def test_flipped_bytes_of_a_net_are_refused_or_another_net_alike_everywhere():
    stored = pack_mask_net(net(), TABLES, NATIVE)
    outcomes = set()
    for place in range(len(stored)):
        broken = bytearray(stored)
        broken[place] ^= 0x35
        found = []
        for backend in (NATIVE, NUMPY):
            try:
                law = unpack_mask_law(bytes(broken), CONFIG, TABLES, 0, backend)
                assert isinstance(law, NetMaskLaw)
                arrays = [getattr(law._net, name) for name in NAMES]
                assert min(int(array.min()) for array in arrays) >= -127
                found.append([array.tolist() for array in arrays])
            except MalformedError as error:
                found.append(str(error))
        assert found[0] == found[1]
        outcomes.add(type(found[0]))
    assert outcomes == {str, list}
