"""The evidence of a run: its directory, its typed events, its captures, and what they cover.

Imports nothing of this project, so that all of it can write and read evidence with the same words.
"""
