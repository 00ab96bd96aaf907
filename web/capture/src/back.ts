// The browser's Back goes one step back in the page while there is one, and leaves
// the page otherwise. One entry of the history stands for all steps.

let handler: (() => void) | null = null;
let armed = (history.state as { proofline?: boolean } | null)?.proofline === true; // after a reload

/** What Back does from now on; null: it leaves the page. */
export function onBack(f: (() => void) | null): void {
  handler = f;
  if (f && !armed) {
    armed = true;
    history.pushState({ proofline: true }, '');
  }
}

window.addEventListener('popstate', () => {
  if (!armed || location.hash) return; // a link that was opened in this tab is no step back
  armed = false;
  const f = handler;
  if (f) f(); // the view that it shows arms again
  else history.back();
});
