// Keys and small comforts. The pages work without them.
"use strict";

const typing = (el) => el && (el.isContentEditable || /^(TEXTAREA|SELECT)$/.test(el.tagName) || (el.tagName === "INPUT" && !/^(radio|checkbox|submit|button)$/.test(el.type)));

document.addEventListener("keydown", (e) => {
  if (e.key === "Enter" && (e.ctrlKey || e.metaKey)) {
    const b = document.querySelector('.decide [data-key="Enter"]');
    if (b) { e.preventDefault(); b.form.requestSubmit(b); }
    return;
  }
  if (e.key === "Escape" && typing(document.activeElement)) { document.activeElement.blur(); return; }
  if (e.ctrlKey || e.metaKey || e.altKey || e.repeat || typing(document.activeElement)) return;
  const to = document.querySelector(`[data-key="${CSS.escape(e.key)}"]`);
  if (!to) return;
  e.preventDefault();
  if (to.tagName === "TEXTAREA") { to.focus(); return; }
  const radio = to.querySelector('input[type="radio"]');
  if (radio) { radio.checked = true; radio.focus(); radio.dispatchEvent(new Event("change", { bubbles: true })); return; }
  to.click();
});

// Only what belongs to the chosen outcome is shown.
for (const form of document.querySelectorAll("form.decide")) {
  form.classList.add("live");
  const show = () => {
    const on = form.querySelector('input[name="outcome"]:checked');
    for (const part of form.querySelectorAll(".for")) part.hidden = !on || !part.classList.contains(on.value);
  };
  form.addEventListener("change", show);
  show();
}

// A form is sent once.
for (const form of document.querySelectorAll("form")) {
  form.addEventListener("submit", (e) => {
    if (form.dataset.sent) { e.preventDefault(); return; }
    form.dataset.sent = "1";
  });
}
addEventListener("pageshow", () => { for (const f of document.querySelectorAll("form[data-sent]")) delete f.dataset.sent; });

// Marks are in pixels of the photo.
for (const img of document.querySelectorAll("img[data-marks]")) {
  const svg = img.parentElement.querySelector("svg");
  const fit = () => { if (svg && img.naturalWidth) svg.setAttribute("viewBox", `0 0 ${img.naturalWidth} ${img.naturalHeight}`); };
  if (img.complete) fit();
  img.addEventListener("load", fit);
  img.parentElement.addEventListener("click", () => img.closest("figure").classList.toggle("large"));
}
