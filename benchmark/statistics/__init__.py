"""Statistics of results: subjects, tests, corrections, intervals, ranks and calibration. Knows nothing of models.

``__init__.pyi`` lists the names that stand alone, for anybody's tables; each is imported when it is first used.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
