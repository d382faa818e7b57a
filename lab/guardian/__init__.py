"""The guardian: a small process of each lab that leaves nothing running when others are killed.

The wire ends the lab when its owner dies, and the owner ends it when the wire dies. For when both
are killed at once, or the wire of a lab that was left up, there is the guardian. It has the
reading ends of two pipes, one from the owner and one from the wire. Whoever dies, and however,
the kernel closes what it wrote to. The guardian ends the lab when the wire ends unasked, and when
the owner ends in a lab that was not left up; in the latter case the wire is given two seconds to
do it in better order. A wire whose guardian dies starts another; so of the three any two may be
killed at once.

Not by a signal at the parent's death (`PR_SET_PDEATHSIG`): QEMU's parent is libvirt, which lives
on or leaves it to init, and a lab that is left up has to outlive its owner. Not by a subreaper:
who adopts all of a lab's processes takes that knowledge along when it is killed. The end of a
pipe cannot be forgotten, and does not depend on how a process ended.

    belonging.py    which processes are a lab's
    ending.py       ending them
    line.py         the pipes: the owner's end, the wire's end
    __main__.py     the process
"""

#: What is said over the pipes, a byte each.
KEPT, ASKED, DISMISSED = b"k", b"a", b"d"
