"""The machines of a lab and the wire between them."""
