import os
from pathlib import Path

import pytest

from raterbench.datasets import RaterbenchError
from raterbench.text_files import LARGEST, parse_json, parse_toml, read_text


def loop(path):
    path.symlink_to(path.name)


def link_to(target):
    return lambda path: path.symlink_to(target)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: None, "is not a file: check the path"),
        (Path.mkdir, "is a folder: give a file"),
        (os.mkfifo, "is a pipe or a device: give a file"),
        (link_to("/dev/zero"), "is a pipe or a device"),
        (link_to("nowhere"), "is not a file, but a link to nothing"),
        (loop, "cannot be read: Too many levels of symbolic links"),
        (lambda path: path.write_bytes(b"x" * (LARGEST + 1)), "is larger than 1 MiB"),
        (lambda path: path.write_bytes(b"fine\nGr\xf6sse"), r"is not UTF-8 \(byte 0xf6 in line 2\): save it"),
        (lambda path: path.write_bytes("name = 'x'".encode("utf-16")), r"is not UTF-8 \(byte 0xff in line 1\)"),
    ],
)
def test_what_is_no_text_file_is_a_sentence_and_nothing_waits(tmp_path, make, says):
    path = tmp_path / "it.toml"
    make(path)
    with pytest.raises(RaterbenchError, match=rf"^settings '.*it\.toml' {says}"):
        read_text(path, "settings")


@pytest.mark.parametrize("name", ["a\0b", "x" * 5000, "a/b/c", "\udcff"])
def test_a_strange_path_is_a_sentence(tmp_path, name):
    with pytest.raises(RaterbenchError, match=r"^settings "):
        read_text(tmp_path / name, "settings")


def test_a_file_below_a_file_does_not_exist(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RaterbenchError, match="is not a file"):
        read_text(tmp_path / "file" / "below.toml", "settings")


def test_text_comes_as_it_is_without_a_byte_order_mark(tmp_path):
    (tmp_path / "it").write_bytes("\ufeffGröße\r\n".encode())
    assert read_text(tmp_path / "it", "text") == "Größe\r\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x = " + "[" * 5000 + "]" * 5000, "nested too deeply"),
        ("x = " + "{a = " * 5000 + "1" + "}" * 5000, "nested too deeply"),
        ("x = " + "9" * 5000, "a number of thousands of digits"),
        ("x = ", "line 1, column 5|end of document"),
        ("x = 1\nx = 2", "Cannot overwrite a value"),
        ("\0", "Invalid"),
    ],
)
def test_what_is_no_toml_is_a_sentence(text, says):
    with pytest.raises(RaterbenchError, match=rf"^mine\.toml is not valid TOML: .*({says})"):
        parse_toml(text, "mine.toml")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[" * 100_000 + "]" * 100_000, "nested too deeply"),
        ("9" * 5000, "a number of thousands of digits"),
        ("{", "line 1 column 2"),
        ("", "Expecting value"),
    ],
)
def test_what_is_no_json_is_a_sentence(text, says):
    with pytest.raises(RaterbenchError, match=rf"^it\.json is not valid JSON: .*{says}"):
        parse_json(text, "it.json")
