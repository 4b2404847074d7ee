"""raterbench: which way of learning from disagreeing raters should I use, and how sure can I be?

``__init__.pyi`` lists the names; each is imported when it is first used, so that ``import raterbench`` is fast.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
