"""Reports in a real browser, which `tox -e browser` brings a driver for."""
