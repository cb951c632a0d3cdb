// Choosing one of thousands: a text field with a list below it, as the ARIA practices describe a combobox.

import { html, useEffect, useMemo, useRef, useState } from "./parts.js";
import { number } from "./words.js";

const SHOWN = 60;
const PAUSE = 150;

/** Rows are `[id, name, about]`. Names that begin with the text come before those that merely contain it. */
export function matching(rows, text) {
  const wanted = text.trim().toLowerCase();
  if (!wanted) return rows;
  const rank = ([id, name, about]) => {
    const [low, code] = [name.toLowerCase(), id.toLowerCase()];
    if (low.startsWith(wanted) || code.startsWith(wanted)) return 0;
    if (low.includes(wanted) || code.includes(wanted)) return 1;
    return about.toLowerCase().includes(wanted) ? 2 : 3;
  };
  const ranked = rows.map((row) => [rank(row), row]).filter(([r]) => r < 3);
  return ranked.sort((a, b) => a[0] - b[0]).map(([, row]) => row);
}

/** `find(text)` answers with `{rows, found}`, at once or as a promise. */
export function Pick({ label, chosen, find, onPick, stamp }) {
  const [text, setText] = useState(null); // null: not being searched, the choice is shown
  const [answer, setAnswer] = useState({ rows: [], found: 0 });
  const [at, setAt] = useState(0);
  const field = useRef(null);
  const list = useRef(null);
  const open = text !== null;

  useEffect(() => {
    if (!open) return undefined;
    let stale = false;
    const timer = setTimeout(async () => {
      const found = await find(text);
      if (!stale) {
        setAnswer(found);
        setAt(0);
      }
    }, text ? PAUSE : 0);
    return () => {
      stale = true;
      clearTimeout(timer);
    };
  }, [text, stamp]);
  useEffect(() => list.current?.children[at]?.scrollIntoView({ block: "nearest" }), [at]);

  const rows = useMemo(() => answer.rows.slice(0, SHOWN), [answer]);
  const take = (row) => {
    setText(null);
    onPick(row[0]);
    field.current?.blur();
  };
  const keys = {
    ArrowDown: () => setAt(Math.min(at + 1, rows.length - 1)),
    ArrowUp: () => setAt(Math.max(at - 1, 0)),
    Enter: () => open && rows[at] && take(rows[at]),
    Escape: () => setText(null),
  };
  return html`
    <div class="pick">
      <input ref=${field} type="text" role="combobox" aria-label=${label} aria-expanded=${open} aria-controls="pick-list"
        aria-autocomplete="list" aria-activedescendant=${open && rows[at] ? `pick-${at}` : undefined} autocomplete="off"
        spellcheck="false" placeholder=${label} value=${open ? text : (chosen ?? "")}
        onFocus=${() => setText("")} onClick=${() => open || setText("")} onInput=${(event) => setText(event.target.value)} onBlur=${() => setText(null)}
        onKeyDown=${(event) => {
          if (!keys[event.key]) return;
          event.preventDefault();
          if (!open && event.key !== "Escape") setText("");
          else keys[event.key]();
        }} />
      ${open && html`
        <div class="pick-drop">
          <div role="listbox" id="pick-list" aria-label=${label} ref=${list}>
            ${rows.map(
              (row, i) => html`<div role="option" id=${`pick-${i}`} aria-selected=${i === at}
                onMouseDown=${(event) => {
                  event.preventDefault();
                  take(row);
                }}><span class="pick-name">${row[1]}</span><span class="pick-about">${[row[0] === row[1] ? "" : row[0], row[2]].filter(Boolean).join(" · ")}</span></div>`,
            )}
          </div>
          <p class="pick-foot">${answer.found === 0 ? "No match" : answer.found > rows.length ? `${number(rows.length)} of ${number(answer.found)}; keep typing to narrow it down` : `${number(answer.found)} found`}</p>
        </div>`}
    </div>
  `;
}
