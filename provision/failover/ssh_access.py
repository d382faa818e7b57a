"""Set up bi-directional SSH access: root on each node reaches root on the other by key.

As the guide types it, by way of a user who may log in with a password and become root. That user
is what the guide takes for granted; he is made first.
"""

from __future__ import annotations

from provision.action import Check, Command, Remember
from provision.failover import errata
from provision.failover.site import Host, Site
from provision.files import WriteFile
from provision.notes import placeholder
from provision.platform import Platform
from provision.step import Step

SECTION = "Set up bi-directional SSH access"
USER = "sshuser"
_PASSWORD_FILE = f"/root/{USER}-password"

# What a person answers: whether to trust the host key seen for the first time, and the password.
_COPY_KEY = """\
read -r PASSWORD
export PASSWORD
answers=$(mktemp)
trap 'rm -f "$answers"' EXIT
cat > "$answers" <<'ANSWERS'
#!/bin/sh
case $1 in
*yes/no*) echo yes ;;
*) printf '%s\\n' "$PASSWORD" ;;
esac
ANSWERS
chmod 700 "$answers"
export DISPLAY=none SSH_ASKPASS="$answers" SSH_ASKPASS_REQUIRE=force
setsid -w /usr/bin/ssh-copy-id -i ~/.ssh/id_rsa.pub {user}@{address}"""


def steps(site: Site, platform: Platform) -> list[Step]:
    """Return the steps of the section: each on both nodes before the next."""
    made = [_user(node, platform) for node in site.nodes]
    made += [_keys(node) for node in site.nodes]
    made += [_copy_key(node, site.partner(node)) for node in site.nodes]
    made += [_place_key(node, site.partner(node)) for node in site.nodes]
    made += [_test(node, site.partner(node)) for node in site.nodes]
    return made


def password_note(node: Host) -> str:
    """Return the name of the note that holds sshuser's password on `node`."""
    return f"password of {USER} on {node.name}"


def _user(node: Host, platform: Platform) -> Step:
    choose = (
        "umask 077\n"
        f"openssl rand -hex 12 > {_PASSWORD_FILE}.new\n"
        f"printf '{USER}:%s\\n' \"$(cat {_PASSWORD_FILE}.new)\" | chpasswd\n"
        f"mv {_PASSWORD_FILE}.new {_PASSWORD_FILE}"
    )
    match = f"Match User {USER}"
    by_password = (
        f"printf '\\n{match}\\n    PasswordAuthentication yes\\n' >> /etc/ssh/sshd_config\n"
        f"sshd -t\n"
        f"systemctl reload {platform.sshd}"
    )
    return Step(
        name=f"{USER} on {node.name}",
        section=SECTION,
        machine=node.name,
        changes=f"{USER} may log in with a password, and become root by sudo su",
        actions=(
            Command(f"useradd -m -s /bin/bash {USER}", unless=f"id {USER} >/dev/null 2>&1"),
            Command(choose, creates=_PASSWORD_FILE),
            WriteFile(f"/etc/sudoers.d/{USER}", f"{USER} ALL=(ALL) NOPASSWD: ALL\n", mode=0o440),
            Command(by_password, unless=f"grep -qx '{match}' /etc/ssh/sshd_config"),
            Check(f"[ \"$(runuser -u {USER} -- sudo -n su -c 'id -u')\" = 0 ]"),
            Remember(password_note(node), f"cat {_PASSWORD_FILE}"),
        ),
        module=__name__,
    )


def _keys(node: Host) -> Step:
    make = (
        "mkdir -p ~/.ssh\n"
        "cd ~/.ssh\n"
        'ssh-keygen -t rsa -f id_rsa -P ""\n'
        "cat id_rsa.pub >> authorized_keys\n"
        "chmod 600 authorized_keys"
    )
    return Step(
        name=f"SSH key of {node.name}",
        section=SECTION,
        machine=node.name,
        changes="root has a key without a passphrase",
        actions=(Command(make, creates="/root/.ssh/id_rsa"),),
        errata=(errata.EXISTING_SSH_DIRECTORY, errata.APPENDED_KEYS),
        module=__name__,
    )


def _copy_key(node: Host, partner: Host) -> Step:
    return Step(
        name=f"key of {node.name} copied to {partner.name}",
        section=SECTION,
        machine=node.name,
        changes=f"{USER} of {partner.name} lets it in; root knows the host key of {partner.ipv4}",
        actions=(
            Command(
                _COPY_KEY.replace("{user}", USER).replace("{address}", partner.ipv4),
                once=f"ssh-copy-id-{partner.name}",
                stdin=placeholder(password_note(partner)),
            ),
        ),
        needs=(f"{USER} on {partner.name}",),
        errata=(errata.ANSWERS,),
        module=__name__,
    )


def _place_key(node: Host, partner: Host) -> Step:
    return Step(
        name=f"key of {partner.name} in its place on {node.name}",
        section=SECTION,
        machine=node.name,
        changes=f"root of {partner.name} is let in as root",
        actions=(
            Command(
                f"cat /home/{USER}/.ssh/authorized_keys >> /root/.ssh/authorized_keys",
                once=f"root-key-{partner.name}",
            ),
        ),
        needs=(f"key of {partner.name} copied to {node.name}",),
        errata=(errata.APPENDED_KEYS,),
        module=__name__,
    )


def _test(node: Host, partner: Host) -> Step:
    return Step(
        name=f"{node.name} reaches {partner.name} as root",
        section=SECTION,
        machine=node.name,
        changes="nothing",
        actions=(Check(f"ssh -o BatchMode=yes root@{partner.ipv4} true"),),
        needs=(f"key of {node.name} in its place on {partner.name}",),
        module=__name__,
    )
