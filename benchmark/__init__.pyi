from .experiment.experiment import Candidate as Candidate
from .experiment.experiment import Experiment as Experiment
from .experiment.experiment import Statistics as Statistics
from .experiment.experiment import read_experiment as read_experiment
from .experiment.splits import Split as Split
from .runner.run import run as run
from .store.results import Results as Results
from .store.results import read_results as read_results
