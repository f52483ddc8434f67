"""The ``ws4py`` logger, which every module uses and programs configure by that name.

This module only names the logger; handlers are added by
:func:`ws4py.configure_logger` or by the program's own logging set-up.
"""

import logging

__all__ = ["logger"]

logger = logging.getLogger("ws4py")
