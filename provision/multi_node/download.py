"""Downloading client configurations without a browser, many by one command."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from lab.errors import ScenarioError
from provision.target import Target

_END = "--- end of a client configuration ---"
_SECONDS_EACH = 60  # the controller makes an RSA key for each; without KVM that takes a while


def download(
    controller: Target, *, profile: str, users: Sequence[str], name: str = "laptop"
) -> dict[str, str]:
    """Return a new configuration of `profile` for each of `users`, as the portal hands it out.

    CommandFailed, with the portal's words, when it refuses (a hidden profile, say).
    """
    if len(set(users)) != len(users):
        raise ScenarioError("a user stands twice in the list of configurations to download")
    if not users:
        return {}
    issue = f"vpn-user-portal-issue --profile {shlex.quote(profile)} --name {shlex.quote(name)}"
    loop = (
        f"for user in {shlex.join(users)}; do "
        f"{issue} --user \"$user\" || exit 1; printf '\\n%s\\n' '{_END}'; done"
    )
    said = controller.run(loop, timeout=_SECONDS_EACH * len(users)).stdout
    texts = [text.lstrip("\n").removesuffix("\n") for text in said.split(f"{_END}\n")[:-1]]
    return dict(zip(users, texts, strict=True))
