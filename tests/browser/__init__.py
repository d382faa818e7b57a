"""Reports and the portal in a real browser, which `tox -e browser` brings a driver for."""
