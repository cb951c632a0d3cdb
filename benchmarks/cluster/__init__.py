"""
Two services and two workers on one PostgreSQL and one broker, and harm done to all of them.

`python -m benchmarks cluster` runs four parts. `pace`: jobs per minute with one worker and with two. `fair`: ten
organisations that post at once, one of them ten times as much. `portfolio`: a large job with one worker and with two
that share it. `chaos`: jobs are posted while a service or a worker is
killed or stopped every few seconds, and database and broker are each cut off for a while; then every job is compared
with a ledger kept outside. PostgreSQL and the broker are those of the tests (`TIMETABLE_TEST_...`).
"""
