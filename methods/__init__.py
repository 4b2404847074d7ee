"""What is compared: label fusion, networks and losses, one method a file.

``METHODS`` and ``FUSIONS`` find every method and fusion by name. ``__init__.pyi`` lists the names; each is
imported when it is first used, so that the contracts need no network.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
