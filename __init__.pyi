from .benchmark.experiment.experiment import Candidate as Candidate
from .benchmark.experiment.experiment import Experiment as Experiment
from .benchmark.experiment.experiment import read_experiment as read_experiment
from .benchmark.experiment.splits import Split as Split
from .benchmark.models.model import Model as Model
from .benchmark.models.model import load_model as load_model
from .benchmark.runner.run import run as run
from .benchmark.store.results import read_results as read_results
from .datasets.base import Case as Case
from .datasets.base import Dataset as Dataset
from .datasets.case_list import CaseList as CaseList
from .errors import RaterbenchError as RaterbenchError
from .methods.base import Consensus as Consensus
from .methods.base import Fusion as Fusion
from .methods.base import Method as Method
from .methods.learning.budget import Budget as Budget
from .methods.learning.network import NetworkMethod as NetworkMethod
from .reports.page.report import write_report as write_report

__version__: str
