"""Files that were cut off, changed or appended to never read as something else."""

import gzip
import os
import socket
import struct
import zlib

import numpy as np
import pytest
import SimpleITK as sitk
from PIL import Image

from raterbench.datasets import RaterbenchError
from raterbench.datasets.images import read_image, read_labels
from raterbench.datasets.images.headers import integrity
from raterbench.datasets.images.headers.tiff_strips import _lzw_size, _packbits_size

from .made_files import metaimage, nifti, nrrd, tiff

RANDOM = np.random.default_rng(0)
MASK = (RANDOM.random((4, 20, 20)) < 0.4).astype(np.uint8)
PICTURE = MASK[0] * 255


def saved(folder, ending):
    """A file of the mask in each format, compressed where it can be."""
    file = folder / f"a{ending}"
    if ending in (".pgm", ".bmp"):
        Image.fromarray(PICTURE).save(file)
    elif ending == ".raw.mha":
        sitk.WriteImage(sitk.GetImageFromArray(MASK), str(file))
    elif ending == ".lzw.tif":
        Image.fromarray(PICTURE).save(file, compression="tiff_lzw")
    elif ending == ".deflate.tif":
        Image.fromarray(PICTURE).save(file, compression="tiff_adobe_deflate")
    else:
        pixels = MASK if ending in (".nii", ".nii.gz", ".mha", ".nrrd") else PICTURE
        sitk.WriteImage(sitk.GetImageFromArray(pixels), str(file), useCompression=True)
    return file


ENDINGS = [".nii", ".nii.gz", ".mha", ".raw.mha", ".nrrd", ".png", ".tif", ".lzw.tif", ".deflate.tif", ".bmp", ".pgm"]


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_file_that_was_cut_off_is_refused_wherever_it_was_cut(tmp_path, ending):
    file = saved(tmp_path, ending)
    content = file.read_bytes()
    whole = read_labels(file).pixels
    cuts = sorted({*range(0, len(content), max(1, len(content) // 25)), *range(len(content) - 12, len(content))})
    for cut in cuts:
        file.write_bytes(content[:cut])
        with pytest.raises(RaterbenchError, match=file.name):
            read_labels(file)
    file.write_bytes(content)
    assert np.array_equal(read_labels(file).pixels, whole)


@pytest.mark.parametrize("ending", [".nii.gz", ".mha", ".nrrd", ".png"])
def test_no_flipped_bit_in_compressed_data_changes_a_voxel(tmp_path, ending):
    file = saved(tmp_path, ending)
    content, whole = file.read_bytes(), read_labels(file).pixels
    start = content.index(b"\n\n") + 2 if ending == ".nrrd" else content.index(b"LOCAL\n") + 6 if ending == ".mha" else 10
    refused = 0
    for position in range(start, len(content), 3):
        changed = bytearray(content)
        changed[position] ^= 1 << position % 8
        file.write_bytes(changed)
        try:
            found = read_labels(file).pixels
        except RaterbenchError:
            refused += 1
        else:
            assert np.array_equal(found, whole)
    assert refused > 0.9 * len(range(start, len(content), 3))


@pytest.mark.parametrize("ending", [".nii", ".raw.mha", ".bmp", ".pgm"])
def test_more_pixels_than_the_header_says_are_refused(tmp_path, ending):
    file = saved(tmp_path, ending)
    file.write_bytes(file.read_bytes() + bytes(20))
    with pytest.raises(RaterbenchError, match=r"20 bytes more than the \d+ that its header promises"):
        read_labels(file)


def test_zeros_after_gzip_and_anything_after_a_png_change_nothing(tmp_path):
    zipped = nifti(tmp_path / "a.nii.gz", MASK, zipped=True)
    zipped.write_bytes(zipped.read_bytes() + bytes(600))
    assert np.array_equal(read_labels(zipped).pixels, MASK)
    picture = saved(tmp_path, ".png")
    picture.write_bytes(picture.read_bytes() + b"appended by a tool")
    assert np.array_equal(read_labels(picture).pixels, PICTURE)
    zipped.write_bytes(zipped.read_bytes() + b"garbage")
    with pytest.raises(RaterbenchError, match="something follows"):
        read_labels(zipped)


def test_gzip_in_several_members_is_one_file(tmp_path):
    whole = nifti(tmp_path / "a.nii", MASK).read_bytes()
    (tmp_path / "b.nii.gz").write_bytes(gzip.compress(whole[:700]) + gzip.compress(whole[700:]))
    assert np.array_equal(read_labels(tmp_path / "b.nii.gz").pixels, MASK)
    (tmp_path / "c.nii.gz").write_bytes(gzip.compress(whole) + gzip.compress(b"more"))
    with pytest.raises(RaterbenchError, match="more than the"):
        read_labels(tmp_path / "c.nii.gz")


@pytest.mark.parametrize("position", [-8, -1])
def test_the_checksum_and_length_at_the_end_of_gzip_count(tmp_path, position):
    file = nifti(tmp_path / "a.nii.gz", MASK, zipped=True)
    content = bytearray(file.read_bytes())
    content[position] ^= 255
    file.write_bytes(content)
    with pytest.raises(RaterbenchError, match=r"compressed data are damaged \(incorrect (data|length) check\)"):
        read_labels(file)


def test_the_compressed_size_in_a_header_is_held_to_the_file(tmp_path):
    data = zlib.compress(MASK.tobytes())
    whole = metaimage(tmp_path / "a.mha", MASK, compressed=True, CompressedDataSize=str(len(data)))
    assert np.array_equal(read_labels(whole).pixels, MASK)
    with pytest.raises(RaterbenchError, match="compressed bytes"):
        read_labels(metaimage(tmp_path / "a.mha", MASK, compressed=True, CompressedDataSize=str(len(data) + 9)))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("kind", ["f4", ">f4", "f8"])
@pytest.mark.parametrize("zipped", [False, True])
def test_nan_in_a_nifti_is_found_before_it_becomes_zero(tmp_path, value, kind, zipped):
    voxels = RANDOM.random((3, 40, 40)).astype(kind)
    assert np.allclose(read_image(nifti(tmp_path / "a.nii", voxels, zipped=zipped)).pixels[0], voxels)
    voxels[2, 39, 39] = value
    for read in (read_image, read_labels):
        with pytest.raises(RaterbenchError, match=rf"a\.nii has NaN or infinite values, such as {value}"):
            read(nifti(tmp_path / "a.nii", voxels, zipped=zipped))


def test_more_than_the_memory_is_refused_before_the_reader_is_called(tmp_path, monkeypatch):
    file = nifti(tmp_path / "a.nii.gz", np.zeros((100, 100, 100), np.uint8), zipped=True)
    monkeypatch.setattr(integrity, "free_memory", lambda: 2_000_000)
    with pytest.raises(RaterbenchError, match=r"a\.nii\.gz needs .* GiB of memory to be read"):
        read_labels(file)
    monkeypatch.undo()
    assert integrity.free_memory() > 2_000_000
    assert not read_labels(file).pixels.any()


def test_a_small_file_cannot_promise_more_than_can_be_compressed_into_it(tmp_path):
    file = nifti(tmp_path / "a.nii.gz", MASK, zipped=True, patches=[(42, "3h", (30000, 30000, 30000))])
    with pytest.raises(RaterbenchError, match="of the 27000000000000 bytes"):
        read_labels(file)


def test_what_is_no_file_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "device.png").symlink_to("/dev/zero")
    (tmp_path / "gone.png").symlink_to("nowhere")
    (tmp_path / "loop.png").symlink_to("loop.png")
    with socket.socket(socket.AF_UNIX) as server:
        here = os.getcwd()  # noqa: PTH109
        os.chdir(tmp_path)  # the path of a socket must be short
        server.bind("socket.png")
        os.chdir(here)
    words = {
        "pipe": "is a pipe, no file",
        "folder": "is a folder, no file",
        "device": "is a device, no file",
        "socket": "is a socket, no file",
        "gone": "is a link to nowhere, which is not there; was it fetched",
        "loop": "cannot be read",
    }
    for name, reason in words.items():
        for read in (read_image, read_labels):
            with pytest.raises(RaterbenchError, match=rf"{name}\.png {reason}|{name}\.png cannot be read: it {reason}"):
                read(tmp_path / f"{name}.png")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", r"it is empty \(0 bytes\)"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b"/annex/objects/SHA256E-s9", "git annex get"),
        (b"<!DOCTYPE html>", "a text such as a web page"),
        (b"\xff\xd8\xff\xe0 a camera's picture", "a JPEG by its content: give it the right ending"),
        (b"no picture at all", r"no PNG: its first bytes are b'no pictu'"),
    ],
)
def test_content_that_is_not_what_the_ending_says(tmp_path, content, words):
    file = tmp_path / "a.png"
    file.write_bytes(content)
    with pytest.raises(RaterbenchError, match=words):
        read_labels(file)


def test_a_jpeg_that_was_cut_off(tmp_path):
    picture = RANDOM.integers(0, 255, (64, 64)).astype(np.uint8)
    Image.fromarray(picture).save(tmp_path / "a.jpg")
    content = (tmp_path / "a.jpg").read_bytes()
    for cut in (3, len(content) // 2, len(content) - 2):
        (tmp_path / "a.jpg").write_bytes(content[:cut])
        with pytest.raises(RaterbenchError, match="cut off"):
            read_image(tmp_path / "a.jpg")


@pytest.mark.parametrize("kind", ["mask", "noise", "ramp"])
def test_lengths_of_lzw_and_packbits_are_those_of_the_picture(tmp_path, kind):
    pixels = {
        "mask": (RANDOM.random((90, 70)) < 0.05).astype(np.uint8),
        "noise": RANDOM.integers(0, 255, (90, 170)).astype(np.uint8),
        "ramp": np.tile(np.arange(250, dtype=np.uint8), (200, 1)),
    }[kind]
    for compression, length in (("tiff_lzw", _lzw_size), ("packbits", _packbits_size)):
        Image.fromarray(pixels).save(tmp_path / "a.tif", compression=compression)
        content = (tmp_path / "a.tif").read_bytes()
        with Image.open(tmp_path / "a.tif") as picture:
            strips = list(zip(picture.tag_v2[273], picture.tag_v2[279], strict=True))
        assert sum(length(content[start : start + count]) for start, count in strips) == pixels.size


def test_a_tiff_that_lost_rows_of_its_header_is_refused(tmp_path):
    packed = zlib.compress(PICTURE.tobytes())
    for strip, compression in ((PICTURE.tobytes(), 1), (packed, 8)):
        assert np.array_equal(
            read_labels(tiff(tmp_path / "a.tif", [strip], (20, 20), tags={259: [compression]})).pixels, PICTURE
        )
        for rows in (19, 21):
            with pytest.raises(RaterbenchError, match="promises"):
                read_labels(tiff(tmp_path / "a.tif", [strip], (rows, 20), tags={259: [compression]}))
    with pytest.raises(RaterbenchError, match="1 strips or tiles, where its size needs 10000"):
        read_labels(tiff(tmp_path / "a.tif", [PICTURE.tobytes()], (10**4, 20), tags={278: [1]}))


def test_a_png_whose_header_promises_another_size(tmp_path):
    content = saved(tmp_path, ".png").read_bytes()
    for width, height in ((20, 21), (20, 19), (10**6, 10**6), (0, 0)):
        header = b"IHDR" + struct.pack(">II", width, height) + content[24:29]
        (tmp_path / "a.png").write_bytes(content[:16][:12] + header + struct.pack(">I", zlib.crc32(header)) + content[33:])
        with pytest.raises(RaterbenchError, match=r"a\.png"):
            read_labels(tmp_path / "a.png")


def test_gzip_of_a_nrrd_is_verified(tmp_path):
    packed = gzip.compress(MASK.tobytes())
    assert np.array_equal(read_labels(nrrd(tmp_path / "a.nrrd", MASK, data=packed, encoding="gzip")).pixels, MASK)
    with pytest.raises(RaterbenchError, match="more than the"):
        read_labels(nrrd(tmp_path / "a.nrrd", MASK[:3], data=packed, encoding="gzip"))
