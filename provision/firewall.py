"""A platform's own firewall, where it has one, would stand in the way of the guides' rules."""

from __future__ import annotations

from provision.action import Command
from provision.platform import Platform


def open_to_the_wire(platform: Platform) -> tuple[Command, ...]:
    """Return what puts a platform's own firewall out of the way, where it has one."""
    if (service := platform.other_firewall) is None:
        return ()
    absent = f"! systemctl cat {service} >/dev/null 2>&1"
    masked = f'[ "$(systemctl is-enabled {service})" = masked ]'
    off = f"systemctl disable --now {service}\nsystemctl mask {service}"
    return (Command(off, unless=f"{{ {absent} || {masked}; }}"),)
