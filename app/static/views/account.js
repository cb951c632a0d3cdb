// The ledger in sentences, and every rule by what it costs.

import { Badge, Card, Choice, html, useState } from "../parts.js";
import { EVIDENCE, amount, capital, counted, number, percent } from "../words.js";

export function Account({ data, variant }) {
  const [show, setShow] = useState("broken");
  const broken = variant.rules.filter((rule) => rule.tier === "soft" && rule.cost > 0).sort((a, b) => b.cost - a.cost);
  const rules = show === "broken" ? broken : variant.rules;
  return html`
    <${Ledger} variant=${variant} />
    <${Proofs} diagnosis=${data.diagnosis} />
    <${Card} title=${show === "broken" ? "Broken soft rules, most expensive first" : "Every rule"} aside=${html`<${Choice} label="Rules" value=${show} options=${[["broken", "Broken"], ["all", "All"]]} onChange=${setShow} />`}>
      ${rules.length === 0 && html`<p>Every soft rule is kept.</p>`}
      <div class="rule-costs">${rules.map((rule) => html`<${RuleCost} key=${rule.id} rule=${rule} total=${Math.max(1, variant.cost)} />`)}</div>
    <//>`;
}

function Ledger({ variant: { concessions, unplaced, rules } }) {
  const places = Object.fromEntries(rules.map((rule) => [rule.id, rule.broken]));
  return html`<${Card} title="What was given up" aside=${html`<${Badge} kind=${concessions.length ? "warn" : "good"}>${concessions.length ? counted(concessions.length, "rule") : "nothing"}<//>`}>
    ${concessions.length === 0 && html`<p>${unplaced.length ? "No hard rule is broken by the sessions that have a place." : "Every session is placed and every hard rule is kept, counted again on the original rules."}</p>`}
    ${concessions.map((given) => html`<section class="ledger"><h3>${given.sentence}</h3>
      <p class="muted">${amount(given, given.count)}, in ${counted(places[given.rule], "place")}, at a price of ${number(given.cost)}.</p>
      <${Offences} offences=${given.offences} count=${given.count} /></section>`)}
  <//>`;
}

function Proofs({ diagnosis }) {
  const { proofs, conflicts, evidence } = diagnosis;
  if (proofs.length + conflicts.length === 0) return null;
  return html`<${Card} title="Why not every hard rule can be kept" aside=${evidence && html`<${Badge} kind="accent">${EVIDENCE[evidence]}<//>`}>
    <ul class="sentences">${proofs.map((proof) => html`<li>${capital(proof.sentence)}</li>`)}</ul>
    ${conflicts.map((conflict) => html`<p>These demands cannot all be met${conflict.minimal ? "; dropping any one of them would help" : ""}:</p><ul class="sentences">${conflict.sentences.map((line) => html`<li>${capital(line)}</li>`)}</ul>`)}
  <//>`;
}

function RuleCost({ rule, total }) {
  return html`<details class=${`rule-cost ${rule.tier}`}>
    <summary><span class="rule-cost-name"><strong>${rule.name}</strong><span class="sub">${rule.sentence}</span></span>
      <span class="rule-cost-bar" aria-hidden="true"><i style=${{ width: `${rule.tier === "soft" ? Math.min(100, (100 * rule.cost) / total) : 0}%` }}></i></span>
      <span class="rule-cost-sum">${rule.tier === "off" ? html`<${Badge}>off<//>` : rule.tier === "hard" ? html`<${Badge} kind=${rule.count ? "bad" : "good"}>${rule.count ? `broken ${number(rule.count)} ×` : "kept"}<//>` : html`<b>${number(rule.cost)}</b>`}</span></summary>
    <p class="muted">${amount(rule, rule.count)}${rule.tier === "off" ? "" : `, ${number(rule.weight)} each`}. ${rule.checks ? `It is kept in ${percent(rule.kept_percent)} of ${counted(rule.checks, "place")}.` : "There is nothing for it to check."}</p>
    <${Offences} offences=${rule.offences} count=${rule.count} />
  </details>`;
}

/** `count` is that of the rule; what the offences leave of it is not named. */
function Offences({ offences, count }) {
  if (offences.length === 0) return null;
  const named = offences.reduce((sum, offence) => sum + offence.amount, 0);
  return html`<ul class="sentences">${offences.map((offence) => html`<li>${capital(offence.message)}</li>`)}</ul>
    ${count > named && html`<p class="muted small">There are more. These are the worst.</p>`}`;
}
