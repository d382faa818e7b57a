"""Tests of the heartbeat decoders and the timing of takeovers."""
