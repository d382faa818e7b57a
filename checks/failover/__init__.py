"""What the failover guide promises, judged from the wire and from recorded events.

Wherever the wire can show something, the wire is asked; events say what was done, and what only a
machine can tell. Every kind of event is documented where it is declared: `evidence.events`. Node
names are those of `PairConfigured` ("primary", "secondary"), and whoever did something on the wire
is known by the port that it came in at.
"""
