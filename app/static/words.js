// How things are called and written for people. Everything that is said twice on the page stands here once.

const whole = new Intl.NumberFormat("en");
export const number = (value) => (value === null || value === undefined ? "–" : whole.format(value));
export const percent = (value, digits = 1) =>
  value === null || value === undefined ? "–" : `${Number(value).toFixed(digits).replace(/\.0+$/, "")}%`;
export const counted = (count, noun, plural = `${noun}s`) => `${number(count)} ${count === 1 ? noun : plural}`;
/** "5 extra rooms": what was counted of a rule, a concession, or an offence, which all bring their words along. */
export const amount = ({ unit, units }, count) => counted(count, unit, units);
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

/** The colour of a job: one that is completed is as good as what came out of it, as counted on the original rules. */
export function kindOf(status, levels) {
  if (status !== "completed" || !levels) return STATUS[status][1];
  return levels.unplaced ? "bad" : levels.bent ? "warn" : "good";
}
export const TERMINAL = new Set(["completed", "failed", "cancelled"]);

/** Our own stages in their order, gathered to what a person can follow. */
export const STEPS = [
  { name: "Read", stages: ["load", "validate"], about: "Reads and checks the data" },
  { name: "Prepare", stages: ["context"], about: "Weighs up times and places" },
  { name: "First timetable", stages: ["construct"], about: "Makes sure that there is an answer" },
  { name: "Improve", stages: ["search"], about: "Improves the timetable" },
  { name: "Prove", stages: ["exact"], about: "Proves how good a timetable can be" },
  { name: "Variants", stages: ["variants"], about: "Makes alternatives to choose from" },
  { name: "Check", stages: ["verify", "store"], about: "Counts every rule again" },
];

export const RUNGS = {
  full: ["Full", "Every session is placed and every hard rule is kept."],
  relaxed: ["Relaxed", "Every session is placed. Some rules that may bend are bent, and each breach is listed."],
  greedy: ["Greedy", "Placed within seconds, without the exact solver. Whatever does not fit is listed."],
  reduced: ["Reduced", "The most important courses were placed first, the rest in growing batches."],
  manual: ["Manual", "The best partial timetable, with a work list for people."],
};

export const QUALITY = {
  optimal: ["Best possible, proved", "good"],
  feasible: ["Every hard rule kept", "good"],
  relaxed: ["Some rules bent", "warn"],
  partial: ["Sessions without a place", "bad"],
};

export const STOPPED = {
  proved: "nothing better exists",
  deadline: "time ran out",
  stalled: "nothing better had been found for a long time",
  cancelled: "it was cancelled",
  finished_early: "someone asked it to finish",
  memory: "memory ran out",
  crash: "a process ended unexpectedly",
};

export const HEALTH = { ok: ["Working", "good"], slow: ["Slow", "warn"], stalled: ["Stalled", "bad"] };

export const EVIDENCE = {
  certificate: "Proved by counting",
  two_solves: "Confirmed by two different exact searches",
  one_solve: "Found by one exact search",
};

/** Metrics of a variant for people: field of `quality_metrics`, name, whether more is better, how it is written. */
export const METRICS = [
  ["overall_score", "Score", 1, percent],
  ["placed_percent", "Sessions placed", 1, percent],
  ["double_bookings", "Double bookings", -1, number],
  ["student_compactness_score", "Days without gaps", 1, percent],
  ["faculty_satisfaction", "Teachers' wishes met", 1, percent],
  ["workload_balance_score", "Even workload", 1, percent],
  ["room_utilization", "Rooms in use", 0, percent],
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
  if (slot === null || slot === undefined) return "not placed";
  const per = grid.periods.length;
  const day = Math.floor(slot / per);
  return `${grid.days[day]} ${grid.bells[day][slot % per].start}`;
}

const dates = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "long", year: "numeric", timeZone: "UTC" });

/** A date like 2026-09-07 in words: 7 September 2026. */
export const dateName = (text) => dates.format(new Date(`${text}T00:00:00Z`));

/** What is said of a term: from when to when it lasts, which days are free, and which follow another day's plan. */
export function termLines({ first_day: first, last_day: last, weeks, holidays, moved_days: moved }) {
  const span = first ? `${dateName(first)} to ${dateName(last)}, ` : "";
  const free = holidays.map((one) => `${one.name ? `${one.name} ` : ""}${dateName(one.first)}${one.last === one.first ? "" : ` to ${dateName(one.last)}`}`);
  const plans = Object.entries(moved).map(([day, name]) => `${dateName(day)} (as on ${name})`);
  return [`${span}${counted(weeks, "week")}`, free.length ? `no sessions: ${free.join(", ")}` : "", plans.length ? `moved: ${plans.join(", ")}` : ""].filter(Boolean);
}

/** Whether the day has such a period: days may differ in length. */
export const hasPeriod = (grid, day, period) => period < grid.bells[day].length;

/** The clock times of a period, null where days that have it differ in them. */
export function commonTimes(grid, period) {
  const [first, ...others] = grid.bells.filter((bells) => period < bells.length).map((bells) => bells[period]);
  return others.every(({ start, end }) => start === first.start && end === first.end) ? first : null;
}

/** What stands at the head of a row: when it begins, or else its number. */
export const rowHead = (grid, period) => commonTimes(grid, period)?.start ?? `${period + 1}`;
