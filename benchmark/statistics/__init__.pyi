from .verdict.compare_table import TableComparison as TableComparison
from .verdict.compare_table import compare as compare
from .verdict.interchangeability import interchangeability as interchangeability
from .verdict.model_t import ModelT as ModelT
from .verdict.model_t import model_t as model_t
from .verdict.rater_influence import leave_a_rater_out as leave_a_rater_out
from .verdict.rater_influence import rater_curve as rater_curve
