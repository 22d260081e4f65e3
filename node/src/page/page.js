// Asks for the parts of the page once a second, and puts in those that have changed.
"use strict";

const EVERY_MS = 1000;
const PATIENCE_MS = 5000;
const shown = new Map();
const state = document.getElementById("state");

function say(name, words) {
  document.body.dataset.state = name;
  // What is said is read aloud, so it is said once.
  if (state.textContent !== words) state.textContent = words;
}

function put(part, html) {
  // A link that has the keyboard keeps it.
  const held = part.contains(document.activeElement) ? document.activeElement.id : "";
  part.innerHTML = html;
  if (held) document.getElementById(held)?.focus({ preventScroll: true });
}

async function refresh() {
  try {
    const answer = await fetch("/live", { cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
    if (!answer.ok) throw new Error(String(answer.status));
    for (const [id, html] of Object.entries(await answer.json())) {
      const part = document.getElementById(id);
      if (part && shown.get(id) !== html) {
        put(part, html);
        shown.set(id, html);
      }
    }
    say("live", "live");
  } catch {
    // Nobody answers, for now or for good; the page shows what it knew, and says so.
    say("away", state.dataset.away);
  }
  setTimeout(refresh, EVERY_MS);
}

refresh();
