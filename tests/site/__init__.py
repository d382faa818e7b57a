"""Machines that are already there: reached, listened to, and left as they were."""
