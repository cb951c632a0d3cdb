// Why a session stands where it stands.

import { Badge, Dialog, ScrollBox, Tile, Tiles, Trouble, Waiting, html, useAsk, useState } from "../parts.js";
import { jobPath } from "../api.js";
import { capital, counted, hasPeriod, number, plain, rowHead, slotName } from "../words.js";

export function SessionDialog({ jobId, n, course, session, onClose }) {
  const { data, error, again } = useAsk(jobPath("variants", jobId, `/${n}/session`), { course, number: session });
  const entry = data?.entry;
  return html`<${Dialog} title=${entry ? entry.course_name : (data?.name ?? "Session")} onClose=${onClose} class="wide">
    ${error && html`<${Trouble} error=${error} again=${again} />`}
    ${!data && !error && html`<${Waiting}>Recounting the rules<//>`}
    ${data && html`
      <p class="muted">${data.name}</p>
      ${entry
        ? html`<${Tiles}>
            <${Tile} name="When" value=${`${entry.day_name} ${entry.start_time}`} note=${`until ${entry.end_time}`} />
            <${Tile} name="Where" value=${entry.room_code} note=${entry.room_id === null ? "" : `${plain(entry.room_type)}, ${number(entry.room_capacity)} seats`} />
            <${Tile} name="Who teaches" value=${entry.faculty_name || "–"} />
            <${Tile} name="For" value=${entry.batch_name || counted(data.facts.students, "student")} note=${entry.batch_name ? counted(data.facts.students, "student") : ""} />
          <//>`
        : html`<p class="note-box bad">This session has no place yet.</p>`}
      <h3>Rules that this session helps to break</h3>
      ${data.broken.length === 0 && html`<p>None. Every rule is kept for this session.</p>`}
      <ul class="costs">${data.broken.map((told) => html`<li><span class="cost-of">${told.tier === "hard" ? html`<${Badge} kind="bad">hard<//>` : number(told.cost)}</span>
        <span>${capital(told.message)}<span class="sub">${told.sentence}</span></span></li>`)}</ul>
      <h3>Why not at another time</h3>
      <${Elsewhere} data=${data} />`}
  <//>`;
}

/** Every start of the week: here, free, or what is in the way. */
function Elsewhere({ data }) {
  const here = data.entry ? Number(data.entry.time_slot_id) : null;
  const [slot, setSlot] = useState(here);
  const { days, periods } = data.grid;
  const free = data.starts.filter((why, i) => why === null && i !== here).length;
  const why = (at) => (at === here ? "This is where it is." : data.starts[at] === null ? "A suitable room is free, and no hard rule would be broken." : `${capital(data.starts[at])}.`);
  if (data.facts.fixed) return html`<p>Your data fixes this session to this place.</p>`;
  return html`
    <p class="muted">${free ? `${counted(free, "other start")} would keep every hard rule, so the soft rules decided.` : "No other start keeps every hard rule."} Choose one to see why.</p>
    <${ScrollBox} class="table-box" label="Other starts"><table class="starts">
      <thead><tr><td></td>${days.map((day) => html`<th scope="col"><abbr title=${day}>${day.slice(0, 3)}</abbr></th>`)}</tr></thead>
      <tbody>${periods.map((_, p) => html`<tr><th scope="row">${rowHead(data.grid, p)}</th>${days.map((_, day) => {
        if (!hasPeriod(data.grid, day, p)) return html`<td><span class="unseen">no such period</span></td>`;
        const at = day * periods.length + p;
        const state = at === here ? "here" : data.starts[at] === null ? "open" : "shut";
        return html`<td><button class=${`spot ${state}`} aria-pressed=${at === slot} aria-label=${`${slotName(data.grid, at)}: ${why(at)}`} title=${why(at)} onClick=${() => setSlot(at)}>${{ here: "●", open: "✓", shut: "·" }[state]}</button></td>`;
      })}</tr>`)}</tbody></table><//>
    <p class="start-why" role="status">${slot === null ? "" : html`<strong>${slotName(data.grid, slot)}:</strong> ${why(slot)}`}</p>`;
}
