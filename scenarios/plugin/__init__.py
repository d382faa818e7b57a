"""pytest meets the lab: one module for each part of a run, all of them wired by `conftest.py`.

`options` what a run is asked for, `matrix` many runs in the place of one, `starting` what is made
of that and said in the header, `collection` which scenarios run, `workers` those of pytest-xdist,
`labs` what a scenario acts on, `judging` what it records and what comes of it, `ending` what the
whole run comes to. They do not import each other: what one leaves for another stands in `stash`.
"""
