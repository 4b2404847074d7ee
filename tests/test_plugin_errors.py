import os
import signal

import pytest

from raterbench.datasets import Phantom, RaterbenchError
from raterbench.errors import StoppedError
from raterbench.methods import FUSIONS, MajorityVote
from raterbench.methods.base import Fusion
from raterbench.plugin_errors import calling, foreign_code
from raterbench.registry import load_plugin

ENDINGS = {
    "raise SystemExit('bye')": "SystemExit: bye",
    "import sys; sys.exit(0)": "SystemExit: 0",
    "import os; os._exit(0)": "it calls os._exit",
    "raise KeyboardInterrupt": "KeyboardInterrupt",
    "raise GeneratorExit": "GeneratorExit",
    "raise BaseException('x')": "BaseException: x",
    "raise MemoryError": "MemoryError",
    "raise StopIteration": "StopIteration",
    "def f(): f()\nf()": "RecursionError",
    "import nothing_of_this_name": "ModuleNotFoundError: No module named 'nothing_of_this_name'",
    "raise ValueError('two\\nlines')": "ValueError: two lines",
    "class Odd(Exception):\n    def __str__(self): raise ValueError\nraise Odd": "Odd",
    "x = (": "SyntaxError",
    "\0": "source code string cannot contain null bytes|SyntaxError",
}


@pytest.mark.parametrize("code", ENDINGS)
def test_however_an_import_ends_it_is_a_sentence_with_the_line(tmp_path, code):
    file = tmp_path / "mine.py"
    file.write_text(code)
    with pytest.raises(RaterbenchError, match=ENDINGS[code]) as caught:
        load_plugin(file)
    said = str(caught.value)
    assert said.startswith(f"plug-in '{file}' cannot be imported: ")
    assert "mine.py, line " in said or "null bytes" in said
    assert "\n" not in said
    assert os._exit.__module__ == "posix"


def test_ctrl_c_comes_through():
    before = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt), foreign_code("it"):
            os.kill(os.getpid(), signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_fault_of_the_package_stays_a_fault():
    with pytest.raises(KeyError), calling(Phantom, "it"):
        raise KeyError("x")
    foreign = type("Mine", (Phantom,), {"__module__": "elsewhere"})
    with pytest.raises(RaterbenchError, match=r"^it: KeyError: 'x'"), calling(foreign, "it"):
        raise KeyError("x")


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("mine.txt", "x = 1", "must end in .py"),
        ("mine.so", "x = 1", "must end in .py"),
        ("mine", "x = 1", "must end in .py"),
        ("numpy.py", "x = 1", None),
        ("import.py", "x = 1", None),
        ("a b.py", "x = 1", None),
    ],
)
def test_the_name_of_a_plugin_file(tmp_path, name, content, says):
    (tmp_path / name).write_text(content)
    if says is None:
        assert load_plugin(tmp_path / name).x == 1
    else:
        with pytest.raises(RaterbenchError, match=says):
            load_plugin(tmp_path / name)


FUSION = """
from raterbench.methods.base import Fusion

class Mine(Fusion):
    {name}
    def fuse(self, ratings, n_classes, *, geometry=None): ...
"""


@pytest.mark.parametrize("name", ["5", "''", "' '", "'a/b'", "'../x'", "'a\\nb'", "'\\0'", "['x']", "b'x'"])
def test_a_name_that_cannot_be_written_is_a_sentence(tmp_path, name):
    file = tmp_path / "mine.py"
    file.write_text(FUSION.format(name=f"name = {name}"))
    with pytest.raises(RaterbenchError, match=r"mine\.py: the class Mine has name = .*, which must be a text"):
        FUSIONS.add(load_plugin(file))


def test_a_name_of_the_package_cannot_be_taken(tmp_path):
    before = FUSIONS.get("majority-vote")
    (tmp_path / "mine.py").write_text(FUSION.format(name='name = "majority-vote"'))
    with pytest.raises(RaterbenchError, match=r"mine\.py: the class Mine is called 'majority-vote', as .*MajorityVote is"):
        FUSIONS.add(load_plugin(tmp_path / "mine.py"))
    assert FUSIONS.get("majority-vote") is before is MajorityVote
    (tmp_path / "twice.py").write_text(
        FUSION.format(name='name = "one-two"') + "\n\nclass Other(Mine):\n    name = 'one-two'\n"
    )
    with pytest.raises(RaterbenchError, match="is called 'one-two', as"):
        FUSIONS.add(load_plugin(tmp_path / "twice.py"))
    assert issubclass(MajorityVote, Fusion)


def test_a_signal_that_ends_the_process_is_no_error_of_foreign_code():
    with pytest.raises(StoppedError) as stopped, foreign_code("the plug-in cannot be imported"):
        raise StoppedError(15)
    assert stopped.value.signal.name == "SIGTERM"
    with pytest.raises(RaterbenchError, match="KeyboardInterrupt"), foreign_code("the plug-in cannot be imported"):
        raise KeyboardInterrupt("by itself")
