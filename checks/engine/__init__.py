"""How judging works, whatever is judged: nothing here knows a requirement."""
