"""ImageStore: compositing, shrinking, masks, file modes, the cache."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pcgs_engine.errors import SceneError
from pcgs_engine.scene import Camera, View
from pcgs_engine.scene.image_store import ImageStore

BLACK = (0.0, 0.0, 0.0)


def make_view(path: Path, size, mask_path=None) -> View:
    camera = Camera(
        width=size[0], height=size[1], fx=9.0, fy=9.0, cx=4.0, cy=4.0, world_to_camera=np.eye(4)
    )
    return View(
        name=path.name, image_path=path, mask_path=mask_path, camera=camera, distortion=None
    )


def save(path: Path, pixels: np.ndarray, mode=None) -> Path:
    image = Image.fromarray(pixels)
    (image if mode is None else image.convert(mode)).save(path)
    return path


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, shape).astype(np.uint8)


def test_image_store_full_size_rgb_is_unchanged(tmp_path):
    pixels = noise(6, 8, 3)
    image = ImageStore(BLACK).load(make_view(save(tmp_path / "a.png", pixels), (8, 6)))
    np.testing.assert_array_equal(image.rgb, pixels)
    assert image.alpha is None
    assert image.valid is None


def test_image_store_shrinks_by_area_average(tmp_path):
    pixels = noise(6, 8, 3)
    image = ImageStore(BLACK).load(make_view(save(tmp_path / "a.png", pixels), (4, 3)))
    average = pixels.reshape(3, 2, 4, 2, 3).mean(axis=(1, 3))
    assert np.abs(image.rgb - average).max() <= 0.5


def test_image_store_alpha_is_composited_on_the_background(tmp_path):
    pixels = noise(6, 8, 4)
    store = ImageStore((1.0, 0.5, 0.0))
    image = store.load(make_view(save(tmp_path / "a.png", pixels), (8, 6)))
    alpha = pixels[:, :, 3:] / 255
    wanted = pixels[:, :, :3] * alpha + np.array([255.0, 127.5, 0.0]) * (1 - alpha)
    assert np.abs(image.rgb - wanted).max() <= 0.501
    np.testing.assert_array_equal(image.alpha, pixels[:, :, 3])


def test_image_store_alpha_shrinks_premultiplied(tmp_path):
    # A bright but transparent column must not bleed into the opaque one beside it.
    pixels = np.zeros((2, 2, 4), dtype=np.uint8)
    pixels[:, 0] = (255, 255, 255, 0)
    pixels[:, 1] = (100, 60, 20, 255)
    image = ImageStore(BLACK).load(make_view(save(tmp_path / "a.png", pixels), (1, 1)))
    np.testing.assert_array_equal(image.rgb[0, 0], [50, 30, 10])
    assert image.alpha is not None
    assert image.alpha[0, 0] in (127, 128)


def test_image_store_mask_zero_is_invalid_and_shrinks_strictly(tmp_path):
    mask = np.full((6, 8), 255, dtype=np.uint8)
    mask[0, 0] = 0
    mask_path = save(tmp_path / "m.png", mask)
    path = save(tmp_path / "a.png", noise(6, 8, 3))
    full = ImageStore(BLACK).load(make_view(path, (8, 6), mask_path)).valid
    half = ImageStore(BLACK).load(make_view(path, (4, 3), mask_path)).valid
    assert full is not None
    np.testing.assert_array_equal(full, mask > 0)
    assert half is not None
    assert half.dtype == np.bool_
    assert np.argwhere(~half).tolist() == [[0, 0]]


def test_image_store_mask_of_other_size_is_fitted(tmp_path):
    mask = np.full((3, 4), 255, dtype=np.uint8)
    mask[:, 0] = 0
    view = make_view(
        save(tmp_path / "a.png", noise(6, 8, 3)), (8, 6), save(tmp_path / "m.png", mask)
    )
    valid = ImageStore(BLACK).load(view).valid
    assert valid is not None
    np.testing.assert_array_equal(valid[0], [False] * 2 + [True] * 6)


def test_image_store_16_bit_grey_becomes_8_bit(tmp_path):
    grey = np.array([[0, 65535], [32768, 257]], dtype=np.uint16)
    image = ImageStore(BLACK).load(make_view(save(tmp_path / "a.png", grey), (2, 2)))
    np.testing.assert_array_equal(image.rgb[:, :, 1], [[0, 255], [128, 1]])
    np.testing.assert_array_equal(image.rgb[:, :, 0], image.rgb[:, :, 2])


def test_image_store_float_grey_counts_from_zero_to_one(tmp_path):
    grey = np.array([[0.0, 1.0], [0.5, 0.25]], dtype=np.float32)
    image = ImageStore(BLACK).load(make_view(save(tmp_path / "a.tif", grey), (2, 2)))
    np.testing.assert_array_equal(image.rgb[:, :, 0], [[0, 255], [128, 64]])


@pytest.mark.parametrize("mode", ["L", "P", "1", "LA", "CMYK"])
def test_image_store_other_modes_become_rgb(tmp_path, mode):
    pixels = np.zeros((4, 4, 3), dtype=np.uint8)
    pixels[:, 2:] = 255
    path = tmp_path / ("a.tif" if mode == "CMYK" else "a.png")
    image = ImageStore(BLACK).load(make_view(save(path, pixels, mode), (4, 4)))
    np.testing.assert_array_equal(image.rgb, pixels)
    assert (image.alpha is not None) == (mode == "LA")


def test_image_store_palette_transparency_becomes_alpha(tmp_path):
    picture = Image.new("P", (2, 1))
    picture.putpalette([255, 0, 0, 0, 255, 0])
    picture.putdata([0, 1])
    picture.save(tmp_path / "a.png", transparency=0)
    image = ImageStore(BLACK).load(make_view(tmp_path / "a.png", (2, 1)))
    np.testing.assert_array_equal(image.rgb, [[[0, 0, 0], [0, 255, 0]]])
    np.testing.assert_array_equal(image.alpha, [[0, 255]])


def test_image_store_exif_orientation_is_not_applied(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # rotate by 90 degrees
    Image.fromarray(noise(6, 8, 3)).save(tmp_path / "a.jpg", exif=exif)
    assert ImageStore(BLACK).load(make_view(tmp_path / "a.jpg", (8, 6))).rgb.shape == (6, 8, 3)


def test_image_store_damaged_pixels_are_a_scene_error(tmp_path):
    path = save(tmp_path / "a.png", noise(60, 80, 3))
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(SceneError, match=r"a.png: pixels cannot be decoded") as caught:
        ImageStore(BLACK).load(make_view(path, (80, 60)))
    assert "\n" not in str(caught.value)


def test_image_store_file_gone_is_a_scene_error(tmp_path):
    with pytest.raises(SceneError, match=r"gone.png: file is missing"):
        ImageStore(BLACK).load(make_view(tmp_path / "gone.png", (8, 6)))


def test_image_store_second_load_comes_from_the_cache(tmp_path):
    view = make_view(save(tmp_path / "a.png", noise(6, 8, 3)), (8, 6))
    store = ImageStore(BLACK)
    first = store.load(view)
    view.image_path.unlink()
    assert store.load(view) is first
    assert store.used_bytes == first.nbytes == 6 * 8 * 3


def test_image_store_over_budget_drops_the_longest_unused(tmp_path):
    views = [make_view(save(tmp_path / f"{i}.png", noise(6, 8, 3)), (8, 6)) for i in range(3)]
    store = ImageStore(BLACK, memory_budget_bytes=2 * 6 * 8 * 3)
    first, second = store.load(views[0]), store.load(views[1])
    assert store.load(views[0]) is first
    store.load(views[2])
    assert store.used_bytes == 2 * 6 * 8 * 3
    assert store.load(views[0]) is first
    assert store.load(views[1]) is not second


def test_image_store_image_larger_than_budget_is_returned_uncached(tmp_path):
    store = ImageStore(BLACK, memory_budget_bytes=10)
    assert store.load(make_view(save(tmp_path / "a.png", noise(6, 8, 3)), (8, 6))).nbytes == 144
    assert store.used_bytes == 0


def test_image_store_many_threads_see_right_images_within_budget(tmp_path):
    pixels = [np.full((6, 8, 3), 10 * i, dtype=np.uint8) for i in range(8)]
    views = [make_view(save(tmp_path / f"{i}.png", p), (8, 6)) for i, p in enumerate(pixels)]
    budget = 3 * 144
    store = ImageStore(BLACK, memory_budget_bytes=budget)
    order = np.random.default_rng(0).integers(0, 8, 200).tolist()
    with ThreadPoolExecutor(8) as pool:
        images = list(pool.map(lambda index: store.load(views[index]), order))
    assert [int(image.rgb[0, 0, 0]) for image in images] == [10 * index for index in order]
    assert 0 < store.used_bytes <= budget
