import pytest
import torch


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """As every unit of an experiment has it; on tiny networks more threads are slower."""
    torch.set_num_threads(1)
