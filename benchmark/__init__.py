"""How methods are compared: experiments, splits, the runner, the store, metrics and statistics.

``__init__.pyi`` lists the names; each is imported when it is first used: reading results needs no network.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
