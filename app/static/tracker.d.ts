/** Types of `tracker.js`. The snapshot has more fields than are named here; see GET /openapi.json of the service. */

export type Status = "queued" | "running" | "completed" | "failed" | "cancelled";

export interface Levels {
  rigid: number;
  unplaced: number;
  bent: number;
  soft: number;
}

/** What GET /progress/{job_id} answers. Times are seconds since 1970. */
export interface Snapshot {
  job_id: string;
  status: Status;
  stage: string;
  stage_progress: number;
  overall_progress: number;
  progress: number;
  message: string;
  error: string | null;
  rung: "full" | "relaxed" | "greedy" | "reduced" | "manual" | null;
  cost: number | null;
  levels: Levels | null;
  bound: number | null;
  gap: number | null;
  placed: number | null;
  total: number | null;
  eta_seconds: number;
  started_at: number;
  last_updated: number;
  last_improvement_at: number | null;
  health: "ok" | "slow" | "stalled";
  attempt: number;
  queue_position: number | null;
  metadata: Record<string, unknown> & { stage: string | null };
}

export interface Stall {
  /** "service": the service itself calls the job stalled. "no_improvement": nothing became better for so long. */
  reason: "service" | "no_improvement";
  seconds: number;
  snapshot: Snapshot;
}

export interface Failure {
  /** Polls that failed in a row. */
  failures: number;
  error: unknown;
}

export interface TrackerOptions {
  /** Where the service is, with a slash at the end. Default "/". */
  base?: string;
  /** Headers of every request, for instance an API key; asked anew each time. */
  headers?: () => Record<string, string>;
  pollSeconds?: number;
  retries?: number;
  retrySeconds?: number;
  /** Pause between polls after `onLost`. */
  lostSeconds?: number;
  stalledSeconds?: number;
  /** A poll that takes longer has failed. */
  timeoutSeconds?: number;

  onProgress?: (snapshot: Snapshot) => void;
  /** The job has ended; nothing more comes until `start` or `restart`. */
  onEnd?: (snapshot: Snapshot) => void;
  onStalled?: (stall: Stall) => void;
  onResumed?: (snapshot: Snapshot | null) => void;
  onRetry?: (failure: Failure) => void;
  onLost?: (failure: Failure) => void;
  /** The service answers again after failed polls. */
  onFound?: (snapshot: Snapshot) => void;
  /** There is no such job. */
  onGone?: () => void;
  /** 401 or 403: give a key in `headers`, then `start` again. */
  onDenied?: (status: number) => void;
}

export interface Steered {
  job_id: string;
  status: string;
  message: string;
  job_status: Status;
}

export const DEFAULTS: Readonly<
  Required<
    Pick<
      TrackerOptions,
      "base" | "pollSeconds" | "retries" | "retrySeconds" | "lostSeconds" | "stalledSeconds" | "timeoutSeconds"
    >
  >
>;

export class Tracker {
  constructor(jobId: string, options?: TrackerOptions);
  readonly jobId: string;
  readonly snapshot: Snapshot | null;
  start(): void;
  stop(): void;
  waitLonger(): void;
  /** These reject with an Error that has `status` and `body`, the problem document. */
  cancel(): Promise<Steered>;
  finish(): Promise<Steered>;
  restart(): Promise<Steered>;
}
