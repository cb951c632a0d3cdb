// One job: how far it is, how it is, and what can be done about it.

import { Badge, Bar, Card, Dialog, Empty, Tile, Tiles, Trouble, Waiting, html, useAsk, useEffect, useMemo, useRef, useState } from "../parts.js";
import { BASE, ask, door, headers, jobPath, tell } from "../api.js";
import { HEALTH, QUALITY, RUNGS, STATUS, STEPS, STOPPED, TERMINAL, at, capital, counted, duration, kindOf, number, plain } from "../words.js";
import { Tracker } from "../tracker.js";
import { Curve } from "./curve.js";
import { DeleteJob } from "./delete.js";
import { HowGood } from "./quality.js";

const MOST_POINTS = 400;

function withPoint(points, snapshot) {
  if (snapshot.cost === null) return points;
  const point = {
    seconds: Math.max(0, Math.round((snapshot.last_updated - snapshot.started_at) * 10) / 10),
    cost: snapshot.cost,
    bound: snapshot.bound,
    complete: snapshot.levels !== null && snapshot.levels.unplaced + snapshot.levels.bent + snapshot.levels.rigid === 0,
  };
  const last = points[points.length - 1];
  if (last && last.seconds > point.seconds + 1) return [point]; // it runs anew
  if (last && last.cost === point.cost && last.bound === point.bound) return points;
  return [...points, point].slice(-MOST_POINTS);
}

function useTracker(jobId, times) {
  const [state, setState] = useState({ snapshot: null, stall: null, lost: null, gone: false });
  const [points, setPoints] = useState([]);
  const change = (more) => setState((before) => ({ ...before, ...more }));
  const lose = (lost, final) => {
    tell("lost");
    change({ lost: { ...lost, final } });
  };
  const tracker = useMemo(
    () =>
      new Tracker(jobId, {
        base: BASE,
        headers,
        ...times,
        onProgress: (snapshot) => {
          tell("found");
          change({ snapshot, lost: null });
          setPoints((before) => withPoint(before, snapshot));
        },
        onStalled: (stall) => change({ stall }),
        onResumed: () => change({ stall: null }),
        onRetry: (lost) => lose(lost, false),
        onLost: (lost) => lose(lost, true),
        onGone: () => change({ gone: true }),
        onDenied: async () => {
          await door.onLocked?.({ message: "A key is needed to follow this job." });
          tracker.start();
        },
      }),
    [jobId],
  );
  useEffect(() => {
    tracker.start();
    // What went before this page came: the service remembers it for as long as it runs itself.
    ask(jobPath("progress", jobId, "/curve")).then(
      ({ points: earlier }) => setPoints((seen) => [...earlier, ...seen.filter(({ seconds }) => seconds > (earlier.at(-1)?.seconds ?? -1))]),
      () => {},
    );
    const hurry = () => document.hidden || TERMINAL.has(tracker.snapshot?.status) || tracker.start();
    document.addEventListener("visibilitychange", hurry);
    addEventListener("online", hurry);
    return () => {
      tracker.stop();
      document.removeEventListener("visibilitychange", hurry);
      removeEventListener("online", hurry);
    };
  }, [tracker]);
  return { ...state, points, tracker };
}

export function JobPage({ jobId }) {
  const options = useAsk("options");
  if (options.loading) return html`<${Waiting}>Asking for the job<//>`;
  const { poll_seconds: pollSeconds, stalled_after_seconds: stalledSeconds } = options.data ?? {};
  return html`<${Followed} key=${jobId} jobId=${jobId} times=${options.data ? { pollSeconds, stalledSeconds } : {}} />`;
}

function Followed({ jobId, times }) {
  const { snapshot, stall, lost, gone, points, tracker } = useTracker(jobId, times);
  const [trouble, setTrouble] = useState(null);
  const [busy, setBusy] = useState("");
  const [doomed, setDoomed] = useState(false);
  const status = snapshot?.status;
  const ended = TERMINAL.has(status);
  const account = useAsk(ended ? jobPath("jobs", jobId) : null, { run: snapshot?.attempt, status });
  const steer = (word) => async () => {
    setBusy(word);
    setTrouble(null);
    try {
      await tracker[word]();
    } catch (error) {
      setTrouble(error);
    }
    setBusy("");
  };
  if (gone) return html`<${Empty} title="There is no such job"><p class="muted">It may have been deleted.</p><a class="button" href="#/jobs">All jobs</a><//>`;
  if (!snapshot) return html`${lost ? html`<${Lost} lost=${lost} tracker=${tracker} />` : html`<${Waiting}>Asking for the job<//>`}`;
  const curve = ended && account.data?.curve?.length ? curveOf(account.data) : points;
  return html`
    <div class="page-head"><div><p class="crumbs"><a href="#/jobs">Jobs</a></p><h1 class="long-name">${jobId}</h1></div>
      <div class="row"><${Actions} status=${status} held=${snapshot.cost !== null} busy=${busy} steer=${steer} jobId=${jobId} onDelete=${() => setDoomed(true)} /></div></div>
    ${lost && html`<${Lost} lost=${lost} tracker=${tracker} />`}
    ${trouble && html`<${Trouble} error=${trouble} />`}
    <${Card}>
      <${Head} snapshot=${snapshot} />
      <${Steps} snapshot=${snapshot} />
      <${Figures} snapshot=${snapshot} />
    <//>
    <${Card}><${HowGood} cost=${snapshot.cost} bound=${snapshot.bound} gap=${snapshot.gap} rung=${snapshot.rung} journal=${account.data?.journal} /><//>
    <${Card} title="Cost over time"><${Curve} points=${curve} now=${ended ? null : snapshot.last_updated - snapshot.started_at} /><//>
    ${ended && account.data && html`<${Afterwards} account=${account.data} />`}
    ${stall && html`<${Stalled} stall=${stall} snapshot=${snapshot} busy=${busy} steer=${steer} tracker=${tracker} />`}
    ${doomed && html`<${DeleteJob} jobId=${jobId} onClose=${() => setDoomed(false)} onDone=${() => (location.hash = "#/jobs")} />`}
  `;
}

const curveOf = (account) =>
  account.curve.map(({ seconds, cost, levels }) => ({
    seconds,
    cost,
    bound: account.lower_bound,
    complete: levels.unplaced + levels.bent + levels.rigid === 0,
  }));

function Actions({ status, held, busy, steer, jobId, onDelete }) {
  const action = (word, text, kind = "") =>
    html`<button class=${`button ${kind}`} disabled=${busy !== ""} onClick=${steer(word)}>${busy === word ? "Asking" : text}</button>`;
  if (status === "running") return html`${held && action("finish", "Finish now")}${action("cancel", "Cancel")}`;
  if (status === "queued") return action("cancel", "Cancel");
  return html`<button class="button danger" disabled=${busy !== ""} onClick=${onDelete}>Delete</button>${action("restart", "Run again")}${held && html`<a class="button primary" href=${`#/jobs/${encodeURIComponent(jobId)}/results`}>Open the results</a>`}`;
}

function Head({ snapshot }) {
  const [name, kind] = [STATUS[snapshot.status][0], kindOf(snapshot.status, snapshot.levels)];
  const about = [snapshot.metadata.dataset, snapshot.metadata.academic_year].filter(Boolean).join(" · ");
  return html`
    <div class="job-head">
      <div class="row"><${Badge} kind=${kind}>${name}<//>${about && html`<span class="muted">${about}</span>`}
        ${snapshot.attempt > 1 && html`<${Badge} kind="warn" title="Earlier attempts ended before they had finished">attempt ${snapshot.attempt}<//>`}</div>
      <span class="job-percent">${Math.floor(snapshot.overall_progress)}%</span>
    </div>
    <${Bar} percent=${snapshot.overall_progress} label="Progress" kind=${kind} />
    <p class="job-message" role="status" aria-live="polite">${capital(snapshot.message || snapshot.status)}</p>
  `;
}

function Steps({ snapshot }) {
  const now = snapshot.status === "completed" ? STEPS.length : STEPS.findIndex((step) => step.stages.includes(snapshot.metadata.stage));
  return html`<ol class="steps" aria-label="Stages">${STEPS.map((step, i) => {
    const state = i < now ? "done" : i === now ? (snapshot.status === "running" ? "now" : "stopped") : "ahead";
    return html`<li class=${state} aria-current=${state === "now" ? "step" : undefined} title=${step.about}>
      <span class="step-dot" aria-hidden="true">${state === "done" ? "✓" : i + 1}</span><span class="step-name">${step.name}</span>
      <span class="unseen">${state === "done" ? ", done" : state === "ahead" ? ", to come" : ""}</span></li>`;
  })}</ol>`;
}

function Figures({ snapshot }) {
  const { levels, placed, total, health } = snapshot;
  const [healthName, healthKind] = HEALTH[health];
  const running = snapshot.status === "running";
  return html`<${Tiles}>
    <${Tile} name="Placed" value=${total ? html`${number(placed ?? 0)} <small>of ${number(total)}</small>` : "–"} kind=${total ? (placed === total ? "good" : TERMINAL.has(snapshot.status) ? "bad" : "") : ""} />
    <${Tile} name="Soft cost" value=${number(snapshot.cost)} note=${heldBack(levels)} />
    <${Tile} name=${running || snapshot.status === "queued" ? "Time left, about" : "Ended"} value=${TERMINAL.has(snapshot.status) ? at(snapshot.last_updated) : duration(snapshot.eta_seconds)} note=${snapshot.queue_position ? `position ${snapshot.queue_position} in the queue` : ""} />
    ${running && html`<${Tile} name="Health" value=${html`<${Badge} kind=${healthKind}>${healthName}<//>`} note=${snapshot.last_improvement_at ? `last improved ${duration(snapshot.last_updated - snapshot.last_improvement_at)} ago` : "no timetable yet"} />`}
  <//>`;
}

/** What the cost does not tell. */
function heldBack(levels) {
  if (!levels) return "";
  const told = [levels.unplaced && `${counted(levels.unplaced, "session")} without a place`, levels.bent && `rules bent at a price of ${number(levels.bent)}`];
  return told.filter(Boolean).join(", ") || "every hard rule is kept";
}

function Afterwards({ account }) {
  return html`
    <${Card} title=${account.status === "completed" ? "How it ended" : account.status === "failed" ? "Why it failed" : "What is kept"}>
      ${account.error && html`<div class=${`note-box ${account.status === "failed" ? "bad" : "warn"}`}><p>${capital(account.error)}</p></div>`}
      ${account.rung && html`<p>${capital(RUNGS[account.rung][1])} ${account.quality && html`<${Badge} kind=${QUALITY[account.quality][1]}>${QUALITY[account.quality][0]}<//>`}
        ${account.stopped_by && ` The search ended because ${STOPPED[account.stopped_by]}.`}</p>`}
      ${account.dead_letter && html`<p>It was tried ${counted(account.failed_attempts, "time")} and now needs someone to look at it: <code>GET /jobs/${account.job_id}/attempts/1/diagnosis</code> has the details.</p>`}
      ${(account.notes ?? []).map((note) => html`<p class="muted">${capital(note)}</p>`)}
      ${account.attempts.length > 1 && html`<details><summary>${counted(account.attempts.length, "attempt")}</summary>
        <ul class="sentences">${account.attempts.map((attempt) => html`<li>Attempt ${attempt.attempt ?? attempt.number}: ${plain(attempt.how ?? "at work")}${attempt.detail ? `, ${attempt.detail}` : ""}</li>`)}</ul></details>`}
    <//>
  `;
}

const Lost = ({ lost, tracker }) => html`
  <div class="note-box warn" role="status">
    <p>${lost.final ? "The service does not answer. Your job is safe there, and this page keeps asking." : `The service does not answer. Asking again (${lost.failures} of 3).`}</p>
    <button class="button small" onClick=${() => tracker.start()}>Ask now</button>
  </div>
`;

function Stalled({ stall, snapshot, busy, steer, tracker }) {
  const held = snapshot.cost !== null;
  const first = useRef(null);
  useEffect(() => first.current?.focus(), []);
  return html`<${Dialog} title=${stall.reason === "service" ? "The job seems to be stuck" : "No improvement for a while"} onClose=${() => tracker.waitLonger()}
    class="stalled" actions=${html`
      <button class="button primary" ref=${first} onClick=${() => tracker.waitLonger()}>Wait longer</button>
      <button class="button" disabled=${!held || busy} onClick=${steer("finish")}>Finish now with the best so far</button>
      <button class="button" disabled=${busy} onClick=${steer("restart")}>Restart</button>
      <button class="button danger" disabled=${busy} onClick=${steer("cancel")}>Cancel</button>`}>
    <p>${stall.reason === "service" ? capital(snapshot.message) : `The timetable has not improved for ${duration(stall.seconds)}. The search goes on and may still find something.`}</p>
    <p class="muted">${held ? html`Found so far: ${number(snapshot.placed)} of ${number(snapshot.total)} sessions placed, soft cost ${number(snapshot.cost)}. None of it will be lost, whatever you choose.` : "There is no timetable yet. The service will try again by itself; restarting begins again from scratch."}</p>
  <//>`;
}
