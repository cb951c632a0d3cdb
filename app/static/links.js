// Addresses of views.

/** The address of a view of a result; `more` holds words of the query. */
export function resultsHref(jobId, tab, more = {}) {
  const given = Object.entries(more).filter(([, value]) => value !== undefined && value !== null && value !== "");
  const query = new URLSearchParams(given).toString();
  return `#/jobs/${encodeURIComponent(jobId)}/results/${tab}${query ? `?${query}` : ""}`;
}
