// What came out of a job: the frame around the views of its result.

import { Badge, Dialog, Empty, Select, Trouble, Waiting, html, useAsk, useEffect, useMore, useState } from "../parts.js";
import { BASE, key, jobPath, request } from "../api.js";
import { FORMATS, NEEDED, TERM, exportPath } from "../formats.js";
import { resultsHref } from "../links.js";
import { QUALITY, STOPPED, capital, number } from "../words.js";
import { HowGood, gapOf, seedText } from "./quality.js";
import { Overview } from "./overview.js";
import { Week } from "./week.js";
import { Compare } from "./compare.js";
import { Use } from "./use.js";
import { Account } from "./account.js";
import { WorkList, todo } from "./worklist.js";

const TABS = [
  ["overview", "Variants", Overview],
  ["week", "Week", Week],
  ["compare", "Compare", Compare],
  ["use", "Rooms and load", Use],
  ["rules", "Rules", Account],
  ["work", "Work list", WorkList],
];

export function Results({ jobId, tab = "overview", query }) {
  const { data, error, again } = useAsk(jobPath("variants", jobId), { entries: false });
  const [tabs, more, look] = useMore(data);
  useEffect(() => {
    tabs.current?.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
    look();
  }, [tab, data]);
  const [exporting, setExporting] = useState(false);
  const [week, setWeek] = useState(null); // whose week is shown: {of, id, name}
  if (error) return html`<${NoResult} error=${error} jobId=${jobId} again=${again} />`;
  if (!data) return html`<${Waiting}>Opening the result<//>`;
  const most = data.variants.length;
  const n = Math.min(Math.max(1, Number(query.variant) || 1), most);
  const go = (more, where = tab) => (location.hash = resultsHref(jobId, where, { ...query, variant: n, ...more }));
  const View = (TABS.find(([id]) => id === tab) ?? TABS[0])[2];
  const left = todo(data.variants[n - 1]);
  return html`
    <div class="page-head"><div>
        <p class="crumbs"><a href="#/jobs">Jobs</a> <span aria-hidden="true">/</span> <a href=${`#/jobs/${encodeURIComponent(jobId)}`}>${jobId}</a></p>
        <h1 class="long-name">${data.metadata.dataset || jobId}</h1></div>
      <div class="row">
        ${most > 1 && html`<${Select} label="Variant" value=${n} options=${data.variants.map((variant) => [variant.id, `${variant.id} · ${variant.label}`])} onChange=${(value) => go({ variant: value })} />`}
        <button class="button primary" onClick=${() => setExporting(true)}>Export</button></div></div>
    <${Verdict} data=${data} variant=${data.variants[n - 1]} />
    <div class=${`scroll ${more}`}><nav class="tabs" ref=${tabs} onScroll=${look} aria-label="Views of the result">
      ${TABS.map(([id, text]) => html`<a href=${resultsHref(jobId, id, { ...query, variant: n })} aria-current=${id === tab ? "page" : undefined}>${text}${id === "work" && left > 0 && html` <${Badge} kind=${data.variants[n - 1].unplaced.length ? "bad" : "warn"}>${number(left)}<//>`}</a>`)}
    </nav></div>
    <${View} jobId=${jobId} data=${data} n=${n} variant=${data.variants[n - 1]} query=${query} go=${go} onWeek=${setWeek} />
    ${exporting && html`<${Exports} jobId=${jobId} n=${n} week=${tab === "week" ? week : null} onClose=${() => setExporting(false)} />`}
  `;
}

function Verdict({ data, variant }) {
  const [quality, kind] = QUALITY[variant.quality];
  const total = data.timetable.total_sessions;
  const placed = total - variant.unplaced.length;
  return html`<div class="verdict"><p><${Badge} kind=${kind}>${quality}<//>
      <span>${placed === total ? `All ${number(total)} sessions have a place.` : `${number(placed)} of ${number(total)} sessions have a place.`} The search ended because ${STOPPED[data.stopped_by]}.</span></p>
    <${HowGood} cost=${variant.cost} bound=${variant.lower_bound} gap=${variant.levels.bent + variant.levels.unplaced ? null : gapOf(variant.cost, variant.lower_bound)} rung=${variant.rung} journal=${data.journal}>
      <p class="muted small">Every figure was counted again on the original rules. ${seedText(data)}</p>
      ${data.notes.map((note) => html`<p class="muted small">${capital(note)}</p>`)}
    <//></div>`;
}

const NoResult = ({ error, jobId, again }) =>
  error.status === 409 || error.status === 404
    ? html`<${Empty} title="There is no result yet"><p class="muted">${error.message}</p><a class="button primary" href=${`#/jobs/${encodeURIComponent(jobId)}`}>See the job</a><//>`
    : html`<${Trouble} error=${error} again=${again} />`;

function Exports({ jobId, n, week, onClose }) {
  const options = useAsk("options");
  const [alone, setAlone] = useState(week !== null);
  const who = useAsk(jobPath("variants", jobId, "/who"));
  const dated = Boolean(who.data?.grid.term?.first_day);
  const [chosen, setChosen] = useState({});
  // Where the data have dates they are those of the calendar, in their own time zone.
  const term = { ...(!dated && { time_zone: Intl.DateTimeFormat().resolvedOptions().timeZone }), ...chosen };
  const offered = FORMATS.filter((format) => options.data?.formats.includes(format.id) && (alone ? format.one : !format.alone));
  const asked = (format) => ({ ...(alone && { [week.of]: week.id }), ...(format.term && term) });
  const ready = (format) => !format.term || dated || NEEDED.every((name) => term[name]);
  return html`<${Dialog} title=${`Export variant ${n}`} onClose=${onClose}>
    ${week && html`<label class="check"><input type="checkbox" checked=${alone} onChange=${(event) => setAlone(event.target.checked)} />
      <span>Only the week of ${week.name}</span></label>`}
    ${!options.data && html`<${Waiting} />`}
    <ul class="exports">${offered.map((format) => html`<li key=${format.id}>${ready(format)
      ? html`<${Download} path=${exportPath(jobId, n, format.id, asked(format))} format=${format} />`
      : html`<div class="export off"><strong>${format.name}</strong><span>needs the dates of the term, below</span></div>`}</li>`)}</ul>
    ${offered.some((format) => format.term) && html`<div class="fields term">${TERM.map(
      ([name, text, type]) => html`<label class="field"><span>${text}</span><input type=${type} value=${term[name] ?? ""}
        placeholder=${name === "skip" ? "2026-10-02, 2026-12-25" : ""} onInput=${(event) => setChosen((before) => ({ ...before, [name]: event.target.value }))} /></label>`,
    )}</div>`}
  <//>`;
}

/** Fetched here, so that a refusal can be read and a key goes along; what browsers show is a plain link where no key is needed. */
function Download({ path, format }) {
  const [error, setError] = useState(null);
  const fetched = async (event) => {
    if (format.opens && !key.get()) return;
    event.preventDefault();
    setError(null);
    try {
      const answer = await request(path);
      const name = /filename="([^"]+)"/.exec(answer.headers.get("content-disposition") ?? "")?.[1] ?? `timetable.${format.id}`;
      const url = URL.createObjectURL(await answer.blob());
      Object.assign(document.createElement("a"), { href: url, download: name }).click();
      setTimeout(() => URL.revokeObjectURL(url), 60_000);
    } catch (problem) {
      setError(problem);
    }
  };
  return html`<a class="export" href=${new URL(path, BASE).href} onClick=${fetched} download=${format.opens ? undefined : ""} target=${format.opens ? "_blank" : undefined} rel="noopener">
      <strong>${format.name}</strong><span>${format.about}</span></a>${error && html`<${Trouble} error=${error} />`}`;
}

