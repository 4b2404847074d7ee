"""What is segmented: cases, raters, loaders, simulated raters and geometry.

``__init__.pyi`` lists the names; each is imported when it is first used, so that the contracts need no image library.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
