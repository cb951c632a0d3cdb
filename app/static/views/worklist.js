// What is left for people: sessions without a place, with what blocks each and changes that were tried and would work,
// and the hard rules that were bent, with where.

import { Badge, Card, Empty, Search, html, useState } from "../parts.js";
import { amount, capital, counted, number } from "../words.js";
import { resultsHref } from "../links.js";

const PAGE = 40;

/** How many things of a variant wait for a person. */
export const todo = ({ unplaced, concessions }) => unplaced.length + concessions.length;

export function WorkList({ jobId, data, variant, query }) {
  if (todo(variant) === 0) {
    return html`<${Empty} title="Nothing is left to do"><p class="muted">Every session of this variant has a place, and every hard rule is kept.</p><//>`;
  }
  return html`
    ${variant.unplaced.length > 0 && html`<${OpenSessions} data=${data} open=${variant.unplaced} />`}
    ${variant.concessions.length > 0 && html`<${BentRules} jobId=${jobId} given=${variant.concessions} query=${query} />`}
    ${data.coverage && html`<${Card} title="Courses"><p>${number(data.coverage.core_courses)} courses were placed in the first round, ${number(data.coverage.reinserted_courses)} after it, and ${number(data.coverage.open_courses)} of ${number(data.coverage.total_courses)} still have open sessions.</p><//>`}`;
}

function OpenSessions({ data, open }) {
  const [text, setText] = useState("");
  const [most, setMost] = useState(PAGE);
  const wanted = text.trim().toLowerCase();
  const shown = open.filter((item) => !wanted || `${item.name} ${item.reasons.join(" ")}`.toLowerCase().includes(wanted));
  return html`<${Card} title="Sessions without a place" aside=${html`<${Badge} kind="bad">${number(open.length)} of ${number(data.timetable.total_sessions)}<//>`}>
      <p class="muted">For each session: what is in the way, and changes that were tried on this timetable and break no further rule. One change may spoil the next, so make one and then run the job again.</p>
      ${open.length > 5 && html`<div class="toolbar"><${Search} label="Find a course or a reason" value=${text} onInput=${setText} /></div>`}
      ${shown.length === 0 && html`<p class="muted">Nothing matches.</p>`}
      <ol class="work">${shown.slice(0, most).map((item) => html`<${Open} item=${item} />`)}</ol>
      ${shown.length > most && html`<button class="button" onClick=${() => setMost(most + PAGE)}>Show more (${number(shown.length - most)} left)</button>`}
    <//>`;
}

function Open({ item }) {
  return html`<li class="work-item">
    <h3 class="long-name">${item.name}</h3>
    <div class="columns">
      <div><h4>What is in the way</h4>${item.reasons.length === 0 ? html`<p class="muted">Nobody has looked into this.</p>` : html`<ul class="sentences">${item.reasons.map((reason) => html`<li>${capital(reason)}</li>`)}</ul>`}</div>
      <div><h4>What would work <${Badge} kind=${item.repairs.length ? "good" : "calm"}>${number(item.repairs.length)}<//></h4>
        ${item.repairs.length === 0 ? html`<p class="muted">No single move was found.</p>` : html`<ul class="sentences">${item.repairs.map((repair) => html`<li>${capital(repair.sentence)}</li>`)}</ul>`}</div>
    </div></li>`;
}

function BentRules({ jobId, given, query }) {
  return html`<${Card} title="Rules that were bent" aside=${html`<${Badge} kind="warn">${counted(given.length, "rule")}<//>`}>
    <p class="muted">Somebody has to agree to each of these, or change the data and run the job again.</p>
    <ol class="work">${given.map((rule) => html`<li class="work-item"><h3>${rule.name}: ${amount(rule, rule.count)}</h3>
      <p class="muted">${rule.sentence}</p>
      <ul class="sentences">${rule.offences.map((offence) => html`<li>${capital(offence.message)}</li>`)}</ul>
      ${rule.offences.reduce((sum, { amount: told }) => sum + told, 0) < rule.count && html`<p class="muted small">There are more. <a href=${resultsHref(jobId, "rules", query)}>All rules</a></p>`}</li>`)}</ol>
  <//>`;
}
