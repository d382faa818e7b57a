"""What the failover guide promises, judged from the wire and from recorded events.

Wherever the wire can show something, the wire is asked; events say what was done, and what only
a machine can tell. Every event carries the wire's time and its own uncertainty. `node` names are
those of `pair.configured` ("primary", "secondary"); `source` is the machine that a fact was seen
on. Spans are an event `X.begin` and the next `X.end`.

Each entry: kind: data (requirements).

Names of faults that checks tell apart: "service-stop" (FO-27), "service-restart" (FO-30); every
other name is a crash of some kind (FO-24): "power-off", "guest-crash", "kill-ucarp", "pause",
"link-cut", "carrier-loss" and so on.

pair.configured: virtual_ip, vhid, engine ("ucarp", "keepalived"), password, nodes: {name:
    {address, mac, advbase, advskew, deadratio} or {address, mac, advert_int, priority}};
    keepalived also version, virtual_mac (all of the wire)
steady.begin / steady.end: active (node name) (FO-13 to 20, 47)
fault.begin: fault (name), node; hits for a wire rule; expects_takeover=false where none may come
    (FO-20, 24 to 28, 30, 31, 47, 49)
fault.over: node: watched long enough, before anything is repaired (the same)
lab.thawed: generation, clock ({behind_ns, uncertainty_ns}: this host's less the lab's); when the
    wire ran again, where a scenario thaws its lab between faults: counters and roles of before and
    after it are not compared (FO-20, 24, 28, 47)
handover.begin / handover.end: node; the active role is moved away from it by hand, in preparation
    (explains a change of role: FO-24, 28, 47)
guest.capture: path of a pcap of Ethernet frames, below the run's directory, and clock, as that of
    lab.thawed, by which it is dated; source is the machine (FO-24)
probe: address, protocol ("tcp", "udp"), port, answered; mac of who answered (FO-25); at the moment
    of the answer; after a fault every service that was asked for has to answer (FO-25); for FO-13
    and 14 within a steady span (FO-12 to 14, 25)
tunnel.watched: client ("outside"), protocol; source names the client (FO-39, 49)
tunnel.back: the same; at the first packet through after a fault (FO-39, 49)
neighbour: address, mac; a client's neighbour table after a takeover (FO-26)
addresses: held: list; source is the node's name (FO-11, 27, 28)
service.stopped: source is the node's name; when the stop command had ended (FO-27)
log.line: file (base name), text; at the line's own time; source is the node's name (FO-11, 31)
node.returned: node; when its service is up again (FO-28, 47)
reboot.loop.begin / .end: node; cycles at the end (FO-29)
init.asked: answer, status, before, after (hashes of all configuration) (FO-02)
init.wiped: seeded (count), left (list), role (FO-03)
init.batch: stdin ("closed"), status, seconds, reads_stdin (FO-04)
ssh.attempt: origin, target (node names), user, status (FO-05)
validate.rows: broken ("" or a name), rows: [{name, good}], expected_bad: list of names; broken
    is "sshd-stopped", "port-blocked", "wrong-host-key", "no-rsync" (on the secondary),
    "no-rsync-on-primary", "key-not-copied" or "isolation" (FO-01, 06 to 08, 45); between
    validate.begin and validate.end too (FO-09)
validate.begin / .end: state: anything comparable of both nodes (addresses, processes, hashes)
    (FO-09)
commit.attempt: virtual_ip, network, accepted, error (FO-10)
commit.done: node (FO-11)
tcpdump.output: text, seconds, service_stopped; source is the node's name (FO-21, 41)
vhid.settled: vhid: both nodes have been restarted with it (FO-22)
neighbours.begin / .end: vhids: of the two pairs; bad_digest_lines at the end (FO-23)
session.resumed: client, method ("token", "certificate"), connected, verify_calls, password_spent,
    user_name_sent (FO-36, 38)
token.tried: case ("lifetime-over", "clock-behind"), accepted; reason: what the new node logged of
    the token since the fault, each text once, joined by "; "; since the fault is also `accepted`;
    age_s: no less than the token's age when the answer was seen (FO-37)
filter.begin / filter.end: filter ("vrrp", "source-mac", "isolation", "guest-firewall"); hits at
    the end (FO-42 to 45)
preflight.observations: profile, and the fields of `Observations` of `checks.preflight` (FO-42, 48)
profile.begin / profile.end: profile ("plain", "mac-filter", "vrrp-filter", "two-networks");
    hits at the end, but for "plain" (FO-48)
staged.compared: origin, target (node names), item ("users", "revocations", "configuration"),
    before, active, staged, live_before, live (hashes, or "absent"), seconds since the change,
    period_s of the sync (FO-32, 34)
running.compared: item (one of those; "licence", "session secret"), staged, running (hashes, or
    "absent"); source is the new active node (FO-33, 46)
client.profile: client, origin (node it was fetched from), server (node connected to), edited,
    connected (FO-35)
subscription.shown: key, limit, active (whether this node is), loaded_on; source is the node, before
    and after a takeover (FO-40)
write.acknowledged: serial (FO-46)
sync.completed: serial: the last one that the sync contains; period_s that is configured; at the
    middle between the look that did not see it yet and the one that did (FO-46)
write.survived: serials: list found on the new active (FO-46)
"""
