// The page: a conversation on the left, the documents behind its words on the right.
//
// Everything that comes from outside (answers, documents, the operator's notes) reaches the page as text
// nodes, never as HTML. Offsets from the server count code points; JavaScript's strings count UTF-16 units,
// so answers are cut as arrays of code points.

const MIN_WORDS = 8;
const HUES = 6; // colours for sources; hue-6 is the neutral one
const ROWS = [12, 15, 18, 21, 24]; // seats of the chamber, from the inner row; evenly far apart

const $ = (id) => document.getElementById(id);
const state = {
  texts: null,
  language: document.documentElement.lang,
  project: null,
  token: "",
  turns: [], // {prompt, answer, note, trace, status, error, parts}
  shown: null, // the turn whose sources are shown
  open: null, // the span that is open
  running: null, // AbortController of the answer under way
  opener: null, // where the focus returns to
};

// ---- words -------------------------------------------------------------------------------------------

function say(key, values = {}) {
  return state.texts[state.language][key].replace(/\{(\w+)\}/g, (_, name) => String(values[name]));
}

function count(key, n) {
  const form = new Intl.PluralRules(state.language).select(n) === "one" ? "one" : "other";
  return say(`${key}_${form}`, { n: n.toLocaleString(state.language) });
}

/** A text of the operator's: a string, or one a language. */
function told(text) {
  if (text && typeof text === "object") return String(text[state.language] ?? text.fr ?? text.en ?? "");
  return text === null || text === undefined ? "" : String(text);
}

/** A date as far as it is known: 1889, 1889-03 or a day. */
function day(date) {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(date)) return date;
  return new Date(`${date}T00:00:00Z`).toLocaleDateString(state.language, { dateStyle: "long", timeZone: "UTC" });
}

// ---- building ----------------------------------------------------------------------------------------

/** An element with attributes and children; strings become text nodes. */
function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "on") for (const [event, listener] of Object.entries(value)) node.addEventListener(event, listener);
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return node;
}

/** An element whose words change with the language. */
const words = (tag, key, attributes = {}) => el(tag, { ...attributes, "data-text": key }, say(key));

const SVG = "http://www.w3.org/2000/svg";

/** Seats of a chamber, filled from the left: `groups` is [class, seats] in order. */
function chamber(svg, groups) {
  const seats = [];
  const dr = 17;
  ROWS.forEach((n, row) => {
    const r = 62 + row * dr;
    for (let i = 0; i < n; i++) {
      const angle = Math.PI * (1 - i / (n - 1));
      seats.push({ angle, row, x: 140 + r * Math.cos(angle), y: 136 - r * Math.sin(angle) });
    }
  });
  seats.sort((a, b) => b.angle - a.angle || a.row - b.row);
  const classes = groups.flatMap(([name, n]) => Array(n).fill(name));
  svg.setAttribute("viewBox", "0 0 280 146");
  svg.replaceChildren(
    ...seats.map((seat, i) => {
      const circle = document.createElementNS(SVG, "circle");
      circle.setAttribute("cx", seat.x.toFixed(1));
      circle.setAttribute("cy", seat.y.toFixed(1));
      circle.setAttribute("r", "5.6");
      if (classes[i]) circle.setAttribute("class", classes[i]);
      return circle;
    }),
  );
  return svg;
}

const SEATS = ROWS.reduce((sum, n) => sum + n, 0);

// ---- the server --------------------------------------------------------------------------------------

class Refused extends Error {
  constructor(status, message, wait) {
    super(message);
    this.status = status;
    this.wait = wait;
  }
}

async function ask(path, body, signal) {
  const headers = { "Content-Type": "application/json" };
  if (state.token) headers.Authorization = `Bearer ${state.token}`;
  let response;
  try {
    response = await fetch(path, { method: body ? "POST" : "GET", headers, body: body && JSON.stringify(body), signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0, "");
  }
  if (response.ok) return response;
  const told = await response.json().catch(() => null);
  throw new Refused(response.status, told?.error?.message ?? "", Number(response.headers.get("Retry-After")) || 5);
}

function explain(error) {
  if (error.status === 0) return say("error_offline");
  if (error.status === 503) return say("error_busy", { n: error.wait });
  return [say("error"), error.message].filter(Boolean).join(" ");
}

/** The events of a stream, as JSON values, until [DONE]. */
async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    rest += value;
    const lines = rest.split("\n\n");
    rest = lines.pop();
    for (const line of lines) {
      if (line === "data: [DONE]") return;
      if (line.startsWith("data: ")) yield JSON.parse(line.slice(6));
    }
  }
}

// ---- the conversation --------------------------------------------------------------------------------

async function send(prompt) {
  const turn = { prompt, answer: "", note: null, trace: null, status: "writing", error: null, parts: {} };
  state.turns.push(turn);
  drawTurn(turn);
  show(turn);
  const running = (state.running = new AbortController());
  drawComposer();
  try {
    const response = await ask(
      "v1/chat/completions",
      {
        model: state.project.model.id,
        messages: messages(),
        temperature: Number($("temperature").value),
        max_tokens: Number($("length").value),
        truncate_prompt_tokens: -1,
        stream: true,
      },
      running.signal,
    );
    const text = turn.parts.written.appendChild(document.createTextNode(""));
    for await (const event of events(response)) {
      if (event.error) throw new Refused(500, event.error.message);
      const choice = event.choices[0];
      if (choice?.delta.content) {
        const follow = nearEnd();
        turn.answer += choice.delta.content;
        text.appendData(choice.delta.content);
        if (follow) toEnd();
      }
      if (choice?.finish_reason === "length") turn.note = "cut";
    }
    if (!turn.answer.trim()) turn.note = "nothing";
  } catch (error) {
    if (error.name === "AbortError") turn.note = "stopped";
    else turn.error = error;
    if (error.status === 401) gate(true);
  }
  state.running = null;
  drawComposer();
  await lookUp(turn);
}

/** What the model is given: the conversation, or, where it only writes on, the text as it stands on the page. */
function messages() {
  const before = state.turns.slice(0, -1).filter((turn) => turn.answer);
  const { prompt } = state.turns.at(-1);
  if (kind() === "base") {
    const text = [...before.map((turn) => turn.prompt + turn.answer), prompt].join("\n\n");
    return [{ role: "user", content: text }];
  }
  const said = before.flatMap((turn) => [
    { role: "user", content: turn.prompt },
    { role: "assistant", content: turn.answer },
  ]);
  return [...said, { role: "user", content: prompt }];
}

/** Ask which words of an answer stand in the training text. */
async function lookUp(turn) {
  if (!turn.answer.trim() || !state.project.traces) {
    turn.status = turn.answer.trim() ? "off" : "idle";
  } else {
    turn.status = "searching";
    refresh(turn);
    try {
      const body = { text: turn.answer, prompt: turn.prompt, min_words: MIN_WORDS };
      turn.trace = await (await ask("v1/trace", body)).json();
      turn.hues = huesOf(turn.trace);
      turn.status = "done";
    } catch (error) {
      turn.status = "failed";
    }
  }
  refresh(turn);
}

function refresh(turn) {
  const follow = nearEnd();
  drawAnswer(turn);
  if (state.shown === turn) drawSources();
  if (follow) toEnd();
}

const nearEnd = () => $("scroll").scrollHeight - $("scroll").scrollTop - $("scroll").clientHeight < 80;
const toEnd = () => ($("scroll").scrollTop = $("scroll").scrollHeight);

const kind = () => (state.project?.model.chat ? "chat" : "base");

/** A turn: question and answer, or, where the model writes on, one text whose beginning is paler. */
function drawTurn(turn) {
  const { parts } = turn;
  const chat = kind() === "chat";
  parts.given = chat ? "" : el("span", { class: "given" }, turn.prompt);
  parts.written = el("div", { class: "written", "aria-busy": "true" }, parts.given);
  parts.after = el("div", { class: "after" });
  const asked = chat ? [words("p", "you", { class: "who" }), el("p", { class: "said" }, turn.prompt)] : [];
  const answer = el("div", { class: "answer" }, words("p", `answer_${kind()}`, { class: "who" }), parts.written, parts.after);
  $("turns").append(el("li", { class: "turn" }, ...asked, answer));
  $("welcome").hidden = true;
  toEnd();
}

/** The finished answer, its matching passages underlined, and what there is to say below it. */
function drawAnswer(turn) {
  const { written, after } = turn.parts;
  written.removeAttribute("aria-busy");
  written.replaceChildren(turn.parts.given, ...pieces(turn));
  const found = turn.trace?.spans.length ?? 0;
  after.replaceChildren();
  if (turn.error) after.append(el("p", { class: "problem", role: "alert" }, explain(turn.error)));
  if (turn.note) after.append(words("p", turn.note));
  if (turn.status === "done" || turn.status === "failed") {
    const label = turn.status === "failed" || !found ? say("sources_show") : count("passages", found);
    const listen = {
      click: (event) => {
        show(turn);
        sheet(true, { from: event.currentTarget, follow: event.detail === 0 });
      },
    };
    after.append(el("button", { type: "button", class: "found", on: listen }, label));
  }
}

/** Text and underlined spans. Where two spans overlap, the first keeps the common words. */
function pieces(turn) {
  const characters = Array.from(turn.answer);
  const out = [];
  let at = 0;
  turn.marks = new Map();
  for (const span of [...(turn.trace?.spans ?? [])].sort((a, b) => a.start - b.start || b.end - a.end)) {
    const start = Math.max(at, span.start);
    if (span.end <= start) continue;
    out.push(characters.slice(at, start).join(""));
    const text = characters.slice(start, span.end).join("");
    const mark = el(
      "span",
      {
        class: `span ${hueOf(turn, span)}`,
        role: "button",
        tabindex: "0",
        "aria-expanded": String(state.open === span),
        "aria-controls": "sources",
        "aria-label": say("passage", { text }),
        on: {
          // A click without a pointer (detail 0) comes from a keyboard or a screen reader.
          click: (event) => openSpan(turn, span, { from: event.currentTarget, follow: event.detail === 0 }),
          keydown: (event) => {
            if (event.key !== "Enter" && event.key !== " ") return;
            event.preventDefault();
            openSpan(turn, span, { from: event.currentTarget, follow: true });
          },
        },
      },
      text,
    );
    turn.marks.set(span, mark);
    out.push(mark);
    at = span.end;
  }
  out.push(characters.slice(at).join(""));
  return out.filter((piece) => piece !== "");
}

// ---- the sources -------------------------------------------------------------------------------------

const sourceOf = (span) => span.documents[0]?.source ?? "";

/** A colour for every source, by the words it covers; from the seventh on they share the neutral one. */
function huesOf(trace) {
  const covered = new Map();
  for (const span of trace.spans) covered.set(sourceOf(span), (covered.get(sourceOf(span)) ?? 0) + (span.words ?? 1));
  const order = [...covered.keys()].sort((a, b) => covered.get(b) - covered.get(a) || (a < b ? -1 : 1));
  return new Map(order.map((source, i) => [source, `hue-${Math.min(i, HUES)}`]));
}

const hueOf = (turn, span) => turn.hues?.get(sourceOf(span)) ?? `hue-${HUES}`;

function titleOf(source, document_) {
  const listed = (Array.isArray(state.project.sources) ? state.project.sources : []).find((s) => s?.name === source);
  return told(listed?.title) || told(document_?.clearance?.title) || source;
}

/** Show a turn's sources in the panel. */
function show(turn) {
  if (state.shown !== turn) closeSpan();
  state.shown = turn;
  drawSources();
}

function closeSpan() {
  state.shown?.marks?.get(state.open)?.setAttribute("aria-expanded", "false");
  state.open = null;
}

/** Open a span's documents, or close them. With `follow` the focus goes along, and Escape brings it back. */
function openSpan(turn, span, { from = null, follow = false } = {}) {
  const again = state.open === span && !narrow();
  closeSpan();
  state.open = again ? null : span;
  show(turn);
  turn.marks.get(span)?.setAttribute("aria-expanded", String(!again));
  sheet(true, { from, follow, span });
}

const narrow = () => matchMedia("(max-width: 52rem)").matches;

/** Bring the panel up, which on a phone is a sheet, or send it away. */
function sheet(open, { from = null, follow = false, span = null } = {}) {
  $("sources").classList.toggle("open", open);
  if (!open) {
    state.opener?.focus();
    state.opener = null;
    return;
  }
  const item = span && $("sources-body").querySelector(`[data-span="${span.start}"]`);
  item?.scrollIntoView({ block: "start" });
  if (!narrow() && !follow) return;
  state.opener = from ?? state.opener;
  (item?.querySelector("button") ?? $("sources")).focus({ preventScroll: true });
}

function drawSources() {
  const turn = state.shown;
  const body = $("sources-body");
  const status = {
    idle: "sources_idle",
    writing: "sources_wait",
    searching: "sources_search",
    off: "sources_off",
    failed: "sources_error",
  }[turn?.status ?? (state.project && !state.project.traces ? "off" : "idle")];
  body.replaceChildren();
  if (status) {
    $("sources-status").textContent = say(status);
    if (turn?.status === "failed") {
      body.append(words("button", "retry", { type: "button", class: "found", on: { click: () => lookUp(turn) } }));
    }
    return;
  }
  const { trace } = turn;
  const nothing = [say("sources_none", { n: MIN_WORDS })];
  if (trace.coverage > 0) nothing.splice(0, 1, say("sources_frequent"));
  const found = [trace.spans.length ? count("passages", trace.spans.length) : nothing.join(" ")];
  if (trace.withdrawn) found.push(count("withdrawn", trace.withdrawn));
  $("sources-status").textContent = found.join(" · ");
  body.append(shareOf(turn));
  const list = el("ol", {});
  for (const span of [...trace.spans].sort((a, b) => a.start - b.start)) list.append(passage(turn, span));
  body.append(list);
}

/** The chamber: a seat for every hundredth or so of the answer's words, coloured by source. */
function shareOf(turn) {
  const { trace } = turn;
  const coverage = Math.min(1, Math.max(0, Number(trace.coverage) || 0));
  const bySource = new Map();
  for (const span of trace.spans) bySource.set(sourceOf(span), (bySource.get(sourceOf(span)) ?? 0) + (span.words ?? 1));
  const total = Math.max(1, trace.words ?? 1);
  const shares = [...turn.hues].map(([source, hue]) => [hue, source, bySource.get(source) / total]);
  const shown = shares.reduce((sum, [, , share]) => sum + share, 0);
  const scale = shown > coverage && shown > 0 ? coverage / shown : 1; // spans may overlap
  if (coverage - shown > 0.004) shares.push([`hue-${HUES}`, null, coverage - shown]);
  let left = Math.round(coverage * SEATS);
  const groups = shares.map(([hue, , share]) => {
    const seats = Math.min(left, Math.max(1, Math.round(share * scale * SEATS)));
    left -= seats;
    return [hue, seats];
  });
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "chamber");
  svg.setAttribute("aria-hidden", "true");
  chamber(svg, groups);
  const percent = new Intl.NumberFormat(state.language, { style: "percent" }).format(coverage);
  const text = document.createElementNS(SVG, "text");
  text.setAttribute("x", "140");
  text.setAttribute("y", "137");
  text.textContent = percent;
  svg.append(text);
  const legend = el("ul", { class: "legend" });
  for (const [hue, source] of shares) {
    const name = source === null ? say("frequent") : titleOf(source, trace.spans.find((s) => sourceOf(s) === source)?.documents[0]);
    legend.append(el("li", {}, el("span", { class: `dot ${hue}` }), name));
  }
  if (coverage < 1) legend.append(el("li", {}, el("span", { class: "dot" }), say("uncovered")));
  const caption = el("figcaption", {}, el("span", { class: "hidden" }, `${percent} `), say("coverage"));
  return el("figure", { class: "share" }, svg, caption, legend);
}

function passage(turn, span) {
  const open = state.open === span;
  const toggle = () => openSpan(turn, span, { follow: true });
  const button = el(
    "button",
    { type: "button", "aria-expanded": String(open), on: { click: toggle } },
    el("span", { class: "quote" }, span.text),
    el("span", { class: "count" }, count("count", span.count)),
  );
  const item = el("li", { class: `passage ${hueOf(turn, span)}`, "data-span": span.start }, button);
  if (open) {
    const documents = el("div", { class: "documents" }, ...span.documents.map((d) => card(turn, span, d)));
    const more = span.count - span.documents.length;
    if (more > 0) documents.append(el("p", { class: "note" }, count("more", more)));
    item.append(documents);
  }
  return item;
}

/** One document: what it is, the passage in its place, under which right it was read and when. */
function card(turn, span, d) {
  const hue = turn.hues.get(d.source) ?? `hue-${HUES}`;
  const when = [d.date && day(d.date), d.section].filter(Boolean).join(" · ");
  const rows = el("dl", {});
  const row = (key, ...value) => {
    if (value.some(Boolean)) rows.append(words("dt", key), el("dd", {}, ...value));
  };
  row("speaker", d.speaker);
  row("place", el("span", { class: "mono" }, d.anchor && !d.origin.endsWith(`#${d.anchor}`) ? `${d.origin}#${d.anchor}` : d.origin));
  row("licence", d.licence || say("unknown"));
  if (d.right) {
    const verdict = ["allow", "deny", "review"].includes(d.right.verdict) ? d.right.verdict : "deny";
    row("right", words("span", verdict, { class: `verdict ${verdict}` }), d.right.basis ? ` · ${d.right.basis}` : "");
    row("rule", d.right.rule && el("span", { class: "mono" }, d.right.rule));
  } else {
    row("right", say("unknown"));
  }
  row("obligations", (d.obligations ?? []).join(", "));
  const clearance = typeof d.clearance === "string" ? { attested_by: d.clearance } : d.clearance;
  row("clearance", clearance?.attested_by || say("clearance_none"));
  row("attribution", clearance?.attribution);
  const steps = { first: d.first_step?.toLocaleString(state.language), last: d.last_step?.toLocaleString(state.language) };
  // A document that only an earlier model read is read by that one, and named with it.
  const earlier = d.read_by && d.read_by !== state.project?.model.id ? ` · ${d.read_by}` : "";
  row("read", d.first_step === null || d.first_step === undefined ? say("unknown") : say(d.first_step === d.last_step ? "step" : "steps", steps) + earlier);
  const link = /^https?:\/\//.test(d.url ?? "")
    ? words("a", "open", { href: d.url, target: "_blank", rel: "noopener noreferrer" })
    : null;
  return el(
    "article",
    { class: `card ${hue}` },
    el("p", { class: "from" }, el("span", { class: `dot ${hue}` }), titleOf(d.source, d)),
    el("h3", {}, d.title || d.origin),
    when && el("p", { class: "when" }, when),
    excerpt(span, d),
    rows,
    link,
  );
}

/** The excerpt with the match in it, at the offsets given, or else where the words are found again. */
function excerpt(span, d) {
  const characters = Array.from(d.excerpt);
  const given = Number.isInteger(d.needle_start) && Number.isInteger(d.needle_end);
  const [start, end] = given ? [d.needle_start, d.needle_end] : find(d.excerpt, span.text);
  return el(
    "blockquote",
    { tabindex: "0", "aria-label": say("excerpt") },
    `… ${characters.slice(0, start).join("")}`,
    el("mark", {}, characters.slice(start, end).join("")),
    `${characters.slice(end).join("")} …`,
  );
}

/** Code points [start, end) at which the words of `needle` stand in `text`, whatever their case and accents. */
function find(text, needle) {
  const split = (s) => {
    const found = [];
    let at = 0;
    let unit = 0;
    for (const match of s.matchAll(/[\p{L}\p{N}\p{M}_]+/gu)) {
      at += Array.from(s.slice(unit, match.index)).length;
      unit = match.index;
      const word = match[0].normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase().replace(/œ/g, "oe").replace(/æ/g, "ae");
      found.push({ word, start: at, end: at + Array.from(match[0]).length });
    }
    return found;
  };
  const [all, wanted] = [split(text), split(needle)];
  for (let i = 0; wanted.length && i + wanted.length <= all.length; i++) {
    if (wanted.every((w, j) => all[i + j].word === w.word)) return [all[i].start, all[i + wanted.length - 1].end];
  }
  return [0, 0];
}

// ---- the project -------------------------------------------------------------------------------------

function drawProject() {
  const p = state.project;
  if (!p) return;
  const title = told(p.title) || say("title");
  document.title = title;
  $("title").textContent = title;
  $("subtitle").removeAttribute("data-text");
  const digest = told(p.model_digest);
  $("subtitle").textContent = [say("model"), p.model.id, digest && `· ${digest.slice(0, 12)}`].filter(Boolean).join(" ");
  $("project-title").textContent = title;
  const solo = /\bsolo\b/i.test(told(p.governance));
  $("badge").textContent = "solo";
  $("badge").hidden = !solo;
  $("about-open").classList.toggle("with-badge", solo);
  $("upstream").hidden = !p.upstream;
  $("upstream").textContent = p.upstream ? say("upstream", { base: told(p.upstream) }) : "";
  $("message-label").textContent = say(`write_${kind()}`);
  $("message").placeholder = say(`write_${kind()}`);
  $("welcome-text").textContent = say(`welcome_${kind()}`);
  const rows = el("dl", {});
  const row = (key, value, mono = false) => {
    if (value) rows.append(words("dt", key), el("dd", mono ? { class: "mono" } : {}, value));
  };
  row("model", p.model.id);
  row("kind", say(`kind_${kind()}`));
  row("context", say("tokens", { n: p.model.context.toLocaleString(state.language) }));
  row("digest", digest, true);
  row("index", told(p.index_digest), true);
  row("licence", told(p.licence));
  row("governance", told(p.governance));
  const body = [rows];
  if (Array.isArray(p.sources) && p.sources.length) {
    const list = el("ul", {});
    for (const source of p.sources) {
      const about = [source.publisher, source.licence].map(told).filter(Boolean).join(" · ");
      list.append(el("li", {}, told(source.title) || told(source.name), about && el("p", {}, about)));
    }
    body.push(words("h3", "project_sources"), list);
  }
  body.push(words("p", "privacy", { class: "note" }));
  $("project-body").replaceChildren(...body);
  const examples = Array.isArray(p.examples) ? p.examples.slice(0, 3).map(told) : [];
  $("examples").hidden = !examples.length;
  $("examples").replaceChildren(...examples.map((text) => el("button", { type: "button", on: { click: () => submit(text) } }, text)));
}

async function loadProject() {
  try {
    state.project = await (await ask("v1/project")).json();
  } catch (error) {
    if (error.status !== 401) $("sources-status").textContent = explain(error);
    gate(error.status === 401);
    return false;
  }
  const half = Math.floor(state.project.model.context / 2);
  $("length").max = String(Math.max(16, Math.min(1024, half)));
  gate(false);
  drawProject();
  drawComposer();
  drawSources();
  drawSettings();
  return true;
}

function gate(closed) {
  $("gate").hidden = !closed;
  $("composer").hidden = closed;
  if (closed) $("token").focus();
}

// ---- the composer ------------------------------------------------------------------------------------

function drawComposer() {
  const busy = state.running !== null;
  $("send").hidden = busy;
  $("send").disabled = !state.project || !$("message").value.trim();
  $("stop").hidden = !busy;
}

function drawSettings() {
  $("temperature-value").value = Number($("temperature").value).toLocaleString(state.language);
  $("length-value").value = say("tokens", { n: Number($("length").value).toLocaleString(state.language) });
}

function submit(text) {
  if (state.running || !state.project || !text.trim()) return;
  $("message").value = "";
  $("settings").open = false;
  void send(text);
}

function setLanguage(language) {
  state.language = language;
  document.documentElement.lang = language;
  for (const node of document.querySelectorAll("[data-text]")) node.textContent = say(node.dataset.text);
  for (const node of document.querySelectorAll("[data-label]")) node.setAttribute("aria-label", say(node.dataset.label));
  for (const link of document.querySelectorAll("nav a")) {
    if (link.lang === language) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
  drawProject();
  drawSettings();
  for (const turn of state.turns) if (turn.status !== "writing") drawAnswer(turn);
  drawSources();
}

function listen() {
  $("composer").addEventListener("submit", (event) => {
    event.preventDefault();
    submit($("message").value);
  });
  $("message").addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    submit($("message").value);
  });
  $("message").addEventListener("input", drawComposer);
  $("stop").addEventListener("click", () => {
    state.running?.abort();
    $("message").focus();
  });
  for (const id of ["temperature", "length"]) $(id).addEventListener("input", drawSettings);
  $("new").addEventListener("click", () => {
    state.running?.abort();
    state.turns = [];
    state.shown = state.open = null;
    $("turns").replaceChildren();
    $("welcome").hidden = false;
    $("settings").open = false;
    drawSources();
    $("message").focus();
  });
  for (const link of document.querySelectorAll("nav a")) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      history.replaceState(null, "", `?lang=${link.lang}`);
      setLanguage(link.lang);
    });
  }
  $("about-open").addEventListener("click", () => $("project").showModal());
  $("project-close").addEventListener("click", () => $("project").close());
  $("project").addEventListener("click", (event) => {
    if (event.target === $("project")) $("project").close();
  });
  $("sources-close").addEventListener("click", () => sheet(false));
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    $("settings").open = false;
    if (!$("project").open) sheet(false);
  });
  document.addEventListener("click", (event) => {
    if (!$("settings").contains(event.target)) $("settings").open = false;
  });
  $("gate").addEventListener("submit", async (event) => {
    event.preventDefault();
    state.token = $("token").value;
    const opened = await loadProject();
    $("token-wrong").hidden = opened;
    if (opened) $("message").focus();
  });
}

state.texts = await (await fetch("page/texts.json")).json();
chamber($("welcome-chamber"), []);
listen();
setLanguage(state.language);
if (await loadProject()) $("message").focus();
