// The first view: data in, what the checks say of it, and what the job shall do.

import { Badge, Card, Issues, Tile, Tiles, Trouble, Waiting, html, useAsk, useRef, useState } from "../parts.js";
import { ask } from "../api.js";
import { capital, counted, number, plain } from "../words.js";
import { RuleTable } from "./rules.js";
import { readFile } from "../files.js";

const MINUTES = [
  [30, "30 s"],
  [60, "1 min"],
  [300, "5 min"],
  [900, "15 min"],
  [3600, "1 h"],
];

export function Start() {
  const options = useAsk("options");
  const samples = useAsk("datasets");
  const [source, setSource] = useState(null); // {name, body}: what is sent to /validate and /generate_variants
  const [check, setCheck] = useState(null); // {loading} | {report} | {error}
  const [wanted, setWanted] = useState({ variants: "", seconds: "", seed: "0", jobId: "", rules: {} });
  const [sending, setSending] = useState(null);
  const [confirmed, setConfirmed] = useState(null); // the round whose changes were read and are wanted
  const round = useRef(0);

  const choose = async (name, body) => {
    const mine = ++round.current;
    setSource({ name, body });
    setCheck({ loading: true });
    setSending(null);
    const outcome = await ask("validate", { method: "POST", body }).then(
      (report) => ({ report }),
      (error) => ({ error }),
    );
    if (mine === round.current) setCheck(outcome);
  };
  const drop = async (file) => {
    const mine = ++round.current;
    setSource({ name: file.name, body: null });
    setCheck({ loading: true });
    try {
      const body = await readFile(file, options.data?.max_body_mb ?? 16);
      if (mine === round.current) await choose(file.name, body);
    } catch (error) {
      if (mine === round.current) setCheck({ error });
    }
  };
  const start = async (event) => {
    event.preventDefault();
    setSending({ loading: true });
    try {
      const body = { ...source.body, ...jobOf(wanted) };
      const answer = await ask("generate_variants", { method: "POST", body });
      location.hash = `#/jobs/${encodeURIComponent(answer.job_id)}`;
    } catch (error) {
      setSending({ error });
    }
  };
  if (options.error) return html`<${Trouble} error=${options.error} again=${options.again} />`;
  const unconfirmed = (check?.report?.import?.counts.warnings ?? 0) > 0 && confirmed !== round.current;
  const ready = check?.report && !unconfirmed && !sending?.loading;
  return html`
    <div class="page-head"><div><h1>New timetable</h1>
      <p class="lead">Choose your data, see what the checks say, and start. There is a first timetable within seconds, and it improves for as long as you allow.</p></div></div>
    <form class="start" onSubmit=${start}>
      <div class="stack">
        <${Card} title="1. Data">
          <${Drop} onFile=${drop} chosen=${source} />
          <h3 class="or">or try a sample</h3>
          ${samples.error && html`<${Trouble} error=${samples.error} again=${samples.again} />`}
          <div class="samples">
            ${(samples.data?.datasets ?? []).map(
              (sample) => html`<button type="button" class="sample" aria-pressed=${source?.name === sample.name}
                onClick=${() => choose(sample.name, { dataset_name: sample.name })}>
                <strong>${capital(sample.name)}</strong><span>${sample.description}</span></button>`,
            )}
          </div>
        <//>
        ${check && html`<${Report} name=${source.name} check=${check} confirmed=${!unconfirmed} onConfirm=${(yes) => setConfirmed(yes ? round.current : null)} />`}
      </div>
      <div class="stack">
        <${Card} title="2. What to make">
          ${options.data ? html`<${Wishes} options=${options.data} wanted=${wanted} onChange=${setWanted} />` : html`<${Waiting} />`}
          ${sending?.error && html`<${Trouble} error=${sending.error} />`}
          <button class="button primary wide" disabled=${!ready}>
            ${sending?.loading ? "Sending" : "Make the timetables"}</button>
          ${!ready && !sending?.loading && html`<p class="muted center">${check?.loading ? "Your data is being checked." : check?.error ? "This data cannot be used as it is." : unconfirmed ? "Please confirm the changes to your data first." : "Choose your data first."}</p>`}
        <//>
        ${options.data && html`<${Card} title="Rules" aside=${html`<span class="muted">${changedText(wanted.rules)}</span>`}>
          <${RuleTable} rules=${options.data.rules} changes=${wanted.rules}
            onChange=${(change) => setWanted((before) => ({ ...before, rules: change(before.rules) }))} />
        <//>`}
      </div>
    </form>
  `;
}

function jobOf({ variants, seconds, seed, jobId, rules }) {
  return {
    ...(jobId.trim() && { job_id: jobId.trim() }),
    ...(variants && { num_variants: Number(variants) }),
    ...(seconds && { time_limit_seconds: Number(seconds) }),
    ...(Number(seed) && { seed: Number(seed) }),
    ...(Object.keys(rules).length && { rules }),
  };
}

const changedText = (rules) => (Object.keys(rules).length ? `${counted(Object.keys(rules).length, "rule")} changed` : "as usual");

function Drop({ onFile, chosen }) {
  const [over, setOver] = useState(false);
  const take = (files) => files?.[0] && onFile(files[0]);
  return html`
    <label class=${`drop ${over ? "over" : ""}`} onDragOver=${(event) => {
      event.preventDefault();
      setOver(true);
    }} onDragLeave=${() => setOver(false)} onDrop=${(event) => {
      event.preventDefault();
      setOver(false);
      take(event.dataTransfer.files);
    }}>
      <input class="unseen" type="file" accept=".json,.ctt,.tim,.zip" onChange=${(event) => {
        take(event.target.files);
        event.target.value = ""; // so that the same file, mended, can be chosen again
      }} />
      <span class="drop-title">${chosen?.name && !chosen.body?.dataset_name ? chosen.name : "Drop a file here, or choose one"}</span>
      <span class="muted">our own JSON, ITC-2007 .ctt or .tim, or a set of CSV files as a .zip</span>
    </label>
  `;
}

function Wishes({ options, wanted, onChange }) {
  const set = (name) => (event) => onChange((before) => ({ ...before, [name]: event.target.value }));
  const most = options.time_limit_seconds.most;
  const seconds = wanted.seconds || options.time_limit_seconds.default;
  return html`
    <div class="fields">
      <label class="field"><span>Variants</span>
        <input type="number" min="1" max=${options.num_variants.most} step="1" placeholder=${options.num_variants.default}
          value=${wanted.variants} onInput=${set("variants")} /></label>
      <label class="field"><span>Time limit in seconds</span>
        <input type="number" min="1" max=${most} step="1" placeholder=${options.time_limit_seconds.default}
          value=${wanted.seconds} onInput=${set("seconds")} /></label>
      <div class="chips" role="group" aria-label="Usual time limits">
        ${MINUTES.filter(([value]) => value <= most).map(
          ([value, text]) => html`<button type="button" class="chip" aria-pressed=${Number(seconds) === value}
            onClick=${() => onChange((before) => ({ ...before, seconds: String(value) }))}>${text}</button>`,
        )}
      </div>
      <label class="field"><span>Name of the job <em>if you like</em></span>
        <input type="text" maxlength="128" pattern="\\s*[A-Za-z0-9]([A-Za-z0-9._:\\- ]*[A-Za-z0-9._:\\-])?\\s*" title="Letters, digits, spaces and . _ : - are allowed; begin with a letter or a digit" placeholder="such as Spring 2027" value=${wanted.jobId} onInput=${set("jobId")} /></label>
      <label class="field"><span>Seed <em>for repeatable runs</em></span>
        <input type="number" min="0" max="2147483647" step="1" value=${wanted.seed} onInput=${set("seed")} /></label>
    </div>
  `;
}

const SIZES = [
  ["courses", "Courses"],
  ["sessions", "Sessions"],
  ["faculty", "Teachers"],
  ["rooms", "Rooms"],
  ["groups", "Groups"],
  ["students", "Students"],
  ["enrolments", "Enrolments"],
  ["time_slots", "Slots a week"],
];

function Report({ name, check, confirmed, onConfirm }) {
  const proofs = check.report?.diagnosis.proofs ?? [];
  const verdict = check.error ? ["Cannot be used", "bad"] : proofs.length ? ["Cannot all be met", "warn"] : confirmed ? ["Ready", "good"] : ["Please confirm", "warn"];
  return html`
    <${Card} title=${`Check of ${name}`} aside=${!check.loading && html`<${Badge} kind=${verdict[1]}>${verdict[0]}<//>`}>
      ${check.loading && html`<${Waiting}>Reading and checking the data<//>`}
      ${check.error && html`<${Trouble} error=${check.error} />`}
      ${check.report?.import?.counts.warnings > 0 && html`<${Confirm} account=${check.report.import} confirmed=${confirmed} onConfirm=${onConfirm} />`}
      ${check.report && html`
        <${Tiles}>${SIZES.map(([field, text]) => html`<${Tile} name=${text} value=${number(check.report.summary[field])} />`)}<//>
        ${proofs.length === 0 && html`<p>Everything fits together. Counting found no contradiction.</p>`}
        ${proofs.length > 0 && html`
          <p>No timetable can keep every hard rule with this data. The service will place whatever it can, and list what it had to give up:</p>
          <ul class="sentences">${proofs.map((proof) => html`<li>${capital(proof.sentence)}</li>`)}</ul>`}
        <${Oddities} warnings=${check.report.warnings.slice(check.report.import?.warnings.length ?? 0)} />
        <${Import} account=${check.report.import} />`}
    <//>
  `;
}

const sentence = (note) => `${note.column ? `${plain(note.column)} ` : ""}${note.value ? `“${note.value}” ` : ""}${note.message}`;

/** What the import changes about who teaches: nothing is sent before somebody has agreed. */
function Confirm({ account, confirmed, onConfirm }) {
  const more = account.counts.warnings - account.warnings.length;
  return html`<div class="note-box warn"><div class="stack"><p><strong>The timetable will not be quite what the data ask for:</strong></p>
    <ul class="sentences">${account.warnings.map((note) => html`<li>${note.file}.csv, line ${note.line}: ${sentence(note)}</li>`)}</ul>
    ${more > 0 && html`<p>and ${counted(more, "more change")}</p>`}
    <label class="check"><input type="checkbox" checked=${confirmed} onChange=${(event) => onConfirm(event.target.checked)} /> I accept these changes</label></div></div>`;
}

/** What is odd about data that can be used. */
function Oddities({ warnings }) {
  if (!warnings.length) return null;
  return html`<p>Worth a second look before you start:</p>
    <ul class="sentences">${warnings.map((warning) => html`<li>${capital(warning.message)}</li>`)}</ul>`;
}

/** How a CSV set was read, and what had to be mended in it. */
function Import({ account }) {
  if (!account) return null;
  const kinds = [
    ["decisions", "decision", "made while reading"],
    ["unusable", "row", "could not be used"],
    ["repairs", "cell", "corrected"],
  ];
  return kinds.map(
    ([kind, what, text]) => account.counts[kind] > 0 && html`<details><summary>${counted(account.counts[kind], what)} ${text}</summary>
      <${Issues} issues=${account[kind].map((note) => ({ pointer: `${note.file}.csv:${note.line}`, message: sentence(note) }))} /></details>`,
  );
}
