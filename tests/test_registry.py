import subprocess
import sys
from types import ModuleType

import pytest

from raterbench.datasets import DATASETS, CaseList, RaterbenchError, load_dataset
from raterbench.datasets.base import Dataset
from raterbench.registry import Registry, kebab, load_plugin


def test_names_in_kebab_case():
    assert [kebab(n) for n in ("SoftAverage", "STAPLE", "TGCELoss", "MajorityVote")] == [
        "soft-average",
        "staple",
        "tgce-loss",
        "majority-vote",
    ]


def test_the_shipped_data_sets_are_listed_and_the_helpers_are_not():
    assert {"phantom", "mnist", "deepflash", "folder"} <= set(DATASETS.names())
    assert not {"subset", "case-list", "dataset"} & set(DATASETS.names())


def test_a_subclass_of_an_unlisted_class_is_listed():
    module = ModuleType("plug_in")
    module.Mine = type("Mine", (CaseList,), {"__module__": "plug_in"})
    assert Registry("dataset", Dataset, "raterbench.datasets").add(module) == [module.Mine]


def test_a_data_set_is_loaded_by_name_with_its_options():
    assert len(load_dataset("phantom", subjects=2, slices=3)) == 6


@pytest.mark.parametrize(
    ("spec", "options", "words"),
    [
        ("fantom", {}, "did you mean 'phantom'"),
        ("phantom", {"subject": 3}, "did you mean 'subjects'"),
        ("phantom:/tmp", {}, "only folder:PATH"),
        ("folder", {}, "folder:PATH"),
        ("folder:/nowhere/at/all", {}, "/nowhere/at/all"),
    ],
)
def test_what_cannot_be_loaded_is_said_in_words(spec, options, words):
    with pytest.raises(RaterbenchError, match=words):
        load_dataset(spec, **options)


def test_the_contracts_cost_neither_torch_nor_an_image_library():
    code = "import sys, raterbench.datasets; sys.exit(bool({'torch', 'SimpleITK', 'scipy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_plugin_is_loaded_once_and_a_bad_one_is_named(tmp_path):
    good, bad = tmp_path / "good.py", tmp_path / "bad.py"
    good.write_text("value = object()")
    bad.write_text("import no_such_module_anywhere")
    assert load_plugin(good) is load_plugin(str(good))
    with pytest.raises(RaterbenchError, match=r"bad\.py.*no_such_module_anywhere"):
        load_plugin(bad)
    with pytest.raises(RaterbenchError, match="is not a file"):
        load_plugin(tmp_path / "none.py")


def test_asking_for_one_class_imports_its_module_alone():
    code = (
        "import sys; from raterbench.methods import FUSIONS; from raterbench.datasets import DATASETS; "
        "found = [FUSIONS.get(n).__name__ for n in ('staple', 'MajorityVote', 'soft-average')]; "
        "found.append(DATASETS.get('deepflash').__name__); "
        "sys.exit(found != ['STAPLE', 'MajorityVote', 'SoftAverage', 'DeepFlash'] or 'torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
