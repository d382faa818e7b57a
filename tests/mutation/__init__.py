"""Mutation testing of `checks/`: whether the unit tests notice when a check is changed.

    tox -e mutation                          a sample, its score, and each mutant that survived
    tox -e mutation -- --sample 0            all of them: days
    tox -e mutation -- --only checks/failover/counter.py

cosmic-ray makes the mutants, in a copy of the project: it changes functions that are decorated, as
every check is, which mutmut 3 leaves alone. It has an environment of its own.
"""

MUTATED_FROM = "VPNPROOF_MUTATED_FROM"
"""Names the variable that tells a mutated copy where the project itself is."""
