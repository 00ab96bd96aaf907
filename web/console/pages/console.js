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

// The page in hand is in sight where the navigation is a strip.
document.querySelector('.side a[aria-current]')?.scrollIntoView({ block: "nearest", inline: "center" });

// What if: the counts below each step of the sliders came with the page.
for (const form of document.querySelectorAll("form[data-lab]")) {
  const lab = JSON.parse(document.getElementById("lab-data").textContent);
  const [reject, approve] = [form.elements.reject, form.elements.approve];
  const steps = lab.all.length - 1, wide = lab.high - lab.low;
  const at = (v) => Math.max(0, Math.min(steps, Math.round((v - lab.low) / wide * steps)));
  const whole = (n) => String(n).replace(/\B(?=(\d{3})+$)/g, "\u202f");
  const percent = (n, of) => of === 0 ? "–" : n === 0 ? "0 %" : n / of < 0.001 ? `${(100 * n / of).toPrecision(2)} %` : n / of < 0.1 || n / of > 0.9 && n < of ? `${(100 * n / of).toFixed(1)} %` : `${(100 * n / of).toFixed(0)} %`;
  const put = (name, text) => { document.querySelector(`[data-lab-out="${name}"]`).textContent = text; };
  const side = (band, v) => v < band[0] ? -1 : v >= band[1] ? 1 : 0;
  const show = () => {
    const to = [at(+reject.value), at(+approve.value)], band = [+reject.value, +approve.value], now = [lab.from.reject, lab.from.approve];
    const n = lab.cases, low = lab.all[to[0]], high = Math.max(low, lab.all[to[1]]);
    // Between two neighbouring bounds all cases fare alike.
    const bounds = [[-Infinity, 0], [now[0], lab.below[0]], [now[1], lab.below[1]], [band[0], lab.all[to[0]]], [band[1], lab.all[to[1]]], [Infinity, n]].sort((a, b) => a[0] - b[0] || a[1] - b[1]);
    let flips = 0;
    for (let i = 0; i + 1 < bounds.length; i++) if (side(now, bounds[i][0]) !== side(band, bounds[i][0])) flips += bounds[i + 1][1] - bounds[i][1];
    put("flips", whole(flips)); put("approved", whole(n - high)); put("rejected", whole(low));
    put("reviewed", `${whole(high - low)} ${percent(high - low, n)}`);
    put("fmr", percent(lab.impostors - lab.impostor[to[1]], lab.impostors)); put("fnmr", percent(lab.genuine[to[0]], lab.genuines));
    for (const [name, input] of [["reject", reject], ["approve", approve]]) {
      form.querySelector(`[data-out="${name}"]`).textContent = (+input.value).toPrecision(4).replace(/\.?0+$/, "");
      for (const line of document.querySelectorAll(`[data-line="${name}"]`)) {
        const x = 46 + (720 - 46 - 12) * (+input.value - lab.low) / wide;
        line.setAttribute("x1", x); line.setAttribute("x2", x);
      }
    }
  };
  reject.addEventListener("input", () => { if (+reject.value > +approve.value) approve.value = reject.value; show(); });
  approve.addEventListener("input", () => { if (+approve.value < +reject.value) reject.value = approve.value; show(); });
}
