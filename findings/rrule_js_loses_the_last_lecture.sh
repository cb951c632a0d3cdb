#!/usr/bin/env bash
# rrule.js reads the UTC end of a zoned series as local time: east of Greenwich the last lecture is lost, west of
# it a ghost lecture is added, and a cancellation written in UTC is not seen.
#
# Packages: rrule 2.8.1; beside it node-ical 0.26.1, which is right in all cases (npm, Node 20; clock set to UTC).
#
# One would expect (RFC 5545, 3.3.10): when DTSTART has a TZID, UNTIL must be in UTC, and a meeting that begins
# exactly at UNTIL is the last one. EXDATE (3.8.5.1) names a moment: 08:00 UTC is 09:00 in Berlin in winter.
# What happens: with TZID all rules are worked out on local clock readings, but UNTIL and EXDATE keep their UTC readings.
#   - Berlin, Mondays 09:00, UNTIL at the start of the sixth meeting (08:00 UTC): five meetings. The same in Kolkata.
#   - New York, Mondays 09:00, ended one second before the sixth meeting, as calendars write it when somebody changes
#     "this and all following" (13:59:59 UTC): six meetings; the sixth now stands beside the series that replaced it.
#   - Berlin, 2 November cancelled as 08:00 UTC: it is still there. Written with TZID it is gone.
# No error and no warning. Seen: Berlin, UNTIL is the sixth meeting
#     rrule (UTC): 10-05T07:00 10-12T07:00 10-19T07:00 10-26T08:00 11-02T08:00
#     node-ical:   10-05T07:00 10-12T07:00 10-19T07:00 10-26T08:00 11-02T08:00 11-09T08:00
# Known upstream (rrule issues 596, open, and 331) and not mended; its README tells that times in code are local ones
# in UTC's clothes, but not that the form which the standard demands for UNTIL in a text is misread.
#
# Who is hurt: web pages that expand a timetable feed with it (FullCalendar's plugin for series does): east of
# Greenwich the last week's lecture, often the one before the examination, is missing.
# How to live with it: writers use COUNT, or UNTIL well behind the last and well before the next meeting, and EXDATE
# with TZID; readers turn UNTIL and EXDATE into the series' zone before they hand them over, or use another library.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes >npm.log
npm install --silent --no-audit --no-fund rrule@2.8.1 node-ical@0.26.1 >npm.log
cat >compare.mjs <<'JAVASCRIPT'
import ical from 'node-ical';
import rrule from 'rrule';

const changed = [];
const days = (dates) => dates.map((date) => date.toISOString().slice(5, 16)).join(' ');

function byRrule(lines) {
  return days(rrule.rrulestr(lines.join('\n'), { forceset: true }).all());
}

function byNodeIcal(lines) {
  const event = ['BEGIN:VEVENT', 'UID:algebra@example.org', 'DTSTAMP:20260901T000000Z', ...lines, 'DURATION:PT1H', 'END:VEVENT'];
  const text = ['BEGIN:VCALENDAR', 'VERSION:2.0', 'PRODID:-//example//timetable//EN', ...event, 'END:VCALENDAR', ''].join('\r\n');
  const series = ical.sync.parseICS(text)['algebra@example.org'];
  const range = { from: new Date('2026-10-01'), to: new Date('2026-12-01') };
  return days(ical.expandRecurringEvent(series, range).map((meeting) => meeting.start));
}

function check(what, lines, rruleCount, rightCount) {
  const [seen, right] = [byRrule(lines), byNodeIcal(lines)];
  console.log(`${what}\n  rrule (UTC): ${seen}\n  node-ical:   ${right}`);
  const counts = [seen, right].map((text) => text.split(' ').length);
  if (counts[0] !== rruleCount || counts[1] !== rightCount) changed.push(`${what}: ${rruleCount} and ${rightCount}, now ${counts}`);
}

const start = (zone) => `DTSTART;TZID=${zone}:20261005T090000`;
const until = (utc) => `RRULE:FREQ=WEEKLY;UNTIL=${utc}`;
const six = 'RRULE:FREQ=WEEKLY;COUNT=6';
check('Berlin, UNTIL is the sixth meeting', [start('Europe/Berlin'), until('20261109T080000Z')], 5, 6);
check('Kolkata, UNTIL is the sixth meeting', [start('Asia/Kolkata'), until('20261109T033000Z')], 5, 6);
check('New York, ended just before the sixth', [start('America/New_York'), until('20261109T135959Z')], 6, 5);
check('Berlin, one cancelled in UTC', [start('Europe/Berlin'), six, 'EXDATE:20261102T080000Z'], 6, 5);
check('Berlin, one cancelled with TZID', [start('Europe/Berlin'), six, 'EXDATE;TZID=Europe/Berlin:20261102T090000'], 5, 5);
if (changed.length) {
  console.error(`changed since this was written:\n${changed.join('\n')}`);
  process.exit(1);
}
JAVASCRIPT
TZ=UTC node compare.mjs
