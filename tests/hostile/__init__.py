"""Guests that misbehave: what they send and say, mutated ten thousand times a parser."""
