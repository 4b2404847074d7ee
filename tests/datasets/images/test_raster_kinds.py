"""PNG, TIFF, BMP and PNM of every kind: the labels that are meant, or the true reason why not."""

import struct
import zlib

import numpy as np
import pytest
import SimpleITK as sitk
from PIL import Image

from raterbench.datasets import RaterbenchError
from raterbench.datasets.images import image_form, read_image, read_labels

from .made_files import png, tiff

LABELS = np.zeros((20, 24), np.uint8)
LABELS[4:10, 5:15] = 1
LABELS[12:, :4] = 2
MASK = (LABELS > 0).astype(np.uint8)
WHITE = 255 * MASK
COLOURS = {
    "voc": [0, 0, 0, 128, 0, 0, 0, 128, 0],
    "grey": [0, 0, 0, 127, 127, 127, 255, 255, 255],
    "white first": [255] * 3 + [0] * 6,
}


def rows(pixels):
    return [bytes(row) for row in pixels]


def packed(pixels, bits):
    """Rows of values of less than 8 bits, the first in the highest bits."""
    each = 8 // bits
    return [
        bytes(sum(int(row[k + j]) << (8 - bits * (j + 1)) for j in range(each)) for k in range(0, len(row), each))
        for row in pixels
    ]


def paletted(colours):
    picture = Image.frombytes("P", (24, 20), LABELS.tobytes())
    picture.putpalette(colours + [0] * (768 - len(colours)))
    return picture


@pytest.mark.parametrize("colours", COLOURS.values(), ids=COLOURS)
@pytest.mark.parametrize("ending", [".png", ".tif", ".bmp"])
def test_the_number_of_a_colour_is_the_label_and_images_show_the_colour(tmp_path, ending, colours):
    file = tmp_path / f"a{ending}"
    paletted(colours).save(file)
    assert np.array_equal(read_labels(file).pixels, LABELS)
    shown = np.array(colours, np.float32).reshape(3, 3)[LABELS]
    assert np.array_equal(read_image(file).pixels, np.moveaxis(shown, -1, 0))
    assert image_form(file) == (3, 2)


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_palettes_of_few_bits_with_or_without_transparency(tmp_path, bits):
    labels = LABELS if bits > 1 else MASK
    for extra in ([], [(b"tRNS", bytes([0, 255]))]):
        file = png(tmp_path / "a.png", packed(labels, bits), 24, bits, 3, extra=[(b"PLTE", bytes(COLOURS["voc"])), *extra])
        assert np.array_equal(read_labels(file).pixels, labels)
    colour_map = [128 * 257 if (c, k) in ((0, 1), (1, 2)) else 0 for c in range(3) for k in range(2**bits)]
    strip = b"".join(packed(labels, bits))
    file = tiff(tmp_path / "a.tif", [strip], (20, 24), tags={258: [bits], 262: [3]} | {320: colour_map})
    if bits == 8:
        assert np.array_equal(read_labels(file).pixels, labels)


def test_single_bits_are_black_and_white(tmp_path):
    for ending in (".png", ".tif", ".bmp", ".pbm"):
        Image.fromarray(WHITE).convert("1").save(tmp_path / f"a{ending}")
        assert np.array_equal(read_labels(tmp_path / f"a{ending}").pixels, WHITE)
        assert np.array_equal(read_image(tmp_path / f"a{ending}").pixels[0], WHITE)
        assert image_form(tmp_path / f"a{ending}") == (1, 2)
    Image.fromarray(WHITE).convert("1").save(tmp_path / "fax.tif", compression="group4")
    assert np.array_equal(read_labels(tmp_path / "fax.tif").pixels, WHITE)


@pytest.mark.parametrize("bits", [1, 8, 16])
def test_white_is_zero_is_the_same_mask_as_black_is_zero(tmp_path, bits):
    most = 2**bits - 1
    found = []
    for photometric, stored in ((1, MASK.astype(int) * most), (0, most - MASK.astype(int) * most)):
        strip = b"".join(packed(stored, 1)) if bits == 1 else stored.astype(f"<u{bits // 8}").tobytes()
        file = tiff(tmp_path / f"{photometric}.tif", [strip], (20, 24), tags={258: [bits], 262: [photometric]})
        found.append(read_labels(file).pixels)
        assert np.array_equal(read_image(file).pixels[0], found[-1])
    assert np.array_equal(found[0], found[1])
    assert np.array_equal(found[0], MASK.astype(int) * max(most, 255))


def test_label_numbers_stored_with_white_as_zero_are_not_clear(tmp_path):
    file = tiff(tmp_path / "a.tif", [LABELS.tobytes()], (20, 24), tags={262: [0]})
    with pytest.raises(RaterbenchError, match="white as zero, so that its values 0, 1, 2 are shown inverted"):
        read_labels(file)
    assert np.array_equal(read_image(file).pixels[0], 255 - LABELS.astype(int))


@pytest.mark.parametrize("ending", [".png", ".tif"])
def test_a_mask_in_the_alpha_channel_is_refused_and_says_so(tmp_path, ending):
    for mode, colours in (("RGBA", [np.full_like(WHITE, 7)] * 3), ("LA", [np.zeros_like(WHITE)])):
        Image.fromarray(np.stack([*colours, WHITE], axis=-1), mode).save(tmp_path / f"a{ending}")
        with pytest.raises(RaterbenchError, match=r"what was drawn is in its alpha channel \(opacity\): save that channel"):
            read_labels(tmp_path / f"a{ending}")


@pytest.mark.parametrize("ending", [".png", ".tif"])
def test_an_alpha_channel_that_hides_no_label_is_left_out(tmp_path, ending):
    opaque, cut_out = np.full_like(WHITE, 255), np.where(WHITE > 0, 255, 0).astype(np.uint8)
    for opacity in (opaque, cut_out):
        for mode, channels in (("RGBA", 3), ("LA", 1)):
            file = tmp_path / f"a{ending}"
            Image.fromarray(np.stack([WHITE] * channels + [opacity], axis=-1), mode).save(file)
            assert np.array_equal(read_labels(file).pixels, WHITE)
            assert read_image(file).pixels.shape == (channels, 20, 24)
            assert image_form(file) == (channels, 2)
    hides = np.stack([LABELS, 255 - WHITE], axis=-1)
    Image.fromarray(hides, "LA").save(tmp_path / f"b{ending}")
    with pytest.raises(RaterbenchError, match=r"alpha channel \(opacity\) that hides 92 pixels"):
        read_labels(tmp_path / f"b{ending}")


def test_a_transparent_colour_and_significant_bits_change_no_label(tmp_path):
    for extra in ((b"tRNS", bytes(2)), (b"sBIT", bytes([4])), (b"gAMA", struct.pack(">I", 45455))):
        file = png(tmp_path / "a.png", rows(16 * LABELS), 24, 8, 0, extra=[extra])
        assert np.array_equal(read_labels(file).pixels, 16 * LABELS)
        assert image_form(file) == (1, 2)


def test_few_bits_of_grey_are_shown_greys(tmp_path):
    # Programs that make PNG files smaller take fewer bits only where the shown greys stay the same.
    for bits, step in ((2, 85), (4, 17)):
        file = png(tmp_path / "a.png", packed(LABELS, bits), 24, bits, 0)
        assert np.array_equal(read_labels(file).pixels, step * LABELS)


def test_sixteen_bits_and_interlaced(tmp_path):
    labels = LABELS.astype(np.uint16) * 300
    file = png(tmp_path / "a.png", [row.astype(">u2").tobytes() for row in labels], 24, 16, 0)
    assert np.array_equal(read_labels(file).pixels, labels)
    passes = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
    for height, width in ((16, 21), (3, 5), (1, 1)):
        part = LABELS[4 : 4 + height, 3 : 3 + width]
        lines = [bytes(row) for x, y, dx, dy in passes for row in part[y::dy, x::dx] if len(row)]
        file = png(tmp_path / "b.png", lines, width, 8, 0, height=height)
        content = bytearray(file.read_bytes())
        content[28] = 1
        content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
        file.write_bytes(content)
        assert np.array_equal(read_labels(file).pixels, part)


def test_an_animation_is_no_label_map(tmp_path):
    Image.fromarray(WHITE).save(tmp_path / "a.png", save_all=True, append_images=[Image.fromarray(255 - WHITE)])
    with pytest.raises(RaterbenchError, match=r"a\.png is an animation of 2 pictures: save one"):
        read_labels(tmp_path / "a.png")


@pytest.mark.parametrize("ending", [".png", ".jpg", ".tif"])
def test_a_picture_that_is_stored_turned_is_refused(tmp_path, ending):
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(WHITE).save(tmp_path / f"a{ending}", exif=exif)
    with pytest.raises(RaterbenchError, match=r"turned or mirrored \(EXIF orientation 6\).* save it upright"):
        read_image(tmp_path / f"a{ending}")
    exif[274] = 1
    Image.fromarray(WHITE).save(tmp_path / f"a{ending}", exif=exif)
    assert read_image(tmp_path / f"a{ending}").pixels.shape == (1, 20, 24)


@pytest.mark.parametrize(
    ("kind", "sample_format", "bits"),
    [("<u2", 1, 16), ("<u4", 1, 32), ("i1", 2, 8), ("<i2", 2, 16), ("<i4", 2, 32), ("<f4", 3, 32)],
)
def test_grey_values_of_a_tiff_of_any_type(tmp_path, kind, sample_format, bits):
    values = LABELS.astype(kind) * (70 if bits == 8 else 16000)
    values = -values if kind[-2] in "if" else values
    file = tiff(tmp_path / "a.tif", [values.tobytes()], (20, 24), tags={258: [bits], 339: [sample_format]})
    assert np.array_equal(read_labels(file).pixels, values)
    assert np.array_equal(read_image(file).pixels[0], values.astype(np.float32))


def test_a_big_endian_tiff(tmp_path):
    values = LABELS.astype(">u4")
    file = tiff(tmp_path / "a.tif", [values.tobytes()], (20, 24), order=">", tags={258: [32]})
    assert np.array_equal(read_labels(file).pixels, LABELS)


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        ({258: [64], 339: [2]}, "64-bit whole numbers"),
        ({258: [64], 339: [3]}, "64-bit real numbers"),
        ({258: [16], 339: [3]}, "16-bit real numbers"),
        ({258: [12]}, "12-bit whole numbers"),
        ({258: [64], 339: [6]}, "64-bit complex numbers"),
        ({258: [8] * 4, 277: [4], 262: [5]}, "CMYK"),
        ({258: [8] * 3, 277: [3], 262: [8]}, "Lab colours"),
        ({277: [2], 258: [8, 8]}, "2 values of 8 bits a pixel"),
        ({258: [8, 16, 8], 277: [3]}, "channels of different types"),
        ({259: [7]}, "compressed like one, which changes labels"),
        ({274: [3]}, "orientation 3"),
        ({270: b"ImageJ=1.54f\nimages=40\nslices=40\n\0"}, "ImageJ stack of 40 images"),
    ],
)
def test_a_tiff_that_no_reader_gives_rightly_is_refused_with_the_true_reason(tmp_path, tags, words):
    with pytest.raises(RaterbenchError, match=words):
        read_labels(tiff(tmp_path / "a.tif", [bytes(20 * 24 * 8)], (20, 24), tags=tags))


@pytest.mark.parametrize(("kind", "bits", "sample_format"), [("u1", 8, 1), ("<u2", 16, 1), ("<f4", 32, 3)])
def test_a_tiff_in_tiles(tmp_path, kind, bits, sample_format):
    whole = np.zeros((32, 32), kind)
    whole[:20, :24] = LABELS
    tiles = [whole[a : a + 16, b : b + 16].tobytes() for a in (0, 16) for b in (0, 16)]
    tags = {258: [bits], 339: [sample_format], 322: [16], 323: [16]}
    assert np.array_equal(read_labels(tiff(tmp_path / "a.tif", tiles, (20, 24), tags=tags)).pixels, LABELS)


def test_a_tiff_channel_by_channel(tmp_path):
    file = tiff(tmp_path / "a.tif", [WHITE.tobytes()] * 3, (20, 24), tags={258: [8] * 3, 277: [3], 262: [2], 284: [2]})
    assert np.array_equal(read_labels(file).pixels, WHITE)
    assert image_form(file) == (3, 2)


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "packbits", "tiff_adobe_deflate", "tiff_deflate", "zstd"])
def test_compressions_of_a_tiff_without_loss(tmp_path, compression):
    Image.fromarray(LABELS).save(tmp_path / "a.tif", compression=compression)
    assert np.array_equal(read_labels(tmp_path / "a.tif").pixels, LABELS)


def test_pages_of_a_tiff_are_slices(tmp_path):
    pages = [Image.fromarray(LABELS + k) for k in range(3)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    expected = np.stack([LABELS + k for k in range(3)])
    assert np.array_equal(read_labels(tmp_path / "a.tif").pixels, expected)
    assert image_form(tmp_path / "a.tif") == (1, 3)
    bits = [Image.fromarray(WHITE).convert("1"), Image.fromarray(255 - WHITE).convert("1")]
    bits[0].save(tmp_path / "b.tif", save_all=True, append_images=bits[1:])
    assert np.array_equal(read_labels(tmp_path / "b.tif").pixels, np.stack([WHITE, 255 - WHITE]))
    pages[0].save(tmp_path / "c.tif", save_all=True, append_images=[Image.fromarray(LABELS[:9])])
    with pytest.raises(RaterbenchError, match="pages of different sizes"):
        read_labels(tmp_path / "c.tif")


def test_pages_that_go_round_in_a_circle(tmp_path):
    file = tiff(tmp_path / "a.tif", [LABELS.tobytes()], (20, 24))
    content = bytearray(file.read_bytes())
    directory = struct.unpack_from("<I", content, 4)[0]
    count = struct.unpack_from("<H", content, directory)[0]
    struct.pack_into("<I", content, directory + 2 + 12 * count, directory)
    file.write_bytes(content)
    with pytest.raises(RaterbenchError, match="circle"):
        read_labels(file)


def test_a_bmp_from_the_top_down_and_with_grey_of_eight_bits(tmp_path):
    Image.fromarray(LABELS).save(tmp_path / "a.bmp")
    assert np.array_equal(read_labels(tmp_path / "a.bmp").pixels, LABELS)
    content = bytearray((tmp_path / "a.bmp").read_bytes())
    struct.pack_into("<i", content, 22, -20)
    (tmp_path / "b.bmp").write_bytes(content)
    assert np.array_equal(read_labels(tmp_path / "b.bmp").pixels, LABELS[::-1])
    assert image_form(tmp_path / "b.bmp") == (1, 2)
    Image.fromarray(np.stack([LABELS, WHITE, LABELS], axis=-1)).save(tmp_path / "c.bmp")
    assert read_image(tmp_path / "c.bmp").pixels.shape == (3, 20, 24)
    with pytest.raises(RaterbenchError, match="in colours"):
        read_labels(tmp_path / "c.bmp")


@pytest.mark.parametrize("most", [2, 255, 300, 65535])
def test_pgm_values_are_not_stretched(tmp_path, most):
    binary = LABELS.astype(">u2" if most > 255 else "u1").tobytes()
    text = " ".join(map(str, LABELS.ravel())).encode()
    for kind, data in ((b"P5", binary), (b"P2", text)):
        (tmp_path / "a.pgm").write_bytes(kind + b"\n# made by hand\n24 20\n%d\n" % most + data)
        assert np.array_equal(read_labels(tmp_path / "a.pgm").pixels, LABELS)
        (tmp_path / "a.pgm").write_bytes(kind + b"\n24 21\n%d\n" % most + data)
        with pytest.raises(RaterbenchError, match="promises"):
            read_labels(tmp_path / "a.pgm")


def test_ppm_and_pbm(tmp_path):
    grey = np.stack([LABELS] * 3, axis=-1)
    (tmp_path / "a.ppm").write_bytes(b"P6 24 20 255\n" + grey.tobytes())
    assert np.array_equal(read_labels(tmp_path / "a.ppm").pixels, LABELS)
    assert image_form(tmp_path / "a.ppm") == (3, 2)
    (tmp_path / "a.pbm").write_bytes(b"P1\n24 20\n" + "".join(map(str, (1 - MASK).ravel())).encode())
    assert np.array_equal(read_labels(tmp_path / "a.pbm").pixels, WHITE)
    (tmp_path / "b.pgm").write_bytes(b"P5 24 20 1\n" + LABELS.tobytes())
    with pytest.raises(RaterbenchError, match="the value 2, above the 1"):
        read_labels(tmp_path / "b.pgm")


def test_equal_channels_and_those_of_simpleitk_stay_as_they_were(tmp_path):
    for ending in (".png", ".tif"):
        sitk.WriteImage(sitk.GetImageFromArray(np.stack([WHITE] * 3, axis=-1), isVector=True), str(tmp_path / f"a{ending}"))
        assert np.array_equal(read_labels(tmp_path / f"a{ending}").pixels, WHITE)


def test_cmyk_jpeg(tmp_path):
    Image.fromarray(np.stack([WHITE] * 4, axis=-1), "CMYK").save(tmp_path / "a.jpg")
    with pytest.raises(RaterbenchError, match="CMYK"):
        read_image(tmp_path / "a.jpg")
