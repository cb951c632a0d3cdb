// The shell: which view an address means, the frame around it, theme, keys.

import { render } from "./vendor/preact-htm.js";
import { Dialog, Waiting, html, useEffect, useState } from "./parts.js";
import { ask, door, key, line } from "./api.js";
import { Start } from "./views/start.js";

/** Pattern, view, title of the document, names of what the pattern catches. Views other than the first are loaded when they are gone to. */
const ROUTES = [
  [/^\/$/, () => Start, "New timetable"],
  [/^\/jobs$/, () => import("./views/jobs.js").then((view) => view.Jobs), "Jobs"],
  [/^\/jobs\/([^/]+)$/, () => import("./views/job.js").then((view) => view.JobPage), "Timetable", ["jobId"]],
  [
    /^\/jobs\/([^/]+)\/results(?:\/([a-z]+))?$/,
    () => import("./views/results.js").then((view) => view.Results),
    "Timetable",
    ["jobId", "tab"],
  ],
];

/** A word of an address; one that nobody encoded stands for itself. */
function decoded(word) {
  try {
    return decodeURIComponent(word);
  } catch {
    return word;
  }
}

/** `#/jobs/x/results/week?variant=2` as a path and its words. */
function address() {
  const [path, query = ""] = (location.hash.slice(1) || "/").split("?");
  return { path, query: Object.fromEntries(new URLSearchParams(query)) };
}

function useAddress() {
  const [state, setState] = useState(address);
  useEffect(() => {
    const told = () => setState(address());
    addEventListener("hashchange", told);
    return () => removeEventListener("hashchange", told);
  }, []);
  return state;
}

function Page() {
  const { path, query } = useAddress();
  const [view, setView] = useState({ path: null });
  const [locked, setLocked] = useState(null);
  useEffect(() => {
    door.onLocked = (problem) => new Promise((resolve) => setLocked({ problem, resolve }));
  }, []);
  useEffect(() => {
    let stale = false;
    const [pattern, load, title, names = []] = ROUTES.find(([candidate]) => candidate.test(path)) ?? ROUTES[0];
    const words = pattern.exec(path)?.slice(1) ?? [];
    const given = Object.fromEntries(names.map((name, i) => [name, words[i] && decoded(words[i])]));
    const show = (Component) => stale || setView({ path, Component, given });
    document.title = [given.tab, given.jobId, title].filter(Boolean).join(" · ");
    const loading = load();
    if (loading instanceof Promise) loading.then(show, () => show(Broken));
    else show(loading);
    return () => (stale = true);
  }, [path]);
  // Where the link that was followed is gone with its view, whoever goes by keyboard begins with the new one.
  useEffect(() => {
    if (view.path !== null && document.activeElement === document.body) document.getElementById("main").focus({ preventScroll: true });
  }, [view.path]);
  const { Component } = view;
  return html`
    <a class="skip" href="#main" onClick=${(event) => {
      event.preventDefault();
      document.getElementById("main").focus();
    }}>Skip to content</a>
    <${Top} path=${path} />
    <main id="main" tabindex="-1">${Component ? html`<${Component} ...${view.given} query=${query} />` : html`<${Waiting} />`}</main>
    ${locked && html`<${AskForKey} problem=${locked.problem} onKey=${(text) => {
      key.set(text);
      setLocked(null);
      locked.resolve();
    }} />`}
  `;
}

const Broken = () => html`<div class="note-box bad" role="alert">
  <p>This part of the page could not be loaded. The service may be restarting.</p>
  <button class="button small" onClick=${() => location.reload()}>Load again</button>
</div>`;

const LINKS = [
  ["#/", "New timetable", (path) => path === "/"],
  ["#/jobs", "Jobs", (path) => path.startsWith("/jobs")],
  ["help", "Help", () => false],
];

const Top = ({ path }) => html`
  <header class="top">
    <a class="brand" href="#/" aria-label="Timetable"><${Mark} /><span>Timetable</span></a>
    <nav aria-label="Main">
      ${LINKS.map(([href, text, here]) => html`<a href=${href} aria-current=${here(path) ? "page" : undefined}>${text}</a>`)}
    </nav>
    <div class="top-end"><${Service} /><${Theme} /></div>
  </header>
`;

const Mark = () => html`<svg class="mark" viewBox="0 0 32 32" aria-hidden="true"><rect width="32" height="32" rx="7" /><g>
  <path d="M7 7h5v8H7zM20 7h5v11h-5zM13.5 14h5v11h-5z" /><path opacity=".55" d="M13.5 7h5v5h-5zM7 17h5v8H7zM20 20h5v5h-5z" /></g></svg>`;

const LOOK_SECONDS = 15;
const SOON_SECONDS = 3;

/** Whether jobs are taken at the moment. Any request of the page that nobody answers shows at once. */
function Service() {
  const [state, setState] = useState("");
  useEffect(() => {
    let timer = null;
    const saw = (seen) => {
      setState(seen);
      clearTimeout(timer);
      timer = setTimeout(look, (seen === "ready" ? LOOK_SECONDS : SOON_SECONDS) * 1000);
    };
    const look = () => ask("health/ready").then(() => saw("ready"), (error) => saw(error.status ? "not ready" : "unreachable"));
    const lost = () => setState("unreachable");
    const found = () => setState((before) => (before === "unreachable" ? "ready" : before));
    look();
    line.addEventListener("lost", lost);
    line.addEventListener("found", found);
    return () => {
      clearTimeout(timer);
      line.removeEventListener("lost", lost);
      line.removeEventListener("found", found);
    };
  }, []);
  return html`<span class=${`service ${state.replace(" ", "-")}`} role="status" title=${`The service is ${state || "being asked"}`}>
    <span class="dot" aria-hidden="true"></span><span class="service-text">${state && `Service ${state}`}</span></span>`;
}

const THEMES = { "": ["System", "◐"], light: ["Light", "☀"], dark: ["Dark", "☾"] };

function Theme() {
  const [theme, setTheme] = useState(document.documentElement.dataset.theme ?? "");
  const next = { "": "light", light: "dark", dark: "" }[theme];
  const change = () => {
    if (next) {
      document.documentElement.dataset.theme = next;
      localStorage.setItem("timetable.theme", next);
    } else {
      delete document.documentElement.dataset.theme;
      localStorage.removeItem("timetable.theme");
    }
    setTheme(next);
  };
  const [name, sign] = THEMES[theme];
  return html`<button class="button quiet theme" onClick=${change} aria-label=${`Theme: ${name}. Change to ${THEMES[next][0]}`}
    title=${`Theme: ${name}`}><span aria-hidden="true">${sign}</span></button>`;
}

function AskForKey({ problem, onKey }) {
  const [text, setText] = useState("");
  return html`<${Dialog} title="This service asks for a key">
    <form class="stack" method="dialog" onSubmit=${(event) => {
      event.preventDefault();
      if (text.trim()) onKey(text.trim());
    }}>
      <p>${problem.message}</p>
      <label class="field"><span>API key</span>
        <input type="password" autocomplete="off" autofocus value=${text} onInput=${(event) => setText(event.target.value)} /></label>
      <p class="muted">It is kept in this tab only, until you close it. Whoever runs the service can make one with <code>timetable keys add</code>.</p>
      <div class="row end"><button class="button primary" disabled=${!text.trim()}>Use this key</button></div>
    </form>
  <//>`;
}

const root = document.getElementById("page");
root.textContent = "";
render(html`<${Page} />`, root);
