"""The report of a run, made from its evidence alone: what a person reads, and signs.

    python -m report RUN               report.html, report.json, report.xml, SHA256SUMS
    python -m report verify RUN        which evidence is another than when the report was made
    python -m report compare A B       which requirement turned, which figure moved

`reading` takes what is there and names what is not. `summary`, `matrix`, `failovers`,
`distributions`, `round_robin` and `maintenance` make values to be shown of it; templates only lay
them out. Nothing here judges: verdicts are those that the run recorded.
"""
