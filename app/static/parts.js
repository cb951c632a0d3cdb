// The small parts that every view is made of.

import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "./vendor/preact-htm.js";
import { ask } from "./api.js";
import { capital } from "./words.js";

export { html, useEffect, useLayoutEffect, useMemo, useRef, useState };

/** Asks the service when `path` changes; `null` asks nothing. What came before stays until the answer is there. */
export function useAsk(path, query) {
  const [state, setState] = useState({ data: null, error: null, loading: path !== null });
  const [round, setRound] = useState(0);
  const asked = `${path} ${JSON.stringify(query ?? {})}`;
  useEffect(() => {
    if (path === null) return undefined;
    const stop = new AbortController();
    setState((before) => ({ ...before, error: null, loading: true }));
    ask(path, { query, signal: stop.signal }).then(
      (data) => setState({ data, error: null, loading: false }),
      (error) => stop.signal.aborted || setState({ data: null, error, loading: false }),
    );
    return () => stop.abort();
  }, [asked, round]);
  return { ...state, again: () => setRound(round + 1) };
}

export function useMedia(query) {
  const media = useMemo(() => matchMedia(query), [query]);
  const [matches, setMatches] = useState(media.matches);
  useEffect(() => {
    const told = () => setMatches(media.matches);
    media.addEventListener("change", told);
    return () => media.removeEventListener("change", told);
  }, [media]);
  return matches;
}

export const usePhone = () => useMedia("(max-width: 719px)");

export const Badge = ({ kind = "calm", children, title }) =>
  html`<span class=${`badge ${kind}`} title=${title}>${children}</span>`;

export const Card = ({ title, aside, children, class: name = "", level = 2 }) => html`
  <section class=${`card ${name}`}>
    ${title && html`<header class="card-head"><${`h${level}`}>${title}<//>${aside && html`<div class="aside">${aside}</div>`}</header>`}
    ${children}
  </section>
`;

export const Tile = ({ name, value, note, kind = "" }) => html`
  <div class=${`tile ${kind}`}><dt>${name}</dt><dd>${value}</dd>${note && html`<dd class="note">${note}</dd>`}</div>
`;
export const Tiles = ({ children }) => html`<dl class="tiles">${children}</dl>`;

export const Waiting = ({ children = "Loading" }) =>
  html`<p class="waiting" role="status"><span class="spinner" aria-hidden="true"></span>${children}</p>`;

export const Empty = ({ title, children }) => html`<div class="empty"><p class="empty-title">${title}</p>${children}</div>`;

/** What went wrong, with every problem of an input. */
export const Trouble = ({ error, again }) => html`
  <div class="note-box bad" role="alert">
    ${!repeats(error) && html`<p>${error.name === "TypeError" ? "The service cannot be reached." : capital(error.message)}</p>`}
    ${error.errors?.length > 0 && html`<${Issues} issues=${error.errors} />`}
    ${again && html`<button class="button small" onClick=${again}>Try again</button>`}
  </div>
`;

/** Of a single problem the summary says the same once more. */
const repeats = ({ errors = [], message }) => errors.length === 1 && message.includes(errors[0].message);

const SHOWN_ISSUES = 100;
/** Pointers to a whole file, which tell people nothing that they do not see. */
const ALL_OF_IT = new Set([undefined, "", "/content", "/dataset"]);

export const Issues = ({ issues }) => html`
  <${ScrollBox} tag="ul" role="list" label="Problems" class="issues">
    ${issues.slice(0, SHOWN_ISSUES).map(
      (issue) => html`<li>${!ALL_OF_IT.has(issue.pointer) && html`<code>${issue.pointer}</code> `}${issue.message}</li>`,
    )}
  <//>
`;

export const Bar = ({ percent, label, kind = "" }) => html`
  <div class=${`bar ${kind}`} role="progressbar" aria-label=${label} aria-valuemin="0" aria-valuemax="100"
    aria-valuenow=${Math.floor(percent)}><div style=${{ width: `${percent}%` }}></div></div>
`;

/** One of a few; `options` are [value, text]. */
export const Choice = ({ label, value, options, onChange }) => html`
  <div class="choice" role="group" aria-label=${label}>
    ${options.map(
      ([id, text]) =>
        html`<button type="button" aria-pressed=${id === value} onClick=${() => onChange(id)}>${text}</button>`,
    )}
  </div>
`;

export const Select = ({ label, value, options, onChange, hidden = false }) => html`
  <label class="field inline"><span class=${hidden ? "unseen" : ""}>${label}</span>
    <select value=${value} onChange=${(event) => onChange(event.target.value)}>
      ${options.map(([id, text]) => html`<option value=${id} selected=${String(id) === String(value)}>${text}</option>`)}
    </select>
  </label>
`;

export const Search = ({ label, value, onInput, placeholder = label }) => html`
  <label class="field inline search"><span class="unseen">${label}</span>
    <input type="search" value=${value} placeholder=${placeholder} onInput=${(event) => onInput(event.target.value)} />
  </label>
`;

/** The browser's own modal dialog, which keeps the focus inside and hears Escape. */
export function Dialog({ title, onClose, children, class: name = "", actions }) {
  const [box, more, look] = useMore();
  const close = useRef(null);
  close.current = onClose;
  useEffect(() => {
    const dialog = box.current;
    dialog.showModal();
    // A second Escape closes a dialog without asking: browsers let no page hold people fast.
    dialog.onclose = () => (close.current ? close.current() : dialog.showModal());
    return () => {
      dialog.onclose = null;
      dialog.close();
    };
  }, []);
  return html`
    <dialog ref=${box} class=${`${name} ${more}`} onScroll=${look} aria-labelledby="dialog-title" onCancel=${(event) => {
      event.preventDefault();
      onClose?.();
    }} onClick=${(event) => event.target === box.current && onClose?.()}>
      <div class="dialog-body">
        <header class="dialog-head"><h2 id="dialog-title">${title}</h2>
          ${onClose && html`<button class="button quiet" aria-label="Close" onClick=${onClose}>✕</button>`}
        </header>
        ${children}
        ${actions && html`<footer class="dialog-foot">${actions}</footer>`}
      </div>
    </dialog>
  `;
}

/** A box whose content may be wider or higher than it is: its edges show where there is more. */
export function ScrollBox({ label, class: name = "", role = "region", tag = "div", children }) {
  const [box, more, look] = useMore();
  return html`<div class=${`scroll ${more}`}><${tag} ref=${box} class=${name} tabindex="0" role=${role} aria-label=${label} onScroll=${look}>${children}<//></div>`;
}

/** Towards which edges a box can be scrolled, as words of a class: `[ref, words, look again]`. `shown` changes when there is a box. */
export function useMore(shown) {
  const box = useRef(null);
  const [more, setMore] = useState("");
  const look = () => {
    if (!box.current) return;
    const { scrollLeft, scrollTop, scrollWidth, scrollHeight, clientWidth, clientHeight } = box.current;
    const towards = { left: scrollLeft > 2, right: scrollWidth - clientWidth - scrollLeft > 2, up: scrollTop > 2, down: scrollHeight - clientHeight - scrollTop > 2 };
    setMore(Object.keys(towards).filter((edge) => towards[edge]).map((edge) => `more-${edge}`).join(" "));
  };
  useEffect(() => {
    if (!box.current) return undefined;
    const resized = new ResizeObserver(look);
    for (const part of [box.current, ...box.current.children]) resized.observe(part);
    return () => resized.disconnect();
  }, [shown]);
  useEffect(look); // what is inside may have become longer
  return [box, more, look];
}

const BEYOND = 8;

/** Thousands of rows, of which only those in sight exist. All rows are `row` pixels high. */
export function LongList({ items, row, label, render, most = 520, pick }) {
  const [box, more, look] = useMore();
  const [top, setTop] = useState(0);
  useLayoutEffect(() => {
    if (box.current) box.current.scrollTop = 0;
    setTop(0);
  }, [items]);
  useEffect(() => {
    if (pick >= 0 && box.current) {
      const { scrollTop, clientHeight } = box.current;
      if (pick * row < scrollTop) box.current.scrollTop = pick * row;
      else if ((pick + 1) * row > scrollTop + clientHeight) box.current.scrollTop = (pick + 1) * row - clientHeight;
    }
  }, [pick]);
  const first = Math.max(0, Math.floor(top / row) - BEYOND);
  const last = Math.min(items.length, Math.ceil((top + most) / row) + BEYOND);
  const height = Math.min(most, items.length * row);
  return html`<div class=${`scroll ${more}`}>
    <div class="long" ref=${box} tabindex="0" role="list" aria-label=${label} style=${{ height: `${height + 2}px` }}
      onScroll=${(event) => {
        setTop(event.currentTarget.scrollTop);
        look();
      }}>
      <div role="presentation" class="long-inner" style=${{ height: `${items.length * row}px` }}>
        ${items.slice(first, last).map(
          (item, i) => html`<div class="long-row" role="listitem" aria-setsize=${items.length} aria-posinset=${first + i + 1}
            key=${first + i} style=${{ height: `${row}px`, transform: `translateY(${(first + i) * row}px)` }}>
            ${render(item, first + i)}
          </div>`,
        )}
      </div>
    </div></div>
  `;
}
