// SPDX-License-Identifier: MPL-2.0
(() => {
  "use strict";
  const one = (query, at = document) => at.querySelector(query);
  const all = (query, at = document) => [...at.querySelectorAll(query)];
  const bar = one(".bar");
  const [search, status, region, channel] =
    ["input", ".by-status", ".by-region", ".by-channel"].map((query) => one(query, bar));
  const cards = all(".chain > a");
  const edges = all(".chain path").map((line) => ({ line, from: +line.dataset.from, to: +line.dataset.to }));

  // What there is. The text of an image is read when somebody searches.
  const images = all("article").map((element, i) => ({
    element,
    card: cards[i],
    status: element.dataset.status,
    worse: (element.dataset.worse ?? "").split(","),
    channels: all(":scope > details", element).map((element) => ({
      element,
      name: one("b", element).textContent,
      status: one("i", element).textContent,
      amis: all(".amis > li", element)
        .map((line) => ({ region: line.firstChild.data.trim(), line })),
    })),
  }));
  const choices = (select, values) => select.append(...[...new Set(values)].sort()
    .map((value) => new Option(value, value)));
  const channels = images.flatMap((image) => image.channels);
  choices(status, [...images, ...channels].map((each) => each.status));
  choices(region, channels.flatMap((c) => c.amis.map((ami) => ami.region)));
  choices(channel, channels.map((c) => c.name));
  for (const select of [region, channel]) select.parentElement.hidden = select.length === 1;

  // The counts at the top are buttons for the same as the filter by status.
  const counts = all(".counts li").map((item) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...item.childNodes);
    item.append(button);
    button.addEventListener("click", () => {
      status.value = status.value === item.dataset.status ? "" : item.dataset.status;
      filter();
    });
    return { button, status: item.dataset.status };
  });

  // An image is shown if a channel of it is. With a filter by channel, the status is that of the
  // channel, and without one, that of the image, or of a channel that is worse. What a filter opens
  // is as before when the filter is gone.
  let narrowed = false;
  function filter() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const narrow = region.value !== "" || channel.value !== "";
    let found = 0, opened = 0;
    for (const image of images) {
      let hits = 0;
      for (const c of image.channels) {
        const hit = (!channel.value || c.name === channel.value) &&
          (!channel.value || !status.value || c.status === status.value) &&
          (!region.value || c.amis.some((ami) => ami.region === region.value));
        c.element.hidden = !hit;
        if (hit) hits++;
        if (narrow && !narrowed) c.open = c.element.open;
        if (narrow) c.element.open = hit && opened++ < 100;
        else if (narrowed) c.element.open = c.open;
        for (const ami of c.amis) ami.line.hidden = region.value !== "" && ami.region !== region.value;
      }
      let hit = (narrow ? hits > 0 : true) &&
        (channel.value !== "" || !status.value || image.status === status.value ||
          image.worse.includes(status.value));
      if (hit && words.length) {
        image.text ??= image.element.textContent.toLowerCase();
        hit = words.every((word) => image.text.includes(word));
      }
      image.element.hidden = !hit;
      image.card?.classList.toggle("off", !hit);
      if (hit) found++;
    }
    narrowed = narrow;
    for (const c of counts) c.button.setAttribute("aria-pressed", String(c.status === status.value));
    one(".none").hidden = found > 0 || images.length === 0;
    const every = found === images.length;
    one(".found a").hidden = every;
    one(".found a").textContent = every ? "" : `${found} of ${images.length} images`;
  }
  function clear() {
    bar.reset();
    filter();
  }
  let soon;
  bar.addEventListener("input", () => {
    clearTimeout(soon);
    soon = setTimeout(filter, 60);
  });
  bar.addEventListener("reset", () => setTimeout(filter));
  bar.addEventListener("submit", (event) => event.preventDefault());
  one(".clear").addEventListener("click", () => { clear(); one("#_images").focus(); });
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest?.("input, select, textarea");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      search.focus();
    }
  });

  // A link to an image leads there, whatever is filtered.
  function follow() {
    let id = location.hash.slice(1);
    try { id = decodeURIComponent(id); } catch { /* it is not encoded */ }
    const target = document.getElementById(id);
    if (!target || target.localName !== "article") return;
    if (target.hidden) clear();
    const first = one(":scope > details", target);
    if (first && !one(":scope > details[open]", target)) first.open = true;
    target.scrollIntoView();
  }
  addEventListener("hashchange", follow);

  // The picture shows what an image is built on, and what is built on it.
  const picture = one(".chain");
  function light(card) {
    const lit = new Set();
    const walk = (start, back, forth) => {
      const seen = new Set([start]);
      for (const at of seen) {
        for (const edge of edges) {
          if (edge[back] === at) {
            seen.add(edge[forth]);
            lit.add(edge.line);
          }
        }
      }
      for (const at of seen) lit.add(cards[at]);
    };
    const at = cards.indexOf(card);
    if (at >= 0) {
      walk(at, "to", "from");
      walk(at, "from", "to");
    }
    picture.classList.toggle("lit", at >= 0);
    for (const each of [...cards, ...edges.map((edge) => edge.line)]) {
      each.classList.toggle("lit", lit.has(each));
    }
  }
  if (picture) {
    for (const event of ["mouseover", "focusin"]) {
      picture.addEventListener(event, (e) => light(e.target.closest("a")));
    }
    for (const event of ["mouseleave", "focusout"]) picture.addEventListener(event, () => light(null));
  }

  // Buttons that copy are made when a channel is opened: most never are.
  async function copy(text, button) {
    let copied = true;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const range = document.createRange();
      range.selectNodeContents(button.previousElementSibling);
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      copied = document.execCommand("copy");
    }
    one(".said").textContent = copied ? `Copied ${text}` : "It is selected; copy it yourself";
    button.textContent = copied ? "Copied" : "Selected";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  }
  function offerCopies(details) {
    if (!details.open || one(".copy", details)) return;
    for (const code of all(".amis > li > code, dl > dd > code", details)) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "copy";
      button.textContent = "Copy";
      button.setAttribute("aria-label", `Copy ${code.textContent}`);
      button.addEventListener("click", () => copy(code.textContent, button));
      code.after(" ", button);
    }
  }
  document.addEventListener("toggle", (event) => {
    if (event.target.matches?.("article > details")) offerCopies(event.target);
  }, true);
  all("article > details[open]").forEach(offerCopies);

  // On paper nothing can be opened.
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = all("details:not([open])");
    for (const each of closed) each.open = true;
  });
  addEventListener("afterprint", () => closed.forEach((each) => { each.open = false; }));

  // The exact time is shown over an age.
  document.addEventListener("mouseover", (event) => {
    if (event.target.localName === "time") event.target.title = event.target.dateTime;
  });

  const days = Math.floor((Date.now() - new Date(one(".at").dateTime)) / 864e5);
  if (days >= 2) {
    one(".stale").textContent = `This page is ${days} days old.`;
    one(".stale").hidden = false;
  }
  bar.hidden = images.length === 0;
  filter();
  follow();
})();
