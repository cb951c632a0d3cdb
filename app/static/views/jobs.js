// Every job with its state, its result and its times.

import { Badge, Bar, Card, Empty, ScrollBox, Search, Select, Trouble, Waiting, html, useAsk, useEffect, useState } from "../parts.js";
import { QUALITY, STATUS, TERMINAL, at, duration, kindOf, number } from "../words.js";
import { DeleteJob } from "./delete.js";

const PAGE = 100;
const REFRESH_SECONDS = 4;
const SHOW = [["", "All states"], ...Object.entries(STATUS).map(([id, [name]]) => [id, name]), ["dead", "In need of help"]];

export function Jobs() {
  const [show, setShow] = useState("");
  const [text, setText] = useState("");
  const [limit, setLimit] = useState(PAGE);
  const [doomed, setDoomed] = useState(null);
  const query = show === "dead" ? { dead_letter: true, limit } : { status: show, limit };
  const { data, error, loading, again } = useAsk("jobs", query);
  useEffect(() => {
    const timer = setTimeout(() => document.hidden || again(), REFRESH_SECONDS * 1000);
    return () => clearTimeout(timer);
  });
  const wanted = text.trim().toLowerCase();
  const jobs = (data?.jobs ?? []).filter((job) => !wanted || said(job).includes(wanted));
  return html`
    <div class="page-head"><h1>Jobs</h1><a class="button primary" href="#/">New timetable</a></div>
    <${Card}>
      <div class="toolbar"><${Search} label="Find a job by name, data or year" value=${text} onInput=${setText} />
        <${Select} label="State" hidden value=${show} options=${SHOW} onChange=${setShow} /></div>
      ${error && html`<${Trouble} error=${error} again=${again} />`}
      ${!data && loading && html`<${Waiting} />`}
      ${data && jobs.length === 0 && html`<${Empty} title=${wanted || show ? "No job matches" : "No jobs yet"}><p class="muted">Jobs stay here until you delete them.</p><//>`}
      ${jobs.length > 0 && html`
        <${ScrollBox} class="table-box" label="Jobs">
          <table class="jobs stacking">
            <thead><tr><th scope="col">Job</th><th scope="col">State</th><th scope="col">Result</th>
              <th scope="col" class="num">Placed</th><th scope="col" class="num">Cost</th><th scope="col">Made</th><th scope="col" class="num">Took</th><th><span class="unseen">Delete</span></th></tr></thead>
            <tbody>${jobs.map((job) => html`<${JobRow} key=${job.job_id} job=${job} onDelete=${() => setDoomed(job.job_id)} />`)}</tbody>
          </table>
        <//>
        ${data.jobs.length === limit && html`<button class="button" onClick=${() => setLimit(Math.min(limit + PAGE, 1000))}>Show more</button>`}`}
    <//>
    ${doomed && html`<${DeleteJob} jobId=${doomed} onClose=${() => setDoomed(null)} onDone=${() => {
      setDoomed(null);
      again();
    }} />`}
  `;
}

const said = (job) => [job.job_id, job.rung, ...Object.values(job.metadata)].join(" ").toLowerCase();

function JobRow({ job, onDelete }) {
  const [status] = STATUS[job.status];
  const ended = TERMINAL.has(job.status);
  const end = job.finished_at ?? Date.now() / 1000;
  return html`<tr>
    <td data-label="Job"><a class="job-name" href=${`#/jobs/${encodeURIComponent(job.job_id)}${job.status === "completed" ? "/results" : ""}`}>${job.job_id}</a>
      <span class="sub">${[job.metadata.dataset, job.metadata.academic_year].filter(Boolean).join(" · ")}</span></td>
    <td data-label="State"><${Badge} kind=${kindOf(job.status, job.levels)}>${status}<//>${job.dead_letter && html` <${Badge} kind="bad" title="It was tried several times and failed each time">needs help<//>`}
      ${job.status === "running" && html`<${Bar} percent=${job.percent} label=${`Progress of ${job.job_id}`} />`}</td>
    <td data-label="Result">${QUALITY[job.quality]?.[0] ?? html`<span class="muted">${ended ? "none" : job.placed ? "none yet" : "–"}</span>`}</td>
    <td data-label="Placed" class="num">${job.total ? `${number(job.placed)} of ${number(job.total)}` : "–"}</td>
    <td data-label="Cost" class="num">${number(job.cost)}</td>
    <td data-label="Made">${at(job.created_at)}</td>
    <td data-label="Took" class="num">${job.started_at ? duration(end - job.started_at) : "–"}</td>
    <td class="act">${ended && html`<button class="button quiet small" aria-label=${`Delete job ${job.job_id}`} onClick=${onDelete}>Delete</button>`}</td>
  </tr>`;
}
