"""How every test here runs: no property is timed, as nobody knows what else a machine has to do."""

from hypothesis import settings

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
