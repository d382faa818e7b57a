"""What stands on the wire, read as its protocol says: heartbeats, ARP, DNS, and their timers."""
