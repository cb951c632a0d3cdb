/**
 * Follows one job of the timetable service, and steers it. No dependencies: copy this file and `tracker.d.ts` into any
 * frontend, or import it from the service.
 *
 *   const tracker = new Tracker("spring-1", { base: "https://timetable.example.org/", onProgress: (p) => draw(p) });
 *   tracker.start();
 *
 * A poll every two seconds. One that fails is repeated three times, five seconds apart; then `onLost` is told, and the
 * tracker goes on asking at leisure, because services come back. `onStalled` is told when the service says so, or when
 * nothing has improved for two minutes; `onResumed` when that is over, whoever ended it.
 */

export const DEFAULTS = Object.freeze({
  base: "/",
  pollSeconds: 2,
  retries: 3,
  retrySeconds: 5,
  lostSeconds: 20,
  stalledSeconds: 120,
  timeoutSeconds: 10,
});

const TERMINAL = new Set(["completed", "failed", "cancelled"]);
const UNKNOWN = new Set([404, 422]); // 422: no job can have such an id
const DENIED = new Set([401, 403]);

export class Tracker {
  #options;
  #timer = null;
  #asking = null;
  #running = false;
  #failures = 0;
  #mark = "";
  #improvedAt = 0;
  #stalled = false;
  #quietUntil = 0;

  constructor(jobId, options = {}) {
    this.jobId = jobId;
    this.snapshot = null;
    this.#options = { headers: () => ({}), ...DEFAULTS, ...options };
  }

  /** Begins to follow; also after `stop`, after `onEnd` or when asked to hurry. */
  start() {
    this.#running = true;
    this.#schedule(0);
  }

  stop() {
    this.#running = false;
    clearTimeout(this.#timer);
    this.#asking?.abort();
  }

  /** Says no more about the present stall until another `stalledSeconds` have gone without improvement. */
  waitLonger() {
    this.#quietUntil = now() + this.#options.stalledSeconds;
    this.#resume();
  }

  /** Stops the job; the best timetable so far is kept, marked as cancelled. */
  cancel() {
    return this.#steer("cancel");
  }

  /** Stops the job now and publishes the best timetable so far. */
  finish() {
    return this.#steer("finish");
  }

  /** Runs the job again from its best timetable; one that still runs is cancelled first. */
  async restart() {
    if (this.snapshot && !TERMINAL.has(this.snapshot.status)) {
      await this.#post("cancel");
      await this.#untilTerminal();
    }
    return this.#steer("restart");
  }

  async #steer(word) {
    const answer = await this.#post(word);
    this.#quietUntil = 0;
    this.#touch();
    this.#resume();
    this.start();
    return answer;
  }

  async #post(word) {
    const answer = await this.#fetch(`${word}/${encodeURIComponent(this.jobId)}`, { method: "POST" });
    const body = await answer.json().catch(() => ({}));
    if (!answer.ok) throw Object.assign(new Error(body.detail ?? `HTTP ${answer.status}`), { status: answer.status, body });
    return body;
  }

  async #untilTerminal() {
    for (let asked = 0; asked < 40; asked++) {
      const answer = await this.#fetch(`progress/${encodeURIComponent(this.jobId)}`);
      if (answer.ok && TERMINAL.has((await answer.json()).status)) return;
      await new Promise((done) => setTimeout(done, 250));
    }
  }

  #schedule(seconds) {
    clearTimeout(this.#timer);
    if (this.#running) this.#timer = setTimeout(() => this.#poll(), seconds * 1000);
  }

  async #fetch(path, init = {}) {
    const asking = new AbortController();
    const timer = setTimeout(() => asking.abort(), this.#options.timeoutSeconds * 1000);
    this.#asking = asking;
    try {
      return await fetch(new URL(path, new URL(this.#options.base, location.href)), {
        ...init,
        cache: "no-store",
        headers: this.#options.headers(),
        signal: asking.signal,
      });
    } finally {
      clearTimeout(timer);
    }
  }

  async #poll() {
    try {
      const answer = await this.#fetch(`progress/${encodeURIComponent(this.jobId)}`);
      if (!this.#running) return;
      if (UNKNOWN.has(answer.status)) return this.#end("onGone", null);
      if (DENIED.has(answer.status)) return this.#end("onDenied", answer.status);
      if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
      this.#hear(await answer.json());
    } catch (error) {
      if (this.#running) this.#fail(error);
    }
  }

  #hear(snapshot) {
    if (!this.#running) return;
    const again = this.#failures > 0;
    this.#failures = 0;
    this.snapshot = snapshot;
    if (again) this.#tell("onFound", snapshot);
    this.#notice(snapshot);
    this.#tell("onProgress", snapshot);
    if (TERMINAL.has(snapshot.status)) {
      this.#resume();
      this.#end("onEnd", snapshot);
    } else {
      this.#schedule(this.#options.pollSeconds);
    }
  }

  #fail(error) {
    this.#failures += 1;
    if (this.#failures === this.#options.retries + 1) this.#tell("onLost", { failures: this.#failures, error });
    else if (this.#failures <= this.#options.retries) this.#tell("onRetry", { failures: this.#failures, error });
    this.#schedule(this.#failures > this.#options.retries ? this.#options.lostSeconds : this.#options.retrySeconds);
  }

  /** Whatever becomes better counts: the stage, the rung, sessions placed, cost, bound. */
  #notice(snapshot) {
    const { status, rung, placed, bound, levels, attempt, metadata } = snapshot;
    const mark = JSON.stringify([status, rung, placed, bound, levels, attempt, metadata?.stage]);
    if (mark !== this.#mark) {
      const first = this.#mark === "";
      this.#mark = mark;
      this.#touch();
      // Who comes back to a job learns from the service how long it has been waiting already.
      if (first && snapshot.last_improvement_at) {
        this.#improvedAt -= Math.max(0, snapshot.last_updated - snapshot.last_improvement_at);
      }
    }
    const seconds = now() - this.#improvedAt;
    const reason = snapshot.health === "stalled" ? "service" : seconds >= this.#options.stalledSeconds ? "no_improvement" : null;
    if (snapshot.status !== "running" || reason === null) return this.#resume();
    if (this.#stalled || now() < this.#quietUntil) return undefined;
    this.#stalled = true;
    return this.#tell("onStalled", { reason, seconds: Math.round(seconds), snapshot });
  }

  #touch() {
    this.#improvedAt = now();
  }

  #resume() {
    if (!this.#stalled) return;
    this.#stalled = false;
    this.#tell("onResumed", this.snapshot);
  }

  #end(word, detail) {
    this.#running = false;
    clearTimeout(this.#timer);
    this.#tell(word, detail);
  }

  #tell(word, detail) {
    this.#options[word]?.(detail);
  }
}

function now() {
  return performance.now() / 1000;
}
