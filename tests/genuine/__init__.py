"""The genuine software: its sources, packages, and what is chosen."""
