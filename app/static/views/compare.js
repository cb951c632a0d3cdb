// Two variants held against each other.

import { Badge, Card, Empty, LongList, Search, Select, Tile, Tiles, Trouble, Waiting, html, useAsk, useMemo, usePhone, useState } from "../parts.js";
import { jobPath } from "../api.js";
import { METRICS, number, slotName } from "../words.js";

const KINDS = { time: ["Other time", "accent"], room: ["Other room", "calm"], placed: ["In one only", "warn"] };

export function Compare({ jobId, data, n, query, go }) {
  const others = data.variants.filter((variant) => variant.id !== n);
  const m = others.some((variant) => variant.id === Number(query.other)) ? Number(query.other) : others[0]?.id;
  const difference = useAsk(m ? jobPath("variants", jobId, `/${n}/difference`) : null, { other: m });
  if (!m) return html`<${Empty} title="There is only one variant"><p class="muted">Ask for more variants when you start a job.</p><//>`;
  const [here, there] = [data.variants[n - 1], data.variants[m - 1]];
  return html`
    <${Card} title=${html`Variant ${n} <span class="muted">against</span> ${m}`} aside=${html`<${Select} label="Compare with" value=${m} options=${others.map((variant) => [variant.id, `${variant.id} · ${variant.label}`])} onChange=${(value) => go({ other: value })} />`}>
      ${difference.data && html`<${Tiles}>
        <${Tile} name="Same time and room" value=${number(difference.data.counts.same)} />
        <${Tile} name="Other time" value=${number(difference.data.counts.time)} />
        <${Tile} name="Only another room" value=${number(difference.data.counts.room)} />
        ${difference.data.counts.placed > 0 && html`<${Tile} name="In one only" value=${number(difference.data.counts.placed)} kind="warn" />`}
      <//>`}
      <${Figures} here=${here} there=${there} n=${n} m=${m} />
    <//>
    ${difference.error && html`<${Trouble} error=${difference.error} again=${difference.again} />`}
    ${!difference.data && !difference.error && html`<${Waiting}>Comparing<//>`}
    ${difference.data && html`<${Moved} data=${difference.data} n=${n} m=${m} />`}
  `;
}

function Figures({ here, there, n, m }) {
  const metrics = METRICS.map(([field, name, direction, write]) => [name, here.quality_metrics[field], there.quality_metrics[field], direction, write]);
  const rules = here.rules
    .map((rule, i) => [rule.name, rule.cost, there.rules[i].cost, -1, number])
    .filter(([, a, b]) => a !== b)
    .sort((a, b) => Math.abs(b[1] - b[2]) - Math.abs(a[1] - a[2]));
  const line = ([name, a, b, direction, write]) => {
    const better = direction === 0 || write(a) === write(b) ? 0 : Math.sign((a - b) * direction);
    return html`<tr><th scope="row">${name}</th><td class=${`num ${better > 0 ? "best" : ""}`}>${write(a)}</td><td class=${`num ${better < 0 ? "best" : ""}`}>${write(b)}</td></tr>`;
  };
  return html`<div class="columns">
    <table class="sheet"><caption>Figures</caption><thead><tr><td></td><th scope="col" class="num">${n}</th><th scope="col" class="num">${m}</th></tr></thead><tbody>${metrics.map(line)}</tbody></table>
    <table class="sheet"><caption>Cost by rule, where it differs</caption><thead><tr><td></td><th scope="col" class="num">${n}</th><th scope="col" class="num">${m}</th></tr></thead>
      <tbody>${rules.length ? rules.map(line) : html`<tr><td colspan="3" class="muted">No rule differs.</td></tr>`}</tbody></table>
  </div>`;
}

function Moved({ data, n, m }) {
  const [text, setText] = useState("");
  const [kind, setKind] = useState("");
  const phone = usePhone();
  const wanted = text.trim().toLowerCase();
  const place = (slot, room) => (slot === null ? "not placed" : `${slotName(data.grid, slot)}, ${data.rooms[room] ?? room}`);
  const rows = useMemo(
    () =>
      data.rows
        .map(([course, session, name, how, ...places]) => ({ course, session, name, how, here: place(places[0], places[1]), there: place(places[2], places[3]) }))
        .filter((row) => (!kind || row.how === kind) && (!wanted || `${row.name} ${row.here} ${row.there}`.toLowerCase().includes(wanted))),
    [data, kind, wanted],
  );
  const kinds = Object.entries(KINDS).filter(([id]) => data.counts[id] > 0);
  return html`<${Card} title="What differs" aside=${html`<span class="muted">${number(rows.length)} of ${number(data.rows.length)}</span>`}>
    <div class="toolbar"><${Search} label="Find a course, room or time" value=${text} onInput=${setText} />
      ${kinds.length > 1 && html`<${Select} label="Kind of change" hidden value=${kind} options=${[["", "All changes"], ...kinds.map(([id, [name]]) => [id, name])]} onChange=${setKind} />`}</div>
    ${rows.length === 0 ? html`<p class="muted">Nothing matches.</p>` : html`<${LongList} items=${rows} row=${phone ? 108 : 46} label="Sessions that differ" render=${(row) => html`
      <div class="moved"><span class="moved-name" title=${row.name}>${row.name}</span><${Badge} kind=${KINDS[row.how][1]}>${KINDS[row.how][0]}<//>
        <span class="moved-place"><span class="unseen">Variant ${n}: </span>${row.here}</span><span class="arrow" aria-hidden="true">→</span><span class="moved-place"><span class="unseen">Variant ${m}: </span>${row.there}</span></div>`} />`}
  <//>`;
}
