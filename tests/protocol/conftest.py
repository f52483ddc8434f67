"""Nothing but how hypothesis is set up."""

from tests.support import fuzzing

fuzzing.set_up()
