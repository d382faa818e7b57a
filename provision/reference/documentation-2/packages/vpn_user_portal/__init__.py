"""The portal's parts that need no browser: users, and client profiles from the command line."""
