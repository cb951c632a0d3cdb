// "How good is it?": cost, bound, gap and rung, for those who want to know, folded away from everybody else.

import { Tile, Tiles, html } from "../parts.js";
import { RUNGS, capital, counted, number, percent } from "../words.js";

/** `cost`, `bound` and `gap` may be null; `rung` is the last one, `journal` the visits of all, once there are any. */
export function HowGood({ cost, bound, gap, rung, journal, children }) {
  const proved = bound !== null && bound !== undefined;
  return html`<details class="how-good"><summary>How good is it?</summary>
    <${Tiles}>
      <${Tile} name="Soft cost" value=${number(cost)} note="what all broken soft rules cost together" />
      <${Tile} name="Proved bound" value=${number(bound)} note=${proved ? "no timetable can cost less" : "nothing has been proved"} />
      <${Tile} name="Gap" value=${proved && gap !== null && gap !== undefined ? percent(100 * gap) : "–"} note="between cost and bound" />
    <//>
    <h4>The ladder of promises</h4>
    <${Ladder} rung=${rung} journal=${journal} />
    ${children}
  </details>`;
}

export const gapOf = (cost, bound) => (bound === null || cost === null ? null : (cost - bound) / Math.max(cost, 1));

const SECONDS = (seconds) => `${number(Math.round(seconds * 10) / 10)}\u00a0s`;

function Ladder({ rung, journal }) {
  const visits = new Map((journal ?? []).map((visit) => [visit.rung, visit]));
  return html`<ol class="ladder">${Object.entries(RUNGS).map(([id, [name, promise]]) => {
    const visit = visits.get(id);
    const took = visit && visit.outcome !== "skipped" ? ` (${SECONDS(visit.seconds)})` : "";
    return html`<li class=${id === rung ? "here" : visit ? "visited" : ""} aria-current=${id === rung ? "step" : undefined}>
      <strong>${name}</strong>${id === rung && html` <span class="badge accent">${journal ? "reached" : "now"}</span>`}<span class="muted small">${took}</span>
      <p>${visit && visit.why ? capital(visit.why) : promise}</p></li>`;
  })}</ol>`;
}

export const seedText = (data) =>
  `Seed ${data.seed}, ${counted(data.timetable.total_courses, "course")}, ${Object.entries(data.versions)
    .map(([name, version]) => `${name} ${version}`)
    .join(", ")}.`;
