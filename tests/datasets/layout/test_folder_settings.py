import pytest

from raterbench.datasets import Preparation, RaterbenchError
from raterbench.datasets.layout.folder_settings import read_settings

BIG = "9" * 5000


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = " + "[" * 5000 + "]" * 5000, "no valid TOML.*nested too deeply"),
        (f"ignore = {BIG}", "no valid TOML"),
        (f"ignore = 0x{'f' * 9000}", "ignore = a number of 36000 bits must be"),
        ("ignore = 9223372036854775808", "at most 64 bits"),
        ("ignore = -9223372036854775809", "at most 64 bits"),
        ("ignore = true", "ignore = True must be a whole number"),
        ("ignore = 1.0", "must be a whole number"),
        ("ignore = 0", "ignore = 0 is the value of the background"),
        ("ignore = 0\nclasses = ['background', 'x']", "also the value of the class 'background'"),
        ("classes = {background = 0, x = 99999999999999999999}", "'x' = 99999999999999999999"),
        ("classes = {background = 0, x = true}", "'x' = True"),
        ("classes = {background = 0, x = 255.0}", "'x' = 255.0"),
        ("classes = {background = 0, x = nan}", "'x' = nan"),
        ("classes = {background = 0, ' ' = 1}", "' ', which is no name"),
        ('classes = {background = 0, "a\\nb" = 1}', "which is no name"),
        ("classes = ['background', 5]", "5, which is no name"),
        ("classes = {background = 0, all = 1}", "no class can be called 'all'"),
        ("diagnoses = 'ill'", "diagnoses = 'ill' must be a list of two or more different names in quotes"),
        ("diagnoses = ['ill']", "two or more different names"),
        ("diagnoses = ['ill', 'ill ']", "two or more different names"),
        ("diagnoses = ['ill', 1]", "two or more different names"),
        ("name = ''", "text in quotes"),
        ("name = ' '", "text in quotes"),
        ("name = '..'", "no path"),
        ("name = '/abs'", "no path"),
        ("name = 'a/../../x'", "no path"),
        ("name = 'a\\..\\x'", "no path"),
        ('name = "a\\nb"', "in one line"),
        ('name = "a\\u0000b"', "in one line"),
        (f"name = '{'n' * 300}'", "at most 200 characters"),
        ("spacing = 1", "two or three positive numbers"),
        ("spacing = [1]", "two or three positive numbers"),
        ("spacing = [0, 1]", "two or three positive numbers"),
        ("spacing = [inf, 1]", "two or three positive numbers"),
        ("spacing = [nan, 1]", "two or three positive numbers"),
        ("spacing = [true, 1]", "two or three positive numbers"),
        (f"spacing = [1, {'9' * 4000}]", "two or three positive numbers"),
        ("spacing = ['1', '1']", "two or three positive numbers"),
        ("anonymous_raters = 1", "must be true or false"),
        ("layout = 1", r"must be a table, \[layout\]"),
        ("[preparation]\nsize = [1000000, 1000000]", "from 1 to 8192"),
        ("[preparation]\nsize = [0, 5]", "from 1 to 8192"),
        ("[preparation]\nsize = [true, 5]", "from 1 to 8192"),
        ("[preparation]\nsize = [32.5, 32]", "from 1 to 8192"),
        ("[preparation]\npixel_size = 0", "pixel_size = 0 must be a number greater than 0"),
        ("[preparation]\ncrop = 32", "crop = 32 must be a list of 2"),
        ("[preparation]\npixel_size = 1\nsize = [8, 8]", "exclude each other"),
        (f"{'k' * 100000} = 1", "unknown key"),
    ],
)
def test_a_setting_that_makes_no_sense_is_a_sentence(tmp_path, text, words):
    (tmp_path / "dataset.toml").write_text(text)
    with pytest.raises(RaterbenchError, match=rf"dataset\.toml.*{words}") as caught:
        read_settings(tmp_path / "dataset.toml")
    assert len(str(caught.value)) < 1000


def test_the_preparation_is_read(tmp_path):
    (tmp_path / "dataset.toml").write_text("[preparation]\npixel_size = 1\ncrop = [128, 96]")
    assert read_settings(tmp_path / "dataset.toml").preparation == Preparation(pixel_size=1.0, crop=(128, 96))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_settings_are_read_as_editors_save_them(tmp_path, encoding):
    (tmp_path / "dataset.toml").write_bytes("name = 'Köln'\r\nignore = 7\r\n".encode(encoding))
    found = read_settings(tmp_path / "dataset.toml")
    assert (found.name, found.ignore) == ("Köln", 7)


def test_a_text_in_another_encoding_is_named(tmp_path):
    (tmp_path / "dataset.toml").write_bytes("name = 'Köln'".encode("latin-1"))
    with pytest.raises(RaterbenchError, match=r"dataset\.toml is not encoded in UTF-8: save it as UTF-8"):
        read_settings(tmp_path / "dataset.toml")


def test_values_at_the_ends_of_64_bits_and_names_with_slashes_are_accepted(tmp_path):
    (tmp_path / "dataset.toml").write_text(
        "name = '<i>a</i>'\nignore = -9223372036854775808\n[classes]\na = 0\nb = 9223372036854775807"
    )
    found = read_settings(tmp_path / "dataset.toml")
    assert found.name == "<i>a</i>"
    assert found.labels.table == {0: 0, 2**63 - 1: 1, -(2**63): 255}
