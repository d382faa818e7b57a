"""The lab with a real virtual machine in it (minutes where there is no KVM), and on what host."""
