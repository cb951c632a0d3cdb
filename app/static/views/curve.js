// Cost and proved bound over time, as an SVG.

import { html, usePhone } from "../parts.js";
import { duration, number } from "../words.js";

const H = 210;
const PAD = { left: 58, right: 14, top: 12, bottom: 26 };

/** Round steps that divide a range into about `count` parts. */
function ticks(low, high, count) {
  const rough = (high - low) / count || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = Math.max([1, 2, 5, 10].find((factor) => factor * power >= rough) * power, power < 1 ? 1 : 0);
  const first = Math.ceil(low / step) * step;
  return Array.from({ length: Math.floor((high - first) / step) + 1 }, (_, i) => first + i * step);
}

/** `points` are {seconds, cost, bound, complete}, in order of time. */
export function Curve({ points, now }) {
  const W = usePhone() ? 380 : 1080;
  const drawn = points.filter((point) => point.cost !== null);
  if (drawn.length === 0) return html`<p class="muted curve-none">The curve starts with the first timetable.</p>`;
  const last = drawn[drawn.length - 1];
  const end = Math.max(now ?? 0, last.seconds, 1);
  const values = drawn.flatMap((point) => [point.cost, ...(point.bound === null ? [] : [point.bound])]);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const room = Math.max((high - low) * 0.08, 1);
  const [bottom, top] = [Math.max(0, low - room), high + room];
  const x = (seconds) => PAD.left + (seconds / end) * (W - PAD.left - PAD.right);
  const y = (value) => H - PAD.bottom - ((value - bottom) / (top - bottom)) * (H - PAD.top - PAD.bottom);
  const stairs = (rows, field) =>
    rows.map((point, i) => `${i ? `H${x(point.seconds).toFixed(1)}V` : `M${x(point.seconds).toFixed(1)} `}${y(point[field]).toFixed(1)}`).join("") + `H${x(end).toFixed(1)}`;
  const bounded = drawn.filter((point) => point.bound !== null);
  const incomplete = drawn.filter((point) => !point.complete);
  return html`
    <figure class="curve">
      <svg viewBox=${`0 0 ${W} ${H}`} role="img" aria-label=${`Cost fell from ${number(drawn[0].cost)} to ${number(last.cost)} in ${duration(end)}${last.bound === null ? "" : `; no timetable can cost less than ${number(last.bound)}`}.`}>
        ${ticks(bottom, top, 4).map((value) => html`<g key=${`y${value}`}><line class="rule-line" x1=${PAD.left} x2=${W - PAD.right} y1=${y(value)} y2=${y(value)} />
          <text x=${PAD.left - 8} y=${y(value) + 4} text-anchor="end">${number(value)}</text></g>`)}
        ${ticks(0, end, W / 120).map((value) => html`<text key=${`x${value}`} x=${x(value)} y=${H - 8} text-anchor="middle">${duration(value)}</text>`)}
        <path class="cost-area" d=${`${stairs(drawn, "cost")}V${H - PAD.bottom}H${x(drawn[0].seconds)}Z`} />
        <path class="cost-line" d=${stairs(drawn, "cost")} />
        ${bounded.length > 0 && html`<path class="bound-line" d=${stairs(bounded, "bound")} />`}
        ${incomplete.map((point) => html`<circle class="open-dot" cx=${x(point.seconds)} cy=${y(point.cost)} r="3.5" />`)}
        ${last.complete && html`<circle class="cost-dot" cx=${x(last.seconds)} cy=${y(last.cost)} r="4" />`}
      </svg>
      <figcaption><span class="key cost">soft cost</span>${bounded.length > 0 && html`<span class="key bound">proved bound</span>`}
        ${incomplete.length > 0 && html`<span class="key open">hard rules bent, or sessions without a place</span>`}</figcaption>
    </figure>
  `;
}
