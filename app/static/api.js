// Requests to the service. Paths are relative to the document, so the page works behind a prefix of a proxy as well.

export const BASE = new URL(".", document.baseURI).href;
const KEY = "timetable.key";

/** What the service says when it says no; `errors` lists every problem of the input. */
export class Problem extends Error {
  constructor(status, body) {
    super(body.detail || body.title || `The service answered ${status}.`);
    this.status = status;
    this.code = body.code ?? "";
    this.errors = Array.isArray(body.errors) ? body.errors : [];
  }
}

/** The key lives as long as the tab, and never on the disk. */
export const key = {
  get: () => sessionStorage.getItem(KEY) ?? "",
  set: (text) => (text ? sessionStorage.setItem(KEY, text) : sessionStorage.removeItem(KEY)),
};

export function headers() {
  return key.get() ? { "X-API-Key": key.get() } : {};
}

/** Hears "lost" when nobody answers a request, and "found" when somebody does again. */
export const line = new EventTarget();
export const tell = (what) => line.dispatchEvent(new Event(what));

/** Is told when a key is needed, with the problem; answers with a promise that resolves when there is one. */
export const door = { onLocked: null };

let asking = null;

export async function request(path, { method = "GET", body, query, signal } = {}) {
  const url = new URL(path, BASE);
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== undefined && value !== null && value !== "") url.searchParams.set(name, value);
  }
  for (;;) {
    const used = key.get();
    const answer = await reached(url, {
      method,
      signal,
      headers: { ...headers(), ...(body === undefined ? {} : { "Content-Type": "application/json" }) },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    if (answer.ok) return answer;
    const problem = new Problem(answer.status, await answer.json().catch(() => ({})));
    if (answer.status !== 401 || !door.onLocked) throw problem;
    if (used !== key.get()) continue; // another request has got a key meanwhile
    asking ??= door.onLocked(problem).finally(() => (asking = null));
    await asking;
  }
}

async function reached(url, options) {
  try {
    const answer = await fetch(url, options);
    tell("found");
    return answer;
  } catch (error) {
    if (error.name !== "AbortError") tell("lost");
    throw error;
  }
}

export async function ask(path, options) {
  return (await request(path, options)).json();
}

const kept = new Map();

/** The same for what does not change while the page is open. A failure is not kept. */
export function askOnce(path) {
  if (!kept.has(path)) {
    const answer = ask(path);
    kept.set(path, answer);
    answer.catch(() => kept.delete(path));
  }
  return kept.get(path);
}

export const jobPath = (word, id, rest = "") => `${word}/${encodeURIComponent(id)}${rest}`;
