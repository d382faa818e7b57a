"""Where the failover guide, followed to the letter, fails; and where the lab is not the world."""

from __future__ import annotations

from provision.erratum import Erratum

ACCESS_SERVER = Erratum(
    name="access-server",
    kind="deviation",
    guide="do a new deployment of Access Server",
    happens="Access Server is no free software, and no frame leaves the lab to fetch it",
    fix="a drop-in with its commands, paths and ports is installed from an archive; its README "
    "tells what of it is invented",
)

NO_ARCHIVE = Erratum(
    name="package-archive",
    kind="deviation",
    guide="apt-get update, apt-get install rsync",
    happens="the lab has no way to a package archive",
    fix="the packages are in the machines' image; they are asked for, and installed only where "
    "they are missing",
)

NO_DNS = Erratum(
    name="public-name",
    kind="deviation",
    guide="ideally a DNS record points to the public IP, and the Network Settings page has it",
    happens="there is no DNS outside the lab's gateway",
    fix="the client's hosts file has the record; the name is given to ovpn-init by --host",
)

EXISTING_SSH_DIRECTORY = Erratum(
    name="existing-ssh-directory",
    kind="erratum",
    guide="mkdir ~/.ssh",
    happens="where root was ever given a key, as by most cloud images, it exists and mkdir fails",
    fix="mkdir -p ~/.ssh",
)

ANSWERS = Erratum(
    name="typed-answers",
    kind="deviation",
    guide="confirm the connection and enter the password of the user sshuser",
    happens="nobody sits at the terminal, and the guests have no sshpass",
    fix="ssh-copy-id is typed as it stands; SSH_ASKPASS gives it the same two answers",
)

APPENDED_KEYS = Erratum(
    name="keys-appended-again",
    kind="erratum",
    guide="cat id_rsa.pub >> authorized_keys; cat .../sshuser/.ssh/authorized_keys >> ...",
    happens="each repetition appends the same keys once more",
    fix="the commands are typed once, and not again on a machine that has the keys",
)

WEB_PAGE = Erratum(
    name="failover-page",
    kind="deviation",
    guide="fill in the failover page of the Admin UI, Validate, Commit and Restart",
    happens="nobody sits at a browser",
    fix="the same values are posted to the addresses that the page's two buttons post to",
)

MULTICAST = Erratum(
    name="broadcast-is-multicast",
    kind="erratum",
    guide="a local network where broadcast UCARP/VRRP is possible",
    happens="the heartbeat is IPv4 multicast to 224.0.0.18, Ethernet 01:00:5e:00:00:12; a network "
    "that passes broadcast may still filter it",
    fix="multicast, as ucarp sends it; the preflight looks for it, not for broadcast",
)

LICENCE_SERVER = Erratum(
    name="licence-server",
    kind="deviation",
    guide="activate a subscription activation key",
    happens="no licence server can be reached, and there is no genuine key",
    fix="the drop-in takes any key of a sensible shape; the limit stands in the key itself",
)

STOP_IS_RESTART = Erratum(
    name="stop-is-restart",
    kind="erratum",
    guide="Stop the Access Server service on the secondary node: service openvpnas restart",
    happens="the command restarts the service; it does not stop it",
    fix="service openvpnas stop. The adverts are seen either way: a standby listens only",
)

VIRTUAL_MAC = Erratum(
    name="virtual-mac",
    kind="erratum",
    guide="tcpdump shows the source MAC 00:00:5e:00:00:5f beside vrid 94",
    happens="ucarp ends the MAC in the VHID, and 94 is 5e; 5f is VHID 95",
    fix="00:00:5e:00:00:5e is expected for VHID 94",
)

NOBODY_JOINED = Erratum(
    name="nobody-joined",
    kind="erratum",
    guide="stop the service on the secondary and look with tcpdump -eni any vrrp",
    happens="nothing is seen: ucarp has left the group, `-i any` is not promiscuous, and a NIC that"
    " filters multicast (virtio, and most real ones) hands on what somebody joined",
    fix="ip link set NIC promisc on while looking, or leave the service running",
)

CAPTURE_LENGTH = Erratum(
    name="capture-length",
    kind="erratum",
    guide="tcpdump -eni any vrrp prints `M 00:00:5e:00:00:5f ethertype IPv4 ... length 72`",
    happens="tcpdump 4.99 writes another cooked header: interface name, `M`, ifindex, length 76",
    fix="both forms are accepted; tcpdump -y LINUX_SLL -eni any vrrp prints the guide's",
)
