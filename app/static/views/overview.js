// The variants side by side.

import { Badge, Card, ScrollBox, Tile, Tiles, html } from "../parts.js";
import { METRICS, QUALITY, amount, number, percent } from "../words.js";
import { resultsHref } from "../links.js";

export function Overview({ jobId, data, n }) {
  return html`
    <div class="variants">${data.variants.map((variant) => html`<${VariantCard} jobId=${jobId} variant=${variant} others=${data.variants} chosen=${variant.id === n} alone=${data.variants.length === 1} />`)}</div>
    ${data.variants.length > 1 && html`<${SideBySide} variants=${data.variants} />`}
  `;
}

function VariantCard({ jobId, variant, others, chosen, alone }) {
  const labels = Object.fromEntries(others.map((one) => [one.emphasis, one.label]));
  const metrics = variant.quality_metrics;
  return html`
    <article class=${`card variant ${chosen && !alone ? "chosen" : ""}`} aria-label=${`Variant ${variant.id}`}>
      <header class="card-head"><h2><span class="muted">${variant.id}</span> ${variant.label}</h2><${Badge} kind=${QUALITY[variant.quality][1]}>${QUALITY[variant.quality][0]}<//></header>
      <${Tiles}>
        <${Tile} name="Score" value=${percent(metrics.overall_score)} />
        <${Tile} name="Soft cost" value=${number(variant.cost)} />
        <${Tile} name="Without a place" value=${number(variant.unplaced.length)} kind=${variant.unplaced.length ? "bad" : "good"} />
        <${Tile} name="Rules bent" value=${number(variant.concessions.length)} kind=${variant.concessions.length ? "warn" : "good"} />
      <//>
      ${variant.better_at.length > 0 && html`<h3>Better than the others at</h3><ul class="sentences">${variant.better_at.map((line) => html`<li>${line}</li>`)}</ul>`}
      ${variant.concessions.length > 0 && html`<h3>Given up</h3><ul class="sentences">${variant.concessions.map((given) => html`<li>${given.name}: ${amount(given, given.count)}</li>`)}</ul>`}
      ${Object.keys(variant.distances).length > 0 && html`<p class="muted small">${Object.entries(variant.distances).map(([other, share]) => `${percent(100 * share, 0)} of the sessions differ from ${labels[other] ?? other}`).join("; ")}.</p>`}
      <div class="row"><a class="button small" href=${resultsHref(jobId, "week", { variant: variant.id })}>Open the week</a></div>
    </article>`;
}

/** Which columns hold the best value of a row, as it is written; none when all read the same. */
function bestOf(values, direction, write) {
  const best = write(direction > 0 ? Math.max(...values) : Math.min(...values));
  return direction === 0 || values.every((value) => write(value) === best) ? [] : values.map((value) => write(value) === best);
}

function SideBySide({ variants }) {
  const rules = variants[0].rules
    .map((rule, i) => [rule, variants.map((variant) => variant.rules[i])])
    .filter(([, all]) => all.some((rule) => rule.cost > 0 && rule.tier !== "off"))
    .sort(([, a], [, b]) => Math.max(...b.map((rule) => rule.cost)) - Math.max(...a.map((rule) => rule.cost)));
  const line = (name, values, direction, write, unit) => {
    const best = bestOf(values, direction, write);
    return html`<tr><th scope="row">${name}${unit && html`<span class="sub">${unit}</span>`}</th>${values.map(
      (value, i) => html`<td class=${`num ${best[i] ? "best" : ""}`}>${write(value)}${best[i] && html`<span class="unseen"> best</span>`}</td>`,
    )}</tr>`;
  };
  return html`<${Card} title="Side by side">
    <${ScrollBox} class="table-box" label="Variants side by side"><table class="sheet">
      <thead><tr><td></td>${variants.map((variant) => html`<th scope="col" class="num">${variant.id} · ${variant.label}</th>`)}</tr></thead>
      <tbody>${line("Soft cost", variants.map((variant) => variant.cost), -1, number)}
        ${METRICS.map(([field, name, direction, write]) => line(name, variants.map((variant) => variant.quality_metrics[field]), direction, write))}</tbody>
      <tbody><tr class="group-row"><th scope="rowgroup" colspan=${variants.length + 1}>Cost by rule</th></tr>
        ${rules.map(([rule, all]) => line(rule.name, all.map((one) => one.cost), -1, number, `${number(rule.weight)} per ${rule.unit}`))}</tbody>
    </table><//>
  <//>`;
}
