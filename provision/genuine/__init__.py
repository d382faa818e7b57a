"""The genuine software of the multi-node guide: sources by commit id, made into packages here.

Nothing of that software is in this repository. `catalogue.toml` says what is fetched; git's own
hashes prove that it is that.
"""
