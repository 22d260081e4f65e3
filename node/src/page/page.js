// Asks the node for the parts of its page once a second, and puts in those that have changed.
"use strict";

const EVERY_MS = 1000;
const PATIENCE_MS = 5000;
const shown = new Map();

async function refresh() {
  try {
    const answer = await fetch("/live", { cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
    if (!answer.ok) throw new Error(String(answer.status));
    for (const [id, html] of Object.entries(await answer.json())) {
      const part = document.getElementById(id);
      if (part && shown.get(id) !== html) {
        part.innerHTML = html;
        shown.set(id, html);
      }
    }
    document.body.dataset.state = "live";
  } catch {
    // The node is stopped or starts again; the page shows what it knew, and says so.
    document.body.dataset.state = "away";
  }
  setTimeout(refresh, EVERY_MS);
}

refresh();
