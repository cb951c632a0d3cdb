// Use of rooms and load of teachers as heat maps.

import { Card, Choice, LongList, ScrollBox, Search, Trouble, Waiting, html, useAsk, useMemo, usePhone, useState } from "../parts.js";
import { jobPath } from "../api.js";
import { counted, hasPeriod, number, percent, plain, rowHead, slotName } from "../words.js";
import { resultsHref } from "../links.js";

const SHADES = 5;

export function Use({ jobId, n, query }) {
  const { data, error, again } = useAsk(jobPath("variants", jobId, `/${n}/load`));
  const [of, setOf] = useState("rooms");
  if (error) return html`<${Trouble} error=${error} again=${again} />`;
  if (!data) return html`<${Waiting}>Counting<//>`;
  return html`
    <${Card} title="The whole campus" aside=${html`<${Legend} />`}><${Campus} data=${data} /><//>
    <${Card} title=${of === "rooms" ? "How full the rooms are" : "How busy the teachers are"} aside=${html`<${Choice} label="Heat map of" value=${of} options=${[["rooms", "Rooms"], ["teachers", "Teachers"]]} onChange=${setOf} />`}>
      <${Rows} key=${of} jobId=${jobId} n=${n} data=${data} of=${of} query=${query} />
    <//>`;
}

const Legend = () => html`<span class="legend" aria-hidden="true">few ${Array.from({ length: SHADES + 1 }, (_, i) => html`<i class=${`heat-${i}`}></i>`)} many</span>`;

/** 0 for nothing, then `SHADES` steps up to the most. */
const shade = (value, most) => (value === 0 ? 0 : Math.max(1, Math.ceil((SHADES * value) / most)));

function Campus({ data }) {
  const { days, periods } = data.grid;
  const most = Math.max(...data.sessions, 1);
  const open = (slot) => data.rooms.filter((room) => room[4][slot] !== "x").length;
  return html`<${ScrollBox} class="table-box" label="Sessions in each slot"><table class="campus">
    <thead><tr><td></td>${days.map((day) => html`<th scope="col"><abbr title=${day}>${day.slice(0, 3)}</abbr></th>`)}</tr></thead>
    <tbody>${periods.map((_, p) => html`<tr><th scope="row">${rowHead(data.grid, p)}</th>${days.map((_, day) => {
      if (!hasPeriod(data.grid, day, p)) return html`<td><span class="unseen">no such period</span></td>`;
      const slot = day * periods.length + p;
      const running = data.sessions[slot];
      return html`<td class=${`heat-${shade(running, most)}`} title=${`${slotName(data.grid, slot)}: ${counted(running, "session")}, ${percent((100 * running) / Math.max(1, open(slot)), 0)} of ${number(open(slot))} rooms`}>${number(running)}</td>`;
    })}</tr>`)}</tbody></table><//>`;
}

function Rows({ jobId, n, data, of, query }) {
  const [text, setText] = useState("");
  const phone = usePhone();
  const wanted = text.trim().toLowerCase();
  const rows = useMemo(() => data[of].filter((row) => !wanted || row.slice(0, 3).join(" ").toLowerCase().includes(wanted)), [data, of, wanted]);
  const per = data.grid.periods.length;
  const kind = of === "rooms" ? "room" : "teacher";
  const told = ([id, name, about, most, use]) => {
    const used = use.split("1").length - 1;
    const open = use.length - (use.split("x").length - 1);
    return { id, name, use, used, note: of === "rooms" ? `${plain(about)}, ${number(most)} seats` : about, share: of === "rooms" ? percent((100 * used) / Math.max(1, open), 0) : counted(used, "slot") };
  };
  return html`
    <div class="toolbar"><${Search} label=${`Find a ${kind}`} value=${text} onInput=${setText} /><span class="muted">${counted(rows.length, kind)}, busiest first</span></div>
    ${rows.length === 0 ? html`<p class="muted">Nothing matches.</p>` : html`<${LongList} items=${rows} row=${phone ? 76 : 40} label=${of === "rooms" ? "How full the rooms are" : "How busy the teachers are"} render=${(row) => {
      const { id, name, use, used, note, share } = told(row);
      return html`<div class="use"><a class="use-name" href=${resultsHref(jobId, "week", { ...query, variant: n, group: "", teacher: "", room: "", student: "", [kind]: id })} title=${`${name}, ${note}`}>${name}<span class="sub">${note}</span></a>
        <span class="use-share">${share}</span>
        <span class="cells" role="img" aria-label=${`${used} of ${use.length} slots`}>${data.grid.days.map((day, d) => html`<span class="cells-day" title=${day}>${[...use.slice(d * per, (d + 1) * per)].map((one) => html`<i class=${{ 0: "", 1: "on", x: "off" }[one]}></i>`)}</span>`)}</span></div>`;
    }} />`}`;
}
