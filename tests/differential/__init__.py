"""The genuine software and the drop-in, side by side: the same input, and what differs.

Needs the genuine sources (VPNPROOF_SOURCES), PHP with curl, mbstring and SQLite, and Go for vpn-ca:
`lab/setup --genuine` installs what is missing. Without, the tests say so and are skipped. What is
allowed to differ stands in provision/reference/README.md, with a reason.
"""
