"use strict";
(() => {
  const root = document.documentElement;
  root.classList.add("js");
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const cards = all(".card");
  const filters = all(".filter");
  const find = document.getElementById("find");
  const shown = document.getElementById("shown");
  const none = document.getElementById("none");

  // Filter and search
  const fits = (card, outcomes, words) =>
    (!outcomes.length || outcomes.includes(card.dataset.outcome)) && words.every((word) => card.dataset.search.includes(word));
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
  document.getElementById("reset").addEventListener("click", () => {
    find.value = "";
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
  for (const button of all(".bare")) {
    button.addEventListener("click", () => {
      const bare = button.closest("figure").classList.toggle("is-bare");
      button.setAttribute("aria-pressed", String(bare));
    });
  }

  // Before and after: the pictures are those of the film, so that the file holds each only once.
  for (const compare of all(".compare")) {
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
  }

  // A link to a record or a recipe shows it, whatever is filtered or folded.
  const reveal = () => {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    if (target.matches(".card") && target.hidden) {
      find.value = "";
      choose(filters[0]);
    }
    if (target.matches("details")) target.open = true;
    target.scrollIntoView();
  };
  window.addEventListener("hashchange", reveal);
  reveal();
})();
