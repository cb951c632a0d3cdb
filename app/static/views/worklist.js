// What is left for people: sessions without a place, what blocks each, and changes that were tried and would work.

import { Badge, Card, Empty, Search, html, useState } from "../parts.js";
import { capital, counted, number } from "../words.js";

const PAGE = 40;

export function WorkList({ data, variant }) {
  const [text, setText] = useState("");
  const [most, setMost] = useState(PAGE);
  const wanted = text.trim().toLowerCase();
  const open = variant.unplaced;
  const shown = open.filter((item) => !wanted || `${item.name} ${item.reasons.join(" ")}`.toLowerCase().includes(wanted));
  if (open.length === 0) {
    return html`<${Empty} title="Nothing is left to do"><p class="muted">Every session of this variant has a place.</p><//>`;
  }
  return html`
    <${Card} title="Sessions without a place" aside=${html`<span class="muted">${counted(open.length, "session")} of ${number(data.timetable.total_sessions)}</span>`}>
      <p class="muted">For each: what keeps it from the starts of the week, and changes that were tried on this timetable and break no further rule. A change may spoil the next one; make one, then run the job again.</p>
      ${open.length > 5 && html`<div class="toolbar"><${Search} label="Find a course or a reason" value=${text} onInput=${setText} /></div>`}
      ${shown.length === 0 && html`<p class="muted">Nothing fits.</p>`}
      <ol class="work">${shown.slice(0, most).map((item) => html`<${Open} item=${item} />`)}</ol>
      ${shown.length > most && html`<button class="button" onClick=${() => setMost(most + PAGE)}>Show more (${number(shown.length - most)} left)</button>`}
    <//>
    ${data.coverage && html`<${Card} title="Coverage"><p>${number(data.coverage.core_courses)} courses were placed in the priority core, ${number(data.coverage.reinserted_courses)} after it, ${number(data.coverage.open_courses)} left open, of ${number(data.coverage.total_courses)}.</p><//>`}`;
}

function Open({ item }) {
  return html`<li class="work-item">
    <h3 class="long-name">${item.name}</h3>
    <div class="columns">
      <div><h4>In the way</h4>${item.reasons.length === 0 ? html`<p class="muted">Not looked into.</p>` : html`<ul class="sentences">${item.reasons.map((reason) => html`<li>${capital(reason)}</li>`)}</ul>`}</div>
      <div><h4>Would work <${Badge} kind=${item.repairs.length ? "good" : "calm"}>${number(item.repairs.length)}<//></h4>
        ${item.repairs.length === 0 ? html`<p class="muted">No single move was found.</p>` : html`<ul class="sentences">${item.repairs.map((repair) => html`<li>${capital(repair.sentence)}</li>`)}</ul>`}</div>
    </div></li>`;
}
