"""
The fault campaign: a real service is killed, stopped, starved and lied to, and what came of it is counted.

`python -m benchmarks faults --seed 1`. One row per bar of the table in `bars.py`. Nothing inside the
service is trusted: what was acknowledged and what was answered stands in a ledger outside of it (`ledger.py`), and
every published timetable is recounted in this process.

    bars.py        the table of bars, and what makes a row pass
    campaign.py    options, the share of time and repetitions of each bar, the printed table
    run.py         what a recipe is given: its random generator, its count, its time, its tally
    target.py      the service under test: start, ask, kill, count its processes
    ledger.py      what was acknowledged, compared with what there is at the end
    sources.py     the small datasets that are posted, and the recount of what comes back
    figures.py     percentiles and slopes
    the others     recipes, by what they do to the service
"""
