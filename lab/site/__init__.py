"""Machines that are already there: reached over SSH, listened to by tcpdump on themselves.

    pytest scenarios/failover --lab=site.toml

`file` reads what the site file says; `reach` finds out, before anything starts, whether it is so;
`access` is the way to a machine, by jump hosts too. A `listener` for each runs `tcpdump` there and
measures its clock (`offsets`); `merge` puts what they heard in order and finds out who sent it;
`medium` records it as the wire would. A `borrowed` NIC is where a virtual host asks services from.
`machine` and `site` are what scenarios act on. What cannot be provoked or seen raises NotHere.
"""

from lab.site.file import SiteFile, read_site
from lab.site.reach import Reached, reach
from lab.site.site import Site

__all__ = ["Reached", "Site", "SiteFile", "reach", "read_site"]
