// Every format of a result that the page offers, if the service has it: one line each, and nowhere else.
// `one`: it may hold the week of one group, teacher, room or student; `alone`: it never holds more. `term`: it needs the
// dates of the term. `opens`: browsers show it.

export const FORMATS = [
  { id: "xlsx", name: "Excel workbook", about: "a sheet for each group, teacher and room", one: true },
  { id: "ics", name: "Calendar", about: "iCalendar, for Outlook, Google and phones", one: true, term: true },
  { id: "html", name: "Print", about: "pages to print, or to save as PDF", one: true, opens: true },
  { id: "svg", name: "Picture", about: "one week as an SVG picture", one: true, alone: true, opens: true },
  { id: "csv", name: "CSV", about: "one line a session", one: true },
  { id: "json", name: "JSON", about: "everything, for programs", one: true },
  { id: "ctt", name: "ITC-2007 .sol", about: "the answer to a curriculum-based problem" },
  { id: "tim", name: "ITC-2007 .sln", about: "the answer to a post-enrolment problem" },
];

/** What a calendar is asked for: name in the query, what people read, kind of field. */
export const TERM = [
  ["term_start", "First day of the term", "date"],
  ["term_end", "Last day", "date"],
  ["time_zone", "Time zone", "text"],
  ["skip", "Days without sessions", "text"],
];
export const NEEDED = ["term_start", "term_end"];

/** Address of a file of a variant; `more` are further words of the query, empty ones are left out. */
export function exportPath(jobId, variant, format, more) {
  const given = Object.entries(more).filter(([, value]) => value);
  const query = new URLSearchParams([["format", format], ...given]);
  return `variants/${encodeURIComponent(jobId)}/${variant}?${query}`;
}
