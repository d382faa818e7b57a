"""Whether a network carries a heartbeat, found out before anything is deployed on it."""
