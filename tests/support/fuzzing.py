"""How hypothesis is set up; called by the ``conftest.py`` of each folder that uses it."""

from hypothesis import settings

__all__ = ["set_up"]


def set_up() -> None:
    """No deadlines, since a busy machine is no mistake; failures tell how to repeat them."""
    settings.register_profile("ws4py", deadline=None, print_blob=True)
    settings.load_profile("ws4py")
