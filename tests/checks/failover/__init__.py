"""Tests of the failover checks: good recordings, and ones they must reject."""
