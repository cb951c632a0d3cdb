// How things are called and written for people. Everything that is said twice on the page stands here once.

const whole = new Intl.NumberFormat("en");
export const number = (value) => (value === null || value === undefined ? "–" : whole.format(value));
export const percent = (value, digits = 1) =>
  value === null || value === undefined ? "–" : `${Number(value).toFixed(digits).replace(/\.0+$/, "")}\u00a0%`;
export const counted = (count, noun, plural = `${noun}s`) => `${number(count)} ${count === 1 ? noun : plural}`;
export const plain = (id) => String(id ?? "").replaceAll("_", " ");
export const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s}\u00a0s`;
  if (s < 3600) return `${Math.floor(s / 60)}\u00a0min ${String(s % 60).padStart(2, "0")}\u00a0s`;
  return `${Math.floor(s / 3600)}\u00a0h ${String(Math.floor((s % 3600) / 60)).padStart(2, "0")}\u00a0min`;
}

const moment = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
export const at = (seconds) => (seconds ? moment.format(new Date(seconds * 1000)) : "–");

export const STATUS = {
  queued: ["Waiting", "calm"],
  running: ["Running", "accent"],
  completed: ["Completed", "good"],
  failed: ["Failed", "bad"],
  cancelled: ["Cancelled", "warn"],
};
export const TERMINAL = new Set(["completed", "failed", "cancelled"]);

/** Our own stages in their order, gathered to what a person can follow. */
export const STEPS = [
  { name: "Read", stages: ["load", "validate"], about: "reads and checks the data" },
  { name: "Context", stages: ["context"], about: "weighs times and places" },
  { name: "First timetable", stages: ["construct"], about: "secures an answer" },
  { name: "Search", stages: ["search"], about: "improves it" },
  { name: "Exact", stages: ["exact"], about: "proves a bound" },
  { name: "Variants", stages: ["variants"], about: "makes alternatives" },
  { name: "Verify", stages: ["verify", "store"], about: "recounts every rule" },
];

export const RUNGS = {
  full: ["Full", "Every session is placed and every hard rule holds."],
  relaxed: ["Relaxed", "Every session is placed; some bendable rules are bent, each breach is listed."],
  greedy: ["Greedy", "Placed in seconds without the exact solver; what does not fit is listed."],
  reduced: ["Reduced", "The priority core first, the rest in growing batches."],
  manual: ["Manual", "The best partial timetable, and a work list for people."],
};

export const QUALITY = {
  optimal: ["Proved optimal", "good"],
  feasible: ["Every hard rule holds", "good"],
  relaxed: ["Some rules bent", "warn"],
  partial: ["Sessions left open", "bad"],
};

export const STOPPED = {
  proved: "nothing better exists",
  deadline: "time was up",
  stalled: "it found nothing better for long",
  cancelled: "it was cancelled",
  finished_early: "somebody asked to finish",
  memory: "memory ran out",
  crash: "a process was lost",
};

export const HEALTH = { ok: ["Working", "good"], slow: ["Slow", "warn"], stalled: ["Stalled", "bad"] };

export const EVIDENCE = {
  certificate: "Proved by counting",
  two_solves: "Shown by two different exact solves",
  one_solve: "Shown by one exact solve",
};

/** Metrics of a variant for people: field of `quality_metrics`, name, whether more is better, how it is written. */
export const METRICS = [
  ["overall_score", "Score", 1, percent],
  ["quality_index", "Soft rules kept", 1, (value) => percent(100 * value)],
  ["placed_percent", "Sessions placed", 1, percent],
  ["double_bookings", "Double bookings", -1, number],
  ["student_compactness_score", "Compact days", 1, percent],
  ["faculty_satisfaction", "Teachers' wishes", 1, percent],
  ["workload_balance_score", "Balanced workload", 1, percent],
  ["room_utilization", "Room use", 0, percent],
  ["seat_fill", "Seats filled", 1, percent],
];

export const OF = {
  group: ["Group", "groups"],
  teacher: ["Teacher", "teachers"],
  room: ["Room", "rooms"],
  student: ["Student", "students"],
};

/** "Monday 08:00" of a slot. */
export function slotName(grid, slot) {
  if (slot === null || slot === undefined) return "no place";
  const per = grid.periods.length;
  return `${grid.days[Math.floor(slot / per)]} ${grid.periods[slot % per].start}`;
}
