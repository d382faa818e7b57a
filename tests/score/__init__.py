"""How often checks are wrong: violations, noise and damage, made by rule of one good run each.

    python -m tests.score            every case, as a table; exits 1 when a verdict is wrong

No rule knows a check: it changes events by their fields, frames by what they claim, and files by
their octets. A new check is covered by a good run of it in `healthy`. Where a rule makes no
violation of a requirement, because that requirement does not speak of what was changed, `excused`
says so, with the reason. Where each verdict turns, as one thing of a good run goes further and
further, stands in `turns/`, a file for each requirement (`turning`).
"""
