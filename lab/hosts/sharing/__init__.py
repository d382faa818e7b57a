"""Images and checkpoints that one host makes, and the others of a run have from it.

    wishes.py    on a host: tells home what its workers are about to make
    mail.py      at home: hears one host's wishes, and answers them
    exchange.py  at home: who makes a thing, and who gets it from whom
    relay.py     takes a thing from one host to another, through home
    goods.py     on a host: looks whether a thing is in the cache, gives it, takes it

A worker that is to make something asks by `lab.made_once`, which waits for the answer.
"""
