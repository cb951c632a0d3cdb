// All rules with their sentence, tier and weight, to be changed for one job.

import { Badge, ScrollBox, Search, Select, html, useState } from "../parts.js";

const SHOW = [
  ["all", "All rules"],
  ["hard", "Hard"],
  ["soft", "Soft"],
  ["off", "Off"],
  ["changed", "Changed"],
];
const TIERS = ["hard", "soft", "off"];

export function RuleTable({ rules, changes, onChange }) {
  const [text, setText] = useState("");
  const [show, setShow] = useState("all");
  const wanted = text.trim().toLowerCase();
  const shown = rules.filter((rule) => {
    const tier = changes[rule.id]?.tier ?? rule.tier;
    const fits = show === "all" || (show === "changed" ? rule.id in changes : tier === show);
    return fits && (!wanted || `${rule.id} ${rule.name} ${rule.sentence}`.toLowerCase().includes(wanted));
  });
  // Two fields may change in one go, when one is left for the other: each change goes on from the one before.
  const change = (rule, field, value) =>
    onChange((before) => {
      const next = { ...before[rule.id], [field]: value };
      for (const name of Object.keys(next)) {
        if (next[name] === undefined || next[name] === standing(rule, name)) delete next[name];
      }
      const { [rule.id]: _, ...rest } = before;
      return Object.keys(next).length ? { ...rest, [rule.id]: next } : rest;
    });
  return html`
    <div class="toolbar"><${Search} label="Find a rule" value=${text} onInput=${setText} />
      <${Select} label="Show" hidden value=${show} options=${SHOW} onChange=${setShow} />
      ${Object.keys(changes).length > 0 && html`<button type="button" class="button small" onClick=${() => onChange(() => ({}))}>Reset all</button>`}
    </div>
    <${ScrollBox} tag="ul" role="list" class="rules" label="Rules">
      ${shown.map((rule) => html`<${RuleRow} key=${rule.id} rule=${rule} change=${changes[rule.id]} onChange=${change} />`)}
      ${shown.length === 0 && html`<li class="muted">No rule matches.</li>`}
    <//>
  `;
}

const standing = (rule, field) => (field === "weight" ? (rule.price ?? rule.weight) : rule[field]);

function RuleRow({ rule, change = {}, onChange }) {
  const tier = change.tier ?? rule.tier;
  const weight = change.weight ?? standing(rule, "weight");
  const { name, unit } = rule;
  const [text, setText] = useState(null); // as it is being typed: empty now and then, and that is no weight
  return html`
    <li class=${`rule ${tier}`}>
      <div class="rule-text"><strong>${name}</strong>${Object.keys(change).length > 0 && html` <${Badge} kind="accent">changed<//>`}
        <span>${rule.sentence}</span></div>
      ${rule.rigid
        ? html`<span class="rule-set"><${Badge} title="No timetable that we publish breaks it">never broken<//></span>`
        : html`<span class="rule-set">
            <select aria-label=${`Kind of rule: ${name}`} value=${tier} onChange=${(event) => onChange(rule, "tier", event.target.value)}>
              ${TIERS.map((option) => html`<option value=${option} selected=${option === tier}>${option}</option>`)}
            </select>
            <input type="number" min="0" max="1000000" step="1" aria-label=${`${tier === "hard" ? "Price" : "Weight"}: ${name}, per ${unit}`}
              title=${`per ${unit}`} disabled=${tier === "off"} value=${text ?? weight}
              onInput=${(event) => {
                setText(event.target.value);
                onChange(rule, "weight", event.target.value === "" ? undefined : Number(event.target.value));
              }} onBlur=${() => setText(null)} />
          </span>`}
    </li>
  `;
}
