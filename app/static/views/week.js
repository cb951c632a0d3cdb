// One week as a grid: of a group, a teacher, a room or a student.

import { Card, Choice, Empty, ScrollBox, Search, Select, Trouble, Waiting, html, useAsk, useEffect, useMemo, usePhone, useState } from "../parts.js";
import { ask, jobPath } from "../api.js";
import { OF, commonTimes, counted, hasPeriod, number, plain, termLines } from "../words.js";
import { Pick, matching } from "../pick.js";
import { resultsHref } from "../links.js";
import { SessionDialog } from "./session.js";

const KINDS = Object.keys(OF);
const HUES = 8;

export function Week({ jobId, n, query, go, onWeek }) {
  const who = useAsk(jobPath("variants", jobId, "/who"));
  const [kind, setKind] = useState(() => KINDS.find((name) => query[name]) ?? null);
  const [open, setOpen] = useState(null);
  if (who.error) return html`<${Trouble} error=${who.error} again=${who.again} />`;
  if (!who.data) return html`<${Waiting}>Opening the lists<//>`;
  const kinds = KINDS.filter((name) => (name === "student" ? who.data.students : who.data[name].length) > 0);
  const shown = kind ?? kinds[0];
  const id = query[shown] ?? (shown === "student" ? null : who.data[shown]?.[0]?.[0]);
  const choose = (of, chosen) => go({ ...Object.fromEntries(KINDS.map((name) => [name, undefined])), [of]: chosen });
  return html`
    <div class="toolbar week-bar">
      <${Choice} label="Whose week" value=${shown} options=${kinds.map((name) => [name, OF[name][0]])} onChange=${(of) => {
        setKind(of);
        choose(of, of === "student" ? undefined : who.data[of][0][0]);
      }} />
      <${Chooser} jobId=${jobId} who=${who.data} of=${shown} id=${id} onPick=${(chosen) => choose(shown, chosen)} />
    </div>
    ${id ? html`<${OneWeek} key=${`${shown} ${id}`} jobId=${jobId} n=${n} of=${shown} id=${id} onOpen=${setOpen} onWeek=${onWeek} query=${query} />` : html`<${Empty} title=${`Choose a ${shown}`} />`}
    ${open && html`<${SessionDialog} jobId=${jobId} n=${n} course=${open.course_id} session=${open.session_number} onClose=${() => setOpen(null)} />`}
  `;
}

/** The one that is shown, its neighbours, and all others. Students are too many to be sent along, so they are searched there. */
function Chooser({ jobId, who, of, id, onPick }) {
  const rows = who[of] ?? [];
  const at = rows.findIndex(([own]) => own === id);
  const find = (text) => {
    if (of !== "student") {
      const found = matching(rows, text);
      return { rows: found, found: found.length };
    }
    return ask(jobPath("variants", jobId, "/students"), { query: { search: text } }).then(({ students, found }) => ({ rows: students, found }));
  };
  const step = (by) => rows[at + by] && onPick(rows[at + by][0]);
  return html`<div class="chooser">
    ${rows.length > 0 && html`<button class="button icon" aria-label=${`Previous ${of}`} disabled=${at <= 0} onClick=${() => step(-1)}>‹</button>`}
    <${Pick} label=${`Find a ${of}`} chosen=${at >= 0 ? rows[at][1] : id} find=${find} onPick=${onPick} stamp=${of} />
    ${rows.length > 0 && html`<button class="button icon" aria-label=${`Next ${of}`} disabled=${at < 0 || at >= rows.length - 1} onClick=${() => step(1)}>›</button>`}
  </div>`;
}

function OneWeek({ jobId, n, of, id, onOpen, onWeek, query }) {
  const { data, error, again } = useAsk(jobPath("variants", jobId, `/${n}/week`), { [of]: id });
  useEffect(() => data && onWeek({ of, id, name: data.name }), [data]);
  useEffect(() => () => onWeek(null), []);
  const [text, setText] = useState("");
  const [type, setType] = useState("");
  const phone = usePhone();
  const wanted = text.trim().toLowerCase();
  const entries = data?.entries ?? [];
  const types = useMemo(() => [...new Set(entries.map((entry) => entry.subject_type).filter(Boolean))].sort(), [data]);
  const dim = (entry) =>
    (type && entry.subject_type !== type) ||
    (wanted && ![entry.course_name, entry.course_code, entry.faculty_name, entry.batch_name, entry.room_code].join(" ").toLowerCase().includes(wanted));
  if (error) return html`<${Trouble} error=${error} again=${again} />`;
  if (!data) return html`<${Waiting}>Opening the week<//>`;
  const conflicts = entries.filter((entry) => entry.has_conflict).length;
  const matched = entries.filter((entry) => !dim(entry)).length;
  const Shape = phone ? Agenda : Grid;
  const hours = entries.reduce((sum, entry) => sum + entry.duration_slots, 0);
  return html`<${Card}>
    <div class="week-head"><div><h2 class="long-name">${data.name}</h2>
        <p class="muted">${[data.about, counted(entries.length, "session"), `${number(hours)} ${hours === 1 ? "slot" : "slots"} a week`].filter(Boolean).join(" · ")}${conflicts > 0 && html` · <strong class="bad-text">${counted(conflicts, "session")} in a conflict</strong>`}</p>
        ${data.grid.term && html`<p class="muted small">${termLines(data.grid.term).join(" · ")}</p>`}</div>
      <div class="row"><${Search} label="Find in this week" value=${text} onInput=${setText} />
        ${types.length > 1 && html`<${Select} label="Type" hidden value=${type} options=${[["", "All types"], ...types.map((one) => [one, plain(one)])]} onChange=${setType} />`}</div></div>
    ${(wanted || type) && html`<p class="muted" role="status">${counted(matched, "session")} ${matched === 1 ? "matches" : "match"}</p>`}
    <${Shape} week=${data} of=${of} dim=${dim} onOpen=${onOpen} />
    ${data.open.length > 0 && html`<div class="note-box bad"><p><strong>${counted(data.open.length, "session")} of this ${of} without a place:</strong> ${data.open.map((one) => one.name).join(", ")}. <a href=${resultsHref(jobId, "work", query)}>Work list</a></p></div>`}
  <//>`;
}

/** Entries of one day that overlap share a cell, so nothing is ever hidden behind something else. */
function cellsOf(entries) {
  const cells = [];
  for (const entry of [...entries].sort((a, b) => a.period - b.period)) {
    const last = cells[cells.length - 1];
    const end = entry.period + entry.duration_slots;
    if (last && entry.period < last.end) {
      last.entries.push(entry);
      last.end = Math.max(last.end, end);
    } else {
      cells.push({ start: entry.period, end, entries: [entry] });
    }
  }
  return cells;
}

function Grid({ week, of, dim, onOpen }) {
  const { days, periods } = week.grid;
  const closed = new Set(week.unavailable);
  const byDay = days.map((_, day) => cellsOf(week.entries.filter((entry) => entry.day === day)));
  const cell = (day, period) => {
    const own = byDay[day].find(({ start }) => start === period);
    if (own) {
      return html`<td rowspan=${own.end - own.start} class="taken">${own.entries.map((entry) => html`<${Session} entry=${entry} of=${of} dim=${dim(entry)} onOpen=${onOpen} tall=${own.end - own.start > 1} timed=${!commonTimes(week.grid, period)} />`)}</td>`;
    }
    if (byDay[day].some(({ start, end }) => start < period && period < end)) return null;
    if (!hasPeriod(week.grid, day, period)) return html`<td class="off"><span class="unseen">no such period</span></td>`;
    const off = closed.has(day * periods.length + period);
    return html`<td class=${off ? "off" : "free"}>${off && html`<span class="unseen">not available</span>`}</td>`;
  };
  return html`<${ScrollBox} class="table-box week-box" label=${`Week of ${week.name}`}><table class="week">
    <thead><tr><th scope="col"><span class="unseen">Time</span></th>${days.map((day) => html`<th scope="col">${day}</th>`)}</tr></thead>
    <tbody>${periods.map((_, period) => html`
      <${Breaks} grid=${week.grid} period=${period} />
      <tr><${Times} grid=${week.grid} period=${period} />${days.map((_, day) => cell(day, period))}</tr>`)}</tbody>
  </table><//>`;
}

/** When a row is; its number where that differs from day to day, as each session then says itself. */
function Times({ grid, period }) {
  const times = commonTimes(grid, period);
  return times ? html`<th scope="row"><span>${times.start}</span><span class="until">${times.end}</span></th>` : html`<th scope="row"><span class="unseen">Period </span>${period + 1}</th>`;
}

/** The breaks before a period: one cell where all days have the same. */
function Breaks({ grid, period }) {
  const here = grid.breaks.filter(({ before }) => before === period);
  if (here.length === 0) return null;
  const [{ name, start, days }] = here;
  if (here.length === 1 && days.length === grid.days.length) return html`<tr class="lunch"><th scope="row">${start}</th><td colspan=${days.length}>${name}</td></tr>`;
  const told = (day) => here.filter((one) => one.days.includes(day)).map((one) => `${one.name} ${one.start}`).join(", ");
  return html`<tr class="lunch"><th scope="row"></th>${grid.days.map((_, day) => html`<td>${told(day)}</td>`)}</tr>`;
}

/** The same for narrow screens: day by day. */
function Agenda({ week, of, dim, onOpen }) {
  return html`<div class="agenda">${week.grid.days.map((name, day) => {
    const entries = week.entries.filter((entry) => entry.day === day);
    return html`<section><h3>${name}</h3>${entries.length === 0 ? html`<p class="muted">free</p>` : entries.map((entry) => html`<div class="agenda-row"><span class="agenda-time">${entry.start_time}<br />${entry.end_time}</span><${Session} entry=${entry} of=${of} dim=${dim(entry)} onOpen=${onOpen} tall /></div>`)}</section>`;
  })}</div>`;
}

/** The same course has the same colour everywhere. */
function hueOf(text) {
  let hash = 7;
  for (const letter of text) hash = (hash * 31 + letter.charCodeAt(0)) >>> 0;
  return hash % HUES;
}

/** Who is taught: groups, or how many students where no group is. */
const taught = (entry) => entry.batch_name || counted(entry.enrolled_count, "student");

const DETAILS = {
  group: (entry) => [entry.faculty_name, entry.room_code],
  teacher: (entry) => [taught(entry), entry.room_code],
  room: (entry) => [taught(entry), entry.faculty_name],
  student: (entry) => [entry.faculty_name, entry.room_code],
};

function Session({ entry, of, dim, onOpen, tall, timed }) {
  const details = DETAILS[of](entry).filter(Boolean);
  const title = `${entry.course_name} (${entry.course_code}), ${entry.day_name} ${entry.time_slot}, ${details.join(", ")}`;
  return html`<button class=${`session hue-${hueOf(entry.course_code)} ${dim ? "dim" : ""} ${entry.has_conflict ? "clash" : ""} ${tall ? "tall" : ""}`} title=${entry.has_conflict ? `${title}\n${entry.conflict_description}` : title} onClick=${() => onOpen(entry)}>
    <span class="session-name">${entry.has_conflict && html`<span class="clash-sign" role="img" aria-label="In a conflict">!</span>`}${entry.course_code}${entry.course_name !== entry.course_code && html` <span class="session-title">${entry.course_name}</span>`}</span>
    ${timed && html`<span class="session-line">${entry.time_slot}</span>`}
    ${details.map((text) => html`<span class="session-line">${text}</span>`)}</button>`;
}
