// Moving and pasting in the grid. Everything also works without this file.
"use strict";
(() => {
  const figures = () => [...document.querySelectorAll(".grid input.figure, .grid input[type=checkbox]")];
  const step = (from, by) => {
    const all = figures(), to = all[all.indexOf(from) + by];
    if (to) { to.focus(); if (to.select) to.select(); }
  };
  document.addEventListener("keydown", (event) => {
    const at = event.target;
    if (!at.matches(".grid input.figure, .grid input[type=checkbox]") || event.isComposing) return;
    const by = { ArrowDown: 1, ArrowUp: -1, Enter: event.shiftKey ? -1 : 1 }[event.key];
    if (by) { event.preventDefault(); step(at, by); }
  });
  document.addEventListener("paste", (event) => {
    const at = event.target, text = event.clipboardData.getData("text").replace(/\r\n?/g, "\n").replace(/\n$/, "");
    if (!at.matches(".grid input.figure") || !text.includes("\n")) return;
    event.preventDefault();
    const all = figures(), lines = text.split("\n"), first = all.indexOf(at);
    lines.forEach((line, k) => {
      const cell = all[first + k];
      if (!cell) return;
      cell.value = line.split("\t")[0].trim();
      cell.dispatchEvent(new Event("change", { bubbles: true }));
    });
    const left = lines.length - (all.length - first);
    if (left > 0) document.getElementById("saved").textContent = "+" + left + "?";
  });
})();
