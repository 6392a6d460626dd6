"use strict";
(() => {
  const root = document.documentElement;
  root.classList.add("js");
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const cards = all(".card");
  const filters = all(".filter[data-filter]");
  const find = document.getElementById("find");
  const shown = document.getElementById("shown");
  const none = document.getElementById("none");
  const type = document.getElementById("type");
  const sort = document.getElementById("sort");
  const grid = document.getElementById("grid");

  // Filter and search
  const fits = (card, outcomes, words) =>
    (!type || !type.value || card.dataset.type === type.value) && (!outcomes.length || outcomes.includes(card.dataset.outcome)) && words.every((word) => card.dataset.search.includes(word));
  const update = () => {
    const pressed = filters.find((button) => button.getAttribute("aria-pressed") === "true");
    const outcomes = pressed.dataset.filter.split(" ").filter(Boolean);
    const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const card of cards) {
      card.hidden = !fits(card, outcomes, words);
      count += !card.hidden;
    }
    shown.textContent = `${count} of ${cards.length} record${cards.length === 1 ? "" : "s"} shown`;
    none.hidden = count > 0;
  };
  const choose = (button) => {
    for (const other of filters) other.setAttribute("aria-pressed", String(other === button));
    update();
  };
  for (const button of filters) button.addEventListener("click", () => choose(button));
  find.addEventListener("input", update);
  if (type) type.addEventListener("change", update);

  // Sort: records without a score come last, equal ones stay in order.
  const arrange = () => {
    const sign = sort.value === "up" ? 1 : -1;
    const worth = (card) => (card.dataset.score === "" ? Number.POSITIVE_INFINITY : sign * Number(card.dataset.score));
    const order = sort.value ? [...cards].sort((a, b) => (worth(a) === worth(b) ? 0 : worth(a) - worth(b))) : cards;
    for (const card of order) none.before(card);
  };
  if (sort) sort.addEventListener("change", arrange);

  // Grid: of each record the picture that counts; a card opens where it is chosen.
  const markFront = (card) => {
    const steps = all(".step", card);
    const front = steps.find((step) => step.matches(".final")) ?? steps.at(-1);
    if (front) front.classList.add("front");
  };
  const near = new IntersectionObserver(
    (entries) => {
      for (const entry of entries) if (entry.isIntersecting) fill(entry.target);
    },
    { rootMargin: "100% 0px" },
  );
  const look = (many) => {
    root.classList.toggle("grid", many);
    grid.setAttribute("aria-pressed", String(many));
    // In the grid no story is seen; outside it those of the records on the screen and near it.
    near.disconnect();
    if (!many) for (const card of cards) if (card.querySelector(".packed")) near.observe(card);
  };
  grid.addEventListener("click", () => look(!root.classList.contains("grid")));
  const open = (card) => {
    look(false);
    fill(card);
    card.scrollIntoView();
    card.focus({ preventScroll: true });
  };
  for (const card of cards) {
    card.addEventListener("click", (event) => {
      if (!root.classList.contains("grid") || event.target.closest("a, button")) return;
      open(card);
    });
  }

  // Keys, unless something is being typed or chosen.
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea")) return;
    if (event.key === "g") look(!root.classList.contains("grid"));
    const step = { j: 1, k: -1 }[event.key];
    if (!step) {
      if (event.key === "Enter" && event.target.matches(".grid .card")) open(event.target);
      return;
    }
    const visible = all(".card").filter((card) => !card.hidden);
    const at = visible.indexOf(document.activeElement.closest(".card"));
    const next = visible[at < 0 ? (step > 0 ? 0 : visible.length - 1) : Math.min(Math.max(at + step, 0), visible.length - 1)];
    if (!next) return;
    next.scrollIntoView();
    next.focus({ preventScroll: true });
  });

  // Very long prompts are folded.
  for (const prompt of all("h3.fold")) {
    const more = document.createElement("button");
    more.type = "button";
    more.className = "more";
    const set = (whole) => {
      prompt.classList.toggle("whole", whole);
      more.setAttribute("aria-expanded", String(whole));
      more.textContent = whole ? "Fold the prompt" : "Whole prompt";
    };
    more.addEventListener("click", () => set(!prompt.classList.contains("whole")));
    set(false);
    prompt.after(more);
  }
  document.getElementById("reset").addEventListener("click", () => {
    find.value = "";
    if (type) type.value = "";
    choose(filters[0]);
    filters[0].focus();
  });

  // Layers over the pictures
  const layers = all(".layer");
  const off = (button) => button.getAttribute("aria-pressed") === "false";
  const draw = () => {
    for (const button of layers) root.classList.toggle(`hide-${button.dataset.layer}`, off(button));
    // The phrases of a plan go with the last of its inputs.
    root.classList.toggle("hide-names", layers.filter((button) => button.closest(".planned")).every(off));
  };
  for (const button of layers) {
    button.addEventListener("click", () => {
      button.setAttribute("aria-pressed", String(off(button)));
      draw();
    });
  }
  draw();
  const bareable = (button) =>
    button.addEventListener("click", () => {
      const bare = button.closest("figure").classList.toggle("is-bare");
      button.setAttribute("aria-pressed", String(bare));
    });

  // Before and after: the pictures are those of the film, so that the file holds each only once.
  const comparing = (compare) => {
    const film = compare.closest(".card");
    const source = (key) => film.querySelector(`img[data-picture="${key}"]`).src;
    for (const [name, key] of [["before", compare.dataset.first], ["after", compare.dataset.last]]) {
      const image = compare.querySelector(`img.${name}`);
      image.width = compare.dataset.width;
      image.height = compare.dataset.height;
      image.src = source(key);
    }
    const range = compare.querySelector("input");
    const stage = compare.querySelector(".stage");
    const move = () => {
      const value = Number(range.value);
      stage.style.setProperty("--at", `${value}%`);
      range.setAttribute("aria-valuetext", `${value} % before, ${100 - value} % after`);
      compare.querySelector(".cue-before").hidden = value < 25;
      compare.querySelector(".cue-after").hidden = value > 75;
    };
    range.addEventListener("input", move);
    move();
    compare.hidden = false;
  };

  // What a story needs once it is there: at once, or when it is unpacked.
  const dress = (card) => {
    markFront(card);
    all(".bare", card).forEach(bareable);
    all(".compare", card).forEach(comparing);
  };

  // Of many records the stories are packed: JSON, deflated, as base64, some records together.
  const packs = new Map();
  const unpack = async (number) => {
    const bytes = Uint8Array.from(atob(document.getElementById(`pack-${number}`).textContent), (c) => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return JSON.parse(await new Response(stream).text());
  };
  const fill = async (card) => {
    const place = card.querySelector(".packed");
    if (!place || place.dataset.waiting) return;
    place.dataset.waiting = "1";
    near.unobserve(card);
    const { pack, at } = place.dataset;
    if (!packs.has(pack)) packs.set(pack, unpack(pack));
    const story = document.createElement("template");
    try {
      story.innerHTML = (await packs.get(pack))[at];
    } catch (error) {
      const note = document.createElement("p");
      note.className = "note";
      note.textContent = "The steps cannot be shown: this browser is too old to unpack them.";
      place.append(note);
      return;
    }
    for (const image of all("img[data-lent]", story.content)) image.src = place.querySelector("img").src;
    place.replaceWith(story.content);
    dress(card);
  };
  cards.forEach(dress);
  look(document.querySelector(".packed") !== null);

  // A link to a record or a recipe shows it, whatever is filtered or folded.
  const reveal = () => {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    if (target.matches(".card") && target.hidden) {
      find.value = "";
      if (type) type.value = "";
      choose(filters[0]);
    }
    if (target.matches(".card")) {
      look(false);
      fill(target);
    }
    if (target.matches("details")) target.open = true;
    target.scrollIntoView();
  };
  window.addEventListener("hashchange", reveal);
  reveal();
})();
