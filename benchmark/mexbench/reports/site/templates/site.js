"use strict";
// Sorting, filtering and copying. Without it, every page shows all that it has.

const collator = new Intl.Collator("en", { numeric: true });

/** Read a cell such as "72.22 [65.79, 78.34]", "2,664,475", "1-4" or "< 0.001"; NaN where it starts with no number. */
function number(text) {
  const found = /^(<\s*)?([+-]?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?)(?=$|\s[[/(]|-\d+$)/i.exec(text);
  return found ? Number(found[2].replaceAll(",", "")) : NaN;
}

function text(row, column) {
  return row.cells[column].textContent.trim().replace(/\s+/g, " ");
}

function sort(table, column, direction) {
  const rows = [...table.tBodies[0].rows];
  const keys = new Map(rows.map((row) => [row, text(row, column)]));
  const empty = (row) => ["-", ""].includes(keys.get(row));
  const numbers = rows.every((row) => empty(row) || !Number.isNaN(number(keys.get(row))));
  const sign = direction === "descending" ? -1 : 1;
  rows.sort((one, other) => {
    if (empty(one) || empty(other)) return empty(one) - empty(other); // last, whichever way
    const [a, b] = [keys.get(one), keys.get(other)];
    return sign * (numbers ? number(a) - number(b) : collator.compare(a, b));
  });
  table.tBodies[0].append(...rows);
  for (const head of table.tHead.rows[0].cells) head.removeAttribute("aria-sort");
  table.tHead.rows[0].cells[column].setAttribute("aria-sort", direction);
}

for (const table of document.querySelectorAll("table.sortable")) {
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      sort(table, column, head.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending");
    });
  });
}

const form = document.querySelector("form.filters");
if (form) {
  const groups = [...document.querySelectorAll(".group")];
  const filter = () => {
    const asked = Object.fromEntries(new FormData(form));
    const words = asked.text.toLowerCase().split(/\s+/);
    let all = 0;
    let shown = 0;
    for (const group of groups) {
      let here = 0;
      for (const row of group.querySelectorAll("table.rows tbody tr")) {
        const flags = JSON.parse(row.dataset.flags);
        const fits =
          (!asked.kind || row.dataset.kind === asked.kind) &&
          (!asked.model || row.dataset.model === asked.model) &&
          (!asked.flag || (asked.flag === "-" ? !flags.length : flags.includes(asked.flag))) &&
          words.every((word) => row.textContent.toLowerCase().includes(word));
        row.hidden = !fits;
        all += 1;
        here += fits;
      }
      shown += here;
      group.querySelector(".nothing").hidden = here > 0;
      group.querySelector(".scroll").hidden = here === 0;
    }
    form.querySelector("[role=status]").textContent = `${shown} of ${all} rows`;
  };
  form.addEventListener("input", filter);
  form.addEventListener("reset", () => setTimeout(filter)); // after the fields are empty
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
  filter();
}

/** Copy without the clipboard's own interface, which some browsers refuse to pages that are files. */
function copySelected(node) {
  getSelection().selectAllChildren(node);
  return document.execCommand("copy");
}

for (const button of document.querySelectorAll("button[data-copy]")) {
  const node = document.getElementById(button.dataset.copy);
  const status = button.parentElement.querySelector("[role=status]");
  button.hidden = false;
  button.addEventListener("click", async () => {
    status.textContent = "";
    let done = false;
    try {
      await navigator.clipboard.writeText(node.textContent);
      done = true;
    } catch {
      done = copySelected(node);
    }
    status.textContent = done ? "Copied." : "Not copied: select the text and copy it.";
  });
}
