"""The fuzzers' own tests use hypothesis too."""

from tests.support import fuzzing

fuzzing.set_up()
