"""Tests of guest images."""
