"use strict";

// Under the pointer: the step, and each line's value there.
function told(value, language) {
  return new Intl.NumberFormat(language, { maximumSignificantDigits: 4 }).format(value);
}

function pairs(line) {
  return line.getAttribute("points").split(" ").map((pair) => pair.split(",").map(Number));
}

function look(figure, share) {
  const { x0, x1, y0, y1, log } = figure.dataset;
  const language = figure.closest("[lang]").lang;
  const at = share * 1000;
  const height = (y) => {
    const up = 1 - y / 1000;
    return log ? y0 * (y1 / y0) ** up : Number(y0) + up * (y1 - y0);
  };
  const outputs = figure.querySelectorAll("output.value");
  figure.querySelectorAll("polyline").forEach((line, i) => {
    const points = pairs(line);
    const near = points.find(([x]) => x >= at) ?? points.at(-1);
    outputs[i].value = told(height(near[1]), language);
  });
  figure.querySelector("output.at").value = told(Math.round(Number(x0) + share * (x1 - x0)), language);
  const cursor = figure.querySelector(".cursor");
  cursor.setAttribute("x1", at);
  cursor.setAttribute("x2", at);
  cursor.style.visibility = "visible";
}

function forget(figure) {
  for (const output of figure.querySelectorAll("output")) output.value = output.dataset.rest;
  figure.querySelector(".cursor").style.visibility = "hidden";
}

let looked = null;
document.addEventListener("pointermove", (event) => {
  const frame = event.target.closest(".frame");
  const figure = frame?.closest("figure") ?? null;
  if (looked && looked !== figure) forget(looked);
  looked = figure;
  if (!figure) return;
  const box = frame.getBoundingClientRect();
  look(figure, Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)));
});

// While the run goes on: the same page again, section by section, unless somebody points or selects.
const seconds = Number(document.body.dataset.refresh);
if (seconds) {
  setInterval(async () => {
    if (document.hidden || looked || !getSelection().isCollapsed) return;
    try {
      const answer = await fetch(location.pathname);
      if (!answer.ok) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const section of document.querySelectorAll("main > section")) {
        section.replaceChildren(...page.getElementById(section.id).childNodes);
      }
      document.title = page.title;
    } catch {
      // The server is gone; what is on the screen stays.
    }
  }, 1000 * seconds);
}
