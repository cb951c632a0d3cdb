// A question before a job is deleted for good.

import { Dialog, Trouble, html, useState } from "../parts.js";
import { jobPath, request } from "../api.js";

export function DeleteJob({ jobId, onDone, onClose }) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(null);
  const remove = async () => {
    setBusy(true);
    setError(null);
    try {
      await request(jobPath("jobs", jobId), { method: "DELETE" });
      onDone();
    } catch (problem) {
      setError(problem);
      setBusy(false);
    }
  };
  return html`<${Dialog} title="Delete this job?" onClose=${onClose} actions=${html`
      <button class="button danger" disabled=${busy} onClick=${remove}>${busy ? "Deleting" : "Delete it"}</button>
      <button class="button" autofocus onClick=${onClose}>Keep it</button>`}>
    <p class="long-name">The job <strong>${jobId}</strong> will be deleted with its data and all of its timetables. This cannot be undone.</p>
    ${error && html`<${Trouble} error=${error} />`}
  <//>`;
}
