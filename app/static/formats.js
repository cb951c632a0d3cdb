// Every format of a result that the page offers, if the service has it: one line each, and nowhere else.

export const FORMATS = [
  { id: "xlsx", name: "Excel workbook", about: "a sheet for each group, teacher and room", one: true },
  { id: "ics", name: "Calendar", about: "iCalendar, for Outlook, Google and phones", one: true },
  { id: "html", name: "Print", about: "pages to print, or to save as PDF", one: true, opens: true },
  { id: "svg", name: "Picture", about: "a week as an SVG picture", one: true, only: true },
  { id: "csv", name: "CSV", about: "one line a session", one: true },
  { id: "json", name: "JSON", about: "everything, for programs" },
  { id: "ctt", name: "ITC-2007 solution", about: "for the competition's validator" },
];

/** Address of a file: a variant, and perhaps the one group, teacher, room or student it is about. */
export function exportPath(jobId, variant, format, of, id) {
  const query = new URLSearchParams({ format });
  if (of && id) query.set(of, id);
  return `variants/${encodeURIComponent(jobId)}/${variant}?${query}`;
}
